/* What is declared only (LANGUAGE.md, section 10): keys, names, syntax of expressions. Nothing here is resolved. */
#include <string.h>

#include "compiler/check.h"
#include "compiler/read.h"

struct walk {
    struct assay_spec *spec;
    const struct assay_node *machine; /* whose parts are looked at; NULL: none */
};

/* One key of a mapping: what it may hold, and who looks at that. */
struct part {
    const char *key;
    unsigned shape;
    void (*look)(struct walk *w, const struct assay_node *node);
};
#define COUNT(parts) (sizeof(parts) / sizeof(parts)[0])

static const struct part *find_part(struct walk *w, const struct assay_node *child, const struct part *parts,
                                    size_t count, const char *what)
{
    struct assay_near near = {.wanted = child->key->text};
    for (size_t i = 0; i < count; i++) {
        if (strcmp(parts[i].key, child->key->text) == 0)
            return &parts[i];
        assay_near_add(&near, parts[i].key);
    }
    assay_spec_error(w->spec, child->key->at, "%s has no key '%s'%s", what, child->key->text, assay_near_text(&near));
    return NULL;
}

static void look_at(struct walk *w, const struct assay_node *node, const struct part *parts, size_t count,
                    const char *what)
{
    if (!assay_shape_is(w->spec, node, SHAPE_MAPPING, what))
        return;
    ASSAY_CHILDREN (child, node) {
        const struct part *part = find_part(w, child, parts, count, what);
        if (part && assay_shape_is(w->spec, child, part->shape & SHAPE_ANY, part->key) && part->look)
            part->look(w, child);
    }
    for (size_t i = 0; i < count; i++)
        if ((parts[i].shape & SHAPE_REQUIRED) && !assay_node_get(node, parts[i].key))
            assay_spec_error(w->spec, node->at, "%s needs the key '%s'", what, parts[i].key);
}

static void each_child(struct walk *w, const struct assay_node *node,
                       void (*look)(struct walk *w, const struct assay_node *node))
{
    ASSAY_CHILDREN (child, node)
        look(w, child);
}

/* One, or a sequence of them. */
static void one_or_more(struct walk *w, const struct assay_node *node,
                        void (*look)(struct walk *w, const struct assay_node *node))
{
    if (node->kind == ASSAY_NODE_SEQUENCE)
        each_child(w, node, look);
    else
        look(w, node);
}

/* ---- leaves ------------------------------------------------------------ */

static void look_expr(struct walk *w, const struct assay_node *node)
{
    (void)assay_expr_parse(w->spec, node);
}

static void look_exprs(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_expr);
}

/* The key is an expression, too: table[key], Machine[key].var. */
static void look_path(struct walk *w, const struct assay_node *node)
{
    look_expr(w, node);
}

static void look_req(struct walk *w, const struct assay_node *node)
{
    assay_read_req(w->spec, node);
}

static void look_duration(struct walk *w, const struct assay_node *node)
{
    assay_read_duration(w->spec, node, 0);
}

static void look_level(struct walk *w, const struct assay_node *node)
{
    assay_read_level(w->spec, node, ASSAY_MUST);
}

static void look_count(struct walk *w, const struct assay_node *node)
{
    int64_t n;
    assay_read_int(w->spec, node, 1, INT32_MAX, &n);
}

static void look_message(struct walk *w, const struct assay_node *node)
{
    if (assay_shape_is(w->spec, node, SHAPE_SCALAR, "a message"))
        assay_find_message(w->spec, node->text, node->at);
}

static void look_messages(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_message);
}

static void unknown(struct walk *w, struct assay_at at, const char *what, const struct assay_near *near)
{
    assay_spec_error(w->spec, at, "no %s is called '%s'%s", what, near->wanted, assay_near_text(near));
}

