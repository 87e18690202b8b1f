/* One machine, but for its rules: states, variables, timers, when it connects again. */
#include <string.h>

#include "compiler/scope.h"
#include "compiler/types.h"

enum { MC_VARS, MC_TIMERS, MC_START, MC_STATES, MC_RULES, MC_TEXT, MC_SESSION, MC_ROLE, MC_PER, MC_RECONNECT, MC_KEYS };
static const struct shape_key machine_keys[MC_KEYS] = {
    [MC_VARS] = {"vars", SHAPE_MAPPING, NULL},
    [MC_TIMERS] = {"timers", SHAPE_MAPPING, NULL},
    [MC_START] = {"start", SHAPE_SCALAR, NULL},
    [MC_STATES] = {"states", SHAPE_MAPPING, NULL},
    [MC_RULES] = {"rules", SHAPE_SEQUENCE, NULL},
    [MC_TEXT] = {"text", SHAPE_SCALAR, NULL},
    [MC_ROLE] = {"role", SHAPE_SCALAR, NULL},
    [MC_PER] = {"per", SHAPE_SCALAR, NULL},
    [MC_RECONNECT] = {"reconnect", SHAPE_MAPPING, NULL},
    [MC_SESSION] = {"session", SHAPE_SCALAR | SHAPE_DECLARED, "sessions by address"},
};

/* ---- states ------------------------------------------------------------ */

static struct spec_state *add_state(struct assay_spec *spec, struct spec_machine *machine, const char *name,
                                    struct assay_at at, uint8_t kind)
{
    struct spec_state *s = ASSAY_NEW(&spec->arena, struct spec_state);
    *s = (struct spec_state){.at = at, .name = name, .kind = kind};
    assay_list_add(spec, &machine->states, s);
    return s;
}

static void read_states(struct assay_spec *spec, struct spec_machine *machine, const struct assay_node *const *of)
{
    ASSAY_CHILDREN (child, of[MC_STATES]) {
        if (strcmp(child->key->text, "*") == 0)
            continue;
        assay_read_name(spec, child->key->text, child->key->at, "a state");
        if (strcmp(child->key->text, "End") == 0)
            assay_spec_error(spec, child->key->at, "End is always there, and has no rules");
        else
            add_state(spec, machine, child->key->text, child->key->at, ASSAY_STATE_PLAIN);
    }
    if (machine->states.count == 0)
        add_state(spec, machine, "Open", machine->at, ASSAY_STATE_PLAIN);
    machine->end = add_state(spec, machine, "End", machine->at, ASSAY_STATE_END);
    machine->start = of[MC_START] ? assay_find_state(spec, machine, of[MC_START]) : NULL;
    if (!machine->start)
        machine->start = machine->states.items[0];
}

/* ---- variables, timers ------------------------------------------------- */

static void read_vars(struct assay_spec *spec, struct spec_machine *machine, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node) {
        const struct assay_node *extras[FIELD_KEYS];
        struct spec_var *v = ASSAY_NEW(&spec->arena, struct spec_var);
        *v = (struct spec_var){.at = child->key->at, .name = child->key->text};
        assay_read_name(spec, v->name, v->at, "a variable");
        struct spec_type *t = assay_plain_type(spec, assay_read_type(spec, child, NULL, extras), child);
        assay_plain_extras(spec, extras);
        v->type = t ? assay_type_instance(spec, t) : assay_arena_copy(&spec->arena, &assay_type_any, sizeof *t);
        if (t && t->kind >= ASSAY_T_BYTES && t->kind <= ASSAY_T_LIST && !t->bounded)
            assay_spec_error(spec, child->at, "'%s' holds %s, so it needs a 'max': how much it may grow", v->name,
                             assay_type_says(t));
        const struct assay_node *init = extras[FIELD_INIT] ? extras[FIELD_INIT] : extras[FIELD_DEFAULT];
        if (init)
            v->init = assay_expr_parse(spec, init);
        assay_list_add(spec, &machine->vars, v);
    }
}

