/* Random values and seals; their placeholders for judges. */
#include <string.h>

#include "core/secrets.h"

#include "core/session.h"

#define MARK_SIZE 5u

void assay_secret_begin(const struct assay_engine *e, struct assay_siphash *h, enum assay_domain domain,
                        uint64_t number)
{
    assay_siphash_begin(h, e->config.secret);
    assay_siphash_number(h, domain);
    assay_siphash_number(h, number);
}

static bool push_bytes(struct assay_vm *vm, const uint8_t *p, uint32_t n)
{
    uint8_t *to = assay_scratch(vm->env, n);
    if (!to)
        return false;
    if (n)
        memcpy(to, p, n);
    vm->stack[vm->depth++] = assay_scratch_val(vm->env, to, n);
    return true;
}

bool assay_op_peer(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    if (!vm->env->engine)
        return false;
    struct assay_span peer = assay_session_peer(vm->env->engine, assay_session_of(vm->env));
    return push_bytes(vm, peer.p, peer.n);
}

/* ---- random values ----------------------------------------------------- */

/* A placeholder: the mark, a number, zeros. */
static void mark(uint8_t *to, uint32_t n, uint64_t number)
{
    memset(to, 0, n);
    memcpy(to, ASSAY_MARK, MARK_SIZE);
    for (uint32_t i = MARK_SIZE; i < n && i < MARK_SIZE + 8; i++, number >>= 8)
        to[i] = (uint8_t)number;
}

static void draw(const struct assay_engine *e, uint8_t *to, uint32_t n, uint64_t number)
{
    uint8_t block[ASSAY_SIPHASH_SIZE];
    for (uint32_t at = 0; at < n; at += ASSAY_SIPHASH_SIZE) {
        struct assay_siphash h;
        assay_secret_begin(e, &h, ASSAY_DOMAIN_RANDOM, number);
        assay_siphash_number(&h, at);
        assay_siphash_end(&h, block);
        memcpy(to + at, block, n - at < ASSAY_SIPHASH_SIZE ? n - at : ASSAY_SIPHASH_SIZE);
    }
}

bool assay_op_random(struct assay_vm *vm, uint32_t ins)
{
    struct assay_engine *e = vm->env->engine;
    uint8_t bytes[ASSAY_RANDOM_MAX];
    uint32_t n = assay_ins_b(ins);
    if (!e)
        return false;
    if (e->config.marked)
        mark(bytes, n, ++e->secrets.drawn);
    else
        draw(e, bytes, n, ++e->secrets.drawn);
    return push_bytes(vm, bytes, n);
}

/* ---- seals ------------------------------------------------------------- */

/* Each value behind its size, so that no two lists of them are the same bytes. */
static void hash_values(const struct assay_vm *vm, uint32_t first, uint32_t count, uint64_t epoch,
                        uint8_t out[ASSAY_SEAL_SIZE])
{
    struct assay_siphash h;
    assay_secret_begin(vm->env->engine, &h, ASSAY_DOMAIN_SEAL, epoch);
    for (uint32_t i = 0; i < count; i++) {
        struct assay_span value = assay_bytes(vm->env, vm->stack[first + i]);
        assay_siphash_number(&h, value.n);
        assay_siphash_take(&h, value.p, value.n);
    }
    assay_siphash_end(&h, out);
}

/* Time is counted in spans of limits.seal; a seal holds to the end of the one behind that in which it was made. */
static uint64_t epoch(const struct assay_engine *e)
{
    return e->config.limits.seal > 0 ? (uint64_t)(e->now / e->config.limits.seal) : 0;
}

/* In the same time whatever the bytes are. */
static bool same_seal(const uint8_t *a, const uint8_t *b)
{
    uint8_t differ = 0;
    for (uint32_t i = 0; i < ASSAY_SEAL_SIZE; i++)
        differ |= a[i] ^ b[i];
    return differ == 0;
}

uint32_t assay_seals_cap(const struct assay_config *config)
{
    uint32_t sessions = config->limits.sessions < 63 ? config->limits.sessions : 63;
    return config->marked ? ASSAY_SEALS_KEPT * (sessions + 1) : 0;
}

static struct assay_marked_seal *seal_at(struct assay_engine *e, uint64_t number)
{
    return &e->secrets.seals[number % e->secrets.cap];
}