static bool is_key_of(const struct assay_node *mapping, struct assay_near *near)
{
    if (!mapping || mapping->kind != ASSAY_NODE_MAPPING)
        return false;
    ASSAY_CHILDREN (child, mapping) {
        if (strcmp(child->key->text, near->wanted) == 0)
            return true;
        assay_near_add(near, child->key->text);
    }
    return false;
}

static void look_machine_name(struct walk *w, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    if (node->kind == ASSAY_NODE_MAPPING)
        each_child(w, node, look_machine_name);
    else if (!is_key_of(assay_node_get(w->spec->root, "machines"), &near) && strcmp(node->text, "none") != 0)
        unknown(w, node->at, "machine", &near);
}

/* A state of the machine around, or, where none is, of any. */
static void look_state(struct walk *w, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    const struct assay_node *machines = assay_node_get(w->spec->root, "machines");
    if (assay_node_is(node, "End") || assay_node_is(node, "*"))
        return;
    assay_near_add(&near, "End");
    if (w->machine && is_key_of(assay_node_get(w->machine, "states"), &near))
        return;
    for (const struct assay_node *m = w->machine || !machines ? NULL : machines->first; m; m = m->next)
        if (is_key_of(assay_node_get(m, "states"), &near))
            return;
    unknown(w, node->at, "state", &near);
}

static void look_states(struct walk *w, const struct assay_node *node)
{
    one_or_more(w, node, look_state);
}

static void look_type(struct walk *w, const struct assay_node *node)
{
    const struct assay_node *extras[FIELD_KEYS];
    if (!assay_node_is(node, "auto"))
        (void)assay_read_type(w->spec, node, NULL, extras);
}

static void look_types(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_type);
}

/* ---- events ------------------------------------------------------------ */

static bool is_event(struct walk *w, struct assay_near *near)
{
    static const char *const more[] = {"any-message", "closed", "given-up"};
    for (size_t i = 0; i < COUNT(more); i++) {
        assay_near_add(near, more[i]);
        if (strcmp(more[i], near->wanted) == 0)
            return true;
    }
    if (is_key_of(assay_node_get(w->machine, "timers"), near))
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
        unknown(w, at, "event", &near);
}

static void look_event(struct walk *w, const struct assay_node *node)
{
    if (node->kind == ASSAY_NODE_SCALAR) {
        look_event_name(w, node->text, node->at);
        return;
    }
    ASSAY_CHILDREN (pattern, node) {
        look_event_name(w, pattern->key->text, pattern->key->at);
        look_exprs(w, pattern);
    }
}

static void look_when(struct walk *w, const struct assay_node *node)
{
    one_or_more(w, node, look_event);
}

/* ---- what is given ----------------------------------------------------- */

static const struct part free_parts[] = {{"any", SHAPE_ANY, look_expr},
                                         {"where", SHAPE_SCALAR, look_expr},
                                         {"as", SHAPE_SCALAR, NULL},
                                         {"in", SHAPE_ANY, look_expr}};

/* {any: ...}, a value of a bag or record, or an expression. */
static void look_value(struct walk *w, const struct assay_node *node)
{
    if (assay_node_get(node, "any"))
        look_at(w, node, free_parts, COUNT(free_parts), "a free value");
    else if (node->kind == ASSAY_NODE_MAPPING)
        each_child(w, node, look_value);
    else
        look_expr(w, node);
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

static void look_send(struct walk *w, const struct assay_node *node)
{
    one_or_more(w, node, look_message_made);
}

static void look_effect(struct walk *w, const struct assay_node *node)
{
    const struct assay_node *entry = assay_read_single(w->spec, node, "an effect");
    struct assay_near near = {.wanted = entry ? entry->key->text : ""};
    if (!entry)
        return;
    if (!is_key_of(assay_node_get(w->spec->root, "effects"), &near))
        unknown(w, entry->key->at, "effect", &near);
    each_child(w, entry, look_value);
}

static void look_do(struct walk *w, const struct assay_node *node)
{
    one_or_more(w, node, look_effect);
}

static void look_signal(struct walk *w, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->key->text};
    const struct assay_node *signals = assay_node_get(w->spec->root, "signals");
    if (!is_key_of(signals, &near)) {
        unknown(w, node->key->at, "signal", &near);
        return;
    }
    const struct assay_node *fields = assay_node_get(signals, node->key->text);
    ASSAY_CHILDREN (given, node) {
        struct assay_near field = {.wanted = given->key->text};
        if (!is_key_of(fields, &field))
            unknown(w, given->key->at, "field of this signal", &field);
        look_value(w, given);
    }
}

