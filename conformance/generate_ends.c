/* How connections end: between frames, inside one, with answers owed, by a reset. */
#include "conformance/build.h"

#define CUTS_MAX 24 /* places inside a frame at which the end is tried; frames are longer only by their values */

static bool answers_first(struct assay_builder *b, uint32_t *node, size_t *input)
{
    for (*node = 0; *node < b->explored.count; (*node)++)
        if ((*input = assay_build_friendly(b, *node)) != SIZE_MAX)
            return true;
    return false;
}

/* What a peer that vanished leaves behind is shown by another that is served. */
static void other_is_served(struct assay_builder *b, uint8_t link)
{
    size_t input = assay_build_friendly(b, 0);
    if (input == SIZE_MAX)
        return;
    assay_build_input(b, link, input);
    assay_build_step(b, link, ASSAY_STEP_AWAIT);
}

static void eof_case(struct assay_builder *b, uint32_t node)
{
    const char *state = assay_build_state_name(b, b->explored.nodes[node].state);
    struct assay_reaction r = assay_react(&b->explored, node, (struct assay_blob){0}, ASSAY_EV_EOF);
    assay_build_begin(b, state, "eof", "between-frames");
    assay_build_path(b, 0, node);
    assay_build_step(b, 0, ASSAY_STEP_EOF);
    if (r.ended || r.out_size || r.told)
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, r.rule, ASSAY_CASE_LOCAL, "the peer shuts its side in state %s", state);
}

static void reset_case(struct assay_builder *b, uint32_t node, struct assay_blob cut, const char *variant)
{
    const char *state = assay_build_state_name(b, b->explored.nodes[node].state);
    struct assay_reaction r = assay_react(&b->explored, node, (struct assay_blob){0}, ASSAY_EV_RESET);
    assay_build_begin(b, state, "reset", "%s", variant);
    assay_build_path(b, 0, node);
    if (cut.n)
        assay_build_send(b, 0, cut, 0);
    assay_build_step(b, 0, ASSAY_STEP_RESET);
    if (b->arrives)
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    else
        other_is_served(b, 1);
    assay_build_finish(b, r.rule, ASSAY_CASE_LOCAL, "the peer resets in state %s%s", state,
                       b->arrives ? "" : ", others are served");
}

/* Requests, then the shut write side at once: the answers still come. */
static void half_close_case(struct assay_builder *b, uint32_t node, unsigned times)
{
    const char *state = assay_build_state_name(b, b->explored.nodes[node].state);
    size_t input = times > 1 ? assay_build_loop(b, node) : assay_build_friendly(b, node);
    if (input == SIZE_MAX || b->inputs.items[input].kind == ASSAY_INPUT_CALL)
        return;
    assay_build_begin(b, state, "eof", times > 1 ? "replies-owed-%u" : "reply-owed", times);
    assay_build_path(b, 0, node);
    struct assay_blob all = b->inputs.items[input].bytes;
    for (unsigned i = 1; i < times; i++)
        all = assay_build_join(b, all, b->inputs.items[input].bytes);
    assay_build_send(b, 0, all, 0);
    assay_build_step(b, 0, ASSAY_STEP_EOF);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    struct assay_reaction r = assay_react(&b->explored, node, (struct assay_blob){0}, ASSAY_EV_EOF);
    assay_build_finish(b, r.rule, ASSAY_CASE_LOCAL, "the peer shuts its side while %u answers are owed", times);
}

