/* scheduler_config.json: defaults, old keys, and each key that is refused by name. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "core/model/scheduler_config.h"
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
    {"{\"_class_name\":\"PNDMScheduler\"}", "PNDMScheduler is not built yet"},
    {"{\"_class_name\":\"DenoisedProcess\"}", "process is required"},
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
    assert_int_equal(class_of("HeunDiscreteScheduler"),
                     sampler_find("heun") != NULL ? SCHEDULER_BUILT : SCHEDULER_NOT_BUILT);
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
        cmocka_unit_test(a_class_is_built_when_its_sampler_is),
    };
    return cmocka_run_group_tests_name("scheduler_config", tests, NULL, NULL);
}