static void look_tell(struct walk *w, const struct assay_node *node)
{
    ASSAY_CHILDREN (instance, node) {
        look_path(w, instance->key);
        each_child(w, instance, look_signal);
    }
}

/* {"table[key]": {...}} and {"Machine[key]": {...}} */
static void look_put(struct walk *w, const struct assay_node *node)
{
    ASSAY_CHILDREN (place, node) {
        look_path(w, place->key);
        each_child(w, place, look_value);
    }
}

static void look_set(struct walk *w, const struct assay_node *node)
{
    ASSAY_CHILDREN (var, node) {
        struct assay_near near = {.wanted = var->key->text};
        if (strpbrk(var->key->text, "[."))
            look_path(w, var->key);
        else if (w->machine && !is_key_of(assay_node_get(w->machine, "vars"), &near))
            unknown(w, var->key->at, "variable", &near);
        look_value(w, var);
    }
}

static void look_timer_action(struct walk *w, const struct assay_node *node)
{
    ASSAY_CHILDREN (timer, node) {
        struct assay_near near = {.wanted = timer->key->text};
        if (!is_key_of(assay_node_get(w->machine, "timers"), &near))
            unknown(w, timer->key->at, "timer", &near);
    }
}

/* ---- actions ----------------------------------------------------------- */

static void look_actions(struct walk *w, const struct assay_node *node);
static void look_body(struct walk *w, const struct assay_node *node);

static const struct part each_parts[] = {{"as", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                         {"in", SHAPE_SCALAR | SHAPE_REQUIRED, look_expr},
                                         {"if", SHAPE_SCALAR, look_expr},
                                         {"order", SHAPE_SCALAR, NULL}};
static const struct part repeat_parts[] = {{"while", SHAPE_SCALAR | SHAPE_REQUIRED, look_expr},
                                           {"most", SHAPE_SCALAR | SHAPE_REQUIRED, look_count}};

static void look_each(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, each_parts, COUNT(each_parts), "each");
}

static void look_repeat(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, repeat_parts, COUNT(repeat_parts), "repeat");
}

static const struct part way_parts[] = {{"name", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                        {"level", SHAPE_SCALAR, look_level},
                                        {"if", SHAPE_SCALAR, look_expr},
                                        {"then", SHAPE_SEQUENCE | SHAPE_REQUIRED, look_actions},
                                        {"req", SHAPE_SCALAR, look_req},
                                        {"text", SHAPE_SCALAR, NULL}};

static void look_way(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, way_parts, COUNT(way_parts), "a way to choose");
}

static void look_ways(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_way);
}

static void look_close(struct walk *w, const struct assay_node *node)
{
    if (!assay_node_is(node, "true") && !assay_node_is(node, "abort"))
        look_path(w, node);
}

static void look_error(struct walk *w, const struct assay_node *node)
{
    if (node->kind == ASSAY_NODE_MAPPING)
        look_exprs(w, node);
}

static void look_rules(struct walk *w, const struct assay_node *node);

