#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/build.h"
#include "conformance/equivalence.h"
#include "conformance/memory.h"
#include "conformance/mutate.h"
#include "conformance/score.h"

#define VIRTUAL_PATIENCE 3600000000000 /* ns: nobody waits */
#define TIMER_ON         4000000000    /* ns: for options of durations that are off */

struct scorer {
    struct assay_score score; /* first: this is what users hold */
    struct assay_store store;
    size_t cap;
    const struct assay_model *model;
    uint16_t machine;
    struct assay_suite *suite;
    struct assay_inputs inputs;
    struct assay_oracle_config right;
    assay_val *options;
    uint64_t *hashes; /* what the right model does in each case */
    size_t *order;    /* cases, the best killers first */
};

/* ---- setting up -------------------------------------------------------- */

/* The defaults, with every duration that is off switched on. */
static bool make_options(struct scorer *s)
{
    s->options = calloc(s->model->options_count + 1u, sizeof *s->options);
    for (uint16_t i = 0; s->options && i < s->model->options_count; i++) {
        const struct assay_option *o = &s->model->options[i];
        uint8_t kind = s->model->types[o->type].kind;
        s->options[i] = kind >= ASSAY_T_BYTES ? assay_val_bytes(ASSAY_REGION_CONST, ASSAY_CONST_OPTIONS + i, o->blob.n)
                                              : (assay_val)o->value;
        if (kind == ASSAY_T_DURATION && o->value == 0)
            s->options[i] = (assay_val)TIMER_ON;
    }
    return s->options != NULL;
}

static bool start(struct scorer *s, const struct assay_spec *spec, const struct assay_score_options *wanted)
{
    uint64_t seed = wanted->seed;
    if (!make_options(s))
        return false;
    struct assay_suite_options options = {.transport = wanted->transport,
                                          .role = wanted->role,
                                          .seed = seed,
                                          .params = s->options,
                                          .faults = true,
                                          .stops = true,
                                          .patience = VIRTUAL_PATIENCE};
    s->machine = assay_suite_machine(s->model, &options);
    s->suite = assay_suite_build(spec, s->model, &options);
    s->right = (struct assay_oracle_config){.model = s->model,
                                            .machine = s->machine,
                                            .options = s->options,
                                            .leniencies =
                                                wanted->role == ASSAY_CLIENT ? 0 : assay_leniencies_default(s->model),
                                            .seed = seed,
                                            .terminal = assay_suite_terminal(spec, &options)};
    if (!s->suite)
        return false;
    struct assay_witness_config config = {.spec = spec,
                                          .model = s->model,
                                          .machine = s->machine,
                                          .transport = wanted->transport,
                                          .calls = wanted->role == ASSAY_CLIENT,
                                          .options = s->options,
                                          .leniencies = s->right.leniencies};
    assay_inputs_make(&s->store, &config, &s->inputs);
    s->hashes = calloc(s->suite->count + 1, sizeof *s->hashes);
    s->order = calloc(s->suite->count + 1, sizeof *s->order);
    if (!s->hashes || !s->order)
        return false;
    struct assay_memory_config memory = {.right = s->right, .model = s->model};
    for (size_t i = 0; i < s->suite->count; i++) {
        struct assay_memory_result result;
        s->order[i] = i;
        s->hashes[i] = assay_memory_hash(&memory, &s->suite->cases[i]);
        if (!assay_memory_run(&memory, &s->suite->cases[i], &result) || !result.passed) {
            fprintf(stderr, "assay: the model fails its own case %s: expected %s, saw %s\n", s->suite->cases[i].id,
                    result.blame.expected, result.blame.seen);
            return false;
        }
    }
    s->score.cases = s->suite->count;
    return true;
}

/* ---- one mutant -------------------------------------------------------- */

static void to_front(struct scorer *s, size_t at)
{
    size_t best = s->order[at];
    memmove(s->order + 1, s->order, at * sizeof *s->order);
    s->order[0] = best;
}

/* The rules that were passed over for the one that is blamed are at stake, too: that they do not apply is theirs. */
static bool passed_over(const struct assay_model *model, const struct assay_blame *blame, uint16_t req)
{
    if (blame->state == ASSAY_NONE || blame->event == ASSAY_NONE || blame->rule == ASSAY_NONE)
        return false;
    uint16_t at = model->transitions[(size_t)blame->state * model->events_count + blame->event];
    for (const uint16_t *r = at == ASSAY_NONE ? NULL : &model->rule_lists[at]; r && *r != ASSAY_NONE; r++) {
        if (model->rules[*r].req == req)
            return true;
        if (*r == blame->rule)
            return false;
    }
    return false;
}

