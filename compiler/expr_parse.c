/* Text of expressions to trees. Precedence climbing over one table of operators. */
#include <stdlib.h>
#include <string.h>

#include "compiler/read.h"

#define DEPTH_MAX  100
#define ARGS_MAX   200
#define NESTED_MAX 20 /* texts inside texts */

enum token_kind { TOK_END, TOK_NUMBER, TOK_DURATION, TOK_TEXT, TOK_NAME, TOK_SIGN, TOK_BAD };

struct parser {
    struct assay_spec *spec;
    const struct assay_node *node;
    const char *text;
    size_t at, end; /* what is parsed: text[at..end) */
    unsigned depth;
    bool failed;
    enum token_kind kind; /* the token ahead */
    size_t from, behind;  /* text[from..behind) is it */
    int64_t number;
};

static struct spec_expr *parse_cond(struct parser *p);

static struct assay_at at_offset(const struct parser *p, size_t offset)
{
    return assay_node_place(p->node, offset, p->spec->source, p->spec->source_size);
}

static struct spec_expr *fail(struct parser *p, size_t offset, const char *what)
{
    if (!p->failed)
        assay_spec_error(p->spec, at_offset(p, offset), "%s", what);
    p->failed = true;
    return NULL;
}

/* ---- tokens ------------------------------------------------------------ */

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static void lex_number(struct parser *p)
{
    size_t i = p->from;
    while (i < p->end && (letter(p->text[i]) || digit(p->text[i])))
        i++;
    p->behind = i;
    char *text = assay_arena_text(&p->spec->arena, p->text + p->from, i - p->from);
    p->kind = TOK_NUMBER;
    if (assay_text_number(text, &p->number))
        return;
    p->kind = TOK_DURATION;
    if (assay_text_duration(text, &p->number))
        return;
    p->kind = TOK_BAD;
    fail(p, p->from, "this is no number of 64 bits and no duration");
}

/* The end of '...'; braces hold expressions, whose own quotes do not end it. */
static size_t text_end(const struct parser *p, size_t i, unsigned depth)
{
    unsigned braces = 0;
    for (i++; i < p->end; i++) {
        char c = p->text[i];
        if (c == '\\')
            i++;
        else if (c == '{')
            braces++;
        else if (c == '}' && braces)
            braces--;
        else if (c == '\'' && !braces)
            return i;
        else if (c == '\'' && braces)
            i = depth < NESTED_MAX ? text_end(p, i, depth + 1) : p->end;
        if (i >= p->end)
            break;
    }
    return p->end;
}

static void lex_text(struct parser *p)
{
    size_t end = text_end(p, p->from, 0);
    p->kind = TOK_TEXT;
    p->behind = end + 1;
    if (end < p->end)
        return;
    p->kind = TOK_BAD;
    p->behind = p->end;
    fail(p, p->from, "this text has no closing quote ('), or a '{' in it no '}'");
}

static void lex_sign(struct parser *p)
{
    static const char *const signs[] = {"||", "&&", "==", "!=", "<=", ">=", "<<", ">>", ".."};
    p->kind = TOK_SIGN;
    p->behind = p->from + 1;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (p->end - p->from >= 2 && strncmp(p->text + p->from, signs[i], 2) == 0)
            p->behind = p->from + 2;
    if (strchr("?|&=!<>+-*/%^~.,:()[]", p->text[p->from]) && p->text[p->from])
        return;
    p->kind = TOK_BAD;
    fail(p, p->from, "this character means nothing in an expression; text stands between ' and '");
}

static void next(struct parser *p)
{
    while (p->at < p->end && strchr(" \n\t\r", p->text[p->at]) && p->text[p->at])
        p->at++;
    p->from = p->at;
    if (p->at >= p->end) {
        p->kind = TOK_END;
        p->behind = p->end;
        return;
    }
    char c = p->text[p->at];
    if (digit(c)) {
        lex_number(p);
    } else if (c == '\'') {
        lex_text(p);
    } else if (letter(c)) {
        p->kind = TOK_NAME;
        for (p->behind = p->from; p->behind < p->end && (letter(p->text[p->behind]) || digit(p->text[p->behind]));)
            p->behind++;
    } else {
        lex_sign(p);
    }
    p->at = p->behind;
}

