/* Frames: their ends, their limits, and messages that bytes can tell apart. */
#include <string.h>

#include "compiler/check.h"
#include "compiler/lower.h"
#include "compiler/types.h"

/* ---- ends and limits --------------------------------------------------- */

static bool goes_to_the_end(const struct spec_field *field)
{
    uint8_t form = field->type->form;
    if (form == ASSAY_FORM_OBJECT)
        return true;
    if (field->type->kind == SPEC_T_ANY || field->type->kind == SPEC_T_NONE)
        return false;
    if (form == ASSAY_FORM_INT || form == ASSAY_FORM_VARINT || form == ASSAY_FORM_CONST || form == ASSAY_FORM_CALC)
        return false;
    return !field->pairs && form != ASSAY_FORM_AHEAD &&
           (field->type->extent.kind == ASSAY_EXT_REST || field->type->extent.kind == ASSAY_EXT_BEFORE);
}

bool assay_walks_messages(const struct assay_spec *spec, uint8_t from)
{
    const struct spec_frame *frame = spec->frames[from == ASSAY_SERVER];
    if (!frame || frame->end != ASSAY_END_FIELDS || frame->body)
        return false;
    SPEC_EACH (struct spec_message, m, &spec->messages)
        if ((m->from & from) && m->fields.count)
            return true;
    return false;
}

static void check_ends(struct assay_spec *spec, const struct spec_list *fields)
{
    SPEC_EACH (struct spec_field, field, fields)
        if (goes_to_the_end(field))
            assay_spec_error(
                spec, field->at,
                "nothing tells where the frame ends: '%s' goes to its end; give that a size, a prefix or a "
                "delimiter, or the frame 'until'",
                field->name ? field->name : "_");
}

static uint64_t least_bits(const struct spec_list *fields)
{
    uint64_t least = 0;
    SPEC_EACH (struct spec_field, field, fields)
        least += field->type->kind == SPEC_T_ANY ? 8 : assay_field_bits(field).least;
    return least;
}

/* Nothing at all would be a frame, again and again. */
static void check_empty(struct assay_spec *spec, const struct spec_frame *frame, const struct spec_message *m)
{
    if (!m->open && least_bits(&frame->fields) + least_bits(&m->fields) == 0)
        assay_spec_error(spec, m->at, "nothing tells where the frame ends: %s may have no bytes at all", m->name);
}

static void check_end(struct assay_spec *spec, const struct spec_frame *frame, uint8_t from)
{
    if (frame->end != ASSAY_END_FIELDS)
        return;
    check_ends(spec, &frame->fields);
    SPEC_EACH (struct spec_message, m, &spec->messages) {
        bool walked = (m->from & from) && !frame->body;
        if (walked && !m->open)
            check_ends(spec, &m->fields);
        if (walked)
            check_empty(spec, frame, m);
    }
}

static void check_bits(struct assay_spec *spec, const struct spec_list *fields)
{
    unsigned bits = 0;
    const struct spec_field *first = NULL;
    SPEC_EACH (struct spec_field, field, fields) {
        if (field->type->form == ASSAY_FORM_CALC || field->type->form == ASSAY_FORM_AHEAD || field->pairs)
            continue;
        bool narrow = field->type->form == ASSAY_FORM_INT && (bits % 8 || field->type->bits % 8);
        if (!narrow && bits % 8 == 0)
            continue;
        first = bits % 8 == 0 ? field : first;
        bits = narrow ? bits + field->type->bits : bits;
        if (narrow)
            continue;
        break;
    }
    if (bits % 8 && first)
        assay_spec_error(spec, first->at, "%u bits from '%s' on do not fill whole bytes", bits,
                         first->name ? first->name : "_");
}

/* ---- messages apart ---------------------------------------------------- */

static const char *shared_tag(const struct spec_message *x, const struct spec_message *y)
{
    SPEC_EACH (struct spec_expr, a, &x->tags)
        SPEC_EACH (struct spec_expr, b, &y->tags)
            if (assay_expr_same(a, b))
                return a->name ? a->name : "this one";
    return NULL;
}

