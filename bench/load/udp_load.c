/*
 * Closed-loop load over UDP: each of `connections` sockets keeps `depth`
 * datagrams in flight and sends new ones for those that came back.
 *
 *   udp_load --port N [--connections 16] [--size 64] [--depth 8]
 *            [--warmup 1] [--seconds 2]
 *
 * Prints what load.c prints, and as it is silent afterwards until its standard
 * input ends. Datagrams may be lost: a socket that hears nothing for a while
 * gives up what is in flight, counts it as lost, and begins anew.
 *
 * To leave the server as the limit, the datagrams of a socket are sent together
 * as segments of one (UDP_SEGMENT, Linux 4.18); each still arrives by itself.
 *
 * Every byte is compared: a datagram begins with its socket and its number, and
 * goes on with a pattern that they choose.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif

enum {
    PATTERN_BYTES = 65521, /* prime */
    SIZE_MIN = 16,
    SIZE_MAX_BYTES = 1400,
    SEGMENTS_MAX = 32, /* 32 of 1,400 bytes fit into one datagram */
    BATCH = 64,
    EVENTS_MAX = 512,
    QUIET_MS = 250, /* datagrams in flight for longer are lost */
    SILENCE_MAX_MS = 10000,
};

struct head {
    uint32_t socket;
    uint32_t round; /* how often it began anew */
    uint64_t number;
};

struct flow {
    int fd;
    uint32_t index;
    uint32_t round;
    int in_flight;
    uint64_t begun;
    uint64_t heard_ns;
    uint64_t *begun_ns; /* when each was sent; 0 once it came back: a ring */
    uint64_t *numbers;  /* which one the ring's place is for */
};

static struct {
    int port;
    int connections;
    int size;
    int depth;
    double warmup;
    double seconds;
} options = { 0, 16, 64, 8, 1.0, 2.0 };

static unsigned char pattern[PATTERN_BYTES + SIZE_MAX_BYTES];
static unsigned char outgoing[SEGMENTS_MAX * SIZE_MAX_BYTES];
static unsigned char incoming[BATCH][SIZE_MAX_BYTES + 1];
static struct iovec pieces[BATCH];
static struct mmsghdr received[BATCH];
static uint64_t lost;

static void fail(const char *what)
{
    fprintf(stderr, "udp_load: %s\n", what);
    exit(1);
}

static void fail_errno(const char *call)
{
    fprintf(stderr, "udp_load: %s: %s\n", call, strerror(errno));
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

/* --- One socket ----------------------------------------------------------- */

static const unsigned char *filling(const struct head *head)
{
    return pattern + (head->number * 131 + head->socket * 257u) % PATTERN_BYTES;
}

static void send_segments(struct flow *f, int count)
{
    char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
    struct iovec piece = { outgoing, (size_t) count * options.size };
    struct msghdr message = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    struct cmsghdr *segment = CMSG_FIRSTHDR(&message);
    uint16_t size = options.size;

    segment->cmsg_level = SOL_UDP;
    segment->cmsg_type = UDP_SEGMENT;
    segment->cmsg_len = CMSG_LEN(sizeof(size));
    memcpy(CMSG_DATA(segment), &size, sizeof(size));

    if (sendmsg(f->fd, &message, 0) < 0) {
        fail_errno("sendmsg");
    }
}

/* Sends until `depth` datagrams are in flight. */
static void fill(struct flow *f, uint64_t ns)
{
    while (f->in_flight < options.depth) {
        int count = options.depth - f->in_flight;

        if (count > SEGMENTS_MAX) {
            count = SEGMENTS_MAX;
        }
        for (int i = 0; i < count; i++) {
            unsigned char *datagram = outgoing + (size_t) i * options.size;
            struct head head = { f->index, f->round, f->begun };
            int place = f->begun % options.depth;

            /* The ring's place is free: no more than `depth` are in flight, but
             * one may have overtaken another; then that one waits its turn. */
            if (f->begun_ns[place] != 0) {
                count = i;
                break;
            }
            memcpy(datagram, &head, sizeof(head));
            memcpy(datagram + sizeof(head), filling(&head),
                   options.size - sizeof(head));
            f->begun_ns[place] = ns;
            f->numbers[place] = f->begun++;
        }
        if (count == 0) {
            return;
        }
        f->in_flight += count;
        send_segments(f, count);
    }
}

static void take(struct flow *f, const unsigned char *datagram, unsigned bytes,
                 uint64_t ns)
{
    struct head head;

    if (bytes != (unsigned) options.size) {
        fail("a datagram came back with another length");
    }
    memcpy(&head, datagram, sizeof(head));
    if (head.socket != f->index) {
        fail("a datagram came back to another socket");
    }
    if (memcmp(datagram + sizeof(head), filling(&head), bytes - sizeof(head)) != 0) {
        fail("the bytes that came back are not those sent");
    }
    if (head.round != f->round) {
        return; /* late: it was given up */
    }

    int place = head.number % options.depth;

    if (f->begun_ns[place] == 0 || f->numbers[place] != head.number) {
        fail("a datagram came back twice");
    }
    record(ns - f->begun_ns[place]);
    f->begun_ns[place] = 0;
    f->in_flight--;
}

static void receive(struct flow *f)
{
    int n;

    do {
        n = recvmmsg(f->fd, received, BATCH, 0, NULL);
        if (n < 0) {
            if (errno == EAGAIN) {
                return;
            }
            fail_errno("recvmmsg");
        }

        uint64_t ns = now_ns();

        f->heard_ns = ns;
        for (int i = 0; i < n; i++) {
            take(f, incoming[i], received[i].msg_len, ns);
        }
        fill(f, ns);
    } while (n == BATCH);
}

static void begin_anew(struct flow *f, uint64_t ns)
{
    lost += f->in_flight;
    f->round++;
    f->in_flight = 0;
    f->heard_ns = ns;
    memset(f->begun_ns, 0, options.depth * sizeof(uint64_t));
    fill(f, ns);
}

static void open_flow(struct flow *f, int index, int epoll_fd)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(options.port),
        .sin_addr = { htonl(INADDR_LOOPBACK) },
    };
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = f };

    f->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (f->fd < 0) {
        fail_errno("socket");
    }
    if (connect(f->fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
        fail_errno("connect");
    }
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, f->fd, &event) < 0) {
        fail_errno("epoll_ctl");
    }
    f->index = index;
    f->begun_ns = calloc(options.depth, sizeof(uint64_t));
    f->numbers = calloc(options.depth, sizeof(uint64_t));
    if (f->begun_ns == NULL || f->numbers == NULL) {
        fail("out of memory");
    }
}

