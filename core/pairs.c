/* Names and values as text. Each text is gone through a fixed number of times; only sorting names takes longer. */
#include <string.h>

#include "core/pairs.h"

/* ---- bytes that need no look at what stands around them ------------------ */

static void take_out(struct assay_byteset *set, uint8_t byte)
{
    set->bits[byte >> 6] &= ~((uint64_t)1 << (byte & 63));
}

/* Bytes that texts of a type may hold wherever they stand: of those of more than one byte none is. */
static struct assay_byteset bytes_of(const struct assay_model *model, uint16_t index)
{
    struct assay_byteset all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    const struct assay_type *type = index == ASSAY_NONE ? NULL : &model->types[index];
    if (type && type->kind == ASSAY_T_TEXT && type->charset != ASSAY_CS_BYTES)
        all.bits[2] = all.bits[3] = 0;
    for (unsigned i = 0; type && type->set != ASSAY_NONE && i < 4; i++)
        all.bits[i] &= model->sets[type->set].bits[i];
    return all;
}

static void find_plain(struct assay_grammar *g)
{
    const struct assay_pairs *p = g->pairs;
    g->plain_name = bytes_of(g->model, p->name_type);
    g->plain_value = bytes_of(g->model, p->value_type);
    take_out(&g->plain_name, p->assign);
    take_out(&g->plain_name, p->separator);
    take_out(&g->plain_value, p->separator);
    take_out(&g->plain_value, p->quote);
    take_out(&g->plain_value, p->escape);
    for (unsigned i = 0; i < p->escapes; i++)
        take_out(&g->plain_value, p->stands[i]);
    for (unsigned i = 0; g->quote_if && i < 4; i++)
        g->plain_value.bits[i] &= ~g->quote_if->bits[i];
}

void assay_grammar_open(struct assay_grammar *g, const struct assay_model *model, uint16_t pairs)
{
    g->model = model;
    g->pairs = &model->pairs[pairs];
    g->quote_if = g->pairs->quote_if == ASSAY_NONE ? NULL : &model->sets[g->pairs->quote_if];
    memset(g->letter, 0, sizeof g->letter);
    g->letters = (struct assay_byteset){{0}};
    for (unsigned i = g->pairs->escapes; i-- > 0;) { /* of two letters for a byte the first is written */
        uint8_t letter = g->pairs->letters[i];
        g->letter[g->pairs->stands[i]] = letter;
        g->means[letter] = g->pairs->stands[i];
        g->letters.bits[letter >> 6] |= (uint64_t)1 << (letter & 63);
    }
    find_plain(g);
}

/* How many bytes at the start belong to a set. */
static inline uint32_t run_of(const struct assay_byteset *set, struct assay_span s)
{
    uint32_t n = 0;
    while (n < s.n && assay_set_has(set, s.p[n]))
        n++;
    return n;
}

static bool same(struct assay_span x, struct assay_span y)
{
    return x.n == y.n && (x.n == 0 || memcmp(x.p, y.p, x.n) == 0);
}

/* ---- escapes ----------------------------------------------------------- */

/* What a letter behind the escape stands for; false: nothing. */
static inline bool meaning(const struct assay_grammar *g, uint8_t letter, bool quoted, uint8_t *byte)
{
    const struct assay_pairs *p = g->pairs;
    bool known = assay_set_has(&g->letters, letter);
    *byte = known ? g->means[letter] : letter;
    if (known)
        return true;
    return quoted && letter == p->quote;
}

/* The byte at *at of a value, behind which *at then stands. */
static inline uint8_t plain_byte(const struct assay_grammar *g, const struct assay_pair *pair, uint32_t *at)
{
    uint8_t c = pair->value.p[(*at)++];
    if (pair->escaped && c == g->pairs->escape)
        (void)meaning(g, pair->value.p[(*at)++], pair->quoted, &c);
    return c;
}

