/* The variables of a session as they were when a message was sent, for conditions on what a target fills as it likes: a
 * vector of values, then the bytes that they refer to. */
#include <string.h>

#include "conformance/belief.h"
#include "core/code.h"

static struct assay_range vars_of(const struct assay_belief_world *world)
{
    return world->config.model->machines[world->config.machine].vars;
}

bool assay_belief_vars_keep(struct assay_belief *b, uint32_t *at)
{
    const struct assay_model *model = b->world->config.model;
    struct assay_range vars = vars_of(b->world);
    *at = (b->vars.n + sizeof(assay_val) - 1) / sizeof(assay_val) * sizeof(assay_val);
    if (!assay_buf_reserve(&b->vars, *at + vars.count * (uint32_t)sizeof(assay_val)))
        return false;
    b->vars.n = *at + vars.count * (uint32_t)sizeof(assay_val);
    for (uint16_t i = 0; i < vars.count; i++) {
        assay_val v = 0;
        struct assay_span bytes = {0};
        assay_var(b->engine, b->sid, (uint16_t)(vars.first + i), &v, &bytes);
        if (assay_type_is_bytes(model, model->vars[vars.first + i].type))
            v = assay_val_bytes(ASSAY_REGION_VARS, b->vars.n - *at, bytes.n);
        memcpy(b->vars.p + *at + i * sizeof v, &v, sizeof v);
        if (!assay_buf_add(&b->vars, bytes.p, bytes.n))
            return false;
    }
    return true;
}

bool assay_belief_vars_hold(struct assay_belief_world *world, const struct assay_belief *b, uint32_t at, uint16_t code)
{
    struct assay_env *env = &world->lens.env;
    env->heap = b->vars.p + at;
    env->vars = (const assay_val *)(const void *)env->heap;
    env->vars_first = vars_of(world).first;
    bool holds = assay_holds(env, code);
    env->heap = NULL;
    env->vars = NULL;
    env->vars_first = 0;
    return holds;
}
