/* Bytes, ends of streams and completions: what makes a session go on. */
#include <string.h>

#include "core/codec.h"
#include "core/feed.h"
#include "core/fields.h"

static uint8_t other_role(const struct assay_engine *e)
{
    return e->machine->role & ASSAY_CLIENT ? ASSAY_SERVER : ASSAY_CLIENT;
}

static struct assay_span behind(struct assay_span in, uint64_t n)
{
    return n < in.n ? (struct assay_span){in.p + n, in.n - (uint32_t)n} : (struct assay_span){in.p + in.n, 0};
}

/* ---- one frame --------------------------------------------------------- */

/* Handle the event, or go on with it if its effect has completed. */
static enum assay_rc step(struct assay_engine *e, struct assay_session *s, uint16_t event, enum assay_origin origin)
{
    if (s->pend == ASSAY_PEND_NONE)
        return assay_handle(e, s, event, origin);
    return s->origin == origin ? assay_resume(e, s) : ASSAY_PENDING;
}

static inline enum assay_rc whole(struct assay_engine *e, struct assay_session *s,
                                  const struct assay_frame_found *found, struct assay_span content)
{
    struct assay_decoded decoded = assay_decode_found(&e->env, e->machine->frame_in, other_role(e), found, content);
    return e->reliable ? assay_reliable_receive(e, s, decoded, content) : step(e, s, decoded.event, ASSAY_ORIGIN_INPUT);
}

enum assay_rc assay_step(struct assay_engine *e, struct assay_session *s, uint16_t event, enum assay_origin origin)
{
    return step(e, s, event, origin);
}

/* The end of the frame cannot be told: neither where the next one begins. */
static enum assay_rc broken(struct assay_engine *e, struct assay_session *s, uint16_t event)
{
    if (s->gates)
        return ASSAY_PENDING;
    enum assay_rc rc = step(e, s, event, ASSAY_ORIGIN_INPUT);
    return rc == ASSAY_OK ? assay_session_end(e, s, ASSAY_END_CLOSE, event) : rc;
}

static enum assay_rc oversize(struct assay_engine *e, struct assay_session *s, struct assay_frame_found found,
                              struct assay_span in, uint32_t *used)
{
    bool until = e->model->frames[e->machine->frame_in].end == ASSAY_END_UNTIL;
    e->env.known = 0;
    if (found.size == 0 && !until)
        return broken(e, s, ASSAY_EV_OVERSIZE);
    enum assay_rc rc = step(e, s, ASSAY_EV_OVERSIZE, ASSAY_ORIGIN_INPUT);
    if (rc != ASSAY_OK)
        return rc;
    s->skip_until = found.size == 0;
    *used = found.size == 0 ? found.scanned : found.size < in.n ? (uint32_t)found.size : in.n;
    s->skip = found.size > in.n ? found.size - in.n : 0;
    return rc;
}

/* MORE: not a whole frame yet. `input`: there was one, and an event of it. */
static enum assay_rc frame(struct assay_engine *e, struct assay_session *s, struct assay_span in, uint32_t *used,
                           bool *input)
{
    struct assay_frame_found found =
        assay_frame_find(&e->env, e->machine->frame_in, other_role(e), in, s->scanned, s->mode == ASSAY_MODE_SEGMENT);
    struct assay_span content = {in.p, found.content};
    bool blank = e->model->frames[e->machine->frame_in].blank && found.status == ASSAY_FRAME_WHOLE &&
                 assay_frame_blank(e->model, e->machine->frame_in, content);
    enum assay_rc rc = ASSAY_MORE;
    switch (found.status) {
    case ASSAY_FRAME_PARTIAL:
        s->scanned = found.scanned;
        return rc;
    case ASSAY_FRAME_WHOLE:
        rc = blank ? ASSAY_OK : whole(e, s, &found, content);
        *used = rc == ASSAY_OK || rc == ASSAY_ENDED ? (uint32_t)found.size : 0;
        break;
    case ASSAY_FRAME_OVERSIZE:
        rc = oversize(e, s, found, in, used);
        break;
    case ASSAY_FRAME_BROKEN:
        rc = broken(e, s, assay_decode_broken(&e->env, e->machine->frame_in, other_role(e), in).event);
        break;
    }
    if (rc == ASSAY_OK)
        s->scanned = 0;
    *input |= rc == ASSAY_OK && !blank;
    return rc;
}

