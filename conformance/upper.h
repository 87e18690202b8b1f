/* The upper interface of a client under test, as text: what it is told on its standard input, and what it tells on its
 * standard output (LANGUAGE.md, sections 13 and 14). No pipes and no processes here. */
#ifndef ASSAY_CONFORMANCE_UPPER_H
#define ASSAY_CONFORMANCE_UPPER_H

#include <stdio.h>

#include "conformance/oracle.h"

enum assay_upper_way {
    ASSAY_UPPER_LINES,    /* orders and reports, a line each */
    ASSAY_UPPER_TERMINAL, /* typed to and read as a person does */
    ASSAY_UPPER_EXIT,     /* its machine runs by itself; the exit status tells how it ended */
};

/* "lines", "terminal", "exit"; false: none of these. */
bool assay_upper_way_named(const char *name, enum assay_upper_way *way);

enum assay_heard_kind {
    ASSAY_HEARD_CONNECTED,
    ASSAY_HEARD_UNREACHABLE,
    ASSAY_HEARD_ENDED,
    ASSAY_HEARD_UPPER,    /* a result, an error or an effect: see `upper` */
    ASSAY_HEARD_NONSENSE, /* no line of the interface: see `why` */
};

/* One line that was read. `upper` points into here and into the line. */
struct assay_heard {
    enum assay_heard_kind kind;
    struct assay_upper upper;
    char why[160];
    assay_val values[ASSAY_SLOTS_MAX];
    struct assay_span spans[ASSAY_SLOTS_MAX];
    uint8_t *list; /* memory of a list; assay_heard_free() */
};

/* Read a line without its end; it is unescaped in place, and line[n] may be written. */
void assay_lines_read(const struct assay_model *model, char *line, size_t n, struct assay_heard *heard);
void assay_heard_free(struct assay_heard *heard);

/* Write what is typed for a call; and whether that can be done: not where a value holds the text that ends it. */
bool assay_terminal_call(const struct assay_model *model, const struct assay_terminal *terminal, uint16_t call,
                         const assay_val *values, const struct assay_span *spans, FILE *to);
bool assay_terminal_types(const struct assay_model *model, const struct assay_terminal *terminal, uint16_t call,
                          const assay_val *values, const struct assay_span *spans);

/* Write `call NAME arg=value ...` with its end. */
void assay_lines_call(const struct assay_model *model, uint16_t call, const assay_val *values,
                      const struct assay_span *spans, FILE *to);

#endif
