/* Intervals: what an expression can be, given its types and what is known where it stands. */
#include <string.h>

#include "compiler/check.h"
#include "compiler/types.h"

__extension__ typedef __int128 wide;

static const struct assay_byteset all_bytes = {{~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0}};
static const struct assay_byteset ascii_bytes = {{~(uint64_t)0, ~(uint64_t)0, 0, 0}};

/* ---- building ranges --------------------------------------------------- */

static struct value_range number(int64_t min, int64_t max)
{
    return (struct value_range){.min = min, .max = max, .bytes = all_bytes};
}

static struct value_range bytes(int64_t min, int64_t max, const struct assay_byteset *set, bool utf8)
{
    return (struct value_range){.min = min, .max = max, .bytes = *set, .utf8 = utf8};
}

static struct value_range undefined(struct value_range r, const struct spec_expr *e, const char *reason)
{
    if (!r.bad) {
        r.bad = e;
        r.reason = reason;
    }
    return r;
}

static struct value_range inherit(struct value_range r, struct value_range x)
{
    return x.bad ? undefined(r, x.bad, x.reason) : r;
}

static bool is_ascii(const struct assay_byteset *set)
{
    return set->bits[2] == 0 && set->bits[3] == 0;
}

static void set_add(struct assay_byteset *set, unsigned byte)
{
    set->bits[byte >> 6] |= (uint64_t)1 << (byte & 63);
}

static void set_remove(struct assay_byteset *set, unsigned byte)
{
    set->bits[byte >> 6] &= ~((uint64_t)1 << (byte & 63));
}

static bool set_has(const struct assay_byteset *set, unsigned byte)
{
    return set->bits[byte >> 6] >> (byte & 63) & 1;
}

static void set_join(struct assay_byteset *set, const struct assay_byteset *more)
{
    for (unsigned i = 0; i < 4; i++)
        set->bits[i] |= more->bits[i];
}

struct value_range assay_range_hull(struct value_range x, struct value_range y)
{
    struct value_range r = x;
    r.min = x.min < y.min ? x.min : y.min;
    r.max = x.max > y.max ? x.max : y.max;
    set_join(&r.bytes, &y.bytes);
    r.utf8 = x.utf8 && y.utf8;
    return inherit(r, y);
}

/* Of results that may lie outside 64 bits. */
static struct value_range clamp(wide min, wide max, const struct spec_expr *e)
{
    bool over = min < INT64_MIN || max > INT64_MAX;
    struct value_range r = number(min < INT64_MIN   ? INT64_MIN
                                  : min > INT64_MAX ? INT64_MAX
                                                    : (int64_t)min,
                                  max > INT64_MAX   ? INT64_MAX
                                  : max < INT64_MIN ? INT64_MIN
                                                    : (int64_t)max);
    return over ? undefined(r, e, "this can overflow 64 bits") : r;
}

/* ---- types ------------------------------------------------------------- */

static struct value_range range_of_bytes_type(const struct spec_type *type)
{
    struct assay_byteset set = type->kind == ASSAY_T_TEXT && type->charset == ASSAY_CS_ASCII ? ascii_bytes : all_bytes;
    for (unsigned i = 0; type->set && i < 4; i++)
        set.bits[i] &= type->set->bits[i];
    bool utf8 = is_ascii(&set) || (type->kind == ASSAY_T_TEXT && type->charset != ASSAY_CS_BYTES);
    if (type->wire && type->extent.kind == ASSAY_EXT_UNTIL && type->extent.delims.count == 1) {
        const struct assay_blob *delim = type->extent.delims.items[0];
        if (delim->n == 1)
            set_remove(&set, delim->p[0]);
    }
    return bytes(type->min, type->max, &set, utf8);
}

struct value_range assay_range_of_type(const struct spec_type *type)
{
    if (assay_kind_is_bytes(type->kind))
        return range_of_bytes_type(type);
    if (type->kind == ASSAY_T_BOOL)
        return number(0, 1);
    if (type->kind == SPEC_T_ANY || type->kind == SPEC_T_NONE)
        return number(INT64_MIN, INT64_MAX);
    return number(type->min, type->max);
}

