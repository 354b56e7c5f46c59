/* scheduler_config.json: defaults, old keys, and each key that is refused by name. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "core/model/scheduler_config.h"
#include "core/model/scheduler_inside.h"
#include "tests/support/folder.h"

#include <stdio.h>
#include <string.h>

static bool parse(const char *text, struct process_config *config, struct error *error)
{
    cJSON *json = cJSON_Parse(text);
    bool good;

    assert_non_null(json);
    good = scheduler_config_parse(json, "scheduler_config.json", config, error);
    cJSON_Delete(json);
    return good;
}

static struct process_config parsed(const char *text)
{
    struct process_config config;
    struct error error;

    if (!parse(text, &config, &error))
        fail_msg("%s", error.text);
    return config;
}

static void no_file_and_an_empty_one_are_ddpm_as_it_comes(void **state)
{
    const struct process_config usual = process_config_default(PROCESS_TABLE);
    struct process_config config;
    struct error error;

    (void)state;
    assert_true(scheduler_config_parse(NULL, "scheduler_config.json", &config, &error));
    assert_string_equal(config.schedule.class_name, "DDPMScheduler");
    assert_string_equal(config.schedule.sampler, "ddpm");
    assert_int_equal(config.schedule.timesteps, 1000);
    assert_int_equal(config.schedule.clip_sample, NOT_GIVEN);
    config = parsed("{\"tensor_format\":\"pt\",\"_x\":1,\"unknown\":[]}");
    assert_int_equal(config.schedule.timesteps, usual.schedule.timesteps);
    assert_true(config.schedule.beta_end == usual.schedule.beta_end);
    assert_int_equal(config.schedule.head, HEAD_EPSILON);
}

static void every_key_is_read(void **state)
{
    struct process_config config = parsed(
        "{\"_class_name\":\"DDIMScheduler\",\"num_train_timesteps\":200.0,\"beta_start\":0.001,"
        "\"beta_end\":0.03,\"beta_schedule\":\"scaled_linear\",\"trained_betas\":null,"
        "\"rescale_betas_zero_snr\":true,\"prediction_type\":\"v_prediction\","
        "\"variance_type\":\"fixed_large\",\"timestep_spacing\":\"trailing\",\"steps_offset\":1,"
        "\"set_alpha_to_one\":false,\"clip_sample\":false,\"clip_sample_range\":2,"
        "\"thresholding\":true,\"dynamic_thresholding_ratio\":0.9,\"sample_max_value\":3}");

    (void)state;
    assert_string_equal(config.schedule.class_name, "DDIMScheduler");
    assert_string_equal(config.schedule.sampler, "ddim");
    assert_int_equal(config.schedule.timesteps, 200);
    assert_true(config.schedule.beta_start == 0.001 && config.schedule.beta_end == 0.03);
    assert_int_equal(config.schedule.beta_schedule, BETA_SCALED_LINEAR);
    assert_null(config.schedule.trained_betas);
    assert_true(config.schedule.rescale_betas_zero_snr);
    assert_int_equal(config.schedule.head, HEAD_V);
    assert_true(config.options.value[OPTION_VARIANCE_TYPE] == (double)VARIANCE_FIXED_LARGE);
    assert_true(config.options.value[OPTION_SPACING] == (double)SPACING_TRAILING);
    assert_int_equal(config.schedule.steps_offset, 1);
    assert_int_equal(config.schedule.set_alpha_to_one, GIVEN_FALSE);
    assert_int_equal(config.schedule.clip_sample, GIVEN_FALSE);
    assert_true(config.schedule.clip_sample_range == 2.0);
    assert_true(config.schedule.thresholding);
    assert_true(config.schedule.dynamic_thresholding_ratio == 0.9 &&
                config.schedule.sample_max_value == 3.0);
}

static void old_keys_still_count(void **state)
{
    (void)state;
    assert_int_equal(parsed("{\"predict_epsilon\":false}").schedule.head, HEAD_SAMPLE);
    assert_int_equal(parsed("{\"predict_epsilon\":true}").schedule.head, HEAD_EPSILON);
    assert_int_equal(
        parsed("{\"predict_epsilon\":false,\"prediction_type\":\"epsilon\"}").schedule.head,
        HEAD_EPSILON);
    assert_int_equal(parsed("{\"set_alpha_to_zero\":false}").schedule.set_alpha_to_one,
                     GIVEN_FALSE);
    assert_int_equal(
        parsed("{\"set_alpha_to_zero\":false,\"set_alpha_to_one\":true}").schedule.set_alpha_to_one,
        GIVEN_TRUE);
}

static void trained_betas_are_read_in_order(void **state)
{
    struct process_config config =
        parsed("{\"num_train_timesteps\":3,\"trained_betas\":[0,0.25,0.5]}");

    (void)state;
    assert_non_null(config.schedule.trained_betas);
    assert_true(config.schedule.trained_betas[0] == 0.0 && config.schedule.trained_betas[2] == 0.5);
    scheduler_config_finish(&config);
    assert_null(config.schedule.trained_betas);
}

static const struct {
    const char *text, *words;
} broken[] = {
    {"{\"_class_name\":\"DenoisedProcess\"}", "process is required"},
    {"{\"use_beta_sigmas\":true}", "use_beta_sigmas true is not built"},
    {"{\"use_lu_lambdas\":true}", "use_lu_lambdas"},
    {"{\"use_flow_sigmas\":true}", "use_flow_sigmas"},
    {"{\"use_dynamic_shifting\":true}", "use_dynamic_shifting"},
    {"{\"invert_sigmas\":true}", "invert_sigmas"},
    {"{\"shift_terminal\":0.1}", "shift_terminal other than null"},
    {"{\"solver_p\":{}}", "solver_p"},
    {"{\"timestep_type\":\"continuous\"}", "timestep_type"},
    {"{\"interpolation_type\":\"log_linear\"}", "interpolation_type"},
    {"{\"algorithm_type\":\"dpmsolver\"}", "algorithm_type"},
    {"{\"predict_x0\":false}", "predict_x0"},
    {"{\"solver_order\":4}", "solver_order must be an integer 1..3"},
    {"{\"final_sigmas_type\":\"one\"}", "final_sigmas_type must be one of zero sigma_min"},
    {"{\"disable_corrector\":[0.5]}", "disable_corrector[0]"},
    {"{\"disable_corrector\":7}", "disable_corrector must be"},
    {"{\"lambda_min_clipped\":\"x\"}", "lambda_min_clipped"},
    {"{\"_class_name\":\"LMSDiscreteScheduler\"}", "LMSDiscreteScheduler|unknown"},
    {"{\"_class_name\":7}", "_class_name must be a string"},
    {"{\"_class_name\":null}", "_class_name|unknown"},
    {"{\"num_train_timesteps\":0}", "num_train_timesteps must be an integer 2..100000, got 0"},
    {"{\"num_train_timesteps\":1000000000}", "num_train_timesteps|1000000000"},
    {"{\"num_train_timesteps\":\"1000\"}", "num_train_timesteps"},
    {"{\"beta_start\":-1}", "beta_start"},
    {"{\"beta_start\":\"\"}", "beta_start"},
    {"{\"beta_start\":0}", "beta_start"},
    {"{\"beta_end\":1}", "beta_end"},
    {"{\"beta_end\":1e999}", "beta_end"},
    {"{\"beta_start\":0.03}", "beta_start|above beta_end"},
    {"{\"beta_schedule\":\"cosine\"}", "beta_schedule must be one of linear |got \"cosine\""},
    {"{\"beta_schedule\":null}", "beta_schedule|got null"},
    {"{\"prediction_type\":\"flow_prediction\"}", "prediction_type|epsilon|flow_prediction"},
    {"{\"variance_type\":\"fixed_large_log\"}", "variance_type|fixed_large_log"},
    {"{\"timestep_spacing\":\"karras\"}", "timestep_spacing|leading linspace trailing|karras"},
    {"{\"steps_offset\":0.5}", "steps_offset"},
    {"{\"clip_sample\":\"yes\"}", "clip_sample must be true or false, got \"yes\""},
    {"{\"clip_sample_range\":0}", "clip_sample_range"},
    {"{\"thresholding\":1}", "thresholding"},
    {"{\"dynamic_thresholding_ratio\":1.5}", "dynamic_thresholding_ratio"},
    {"{\"sample_max_value\":-1}", "sample_max_value"},
    {"{\"set_alpha_to_one\":1}", "set_alpha_to_one"},
    {"{\"rescale_betas_zero_snr\":\"\"}", "rescale_betas_zero_snr"},
    {"{\"predict_epsilon\":0}", "predict_epsilon"},
    {"{\"trained_betas\":[0.1]}", "trained_betas|num_train_timesteps"},
    {"{\"trained_betas\":0.1}", "trained_betas"},
    {"{\"num_train_timesteps\":2,\"trained_betas\":[0.1,1]}", "trained_betas[1]"},
    {"{\"num_train_timesteps\":2,\"trained_betas\":[-0.1,0.1]}", "trained_betas[0]"},
    {"{\"num_train_timesteps\":2,\"trained_betas\":[0.1,\"\"]}", "trained_betas[1]"},
};

static void each_bad_key_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct process_config config;
        struct error error;

        if (parse(broken[i].text, &config, &error))
            fail_msg("%s was read", broken[i].text);
        assert_int_equal(error.code, ERROR_BAD_MODEL);
        assert_error_says(&error, "scheduler_config.json: ");
        assert_error_says(&error, broken[i].words);
        assert_null(config.schedule.trained_betas);
    }
}

/* --- DenoisedProcess, whether or not its sampler is built --- */

