#include "link/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "link/words.h"

const struct assay_link_kind_row assay_link_kinds[ASSAY_LINK_KINDS] = {
    [ASSAY_LINK_REFUSE] = {"refuse", ASSAY_LINK_STREAM, ASSAY_LINK_NOTHING, "PLACE",
                           "reset the connections with these numbers at once"},
    [ASSAY_LINK_SPLIT] = {"split", ASSAY_LINK_STREAM, ASSAY_LINK_SIZES, "N[..M]",
                          "write at most N bytes at a time, or N to M at random"},
    [ASSAY_LINK_CUT] = {"cut", ASSAY_LINK_STREAM, ASSAY_LINK_NOTHING, "PLACE", "end a write at these places"},
    [ASSAY_LINK_COALESCE] = {"coalesce", ASSAY_LINK_STREAM, ASSAY_LINK_HOLD, "N[/TIME]",
                             "hold bytes until there are N, or for TIME (20ms)"},
    [ASSAY_LINK_STALL] = {"stall", ASSAY_LINK_STREAM, ASSAY_LINK_SPAN, "TIME[..TIME]@PLACE", "pass nothing for a time"},
    [ASSAY_LINK_BANDWIDTH] = {"bandwidth", ASSAY_LINK_STREAM, ASSAY_LINK_BYTES, "N", "pass N bytes a second"},
    [ASSAY_LINK_CLOSE] = {"close", ASSAY_LINK_STREAM, ASSAY_LINK_NOTHING, "PLACE",
                          "end the stream; what is sent later is lost"},
    [ASSAY_LINK_RESET] = {"reset", ASSAY_LINK_STREAM, ASSAY_LINK_NOTHING, "PLACE", "reset both ends"},
    [ASSAY_LINK_DROP] = {"drop", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_NOTHING, "PLACE", "lose datagrams"},
    [ASSAY_LINK_TRUNCATE] = {"truncate", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_BYTES, "[N@]PLACE",
                             "lose the end of datagrams: keep N bytes, or some"},
    [ASSAY_LINK_CORRUPT] = {"corrupt", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_FLIP, "[OFFSET:BITS@]PLACE",
                            "change a bit of datagrams, or these"},
    [ASSAY_LINK_DELAY] = {"delay", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_SPAN, "TIME[..TIME][@PLACE]",
                          "hand datagrams on later"},
    [ASSAY_LINK_SWAP] = {"swap", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_PLACES, "[N[/TIME]@]PLACE",
                         "hand datagrams on after the N next ones (1), or when these do not come in TIME (100ms)"},
    [ASSAY_LINK_DUPLICATE] = {"duplicate", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_LATER, "[TIME[..TIME]@]PLACE",
                              "hand datagrams on twice, the second time at once or later"},
};

#define LINE_MAX_SIZE 256u
#define WORDS         6u

/* ---- lists ------------------------------------------------------------- */

void assay_link_plan_free(struct assay_link_plan *plan)
{
    free(plan->faults);
    plan->faults = NULL;
    plan->count = 0;
}

bool assay_link_plan_add(struct assay_link_plan *plan, const struct assay_link_fault *fault)
{
    size_t n = plan->count;
    if ((n & (n - 1)) == 0) {
        struct assay_link_fault *grown = realloc(plan->faults, (n ? 2 * n : 1) * sizeof *grown);
        if (!grown)
            return false;
        plan->faults = grown;
    }
    plan->faults[n] = *fault;
    plan->faults[n].order = (uint32_t)n + 1;
    plan->count++;
    return true;
}

