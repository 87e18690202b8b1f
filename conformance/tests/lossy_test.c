/* Datagrams that get lost: secrets are learned, copies judged, and what is wrong about either is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conformance/belief.h"
#include "conformance/score.h"
#include "conformance/tests/loaded.h"

#define SPEC "spec/pubsub.yaml"

static const uint8_t hello[] = {0x11, 0,    0,    0,    0x9e, 0xe2, 0xd4, 0xc2, 0,    0,    0,
                                0,    0,    0,    0,    0,    0x20, 0x20, 0x20, 0x20, 0x20, 0x20,
                                0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20};

struct judged {
    struct assay_spec *spec;
    struct assay_oracle *oracle;
    struct assay_oracle_config config;
};

static int setup(void **state)
{
    struct judged *j = calloc(1, sizeof *j);
    assert_non_null(j);
    j->spec = load_spec(SPEC);
    j->config = (struct assay_oracle_config){.model = assay_spec_model(j->spec), .seed = 7};
    j->config.machine = j->config.model->server;
    j->oracle = assay_oracle_new(&j->config, 2);
    assert_non_null(j->oracle);
    assay_oracle_connect(j->oracle, 0, 0);
    assay_oracle_connect(j->oracle, 1, 0);
    *state = j;
    return 0;
}

static int teardown(void **state)
{
    struct judged *j = *state;
    assay_oracle_free(j->oracle);
    assay_spec_free(j->spec);
    free(j);
    return 0;
}

/* An example of the spec with that message. */
static struct assay_span example(const struct judged *j, const char *message)
{
    const struct assay_model *model = j->config.model;
    uint16_t wanted = message_named(model, message);
    for (uint16_t i = 0; i < model->examples_count; i++)
        if (model->examples[i].message == wanted && model->examples[i].fault == ASSAY_NONE)
            return (struct assay_span){model->examples[i].bytes.p, model->examples[i].bytes.n};
    fail_msg("no example of %s", message);
    return (struct assay_span){0};
}

/* An answer to Hello as some target gives it: the example's bytes, with its own cookie, and the right sum. */
static uint32_t challenge(const struct judged *j, uint8_t cookie, uint8_t *bytes)
{
    struct assay_belief_world world = {0};
    struct assay_span from = example(j, "Challenge");
    assert_true(assay_belief_world_init(&world, &j->config));
    memcpy(bytes, from.p, from.n);
    memset(bytes + 16, cookie, 16);
    memcpy(bytes + 16, ASSAY_MARK, 5); /* spoiling writes the sum anew, and over what is here */
    memset(bytes + 21, 0, 3);
    assay_marks_spoil(&world, bytes, from.n);
    assay_belief_world_free(&world);
    return from.n;
}

static void ask(const struct judged *j, uint8_t link)
{
    assay_oracle_sent(j->oracle, link, 0, (struct assay_span){hello, sizeof hello});
}

static void test_what_only_the_target_can_say_is_learned(void **state)
{
    struct judged *j = *state;
    uint8_t bytes[64], registering[64];
    uint8_t mark[16] = {0xa5, 0x5a, 0xf1, 0x0e, 0x9d, 1};
    bool known;
    struct assay_span from = example(j, "Register");
    memcpy(registering, from.p, from.n);
    memcpy(registering + 16, mark, sizeof mark);
    struct assay_span template = {registering, from.n};
    (void)assay_oracle_fill(j->oracle, 0, 0, (struct assay_stamp){0}, template, &known);
    assert_false(known);
    ask(j, 0);
    uint32_t n = challenge(j, 0x77, bytes);
    assert_true(assay_oracle_received(j->oracle, 0, (struct assay_span){bytes, n}));
    struct assay_span filled = assay_oracle_fill(j->oracle, 0, 0, (struct assay_stamp){0}, template, &known);
    assert_true(known);
    assert_int_equal(filled.n, from.n);
    assert_memory_equal(filled.p + 16, bytes + 16, 16);
    (void)assay_oracle_fill(j->oracle, 1, 1, (struct assay_stamp){0}, template, &known);
    assert_false(known); /* the other link was told nothing */
}

