/* The schedulers part: every call of diffusers' scheduler classes, one by one, and their grids.
 *
 * A call stands alone: x is put to what diffusers had before it, so that errors do not add up. */
#include "tests/golden/golden.h"

#include "core/diffusion/sampler.h"
#include "core/diffusion/steps.h"
#include "core/model/safetensors.h"
#include "core/model/scheduler_config.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X0_TOLERANCE       1e-4
#define NUMBER_TOLERANCE   1e-5
#define TIMESTEP_TOLERANCE 1e-3

/* A case's scheduler and what it makes of the request. */
struct subject {
    struct process process;
    struct plan *plan;
};

/* A row per call; what a case does not have is NULL. */
struct tensors {
    float *x_in, *model_output, *x_out; /* always */
    float *model_input, *x0, *noise, *mean;
};

struct run {
    const cJSON *json;
    struct subject subject;
    struct tensors tensors;
    struct row row;
    float *block;    /* the row's arrays; its state, which may hold doubles, first */
    size_t call;     /* in progress */
    double error;    /* largest so far, in units of what is allowed */
    char fault[256]; /* "" while nothing is wrong */
};

static const char *class_of(const cJSON *config)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(config, "_class_name"));

    return name == NULL ? "" : name;
}

/* 0 for what is no whole number that data can mean. */
static size_t whole(const cJSON *item)
{
    const double value = cJSON_GetNumberValue(item);

    return value >= 0.0 && value < 4294967296.0 ? (size_t)value : 0;
}

static void read_list(const cJSON *item, int list[OPTION_LIST_MAX], double *count)
{
    const cJSON *entry;
    size_t used = 0;

    cJSON_ArrayForEach(entry, item) if (used < OPTION_LIST_MAX) list[used++] = entry->valueint;
    *count = (double)used;
}

static bool read_options(const cJSON *json, struct option_values *values, int list[OPTION_LIST_MAX],
                         struct error *error)
{
    const cJSON *item;

    memset(values, 0, sizeof(*values));
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(json, "options"))
    {
        const enum sampler_option option = option_find(item->string);

        if (option == OPTION_COUNT)
            return error_set(error, ERROR_INVALID, "option %s is unknown", item->string);
        values->given[option] = true;
        values->value[option] = cJSON_IsNumber(item) ? item->valuedouble : cJSON_IsTrue(item);
        if (!cJSON_IsArray(item))
            continue;
        read_list(item, list, &values->value[option]);
        values->list[option] = list;
    }
    return true;
}

/* A model's config names the sampler that runs by default; here the class itself is meant. */
static const char *sampler_of(const struct process_config *config)
{
    return strcmp(config->schedule.class_name, "DDIMInverseScheduler") == 0
               ? "ddim_inverse"
               : config->schedule.sampler;
}

static bool subject_init(struct subject *subject, const cJSON *json, size_t dim, size_t output_dim,
                         struct error *error)
{
    struct process_config config;
    struct option_values options;
    int list[OPTION_LIST_MAX];
    struct plan_request request = {
        .process = &subject->process,
        .steps = whole(cJSON_GetObjectItem(json, "steps")),
        .steps_asked = !cJSON_HasObjectItem(cJSON_GetObjectItem(json, "options"), "timesteps"),
        .options = &options,
        .dim = dim,
        .output_dim = output_dim};
    bool is_valid;

    memset(subject, 0, sizeof(*subject));
    if (!scheduler_config_parse(cJSON_GetObjectItem(json, "config"), "config", &config, error))
        return false;
    request.sampler = sampler_of(&config);
    is_valid = read_options(json, &options, list, error) &&
               process_init(&subject->process, &config, error);
    scheduler_config_finish(&config);
    if (is_valid)
        subject->plan = plan_create(&request, error);
    return subject->plan != NULL;
}

static void subject_finish(struct subject *subject)
{
    plan_destroy(subject->plan);
    process_finish(&subject->process);
}

static void set_fault(struct run *run, const char *what)
{
    if (run->fault[0] == '\0')
        (void)snprintf(run->fault, sizeof(run->fault), "%s at call %zu", what, run->call);
}

/* Whole timesteps are equal, others nearly. */
static bool is_timestep(double value, double expected)
{
    return expected == rint(expected) ? value == expected
                                      : fabs(value - expected) <= TIMESTEP_TOLERANCE;
}