static uint64_t oldest(const struct assay_engine *e)
{
    return e->secrets.made > e->secrets.cap ? e->secrets.made - e->secrets.cap : 0;
}

/* A rule that goes on behind an effect makes the same seals again. */
static bool made_before(struct assay_engine *e, const uint8_t values[ASSAY_SIPHASH_SIZE], uint64_t number)
{
    for (uint64_t i = e->secrets.made; i > oldest(e); i--)
        if (seal_at(e, i - 1)->number == number && same_seal(seal_at(e, i - 1)->values, values))
            return true;
    return false;
}

static void keep_seal(struct assay_engine *e, const uint8_t values[ASSAY_SIPHASH_SIZE], uint64_t number,
                      const uint8_t bytes[ASSAY_SEAL_SIZE])
{
    if (made_before(e, values, number))
        return;
    struct assay_marked_seal *seal = seal_at(e, e->secrets.made++);
    memcpy(seal->values, values, ASSAY_SIPHASH_SIZE);
    memcpy(seal->bytes, bytes, ASSAY_SEAL_SIZE);
    seal->number = number;
    seal->made = e->now;
}

bool assay_op_seal(struct assay_vm *vm, uint32_t ins)
{
    struct assay_engine *e = vm->env->engine;
    uint8_t seal[ASSAY_SEAL_SIZE], values[ASSAY_SIPHASH_SIZE];
    vm->depth -= assay_ins_a(ins);
    if (!e)
        return false;
    if (!e->config.marked) {
        hash_values(vm, vm->depth, assay_ins_a(ins), epoch(e), seal);
        return push_bytes(vm, seal, sizeof seal);
    }
    hash_values(vm, vm->depth, assay_ins_a(ins), 0, values);
    mark(seal, sizeof seal, ++e->secrets.drawn);
    keep_seal(e, values, e->secrets.drawn, seal);
    return push_bytes(vm, seal, sizeof seal);
}

/* Among the last ones for these values, and not too old for any target. */
static bool is_marked_seal(struct assay_engine *e, const uint8_t values[ASSAY_SIPHASH_SIZE],
                           const uint8_t bytes[ASSAY_SEAL_SIZE])
{
    uint32_t met = 0;
    for (uint64_t i = e->secrets.made; i > oldest(e) && met < ASSAY_SEALS_KEPT; i--) {
        const struct assay_marked_seal *seal = seal_at(e, i - 1);
        if (!same_seal(seal->values, values))
            continue;
        met++;
        if (same_seal(seal->bytes, bytes))
            return e->config.limits.seal <= 0 || (e->now - seal->made) / 2 <= e->config.limits.seal;
    }
    return false;
}

static bool is_seal(struct assay_vm *vm, uint32_t first, uint32_t count, const uint8_t bytes[ASSAY_SEAL_SIZE])
{
    struct assay_engine *e = vm->env->engine;
    uint8_t now[ASSAY_SEAL_SIZE], before[ASSAY_SEAL_SIZE];
    hash_values(vm, first, count, e->config.marked ? 0 : epoch(e), now);
    if (e->config.marked)
        return is_marked_seal(e, now, bytes);
    hash_values(vm, first, count, epoch(e) - 1, before);
    bool young = same_seal(now, bytes), old = same_seal(before, bytes);
    return young || old;
}

bool assay_op_sealed(struct assay_vm *vm, uint32_t ins)
{
    uint32_t count = assay_ins_a(ins);
    vm->depth -= count;
    if (!vm->env->engine)
        return false;
    struct assay_span bytes = assay_bytes(vm->env, vm->stack[vm->depth]);
    bool sealed = bytes.n == ASSAY_SEAL_SIZE && is_seal(vm, vm->depth + 1, count - 1, bytes.p);
    vm->stack[vm->depth++] = sealed;
    return true;
}

void assay_seals_learn(struct assay_engine *e, struct assay_span placeholder, const uint8_t *actual)
{
    for (uint64_t i = oldest(e); i < e->secrets.made && placeholder.n == ASSAY_SEAL_SIZE; i++)
        if (same_seal(seal_at(e, i)->bytes, placeholder.p))
            memcpy(seal_at(e, i)->bytes, actual, ASSAY_SEAL_SIZE);
}