/* ---- a stream ---------------------------------------------------------- */

/* Skip what is left of an oversize frame; returns how many bytes are done with. */
static uint32_t skip(struct assay_engine *e, struct assay_session *s, struct assay_span in)
{
    if (s->skip) {
        uint32_t n = s->skip < in.n ? (uint32_t)s->skip : in.n;
        s->skip -= n;
        return n;
    }
    struct assay_delim_found d = assay_delim_find(e->model, e->model->frames[e->machine->frame_in].delims, in, 0);
    s->skip_until = !d.found;
    return d.found ? d.at + d.size : d.scanned;
}

/* The first segment decides for good. */
static void decide_mode(struct assay_engine *e, struct assay_session *s, struct assay_span in)
{
    const struct assay_frame *f = &e->model->frames[e->machine->frame_in];
    bool lenient =
        f->end == ASSAY_END_UNTIL && f->segment_leniency < 64 && (e->config.leniencies >> f->segment_leniency & 1);
    s->mode = ASSAY_MODE_STREAM;
    if (lenient && !assay_delim_find(e->model, f->delims, in, 0).found)
        s->mode = ASSAY_MODE_SEGMENT;
}

static enum assay_rc frames(struct assay_engine *e, struct assay_session *s, struct assay_span in, uint32_t *used,
                            bool *input)
{
    enum assay_rc rc = ASSAY_OK;
    bool empty = in.n == 0 && e->model->frames[e->machine->frame_in].end == ASSAY_END_DATAGRAM;
    for (; rc == ASSAY_OK && (*used < in.n || empty); empty = false) {
        struct assay_span rest = behind(in, *used);
        uint32_t n = 0;
        if (s->skip || s->skip_until) {
            n = skip(e, s, rest);
            rc = n ? ASSAY_OK : ASSAY_MORE;
        } else if (!assay_queue_has_room(e)) {
            return ASSAY_TAKE;
        } else {
            if (e->events_head == e->events_count)
                e->env.scratch_used = 0;
            rc = frame(e, s, rest, &n, input);
            if (s->awaits && rc == ASSAY_OK)
                rc = assay_await(e, s);
        }
        *used += n;
    }
    return rc;
}

enum assay_rc assay_frames(struct assay_engine *e, struct assay_session *s, struct assay_span in, uint32_t *used,
                           bool *input)
{
    s->early = ASSAY_NONE;
    if (s->mode == ASSAY_MODE_UNDECIDED && in.n)
        decide_mode(e, s, in);
    if (!in.p)
        in.p = e->env.scratch;
    return frames(e, s, in, used, input);
}

enum assay_rc assay_feed(struct assay_engine *e, assay_sid sid, assay_time now, struct assay_span in, uint32_t *used,
                         struct assay_out *out)
{
    struct assay_session *s = assay_session_find(e, sid);
    bool input = false;
    *used = 0;
    if (!s)
        return ASSAY_STALE;
    if (!assay_enter(e, now, out))
        return ASSAY_TAKE;
    if (s->pend == ASSAY_PEND_FLIGHT || s->failing)
        return ASSAY_PENDING;
    enum assay_rc rc = assay_frames(e, s, in, used, &input);
    return assay_leave(e, s, rc, input);
}

/* ---- ends of streams --------------------------------------------------- */

