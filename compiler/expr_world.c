/* What expressions see beyond a session's own values: who the peer is, seals, what cannot be guessed, tables, sums. */
#include <string.h>

#include "compiler/expr_resolve.h"
#include "compiler/types.h"

#define SEALED_MAX 12 /* values in one seal: they stand on the stack together */

static const struct spec_type peer_type = {.name = "bytes", .kind = ASSAY_T_BYTES, .max = 32, .bounded = true};
static const struct spec_type seal_type = {
    .name = "bytes", .kind = ASSAY_T_BYTES, .min = 16, .max = 16, .bounded = true};

/* ---- sums -------------------------------------------------------------- */

static const struct {
    const char *name;
    uint8_t kind, bits;
} sums[] = {{"crc32c", ASSAY_SUM_CRC32C, 32},
            {"crc16", ASSAY_SUM_CRC16, 16},
            {"inet16", ASSAY_SUM_INET16, 16},
            {"sum8", ASSAY_SUM_SUM8, 8}};

uint8_t assay_function_sum(const char *name)
{
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
        if (strcmp(sums[i].name, name) == 0)
            return sums[i].kind;
    return ASSAY_SUM_NONE;
}

unsigned assay_function_sum_bits(uint8_t kind)
{
    return kind == ASSAY_SUM_NONE ? 0 : sums[kind - ASSAY_SUM_CRC32C].bits;
}

static const struct spec_type *sum_type(struct assay_spec *spec, uint8_t kind)
{
    struct spec_type *t = assay_arena_copy(&spec->arena, &assay_type_int, sizeof *t);
    t->min = 0;
    t->max = ((int64_t)1 << assay_function_sum_bits(kind)) - 1;
    return t;
}

bool assay_expr_sum_of_frame(struct assay_spec *spec, struct spec_expr *e)
{
    uint8_t kind = e && e->kind == SPEC_E_CALL && e->name ? assay_function_sum(e->name) : ASSAY_SUM_NONE;
    if (kind == ASSAY_SUM_NONE || e->count != 1 || e->args[0]->kind != SPEC_E_NAME ||
        strcmp(e->args[0]->name, "message") != 0)
        return false;
    e->number = kind;
    e->count = 0;
    e->ref.function = assay_function_named(e->name);
    e->type = sum_type(spec, kind);
    return true;
}

/* ---- functions --------------------------------------------------------- */

/* Rules and calls have a session; constants and what stands on the wire have none. Conditions on what was chosen for a
 * free field have its variables, and nothing else of it. */
static bool has_session(const struct resolving *c)
{
    return c->scope->machine && !c->scope->it;
}

static bool in_session(const struct resolving *c, const struct spec_expr *e, const char *what)
{
    if (has_session(c))
        return true;
    assay_expr_error(c->spec, e, "%s can be asked in rules and calls only: nothing here knows of a session", what);
    return false;
}

static bool resolve_sealed_value(const struct resolving *c, struct spec_expr *e)
{
    if (!assay_resolve_expr(c, e, NULL))
        return false;
    if (assay_kind_is_bytes(e->type->kind) || assay_kind_is_scalar(e->type->kind) || assay_is_any(e))
        return true;
    assay_expr_error(c->spec, e, "a seal is made of bytes and numbers, this is %s", assay_type_says(e->type));
    return false;
}

static bool resolve_seal(const struct resolving *c, struct spec_expr *e)
{
    bool asks = e->ref.function->id == SPEC_F_SEALED, good = true;
    e->type = asks ? &assay_type_bool : &seal_type;
    if (e->count < 1u + asks || e->count > SEALED_MAX) {
        assay_expr_error(c->spec, e, "%s() takes %s, at most %d values together", e->name,
                         asks ? "what is to be a seal, and what it was made of" : "what is sealed", SEALED_MAX);
        return false;
    }
    for (size_t i = 0; i < e->count; i++)
        good = resolve_sealed_value(c, e->args[i]) && good;
    if (good && asks && !assay_kind_is_bytes(e->args[0]->type->kind) && !assay_is_any(e->args[0])) {
        assay_expr_error(c->spec, e->args[0], "bytes are expected here, this is %s", assay_type_says(e->args[0]->type));
        return false;
    }
    return good;
}

static bool resolve_random(const struct resolving *c, struct spec_expr *e)
{
    if (e->count != 1 || !assay_expr_number(e->args[0], &e->number) || e->number < 8 || e->number > 64) {
        assay_expr_error(c->spec, e, "random() takes how many bytes: a number from 8 to 64");
        return false;
    }
    struct spec_type *t = assay_arena_copy(&c->spec->arena, &seal_type, sizeof *t);
    t->min = t->max = e->number;
    e->type = t;
    e->args[0]->type = &assay_type_int;
    return true;
}

static bool resolve_sum(const struct resolving *c, struct spec_expr *e)
{
    e->number = assay_function_sum(e->name);
    e->type = sum_type(c->spec, (uint8_t)e->number);
    if (e->count != 1) {
        assay_expr_error(c->spec, e, "%s() takes 1 argument, here are %zu", e->name, e->count);
        return false;
    }
    struct spec_expr probe = *e->args[0];
    if (probe.kind == SPEC_E_NAME && strcmp(probe.name, "message") == 0 && !assay_name_look_up(c, &probe) &&
        !c->scope->open) {
        assay_expr_error(c->spec, e->args[0], "'message', the whole frame, is for an 'is' of a field of the frame");
        return false;
    }
    if (!assay_resolve_expr(c, e->args[0], &assay_type_bytes))
        return false;
    if (assay_type_usable(&assay_type_bytes, e->args[0]->type))
        return true;
    assay_expr_error(c->spec, e->args[0], "bytes are expected here, this is %s", assay_type_says(e->args[0]->type));
    return false;
}

