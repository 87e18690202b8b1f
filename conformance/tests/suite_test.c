#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "conformance/export.h"
#include "conformance/memory.h"
#include "conformance/tests/loaded.h"
#include "core/engine.h"

static const char *const specs[] = {"spec/candy.yaml", "spec/msglog.yaml", "conformance/tests/calc.yaml",
                                    "conformance/tests/wide.yaml", "conformance/tests/issued.yaml"};
#define SPECS (sizeof specs / sizeof specs[0])

struct bench {
    struct assay_spec *spec;
    const struct assay_model *model;
    struct assay_suite *suite;
    struct assay_memory_config memory;
};

static struct bench start_with(struct assay_spec *spec, bool faults)
{
    struct assay_suite_options options = {.seed = 1, .faults = faults};
    struct bench b = {.spec = spec};
    b.model = assay_spec_model(b.spec);
    b.suite = assay_suite_make(b.spec, &options);
    assert_non_null(b.suite);
    b.memory.right =
        (struct assay_oracle_config){.model = b.model, .leniencies = assay_leniencies_default(b.model), .seed = 1};
    b.memory.model = b.model;
    return b;
}

static struct bench start(const char *path, bool faults)
{
    return start_with(load_spec(path), faults);
}

static void stop(struct bench *b)
{
    assay_suite_free(b->suite);
    assay_spec_free(b->spec);
}

static void all_pass(const struct bench *b)
{
    for (size_t i = 0; i < b->suite->count; i++) {
        struct assay_memory_result r;
        assert_true(assay_memory_run(&b->memory, &b->suite->cases[i], &r));
        if (!r.passed)
            print_error("%s: expected %s, seen %s\n", b->suite->cases[i].id, r.blame.expected, r.blame.seen);
        assert_true(r.passed);
    }
}

static void test_the_right_model_passes(void **state)
{
    (void)state;
    for (size_t k = 0; k < SPECS; k++) {
        struct bench b = start(specs[k], true);
        assert_true(b.suite->count > 100);
        all_pass(&b);
        print_message("%s: %zu cases\n", specs[k], b.suite->count);
        stop(&b);
    }
}

/* How far the first message with a number of its own is ahead of its turn. */
static int32_t first_offset(const struct assay_case *c)
{
    for (size_t i = 0; i < c->step_count; i++)
        if (c->steps[i].stamp.kind == ASSAY_STAMP_NUMBER)
            return c->steps[i].stamp.offset;
    fail_msg("%s sends nothing that is numbered", c->id);
    return 0;
}

/* What is far ahead is so where numbers wrap soon, too. */
static void test_few_numbers_and_small_windows(void **state)
{
    static const struct {
        const char *window;
        int32_t least, most;
    } tried[] = {{"window: 1", 1, 32768}, {"window: 1\n    wrap: u8", 1, 128}, {"window: 128\n    wrap: u8", 128, 128}};
    (void)state;
    for (size_t k = 0; k < sizeof tried / sizeof tried[0]; k++) {
        struct bench b = start_with(load_changed("conformance/tests/wide.yaml", "window: 256", tried[k].window), false);
        int32_t far = first_offset(case_named(b.suite, "wide/live/lossy/note-far-ahead"));
        assert_in_range(far, tried[k].least, tried[k].most);
        all_pass(&b);
        stop(&b);
    }
}

/* Every case fails against a target that says nothing, or against one that closes at once. */
static void test_every_case_can_fail(void **state)
{
    (void)state;
    for (size_t k = 0; k < SPECS; k++) {
        struct bench b = start(specs[k], true);
        for (size_t i = 0; i < b.suite->count; i++) {
            struct assay_memory_result mute, closer;
            b.memory.host = ASSAY_HOST_MUTE;
            assert_true(assay_memory_run(&b.memory, &b.suite->cases[i], &mute));
            b.memory.host = ASSAY_HOST_CLOSER;
            assert_true(assay_memory_run(&b.memory, &b.suite->cases[i], &closer));
            assert_false(mute.passed && closer.passed);
        }
        stop(&b);
    }
}

static void test_ids_are_stable(void **state)
{
    static const char *const msglog[] = {"msglog/name/name/example-1",
                                         "msglog/name/name/example-2",
                                         "msglog/name/name/name-first-00",
                                         "msglog/password/password/password-first-02",
                                         "msglog/ready/message/text-empty",
                                         "msglog/name/unknown/name-phase-0",
                                         "msglog/name/eof/between-frames",
                                         "msglog/ready/eof-in-frame/close-example-1-cut-1",
                                         "msglog/ready/framing/hundreds-at-once",
                                         "msglog/ready/framing/behind-the-end",
                                         "msglog/ready/framing/byte-by-byte",
                                         "msglog/ready/sessions/many-in-turn",
                                         "msglog/ready/effect/record-text-sample-2"};
    static const char *const candy[] = {
        "candy/open/order/square-count-46341", "candy/open/oversize/order-content-one-too-large",
        "candy/open/malformed/order-count-sign-only", "candy/open/unknown/order-kind-unknown"};
    struct bench b = start(specs[1], false);
    (void)state;
    for (size_t i = 0; i < sizeof msglog / sizeof msglog[0]; i++)
        case_named(b.suite, msglog[i]);
    for (size_t i = 0; i < b.suite->count; i++) {
        if (i)
            assert_true(strcmp(b.suite->cases[i - 1].id, b.suite->cases[i].id) < 0);
        for (const char *p = b.suite->cases[i].id; *p; p++)
            assert_false(isupper((unsigned char)*p) || isspace((unsigned char)*p));
    }
    stop(&b);
    b = start(specs[0], false);
    for (size_t i = 0; i < sizeof candy / sizeof candy[0]; i++)
        case_named(b.suite, candy[i]);
    stop(&b);
}

