/*
 * Closed-loop load over TCP: each connection keeps `depth` messages in flight
 * and sends the next one when a whole echo is back.
 *
 *   load --port N [--connections 50] [--size 64] [--depth 1]
 *        [--warmup 1] [--seconds 2]
 *
 * Prints "measuring" when the warm-up is over and one line of JSON when the
 * time is up; then it is silent, with its connections open, until its standard
 * input ends, so that the server can be looked at. Latencies are in
 * microseconds, from just before a message is sent to just after the last byte
 * of its echo was read.
 *
 * Every byte is compared. A connection's stream is a walk through one random
 * pattern of prime length, from an origin of its own, so that a byte lost,
 * doubled, or sent to another connection does not fit.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    PATTERN_BYTES = 65521, /* prime */
    CHUNK_BYTES = 256 * 1024,
    EVENTS_MAX = 512,
    SILENCE_MAX_MS = 10000,
};

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

static struct {
    int port;
    int connections;
    int size;
    int depth;
    double warmup;
    double seconds;
} options = { 0, 50, 64, 1, 1.0, 2.0 };

static unsigned char pattern[PATTERN_BYTES + CHUNK_BYTES];
static unsigned char chunk[CHUNK_BYTES];

static void fail(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static void fail_errno(const char *call)
{
    fprintf(stderr, "load: %s: %s\n", call, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

/* --- Latencies: 64 buckets for each power of two, so within 1.6 % --------- */

enum { BUCKET_BITS = 6, BUCKETS = 1 << BUCKET_BITS, OCTAVES = 40 };

static uint64_t histogram[OCTAVES * BUCKETS];
static uint64_t latency_max_ns;
static uint64_t messages;

static void record(uint64_t ns)
{
    int octave = 0;
    uint64_t scaled = ns;

    while (scaled >= 2 * BUCKETS) {
        scaled >>= 1;
        octave++;
    }

    histogram[octave * BUCKETS + scaled]++;
    messages++;

    if (ns > latency_max_ns) {
        latency_max_ns = ns;
    }
}

static double percentile_us(double percent)
{
    uint64_t wanted = (uint64_t) (messages * percent / 100.0);
    uint64_t seen = 0;

    for (int i = 0; i < OCTAVES * BUCKETS; i++) {
        seen += histogram[i];
        if (seen > wanted) {
            int octave = i < 2 * BUCKETS ? 0 : i / BUCKETS - 1;
            double low = (double) (i - octave * BUCKETS);
            double middle_ns = (low + 0.5) * (double) (1ull << octave);

            return (middle_ns < latency_max_ns ? middle_ns : latency_max_ns) / 1000.0;
        }
    }

    return latency_max_ns / 1000.0;
}

/* --- One connection ------------------------------------------------------- */

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

static void open_connection(struct connection *c, int index, int epoll_fd)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(options.port),
        .sin_addr = { htonl(INADDR_LOOPBACK) },
    };
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.ptr = c,
    };
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        fail_errno("socket");
    }
    if (connect(c->fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
        fail_errno("connect");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0) {
        fail_errno("fcntl");
    }
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) {
        fail_errno("epoll_ctl");
    }

    c->origin = (uint64_t) index * 131;
    c->begun_ns = calloc(options.depth, sizeof(uint64_t));
    if (c->begun_ns == NULL) {
        fail("out of memory");
    }
}

/* --- The run -------------------------------------------------------------- */

static void run_until(int epoll_fd, uint64_t end_ns)
{
    static struct epoll_event events[EVENTS_MAX];

    while (now_ns() < end_ns) {
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, SILENCE_MAX_MS);

        if (n < 0 && errno != EINTR) {
            fail_errno("epoll_wait");
        }
        if (n == 0) {
            fail("the server has stopped answering");
        }
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;

            if (events[i].events & ~EPOLLOUT) {
                receive(c);
            }
            if (c->sent < c->promised) {
                send_promised(c);
            }
        }
    }
}

static double cpu_seconds(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec + used.tv_nsec / 1e9;
}

static void parse_options(int argc, char **argv)
{
    static const struct option known[] = {
        { "port", required_argument, NULL, 'p' },
        { "connections", required_argument, NULL, 'c' },
        { "size", required_argument, NULL, 's' },
        { "depth", required_argument, NULL, 'd' },
        { "warmup", required_argument, NULL, 'w' },
        { "seconds", required_argument, NULL, 't' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'p': options.port = atoi(optarg); break;
        case 'c': options.connections = atoi(optarg); break;
        case 's': options.size = atoi(optarg); break;
        case 'd': options.depth = atoi(optarg); break;
        case 'w': options.warmup = atof(optarg); break;
        case 't': options.seconds = atof(optarg); break;
        default: exit(2);
        }
    }

    if (options.port < 1 || options.connections < 1 || options.size < 1
        || options.depth < 1 || options.seconds <= 0)
    {
        fail("--port, --connections, --size, --depth and --seconds must be above 0");
    }
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);

    srandom(1);
    for (int i = 0; i < PATTERN_BYTES; i++) {
        pattern[i] = random();
    }
    for (int i = 0; i < CHUNK_BYTES; i++) {
        pattern[PATTERN_BYTES + i] = pattern[i % PATTERN_BYTES];
    }

    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct connection *connections =
        calloc(options.connections, sizeof(struct connection));

    if (epoll_fd < 0 || connections == NULL) {
        fail("no epoll descriptor or no memory");
    }
    for (int i = 0; i < options.connections; i++) {
        open_connection(&connections[i], i, epoll_fd);
    }
    for (int i = 0; i < options.connections; i++) {
        begin_messages(&connections[i], now_ns());
        send_promised(&connections[i]);
    }

    run_until(epoll_fd, now_ns() + (uint64_t) (options.warmup * 1e9));

    memset(histogram, 0, sizeof(histogram));
    latency_max_ns = 0;
    messages = 0;
    puts("measuring");
    fflush(stdout);

    double cpu_before = cpu_seconds();
    uint64_t begun_ns = now_ns();

    run_until(epoll_fd, begun_ns + (uint64_t) (options.seconds * 1e9));

    double seconds = (now_ns() - begun_ns) / 1e9;

    printf("{\"messages\":%llu,\"seconds\":%.6f,\"cpuSeconds\":%.6f,"
           "\"latencyUs\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,"
           "\"p999\":%.1f,\"max\":%.1f}}\n",
           (unsigned long long) messages, seconds, cpu_seconds() - cpu_before,
           percentile_us(50), percentile_us(90), percentile_us(99),
           percentile_us(99.9), latency_max_ns / 1000.0);
    fflush(stdout);

    while (read(STDIN_FILENO, chunk, sizeof(chunk)) > 0) {
        /* The server is being looked at. */
    }

    return 0;
}
