/* process.h - what the kernel says of this process, for the process_ series. Any thread. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdint.h>

struct process_facts {
    double cpu_seconds, start_time_seconds; /* the latter since 1970 */
    uint64_t resident_bytes, virtual_bytes, open_fds, max_fds, threads;
};

/* What cannot be read stays 0. */
void process_facts(struct process_facts *facts);

#endif
