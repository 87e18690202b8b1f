/* A JSON object (RFC 8259) that gives other fields their values. */
#include <string.h>

#include "core/number.h"
#include "core/pairs.h"

/* ---- text to tokens ---------------------------------------------------- */

struct json {
    const uint8_t *p;
    uint32_t n, pos;
};

/* A string (without its quotes), or anything else as it is written. */
struct token {
    struct assay_span text;
    bool escaped;
};

static bool peek(const struct json *j, uint8_t c)
{
    return j->pos < j->n && j->p[j->pos] == c;
}

static bool take(struct json *j, uint8_t c)
{
    bool there = peek(j, c);
    j->pos += there;
    return there;
}

static void skip_space(struct json *j)
{
    while (peek(j, ' ') || peek(j, '\t') || peek(j, '\n') || peek(j, '\r'))
        j->pos++;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    uint8_t letter = c | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Four hexadecimal digits. */
static bool hex4(const uint8_t *p, uint32_t n, uint32_t *value)
{
    *value = 0;
    for (uint32_t i = 0; i < 4; i++) {
        if (i >= n || hex_value(p[i]) < 0)
            return false;
        *value = *value << 4 | (uint32_t)hex_value(p[i]);
    }
    return true;
}

/* The character of the \u sequence at p (behind its backslash); returns how many bytes it takes, 0: it is none. */
static uint32_t unicode(const uint8_t *p, uint32_t n, uint32_t *c)
{
    uint32_t low;
    if (n < 5 || !hex4(p + 1, n - 1, c) || (*c >= 0xdc00 && *c < 0xe000))
        return 0;
    if (*c < 0xd800 || *c >= 0xe000)
        return 5;
    if (n < 11 || p[5] != '\\' || p[6] != 'u' || !hex4(p + 7, n - 7, &low) || low < 0xdc00 || low > 0xdfff)
        return 0;
    *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
    return 11;
}

/* What a letter behind a backslash stands for; 0: nothing. */
static uint8_t escape_of(uint8_t letter)
{
    static const uint8_t stands[256] = {
        ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    return stands[letter];
}

static bool take_escape(struct json *j)
{
    uint32_t c, n = 0;
    if (peek(j, 'u'))
        n = unicode(j->p + j->pos, j->n - j->pos, &c);
    else if (j->pos < j->n && escape_of(j->p[j->pos]))
        n = 1;
    j->pos += n;
    return n > 0;
}

static bool take_string(struct json *j, struct token *t)
{
    uint32_t start = j->pos + 1;
    t->escaped = false;
    if (!take(j, '"'))
        return false;
    while (j->pos < j->n && j->p[j->pos] != '"') {
        uint8_t c = j->p[j->pos++];
        if (c < 0x20)
            return false;
        if (c != '\\')
            continue;
        t->escaped = true;
        if (!take_escape(j))
            return false;
    }
    t->text = (struct assay_span){j->p + start, j->pos - start};
    return take(j, '"') && assay_charset_holds(ASSAY_CS_UTF8, t->text);
}

static uint32_t take_digits(struct json *j)
{
    uint32_t start = j->pos;
    while (j->pos < j->n && j->p[j->pos] >= '0' && j->p[j->pos] <= '9')
        j->pos++;
    return j->pos - start;
}

static bool take_number(struct json *j)
{
    (void)take(j, '-');
    if (!take(j, '0') && !take_digits(j))
        return false;
    if (take(j, '.') && !take_digits(j))
        return false;
    if (!take(j, 'e') && !take(j, 'E'))
        return true;
    if (!take(j, '+'))
        (void)take(j, '-');
    return take_digits(j) > 0;
}

static bool take_word(struct json *j, const char *word, uint32_t n)
{
    if (j->n - j->pos < n || memcmp(j->p + j->pos, word, n) != 0)
        return false;
    j->pos += n;
    return true;
}

/* Anything but an object or array. */
static bool take_value(struct json *j, struct token *t)
{
    uint32_t start = j->pos;
    if (peek(j, '"'))
        return take_string(j, t);
    if (!take_word(j, "true", 4) && !take_word(j, "false", 5) && !take_word(j, "null", 4) && !take_number(j))
        return false;
    *t = (struct token){.text = {j->p + start, j->pos - start}};
    return true;
}

/* The next member. `more`: another one follows, else the object is closed. */
static bool take_member(struct json *j, struct token *name, struct token *value, bool *more)
{
    skip_space(j);
    if (!take_string(j, name))
        return false;
    skip_space(j);
    if (!take(j, ':'))
        return false;
    skip_space(j);
    if (!take_value(j, value))
        return false;
    skip_space(j);
    *more = take(j, ',');
    return *more || take(j, '}');
}

/* Up to the first member. `more`: there is one. */
static bool take_start(struct json *j, bool *more)
{
    skip_space(j);
    if (!take(j, '{'))
        return false;
    skip_space(j);
    *more = !take(j, '}');
    return true;
}

/* ---- tokens to bytes --------------------------------------------------- */

static uint32_t put_utf8(uint8_t *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (uint8_t)c;
        return 1;
    }
    uint32_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (uint32_t i = n; i-- > 1; c >>= 6)
        to[i] = (uint8_t)(0x80 | (c & 0x3f));
    to[0] = (uint8_t)(leads[n] | c);
    return n;
}

/* A string is never longer without its escapes. */
static uint32_t unescape(struct assay_span text, uint8_t *to)
{
    uint32_t n = 0, c;
    for (uint32_t i = 0; i < text.n;) {
        if (text.p[i] != '\\') {
            to[n++] = text.p[i++];
            continue;
        }
        i++;
        if (text.p[i] == 'u') {
            i += unicode(text.p + i, text.n - i, &c);
            n += put_utf8(to + n, c);
        } else {
            to[n++] = escape_of(text.p[i++]);
        }
    }
    return n;
}

/* The bytes of a token, in scratch if it has escapes. */
static bool plain(struct assay_env *env, const struct token *t, struct assay_span *s)
{
    *s = t->text;
    if (!t->escaped)
        return true;
    uint8_t *to = assay_scratch(env, t->text.n);
    if (!to)
        return false;
    uint32_t n = unescape(t->text, to);
    env->scratch_used -= t->text.n - n;
    *s = (struct assay_span){to, n};
    return true;
}

/* ---- members ----------------------------------------------------------- */

struct members {
    const struct assay_object *object;
    struct token values[ASSAY_SLOTS_MAX];
    uint64_t there; /* of `values` */
    uint32_t others;
};

/* Which of the object's members has a name; ASSAY_NONE: none. */
static bool find_member(struct assay_env *env, const struct assay_object *object, const struct token *name,
                        uint32_t *found)
{
    uint32_t used = env->scratch_used;
    struct assay_span s;
    if (!plain(env, name, &s))
        return false;
    *found = ASSAY_NONE;
    for (uint32_t i = 0; i < object->members.count; i++) {
        struct assay_blob known = env->model->object_members[object->members.first + i].name;
        if (known.n == s.n && (s.n == 0 || memcmp(known.p, s.p, s.n) == 0))
            *found = i;
    }
    env->scratch_used = used;
    return true;
}

/* The whole object: that it is one, and which member has which value. */
static bool survey(struct assay_env *env, struct json *j, struct members *m)
{
    struct token name, value;
    bool more;
    if (!take_start(j, &more))
        return false;
    while (more) {
        uint32_t i;
        if (!take_member(j, &name, &value, &more) || !find_member(env, m->object, &name, &i))
            return false;
        if (i == ASSAY_NONE) {
            m->others++;
            continue;
        }
        m->values[i] = value;
        m->there |= (uint64_t)1 << i;
    }
    skip_space(j);
    return j->pos == j->n;
}

static enum assay_read give_named(struct assay_env *env, const struct members *m, uint32_t i)
{
    uint16_t index = env->model->object_members[m->object->members.first + i].field;
    const struct assay_field *f = &env->model->fields[index];
    struct assay_span s;
    assay_val v;
    if (!(m->there >> i & 1))
        return f->flags & ASSAY_F_OPTIONAL ? ASSAY_READ : ASSAY_READ_BAD;
    if (!plain(env, &m->values[i], &s))
        return ASSAY_READ_BAD;
    enum assay_read status =
        assay_read_value(env, f, s, m->values[i].escaped ? ASSAY_REGION_SCRATCH : ASSAY_REGION_FRAME, &v);
    if (status == ASSAY_READ)
        assay_slot_set(env, f->slot, v);
    return status;
}

static bool add_others(struct assay_env *env, const struct assay_grammar *g, const struct assay_object *object,
                       struct json j, struct assay_pair_list *list)
{
    struct token name, value;
    struct assay_span name_bytes, value_bytes;
    bool more = true;
    (void)take_start(&j, &more);
    while (more) {
        uint32_t i;
        if (!take_member(&j, &name, &value, &more) || !find_member(env, object, &name, &i))
            return false;
        if (i != ASSAY_NONE)
            continue;
        if (!plain(env, &name, &name_bytes) || !plain(env, &value, &value_bytes) ||
            !assay_pair_list_add(env, g, list, name_bytes, value_bytes))
            return false;
    }
    return true;
}

/* All members without a field of their own, as pairs. */
static bool give_rest(struct assay_env *env, const struct members *m, struct json j)
{
    if (m->object->rest == ASSAY_NONE)
        return m->others == 0;
    const struct assay_field *f = &env->model->fields[m->object->rest];
    if (m->others == 0) {
        if (!(f->flags & ASSAY_F_OPTIONAL))
            assay_slot_set(env, f->slot, ASSAY_VAL_EMPTY);
        return true;
    }
    struct assay_grammar g;
    struct assay_pair_list list;
    assay_val v;
    assay_grammar_open(&g, env->model, f->element);
    if (m->others > g.pairs->most || !assay_pair_list_open(env, &list, m->others) ||
        !add_others(env, &g, m->object, j, &list) || !assay_pair_list_close(env, &g, &list, ASSAY_DUP_LAST, &v))
        return false;
    assay_slot_set(env, f->slot, v);
    return true;
}

enum assay_read assay_read_object(struct assay_env *env, const struct assay_field *f, struct assay_span text)
{
    struct members m = {.object = &env->model->objects[f->element]};
    struct json j = {.p = text.p, .n = text.n};
    uint64_t known = env->known;
    enum assay_read status = survey(env, &j, &m) ? ASSAY_READ : ASSAY_READ_BAD;
    for (uint32_t i = 0; status == ASSAY_READ && i < m.object->members.count; i++)
        status = give_named(env, &m, i);
    j.pos = 0;
    if (status == ASSAY_READ && !give_rest(env, &m, j))
        status = ASSAY_READ_BAD;
    if (status != ASSAY_READ)
        env->known = known;
    return status;
}