/* The frame that brings a field; NULL: more than one may. */
static const struct spec_frame *frame_of(const struct facts *facts, const struct spec_field *field)
{
    struct spec_frame *const *frames = facts->spec->frames;
    if (field->frame || !field->message)
        return field->frame;
    if (field->message->from == (ASSAY_CLIENT | ASSAY_SERVER) && frames[0] != frames[1])
        return NULL;
    return frames[field->message->from == ASSAY_SERVER];
}

/* Text without its escapes can hold what the frame cannot: values of pairs, members of an object. */
static bool escaped(const struct spec_field *field, uint8_t byte)
{
    const struct spec_field *pairs = field->pairs;
    bool stands = false;
    for (unsigned i = 0; pairs && i < pairs->type->pairs->is.escapes; i++)
        stands = stands || pairs->type->pairs->is.stands[i] == byte;
    return stands || field->unless || (pairs && pairs->unless);
}

/* The content of a frame with a one-byte delimiter never holds it. */
static struct value_range range_of_field(const struct facts *facts, const struct spec_field *field)
{
    struct value_range r = assay_range_of_type(field->type);
    const struct spec_frame *frame = facts->frame ? facts->frame : frame_of(facts, field);
    if (!frame || (!facts->frame && frame->datagram) || frame->end != ASSAY_END_UNTIL || frame->delims.count != 1 ||
        frame->segments)
        return r;
    const struct assay_blob *delim = frame->delims.items[0];
    if (delim->n == 1 && !escaped(field, delim->p[0]))
        set_remove(&r.bytes, delim->p[0]);
    return r;
}

/* ---- leaves ------------------------------------------------------------ */

static bool always_there(const struct facts *facts, const struct spec_field *field)
{
    return !facts->partial && !assay_may_lack(field);
}

static struct value_range range_field(struct facts *facts, const struct spec_expr *e)
{
    for (size_t i = 0; facts->making && i < facts->made_count; i++)
        if (facts->made[i].field == e->ref.field)
            return facts->made[i].range;
    struct value_range r = range_of_field(facts, e->ref.field);
    return always_there(facts, e->ref.field) ? r : undefined(r, e, "this field may be absent here");
}

/* A variable without `init` begins as 0 or empty, whatever its bounds. */
static struct value_range range_var(const struct spec_expr *e)
{
    struct value_range r = assay_range_of_type(e->ref.var->type);
    if (!e->ref.var->init && r.min > 0)
        r.min = 0;
    if (!e->ref.var->init && r.max < 0)
        r.max = 0;
    return r;
}

static struct value_range range_text(const struct spec_expr *e)
{
    struct assay_byteset set = {{0}};
    for (uint32_t i = 0; i < e->text.n; i++)
        set_add(&set, e->text.p[i]);
    return bytes(e->text.n, e->text.n, &set, is_ascii(&set));
}

/* ---- relations --------------------------------------------------------- */

static bool is_size_of(const struct spec_expr *size, const struct spec_expr *e)
{
    bool call = size->kind == SPEC_E_CALL && size->ref.function &&
                (size->ref.function->id == SPEC_F_SIZE || size->ref.function->id == SPEC_F_LEN);
    return call && assay_expr_same(size->args[0], e);
}

/* Whether x < y, or x <= y, was assumed; `size`: y stands for its size. */
static bool known_less(const struct facts *facts, const struct spec_expr *x, const struct spec_expr *y, bool size,
                       bool strictly)
{
    for (size_t i = 0; i < facts->less_count; i++) {
        bool right = size ? is_size_of(facts->less[i].y, y) : assay_expr_same(facts->less[i].y, y);
        if (right && assay_expr_same(facts->less[i].x, x) && (facts->less[i].strictly || !strictly))
            return true;
    }
    return false;
}

/* x - y where y < x, or y <= x, is known. */
static struct value_range difference(const struct facts *facts, const struct spec_expr *e, struct value_range r)
{
    bool strictly = known_less(facts, e->args[1], e->args[0], false, true);
    int64_t least = strictly ? 1 : 0;
    if ((strictly || known_less(facts, e->args[1], e->args[0], false, false)) && r.min < least) {
        r.min = least;
        r.max = r.max < least ? least : r.max;
    }
    return r;
}

/* ---- operators --------------------------------------------------------- */

static struct value_range of_corners(const wide corners[4], const struct spec_expr *e)
{
    wide min = corners[0], max = corners[0];
    for (unsigned i = 1; i < 4; i++) {
        min = corners[i] < min ? corners[i] : min;
        max = corners[i] > max ? corners[i] : max;
    }
    return clamp(min, max, e);
}