/* The value without escapes; in scratch if it has some. */
static bool plain_value(struct assay_env *env, const struct assay_grammar *g, const struct assay_pair *pair,
                        struct assay_span *plain)
{
    *plain = pair->value;
    if (!pair->escaped)
        return true;
    uint8_t *to = assay_scratch(env, pair->value.n);
    if (!to)
        return false;
    uint32_t n = 0;
    for (uint32_t at = 0; at < pair->value.n;)
        to[n++] = plain_byte(g, pair, &at);
    env->scratch_used -= pair->value.n - n;
    *plain = (struct assay_span){to, n};
    return true;
}

/* ---- reading ----------------------------------------------------------- */

struct scan {
    struct assay_span text;
    uint32_t pos;
    bool more; /* a pair has to follow */
};

static struct scan scan_of(struct assay_span text)
{
    return (struct scan){text, 0, text.n > 0};
}

static bool scan_name(const struct assay_pairs *p, struct scan *s, struct assay_span *name)
{
    const uint8_t *start = s->text.p + s->pos;
    const uint8_t *end = s->pos < s->text.n ? memchr(start, p->assign, s->text.n - s->pos) : NULL;
    if (!end || memchr(start, p->separator, (size_t)(end - start)))
        return false;
    *name = (struct assay_span){start, (uint32_t)(end - start)};
    s->pos += name->n + 1;
    return true;
}

/* Up to the closing quote, or the separator, or the end. */
static bool scan_bytes(const struct assay_grammar *g, struct scan *s, struct assay_pair *pair)
{
    const struct assay_pairs *p = g->pairs;
    uint32_t start = s->pos;
    uint8_t stop = pair->quoted ? p->quote : p->separator, unused;
    while (s->pos < s->text.n) {
        uint8_t c = s->text.p[s->pos];
        if (p->escape && c == p->escape) {
            if (s->pos + 1 == s->text.n || !meaning(g, s->text.p[s->pos + 1], pair->quoted, &unused))
                return false;
            pair->escaped = true;
            s->pos += 2;
            continue;
        }
        if (c == stop)
            break;
        s->pos++;
    }
    pair->value = (struct assay_span){s->text.p + start, s->pos - start};
    return true;
}

static bool scan_value(const struct assay_grammar *g, struct scan *s, struct assay_pair *pair)
{
    const struct assay_pairs *p = g->pairs;
    pair->quoted = p->quote && s->pos < s->text.n && s->text.p[s->pos] == p->quote;
    pair->escaped = pair->dropped = false;
    s->pos += pair->quoted;
    if (!scan_bytes(g, s, pair))
        return false;
    if (!pair->quoted)
        return true;
    if (s->pos == s->text.n)
        return false;
    s->pos++;
    return s->pos == s->text.n || s->text.p[s->pos] == p->separator;
}

/* A separator asks for another pair. */
static void end_pair(struct scan *s)
{
    s->more = s->pos < s->text.n;
    s->pos += s->more;
}

static bool scan_pair(const struct assay_grammar *g, struct scan *s, struct assay_pair *pair)
{
    if (!scan_name(g->pairs, s, &pair->name) || !scan_value(g, s, pair))
        return false;
    end_pair(s);
    return true;
}

/* ---- what may stand there ---------------------------------------------- */

static bool fits(const struct assay_model *model, uint16_t type, uint16_t first, struct assay_span s)
{
    if (type != ASSAY_NONE && assay_span_fits(model, type, s) != ASSAY_FIT)
        return false;
    return first == ASSAY_NONE || (s.n && assay_set_has(&model->sets[first], s.p[0]));
}

static bool pair_fits(struct assay_env *env, const struct assay_grammar *g, const struct assay_pair *pair)
{
    uint32_t used = env->scratch_used;
    struct assay_span value;
    bool ok = fits(env->model, g->pairs->name_type, g->pairs->name_first, pair->name) &&
              plain_value(env, g, pair, &value) && fits(env->model, g->pairs->value_type, g->pairs->value_first, value);
    env->scratch_used = used;
    return ok;
}

