/* The tester is a network that loses datagrams: what it sends reliably comes twice, out of order, late, spoilt, and
 * under numbers that wrap; what opens a session says how much may be on its way. */
#include <string.h>

#include "conformance/build.h"
#include "conformance/flow.h"

#define OPENERS_MAX 24
#define LINES       4 /* messages that show what an opener has asked for */
#define FAR         1000u

static void begin(struct assay_builder *b, const struct assay_flow_place *p, const char *variant)
{
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[p->node].state), "lossy", "%s-%s",
                      b->model->messages[b->inputs.items[p->first].message].name, variant);
    assay_build_path(b, 0, p->node);
}

static void finish(struct assay_builder *b, const struct assay_flow_place *p, const char *text)
{
    uint16_t rule = assay_reaction(&b->explored, p->node, p->first)->rule;
    if (b->current.field_req == ASSAY_NONE) /* what is taken, or not, shows in what its rule does */
        b->current.field_req = b->model->rules[rule].req;
    assay_flow_finish(b, ASSAY_CASE_LOCAL, text);
}

/* One message in its turn, and all that comes of it. */
static void turn(struct assay_builder *b, size_t input, bool acknowledged)
{
    assay_build_stamped(b, 0, input, 0);
    assay_build_await(b, 0);
    if (acknowledged)
        assay_build_acknowledge(b, 0);
}

/* ---- twice, late ----------------------------------------------------------- */

static void twice(struct assay_builder *b, const struct assay_flow_place *p)
{
    begin(b, p, "twice");
    turn(b, p->first, true);
    assay_build_stamped(b, 0, p->first, -1);
    assay_build_await(b, 0);
    turn(b, p->other, true);
    finish(b, p, "a message that comes again is acknowledged again, and nothing else");
}

/* The number tells what was taken, not what stands in the message. */
static void twice_otherwise(struct assay_builder *b, const struct assay_flow_place *p)
{
    begin(b, p, "same-number");
    turn(b, p->first, true);
    assay_build_stamped(b, 0, p->other, -1);
    assay_build_await(b, 0);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    turn(b, p->other, true);
    finish(b, p, "what has a number that was taken is not taken");
}

static void late(struct assay_builder *b, const struct assay_flow_place *p)
{
    begin(b, p, "late");
    turn(b, p->first, true);
    turn(b, p->other, true);
    turn(b, p->third, true);
    assay_build_stamped(b, 0, p->other, -3);
    assay_build_await(b, 0);
    turn(b, p->first, true);
    finish(b, p, "a message that was taken long ago comes once more");
}

/* ---- out of order ----------------------------------------------------------- */

static void swapped(struct assay_builder *b, const struct assay_flow_place *p, bool pause)
{
    begin(b, p, pause ? "swapped-slowly" : "swapped");
    assay_build_stamped(b, 0, p->other, 1);
    if (pause) {
        assay_build_await(b, 0);
        assay_build_step(b, 0, ASSAY_STEP_QUIET);
    }
    assay_build_stamped(b, 0, p->first, 0);
    assay_build_await(b, 0);
    assay_build_acknowledge(b, 0);
    turn(b, p->third, true);
    finish(b, p, "the second message comes before the first: both are taken in order");
}

static void backwards(struct assay_builder *b, const struct assay_flow_place *p)
{
    begin(b, p, "backwards");
    assay_build_stamped(b, 0, p->third, 2);
    assay_build_stamped(b, 0, p->other, 1);
    assay_build_stamped(b, 0, p->third, 2);
    assay_build_await(b, 0);
    assay_build_stamped(b, 0, p->first, 0);
    assay_build_await(b, 0);
    assay_build_acknowledge(b, 0);
    finish(b, p, "three messages come backwards, one of them twice");
}

/* Beyond the window, and not taken for one inside of it, however few numbers there are. */
static int32_t far_ahead(const struct assay_builder *b)
{
    const struct assay_reliable *r = &b->model->reliables[0];
    uint64_t far = (uint64_t)r->window + FAR, half = (uint64_t)1 << (r->bits - 1);
    return (int32_t)(far < half ? far : half);
}

/* As many as the window holds are kept; what is further ahead comes again. */
static void ahead(struct assay_builder *b, const struct assay_flow_place *p, int32_t by, const char *variant)
{
    begin(b, p, variant);
    assay_build_stamped(b, 0, p->other, by);
    assay_build_await(b, 0);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    turn(b, p->first, true);
    turn(b, p->third, true);
    finish(b, p, "a message far ahead of its turn");
}

