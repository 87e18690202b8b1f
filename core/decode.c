#include <string.h>

#include "core/fields.h"
#include "core/number.h"
#include "core/pairs.h"
#include "core/sums.h"

/* ---- reading one field ------------------------------------------------- */

static inline enum assay_read take(struct assay_reader *r, uint64_t n, struct assay_span *s)
{
    if (r->bit || n > INT64_MAX)
        return ASSAY_READ_LOST;
    if (n > r->n - r->pos) {
        r->need = r->pos + n;
        r->open = false;
        return ASSAY_READ_SHORT;
    }
    *s = (struct assay_span){r->p + r->pos, (uint32_t)n};
    r->pos += (uint32_t)n;
    return ASSAY_READ;
}

static inline uint64_t load(const uint8_t *p, unsigned bytes, bool little)
{
    if (bytes == 1)
        return *p;
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | p[little ? bytes - 1 - i : i];
    return v;
}

/* Fields that share bytes, first in the high bits. */
static enum assay_read read_bits(struct assay_reader *r, unsigned bits, uint64_t *v)
{
    unsigned bytes = (r->bit + bits + 7) / 8;
    if (bytes > r->n - r->pos) {
        r->need = (uint64_t)r->pos + bytes;
        r->open = false;
        return ASSAY_READ_SHORT;
    }
    for (*v = 0; bits > 0;) {
        unsigned rest = 8u - r->bit, taken = bits < rest ? bits : rest;
        *v = *v << taken | ((unsigned)r->p[r->pos] >> (rest - taken) & ((1u << taken) - 1));
        r->bit = (uint8_t)(r->bit + taken);
        bits -= taken;
        if (r->bit == 8) {
            r->bit = 0;
            r->pos++;
        }
    }
    return ASSAY_READ;
}

static inline enum assay_read read_uint(struct assay_reader *r, unsigned bits, bool little, uint64_t *v)
{
    if (r->bit || bits % 8)
        return read_bits(r, bits, v);
    struct assay_span s;
    enum assay_read status = take(r, bits / 8, &s);
    if (status == ASSAY_READ)
        *v = load(s.p, bits / 8, little);
    return status;
}

/* The sum of the frame that the reader reads, of which it is the field. */
static enum assay_read read_sum(const struct assay_field *f, struct assay_reader *r, assay_val *v)
{
    uint32_t at = r->pos, width = f->bits / 8u;
    if (r->bit)
        return ASSAY_READ_LOST;
    enum assay_read status = read_uint(r, f->bits, f->flags & ASSAY_F_LITTLE, v);
    if (status != ASSAY_READ || r->sums == ASSAY_SUMS_IGNORED)
        return status;
    bool right =
        r->sums == ASSAY_SUMS_CHECKED && *v == assay_sum_around(f->sum, (struct assay_span){r->p, r->n}, at, width);
    return right ? ASSAY_READ : ASSAY_READ_SUM;
}

static enum assay_read read_int(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                assay_val *v)
{
    (void)env;
    if (f->sum)
        return read_sum(f, r, v);
    enum assay_read status = read_uint(r, f->bits, f->flags & ASSAY_F_LITTLE, v);
    if (status == ASSAY_READ && (f->flags & ASSAY_F_SIGNED) && f->bits < 64 && *v >> (f->bits - 1))
        *v |= ~(uint64_t)0 << f->bits;
    return status;
}

/* The bytes of a varint: its last has no top bit. */
static enum assay_read varint_bytes(struct assay_reader *r, unsigned bytes_max, struct assay_span *s)
{
    uint32_t n = 0, left = r->n - r->pos;
    while (n < bytes_max && n < left && (r->p[r->pos + n] & 0x80))
        n++;
    if (n == bytes_max)
        return ASSAY_READ_LOST;
    enum assay_read status = take(r, n + 1, s);
    r->open = status == ASSAY_READ_SHORT;
    return status;
}