static bool read_process(const char *text, struct process_config *config, struct error *error)
{
    cJSON *json = cJSON_Parse(text);
    const struct config_object object = {.json = json, .path = "scheduler_config.json"};
    bool good;

    assert_non_null(json);
    *config = process_config_default(PROCESS_TABLE);
    good = scheduler_read_process(&object, config, error);
    cJSON_Delete(json);
    return good;
}

static void every_process_can_be_declared(void **state)
{
    static const struct {
        const char *text;
        enum process_type type;
        enum head head;
        const char *sampler;
    } rows[] = {
        {"{\"process\":\"ve\",\"levels\":[20,5,1],\"prediction_type\":\"score\"}", PROCESS_VE,
         HEAD_SCORE, "annealed_langevin"},
        {"{\"process\":\"ve\",\"prediction_type\":\"epsilon\",\"sigma_max\":30,\"snr\":0.2}",
         PROCESS_VE, HEAD_EPSILON, "predictor_corrector"},
        {"{\"process\":\"ve_linear\",\"sigma_q\":10,\"prediction_type\":\"sample\"}",
         PROCESS_VE_LINEAR, HEAD_SAMPLE, "ve_ddpm"},
        {"{\"process\":\"ou\",\"t_max\":5,\"prediction_type\":\"score\",\"_x\":0}", PROCESS_OU,
         HEAD_SCORE, "sde_euler_maruyama"},
        {"{\"process\":\"ou_finite\",\"prediction_type\":\"v_prediction\"}", PROCESS_OU_FINITE,
         HEAD_V, "pf_ode"},
        {"{\"process\":\"sub_vp\",\"beta_min\":0.1,\"beta_max\":20,\"prediction_type\":"
         "\"epsilon\",\"sampling_eps\":0.01}",
         PROCESS_SUB_VP, HEAD_EPSILON, "sde_euler_maruyama"},
        {"{\"process\":\"vp\",\"prediction_type\":\"sample\",\"num_train_timesteps\":100}",
         PROCESS_VP, HEAD_SAMPLE, "sde_euler_maruyama"},
        {"{\"process\":\"flow\",\"base\":{\"kind\":\"annulus\",\"inner\":4,\"outer\":5},"
         "\"prediction_type\":\"velocity\",\"shift\":3}",
         PROCESS_FLOW, HEAD_VELOCITY, "flow_euler"},
        {"{\"process\":\"flow\",\"base\":{\"kind\":\"uniform\",\"low\":-1,\"high\":2},"
         "\"prediction_type\":\"sample\"}",
         PROCESS_FLOW, HEAD_SAMPLE, "flow_euler"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cJSON *json = cJSON_Parse(rows[i].text);
        struct process_config config;
        struct process process;
        struct error error;

        if (!read_process(rows[i].text, &config, &error))
            fail_msg("%s", error.text);
        assert_int_equal(config.type, rows[i].type);
        assert_int_equal(config.schedule.head, rows[i].head);
        assert_int_equal(config.schedule.clip_sample, GIVEN_FALSE);
        assert_string_equal(scheduler_process_sampler(json), rows[i].sampler);
        if (!process_init(&process, &config, &error))
            fail_msg("%s", error.text);
        process_finish(&process);
        scheduler_config_finish(&config);
        cJSON_Delete(json);
    }
}

static void what_a_process_says_is_kept(void **state)
{
    struct process_config config;
    struct error error;

    (void)state;
    assert_true(read_process("{\"process\":\"ve\",\"prediction_type\":\"score\",\"snr\":0.2,"
                             "\"correct_steps\":3,\"sampling_eps\":0.001,\"model_time\":\"time\","
                             "\"time_scale\":7,\"sigma_min\":0.5,\"sigma_max\":9}",
                             &config, &error));
    assert_true(config.options.value[OPTION_SNR] == .2);
    assert_true(config.options.value[OPTION_CORRECT_STEPS] == 3.0);
    assert_true(config.options.given[OPTION_SAMPLING_EPS]);
    assert_int_equal(config.model_time, MODEL_TIME_TIME);
    assert_true(config.time_scale == 7.0 && config.sigma_min == .5 && config.sigma_max == 9.0);
}

static void a_process_names_each_key_that_it_cannot_have(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"{}", "process is required"},
        {"{\"process\":\"table\",\"prediction_type\":\"score\"}", "process must be one of vp"},
        {"{\"process\":7}", "process must be one of vp"},
        {"{\"process\":\"vp\"}", "prediction_type is required"},
        {"{\"process\":\"vp\",\"prediction_type\":\"score\",\"betas\":1}", "unknown key betas"},
        {"{\"process\":\"vp\",\"prediction_type\":\"score\",\"sigma_max\":1}",
         "sigma_max is no key of process vp"},
        {"{\"process\":\"ou\",\"prediction_type\":\"score\",\"snr\":0.1}",
         "snr is no key of process ou"},
        {"{\"process\":\"ou\",\"prediction_type\":\"score\",\"t_max\":50}", "t_max must be"},
        {"{\"process\":\"ve_linear\",\"prediction_type\":\"score\"}", "sigma_q is required"},
        {"{\"process\":\"ve\",\"prediction_type\":\"score\",\"levels\":[1]}", "levels must be"},
        {"{\"process\":\"ve\",\"prediction_type\":\"score\",\"levels\":[2,1],\"sigma_max\":2}",
         "levels already say"},
        {"{\"process\":\"ve\",\"prediction_type\":\"score\",\"time_scale\":2}", "time_scale"},
        {"{\"process\":\"flow\",\"prediction_type\":\"velocity\",\"base\":{\"kind\":\"disc\"}}",
         "base must be"},
        {"{\"process\":\"flow\",\"prediction_type\":\"velocity\",\"base\":{\"kind\":"
         "\"gaussian\",\"low\":1}}",
         "unknown key base.low"},
        {"{\"process\":\"flow\",\"prediction_type\":\"velocity\",\"base\":{\"kind\":"
         "\"uniform\",\"low\":1}}",
         "base needs low and high"},
        {"{\"process\":\"flow\",\"prediction_type\":\"velocity\",\"shift\":0}", "shift"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct process_config config;
        struct error error;

        if (read_process(rows[i].text, &config, &error))
            fail_msg("%s was read", rows[i].text);
        assert_int_equal(error.code, ERROR_BAD_MODEL);
        assert_error_says(&error, rows[i].words);
        scheduler_config_finish(&config);
    }
}

