#include "core/value.h"

struct assay_span assay_bytes(const struct assay_env *env, assay_val v)
{
    uint32_t offset = assay_val_offset(v), size = assay_val_size(v);
    switch (assay_val_region(v)) {
    case ASSAY_REGION_FRAME:
        return (struct assay_span){env->frame + offset, size};
    case ASSAY_REGION_VARS:
        return (struct assay_span){env->heap + offset, size};
    case ASSAY_REGION_CONST:
        return (struct assay_span){env->model->blobs[offset].p, size};
    case ASSAY_REGION_SCRATCH:
        break;
    }
    return (struct assay_span){env->scratch + offset, size};
}

uint8_t *assay_scratch(struct assay_env *env, uint32_t n)
{
    if (n > env->scratch_cap - env->scratch_used || n > ASSAY_BYTES_MAX)
        return NULL;
    uint8_t *p = env->scratch + env->scratch_used;
    env->scratch_used += n;
    return p;
}

assay_val assay_scratch_val(const struct assay_env *env, const uint8_t *p, uint32_t n)
{
    return assay_val_bytes(ASSAY_REGION_SCRATCH, (uint32_t)(p - env->scratch), n);
}