/* Groups of 7 bits; the shortest form only. */
static enum assay_read varint(struct assay_reader *r, unsigned bytes_max, bool little, uint64_t *v)
{
    struct assay_span s;
    enum assay_read status = varint_bytes(r, bytes_max, &s);
    if (status != ASSAY_READ)
        return status;
    uint8_t top = (uint8_t)(s.p[little ? s.n - 1 : 0] & 0x7f);
    if ((s.n > 1 && top == 0) || s.n > 10 || (s.n == 10 && top > 1))
        return ASSAY_READ_BAD;
    *v = 0;
    for (uint32_t i = 0; i < s.n; i++)
        *v = *v << 7 | (s.p[little ? s.n - 1 - i : i] & 0x7f);
    return ASSAY_READ;
}

static enum assay_read read_varint(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                   assay_val *v)
{
    (void)env;
    return varint(r, f->bits / 8, f->flags & ASSAY_F_LITTLE, v);
}

static inline enum assay_read extent_code(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                          struct assay_span *s)
{
    assay_val size;
    if (!assay_eval(env, f->extent_arg, &size) || (int64_t)size < 0)
        return ASSAY_READ_LOST;
    return take(r, size, s);
}

static inline enum assay_read extent_prefix(const struct assay_field *f, struct assay_reader *r, struct assay_span *s)
{
    uint64_t size;
    bool little = f->flags & ASSAY_F_LITTLE;
    enum assay_read status = f->extent_arg ? read_uint(r, f->extent_arg, little, &size) : varint(r, 10, little, &size);
    r->open = true;
    if (status == ASSAY_READ)
        return take(r, size, s);
    return status == ASSAY_READ_SHORT ? status : ASSAY_READ_LOST;
}

/* Before a delimited value white space has to go first: the delimiter may be white, too. */
static uint32_t leading_space(const struct assay_reader *r)
{
    uint32_t n = 0;
    while (r->pos + n < r->n && assay_is_space(r->p[r->pos + n]))
        n++;
    return n;
}

static inline enum assay_read extent_until(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                           struct assay_span *s)
{
    uint32_t skipped = assay_loose(env, f) & ASSAY_LOOSE_SPACE ? leading_space(r) : 0;
    struct assay_span rest = {r->p + r->pos + skipped, r->n - r->pos - skipped};
    struct assay_delim_found d = assay_delim_find(env->model, f->extent_arg, rest, 0);
    if (!d.found) {
        r->need = (uint64_t)r->n + 1;
        r->open = true;
        return ASSAY_READ_SHORT;
    }
    *s = (struct assay_span){rest.p, d.at};
    r->pos += skipped + d.at + d.size;
    return r->bit ? ASSAY_READ_LOST : ASSAY_READ;
}

static enum assay_read extent_rest(struct assay_reader *r, struct assay_span *s)
{
    return take(r, (uint64_t)(r->n - r->pos) + (r->cut_off ? 1 : 0), s);
}

static enum assay_read extent_before(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                     struct assay_span *s)
{
    uint32_t skipped = assay_loose(env, f) & ASSAY_LOOSE_SPACE ? leading_space(r) : 0;
    struct assay_span rest = {r->p + r->pos + skipped, r->n - r->pos - skipped};
    uint32_t n = assay_delim_before(env->model, f->extent_arg, rest);
    if (n == rest.n && r->cut_off) {
        r->need = (uint64_t)r->n + 1;
        r->open = true;
        return ASSAY_READ_SHORT;
    }
    *s = (struct assay_span){rest.p, n};
    r->pos += skipped + n;
    return r->bit ? ASSAY_READ_LOST : ASSAY_READ;
}

/* A value that stands elsewhere: could it stand in the field's own place? */
static bool fits_extent(struct assay_env *env, const struct assay_field *f, struct assay_span s)
{
    assay_val size;
    if (f->flags & ASSAY_F_MEMBER)
        return true;
    switch ((enum assay_extent)f->extent) {
    case ASSAY_EXT_FIXED:
        return s.n == f->extent_arg;
    case ASSAY_EXT_CODE:
        return assay_eval(env, f->extent_arg, &size) && size == s.n;
    case ASSAY_EXT_PREFIX:
        return f->extent_arg == 0 || f->extent_arg >= 32 || s.n >> f->extent_arg == 0;
    case ASSAY_EXT_UNTIL:
    case ASSAY_EXT_BEFORE:
        return assay_delim_before(env->model, f->extent_arg, s) == s.n;
    case ASSAY_EXT_REST:
        return true;
    case ASSAY_EXT_COUNT:
        break;
    }
    return false;
}