/* Whether bytes that all are plain can be a name or value. */
static inline bool plain_fits(const struct assay_model *model, uint16_t type, uint16_t first, struct assay_span s)
{
    if (type != ASSAY_NONE && (s.n < model->types[type].min || s.n > model->types[type].max))
        return false;
    return first == ASSAY_NONE || (s.n && assay_set_has(&model->sets[first], s.p[0]));
}

/* A pair in which nothing needs an escape, quotes or a closer look, in one pass with a look-up for each byte: it is
 * right, and canonical by itself. What is not such a pair is left alone. Most pairs are: this took lines from 2.2 to
 * 0.6 ns a byte. */
static bool scan_plain(const struct assay_grammar *g, struct scan *s, struct assay_pair *pair)
{
    const struct assay_pairs *p = g->pairs;
    struct assay_span rest = {s->text.p + s->pos, s->text.n - s->pos}, name = {rest.p, run_of(&g->plain_name, rest)};
    if (name.n == rest.n || rest.p[name.n] != p->assign)
        return false;
    rest = (struct assay_span){rest.p + name.n + 1, rest.n - name.n - 1};
    struct assay_span value = {rest.p, run_of(&g->plain_value, rest)};
    if ((value.n < rest.n && rest.p[value.n] != p->separator) ||
        !plain_fits(g->model, p->name_type, p->name_first, name) ||
        !plain_fits(g->model, p->value_type, p->value_first, value))
        return false;
    *pair = (struct assay_pair){.name = name, .value = value};
    s->pos += name.n + 1 + value.n;
    end_pair(s);
    return true;
}

static bool needs_quotes(const struct assay_grammar *g, const struct assay_pair *pair)
{
    const struct assay_pairs *p = g->pairs;
    if (!p->quote)
        return false;
    for (uint32_t at = 0; at < pair->value.n;) {
        bool first = at == 0;
        uint8_t c = plain_byte(g, pair, &at);
        if ((first && c == p->quote) || (g->quote_if && assay_set_has(g->quote_if, c)) ||
            (c == p->separator && !g->letter[c]))
            return true;
    }
    return false;
}

/* Whether a value that was read is written as the canonical form has it. */
static bool written_canonically(const struct assay_grammar *g, const struct assay_pair *pair)
{
    if (pair->quoted != needs_quotes(g, pair))
        return false;
    for (uint32_t at = 0; at < pair->value.n;) {
        uint32_t start = at;
        uint8_t c = plain_byte(g, pair, &at);
        if (at - start == 1 ? g->letter[c] != 0 : g->letter[c] && g->letter[c] != pair->value.p[at - 1])
            return false;
    }
    return true;
}

static int compare(struct assay_span x, struct assay_span y)
{
    uint32_t n = x.n < y.n ? x.n : y.n;
    int order = n ? memcmp(x.p, y.p, n) : 0;
    return order ? order : (x.n > y.n) - (x.n < y.n);
}

bool assay_pairs_survey(struct assay_env *env, const struct assay_grammar *g, struct assay_span text, uint32_t *count,
                        bool *canonical)
{
    struct assay_pair pair, before = {0};
    *count = 0;
    *canonical = true;
    for (struct scan s = scan_of(text); s.more; before = pair) {
        bool plain = scan_plain(g, &s, &pair);
        if (*count == g->pairs->most || (!plain && (!scan_pair(g, &s, &pair) || !pair_fits(env, g, &pair))))
            return false;
        bool ascends = *count == 0 || compare(before.name, pair.name) < 0;
        *canonical = *canonical && ascends && (plain || written_canonically(g, &pair));
        ++*count;
    }
    return true;
}

/* ---- lists ------------------------------------------------------------- */

