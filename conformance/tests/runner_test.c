/* The runner against real targets over sockets: this program again, as a host
 * that serves right or wrong (wrong_host.h). */
#include "conformance/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "conformance/tests/loaded.h"
#include "conformance/tests/wrong_host.h"

#define SPEC     "spec/msglog.yaml"
#define KEPT_MAX 4096

static char self[256], folder[] = "/tmp/assay-runner-XXXXXX", data[64];
static struct assay_spec *spec;

/* ---- a report that keeps what it is told -------------------------------- */

struct kept {
    char id[128], why[320], req[16], said[256];
    enum assay_verdict verdict;
    bool repeated, cuts_requested, silence_waited;
    size_t moments;
};

static struct {
    struct kept items[KEPT_MAX];
    size_t count, begins, ends;
    const struct assay_run_facts *facts;
} told;

static void on_begin(struct assay_report *report, const struct assay_run_facts *facts)
{
    (void)report;
    told.begins++;
    told.facts = facts;
}

static void on_judged(struct assay_report *report, const struct assay_result *r)
{
    struct kept *k = &told.items[told.count++];
    const struct assay_model *model = told.facts->model;
    (void)report;
    *k = (struct kept){.verdict = r->verdict,
                       .repeated = r->repeated,
                       .cuts_requested = r->cuts_requested,
                       .silence_waited = r->silence_waited,
                       .moments = r->exchange.count};
    snprintf(k->id, sizeof k->id, "%s", r->c->id);
    snprintf(k->why, sizeof k->why, "%s", r->why);
    snprintf(k->said, sizeof k->said, "%.255s", r->target_said ? r->target_said : "");
    if (r->req < model->requirements_count)
        snprintf(k->req, sizeof k->req, "%s", model->requirements[r->req].id);
}

static void on_end(struct assay_report *report, const struct assay_run_summary *summary)
{
    (void)report, (void)summary;
    told.ends++;
}

static const struct kept *result_of(const char *id)
{
    for (size_t i = 0; i < told.count; i++)
        if (strcmp(told.items[i].id, id) == 0)
            return &told.items[i];
    fail_msg("no result of %s", id);
    return &told.items[0];
}

static size_t count_of(enum assay_verdict verdict)
{
    size_t n = 0;
    for (size_t i = 0; i < told.count; i++)
        n += told.items[i].verdict == verdict;
    return n;
}

/* ---- a run -------------------------------------------------------------- */

struct setup {
    const struct assay_case *cases;
    size_t count;
    const char *fault, *listen;
    const char *target;        /* instead of a host of ours */
    struct assay_spec *judged; /* instead of SPEC */
    const char *served;        /* the spec that our host serves */
    bool strict;
    double scale;
    unsigned repeat, jobs;
    bool observed;
    bool apart; /* what the host writes is in {data}: several of it share nothing */
    struct assay_run_summary summary;
};

static enum assay_run_end run(struct setup *s)
{
    const struct assay_model *model = assay_spec_model(s->judged ? s->judged : spec);
    struct assay_suite suite = {.spec = spec, .model = model, .cases = s->cases, .count = s->count};
    struct assay_report report = {.begin = on_begin, .judged = on_judged, .end = on_end}, *reports[] = {&report};
    struct assay_observers observers = {0};
    struct assay_net_error error = {""};
    char text[1024], observe[128];
    snprintf(text, sizeof text, "exec:%s host %s %s %s %s", self, s->fault, s->listen ? s->listen : "127.0.0.1:0",
             s->apart ? "{data}/log" : data, s->served ? s->served : SPEC);
    snprintf(observe, sizeof observe, "record=%s", data);
    if (s->observed)
        assert_true(assay_observer_add(&observers, observe));
    remove(data);
    memset(&told, 0, sizeof told);
    struct assay_run_options o = {
        .facts = {.suite = &suite, .model = model, .seed = 1, .spec_path = SPEC, .target = text, .again = "assay test"},
        .oracle = {.model = model, .leniencies = assay_leniencies_default(model), .seed = 1},
        .target = assay_target_new(s->target ? s->target : text, 5 * ASSAY_SECOND, &error),
        .observers = &observers,
        .reports = reports,
        .report_count = 1,
        .jobs = s->jobs ? s->jobs : 32,
        .repeat = s->repeat ? s->repeat : 1,
        .timeout_scale = s->scale > 0 ? s->scale : 1,
        .strict = s->strict,
        .interrupts = -1,
    };
    assert_non_null(o.target);
    enum assay_run_end end = assay_run(&o, &s->summary, &error);
    assay_target_free(o.target);
    return end;
}

