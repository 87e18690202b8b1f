/* Expressions whose value is known from the spec alone. */
#include "compiler/expr.h"

static bool fold_binary(enum assay_op op, int64_t x, int64_t y, int64_t *r)
{
    bool shift = y >= 0 && y <= 63;
    *r = 0;
    switch ((int)op) {
    case ASSAY_OP_ADD:
        return !__builtin_add_overflow(x, y, r);
    case ASSAY_OP_SUB:
        return !__builtin_sub_overflow(x, y, r);
    case ASSAY_OP_MUL:
        return !__builtin_mul_overflow(x, y, r);
    case ASSAY_OP_DIV:
        *r = y == 0 || y == -1 ? 0 : x / y;
        return y == -1 ? !__builtin_sub_overflow((int64_t)0, x, r) : y != 0;
    case ASSAY_OP_MOD:
        *r = y == 0 || y == -1 ? 0 : x % y;
        return y != 0;
    case ASSAY_OP_SHL:
        *r = shift ? (int64_t)((uint64_t)x << y) : 0;
        return shift && *r >> y == x;
    case ASSAY_OP_SHR:
        *r = shift ? x >> y : 0;
        return shift;
    case ASSAY_OP_BITAND:
        *r = x & y;
        return true;
    case ASSAY_OP_BITOR:
        *r = x | y;
        return true;
    case ASSAY_OP_BITXOR:
        *r = x ^ y;
        return true;
    }
    return false;
}

bool assay_expr_number(const struct spec_expr *e, int64_t *value)
{
    int64_t x, y;
    if (e->kind == SPEC_E_INT || e->kind == SPEC_E_BOOL || e->kind == SPEC_E_DURATION || e->kind == SPEC_E_LITERAL) {
        *value = e->number;
        return true;
    }
    if (e->kind == SPEC_E_UNARY && assay_expr_number(e->args[0], &x)) {
        *value = e->op == ASSAY_OP_NOT ? !x : ~x;
        return e->op != ASSAY_OP_NEG || !__builtin_sub_overflow((int64_t)0, x, value);
    }
    return e->kind == SPEC_E_BINARY && assay_expr_number(e->args[0], &x) && assay_expr_number(e->args[1], &y) &&
           fold_binary(e->op, x, y, value);
}

bool assay_expr_text(const struct spec_expr *e, struct assay_blob *text)
{
    *text = e->text;
    return e->kind == SPEC_E_TEXT;
}