/* ---- spoilt ------------------------------------------------------------------ */

static void spoilt(struct assay_builder *b, const struct assay_flow_place *p, uint32_t at)
{
    begin(b, p, assay_store_text(b->store, "spoilt-%u", (unsigned)at));
    assay_build_stamped(b, 0, p->first, 0);
    b->steps[b->step_count - 1].stamp.spoilt = (uint16_t)(at + 1);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    turn(b, p->first, true);
    assay_build_finish(b, ASSAY_NONE, ASSAY_CASE_LOCAL, "byte %u is spoilt on its way: it changes nothing",
                       (unsigned)at);
    b->all->cases[b->all->count - 1].req = assay_sum_req(b->model, b->explored.world.config.machine);
}

static void spoilt_cases(struct assay_builder *b, const struct assay_flow_place *p)
{
    uint32_t n = b->inputs.items[p->first].bytes.n;
    for (uint32_t at = 0; at < n; at += n / 6 ? n / 6 : 1)
        spoilt(b, p, at);
}

/* ---- wrapping ------------------------------------------------------------------ */

/* Across the end of the numbers, in order, twice, and out of order. */
static void wraps(struct assay_builder *b, const struct assay_flow_place *p)
{
    struct assay_blob opener;
    if (!assay_flow_wrap(b, p, &opener))
        return;
    begin(b, p, "wraps");
    if (!assay_flow_reopen(b, p->node, opener))
        return;
    for (int i = 0; i < 2; i++) {
        turn(b, i ? p->other : p->first, true);
        assay_build_stamped(b, 0, i ? p->other : p->first, -1);
        assay_build_await(b, 0);
    }
    assay_build_stamped(b, 0, p->other, 1);
    assay_build_await(b, 0);
    assay_build_stamped(b, 0, p->third, 0);
    assay_build_await(b, 0);
    assay_build_acknowledge(b, 0);
    turn(b, p->first, true);
    finish(b, p, "numbers go on behind the last one with 0");
    begin(b, p, "swapped-at-the-wrap");
    assay_flow_reopen(b, p->node, opener);
    for (int32_t i = 3; i >= 0; i--)
        assay_build_stamped(b, 0, i % 3 == 0 ? p->first : i % 3 == 1 ? p->other : p->third, i);
    assay_build_await(b, 0);
    assay_build_acknowledge(b, 0);
    turn(b, p->other, true);
    finish(b, p, "four messages come backwards where numbers wrap");
}

/* ---- what openers ask for -------------------------------------------------------- */

static void opened(struct assay_builder *b, const struct assay_flow_place *p, uint32_t before, size_t opener)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, before, opener);
    const size_t lines[LINES] = {p->first, p->other, p->third, p->fourth};
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[before].state), "lossy", "opened-%s",
                      b->inputs.items[opener].label);
    assay_build_path(b, 0, before);
    assay_build_give(b, 0, opener);
    for (size_t i = 0; i < LINES; i++)
        turn(b, lines[i], false);
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    for (size_t i = 0; i < LINES; i++) {
        assay_build_acknowledge(b, 0);
        assay_build_await(b, 0);
    }
    b->current.field_req = b->inputs.items[opener].req;
    assay_build_finish(b, r->rule, ASSAY_CASE_LOCAL, "messages behind %s: as many go out as it allows",
                       b->inputs.items[opener].label);
}

/* In another session, with the messages of the one before. */
static void reopened(struct assay_builder *b, const struct assay_flow_place *p, size_t opener)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, p->node, opener);
    begin(b, p, assay_store_text(b->store, "again-%s", b->inputs.items[opener].label));
    turn(b, p->first, false);
    turn(b, p->other, false);
    assay_build_give(b, 0, opener);
    turn(b, p->third, true);
    assay_build_await(b, 0);
    assay_build_acknowledge(b, 0);
    b->current.field_req = b->inputs.items[opener].req;
    assay_build_finish(b, r->rule, ASSAY_CASE_LOCAL, "it goes on where %s says", b->inputs.items[opener].label);
}

