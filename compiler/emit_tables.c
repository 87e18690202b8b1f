/* A model as C initialisers. One function writes one kind of entry. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit.h"
#include "core/code.h"

/* ---- pieces ------------------------------------------------------------ */

static void string(FILE *to, const char *text)
{
    if (!text) {
        fputs("NULL", to);
        return;
    }
    fputc('"', to);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p == '"' || *p == '\\')
            fprintf(to, "\\%c", *p);
        else if (*p < ' ' || *p > '~' || *p == '?') /* no trigraphs */
            fprintf(to, "\\%03o", *p);
        else
            fputc(*p, to);
    fputc('"', to);
}

static void text(FILE *to, const char *key, const char *value)
{
    fprintf(to, ".%s = ", key);
    string(to, value);
    fputs(", ", to);
}

static void number(FILE *to, const char *key, int64_t value)
{
    if (value == INT64_MIN)
        fprintf(to, ".%s = INT64_MIN, ", key);
    else if (value > INT32_MAX || value < -INT32_MAX)
        fprintf(to, ".%s = INT64_C(%" PRId64 "), ", key, value);
    else if (value != 0)
        fprintf(to, ".%s = %" PRId64 ", ", key, value);
}

static void reference(FILE *to, const char *key, uint16_t value)
{
    if (value == ASSAY_NONE)
        fprintf(to, ".%s = ASSAY_NONE, ", key);
    else
        fprintf(to, ".%s = %u, ", key, value);
}

static void range(FILE *to, const char *key, struct assay_range r)
{
    fprintf(to, ".%s = {%u, %u}, ", key, r.first, r.count);
}

/* Compilers need not take longer literals. */
#define LITERAL_MAX 4000u

static void array(FILE *to, struct assay_blob blob)
{
    fputs("{(const uint8_t[]){", to);
    for (uint32_t i = 0; i < blob.n; i++)
        fprintf(to, "%s%u,", i % 24 ? " " : "\n        ", blob.p[i]);
    fprintf(to, "}, %" PRIu32 "}", blob.n);
}

static void bytes(FILE *to, struct assay_blob blob)
{
    if (blob.n > LITERAL_MAX) {
        array(to, blob);
        return;
    }
    fputs("{(const uint8_t *)\"", to);
    for (uint32_t i = 0; i < blob.n; i++)
        if (blob.p[i] >= ' ' && blob.p[i] <= '~' && !strchr("\"\\?", blob.p[i]))
            fputc(blob.p[i], to);
        else
            fprintf(to, "\\%03o", blob.p[i]);
    fprintf(to, "\", %" PRIu32 "}", blob.n);
}

static void literal(FILE *to, const char *key, struct assay_blob blob)
{
    if (blob.n == 0)
        return;
    fprintf(to, ".%s = ", key);
    bytes(to, blob);
    fputs(", ", to);
}

/* ---- entries ----------------------------------------------------------- */

#define NAMES static const char *const
NAMES kinds[] = {"ASSAY_T_INT",   "ASSAY_T_BOOL", "ASSAY_T_ENUM", "ASSAY_T_DURATION",
                 "ASSAY_T_BYTES", "ASSAY_T_TEXT", "ASSAY_T_LIST"};
NAMES forms[] = {"ASSAY_FORM_INT",   "ASSAY_FORM_VARINT", "ASSAY_FORM_DECIMAL", "ASSAY_FORM_HEX",
                 "ASSAY_FORM_BYTES", "ASSAY_FORM_CONST",  "ASSAY_FORM_LIST",    "ASSAY_FORM_CALC",
                 "ASSAY_FORM_AHEAD", "ASSAY_FORM_PAIRS",  "ASSAY_FORM_OBJECT"};
NAMES extents[] = {"ASSAY_EXT_FIXED", "ASSAY_EXT_CODE", "ASSAY_EXT_COUNT", "ASSAY_EXT_PREFIX",
                   "ASSAY_EXT_UNTIL", "ASSAY_EXT_REST", "ASSAY_EXT_BEFORE"};
NAMES ends[] = {"ASSAY_END_FIELDS",  "ASSAY_END_UNTIL",    "ASSAY_END_EOF",
                "ASSAY_END_SEGMENT", "ASSAY_END_DATAGRAM", "ASSAY_END_STREAM"};
NAMES event_kinds[] = {"ASSAY_EVK_BUILTIN", "ASSAY_EVK_FAULT", "ASSAY_EVK_TIMER", "ASSAY_EVK_MESSAGE",
                       "ASSAY_EVK_CALL"};
