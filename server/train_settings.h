/* train_settings.h - what `denoised train` was asked: flags of the command line, those that a
 * checkpoint keeps, defaults.
 *
 * Values are held as text in one canonical form each, so that equal ones are equal bytes: a
 * checkpoint keeps them, a resumed training compares them. To add one: its
 * constant and its row in train_settings.c. */
#ifndef TRAIN_SETTINGS_H
#define TRAIN_SETTINGS_H

#include "core/train/data.h"
#include "core/train/train.h"

/* Those from OUT on are no part of what is learned: no checkpoint keeps them. */
enum train_setting {
    ASKED_DATA,
    ASKED_OBJECTIVE,
    ASKED_HIDDEN,
    ASKED_ACTIVATION,
    ASKED_TIME_DIM,
    ASKED_ITERATIONS,
    ASKED_BATCH,
    ASKED_RATE,
    ASKED_WARMUP,
    ASKED_CLIP_NORM,
    ASKED_AVERAGE,
    ASKED_CLASS_DROP,
    ASKED_TIMESTEPS,
    ASKED_SEED,
    ASKED_POINTS, /* no flag: which points they are, to tell others from them */
    ASKED_OUT,
    ASKED_CHECKPOINT,
    ASKED_THREADS,
    TRAIN_SETTING_COUNT
};

#define TRAIN_SETTING_MAX 512 /* bytes of a value, with its NUL */

struct train_settings {
    char text[TRAIN_SETTING_COUNT][TRAIN_SETTING_MAX]; /* canonical; empty: not said */
    bool resume, help;
};

/* argv begins behind the command's name. INVALID names the flag and what it may be. */
MUST_CHECK bool train_settings_read(struct train_settings *settings, int argc, char *const *argv,
                                    struct error *error);

/* Takes what a checkpoint keeps where the command line is silent. INVALID where they differ; --data
 * may, since ASKED_POINTS tells whether it is the same. */
MUST_CHECK bool train_settings_merge(struct train_settings *settings, const char *kept,
                                     struct error *error);

/* What nobody said. Needs ASKED_DATA. */
void train_settings_complete(struct train_settings *settings);

/* Says which points these are, or, where a checkpoint said it: INVALID if they are others. */
MUST_CHECK bool train_settings_identify(struct train_settings *settings, const struct data *data,
                                        struct error *error);

/* For a checkpoint: `key=value`, a line each. */
void train_settings_keep(const struct train_settings *settings, struct buffer *out);

/* "denoised train --data ... --seed 0". */
void train_settings_call(const struct train_settings *settings, struct buffer *out);

/* Complete settings as the trainer has them. */
struct train_options train_settings_options(const struct train_settings *settings,
                                            const struct data *data);

/* A whole number. */
uint64_t train_settings_whole(const struct train_settings *settings, enum train_setting setting);

void train_settings_help(struct buffer *out);

#endif