/* An opener of another session than that of another; SIZE_MAX: none leads to the same state. */
static size_t opener_of_another_session(const struct assay_builder *b, const struct assay_flow_place *p, size_t opener)
{
    const struct assay_node *n = &b->explored.nodes[p->node];
    const struct assay_input *x = &b->inputs.items[opener];
    uint16_t slot = b->model->reliables[0].session;
    for (size_t i = 0; slot != ASSAY_NONE && i < b->inputs.count; i++) {
        const struct assay_input *y = &b->inputs.items[i];
        const struct assay_reaction *r = assay_reaction(&b->explored, n->parent, i);
        if (y->message != x->message || !y->whole || !(x->known & y->known & (uint64_t)1 << slot) || !r->stepped ||
            r->ended || r->after != n->state ||
            r->rule != assay_reaction(&b->explored, n->parent, n->path[n->depth - 1])->rule)
            continue;
        if (!assay_value_same(&x->values[slot], &y->values[slot]))
            return i;
    }
    return SIZE_MAX;
}

/* What it asks for holds from then on, whatever the session before it asked for. */
static void renewed(struct assay_builder *b, const struct assay_flow_place *p, size_t opener)
{
    uint32_t before = b->explored.nodes[p->node].parent;
    size_t other = opener_of_another_session(b, p, opener);
    if (other == SIZE_MAX)
        return;
    struct assay_reaction r = assay_react_behind(&b->explored, before, &other, 1, opener);
    if (!r.stepped || r.ended)
        return;
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[p->node].state), "lossy", "renewed-%s",
                      b->inputs.items[opener].label);
    assay_build_path(b, 0, before);
    assay_build_give(b, 0, other);
    assay_build_give(b, 0, opener);
    turn(b, p->first, false);
    turn(b, p->other, true);
    assay_build_await(b, 0);
    assay_build_acknowledge(b, 0);
    b->current.field_req = b->inputs.items[opener].req;
    assay_build_finish(b, r.rule, ASSAY_CASE_LOCAL, "another session, with what %s says",
                       b->inputs.items[opener].label);
}

static void openers(struct assay_builder *b, const struct assay_flow_place *p)
{
    const struct assay_node *n = &b->explored.nodes[p->node];
    unsigned made = 0;
    if (n->depth == 0)
        return;
    const struct assay_input *usual = &b->inputs.items[n->path[n->depth - 1]];
    for (size_t i = 0; i < b->inputs.count && made < OPENERS_MAX; i++) {
        const struct assay_input *input = &b->inputs.items[i];
        const struct assay_reaction *r = assay_reaction(&b->explored, n->parent, i);
        if (input->message != usual->message || !input->whole || !r->stepped || r->ended || r->after != n->state ||
            input->bytes.n > usual->bytes.n + 16)
            continue;
        opened(b, p, n->parent, i);
        made++;
    }
    made = 0;
    for (size_t i = 0; i < b->inputs.count && made < OPENERS_MAX; i++) {
        const struct assay_input *input = &b->inputs.items[i];
        const struct assay_reaction *r = assay_reaction(&b->explored, p->node, i);
        if (input->message != usual->message || !input->whole || !r->stepped || r->ended ||
            input->bytes.n > usual->bytes.n + 16)
            continue;
        reopened(b, p, i);
        renewed(b, p, i);
        made++;
    }
}

/* ---- who sends --------------------------------------------------------------------- */

/* What proves one address proves no other. */
static void forged(struct assay_builder *b, const struct assay_flow_place *p)
{
    const struct assay_node *n = &b->explored.nodes[p->node];
    if (n->depth == 0 || !assay_flow_has_secret(b, n->path[n->depth - 1]))
        return;
    size_t opener = n->path[n->depth - 1];
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[n->parent].state), "lossy", "forged-source");
    assay_build_path(b, 0, n->parent);
    assay_build_input(b, 1, opener);
    b->steps[b->step_count - 1].from = 0;
    assay_build_await(b, 1);
    assay_build_step(b, 1, ASSAY_STEP_QUIET);
    assay_build_give(b, 0, opener);
    assay_build_finish(b, assay_reaction(&b->explored, 0, opener)->rule, ASSAY_CASE_LOCAL,
                       "what the target gave to one address comes from another");
}

/* ---- what others do ------------------------------------------------------------------ */

