/*
 * Bytes in bulk: on each of `connections` connections sends as fast as the
 * server takes and reads as fast as it gives, whichever it does. What is counted
 * is pieces of `size` bytes, both ways together.
 */
#define _GNU_SOURCE
#include "load.h"

static uint64_t moved; /* bytes of a piece that is not whole yet */

static void count(ssize_t n, const char *call)
{
    if (n < 0) {
        if (errno != EAGAIN) {
            fail_errno(call);
        }
        return;
    }
    if (n == 0) {
        fail("the server closed a connection");
    }
    moved += n;
    messages += moved / options.size;
    moved %= options.size;
}

static void serve(void *context, uint32_t events)
{
    int fd = *(int *) context;

    if (events & ~EPOLLOUT) {
        /* TCP drops what is cut off: nothing is copied. */
        count(recv(fd, chunk, CHUNK_BYTES, MSG_TRUNC), "recv");
    }
    if (events & EPOLLOUT) {
        count(send(fd, pattern, CHUNK_BYTES, MSG_NOSIGNAL), "send");
    }
}

static void run_until(uint64_t end_ns)
{
    serve_until(end_ns, serve);
}

int main(int argc, char **argv)
{
    prepare(argc, argv);

    int *fds = allocate(options.connections, sizeof(int));

    for (int i = 0; i < options.connections; i++) {
        fds[i] = open_stream();
        unblock(fds[i]);
        watch(fds[i], EPOLLIN | EPOLLOUT, &fds[i]);
    }

    measure(run_until);
    return 0;
}
