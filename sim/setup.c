/* A simulation from a model: who plays what, how much room, how long things take. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/code.h"
#include "core/vm.h"
#include "sim/world.h"

#define MS            INT64_C(1000000)
#define OUT_MESSAGES  64u
#define MEMORY_MOST   (1u << 18)
#define SESSIONS_EACH 4u /* of a client: after a crash it comes from another address, and its old session lasts */
#define EFFECTS_EACH  8u

/* ---- the usual world --------------------------------------------------- */

static uint64_t power_above(uint64_t n)
{
    uint64_t size = 64;
    while (size < n)
        size *= 2;
    return size;
}

/* A session's variables, twice, as the old bytes are there while new ones are set. */
static uint64_t memory_of(const struct assay_model *model, const struct assay_machine *machine)
{
    uint64_t sum = 256;
    for (uint32_t i = machine->vars.first; i < (uint32_t)machine->vars.first + machine->vars.count; i++) {
        const struct assay_type *type = &model->types[model->vars[i].type];
        if (type->kind >= ASSAY_T_BYTES)
            sum += 2 * power_above((uint64_t)type->max * (type->kind == ASSAY_T_LIST ? 8 : 1));
    }
    return sum;
}

static uint32_t memory_for(const struct assay_model *model, uint16_t machine, uint32_t sessions)
{
    uint64_t sum = memory_of(model, &model->machines[machine]) * sessions;
    if (model->reliables_count)
        sum += 16 * power_above(model->frame_max);
    sum += 4096u * model->tables_count;
    sum = sum > MEMORY_MOST ? MEMORY_MOST : sum;
    return sum < model->limits.memory ? (uint32_t)sum : model->limits.memory;
}

void assay_sim_defaults(struct assay_sim_config *config, const struct assay_model *model)
{
    uint32_t sessions = SESSIONS_EACH * (model->actors_count ? model->actors_count : 1u);
    *config = (struct assay_sim_config){.model = model,
                                        .limits = model->limits,
                                        .leniencies = assay_leniencies_default(model),
                                        .seed = 1,
                                        .latency = 10 * MS,
                                        .effect = 2 * MS,
                                        .away = 100 * MS};
    struct assay_limits *l = &config->limits;
    l->sessions = sessions < l->sessions ? sessions : l->sessions;
    l->memory = 0;
    l->effects = EFFECTS_EACH * sessions < l->effects ? EFFECTS_EACH * sessions : l->effects;
    l->rows = l->rows == 0 || l->rows > 64 ? 64 : l->rows;
}

/* ---- whether it can be ------------------------------------------------- */

static uint16_t transport_of(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->transports_count; i++) {
        const struct assay_transport *t = &model->transports[i];
        if (t->server != ASSAY_NONE && t->client != ASSAY_NONE &&
            model->frames[model->machines[t->server].frame_in].end == ASSAY_END_DATAGRAM)
            return i;
    }
    return ASSAY_NONE;
}

static const char *obstacle(const struct assay_model *model)
{
    if (model->impairs_count == 0 || model->actors_count == 0)
        return "the spec says nothing of what goes wrong: `impair`, with `clients`, tells who calls what and what is "
               "promised";
    if (model->actors_count > ASSAY_SIM_CLIENTS_MAX)
        return "more than 8 clients";
    if (transport_of(model) == ASSAY_NONE)
        return "no transport of datagrams has a machine at both ends";
    if (model->logs_count > ASSAY_SIM_LOGS_MAX)
        return "more than 8 logs";
    for (uint16_t i = 0; i < model->calls_count; i++)
        if (model->calls[i].args.count > ASSAY_SIM_ARGS_MAX)
            return "a call with more than 64 arguments";
    return NULL;
}

/* ---- numbers that are about to wrap ------------------------------------ */

/* A copy of the model in which the first reliable message has the last number before the wrap. */
static bool number_again(struct assay_sim *sim, unsigned side, const struct assay_model *model)
{
    uint32_t n = model->code_count, ints = model->ints_count;
    struct assay_sim_numbered *to = &sim->numbered[side];
    if (!sim->reliable || n > ASSAY_NONE - 2u || ints > ASSAY_NONE - 1u)
        return true;
    to->model = *model;
    to->code = malloc((n + 2u) * sizeof *to->code);
    to->ints = malloc((ints + 1u) * sizeof *to->ints);
    to->machines = malloc(model->machines_count * sizeof *to->machines);
    if (!to->code || !to->ints || !to->machines)
        return false;
    memcpy(to->code, model->code, n * sizeof *to->code);
    if (ints)
        memcpy(to->ints, model->ints, ints * sizeof *to->ints);
    memcpy(to->machines, model->machines, model->machines_count * sizeof *to->machines);
    to->code[n] = assay_ins(ASSAY_OP_WIDE, 0, ints);
    to->code[n + 1] = assay_ins(ASSAY_OP_END, 0, 0);
    to->ints[ints] = (int64_t)((uint64_t)1 << sim->model->reliables[0].bits) - 1;
    for (uint16_t i = 0; i < model->machines_count; i++)
        to->machines[i].first_number = (uint16_t)n;
    to->model.code = to->code;
    to->model.code_count = (uint16_t)(n + 2);
    to->model.ints = to->ints;
    to->model.ints_count = (uint16_t)(ints + 1);
    to->model.machines = to->machines;
    return true;
}

