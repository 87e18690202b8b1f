#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/again.h"
#include "conformance/belief.h"
#include "conformance/describe.h"
#include "conformance/oracle.h"
#include "conformance/records.h"
#include "conformance/side.h"

/* How a link stood when the last belief about it was given up. */
struct last_words {
    bool set;
    bool other; /* it is about no rule, but this requirement: */
    uint16_t req;
    uint16_t rule, state, event;
    assay_time due; /* a timer might have fired then */
    char expected[1024], seen[1024];
};

enum seen_end { SEEN_OPEN, SEEN_FIN, SEEN_RST, SEEN_NOTHING };

struct link {
    struct assay_belief_set beliefs;
    struct assay_bytes_buf seen;
    enum seen_end end;
    bool connected, reset; /* reset: by the tester, what comes then does not matter */
    bool gone;             /* with the target, which has started again since */
    struct last_words words;
    struct assay_tale told;         /* what the application above was seen to be told */
    struct assay_belief_call first; /* a call that makes this link was told before it is there */
    bool has_first;
    bool over; /* seen, between these: */
    int64_t over_from, over_by;
    uint32_t grown, refused; /* of the pause before it: how often it had grown, and tries that were refused */
};

struct gate_moment {
    int64_t at;
    bool refuse;
};

struct assay_oracle {
    struct gate_moment gate; /* when connections began to be refused, or to be taken again, last; at 0: never */
    struct assay_belief_world world;
    struct assay_bytes_buf effect, filled;
    struct assay_records records;
    uint8_t link_count;
    struct link links[];
};

struct assay_oracle *assay_oracle_new(const struct assay_oracle_config *config, uint8_t links)
{
    struct assay_oracle *o = calloc(1, sizeof *o + links * sizeof o->links[0]);
    if (!o)
        return NULL;
    o->link_count = links;
    if (!assay_belief_world_init(&o->world, config)) {
        assay_oracle_free(o);
        return NULL;
    }
    for (uint8_t i = 0; i < links; i++)
        o->links[i].beliefs.link = i;
    return o;
}

void assay_oracle_free(struct assay_oracle *o)
{
    if (!o)
        return;
    for (uint8_t i = 0; i < o->link_count; i++) {
        assay_beliefs_clear(&o->links[i].beliefs);
        free(o->links[i].seen.p);
        assay_tale_free(&o->links[i].told);
    }
    free(o->effect.p);
    free(o->filled.p);
    assay_records_free(&o->records);
    assay_belief_world_free(&o->world);
    free(o);
}

/* ---- connecting again -------------------------------------------------- */

/* How the pause behind a link stands, and when that link ended: between what its beliefs say. */
static struct assay_tries tries_after(struct assay_oracle *o, uint8_t link)
{
    const struct link *l = &o->links[link];
    const struct assay_config *config = &o->world.config;
    struct assay_tries t = {.reconnect = &config->model->machines[config->machine].reconnect,
                            .lens = &o->world.lens,
                            .lo = ASSAY_NEVER,
                            .hi = INT64_MIN};
    bool heard = false;
    for (size_t i = 0; i < l->beliefs.count; i++) {
        const struct assay_belief *b = l->beliefs.items[i];
        heard = heard || b->heard;
        if (!b->ended || b->finished)
            continue;
        t.lo = b->ended_at < t.lo ? b->ended_at : t.lo;
        t.hi = b->ended_at > t.hi ? b->ended_at : t.hi;
    }
    if (l->over && t.hi > INT64_MIN) {
        t.lo = l->over_from;
        t.hi = l->over_by;
    }
    if (!heard && link > 0)
        t.grown = l->grown + 1;
    return t;
}

/* How many tries were refused before a link came to be. */
static void count_tries(struct assay_oracle *o, uint8_t link, int64_t now)
{
    struct link *l = &o->links[link];
    if (!assay_reconnects(o->world.config.model, o->world.config.machine) || !o->links[link - 1].connected)
        return;
    struct assay_tries t = tries_after(o, (uint8_t)(link - 1));
    int64_t earliest, latest = INT64_MIN;
    l->grown = t.grown;
    for (uint32_t i = 0; latest < now && t.hi > INT64_MIN && assay_tries_next(&t, &earliest, &latest); i++) {
        l->refused = i;
        l->grown = t.grown - 1;
    }
}

