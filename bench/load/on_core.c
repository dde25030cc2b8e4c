/*
 * Runs a program on one core, or on several, with as many descriptors as the
 * system allows, and ends it when the benchmark that started it is gone, however
 * that ended.
 *
 *   on_core CORE[,CORE...] PROGRAM [ARGUMENT...]
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    cpu_set_t cores;
    struct rlimit descriptors;

    if (argc < 3) {
        fprintf(stderr, "usage: on_core CORE[,CORE...] PROGRAM [ARGUMENT...]\n");
        return 2;
    }

    CPU_ZERO(&cores);
    for (char *core = strtok(argv[1], ","); core != NULL;
         core = strtok(NULL, ","))
    {
        CPU_SET(atoi(core), &cores);
    }

    if (sched_setaffinity(0, sizeof(cores), &cores) < 0) {
        perror("on_core: sched_setaffinity");
        return 1;
    }

    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
        descriptors.rlim_cur = descriptors.rlim_max;
        setrlimit(RLIMIT_NOFILE, &descriptors);
    }

    prctl(PR_SET_PDEATHSIG, SIGKILL);

    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 1;
}
