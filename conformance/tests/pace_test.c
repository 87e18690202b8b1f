#include "conformance/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "net/clock.h"

static void waiting_grows_with_the_round_trip_and_the_users_factor(void **state)
{
    (void)state;
    struct assay_pace pace, twice;
    assay_pace_init(&pace, 1);
    assay_pace_init(&twice, 2);
    assert_int_equal(assay_pace_patience(&twice), 2 * assay_pace_patience(&pace));
    assert_int_equal(assay_pace_quiet(&twice, true), 2 * assay_pace_quiet(&pace, true));
    assert_true(assay_pace_quiet(&pace, false) > assay_pace_quiet(&pace, true));
    int64_t quiet = assay_pace_quiet(&pace, true), patience = assay_pace_patience(&pace);
    for (int i = 0; i < 100; i++)
        assay_pace_sample(&pace, 500 * ASSAY_MS);
    assert_true(assay_pace_quiet(&pace, true) > quiet);
    assert_true(assay_pace_quiet(&pace, true) >= 4 * 490 * ASSAY_MS);
    assert_true(assay_pace_patience(&pace) >= 20 * 490 * ASSAY_MS);
    assert_true(assay_pace_patience(&pace) > patience);
    assert_int_equal(pace.slowest, 500 * ASSAY_MS);
}

static void impatience_shortens_only_what_is_not_measured(void **state)
{
    (void)state;
    struct assay_pace pace;
    assay_pace_init(&pace, 1);
    int64_t patience = assay_pace_patience(&pace);
    pace.impatient = true;
    assert_true(assay_pace_patience(&pace) < patience);
    for (int i = 0; i < 100; i++)
        assay_pace_sample(&pace, 100 * ASSAY_MS);
    assert_true(assay_pace_patience(&pace) >= 20 * 90 * ASSAY_MS);
}

static void one_answer_that_took_ages_is_not_believed(void **state)
{
    (void)state;
    struct assay_pace pace;
    assay_pace_init(&pace, 1);
    for (int i = 0; i < 100; i++)
        assay_pace_sample(&pace, ASSAY_MS);
    assay_pace_sample(&pace, 10 * ASSAY_SECOND);
    assert_true(assay_pace_quiet(&pace, true) < 100 * ASSAY_MS);
}

static void its_own_lateness_is_remembered(void **state)
{
    (void)state;
    struct assay_pace pace;
    assay_pace_init(&pace, 1);
    assert_false(assay_pace_was_late(&pace, 0));
    assay_pace_late(&pace, 1000, 1 * ASSAY_MS); /* as any timer is */
    assert_false(assay_pace_was_late(&pace, 0));
    assay_pace_late(&pace, 2000, ASSAY_SECOND);
    assert_true(assay_pace_was_late(&pace, 0));
    assert_true(assay_pace_was_late(&pace, 2000));
    assert_false(assay_pace_was_late(&pace, 2001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_grows_with_the_round_trip_and_the_users_factor),
        cmocka_unit_test(impatience_shortens_only_what_is_not_measured),
        cmocka_unit_test(one_answer_that_took_ages_is_not_believed),
        cmocka_unit_test(its_own_lateness_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
