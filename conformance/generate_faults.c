/* What happens when an effect fails or memory is short: only for targets that can be brought into that. */
#include "conformance/build.h"

#define PER_RULE 2

static void fault_case(struct assay_builder *b, uint32_t node, size_t i, const char *name)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    uint16_t state = b->explored.nodes[node].state;
    assay_build_begin(b, assay_build_state_name(b, state), name, "%s-%s",
                      b->model->messages[b->inputs.items[i].message].name, b->inputs.items[i].label);
    assay_build_path(b, 0, node);
    assay_build_input(b, 0, i);
    assay_build_tail(b, 0, state, r);
    b->current.circumstance = b->config.circumstance;
    assay_build_finish(b, r->last_rule, ASSAY_CASE_EXCLUSIVE, "%s in state %s", name, assay_build_state_name(b, state));
}

static unsigned earlier(const struct assay_builder *b, uint32_t node, size_t input)
{
    unsigned n = 0;
    const struct assay_reaction *r = assay_reaction(&b->explored, node, input);
    for (size_t i = 0; i < input; i++)
        n += assay_reaction(&b->explored, node, i)->faulted &&
             assay_reaction(&b->explored, node, i)->last_rule == r->last_rule;
    return n;
}

/* What the end of a stream orders fails. */
static void fault_at_end(struct assay_builder *b, uint32_t node, const char *name)
{
    struct assay_reaction r = assay_react(&b->explored, node, (struct assay_blob){0}, ASSAY_EV_EOF);
    const char *state = assay_build_state_name(b, b->explored.nodes[node].state);
    if (!r.faulted || b->frame->end == ASSAY_END_DATAGRAM)
        return;
    assay_build_begin(b, state, name, "eof");
    assay_build_path(b, 0, node);
    assay_build_step(b, 0, ASSAY_STEP_EOF);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    b->current.circumstance = b->config.circumstance;
    assay_build_finish(b, r.last_rule, ASSAY_CASE_EXCLUSIVE, "%s at the end in state %s", name, state);
}

/* The first node of a state, or one at which there is a secret to answer with. */
static bool is_worth_it(const struct assay_builder *b, uint32_t node)
{
    const struct assay_node *n = &b->explored.nodes[node];
    return assay_node_of(&b->explored, n->state) == node ||
           (n->belief->marks && n->depth && !b->explored.nodes[n->parent].belief->marks);
}

/* The same generator on the protocol as it goes under the circumstance. */
static void generate_under(struct assay_builder *b, struct assay_circumstance circumstance, const char *name)
{
    struct assay_explored usual = b->explored;
    b->config.circumstance = circumstance;
    if (assay_explore(&b->explored, &b->config, &b->inputs))
        for (uint32_t node = 0; node < b->explored.count; node++) {
            fault_at_end(b, node, name);
            for (size_t i = 0; i < b->inputs.count; i++) {
                const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
                if (r->faulted && !r->partial && earlier(b, node, i) < PER_RULE && is_worth_it(b, node))
                    fault_case(b, node, i, name);
            }
        }
    assay_explored_free(&b->explored);
    b->explored = usual;
    b->config.circumstance = (struct assay_circumstance){0};
}

void assay_generate_faults(struct assay_builder *b)
{
    bool bytes = false;
    for (uint16_t i = 0; i < b->model->effects_count && b->faults; i++)
        if (b->model->effects[i].fallible)
            generate_under(b, (struct assay_circumstance){.failing = (uint16_t)(i + 1)},
                           assay_store_text(b->store, "%s-fails", b->model->effects[i].name));
    for (uint16_t i = 0; i < b->model->vars_count; i++)
        bytes = bytes || b->model->types[b->model->vars[i].type].kind >= ASSAY_T_BYTES;
    if (b->faults && bytes)
        generate_under(b, (struct assay_circumstance){.memory = ASSAY_SHORT_MEMORY}, "no-room");
}
