/* The same message again and again, until a variable is full or a counter has run out. */
#include <string.h>

#include "conformance/build.h"

#define TIMES_MAX 2000u
#define BYTES_MAX 65536u

static void filled_case(struct assay_builder *b, uint32_t node, size_t i, uint32_t times,
                        const struct assay_reaction *last)
{
    const struct assay_input *input = &b->inputs.items[i];
    uint16_t state = b->explored.nodes[node].state;
    uint8_t *p = assay_store(b->store, (size_t)input->bytes.n * times + 1);
    for (uint32_t k = 0; k < times; k++)
        memcpy(p + (size_t)k * input->bytes.n, input->bytes.p, input->bytes.n);
    assay_build_begin(b, assay_build_state_name(b, state), assay_build_event_name(b, last->last_event), "%s-%s-filled",
                      b->model->messages[input->message].name, input->label);
    assay_build_path(b, 0, node);
    assay_build_send(b, 0, (struct assay_blob){p, input->bytes.n * times}, 0);
    assay_build_tail(b, 0, state, last);
    assay_build_finish(b, last->last_rule, ASSAY_CASE_LOCAL, "%s %u times, until something is full",
                       b->model->messages[input->message].name, (unsigned)times);
}

/* A message that is taken and leaves all where it is. */
static bool goes_on(const struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    return r->steps == 1 && !r->ended && !r->partial && r->after == b->explored.nodes[node].state &&
           b->inputs.items[i].kind != ASSAY_INPUT_RAW;
}

void assay_generate_filled(struct assay_builder *b)
{
    for (uint32_t node = 0; node < b->explored.count; node++)
        for (size_t i = 0; i < b->inputs.count; i++) {
            struct assay_reaction last;
            if (assay_node_of(&b->explored, b->explored.nodes[node].state) != node ||
                !assay_build_is_first(b, node, i, goes_on))
                continue;
            uint32_t n = b->inputs.items[i].bytes.n, most = BYTES_MAX / n < TIMES_MAX ? BYTES_MAX / n : TIMES_MAX;
            uint32_t times = assay_repeat(&b->explored, node, i, most, &last);
            if (times > 2)
                filled_case(b, node, i, times, &last);
        }
}
