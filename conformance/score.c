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
static const struct assay_blob SWITCH_ON = {(const uint8_t *)"secret", 6}; /* for options of text that are empty */

/* The suite for one setting of the spec's params. */
struct bench {
    struct assay_model model; /* the spec's with that setting */
    assay_val *options;
    struct assay_suite *suite;
    struct assay_inputs inputs;
    struct assay_oracle_config right;
    struct assay_equivalence_base *base;
    uint64_t *hashes; /* what the right model does in each case */
    size_t *order;    /* cases, the best killers first */
};
#define BENCHES_MAX 2

struct scorer {
    struct assay_score score; /* first: this is what users hold */
    struct assay_store store;
    size_t cap;
    const struct assay_model *model;
    uint16_t machine;
    bool observed;
    struct bench benches[BENCHES_MAX];
    size_t bench_count;
};

/* ---- setting up -------------------------------------------------------- */

/* Whether a param names the object of an effect: a file. */
static bool names_an_object(const struct assay_model *model, const char *param)
{
    for (uint16_t i = 0; i < model->effects_count; i++)
        if (model->effects[i].object && model->effects[i].object[0] == '$' &&
            strcmp(model->effects[i].object + 1, param) == 0)
            return true;
    return false;
}

/* A text that is empty by default and is compared with something: what is left out then is worth a look. */
static bool is_switch(const struct assay_model *model, const struct assay_option *o)
{
    const struct assay_type *t = &model->types[o->type];
    return (t->kind == ASSAY_T_TEXT || t->kind == ASSAY_T_BYTES) && o->blob.n == 0 && t->max >= (int64_t)SWITCH_ON.n &&
           !names_an_object(model, o->name);
}

static bool has_switch(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->options_count; i++)
        if (is_switch(model, &model->options[i]))
            return true;
    return false;
}

/* The defaults, with every duration that is off switched on; texts that are empty, too, if wanted. */
static bool make_options(struct scorer *s, struct bench *bench, bool texts)
{
    const struct assay_model *model = s->model;
    struct assay_option *own =
        assay_store_copy(&s->store, model->options, model->options_count * sizeof *model->options);
    bench->model = *model;
    bench->model.options = own;
    bench->options = calloc(model->options_count + 1u, sizeof *bench->options);
    for (uint16_t i = 0; bench->options && i < model->options_count; i++) {
        struct assay_option *o = &own[i];
        uint8_t kind = model->types[o->type].kind;
        if (texts && is_switch(model, &model->options[i]))
            o->blob = SWITCH_ON;
        if (kind == ASSAY_T_DURATION && o->value == 0)
            o->value = TIMER_ON;
        bench->options[i] = kind >= ASSAY_T_BYTES
                                ? assay_val_bytes(ASSAY_REGION_CONST, ASSAY_CONST_OPTIONS + i, o->blob.n)
                                : (assay_val)o->value;
    }
    return bench->options != NULL;
}

/* Where what one link was told is sent on another, or what is drawn decides how often something is done, a hash of what
 * is done to each alone says nothing. */
static bool is_beyond_hashes(const struct assay_case *c)
{
    for (size_t i = 0; i < c->step_count; i++) {
        const struct assay_step *s = &c->steps[i];
        if (s->kind == ASSAY_STEP_REPEAT ||
            (s->kind == ASSAY_STEP_SEND && s->stamp.kind == ASSAY_STAMP_NONE && s->from != s->link))
            return true;
    }
    return false;
}

/* Those that are judged for every mutant come last: fewer are left then. */
static void order_cases(struct bench *b)
{
    size_t n = 0;
    for (int beyond = 0; beyond < 2; beyond++)
        for (size_t i = 0; i < b->suite->count; i++)
            if (is_beyond_hashes(&b->suite->cases[i]) == beyond)
                b->order[n++] = i;
}

/* Every case has to agree with the right model. */
static bool rehearse(struct scorer *s, struct bench *b)
{
    struct assay_memory_config memory = {.right = b->right, .model = &b->model};
    b->hashes = calloc(b->suite->count + 1, sizeof *b->hashes);
    b->order = calloc(b->suite->count + 1, sizeof *b->order);
    if (!b->hashes || !b->order)
        return false;
    order_cases(b);
    for (size_t i = 0; i < b->suite->count; i++) {
        struct assay_memory_result result;
        b->hashes[i] = assay_memory_hash(&memory, &b->suite->cases[i]);
        if (!assay_memory_run(&memory, &b->suite->cases[i], &result) || !result.passed) {
            fprintf(stderr, "assay: the model fails its own case %s: expected %s, saw %s\n", b->suite->cases[i].id,
                    result.blame.expected, result.blame.seen);
            return false;
        }
    }
    s->score.cases += b->suite->count;
    return true;
}

static bool start(struct scorer *s, struct bench *b, const struct assay_spec *spec,
                  const struct assay_score_options *wanted, bool texts)
{
    if (!make_options(s, b, texts))
        return false;
    struct assay_suite_options options = {.transport = wanted->transport,
                                          .role = wanted->role,
                                          .machine = wanted->machine,
                                          .seed = wanted->seed,
                                          .params = b->options,
                                          .faults = true,
                                          .stops = true,
                                          .patience = VIRTUAL_PATIENCE};
    bool client = wanted->role == ASSAY_CLIENT;
    s->machine = assay_suite_machine(s->model, &options);
    b->suite = assay_suite_build(spec, &b->model, &options);
    b->right = (struct assay_oracle_config){.model = &b->model,
                                            .machine = s->machine,
                                            .options = b->options,
                                            .leniencies = client ? 0 : assay_leniencies_default(s->model),
                                            .seed = wanted->seed,
                                            .terminal = assay_suite_terminal(spec, &options)};
    if (!b->suite)
        return false;
    struct assay_witness_config config = {.spec = spec,
                                          .model = &b->model,
                                          .machine = s->machine,
                                          .transport = wanted->transport,
                                          .calls = client,
                                          .options = b->options,
                                          .leniencies = b->right.leniencies};
    assay_inputs_make(&s->store, &config, &b->inputs);
    return rehearse(s, b);
}