NAMES levels[] = {"ASSAY_MUST", "ASSAY_SHOULD", "ASSAY_MAY"};
NAMES state_kinds[] = {"ASSAY_STATE_PLAIN", "ASSAY_STATE_END", "ASSAY_STATE_WAIT"};
#undef NAMES

static void name_of(FILE *to, const char *key, const char *const *table, unsigned value)
{
    fprintf(to, ".%s = %s, ", key, table[value]);
}

static void emit_requirement(FILE *to, const struct assay_requirement *r)
{
    text(to, "id", r->id);
    text(to, "ref", r->ref);
    text(to, "text", r->text);
    name_of(to, "level", levels, r->level);
}

static void emit_transport(FILE *to, const struct assay_transport *t)
{
    text(to, "name", t->name);
    text(to, "bind", t->bind);
    number(to, "port", t->port);
    number(to, "client_port", t->client_port);
    reference(to, "server", t->server);
    reference(to, "client", t->client);
}

static void emit_option(FILE *to, const struct assay_option *o)
{
    text(to, "name", o->name);
    text(to, "text", o->text);
    reference(to, "type", o->type);
    number(to, "value", o->value);
    literal(to, "blob", o->blob);
}

static void emit_leniency(FILE *to, const struct assay_leniency *l)
{
    text(to, "name", l->name);
    text(to, "text", l->text);
    number(to, "on", l->on);
    name_of(to, "level", levels, l->level);
    reference(to, "req", l->req);
}

static void emit_type(FILE *to, const struct assay_type *t)
{
    text(to, "name", t->name);
    name_of(to, "kind", kinds, t->kind);
    number(to, "charset", t->charset);
    reference(to, "of", t->of);
    reference(to, "set", t->set);
    number(to, "min", t->min);
    number(to, "max", t->max);
}

static void emit_set(FILE *to, const struct assay_byteset *s)
{
    fprintf(to,
            ".bits = {UINT64_C(0x%016" PRIx64 "), UINT64_C(0x%016" PRIx64 "), UINT64_C(0x%016" PRIx64
            "), UINT64_C(0x%016" PRIx64 ")}, ",
            s->bits[0], s->bits[1], s->bits[2], s->bits[3]);
}

static void emit_enum(FILE *to, const struct assay_enum *e)
{
    text(to, "name", e->name);
    range(to, "items", e->items);
    number(to, "open", e->open);
    number(to, "text", e->text);
}

static void emit_enum_item(FILE *to, const struct assay_enum_item *i)
{
    text(to, "name", i->name);
    number(to, "value", i->value);
    literal(to, "text", i->text);
}

static void emit_field(FILE *to, const struct assay_field *f)
{
    text(to, "name", f->name);
    name_of(to, "form", forms, f->form);
    reference(to, "type", f->type);
    reference(to, "slot", f->slot);
    name_of(to, "extent", extents, f->extent);
    reference(to, "extent_arg", f->extent_arg);
    reference(to, "element", f->element);
    reference(to, "present", f->present);
    reference(to, "is", f->is);
    reference(to, "init", f->init);
    reference(to, "check", f->check);
    reference(to, "fault", f->fault);
    reference(to, "req", f->req);
    reference(to, "leniency", f->leniency);
    number(to, "bits", f->bits);
    number(to, "flags", f->flags);
    number(to, "loose", f->loose);
}

static void emit_frame(FILE *to, const struct assay_frame *f)
{
    name_of(to, "end", ends, f->end);
    range(to, "fields", f->fields);
    reference(to, "body", f->body);
    reference(to, "tag", f->tag);
    reference(to, "delims", f->delims);
    reference(to, "segment_leniency", f->segment_leniency);
    number(to, "max", f->max);
    number(to, "walked", f->walked);
    number(to, "blank", f->blank);
    reference(to, "trim", f->trim);
    number(to, "transports", f->transports);
}

static void emit_delims(FILE *to, const struct assay_delims *d)
{
    range(to, "blobs", d->blobs);
}

static void emit_ahead(FILE *to, const struct assay_ahead *a)
{
    number(to, "kind", a->kind);
    literal(to, "text", a->text);
    reference(to, "before", a->before);
}

static void octets(FILE *to, const char *key, const uint8_t *bytes, unsigned count)
{
    fprintf(to, ".%s = {", key);
    for (unsigned i = 0; i < count; i++)
        fprintf(to, i ? ", %u" : "%u", bytes[i]);
    fputs(count ? "}, " : "0}, ", to);
}

