/* Proof that what structured text refers to is inside its tables. */
#include "core/sums.h"
#include "core/verify.h"

static bool in_table(uint32_t index, uint32_t count)
{
    return index < count;
}

static bool none_or_in(uint16_t index, uint32_t count)
{
    return index == ASSAY_NONE || index < count;
}

static bool reads_text(const struct assay_field *f)
{
    return f->form == ASSAY_FORM_BYTES || f->form == ASSAY_FORM_DECIMAL || f->form == ASSAY_FORM_HEX;
}

static bool is_pairs(const struct assay_model *m, uint16_t field)
{
    return in_table(field, m->fields_count) && m->fields[field].form == ASSAY_FORM_PAIRS;
}

static bool delims_hold(const struct assay_model *m, const struct assay_field *f)
{
    bool delimited = f->extent == ASSAY_EXT_UNTIL || f->extent == ASSAY_EXT_BEFORE;
    bool extends = reads_text(f) || f->form >= ASSAY_FORM_PAIRS || f->form == ASSAY_FORM_LIST;
    return !delimited || !extends || in_table(f->extent_arg, m->delims_count);
}

static bool member_holds(const struct assay_model *m, const struct assay_field *f)
{
    return reads_text(f) && in_table(f->extent_arg, m->blobs_count) && is_pairs(m, f->element) &&
           in_table(f->slot, ASSAY_SLOTS_MAX);
}

static bool sum_holds(const struct assay_field *f)
{
    return f->form == ASSAY_FORM_INT && !(f->flags & ASSAY_F_SIGNED) && f->bits <= 64 && f->bits % 8 == 0 &&
           assay_sum_bits(f->sum) && f->bits >= assay_sum_bits(f->sum);
}

static uint32_t sums_in(const struct assay_model *m, struct assay_range fields)
{
    uint32_t sums = 0;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count && i < m->fields_count; i++)
        sums += m->fields[i].sum != ASSAY_SUM_NONE;
    return sums;
}

static bool field_holds(const struct assay_model *m, const struct assay_field *f)
{
    if (f->sum && !sum_holds(f))
        return false;
    if (f->flags & ASSAY_F_MEMBER)
        return member_holds(m, f);
    if (!delims_hold(m, f))
        return false;
    switch ((enum assay_form)f->form) {
    case ASSAY_FORM_AHEAD:
        return in_table(f->element, m->aheads_count) && in_table(f->slot, ASSAY_SLOTS_MAX) && f->is != ASSAY_NONE;
    case ASSAY_FORM_PAIRS:
        return in_table(f->element, m->pairs_count) && in_table(f->slot, ASSAY_SLOTS_MAX) &&
               f->extent != ASSAY_EXT_COUNT;
    case ASSAY_FORM_OBJECT:
        return in_table(f->element, m->objects_count) && f->extent != ASSAY_EXT_COUNT;
    case ASSAY_FORM_INT:
    case ASSAY_FORM_VARINT:
    case ASSAY_FORM_DECIMAL:
    case ASSAY_FORM_HEX:
    case ASSAY_FORM_BYTES:
    case ASSAY_FORM_CONST:
    case ASSAY_FORM_LIST:
    case ASSAY_FORM_CALC:
        break;
    }
    return true;
}

static bool text_type(const struct assay_model *m, uint16_t type)
{
    return type == ASSAY_NONE || (in_table(type, m->types_count) &&
                                  (m->types[type].kind == ASSAY_T_BYTES || m->types[type].kind == ASSAY_T_TEXT));
}

static bool pairs_hold(const struct assay_model *m, const struct assay_pairs *p)
{
    return text_type(m, p->name_type) && text_type(m, p->value_type) && none_or_in(p->quote_if, m->sets_count) &&
           none_or_in(p->name_first, m->sets_count) && none_or_in(p->value_first, m->sets_count) &&
           none_or_in(p->req, m->requirements_count) && p->escapes <= ASSAY_ESCAPES_MAX && (p->escape || !p->escapes) &&
           p->most >= 1 && p->most <= ASSAY_PAIRS_MAX && p->duplicates <= ASSAY_DUP_FAULT;
}

