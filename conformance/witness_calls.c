/* Calls: what an application may ask of a client, with arguments at the borders of their types, and samples and
 * examples of the fields that they fill. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/maker.h"

#define ARGS_MAX   16
#define VALUES_MAX 64
#define BYTES_MOST 65536u

struct argument {
    const char *label;
    struct assay_value value;
};

struct arguments {
    struct argument items[VALUES_MAX];
    size_t count;
};

/* ---- the field that an argument fills ----------------------------------- */

/* Rules that take the call's event. */
static uint16_t rule_of_call(const struct assay_model *model, const struct assay_call *call)
{
    struct assay_range states = model->machines[call->machine].states;
    for (uint32_t s = states.first; s < (uint32_t)states.first + states.count; s++) {
        uint16_t at = model->transitions[s * model->events_count + call->event];
        if (at != ASSAY_NONE)
            return model->rule_lists[at];
    }
    return ASSAY_NONE;
}

/* Whether an instruction brings the argument: its slot, or the variable that keeps it. */
static bool brings(const struct assay_call *call, uint32_t ins, uint16_t arg)
{
    enum assay_op op = assay_ins_op(ins);
    return (op == ASSAY_OP_SLOT && assay_ins_b(ins) == arg) ||
           (op == ASSAY_OP_VAR && call->first_var != ASSAY_NONE && assay_ins_b(ins) == call->first_var + arg);
}

static const struct {
    int8_t pops, pushes; /* pops -1: as many as `a` says */
} stack_of[] = {
#define X(name, pops, pushes, text) {pops, pushes},
    ASSAY_OPS(X)
#undef X
};

uint16_t assay_popped_into(const struct assay_model *model, uint32_t pc, uint32_t end)
{
    int depth = 0; /* of what stands above it */
    while (++pc < end) {
        uint32_t ins = model->code[pc];
        enum assay_op op = assay_ins_op(ins);
        depth -= stack_of[op].pops < 0 ? (int)assay_ins_a(ins) : stack_of[op].pops;
        if (depth < 0)
            return op == ASSAY_OP_SET ? (uint16_t)assay_ins_b(ins) : ASSAY_NONE;
        depth += stack_of[op].pushes;
    }
    return ASSAY_NONE;
}

/* The machine's variable that the call puts the argument in; ASSAY_NONE: none. */
static uint16_t kept_in(const struct assay_model *model, const struct assay_call *call, uint16_t arg)
{
    uint16_t rule = rule_of_call(model, call), code = rule == ASSAY_NONE ? ASSAY_NONE : model->rules[rule].body;
    for (uint32_t pc = code, end = code == ASSAY_NONE ? pc : assay_code_end(model, code); pc < end; pc++)
        if (brings(call, model->code[pc], arg) && assay_popped_into(model, pc, end) != ASSAY_NONE)
            return assay_popped_into(model, pc, end);
    return ASSAY_NONE;
}

static const struct assay_field *field_of_slot(const struct assay_maker *m, uint16_t frame, uint16_t message,
                                               uint16_t slot)
{
    struct assay_walk w = {.model = m->model, .frame = frame, .message = message};
    const struct assay_field *f;
    while ((f = assay_next_field(&w)) && f->slot != slot)
        ;
    return f;
}

/* The field that `arg` goes to in some code; `kept`: or what stands in that variable. */
static const struct assay_field *filled_in(const struct assay_maker *m, const struct assay_call *call, uint16_t code,
                                           uint16_t arg, uint16_t kept, uint16_t *message)
{
    const struct assay_model *model = m->model;
    uint16_t frame = model->machines[call->machine].frame_out, slot = ASSAY_NONE;
    if (code == ASSAY_NONE)
        return NULL;
    for (uint32_t pc = code, end = assay_code_end(model, code); pc < end; pc++) {
        uint32_t ins = model->code[pc];
        bool here =
            kept == ASSAY_NONE ? brings(call, ins, arg) : assay_ins_op(ins) == ASSAY_OP_VAR && assay_ins_b(ins) == kept;
        if (here && assay_ins_op(model->code[pc + 1]) == ASSAY_OP_OUT)
            slot = (uint16_t)assay_ins_b(model->code[pc + 1]);
        if (assay_ins_op(model->code[pc]) != ASSAY_OP_SEND || slot == ASSAY_NONE)
            continue;
        *message = (uint16_t)assay_ins_b(model->code[pc]);
        return field_of_slot(m, frame, *message, slot);
    }
    return NULL;
}

