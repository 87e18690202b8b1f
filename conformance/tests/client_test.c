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
#include "conformance/mutate.h"
#include "conformance/score.h"
#include "conformance/tests/loaded.h"
#include "core/engine.h"

#define SECOND 1000000000LL

struct bench {
    struct assay_spec *spec;
    const struct assay_model *model;
    uint16_t machine;
    struct assay_suite *suite;
    struct assay_memory_config memory;
};

static struct bench start_machine(const char *path, uint8_t role, uint16_t transport, const char *machine)
{
    struct assay_suite_options options = {
        .seed = 1, .role = role, .transport = transport, .machine = machine, .patience = 3600 * SECOND};
    struct bench b = {.spec = load_spec(path)};
    b.model = assay_spec_model(b.spec);
    b.machine = assay_suite_machine(b.model, &options);
    b.suite = assay_suite_make(b.spec, &options);
    assert_non_null(b.suite);
    b.memory.right = (struct assay_oracle_config){.model = b.model, .machine = b.machine, .seed = 1};
    b.memory.model = b.model;
    return b;
}

static struct bench start(const char *path, uint8_t role, uint16_t transport)
{
    return start_machine(path, role, transport, NULL);
}

static void stop(struct bench *b)
{
    assay_suite_free(b->suite);
    assay_spec_free(b->spec);
}

static bool passes(struct bench *b, const struct assay_case *c, const struct assay_model *model)
{
    struct assay_memory_result r;
    b->memory.model = model;
    assert_true(assay_memory_run(&b->memory, c, &r));
    return r.passed;
}

/* ---- suites ------------------------------------------------------------ */

static const struct {
    const char *path;
    uint16_t transport;
    size_t least;
    const char *machine;
} clients[] = {
    {"spec/candy.yaml", 0, 100, NULL},
    {"spec/msglog.yaml", 0, 100, NULL},
    {"spec/relay.yaml", 0, 30, NULL},
    {"spec/relay.yaml", 1, 10, NULL},
    {"spec/dispatch.yaml", 0, 300, NULL},
    {"spec/dispatch.yaml", 1, 10, NULL},
    {"spec/dispatch.yaml", 0, 1, "Sender"},
    {"conformance/tests/keeper.yaml", 0, 50, NULL},
    {"conformance/tests/post.yaml", 0, 20, NULL},
    {"conformance/tests/ask.yaml", 0, 20, NULL},
};

static void test_the_right_client_passes_and_every_case_can_fail(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof clients / sizeof clients[0]; k++) {
        struct bench b = start_machine(clients[k].path, ASSAY_CLIENT, clients[k].transport, clients[k].machine);
        assert_true(b.suite->count >= clients[k].least);
        for (size_t i = 0; i < b.suite->count; i++) {
            static const enum assay_host_kind dull[] = {ASSAY_HOST_MUTE, ASSAY_HOST_CLOSER, ASSAY_HOST_UNTOLD};
            const struct assay_case *c = &b.suite->cases[i];
            struct assay_memory_result r;
            unsigned failed = 0;
            b.memory.host = ASSAY_HOST_ENGINE;
            assert_true(assay_memory_run(&b.memory, c, &r));
            if (!r.passed)
                print_error("%s: expected %s, seen %s\n", c->id, r.blame.expected, r.blame.seen);
            assert_true(r.passed);
            for (size_t h = 0; h < 3; h++) {
                b.memory.host = dull[h];
                assert_true(assay_memory_run(&b.memory, c, &r));
                failed += !r.passed;
            }
            assert_true(failed > 0);
        }
        stop(&b);
    }
}

static void test_no_mutant_of_a_client_survives(void **state)
{
    static const char *const paths[] = {"spec/candy.yaml", "conformance/tests/keeper.yaml",
                                        "conformance/tests/post.yaml", "spec/relay.yaml"};
    (void)state;
    for (size_t k = 0; k < sizeof paths / sizeof paths[0]; k++) {
        struct assay_spec *spec = load_spec(paths[k]);
        struct assay_score_options options = {.seed = 1, .role = ASSAY_CLIENT};
        struct assay_score *score = assay_score_make(spec, assay_spec_model(spec), &options);
        assert_non_null(score);
        for (size_t i = 0; i < score->count; i++)
            if (score->rows[i].fate == ASSAY_SURVIVED)
                print_error("%s: %s: %s\n", paths[k], score->rows[i].kind, score->rows[i].text);
        assert_true(score->killed > 4);
        assert_int_equal(score->survived, 0);
        assay_score_free(score);
        assay_spec_free(spec);
    }
}