/* --- The run -------------------------------------------------------------- */

static void run_until(int epoll_fd, struct flow *flows, uint64_t end_ns)
{
    static struct epoll_event events[EVENTS_MAX];
    static uint64_t heard_ns;
    uint64_t ns = now_ns();

    heard_ns = ns;
    for (; ns < end_ns; ns = now_ns()) {
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, QUIET_MS);

        if (n < 0 && errno != EINTR) {
            fail_errno("epoll_wait");
        }
        for (int i = 0; i < n; i++) {
            receive(events[i].data.ptr);
        }
        if (n > 0) {
            heard_ns = ns;
        } else if (ns - heard_ns > SILENCE_MAX_MS * 1000000ull) {
            fail("the server has stopped answering");
        }

        static uint64_t looked_ns;

        if (ns - looked_ns < QUIET_MS * 1000000ull) {
            continue;
        }
        looked_ns = ns;
        for (int i = 0; i < options.connections; i++) {
            if (ns - flows[i].heard_ns > QUIET_MS * 1000000ull
                && flows[i].heard_ns < ns) {
                begin_anew(&flows[i], ns);
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

    if (options.port < 1 || options.connections < 1 || options.depth < 1
        || options.seconds <= 0)
    {
        fail("--port, --connections, --depth and --seconds must be above 0");
    }
    if (options.size < SIZE_MIN || options.size > SIZE_MAX_BYTES) {
        fail("--size must be from 16 to 1400");
    }
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);

    srandom(1);
    for (int i = 0; i < PATTERN_BYTES; i++) {
        pattern[i] = random();
    }
    for (int i = 0; i < SIZE_MAX_BYTES; i++) {
        pattern[PATTERN_BYTES + i] = pattern[i];
    }
    for (int i = 0; i < BATCH; i++) {
        pieces[i].iov_base = incoming[i];
        pieces[i].iov_len = sizeof(incoming[i]);
        received[i].msg_hdr.msg_iov = &pieces[i];
        received[i].msg_hdr.msg_iovlen = 1;
    }

    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct flow *flows = calloc(options.connections, sizeof(struct flow));

    if (epoll_fd < 0 || flows == NULL) {
        fail("no epoll descriptor or no memory");
    }
    for (int i = 0; i < options.connections; i++) {
        open_flow(&flows[i], i, epoll_fd);
    }
    for (int i = 0; i < options.connections; i++) {
        begin_anew(&flows[i], now_ns());
    }

    run_until(epoll_fd, flows, now_ns() + (uint64_t) (options.warmup * 1e9));

    memset(histogram, 0, sizeof(histogram));
    latency_max_ns = 0;
    messages = 0;
    lost = 0;
    puts("measuring");
    fflush(stdout);

    double cpu_before = cpu_seconds();
    uint64_t begun_ns = now_ns();

    run_until(epoll_fd, flows, begun_ns + (uint64_t) (options.seconds * 1e9));

    double seconds = (now_ns() - begun_ns) / 1e9;

    printf("{\"messages\":%llu,\"lost\":%llu,\"seconds\":%.6f,"
           "\"cpuSeconds\":%.6f,"
           "\"latencyUs\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,"
           "\"p999\":%.1f,\"max\":%.1f}}\n",
           (unsigned long long) messages, (unsigned long long) lost, seconds,
           cpu_seconds() - cpu_before, percentile_us(50), percentile_us(90),
           percentile_us(99), percentile_us(99.9), latency_max_ns / 1000.0);
    fflush(stdout);

    while (read(STDIN_FILENO, incoming, sizeof(incoming)) > 0) {
        /* The server is being looked at. */
    }

    return 0;
}
