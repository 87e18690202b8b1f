/* What stands on the wire: fields, frames and messages; their examples and samples. */
#include "compiler/check.h"
#include "compiler/lower.h"

/* ---- fields ------------------------------------------------------------ */

uint16_t assay_lower_delims(struct lower *l, const struct spec_list *delims)
{
    struct assay_range range = {(uint16_t)l->blobs.count, (uint16_t)delims->count};
    SPEC_EACH (struct assay_blob, d, delims)
        assay_lower_blob(l, *d);
    return PUSH(l, delims, struct assay_delims, {range});
}

static void lower_extent(struct lower *l, const struct spec_type *t, struct assay_field *f)
{
    const struct spec_extent *x = &t->extent;
    f->extent = (uint8_t)x->kind;
    switch (x->kind) {
    case ASSAY_EXT_FIXED:
    case ASSAY_EXT_PREFIX:
        f->extent_arg = (uint16_t)x->fixed;
        break;
    case ASSAY_EXT_CODE:
    case ASSAY_EXT_COUNT:
        f->extent_arg = assay_gen_value(l, x->size);
        break;
    case ASSAY_EXT_UNTIL:
    case ASSAY_EXT_BEFORE:
        f->extent_arg = assay_lower_delims(l, &x->delims);
        break;
    case ASSAY_EXT_REST:
        f->extent_arg = ASSAY_NONE;
        break;
    }
    if (x->little && x->kind == ASSAY_EXT_PREFIX)
        f->flags |= ASSAY_F_LITTLE;
}

static struct assay_field shape_of(struct lower *l, const struct spec_type *t)
{
    struct assay_field f = {.type = assay_lower_type(l, t),
                            .slot = ASSAY_NONE,
                            .extent_arg = ASSAY_NONE,
                            .element = ASSAY_NONE,
                            .present = ASSAY_NONE,
                            .is = ASSAY_NONE,
                            .init = ASSAY_NONE,
                            .check = ASSAY_NONE,
                            .fault = ASSAY_EV_MALFORMED,
                            .req = ASSAY_NONE,
                            .leniency = ASSAY_NONE,
                            .form = t->form,
                            .bits = t->bits,
                            .flags = t->flags,
                            .loose = t->loose};
    if (t->form == ASSAY_FORM_CONST)
        f.extent_arg = assay_lower_blob(l, t->bytes);
    else if (t->form != ASSAY_FORM_INT && t->form != ASSAY_FORM_VARINT && t->form != ASSAY_FORM_CALC &&
             t->form != ASSAY_FORM_AHEAD)
        lower_extent(l, t, &f);
    return f;
}

/* A sum over the frame around is computed last, and not by code. */
static uint8_t sum_of(const struct spec_field *field)
{
    const struct spec_expr *e = field->is;
    bool sum = e && e->kind == SPEC_E_CALL && e->count == 0 && e->ref.function && e->ref.function->id == SPEC_F_SUM;
    return sum ? (uint8_t)e->number : (uint8_t)ASSAY_SUM_NONE;
}

static void lower_field(struct lower *l, struct spec_field *field)
{
    const struct spec_type *t = field->type;
    struct assay_field f = shape_of(l, t);
    f.name = field->name;
    f.slot = field->slot;
    l->it_slot = field->slot;
    f.present = assay_gen_presence(l, field);
    f.sum = sum_of(field);
    f.is = f.sum ? ASSAY_NONE : assay_gen_value(l, t->form == ASSAY_FORM_CALC ? t->calc : field->is);
    f.init = assay_gen_value(l, field->init);
    f.check = assay_gen_check(l, field);
    f.fault = t->fault_event ? t->fault_event->index : ASSAY_EV_MALFORMED;
    f.req = t->req ? t->req->index : ASSAY_NONE;
    f.leniency = t->leniency ? t->leniency->index : ASSAY_NONE;
    assay_lower_structured(l, field, &f);
    field->index = assay_push(l, &l->fields, &f, sizeof f);
}

static struct assay_range lower_fields(struct lower *l, const struct spec_list *fields)
{
    struct assay_range range = {(uint16_t)l->fields.count, (uint16_t)fields->count};
    SPEC_EACH (struct spec_field, f, fields)
        lower_field(l, f);
    return range;
}

/* Elements stand behind all fields, so that those of a message stay together. */
static void lower_elements(struct lower *l, const struct spec_list *fields)
{
    SPEC_EACH (struct spec_field, field, fields) {
        if (field->type->kind != ASSAY_T_LIST || !field->type->element || field->type->form != ASSAY_FORM_LIST)
            continue;
        struct assay_field f = shape_of(l, field->type->element);
        uint16_t at = assay_push(l, &l->fields, &f, sizeof f);
        ((struct assay_field *)l->fields.items)[field->index].element = at;
    }
}

