/* The exact model against values computed by hand and by finite differences, and its refusals. */
#include "tests/support/test.h"

#include "core/base/arena.h"
#include "core/model/model.h"
#include "tests/support/allocations.h"
#include "tests/support/folder.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scratch scratch;

static bool open_mixture(const char *config, const char *head, struct model **model,
                         struct error *error)
{
    char schedule[200], whole[1000];
    snprintf(schedule, sizeof schedule,
             strcmp(head, "velocity") == 0
                 ? "{\"_class_name\":\"DenoisedProcess\",\"process\":\"flow\","
                   "\"prediction_type\":\"%s\"}"
                 : "{\"_class_name\":\"DDPMScheduler\",\"clip_sample\":false,"
                   "\"prediction_type\":\"%s\"}",
             head);
    snprintf(whole, sizeof whole, "{\"_class_name\":\"GaussianMixture\",%s}", config);
    scratch_text(&scratch, "m/config.json", whole);
    scratch_text(&scratch, "m/scheduler_config.json", schedule);
    *model = model_open(scratch_path(&scratch, "m"), backend_find("portable"), error);
    return *model != NULL;
}

static struct model *opened(const char *config, const char *head)
{
    struct model *model;
    struct error error;
    if (!open_mixture(config, head, &model, &error))
        fail_msg("%s", error.text);
    return model;
}

static void evaluate(const struct model *model, const struct place *places, size_t count,
                     unsigned threads)
{
    struct error error;
    struct arena arena;
    struct gang *gang = gang_create(threads, &error);
    assert_non_null(gang);
    assert_true(arena_init(&arena, model->family->workspace_bytes(model, threads), &error));
    size_t before = allocations_count();
    model->family->evaluate(model, places, count, gang, arena.base);
    assert_int_equal(allocations_count(), before);
    arena_finish(&arena);
    gang_destroy(gang);
}

static const char TWO[] = "\"weights\":[0.2,0.8],\"means\":[[3,3],[-3,-3]],\"stds\":[1,1]";
static const char THREE[] = "\"weights\":[0.5,0.3,0.2],\"means\":[[0,0],[2,-1],[-1,3]],"
                            "\"stds\":[0.5,1,0]";

struct golden {
    const char *config;
    double alpha_bar; /* below 0: alpha and sigma are .6 and .8 */
    float x[2];
    double epsilon[2], x_0[2];
};

static const struct golden GOLDEN[] = {
    {TWO, 0.5240853738, {0, 0}, {0.898955204, 0.898955204}, {-0.856646327, -0.856646327}},
    {TWO, 0.5240853738, {1, 1}, {-0.806372047, -0.806372047}, {2.149755436, 2.149755436}},
    {TWO, 0.0785872429, {1, 1}, {0.348892253, 0.348892253}, {2.372516630, 2.372516630}},
    {TWO, 0.8970181457, {.25f, .25f}, {-0.486501035, -0.486501035}, {0.428801117, 0.428801117}},
    {TWO, 0.0785872429, {-1, .5f}, {-0.309760623, 1.130093086}, {-2.506508678, -2.086007434}},
    {THREE, -1, {.7f, -1.2f}, {0.128163473, -0.858229870}, {0.995782036, -0.855693506}},
};

static struct level level_of(const struct golden *golden)
{
    if (golden->alpha_bar < 0)
        return (struct level){.6, .8};
    return (struct level){sqrt(golden->alpha_bar), sqrt(1 - golden->alpha_bar)};
}

