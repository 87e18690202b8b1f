#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/again.h"
#include "conformance/belief.h"
#include "conformance/describe.h"
#include "conformance/equivalence.h"
#include "conformance/records.h"
#include "core/code.h"

#define PAIRS_MAX       48
#define RANDOM_INPUTS   256
#define RANDOM_SPOILT   16    /* where a sum tells that they are spoilt */
#define INPUT_MAX       8192u /* longer ones are tried on a fresh pair only */
#define CUTS_MAX        12
#define MARK_AND_NUMBER 13u    /* bytes */
#define DATAGRAM_MAX    65507u /* what UDP carries */

struct pair {
    struct assay_belief *right, *mutant;
    uint64_t key;
    size_t parent, input;
};

struct stimulus {
    struct assay_blob bytes;
    const char *label;
    const struct assay_input *call; /* instead of bytes; NULL: bytes */
    struct assay_stamp stamp;
};

struct product {
    struct assay_belief_world right, mutant;
    struct pair pairs[PAIRS_MAX];
    size_t count;
    bool capped;
    struct stimulus *stimuli;
    size_t stimulus_count, stimulus_cap;
    struct assay_store store;
    const char *circumstance;
    bool datagrams, observed, summed;
    struct assay_equivalence_result *result;
};

/* ---- what is sent ------------------------------------------------------ */

static void add_stimulus(struct product *p, struct assay_blob bytes, const char *label, struct assay_stamp stamp)
{
    if (p->datagrams && bytes.n > DATAGRAM_MAX)
        return;
    for (size_t i = 0; i < p->stimulus_count; i++)
        if (p->stimuli[i].bytes.n == bytes.n && memcmp(p->stimuli[i].bytes.p, bytes.p, bytes.n) == 0)
            return;
    struct stimulus *s = assay_items_add((void **)&p->stimuli, &p->stimulus_count, &p->stimulus_cap, sizeof *s);
    *s = (struct stimulus){bytes, label, NULL, stamp};
}

static void add_call(struct product *p, const struct assay_input *call)
{
    struct stimulus *s = assay_items_add((void **)&p->stimuli, &p->stimulus_count, &p->stimulus_cap, sizeof *s);
    *s = (struct stimulus){{NULL, 0}, call->label, call, {0}};
}

