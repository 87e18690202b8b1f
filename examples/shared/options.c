#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 32
#define FIRST    1000 /* what getopt_long() calls the first row, behind all letters */

/* ---- help ---------------------------------------------------------------- */

static int form(char *to, size_t size, const struct option_row *row)
{
    if (row->letter)
        return snprintf(to, size, "  -%c, --%s", row->letter, row->name);
    return snprintf(to, size, row->value ? "  --%s %s" : "  --%s", row->name, row->value);
}

static int widest(const struct option_row *rows)
{
    int most = 0;
    char text[100];
    for (; rows->name; rows++) {
        int n = form(text, sizeof text, rows);
        most = n > most ? n : most;
    }
    return most;
}

/* Further lines of a text begin where the first one does. */
static void print_row(FILE *to, const struct option_row *row, int width)
{
    char text[100];
    form(text, sizeof text, row);
    fprintf(to, "%-*s  ", width, text);
    for (const char *p = row->text; *p; p++) {
        putc(*p, to);
        if (*p == '\n')
            fprintf(to, "%*s", width + 2, "");
    }
    putc('\n', to);
}

static void print(FILE *to, const struct option_row *rows, const struct option_help *help)
{
    static const struct option_row own = {.name = "help", .letter = 'h', .text = "this"};
    int width = widest(rows);
    fprintf(to, "usage: %s\n\n%s", help->usage, help->before ? help->before : "");
    for (const struct option_row *row = rows; row->name; row++)
        print_row(to, row, width);
    print_row(to, &own, width);
    fputs(help->after ? help->after : "", to);
}

int options_wrong(const struct option_row *rows, const struct option_help *help)
{
    print(stderr, rows, help);
    return OPTIONS_WRONG;
}

/* ---- values --------------------------------------------------------------- */

static bool complain(const struct option_row *row, const char *why)
{
    fprintf(stderr, "--%s: %s\n", row->name, why);
    return false;
}

static bool set_number(const struct option_row *row)
{
    char *end, why[100];
    errno = 0;
    long number = strtol(optarg, &end, 10);
    *(long *)row->to = number;
    if (end != optarg && *end == '\0' && errno == 0 && number >= row->least && number <= row->most)
        return true;
    snprintf(why, sizeof why, "a number from %ld to %ld is wanted", row->least, row->most);
    return complain(row, why);
}

static bool add_to_list(const struct option_row *row)
{
    const char **list = row->to;
    long n = 0;
    while (list[n])
        n++;
    if (n == row->most)
        return complain(row, "too many of these");
    list[n] = optarg;
    return true;
}

static bool set(const struct option_row *row)
{
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)row->to = true;
        return true;
    case OPTION_TEXT:
        *(const char **)row->to = optarg;
        return true;
    case OPTION_NUMBER:
        return set_number(row);
    case OPTION_LIST:
        break;
    }
    return add_to_list(row);
}

/* ---- reading ---------------------------------------------------------------- */

struct table {
    struct option longs[ROWS_MAX + 2];
    char letters[ROWS_MAX + 2];
    int count;
};

static void make_table(struct table *t, const struct option_row *rows)
{
    size_t letters = 0;
    *t = (struct table){.letters = "h"};
    for (; rows[t->count].name && t->count < ROWS_MAX; t->count++) {
        const struct option_row *row = &rows[t->count];
        t->longs[t->count] = (struct option){row->name, row->value != NULL, NULL, FIRST + t->count};
        if (row->letter)
            t->letters[++letters] = row->letter;
    }
    t->longs[t->count] = (struct option){"help", no_argument, NULL, 'h'};
}

static const struct option_row *row_of(const struct option_row *rows, int found)
{
    if (found >= FIRST)
        return &rows[found - FIRST];
    while (rows->name && rows->letter != found)
        rows++;
    return rows->name ? rows : NULL;
}

int options_read(int argc, char **argv, const struct option_row *rows, const struct option_help *help)
{
    struct table table;
    make_table(&table, rows);
    for (int found; (found = getopt_long(argc, argv, table.letters, table.longs, NULL)) != -1;) {
        const struct option_row *row = row_of(rows, found);
        if (found == 'h') {
            print(stdout, rows, help);
            return OPTIONS_HELP;
        }
        if (!row)
            return options_wrong(rows, help);
        if (!set(row))
            return OPTIONS_WRONG;
    }
    return optind;
}
