/* A model as C initialisers. One line tells how one kind of row is written. */
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

/* ---- rows -------------------------------------------------------------- */

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
NAMES event_kinds[] = {"ASSAY_EVK_BUILTIN", "ASSAY_EVK_FAULT", "ASSAY_EVK_TIMER",
                       "ASSAY_EVK_MESSAGE", "ASSAY_EVK_CALL",  "ASSAY_EVK_ROW"};
NAMES levels[] = {"ASSAY_MUST", "ASSAY_SHOULD", "ASSAY_MAY"};
NAMES state_kinds[] = {"ASSAY_STATE_PLAIN", "ASSAY_STATE_END", "ASSAY_STATE_WAIT", "ASSAY_STATE_AWAIT"};
#undef NAMES

static void name_of(FILE *to, const char *key, const char *const *table, unsigned value)
{
    fprintf(to, ".%s = %s, ", key, table[value]);
}

static void octets(FILE *to, const char *key, const uint8_t *bytes, unsigned count)
{
    fprintf(to, ".%s = {", key);
    for (unsigned i = 0; i < count; i++)
        fprintf(to, i ? ", %u" : "%u", bytes[i]);
    fputs(count ? "}, " : "0}, ", to);
}

static void bits(FILE *to, const char *key, const uint64_t bits[4])
{
    fprintf(to, ".%s = {", key);
    for (unsigned i = 0; i < 4; i++)
        fprintf(to, "%sUINT64_C(0x%016" PRIx64 ")", i ? ", " : "", bits[i]);
    fputs("}, ", to);
}

