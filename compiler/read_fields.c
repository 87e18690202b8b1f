/* Fields of frames and messages: records become their parts, what stands around a value becomes fields of its own. */
#include <string.h>

#include "compiler/read_fields.h"
#include "compiler/types.h"

struct fields_context {
    struct assay_spec *spec;
    struct spec_list *fields, *groups;
    struct spec_group *group; /* whose parts are read; NULL: none */
};

/* What the keys around a field's type say. */
struct around {
    const struct assay_node *of[FIELD_KEYS];
    struct spec_field *ahead; /* tells whether the field is there; NULL: always, or `if` does */
};

bool assay_keeps_value(const struct spec_field *f)
{
    return f->type->form == ASSAY_FORM_AHEAD || (f->name && f->type->kind != SPEC_T_NONE);
}

/* ---- making ------------------------------------------------------------ */

static void check_unique(struct fields_context *c, const struct spec_field *f)
{
    SPEC_EACH (struct spec_field, other, c->fields)
        if (other != f && f->name && other->name && strcmp(other->name, f->name) == 0)
            assay_spec_error(c->spec, f->at, "a field '%s' is there already (line %u)", f->name, other->at.line);
    SPEC_EACH (struct spec_group, g, c->groups)
        if (g != f->group && f->name && strcmp(g->name, f->name) == 0)
            assay_spec_error(c->spec, f->at, "a field '%s' is there already (line %u)", f->name, g->at.line);
}

static struct spec_field *field_new(struct fields_context *c, const struct assay_node *node, const char *name,
                                    struct spec_type *type)
{
    struct spec_field *f = ASSAY_NEW(&c->spec->arena, struct spec_field);
    f->at = node->key->at;
    f->node = node;
    f->name = name;
    f->type = type;
    f->slot = f->index = ASSAY_NONE;
    f->group = c->group;
    f->position = c->fields->count;
    check_unique(c, f);
    assay_list_add(c->spec, c->fields, f);
    return f;
}

static struct spec_expr *field_expr(struct assay_spec *spec, const struct spec_field *f)
{
    struct spec_expr *e = ASSAY_NEW(&spec->arena, struct spec_expr);
    *e = (struct spec_expr){.kind = SPEC_E_FIELD, .node = f->node, .name = f->name, .type = f->type, .ref.field = f};
    return e;
}

/* When the parts of a field are there. Parsed anew for each: resolving changes expressions. */
static struct spec_expr *presence(struct fields_context *c, const struct around *a)
{
    if (a->ahead)
        return field_expr(c->spec, a->ahead);
    return a->of[FIELD_IF] ? assay_expr_parse(c->spec, a->of[FIELD_IF]) : NULL;
}

static struct spec_field *constant_new(struct fields_context *c, const struct assay_node *node,
                                       const struct assay_node *text, const struct around *a)
{
    struct spec_type *t = ASSAY_NEW(&c->spec->arena, struct spec_type);
    if (!text)
        return NULL;
    *t = (struct spec_type){
        .at = text->at, .name = "const", .kind = SPEC_T_NONE, .form = ASSAY_FORM_CONST, .wire = true};
    if (assay_read_bytes(c->spec, text, false, &t->bytes) && t->bytes.n == 0)
        assay_spec_error(c->spec, text->at, "'%s' has at least one byte", text->key->text);
    struct spec_field *f = field_new(c, node, NULL, t);
    f->present = presence(c, a);
    return f;
}

static struct spec_field *ahead_new(struct fields_context *c, const struct assay_node *node, const char *name,
                                    struct spec_ahead ahead)
{
    struct spec_type *t = assay_arena_copy(&c->spec->arena, &assay_type_bool, sizeof *t);
    t->at = node->at;
    t->form = ASSAY_FORM_AHEAD;
    t->wire = t->bounded = true;
    struct spec_field *f = field_new(c, node, name, t);
    f->ahead = assay_arena_copy(&c->spec->arena, &ahead, sizeof ahead);
    return f;
}

/* ---- whether it is there ----------------------------------------------- */