static void test_nothing_but_the_secret_may_differ(void **state)
{
    struct judged *j = *state;
    uint8_t bytes[64];
    ask(j, 0);
    uint32_t n = challenge(j, 0x77, bytes);
    bytes[4] ^= 1; /* the sum */
    assert_false(assay_oracle_received(j->oracle, 0, (struct assay_span){bytes, n}));
}

static void test_what_was_learned_stays(void **state)
{
    struct judged *j = *state;
    uint8_t bytes[64];
    uint32_t n = challenge(j, 0x77, bytes);
    ask(j, 0);
    assert_true(assay_oracle_received(j->oracle, 0, (struct assay_span){bytes, n}));
    assert_false(assay_oracle_received(j->oracle, 0, (struct assay_span){bytes, n})); /* one answer a question */
}

/* ---- wide.yaml: no secrets, and a window of 256 --------------------------- */

#define WIDE   "conformance/tests/wide.yaml"
#define WINDOW 256
#define TEXT   180
#define MS     INT64_C(1000000)

static struct judged joined(struct assay_spec *spec)
{
    struct judged j = {.spec = spec};
    static const uint8_t join[] = {3, 0, 0, 'a', 'n', 'n'}, in[] = {8, 0, 0};
    j.config = (struct assay_oracle_config){.model = assay_spec_model(j.spec), .seed = 1};
    j.config.machine = j.config.model->server;
    j.oracle = assay_oracle_new(&j.config, 1);
    assert_non_null(j.oracle);
    assay_oracle_connect(j.oracle, 0, 0);
    assay_oracle_sent(j.oracle, 0, 0, (struct assay_span){join, sizeof join});
    assert_true(assay_oracle_received(j.oracle, 0, (struct assay_span){in, sizeof in}));
    return j;
}

static struct judged wide(void)
{
    return joined(load_spec(WIDE));
}

static void unload(struct judged *j)
{
    assay_oracle_free(j->oracle);
    assay_spec_free(j->spec);
}

static void note(const struct judged *j, unsigned seq)
{
    uint8_t bytes[3 + TEXT] = {4, (uint8_t)(seq >> 8), (uint8_t)seq};
    memset(bytes + 3, 'x', TEXT);
    assay_oracle_sent(j->oracle, 0, 0, (struct assay_span){bytes, sizeof bytes});
}

static bool acked(const struct judged *j, unsigned next)
{
    uint8_t bytes[] = {6, 0, 0, (uint8_t)(next >> 8), (uint8_t)next};
    return assay_oracle_received(j->oracle, 0, (struct assay_span){bytes, sizeof bytes});
}

static bool row(const struct judged *j, unsigned n)
{
    uint8_t high = (uint8_t)(n >> 8), low = (uint8_t)n;
    uint8_t bytes[11 + TEXT] = {5, high, low, 0, 0, 0, 0, 0, 0, high, low};
    memset(bytes + 11, 'x', TEXT);
    return assay_oracle_received(j->oracle, 0, (struct assay_span){bytes, sizeof bytes});
}

static void test_a_wide_window_goes_out_and_again(void **state)
{
    struct judged j = wide();
    static const uint8_t all[] = {6, 0, 0, WINDOW >> 8, 0};
    (void)state;
    for (unsigned i = 0; i <= WINDOW; i++) {
        note(&j, i);
        assert_true(acked(&j, i + 1));
        if (i < WINDOW)
            assert_true(row(&j, i));
    }
    assert_true(assay_oracle_silence(j.oracle, 0)); /* the last row waits */
    assay_oracle_time(j.oracle, 100 * MS);
    for (unsigned i = 0; i + 1 < WINDOW; i++)
        assert_true(row(&j, i));
    assay_oracle_time(j.oracle, 121 * MS);
    assert_true(assay_oracle_owed(j.oracle, 0).bytes); /* one has not come again */
    assay_oracle_sent(j.oracle, 0, 122 * MS, (struct assay_span){all, sizeof all});
    assert_true(row(&j, WINDOW));
    assert_false(assay_oracle_owed(j.oracle, 0).bytes);
    unload(&j);
}

