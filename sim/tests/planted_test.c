/* The right protocols keep their promises; in each wrong one the fault that was planted is found. */
#include "sim/tests/edited.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct assay_sim_finding found_in(const struct assay_model *model, const struct assay_model *server,
                                         unsigned faults, uint64_t random, size_t *size)
{
    struct assay_sim *sim = simulated(model, server);
    struct assay_sim_report report = searched(sim, model, faults, random);
    struct assay_sim_finding finding = report.finding;
    *size = report.schedule.count;
    assay_sim_schedule_free(&report.schedule);
    assay_sim_free(sim);
    return finding;
}

/* What is found in the spec of a file with some edits, by sets of up to so many faults alone. */
static struct assay_sim_finding found(const char *path, const struct edit *edits, unsigned faults, size_t *size)
{
    struct assay_spec *spec = edited(path, edits);
    struct assay_sim_finding finding = found_in(assay_spec_model(spec), NULL, faults, 0, size);
    assay_spec_free(spec);
    return finding;
}

static void check(struct assay_sim_finding finding, enum assay_sim_wrong wrong)
{
    if (finding.wrong != wrong)
        fail_msg("expected %s, found %s: %s", assay_sim_wrongs[wrong], assay_sim_wrongs[finding.wrong], finding.text);
}

/* ---- those that are right ---------------------------------------------- */

static void test_lockstep_is_right(void **state)
{
    (void)state;
    struct assay_spec *spec = edited(LOCKSTEP, NULL);
    const struct assay_model *model = assay_spec_model(spec);
    struct assay_sim *sim = simulated(model, NULL);
    struct assay_sim_report report = searched(sim, model, 2, 500);
    check(report.finding, ASSAY_SIM_NOTHING);
    assert_int_equal(report.base, 12);
    assert_int_equal(report.random.schedules, 500);
    assert_true(report.random.failed < report.random.calls / 2);
    assay_sim_free(sim);
    assay_spec_free(spec);
}

static void test_pubsub_is_right(void **state)
{
    (void)state;
    size_t size;
    struct assay_spec *spec = edited(PUBSUB, NULL);
    check(found_in(assay_spec_model(spec), NULL, 2, 1000, &size), ASSAY_SIM_NOTHING);
    assay_spec_free(spec);
}

/* What a client says without waiting is stored together. */
static void test_lines_in_flight_together_are_right(void **state)
{
    (void)state;
    size_t size;
    const struct edit edits[] = {
        {"- {write: {text: \"'one'\"}}", "- {post: {text: \"'one'\"}}"},
        {"- {write: {text: \"'two'\"}}",
         "- {post: {text: \"'two'\"}}\n      - {post: {text: \"'three'\"}}\n      - {flush: {}}"},
        {"{call: write, is:", "{call: post, is:"},
        {"crashes: [server, client]", "crashes: [server]"},
        {"max: 100000, store: durable", "max: 100000, store: memory"}, /* else who cannot register posts all the same */
        {0}};
    check(found(PUBSUB, edits, 2, &size), ASSAY_SIM_NOTHING);
}

/* ---- a transfer in lock-step ------------------------------------------- */

static void test_sorcerers_apprentice(void **state)
{
    (void)state;
    size_t size;
    check(found(APPRENTICE, NULL, 1, &size), ASSAY_SIM_TRAFFIC);
    assert_int_equal(size, 1);
}

static void test_a_block_is_kept_again(void **state)
{
    (void)state;
    size_t size;
    const struct edit edits[] = {
        {"if: number == next, do", "if: number <= next, do"}, {"next: next + 1", "next: number + 1"}, {0}};
    check(found(LOCKSTEP, edits, 1, &size), ASSAY_SIM_TWICE);
    assert_int_equal(size, 1);
}

static void test_nothing_is_sent_again(void **state)
{
    (void)state;
    size_t size;
    const struct edit edits[] = {{"after: 1s", "after: 0s"}, {"after: 20s", "after: 0s"}, {0}};
    check(found(LOCKSTEP, edits, 1, &size), ASSAY_SIM_STUCK);
    assert_int_equal(size, 1);
}

