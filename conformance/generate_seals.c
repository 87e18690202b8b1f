/* Seals that are good for a while: one that is too old, and one that is not. */
#include "conformance/build.h"
#include "conformance/flow.h"

#define SURELY 50000000 /* ns behind the last moment at which a seal may hold */

static bool is_patient(struct assay_builder *b, int64_t wait)
{
    if (!b->real_time || wait <= b->patience)
        return true;
    assay_build_note(b, "seals hold for %lld s: give --limit seal=TIME, and a target of the same, to see that they end",
                     (long long)(b->model->limits.seal / 1000000000));
    return false;
}

/* The rule for the same message with no seal of the target's in it. */
static uint16_t rule_without(struct assay_builder *b, uint32_t node, size_t opener)
{
    for (size_t i = 0; i < b->inputs.count; i++)
        if (b->inputs.items[i].message == b->inputs.items[opener].message && b->inputs.items[i].whole &&
            !assay_flow_has_secret(b, i) && assay_reaction(&b->explored, node, i)->stepped)
            return assay_reaction(&b->explored, node, i)->rule;
    return ASSAY_NONE;
}

/* Get a seal, wait, and come with it. */
static void comes_with_it(struct assay_builder *b, uint32_t parent, size_t opener, int64_t wait, const char *variant)
{
    bool old = wait > 2 * b->model->limits.seal;
    uint16_t rule = old ? rule_without(b, parent, opener) : assay_reaction(&b->explored, parent, opener)->rule;
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[parent].state), "seal", "%s", variant);
    assay_build_path(b, 0, parent);
    assay_build_pause(b, wait);
    assay_build_input(b, 0, opener);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_build_finish(b, rule, ASSAY_CASE_TIMED,
                       old ? "a seal that is too old is none" : "a seal that is not new is one");
}

void assay_generate_seals(struct assay_builder *b)
{
    int64_t seal = b->model->limits.seal, old = 2 * seal + SURELY;
    for (uint32_t node = 0; node < b->explored.count; node++) {
        const struct assay_node *n = &b->explored.nodes[node];
        if (n->depth < 2 || !assay_flow_has_secret(b, n->path[n->depth - 1]) || !is_patient(b, old))
            continue;
        comes_with_it(b, n->parent, n->path[n->depth - 1], old, "too-old");
        comes_with_it(b, n->parent, n->path[n->depth - 1], seal / 2, "old-and-good");
        return;
    }
}
