/* Sizes: of fields on the wire, of values, of the scratch that expressions need. */
#include "compiler/lower.h"

#define MUCH ((uint64_t)1 << 31) /* sizes saturate here */

static uint64_t capped(uint64_t n)
{
    return n < MUCH ? n : MUCH;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* ---- the wire ---------------------------------------------------------- */

static unsigned decimal_digits(int64_t n)
{
    unsigned digits = 1 + (n < 0);
    for (uint64_t u = n < 0 ? (uint64_t)0 - (uint64_t)n : (uint64_t)n; u > 9; u /= 10)
        digits++;
    return digits;
}

static unsigned hex_digits(int64_t n)
{
    unsigned digits = 1;
    for (uint64_t u = (uint64_t)n; u > 15; u >>= 4)
        digits++;
    return digits;
}

static struct bits enum_text(const struct spec_enum *e)
{
    struct bits b = {UINT64_MAX, 0};
    SPEC_EACH (struct spec_enum_item, item, &e->items) {
        b.least = item->text.n < b.least ? item->text.n : b.least;
        b.most = item->text.n > b.most ? item->text.n : b.most;
    }
    return (struct bits){8 * (b.least > b.most ? 0 : b.least), 8 * b.most};
}

/* What the extent holds, without its prefix or delimiter. */
static struct bits content_bits(const struct spec_type *t)
{
    unsigned low = decimal_digits(t->min), high = decimal_digits(t->max);
    switch ((enum assay_form)t->form) {
    case ASSAY_FORM_DECIMAL:
        return (struct bits){8, 8 * (uint64_t)(low > high ? low : high)};
    case ASSAY_FORM_HEX:
        return (struct bits){8, 8 * (uint64_t)hex_digits(t->max)};
    case ASSAY_FORM_BYTES:
        if (t->kind == ASSAY_T_ENUM)
            return enum_text(t->of);
        return (struct bits){8 * (uint64_t)t->min, 8 * capped((uint64_t)t->max)};
    case ASSAY_FORM_LIST: {
        uint64_t each = t->element ? t->element->bits : 64;
        return (struct bits){each * (uint64_t)t->min, each * capped((uint64_t)t->max)};
    }
    case ASSAY_FORM_INT:
    case ASSAY_FORM_VARINT:
    case ASSAY_FORM_CONST:
    case ASSAY_FORM_CALC:
    case ASSAY_FORM_AHEAD:
    case ASSAY_FORM_OBJECT:
        break;
    case ASSAY_FORM_PAIRS:
        return (struct bits){8 * (uint64_t)t->min, 8 * capped((uint64_t)t->max)};
    }
    return (struct bits){0, 0};
}

static uint64_t shortest_delim(const struct spec_list *delims)
{
    uint64_t least = UINT64_MAX;
    SPEC_EACH (struct assay_blob, d, delims)
        least = d->n < least ? d->n : least;
    return least == UINT64_MAX ? 0 : least;
}

static uint64_t first_delim(const struct spec_list *delims)
{
    return delims->count ? ((const struct assay_blob *)delims->items[0])->n : 0;
}

static struct bits extent_bits(const struct spec_type *t)
{
    struct bits b = content_bits(t);
    const struct spec_extent *x = &t->extent;
    switch (x->kind) {
    case ASSAY_EXT_FIXED:
        return (struct bits){8 * (uint64_t)x->fixed, 8 * (uint64_t)x->fixed};
    case ASSAY_EXT_PREFIX:
        b.least += x->fixed ? (uint64_t)x->fixed : 8;
        b.most += x->fixed ? (uint64_t)x->fixed : 80;
        break;
    case ASSAY_EXT_UNTIL:
        b.least += 8 * shortest_delim(&x->delims);
        b.most += 8 * first_delim(&x->delims);
        break;
    case ASSAY_EXT_CODE:
    case ASSAY_EXT_COUNT:
    case ASSAY_EXT_REST:
    case ASSAY_EXT_BEFORE:
        break;
    }
    return b;
}

struct bits assay_field_bits(const struct spec_field *f)
{
    const struct spec_type *t = f->type;
    struct bits b = {0, 0};
    switch ((enum assay_form)t->form) {
    case ASSAY_FORM_INT:
        b = (struct bits){t->bits, t->bits};
        break;
    case ASSAY_FORM_VARINT:
        b = (struct bits){8, t->bits};
        break;
    case ASSAY_FORM_CONST:
        b.least = b.most = 8 * (uint64_t)t->bytes.n;
        break;
    case ASSAY_FORM_CALC:
    case ASSAY_FORM_AHEAD:
    case ASSAY_FORM_OBJECT:
        break;
    case ASSAY_FORM_PAIRS:
    case ASSAY_FORM_DECIMAL:
    case ASSAY_FORM_HEX:
    case ASSAY_FORM_BYTES:
    case ASSAY_FORM_LIST:
        b = extent_bits(t);
        break;
    }
    if (f->present)
        b.least = 0;
    return f->pairs ? (struct bits){0, 0} : b; /* members stand inside the pairs */
}

static struct bits all_bits(const struct spec_list *fields, const struct spec_field *but)
{
    struct bits sum = {0, 0};
    SPEC_EACH (struct spec_field, f, fields) {
        struct bits b = assay_field_bits(f);
        sum.least += f == but ? 0 : b.least;
        sum.most += f == but ? 0 : b.most;
    }
    return sum;
}

/* ---- what a frame leaves to its fields --------------------------------- */

/* The most bytes that a field's content can have when `room` are left for it and its prefix. */
static uint64_t content_max(const struct spec_type *t, uint64_t room)
{
    const struct spec_extent *x = &t->extent;
    int64_t fixed;
    uint64_t most = room;
    switch (x->kind) {
    case ASSAY_EXT_FIXED:
        return (uint64_t)x->fixed;
    case ASSAY_EXT_PREFIX:
        most = minus(room, x->fixed ? (uint64_t)x->fixed / 8 : 1);
        return x->fixed && x->fixed < 32 && most >= (uint64_t)1 << x->fixed ? ((uint64_t)1 << x->fixed) - 1 : most;
    case ASSAY_EXT_UNTIL:
        return minus(room, shortest_delim(&x->delims));
    case ASSAY_EXT_CODE:
    case ASSAY_EXT_COUNT:
        if (x->size && assay_expr_number(x->size, &fixed) && fixed >= 0)
            return (uint64_t)fixed < most ? (uint64_t)fixed : most;
        if (x->size && x->size->kind == SPEC_E_FIELD && x->size->type->kind == ASSAY_T_INT && x->size->type->max >= 0)
            return (uint64_t)x->size->type->max < most ? (uint64_t)x->size->type->max : most;
        break;
    case ASSAY_EXT_REST:
    case ASSAY_EXT_BEFORE:
        break;
    }
    return most;
}

/* A member is a value of pairs. */
static uint64_t member_max(const struct spec_field *f)
{
    int64_t whole = f->pairs->type->max, value = f->pairs->type->pairs->value->max;
    return (uint64_t)(value < whole ? value : whole);
}

static void bound(struct spec_field *f, uint64_t room)
{
    struct spec_type *t = f->type;
    bool list = t->kind == ASSAY_T_LIST;
    if (!t->wire || (!assay_kind_is_bytes(t->kind) && !list) || t->form == ASSAY_FORM_CALC)
        return;
    uint64_t most = f->pairs ? member_max(f) : content_max(t, room);
    uint64_t each = list && t->element && t->element->bits ? t->element->bits : 8;
    if (list && t->extent.kind != ASSAY_EXT_COUNT)
        most = 8 * most / each;
    if ((uint64_t)t->max > most)
        t->max = (int64_t)most;
    if (t->extent.kind == ASSAY_EXT_FIXED && !list && t->min < t->extent.fixed)
        t->min = t->max;
    t->bounded = true;
}

static uint64_t frame_room(const struct spec_frame *frame, const struct spec_field *but)
{
    uint64_t others = (all_bits(&frame->fields, but).least + 7) / 8;
    uint64_t room = minus((uint64_t)frame->max, others + shortest_delim(&frame->delims));
    uint64_t datagram = frame->datagram ? minus((uint64_t)frame->datagram->max, others) : 0;
    return room > datagram ? room : datagram;
}

void assay_bound_fields(struct assay_spec *spec)
{
    for (unsigned i = 0; i < 2; i++)
        if (spec->frames[i])
            SPEC_EACH (struct spec_field, f, &spec->frames[i]->fields)
                bound(f, frame_room(spec->frames[i], f));
    SPEC_EACH (struct spec_message, m, &spec->messages) {
        const struct spec_frame *frame = spec->frames[m->from == ASSAY_SERVER];
        if (!frame)
            continue;
        uint64_t room = frame->body ? (uint64_t)frame->body->type->max : frame_room(frame, NULL);
        SPEC_EACH (struct spec_field, f, &m->fields)
            bound(f, minus(room, (all_bits(&m->fields, f).least + 7) / 8));
    }
}

static uint64_t message_in(const struct spec_frame *frame, const struct spec_message *m)
{
    uint64_t bits = all_bits(&frame->fields, frame->body).most + all_bits(&m->fields, NULL).most;
    uint64_t bytes = capped((bits + 7) / 8 + first_delim(&frame->delims));
    return bytes < (uint64_t)frame->max ? bytes : (uint64_t)frame->max;
}

uint32_t assay_message_max(const struct assay_spec *spec, const struct spec_message *m)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (!spec->frames[i] || !(m->from & (i ? ASSAY_SERVER : ASSAY_CLIENT)))
            continue;
        for (const struct spec_frame *f = spec->frames[i]; f; f = f->datagram)
            if ((f->transports & m->transports) && message_in(f, m) > most)
                most = message_in(f, m);
    }
    return (uint32_t)most;
}