/* The first field that the argument goes to as it is, in the call's first actions or behind its expects. */
static const struct assay_field *filled_by(const struct assay_maker *m, const struct assay_call *call, uint16_t arg,
                                           uint16_t *message)
{
    const struct assay_model *model = m->model;
    uint16_t rule = rule_of_call(model, call);
    const struct assay_field *f = NULL;
    if (rule != ASSAY_NONE)
        f = filled_in(m, call, model->rules[rule].body, arg, ASSAY_NONE, message);
    for (uint16_t r = 0; !f && call->first_var != ASSAY_NONE && r < model->rules_count; r++) {
        uint16_t state = model->rules[r].state;
        if (state != ASSAY_NONE && model->states[state].kind == ASSAY_STATE_WAIT &&
            &model->calls[model->states[state].call] == call)
            f = filled_in(m, call, model->rules[r].body, arg, ASSAY_NONE, message);
    }
    uint16_t kept = f ? ASSAY_NONE : kept_in(model, call, arg);
    for (uint16_t r = 0; kept != ASSAY_NONE && !f && r < model->rules_count; r++)
        if (model->rules[r].machine == call->machine)
            f = filled_in(m, call, model->rules[r].body, arg, kept, message);
    return f;
}

/* ---- values ------------------------------------------------------------ */

static bool same(struct assay_value x, struct assay_value y)
{
    return x.n == y.n && x.bytes.n == y.bytes.n && (x.bytes.n == 0 || memcmp(x.bytes.p, y.bytes.p, x.bytes.n) == 0);
}

static void add(struct arguments *a, const char *label, struct assay_value value)
{
    for (size_t i = 0; i < a->count; i++)
        if (same(a->items[i].value, value))
            return;
    if (a->count < VALUES_MAX)
        a->items[a->count++] = (struct argument){label, value};
}

static void add_number(struct assay_maker *m, struct arguments *a, const char *name, int64_t n,
                       const struct assay_type *t)
{
    if (n >= t->min && n <= t->max)
        add(a, assay_number_label(m, name, n), (struct assay_value){.n = n});
}

static void number_values(struct assay_maker *m, const struct assay_param *p, struct arguments *a)
{
    const struct assay_type *t = &m->model->types[p->type];
    const int64_t usual[] = {12, 1, 0, -1, 2, t->min, t->max};
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        add_number(m, a, p->name, usual[i], t);
}

static void named_values(struct assay_maker *m, const struct assay_param *p, struct arguments *a)
{
    const struct assay_enum *e = &m->model->enums[m->model->types[p->type].of];
    for (uint16_t k = 0; k < e->items.count; k++) {
        const struct assay_enum_item *item = &m->model->enum_items[e->items.first + k];
        add(a, assay_store_text(m->store, "%s-%s", p->name, item->name),
            (struct assay_value){.n = e->text ? k : item->value});
    }
}

static void add_size(struct assay_maker *m, struct arguments *a, const char *name, int64_t size,
                     const struct assay_type *t)
{
    if (size < t->min || size > t->max || size < 0 || size > BYTES_MOST)
        return;
    const char *label = size ? assay_store_text(m->store, "%s-size-%" PRId64, name, size)
                             : assay_store_text(m->store, "%s-empty", name);
    add(a, label, (struct assay_value){.bytes = assay_filler(m, (uint32_t)size, 'a')});
}

/* Bytes that are not letters, where the type allows any. */
static void add_binary(struct assay_maker *m, struct arguments *a, const char *name, const struct assay_type *t)
{
    static const uint8_t binary[] = {'\0', '\n', 0xff, '"', '\\', ';', '\r', 0x80};
    if (t->kind != ASSAY_T_BYTES || t->set != ASSAY_NONE || t->max < (int64_t)sizeof binary)
        return;
    add(a, assay_store_text(m->store, "%s-binary", name), (struct assay_value){.bytes = {binary, sizeof binary}});
    for (size_t i = 0; i < sizeof binary; i++)
        add(a, assay_store_text(m->store, "%s-first-%02x", name, binary[i]),
            (struct assay_value){.bytes = assay_filler(m, 4, binary[i])});
}

