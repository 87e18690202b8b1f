/* Which events bytes can raise: a state has to have a rule for those, and for no others. */
#include <string.h>

#include "compiler/check.h"
#include "compiler/lower.h"
#include "compiler/types.h"

struct events {
    struct assay_spec *spec;
    const struct spec_machine *machine; /* that hears them */
    uint8_t from;
    bool *raised;
};

/* Whether a message can come at all. */
static bool comes(const struct events *ev, const struct spec_message *m)
{
    return (m->from & ev->from) && assay_knows(ev->machine, m);
}

static void raise_event(struct events *ev, size_t event)
{
    ev->raised[event] = true;
}

/* A constraint's own fault, else malformed. */
static void raise_fault(struct events *ev, const struct spec_event *fault)
{
    raise_event(ev, fault ? fault->index : ASSAY_EV_MALFORMED);
}

/* ---- sizes ------------------------------------------------------------- */

struct span_of {
    int64_t min, max; /* bits */
};

#define BITS_MAX ((int64_t)UINT32_MAX * 16)

static int64_t bits_of_text(const struct spec_type *type, bool longest)
{
    int64_t n = longest ? 20 : 1;
    if (type->kind != ASSAY_T_ENUM || !type->of)
        return 8 * n;
    n = longest ? 0 : INT32_MAX;
    SPEC_EACH (struct spec_enum_item, item, &type->of->items)
        n = (longest ? item->text.n > n : item->text.n < n) ? item->text.n : n;
    return 8 * n;
}

static struct span_of size_of_content(struct events *ev, const struct spec_type *type)
{
    if (assay_kind_is_bytes(type->kind))
        return (struct span_of){8 * type->min, 8 * type->max};
    if (type->kind == ASSAY_T_LIST && type->element)
        return (struct span_of){type->min * type->element->bits, type->max * type->element->bits};
    (void)ev;
    return (struct span_of){bits_of_text(type, false), bits_of_text(type, true)};
}

static int64_t element_bits(const struct spec_type *element)
{
    return element->form == ASSAY_FORM_INT || element->form == ASSAY_FORM_VARINT ? element->bits : BITS_MAX;
}

static struct span_of of_extent(struct events *ev, const struct spec_type *type)
{
    const struct spec_extent *x = &type->extent;
    struct span_of s = size_of_content(ev, type);
    struct facts facts = {.spec = ev->spec};
    struct value_range r;
    switch (x->kind) {
    case ASSAY_EXT_FIXED:
        return (struct span_of){8 * x->fixed, 8 * x->fixed};
    case ASSAY_EXT_CODE:
        r = assay_range_of(&facts, x->size);
        return (struct span_of){r.min < 0 ? 0 : 8 * r.min, r.max > UINT32_MAX ? BITS_MAX : 8 * r.max};
    case ASSAY_EXT_PREFIX:
        s.min = x->fixed ? x->fixed : 8;
        s.max = x->fixed && x->fixed < 32 ? x->fixed + 8 * (((int64_t)1 << x->fixed) - 1) : BITS_MAX;
        return s;
    case ASSAY_EXT_UNTIL:
        return (struct span_of){8, BITS_MAX};
    case ASSAY_EXT_COUNT:
        r = assay_range_of(&facts, x->size);
        s.max = !type->element || r.max > UINT32_MAX ? BITS_MAX : element_bits(type->element) * r.max;
        break;
    case ASSAY_EXT_REST:
    case ASSAY_EXT_BEFORE:
        break;
    }
    return s;
}

static struct span_of size_of_field(struct events *ev, const struct spec_field *field)
{
    const struct spec_type *type = field->type;
    struct span_of s = {type->bits, type->bits};
    if (type->kind == SPEC_T_ANY)
        s = (struct span_of){0, BITS_MAX};
    else if (type->form == ASSAY_FORM_VARINT)
        s.min = 8;
    else if (type->form == ASSAY_FORM_CONST)
        s = (struct span_of){8 * (int64_t)type->bytes.n, 8 * (int64_t)type->bytes.n};
    else if (type->form == ASSAY_FORM_CALC || type->form == ASSAY_FORM_AHEAD || field->pairs)
        s = (struct span_of){0, 0};
    else if (type->form == ASSAY_FORM_OBJECT)
        s = (struct span_of){16, BITS_MAX};
    else if (type->form != ASSAY_FORM_INT)
        s = of_extent(ev, type);
    if (field->present)
        s.min = 0;
    return s;
}