static uint64_t least_in(const struct spec_frame *frame, const struct spec_message *m)
{
    uint64_t bits = all_bits(&frame->fields, frame->body).least + all_bits(&m->fields, NULL).least;
    return (bits + 7) / 8 + shortest_delim(&frame->delims);
}

uint32_t assay_message_min(const struct assay_spec *spec, const struct spec_message *m)
{
    uint64_t least = UINT32_MAX;
    for (unsigned i = 0; i < 2; i++) {
        if (!spec->frames[i] || !(m->from & (i ? ASSAY_SERVER : ASSAY_CLIENT)))
            continue;
        for (const struct spec_frame *f = spec->frames[i]; f; f = f->datagram)
            if ((f->transports & m->transports) && least_in(f, m) < least)
                least = least_in(f, m);
    }
    return least == UINT32_MAX ? 0 : (uint32_t)least;
}

/* ---- values ------------------------------------------------------------ */

#define PARAM_SIZE 4096u /* text of a param that has no `max` */
#define NAME_SIZE  64u

static uint64_t type_max(const struct spec_type *t)
{
    if (t->kind == ASSAY_T_LIST)
        return capped(8 * capped((uint64_t)t->max));
    return assay_kind_is_bytes(t->kind) ? capped((uint64_t)t->max) : 0;
}

