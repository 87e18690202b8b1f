/* Arguments to the engine, results and effects' arguments from it. */
#include <string.h>

#include "core/fields.h"
#include "core/vm.h"
#include "libclient/client.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "lists are handed over as they lie in memory, least significant byte first"
#endif

#define ALIGN 8u

uint16_t assay_args_most(const struct assay_model *model)
{
    uint16_t most = 1;
    for (uint16_t i = 0; i < model->calls_count; i++)
        if (model->calls[i].args.count > most)
            most = model->calls[i].args.count;
    return most;
}

static size_t longest_of(const struct assay_model *model, const struct assay_param *param, uint64_t longest)
{
    const struct assay_type *type = &model->types[param->type];
    if (type->kind < ASSAY_T_BYTES)
        return 0;
    uint64_t size = (uint64_t)type->max;
    if (type->kind == ASSAY_T_LIST)
        size = size < longest ? size * 8 : longest;
    return (size_t)(size < longest ? size : longest) + 2 * ALIGN;
}

static size_t params_size(const struct assay_model *model, struct assay_range params, uint64_t longest)
{
    size_t size = 0;
    for (uint16_t i = 0; i < params.count; i++)
        size += longest_of(model, &model->params[params.first + i], longest);
    return size;
}

static void widen(const struct assay_model *model, struct assay_range params, uint64_t longest, size_t *size,
                  uint16_t *values)
{
    size_t needed = params_size(model, params, longest);
    *size = needed > *size ? needed : *size;
    *values = params.count > *values ? params.count : *values;
}

size_t assay_shelf_size(const struct assay_model *model, uint64_t longest, uint16_t *values)
{
    size_t size = ALIGN;
    *values = 1;
    for (uint16_t i = 0; i < model->calls_count; i++)
        widen(model, model->calls[i].results, longest, &size, values);
    for (uint16_t i = 0; i < model->effects_count; i++)
        widen(model, model->effects[i].args, longest, &size, values);
    return size;
}

static bool take(struct assay_client *c, const struct assay_param *param, const struct assay_value *arg, uint16_t i)
{
    static const uint8_t nothing[1];
    struct assay_env env = {.model = &c->model};
    if (!assay_is_bytes(&c->model, param->type)) {
        c->arg_values[i] = (assay_val)arg->number;
        return assay_fits(&env, param->type, c->arg_values[i]) == ASSAY_FIT;
    }
    if (arg->size > ASSAY_BYTES_MAX || (arg->size > 0 && !arg->bytes))
        return false;
    if (c->model.types[param->type].kind == ASSAY_T_LIST && arg->size % 8 != 0)
        return false;
    c->arg_spans[i] = (struct assay_span){arg->size ? arg->bytes : nothing, (uint32_t)arg->size};
    env.frame = c->arg_spans[i].p;
    return assay_fits(&env, param->type, assay_val_bytes(ASSAY_REGION_FRAME, 0, c->arg_spans[i].n)) == ASSAY_FIT;
}

uint16_t assay_args_take(struct assay_client *c, const struct assay_call *call, const struct assay_value *args)
{
    uint16_t i = 0;
    while (i < call->args.count && args && take(c, &c->model.params[call->args.first + i], &args[i], i))
        i++;
    return i;
}

/* An argument longer than a frame cannot be sent but as a list, whose numbers may be shorter there. */
size_t assay_args_size(const struct assay_model *model)
{
    size_t size = 0;
    uint16_t ignored = 0;
    for (uint16_t i = 0; model->reliables_count && i < model->calls_count; i++)
        widen(model, model->calls[i].args, (uint64_t)model->frame_max * 64, &size, &ignored);
    return size;
}

bool assay_args_keep(struct assay_client *c, const struct assay_call *call)
{
    size_t used = 0;
    for (uint16_t i = 0; i < call->args.count; i++) {
        struct assay_span *span = &c->arg_spans[i];
        if (!assay_is_bytes(&c->model, c->model.params[call->args.first + i].type))
            continue;
        size_t size = (span->n + ALIGN - 1) / ALIGN * ALIGN;
        if (size > c->early_size - used)
            return false;
        memcpy(c->early_room + used, span->p, span->n);
        span->p = c->early_room + used;
        used += size;
    }
    return true;
}

/* Bytes behind those that are there, with a NUL behind them. */
static const uint8_t *put(struct assay_shelf *shelf, struct assay_span from)
{
    size_t start = (shelf->used + ALIGN - 1) / ALIGN * ALIGN;
    if (start + from.n + 1 > shelf->cap)
        return NULL;
    uint8_t *to = shelf->bytes + start;
    if (from.n)
        memcpy(to, from.p, from.n);
    to[from.n] = 0;
    shelf->used = start + from.n + 1;
    return to;
}

bool assay_shelf_put(struct assay_shelf *shelf, const struct assay_model *model, struct assay_range params,
                     const struct assay_event *event)
{
    shelf->used = 0;
    shelf->count = 0;
    for (uint16_t i = 0; i < event->count && i < params.count; i++) {
        struct assay_value *value = &shelf->values[i];
        *value = assay_number((int64_t)event->values[i]);
        if (assay_is_bytes(model, model->params[params.first + i].type)) {
            *value = assay_blob_value(put(shelf, event->spans[i]), event->spans[i].n);
            if (!value->bytes)
                return false;
        }
        shelf->count++;
    }
    return true;
}
