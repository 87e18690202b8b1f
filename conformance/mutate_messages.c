/* Mutation operators: frames, tags, conditions of messages, names of enumerations. */
#include "conformance/operator.h"

enum frame_fault { ONE_LONGER, ONE_SHORTER, TWICE_AS_LONG, NO_SEGMENTS };

static void list_frames(struct assay_lister *l)
{
    const struct assay_machine *judged = &l->m->machines[l->machine];
    uint16_t frames[] = {judged->frame_in, judged->frame_out};
    for (size_t i = 0; i < (frames[0] == frames[1] ? 1 : 2); i++) {
        for (int32_t v = ONE_LONGER; i == 0 && v <= TWICE_AS_LONG; v++)
            assay_mutation_add(l, frames[i], 0, v);
        if (l->m->frames[frames[i]].segment_leniency != ASSAY_NONE)
            assay_mutation_add(l, frames[i], 0, NO_SEGMENTS);
    }
}

static void set_frame_max(struct assay_model *m, struct assay_frame *frame, uint32_t max)
{
    frame->max = max;
    m->frame_max = max > m->frame_max ? max : m->frame_max;
    m->scratch += m->frame_max;
}

static bool frame_wrong(struct assay_lab *lab)
{
    ASSAY_OWN(lab, frames, 0);
    struct assay_frame *f = ASSAY_MUTABLE(struct assay_frame, &lab->m->frames[lab->mutation->index]);
    switch ((enum frame_fault)lab->mutation->variant) {
    case ONE_LONGER:
        set_frame_max(lab->m, f, f->max + 1);
        assay_lab_say(lab, "frames may be", "one byte too long");
        break;
    case ONE_SHORTER:
        set_frame_max(lab->m, f, f->max - 1);
        assay_lab_say(lab, "frames must be", "one byte too short");
        break;
    case TWICE_AS_LONG:
        set_frame_max(lab->m, f, f->max * 2);
        assay_lab_say(lab, "frames may be", "twice as long: overflow is answered");
        break;
    case NO_SEGMENTS:
        f->segment_leniency = ASSAY_NONE;
        assay_lab_say(lab, "segments are", "not taken for messages");
        break;
    }
    return true;
}

static void list_tags(struct assay_lister *l)
{
    for (uint16_t a = 0; a < l->m->messages_count; a++)
        for (uint16_t b = (uint16_t)(a + 1); b < l->m->messages_count; b++)
            if (l->m->messages[a].from == l->m->messages[b].from &&
                l->m->messages[a].tag_kind == l->m->messages[b].tag_kind &&
                (l->m->messages[a].tag_kind == ASSAY_TAG_VALUE || l->m->messages[a].tag_kind == ASSAY_TAG_TEXT))
                assay_mutation_add(l, a, 0, b);
}

static bool tags_swapped(struct assay_lab *lab)
{
    ASSAY_OWN(lab, messages, 0);
    struct assay_message *a = ASSAY_MUTABLE(struct assay_message, &lab->m->messages[lab->mutation->index]);
    struct assay_message *b = ASSAY_MUTABLE(struct assay_message, &lab->m->messages[lab->mutation->variant]);
    struct assay_message old = *a;
    a->tag = b->tag;
    a->tag_text = b->tag_text;
    b->tag = old.tag;
    b->tag_text = old.tag_text;
    lab->mutant->text = assay_store_text(&lab->mutant->store, "tags of %s and %s are swapped", a->name, b->name);
    return true;
}

static void list_wheres(struct assay_lister *l)
{
    for (uint16_t i = 0; i < l->m->messages_count; i++)
        for (uint16_t k = 0; k < l->m->messages[i].wheres.count; k++)
            assay_mutation_add(l, l->m->messages[i].wheres.first + k, i, 0);
}

static bool where_ignored(struct assay_lab *lab)
{
    ASSAY_OWN(lab, wheres, 0);
    ASSAY_MUTABLE(struct assay_where, &lab->m->wheres[lab->mutation->index])->that = ASSAY_NONE;
    lab->mutant->req = lab->m->wheres[lab->mutation->index].req;
    assay_lab_say(lab, "a condition is ignored in", lab->m->messages[lab->mutation->at].name);
    return true;
}

static void list_enum_items(struct assay_lister *l)
{
    for (uint16_t e = 0; e < l->m->enums_count; e++) {
        struct assay_range items = l->m->enums[e].items;
        for (uint32_t i = items.first; i + 1 < (uint32_t)items.first + items.count; i++)
            assay_mutation_add(l, e, i, 0);
    }
}

/* Two values of an enumeration take each other's place on the wire. */
static bool enum_items_swapped(struct assay_lab *lab)
{
    ASSAY_OWN(lab, enum_items, 0);
    struct assay_enum_item *x = ASSAY_MUTABLE(struct assay_enum_item, &lab->m->enum_items[lab->mutation->at]);
    struct assay_enum_item old = x[0];
    if (!lab->m->enums[lab->mutation->index].text)
        return false; /* numbers are what rules compare: no wrong wire comes of it */
    x[0].text = x[1].text;
    x[1].text = old.text;
    lab->mutant->text = assay_store_text(&lab->mutant->store, "%s and %s are swapped", x[0].name, x[1].name);
    return true;
}

const struct assay_operator assay_operators_messages[] = {
    {"frame-wrong", .model = list_frames, .apply = frame_wrong},
    {"tags-swapped", .model = list_tags, .apply = tags_swapped},
    {"condition-ignored", .model = list_wheres, .apply = where_ignored},
    {"names-swapped", .model = list_enum_items, .apply = enum_items_swapped},
    {0},
};