/* ---- single faults, each found by the case that is there for it ------------ */

static bool found(struct bench *b, const char *kind, const char *text, const char *id)
{
    struct assay_mutations all = {0};
    bool killed = false, made = false;
    assay_mutations_list(b->model, b->machine, &all);
    for (size_t i = 0; i < all.count && !made; i++) {
        struct assay_mutant m;
        made = assay_mutant_make(b->model, b->machine, &all.items[i], &m) && strcmp(m.kind, kind) == 0 &&
               strstr(m.text, text);
        if (made)
            killed = !passes(b, case_named(b->suite, id), &m.model);
        assay_mutant_free(&m);
    }
    free(all.items);
    assert_true(made);
    return killed;
}

static void test_pauses(void **state)
{
    struct bench b = start("conformance/tests/keeper.yaml", ASSAY_CLIENT, 0);
    (void)state;
    assert_true(found(&b, "reconnect-wrong", "never", "keeper/listening/eof/connects-again"));
    assert_true(found(&b, "reconnect-wrong", "without a pause", "keeper/listening/eof/connects-again"));
    assert_true(found(&b, "reconnect-wrong", "four times too late", "keeper/listening/eof/connects-again"));
    assert_true(found(&b, "reconnect-wrong", "four times too early", "keeper/listening/eof/connects-again"));
    assert_true(found(&b, "reconnect-wrong", "without growth", "keeper/listening/eof/again-and-again"));
    assert_true(found(&b, "reconnect-wrong", "uncapped", "keeper/listening/eof/again-and-again"));
    assert_true(found(&b, "reconnect-wrong", "for ever", "keeper/listening/eof/gives-up"));
    assert_false(found(&b, "reconnect-wrong", "without growth", "keeper/listening/eof/connects-again"));
    stop(&b);
}

static void test_what_the_application_is_told(void **state)
{
    struct bench b = start("spec/candy.yaml", ASSAY_CLIENT, 0);
    (void)state;
    assert_true(found(&b, "value-lost", "", "candy/open/fetch-candy/usual"));
    assert_true(found(&b, "error-for-result", "", "candy/open/fetch-candy/usual"));
    assert_true(found(&b, "call-limit-missing", "", "candy/fetch-candy-1/timeout/no-answer"));
    stop(&b);
}

static void test_structured_text(void **state)
{
    struct bench b = start("spec/dispatch.yaml", ASSAY_SERVER, 0);
    (void)state;
    assert_true(found(&b, "object-refused", "", "dispatch/open/dad/example-6"));
    assert_true(found(&b, "around-wrong", "not trimmed", "dispatch/open/dad/object-spaced"));
    assert_true(found(&b, "field-left-out", "command_name", "dispatch/open/unknown/dad-command-longest"));
    stop(&b);
}

/* ---- the oracle ---------------------------------------------------------- */

static struct assay_span text(const char *s)
{
    return (struct assay_span){(const uint8_t *)s, (uint32_t)strlen(s)};
}