static void bytes_values(struct assay_maker *m, const struct assay_call *call, uint16_t arg, struct arguments *a)
{
    const struct assay_param *p = &m->model->params[call->args.first + arg];
    const struct assay_type *t = &m->model->types[p->type];
    uint16_t message = ASSAY_NONE;
    const struct assay_field *f = filled_by(m, call, arg, &message);
    const struct assay_blob *samples = NULL;
    size_t count =
        f && m->config->spec ? assay_spec_samples(m->config->spec, (uint16_t)(f - m->model->fields), &samples) : 0;
    for (size_t i = 0; i < count; i++)
        add(a, assay_store_text(m->store, "%s-sample-%zu", p->name, i + 1), (struct assay_value){.bytes = samples[i]});
    const struct assay_type *filled = f && f->type != ASSAY_NONE ? &m->model->types[f->type] : t;
    if (filled->min > 3 || filled->max < 3)
        add_size(m, a, p->name, filled->min, t);
    add_size(m, a, p->name, 3, t);
    add_size(m, a, p->name, t->min, t);
    add_size(m, a, p->name, t->min + 1, t);
    add_size(m, a, p->name, t->max, t);
    add_size(m, a, p->name, t->max - 1, t);
    if (f && f->type != ASSAY_NONE) {
        add_size(m, a, p->name, m->model->types[f->type].min, t);
        add_size(m, a, p->name, m->model->types[f->type].max, t);
    }
    add_binary(m, a, p->name, t);
}

/* What a call that does not name the argument has. */
static void add_default(struct assay_maker *m, const struct assay_param *p, struct arguments *a)
{
    assay_val v;
    assay_lens_clear(&m->lens);
    if (p->init == ASSAY_NONE || m->model->types[p->type].kind >= ASSAY_T_BYTES ||
        !assay_eval(&m->lens.env, p->init, &v))
        return;
    add(a, assay_number_label(m, p->name, (int64_t)v), (struct assay_value){.n = (int64_t)v});
}

static void values_of(struct assay_maker *m, const struct assay_call *call, uint16_t arg, struct arguments *a)
{
    const struct assay_param *p = &m->model->params[call->args.first + arg];
    const struct assay_type *t = &m->model->types[p->type];
    a->count = 0;
    add_default(m, p, a);
    switch ((enum assay_type_kind)t->kind) {
    case ASSAY_T_ENUM:
        named_values(m, p, a);
        break;
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT:
        bytes_values(m, call, arg, a);
        break;
    case ASSAY_T_LIST:
        add(a, assay_store_text(m->store, "%s-none", p->name), (struct assay_value){0});
        break;
    case ASSAY_T_BOOL:
        add(a, assay_store_text(m->store, "%s-true", p->name), (struct assay_value){.n = 1});
        add(a, assay_store_text(m->store, "%s-false", p->name), (struct assay_value){0});
        break;
    case ASSAY_T_INT:
    case ASSAY_T_DURATION:
        number_values(m, p, a);
        break;
    }
    if (a->count == 0) /* nothing usual fits: the least there is */
        add(a, p->name,
            (struct assay_value){.n = t->min, .bytes = assay_filler(m, (uint32_t)(t->min > 0 ? t->min : 0), 'a')});
}

/* ---- calls ------------------------------------------------------------- */

static bool has_byte(struct assay_blob bytes, uint8_t byte)
{
    return byte && bytes.n && memchr(bytes.p, byte, bytes.n);
}

/* Whether a value of pairs has to be quoted or escaped. */
static bool needs_signs(const struct assay_model *model, const struct assay_pairs *g, struct assay_blob value)
{
    bool needs = has_byte(value, g->escape) || has_byte(value, g->quote);
    for (uint8_t i = 0; i < g->escapes; i++)
        needs = needs || has_byte(value, g->stands[i]);
    for (uint32_t i = 0; i < value.n && g->quote_if != ASSAY_NONE; i++)
        needs = needs || (model->sets[g->quote_if].bits[value.p[i] >> 6] >> (value.p[i] & 63) & 1);
    return needs;
}