static struct span_of size_of_fields(struct events *ev, const struct spec_list *fields)
{
    struct span_of all = {0, 0};
    SPEC_EACH (struct spec_field, field, fields) {
        struct span_of s = size_of_field(ev, field);
        all.min += s.min;
        all.max = all.max + s.max > BITS_MAX ? BITS_MAX : all.max + s.max;
    }
    return all;
}

/* ---- fields ------------------------------------------------------------ */

static bool bits_all_named(const struct spec_type *type)
{
    return type->bits < 32 && type->of && type->of->items.count == (size_t)1 << type->bits;
}

static bool narrower_than_form(const struct spec_type *type)
{
    if (type->form == ASSAY_FORM_INT && type->bits == 64 && !(type->flags & ASSAY_F_SIGNED))
        return true; /* above 2^63-1 */
    if (type->form != ASSAY_FORM_INT)
        return true;
    int64_t max = type->flags & ASSAY_F_SIGNED ? INT64_MAX >> (64 - type->bits)
                                               : (int64_t)(((uint64_t)1 << (type->bits & 63)) - 1);
    int64_t min = type->flags & ASSAY_F_SIGNED ? INT64_MIN >> (64 - type->bits) : 0;
    return type->min > min || type->max < max;
}

/* Sizes that the extent of bytes can have, whatever their type says; `room` is what `rest` can be. */
static struct span_of sizes_of_extent(struct events *ev, const struct spec_type *type, struct span_of room)
{
    struct span_of s = {0, BITS_MAX};
    const struct spec_extent *x = &type->extent;
    if (x->kind == ASSAY_EXT_REST)
        s = room;
    else if (x->kind == ASSAY_EXT_FIXED || x->kind == ASSAY_EXT_CODE)
        s = of_extent(ev, type);
    else if (x->kind == ASSAY_EXT_PREFIX && x->fixed && x->fixed < 32)
        s.max = 8 * (((int64_t)1 << x->fixed) - 1);
    return s;
}

static bool restricts_bytes(struct events *ev, const struct spec_type *type, struct span_of room)
{
    bool text = type->kind == ASSAY_T_TEXT && type->charset != ASSAY_CS_BYTES;
    struct span_of sizes = sizes_of_extent(ev, type, room);
    return text || type->set || type->first || sizes.min < 8 * type->min || sizes.max > 8 * type->max;
}

static void value_faults(struct events *ev, const struct spec_type *type, struct span_of room)
{
    if (type->kind == ASSAY_T_ENUM) {
        if (type->of && !type->of->open && !(type->form == ASSAY_FORM_INT && bits_all_named(type)))
            raise_event(ev, ASSAY_EV_UNKNOWN);
    } else if (assay_kind_is_bytes(type->kind)) {
        if (restricts_bytes(ev, type, room))
            raise_fault(ev, type->fault_event);
    } else if (type->kind == ASSAY_T_INT && type->form != ASSAY_FORM_CALC && narrower_than_form(type)) {
        raise_fault(ev, type->fault_event);
    }
    if (type->check || type->in.count)
        raise_fault(ev, type->fault_event);
}

/* Bytes that are not in the field's form at all. */
static bool form_can_fail(const struct spec_type *type)
{
    return type->form == ASSAY_FORM_VARINT || type->form == ASSAY_FORM_DECIMAL || type->form == ASSAY_FORM_HEX ||
           type->form == ASSAY_FORM_CONST || type->kind == SPEC_T_ANY;
}

/* A size that is less than nothing, or that is not told in the form it has. */
static bool size_can_fail(struct events *ev, const struct spec_type *type)
{
    struct facts facts = {.spec = ev->spec};
    const struct spec_extent *x = &type->extent;
    if (type->form == ASSAY_FORM_INT || type->form == ASSAY_FORM_VARINT || type->form == ASSAY_FORM_CONST ||
        type->form == ASSAY_FORM_CALC || type->kind == SPEC_T_ANY)
        return false;
    if (x->kind == ASSAY_EXT_PREFIX)
        return x->fixed == 0;
    if (x->kind != ASSAY_EXT_CODE && x->kind != ASSAY_EXT_COUNT)
        return false;
    return assay_can_fail(x->size) || assay_range_of(&facts, x->size).min < 0;
}

static bool is_call_of(const struct spec_expr *e, enum spec_function_id id)
{
    return e->kind == SPEC_E_CALL && e->ref.function && e->ref.function->id == id;
}

/* `length: {is: size(body)}, body: {bytes: length}` always agrees with itself, and so does a prefix bit
 * that decides whether a field is there. */