/* Sizes on 64-bit machines: they notice a member that is added to a struct and not to what is written of it. */
#define SIZE_IS(name, size)                                                                                            \
    _Static_assert(sizeof(void *) != 8 || sizeof(struct assay_##name) == (size), #name " has changed")

/* How a struct of the model is written: its size and its members. */
#define ROW(name, size, ...)                                                                                           \
    SIZE_IS(name, size);                                                                                               \
    static void row_##name(FILE *to, const struct assay_##name *row)                                                   \
    {                                                                                                                  \
        __VA_ARGS__;                                                                                                   \
    }
#define TEXT(member)          text(to, #member, row->member)
#define NUMBER(member)        number(to, #member, row->member)
#define REFERENCE(member)     reference(to, #member, row->member)
#define RANGE(member)         range(to, #member, row->member)
#define LITERAL(member)       literal(to, #member, row->member)
#define NAME(member, names)   name_of(to, #member, names, row->member)
#define OCTETS(member, count) octets(to, #member, row->member, row->count)
#define BITS(member)          bits(to, #member, row->member)
#define RECORD(member)        (fputs("." #member " = {", to), row_##member(to, &row->member), fputs("}, ", to))

ROW(requirement, 32, TEXT(id), TEXT(ref), TEXT(text), NAME(level, levels))
ROW(transport, 24, TEXT(name), TEXT(bind), NUMBER(port), NUMBER(client_port), REFERENCE(server), REFERENCE(client))
ROW(option, 48, TEXT(name), TEXT(text), REFERENCE(type), NUMBER(value), LITERAL(blob))
ROW(leniency, 24, TEXT(name), TEXT(text), NUMBER(on), NAME(level, levels), REFERENCE(req))
ROW(type, 32, TEXT(name), NAME(kind, kinds), NUMBER(charset), REFERENCE(of), REFERENCE(set), NUMBER(min), NUMBER(max))
ROW(byteset, 32, BITS(bits))
ROW(enum, 16, TEXT(name), RANGE(items), NUMBER(open), NUMBER(text))
ROW(enum_item, 32, TEXT(name), NUMBER(value), LITERAL(text))
ROW(field, 40, TEXT(name), NAME(form, forms), REFERENCE(type), REFERENCE(slot), NAME(extent, extents),
    REFERENCE(extent_arg), REFERENCE(element), REFERENCE(present), REFERENCE(is), REFERENCE(init), REFERENCE(check),
    REFERENCE(fault), REFERENCE(req), REFERENCE(leniency), NUMBER(bits), NUMBER(flags), NUMBER(loose), NUMBER(sum))
ROW(frame, 28, NAME(end, ends), RANGE(fields), REFERENCE(body), REFERENCE(tag), REFERENCE(delims),
    REFERENCE(segment_leniency), NUMBER(max), NUMBER(walked), NUMBER(blank), REFERENCE(trim), NUMBER(transports))
ROW(delims, 4, RANGE(blobs))
ROW(ahead, 32, NUMBER(kind), LITERAL(text), REFERENCE(before))
ROW(pairs, 38, NUMBER(separator), NUMBER(assign), NUMBER(quote), NUMBER(escape), NUMBER(escapes),
    OCTETS(letters, escapes), OCTETS(stands, escapes), NUMBER(duplicates), NUMBER(sorted), REFERENCE(quote_if),
    REFERENCE(name_type), REFERENCE(value_type), NUMBER(most), REFERENCE(name_first), REFERENCE(value_first),
    REFERENCE(req))
ROW(object, 6, RANGE(members), REFERENCE(rest))
ROW(object_member, 24, LITERAL(name), REFERENCE(field))
ROW(message, 72, TEXT(name), NUMBER(from), NUMBER(tag_kind), REFERENCE(tag_code), NUMBER(tag), LITERAL(tag_text),
    RANGE(fields), RANGE(wheres), REFERENCE(leads), REFERENCE(req), REFERENCE(event), NUMBER(wire_min),
    NUMBER(wire_max), NUMBER(line), NUMBER(transports))
ROW(where, 6, REFERENCE(that), REFERENCE(fault), REFERENCE(req))
ROW(event_def, 16, TEXT(name), NAME(kind, event_kinds), REFERENCE(index))
ROW(reconnect, 32, REFERENCE(pause), NUMBER(growth), NUMBER(most), NUMBER(cap), NUMBER(early), NUMBER(late))
ROW(machine, 72, TEXT(name), NUMBER(role), RANGE(states), REFERENCE(start), RANGE(vars), RANGE(timers), RANGE(rules),
    REFERENCE(frame_in), REFERENCE(frame_out), RECORD(reconnect), REFERENCE(session), REFERENCE(first_number),
    NUMBER(stateless))
ROW(state, 16, TEXT(name), NAME(kind, state_kinds), REFERENCE(call), NUMBER(line))
ROW(var, 16, TEXT(name), REFERENCE(type), REFERENCE(init))
ROW(timer, 32, TEXT(name), REFERENCE(event), REFERENCE(after), REFERENCE(states), NUMBER(restart), NUMBER(early),
    NUMBER(late))
ROW(rule, 28, REFERENCE(machine), REFERENCE(state), REFERENCE(guard), REFERENCE(body), REFERENCE(otherwise),
    REFERENCE(req), NUMBER(level), NUMBER(flags), NUMBER(locals), NUMBER(out_max), NUMBER(line), NUMBER(column))
ROW(effect, 40, TEXT(name), RANGE(args), TEXT(verb), TEXT(object), NUMBER(fallible), REFERENCE(table), REFERENCE(log))
ROW(table, 24, TEXT(name), REFERENCE(key), RANGE(columns), NUMBER(most), NUMBER(durable), REFERENCE(effect))
ROW(log, 48, TEXT(name), RANGE(columns), NUMBER(unique), NUMBER(durable), NUMBER(keep), REFERENCE(machine),
    REFERENCE(states), REFERENCE(follows), REFERENCE(cursor), REFERENCE(batch), REFERENCE(window), REFERENCE(event),
    REFERENCE(first_slot), REFERENCE(req))
ROW(reliable, 32, RANGE(messages), REFERENCE(number), NUMBER(bits), NUMBER(order), NUMBER(duplicate), REFERENCE(ack),
    REFERENCE(ack_slot), REFERENCE(session), NUMBER(window), REFERENCE(first), REFERENCE(cap), NUMBER(factor),
    NUMBER(tolerance), REFERENCE(give_up), REFERENCE(req))
ROW(param, 24, TEXT(name), TEXT(text), REFERENCE(type), REFERENCE(init))
ROW(call, 48, TEXT(name), TEXT(text), REFERENCE(event), RANGE(args), RANGE(results), RANGE(errors),
    REFERENCE(first_var), REFERENCE(machine), REFERENCE(opens), NUMBER(within))
ROW(error, 16, TEXT(name), TEXT(text))

/* ---- tables ------------------------------------------------------------ */

/* name of the table, struct of its rows. What is promised (impairs, promises, ...) is left out: nothing that runs a
 * protocol reads it. */
#define TABLES(X)                                                                                                      \
    X(requirements, requirement)                                                                                       \
    X(transports, transport)                                                                                           \
    X(options, option)                                                                                                 \
    X(leniencies, leniency)                                                                                            \
    X(types, type)                                                                                                     \
    X(sets, byteset)                                                                                                   \
    X(enums, enum)                                                                                                     \
    X(enum_items, enum_item)                                                                                           \
    X(fields, field)                                                                                                   \
    X(frames, frame)                                                                                                   \
    X(delims, delims)                                                                                                  \
    X(aheads, ahead)                                                                                                   \
    X(pairs, pairs)                                                                                                    \
    X(objects, object)                                                                                                 \
    X(object_members, object_member)                                                                                   \
    X(messages, message)                                                                                               \
    X(wheres, where)                                                                                                   \
    X(events, event_def)                                                                                               \
    X(machines, machine)                                                                                               \
    X(states, state)                                                                                                   \
    X(vars, var)                                                                                                       \
    X(timers, timer)                                                                                                   \
    X(rules, rule)                                                                                                     \
    X(effects, effect)                                                                                                 \
    X(tables, table)                                                                                                   \
    X(logs, log)                                                                                                       \
    X(reliables, reliable)                                                                                             \
    X(params, param)                                                                                                   \
    X(calls, call)                                                                                                     \
    X(errors, error)

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

#define X(name, row)                                                                                                   \
    static void table_##name(const struct assay_model *model, FILE *to)                                                \
    {                                                                                                                  \
        if (model->name##_count == 0)                                                                                  \
            return;                                                                                                    \
        fprintf(to, "static const struct assay_" #row " " #name "[] = {\n");                                           \
        for (uint32_t i = 0; i < model->name##_count; i++) {                                                           \
            char *entry;                                                                                               \
            size_t size;                                                                                               \
            FILE *into = begin_entry(&entry, &size);                                                                   \
            row_##row(into, &model->name[i]);                                                                          \
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

SIZE_IS(limits, 48);
static void limits(FILE *to, const struct assay_limits *l)
{
    fprintf(to,
            "    .limits = {.sessions = %" PRIu32 ", .memory = %" PRIu32 ", .effects = %" PRIu32 ", .output = %" PRIu32
            ", .drain = %" PRIu32 ", .drain_time = INT64_C(%" PRId64 "), .rows = %" PRIu32 ", .seal = INT64_C(%" PRId64
            ")},\n",
            l->sessions, l->memory, l->effects, l->output, l->drain, l->drain_time, l->rows, l->seal);
}

static void entry(FILE *to, const char *name, uint32_t count)
{
    if (count)
        fprintf(to, "    .%s = %s, .%s_count = %" PRIu32 ",\n", name, name, name, count);
}

SIZE_IS(model, 776);
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
#define X(name, row) entry(to, #name, model->name##_count);
    TABLES(X)
#undef X
    entry(to, "blobs", model->blobs_count);
    entry(to, "ints", model->ints_count);
    entry(to, "statesets", model->statesets_count);
    entry(to, "reliable_messages", model->reliable_messages_count);
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
#define X(name, row) table_##name(model, to);
    TABLES(X)
#undef X
    table_blobs(model, to);
    table_ints(model, to);
    numbers(to, "statesets", model->statesets, model->statesets_count);
    numbers(to, "reliable_messages", model->reliable_messages, model->reliable_messages_count);
    table_code(model, to);
    numbers(to, "transitions", model->transitions, transitions_count(model));
    numbers(to, "rule_lists", model->rule_lists, model->rule_lists_count);
    whole(model, to);
}