/* ---- the nodes --------------------------------------------------------- */

static void configure(struct assay_sim *sim)
{
    const struct assay_model *model = sim->model;
    const struct assay_transport *t = &model->transports[transport_of(model)];
    for (unsigned i = 0; i < sim->nodes; i++) {
        bool server = i == ASSAY_SIM_SERVER;
        uint16_t machine = server ? t->server : model->calls[model->acts[model->actors[i - 1].acts.first].call].machine;
        sim->engine_config[i] =
            (struct assay_config){.model = server && sim->config.server_model ? sim->config.server_model : model,
                                  .machine = machine,
                                  .limits = sim->config.limits,
                                  .leniencies = sim->config.leniencies,
                                  .calls = !server,
                                  .chains = server};
        struct assay_limits *limits = &sim->engine_config[i].limits;
        limits->sessions = server ? limits->sessions : 1;
        limits->effects = server || limits->effects < EFFECTS_EACH ? limits->effects : EFFECTS_EACH;
        if (limits->memory == 0)
            limits->memory = memory_for(model, machine, limits->sessions);
        sim->engine_size[i] = assay_engine_size(&sim->engine_config[i]);
    }
}

static bool allocate(struct assay_sim *sim)
{
    const struct assay_model *model = sim->model;
    sim->scratch_cap = model->scratch + model->frame_max + 65536;
    sim->out.cap = OUT_MESSAGES * model->frame_max + 2 * model->out_max;
    sim->out.cuts_cap = 4 * OUT_MESSAGES;
    sim->scratch = malloc(sim->scratch_cap);
    sim->vars = calloc(model->vars_count + 1u, sizeof *sim->vars);
    sim->looks = calloc(model->acts_count + 1u, sizeof *sim->looks);
    sim->out.bytes = malloc(sim->out.cap);
    sim->out.cuts = malloc(sim->out.cuts_cap * sizeof *sim->out.cuts);
    bool ok = sim->scratch && sim->vars && sim->looks && sim->out.bytes && sim->out.cuts;
    for (unsigned i = 0; i < sim->nodes && ok; i++) {
        ok = (sim->engines[i] = aligned_alloc(64, (sim->engine_size[i] + 63) & ~(size_t)63)) != NULL;
        if (ok) /* worlds are compared with what was never used in them, too */
            memset(sim->engines[i], 0, sim->engine_size[i]);
    }
    return ok;
}

static bool looks_at_vars(const struct assay_model *model, uint16_t code)
{
    for (uint32_t pc = code; code != ASSAY_NONE && pc < assay_code_end(model, code); pc++)
        if (assay_ins_op(model->code[pc]) == ASSAY_OP_VAR)
            return true;
    return false;
}

static void note_looks(struct assay_sim *sim)
{
    for (uint16_t act = 0; act < sim->model->acts_count; act++) {
        struct assay_range args = sim->model->acts[act].args;
        for (uint16_t i = 0; i < args.count; i++)
            sim->looks[act] |= looks_at_vars(sim->model, sim->model->act_args[args.first + i]);
    }
}

/* ---- how long things take ---------------------------------------------- */

struct spans {
    int64_t least, most;
};

static void take_span(struct spans *spans, int64_t span)
{
    if (span <= 0 || span == ASSAY_NEVER)
        return;
    spans->least = span < spans->least ? span : spans->least;
    spans->most = span > spans->most ? span : spans->most;
}

static void take_code(struct assay_sim *sim, struct spans *spans, unsigned node, assay_sid sid, uint16_t code)
{
    int64_t span;
    if (assay_sim_number(sim, node, sid, code, &span))
        take_span(spans, span);
}