static bool computed_always_agrees(const struct spec_field *field)
{
    const struct spec_expr *is = field->is;
    if ((!is_call_of(is, SPEC_F_SIZE) && !is_call_of(is, SPEC_F_PRESENT)) || is->args[0]->kind != SPEC_E_FIELD)
        return false;
    const struct spec_field *of = is->args[0]->ref.field;
    const struct spec_expr *by = is_call_of(is, SPEC_F_SIZE) ? of->type->extent.size : of->present;
    return by && by->kind == SPEC_E_FIELD && by->ref.field == field;
}

static void field_faults(struct events *ev, const struct spec_field *field, struct span_of room)
{
    const struct spec_type *type = field->type;
    if (type->form == ASSAY_FORM_AHEAD)
        return;
    if (type->form == ASSAY_FORM_PAIRS || type->form == ASSAY_FORM_OBJECT || (field->pairs && !field->optional))
        raise_event(ev, ASSAY_EV_MALFORMED);
    if (form_can_fail(type) || size_can_fail(ev, type))
        raise_event(ev, ASSAY_EV_MALFORMED);
    if (type->form == ASSAY_FORM_LIST && type->element) {
        value_faults(ev, type->element, room);
        if (form_can_fail(type->element))
            raise_event(ev, ASSAY_EV_MALFORMED);
    }
    if (type->kind != SPEC_T_NONE)
        value_faults(ev, type, room);
    if (!field->name && type->form != ASSAY_FORM_CONST && type->form != ASSAY_FORM_OBJECT)
        raise_fault(ev, type->fault_event);
    if (field->is && type->form != ASSAY_FORM_CALC && !computed_always_agrees(field))
        raise_fault(ev, type->fault_event);
}

/* ---- messages and frames ----------------------------------------------- */

static const struct spec_field *last_field(const struct spec_list *fields)
{
    return fields->count ? fields->items[fields->count - 1] : NULL;
}

/* Whether fields that have to use up some bytes can be given too few or too many. */
static bool can_misfit(struct events *ev, const struct spec_list *fields, struct span_of room)
{
    const struct spec_field *last = last_field(fields);
    struct span_of own = size_of_fields(ev, fields);
    bool greedy = last && last->type->form != ASSAY_FORM_INT && last->type->form != ASSAY_FORM_CONST &&
                  last->type->extent.kind == ASSAY_EXT_REST && last->type->form != ASSAY_FORM_CALC;
    if (room.min < own.min)
        return true;
    return greedy ? false : room.max > own.min;
}

static bool tag_has_message(struct events *ev, const struct spec_enum_item *item)
{
    int64_t value;
    SPEC_EACH (struct spec_message, m, &ev->spec->messages)
        if (comes(ev, m))
            SPEC_EACH (struct spec_expr, tag, &m->tags)
                if (assay_expr_number(tag, &value) && value == item->value)
                    return true;
    return false;
}

/* `unknown`: a tag that no message has. */
static void tag_faults(struct events *ev, const struct spec_frame *frame)
{
    if (!frame->tag)
        return;
    const struct spec_enum *of = frame->tag->type->of;
    if (frame->tag->type->kind != ASSAY_T_ENUM || !of || of->open) {
        raise_event(ev, ASSAY_EV_UNKNOWN);
        return;
    }
    SPEC_EACH (struct spec_enum_item, item, &of->items)
        if (!tag_has_message(ev, item))
            raise_event(ev, ASSAY_EV_UNKNOWN);
}

/* What fields leave of some room for the one that goes to its end: all but the least of the others. */
static struct span_of rest_of(struct events *ev, const struct spec_list *fields, struct span_of room)
{
    int64_t others = 0;
    SPEC_EACH (struct spec_field, field, fields)
        if (field->type->form == ASSAY_FORM_INT || field->type->extent.kind != ASSAY_EXT_REST)
            others += size_of_field(ev, field).min;
    return (struct span_of){0, room.max > others ? room.max - others : 0};
}

/* Frames without their delimiter. */
static struct span_of room_of_frame(const struct spec_frame *frame)
{
    int64_t max = frame->max;
    if (frame->delims.count)
        max -= ((const struct assay_blob *)frame->delims.items[0])->n;
    return (struct span_of){0, max > 0 ? 8 * max : 0};
}

static struct span_of room_for_message(struct events *ev, const struct spec_frame *frame)
{
    struct span_of room = rest_of(ev, &frame->fields, room_of_frame(frame));
    if (frame->body) {
        struct span_of body = size_of_field(ev, frame->body);
        return (struct span_of){body.min, body.max < room.max ? body.max : room.max};
    }
    return room;
}