/* A frame that the end of the stream ends comes before that end. */
static enum assay_rc last_frame(struct assay_engine *e, struct assay_session *s, struct assay_span in)
{
    if (e->model->frames[e->machine->frame_in].end != ASSAY_END_EOF || s->eof_framed || in.n == 0)
        return ASSAY_OK;
    struct assay_frame_found all = {.status = ASSAY_FRAME_WHOLE, .message = ASSAY_NONE};
    e->env.frame = in.p;
    enum assay_rc rc = whole(e, s, &all, in);
    s->eof_framed = rc == ASSAY_OK;
    return rc;
}

static uint16_t end_of_stream(struct assay_engine *e, struct assay_session *s, struct assay_span in)
{
    assay_no_fields(e);
    if (in.n == 0 || s->skip || s->skip_until || s->eof_framed)
        return ASSAY_EV_EOF;
    assay_decode_partial(&e->env, e->machine->frame_in, other_role(e), in);
    return ASSAY_EV_EOF_IN_FRAME;
}

enum assay_rc assay_signal(struct assay_engine *e, assay_sid sid, assay_time now, enum assay_builtin_event event,
                           struct assay_span in, struct assay_out *out)
{
    struct assay_session *s = assay_session_find(e, sid);
    uint16_t what = (uint16_t)event;
    enum assay_rc rc = ASSAY_OK;
    if (!s)
        return ASSAY_STALE;
    if (!assay_enter(e, now, out))
        return ASSAY_TAKE;
    if (s->pend == ASSAY_PEND_FLIGHT || s->failing)
        return ASSAY_PENDING;
    if (s->early != ASSAY_NONE && event != ASSAY_EV_SHUTDOWN)
        return ASSAY_EARLY;
    assay_no_fields(e);
    if (event == ASSAY_EV_EOF) {
        rc = last_frame(e, s, in);
        what = rc == ASSAY_OK ? end_of_stream(e, s, in) : what;
    }
    if (rc == ASSAY_OK)
        rc = assay_queue_has_room(e) ? step(e, s, what, ASSAY_ORIGIN_SIGNAL) : ASSAY_TAKE;
    return assay_leave(e, s, rc, false);
}

/* ---- completions ------------------------------------------------------- */

static uint16_t cut_of(const struct assay_out *out, assay_token token)
{
    uint16_t i = 0;
    while (i < out->cuts_len && out->cuts[i].gate != token)
        i++;
    return i;
}

static void close_gate(struct assay_engine *e, struct assay_session *s, assay_token token)
{
    struct assay_flight *flight = assay_flight_find(e, token);
    if (!flight)
        return;
    assay_flight_end(e, flight);
    s->gates--;
}

/* The first cut that waits for an effect: before it nothing can fail. */
static uint16_t front_gate(const struct assay_out *out)
{
    uint16_t i = 0;
    while (i < out->cuts_len && !out->cuts[i].gate)
        i++;
    return i;
}

static void drop_cut(struct assay_out *out, uint16_t at)
{
    if (at >= out->cuts_len)
        return;
    out->cuts_len--;
    memmove(&out->cuts[at], &out->cuts[at + 1], (size_t)(out->cuts_len - at) * sizeof *out->cuts);
}

/* The gate at the front failed: nothing behind it was said, and its rule's `else` speaks instead. */
static enum assay_rc fail_front(struct assay_engine *e, struct assay_session *s, struct assay_flight *flight)
{
    uint16_t rule = flight->rule, event = flight->event;
    struct assay_out *out = e->out;
    uint16_t at = front_gate(out);
    uint32_t keep = at < out->cuts_len ? out->cuts[at].at : out->len;
    if (e->model->rules[rule].out_max > out->cap - keep)
        return ASSAY_FULL;
    assay_flight_end(e, flight);
    s->gates--;
    for (uint16_t i = at; i < out->cuts_len; i++)
        close_gate(e, s, out->cuts[i].gate);
    out->cuts_len = at;
    out->len = keep;
    s->failing = false;
    return assay_gate_failed(e, s, rule, event);
}