#define ACTION_PARTS                                                                                                   \
    {"let", SHAPE_MAPPING, look_exprs}, {"do", SHAPE_MAPPING | SHAPE_SEQUENCE, look_do},                               \
        {"set", SHAPE_MAPPING, look_set}, {"send", SHAPE_MAPPING | SHAPE_SEQUENCE, look_send},                         \
        {"goto", SHAPE_SCALAR, look_state}, {"close", SHAPE_SCALAR, look_close},                                       \
        {"result", SHAPE_MAPPING, look_exprs}, {"error", SHAPE_SCALAR | SHAPE_MAPPING, look_error},                    \
        {"ignore", SHAPE_SCALAR, NULL}, {"drop", SHAPE_SCALAR, NULL}, {"choose", SHAPE_SEQUENCE, look_ways},           \
        {"maybe", SHAPE_SEQUENCE, look_actions}, {"scope", SHAPE_SCALAR, NULL}, {"lane", SHAPE_ANY, look_expr},        \
        {"as", SHAPE_SCALAR, NULL}, {"to", SHAPE_SCALAR, look_path}, {"tell", SHAPE_MAPPING, look_tell},               \
        {"start", SHAPE_MAPPING, look_put}, {"attach", SHAPE_SCALAR, look_path}, {"detach", SHAPE_SCALAR, look_path},  \
        {"put", SHAPE_MAPPING, look_put}, {"remove", SHAPE_SCALAR, look_path}, {"many", SHAPE_MAPPING, look_send},     \
        {"again", SHAPE_SCALAR, NULL}, {"timer", SHAPE_MAPPING, look_timer_action}, {"settle", SHAPE_SCALAR, NULL},    \
        {"pass", SHAPE_SCALAR, NULL}, {"then", SHAPE_SEQUENCE, look_actions}, {"level", SHAPE_SCALAR, look_level},     \
        {"req", SHAPE_SCALAR, look_req},                                                                               \
    {                                                                                                                  \
        "text", SHAPE_SCALAR, NULL                                                                                     \
    }

static const struct part action_parts[] = {ACTION_PARTS,
                                           {"if", SHAPE_SCALAR, look_expr},
                                           {"else", SHAPE_SEQUENCE, look_actions},
                                           {"each", SHAPE_MAPPING, look_each},
                                           {"repeat", SHAPE_MAPPING, look_repeat}};
static const struct part body_parts[] = {ACTION_PARTS};
static const struct part rule_parts[] = {ACTION_PARTS,
                                         {"when", SHAPE_ANY | SHAPE_REQUIRED, look_when},
                                         {"if", SHAPE_SCALAR, look_expr},
                                         {"else", SHAPE_MAPPING, look_body},
                                         {"may", SHAPE_SEQUENCE, look_actions},
                                         {"stateless", SHAPE_SCALAR, NULL},
                                         {"undefined", SHAPE_SCALAR, NULL},
                                         {"needs", SHAPE_SEQUENCE, NULL}};
static const struct part spontaneous_parts[] = {ACTION_PARTS,
                                                {"machine", SHAPE_SCALAR | SHAPE_REQUIRED, look_machine_name},
                                                {"in", SHAPE_SEQUENCE, look_states},
                                                {"verdict", SHAPE_SCALAR | SHAPE_REQUIRED, NULL}};

static void look_action(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, action_parts, COUNT(action_parts), "an action");
}

static void look_actions(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_action);
}

static void look_body(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, body_parts, COUNT(body_parts), "else");
}

static void look_rule(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, rule_parts, COUNT(rule_parts), "a rule");
}

static void look_rules(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_rule);
}

/* ---- machines ---------------------------------------------------------- */

static void look_states_rules(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_rules);
}

static const struct part timer_parts[] = {{"after", SHAPE_SCALAR | SHAPE_REQUIRED, look_expr},
                                          {"in", SHAPE_SEQUENCE, look_states},
                                          {"restart", SHAPE_SCALAR, NULL},
                                          {"early", SHAPE_SCALAR, look_duration},
                                          {"late", SHAPE_SCALAR, look_duration},
                                          {"text", SHAPE_SCALAR, NULL}};

static void look_timer(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, timer_parts, COUNT(timer_parts), "a timer");
}

static void look_timers(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_timer);
}