/* By hand: pause 1 s, twice as long after each failure, 0.1 s early and 0.5 s late are tolerated. */
static void test_when_it_connects_again(void **state)
{
    struct watched w = watch_client("conformance/tests/keeper.yaml", 2);
    (void)state;
    assay_oracle_connect(w.o, 0, 0);
    assert_false(assay_oracle_again(w.o, 0).may);
    assay_oracle_shut(w.o, 0, 10 * SECOND);
    struct assay_again again = assay_oracle_again(w.o, 0); /* it had left by itself, after five seconds of silence */
    assert_true(again.must);
    assert_int_equal(again.earliest, 6 * SECOND - SECOND / 10);
    assert_int_equal(again.latest, 6 * SECOND + SECOND / 2);
    unwatch(&w);
    w = watch_client("conformance/tests/keeper.yaml", 2);
    assay_oracle_connect(w.o, 0, 0);
    assay_oracle_shut(w.o, 0, SECOND);
    again = assay_oracle_again(w.o, 0);
    assert_true(again.must && again.may && !again.finished);
    assert_int_equal(again.earliest, 2 * SECOND - SECOND / 10);
    assert_int_equal(again.latest, 2 * SECOND + SECOND / 2);
    assay_oracle_refuse(w.o, SECOND, true);
    assert_false(assay_oracle_again(w.o, 0).may);
    assay_oracle_refuse(w.o, 3 * SECOND, false); /* the try at 2 s was refused; the next one comes 2 s later */
    again = assay_oracle_again(w.o, 0);
    assert_true(again.must);
    assert_int_equal(again.earliest, 4 * SECOND - SECOND / 5);
    assert_int_equal(again.latest, 5 * SECOND);
    unwatch(&w);
}

/* Its clock began when it connected, which was before the tester saw that: five seconds of silence, none too few. */
static void test_what_the_tester_saw_late_is_not_too_early(void **state)
{
    (void)state;
    for (int64_t unsure = 0; unsure <= SECOND / 2; unsure += SECOND / 2) {
        struct watched w = watch_client("conformance/tests/keeper.yaml", 2);
        assay_oracle_unsure(w.o, 0, unsure);
        assay_oracle_connect(w.o, 0, 10 * SECOND);
        assay_oracle_time(w.o, 10 * SECOND + 4 * SECOND + SECOND / 2);
        assert_int_equal(assay_oracle_fin(w.o, 0), unsure > 0);
        assert_true(assay_oracle_hangs_on_time(w.o, 0, 15 * SECOND));
        unwatch(&w);
    }
}

/* Silence while a timer might have fired early says that it has not; it has to fire all the same. */
static void test_silence_before_a_timer_does_not_excuse_it(void **state)
{
    struct watched w = watch_client("conformance/tests/keeper.yaml", 1);
    (void)state;
    assay_oracle_unsure(w.o, 0, SECOND);
    assay_oracle_connect(w.o, 0, 0);
    assay_oracle_time(w.o, 4 * SECOND + SECOND / 2);
    assert_true(assay_oracle_silence(w.o, 0));
    assay_oracle_time(w.o, 60 * SECOND);
    struct assay_owed owed = assay_oracle_owed(w.o, 0);
    assert_true(owed.end && !owed.maybe);
    unwatch(&w);
}

/* The pause counts from when the link was seen to end, not from when it should have ended. */
static void test_the_pause_counts_from_the_end_that_was_seen(void **state)
{
    struct watched w = watch_client("conformance/tests/keeper.yaml", 2);
    (void)state;
    assay_oracle_connect(w.o, 0, 0);
    assay_oracle_time(w.o, 5 * SECOND + SECOND / 4);
    assert_true(assay_oracle_fin(w.o, 0));
    assay_oracle_over(w.o, 0, 5 * SECOND + SECOND / 5, 5 * SECOND + SECOND / 4);
    struct assay_again again = assay_oracle_again(w.o, 0);
    assert_int_equal(again.earliest, 6 * SECOND + SECOND / 5 - SECOND / 10);
    assert_int_equal(again.latest, 6 * SECOND + SECOND / 4 + SECOND / 2);
    unwatch(&w);
}

static void test_a_client_that_is_through_stays_away(void **state)
{
    struct watched w = watch_client("conformance/tests/keeper.yaml", 1);
    (void)state;
    assay_oracle_connect(w.o, 0, 0);
    assay_oracle_sent(w.o, 0, 0, text("over\n"));
    assert_true(assay_oracle_fin(w.o, 0));
    struct assay_again again = assay_oracle_again(w.o, 0);
    assert_true(again.finished && !again.may && !again.must);
    unwatch(&w);
}

