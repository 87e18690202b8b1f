/* Mutation operators: what strangers are answered. More than they sent is a gift to whoever forges addresses. */
#include "conformance/operator.h"

#define MORE 16 /* bytes */

static bool is_stateless(const struct assay_model *m, uint16_t rule)
{
    return m->rules[rule].flags & ASSAY_RULE_STATELESS;
}

static void each_reply(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc)
{
    if (part != ASSAY_PART_GUARD && is_stateless(l->m, rule) && assay_ins_op(l->m->code[pc]) == ASSAY_OP_SEND)
        assay_mutation_add(l, rule, pc, 0);
}

/* Bytes that nobody reads, as a field. */
static struct assay_field filler(struct assay_lab *lab)
{
    static const uint8_t bytes[MORE];
    ASSAY_OWN(lab, blobs, 1);
    *ASSAY_MUTABLE(struct assay_blob, &lab->m->blobs[lab->m->blobs_count]) = (struct assay_blob){bytes, MORE};
    return (struct assay_field){.type = ASSAY_NONE,
                                .slot = ASSAY_NONE,
                                .extent_arg = lab->m->blobs_count++,
                                .element = ASSAY_NONE,
                                .present = ASSAY_NONE,
                                .is = ASSAY_NONE,
                                .init = ASSAY_NONE,
                                .check = ASSAY_NONE,
                                .fault = ASSAY_NONE,
                                .req = ASSAY_NONE,
                                .leniency = ASSAY_NONE,
                                .form = ASSAY_FORM_CONST};
}

/* A message of its own: others that send the one like it are not changed. */
static uint16_t longer_message(struct assay_lab *lab, uint16_t like)
{
    struct assay_field more = filler(lab);
    struct assay_range old = lab->m->messages[like].fields;
    uint16_t first = lab->m->fields_count;
    ASSAY_OWN(lab, fields, old.count + 1u);
    ASSAY_OWN(lab, messages, 1);
    for (uint16_t i = 0; i < old.count; i++)
        *ASSAY_MUTABLE(struct assay_field, &lab->m->fields[first + i]) = lab->m->fields[old.first + i];
    *ASSAY_MUTABLE(struct assay_field, &lab->m->fields[first + old.count]) = more;
    lab->m->fields_count = (uint16_t)(first + old.count + 1);
    struct assay_message *message = ASSAY_MUTABLE(struct assay_message, &lab->m->messages[lab->m->messages_count]);
    *message = lab->m->messages[like];
    message->fields = (struct assay_range){first, (uint16_t)(old.count + 1)};
    message->wire_max += MORE;
    return lab->m->messages_count++;
}

static bool reply_longer(struct assay_lab *lab)
{
    uint16_t message = longer_message(lab, (uint16_t)assay_ins_b(lab->m->code[lab->mutation->at]));
    const uint32_t put[] = {assay_ins(ASSAY_OP_SEND, 0, message)};
    if (!assay_lab_replace(lab, 1, put, 1, "a stranger is answered more than it may have sent in the"))
        return false;
    ASSAY_MUTABLE(struct assay_rule, &lab->m->rules[lab->mutation->index])->out_max += MORE;
    lab->m->out_max += MORE;
    return true;
}

/* Constant bytes at the end of a message that a stateless rule of the start state answers. */
static void each_filler(struct assay_lister *l, uint16_t rule)
{
    const struct assay_model *m = l->m;
    for (uint16_t i = 0; is_stateless(m, rule) && i < m->messages_count; i++) {
        uint16_t list = assay_transition(m, m->rules[rule].state, m->messages[i].event);
        uint32_t last = (uint32_t)m->messages[i].fields.first + m->messages[i].fields.count - 1;
        if (list != ASSAY_NONE && m->rule_lists[list] == rule && m->messages[i].fields.count &&
            m->fields[last].form == ASSAY_FORM_CONST)
            assay_mutation_add(l, rule, last, 0);
    }
}

static bool filler_ignored(struct assay_lab *lab)
{
    ASSAY_OWN(lab, fields, 0);
    ASSAY_OWN(lab, types, 1);
    struct assay_type *type = ASSAY_MUTABLE(struct assay_type, &lab->m->types[lab->m->types_count]);
    struct assay_field *f = ASSAY_MUTABLE(struct assay_field, &lab->m->fields[lab->mutation->at]);
    *type = (struct assay_type){
        .name = "bytes", .kind = ASSAY_T_BYTES, .of = ASSAY_NONE, .set = ASSAY_NONE, .max = lab->m->frame_max};
    f->name = "filler";
    f->type = lab->m->types_count++;
    f->form = ASSAY_FORM_BYTES;
    f->extent = ASSAY_EXT_REST;
    assay_lab_say(lab, "a stranger is answered however little it sent", "");
    return true;
}

const struct assay_operator assay_operators_strangers[] = {
    {"stranger-answered-more", .code = each_reply, .apply = reply_longer},
    {"stranger-sends-less", .rules = each_filler, .apply = filler_ignored},
    {0},
};