/* Bytes a field can begin with. */
static struct assay_byteset first_bytes_of(const struct spec_field *field)
{
    struct assay_byteset set = {{0}};
    const struct spec_type *type = field->type;
    if (type->form == ASSAY_FORM_CONST)
        set.bits[type->bytes.p[0] >> 6] |= (uint64_t)1 << (type->bytes.p[0] & 63);
    else if (type->form == ASSAY_FORM_DECIMAL)
        set.bits[0] = (uint64_t)0x3ff << '0' | (type->min < 0 ? (uint64_t)1 << '-' : 0);
    else if (type->form == ASSAY_FORM_HEX)
        set = (struct assay_byteset){{(uint64_t)0x3ff << '0', (uint64_t)0x3f << ('a' - 64), 0, 0}};
    else if (type->kind == ASSAY_T_ENUM && type->of && type->form == ASSAY_FORM_BYTES)
        SPEC_EACH (struct spec_enum_item, item, &type->of->items) {
            if (item->text.n)
                set.bits[item->text.p[0] >> 6] |= (uint64_t)1 << (item->text.p[0] & 63);
        }
    else
        set = assay_range_of_type(type).bytes;
    for (unsigned i = 0; type->first && i < 4; i++)
        set.bits[i] &= type->first->bits[i];
    return set;
}

/* Where a message can be empty, anything can come first. */
static struct assay_byteset first_bytes(const struct spec_message *m)
{
    SPEC_EACH (struct spec_field, field, &m->fields) {
        if (field->type->form == ASSAY_FORM_CALC)
            continue;
        return first_bytes_of(field);
    }
    return (struct assay_byteset){{0}};
}

static bool sets_meet(struct assay_byteset x, struct assay_byteset y)
{
    for (unsigned i = 0; i < 4; i++)
        if (x.bits[i] & y.bits[i])
            return true;
    return false;
}

static void check_pair(struct assay_spec *spec, const struct spec_frame *frame, const struct spec_message *x,
                       const struct spec_message *y)
{
    const char *tag = shared_tag(x, y);
    if (tag)
        assay_spec_error(spec, y->at, "%s has the tag of %s (%s); nothing tells them apart", y->name, x->name, tag);
    else if (!frame->tag && !x->when && !y->when && (frame->fields.count == 0 || frame->body) &&
             sets_meet(first_bytes(x), first_bytes(y)))
        assay_spec_error(spec, y->at,
                         "%s can begin with the same byte as %s; give the frame a tag, or the messages a 'when'",
                         y->name, x->name);
}

static void check_apart(struct assay_spec *spec, const struct spec_frame *frame, uint8_t from)
{
    for (size_t i = 0; i < spec->messages.count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct spec_message *y = spec->messages.items[i], *x = spec->messages.items[j];
            if ((x->from & from) && (y->from & from) && (x->transports & y->transports))
                check_pair(spec, frame, x, y);
        }
}

/* ---- streams without borders ------------------------------------------- */

/* Another reader cuts them elsewhere: any bytes have to be a message, and the same one. */
static bool takes_any_bytes(const struct spec_message *m)
{
    const struct spec_field *f = m->fields.count == 1 ? m->fields.items[0] : NULL;
    const struct spec_type *t = f ? f->type : NULL;
    bool plain =
        t && t->form == ASSAY_FORM_BYTES && t->extent.kind == ASSAY_EXT_REST && !f->present && !f->is && !f->pairs;
    bool text = plain && t->kind == ASSAY_T_TEXT && t->charset != ASSAY_CS_BYTES;
    return plain && !text && !t->set && !t->first && !t->check && !t->in.count && t->min <= 1 && m->wheres.count == 0;
}

static void check_stream(struct assay_spec *spec, const struct spec_frame *frame, uint8_t from)
{
    const struct spec_message *only = NULL;
    if (frame->end != ASSAY_END_STREAM)
        return;
    if (frame->fields.count)
        assay_spec_error(spec, ((const struct spec_field *)frame->fields.items[0])->at,
                         "a frame 'until: stream' has no fields of its own: nothing tells where it begins");
    SPEC_EACH (struct spec_message, m, &spec->messages) {
        if (!(m->from & from) || !(m->transports & frame->transports))
            continue;
        if (only)
            assay_spec_error(spec, m->at, "a stream without borders has one message; it has %s already", only->name);
        else if (!takes_any_bytes(m) && !m->open)
            assay_spec_error(
                spec, m->at,
                "another reader cuts a stream elsewhere: %s needs one field that takes any bytes, {bytes: rest}",
                m->name);
        only = m;
    }
}

void assay_check_frames(struct assay_spec *spec)
{
    for (unsigned i = 0; i < 2; i++) {
        if (!spec->frames[i])
            continue;
        uint8_t from = i == 0 ? ASSAY_CLIENT : ASSAY_SERVER;
        bool both = spec->frames[0] == spec->frames[1];
        if (i == 0 || !both)
            check_end(spec, spec->frames[i], both ? ASSAY_CLIENT | ASSAY_SERVER : from);
        check_bits(spec, &spec->frames[i]->fields);
        check_apart(spec, spec->frames[i], from);
        check_stream(spec, spec->frames[i], from);
    }
    SPEC_EACH (struct spec_message, m, &spec->messages) {
        if (!m->open)
            check_bits(spec, &m->fields);
    }
}
