#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/build.h"
#include "conformance/memory.h"

static assay_generator *const for_servers[] = {
    assay_generate_rules,    assay_generate_segments, assay_generate_ends,    assay_generate_framing,
    assay_generate_sessions, assay_generate_effects,  assay_generate_times,   assay_generate_faults,
    assay_generate_filled,   assay_generate_stops,    assay_generate_by_hand, NULL,
};
static assay_generator *const for_clients[] = {
    assay_generate_rules,
    assay_generate_ends,
    assay_generate_framing,
    assay_generate_times,
    assay_generate_calls,
    assay_generate_again,
    NULL,
};
static assay_generator *const for_datagrams[] = {
    assay_generate_rules,
    assay_generate_times,
    assay_generate_calls,
    assay_generate_lossy,
    assay_generate_copies,
    assay_generate_foreign,
    assay_generate_window,
    assay_generate_repeats,
    assay_generate_wrap,
    assay_generate_redraws,
    NULL,
};
static assay_generator *const for_datagram_servers[] = {
    assay_generate_rules, assay_generate_effects,   assay_generate_times,    assay_generate_faults,
    assay_generate_lossy, assay_generate_copies,    assay_generate_window,   assay_generate_wrap,
    assay_generate_seals, assay_generate_strangers, assay_generate_restarts, NULL,
};

static assay_generator *const *generators_for(const struct assay_builder *b)
{
    if (b->frame->end == ASSAY_END_DATAGRAM)
        return b->arrives ? for_datagrams : for_datagram_servers;
    return b->arrives ? for_clients : for_servers;
}

#define PATIENCE 20000000000 /* ns */

static int by_id(const void *a, const void *b)
{
    const struct assay_case *x = a, *y = b;
    return strcmp(x->id, y->id);
}

/* ---- a case must be able to fail --------------------------------------- */

static struct assay_memory_config memory_config(const struct assay_builder *b, enum assay_host_kind host)
{
    return (struct assay_memory_config){.right = {.model = b->model,
                                                  .machine = b->config.machine,
                                                  .options = b->config.options,
                                                  .leniencies = b->config.leniencies,
                                                  .seed = 1,
                                                  .call_timeout = b->call_timeout,
                                                  .terminal = b->config.terminal},
                                        .model = b->model,
                                        .host = host};
}

static bool fails(const struct assay_builder *b, const struct assay_case *c, enum assay_host_kind host)
{
    struct assay_memory_config config = memory_config(b, host);
    struct assay_memory_result result;
    return !assay_memory_run(&config, c, &result) || !result.passed;
}

/* A target that is told to stop is of no use to other cases, nor is one that has kept rows. */
static void set_class(const struct assay_builder *b, struct assay_case *c)
{
    struct assay_memory_config config = memory_config(b, ASSAY_HOST_ENGINE);
    struct assay_memory_result result;
    if (assay_memory_run(&config, c, &result) && (result.stopped || result.shares))
        c->class = ASSAY_CASE_EXCLUSIVE;
}

static bool can_use_up(const struct assay_builder *b)
{
    const struct assay_model *model = b->model;
    if (!b->arrives && (model->tables_count || model->logs_count))
        return true;
    for (uint16_t i = 0; i < model->effects_count; i++)
        if (model->effects[i].verb && strcmp(model->effects[i].verb, "stop") == 0)
            return true;
    return false;
}

/* Nor may all that a client can do wrong go unseen: one that never sends, one that closes at once. */
static bool can_fail(const struct assay_builder *b, const struct assay_case *c)
{
    return fails(b, c, ASSAY_HOST_MUTE) || fails(b, c, ASSAY_HOST_CLOSER) || fails(b, c, ASSAY_HOST_UNTOLD);
}

static void drop_idle_cases(struct assay_builder *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->all->count; i++) {
        if (can_fail(b, &b->all->cases[i]))
            b->all->cases[kept++] = b->all->cases[i];
        else
            assay_build_note(b, "%s: left out, no target can fail it", b->all->cases[i].id);
    }
    b->all->count = kept;
}

static bool is_wanted(const struct assay_case *c, const struct assay_suite_options *options)
{
    bool named = !options->filter || fnmatch(options->filter, c->id, 0) == 0;
    return named && (options->timed == ASSAY_TIMED_TOO || c->timed == (options->timed == ASSAY_TIMED_ONLY));
}

static void leave_wanted(struct assay_suite_all *all, const struct assay_suite_options *options)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++)
        if (is_wanted(&all->cases[i], options))
            all->cases[kept++] = all->cases[i];
    all->count = kept;
}

/* ---- making ------------------------------------------------------------ */

static void note_caps(struct assay_builder *b)
{
    if (b->explored.capped)
        assay_build_note(b, "explored %u of more combinations of state and variables: at most %d for each state",
                         (unsigned)b->explored.count, ASSAY_NODES_PER_STATE);
}

static bool generate(struct assay_builder *b)
{
    assay_inputs_make(b->store, &b->config, &b->inputs);
    bool ok = assay_explore(&b->explored, &b->config, &b->inputs);
    b->signatures = assay_store(b->store, (b->inputs.count + 1) * sizeof *b->signatures);
    b->tried = assay_store(b->store, (b->inputs.count + 1) * sizeof *b->tried);
    for (size_t i = 0; ok && i < b->inputs.count; i++)
        b->signatures[i] = assay_signature(&b->explored, &b->inputs.items[i]);
    for (assay_generator *const *g = generators_for(b); ok && b->explored.count && *g; g++)
        (*g)(b);
    if (ok) {
        note_caps(b);
        drop_idle_cases(b);
        for (size_t i = 0; can_use_up(b) && i < b->all->count; i++)
            set_class(b, &b->all->cases[i]);
    }
    return ok;
}

