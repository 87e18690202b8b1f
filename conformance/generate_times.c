/* Timers: nothing before they are due, what they do when they are, and what starts them anew. */
#include "conformance/build.h"

static bool runs_in(const struct assay_model *model, const struct assay_timer *timer, uint16_t state)
{
    for (const uint16_t *s = &model->statesets[timer->states]; *s != ASSAY_NONE; s++)
        if (*s == state)
            return true;
    return false;
}

static const struct assay_timer *timer_of(const struct assay_builder *b, uint16_t state)
{
    struct assay_range timers = b->model->machines[b->model->server].timers;
    for (uint32_t i = timers.first; i < (uint32_t)timers.first + timers.count; i++)
        if (runs_in(b->model, &b->model->timers[i], state))
            return &b->model->timers[i];
    return NULL;
}

static uint16_t timer_rule(const struct assay_builder *b, uint16_t state, const struct assay_timer *timer)
{
    uint16_t at = b->model->dispatch[(size_t)state * b->model->events_count + timer->event];
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
        assay_build_send(b, 0, b->inputs.items[input].bytes, 0);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
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

void assay_generate_times(struct assay_builder *b)
{
    struct assay_range timers = b->model->machines[b->model->server].timers;
    bool ran = false;
    for (uint32_t node = 0; node < b->explored.count; node++) {
        const struct assay_node *n = &b->explored.nodes[node];
        const struct assay_timer *timer = timer_of(b, n->state);
        assay_time due = assay_deadline(n->belief->engine);
        if (!timer || due == ASSAY_NEVER || due <= 0 || assay_node_of(&b->explored, n->state) != node)
            continue;
        ran = true;
        idle_case(b, node, due, timer);
        restarted_case(b, node, due, timer);
        slow_case(b, node, due, timer);
    }
    if (timers.count && !ran)
        assay_build_note(b, "timer %s does not run with these params: no case waits for it",
                         b->model->timers[timers.first].name);
}
