/* What beliefs of one model share: the smallest engine that will do, what the model leaves free. */
#include <stdlib.h>
#include <string.h>

#include "conformance/belief.h"
#include "core/code.h"

/* The buddy allocator rounds up to powers of two; while a variable is set, its old bytes are still there. */
static uint32_t session_memory(const struct assay_model *model, uint16_t machine)
{
    uint64_t sum = 256;
    struct assay_range vars = model->machines[machine].vars;
    for (uint32_t i = vars.first; i < (uint32_t)vars.first + vars.count; i++) {
        if (!assay_type_is_bytes(model, model->vars[i].type))
            continue;
        const struct assay_type *type = &model->types[model->vars[i].type];
        uint64_t size = 64, most = (uint64_t)type->max * (type->kind == ASSAY_T_LIST ? 8 : 1);
        while (size < most)
            size *= 2;
        sum += 2 * size;
    }
    return sum > model->limits.memory ? model->limits.memory : (uint32_t)sum;
}

#define WINDOW_USUAL  64u
#define WINDOW_MOST   1024u /* of wider ones no case fills more */
#define MESSAGE_LEAST 384u  /* bytes, for each message that may wait, */
#define MESSAGE_MOST  4096u
#define HEAP_TABLES   8192u
#define ROWS_MAX      64u
#define CUTS          64u

static uint32_t window_of(const struct assay_model *model)
{
    uint32_t window = model->reliables_count ? model->reliables[0].window : 0;
    return window < WINDOW_USUAL ? WINDOW_USUAL : window < WINDOW_MOST ? window : WINDOW_MOST;
}

/* The largest message that may wait, as the allocator rounds it up. */
static uint32_t message_size(const struct assay_model *model)
{
    const struct assay_reliable *r = &model->reliables[0];
    uint32_t size = 64, most = 0;
    for (uint32_t i = 0; i < r->messages.count; i++) {
        uint32_t n = model->messages[model->reliable_messages[r->messages.first + i]].wire_max;
        most = n > most ? n : most;
    }
    while (size < most && size < MESSAGE_MOST)
        size *= 2;
    return size < MESSAGE_LEAST ? MESSAGE_LEAST : size;
}

static void add_shared(const struct assay_model *model, struct assay_limits *limits)
{
    uint64_t more = model->reliables_count ? (uint64_t)message_size(model) * window_of(model) : 0;
    more += model->tables_count ? HEAP_TABLES : 0;
    limits->memory =
        limits->memory + more < model->limits.memory ? (uint32_t)(limits->memory + more) : model->limits.memory;
    limits->rows = ROWS_MAX;
}

struct assay_limits assay_belief_limits(const struct assay_model *model, uint16_t machine, uint32_t sessions)
{
    struct assay_limits limits = model->limits;
    uint64_t memory = (uint64_t)session_memory(model, machine) * sessions;
    limits.sessions = sessions;
    limits.memory = memory > model->limits.memory ? model->limits.memory : (uint32_t)memory;
    limits.effects = 4 * sessions;
    add_shared(model, &limits);
    return limits;
}

/* What an effect's binding says about who decides on its success: the reference bindings `append` and `print`
 * succeed unless the target is broken; `crypt` without a file always does; the rest is up to the application. */
static bool effect_is_free(const struct assay_model *model, const struct assay_effect *effect)
{
    if (!effect->fallible || effect->log != ASSAY_NONE || effect->table != ASSAY_NONE)
        return false;
    if (!effect->verb || strcmp(effect->verb, "application") == 0)
        return true;
    if (strcmp(effect->verb, "crypt") != 0 || !effect->object)
        return false;
    if (effect->object[0] != '$')
        return effect->object[0] != '\0';
    for (uint16_t i = 0; i < model->options_count; i++)
        if (strcmp(model->options[i].name, effect->object + 1) == 0)
            return model->options[i].blob.n > 0;
    return true;
}

static bool has_choices(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->code_count; i++)
        if (assay_ins_op(model->code[i]) == ASSAY_OP_CHOOSE)
            return true;
    return false;
}

/* Whether what a target fills as it likes has to suit variables: they are looked at when it is sent. */
static bool has_conditions(const struct assay_model *model)
{
    bool inside = false;
    for (uint16_t i = 0; i < model->code_count; i++) {
        uint32_t ins = model->code[i];
        if (inside && assay_ins_op(ins) == ASSAY_OP_VAR)
            return true;
        inside = assay_ins_op(ins) == ASSAY_OP_FREE ? assay_ins_a(ins) : inside && assay_ins_op(ins) != ASSAY_OP_END;
    }
    return false;
}

static bool has_shoulds(const struct assay_model *model, uint16_t machine)
{
    for (uint16_t i = 0; i < model->rules_count; i++)
        if (model->rules[i].machine == machine && model->rules[i].level == ASSAY_SHOULD)
            return true;
    return false;
}

