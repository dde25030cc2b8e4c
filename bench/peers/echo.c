/*
 * The limit: an echo server on epoll in C. Edge-triggered, one registration
 * for each connection, accept4, and no second read after a short one.
 *
 *   echo
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 * 1024, EVENTS_MAX = 512, BACKLOG = 1024 };

struct connection {
    int fd;
    size_t unsent_bytes;
    size_t unsent_offset;
    char *unsent; /* what the socket did not take; nothing is read meanwhile */
};

static char buffer[BUFFER_BYTES];

static void fail(const char *call)
{
    perror(call);
    exit(1);
}

static void end(struct connection *c)
{
    close(c->fd);
    free(c->unsent);
    free(c);
}

/* Returns 1 when all is written, 0 when the rest must wait, -1 on failure. */
static int flush(struct connection *c)
{
    while (c->unsent_offset < c->unsent_bytes) {
        ssize_t n = send(c->fd, c->unsent + c->unsent_offset,
                         c->unsent_bytes - c->unsent_offset, MSG_NOSIGNAL);

        if (n < 0) {
            return errno == EAGAIN ? 0 : -1;
        }
        c->unsent_offset += n;
    }

    free(c->unsent);
    c->unsent = NULL;
    c->unsent_bytes = 0;
    c->unsent_offset = 0;
    return 1;
}

/* Sends `bytes` of the shared buffer; the results are those of flush(). */
static int echo(struct connection *c, ssize_t bytes)
{
    ssize_t n = send(c->fd, buffer, bytes, MSG_NOSIGNAL);

    if (n == bytes) {
        return 1;
    }
    if (n < 0) {
        if (errno != EAGAIN) {
            return -1;
        }
        n = 0;
    }

    c->unsent_bytes = bytes - n;
    c->unsent = malloc(c->unsent_bytes);
    if (c->unsent == NULL) {
        return -1;
    }
    memcpy(c->unsent, buffer + n, c->unsent_bytes);
    return 0;
}

static void serve(struct connection *c)
{
    int result = c->unsent == NULL ? 1 : flush(c);

    while (result > 0) {
        ssize_t n = recv(c->fd, buffer, BUFFER_BYTES, 0);

        if (n <= 0) {
            if (n < 0 && errno == EAGAIN) {
                return;
            }
            result = -1;
            break;
        }

        result = echo(c, n);
        if (n < BUFFER_BYTES && result > 0) {
            return;
        }
    }

    if (result < 0) {
        end(c);
    }
}

static void accept_all(int listener, int epoll_fd)
{
    for (;;) {
        int on = 1;
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED) {
                return;
            }
            fail("accept4");
        }

        struct connection *c = calloc(1, sizeof(*c));
        struct epoll_event event = {
            .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
            .data.ptr = c,
        };

        if (c == NULL) {
            fail("calloc");
        }
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
            fail("epoll_ctl");
        }
    }
}

int main(void)
{
    static struct epoll_event events[EVENTS_MAX];
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr = { htonl(INADDR_LOOPBACK) },
    };
    socklen_t address_bytes = sizeof(address);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (epoll_fd < 0 || listener < 0) {
        fail("socket");
    }
    if (bind(listener, (struct sockaddr *) &address, sizeof(address)) < 0
        || listen(listener, BACKLOG) < 0
        || getsockname(listener, (struct sockaddr *) &address, &address_bytes) < 0
        || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) < 0)
    {
        fail("listen");
    }

    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);

    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

        if (n < 0 && errno != EINTR) {
            fail("epoll_wait");
        }
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;

            if (c == NULL) {
                accept_all(listener, epoll_fd);
            } else {
                serve(c);
            }
        }
    }
}
