/* What is sent: a message and the values of its fields. */
#include <string.h>

#include "compiler/scope.h"
#include "compiler/types.h"

#define D SHAPE_ANY | SHAPE_DECLARED

/* ---- fields ------------------------------------------------------------ */

static const struct spec_frame *frame_out(const struct body_context *c)
{
    return c->machine->out;
}

static struct spec_field *find_field(struct body_context *c, const struct spec_message *m,
                                     const struct assay_node *entry)
{
    struct assay_near near = {.wanted = entry->key->text};
    const struct spec_list *lists[] = {&m->fields, frame_out(c) ? &frame_out(c)->fields : NULL};
    for (unsigned i = 0; i < 2 && lists[i]; i++)
        SPEC_EACH (struct spec_field, f, lists[i]) {
            if (f->name && strcmp(f->name, entry->key->text) == 0)
                return f;
            assay_near_add(&near, f->name);
        }
    if (!m->open)
        assay_spec_error(c->spec, entry->key->at, "%s has no field '%s'%s", m->name, entry->key->text,
                         assay_near_text(&near));
    return NULL;
}

enum { ANY_ANY, ANY_WHERE, ANY_AS, ANY_IN, ANY_KEYS };
static const struct shape_key any_keys[ANY_KEYS] = {
    [ANY_ANY] = {"any", SHAPE_ANY | SHAPE_REQUIRED, NULL},
    [ANY_WHERE] = {"where", SHAPE_SCALAR, NULL},
    [ANY_AS] = {"as", D, "capturing what was chosen"},
    [ANY_IN] = {"in", D, "a choice from a list"},
};

/* {any: EXPR, where: COND}; the condition sees the message that is sent. */
static void read_free(struct body_context *c, struct spec_given *g, const struct assay_node *node,
                      const struct spec_list *messages)
{
    const struct assay_node *of[ANY_KEYS];
    assay_shape(c->spec, node, "a free value", any_keys, ANY_KEYS, of);
    g->free = true;
    if (of[ANY_ANY])
        g->value = assay_read_expr(c, of[ANY_ANY], g->field->type);
    if (!of[ANY_WHERE])
        return;
    struct spec_scope scope = {.frame = frame_out(c),
                               .messages = messages,
                               .it = g->field->type,
                               .params = true,
                               .machine = c->machine,
                               .open = c->scope.open};
    g->where = assay_expr_parse(c->spec, of[ANY_WHERE]);
    if (g->where && !assay_expr_resolve(c->spec, g->where, &scope, &assay_type_bool))
        g->where = NULL;
}

static bool fixed_by(const struct spec_message *m, const struct spec_field *f)
{
    SPEC_EACH (struct spec_fixed, fixed, &m->fixed)
        if (fixed->field == f)
            return true;
    return false;
}

/* A field that nobody fills in. */
static bool must_be_given(const struct spec_frame *frame, const struct spec_message *m, const struct spec_field *f)
{
    if (f->type->kind == SPEC_T_ANY || (m->open && f->frame))
        return false;
    if ((f->in_pairs && !f->pairs) || !f->name || f->slot == ASSAY_NONE || f->is || f->init || assay_may_lack(f) ||
        f->ahead || f->type->form == ASSAY_FORM_CALC)
        return false;
    if (m->reliable && f->filled_in)
        return false;
    return f->message || (f != frame->body && !fixed_by(m, f) && !(f == frame->tag && m->tags.count > 0));
}

static const char *given_name(const struct spec_field *f)
{
    return f->group ? f->group->name : f->name;
}

static void check_given(struct body_context *c, const struct spec_message *m, const struct assay_node *entry)
{
    const struct spec_frame *frame = frame_out(c);
    const struct spec_list *lists[] = {&m->fields, frame ? &frame->fields : NULL};
    for (unsigned i = 0; i < 2 && lists[i]; i++)
        SPEC_EACH (struct spec_field, f, lists[i])
            if (must_be_given(frame, m, f) && !assay_node_get(entry, given_name(f)))
                assay_spec_error(c->spec, entry->at, "%s needs its field '%s', which has no default", m->name,
                                 given_name(f));
}