static enum assay_read extent_whole(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                    struct assay_span *s)
{
    *s = (struct assay_span){r->p, r->n};
    r->pos = r->n;
    return fits_extent(env, f, *s) ? ASSAY_READ : ASSAY_READ_BAD;
}

static inline enum assay_read read_extent(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                          struct assay_span *s)
{
    if (r->whole)
        return extent_whole(env, f, r, s);
    switch ((enum assay_extent)f->extent) {
    case ASSAY_EXT_FIXED:
        return take(r, f->extent_arg, s);
    case ASSAY_EXT_CODE:
        return extent_code(env, f, r, s);
    case ASSAY_EXT_PREFIX:
        return extent_prefix(f, r, s);
    case ASSAY_EXT_UNTIL:
        return extent_until(env, f, r, s);
    case ASSAY_EXT_REST:
        return extent_rest(r, s);
    case ASSAY_EXT_BEFORE:
        return extent_before(env, f, r, s);
    case ASSAY_EXT_COUNT: /* lists only, which read it themselves */
        break;
    }
    return ASSAY_READ_BAD;
}

static enum assay_read read_decimal(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                    assay_val *v)
{
    struct assay_span s;
    int64_t x = 0;
    enum assay_read status = read_extent(env, f, r, &s);
    if (status == ASSAY_READ && !assay_parse_decimal(s, f->flags & ASSAY_F_SIGNED, assay_loose(env, f), &x))
        return ASSAY_READ_BAD;
    *v = (assay_val)x;
    return status;
}

static enum assay_read read_hex(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                assay_val *v)
{
    struct assay_span s;
    int64_t x = 0;
    enum assay_read status = read_extent(env, f, r, &s);
    if (status == ASSAY_READ && !assay_parse_hex(s, assay_loose(env, f), &x))
        return ASSAY_READ_BAD;
    *v = (assay_val)x;
    return status;
}

static inline assay_val reference(const struct assay_env *env, const struct assay_reader *r, struct assay_span s)
{
    if (r->region == ASSAY_REGION_SCRATCH)
        return assay_scratch_val(env, s.p, s.n);
    return assay_val_bytes(ASSAY_REGION_FRAME, (uint32_t)(s.p - env->frame), s.n);
}

static enum assay_read read_bytes(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                  assay_val *v)
{
    const struct assay_type *type = &env->model->types[f->type];
    struct assay_span s;
    enum assay_read status = read_extent(env, f, r, &s);
    if (status != ASSAY_READ)
        return status;
    if (s.n > ASSAY_BYTES_MAX)
        return ASSAY_READ_BAD;
    if (type->kind != ASSAY_T_ENUM)
        *v = reference(env, r, s);
    else if (!assay_enum_find(env->model, type->of, s, f->flags & ASSAY_F_FOLD, v))
        return ASSAY_READ_UNNAMED;
    return ASSAY_READ;
}

static enum assay_read read_const(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                  assay_val *v)
{
    struct assay_blob blob = env->model->blobs[f->extent_arg];
    struct assay_span s;
    enum assay_read status = take(r, blob.n, &s);
    *v = 0;
    if (status == ASSAY_READ && blob.n && memcmp(s.p, blob.p, blob.n) != 0)
        return ASSAY_READ_BAD;
    return status;
}

/* Elements of a list: `count` of them, or (UINT64_MAX) as many as there are bytes. Where they end is not told before
 * the last. */
