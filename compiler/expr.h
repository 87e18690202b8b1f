/* Expressions as trees: section 7 of LANGUAGE.md.
 *
 * assay_expr_parse() needs nothing but the text; assay_expr_resolve() gives
 * names and types to a tree in a scope. Errors point at the character inside
 * the scalar.
 */
#ifndef ASSAY_COMPILER_EXPR_H
#define ASSAY_COMPILER_EXPR_H

#include "compiler/yaml.h"
#include "core/code.h"

struct assay_spec;
struct spec_type;
struct spec_field;
struct spec_group;
struct spec_enum;
struct spec_table;

enum spec_expr_kind {
    SPEC_E_INT,      /* number */
    SPEC_E_BOOL,     /* number: 0 or 1 */
    SPEC_E_DURATION, /* number: ns */
    SPEC_E_TEXT,     /* text */
    SPEC_E_JOIN,     /* args put together: text with {expr} in it, or + on bytes or lists */
    SPEC_E_NAME,     /* name; resolving makes one of the next from it */
    SPEC_E_LITERAL,  /* number: the value of an enum item; `Phase.name` or a bare one where the enum is expected */
    SPEC_E_FIELD,    /* ref.field */
    SPEC_E_VAR,      /* ref.var */
    SPEC_E_ARG,      /* ref.param, of a call */
    SPEC_E_PARAM,    /* ref.param, of the spec */
    SPEC_E_LET,      /* ref.let */
    SPEC_E_IT,       /* the value that a check or a where is about */
    SPEC_E_UNARY,    /* op (NEG, FLIP, NOT), args[0] */
    SPEC_E_BINARY,   /* op (ADD .. GE, SAME, DIFFER), args[0], args[1] */
    SPEC_E_AND,      /* args[0] && args[1] */
    SPEC_E_OR,
    SPEC_E_COND,     /* args[0] ? args[1] : args[2] */
    SPEC_E_IN,       /* args[0] in [args[1]...] */
    SPEC_E_INDEX,    /* args[0] [ args[1] ] */
    SPEC_E_SLICE,    /* args[0] [ args[1] .. args[2] ] */
    SPEC_E_LIST,     /* [args] */
    SPEC_E_CALL,     /* name(args), ref.function */
    SPEC_E_MEMBER,   /* args[0].name */
    SPEC_E_RECORD,   /* ref.group: a whole record, in present() and where messages are sent */
    SPEC_E_PEER,     /* who the other side is */
    SPEC_E_HAS,      /* whether ref.table has a row under args[0] */
    SPEC_E_CELL,     /* column `number` of the row of ref.table under args[0] */
    SPEC_E_DECLARED, /* declared only: `else`, comprehensions, mappings, `none` ...; args: its parts */
};

struct spec_expr {
    enum spec_expr_kind kind;
    const struct assay_node *node; /* the scalar it stands in ... */
    size_t offset;                 /* ... and where in it */
    enum assay_op op;
    const char *name;
    int64_t number;
    struct assay_blob text;
    struct spec_expr **args;
    size_t count;
    /* from resolving on */
    const struct spec_type *type; /* with its bounds as far as they are known; never NULL behind resolving */
    union {
        const struct spec_field *field;
        const struct spec_group *group;
        const struct spec_var *var;
        const struct spec_param *param;
        const struct spec_let *let;
        const struct spec_function *function;
        const struct spec_table *table;
    } ref;
};

/* What a name can mean at some place. Zeroed: nothing but constants and functions. */
struct spec_scope {
    const struct spec_frame *frame;     /* its fields */
    const struct spec_field *before;    /* only fields in front of this one; NULL: all */
    const struct spec_list *messages;   /* fields that all of them have; NULL: none */
    const struct spec_machine *machine; /* its variables */
    const struct spec_call *call;       /* its arguments */
    const struct spec_let *lets;        /* innermost first */
    const struct spec_type *it;         /* NULL: there is no `it` */
    bool params;                        /* params of the spec are in scope */
    bool open;                          /* inside a construct that is declared only: unknown names may be right */
};

/* Functions of section 7. `params`: kinds of arguments, n number, m number or duration, b bytes, l list, f field, p
 * field of pairs, t type name; NULL: see expr_world.c. */
enum spec_function_id {
    SPEC_F_SIZE,
    SPEC_F_LEN,
    SPEC_F_FITS,
    SPEC_F_PRESENT,
    SPEC_F_MIN,
    SPEC_F_MAX,
    SPEC_F_LINE,
    SPEC_F_LOWER,
    SPEC_F_UPPER,
    SPEC_F_STARTS,
    SPEC_F_ENDS,
    SPEC_F_CONTAINS,
    SPEC_F_DECIMAL,
    SPEC_F_HEX,
    SPEC_F_NUMBER,
    SPEC_F_PAIR,
    SPEC_F_SUM, /* number: enum assay_sum; without arguments: over the frame around */
    SPEC_F_SEAL,
    SPEC_F_SEALED,
    SPEC_F_RANDOM, /* number: how many bytes */
    SPEC_F_DECLARED,
};
struct spec_function {
    const char *name, *params;
    enum spec_function_id id;
    char result; /* n, b (bytes), ? (bool), m (as its arguments) */
    enum assay_op op;
};

/* Parse a node as an expression: a scalar by section 7, a sequence as a list, a mapping as one that is declared only.
 * NULL after an error. */
struct spec_expr *assay_expr_parse(struct assay_spec *spec, const struct assay_node *node);

/* Names and types. `expected` (or NULL) decides enum literals and is what the value must be usable as.
 * False after an error. */
bool assay_expr_resolve(struct assay_spec *spec, struct spec_expr *e, const struct spec_scope *scope,
                        const struct spec_type *expected);

/* The value of an expression of constants that is a number; false: it is none, or undefined. */
bool assay_expr_number(const struct spec_expr *e, int64_t *value);

/* The kind of sum (enum assay_sum) that a function computes; ASSAY_SUM_NONE: it does not. The size of one in bits. */
uint8_t assay_function_sum(const char *name);
unsigned assay_function_sum_bits(uint8_t kind);

/* `name(message)`, a sum over the frame around: it gets its type, and has no arguments. False: it is something else. */
bool assay_expr_sum_of_frame(struct assay_spec *spec, struct spec_expr *e);

/* Whether it looks at more than fields, variables and params: the peer, tables, what cannot be guessed. */
bool assay_expr_looks_out(const struct spec_expr *e);

/* The bytes of a constant text; false: it is none. */
bool assay_expr_text(const struct spec_expr *e, struct assay_blob *text);

struct assay_at assay_expr_at(const struct assay_spec *spec, const struct spec_expr *e);

/* An error about a part of an expression. */
void assay_expr_error(struct assay_spec *spec, const struct spec_expr *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Calls visit for e and all its parts, outer ones first. */
void assay_expr_walk(struct spec_expr *e, void (*visit)(struct spec_expr *part, void *context), void *context);

#endif