/* ---- whole records ----------------------------------------------------- */

static struct spec_group *find_group(struct body_context *c, const struct spec_message *m, const char *name)
{
    const struct spec_list *lists[] = {&m->groups, frame_out(c) ? &frame_out(c)->groups : NULL};
    for (unsigned i = 0; i < 2 && lists[i]; i++)
        SPEC_EACH (struct spec_group, g, lists[i])
            if (strcmp(g->name, name) == 0)
                return g;
    return NULL;
}

static const char *part_name(const struct spec_field *part)
{
    return strchr(part->name, '.') + 1;
}

static struct spec_field *part_named(const struct spec_group *g, struct assay_near *near)
{
    SPEC_EACH (struct spec_field, part, &g->parts) {
        if (strcmp(part_name(part), near->wanted) == 0)
            return part;
        assay_near_add(near, part_name(part));
    }
    return NULL;
}

static bool same_shape(const struct spec_group *x, const struct spec_group *y)
{
    if (x->record != y->record && x->parts.count != y->parts.count)
        return false;
    for (size_t i = 0; i < x->parts.count; i++) {
        const struct spec_field *a = x->parts.items[i], *b = y->parts.items[i];
        if (strcmp(part_name(a), part_name(b)) != 0 || !assay_type_usable(a->type, b->type))
            return false;
    }
    return true;
}

/* Part by part; what is absent there will be absent here. */
static void copy_record(struct body_context *c, const struct spec_group *to, const struct spec_group *from,
                        const struct assay_node *node, struct spec_list *given)
{
    for (size_t i = 0; i < to->parts.count; i++) {
        struct spec_given *g = assay_given_new(c, node, given);
        struct spec_expr *e = ASSAY_NEW(&c->spec->arena, struct spec_expr);
        const struct spec_field *source = from->parts.items[i];
        *e = (struct spec_expr){.kind = SPEC_E_FIELD, .node = node, .name = source->name, .type = source->type};
        e->ref.field = source;
        g->field = to->parts.items[i];
        g->value = e;
        g->copied = true;
    }
}

static void read_record(struct body_context *c, const struct spec_group *to, const struct assay_node *node,
                        struct spec_list *given)
{
    struct spec_expr *e = assay_read_expr(c, node, NULL);
    if (!e)
        return;
    if (e->kind != SPEC_E_RECORD)
        assay_spec_error(c->spec, node->at, "'%s' is a record: a whole one is expected here, or {%s: ...}", to->name,
                         to->parts.count ? part_name(to->parts.items[0]) : "part");
    else if (!same_shape(to, e->ref.group))
        assay_spec_error(c->spec, node->at, "'%s' and '%s' are records of different types", to->name,
                         e->ref.group->name);
    else if (!to->ahead && (e->ref.group->ahead || assay_may_lack(e->ref.group->parts.items[0])))
        assay_spec_error(c->spec, node->at, "'%s' may be absent, and '%s' cannot be", e->ref.group->name, to->name);
    else
        copy_record(c, to, e->ref.group, node, given);
}

static void read_parts(struct body_context *c, const struct spec_group *to, const struct assay_node *node,
                       struct spec_list *given, const struct spec_list *messages)
{
    if (assay_node_get(node, "any")) {
        assay_spec_error(c->spec, node->at, "a record is free part by part: {%s: {any: EXPR}, ...}",
                         part_name(to->parts.items[0]));
        return;
    }
    ASSAY_CHILDREN (child, node) {
        struct assay_near near = {.wanted = child->key->text};
        struct spec_field *part = part_named(to, &near);
        if (!part) {
            assay_spec_error(c->spec, child->key->at, "'%s' has no part '%s'%s", to->name, near.wanted,
                             assay_near_text(&near));
            continue;
        }
        if (part->is)
            assay_spec_error(c->spec, child->key->at, "'%s' is computed; it cannot be given", part->name);
        struct spec_given *g = assay_given_new(c, child, given);
        g->name = part->name;
        g->field = part;
        if (child->kind == ASSAY_NODE_MAPPING && assay_node_get(child, "any"))
            read_free(c, g, child, messages);
        else
            g->value = assay_read_expr(c, child, part->type);
    }
    SPEC_EACH (struct spec_field, part, &to->parts)
        if (!part->is && !part->init && !assay_node_get(node, part_name(part)))
            assay_spec_error(c->spec, node->at, "'%s' needs its part '%s'", to->name, part_name(part));
}

