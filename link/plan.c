#include "link/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "link/words.h"

#define LINE_MAX_SIZE 256u
#define WORDS         6u

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
        return wrong(l, l->used, "the number of a connection, from 1, or *");
    f->connection = (uint32_t)n;
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

static bool add(struct assay_link_faults *faults, const struct line *l, struct assay_link_fault *f, bool both)
{
    bool ok = assay_link_add(faults, f);
    if (ok && both) {
        f->direction = ASSAY_LINK_DOWN;
        ok = assay_link_add(faults, f);
    }
    if (!ok)
        snprintf(l->error->text, sizeof l->error->text, "%.200s:%zu:1: no memory", l->name, l->number);
    return ok;
}

static bool read_fault(struct line *l, struct assay_link_faults *faults)
{
    struct assay_link_fault f = {0};
    bool both = false;
    if (!read_connection(l, &f))
        return false;
    if (is(l, assay_link_kinds[ASSAY_LINK_REFUSE].name) && faults->transport == ASSAY_LINK_STREAM) {
        f.kind = ASSAY_LINK_REFUSE;
        l->used++;
    } else if (!read_direction(l, &f, &both) || !read_place(l, &f, faults->transport) ||
               !read_kind(l, &f, faults->transport) || !read_value(l, &f)) {
        return false;
    }
    return at_end(l) && add(faults, l, &f, both);
}

static bool read_seed(struct line *l, struct assay_link_faults *faults)
{
    l->used++;
    if (!assay_parse_size(word(l), &faults->seed))
        return wrong(l, l->used, "a number");
    l->used++;
    return at_end(l);
}

static bool read_line(struct line *l, struct assay_link_faults *faults)
{
    cut_words(l);
    if (l->count == 0)
        return true;
    return is(l, "seed") ? read_seed(l, faults) : read_fault(l, faults);
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

bool assay_link_plan_read(struct assay_link_faults *faults, const char *name, const char *text, size_t size,
                          struct assay_link_error *error)
{
    struct line l = {.name = name, .error = error};
    for (const char *end = text + size; text < end;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);
        l.number++;
        if (!take_line(&l, text, n) || !read_line(&l, faults))
            return false;
        text += n + (stop != NULL);
    }
    assay_link_sort(faults);
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

bool assay_link_plan_load(struct assay_link_faults *faults, const char *path, struct assay_link_error *error)
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
        ok = assay_link_plan_read(faults, path, text, size, error);
    else
        snprintf(error->text, sizeof error->text, "cannot read %.200s: %s", path, strerror(errno));
    free(text);
    fclose(f);
    return ok;
}