static void take_node(struct assay_sim *sim, struct spans *spans, unsigned node)
{
    const struct assay_model *model = sim->model;
    const struct assay_machine *machine = &model->machines[sim->engine_config[node].machine];
    assay_sid sid = sim->node[node].sid;
    if (node == ASSAY_SIM_SERVER)
        assay_open(assay_sim_engine(sim, node), 0, &sid, &sim->out);
    for (uint16_t i = 0; i < machine->timers.count; i++)
        take_code(sim, spans, node, sid, model->timers[machine->timers.first + i].after);
    if (model->reliables_count) {
        take_code(sim, spans, node, sid, model->reliables[0].first);
        take_code(sim, spans, node, sid, model->reliables[0].give_up);
    }
}

/* Half of the shortest time after which a call, or a sender, gives up. */
static int64_t before_giving_up(struct assay_sim *sim)
{
    int64_t least = ASSAY_NEVER, n;
    for (uint16_t i = 0; i < sim->model->acts_count; i++) {
        int64_t within = sim->model->calls[sim->model->acts[i].call].within;
        least = within > 0 && within < least ? within : least;
    }
    if (sim->reliable && assay_sim_number(sim, 1, sim->node[1].sid, sim->model->reliables[0].give_up, &n) && n < least)
        least = n;
    return least / 2;
}

static void measure(struct assay_sim *sim)
{
    struct spans spans = {INT64_MAX, 0};
    assay_sim_begin(sim, sim->config.seed, false);
    for (unsigned i = 0; i < sim->nodes; i++)
        take_node(sim, &spans, i);
    for (uint16_t i = 0; i < sim->model->calls_count; i++)
        spans.most = sim->model->calls[i].within > spans.most ? sim->model->calls[i].within : spans.most;
    spans.most = spans.most ? spans.most : 1000 * MS;
    spans.least = spans.least < spans.most ? spans.least : spans.most;
    sim->delay = spans.least + spans.least / 4 + 2 * sim->config.latency;
    sim->linger = 2 * sim->delay;
    sim->trouble = before_giving_up(sim);
    sim->horizon = 2 * spans.most + 10 * sim->delay;
}

/* ---- coming and going -------------------------------------------------- */

static struct assay_sim *give_up(struct assay_sim *sim, char error[ASSAY_SIM_ERROR_MAX], const char *text)
{
    snprintf(error, ASSAY_SIM_ERROR_MAX, "%s", text);
    assay_sim_free(sim);
    return NULL;
}

struct assay_sim *assay_sim_new(const struct assay_sim_config *config, char error[ASSAY_SIM_ERROR_MAX])
{
    const char *why = obstacle(config->model);
    struct assay_sim *sim = why ? NULL : calloc(1, sizeof *sim);
    if (!sim)
        return give_up(NULL, error, why ? why : "no memory");
    sim->config = *config;
    sim->model = config->model;
    sim->nodes = 1u + config->model->actors_count;
    sim->reliable = config->model->reliables_count > 0;
    configure(sim);
    if (!allocate(sim) || !number_again(sim, 0, config->model) ||
        !number_again(sim, 1, config->server_model ? config->server_model : config->model))
        return give_up(sim, error, "no memory");
    note_looks(sim);
    measure(sim);
    assay_sim_begin(sim, config->seed, false);
    assay_sim_run(sim, NULL);
    sim->base = sim->s.datagrams;
    sim->base_end = sim->s.now;
    sim->idle = assay_sim_idle(sim, sim->horizon);
    return sim->memory ? give_up(sim, error, "no memory") : sim;
}

static void free_snapshots(struct assay_sim *sim)
{
    for (unsigned i = 0; i < sim->snapshots_count; i++) {
        struct assay_sim_snapshot *s = &sim->snapshots[i];
        for (unsigned k = 0; k < ASSAY_SIM_NODES_MAX; k++)
            free(s->engines[k]);
        free(s->flows);
        free(s->events);
        free(s->parked);
    }
    free(sim->snapshots);
}

void assay_sim_free(struct assay_sim *sim)
{
    if (!sim)
        return;
    free_snapshots(sim);
    void *const owned[] = {sim->events.items,
                           sim->bytes.items,
                           sim->box.items,
                           sim->orders.items,
                           sim->dones.items,
                           sim->calls.items,
                           sim->results.items,
                           sim->puts.items,
                           sim->trace.items,
                           sim->looks,
                           sim->vars,
                           sim->scratch,
                           sim->out.bytes,
                           sim->out.cuts,
                           sim->numbered[0].code,
                           sim->numbered[1].code,
                           sim->numbered[0].ints,
                           sim->numbered[1].ints,
                           sim->numbered[0].machines,
                           sim->numbered[1].machines};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    for (unsigned i = 0; i < ASSAY_SIM_LOGS_MAX; i++)
        free(sim->rows[i].items);
    for (unsigned i = 0; i < ASSAY_SIM_NODES_MAX; i++)
        free(sim->engines[i]);
    free(sim);
}
