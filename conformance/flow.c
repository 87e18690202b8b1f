/* Where reliable messages flow. */
#include "conformance/flow.h"

#include <string.h>

#include "core/code.h"

#define SMALL   256u /* bytes of inputs that are sent often */
#define PERCENT 100

/* ---- places ------------------------------------------------------------------ */

static bool is_taken(const struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_input *input = &b->inputs.items[i];
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    return input->stamp.kind == ASSAY_STAMP_NUMBER && input->bytes.n < SMALL && r->stepped && !r->ended &&
           r->event == b->model->messages[input->message].event && r->out_size > 0;
}

/* One that brings something about behind those before it. */
static size_t next_input(struct assay_builder *b, uint32_t node, const size_t *before, size_t count)
{
    uint32_t usual = assay_reaction(&b->explored, node, before[0])->out_size;
    uint32_t told = assay_reaction(&b->explored, node, before[0])->told;
    const struct assay_input *first = &b->inputs.items[before[0]];
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_input *input = &b->inputs.items[i];
        bool used = false;
        for (size_t k = 0; k < count; k++)
            used = used || before[k] == i;
        if (used || input->message != first->message || input->stamp.kind != ASSAY_STAMP_NUMBER ||
            input->bytes.n >= SMALL)
            continue;
        struct assay_reaction r = assay_react_behind(&b->explored, node, before, count, i);
        if (!r.ended && 2 * r.out_size >= usual && r.told >= told)
            return i;
    }
    return SIZE_MAX;
}

static bool add_place(struct assay_builder *b, uint32_t node, size_t first, struct assay_flow_place *to)
{
    size_t inputs[4] = {first};
    for (size_t i = 1; i < 4; i++) {
        inputs[i] = next_input(b, node, inputs, i);
        if (inputs[i] == SIZE_MAX && i == 1)
            return false;
        if (inputs[i] == SIZE_MAX)
            inputs[i] = inputs[i - 2];
    }
    *to = (struct assay_flow_place){node, inputs[0], inputs[1], inputs[2], inputs[3]};
    return true;
}

/* An example, if one will do. */
static size_t first_taken(const struct assay_builder *b, uint32_t node)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < b->inputs.count; i++) {
        bool example = b->inputs.items[i].kind == ASSAY_INPUT_EXAMPLE;
        if (is_taken(b, node, i) && (example || found == SIZE_MAX))
            found = i;
        if (found == i && example)
            break;
    }
    return found;
}

/* The node of a state at which most comes of it. */
static bool best_node(struct assay_builder *b, uint16_t state, uint32_t *best, size_t *input)
{
    uint32_t most = 0;
    for (uint32_t node = 0; node < b->explored.count; node++) {
        size_t i = b->explored.nodes[node].state == state ? first_taken(b, node) : SIZE_MAX;
        if (i == SIZE_MAX || assay_reaction(&b->explored, node, i)->out_size <= most)
            continue;
        most = assay_reaction(&b->explored, node, i)->out_size;
        *best = node;
        *input = i;
    }
    return most > 0;
}

size_t assay_flow_places(struct assay_builder *b, struct assay_flow_place *places)
{
    size_t count = 0, first = 0;
    uint32_t best = 0;
    for (uint32_t node = 0; b->model->reliables_count && node < b->explored.count; node++) {
        uint16_t state = b->explored.nodes[node].state;
        if (count < ASSAY_FLOW_PLACES_MAX && assay_node_of(&b->explored, state) == node &&
            best_node(b, state, &best, &first) && add_place(b, best, first, &places[count]))
            count++;
    }
    return count;
}

/* ---- wrapping ------------------------------------------------------------------ */

/* The number that messages begin with behind an opener, from the end of the numbers; UINT64_MAX: it opens nothing. */
static uint64_t from_the_end(struct assay_builder *b, const struct assay_flow_place *p, struct assay_blob opener)
{
    const struct assay_node *n = &b->explored.nodes[p->node];
    struct assay_belief_world *world = &b->explored.world;
    struct assay_belief *copy = assay_belief_copy(world, b->explored.nodes[n->parent].belief);
    struct assay_belief_set set = {.items = {copy}, .count = 1};
    uint64_t left = UINT64_MAX;
    if (!copy)
        return left;
    assay_beliefs_feed(world, &set, 0, (struct assay_span){opener.p, opener.n});
    if (!copy->ended && assay_state(copy->engine, copy->sid) == n->state)
        left = assay_belief_left(world, copy, ASSAY_STAMP_NUMBER);
    assay_beliefs_clear(&set);
    return left;
}