static void add_inputs(struct product *p, const struct assay_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        if (inputs->items[i].kind == ASSAY_INPUT_CALL) {
            add_call(p, &inputs->items[i]);
            continue;
        }
        add_stimulus(p, inputs->items[i].bytes, inputs->items[i].label, inputs->items[i].stamp);
        if (inputs->items[i].bare.n)
            add_stimulus(p, inputs->items[i].bare, inputs->items[i].label, (struct assay_stamp){0});
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Inputs with one to three bytes changed, seldom one added or lost. */
static void add_random(struct product *p, const struct assay_inputs *inputs, uint64_t seed)
{
    uint64_t state = seed * 2654435761u + 88172645463325252u;
    for (int i = 0; i < (p->summed ? RANDOM_SPOILT : RANDOM_INPUTS) && inputs->count; i++) {
        const struct assay_blob from = inputs->items[next_random(&state) % inputs->count].bytes;
        if (from.n > 256 || from.n == 0)
            continue;
        uint8_t *to = assay_store(&p->store, from.n + 1u);
        memcpy(to, from.p, from.n);
        for (uint64_t k = 1 + next_random(&state) % 3; k > 0; k--)
            to[next_random(&state) % from.n] = (uint8_t)next_random(&state);
        uint32_t n = from.n;
        if (next_random(&state) % 8 == 0)
            to[n++] = (uint8_t)next_random(&state);
        add_stimulus(p, (struct assay_blob){to, n}, "random", (struct assay_stamp){0});
    }
}

/* ---- comparing --------------------------------------------------------- */

/* What an effect leaves for a judge to see, where there are observers. */
static bool leaves_traces(const struct product *p, uint16_t effect)
{
    const struct assay_effect *e = &p->right.config.model->effects[effect];
    bool kept = e->log != ASSAY_NONE || e->table != ASSAY_NONE; /* what it keeps shows on the wire */
    return p->observed && !kept && assay_effect_shows(e);
}

/* To be told to stop once more changes nothing. */
static bool stopped_before(const struct product *p, const struct assay_belief *b, uint32_t at)
{
    const char *verb = p->right.config.model->effects[b->effects[at].effect].verb;
    for (uint32_t i = 0; verb && strcmp(verb, "stop") == 0 && i < at; i++)
        if (b->effects[i].effect == b->effects[at].effect)
            return true;
    return false;
}

static const struct assay_effect_seen *next_trace(const struct product *p, const struct assay_belief *b, uint32_t *at)
{
    while (*at < b->effect_count && (!leaves_traces(p, b->effects[*at].effect) || stopped_before(p, b, *at)))
        (*at)++;
    return *at < b->effect_count ? &b->effects[(*at)++] : NULL;
}

static bool same_effects(const struct product *p, const struct assay_belief *x, const struct assay_belief *y)
{
    uint32_t i = 0, k = 0;
    for (;;) {
        const struct assay_effect_seen *a = next_trace(p, x, &i), *b = next_trace(p, y, &k);
        if (!a || !b)
            return !a && !b;
        if (a->effect != b->effect || a->size != b->size ||
            (a->size && memcmp(x->effects_bytes.p + a->at, y->effects_bytes.p + b->at, a->size) != 0))
            return false;
    }
}

static bool same_tale(const struct assay_belief *right, const struct assay_belief *mutant)
{
    uint32_t whole;
    return assay_tale_agrees(&right->tale, &mutant->tale, &whole) && whole == right->tale.count;
}

/* The right model's belief is an oracle for what the mutant sent. */
static bool same_output(struct assay_belief_world *world, struct assay_belief *right, const struct assay_belief *mutant)
{
    if (!world->datagrams)
        return assay_belief_matches(world, right, (struct assay_span){mutant->out.p, mutant->out.n});
    for (uint32_t i = right->chunk; i < mutant->chunk_count; i++) {
        const struct assay_chunk *c = &mutant->chunks[i];
        if (!assay_belief_matches(world, right, (struct assay_span){mutant->out.p, c->at + c->size}))
            return false;
    }
    return true;
}

static bool same_so_far(struct product *p, struct assay_belief *right, const struct assay_belief *mutant)
{
    if (!same_output(&p->right, right, mutant))
        return false;
    if (!assay_belief_satisfied(right) || right->ended != mutant->ended)
        return false;
    if (right->ended && right->how != mutant->how)
        return false;
    if (!same_effects(p, right, mutant) || !same_tale(right, mutant) ||
        (right->finished != mutant->finished && assay_reconnects(p->right.config.model, p->right.config.machine)))
        return false;
    return right->ended || assay_deadline(right->engine) == assay_deadline(mutant->engine);
}

static void feed(struct assay_belief_world *world, struct assay_belief *b, const struct stimulus *s,
                 struct assay_blob bytes, enum assay_builtin_event event)
{
    struct assay_belief_set set = {.items = {b}, .count = 1};
    if (s && s->call && !b->calling && !b->ended) {
        struct assay_belief_call call = {s->call->call, s->call->args, s->call->spans};
        assay_beliefs_call(world, &set, 0, &call);
    }
    if (bytes.n)
        assay_beliefs_feed(world, &set, 0, (struct assay_span){bytes.p, bytes.n});
    if (event != ASSAY_EV_CONNECT && !b->ended)
        assay_beliefs_signal(world, &set, 0, event);
    while (set.count > 1)
        assay_belief_free(set.items[--set.count]);
}

static void describe_trace(struct product *p, size_t pair, const struct stimulus *last, uint32_t cut, const char *end)
{
    size_t path[PAIRS_MAX], n = 0;
    struct assay_text text = {p->result->trace, sizeof p->result->trace, 0};
    assay_text_add(&text, "%s", p->circumstance);
    for (size_t i = pair; i && n < PAIRS_MAX; i = p->pairs[i].parent)
        path[n++] = p->pairs[i].input;
    while (n--) {
        const struct stimulus *s = &p->stimuli[path[n]];
        if (s->call)
            assay_text_add(&text, "call %s (%s)  ", p->right.config.model->calls[s->call->call].name, s->label);
        if (s->call)
            continue;
        assay_text_add(&text, "> ");
        assay_show_hex(&text, (struct assay_span){s->bytes.p, s->bytes.n}, 24);
        assay_text_add(&text, "  ");
    }
    if (last && last->call)
        assay_text_add(&text, "call %s (%s)", p->right.config.model->calls[last->call->call].name, last->label);
    if (cut) {
        assay_text_add(&text, "> ");
        assay_show_hex(&text, (struct assay_span){last->bytes.p, cut}, 24);
        assay_text_add(&text, " (%s)", last->label);
    }
    assay_text_add(&text, "%s", end);
}

static const char *const ending_names[ASSAY_EV_BUILTINS] = {[ASSAY_EV_CONNECT] = "",
                                                            [ASSAY_EV_EOF] = " > eof",
                                                            [ASSAY_EV_RESET] = " > reset",
                                                            [ASSAY_EV_SHUTDOWN] = " > shutdown"};

/* Both with the same input; true: they differ. The copies are kept in *next unless they ended. */
static bool differ(struct product *p, size_t pair, const struct stimulus *s, uint32_t cut,
                   enum assay_builtin_event event, struct pair *next)
{
    struct assay_blob bytes = {s ? s->bytes.p : NULL, cut};
    next->right = assay_belief_copy(&p->right, p->pairs[pair].right);
    next->mutant = assay_belief_copy(&p->mutant, p->pairs[pair].mutant);
    assay_beliefs_fix(&(struct assay_belief_set){.items = {next->right}, .count = 1}, next->mutant->out.n);
    struct assay_bytes_buf stamped = {0};
    if (s && bytes.n == s->bytes.n && bytes.n) {
        assay_buf_add(&stamped, bytes.p, bytes.n);
        assay_belief_stamp(&p->right, next->right, s->stamp, &stamped);
        bytes = (struct assay_blob){stamped.p, stamped.n};
    }
    feed(&p->right, next->right, s, bytes, event);
    feed(&p->mutant, next->mutant, s, bytes, event);
    free(stamped.p);
    /* who has reset the connection sees nothing any more but what was done */
    bool same = event == ASSAY_EV_RESET ? same_effects(p, next->right, next->mutant)
                                        : same_so_far(p, next->right, next->mutant);
    if (same)
        return false;
    p->result->found = ASSAY_DIFFERENT;
    describe_trace(p, pair, s, cut, ending_names[event]);
    return true;
}

static void drop(struct pair *pair)
{
    assay_belief_free(pair->right);
    assay_belief_free(pair->mutant);
}

/* ---- exploring --------------------------------------------------------- */

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    return h;
}