static void answers_in_every_form_are_the_known_ones(void **state)
{
    (void)state;
    static const char *const HEADS[] = {"epsilon", "sample", "v_prediction"};
    for (size_t i = 0; i < sizeof GOLDEN / sizeof *GOLDEN; i++)
        for (size_t head = 0; head < 3; head++) {
            const struct golden *golden = &GOLDEN[i];
            struct model *model = opened(golden->config, HEADS[head]);
            struct level level = level_of(golden);
            float output[2];
            struct place place = {
                .x = golden->x, .output = output, .time = 1, .label = -1, .level = level};
            evaluate(model, &place, 1, 1);
            for (size_t j = 0; j < 2; j++) {
                const double expected[] = {golden->epsilon[j], golden->x_0[j],
                                           level.alpha * golden->epsilon[j] -
                                               level.sigma * golden->x_0[j]};
                assert_true(fabs((double)output[j] - expected[head]) <= 3e-7);
            }
            model_close(model);
        }
}

/* grad log p of the data themselves: where sigma is 0 no head but the score says it. */
static void the_score_is_answered_to_who_asks_for_it(void **state)
{
    (void)state;
    const float x[2] = {1.5f, -.5f};
    float y[2];
    struct place place = {.x = x, .output = y, .label = -1, .level = {1, 0}, .wants_score = true};
    struct model *model = opened(TWO, "v_prediction");
    const double near = .2 * exp(-(1.5 * 1.5 + 3.5 * 3.5) / 2),
                 far = .8 * exp(-(4.5 * 4.5 + 2.5 * 2.5) / 2);
    evaluate(model, &place, 1, 1);
    assert_true(fabs((double)y[0] - (near * 1.5 - far * 4.5) / (near + far)) < 1e-6);
    assert_true(fabs((double)y[1] - (near * 3.5 - far * 2.5) / (near + far)) < 1e-6);
    assert_true(model->process.network.is_points);
    assert_true(model->process.network.is_exact && model->process.network.is_exact_at_zero);
    model_close(model);
    model = opened(THREE, "score");
    assert_false(model->process.network.is_exact_at_zero);
    place.level = level_of(&GOLDEN[5]);
    place.x = GOLDEN[5].x;
    place.wants_score = false;
    evaluate(model, &place, 1, 1);
    assert_true(fabs((double)y[0] + GOLDEN[5].epsilon[0] / .8) < 1e-6);
    model_close(model);
}

/* Of THREE, in double: the output of a head, or the score. */
static void exact_output(const char *head, struct level level, const double *x, double *output)
{
    static const double weight[] = {.5, .3, .2}, variance[] = {.25, 1, 0};
    static const double mean[][2] = {{0, 0}, {2, -1}, {-1, 3}};
    double share[3], sum = 0, v[3];
    for (size_t k = 0; k < 3; k++) {
        double a = x[0] - level.alpha * mean[k][0], b = x[1] - level.alpha * mean[k][1];
        v[k] = level.alpha * level.alpha * variance[k] + level.sigma * level.sigma;
        share[k] = weight[k] / v[k] * exp(-(a * a + b * b) / (2 * v[k]));
        sum += share[k];
    }
    for (size_t i = 0; i < 2; i++) {
        double x_0 = 0, score = 0;
        for (size_t k = 0; k < 3; k++) {
            double d = x[i] - level.alpha * mean[k][i];
            x_0 += share[k] / sum * (mean[k][i] + level.alpha * variance[k] / v[k] * d);
            score -= share[k] / sum * d / v[k];
        }
        const double epsilon = -level.sigma * score;
        output[i] = strcmp(head, "epsilon") == 0        ? epsilon
                    : strcmp(head, "sample") == 0       ? x_0
                    : strcmp(head, "v_prediction") == 0 ? level.alpha * epsilon - level.sigma * x_0
                    : strcmp(head, "velocity") == 0     ? epsilon - x_0
                                                        : score;
    }
}

static double exact_trace(const char *head, struct level level, const float *x)
{
    double trace = 0;
    for (size_t i = 0; i < 2; i++) {
        double at[] = {(double)x[0], (double)x[1]}, above[2], below[2], middle = at[i];
        at[i] = middle + 1e-5;
        exact_output(head, level, at, above);
        at[i] = middle - 1e-5;
        exact_output(head, level, at, below);
        trace += (above[i] - below[i]) / 2e-5;
    }
    return trace;
}

