/* Schedules: as text, run again, drawn; and that a run depends on nothing but them. */
#include "core/session.h"
#include "sim/tests/edited.h"
#include "sim/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

struct world {
    struct assay_spec *spec;
    const struct assay_model *model;
    struct assay_sim *sim;
};

static struct world world_of(const char *path, const struct edit *edits)
{
    struct world w = {.spec = edited(path, edits)};
    w.model = assay_spec_model(w.spec);
    w.sim = simulated(w.model, NULL);
    return w;
}

static void free_world(struct world *w)
{
    assay_sim_free(w->sim);
    assay_spec_free(w->spec);
}

static struct assay_sim_schedule schedule_of(const struct world *w, const char *text)
{
    struct assay_sim_schedule s = {.seed = 1};
    struct assay_link_error error;
    if (!assay_sim_schedule_read(&s, w->model, "plan", text, strlen(text), &error))
        fail_msg("%s", error.text);
    return s;
}

static struct assay_sim_finding run(const struct world *w, const char *text, struct assay_sim_count *count)
{
    struct assay_sim_finding finding;
    struct assay_sim_schedule s = schedule_of(w, text);
    *count = (struct assay_sim_count){0};
    assay_sim_replay(w->sim, &s, &finding, count);
    assay_sim_schedule_free(&s);
    return finding;
}

static char *drawn(const struct world *w, const char *text)
{
    char *picture = NULL;
    size_t size;
    struct assay_sim_schedule s = schedule_of(w, text);
    FILE *to = open_memstream(&picture, &size);
    assert_non_null(to);
    assert_true(assay_sim_diagram(w->sim, &s, to));
    fclose(to);
    assay_sim_schedule_free(&s);
    return picture;
}

/* ---- text -------------------------------------------------------------- */

static void test_written_and_read(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    struct world w = world_of(PUBSUB, NULL);
    const char *plan = "#sim seed 77\n"
                       "#sim number -1\n"
                       "#sim blackout 12\n"
                       "1 up 3 drop\n"
                       "#sim crash server 57\n"
                       "2 down 1 duplicate 30ms\n"
                       "#sim crash bob 31\n"
                       "#sim fail server 2\n"
                       "1 up 5 corrupt 12:40\n";
    struct assay_sim_schedule s = schedule_of(&w, plan), again;
    assert_int_equal(s.count, 6);
    assert_int_equal(s.seed, 77);
    assert_int_equal(s.blackout, 12);
    assert_true(s.near_wrap);
    FILE *to = open_memstream(&text, &size);
    assert_true(assay_sim_schedule_write(&s, w.model, to));
    fclose(to);
    again = schedule_of(&w, text);
    assert_int_equal(again.count, 6);
    assert_int_equal(again.seed, 77);
    assert_int_equal(again.blackout, 12);
    assert_true(again.near_wrap);
    for (size_t i = 0; i < s.count; i++) {
        assert_int_equal(s.faults[i].kind, again.faults[i].kind);
        assert_int_equal(s.faults[i].nth, again.faults[i].nth);
        assert_int_equal(s.faults[i].node, again.faults[i].node);
        assert_int_equal(s.faults[i].link.kind, again.faults[i].link.kind);
        assert_int_equal(s.faults[i].link.at, again.faults[i].link.at);
        assert_int_equal(s.faults[i].link.span, again.faults[i].link.span);
        assert_int_equal(s.faults[i].link.mask, again.faults[i].link.mask);
    }
    free(text);
    assay_sim_schedule_free(&s);
    assay_sim_schedule_free(&again);
    free_world(&w);
}

static void refused(const struct world *w, const char *text, const char *expected)
{
    struct assay_sim_schedule s = {0};
    struct assay_link_error error;
    assert_false(assay_sim_schedule_read(&s, w->model, "plan", text, strlen(text), &error));
    if (!strstr(error.text, expected))
        fail_msg("expected '%s' in: %s", expected, error.text);
    assay_sim_schedule_free(&s);
}

static void test_wrong_text(void **state)
{
    (void)state;
    struct world w = world_of(LOCKSTEP, NULL);
    refused(&w, "1 up 3 drop\n#sim crash nobody 3\n", "plan:2:1:");
    refused(&w, "#sim crash server\n", "crash NODE STEP");
    refused(&w, "#sim fail server\n", "fail NODE N");
    refused(&w, "#sim burn server 1\n", "plan:1:1:");
    refused(&w, "#sim blackout 0\n", "plan:1:1:");
    refused(&w, "1 up 3 explode\n", "plan:1:8:");
    free_world(&w);
}

/* ---- runs -------------------------------------------------------------- */

