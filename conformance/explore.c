#include <stdlib.h>
#include <string.h>

#include "conformance/explore.h"
#include "conformance/side.h"
#include "core/code.h"

#define FNV_START 0xcbf29ce484222325u

static uint64_t hash_bytes(uint64_t h, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    return h;
}

/* ---- one node ---------------------------------------------------------- */

static uint64_t key_of(const struct assay_belief_world *world, const struct assay_belief *b)
{
    const struct assay_model *model = world->config.model;
    struct assay_range vars = model->machines[world->config.machine].vars;
    uint16_t state = assay_state(b->engine, b->sid), wait, call = assay_running(b->engine, b->sid, &wait);
    uint64_t h = hash_bytes(FNV_START, &state, sizeof state);
    bool marks = b->marks > 0; /* there is something to answer with */
    h = hash_bytes(h, &marks, sizeof marks);
    if (call != ASSAY_NONE) {
        h = hash_bytes(h, &call, sizeof call);
        h = hash_bytes(h, &wait, sizeof wait);
    }
    for (uint16_t i = vars.first; i < vars.first + vars.count; i++) {
        assay_val v = 0;
        struct assay_span s = {0};
        if (!assay_var(b->engine, b->sid, i, &v, &s))
            continue;
        if (model->types[model->vars[i].type].kind >= ASSAY_T_BYTES) {
            h = hash_bytes(h, &s.n, sizeof s.n);
            h = hash_bytes(h, s.p, s.n);
        } else {
            h = hash_bytes(h, &v, sizeof v);
        }
    }
    return h;
}

/* Where a belief stood before something was done to it. */
struct mark {
    uint32_t out, chunks, told;
    bool ended;
};

static struct mark mark_of(const struct assay_belief *b)
{
    return (struct mark){b->out.n, b->chunk_count, b->tale.count, b->ended};
}

static uint64_t output_hash(const struct assay_belief *b, struct mark from)
{
    uint64_t h = hash_bytes(FNV_START, b->out.p + from.out, b->out.n - from.out);
    h = hash_bytes(h, &b->ended, sizeof b->ended);
    for (uint32_t i = from.told; i < b->tale.count; i++) {
        const struct assay_told *t = &b->tale.items[i];
        h = hash_bytes(h, &t->kind, sizeof t->kind);
        h = hash_bytes(h, &t->index, sizeof t->index);
        h = hash_bytes(h, &t->outcome, sizeof t->outcome);
        h = hash_bytes(h, b->tale.bytes.p + t->at, t->size);
    }
    return h;
}

/* The state of the call that waits for messages, or of the machine. */
static uint16_t state_of(const struct assay_belief *b)
{
    uint16_t wait, state = assay_state(b->engine, b->sid);
    assay_running(b->engine, b->sid, &wait);
    bool waits = wait != ASSAY_NONE && b->world->config.model->states[wait].kind != ASSAY_STATE_AWAIT;
    return waits ? wait : state;
}

static bool is_unacknowledged(const struct assay_belief *b)
{
    struct assay_waiting w;
    return assay_waiting(b->engine, b->sid, &w) && w.sent > 0;
}

static struct assay_reaction reaction_of(const struct assay_belief *b, struct mark from)
{
    struct assay_reaction r = {.stepped = b->steps > 0,
                               .ended = b->ended,
                               .partial = b->in.n > 0,
                               .faulted = b->faulted,
                               .event = b->steps ? b->first_event : ASSAY_NONE,
                               .rule = b->steps ? b->first_rule : ASSAY_NONE,
                               .last_event = b->steps ? b->last_event : ASSAY_NONE,
                               .last_rule = b->steps ? b->last_rule : ASSAY_NONE,
                               .after = ASSAY_NONE,
                               .steps = b->steps,
                               .out_size = b->out.n - from.out,
                               .messages = b->chunk_count - from.chunks,
                               .told = b->tale.count - from.told,
                               .finished = b->finished,
                               .out_hash = output_hash(b, from),
                               .next = ASSAY_NODES_MAX};
    for (uint32_t i = from.told; i < b->tale.count; i++)
        r.result = r.result || b->tale.items[i].kind == ASSAY_UPPER_RESULT;
    if (!b->ended)
        r.after = state_of(b);
    r.unacknowledged = is_unacknowledged(b);
    if (b->steps == 0 && b->ended && !from.ended) { /* no rule takes it: that ends the session */
        r.stepped = true;
        r.event = r.last_event = b->cause;
    }
    return r;
}