static void message_faults(struct events *ev, const struct spec_frame *frame, const struct spec_message *m)
{
    struct span_of rest = rest_of(ev, &m->fields, room_for_message(ev, frame));
    if (!m->is_ack) /* which no machine sees */
        raise_event(ev, m->event->index);
    SPEC_EACH (struct spec_field, field, &m->fields)
        field_faults(ev, field, rest);
    SPEC_EACH (struct spec_where, where, &m->wheres)
        raise_fault(ev, where->fault_event);
    if (m->fixed.count)
        raise_event(ev, ASSAY_EV_MALFORMED);
    bool ends_itself = frame->end == ASSAY_END_FIELDS && !frame->body;
    if (!ends_itself && can_misfit(ev, &m->fields, room_for_message(ev, frame)))
        raise_event(ev, ASSAY_EV_MALFORMED);
    if (m->when)
        raise_event(ev, ASSAY_EV_UNKNOWN);
}

/* Several messages without tags: by their first bytes, and no message may have the one that comes. */
static bool told_by_first_byte(struct events *ev, const struct spec_frame *frame)
{
    size_t count = 0;
    SPEC_EACH (struct spec_message, m, &ev->spec->messages)
        count += comes(ev, m);
    return !frame->tag && count > 1;
}

/* The frame's fields, and those of a message that are walked with them. */
static struct span_of size_of_walk(struct events *ev, const struct spec_frame *frame)
{
    struct span_of size = size_of_fields(ev, &frame->fields), most = {0, 0};
    if (!assay_walks_messages(ev->spec, ev->from))
        return size;
    SPEC_EACH (struct spec_message, m, &ev->spec->messages) {
        int64_t max = comes(ev, m) ? size_of_fields(ev, &m->fields).max : 0;
        most.max = max > most.max ? max : most.max;
    }
    size.max = size.max + most.max > BITS_MAX ? BITS_MAX : size.max + most.max;
    return size;
}

static void frame_faults(struct events *ev, const struct spec_frame *frame)
{
    struct span_of size = size_of_walk(ev, frame);
    SPEC_EACH (struct spec_field, field, &frame->fields)
        field_faults(ev, field, rest_of(ev, &frame->fields, room_of_frame(frame)));
    tag_faults(ev, frame);
    bool stream = frame->end == ASSAY_END_STREAM;
    bool open_end = frame->end != ASSAY_END_FIELDS && !stream;
    if (open_end || (!stream && size.max > 8 * frame->max))
        raise_event(ev, ASSAY_EV_OVERSIZE);
    if (open_end && frame->fields.count && (frame->body || size.min > 0) && size.min > 0)
        raise_event(ev, ASSAY_EV_MALFORMED);
    if (frame->end != ASSAY_END_DATAGRAM && !stream && (open_end || size.max > 8))
        raise_event(ev, ASSAY_EV_EOF_IN_FRAME);
    if (told_by_first_byte(ev, frame))
        raise_event(ev, ASSAY_EV_UNKNOWN);
}

/* What becomes of messages that are acknowledged: sent in vain, or come from another session. */
static void reliable_events(struct events *ev)
{
    const struct spec_reliable *r = ev->spec->reliable;
    if (!r || !ev->machine->datagram)
        return;
    SPEC_EACH (struct spec_message, m, &r->messages) {
        if ((m->from & ev->machine->role) && assay_knows(ev->machine, m) && r->give_up)
            raise_event(ev, ASSAY_EV_GIVEN_UP);
        if (comes(ev, m) && r->session)
            raise_event(ev, ASSAY_EV_STALE);
    }
}

bool *assay_feasible(struct assay_spec *spec, const struct spec_machine *machine)
{
    uint8_t from = assay_other_side(machine->role);
    const struct spec_frame *frame = machine->in;
    bool *raised = assay_arena_alloc(&spec->arena, spec->events.count + ASSAY_EV_BUILTINS);
    struct events ev = {spec, machine, from, raised};
    raise_event(&ev, ASSAY_EV_CONNECT);
    raise_event(&ev, ASSAY_EV_SHUTDOWN);
    if (!machine->datagram) {
        raise_event(&ev, ASSAY_EV_EOF);
        raise_event(&ev, ASSAY_EV_RESET);
    }
    reliable_events(&ev);
    if (!frame)
        return ev.raised;
    frame_faults(&ev, frame);
    SPEC_EACH (struct spec_message, m, &spec->messages)
        if (comes(&ev, m))
            message_faults(&ev, frame, m);
    return ev.raised;
}
