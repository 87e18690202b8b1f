#include "conformance/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

bool assay_effect_shows(const struct assay_effect *effect)
{
    return !assay_effect_is(effect, "gather") && !assay_effect_is(effect, "crypt");
}

/* ---- what one order leaves behind ---------------------------------------- */

struct number {
    char text[24];
};

static struct assay_span argument(const struct assay_belief_world *world, const struct assay_event *event, uint16_t i,
                                  struct number *room)
{
    const struct assay_model *model = world->config.model;
    const struct assay_effect *effect = &model->effects[event->effect.effect];
    if (assay_type_is_bytes(model, model->params[effect->args.first + i].type))
        return event->spans[i];
    int n = snprintf(room->text, sizeof room->text, "%lld", (long long)event->values[i]);
    return (struct assay_span){(const uint8_t *)room->text, (uint32_t)n};
}

static void add_text(struct assay_bytes_buf *to, const char *text)
{
    assay_buf_add(to, (const uint8_t *)text, (uint32_t)strlen(text));
}

static void add_arguments(const struct assay_belief_world *world, struct assay_bytes_buf *to,
                          const struct assay_event *event)
{
    for (uint16_t i = 0; i < event->count; i++) {
        struct number room;
        struct assay_span s = argument(world, event, i, &room);
        assay_buf_add(to, s.p, s.n);
    }
}

static void add_line(const struct assay_belief_world *world, struct assay_bytes_buf *to,
                     const struct assay_event *event)
{
    for (uint16_t i = 0; i < event->count; i++) {
        struct number room;
        struct assay_span s = argument(world, event, i, &room);
        if (i)
            add_text(to, " ");
        if (assay_buf_reserve(to, to->n + (uint32_t)ASSAY_ESCAPED_MAX(s.n) + 1))
            to->n += (uint32_t)assay_escape((char *)to->p + to->n, s.p, s.n, '\0');
    }
    add_text(to, "\n");
}

static bool same_object(const struct assay_effect *x, const struct assay_effect *y)
{
    return strcmp(x->object ? x->object : "", y->object ? y->object : "") == 0;
}

/* What the session has gathered for the object since it was released last. */
static void add_gathered(struct assay_belief *b, const struct assay_effect *effects, const struct assay_effect *release)
{
    uint32_t from = b->effect_count;
    while (from > 0 && !(assay_effect_is(&effects[b->effects[from - 1].effect], "release") &&
                         same_object(&effects[b->effects[from - 1].effect], release)))
        from--;
    for (; from < b->effect_count; from++) {
        const struct assay_effect_seen *seen = &b->effects[from];
        const struct assay_effect *e = &effects[seen->effect];
        if (assay_effect_is(e, "gather") && same_object(e, release) &&
            assay_buf_reserve(&b->effects_bytes, b->effects_bytes.n + seen->size))
            assay_buf_add(&b->effects_bytes, b->effects_bytes.p + seen->at, seen->size);
    }
}

void assay_record_note(struct assay_belief_world *world, struct assay_belief *b, const struct assay_event *event)
{
    const struct assay_effect *effects = world->config.model->effects;
    const struct assay_effect *effect = &effects[event->effect.effect];
    uint32_t at = b->effects_bytes.n;
    if (assay_effect_is(effect, "release"))
        add_gathered(b, effects, effect);
    if (assay_effect_is(effect, "print") || assay_effect_is(effect, "report"))
        add_line(world, &b->effects_bytes, event);
    else
        add_arguments(world, &b->effects_bytes, event);
    if (effect->args.count == 0 && !assay_effect_is(effect, "release")) {
        add_text(&b->effects_bytes, effect->name);
        add_text(&b->effects_bytes, "\n");
    }
    if (assay_grow((void **)&b->effects, &b->effect_cap, b->effect_count + 1, sizeof *b->effects))
        b->effects[b->effect_count++] = (struct assay_effect_seen){
            .effect = event->effect.effect, .order = world->orders++, .at = at, .size = b->effects_bytes.n - at};
}

/* ---- those of a case ------------------------------------------------------ */

static int by_order(const void *a, const void *b)
{
    const struct assay_record *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

void assay_records_collect(struct assay_records *records, struct assay_belief *const *links, uint8_t count,
                           uint16_t effect)
{
    records->count = 0;
    for (uint8_t i = 0; i < count; i++)
        for (uint32_t k = 0; links[i] && k < links[i]->effect_count; k++) {
            const struct assay_effect_seen *seen = &links[i]->effects[k];
            if (seen->effect != effect || !assay_effect_shows(&links[i]->world->config.model->effects[effect]) ||
                !assay_grow((void **)&records->items, &records->cap, records->count + 1, sizeof *records->items))
                continue;
            records->items[records->count++] = (struct assay_record){
                .link = i, .order = seen->order, .bytes = {links[i]->effects_bytes.p + seen->at, seen->size}};
        }
    if (records->count)
        qsort(records->items, records->count, sizeof *records->items, by_order);
}

void assay_records_join(const struct assay_records *records, struct assay_bytes_buf *to)
{
    for (uint32_t i = 0; i < records->count; i++)
        assay_buf_add(to, records->items[i].bytes.p, records->items[i].bytes.n);
}

void assay_records_free(struct assay_records *records)
{
    free(records->items);
    *records = (struct assay_records){0};
}