void assay_oracle_over(struct assay_oracle *o, uint8_t link, int64_t from, int64_t by)
{
    struct link *l = &o->links[link];
    l->over = true;
    l->over_from = from;
    l->over_by = by;
}

void assay_oracle_refuse(struct assay_oracle *o, int64_t now, bool refuse)
{
    o->gate = (struct gate_moment){now, refuse};
}

/* The first try that may meet an open gate, and the first that must. */
static void when_again(const struct assay_oracle *o, struct assay_tries *t, struct assay_again *again)
{
    int64_t welcome = o->gate.at, lo, hi;
    if (o->gate.refuse)
        return;
    while (again->latest == ASSAY_NEVER && assay_tries_next(t, &lo, &hi)) {
        if (hi < welcome)
            continue;
        if (again->earliest == ASSAY_NEVER)
            again->earliest = lo > welcome ? lo : welcome;
        if (lo >= welcome)
            again->latest = hi;
    }
}

struct assay_again assay_oracle_again(const struct assay_oracle *o, uint8_t link)
{
    struct assay_oracle *mine = (struct assay_oracle *)(uintptr_t)o; /* evaluating needs its scratch */
    const struct link *l = &o->links[link];
    struct assay_again again = {.must = l->beliefs.count > 0, .earliest = ASSAY_NEVER, .latest = ASSAY_NEVER};
    bool reconnects = assay_reconnects(o->world.config.model, o->world.config.machine);
    for (size_t i = 0; i < l->beliefs.count; i++) {
        const struct assay_belief *b = l->beliefs.items[i];
        bool wants = reconnects && b->ended && !b->finished;
        again.must = again.must && wants;
        again.may = again.may || wants;
        again.finished = again.finished || (b->ended && b->finished);
    }
    if (again.may) {
        struct assay_tries t = tries_after(mine, link);
        when_again(o, &t, &again);
    }
    again.may = again.may && again.earliest != ASSAY_NEVER;
    again.must = again.must && again.latest != ASSAY_NEVER;
    return again;
}

/* ---- what the tester did ----------------------------------------------- */

void assay_oracle_unsure(struct assay_oracle *o, uint8_t link, int64_t ns)
{
    o->links[link].beliefs.unsure = ns;
}

typedef bool agrees(struct assay_oracle *o, struct link *l, struct assay_belief *b);
static struct assay_belief *best_of(const struct assay_belief_set *set);

static void share(struct assay_oracle *o, uint8_t link, int64_t now)
{
    const struct assay_belief *best = best_of(&o->links[link].beliefs);
    for (uint8_t i = 0; best && best->rows.n && !o->links[link].gone && i < o->link_count; i++)
        if (i != link && !o->links[i].gone)
            assay_beliefs_share(&o->world, best, &o->links[i].beliefs, now);
}

static bool agree_told(struct assay_oracle *o, struct link *l, struct assay_belief *b);
static bool keep_which(struct assay_oracle *o, struct link *l, agrees *agree, bool upper);

void assay_oracle_connect(struct assay_oracle *o, uint8_t link, int64_t now)
{
    struct link *l = &o->links[link];
    assay_oracle_time(o, now);
    if (link > 0)
        count_tries(o, link, now);
    l->connected = assay_beliefs_open(&o->world, &l->beliefs, now);
    for (uint8_t i = 0; i < o->link_count; i++)
        share(o, i, now);
    if (l->connected && l->has_first)
        assay_beliefs_call(&o->world, &l->beliefs, now, &l->first);
    if (l->told.count > 0)
        keep_which(o, l, agree_told, true);
}

void assay_oracle_sent(struct assay_oracle *o, uint8_t link, int64_t now, struct assay_span bytes)
{
    struct link *l = &o->links[link];
    assay_oracle_time(o, now);
    assay_beliefs_fix(&l->beliefs, l->seen.n);
    assay_beliefs_feed(&o->world, &l->beliefs, now, bytes);
    share(o, link, now);
}