bool assay_resolve_world_call(const struct resolving *c, struct spec_expr *e)
{
    if (e->ref.function->id == SPEC_F_SUM)
        return resolve_sum(c, e);
    if (!in_session(c, e, assay_arena_printf(&c->spec->arena, "%s()", e->name)))
        return false;
    return e->ref.function->id == SPEC_F_RANDOM ? resolve_random(c, e) : resolve_seal(c, e);
}

/* ---- the peer ---------------------------------------------------------- */

bool assay_take_peer(const struct resolving *c, struct spec_expr *e)
{
    if (!has_session(c) || c->scope->open || strcmp(e->name, "peer") != 0)
        return false;
    e->kind = SPEC_E_PEER;
    e->type = &peer_type;
    return true;
}

/* ---- tables ------------------------------------------------------------ */

const struct spec_table *assay_table_named(const struct assay_spec *spec, const char *name, struct assay_near *near)
{
    SPEC_EACH (struct spec_table, t, &spec->tables) {
        if (strcmp(t->name, name) == 0)
            return t;
        if (near)
            assay_near_add(near, t->name);
    }
    return NULL;
}

/* The table of `table[key]`, if that is what it is. */
const struct spec_table *assay_table_indexed(const struct resolving *c, const struct spec_expr *e)
{
    if (e->kind != SPEC_E_INDEX || e->args[0]->kind != SPEC_E_NAME)
        return NULL;
    struct spec_expr probe = *e->args[0];
    return assay_name_look_up(c, &probe) ? NULL : assay_table_named(c->spec, e->args[0]->name, NULL);
}

/* `e` is about the row under `key`. */
static bool of_row(const struct resolving *c, struct spec_expr *e, enum spec_expr_kind kind,
                   const struct spec_table *table, struct spec_expr *key)
{
    struct spec_expr **args = assay_arena_alloc(&c->spec->arena, sizeof(struct spec_expr *));
    args[0] = key;
    e->kind = kind;
    e->args = args;
    e->count = 1;
    e->ref.table = table;
    if (!in_session(c, e, assay_arena_printf(&c->spec->arena, "the table '%s'", table->name)) ||
        !assay_resolve_expr(c, key, table->key->type))
        return false;
    if (!(c->scope->machine->role & ASSAY_SERVER)) {
        assay_expr_error(c->spec, e, "the sessions of a server share '%s'; this is a client's machine", table->name);
        return false;
    }
    if (assay_type_usable(table->key->type, key->type))
        return true;
    assay_expr_error(c->spec, key, "the key of '%s' is %s, this is %s", table->name, assay_type_says(table->key->type),
                     assay_type_says(key->type));
    return false;
}

bool assay_resolve_has(const struct resolving *c, struct spec_expr *e)
{
    const struct spec_table *table = e->count == 1 ? assay_table_indexed(c, e->args[0]) : NULL;
    e->type = &assay_type_bool;
    if (table)
        return of_row(c, e, SPEC_E_HAS, table, e->args[0]->args[1]);
    struct spec_expr *of = e->count == 1 && e->args[0]->kind == SPEC_E_INDEX ? e->args[0]->args[0] : NULL;
    struct assay_near near = {.wanted = of && of->kind == SPEC_E_NAME ? of->name : ""};
    assay_table_named(c->spec, "", &near);
    if (of && of->kind == SPEC_E_NAME)
        assay_expr_error(c->spec, of, "there is no table '%s'%s", of->name, assay_near_text(&near));
    else
        assay_expr_error(c->spec, e, "has() asks for a row: has(table[key])");
    return false;
}

bool assay_resolve_cell(const struct resolving *c, struct spec_expr *e, const struct spec_table *table)
{
    struct assay_near near = {.wanted = e->name};
    int64_t at = 0;
    e->type = &assay_type_any;
    SPEC_EACH (struct spec_param, p, &table->columns) {
        if (strcmp(p->name, e->name) == 0) {
            e->number = at;
            e->type = p->type;
            return of_row(c, e, SPEC_E_CELL, table, e->args[0]->args[1]);
        }
        assay_near_add(&near, p->name);
        at++;
    }
    assay_expr_error(c->spec, e, "the table '%s' has no column '%s'%s", table->name, e->name, assay_near_text(&near));
    return false;
}

/* ---- asking ------------------------------------------------------------ */

bool assay_expr_looks_out(const struct spec_expr *e)
{
    enum spec_function_id id = e->kind == SPEC_E_CALL && e->ref.function ? e->ref.function->id : SPEC_F_DECLARED;
    bool looks = e->kind == SPEC_E_PEER || e->kind == SPEC_E_HAS || e->kind == SPEC_E_CELL || id == SPEC_F_SEAL ||
                 id == SPEC_F_SEALED || id == SPEC_F_RANDOM;
    for (size_t i = 0; i < e->count && !looks; i++)
        looks = assay_expr_looks_out(e->args[i]);
    return looks;
}