static void test_faults_of_a_plan_happen(void **state)
{
    (void)state;
    struct assay_sim_count count;
    struct world w = world_of(LOCKSTEP, NULL);
    assert_int_equal(run(&w, "", &count).wrong, ASSAY_SIM_NOTHING);
    assert_int_equal(count.datagrams, 12);
    assert_int_equal(count.deliveries, 12);
    run(&w, "1 up 1 drop\n", &count);
    assert_int_equal(count.datagrams, 13);
    assert_int_equal(count.deliveries, 12);
    run(&w, "1 down 6 duplicate\n", &count);
    assert_int_equal(count.datagrams, 12);
    assert_int_equal(count.deliveries, 13);
    run(&w, "1 up 2 corrupt 5:01\n", &count);
    assert_int_equal(count.datagrams, 13);
    assert_int_equal(count.deliveries, 13);
    run(&w, "* * 2 drop\n", &count);
    assert_int_equal(count.datagrams, 12 + 1 + 2);
    free_world(&w);
}

/* A swapped datagram arrives when the next of its direction has passed: here that is its own repetition. */
static void test_swapped(void **state)
{
    (void)state;
    struct world w = world_of(PUBSUB, NULL);
    char *picture = drawn(&w, "2 down 3 swap\n");
    const char *first = strstr(picture, "2 down 3, swapped"), *second = strstr(picture, "2 down 4"),
               *late = strstr(picture, "2 down 3, arrives out of its turn");
    assert_true(first && second && late);
    assert_true(first < second && second < late);
    free(picture);
    free_world(&w);
}

static void test_the_same_every_time(void **state)
{
    (void)state;
    struct world w = world_of(PUBSUB, NULL), other = world_of(PUBSUB, NULL);
    const char *plan = "#sim seed 9\n1 up 2 drop\n2 down 3 delay 400ms\n#sim crash server 40\n#sim crash bob 20\n";
    char *first = drawn(&w, plan), *again = drawn(&w, plan), *elsewhere = drawn(&other, plan);
    assert_string_equal(first, again);
    assert_string_equal(first, elsewhere);
    assert_non_null(strstr(first, "server crashes"));
    assert_non_null(strstr(first, "server begins again"));
    assert_non_null(strstr(first, "bob crashes"));
    free(first);
    free(again);
    free(elsewhere);
    free_world(&w);
    free_world(&other);
}

/* What forks from a snapshot goes as what runs from the start: the tree's finding comes back from its schedule. */
static void test_a_finding_comes_back(void **state)
{
    (void)state;
    const struct edit edits[] = {
        {"if: number == next, do", "if: number <= next, do"}, {"next: next + 1", "next: number + 1"}, {0}};
    struct assay_sim_finding finding;
    struct world w = world_of(LOCKSTEP, edits);
    struct assay_sim_report report = searched(w.sim, w.model, 2, 0);
    assert_int_equal(report.finding.wrong, ASSAY_SIM_TWICE);
    assay_sim_replay(w.sim, &report.schedule, &finding, NULL);
    assert_int_equal(finding.wrong, ASSAY_SIM_TWICE);
    assert_string_equal(finding.text, report.finding.text);
    assay_sim_schedule_free(&report.schedule);
    free_world(&w);
}

/* A forked run and one from the start send and deliver the same: every single fault of a world with all there is. */
static void test_forks_are_as_runs(void **state)
{
    (void)state;
    struct world w = world_of(PUBSUB, NULL);
    struct assay_sim_search search = {.faults = 1, .kinds = ASSAY_IMPAIR_DROP, .plain = true, .any_traffic = true};
    struct assay_sim_report report;
    struct assay_sim_count one, all = {0};
    uint64_t runs = 0;
    char plan[64];
    assert_true(assay_sim_explore(w.sim, &search, &report));
    for (int flow = 1; flow <= 2; flow++)
        for (int down = 0; down < 2; down++)
            for (int at = 1; at <= 4; at++, runs++) {
                snprintf(plan, sizeof plan, "%d %s %d drop\n", flow, down ? "down" : "up", at);
                assert_int_equal(run(&w, plan, &one).wrong, ASSAY_SIM_NOTHING);
                all.calls += one.calls;
                all.failed += one.failed;
            }
    run(&w, "", &one);
    assert_int_equal(report.count.schedules, runs + 1);
    assert_int_equal(report.count.calls, all.calls + one.calls);
    assert_int_equal(report.count.failed, all.failed + one.failed);
    free_world(&w);
}

