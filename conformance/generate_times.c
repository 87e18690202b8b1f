/* Timers: nothing before they are due, what they do when they are, and what starts them anew. */
#include "conformance/build.h"
#include "core/code.h"
#include "core/engine.h"

static bool runs_in(const struct assay_model *model, const struct assay_timer *timer, uint16_t state)
{
    for (const uint16_t *s = &model->statesets[timer->states]; *s != ASSAY_NONE; s++)
        if (*s == state)
            return true;
    return false;
}

/* The event of the timer that is due first at a node; ASSAY_NONE: it cannot be told. */
static uint16_t first_due(struct assay_builder *b, uint32_t node, int64_t due)
{
    struct assay_belief *copy = assay_belief_copy(&b->explored.world, b->explored.nodes[node].belief);
    struct assay_belief_set set = {.items = {copy}, .count = copy ? 1 : 0};
    if (copy)
        copy->steps = 0;
    assay_beliefs_time(&b->explored.world, &set, due);
    uint16_t event = ASSAY_NONE;
    for (size_t i = 0; i < set.count; i++)
        if (set.items[i]->steps)
            event = set.items[i]->first_event;
    assay_beliefs_clear(&set);
    return event;
}

/* The timer that runs out at a node, unless something comes. */
static const struct assay_timer *timer_of(struct assay_builder *b, uint32_t node, int64_t due)
{
    struct assay_range timers = b->model->machines[b->config.machine].timers;
    uint16_t event = first_due(b, node, due);
    for (uint32_t i = timers.first; i < (uint32_t)timers.first + timers.count; i++)
        if (b->model->timers[i].event == event &&
            runs_in(b->model, &b->model->timers[i], b->explored.nodes[node].state))
            return &b->model->timers[i];
    return NULL;
}

static uint16_t timer_rule(const struct assay_builder *b, uint16_t state, const struct assay_timer *timer)
{
    uint16_t at = b->model->transitions[(size_t)state * b->model->events_count + timer->event];
    return at == ASSAY_NONE ? ASSAY_NONE : b->model->rule_lists[at];
}

static void idle_case(struct assay_builder *b, uint32_t node, int64_t due, const struct assay_timer *timer)
{
    uint16_t state = b->explored.nodes[node].state;
    assay_build_begin(b, assay_build_state_name(b, state), timer->name, "idle");
    assay_build_path(b, 0, node);
    assay_build_pause(b, due - timer->early - due / 4);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_build_pause(b, due / 4 + timer->early + timer->late + 1);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, timer_rule(b, state, timer), ASSAY_CASE_TIMED, "%s runs out in state %s", timer->name,
                       assay_build_state_name(b, state));
}

/* A timer that starts anew when it has run out does so in the state in which it runs. */
static void again_case(struct assay_builder *b, uint32_t node, int64_t due, const struct assay_timer *timer)
{
    uint16_t state = b->explored.nodes[node].state;
    struct assay_belief *copy = assay_belief_copy(&b->explored.world, b->explored.nodes[node].belief);
    struct assay_belief_set set = {.items = {copy}, .count = copy ? 1 : 0};
    if (copy)
        assay_beliefs_tick(&b->explored.world, &set, due);
    bool stays = copy && !copy->ended && assay_state(copy->engine, copy->sid) == state;
    int64_t next = stays ? assay_deadline(copy->engine) : ASSAY_NEVER;
    assay_beliefs_clear(&set);
    if (next == ASSAY_NEVER || next <= due)
        return;
    assay_build_begin(b, assay_build_state_name(b, state), timer->name, "again");
    assay_build_path(b, 0, node);
    assay_build_pause(b, due + timer->late + 1);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_pause(b, next - due + timer->late + 1);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, timer_rule(b, state, timer), ASSAY_CASE_TIMED, "%s runs out twice in state %s", timer->name,
                       assay_build_state_name(b, state));
}

static void restarted_case(struct assay_builder *b, uint32_t node, int64_t due, const struct assay_timer *timer)
{
    uint16_t state = b->explored.nodes[node].state;
    size_t input = assay_build_loop(b, node);
    if (input == SIZE_MAX)
        return;
    assay_build_begin(b, assay_build_state_name(b, state), timer->name, "input-before");
    assay_build_path(b, 0, node);
    for (int i = 0; i < 3; i++) {
        assay_build_pause(b, due / 2);
        assay_build_input(b, 0, input);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        if (assay_reaction(&b->explored, node, input)->unacknowledged)
            assay_build_acknowledge(b, 0);
    }
    assay_build_pause(b, due + timer->late + 1);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, timer_rule(b, state, timer), ASSAY_CASE_TIMED, "%s while input comes in state %s",
                       timer->name, assay_build_state_name(b, state));
}

/* A peer that sends a byte now and then does not complete a frame. */
static void slow_case(struct assay_builder *b, uint32_t node, int64_t due, const struct assay_timer *timer)
{
    uint16_t state = b->explored.nodes[node].state;
    size_t input = assay_build_friendly(b, node);
    if (input == SIZE_MAX || b->inputs.items[input].bytes.n < 3)
        return;
    struct assay_blob one = b->inputs.items[input].bytes;
    assay_build_begin(b, assay_build_state_name(b, state), timer->name, "slow-peer");
    assay_build_path(b, 0, node);
    assay_build_fix_mode(b, 0, node);
    assay_build_send(b, 0, (struct assay_blob){one.p, 1}, ASSAY_STEP_CUT);
    assay_build_pause(b, due / 2);
    assay_build_send(b, 0, (struct assay_blob){one.p + 1, 1}, ASSAY_STEP_CUT);
    assay_build_pause(b, due + timer->late + 1);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, timer_rule(b, state, timer), ASSAY_CASE_TIMED, "a peer that sends a byte now and then");
}

