/*
 * Opens `connections` connections, has one message of `size` bytes echoed on
 * each, prints "idle", and keeps them until its standard input ends.
 */
#define _GNU_SOURCE
#include "load.h"

int main(int argc, char **argv)
{
    prepare(argc, argv);

    for (int i = 0; i < options.connections; i++) {
        int fd = open_stream();

        if (send(fd, pattern, options.size, MSG_NOSIGNAL) != options.size) {
            fail_errno("send");
        }
        if (recv(fd, chunk, options.size, MSG_WAITALL) != options.size
            || memcmp(chunk, pattern, options.size) != 0)
        {
            fail("the bytes that came back are not those sent");
        }
    }

    puts("idle");
    wait_for_end_of_input();
    return 0;
}