bool assay_pair_list_open(struct assay_env *env, struct assay_pair_list *list, uint32_t cap)
{
    enum { ALIGN = _Alignof(struct assay_pair) };
    *list = (struct assay_pair_list){.cap = cap, .mark = env->scratch_used};
    uint32_t pad = (uint32_t)(-(uintptr_t)(env->scratch + env->scratch_used) & (ALIGN - 1));
    if (!assay_scratch(env, pad))
        return false;
    list->items = (void *)assay_scratch(env, cap * (uint32_t)(sizeof *list->items + 2 * sizeof(uint16_t)));
    if (!list->items)
        env->scratch_used = list->mark;
    return list->items != NULL;
}

bool assay_pair_list_add(const struct assay_env *env, const struct assay_grammar *g, struct assay_pair_list *list,
                         struct assay_span name, struct assay_span value)
{
    const struct assay_pairs *p = g->pairs;
    if (list->count == list->cap || !fits(env->model, p->name_type, p->name_first, name) ||
        !fits(env->model, p->value_type, p->value_first, value))
        return false;
    if (name.n && (memchr(name.p, p->assign, name.n) || memchr(name.p, p->separator, name.n)))
        return false;
    list->items[list->count++] = (struct assay_pair){.name = name, .value = value};
    return true;
}

void assay_pair_list_take(const struct assay_grammar *g, struct assay_pair_list *list, struct assay_span text)
{
    for (struct scan s = scan_of(text); s.more && list->count < list->cap; list->count++)
        if (!scan_plain(g, &s, &list->items[list->count]) && !scan_pair(g, &s, &list->items[list->count]))
            return;
}

/* Two sorted runs, of `left` and `right` entries, into one; equal names stay in their order. */
static void merge(const struct assay_pair *items, const uint16_t *from, uint32_t left, uint32_t right, uint16_t *to)
{
    const uint16_t *x = from, *y = from + left, *x_end = y, *y_end = y + right;
    while (x < x_end || y < y_end) {
        bool take_x = y == y_end || (x < x_end && compare(items[*x].name, items[*y].name) <= 0);
        *to++ = take_x ? *x++ : *y++;
    }
}

static uint32_t least(uint32_t x, uint32_t y)
{
    return x < y ? x : y;
}

/* The numbers of the pairs by name; the two arrays behind the items are used in turn. */
static const uint16_t *sort(const struct assay_pair_list *list)
{
    uint16_t *from = (void *)(list->items + list->cap), *to = from + list->cap;
    for (uint32_t i = 0; i < list->count; i++)
        from[i] = (uint16_t)i;
    for (uint32_t run = 1; run < list->count; run *= 2) {
        for (uint32_t at = 0; at < list->count; at += 2 * run) {
            uint32_t left = least(run, list->count - at), right = least(run, list->count - at - left);
            merge(list->items, from + at, left, right, to + at);
        }
        uint16_t *sorted = to;
        to = from;
        from = sorted;
    }
    return from;
}

/* Of equal names one counts. False: none may. */
static bool drop_duplicates(struct assay_pair_list *list, const uint16_t *order, enum assay_duplicates duplicates)
{
    for (uint32_t i = 1; i < list->count; i++) {
        struct assay_pair *before = &list->items[order[i - 1]], *pair = &list->items[order[i]];
        if (!same(before->name, pair->name))
            continue;
        switch (duplicates) {
        case ASSAY_DUP_LAST:
            before->dropped = true;
            break;
        case ASSAY_DUP_FIRST:
            pair->dropped = true;
            break;
        case ASSAY_DUP_FAULT:
            return false;
        }
    }
    return true;
}

/* ---- writing ----------------------------------------------------------- */

struct sink {
    uint8_t *p;
    uint32_t n, cap;
    bool bad; /* something cannot be written, or there is no room */
};

static void put(struct sink *to, uint8_t c)
{
    if (to->n == to->cap)
        to->bad = true;
    else
        to->p[to->n++] = c;
}