static void look_at_machine(struct assay_belief_world *world)
{
    const struct assay_model *model = world->config.model;
    const struct assay_machine *machine = &model->machines[world->config.machine];
    uint8_t end = model->frames[machine->frame_in].end;
    world->client = machine->role & ASSAY_CLIENT;
    world->hands_out = world->client && !(machine->role & ASSAY_SERVER);
    world->datagrams = end == ASSAY_END_DATAGRAM;
    world->stream = end == ASSAY_END_STREAM;
}

static int64_t duration(struct assay_belief_world *world, uint16_t code, int64_t none)
{
    assay_val v;
    assay_lens_clear(&world->lens);
    return code != ASSAY_NONE && assay_eval(&world->lens.env, code, &v) && (int64_t)v > 0 ? (int64_t)v : none;
}

static bool look_at_reliable(struct assay_belief_world *world)
{
    const struct assay_model *model = world->config.model;
    const struct assay_reliable *r = model->reliables_count ? &model->reliables[0] : NULL;
    world->reliable = r;
    world->reliables = calloc(model->messages_count + 1u, sizeof *world->reliables);
    if (!r || !world->reliables)
        return world->reliables;
    world->pause_first = duration(world, r->first, 1);
    world->pause_cap = duration(world, r->cap, INT64_MAX);
    world->give_up = duration(world, r->give_up, INT64_MAX);
    for (uint32_t i = 0; i < r->messages.count; i++)
        world->reliables[model->reliable_messages[r->messages.first + i]] = true;
    return true;
}

/* Links of one target share its tables, and each belief has its own: so it has to tell of all rows, as durable tables
 * do. */
static bool make_telling(struct assay_belief_world *world)
{
    struct assay_model *telling = malloc(sizeof *telling + world->model->tables_count * sizeof *telling->tables);
    world->telling = telling;
    if (!telling)
        return false;
    struct assay_table *tables = (struct assay_table *)(void *)(telling + 1);
    *telling = *world->model;
    for (uint32_t i = 0; i < telling->tables_count; i++) {
        tables[i] = world->model->tables[i];
        tables[i].durable = true;
    }
    telling->tables = tables;
    return true;
}

/* All that waits may go out again at once. */
static bool make_cuts(struct assay_belief_world *world)
{
    uint32_t window = world->model->reliables_count ? world->model->reliables[0].window : 0;
    world->cuts_cap = (uint16_t)(window < UINT16_MAX - CUTS ? window + CUTS : UINT16_MAX);
    world->cuts = malloc(world->cuts_cap * sizeof *world->cuts);
    return world->cuts;
}

bool assay_belief_world_init(struct assay_belief_world *world, const struct assay_oracle_config *config)
{
    *world = (struct assay_belief_world){.model = config->model};
    if (!make_telling(world) || !make_cuts(world))
        return false;
    const struct assay_model *model = world->telling;
    world->config = (struct assay_config){.model = model,
                                          .machine = config->machine,
                                          .limits = assay_belief_limits(model, config->machine, 1),
                                          .options = config->options,
                                          .leniencies = config->leniencies,
                                          .secret = {config->seed},
                                          .trace = true,
                                          .judge = true,
                                          .marked = !config->unmarked,
                                          .calls = model->machines[config->machine].role & ASSAY_CLIENT};
    world->circumstance = config->circumstance;
    if (config->circumstance.memory)
        world->config.limits.memory = config->circumstance.memory;
    world->engine_size = assay_engine_size(&world->config);
    world->shoulds = has_shoulds(model, config->machine);
    world->branches = world->shoulds || has_choices(model);
    world->one_by_one = has_conditions(model);
    look_at_machine(world);
    world->call_timeout = config->call_timeout;
    world->terminal = config->terminal;
    world->target = config->target;
    world->slack = config->slack;
    world->effect_free = calloc(model->effects_count + 1u, 1);
    if (!world->effect_free ||
        !assay_lens_init(&world->lens, model, config->options, config->leniencies, model->frame_max) ||
        !assay_lens_init(&world->other, model, config->options, config->leniencies, model->frame_max) ||
        !look_at_reliable(world))
        return false;
    for (uint16_t i = 0; i < model->effects_count; i++)
        world->effect_free[i] = !world->client && !world->terminal && effect_is_free(model, &model->effects[i]);
    return true;
}

void assay_belief_world_free(struct assay_belief_world *world)
{
    while (world->spare_count)
        free(world->spare[--world->spare_count]);
    free(world->effect_free);
    free(world->reliables);
    free(world->telling);
    free(world->cuts);
    free(world->vars.p);
    assay_lens_free(&world->lens);
    assay_lens_free(&world->other);
}
