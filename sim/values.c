/* Arguments of calls and effects, as bytes that stay: for each its size and it, a number in 8 bytes. */
#include <string.h>

#include "core/code.h"
#include "core/vm.h"
#include "sim/world.h"

uint32_t assay_sim_keep_args(struct assay_sim *sim, struct assay_range params, const assay_val *values,
                             const struct assay_span *spans)
{
    uint32_t where = sim->s.bytes;
    for (uint16_t i = 0; i < params.count; i++) {
        bool bytes = assay_is_bytes(sim->model, sim->model->params[params.first + i].type);
        uint32_t n = bytes ? spans[i].n : 8;
        assay_sim_keep(sim, &n, sizeof n);
        assay_sim_keep(sim, bytes ? (const void *)spans[i].p : &values[i], n);
    }
    return where;
}

uint32_t assay_sim_load_args(struct assay_sim *sim, struct assay_range params, uint32_t args, unsigned from)
{
    for (unsigned i = from; i < from + params.count && i < ASSAY_SIM_ARGS_MAX; i++) {
        uint32_t n;
        memcpy(&n, sim->bytes.items + args, sizeof n);
        sim->spans[i] = (struct assay_span){sim->bytes.items + args + sizeof n, n};
        sim->values[i] = 0;
        if (!assay_is_bytes(sim->model, sim->model->params[params.first + i - from].type))
            memcpy(&sim->values[i], sim->spans[i].p, 8);
        args += (uint32_t)sizeof n + n;
    }
    return args;
}

struct assay_span assay_sim_arg(const struct assay_sim *sim, uint32_t args, unsigned index)
{
    uint32_t n;
    for (;; index--) {
        memcpy(&n, sim->bytes.items + args, sizeof n);
        args += (uint32_t)sizeof n;
        if (index == 0)
            return (struct assay_span){sim->bytes.items + args, n};
        args += n;
    }
}

/* ---- expressions ------------------------------------------------------- */

/* The variables of a session where expressions find them; bytes are copied to scratch. */
static void load_vars(struct assay_sim *sim, struct assay_env *env, const struct assay_engine *e, assay_sid sid,
                      const struct assay_machine *machine)
{
    for (uint16_t i = 0; i < machine->vars.count; i++) {
        uint16_t var = (uint16_t)(machine->vars.first + i);
        struct assay_span bytes;
        sim->vars[i] = 0;
        if (!assay_var(e, sid, var, &sim->vars[i], &bytes) || !assay_is_bytes(sim->model, sim->model->vars[var].type))
            continue;
        uint8_t *p = assay_scratch(env, bytes.n);
        if (p && bytes.n)
            memcpy(p, bytes.p, bytes.n);
        sim->vars[i] = p ? assay_scratch_val(env, p, bytes.n) : ASSAY_VAL_EMPTY;
    }
}

static struct assay_env env_of(struct assay_sim *sim, unsigned node, bool vars, assay_sid sid)
{
    const struct assay_machine *machine = &sim->model->machines[sim->engine_config[node].machine];
    struct assay_env env = {.model = sim->model,
                            .slots = sim->slots,
                            .vars = sim->vars,
                            .vars_first = machine->vars.first,
                            .scratch = sim->scratch,
                            .scratch_cap = sim->scratch_cap,
                            .frame = sim->scratch,
                            .heap = sim->scratch,
                            .leniencies = sim->config.leniencies};
    if (vars)
        load_vars(sim, &env, sim->engines[node], sid, machine);
    return env;
}

bool assay_sim_number(struct assay_sim *sim, unsigned node, assay_sid sid, uint16_t code, int64_t *n)
{
    assay_val v;
    struct assay_env env = env_of(sim, node, true, sid);
    if (code == ASSAY_NONE || !assay_eval(&env, code, &v))
        return false;
    *n = (int64_t)v;
    return true;
}

uint32_t assay_sim_act_args(struct assay_sim *sim, unsigned node, uint16_t act)
{
    const struct assay_act *a = &sim->model->acts[act];
    struct assay_range params = sim->model->calls[a->call].args;
    struct assay_env env = env_of(sim, node, sim->looks[act], sim->node[node].sid);
    for (uint16_t i = 0; i < params.count && i < ASSAY_SIM_ARGS_MAX; i++) {
        uint16_t code = i < a->args.count ? sim->model->act_args[a->args.first + i] : ASSAY_NONE;
        assay_val v = 0;
        if (code == ASSAY_NONE)
            code = sim->model->params[params.first + i].init;
        bool known = code != ASSAY_NONE && assay_eval(&env, code, &v);
        bool bytes = assay_is_bytes(sim->model, sim->model->params[params.first + i].type);
        sim->values[i] = v;
        sim->spans[i] = known && bytes ? assay_bytes(&env, v) : (struct assay_span){NULL, 0};
    }
    return assay_sim_keep_args(sim, params, sim->values, sim->spans);
}