/* What holds bytes has a limit, in tables and variables alike. */
static void look_limited(struct walk *w, const struct assay_node *node)
{
    const struct assay_node *extras[FIELD_KEYS];
    const struct spec_type *t = assay_read_type(w->spec, node, NULL, extras);
    if (t && t->kind >= ASSAY_T_BYTES && t->kind <= ASSAY_T_LIST && !t->bounded && !t->wire)
        assay_spec_error(w->spec, node->at, "'%s' needs a 'max': how much it may grow", node->key->text);
    if (extras[FIELD_INIT])
        look_expr(w, extras[FIELD_INIT]);
}

static void look_vars(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_limited);
}

static void look_fixture_name(struct walk *w, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    if (!is_key_of(assay_node_get(w->spec->root, "fixtures"), &near))
        unknown(w, node->at, "fixture", &near);
}

static const struct part table_parts[] = {{"key", SHAPE_MAPPING | SHAPE_REQUIRED, look_types},
                                          {"row", SHAPE_MAPPING | SHAPE_REQUIRED, look_vars},
                                          {"max", SHAPE_SCALAR | SHAPE_REQUIRED, look_count},
                                          {"when-full", SHAPE_SCALAR, NULL},
                                          {"expires", SHAPE_SCALAR, NULL},
                                          {"store", SHAPE_SCALAR, NULL},
                                          {"fixture", SHAPE_SCALAR, look_fixture_name},
                                          {"text", SHAPE_SCALAR, NULL}};

static void look_table(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, table_parts, COUNT(table_parts), "a table");
}

static void look_tables(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_table);
}

static const struct part hears_parts[] = {{"when", SHAPE_ANY | SHAPE_REQUIRED, look_when},
                                          {"key", SHAPE_SCALAR | SHAPE_REQUIRED, look_expr}};

static void look_heard(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, hears_parts, COUNT(hears_parts), "what a machine hears");
}

static void look_hears(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_heard);
}

static const struct part reconnect_parts[] = {{"pause", SHAPE_SCALAR | SHAPE_REQUIRED, look_expr},
                                              {"in", SHAPE_SEQUENCE | SHAPE_REQUIRED, look_states},
                                              {"most", SHAPE_SCALAR, look_count}};

static void look_reconnect(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, reconnect_parts, COUNT(reconnect_parts), "reconnect");
}

static void look_role(struct walk *w, const struct assay_node *node)
{
    static const char *const words[] = {"server", "client", "both"};
    assay_read_word(w->spec, node, words, 3, "role");
}

static void look_per(struct walk *w, const struct assay_node *node)
{
    static const char *const words[] = {"server", "link"};
    if (node->kind == ASSAY_NODE_MAPPING)
        look_types(w, node);
    else
        assay_read_word(w->spec, node, words, 2, "per (if not a key in a mapping)");
}

static const struct part machine_parts[] = {{"role", SHAPE_SCALAR | SHAPE_REQUIRED, look_role},
                                            {"per", SHAPE_SCALAR | SHAPE_MAPPING | SHAPE_REQUIRED, look_per},
                                            {"in", SHAPE_SCALAR | SHAPE_MAPPING, look_machine_name},
                                            {"linked", SHAPE_SCALAR, look_machine_name},
                                            {"hears", SHAPE_SEQUENCE, look_hears},
                                            {"lives", SHAPE_SCALAR, look_expr},
                                            {"tables", SHAPE_MAPPING, look_tables},
                                            {"reconnect", SHAPE_MAPPING, look_reconnect},
                                            {"vars", SHAPE_MAPPING, look_vars},
                                            {"timers", SHAPE_MAPPING, look_timers},
                                            {"start", SHAPE_SCALAR, look_state},
                                            {"states", SHAPE_MAPPING, look_states_rules},
                                            {"rules", SHAPE_SEQUENCE, look_rules},
                                            {"text", SHAPE_SCALAR, NULL}};

static void look_machine(struct walk *w, const struct assay_node *node)
{
    w->machine = node;
    look_at(w, node, machine_parts, COUNT(machine_parts), "a machine");
    w->machine = NULL;
}