static void put_all(struct sink *to, struct assay_span s)
{
    to->bad = to->bad || s.n > to->cap - to->n;
    if (to->bad || s.n == 0)
        return;
    memcpy(to->p + to->n, s.p, s.n);
    to->n += s.n;
}

static void put_value_byte(struct sink *to, const struct assay_grammar *g, uint8_t c, bool quoted)
{
    const struct assay_pairs *p = g->pairs;
    uint8_t letter = g->letter[c] ? g->letter[c] : quoted && c == p->quote ? c : 0;
    bool special = (p->escape && c == p->escape) || (quoted ? c == p->quote : c == p->separator);
    if (letter && p->escape) {
        put(to, p->escape);
        put(to, letter);
    } else if (special) {
        to->bad = true;
    } else {
        put(to, c);
    }
}

static void put_value(struct sink *to, const struct assay_grammar *g, const struct assay_pair *pair)
{
    bool quoted = needs_quotes(g, pair);
    if (quoted)
        put(to, g->pairs->quote);
    for (uint32_t at = 0; at < pair->value.n && !to->bad;)
        put_value_byte(to, g, plain_byte(g, pair, &at), quoted);
    if (quoted)
        put(to, g->pairs->quote);
}

static void put_pair(struct sink *to, const struct assay_grammar *g, const struct assay_pair *pair)
{
    if (to->n)
        put(to, g->pairs->separator);
    put_all(to, pair->name);
    put(to, g->pairs->assign);
    if (run_of(&g->plain_value, pair->value) == pair->value.n)
        put_all(to, pair->value);
    else
        put_value(to, g, pair);
}

bool assay_pair_list_close(struct assay_env *env, const struct assay_grammar *g, struct assay_pair_list *list,
                           enum assay_duplicates duplicates, assay_val *text)
{
    const uint16_t *order = sort(list);
    if (!drop_duplicates(list, order, duplicates))
        return false;
    struct sink to = {.p = env->scratch + env->scratch_used, .cap = env->scratch_cap - env->scratch_used};
    for (uint32_t i = 0; i < list->count; i++) {
        const struct assay_pair *pair = &list->items[g->pairs->sorted ? order[i] : i];
        if (!pair->dropped)
            put_pair(&to, g, pair);
    }
    if (to.bad || to.n > ASSAY_BYTES_MAX)
        return false;
    uint8_t *kept = env->scratch + list->mark;
    memmove(kept, to.p, to.n);
    env->scratch_used = list->mark + to.n;
    *text = assay_scratch_val(env, kept, to.n);
    return true;
}

/* ---- whole texts ------------------------------------------------------- */

bool assay_pairs_canonical(struct assay_env *env, uint16_t pairs, struct assay_span text, bool *same_text,
                           assay_val *made)
{
    struct assay_grammar g;
    struct assay_pair_list list;
    uint32_t count;
    assay_grammar_open(&g, env->model, pairs);
    if (!assay_pairs_survey(env, &g, text, &count, same_text))
        return false;
    if (*same_text)
        return true;
    if (!assay_pair_list_open(env, &list, count))
        return false;
    assay_pair_list_take(&g, &list, text);
    if (!assay_pair_list_close(env, &g, &list, (enum assay_duplicates)g.pairs->duplicates, made))
        return false;
    /* of grammars that do not sort: each name once, all written well */
    *same_text = same(assay_bytes(env, *made), text);
    if (*same_text)
        env->scratch_used = list.mark;
    return true;
}

bool assay_pairs_find(struct assay_env *env, uint16_t pairs, struct assay_span text, struct assay_span name,
                      struct assay_span *value, bool *copy)
{
    struct assay_grammar g;
    struct assay_pair pair;
    assay_grammar_open(&g, env->model, pairs);
    for (struct scan s = scan_of(text); s.more && (scan_plain(&g, &s, &pair) || scan_pair(&g, &s, &pair));)
        if (same(pair.name, name)) {
            *copy = pair.escaped;
            return plain_value(env, &g, &pair, value);
        }
    return false;
}
