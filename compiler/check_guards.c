/* A witness for each condition: values, sampled, for which it holds where no earlier rule takes the event. */
#include <string.h>

#include "compiler/check.h"
#include "compiler/types.h"
#include "core/code.h"
#include "core/pairs.h"

#define ATOMS_MAX      24
#define CANDIDATES_MAX 256
#define FIRST_MAX      48 /* of them in the first, systematic search */
#define TRIES_MAX      20000
#define BUDGET         3000000 /* tries for one machine, so that a check never takes long */

/* Something that conditions look at. */
struct atom {
    const struct spec_expr *e; /* FIELD, VAR or PARAM */
    assay_val candidates[CANDIDATES_MAX];
    size_t count, at;
    bool optional; /* it may be absent: one more candidate */
};

struct search {
    struct assay_spec *spec;
    const struct assay_model *model;
    struct spec_machine *machine;
    struct assay_env env;
    assay_val slots[ASSAY_SLOTS_MAX], *vars, *options;
    struct assay_model own; /* the model with params of text as they are being tried */
    struct assay_option *own_options;
    struct atom atoms[ATOMS_MAX];
    size_t atom_count;
    int64_t ints[CANDIDATES_MAX];
    size_t int_count;
    assay_val texts[CANDIDATES_MAX];
    size_t text_count;
    size_t limit;  /* of candidates */
    uint8_t *pool; /* bytes of texts: ASSAY_REGION_FRAME */
    uint32_t pool_used, pool_cap;
    uint64_t seed;
    size_t budget;
    bool *holds, *taken; /* by rule in the model */
};

/* ---- constants worth trying -------------------------------------------- */

static void add_int(struct search *s, int64_t n)
{
    for (size_t i = 0; i < s->int_count; i++)
        if (s->ints[i] == n)
            return;
    if (s->int_count < s->limit)
        s->ints[s->int_count++] = n;
}

static void add_text(struct search *s, const uint8_t *p, uint32_t n)
{
    if (s->text_count >= s->limit || n > s->pool_cap - s->pool_used)
        return;
    if (n)
        memcpy(s->pool + s->pool_used, p, n);
    s->texts[s->text_count++] = assay_val_bytes(ASSAY_REGION_FRAME, s->pool_used, n);
    s->pool_used += n;
}

/* n bytes that begin with `first`. */
static void add_run(struct search *s, int64_t n, uint8_t first)
{
    uint8_t run[1024];
    if (n < 1 || n > (int64_t)sizeof run)
        return;
    memset(run, 'a', sizeof run);
    run[0] = first;
    add_text(s, run, (uint32_t)n);
}

static void collect(struct spec_expr *e, void *context)
{
    struct search *s = context;
    if (e->kind == SPEC_E_INT || e->kind == SPEC_E_DURATION || e->kind == SPEC_E_LITERAL) {
        for (int64_t d = -1; d <= 1; d++)
            if ((d < 0) ? e->number > INT64_MIN : (d == 0 || e->number < INT64_MAX))
                add_int(s, e->number + d);
    } else if (e->kind == SPEC_E_TEXT) {
        add_text(s, e->text.p, e->text.n);
    } else if (e->kind == SPEC_E_CALL && e->ref.function && e->ref.function->id == SPEC_F_FITS) {
        int64_t root = 1;
        while (root < 3037000499 && root * root < e->args[1]->type->max)
            root *= 2;
        add_int(s, root);
        add_int(s, e->args[1]->type->max);
    }
}

/* Texts of all lengths that numbers in the conditions suggest, beginning with all bytes that they suggest. */
static void add_common(struct search *s)
{
    size_t n = s->int_count;
    add_text(s, NULL, 0);
    add_run(s, 1, 'a');
    add_run(s, 1, '0');
    add_run(s, 2, 0);
    add_run(s, 3, 'b');
    for (size_t i = 0; i < n; i++) {
        add_run(s, s->ints[i], 'a');
        if (s->ints[i] >= 0 && s->ints[i] < 256)
            add_run(s, 1, (uint8_t)s->ints[i]);
    }
    add_int(s, 0);
    add_int(s, 1);
    add_int(s, -1);
    add_int(s, 100);
}