static bool ahead(const struct parser *p, const char *sign)
{
    size_t n = strlen(sign);
    return (p->kind == TOK_SIGN || p->kind == TOK_NAME) && p->behind - p->from == n &&
           memcmp(p->text + p->from, sign, n) == 0;
}

static bool accept(struct parser *p, const char *sign)
{
    if (p->failed || !ahead(p, sign))
        return false;
    next(p);
    return true;
}

static bool expect(struct parser *p, const char *sign)
{
    if (accept(p, sign))
        return true;
    char text[64];
    snprintf(text, sizeof text,
             p->kind == TOK_END ? "the expression ends where '%s' is expected" : "'%s' is expected here", sign);
    fail(p, p->from, text);
    return false;
}

/* ---- trees ------------------------------------------------------------- */

static struct spec_expr *expr_new(struct parser *p, enum spec_expr_kind kind, size_t offset)
{
    struct spec_expr *e = ASSAY_NEW(&p->spec->arena, struct spec_expr);
    e->kind = kind;
    e->node = p->node;
    e->offset = offset;
    return e;
}

static struct spec_expr *add_arg(struct parser *p, struct spec_expr *e, struct spec_expr *arg)
{
    if (!arg)
        return NULL;
    if (e->count >= ARGS_MAX)
        return fail(p, arg->offset, "too many parts");
    struct spec_expr **args = assay_arena_alloc(&p->spec->arena, (e->count + 1) * sizeof(struct spec_expr *));
    if (e->count)
        memcpy(args, e->args, e->count * sizeof(struct spec_expr *));
    args[e->count++] = arg;
    e->args = args;
    return e;
}

static struct spec_expr *combine(struct parser *p, enum spec_expr_kind kind, size_t offset, struct spec_expr *x,
                                 struct spec_expr *y)
{
    struct spec_expr *e = expr_new(p, kind, offset);
    return add_arg(p, e, x) && add_arg(p, e, y) ? e : NULL;
}

static const char *token_text(struct parser *p)
{
    return assay_arena_text(&p->spec->arena, p->text + p->from, p->behind - p->from);
}

/* ---- text literals ----------------------------------------------------- */

