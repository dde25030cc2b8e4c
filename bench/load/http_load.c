/*
 * Closed-loop load over HTTP/1.1: each connection keeps `depth` requests for
 * `/` in flight and sends the next one when a whole response is back.
 *
 * The first response of a connection is read as HTTP says: status 200, and as
 * many bytes as Content-Length tells. Those after it must have the same length,
 * status and body.
 */
#define _GNU_SOURCE
#include "load.h"

enum { RESPONSE_MAX_BYTES = 4096, RECEIVE_BYTES = 32 * 1024, DEPTH_MAX = 256 };

static const char status[] = "HTTP/1.1 200";

struct connection {
    int fd;
    int unsent_bytes; /* of the requests begun */
    int held_bytes;   /* of responses that are not whole */
    int response_bytes; /* of each response; 0 until the first was read */
    int body_bytes;
    uint64_t begun;
    uint64_t finished;
    uint64_t begun_ns[DEPTH_MAX]; /* when each request was begun: a ring */
    char body[RESPONSE_MAX_BYTES];
    char held[RECEIVE_BYTES + 1];
};

/* `depth` requests and one more, so that a part of one can be followed by others. */
static char requests[(DEPTH_MAX + 1) * 128];
static int request_bytes;

static void begin_requests(struct connection *c, uint64_t ns)
{
    while (c->begun - c->finished < (uint64_t) options.depth) {
        c->begun_ns[c->begun % options.depth] = ns;
        c->begun++;
        c->unsent_bytes += request_bytes;
    }
}

static void send_begun(struct connection *c)
{
    while (c->unsent_bytes > 0) {
        int of_one = c->unsent_bytes % request_bytes;
        int from = of_one == 0 ? 0 : request_bytes - of_one;
        ssize_t n = send(c->fd, requests + from, c->unsent_bytes, MSG_NOSIGNAL);

        if (n < 0) {
            if (errno == EAGAIN) {
                return;
            }
            fail_errno("send");
        }
        c->unsent_bytes -= n;
    }
}

/* Learns from the first response how long each is; 0 while it is not whole. */
static void learn(struct connection *c)
{
    c->held[c->held_bytes] = '\0';

    char *end = strstr(c->held, "\r\n\r\n");
    char *length = strcasestr(c->held, "\r\nContent-Length:");

    if (end == NULL) {
        if (c->held_bytes >= RESPONSE_MAX_BYTES) {
            fail("a response has too long a head");
        }
        return;
    }
    if (length == NULL || length > end) {
        fail("a response has no Content-Length");
    }

    int head_bytes = end + 4 - c->held;

    c->body_bytes = atoi(length + strlen("\r\nContent-Length:"));
    if (c->body_bytes < 1 || c->body_bytes > RESPONSE_MAX_BYTES) {
        fail("a response has no body, or too long a one");
    }
    if (c->held_bytes < head_bytes + c->body_bytes) {
        return;
    }
    memcpy(c->body, end + 4, c->body_bytes);
    c->response_bytes = head_bytes + c->body_bytes;
}

/* Takes the whole responses, and returns how many they were. */
static int take_responses(struct connection *c)
{
    int count = 0;
    int from = 0;

    if (c->response_bytes == 0) {
        learn(c);
        if (c->response_bytes == 0) {
            return 0;
        }
    }
    for (; c->held_bytes - from >= c->response_bytes; from += c->response_bytes) {
        const char *body = c->held + from + c->response_bytes - c->body_bytes;

        if (memcmp(c->held + from, status, sizeof(status) - 1) != 0
            || memcmp(body, c->body, c->body_bytes) != 0)
        {
            fail("a response is not what the first one was");
        }
        count++;
    }
    c->held_bytes -= from;
    memmove(c->held, c->held + from, c->held_bytes);
    return count;
}

static void receive(struct connection *c)
{
    for (;;) {
        int room = RECEIVE_BYTES - c->held_bytes;
        ssize_t n = recv(c->fd, c->held + c->held_bytes, room, 0);

        if (n < 0) {
            if (errno == EAGAIN) {
                return;
            }
            fail_errno("recv");
        }
        if (n == 0) {
            fail("the server closed a connection");
        }
        c->held_bytes += n;

        int count = take_responses(c);

        if (count > 0) {
            uint64_t ns = now_ns();

            if (c->finished + count > c->begun) {
                fail("more responses came back than were asked for");
            }
            for (; count > 0; count--, c->finished++) {
                record(ns - c->begun_ns[c->finished % options.depth]);
            }
            begin_requests(c, ns);
            send_begun(c);
        }
        if (n < room) {
            return;
        }
    }
}

static void serve(void *context, uint32_t events)
{
    struct connection *c = context;

    if (events & ~EPOLLOUT) {
        receive(c);
    }
    send_begun(c);
}

static void run_until(uint64_t end_ns)
{
    serve_until(end_ns, serve);
}

int main(int argc, char **argv)
{
    prepare(argc, argv);
    if (options.depth > DEPTH_MAX) {
        fail("--depth must be up to 256");
    }

    char request[128];

    request_bytes = snprintf(request, sizeof(request),
                             "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
                             options.port);
    for (int i = 0; i <= options.depth; i++) {
        memcpy(requests + i * request_bytes, request, request_bytes);
    }

    struct connection *connections =
        allocate(options.connections, sizeof(struct connection));

    for (int i = 0; i < options.connections; i++) {
        connections[i].fd = open_stream();
        unblock(connections[i].fd);
        watch(connections[i].fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
              &connections[i]);
    }
    for (int i = 0; i < options.connections; i++) {
        begin_requests(&connections[i], now_ns());
        send_begun(&connections[i]);
    }

    measure(run_until);
    return 0;
}