/* ---- cases made by hand, judged by the oracle ---------------------------- */

#define BYTES(text)                                                                                                    \
    {                                                                                                                  \
        (const uint8_t *)text, sizeof text - 1                                                                         \
    }
#define SEND(text)                                                                                                     \
    {                                                                                                                  \
        .kind = ASSAY_STEP_SEND, .bytes = BYTES(text)                                                                  \
    }
#define CUT(text)                                                                                                      \
    {                                                                                                                  \
        .kind = ASSAY_STEP_SEND, .flags = ASSAY_STEP_CUT, .bytes = BYTES(text)                                         \
    }
#define STEP(name)                                                                                                     \
    {                                                                                                                  \
        .kind = ASSAY_STEP_##name                                                                                      \
    }
#define LOGIN SEND("\1\3\0bob"), STEP(AWAIT), SEND("\2\3\0abc"), STEP(AWAIT)

static const struct assay_step cut[] = {CUT("\1"), CUT("\3"), CUT("\0b"), SEND("ob"), STEP(AWAIT)};
static const struct assay_step end_of_stream[] = {SEND("\1\3\0bob\2\3\0abc"), STEP(EOF)};
static const struct assay_step log_in[] = {LOGIN};
static const struct assay_step effect[] = {LOGIN, SEND("\3\2\0hi"), STEP(AWAIT)};
static const struct assay_step quiet[] = {LOGIN, STEP(QUIET), SEND("\4\0\0"), STEP(AWAIT)};
static const struct assay_step reset[] = {SEND("\1\3\0b"), STEP(RESET)};
static const struct assay_step many[] = {
    SEND("\1\3\0bob\2\3\0abc\3\1\0a\3\1\0b\3\1\0c\3\1\0d\3\1\0e\3\1\0f\3\1\0g\3\1\0h\3\1\0i\3\1\0j")};
static const struct assay_step two[] = {SEND("\1\3\0bob"),
                                        STEP(AWAIT),
                                        {.kind = ASSAY_STEP_SEND, .link = 1, .bytes = BYTES("\1\3\0eve")},
                                        {.kind = ASSAY_STEP_AWAIT, .link = 1},
                                        SEND("\2\3\0abc"),
                                        STEP(AWAIT)};
static const struct assay_step unknown[] = {SEND("\1\3\0bob"), STEP(AWAIT), SEND("\x9\0\0"), STEP(AWAIT)};
static const struct assay_step by_hand[] = {SEND("\1\3\0bob"),
                                            {.kind = ASSAY_STEP_EXPECT, .bytes = BYTES("\0")},
                                            {.kind = ASSAY_STEP_EXPECT_END, .ends = ASSAY_SEEN_SILENCE},
                                            STEP(EOF),
                                            {.kind = ASSAY_STEP_EXPECT_END, .ends = ASSAY_SEEN_FIN}};
static const struct assay_step wrong_by_hand[] = {SEND("\1\3\0bob"),
                                                  {.kind = ASSAY_STEP_EXPECT, .bytes = BYTES("\xff")}};

#define CASE(name, steps_of, more)                                                                                     \
    {                                                                                                                  \
        .id = "m/" name, .text = name, .req = ASSAY_NONE, .field_req = ASSAY_NONE, .steps = steps_of,                  \
        .step_count = sizeof steps_of / sizeof steps_of[0], more                                                       \
    }