static int hex_value(char c)
{
    int l = c | 0x20;
    return digit(c) ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* The byte of the escape behind a backslash at *i, which moves to its last character. */
static bool escape(struct parser *p, size_t *i, uint8_t *byte)
{
    static const char from[] = "nrt0\\'{}\"", to[] = "\n\r\t\0\\'{}\"";
    char c = *i + 1 < p->behind ? p->text[++*i] : '\0';
    const char *hit = c ? strchr(from, c) : NULL;
    if (hit) {
        *byte = (uint8_t)to[hit - from];
        return true;
    }
    if (c == 'x' && *i + 2 < p->behind && hex_value(p->text[*i + 1]) >= 0 && hex_value(p->text[*i + 2]) >= 0) {
        *byte = (uint8_t)(hex_value(p->text[*i + 1]) << 4 | hex_value(p->text[*i + 2]));
        *i += 2;
        return true;
    }
    fail(p, *i, "no such escape; there are \\n \\r \\t \\0 \\\\ \\' \\{ \\xHH");
    return false;
}

static struct spec_expr *parse_inside(struct parser *p, size_t from, size_t end)
{
    struct parser inner = *p;
    inner.at = from;
    inner.end = end;
    inner.depth = p->depth + 1;
    next(&inner);
    struct spec_expr *e = inner.depth > DEPTH_MAX ? fail(&inner, from, "too deep") : parse_cond(&inner);
    if (e && inner.kind != TOK_END)
        e = fail(&inner, inner.from, "'}' is expected here");
    p->failed = p->failed || inner.failed;
    return e;
}

static struct spec_expr *text_piece(struct parser *p, size_t offset, const uint8_t *bytes, uint32_t n)
{
    struct spec_expr *e = expr_new(p, SPEC_E_TEXT, offset);
    e->text = (struct assay_blob){assay_arena_copy(&p->spec->arena, bytes, n ? n : 1), n};
    return e;
}

static size_t brace_end(const struct parser *p, size_t i, size_t end)
{
    for (; i < end && p->text[i] != '}'; i++)
        if (p->text[i] == '\'')
            i = text_end(p, i, 0);
    return i < end ? i : end;
}

/* 'text {expr} text' becomes a JOIN of its pieces; without braces a TEXT. */
static struct spec_expr *parse_text(struct parser *p)
{
    size_t start = p->from, end = p->behind - 1, piece = start;
    struct spec_expr *join = expr_new(p, SPEC_E_JOIN, start);
    uint8_t *bytes = assay_arena_alloc(&p->spec->arena, end - start + 1);
    uint32_t n = 0;
    for (size_t i = start + 1; i < end && !p->failed; i++) {
        if (p->text[i] == '\\') {
            if (escape(p, &i, &bytes[n]))
                n++;
        } else if (p->text[i] == '{') {
            size_t close = brace_end(p, i, end);
            if (close == end)
                return fail(p, i, "'{' without '}'; write \\{ for the character");
            if (n)
                add_arg(p, join, text_piece(p, piece, bytes, n));
            n = 0;
            piece = close + 1;
            add_arg(p, join, parse_inside(p, i + 1, close));
            i = close;
        } else {
            bytes[n++] = (uint8_t)p->text[i];
        }
    }
    if (p->failed)
        return NULL;
    if (join->count == 0) {
        next(p);
        return text_piece(p, start, bytes, n);
    }
    if (n)
        add_arg(p, join, text_piece(p, piece, bytes, n));
    next(p);
    return p->failed ? NULL : join;
}

/* ---- primaries --------------------------------------------------------- */

static struct spec_expr *parse_list(struct parser *p, struct spec_expr *into, const char *close)
{
    while (!p->failed && !ahead(p, close)) {
        if (!add_arg(p, into, parse_cond(p)))
            return NULL;
        if (!accept(p, ","))
            break;
    }
    return expect(p, close) ? into : NULL;
}

/* f(x, y); with `for`: a comprehension, count(x for x in list if cond), which is declared only. */
static struct spec_expr *parse_call(struct parser *p, struct spec_expr *name)
{
    struct spec_expr *call = expr_new(p, SPEC_E_CALL, name->offset);
    call->name = name->name;
    while (!p->failed && !ahead(p, ")")) {
        if (!add_arg(p, call, parse_cond(p)))
            return NULL;
        if (accept(p, "for")) {
            call->kind = SPEC_E_DECLARED;
            if (!add_arg(p, call, parse_cond(p)) || (accept(p, "if") && !add_arg(p, call, parse_cond(p))))
                return NULL;
        }
        if (!accept(p, ",") && !accept(p, ":"))
            break;
    }
    return expect(p, ")") ? call : NULL;
}

static struct spec_expr *parse_number(struct parser *p)
{
    struct spec_expr *e = expr_new(p, p->kind == TOK_NUMBER ? SPEC_E_INT : SPEC_E_DURATION, p->from);
    e->number = p->number;
    next(p);
    return e;
}

static struct spec_expr *parse_name(struct parser *p)
{
    bool truth = ahead(p, "true");
    struct spec_expr *e = expr_new(p, SPEC_E_NAME, p->from);
    e->name = token_text(p);
    if (truth || ahead(p, "false")) {
        e->kind = SPEC_E_BOOL;
        e->number = truth;
    } else if (ahead(p, "none")) {
        e->kind = SPEC_E_DECLARED;
    } else if (ahead(p, "it")) {
        e->kind = SPEC_E_IT;
    }
    next(p);
    return e->kind == SPEC_E_NAME && accept(p, "(") ? parse_call(p, e) : e;
}

static struct spec_expr *parse_primary(struct parser *p)
{
    size_t offset = p->from;
    switch (p->kind) {
    case TOK_NUMBER:
    case TOK_DURATION:
        return parse_number(p);
    case TOK_TEXT:
        return parse_text(p);
    case TOK_NAME:
        return parse_name(p);
    case TOK_END:
        return fail(p, offset, "the expression ends too early");
    case TOK_SIGN:
    case TOK_BAD:
        break;
    }
    if (accept(p, "(")) {
        struct spec_expr *e = parse_cond(p);
        return e && expect(p, ")") ? e : NULL;
    }
    if (accept(p, "["))
        return parse_list(p, expr_new(p, SPEC_E_LIST, offset), "]");
    return fail(p, offset, "a value is expected here");
}

static struct spec_expr *parse_member(struct parser *p, struct spec_expr *of)
{
    struct spec_expr *e = expr_new(p, SPEC_E_MEMBER, p->from);
    if (p->kind != TOK_NAME)
        return fail(p, p->from, "a name is expected behind '.'");
    e->name = token_text(p);
    next(p);
    return add_arg(p, e, of);
}

/* x[i], x[i..j], x[i..] (declared) */
static struct spec_expr *parse_index(struct parser *p, struct spec_expr *of)
{
    struct spec_expr *e = combine(p, SPEC_E_INDEX, of->offset, of, parse_cond(p));
    if (e && accept(p, "..")) {
        e->kind = ahead(p, "]") ? SPEC_E_DECLARED : SPEC_E_SLICE;
        if (!ahead(p, "]") && !add_arg(p, e, parse_cond(p)))
            return NULL;
    }
    return e && expect(p, "]") ? e : NULL;
}

static struct spec_expr *parse_postfix(struct parser *p)
{
    struct spec_expr *e = parse_primary(p);
    for (unsigned n = 0; e && !p->failed; n++) {
        if (n > DEPTH_MAX)
            return fail(p, p->from, "too many parts");
        if (accept(p, "."))
            e = parse_member(p, e);
        else if (accept(p, "["))
            e = parse_index(p, e);
        else
            break;
    }
    return e;
}

static struct spec_expr *parse_unary(struct parser *p)
{
    static const struct {
        const char *sign;
        enum assay_op op;
    } unary[] = {{"-", ASSAY_OP_NEG}, {"!", ASSAY_OP_NOT}, {"~", ASSAY_OP_FLIP}};
    size_t offset = p->from;
    for (size_t i = 0; i < sizeof unary / sizeof unary[0]; i++) {
        if (!accept(p, unary[i].sign))
            continue;
        if (++p->depth > DEPTH_MAX)
            return fail(p, offset, "too deep");
        struct spec_expr *e = expr_new(p, SPEC_E_UNARY, offset);
        e->op = unary[i].op;
        e = add_arg(p, e, parse_unary(p));
        p->depth--;
        return e;
    }
    return parse_postfix(p);
}

/* ---- operators --------------------------------------------------------- */

struct infix {
    const char *sign;
    unsigned strength;
    enum spec_expr_kind kind;
    enum assay_op op;
};

static const struct infix operators[] = {
    {"else", 1, SPEC_E_DECLARED, ASSAY_OP_END}, {"||", 2, SPEC_E_OR, ASSAY_OP_END},
    {"&&", 3, SPEC_E_AND, ASSAY_OP_END},        {"==", 4, SPEC_E_BINARY, ASSAY_OP_EQ},
    {"!=", 4, SPEC_E_BINARY, ASSAY_OP_NE},      {"<", 4, SPEC_E_BINARY, ASSAY_OP_LT},
    {"<=", 4, SPEC_E_BINARY, ASSAY_OP_LE},      {">", 4, SPEC_E_BINARY, ASSAY_OP_GT},
    {">=", 4, SPEC_E_BINARY, ASSAY_OP_GE},      {"in", 4, SPEC_E_IN, ASSAY_OP_END},
    {"|", 5, SPEC_E_BINARY, ASSAY_OP_BITOR},    {"^", 6, SPEC_E_BINARY, ASSAY_OP_BITXOR},
    {"&", 7, SPEC_E_BINARY, ASSAY_OP_BITAND},   {"<<", 8, SPEC_E_BINARY, ASSAY_OP_SHL},
    {">>", 8, SPEC_E_BINARY, ASSAY_OP_SHR},     {"+", 9, SPEC_E_BINARY, ASSAY_OP_ADD},
    {"-", 9, SPEC_E_BINARY, ASSAY_OP_SUB},      {"*", 10, SPEC_E_BINARY, ASSAY_OP_MUL},
    {"/", 10, SPEC_E_BINARY, ASSAY_OP_DIV},     {"%", 10, SPEC_E_BINARY, ASSAY_OP_MOD},
};

static const struct infix *operator_ahead(const struct parser *p, unsigned least)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (operators[i].strength >= least && ahead(p, operators[i].sign))
            return &operators[i];
    return NULL;
}

