#include <string.h>

#include "core/fields.h"
#include "core/members.h"
#include "core/number.h"
#include "core/pairs.h"
#include "core/sums.h"

struct writer {
    uint8_t *p;
    uint32_t cap, n;
    uint8_t bit;                   /* bits of p[n] that are written */
    const struct assay_field *sum; /* the field of the frame's sum, which is written last; NULL: there is none */
    uint32_t sum_at;
};

/* ---- writing one field ------------------------------------------------- */

static inline enum assay_encode_status put(struct writer *w, const uint8_t *p, uint32_t n)
{
    if (w->bit)
        return ASSAY_ENCODE_FIELD;
    if (n > w->cap - w->n)
        return ASSAY_ENCODE_SPACE;
    if (n)
        memcpy(w->p + w->n, p, n);
    w->n += n;
    return ASSAY_ENCODED;
}

static enum assay_encode_status put_bits(struct writer *w, uint64_t v, unsigned bits)
{
    if ((w->bit + bits + 7) / 8 > w->cap - w->n)
        return ASSAY_ENCODE_SPACE;
    while (bits > 0) {
        unsigned rest = 8u - w->bit, taken = bits < rest ? bits : rest;
        uint8_t chunk = (uint8_t)((v >> (bits - taken) & ((1u << taken) - 1)) << (rest - taken));
        w->p[w->n] = w->bit ? w->p[w->n] | chunk : chunk;
        w->bit = (uint8_t)(w->bit + taken);
        bits -= taken;
        if (w->bit == 8) {
            w->bit = 0;
            w->n++;
        }
    }
    return ASSAY_ENCODED;
}

static enum assay_encode_status put_uint(struct writer *w, uint64_t v, unsigned bits, bool little)
{
    if (w->bit || bits % 8)
        return put_bits(w, v, bits);
    unsigned n = bits / 8;
    if (n > w->cap - w->n)
        return ASSAY_ENCODE_SPACE;
    uint8_t *to = w->p + w->n;
    for (unsigned i = 0; i < n; i++)
        to[little ? i : n - 1 - i] = (uint8_t)(v >> (8 * i));
    w->n += n;
    return ASSAY_ENCODED;
}

static bool int_fits(uint64_t v, unsigned bits, bool is_signed)
{
    if (bits >= 64)
        return true;
    if (!is_signed)
        return v >> bits == 0;
    int64_t x = (int64_t)v, limit = (int64_t)1 << (bits - 1);
    return -limit <= x && x < limit;
}

static enum assay_encode_status leave_room(const struct assay_field *f, struct writer *w)
{
    static const uint8_t zeros[8];
    w->sum = f;
    w->sum_at = w->n;
    return put(w, zeros, f->bits / 8u);
}

static enum assay_encode_status write_int(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                          assay_val v)
{
    (void)env;
    if (f->sum)
        return leave_room(f, w);
    if (!int_fits(v, f->bits, f->flags & ASSAY_F_SIGNED))
        return ASSAY_ENCODE_FIELD;
    return put_uint(w, v, f->bits, f->flags & ASSAY_F_LITTLE);
}

static enum assay_encode_status put_varint(struct writer *w, uint64_t v, unsigned bytes_max, bool little)
{
    uint8_t bytes[10];
    unsigned n = 1;
    while (n < 10 && v >> (7 * n))
        n++;
    if (n > bytes_max)
        return ASSAY_ENCODE_FIELD;
    for (unsigned i = 0; i < n; i++) {
        unsigned group = little ? i : n - 1 - i;
        bytes[i] = (uint8_t)((v >> (7 * group) & 0x7f) | (i + 1 < n ? 0x80 : 0));
    }
    return put(w, bytes, n);
}

static enum assay_encode_status write_varint(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                             assay_val v)
{
    (void)env;
    return put_varint(w, v, f->bits / 8, f->flags & ASSAY_F_LITTLE);
}

static enum assay_encode_status put_prefix(const struct assay_field *f, struct writer *w, uint32_t size)
{
    bool little = f->flags & ASSAY_F_LITTLE;
    if (f->extent_arg == 0)
        return put_varint(w, size, 10, little);
    return int_fits(size, f->extent_arg, false) ? put_uint(w, size, f->extent_arg, little) : ASSAY_ENCODE_FIELD;
}