static bool blames_right(const struct assay_model *model, const struct assay_mutant *mutant, const struct assay_case *c,
                         const struct assay_memory_result *result)
{
    uint16_t req = mutant->req;
    for (uint8_t i = 0; i < result->ran_count; i++)
        if (result->ran[i] == mutant->rule)
            return true;
    return req == ASSAY_NONE || result->blame.req == req || c->req == req || c->field_req == req ||
           passed_over(model, &result->blame, req);
}

/* Try the cases; the first kill counts, one that blames the right requirement is better. */
static void try_cases(struct scorer *s, const struct assay_mutant *mutant, struct assay_score_row *row)
{
    struct assay_memory_config memory = {.right = s->right, .model = &mutant->model};
    for (size_t k = 0; k < s->suite->count && !row->right; k++) {
        const struct assay_case *c = &s->suite->cases[s->order[k]];
        struct assay_memory_result result;
        s->score.cases_run++;
        if (assay_memory_hash(&memory, c) == s->hashes[s->order[k]] || !assay_memory_run(&memory, c, &result) ||
            result.passed)
            continue;
        row->right = blames_right(s->model, mutant, c, &result);
        if (row->fate == ASSAY_KILLED && !row->right)
            continue;
        row->fate = ASSAY_KILLED;
        row->killer = c->id;
        row->blamed = result.blame.req;
        to_front(s, k);
    }
}

static void try_equivalence(struct scorer *s, const struct assay_mutant *mutant, struct assay_score_row *row)
{
    struct assay_equivalence_result result;
    if (!assay_equivalence(&s->right, &s->inputs, &mutant->model, &result))
        return;
    row->trace = assay_store_text(&s->store, "%s", result.trace);
    if (result.found == ASSAY_EQUAL)
        row->fate = ASSAY_NO_DIFFERENCE;
}

static void count(struct assay_score *score, const struct assay_score_row *row)
{
    score->killed += row->fate == ASSAY_KILLED;
    score->right += row->fate == ASSAY_KILLED && row->right;
    score->equal += row->fate == ASSAY_NO_DIFFERENCE;
    score->survived += row->fate == ASSAY_SURVIVED;
}

static void judge(struct scorer *s, const struct assay_mutation *mutation, const char *filter)
{
    struct assay_mutant mutant;
    bool valid = assay_mutant_make(s->model, s->machine, mutation, &mutant);
    bool wanted = valid && (!filter || fnmatch(filter, mutant.kind, 0) == 0);
    s->score.malformed += !valid;
    if (wanted) {
        struct assay_score_row *row = assay_items_add((void **)&s->score.rows, &s->score.count, &s->cap, sizeof *row);
        *row = (struct assay_score_row){.kind = mutant.kind,
                                        .text = assay_store_text(&s->store, "%s", mutant.text),
                                        .rule = mutant.rule,
                                        .req = mutant.req,
                                        .fate = ASSAY_SURVIVED,
                                        .blamed = ASSAY_NONE};
        try_cases(s, &mutant, row);
        if (row->fate != ASSAY_KILLED)
            try_equivalence(s, &mutant, row);
        count(&s->score, row);
    }
    assay_mutant_free(&mutant);
}

struct assay_score *assay_score_make(const struct assay_spec *spec, const struct assay_model *model,
                                     const struct assay_score_options *options)
{
    struct scorer *s = calloc(1, sizeof *s);
    struct assay_mutations mutations = {0};
    if (!s)
        return NULL;
    s->model = model;
    if (!start(s, spec, options)) {
        assay_score_free(&s->score);
        return NULL;
    }
    assay_mutations_list(model, s->machine, &mutations);
    for (size_t i = 0; i < mutations.count; i++) {
        judge(s, &mutations.items[i], options->filter);
        if (options->progress)
            options->progress(options->context, i + 1, mutations.count);
    }
    free(mutations.items);
    return &s->score;
}

void assay_score_free(struct assay_score *score)
{
    struct scorer *s = (struct scorer *)score; /* its first member */
    if (!s)
        return;
    free(s->score.rows);
    assay_suite_free(s->suite);
    assay_store_free(&s->store);
    free(s->inputs.items);
    free(s->options);
    free(s->hashes);
    free(s->order);
    free(s);
}
