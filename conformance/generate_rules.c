/* One case for each first-match cell of (state, event), and for each border of a field where it matters. */
#include <stdlib.h>
#include <string.h>

#include "conformance/build.h"

#define PLAIN_PER_CELL 3 /* cases of a cell that has no borders: first, smallest, largest */
#define RAW_PER_CELL   2

/* How often the generators have come across a rule at a node. */
struct cell {
    uint16_t rule, event;
    uint64_t signature; /* of the input: another rule might have told it apart */
    unsigned count, raw;
};

struct cells {
    struct cell items[512];
    size_t count;
};

static struct cell *cell_of(struct cells *cells, const struct assay_reaction *r, uint64_t signature)
{
    for (size_t i = 0; i < cells->count; i++)
        if (cells->items[i].rule == r->rule && cells->items[i].event == r->event &&
            cells->items[i].signature == signature)
            return &cells->items[i];
    if (cells->count == sizeof cells->items / sizeof cells->items[0])
        return &cells->items[0];
    cells->items[cells->count] = (struct cell){.rule = r->rule, .event = r->event, .signature = signature};
    return &cells->items[cells->count++];
}

/* Several rules take a message here: its borders are worth a case each. */
static bool contested(const struct assay_builder *b, uint32_t node, uint16_t event)
{
    uint16_t rule = ASSAY_NONE;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (!r->stepped || r->event != event)
            continue;
        if (rule != ASSAY_NONE && r->rule != rule)
            return true;
        rule = r->rule;
    }
    return false;
}

static bool extreme(const struct assay_builder *b, uint32_t node, size_t input)
{
    const struct assay_reaction *here = assay_reaction(&b->explored, node, input);
    bool smallest = true, largest = true;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (!r->stepped || r->rule != here->rule || r->event != here->event)
            continue;
        smallest = smallest && b->inputs.items[input].bytes.n <= b->inputs.items[i].bytes.n;
        largest = largest && b->inputs.items[input].bytes.n >= b->inputs.items[i].bytes.n;
    }
    return smallest || largest;
}

/* Whether a message brings something about at a node, as its examples show. */
static bool matters(const struct assay_builder *b, uint32_t node, uint16_t message)
{
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (b->inputs.items[i].kind == ASSAY_INPUT_EXAMPLE && b->inputs.items[i].message == message && r->stepped &&
            (r->out_size || r->told || r->ended || r->next != node))
            return true;
    }
    return false;
}

static bool matters_somewhere(const struct assay_builder *b, uint16_t message)
{
    for (uint32_t node = 0; node < b->explored.count; node++)
        if (matters(b, node, message))
            return true;
    return false;
}

/* Where all kinds of input are tried: with servers where sessions start, with clients wherever their message matters,
 * or, if it does nowhere, at first. */
static bool in_full(const struct assay_builder *b, uint32_t node, size_t input)
{
    if (!b->arrives || (node == 0 && b->inputs.calls == 0 && !matters_somewhere(b, b->inputs.items[input].message)))
        return node == 0;
    return assay_node_of(&b->explored, b->explored.nodes[node].state) == node &&
           matters(b, node, b->inputs.items[input].message) && (node > 0 || b->inputs.calls == 0);
}

/* With clients, whose messages come back in every state, what is the same with every message is tried in full with one.
 */
static bool tried_before(const struct assay_builder *b, size_t input)
{
    const struct assay_input *x = &b->inputs.items[input];
    size_t like = 0;
    if (!x->framed || !b->arrives)
        return false;
    while (!b->inputs.items[like].framed || strcmp(b->inputs.items[like].label, x->label) != 0)
        like++;
    bool before = b->tried[like];
    b->tried[like] = true;
    return before;
}

static bool worth_it(const struct assay_builder *b, uint32_t node, size_t input, struct cells *cells)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, input);
    struct cell *cell = cell_of(cells, r, b->signatures[input]);
    bool raw = b->inputs.items[input].kind == ASSAY_INPUT_RAW;
    bool first = cell->count++ == 0;
    bool early = raw && cell->raw++ < RAW_PER_CELL;
    if (first || early)
        return true;
    if (b->inputs.items[input].limit && !r->ended)
        return !tried_before(b, input);
    if (!raw && contested(b, node, r->event))
        return true;
    if (in_full(b, node, input) && (raw || b->inputs.items[input].kind != ASSAY_INPUT_BOUNDARY))
        return !tried_before(b, input);
    return extreme(b, node, input) && (cell->count <= PLAIN_PER_CELL || b->arrives);
}

/* The case just made shows a leniency: a target without it breaks that requirement, and none of the rule that acts. */
static void lean_on(struct assay_builder *b, uint16_t leniency)
{
    if (leniency == ASSAY_NONE)
        return;
    struct assay_case *c = &b->all->cases[b->all->count - 1];
    c->level = b->model->leniencies[leniency].level;
    if (b->model->leniencies[leniency].req != ASSAY_NONE)
        c->req = b->model->leniencies[leniency].req;
}