static struct value_range multiply(struct value_range x, struct value_range y, const struct spec_expr *e)
{
    wide corners[4] = {(wide)x.min * y.min, (wide)x.min * y.max, (wide)x.max * y.min, (wide)x.max * y.max};
    return of_corners(corners, e);
}

static struct value_range divide(struct value_range x, struct value_range y, const struct spec_expr *e)
{
    bool zero = y.min <= 0 && y.max >= 0;
    int64_t low = y.min == 0 ? 1 : y.min, high = y.max == 0 ? -1 : y.max;
    if (zero && y.min == 0 && y.max == 0)
        low = high = 1;
    wide corners[4] = {(wide)x.min / low, (wide)x.min / high, (wide)x.max / low, (wide)x.max / high};
    struct value_range r = of_corners(corners, e);
    wide most = -(wide)x.min > x.max ? -(wide)x.min : x.max;
    if (y.min < 0 && y.max > 0) /* divisors of 1 and -1 are among them */
        r = clamp(-most, most, e);
    return zero ? undefined(r, e, "the divisor can be 0") : r;
}

static struct value_range modulo(struct value_range x, struct value_range y, const struct spec_expr *e)
{
    wide low = y.min < 0 ? -(wide)y.min : y.min, high = y.max < 0 ? -(wide)y.max : y.max;
    wide most = (low > high ? low : high) - 1;
    wide up = x.max < 0 ? 0 : x.max < most ? x.max : most, down = x.min > 0 ? 0 : x.min > -most ? x.min : -most;
    struct value_range r = clamp(down < up ? down : up, up > down ? up : down, e);
    return y.min <= 0 && y.max >= 0 ? undefined(r, e, "the divisor can be 0") : r;
}

static struct value_range shift(struct value_range x, struct value_range y, const struct spec_expr *e)
{
    bool outside = y.min < 0 || y.max > 63, left = e->op == ASSAY_OP_SHL;
    unsigned low = y.min < 0 ? 0 : y.min > 63 ? 63 : (unsigned)y.min;
    unsigned high = y.max > 63 ? 63 : y.max < 0 ? 0 : (unsigned)y.max;
    wide corners[4] = {
        left ? (wide)x.min * ((wide)1 << low) : x.min >> low, left ? (wide)x.min * ((wide)1 << high) : x.min >> high,
        left ? (wide)x.max * ((wide)1 << low) : x.max >> low, left ? (wide)x.max * ((wide)1 << high) : x.max >> high};
    struct value_range r = of_corners(corners, e);
    r.bad = outside ? NULL : r.bad;
    return outside ? undefined(r, e, "the shift can be outside 0..63") : r;
}

static int64_t ones(int64_t x)
{
    uint64_t u = (uint64_t)x;
    for (unsigned s = 1; s < 64; s *= 2)
        u |= u >> s;
    return (int64_t)u;
}

static struct value_range bitwise(struct value_range x, struct value_range y, const struct spec_expr *e)
{
    if (e->op == ASSAY_OP_BITAND && x.min >= 0 && y.min >= 0)
        return number(0, x.max < y.max ? x.max : y.max);
    if (e->op == ASSAY_OP_BITAND && (x.min >= 0 || y.min >= 0))
        return number(0, x.min >= 0 ? x.max : y.max);
    if (e->op != ASSAY_OP_BITAND && x.min >= 0 && y.min >= 0)
        return number(0, ones(x.max | y.max));
    return number(INT64_MIN, INT64_MAX);
}

static struct value_range binary(struct facts *facts, const struct spec_expr *e)
{
    struct value_range x = assay_range_of(facts, e->args[0]), y = assay_range_of(facts, e->args[1]), r;
    switch ((int)e->op) {
    case ASSAY_OP_ADD:
        r = clamp((wide)x.min + y.min, (wide)x.max + y.max, e);
        break;
    case ASSAY_OP_SUB:
        r = difference(facts, e, clamp((wide)x.min - y.max, (wide)x.max - y.min, e));
        break;
    case ASSAY_OP_MUL:
        r = multiply(x, y, e);
        break;
    case ASSAY_OP_DIV:
        r = divide(x, y, e);
        break;
    case ASSAY_OP_MOD:
        r = modulo(x, y, e);
        break;
    case ASSAY_OP_SHL:
    case ASSAY_OP_SHR:
        r = shift(x, y, e);
        break;
    case ASSAY_OP_BITAND:
    case ASSAY_OP_BITOR:
    case ASSAY_OP_BITXOR:
        r = bitwise(x, y, e);
        break;
    default: /* comparisons */
        r = number(0, 1);
        break;
    }
    return inherit(inherit(r, x), y);
}

