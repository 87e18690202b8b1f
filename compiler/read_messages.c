/* Frames, messages, effects, params. */
#include <string.h>

#include "compiler/read_fields.h"
#include "compiler/types.h"

/* ---- slots ------------------------------------------------------------- */

static uint16_t give_slots(struct assay_spec *spec, struct spec_list *fields, uint16_t slot)
{
    SPEC_EACH (struct spec_field, f, fields) {
        if (!assay_keeps_value(f))
            continue;
        f->slot = slot++;
        if (slot == ASSAY_SLOTS_MAX + 1)
            assay_spec_error(spec, f->at, "more than %d fields in frame and message", ASSAY_SLOTS_MAX);
    }
    return slot;
}

/* ---- frames ------------------------------------------------------------ */

enum { FR_FIELDS, FR_UNTIL, FR_MAX, FR_TAG, FR_BODY, FR_SEGMENTS, FR_TRIM, FR_BLANK, FR_KEYS };
static const struct shape_key frame_keys[FR_KEYS] = {
    [FR_FIELDS] = {"fields", SHAPE_SEQUENCE, NULL},
    [FR_UNTIL] = {"until", SHAPE_SCALAR | SHAPE_SEQUENCE, NULL},
    [FR_MAX] = {"max", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [FR_TAG] = {"tag", SHAPE_SCALAR, NULL},
    [FR_BODY] = {"body", SHAPE_SCALAR, NULL},
    [FR_SEGMENTS] = {"segments", SHAPE_SCALAR, NULL},
    [FR_TRIM] = {"trim", SHAPE_SCALAR, NULL},
    [FR_BLANK] = {"blank", SHAPE_SCALAR, NULL},
};

static void read_delimiters(struct assay_spec *spec, const struct assay_node *node, struct spec_frame *frame)
{
    static const struct {
        const char *word;
        uint8_t end;
    } words[] = {{"eof", ASSAY_END_EOF},
                 {"segment", ASSAY_END_SEGMENT},
                 {"datagram", ASSAY_END_DATAGRAM},
                 {"stream", ASSAY_END_STREAM}};
    frame->end = ASSAY_END_UNTIL;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (node->plain && assay_node_is(node, words[i].word))
            frame->end = words[i].end;
    bool single = node->kind == ASSAY_NODE_SCALAR;
    for (const struct assay_node *one = single ? node : node->first; one && frame->end == ASSAY_END_UNTIL;
         one = single ? NULL : one->next) {
        struct assay_blob *blob = ASSAY_NEW(&spec->arena, struct assay_blob);
        if (assay_read_bytes(spec, one, false, blob) && blob->n == 0)
            assay_spec_error(spec, one->at, "a delimiter has at least one byte");
        assay_list_add(spec, &frame->delims, blob);
    }
    if (!single && frame->delims.count == 0)
        assay_spec_error(spec, node->at, "at least one delimiter is needed");
}

/* Whether some field is of a structured type (declared only), whose parts have names that are not looked into. */
static bool has_hidden_names(const struct spec_list *fields)
{
    SPEC_EACH (struct spec_field, f, fields)
        if (f->type->kind == SPEC_T_ANY)
            return true;
    return false;
}

/* NULL: there is none; an error, unless it may be a part of a structured field. */
static struct spec_field *named_field(struct assay_spec *spec, const struct assay_node *node, struct spec_list *fields)
{
    struct assay_near near = {.wanted = node->text};
    SPEC_EACH (struct spec_field, f, fields) {
        if (f->name && strcmp(f->name, node->text) == 0)
            return f;
        assay_near_add(&near, f->name);
    }
    if (!has_hidden_names(fields))
        assay_spec_error(spec, node->at, "the frame has no field '%s'%s", node->text, assay_near_text(&near));
    return NULL;
}

static void read_trim(struct assay_spec *spec, struct spec_frame *frame, const struct assay_node *trim,
                      const struct assay_node *blank)
{
    static const char *const words[] = {"ignore"};
    const struct assay_node *both[] = {trim, blank};
    bool whole = frame->end == ASSAY_END_FIELDS || frame->end == ASSAY_END_STREAM;
    for (unsigned i = 0; i < 2; i++)
        if (both[i] && whole)
            assay_spec_error(spec, both[i]->key->at, "'%s' goes with a frame whose end 'until' tells, but not a stream",
                             both[i]->key->text);
    if (trim)
        frame->trim = assay_read_class(spec, trim);
    if (blank)
        frame->blank = assay_read_word(spec, blank, words, 1, "blank") == 0;
}

static struct spec_frame *read_frame(struct assay_spec *spec, const struct assay_node *node, uint8_t from)
{
    const struct assay_node *of[FR_KEYS];
    struct spec_frame *frame = ASSAY_NEW(&spec->arena, struct spec_frame);
    *frame = (struct spec_frame){.at = node->at, .from = from, .end = ASSAY_END_FIELDS};
    if (!assay_shape(spec, node, "a frame", frame_keys, FR_KEYS, of))
        return frame;
    assay_read_int(spec, of[FR_MAX], 1, INT32_MAX, &frame->max);
    assay_read_fields(spec, of[FR_FIELDS], &frame->fields, &frame->groups);
    SPEC_EACH (struct spec_field, f, &frame->fields)
        f->frame = frame;
    give_slots(spec, &frame->fields, 0);
    SPEC_EACH (struct spec_field, f, &frame->fields)
        if (f->in_pairs)
            assay_spec_error(spec, f->in_pairs->key->at, "members of pairs are fields of messages");
    if (of[FR_UNTIL])
        read_delimiters(spec, of[FR_UNTIL], frame);
    else if (!of[FR_FIELDS])
        assay_spec_error(spec, node->at, "nothing tells where this frame ends: it needs 'fields' or 'until'");
    if (of[FR_TAG])
        frame->tag = named_field(spec, of[FR_TAG], &frame->fields);
    if (of[FR_BODY])
        frame->body = named_field(spec, of[FR_BODY], &frame->fields);
    if (frame->body && !assay_kind_is_bytes(frame->body->type->kind) && frame->body->type->kind != SPEC_T_ANY)
        assay_spec_error(spec, of[FR_BODY]->at, "the body holds the message's fields: it has to be {bytes: ...}");
    if (of[FR_SEGMENTS])
        frame->segments = assay_find_leniency(spec, of[FR_SEGMENTS]);
    if (of[FR_SEGMENTS] && frame->end != ASSAY_END_UNTIL)
        assay_spec_error(spec, of[FR_SEGMENTS]->at, "'segments' goes with 'until' a delimiter");
    read_trim(spec, frame, of[FR_TRIM], of[FR_BLANK]);
    return frame;
}

/* The same where each datagram is a frame: without the frame's own end, with a limit of its own. */
static struct spec_frame *as_datagrams(struct assay_spec *spec, const struct spec_frame *frame,
                                       const struct spec_transport *t)
{
    struct spec_frame *d = assay_arena_copy(&spec->arena, frame, sizeof *frame);
    d->end = ASSAY_END_DATAGRAM;
    d->delims = (struct spec_list){0};
    d->segments = NULL;
    d->transports = 0;
    d->max = t->max ? t->max : frame->max;
    return d;
}

/* What each transport makes of a frame: that of the first stands in spec->frames. */
static struct spec_frame *over_transports(struct assay_spec *spec, struct spec_frame *frame)
{
    struct spec_frame *stream = NULL, *datagram = NULL;
    SPEC_EACH (struct spec_transport, t, &spec->transports) {
        struct spec_frame **which = t->datagram ? &datagram : &stream;
        if (!*which)
            *which = t->datagram ? as_datagrams(spec, frame, t) : frame;
        (*which)->transports = (uint16_t)((*which)->transports | 1u << t->index);
        if (!t->datagram && frame->end == ASSAY_END_DATAGRAM)
            assay_spec_error(spec, frame->at, "%s has no datagrams: the frame needs another end there", t->name);
    }
    if (!stream && datagram)
        *frame = *datagram; /* fields know the frame by its place */
    frame->datagram = stream ? datagram : NULL;
    return frame;
}

void assay_read_frames(struct assay_spec *spec, const struct assay_node *node)
{
    static const struct shape_key sides[] = {{"client", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
                                             {"server", SHAPE_MAPPING | SHAPE_REQUIRED, NULL}};
    const struct assay_node *of[2];
    if (!assay_node_get(node, "client") && !assay_node_get(node, "server")) {
        spec->frames[0] = spec->frames[1] = over_transports(spec, read_frame(spec, node, ASSAY_CLIENT | ASSAY_SERVER));
        return;
    }
    if (!assay_shape(spec, node, "frame", sides, 2, of))
        return;
    for (unsigned i = 0; i < 2; i++)
        spec->frames[i] =
            of[i] ? over_transports(spec, read_frame(spec, of[i], i ? ASSAY_SERVER : ASSAY_CLIENT)) : NULL;
}

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
    if (frame && !frame->tag && has_hidden_names(&frame->fields))
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
        struct spec_field *f = frame ? named_field(spec, child->key, &frame->fields) : NULL;
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
static void check_shadow(struct assay_spec *spec, const char *name, struct assay_at at, const struct spec_list *fields,
                         const struct spec_list *groups)
{
    if (fields)
        SPEC_EACH (struct spec_field, own, fields)
            if (own->name && name && strcmp(own->name, name) == 0)
                assay_spec_error(spec, own->at, "the frame has a field '%s' already (line %u)", name, at.line);
    SPEC_EACH (struct spec_group, own, groups)
        if (name && strcmp(own->name, name) == 0)
            assay_spec_error(spec, own->at, "the frame has a field '%s' already (line %u)", name, at.line);
}

static void place_message(struct assay_spec *spec, struct spec_message *m)
{
    uint16_t first = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (!(m->from & (i ? ASSAY_SERVER : ASSAY_CLIENT)) || !spec->frames[i])
            continue;
        uint16_t slots = 0;
        SPEC_EACH (struct spec_field, f, &spec->frames[i]->fields) {
            slots = (uint16_t)(slots + assay_keeps_value(f));
            SPEC_EACH (struct spec_field, own, &m->fields)
                if (own->name && f->name && strcmp(own->name, f->name) == 0)
                    assay_spec_error(spec, own->at, "the frame has a field '%s' already (line %u)", own->name,
                                     f->at.line);
        }
        SPEC_EACH (struct spec_group, g, &spec->frames[i]->groups)
            check_shadow(spec, g->name, g->at, &m->fields, &m->groups);
        SPEC_EACH (struct spec_field, f, &spec->frames[i]->fields)
            check_shadow(spec, f->name, f->at, NULL, &m->groups);
        first = slots > first ? slots : first;
    }
    m->slots = give_slots(spec, &m->fields, first);
}

void assay_read_messages(struct assay_spec *spec, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node)
        read_message(spec, child);
    SPEC_EACH (struct spec_message, m, &spec->messages)
        place_message(spec, m);
}

