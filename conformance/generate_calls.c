/* Clients: each call with all its arguments, through to its result; and calls whose answer does not come. */
#include "conformance/build.h"
#include "core/engine.h"

#define ANSWERS_MAX 8
#define CALL_LATE   1000000000 /* ns, as the oracle tolerates */

static bool is_call(const struct assay_builder *b, size_t input)
{
    return b->inputs.items[input].kind == ASSAY_INPUT_CALL;
}

/* The answer that brings a call on: to its result if there is one that does, else to its next question. */
static size_t next_answer(const struct assay_builder *b, uint32_t node)
{
    size_t onward = SIZE_MAX;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (is_call(b, i) || !b->inputs.items[i].whole || !r->stepped || r->partial || r->steps != 1)
            continue;
        if (r->result)
            return i;
        if (onward == SIZE_MAX && !r->ended && r->out_size && r->next < ASSAY_NODES_MAX && r->next != node)
            onward = i;
    }
    return onward;
}

/* Answers until the call that waits in `state` is through; where the tester stands is told by the states alone. */
static void answer(struct assay_builder *b, uint8_t link, uint16_t state)
{
    for (int i = 0; i < ANSWERS_MAX && state != ASSAY_NONE; i++) {
        uint32_t node = assay_node_of(&b->explored, state);
        size_t input = node < ASSAY_NODES_MAX && b->model->states[state].kind == ASSAY_STATE_WAIT ? next_answer(b, node)
                                                                                                  : SIZE_MAX;
        if (input == SIZE_MAX)
            return;
        assay_build_input(b, link, input);
        assay_build_step(b, link, ASSAY_STEP_AWAIT);
        state = assay_reaction(&b->explored, node, input)->after;
    }
}

/* The same over datagrams, where a call waits in any state of the machine. `r`: what has just happened. Returns what
 * happened last. */
static const struct assay_reaction *answer_datagrams(struct assay_builder *b, const struct assay_reaction *r)
{
    for (int i = 0; i < ANSWERS_MAX && r->after != ASSAY_NONE && !r->result; i++) {
        uint32_t node = r->next < ASSAY_NODES_MAX ? r->next : assay_node_of(&b->explored, r->after);
        size_t input = SIZE_MAX;
        if (node < ASSAY_NODES_MAX && b->explored.nodes[node].belief->calling)
            input = next_answer(b, node);
        if (input == SIZE_MAX)
            break;
        assay_build_input(b, 0, input);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        r = assay_reaction(&b->explored, node, input);
        if (r->unacknowledged)
            assay_build_acknowledge(b, 0);
    }
    return r;
}

/* What shows in which state a call has left the machine. */
static void afterwards(struct assay_builder *b, const struct assay_reaction *r)
{
    size_t input = r->after == ASSAY_NONE ? SIZE_MAX : assay_telling_input(&b->explored, r->after, ASSAY_NONE);
    if (r->ended || input == SIZE_MAX)
        return;
    assay_build_input(b, 0, input);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
}

static void whole_call(struct assay_builder *b, uint32_t node, size_t input)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, input);
    const struct assay_call *call = &b->model->calls[b->inputs.items[input].call];
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), call->name, "%s",
                      b->inputs.items[input].label);
    b->current.field_req = b->inputs.items[input].req;
    assay_build_path(b, 0, node);
    assay_build_input(b, 0, input);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    if (r->unacknowledged) {
        assay_build_acknowledge(b, 0);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    }
    if (b->frame->end == ASSAY_END_DATAGRAM)
        afterwards(b, answer_datagrams(b, r));
    else
        answer(b, 0, r->after);
    assay_build_finish(b, r->rule, ASSAY_CASE_LOCAL, "%s with %s", call->name, b->inputs.items[input].label);
}

