/* Messages that are right but for their session: another one's. They change nothing here. */
#include "conformance/build.h"

/* A message that says whose it is, and which does something there if it is ours. Those of `reliable` are stale. */
static bool would_do(const struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_input *input = &b->inputs.items[i];
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    return input->kind != ASSAY_INPUT_CALL && input->stamp.session && !input->stamp.stale &&
           input->stamp.kind == ASSAY_STAMP_NONE && r->stepped &&
           (r->out_size || r->after != b->explored.nodes[node].state);
}

static void of_another(struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_input *input = &b->inputs.items[i];
    const struct assay_reaction *ours = assay_reaction(&b->explored, node, i);
    uint16_t state = b->explored.nodes[node].state;
    size_t telling = assay_telling_input(&b->explored, ours->after, state);
    assay_build_begin(b, assay_build_state_name(b, state), "foreign", "%s-%s", b->model->messages[input->message].name,
                      input->label);
    assay_build_path(b, 0, node);
    assay_build_input(b, 0, i);
    b->steps[b->step_count - 1].stamp.stale = true;
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    if (ours->after != state && telling != SIZE_MAX) {
        assay_build_input(b, 0, telling);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    }
    assay_build_finish(b, ours->rule, ASSAY_CASE_LOCAL, "%s of another session", input->label);
}

void assay_generate_foreign(struct assay_builder *b)
{
    if (!b->explored.world.reliable || b->explored.world.reliable->session == ASSAY_NONE)
        return;
    for (uint32_t node = 0; node < b->explored.count; node++)
        for (size_t i = 0; b->explored.nodes[node].depth && i < b->inputs.count; i++)
            if (assay_node_of(&b->explored, b->explored.nodes[node].state) == node &&
                assay_build_is_first(b, node, i, would_do))
                of_another(b, node, i);
}