void assay_oracle_shut(struct assay_oracle *o, uint8_t link, int64_t now)
{
    struct link *l = &o->links[link];
    assay_oracle_time(o, now);
    assay_beliefs_fix(&l->beliefs, l->seen.n);
    assay_beliefs_signal(&o->world, &l->beliefs, now, ASSAY_EV_EOF);
}

void assay_oracle_reset(struct assay_oracle *o, uint8_t link, int64_t now)
{
    assay_oracle_time(o, now);
    assay_beliefs_signal(&o->world, &o->links[link].beliefs, now, ASSAY_EV_RESET);
    o->links[link].reset = true;
}

void assay_oracle_restart(struct assay_oracle *o, uint8_t first, int64_t now)
{
    for (uint8_t i = 0; i < first; i++) {
        const struct assay_belief *best = best_of(&o->links[i].beliefs);
        o->links[i].reset = o->links[i].gone = true;
        for (uint8_t k = first; best && k < o->link_count; k++)
            assay_beliefs_restart(&o->world, &o->links[k].beliefs, best, now);
    }
}

void assay_oracle_call(struct assay_oracle *o, uint8_t link, int64_t now, uint16_t call, const assay_val *values,
                       const struct assay_span *spans)
{
    struct link *l = &o->links[link];
    struct assay_belief_call c = {call, values, spans};
    assay_oracle_time(o, now);
    if (l->connected) {
        assay_beliefs_call(&o->world, &l->beliefs, now, &c);
        return;
    }
    l->first = c;
    l->has_first = true;
}

void assay_oracle_time(struct assay_oracle *o, int64_t now)
{
    for (uint8_t i = 0; i < o->link_count; i++)
        if (!o->links[i].reset)
            assay_beliefs_time(&o->world, &o->links[i].beliefs, now);
    for (uint8_t i = 0; i < o->link_count; i++)
        share(o, i, now);
}

/* ---- in words ---------------------------------------------------------- */

static void describe_chunk(struct assay_belief_world *world, struct assay_text *text, const struct assay_belief *b,
                           const struct assay_chunk *c)
{
    const struct assay_config *config = &world->config;
    struct assay_span sent = {b->out.p + c->at, c->size};
    uint16_t frame = config->model->machines[config->machine].frame_out;
    uint8_t from = assay_target_role(config->model, config->machine);
    if (!c->free) {
        assay_describe_link(text, config->model, config->machine, config->leniencies, true, sent);
        return;
    }
    assay_lens_clear(&world->lens);
    struct assay_frame_found f = assay_frame_find(&world->lens.env, frame, from, sent, 0, false);
    world->lens.env.frame = sent.p;
    struct assay_span content = {sent.p, f.status == ASSAY_FRAME_WHOLE ? f.content : sent.n};
    assay_decode(&world->lens.env, frame, from, content);
    assay_show_message(text, &world->lens.env, c->message, frame, c->free);
}

#define CHUNKS_SHOWN 4u

static void describe_expected(struct assay_belief_world *world, struct assay_text *text, const struct assay_belief *b)
{
    uint32_t i = b->chunk;
    for (; i < b->chunk_count && i < b->chunk + CHUNKS_SHOWN; i++) {
        if (b->chunks[i].seen)
            continue;
        assay_text_add(text, i > b->chunk ? ", " : "");
        describe_chunk(world, text, b, &b->chunks[i]);
    }
    const struct assay_chunk *overdue = assay_copies_overdue(b);
    if (overdue) {
        assay_text_add(text, "%sonce more: ", i > b->chunk ? ", " : "");
        describe_chunk(world, text, b, overdue);
        return;
    }
    if (i < b->chunk_count)
        assay_text_add(text, ", ... (%" PRIu32 " more)", b->chunk_count - i);
    if (b->ended)
        assay_text_add(text, "%s%s", i > b->chunk ? ", then " : "", b->how == ASSAY_END_CLOSE ? "FIN" : "RST");
    else if (i == b->chunk)
        assay_text_add(text, "nothing, and the connection open");
}

