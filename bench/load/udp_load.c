/*
 * Closed-loop load over UDP: each of `connections` sockets keeps `depth`
 * datagrams in flight and sends new ones for those that came back.
 *
 * Datagrams may be lost: a socket that hears nothing for a while gives up what
 * is in flight, counts it as lost, and begins anew.
 *
 * To leave the server as the limit, the datagrams of a socket are sent together
 * as segments of one (UDP_SEGMENT, Linux 4.18); each still arrives by itself.
 *
 * Every byte is compared: a datagram begins with its socket and its number, and
 * goes on with a pattern that they choose.
 */
#define _GNU_SOURCE
#include "load.h"
#include <netinet/udp.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif

enum {
    SIZE_MIN = 16,
    SIZE_MAX_BYTES = 1400,
    SEGMENTS_MAX = 32, /* 32 of 1,400 bytes fit into one datagram */
    BATCH = 64,
    QUIET_MS = 250, /* datagrams in flight for longer are lost */
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

static unsigned char outgoing[SEGMENTS_MAX * SIZE_MAX_BYTES];
static unsigned char incoming[BATCH][SIZE_MAX_BYTES + 1];
static struct iovec pieces[BATCH];
static struct mmsghdr received[BATCH];

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

static void open_flow(struct flow *f, int index)
{
    struct sockaddr_in address = server_address();

    f->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (f->fd < 0) {
        fail_errno("socket");
    }
    if (connect(f->fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
        fail_errno("connect");
    }
    watch(f->fd, EPOLLIN | EPOLLET, f);
    f->index = index;
    f->begun_ns = allocate(options.depth, sizeof(uint64_t));
    f->numbers = allocate(options.depth, sizeof(uint64_t));
}

/* --- The run -------------------------------------------------------------- */

static struct flow *flows;

/* Gives up what sockets wait for that have heard nothing for a while. */
static void look_after_all(uint64_t ns)
{
    for (int i = 0; i < options.connections; i++) {
        if (flows[i].heard_ns < ns
            && ns - flows[i].heard_ns > QUIET_MS * 1000000ull)
        {
            begin_anew(&flows[i], ns);
        }
    }
}

static void run_until(uint64_t end_ns)
{
    static struct epoll_event events[EVENTS_MAX];
    static uint64_t looked_ns;
    uint64_t ns = now_ns();
    uint64_t heard_ns = ns;

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
        if (ns - looked_ns >= QUIET_MS * 1000000ull) {
            looked_ns = ns;
            look_after_all(ns);
        }
    }
}

int main(int argc, char **argv)
{
    prepare(argc, argv);
    if (options.size < SIZE_MIN || options.size > SIZE_MAX_BYTES) {
        fail("--size must be from 16 to 1400");
    }

    for (int i = 0; i < BATCH; i++) {
        pieces[i].iov_base = incoming[i];
        pieces[i].iov_len = sizeof(incoming[i]);
        received[i].msg_hdr.msg_iov = &pieces[i];
        received[i].msg_hdr.msg_iovlen = 1;
    }

    flows = allocate(options.connections, sizeof(struct flow));
    for (int i = 0; i < options.connections; i++) {
        open_flow(&flows[i], i);
    }
    for (int i = 0; i < options.connections; i++) {
        begin_anew(&flows[i], now_ns());
    }

    measure(run_until);
    return 0;
}