static void publish(struct assay_builder *b, const struct assay_suite_options *options)
{
    struct assay_suite_all *all = b->all;
    leave_wanted(all, options);
    if (all->count)
        qsort(all->cases, all->count, sizeof all->cases[0], by_id);
    const char **end = assay_items_add((void **)&all->notes, &all->note_count, &all->note_cap, sizeof *end);
    *end = NULL;
    all->suite = (struct assay_suite){.spec = b->spec,
                                      .model = b->model,
                                      .machine = b->config.machine,
                                      .transport = all->suite.transport,
                                      .arrives = b->arrives,
                                      .cases = all->cases,
                                      .count = all->count,
                                      .states_explored = b->explored.count,
                                      .inputs_alphabet = b->inputs.count,
                                      .notes = all->notes};
}

static bool segments_matter(const struct assay_frame *frame, uint64_t leniencies)
{
    uint16_t leniency = frame->segment_leniency;
    return leniency != ASSAY_NONE && (leniencies >> leniency & 1);
}

bool assay_suite_plays(const struct assay_model *model, uint16_t machine, uint16_t transport)
{
    bool plays = model->transports[transport].client == machine;
    for (uint16_t i = 0; i < model->calls_count; i++)
        plays = plays || (model->calls[i].opens == transport && model->calls[i].machine == machine);
    return plays;
}

/* Of one name there may be several: for each role, and for streams and datagrams. */
static uint16_t client_named(const struct assay_model *model, const char *name, uint16_t transport)
{
    for (uint16_t i = 0; i < model->machines_count; i++)
        if (strcmp(model->machines[i].name, name) == 0 && assay_suite_plays(model, i, transport))
            return i;
    return ASSAY_NONE;
}

uint16_t assay_suite_machine(const struct assay_model *model, const struct assay_suite_options *options)
{
    bool client = options->role == ASSAY_CLIENT;
    if (options->transport >= model->transports_count)
        return ASSAY_NONE;
    const struct assay_transport *t = &model->transports[options->transport];
    if (client && options->machine)
        return client_named(model, options->machine, options->transport);
    return client ? t->client : t->server;
}

/* Clients are taken at their word: they tell results, too. */
const struct assay_terminal *assay_suite_terminal(const struct assay_spec *spec,
                                                  const struct assay_suite_options *options)
{
    return spec && options->role != ASSAY_CLIENT ? assay_spec_terminal(spec) : NULL;
}

/* Clients grant none unless they are asked to. */
static uint64_t leniencies_of(const struct assay_model *model, const struct assay_suite_options *options)
{
    if (options->strict)
        return 0;
    if (options->leniencies)
        return *options->leniencies;
    return options->role == ASSAY_CLIENT ? 0 : assay_leniencies_default(model);
}

struct assay_suite *assay_suite_build(const struct assay_spec *spec, const struct assay_model *model,
                                      const struct assay_suite_options *options)
{
    struct assay_suite_all *all = calloc(1, sizeof *all);
    struct assay_builder *b = calloc(1, sizeof *b);
    uint64_t leniencies = leniencies_of(model, options);
    uint16_t machine = assay_suite_machine(model, options);
    bool ok = all && b && machine != ASSAY_NONE;
    if (ok) {
        const struct assay_frame *frame = &model->frames[model->machines[machine].frame_in];
        all->suite.machine = machine;
        all->suite.transport = options->transport;
        *b = (struct assay_builder){.all = all,
                                    .store = &all->store,
                                    .spec = spec,
                                    .model = model,
                                    .frame = frame,
                                    .config = {.spec = spec,
                                               .model = model,
                                               .machine = machine,
                                               .transport = options->transport,
                                               .calls = options->role == ASSAY_CLIENT,
                                               .options = options->params,
                                               .leniencies = leniencies,
                                               .terminal = assay_suite_terminal(spec, options)},
                                    .real_time = options->real_time,
                                    .stops = options->stops,
                                    .arrives = options->role == ASSAY_CLIENT,
                                    .call_timeout = options->call_timeout,
                                    .patience = options->patience ? options->patience : PATIENCE,
                                    .faults = options->faults,
                                    .segments = segments_matter(frame, leniencies)};
        ok = generate(b);
        publish(b, options);
        assay_explored_free(&b->explored);
        free(b->inputs.items);
        free(b->steps);
    }
    free(b);
    if (ok)
        return &all->suite;
    if (all)
        assay_suite_free(&all->suite);
    return NULL;
}

struct assay_suite *assay_suite_make(const struct assay_spec *spec, const struct assay_suite_options *options)
{
    const struct assay_model *model = options->model ? options->model : assay_spec_model(spec);
    return model ? assay_suite_build(spec, model, options) : NULL;
}

void assay_suite_free(struct assay_suite *suite)
{
    struct assay_suite_all *all = (struct assay_suite_all *)suite; /* its first member */
    if (!all)
        return;
    free(all->cases);
    free(all->notes);
    assay_store_free(&all->store);
    free(all);
}