static bool object_holds(const struct assay_model *m, const struct assay_object *o)
{
    if ((uint32_t)o->members.first + o->members.count > m->object_members_count || o->members.count > ASSAY_SLOTS_MAX ||
        (o->rest != ASSAY_NONE && !is_pairs(m, o->rest)))
        return false;
    for (uint32_t i = 0; i < o->members.count; i++) {
        uint16_t field = m->object_members[o->members.first + i].field;
        if (!in_table(field, m->fields_count) || !reads_text(&m->fields[field]) ||
            (m->fields[field].flags & ASSAY_F_MEMBER) || !in_table(m->fields[field].slot, ASSAY_SLOTS_MAX))
            return false;
    }
    return true;
}

static bool run_in(struct assay_range range, uint32_t count)
{
    return (uint32_t)range.first + range.count <= count;
}

/* A put names the key, then all columns, as its effect's arguments do. */
static bool rows_hold(const struct assay_model *m, uint16_t index)
{
    const struct assay_table *t = &m->tables[index];
    return in_table(t->key, m->params_count) && run_in(t->columns, m->params_count) && t->columns.count < 255 &&
           in_table(t->effect, m->effects_count) && m->effects[t->effect].table == index &&
           m->effects[t->effect].args.count == t->columns.count + 1;
}

static bool effect_holds(const struct assay_model *m, const struct assay_effect *effect)
{
    if (!run_in(effect->args, m->params_count))
        return false;
    return m->tables_count == 0 || effect->table == ASSAY_NONE ||
           (in_table(effect->table, m->tables_count) &&
            effect->args.count == m->tables[effect->table].columns.count + 1);
}

static bool reliable_holds(const struct assay_model *m, const struct assay_reliable *r)
{
    bool ok = run_in(r->messages, m->reliable_messages_count) && in_table(r->ack, m->messages_count) &&
              r->number < ASSAY_SLOTS_MAX && r->ack_slot < ASSAY_SLOTS_MAX && none_or_in(r->session, ASSAY_SLOTS_MAX) &&
              (r->bits == 8 || r->bits == 16 || r->bits == 32) && r->window >= 1 && r->window <= 1u << (r->bits - 1);
    for (uint32_t i = 0; ok && i < r->messages.count; i++)
        ok = in_table(m->reliable_messages[r->messages.first + i], m->messages_count);
    return ok;
}

static bool stateset_in(const struct assay_model *m, uint16_t set)
{
    uint32_t at = set;
    while (at < m->statesets_count && m->statesets[at] != ASSAY_NONE)
        at++;
    return at < m->statesets_count;
}

static bool log_holds(const struct assay_model *m, const struct assay_log *log)
{
    if (!run_in(log->columns, m->params_count))
        return false;
    if (log->machine == ASSAY_NONE)
        return true;
    return log->machine < m->machines_count && stateset_in(m, log->states) && log->event < m->events_count &&
           m->events[log->event].kind == ASSAY_EVK_ROW && log->first_slot + log->columns.count < ASSAY_SLOTS_MAX;
}

bool assay_tables_verify(const struct assay_model *m)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < m->fields_count; i++)
        ok = field_holds(m, &m->fields[i]);
    for (uint32_t i = 0; ok && i < m->aheads_count; i++)
        ok = none_or_in(m->aheads[i].before, m->delims_count);
    for (uint32_t i = 0; ok && i < m->pairs_count; i++)
        ok = pairs_hold(m, &m->pairs[i]);
    for (uint32_t i = 0; ok && i < m->objects_count; i++)
        ok = object_holds(m, &m->objects[i]);
    for (uint32_t i = 0; ok && i < m->frames_count; i++)
        ok = none_or_in(m->frames[i].trim, m->sets_count) && sums_in(m, m->frames[i].fields) <= 1;
    for (uint16_t i = 0; ok && i < m->tables_count; i++)
        ok = rows_hold(m, i);
    for (uint32_t i = 0; ok && i < m->reliables_count; i++)
        ok = reliable_holds(m, &m->reliables[i]);
    for (uint32_t i = 0; ok && i < m->logs_count; i++)
        ok = log_holds(m, &m->logs[i]);
    for (uint32_t i = 0; ok && i < m->effects_count; i++)
        ok = effect_holds(m, &m->effects[i]);
    for (uint32_t i = 0; ok && i < m->messages_count; i++)
        ok = sums_in(m, m->messages[i].fields) == 0;
    return ok;
}
