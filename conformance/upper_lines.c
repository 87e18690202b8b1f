#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/describe.h"
#include "conformance/upper.h"

bool assay_upper_way_named(const char *name, enum assay_upper_way *way)
{
    static const char *const names[] = {
        [ASSAY_UPPER_LINES] = "lines", [ASSAY_UPPER_TERMINAL] = "terminal", [ASSAY_UPPER_EXIT] = "exit"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) {
            *way = (enum assay_upper_way)i;
            return true;
        }
    return false;
}

/* ---- to the program ---------------------------------------------------- */

static void put_bytes(struct assay_span bytes, FILE *to)
{
    for (uint32_t i = 0; i < bytes.n; i++)
        if (isascii(bytes.p[i]) && (isalnum(bytes.p[i]) || (bytes.p[i] && strchr("-._~", bytes.p[i]))))
            fputc(bytes.p[i], to);
        else
            fprintf(to, "%%%02X", bytes.p[i]);
}

static int64_t element(const uint8_t *p)
{
    uint64_t v = 0;
    for (int k = 7; k >= 0; k--)
        v = v << 8 | p[k];
    return (int64_t)v;
}

static void put_list(struct assay_span bytes, FILE *to)
{
    for (uint32_t i = 0; i + 8 <= bytes.n; i += 8)
        fprintf(to, "%s%" PRId64, i ? "," : "", element(bytes.p + i));
}

static void put_enum(const struct assay_model *model, uint16_t of, int64_t value, FILE *to)
{
    const char *name = assay_enum_name(model, of, value);
    if (name)
        fputs(name, to);
    else
        fprintf(to, "%" PRId64, value);
}

static void put_value(const struct assay_model *model, const struct assay_type *type, assay_val value,
                      struct assay_span bytes, FILE *to)
{
    switch ((enum assay_type_kind)type->kind) {
    case ASSAY_T_INT:
    case ASSAY_T_DURATION:
        fprintf(to, "%" PRId64, (int64_t)value);
        break;
    case ASSAY_T_BOOL:
        fputs(value ? "true" : "false", to);
        break;
    case ASSAY_T_ENUM:
        put_enum(model, type->of, (int64_t)value, to);
        break;
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT:
        put_bytes(bytes, to);
        break;
    case ASSAY_T_LIST:
        put_list(bytes, to);
        break;
    }
}

void assay_lines_call(const struct assay_model *model, uint16_t call, const assay_val *values,
                      const struct assay_span *spans, FILE *to)
{
    const struct assay_call *c = &model->calls[call];
    fprintf(to, "call %s", c->name);
    for (uint16_t i = 0; i < c->args.count; i++) {
        const struct assay_param *arg = &model->params[c->args.first + i];
        const struct assay_type *type = &model->types[arg->type];
        fprintf(to, " %s=", arg->name);
        put_value(model, type, type->kind < ASSAY_T_BYTES ? values[i] : 0,
                  type->kind < ASSAY_T_BYTES ? (struct assay_span){0} : spans[i], to);
    }
    fputc('\n', to);
}

/* ---- from the program -------------------------------------------------- */

static void nonsense(struct assay_heard *h, const char *what, const char *about)
{
    struct assay_text why = {h->why, sizeof h->why, 0};
    h->kind = ASSAY_HEARD_NONSENSE;
    assay_text_add(&why, "%s", what);
    assay_show_quoted(&why, (struct assay_span){(const uint8_t *)about, (uint32_t)strlen(about)}, 80);
}