/* --- options that a class gives --- */

static void options_of_samplers_are_kept_with_whether_they_were_given(void **state)
{
    const struct process_config plain = parsed("{}");
    struct process_config config =
        parsed("{\"solver_order\":3,\"solver_type\":\"heun\",\"use_karras_sigmas\":true,"
               "\"final_sigmas_type\":\"sigma_min\",\"lower_order_final\":false,\"sigma_max\":null,"
               "\"sigma_min\":0.1,\"disable_corrector\":[0,2],\"skip_prk_steps\":true,"
               "\"variance_type\":null,\"lambda_min_clipped\":-5.1,\"snr\":0.5}");

    (void)state;
    for (int i = 0; i < OPTION_COUNT; i++)
        assert_false(plain.options.given[i]);
    assert_true(config.options.value[OPTION_SOLVER_ORDER] == 3.0);
    assert_true(config.options.value[OPTION_SOLVER_TYPE] == (double)SOLVER_HEUN);
    assert_true(config.options.value[OPTION_USE_KARRAS_SIGMAS] == 1.0);
    assert_true(config.options.value[OPTION_FINAL_SIGMAS_TYPE] == (double)FINAL_SIGMA_MIN);
    assert_true(config.options.given[OPTION_LOWER_ORDER_FINAL]);
    assert_true(config.options.value[OPTION_LOWER_ORDER_FINAL] == 0.0);
    assert_false(config.options.given[OPTION_SIGMA_MAX]);
    assert_true(config.options.value[OPTION_SIGMA_MIN] == .1);
    assert_true(config.options.value[OPTION_DISABLE_CORRECTOR] == 2.0);
    assert_int_equal(config.options.list[OPTION_DISABLE_CORRECTOR][1], 2);
    assert_false(config.options.given[OPTION_VARIANCE_TYPE]);
    assert_false(config.options.given[OPTION_SNR]);
    assert_true(config.schedule.lambda_min_clipped == -5.1);
    scheduler_config_finish(&config);
    config = parsed("{\"solver_type\":\"bh2\"}");
    assert_false(config.options.given[OPTION_SOLVER_TYPE]);
}

