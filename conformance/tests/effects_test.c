/* What observers have to show, and the cases that need them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/oracle.h"
#include "conformance/score.h"
#include "conformance/tests/loaded.h"
#include "core/engine.h"

static uint16_t effect_named(const struct assay_model *model, const char *name)
{
    for (uint16_t i = 0; i < model->effects_count; i++)
        if (strcmp(model->effects[i].name, name) == 0)
            return i;
    fail_msg("no effect %s", name);
    return ASSAY_NONE;
}

static void sent(struct assay_oracle *o, uint8_t link, const char *text)
{
    assay_oracle_sent(o, link, 0, (struct assay_span){(const uint8_t *)text, (uint32_t)strlen(text)});
}

static void holds(const struct assay_record *r, uint8_t link, const char *text)
{
    assert_int_equal(r->link, link);
    assert_true(r->bytes.n >= strlen(text));
    assert_memory_equal(r->bytes.p, text, strlen(text));
}

/* Each link's parts stay together, in the order in which the links end; those of a link that breaks off are nobody's.
 */
static void test_what_is_gathered_shows_when_it_is_released(void **state)
{
    struct watched w = watch_server("spec/relay.yaml", 3);
    const struct assay_record *records;
    (void)state;
    sent(w.o, 0, "a"), sent(w.o, 1, "b"), sent(w.o, 0, "c"), sent(w.o, 2, "lost");
    assert_int_equal(assay_oracle_records(w.o, effect_named(w.model, "show"), &records), 0);
    assay_oracle_reset(w.o, 2, 0);
    assay_oracle_shut(w.o, 1, 0);
    assay_oracle_shut(w.o, 0, 0);
    assert_int_equal(assay_oracle_records(w.o, effect_named(w.model, "show"), &records), 2);
    holds(&records[0], 1, "b");
    holds(&records[1], 0, "ac");
    assert_int_equal(assay_oracle_records(w.o, effect_named(w.model, "gather"), &records), 0);
    assert_int_equal(assay_oracle_records(w.o, effect_named(w.model, "forget"), &records), 1);
    holds(&records[0], 2, "forget\n");
    unwatch(&w);
}

static void test_a_report_is_a_line(void **state)
{
    struct watched w = watch_server("spec/dispatch.yaml", 1);
    (void)state;
    sent(w.o, 0, "DAD=\n\nDAD x\n");
    struct assay_span shown = assay_oracle_effect(w.o, effect_named(w.model, "report"));
    const char *line = "a line that cannot be read\n";
    assert_int_equal(shown.n, 2 * strlen(line));
    assert_memory_equal(shown.p, line, strlen(line));
    unwatch(&w);
}

/* Silent servers, too: what only observers see kills. */
static void test_servers_that_say_nothing_are_told_apart(void **state)
{
    static const struct {
        const char *spec;
        uint16_t transport;
    } of[] = {{"spec/dispatch.yaml", 1}, {"spec/relay.yaml", 0}, {"spec/relay.yaml", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
#ifdef __SANITIZE_ADDRESS__
        if (i == 0) /* its many large datagrams take a minute here; the build without sanitizers has them */
            continue;
#endif
        struct assay_spec *spec = load_spec(of[i].spec);
        struct assay_score_options options = {.seed = 1, .transport = of[i].transport};
        struct assay_score *score = assay_score_make(spec, assay_spec_model(spec), &options);
        assert_non_null(score);
        assert_true(score->killed > 5);
        assert_int_equal(score->survived, 0);
        assert_int_equal(score->right, score->killed);
        assay_score_free(score);
        assay_spec_free(spec);
    }
}

static void test_cases_name_what_they_probe(void **state)
{
    static const char *const wanted[] = {"DI-1", "DI-5", "DI-10", "DI-13", "DI-14", "DI-15"};
    struct assay_spec *spec = load_spec("spec/dispatch.yaml");
    const struct assay_model *model = assay_spec_model(spec);
    struct assay_suite_options options = {.seed = 1};
    struct assay_suite *suite = assay_suite_make(spec, &options);
    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        size_t named = 0;
        for (size_t k = 0; k < suite->count; k++) {
            uint16_t of[] = {suite->cases[k].req, suite->cases[k].field_req};
            for (size_t r = 0; r < 2; r++)
                named += of[r] != ASSAY_NONE && strcmp(model->requirements[of[r]].id, wanted[i]) == 0;
        }
        assert_true(named > 0);
    }
    assay_suite_free(suite);
    assay_spec_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_gathered_shows_when_it_is_released),
        cmocka_unit_test(test_a_report_is_a_line),
        cmocka_unit_test(test_servers_that_say_nothing_are_told_apart),
        cmocka_unit_test(test_cases_name_what_they_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