static enum assay_read read_items(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                  uint64_t count, assay_val *v)
{
    const struct assay_field *element = &env->model->fields[f->element];
    const uint8_t *base = env->scratch + env->scratch_used;
    uint32_t size = 0;
    for (uint64_t i = 0; i < count && (count != UINT64_MAX || r->pos < r->n); i++) {
        assay_val item;
        enum assay_read status = assay_read_field(env, element, r, &item);
        r->open = true;
        if (status != ASSAY_READ)
            return status == ASSAY_READ_SHORT ? status : ASSAY_READ_LOST;
        uint8_t *to = assay_scratch(env, 8);
        if (!to || to != base + size)
            return ASSAY_READ_LOST;
        assay_store_item(to, (int64_t)item);
        size += 8;
    }
    *v = assay_scratch_val(env, base, size);
    return ASSAY_READ;
}

/* As many bytes as the elements take when all are of one size; else none. */
static uint64_t size_of_items(const struct assay_field *element, uint64_t count)
{
    bool fixed = element->form == ASSAY_FORM_INT && element->bits % 8 == 0;
    return !fixed ? 0 : count > UINT32_MAX ? INT64_MAX : count * (element->bits / 8u);
}

static enum assay_read read_list(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                 assay_val *v)
{
    if (f->extent == ASSAY_EXT_COUNT) {
        assay_val count;
        if (!assay_eval(env, f->extent_arg, &count) || (int64_t)count < 0)
            return ASSAY_READ_LOST;
        struct assay_reader ahead = *r;
        struct assay_span all;
        if (take(&ahead, size_of_items(&env->model->fields[f->element], count), &all) == ASSAY_READ_SHORT) {
            *r = ahead;
            return ASSAY_READ_SHORT;
        }
        return read_items(env, f, r, count, v);
    }
    struct assay_span s;
    enum assay_read status = read_extent(env, f, r, &s);
    if (status != ASSAY_READ)
        return status;
    struct assay_reader items = {.p = s.p, .n = s.n};
    status = read_items(env, f, &items, UINT64_MAX, v);
    return status != ASSAY_READ || items.bit ? ASSAY_READ_BAD : status;
}

static enum assay_read read_calc(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                 assay_val *v)
{
    (void)r;
    return assay_eval(env, f->is, v) ? ASSAY_READ : ASSAY_READ_BAD;
}

static enum assay_read read_pairs(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                  assay_val *v)
{
    struct assay_span s;
    bool same;
    enum assay_read status = read_extent(env, f, r, &s);
    if (status != ASSAY_READ)
        return status;
    if (s.n > ASSAY_BYTES_MAX || !assay_pairs_canonical(env, f->element, s, &same, v))
        return ASSAY_READ_BAD;
    if (same)
        *v = reference(env, r, s);
    return ASSAY_READ;
}

static enum assay_read read_object(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                   assay_val *v)
{
    struct assay_span s;
    *v = 0;
    enum assay_read status = read_extent(env, f, r, &s);
    return status == ASSAY_READ ? assay_read_object(env, f, s) : status;
}

static inline enum assay_read read_form(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                        assay_val *v)
{
    static enum assay_read (*const forms[])(struct assay_env *, const struct assay_field *, struct assay_reader *,
                                            assay_val *) = {
        [ASSAY_FORM_INT] = read_int,     [ASSAY_FORM_VARINT] = read_varint, [ASSAY_FORM_DECIMAL] = read_decimal,
        [ASSAY_FORM_HEX] = read_hex,     [ASSAY_FORM_BYTES] = read_bytes,   [ASSAY_FORM_CONST] = read_const,
        [ASSAY_FORM_LIST] = read_list,   [ASSAY_FORM_CALC] = read_calc,     [ASSAY_FORM_AHEAD] = assay_read_ahead,
        [ASSAY_FORM_PAIRS] = read_pairs, [ASSAY_FORM_OBJECT] = read_object,
    };
    return forms[f->form](env, f, r, v);
}

enum assay_read assay_read_value(struct assay_env *env, const struct assay_field *f, struct assay_span bytes,
                                 enum assay_region region, assay_val *v)
{
    struct assay_reader r = {.p = bytes.p, .n = bytes.n, .whole = true, .region = (uint8_t)region};
    return read_form(env, f, &r, v);
}

