/* What is declared only: events, what is given, actions, rules. */
#include <string.h>

#include "compiler/check_declared.h"

/* ---- events ------------------------------------------------------------ */

static bool is_event(struct walk *w, struct assay_near *near)
{
    static const char *const more[] = {"any-message", "closed", "given-up"};
    for (size_t i = 0; i < COUNT(more); i++) {
        assay_near_add(near, more[i]);
        if (strcmp(more[i], near->wanted) == 0)
            return true;
    }
    if (assay_look_is_key_of(assay_node_get(w->machine, "timers"), near))
        return true;
    ASSAY_CHILDREN (transport, assay_node_get(w->spec->root, "transports"))
        if (assay_node_is(assay_node_get(assay_node_get(transport, "link"), "stranger"), near->wanted))
            return true;
    if (assay_find_event(w->spec, near->wanted))
        return true;
    SPEC_NEAR (&w->spec->events, struct spec_event, near)
        ;
    return false;
}

static void look_event_name(struct walk *w, const char *name, struct assay_at at)
{
    struct assay_near near = {.wanted = name};
    if (!is_event(w, &near))
        assay_look_unknown(w, at, "event", &near);
}

void assay_look_event(struct walk *w, const struct assay_node *node)
{
    if (node->kind == ASSAY_NODE_SCALAR) {
        look_event_name(w, node->text, node->at);
        return;
    }
    ASSAY_CHILDREN (pattern, node) {
        look_event_name(w, pattern->key->text, pattern->key->at);
        assay_look_exprs(w, pattern);
    }
}

void assay_look_when(struct walk *w, const struct assay_node *node)
{
    assay_look_one_or_more(w, node, assay_look_event);
}

/* ---- what is given ----------------------------------------------------- */

static const struct part free_parts[] = {{"any", SHAPE_ANY, assay_look_expr},
                                         {"where", SHAPE_SCALAR, assay_look_expr},
                                         {"as", SHAPE_SCALAR, NULL},
                                         {"in", SHAPE_ANY, assay_look_expr}};

/* {any: ...}, a value of a bag or record, or an expression. */
static void look_value(struct walk *w, const struct assay_node *node)
{
    if (assay_node_get(node, "any"))
        assay_look_at(w, node, free_parts, COUNT(free_parts), "a free value");
    else if (node->kind == ASSAY_NODE_MAPPING)
        assay_look_each_child(w, node, look_value);
    else
        assay_look_expr(w, node);
}

static const struct assay_node *fields_of(const struct spec_message *m, const struct assay_node *root)
{
    return assay_node_get(assay_node_get(assay_node_get(root, "messages"), m->name), "fields");
}

/* Fields of the message, of its frame, or inside one of those that are structured. */
static void look_given(struct walk *w, const struct spec_message *m, const struct assay_node *given)
{
    struct assay_near near = {.wanted = given->key->text};
    const struct spec_frame *frame = w->spec->frames[m->from == ASSAY_SERVER];
    const struct spec_list *lists[] = {&m->fields, frame ? &frame->fields : NULL};
    bool found = m->open || !fields_of(m, w->spec->root);
    for (unsigned i = 0; i < 2 && lists[i]; i++)
        SPEC_EACH (struct spec_field, f, lists[i]) {
            found = found || (f->name && strcmp(f->name, near.wanted) == 0);
            assay_near_add(&near, f->name);
        }
    if (!found)
        assay_spec_error(w->spec, given->key->at, "%s has no field '%s'%s", m->name, near.wanted,
                         assay_near_text(&near));
    look_value(w, given);
}

static void look_message_made(struct walk *w, const struct assay_node *node)
{
    const struct assay_node *entry = assay_read_single(w->spec, node, "a message");
    struct spec_message *m = entry ? assay_find_message(w->spec, entry->key->text, entry->key->at) : NULL;
    if (!m)
        return;
    ASSAY_CHILDREN (given, entry)
        look_given(w, m, given);
}

void assay_look_send(struct walk *w, const struct assay_node *node)
{
    assay_look_one_or_more(w, node, look_message_made);
}