static struct value_range unary(struct facts *facts, const struct spec_expr *e)
{
    struct value_range x = assay_range_of(facts, e->args[0]), r;
    if (e->op == ASSAY_OP_NEG)
        r = clamp(-(wide)x.max, -(wide)x.min, e);
    else if (e->op == ASSAY_OP_FLIP)
        r = number(~x.max, ~x.min);
    else
        r = number(!x.max, !x.min);
    return inherit(r, x);
}

/* The right side is looked at only where the left one is true (&&), or false (||). */
static struct value_range logic(struct facts *facts, const struct spec_expr *e)
{
    struct value_range x = assay_range_of(facts, e->args[0]);
    struct facts_mark mark = assay_facts_mark(facts);
    assay_assume(facts, e->args[0], e->kind == SPEC_E_AND);
    struct value_range y = assay_range_of(facts, e->args[1]);
    assay_facts_back(facts, mark);
    return inherit(inherit(number(0, 1), x), y);
}

static struct value_range conditional(struct facts *facts, const struct spec_expr *e)
{
    struct value_range c = assay_range_of(facts, e->args[0]), r[2];
    for (size_t i = 0; i < 2; i++) {
        struct facts_mark mark = assay_facts_mark(facts);
        assay_assume(facts, e->args[0], i == 0);
        r[i] = assay_range_of(facts, e->args[i + 1]);
        assay_facts_back(facts, mark);
    }
    return inherit(assay_range_hull(r[0], r[1]), c);
}

/* ---- bytes and lists --------------------------------------------------- */

static bool is_list(const struct spec_expr *e)
{
    return e->type->kind == ASSAY_T_LIST;
}

static struct value_range indexed(struct facts *facts, const struct spec_expr *e)
{
    struct value_range x = assay_range_of(facts, e->args[0]), i = assay_range_of(facts, e->args[1]);
    struct value_range r = is_list(e->args[0]) ? assay_range_of_type(e->type) : number(0, 255);
    bool inside = i.max < x.min || known_less(facts, e->args[1], e->args[0], true, true);
    if (i.min < 0 || !inside)
        r = undefined(r, e->args[1], "this index can be outside");
    return inherit(inherit(r, x), i);
}

static struct value_range sliced(struct facts *facts, const struct spec_expr *e)
{
    struct value_range x = assay_range_of(facts, e->args[0]), i = assay_range_of(facts, e->args[1]),
                       j = assay_range_of(facts, e->args[2]);
    wide most = (wide)j.max - i.min, least = (wide)j.min - i.max;
    struct value_range r = x;
    r.min = least > 0 ? (int64_t)least : 0;
    r.max = most < 0 ? 0 : most < x.max ? (int64_t)most : x.max;
    r.utf8 = is_ascii(&x.bytes);
    bool ordered = i.max <= j.min || known_less(facts, e->args[1], e->args[2], false, false);
    bool inside =
        j.max <= x.min || known_less(facts, e->args[2], e->args[0], true, false) || is_size_of(e->args[2], e->args[0]);
    if (i.min < 0 || !ordered || !inside)
        r = undefined(r, e->args[1], "this slice can lie outside");
    return inherit(inherit(r, i), j);
}

int64_t assay_decimal_size(int64_t n)
{
    int64_t size = 1 + (n < 0);
    for (; n > 9 || n < -9; n /= 10)
        size++;
    return size;
}

static struct value_range digits(int64_t most)
{
    struct assay_byteset set = {{0}};
    for (unsigned c = 0; c < 256; c++)
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-')
            set_add(&set, c);
    return bytes(1, most, &set, true);
}

/* A number as decimal text. */
static struct value_range in_decimal(struct value_range n)
{
    int64_t low = assay_decimal_size(n.min), high = assay_decimal_size(n.max);
    return inherit(digits(low > high ? low : high), n);
}

