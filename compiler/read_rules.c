/* Rules of machines: which events a rule is for, and what it may look at. */
#include <string.h>

#include "compiler/scope.h"
#include "compiler/types.h"

/* ---- events ------------------------------------------------------------ */

/* What an event brings. */
enum bears { BEARS_NOTHING, BEARS_FRAME, BEARS_MESSAGE };

static enum bears bears(const struct spec_event *e)
{
    if (e->kind == ASSAY_EVK_MESSAGE || e->kind == SPEC_EV_SIGNAL)
        return BEARS_MESSAGE;
    if (e->kind == ASSAY_EVK_FAULT)
        return BEARS_FRAME;
    if (e->kind != ASSAY_EVK_BUILTIN)
        return BEARS_NOTHING;
    return e->index == ASSAY_EV_STALE || e->index == ASSAY_EV_MALFORMED || e->index == ASSAY_EV_UNKNOWN ||
                   e->index == ASSAY_EV_OVERSIZE || e->index == ASSAY_EV_EOF_IN_FRAME
               ? BEARS_FRAME
               : BEARS_NOTHING;
}

static uint8_t other_side(const struct spec_machine *machine)
{
    return (uint8_t)((ASSAY_CLIENT | ASSAY_SERVER) & ~machine->role);
}

static bool for_machine(const struct spec_machine *machine, const struct spec_event *e)
{
    if (e->kind == ASSAY_EVK_TIMER) {
        SPEC_EACH (struct spec_timer, t, &machine->timers)
            if (t == e->timer)
                return true;
        return false;
    }
    return e->kind != ASSAY_EVK_CALL && e->kind != ASSAY_EVK_ROW &&
           !(e->kind == ASSAY_EVK_BUILTIN && e->index == ASSAY_EV_AWAITED);
}

static struct spec_event *find_event(struct body_context *c, const char *name, struct assay_at at)
{
    struct assay_near near = {.wanted = name};
    assay_near_add(&near, "any-message");
    SPEC_EACH (struct spec_event, e, &c->spec->events) {
        if (!for_machine(c->machine, e))
            continue;
        if (strcmp(e->name, name) == 0)
            return e;
        assay_near_add(&near, e->name);
    }
    assay_spec_error(c->spec, at, "no event is called '%s'%s", name, assay_near_text(&near));
    return NULL;
}

static bool has_event(const struct spec_list *events, const struct spec_event *event)
{
    SPEC_EACH (struct spec_event, e, events)
        if (e == event)
            return true;
    return false;
}

static bool heard_in(const struct spec_machine *m, const struct spec_message *message)
{
    return (message->from & other_side(m)) && assay_knows(m, message);
}

/* In another role of the same machine, or on another transport: this rule is for that. */
static bool heard_elsewhere(const struct body_context *c, const struct spec_message *message)
{
    SPEC_EACH (struct spec_machine, m, &c->spec->machines)
        if (m != c->machine && m->node == c->machine->node && heard_in(m, message))
            return true;
    return false;
}

static void not_heard(struct body_context *c, const struct spec_message *message, struct assay_at at)
{
    bool comes = false;
    SPEC_EACH (struct spec_machine, m, &c->spec->machines)
        comes = comes || (m->node == c->machine->node && (message->from & other_side(m)));
    if (!comes)
        assay_spec_error(c->spec, at, "%s does not come from the other side", message->name);
    else
        assay_spec_error(c->spec, at, "%s is not known where this machine plays: its 'over' names other transports",
                         message->name);
}

