/* A look at bytes through the codec, outside of any engine: an environment
 * with its own slots and scratch. Internal to the suite. */
#ifndef ASSAY_CONFORMANCE_LENS_H
#define ASSAY_CONFORMANCE_LENS_H

#include "core/codec.h"

struct assay_lens {
    struct assay_env env;
    assay_val slots[ASSAY_SLOTS_MAX];
    uint8_t *scratch;
};

/* False: out of memory. `extra` bytes of scratch beyond what the model asks for. */
bool assay_lens_init(struct assay_lens *lens, const struct assay_model *model, const assay_val *options,
                     uint64_t leniencies, uint32_t extra);
void assay_lens_free(struct assay_lens *lens);

/* Forget slots and scratch. */
void assay_lens_clear(struct assay_lens *lens);

#endif