/* The same call twice: the second finds nothing of the first. */
static void call_again(struct assay_builder *b, uint32_t node, size_t input)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, input);
    const struct assay_call *call = &b->model->calls[b->inputs.items[input].call];
    bool over = r->next < ASSAY_NODES_MAX && !b->explored.nodes[r->next].belief->calling;
    if (r->ended || call->opens != ASSAY_NONE || (b->model->reliables_count && !over))
        return;
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), call->name, "three-times");
    assay_build_path(b, 0, node);
    for (int i = 0; i < 3; i++) {
        assay_build_input(b, 0, input);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        if (r->unacknowledged)
            assay_build_acknowledge(b, 0);
        answer(b, 0, r->after);
    }
    assay_build_finish(b, r->rule, ASSAY_CASE_LOCAL, "%s three times", call->name);
}

/* ---- answers in pieces, and two at once ---------------------------------- */

#define CUTS_MAX 64

static const char *wait_name(const struct assay_builder *b, uint32_t node)
{
    return assay_build_state_name(b, b->explored.nodes[node].state);
}

static void go_on(struct assay_builder *b, const struct assay_reaction *r)
{
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    if (!r->ended)
        answer(b, 0, r->after);
}

static void cut_answer(struct assay_builder *b, uint32_t node, size_t i, uint32_t at)
{
    const struct assay_input *input = &b->inputs.items[i];
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    assay_build_begin(b, wait_name(b, node), "framing", "%s-%s-cut-%u", b->model->messages[input->message].name,
                      input->label, (unsigned)at);
    assay_build_path(b, 0, node);
    assay_build_send(b, 0, (struct assay_blob){input->bytes.p, at}, ASSAY_STEP_CUT);
    assay_build_send(b, 0, (struct assay_blob){input->bytes.p + at, input->bytes.n - at}, 0);
    go_on(b, r);
    assay_build_finish(b, r->rule, ASSAY_CASE_LOCAL, "an answer comes in two segments, the first of %u bytes",
                       (unsigned)at);
}

static void byte_by_byte(struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_input *input = &b->inputs.items[i];
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    assay_build_begin(b, wait_name(b, node), "framing", "%s-%s-byte-by-byte", b->model->messages[input->message].name,
                      input->label);
    assay_build_path(b, 0, node);
    for (uint32_t at = 0; at < input->bytes.n; at++)
        assay_build_send(b, 0, (struct assay_blob){input->bytes.p + at, 1}, ASSAY_STEP_CUT);
    go_on(b, r);
    assay_build_finish(b, r->rule, ASSAY_CASE_LOCAL, "every byte of an answer comes in a segment of its own");
}

/* Two answers in one segment, or the second with half of it in the next one: one call takes one. */
static void two_at_once(struct assay_builder *b, uint32_t node, size_t i, size_t second)
{
    const struct assay_input *input = &b->inputs.items[i];
    struct assay_blob both = assay_build_join(b, input->bytes, b->inputs.items[second].bytes);
    struct assay_reaction r = assay_react(&b->explored, node, both, ASSAY_EV_CONNECT);
    assay_build_begin(b, wait_name(b, node), "framing", "%s-%s-and-%s", b->model->messages[input->message].name,
                      input->label, b->inputs.items[second].label);
    assay_build_path(b, 0, node);
    assay_build_send(b, 0, both, 0);
    go_on(b, &r);
    assay_build_finish(b, r.rule, ASSAY_CASE_LOCAL, "two answers come in one segment");
}

static void pieces(struct assay_builder *b, uint32_t node)
{
    uint16_t last = ASSAY_NONE;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_input *input = &b->inputs.items[i];
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (input->kind != ASSAY_INPUT_EXAMPLE || !r->stepped || r->partial || r->steps != 1)
            continue;
        two_at_once(b, node, i, i);
        if (input->message == last || input->bytes.n < 2)
            continue;
        last = input->message;
        for (uint32_t at = 1; at < input->bytes.n && at <= CUTS_MAX; at++)
            cut_answer(b, node, i, at);
        byte_by_byte(b, node, i);
    }
}

