#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/belief.h"
#include "conformance/export.h"
#include "conformance/side.h"
#include "conformance/records.h"
#include "core/show.h"

struct exporter {
    const struct assay_suite *suite;
    const struct assay_model *model;
    struct assay_oracle_config config;
};

static const char *const levels[] = {[ASSAY_MUST] = "MUST", [ASSAY_SHOULD] = "SHOULD", [ASSAY_MAY] = "MAY"};
static const char *const classes[] = {[ASSAY_CASE_LOCAL] = "local",
                                      [ASSAY_CASE_SHARED] = "shared",
                                      [ASSAY_CASE_EXCLUSIVE] = "exclusive",
                                      [ASSAY_CASE_TIMED] = "timed"};

static cJSON *hex(const uint8_t *p, uint32_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * (size_t)n + 1);
    if (!text)
        return NULL;
    for (uint32_t i = 0; i < n; i++) {
        text[2 * i] = digits[p[i] >> 4];
        text[2 * i + 1] = digits[p[i] & 15];
    }
    text[2 * (size_t)n] = '\0';
    cJSON *s = cJSON_CreateString(text);
    free(text);
    return s;
}

/* All of its digits: a number of cJSON is a double. */
static cJSON *whole(int64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, v);
    return cJSON_CreateRaw(text);
}

/* ---- steps ------------------------------------------------------------- */

/* A number, a name (of an enumeration), or {"hex": ...}. */
static cJSON *plain_json(const struct assay_model *model, uint16_t type, assay_val v, struct assay_span bytes)
{
    const struct assay_type *t = &model->types[type];
    const char *name = t->kind == ASSAY_T_ENUM ? assay_enum_name(model, t->of, (int64_t)v) : NULL;
    if (t->kind < ASSAY_T_BYTES)
        return name ? cJSON_CreateString(name) : whole((int64_t)v);
    cJSON *o = cJSON_CreateObject();
    cJSON_AddItemToObject(o, "hex", hex(bytes.p, bytes.n));
    return o;
}

static void add_ends(cJSON *to, uint8_t ends)
{
    cJSON *list = cJSON_AddArrayToObject(to, "expect_end");
    if (ends & ASSAY_SEEN_FIN)
        cJSON_AddItemToArray(list, cJSON_CreateString("fin"));
    if (ends & ASSAY_SEEN_RST)
        cJSON_AddItemToArray(list, cJSON_CreateString("rst"));
    if (ends & ASSAY_SEEN_SILENCE)
        cJSON_AddItemToArray(list, cJSON_CreateString("open"));
}

static void add_call(const struct assay_model *model, cJSON *to, const struct assay_step *s)
{
    const struct assay_call *call = &model->calls[s->call];
    cJSON_AddStringToObject(to, "call", call->name);
    cJSON *args = cJSON_AddObjectToObject(to, "args");
    for (uint16_t i = 0; i < call->args.count; i++) {
        const struct assay_param *p = &model->params[call->args.first + i];
        cJSON_AddItemToObject(args, p->name, plain_json(model, p->type, s->values[i], s->spans[i]));
    }
}

static const char *const stamp_kinds[] = {[ASSAY_STAMP_NUMBER] = "number", [ASSAY_STAMP_ACK] = "ack"};

/* What is filled in before it is sent. */
static void add_stamp(cJSON *to, const struct assay_step *s)
{
    const struct assay_stamp *stamp = &s->stamp;
    if (!stamp->kind && !stamp->session && !stamp->stale && !stamp->spoilt)
        return;
    cJSON *o = cJSON_AddObjectToObject(to, "stamp");
    if (stamp->kind)
        cJSON_AddNumberToObject(o, stamp_kinds[stamp->kind], stamp->offset);
    if (stamp->session || stamp->stale)
        cJSON_AddStringToObject(o, "session", stamp->stale ? "stale" : "own");
    if (stamp->spoilt)
        cJSON_AddNumberToObject(o, "spoilt", stamp->spoilt - 1);
}

static void add_send(cJSON *to, const struct assay_step *s)
{
    cJSON_AddItemToObject(to, "send", hex(s->bytes.p, s->bytes.n));
    add_stamp(to, s);
    if (s->from != s->link)
        cJSON_AddNumberToObject(to, "from", s->from);
}