static void add_event(struct body_context *c, struct spec_list *events, const char *name, struct assay_at at)
{
    if (strcmp(name, "any-message") == 0) {
        SPEC_EACH (struct spec_message, m, &c->spec->messages)
            if ((m->from & other_side(c->machine)) && assay_knows(c->machine, m) && !m->is_ack &&
                !has_event(events, m->event))
                assay_list_add(c->spec, events, m->event);
        return;
    }
    struct spec_event *e = find_event(c, name, at);
    if (e && e->message && e->message->is_ack) {
        assay_spec_error(c->spec, at, "%s acknowledges the messages of 'reliable': no machine and no call sees it",
                         e->message->name);
        return;
    }
    if (e && e->message && !heard_in(c->machine, e->message)) {
        if (!heard_elsewhere(c, e->message))
            not_heard(c, e->message, at);
        return;
    }
    if (e && !has_event(events, e))
        assay_list_add(c->spec, events, e);
}

/* ---- scopes ------------------------------------------------------------ */

static struct spec_message *only_message(const struct assay_spec *spec, const struct spec_machine *machine)
{
    struct spec_message *only = NULL;
    SPEC_EACH (struct spec_message, m, &spec->messages) {
        if (!(m->from & other_side(machine)) || !assay_knows(machine, m) || m->is_ack)
            continue;
        if (only)
            return NULL;
        only = m;
    }
    return only;
}

/* The fields that all events of a rule bring. Without a tag there may be one message only: then its fields
 * are those of a frame that is cut off or broken, too. */
static void set_scope(struct body_context *c, struct spec_rule *r)
{
    enum bears least = BEARS_MESSAGE;
    SPEC_EACH (struct spec_event, e, &r->events)
        least = bears(e) < least ? bears(e) : least;
    if (r->events.count == 0)
        least = BEARS_NOTHING;
    if (least >= BEARS_FRAME)
        r->frame = c->machine->in;
    if (least == BEARS_MESSAGE)
        SPEC_EACH (struct spec_event, e, &r->events)
            if (e->message)
                assay_list_add(c->spec, &r->messages, e->message);
    struct spec_message *only = least == BEARS_FRAME ? only_message(c->spec, c->machine) : NULL;
    if (only)
        assay_list_add(c->spec, &r->messages, only);
    SPEC_EACH (struct spec_event, e, &r->events)
        c->scope.open = c->scope.open || e->kind == SPEC_EV_SIGNAL;
    c->scope.frame = r->frame;
    c->scope.messages = r->messages.count ? &r->messages : NULL;
}

uint16_t assay_slots_in(const struct assay_spec *spec, const struct spec_machine *machine)
{
    uint16_t most = 0;
    SPEC_EACH (struct spec_message, m, &spec->messages)
        if ((m->from & other_side(machine)) && m->slots > most)
            most = m->slots;
    return most;
}

/* ---- patterns ---------------------------------------------------------- */

static const struct spec_field *pattern_field(struct body_context *c, const struct spec_rule *r,
                                              const struct assay_node *entry)
{
    struct assay_near near = {.wanted = entry->key->text};
    const struct spec_list *lists[2] = {NULL, r->frame ? &r->frame->fields : NULL};
    if (r->messages.count)
        lists[0] = &((const struct spec_message *)r->messages.items[0])->fields;
    for (unsigned i = 0; i < 2; i++)
        if (lists[i])
            SPEC_EACH (struct spec_field, f, lists[i]) {
                if (f->name && f->slot != ASSAY_NONE && strcmp(f->name, entry->key->text) == 0)
                    return f;
                assay_near_add(&near, f->name);
            }
    assay_spec_error(c->spec, entry->key->at, "there is no field '%s' to compare%s", entry->key->text,
                     assay_near_text(&near));
    return NULL;
}

/* A value, or a list of values one of which it has to be. */
static struct spec_expr *pattern_value(struct body_context *c, const struct assay_node *node,
                                       const struct spec_type *type)
{
    struct spec_scope scope = {.machine = c->machine, .params = true, .open = c->scope.open};
    struct spec_expr *e = assay_expr_parse(c->spec, node);
    if (!e)
        return NULL;
    bool several = e->kind == SPEC_E_LIST && type->kind != ASSAY_T_LIST && type->kind != SPEC_T_ANY;
    if (!several)
        return assay_expr_resolve(c->spec, e, &scope, type) ? e : NULL;
    bool good = true;
    for (size_t i = 0; i < e->count; i++)
        good = assay_expr_resolve(c->spec, e->args[i], &scope, type) && good;
    e->type = type;
    return good ? e : NULL;
}