/* The requirement behind the field that an argument fills: what stands there in signs is that of the pairs around. */
static uint16_t req_of(const struct assay_maker *m, const struct assay_call *call, uint16_t arg,
                       const struct argument *value)
{
    uint16_t message;
    const struct assay_field *f = filled_by(m, call, arg, &message);
    if (f && (f->flags & ASSAY_F_MEMBER)) {
        const struct assay_field *pairs = &m->model->fields[f->element];
        return needs_signs(m->model, &m->model->pairs[pairs->element], value->value.bytes) ? pairs->req : f->req;
    }
    return f ? f->req : ASSAY_NONE;
}

static void add_call(struct assay_maker *m, uint16_t index, const struct argument *args, const char *label,
                     uint16_t req)
{
    const struct assay_call *call = &m->model->calls[index];
    assay_val *values = assay_store(m->store, (call->args.count + 1u) * sizeof *values);
    struct assay_span *spans = assay_store(m->store, (call->args.count + 1u) * sizeof *spans);
    for (uint16_t i = 0; i < call->args.count; i++) {
        values[i] = (assay_val)args[i].value.n;
        spans[i] = (struct assay_span){args[i].value.bytes.p, args[i].value.bytes.n};
    }
    struct assay_input *to =
        assay_items_add((void **)&m->inputs->items, &m->inputs->count, &m->inputs->cap, sizeof *to);
    *to = (struct assay_input){.label = label,
                               .kind = ASSAY_INPUT_CALL,
                               .message = ASSAY_NONE,
                               .req = req,
                               .call = index,
                               .args = values,
                               .spans = spans};
}

static bool is_named(const struct assay_maker *m, const struct assay_call *call, uint16_t arg)
{
    return m->model->types[m->model->params[call->args.first + arg].type].kind == ASSAY_T_ENUM;
}

/* The usual arguments, then one after another in all its values; with every name of the first enumeration. */
static void add_variants(struct assay_maker *m, uint16_t index, struct arguments *values)
{
    const struct assay_call *call = &m->model->calls[index];
    struct argument args[ARGS_MAX] = {0};
    uint16_t named = ASSAY_NONE;
    for (uint16_t i = 0; i < call->args.count; i++) {
        args[i] = values[i].items[0];
        if (named == ASSAY_NONE && is_named(m, call, i))
            named = i;
    }
    add_call(m, index, args, "usual", ASSAY_NONE);
    for (size_t k = 0; k < (named == ASSAY_NONE ? 1 : values[named].count); k++) {
        if (named != ASSAY_NONE)
            args[named] = values[named].items[k];
        const char *with = named == ASSAY_NONE ? "" : assay_store_text(m->store, "%s-", args[named].label);
        if (k)
            add_call(m, index, args, args[named].label, req_of(m, call, named, &args[named]));
        for (uint16_t i = 0; i < call->args.count; i++)
            for (size_t v = 1; i != named && v < values[i].count; v++) {
                args[i] = values[i].items[v];
                add_call(m, index, args, assay_store_text(m->store, "%s%s", with, args[i].label),
                         req_of(m, call, i, &args[i]));
                args[i] = values[i].items[0];
            }
    }
}

void assay_witness_calls(struct assay_maker *m)
{
    struct arguments *values = calloc(ARGS_MAX, sizeof *values);
    size_t before = m->inputs->count;
    for (uint16_t i = 0; values && i < m->model->calls_count; i++) {
        const struct assay_call *call = &m->model->calls[i];
        bool here = call->opens == ASSAY_NONE || call->opens == m->config->transport;
        if (call->machine != m->config->machine || !here || call->args.count > ARGS_MAX)
            continue;
        for (uint16_t a = 0; a < call->args.count; a++)
            values_of(m, call, a, &values[a]);
        add_variants(m, i, values);
    }
    m->inputs->calls = m->inputs->count - before;
    free(values);
}