/* The next word, ended in place; NULL: there is none. */
static char *next_word(char **rest)
{
    char *word = *rest;
    if (!word)
        return NULL;
    char *blank = strchr(word, ' ');
    if (blank)
        *blank = '\0';
    *rest = blank ? blank + 1 : NULL;
    return word;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. False: a % that no two digits follow. */
static bool unescape(char *text, struct assay_span *bytes)
{
    uint8_t *to = (uint8_t *)text;
    uint32_t n = 0;
    for (const char *p = text; *p; n++) {
        int high = *p == '%' ? hex_digit(p[1]) : 0, low = *p == '%' && high >= 0 ? hex_digit(p[2]) : 0;
        if (high < 0 || low < 0)
            return false;
        bool escaped = *p == '%';
        to[n] = (uint8_t)(escaped ? high << 4 | low : *p);
        p += escaped ? 3 : 1;
    }
    *bytes = (struct assay_span){to, n};
    return true;
}

static bool read_number(const char *text, char end, int64_t *number, const char **behind)
{
    char *stop;
    errno = 0;
    *number = strtoll(text, &stop, 10);
    *behind = stop;
    return errno == 0 && stop != text && (*stop == '\0' || *stop == end) && strchr("-0123456789", *text);
}

static bool read_list(struct assay_heard *h, const char *text, struct assay_span *bytes)
{
    size_t most = strlen(text) / 2 + 1, n = 0;
    uint8_t *grown = realloc(h->list, most * 8);
    if (!grown)
        return false;
    h->list = grown;
    for (const char *p = text; *p; n++) {
        int64_t v;
        if (!read_number(p, ',', &v, &p))
            return false;
        for (int k = 0; k < 8; k++)
            grown[n * 8 + (size_t)k] = (uint8_t)((uint64_t)v >> (8 * k));
        p += *p == ',';
    }
    *bytes = (struct assay_span){grown, (uint32_t)(n * 8)};
    return true;
}

static bool read_enum(const struct assay_model *model, uint16_t of, const char *text, int64_t *number)
{
    struct assay_range items = model->enums[of].items;
    const char *behind;
    for (uint32_t i = items.first; i < (uint32_t)items.first + items.count; i++)
        if (strcmp(model->enum_items[i].name, text) == 0) {
            *number = model->enum_items[i].value;
            return true;
        }
    return model->enums[of].open && read_number(text, '\0', number, &behind);
}

static bool read_value(const struct assay_model *model, const struct assay_type *type, char *text,
                       struct assay_heard *h, uint16_t i)
{
    int64_t number = 0;
    const char *behind;
    bool good = false;
    switch ((enum assay_type_kind)type->kind) {
    case ASSAY_T_INT:
    case ASSAY_T_DURATION:
        good = read_number(text, '\0', &number, &behind);
        break;
    case ASSAY_T_BOOL:
        number = strcmp(text, "true") == 0;
        good = number || strcmp(text, "false") == 0;
        break;
    case ASSAY_T_ENUM:
        good = read_enum(model, type->of, text, &number);
        break;
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT:
        good = unescape(text, &h->spans[i]);
        break;
    case ASSAY_T_LIST:
        good = read_list(h, text, &h->spans[i]);
        break;
    }
    h->values[i] = (assay_val)number;
    return good;
}

/* All of `params`, each once, in any order. */
static void read_params(const struct assay_model *model, struct assay_range params, char *rest, struct assay_heard *h)
{
    uint64_t given = 0;
    for (char *word; (word = next_word(&rest));) {
        char *value = strchr(word, '=');
        uint16_t i = 0;
        if (value)
            *value++ = '\0';
        while (i < params.count && strcmp(model->params[params.first + i].name, word) != 0)
            i++;
        if (!value || i == params.count || given >> i & 1) {
            nonsense(h, value ? "no such name there, or it stands twice: " : "not NAME=VALUE: ", word);
            return;
        }
        given |= (uint64_t)1 << i;
        if (!read_value(model, &model->types[model->params[params.first + i].type], value, h, i)) {
            nonsense(h, "not a value of its type: ", word);
            return;
        }
    }
    for (uint16_t i = 0; i < params.count; i++)
        if (!(given >> i & 1)) {
            nonsense(h, "it leaves out ", model->params[params.first + i].name);
            return;
        }
    h->upper.count = params.count;
    h->upper.values = h->values;
    h->upper.spans = h->spans;
}

static bool find_call(const struct assay_model *model, const char *name, struct assay_heard *h)
{
    for (uint16_t i = 0; name && i < model->calls_count; i++)
        if (strcmp(model->calls[i].name, name) == 0) {
            h->upper.index = i;
            return true;
        }
    nonsense(h, "the spec has no call ", name ? name : "");
    return false;
}

static void read_result(const struct assay_model *model, char *rest, struct assay_heard *h)
{
    h->upper.kind = ASSAY_UPPER_RESULT;
    if (find_call(model, next_word(&rest), h))
        read_params(model, model->calls[h->upper.index].results, rest, h);
}

static const struct {
    const char *name;
    int32_t outcome;
} outcomes[] = {
    {"closed", ASSAY_CALL_CLOSED},
    {"timeout", ASSAY_CALL_TIMEOUT},
    {"protocol", ASSAY_CALL_PROTOCOL},
    {"value", ASSAY_CALL_PROTOCOL}, /* the engine, too, ends a call that cannot be sent with this */
};

static void read_error(const struct assay_model *model, char *rest, struct assay_heard *h)
{
    h->upper.kind = ASSAY_UPPER_ERROR;
    if (!find_call(model, next_word(&rest), h))
        return;
    struct assay_range own = model->calls[h->upper.index].errors;
    const char *kind = next_word(&rest);
    for (uint32_t i = own.first; kind && i < (uint32_t)own.first + own.count; i++)
        if (strcmp(model->errors[i].name, kind) == 0) {
            h->upper.outcome = (int32_t)i;
            return;
        }
    for (size_t i = 0; kind && i < sizeof outcomes / sizeof outcomes[0]; i++)
        if (strcmp(outcomes[i].name, kind) == 0) {
            h->upper.outcome = outcomes[i].outcome;
            h->upper.value = strcmp(kind, "value") == 0;
            return;
        }
    nonsense(h, "no such error of that call: ", kind ? kind : "");
}

static void read_effect(const struct assay_model *model, char *rest, struct assay_heard *h)
{
    const char *name = next_word(&rest);
    h->upper.kind = ASSAY_UPPER_EFFECT;
    for (uint16_t i = 0; name && i < model->effects_count; i++)
        if (strcmp(model->effects[i].name, name) == 0) {
            h->upper.index = i;
            read_params(model, model->effects[i].args, rest, h);
            return;
        }
    nonsense(h, "the spec has no effect ", name ? name : "");
}

static const struct {
    const char *word;
    enum assay_heard_kind kind;
    void (*read)(const struct assay_model *model, char *rest, struct assay_heard *h); /* NULL: the word is the line */
} words[] = {
    {"connected", ASSAY_HEARD_CONNECTED, NULL}, {"unreachable", ASSAY_HEARD_UNREACHABLE, NULL},
    {"ended", ASSAY_HEARD_ENDED, NULL},         {"result", ASSAY_HEARD_UPPER, read_result},
    {"error", ASSAY_HEARD_UPPER, read_error},   {"effect", ASSAY_HEARD_UPPER, read_effect},
};

void assay_lines_read(const struct assay_model *model, char *line, size_t n, struct assay_heard *h)
{
    *h = (struct assay_heard){0};
    line[n] = '\0';
    if (strlen(line) != n) {
        nonsense(h, "a line with a NUL: ", line);
        return;
    }
    char *rest = line;
    const char *word = next_word(&rest);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].word, word) == 0) {
            h->kind = words[i].kind;
            if (words[i].read)
                words[i].read(model, rest, h);
            return;
        }
    nonsense(h, "it wrote what is no line of the upper interface: ", line);
}

void assay_heard_free(struct assay_heard *h)
{
    free(h->list);
    h->list = NULL;
}