/* What one link adds comes to the other. */
static void beside_another(struct assay_builder *b, const struct assay_flow_place *p)
{
    begin(b, p, "seen-by-another");
    assay_build_path(b, 1, p->node);
    for (int i = 0; i < 2; i++) {
        assay_build_stamped(b, (uint8_t)i, i ? p->other : p->first, 0);
        for (uint8_t link = 0; link < 2; link++) {
            assay_build_await(b, link);
            assay_build_acknowledge(b, link);
        }
    }
    finish(b, p, "what one sends comes to the other one, too");
    if (b->model->logs_count)
        b->all->cases[b->all->count - 1].req = b->model->logs[0].req;
}

/* What one link has made its own is not another's. */
static void belongs(struct assay_builder *b, const struct assay_flow_place *p)
{
    const struct assay_node *n = &b->explored.nodes[p->node];
    uint16_t rules[8];
    size_t count = 0;
    if (n->depth == 0)
        return;
    uint16_t message = b->inputs.items[n->path[n->depth - 1]].message;
    for (size_t i = 0; i < b->inputs.count && count < 8; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, p->node, i);
        const struct assay_input *input = &b->inputs.items[i];
        bool before = !r->stepped || input->message != message || !input->whole;
        for (size_t k = 0; k < count; k++)
            before = before || rules[k] == r->rule;
        if (before)
            continue;
        rules[count++] = r->rule;
        begin(b, p, assay_store_text(b->store, "beside-%s", input->label));
        assay_build_path(b, 1, n->parent);
        assay_build_give(b, 1, i);
        turn(b, p->first, true);
        b->current.field_req = input->req;
        assay_build_finish(b, r->rule, ASSAY_CASE_LOCAL, "another one sends %s", input->label);
    }
}

/* ---- what changes nothing ------------------------------------------------------------ */

/* How far the way to a node is that of another, which goes on from there. False: not at all. */
static bool on_the_way(const struct assay_builder *b, uint32_t node, uint32_t to)
{
    const struct assay_node *n = &b->explored.nodes[node], *t = &b->explored.nodes[to];
    return n->depth <= t->depth && memcmp(n->path, t->path, n->depth * sizeof *n->path) == 0;
}

static bool changes_nothing(const struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_input *input = &b->inputs.items[i];
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    return input->kind != ASSAY_INPUT_CALL && input->bytes.n < 1024 && r->stepped && !r->ended &&
           r->after == b->explored.nodes[node].state;
}

static void stays(struct assay_builder *b, const struct assay_flow_place *p, uint32_t node, size_t i)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    const struct assay_node *to = &b->explored.nodes[p->node];
    const struct assay_input *input = &b->inputs.items[i];
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), "lossy", "behind-%s-%s",
                      b->model->messages[input->message].name, input->label);
    assay_build_path(b, 0, node);
    assay_build_give(b, 0, i);
    if (r->unacknowledged)
        assay_build_acknowledge(b, 0);
    for (uint32_t k = b->explored.nodes[node].depth; k < to->depth; k++)
        assay_build_give(b, 0, to->path[k]);
    turn(b, p->first, true);
    b->current.field_req = input->req;
    assay_build_finish(b, r->rule, ASSAY_CASE_LOCAL, "all goes on as if there had not been %s", input->label);
}

static void all_that_stays(struct assay_builder *b, const struct assay_flow_place *p)
{
    for (uint32_t node = 0; node < b->explored.count; node++)
        for (size_t i = 0; i < b->inputs.count && on_the_way(b, node, p->node); i++)
            if (assay_build_is_first(b, node, i, changes_nothing))
                stays(b, p, node, i);
}

void assay_generate_lossy(struct assay_builder *b)
{
    struct assay_flow_place places[ASSAY_FLOW_PLACES_MAX];
    size_t count = assay_flow_places(b, places);
    for (size_t i = 0; i < count; i++) {
        const struct assay_flow_place *p = &places[i];
        int32_t window = (int32_t)b->model->reliables[0].window;
        twice(b, p);
        twice_otherwise(b, p);
        late(b, p);
        swapped(b, p, false);
        swapped(b, p, true);
        backwards(b, p);
        if (window > 1)
            ahead(b, p, window - 1, "window-end");
        ahead(b, p, window, "beyond-window");
        ahead(b, p, far_ahead(b), "far-ahead");
        spoilt_cases(b, p);
        wraps(b, p);
        if (i == 0) {
            openers(b, p);
            forged(b, p);
            if (!b->arrives && (b->model->logs_count || b->model->tables_count)) {
                beside_another(b, p);
                belongs(b, p);
            }
            all_that_stays(b, p);
        }
    }
}