static void add_case(struct assay_builder *b, uint32_t node, size_t i, const char *suffix)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    const struct assay_input *input = &b->inputs.items[i];
    uint16_t state = b->explored.nodes[node].state;
    bool call = input->kind == ASSAY_INPUT_CALL;
    const char *message = call ? "" : b->model->messages[input->message].name;
    bool as_meant = call || r->event == b->model->messages[input->message].event;
    assay_build_begin(b, assay_build_state_name(b, state), assay_build_event_name(b, r->event), "%s%s%s%s",
                      as_meant ? "" : message, as_meant ? "" : "-", input->label, suffix);
    assay_build_path(b, 0, node);
    b->current.field_req = input->req;
    assay_build_input(b, 0, i);
    assay_build_tail(b, 0, state, r);
    assay_build_finish(b, r->rule, ASSAY_CASE_LOCAL, "%s in state %s: %s", assay_build_event_name(b, r->event),
                       assay_build_state_name(b, state), input->label);
    if (!call)
        lean_on(b, assay_leaning(&b->explored, input));
}

/* The first node of each state in full; the same state with other variables where rules look at them. */
static bool same_as_first(const struct assay_builder *b, uint32_t node, size_t input)
{
    uint32_t first = assay_node_of(&b->explored, b->explored.nodes[node].state);
    /* other variables may matter to a target where they do not to the model: examples are tried with all of them */
    return first != node && b->inputs.items[input].kind != ASSAY_INPUT_EXAMPLE &&
           assay_reaction(&b->explored, first, input)->rule == assay_reaction(&b->explored, node, input)->rule &&
           assay_reaction(&b->explored, first, input)->out_hash == assay_reaction(&b->explored, node, input)->out_hash;
}

/* A frame is too long as soon as its header says so: the shortest beginning that is answered. */
static void header_case(struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_input *input = &b->inputs.items[i];
    uint16_t state = b->explored.nodes[node].state;
    struct assay_reaction r = {0};
    uint32_t n = 0;
    while (!r.stepped && ++n < input->bytes.n)
        r = assay_react(&b->explored, node, (struct assay_blob){input->bytes.p, n}, ASSAY_EV_CONNECT);
    if (!r.stepped || r.event != ASSAY_EV_OVERSIZE || (r.out_size == 0 && r.told == 0 && !r.ended))
        return;
    assay_build_begin(b, assay_build_state_name(b, state), assay_build_event_name(b, r.event), "%s-%s-header-only",
                      b->model->messages[input->message].name, input->label);
    assay_build_path(b, 0, node);
    if ((b->arrives || r.out_size == 0) && n > 1) { /* nothing before its time: what is said then may be an end alone */
        assay_build_send(b, 0, (struct assay_blob){input->bytes.p, n - 1}, 0);
        assay_build_step(b, 0, ASSAY_STEP_QUIET);
        assay_build_send(b, 0, (struct assay_blob){input->bytes.p + n - 1, 1}, 0);
    } else {
        assay_build_send(b, 0, (struct assay_blob){input->bytes.p, n}, 0);
    }
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, r.rule, ASSAY_CASE_LOCAL, "%s in state %s: known after %u bytes",
                       assay_build_event_name(b, r.event), assay_build_state_name(b, state), (unsigned)n);
}

/* A frame without content is none: nothing is said to it. */
static void blank_case(struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    uint16_t state = b->explored.nodes[node].state;
    size_t next = assay_build_friendly(b, node);
    if (r->stepped || r->partial || r->ended || next == SIZE_MAX)
        return;
    assay_build_begin(b, assay_build_state_name(b, state), "nothing", "%s", b->inputs.items[i].label);
    b->current.field_req = b->inputs.items[i].req;
    assay_build_path(b, 0, node);
    assay_build_send(b, 0, b->inputs.items[i].bytes, 0);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_build_input(b, 0, next);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, assay_reaction(&b->explored, node, next)->rule, ASSAY_CASE_LOCAL, "nothing in state %s: %s",
                       assay_build_state_name(b, state), b->inputs.items[i].label);
}

static void generate_blanks(struct assay_builder *b, uint32_t node)
{
    for (size_t i = 0; i < b->inputs.count && b->frame->blank; i++)
        if (b->inputs.items[i].kind != ASSAY_INPUT_CALL &&
            (strncmp(b->inputs.items[i].label, "content-empty", 13) == 0 ||
             strncmp(b->inputs.items[i].label, "content-blank", 13) == 0))
            blank_case(b, node, i);
}

static void generate_headers(struct assay_builder *b, uint32_t node)
{
    unsigned found = 0;
    for (size_t i = 0; i < b->inputs.count && found < RAW_PER_CELL && !b->segments; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (!r->stepped || r->event != ASSAY_EV_OVERSIZE || !strstr(b->inputs.items[i].label, "one-too-large"))
            continue;
        header_case(b, node, i);
        found++;
    }
}

static void generate_node(struct assay_builder *b, uint32_t node)
{
    struct cells cells = {0};
    const char *suffix = "";
    uint32_t first = assay_node_of(&b->explored, b->explored.nodes[node].state);
    if (first != node)
        suffix = assay_store_text(b->store, "-at-%u", (unsigned)(node - first + 1));
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        bool call = b->inputs.items[i].kind == ASSAY_INPUT_CALL; /* these go through to their end elsewhere */
        if (r->stepped && !r->partial && !call && !same_as_first(b, node, i) && worth_it(b, node, i, &cells))
            add_case(b, node, i, suffix);
    }
}