static const struct assay_case cases[] = {
    CASE("by-hand", by_hand, .by_hand = true),
    CASE("cut", cut, .links = 1),
    CASE("effect", effect, .observe = "record"),
    CASE("end-of-stream", end_of_stream, .links = 1),
    CASE("log-in", log_in, .links = 1),
    CASE("many", many, .links = 1),
    CASE("quiet", quiet, .links = 1),
    CASE("reset", reset, .links = 1),
    CASE("two", two, .links = 2),
    CASE("unknown", unknown, .links = 1),
};
#define CASES (sizeof cases / sizeof cases[0])

static struct setup against(const char *fault)
{
    return (struct setup){.cases = cases, .count = CASES, .fault = fault, .observed = true};
}

/* ---- tests --------------------------------------------------------------- */

static void passes_a_right_server_in_the_order_of_ids(void **state)
{
    (void)state;
    struct setup s = against("none");
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(told.count, CASES);
    for (size_t i = 0; i < told.count; i++) {
        if (told.items[i].verdict != ASSAY_VERDICT_PASS)
            fail_msg("%s: %s", told.items[i].id, told.items[i].why);
        assert_string_equal(told.items[i].id, cases[i].id);
        assert_false(told.items[i].cuts_requested || told.items[i].silence_waited);
        assert_true(told.items[i].moments > 1);
    }
    assert_int_equal(told.begins, 1);
    assert_int_equal(told.ends, 1);
    assert_int_equal(assay_tally_exit(&s.summary.tally), 0);
}

static void reaches_a_target_over_ipv6(void **state)
{
    (void)state;
    struct setup s = against("none");
    s.listen = "[::1]:0";
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(count_of(ASSAY_VERDICT_PASS), CASES);
}

static void keeps_the_worst_verdict_of_many_rounds(void **state)
{
    (void)state;
    struct setup s = against("none");
    s.repeat = 10;
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(told.count, CASES);
    assert_int_equal(count_of(ASSAY_VERDICT_PASS), CASES);
}

static void does_not_judge_effects_that_nobody_watches(void **state)
{
    (void)state;
    struct setup s = against("none");
    s.observed = false;
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(result_of("m/effect")->verdict, ASSAY_VERDICT_UNSUPPORTED);
    assert_int_equal(count_of(ASSAY_VERDICT_PASS), CASES - 1);
    s.cases = &cases[2]; /* only that one: nothing ran */
    s.count = 1;
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(assay_tally_exit(&s.summary.tally), 5);
}

static void judges_what_is_written_by_hand(void **state)
{
    (void)state;
    static const struct assay_case wrong[] = {CASE("wrong-by-hand", wrong_by_hand, .by_hand = true)};
    struct setup s = {.cases = wrong, .count = 1, .fault = "none"};
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(told.items[0].verdict, ASSAY_VERDICT_FAIL);
    assert_int_equal(assay_tally_exit(&s.summary.tally), 1);
}

struct expectation {
    const char *fault;
    const char *fails[CASES + 1]; /* at least these */
    const char *passes[3];        /* and these still pass */
    const char *why;              /* of the first */
    unsigned jobs;                /* if that matters */
};

static const struct expectation expectations[] = {
    {"split", {"m/cut"}, {"m/log-in", "m/unknown"}, "the connection ended", 0},
    {"partial", {"m/many"}, {"m/log-in", "m/cut"}, NULL, 0},
    /* beside others, one of those may end the session that all share, and m/two has a fresh one then: that it is
     * found for sure takes a host that serves nobody else meanwhile */
    {"shared", {"m/two"}, {NULL}, NULL, 1},
    {"crash", {"m/unknown"}, {"m/log-in", "m/cut", "m/two"}, "the target died: killed by signal 6", 0},
    {"reset", {"m/unknown", "m/log-in"}, {NULL}, "the connection ended", 0},
    {"silent", {"m/log-in"}, {"m/reset"}, "did not come", 0},
    {"early", {"m/log-in"}, {"m/reset"}, "the connection ended", 0},
    {"hang-up", {"m/end-of-stream"}, {"m/log-in", "m/cut"}, "the connection ended", 0},
    {"open", {"m/unknown", "m/log-in"}, {"m/reset"}, "did not come", 0},
    {"forget", {"m/effect"}, {"m/log-in", "m/many"}, "effect `record`", 0},
    {"twice", {"m/effect"}, {"m/log-in", "m/many"}, "effect `record`", 0},
    {"stall", {"m/two"}, {"m/log-in", "m/many", "m/cut"}, "did not come", 0},
};