/* What is expected is without going back: what a target draws has no value in it. */
static void add_repeat(cJSON *to, const struct assay_step *s)
{
    cJSON *o = cJSON_AddObjectToObject(to, "repeat");
    cJSON_AddNumberToObject(o, "back", s->repeat.back);
    cJSON_AddStringToObject(o, "until", stamp_kinds[s->repeat.kind]);
    cJSON_AddNumberToObject(o, "near", s->repeat.near);
    cJSON_AddNumberToObject(o, "group", s->repeat.group);
    cJSON_AddNumberToObject(o, "most", ASSAY_REPEATS_MOST);
}

static cJSON *step_json(const struct assay_model *model, const struct assay_step *s)
{
    static const char *const flags[] = {
        [ASSAY_STEP_AWAIT] = "await",     [ASSAY_STEP_QUIET] = "quiet",   [ASSAY_STEP_EOF] = "eof",
        [ASSAY_STEP_RESET] = "reset",     [ASSAY_STEP_ARRIVE] = "arrive", [ASSAY_STEP_REFUSE] = "refuse",
        [ASSAY_STEP_WELCOME] = "welcome", [ASSAY_STEP_DEAF] = "deaf",     [ASSAY_STEP_GONE] = "gone",
        [ASSAY_STEP_RESTART] = "restart"};
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "link", s->link);
    if (s->kind == ASSAY_STEP_SEND)
        add_send(o, s);
    else if (s->kind == ASSAY_STEP_EXPECT)
        cJSON_AddItemToObject(o, "expect", hex(s->bytes.p, s->bytes.n));
    else if (s->kind == ASSAY_STEP_CALL)
        add_call(model, o, s);
    else if (s->kind == ASSAY_STEP_PAUSE)
        cJSON_AddItemToObject(o, "pause", whole(s->pause));
    else if (s->kind == ASSAY_STEP_EXPECT_END)
        add_ends(o, s->ends);
    else if (s->kind == ASSAY_STEP_REPEAT)
        add_repeat(o, s);
    else
        cJSON_AddTrueToObject(o, flags[s->kind]);
    if (s->flags & ASSAY_STEP_CUT)
        cJSON_AddTrueToObject(o, "cut");
    return o;
}

/* ---- what is permitted ------------------------------------------------- */

struct playing {
    struct exporter *x;
    const struct assay_case *c;
    struct assay_belief_world world;
    struct assay_belief_set links[UINT8_MAX];
    bool shut[UINT8_MAX], reset[UINT8_MAX], arrives[UINT8_MAX], open[UINT8_MAX];
    const struct assay_step *first[UINT8_MAX]; /* the call that makes the link */
    struct assay_bytes_buf filled;             /* what is sent, stamped */
    int64_t now;
    uint8_t first_alive; /* of the links: those before it are gone with the process that they led to */
};

/* Rows that a link has added are there for the others of the same process. */
static void share(struct playing *p, uint8_t link)
{
    const struct assay_belief *b = p->links[link].count && link >= p->first_alive ? p->links[link].items[0] : NULL;
    for (uint8_t i = p->first_alive; b && b->rows.n && i < p->c->links; i++)
        if (i != link)
            assay_beliefs_share(&p->world, b, &p->links[i], p->now);
}

static void pass(struct playing *p, int64_t ns)
{
    p->now += ns;
    for (uint8_t i = 0; i < p->c->links; i++)
        assay_beliefs_time(&p->world, &p->links[i], p->now);
    for (uint8_t i = 0; i < p->c->links; i++)
        share(p, i);
}

static void restart(struct playing *p, uint8_t first)
{
    p->first_alive = first;
    for (uint8_t i = first; p->links[first - 1].count && i < p->c->links; i++)
        assay_beliefs_restart(&p->world, &p->links[i], p->links[first - 1].items[0], p->now);
}

static void signal_link(struct playing *p, uint8_t link, enum assay_builtin_event event)
{
    assay_beliefs_signal(&p->world, &p->links[link], p->now, event);
    p->shut[link] = true;
    p->reset[link] = event == ASSAY_EV_RESET;
}

