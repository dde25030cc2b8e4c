/*
 * What the load generators share: their options, a clock, latencies, and a run
 * of a warm-up and a measurement.
 *
 *   PROGRAM --port N [--connections 50] [--size 64] [--depth 1]
 *           [--warmup 1] [--seconds 2]
 *
 * Prints "measuring" when the warm-up is over and one line of JSON when the
 * time is up; then it is silent, with its connections open, until its standard
 * input ends, so that the server can be looked at. Latencies are in
 * microseconds, from just before something is sent to just after the last byte
 * of its answer was read.
 */
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PATTERN_BYTES = 65521, /* prime */
    CHUNK_BYTES = 256 * 1024,
    EVENTS_MAX = 512,
    SILENCE_MAX_MS = 10000,
};

static struct {
    int port;
    int connections;
    int size;
    int depth;
    double warmup;
    double seconds;
} options = { 0, 50, 64, 1, 1.0, 2.0 };

/* Random bytes, with their beginning once more so that a chunk never ends. */
static unsigned char pattern[PATTERN_BYTES + CHUNK_BYTES];
static unsigned char chunk[CHUNK_BYTES];
static int epoll_fd;

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

static double cpu_seconds(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec + used.tv_nsec / 1e9;
}

/* --- Latencies: 64 buckets for each power of two, so within 1.6 % --------- */

enum { BUCKET_BITS = 6, BUCKETS = 1 << BUCKET_BITS, OCTAVES = 40 };

static uint64_t histogram[OCTAVES * BUCKETS];
static uint64_t latency_max_ns;
static uint64_t messages;
static uint64_t lost; /* datagrams, which alone can be */

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

/* --- Sockets -------------------------------------------------------------- */

static struct sockaddr_in server_address(void)
{
    return (struct sockaddr_in) {
        .sin_family = AF_INET,
        .sin_port = htons(options.port),
        .sin_addr = { htonl(INADDR_LOOPBACK) },
    };
}

static void unblock(int fd)
{
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        fail_errno("fcntl");
    }
}

/* A connected TCP socket, which blocks. */
static int open_stream(void)
{
    struct sockaddr_in address = server_address();
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        fail_errno("socket");
    }
    if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
        fail_errno("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* From now on the descriptor's events come with `context`. */
static void watch(int fd, uint32_t events, void *context)
{
    struct epoll_event event = { .events = events, .data.ptr = context };

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        fail_errno("epoll_ctl");
    }
}

/* Serves events until the time is up, or the server has stopped answering. */
static void serve_until(uint64_t end_ns, void (*serve)(void *, uint32_t))
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
            serve(events[i].data.ptr, events[i].events);
        }
    }
}

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);

    if (memory == NULL) {
        fail("out of memory");
    }
    return memory;
}

/* --- The run -------------------------------------------------------------- */

static void prepare(int argc, char **argv)
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

    srandom(1);
    for (int i = 0; i < PATTERN_BYTES; i++) {
        pattern[i] = random();
    }
    for (int i = 0; i < CHUNK_BYTES; i++) {
        pattern[PATTERN_BYTES + i] = pattern[i % PATTERN_BYTES];
    }

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) {
        fail_errno("epoll_create1");
    }
}

static void wait_for_end_of_input(void)
{
    fflush(stdout);
    while (read(STDIN_FILENO, chunk, sizeof(chunk)) > 0) {
        /* The server is being looked at. */
    }
}

static void measure(void (*run_until)(uint64_t end_ns))
{
    run_until(now_ns() + (uint64_t) (options.warmup * 1e9));

    memset(histogram, 0, sizeof(histogram));
    latency_max_ns = 0;
    messages = 0;
    lost = 0;
    puts("measuring");
    fflush(stdout);

    double cpu_before = cpu_seconds();
    uint64_t begun_ns = now_ns();

    run_until(begun_ns + (uint64_t) (options.seconds * 1e9));

    double seconds = (now_ns() - begun_ns) / 1e9;

    printf("{\"messages\":%llu,\"lost\":%llu,\"seconds\":%.6f,"
           "\"cpuSeconds\":%.6f,"
           "\"latencyUs\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,"
           "\"p999\":%.1f,\"max\":%.1f}}\n",
           (unsigned long long) messages, (unsigned long long) lost, seconds,
           cpu_seconds() - cpu_before, percentile_us(50), percentile_us(90),
           percentile_us(99), percentile_us(99.9), latency_max_ns / 1000.0);
    wait_for_end_of_input();
}