/* Which placeholder it is makes no difference. */
static uint64_t mix_value(uint64_t h, struct assay_span s)
{
    h = mix(h, &s.n, sizeof s.n);
    for (uint32_t at = 0; at < s.n;) {
        uint32_t mark = assay_mark_find(s, at);
        h = mix(h, s.p + at, mark - at);
        at = mark + MARK_AND_NUMBER;
    }
    return h;
}

static uint64_t key_of(const struct assay_belief_world *world, const struct assay_belief *b, uint64_t h)
{
    bool marks = b->marks > 0;
    const struct assay_model *model = world->config.model;
    struct assay_range vars = model->machines[world->config.machine].vars;
    uint16_t state = assay_state(b->engine, b->sid), wait, call = assay_running(b->engine, b->sid, &wait);
    h = mix(h, &state, sizeof state);
    h = mix(h, &b->in.n, sizeof b->in.n);
    h = mix(h, &marks, sizeof marks);
    h = mix(mix(h, &wait, sizeof wait), &call, sizeof call);
    for (uint32_t i = vars.first; i < (uint32_t)vars.first + vars.count; i++) {
        assay_val v = 0;
        struct assay_span s = {0};
        assay_var(b->engine, b->sid, (uint16_t)i, &v, &s);
        bool bytes = model->types[model->vars[i].type].kind >= ASSAY_T_BYTES;
        h = bytes ? mix_value(h, s) : mix(h, &v, sizeof v);
    }
    return h;
}

/* Bytes of variables make the product infinite; values that no rule looks at are told apart up to this many. */
#define SAME_STATES_MAX 6

/* Where a side stands, but for its variables. */
static uint64_t place_of(const struct assay_belief *b)
{
    uint16_t wait, state = assay_state(b->engine, b->sid);
    assay_running(b->engine, b->sid, &wait);
    return (uint64_t)wait << 16 | state;
}

static bool known(const struct product *p, const struct pair *pair)
{
    size_t same = 0;
    uint64_t right = place_of(pair->right), mutant = place_of(pair->mutant);
    for (size_t i = 0; i < p->count; i++) {
        if (p->pairs[i].key == pair->key)
            return true;
        same += place_of(p->pairs[i].right) == right && place_of(p->pairs[i].mutant) == mutant;
    }
    return same >= SAME_STATES_MAX;
}