static void the_divergence_of_every_head_is_that_of_central_differences(void **state)
{
    (void)state;
    static const char *const HEADS[] = {"epsilon", "sample", "v_prediction", "score", "velocity"};
    static const float X[][2] = {{.7f, -1.2f}, {-.4f, 1.1f}, {3, 3}, {0, 0}};
    static const struct level LEVELS[] = {{.6, .8}, {.95, .31225}, {.1, .995}};
    for (size_t head = 0; head < 5; head++) {
        struct model *model = opened(THREE, HEADS[head]);
        assert_true(model->family->knows_divergence);
        for (size_t i = 0; i < 12; i++) {
            float output[2];
            double divergence = 0, expected;
            struct place place = {.x = X[i / 3],
                                  .output = output,
                                  .label = -1,
                                  .level = LEVELS[i % 3],
                                  .divergence = &divergence};
            if (head == 4)
                place.level.alpha = 1 - place.level.sigma;
            for (int wants = 0; wants < 2; wants++) {
                place.wants_score = wants == 1;
                evaluate(model, &place, 1, 1);
                expected = exact_trace(wants ? "score" : HEADS[head], place.level, place.x);
                if (!(fabs(divergence - expected) <= 1e-7 * (1 + fabs(expected))))
                    fail_msg("%s: %.10g instead of %.10g", HEADS[head], divergence, expected);
            }
        }
        model_close(model);
    }
}

/* One component at a time is a normal distribution: its trace is a number of the level alone. */
static void a_labels_divergence_is_that_of_its_components_alone(void **state)
{
    (void)state;
    struct model *model = opened("\"weights\":[0.5,0.5],\"means\":[[4],[-4]],\"stds\":[0.5,2],"
                                 "\"labels\":[1,0]",
                                 "epsilon");
    const float x = .3f;
    float y;
    double divergence;
    struct place place = {
        .x = &x, .output = &y, .label = 0, .level = {.8, .6}, .divergence = &divergence};
    evaluate(model, &place, 1, 1);
    assert_true(fabs(divergence - .6 / (.64 * 4 + .36)) < 1e-12);
    place.label = 1;
    evaluate(model, &place, 1, 1);
    assert_true(fabs(divergence - .6 / (.64 * .25 + .36)) < 1e-12);
    model_close(model);
}

static void a_label_answers_from_its_components_alone(void **state)
{
    (void)state;
    struct model *model =
        opened("\"weights\":[0.25,0.25,0.5],\"means\":[[4],[-4],[1]],\"stds\":[0.5,0.5,2],"
               "\"labels\":[1,0,1]",
               "sample");
    struct model *alone = opened("\"weights\":[0.3333333333,0.6666666667],\"means\":[[4],[1]],"
                                 "\"stds\":[0.5,2]",
                                 "sample");
    assert_true(model->class_input.has_classes);
    assert_true(model->class_input.has_null);
    assert_int_equal(model->class_input.null_label, -1);
    assert_int_equal(model->class_input.count, 2);
    const float x = 0.5f;
    float y[2];
    struct place place = {.x = &x, .output = &y[0], .label = 1, .level = {.8, .6}};
    evaluate(model, &place, 1, 1);
    place.output = &y[1];
    place.label = -1;
    evaluate(alone, &place, 1, 1);
    assert_true(fabs((double)(y[0] - y[1])) < 1e-6);
    place.label = 0; /* one component: x_0 = mu + (alpha s^2 / v) (x - alpha mu) */
    evaluate(model, &place, 1, 1);
    assert_true(fabs((double)y[1] - (-4 + .8 * .25 / (.64 * .25 + .36) * (.5 + 3.2))) < 1e-6);
    model_close(model);
    model_close(alone);
}

