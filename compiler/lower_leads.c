/* Messages that tell themselves apart by their first byte: the sets of bytes that they can begin with. */
#include "compiler/lower.h"

static void set_range(struct assay_byteset *set, unsigned from, unsigned to)
{
    for (unsigned b = from; b <= to; b++)
        set->bits[b >> 6] |= (uint64_t)1 << (b & 63);
}

static void add_letter(struct assay_byteset *set, uint8_t byte, bool fold)
{
    bool letter = (uint8_t)((byte | 0x20) - 'a') < 26;
    set_range(set, byte, byte);
    if (fold && letter)
        set_range(set, byte ^ 0x20, byte ^ 0x20);
}

static void first_of_number(struct assay_byteset *set, const struct spec_type *t)
{
    if (t->min < 0 || (t->loose & ASSAY_LOOSE_ZEROS))
        set_range(set, '-', '-');
    set_range(set, '0', '9');
    if (t->form == ASSAY_FORM_HEX)
        set_range(set, 'a', 'f');
    if (t->loose & ASSAY_LOOSE_PLUS)
        set_range(set, '+', '+');
}

static void first_of_int(struct assay_byteset *set, const struct spec_type *t)
{
    bool one_byte = t->bits == 8;
    if (one_byte && t->kind == ASSAY_T_ENUM && !t->of->open) {
        SPEC_EACH (struct spec_enum_item, item, &t->of->items)
            set_range(set, (unsigned)item->value & 0xff, (unsigned)item->value & 0xff);
    } else if (one_byte && t->min >= 0) {
        set_range(set, (unsigned)t->min, (unsigned)t->max);
    } else {
        set_range(set, 0, 255);
    }
}

static void first_of_bytes(struct assay_byteset *set, const struct spec_type *t)
{
    if (t->kind == ASSAY_T_ENUM && t->extent.kind != ASSAY_EXT_PREFIX) {
        SPEC_EACH (struct spec_enum_item, item, &t->of->items)
            if (item->text.n)
                add_letter(set, item->text.p[0], t->flags & ASSAY_F_FOLD);
        return;
    }
    bool sure = t->min > 0 && t->extent.kind != ASSAY_EXT_PREFIX && (t->first || t->set);
    for (unsigned b = 0; b < 256; b++) {
        bool allowed = (!t->first || (t->first->bits[b >> 6] >> (b & 63) & 1)) &&
                       (!t->set || (t->set->bits[b >> 6] >> (b & 63) & 1));
        if (!sure || allowed)
            set_range(set, b, b);
    }
}

/* The first field that takes bytes; NULL: there is none, or what comes first may be absent. */
static const struct spec_field *first_on_wire(const struct spec_message *m)
{
    SPEC_EACH (struct spec_field, f, &m->fields) {
        if (f->pairs)
            continue;
        return f;
    }
    return NULL;
}

/* The bytes that a message can begin with. */
static struct assay_byteset first_bytes(const struct spec_message *m)
{
    struct assay_byteset set = {{0}};
    const struct spec_field *f = first_on_wire(m);
    const struct spec_type *t = f ? f->type : NULL;
    if (t && !f->present && t->form == ASSAY_FORM_CONST)
        set_range(&set, t->bytes.p[0], t->bytes.p[0]);
    else if (t && !f->present && (t->form == ASSAY_FORM_DECIMAL || t->form == ASSAY_FORM_HEX) &&
             t->extent.kind != ASSAY_EXT_PREFIX)
        first_of_number(&set, t);
    else if (t && !f->present && t->form == ASSAY_FORM_INT)
        first_of_int(&set, t);
    else if (t && !f->present && t->form == ASSAY_FORM_BYTES)
        first_of_bytes(&set, t);
    else
        set_range(&set, 0, 255);
    if (t && (t->loose & ASSAY_LOOSE_SPACE)) {
        set_range(&set, '\t', '\r');
        set_range(&set, ' ', ' ');
    }
    return set;
}

static bool told_by_first_byte(const struct lower *l, const struct spec_message *m)
{
    size_t others = 0;
    SPEC_EACH (struct spec_message, other, &l->spec->messages)
        others += other != m && (other->from & m->from) && (other->transports & m->transports) && !other->tags.count &&
                  !other->when;
    return others > 0 && !m->tags.count && !m->when;
}

void assay_lower_leads(struct lower *l)
{
    SPEC_EACH (struct spec_message, m, &l->spec->messages) {
        if (!told_by_first_byte(l, m))
            continue;
        struct assay_byteset set = first_bytes(m);
        ((struct assay_message *)l->messages.items)[m->index].leads = assay_lower_set(l, &set);
        SPEC_EACH (struct spec_message, other, &l->spec->messages) {
            if (other->index >= m->index || !told_by_first_byte(l, other) || !(other->from & m->from) ||
                !(other->transports & m->transports))
                continue;
            struct assay_byteset theirs = first_bytes(other);
            for (unsigned i = 0; i < 4; i++)
                theirs.bits[i] &= set.bits[i];
            if (theirs.bits[0] | theirs.bits[1] | theirs.bits[2] | theirs.bits[3])
                assay_spec_error(l->spec, m->at,
                                 "%s and %s can begin with the same byte, and nothing else tells them apart: "
                                 "give the frame a tag, or the messages 'when'",
                                 m->name, other->name);
        }
    }
}