static struct value_range enum_name(const struct spec_type *type)
{
    struct value_range r = bytes(0, 0, &(struct assay_byteset){{0}}, true);
    bool first = true;
    if (type->of)
        SPEC_EACH (struct spec_enum_item, item, &type->of->items) {
            int64_t n = (int64_t)strlen(item->name);
            r.min = first || n < r.min ? n : r.min;
            r.max = n > r.max ? n : r.max;
            for (const char *p = item->name; *p; p++)
                set_add(&r.bytes, (uint8_t)*p);
            first = false;
        }
    return type->of && type->of->open ? assay_range_hull(r, digits(20)) : r;
}

static struct value_range piece(struct facts *facts, const struct spec_expr *e)
{
    struct value_range r = assay_range_of(facts, e);
    if (e->type->kind == ASSAY_T_INT)
        return in_decimal(r);
    return e->type->kind == ASSAY_T_ENUM ? inherit(enum_name(e->type), r) : r;
}

static struct value_range joined(struct facts *facts, const struct spec_expr *e)
{
    struct value_range r = bytes(0, 0, &(struct assay_byteset){{0}}, true);
    for (size_t i = 0; i < e->count; i++) {
        struct value_range x = is_list(e) ? assay_range_of(facts, e->args[i]) : piece(facts, e->args[i]);
        r.min += x.min;
        r.max = r.max + x.max > UINT32_MAX ? UINT32_MAX : r.max + x.max;
        r.utf8 = r.utf8 && x.utf8;
        set_join(&r.bytes, &x.bytes);
        r = inherit(r, x);
    }
    return r;
}

static struct value_range listed(struct facts *facts, const struct spec_expr *e)
{
    struct value_range r = number((int64_t)e->count, (int64_t)e->count);
    for (size_t i = 0; i < e->count; i++)
        r = inherit(r, assay_range_of(facts, e->args[i]));
    return r;
}

static struct value_range membership(struct facts *facts, const struct spec_expr *e)
{
    struct value_range r = number(0, 1);
    for (size_t i = 0; i < e->count; i++)
        r = inherit(r, assay_range_of(facts, e->args[i]));
    return r;
}

/* ---- functions --------------------------------------------------------- */

static struct value_range letters(struct value_range x)
{
    for (unsigned c = 'a'; c <= 'z'; c++)
        if (set_has(&x.bytes, c) || set_has(&x.bytes, c - 32)) {
            set_add(&x.bytes, c);
            set_add(&x.bytes, c - 32);
        }
    return x;
}

static struct value_range one_line(struct value_range x)
{
    static const char escaped[] = "\\\r\n", letters_of[] = "\\rn0";
    for (unsigned i = 0; i < 3; i++)
        set_remove(&x.bytes, (uint8_t)escaped[i]);
    set_remove(&x.bytes, 0);
    for (unsigned i = 0; i < 4; i++)
        set_add(&x.bytes, (uint8_t)letters_of[i]);
    x.max = x.max > UINT32_MAX / 2 ? UINT32_MAX : 2 * x.max;
    return x;
}

/* pair(field, name): what the values of this field's pairs can be. */
static struct value_range pair_value(const struct spec_expr *e)
{
    const struct spec_type *pairs = e->args[0]->type;
    struct value_range r = pairs->pairs ? assay_range_of_type(pairs->pairs->value) : assay_range_of_type(pairs);
    r.max = r.max > pairs->max ? pairs->max : r.max;
    return r;
}