static const char *const ends[] = {
    [SEEN_OPEN] = NULL, [SEEN_FIN] = "FIN", [SEEN_RST] = "RST", [SEEN_NOTHING] = "silence, the connection open"};

static void describe_seen(const struct assay_oracle *o, struct assay_text *text, const struct link *l, uint32_t from)
{
    const struct assay_config *config = &o->world.config;
    struct assay_span rest = {l->seen.p + from, l->seen.n - from};
    if (rest.n)
        assay_describe_link(text, config->model, config->machine, config->leniencies, true, rest);
    if (ends[l->end])
        assay_text_add(text, "%s%s", rest.n ? ", then " : "", ends[l->end]);
    else if (!rest.n)
        assay_text_add(text, "nothing");
}

/* What the application should have been told, or was. */
static void describe_tale(const struct assay_oracle *o, struct assay_text *text, const struct assay_tale *tale,
                          uint32_t from)
{
    for (uint32_t i = from; i < tale->count && i < from + CHUNKS_SHOWN; i++) {
        assay_text_add(text, i > from ? ", " : "");
        assay_tale_describe(text, tale, i, o->world.config.model);
    }
    if (from >= tale->count)
        assay_text_add(text, "nothing told to the application");
}

static void take_upper_words(const struct assay_oracle *o, const struct link *l, const struct assay_belief *b,
                             struct last_words *words)
{
    struct assay_text expected = {words->expected, sizeof words->expected, 0};
    struct assay_text seen = {words->seen, sizeof words->seen, 0};
    const struct assay_told *owed = b->told_seen < b->tale.count ? &b->tale.items[b->told_seen] : NULL;
    words->set = true;
    words->rule = owed ? owed->rule : b->last_rule;
    words->event = owed ? owed->event : b->last_event;
    words->state = owed ? owed->state : b->last_state;
    words->expected[0] = words->seen[0] = '\0';
    describe_tale(o, &expected, &b->tale, b->told_seen);
    describe_tale(o, &seen, &l->told, b->told_seen);
}

/* Whether something was seen before, byte for byte. */
static bool is_copy(const struct assay_belief *b, struct assay_span seen)
{
    for (uint32_t i = 0; i < b->chunk_count; i++)
        if (b->chunks[i].size == seen.n && memcmp(b->out.p + b->chunks[i].at, seen.p, seen.n) == 0)
            return true;
    return false;
}

/* What came, or did not, is no rule's: an acknowledgement, a copy, a row of a log. */
static bool is_of_no_rule(struct assay_oracle *o, const struct link *l, const struct assay_belief *b, uint16_t *req)
{
    struct assay_belief_world *world = &o->world;
    const struct assay_model *model = world->config.model;
    struct assay_span rest = {l->seen.p + b->cursor, l->seen.n - b->cursor};
    if (!world->reliable)
        return false;
    *req = world->reliable->req;
    if (assay_copies_overdue(b))
        return true;
    if (b->chunk < b->chunk_count)
        return b->chunks[b->chunk].kind == ASSAY_CHUNK_ACK;
    if (rest.n == 0)
        return false;
    assay_lens_clear(&world->lens);
    world->lens.env.frame = rest.p;
    struct assay_decoded d = assay_decode(&world->lens.env, model->machines[world->config.machine].frame_out,
                                          assay_target_role(model, world->config.machine), rest);
    if (d.message == ASSAY_NONE || (d.message != world->reliable->ack && !world->reliables[d.message]))
        return false;
    if (d.message != world->reliable->ack && !is_copy(b, rest) && model->logs_count &&
        model->logs[0].machine == world->config.machine)
        *req = model->logs[0].req;
    return true;
}

static void take_words(struct assay_oracle *o, struct link *l, const struct assay_belief *b, bool upper,
                       struct last_words *words)
{
    struct assay_text expected = {words->expected, sizeof words->expected, 0};
    struct assay_text seen = {words->seen, sizeof words->seen, 0};
    bool owes = b->chunk < b->chunk_count;
    if (upper) {
        take_upper_words(o, l, b, words);
        return;
    }
    words->set = true;
    words->rule = owes ? b->chunks[b->chunk].rule : b->last_rule;
    words->event = owes ? b->chunks[b->chunk].event : b->last_event;
    words->state = owes ? b->chunks[b->chunk].state : b->last_state;
    words->other = is_of_no_rule(o, l, b, &words->req);
    words->expected[0] = words->seen[0] = '\0';
    describe_expected(&o->world, &expected, b);
    describe_seen(o, &seen, l, b->cursor);
}

