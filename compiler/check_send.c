/* Messages that rules send: what a field is given fits it, no delimiter stands where it would end something, and the
 * whole fits the frame. */
#include "compiler/check_body.h"
#include "compiler/types.h"

/* ---- delimiters -------------------------------------------------------- */

static bool holds_delim(const struct value_range *r, const struct spec_list *delims)
{
    SPEC_EACH (struct assay_blob, delim, delims) {
        bool all = true;
        for (uint32_t i = 0; i < delim->n; i++)
            all = all && (r->bytes.bits[delim->p[i] >> 6] >> (delim->p[i] & 63) & 1);
        if (all && r->max >= (int64_t)delim->n)
            return true;
    }
    return false;
}

/* Inside pairs a value is written with its escapes. */
static struct value_range as_written(struct value_range r, const struct spec_field *field)
{
    const struct spec_pairs *pairs = field->pairs ? field->pairs->type->pairs : NULL;
    for (unsigned i = 0; pairs && i < pairs->is.escapes; i++)
        r.bytes.bits[pairs->is.stands[i] >> 6] &= ~((uint64_t)1 << (pairs->is.stands[i] & 63));
    return r;
}

/* A value with a delimiter of its extent or frame in it cannot be sent. */
static void check_delims(struct body *b, const struct spec_expr *e, const struct value_range *range,
                         const struct spec_field *field)
{
    const struct spec_type *type = field->type;
    bool bytes = assay_kind_is_bytes(type->kind);
    struct value_range written = as_written(*range, field), *r = &written;
    if (!bytes || e->type->kind == SPEC_T_ANY)
        return;
    if (type->extent.kind == ASSAY_EXT_BEFORE && holds_delim(r, &type->extent.delims))
        assay_needs_else_for(b, e, "this can hold the text in front of which it ends");
    else if (type->extent.kind == ASSAY_EXT_UNTIL && holds_delim(r, &type->extent.delims))
        assay_needs_else_for(b, e, "this can hold the delimiter that ends it");
    else if (b->frame_out && b->frame_out->end == ASSAY_END_UNTIL && holds_delim(r, &b->frame_out->delims))
        assay_needs_else_for(b, e, "this can hold the delimiter that ends the frame");
}

/* ---- sizes ------------------------------------------------------------- */

static int64_t longest_text(const struct spec_enum *of)
{
    int64_t most = 0;
    SPEC_EACH (struct spec_enum_item, item, &of->items)
        most = item->text.n > most ? item->text.n : most;
    return most;
}

/* What stands inside the extent, at most. */
static int64_t content_of(const struct spec_type *type, const struct value_range *r)
{
    int64_t most = r->max > UINT32_MAX ? UINT32_MAX : r->max;
    if (type->form == ASSAY_FORM_DECIMAL)
        return assay_decimal_size(r->min) > assay_decimal_size(r->max) ? assay_decimal_size(r->min)
                                                                       : assay_decimal_size(r->max);
    if (type->form == ASSAY_FORM_HEX)
        return 16;
    if (type->kind == ASSAY_T_LIST && type->element)
        return most * ((type->element->bits + 7) / 8);
    if (type->kind == ASSAY_T_ENUM && type->of && type->form == ASSAY_FORM_BYTES)
        return longest_text(type->of);
    return assay_kind_is_bytes(type->kind) ? most : 0;
}

static int64_t first_delim(const struct spec_list *delims)
{
    return delims->count ? (int64_t)((const struct assay_blob *)delims->items[0])->n : 0;
}

/* Whole bytes of a field on the wire, at most; bits are counted elsewhere. */
static int64_t bytes_of(const struct spec_type *type, const struct value_range *r)
{
    if (type->form == ASSAY_FORM_INT || type->form == ASSAY_FORM_CALC)
        return 0;
    if (type->form == ASSAY_FORM_CONST)
        return (int64_t)type->bytes.n;
    if (type->form == ASSAY_FORM_VARINT)
        return type->bits / 8;
    int64_t around = type->extent.kind == ASSAY_EXT_PREFIX  ? (type->extent.fixed ? type->extent.fixed / 8 : 5)
                     : type->extent.kind == ASSAY_EXT_UNTIL ? first_delim(&type->extent.delims)
                                                            : 0;
    return content_of(type, r) + around;
}

/* ---- fields ------------------------------------------------------------ */

static const struct spec_given *given_for(const struct spec_action *send, const struct spec_field *field)
{
    SPEC_EACH (struct spec_given, given, &send->given)
        if (given->field == field)
            return given;
    return NULL;
}

static void remember(struct body *b, const struct spec_field *field, struct value_range range)
{
    if (b->facts->made_count == ASSAY_SLOTS_MAX)
        return;
    b->facts->made[b->facts->made_count].field = field;
    b->facts->made[b->facts->made_count].range = range;
    b->facts->made_count++;
}