static void do_call(struct playing *p, const struct assay_step *s)
{
    struct assay_belief_call call = {s->call, s->values, s->spans};
    assay_beliefs_call(&p->world, &p->links[s->link], p->now, &call);
}

static bool open_link(struct playing *p, uint8_t link)
{
    p->open[link] = true;
    if (!assay_beliefs_open(&p->world, &p->links[link], p->now))
        return false;
    if (p->first[link])
        do_call(p, p->first[link]);
    return true;
}

static void play_call(struct playing *p, const struct assay_step *s)
{
    if (p->open[s->link])
        do_call(p, s);
    else
        p->first[s->link] = s;
}

static void play_send(struct playing *p, const struct assay_step *s)
{
    struct assay_belief_set *set = &p->links[s->link];
    p->filled.n = 0;
    assay_buf_add(&p->filled, s->bytes.p, s->bytes.n);
    if (set->count)
        assay_belief_stamp(&p->world, set->items[0], s->stamp, &p->filled);
    assay_beliefs_feed(&p->world, set, p->now, (struct assay_span){p->filled.p, p->filled.n});
    share(p, s->link);
}

static void play_step(struct playing *p, const struct assay_step *s)
{
    if (s->kind == ASSAY_STEP_CALL)
        play_call(p, s);
    else if (s->kind == ASSAY_STEP_ARRIVE && !p->open[s->link])
        open_link(p, s->link);
    else if (s->kind == ASSAY_STEP_SEND)
        play_send(p, s);
    else if (s->kind == ASSAY_STEP_EOF)
        signal_link(p, s->link, ASSAY_EV_EOF);
    else if (s->kind == ASSAY_STEP_RESET)
        signal_link(p, s->link, ASSAY_EV_RESET);
    else if (s->kind == ASSAY_STEP_PAUSE)
        pass(p, s->pause);
    else if (s->kind == ASSAY_STEP_RESTART)
        restart(p, s->link);
}

static bool play(struct playing *p)
{
    for (size_t i = 0; i < p->c->step_count; i++)
        if (p->c->steps[i].kind == ASSAY_STEP_ARRIVE)
            p->arrives[p->c->steps[i].link] = true;
    for (uint8_t i = 0; i < p->c->links; i++)
        if (!p->arrives[i] && !open_link(p, i))
            return false;
    for (size_t i = 0; i < p->c->step_count; i++)
        play_step(p, &p->c->steps[i]);
    for (uint8_t i = 0; i < p->c->links; i++)
        if (!p->shut[i] && p->open[i] && !p->world.datagrams)
            signal_link(p, i, ASSAY_EV_EOF);
    return true;
}

/* ---- outcomes ---------------------------------------------------------- */

static cJSON *value_json(const struct assay_env *env, uint16_t type, assay_val v)
{
    bool bytes = env->model->types[type].kind >= ASSAY_T_BYTES;
    return plain_json(env->model, type, v, bytes ? assay_bytes(env, v) : (struct assay_span){NULL, 0});
}

static void add_fields(cJSON *fixed, cJSON *any, const struct assay_env *env, struct assay_range fields, uint16_t body,
                       uint64_t free_slots)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &env->model->fields[i];
        if (!f->name || f->slot == ASSAY_NONE || i == body || f->is != ASSAY_NONE || !(env->known >> f->slot & 1))
            continue;
        if (free_slots >> f->slot & 1)
            cJSON_AddItemToArray(any, cJSON_CreateString(f->name));
        else
            cJSON_AddItemToObject(fixed, f->name, value_json(env, f->type, env->slots[f->slot]));
    }
}

