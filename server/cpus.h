/* cpus.h - how many CPUs this process may use: its affinity, and the quota of its cgroups. */
#ifndef CPUS_H
#define CPUS_H

#include <stddef.h>

/* At least 1, at most GANG_THREADS_MAX. */
size_t cpus_usable(void);

/* The smallest quota on the way from `group` ("/a/b") up to the root of a cgroup v2 tree mounted
 * at `root`, in whole CPUs rounded up; 0: no quota. */
size_t cpus_of_cgroup(const char *root, const char *group);

#endif