static void look_effect(struct walk *w, const struct assay_node *node)
{
    const struct assay_node *entry = assay_read_single(w->spec, node, "an effect");
    struct assay_near near = {.wanted = entry ? entry->key->text : ""};
    if (!entry)
        return;
    if (!assay_look_is_key_of(assay_node_get(w->spec->root, "effects"), &near))
        assay_look_unknown(w, entry->key->at, "effect", &near);
    assay_look_each_child(w, entry, look_value);
}

static void look_do(struct walk *w, const struct assay_node *node)
{
    assay_look_one_or_more(w, node, look_effect);
}

static void look_signal(struct walk *w, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->key->text};
    const struct assay_node *signals = assay_node_get(w->spec->root, "signals");
    if (!assay_look_is_key_of(signals, &near)) {
        assay_look_unknown(w, node->key->at, "signal", &near);
        return;
    }
    const struct assay_node *fields = assay_node_get(signals, node->key->text);
    ASSAY_CHILDREN (given, node) {
        struct assay_near field = {.wanted = given->key->text};
        if (!assay_look_is_key_of(fields, &field))
            assay_look_unknown(w, given->key->at, "field of this signal", &field);
        look_value(w, given);
    }
}

static void look_tell(struct walk *w, const struct assay_node *node)
{
    ASSAY_CHILDREN (instance, node) {
        assay_look_path(w, instance->key);
        assay_look_each_child(w, instance, look_signal);
    }
}

/* {"table[key]": {...}} and {"Machine[key]": {...}} */
static void look_put(struct walk *w, const struct assay_node *node)
{
    ASSAY_CHILDREN (place, node) {
        assay_look_path(w, place->key);
        assay_look_each_child(w, place, look_value);
    }
}

static void look_set(struct walk *w, const struct assay_node *node)
{
    ASSAY_CHILDREN (var, node) {
        struct assay_near near = {.wanted = var->key->text};
        if (strpbrk(var->key->text, "[."))
            assay_look_path(w, var->key);
        else if (w->machine && !assay_look_is_key_of(assay_node_get(w->machine, "vars"), &near))
            assay_look_unknown(w, var->key->at, "variable", &near);
        look_value(w, var);
    }
}

static void look_timer_action(struct walk *w, const struct assay_node *node)
{
    ASSAY_CHILDREN (timer, node) {
        struct assay_near near = {.wanted = timer->key->text};
        if (!assay_look_is_key_of(assay_node_get(w->machine, "timers"), &near))
            assay_look_unknown(w, timer->key->at, "timer", &near);
    }
}

/* ---- actions ----------------------------------------------------------- */

static void look_actions(struct walk *w, const struct assay_node *node);
static void look_body(struct walk *w, const struct assay_node *node);

static const struct part each_parts[] = {{"as", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                         {"in", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_expr},
                                         {"if", SHAPE_SCALAR, assay_look_expr},
                                         {"order", SHAPE_SCALAR, NULL}};
static const struct part repeat_parts[] = {{"while", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_expr},
                                           {"most", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_count}};

static void look_each(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, each_parts, COUNT(each_parts), "each");
}

static void look_repeat(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, repeat_parts, COUNT(repeat_parts), "repeat");
}

static const struct part way_parts[] = {
    {"name", SHAPE_SCALAR | SHAPE_REQUIRED, NULL}, {"level", SHAPE_SCALAR, assay_look_level},
    {"if", SHAPE_SCALAR, assay_look_expr},         {"then", SHAPE_SEQUENCE | SHAPE_REQUIRED, look_actions},
    {"req", SHAPE_SCALAR, assay_look_req},         {"text", SHAPE_SCALAR, NULL}};

static void look_way(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, way_parts, COUNT(way_parts), "a way to choose");
}

static void look_ways(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_way);
}

static void look_close(struct walk *w, const struct assay_node *node)
{
    if (!assay_node_is(node, "true") && !assay_node_is(node, "abort"))
        assay_look_path(w, node);
}

