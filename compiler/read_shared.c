/* What all sessions of a server share: tables, logs, and who is sent the rows of a log. */
#include <string.h>

#include "compiler/scope.h"
#include "compiler/types.h"

/* ---- rows -------------------------------------------------------------- */

static bool read_store(struct assay_spec *spec, const struct assay_node *node)
{
    static const char *const words[] = {"memory", "durable"};
    return node && assay_read_word(spec, node, words, 2, "store") == 1;
}

static void read_columns(struct assay_spec *spec, const struct assay_node *node, struct spec_list *into, unsigned most,
                         const char *what)
{
    assay_read_params(spec, node, into, what);
    SPEC_EACH (struct spec_param, p, into) {
        bool sized = p->type->kind >= ASSAY_T_BYTES && p->type->kind <= ASSAY_T_LIST;
        if (sized && !p->type->bounded)
            assay_spec_error(spec, p->at, "'%s' holds %s, so it needs a 'max': how much a row may take", p->name,
                             assay_type_says(p->type));
        if (p->init)
            assay_spec_error(spec, p->at, "%s has no default: all of a row is given when it is added", what);
    }
    if (node && into->count > most)
        assay_spec_error(spec, node->at, "%zu columns: a row has at most %u", into->count, most);
}

static bool effect_named(const struct assay_spec *spec, const char *name)
{
    SPEC_EACH (struct spec_effect, e, &spec->effects)
        if (strcmp(e->name, name) == 0)
            return true;
    return false;
}

/* ---- tables ------------------------------------------------------------ */

/* What `put` orders: its arguments are the key and the columns. */
static struct spec_effect *putting(struct assay_spec *spec, const struct spec_table *table)
{
    struct spec_effect *e = ASSAY_NEW(&spec->arena, struct spec_effect);
    if (effect_named(spec, table->name))
        assay_spec_error(spec, table->at, "'%s' is the name of an effect already", table->name);
    *e = (struct spec_effect){.at = table->at, .name = table->name, .fallible = true, .table = table};
    e->index = (uint16_t)spec->effects.count;
    if (table->key)
        assay_list_add(spec, &e->args, table->key);
    SPEC_EACH (struct spec_param, column, &table->columns)
        assay_list_add(spec, &e->args, column);
    assay_list_add(spec, &spec->effects, e);
    return e;
}

