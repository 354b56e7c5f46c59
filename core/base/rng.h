/* rng.h - the generator of one sample: torch.Generator("cpu").manual_seed(seed), bit for bit.
 *
 * MT19937 and torch's float32 randn and rand as its AVX2 build computes them, so that a seed
 * gives the picture that diffusers draws with one CPU generator per image. Only the sizes and
 * the order of calls matter. Value type, one owner at a time; nothing is allocated. */
#ifndef RNG_H
#define RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
    uint32_t word[624];
    uint32_t next;   /* index of the next word; 624 = make new ones first */
    bool has_normal; /* randn of n < 16 makes normals in pairs and keeps the second */
    double normal;
};

void rng_seed(struct rng *rng, uint32_t seed);
uint32_t rng_word(struct rng *rng);

/* n standard normals, equal to torch.randn(n, generator=g), float32. */
void rng_randn(struct rng *rng, float *out, size_t n);

/* n uniforms in [0,1), equal to torch.rand(n, generator=g), float32. */
void rng_rand(struct rng *rng, float *out, size_t n);

#endif
