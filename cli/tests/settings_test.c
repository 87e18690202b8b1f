#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/settings.h"

static const struct assay_type types[] = {
    {"u16", ASSAY_T_INT, 0, ASSAY_NONE, ASSAY_NONE, 0, 65535},
    {"bool", ASSAY_T_BOOL, 0, ASSAY_NONE, ASSAY_NONE, 0, 1},
    {"Color", ASSAY_T_ENUM, 0, 0, ASSAY_NONE, 0, 0},
    {"duration", ASSAY_T_DURATION, 0, ASSAY_NONE, ASSAY_NONE, 0, INT64_MAX},
    {"text", ASSAY_T_TEXT, 0, ASSAY_NONE, ASSAY_NONE, 1, 8},
};
static const struct assay_enum enums[] = {{"Color", {0, 2}, false, false}};
static const struct assay_enum_item items[] = {{"red", 7, {0}}, {"green", 9, {0}}};
static const struct assay_option options[] = {
    {"port", "", 0, 1, {0}},
    {"loud", "", 1, 0, {0}},
    {"color", "", 2, 7, {0}},
    {"pause", "", 3, 5, {0}},
    {"name", "", 4, 0, {(const uint8_t *)"none", 4}},
};
static const struct assay_leniency leniencies[] = {{"loose", "", true, ASSAY_MAY, ASSAY_NONE},
                                                   {"spaces", "", false, ASSAY_MAY, ASSAY_NONE}};
static const struct assay_model model = {
    .limits = {.sessions = 10, .memory = 1000, .effects = 5, .output = 64, .drain = 3, .drain_time = 4},
    .types = types,
    .types_count = 5,
    .enums = enums,
    .enums_count = 1,
    .enum_items = items,
    .enum_items_count = 2,
    .options = options,
    .options_count = 5,
    .leniencies = leniencies,
    .leniencies_count = 2,
};

static struct assay_settings s;

static bool with(const char *limit, const char *param, const char *lenient, bool strict)
{
    struct assay_arg_list l = {{limit}, limit != NULL}, p = {{param}, param != NULL}, n = {{lenient}, lenient != NULL};
    assay_settings_free(&s);
    return assay_settings_read(&s, &model, &l, &p, &n, strict);
}

static void nothing_given_is_the_spec(void **state)
{
    (void)state;
    assert_true(with(NULL, NULL, NULL, false));
    assert_memory_equal(&s.limits, &model.limits, sizeof s.limits);
    assert_int_equal(s.leniencies, 1);
    assert_int_equal(s.model.options[0].value, 1);
}

static void limits_are_read(void **state)
{
    (void)state;
    assert_true(with("sessions=3", NULL, NULL, false));
    assert_int_equal(s.limits.sessions, 3);
    assert_true(with("memory=64KiB", NULL, NULL, false));
    assert_int_equal(s.limits.memory, 65536);
    assert_int_equal(s.limits.sessions, 10);
    assert_true(with("effects=2", NULL, NULL, false));
    assert_int_equal(s.limits.effects, 2);
    assert_true(with("output=0", NULL, NULL, false));
    assert_int_equal(s.limits.output, 0);
    assert_true(with("drain=0x10", NULL, NULL, false));
    assert_int_equal(s.limits.drain, 16);
    assert_true(with("drain_time=200ms", NULL, NULL, false));
    assert_int_equal(s.limits.drain_time, 200000000);
    assert_true(with("rows=7", NULL, NULL, false));
    assert_int_equal(s.limits.rows, 7);
    assert_true(with("seal=2s", NULL, NULL, false));
    assert_int_equal(s.limits.seal, 2000000000);
    static const char *const bad[] = {"sessions",     "sessions=", "sessions=0", "sessions=-1",
                                      "memory=1e3",   "=3",        "nothing=3",  "output=4294967296",
                                      "drain_time=x", "rows=0",    "seal=x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(with(bad[i], NULL, NULL, false));
}

static void params_are_read_by_their_type(void **state)
{
    (void)state;
    assert_true(with(NULL, "port=65535", NULL, false));
    assert_int_equal(s.model.options[0].value, 65535);
    assert_true(with(NULL, "loud=true", NULL, false));
    assert_int_equal(s.model.options[1].value, 1);
    assert_true(with(NULL, "color=green", NULL, false));
    assert_int_equal(s.model.options[2].value, 9);
    assert_true(with(NULL, "pause=2s", NULL, false));
    assert_int_equal(s.model.options[3].value, 2000000000);
    assert_true(with(NULL, "name=a=b", NULL, false));
    assert_int_equal(s.model.options[4].blob.n, 3);
    assert_memory_equal(s.model.options[4].blob.p, "a=b", 3);
    assert_memory_equal(options[4].blob.p, "none", 4);
    static const char *const bad[] = {"port=65536",        "port=x",     "port=",      "port=-1",
                                      "loud=maybe",        "color=blue", "pause=soon", "name=",
                                      "name=far too long", "colour=red", "port"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(with(NULL, bad[i], NULL, false));
}

static void leniencies_are_switched(void **state)
{
    (void)state;
    assert_true(with(NULL, NULL, "spaces=1", false));
    assert_int_equal(s.leniencies, 3);
    assert_true(with(NULL, NULL, "loose=0", false));
    assert_int_equal(s.leniencies, 0);
    assert_true(with(NULL, NULL, NULL, true));
    assert_int_equal(s.leniencies, 0);
    assert_true(with(NULL, NULL, "spaces=1", true));
    assert_int_equal(s.leniencies, 2);
    assert_false(with(NULL, NULL, "loose=2", false));
    assert_false(with(NULL, NULL, "lose=1", false));
    assay_settings_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_is_the_spec),
        cmocka_unit_test(limits_are_read),
        cmocka_unit_test(params_are_read_by_their_type),
        cmocka_unit_test(leniencies_are_switched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