static bool read_ahead(struct fields_context *c, const struct assay_node *node, struct spec_ahead *ahead)
{
    static const struct shape_key keys[] = {{"ahead", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                            {"before", SHAPE_SCALAR | SHAPE_SEQUENCE, NULL}};
    const struct assay_node *of[2];
    if (!assay_shape(c->spec, node, "optional", keys, 2, of) || !of[0])
        return false;
    ahead->kind = ASSAY_AHEAD_HOLDS;
    if (assay_read_bytes(c->spec, of[0], false, &ahead->text) && ahead->text.n == 0)
        assay_spec_error(c->spec, of[0]->at, "a text to look for has at least one byte");
    if (of[1])
        assay_read_delims(c->spec, of[1], &ahead->before);
    return true;
}

/* `optional`: a hidden field in front tells. */
static void read_optional(struct fields_context *c, const struct assay_node *node, struct around *a)
{
    const struct assay_node *optional = a->of[FIELD_OPTIONAL], *lead = a->of[FIELD_LEAD];
    struct spec_ahead ahead = {.kind = ASSAY_AHEAD_LEFT};
    if (!optional || (optional->kind == ASSAY_NODE_SCALAR && !assay_read_bool(c->spec, optional, false)))
        return;
    if (a->of[FIELD_IF])
        assay_spec_error(c->spec, optional->key->at, "a field is 'optional', or there 'if' something holds; not both");
    if (optional->kind != ASSAY_NODE_SCALAR) {
        if (!read_ahead(c, optional, &ahead))
            return;
    } else if (lead && assay_read_bytes(c->spec, lead, false, &ahead.text)) {
        ahead.kind = ASSAY_AHEAD_BEGINS;
    }
    a->ahead = ahead_new(c, node, NULL, ahead);
}

/* ---- members of pairs -------------------------------------------------- */

static bool may_be_member(const struct spec_type *t)
{
    bool form = t->form == ASSAY_FORM_BYTES || t->form == ASSAY_FORM_DECIMAL || t->form == ASSAY_FORM_HEX;
    return form && t->wire && (t->extent.kind == ASSAY_EXT_REST || t->extent.kind == ASSAY_EXT_BEFORE);
}

/* A value under a name has its end already; what would end it in front of something cannot be in it. */
static void end_member(struct fields_context *c, struct spec_type *t)
{
    struct assay_byteset *set = ASSAY_NEW(&c->spec->arena, struct assay_byteset);
    for (unsigned i = 0; i < 4; i++)
        set->bits[i] = t->set ? t->set->bits[i] : ~(uint64_t)0;
    if (t->extent.kind == ASSAY_EXT_BEFORE)
        SPEC_EACH (struct assay_blob, d, &t->extent.delims) {
            if (d->n == 1)
                set->bits[d->p[0] >> 6] &= ~((uint64_t)1 << (d->p[0] & 63));
            else
                assay_spec_error(c->spec, t->at, "what a member of pairs ends before is one byte each");
        }
    if (t->extent.kind == ASSAY_EXT_BEFORE && assay_kind_is_bytes(t->kind))
        t->set = set;
    t->extent = (struct spec_extent){.at = t->extent.at, .kind = ASSAY_EXT_REST};
}

static void read_member(struct fields_context *c, struct spec_field *f, const struct around *a)
{
    const struct assay_node *key = a->of[FIELD_KEY];
    f->in_pairs = a->of[FIELD_PAIR];
    f->optional = assay_read_bool(c->spec, a->of[FIELD_OPTIONAL], false);
    f->key = (struct assay_blob){(const uint8_t *)f->name, f->name ? (uint32_t)strlen(f->name) : 0};
    if (key)
        assay_read_bytes(c->spec, key, true, &f->key);
    if (f->name && f->type->kind != SPEC_T_ANY && !may_be_member(f->type))
        assay_spec_error(c->spec, f->node->at,
                         "a member of pairs is the value under a name: bytes, text, decimal or hex, up to 'rest' or "
                         "'before' something");
    end_member(c, f->type);
    static const unsigned misplaced[] = {FIELD_LEAD, FIELD_TAIL, FIELD_IF, FIELD_IS};
    for (size_t i = 0; i < sizeof misplaced / sizeof misplaced[0]; i++)
        if (a->of[misplaced[i]])
            assay_spec_error(c->spec, a->of[misplaced[i]]->key->at, "'%s' does not go with a member of pairs",
                             a->of[misplaced[i]]->key->text);
    if (!f->name)
        assay_spec_error(c->spec, f->at, "a member of pairs needs a name");
}

/* ---- one field --------------------------------------------------------- */

static void check_encoded(struct fields_context *c, const struct spec_field *f)
{
    const struct spec_type *t = f->type;
    const char *form = assay_kind_is_bytes(t->kind) ? t->name : "decimal";
    if (!t->wire && t->kind != SPEC_T_ANY)
        assay_spec_error(c->spec, f->node->at,
                         "a field has to say how it is encoded: {%s: EXTENT}, for example {%s: rest}", form, form);
    if (!f->name && (t->check || t->in.count || t->first))
        assay_spec_error(c->spec, f->at,
                         "padding holds what 'is' says, or zero; give the field a name for anything else");
}

static struct spec_field *read_plain(struct fields_context *c, const struct assay_node *node, const char *name,
                                     struct spec_type *type, const struct around *a)
{
    struct assay_spec *spec = c->spec;
    struct spec_field *f = field_new(c, node, name, assay_type_instance(spec, type));
    f->is = a->of[FIELD_IS] ? assay_expr_parse(spec, a->of[FIELD_IS]) : NULL;
    f->init = a->of[FIELD_DEFAULT] ? assay_expr_parse(spec, a->of[FIELD_DEFAULT]) : NULL;
    f->present = a->of[FIELD_PAIR] ? NULL : presence(c, a);
    check_encoded(c, f);
    if (a->of[FIELD_PAIR])
        read_member(c, f, a);
    if (f->type->of && !f->type->of->name)
        f->type->of->name = f->type->name = f->name;
    if (a->ahead && name && f->type->kind != SPEC_T_NONE)
        assay_list_add(spec, &a->ahead->ahead->of, f);
    return f;
}

/* A part of a record: as the field around it says, or never. */
static void read_part(struct fields_context *c, const struct assay_node *node, const struct spec_type *record,
                      const struct around *outer)
{
    const struct assay_node *entry = assay_read_single(c->spec, node, "a field");
    struct around a = {.ahead = outer->ahead};
    if (!entry)
        return;
    struct spec_type *type = assay_read_type(c->spec, entry, NULL, a.of);
    if (!type)
        return;
    if (!type->req && record->req) {
        type = assay_type_instance(c->spec, type);
        type->req = record->req;
    }
    static const unsigned misplaced[] = {FIELD_OPTIONAL, FIELD_PAIR, FIELD_KEY, FIELD_LEAD, FIELD_TAIL, FIELD_IF};
    for (size_t i = 0; i < sizeof misplaced / sizeof misplaced[0]; i++)
        if (a.of[misplaced[i]])
            assay_spec_error(c->spec, a.of[misplaced[i]]->key->at, "'%s' does not go with a part of a record",
                             a.of[misplaced[i]]->key->text);
    a.of[FIELD_IF] = outer->of[FIELD_IF];
    const char *name = strcmp(entry->key->text, "_") == 0 ? NULL : entry->key->text;
    if (name && assay_read_name(c->spec, name, entry->key->at, "a field") && strchr(name, '-'))
        assay_spec_error(c->spec, entry->key->at, "'%s' is used in expressions, where - means minus: use _", name);
    if (type->kind == SPEC_T_RECORD || type->form == ASSAY_FORM_PAIRS || type->form == ASSAY_FORM_OBJECT) {
        assay_spec_declared(c->spec, entry->at, "structured values inside each other");
        return;
    }
    struct spec_field *f = read_plain(
        c, entry, name ? assay_arena_printf(&c->spec->arena, "%s.%s", c->group->name, name) : NULL, type, &a);
    if (name)
        assay_list_add(c->spec, &c->group->parts, f);
}

static void read_record(struct fields_context *c, const struct assay_node *node, const char *name,
                        const struct spec_type *type, const struct around *a)
{
    struct spec_group *g = ASSAY_NEW(&c->spec->arena, struct spec_group);
    *g = (struct spec_group){.at = node->key->at, .name = name, .record = type->record, .ahead = a->ahead};
    if (!name) {
        assay_spec_error(c->spec, g->at, "a field of a record type needs a name");
        return;
    }
    assay_list_add(c->spec, c->groups, g);
    c->group = g;
    ASSAY_CHILDREN (part, type->record)
        read_part(c, part, type, a);
    c->group = NULL;
    if (g->parts.count == 0 && type->record->count > 0)
        assay_spec_error(c->spec, g->at, "a record has at least one part with a name");
}

/* A flag that tells whether the object is there, and the object. */
static void read_object(struct fields_context *c, const struct assay_node *node, const char *name,
                        struct spec_type *type, struct around *a)
{
    static const uint8_t brace = '{';
    if (!name)
        assay_spec_error(c->spec, node->key->at, "a field of type json needs a name");
    static const unsigned misplaced[] = {FIELD_OPTIONAL, FIELD_LEAD, FIELD_TAIL, FIELD_IF, FIELD_IS, FIELD_DEFAULT};
    for (size_t i = 0; i < sizeof misplaced / sizeof misplaced[0]; i++)
        if (a->of[misplaced[i]])
            assay_spec_error(c->spec, a->of[misplaced[i]]->key->at,
                             "'%s' does not go with json, which is there where the next byte is {",
                             a->of[misplaced[i]]->key->text);
    a->ahead = ahead_new(c, node, name, (struct spec_ahead){.kind = ASSAY_AHEAD_BEGINS, .text = {&brace, 1}});
    struct spec_field *f = field_new(c, node, NULL, assay_arena_copy(&c->spec->arena, type, sizeof *type));
    f->present = field_expr(c->spec, a->ahead);
}

static const char *field_name(struct assay_spec *spec, const struct assay_node *entry)
{
    const char *name = strcmp(entry->key->text, "_") == 0 ? NULL : entry->key->text;
    if (name)
        assay_read_name(spec, name, entry->key->at, "a field");
    if (name && strchr(name, '-'))
        assay_spec_error(spec, entry->key->at, "'%s' is used in expressions, where - means minus: use _", name);
    return name;
}

static void read_field(struct fields_context *c, const struct assay_node *node)
{
    const struct assay_node *entry = assay_read_single(c->spec, node, "a field");
    struct around a = {.ahead = NULL};
    if (!entry)
        return;
    const char *name = field_name(c->spec, entry);
    struct spec_type *type = assay_read_type(c->spec, entry, NULL, a.of);
    if (a.of[FIELD_INIT])
        assay_spec_error(c->spec, a.of[FIELD_INIT]->key->at, "what a sender leaves out is the field's 'default'");
    if (a.of[FIELD_KEY] && !a.of[FIELD_PAIR])
        assay_spec_error(c->spec, a.of[FIELD_KEY]->key->at, "'key' goes with 'pair': the field that holds the pairs");
    if (!type)
        type = assay_arena_copy(&c->spec->arena, &assay_type_any, sizeof *type);
    if (type->form == ASSAY_FORM_OBJECT && type->kind == SPEC_T_NONE) {
        read_object(c, entry, name, type, &a);
        return;
    }
    if (!a.of[FIELD_PAIR])
        read_optional(c, entry, &a);
    struct spec_field *lead = constant_new(c, entry, a.of[FIELD_PAIR] ? NULL : a.of[FIELD_LEAD], &a), *f = NULL;
    if (type->kind == SPEC_T_RECORD)
        read_record(c, entry, name, type, &a);
    else
        f = read_plain(c, entry, name, type, &a);
    struct spec_field *tail = constant_new(c, entry, a.of[FIELD_PAIR] ? NULL : a.of[FIELD_TAIL], &a);
    if (f) {
        f->lead = lead;
        f->tail = tail;
    }
}

/* ---- JSON objects ------------------------------------------------------ */

static struct spec_field *target_of(struct fields_context *c, const struct spec_field *object,
                                    const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    SPEC_EACH (struct spec_field, f, c->fields) {
        if (f->position <= object->position || !f->name)
            continue;
        if (strcmp(f->name, node->text) == 0)
            return f;
        assay_near_add(&near, f->name);
    }
    assay_spec_error(c->spec, node->at, "no field behind the object is called '%s'%s", node->text,
                     assay_near_text(&near));
    return NULL;
}

/* Where the object is there, nothing of its fields is on the wire: not what stands around them either. */
static void hide(const struct spec_field *object, struct spec_field *target)
{
    struct spec_field *all[] = {target, target->lead, target->tail};
    for (unsigned i = 0; i < 3; i++)
        if (all[i])
            all[i]->unless = object->present->ref.field;
}

static void place_object(struct fields_context *c, const struct spec_field *f)
{
    struct spec_object *object = f->type->object;
    SPEC_EACH (struct spec_object_member, m, &object->members) {
        m->field = target_of(c, f, m->node);
        if (!m->field)
            continue;
        hide(f, m->field);
        if (m->field->type->kind != SPEC_T_ANY && m->field->type->form != ASSAY_FORM_BYTES &&
            m->field->type->form != ASSAY_FORM_DECIMAL && m->field->type->form != ASSAY_FORM_HEX)
            assay_spec_error(c->spec, m->node->at,
                             "a member of an object is read from text: bytes, text, decimal or hex");
    }
    object->rest_field = object->rest ? target_of(c, f, object->rest) : NULL;
    if (object->rest_field && object->rest_field->type->form != ASSAY_FORM_PAIRS)
        assay_spec_error(c->spec, object->rest->at, "the other members go to a field of type pairs");
    if (object->rest_field)
        hide(f, object->rest_field);
}

/* ---- all --------------------------------------------------------------- */

/* Whether bytes are left tells whether a field is there only if no other field wants them. */
static void check_left(struct fields_context *c, size_t i)
{
    const struct spec_field *ahead = c->fields->items[i];
    if (!ahead->ahead || ahead->ahead->kind != ASSAY_AHEAD_LEFT)
        return;
    for (size_t k = i + 1; k < c->fields->count; k++) {
        const struct spec_field *f = c->fields->items[k];
        if (f->present || f->in_pairs || f->type->form == ASSAY_FORM_CALC || f->type->form == ASSAY_FORM_AHEAD)
            continue;
        assay_spec_error(c->spec, ahead->at,
                         "this field is there if anything is left, and more always stands behind it: say what tells, "
                         "with 'lead' or 'optional: {ahead: TEXT}', or put it last");
        return;
    }
}

void assay_read_fields(struct assay_spec *spec, const struct assay_node *node, struct spec_list *fields,
                       struct spec_list *groups)
{
    struct fields_context c = {.spec = spec, .fields = fields, .groups = groups};
    ASSAY_CHILDREN (child, node)
        read_field(&c, child);
    for (size_t i = 0; i < fields->count; i++) {
        const struct spec_field *f = fields->items[i];
        if (f->type->form == ASSAY_FORM_OBJECT && f->type->object)
            place_object(&c, f);
        check_left(&c, i);
    }
}

void assay_place_members(struct assay_spec *spec, const struct spec_list *fields, const struct spec_frame *frame)
{
    SPEC_EACH (struct spec_field, f, fields) {
        struct assay_near near = {.wanted = f->in_pairs ? f->in_pairs->text : ""};
        if (!f->in_pairs)
            continue;
        if (frame)
            SPEC_EACH (struct spec_field, other, &frame->fields) {
                if (other->name && strcmp(other->name, near.wanted) == 0)
                    f->pairs = other;
                assay_near_add(&near, other->name);
            }
        if (!f->pairs)
            assay_spec_error(spec, f->in_pairs->at, "the frame has no field '%s'%s", near.wanted,
                             assay_near_text(&near));
        else if (f->pairs->type->form != ASSAY_FORM_PAIRS)
            assay_spec_error(spec, f->in_pairs->at, "'%s' is no field of type pairs", f->pairs->name);
        if (f->pairs && !f->pairs->type->pairs)
            f->pairs = NULL;
    }
}

/* ---- places and names ---------------------------------------------------- */

uint16_t assay_give_slots(struct assay_spec *spec, struct spec_list *fields, uint16_t slot)
{
    SPEC_EACH (struct spec_field, f, fields) {
        if (!assay_keeps_value(f))
            continue;
        f->slot = slot++;
        if (slot == ASSAY_SLOTS_MAX + 1)
            assay_spec_error(spec, f->at, "more than %d fields in frame and message", ASSAY_SLOTS_MAX);
    }
    return slot;
}

/* Whether some field is of a structured type (declared only), whose parts have names that are not looked into. */
bool assay_has_hidden_names(const struct spec_list *fields)
{
    SPEC_EACH (struct spec_field, f, fields)
        if (f->type->kind == SPEC_T_ANY)
            return true;
    return false;
}

/* NULL: there is none; an error, unless it may be a part of a structured field. */
struct spec_field *assay_frame_field(struct assay_spec *spec, const struct assay_node *node, struct spec_list *fields)
{
    struct assay_near near = {.wanted = node->text};
    SPEC_EACH (struct spec_field, f, fields) {
        if (f->name && strcmp(f->name, node->text) == 0)
            return f;
        assay_near_add(&near, f->name);
    }
    if (!assay_has_hidden_names(fields))
        assay_spec_error(spec, node->at, "the frame has no field '%s'%s", node->text, assay_near_text(&near));
    return NULL;
}
