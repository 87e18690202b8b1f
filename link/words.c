#include "link/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"

#define WORD_MAX 64

#define HOLD_DEFAULT (20 * (int64_t)1000000)
#define SWAP_DEFAULT (100 * (int64_t)1000000)

/* ---- values ------------------------------------------------------------ */

struct value {
    uint64_t size, size_max;
    int64_t span, span_max;
    uint8_t mask;
};

/* Splits "A<mark>B" in two; *second is NULL if the mark is not there. */
static bool halves(const char *text, const char *mark, char first[WORD_MAX], const char **second)
{
    const char *at = strstr(text, mark);
    size_t n = at ? (size_t)(at - text) : strlen(text);
    if (n >= WORD_MAX)
        return false;
    memcpy(first, text, n);
    first[n] = '\0';
    *second = at ? at + strlen(mark) : NULL;
    return true;
}

static bool read_sizes(const char *text, struct value *v)
{
    char low[WORD_MAX];
    const char *high;
    if (!halves(text, "..", low, &high) || !assay_parse_size(low, &v->size))
        return false;
    v->size_max = v->size;
    return !high || (assay_parse_size(high, &v->size_max) && v->size > 0 && v->size_max >= v->size);
}

static bool read_span(const char *text, struct value *v)
{
    char low[WORD_MAX];
    const char *high;
    if (!halves(text, "..", low, &high) || !assay_parse_duration(low, &v->span))
        return false;
    v->span_max = v->span;
    return !high || (assay_parse_duration(high, &v->span_max) && v->span_max >= v->span);
}

/* "N" or "N/TIME". */
static bool read_hold(const char *text, int64_t usual, struct value *v)
{
    char size[WORD_MAX];
    const char *span;
    v->span = usual;
    bool ok = halves(text, "/", size, &span) && assay_parse_size(size, &v->size) &&
              (!span || assay_parse_duration(span, &v->span));
    v->span_max = v->span;
    return ok;
}

static bool read_places(const char *text, struct value *v)
{
    return read_hold(text ? text : "1", SWAP_DEFAULT, v) && v->size > 0 && v->span > 0;
}

static bool read_flip(const char *text, struct value *v)
{
    char at[WORD_MAX];
    const char *bits;
    if (!halves(text, ":", at, &bits) || !assay_parse_size(at, &v->size) || !bits)
        return false;
    char *end;
    unsigned long mask = strtoul(bits, &end, 16);
    v->mask = (uint8_t)mask;
    return strspn(bits, "0123456789abcdefABCDEF") == strlen(bits) && *end == '\0' && mask > 0 && mask <= 0xff;
}

static bool read_value(enum assay_link_value form, const char *text, struct value *v)
{
    switch (form) {
    case ASSAY_LINK_NOTHING:
        return text == NULL;
    case ASSAY_LINK_LATER:
        return text == NULL || read_span(text, v);
    case ASSAY_LINK_SIZES:
        return text && read_sizes(text, v);
    case ASSAY_LINK_HOLD:
        return text && read_hold(text, HOLD_DEFAULT, v);
    case ASSAY_LINK_SPAN:
        return text && read_span(text, v);
    case ASSAY_LINK_BYTES:
        return text && assay_parse_size(text, &v->size);
    case ASSAY_LINK_FLIP:
        return text && read_flip(text, v);
    case ASSAY_LINK_PLACES:
        return read_places(text, v);
    }
    return false;
}

const char *assay_link_value_form(enum assay_link_kind kind)
{
    switch (assay_link_kinds[kind].value) {
    case ASSAY_LINK_NOTHING:
        return "no value";
    case ASSAY_LINK_LATER:
        return "nothing, or a time such as 30ms";
    case ASSAY_LINK_SIZES:
        return "a number of bytes such as 7, or a range such as 1..100";
    case ASSAY_LINK_HOLD:
        return "a number of bytes, and a time if wanted: 4KiB or 4KiB/20ms";
    case ASSAY_LINK_SPAN:
        return "a time such as 200ms";
    case ASSAY_LINK_BYTES:
        return "a number of bytes such as 100 or 64KiB";
    case ASSAY_LINK_FLIP:
        return "OFFSET:BITS such as 12:40, the bits in hex";
    case ASSAY_LINK_PLACES:
        return "nothing, a number of datagrams such as 3, or that and a time such as 3/500ms";
    }
    return "";
}

bool assay_link_read_value(enum assay_link_kind kind, const char *text, struct assay_link_fault *fault)
{
    struct value v = {0};
    /* A plan says how long, not from which range. */
    if (!read_value(assay_link_kinds[kind].value, text, &v) || v.span != v.span_max)
        return false;
    fault->size = v.size;
    fault->size_max = v.size_max;
    fault->span = v.span;
    fault->mask = v.mask;
    return true;
}

/* ---- options ----------------------------------------------------------- */

static bool read_rate(const char *text, struct assay_link_rule *rule)
{
    char *end;
    if (strspn(text, "0123456789.%") != strlen(text))
        return false;
    rule->where = ASSAY_LINK_RATE;
    rule->rate = strtod(text, &end);
    if (end != text && *end == '%') {
        rule->rate /= 100;
        end++;
    }
    return end != text && *end == '\0' && rule->rate <= 1;
}

static bool read_place(const char *text, struct assay_link_rule *rule)
{
    if (strncmp(text, "rate=", 5) == 0)
        return read_rate(text + 5, rule);
    if (strpbrk(text, ".%"))
        return read_rate(text, rule);
    bool every = strncmp(text, "every=", 6) == 0;
    rule->where = every ? ASSAY_LINK_EVERY : ASSAY_LINK_AT;
    return assay_parse_size(text + (every ? 6 : 0), &rule->n) && (!every || rule->n > 0);
}

