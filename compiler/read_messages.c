/* Messages: tags, fields, conditions, examples. */
#include <string.h>

#include "compiler/read_fields.h"
#include "compiler/types.h"

/* ---- messages ---------------------------------------------------------- */

enum { M_FROM, M_TAG, M_WHEN, M_FRAME, M_FIELDS, M_WHERE, M_REQ, M_TEXT, M_EXAMPLES, M_OVER, M_EXTRA, M_KEYS };
static const struct shape_key message_keys[M_KEYS] = {
    [M_FROM] = {"from", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [M_TAG] = {"tag", SHAPE_SCALAR | SHAPE_SEQUENCE, NULL},
    [M_WHEN] = {"when", SHAPE_SCALAR, NULL},
    [M_FRAME] = {"frame", SHAPE_MAPPING, NULL},
    [M_FIELDS] = {"fields", SHAPE_SEQUENCE, NULL},
    [M_WHERE] = {"where", SHAPE_SEQUENCE, NULL},
    [M_REQ] = {"req", SHAPE_SCALAR, NULL},
    [M_TEXT] = {"text", SHAPE_SCALAR, NULL},
    [M_EXAMPLES] = {"examples", SHAPE_SEQUENCE, NULL},
    [M_OVER] = {"over", SHAPE_SCALAR | SHAPE_SEQUENCE, NULL},
    [M_EXTRA] = {"extra", SHAPE_SCALAR | SHAPE_DECLARED, "further items"},
};

static uint8_t read_sides(struct assay_spec *spec, const struct assay_node *node, uint8_t otherwise)
{
    static const char *const words[] = {"", "client", "server", "both"};
    if (!node)
        return otherwise;
    size_t i = assay_read_word(spec, node, words + 1, 3, "from") + 1;
    return i < 4 ? (uint8_t)i : otherwise;
}

static void read_tag(struct assay_spec *spec, struct spec_message *m, const struct assay_node *node)
{
    const struct spec_frame *frame = spec->frames[m->from == ASSAY_SERVER];
    if (frame && !frame->tag && assay_has_hidden_names(&frame->fields))
        return;
    if (!frame || !frame->tag) {
        assay_spec_error(spec, node->key->at, "the frame has no 'tag' field that could hold this");
        return;
    }
    bool single = node->kind == ASSAY_NODE_SCALAR;
    for (const struct assay_node *one = single ? node : node->first; one; one = single ? NULL : one->next) {
        struct spec_expr *e = NULL;
        if (assay_kind_is_bytes(frame->tag->type->kind)) {
            e = ASSAY_NEW(&spec->arena, struct spec_expr);
            *e = (struct spec_expr){.kind = SPEC_E_TEXT, .node = one};
            assay_read_bytes(spec, one, true, &e->text);
        } else if (assay_shape_is(spec, one, SHAPE_SCALAR, "a tag")) {
            e = assay_expr_parse(spec, one);
        }
        if (e)
            assay_list_add(spec, &m->tags, e);
    }
}

static void read_fixed(struct assay_spec *spec, struct spec_message *m, const struct assay_node *node)
{
    struct spec_frame *frame = spec->frames[m->from == ASSAY_SERVER];
    ASSAY_CHILDREN (child, node) {
        struct spec_field *f = frame ? assay_frame_field(spec, child->key, &frame->fields) : NULL;
        if (!f)
            m->open = true;
        if (!f)
            continue;
        if (child->kind != ASSAY_NODE_SCALAR) {
            size_t before = m->fields.count;
            assay_spec_declared(spec, child->at, "a message's own fields inside a frame field");
            m->open = true;
            if (child->kind == ASSAY_NODE_SEQUENCE)
                assay_read_fields(spec, child, &m->fields, &m->groups);
            for (size_t i = before; i < m->fields.count; i++)
                ((struct spec_field *)m->fields.items[i])->message = m;
            continue;
        }
        struct spec_fixed *fixed = ASSAY_NEW(&spec->arena, struct spec_fixed);
        *fixed = (struct spec_fixed){.at = child->at, .field = f, .value = assay_expr_parse(spec, child)};
        if (fixed->value)
            assay_list_add(spec, &m->fixed, fixed);
    }
}

static void read_where(struct assay_spec *spec, struct spec_message *m, const struct assay_node *node)
{
    static const struct shape_key keys[] = {
        {"that", SHAPE_SCALAR | SHAPE_REQUIRED, NULL}, {"fault", SHAPE_SCALAR, NULL}, {"req", SHAPE_SCALAR, NULL}};
    const struct assay_node *of[3];
    if (!assay_shape(spec, node, "a condition under where", keys, 3, of) || !of[0])
        return;
    struct spec_where *w = ASSAY_NEW(&spec->arena, struct spec_where);
    *w = (struct spec_where){.at = node->at, .that = assay_expr_parse(spec, of[0]), .req = assay_read_req(spec, of[2])};
    if (of[1] && assay_read_name(spec, of[1]->text, of[1]->at, "a fault"))
        w->fault = of[1]->text;
    if (w->that)
        assay_list_add(spec, &m->wheres, w);
}

enum { X_HEX, X_RAW, X_IS, X_FAULT, X_OTHER, X_FROM, X_TEXT, X_KEYS };
static const struct shape_key example_keys[X_KEYS] = {
    [X_HEX] = {"hex", SHAPE_SCALAR, NULL},          [X_RAW] = {"raw", SHAPE_SCALAR, NULL},
    [X_IS] = {"is", SHAPE_MAPPING, NULL},           [X_FAULT] = {"fault", SHAPE_SCALAR, NULL},
    [X_OTHER] = {"other-form", SHAPE_SCALAR, NULL}, [X_FROM] = {"from", SHAPE_SCALAR, NULL},
    [X_TEXT] = {"text", SHAPE_SCALAR, NULL},
};

static void read_example(struct assay_spec *spec, struct spec_message *m, const struct assay_node *node)
{
    const struct assay_node *of[X_KEYS];
    if (!assay_shape(spec, node, "an example", example_keys, X_KEYS, of))
        return;
    struct spec_example *x = ASSAY_NEW(&spec->arena, struct spec_example);
    *x = (struct spec_example){.at = node->at, .index = ASSAY_NONE, .is = of[X_IS]};
    x->from = read_sides(spec, of[X_FROM], m->from);
    x->other_form = assay_read_bool(spec, of[X_OTHER], false);
    x->fault = of[X_FAULT] ? of[X_FAULT]->text : NULL;
    if (x->from == (ASSAY_CLIENT | ASSAY_SERVER)) {
        x->from = ASSAY_CLIENT;
        if (spec->frames[0] != spec->frames[1])
            assay_spec_error(spec, node->at, "this message is of both sides: say 'from: client' or 'from: server'");
    } else if (!(x->from & m->from)) {
        assay_spec_error(spec, of[X_FROM]->at, "this message does not come from there");
    }
    if (!of[X_HEX] == !of[X_RAW])
        assay_spec_error(spec, node->at, "an example has its bytes under 'hex' or 'raw'");
    else if (of[X_HEX])
        assay_read_hex(spec, of[X_HEX], &x->bytes);
    else
        assay_read_bytes(spec, of[X_RAW], false, &x->bytes);
    if (!of[X_IS] == !of[X_FAULT])
        assay_spec_error(spec, node->at, "an example has 'is' (what it decodes to) or 'fault' (the event it raises)");
    assay_list_add(spec, &m->examples, x);
}

static uint16_t transport_bit(struct assay_spec *spec, const struct assay_node *node)
{
    const struct spec_transport *t =
        assay_shape_is(spec, node, SHAPE_SCALAR, "a transport") ? assay_find_transport(spec, node) : NULL;
    return (uint16_t)(t ? 1u << t->index : UINT16_MAX);
}

/* Where a message is known: everywhere, unless `over` says. */
static uint16_t read_over(struct assay_spec *spec, const struct assay_node *node)
{
    uint16_t transports = 0;
    if (!node)
        return UINT16_MAX;
    if (node->kind == ASSAY_NODE_SCALAR)
        return transport_bit(spec, node);
    ASSAY_CHILDREN (child, node)
        transports = (uint16_t)(transports | transport_bit(spec, child));
    if (transports == 0)
        assay_spec_error(spec, node->at, "'over' names at least one transport");
    return transports;
}

static void read_message(struct assay_spec *spec, const struct assay_node *node)
{
    const struct assay_node *of[M_KEYS];
    struct spec_message *m = ASSAY_NEW(&spec->arena, struct spec_message);
    m->at = node->key->at;
    m->name = node->key->text;
    m->index = (uint16_t)spec->messages.count;
    assay_list_add(spec, &spec->messages, m);
    assay_read_name(spec, m->name, m->at, "a message");
    if (!assay_shape(spec, node, "a message", message_keys, M_KEYS, of))
        return;
    m->from = read_sides(spec, of[M_FROM], ASSAY_CLIENT);
    m->text = of[M_TEXT] ? of[M_TEXT]->text : NULL;
    m->req = assay_read_req(spec, of[M_REQ]);
    m->transports = read_over(spec, of[M_OVER]);
    if (of[M_TAG])
        read_tag(spec, m, of[M_TAG]);
    if (of[M_WHEN])
        m->when = assay_expr_parse(spec, of[M_WHEN]);
    read_fixed(spec, m, of[M_FRAME]);
    assay_read_fields(spec, of[M_FIELDS], &m->fields, &m->groups);
    assay_place_members(spec, &m->fields, spec->frames[m->from == ASSAY_SERVER]);
    SPEC_EACH (struct spec_field, f, &m->fields)
        f->message = m;
    ASSAY_CHILDREN (where, of[M_WHERE])
        read_where(spec, m, where);
    ASSAY_CHILDREN (example, of[M_EXAMPLES])
        read_example(spec, m, example);
}

/* A name of the frame that a message has, too. */
static void check_shadow(struct assay_spec *spec, const char *name, struct assay_at at, const struct spec_message *m)
{
    if (!name)
        return;
    SPEC_EACH (struct spec_field, own, &m->fields)
        if (own->name && strcmp(own->name, name) == 0)
            assay_spec_error(spec, own->at, "the frame has a field '%s' already (line %u)", name, at.line);
    SPEC_EACH (struct spec_group, own, &m->groups)
        if (strcmp(own->name, name) == 0)
            assay_spec_error(spec, own->at, "the frame has a field '%s' already (line %u)", name, at.line);
}

/* Inside a frame; the slots that the frame takes. */
static uint16_t place_in(struct assay_spec *spec, const struct spec_message *m, const struct spec_frame *frame)
{
    uint16_t slots = 0;
    SPEC_EACH (struct spec_field, f, &frame->fields) {
        slots = (uint16_t)(slots + assay_keeps_value(f));
        check_shadow(spec, f->name, f->at, m);
    }
    SPEC_EACH (struct spec_group, g, &frame->groups)
        check_shadow(spec, g->name, g->at, m);
    return slots;
}

static void place_message(struct assay_spec *spec, struct spec_message *m)
{
    uint16_t first = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (!(m->from & (i ? ASSAY_SERVER : ASSAY_CLIENT)) || !spec->frames[i])
            continue;
        uint16_t slots = place_in(spec, m, spec->frames[i]);
        first = slots > first ? slots : first;
    }
    m->slots = assay_give_slots(spec, &m->fields, first);
}

void assay_read_messages(struct assay_spec *spec, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node)
        read_message(spec, child);
    SPEC_EACH (struct spec_message, m, &spec->messages)
        place_message(spec, m);
}
