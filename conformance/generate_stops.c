/* Servers that are told to stop: others are served on, nobody new is taken, and the last one to go ends it. */
#include <string.h>

#include "conformance/build.h"
#include "core/code.h"

static bool stops(const struct assay_model *model, uint16_t code)
{
    if (code == ASSAY_NONE)
        return false;
    for (uint32_t pc = code, end = assay_code_end(model, code); pc < end; pc++) {
        if (assay_ins_op(model->code[pc]) != ASSAY_OP_EFFECT)
            continue;
        const char *verb = model->effects[assay_ins_b(model->code[pc])].verb;
        if (verb && strcmp(verb, "stop") == 0)
            return true;
    }
    return false;
}

static void serve(struct assay_builder *b, uint8_t link, size_t input)
{
    if (input == SIZE_MAX)
        return;
    assay_build_input(b, link, input);
    assay_build_step(b, link, ASSAY_STEP_AWAIT);
}

static void others_go_on(struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    size_t other = assay_build_friendly(b, 0);
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), "stop", "others-go-on");
    serve(b, 1, other);
    assay_build_path(b, 0, node);
    assay_build_input(b, 0, i);
    if (r->ended || r->out_size)
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    if (b->stops)
        assay_build_step(b, 0, ASSAY_STEP_DEAF);
    serve(b, 1, other);
    if (!r->ended)
        serve(b, 0, assay_build_friendly(b, r->next < ASSAY_NODES_MAX ? r->next : node));
    assay_build_finish(b, r->rule, ASSAY_CASE_EXCLUSIVE, "told to stop, it takes nobody new, and cuts nobody off");
}

static void last_one(struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), "stop", "ends-with-the-last");
    assay_build_path(b, 0, node);
    assay_build_input(b, 0, i);
    for (uint8_t link = 0; link < 2; link++) {
        if (link)
            serve(b, link, assay_build_friendly(b, 0));
        assay_build_step(b, link, ASSAY_STEP_EOF);
        assay_build_step(b, link, ASSAY_STEP_AWAIT);
    }
    assay_build_step(b, 0, ASSAY_STEP_GONE);
    assay_build_finish(b, r->rule, ASSAY_CASE_EXCLUSIVE, "told to stop, it ends when the last one has gone");
}

void assay_generate_stops(struct assay_builder *b)
{
    for (uint32_t node = 0; node < b->explored.count; node++)
        for (size_t i = 0; i < b->inputs.count; i++) {
            const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
            if (b->inputs.items[i].kind != ASSAY_INPUT_EXAMPLE || !r->stepped || r->rule == ASSAY_NONE ||
                !stops(b->model, b->model->rules[r->rule].body) ||
                assay_node_of(&b->explored, b->explored.nodes[node].state) != node)
                continue;
            others_go_on(b, node, i);
            if (b->stops)
                last_one(b, node, i);
            break;
        }
}