static void test_effects_are_owed_upward(void **state)
{
    struct watched w = watch_client("conformance/tests/keeper.yaml", 1);
    assay_val seven = 7, eight = 8;
    struct assay_span none = {NULL, 0};
    struct assay_upper tell = {.kind = ASSAY_UPPER_EFFECT, .index = 0, .count = 1, .values = &seven, .spans = &none};
    struct assay_blame blame;
    (void)state;
    assay_oracle_connect(w.o, 0, 0);
    assay_oracle_sent(w.o, 0, 0, text("tick 7\n"));
    assert_true(assay_oracle_received(w.o, 0, text("seen 7\n")));
    assert_true(assay_oracle_owed(w.o, 0).upper && !assay_oracle_owed(w.o, 0).maybe);
    assert_true(assay_oracle_upper(w.o, 0, &tell));
    assert_true(!assay_oracle_owed(w.o, 0).upper && assay_oracle_owed(w.o, 0).maybe);
    assay_oracle_sent(w.o, 0, 0, text("tick 7\n"));
    tell.values = &eight;
    assert_false(assay_oracle_upper(w.o, 0, &tell));
    assay_oracle_blame(w.o, 0, &blame);
    assert_int_equal(blame.req, requirement_named(w.model, "K-1"));
    assert_non_null(strstr(blame.expected, "effect tell{number=7}"));
    unwatch(&w);
}

static void test_a_call_that_makes_its_link(void **state)
{
    struct watched w = watch_client("conformance/tests/post.yaml", 1);
    assay_val values[1] = {0}, one = 1;
    struct assay_span spans[1] = {text("a")}, none = {NULL, 0};
    struct assay_upper result = {.kind = ASSAY_UPPER_RESULT, .count = 1, .values = &one, .spans = &none};
    (void)state;
    assay_oracle_call(w.o, 0, 0, 0, values, spans);
    assay_oracle_connect(w.o, 0, 0);
    assert_true(assay_oracle_owed(w.o, 0).bytes);
    assert_true(assay_oracle_received(w.o, 0,
                                      text("\x01"
                                           "a")));
    assay_oracle_sent(w.o, 0, 0, text("\x02\x01"));
    assert_true(assay_oracle_upper(w.o, 0, &result));
    unwatch(&w);
    w = watch_client("conformance/tests/post.yaml", 1); /* one datagram is one message: half of one is wrong */
    assay_oracle_call(w.o, 0, 0, 0, values, spans);
    assay_oracle_connect(w.o, 0, 0);
    assert_false(assay_oracle_received(w.o, 0, text("\x01")));
    unwatch(&w);
}

/* ---- a stream without borders ---------------------------------------------- */

static void test_a_stream_may_be_cut_anywhere(void **state)
{
    struct watched w = watch_client("spec/relay.yaml", 1);
    assay_val values[1] = {0};
    struct assay_span spans[1] = {text("hello")};
    uint16_t say = 0;
    (void)state;
    while (strcmp(w.model->calls[say].name, "say") != 0)
        say++;
    assay_oracle_call(w.o, 0, 0, say, values, spans);
    assay_oracle_connect(w.o, 0, 0);
    assert_true(assay_oracle_received(w.o, 0, text("he")));
    assert_true(assay_oracle_received(w.o, 0, text("l")));
    assert_false(assay_oracle_owed(w.o, 0).maybe);
    assert_true(assay_oracle_received(w.o, 0, text("lo")));
    assert_true(assay_oracle_fin(w.o, 0));
    unwatch(&w);
}

/* What a terminal shows of a link comes when it is released, in any pieces; nothing if the link is reset. */
static void test_a_terminal(void **state)
{
    struct assay_spec *spec = load_spec("spec/relay.yaml");
    const struct assay_model *model = assay_spec_model(spec);
    struct assay_oracle_config config = {
        .model = model, .machine = model->server, .seed = 1, .terminal = assay_spec_terminal(spec)};
    struct assay_span piece;
    struct assay_upper shown = {.kind = ASSAY_UPPER_TEXT, .count = 1, .spans = &piece};
    (void)state;
    struct assay_oracle *o = assay_oracle_new(&config, 2);
    assay_oracle_connect(o, 0, 0);
    assay_oracle_connect(o, 1, 0);
    assay_oracle_sent(o, 0, 0, text("one "));
    assay_oracle_sent(o, 1, 0, text("lost"));
    assay_oracle_sent(o, 0, 0, text("two"));
    assert_false(assay_oracle_owed(o, 0).upper);
    assay_oracle_reset(o, 1, 0);
    assay_oracle_shut(o, 0, 0);
    assert_true(assay_oracle_owed(o, 0).upper);
    assert_false(assay_oracle_owed(o, 1).upper);
    assert_memory_equal(assay_oracle_shown(o, 0).p, "one two", 7);
    assert_int_equal(assay_oracle_shown(o, 1).n, 0);
    piece = text("one t");
    assert_true(assay_oracle_upper(o, 0, &shown));
    piece = text("wo");
    assert_true(assay_oracle_upper(o, 0, &shown));
    piece = text("lost");
    assert_false(assay_oracle_upper(o, 1, &shown));
    assay_oracle_free(o);
    assay_spec_free(spec);
}

