/*
 * The limit for datagrams: a UDP echo server on epoll in C. Edge-triggered,
 * recvmmsg and sendmmsg of up to 64 messages, sent from where they were received.
 * With `segments`, neighbours of one length to one address are sent as segments
 * of one message (UDP_SEGMENT, Linux 4.18).
 *
 *   udp_echo [segments]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif

enum { BATCH = 64, MESSAGE_BYTES = 65536, DATAGRAM_MAX_BYTES = 65507, EVENTS_MAX = 512 };

static char memory[BATCH][MESSAGE_BYTES];
static struct sockaddr_storage names[BATCH];
static struct iovec pieces[BATCH];
static struct mmsghdr messages[BATCH];
static int merges;
static struct mmsghdr runs[BATCH];
static union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
} controls[BATCH];

static void fail(const char *call)
{
    perror(call);
    exit(1);
}

static void send_all(int fd, struct mmsghdr *all, int count)
{
    for (int sent = 0; sent < count;) {
        int n = sendmmsg(fd, all + sent, count - sent, MSG_NOSIGNAL);

        /* A datagram that can't be sent is dropped. */
        sent += n > 0 ? n : 1;
    }
}

static int is_neighbour(int i, int of)
{
    return messages[i].msg_len == messages[of].msg_len
        && messages[i].msg_hdr.msg_namelen == messages[of].msg_hdr.msg_namelen
        && memcmp(&names[i], &names[of], messages[i].msg_hdr.msg_namelen) == 0;
}

/* Makes one message of each run of neighbours; returns how many there are. */
static int merge(int count)
{
    int made = 0;

    for (int i = 0; i < count; made++) {
        uint16_t size = messages[i].msg_len;
        int segments = 1;

        while (i + segments < count && is_neighbour(i + segments, i)
               && (segments + 1) * size <= DATAGRAM_MAX_BYTES)
        {
            segments++;
        }
        runs[made].msg_hdr = messages[i].msg_hdr;
        runs[made].msg_hdr.msg_iovlen = segments;
        if (segments > 1) {
            controls[made].header = (struct cmsghdr) {
                .cmsg_len = CMSG_LEN(sizeof(size)),
                .cmsg_level = SOL_UDP,
                .cmsg_type = UDP_SEGMENT,
            };
            memcpy(CMSG_DATA(&controls[made].header), &size, sizeof(size));
            runs[made].msg_hdr.msg_control = &controls[made];
            runs[made].msg_hdr.msg_controllen = sizeof(controls[made]);
        }
        i += segments;
    }

    return made;
}

static void serve(int fd)
{
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            pieces[i].iov_len = MESSAGE_BYTES;
            messages[i].msg_hdr.msg_namelen = sizeof(names[i]);
        }

        int n = recvmmsg(fd, messages, BATCH, 0, NULL);

        if (n < 0) {
            if (errno == EAGAIN) {
                return;
            }
            fail("recvmmsg");
        }
        for (int i = 0; i < n; i++) {
            pieces[i].iov_len = messages[i].msg_len;
        }
        if (merges) {
            send_all(fd, runs, merge(n));
        } else {
            send_all(fd, messages, n);
        }
        if (n < BATCH) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENTS_MAX];
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr = { htonl(INADDR_LOOPBACK) },
    };
    socklen_t address_bytes = sizeof(address);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.fd = fd };

    if (epoll_fd < 0 || fd < 0) {
        fail("socket");
    }
    if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0
        || getsockname(fd, (struct sockaddr *) &address, &address_bytes) < 0
        || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
    {
        fail("bind");
    }
    merges = argc > 1 && strcmp(argv[1], "segments") == 0;
    for (int i = 0; i < BATCH; i++) {
        pieces[i].iov_base = memory[i];
        messages[i].msg_hdr.msg_name = &names[i];
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }

    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);

    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

        if (n < 0 && errno != EINTR) {
            fail("epoll_wait");
        }
        for (int i = 0; i < n; i++) {
            serve(events[i].data.fd);
        }
    }
}