static void test_a_wide_window_is_held(void **state)
{
    struct judged j = wide();
    (void)state;
    for (unsigned i = WINDOW - 1; i > 0; i--) {
        note(&j, i);
        assert_true(acked(&j, 0));
    }
    note(&j, 0);
    assert_true(acked(&j, WINDOW));
    for (unsigned i = 0; i < WINDOW; i++)
        assert_true(row(&j, i));
    assert_true(assay_oracle_silence(j.oracle, 0));
    unload(&j);
}

/* One that goes beyond the window is wrong. */
static void test_a_wide_window_has_an_end(void **state)
{
    struct judged j = wide();
    (void)state;
    for (unsigned i = 0; i <= WINDOW; i++) {
        note(&j, i);
        assert_true(acked(&j, i + 1));
        assert_int_equal(row(&j, i), i < WINDOW);
    }
    unload(&j);
}

/* Whether it has given up, and sends nothing more, cannot be seen: until it must have, both may be. */
static void test_a_session_that_may_be_over_owes_no_copies(void **state)
{
    static const int64_t copies[] = {100, 300, 700, 1100, 1500};
    struct judged j = wide();
    struct assay_owed owed;
    (void)state;
    note(&j, 0);
    assert_true(acked(&j, 1) && row(&j, 0));
    for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++) {
        assay_oracle_time(j.oracle, copies[i] * MS);
        assert_true(row(&j, 0));
    }
    owed = assay_oracle_owed(j.oracle, 0);
    assert_true(owed.maybe && !owed.bytes && !owed.gone);
    assay_oracle_time(j.oracle, 2000 * MS); /* the next copy had until 1980, giving up begins at 1600 */
    owed = assay_oracle_owed(j.oracle, 0);
    assert_true(owed.bytes && !owed.maybe && owed.gone);
    assay_oracle_time(j.oracle, 2500 * MS); /* by now it has given up */
    owed = assay_oracle_owed(j.oracle, 0);
    assert_true(!owed.bytes && !owed.maybe && owed.gone);
    unload(&j);
}

static void test_late_copies_are_owed_before_it_may_have_given_up(void **state)
{
    struct judged j = wide();
    (void)state;
    note(&j, 0);
    assert_true(acked(&j, 1) && row(&j, 0));
    assay_oracle_time(j.oracle, 1500 * MS);
    struct assay_owed owed = assay_oracle_owed(j.oracle, 0);
    assert_true(owed.bytes && !owed.maybe && !owed.gone);
    unload(&j);
}

/* Who stands where it began is not remembered: numbers begin anew with the next datagram. */
static void test_nobody_has_no_numbers(void **state)
{
    struct assay_spec *spec = load_changed(WIDE, "- {when: Note, decline: true, req: W-4}", "# not declined");
    struct judged j = {.spec = spec, .config = {.model = assay_spec_model(spec), .seed = 1}};
    (void)state;
    j.config.machine = j.config.model->server;
    j.oracle = assay_oracle_new(&j.config, 1);
    assert_non_null(j.oracle);
    assay_oracle_connect(j.oracle, 0, 0);
    note(&j, 0);
    assert_true(acked(&j, 1));
    note(&j, 1); /* ahead of the turn of somebody new, who is remembered for it */
    assert_true(acked(&j, 0));
    note(&j, 0);
    assert_true(acked(&j, 2));
    unload(&j);
}

/* An acknowledgement that was doubled may come when another like it was expected in the meantime. */
static void test_acknowledgements_that_say_the_same_are_one(void **state)
{
    struct judged j = wide();
    (void)state;
    for (unsigned n = 3; n > 0; n--)
        note(&j, n);
    assert_true(acked(&j, 0));
    note(&j, 5);
    note(&j, 4);
    for (int i = 0; i < 4; i++)
        assert_true(acked(&j, 0));
    note(&j, 0);
    assert_true(acked(&j, 6));
    assert_false(acked(&j, 0)); /* what says less has been overtaken */
    unload(&j);
}

