/* Effects that the wire does not show: what is appended, and what is not. Values in them are made from the
 * case's id, so that cases at the same time can be told apart in one log. */
#include <string.h>

#include "conformance/build.h"
#include "core/code.h"

static bool observable(const struct assay_effect *effect)
{
    return effect->verb && (strcmp(effect->verb, "append") == 0 || strcmp(effect->verb, "print") == 0);
}

static bool orders(const struct assay_model *model, uint16_t code, uint16_t effect)
{
    if (code == ASSAY_NONE)
        return false;
    for (uint32_t pc = code, end = assay_code_end(model, code); pc < end; pc++)
        if (assay_ins_op(model->code[pc]) == ASSAY_OP_EFFECT && assay_ins_b(model->code[pc]) == effect)
            return true;
    return false;
}

/* A copy of an input with every byte string marked by the case's id; the input itself where that does not fit. */
static struct assay_input marked(struct assay_builder *b, const struct assay_input *input)
{
    struct assay_input copy = *input;
    struct assay_value *values = assay_store_copy(b->store, input->values, ASSAY_SLOTS_MAX * sizeof *values);
    struct assay_range fields = b->model->messages[input->message].fields;
    const char *id = b->current.id;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &b->model->fields[i];
        if (f->slot == ASSAY_NONE || !(input->known >> f->slot & 1) || f->form != ASSAY_FORM_BYTES ||
            b->model->types[f->type].kind == ASSAY_T_ENUM)
            continue;
        struct assay_blob mark = {(const uint8_t *)id, (uint32_t)strlen(id)};
        values[f->slot].bytes = assay_build_join(
            b, assay_build_join(b, mark, (struct assay_blob){(const uint8_t *)" ", 1}), values[f->slot].bytes);
    }
    copy.values = values;
    if (!assay_input_encode(b->store, &b->config, &copy))
        return *input;
    return copy;
}

/* Marked, if the same rule then takes it; `prefix` leads to where it is sent. */
static struct assay_blob marked_bytes(struct assay_builder *b, const struct assay_input *input,
                                      struct assay_blob prefix, uint16_t rule)
{
    struct assay_input copy = marked(b, input);
    struct assay_reaction r = assay_react(&b->explored, 0, assay_build_join(b, prefix, copy.bytes), ASSAY_EV_CONNECT);
    return r.last_rule == rule ? copy.bytes : input->bytes;
}

/* The path to a node with marked values, one of its inputs exchanged for another; returns all bytes sent. */
static struct assay_blob marked_path(struct assay_builder *b, uint32_t node, uint32_t exchanged, size_t for_input)
{
    const struct assay_node *n = &b->explored.nodes[node];
    struct assay_blob sent = {0};
    uint32_t at = 0;
    for (uint32_t i = 0; i < n->depth; i++) {
        size_t input = i == exchanged ? for_input : n->path[i];
        struct assay_blob bytes =
            marked_bytes(b, &b->inputs.items[input], sent, assay_reaction(&b->explored, at, n->path[i])->rule);
        assay_build_send(b, 0, bytes, 0);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        sent = assay_build_join(b, sent, bytes);
        at = assay_reaction(&b->explored, at, n->path[i])->next;
    }
    return sent;
}

struct place {
    uint32_t node;
    size_t input;
    uint16_t effect;
};

static void begin(struct assay_builder *b, const struct place *p, const char *variant)
{
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[p->node].state), "effect", "%s-%s",
                      b->model->effects[p->effect].name, variant);
}

static void finish(struct assay_builder *b, const struct place *p, const char *what)
{
    b->current.observe = b->model->effects[p->effect].name;
    assay_build_finish(b, assay_reaction(&b->explored, p->node, p->input)->rule, ASSAY_CASE_SHARED, "%s of %s",
                       b->model->effects[p->effect].name, what);
}

static void effect_case(struct assay_builder *b, const struct place *p, unsigned times, const char *variant)
{
    const struct assay_input *input = &b->inputs.items[p->input];
    uint16_t rule = assay_reaction(&b->explored, p->node, p->input)->rule;
    begin(b, p, variant);
    struct assay_blob sent = marked_path(b, p->node, UINT32_MAX, 0);
    for (unsigned i = 0; i < times; i++)
        assay_build_send(b, 0, marked_bytes(b, input, sent, rule), 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    finish(b, p, input->label);
}

/* The values of an earlier message come back in the effect. */
static void earlier_value_cases(struct assay_builder *b, const struct place *p)
{
    const struct assay_node *n = &b->explored.nodes[p->node];
    for (uint32_t i = 0, at = 0; i < n->depth; i++) {
        const struct assay_reaction *usual = assay_reaction(&b->explored, at, n->path[i]);
        for (size_t k = 0; k < b->inputs.count; k++) {
            const struct assay_input *input = &b->inputs.items[k];
            if (input->kind != ASSAY_INPUT_SAMPLE || assay_reaction(&b->explored, at, k)->rule != usual->rule)
                continue;
            begin(b, p, input->label);
            struct assay_blob sent = marked_path(b, p->node, i, k);
            assay_build_send(b, 0,
                             marked_bytes(b, &b->inputs.items[p->input], sent,
                                          assay_reaction(&b->explored, p->node, p->input)->rule),
                             0);
            assay_build_step(b, 0, ASSAY_STEP_AWAIT);
            finish(b, p, input->label);
        }
        at = usual->next;
    }
}

/* What was refused must not have been done: an effect is asked for by a message that its rule does not take. */
static void refused_case(struct assay_builder *b, const struct place *p)
{
    uint16_t rule = assay_reaction(&b->explored, p->node, p->input)->rule;
    for (uint32_t node = 0; node < b->explored.count; node++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, p->input);
        if (r->rule == rule || !r->stepped || r->out_size == 0 ||
            assay_node_of(&b->explored, b->explored.nodes[node].state) != node)
            continue;
        assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), "effect", "no-%s",
                          b->model->effects[p->effect].name);
        struct assay_blob sent = marked_path(b, node, UINT32_MAX, 0);
        assay_build_send(b, 0, marked_bytes(b, &b->inputs.items[p->input], sent, r->rule), 0);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        b->current.observe = b->model->effects[p->effect].name;
        assay_build_finish(b, r->rule, ASSAY_CASE_SHARED, "no %s where the message is refused",
                           b->model->effects[p->effect].name);
    }
}

static void cases_at(struct assay_builder *b, uint32_t node, uint16_t effect)
{
    bool first = true;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        struct place p = {node, i, effect};
        if (!r->stepped || r->partial || r->steps != 1 || !orders(b->model, b->model->rules[r->rule].body, effect) ||
            !b->inputs.items[i].whole)
            continue;
        if (b->inputs.items[i].kind == ASSAY_INPUT_BOUNDARY && b->inputs.items[i].bytes.n > 4096)
            continue;
        effect_case(b, &p, 1, b->inputs.items[i].label);
        if (!first)
            continue;
        effect_case(b, &p, 20, "many");
        earlier_value_cases(b, &p);
        refused_case(b, &p);
        first = false;
    }
}

void assay_generate_effects(struct assay_builder *b)
{
    for (uint16_t effect = 0; effect < b->model->effects_count; effect++)
        for (uint32_t node = 0; observable(&b->model->effects[effect]) && node < b->explored.count; node++)
            if (assay_node_of(&b->explored, b->explored.nodes[node].state) == node)
                cases_at(b, node, effect);
}