static void look_error(struct walk *w, const struct assay_node *node)
{
    if (node->kind == ASSAY_NODE_MAPPING)
        assay_look_exprs(w, node);
}

#define ACTION_PARTS                                                                                                   \
    {"let", SHAPE_MAPPING, assay_look_exprs}, {"do", SHAPE_MAPPING | SHAPE_SEQUENCE, look_do},                         \
        {"set", SHAPE_MAPPING, look_set}, {"send", SHAPE_MAPPING | SHAPE_SEQUENCE, assay_look_send},                   \
        {"goto", SHAPE_SCALAR, assay_look_state}, {"close", SHAPE_SCALAR, look_close},                                 \
        {"result", SHAPE_MAPPING, assay_look_exprs}, {"error", SHAPE_SCALAR | SHAPE_MAPPING, look_error},              \
        {"ignore", SHAPE_SCALAR, NULL}, {"drop", SHAPE_SCALAR, NULL}, {"choose", SHAPE_SEQUENCE, look_ways},           \
        {"maybe", SHAPE_SEQUENCE, look_actions}, {"scope", SHAPE_SCALAR, NULL}, {"lane", SHAPE_ANY, assay_look_expr},  \
        {"as", SHAPE_SCALAR, NULL}, {"to", SHAPE_SCALAR, assay_look_path}, {"tell", SHAPE_MAPPING, look_tell},         \
        {"start", SHAPE_MAPPING, look_put}, {"attach", SHAPE_SCALAR, assay_look_path},                                 \
        {"detach", SHAPE_SCALAR, assay_look_path}, {"put", SHAPE_MAPPING, look_put},                                   \
        {"remove", SHAPE_SCALAR, assay_look_path}, {"many", SHAPE_MAPPING, assay_look_send},                           \
        {"again", SHAPE_SCALAR, NULL}, {"timer", SHAPE_MAPPING, look_timer_action}, {"settle", SHAPE_SCALAR, NULL},    \
        {"pass", SHAPE_SCALAR, NULL}, {"then", SHAPE_SEQUENCE, look_actions},                                          \
        {"level", SHAPE_SCALAR, assay_look_level}, {"req", SHAPE_SCALAR, assay_look_req},                              \
    {                                                                                                                  \
        "text", SHAPE_SCALAR, NULL                                                                                     \
    }

static const struct part action_parts[] = {ACTION_PARTS,
                                           {"if", SHAPE_SCALAR, assay_look_expr},
                                           {"else", SHAPE_SEQUENCE, look_actions},
                                           {"each", SHAPE_MAPPING, look_each},
                                           {"repeat", SHAPE_MAPPING, look_repeat}};
static const struct part body_parts[] = {ACTION_PARTS};
static const struct part rule_parts[] = {ACTION_PARTS,
                                         {"when", SHAPE_ANY | SHAPE_REQUIRED, assay_look_when},
                                         {"if", SHAPE_SCALAR, assay_look_expr},
                                         {"else", SHAPE_MAPPING, look_body},
                                         {"may", SHAPE_SEQUENCE, look_actions},
                                         {"stateless", SHAPE_SCALAR, NULL},
                                         {"undefined", SHAPE_SCALAR, NULL},
                                         {"needs", SHAPE_SEQUENCE, NULL}};
static const struct part spontaneous_parts[] = {ACTION_PARTS,
                                                {"machine", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_machine_name},
                                                {"in", SHAPE_SEQUENCE, assay_look_states},
                                                {"verdict", SHAPE_SCALAR | SHAPE_REQUIRED, NULL}};

static void look_action(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, action_parts, COUNT(action_parts), "an action");
}

static void look_actions(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_action);
}

static void look_body(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, body_parts, COUNT(body_parts), "else");
}

static void look_rule(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, rule_parts, COUNT(rule_parts), "a rule");
}

void assay_look_rules(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_rule);
}

static void look_spontaneous_one(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, spontaneous_parts, COUNT(spontaneous_parts), "what may happen at any time");
}

void assay_look_spontaneous(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_spontaneous_one);
}
