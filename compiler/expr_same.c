#include <string.h>

#include "compiler/check.h"

static bool same_leaf(const struct spec_expr *x, const struct spec_expr *y)
{
    switch (x->kind) {
    case SPEC_E_INT:
    case SPEC_E_BOOL:
    case SPEC_E_DURATION:
    case SPEC_E_LITERAL:
        return x->number == y->number;
    case SPEC_E_TEXT:
        return x->text.n == y->text.n && (x->text.n == 0 || memcmp(x->text.p, y->text.p, x->text.n) == 0);
    case SPEC_E_FIELD:
        return x->ref.field == y->ref.field;
    case SPEC_E_RECORD:
        return x->ref.group == y->ref.group;
    case SPEC_E_VAR:
        return x->ref.var == y->ref.var;
    case SPEC_E_ARG:
    case SPEC_E_PARAM:
        return x->ref.param == y->ref.param;
    case SPEC_E_LET:
        return x->ref.let == y->ref.let;
    case SPEC_E_CALL:
        return x->ref.function == y->ref.function;
    case SPEC_E_HAS:
        return x->ref.table == y->ref.table;
    case SPEC_E_CELL:
        return x->ref.table == y->ref.table && x->number == y->number;
    case SPEC_E_UNARY:
    case SPEC_E_BINARY:
        return x->op == y->op;
    case SPEC_E_NAME:
    case SPEC_E_MEMBER:
    case SPEC_E_DECLARED:
        return x->name && y->name && strcmp(x->name, y->name) == 0;
    case SPEC_E_JOIN:
    case SPEC_E_IT:
    case SPEC_E_PEER:
    case SPEC_E_AND:
    case SPEC_E_OR:
    case SPEC_E_COND:
    case SPEC_E_IN:
    case SPEC_E_INDEX:
    case SPEC_E_SLICE:
    case SPEC_E_LIST:
        return true;
    }
    return false;
}

bool assay_expr_same(const struct spec_expr *x, const struct spec_expr *y)
{
    if (!x || !y)
        return x == y;
    if (x->kind != y->kind || x->count != y->count || !same_leaf(x, y))
        return false;
    for (size_t i = 0; i < x->count; i++)
        if (!assay_expr_same(x->args[i], y->args[i]))
            return false;
    return true;
}