static void give(struct assay_belief_world *world, struct assay_belief_set *set, const struct assay_input *input)
{
    struct assay_belief_call call = {input->call, input->args, input->spans};
    struct assay_bytes_buf bytes = {0};
    if (input->kind == ASSAY_INPUT_CALL) {
        assay_beliefs_call(world, set, 0, &call);
        return;
    }
    if (input->bytes.n == 0)
        return;
    assay_buf_add(&bytes, input->bytes.p, input->bytes.n);
    assay_belief_stamp(world, set->items[0], input->stamp, &bytes);
    assay_beliefs_feed(world, set, 0, (struct assay_span){bytes.p, bytes.n});
    free(bytes.p);
}

/* A copy of a belief after an input and an event; where the target may choose, its first way. */
static struct assay_belief *after(struct assay_belief_world *world, const struct assay_belief *from,
                                  const struct assay_input *input, enum assay_builtin_event event,
                                  struct assay_reaction *r)
{
    struct assay_belief_set set = {.count = 1};
    struct assay_belief *b = set.items[0] = assay_belief_copy(world, from);
    if (!b)
        return NULL;
    struct mark before = mark_of(b);
    b->steps = 0;
    b->faulted = false;
    give(world, &set, input);
    if (event == ASSAY_EV_EOF || event == ASSAY_EV_RESET)
        assay_beliefs_signal(world, &set, 0, event);
    *r = reaction_of(b, before);
    for (size_t i = 1; i < set.count; i++)
        assay_belief_free(set.items[i]);
    return b;
}

struct assay_reaction assay_react(struct assay_explored *e, uint32_t node, struct assay_blob bytes,
                                  enum assay_builtin_event event)
{
    struct assay_input input = {.bytes = bytes};
    struct assay_reaction r = {0};
    assay_belief_free(after(&e->world, e->nodes[node].belief, &input, event, &r));
    return r;
}

struct assay_reaction assay_react_input(struct assay_explored *e, uint32_t node, size_t input,
                                        enum assay_builtin_event event)
{
    struct assay_reaction r = {0};
    assay_belief_free(after(&e->world, e->nodes[node].belief, &e->inputs->items[input], event, &r));
    return r;
}

/* ---- breadth first ----------------------------------------------------- */

static uint32_t find_node(const struct assay_explored *e, uint64_t key)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (e->nodes[i].key == key)
            return i;
    return ASSAY_NODES_MAX;
}

/* Whether enough is known of a state. Over datagrams calls may wait in any: it is another place with each, and without.
 */
static bool is_crowded(const struct assay_explored *e, const struct assay_belief *b)
{
    uint16_t state = state_of(b), wait, other;
    uint32_t all = 0, alike = 0;
    assay_running(b->engine, b->sid, &wait);
    for (uint32_t i = 0; i < e->count; i++) {
        if (e->nodes[i].state != state)
            continue;
        assay_running(e->nodes[i].belief->engine, e->nodes[i].belief->sid, &other);
        all++;
        alike += other == wait;
    }
    return all >= ASSAY_NODES_PER_STATE && (alike || !e->world.datagrams);
}