static void test_cases_name_their_requirement(void **state)
{
    struct bench b = start(specs[1], false);
    (void)state;
    assert_int_equal(case_named(b.suite, "msglog/name/name/example-1")->req, requirement_named(b.model, "ML-4"));
    assert_int_equal(case_named(b.suite, "msglog/name/name/example-2")->req, requirement_named(b.model, "ML-4"));
    assert_int_equal(case_named(b.suite, "msglog/ready/password/example-1")->req, requirement_named(b.model, "ML-1"));
    assert_int_equal(case_named(b.suite, "msglog/name/unknown/name-phase-0")->req, requirement_named(b.model, "ML-2"));
    assert_int_equal(case_named(b.suite, "msglog/ready/eof-in-frame/close-example-1-cut-1")->req,
                     requirement_named(b.model, "ML-7"));
    const struct assay_case *c = case_named(b.suite, "msglog/ready/effect/record-text-sample-2");
    assert_string_equal(c->observe, "record");
    assert_int_equal(c->class, ASSAY_CASE_SHARED);
    stop(&b);
    b = start(specs[0], false);
    assert_int_equal(case_named(b.suite, "candy/open/order/count-plus")->level, ASSAY_MAY); /* a leniency */
    assert_int_equal(case_named(b.suite, "candy/open/order/square-count-1")->level, ASSAY_MUST);
    assert_int_equal(case_named(b.suite, "candy/open/order/count-plus")->req, requirement_named(b.model, "CA-7"));
    assert_int_equal(case_named(b.suite, "candy/open/order/count-tail")->req, requirement_named(b.model, "CA-7"));
    assert_int_equal(case_named(b.suite, "candy/open/order/segment-order-example-1")->req,
                     requirement_named(b.model, "CA-6"));
    assert_int_equal(case_named(b.suite, "candy/open/order/segment-order-example-1")->level, ASSAY_MAY);
    assert_int_equal(case_named(b.suite, "candy/open/order/example-1")->req, requirement_named(b.model, "CA-1"));
    stop(&b);
}

static void test_filter(void **state)
{
    struct assay_suite_options options = {.seed = 1, .filter = "msglog/ready/framing/*"};
    struct assay_spec *spec = load_spec(specs[1]);
    (void)state;
    struct assay_suite *suite = assay_suite_make(spec, &options);
    assert_true(suite->count > 3);
    for (size_t i = 0; i < suite->count; i++)
        assert_memory_equal(suite->cases[i].id, "msglog/ready/framing/", 21);
    assay_suite_free(suite);
    assay_spec_free(spec);
}

/* ---- export ------------------------------------------------------------ */

static cJSON *exported(struct bench *b)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_true(assay_export_json(b->suite, NULL, b->memory.right.leniencies, 1, f));
    fclose(f);
    cJSON *json = cJSON_Parse(text);
    free(text);
    assert_non_null(json);
    return json;
}

static const cJSON *exported_case(const cJSON *json, const char *id)
{
    const cJSON *c;
    cJSON_ArrayForEach(
        c, cJSON_GetObjectItem(json, "cases")) if (strcmp(cJSON_GetObjectItem(c, "id")->valuestring, id) == 0) return c;
    fail_msg("%s was not exported", id);
    return NULL;
}

/* By hand: the empty name (01 0000) is answered ff, and the connection is closed. */
static void test_export_says_what_is_permitted(void **state)
{
    struct bench b = start(specs[1], false);
    cJSON *json = exported(&b);
    (void)state;
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "cases")), b.suite->count);
    const cJSON *c = exported_case(json, "msglog/name/name/example-2");
    const cJSON *outcomes = cJSON_GetArrayItem(cJSON_GetObjectItem(c, "expect"), 0);
    assert_int_equal(cJSON_GetArraySize(outcomes), 1);
    const cJSON *only = cJSON_GetArrayItem(outcomes, 0);
    assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(only, "bytes"), 0)->valuestring, "ff");
    assert_string_equal(cJSON_GetObjectItem(only, "end")->valuestring, "fin");
    assert_string_equal(
        cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(c, "steps"), 0), "send")->valuestring, "010000");
    cJSON_Delete(json);
    stop(&b);
}

static void test_export_of_free_fields(void **state)
{
    struct bench b = start(specs[0], false);
    cJSON *json = exported(&b);
    (void)state;
    const cJSON *c = exported_case(json, "candy/open/unknown/order-kind-unknown");
    const cJSON *bytes =
        cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetArrayItem(cJSON_GetObjectItem(c, "expect"), 0), 0), "bytes");
    const cJSON *free_part = cJSON_GetObjectItem(cJSON_GetArrayItem(bytes, 0), "free");
    assert_non_null(free_part);
    assert_string_equal(cJSON_GetObjectItem(free_part, "message")->valuestring, "Error");
    assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(free_part, "any"), 0)->valuestring, "text");
    cJSON_Delete(json);
    stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_right_model_passes),        cmocka_unit_test(test_few_numbers_and_small_windows),
        cmocka_unit_test(test_every_case_can_fail),           cmocka_unit_test(test_ids_are_stable),
        cmocka_unit_test(test_cases_name_their_requirement),  cmocka_unit_test(test_filter),
        cmocka_unit_test(test_export_says_what_is_permitted), cmocka_unit_test(test_export_of_free_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
