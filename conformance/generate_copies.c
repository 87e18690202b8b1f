/* What the target sends again while it is not acknowledged: when, how often, and until when. */
#include "conformance/build.h"
#include "conformance/flow.h"

#define COPIES  3
#define PERCENT 100

static int64_t grown(const struct assay_builder *b, int64_t pause)
{
    int64_t next = pause / PERCENT * b->model->reliables[0].factor;
    return next < b->explored.world.pause_cap ? next : b->explored.world.pause_cap;
}

static void begin(struct assay_builder *b, const struct assay_flow_place *p, const char *variant)
{
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[p->node].state), "copies", "%s", variant);
    assay_build_path(b, 0, p->node);
}

/* Wait for `n` copies, the first of which comes after `pause`. Returns the pause behind them. */
static int64_t copies(struct assay_builder *b, int64_t pause, int n)
{
    for (; n > 0; n--) {
        assay_build_pause(b, assay_flow_late(b, pause));
        assay_build_await(b, 0);
        pause = grown(b, pause);
    }
    return pause;
}

static void until_acknowledged(struct assay_builder *b, const struct assay_flow_place *p)
{
    int64_t first = b->explored.world.pause_first;
    begin(b, p, "until-acknowledged");
    assay_build_give(b, 0, p->first);
    int64_t pause = copies(b, first, COPIES);
    assay_build_acknowledge(b, 0);
    assay_build_pause(b, assay_flow_late(b, pause));
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_build_give(b, 0, p->other);
    copies(b, first, 1);
    assay_build_acknowledge(b, 0);
    assay_flow_finish(b, ASSAY_CASE_TIMED, "what is not acknowledged goes out again, with growing pauses, until it is");
}

static void the_rest(struct assay_builder *b, const struct assay_flow_place *p)
{
    begin(b, p, "the-rest");
    assay_build_give(b, 0, p->first);
    assay_build_give(b, 0, p->other);
    assay_build_stamped(b, 0, b->explored.ack, -1);
    copies(b, b->explored.world.pause_first, 2);
    assay_build_acknowledge(b, 0);
    assay_flow_finish(b, ASSAY_CASE_TIMED, "only what is not acknowledged goes out again");
}

/* Acknowledgements that acknowledge nothing: of what was not sent, of what was acknowledged. */
static void not_by(struct assay_builder *b, const struct assay_flow_place *p, int32_t offset, const char *variant)
{
    begin(b, p, variant);
    assay_build_give(b, 0, p->first);
    assay_build_stamped(b, 0, b->explored.ack, offset);
    copies(b, b->explored.world.pause_first, 1);
    assay_build_acknowledge(b, 0);
    assay_build_give(b, 0, p->other);
    assay_build_acknowledge(b, 0);
    assay_flow_finish(b, ASSAY_CASE_TIMED,
                      "an acknowledgement of something else does not keep it from going out again");
}

static void by_another_session(struct assay_builder *b, const struct assay_flow_place *p)
{
    if (b->model->reliables[0].session == ASSAY_NONE)
        return;
    begin(b, p, "not-by-another-session");
    assay_build_give(b, 0, p->first);
    assay_build_stamped(b, 0, b->explored.ack, 0);
    b->steps[b->step_count - 1].stamp.stale = true;
    copies(b, b->explored.world.pause_first, 1);
    assay_build_acknowledge(b, 0);
    assay_flow_finish(b, ASSAY_CASE_TIMED,
                      "an acknowledgement of another session does not keep it from going out again");
}

#define CALL_LATE 1000000000 /* ns, as the oracle tolerates */

/* A call that may not take as long ends before. */
static int64_t time_of(const struct assay_builder *b, size_t input)
{
    int64_t within = b->call_timeout > 0 ? b->call_timeout : INT64_MAX;
    if (b->inputs.items[input].kind != ASSAY_INPUT_CALL)
        return INT64_MAX;
    const struct assay_call *call = &b->model->calls[b->inputs.items[input].call];
    return call->within > 0 && call->within < within ? call->within : within;
}