static struct spec_expr *parse_binary(struct parser *p, unsigned least)
{
    if (++p->depth > DEPTH_MAX)
        return fail(p, p->from, "too deep");
    struct spec_expr *left = parse_unary(p);
    unsigned n = 0;
    for (const struct infix *o; left && !p->failed && (o = operator_ahead(p, least));) {
        size_t offset = p->from;
        bool comparison = o->strength == 4;
        if (++n > ARGS_MAX)
            return fail(p, offset, "too many parts");
        next(p);
        left = combine(p, o->kind, offset, left, parse_binary(p, o->strength + 1));
        if (!left)
            break;
        left->op = o->op;
        left->name = o->sign;
        const struct infix *again = comparison ? operator_ahead(p, 4) : NULL;
        if (again && again->strength == 4)
            return fail(p, p->from, "comparisons cannot be chained; join them with &&");
    }
    p->depth--;
    return p->failed ? NULL : left;
}

static struct spec_expr *parse_cond(struct parser *p)
{
    if (++p->depth > DEPTH_MAX)
        return fail(p, p->from, "too deep");
    struct spec_expr *e = parse_binary(p, 1);
    size_t offset = p->from;
    if (e && accept(p, "?")) {
        struct spec_expr *yes = parse_cond(p);
        e = yes && expect(p, ":") ? combine(p, SPEC_E_COND, offset, e, yes) : NULL;
        e = e ? add_arg(p, e, parse_cond(p)) : NULL;
    }
    p->depth--;
    return p->failed ? NULL : e;
}

