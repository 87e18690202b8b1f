#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/build.h"

/* ---- names ------------------------------------------------------------- */

static const char *lowered(struct assay_builder *b, const char *text)
{
    size_t n = strlen(text);
    char *to = assay_store_copy(b->store, text, n + 1);
    for (size_t i = 0; i < n; i++)
        to[i] = to[i] == '_' || to[i] == ' ' ? '-' : (char)tolower((unsigned char)to[i]);
    return to;
}

const char *assay_build_state_name(const struct assay_builder *b, uint16_t state)
{
    return b->model->states[state].name;
}

const char *assay_build_event_name(const struct assay_builder *b, uint16_t event)
{
    return event == ASSAY_NONE ? "nothing" : b->model->events[event].name;
}

static bool id_taken(const struct assay_builder *b, const char *id)
{
    for (size_t i = 0; i < b->all->count; i++)
        if (strcmp(b->all->cases[i].id, id) == 0)
            return true;
    return false;
}

void assay_build_begin(struct assay_builder *b, const char *state, const char *event, const char *format, ...)
{
    char variant[256];
    va_list args;
    va_start(args, format);
    vsnprintf(variant, sizeof variant, format, args);
    va_end(args);
    char place[128];
    snprintf(place, sizeof place, "%s", state);
    for (char *p = place; (p = strchr(p, '/'));) /* of a call that waits: its name and which of its expects */
        *p = '-';
    const char *id = lowered(b, assay_store_text(b->store, "%s/%s/%s/%s", b->model->protocol, place, event, variant));
    const char *unique = id;
    for (int i = 2; id_taken(b, unique); i++)
        unique = assay_store_text(b->store, "%s-%d", id, i);
    b->current = (struct assay_case){.id = unique, .req = ASSAY_NONE, .field_req = ASSAY_NONE, .links = 1};
    b->current.again = b->arrives && b->model->machines[b->config.machine].reconnect.pause != ASSAY_NONE;
    memset(b->entered, 0, sizeof b->entered);
    b->step_count = 0;
}

/* ---- steps ------------------------------------------------------------- */

static struct assay_step *put_step(struct assay_builder *b, uint8_t link, enum assay_step_kind kind)
{
    struct assay_step *s = assay_items_add((void **)&b->steps, &b->step_count, &b->step_cap, sizeof *s);
    s->kind = (uint8_t)kind;
    s->link = s->from = link;
    if (link >= b->current.links)
        b->current.links = (uint8_t)(link + 1);
    return s;
}

static bool on_a_link(enum assay_step_kind kind)
{
    return kind != ASSAY_STEP_PAUSE && kind != ASSAY_STEP_REFUSE && kind != ASSAY_STEP_WELCOME;
}

/* What is done on a link that the target makes waits for it first. */
static struct assay_step *add_step(struct assay_builder *b, uint8_t link, enum assay_step_kind kind)
{
    if (b->arrives && on_a_link(kind) && !b->entered[link]) {
        b->entered[link] = true;
        if (kind == ASSAY_STEP_ARRIVE)
            return put_step(b, link, kind);
        put_step(b, link, ASSAY_STEP_ARRIVE);
    }
    return put_step(b, link, kind);
}

/* A call that makes its link is told before that is there. */
static void add_call(struct assay_builder *b, uint8_t link, const struct assay_input *input)
{
    bool opens = b->model->calls[input->call].opens != ASSAY_NONE;
    bool makes = opens || (b->frame->end == ASSAY_END_DATAGRAM && !b->entered[link]); /* its first datagram does */
    struct assay_step *s = makes ? put_step(b, link, ASSAY_STEP_CALL) : add_step(b, link, ASSAY_STEP_CALL);
    s->call = input->call;
    s->values = input->args;
    s->spans = input->spans;
    if (makes)
        add_step(b, link, ASSAY_STEP_ARRIVE);
}

void assay_build_input(struct assay_builder *b, uint8_t link, size_t input)
{
    const struct assay_input *i = &b->inputs.items[input];
    if (i->kind == ASSAY_INPUT_CALL) {
        add_call(b, link, i);
        return;
    }
    assay_build_send(b, link, i->bytes, 0);
    b->steps[b->step_count - 1].stamp = i->stamp;
    b->steps[b->step_count - 1].from = link;
}

void assay_build_stamped(struct assay_builder *b, uint8_t link, size_t input, int32_t offset)
{
    assay_build_input(b, link, input);
    b->steps[b->step_count - 1].stamp.offset = offset;
    b->steps[b->step_count - 1].stamp.session = b->inputs.items[input].stamp.kind != ASSAY_STAMP_NONE;
}

void assay_build_acknowledge(struct assay_builder *b, uint8_t link)
{
    if (b->explored.ack != SIZE_MAX)
        assay_build_stamped(b, link, b->explored.ack, 0);
}

void assay_build_send(struct assay_builder *b, uint8_t link, struct assay_blob bytes, uint8_t flags)
{
    struct assay_step *s = add_step(b, link, ASSAY_STEP_SEND);
    s->bytes = bytes;
    s->flags = flags;
}

void assay_build_step(struct assay_builder *b, uint8_t link, enum assay_step_kind kind)
{
    add_step(b, link, kind);
}

void assay_build_await(struct assay_builder *b, uint8_t link)
{
    assay_build_step(b, link, ASSAY_STEP_AWAIT);
}

void assay_build_give(struct assay_builder *b, uint8_t link, size_t input)
{
    assay_build_input(b, link, input);
    assay_build_await(b, link);
}

