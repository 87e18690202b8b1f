#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/again.h"
#include "conformance/describe.h"
#include "conformance/equivalence.h"
#include "conformance/ground.h"
#include "core/code.h"

#define PAIRS_MAX     192
#define RANDOM_INPUTS 256
#define RANDOM_SPOILT 16 /* where a sum tells that they are spoilt */
#define CUTS_MAX      12

struct assay_equivalence_base {
    struct assay_oracle_config right;
    const struct assay_inputs *inputs;
    bool observed, datagrams;
    struct assay_stimuli stimuli;
    struct assay_ground *grounds; /* by circumstance; each made when it is wanted first */
    bool *made;
    size_t count;
};

/* A model and its mutant that do not stand alike, and the way there. */
struct parted {
    struct assay_pair pair;
    uint64_t key;
    uint32_t spot;   /* from which they parted, */
    uint32_t parent; /* or the pair before; PAIRS_MAX: none */
    const struct assay_stimulus *by;
};

struct search {
    struct assay_equivalence_base *base;
    struct assay_ground *ground;
    struct assay_belief_world mutant;
    struct assay_lockstep lockstep;
    struct assay_site site;
    struct assay_stimuli own;      /* inputs that are on the mutant's borders alone */
    struct assay_belief **mutants; /* by spot, where it stands as the model does; NULL: not known yet */
    bool *astray;                  /* by spot: it does not on the way there */
    struct parted *parted;
    uint32_t count;
    size_t pairs;
    bool capped;
    struct assay_equivalence_result *result;
};

/* ---- telling ------------------------------------------------------------ */

static void describe_stimulus(struct assay_text *text, const struct assay_model *model, const struct assay_given *g,
                              bool last)
{
    const struct assay_stimulus *s = g->stimulus;
    if (s && s->lapse)
        assay_text_add(text, "(%s) ", s->label);
    else if (s && s->call)
        assay_text_add(text, "call %s (%s)  ", model->calls[s->call->call].name, s->label);
    else if (s && g->cut) {
        assay_text_add(text, "> ");
        assay_show_hex(text, (struct assay_span){s->bytes.p, g->cut}, 24);
        assay_text_add(text, last ? " (%s)" : "  ", s->label);
    }
}

static void describe_way(const struct search *s, struct assay_text *text, uint32_t spot)
{
    const struct assay_model *model = s->ground->world.config.model;
    const struct assay_spot *at = &s->ground->spots[spot];
    if (spot == 0)
        return;
    describe_way(s, text, at->parent);
    struct assay_given given = assay_all_of(&s->ground->stimuli->items[at->input]);
    describe_stimulus(text, model, &given, false);
}

static void describe_pairs(const struct search *s, struct assay_text *text, uint32_t pair, uint32_t spot)
{
    if (pair == PAIRS_MAX) {
        describe_way(s, text, spot);
        return;
    }
    const struct parted *p = &s->parted[pair];
    struct assay_given given = assay_all_of(p->by);
    describe_pairs(s, text, p->parent, p->spot);
    describe_stimulus(text, s->ground->world.config.model, &given, false);
}

static bool found(struct search *s, uint32_t pair, uint32_t spot, const struct assay_given *given)
{
    static const char *const endings[ASSAY_EV_BUILTINS] = {
        [ASSAY_EV_EOF] = " > eof", [ASSAY_EV_RESET] = " > reset", [ASSAY_EV_SHUTDOWN] = " > shutdown"};
    struct assay_text text = {s->result->trace, sizeof s->result->trace, 0};
    const char *ending = endings[given->event];
    assay_text_add(&text, "%s", s->ground->circumstance);
    describe_pairs(s, &text, pair, spot);
    describe_stimulus(&text, s->ground->world.config.model, given, true);
    assay_text_add(&text, "%s", ending ? ending : "");
    s->result->found = ASSAY_DIFFERENT;
    return true;
}

static bool found_apart(struct search *s, const char *when)
{
    s->result->found = ASSAY_DIFFERENT;
    snprintf(s->result->trace, sizeof s->result->trace, "%s", when);
    return true;
}

/* ---- pairs --------------------------------------------------------------- */

static void drop(struct assay_pair *pair)
{
    assay_belief_free(pair->right);
    assay_belief_free(pair->mutant);
}

static struct assay_pair copy_of(struct search *s, const struct assay_belief *right, const struct assay_belief *mutant)
{
    return (struct assay_pair){assay_belief_copy(&s->ground->world, right), assay_belief_copy(&s->mutant, mutant)};
}

