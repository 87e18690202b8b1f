#include <stdlib.h>

#include "conformance/lens.h"

bool assay_lens_init(struct assay_lens *lens, const struct assay_model *model, const assay_val *options,
                     uint64_t leniencies, uint32_t extra)
{
    uint32_t cap = model->scratch + extra;
    lens->scratch = malloc(cap ? cap : 1);
    lens->env = (struct assay_env){.model = model,
                                   .slots = lens->slots,
                                   .options = options,
                                   .scratch = lens->scratch,
                                   .scratch_cap = cap,
                                   .leniencies = leniencies};
    return lens->scratch != NULL;
}

void assay_lens_free(struct assay_lens *lens)
{
    free(lens->scratch);
    lens->scratch = NULL;
}

void assay_lens_clear(struct assay_lens *lens)
{
    lens->env.known = 0;
    lens->env.scratch_used = 0;
}
