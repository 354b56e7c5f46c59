/* unet2d.h - a UNet2DModel as operations over buffers, and the tensors it expects.
 *
 * unet2d_build makes both from the configuration alone: one walk over the blocks, so what is
 * loaded and what is run cannot disagree. For unet2d.c and tests. */
#ifndef UNET2D_H
#define UNET2D_H

#include "core/base/arena.h"
#include "core/model/tensor_list.h"
#include "core/model/unet2d_config.h"
#include "core/nn/network.h"

struct unet2d {
    struct unet2d_config config;
    struct network network;
    struct tensor_list tensors;
    struct arena arena; /* prepared weights */
    size_t frequencies; /* their offset in the weights; positional time only */
};

/* Fills network and tensors of a zeroed unet whose config is set. BAD_MODEL names `path`, a norm
 * and why its groups do not fit; NO_MEMORY. unet2d_finish frees what was built in any case. */
MUST_CHECK bool unet2d_build(struct unet2d *unet, const struct kernels *kernels, const char *path,
                             struct error *error);
void unet2d_finish(struct unet2d *unet);

#endif