static cJSON *free_json(struct playing *p, const struct assay_chunk *c, struct assay_span sent)
{
    const struct assay_model *model = p->x->model;
    uint16_t frame = model->machines[p->world.config.machine].frame_out;
    uint8_t from = assay_target_role(model, p->world.config.machine);
    struct assay_env *env = &p->world.lens.env;
    assay_lens_clear(&p->world.lens);
    struct assay_frame_found f = assay_frame_find(env, frame, from, sent, 0, false);
    bool delimited = f.status == ASSAY_FRAME_WHOLE && f.size == sent.n;
    env->frame = sent.p;
    assay_decode(env, frame, from, (struct assay_span){sent.p, delimited ? f.content : sent.n});
    cJSON *outer = cJSON_CreateObject(), *o = cJSON_AddObjectToObject(outer, "free");
    cJSON_AddStringToObject(o, "message", model->messages[c->message].name);
    cJSON *fixed = cJSON_AddObjectToObject(o, "fields"), *any = cJSON_AddArrayToObject(o, "any");
    add_fields(fixed, any, env, model->frames[frame].fields, model->frames[frame].body, c->free);
    add_fields(fixed, any, env, model->messages[c->message].fields, ASSAY_NONE, c->free);
    cJSON_AddBoolToObject(o, "delimited", delimited);
    return outer;
}

/* What the application above it is told, in order. */
static void add_told(struct playing *p, cJSON *to, const struct assay_belief *b)
{
    const struct assay_model *model = p->x->model;
    cJSON *told = cJSON_AddArrayToObject(to, "told");
    for (uint32_t i = 0; i < b->tale.count; i++) {
        struct assay_told_room room;
        struct assay_upper u = assay_tale_entry(&b->tale, i, model, &room);
        cJSON *o = cJSON_CreateObject();
        bool effect = u.kind == ASSAY_UPPER_EFFECT;
        cJSON_AddItemToArray(told, o);
        cJSON_AddStringToObject(o,
                                effect                         ? "effect"
                                : u.kind == ASSAY_UPPER_RESULT ? "result"
                                                               : "error",
                                effect ? model->effects[u.index].name : model->calls[u.index].name);
        if (u.kind == ASSAY_UPPER_ERROR) {
            cJSON_AddStringToObject(o, "kind", assay_outcome_name(model, u.outcome));
            continue;
        }
        struct assay_range params = effect ? model->effects[u.index].args : model->calls[u.index].results;
        cJSON *values = cJSON_AddObjectToObject(o, "values");
        for (uint16_t k = 0; k < u.count && k < params.count; k++) {
            const struct assay_param *param = &model->params[params.first + k];
            cJSON_AddItemToObject(values, param->name, plain_json(model, param->type, u.values[k], u.spans[k]));
        }
    }
}

static cJSON *outcome_json(struct playing *p, const struct assay_belief *b)
{
    cJSON *o = cJSON_CreateObject(), *bytes = cJSON_AddArrayToObject(o, "bytes");
    uint32_t from = 0;
    for (uint32_t i = 0; i <= b->chunk_count; i++) {
        uint32_t at = i < b->chunk_count ? b->chunks[i].at : b->out.n;
        if (i < b->chunk_count && !b->chunks[i].free)
            continue;
        if (at > from)
            cJSON_AddItemToArray(bytes, hex(b->out.p + from, at - from));
        if (i == b->chunk_count)
            break;
        struct assay_span sent = {b->out.p + at, b->chunks[i].size};
        cJSON_AddItemToArray(bytes, free_json(p, &b->chunks[i], sent));
        from = at + sent.n;
    }
    if (b->tale.count)
        add_told(p, o, b);
    if (assay_belief_passes_over(b) != ASSAY_NONE)
        cJSON_AddStringToObject(o, "breaks", levels[ASSAY_SHOULD]);
    cJSON_AddStringToObject(o, "end", !b->ended ? "open" : b->how == ASSAY_END_CLOSE ? "fin" : "rst");
    return o;
}

static cJSON *link_json(struct playing *p, uint8_t link)
{
    if (p->reset[link])
        return cJSON_CreateNull();
    cJSON *outcomes = cJSON_CreateArray();
    for (size_t i = 0; i < p->links[link].count; i++)
        cJSON_AddItemToArray(outcomes, outcome_json(p, p->links[link].items[i]));
    return outcomes;
}