static bool is_close(double value, double expected)
{
    return fabs(value - expected) <= NUMBER_TOLERANCE * fabs(expected);
}

/* As the class counts it: of a flow its time. */
static double sigma_of(const struct plan *plan, struct level level)
{
    return plan->process->config.type == PROCESS_FLOW ? level.sigma : level.sigma / level.alpha;
}

/* One per call and the final one; classes that list them otherwise have only their own. */
static const char *compare_sigmas(const struct plan *plan, const cJSON *json)
{
    const cJSON *sigmas = cJSON_GetObjectItem(json, "sigmas"), *item;
    size_t call = 0;

    if ((size_t)cJSON_GetArraySize(sigmas) != plan->step_count + 1)
        return NULL;
    cJSON_ArrayForEach(item, sigmas)
    {
        const struct level level =
            call < plan->step_count ? plan->step[call].from : plan->step[call - 1].to;

        if (!is_close(sigma_of(plan, level), item->valuedouble))
            return "sigmas differ";
        call++;
    }
    return NULL;
}

/* The number of the plan as a whole, and the timestep of every call. */
static const char *compare_grid(const struct plan *plan, const cJSON *json)
{
    const cJSON *timesteps = cJSON_GetObjectItem(json, "timesteps"), *item;
    size_t call = 0;

    if (!is_close(plan->start_scale,
                  cJSON_GetNumberValue(cJSON_GetObjectItem(json, "init_noise_sigma"))))
        return "init_noise_sigma differs";
    if ((size_t)cJSON_GetArraySize(timesteps) != plan->step_count)
        return "the number of timesteps differs";
    cJSON_ArrayForEach(item, timesteps)
    {
        if (!is_timestep(plan->step[call++].model_time, item->valuedouble))
            return "timesteps differ";
    }
    return compare_sigmas(plan, json);
}

static double largest(const float *values, size_t count)
{
    double most = 1.0;

    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)values[i]));
    return most;
}

/* Largest difference in units of `allowed`; a NaN is a difference. */
static void compare(struct run *run, const char *what, const float *values, const float *expected,
                    double allowed)
{
    double most = 0.0;

    for (size_t i = 0; i < run->subject.plan->dim; i++) {
        const double difference = fabs((double)values[i] - (double)expected[i]);

        if (!(difference <= most))
            most = difference;
    }
    if (!(most / allowed <= run->error))
        run->error = most / allowed;
    if (!(most <= allowed))
        set_fault(run, what);
}

static bool draws_at(const cJSON *json, size_t call)
{
    const cJSON *draws = cJSON_GetObjectItem(json, "draws");
    const cJSON *flag = cJSON_GetArrayItem(draws, (int)call);

    return flag != NULL && flag->valuedouble != 0.0;
}

static void check_call(struct run *run, double tolerance)
{
    const size_t call = run->call;
    const struct plan *plan = run->subject.plan;
    const struct tensors *tensors = &run->tensors;
    const size_t dim = plan->dim, at = call * dim;
    const float *output = tensors->model_output + call * plan->output_dim;
    const double allowed =
        tolerance * fmax(largest(tensors->x_in + at, dim), largest(tensors->x_out + at, dim));
    const float *input = tensors->model_input == NULL ? tensors->x_in : tensors->model_input;
    const bool is_last = call + 1 == plan->step_count;
    /* Where a class tells the mean of a step as well, it is what its pipeline ends with. */
    const float *expected = is_last && tensors->mean != NULL ? tensors->mean : tensors->x_out;
    float *x_0 = run->row.scratch + dim;
    enum advance advance;

    memcpy(run->row.x, tensors->x_in + at, dim * sizeof(float));
    if (call > 0) /* the x that it had asked about is another */
        row_ask(&run->row, plan);
    compare(run, "model input", run->row.input, input + at, allowed);
    memcpy(run->row.input, input + at, dim * sizeof(float));
    if (plan->step[call].draws != draws_at(run->json, call))
        set_fault(run, "draws differ");
    plan_predicted_x0(plan, &run->row, output, x_0);
    if (tensors->x0 != NULL)
        compare(run, "x_0", x_0, tensors->x0 + at, X0_TOLERANCE * largest(tensors->x0 + at, dim));
    advance = plan->sampler->advance(&run->row, plan, output);
    if (advance != (is_last ? ADVANCE_DONE : ADVANCE_EVALUATE))
        set_fault(run, "the row ended or failed");
    if (plan->step[call].draws && tensors->noise != NULL)
        compare(run, "noise", run->row.noise, tensors->noise + at, 1e-6);
    compare(run, "x", run->row.x, expected + at, allowed);
}

