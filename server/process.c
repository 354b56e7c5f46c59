#include "server/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Seconds since 1970 at which the machine started. */
static double boot_time(void)
{
    FILE *file = fopen("/proc/stat", "re");
    char line[256];
    unsigned long seconds = 0;

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "btime %lu", &seconds) == 1)
            break;
    (void)fclose(file);
    return (double)seconds;
}

static uint64_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    uint64_t count = 0;

    if (directory == NULL)
        return 0;
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    (void)closedir(directory);
    return count > 0 ? count - 1 : 0; /* the directory's own */
}

/* proc(5): fields 14, 15, 20, 22, 23, 24 of /proc/self/stat, counted behind the name. */
static void read_stat(struct process_facts *facts)
{
    FILE *file = fopen("/proc/self/stat", "re");
    char line[1024];
    const char *rest;
    unsigned long user = 0, system = 0, bytes = 0;
    unsigned long long start = 0;
    long threads = 0, pages = 0;
    const double tick = (double)sysconf(_SC_CLK_TCK);

    if (file == NULL)
        return;
    rest = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    (void)fclose(file);
    if (rest == NULL || sscanf(rest + 1,
                               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d "
                               "%*d %ld %*d %llu %lu %ld",
                               &user, &system, &threads, &start, &bytes, &pages) != 6)
        return;
    facts->cpu_seconds = (double)(user + system) / tick;
    facts->start_time_seconds = boot_time() + (double)start / tick;
    facts->threads = (uint64_t)threads;
    facts->virtual_bytes = bytes;
    facts->resident_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void process_facts(struct process_facts *facts)
{
    struct rlimit limit;

    *facts = (struct process_facts){0};
    read_stat(facts);
    facts->open_fds = count_descriptors();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        facts->max_fds = limit.rlim_cur;
}
