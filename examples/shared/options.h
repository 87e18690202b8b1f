/* Command lines of the examples: a table says which options there are, and where their values go. */
#ifndef EXAMPLES_OPTIONS_H
#define EXAMPLES_OPTIONS_H

#include <stddef.h>

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char *: a part of argv */
    OPTION_NUMBER, /* long, from `least` to `most` */
    OPTION_LIST,   /* const char *[most + 1], NULL behind the last: may be given several times */
};

struct option_row {
    const char *name;
    enum option_kind kind;
    void *to;          /* holds the default */
    const char *value; /* as the help calls it; NULL: a flag */
    const char *text;  /* lines of the help */
    long least, most;
    char letter; /* short form; 0: none */
};

/* Rows of a table. `value`: as the help calls it. */
#define OPT_FLAG(NAME, TO, TEXT)                                                                                       \
    {                                                                                                                  \
        .name = (NAME), .kind = OPTION_FLAG, .to = (TO), .text = (TEXT)                                                \
    }
#define OPT_TEXT(NAME, TO, VALUE, TEXT)                                                                                \
    {                                                                                                                  \
        .name = (NAME), .kind = OPTION_TEXT, .to = (TO), .value = (VALUE), .text = (TEXT)                              \
    }
#define OPT_NUMBER(NAME, TO, LEAST, MOST, VALUE, TEXT)                                                                 \
    {                                                                                                                  \
        .name = (NAME), .kind = OPTION_NUMBER, .to = (TO), .value = (VALUE), .text = (TEXT), .least = (LEAST),         \
        .most = (MOST)                                                                                                 \
    }
#define OPT_LIST(NAME, TO, MOST, VALUE, TEXT)                                                                          \
    {                                                                                                                  \
        .name = (NAME), .kind = OPTION_LIST, .to = (TO), .value = (VALUE), .text = (TEXT), .most = (MOST)              \
    }
#define OPT_END                                                                                                        \
    {                                                                                                                  \
        .name = NULL                                                                                                   \
    }

/* What stands around the table in the help. */
struct option_help {
    const char *usage, *before, *after; /* NULL: nothing */
};

enum { OPTIONS_WRONG = -1, OPTIONS_HELP = -2 };

/* `rows` end with a name of NULL; --help and -h are there without being asked for. Returns where the words begin that
 * are no options. OPTIONS_WRONG: what is wrong was told on standard error; OPTIONS_HELP: the help was told on standard
 * output. */
int options_read(int argc, char **argv, const struct option_row *rows, const struct option_help *help);

/* The help on standard error, as words are missing or too many. Returns OPTIONS_WRONG. */
int options_wrong(const struct option_row *rows, const struct option_help *help);

#endif
