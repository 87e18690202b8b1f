#include "conformance/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const struct assay_requirement requirements[] = {{.id = "R-1"}, {.id = "R-2"}};
static const struct assay_model model = {.requirements = requirements, .requirements_count = 2};

static const struct assay_case must = {.id = "m", .req = 0, .field_req = ASSAY_NONE, .level = ASSAY_MUST};
static const struct assay_case should = {.id = "s", .req = 0, .field_req = ASSAY_NONE, .level = ASSAY_SHOULD};
static const struct assay_case may = {.id = "y", .req = 0, .field_req = ASSAY_NONE, .level = ASSAY_MAY};

static struct assay_played found(enum assay_finding finding)
{
    struct assay_played p = {.finding = finding};
    p.blame = (struct assay_blame){.rule = ASSAY_NONE, .req = 1, .state = ASSAY_NONE, .level = ASSAY_MUST};
    return p;
}

static struct assay_result judge(const struct assay_judging *judging, const struct assay_case *c, struct assay_played p)
{
    struct assay_result r = {0};
    assay_judge(judging, c, &p, &r);
    return r;
}

static void the_weaker_level_of_case_and_rule_decides(void **state)
{
    (void)state;
    struct assay_judging lax = {.model = &model}, strict = {.model = &model, .strict = true};
    struct assay_played mismatch = found(ASSAY_FOUND_MISMATCH), should_broken = mismatch;
    should_broken.blame.level = ASSAY_SHOULD;
    assert_int_equal(judge(&lax, &must, mismatch).verdict, ASSAY_VERDICT_FAIL);
    assert_int_equal(judge(&lax, &must, mismatch).req, 1);
    assert_int_equal(judge(&lax, &must, should_broken).verdict, ASSAY_VERDICT_WARN);
    assert_int_equal(judge(&lax, &should, mismatch).verdict, ASSAY_VERDICT_WARN);
    assert_int_equal(judge(&lax, &should, mismatch).req, 0); /* the case's own, as it is the weaker one */
    assert_int_equal(judge(&strict, &should, mismatch).verdict, ASSAY_VERDICT_FAIL);
    assert_int_equal(judge(&lax, &may, mismatch).verdict, ASSAY_VERDICT_UNSUPPORTED);
    assert_int_equal(judge(&strict, &may, mismatch).verdict, ASSAY_VERDICT_UNSUPPORTED);
    assert_int_equal(judge(&lax, &must, found(ASSAY_FOUND_AGREES)).verdict, ASSAY_VERDICT_PASS);
}

static void the_harness_own_lateness_is_never_a_failure(void **state)
{
    (void)state;
    struct assay_judging late = {.model = &model, .late = true, .alone = true}, fine = {.model = &model};
    struct assay_played by_time = found(ASSAY_FOUND_LATE), by_bytes = found(ASSAY_FOUND_MISMATCH);
    by_time.by_time = true;
    assert_int_equal(judge(&late, &must, by_time).verdict, ASSAY_VERDICT_INCONCLUSIVE);
    assert_int_equal(judge(&fine, &must, by_time).verdict, ASSAY_VERDICT_FAIL);
    assert_int_equal(judge(&late, &must, by_bytes).verdict, ASSAY_VERDICT_FAIL); /* no time makes wrong bytes right */
}

static void what_may_stem_from_time_or_crowding_is_repeated_alone(void **state)
{
    (void)state;
    struct assay_judging crowd = {.model = &model}, alone = {.model = &model, .alone = true};
    struct assay_judging alone_late = {.model = &model, .alone = true, .late = true};
    struct assay_played late = found(ASSAY_FOUND_LATE), wrong = found(ASSAY_FOUND_MISMATCH), ended = wrong;
    assert_true(assay_judge_again(&crowd, &late));
    assert_false(assay_judge_again(&alone, &late));
    assert_true(assay_judge_again(&alone_late, &late));
    assert_false(assay_judge_again(&crowd, &wrong));
    ended.by_end = true; /* before a single byte came */
    assert_true(assay_judge_again(&crowd, &ended));
    assert_false(assay_judge_again(&alone, &ended));
    ended.saw_any = true;
    assert_false(assay_judge_again(&crowd, &ended));
    struct assay_played refused = found(ASSAY_FOUND_REFUSED);
    assert_true(assay_judge_again(&crowd, &refused));
    assert_false(assay_judge_again(&alone, &refused));
    assert_int_equal(judge(&alone, &must, refused).verdict, ASSAY_VERDICT_ERROR);
    assert_false(judge(&alone, &must, refused).ran);
}

static int exit_with(enum assay_verdict verdict, enum assay_level level, bool ran)
{
    struct assay_tally tally = {0};
    struct assay_result pass = {.c = &must, .ran = true},
                        r = {.c = &must, .verdict = verdict, .level = level, .ran = ran};
    if (ran)
        assay_tally_add(&tally, &pass);
    assay_tally_add(&tally, &r);
    return assay_tally_exit(&tally);
}

static void exit_codes_follow_the_verdicts(void **state)
{
    (void)state;
    assert_int_equal(exit_with(ASSAY_VERDICT_PASS, ASSAY_MUST, true), 0);
    assert_int_equal(exit_with(ASSAY_VERDICT_WARN, ASSAY_SHOULD, true), 0);
    assert_int_equal(exit_with(ASSAY_VERDICT_UNSUPPORTED, ASSAY_MAY, true), 0);
    assert_int_equal(exit_with(ASSAY_VERDICT_INCONCLUSIVE, ASSAY_SHOULD, true), 0);
    assert_int_equal(exit_with(ASSAY_VERDICT_INCONCLUSIVE, ASSAY_MUST, true), 1);
    assert_int_equal(exit_with(ASSAY_VERDICT_FAIL, ASSAY_MUST, true), 1);
    assert_int_equal(exit_with(ASSAY_VERDICT_ERROR, ASSAY_MUST, true), 1);
    assert_int_equal(exit_with(ASSAY_VERDICT_UNSUPPORTED, ASSAY_MUST, false), 5);
    assert_int_equal(assay_tally_exit(&(struct assay_tally){0}), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_weaker_level_of_case_and_rule_decides),
        cmocka_unit_test(the_harness_own_lateness_is_never_a_failure),
        cmocka_unit_test(what_may_stem_from_time_or_crowding_is_repeated_alone),
        cmocka_unit_test(exit_codes_follow_the_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