static void keep(struct product *p, struct pair next, size_t parent, size_t input)
{
    bool over = next.right->ended || (next.right->in.n && next.right->in.n == next.mutant->in.n);
    if (!over) {
        next.key = key_of(&p->mutant, next.mutant, key_of(&p->right, next.right, 0xcbf29ce484222325u));
        over = known(p, &next);
    }
    if (!over && p->count == PAIRS_MAX)
        p->capped = true;
    if (over || p->count == PAIRS_MAX) {
        drop(&next);
        return;
    }
    next.parent = parent;
    next.input = input;
    p->pairs[p->count++] = next;
}

static bool ends_differ(struct product *p, size_t pair, const struct stimulus *s, uint32_t cut)
{
    static const enum assay_builtin_event events[] = {ASSAY_EV_EOF, ASSAY_EV_RESET, ASSAY_EV_SHUTDOWN};
    for (size_t i = p->datagrams ? 2 : 0; i < (cut ? 1 : 3); i++) {
        struct pair next;
        bool found = differ(p, pair, s, cut, events[i], &next);
        drop(&next);
        if (found)
            return true;
    }
    return false;
}

static bool expand(struct product *p, size_t pair)
{
    if (ends_differ(p, pair, NULL, 0))
        return true;
    for (size_t i = 0; i < p->stimulus_count; i++) {
        const struct stimulus *s = &p->stimuli[i];
        struct pair next;
        if (pair == 0 && !s->call && p->datagrams && p->right.client)
            continue; /* there is no link yet to send it on */
        if (s->bytes.n > INPUT_MAX && p->pairs[pair].right->out.n > 64)
            continue;
        if (differ(p, pair, s, s->bytes.n, ASSAY_EV_CONNECT, &next)) {
            drop(&next);
            return true;
        }
        keep(p, next, pair, i);
    }
    return false;
}

/* Streams that end inside a frame: only for the first inputs of each length, on each pair. */
static bool cuts_differ(struct product *p, size_t pair, const struct assay_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        struct stimulus s = {inputs->items[i].bytes, inputs->items[i].label, NULL, {0}};
        if (inputs->items[i].kind != ASSAY_INPUT_EXAMPLE || p->datagrams)
            continue;
        for (uint32_t cut = 1; cut < s.bytes.n && cut <= CUTS_MAX; cut++)
            if (ends_differ(p, pair, &s, cut))
                return true;
    }
    return false;
}

/* Pauses are nobody's input: where the tables say something else about them, so do the clients. */
static bool reconnect_differs(struct product *p)
{
    const struct assay_config *x = &p->right.config, *y = &p->mutant.config;
    const struct assay_reconnect *a = &x->model->machines[x->machine].reconnect;
    const struct assay_reconnect *b = &y->model->machines[y->machine].reconnect;
    if (a->pause == b->pause && a->growth == b->growth && a->most == b->most && a->cap == b->cap)
        return false;
    p->result->found = ASSAY_DIFFERENT;
    snprintf(p->result->trace, sizeof p->result->trace, "when it connects again");
    return true;
}

static bool same_code(const struct assay_model *a, uint16_t x, const struct assay_model *b, uint16_t y)
{
    if (x == ASSAY_NONE || y == ASSAY_NONE)
        return x == y;
    uint32_t n = assay_code_end(a, x) - x;
    return n == assay_code_end(b, y) - y && memcmp(a->code + x, b->code + y, n * sizeof *a->code) == 0;
}

/* Nor is time that goes by, nor what comes twice or in another order. */
static bool reliable_differs(struct product *p)
{
    const struct assay_model *m = p->right.config.model, *n = p->mutant.config.model;
    const struct assay_reliable *a = p->right.reliable, *b = p->mutant.reliable;
    if (!a || !b)
        return false;
    if (a->bits == b->bits && a->order == b->order && a->duplicate == b->duplicate && a->window == b->window &&
        a->factor == b->factor && same_code(m, a->first, n, b->first) && same_code(m, a->cap, n, b->cap) &&
        same_code(m, a->give_up, n, b->give_up) && m->limits.seal == n->limits.seal)
        return false;
    p->result->found = ASSAY_DIFFERENT;
    snprintf(p->result->trace, sizeof p->result->trace, "when messages are lost");
    return true;
}

static bool open_pair(struct product *p)
{
    struct assay_belief_set right = {0}, mutant = {0};
    if (!assay_beliefs_open(&p->right, &right, 0) || !assay_beliefs_open(&p->mutant, &mutant, 0))
        return false;
    struct pair first = {.right = right.items[0], .mutant = mutant.items[0]};
    p->pairs[p->count++] = first;
    return true;
}

