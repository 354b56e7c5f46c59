/* fake_catalog.h - models of every shape that requests may meet; each answers 0 to everything.
 *
 *   name      values       classes                            timesteps
 *   faces     4x4 RGB      plain glasses hat beard, null 4    1000; the default model
 *   deep      2x2x4        none                               1000
 *   grey      3x5x1        none                               10
 *   labelled  points 2     three, without names, null -1      100
 *   line      points 1     none                               100
 *   needy     2x2 RGB      two, no null                       100
 *   plane     points 2     none                               100; ddpm
 *   solid     points 3     none                               100
 *   vector    2x2 RGB      as a vector                        100 */
#ifndef FAKE_CATALOG_H
#define FAKE_CATALOG_H

#include "core/model/catalog.h"

#define FAKE_MODELS 9
#define FAKE_DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct fake_catalog {
    struct catalog catalog;
    struct model models[FAKE_MODELS];
    struct model *pointers[FAKE_MODELS];
};

void fake_catalog_init(struct fake_catalog *fake);
void fake_catalog_finish(struct fake_catalog *fake);

#endif