static uint64_t joined_max(const struct spec_expr *e)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < e->count; i++) {
        uint8_t kind = e->args[i]->type->kind;
        sum += kind == ASSAY_T_INT ? 20 : kind == ASSAY_T_ENUM ? NAME_SIZE : assay_value_max(e->args[i]);
    }
    return capped(sum);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t call_max(const struct spec_expr *e)
{
    switch (e->ref.function->id) {
    case SPEC_F_LINE:
        return capped(2 * assay_value_max(e->args[0]));
    case SPEC_F_LOWER:
    case SPEC_F_UPPER:
        return assay_value_max(e->args[0]);
    case SPEC_F_DECIMAL:
    case SPEC_F_HEX:
        return 20;
    case SPEC_F_PAIR:
        return assay_value_max(e->args[0]);
    case SPEC_F_SEAL:
    case SPEC_F_RANDOM:
        return type_max(e->type);
    case SPEC_F_SUM:
    case SPEC_F_SEALED:
    case SPEC_F_SIZE:
    case SPEC_F_LEN:
    case SPEC_F_FITS:
    case SPEC_F_PRESENT:
    case SPEC_F_MIN:
    case SPEC_F_MAX:
    case SPEC_F_STARTS:
    case SPEC_F_ENDS:
    case SPEC_F_CONTAINS:
    case SPEC_F_NUMBER:
    case SPEC_F_DECLARED:
        break;
    }
    return 0;
}