static void look_machines(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_machine);
}

/* ---- what stands beside machines --------------------------------------- */

static void look_signals(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_types);
}

static void look_spontaneous_one(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, spontaneous_parts, COUNT(spontaneous_parts), "what may happen at any time");
}

static void look_spontaneous(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_spontaneous_one);
}

static void look_strength(struct walk *w, const struct assay_node *node)
{
    static const char *const words[] = {"proof", "fifo", "assumed", "alive"};
    assay_read_word(w->spec, node, words, 4, "strength");
}

static const struct part probe_parts[] = {{"machine", SHAPE_SCALAR, look_machine_name},
                                          {"in", SHAPE_SEQUENCE, look_states},
                                          {"send", SHAPE_MAPPING | SHAPE_REQUIRED, look_send},
                                          {"expect", SHAPE_MAPPING | SHAPE_REQUIRED, look_event},
                                          {"strength", SHAPE_SCALAR | SHAPE_REQUIRED, look_strength}};

static void look_probe(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, probe_parts, COUNT(probe_parts), "a probe");
}

static void look_probes(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_probe);
}

static void look_call_name(struct walk *w, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    if (!is_key_of(assay_node_get(w->spec->root, "calls"), &near))
        unknown(w, node->at, "call", &near);
}

static const struct part detect_parts[] = {{"call", SHAPE_SCALAR | SHAPE_REQUIRED, look_call_name},
                                           {"args", SHAPE_MAPPING, look_exprs},
                                           {"present", SHAPE_SCALAR | SHAPE_REQUIRED, look_expr}};

static void look_detect(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, detect_parts, COUNT(detect_parts), "detect");
}

static const struct part feature_parts[] = {{"text", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                            {"req", SHAPE_SCALAR, look_req},
                                            {"detect", SHAPE_MAPPING | SHAPE_REQUIRED, look_detect}};

static void look_feature(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, feature_parts, COUNT(feature_parts), "a feature");
}

static void look_features(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_feature);
}

static const struct part fixture_parts[] = {{"text", SHAPE_SCALAR, NULL},
                                            {"rows", SHAPE_SEQUENCE | SHAPE_REQUIRED, NULL}};

static void look_fixture(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, fixture_parts, COUNT(fixture_parts), "a fixture");
}

static void look_fixtures(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_fixture);
}

static const struct part function_parts[] = {{"args", SHAPE_SEQUENCE | SHAPE_REQUIRED, NULL},
                                             {"is", SHAPE_SCALAR | SHAPE_REQUIRED, look_expr},
                                             {"text", SHAPE_SCALAR, NULL}};

static void look_function(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, function_parts, COUNT(function_parts), "a function");
}

static void look_functions(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_function);
}

static const struct part recode_parts[] = {{"pairs", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
                                           {"text", SHAPE_SCALAR, NULL}};

static void look_recode(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, recode_parts, COUNT(recode_parts), "a recoding");
}

static void look_recodes(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_recode);
}

/* ---- reliability, logs, impairments ------------------------------------ */

static const struct part give_up_parts[] = {{"after", SHAPE_SCALAR | SHAPE_REQUIRED, look_duration}};

static void look_give_up(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, give_up_parts, COUNT(give_up_parts), "give-up");
}

static void look_ack(struct walk *w, const struct assay_node *node)
{
    const struct assay_node *entry = assay_read_single(w->spec, node, "ack");
    if (entry)
        assay_find_message(w->spec, entry->key->text, entry->key->at);
}

static void look_duplicate(struct walk *w, const struct assay_node *node)
{
    static const char *const words[] = {"acknowledge-again", "answer-again", "ignore"};
    assay_read_word(w->spec, node, words, 3, "on-duplicate");
}

