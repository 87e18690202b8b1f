/* Numbers that wrap where the target draws what they begin with: it is made to draw anew until the end is near, and
 * then so many messages follow that they get there. */
#include "conformance/build.h"
#include "conformance/flow.h"
#include "core/code.h"

#define NEAR   512u /* messages until the numbers wrap, at most: the more there are, the fewer rounds it takes */
#define BEYOND 8u   /* messages behind that, at least */
#define GROUP  4u   /* messages that are on their way at once: so many that the wrap is seldom between two groups, */
#define PAIR   2u   /* or that many, where the window is that small */

/* So many messages that each wraps, whatever is left: at most `near` before the first one. */
struct wrap {
    uint32_t node, near, count;
    struct assay_flow_round round; /* empty: numbers are so few that none is needed */
};

/* Numbers begin with something else when the session is another one. */
static bool start_follows_session(const struct assay_builder *b)
{
    const struct assay_model *model = b->model;
    const struct assay_machine *machine = &model->machines[b->config.machine];
    uint16_t start = machine->first_number;
    if (machine->session == ASSAY_NONE || start == ASSAY_NONE)
        return false;
    for (uint32_t i = start; i < assay_code_end(model, start); i++)
        if (assay_ins_op(model->code[i]) == ASSAY_OP_VAR && assay_ins_b(model->code[i]) == machine->session)
            return true;
    return false;
}

/* Nothing is to be done where who opens a session says what its numbers begin with: see generate_lossy.c. */
static bool find_wrap(struct assay_builder *b, const struct assay_flow_place *p, struct wrap *wrap)
{
    uint8_t bits = b->model->reliables[0].bits;
    struct assay_blob opener;
    *wrap = (struct wrap){.node = p->node, .near = NEAR};
    if (bits < 32 && 1u << bits <= NEAR)
        wrap->near = 1u << bits;
    else if (bits > 16 || !start_follows_session(b) || assay_flow_wrap(b, p, &opener) ||
             !assay_flow_round(b, p->node, &wrap->round))
        return false;
    wrap->count = wrap->near + 1 + BEYOND;
    return true;
}

/* ---- cases ------------------------------------------------------------------- */

static uint32_t group_of(const struct assay_builder *b)
{
    uint32_t window = b->model->reliables[0].window;
    return window >= GROUP ? GROUP : window >= PAIR ? PAIR : 1;
}

static void begin(struct assay_builder *b, const struct wrap *wrap, const char *variant, enum assay_stamp_kind kind)
{
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[wrap->node].state), "wrap", "%s", variant);
    assay_build_path(b, 0, wrap->node);
    if (wrap->round.count == 0)
        return;
    uint32_t back = (uint32_t)b->step_count;
    for (size_t i = 0; i < wrap->round.count; i++)
        assay_build_give(b, 0, wrap->round.inputs[i]);
    assay_build_step(b, 0, ASSAY_STEP_REPEAT);
    b->steps[b->step_count - 1].repeat = (struct assay_repeat){
        .kind = (uint8_t)kind, .group = (uint8_t)group_of(b), .near = (uint16_t)wrap->near, .back = back};
}

/* ---- what the target takes ---------------------------------------------------- */

/* Inputs that are taken one behind the other, as many as it takes. */
struct series {
    struct assay_input first;
    const struct assay_value *values; /* of the first; NULL: they are all the same */
    size_t slot;                      /* the one in which they differ, */
    int64_t by;                       /* by so much each */
};

static bool differ_in_one(const struct assay_builder *b, const struct assay_input *x, const struct assay_input *y,
                          struct series *series)
{
    size_t found = 0;
    if (!x->whole || !y->whole || x->known != y->known || x->message != y->message)
        return false;
    for (size_t slot = 0; slot < ASSAY_SLOTS_MAX; slot++) {
        const struct assay_value *v = &x->values[slot], *w = &y->values[slot];
        if (!(x->known >> slot & 1) || slot == b->model->reliables[0].number)
            continue;
        if (assay_value_same(v, w))
            continue;
        *series = (struct series){.first = *x, .values = x->values, .slot = slot};
        if (v->bytes.n || w->bytes.n || __builtin_sub_overflow(w->n, v->n, &series->by))
            return false;
        found++;
    }
    return found == 1;
}

/* False: there are not so many. */
static bool nth(struct assay_builder *b, const struct series *series, uint32_t n, struct assay_input *input)
{
    int64_t more;
    *input = series->first;
    if (!series->values)
        return true;
    struct assay_value *values = assay_store_copy(b->store, series->values, ASSAY_SLOTS_MAX * sizeof *values);
    input->values = values;
    if (__builtin_mul_overflow(series->by, (int64_t)n, &more) ||
        __builtin_add_overflow(values[series->slot].n, more, &values[series->slot].n))
        return false;
    return assay_input_encode(b->store, &b->config, input);
}