/* Both stand alike; timers that are not the next to run out show by and by. */
static bool stand_alike(struct search *s, const struct assay_pair *pair)
{
    return assay_standing(&s->ground->world, pair->right, true, ASSAY_STANDING_START) ==
           assay_standing(&s->mutant, pair->mutant, true, ASSAY_STANDING_START);
}

static bool time_tells(struct search *s, const struct assay_pair *pair)
{
    const struct assay_stimulus while_it_goes_by = {.lapse = ASSAY_LAPSE_CHANGE};
    if (s->site.everywhere || !s->site.events || assay_deadline(pair->right->engine) == ASSAY_NEVER)
        return false; /* the same rules were taken in the same way: they start the same timers */
    struct assay_pair later = copy_of(s, pair->right, pair->mutant);
    bool same = assay_lockstep_give(&s->lockstep, &later, assay_all_of(&while_it_goes_by));
    drop(&later);
    return !same;
}

static bool known(const struct search *s, const struct parted *next)
{
    uint64_t right = assay_place(next->pair.right), mutant = assay_place(next->pair.mutant);
    uint32_t same = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->parted[i].key == next->key)
            return true;
        same += assay_place(s->parted[i].pair.right) == right && assay_place(s->parted[i].pair.mutant) == mutant;
    }
    return same >= ASSAY_SAME_PLACE_MAX;
}

static void keep(struct search *s, struct parted next)
{
    bool over = next.pair.right->ended || (next.pair.right->in.n && next.pair.right->in.n == next.pair.mutant->in.n);
    if (!over) {
        next.key = assay_standing(&s->ground->world, next.pair.right, false, ASSAY_STANDING_START);
        next.key = assay_standing(&s->mutant, next.pair.mutant, false, next.key);
        over = known(s, &next);
    }
    s->capped = s->capped || (!over && s->count == PAIRS_MAX);
    if (over || s->count == PAIRS_MAX)
        drop(&next.pair);
    else
        s->parted[s->count++] = next;
}

/* ---- at one place --------------------------------------------------------- */

/* Where both stand, and how that is told. */
struct stand {
    const struct assay_belief *right, *mutant;
    uint32_t pair, spot;
    bool root;
};

static bool give(struct search *s, const struct stand *at, struct assay_given given, struct assay_pair *next)
{
    *next = copy_of(s, at->right, at->mutant);
    if (assay_lockstep_give(&s->lockstep, next, given))
        return false;
    drop(next);
    return found(s, at->pair, at->spot, &given);
}

static bool ends_differ(struct search *s, const struct stand *at, const struct assay_stimulus *stimulus, uint32_t cut)
{
    static const enum assay_builtin_event events[] = {ASSAY_EV_EOF, ASSAY_EV_RESET, ASSAY_EV_SHUTDOWN};
    for (size_t i = s->base->datagrams ? 2 : 0; i < (cut ? 1 : 3); i++) {
        struct assay_pair next;
        if (at->root && !s->ground->rooted)
            continue; /* there is no link yet */
        if (give(s, at, (struct assay_given){stimulus, cut, events[i]}, &next))
            return true;
        drop(&next);
    }
    return false;
}

/* Streams that end inside a frame. */
static bool cuts_differ(struct search *s, const struct stand *at)
{
    const struct assay_inputs *inputs = s->base->inputs;
    for (size_t i = 0; i < inputs->count && !s->base->datagrams; i++) {
        struct assay_stimulus cut = {.bytes = inputs->items[i].bytes, .label = inputs->items[i].label};
        if (inputs->items[i].kind != ASSAY_INPUT_EXAMPLE)
            continue;
        for (uint32_t n = 1; n < cut.bytes.n && n <= CUTS_MAX; n++)
            if (ends_differ(s, at, &cut, n))
                return true;
    }
    return false;
}

/* A stimulus to both; who does not stand alike behind it is kept. `alike`: those who do; NULL: they are dropped. */
static bool try_one(struct search *s, const struct stand *at, const struct assay_stimulus *stimulus,
                    struct assay_pair *alike)
{
    struct parted next = {.spot = at->spot, .parent = at->pair, .by = stimulus};
    struct assay_given given = assay_all_of(stimulus);
    if (give(s, at, given, &next.pair))
        return true;
    if (!stand_alike(s, &next.pair)) {
        keep(s, next);
        return false;
    }
    if (time_tells(s, &next.pair)) {
        drop(&next.pair);
        return found(s, at->pair, at->spot, &given);
    }
    if (alike)
        *alike = next.pair;
    else
        drop(&next.pair);
    return false;
}

