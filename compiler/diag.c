#include "compiler/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool same(const struct assay_diag *d, enum assay_severity severity, struct assay_at at, const char *text)
{
    return d->severity == severity && d->line == at.line && d->column == at.column && strcmp(d->text, text) == 0;
}

static bool said(const struct assay_diags *diags, enum assay_severity severity, struct assay_at at, const char *text)
{
    for (size_t i = 0; i < diags->count; i++)
        if (same(&diags->items[i], severity, at, text))
            return true;
    return false;
}

static void append(struct assay_diags *diags, struct assay_diag diag)
{
    if (diags->count == diags->capacity) {
        diags->capacity = diags->capacity ? 2 * diags->capacity : 16;
        struct assay_diag *items = realloc(diags->items, diags->capacity * sizeof *items);
        if (!items)
            abort();
        diags->items = items;
    }
    diags->items[diags->count++] = diag;
}

void assay_diag(struct assay_diags *diags, enum assay_severity severity, struct assay_at at, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (said(diags, severity, at, text))
        return;
    diags->errors += severity == ASSAY_ERROR;
    if (diags->count >= ASSAY_DIAGS_MAX && !(severity == ASSAY_ERROR && diags->errors == 1))
        return;
    char *copy = strdup(text);
    if (!copy)
        abort();
    append(diags, (struct assay_diag){severity, at.line, at.column, copy});
}

static int by_place(const void *a, const void *b)
{
    const struct assay_diag *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    if (x->severity != y->severity)
        return x->severity < y->severity ? -1 : 1;
    return strcmp(x->text, y->text);
}

void assay_diags_sort(struct assay_diags *diags)
{
    if (diags->count > 1)
        qsort(diags->items, diags->count, sizeof *diags->items, by_place);
}

void assay_diags_print(const struct assay_diags *diags, FILE *to)
{
    static const char *const names[] = {[ASSAY_ERROR] = "error", [ASSAY_WARNING] = "warning", [ASSAY_NOTE] = "note"};
    for (size_t i = 0; i < diags->count; i++) {
        const struct assay_diag *d = &diags->items[i];
        fputs(diags->file ? diags->file : "-", to);
        if (d->line)
            fprintf(to, ":%u:%u", d->line, d->column);
        fprintf(to, ": %s: %s\n", names[d->severity], d->text);
    }
}

void assay_diags_free(struct assay_diags *diags)
{
    for (size_t i = 0; i < diags->count; i++)
        free(diags->items[i].text);
    free(diags->items);
    *diags = (struct assay_diags){0};
}

/* ---- did you mean ------------------------------------------------------ */

#define NAME_MAX_SIZE 40

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '_' ? '-' : c;
}

static bool same_letter(char a, char b)
{
    return fold(a) == fold(b);
}

/* Edit distance, two letters swapped counting once; letter case, and `_` for `-`, count for nothing. */
static unsigned distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned rows[3][NAME_MAX_SIZE + 1];
    if (n > NAME_MAX_SIZE || m > NAME_MAX_SIZE)
        return NAME_MAX_SIZE;
    for (unsigned j = 0; j <= m; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= m; j++) {
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + !same_letter(a[i - 1], b[j - 1]));
            bool swapped = i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]);
            if (swapped && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
    }
    return rows[n % 3][m];
}

void assay_near_add(struct assay_near *near, const char *candidate)
{
    if (!candidate)
        return;
    unsigned d = distance(near->wanted, candidate);
    if (d > (strlen(near->wanted) + 2) / 3 || (near->best && d >= near->distance))
        return;
    near->best = candidate;
    near->distance = d;
}

const char *assay_near_text(const struct assay_near *near)
{
    static _Thread_local char text[128];
    if (!near->best)
        return "";
    snprintf(text, sizeof text, "; did you mean '%s'?", near->best);
    return text;
}