/* For a second, wider search: what the constants make together. */
static void add_wider_ints(struct search *s)
{
    size_t n = s->int_count < 24 ? s->int_count : 24;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            int64_t x = s->ints[i], y = s->ints[j], r;
            if (y != 0 && y != -1)
                add_int(s, x / y);
            if (!__builtin_add_overflow(x, y, &r))
                add_int(s, r);
        }
}

static void add_mixed(struct search *s, struct assay_span text, int64_t size, bool before, int64_t at, uint8_t byte)
{
    uint8_t run[1024];
    if (size < text.n || size < 1 || size > (int64_t)sizeof run)
        return;
    memset(run, 'a', sizeof run);
    if (text.n)
        memcpy(before ? run : run + size - text.n, text.p, text.n);
    if (at >= 0 && at < size)
        run[at] = byte;
    add_text(s, run, (uint32_t)size);
}

/* Texts of the conditions at the beginning or end of longer ones; bytes of theirs at places of theirs. */
static void add_wider_texts(struct search *s)
{
    size_t texts = s->text_count < 8 ? s->text_count : 8, n = s->int_count < 12 ? s->int_count : 12;
    for (size_t i = 0; i < texts; i++)
        for (size_t j = 0; j < n; j++) {
            add_mixed(s, assay_bytes(&s->env, s->texts[i]), s->ints[j], true, -1, 0);
            add_mixed(s, assay_bytes(&s->env, s->texts[i]), s->ints[j], false, -1, 0);
        }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (s->ints[j] >= 0 && s->ints[j] < 256)
                add_mixed(s, (struct assay_span){NULL, 0}, s->ints[i] + 1, true, s->ints[i], (uint8_t)s->ints[j]);
}

/* ---- atoms ------------------------------------------------------------- */

/* Whether a record is there shows in its first part. */
static struct spec_expr *first_part(struct search *s, const struct spec_expr *record)
{
    const struct spec_field *part = record->ref.group->parts.items[0];
    struct spec_expr *e = ASSAY_NEW(&s->spec->arena, struct spec_expr);
    *e = (struct spec_expr){.kind = SPEC_E_FIELD, .node = record->node, .type = part->type, .ref.field = part};
    return e;
}

static void find_atom(struct spec_expr *e, void *context)
{
    struct search *s = context;
    if (e->kind == SPEC_E_RECORD)
        e = first_part(s, e);
    if (e->kind != SPEC_E_FIELD && e->kind != SPEC_E_VAR && e->kind != SPEC_E_PARAM)
        return;
    for (size_t i = 0; i < s->atom_count; i++)
        if (assay_expr_same(s->atoms[i].e, e))
            return;
    if (s->atom_count < ATOMS_MAX)
        s->atoms[s->atom_count++] = (struct atom){.e = e};
}

static uint16_t model_type(const struct search *s, const struct spec_expr *e)
{
    if (e->kind == SPEC_E_FIELD)
        return s->model->fields[e->ref.field->index].type;
    return e->kind == SPEC_E_VAR ? s->model->vars[e->ref.var->index].type : s->model->options[e->ref.param->index].type;
}

static void add_candidate(struct search *s, struct atom *a, assay_val v)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->candidates[i] == v)
            return;
    if (a->count < CANDIDATES_MAX && assay_fits(&s->env, model_type(s, a->e), v) == ASSAY_FIT)
        a->candidates[a->count++] = v;
}

static void add_samples(struct search *s, struct atom *a)
{
    const struct assay_blob *samples = NULL;
    size_t n = a->e->kind == SPEC_E_FIELD ? assay_spec_samples(s->spec, a->e->ref.field->index, &samples) : 0;
    for (size_t i = 0; i < n && i < 8; i++) {
        uint32_t at = s->pool_used;
        if (samples[i].n > s->pool_cap - at)
            return;
        if (samples[i].n)
            memcpy(s->pool + at, samples[i].p, samples[i].n);
        s->pool_used += samples[i].n;
        add_candidate(s, a, assay_val_bytes(ASSAY_REGION_FRAME, at, samples[i].n));
    }
}