/* ---- servers that are told to stop, export --------------------------------- */

static void test_what_stops_a_server_is_exclusive(void **state)
{
    struct bench b = start("spec/dispatch.yaml", ASSAY_SERVER, 0);
    (void)state;
    assert_int_equal(case_named(b.suite, "dispatch/open/quit/example-1")->class, ASSAY_CASE_EXCLUSIVE);
    assert_int_equal(case_named(b.suite, "dispatch/open/stop/others-go-on")->class, ASSAY_CASE_EXCLUSIVE);
    assert_int_equal(case_named(b.suite, "dispatch/open/dad/example-1")->class, ASSAY_CASE_LOCAL);
    for (size_t i = 0; i < b.suite->count; i++)
        for (size_t k = 0; k < b.suite->cases[i].step_count; k++)
            assert_true(b.suite->cases[i].steps[k].kind < ASSAY_STEP_DEAF); /* not asked for */
    stop(&b);
}

static void test_export(void **state)
{
    struct bench b = start("spec/candy.yaml", ASSAY_CLIENT, 0);
    char *written = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&written, &size);
    (void)state;
    assert_true(assay_export_json(b.suite, NULL, 0, 1, f));
    fclose(f);
    cJSON *json = cJSON_Parse(written);
    free(written);
    assert_string_equal(cJSON_GetObjectItem(json, "role")->valuestring, "client");
    const cJSON *c, *outcome = NULL, *steps = NULL;
    cJSON_ArrayForEach(c, cJSON_GetObjectItem(json, "cases"))
    {
        if (strcmp(cJSON_GetObjectItem(c, "id")->valuestring, "candy/open/fetch-candy/usual") != 0)
            continue;
        outcome = cJSON_GetArrayItem(cJSON_GetArrayItem(cJSON_GetObjectItem(c, "expect"), 0), 0);
        steps = cJSON_GetObjectItem(c, "steps");
    }
    assert_non_null(outcome);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetArrayItem(steps, 0), "arrive")));
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(steps, 1), "call")->valuestring, "fetch_candy");
    const cJSON *told = cJSON_GetArrayItem(cJSON_GetObjectItem(outcome, "told"), 0);
    assert_string_equal(cJSON_GetObjectItem(told, "result")->valuestring, "fetch_candy");
    assert_int_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(told, "values"), "amount")->valueint, 144);
    cJSON_Delete(json);
    stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_right_client_passes_and_every_case_can_fail),
        cmocka_unit_test(test_no_mutant_of_a_client_survives),
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_what_the_application_is_told),
        cmocka_unit_test(test_structured_text),
        cmocka_unit_test(test_when_it_connects_again),
        cmocka_unit_test(test_what_the_tester_saw_late_is_not_too_early),
        cmocka_unit_test(test_silence_before_a_timer_does_not_excuse_it),
        cmocka_unit_test(test_the_pause_counts_from_the_end_that_was_seen),
        cmocka_unit_test(test_a_client_that_is_through_stays_away),
        cmocka_unit_test(test_effects_are_owed_upward),
        cmocka_unit_test(test_a_call_that_makes_its_link),
        cmocka_unit_test(test_a_stream_may_be_cut_anywhere),
        cmocka_unit_test(test_a_terminal),
        cmocka_unit_test(test_what_stops_a_server_is_exclusive),
        cmocka_unit_test(test_export),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
