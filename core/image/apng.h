/* apng.h - pictures of one size as an animated PNG (APNG specification 1.0), frame by frame.
 *
 * A reader that knows no animation shows the first frame. One owner, any thread. */
#ifndef APNG_H
#define APNG_H

#include "core/image/png.h"

struct apng {
    struct buffer *out;
    size_t frame_count;   /* that will be written */
    size_t frames;        /* written so far */
    uint32_t sequence;    /* of the next fcTL or fdAT */
    size_t width, height; /* of every frame, once there is one */
};

/* The animation plays once and stays at its last frame. */
struct apng apng_begin(struct buffer *out, size_t frame_count);

/* The texts go in before the first frame's pixels and are not read later. INVALID as png_encode
 * has it; NO_MEMORY. */
MUST_CHECK bool apng_frame(struct apng *apng, const struct picture *picture, unsigned milliseconds,
                           const struct png_text *texts, size_t text_count, struct error *error);

/* After the last of the frames announced. */
void apng_end(struct apng *apng);

#endif
