/* Frames and the segments they come in have nothing to do with each other. */
#include <string.h>

#include "conformance/build.h"

#define CUTS_MAX    64
#define MANY_FRAMES 300
#define MANY_BYTES  (1u << 20)

/* A conversation: inputs that lead through the states, each answered. */
struct talk {
    size_t inputs[ASSAY_PATH_MAX + 4];
    uint32_t nodes[ASSAY_PATH_MAX + 4]; /* where each is sent */
    uint32_t count;
    uint32_t last; /* node at the end */
};

static bool all_states_on_path(const struct assay_builder *b, uint32_t node)
{
    for (uint32_t i = 0; i < b->explored.count; i++)
        if (b->explored.nodes[i].depth > b->explored.nodes[node].depth)
            return false;
    return true;
}

/* To the first of the deepest nodes, with one more exchange there. */
static struct talk longest_talk(const struct assay_builder *b)
{
    struct talk t = {0};
    uint32_t deep = 0;
    while (deep + 1 < b->explored.count && !all_states_on_path(b, deep))
        deep++;
    const struct assay_node *n = &b->explored.nodes[deep];
    uint32_t at = 0;
    for (uint32_t i = 0; i < n->depth; i++) {
        t.inputs[t.count] = n->path[i];
        t.nodes[t.count++] = at;
        at = assay_reaction(&b->explored, at, n->path[i])->next;
    }
    size_t input = assay_build_friendly(b, at);
    for (int i = 0; i < 2 && input != SIZE_MAX && at < ASSAY_NODES_MAX; i++) {
        t.inputs[t.count] = input;
        t.nodes[t.count++] = at;
        at = assay_reaction(&b->explored, at, input)->next;
        input = at < ASSAY_NODES_MAX ? assay_build_friendly(b, at) : SIZE_MAX;
    }
    t.last = at < ASSAY_NODES_MAX ? at : deep;
    return t;
}

static uint16_t rule_of(const struct assay_builder *b, const struct talk *t, uint32_t i)
{
    return assay_reaction(&b->explored, t->nodes[i], t->inputs[i])->rule;
}

static const char *state_of(const struct assay_builder *b, uint32_t node)
{
    return assay_build_state_name(b, b->explored.nodes[node].state);
}

static struct assay_blob bytes_of(const struct assay_builder *b, const struct talk *t, uint32_t i)
{
    return b->inputs.items[t->inputs[i]].bytes;
}

static void say(struct assay_builder *b, const struct talk *t, uint32_t i)
{
    assay_build_input(b, 0, t->inputs[i]);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
}

/* One frame in two segments; the rest of the talk as it is. */
static void cut_case(struct assay_builder *b, const struct talk *t, uint32_t which, uint32_t at)
{
    struct assay_blob whole = bytes_of(b, t, which);
    assay_build_begin(b, state_of(b, t->nodes[which]), "framing", "%s-cut-%u",
                      b->model->messages[b->inputs.items[t->inputs[which]].message].name, (unsigned)at);
    assay_build_fix_mode(b, 0, 0);
    for (uint32_t i = 0; i < which; i++)
        say(b, t, i);
    assay_build_send(b, 0, (struct assay_blob){whole.p, at}, ASSAY_STEP_CUT);
    assay_build_send(b, 0, (struct assay_blob){whole.p + at, whole.n - at}, 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    for (uint32_t i = which + 1; i < t->count; i++)
        say(b, t, i);
    assay_build_finish(b, rule_of(b, t, which), ASSAY_CASE_LOCAL,
                       "a frame comes in two segments, the first of %u bytes", (unsigned)at);
}

static void add_cuts(struct assay_builder *b, const struct talk *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        for (uint32_t at = 1; at < bytes_of(b, t, i).n && at <= CUTS_MAX; at++)
            if (i == 0 || t->nodes[i] != t->nodes[i - 1])
                cut_case(b, t, i, at);
}

static void byte_by_byte(struct assay_builder *b, const struct talk *t)
{
    assay_build_begin(b, state_of(b, t->last), "framing", "byte-by-byte");
    assay_build_fix_mode(b, 0, 0);
    for (uint32_t i = 0; i < t->count; i++) {
        struct assay_blob whole = bytes_of(b, t, i);
        for (uint32_t at = 0; at < whole.n; at++)
            assay_build_send(b, 0, (struct assay_blob){whole.p + at, 1}, ASSAY_STEP_CUT);
    }
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, rule_of(b, t, 0), ASSAY_CASE_LOCAL, "every byte comes in a segment of its own");
}

