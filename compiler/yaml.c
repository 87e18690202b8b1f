#include "compiler/yaml.h"

#include <string.h>
#include <yaml.h>

#define DEPTH_MAX     64
#define KEYS_MAX      4096u
#define NODES_MAX     200000u
#define SIZE_MAX_SPEC ((size_t)4 * 1024 * 1024)

struct reader {
    struct assay_arena *arena;
    struct assay_diags *diags;
    struct assay_node *open[DEPTH_MAX]; /* collections that are being filled */
    struct assay_node *last[DEPTH_MAX]; /* their last children */
    struct assay_node *key[DEPTH_MAX];  /* mappings: the key whose value comes next */
    size_t depth, nodes, documents;
    struct assay_node *root;
    bool failed;
};

static struct assay_at place(yaml_mark_t mark)
{
    return (struct assay_at){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

static void stop(struct reader *r, struct assay_at at, const char *text)
{
    assay_diag(r->diags, ASSAY_ERROR, at, "%s", text);
    r->failed = true;
}

/* ---- what is refused --------------------------------------------------- */

static bool boolean_word(const char *text)
{
    static const char *const words[] = {"on", "off", "yes", "no", "y", "n"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

static void refuse_word(struct reader *r, const struct assay_node *node)
{
    if (node->plain && boolean_word(node->text))
        assay_diag(r->diags, ASSAY_ERROR, node->at,
                   "'%s' is a boolean to many YAML readers; choose another name, or put it in quotes", node->text);
}

static void refuse_properties(struct reader *r, struct assay_at at, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        assay_diag(r->diags, ASSAY_ERROR, at, "anchors are not part of the language; write it out");
    if (tag)
        assay_diag(r->diags, ASSAY_ERROR, at, "tags are not part of the language; leave it out");
}

static void refuse_duplicate(struct reader *r, const struct assay_node *mapping, const struct assay_node *key)
{
    ASSAY_CHILDREN (other, mapping)
        if (other->key->size == key->size && memcmp(other->key->text, key->text, key->size) == 0) {
            assay_diag(r->diags, ASSAY_ERROR, key->at, "the key '%s' stands here already (line %u)", key->text,
                       other->key->at.line);
            return;
        }
}

/* ---- building ---------------------------------------------------------- */

static bool take_key(struct reader *r, struct assay_node *node)
{
    size_t top = r->depth - 1;
    if (r->open[top]->kind != ASSAY_NODE_MAPPING || r->key[top])
        return false;
    if (node->kind != ASSAY_NODE_SCALAR) {
        stop(r, node->at, "a key has to be a word, not a mapping or sequence");
        return true;
    }
    if (node->plain && strcmp(node->text, "<<") == 0)
        assay_diag(r->diags, ASSAY_ERROR, node->at, "merge keys are not part of the language; write it out");
    if (r->open[top]->count >= KEYS_MAX)
        stop(r, node->at, "more than 4096 keys in one mapping");
    refuse_duplicate(r, r->open[top], node);
    r->key[top] = node;
    return true;
}

static void attach(struct reader *r, struct assay_node *node)
{
    if (r->depth == 0) {
        r->root = node;
        return;
    }
    if (take_key(r, node))
        return;
    size_t top = r->depth - 1;
    node->key = r->key[top];
    r->key[top] = NULL;
    if (r->last[top])
        r->last[top]->next = node;
    else
        r->open[top]->first = node;
    r->last[top] = node;
    r->open[top]->count++;
}

static struct assay_node *node_new(struct reader *r, enum assay_node_kind kind, yaml_mark_t mark)
{
    struct assay_node *node = ASSAY_NEW(r->arena, struct assay_node);
    node->kind = (uint8_t)kind;
    node->at = place(mark);
    node->text = "";
    if (++r->nodes > NODES_MAX)
        stop(r, node->at, "the spec is too large");
    return node;
}

static void on_scalar(struct reader *r, const yaml_event_t *event)
{
    struct assay_node *node = node_new(r, ASSAY_NODE_SCALAR, event->start_mark);
    node->text = assay_arena_text(r->arena, (const char *)event->data.scalar.value, event->data.scalar.length);
    node->size = event->data.scalar.length;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    refuse_properties(r, node->at, event->data.scalar.anchor, event->data.scalar.tag);
    refuse_word(r, node);
    attach(r, node);
}

static void on_open(struct reader *r, const yaml_event_t *event, enum assay_node_kind kind)
{
    struct assay_node *node = node_new(r, kind, event->start_mark);
    bool mapping = kind == ASSAY_NODE_MAPPING;
    refuse_properties(r, node->at, mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
                      mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag);
    attach(r, node);
    if (r->depth == DEPTH_MAX) {
        stop(r, node->at, "mappings and sequences stand too deep in each other");
        return;
    }
    r->open[r->depth] = node;
    r->last[r->depth] = r->key[r->depth] = NULL;
    r->depth++;
}

static void on_event(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++r->documents > 1)
            stop(r, place(event->start_mark), "a second document; a spec is one document");
        break;
    case YAML_ALIAS_EVENT:
        stop(r, place(event->start_mark), "aliases are not part of the language; write it out");
        break;
    case YAML_SCALAR_EVENT:
        on_scalar(r, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        on_open(r, event, ASSAY_NODE_SEQUENCE);
        break;
    case YAML_MAPPING_START_EVENT:
        on_open(r, event, ASSAY_NODE_MAPPING);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

static void say_problem(struct reader *r, const yaml_parser_t *parser)
{
    struct assay_at at = place(parser->problem_mark);
    const char *problem = parser->problem ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR)
        at = (struct assay_at){(uint32_t)parser->mark.line + 1, (uint32_t)parser->mark.column + 1};
    assay_diag(r->diags, ASSAY_ERROR, at, "YAML: %s%s%s", problem, parser->context ? " " : "",
               parser->context ? parser->context : "");
    r->failed = true;
}

static void read_events(struct reader *r, yaml_parser_t *parser)
{
    for (bool more = true; more && !r->failed;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            say_problem(r, parser);
            return;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        on_event(r, &event);
        yaml_event_delete(&event);
    }
}

struct assay_node *assay_yaml_read(struct assay_arena *arena, const uint8_t *text, size_t size,
                                   struct assay_diags *diags)
{
    struct reader *r = ASSAY_NEW(arena, struct reader);
    r->arena = arena;
    r->diags = diags;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark: some editors write one */
        text += 3;
        size -= 3;
    }
    if (size > SIZE_MAX_SPEC) {
        stop(r, (struct assay_at){0, 0}, "the file is larger than 4 MiB");
        return NULL;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        stop(r, (struct assay_at){0, 0}, "out of memory");
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text, size);
    read_events(r, &parser);
    yaml_parser_delete(&parser);
    if (!r->failed && !r->root)
        stop(r, (struct assay_at){1, 1}, "the file holds no spec");
    return r->failed ? NULL : r->root;
}

/* ---- looking at nodes -------------------------------------------------- */

const struct assay_node *assay_node_get(const struct assay_node *node, const char *key)
{
    if (!node || node->kind != ASSAY_NODE_MAPPING)
        return NULL;
    ASSAY_CHILDREN (child, node)
        if (strcmp(child->key->text, key) == 0)
            return child;
    return NULL;
}

bool assay_node_is(const struct assay_node *node, const char *text)
{
    return node && node->kind == ASSAY_NODE_SCALAR && strcmp(node->text, text) == 0;
}

const char *assay_node_kind_name(const struct assay_node *node)
{
    static const char *const names[] = {"a single value", "a sequence", "a mapping"};
    return names[node->kind];
}

/* ---- places inside scalars --------------------------------------------- */

struct cursor {
    const uint8_t *p, *end;
    struct assay_at at;
};

static void step(struct cursor *c)
{
    if (c->p == c->end)
        return;
    if (*c->p++ == '\n') {
        c->at.line++;
        c->at.column = 1;
        return;
    }
    c->at.column++;
    while (c->p < c->end && (*c->p & 0xc0) == 0x80)
        c->p++;
}

static struct cursor seek(struct assay_at at, const uint8_t *text, size_t size)
{
    struct cursor c = {text, text + size, {1, 1}};
    while (c.p < c.end && (c.at.line < at.line || (c.at.line == at.line && c.at.column < at.column)))
        step(&c);
    return c;
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_blanks(struct cursor *c)
{
    while (c->p < c->end && blank(*c->p))
        step(c);
}

/* One character of an escape in double quotes; the cursor stands behind the backslash. */
static void skip_escape(struct cursor *c)
{
    unsigned digits = *c->p == 'x' ? 2 : *c->p == 'u' ? 4 : *c->p == 'U' ? 8 : 0;
    step(c);
    for (unsigned i = 0; i < digits; i++)
        step(c);
}

/* To where the text of a scalar begins; the quote around it, or 0. */
static uint8_t enter(struct cursor *c, const struct assay_node *node)
{
    if (node->plain || c->p >= c->end)
        return 0;
    uint8_t quote = *c->p == '\'' || *c->p == '"' ? *c->p : 0;
    if (quote) {
        step(c);
        return quote;
    }
    while (c->p < c->end && *c->p != '\n') /* | or >: it begins on the next line */
        step(c);
    skip_blanks(c);
    return 0;
}

/* Walks the source along with the text that YAML made of it: escapes are one character, folded lines one
 * blank. Where the two cannot be matched it stays close. */
struct assay_at assay_node_place(const struct assay_node *node, size_t offset, const uint8_t *text, size_t size)
{
    struct cursor c = seek(node->at, text, size);
    uint8_t quote = enter(&c, node);
    for (size_t i = 0; i < offset && i < node->size && c.p < c.end; i++) {
        if (((uint8_t)node->text[i] & 0xc0) == 0x80)
            continue;
        if (blank((uint8_t)node->text[i]) && blank(*c.p) && (*c.p == '\n' || node->text[i] == '\n')) {
            skip_blanks(&c);
            continue;
        }
        bool escape = quote == '"' && *c.p == '\\', doubled = quote == '\'' && *c.p == '\'';
        step(&c);
        if (escape && c.p < c.end)
            skip_escape(&c);
        else if (doubled)
            step(&c);
    }
    return c.at;
}
