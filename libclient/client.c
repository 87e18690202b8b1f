/* Making and freeing clients: everything lies in one block. */
#include <stdlib.h>
#include <string.h>

#include "libclient/client.h"
#include "net/random.h"

#define CONNECT_MS 10000

static size_t aligned(size_t size)
{
    return (size + 15) / 16 * 16;
}

static void *carve(uint8_t **at, size_t size)
{
    void *start = *at;
    *at += aligned(size);
    return start;
}

/* ---- sizes --------------------------------------------------------------- */

/* Where everything lies in the one block. */
struct plan {
    size_t pump, side, shelf, places, texts, trace, early, total;
    uint16_t args, values;
};

static uint64_t longest(const struct assay_config *config)
{
    return (uint64_t)config->model->scratch + config->model->frame_max + config->limits.memory;
}

/* The most that a call with a link of its own needs. */
static size_t side_size(const struct assay_config *own, uint64_t *most)
{
    const struct assay_model *model = own->model;
    size_t size = 0;
    for (uint16_t i = 0; i < model->calls_count; i++) {
        if (model->calls[i].opens == ASSAY_NONE)
            continue;
        struct assay_config config = *own;
        config.machine = model->calls[i].machine;
        size_t needed = assay_pump_size(&config);
        size = needed > size ? needed : size;
        *most = longest(&config) > *most ? longest(&config) : *most;
    }
    return size;
}

static size_t texts_size(const struct assay_client_options *o)
{
    size_t size = o && o->bind ? strlen(o->bind) + 1 : 0;
    for (const char *const *param = o ? o->params : NULL; param && *param; param++)
        size += strlen(*param) + 1;
    return size;
}

static struct plan plan_for(struct assay_config *config, const struct assay_setup *setup)
{
    const struct assay_model *model = config->model;
    struct plan plan = {.pump = assay_pump_size(config), .args = assay_args_most(model)};
    uint64_t most = longest(config);
    plan.side = side_size(config, &most);
    plan.shelf = assay_shelf_size(model, most, &plan.values);
    plan.places = assay_places_size(setup);
    plan.texts = texts_size(setup->options);
    plan.trace = setup->options && setup->options->trace ? 2 * ((size_t)model->scratch + model->frame_max) + 4096 : 0;
    plan.early = assay_args_size(model);
    plan.total = aligned(sizeof(struct assay_client)) + aligned(plan.pump) + aligned(plan.side) +
                 aligned(plan.args * sizeof(assay_val)) + aligned(plan.args * sizeof(struct assay_span)) +
                 aligned((model->transports_count + 1u) * sizeof(char *)) + aligned(plan.places) +
                 aligned(model->options_count * sizeof(struct assay_option)) + aligned(plan.texts) +
                 aligned(plan.trace) + aligned(plan.early) +
                 2 * (aligned(plan.values * sizeof(struct assay_value)) + aligned(plan.shelf));
    return plan;
}

/* ---- filling ---------------------------------------------------------------- */

static void make_shelf(struct assay_shelf *shelf, uint8_t **at, const struct plan *plan)
{
    shelf->values = carve(at, plan->values * sizeof *shelf->values);
    shelf->bytes = carve(at, plan->shelf);
    shelf->cap = plan->shelf;
}

/* The model with the params that were given, texts being the client's own. */
static int own_params(struct assay_client *c, const struct assay_model *model, struct assay_option *params, char *texts)
{
    c->model = *model;
    if (model->options_count) {
        memcpy(params, model->options, model->options_count * sizeof *params);
        c->model.options = params;
    }
    int status = assay_params_read(model, c->options.params, params);
    for (uint16_t i = 0; status == ASSAY_CLIENT_OK && i < model->options_count; i++) {
        if (params[i].blob.p == model->options[i].blob.p)
            continue;
        params[i].blob.p = memcpy(texts, params[i].blob.p, params[i].blob.n + 1u);
        texts += params[i].blob.n + 1u;
    }
    if (c->options.bind)
        c->options.bind = strcpy(texts, c->options.bind);
    return status;
}

static void trace_received(void *user, struct assay_span frame)
{
    assay_trace(user, false, ASSAY_NONE, frame);
}

static void make_own(struct assay_client *c, void *block, struct assay_config *config, uint16_t transport)
{
    assay_link_init(&c->own, c, transport, config->machine);
    c->own.bound = c->options.bind != NULL;
    config->model = &c->model;
    assay_pump_init(&c->own.pump, block, config);
    c->own.pump.seen = c->options.trace ? trace_received : NULL;
    c->own.pump.user = &c->own;
    c->side.fd = -1;
    c->side.deadline = ASSAY_CLOCK_NEVER;
    c->side.transport = ASSAY_NONE;
    c->side.client = c;
}

