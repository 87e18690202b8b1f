/* A spec from text to model: the top level, and the order of all steps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/check.h"
#include "compiler/read.h"
#include "compiler/types.h"

enum {
    K_ASSAY,
    K_PROTOCOL,
    K_TITLE,
    K_VERSION,
    K_TEXT,
    K_ENDIAN,
    K_REQUIRES,
    K_PARAMS,
    K_LENIENCIES,
    K_LIMITS,
    K_TRANSPORTS,
    K_TYPES,
    K_FRAME,
    K_MESSAGES,
    K_EFFECTS,
    K_SERVER,
    K_CLIENT,
    K_PEER,
    K_MACHINES,
    K_CALLS,
    K_TERMINAL,
    K_CASES,
    K_FEATURES,
    K_FIXTURES,
    K_FUNCTIONS,
    K_SIGNALS,
    K_RECODES,
    K_PROBE,
    K_SPONTANEOUS,
    K_RELIABLE,
    K_TABLES,
    K_LOGS,
    K_IMPAIR,
    K_KEYS
};

#define DECLARED (SHAPE_ANY | SHAPE_DECLARED)
static const struct shape_key top_keys[K_KEYS] = {
    [K_ASSAY] = {"assay", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [K_PROTOCOL] = {"protocol", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [K_TITLE] = {"title", SHAPE_SCALAR, NULL},
    [K_VERSION] = {"version", SHAPE_SCALAR, NULL},
    [K_TEXT] = {"text", SHAPE_SCALAR, NULL},
    [K_ENDIAN] = {"endian", SHAPE_SCALAR, NULL},
    [K_REQUIRES] = {"requires", SHAPE_MAPPING, NULL},
    [K_PARAMS] = {"params", SHAPE_MAPPING, NULL},
    [K_LENIENCIES] = {"leniencies", SHAPE_MAPPING, NULL},
    [K_LIMITS] = {"limits", SHAPE_MAPPING, NULL},
    [K_TRANSPORTS] = {"transports", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [K_TYPES] = {"types", SHAPE_MAPPING, NULL},
    [K_FRAME] = {"frame", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [K_MESSAGES] = {"messages", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [K_EFFECTS] = {"effects", SHAPE_MAPPING, NULL},
    [K_SERVER] = {"server", SHAPE_MAPPING, NULL},
    [K_CLIENT] = {"client", SHAPE_MAPPING, NULL},
    [K_PEER] = {"peer", SHAPE_MAPPING, NULL},
    [K_MACHINES] = {"machines", SHAPE_MAPPING, NULL},
    [K_CALLS] = {"calls", SHAPE_MAPPING, NULL},
    [K_TERMINAL] = {"terminal", SHAPE_MAPPING, NULL},
    [K_CASES] = {"cases", SHAPE_SEQUENCE, NULL},
    [K_FEATURES] = {"features", SHAPE_MAPPING | SHAPE_DECLARED, NULL},
    [K_FIXTURES] = {"fixtures", SHAPE_MAPPING | SHAPE_DECLARED, NULL},
    [K_FUNCTIONS] = {"functions", SHAPE_MAPPING | SHAPE_DECLARED, NULL},
    [K_SIGNALS] = {"signals", SHAPE_MAPPING | SHAPE_DECLARED, NULL},
    [K_RECODES] = {"recodes", SHAPE_MAPPING | SHAPE_DECLARED, NULL},
    [K_PROBE] = {"probe", SHAPE_SEQUENCE | SHAPE_DECLARED, NULL},
    [K_SPONTANEOUS] = {"spontaneous", DECLARED, NULL},
    [K_RELIABLE] = {"reliable", SHAPE_SEQUENCE, NULL},
    [K_TABLES] = {"tables", SHAPE_MAPPING, NULL},
    [K_LOGS] = {"logs", SHAPE_MAPPING, NULL},
    [K_IMPAIR] = {"impair", SHAPE_MAPPING, NULL},
};

/* ---- identity ---------------------------------------------------------- */

