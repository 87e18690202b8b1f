/* As many messages on their way as a window holds, and more: those wait until there is room. */
#include "conformance/build.h"
#include "conformance/flow.h"

#define WINDOW_MOST 1024u /* wider ones are not filled */
#define BURST       32u   /* so many are sent at once: what sockets keep for a target that is busy is little */
#define HELD_MOST   128u  /* what waited for one before it is answered at once */

static uint32_t window_of(const struct assay_builder *b)
{
    return b->model->reliables[0].window;
}

/* Nobody acknowledges what comes of it, however often it is sent. */
static bool fills(struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_input *input = &b->inputs.items[i];
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    const size_t before[] = {i, i};
    bool call = input->kind == ASSAY_INPUT_CALL;
    if (!r->stepped || r->ended || !r->unacknowledged || r->after != b->explored.nodes[node].state ||
        input->bytes.n >= 64 || (call ? !r->result : input->stamp.kind != ASSAY_STAMP_NUMBER))
        return false;
    struct assay_reaction last = assay_react_behind(&b->explored, node, before, 2, i);
    return last.unacknowledged && !last.ended && last.out_size >= r->out_size / 2;
}

static void full(struct assay_builder *b, uint32_t node, size_t input)
{
    uint32_t window = window_of(b);
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), "window", "full");
    assay_build_path(b, 0, node);
    for (uint32_t i = 1; i <= window + 1; i++) {
        assay_build_input(b, 0, input);
        if (i % BURST == 0 || i >= window)
            assay_build_await(b, 0);
    }
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    for (int i = 0; i < 2; i++) {
        assay_build_acknowledge(b, 0);
        assay_build_await(b, 0);
    }
    assay_flow_finish(b, ASSAY_CASE_LOCAL,
                      "as many as the window holds are on their way, and one more when those are acknowledged");
}

static void held(struct assay_builder *b, const struct assay_flow_place *p)
{
    const size_t inputs[] = {p->first, p->other, p->third, p->fourth};
    uint32_t window = window_of(b) < HELD_MOST ? window_of(b) : HELD_MOST;
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[p->node].state), "window", "held");
    assay_build_path(b, 0, p->node);
    for (uint32_t i = window - 1; i > 0; i--) {
        assay_build_stamped(b, 0, inputs[i % 4], (int32_t)i);
        if (i % BURST == 0)
            assay_build_await(b, 0);
    }
    assay_build_stamped(b, 0, inputs[0], 0);
    assay_build_await(b, 0);
    assay_build_acknowledge(b, 0);
    assay_flow_finish(b, ASSAY_CASE_LOCAL, "what comes ahead of the first is kept, as much as the window holds");
}

void assay_generate_window(struct assay_builder *b)
{
    struct assay_flow_place places[ASSAY_FLOW_PLACES_MAX];
    size_t count = assay_flow_places(b, places);
    bool filled = false;
    if (b->model->reliables_count == 0 || b->explored.ack == SIZE_MAX || window_of(b) > WINDOW_MOST)
        return;
    if (count > 0 && window_of(b) > 1)
        held(b, &places[0]);
    for (uint32_t node = 0; !filled && node < b->explored.count; node++)
        for (size_t i = 0; !filled && i < b->inputs.count; i++) {
            filled = fills(b, node, i);
            if (filled)
                full(b, node, i);
        }
}