void assay_build_pause(struct assay_builder *b, int64_t ns)
{
    if (b->arrives && !b->entered[0] && b->explored.rooted) /* its time begins when it is there */
        add_step(b, 0, ASSAY_STEP_ARRIVE);
    add_step(b, 0, ASSAY_STEP_PAUSE)->pause = ns;
}

void assay_build_path(struct assay_builder *b, uint8_t link, uint32_t node)
{
    const struct assay_node *n = &b->explored.nodes[node];
    for (uint32_t i = 0, at = 0; i < n->depth; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, at, n->path[i]);
        assay_build_input(b, link, n->path[i]);
        assay_build_step(b, link, ASSAY_STEP_AWAIT);
        if (r->unacknowledged)
            assay_build_acknowledge(b, link);
        at = r->next;
    }
}

struct assay_blob assay_build_lead(const struct assay_builder *b, uint32_t node)
{
    size_t input = b->segments && b->explored.nodes[node].depth == 0 ? assay_build_loop(b, node) : SIZE_MAX;
    return input == SIZE_MAX ? (struct assay_blob){0} : b->inputs.items[input].bytes;
}

void assay_build_fix_mode(struct assay_builder *b, uint8_t link, uint32_t node)
{
    struct assay_blob lead = assay_build_lead(b, node);
    if (lead.n == 0)
        return;
    assay_build_send(b, link, lead, 0);
    assay_build_step(b, link, ASSAY_STEP_AWAIT);
}

void assay_build_tail(struct assay_builder *b, uint8_t link, uint16_t before, const struct assay_reaction *r)
{
    if (r->ended || r->out_size || r->told)
        assay_build_step(b, link, ASSAY_STEP_AWAIT);
    else if (b->arrives) /* what a client says to the next thing may be what it would have said to this one */
        assay_build_step(b, link, ASSAY_STEP_QUIET);
    if (r->ended || r->after == ASSAY_NONE)
        return;
    if (r->unacknowledged)
        assay_build_acknowledge(b, link);
    size_t input = assay_telling_input(&b->explored, r->after, before);
    if (input == SIZE_MAX)
        return;
    assay_build_input(b, link, input);
    assay_build_step(b, link, ASSAY_STEP_AWAIT);
}

/* ---- finishing --------------------------------------------------------- */

void assay_build_finish(struct assay_builder *b, uint16_t rule, enum assay_case_class class, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct assay_case *c = assay_items_add((void **)&b->all->cases, &b->all->count, &b->all->cap, sizeof *c);
    *c = b->current;
    c->text = assay_store_text(b->store, "%s", text);
    c->class = (uint8_t) class;
    c->steps = assay_store_copy(b->store, b->steps, b->step_count * sizeof *b->steps);
    c->step_count = b->step_count;
    for (size_t i = 0; i < c->step_count; i++)
        c->timed = c->timed || c->steps[i].kind == ASSAY_STEP_PAUSE;
    if (rule != ASSAY_NONE) {
        c->req = b->model->rules[rule].req;
        c->level = b->model->rules[rule].level;
    }
}

void assay_build_note(struct assay_builder *b, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char **to = assay_items_add((void **)&b->all->notes, &b->all->note_count, &b->all->note_cap, sizeof *to);
    *to = assay_store_text(b->store, "%s", text);
}

/* ---- choosing inputs --------------------------------------------------- */

typedef bool wanted(const struct assay_reaction *r, uint32_t node);

static bool goes_on(const struct assay_reaction *r, uint32_t node)
{
    (void)node;
    return !r->ended;
}

static bool stays(const struct assay_reaction *r, uint32_t node)
{
    return !r->ended && r->next == node;
}

static bool says_goodbye(const struct assay_reaction *r, uint32_t node)
{
    (void)node;
    return r->ended;
}

static size_t choose(const struct assay_builder *b, uint32_t node, wanted *want)
{
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        if (b->inputs.items[i].kind != ASSAY_INPUT_RAW && r->steps == 1 && !r->partial && (r->out_size || r->told) &&
            want(r, node))
            return i;
    }
    return SIZE_MAX;
}

size_t assay_build_friendly(const struct assay_builder *b, uint32_t node)
{
    return choose(b, node, goes_on);
}

size_t assay_build_loop(const struct assay_builder *b, uint32_t node)
{
    return choose(b, node, stays);
}

size_t assay_build_farewell(const struct assay_builder *b, uint32_t node)
{
    return choose(b, node, says_goodbye);
}

bool assay_build_is_first(const struct assay_builder *b, uint32_t node, size_t input, assay_build_suits *suits)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, input);
    for (size_t i = 0; i < input; i++) {
        const struct assay_reaction *x = assay_reaction(&b->explored, node, i);
        if (x->rule == r->rule && x->event == r->event && x->after == r->after && suits(b, node, i))
            return false;
    }
    return suits(b, node, input);
}

bool assay_build_is_free(const struct assay_builder *b, uint32_t node)
{
    for (uint32_t i = 0; i < node; i++)
        if (b->explored.nodes[i].state == b->explored.nodes[node].state && !b->explored.nodes[i].belief->calling)
            return false;
    return !b->explored.nodes[node].belief->calling;
}

struct assay_blob assay_build_join(struct assay_builder *b, struct assay_blob x, struct assay_blob y)
{
    uint8_t *p = assay_store(b->store, (size_t)x.n + y.n + 1);
    if (x.n)
        memcpy(p, x.p, x.n);
    if (y.n)
        memcpy(p + x.n, y.p, y.n);
    return (struct assay_blob){p, x.n + y.n};
}
