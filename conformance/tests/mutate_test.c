#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/equivalence.h"
#include "conformance/mutate.h"
#include "conformance/score.h"
#include "conformance/tests/loaded.h"
#include "core/engine.h"

static const char *const specs[] = {"spec/candy.yaml", "spec/msglog.yaml", "conformance/tests/calc.yaml",
                                    "conformance/tests/ledger.yaml"};

/* The first mutant of a kind whose text contains `text`. */
static struct assay_mutant mutant_of(const struct assay_model *model, const char *kind, const char *text)
{
    struct assay_mutations all = {0};
    struct assay_mutant m = {0};
    bool found = false;
    assay_mutations_list(model, model->server, &all);
    for (size_t i = 0; i < all.count && !found; i++) {
        found = assay_mutant_make(model, model->server, &all.items[i], &m) && strcmp(m.kind, kind) == 0 &&
                strstr(m.text, text);
        if (!found)
            assay_mutant_free(&m);
    }
    free(all.items);
    assert_true(found);
    return m;
}

/* Every operator makes a mutant of one of the two specs, but for those that need what neither has. */
static void test_every_operator_applies(void **state)
{
    bool used[64] = {false};
    (void)state;
    for (size_t k = 0; k < 2; k++) { /* the third needs no more operators */
        struct assay_spec *spec = load_spec(specs[k]);
        struct assay_mutations all = {0};
        assay_mutations_list(assay_spec_model(spec), assay_spec_model(spec)->server, &all);
        for (size_t i = 0; i < all.count; i++) {
            struct assay_mutant m;
            if (assay_mutant_make(assay_spec_model(spec), assay_spec_model(spec)->server, &all.items[i], &m))
                used[all.items[i].kind] = true;
            assay_mutant_free(&m);
        }
        free(all.items);
        assay_spec_free(spec);
    }
    for (size_t i = 0; i < assay_mutation_operators(); i++) {
        static const char *const without[] = {"timer-left-alone",   "close-for-reset",        "condition-ignored",
                                              "pairs-wrong",        "field-left-out",         "object-refused",
                                              "around-wrong",       "error-for-result",       "result-for-error",
                                              "another-error",      "call-limit-missing",     "reconnect-wrong",
                                              "value-lost",         "reliable-wrong",         "log-wrong",
                                              "effect-not-awaited", "address-forgotten",      "seal-wrong",
                                              "sum-ignored",        "stranger-answered-more", "stranger-sends-less"};
        bool excused = false;
        for (size_t k = 0; k < sizeof without / sizeof without[0]; k++)
            excused = excused || strcmp(without[k], assay_mutation_operator(i)) == 0;
        if (used[i] == excused)
            fail_msg("operator %s: %s", assay_mutation_operator(i), used[i] ? "applies after all" : "never applies");
    }
}

static void test_the_original_is_left_alone(void **state)
{
    struct assay_spec *spec = load_spec(specs[1]);
    const struct assay_model *model = assay_spec_model(spec);
    uint32_t *code = malloc(model->code_count * sizeof *code);
    (void)state;
    memcpy(code, model->code, model->code_count * sizeof *code);
    struct assay_mutant m = mutant_of(model, "guard-negated", "guard");
    assert_true(m.model.code_count > model->code_count);
    assert_memory_equal(model->code, code, model->code_count * sizeof *code);
    assert_int_not_equal(m.rule, ASSAY_NONE);
    assert_int_equal(m.req, model->rules[m.rule].req);
    assay_mutant_free(&m);
    free(code);
    assay_spec_free(spec);
}

static void test_equivalence(void **state)
{
    struct assay_spec *spec = load_spec(specs[1]);
    const struct assay_model *model = assay_spec_model(spec);
    struct assay_store store = {0};
    struct assay_inputs inputs = {0};
    struct assay_witness_config config = {.spec = spec, .model = model};
    struct assay_oracle_config right = {.model = model, .seed = 1};
    struct assay_equivalence_result result;
    (void)state;
    assay_inputs_make(&store, &config, &inputs);
    struct assay_equivalence_base *base = assay_equivalence_base(&right, &inputs, true);
    assert_non_null(base);
    assert_true(assay_equivalence(base, model, &result)); /* a model and itself */
    assert_int_equal(result.found, ASSAY_EQUAL);
    assert_true(result.pairs > 3 && result.inputs > 100);
    struct assay_mutant m = mutant_of(model, "reply-changed", "body");
    assert_true(assay_equivalence(base, &m.model, &result));
    assert_int_equal(result.found, ASSAY_DIFFERENT);
    assert_non_null(strstr(result.trace, "> "));
    assay_mutant_free(&m);
    assay_equivalence_base_free(base);
    free(inputs.items);
    assay_store_free(&store);
    assay_spec_free(spec);
}

/* Everything that can be told from the spec is killed, for the requirement that it breaks. */
static void test_score(void **state)
{
    static const size_t least[] = {100, 250, 200, 100};
    (void)state;
    for (size_t k = 0; k < sizeof least / sizeof least[0]; k++) {
#ifdef __SANITIZE_ADDRESS__
        if (k == 1) /* its long frames take minutes here; the build without sanitizers has them */
            continue;
#endif
        struct assay_spec *spec = load_spec(specs[k]);
        struct assay_score_options options = {.seed = 1};
        struct assay_score *score = assay_score_make(spec, assay_spec_model(spec), &options);
        assert_non_null(score);
        for (size_t i = 0; i < score->count; i++)
            if (score->rows[i].fate == ASSAY_SURVIVED)
                print_error("survived: %s %s: %s\n", score->rows[i].kind, score->rows[i].text, score->rows[i].trace);
        print_message("%s: %zu cases, %zu mutants, %zu killed, %zu equal, %zu survived\n", specs[k], score->cases,
                      score->count, score->killed, score->equal, score->survived);
        assert_int_equal(score->survived, 0);
        assert_int_equal(score->right, score->killed);
        assert_true(score->killed >= least[k]);
        assert_true(score->equal * 3 < score->count);
        assay_score_free(score);
        assay_spec_free(spec);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operator_applies),
        cmocka_unit_test(test_the_original_is_left_alone),
        cmocka_unit_test(test_equivalence),
        cmocka_unit_test(test_score),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