/* Which input the next answer of a belief is for. */
static uint32_t wave_of(const struct assay_belief *b)
{
    return b->chunk < b->chunk_count ? b->chunks[b->chunk].wave : b->wave;
}

/* The belief that explains the most of what was seen; of several, one that does not look back at earlier input. */
static struct assay_belief *best_of(const struct assay_belief_set *set)
{
    struct assay_belief *best = NULL;
    for (size_t i = 0; i < set->count; i++) {
        struct assay_belief *b = set->items[i];
        if (!best || b->cursor > best->cursor || (b->cursor == best->cursor && wave_of(b) > wave_of(best)))
            best = b;
    }
    return best;
}

/* ---- what the tester saw ----------------------------------------------- */

static assay_time first_due(const struct assay_belief_set *set)
{
    assay_time first = ASSAY_NEVER;
    for (size_t i = 0; i < set->count; i++) {
        assay_time due = assay_belief_due(set, set->items[i]);
        first = due < first ? due : first;
    }
    return first;
}

bool assay_oracle_hangs_on_time(const struct assay_oracle *o, uint8_t link, int64_t until)
{
    const struct link *l = &o->links[link];
    return l->beliefs.timed || (l->words.set && l->words.due <= until) || first_due(&l->beliefs) <= until;
}

/* Keep the beliefs that agree. The last one that goes leaves its words. */
static bool keep_which(struct assay_oracle *o, struct link *l, agrees *agree, bool upper)
{
    struct assay_belief_set kept = l->beliefs, gone = l->beliefs;
    kept.count = gone.count = 0;
    for (size_t i = 0; i < l->beliefs.count; i++) {
        struct assay_belief *b = l->beliefs.items[i];
        struct assay_belief_set *to = agree(o, l, b) ? &kept : &gone;
        to->items[to->count++] = b;
    }
    struct assay_belief *best = best_of(&gone);
    if (kept.count == 0 && best && !l->words.set) {
        take_words(o, l, best, upper, &l->words);
        l->words.due = first_due(&gone);
    }
    assay_beliefs_clear(&gone);
    l->beliefs = kept;
    return kept.count > 0 || kept.overflow || (l->reset && !upper);
}

static bool keep(struct assay_oracle *o, struct link *l, agrees *agree)
{
    return keep_which(o, l, agree, false);
}

static bool agree_bytes(struct assay_oracle *o, struct link *l, struct assay_belief *b)
{
    return assay_belief_matches(&o->world, b, (struct assay_span){l->seen.p, l->seen.n});
}

static bool agree_fin(struct assay_oracle *o, struct link *l, struct assay_belief *b)
{
    (void)o, (void)l;
    return assay_belief_satisfied(b) && b->ended && b->how == ASSAY_END_CLOSE;
}

/* A client that leaves an exchange it was not through with may leave input unread: then the system resets. */
static bool agree_rst(struct assay_oracle *o, struct link *l, struct assay_belief *b)
{
    (void)l;
    return b->ended && (b->how == ASSAY_END_ABORT || (o->world.client && !b->finished));
}

static bool agree_silence(struct assay_oracle *o, struct link *l, struct assay_belief *b)
{
    (void)o, (void)l;
    return assay_belief_satisfied(b) && !b->ended;
}

bool assay_oracle_received(struct assay_oracle *o, uint8_t link, struct assay_span bytes)
{
    struct link *l = &o->links[link];
    if (l->reset)
        return true;
    assay_buf_add(&l->seen, bytes.p, bytes.n);
    return keep(o, l, agree_bytes);
}

static bool agree_told(struct assay_oracle *o, struct link *l, struct assay_belief *b)
{
    (void)o;
    return assay_tale_agrees(&b->tale, &l->told, &b->told_seen);
}