static void read_pattern(struct body_context *c, struct spec_rule *r, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node) {
        const struct spec_field *f = pattern_field(c, r, child);
        if (!f)
            continue;
        struct spec_given *g = ASSAY_NEW(&c->spec->arena, struct spec_given);
        *g = (struct spec_given){.at = child->key->at, .name = f->name, .field = (struct spec_field *)(uintptr_t)f};
        g->value = pattern_value(c, child, f->type);
        if (g->value)
            assay_list_add(c->spec, &r->pattern, g);
    }
}

/* ---- rules ------------------------------------------------------------- */

static void read_may(struct body_context *c, struct spec_rule *r, const struct assay_node *node)
{
    const struct spec_let *lets = c->scope.lets;
    ASSAY_CHILDREN (child, node) {
        struct spec_way *w = ASSAY_NEW(&c->spec->arena, struct spec_way);
        *w = (struct spec_way){.at = child->at, .level = ASSAY_MAY};
        assay_list_add(c->spec, &r->may, w);
        assay_read_actions(c, child, &w->body);
        c->scope.lets = lets;
    }
}

static void read_otherwise(struct body_context *c, struct spec_rule *r, const struct assay_node *node)
{
    const struct spec_let *lets = c->scope.lets;
    c->scope.lets = NULL; /* what `let` computes may be what was undefined */
    r->otherwise = ASSAY_NEW(&c->spec->arena, struct spec_list);
    assay_read_actions(c, node, r->otherwise);
    c->scope.lets = lets;
}

static void make_rule(struct body_context *outer, const struct assay_node *node, const struct assay_node *const *of,
                      struct spec_list events, const struct assay_node *pattern, struct spec_state *state,
                      struct spec_list *into)
{
    struct body_context inner = *outer, *c = &inner;
    struct spec_rule *r = ASSAY_NEW(&c->spec->arena, struct spec_rule);
    *r = (struct spec_rule){.at = node->at, .node = node, .machine = c->machine, .state = state, .events = events};
    assay_list_add(c->spec, into, r);
    set_scope(c, r);
    c->next_slot = r->locals_first = assay_slots_in(c->spec, c->machine);
    if (pattern)
        read_pattern(c, r, pattern);
    r->req = assay_read_req(c->spec, of[B_REQ]);
    r->level = assay_read_level(c->spec, of[B_LEVEL], r->req ? r->req->level : ASSAY_MUST);
    r->ignore = of[B_IGNORE] || of[B_DROP];
    r->stateless = of[B_STATELESS] && assay_read_bool(c->spec, of[B_STATELESS], false) ? of[B_STATELESS] : NULL;
    struct spec_expr *guard = of[B_IF] ? assay_expr_parse(c->spec, of[B_IF]) : NULL;
    if (guard && assay_expr_resolve(c->spec, guard, &c->scope, &assay_type_bool))
        r->guard = guard;
    const struct assay_node *body[B_KEYS];
    memcpy(body, of, sizeof body);
    body[B_REQ] = NULL;
    assay_read_body(c, body, &r->body);
    if (of[B_MAY])
        read_may(c, r, of[B_MAY]);
    if (of[B_ELSE])
        read_otherwise(c, r, of[B_ELSE]);
    r->locals = (uint16_t)(c->next_slot - r->locals_first);
}