static void check_calls(struct run *run)
{
    const struct plan *plan = run->subject.plan;
    const size_t dim = plan->dim;
    const char *fault = compare_grid(plan, run->json);
    float *arrays;

    if (fault != NULL) {
        set_fault(run, fault);
        return;
    }
    arrays = run->block + plan->state_floats;
    run->row = (struct row){.x = arrays,
                            .input = arrays + dim,
                            .noise = arrays + 2 * dim,
                            .scratch = arrays + 3 * dim,
                            .state = run->block};
    rng_seed(&run->row.rng, (uint32_t)whole(cJSON_GetObjectItem(run->json, "seed")));
    plan->sampler->begin(&run->row, plan);
    for (run->call = 0; run->call < plan->step_count && run->fault[0] == '\0'; run->call++)
        check_call(run, cJSON_GetNumberValue(cJSON_GetObjectItem(run->json, "tolerance")));
}

/* NULL and true when there is none of that name; false when it is not `count` floats. */
static bool read_tensor(const struct safetensors *file, const char *name, size_t count,
                        float **values, struct error *error)
{
    const struct tensor *tensor = safetensors_find(file, name);

    *values = NULL;
    if (tensor == NULL)
        return true;
    if (tensor->count != count)
        return error_set(error, ERROR_INVALID, "%s has not %zu values", name, count);
    *values = malloc(count * sizeof(**values));
    if (*values == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %s", name);
    return safetensors_read_float(file, tensor, *values, error);
}

static bool read_tensors(const struct safetensors *file, size_t calls, const struct plan *plan,
                         struct tensors *tensors, struct error *error)
{
    const size_t count = calls * plan->dim;

    return read_tensor(file, "x_in", count, &tensors->x_in, error) &&
           read_tensor(file, "x_out", count, &tensors->x_out, error) &&
           read_tensor(file, "model_output", calls * plan->output_dim, &tensors->model_output,
                       error) &&
           read_tensor(file, "model_input", count, &tensors->model_input, error) &&
           read_tensor(file, "x0", count, &tensors->x0, error) &&
           read_tensor(file, "noise", count, &tensors->noise, error) &&
           read_tensor(file, "mean", count, &tensors->mean, error) &&
           ((tensors->x_in != NULL && tensors->x_out != NULL && tensors->model_output != NULL) ||
            error_set(error, ERROR_INVALID, "x_in, x_out or model_output is missing"));
}

static void free_tensors(struct tensors *tensors)
{
    free(tensors->x_in);
    free(tensors->x_out);
    free(tensors->model_output);
    free(tensors->model_input);
    free(tensors->x0);
    free(tensors->noise);
    free(tensors->mean);
}

static size_t dim_of(const cJSON *json)
{
    const cJSON *item;
    size_t dim = 1;

    cJSON_ArrayForEach(item, cJSON_GetObjectItem(json, "shape")) dim *= whole(item);
    return dim;
}

static bool run_calls(struct run *run, const struct safetensors *file, struct error *error)
{
    const size_t dim = dim_of(run->json);
    const size_t calls = (size_t)cJSON_GetArraySize(cJSON_GetObjectItem(run->json, "timesteps"));
    const struct tensor *output = safetensors_find(file, "model_output");

    if (output == NULL || calls == 0 || dim == 0 || output->count % (calls * dim) != 0)
        return error_set(error, ERROR_INVALID, "model_output does not fit shape and timesteps");
    if (!subject_init(&run->subject, run->json, dim, (size_t)output->count / calls, error))
        return false;
    run->block = calloc(5 * dim + run->subject.plan->state_floats, sizeof(*run->block));
    if (run->block == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a row");
    if (!read_tensors(file, calls, run->subject.plan, &run->tensors, error))
        return false;
    check_calls(run);
    return true;
}

static void run_case(const char *directory, const char *name, const cJSON *json)
{
    struct run run = {.json = json};
    struct safetensors file = {.descriptor = -1};
    struct error error;
    char path[4096], title[256];

    (void)snprintf(path, sizeof(path), "%s/%s.safetensors", directory, name);
    (void)snprintf(title, sizeof(title), "schedulers/%s", name);
    if (!safetensors_open(&file, open(path, O_RDONLY | O_CLOEXEC), name, &error) ||
        !run_calls(&run, &file, &error))
        golden_report(GOLDEN_FAIL, title, "%s", error.text);
    else if (run.fault[0] != '\0')
        golden_report(GOLDEN_FAIL, title, "%s, %.2g of what is allowed", run.fault, run.error);
    else
        golden_report(GOLDEN_OK, title, "%.2g of what is allowed", run.error);
    safetensors_close(&file);
    free_tensors(&run.tensors);
    free(run.block);
    subject_finish(&run.subject);
}

/* True when it has said so: a class that this version does not run, or does not know. */
static bool skip_class(const char *title, const cJSON *config)
{
    const char *class_name = class_of(config);
    const enum scheduler_class class = scheduler_class_of(config);

    if (class == SCHEDULER_NOT_BUILT)
        golden_report(GOLDEN_SKIP, title, "%s is not built", class_name);
    if (class == SCHEDULER_UNKNOWN)
        golden_report(GOLDEN_FAIL, title, "class \"%s\" is unknown", class_name);
    return class != SCHEDULER_BUILT;
}

/* A grid is that of any model; the scheduler says which of the two kinds it is for. */
static bool predicts_variance(const cJSON *json)
{
    const cJSON *config = cJSON_GetObjectItem(json, "config");
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(config, "variance_type"));

    return type != NULL && strncmp(type, "learned", 7) == 0;
}

static void check_grid(const char *title, const cJSON *json)
{
    struct subject subject;
    struct error error;
    const char *fault;

    if (skip_class(title, cJSON_GetObjectItem(json, "config")))
        return;
    if (!subject_init(&subject, json, 1, predicts_variance(json) ? 2 : 1, &error)) {
        golden_report(GOLDEN_FAIL, title, "%s", error.text);
    } else {
        fault = compare_grid(subject.plan, json);
        golden_report(fault == NULL ? GOLDEN_OK : GOLDEN_FAIL, title, "%s",
                      fault == NULL ? "equal" : fault);
    }
    subject_finish(&subject);
}

static void check_grids(const char *name, const cJSON *json)
{
    const cJSON *item;
    size_t index = 0;

    cJSON_ArrayForEach(item, cJSON_GetObjectItem(json, "grids"))
    {
        char title[256];

        (void)snprintf(title, sizeof(title), "schedulers/%s/%zu", name, index++);
        check_grid(title, item);
    }
}

static void visit_case(const char *directory, const char *name, void *context)
{
    char path[4096], title[256];
    cJSON *json;

    (void)context;
    (void)snprintf(path, sizeof(path), "%s/%s.json", directory, name);
    (void)snprintf(title, sizeof(title), "schedulers/%s", name);
    json = golden_read_json(path);
    if (json == NULL)
        golden_report(GOLDEN_FAIL, title, "cannot be read");
    else if (cJSON_HasObjectItem(json, "grids"))
        check_grids(name, json);
    else if (!skip_class(title, cJSON_GetObjectItem(json, "config")))
        run_case(directory, name, json);
    cJSON_Delete(json);
}

static void visit_saved(const char *directory, const char *name, void *context)
{
    struct process_config config;
    struct process process = {.kind = NULL};
    struct error error;
    char path[4096], title[256];
    cJSON *json;

    (void)context;
    (void)snprintf(path, sizeof(path), "%s/%s.json", directory, name);
    (void)snprintf(title, sizeof(title), "schedulers/saved/%s", name);
    json = golden_read_json(path);
    if (json == NULL) {
        golden_report(GOLDEN_FAIL, title, "cannot be read");
    } else if (!skip_class(title, json)) {
        if (scheduler_config_parse(json, name, &config, &error) &&
            process_init(&process, &config, &error))
            golden_report(GOLDEN_OK, title, "parses");
        else
            golden_report(GOLDEN_FAIL, title, "%s", error.text);
        scheduler_config_finish(&config);
        process_finish(&process);
    }
    cJSON_Delete(json);
}

void golden_schedulers(const char *directory, const struct golden_options *options)
{
    char saved[4096];

    (void)options;
    (void)snprintf(saved, sizeof(saved), "%s/saved", directory);
    golden_each(directory, ".json", visit_case, NULL);
    golden_each(saved, ".json", visit_saved, NULL);
}
