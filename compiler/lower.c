#include "compiler/lower.h"

#include <string.h>

#include "compiler/check.h"

uint16_t assay_push(struct lower *l, struct table *table, const void *item, size_t size)
{
    if (table->count >= ASSAY_NONE) {
        l->too_large = true;
        return 0;
    }
    table->items = assay_arena_grow(&l->spec->arena, table->items, table->count, &table->capacity, size);
    memcpy((char *)table->items + table->count * size, item, size);
    return (uint16_t)table->count++;
}

/* ---- constants, types -------------------------------------------------- */

uint16_t assay_lower_blob(struct lower *l, struct assay_blob blob)
{
    return assay_push(l, &l->blobs, &blob, sizeof blob);
}

uint16_t assay_lower_set(struct lower *l, const struct assay_byteset *set)
{
    return set ? assay_push(l, &l->sets, set, sizeof *set) : ASSAY_NONE;
}

static uint16_t same_type(const struct lower *l, const struct assay_type *type)
{
    const struct assay_type *types = l->types.items;
    for (size_t i = 0; i < l->types.count; i++)
        if (types[i].kind == type->kind && types[i].charset == type->charset && types[i].of == type->of &&
            types[i].set == type->set && types[i].min == type->min && types[i].max == type->max &&
            strcmp(types[i].name, type->name) == 0)
            return (uint16_t)i;
    return ASSAY_NONE;
}

uint16_t assay_lower_type(struct lower *l, const struct spec_type *t)
{
    struct assay_type type = {.name = t->name ? t->name : "",
                              .kind = t->kind,
                              .of = ASSAY_NONE,
                              .set = ASSAY_NONE,
                              .min = t->min,
                              .max = t->max};
    if (t->kind == SPEC_T_NONE || t->kind == SPEC_T_ANY)
        return ASSAY_NONE;
    type.charset = t->kind == ASSAY_T_TEXT ? t->charset : 0;
    if (t->kind == ASSAY_T_ENUM)
        type.of = t->of->index;
    if (t->kind == ASSAY_T_LIST)
        type.of = t->element ? assay_lower_type(l, t->element) : ASSAY_NONE;
    if (assay_kind_is_bytes(t->kind))
        type.set = assay_lower_set(l, t->set);
    uint16_t same = same_type(l, &type);
    return same != ASSAY_NONE ? same : assay_push(l, &l->types, &type, sizeof type);
}

static void lower_enums(struct lower *l)
{
    SPEC_EACH (struct spec_enum, e, &l->spec->enums) {
        struct assay_range items = {(uint16_t)l->enum_items.count, (uint16_t)e->items.count};
        SPEC_EACH (struct spec_enum_item, item, &e->items)
            PUSH(l, enum_items, struct assay_enum_item, {.name = item->name, .value = item->value, .text = item->text});
        e->index = PUSH(l, enums, struct assay_enum,
                        {.name = e->name ? e->name : "", .items = items, .open = e->open, .text = e->text});
    }
}

/* ---- facts around the protocol ----------------------------------------- */

static void lower_option(struct lower *l, struct spec_param *p)
{
    struct assay_option o = {.name = p->name, .text = p->text ? p->text : ""};
    o.type = assay_lower_type(l, p->type);
    if (p->init && !assay_expr_number(p->init, &o.value) && !assay_expr_text(p->init, &o.blob))
        assay_expr_error(l->spec, p->init, "the default of a param is a constant");
    if (!p->init && p->type->kind == ASSAY_T_INT && p->type->min > 0)
        o.value = p->type->min;
    p->index = assay_push(l, &l->options, &o, sizeof o);
}

static void lower_facts(struct lower *l)
{
    SPEC_EACH (struct spec_requirement, r, &l->spec->requires)
        PUSH(l, requirements, struct assay_requirement,
             {.id = r->id, .ref = r->ref, .text = r->text, .level = r->level});
    SPEC_EACH (struct spec_transport, t, &l->spec->transports)
        PUSH(l, transports, struct assay_transport,
             {.name = t->name,
              .bind = t->bind,
              .port = t->port,
              .client_port = t->client_port,
              .server = ASSAY_NONE,
              .client = ASSAY_NONE});
    SPEC_EACH (struct spec_leniency, y, &l->spec->leniencies)
        PUSH(l, leniencies, struct assay_leniency,
             {.name = y->name,
              .text = y->text,
              .on = y->on,
              .level = y->level,
              .req = y->req ? y->req->index : ASSAY_NONE});
    SPEC_EACH (struct spec_param, p, &l->spec->params)
        lower_option(l, p);
}

struct assay_range assay_lower_params(struct lower *l, const struct spec_list *params)
{
    struct assay_range range = {(uint16_t)l->params.count, (uint16_t)params->count};
    SPEC_EACH (struct spec_param, p, params)
        p->index = PUSH(l, params, struct assay_param,
                        {.name = p->name,
                         .text = p->text ? p->text : "",
                         .type = assay_lower_type(l, p->type),
                         .init = assay_gen_value(l, p->init)});
    return range;
}

static void lower_effects(struct lower *l)
{
    SPEC_EACH (struct spec_effect, e, &l->spec->effects) {
        struct assay_range args = assay_lower_params(l, &e->args);
        PUSH(l, effects, struct assay_effect,
             {.name = e->name, .args = args, .verb = e->verb, .object = e->object, .fallible = e->fallible});
    }
}