/* A sender that never gives up: only total loss shows it. */
static void test_nobody_gives_up(void **state)
{
    (void)state;
    const struct edit edits[] = {{"after: 20s", "after: 0s"}, {"    within: 25s\n", ""}, {0}};
    struct assay_spec *spec = edited(LOCKSTEP, edits);
    struct assay_sim *sim = simulated(assay_spec_model(spec), NULL);
    struct assay_sim_report report = searched(sim, assay_spec_model(spec), 1, 0);
    check(report.finding, ASSAY_SIM_STUCK);
    assert_int_equal(report.schedule.count, 0);
    assert_int_equal(report.schedule.blackout, 1);
    assay_sim_schedule_free(&report.schedule);
    assay_sim_free(sim);
    assay_spec_free(spec);
}

/* Any acknowledgement is taken for that of the block under way. */
static void test_an_old_acknowledgement_is_believed(void **state)
{
    (void)state;
    size_t size;
    const struct edit edits[] = {
        {"{when: Ack, if: number == self.number, goto: Ready, req: LS-1}", "{when: Ack, goto: Ready, req: LS-1}"}, {0}};
    check(found(LOCKSTEP, edits, 2, &size), ASSAY_SIM_MISSING);
    assert_int_equal(size, 2);
}

static void test_a_call_that_never_works(void **state)
{
    (void)state;
    size_t size;
    const struct edit edits[] = {{"number: {type: u16, init: 0}", "number: {type: u16, init: 5}"}, {0}};
    check(found(LOCKSTEP, edits, 0, &size), ASSAY_SIM_UNWELL);
    assert_int_equal(size, 0);
}

/* ---- reliable messages, a log, crashes --------------------------------- */

static uint16_t effect_of(const struct assay_model *model, const char *name)
{
    uint16_t i = 0;
    while (i < model->effects_count && strcmp(model->effects[i].name, name) != 0)
        i++;
    assert_true(i < model->effects_count);
    return i;
}

/* The order to store is given, its completion is not awaited. */
static void test_acknowledged_before_it_is_stored(void **state)
{
    (void)state;
    size_t size;
    struct assay_effect effects[64];
    struct assay_spec *spec = edited(PUBSUB, NULL);
    const struct assay_model *model = assay_spec_model(spec);
    struct assay_model server = *model;
    assert_true(model->effects_count <= 64);
    memcpy(effects, model->effects, model->effects_count * sizeof *effects);
    effects[effect_of(model, "keep")].fallible = false;
    server.effects = effects;
    check(found_in(model, &server, 1, 0, &size), ASSAY_SIM_MISSING);
    assert_int_equal(size, 1);
    assay_spec_free(spec);
}

static struct assay_sim_finding found_without_unique(unsigned duplicate, size_t *size)
{
    struct assay_spec *spec = edited(
        PUBSUB, (const struct edit[]){{"    unique: [user, id]\n", ""}, {"  crashes: [server, client]\n", ""}, {0}});
    struct assay_model model = *assay_spec_model(spec);
    struct assay_reliable reliable = model.reliables[0];
    reliable.duplicate = (uint8_t)duplicate;
    model.reliables = &reliable;
    struct assay_sim_finding finding = found_in(&model, NULL, 1, 0, size);
    assay_spec_free(spec);
    return finding;
}

/* The log would not take a line twice: without that, the layer below is all there is. */
static void test_duplicates_are_delivered(void **state)
{
    (void)state;
    size_t size;
    check(found_without_unique(ASSAY_DUPLICATE_ACKNOWLEDGE, &size), ASSAY_SIM_NOTHING);
    check(found_without_unique(ASSAY_DUPLICATE_DELIVER, &size), ASSAY_SIM_TWICE);
    assert_int_equal(size, 1);
}