static void read_alternative(struct body_context *c, const struct assay_node *when, const struct assay_node *node,
                             const struct assay_node *const *of, struct spec_state *state, struct spec_list *plain,
                             struct spec_list *into)
{
    if (when->kind == ASSAY_NODE_SCALAR) {
        add_event(c, plain, when->text, when->at);
        return;
    }
    if (!assay_shape_is(c->spec, when, SHAPE_SCALAR | SHAPE_MAPPING, "what stands under 'when'"))
        return;
    ASSAY_CHILDREN (entry, when) {
        struct spec_list events = {0};
        add_event(c, &events, entry->key->text, entry->key->at);
        if (assay_shape_is(c->spec, entry, SHAPE_MAPPING, "a pattern") && events.count > 0)
            make_rule(c, node, of, events, entry, state, into);
    }
}

static void body_is_something(struct body_context *c, const struct assay_node *node, const struct assay_node *const *of)
{
    bool something = c->call;
    for (unsigned k = 0; k < B_KEYS; k++)
        something = something || (of[k] && k != B_WHEN && k != B_IF && k != B_REQ && k != B_LEVEL && k != B_TEXT &&
                                  k != B_STATELESS);
    if (!something)
        assay_spec_error(c->spec, node->at, "this rule does nothing; if that is meant, say 'ignore: true'");
}

/* A rule whose events are not known is read all the same: for the other errors in it. */
static void read_lost(struct body_context *c, const struct assay_node *node, const struct assay_node *const *of,
                      struct spec_state *state)
{
    struct body_context lost = *c;
    struct spec_list nowhere = {0};
    lost.scope.open = true;
    make_rule(&lost, node, of, (struct spec_list){0}, NULL, state, &nowhere);
}

void assay_read_rule(struct body_context *c, const struct assay_node *node, struct spec_state *state,
                     struct spec_list *into)
{
    const struct assay_node *of[B_KEYS];
    struct spec_list plain = {0};
    size_t before = into->count;
    if (!assay_shape(c->spec, node, "a rule", assay_body_keys, B_KEYS, of))
        return;
    if (of[B_NAME])
        assay_spec_error(c->spec, of[B_NAME]->key->at, "a rule has no key 'name'");
    body_is_something(c, node, of);
    if (!of[B_WHEN]) {
        assay_spec_error(c->spec, node->at, "a rule needs the key 'when'");
        return;
    }
    if (of[B_WHEN]->kind != ASSAY_NODE_SEQUENCE)
        read_alternative(c, of[B_WHEN], node, of, state, &plain, into);
    else
        ASSAY_CHILDREN (when, of[B_WHEN])
            read_alternative(c, when, node, of, state, &plain, into);
    if (plain.count)
        make_rule(c, node, of, plain, NULL, state, into);
    else if (into->count == before)
        read_lost(c, node, of, state);
}

/* ---- all --------------------------------------------------------------- */

static void read_rules_of(struct body_context *c, const struct assay_node *node, struct spec_state *state)
{
    struct spec_list *own = state ? &state->rules : &c->machine->any;
    if (!assay_shape_is(c->spec, node, SHAPE_SEQUENCE, "the rules of a state"))
        return;
    ASSAY_CHILDREN (child, node)
        assay_read_rule(c, child, state, own);
    SPEC_EACH (struct spec_rule, r, own)
        assay_list_add(c->spec, &c->machine->rules, r);
}

void assay_read_rules(struct assay_spec *spec, struct spec_machine *machine)
{
    const struct assay_node *node = machine->node;
    struct body_context c = {.spec = spec, .machine = machine, .scope = {.machine = machine, .params = true}};
    const struct assay_node *states = assay_node_get(node, "states");
    if (states && states->kind != ASSAY_NODE_MAPPING)
        return;
    ASSAY_CHILDREN (child, states) {
        struct spec_state *state = NULL;
        SPEC_EACH (struct spec_state, s, &machine->states)
            if (strcmp(s->name, child->key->text) == 0)
                state = s;
        read_rules_of(&c, child, state);
    }
    if (assay_node_get(node, "rules"))
        read_rules_of(&c, assay_node_get(node, "rules"), machine->states.items[0]);
}