static bool is_witnessed(const struct assay_builder *b, uint16_t rule)
{
    for (uint32_t n = 0; n < b->explored.count; n++)
        for (size_t i = 0; i < b->inputs.count; i++)
            if (assay_reaction(&b->explored, n, i)->rule == rule)
                return true;
    return false;
}

static bool lists_rule(const struct assay_model *model, uint32_t state, uint16_t event, uint16_t rule)
{
    uint16_t at = model->transitions[(size_t)state * model->events_count + event];
    for (; at != ASSAY_NONE && model->rule_lists[at] != ASSAY_NONE; at++)
        if (model->rule_lists[at] == rule)
            return true;
    return false;
}

/* Whether some message can have it taken. */
static bool is_for_message(const struct assay_model *model, struct assay_range states, uint16_t rule)
{
    for (uint16_t e = 0; e < model->events_count; e++)
        for (uint32_t s = states.first; s < (uint32_t)states.first + states.count; s++)
            if (model->events[e].kind == ASSAY_EVK_MESSAGE && lists_rule(model, s, e, rule))
                return true;
    return false;
}

/* States and rules that no input reached. */
static void note_unwitnessed(struct assay_builder *b)
{
    const struct assay_model *model = b->model;
    struct assay_range states = model->machines[b->config.machine].states;
    for (uint32_t s = states.first; s < (uint32_t)states.first + states.count; s++)
        if (model->states[s].kind == ASSAY_STATE_PLAIN && assay_node_of(&b->explored, (uint16_t)s) == ASSAY_NODES_MAX)
            assay_build_note(b, "state %s: no input leads there", assay_build_state_name(b, (uint16_t)s));
    for (uint16_t rule = 0; rule < model->rules_count; rule++)
        if (model->rules[rule].machine == b->config.machine && is_for_message(model, states, rule) &&
            !is_witnessed(b, rule))
            assay_build_note(b, "%s:%u: no witness for this rule was found", model->source ? model->source : "spec",
                             (unsigned)model->rules[rule].line);
}

/* What is said on connecting, and nothing but that. */
static void connect_case(struct assay_builder *b)
{
    uint16_t start = b->model->machines[b->config.machine].start;
    uint16_t at = b->model->transitions[(size_t)start * b->model->events_count + ASSAY_EV_CONNECT];
    if (at == ASSAY_NONE || b->explored.nodes[0].depth || b->explored.nodes[0].belief->out.n == 0 ||
        !b->explored.rooted)
        return;
    assay_build_begin(b, assay_build_state_name(b, start), "connect", "nothing-more");
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_build_finish(b, b->model->rule_lists[at], ASSAY_CASE_LOCAL, "what is said on connecting, and nothing more");
}

void assay_generate_rules(struct assay_builder *b)
{
    connect_case(b);
    for (uint32_t node = 0; node < b->explored.count; node++) {
        generate_node(b, node);
        if (node == 0 && !b->explored.rooted)
            continue;
        if (assay_node_of(&b->explored, b->explored.nodes[node].state) == node)
            generate_headers(b, node);
        if (node == 0)
            generate_blanks(b, node);
    }
    note_unwitnessed(b);
}

/* ---- segment mode ------------------------------------------------------ */

static struct assay_reaction react_bare(struct assay_builder *b, size_t input)
{
    return assay_react(&b->explored, 0, b->inputs.items[input].bare, ASSAY_EV_CONNECT);
}

static void segment_case(struct assay_builder *b, size_t i, size_t probe)
{
    const struct assay_input *input = &b->inputs.items[i];
    struct assay_reaction r = react_bare(b, i);
    uint16_t state = b->explored.nodes[0].state;
    if (!r.stepped || r.partial)
        return;
    assay_build_begin(b, assay_build_state_name(b, state), assay_build_event_name(b, r.event), "segment-%s-%s",
                      b->model->messages[input->message].name, input->label);
    assay_build_send(b, 0, input->bare, 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    if (!r.ended) {
        assay_build_send(b, 0, b->inputs.items[probe].bare, 0);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    }
    assay_build_finish(b, r.rule, ASSAY_CASE_LOCAL, "a segment is a message: %s", input->label);
    lean_on(b, b->frame->segment_leniency);
}

void assay_generate_segments(struct assay_builder *b)
{
    struct cells cells = {0};
    size_t probe = assay_build_loop(b, 0);
    if (!b->segments || probe == SIZE_MAX)
        return;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_input *input = &b->inputs.items[i];
        const struct assay_reaction *r = assay_reaction(&b->explored, 0, i);
        if (input->bare.n == 0 || !r->stepped || input->bytes.n > b->frame->max)
            continue;
        if (input->kind == ASSAY_INPUT_EXAMPLE || cell_of(&cells, r, 0)->count++ < PLAIN_PER_CELL)
            segment_case(b, i, probe);
    }
}