/* An input that leads to where the timer does not run, nor another one that is due before; SIZE_MAX: none. */
static size_t way_out(const struct assay_builder *b, uint32_t node, int64_t until, const struct assay_timer *timer)
{
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (!r->stepped || r->ended || r->partial || r->next >= ASSAY_NODES_MAX ||
            runs_in(b->model, timer, b->explored.nodes[r->next].state))
            continue;
        if (assay_deadline(b->explored.nodes[r->next].belief->engine) > until + until / 8)
            return i;
    }
    return SIZE_MAX;
}

static void left_case(struct assay_builder *b, uint32_t node, int64_t due, const struct assay_timer *timer)
{
    uint16_t state = b->explored.nodes[node].state;
    int64_t wait = due + timer->late + 1;
    size_t input = way_out(b, node, wait, timer);
    if (input == SIZE_MAX)
        return;
    assay_build_begin(b, assay_build_state_name(b, state), timer->name, "left-before");
    assay_build_path(b, 0, node);
    assay_build_input(b, 0, input);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_pause(b, wait);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_build_finish(b, timer_rule(b, state, timer), ASSAY_CASE_TIMED, "state %s is left before %s runs out",
                       assay_build_state_name(b, state), timer->name);
}

/* What a machine waited for comes after all: nobody waits for it any more. And all begins anew, as it began. */
static void too_late(struct assay_builder *b, const struct assay_node *before, int64_t late)
{
    uint16_t last = ASSAY_NONE;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_input *input = &b->inputs.items[i];
        if (input->kind != ASSAY_INPUT_EXAMPLE || input->message == last)
            continue;
        last = input->message;
        assay_build_input(b, 0, i);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        assay_build_step(b, 0, ASSAY_STEP_QUIET);
    }
    if (b->inputs.items[before->path[0]].kind != ASSAY_INPUT_CALL)
        return;
    size_t call = before->path[0];
    while (++call < b->inputs.count && b->inputs.items[call].call == b->inputs.items[before->path[0]].call)
        continue;
    if (call < b->inputs.count) { /* another one */
        assay_build_input(b, 0, call);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        assay_build_acknowledge(b, 0);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    }
    assay_build_input(b, 0, before->path[0]);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    uint32_t next = assay_reaction(&b->explored, 0, before->path[0])->next;
    int64_t due = next < ASSAY_NODES_MAX ? assay_deadline(b->explored.nodes[next].belief->engine) : ASSAY_NEVER;
    if (due == ASSAY_NEVER || due <= 0)
        return;
    assay_build_pause(b, due + late + 1);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
}

/* Timers that are due behind the first one, which may start again and again meanwhile. */
static void outlasted_cases(struct assay_builder *b, uint32_t node, int64_t due, const struct assay_timer *first)
{
    struct assay_range timers = b->model->machines[b->config.machine].timers;
    const struct assay_belief *belief = b->explored.nodes[node].belief;
    uint16_t state = b->explored.nodes[node].state;
    for (uint32_t i = timers.first; i < (uint32_t)timers.first + timers.count; i++) {
        const struct assay_timer *timer = &b->model->timers[i];
        assay_val after;
        if (timer == first || !runs_in(b->model, timer, state) ||
            !assay_belief_eval(&b->explored.world, belief, timer->after, &after) || (int64_t)after <= due)
            continue;
        assay_build_begin(b, assay_build_state_name(b, state), timer->name, "outlasts-%s", first->name);
        assay_build_path(b, 0, node);
        assay_build_pause(b, (int64_t)after + timer->late + 1);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        assay_build_finish(b, timer_rule(b, state, timer), ASSAY_CASE_TIMED, "%s runs out in state %s behind %s",
                           timer->name, assay_build_state_name(b, state), first->name);
        if (!b->arrives || b->explored.nodes[node].depth == 0)
            continue;
        assay_build_begin(b, assay_build_state_name(b, state), timer->name, "too-late");
        assay_build_path(b, 0, node);
        assay_build_pause(b, (int64_t)after + timer->late + 1);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        too_late(b, &b->explored.nodes[node], first->late);
        b->current.field_req =
            b->model->rules[assay_reaction(&b->explored, 0, b->explored.nodes[node].path[0])->rule].req;
        assay_build_finish(b, timer_rule(b, state, timer), ASSAY_CASE_TIMED,
                           "what comes in state %s when %s has run out, and all anew", assay_build_state_name(b, state),
                           timer->name);
    }
}

void assay_generate_times(struct assay_builder *b)
{
    struct assay_range timers = b->model->machines[b->config.machine].timers;
    bool ran = false;
    for (uint32_t node = 0; node < b->explored.count; node++) {
        const struct assay_node *n = &b->explored.nodes[node];
        assay_time due = assay_deadline(n->belief->engine);
        if ((node == 0 && !b->explored.rooted) || due == ASSAY_NEVER || due <= 0 ||
            assay_node_of(&b->explored, n->state) != node)
            continue;
        const struct assay_timer *timer = timer_of(b, node, due);
        if (!timer)
            continue;
        ran = true;
        idle_case(b, node, due, timer);
        if (b->arrives && b->frame->end == ASSAY_END_DATAGRAM)
            again_case(b, node, due, timer);
        restarted_case(b, node, due, timer);
        slow_case(b, node, due, timer);
        left_case(b, node, due, timer);
        if (b->model->reliables_count)
            outlasted_cases(b, node, due, timer);
    }
    if (timers.count && !ran)
        assay_build_note(b, "timer %s does not run with these params: no case waits for it",
                         b->model->timers[timers.first].name);
}
