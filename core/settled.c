/* What can be told of messages before any comes, so that most are spared the passes over fields that some need: 170 of
 * 2750 instructions for a line and its answer, 340 of 3750 for a binary message with a length. */
#include "core/fields.h"

/* Whether code is SLOT, then the operations given, then END; *slot is which. */
static bool is_code(const struct assay_model *model, uint16_t code, enum assay_op then, uint16_t *slot)
{
    const uint32_t *ins = model->code + code;
    *slot = (uint16_t)assay_ins_b(ins[0]);
    return assay_ins_op(ins[0]) == ASSAY_OP_SLOT && assay_ins_op(ins[1]) == then &&
           (then == ASSAY_OP_END || assay_ins_op(ins[2]) == ASSAY_OP_END);
}

/* Whether a field is bytes of which as many are read as the slot says. */
static bool sized_by(const struct assay_model *model, const struct assay_field *f, uint16_t slot)
{
    uint16_t size;
    return f->form == ASSAY_FORM_BYTES && f->extent == ASSAY_EXT_CODE && !(f->flags & ASSAY_F_MEMBER) &&
           f->present == ASSAY_NONE && model->types[f->type].kind != ASSAY_T_ENUM &&
           is_code(model, f->extent_arg, ASSAY_OP_END, &size) && size == slot;
}

/* A length before its bytes: `is: size(payload)`, where payload is `bytes: length`. Reading has made it true. */
static bool is_length(const struct assay_model *model, struct assay_range fields, const struct assay_field *length)
{
    uint16_t measured;
    if (!is_code(model, length->is, ASSAY_OP_SIZE, &measured))
        return false;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++)
        if (model->fields[i].slot == measured)
            return sized_by(model, &model->fields[i], length->slot);
    return false;
}

static bool read_fields(const struct assay_model *model, struct assay_range fields)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &model->fields[i];
        if (f->is != ASSAY_NONE && !is_length(model, fields, f))
            return false;
    }
    return true;
}

bool assay_settled_read(const struct assay_model *model, const struct assay_frame *frame, const struct assay_message *m)
{
    return m->wheres.count == 0 && read_fields(model, frame->fields) && read_fields(model, m->fields);
}

static bool given_fields(const struct assay_model *model, struct assay_range fields)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++)
        if (model->fields[i].is != ASSAY_NONE || model->fields[i].init != ASSAY_NONE)
            return false;
    return true;
}

bool assay_settled_given(const struct assay_model *model, const struct assay_frame *frame,
                         const struct assay_message *m)
{
    return given_fields(model, frame->fields) && given_fields(model, m->fields);
}
