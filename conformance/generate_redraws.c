/* A session that is drawn anew on the way to another one, while a message waits: that goes out in the newest. */
#include "conformance/build.h"
#include "conformance/flow.h"

struct redraw {
    uint32_t node;
    size_t call; /* sends the message */
    struct assay_flow_round round;
    size_t before; /* inputs of the round that come first */
    size_t input;  /* has it draw again */
};

/* Behind the call and some inputs of the round, nothing of it being acknowledged; NULL: it is over. */
static struct assay_belief *on_the_way(struct assay_builder *b, const struct redraw *r)
{
    const struct assay_inputs *inputs = &b->inputs;
    struct assay_belief *at = assay_belief_behind(&b->explored, r->node, NULL, 0);
    if (at)
        assay_react_on(&b->explored, &at, &inputs->items[r->call]);
    for (size_t i = 0; at && i < r->before; i++)
        assay_react_on(&b->explored, &at, &inputs->items[r->round.inputs[i]]);
    return at;
}

/* The input has it draw where it is, and the rest of the round still leads back. */
static bool draws_again(struct assay_builder *b, const struct redraw *r, uint16_t *rule)
{
    struct assay_belief *before = on_the_way(b, r), *at = on_the_way(b, r);
    struct assay_reaction reaction = {0};
    if (at)
        reaction = assay_react_on(&b->explored, &at, &b->inputs.items[r->input]);
    bool drawn = before && at && reaction.stepped && assay_flow_has_drawn(b, before, at) &&
                 assay_state(before->engine, before->sid) == assay_state(at->engine, at->sid);
    for (size_t i = r->before; at && i < r->round.count; i++)
        assay_react_on(&b->explored, &at, &b->inputs.items[r->round.inputs[i]]);
    bool back = at && assay_state(at->engine, at->sid) == b->explored.nodes[r->node].state;
    *rule = reaction.rule;
    assay_belief_free(before);
    assay_belief_free(at);
    return drawn && back;
}

static void redraw_case(struct assay_builder *b, const struct redraw *r, uint16_t rule)
{
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[r->node].state), "redrawn", "%s-after-%u",
                      b->inputs.items[r->input].label, (unsigned)r->before);
    assay_build_path(b, 0, r->node);
    assay_build_give(b, 0, r->call);
    for (size_t i = 0; i < r->before; i++)
        assay_build_give(b, 0, r->round.inputs[i]);
    assay_build_give(b, 0, r->input);
    for (size_t i = r->before; i < r->round.count; i++)
        assay_build_give(b, 0, r->round.inputs[i]);
    assay_build_acknowledge(b, 0);
    assay_build_give(b, 0, r->call);
    assay_build_acknowledge(b, 0);
    assay_build_finish(b, rule, ASSAY_CASE_LOCAL,
                       "a session is drawn again while a message waits, which goes out in it");
}

/* One case for each rule that draws. */
void assay_generate_redraws(struct assay_builder *b)
{
    struct redraw r;
    uint16_t last = ASSAY_NONE, rule;
    for (r.node = 0; b->explored.ack != SIZE_MAX && r.node < b->explored.count; r.node++) {
        if (assay_node_of(&b->explored, b->explored.nodes[r.node].state) != r.node ||
            (r.call = assay_flow_call(b, r.node)) == SIZE_MAX || !assay_flow_round(b, r.node, &r.round))
            continue;
        for (r.before = 1; r.before < r.round.count; r.before++)
            for (r.input = 0; r.input < b->inputs.count; r.input++)
                if (b->inputs.items[r.input].kind != ASSAY_INPUT_CALL && draws_again(b, &r, &rule) && rule != last) {
                    redraw_case(b, &r, rule);
                    last = rule;
                }
    }
}