bool assay_oracle_upper(struct assay_oracle *o, uint8_t link, const struct assay_upper *seen)
{
    struct link *l = &o->links[link];
    if (!assay_tale_add(&l->told, o->world.config.model, seen, o->world.stream))
        return true;
    if (o->world.datagrams && !l->connected) /* the link shows when its first datagram is here, which is behind this */
        return true;
    return keep_which(o, l, agree_told, true);
}

static bool saw_end(struct assay_oracle *o, uint8_t link, enum seen_end end, agrees *agree)
{
    struct link *l = &o->links[link];
    if (l->reset)
        return true;
    l->end = end;
    return keep(o, l, agree);
}

bool assay_oracle_fin(struct assay_oracle *o, uint8_t link)
{
    return saw_end(o, link, SEEN_FIN, agree_fin);
}

bool assay_oracle_rst(struct assay_oracle *o, uint8_t link)
{
    return saw_end(o, link, SEEN_RST, agree_rst);
}

bool assay_oracle_silence(struct assay_oracle *o, uint8_t link)
{
    bool ok = saw_end(o, link, SEEN_NOTHING, agree_silence);
    struct assay_belief_set *left = &o->links[link].beliefs;
    if (ok)
        o->links[link].end = SEEN_OPEN;
    for (size_t i = 0; i < left->count; i++)
        left->items[i]->forked = 0; /* what has not fired by now may still */
    return ok;
}

struct assay_owed assay_oracle_owed(const struct assay_oracle *o, uint8_t link)
{
    const struct link *l = &o->links[link];
    struct assay_owed owed = {.lacking = UINT32_MAX};
    bool over = l->reset || l->end == SEEN_FIN || l->end == SEEN_RST;
    if (!l->connected || (over && !o->world.client && !o->world.terminal))
        return (struct assay_owed){.maybe = true};
    for (size_t i = 0; i < l->beliefs.count; i++) {
        const struct assay_belief *b = l->beliefs.items[i];
        bool told = assay_belief_told_all(b), bytes = !over && !assay_belief_satisfied(b);
        owed.upper = owed.upper || !told;
        owed.bytes = owed.bytes || bytes || (!over && b->tentative);
        owed.end = owed.end || (!over && b->ended);
        owed.maybe = owed.maybe || (told && (over || (!bytes && !b->ended)));
        owed.gone = owed.gone || (told && !bytes && b->ended);
        uint32_t lacking = b->chunk_count - b->chunk;
        owed.lacking = lacking < owed.lacking ? lacking : owed.lacking;
    }
    return owed;
}

struct assay_span assay_oracle_shown(const struct assay_oracle *o, uint8_t link)
{
    const struct assay_belief *b = best_of(&o->links[link].beliefs);
    if (!b || !o->world.terminal || b->tale.count == 0)
        return (struct assay_span){NULL, 0};
    return (struct assay_span){b->tale.bytes.p, b->tale.bytes.n};
}

struct assay_span assay_oracle_fill(struct assay_oracle *o, uint8_t link, uint8_t from, struct assay_stamp stamp,
                                    struct assay_span template, bool *known)
{
    const struct assay_belief *b = best_of(&o->links[link].beliefs), *source = best_of(&o->links[from].beliefs);
    *known = true;
    o->filled.n = 0;
    assay_buf_add(&o->filled, template.p, template.n);
    if (b)
        assay_belief_stamp(&o->world, b, stamp, &o->filled);
    if (source)
        *known = assay_belief_fill(&o->world, source, o->filled.p, o->filled.n);
    return (struct assay_span){o->filled.p, o->filled.n};
}

uint64_t assay_oracle_left(struct assay_oracle *o, uint8_t link, enum assay_stamp_kind kind)
{
    const struct assay_belief *b = best_of(&o->links[link].beliefs);
    return b && o->world.reliable ? assay_belief_left(&o->world, b, kind) : UINT64_MAX;
}

struct assay_span assay_oracle_spoil(struct assay_oracle *o)
{
    assay_marks_spoil(&o->world, o->filled.p, o->filled.n);
    return (struct assay_span){o->filled.p, o->filled.n};
}