static void pair_case(struct assay_builder *b, const struct talk *t, uint32_t i)
{
    assay_build_begin(b, state_of(b, t->nodes[i]), "framing", "pair-%s-%s",
                      b->model->messages[b->inputs.items[t->inputs[i]].message].name,
                      b->model->messages[b->inputs.items[t->inputs[i + 1]].message].name);
    for (uint32_t k = 0; k < i; k++)
        say(b, t, k);
    assay_build_send(b, 0, assay_build_join(b, bytes_of(b, t, i), bytes_of(b, t, i + 1)), 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    for (uint32_t k = i + 2; k < t->count; k++)
        say(b, t, k);
    assay_build_finish(b, rule_of(b, t, i + 1), ASSAY_CASE_LOCAL, "two frames come in one segment");
}

static void all_at_once(struct assay_builder *b, const struct talk *t)
{
    struct assay_blob all = {0};
    for (uint32_t i = 0; i < t->count; i++)
        all = assay_build_join(b, all, bytes_of(b, t, i));
    assay_build_begin(b, state_of(b, t->last), "framing", "all-at-once");
    assay_build_send(b, 0, all, 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, rule_of(b, t, t->count - 1), ASSAY_CASE_LOCAL, "a whole conversation comes in one segment");
}

/* Frames that end in the middle of others' segments. */
static void overlapping(struct assay_builder *b, uint32_t node)
{
    size_t input = assay_build_loop(b, node);
    if (input == SIZE_MAX || b->inputs.items[input].bytes.n < 2)
        return;
    struct assay_blob one = b->inputs.items[input].bytes;
    struct assay_blob half = {one.p, one.n / 2}, rest = {one.p + one.n / 2, one.n - one.n / 2};
    assay_build_begin(b, state_of(b, node), "framing", "one-and-a-half");
    assay_build_path(b, 0, node);
    assay_build_send(b, 0, assay_build_join(b, one, half), ASSAY_STEP_CUT);
    assay_build_send(b, 0, assay_build_join(b, rest, half), ASSAY_STEP_CUT);
    assay_build_send(b, 0, assay_build_join(b, rest, one), 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, assay_reaction(&b->explored, node, input)->rule, ASSAY_CASE_LOCAL,
                       "segments of one and a half frames");
}

static void hundreds(struct assay_builder *b, uint32_t node)
{
    size_t input = assay_build_loop(b, node);
    if (input == SIZE_MAX)
        return;
    struct assay_blob one = b->inputs.items[input].bytes;
    uint32_t times = MANY_BYTES / one.n < MANY_FRAMES ? MANY_BYTES / one.n : MANY_FRAMES;
    uint8_t *p = assay_store(b->store, (size_t)one.n * times + 1);
    for (uint32_t i = 0; i < times; i++)
        memcpy(p + (size_t)i * one.n, one.p, one.n);
    assay_build_begin(b, state_of(b, node), "framing", "hundreds-at-once");
    assay_build_path(b, 0, node);
    assay_build_send(b, 0, (struct assay_blob){p, one.n * times}, 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, assay_reaction(&b->explored, node, input)->rule, ASSAY_CASE_LOCAL,
                       "%u frames come in one segment", (unsigned)times);
}

/* Where frames without content are ignored, they are no more than a gap between two others. */
static void blank_ones(struct assay_builder *b, uint32_t node)
{
    size_t input = assay_build_loop(b, node);
    if (input == SIZE_MAX || !b->frame->blank || b->frame->end != ASSAY_END_UNTIL)
        return;
    struct assay_blob delim = b->model->blobs[b->model->delims[b->frame->delims].blobs.first];
    struct assay_blob one = b->inputs.items[input].bytes;
    assay_build_begin(b, state_of(b, node), "framing", "blank-ones");
    assay_build_path(b, 0, node);
    assay_build_send(b, 0, assay_build_join(b, delim, one), 0);
    assay_build_send(b, 0, assay_build_join(b, assay_build_join(b, delim, delim), one), 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, assay_reaction(&b->explored, node, input)->rule, ASSAY_CASE_LOCAL,
                       "frames without content around one that has some");
}

/* What comes behind a frame that ends the session is never handled. */
static void behind_the_end(struct assay_builder *b, uint32_t node)
{
    size_t last = assay_build_farewell(b, node), more = assay_build_friendly(b, 0);
    if (last == SIZE_MAX || more == SIZE_MAX)
        return;
    struct assay_blob farewell = b->inputs.items[last].bytes;
    assay_build_begin(b, state_of(b, node), "framing", "behind-the-end");
    assay_build_path(b, 0, node);
    struct assay_blob both = assay_build_join(b, farewell, b->inputs.items[more].bytes);
    both = assay_build_join(b, both, farewell);
    assay_build_send(b, 0, both, 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    assay_build_finish(b, assay_reaction(&b->explored, node, last)->rule, ASSAY_CASE_LOCAL,
                       "frames behind the one that ends the session");
}

void assay_generate_framing(struct assay_builder *b)
{
    struct talk t = longest_talk(b);
    if (t.count && b->inputs.calls == 0) { /* else answers are cut, see generate_calls.c */
        add_cuts(b, &t);
        byte_by_byte(b, &t);
        all_at_once(b, &t);
        for (uint32_t i = 0; i + 1 < t.count; i++)
            pair_case(b, &t, i);
    }
    for (uint32_t node = 0; node < b->explored.count; node++) {
        if (assay_node_of(&b->explored, b->explored.nodes[node].state) != node || b->inputs.calls)
            continue;
        overlapping(b, node);
        hundreds(b, node);
        blank_ones(b, node);
        behind_the_end(b, node);
    }
}
