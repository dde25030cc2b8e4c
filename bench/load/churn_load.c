/*
 * Connections that come and go: each of `connections` places opens one, sends a
 * message, waits for its echo, closes, and begins again. What is counted is whole
 * connections.
 *
 * The side that ends first keeps the pair of addresses for a minute. So that
 * the ports are enough, they come from many addresses of the loopback network.
 */
#define _GNU_SOURCE
#include "load.h"

enum { SOURCES = 250 };

struct place {
    int fd;
    int sent;
    int received;
    uint64_t begun_ns;
};

static uint32_t connections_begun;

/* Sends, unless it is not connected yet: on loopback it mostly is at once. */
static void send_message(struct place *p)
{
    ssize_t n = send(p->fd, pattern, options.size, MSG_NOSIGNAL);

    if (n < 0 && errno == EAGAIN) {
        return;
    }
    /* It fits into an empty send buffer. */
    if (n != options.size) {
        fail_errno("send");
    }
    p->sent = 1;
}

/* A connection from the next of the source addresses, being made. */
static void begin(struct place *p)
{
    struct sockaddr_in address = server_address();
    struct sockaddr_in source = {
        .sin_family = AF_INET,
        .sin_addr = { htonl(INADDR_LOOPBACK + 1 + connections_begun++ % SOURCES) },
    };
    int on = 1;

    p->begun_ns = now_ns();
    p->sent = 0;
    p->received = 0;
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0) {
        fail_errno("socket");
    }
    setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(p->fd, (struct sockaddr *) &source, sizeof(source)) < 0) {
        fail_errno("bind");
    }
    if (connect(p->fd, (struct sockaddr *) &address, sizeof(address)) < 0
        && errno != EINPROGRESS)
    {
        fail_errno("connect");
    }
    watch(p->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, p);
    send_message(p);
}

static void receive(struct place *p)
{
    while (p->received < options.size) {
        ssize_t n = recv(p->fd, chunk, CHUNK_BYTES, 0);

        if (n < 0) {
            if (errno == EAGAIN) {
                return;
            }
            fail_errno("recv");
        }
        if (n == 0) {
            fail("the server closed a connection");
        }
        if (p->received + n > options.size
            || memcmp(chunk, pattern + p->received, n) != 0)
        {
            fail("the bytes that came back are not those sent");
        }
        p->received += n;
    }
    close(p->fd);
    record(now_ns() - p->begun_ns);
    begin(p);
}

static void serve(void *context, uint32_t events)
{
    struct place *p = context;

    if (!p->sent && (events & EPOLLOUT)) {
        send_message(p);
    }
    if (events & ~EPOLLOUT) {
        receive(p);
    }
}

static void run_until(uint64_t end_ns)
{
    serve_until(end_ns, serve);
}

int main(int argc, char **argv)
{
    prepare(argc, argv);

    struct place *places = allocate(options.connections, sizeof(struct place));

    for (int i = 0; i < options.connections; i++) {
        begin(&places[i]);
    }

    measure(run_until);
    return 0;
}
