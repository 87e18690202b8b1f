/* The variables of a belief's session, for expressions outside of its engine: a vector of values, then the bytes that
 * they refer to. Conditions on what a target fills as it likes see them as they were when the message was sent. */
#include <string.h>

#include "conformance/belief.h"
#include "core/code.h"

static struct assay_range vars_of(const struct assay_belief_world *world)
{
    return world->config.model->machines[world->config.machine].vars;
}

bool assay_belief_vars_keep(const struct assay_belief *b, struct assay_bytes_buf *to, uint32_t *at)
{
    const struct assay_model *model = b->world->config.model;
    struct assay_range vars = vars_of(b->world);
    uint32_t start =
        (to->n + (uint32_t)sizeof(assay_val) - 1) / (uint32_t)sizeof(assay_val) * (uint32_t)sizeof(assay_val);
    if (!assay_buf_reserve(to, start + vars.count * (uint32_t)sizeof(assay_val)))
        return false;
    to->n = start + vars.count * (uint32_t)sizeof(assay_val);
    for (uint16_t i = 0; i < vars.count; i++) {
        assay_val v = 0;
        struct assay_span bytes = {0};
        assay_var(b->engine, b->sid, (uint16_t)(vars.first + i), &v, &bytes);
        if (assay_type_is_bytes(model, model->vars[vars.first + i].type))
            v = assay_val_bytes(ASSAY_REGION_VARS, to->n - start, bytes.n);
        memcpy(to->p + start + i * sizeof v, &v, sizeof v);
        if (!assay_buf_add(to, bytes.p, bytes.n))
            return false;
    }
    *at = start;
    return true;
}

static void bind(struct assay_belief_world *world, const struct assay_bytes_buf *kept, uint32_t at)
{
    struct assay_env *env = &world->lens.env;
    env->heap = kept->p + at;
    env->vars = (const assay_val *)(const void *)env->heap;
    env->vars_first = vars_of(world).first;
}

bool assay_belief_vars_bind(struct assay_belief_world *world, const struct assay_belief *b)
{
    uint32_t at;
    world->vars.n = 0;
    if (!assay_belief_vars_keep(b, &world->vars, &at))
        return false;
    bind(world, &world->vars, at);
    return true;
}

void assay_belief_vars_unbind(struct assay_belief_world *world)
{
    struct assay_env *env = &world->lens.env;
    env->heap = NULL;
    env->vars = NULL;
    env->vars_first = 0;
}

bool assay_belief_vars_hold(struct assay_belief_world *world, const struct assay_belief *b, uint32_t at, uint16_t code)
{
    bind(world, &b->vars, at);
    bool holds = assay_holds(&world->lens.env, code);
    assay_belief_vars_unbind(world);
    return holds;
}
