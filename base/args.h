/* Command lines: a table says what a command takes, one function reads it.
 *
 * Options are `--name VALUE` or `--name=VALUE`, flags `--name`; `--` ends
 * them. `-h` and `--help` print the table. Options and positional arguments
 * may be mixed.
 */
#ifndef ASSAY_BASE_ARGS_H
#define ASSAY_BASE_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum assay_arg_kind {
    ASSAY_ARG_FLAG,     /* bool */
    ASSAY_ARG_STRING,   /* const char *, into argv */
    ASSAY_ARG_LIST,     /* struct assay_arg_list: may be given several times */
    ASSAY_ARG_UINT,     /* uint64_t, decimal or 0x */
    ASSAY_ARG_REAL,     /* double, above 0, at most a million */
    ASSAY_ARG_DURATION, /* int64_t ns, from 200ms, 2s, 1min; a bare number is seconds */
};

#define ASSAY_ARG_LIST_MAX 64
struct assay_arg_list {
    const char *items[ASSAY_ARG_LIST_MAX];
    size_t count;
};

struct assay_arg {
    const char *name; /* without the dashes; NULL ends the table */
    enum assay_arg_kind kind;
    void *target;
    const char *value, *text; /* "ADDR:PORT", "address to listen on" */
};

struct assay_arg_spec {
    const char *usage; /* "serve SPEC [OPTIONS]" */
    const char *text;  /* a paragraph, or NULL */
    const struct assay_arg *options;
    const char **positional; /* filled in order */
    size_t least, most;      /* how many of them; set to how many there were in `count` */
    size_t count;
};

/* HELP and BAD have printed what there is to say. */
enum assay_args_result { ASSAY_ARGS_OK, ASSAY_ARGS_HELP, ASSAY_ARGS_BAD };

enum assay_args_result assay_args_read(struct assay_arg_spec *spec, int argc, char **argv);

/* "200ms" and the like, to nanoseconds; false if it is none. */
bool assay_parse_duration(const char *text, int64_t *ns);

/* "64KiB", "0x10", "1000"; false if it is none. */
bool assay_parse_size(const char *text, uint64_t *n);

#endif