static uint32_t add_node(struct assay_explored *e, struct assay_belief *b, uint32_t parent, size_t input)
{
    uint16_t state = state_of(b);
    uint64_t key = key_of(&e->world, b);
    uint32_t found = find_node(e, key);
    if (found < ASSAY_NODES_MAX) {
        assay_belief_free(b);
        return found;
    }
    uint32_t depth = e->count ? e->nodes[parent].depth + 1 : 0;
    if (e->count == ASSAY_NODES_MAX || is_crowded(e, b) || depth > ASSAY_PATH_MAX) {
        e->capped = true;
        assay_belief_free(b);
        return ASSAY_NODES_MAX;
    }
    struct assay_node *n = &e->nodes[e->count];
    *n = (struct assay_node){.belief = b, .state = state, .key = key, .parent = parent, .depth = depth};
    if (depth) {
        memcpy(n->path, e->nodes[parent].path, sizeof n->path);
        n->path[depth - 1] = input;
    }
    return e->count++;
}

/* Whether an input can be given at a node: one call at a time, and one that makes its link is the first thing on it. */
static bool applies(const struct assay_explored *e, uint32_t node, const struct assay_input *input)
{
    bool root = e->nodes[node].depth == 0;
    if (input->kind != ASSAY_INPUT_CALL)
        return !root || e->rooted;
    if (e->world.config.model->calls[input->call].opens != ASSAY_NONE)
        return root;
    return !e->nodes[node].belief->calling && (!root || e->rooted || e->world.datagrams);
}

/* All that it has sent was seen; it may send more then. */
static void acknowledge(struct assay_belief_world *world, struct assay_belief *b, const struct assay_input *ack)
{
    struct assay_belief_set set = {.items = {b}, .count = 1};
    for (int i = 0; i < 8 && is_unacknowledged(b); i++)
        give(world, &set, ack);
}

static size_t ack_of(const struct assay_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++)
        if (inputs->items[i].stamp.kind == ASSAY_STAMP_ACK)
            return i;
    return SIZE_MAX;
}

/* A link of datagrams begins with the first one: a call that sends none makes no link, and cannot be judged. */
static bool makes_no_link(const struct assay_explored *e, uint32_t node, const struct assay_input *input,
                          const struct assay_reaction *r)
{
    return input->kind == ASSAY_INPUT_CALL && e->world.datagrams && e->nodes[node].depth == 0 && r->messages == 0;
}

static bool expand(struct assay_explored *e, uint32_t node)
{
    size_t inputs = e->inputs->count;
    struct assay_reaction *more = realloc(e->reactions, (node + 1u) * (inputs + 1) * sizeof *more);
    if (!more)
        return false;
    e->reactions = more;
    for (size_t i = 0; i < inputs; i++) {
        struct assay_reaction *r = &e->reactions[node * inputs + i];
        *r = (struct assay_reaction){
            .event = ASSAY_NONE, .rule = ASSAY_NONE, .after = ASSAY_NONE, .next = ASSAY_NODES_MAX};
        if (!applies(e, node, &e->inputs->items[i]))
            continue;
        struct assay_belief *b = after(&e->world, e->nodes[node].belief, &e->inputs->items[i], ASSAY_EV_CONNECT, r);
        if (b && makes_no_link(e, node, &e->inputs->items[i], r)) {
            *r = (struct assay_reaction){
                .event = ASSAY_NONE, .rule = ASSAY_NONE, .after = ASSAY_NONE, .next = ASSAY_NODES_MAX};
            assay_belief_free(b);
            continue;
        }
        if (b && r->unacknowledged && e->ack != SIZE_MAX)
            acknowledge(&e->world, b, &e->inputs->items[e->ack]);
        if (b && !b->ended && !r->partial && r->stepped)
            r->next = add_node(e, b, node, i);
        else
            assay_belief_free(b);
    }
    return true;
}

struct assay_reaction assay_react_on(struct assay_explored *e, struct assay_belief **belief,
                                     const struct assay_input *input)
{
    struct assay_reaction r = {0};
    struct assay_belief *next = after(&e->world, *belief, input, ASSAY_EV_CONNECT, &r);
    assay_belief_free(*belief);
    if (next && r.ended) {
        assay_belief_free(next);
        next = NULL;
    }
    *belief = next;
    return r;
}