/* Bytes, then their delimiter, which must be the first that a reader finds. */
static enum assay_encode_status put_delimited(const struct assay_model *model, uint16_t delims, struct writer *w,
                                              struct assay_span s)
{
    struct assay_blob delim = model->blobs[model->delims[delims].blobs.first];
    uint32_t start = w->n;
    enum assay_encode_status status = put(w, s.p, s.n);
    if (status == ASSAY_ENCODED)
        status = put(w, delim.p, delim.n);
    if (status != ASSAY_ENCODED)
        return status;
    struct assay_delim_found d = assay_delim_find(model, delims, (struct assay_span){w->p + start, w->n - start}, 0);
    return d.found && d.at == s.n && d.size == delim.n ? ASSAY_ENCODED : ASSAY_ENCODE_FIELD;
}

static enum assay_encode_status put_sized(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                          struct assay_span s)
{
    assay_val size;
    if (!assay_eval(env, f->extent_arg, &size) || size != s.n)
        return ASSAY_ENCODE_FIELD;
    return put(w, s.p, s.n);
}

static enum assay_encode_status put_prefixed(const struct assay_field *f, struct writer *w, struct assay_span s)
{
    enum assay_encode_status status = put_prefix(f, w, s.n);
    return status == ASSAY_ENCODED ? put(w, s.p, s.n) : status;
}

/* Nothing in them may end them; what follows does, or the end. */
static enum assay_encode_status put_before(const struct assay_model *model, uint16_t delims, struct writer *w,
                                           struct assay_span s)
{
    return assay_delim_before(model, delims, s) == s.n ? put(w, s.p, s.n) : ASSAY_ENCODE_FIELD;
}

static inline enum assay_encode_status write_extent(struct assay_env *env, const struct assay_field *f,
                                                    struct writer *w, struct assay_span s)
{
    switch ((enum assay_extent)f->extent) {
    case ASSAY_EXT_FIXED:
        return s.n == f->extent_arg ? put(w, s.p, s.n) : ASSAY_ENCODE_FIELD;
    case ASSAY_EXT_CODE:
        return put_sized(env, f, w, s);
    case ASSAY_EXT_PREFIX:
        return put_prefixed(f, w, s);
    case ASSAY_EXT_UNTIL:
        return put_delimited(env->model, f->extent_arg, w, s);
    case ASSAY_EXT_BEFORE:
        return put_before(env->model, f->extent_arg, w, s);
    case ASSAY_EXT_REST:
    case ASSAY_EXT_COUNT: /* its count was checked by the list */
        break;
    }
    return put(w, s.p, s.n);
}

static enum assay_encode_status write_decimal(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                              assay_val v)
{
    uint8_t text[ASSAY_DECIMAL_MAX];
    if ((int64_t)v < 0 && !(f->flags & ASSAY_F_SIGNED))
        return ASSAY_ENCODE_FIELD;
    return write_extent(env, f, w, (struct assay_span){text, assay_format_decimal((int64_t)v, text)});
}

static enum assay_encode_status write_hex(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                          assay_val v)
{
    uint8_t text[ASSAY_HEX_MAX];
    return write_extent(env, f, w, (struct assay_span){text, assay_format_hex(v, text)});
}

static enum assay_encode_status write_bytes(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                            assay_val v)
{
    const struct assay_type *type = &env->model->types[f->type];
    if (type->kind != ASSAY_T_ENUM)
        return write_extent(env, f, w, assay_bytes(env, v));
    struct assay_blob text = env->model->enum_items[env->model->enums[type->of].items.first + v].text;
    return write_extent(env, f, w, (struct assay_span){text.p, text.n});
}

static enum assay_encode_status write_const(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                            assay_val v)
{
    (void)v;
    struct assay_blob blob = env->model->blobs[f->extent_arg];
    return put(w, blob.p, blob.n);
}

static enum assay_encode_status write_field(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                            assay_val v);

