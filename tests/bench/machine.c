#include "tests/bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The rest of the line of /proc/cpuinfo that begins so, or "unknown". */
static void of_processor(const char *key, char *value, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[4096];
    bool found = false;

    while (!found && file != NULL && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, key, strlen(key)) == 0 && strchr(line, ':') != NULL;
    if (file != NULL)
        fclose(file);
    snprintf(value, size, "%s", found ? strchr(line, ':') + 2 : "unknown");
    value[strcspn(value, "\n")] = '\0';
}

static void print_instructions(void)
{
    static const char *const WANTED[] = {"avx2", "fma", "avx512f", "avx512_bf16", "amx_tile"};
    char flags[4096];

    of_processor("flags", flags, sizeof flags);
    printf("instructions");
    for (char *rest = flags, *flag; (flag = strtok_r(rest, " ", &rest)) != NULL;)
        for (size_t i = 0; i < sizeof WANTED / sizeof WANTED[0]; i++)
            if (strcmp(flag, WANTED[i]) == 0)
                printf(" %s", flag);
    printf("\n");
}

void machine_print(void)
{
    const char *core = getenv("OPENBLAS_CORETYPE");
    double load = 0.0;
    char name[256];

    of_processor("model name", name, sizeof name);
    (void)getloadavg(&load, 1);
    printf("processor    %s\n", name);
    print_instructions();
    printf("load         %.1f\nOPENBLAS_CORETYPE is %s\n", load, core == NULL ? "not set" : core);
}

/* User, nice, system, idle, waiting, two kinds of interrupts, stolen. */
enum { STATES = 8, IDLE = 3, WAITING = 4, STOLEN = 7 };

static bool read_states(unsigned long long *states)
{
    FILE *file = fopen("/proc/stat", "r");
    int found = 0;

    if (file == NULL)
        return false;
    found = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &states[0], &states[1],
                   &states[2], &states[3], &states[4], &states[5], &states[6], &states[7]);
    fclose(file);
    return found == STATES;
}

bool machine_rests(struct machine_rest *rest)
{
    const struct timespec pause = {.tv_nsec = 500 * 1000 * 1000};
    unsigned long long before[STATES], after[STATES];
    double spent[STATES], all = 0.0;

    if (!read_states(before) || nanosleep(&pause, NULL) != 0 || !read_states(after))
        return false;
    for (size_t i = 0; i < STATES; i++) {
        spent[i] = (double)(after[i] - before[i]);
        all += spent[i];
    }
    *rest = (struct machine_rest){.idle = all > 0.0 ? (spent[IDLE] + spent[WAITING]) / all : 0.0,
                                  .stolen = all > 0.0 ? spent[STOLEN] / all : 0.0};
    return true;
}