static void finds_each_wrong_host(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        const struct expectation *e = &expectations[i];
        struct setup s = against(e->fault);
        s.scale = 0.25;
        s.jobs = e->jobs;
        assert_int_equal(run(&s), ASSAY_RUN_DONE);
        for (size_t k = 0; e->fails[k]; k++)
            if (result_of(e->fails[k])->verdict != ASSAY_VERDICT_FAIL)
                fail_msg("%s: %s was not found", e->fault, e->fails[k]);
        for (size_t k = 0; k < 3 && e->passes[k]; k++)
            if (result_of(e->passes[k])->verdict != ASSAY_VERDICT_PASS)
                fail_msg("%s: %s: %s", e->fault, e->passes[k], result_of(e->passes[k])->why);
        const char *why = result_of(e->fails[0])->why;
        if (e->why && !strstr(why, e->why))
            fail_msg("%s: %s: %s", e->fault, e->fails[0], why);
        assert_int_equal(assay_tally_exit(&s.summary.tally), 1);
    }
}

static void a_death_is_one_finding_with_its_last_words(void **state)
{
    (void)state;
    struct setup s = against("crash");
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(count_of(ASSAY_VERDICT_FAIL), 1);
    assert_int_equal(count_of(ASSAY_VERDICT_PASS), CASES - 1);
    assert_non_null(strstr(result_of("m/unknown")->said, "no idea what to do"));
}

/* Cases that want a target for themselves, five times. */
#define OWN_CASES ((CASES - 1) * 5)
static struct setup own_targets(const char *fault)
{
    static struct assay_case own[OWN_CASES];
    static char ids[OWN_CASES][32];
    size_t n = 0;
    for (size_t i = 0; i < CASES; i++)
        for (size_t k = 0; !cases[i].observe && k < 5; k++, n++) {
            snprintf(ids[n], sizeof ids[n], "%s/%zu", cases[i].id, k);
            own[n] = cases[i];
            own[n].id = ids[n];
            own[n].class = ASSAY_CASE_EXCLUSIVE;
        }
    return (struct setup){.cases = own, .count = n, .fault = fault, .apart = true};
}

static void several_targets_run_at_once(void **state)
{
    (void)state;
    struct setup s = own_targets("none");
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    for (size_t i = 0; i < told.count; i++)
        if (told.items[i].verdict != ASSAY_VERDICT_PASS || strcmp(told.items[i].id, s.cases[i].id) != 0)
            fail_msg("%s: %s", told.items[i].id, told.items[i].why);
    assert_int_equal(told.count, OWN_CASES);
    assert_true(s.summary.targets > 0);
    s.jobs = 1;
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(count_of(ASSAY_VERDICT_PASS), OWN_CASES);
    assert_int_equal(s.summary.targets, 0);
}

/* A target whose command has nothing of its own runs once, and a fresh one for each case. */
static void targets_that_share_run_one_by_one(void **state)
{
    (void)state;
    struct setup s = own_targets("none");
    s.apart = false;
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(count_of(ASSAY_VERDICT_PASS), OWN_CASES);
    assert_int_equal(s.summary.targets, 0);
}