static enum assay_encode_status write_items(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                            struct assay_span items)
{
    enum assay_encode_status status = ASSAY_ENCODED;
    const struct assay_field *element = &env->model->fields[f->element];
    for (uint32_t at = 0; status == ASSAY_ENCODED && at < items.n; at += 8)
        status = write_field(env, element, w, (assay_val)assay_load_item(items.p + at));
    return status;
}

static enum assay_encode_status write_list(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                           assay_val v)
{
    assay_val count;
    if (f->extent == ASSAY_EXT_REST)
        return write_items(env, f, w, assay_bytes(env, v));
    if (f->extent == ASSAY_EXT_COUNT) {
        if (!assay_eval(env, f->extent_arg, &count) || count != assay_val_size(v) / 8)
            return ASSAY_ENCODE_FIELD;
        return write_items(env, f, w, assay_bytes(env, v));
    }
    /* The elements have to be there before their size is known: they go to scratch first. */
    uint32_t used = env->scratch_used;
    struct writer items = {.p = env->scratch + used, .cap = env->scratch_cap - used};
    enum assay_encode_status status = write_items(env, f, &items, assay_bytes(env, v));
    if (status != ASSAY_ENCODED || items.bit)
        return ASSAY_ENCODE_FIELD;
    env->scratch_used += items.n;
    status = write_extent(env, f, w, (struct assay_span){items.p, items.n});
    env->scratch_used = used;
    return status;
}

/* Whatever the form of the text given, its canonical one is written. */
static enum assay_encode_status write_pairs(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                            assay_val v)
{
    uint32_t used = env->scratch_used;
    bool same;
    assay_val made;
    if (!assay_pairs_canonical(env, f->element, assay_bytes(env, v), &same, &made))
        return ASSAY_ENCODE_FIELD;
    enum assay_encode_status status = write_extent(env, f, w, assay_bytes(env, same ? v : made));
    env->scratch_used = used;
    return status;
}

static enum assay_encode_status write_nothing(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                              assay_val v)
{
    (void)env, (void)f, (void)w, (void)v;
    return ASSAY_ENCODED;
}

static enum assay_encode_status write_field(struct assay_env *env, const struct assay_field *f, struct writer *w,
                                            assay_val v)
{
    static enum assay_encode_status (*const forms[])(struct assay_env *, const struct assay_field *, struct writer *,
                                                     assay_val) = {
        [ASSAY_FORM_INT] = write_int,     [ASSAY_FORM_VARINT] = write_varint,  [ASSAY_FORM_DECIMAL] = write_decimal,
        [ASSAY_FORM_HEX] = write_hex,     [ASSAY_FORM_BYTES] = write_bytes,    [ASSAY_FORM_CONST] = write_const,
        [ASSAY_FORM_LIST] = write_list,   [ASSAY_FORM_CALC] = write_nothing,   [ASSAY_FORM_AHEAD] = write_nothing,
        [ASSAY_FORM_PAIRS] = write_pairs, [ASSAY_FORM_OBJECT] = write_nothing,
    };
    return forms[f->form](env, f, w, v);
}

/* ---- values ------------------------------------------------------------ */

static inline bool present(struct assay_env *env, const struct assay_field *f)
{
    return f->present == ASSAY_NONE || assay_holds(env, f->present);
}

/* What is left to do behind the defaults. */
struct left {
    bool computed, computed_yet; /* fields to compute; that was done once */
    bool absent;                 /* fields that are not there as far as can be told, which a computed one may change */
};

/* Give fields without a value their default, and take from computed ones what the caller may have given. */
static void fill_defaults(struct assay_env *env, struct assay_range fields, struct left *left)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &env->model->fields[i];
        assay_val v;
        if (f->slot == ASSAY_NONE)
            continue;
        if (f->is != ASSAY_NONE) {
            if (!left->computed_yet)
                env->known &= ~((uint64_t)1 << f->slot);
            left->computed = true;
        } else if (f->init != ASSAY_NONE && !assay_slot_known(env, f->slot)) {
            if (!present(env, f))
                left->absent = true;
            else if (assay_eval(env, f->init, &v))
                assay_slot_set(env, f->slot, v);
        }
    }
}

