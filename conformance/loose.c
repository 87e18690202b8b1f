#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conformance/loose.h"
#include "core/code.h"
#include "core/number.h"

bool assay_loose_is_raw(const struct assay_field *f)
{
    return !(f->flags & ASSAY_F_MEMBER) && (f->form == ASSAY_FORM_DECIMAL || f->form == ASSAY_FORM_HEX ||
                                            f->form == ASSAY_FORM_BYTES || f->form == ASSAY_FORM_PAIRS);
}

static const struct assay_type wide_types[] = {
    {.name = "anything", .kind = ASSAY_T_BYTES, .of = ASSAY_NONE, .set = ASSAY_NONE, .max = ASSAY_BYTES_MAX},
    {.name = "any number",
     .kind = ASSAY_T_INT,
     .of = ASSAY_NONE,
     .set = ASSAY_NONE,
     .min = INT64_MIN,
     .max = INT64_MAX},
};

static void widen_types(struct assay_store *store, struct assay_model *m)
{
    struct assay_type *types = assay_store(store, (m->types_count + 2u) * sizeof *types);
    memcpy(types, m->types, m->types_count * sizeof *types);
    memcpy(types + m->types_count, wide_types, sizeof wide_types);
    m->types = types;
    m->types_count = (uint16_t)(m->types_count + 2);
}

/* A body that carries its own prefix or delimiter is put together from the message's fields: it keeps it. */
static bool is_wrapped_body(const struct assay_model *m, uint16_t field)
{
    const struct assay_field *f = &m->fields[field];
    for (uint16_t i = 0; i < m->frames_count; i++)
        if (m->frames[i].body == field)
            return f->extent == ASSAY_EXT_PREFIX || f->extent == ASSAY_EXT_UNTIL;
    return false;
}

/* Whether a condition reads a number or text that a loose model holds as bytes: it could not be told there. */
static bool reads_raw(const struct assay_model *m, uint32_t before, uint16_t code)
{
    for (uint32_t pc = code; code != ASSAY_NONE && assay_ins_op(m->code[pc]) != ASSAY_OP_END; pc++) {
        if (assay_ins_op(m->code[pc]) != ASSAY_OP_SLOT)
            continue;
        uint32_t i = before;
        while (i > 0 && m->fields[i - 1].slot != assay_ins_b(m->code[pc]))
            i--;
        if (i > 0 && assay_loose_is_raw(&m->fields[i - 1]))
            return true;
    }
    return false;
}

/* Fields under such conditions are there when they have a value. */
static void loosen_conditions(struct assay_store *store, struct assay_model *m, struct assay_field *fields)
{
    uint32_t *code = assay_store(store, (m->code_count + 2u * m->fields_count) * sizeof *code);
    uint32_t count = m->code_count;
    memcpy(code, m->code, m->code_count * sizeof *code);
    for (uint16_t i = 0; i < m->fields_count; i++) {
        if (fields[i].slot == ASSAY_NONE || !reads_raw(m, i, fields[i].present) || count + 2 >= ASSAY_NONE)
            continue;
        fields[i].present = (uint16_t)count;
        code[count++] = assay_ins(ASSAY_OP_KNOWN, 0, fields[i].slot);
        code[count++] = assay_ins(ASSAY_OP_END, 0, 0);
    }
    m->code = code;
    m->code_count = (uint16_t)count;
}

static void loosen_field(const struct assay_model *m, struct assay_field *f, enum assay_loose_kind kind)
{
    if (f->slot == ASSAY_NONE || f->form == ASSAY_FORM_CONST || f->form == ASSAY_FORM_LIST ||
        f->form == ASSAY_FORM_CALC || f->form == ASSAY_FORM_AHEAD || f->form == ASSAY_FORM_OBJECT)
        return;
    f->check = ASSAY_NONE;
    f->type = (uint16_t)(m->types_count - 1);
    if (assay_loose_is_raw(f)) {
        f->form = ASSAY_FORM_BYTES;
        f->type = (uint16_t)(m->types_count - 2);
        f->extent = ASSAY_EXT_REST;
    }
    if (kind == ASSAY_LOOSE_LYING)
        f->is = ASSAY_NONE;
}

/* Pairs are written as they are given: their members stand in them already. */
static void drop_members(struct assay_store *store, struct assay_model *m, struct assay_field *fields)
{
    uint32_t *code = assay_store(store, (m->code_count + 2u) * sizeof *code);
    uint16_t nothing = m->code_count;
    if (m->code_count + 2u >= ASSAY_NONE)
        return;
    memcpy(code, m->code, m->code_count * sizeof *code);
    code[m->code_count++] = assay_ins(ASSAY_OP_INT, 0, 0);
    code[m->code_count++] = assay_ins(ASSAY_OP_END, 0, 0);
    m->code = code;
    for (uint16_t i = 0; i < m->fields_count; i++) {
        if (!(fields[i].flags & ASSAY_F_MEMBER))
            continue;
        fields[i].flags = 0;
        fields[i].form = ASSAY_FORM_CALC;
        fields[i].element = fields[i].present = fields[i].check = fields[i].init = ASSAY_NONE;
        fields[i].is = nothing;
    }
}