static void emit_pairs(FILE *to, const struct assay_pairs *p)
{
    number(to, "separator", p->separator);
    number(to, "assign", p->assign);
    number(to, "quote", p->quote);
    number(to, "escape", p->escape);
    number(to, "escapes", p->escapes);
    octets(to, "letters", p->letters, p->escapes);
    octets(to, "stands", p->stands, p->escapes);
    number(to, "duplicates", p->duplicates);
    number(to, "sorted", p->sorted);
    reference(to, "quote_if", p->quote_if);
    reference(to, "name_type", p->name_type);
    reference(to, "value_type", p->value_type);
    number(to, "most", p->most);
    reference(to, "name_first", p->name_first);
    reference(to, "value_first", p->value_first);
}

static void emit_object(FILE *to, const struct assay_object *o)
{
    range(to, "members", o->members);
    reference(to, "rest", o->rest);
}

static void emit_object_member(FILE *to, const struct assay_object_member *m)
{
    literal(to, "name", m->name);
    reference(to, "field", m->field);
}

static void emit_message(FILE *to, const struct assay_message *m)
{
    text(to, "name", m->name);
    number(to, "from", m->from);
    number(to, "tag_kind", m->tag_kind);
    reference(to, "tag_code", m->tag_code);
    number(to, "tag", m->tag);
    literal(to, "tag_text", m->tag_text);
    range(to, "fields", m->fields);
    range(to, "wheres", m->wheres);
    reference(to, "leads", m->leads);
    reference(to, "req", m->req);
    reference(to, "event", m->event);
    number(to, "wire_max", m->wire_max);
    number(to, "line", m->line);
    number(to, "transports", m->transports);
}

static void emit_where(FILE *to, const struct assay_where *w)
{
    reference(to, "that", w->that);
    reference(to, "fault", w->fault);
    reference(to, "req", w->req);
}

static void emit_event(FILE *to, const struct assay_event_def *e)
{
    text(to, "name", e->name);
    name_of(to, "kind", event_kinds, e->kind);
    reference(to, "index", e->index);
}

static void emit_machine(FILE *to, const struct assay_machine *m)
{
    text(to, "name", m->name);
    number(to, "role", m->role);
    range(to, "states", m->states);
    reference(to, "start", m->start);
    range(to, "vars", m->vars);
    range(to, "timers", m->timers);
    range(to, "rules", m->rules);
    reference(to, "frame_in", m->frame_in);
    reference(to, "frame_out", m->frame_out);
    fputs(".reconnect = {", to);
    reference(to, "pause", m->reconnect.pause);
    number(to, "growth", m->reconnect.growth);
    number(to, "most", m->reconnect.most);
    number(to, "cap", m->reconnect.cap);
    number(to, "early", m->reconnect.early);
    number(to, "late", m->reconnect.late);
    fputs("}, ", to);
}

static void emit_state(FILE *to, const struct assay_state *s)
{
    text(to, "name", s->name);
    name_of(to, "kind", state_kinds, s->kind);
    reference(to, "call", s->call);
    number(to, "line", s->line);
}

static void emit_var(FILE *to, const struct assay_var *v)
{
    text(to, "name", v->name);
    reference(to, "type", v->type);
    reference(to, "init", v->init);
}

static void emit_timer(FILE *to, const struct assay_timer *t)
{
    text(to, "name", t->name);
    reference(to, "event", t->event);
    reference(to, "after", t->after);
    reference(to, "states", t->states);
    number(to, "restart", t->restart);
    number(to, "early", t->early);
    number(to, "late", t->late);
}

static void emit_rule(FILE *to, const struct assay_rule *r)
{
    reference(to, "machine", r->machine);
    reference(to, "state", r->state);
    reference(to, "guard", r->guard);
    reference(to, "body", r->body);
    reference(to, "otherwise", r->otherwise);
    reference(to, "req", r->req);
    number(to, "level", r->level);
    number(to, "flags", r->flags);
    number(to, "locals", r->locals);
    number(to, "out_max", r->out_max);
    number(to, "line", r->line);
    number(to, "column", r->column);
}

static void emit_effect(FILE *to, const struct assay_effect *e)
{
    text(to, "name", e->name);
    range(to, "args", e->args);
    text(to, "verb", e->verb);
    text(to, "object", e->object);
    number(to, "fallible", e->fallible);
}

static void emit_param(FILE *to, const struct assay_param *p)
{
    text(to, "name", p->name);
    text(to, "text", p->text);
    reference(to, "type", p->type);
    reference(to, "init", p->init);
}

static void emit_call(FILE *to, const struct assay_call *c)
{
    text(to, "name", c->name);
    text(to, "text", c->text);
    reference(to, "event", c->event);
    range(to, "args", c->args);
    range(to, "results", c->results);
    range(to, "errors", c->errors);
    reference(to, "first_var", c->first_var);
    reference(to, "machine", c->machine);
    reference(to, "opens", c->opens);
    number(to, "within", c->within);
}

