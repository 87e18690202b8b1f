/* What reading and writing fields share. */
#ifndef ASSAY_CORE_FIELDS_H
#define ASSAY_CORE_FIELDS_H

#include "core/codec.h"
#include "core/code.h"

enum assay_fit {
    ASSAY_FIT,
    ASSAY_FIT_OUTSIDE, /* beyond the type's bounds, character set or byte set */
    ASSAY_FIT_UNNAMED, /* a closed enum has no such value */
};

/* Whether a value belongs to a type. */
enum assay_fit assay_fits(const struct assay_env *env, uint16_t type, assay_val v);

/* The same, without a call for what most fields are: numbers and bytes within bounds. */
static inline enum assay_fit assay_fits_quick(const struct assay_env *env, uint16_t index, assay_val v)
{
    if (index == ASSAY_NONE)
        return ASSAY_FIT;
    const struct assay_type *type = &env->model->types[index];
    int64_t measure = type->kind == ASSAY_T_INT ? (int64_t)v : (int64_t)assay_val_size(v);
    bool plain = type->kind == ASSAY_T_INT || (type->kind == ASSAY_T_BYTES && type->set == ASSAY_NONE);
    return plain && type->min <= measure && measure <= type->max ? ASSAY_FIT : assay_fits(env, index, v);
}

/* The same of bytes that are no value yet; the type is one of TEXT or BYTES. */
enum assay_fit assay_span_fits(const struct assay_model *model, uint16_t type, struct assay_span bytes);

static inline bool assay_set_has(const struct assay_byteset *set, uint8_t byte)
{
    return set->bits[byte >> 6] >> (byte & 63) & 1;
}

/* The item of a text enum; false: it has no such text. */
bool assay_enum_find(const struct assay_model *model, uint16_t of, struct assay_span text, bool fold,
                     assay_val *ordinal);

/* The first delimiter at or behind `from`. WHOLE: `at` and `size` tell where. Without one, `scanned`
 * is where a later search has to go on. */
struct assay_delim_found {
    bool found;
    uint32_t at, size, scanned;
};
struct assay_delim_found assay_delim_find(const struct assay_model *model, uint16_t delims, struct assay_span in,
                                          uint32_t from);

/* Where the first delimiter begins in bytes that are all there; their size: none does. */
uint32_t assay_delim_before(const struct assay_model *model, uint16_t delims, struct assay_span in);

/* Content without the bytes of a set at its ends, or at its front. */
struct assay_span assay_trim_front(const struct assay_byteset *set, struct assay_span content);
struct assay_span assay_trim(const struct assay_byteset *set, struct assay_span content);

/* What a reader of the frame sees of its content. */
static inline struct assay_span assay_frame_trim(const struct assay_model *model, const struct assay_frame *frame,
                                                 struct assay_span content)
{
    return frame->trim == ASSAY_NONE ? content : assay_trim(&model->sets[frame->trim], content);
}

/* Leniencies that are on for a field: bits of enum assay_loose. */
unsigned assay_loose(const struct assay_env *env, const struct assay_field *field);

/* Reads fields one after another. Never looks beyond `n`. */
struct assay_reader {
    const uint8_t *p;
    uint32_t n, pos;
    uint64_t need;  /* after SHORT: at least so many bytes are needed */
    bool open;      /* after SHORT: whether the field may go on behind `need` */
    uint8_t bit;    /* bits of p[pos] that are read */
    bool cut_off;   /* the bytes behind `n` are missing: what extends to the end is not complete */
    bool whole;     /* the bytes are the value of one field, from pairs or an object */
    uint8_t region; /* that the bytes stand in: FRAME or SCRATCH */
    uint8_t sums;   /* enum assay_sums */
};

/* What is done about the sum of a frame. */
enum assay_sums {
    ASSAY_SUMS_LATER,   /* reads as wrong: where the frame ends is not known yet */
    ASSAY_SUMS_CHECKED, /* the reader's bytes are the frame */
    ASSAY_SUMS_IGNORED,
};

enum assay_read {
    ASSAY_READ,
    ASSAY_READ_SHORT,
    ASSAY_READ_BAD,     /* not in the field's form; the reader stands behind it */
    ASSAY_READ_LOST,    /* nor can it be told where it ends */
    ASSAY_READ_UNNAMED, /* the text of no enum value */
    ASSAY_READ_ABSENT,  /* a member that need not be there, and is not */
    ASSAY_READ_SUM,     /* a sum that is not that of the frame */
};

/* The next field, whatever its constraints; bytes stand in ASSAY_REGION_FRAME, lists and what had to be rewritten in
 * scratch. A member takes nothing from the reader; an object also sets the slots of its fields. */
enum assay_read assay_read_field(struct assay_env *env, const struct assay_field *field, struct assay_reader *reader,
                                 assay_val *value);

/* A field of form BYTES, DECIMAL or HEX from bytes that are its value and nothing else. */
enum assay_read assay_read_value(struct assay_env *env, const struct assay_field *field, struct assay_span bytes,
                                 enum assay_region region, assay_val *value);

/* ahead.c, object.c: forms of their own */
enum assay_read assay_read_ahead(struct assay_env *env, const struct assay_field *field, struct assay_reader *reader,
                                 assay_val *value);
enum assay_read assay_read_object(struct assay_env *env, const struct assay_field *field, struct assay_span text);

/* Whether a field takes no bytes of its own where encoders write it. */
static inline bool assay_off_wire(const struct assay_field *field)
{
    return field->form == ASSAY_FORM_CALC || field->form == ASSAY_FORM_AHEAD || field->form == ASSAY_FORM_OBJECT ||
           (field->flags & ASSAY_F_MEMBER);
}

/* assay_decode() of the frame that assay_frame_find() has just found in the same env. */
struct assay_decoded assay_decode_found(struct assay_env *env, uint16_t frame, uint8_t from,
                                        const struct assay_frame_found *found, struct assay_span content);

/* settled.c: whether the fields of a message in a frame are all there is to it. A reader has nothing to check behind
 * them; a writer has none to compute or to give its default. An engine notes both once for each message. */
bool assay_settled_read(const struct assay_model *model, const struct assay_frame *frame,
                        const struct assay_message *m);
bool assay_settled_given(const struct assay_model *model, const struct assay_frame *frame,
                         const struct assay_message *m);

/* Which message's fields tell where the frame ends, whose own are read; ASSAY_NONE: none. */
uint16_t assay_message_walked(struct assay_env *env, const struct assay_frame *frame, uint8_t from,
                              struct assay_span body);

static inline void assay_slot_set(struct assay_env *env, uint16_t slot, assay_val value)
{
    if (slot == ASSAY_NONE)
        return;
    env->slots[slot] = value;
    env->known |= (uint64_t)1 << slot;
}

static inline bool assay_slot_known(const struct assay_env *env, uint16_t slot)
{
    return slot != ASSAY_NONE && (env->known >> slot & 1);
}

#endif