static void finds_wrong_hosts_among_several(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *case_id, *why;
        size_t fails;
    } wrong[] = {{"crash", "m/unknown/3", "the target died: killed by signal 6", 5},
                 {"split", "m/cut/0", "the connection ended", 0},
                 {"silent", "m/log-in/4", "did not come", 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct setup s = own_targets(wrong[i].fault);
        s.scale = 0.25;
        assert_int_equal(run(&s), ASSAY_RUN_DONE);
        const struct kept *k = result_of(wrong[i].case_id);
        if (k->verdict != ASSAY_VERDICT_FAIL || !strstr(k->why, wrong[i].why))
            fail_msg("%s: %s: %s", wrong[i].fault, k->id, k->why);
        if (wrong[i].fails)
            assert_int_equal(count_of(ASSAY_VERDICT_FAIL), wrong[i].fails);
    }
}

static void late_answers_are_no_failure(void **state)
{
    (void)state;
    struct setup s = against("late");
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(count_of(ASSAY_VERDICT_PASS), CASES);
}

static void gives_up_on_a_target_that_answers_nothing(void **state)
{
    (void)state;
    static struct assay_case same[200];
    static char ids[200][16];
    for (size_t i = 0; i < 200; i++) {
        snprintf(ids[i], sizeof ids[i], "m/%03zu", i);
        same[i] = cases[4];
        same[i].id = ids[i];
    }
    struct setup s = {.cases = same, .count = 200, .fault = "silent", .scale = 0.25};
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(told.count, 200);
    assert_non_null(s.summary.stopped);
    assert_true(count_of(ASSAY_VERDICT_FAIL) >= 3);
    assert_int_equal(count_of(ASSAY_VERDICT_FAIL) + count_of(ASSAY_VERDICT_ERROR), 200);
}

static void says_when_the_target_cannot_be_reached(void **state)
{
    (void)state;
    struct setup s = against("none");
    s.target = "tcp:127.0.0.1:1";
    assert_int_equal(run(&s), ASSAY_RUN_UNREACHABLE);
    s.target = "exec:exit 3";
    assert_int_equal(run(&s), ASSAY_RUN_UNREACHABLE);
    assert_int_equal(told.count, 0);
}

/* ---- as many connections as the spec allows ------------------------------- */

