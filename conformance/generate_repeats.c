/* Datagrams to clients: each comes twice, what one changes for the next and for timers, and what comes where nothing is
 * waited for any more. */
#include <stdlib.h>

#include "conformance/build.h"
#include "core/engine.h"

#define SMALL 1024u /* bytes of inputs that are repeated */

static uint16_t wait_of(const struct assay_belief *b)
{
    uint16_t wait;
    assay_running(b->engine, b->sid, &wait);
    return wait;
}

/* The first node of a state in which this call waits, or none does. */
static bool is_first_of_place(const struct assay_builder *b, uint32_t node)
{
    const struct assay_node *n = &b->explored.nodes[node];
    for (uint32_t i = 0; i < node; i++)
        if (b->explored.nodes[i].state == n->state && wait_of(b->explored.nodes[i].belief) == wait_of(n->belief))
            return false;
    return true;
}

static bool is_message(const struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_input *input = &b->inputs.items[i];
    return input->kind != ASSAY_INPUT_CALL && input->bytes.n < SMALL && assay_reaction(&b->explored, node, i)->stepped;
}

/* The same message with something else in it that another rule takes there, or, of the same, that ends elsewhere. */
static size_t another(const struct assay_builder *b, uint32_t node, size_t input)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, input);
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *x = assay_reaction(&b->explored, node, i);
        if (is_message(b, node, i) && b->inputs.items[i].message == b->inputs.items[input].message &&
            b->inputs.items[i].kind == ASSAY_INPUT_EXAMPLE && i != input && x->event == r->event)
            return i;
    }
    return SIZE_MAX;
}

/* What leads on to another state; SIZE_MAX: nothing. */
static size_t onward(const struct assay_builder *b, uint32_t node)
{
    uint16_t state = b->explored.nodes[node].state;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (is_message(b, node, i) && b->inputs.items[i].whole && !r->ended && r->after != state)
            return i;
    }
    return SIZE_MAX;
}

static void begin(struct assay_builder *b, uint32_t node, size_t i, const char *variant)
{
    const struct assay_input *input = &b->inputs.items[i];
    const char *wait = b->explored.nodes[node].belief->calling ? "calling-" : "";
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), "repeats", "%s%s-%s-%s", wait,
                      b->model->messages[input->message].name, input->label, variant);
    assay_build_path(b, 0, node);
}

static void twice(struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    size_t other = another(b, node, i);
    begin(b, node, i, "twice");
    assay_build_give(b, 0, i);
    assay_build_give(b, 0, i);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    if (other != SIZE_MAX)
        assay_build_give(b, 0, other);
    size_t on = r->after == b->explored.nodes[node].state ? onward(b, node) : SIZE_MAX;
    if (on != SIZE_MAX) {
        uint16_t after = assay_reaction(&b->explored, node, on)->after;
        size_t telling = assay_telling_input(&b->explored, after, r->after);
        assay_build_give(b, 0, on);
        if (telling != SIZE_MAX)
            assay_build_give(b, 0, telling);
    }
    b->current.field_req = b->inputs.items[i].req;
    assay_build_finish(b, r->rule, ASSAY_CASE_LOCAL, "%s comes twice", b->inputs.items[i].label);
}

/* ---- and time ------------------------------------------------------------- */

/* When the next thing happens behind an input, from then on; ASSAY_NEVER. */
static int64_t due_behind(struct assay_builder *b, uint32_t node, size_t i)
{
    struct assay_belief *copy = assay_belief_copy(&b->explored.world, b->explored.nodes[node].belief);
    struct assay_belief_set set = {.items = {copy}, .count = copy ? 1 : 0};
    const struct assay_input *input = &b->inputs.items[i];
    struct assay_bytes_buf bytes = {0};
    int64_t due = ASSAY_NEVER;
    if (!copy)
        return due;
    assay_buf_add(&bytes, input->bytes.p, input->bytes.n);
    assay_belief_stamp(&b->explored.world, copy, input->stamp, &bytes);
    assay_beliefs_feed(&b->explored.world, &set, 0, (struct assay_span){bytes.p, bytes.n});
    free(bytes.p);
    if (!copy->ended)
        due = assay_deadline(copy->engine);
    assay_beliefs_clear(&set);
    return due;
}

static int64_t latest(const struct assay_builder *b)
{
    struct assay_range timers = b->model->machines[b->config.machine].timers;
    int64_t late = 0;
    for (uint32_t i = timers.first; i < (uint32_t)timers.first + timers.count; i++)
        late = b->model->timers[i].late > late ? b->model->timers[i].late : late;
    return late;
}

static void then_time(struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    int64_t due = due_behind(b, node, i);
    if (due == ASSAY_NEVER || due <= 0 || due > b->patience)
        return;
    begin(b, node, i, "then-time");
    assay_build_give(b, 0, i);
    assay_build_pause(b, due + latest(b) + 1);
    assay_build_await(b, 0);
    b->current.field_req = b->inputs.items[i].req;
    assay_build_finish(b, r->rule, ASSAY_CASE_TIMED, "%s, and then time goes by", b->inputs.items[i].label);
}

/* The longest that anything takes at any node, of what a case can wait for. */
static int64_t longest(const struct assay_builder *b)
{
    int64_t most = 0;
    for (uint32_t i = 0; i < b->explored.count; i++) {
        int64_t due = assay_deadline(b->explored.nodes[i].belief->engine);
        if (due != ASSAY_NEVER && due > most && due + latest(b) < b->patience)
            most = due + latest(b);
    }
    return most;
}

/* Where no timer runs: nothing that comes starts one. */
static void nothing_stirs(struct assay_builder *b, uint32_t node)
{
    uint16_t state = b->explored.nodes[node].state;
    int64_t wait = longest(b);
    uint16_t last = ASSAY_NONE, rule = ASSAY_NONE;
    if (wait == 0)
        return;
    assay_build_begin(b, assay_build_state_name(b, state), "repeats", "nothing-stirs");
    assay_build_path(b, 0, node);
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (!is_message(b, node, i) || r->after != state || r->out_size || b->inputs.items[i].message == last ||
            (b->inputs.items[i].kind != ASSAY_INPUT_EXAMPLE && b->inputs.items[i].stamp.session == 0))
            continue;
        last = b->inputs.items[i].message;
        rule = r->rule;
        assay_build_give(b, 0, i);
    }
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_build_pause(b, wait + 1);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_build_finish(b, rule, ASSAY_CASE_TIMED, "no message starts anything in state %s",
                       assay_build_state_name(b, state));
}

void assay_generate_repeats(struct assay_builder *b)
{
    for (uint32_t node = 0; node < b->explored.count; node++) {
        const struct assay_node *n = &b->explored.nodes[node];
        if (n->depth == 0 || !is_first_of_place(b, node))
            continue;
        for (size_t i = 0; i < b->inputs.count; i++) {
            const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
            if (!assay_build_is_first(b, node, i, is_message))
                continue;
            twice(b, node, i);
            if (r->after == n->state && r->next != node)
                then_time(b, node, i);
        }
        if (assay_deadline(n->belief->engine) == ASSAY_NEVER)
            nothing_stirs(b, node);
    }
}
