#include "conformance/play_run.h"

#include <stdlib.h>
#include <string.h>

static enum assay_go flushed(struct assay_play_run *r, struct assay_link *l)
{
    if (l->wire.unsent.n == 0 || assay_play_ended(l))
        return ASSAY_GO_ON;
    return assay_play_patience_is_over(r, assay_clock_now()) ? assay_play_disagree(r, l, ASSAY_FOUND_LATE)
                                                             : ASSAY_GO_WAIT;
}

static void send_piece(struct assay_play_run *r, struct assay_link *l, struct assay_span bytes)
{
    int64_t now = assay_clock_now();
    if (r->oracle)
        assay_oracle_sent(r->oracle, l->index, now, bytes);
    assay_play_note(r, l, ASSAY_DID_SEND, bytes);
    l->asked_at = r->progress_at = now;
    r->play.outcome.sent_any = true;
    assay_wire_send(&l->wire, bytes);
}

/* What only the session tells is filled in; what the target owes yet may tell it, and is waited for. */
static enum assay_go fill(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    struct assay_span bytes = {s->bytes.p, s->bytes.n};
    bool known = true;
    if (r->oracle)
        bytes = assay_oracle_fill(r->oracle, l->index, s->from, s->stamp, bytes, &known);
    bool coming = !known && assay_oracle_owed(r->oracle, s->from).bytes; /* what tells it */
    if (coming && !assay_play_patience_is_over(r, assay_clock_now()))
        return ASSAY_GO_WAIT;
    if (!known) /* it is right for nobody */
        bytes = assay_oracle_spoil(r->oracle);
    free(l->sent);
    l->sent = malloc(bytes.n + 1u);
    if (!l->sent)
        return ASSAY_GO_ON;
    if (bytes.n)
        memcpy(l->sent, bytes.p, bytes.n);
    send_piece(r, l, (struct assay_span){l->sent, bytes.n});
    return ASSAY_GO_ON;
}

enum assay_go assay_step_send(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    if (l->wire.state == ASSAY_WIRE_RST || l->wire.state == ASSAY_WIRE_CLOSED)
        return ASSAY_GO_ON;
    if (!r->entered && fill(r, l, s) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    r->entered = true;
    if (flushed(r, l) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    return s->flags & ASSAY_STEP_CUT ? assay_play_wait_taken(r, l, &r->play.outcome.cuts_requested) : ASSAY_GO_ON;
}

enum assay_go assay_step_await(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    (void)s;
    return assay_play_settle(r, l);
}

enum assay_go assay_step_quiet(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    (void)s;
    return assay_play_be_silent(r, l);
}

void assay_play_shut(struct assay_play_run *r, struct assay_link *l)
{
    if (l->wire.shut || l->wire.state == ASSAY_WIRE_CLOSED || l->wire.state == ASSAY_WIRE_RST)
        return;
    int64_t now = assay_clock_now();
    if (r->oracle)
        assay_oracle_shut(r->oracle, l->index, now);
    assay_play_link_over(r, l, now);
    assay_play_note(r, l, ASSAY_DID_SHUT, (struct assay_span){0});
    l->asked_at = r->progress_at = now;
    assay_wire_shut(&l->wire);
}

enum assay_go assay_step_eof(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    (void)s;
    if (flushed(r, l) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    assay_play_shut(r, l);
    return ASSAY_GO_ON;
}

/* A reset can overtake bytes that the target has not read: it is held back until it has. */
enum assay_go assay_step_reset(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    bool blind = false;
    (void)s;
    if (flushed(r, l) == ASSAY_GO_WAIT || assay_play_wait_taken(r, l, &blind) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    if (l->wire.state == ASSAY_WIRE_CLOSED)
        return ASSAY_GO_ON;
    int64_t now = assay_clock_now();
    if (r->oracle)
        assay_oracle_reset(r->oracle, l->index, now);
    r->excuses++;
    assay_play_link_over(r, l, now);
    assay_play_note(r, l, ASSAY_DID_RESET, (struct assay_span){0});
    assay_wire_reset(&l->wire);
    return ASSAY_GO_ON;
}

enum assay_go assay_step_pause(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    int64_t now = assay_clock_now();
    l->asked_at = 0; /* the round trip ends where the waiting begins */
    r->play.outcome.by_time = true;
    if (now < r->entered_at + s->pause)
        return assay_play_wait_until(r, r->entered_at + s->pause);
    if (r->oracle)
        assay_oracle_time(r->oracle, now);
    return assay_play_guest_spins(r) ? ASSAY_GO_WAIT : ASSAY_GO_ON;
}

enum assay_go assay_step_repeat(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    uint64_t left = assay_oracle_left(r->oracle, l->index, (enum assay_stamp_kind)s->repeat.kind);
    if (!assay_repeat_is_through(&s->repeat, left) && r->repeats < ASSAY_REPEATS_MOST) {
        r->repeats++;
        r->next = s->repeat.back;
    }
    return ASSAY_GO_ON;
}