static void cut_case(struct assay_builder *b, uint32_t node, const struct assay_input *input, uint32_t at)
{
    struct assay_blob cut = {input->bytes.p, at}, lead = assay_build_lead(b, node);
    struct assay_blob both = assay_build_join(b, lead, cut);
    struct assay_reaction before = assay_react(&b->explored, node, both, ASSAY_EV_CONNECT);
    struct assay_reaction r = assay_react(&b->explored, node, both, ASSAY_EV_EOF);
    uint16_t state = b->explored.nodes[node].state;
    uint16_t event = r.steps > before.steps ? r.last_event : (uint16_t)ASSAY_EV_EOF_IN_FRAME;
    uint16_t rule = r.steps > before.steps ? r.last_rule : ASSAY_NONE;
    if (before.ended)
        return;
    if (before.steps > (lead.n ? 1u : 0u))
        return;
    assay_build_begin(b, assay_build_state_name(b, state), assay_build_event_name(b, event), "%s-%s-cut-%u",
                      b->model->messages[input->message].name, input->label, (unsigned)at);
    assay_build_path(b, 0, node);
    assay_build_fix_mode(b, 0, node);
    assay_build_send(b, 0, cut, 0);
    assay_build_step(b, 0, ASSAY_STEP_EOF);
    if (r.ended || r.out_size > before.out_size || r.told > before.told)
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, rule, ASSAY_CASE_LOCAL, "the stream ends %u bytes into %s", (unsigned)at,
                       b->model->messages[input->message].name);
}

/* Whether what a message holds is text with a structure of its own, which may be cut anywhere. */
static bool structured(const struct assay_builder *b)
{
    struct assay_range fields = b->frame->fields;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++)
        if (b->model->fields[i].form == ASSAY_FORM_PAIRS || b->model->fields[i].form == ASSAY_FORM_OBJECT)
            return true;
    return false;
}

/* The first example of each message, cut at every byte; of structured text all of them. Where a client stands matters
 * to what comes of it, not to where it is cut. */
static void cut_cases(struct assay_builder *b, uint32_t node)
{
    uint16_t last = ASSAY_NONE;
    bool all = structured(b) && !b->arrives;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_input *input = &b->inputs.items[i];
        if (!input->whole || input->kind != ASSAY_INPUT_EXAMPLE || (input->message == last && !all))
            continue;
        last = input->message;
        for (uint32_t at = 1; at < input->bytes.n && at <= CUTS_MAX; at++)
            if (!b->arrives || node == 0 || at == 1 || at + 1 == input->bytes.n)
                cut_case(b, node, input, at);
    }
}

/* More is announced than comes. */
static void partial_cases(struct assay_builder *b, uint32_t node)
{
    uint16_t state = b->explored.nodes[node].state;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_input *input = &b->inputs.items[i];
        if (input->kind == ASSAY_INPUT_CALL || !assay_reaction(&b->explored, node, i)->partial ||
            assay_reaction(&b->explored, node, i)->stepped)
            continue;
        struct assay_reaction r = assay_react(&b->explored, node, input->bytes, ASSAY_EV_EOF);
        assay_build_begin(b, assay_build_state_name(b, state), assay_build_event_name(b, r.event), "%s-%s",
                          b->model->messages[input->message].name, input->label);
        assay_build_path(b, 0, node);
        assay_build_send(b, 0, input->bytes, 0);
        assay_build_step(b, 0, ASSAY_STEP_EOF);
        if (r.ended || r.out_size)
            assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        assay_build_finish(b, r.rule, ASSAY_CASE_LOCAL, "the stream ends before what %s announces", input->label);
    }
}

void assay_generate_ends(struct assay_builder *b)
{
    for (uint32_t node = 0; node < b->explored.count; node++) {
        size_t input = assay_build_friendly(b, node);
        if (assay_node_of(&b->explored, b->explored.nodes[node].state) != node || (node == 0 && !b->explored.rooted))
            continue;
        eof_case(b, node);
        half_close_case(b, node, 1);
        half_close_case(b, node, 20);
        reset_case(b, node, (struct assay_blob){0}, "between-frames");
        if (input != SIZE_MAX && b->inputs.items[input].bytes.n > 1 && !b->arrives)
            reset_case(b, node, (struct assay_blob){b->inputs.items[input].bytes.p, 1}, "in-frame");
        cut_cases(b, node);
        partial_cases(b, node);
    }
    uint32_t node;
    size_t input;
    if (!b->arrives && !answers_first(b, &node, &input))
        assay_build_note(b, "no input is answered: that sessions go on is shown by their ends only");
}