/* Only where numbers are about to wrap. */
static void test_numbers_wrap_elsewhere(void **state)
{
    (void)state;
    struct assay_spec *spec = edited(PUBSUB, NULL);
    const struct assay_model *model = assay_spec_model(spec);
    struct assay_model server = *model;
    struct assay_reliable reliable = model->reliables[0];
    reliable.bits = 32;
    server.reliables = &reliable;
    struct assay_sim *sim = simulated(model, &server);
    struct assay_sim_report report = searched(sim, model, 1, 0);
    assert_int_not_equal(report.finding.wrong, ASSAY_SIM_NOTHING);
    assert_true(report.schedule.near_wrap);
    assert_int_equal(report.schedule.count, 0);
    assay_sim_schedule_free(&report.schedule);
    assay_sim_free(sim);
    assay_spec_free(spec);
}

static void test_a_cursor_that_is_not_saved(void **state)
{
    (void)state;
    size_t size;
    const struct edit edits[] = {{"token: \"'fedcba9876543210'\", cursor: cursor}", "token: \"'fedcba9876543210'\"}"},
                                 {0}};
    check(found(PUBSUB, edits, 1, &size), ASSAY_SIM_TWICE);
    assert_int_equal(size, 1);
}

/* A server that crashes has lost what it acknowledged. */
static void test_lines_in_memory_alone(void **state)
{
    (void)state;
    size_t size;
    const struct edit edits[] = {{"    store: durable\n    keep: 10000", "    store: memory\n    keep: 10000"}, {0}};
    check(found(PUBSUB, edits, 1, &size), ASSAY_SIM_MISSING);
    assert_int_equal(size, 1);
}

/* ---- effects that fail ------------------------------------------------- */

/* It takes the line, and so acknowledges it, though it could not be stored. */
static void test_acknowledged_though_storing_failed(void **state)
{
    (void)state;
    size_t size;
    const struct edit edits[] = {
        {"          else: {decline: true}\n          req: PS-8", "          else: {drop: true}\n          req: PS-8"},
        {0}};
    check(found(PUBSUB, edits, 1, &size), ASSAY_SIM_MISSING);
    assert_int_equal(size, 1);
}

static void test_taken_though_showing_failed(void **state)
{
    (void)state;
    size_t size;
    const struct edit edits[] = {
        {"          else: {decline: true}\n          req: PS-2", "          else: {drop: true}\n          req: PS-2"},
        {0}};
    check(found(PUBSUB, edits, 1, &size), ASSAY_SIM_MISSING);
    assert_int_equal(size, 1);
}

/* Acknowledged all the same. */
static void test_acknowledged_though_keeping_failed(void **state)
{
    (void)state;
    size_t size;
    const struct edit edits[] = {{"send: {Ack: {number: number}}, else: {drop: true}",
                                  "send: {Ack: {number: number}}, else: {send: {Ack: {number: number}}}"},
                                 {"faults: [drop, ", "faults: [fail, drop, "},
                                 {0}};
    check(found(LOCKSTEP, edits, 1, &size), ASSAY_SIM_MISSING);
    assert_int_equal(size, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lockstep_is_right),
        cmocka_unit_test(test_pubsub_is_right),
        cmocka_unit_test(test_lines_in_flight_together_are_right),
        cmocka_unit_test(test_sorcerers_apprentice),
        cmocka_unit_test(test_a_block_is_kept_again),
        cmocka_unit_test(test_nothing_is_sent_again),
        cmocka_unit_test(test_an_old_acknowledgement_is_believed),
        cmocka_unit_test(test_nobody_gives_up),
        cmocka_unit_test(test_a_call_that_never_works),
        cmocka_unit_test(test_acknowledged_before_it_is_stored),
        cmocka_unit_test(test_duplicates_are_delivered),
        cmocka_unit_test(test_numbers_wrap_elsewhere),
        cmocka_unit_test(test_a_cursor_that_is_not_saved),
        cmocka_unit_test(test_lines_in_memory_alone),
        cmocka_unit_test(test_acknowledged_though_storing_failed),
        cmocka_unit_test(test_taken_though_showing_failed),
        cmocka_unit_test(test_acknowledged_though_keeping_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