/* One pair each: of names and values that the conditions speak of. */
static void add_pairs(struct search *s, struct atom *a)
{
    struct assay_grammar grammar;
    size_t names = s->text_count < 16 ? s->text_count : 16, values = s->text_count < 32 ? s->text_count : 32;
    assay_grammar_open(&grammar, s->model, a->e->type->pairs->index);
    add_candidate(s, a, ASSAY_VAL_EMPTY);
    for (size_t i = 0; i < names; i++)
        for (size_t j = 0; j < values; j++) {
            struct assay_pair_list list;
            assay_val text;
            s->env.scratch_used = 0;
            if (!assay_pair_list_open(&s->env, &list, 1) ||
                !assay_pair_list_add(&s->env, &grammar, &list, assay_bytes(&s->env, s->texts[i]),
                                     assay_bytes(&s->env, s->texts[j])) ||
                !assay_pair_list_close(&s->env, &grammar, &list, ASSAY_DUP_LAST, &text))
                continue;
            struct assay_span made = assay_bytes(&s->env, text);
            if (made.n > s->pool_cap - s->pool_used)
                return;
            memcpy(s->pool + s->pool_used, made.p, made.n);
            add_candidate(s, a, assay_val_bytes(ASSAY_REGION_FRAME, s->pool_used, made.n));
            s->pool_used += made.n;
        }
}

static void fill_atom(struct search *s, struct atom *a)
{
    const struct spec_type *type = a->e->type;
    a->optional = a->e->kind == SPEC_E_FIELD && assay_may_lack(a->e->ref.field);
    if (type->kind == ASSAY_T_ENUM && type->of)
        SPEC_EACH (struct spec_enum_item, item, &type->of->items)
            add_candidate(s, a, (assay_val)item->value);
    if (type->form == ASSAY_FORM_PAIRS && type->pairs) {
        add_pairs(s, a);
    } else if (assay_kind_is_bytes(type->kind)) {
        add_samples(s, a);
        for (size_t i = 0; i < s->text_count; i++)
            add_candidate(s, a, s->texts[i]);
    } else if (type->kind == ASSAY_T_LIST) {
        add_candidate(s, a, ASSAY_VAL_EMPTY);
    } else {
        for (size_t i = 0; i < s->int_count; i++)
            add_candidate(s, a, (assay_val)s->ints[i]);
        add_candidate(s, a, (assay_val)type->min);
        add_candidate(s, a, (assay_val)type->max);
        add_candidate(s, a, (assay_val)(type->min / 2 + type->max / 2));
    }
    if (a->count == 0)
        a->candidates[a->count++] = type->kind >= ASSAY_T_BYTES ? ASSAY_VAL_EMPTY : 0;
}

/* ---- trying ------------------------------------------------------------ */

static void set_text(struct search *s, uint16_t option, assay_val v)
{
    struct assay_span text = assay_bytes(&s->env, v);
    s->own_options[option].blob = (struct assay_blob){text.p, text.n};
}

static void assign(struct search *s, const struct atom *a)
{
    assay_val v = a->candidates[a->at < a->count ? a->at : 0];
    if (a->e->kind == SPEC_E_VAR)
        s->vars[a->e->ref.var->index - s->env.vars_first] = v;
    else if (a->e->kind == SPEC_E_PARAM && assay_kind_is_bytes(a->e->type->kind))
        set_text(s, a->e->ref.param->index, v);
    else if (a->e->kind == SPEC_E_PARAM)
        s->options[a->e->ref.param->index] = v;
    else if (a->at < a->count)
        assay_slot_set(&s->env, a->e->ref.field->slot, v);
}

static void compute_fields(struct search *s, const struct spec_list *fields)
{
    SPEC_EACH (struct spec_field, f, fields) {
        assay_val v;
        if (f->type->form == ASSAY_FORM_CALC && f->slot != ASSAY_NONE &&
            assay_eval(&s->env, s->model->fields[f->index].is, &v))
            assay_slot_set(&s->env, f->slot, v);
    }
}