static bool try_all(struct search *s, const struct stand *at, const struct assay_stimuli *stimuli)
{
    for (size_t i = 0; i < stimuli->count; i++)
        if (assay_ground_applies(s->ground, at->right, at->root, &stimuli->items[i]) &&
            try_one(s, at, &stimuli->items[i], NULL))
            return true;
    return false;
}

/* ---- over the ground ------------------------------------------------------- */

static bool touched(const struct search *s, uint32_t spot, size_t input)
{
    const struct assay_edge *edge = assay_edge(s->ground, spot, input);
    return edge->tried && assay_site_touched(&s->site, &edge->met);
}

/* The mutant where it stands as the model does at a spot; NULL: it does not. */
static struct assay_belief *mutant_at(struct search *s, uint32_t spot)
{
    const struct assay_spot *at = &s->ground->spots[spot];
    if (s->mutants[spot] || s->astray[spot] || spot == 0)
        return s->mutants[spot];
    const struct assay_spot *before = &s->ground->spots[at->parent];
    /* what is touched was tried there before: had it come through, it would be known */
    struct assay_belief *from = touched(s, at->parent, at->input) ? NULL : mutant_at(s, at->parent);
    s->astray[spot] = !from;
    if (!from)
        return NULL;
    s->mutants[spot] = assay_belief_copy(&s->mutant, from);
    assay_lockstep_follow(&s->mutant, s->mutants[spot], &s->ground->world, before->right,
                          &s->ground->stimuli->items[at->input]);
    return s->mutants[spot];
}

static bool leads_on(const struct search *s, uint32_t spot, size_t input, uint32_t next)
{
    return next < s->ground->count && next != 0 && s->ground->spots[next].parent == spot &&
           s->ground->spots[next].input == input && !s->mutants[next];
}

static bool try_input(struct search *s, const struct stand *at, size_t input)
{
    struct assay_pair alike = {0};
    uint32_t next = assay_edge(s->ground, at->spot, input)->next;
    if (try_one(s, at, &s->ground->stimuli->items[input], &alike))
        return true;
    if (alike.mutant && leads_on(s, at->spot, input, next)) {
        s->mutants[next] = alike.mutant;
        alike.mutant = NULL;
    }
    drop(&alike);
    return false;
}

static bool try_spot(struct search *s, uint32_t spot)
{
    struct stand at = {s->ground->spots[spot].right, NULL, PAIRS_MAX, spot, spot == 0};
    bool all = s->own.count || !s->base->datagrams || s->site.everywhere;
    for (size_t i = 0; i < s->ground->stimuli->count; i++) {
        if (!all && !touched(s, spot, i))
            continue;
        if (!at.mutant && !(at.mutant = mutant_at(s, spot)))
            return false;
        if (touched(s, spot, i) && try_input(s, &at, i))
            return true;
    }
    if (!all && !(s->site.events & assay_fold(ASSAY_EV_SHUTDOWN)))
        return false;
    at.mutant = mutant_at(s, spot);
    return at.mutant && (try_all(s, &at, &s->own) || ends_differ(s, &at, NULL, 0) || cuts_differ(s, &at));
}

static bool try_parted(struct search *s, uint32_t pair)
{
    const struct parted *p = &s->parted[pair];
    struct stand at = {p->pair.right, p->pair.mutant, pair, p->spot, false};
    return ends_differ(s, &at, NULL, 0) || try_all(s, &at, s->ground->stimuli) || try_all(s, &at, &s->own) ||
           cuts_differ(s, &at);
}

static bool open_mutant(struct search *s)
{
    struct assay_belief_set set = {0};
    if (!assay_beliefs_open(&s->mutant, &set, 0))
        return false;
    while (set.count > 1)
        assay_belief_free(set.items[--set.count]);
    s->mutants[0] = set.items[0];
    return true;
}

static bool starts_otherwise(struct search *s)
{
    struct assay_pair pair = copy_of(s, s->ground->spots[0].right, s->mutants[0]);
    bool same = !s->ground->rooted || assay_lockstep_same(&s->lockstep, &pair, 0);
    drop(&pair);
    return !same && found_apart(s, "on connecting");
}

static bool search_ground(struct search *s)
{
    if (s->ground->count == 0 || !open_mutant(s))
        return false;
    s->capped = s->capped || s->ground->capped;
    if (starts_otherwise(s))
        return true;
    for (uint32_t i = 0; i < s->ground->count; i++)
        if (try_spot(s, i))
            return true;
    for (uint32_t i = 0; i < s->count; i++)
        if (try_parted(s, i))
            return true;
    return false;
}