static enum scheduler_class class_of(const char *name)
{
    cJSON *json = cJSON_CreateObject();
    enum scheduler_class class;

    cJSON_AddStringToObject(json, "_class_name", name);
    class = scheduler_class_of(json);
    cJSON_Delete(json);
    return class;
}

static void a_class_is_built_when_its_sampler_is(void **state)
{
    (void)state;
    assert_int_equal(class_of("DDPMScheduler"), SCHEDULER_BUILT);
    assert_int_equal(class_of("DDIMScheduler"), SCHEDULER_BUILT);
    assert_int_equal(class_of("HeunDiscreteScheduler"), SCHEDULER_BUILT);
    assert_int_equal(class_of("ddpm"), SCHEDULER_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_and_an_empty_one_are_ddpm_as_it_comes),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(old_keys_still_count),
        cmocka_unit_test(trained_betas_are_read_in_order),
        cmocka_unit_test(each_bad_key_is_named),
        cmocka_unit_test(every_process_can_be_declared),
        cmocka_unit_test(what_a_process_says_is_kept),
        cmocka_unit_test(a_process_names_each_key_that_it_cannot_have),
        cmocka_unit_test(options_of_samplers_are_kept_with_whether_they_were_given),
        cmocka_unit_test(a_class_is_built_when_its_sampler_is),
    };
    return cmocka_run_group_tests_name("scheduler_config", tests, NULL, NULL);
}
