/* card.h - denoised.json: what a model says about itself, and its defaults. */
#ifndef CARD_H
#define CARD_H

#include "core/model/folder_open.h"
#include "core/model/model.h"

/* Before the family looks: sample_size stands in one place at most (models of images). BAD_MODEL.
 */
MUST_CHECK bool card_check_sample_size(const struct folder *folder, struct error *error);

/* Fills model->card and the names and null class of model->class_input; shape, schedule and the
 * family's part of class_input are there already. What was filled before a refusal is freed by
 * card_finish. */
MUST_CHECK bool card_read(struct model *model, const struct folder *folder, struct error *error);
void card_finish(struct model *model);

#endif