/* ---- what no input tells ---------------------------------------------------- */

/* Pauses are nobody's input: where the tables say something else about them, so do the clients. */
static bool reconnect_differs(const struct assay_model *m, const struct assay_model *n, uint16_t machine)
{
    const struct assay_reconnect *a = &m->machines[machine].reconnect, *b = &n->machines[machine].reconnect;
    return a->pause != b->pause || a->growth != b->growth || a->most != b->most || a->cap != b->cap;
}

static bool same_code(const struct assay_model *a, uint16_t x, const struct assay_model *b, uint16_t y)
{
    if (x == ASSAY_NONE || y == ASSAY_NONE)
        return x == y;
    uint32_t n = assay_code_end(a, x) - x;
    return n == assay_code_end(b, y) - y && memcmp(a->code + x, b->code + y, n * sizeof *a->code) == 0;
}

/* Nor is what comes twice or in another order. */
/* Whether messages of `reliable` come from one of these roles. */
static bool come_from(const struct assay_model *m, uint8_t roles)
{
    struct assay_range range = m->reliables[0].messages;
    for (uint32_t i = range.first; i < (uint32_t)range.first + range.count; i++)
        if (m->messages[m->reliable_messages[i]].from & roles)
            return true;
    return false;
}

/* What only senders do, or only receivers, tells nothing of a machine that is none. */
static bool reliable_differs(const struct assay_model *m, const struct assay_model *n, uint8_t role)
{
    const struct assay_reliable *a = m->reliables, *b = n->reliables;
    const uint8_t both = ASSAY_CLIENT | ASSAY_SERVER;
    if (!m->reliables_count)
        return false;
    bool sending = a->factor != b->factor || !same_code(m, a->first, n, b->first) || !same_code(m, a->cap, n, b->cap) ||
                   !same_code(m, a->give_up, n, b->give_up);
    bool taking = a->order != b->order || a->duplicate != b->duplicate;
    return a->bits != b->bits || a->window != b->window || m->limits.seal != n->limits.seal ||
           (sending && come_from(m, role)) || (taking && come_from(m, role == both ? both : (uint8_t)(both & ~role)));
}

/* ---- under all circumstances ------------------------------------------------- */

static bool has_byte_variables(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->vars_count; i++)
        if (model->types[model->vars[i].type].kind >= ASSAY_T_BYTES)
            return true;
    return false;
}

/* The usual ones, each effect failing that can, memory that is short. False: that one does not come up; of a client, no
 * judge can bring it about. */
static bool circumstance(struct assay_equivalence_base *base, size_t i, struct assay_circumstance *c, const char **name)
{
    const struct assay_model *model = base->right.model;
    *c = (struct assay_circumstance){0};
    *name = "";
    if (i == 0 || !base->observed)
        return i == 0;
    if (i > model->effects_count) {
        c->memory = ASSAY_SHORT_MEMORY;
        *name = "(no room for variables) ";
        return has_byte_variables(model);
    }
    c->failing = (uint16_t)i;
    *name = assay_store_text(&base->stimuli.store, "(%s fails) ", model->effects[i - 1].name);
    return model->effects[i - 1].fallible;
}

static void end_search(struct search *s)
{
    s->pairs += s->count + s->ground->count;
    for (uint32_t i = 0; i < s->count; i++)
        drop(&s->parted[i].pair);
    for (uint32_t i = 0; i < ASSAY_GROUND_MAX; i++)
        assay_belief_free(s->mutants[i]);
    memset(s->mutants, 0, ASSAY_GROUND_MAX * sizeof *s->mutants);
    memset(s->astray, 0, ASSAY_GROUND_MAX * sizeof *s->astray);
    s->count = 0;
    assay_belief_world_free(&s->mutant);
}

static bool search_in(struct search *s, size_t i, const struct assay_model *mutant)
{
    struct assay_circumstance c;
    const char *name;
    struct assay_equivalence_base *base = s->base;
    if (!circumstance(base, i, &c, &name))
        return false;
    struct assay_oracle_config right = base->right;
    right.circumstance = c;
    struct assay_oracle_config other = right;
    other.model = mutant;
    other.target = true;
    s->ground = &base->grounds[i];
    if (!base->made[i]) {
        base->made[i] = assay_ground_make(s->ground, &right, &base->stimuli, base->observed);
        s->ground->circumstance = name;
    }
    s->lockstep = (struct assay_lockstep){&s->ground->world, &s->mutant, base->observed};
    bool differs = base->made[i] && assay_belief_world_init(&s->mutant, &other) && search_ground(s);
    end_search(s);
    return differs;
}

