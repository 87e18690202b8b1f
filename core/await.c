/* Calls that wait for the machine, or for what they sent to be acknowledged. */
#include "core/fields.h"
#include "core/reliable.h"

enum { STEPS_MAX = 64 }; /* that one event may bring a call on */

static bool waits(const struct assay_engine *e, const struct assay_session *s)
{
    return s->wait != ASSAY_NONE && e->model->states[s->wait].kind == ASSAY_STATE_AWAIT;
}

static bool can_go_on(const struct assay_engine *e, const struct assay_session *s)
{
    return !s->ended && s->pend == ASSAY_PEND_NONE && waits(e, s);
}

/* One step of the call. False: what it waits for has not come true, or it cannot be done now. */
static bool step(struct assay_engine *e, struct assay_session *s)
{
    uint16_t wait = s->wait;
    if (!assay_awaited(e, s))
        return false;
    enum assay_rc rc = assay_queue_has_room(e) ? assay_handle(e, s, ASSAY_EV_AWAITED, ASSAY_ORIGIN_SELF) : ASSAY_FULL;
    if (rc == ASSAY_FULL)
        s->wants |= ASSAY_WANT_AWAIT;
    return rc == ASSAY_OK && s->wait != wait;
}

enum assay_rc assay_await(struct assay_engine *e, struct assay_session *s)
{
    assay_no_fields(e);
    assay_bind(e, s);
    s->wants &= (uint8_t)~ASSAY_WANT_AWAIT;
    for (int steps = 0; can_go_on(e, s) && steps < STEPS_MAX && step(e, s);)
        steps++;
    return s->ended ? ASSAY_ENDED : ASSAY_OK;
}

bool assay_op_state(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    if (!vm->env->engine) /* a look at bytes outside of any session */
        return false;
    vm->stack[vm->depth++] = assay_session_of(vm->env)->state;
    return true;
}

bool assay_op_acked(struct assay_vm *vm, uint32_t ins)
{
    const struct assay_engine *e = vm->env->engine;
    if (!e)
        return false;
    const struct assay_flow *flow = e->reliable ? assay_flow_of(e, assay_session_of(vm->env)) : NULL;
    vm->stack[vm->depth++] = !flow || flow->acked >= (assay_ins_a(ins) ? flow->next : flow->mark);
    return true;
}