/* Of equal worlds one is run: what is counted is all the same. Calls fail where three datagrams in a row are lost. */
static void test_equal_worlds_count(void **state)
{
    (void)state;
    const struct edit edits[] = {{"after: 20s", "after: 2500ms"}, {"extra: 4", "extra: 1000"}, {0}};
    struct world w = world_of(LOCKSTEP, edits);
    struct assay_sim_search search = {
        .faults = 7, .first = 7, .kinds = ASSAY_IMPAIR_DROP | ASSAY_IMPAIR_DUPLICATE, .plain = true, .every = true};
    struct assay_sim_report each, once;
    assert_true(assay_sim_explore(w.sim, &search, &each));
    search.every = false;
    search.any_traffic = true;
    assert_true(assay_sim_explore(w.sim, &search, &once));
    assert_int_equal(each.finding.wrong, ASSAY_SIM_NOTHING);
    assert_int_equal(each.count.schedules, 3 * 3 * 3 * 3 * 3 * 3 * 3);
    assert_int_equal(each.worlds, 0);
    assert_true(once.worlds > 0 && once.count.deliveries < each.count.deliveries / 2);
    assert_int_equal(once.count.schedules, each.count.schedules);
    assert_int_equal(once.count.calls, each.count.calls);
    assert_int_equal(once.count.failed, each.count.failed);
    assert_int_equal(once.count.whole, each.count.whole);
    assert_true(each.count.failed > 0);
    free_world(&w);
}

/* With all that can happen to two clients, a log and a table, calls that fail among it. */
static void test_equal_worlds_of_many_kinds(void **state)
{
    (void)state;
    struct world w = world_of(PUBSUB, NULL);
    const struct assay_impair *impair = &assay_spec_model(w.spec)->impairs[0];
    struct assay_sim_search search = {
        .faults = 2, .first = 9, .kinds = impair->faults, .crashes = impair->crashes, .blackouts = true, .every = true};
    struct assay_sim_report each, once;
    assert_true(assay_sim_explore(w.sim, &search, &each));
    search.every = false;
    assert_true(assay_sim_explore(w.sim, &search, &once));
    assert_int_equal(each.finding.wrong, ASSAY_SIM_NOTHING);
    assert_int_equal(once.finding.wrong, ASSAY_SIM_NOTHING);
    assert_true(once.count.deliveries < each.count.deliveries);
    assert_int_equal(once.count.schedules, each.count.schedules);
    assert_int_equal(once.count.calls, each.count.calls);
    assert_int_equal(once.count.failed, each.count.failed);
    assert_int_equal(once.count.whole, each.count.whole);
    assert_true(each.count.failed > 0);
    free_world(&w);
}

/* Where the world is as it was, but more traffic led to it, the promise about that may break. */
static void test_equal_worlds_after_more_traffic(void **state)
{
    (void)state;
    unsigned broken = 0;
    for (unsigned extra = 0; extra < 6; extra++) {
        char text[16];
        snprintf(text, sizeof text, "extra: %u", extra);
        struct world w = world_of(LOCKSTEP, (const struct edit[]){{"extra: 4", text}, {0}});
        struct assay_sim_search search = {
            .faults = 3, .kinds = ASSAY_IMPAIR_DROP | ASSAY_IMPAIR_DUPLICATE | ASSAY_IMPAIR_DELAY, .every = true};
        struct assay_sim_report each, once;
        assert_true(assay_sim_explore(w.sim, &search, &each));
        search.every = false;
        assert_true(assay_sim_explore(w.sim, &search, &once));
        assert_int_equal(once.finding.wrong, each.finding.wrong);
        assert_int_equal(once.shrunk_from, each.shrunk_from);
        assert_int_equal(once.count.schedules, each.count.schedules);
        broken += each.finding.wrong == ASSAY_SIM_TRAFFIC;
        assay_sim_schedule_free(&each.schedule);
        assay_sim_schedule_free(&once.schedule);
        free_world(&w);
    }
    assert_true(broken > 0 && broken < 6);
}

/* ---- memory ------------------------------------------------------------ */

/* Blocks of the heap that nobody owns, as one forgets them who does not give them back. */
static void test_memory_that_is_lost(void **state)
{
    (void)state;
    struct world w = world_of(PUBSUB, NULL);
    struct assay_sim_finding finding;
    uint32_t at;
    for (unsigned node = 0; node < 3; node++) {
        assay_sim_begin(w.sim, 1, false);
        assay_sim_run(w.sim, NULL);
        assert_true(assay_sim_judge(w.sim, &finding));
        assert_true(assay_heap_alloc(&assay_sim_engine(w.sim, node)->heap, 100, &at));
        assert_false(assay_sim_judge(w.sim, &finding));
        assert_int_equal(finding.wrong, ASSAY_SIM_LEAK);
        assert_non_null(strstr(finding.text, "128 of them for nothing"));
    }
    free_world(&w);
}