static void loosen_fields(struct assay_store *store, struct assay_model *m, enum assay_loose_kind kind)
{
    struct assay_field *fields = assay_store_copy(store, m->fields, m->fields_count * sizeof *fields);
    for (uint16_t i = 0; i < m->fields_count; i++)
        if (!(fields[i].flags & ASSAY_F_MEMBER) && (kind == ASSAY_LOOSE_GRAFT || !is_wrapped_body(m, i)))
            loosen_field(m, &fields[i], kind);
    loosen_conditions(store, m, fields);
    drop_members(store, m, fields);
    m->fields = fields;
}

static void loosen_frames(struct assay_store *store, struct assay_model *m, enum assay_loose_kind kind)
{
    struct assay_frame *frames = assay_store_copy(store, m->frames, m->frames_count * sizeof *frames);
    for (uint16_t i = 0; i < m->frames_count; i++) {
        frames[i].max = UINT32_MAX;
        if (kind == ASSAY_LOOSE_GRAFT)
            frames[i].body = ASSAY_NONE;
    }
    m->frames = frames;
}

static void loosen_messages(struct assay_store *store, struct assay_model *m, enum assay_loose_kind kind)
{
    struct assay_message *messages = assay_store_copy(store, m->messages, m->messages_count * sizeof *messages);
    for (uint16_t i = 0; i < m->messages_count; i++) {
        messages[i].tag_kind = ASSAY_TAG_NONE;
        messages[i].wheres.count = 0;
        messages[i].wire_max = 4 * m->frame_max + 4096;
        if (kind == ASSAY_LOOSE_GRAFT)
            messages[i].fields.count = 0;
    }
    m->messages = messages;
}

struct assay_model *assay_loose_model(struct assay_store *store, const struct assay_model *model,
                                      enum assay_loose_kind kind)
{
    struct assay_model *m = assay_store_copy(store, model, sizeof *model);
    widen_types(store, m);
    loosen_fields(store, m, kind);
    loosen_frames(store, m, kind);
    loosen_messages(store, m, kind);
    m->scratch += 8 * model->frame_max + 16384;
    return m;
}

/* ---- what stands on the wire ------------------------------------------- */

static struct assay_blob text_blob(struct assay_store *store, int64_t n, bool hex)
{
    char text[32];
    int size = hex ? snprintf(text, sizeof text, "%" PRIx64, (uint64_t)n) : snprintf(text, sizeof text, "%" PRId64, n);
    return assay_store_blob(store, (const uint8_t *)text, (uint32_t)size);
}

struct assay_blob assay_loose_content(struct assay_store *store, const struct assay_model *model,
                                      const struct assay_field *f, struct assay_value value)
{
    if (f->form == ASSAY_FORM_DECIMAL)
        return text_blob(store, value.n, false);
    if (f->form == ASSAY_FORM_HEX)
        return text_blob(store, value.n, true);
    const struct assay_type *type = &model->types[f->type];
    if (type->kind == ASSAY_T_ENUM)
        return model->enum_items[model->enums[type->of].items.first + value.n].text;
    return value.bytes;
}

/* Groups of seven bits, in the order of the field's flags. */
static uint32_t put_varint(uint64_t n, bool little, uint8_t *out)
{
    uint32_t size = 1;
    while (size < 10 && n >> (7 * size))
        size++;
    for (uint32_t i = 0; i < size; i++) {
        uint32_t group = little ? i : size - 1 - i;
        out[i] = (uint8_t)((n >> (7 * group) & 0x7f) | (i + 1 < size ? 0x80 : 0));
    }
    return size;
}

static uint32_t put_prefix(const struct assay_field *f, uint64_t n, uint8_t *out)
{
    uint32_t size = f->extent_arg / 8u;
    if (f->extent_arg == 0)
        return put_varint(n, f->flags & ASSAY_F_LITTLE, out);
    for (uint32_t i = 0; i < size; i++)
        out[f->flags & ASSAY_F_LITTLE ? i : size - 1 - i] = (uint8_t)(n >> (8 * i));
    return size;
}

static struct assay_blob join(struct assay_store *store, struct assay_blob a, struct assay_blob b)
{
    uint8_t *p = assay_store(store, (size_t)a.n + b.n + 1);
    if (a.n)
        memcpy(p, a.p, a.n);
    if (b.n)
        memcpy(p + a.n, b.p, b.n);
    return (struct assay_blob){p, a.n + b.n};
}

struct assay_blob assay_loose_wrap(struct assay_store *store, const struct assay_model *model,
                                   const struct assay_field *f, struct assay_blob content)
{
    uint8_t prefix[16];
    if (f->extent == ASSAY_EXT_UNTIL)
        return join(store, content, model->blobs[model->delims[f->extent_arg].blobs.first]);
    if (f->extent == ASSAY_EXT_PREFIX)
        return join(store, (struct assay_blob){prefix, put_prefix(f, content.n, prefix)}, content);
    return content;
}