/* Compute what can be computed by now; `done` keeps those that are. True: some were. */
static bool compute(struct assay_env *env, struct assay_range fields, uint64_t *done)
{
    bool progress = false;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &env->model->fields[i];
        assay_val v;
        if (f->is == ASSAY_NONE || f->slot == ASSAY_NONE || (*done >> f->slot & 1))
            continue;
        if (!assay_eval(env, f->is, &v))
            continue;
        assay_slot_set(env, f->slot, v);
        *done |= (uint64_t)1 << f->slot;
        progress = true;
    }
    return progress;
}

/* Computed fields may depend on each other in any order. */
static void compute_all(struct assay_env *env, struct assay_range outer, struct assay_range own, uint64_t *done)
{
    bool progress = true;
    while (progress) {
        progress = compute(env, own, done);
        progress = compute(env, outer, done) || progress;
    }
}

static void complete_values(struct assay_env *env, struct assay_range outer, struct assay_range own, uint64_t *done)
{
    struct left left = {false, false, false};
    for (int round = 0; round < 2; round++) {
        fill_defaults(env, outer, &left);
        fill_defaults(env, own, &left);
        if (left.computed)
            compute_all(env, outer, own, done);
        if (!left.absent || !left.computed)
            return;
        left.computed_yet = true;
    }
}

static inline bool value_of(struct assay_env *env, const struct assay_field *f, assay_val *v)
{
    if (assay_slot_known(env, f->slot)) {
        *v = env->slots[f->slot];
        return true;
    }
    if (f->slot != ASSAY_NONE) {
        *v = 0;
        return f->sum;
    }
    uint16_t code = f->is != ASSAY_NONE ? f->is : f->init;
    *v = f->type != ASSAY_NONE && env->model->types[f->type].kind >= ASSAY_T_BYTES ? ASSAY_VAL_EMPTY : 0;
    return code == ASSAY_NONE || assay_eval(env, code, v);
}

static struct assay_encoded encode_fields(struct assay_env *env, struct assay_range fields, struct writer *w)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &env->model->fields[i];
        assay_val v = 0;
        if (assay_off_wire(f) || !present(env, f))
            continue;
        enum assay_encode_status status = ASSAY_ENCODE_FIELD;
        if (f->form == ASSAY_FORM_CONST ||
            (value_of(env, f, &v) && assay_fits_quick(env, f->type, v) == ASSAY_FIT && assay_holds(env, f->check)))
            status = write_field(env, f, w, v);
        if (status != ASSAY_ENCODED)
            return (struct assay_encoded){status, 0, (uint16_t)i};
    }
    return (struct assay_encoded){w->bit ? ASSAY_ENCODE_FIELD : ASSAY_ENCODED, w->n, ASSAY_NONE};
}

/* ---- messages ---------------------------------------------------------- */

static bool set_tag(struct assay_env *env, const struct assay_frame *frame, const struct assay_message *m)
{
    if (m->tag_kind == ASSAY_TAG_VALUE)
        assay_slot_set(env, frame->tag, (assay_val)m->tag);
    if (m->tag_kind != ASSAY_TAG_TEXT)
        return true;
    uint8_t *p = assay_scratch(env, m->tag_text.n);
    if (!p)
        return false;
    if (m->tag_text.n)
        memcpy(p, m->tag_text.p, m->tag_text.n);
    assay_slot_set(env, frame->tag, assay_scratch_val(env, p, m->tag_text.n));
    return true;
}

/* A message inside a body field: its size and bytes may be needed by the fields before it, so it is made in scratch. */
static struct assay_encoded encode_body(struct assay_env *env, const struct assay_frame *frame,
                                        const struct assay_message *m, uint64_t *done)
{
    uint32_t used = env->scratch_used;
    /* what its expressions need of scratch while it is written goes behind its longest form */
    uint32_t room = m->wire_max < env->scratch_cap - used ? m->wire_max : env->scratch_cap - used;
    struct writer w = {.p = env->scratch + used, .cap = room};
    env->scratch_used += room;
    struct assay_encoded e = encode_fields(env, m->fields, &w);
    if (e.status != ASSAY_ENCODED)
        return e;
    assay_slot_set(env, env->model->fields[frame->body].slot, assay_scratch_val(env, w.p, w.n));
    *done |= (uint64_t)1 << env->model->fields[frame->body].slot;
    compute_all(env, frame->fields, m->fields, done);
    return e;
}