/* Behind another gate that is still open: truncate, and wait for that one. */
static enum assay_rc fail_later(struct assay_engine *e, struct assay_session *s, struct assay_flight *flight,
                                uint16_t at)
{
    struct assay_out *out = e->out;
    for (uint16_t i = (uint16_t)(at + 1); i < out->cuts_len; i++)
        close_gate(e, s, out->cuts[i].gate);
    out->cuts_len = (uint16_t)(at + 1);
    out->len = out->cuts[at].at;
    flight->failed = true;
    s->failing = true;
    return ASSAY_OK;
}

static enum assay_rc gate_done(struct assay_engine *e, struct assay_session *s, struct assay_flight *flight,
                               uint16_t at)
{
    struct assay_out *out = e->out;
    assay_flight_end(e, flight);
    s->gates--;
    drop_cut(out, at);
    uint16_t next = front_gate(out);
    struct assay_flight *front = next < out->cuts_len ? assay_flight_find(e, out->cuts[next].gate) : NULL;
    return front && front->failed ? fail_front(e, s, front) : ASSAY_OK;
}

static enum assay_rc complete_gate(struct assay_engine *e, struct assay_session *s, struct assay_flight *flight,
                                   assay_token token, bool done)
{
    uint16_t at = cut_of(e->out, token);
    if (done)
        return gate_done(e, s, flight, at);
    return at <= front_gate(e->out) || at >= e->out->cuts_len ? fail_front(e, s, flight) : fail_later(e, s, flight, at);
}

static enum assay_rc go_on_by_itself(struct assay_engine *e, struct assay_session *s)
{
    assay_no_fields(e);
    if (e->model->events[s->event].kind == ASSAY_EVK_CALL && s->call != ASSAY_NONE)
        assay_call_slots(e, s);
    return assay_resume(e, s);
}

/* What was suspended without bytes goes on at once; the rest when its bytes are presented again. */
static enum assay_rc complete_suspended(struct assay_engine *e, struct assay_session *s, struct assay_flight *flight,
                                        bool done)
{
    s->pend = done ? ASSAY_PEND_DONE : ASSAY_PEND_FAILED;
    struct assay_flight was = *flight;
    enum assay_rc rc = ASSAY_OK;
    assay_flight_end(e, flight); /* what comes next may need its place */
    if (s->origin == ASSAY_ORIGIN_SELF)
        rc = go_on_by_itself(e, s);
    else if (s->origin == ASSAY_ORIGIN_HELD)
        rc = assay_receive_resume(e, s);
    if (rc == ASSAY_FULL) {
        s->pend = ASSAY_PEND_FLIGHT;
        assay_flight_again(e, flight, &was);
    }
    return rc;
}

/* Its message is acknowledged when the host has told of all that were done with it. */
static enum assay_rc complete_chained(struct assay_engine *e, struct assay_session *s, struct assay_flight *flight,
                                      bool done)
{
    assay_chain_completed(e, s, flight, done);
    assay_flight_end(e, flight);
    return ASSAY_OK;
}

enum assay_rc assay_complete(struct assay_engine *e, assay_token token, assay_time now, bool done,
                             struct assay_out *out)
{
    struct assay_flight *flight = assay_flight_find(e, token);
    if (!flight)
        return ASSAY_STALE;
    if (e->events_head != e->events_count)
        return ASSAY_TAKE;
    struct assay_session *s = assay_session_at(e, flight->session);
    if (flight->put) {
        assay_garbage_free(e);
        assay_row_completed(e, s, flight->put - 1, done);
        flight->put = 0;
    }
    if (!s->live || s->ended || s->gen != flight->session_gen) {
        assay_flight_end(e, flight);
        return ASSAY_STALE;
    }
    (void)assay_enter(e, now, out);
    enum assay_rc rc = flight->gate    ? complete_gate(e, s, flight, token, done)
                       : flight->chain ? complete_chained(e, s, flight, done)
                                       : complete_suspended(e, s, flight, done);
    /* the idle timers rested: they begin anew */
    return assay_leave(e, s, rc, s->gates == 0 && s->pend != ASSAY_PEND_FLIGHT);
}
