#include "conformance/play_run.h"

#define QUESTION       8 /* part of the patience after which a proof is asked for */
#define MOST_PATIENCES 4 /* that one step waits */

/* ---- waiting ----------------------------------------------------------- */

int64_t assay_play_last_progress(const struct assay_play_run *r)
{
    return r->progress_at > r->entered_at ? r->progress_at : r->entered_at;
}

/* Since then it is waited for what does not come; what comes without being waited for does not count. */
static int64_t waiting_since(const struct assay_play_run *r)
{
    return r->stuck_at ? r->stuck_at : assay_play_last_progress(r);
}

static int64_t quiet_time(const struct assay_play_run *r, bool still)
{
    return r->patient ? assay_pace_patience(&r->stage->pace) : assay_pace_quiet(&r->stage->pace, still);
}

enum assay_go assay_play_wait_until(struct assay_play_run *r, int64_t at)
{
    if (at < r->wake)
        r->wake = at;
    return ASSAY_GO_WAIT;
}

/* Ask the socket table again soon, less often as time goes on. */
static enum assay_go wait_a_tick(struct assay_play_run *r, int64_t now)
{
    int64_t tick = r->tick;
    r->tick = tick * 2 < ASSAY_TICK_LAST ? tick * 2 : ASSAY_TICK_LAST;
    return assay_play_wait_until(r, now + tick);
}

/* Datagrams that come one by one, each when its turn was long ago, wear it out as well. */
bool assay_play_patience_is_over(struct assay_play_run *r, int64_t now)
{
    int64_t patience = assay_pace_patience(&r->stage->pace);
    int64_t end = waiting_since(r) + patience;
    if (r->stage->datagrams && end > r->entered_at + MOST_PATIENCES * patience)
        end = r->entered_at + MOST_PATIENCES * patience;
    if (now >= end)
        return true;
    assay_play_wait_until(r, end);
    return false;
}

bool assay_play_ended(const struct assay_link *l)
{
    return l->wire.state != ASSAY_WIRE_OPEN;
}

/* Instead of all the patience there is: the target has read everything and is still, so shut our side. What it owes has
 * to come before its own end of stream; that one without the other is the proof that it does not come. Only for a case
 * whose answer stayed away once before. */
static void question(struct assay_play_run *r, struct assay_link *l, int64_t now)
{
    int64_t at = assay_play_last_progress(r) + assay_pace_patience(&r->stage->pace) / QUESTION;
    if (!r->patient || r->stage->datagrams || r->stage->slow || r->questioned || l->wire.shut || assay_play_ended(l))
        return;
    if (now < at) {
        assay_play_wait_until(r, at);
        return;
    }
    if (assay_wire_still(&l->wire, r->stage->table) != ASSAY_TAKEN)
        return;
    r->questioned = true;
    assay_play_shut(r, l);
}

/* A link of datagrams has no end that could be seen. */
static struct assay_owed owed_on(const struct assay_play_run *r, const struct assay_link *l)
{
    struct assay_owed owed = assay_oracle_owed(r->oracle, l->index);
    if (l->wire.datagrams) {
        owed.end = false;
        owed.maybe = owed.maybe || owed.gone;
    }
    return owed;
}

/* Everything that is owed on the link was seen, or may stay away and did. */
enum assay_go assay_play_settle(struct assay_play_run *r, struct assay_link *l)
{
    int64_t now = assay_clock_now();
    if (!r->oracle || l->wire.state == ASSAY_WIRE_CLOSED)
        return ASSAY_GO_ON;
    assay_oracle_time(r->oracle, now);
    if (!assay_play_screen_look(r))
        return ASSAY_GO_WAIT;
    struct assay_owed owed = owed_on(r, l);
    bool upper = owed.upper && assay_play_upper_shown(r);
    if (!owed.bytes && !owed.end && !upper)
        return ASSAY_GO_ON;
    if (upper && l->wire.state == ASSAY_WIRE_FIN) /* it may tell when the other side has ended, too */
        assay_play_shut(r, l);
    if (!owed.maybe) {
        if (owed.bytes || owed.end)
            question(r, l, now);
        return assay_play_patience_is_over(r, now) ? assay_play_disagree(r, l, ASSAY_FOUND_LATE) : ASSAY_GO_WAIT;
    }
    int64_t quiet = waiting_since(r) + quiet_time(r, false);
    return now >= quiet || assay_play_ended(l) ? ASSAY_GO_ON : assay_play_wait_until(r, quiet);
}

/* The target has read all; or that cannot be known, which is noted in *blind. */
enum assay_go assay_play_wait_taken(struct assay_play_run *r, struct assay_link *l, bool *blind)
{
    int64_t now = assay_clock_now();
    enum assay_taken taken = assay_play_ended(l) ? ASSAY_TAKEN : assay_wire_taken(&l->wire, r->stage->table);
    if (taken == ASSAY_NOT_TAKEN && !assay_play_patience_is_over(r, now))
        return wait_a_tick(r, now);
    *blind = *blind || taken != ASSAY_TAKEN;
    return ASSAY_GO_ON;
}

/* Nothing comes: the target has read all, nothing is on its way, and a quiet time has gone by since. */
enum assay_go assay_play_wait_quiet(struct assay_play_run *r, struct assay_link *l)
{
    int64_t now = assay_clock_now();
    if (assay_play_ended(l))
        return ASSAY_GO_ON;
    enum assay_taken still = assay_wire_still(&l->wire, r->stage->table);
    if (still == ASSAY_NOT_TAKEN && !assay_play_patience_is_over(r, now)) {
        r->still_at = 0;
        return wait_a_tick(r, now);
    }
    if (r->still_at == 0)
        r->still_at = now;
    int64_t since = waiting_since(r) > r->still_at ? waiting_since(r) : r->still_at;
    /* No end of stream behind a datagram shows later what came too late for this. */
    int64_t quiet = since + quiet_time(r, still == ASSAY_TAKEN && !l->wire.datagrams);
    if (now < quiet)
        return assay_play_wait_until(r, quiet);
    r->play.outcome.silence_waited |= still != ASSAY_TAKEN;
    assay_play_note(r, l, ASSAY_SAW_NOTHING, (struct assay_span){0});
    return ASSAY_GO_ON;
}

/* Silence is told to the oracle. Where that rules out something that was still
 * permitted, what is found later hangs on the quiet time. */
enum assay_go assay_play_be_silent(struct assay_play_run *r, struct assay_link *l)
{
    if (assay_play_settle(r, l) == ASSAY_GO_WAIT || assay_play_wait_quiet(r, l) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    if (!r->oracle || assay_play_ended(l))
        return ASSAY_GO_ON;
    struct assay_owed owed = assay_oracle_owed(r->oracle, l->index);
    if (l->wire.datagrams && owed.gone)
        return ASSAY_GO_ON;
    r->play.outcome.by_time |= owed.bytes || owed.end;
    l->asked_at = 0; /* what comes now answers something else */
    return assay_oracle_silence(r->oracle, l->index) ? ASSAY_GO_ON : assay_play_disagree(r, l, ASSAY_FOUND_MISMATCH);
}