static void gives_up(struct assay_builder *b, const struct assay_flow_place *p, const char *variant)
{
    int64_t first = b->explored.world.pause_first, waited = 0, most = b->explored.world.give_up;
    int64_t within = time_of(b, p->first);
    if (most == INT64_MAX)
        return;
    begin(b, p, variant);
    assay_build_give(b, 0, p->first);
    for (int64_t pause = first; waited + pause + pause / 2 < most - most / PERCENT * b->model->reliables[0].tolerance;
         pause = grown(b, pause)) {
        assay_build_pause(b, assay_flow_late(b, pause));
        assay_build_await(b, 0);
        waited += assay_flow_late(b, pause);
    }
    if (within < assay_flow_late(b, most)) {
        if (within + CALL_LATE > waited)
            assay_build_pause(b, within + CALL_LATE + 1 - waited);
        assay_build_await(b, 0);
        waited = within + CALL_LATE + 1 > waited ? within + CALL_LATE + 1 : waited;
    }
    if (assay_flow_late(b, most) > waited)
        assay_build_pause(b, assay_flow_late(b, most) - waited);
    assay_build_await(b, 0);
    assay_build_pause(b, assay_flow_late(b, b->explored.world.pause_cap < most ? b->explored.world.pause_cap : first));
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_build_give(b, 0, p->other);
    if (within < INT64_MAX)
        b->current.field_req = b->model->rules[assay_reaction(&b->explored, p->node, p->first)->rule].req;
    assay_flow_finish(b, ASSAY_CASE_TIMED, "what nobody acknowledges is given up, and not before its time");
}

/* ---- where ------------------------------------------------------------------------ */

/* Better than none: an input; a call that does not wait for what it sends. */
static int worth(const struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    const struct assay_input *input = &b->inputs.items[i];
    if (!r->stepped || r->ended || !r->unacknowledged || r->after != b->explored.nodes[node].state ||
        input->bytes.n >= 256)
        return 0;
    if (input->kind != ASSAY_INPUT_CALL)
        return input->stamp.kind == ASSAY_STAMP_NUMBER ? 3 : 0;
    return r->result ? 2 : 1;
}

static size_t best_input(const struct assay_builder *b, uint32_t node)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < b->inputs.count; i++)
        if (worth(b, node, i) > (best == SIZE_MAX ? 0 : worth(b, node, best)))
            best = i;
    return best;
}

/* The same kind of input with something else in it. */
static size_t another(struct assay_builder *b, uint32_t node, size_t first)
{
    const struct assay_input *x = &b->inputs.items[first];
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_input *y = &b->inputs.items[i];
        bool like = x->kind == ASSAY_INPUT_CALL ? y->kind == x->kind && y->call == x->call
                                                : y->kind != ASSAY_INPUT_CALL && y->message == x->message;
        if (like && i != first)
            if (worth(b, node, i) && assay_react_behind(&b->explored, node, &first, 1, i).unacknowledged)
                return i;
    }
    return SIZE_MAX;
}

static void copies_at(struct assay_builder *b, const struct assay_flow_place *p)
{
    bool waits = worth(b, p->node, p->first) == 1;
    until_acknowledged(b, p);
    if (!waits)
        the_rest(b, p);
    not_by(b, p, 1, "not-by-what-is-to-come");
    not_by(b, p, -1, "not-by-an-old-one");
    by_another_session(b, p);
    gives_up(b, p, "gives-up");
}

/* Each call that waits for what it sends, at the first node of a state from which nobody acknowledges it. */
static void calls_unanswered(struct assay_builder *b, uint32_t node)
{
    uint16_t last = ASSAY_NONE;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_input *input = &b->inputs.items[i];
        if (input->kind != ASSAY_INPUT_CALL || input->call == last || worth(b, node, i) != 1)
            continue;
        last = input->call;
        struct assay_flow_place p = {.node = node, .first = i, .other = i};
        gives_up(b, &p, assay_store_text(b->store, "%s-is-given-up", b->model->calls[last].name));
    }
}

void assay_generate_copies(struct assay_builder *b)
{
    for (uint32_t node = 0; b->model->reliables_count && b->explored.ack != SIZE_MAX && node < b->explored.count;
         node++) {
        struct assay_flow_place p = {.node = node, .first = best_input(b, node)};
        bool before = false;
        if (assay_build_is_free(b, node))
            calls_unanswered(b, node);
        for (uint32_t i = 0; i < node; i++)
            before =
                before || (b->explored.nodes[i].state == b->explored.nodes[node].state && best_input(b, i) != SIZE_MAX);
        if (before || p.first == SIZE_MAX)
            continue;
        p.other = another(b, node, p.first);
        if (p.other != SIZE_MAX)
            copies_at(b, &p);
    }
}