/* ---- messages ---------------------------------------------------------- */

/* One of several tags is given when the message is sent. */
static void check_tag(struct body_context *c, const struct spec_message *m, const struct spec_given *g)
{
    if (!frame_out(c) || g->field != frame_out(c)->tag || m->tags.count == 0 || !g->value || g->free)
        return;
    int64_t tag, n;
    struct assay_blob text, own;
    bool constant = assay_expr_number(g->value, &n) || assay_expr_text(g->value, &own), found = false;
    SPEC_EACH (struct spec_expr, e, &m->tags) {
        bool same_text = assay_expr_text(e, &text) && assay_expr_text(g->value, &own) && text.n == own.n &&
                         (text.n == 0 || memcmp(text.p, own.p, text.n) == 0);
        found = found || same_text || (assay_expr_number(e, &tag) && assay_expr_number(g->value, &n) && tag == n);
    }
    if (!constant)
        assay_expr_error(c->spec, g->value, "the tag of %s that is sent is a constant: one of its tags", m->name);
    else if (!found)
        assay_expr_error(c->spec, g->value, "this is no tag of %s", m->name);
}

static void read_given(struct body_context *c, const struct spec_message *m, const struct assay_node *child,
                       struct spec_action *a, const struct spec_list *messages, bool *all_known)
{
    const struct spec_group *group = find_group(c, m, child->key->text);
    if (group && child->kind == ASSAY_NODE_MAPPING)
        read_parts(c, group, child, &a->given, messages);
    else if (group)
        read_record(c, group, child, &a->given);
    if (group)
        return;
    struct spec_field *f = find_field(c, m, child);
    *all_known = *all_known && f;
    if (!f)
        return;
    if (f->is || f->ahead)
        assay_spec_error(c->spec, child->key->at, "'%s' is computed; it cannot be given", f->name);
    if (m->reliable && f->filled_in)
        assay_spec_error(c->spec, child->key->at, "'%s' cannot be given: %s is of 'reliable', which fills it in",
                         f->name, m->name);
    struct spec_given *g = assay_given_new(c, child, &a->given);
    g->field = f;
    if (child->kind == ASSAY_NODE_MAPPING && assay_node_get(child, "any"))
        read_free(c, g, child, messages);
    else
        g->value = assay_read_expr(c, child, f->type);
    check_tag(c, m, g);
}

static void read_message(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    const struct assay_node *entry = assay_read_named(c->spec, node, "a message under 'send'");
    struct spec_message *m = entry ? assay_find_message(c->spec, entry->key->text, entry->key->at) : NULL;
    if (!m || !assay_shape_is(c->spec, entry, SHAPE_MAPPING, m->name))
        return;
    if (!(m->from & c->machine->role))
        assay_spec_error(c->spec, entry->key->at, "%s is not sent by this side", m->name);
    else if (!assay_knows(c->machine, m))
        assay_spec_error(c->spec, entry->key->at, "%s is not known here: its 'over' names other transports", m->name);
    if (m->is_ack)
        assay_spec_error(c->spec, entry->key->at, "%s is sent by itself: it acknowledges the messages of 'reliable'",
                         m->name);
    struct spec_action *a = assay_action_new(c, SPEC_A_SEND, entry->key->at, into);
    struct spec_list *messages = ASSAY_NEW(&c->spec->arena, struct spec_list);
    assay_list_add(c->spec, messages, m);
    a->message = m;
    bool all_known = true;
    ASSAY_CHILDREN (child, entry)
        read_given(c, m, child, a, messages, &all_known);
    if (all_known)
        check_given(c, m, entry);
}

void assay_read_send(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    if (node->kind == ASSAY_NODE_MAPPING)
        read_message(c, node, into);
    else
        ASSAY_CHILDREN (child, node)
            read_message(c, child, into);
}
