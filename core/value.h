/* What an assay_val means: an integer, or a reference to bytes.
 *
 * References are offsets, not pointers, so that a session can be copied with
 * memcpy. They are resolved against the regions of one engine. A list of
 * numbers is bytes, too: 8 for each element, little-endian two's complement.
 */
#ifndef ASSAY_CORE_VALUE_H
#define ASSAY_CORE_VALUE_H

#include "core/model.h"

/* Borrowed bytes: valid as long as the function says that hands them over. */
struct assay_span {
    const uint8_t *p;
    uint32_t n;
};

enum assay_region {
    ASSAY_REGION_FRAME,   /* offset from the first byte of the frame being handled (or of call arguments) */
    ASSAY_REGION_VARS,    /* offset in the engine's memory for variables */
    ASSAY_REGION_CONST,   /* index in model->blobs, or, from ASSAY_CONST_OPTIONS on, in model->options: its blob */
    ASSAY_REGION_SCRATCH, /* offset in the engine's scratch: lives until the next event */
};

#define ASSAY_BYTES_MAX     ((1u << 30) - 1)
#define ASSAY_CONST_OPTIONS (1u << 31)

static inline assay_val assay_val_bytes(enum assay_region region, uint32_t offset, uint32_t size)
{
    return (assay_val)offset | (assay_val)region << 32 | (assay_val)size << 34;
}

static inline uint32_t assay_val_offset(assay_val v)
{
    return (uint32_t)v;
}
static inline enum assay_region assay_val_region(assay_val v)
{
    return (enum assay_region)(v >> 32 & 3);
}
static inline uint32_t assay_val_size(assay_val v)
{
    return (uint32_t)(v >> 34);
}

/* The empty byte string. */
#define ASSAY_VAL_EMPTY assay_val_bytes(ASSAY_REGION_SCRATCH, 0, 0)

struct assay_engine;

/* What expressions and the codec read from. A slot has a value only while its
 * bit in `known` is set: absent optional fields and, after an error or an end
 * of stream inside a frame, fields not reached have none. */
struct assay_env {
    const struct assay_model *model;
    assay_val *slots;      /* ASSAY_SLOTS_MAX of them */
    uint64_t known;        /* bit i: slots[i] holds a value */
    const assay_val *vars; /* of the session; indexed as in model->vars, less `vars_first` */
    uint16_t vars_first;
    const assay_val *options; /* values of model->options; NULL: the defaults */
    const uint8_t *frame;     /* base of ASSAY_REGION_FRAME */
    const uint8_t *heap;      /* base of ASSAY_REGION_VARS */
    uint8_t *scratch;         /* base of ASSAY_REGION_SCRATCH */
    uint32_t scratch_used, scratch_cap;
    uint64_t leniencies;         /* bit i: model->leniencies[i] is on */
    const bool *settled;         /* by message: its fields are all there is to read, or to write; NULL: not known */
    struct assay_engine *engine; /* whose session `vars` are of; NULL: there is none */
};

/* The bytes behind a reference; valid while the regions of `env` are. */
static inline struct assay_span assay_bytes(const struct assay_env *env, assay_val v)
{
    uint32_t offset = assay_val_offset(v), size = assay_val_size(v);
    switch (assay_val_region(v)) {
    case ASSAY_REGION_FRAME:
        return (struct assay_span){env->frame + offset, size};
    case ASSAY_REGION_VARS:
        return (struct assay_span){env->heap + offset, size};
    case ASSAY_REGION_CONST:
        if (offset >= ASSAY_CONST_OPTIONS)
            return (struct assay_span){env->model->options[offset - ASSAY_CONST_OPTIONS].blob.p, size};
        return (struct assay_span){env->model->blobs[offset].p, size};
    case ASSAY_REGION_SCRATCH:
        break;
    }
    return (struct assay_span){env->scratch + offset, size};
}

/* Room for n bytes in scratch; NULL when it is used up. */
static inline uint8_t *assay_scratch(struct assay_env *env, uint32_t n)
{
    if (n > env->scratch_cap - env->scratch_used || n > ASSAY_BYTES_MAX)
        return NULL;
    uint8_t *p = env->scratch + env->scratch_used;
    env->scratch_used += n;
    return p;
}

/* The reference to bytes that assay_scratch() returned. */
static inline assay_val assay_scratch_val(const struct assay_env *env, const uint8_t *p, uint32_t n)
{
    return assay_val_bytes(ASSAY_REGION_SCRATCH, (uint32_t)(p - env->scratch), n);
}

#endif