enum { TB_KEY, TB_ROW, TB_MAX, TB_STORE, TB_TEXT, TB_KEYS };
static const struct shape_key table_keys[TB_KEYS] = {
    [TB_KEY] = {"key", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [TB_ROW] = {"row", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [TB_MAX] = {"max", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [TB_STORE] = {"store", SHAPE_SCALAR, NULL},
    [TB_TEXT] = {"text", SHAPE_SCALAR, NULL},
};

static void read_table(struct assay_spec *spec, const struct assay_node *node)
{
    const struct assay_node *of[TB_KEYS];
    struct spec_list keys = {0};
    struct spec_table *t = ASSAY_NEW(&spec->arena, struct spec_table);
    *t = (struct spec_table){.at = node->key->at, .name = node->key->text, .index = (uint16_t)spec->tables.count};
    assay_read_name(spec, t->name, t->at, "a table");
    if (!assay_shape(spec, node, "a table", table_keys, TB_KEYS, of) || !of[TB_KEY] || !of[TB_ROW])
        return;
    read_columns(spec, of[TB_KEY], &keys, ASSAY_COLUMNS_MAX, "a key");
    if (keys.count != 1)
        assay_spec_error(spec, of[TB_KEY]->at, "a table has one key: {name: TYPE}");
    if (keys.count == 0)
        return;
    t->key = keys.items[0];
    read_columns(spec, of[TB_ROW], &t->columns, ASSAY_COLUMNS_MAX - 1, "a column");
    SPEC_EACH (struct spec_param, column, &t->columns)
        if (strcmp(column->name, t->key->name) == 0)
            assay_spec_error(spec, column->at, "'%s' is the name of the key already", column->name);
    assay_read_int(spec, of[TB_MAX], 1, INT32_MAX, &t->most);
    t->durable = read_store(spec, of[TB_STORE]);
    t->effect = putting(spec, t);
    assay_list_add(spec, &spec->tables, t);
}

void assay_read_tables(struct assay_spec *spec, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node)
        read_table(spec, child);
}

/* ---- logs -------------------------------------------------------------- */

enum { LG_ROW, LG_UNIQUE, LG_STORE, LG_KEEP, LG_FOLLOW, LG_REQ, LG_TEXT, LG_KEYS };
static const struct shape_key log_keys[LG_KEYS] = {
    [LG_ROW] = {"row", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [LG_UNIQUE] = {"unique", SHAPE_SEQUENCE, NULL},
    [LG_STORE] = {"store", SHAPE_SCALAR, NULL},
    [LG_KEEP] = {"keep", SHAPE_SCALAR, NULL},
    [LG_FOLLOW] = {"follow", SHAPE_MAPPING, NULL},
    [LG_REQ] = {"req", SHAPE_SCALAR, NULL},
    [LG_TEXT] = {"text", SHAPE_SCALAR, NULL},
};

static void read_unique(struct assay_spec *spec, struct spec_log *log, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node) {
        struct assay_near near = {.wanted = child->text};
        unsigned i = 0, found = ASSAY_COLUMNS_MAX;
        if (!assay_shape_is(spec, child, SHAPE_SCALAR, "a column"))
            continue;
        SPEC_EACH (struct spec_param, p, &log->columns) {
            found = strcmp(p->name, child->text) == 0 ? i : found;
            assay_near_add(&near, p->name);
            i++;
        }
        if (found < ASSAY_COLUMNS_MAX)
            log->unique |= (uint32_t)1 << found;
        else
            assay_spec_error(spec, child->at, "the rows of '%s' have no column '%s'%s", log->name, child->text,
                             assay_near_text(&near));
    }
}

static void read_log(struct assay_spec *spec, const struct assay_node *node)
{
    const struct assay_node *of[LG_KEYS];
    struct spec_log *log = ASSAY_NEW(&spec->arena, struct spec_log);
    *log = (struct spec_log){.at = node->key->at, .name = node->key->text, .index = (uint16_t)spec->logs.count};
    log->keep = 1000;
    assay_list_add(spec, &spec->logs, log);
    assay_read_name(spec, log->name, log->at, "a log");
    if (!assay_shape(spec, node, "a log", log_keys, LG_KEYS, of) || !of[LG_ROW])
        return;
    read_columns(spec, of[LG_ROW], &log->columns, ASSAY_COLUMNS_MAX, "a column");
    if (of[LG_ROW]->count == 0)
        assay_spec_error(spec, of[LG_ROW]->at,
                         "the rows of '%s' hold nothing: a log needs a column, 'row: {name: TYPE}'", log->name);
    SPEC_EACH (struct spec_param, column, &log->columns)
        if (strcmp(column->name, "number") == 0)
            assay_spec_error(spec, column->at, "'number' is what the log counts its rows by; no column has that name");
    read_unique(spec, log, of[LG_UNIQUE]);
    log->durable = read_store(spec, of[LG_STORE]);
    assay_read_int(spec, of[LG_KEEP], 1, INT32_MAX, &log->keep);
    log->req = assay_read_req(spec, of[LG_REQ]);
    log->follow_node = of[LG_FOLLOW];
}

static struct spec_log *log_named(struct assay_spec *spec, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    SPEC_EACH (struct spec_log, log, &spec->logs) {
        if (strcmp(log->name, node->text) == 0)
            return log;
        assay_near_add(&near, log->name);
    }
    assay_spec_error(spec, node->at, "there is no log '%s'%s", node->text, assay_near_text(&near));
    return NULL;
}

/* The arguments of an effect that adds a row are the row: they heed what its columns do. */
static void bind_to_log(struct assay_spec *spec, struct spec_effect *e, const struct spec_log *log)
{
    bool same = e->args.count == log->columns.count;
    for (size_t i = 0; same && i < e->args.count; i++) {
        struct spec_param *arg = e->args.items[i];
        const struct spec_param *column = log->columns.items[i];
        same = strcmp(arg->name, column->name) == 0 && assay_type_usable(column->type, arg->type);
        if (same)
            arg->type = assay_type_instance(spec, column->type);
    }
    if (!same)
        assay_spec_error(spec, e->at, "the arguments of '%s' are a row of '%s': the same names in the same order",
                         e->name, log->name);
    if (!e->fallible)
        assay_spec_error(spec, e->at, "'%s' adds a row to a log, which may fail: it needs 'fails: true'", e->name);
}

void assay_read_logs(struct assay_spec *spec, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node)
        read_log(spec, child);
    SPEC_EACH (struct spec_effect, e, &spec->effects) {
        e->log = e->log_node ? log_named(spec, e->log_node) : NULL;
        if (e->log)
            bind_to_log(spec, e, e->log);
    }
}

/* ---- who follows a log ------------------------------------------------- */

enum { FO_MACHINE, FO_IN, FO_IF, FO_CURSOR, FO_BATCH, FO_WINDOW, FO_SEND, FO_REQ, FO_KEYS };
static const struct shape_key follow_keys[FO_KEYS] = {
    [FO_MACHINE] = {"machine", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [FO_IN] = {"in", SHAPE_SEQUENCE | SHAPE_REQUIRED, NULL},
    [FO_IF] = {"if", SHAPE_SCALAR, NULL},
    [FO_CURSOR] = {"cursor", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [FO_BATCH] = {"batch", SHAPE_SCALAR, NULL},
    [FO_WINDOW] = {"window", SHAPE_SCALAR, NULL},
    [FO_SEND] = {"send", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [FO_REQ] = {"req", SHAPE_SCALAR, NULL},
};

static struct spec_machine *follower(struct assay_spec *spec, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    struct spec_machine *found = NULL;
    SPEC_EACH (struct spec_machine, m, &spec->machines) {
        if (strcmp(m->name, node->text) == 0 && m->datagram && m->role == ASSAY_SERVER)
            found = m;
        assay_near_add(&near, m->name);
    }
    if (!found)
        assay_spec_error(spec, node->at, "no machine of a server over datagrams is called '%s'%s", node->text,
                         assay_near_text(&near));
    return found;
}

static struct spec_var *cursor_of(struct assay_spec *spec, const struct spec_machine *m, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    SPEC_EACH (struct spec_var, v, &m->vars) {
        if (strcmp(v->name, node->text) == 0 && v->type->kind == ASSAY_T_INT)
            return v;
        assay_near_add(&near, v->name);
    }
    assay_spec_error(spec, node->at, "%s has no variable '%s' that is a number%s", m->name, node->text,
                     assay_near_text(&near));
    return NULL;
}

static const struct spec_let *column_name(struct body_context *c, const char *name, const struct spec_type *type,
                                          struct assay_at at)
{
    struct spec_let *let = ASSAY_NEW(&c->spec->arena, struct spec_let);
    *let = (struct spec_let){.at = at, .name = name, .outer = c->scope.lets, .column = type, .slot = c->next_slot++};
    return let;
}

/* The row comes with its number and its columns. */
static struct spec_rule *row_rule(struct assay_spec *spec, struct spec_log *log, struct spec_follow *f,
                                  const struct assay_node *send)
{
    struct spec_rule *r = ASSAY_NEW(&spec->arena, struct spec_rule);
    struct spec_type *number = assay_type_builtin(spec, "u64");
    struct body_context c = {.spec = spec, .machine = f->machine};
    *r = (struct spec_rule){.at = send->key->at, .node = send, .machine = f->machine, .req = f->req};
    r->level = f->req ? f->req->level : ASSAY_MUST;
    c.scope = (struct spec_scope){.machine = f->machine, .params = true};
    c.next_slot = r->locals_first = assay_slots_in(spec, f->machine);
    c.scope.lets = column_name(&c, "number", number, log->at);
    SPEC_EACH (struct spec_param, p, &log->columns)
        c.scope.lets = column_name(&c, p->name, p->type, p->at);
    r->locals = (uint16_t)(c.next_slot - r->locals_first);
    if (c.next_slot > ASSAY_SLOTS_MAX)
        assay_spec_error(spec, log->at, "more than %d fields and columns together", ASSAY_SLOTS_MAX);
    assay_list_add(spec, &r->events, log->event);
    assay_read_send(&c, send, &r->body);
    const struct spec_action *a = r->body.count ? r->body.items[0] : NULL;
    if (a && a->message && !a->message->reliable)
        assay_spec_error(spec, send->at, "%s is not among the messages of 'reliable': nobody would know what arrived",
                         a->message->name);
    if (send->count != 1)
        assay_spec_error(spec, send->at, "a row is sent as one message");
    return r;
}

static struct spec_expr *follow_expr(struct assay_spec *spec, const struct spec_machine *m,
                                     const struct assay_node *node, const struct spec_type *type)
{
    struct spec_expr *e = node ? assay_expr_parse(spec, node) : NULL;
    const struct spec_scope scope = {.machine = m, .params = true};
    return e && assay_expr_resolve(spec, e, &scope, type) ? e : NULL;
}

static void read_follow(struct assay_spec *spec, struct spec_log *log)
{
    const struct assay_node *of[FO_KEYS], *node = log->follow_node;
    if (!assay_shape(spec, node, "follow", follow_keys, FO_KEYS, of) || !of[FO_MACHINE] || !of[FO_CURSOR] ||
        !of[FO_SEND])
        return;
    struct spec_follow *f = ASSAY_NEW(&spec->arena, struct spec_follow);
    *f = (struct spec_follow){.at = node->key->at, .machine = follower(spec, of[FO_MACHINE])};
    f->req = assay_read_req(spec, of[FO_REQ]);
    f->req = f->req ? f->req : log->req;
    if (!f->machine)
        return;
    ASSAY_CHILDREN (child, of[FO_IN]) {
        struct spec_state *s =
            assay_shape_is(spec, child, SHAPE_SCALAR, "a state") ? assay_find_state(spec, f->machine, child) : NULL;
        if (s)
            assay_list_add(spec, &f->states, s);
    }
    f->cursor = cursor_of(spec, f->machine, of[FO_CURSOR]);
    f->follows = follow_expr(spec, f->machine, of[FO_IF], &assay_type_bool);
    f->batch = follow_expr(spec, f->machine, of[FO_BATCH], &assay_type_int);
    f->window = follow_expr(spec, f->machine, of[FO_WINDOW], &assay_type_int);
    if (!spec->reliable)
        assay_spec_error(spec, f->at, "rows are sent as messages of 'reliable', and the spec has none");
    else
        f->rule = row_rule(spec, log, f, of[FO_SEND]);
    log->follow = f->rule && f->cursor ? f : NULL;
}

void assay_read_follows(struct assay_spec *spec)
{
    SPEC_EACH (struct spec_log, log, &spec->logs)
        if (log->follow_node)
            read_follow(spec, log);
}