static bool search(struct product *p, const struct assay_inputs *inputs)
{
    if (!same_so_far(p, p->pairs[0].right, p->pairs[0].mutant)) {
        p->result->found = ASSAY_DIFFERENT;
        snprintf(p->result->trace, sizeof p->result->trace, "on connecting");
        return true;
    }
    if (reconnect_differs(p) || reliable_differs(p))
        return true;
    for (size_t i = 0; i < p->count; i++)
        if (!p->pairs[i].right->ended && (expand(p, i) || cuts_differ(p, i, inputs)))
            return true;
    return false;
}

/* ---- under all circumstances ------------------------------------------- */

static void forget_pairs(struct product *p)
{
    for (size_t i = 0; i < p->count; i++)
        drop(&p->pairs[i]);
    p->count = 0;
}

static bool has_byte_variables(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->vars_count; i++)
        if (model->types[model->vars[i].type].kind >= ASSAY_T_BYTES)
            return true;
    return false;
}

static bool search_in(struct product *p, struct assay_oracle_config right, struct assay_oracle_config mutant,
                      const struct assay_inputs *inputs, struct assay_circumstance circumstance, const char *name)
{
    bool found = false;
    p->circumstance = name;
    right.circumstance = mutant.circumstance = circumstance;
    if (assay_belief_world_init(&p->right, &right) && assay_belief_world_init(&p->mutant, &mutant) && open_pair(p))
        found = search(p, inputs);
    p->result->pairs += p->count;
    forget_pairs(p);
    assay_belief_world_free(&p->right);
    assay_belief_world_free(&p->mutant);
    return found;
}

static bool search_all(struct product *p, const struct assay_oracle_config *right,
                       const struct assay_oracle_config *mutant, const struct assay_inputs *inputs)
{
    const struct assay_model *model = right->model;
    struct assay_circumstance usual = {0}, short_of_memory = {.memory = ASSAY_SHORT_MEMORY};
    bool found = search_in(p, *right, *mutant, inputs, usual, "");
    for (uint16_t i = 0; i < model->effects_count && !found; i++) {
        struct assay_circumstance failing = {.failing = (uint16_t)(i + 1)};
        const char *name = assay_store_text(&p->store, "(%s fails) ", model->effects[i].name);
        if (model->effects[i].fallible)
            found = search_in(p, *right, *mutant, inputs, failing, name);
    }
    if (!found && has_byte_variables(model))
        found = search_in(p, *right, *mutant, inputs, short_of_memory, "(no room for variables) ");
    return found;
}

static void conclude(struct product *p)
{
    p->result->inputs = p->stimulus_count;
    if (p->result->found == ASSAY_DIFFERENT)
        return;
    p->result->found = p->capped ? ASSAY_UNDECIDED : ASSAY_EQUAL;
    snprintf(p->result->trace, sizeof p->result->trace,
             "%zu pairs of states, %zu inputs at each, at most %d values of variables for a pair%s", p->result->pairs,
             p->stimulus_count, SAME_STATES_MAX, p->capped ? ", more pairs beyond the cap" : "");
}

static bool is_datagram(const struct assay_oracle_config *right)
{
    const struct assay_machine *machine = &right->model->machines[right->machine];
    return right->model->frames[machine->frame_in].end == ASSAY_END_DATAGRAM;
}

static bool has_sum(const struct assay_model *model, uint16_t machine)
{
    struct assay_range fields = model->frames[model->machines[machine].frame_in].fields;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++)
        if (model->fields[i].sum)
            return true;
    return false;
}

bool assay_equivalence(const struct assay_oracle_config *right, const struct assay_inputs *right_inputs,
                       const struct assay_model *mutant, bool observed, struct assay_equivalence_result *result)
{
    struct product *p = calloc(1, sizeof *p);
    struct assay_oracle_config other = *right;
    struct assay_witness_config config = {.model = mutant,
                                          .machine = right->machine,
                                          .options = right->options,
                                          .leniencies = right->leniencies,
                                          .terminal = right->terminal};
    struct assay_inputs own = {0};
    if (!p)
        return false;
    other.model = mutant;
    *result = (struct assay_equivalence_result){.found = ASSAY_UNDECIDED};
    p->result = result;
    p->datagrams = is_datagram(right);
    p->observed = observed;
    p->summed = has_sum(right->model, right->machine);
    add_inputs(p, right_inputs);
    assay_inputs_make(&p->store, &config, &own);
    add_inputs(p, &own);
    add_random(p, right_inputs, right->seed);
    search_all(p, right, &other, right_inputs);
    conclude(p);
    free(own.items);
    free(p->stimuli);
    assay_store_free(&p->store);
    free(p);
    return true;
}