static enum assay_read read_member(struct assay_env *env, const struct assay_field *f, assay_val *v)
{
    const struct assay_field *pairs = &env->model->fields[f->element];
    struct assay_blob name = env->model->blobs[f->extent_arg];
    struct assay_span value;
    bool copy;
    if (!assay_slot_known(env, pairs->slot) ||
        !assay_pairs_find(env, pairs->element, assay_bytes(env, env->slots[pairs->slot]),
                          (struct assay_span){name.p, name.n}, &value, &copy))
        return f->flags & ASSAY_F_OPTIONAL ? ASSAY_READ_ABSENT : ASSAY_READ_BAD;
    return assay_read_value(env, f, value, copy ? ASSAY_REGION_SCRATCH : assay_val_region(env->slots[pairs->slot]), v);
}

static inline enum assay_read read_field(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                         assay_val *v)
{
    return f->flags & ASSAY_F_MEMBER ? read_member(env, f, v) : read_form(env, f, r, v);
}

enum assay_read assay_read_field(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                 assay_val *v)
{
    return read_field(env, f, r, v);
}

/* ---- constraints ------------------------------------------------------- */

/* Where and why decoding stops; event ASSAY_NONE: it goes on. */
struct stop {
    uint16_t event, field, req;
};

static const struct stop go_on = {ASSAY_NONE, ASSAY_NONE, ASSAY_NONE};

static inline struct stop stop_at(const struct assay_env *env, uint32_t field, uint16_t event)
{
    return (struct stop){event, (uint16_t)field, env->model->fields[field].req};
}

static inline struct stop fault_at(const struct assay_env *env, uint32_t field)
{
    uint16_t fault = env->model->fields[field].fault;
    return stop_at(env, field, fault == ASSAY_NONE ? ASSAY_EV_MALFORMED : fault);
}