/* A part of a record may be absent: then it is absent here, too. */
static void take_copied(struct body *b, const struct spec_field *field, const struct spec_given *given, int64_t *size)
{
    struct value_range r = assay_range_of(b->facts, given->value);
    const char *why = assay_misfit(b, given->value, &r, field->type);
    r.bad = NULL;
    if (why)
        assay_needs_else_for(b, given->value, why);
    check_delims(b, given->value, &r, field);
    *size += bytes_of(field->type, &r);
    remember(b, field, r);
}

static void take_given(struct body *b, const struct spec_field *field, const struct spec_given *given, int64_t *size)
{
    if (given->copied) {
        take_copied(b, field, given, size);
        return;
    }
    struct value_range r = assay_check_value(b, given->value, field->type);
    if (given->value && given->value->type)
        check_delims(b, given->value, &r, field);
    *size += bytes_of(field->type, &r);
    remember(b, field, r);
}

static void take_default(struct body *b, const struct spec_action *send, const struct spec_field *field, int64_t *size)
{
    struct value_range r = assay_range_of_type(field->type);
    bool later = (field->filled_in && send->message->reliable) || field->is || !field->name || assay_may_lack(field) ||
                 field->ahead || field->type->form == ASSAY_FORM_CALC || field->type->form == ASSAY_FORM_CONST ||
                 field->type->kind == SPEC_T_ANY;
    b->facts->making = true;
    if (field->init && field->init->type)
        r = assay_range_of(b->facts, field->init);
    else if (!later)
        assay_spec_error(b->spec, send->at, "%s needs '%s': it is not given here and has no default",
                         send->message->name, field->name);
    b->facts->making = false;
    *size += later && assay_may_lack(field) ? 0 : bytes_of(field->type, &r);
    if (!field->is)
        remember(b, field, r);
}

static bool is_tag_or_body(const struct body *b, const struct spec_message *message, const struct spec_field *field)
{
    if (field == b->frame_out->body)
        return true;
    if (field == b->frame_out->tag && message->tags.count)
        return true;
    SPEC_EACH (struct spec_fixed, fixed, &message->fixed)
        if (fixed->field == field)
            return true;
    return false;
}

static int64_t take_fields(struct body *b, const struct spec_action *send, const struct spec_list *fields)
{
    int64_t size = 0, bits = 0;
    SPEC_EACH (struct spec_field, field, fields) {
        const struct spec_given *given = given_for(send, field);
        if (field->type->form == ASSAY_FORM_INT)
            bits += field->type->bits;
        if (is_tag_or_body(b, send->message, field))
            continue;
        if (given)
            take_given(b, field, given, &size);
        else
            take_default(b, send, field, &size);
    }
    return size + bits / 8;
}

static void check_computed(struct body *b, const struct spec_action *send, const struct spec_list *fields)
{
    SPEC_EACH (struct spec_field, field, fields) {
        if (!field->is || !field->is->type || given_for(send, field))
            continue;
        struct value_range r = assay_range_of(b->facts, field->is);
        const char *why = r.bad ? r.reason : assay_misfit(b, field->is, &r, field->type);
        if (why)
            assay_needs_else(b, send->at,
                             assay_arena_printf(&b->spec->arena, "'%s' of %s: %s", field->name ? field->name : "_",
                                                send->message->name, why));
    }
}

void assay_check_send(struct body *b, const struct spec_action *send)
{
    const struct spec_message *message = send->message;
    if (!message || !b->frame_out)
        return;
    if (!(message->from & b->role)) {
        assay_spec_error(b->spec, send->at, "%s is not a message of this side: 'from' says who sends it",
                         message->name);
        return;
    }
    b->facts->made_count = 0;
    int64_t own = take_fields(b, send, &message->fields);
    if (b->frame_out->body)
        remember(b, b->frame_out->body, (struct value_range){.min = 0, .max = own, .utf8 = false});
    int64_t size = own + take_fields(b, send, &b->frame_out->fields) + first_delim(&b->frame_out->delims);
    b->facts->making = true;
    check_computed(b, send, &message->fields);
    check_computed(b, send, &b->frame_out->fields);
    b->facts->making = false;
    if (size > b->frame_out->max)
        assay_needs_else(b, send->at,
                         assay_arena_printf(&b->spec->arena, "%s can be %lld bytes long, and the frame holds %lld",
                                            message->name, (long long)size, (long long)b->frame_out->max));
    if (message->wheres.count)
        assay_needs_else(
            b, send->at,
            assay_arena_printf(&b->spec->arena, "the conditions (where) of %s may not hold", message->name));
}