/* ---- frames ------------------------------------------------------------ */

/* Who sends messages whose own fields tell where the frame ends. */
static uint8_t walked_by(const struct lower *l, const struct spec_frame *frame)
{
    uint8_t from = 0;
    for (unsigned i = 0; i < 2; i++)
        if (l->spec->frames[i] == frame && assay_walks_messages(l->spec, i ? ASSAY_SERVER : ASSAY_CLIENT))
            from |= i ? ASSAY_SERVER : ASSAY_CLIENT;
    return from;
}

static uint16_t push_frame(struct lower *l, const struct spec_frame *frame, struct assay_range fields)
{
    struct assay_frame f = {.end = frame->end,
                            .fields = fields,
                            .body = frame->body ? frame->body->index : ASSAY_NONE,
                            .tag = frame->tag ? frame->tag->slot : ASSAY_NONE,
                            .delims = ASSAY_NONE,
                            .segment_leniency = frame->segments ? frame->segments->index : ASSAY_NONE,
                            .max = (uint32_t)frame->max,
                            .walked = walked_by(l, frame),
                            .blank = frame->blank,
                            .trim = assay_lower_set(l, frame->trim),
                            .transports = frame->transports};
    if (frame->end == ASSAY_END_UNTIL)
        f.delims = assay_lower_delims(l, &frame->delims);
    if (f.max > l->model->frame_max)
        l->model->frame_max = f.max;
    return assay_push(l, &l->frames, &f, sizeof f);
}

static struct assay_range fields_of_frame(struct lower *l, struct spec_frame *frame)
{
    struct assay_range fields = lower_fields(l, &frame->fields);
    frame->index = push_frame(l, frame, fields);
    return fields;
}

/* Where the frame is a datagram, it has the same fields. */
static void lower_frames(struct lower *l)
{
    struct spec_frame *const *frames = l->spec->frames;
    size_t count = frames[0] == frames[1] ? 1 : 2;
    struct assay_range fields[2];
    for (size_t i = 0; i < count; i++)
        fields[i] = fields_of_frame(l, frames[i]);
    for (size_t i = 0; i < count; i++)
        if (frames[i]->datagram)
            frames[i]->datagram->index = push_frame(l, frames[i]->datagram, fields[i]);
}

/* ---- messages ---------------------------------------------------------- */

static void add_where(struct lower *l, uint16_t that, uint16_t fault, const struct spec_requirement *req)
{
    PUSH(l, wheres, struct assay_where, {.that = that, .fault = fault, .req = req ? req->index : ASSAY_NONE});
}

static uint16_t gen_fixed(struct lower *l, const struct spec_fixed *fixed)
{
    const struct spec_expr field = {.kind = SPEC_E_FIELD, .type = fixed->field->type, .ref.field = fixed->field};
    uint16_t at = assay_here(l);
    assay_gen_one_of(l, &field, (struct spec_expr *const *)&(struct spec_expr *){fixed->value}, 1);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    return at;
}

static struct assay_range lower_wheres(struct lower *l, const struct spec_message *m)
{
    uint16_t first = (uint16_t)l->wheres.count;
    SPEC_EACH (struct spec_fixed, fixed, &m->fixed) {
        const struct spec_event *fault = fixed->field->type->fault_event;
        add_where(l, gen_fixed(l, fixed), fault ? fault->index : ASSAY_EV_MALFORMED, m->req);
    }
    SPEC_EACH (struct spec_where, w, &m->wheres)
        add_where(l, assay_gen_value(l, w->that), w->fault_event ? w->fault_event->index : ASSAY_EV_MALFORMED,
                  w->req ? w->req : m->req);
    return (struct assay_range){first, (uint16_t)(l->wheres.count - first)};
}

static void lower_tag(struct lower *l, const struct spec_message *m, struct assay_message *out)
{
    const struct spec_frame *frame = l->spec->frames[m->from == ASSAY_SERVER];
    const struct spec_expr *tag = m->tags.count ? m->tags.items[0] : NULL;
    out->tag_kind = ASSAY_TAG_NONE;
    if (m->when) {
        out->tag_kind = ASSAY_TAG_CODE;
        out->tag_code = assay_gen_value(l, m->when);
    } else if (m->tags.count > 1) {
        const struct spec_expr field = {.kind = SPEC_E_FIELD, .type = frame->tag->type, .ref.field = frame->tag};
        out->tag_kind = ASSAY_TAG_CODE;
        out->tag_code = assay_here(l);
        assay_gen_one_of(l, &field, (struct spec_expr *const *)(void *)m->tags.items, m->tags.count);
        assay_emit(l, ASSAY_OP_END, 0, 0);
    } else if (tag && tag->kind == SPEC_E_TEXT) {
        out->tag_kind = ASSAY_TAG_TEXT;
        out->tag_text = tag->text;
    } else if (tag) {
        out->tag_kind = ASSAY_TAG_VALUE;
        if (!assay_expr_number(tag, &out->tag))
            assay_expr_error(l->spec, tag, "a tag is a constant");
    }
}