static void add_effects(struct playing *p, cJSON *o)
{
    struct assay_belief *links[UINT8_MAX];
    struct assay_bytes_buf all = {0};
    struct assay_records records = {0};
    for (uint8_t link = 0; link < p->c->links; link++)
        links[link] = p->links[link].count ? p->links[link].items[0] : NULL;
    for (uint16_t i = 0; i < p->x->model->effects_count; i++)
        if (strcmp(p->x->model->effects[i].name, p->c->observe) == 0)
            assay_records_collect(&records, links, p->c->links, i);
    assay_records_join(&records, &all);
    assay_records_free(&records);
    cJSON_AddItemToObject(cJSON_AddObjectToObject(o, "effects"), p->c->observe, hex(all.p, all.n));
    free(all.p);
}

static void add_expected(struct exporter *x, const struct assay_case *c, cJSON *o)
{
    struct playing *p = calloc(1, sizeof *p);
    if (!p)
        return;
    p->x = x;
    p->c = c;
    if (assay_belief_world_init(&p->world, &x->config) && play(p)) {
        cJSON *expect = cJSON_AddArrayToObject(o, "expect");
        for (uint8_t i = 0; i < c->links; i++)
            cJSON_AddItemToArray(expect, link_json(p, i));
        if (c->observe)
            add_effects(p, o);
    }
    for (uint8_t i = 0; i < c->links; i++)
        assay_beliefs_clear(&p->links[i]);
    assay_belief_world_free(&p->world);
    free(p->filled.p);
    free(p);
}

/* ---- the document ------------------------------------------------------ */

static cJSON *case_json(struct exporter *x, const struct assay_case *c)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "id", c->id);
    if (c->req == ASSAY_NONE)
        cJSON_AddNullToObject(o, "req");
    else
        cJSON_AddStringToObject(o, "req", x->model->requirements[c->req].id);
    cJSON_AddStringToObject(o, "level", levels[c->level]);
    cJSON_AddStringToObject(o, "class", classes[c->class]);
    cJSON_AddBoolToObject(o, "by_hand", c->by_hand);
    cJSON_AddNumberToObject(o, "links", c->links);
    if (c->again)
        cJSON_AddTrueToObject(o, "again");
    cJSON *steps = cJSON_AddArrayToObject(o, "steps");
    for (size_t i = 0; i < c->step_count; i++)
        cJSON_AddItemToArray(steps, step_json(x->model, &c->steps[i]));
    add_expected(x, c, o);
    return o;
}

static bool write_json(cJSON *json, FILE *to)
{
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    bool ok = text && fputs(text, to) >= 0;
    free(text);
    cJSON_Delete(json);
    return ok;
}

#define SIDE_MAX 160

/* Who is judged, where it is not the server on the first transport. */
static const char *side_json(const struct assay_suite *suite, char side[SIDE_MAX])
{
    const struct assay_machine *machine = &suite->model->machines[suite->machine];
    side[0] = '\0';
    if (suite->transport || suite->arrives)
        snprintf(side, SIDE_MAX, "\"role\":\"%s\",\"transport\":\"%s\",\"machine\":\"%s\",",
                 suite->arrives ? "client" : "server", suite->model->transports[suite->transport].name, machine->name);
    return side;
}

/* A case at a time: a suite with long frames is larger than anyone wants to hold as one tree. */
bool assay_export_json(const struct assay_suite *suite, const assay_val *params, uint64_t leniencies, uint64_t seed,
                       FILE *to)
{
    char side[SIDE_MAX];
    struct exporter x = {
        suite,
        suite->model,
        {.model = suite->model, .machine = suite->machine, .options = params, .leniencies = leniencies, .seed = seed}};
    bool ok = fprintf(to, "{\"protocol\":\"%s\",%s\"seed\":%llu,\"leniencies\":[", x.model->protocol,
                      side_json(suite, side), (unsigned long long)seed) > 0;
    for (uint16_t i = 0, n = 0; i < x.model->leniencies_count; i++)
        if (leniencies >> i & 1)
            fprintf(to, "%s\"%s\"", n++ ? "," : "", x.model->leniencies[i].name);
    fputs("],\"cases\":[\n", to);
    for (size_t i = 0; ok && i < suite->count; i++)
        ok = (i == 0 || fputs(",\n", to) >= 0) && write_json(case_json(&x, &suite->cases[i]), to);
    return ok && fputs("\n]}\n", to) >= 0;
}