/* ---- nodes ------------------------------------------------------------- */

static struct spec_expr *parse_children(struct parser *p, enum spec_expr_kind kind)
{
    struct spec_expr *e = expr_new(p, kind, 0);
    ASSAY_CHILDREN (child, p->node)
        if (!add_arg(p, e, assay_expr_parse(p->spec, child)))
            return NULL;
    return e;
}

struct spec_expr *assay_expr_parse(struct assay_spec *spec, const struct assay_node *node)
{
    struct parser p = {.spec = spec, .node = node, .text = node->text, .end = node->size};
    if (node->kind != ASSAY_NODE_SCALAR)
        return parse_children(&p, node->kind == ASSAY_NODE_SEQUENCE ? SPEC_E_LIST : SPEC_E_DECLARED);
    next(&p);
    struct spec_expr *e = p.failed ? NULL : parse_cond(&p);
    if (e && p.kind != TOK_END)
        return fail(&p, p.from,
                    p.text[p.from] == '=' ? "'=' is no operator; '==' compares"
                                          : "the expression should end here, or an operator is missing");
    return e;
}

struct assay_at assay_expr_at(const struct assay_spec *spec, const struct spec_expr *e)
{
    if (e->node->kind != ASSAY_NODE_SCALAR)
        return e->node->at;
    return assay_node_place(e->node, e->offset, spec->source, spec->source_size);
}

void assay_expr_walk(struct spec_expr *e, void (*visit)(struct spec_expr *part, void *context), void *context)
{
    visit(e, context);
    for (size_t i = 0; i < e->count; i++)
        assay_expr_walk(e->args[i], visit, context);
}