/* A reader would take off what belongs to the content, or see no frame at all. */
static bool trimmed(const struct assay_model *model, const struct assay_frame *frame, struct assay_span content)
{
    struct assay_span inner = assay_frame_trim(model, frame, content);
    return inner.n != content.n || (frame->blank && inner.n == 0);
}

static struct assay_encoded finish(struct assay_env *env, const struct assay_frame *frame, struct writer *w,
                                   bool undelimited)
{
    struct assay_encoded bad = {ASSAY_ENCODE_FIELD, 0, ASSAY_NONE};
    if (w->sum)
        assay_sum_write(w->sum, w->p, w->n, w->sum_at);
    if (trimmed(env->model, frame, (struct assay_span){w->p, w->n}))
        return bad;
    if (frame->end == ASSAY_END_UNTIL && !undelimited) {
        uint32_t size = w->n;
        struct assay_blob delim = env->model->blobs[env->model->delims[frame->delims].blobs.first];
        enum assay_encode_status status = put(w, delim.p, delim.n);
        if (status != ASSAY_ENCODED)
            return (struct assay_encoded){status, 0, ASSAY_NONE};
        struct assay_delim_found d = assay_delim_find(env->model, frame->delims, (struct assay_span){w->p, w->n}, 0);
        if (!d.found || d.at != size || d.size != delim.n)
            return bad;
    }
    return w->n <= frame->max ? (struct assay_encoded){ASSAY_ENCODED, w->n, ASSAY_NONE} : bad;
}

static struct assay_encoded encode_all(struct assay_env *env, const struct assay_frame *frame,
                                       const struct assay_message *m, struct writer *w, bool undelimited)
{
    struct assay_encoded e = {ASSAY_ENCODED, 0, ASSAY_NONE};
    uint64_t done = 0;
    if (frame->body != ASSAY_NONE) {
        done = (uint64_t)1 << env->model->fields[frame->body].slot;
        env->known &= ~done;
    }
    if (!env->settled || !env->settled[m - env->model->messages])
        complete_values(env, frame->fields, m->fields, &done);
    if (frame->body != ASSAY_NONE)
        e = encode_body(env, frame, m, &done);
    if (e.status == ASSAY_ENCODED)
        e = encode_fields(env, frame->fields, w);
    if (e.status == ASSAY_ENCODED && frame->body == ASSAY_NONE && m->fields.count)
        e = encode_fields(env, m->fields, w);
    for (uint32_t i = 0; e.status == ASSAY_ENCODED && i < m->wheres.count; i++)
        if (!assay_holds(env, env->model->wheres[m->wheres.first + i].that))
            e = (struct assay_encoded){ASSAY_ENCODE_FIELD, 0, ASSAY_NONE};
    return e.status == ASSAY_ENCODED ? finish(env, frame, w, undelimited) : e;
}

struct assay_encoded assay_encode(struct assay_env *env, uint16_t frame_index, uint16_t message, uint8_t *out,
                                  uint32_t cap, bool undelimited)
{
    const struct assay_frame *frame = &env->model->frames[frame_index];
    const struct assay_message *m = &env->model->messages[message];
    struct writer w = {.p = out, .cap = cap};
    uint32_t used = env->scratch_used;
    bool members = env->model->pairs_count > 0;
    struct assay_merged merged;
    struct assay_encoded e = {ASSAY_ENCODE_FIELD, 0, ASSAY_NONE};
    bool ready = set_tag(env, frame, m);
    if (members)
        ready = assay_members_merge(env, frame, m, &merged, &e.field) && ready;
    if (ready)
        e = encode_all(env, frame, m, &w, undelimited);
    if (members) /* slots of pairs hold what was given again: what was made of it stood in scratch */
        assay_members_restore(env, &merged);
    env->scratch_used = used;
    return e;
}