static const struct part reliable_parts[] = {{"messages", SHAPE_SEQUENCE | SHAPE_REQUIRED, look_messages},
                                             {"ack", SHAPE_MAPPING | SHAPE_REQUIRED, look_ack},
                                             {"match", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                             {"first", SHAPE_SCALAR | SHAPE_REQUIRED, look_duration},
                                             {"factor", SHAPE_SCALAR, NULL},
                                             {"cap", SHAPE_SCALAR, look_duration},
                                             {"tolerance", SHAPE_SCALAR, NULL},
                                             {"on-duplicate", SHAPE_SCALAR, look_duplicate},
                                             {"order", SHAPE_SCALAR, NULL},
                                             {"window", SHAPE_SCALAR, look_count},
                                             {"wrap", SHAPE_SCALAR, look_type},
                                             {"give-up", SHAPE_MAPPING | SHAPE_REQUIRED, look_give_up},
                                             {"req", SHAPE_SCALAR, look_req}};

static void look_reliable_one(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, reliable_parts, COUNT(reliable_parts), "reliable");
}

static void look_reliable(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_reliable_one);
}

static const struct part follow_parts[] = {{"machine", SHAPE_SCALAR | SHAPE_REQUIRED, look_machine_name},
                                           {"in", SHAPE_SEQUENCE | SHAPE_REQUIRED, look_states},
                                           {"if", SHAPE_SCALAR, look_expr},
                                           {"cursor", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                           {"batch", SHAPE_SCALAR, look_expr},
                                           {"window", SHAPE_SCALAR, look_expr},
                                           {"send", SHAPE_MAPPING | SHAPE_REQUIRED, look_send},
                                           {"req", SHAPE_SCALAR, look_req}};

static void look_follow(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, follow_parts, COUNT(follow_parts), "follow");
}

static const struct part log_parts[] = {{"row", SHAPE_MAPPING | SHAPE_REQUIRED, look_vars},
                                        {"store", SHAPE_SCALAR, NULL},
                                        {"keep", SHAPE_SCALAR | SHAPE_REQUIRED, look_count},
                                        {"follow", SHAPE_MAPPING, look_follow},
                                        {"req", SHAPE_SCALAR, look_req},
                                        {"text", SHAPE_SCALAR, NULL}};

static void look_log(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, log_parts, COUNT(log_parts), "a log");
}

static void look_logs(struct walk *w, const struct assay_node *node)
{
    each_child(w, node, look_log);
}

static void look_faults(struct walk *w, const struct assay_node *node)
{
    static const char *const words[] = {"drop", "duplicate", "swap", "delay", "corrupt"};
    ASSAY_CHILDREN (child, node)
        assay_read_word(w->spec, child, words, 5, "a fault of the network");
}

static const struct part impair_parts[] = {{"faults", SHAPE_SEQUENCE | SHAPE_REQUIRED, look_faults},
                                           {"up-to", SHAPE_SCALAR | SHAPE_REQUIRED, look_count},
                                           {"promise", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                           {"req", SHAPE_SCALAR, look_req}};

static void look_impair(struct walk *w, const struct assay_node *node)
{
    look_at(w, node, impair_parts, COUNT(impair_parts), "impair");
}

/* ---- all --------------------------------------------------------------- */

void assay_check_declared(struct assay_spec *spec)
{
    static const struct part top[] = {
        {"machines", 0, look_machines},   {"signals", 0, look_signals},   {"spontaneous", 0, look_spontaneous},
        {"probe", 0, look_probes},        {"features", 0, look_features}, {"fixtures", 0, look_fixtures},
        {"functions", 0, look_functions}, {"recodes", 0, look_recodes},   {"reliable", 0, look_reliable},
        {"logs", 0, look_logs},           {"impair", 0, look_impair}};
    struct walk w = {.spec = spec};
    for (size_t i = 0; i < COUNT(top); i++) {
        const struct assay_node *node = assay_node_get(spec->root, top[i].key);
        if (node && (i > 0 || assay_machines_declared(spec)))
            top[i].look(&w, node);
    }
}
