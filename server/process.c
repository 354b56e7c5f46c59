#include "server/process.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STAT_NUMBERS 21 /* fields 4 to 24 */

/* Seconds since 1970 at which the machine started. */
static double boot_time(void)
{
    FILE *file = fopen("/proc/stat", "re");
    char line[256];
    unsigned long seconds = 0;

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "btime ", 6) == 0)
            seconds = strtoul(line + 6, NULL, 10);
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

/* /proc/self/stat: the numbers behind the name and the state; the first is field 4 of proc(5). */
static bool read_stat_numbers(unsigned long long numbers[STAT_NUMBERS])
{
    FILE *file = fopen("/proc/self/stat", "re");
    char line[1024];
    char *rest;

    if (file == NULL)
        return false;
    rest = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    (void)fclose(file);
    if (rest == NULL || strlen(rest) < 4)
        return false;
    rest += 3;
    for (size_t i = 0; i < STAT_NUMBERS; i++)
        numbers[i] = strtoull(rest, &rest, 10);
    return true;
}

static void read_stat(struct process_facts *facts)
{
    const double tick = (double)sysconf(_SC_CLK_TCK);
    unsigned long long numbers[STAT_NUMBERS];

    if (!read_stat_numbers(numbers))
        return;
    facts->cpu_seconds = (double)(numbers[14 - 4] + numbers[15 - 4]) / tick;
    facts->threads = numbers[20 - 4];
    facts->start_time_seconds = boot_time() + (double)numbers[22 - 4] / tick;
    facts->virtual_bytes = numbers[23 - 4];
    facts->resident_bytes = numbers[24 - 4] * (uint64_t)sysconf(_SC_PAGESIZE);
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