static void try_values(struct search *s, const struct spec_event *event, struct spec_rule *const tried[], size_t count)
{
    s->budget -= s->budget > 0;
    s->env.known = 0;
    s->env.scratch_used = 0;
    for (size_t i = 0; i < s->atom_count; i++)
        assign(s, &s->atoms[i]);
    compute_fields(s, &event->message->fields);
    bool gone = false;
    for (size_t i = 0; i < count; i++) {
        const struct assay_rule *rule = &s->model->rules[tried[i]->index];
        s->env.scratch_used = 0;
        if (!assay_holds(&s->env, rule->guard))
            continue;
        s->holds[tried[i]->index] = true;
        if (!gone)
            s->taken[tried[i]->index] = true;
        gone = true;
    }
}

static uint64_t random_next(struct search *s)
{
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 7;
    s->seed ^= s->seed << 17;
    return s->seed;
}

static size_t ways(const struct atom *a)
{
    return a->count + a->optional;
}

static bool step(struct search *s)
{
    for (size_t i = 0; i < s->atom_count; i++) {
        if (++s->atoms[i].at < ways(&s->atoms[i]))
            return true;
        s->atoms[i].at = 0;
    }
    return false;
}

static void search_event(struct search *s, const struct spec_event *event, struct spec_rule *const tried[],
                         size_t count)
{
    size_t product = 1;
    for (size_t i = 0; i < s->atom_count; i++)
        product = product > TRIES_MAX ? product : product * ways(&s->atoms[i]);
    if (product <= TRIES_MAX) {
        do
            try_values(s, event, tried, count);
        while (step(s));
        return;
    }
    for (size_t n = 0; n < TRIES_MAX; n++) {
        for (size_t i = 0; i < s->atom_count; i++)
            s->atoms[i].at = (size_t)(random_next(s) % ways(&s->atoms[i]));
        try_values(s, event, tried, count);
    }
}

/* A pattern compares fields with constants; both belong to the condition. */
static void gather(struct search *s, const struct spec_rule *rule, void (*visit)(struct spec_expr *, void *))
{
    if (rule->guard)
        assay_expr_walk(rule->guard, visit, s);
    SPEC_EACH (struct spec_given, given, &rule->pattern) {
        struct spec_expr *field = ASSAY_NEW(&s->spec->arena, struct spec_expr);
        if (!given->field || !given->value)
            continue;
        *field = (struct spec_expr){.kind = SPEC_E_FIELD, .node = given->value->node, .type = given->field->type};
        field->ref.field = given->field;
        visit(field, s);
        assay_expr_walk(given->value, visit, s);
    }
}

static void fill_and_search(struct search *s, const struct spec_event *event, struct spec_rule *const tried[],
                            size_t count)
{
    for (size_t i = 0; i < s->atom_count; i++) {
        s->atoms[i].count = s->atoms[i].at = 0;
        fill_atom(s, &s->atoms[i]);
    }
    search_event(s, event, tried, count);
}

static bool all_taken(const struct search *s, struct spec_rule *const tried[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!assay_rule_always(tried[i]) && !s->taken[tried[i]->index])
            return false;
    return true;
}

/* Peers, seals and tables are not sampled: what stands beside them counts as taken. */
static bool looks_out(struct search *s, struct spec_rule *const tried[], size_t count)
{
    bool looks = false;
    for (size_t i = 0; i < count; i++)
        looks = looks || (tried[i]->guard && assay_expr_looks_out(tried[i]->guard));
    for (size_t i = 0; i < count && looks; i++)
        s->taken[tried[i]->index] = true;
    return looks;
}