static int three_way(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_place(const void *pa, const void *pb)
{
    const struct assay_link_fault *a = pa, *b = pb;
    int c = three_way(a->flow, b->flow);
    c = c ? c : three_way(a->direction, b->direction);
    c = c ? c : three_way(a->at, b->at);
    return c ? c : three_way(a->order, b->order);
}

void assay_link_plan_sort(struct assay_link_plan *plan)
{
    if (plan->count > 0)
        qsort(plan->faults, plan->count, sizeof *plan->faults, by_place);
}

bool assay_link_plan_write(const struct assay_link_plan *plan, FILE *to)
{
    char line[ASSAY_LINK_LINE_MAX];
    fprintf(to, "seed %" PRIu64 "\n", plan->seed);
    for (size_t i = 0; i < plan->count; i++) {
        assay_link_print(&plan->faults[i], line);
        fprintf(to, "%s\n", line);
    }
    return !ferror(to);
}

/* ---- errors ------------------------------------------------------------ */

struct line {
    char text[LINE_MAX_SIZE];
    const char *words[WORDS];
    unsigned count, used;
    const char *name;
    size_t number;
    struct assay_link_error *error;
};

/* Says what is wrong at a word, or behind the last one. */
static bool wrong(const struct line *l, unsigned word, const char *expected)
{
    const char *found = word < l->count ? l->words[word] : NULL;
    size_t column = found           ? (size_t)(found - l->text) + 1
                    : l->count == 0 ? 1
                                    : (size_t)(l->words[l->count - 1] - l->text) + strlen(l->words[l->count - 1]) + 1;
    int n = snprintf(l->error->text, sizeof l->error->text, "%.200s:%zu:%zu: expected %s", l->name, l->number, column,
                     expected);
    if (n > 0 && (size_t)n < sizeof l->error->text)
        snprintf(l->error->text + n, sizeof l->error->text - (size_t)n, found ? ", found '%.60s'" : ", found the end",
                 found);
    return false;
}

/* ---- words ------------------------------------------------------------- */

static void cut_words(struct line *l)
{
    l->text[strcspn(l->text, "#\r\n")] = '\0';
    l->count = l->used = 0;
    for (char *p = l->text; l->count < WORDS;) {
        p += strspn(p, " \t");
        if (*p == '\0')
            return;
        l->words[l->count++] = p;
        p += strcspn(p, " \t");
        if (*p != '\0')
            *p++ = '\0';
    }
}

static const char *word(const struct line *l)
{
    return l->used < l->count ? l->words[l->used] : "";
}

static bool is(const struct line *l, const char *text)
{
    return strcmp(word(l), text) == 0;
}

/* ---- lines ------------------------------------------------------------- */

static bool read_connection(struct line *l, struct assay_link_fault *f)
{
    uint64_t n = 0;
    if (!is(l, "*") && (!assay_parse_size(word(l), &n) || n == 0 || n > UINT32_MAX))
        return wrong(l, l->used, "the number of a flow, from 1, or *");
    f->flow = (uint32_t)n;
    l->used++;
    return true;
}

static bool read_direction(struct line *l, struct assay_link_fault *f, bool *both)
{
    *both = is(l, "*");
    if (!*both && !is(l, "up") && !is(l, "down"))
        return wrong(l, l->used, "up, down or *");
    f->direction = is(l, "down") ? ASSAY_LINK_DOWN : ASSAY_LINK_UP;
    l->used++;
    return true;
}

static bool read_place(struct line *l, struct assay_link_fault *f, enum assay_link_transport transport)
{
    bool numbered = transport == ASSAY_LINK_DATAGRAMS;
    if (!assay_parse_size(word(l), &f->at) || f->at == UINT64_MAX || (numbered && f->at == 0))
        return wrong(l, l->used, numbered ? "the number of a datagram, from 1" : "an offset in bytes");
    l->used++;
    return true;
}

static bool read_kind(struct line *l, struct assay_link_fault *f, enum assay_link_transport transport)
{
    char names[160] = "a fault:";
    for (int k = 0; k < ASSAY_LINK_KINDS; k++) {
        const struct assay_link_kind_row *row = &assay_link_kinds[k];
        if (row->transport != transport || k == ASSAY_LINK_REFUSE)
            continue;
        f->kind = (enum assay_link_kind)k;
        if (is(l, row->name)) {
            l->used++;
            return true;
        }
        strcat(strcat(names, " "), row->name);
    }
    return wrong(l, l->used, names);
}

static bool read_value(struct line *l, struct assay_link_fault *f)
{
    char expected[120];
    bool given = l->used < l->count;
    if (!assay_link_read_value(f->kind, given ? word(l) : NULL, f)) {
        snprintf(expected, sizeof expected, "%s: %s takes %s", given ? "another value" : "a value",
                 assay_link_kinds[f->kind].name, assay_link_value_form(f->kind));
        return wrong(l, l->used, expected);
    }
    l->used += given;
    return true;
}

static bool at_end(const struct line *l)
{
    return l->used == l->count || wrong(l, l->used, "the end of the line");
}

static bool add(struct assay_link_plan *plan, const struct line *l, struct assay_link_fault *f, bool both)
{
    bool ok = assay_link_plan_add(plan, f);
    if (ok && both) {
        f->direction = ASSAY_LINK_DOWN;
        ok = assay_link_plan_add(plan, f);
    }
    if (!ok)
        snprintf(l->error->text, sizeof l->error->text, "%.200s:%zu:1: no memory", l->name, l->number);
    return ok;
}

static bool read_fault(struct line *l, struct assay_link_plan *plan)
{
    struct assay_link_fault f = {0};
    bool both = false;
    if (!read_connection(l, &f))
        return false;
    if (is(l, assay_link_kinds[ASSAY_LINK_REFUSE].name) && plan->transport == ASSAY_LINK_STREAM) {
        f.kind = ASSAY_LINK_REFUSE;
        l->used++;
    } else if (!read_direction(l, &f, &both) || !read_place(l, &f, plan->transport) ||
               !read_kind(l, &f, plan->transport) || !read_value(l, &f)) {
        return false;
    }
    return at_end(l) && add(plan, l, &f, both);
}

static bool read_seed(struct line *l, struct assay_link_plan *plan)
{
    l->used++;
    if (!assay_parse_size(word(l), &plan->seed))
        return wrong(l, l->used, "a number");
    l->used++;
    return at_end(l);
}

static bool read_line(struct line *l, struct assay_link_plan *plan)
{
    cut_words(l);
    if (l->count == 0)
        return true;
    return is(l, "seed") ? read_seed(l, plan) : read_fault(l, plan);
}

static bool take_line(struct line *l, const char *text, size_t n)
{
    const char *nul = memchr(text, '\0', n);
    size_t kept = n < LINE_MAX_SIZE ? n : LINE_MAX_SIZE - 1;
    memcpy(l->text, text, kept);
    l->text[kept] = '\0';
    size_t column = nul ? (size_t)(nul - text) + 1 : n > kept && !strchr(l->text, '#') ? LINE_MAX_SIZE : 0;
    if (column > 0)
        snprintf(l->error->text, sizeof l->error->text, "%.200s:%zu:%zu: %s", l->name, l->number, column,
                 nul ? "a NUL, and no text" : "the line is too long");
    return column == 0;
}

/* ---- files ------------------------------------------------------------- */

bool assay_link_plan_read(struct assay_link_plan *plan, const char *name, const char *text, size_t size,
                          struct assay_link_error *error)
{
    struct line l = {.name = name, .error = error};
    for (const char *end = text + size; text < end;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);
        l.number++;
        if (!take_line(&l, text, n) || !read_line(&l, plan))
            return false;
        text += n + (stop != NULL);
    }
    return true;
}

static char *read_all(FILE *f, size_t *size)
{
    char *text = NULL;
    size_t cap = 0;
    *size = 0;
    for (size_t n = 1; n > 0; *size += n) {
        if (*size == cap) {
            char *grown = realloc(text, cap = cap ? 2 * cap : 4096);
            if (!grown)
                break;
            text = grown;
        }
        n = fread(text + *size, 1, cap - *size, f);
    }
    return text;
}

bool assay_link_plan_load(struct assay_link_plan *plan, const char *path, struct assay_link_error *error)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        snprintf(error->text, sizeof error->text, "cannot read %.200s: %s", path, strerror(errno));
        return false;
    }
    size_t size;
    errno = 0;
    char *text = read_all(f, &size);
    bool ok = text && !ferror(f);
    if (ok)
        ok = assay_link_plan_read(plan, path, text, size, error);
    else
        snprintf(error->text, sizeof error->text, "cannot read %.200s: %s", path, strerror(errno));
    free(text);
    fclose(f);
    return ok;
}
