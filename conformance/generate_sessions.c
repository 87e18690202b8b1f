/* Many sessions at once: none sees anything of another. */
#include "conformance/build.h"

#define MANY 16

/* Along the path to `node`, then around there. */
static size_t step_of(const struct assay_builder *b, uint32_t node, uint32_t at)
{
    if (at < b->explored.nodes[node].depth)
        return b->explored.nodes[node].path[at];
    return assay_build_loop(b, node);
}

/* Each link goes its own way, a step at a time in turn: link i to node (i mod nodes). */
static void in_turn(struct assay_builder *b, uint8_t links, const char *variant)
{
    uint32_t deepest = b->explored.count - 1;
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[deepest].state), "sessions", "%s", variant);
    for (uint32_t at = 0; at <= b->explored.nodes[deepest].depth + 1; at++)
        for (uint8_t link = 0; link < links; link++) {
            size_t input = step_of(b, link % b->explored.count, at);
            if (input == SIZE_MAX)
                continue;
            assay_build_input(b, link, input);
            if (at % 2)
                assay_build_step(b, link, ASSAY_STEP_AWAIT);
        }
    for (uint8_t link = 0; link < links; link++)
        assay_build_step(b, link, ASSAY_STEP_AWAIT);
    assay_build_finish(b, ASSAY_NONE, ASSAY_CASE_LOCAL, "%u sessions in turn, each in a state of its own",
                       (unsigned)links);
}

/* One session half way through a frame while another is served. */
static void between_halves(struct assay_builder *b, uint32_t node)
{
    size_t input = assay_build_friendly(b, node), other = assay_build_friendly(b, 0);
    if (input == SIZE_MAX || other == SIZE_MAX || b->inputs.items[input].bytes.n < 2)
        return;
    struct assay_blob one = b->inputs.items[input].bytes;
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), "sessions", "between-halves");
    assay_build_path(b, 0, node);
    assay_build_fix_mode(b, 0, node);
    assay_build_send(b, 0, (struct assay_blob){one.p, 1}, ASSAY_STEP_CUT);
    assay_build_input(b, 1, other);
    assay_build_step(b, 1, ASSAY_STEP_AWAIT);
    assay_build_send(b, 0, (struct assay_blob){one.p + 1, one.n - 1}, 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, assay_reaction(&b->explored, node, input)->rule, ASSAY_CASE_LOCAL,
                       "another session is served while half a frame is here");
}

/* One session ends, the other goes on where it was. */
static void beside_an_end(struct assay_builder *b, uint32_t node)
{
    size_t last = assay_build_farewell(b, node), more = assay_build_friendly(b, node);
    if (last == SIZE_MAX || more == SIZE_MAX)
        return;
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), "sessions", "beside-an-end");
    assay_build_path(b, 0, node);
    assay_build_path(b, 1, node);
    assay_build_input(b, 0, last);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_input(b, 1, more);
    assay_build_step(b, 1, ASSAY_STEP_AWAIT);
    assay_build_finish(b, assay_reaction(&b->explored, node, more)->rule, ASSAY_CASE_LOCAL,
                       "a session goes on while another in the same state ends");
}

void assay_generate_sessions(struct assay_builder *b)
{
    if (b->explored.count == 0 || assay_build_friendly(b, 0) == SIZE_MAX)
        return;
    in_turn(b, 2, "two-in-turn");
    uint32_t room = b->model->limits.sessions / 2;
    if (room > 2)
        in_turn(b, (uint8_t)(room < MANY ? room : MANY), "many-in-turn");
    for (uint32_t node = 0; node < b->explored.count; node++)
        if (assay_node_of(&b->explored, b->explored.nodes[node].state) == node) {
            between_halves(b, node);
            beside_an_end(b, node);
        }
}