/* A late copy makes a session that nobody speaks in: a message waits in it, ahead of its turn, until the lease is over,
 * and the run with it. */
static void test_memory_of_a_session_that_ended_last(void **state)
{
    (void)state;
    struct world w = world_of(PUBSUB, NULL);
    struct assay_sim_count count;
    const char *plan = "1 up 2 duplicate 126895us\n"
                       "#sim fail server 1\n"
                       "1 up 4 duplicate 321189us\n"
                       "#sim crash ann 30\n";
    assert_int_equal(run(&w, plan, &count).wrong, ASSAY_SIM_NOTHING);
    free_world(&w);
}

/* What memory is kept for, in the middle of it: messages under way, rows, variables. */
static void test_memory_has_owners(void **state)
{
    (void)state;
    struct world w = world_of(PUBSUB, NULL);
    unsigned node, kept = 0;
    enum assay_sim_next next;
    assay_sim_begin(w.sim, 1, false);
    while ((next = assay_sim_peek(w.sim, &node)) != ASSAY_SIM_REST) {
        assay_sim_step(w.sim, next, NULL, 0);
        for (unsigned i = 0; i < 3; i++) {
            struct assay_memory m;
            assay_memory(w.sim->engines[i], &m);
            assert_int_equal(m.used, m.variables + m.messages + m.rows + m.passing);
            assert_true(m.used <= w.sim->engine_config[i].limits.memory);
            kept |= (m.messages > 0) | (m.rows > 0) << 1 | (m.variables > 0) << 2;
        }
    }
    assert_int_equal(kept, 7);
    free_world(&w);
}

/* ---- shrinking and drawing --------------------------------------------- */

static void test_shrunk(void **state)
{
    (void)state;
    const struct edit edits[] = {
        {"if: number == next, do", "if: number <= next, do"}, {"next: next + 1", "next: number + 1"}, {0}};
    struct assay_sim_finding finding;
    struct world w = world_of(LOCKSTEP, edits);
    struct assay_sim_schedule s = schedule_of(&w, "1 up 5 delay 3s\n1 down 3 corrupt 2:10\n1 up 2 swap\n1 down 6 drop\n"
                                                  "1 up 7 duplicate 20ms\n1 down 2 delay 70ms\n");
    assay_sim_replay(w.sim, &s, &finding, NULL);
    assert_int_equal(finding.wrong, ASSAY_SIM_TWICE);
    assay_sim_shrink(w.sim, &s, &finding);
    assert_int_equal(finding.wrong, ASSAY_SIM_TWICE);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.faults[0].link.at, 1);
    assay_sim_schedule_free(&s);
    free_world(&w);
}

static void test_drawn(void **state)
{
    (void)state;
    struct world w = world_of(LOCKSTEP, NULL);
    char *picture = drawn(&w, "1 down 1 drop\n");
    const char *lines[] = {"sender",
                           "| call put content='1'",
                           "|--- Block content='1' number=1 ---",
                           ">|  1 up 1\n",
                           "| * keep content='1'",
                           "X-- Ack number=1",
                           "1 down 1, lost",
                           "1.0000s |--- Block content='1' number=1",
                           "put: done"};
    const char *at = picture;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        at = strstr(at, lines[i]);
        if (!at)
            fail_msg("not drawn: %s in\n%s", lines[i], picture);
    }
    free(picture);
    free_world(&w);
}

static void test_what_cannot_be(void **state)
{
    (void)state;
    char error[ASSAY_SIM_ERROR_MAX] = "";
    struct assay_sim_config config;
    struct assay_spec *spec = edited("spec/msglog.yaml", NULL);
    assay_sim_defaults(&config, assay_spec_model(spec));
    assert_null(assay_sim_new(&config, error));
    assert_non_null(strstr(error, "impair"));
    assay_spec_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_wrong_text),
        cmocka_unit_test(test_faults_of_a_plan_happen),
        cmocka_unit_test(test_swapped),
        cmocka_unit_test(test_the_same_every_time),
        cmocka_unit_test(test_a_finding_comes_back),
        cmocka_unit_test(test_forks_are_as_runs),
        cmocka_unit_test(test_equal_worlds_count),
        cmocka_unit_test(test_equal_worlds_of_many_kinds),
        cmocka_unit_test(test_equal_worlds_after_more_traffic),
        cmocka_unit_test(test_memory_that_is_lost),
        cmocka_unit_test(test_memory_of_a_session_that_ended_last),
        cmocka_unit_test(test_memory_has_owners),
        cmocka_unit_test(test_shrunk),
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