/* ---- params and effects ------------------------------------------------ */

enum { P_TYPE, P_DEFAULT, P_MIN, P_MAX, P_TEXT, P_OPTIONAL, P_KEYS };
static const struct shape_key param_keys[P_KEYS] = {
    [P_TYPE] = {"type", SHAPE_SCALAR | SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [P_DEFAULT] = {"default", SHAPE_ANY, NULL},
    [P_MIN] = {"min", SHAPE_SCALAR, NULL},
    [P_MAX] = {"max", SHAPE_SCALAR, NULL},
    [P_TEXT] = {"text", SHAPE_SCALAR, NULL},
    [P_OPTIONAL] = {"optional", SHAPE_ANY | SHAPE_DECLARED, "an optional value"},
};

/* Limits beside `type` refine it as they would inside. */
static void refine_param(struct assay_spec *spec, struct spec_type *t, const struct assay_node *min,
                         const struct assay_node *max)
{
    int64_t most = t->kind == ASSAY_T_INT || t->kind == ASSAY_T_DURATION ? t->max : UINT32_MAX;
    if (t->kind == ASSAY_T_DURATION) {
        t->min = assay_read_duration(spec, min, t->min);
        t->max = assay_read_duration(spec, max, t->max);
    } else {
        assay_read_int(spec, min, t->kind == ASSAY_T_INT ? t->min : 0, most, &t->min);
        assay_read_int(spec, max, t->min, most, &t->max);
    }
    t->bounded = t->bounded || max;
}

static bool is_param_mapping(const struct assay_node *node)
{
    if (node->kind != ASSAY_NODE_MAPPING || !assay_node_get(node, "type"))
        return false;
    ASSAY_CHILDREN (child, node) {
        bool known = false;
        for (size_t i = 0; i < P_KEYS; i++)
            known = known || strcmp(param_keys[i].name, child->key->text) == 0;
        if (!known)
            return false;
    }
    return true;
}

static void read_param(struct assay_spec *spec, const struct assay_node *node, struct spec_param *p)
{
    const struct assay_node *of[P_KEYS] = {0}, *extras[FIELD_KEYS] = {0};
    if (is_param_mapping(node)) {
        assay_shape(spec, node, p->name, param_keys, P_KEYS, of);
        p->type = of[P_TYPE] ? assay_read_type(spec, of[P_TYPE], NULL, NULL) : NULL;
        if (p->type)
            refine_param(spec, p->type, of[P_MIN], of[P_MAX]);
        p->text = of[P_TEXT] ? of[P_TEXT]->text : NULL;
        extras[FIELD_DEFAULT] = of[P_DEFAULT];
    } else {
        p->type = assay_read_type(spec, node, NULL, extras);
    }
    if (!is_param_mapping(node))
        assay_plain_extras(spec, extras);
    p->type = assay_plain_type(spec, p->type, node);
    p->type =
        p->type ? assay_type_instance(spec, p->type) : assay_arena_copy(&spec->arena, &assay_type_any, sizeof *p->type);
    if (extras[FIELD_DEFAULT])
        p->init = assay_expr_parse(spec, extras[FIELD_DEFAULT]);
}

void assay_read_params(struct assay_spec *spec, const struct assay_node *node, struct spec_list *into, const char *what)
{
    ASSAY_CHILDREN (child, node) {
        struct spec_param *p = ASSAY_NEW(&spec->arena, struct spec_param);
        *p = (struct spec_param){.at = child->key->at, .name = child->key->text, .slot = ASSAY_NONE, .var = ASSAY_NONE};
        assay_read_name(spec, p->name, p->at, what);
        read_param(spec, child, p);
        assay_list_add(spec, into, p);
    }
}

enum { E_ARGS, E_FAILS, E_TO, E_TEXT, E_KEYS };
static const struct shape_key effect_keys[E_KEYS] = {
    [E_ARGS] = {"args", SHAPE_MAPPING, NULL},
    [E_FAILS] = {"fails", SHAPE_SCALAR | SHAPE_SEQUENCE, NULL},
    [E_TO] = {"to", SHAPE_SCALAR | SHAPE_MAPPING, NULL},
    [E_TEXT] = {"text", SHAPE_SCALAR, NULL},
};

static void check_object(struct assay_spec *spec, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text + 1};
    if (node->text[0] != '$')
        return;
    SPEC_EACH (struct spec_param, p, &spec->params) {
        if (strcmp(p->name, node->text + 1) == 0)
            return;
        assay_near_add(&near, p->name);
    }
    assay_spec_error(spec, node->at, "there is no param '%s'%s", node->text + 1, assay_near_text(&near));
}