static bool same_value(const struct assay_env *env, const struct assay_field *f, assay_val x, assay_val y)
{
    uint8_t kind = env->model->types[f->type].kind;
    if (kind < ASSAY_T_BYTES)
        return x == y;
    struct assay_span a = assay_bytes(env, x), b = assay_bytes(env, y);
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static bool all_zero(struct assay_span s)
{
    for (uint32_t i = 0; i < s.n; i++)
        if (s.p[i])
            return false;
    return true;
}

/* Padding holds what an encoder writes: its `is` or `init`, else zeros. */
static bool padding_holds(struct assay_env *env, const struct assay_field *f, assay_val v)
{
    uint16_t code = f->is != ASSAY_NONE ? f->is : f->init;
    if (f->form == ASSAY_FORM_CONST || f->form == ASSAY_FORM_CALC || f->sum)
        return true;
    if (code == ASSAY_NONE)
        return env->model->types[f->type].kind < ASSAY_T_BYTES ? v == 0 : all_zero(assay_bytes(env, v));
    assay_val written;
    return assay_eval(env, code, &written) && same_value(env, f, v, written);
}

static inline struct stop judge_field(struct assay_env *env, uint32_t i, assay_val v)
{
    const struct assay_field *f = &env->model->fields[i];
    if (!f->name && f->slot == ASSAY_NONE)
        return padding_holds(env, f, v) ? go_on : fault_at(env, i);
    enum assay_fit fit = assay_fits_quick(env, f->type, v);
    if (fit == ASSAY_FIT_UNNAMED)
        return stop_at(env, i, ASSAY_EV_UNKNOWN);
    assay_slot_set(env, f->slot, v);
    if (fit == ASSAY_FIT && assay_holds(env, f->check))
        return go_on;
    if (f->slot != ASSAY_NONE)
        env->known &= ~((uint64_t)1 << f->slot);
    return fault_at(env, i);
}

/* The fields that an object gave their values, in the order in which it names them. */
static struct stop judge_object(struct assay_env *env, const struct assay_object *object)
{
    struct stop stop = go_on;
    for (uint32_t i = 0; stop.event == ASSAY_NONE && i < object->members.count; i++) {
        uint16_t field = env->model->object_members[object->members.first + i].field;
        uint16_t slot = env->model->fields[field].slot;
        if (assay_slot_known(env, slot))
            stop = judge_field(env, field, env->slots[slot]);
    }
    uint16_t rest = object->rest == ASSAY_NONE ? ASSAY_NONE : env->model->fields[object->rest].slot;
    if (stop.event == ASSAY_NONE && assay_slot_known(env, rest))
        stop = judge_field(env, object->rest, env->slots[rest]);
    return stop;
}

static inline struct stop decode_field(struct assay_env *env, uint32_t i, struct assay_reader *r)
{
    const struct assay_field *f = &env->model->fields[i];
    assay_val v;
    if (f->present != ASSAY_NONE && !assay_holds(env, f->present))
        return go_on;
    enum assay_read status = read_field(env, f, r, &v);
    if (status == ASSAY_READ)
        return f->form == ASSAY_FORM_OBJECT ? judge_object(env, &env->model->objects[f->element])
                                            : judge_field(env, i, v);
    if (status == ASSAY_READ_ABSENT)
        return go_on;
    if (f->form == ASSAY_FORM_CALC || status == ASSAY_READ_SUM)
        return fault_at(env, i);
    return stop_at(env, i, status == ASSAY_READ_UNNAMED ? ASSAY_EV_UNKNOWN : ASSAY_EV_MALFORMED);
}

static struct stop decode_fields(struct assay_env *env, struct assay_range fields, struct assay_reader *r)
{
    struct stop stop = go_on;
    for (uint32_t i = fields.first; stop.event == ASSAY_NONE && i < (uint32_t)fields.first + fields.count; i++)
        stop = decode_field(env, i, r);
    return stop;
}

/* Computed fields may depend on later ones, so they are checked behind all. */
static struct stop check_computed(struct assay_env *env, struct assay_range fields)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &env->model->fields[i];
        assay_val v;
        if (f->is == ASSAY_NONE || f->form == ASSAY_FORM_CALC || f->form == ASSAY_FORM_AHEAD ||
            !assay_slot_known(env, f->slot))
            continue;
        if (!assay_eval(env, f->is, &v) || !same_value(env, f, env->slots[f->slot], v))
            return fault_at(env, i);
    }
    return go_on;
}

static struct stop check_wheres(struct assay_env *env, struct assay_range wheres)
{
    for (uint32_t i = wheres.first; i < (uint32_t)wheres.first + wheres.count; i++) {
        const struct assay_where *where = &env->model->wheres[i];
        if (!assay_holds(env, where->that))
            return (struct stop){where->fault == ASSAY_NONE ? ASSAY_EV_MALFORMED : where->fault, ASSAY_NONE,
                                 where->req};
    }
    return go_on;
}

/* ---- messages ---------------------------------------------------------- */

static inline bool tag_matches(struct assay_env *env, uint16_t tag, const struct assay_message *m)
{
    switch ((enum assay_tag_kind)m->tag_kind) {
    case ASSAY_TAG_NONE:
        return true;
    case ASSAY_TAG_CODE:
        return assay_holds(env, m->tag_code);
    case ASSAY_TAG_VALUE:
        return assay_slot_known(env, tag) && (int64_t)env->slots[tag] == m->tag;
    case ASSAY_TAG_TEXT:
        break;
    }
    if (!assay_slot_known(env, tag))
        return false;
    struct assay_span s = assay_bytes(env, env->slots[tag]);
    return s.n == m->tag_text.n && (s.n == 0 || memcmp(s.p, m->tag_text.p, s.n) == 0);
}

static inline bool leads(const struct assay_model *model, uint16_t set, struct assay_span body)
{
    if (set == ASSAY_NONE)
        return true;
    return body.n && assay_set_has(&model->sets[set], body.p[0]);
}

