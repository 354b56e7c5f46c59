#include "server/cpus.h"

#include "core/base/gang.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "max 100000" or "150000 100000": microseconds of CPU time per period. */
static size_t quota_of(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[64] = "", *rest;
    unsigned long quota, period;

    if (file == NULL)
        return 0;
    (void)fgets(line, sizeof line, file);
    (void)fclose(file);
    quota = strtoul(line, &rest, 10);
    period = strtoul(rest, NULL, 10);
    return quota == 0 || period == 0 ? 0 : (size_t)((quota + period - 1) / period);
}

size_t cpus_of_cgroup(const char *root, const char *group)
{
    char path[512];
    size_t least = 0, size = strlen(group);

    for (;;) {
        size_t cpus;

        (void)snprintf(path, sizeof path, "%.200s%.*s/cpu.max", root, (int)(size < 256 ? size : 0),
                       group);
        cpus = quota_of(path);
        if (cpus > 0 && (least == 0 || cpus < least))
            least = cpus;
        if (size == 0)
            return least;
        do
            size--;
        while (size > 0 && group[size] != '/');
    }
}

/* The cgroup v2 line of /proc/self/cgroup: "0::/path". */
static void own_cgroup(char *group, size_t size)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[320];

    group[0] = '\0';
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "0::/", 4) == 0) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(group, size, "%s", line + 3);
        }
    (void)fclose(file);
}

size_t cpus_usable(void)
{
    char group[320];
    cpu_set_t set;
    size_t cpus = 1, quota;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cpus = (size_t)CPU_COUNT(&set);
    own_cgroup(group, sizeof group);
    quota = cpus_of_cgroup("/sys/fs/cgroup", group);
    if (quota > 0 && quota < cpus)
        cpus = quota;
    return cpus < GANG_THREADS_MAX ? cpus : GANG_THREADS_MAX;
}
