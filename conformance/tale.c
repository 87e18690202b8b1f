#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/belief.h"
#include "conformance/tale.h"

static struct assay_range params_of(const struct assay_model *model, uint8_t kind, uint16_t index)
{
    if (kind == ASSAY_UPPER_EFFECT)
        return model->effects[index].args;
    return kind == ASSAY_UPPER_RESULT ? model->calls[index].results : (struct assay_range){0};
}

static bool is_bytes(const struct assay_model *model, struct assay_range params, uint16_t i)
{
    return i < params.count && assay_type_is_bytes(model, model->params[params.first + i].type);
}

/* ---- adding ------------------------------------------------------------ */

static bool add_values(struct assay_tale *tale, const struct assay_model *model, const struct assay_upper *u, bool run)
{
    struct assay_range params = params_of(model, u->kind, u->index);
    bool ok = true;
    if (u->kind == ASSAY_UPPER_TEXT)
        return assay_buf_add(&tale->bytes, u->spans[0].p, u->spans[0].n);
    for (uint16_t i = 0; ok && i < u->count; i++) {
        const struct assay_span *s = &u->spans[i];
        if (!is_bytes(model, params, i)) {
            ok = assay_buf_add(&tale->bytes, (const uint8_t *)&u->values[i], sizeof u->values[i]);
            continue;
        }
        if (!run)
            ok = assay_buf_add(&tale->bytes, (const uint8_t *)&s->n, sizeof s->n);
        ok = ok && assay_buf_add(&tale->bytes, s->p, s->n);
    }
    return ok;
}

struct assay_told *assay_tale_add(struct assay_tale *tale, const struct assay_model *model, const struct assay_upper *u,
                                  bool pieces)
{
    bool run = u->kind == ASSAY_UPPER_TEXT || (pieces && u->kind == ASSAY_UPPER_EFFECT && u->count == 1 &&
                                               is_bytes(model, params_of(model, u->kind, u->index), 0));
    struct assay_told *last = tale->count ? &tale->items[tale->count - 1] : NULL;
    if (!run || !last || !last->run || last->index != u->index) {
        if (!assay_grow((void **)&tale->items, &tale->cap, tale->count + 1, sizeof *tale->items))
            return NULL;
        last = &tale->items[tale->count++];
        *last = (struct assay_told){.kind = u->kind,
                                    .run = run,
                                    .index = u->index,
                                    .count = u->count,
                                    .outcome = u->kind == ASSAY_UPPER_ERROR ? u->outcome : 0,
                                    .value = u->kind == ASSAY_UPPER_ERROR && u->value,
                                    .at = tale->bytes.n,
                                    .rule = ASSAY_NONE,
                                    .state = ASSAY_NONE,
                                    .event = ASSAY_NONE};
    }
    if (!add_values(tale, model, u, run))
        return NULL;
    last->size = tale->bytes.n - last->at;
    return last;
}

bool assay_tale_copy(struct assay_tale *to, const struct assay_tale *from)
{
    *to = (struct assay_tale){0};
    if (from->count == 0)
        return true;
    if (!assay_grow((void **)&to->items, &to->cap, from->count, sizeof *to->items))
        return false;
    memcpy(to->items, from->items, from->count * sizeof *to->items);
    to->count = from->count;
    return assay_buf_add(&to->bytes, from->bytes.p, from->bytes.n);
}

void assay_tale_free(struct assay_tale *tale)
{
    free(tale->items);
    free(tale->bytes.p);
    *tale = (struct assay_tale){0};
}

/* ---- comparing --------------------------------------------------------- */

static bool begins_with(const struct assay_tale *x, const struct assay_told *a, const struct assay_tale *y,
                        const struct assay_told *b)
{
    return a->kind == b->kind && a->index == b->index && a->outcome == b->outcome && a->count == b->count &&
           a->size >= b->size && (b->size == 0 || memcmp(x->bytes.p + a->at, y->bytes.p + b->at, b->size) == 0);
}

bool assay_tale_agrees(const struct assay_tale *tale, const struct assay_tale *seen, uint32_t *whole)
{
    *whole = 0;
    if (seen->count > tale->count)
        return false;
    for (uint32_t i = 0; i < seen->count; i++) {
        const struct assay_told *a = &tale->items[i], *b = &seen->items[i];
        bool same = begins_with(tale, a, seen, b) && a->size == b->size;
        if (!same && !(a->run && i + 1 == seen->count && begins_with(tale, a, seen, b)))
            return false;
        *whole += same;
    }
    return true;
}

/* ---- reading ----------------------------------------------------------- */

struct assay_upper assay_tale_entry(const struct assay_tale *tale, uint32_t i, const struct assay_model *model,
                                    struct assay_told_room *room)
{
    const struct assay_told *t = &tale->items[i];
    struct assay_range params = params_of(model, t->kind, t->index);
    const uint8_t *p = tale->bytes.p + t->at;
    struct assay_upper u = {t->kind, t->index, t->outcome, t->count, room->values, room->spans, t->value};
    for (uint16_t k = 0; k < t->count && k < ASSAY_TOLD_VALUES; k++) {
        uint32_t n = t->size;
        room->values[k] = 0;
        room->spans[k] = (struct assay_span){0};
        if (t->kind != ASSAY_UPPER_TEXT && !is_bytes(model, params, k)) {
            memcpy(&room->values[k], p, sizeof room->values[k]);
            p += sizeof room->values[k];
            continue;
        }
        if (!t->run) {
            memcpy(&n, p, sizeof n);
            p += sizeof n;
        }
        room->spans[k] = (struct assay_span){p, n};
        p += n;
    }
    return u;
}

#define SHOWN_BYTES 48u

const char *assay_outcome_name(const struct assay_model *model, int32_t outcome)
{
    static const char *const own[] = {"ok", "closed", "timeout", "protocol"};
    if (outcome >= 0)
        return outcome < model->errors_count ? model->errors[outcome].name : "?";
    return outcome >= -4 ? own[-outcome - 1] : "?";
}

void assay_tale_describe(struct assay_text *text, const struct assay_tale *tale, uint32_t i,
                         const struct assay_model *model)
{
    struct assay_told_room room;
    struct assay_upper u = assay_tale_entry(tale, i, model, &room);
    struct assay_range params = params_of(model, u.kind, u.index);
    if (u.kind == ASSAY_UPPER_ERROR) {
        assay_text_add(text, "error %s ", model->calls[u.index].name);
        assay_text_add(text, "%s", u.value ? "value" : assay_outcome_name(model, u.outcome));
        return;
    }
    if (u.kind == ASSAY_UPPER_TEXT) {
        assay_text_add(text, "shown ");
        assay_show_quoted(text, u.spans[0], SHOWN_BYTES);
        return;
    }
    bool effect = u.kind == ASSAY_UPPER_EFFECT;
    assay_text_add(text, "%s %s{", effect ? "effect" : "result",
                   effect ? model->effects[u.index].name : model->calls[u.index].name);
    for (uint16_t k = 0; k < u.count && k < params.count; k++) {
        assay_text_add(text, "%s%s=", k ? " " : "", model->params[params.first + k].name);
        if (is_bytes(model, params, k))
            assay_show_quoted(text, u.spans[k], SHOWN_BYTES);
        else
            assay_text_add(text, "%" PRId64, (int64_t)u.values[k]);
    }
    assay_text_add(text, "}");
}
