/* Inputs of structured text: pairs in every shape that their grammar knows or refuses, JSON objects instead of fields,
 * and bytes around a message that do not count. */
#include <stdlib.h>
#include <string.h>

#include "conformance/loose.h"
#include "conformance/maker.h"
#include "core/pairs.h"

#define TEXT_MAX 65536u

struct text {
    uint8_t *p;
    uint32_t n;
};

static void put(struct text *t, const void *p, size_t n)
{
    if (t->n + n > TEXT_MAX)
        return;
    memcpy(t->p + t->n, p, n);
    t->n += (uint32_t)n;
}

/* ---- pairs ------------------------------------------------------------- */

/* Shapes of pairs, written with the usual signs: `;` separates, `=` assigns, `"` quotes, `~` escapes, `n` behind it
 * stands for the first letter that the grammar knows, N for the name under test. */
struct shape {
    const char *label, *text;
};

static const struct shape shapes[] = {
    {"one", "N=1"},
    {"empty-value", "N="},
    {"unsorted", "b=2;a=1"},
    {"sorted", "a=1;b=2"},
    {"twice", "N=1;N=2"},
    {"twice-apart", "N=1;z=3;N=2"},
    {"separator-quoted", "N=\"x;y\""},
    {"quoted-for-nothing", "N=\"x\""},
    {"quote-first", "N=\"~\"x\""},
    {"quote-inside", "N=x\"y"},
    {"escaped", "N=x~ny"},
    {"escaped-last", "N=x~n"},
    {"escaped-in-quotes", "N=\"x~n;\""},
    {"assign-inside", "N=a=b"},
    {"spaces", "N=a b"},
    {"unknown-escape", "N=~q"},
    {"escape-at-end", "N=x~"},
    {"unended-quote", "N=\"x"},
    {"behind-quote", "N=\"x\"y"},
    {"quote-escaped-outside", "N=x~\"y"},
    {"no-assign", "N"},
    {"no-name", "=1"},
    {"separator-last", "N=1;"},
    {"separator-first", ";N=1"},
    {"two-separators", "N=1;;b=2"},
    {"name-with-space", " N=1"},
    {"digit-first", "1N=1"},
    {"second-no-assign", "N=1;b"},
};

static bool put_sign(struct text *t, const struct assay_pairs *g, char c, const char *name, bool escaped)
{
    const uint8_t sign = c == ';' ? g->separator : c == '=' ? g->assign : c == '"' ? g->quote : g->escape;
    if (c == 'N')
        put(t, name, strlen(name));
    else if (escaped && c == 'n')
        put(t, g->letters, 1);
    else if (strchr(";=\"~", c))
        put(t, &sign, 1);
    else
        put(t, &c, 1);
    return c != '"' && c != '~' ? true : sign != 0;
}

/* False: the grammar has no such sign. */
static bool draw(struct text *t, const struct assay_pairs *g, const char *shape, const char *name)
{
    bool ok = true;
    t->n = 0;
    for (const char *p = shape; *p && ok; p++)
        ok = put_sign(t, g, *p, name, p > shape && p[-1] == '~');
    return ok;
}

/* About the order of pairs, and names that are equal. */
static bool is_of_grammar(const char *label)
{
    static const char *const labels[] = {"unsorted", "sorted", "twice", "twice-apart"};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (strcmp(label, labels[i]) == 0)
            return true;
    return false;
}

static void add_pairs(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f,
                      const struct text *t, const char *label, bool grammar)
{
    struct assay_value v = {.bytes = assay_store_blob(m->store, t->p, t->n)};
    struct assay_input input = assay_input_with(m, base, f->slot, v);
    uint16_t req = m->model->pairs[f->element].req;
    if (grammar && req != ASSAY_NONE)
        input.req = req;
    assay_maker_add_raw(m, m->raw, input, assay_store_text(m->store, "%s-%s", f->name, label));
}

/* As many pairs as the grammar takes, and one more. */
static void add_many(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f,
                     const struct assay_pairs *g, struct text *t)
{
    for (uint32_t more = 0; more < 2; more++) {
        t->n = 0;
        for (uint32_t i = 0; i < g->most + more; i++) {
            const char *pair = assay_store_text(m->store, "a%04u", (unsigned)i);
            if (i)
                put(t, &g->separator, 1);
            put(t, pair, strlen(pair));
            put(t, &g->assign, 1);
        }
        add_pairs(m, base, f, t, more ? "one-too-many" : "most", false);
    }
}

/* Names of the message's members in these pairs; the first is what shapes are drawn with. */
static const char *member_of(const struct assay_maker *m, const struct assay_input *base, const struct assay_field *f)
{
    struct assay_range fields = m->model->messages[base->message].fields;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *x = &m->model->fields[i];
        if (!(x->flags & ASSAY_F_MEMBER) || &m->model->fields[x->element] != f)
            continue;
        struct assay_blob name = m->model->blobs[x->extent_arg];
        return assay_store_text(m->store, "%.*s", (int)name.n, (const char *)name.p);
    }
    return "n";
}

