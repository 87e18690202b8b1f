/* Decoding of arbitrary bytes, both directions. What a decoder accepts,
 * encoding gives back byte for byte; where a leniency was used, decoding that
 * again gives the same values (LANGUAGE.md, section 5). */
#include "fuzz/target.h"

#include <stdlib.h>
#include <string.h>

#include "core/sums.h"

struct decoding {
    struct assay_env env;
    assay_val slots[ASSAY_SLOTS_MAX];
    struct assay_decoded result;
};

static uint8_t *scratch[2], *encoded, *again, *summed;
static uint32_t scratch_cap, encoded_cap;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const struct assay_model *model = fuzz_model();
    scratch_cap = model->scratch + model->frame_max + 4096;
    encoded_cap = model->frame_max + 64;
    for (size_t i = 0; i < 2; i++)
        scratch[i] = malloc(scratch_cap);
    encoded = malloc(encoded_cap);
    again = malloc(encoded_cap);
    summed = malloc(encoded_cap);
    fuzz_require(scratch[0] && scratch[1] && encoded && again && summed, "out of memory");
    return 0;
}

static void begin(struct decoding *d, size_t which, const uint8_t *content)
{
    *d = (struct decoding){.env = {.model = fuzz_model(),
                                   .slots = d->slots,
                                   .frame = content,
                                   .scratch = scratch[which],
                                   .scratch_cap = scratch_cap}};
}

/* False: the canonical form begins or ends with what its reader would trim, so that nobody can send it. */
static bool encode(struct decoding *d, uint16_t frame, uint8_t *to, uint32_t *size)
{
    struct assay_encoded e = assay_encode(&d->env, frame, d->result.message, to, encoded_cap, true);
    *size = e.size;
    if (e.status == ASSAY_ENCODE_FIELD && e.field == ASSAY_NONE && fuzz_model()->frames[frame].trim != ASSAY_NONE)
        return false;
    fuzz_require(e.status == ASSAY_ENCODED, "a decoded message cannot be encoded");
    return true;
}

/* Texts compared without case, delimiters with alternatives, pairs and JSON have forms that no encoder writes. */
static bool one_form_each(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->fields_count; i++)
        if (model->fields[i].flags & ASSAY_F_FOLD)
            return false;
    for (uint16_t i = 0; i < model->delims_count; i++)
        if (model->delims[i].blobs.count > 1)
            return false;
    return model->pairs_count == 0 && model->objects_count == 0;
}

static void check_direction(uint16_t frame, uint8_t from, uint64_t leniencies, const uint8_t *data, uint32_t size)
{
    struct decoding one, two;
    begin(&one, 0, data);
    one.env.leniencies = leniencies;
    one.result = assay_decode(&one.env, frame, from, (struct assay_span){data, size});
    const struct assay_model *model = fuzz_model();
    fuzz_require(one.result.event < model->events_count, "no such event");
    if (model->events[one.result.event].kind != ASSAY_EVK_MESSAGE)
        return;
    uint32_t n, m;
    if (!encode(&one, frame, encoded, &n))
        return;
    if (leniencies == 0 && one_form_each(model))
        fuzz_require(n == size && memcmp(encoded, data, n) == 0, "encoding does not give the bytes back");
    begin(&two, 1, encoded);
    two.result = assay_decode(&two.env, frame, from, (struct assay_span){encoded, n});
    fuzz_require(two.result.message == one.result.message, "encoding gives another message");
    fuzz_require(encode(&two, frame, again, &m) && m == n && memcmp(again, encoded, n) == 0, "encoding twice differs");
}

/* The bytes as they are; where the frame has a sum, also with the right one. */
static void check_sums(uint16_t frame, uint8_t from, uint64_t leniencies, const uint8_t *data, uint32_t size)
{
    struct decoding d;
    check_direction(frame, from, leniencies, data, size);
    if (size)
        memcpy(summed, data, size);
    begin(&d, 0, summed);
    if (assay_sum_again(&d.env, frame, summed, size))
        check_direction(frame, from, leniencies, summed, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct assay_model *model = fuzz_model();
    uint32_t n = size > model->frame_max ? model->frame_max : (uint32_t)size;
    for (uint16_t i = 0; i < model->machines_count; i++) {
        const struct assay_machine *m = &model->machines[i];
        if (m->role == ASSAY_SERVER) {
            check_sums(m->frame_in, ASSAY_CLIENT, 0, data, n);
            check_sums(m->frame_in, ASSAY_CLIENT, assay_leniencies_default(model), data, n);
            check_sums(m->frame_out, ASSAY_SERVER, 0, data, n);
        }
    }
    return 0;
}