enum { TI_AFTER, TI_IN, TI_RESTART, TI_EARLY, TI_LATE, TI_ONLY_IF, TI_KEYS };
static const struct shape_key timer_keys[TI_KEYS] = {
    [TI_AFTER] = {"after", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [TI_IN] = {"in", SHAPE_SEQUENCE | SHAPE_SCALAR, NULL},
    [TI_RESTART] = {"restart", SHAPE_SCALAR, NULL},
    [TI_EARLY] = {"early", SHAPE_SCALAR, NULL},
    [TI_LATE] = {"late", SHAPE_SCALAR, NULL},
    [TI_ONLY_IF] = {"only-if", SHAPE_SCALAR | SHAPE_DECLARED, NULL},
};

static void timer_states(struct assay_spec *spec, struct spec_machine *machine, struct spec_timer *t,
                         const struct assay_node *in)
{
    if (in && in->kind == ASSAY_NODE_SCALAR) {
        struct spec_state *s = assay_find_state(spec, machine, in);
        if (s)
            assay_list_add(spec, &t->states, s);
        return;
    }
    ASSAY_CHILDREN (child, in) {
        struct spec_state *s =
            assay_shape_is(spec, child, SHAPE_SCALAR, "a state") ? assay_find_state(spec, machine, child) : NULL;
        if (s)
            assay_list_add(spec, &t->states, s);
    }
    if (!in)
        SPEC_EACH (struct spec_state, s, &machine->states)
            if (s->kind == ASSAY_STATE_PLAIN)
                assay_list_add(spec, &t->states, s);
}

static void read_timers(struct assay_spec *spec, struct spec_machine *machine, const struct assay_node *node)
{
    static const char *const restarts[] = {"never", "input", "send", "any"};
    ASSAY_CHILDREN (child, node) {
        const struct assay_node *of[TI_KEYS];
        struct spec_timer *t = ASSAY_NEW(&spec->arena, struct spec_timer);
        *t = (struct spec_timer){.at = child->key->at, .name = child->key->text};
        assay_read_name(spec, t->name, t->at, "a timer");
        if (!assay_shape(spec, child, "a timer", timer_keys, TI_KEYS, of) || !of[TI_AFTER])
            continue;
        t->after = assay_expr_parse(spec, of[TI_AFTER]);
        timer_states(spec, machine, t, of[TI_IN]);
        size_t restart = of[TI_RESTART] ? assay_read_word(spec, of[TI_RESTART], restarts, 4, "restart") : 0;
        t->restart = restart < 4 ? (uint8_t)restart : 0;
        t->early = assay_read_duration(spec, of[TI_EARLY], 0);
        t->late = assay_read_duration(spec, of[TI_LATE], 1000000000);
        t->event = assay_add_event(spec, t->name, ASSAY_EVK_TIMER, t->at);
        t->event->timer = t;
        assay_list_add(spec, &machine->timers, t);
    }
}

/* ---- connecting again -------------------------------------------------- */

enum { RC_PAUSE, RC_FACTOR, RC_CAP, RC_MOST, RC_EARLY, RC_LATE, RC_KEYS };
static const struct shape_key reconnect_keys[RC_KEYS] = {
    [RC_PAUSE] = {"pause", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [RC_FACTOR] = {"factor", SHAPE_SCALAR, NULL},
    [RC_CAP] = {"cap", SHAPE_SCALAR, NULL},
    [RC_MOST] = {"most", SHAPE_SCALAR, NULL},
    [RC_EARLY] = {"early", SHAPE_SCALAR, NULL},
    [RC_LATE] = {"late", SHAPE_SCALAR, NULL},
};

static void read_reconnect(struct assay_spec *spec, struct spec_machine *m, const struct assay_node *node)
{
    const struct assay_node *of[RC_KEYS];
    struct spec_reconnect *r = &m->reconnect;
    const struct assay_node *role = assay_node_get(m->node, "role");
    if (!node)
        return;
    if (strcmp(m->name, "server") == 0 || (role && assay_node_is(role, "server")))
        assay_spec_error(spec, node->key->at, "only a client connects again");
    if (m->role != ASSAY_CLIENT || !assay_shape(spec, node, "reconnect", reconnect_keys, RC_KEYS, of) || !of[RC_PAUSE])
        return;
    r->pause = assay_expr_parse(spec, of[RC_PAUSE]);
    r->growth = assay_read_factor(spec, of[RC_FACTOR]);
    r->cap = assay_read_duration(spec, of[RC_CAP], 0);
    assay_read_int(spec, of[RC_MOST], 1, UINT32_MAX, &r->most);
    r->early = assay_read_duration(spec, of[RC_EARLY], 0);
    r->late = assay_read_duration(spec, of[RC_LATE], 1000000000);
}

/* ---- all --------------------------------------------------------------- */

void assay_read_machine(struct assay_spec *spec, struct spec_machine *m)
{
    const struct assay_node *of[MC_KEYS], *node = m->node;
    m->at = node->key->at;
    assay_shape(spec, node, "a machine", machine_keys, MC_KEYS, of);
    bool several = assay_node_get(spec->root, "machines") != NULL;
    if (!several && (of[MC_ROLE] || of[MC_PER]))
        assay_spec_error(spec, (of[MC_ROLE] ? of[MC_ROLE] : of[MC_PER])->key->at,
                         "'%s' is for machines under 'machines'", (of[MC_ROLE] ? of[MC_ROLE] : of[MC_PER])->key->text);
    if (!of[MC_STATES] == !of[MC_RULES])
        assay_spec_error(spec, node->key->at, "a machine has 'states', or 'rules' when there is one state only");
    read_states(spec, m, of);
    read_vars(spec, m, of[MC_VARS]);
    read_timers(spec, m, of[MC_TIMERS]);
    read_reconnect(spec, m, of[MC_RECONNECT]);
}

void assay_mirror_machine(struct assay_spec *spec, struct spec_machine *m)
{
    const struct assay_node *of[MC_KEYS] = {0};
    read_states(spec, m, of);
}