static const char *read_direction(const char *text, struct assay_link_rule *rule)
{
    bool up = strncmp(text, "up:", 3) == 0, down = strncmp(text, "down:", 5) == 0;
    rule->directions[ASSAY_LINK_UP] = !down;
    rule->directions[ASSAY_LINK_DOWN] = !up;
    return text + (up ? 3 : down ? 5 : 0);
}

/* Where a fault with a value happens unless that is said: from the beginning, or to every datagram. */
static bool default_place(enum assay_link_kind kind, struct assay_link_rule *rule)
{
    bool every = kind == ASSAY_LINK_DELAY;
    rule->where = every ? ASSAY_LINK_EVERY : ASSAY_LINK_AT;
    rule->n = every;
    return kind != ASSAY_LINK_STALL;
}

/* The first of an option's words is its place, unless there are two. */
static bool starts_with_place(enum assay_link_kind kind, const char *text)
{
    switch (assay_link_kinds[kind].value) {
    case ASSAY_LINK_NOTHING:
        return true;
    case ASSAY_LINK_SIZES:
    case ASSAY_LINK_HOLD:
    case ASSAY_LINK_SPAN:
        return false;
    case ASSAY_LINK_LATER:
    case ASSAY_LINK_FLIP:
    case ASSAY_LINK_PLACES:
        return !strchr(text, '@');
    case ASSAY_LINK_BYTES:
        return assay_link_kinds[kind].transport == ASSAY_LINK_DATAGRAMS && !strchr(text, '@');
    }
    return false;
}

/* What is left to chance where an option does not say it, and the usual values of what is not. */
static void leave_open(struct assay_link_rule *rule)
{
    struct value v = {0};
    rule->open = rule->kind == ASSAY_LINK_CORRUPT || rule->kind == ASSAY_LINK_TRUNCATE;
    if (assay_link_kinds[rule->kind].value != ASSAY_LINK_PLACES)
        return;
    read_places(NULL, &v);
    rule->size = v.size;
    rule->span = rule->span_max = v.span;
}

bool assay_link_read_option(enum assay_link_kind kind, const char *text, struct assay_link_rule *rule)
{
    char word[WORD_MAX];
    const char *place;
    struct value v = {0};
    *rule = (struct assay_link_rule){.kind = kind};
    text = read_direction(text, rule);
    if (starts_with_place(kind, text)) {
        leave_open(rule);
        return read_place(text, rule);
    }
    if (!halves(text, "@", word, &place) || !read_value(assay_link_kinds[kind].value, word, &v))
        return false;
    rule->size = v.size;
    rule->size_max = v.size_max;
    rule->span = v.span;
    rule->span_max = v.span_max;
    rule->mask = v.mask;
    return place ? read_place(place, rule) : default_place(kind, rule);
}

/* ---- lines ------------------------------------------------------------- */

size_t assay_link_print_span(int64_t span, char *text, size_t size)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};
    size_t i = 0;
    while (span % units[i].ns != 0)
        i++;
    return (size_t)snprintf(text, size, "%" PRId64 "%s", span / units[i].ns, units[i].name);
}

static void print_value(const struct assay_link_fault *f, char *to, size_t cap)
{
    char span[32];
    assay_link_print_span(f->span, span, sizeof span);
    *to = '\0';
    switch (assay_link_kinds[f->kind].value) {
    case ASSAY_LINK_NOTHING:
        break;
    case ASSAY_LINK_SIZES:
        if (f->size_max > f->size)
            snprintf(to, cap, " %" PRIu64 "..%" PRIu64, f->size, f->size_max);
        else
            snprintf(to, cap, " %" PRIu64, f->size);
        break;
    case ASSAY_LINK_HOLD:
        snprintf(to, cap, " %" PRIu64 "/%s", f->size, span);
        break;
    case ASSAY_LINK_PLACES:
        if (f->span != SWAP_DEFAULT && f->span != 0)
            snprintf(to, cap, " %" PRIu64 "/%s", f->size, span);
        else if (f->size > 1)
            snprintf(to, cap, " %" PRIu64, f->size);
        break;
    case ASSAY_LINK_LATER:
        if (f->span > 0)
            snprintf(to, cap, " %s", span);
        break;
    case ASSAY_LINK_SPAN:
        snprintf(to, cap, " %s", span);
        break;
    case ASSAY_LINK_BYTES:
        snprintf(to, cap, " %" PRIu64, f->size);
        break;
    case ASSAY_LINK_FLIP:
        snprintf(to, cap, " %" PRIu64 ":%02x", f->size, f->mask);
        break;
    }
}

void assay_link_print(const struct assay_link_fault *fault, char line[ASSAY_LINK_LINE_MAX])
{
    char value[64], flow[16] = "*";
    const char *name = assay_link_kinds[fault->kind].name;
    print_value(fault, value, sizeof value);
    if (fault->flow > 0)
        snprintf(flow, sizeof flow, "%" PRIu32, fault->flow);
    if (fault->kind == ASSAY_LINK_REFUSE)
        snprintf(line, ASSAY_LINK_LINE_MAX, "%s %s", flow, name);
    else
        snprintf(line, ASSAY_LINK_LINE_MAX, "%s %s %" PRIu64 " %s%s", flow,
                 fault->direction == ASSAY_LINK_UP ? "up" : "down", fault->at, name, value);
}