uint64_t assay_value_max(const struct spec_expr *e)
{
    if (!assay_kind_is_bytes(e->type->kind) && e->type->kind != ASSAY_T_LIST)
        return 0;
    switch ((int)e->kind) {
    case SPEC_E_TEXT:
        return e->text.n;
    case SPEC_E_JOIN:
        return joined_max(e);
    case SPEC_E_LIST:
        return 8 * e->count;
    case SPEC_E_COND:
        return larger(assay_value_max(e->args[1]), assay_value_max(e->args[2]));
    case SPEC_E_SLICE:
        return assay_value_max(e->args[0]);
    case SPEC_E_CALL:
        return call_max(e);
    case SPEC_E_LET:
        return e->ref.let->value ? assay_value_max(e->ref.let->value) : type_max(e->type);
    case SPEC_E_PARAM:
        return e->type->max >= (int64_t)UINT32_MAX ? PARAM_SIZE : type_max(e->type);
    }
    return type_max(e->type);
}

uint64_t assay_scratch_max(const struct spec_expr *e)
{
    uint64_t sum = 0;
    if (!e)
        return 0;
    for (size_t i = 0; i < e->count; i++)
        sum += e->args[i]->type ? assay_scratch_max(e->args[i]) : 0;
    bool makes = e->kind == SPEC_E_JOIN || e->kind == SPEC_E_LIST || e->kind == SPEC_E_SLICE ||
                 e->kind == SPEC_E_CALL || e->kind == SPEC_E_PARAM || e->kind == SPEC_E_PEER || e->kind == SPEC_E_CELL;
    if (e->kind == SPEC_E_CALL && e->ref.function &&
        (e->ref.function->id == SPEC_F_SEAL || e->ref.function->id == SPEC_F_SEALED))
        sum += 20 * e->count; /* numbers as text */
    if (makes)
        sum += assay_value_max(e) * (e->kind == SPEC_E_JOIN ? 2 : 1);
    return capped(sum);
}

/* ---- what may fail ----------------------------------------------------- */

static bool fails_itself(const struct spec_expr *e)
{
    int64_t n;
    switch ((int)e->kind) {
    case SPEC_E_FIELD:
        return assay_may_lack(e->ref.field);
    case SPEC_E_CELL:
        return true;
    case SPEC_E_UNARY:
        return e->op == ASSAY_OP_NEG && !assay_expr_number(e, &n);
    case SPEC_E_BINARY:
        return e->op >= ASSAY_OP_ADD && e->op <= ASSAY_OP_SHL && !assay_expr_number(e, &n);
    case SPEC_E_INDEX:
    case SPEC_E_SLICE:
        return true;
    case SPEC_E_CALL:
        return e->ref.function->id == SPEC_F_NUMBER || e->ref.function->id == SPEC_F_PAIR;
    }
    return false;
}

bool assay_can_fail(const struct spec_expr *e)
{
    bool fails = fails_itself(e);
    bool names = e->kind == SPEC_E_CALL && (e->ref.function->id == SPEC_F_PRESENT);
    for (size_t i = 0; i < e->count && !names && !fails; i++)
        fails = e->args[i]->type && assay_can_fail(e->args[i]);
    return fails;
}

static bool same_bytes(const struct spec_type *a, const struct spec_type *b)
{
    return a == b || (b->charset == ASSAY_CS_BYTES && !b->set && !b->first);
}

bool assay_may_not_fit(const struct spec_expr *e, const struct spec_type *type)
{
    int64_t n;
    if (type->check || type->in.count)
        return true;
    if (type->kind == ASSAY_T_INT || type->kind == ASSAY_T_DURATION) {
        if (assay_expr_number(e, &n))
            return n < type->min || n > type->max;
        return e->type->min < type->min || e->type->max > type->max;
    }
    if (assay_kind_is_bytes(type->kind)) {
        bool sized = type->min == 0 || (e->type->min >= type->min && e->kind != SPEC_E_JOIN) || e->kind == SPEC_E_TEXT;
        bool delimited = type->wire && type->extent.kind == ASSAY_EXT_UNTIL;
        return !sized || (int64_t)assay_value_max(e) > type->max ||
               (!same_bytes(e->type, type) && e->kind != SPEC_E_TEXT) || (delimited && e->type != type);
    }
    if (type->kind == ASSAY_T_LIST)
        return (int64_t)(assay_value_max(e) / 8) > type->max || type->min > 0;
    return false;
}
