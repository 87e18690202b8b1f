/* What the loop reports about the links of a case. */
#include <errno.h>
#include <stddef.h>

#include "conformance/play_run.h"
#include "net/datagram.h"

#define CHUNK 65536u

/* The kernel tells times to a tick. */
#define TICK (10 * ASSAY_MS)

int64_t assay_play_since(const struct assay_play_run *r, int64_t at)
{
    return at ? at - TICK : r->stage->before;
}

/* A target may go on sending what nobody waits for, say that it is there: that wears patience out all the same. */
static void look_for_progress(struct assay_play_run *r, const struct assay_link *l, int64_t before)
{
    uint32_t lacking = l->wire.datagrams ? assay_oracle_owed(r->oracle, l->index).lacking : 0;
    bool fewer = !l->wire.datagrams || lacking < r->lacking;
    if (fewer)
        r->lacking = lacking;
    if (fewer || !r->stuck_at)
        r->stuck_at = fewer ? 0 : before;
}

void assay_play_saw_bytes(struct assay_play_run *r, struct assay_link *l, struct assay_span bytes)
{
    int64_t now = assay_clock_now(), before = assay_play_last_progress(r);
    if (l->asked_at)
        assay_pace_sample(&r->stage->pace, now - l->asked_at);
    l->asked_at = 0;
    r->progress_at = now;
    r->play.outcome.saw_any = true;
    assay_play_note(r, l, ASSAY_SAW_BYTES, bytes);
    if (r->questioned) {
        r->play.outcome.slow = r->stage->slow = true;
        assay_play_disagree(r, l, ASSAY_FOUND_LATE);
        return;
    }
    if (!r->oracle) {
        assay_play_keep(l, bytes);
        return;
    }
    assay_oracle_time(r->oracle, now);
    if (!assay_oracle_received(r->oracle, l->index, bytes))
        assay_play_disagree(r, l, ASSAY_FOUND_MISMATCH);
    else
        look_for_progress(r, l, before);
}

static void saw_end(struct assay_play_run *r, struct assay_link *l)
{
    if (l->done)
        return;
    bool fin = l->wire.state == ASSAY_WIRE_FIN;
    int64_t now = assay_clock_now(), quiet = fin ? assay_connection_quiet(l->wire.watch.fd) : 0;
    if (l->asked_at && fin)
        assay_pace_sample(&r->stage->pace, now - l->asked_at);
    l->asked_at = 0;
    r->progress_at = now;
    assay_pace_late(&r->stage->pace, now, quiet);
    assay_play_link_over(r, l, assay_play_since(r, fin ? now - quiet : 0));
    l->done = true;
    assay_play_note(r, l, fin ? ASSAY_SAW_FIN : ASSAY_SAW_RST, (struct assay_span){0});
    if (!r->oracle)
        return;
    assay_oracle_time(r->oracle, now);
    if (r->questioned) {
        assay_play_disagree(r, l, ASSAY_FOUND_LATE);
        return;
    }
    if (r->leaving) /* it was told to end */
        return;
    if (fin ? assay_oracle_fin(r->oracle, l->index) : assay_oracle_rst(r->oracle, l->index))
        return;
    r->play.outcome.by_end = true;
    assay_play_disagree(r, l, ASSAY_FOUND_MISMATCH);
}

static void read_datagrams(struct assay_play_run *r, struct assay_link *l)
{
    static uint8_t datagram[ASSAY_DATAGRAM_MAX];
    uint32_t n;
    while (!r->play.over && assay_wire_receive_datagram(&l->wire, datagram, &n))
        assay_play_saw_bytes(r, l, (struct assay_span){datagram, n});
    if (r->play.over || l->wire.state != ASSAY_WIRE_REFUSED)
        return;
    if (r->guest) /* it has closed its socket: nothing of what it is sent reaches it */
        assay_play_link_over(r, l, r->stage->before);
    else
        assay_play_no_connection(r, l);
}

void assay_play_read(struct assay_play_run *r, struct assay_link *l)
{
    if (l->wire.datagrams) {
        read_datagrams(r, l);
        return;
    }
    static uint8_t chunk[CHUNK]; /* one thread, and nothing in it outlives the call */
    uint32_t n;
    while (!r->play.over && (n = assay_wire_receive(&l->wire, chunk, CHUNK)) > 0)
        assay_play_saw_bytes(r, l, (struct assay_span){chunk, n});
    if (!r->play.over && (l->wire.state == ASSAY_WIRE_FIN || l->wire.state == ASSAY_WIRE_RST))
        saw_end(r, l);
}

void assay_play_no_connection(struct assay_play_run *r, const struct assay_link *l)
{
    if (l->wire.why == ECONNREFUSED || l->wire.why == ECONNRESET)
        assay_play_finish(r, ASSAY_FOUND_REFUSED);
    else
        assay_play_trouble(r, "no connection", l->wire.why);
}

void assay_play_link_up(struct assay_play_run *r, struct assay_link *l)
{
    r->connected++;
    r->play.outcome.came = true;
    l->arrived = true;
    r->progress_at = assay_clock_now();
    assay_play_note(r, l, r->guest ? ASSAY_SAW_CONNECTION : ASSAY_DID_CONNECT, (struct assay_span){0});
    if (r->oracle)
        assay_oracle_connect(r->oracle, l->index, r->progress_at);
}

static void saw_connection(struct assay_play_run *r, struct assay_link *l)
{
    assay_wire_connected(&l->wire);
    if (l->wire.state == ASSAY_WIRE_REFUSED) {
        assay_play_no_connection(r, l);
        return;
    }
    assay_play_link_up(r, l);
}

void assay_play_link_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct assay_link *l = (struct assay_link *)(void *)((char *)watch - offsetof(struct assay_link, wire.watch));
    struct assay_play_run *r = l->run;
    (void)loop;
    if (l->wire.state == ASSAY_WIRE_CONNECTING)
        saw_connection(r, l);
    else if (events & ASSAY_WRITE)
        assay_wire_push(&l->wire);
    if (!r->play.over && events & (ASSAY_READ | ASSAY_GONE))
        assay_play_read(r, l);
    assay_play_advance(r);
}
