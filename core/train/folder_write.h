/* folder_write.h - what was learned, as a model folder that the daemon serves.
 *
 *     model/config.json, model/diffusion_pytorch_model.safetensors   the average of the weights
 *     scheduler/scheduler_config.json                                the process it learned on
 *     denoised.json                                                  title, data, classes, view
 *     model_index.json                                               last: before it, no model
 *
 * Each file is written whole or not at all (file_write.h). */
#ifndef FOLDER_WRITE_H
#define FOLDER_WRITE_H

#include "core/train/data.h"
#include "core/train/train.h"

/* `recipe`: how it was made, a sentence without quotes and backslashes. */
MUST_CHECK bool folder_write(const char *path, const struct train *train,
                             const struct train_options *options, const struct data *data,
                             const char *recipe, struct error *error);

#endif