static inline bool candidate(struct assay_env *env, const struct assay_frame *frame, uint8_t from,
                             const struct assay_message *m, struct assay_span body)
{
    return (m->from & from) && (m->transports & frame->transports) && tag_matches(env, frame->tag, m) &&
           leads(env->model, m->leads, body);
}

/* What is checked behind all fields. */
static inline struct assay_decoded finish_message(struct assay_env *env, const struct assay_frame *frame,
                                                  uint16_t index, struct stop stop, uint32_t offset)
{
    const struct assay_message *m = &env->model->messages[index];
    bool settled = env->settled && env->settled[index];
    if (stop.event == ASSAY_NONE && !settled)
        stop = check_computed(env, m->fields);
    if (stop.event == ASSAY_NONE && !settled)
        stop = check_computed(env, frame->fields);
    if (stop.event == ASSAY_NONE && !settled)
        stop = check_wheres(env, m->wheres);
    return (struct assay_decoded){stop.event == ASSAY_NONE ? m->event : stop.event, index, stop.field, offset,
                                  stop.req};
}

static inline struct assay_decoded decode_message(struct assay_env *env, const struct assay_frame *frame,
                                                  uint16_t index, struct assay_span body, uint32_t base)
{
    struct assay_reader r = {.p = body.p, .n = body.n};
    struct stop stop = decode_fields(env, env->model->messages[index].fields, &r);
    if (stop.event == ASSAY_NONE && (r.pos != r.n || r.bit))
        stop.event = ASSAY_EV_MALFORMED;
    return finish_message(env, frame, index, stop, base + r.pos);
}

uint16_t assay_message_walked(struct assay_env *env, const struct assay_frame *frame, uint8_t from,
                              struct assay_span body)
{
    for (uint16_t i = 0; i < env->model->messages_count; i++)
        if (candidate(env, frame, from, &env->model->messages[i], body))
            return i;
    return ASSAY_NONE;
}

/* Among messages that tell themselves apart the first that decodes is it; where none does, the
 * one that got furthest tells the fault. */
static struct assay_decoded decode_body(struct assay_env *env, const struct assay_frame *frame, uint8_t from,
                                        struct assay_span body, uint32_t base)
{
    struct assay_decoded best = {ASSAY_EV_UNKNOWN, ASSAY_NONE, ASSAY_NONE, base, ASSAY_NONE};
    uint64_t known = env->known, best_known = known;
    for (uint16_t i = 0; i < env->model->messages_count; i++) {
        const struct assay_message *m = &env->model->messages[i];
        if (!candidate(env, frame, from, m, body))
            continue;
        struct assay_decoded d = decode_message(env, frame, i, body, base);
        if (d.event == m->event)
            return d;
        if (best.message == ASSAY_NONE || d.offset > best.offset) {
            best = d;
            best_known = env->known;
        }
        if (frame->walked & from)
            break;
        env->known = known;
    }
    env->known = best_known;
    return best;
}

static inline struct assay_span behind(struct assay_span s, uint32_t n)
{
    return (struct assay_span){s.p + n, s.n - n};
}

/* Fields that were walked to find the end of the frame stand in their slots already: those of `found`. False: they
 * have to be read. */
static inline bool judge_found(struct assay_env *env, struct assay_range fields, uint64_t found)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        uint16_t slot = env->model->fields[i].slot;
        if (slot == ASSAY_NONE || !(found >> slot & 1) || judge_field(env, i, env->slots[slot]).event != ASSAY_NONE)
            return false;
    }
    return true;
}

static struct assay_decoded decode_walked(struct assay_env *env, const struct assay_frame *frame, uint64_t walked,
                                          const struct assay_frame_found *found, struct assay_span content)
{
    uint64_t known = env->known;
    if (judge_found(env, env->model->messages[found->message].fields, walked))
        return finish_message(env, frame, found->message, go_on, content.n);
    env->known = known;
    return decode_message(env, frame, found->message, behind(content, found->head), found->head);
}