static void bits_depend_on_the_place_alone(void **state)
{
    (void)state;
    enum { COUNT = 333, ALL = 2 * COUNT };
    struct model *model = opened(THREE, "epsilon");
    float x[ALL], alone[ALL], batch[ALL];
    struct place places[COUNT];
    numbers_fill(x, ALL, 5);
    for (size_t i = 0; i < COUNT; i++) {
        double sigma = i % 5 < 3 ? .4 : .8;
        places[i] = (struct place){
            .x = x + 2 * i, .output = alone + 2 * i, .label = -1, .level = {1, sigma}};
        evaluate(model, &places[i], 1, 1);
    }
    for (unsigned threads = 1; threads <= 3; threads++) {
        for (size_t i = 0; i < COUNT; i++)
            places[i].output = batch + 2 * i;
        evaluate(model, places, COUNT, threads);
        assert_memory_equal(alone, batch, sizeof alone);
    }
    model_close(model);
}

static void far_points_give_finite_answers(void **state)
{
    (void)state;
    struct model *model = opened(TWO, "sample");
    const float x[] = {1e5f, -1e5f};
    float y[2];
    struct place place = {.x = x, .output = y, .label = -1, .level = {.999, .04}};
    evaluate(model, &place, 1, 1);
    assert_true(isfinite(y[0]) && isfinite(y[1]));
    model_close(model);
}

static void broken_mixtures_are_refused_by_key(void **state)
{
    (void)state;
    static const char *const BROKEN[][2] = {
        {"\"means\":[[1]],\"stds\":[1]", "config.json|weights"},
        {"\"weights\":[],\"means\":[],\"stds\":[]", "weights"},
        {"\"weights\":[0.5,0.4],\"means\":[[1],[2]],\"stds\":[1,1]", "weights|sum"},
        {"\"weights\":[1.5,-0.5],\"means\":[[1],[2]],\"stds\":[1,1]", "weights|above 0"},
        {"\"weights\":[\"1\"],\"means\":[[1]],\"stds\":[1]", "weights"},
        {"\"weights\":[1],\"means\":[[1],[2]],\"stds\":[1]", "means"},
        {"\"weights\":[0.5,0.5],\"means\":[[1],[2,3]],\"stds\":[1,1]", "means"},
        {"\"weights\":[1],\"means\":[[]],\"stds\":[1]", "means"},
        {"\"weights\":[1],\"means\":[[Infinity]],\"stds\":[1]", "means"},
        {"\"weights\":[1],\"means\":[[1]],\"stds\":[-1]", "stds"},
        {"\"weights\":[1],\"means\":[[1]]", "stds"},
        {"\"weights\":[1],\"means\":[[1]],\"stds\":[1],\"labels\":[1]", "labels"},
        {"\"weights\":[1],\"means\":[[1]],\"stds\":[1],\"labels\":[0.5]", "labels"},
        {"\"weights\":[1],\"means\":[[1]],\"stds\":[1],\"labels\":null", "labels"},
        {"\"weights\":[1],\"means\":[[1]],\"stds\":[1],\"colour\":1", "colour"},
    };
    for (size_t i = 0; i < sizeof BROKEN / sizeof *BROKEN; i++) {
        struct model *model;
        struct error error = {0};
        assert_false(open_mixture(BROKEN[i][0], "epsilon", &model, &error));
        assert_int_equal(error.code, ERROR_BAD_MODEL);
        assert_error_says(&error, BROKEN[i][1]);
    }
}

static int set_up(void **state)
{
    (void)state;
    scratch_init(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_finish(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_every_form_are_the_known_ones),
        cmocka_unit_test(a_label_answers_from_its_components_alone),
        cmocka_unit_test(the_score_is_answered_to_who_asks_for_it),
        cmocka_unit_test(the_divergence_of_every_head_is_that_of_central_differences),
        cmocka_unit_test(a_labels_divergence_is_that_of_its_components_alone),
        cmocka_unit_test(bits_depend_on_the_place_alone),
        cmocka_unit_test(far_points_give_finite_answers),
        cmocka_unit_test(broken_mixtures_are_refused_by_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