static void lower_calls(struct lower *l)
{
    SPEC_EACH (struct spec_call, call, &l->spec->calls) {
        struct assay_call c = {.name = call->name, .text = call->text ? call->text : "", .event = call->event->index};
        c.args = assay_lower_params(l, &call->args);
        c.results = assay_lower_params(l, &call->results);
        c.errors = (struct assay_range){(uint16_t)l->errors.count, (uint16_t)call->errors.count};
        c.first_var = c.machine = c.opens = ASSAY_NONE;
        c.within = call->within;
        SPEC_EACH (struct spec_error, e, &call->errors)
            e->index = PUSH(l, errors, struct assay_error, {.name = e->name, .text = e->text ? e->text : ""});
        assay_push(l, &l->calls, &c, sizeof c);
    }
}

/* ---- the wire ---------------------------------------------------------- */

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

static void lower_field(struct lower *l, struct spec_field *field)
{
    const struct spec_type *t = field->type;
    struct assay_field f = shape_of(l, t);
    f.name = field->name;
    f.slot = field->slot;
    l->it_slot = field->slot;
    f.present = assay_gen_presence(l, field);
    f.is = t->form == ASSAY_FORM_CALC ? assay_gen_value(l, t->calc) : assay_gen_value(l, field->is);
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

static void lower_events(struct lower *l)
{
    SPEC_EACH (struct spec_event, e, &l->spec->events) {
        uint16_t index = e->message ? e->message->index : e->call ? e->call->index : ASSAY_NONE;
        if (e->kind <= ASSAY_EVK_CALL)
            PUSH(l, events, struct assay_event_def, {.name = e->name, .kind = e->kind, .index = index});
    }
}

static void lower_timer_events(struct lower *l)
{
    const struct assay_timer *timers = l->timers.items;
    for (size_t i = 0; i < l->timers.count; i++)
        ((struct assay_event_def *)l->events.items)[timers[i].event].index = (uint16_t)i;
}

static void fill(struct lower *l)
{
    struct assay_model *m = l->model;
#define TABLE(name)                                                                                                    \
    m->name = l->name.items;                                                                                           \
    m->name##_count = (uint16_t)l->name.count
    TABLE(requirements);
    TABLE(transports);
    TABLE(options);
    TABLE(leniencies);
    TABLE(types);
    TABLE(sets);
    TABLE(enums);
    TABLE(enum_items);
    TABLE(fields);
    TABLE(frames);
    TABLE(delims);
    TABLE(aheads);
    TABLE(pairs);
    TABLE(objects);
    TABLE(object_members);
    TABLE(messages);
    TABLE(wheres);
    TABLE(examples);
    TABLE(events);
    TABLE(machines);
    TABLE(states);
    TABLE(vars);
    TABLE(timers);
    TABLE(rules);
    TABLE(effects);
    TABLE(params);
    TABLE(calls);
    TABLE(errors);
    TABLE(blobs);
    TABLE(ints);
    TABLE(statesets);
    TABLE(code);
#undef TABLE
    m->transitions = l->transitions.items;
    m->rule_lists = l->rule_lists.items;
    m->rule_lists_count = (uint32_t)l->rule_lists.count;
}

static void lower_wire(struct lower *l)
{
    struct assay_spec *spec = l->spec;
    lower_frames(l);
    SPEC_EACH (struct spec_message, m, &spec->messages)
        lower_message(l, m);
    for (unsigned i = 0; i < 2; i++) {
        if (i && spec->frames[0] == spec->frames[1])
            break;
        lower_elements(l, &spec->frames[i]->fields);
        assay_lower_objects(l, &spec->frames[i]->fields);
        lower_samples(l, &spec->frames[i]->fields);
    }
    SPEC_EACH (struct spec_message, m, &spec->messages) {
        lower_elements(l, &m->fields);
        assay_lower_objects(l, &m->fields);
        lower_samples(l, &m->fields);
    }
    assay_lower_leads(l);
    lower_examples(l);
}

/* Who plays where. */
static void place_machines(struct lower *l)
{
    struct assay_model *m = l->model;
    m->server = m->client = ASSAY_NONE;
    SPEC_EACH (struct spec_transport, t, &l->spec->transports) {
        struct assay_transport *out = (struct assay_transport *)l->transports.items + t->index;
        out->server = t->server ? t->server->index : ASSAY_NONE;
        out->client = t->client ? t->client->index : ASSAY_NONE;
        if (t->index == 0) {
            m->server = out->server;
            m->client = out->client;
        }
    }
}

struct assay_model *assay_lower(struct assay_spec *spec)
{
    struct lower *l = ASSAY_NEW(&spec->arena, struct lower);
    struct assay_model *m = ASSAY_NEW(&spec->arena, struct assay_model);
    uint32_t where;
    l->spec = spec;
    l->model = m;
    m->protocol = spec->protocol;
    m->title = spec->title;
    m->version = spec->version;
    m->source = spec->name;
    m->limits = spec->limits;
    lower_enums(l);
    lower_facts(l);
    lower_events(l);
    lower_wire(l);
    lower_effects(l);
    lower_calls(l);
    assay_lower_machines(l);
    place_machines(l);
    assay_lower_terminal(l);
    lower_timer_events(l);
    fill(l);
    if (l->too_large)
        assay_spec_error(spec, (struct assay_at){0, 0},
                         "the spec is too large: no table may have more than 65534 entries");
    else if (spec->diags->errors == 0 && !assay_code_verify(m, &where))
        assay_spec_error(spec, (struct assay_at){0, 0},
                         "an expression or rule is too large (more than %d values at once, or 8192 "
                         "instructions)",
                         ASSAY_STACK_MAX);
    return spec->diags->errors == 0 ? m : NULL;
}