struct assay_decoded assay_decode_found(struct assay_env *env, uint16_t index, uint8_t from,
                                        const struct assay_frame_found *found, struct assay_span content)
{
    const struct assay_frame *frame = &env->model->frames[index];
    uint64_t walked = env->known;
    struct assay_span body = behind(content, content.n);
    env->known = 0;
    if (frame->end != ASSAY_END_FIELDS || !judge_found(env, frame->fields, walked))
        return assay_decode(env, index, from, content);
    if (found->message != ASSAY_NONE)
        return decode_walked(env, frame, walked, found, content);
    if (frame->body != ASSAY_NONE)
        body = assay_bytes(env, env->slots[env->model->fields[frame->body].slot]);
    return decode_body(env, frame, from, body, (uint32_t)(body.p - content.p));
}

static struct assay_decoded decode(struct assay_env *env, uint16_t index, uint8_t from, struct assay_span content,
                                   enum assay_sums sums)
{
    const struct assay_frame *frame = &env->model->frames[index];
    struct assay_span inner = assay_frame_trim(env->model, frame, content);
    struct assay_reader r = {.p = inner.p, .n = inner.n, .sums = (uint8_t)sums};
    uint32_t off = (uint32_t)(inner.p - content.p);
    env->known = 0;
    struct stop stop = decode_fields(env, frame->fields, &r);
    if (stop.event != ASSAY_NONE)
        return (struct assay_decoded){stop.event, ASSAY_NONE, stop.field, off + r.pos, stop.req};
    struct assay_span body = behind(inner, r.pos);
    if (frame->body != ASSAY_NONE) {
        if (r.pos != r.n || r.bit)
            return (struct assay_decoded){ASSAY_EV_MALFORMED, ASSAY_NONE, ASSAY_NONE, off + r.pos, ASSAY_NONE};
        body = assay_bytes(env, env->slots[env->model->fields[frame->body].slot]);
    }
    return decode_body(env, frame, from, body, (uint32_t)(body.p - content.p));
}

struct assay_decoded assay_decode(struct assay_env *env, uint16_t index, uint8_t from, struct assay_span content)
{
    return decode(env, index, from, content, ASSAY_SUMS_CHECKED);
}

struct assay_decoded assay_decode_broken(struct assay_env *env, uint16_t index, uint8_t from, struct assay_span in)
{
    struct assay_decoded d = decode(env, index, from, in, ASSAY_SUMS_IGNORED);
    if (d.message != ASSAY_NONE && d.event == env->model->messages[d.message].event)
        d.event = ASSAY_EV_MALFORMED;
    return d;
}

/* The message whose fields stand in a cut-off body: by its tag, or because there is but one. */
static uint16_t partial_message(struct assay_env *env, const struct assay_frame *frame, uint8_t from,
                                struct assay_span body)
{
    uint16_t found = ASSAY_NONE;
    for (uint16_t i = 0; i < env->model->messages_count; i++) {
        if (!candidate(env, frame, from, &env->model->messages[i], body))
            continue;
        if (found != ASSAY_NONE)
            return frame->walked & from ? found : ASSAY_NONE;
        found = i;
    }
    return found;
}

void assay_decode_partial(struct assay_env *env, uint16_t index, uint8_t from, struct assay_span in)
{
    const struct assay_frame *frame = &env->model->frames[index];
    env->known = 0;
    env->frame = in.p;
    if (frame->trim != ASSAY_NONE)
        in = assay_trim_front(&env->model->sets[frame->trim], in);
    struct assay_reader r = {.p = in.p, .n = in.n, .cut_off = true, .sums = ASSAY_SUMS_IGNORED};
    struct stop stop = decode_fields(env, frame->fields, &r);
    if (stop.event != ASSAY_NONE && (stop.field != frame->body || r.pos >= r.n))
        return;
    struct assay_span body = behind(in, r.pos);
    uint16_t message = partial_message(env, frame, from, body);
    if (message == ASSAY_NONE)
        return;
    struct assay_reader rest = {.p = body.p, .n = body.n, .cut_off = true};
    (void)decode_fields(env, env->model->messages[message].fields, &rest);
}