/* The same with a log of as many columns as there may be. */
static struct assay_spec *with_all_columns(void)
{
    static const struct {
        const char *from, *each;
    } places[] = {{"keep: {args: {text: text", "u8"}, {"row: {text: Text", "u8"}, {"keep: {text: text", "0"}};
    char path[CHANGED_PATH_MAX] = WIDE, changed[CHANGED_PATH_MAX], text[1024];
    for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
        int n = snprintf(text, sizeof text, "%s", places[k].from);
        for (int i = 1; i < ASSAY_COLUMNS_MAX; i++)
            n += snprintf(text + n, sizeof text - (size_t)n, ", c%d: %s", i, places[k].each);
        write_changed(path, places[k].from, text, changed);
        if (k > 0)
            unlink(path);
        strcpy(path, changed);
    }
    struct assay_spec *spec = load_spec(path);
    unlink(path);
    return spec;
}

static void test_rows_of_many_columns_are_kept(void **state)
{
    struct judged j = joined(with_all_columns());
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        note(&j, i);
        assert_true(acked(&j, i + 1));
        assert_true(row(&j, i));
    }
    unload(&j);
}

/* All mutants of that kind are found, and for what they break. */
static void found(const struct judged *j, uint8_t role, const char *kind)
{
    struct assay_score_options options = {.seed = 1, .role = role, .filter = kind};
    struct assay_score *score = assay_score_make(j->spec, j->config.model, &options);
    assert_non_null(score);
    for (size_t i = 0; i < score->count; i++)
        if (!score->rows[i].right)
            print_error("%s: %s\n", score->rows[i].kind, score->rows[i].text);
    assert_true(score->count > 0);
    assert_int_equal(score->right, score->count);
    assay_score_free(score);
}

/* All that is wrong about acknowledging, sending again, logs, seals and sums. */
static void test_wrong_servers_are_found(void **state)
{
    static const char *const kinds[] = {"reliable-wrong",     "log-wrong",   "effect-not-awaited",
                                        "address-forgotten",  "sum-ignored", "stranger-answered-more",
                                        "stranger-sends-less"};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        found(*state, ASSAY_SERVER, kinds[k]);
}

static void test_wrong_clients_are_found(void **state)
{
    found(*state, ASSAY_CLIENT, "reliable-wrong");
    found(*state, ASSAY_CLIENT, "sum-ignored");
}

/* What is sent to such a server is under the session that it has given. */
static void test_wrong_servers_that_draw_their_sessions_are_found(void **state)
{
    struct assay_spec *spec = load_spec("conformance/tests/issued.yaml");
    struct assay_score_options options = {.seed = 1, .role = ASSAY_SERVER};
    struct assay_score *score = assay_score_make(spec, assay_spec_model(spec), &options);
    (void)state;
    assert_non_null(score);
    assert_true(score->killed > 0);
    assert_int_equal(score->right, score->killed);
    assert_int_equal(score->survived, 0);
    assay_score_free(score);
    assay_spec_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_only_the_target_can_say_is_learned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_but_the_secret_may_differ, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_learned_stays, setup, teardown),
        cmocka_unit_test(test_wrong_servers_that_draw_their_sessions_are_found),
        cmocka_unit_test(test_a_wide_window_goes_out_and_again),
        cmocka_unit_test(test_a_wide_window_is_held),
        cmocka_unit_test(test_a_wide_window_has_an_end),
        cmocka_unit_test(test_a_session_that_may_be_over_owes_no_copies),
        cmocka_unit_test(test_late_copies_are_owed_before_it_may_have_given_up),
        cmocka_unit_test(test_nobody_has_no_numbers),
        cmocka_unit_test(test_acknowledgements_that_say_the_same_are_one),
        cmocka_unit_test(test_rows_of_many_columns_are_kept),
        cmocka_unit_test_setup_teardown(test_wrong_servers_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_clients_are_found, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