static void search_all(struct search *s, const struct assay_model *mutant)
{
    const struct assay_model *model = s->base->right.model;
    if (reconnect_differs(model, mutant, s->base->right.machine)) {
        found_apart(s, "when it connects again");
        return;
    }
    if (reliable_differs(model, mutant, model->machines[s->base->right.machine].role)) {
        found_apart(s, "when messages are lost");
        return;
    }
    for (size_t i = 0; i < s->base->count; i++)
        if (search_in(s, i, mutant))
            return;
}

static void conclude(struct search *s)
{
    struct assay_equivalence_result *r = s->result;
    r->pairs = s->pairs;
    r->inputs = s->base->stimuli.count + s->own.count;
    if (r->found == ASSAY_DIFFERENT)
        return;
    r->found = s->capped ? ASSAY_UNDECIDED : ASSAY_EQUAL;
    snprintf(r->trace, sizeof r->trace,
             "%zu pairs of states, %zu inputs at each, at most %d values of variables for a pair%s", r->pairs,
             r->inputs, ASSAY_SAME_PLACE_MAX, s->capped ? ", more pairs beyond the cap" : "");
}

/* Inputs that are made from the mutant and not from the model. */
static void add_own(struct search *s, const struct assay_model *mutant)
{
    const struct assay_oracle_config *right = &s->base->right;
    struct assay_witness_config config = {.model = mutant,
                                          .machine = right->machine,
                                          .options = right->options,
                                          .leniencies = right->leniencies,
                                          .terminal = right->terminal};
    struct assay_inputs inputs = {0};
    const struct assay_stimuli *all = &s->base->stimuli;
    assay_inputs_make(&s->own.store, &config, &inputs);
    s->own.datagrams = s->base->datagrams;
    assay_stimuli_add(&s->own, &inputs, all);
    free(inputs.items);
}

bool assay_equivalence(struct assay_equivalence_base *base, const struct assay_model *mutant,
                       struct assay_equivalence_result *result)
{
    struct search s = {.base = base, .result = result};
    *result = (struct assay_equivalence_result){.found = ASSAY_UNDECIDED};
    s.mutants = calloc(ASSAY_GROUND_MAX, sizeof *s.mutants);
    s.astray = calloc(ASSAY_GROUND_MAX, sizeof *s.astray);
    s.parted = calloc(PAIRS_MAX, sizeof *s.parted);
    bool ok = s.mutants && s.astray && s.parted && assay_site_find(&s.site, base->right.model, mutant);
    if (ok) {
        add_own(&s, mutant);
        search_all(&s, mutant);
        conclude(&s);
    }
    assay_site_free(&s.site);
    assay_stimuli_free(&s.own);
    free(s.mutants);
    free(s.astray);
    free(s.parted);
    return ok;
}

/* ---- the model's own part ------------------------------------------------------ */

static bool has_sum(const struct assay_model *model, uint16_t machine)
{
    struct assay_range fields = model->frames[model->machines[machine].frame_in].fields;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++)
        if (model->fields[i].sum)
            return true;
    return false;
}

struct assay_equivalence_base *assay_equivalence_base(const struct assay_oracle_config *right,
                                                      const struct assay_inputs *inputs, bool observed)
{
    struct assay_equivalence_base *base = calloc(1, sizeof *base);
    const struct assay_model *model = right->model;
    if (!base)
        return NULL;
    base->right = *right;
    base->inputs = inputs;
    base->observed = observed;
    base->datagrams = model->frames[model->machines[right->machine].frame_in].end == ASSAY_END_DATAGRAM;
    base->stimuli.datagrams = base->datagrams;
    base->count = model->effects_count + 2u;
    base->grounds = calloc(base->count, sizeof *base->grounds);
    base->made = calloc(base->count, sizeof *base->made);
    assay_stimuli_add(&base->stimuli, inputs, NULL);
    assay_stimuli_spoil(&base->stimuli, inputs, has_sum(model, right->machine) ? RANDOM_SPOILT : RANDOM_INPUTS,
                        right->seed);
    assay_stimuli_lapse(&base->stimuli);
    if (base->grounds && base->made)
        return base;
    assay_equivalence_base_free(base);
    return NULL;
}

void assay_equivalence_base_free(struct assay_equivalence_base *base)
{
    for (size_t i = 0; base && base->made && i < base->count; i++)
        if (base->made[i])
            assay_ground_free(&base->grounds[i]);
    if (base) {
        assay_stimuli_free(&base->stimuli);
        free(base->grounds);
        free(base->made);
    }
    free(base);
}