static bool protocol_name(const char *name)
{
    if (name[0] < 'a' || name[0] > 'z')
        return false;
    for (const char *p = name; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_'))
            return false;
    return true;
}

static void read_identity(struct assay_spec *spec, const struct assay_node *const *of)
{
    static const char *const orders[] = {"big", "little"};
    if (of[K_ASSAY] && !assay_node_is(of[K_ASSAY], "1"))
        assay_spec_error(spec, of[K_ASSAY]->at, "this program reads version 1 of the language: 'assay: 1'");
    if (of[K_ASSAY] && spec->root->first != of[K_ASSAY])
        assay_spec_error(spec, of[K_ASSAY]->key->at, "'assay: 1' stands first");
    spec->protocol = of[K_PROTOCOL] ? of[K_PROTOCOL]->text : "";
    if (of[K_PROTOCOL] && !protocol_name(spec->protocol))
        assay_spec_error(spec, of[K_PROTOCOL]->at, "a protocol's name has small letters, digits and _, a letter first");
    spec->title = of[K_TITLE] ? of[K_TITLE]->text : spec->protocol;
    spec->version = of[K_VERSION] ? of[K_VERSION]->text : "";
    spec->text = of[K_TEXT] ? of[K_TEXT]->text : NULL;
    spec->little = of[K_ENDIAN] && assay_read_word(spec, of[K_ENDIAN], orders, 2, "endian") == 1;
}

static void read_requires(struct assay_spec *spec, const struct assay_node *node)
{
    static const struct shape_key keys[] = {{"level", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                            {"ref", SHAPE_SCALAR, NULL},
                                            {"text", SHAPE_SCALAR | SHAPE_REQUIRED, NULL}};
    ASSAY_CHILDREN (child, node) {
        const struct assay_node *of[3];
        struct spec_requirement *r = ASSAY_NEW(&spec->arena, struct spec_requirement);
        *r = (struct spec_requirement){.at = child->key->at, .id = child->key->text, .ref = "", .text = ""};
        r->index = (uint16_t)spec->requires.count;
        assay_list_add(spec, &spec->requires, r);
        if (!assay_shape(spec, child, "a requirement", keys, 3, of))
            continue;
        r->level = assay_read_level(spec, of[0], ASSAY_MUST);
        r->ref = of[1] ? of[1]->text : "";
        r->text = of[2] ? of[2]->text : "";
    }
}

static void read_leniencies(struct assay_spec *spec, const struct assay_node *node)
{
    static const struct shape_key keys[] = {{"text", SHAPE_SCALAR, NULL},
                                            {"default", SHAPE_SCALAR, NULL},
                                            {"level", SHAPE_SCALAR, NULL},
                                            {"req", SHAPE_SCALAR, NULL}};
    ASSAY_CHILDREN (child, node) {
        const struct assay_node *of[4];
        struct spec_leniency *l = ASSAY_NEW(&spec->arena, struct spec_leniency);
        *l = (struct spec_leniency){.at = child->key->at, .name = child->key->text, .text = ""};
        l->index = (uint16_t)spec->leniencies.count;
        assay_list_add(spec, &spec->leniencies, l);
        assay_read_name(spec, l->name, l->at, "a leniency");
        if (!assay_shape(spec, child, "a leniency", keys, 4, of))
            continue;
        l->text = of[0] ? of[0]->text : "";
        l->on = assay_read_bool(spec, of[1], false);
        l->req = assay_read_req(spec, of[3]);
        l->level = assay_read_level(spec, of[2], l->req ? l->req->level : ASSAY_MAY);
    }
    if (spec->leniencies.count > 64)
        assay_spec_error(spec, node->key->at, "more than 64 leniencies");
}

/* ---- limits ------------------------------------------------------------ */

static void read_limits(struct assay_spec *spec, const struct assay_node *node)
{
    static const struct shape_key keys[] = {{"sessions", SHAPE_SCALAR, NULL}, {"memory", SHAPE_SCALAR, NULL},
                                            {"output", SHAPE_SCALAR, NULL},   {"effects", SHAPE_SCALAR, NULL},
                                            {"drain", SHAPE_SCALAR, NULL},    {"drain_time", SHAPE_SCALAR, NULL},
                                            {"rows", SHAPE_SCALAR, NULL},     {"seal", SHAPE_SCALAR, NULL}};
    struct assay_limits *l = &spec->limits;
    uint32_t *const numbers[] = {&l->sessions, &l->memory, &l->output, &l->effects, &l->drain};
    const struct assay_node *of[8] = {0};
    int64_t rows;
    *l = (struct assay_limits){.sessions = 1,
                               .memory = 64u << 20,
                               .effects = 4096,
                               .output = 64u << 10,
                               .drain = 1u << 20,
                               .drain_time = 2000000000,
                               .seal = 60000000000};
    if (node)
        assay_shape(spec, node, "limits", keys, 8, of);
    for (size_t i = 0; i < 5; i++) {
        int64_t n;
        if (of[i] && assay_read_int(spec, of[i], i == 4 ? 0 : 1, INT32_MAX, &n))
            *numbers[i] = (uint32_t)n;
    }
    l->drain_time = assay_read_duration(spec, of[5], l->drain_time);
    if (of[6] && assay_read_int(spec, of[6], 1, INT32_MAX, &rows))
        l->rows = (uint32_t)rows;
    l->seal = assay_read_duration(spec, of[7], l->seal);
    if (l->seal < 1000000000)
        assay_spec_error(spec, of[7]->at, "a seal has to hold for at least 1s: who got it must have time to answer");
    bool serves = assay_node_get(spec->root, "server") || assay_node_get(spec->root, "peer");
    if (serves && !of[0])
        assay_spec_error(spec, node ? node->at : spec->root->at,
                         "limits need 'sessions': how many a server holds at once");
}

/* ---- hand-written cases ------------------------------------------------ */

static void read_case(struct assay_spec *spec, const struct assay_node *node)
{
    static const struct shape_key keys[] = {{"name", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                            {"req", SHAPE_SCALAR, NULL},
                                            {"level", SHAPE_SCALAR, NULL},
                                            {"steps", SHAPE_SEQUENCE | SHAPE_REQUIRED, NULL},
                                            {"text", SHAPE_SCALAR, NULL}};
    const struct assay_node *of[5];
    if (!assay_shape(spec, node, "a case", keys, 5, of) || !of[0] || !of[3])
        return;
    struct spec_requirement *req = assay_read_req(spec, of[1]);
    struct assay_hand_case *c = ASSAY_NEW(&spec->arena, struct assay_hand_case);
    const char **steps = assay_arena_alloc(&spec->arena, (of[3]->count + 1) * sizeof(const char *));
    size_t n = 0;
    ASSAY_CHILDREN (step, of[3])
        if (assay_shape_is(spec, step, SHAPE_SCALAR, "a step of a case"))
            steps[n++] = step->text;
    *c = (struct assay_hand_case){.name = of[0]->text, .req = req ? req->index : ASSAY_NONE, .steps = steps};
    c->level = assay_read_level(spec, of[2], req ? req->level : ASSAY_MUST);
    c->line = node->at.line;
    assay_list_add(spec, &spec->cases, c);
}

static void read_cases(struct assay_spec *spec, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node)
        read_case(spec, child);
    spec->hand_cases = assay_arena_alloc(&spec->arena, (spec->cases.count + 1) * sizeof *spec->hand_cases);
    size_t n = 0;
    SPEC_EACH (struct assay_hand_case, c, &spec->cases)
        spec->hand_cases[n++] = *c;
}

/* ---- events ------------------------------------------------------------ */

static void add_builtins(struct assay_spec *spec)
{
    static const char *const names[ASSAY_EV_BUILTINS] = {
        [ASSAY_EV_CONNECT] = "connect",   [ASSAY_EV_MALFORMED] = "malformed",
        [ASSAY_EV_UNKNOWN] = "unknown",   [ASSAY_EV_OVERSIZE] = "oversize",
        [ASSAY_EV_EOF] = "eof",           [ASSAY_EV_EOF_IN_FRAME] = "eof-in-frame",
        [ASSAY_EV_RESET] = "reset",       [ASSAY_EV_NO_ROOM] = "no-room",
        [ASSAY_EV_SHUTDOWN] = "shutdown", [ASSAY_EV_STALE] = "stale",
        [ASSAY_EV_GIVEN_UP] = "given-up", [ASSAY_EV_AWAITED] = "awaited",
    };
    for (unsigned i = 0; i < ASSAY_EV_BUILTINS; i++)
        assay_add_event(spec, names[i], ASSAY_EVK_BUILTIN, (struct assay_at){0, 0});
}

static void add_fault(struct assay_spec *spec, const char *name, struct assay_at at)
{
    if (name && !assay_find_event(spec, name))
        assay_add_event(spec, name, ASSAY_EVK_FAULT, at);
}

static void add_faults_of(struct assay_spec *spec, const struct spec_list *fields)
{
    SPEC_EACH (struct spec_field, f, fields)
        add_fault(spec, f->type->fault, f->at);
}

static void add_faults(struct assay_spec *spec)
{
    for (unsigned i = 0; i < 2; i++)
        if (spec->frames[i])
            add_faults_of(spec, &spec->frames[i]->fields);
    SPEC_EACH (struct spec_message, m, &spec->messages) {
        add_faults_of(spec, &m->fields);
        SPEC_EACH (struct spec_where, w, &m->wheres)
            add_fault(spec, w->fault, w->at);
    }
}

static struct spec_event *add_named(struct assay_spec *spec, const char *name, uint8_t kind, struct assay_at at)
{
    if (assay_find_event(spec, name))
        assay_spec_error(spec, at, "'%s' is the name of an event already", name);
    return assay_add_event(spec, name, kind, at);
}

static void add_messages_and_calls(struct assay_spec *spec)
{
    SPEC_EACH (struct spec_message, m, &spec->messages) {
        m->event = add_named(spec, m->name, ASSAY_EVK_MESSAGE, m->at);
        m->event->message = m;
    }
    SPEC_EACH (struct spec_call, call, &spec->calls) {
        call->event =
            add_named(spec, assay_arena_printf(&spec->arena, "call:%s", call->name), ASSAY_EVK_CALL, call->at);
        call->event->call = call;
    }
    SPEC_EACH (struct spec_log, log, &spec->logs) {
        if (!log->follow_node)
            continue;
        log->event = add_named(spec, assay_arena_printf(&spec->arena, "row:%s", log->name), ASSAY_EVK_ROW, log->at);
        log->event->log = log;
    }
    const struct assay_node *signals = assay_node_get(spec->root, "signals");
    if (!signals || signals->kind != ASSAY_NODE_MAPPING)
        return;
    ASSAY_CHILDREN (signal, signals)
        add_named(spec, signal->key->text, SPEC_EV_SIGNAL, signal->key->at);
}

/* ---- all of it --------------------------------------------------------- */

/* Beside machines at several levels they are declared only. */
static void read_shared(struct assay_spec *spec, const struct assay_node *const *of)
{
    static const unsigned keys[] = {K_TABLES, K_LOGS, K_RELIABLE};
    if (!assay_machines_declared(spec)) {
        assay_read_tables(spec, of[K_TABLES]);
        assay_read_logs(spec, of[K_LOGS]);
        assay_read_reliable(spec, of[K_RELIABLE]);
        return;
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (of[keys[i]])
            assay_spec_declared(spec, of[keys[i]]->key->at, top_keys[keys[i]].name);
}

static void read_promises(struct assay_spec *spec, const struct assay_node *node)
{
    if (node && assay_machines_declared(spec))
        assay_spec_declared(spec, node->key->at, "impair");
    else
        assay_read_impair(spec, node);
}

static void read_all(struct assay_spec *spec)
{
    const struct assay_node *of[K_KEYS];
    if (!assay_shape(spec, spec->root, "the spec", top_keys, K_KEYS, of))
        return;
    read_identity(spec, of);
    read_requires(spec, of[K_REQUIRES]);
    read_leniencies(spec, of[K_LENIENCIES]);
    read_limits(spec, of[K_LIMITS]);
    assay_read_transports(spec, of[K_TRANSPORTS]);
    assay_read_types(spec, of[K_TYPES]);
    assay_read_params(spec, of[K_PARAMS], &spec->params, "a param");
    if (of[K_FRAME])
        assay_read_frames(spec, of[K_FRAME]);
    assay_read_messages(spec, of[K_MESSAGES]);
    assay_read_effects(spec, of[K_EFFECTS]);
    read_shared(spec, of);
    assay_read_calls(spec, of[K_CALLS]);
    add_builtins(spec);
    add_faults(spec);
    assay_read_machines(spec);
    add_messages_and_calls(spec);
    assay_resolve(spec);
    assay_check_sums(spec);
    assay_place_reliable(spec);
    SPEC_EACH (struct spec_machine, m, &spec->machines)
        if (!m->implicit)
            assay_read_rules(spec, m);
    assay_read_follows(spec);
    assay_read_steps(spec, of[K_CALLS]);
    assay_read_terminal(spec, of[K_TERMINAL]);
    read_promises(spec, of[K_IMPAIR]);
    read_cases(spec, of[K_CASES]);
}

static void compile(struct assay_spec *spec)
{
    spec->root = assay_yaml_read(&spec->arena, spec->source, spec->source_size, spec->diags);
    if (!spec->root)
        return;
    read_all(spec);
    if (spec->diags->errors == 0 && spec->declared == 0)
        spec->model = assay_lower(spec);
    if (spec->diags->errors == 0)
        assay_check_semantics(spec);
}

struct assay_spec *assay_spec_parse(const char *name, const uint8_t *text, size_t size, struct assay_diags *diags)
{
    struct assay_spec *spec = calloc(1, sizeof *spec);
    if (!spec)
        abort();
    diags->file = name;
    spec->diags = diags;
    spec->name = assay_arena_text(&spec->arena, name, strlen(name));
    spec->source = assay_arena_copy(&spec->arena, size ? (const void *)text : "", size + !size);
    spec->source_size = size;
    size_t before = diags->errors;
    compile(spec);
    assay_diags_sort(diags);
    spec->diags = NULL;
    if (diags->errors == before)
        return spec;
    assay_spec_free(spec);
    return NULL;
}

static uint8_t *read_file(FILE *file, size_t *size)
{
    size_t capacity = 64 * 1024, n = 0;
    uint8_t *bytes = malloc(capacity);
    while (bytes) {
        size_t got = fread(bytes + n, 1, capacity - n, file);
        n += got;
        if (got == 0 || n > (size_t)8 * 1024 * 1024)
            break;
        uint8_t *more = n == capacity ? realloc(bytes, capacity *= 2) : bytes;
        if (!more)
            free(bytes);
        bytes = more;
    }
    *size = n;
    return bytes;
}

struct assay_spec *assay_spec_load(const char *path, struct assay_diags *diags)
{
    size_t size = 0;
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = file ? read_file(file, &size) : NULL;
    bool failed = !file || !bytes || ferror(file);
    int error = errno;
    if (file)
        fclose(file);
    struct assay_spec *spec = NULL;
    diags->file = path;
    if (failed)
        assay_diag(diags, ASSAY_ERROR, (struct assay_at){0, 0}, "cannot be read: %s", strerror(error));
    else
        spec = assay_spec_parse(path, bytes, size, diags);
    free(bytes);
    return spec;
}

const struct assay_model *assay_spec_model(const struct assay_spec *spec)
{
    return spec->model;
}

size_t assay_spec_samples(const struct assay_spec *spec, uint16_t field, const struct assay_blob **samples)
{
    SPEC_EACH (struct spec_samples, s, &spec->samples)
        if (s->field == field) {
            *samples = s->items;
            return s->count;
        }
    *samples = NULL;
    return 0;
}

size_t assay_spec_cases(const struct assay_spec *spec, const struct assay_hand_case **cases)
{
    *cases = spec->hand_cases;
    return spec->cases.count;
}

const struct assay_terminal *assay_spec_terminal(const struct assay_spec *spec)
{
    return spec->shown;
}

void assay_spec_free(struct assay_spec *spec)
{
    if (!spec)
        return;
    assay_arena_free(&spec->arena);
    free(spec);
}