bool assay_flow_wrap(struct assay_builder *b, const struct assay_flow_place *p, struct assay_blob *opener)
{
    const struct assay_node *n = &b->explored.nodes[p->node];
    uint16_t slot = b->model->reliables[0].session;
    if (n->depth == 0 || slot == ASSAY_NONE)
        return false;
    struct assay_input input = b->inputs.items[n->path[n->depth - 1]];
    if (!input.whole || !(input.known >> slot & 1))
        return false;
    struct assay_value *values = assay_store_copy(b->store, input.values, ASSAY_SLOTS_MAX * sizeof *values);
    uint32_t size = values[slot].bytes.n;
    input.values = values;
    for (uint32_t at = 0; at < size; at++) {
        uint8_t *p8 = assay_store(b->store, size + 1u);
        memset(p8, 0xff, size);
        p8[size - 1 - at] = 0xfe;
        values[slot].bytes = (struct assay_blob){p8, size};
        uint64_t left = assay_input_encode(b->store, &b->config, &input) ? from_the_end(b, p, input.bytes) : UINT64_MAX;
        *opener = input.bytes;
        if (left > 0 && left <= 3)
            return true;
    }
    return false;
}

bool assay_flow_reopen(struct assay_builder *b, uint32_t node, struct assay_blob opener)
{
    const struct assay_node *n = &b->explored.nodes[node];
    struct assay_blob usual = b->inputs.items[n->path[n->depth - 1]].bytes;
    for (size_t i = b->step_count; i > 0; i--) {
        struct assay_step *s = &b->steps[i - 1];
        if (s->kind == ASSAY_STEP_SEND && s->bytes.n == usual.n && memcmp(s->bytes.p, usual.p, usual.n) == 0) {
            s->bytes = opener;
            return true;
        }
    }
    return false;
}

/* ---- drawing anew ------------------------------------------------------------ */

bool assay_flow_has_drawn(const struct assay_builder *b, const struct assay_belief *before,
                          const struct assay_belief *after)
{
    const struct assay_machine *machine = &b->model->machines[b->config.machine];
    struct assay_span x = {0}, y = {0};
    assay_val v;
    if (machine->session == ASSAY_NONE)
        return false;
    assay_var(before->engine, before->sid, machine->session, &v, &x);
    assay_var(after->engine, after->sid, machine->session, &v, &y);
    return x.n == y.n && x.n > 0 && memcmp(x.p, y.p, x.n) != 0 && assay_mark_find(y, 0) < y.n;
}

static bool leads_back(struct assay_builder *b, uint32_t node, const struct assay_flow_round *round)
{
    const struct assay_node *n = &b->explored.nodes[node];
    struct assay_belief *after = assay_belief_behind(&b->explored, node, round->inputs, round->count);
    bool back = after && !after->calling && assay_state(after->engine, after->sid) == n->state &&
                assay_flow_has_drawn(b, n->belief, after);
    assay_belief_free(after);
    return back;
}

/* From the node to one on the way to it, and then that way. */
static bool round_by(struct assay_builder *b, uint32_t node, size_t input, struct assay_flow_round *round)
{
    const struct assay_node *n = &b->explored.nodes[node];
    const struct assay_reaction *r = assay_reaction(&b->explored, node, input);
    if (!r->stepped || r->ended || r->partial || b->inputs.items[input].kind == ASSAY_INPUT_CALL)
        return false;
    for (uint32_t depth = 0, at = 0; depth < n->depth; depth++) {
        if (b->explored.nodes[at].state == r->after) {
            *round = (struct assay_flow_round){.inputs = {input}, .count = 1};
            for (uint32_t i = depth; i < n->depth; i++)
                round->inputs[round->count++] = n->path[i];
            if (leads_back(b, node, round))
                return true;
        }
        at = assay_reaction(&b->explored, at, n->path[depth])->next;
    }
    return false;
}

bool assay_flow_round(struct assay_builder *b, uint32_t node, struct assay_flow_round *round)
{
    for (size_t i = 0; i < b->inputs.count; i++)
        if (round_by(b, node, i, round))
            return true;
    return false;
}

size_t assay_flow_call(const struct assay_builder *b, uint32_t node)
{
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (b->inputs.items[i].kind == ASSAY_INPUT_CALL && r->stepped && !r->ended && r->unacknowledged && r->result &&
            r->messages == 1 && r->next == node)
            return i;
    }
    return SIZE_MAX;
}

/* ---- cases ------------------------------------------------------------------------ */

void assay_flow_finish(struct assay_builder *b, enum assay_case_class class, const char *text)
{
    assay_build_finish(b, ASSAY_NONE, class, "%s", text);
    struct assay_case *c = &b->all->cases[b->all->count - 1];
    c->req = b->model->reliables[0].req;
    c->level = ASSAY_MUST;
}

int64_t assay_flow_late(const struct assay_builder *b, int64_t pause)
{
    return pause + pause / PERCENT * b->model->reliables[0].tolerance + 1;
}

/* ---- secrets, sums ---------------------------------------------------------------- */

bool assay_flow_has_secret(const struct assay_builder *b, size_t input)
{
    struct assay_blob bytes = b->inputs.items[input].bytes;
    return assay_mark_find((struct assay_span){bytes.p, bytes.n}, 0) < bytes.n;
}

uint16_t assay_sum_req(const struct assay_model *model, uint16_t machine)
{
    struct assay_range fields = model->frames[model->machines[machine].frame_in].fields;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++)
        if (model->fields[i].sum)
            return model->fields[i].req;
    return ASSAY_NONE;
}
