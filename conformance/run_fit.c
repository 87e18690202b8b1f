/* Which cases cannot be run with this target, and why. */
#include <string.h>

#include "conformance/run.h"

static const char *failing_effect(const struct assay_run_now *r, size_t i)
{
    return r->suite->model->effects[r->suite->cases[i].circumstance.failing - 1].name;
}

/* At a terminal not every call can be made, and nothing but a call makes a link. */
static bool can_be_typed(const struct assay_run_now *r, const struct assay_case *c)
{
    const struct assay_guest_plan *g = r->o->guest;
    bool called = false;
    for (size_t k = 0; k < c->step_count; k++) {
        const struct assay_step *s = &c->steps[k];
        if (s->kind == ASSAY_STEP_CALL &&
            !assay_terminal_types(r->suite->model, g->terminal, s->call, s->values, s->spans))
            return false;
        called = called || s->kind == ASSAY_STEP_CALL;
        if (s->kind == ASSAY_STEP_ARRIVE && !called)
            return false;
    }
    return called;
}

bool assay_run_can_be_told(const struct assay_run_now *r, const struct assay_case *c)
{
    if (r->o->guest->way == ASSAY_UPPER_TERMINAL)
        return can_be_typed(r, c);
    for (size_t k = 0; k < c->step_count && r->o->guest->way == ASSAY_UPPER_EXIT; k++)
        if (c->steps[k].kind == ASSAY_STEP_CALL)
            return false;
    return true;
}

static bool on_screen(const struct assay_run_now *r, const char *name)
{
    const struct assay_model *model = r->suite->model;
    for (uint16_t i = 0; r->stage.screen && i < model->effects_count; i++)
        if (strcmp(model->effects[i].name, name) == 0)
            return r->o->oracle.terminal->effects[i] != ASSAY_NONE;
    return false;
}

/* Cases that cannot be run here; they are told, and do not count as passed. */
void assay_run_settle_unsupported(struct assay_run_now *r, size_t i)
{
    const struct assay_case *c = &r->suite->cases[i];
    uint32_t most = r->suite->model->limits.sessions;
    if (r->o->guest && !assay_run_can_be_told(r, c))
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED, "what this case does cannot be typed");
    else if (c->observe && !assay_run_eye_of(r, i) && !on_screen(r, c->observe))
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED,
                         "nobody watches effect `%s`: give --observe %s=FILE|CMD", c->observe, c->observe);
    else if (c->class == ASSAY_CASE_EXCLUSIVE && r->target && !assay_target_owned(r->target))
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED, "needs a target of its own: exec:COMMAND");
    else if (c->circumstance.failing && !assay_run_target_for(r, i))
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED,
                         "no target whose effect `%s` fails: give --fault %s=COMMAND", failing_effect(r, i),
                         failing_effect(r, i));
    else if (c->circumstance.memory && !assay_run_target_for(r, i))
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED,
                         "no target with %u bytes for variables: give --fault no-room=COMMAND",
                         (unsigned)c->circumstance.memory);
    else if (r->target && assay_run_links_of(r, i) > most)
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED,
                         "needs %zu connections at once, and the spec's limit is %u sessions", assay_run_links_of(r, i),
                         (unsigned)most);
    else
        return;
    assay_run_settle(r, i);
}