struct assay_belief *assay_belief_behind(struct assay_explored *e, uint32_t node, const size_t *inputs, size_t count)
{
    struct assay_belief *b = assay_belief_copy(&e->world, e->nodes[node].belief);
    for (size_t i = 0; b && i < count; i++) {
        struct assay_reaction r = assay_react_on(e, &b, &e->inputs->items[inputs[i]]);
        if (b && r.unacknowledged && e->ack != SIZE_MAX)
            acknowledge(&e->world, b, &e->inputs->items[e->ack]);
    }
    return b;
}

struct assay_reaction assay_react_behind(struct assay_explored *e, uint32_t node, const size_t *inputs, size_t count,
                                         size_t then)
{
    struct assay_belief *b = assay_belief_behind(e, node, inputs, count);
    struct assay_reaction r = {.ended = !b};
    if (b)
        r = assay_react_on(e, &b, &e->inputs->items[then]);
    assay_belief_free(b);
    return r;
}

bool assay_explore(struct assay_explored *e, const struct assay_witness_config *config,
                   const struct assay_inputs *inputs)
{
    struct assay_oracle_config oracle = {.model = config->model,
                                         .machine = config->machine,
                                         .options = config->options,
                                         .leniencies = config->leniencies,
                                         .seed = 1,
                                         .circumstance = config->circumstance,
                                         .terminal = config->terminal};
    struct assay_belief_set set = {0};
    memset(e, 0, sizeof *e);
    e->inputs = inputs;
    e->ack = ack_of(inputs);
    e->rooted = !config->calls || assay_has_bare_links(config->model, config->machine);
    if (!assay_belief_world_init(&e->world, &oracle) || !assay_beliefs_open(&e->world, &set, 0))
        return false;
    for (size_t i = 1; i < set.count; i++)
        assay_belief_free(set.items[i]);
    if (set.items[0]->ended) {
        assay_belief_free(set.items[0]);
        return true;
    }
    add_node(e, set.items[0], 0, 0);
    for (uint32_t i = 0; i < e->count; i++)
        if (!expand(e, i))
            return false;
    return true;
}

void assay_explored_free(struct assay_explored *e)
{
    for (uint32_t i = 0; i < e->count; i++)
        assay_belief_free(e->nodes[i].belief);
    free(e->reactions);
    assay_belief_world_free(&e->world);
}

uint32_t assay_node_of(const struct assay_explored *e, uint16_t state)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (e->nodes[i].state == state)
            return i;
    return ASSAY_NODES_MAX;
}

uint32_t assay_repeat(struct assay_explored *e, uint32_t node, size_t input, uint32_t most, struct assay_reaction *last)
{
    struct assay_belief_set set = {.count = 1};
    struct assay_blob bytes = e->inputs->items[input].bytes;
    const struct assay_reaction *usual = assay_reaction(e, node, input);
    struct assay_belief *b = set.items[0] = assay_belief_copy(&e->world, e->nodes[node].belief);
    uint32_t times = 0;
    bool changed = false;
    while (b && times < most && !changed) {
        struct mark before = mark_of(b);
        b->steps = 0;
        b->faulted = false;
        assay_beliefs_feed(&e->world, &set, 0, (struct assay_span){bytes.p, bytes.n});
        times++;
        *last = reaction_of(b, before);
        changed = b->faulted || b->ended || last->rule != usual->rule;
    }
    assay_beliefs_clear(&set);
    return changed ? times : 0;
}