static void read_binding(struct assay_spec *spec, struct spec_effect *e, const struct assay_node *node)
{
    static const char *const verbs[] = {"append", "crypt", "print", "report", "gather", "release", "log"};
    static const char *const words[] = {"stop", "reopen", "application"};
    if (node->kind == ASSAY_NODE_SCALAR) {
        size_t word = assay_read_word(spec, node, words, 3, "to");
        e->verb = word < 2 ? words[word] : NULL;
        return;
    }
    const struct assay_node *one = assay_read_single(spec, node, "a binding");
    if (!one)
        return;
    size_t i = assay_read_word(spec, one->key, verbs, sizeof verbs / sizeof verbs[0], "a binding");
    if (i >= sizeof verbs / sizeof verbs[0] || !assay_shape_is(spec, one, SHAPE_SCALAR, verbs[i]))
        return;
    if (i + 1 == sizeof verbs / sizeof verbs[0])
        assay_spec_declared(spec, one->key->at, verbs[i]);
    if (strcmp(verbs[i], "report") == 0 && !assay_node_is(one, "stderr"))
        assay_spec_error(spec, one->at, "a report goes to stderr");
    e->verb = verbs[i];
    e->object = one->text;
    check_object(spec, one);
}

void assay_read_effects(struct assay_spec *spec, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node) {
        const struct assay_node *of[E_KEYS];
        struct spec_effect *e = ASSAY_NEW(&spec->arena, struct spec_effect);
        *e = (struct spec_effect){
            .at = child->key->at, .name = child->key->text, .index = (uint16_t)spec->effects.count};
        assay_list_add(spec, &spec->effects, e);
        assay_read_name(spec, e->name, e->at, "an effect");
        if (!assay_shape(spec, child, "an effect", effect_keys, E_KEYS, of))
            continue;
        assay_read_params(spec, of[E_ARGS], &e->args, "an argument");
        e->fallible = of[E_FAILS] && of[E_FAILS]->kind == ASSAY_NODE_SEQUENCE;
        if (e->fallible)
            assay_spec_declared(spec, of[E_FAILS]->at, "effects that fail in several ways");
        else
            e->fallible = assay_read_bool(spec, of[E_FAILS], false);
        e->text = of[E_TEXT] ? of[E_TEXT]->text : NULL;
        if (of[E_TO])
            read_binding(spec, e, of[E_TO]);
    }
}