static void lower_message(struct lower *l, struct spec_message *m)
{
    struct assay_message out = {
        .name = m->name, .from = m->from, .tag_code = ASSAY_NONE, .leads = ASSAY_NONE, .transports = m->transports};
    out.event = m->event->index;
    out.req = m->req ? m->req->index : ASSAY_NONE;
    out.line = m->at.line;
    out.fields = lower_fields(l, &m->fields);
    out.wheres = lower_wheres(l, m);
    out.wire_min = assay_message_min(l->spec, m);
    out.wire_max = assay_message_max(l->spec, m);
    lower_tag(l, m, &out);
    assay_push(l, &l->messages, &out, sizeof out);
}

/* ---- examples and samples ---------------------------------------------- */

static void lower_examples(struct lower *l)
{
    SPEC_EACH (struct spec_message, m, &l->spec->messages)
        SPEC_EACH (struct spec_example, x, &m->examples)
            x->index = PUSH(l, examples, struct assay_example,
                            {.message = m->index,
                             .from = x->from,
                             .other_form = x->other_form,
                             .fault = x->fault_event ? x->fault_event->index : ASSAY_NONE,
                             .bytes = x->bytes});
}

static bool data_number(struct lower *l, const struct spec_type *t, const struct assay_node *node, int64_t *n)
{
    const struct spec_enum_item *item =
        t->kind == ASSAY_T_ENUM && node->kind == ASSAY_NODE_SCALAR ? assay_enum_item_named(t->of, node->text) : NULL;
    if (item) {
        *n = item->value;
        return true;
    }
    if (t->kind == ASSAY_T_BOOL) {
        *n = assay_read_bool(l->spec, node, false);
        return true;
    }
    return assay_read_int(l->spec, node, t->min, t->max, n);
}

/* A sample as bytes: those of bytes and text as they are, numbers 8 bytes, least significant first. */
static bool data_blob(struct lower *l, const struct spec_type *t, const struct assay_node *node,
                      struct assay_blob *blob)
{
    int64_t n = 0;
    if (assay_kind_is_bytes(t->kind))
        return assay_read_bytes(l->spec, node, t->kind == ASSAY_T_TEXT && t->charset == ASSAY_CS_UTF8, blob);
    if (!assay_kind_is_scalar(t->kind) || !data_number(l, t, node, &n))
        return false;
    uint8_t *bytes = assay_arena_alloc(&l->spec->arena, 8);
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)n >> (8 * i));
    *blob = (struct assay_blob){bytes, 8};
    return true;
}

static void lower_samples(struct lower *l, const struct spec_list *fields)
{
    SPEC_EACH (struct spec_field, f, fields) {
        const struct assay_node *node = f->type->samples;
        if (!node)
            continue;
        struct spec_samples *s = ASSAY_NEW(&l->spec->arena, struct spec_samples);
        s->field = f->index;
        s->items = assay_arena_alloc(&l->spec->arena, (node->count + 1) * sizeof *s->items);
        ASSAY_CHILDREN (child, node)
            s->count += data_blob(l, f->type, child, &s->items[s->count]);
        assay_list_add(l->spec, &l->spec->samples, s);
    }
}

/* ---- all --------------------------------------------------------------- */

/* What refers to fields, when they have their places. */
static void lower_behind(struct lower *l, const struct spec_list *fields)
{
    lower_elements(l, fields);
    assay_lower_objects(l, fields);
    lower_samples(l, fields);
}

void assay_lower_wire(struct lower *l)
{
    struct assay_spec *spec = l->spec;
    lower_frames(l);
    SPEC_EACH (struct spec_message, m, &spec->messages)
        lower_message(l, m);
    lower_behind(l, &spec->frames[0]->fields);
    if (spec->frames[1] != spec->frames[0])
        lower_behind(l, &spec->frames[1]->fields);
    SPEC_EACH (struct spec_message, m, &spec->messages)
        lower_behind(l, &m->fields);
    assay_lower_leads(l);
    lower_examples(l);
}
