/* Mutation operators: the start state, and one event or state taken for another. */
#include "conformance/operator.h"
#include "conformance/side.h"

static void list_starts(struct assay_lister *l)
{
    struct assay_range states = l->m->machines[l->machine].states;
    for (uint32_t s = states.first; s + 1 < (uint32_t)states.first + states.count; s++)
        if (s != l->m->machines[l->machine].start)
            assay_mutation_add(l, l->machine, 0, (int32_t)s);
}

static bool start_wrong(struct assay_lab *lab)
{
    ASSAY_OWN(lab, machines, 0);
    ASSAY_MUTABLE(struct assay_machine, &lab->m->machines[lab->mutation->index])->start =
        (uint16_t)lab->mutation->variant;
    assay_lab_say(lab, "sessions start in", lab->m->states[lab->mutation->variant].name);
    return true;
}

static bool same_list(const struct assay_model *m, uint16_t a, uint16_t b)
{
    if (a == b)
        return true;
    if (a == ASSAY_NONE || b == ASSAY_NONE)
        return false;
    const uint16_t *x = &m->rule_lists[a], *y = &m->rule_lists[b];
    while (*x == *y && *x != ASSAY_NONE) {
        x++;
        y++;
    }
    return *x == *y;
}

static bool readable(const struct assay_lister *l, uint16_t event)
{
    const struct assay_model *m = l->m;
    return m->events[event].kind == ASSAY_EVK_MESSAGE && assay_tester_sends(m, l->machine, m->events[event].index);
}

/* Datagrams have no end, and acknowledgements no machine sees. */
static bool never_comes(const struct assay_lister *l, uint16_t event)
{
    const struct assay_model *m = l->m;
    bool datagrams = m->frames[m->machines[l->machine].frame_in].end == ASSAY_END_DATAGRAM;
    if (event == ASSAY_EV_EOF || event == ASSAY_EV_EOF_IN_FRAME)
        return datagrams;
    return m->reliables_count && m->events[event].kind == ASSAY_EVK_MESSAGE &&
           m->events[event].index == m->reliables[0].ack;
}

static bool from_wire(const struct assay_lister *l, uint16_t event)
{
    const struct assay_model *m = l->m;
    if (never_comes(l, event))
        return false;
    return readable(l, event) || m->events[event].kind == ASSAY_EVK_FAULT ||
           (m->events[event].kind == ASSAY_EVK_BUILTIN && event >= ASSAY_EV_MALFORMED &&
            event <= ASSAY_EV_EOF_IN_FRAME);
}

static bool same_sort(const struct assay_lister *l, uint16_t a, uint16_t b)
{
    return readable(l, a) == readable(l, b) && from_wire(l, a) && from_wire(l, b);
}

/* Whether some rule takes the event there, whatever the session holds. */
static bool is_taken(const struct assay_model *m, uint32_t state, uint16_t event)
{
    uint16_t at = assay_transition(m, state, event);
    for (const uint16_t *r = at == ASSAY_NONE ? NULL : &m->rule_lists[at]; r && *r != ASSAY_NONE; r++)
        if (m->rules[*r].guard == ASSAY_NONE && m->rules[*r].level != ASSAY_SHOULD)
            return true;
    return false;
}

/* A call that waits is asked for an event only where the machine's own state takes it not. */
static bool is_asked(const struct assay_lister *l, uint32_t state, uint16_t event)
{
    struct assay_range states = l->m->machines[l->machine].states;
    if (l->m->states[state].kind != ASSAY_STATE_WAIT && l->m->states[state].kind != ASSAY_STATE_AWAIT)
        return true;
    for (uint32_t s = states.first; s < (uint32_t)states.first + states.count; s++)
        if (l->m->states[s].kind == ASSAY_STATE_PLAIN && !is_taken(l->m, s, event))
            return true;
    return false;
}

static void list_event_confusions(struct assay_lister *l)
{
    struct assay_range states = l->m->machines[l->machine].states;
    for (uint32_t s = states.first; s + 1 < (uint32_t)states.first + states.count; s++)
        for (uint16_t e = 0; e < l->m->events_count; e++)
            for (uint16_t other = 0; other < l->m->events_count; other++)
                if (e != other && same_sort(l, e, other) && is_asked(l, s, e) &&
                    !same_list(l->m, assay_transition(l->m, s, e), assay_transition(l->m, s, other)))
                    assay_mutation_add(l, s, e, other);
}

static void redirect(struct assay_lab *lab, uint32_t state, uint32_t event, uint16_t list)
{
    size_t count = (size_t)lab->m->states_count * lab->m->events_count;
    uint16_t *transitions = assay_lab_copy(lab, lab->m->transitions, count, 0, sizeof *transitions);
    transitions[(size_t)state * lab->m->events_count + event] = list;
    lab->m->transitions = transitions;
}

static bool event_confused(struct assay_lab *lab)
{
    uint32_t state = lab->mutation->index, event = lab->mutation->at;
    assay_lab_blame(lab, assay_transition(lab->m, state, event));
    redirect(lab, state, event, assay_transition(lab->m, state, (uint32_t)lab->mutation->variant));
    lab->mutant->text =
        assay_store_text(&lab->mutant->store, "%s is taken for %s in state %s", lab->m->events[event].name,
                         lab->m->events[lab->mutation->variant].name, lab->m->states[state].name);
    return true;
}

/* States in which an event is handled alike make one mutant. */
static bool is_new(const struct assay_lister *l, uint16_t event, uint32_t other)
{
    for (uint32_t s = l->m->machines[l->machine].states.first; s < other; s++)
        if (same_list(l->m, assay_transition(l->m, s, event), assay_transition(l->m, other, event)))
            return false;
    return true;
}

static void list_state_confusions(struct assay_lister *l)
{
    struct assay_range states = l->m->machines[l->machine].states;
    uint32_t end = (uint32_t)states.first + states.count - 1;
    for (uint16_t e = 0; e < l->m->events_count; e++)
        for (uint32_t s = states.first; s < end && from_wire(l, e); s++)
            for (uint32_t other = states.first; other < end; other++)
                if (is_asked(l, s, e) && is_new(l, e, other) &&
                    !same_list(l->m, assay_transition(l->m, s, e), assay_transition(l->m, other, e)))
                    assay_mutation_add(l, s, e, (int32_t)other);
}

static bool state_ignored(struct assay_lab *lab)
{
    uint32_t state = lab->mutation->index, event = lab->mutation->at;
    assay_lab_blame(lab, assay_transition(lab->m, state, event));
    redirect(lab, state, event, assay_transition(lab->m, (uint32_t)lab->mutation->variant, event));
    lab->mutant->text =
        assay_store_text(&lab->mutant->store, "%s in state %s is handled as in %s", lab->m->events[event].name,
                         lab->m->states[state].name, lab->m->states[lab->mutation->variant].name);
    return true;
}

const struct assay_operator assay_operators_states[] = {
    {"start-wrong", .model = list_starts, .apply = start_wrong},
    {"event-mistaken", .model = list_event_confusions, .apply = event_confused},
    {"state-ignored", .model = list_state_confusions, .apply = state_ignored},
    {0},
};
