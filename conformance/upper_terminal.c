/* Programs that a person uses: what is typed to have a call done. */
#include <stdlib.h>
#include <string.h>

#include "conformance/lens.h"
#include "conformance/upper.h"
#include "core/code.h"

#define SPARE 4096u /* bytes of scratch beside the arguments, each of which may stand there three times */

static uint32_t size_of(const struct assay_call *c, const struct assay_model *model, const struct assay_span *spans)
{
    uint32_t n = 0;
    for (uint16_t i = 0; spans && i < c->args.count; i++)
        if (model->types[model->params[c->args.first + i].type].kind >= ASSAY_T_BYTES)
            n += spans[i].n;
    return n;
}

/* `spans` NULL: with every argument of bytes empty, so that only what stands around them is left. */
static bool typed(const struct assay_model *model, uint16_t code, const struct assay_call *c, const assay_val *values,
                  const struct assay_span *spans, FILE *to)
{
    struct assay_lens lens;
    assay_val text;
    if (!assay_lens_init(&lens, model, NULL, 0, 3 * size_of(c, model, spans) + SPARE))
        return false;
    for (uint16_t i = 0; i < c->args.count; i++) {
        bool bytes = model->types[model->params[c->args.first + i].type].kind >= ASSAY_T_BYTES;
        uint32_t n = bytes && spans ? spans[i].n : 0;
        uint8_t *copy = assay_scratch(&lens.env, n);
        if (copy && n)
            memcpy(copy, spans[i].p, n);
        lens.slots[i] = !bytes ? values[i] : copy ? assay_scratch_val(&lens.env, copy, n) : ASSAY_VAL_EMPTY;
        lens.env.known |= (uint64_t)1 << i;
    }
    bool good = assay_eval(&lens.env, code, &text);
    struct assay_span out = good ? assay_bytes(&lens.env, text) : (struct assay_span){0};
    fwrite(out.p ? out.p : (const uint8_t *)"", 1, out.n, to);
    assay_lens_free(&lens);
    return good;
}

bool assay_terminal_call(const struct assay_model *model, const struct assay_terminal *terminal, uint16_t call,
                         const assay_val *values, const struct assay_span *spans, FILE *to)
{
    uint16_t code = terminal ? terminal->calls[call] : ASSAY_NONE;
    return code != ASSAY_NONE && typed(model, code, &model->calls[call], values, spans, to);
}

bool assay_terminal_types(const struct assay_model *model, const struct assay_terminal *terminal, uint16_t call,
                          const assay_val *values, const struct assay_span *spans)
{
    const struct assay_call *c = &model->calls[call];
    uint16_t code = terminal ? terminal->calls[call] : ASSAY_NONE;
    char *end = NULL;
    size_t n = 0;
    FILE *f = code == ASSAY_NONE ? NULL : open_memstream(&end, &n);
    if (!f)
        return false;
    bool good = typed(model, code, c, values, NULL, f);
    fclose(f);
    for (uint16_t i = 0; good && n && i < c->args.count; i++)
        if (model->types[model->params[c->args.first + i].type].kind >= ASSAY_T_BYTES && spans[i].n)
            good = !memmem(spans[i].p, spans[i].n, end, n);
    free(end);
    return good;
}