static void emit_error(FILE *to, const struct assay_error *e)
{
    text(to, "name", e->name);
    text(to, "text", e->text);
}

/* A member that is added to a table must be written here, too: the sizes (of 64-bit machines) notice it. */
#define SAME(name, size)                                                                                               \
    _Static_assert(sizeof(void *) != 8 || sizeof(struct assay_##name) == (size), #name " has changed")
SAME(requirement, 32);
SAME(transport, 24);
SAME(option, 48);
SAME(leniency, 24);
SAME(type, 32);
SAME(byteset, 32);
SAME(enum, 16);
SAME(enum_item, 32);
SAME(field, 40);
SAME(frame, 28);
SAME(delims, 4);
SAME(ahead, 32);
SAME(pairs, 36);
SAME(object, 6);
SAME(object_member, 24);
SAME(reconnect, 32);
SAME(message, 72);
SAME(where, 6);
SAME(event_def, 16);
SAME(machine, 64);
SAME(state, 16);
SAME(var, 16);
SAME(timer, 32);
SAME(rule, 28);
SAME(effect, 40);
SAME(param, 24);
SAME(call, 48);
SAME(error, 16);
SAME(limits, 32);
SAME(model, 616);
#undef SAME

/* ---- tables ------------------------------------------------------------ */

/* name of the table, type of its entries, what writes one */
#define TABLES(X)                                                                                                      \
    X(requirements, struct assay_requirement, emit_requirement)                                                        \
    X(transports, struct assay_transport, emit_transport)                                                              \
    X(options, struct assay_option, emit_option)                                                                       \
    X(leniencies, struct assay_leniency, emit_leniency)                                                                \
    X(types, struct assay_type, emit_type)                                                                             \
    X(sets, struct assay_byteset, emit_set)                                                                            \
    X(enums, struct assay_enum, emit_enum)                                                                             \
    X(enum_items, struct assay_enum_item, emit_enum_item)                                                              \
    X(fields, struct assay_field, emit_field)                                                                          \
    X(frames, struct assay_frame, emit_frame)                                                                          \
    X(delims, struct assay_delims, emit_delims)                                                                        \
    X(aheads, struct assay_ahead, emit_ahead)                                                                          \
    X(pairs, struct assay_pairs, emit_pairs)                                                                           \
    X(objects, struct assay_object, emit_object)                                                                       \
    X(object_members, struct assay_object_member, emit_object_member)                                                  \
    X(messages, struct assay_message, emit_message)                                                                    \
    X(wheres, struct assay_where, emit_where)                                                                          \
    X(events, struct assay_event_def, emit_event)                                                                      \
    X(machines, struct assay_machine, emit_machine)                                                                    \
    X(states, struct assay_state, emit_state)                                                                          \
    X(vars, struct assay_var, emit_var)                                                                                \
    X(timers, struct assay_timer, emit_timer)                                                                          \
    X(rules, struct assay_rule, emit_rule)                                                                             \
    X(effects, struct assay_effect, emit_effect)                                                                       \
    X(params, struct assay_param, emit_param)                                                                          \
    X(calls, struct assay_call, emit_call)                                                                             \
    X(errors, struct assay_error, emit_error)

/* An entry without the comma behind its last part. */
static FILE *begin_entry(char **text, size_t *size)
{
    FILE *into = open_memstream(text, size);
    if (!into)
        abort();
    return into;
}

static void end_entry(FILE *to, FILE *into, char **text, const size_t *size, uint32_t index)
{
    fclose(into);
    size_t n = *size;
    while (n > 0 && ((*text)[n - 1] == ' ' || (*text)[n - 1] == ','))
        n--;
    fprintf(to, "    /* %" PRIu32 " */ {%.*s},\n", index, (int)n, *text);
    free(*text);
}

#define X(name, type, one)                                                                                             \
    static void table_##name(const struct assay_model *model, FILE *to)                                                \
    {                                                                                                                  \
        if (model->name##_count == 0)                                                                                  \
            return;                                                                                                    \
        fprintf(to, "static const " #type " " #name "[] = {\n");                                                       \
        for (uint32_t i = 0; i < model->name##_count; i++) {                                                           \
            char *entry;                                                                                               \
            size_t size;                                                                                               \
            FILE *into = begin_entry(&entry, &size);                                                                   \
            one(into, &model->name[i]);                                                                                \
            end_entry(to, into, &entry, &size, i);                                                                     \
        }                                                                                                              \
        fputs("};\n\n", to);                                                                                           \
    }
TABLES(X)
#undef X

static void table_blobs(const struct assay_model *model, FILE *to)
{
    if (model->blobs_count == 0)
        return;
    fputs("static const struct assay_blob blobs[] = {\n", to);
    for (uint32_t i = 0; i < model->blobs_count; i++) {
        fprintf(to, "    /* %" PRIu32 " */ ", i);
        bytes(to, model->blobs[i]);
        fputs(",\n", to);
    }
    fputs("};\n\n", to);
}

static void table_ints(const struct assay_model *model, FILE *to)
{
    if (model->ints_count == 0)
        return;
    fputs("static const int64_t ints[] = {", to);
    for (uint32_t i = 0; i < model->ints_count; i++) {
        fputs(i % 4 ? " " : "\n    ", to);
        if (model->ints[i] == INT64_MIN)
            fputs("INT64_MIN,", to);
        else
            fprintf(to, "INT64_C(%" PRId64 "),", model->ints[i]);
    }
    fputs("\n};\n\n", to);
}

static void numbers(FILE *to, const char *name, const uint16_t *items, size_t count)
{
    if (count == 0)
        return;
    fprintf(to, "static const uint16_t %s[] = {", name);
    for (size_t i = 0; i < count; i++) {
        fputs(i % 16 ? " " : "\n    ", to);
        if (items[i] == ASSAY_NONE)
            fputs("ASSAY_NONE,", to);
        else
            fprintf(to, "%u,", items[i]);
    }
    fputs("\n};\n\n", to);
}

static void table_code(const struct assay_model *model, FILE *to)
{
    static const char *const ops[] = {
#define X(name, pops, pushes, what) #name,
        ASSAY_OPS(X)
#undef X
    };
    if (model->code_count == 0)
        return;
    fputs("static const uint32_t code[] = {\n", to);
    for (uint32_t i = 0; i < model->code_count; i++) {
        uint32_t ins = model->code[i];
        fprintf(to, "    0x%08" PRIx32 ", /* %" PRIu32 ": %s %u %u */\n", ins, i, ops[assay_ins_op(ins)],
                assay_ins_a(ins), assay_ins_b(ins));
    }
    fputs("};\n\n", to);
}

static size_t transitions_count(const struct assay_model *model)
{
    return (size_t)model->states_count * model->events_count;
}

static void limits(FILE *to, const struct assay_limits *l)
{
    fprintf(to,
            "    .limits = {.sessions = %" PRIu32 ", .memory = %" PRIu32 ", .effects = %" PRIu32 ", .output = %" PRIu32
            ", .drain = %" PRIu32 ", .drain_time = INT64_C(%" PRId64 ")},\n",
            l->sessions, l->memory, l->effects, l->output, l->drain, l->drain_time);
}

static void entry(FILE *to, const char *name, uint32_t count)
{
    if (count)
        fprintf(to, "    .%s = %s, .%s_count = %" PRIu32 ",\n", name, name, name, count);
}

static void whole(const struct assay_model *model, FILE *to)
{
    fprintf(to, "const struct assay_model %s_model = {\n    ", model->protocol);
    text(to, "protocol", model->protocol);
    text(to, "title", model->title);
    text(to, "version", model->version);
    text(to, "source", assay_emit_source_name(model));
    fputs("\n", to);
    limits(to, &model->limits);
    fprintf(to, "    .scratch = %" PRIu32 ", .frame_max = %" PRIu32 ", .out_max = %" PRIu32 ",\n", model->scratch,
            model->frame_max, model->out_max);
#define X(name, type, one) entry(to, #name, model->name##_count);
    TABLES(X)
#undef X
    entry(to, "blobs", model->blobs_count);
    entry(to, "ints", model->ints_count);
    entry(to, "statesets", model->statesets_count);
    entry(to, "code", model->code_count);
    if (transitions_count(model))
        fputs("    .transitions = transitions,\n", to);
    entry(to, "rule_lists", model->rule_lists_count);
    fputs("    ", to);
    reference(to, "server", model->server);
    reference(to, "client", model->client);
    fputs("\n};\n", to);
}

void assay_emit_c_tables(const struct assay_model *model, FILE *to)
{
#define X(name, type, one) table_##name(model, to);
    TABLES(X)
#undef X
    table_blobs(model, to);
    table_ints(model, to);
    numbers(to, "statesets", model->statesets, model->statesets_count);
    table_code(model, to);
    numbers(to, "transitions", model->transitions, transitions_count(model));
    numbers(to, "rule_lists", model->rule_lists, model->rule_lists_count);
    whole(model, to);
}