static void search_state(struct search *s, const struct spec_state *state, const struct spec_event *event)
{
    struct spec_rule *tried[TRIED_MAX];
    size_t count = assay_rules_tried(s->machine, state, event, tried);
    bool conditions = false;
    s->atom_count = s->int_count = s->text_count = 0;
    s->limit = FIRST_MAX;
    s->pool_used = 0;
    if (looks_out(s, tried, count))
        return;
    for (size_t i = 0; i < count; i++) {
        conditions = conditions || !(assay_rule_always(tried[i]) || s->taken[tried[i]->index]);
        gather(s, tried[i], find_atom);
        gather(s, tried[i], collect);
    }
    if (!conditions || s->budget == 0)
        return;
    add_common(s);
    fill_and_search(s, event, tried, count);
    if (all_taken(s, tried, count))
        return;
    s->limit = CANDIDATES_MAX;
    add_wider_texts(s);
    add_wider_ints(s);
    fill_and_search(s, event, tried, count);
}

/* ---- saying it --------------------------------------------------------- */

static bool said_already(const struct assay_spec *spec, struct assay_at at)
{
    for (size_t i = 0; i < spec->diags->count; i++)
        if (spec->diags->items[i].line == at.line && spec->diags->items[i].column == at.column)
            return true;
    return false;
}

/* Conditions of other events than messages look at what was read before a fault; they are not sampled. */
static bool was_sampled(const struct spec_rule *rule)
{
    SPEC_EACH (struct spec_event, event, &rule->events)
        if (event->kind != ASSAY_EVK_MESSAGE)
            return false;
    return rule->events.count > 0 && !assay_rule_always(rule);
}

static void report(struct search *s)
{
    SPEC_EACH (struct spec_rule, rule, &s->machine->rules) {
        if (s->budget == 0 || !was_sampled(rule) || s->taken[rule->index] || said_already(s->spec, rule->at))
            continue;
        assay_spec_warning(s->spec, rule->at,
                           s->holds[rule->index]
                               ? "no sampled value is left for this rule: earlier ones take all for which it holds"
                               : "no sampled value makes the condition of this rule true");
    }
}

/* ---- all --------------------------------------------------------------- */

static void search_machine(struct assay_spec *spec, struct spec_machine *machine)
{
    struct search *s = ASSAY_NEW(&spec->arena, struct search);
    const struct assay_model *model = spec->model;
    s->spec = spec;
    s->model = model;
    s->machine = machine;
    s->seed = 0x9e3779b97f4a7c15u;
    s->budget = BUDGET;
    s->pool_cap = 1 << 17;
    s->pool = assay_arena_alloc(&spec->arena, s->pool_cap);
    s->vars = assay_arena_alloc(&spec->arena, (model->vars_count + 1u) * sizeof *s->vars);
    s->options = assay_arena_alloc(&spec->arena, (model->options_count + 1u) * sizeof *s->options);
    s->holds = assay_arena_alloc(&spec->arena, model->rules_count + 1u);
    s->taken = assay_arena_alloc(&spec->arena, model->rules_count + 1u);
    s->own = *model;
    s->own_options = assay_arena_alloc(&spec->arena, (model->options_count + 1u) * sizeof *s->own_options);
    for (uint16_t i = 0; i < model->options_count; i++)
        s->own_options[i] = model->options[i];
    s->own.options = s->own_options;
    s->env = (struct assay_env){.model = &s->own, .slots = s->slots, .vars = s->vars, .options = s->options};
    s->env.frame = s->pool;
    s->env.vars_first = model->machines[machine->index].vars.first;
    s->env.scratch_cap = model->scratch + (1u << 16);
    s->env.scratch = assay_arena_alloc(&spec->arena, s->env.scratch_cap);
    SPEC_EACH (struct spec_state, state, &machine->states)
        if (state->kind == ASSAY_STATE_PLAIN)
            SPEC_EACH (struct spec_event, event, &spec->events)
                if (event->kind == ASSAY_EVK_MESSAGE && event->message)
                    search_state(s, state, event);
    report(s);
}

void assay_check_guards(struct assay_spec *spec)
{
    if (spec->model)
        SPEC_EACH (struct spec_machine, machine, &spec->machines)
            if (!machine->implicit)
                search_machine(spec, machine);
}
