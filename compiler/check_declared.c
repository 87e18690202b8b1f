/* What is declared only (LANGUAGE.md, section 10): keys, names, syntax of expressions. Nothing here is resolved. */
#include <string.h>

#include "compiler/check_declared.h"

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

void assay_look_at(struct walk *w, const struct assay_node *node, const struct part *parts, size_t count,
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

void assay_look_each_child(struct walk *w, const struct assay_node *node,
                           void (*look)(struct walk *w, const struct assay_node *node))
{
    ASSAY_CHILDREN (child, node)
        look(w, child);
}

/* One, or a sequence of them. */
void assay_look_one_or_more(struct walk *w, const struct assay_node *node,
                            void (*look)(struct walk *w, const struct assay_node *node))
{
    if (node->kind == ASSAY_NODE_SEQUENCE)
        assay_look_each_child(w, node, look);
    else
        look(w, node);
}

/* ---- leaves ------------------------------------------------------------ */

void assay_look_expr(struct walk *w, const struct assay_node *node)
{
    (void)assay_expr_parse(w->spec, node);
}

void assay_look_exprs(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, assay_look_expr);
}

/* The key is an expression, too: table[key], Machine[key].var. */
void assay_look_path(struct walk *w, const struct assay_node *node)
{
    assay_look_expr(w, node);
}

void assay_look_req(struct walk *w, const struct assay_node *node)
{
    assay_read_req(w->spec, node);
}

void assay_look_duration(struct walk *w, const struct assay_node *node)
{
    assay_read_duration(w->spec, node, 0);
}

void assay_look_level(struct walk *w, const struct assay_node *node)
{
    assay_read_level(w->spec, node, ASSAY_MUST);
}

void assay_look_count(struct walk *w, const struct assay_node *node)
{
    int64_t n;
    assay_read_int(w->spec, node, 1, INT32_MAX, &n);
}

static void look_message(struct walk *w, const struct assay_node *node)
{
    if (assay_shape_is(w->spec, node, SHAPE_SCALAR, "a message"))
        assay_find_message(w->spec, node->text, node->at);
}

void assay_look_messages(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_message);
}

void assay_look_unknown(struct walk *w, struct assay_at at, const char *what, const struct assay_near *near)
{
    assay_spec_error(w->spec, at, "no %s is called '%s'%s", what, near->wanted, assay_near_text(near));
}

bool assay_look_is_key_of(const struct assay_node *mapping, struct assay_near *near)
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

void assay_look_machine_name(struct walk *w, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    if (node->kind == ASSAY_NODE_MAPPING)
        assay_look_each_child(w, node, assay_look_machine_name);
    else if (!assay_look_is_key_of(assay_node_get(w->spec->root, "machines"), &near) && strcmp(node->text, "none") != 0)
        assay_look_unknown(w, node->at, "machine", &near);
}

/* A state of the machine around, or, where none is, of any. */
void assay_look_state(struct walk *w, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    const struct assay_node *machines = assay_node_get(w->spec->root, "machines");
    if (assay_node_is(node, "End") || assay_node_is(node, "*"))
        return;
    assay_near_add(&near, "End");
    if (w->machine && assay_look_is_key_of(assay_node_get(w->machine, "states"), &near))
        return;
    for (const struct assay_node *m = w->machine || !machines ? NULL : machines->first; m; m = m->next)
        if (assay_look_is_key_of(assay_node_get(m, "states"), &near))
            return;
    assay_look_unknown(w, node->at, "state", &near);
}

void assay_look_states(struct walk *w, const struct assay_node *node)
{
    assay_look_one_or_more(w, node, assay_look_state);
}

void assay_look_type(struct walk *w, const struct assay_node *node)
{
    const struct assay_node *extras[FIELD_KEYS];
    if (!assay_node_is(node, "auto"))
        (void)assay_read_type(w->spec, node, NULL, extras);
}

void assay_look_types(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, assay_look_type);
}

/* ---- all --------------------------------------------------------------- */

void assay_check_declared(struct assay_spec *spec)
{
    static const struct part top[] = {{"machines", 0, assay_look_machines},
                                      {"signals", 0, assay_look_signals},
                                      {"spontaneous", 0, assay_look_spontaneous},
                                      {"probe", 0, assay_look_probes},
                                      {"features", 0, assay_look_features},
                                      {"fixtures", 0, assay_look_fixtures},
                                      {"functions", 0, assay_look_functions},
                                      {"recodes", 0, assay_look_recodes},
                                      {"reliable", 0, assay_look_reliable},
                                      {"logs", 0, assay_look_logs},
                                      {"impair", 0, assay_look_impair}};
    struct walk w = {.spec = spec};
    for (size_t i = 0; i < COUNT(top); i++) {
        const struct assay_node *node = assay_node_get(spec->root, top[i].key);
        static const size_t also_run = 8; /* from here on they are read like the rest, where machines are run */
        if (node && ((i > 0 && i < also_run) || assay_machines_declared(spec)))
            top[i].look(&w, node);
    }
}
