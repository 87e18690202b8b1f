/* What should be done and is not is a warning; what must be is judged behind it as before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/memory.h"
#include "conformance/tests/loaded.h"

#define SENT_MAX 8
#define POLITE   "conformance/tests/polite.yaml"
static struct assay_memory_result judged(const char *from, const char *to, const char *sent)
{
    struct assay_spec *right = load_spec(POLITE), *served = from ? load_changed(POLITE, from, to) : load_spec(POLITE);
    struct assay_memory_config config = {.right = {.model = assay_spec_model(right), .seed = 1},
                                         .model = assay_spec_model(served)};
    struct assay_step steps[2 * SENT_MAX];
    size_t n = 0;
    for (const char *p = sent; *p; p++) { /* each byte is a message, and answered before the next */
        steps[n++] = (struct assay_step){.kind = ASSAY_STEP_SEND, .bytes = {(const uint8_t *)p, 1}};
        steps[n++] = (struct assay_step){.kind = ASSAY_STEP_AWAIT};
    }
    const struct assay_case c = {
        .id = "p", .req = ASSAY_NONE, .field_req = ASSAY_NONE, .links = 1, .steps = steps, .step_count = n};
    struct assay_memory_result result;
    assert_true(assay_memory_run(&config, &c, &result));
    assay_spec_free(served);
    assay_spec_free(right);
    return result;
}

#define GREET_RULE   "{when: Greet, send: {Welcome: {}}"
#define GREET_UNDONE "{when: Greet, ignore: true"
#define THANK_RULE   "{when: Thank, send: {Welcome: {}}"
#define THANK_UNDONE "{when: Thank, send: {Pardon: {}}, goto: End"

static void what_is_followed_passes(void **state)
{
    (void)state;
    assert_true(judged(NULL, NULL, "\1").passed);
    assert_true(judged(NULL, NULL, "\1\2\1\3\4\1").passed);
}

static void a_rule_that_is_not_followed_is_named_with_its_level(void **state)
{
    static const char *const sent[] = {"\1", "\1\2", "\2\1\2", "\1\2\3\1\2\1"};
    (void)state;
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        struct assay_memory_result r = judged(GREET_RULE, GREET_UNDONE, sent[i]);
        assert_false(r.passed);
        assert_int_equal(r.blame.level, ASSAY_SHOULD);
        assert_int_equal(r.blame.req, 1); /* PO-2 */
    }
    assert_true(judged(GREET_RULE, GREET_UNDONE, "\2\3\4").passed); /* nobody greeted */
}

static void the_rules_behind_one_that_is_not_followed_hold(void **state)
{
    (void)state;
    struct assay_memory_result r = judged(THANK_RULE, THANK_UNDONE, "\2\4");
    assert_false(r.passed);
    assert_int_equal(r.blame.level, ASSAY_SHOULD);
    assert_int_equal(r.blame.req, 3); /* PO-4 */
    assert_string_equal(r.blame.seen, "all as if the rule were not there");
}

/* The greeting is left out, which is a pity; but then the question is answered wrongly, which is a failure. */
static void what_must_be_is_judged_behind_it(void **state)
{
    (void)state;
    struct assay_memory_result r = judged(GREET_RULE ", req: PO-2}\n      - {when: Ask, send: {Answer: {}}",
                                          GREET_UNDONE ", req: PO-2}\n      - {when: Ask, send: {Pardon: {}}", "\1\2");
    assert_false(r.passed);
    assert_int_equal(r.blame.level, ASSAY_MUST);
    assert_int_equal(r.blame.req, 0); /* PO-1 */
}

static void what_may_be_left_out_is_told_as_such(void **state)
{
    (void)state;
    struct assay_memory_result r = judged("{when: Flatter, send: {Blush: {}}", "{when: Flatter, ignore: true", "\3");
    assert_false(r.passed);
    assert_int_equal(r.blame.level, ASSAY_MAY);
    assert_int_equal(r.blame.req, 2); /* PO-3 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_followed_passes),
        cmocka_unit_test(a_rule_that_is_not_followed_is_named_with_its_level),
        cmocka_unit_test(the_rules_behind_one_that_is_not_followed_hold),
        cmocka_unit_test(what_must_be_is_judged_behind_it),
        cmocka_unit_test(what_may_be_left_out_is_told_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
