/* Mutation operators: timers. */
#include "conformance/operator.h"

enum timer_fault { TOO_LATE, TOO_EARLY, RESTART_INPUT, RESTART_SEND, STATE_LOST };

static void list_timers(struct assay_lister *l)
{
    struct assay_range timers = l->m->machines[l->machine].timers;
    for (uint32_t i = timers.first; i < (uint32_t)timers.first + timers.count; i++) {
        const uint16_t *states = &l->m->statesets[l->m->timers[i].states];
        for (int32_t v = TOO_LATE; v <= RESTART_SEND; v++)
            assay_mutation_add(l, i, 0, v);
        for (uint32_t k = 0; states[k] != ASSAY_NONE; k++)
            assay_mutation_add(l, i, k, STATE_LOST);
    }
}

static bool timer_state_lost(struct assay_lab *lab, struct assay_timer *t)
{
    ASSAY_OWN(lab, statesets, 0);
    uint16_t *states = ASSAY_MUTABLE(uint16_t, &lab->m->statesets[t->states]);
    uint32_t k = lab->mutation->at;
    lab->mutant->text =
        assay_store_text(&lab->mutant->store, "timer %s does not run in %s", t->name, lab->m->states[states[k]].name);
    do
        states[k] = states[k + 1];
    while (states[k++] != ASSAY_NONE);
    return true;
}

static bool timer_scaled(struct assay_lab *lab, struct assay_timer *t, enum assay_op op, const char *what)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_INT, 0, 4), assay_ins(op, 0, 0)};
    t->after = assay_lab_rewrite(lab, t->after, assay_code_end(lab->m, t->after), 0, put, 2);
    assay_lab_say(lab, what, t->name);
    return t->after != ASSAY_NONE;
}

static bool timer_restart(struct assay_lab *lab, struct assay_timer *t, unsigned flag)
{
    t->restart = (uint8_t)(t->restart ^ flag);
    assay_lab_say(lab, "wrong restart:", t->name);
    return true;
}

static bool timer_wrong(struct assay_lab *lab)
{
    ASSAY_OWN(lab, timers, 0);
    struct assay_timer *t = ASSAY_MUTABLE(struct assay_timer, &lab->m->timers[lab->mutation->index]);
    for (uint32_t s = lab->m->machines[lab->machine].states.first; s < lab->m->states_count; s++)
        if (assay_transition(lab->m, s, t->event) != ASSAY_NONE)
            assay_lab_blame(lab, assay_transition(lab->m, s, t->event));
    switch ((enum timer_fault)lab->mutation->variant) {
    case TOO_LATE:
        return timer_scaled(lab, t, ASSAY_OP_MUL, "four times too late:");
    case TOO_EARLY:
        return timer_scaled(lab, t, ASSAY_OP_DIV, "four times too early:");
    case RESTART_INPUT:
        return timer_restart(lab, t, ASSAY_RESTART_INPUT);
    case RESTART_SEND:
        return timer_restart(lab, t, ASSAY_RESTART_SEND);
    case STATE_LOST:
        return timer_state_lost(lab, t);
    }
    return false;
}

const struct assay_operator assay_operators_timers[] = {
    {"timer-wrong", .model = list_timers, .apply = timer_wrong},
    {0},
};