static bool start_all(struct scorer *s, const struct assay_spec *spec, const struct assay_score_options *wanted)
{
    s->observed = wanted->role != ASSAY_CLIENT;
    s->bench_count = has_switch(s->model) ? 2 : 1;
    for (size_t i = 0; i < s->bench_count; i++)
        if (!start(s, &s->benches[i], spec, wanted, i == 1))
            return false;
    return true;
}

/* ---- one mutant -------------------------------------------------------- */

static void to_front(struct bench *b, size_t at)
{
    size_t best = b->order[at];
    memmove(b->order + 1, b->order, at * sizeof *b->order);
    b->order[0] = best;
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
static void try_cases(struct scorer *s, struct bench *b, const struct assay_mutant *mutant, struct assay_score_row *row)
{
    struct assay_memory_config memory = {.right = b->right, .model = &mutant->model};
    for (size_t k = 0; k < b->suite->count && !row->right; k++) {
        const struct assay_case *c = &b->suite->cases[b->order[k]];
        struct assay_memory_result result;
        s->score.cases_run++;
        bool same = assay_memory_hash(&memory, c) == b->hashes[b->order[k]] && !is_beyond_hashes(c);
        if (same || !assay_memory_run(&memory, c, &result) || result.passed)
            continue;
        row->right = blames_right(&b->model, mutant, c, &result);
        if (row->fate == ASSAY_KILLED && !row->right)
            continue;
        row->fate = ASSAY_KILLED;
        row->killer = assay_store_text(&s->store, "%s", c->id);
        row->blamed = result.blame.req;
        to_front(b, k);
    }
}

/* Whether nothing tells the mutant apart. */
static bool no_difference(struct scorer *s, struct bench *b, const struct assay_mutant *mutant,
                          struct assay_score_row *row)
{
    struct assay_equivalence_result result;
    if (!b->base)
        b->base = assay_equivalence_base(&b->right, &b->inputs, s->observed);
    if (!b->base || !assay_equivalence(b->base, &mutant->model, &result))
        return false;
    row->trace = assay_store_text(&s->store, "%s", result.trace);
    return result.found == ASSAY_EQUAL;
}

static void count(struct assay_score *score, const struct assay_score_row *row)
{
    score->killed += row->fate == ASSAY_KILLED;
    score->right += row->fate == ASSAY_KILLED && row->right;
    score->equal += row->fate == ASSAY_NO_DIFFERENCE;
    score->survived += row->fate == ASSAY_SURVIVED;
}

static void judge_row(struct scorer *s, struct assay_mutant *mutants, struct assay_score_row *row)
{
    bool equal = true;
    for (size_t i = 0; i < s->bench_count && !row->right; i++)
        try_cases(s, &s->benches[i], &mutants[i], row);
    for (size_t i = 0; i < s->bench_count && equal && row->fate != ASSAY_KILLED; i++)
        equal = no_difference(s, &s->benches[i], &mutants[i], row);
    if (row->fate != ASSAY_KILLED && equal)
        row->fate = ASSAY_NO_DIFFERENCE;
}

static void judge(struct scorer *s, const struct assay_mutation *mutation, const char *filter)
{
    struct assay_mutant mutants[BENCHES_MAX];
    bool valid = true;
    for (size_t i = 0; i < s->bench_count; i++)
        valid = assay_mutant_make(&s->benches[i].model, s->machine, mutation, &mutants[i]) && valid;
    bool wanted = valid && (!filter || fnmatch(filter, mutants[0].kind, 0) == 0);
    s->score.malformed += !valid;
    if (wanted) {
        struct assay_score_row *row = assay_items_add((void **)&s->score.rows, &s->score.count, &s->cap, sizeof *row);
        *row = (struct assay_score_row){.kind = mutants[0].kind,
                                        .text = assay_store_text(&s->store, "%s", mutants[0].text),
                                        .rule = mutants[0].rule,
                                        .req = mutants[0].req,
                                        .fate = ASSAY_SURVIVED,
                                        .blamed = ASSAY_NONE};
        judge_row(s, mutants, row);
        count(&s->score, row);
    }
    for (size_t i = 0; i < s->bench_count; i++)
        assay_mutant_free(&mutants[i]);
}

struct assay_score *assay_score_make(const struct assay_spec *spec, const struct assay_model *model,
                                     const struct assay_score_options *options)
{
    struct scorer *s = calloc(1, sizeof *s);
    struct assay_mutations mutations = {0};
    if (!s)
        return NULL;
    s->model = model;
    if (!start_all(s, spec, options)) {
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
    for (size_t i = 0; i < s->bench_count; i++) {
        assay_suite_free(s->benches[i].suite);
        assay_equivalence_base_free(s->benches[i].base);
        free(s->benches[i].inputs.items);
        free(s->benches[i].options);
        free(s->benches[i].hashes);
        free(s->benches[i].order);
    }
    free(s->score.rows);
    assay_store_free(&s->store);
    free(s);
}