static void set_up(struct assay_client *c, const struct assay_client_io *io, const struct assay_setup *setup,
                   const struct assay_config *config)
{
    if (setup->options)
        c->options = *setup->options;
    if (c->options.connect_ms <= 0)
        c->options.connect_ms = CONNECT_MS;
    c->io = *io;
    c->machine = setup->machine;
    c->leniencies = config->leniencies;
    memcpy(c->secret, config->secret, sizeof c->secret);
    c->call.index = -1;
    c->call.link = &c->own;
    atomic_init(&c->stop, false);
    atomic_init(&c->waker, -1);
}

static int make(const struct assay_client_io *io, const struct assay_setup *setup, struct assay_config *config,
                struct assay_client **client)
{
    struct plan plan = plan_for(config, setup);
    uint8_t *at = malloc(plan.total);
    if (!at)
        return assay_problem(ASSAY_CLIENT_MEMORY, "memory is short");
    struct assay_client *c = *client = carve(&at, sizeof *c);
    memset(c, 0, sizeof *c);
    void *block = carve(&at, plan.pump);
    c->side_block = carve(&at, plan.side);
    c->arg_values = carve(&at, plan.args * sizeof *c->arg_values);
    c->arg_spans = carve(&at, plan.args * sizeof *c->arg_spans);
    make_shelf(&c->results, &at, &plan);
    make_shelf(&c->effects, &at, &plan);
    c->places = carve(&at, (setup->model->transports_count + 1u) * sizeof *c->places);
    assay_places_fill(setup, c->places, carve(&at, plan.places));
    set_up(c, io, setup, config);
    struct assay_option *params = carve(&at, setup->model->options_count * sizeof *params);
    int status = own_params(c, setup->model, params, carve(&at, plan.texts));
    c->trace_room = carve(&at, plan.trace);
    c->trace_size = (uint32_t)plan.trace;
    c->early_room = carve(&at, plan.early);
    c->early_size = plan.early;
    make_own(c, block, config, setup->transport);
    if (status == ASSAY_CLIENT_OK && !c->own.pump.engine)
        return assay_problem(ASSAY_CLIENT_MODEL, "this library cannot run a machine with so many timers");
    return status;
}

/* ---- new and close -------------------------------------------------------------- */

static int make_from(const struct assay_client_io *io, const struct assay_setup *setup, struct assay_client **client)
{
    const struct assay_client_options *o = setup->options;
    struct assay_config config = {.model = setup->model, .machine = setup->machine, .leniencies = setup->leniencies};
    if (o && o->seed)
        config.secret[0] = o->seed;
    else
        assay_secret(config.secret);
    config.trace = setup->model->machines[setup->machine].reconnect.pause != ASSAY_NONE;
    config.judge = o && o->trace;
    int status = make(io, setup, &config, client);
    if (status != ASSAY_CLIENT_OK) {
        free(*client);
        *client = NULL;
    }
    return status;
}

int assay_client_new_over(const struct assay_client_io *io, const struct assay_model *model, const char *address,
                          const struct assay_client_options *options, struct assay_client **client)
{
    struct assay_setup setup = {.model = model, .options = options, .address = address};
    *client = NULL;
    int status = assay_setup_read(&setup);
    return status == ASSAY_CLIENT_OK ? make_from(io, &setup, client) : status;
}

int assay_client_new(const struct assay_model *model, const char *address, const struct assay_client_options *options,
                     struct assay_client **client)
{
    return assay_client_new_over(&assay_client_system, model, address, options, client);
}

int assay_client_open(const struct assay_model *model, const char *address, const struct assay_client_options *options,
                      struct assay_client **client)
{
    int status = assay_client_new(model, address, options, client);
    return status == ASSAY_CLIENT_OK ? assay_client_connect(*client) : status;
}

void assay_client_close(struct assay_client *c)
{
    if (!c)
        return;
    assay_client_disconnect(c);
    free(c);
}

/* ---- about the protocol ------------------------------------------------------------ */

bool assay_client_connected(const struct assay_client *c)
{
    return c->own.state == ASSAY_LINK_RUNNING && c->own.pump.sid != 0;
}

const char *assay_client_state(const struct assay_client *c)
{
    uint16_t state = c->own.pump.sid ? assay_state(c->own.pump.engine, c->own.pump.sid) : ASSAY_NONE;
    return state == ASSAY_NONE ? "" : c->model.states[state].name;
}

unsigned assay_client_unacknowledged(const struct assay_client *c)
{
    struct assay_waiting waiting;
    bool there = c->own.pump.sid && assay_waiting(c->own.pump.engine, c->own.pump.sid, &waiting);
    return there ? waiting.sent : 0;
}

uint64_t assay_client_given_up(const struct assay_client *c)
{
    return c->own.pump.given_up;
}

int assay_client_find(const struct assay_client *c, const char *name)
{
    for (uint16_t i = 0; i < c->model.calls_count; i++)
        if (strcmp(c->model.calls[i].name, name) == 0)
            return i;
    return -1;
}

const struct assay_model *assay_client_model(const struct assay_client *c)
{
    return &c->model;
}
