/* Names and types of expressions: what expr_names.c and expr_resolve.c share. */
#ifndef ASSAY_COMPILER_EXPR_RESOLVE_H
#define ASSAY_COMPILER_EXPR_RESOLVE_H

#include "compiler/read.h"

struct resolving {
    struct assay_spec *spec;
    const struct spec_scope *scope;
};

/* Names and types of an expression and its parts. False after an error. */
bool assay_resolve_expr(const struct resolving *c, struct spec_expr *e, const struct spec_type *expected);

/* ---- names (expr_names.c) ---- */

/* A name becomes what it stands for in the scope; false: nothing there has it, and nothing is said. */
bool assay_name_look_up(const struct resolving *c, struct spec_expr *e);

bool assay_resolve_name(const struct resolving *c, struct spec_expr *e, const struct spec_type *expected);
bool assay_resolve_member(const struct resolving *c, struct spec_expr *e); /* x.name */
bool assay_resolve_it(const struct resolving *c, struct spec_expr *e);

const struct spec_function *assay_function_named(const char *name); /* NULL: there is none */

/* ---- what lies beyond the session's own values (expr_world.c) ---- */

bool assay_take_peer(const struct resolving *c, struct spec_expr *e);
bool assay_resolve_world_call(const struct resolving *c, struct spec_expr *e); /* its function is known */
bool assay_resolve_has(const struct resolving *c, struct spec_expr *e);
bool assay_resolve_cell(const struct resolving *c, struct spec_expr *e, const struct spec_table *table);

/* The table of `table[key]`, if that is what it is. */
const struct spec_table *assay_table_indexed(const struct resolving *c, const struct spec_expr *e);
const struct spec_table *assay_table_named(const struct assay_spec *spec, const char *name, struct assay_near *near);

static inline bool assay_is_any(const struct spec_expr *e)
{
    return e->type->kind == SPEC_T_ANY;
}

#endif
