#include "server/selftest_school.h"

#include "core/train/folder_write.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_MODELS "selftest" /* where an engine of the selftest looks for more of them */

bool school_open(struct school *school, bool is_full, struct error *error)
{
    const char *base = getenv("TMPDIR");
    char none[SCHOOL_PATH_MAX + sizeof NO_MODELS + 1];

    *school = (struct school){.is_full = is_full};
    (void)snprintf(school->path, sizeof school->path, "%.200s/denoised-selftest-XXXXXX",
                   base != NULL ? base : "/tmp");
    if (mkdtemp(school->path) == NULL)
        return error_set(error, ERROR_IO, "%s: cannot be made: %s", school->path, strerror(errno));
    (void)snprintf(none, sizeof none, "%s/" NO_MODELS, school->path);
    return mkdir(none, 0700) == 0 ||
           error_set(error, ERROR_IO, "%s: cannot be made: %s", none, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void school_close(struct school *school)
{
    selftest_close(&school->pupils);
    (void)nftw(school->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

struct train_options school_options(const struct school *school, const struct lesson *lesson,
                                    const struct data *data)
{
    struct train_options options = train_options_default();

    options.objective = lesson->objective;
    options.process = objective_process(lesson->objective, 1000);
    options.seed = lesson->seed;
    options.warmup = 200;
    if (lesson->objective == OBJECTIVE_FLOW && data->outline->outer > 0) {
        options.process.base = FLOW_BASE_ANNULUS;
        options.process.base_low = data->outline->inner;
        options.process.base_high = data->outline->outer;
    }
    if (!school->is_full) {
        options.hidden[0] = options.hidden[1] = 64;
        options.hidden_count = 2;
        options.batch = 256;
    }
    return options;
}

struct train_set school_set(const struct data *data)
{
    return (struct train_set){.points = data->points, .count = data->count, .dim = data->dim};
}

static bool learn(struct train *train, uint64_t iterations, struct error *error)
{
    while (train_progress(train).iteration < iterations)
        if (!train_step(train, error))
            return false;
    return true;
}

bool school_teach(const struct school *school, const struct lesson *lesson, double *loss,
                  struct error *error)
{
    char path[SCHOOL_PATH_MAX + 64];
    struct train_options options;
    struct train *train = NULL;
    struct train_set set;
    struct data data;
    bool ok;

    (void)snprintf(path, sizeof path, "%s/%s", school->path, lesson->name);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_set(error, ERROR_IO, "%s: cannot be made: %s", path, strerror(errno));
    if (!data_open(&data, lesson->data, (uint32_t)lesson->seed, error))
        return false;
    options = school_options(school, lesson, &data);
    set = school_set(&data);
    ok = train_create(&options, &set, &train, error) && learn(train, options.iterations, error) &&
         folder_write(path, train, &options, &data, "made by the selftest", error);
    if (ok)
        *loss = train_progress(train).mean_loss;
    train_destroy(train);
    data_close(&data);
    return ok;
}

bool school_serve(struct school *school, struct error *error)
{
    school->pupils.is_full = school->is_full;
    return selftest_open(&school->pupils, school->path, error);
}

float *school_sample(struct school *school, const struct lesson *lesson, size_t n,
                     struct error *error)
{
    const bool is_flow = lesson->objective == OBJECTIVE_FLOW;
    const struct selftest_run run = {.model = lesson->name,
                                     .sampler = is_flow ? "flow_rk4" : "ddpm",
                                     .steps = is_flow           ? 25
                                              : school->is_full ? 1000
                                                                : 200,
                                     .options = ""};

    return selftest_take(&school->pupils, &run, n, error);
}
