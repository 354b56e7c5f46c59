#include "core/model/model.h"
#include "core/train/checkpoint.h"
#include "core/train/file_write.h"
#include "core/train/folder_write.h"
#include "server/command.h"
#include "server/daemon.h"
#include "server/train_progress.h"
#include "server/train_settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELP_HINT "`denoised train --help` lists the options"

#define EXIT_FAILED  1
#define EXIT_STOPPED 3

#define PRIOR_NATS .05 /* more than this, and samples begin where the data's noise does not end */
#define SMALL      .05 /* a table's least noise is .01 */

struct run {
    struct train_settings settings;
    struct data data;
    struct train_options options;
    struct train *train;
    const char *out; /* in settings */
    bool is_new;     /* we made the folder, and nobody else writes into it */
    int folder;      /* held as a lock; -1 before */
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

/* The first signal is heard between two steps; another one ends the program as it stands. Under
 * nohup a terminal may go. A full disk and a reader that left are told by errno. */
static void listen_to_signals(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_handler = stop,
                                     .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    struct sigaction before;

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends[i] != SIGHUP ||
            (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN))
            (void)sigaction(ends[i], &action, NULL);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Files have their say in it: nothing of theirs may steer a terminal. */
static void complain(const struct error *error)
{
    char text[sizeof error->text];

    (void)snprintf(text, sizeof text, "%s", error->text);
    for (char *at = text; *at != '\0'; at++)
        if (iscntrl((unsigned char)*at))
            *at = '?';
    (void)fprintf(stderr, "denoised: %s\n", text);
}

/* --- the folder --- */

static bool check_out(char *out, struct error *error)
{
    size_t size = strlen(out);
    const char *name;

    while (size > 1 && out[size - 1] == '/')
        out[--size] = '\0';
    name = strrchr(out, '/') != NULL ? strrchr(out, '/') + 1 : out;
    size = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    if (isalnum((unsigned char)name[0]) && name[size] == '\0' && size <= MODEL_NAME_MAX)
        return true;
    return error_set(error, ERROR_INVALID,
                     "--out %.200s: a model's folder is named by 1 to %d letters, digits, '.', '_' "
                     "and '-', the first of them a letter or a digit",
                     out, MODEL_NAME_MAX);
}

/* Two trainings would write over each other. */
static bool lock_folder(struct run *run, struct error *error)
{
    run->folder = open(run->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run->folder >= 0 && faccessat(run->folder, ".", W_OK | X_OK, AT_EACCESS) != 0)
        return error_set(error, ERROR_IO, "%.200s: cannot be written into: %s", run->out,
                         strerror(errno));
    if (run->folder >= 0 && flock(run->folder, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (run->folder >= 0 && errno == EWOULDBLOCK)
        return error_set(error, ERROR_INVALID, "%.200s: another training writes into it", run->out);
    return error_set(error, ERROR_IO, "%.200s: cannot be opened: %s", run->out, strerror(errno));
}

/* A training that was killed before its first checkpoint leaves an unused one. Behind the lock:
 * before it another training may be about to write. */
static bool take_unused_folder(struct run *run, struct error *error)
{
    if (!lock_folder(run, error))
        return false;
    return file_folder_is_unused(run->out) ||
           error_set(error, ERROR_INVALID,
                     "%.200s is there already: say another --out, or --resume to go on with it",
                     run->out);
}

static bool make_folder(struct run *run, struct error *error)
{
    if (mkdir(run->out, 0777) == 0) {
        run->is_new = lock_folder(run, error);
        return run->is_new;
    }
    if (errno == EEXIST)
        return take_unused_folder(run, error);
    return error_set(error, ERROR_IO, "%.200s: cannot be made: %s", run->out,
                     errno == ENOENT ? "there is no folder around it" : strerror(errno));
}

/* --- from the command line to a training --- */

static bool take_checkpoint(struct run *run, struct error *error)
{
    char kept[CHECKPOINT_SETTINGS_MAX];

    if (checkpoint_settings(run->out, kept, error))
        return train_settings_merge(&run->settings, kept, error);
    if (error->code == ERROR_NOT_FOUND)
        return error_set(error, ERROR_NOT_FOUND,
                         "%.200s has no " CHECKPOINT_NAME ": there is nothing to resume, "
                         "say what to train without --resume",
                         run->out);
    return false;
}

static bool settle(struct run *run, struct error *error)
{
    struct train_settings *settings = &run->settings;

    if (settings->text[ASKED_OUT][0] == '\0')
        return error_set(error, ERROR_INVALID,
                         "--out DIR is needed: the model's folder; " HELP_HINT);
    if (!check_out(settings->text[ASKED_OUT], error))
        return false;
    run->out = settings->text[ASKED_OUT];
    if (settings->resume && !take_checkpoint(run, error))
        return false;
    if (settings->text[ASKED_DATA][0] == '\0')
        return error_set(error, ERROR_INVALID,
                         "--data NAME or --data FILE.csv is needed; " HELP_HINT);
    train_settings_complete(settings);
    return true;
}

static bool create(struct run *run, struct error *error)
{
    struct train_settings *settings = &run->settings;
    const uint32_t seed = (uint32_t)train_settings_whole(settings, ASKED_SEED);
    struct train_set set;

    if (!data_open(&run->data, settings->text[ASKED_DATA], seed, error) ||
        !train_settings_identify(settings, &run->data, error))
        return false;
    run->options = train_settings_options(settings, &run->data);
    set = (struct train_set){.points = run->data.points,
                             .labels = run->data.labels,
                             .count = run->data.count,
                             .dim = run->data.dim};
    return train_create(&run->options, &set, &run->train, error);
}

static bool prepare(struct run *run, struct error *error)
{
    if (!settle(run, error) || !create(run, error))
        return false;
    if (!run->settings.resume)
        return make_folder(run, error);
    return lock_folder(run, error) && checkpoint_read(run->out, run->train, error);
}

/* What would make bad samples of a good network. */
static void warn(const struct run *run)
{
    const double energy = data_energy(&run->data);
    struct schedule schedule;
    struct error error;
    double nats;

    if (run->options.process.type != PROCESS_TABLE ||
        !schedule_init(&schedule, &run->options.process.schedule, &error))
        return;
    nats = schedule_prior_kl(&schedule, run->data.dim, energy);
    schedule_finish(&schedule);
    if (nats > PRIOR_NATS)
        (void)fprintf(
            stderr,
            "denoised: warning: after --timesteps %zu the points are still %.2g nats from "
            "pure noise, which samples begin with: more of them, or smaller numbers\n",
            run->options.process.schedule.timesteps, nats);
    if (energy < SMALL * SMALL * (double)run->data.dim)
        (void)fprintf(stderr,
                      "denoised: warning: the points are small beside the least noise of "
                      "%.2g: multiply them so that they reach about 1\n",
                      sqrt(run->options.process.schedule.beta_start));
}

/* --- learning --- */

static bool write_checkpoint(const struct run *run, struct error *error)
{
    struct buffer kept = {0};
    bool ok;

    train_settings_keep(&run->settings, &kept);
    buffer_append(&kept, "", 1);
    ok = buffer_ok(&kept) ? checkpoint_write(run->out, run->train, (const char *)kept.data, error)
                          : error_set(error, ERROR_NO_MEMORY, "no memory for a checkpoint");
    buffer_finish(&kept);
    return ok;
}

/* Does not end the training: the disk may have room again when the next one is due. */
static void write_due_checkpoint(const struct run *run, const struct progress_view *view)
{
    const uint64_t every = train_settings_whole(&run->settings, ASKED_CHECKPOINT);
    const uint64_t iteration = train_progress(run->train).iteration;
    struct error error;

    if (every == 0 || iteration % every != 0 || iteration == run->options.iterations ||
        write_checkpoint(run, &error))
        return;
    progress_clear(view);
    complain(&error);
}

static bool learn(const struct run *run, struct error *error)
{
    struct progress_view view;
    bool ok = true;

    progress_begin(&view, run->train, run->options.iterations);
    while (ok && !stopped && train_progress(run->train).iteration < run->options.iterations) {
        ok = train_step(run->train, error);
        if (ok) {
            progress_show(&view, run->train);
            write_due_checkpoint(run, &view);
        }
    }
    progress_end(&view, run->train);
    return ok;
}

/* How the model was made, for its card. */
static bool write_model(const struct run *run, struct error *error)
{
    const struct train_progress progress = train_progress(run->train);
    struct buffer recipe = {0};
    bool ok;

    train_settings_call(&run->settings, &recipe);
    buffer_printf(&recipe, "; loss %.4g", progress.mean_loss);
    if (progress.iteration < run->options.iterations)
        buffer_printf(&recipe, ", stopped after %llu iterations",
                      (unsigned long long)progress.iteration);
    buffer_append(&recipe, "", 1);
    ok = buffer_ok(&recipe) ? folder_write(run->out, run->train, &run->options, &run->data,
                                           (const char *)recipe.data, error)
                            : error_set(error, ERROR_NO_MEMORY, "no memory for the model's card");
    buffer_finish(&recipe);
    return ok;
}

/* As `denoised check` would. */
static bool check_model(const struct run *run, struct error *error)
{
    const struct backend *backend = backend_find(NULL);
    struct model *model = backend->start(error) ? model_open(run->out, backend, error) : NULL;

    if (model == NULL)
        return false;
    (void)printf("%s: %s %.4f after %llu iterations, sha256:%s\n", run->out,
                 objective_name(run->options.objective), train_progress(run->train).mean_loss,
                 (unsigned long long)train_progress(run->train).iteration, model->digest);
    model_close(model);
    return true;
}

static int keep(const struct run *run)
{
    const uint64_t iteration = train_progress(run->train).iteration;
    struct error error;

    if (iteration == 0) {
        (void)fprintf(stderr, "denoised: stopped before the first iteration\n");
        return EXIT_STOPPED;
    }
    if (!write_checkpoint(run, &error) || !write_model(run, &error) || !check_model(run, &error)) {
        complain(&error);
        return EXIT_FAILED;
    }
    if (iteration == run->options.iterations)
        return 0;
    (void)fprintf(
        stderr,
        "denoised: stopped after %llu of %llu iterations. What was learned is kept; to go "
        "on: denoised train --out %s --resume\n",
        (unsigned long long)iteration, (unsigned long long)run->options.iterations, run->out);
    return EXIT_STOPPED;
}

static void finish(struct run *run)
{
    train_destroy(run->train);
    data_close(&run->data);
    if (run->is_new)
        (void)rmdir(run->out); /* only where nothing was written into it */
    if (run->folder >= 0)
        (void)close(run->folder);
}

static const char after_help[] =
    "\nThe noise follows from the objective, and the folder states it. flow: straight paths from "
    "pure\nnoise to the data (of annulus-to-spiral: from an annulus); T is the last time that the "
    "network is\ntold. All others: DDPM's linear schedule of T steps, betas from 0.0001 to 0.02; "
    "where T is too small\nto end in pure noise, there is a warning.\n"
    "\nCtrl-C keeps what is learned. Exit codes: 0 all iterations done, 1 failed on the way (the "
    "last\ncheckpoint stays), 2 asked for what cannot be, 3 stopped by a signal, the model "
    "written.\n";

static int print_help(void)
{
    struct buffer text = {0};
    bool ok;

    buffer_text(&text, "usage: denoised train --data NAME|FILE.csv --out DIR [OPTIONS]\n"
                       "       denoised train --out DIR --resume\n\n"
                       "Trains a network for points and writes a model folder that the daemon "
                       "serves:\n\n"
                       "  mkdir models\n"
                       "  denoised train --data moons --out models/moons\n"
                       "  denoised serve --models models\n\n"
                       "Options, with what they are when not said:\n");
    train_settings_help(&text);
    buffer_text(&text, "\nNames of data:\n");
    data_help(&text);
    buffer_text(&text, after_help);
    ok = buffer_ok(&text) && fwrite(text.data, 1, text.size, stdout) == text.size;
    buffer_finish(&text);
    return ok && fflush(stdout) == 0 ? 0 : EXIT_FAILED;
}

static int train_and_keep(const struct run *run)
{
    struct error error;

    listen_to_signals();
    warn(run);
    if (learn(run, &error))
        return keep(run);
    complain(&error);
    return EXIT_FAILED;
}

static int misused(const struct error *error)
{
    complain(error);
    (void)fprintf(stderr, HELP_HINT "\n");
    return EXIT_CONFIGURATION;
}

int command_train(int argc, char *const *argv)
{
    struct run run = {.folder = -1};
    struct error error;
    int code = EXIT_CONFIGURATION;

    if (!train_settings_read(&run.settings, argc, argv, &error))
        return misused(&error);
    if (run.settings.help)
        return print_help();
    if (prepare(&run, &error))
        code = train_and_keep(&run);
    else
        complain(&error);
    finish(&run);
    return code;
}