static void never_more_connections_than_sessions(void **state)
{
    static const struct {
        const char *limit;
        size_t most, unsupported;
    } limits[] = {{"sessions: 1", 1, 1}, {"sessions: 3", 3, 0}, {"sessions: 20000", 7, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct setup s = against("none");
        s.judged = load_changed(SPEC, "sessions: 20000", limits[i].limit);
        s.repeat = 5;
        assert_int_equal(run(&s), ASSAY_RUN_DONE);
        if (limits[i].most < 7)
            assert_int_equal(s.summary.connections, limits[i].most);
        else
            assert_true(s.summary.connections >= limits[i].most);
        assert_int_equal(count_of(ASSAY_VERDICT_UNSUPPORTED), limits[i].unsupported); /* m/two needs two */
        assert_int_equal(count_of(ASSAY_VERDICT_PASS), CASES - limits[i].unsupported);
        assay_spec_free(s.judged);
    }
}

/* ---- levels: a server without manners ------------------------------------ */

#define POLITE "conformance/tests/polite.yaml"
#define GREET  "{when: Greet, send: {Welcome: {}}"
#define PRAISE "{when: Flatter, send: {Blush: {}}"

static void judge_manners(const char *from, const char *to, bool strict, int exit)
{
    char served[CHANGED_PATH_MAX];
    struct assay_spec *polite = load_spec(POLITE);
    struct assay_suite *suite = assay_suite_make(polite, &(struct assay_suite_options){.seed = 1});
    write_changed(POLITE, from, to, served);
    struct setup s = {.cases = suite->cases,
                      .count = suite->count,
                      .fault = "none",
                      .judged = polite,
                      .served = served,
                      .strict = strict};
    assert_int_equal(run(&s), ASSAY_RUN_DONE);
    assert_int_equal(told.count, suite->count);
    assert_int_equal(assay_tally_exit(&s.summary.tally), exit);
    unlink(served);
    assay_suite_free(suite);
    assay_spec_free(polite);
}

static void what_should_be_done_and_is_not_is_a_warning(void **state)
{
    (void)state;
    judge_manners(GREET, "{when: Greet, ignore: true", false, 0);
    assert_int_equal(result_of("polite/open/greet/example-1")->verdict, ASSAY_VERDICT_WARN);
    assert_string_equal(result_of("polite/open/greet/example-1")->req, "PO-2");
    assert_int_equal(result_of("polite/open/framing/hundreds-at-once")->verdict, ASSAY_VERDICT_WARN);
    assert_int_equal(result_of("polite/open/unknown/greet-kind-0")->verdict, ASSAY_VERDICT_PASS);
    assert_int_equal(count_of(ASSAY_VERDICT_FAIL) + count_of(ASSAY_VERDICT_INCONCLUSIVE), 0);
    judge_manners(GREET, "{when: Greet, ignore: true", true, 1);
    assert_int_equal(result_of("polite/open/greet/example-1")->verdict, ASSAY_VERDICT_FAIL);
    assert_int_equal(result_of("polite/open/unknown/greet-kind-0")->verdict, ASSAY_VERDICT_PASS);
}

static void what_may_be_left_out_is_no_failure(void **state)
{
    (void)state;
    for (int strict = 0; strict < 2; strict++) {
        judge_manners(PRAISE, "{when: Flatter, ignore: true", strict, 0);
        assert_int_equal(result_of("polite/open/flatter/example-1")->verdict, ASSAY_VERDICT_UNSUPPORTED);
        assert_string_equal(result_of("polite/open/flatter/example-1")->req, "PO-3");
        assert_int_equal(count_of(ASSAY_VERDICT_PASS), told.count - 1);
    }
}

static int load(void **state)
{
    struct assay_diags diags = {0};
    (void)state;
    spec = assay_spec_load(SPEC, &diags);
    assay_diags_print(&diags, stderr);
    assay_diags_free(&diags);
    return spec && assay_spec_model(spec) ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    assay_spec_free(spec);
    return 0;
}

/* runner_test host FAULT [LISTEN [DATA [SPEC]]]: be the host. */
static int be_host(int argc, char **argv)
{
    struct assay_diags diags = {0};
    spec = assay_spec_load(argc > 5 ? argv[5] : SPEC, &diags);
    for (int i = 0; spec && i < WRONG_HOST_FAULT_COUNT; i++)
        if (strcmp(argv[2], wrong_host_words[i]) == 0)
            return wrong_host_serve(assay_spec_model(spec), (enum wrong_host_fault)i,
                                    argc > 3 ? argv[3] : "127.0.0.1:0", argc > 4 ? argv[4] : NULL);
    return 4;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_a_right_server_in_the_order_of_ids),
        cmocka_unit_test(reaches_a_target_over_ipv6),
        cmocka_unit_test(keeps_the_worst_verdict_of_many_rounds),
        cmocka_unit_test(does_not_judge_effects_that_nobody_watches),
        cmocka_unit_test(judges_what_is_written_by_hand),
        cmocka_unit_test(finds_each_wrong_host),
        cmocka_unit_test(a_death_is_one_finding_with_its_last_words),
        cmocka_unit_test(several_targets_run_at_once),
        cmocka_unit_test(targets_that_share_run_one_by_one),
        cmocka_unit_test(finds_wrong_hosts_among_several),
        cmocka_unit_test(late_answers_are_no_failure),
        cmocka_unit_test(gives_up_on_a_target_that_answers_nothing),
        cmocka_unit_test(says_when_the_target_cannot_be_reached),
        cmocka_unit_test(never_more_connections_than_sessions),
        cmocka_unit_test(what_should_be_done_and_is_not_is_a_warning),
        cmocka_unit_test(what_may_be_left_out_is_no_failure),
    };
    if (argc >= 3 && strcmp(argv[1], "host") == 0)
        return be_host(argc, argv);
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0 || !mkdtemp(folder))
        return 1;
    snprintf(data, sizeof data, "%s/log", folder);
    int failed = cmocka_run_group_tests(tests, load, unload);
    remove(data);
    rmdir(folder);
    return failed;
}
