/* Types: structured text - name=value pairs, and JSON objects as another form of fields. */
#include <string.h>

#include "compiler/read_type.h"
#include "compiler/types.h"

/* ---- pairs ------------------------------------------------------------- */

enum {
    PA_SEPARATOR,
    PA_ASSIGN,
    PA_QUOTE,
    PA_QUOTE_IF,
    PA_ESCAPE,
    PA_ESCAPES,
    PA_NAME,
    PA_VALUE,
    PA_SORTED,
    PA_DUP,
    PA_MOST,
    PA_KEYS
};
static const struct shape_key pairs_keys[PA_KEYS] = {
    [PA_SEPARATOR] = {"separator", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [PA_ASSIGN] = {"assign", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [PA_QUOTE] = {"quote", SHAPE_SCALAR, NULL},
    [PA_QUOTE_IF] = {"quote-if", SHAPE_SCALAR, NULL},
    [PA_ESCAPE] = {"escape", SHAPE_SCALAR, NULL},
    [PA_ESCAPES] = {"escapes", SHAPE_MAPPING, NULL},
    [PA_NAME] = {"name", SHAPE_SCALAR | SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [PA_VALUE] = {"value", SHAPE_SCALAR | SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [PA_SORTED] = {"sorted", SHAPE_SCALAR, NULL},
    [PA_DUP] = {"duplicates", SHAPE_SCALAR, NULL},
    [PA_MOST] = {"most", SHAPE_SCALAR, NULL},
};

/* One byte that is not NUL, which stands for "none". */
static uint8_t one_byte(struct reading *r, const struct assay_node *node)
{
    struct assay_blob blob = {0};
    if (!node || !assay_read_bytes(r->spec, node, false, &blob))
        return 0;
    if (blob.n == 1 && blob.p[0])
        return blob.p[0];
    assay_spec_error(r->spec, node->at, "'%s' is one byte, and not NUL", node->key->text);
    return 0;
}

static void read_escapes(struct reading *r, struct spec_pairs *p, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node) {
        struct assay_blob letter = {0}, stands = {0};
        if (p->is.escapes == ASSAY_ESCAPES_MAX) {
            assay_spec_error(r->spec, child->key->at, "more than %d escapes", ASSAY_ESCAPES_MAX);
            return;
        }
        if (!assay_read_bytes(r->spec, child->key, false, &letter) || !assay_read_bytes(r->spec, child, false, &stands))
            continue;
        if (letter.n != 1 || stands.n != 1) {
            assay_spec_error(r->spec, child->key->at, "an escape is a letter and the byte that it stands for");
            continue;
        }
        p->is.letters[p->is.escapes] = letter.p[0];
        p->is.stands[p->is.escapes++] = stands.p[0];
    }
}

static struct spec_type *text_type(struct reading *r, const struct assay_node *node)
{
    struct spec_type *t = node ? assay_read_type(r->spec, node, NULL, NULL) : NULL;
    if (t && !assay_kind_is_bytes(t->kind)) {
        assay_spec_error(r->spec, node->at, "the %ss of pairs are text or bytes, not %s", node->key->text,
                         assay_type_says(t));
        t = NULL;
    }
    if (t && (t->check || t->in.count || t->leniency))
        assay_spec_declared(r->spec, node->at, "checks of names and values other than bounds and classes");
    return t ? t : assay_arena_copy(&r->spec->arena, &assay_type_bytes, sizeof *t);
}

/* Bytes that mean something are different ones. */
static void check_bytes(struct reading *r, const struct spec_pairs *p)
{
    const uint8_t all[] = {p->is.separator, p->is.assign, p->is.quote, p->is.escape};
    for (unsigned i = 0; i < 4; i++)
        for (unsigned j = 0; j < i; j++)
            if (all[i] && all[i] == all[j]) {
                assay_spec_error(r->spec, p->at, "separator, assign, quote and escape of pairs are different bytes");
                return;
            }
}

static void check_escapes(struct reading *r, const struct spec_pairs *p, const struct assay_node *const *of)
{
    bool itself = false;
    for (unsigned i = 0; i < p->is.escapes; i++)
        itself = itself || p->is.stands[i] == p->is.escape;
    if (p->is.escape && !itself)
        assay_spec_error(r->spec, of[PA_ESCAPE]->at, "the escape itself needs a letter: a value may hold that byte");
    if (p->is.escapes && !p->is.escape)
        assay_spec_error(r->spec, of[PA_ESCAPES]->key->at,
                         "'escapes' need the byte that comes before their letters: 'escape'");
    if (p->quote_if && !p->is.quote)
        assay_spec_error(r->spec, of[PA_QUOTE_IF]->key->at, "'quote-if' goes with 'quote'");
    bool separates = p->quote_if && (p->quote_if->bits[p->is.separator >> 6] >> (p->is.separator & 63) & 1);
    if (p->is.quote && p->is.separator && !separates)
        assay_spec_error(r->spec, of[PA_QUOTE]->at,
                         "a value with the separator in it has to stand in quotes: name it in 'quote-if'");
}

/* What a name cannot hold: it would end there, or begin something else. */
static bool name_can_hold(const struct spec_type *t, uint8_t byte)
{
    bool allowed = !t->set || (t->set->bits[byte >> 6] >> (byte & 63) & 1);
    return byte && allowed && !(t->kind == ASSAY_T_TEXT && t->charset == ASSAY_CS_ASCII && byte > 127);
}

static void check_names(struct reading *r, const struct spec_pairs *p, const struct assay_node *node)
{
    if (name_can_hold(p->name, p->is.assign) || name_can_hold(p->name, p->is.separator))
        assay_spec_error(r->spec, node->at,
                         "a name cannot hold 'assign' or 'separator': exclude them with 'chars' or 'not'");
    else if (p->name->min < 1)
        assay_spec_error(r->spec, node->at, "a name has at least one byte: say 'min: 1'");
}

void assay_form_pairs(struct reading *r)
{
    static const char *const words[] = {
        [ASSAY_DUP_LAST] = "last", [ASSAY_DUP_FIRST] = "first", [ASSAY_DUP_FAULT] = "malformed"};
    const struct assay_node *of[PA_KEYS];
    struct spec_pairs *p = ASSAY_NEW(&r->spec->arena, struct spec_pairs);
    int64_t most = ASSAY_PAIRS_MAX;
    *r->type = (struct spec_type){.name = "bytes", .kind = ASSAY_T_BYTES, .max = UINT32_MAX, .form = ASSAY_FORM_PAIRS};
    r->type->wire = true;
    r->type->extent = (struct spec_extent){.at = r->node->at, .kind = ASSAY_EXT_REST};
    r->type->pairs = p;
    p->at = r->of[T_PAIRS]->at;
    if (!assay_shape(r->spec, r->of[T_PAIRS], "pairs", pairs_keys, PA_KEYS, of))
        return;
    p->is.separator = one_byte(r, of[PA_SEPARATOR]);
    p->is.assign = one_byte(r, of[PA_ASSIGN]);
    p->is.quote = one_byte(r, of[PA_QUOTE]);
    p->is.escape = one_byte(r, of[PA_ESCAPE]);
    p->quote_if = of[PA_QUOTE_IF] ? assay_read_class(r->spec, of[PA_QUOTE_IF]) : NULL;
    read_escapes(r, p, of[PA_ESCAPES]);
    p->name = text_type(r, of[PA_NAME]);
    p->value = text_type(r, of[PA_VALUE]);
    p->is.sorted = assay_read_bool(r->spec, of[PA_SORTED], false);
    size_t word = of[PA_DUP] ? assay_read_word(r->spec, of[PA_DUP], words, 3, "duplicates") : ASSAY_DUP_LAST;
    p->is.duplicates = word < 3 ? (uint8_t)word : ASSAY_DUP_LAST;
    assay_read_int(r->spec, of[PA_MOST], 1, ASSAY_PAIRS_MAX, &most);
    p->is.most = (uint16_t)most;
    check_bytes(r, p);
    check_escapes(r, p, of);
    if (of[PA_NAME])
        check_names(r, p, of[PA_NAME]);
}

/* ---- JSON -------------------------------------------------------------- */

void assay_form_json(struct reading *r)
{
    static const struct shape_key keys[] = {{"members", SHAPE_MAPPING, NULL}, {"rest", SHAPE_SCALAR, NULL}};
    const struct assay_node *of[2];
    struct spec_object *o = ASSAY_NEW(&r->spec->arena, struct spec_object);
    *r->type = (struct spec_type){.name = "json", .kind = SPEC_T_NONE, .form = ASSAY_FORM_OBJECT, .wire = true};
    r->type->extent = (struct spec_extent){.at = r->node->at, .kind = ASSAY_EXT_REST};
    r->type->object = o;
    o->at = r->of[T_JSON]->at;
    if (!assay_shape(r->spec, r->of[T_JSON], "json", keys, 2, of))
        return;
    o->rest = of[1];
    ASSAY_CHILDREN (child, of[0]) {
        struct spec_object_member *m = ASSAY_NEW(&r->spec->arena, struct spec_object_member);
        m->node = child;
        if (assay_shape_is(r->spec, child, SHAPE_SCALAR, "the field of a member") &&
            assay_read_bytes(r->spec, child->key, true, &m->name))
            assay_list_add(r->spec, &o->members, m);
    }
}