uint64_t assay_signature(struct assay_explored *e, const struct assay_input *input)
{
    struct assay_lens *lens = &e->world.lens;
    const struct assay_model *model = e->world.config.model;
    uint16_t frame = model->machines[e->world.config.machine].frame_in;
    uint8_t from = assay_tester_role(model, e->world.config.machine);
    struct assay_span bytes = {input->bytes.p, input->bytes.n};
    assay_val *vars = calloc(model->vars_count + 1u, sizeof *vars);
    uint64_t h = FNV_START;
    assay_lens_clear(lens);
    struct assay_frame_found f = assay_frame_find(&lens->env, frame, from, bytes, 0, false);
    for (uint16_t i = 0; vars && i < model->vars_count; i++)
        vars[i] = model->types[model->vars[i].type].kind >= ASSAY_T_BYTES ? ASSAY_VAL_EMPTY : 0;
    lens->env.vars = vars;
    if (vars && f.status == ASSAY_FRAME_WHOLE) {
        lens->env.frame = bytes.p;
        assay_decode(&lens->env, frame, from, (struct assay_span){bytes.p, f.content});
        for (uint16_t i = 0; i < model->rules_count; i++) {
            bool holds =
                model->rules[i].machine == e->world.config.machine && assay_holds(&lens->env, model->rules[i].guard);
            h = hash_bytes(h, &holds, sizeof holds);
        }
    }
    lens->env.vars = NULL;
    free(vars);
    return h;
}

static uint16_t decoded_event(struct assay_explored *e, const struct assay_input *input, uint64_t leniencies)
{
    struct assay_lens *lens = &e->world.lens;
    const struct assay_model *model = lens->env.model;
    uint16_t frame = model->machines[e->world.config.machine].frame_in;
    uint8_t from = assay_tester_role(model, e->world.config.machine);
    struct assay_span bytes = {input->bytes.p, input->bytes.n};
    uint64_t usual = lens->env.leniencies;
    uint16_t event = ASSAY_NONE;
    lens->env.leniencies = leniencies;
    assay_lens_clear(lens);
    struct assay_frame_found f = assay_frame_find(&lens->env, frame, from, bytes, 0, false);
    lens->env.frame = bytes.p;
    if (f.status == ASSAY_FRAME_WHOLE)
        event = assay_decode(&lens->env, frame, from, (struct assay_span){bytes.p, f.content}).event;
    lens->env.leniencies = usual;
    return event;
}

uint16_t assay_leaning(struct assay_explored *e, const struct assay_input *input)
{
    struct assay_lens *lens = &e->world.lens;
    uint64_t usual = lens->env.leniencies;
    uint16_t event = decoded_event(e, input, usual);
    for (uint16_t i = 0; i < lens->env.model->leniencies_count && i < 64; i++)
        if ((usual >> i & 1) && decoded_event(e, input, usual & ~((uint64_t)1 << i)) != event)
            return i;
    return ASSAY_NONE;
}

/* ---- telling states apart ---------------------------------------------- */

/* How many other states answer this input differently; those in front of `from` count double, as the last
 * step may have failed to leave it. */
static unsigned tells(const struct assay_explored *e, uint32_t node, size_t input, uint16_t from)
{
    unsigned n = 0;
    const struct assay_reaction *here = assay_reaction(e, node, input);
    for (uint32_t i = 0; i < e->count; i++) {
        if (e->nodes[i].state == e->nodes[node].state || assay_node_of(e, e->nodes[i].state) != i)
            continue;
        const struct assay_reaction *there = assay_reaction(e, i, input);
        if (there->out_hash != here->out_hash || there->partial != here->partial)
            n += e->nodes[i].state == from ? 2 : 1;
    }
    return n;
}

size_t assay_telling_input(const struct assay_explored *e, uint16_t state, uint16_t from)
{
    uint32_t node = assay_node_of(e, state);
    size_t best = SIZE_MAX;
    unsigned most = 0;
    for (size_t i = 0; node < ASSAY_NODES_MAX && i < e->inputs->count; i++) {
        const struct assay_reaction *r = assay_reaction(e, node, i);
        const struct assay_input *input = &e->inputs->items[i];
        if (!r->stepped || r->partial || r->steps != 1 || r->out_size == 0 || input->bytes.n > 1024)
            continue;
        unsigned n = 1 + 4 * tells(e, node, i, from) + (r->ended ? 0 : 2) + (input->kind == ASSAY_INPUT_EXAMPLE);
        if (n > most) {
            most = n;
            best = i;
        }
    }
    return best;
}