/* They are all in `taken`, and with each the target does what it does with the first: what it says of it may be
 * shorter, as its values are, but not by half. */
static bool is_taken(struct assay_builder *b, uint32_t node, const struct series *series, struct assay_input *taken,
                     uint32_t count)
{
    struct assay_belief *at = assay_belief_behind(&b->explored, node, NULL, 0);
    struct assay_reaction first = {0}, r = {0};
    uint32_t n = 0;
    for (; at && n < count; n++) {
        if (!nth(b, series, n, &taken[n]))
            break;
        r = assay_react_on(&b->explored, &at, &taken[n]);
        if (n == 0)
            first = r;
        if (!at || !r.stepped || r.unacknowledged || r.rule != first.rule || r.told < first.told ||
            2 * r.out_size < first.out_size)
            break;
    }
    assay_belief_free(at);
    return n == count;
}

/* From what two inputs that are taken differ in, to all that follow. */
static bool find_series(struct assay_builder *b, const struct assay_flow_place *p, struct assay_input *taken,
                        uint32_t count)
{
    const struct assay_input *first = &b->inputs.items[p->first];
    struct series series = {.first = *first};
    if (is_taken(b, p->node, &series, taken, count))
        return true;
    for (size_t i = 0; i < b->inputs.count; i++)
        if (differ_in_one(b, first, &b->inputs.items[i], &series) && is_taken(b, p->node, &series, taken, count))
            return true;
    return false;
}

static void send(struct assay_builder *b, const struct assay_input *input, int32_t offset)
{
    assay_build_send(b, 0, input->bytes, 0);
    b->steps[b->step_count - 1].stamp = input->stamp;
    b->steps[b->step_count - 1].stamp.offset = offset;
}

static void backwards(struct assay_builder *b, const struct assay_input *taken, uint32_t count)
{
    for (uint32_t i = count; i > 0; i--)
        send(b, &taken[i - 1], (int32_t)i - 1);
    assay_build_await(b, 0);
    for (uint32_t i = 0; i < count; i++)
        send(b, &taken[i], (int32_t)i - (int32_t)count);
    assay_build_await(b, 0);
}

/* Which of them stand at the wrap nobody knows: so each group comes backwards, and each message twice. */
static void taken_case(struct assay_builder *b, const struct assay_flow_place *p, const struct wrap *wrap)
{
    struct assay_input *taken = assay_store(b->store, wrap->count * sizeof *taken);
    uint32_t group = group_of(b);
    if (!find_series(b, p, taken, wrap->count))
        return;
    begin(b, wrap, b->model->messages[taken[0].message].name, ASSAY_STAMP_NUMBER);
    backwards(b, taken, 1);
    for (uint32_t i = 1; i + group <= wrap->count; i += group)
        backwards(b, taken + i, group);
    assay_flow_finish(b, ASSAY_CASE_LOCAL,
                      "numbers that it takes go on behind the last one with 0: messages come twice, and out of order");
}

/* ---- what the target sends ----------------------------------------------------- */

static void acknowledge(struct assay_builder *b, int32_t offset)
{
    assay_build_stamped(b, 0, b->explored.ack, offset);
}

/* Some at once, of which all but one are acknowledged first, then all, and then fewer again, which says nothing. */
static void in_flight(struct assay_builder *b, size_t call, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assay_build_input(b, 0, call);
    assay_build_await(b, 0);
    acknowledge(b, -1);
    acknowledge(b, 0);
    acknowledge(b, -1);
}

static void sent_case(struct assay_builder *b, const struct wrap *wrap)
{
    size_t call = assay_flow_call(b, wrap->node);
    uint32_t group = group_of(b);
    if (call == SIZE_MAX)
        return;
    begin(b, wrap, b->model->calls[b->inputs.items[call].call].name, ASSAY_STAMP_ACK);
    in_flight(b, call, 1);
    for (uint32_t i = 1; i + group <= wrap->count; i += group)
        in_flight(b, call, group);
    assay_build_pause(b, assay_flow_late(b, b->explored.world.pause_first));
    assay_build_step(b, 0, ASSAY_STEP_QUIET);
    assay_flow_finish(b, ASSAY_CASE_LOCAL,
                      "numbers that it sends go on behind the last one with 0, and are acknowledged there");
}

void assay_generate_wrap(struct assay_builder *b)
{
    struct assay_flow_place places[ASSAY_FLOW_PLACES_MAX];
    struct wrap wrap;
    size_t count = b->explored.ack == SIZE_MAX ? 0 : assay_flow_places(b, places);
    for (size_t i = 0; i < count; i++)
        if (find_wrap(b, &places[i], &wrap)) {
            taken_case(b, &places[i], &wrap);
            sent_case(b, &wrap);
        }
}
