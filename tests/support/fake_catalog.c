#include "tests/support/fake_catalog.h"

#include <assert.h>
#include <string.h>

static char PLAIN[] = "plain", GLASSES[] = "glasses", HAT[] = "hat", BEARD[] = "beard";
static char *FACES[] = {PLAIN, GLASSES, HAT, BEARD};
static char DDIM[] = "ddim", DDPM[] = "ddpm", TITLE[] = "A \"fake\" model";

/* Every answer is 0. */
static void evaluate(const struct model *model, const struct place *places, size_t count,
                     struct gang *gang, void *workspace)
{
    (void)gang;
    (void)workspace;
    for (size_t i = 0; i < count; i++)
        memset(places[i].output, 0, model->shape.output_dim * sizeof(float));
}

static size_t workspace_bytes(const struct model *model, unsigned threads)
{
    (void)model;
    (void)threads;
    return 64;
}

static const struct family FAMILY = {
    .name = "Fake", .workspace_bytes = workspace_bytes, .evaluate = evaluate};

static const struct {
    const char *name;
    struct model_shape shape;
    struct class_input class_input;
    struct model_card card;
    size_t timesteps;
} ROWS[FAKE_MODELS] = {
    {"deep", {false, 2, 2, 4, 16, 16}, {0}, {.default_guidance = 1}, 1000},
    {"faces",
     {false, 4, 4, 3, 48, 48},
     {true, false, 5, true, 4, 4, FACES},
     {.default_sampler = DDIM, .default_steps = 50, .default_guidance = 1.5, .title = TITLE},
     1000},
    {"grey", {false, 3, 5, 1, 15, 15}, {0}, {.default_guidance = 1}, 10},
    {"labelled",
     {true, 0, 0, 2, 2, 2},
     {true, false, 3, true, -1, 0, NULL},
     {.default_guidance = 2},
     100},
    {"line", {true, 0, 0, 1, 1, 1}, {0}, {.default_guidance = 1}, 100},
    {"needy",
     {false, 2, 2, 3, 12, 12},
     {true, false, 2, false, 0, 0, NULL},
     {.default_guidance = 1},
     100},
    {"plane",
     {true, 0, 0, 2, 2, 2},
     {0},
     {.default_sampler = DDPM, .default_steps = 100, .default_guidance = 1},
     100},
    {"solid", {true, 0, 0, 3, 3, 3}, {0}, {.default_guidance = 1}, 100},
    {"vector",
     {false, 2, 2, 3, 12, 12},
     {.has_classes = true, .needs_vector = true},
     {.default_guidance = 1},
     100},
};

void fake_catalog_init(struct fake_catalog *fake)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct error error;
    bool good;

    memset(fake, 0, sizeof *fake);
    for (size_t i = 0; i < FAKE_MODELS; i++) {
        struct model *model = fake->pointers[i] = &fake->models[i];

        memcpy(model->name, ROWS[i].name, strlen(ROWS[i].name) + 1);
        memcpy(model->digest, FAKE_DIGEST, sizeof FAKE_DIGEST);
        model->family = &FAMILY;
        model->shape = ROWS[i].shape;
        model->class_input = ROWS[i].class_input;
        model->card = ROWS[i].card;
        model->card.preview_scale = 1;
        memcpy(model->card.view, (const double[]){-8, 8, -8, 8}, sizeof model->card.view);
        model->weight_bytes = 123456;
        config.schedule.timesteps = ROWS[i].timesteps;
        good = process_init(&model->process, &config, &error);
        assert(good);
    }
    fake->catalog = (struct catalog){
        .models = fake->pointers, .count = FAKE_MODELS, .default_model = &fake->models[1]};
}

void fake_catalog_finish(struct fake_catalog *fake)
{
    for (size_t i = 0; i < FAKE_MODELS; i++)
        process_finish(&fake->models[i].process);
}