/* ---- effects, blame ---------------------------------------------------- */

static struct assay_records *records_of(const struct assay_oracle *o, uint16_t effect)
{
    struct assay_records *records = &((struct assay_oracle *)(uintptr_t)o)->records;
    struct assay_belief *links[UINT8_MAX];
    for (uint8_t i = 0; i < o->link_count; i++)
        links[i] = best_of(&o->links[i].beliefs);
    assay_records_collect(records, links, o->link_count, effect);
    return records;
}

uint32_t assay_oracle_records(const struct assay_oracle *o, uint16_t effect, const struct assay_record **records)
{
    const struct assay_records *all = records_of(o, effect);
    *records = all->items;
    return all->count;
}

struct assay_span assay_oracle_effect(const struct assay_oracle *o, uint16_t effect)
{
    struct assay_bytes_buf *buf = &((struct assay_oracle *)(uintptr_t)o)->effect;
    buf->n = 0;
    assay_records_join(records_of(o, effect), buf);
    return (struct assay_span){buf->p, buf->n};
}

bool assay_oracle_stopped(const struct assay_oracle *o)
{
    for (uint8_t i = 0; i < o->link_count; i++) {
        const struct assay_belief *b = best_of(&o->links[i].beliefs);
        for (uint32_t k = 0; b && k < b->effect_count; k++) {
            const char *verb = o->world.config.model->effects[b->effects[k].effect].verb;
            if (verb && strcmp(verb, "stop") == 0)
                return true;
        }
    }
    return false;
}

void assay_oracle_blame(const struct assay_oracle *o, uint8_t link, struct assay_blame *blame)
{
    struct assay_oracle *mine = (struct assay_oracle *)(uintptr_t)o; /* describing needs its scratch */
    const struct assay_model *model = o->world.config.model;
    struct link *l = &mine->links[link];
    struct last_words now = {0}, *words = &l->words;
    struct assay_belief *best = best_of(&l->beliefs);
    if (!words->set && best) {
        bool upper = assay_belief_satisfied(best) && !assay_belief_told_all(best);
        take_words(mine, l, best, upper, &now);
        words = &now;
    }
    *blame = (struct assay_blame){.rule = ASSAY_NONE, .req = ASSAY_NONE, .state = ASSAY_NONE, .event = ASSAY_NONE};
    if (!words->set)
        return;
    blame->rule = words->rule;
    blame->state = words->state;
    blame->event = words->event;
    if (words->other) {
        blame->rule = ASSAY_NONE;
        blame->req = words->req;
    } else if (words->rule != ASSAY_NONE) {
        blame->req = model->rules[words->rule].req;
        blame->level = model->rules[words->rule].level;
    }
    memcpy(blame->expected, words->expected, sizeof blame->expected);
    memcpy(blame->seen, words->seen, sizeof blame->seen);
}

/* The rule that each surviving belief about a link has passed over; ASSAY_NONE: some has not. */
static uint16_t passed_by_all(const struct link *l)
{
    uint16_t passed = ASSAY_NONE;
    for (size_t i = 0; i < l->beliefs.count; i++) {
        passed = assay_belief_passes_over(l->beliefs.items[i]);
        if (passed == ASSAY_NONE)
            return passed;
    }
    return l->beliefs.overflow ? ASSAY_NONE : passed;
}

bool assay_oracle_broken(const struct assay_oracle *o, struct assay_blame *blame)
{
    const struct assay_model *model = o->world.config.model;
    for (uint8_t i = 0; i < o->link_count; i++) {
        uint16_t rule = passed_by_all(&o->links[i]);
        if (rule == ASSAY_NONE)
            continue;
        *blame = (struct assay_blame){.rule = rule, .state = ASSAY_NONE, .event = ASSAY_NONE};
        blame->req = model->rules[rule].req;
        blame->level = model->rules[rule].level;
        snprintf(blame->expected, sizeof blame->expected, "what the rule says");
        snprintf(blame->seen, sizeof blame->seen, "all as if the rule were not there");
        return true;
    }
    return false;
}
