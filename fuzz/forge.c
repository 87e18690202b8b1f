#include "fuzz/forge.h"

#include <stdlib.h>
#include <string.h>

#include "core/fields.h"
#include "core/reliable.h"
#include "core/sums.h"
#include "fuzz/target.h"

static assay_val slots[ASSAY_SLOTS_MAX];

static const struct assay_machine *machine(void)
{
    return &fuzz_model()->machines[fuzz_machine()];
}

static uint8_t role(bool ours)
{
    return ((machine()->role & ASSAY_CLIENT) != 0) == ours ? ASSAY_CLIENT : ASSAY_SERVER;
}

static struct assay_env fresh_env(const uint8_t *frame)
{
    static uint8_t *scratch;
    const struct assay_model *model = fuzz_model();
    uint32_t cap = model->scratch + model->frame_max + 4096;
    scratch = scratch ? scratch : malloc(cap);
    fuzz_require(scratch, "out of memory");
    return (struct assay_env){.model = model, .slots = slots, .frame = frame, .scratch = scratch, .scratch_cap = cap};
}

/* ---- what was sent ------------------------------------------------------ */

void forge_note(struct forge_sent *sent, struct assay_span datagram)
{
    struct assay_env env = fresh_env(datagram.p);
    struct assay_decoded decoded = assay_decode(&env, machine()->frame_out, role(true), datagram);
    fuzz_require(decoded.message != ASSAY_NONE && decoded.event == fuzz_model()->messages[decoded.message].event,
                 "a datagram that is no message");
    if (datagram.n > FORGE_MAX)
        return;
    uint32_t place = sent->count++ % FORGE_KEPT;
    memcpy(sent->bytes[place], datagram.p, datagram.n);
    sent->n[place] = datagram.n;
}

static uint32_t bytes_fields(const struct assay_env *env, struct assay_range fields, uint16_t *found, uint32_t n)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count && n < ASSAY_SLOTS_MAX; i++) {
        const struct assay_field *f = &env->model->fields[i];
        if (f->form == ASSAY_FORM_BYTES && assay_slot_known(env, f->slot) && assay_is_bytes(env->model, f->type))
            found[n++] = f->slot;
    }
    return n;
}

struct assay_span forge_value(const struct forge_sent *sent, uint8_t k)
{
    uint32_t back = k >> 4 & 3, n = 0;
    uint16_t found[ASSAY_SLOTS_MAX];
    if (back >= sent->count)
        return (struct assay_span){NULL, 0};
    uint32_t place = (sent->count - 1 - back) % FORGE_KEPT;
    struct assay_span all = {sent->bytes[place], sent->n[place]};
    struct assay_env env = fresh_env(all.p);
    struct assay_decoded decoded = assay_decode(&env, machine()->frame_out, role(true), all);
    n = bytes_fields(&env, env.model->frames[machine()->frame_out].fields, found, n);
    if (decoded.message != ASSAY_NONE)
        n = bytes_fields(&env, env.model->messages[decoded.message].fields, found, n);
    if (n == 0)
        return (struct assay_span){NULL, 0};
    assay_val v = slots[found[n - 1 - (k & 15) % n]];
    return assay_val_region(v) == ASSAY_REGION_FRAME ? assay_bytes(&env, v) : (struct assay_span){NULL, 0};
}

/* ---- what arrives ------------------------------------------------------- */

void forge_marks(const struct forge_sent *sent, uint8_t *bytes, uint32_t n)
{
    uint32_t size = sizeof ASSAY_MARK - 1;
    for (uint32_t i = 0; i + size < n; i++) {
        if (memcmp(bytes + i, ASSAY_MARK, size) != 0)
            continue;
        struct assay_span v = forge_value(sent, bytes[i + size]);
        v.n = v.n < n - i ? v.n : n - i;
        if (v.n)
            memcpy(bytes + i, v.p, v.n);
        i += v.n ? v.n - 1 : 0;
    }
}

void forge_sum(uint8_t *bytes, uint32_t n)
{
    struct assay_env env = fresh_env(bytes);
    (void)assay_sum_again(&env, machine()->frame_in, bytes, n);
}

static void address(struct assay_engine *e, struct assay_session *s, struct assay_env *env, uint16_t message,
                    uint8_t delta)
{
    const struct assay_reliable *r = e->reliable;
    const struct assay_flow *flow = assay_flow_of(e, s);
    bool ack = message == r->ack;
    assay_bind(e, s);
    uint64_t number = assay_flow_number(e, (ack ? flow->acked : flow->taken) + delta % 8u - 2u);
    env->vars = s->words;
    env->heap = e->heap.bytes;
    assay_slot_set(env, ack ? r->ack_slot : r->number, number & assay_flow_mask(e));
    if (r->session != ASSAY_NONE && machine()->session != ASSAY_NONE)
        assay_slot_set(env, r->session, s->words[machine()->session - machine()->vars.first]);
}

uint32_t forge_turn(struct assay_engine *e, assay_sid sid, uint8_t delta, uint8_t *bytes, uint32_t n)
{
    static uint8_t made[FORGE_MAX];
    struct assay_env env = fresh_env(bytes);
    struct assay_session *s = assay_session_find(e, sid);
    uint16_t frame = machine()->frame_in;
    struct assay_decoded decoded = assay_decode(&env, frame, role(false), (struct assay_span){bytes, n});
    uint16_t message = decoded.message;
    if (!s || !e->reliable || message == ASSAY_NONE || decoded.event != e->model->messages[message].event ||
        (message != e->reliable->ack && !e->reliables[message]))
        return n;
    address(e, s, &env, message, delta);
    struct assay_encoded encoded = assay_encode(&env, frame, message, made, sizeof made, false);
    if (encoded.status != ASSAY_ENCODED)
        return n;
    memcpy(bytes, made, encoded.size);
    return encoded.size;
}

void forge_learn(uint8_t *bytes, uint32_t n, struct assay_span placeholder, const uint8_t *actual)
{
    for (uint32_t i = 0; i + placeholder.n <= n; i++)
        if (memcmp(bytes + i, placeholder.p, placeholder.n) == 0)
            memcpy(bytes + i, actual, placeholder.n);
}
