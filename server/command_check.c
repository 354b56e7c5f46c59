#include "core/base/gang.h"
#include "core/model/model.h"
#include "server/command.h"
#include "server/daemon.h"
#include "server/log.h"

#include <stdio.h>

static void print_good(const struct model *model)
{
    const struct model_shape *shape = &model->shape;
    char size[64];

    if (shape->is_points)
        (void)snprintf(size, sizeof size, "points in %zu dimensions", shape->channels);
    else
        (void)snprintf(size, sizeof size, "%zux%zux%zu", shape->height, shape->width,
                       shape->channels);
    (void)printf("ok: %s: %s, %s, %llu bytes, sha256:%s\n", model->name, model->family->name, size,
                 (unsigned long long)model->weight_bytes, model->digest);
}

int command_check(int argc, char *const *argv)
{
    const struct backend *backend = backend_find(NULL);
    struct model *model;
    struct error error;
    char reason[sizeof error.text];

    if (argc != 1 || argv[0][0] == '-')
        return command_misused("check takes one model folder");
    gang_float_mode();
    model = backend->start(&error) ? model_open(argv[0], backend, &error) : NULL;
    if (model == NULL) {
        (void)log_escape(error.text, reason, sizeof reason);
        (void)printf("refused: %s\n", reason);
        return EXIT_CONFIGURATION;
    }
    print_good(model);
    model_close(model);
    return 0;
}