static bool waits_first(const struct assay_builder *b, uint32_t node)
{
    uint16_t state = b->explored.nodes[node].state;
    return b->model->states[state].kind == ASSAY_STATE_WAIT && assay_node_of(&b->explored, state) == node;
}

/* ---- answers that do not come ------------------------------------------- */

static int64_t within(const struct assay_builder *b, const struct assay_call *call)
{
    int64_t own = call->within > 0 ? call->within : INT64_MAX;
    return b->call_timeout > 0 && b->call_timeout < own ? b->call_timeout : own;
}

static size_t first_call(const struct assay_builder *b, uint32_t node, uint16_t call)
{
    for (size_t i = 0; i < b->inputs.count; i++)
        if (is_call(b, i) && b->inputs.items[i].call == call && assay_reaction(&b->explored, node, i)->stepped)
            return i;
    return SIZE_MAX;
}

/* The application goes on after a time-out: on a new link, where nothing late can be taken for an answer. */
static void timeout_case(struct assay_builder *b, uint32_t node, const struct assay_call *call, bool piece)
{
    const char *state = assay_build_state_name(b, b->explored.nodes[node].state);
    size_t reply = next_answer(b, node), next = first_call(b, 0, (uint16_t)(call - b->model->calls));
    struct assay_blob bytes = reply == SIZE_MAX ? (struct assay_blob){0} : b->inputs.items[reply].bytes;
    int64_t limit = within(b, call), before = limit - limit / 4;
    if (piece && (bytes.n < 2 || b->frame->end == ASSAY_END_DATAGRAM))
        return;
    assay_build_begin(b, state, "timeout", piece ? "half-an-answer" : "no-answer");
    assay_build_path(b, 0, node);
    if (piece)
        assay_build_send(b, 0, (struct assay_blob){bytes.p, bytes.n / 2}, 0);
    assay_build_pause(b, before);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_build_pause(b, limit / 4 + CALL_LATE + 1);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    if (next != SIZE_MAX && !b->current.again) {
        assay_build_input(b, 1, next);
        assay_build_step(b, 1, ASSAY_STEP_AWAIT);
        answer(b, 1, assay_reaction(&b->explored, 0, next)->after);
    }
    assay_build_finish(b, ASSAY_NONE, ASSAY_CASE_TIMED, "%s is not answered%s", call->name, piece ? " in full" : "");
}

static void timeouts(struct assay_builder *b, uint32_t node)
{
    uint16_t state = b->explored.nodes[node].state;
    const struct assay_call *call = &b->model->calls[b->model->states[state].call];
    if (within(b, call) > b->patience) {
        assay_build_note(b, "%s: no case waits as long as %s may take", assay_build_state_name(b, state), call->name);
        return;
    }
    timeout_case(b, node, call, false);
    timeout_case(b, node, call, true);
}

void assay_generate_calls(struct assay_builder *b)
{
    for (uint32_t node = 0; node < b->explored.count; node++) {
        uint16_t last = ASSAY_NONE;
        if (waits_first(b, node)) {
            timeouts(b, node);
            if (b->frame->end != ASSAY_END_DATAGRAM)
                pieces(b, node);
        }
        bool first = assay_node_of(&b->explored, b->explored.nodes[node].state) == node;
        /* Over datagrams a state may be reached first while a call waits. */
        bool free = !first && b->frame->end == ASSAY_END_DATAGRAM && assay_build_is_free(b, node);
        for (size_t i = 0; i < b->inputs.count; i++) {
            const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
            bool another = is_call(b, i) && b->inputs.items[i].call != last;
            if (!is_call(b, i) || !(first || (free && another)) || (!r->stepped && !r->told))
                continue;
            whole_call(b, node, i);
            if (another)
                call_again(b, node, i);
            last = b->inputs.items[i].call;
        }
    }
}
