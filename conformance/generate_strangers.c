/* Strangers: a request that is longer than it has to be is so for its answer's sake. */
#include <string.h>

#include "conformance/build.h"
#include "core/sums.h"

/* How many constant bytes stand at the end of a message. */
static uint32_t filler_of(const struct assay_model *model, uint16_t message)
{
    struct assay_range fields = model->messages[message].fields;
    if (fields.count == 0)
        return 0;
    const struct assay_field *last = &model->fields[fields.first + fields.count - 1u];
    return last->form == ASSAY_FORM_CONST ? model->blobs[last->extent_arg].n : 0;
}

/* The input without its last `n` bytes, under a right sum. */
static struct assay_blob without(struct assay_builder *b, const struct assay_input *input, uint32_t n)
{
    struct assay_belief_world *world = &b->explored.world;
    struct assay_blob cut = {.n = input->bytes.n - n};
    uint8_t *p = assay_store(b->store, cut.n + 1u);
    memcpy(p, input->bytes.p, cut.n);
    assay_lens_clear(&world->other);
    assay_sum_again(&world->other.env, b->model->machines[world->config.machine].frame_in, p, cut.n);
    cut.p = p;
    return cut;
}

static void cut_short(struct assay_builder *b, uint32_t node, size_t i, uint32_t less, const char *variant)
{
    const struct assay_input *input = &b->inputs.items[i];
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), "strangers", "%s-%s",
                      b->model->messages[input->message].name, variant);
    assay_build_path(b, 0, node);
    assay_build_send(b, 0, without(b, input, less), 0);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_build_input(b, 0, i);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, r->rule, ASSAY_CASE_LOCAL, "a request that is shorter than it has to be is not answered");
}

/* The first whole input of its message that this rule answers, from a link on which nothing was done. */
static bool is_first(const struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_input *input = &b->inputs.items[i];
    for (size_t k = 0; k < i; k++)
        if (b->inputs.items[k].whole && b->inputs.items[k].message == input->message &&
            assay_reaction(&b->explored, node, k)->out_size > 0)
            return false;
    return true;
}

void assay_generate_strangers(struct assay_builder *b)
{
    uint16_t start = b->model->machines[b->explored.world.config.machine].start;
    uint32_t node = assay_node_of(&b->explored, start);
    for (size_t i = 0; node < b->explored.count && i < b->inputs.count; i++) {
        const struct assay_input *input = &b->inputs.items[i];
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (input->kind == ASSAY_INPUT_CALL || !input->whole || input->stamp.kind != ASSAY_STAMP_NONE || !r->stepped ||
            r->rule == ASSAY_NONE || r->out_size == 0 || !(b->model->rules[r->rule].flags & ASSAY_RULE_STATELESS))
            continue;
        uint32_t filler = filler_of(b->model, input->message);
        if (filler == 0 || filler > input->bytes.n || !is_first(b, node, i))
            continue;
        cut_short(b, node, i, filler, "bare");
        if (filler > 1)
            cut_short(b, node, i, 1, "one-less");
    }
}
