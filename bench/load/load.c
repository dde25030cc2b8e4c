/*
 * Closed-loop load over TCP: each connection keeps `depth` messages in flight
 * and sends the next one when a whole echo is back.
 *
 * Every byte is compared. A connection's stream is a walk through one random
 * pattern of prime length, from an origin of its own, so that a byte lost,
 * doubled, or sent to another connection does not fit.
 */
#define _GNU_SOURCE
#include "load.h"

struct connection {
    int fd;
    uint64_t origin;   /* where in the pattern the stream begins */
    uint64_t sent;     /* bytes of the stream written */
    uint64_t promised; /* bytes of the messages begun */
    uint64_t received; /* bytes of the stream that came back */
    uint64_t begun;    /* messages */
    uint64_t finished; /* messages */
    uint64_t *begun_ns; /* when each message in flight was begun: a ring */
};

static const unsigned char *stream_at(const struct connection *c, uint64_t offset)
{
    return pattern + (c->origin + offset) % PATTERN_BYTES;
}

static void begin_messages(struct connection *c, uint64_t ns)
{
    while (c->begun - c->finished < (uint64_t) options.depth) {
        c->begun_ns[c->begun % options.depth] = ns;
        c->begun++;
        c->promised += options.size;
    }
}

static void send_promised(struct connection *c)
{
    while (c->sent < c->promised) {
        uint64_t left = c->promised - c->sent;
        size_t bytes = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        ssize_t n = send(c->fd, stream_at(c, c->sent), bytes, MSG_NOSIGNAL);

        if (n < 0) {
            if (errno == EAGAIN) {
                return;
            }
            fail_errno("send");
        }
        c->sent += n;
    }
}

static void receive(struct connection *c)
{
    ssize_t n;

    do {
        n = recv(c->fd, chunk, CHUNK_BYTES, 0);

        if (n < 0) {
            if (errno == EAGAIN) {
                return;
            }
            fail_errno("recv");
        }
        if (n == 0) {
            fail("the server closed a connection");
        }
        if (c->received + n > c->sent) {
            fail("more bytes came back than were sent");
        }
        if (memcmp(chunk, stream_at(c, c->received), n) != 0) {
            fail("the bytes that came back are not those sent");
        }
        c->received += n;

        uint64_t whole = c->received / options.size;

        if (whole > c->finished) {
            uint64_t ns = now_ns();

            for (; c->finished < whole; c->finished++) {
                record(ns - c->begun_ns[c->finished % options.depth]);
            }
            begin_messages(c, ns);
            send_promised(c);
        }
    } while (n == CHUNK_BYTES);
}

static void serve(void *context, uint32_t events)
{
    struct connection *c = context;

    if (events & ~EPOLLOUT) {
        receive(c);
    }
    if (c->sent < c->promised) {
        send_promised(c);
    }
}

static void run_until(uint64_t end_ns)
{
    serve_until(end_ns, serve);
}

int main(int argc, char **argv)
{
    prepare(argc, argv);

    struct connection *connections =
        allocate(options.connections, sizeof(struct connection));

    for (int i = 0; i < options.connections; i++) {
        struct connection *c = &connections[i];

        c->fd = open_stream();
        unblock(c->fd);
        c->origin = (uint64_t) i * 131;
        c->begun_ns = allocate(options.depth, sizeof(uint64_t));
        watch(c->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, c);
    }
    for (int i = 0; i < options.connections; i++) {
        begin_messages(&connections[i], now_ns());
        send_promised(&connections[i]);
    }

    measure(run_until);
    return 0;
}