bool assay_maker_put_member(struct assay_maker *m, const struct assay_input *base, const struct assay_field *member,
                            struct assay_blob content, struct assay_input *made)
{
    const struct assay_field *pairs = &m->model->fields[member->element];
    struct assay_env *env = &m->lens.env;
    struct assay_blob name = m->model->blobs[member->extent_arg], rest = base->values[pairs->slot].bytes;
    struct assay_span others = {rest.p, base->known >> pairs->slot & 1 ? rest.n : 0};
    struct assay_grammar grammar;
    struct assay_pair_list list;
    assay_val text;
    uint32_t count = 0;
    bool canonical;
    assay_lens_clear(&m->lens);
    assay_grammar_open(&grammar, m->model, pairs->element);
    if (!assay_pairs_survey(env, &grammar, others, &count, &canonical) ||
        !assay_pair_list_open(env, &list, count + 1) ||
        !assay_pair_list_add(env, &grammar, &list, (struct assay_span){name.p, name.n},
                             (struct assay_span){content.p, content.n}))
        return false;
    assay_pair_list_take(&grammar, &list, others);
    if (!assay_pair_list_close(env, &grammar, &list, ASSAY_DUP_FIRST, &text))
        return false;
    struct assay_span s = assay_bytes(env, text);
    *made = assay_input_with(m, base, pairs->slot, (struct assay_value){.bytes = assay_store_blob(m->store, s.p, s.n)});
    return true;
}

void assay_witness_pairs(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_input raw = assay_maker_raw_base(m, base);
    struct text t = {assay_store(m->store, TEXT_MAX), 0};
    struct assay_walk w = {.model = m->model, .frame = m->frame, .message = base->message};
    for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w)) {
        if (f->form != ASSAY_FORM_PAIRS)
            continue;
        const struct assay_pairs *g = &m->model->pairs[f->element];
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            if (draw(&t, g, shapes[i].text, member_of(m, base, f)))
                add_pairs(m, &raw, f, &t, shapes[i].label, is_of_grammar(shapes[i].label));
        add_many(m, &raw, f, g, &t);
    }
}

/* ---- JSON -------------------------------------------------------------- */

/* `C` stands for the members that the message needs. */
static const struct shape objects[] = {
    {"plain", "{C}"},
    {"spaced", " { C } "},
    {"string", "{C,\"a\":\"x\"}"},
    {"string-first", "{\"a\":\"x\",C}"},
    {"number", "{C,\"a\":-1.5e3}"},
    {"words", "{C,\"a\":true,\"b\":false,\"c\":null}"},
    {"escapes", "{C,\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"},
    {"unicode", "{C,\"a\":\"\\u00e9\\ud83d\\ude00\"}"},
    {"lone-surrogate", "{C,\"a\":\"\\ud83d\"}"},
    {"twice", "{C,\"a\":\"1\",\"a\":\"2\"}"},
    {"separator", "{C,\"a\":\"x;y=\\\"z\"}"},
    {"array", "{C,\"a\":[1]}"},
    {"nested", "{C,\"a\":{}}"},
    {"not-ended", "{C"},
    {"tail", "{C}x"},
    {"comma-last", "{C,}"},
    {"no-comma", "{C \"a\":1}"},
    {"bare-name", "{C,a:1}"},
    {"single-quotes", "{C,'a':1}"},
    {"leading-zero", "{C,\"a\":01}"},
    {"raw-control", "{C,\"a\":\"\x01\"}"},
    {"bad-escape", "{C,\"a\":\"\\x\"}"},
    {"empty", "{}"},
    {"without-it", "{\"a\":\"x\"}"},
    {"name-not-a-name", "{C,\"a b\":\"x\"}"},
    {"two-objects", "{C}{C}"},
};

/* What the tag of a message is on the wire: the text of the field that an object gives. */
static struct assay_blob text_of(struct assay_maker *m, const struct assay_input *base, uint16_t field)
{
    const struct assay_field *f = &m->model->fields[field];
    if (f->slot == ASSAY_NONE || !(base->known >> f->slot & 1))
        return (struct assay_blob){0};
    return assay_loose_content(m->store, m->model, f, base->values[f->slot]);
}

static void put_members(struct assay_maker *m, struct text *t, const struct assay_input *base,
                        const struct assay_object *object)
{
    for (uint16_t i = 0; i < object->members.count; i++) {
        const struct assay_object_member *member = &m->model->object_members[object->members.first + i];
        struct assay_blob text = text_of(m, base, member->field);
        put(t, i ? ",\"" : "\"", i ? 2 : 1);
        put(t, member->name.p, member->name.n);
        put(t, "\":\"", 3);
        put(t, text.p, text.n);
        put(t, "\"", 1);
    }
}

static uint16_t object_field(const struct assay_maker *m)
{
    struct assay_range fields = m->model->frames[m->frame].fields;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++)
        if (m->model->fields[i].form == ASSAY_FORM_OBJECT)
            return (uint16_t)i;
    return ASSAY_NONE;
}

/* A frame that is the object alone: what may stand before it is left out. */
static void add_object(struct assay_maker *m, const struct assay_input *base, const struct assay_object *object,
                       const struct shape *shape, struct text *t)
{
    const struct assay_frame *frame = &m->model->frames[m->frame];
    t->n = 0;
    for (const char *p = shape->text; *p; p++)
        if (*p == 'C')
            put_members(m, t, base, object);
        else
            put(t, p, 1);
    if (frame->end == ASSAY_END_UNTIL) {
        struct assay_blob delim = m->model->blobs[m->model->delims[frame->delims].blobs.first];
        put(t, delim.p, delim.n);
    }
    assay_maker_add(m, (struct assay_input){.label = assay_store_text(m->store, "object-%s", shape->label),
                                            .kind = ASSAY_INPUT_RAW,
                                            .message = base->message,
                                            .framed = true,
                                            .req = m->model->fields[object_field(m)].req,
                                            .bytes = assay_store_blob(m->store, t->p, t->n)});
}

void assay_witness_objects(struct assay_maker *m, const struct assay_input *base)
{
    struct text t = {assay_store(m->store, TEXT_MAX), 0};
    uint16_t field = object_field(m);
    if (field == ASSAY_NONE)
        return;
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        add_object(m, base, &m->model->objects[m->model->fields[field].element], &objects[i], &t);
}