static struct value_range call(struct facts *facts, const struct spec_expr *e)
{
    enum spec_function_id id = e->ref.function ? e->ref.function->id : SPEC_F_DECLARED;
    if (id == SPEC_F_SUM || id == SPEC_F_SEAL || id == SPEC_F_SEALED || id == SPEC_F_RANDOM) {
        struct value_range r = assay_range_of_type(e->type);
        for (size_t i = 0; i < e->count; i++)
            r = inherit(r, assay_range_of(facts, e->args[i]));
        return r;
    }
    if (id == SPEC_F_PRESENT || id == SPEC_F_DECLARED)
        return number(id == SPEC_F_PRESENT ? 0 : INT64_MIN, id == SPEC_F_PRESENT ? 1 : INT64_MAX);
    struct value_range x = assay_range_of(facts, e->args[0]), y = x;
    if (e->count > 1 && id != SPEC_F_FITS)
        y = assay_range_of(facts, e->args[1]);
    switch (id) {
    case SPEC_F_SIZE:
    case SPEC_F_LEN:
        return inherit(number(x.min, x.max), x);
    case SPEC_F_MIN:
        return inherit(inherit(number(x.min < y.min ? x.min : y.min, x.max < y.max ? x.max : y.max), x), y);
    case SPEC_F_MAX:
        return inherit(inherit(number(x.min > y.min ? x.min : y.min, x.max > y.max ? x.max : y.max), x), y);
    case SPEC_F_LINE:
        return one_line(x);
    case SPEC_F_LOWER:
    case SPEC_F_UPPER:
        return letters(x);
    case SPEC_F_DECIMAL:
        return in_decimal(x);
    case SPEC_F_HEX:
        x = inherit(digits(16), x.min < 0 ? undefined(x, e, "this number may be negative") : x);
        return x;
    case SPEC_F_PAIR:
        return undefined(pair_value(e), e, "there may be no pair of this name");
    case SPEC_F_NUMBER:
        return undefined(inherit(number(INT64_MIN, INT64_MAX), x), e, "this text may not be a number");
    case SPEC_F_FITS:
    case SPEC_F_STARTS:
    case SPEC_F_ENDS:
    case SPEC_F_CONTAINS:
    case SPEC_F_SUM:
    case SPEC_F_SEAL:
    case SPEC_F_SEALED:
    case SPEC_F_RANDOM:
    case SPEC_F_PRESENT:
    case SPEC_F_DECLARED:
        break;
    }
    return inherit(inherit(number(0, 1), x), y);
}

/* ---- all --------------------------------------------------------------- */

static struct value_range natural(struct facts *facts, const struct spec_expr *e)
{
    switch (e->kind) {
    case SPEC_E_INT:
    case SPEC_E_BOOL:
    case SPEC_E_DURATION:
    case SPEC_E_LITERAL:
        return number(e->number, e->number);
    case SPEC_E_TEXT:
        return range_text(e);
    case SPEC_E_JOIN:
        return joined(facts, e);
    case SPEC_E_FIELD:
        return range_field(facts, e);
    case SPEC_E_VAR:
        return range_var(e);
    case SPEC_E_LET:
        return e->ref.let->value ? assay_range_of(facts, e->ref.let->value) : assay_range_of_type(e->type);
    case SPEC_E_UNARY:
        return unary(facts, e);
    case SPEC_E_BINARY:
        return binary(facts, e);
    case SPEC_E_AND:
    case SPEC_E_OR:
        return logic(facts, e);
    case SPEC_E_COND:
        return conditional(facts, e);
    case SPEC_E_IN:
        return membership(facts, e);
    case SPEC_E_INDEX:
        return indexed(facts, e);
    case SPEC_E_SLICE:
        return sliced(facts, e);
    case SPEC_E_LIST:
        return listed(facts, e);
    case SPEC_E_CALL:
        return call(facts, e);
    case SPEC_E_HAS:
        return inherit(number(0, 1), assay_range_of(facts, e->args[0]));
    case SPEC_E_CELL:
        return undefined(inherit(assay_range_of_type(e->type), assay_range_of(facts, e->args[0])), e,
                         "there may be no row under this key");
    case SPEC_E_PEER:
    case SPEC_E_ARG:
    case SPEC_E_PARAM:
    case SPEC_E_IT:
    case SPEC_E_RECORD:
    case SPEC_E_NAME:
    case SPEC_E_MEMBER:
    case SPEC_E_DECLARED:
        break;
    }
    return assay_range_of_type(e->type);
}

/* What is assumed about an expression narrows it; and it was evaluated there, so it is defined. */
struct value_range assay_range_of(struct facts *facts, const struct spec_expr *e)
{
    struct value_range r = natural(facts, e);
    for (size_t i = 0; i < facts->count; i++) {
        bool same = assay_expr_same(facts->items[i].of, e);
        if (!same && !is_size_of(facts->items[i].of, e))
            continue;
        r.min = facts->items[i].min > r.min ? facts->items[i].min : r.min;
        r.max = facts->items[i].max < r.max ? facts->items[i].max : r.max;
        r.bad = NULL;
    }
    return r;
}
