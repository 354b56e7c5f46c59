/* health.h - is the daemon alive, started, ready? Atomics that the loop writes and any thread
 * reads: the admin listener answers probes while the loop works. */
#ifndef HEALTH_H
#define HEALTH_H

#include "core/base/buffer.h"
#include "core/engine/engine.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct health {
    /* NULL until loading has ended well; then catalog and engine may be read. */
    _Atomic(const struct engine *) engine;
    atomic_bool draining;         /* a stop was asked for */
    atomic_uint_fast64_t beat_ns; /* when the loop last went round */
};

void health_beat(struct health *health);

bool health_loaded(const struct health *health);
bool health_live(const struct health *health);
bool health_ready(const struct health *health);

/* ["loading","draining"]: why it is not ready; [] when it is. */
void health_reasons(const struct health *health, struct buffer *out);

#endif
