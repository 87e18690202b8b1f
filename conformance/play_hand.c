/* Cases by hand: there is no oracle, the case says what has to come. */
#include <stdlib.h>
#include <string.h>

#include "conformance/describe.h"
#include "conformance/play_run.h"

#define INBOX_MAX (1u << 20)

void assay_play_keep(struct assay_link *l, struct assay_span bytes)
{
    uint32_t need = l->inbox_size + bytes.n;
    if (need > l->inbox_cap && need <= INBOX_MAX) {
        uint8_t *bigger = realloc(l->inbox, need * 2);
        if (!bigger)
            return;
        l->inbox = bigger;
        l->inbox_cap = need * 2;
    }
    if (need > l->inbox_cap)
        return;
    memcpy(l->inbox + l->inbox_size, bytes.p, bytes.n);
    l->inbox_size = need;
}

/* By hand there is no oracle that knows what to say. */
enum assay_go assay_play_blame_by_hand(struct assay_play_run *r, const struct assay_link *l, enum assay_finding finding,
                                       const char *expected, struct assay_span bytes)
{
    struct assay_blame *b = &r->play.outcome.blame;
    struct assay_text want = {b->expected, sizeof b->expected, 0}, seen = {b->seen, sizeof b->seen, 0};
    struct assay_span inbox = {l->inbox, l->inbox_size};
    *b = (struct assay_blame){.rule = ASSAY_NONE, .req = ASSAY_NONE, .state = ASSAY_NONE, .level = r->play.c->level};
    assay_text_add(&want, "%s", expected);
    if (bytes.n)
        assay_describe(&want, r->stage->model, r->stage->oracle.leniencies, ASSAY_SERVER, bytes);
    if (inbox.n)
        assay_describe(&seen, r->stage->model, r->stage->oracle.leniencies, ASSAY_SERVER, inbox);
    if (l->wire.state == ASSAY_WIRE_FIN || l->wire.state == ASSAY_WIRE_RST)
        assay_text_add(&seen, "%s%s", inbox.n ? ", then " : "", l->wire.state == ASSAY_WIRE_FIN ? "FIN" : "RST");
    else if (!inbox.n)
        assay_text_add(&seen, "nothing");
    r->play.outcome.by_end = l->wire.state == ASSAY_WIRE_FIN || l->wire.state == ASSAY_WIRE_RST;
    return assay_play_disagree(r, l, finding);
}

enum assay_go assay_step_expect(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    struct assay_span want = {s->bytes.p, s->bytes.n};
    uint32_t n = l->inbox_size < want.n ? l->inbox_size : want.n;
    if (n && memcmp(l->inbox, want.p, n) != 0)
        return assay_play_blame_by_hand(r, l, ASSAY_FOUND_MISMATCH, "", want);
    if (n == want.n) {
        l->inbox_size -= n;
        memmove(l->inbox, l->inbox + n, l->inbox_size);
        return ASSAY_GO_ON;
    }
    if (assay_play_ended(l))
        return assay_play_blame_by_hand(r, l, ASSAY_FOUND_MISMATCH, "", want);
    return assay_play_patience_is_over(r, assay_clock_now())
               ? assay_play_blame_by_hand(r, l, ASSAY_FOUND_LATE, "", want)
               : ASSAY_GO_WAIT;
}

static const char *end_names(uint8_t ends)
{
    static const char *const names[] = {
        "", "FIN", "RST", "FIN or RST", "silence", "FIN or silence", "RST or silence", "FIN, RST or silence"};
    return names[ends & 7];
}

static uint8_t end_of(const struct assay_link *l)
{
    return l->wire.state == ASSAY_WIRE_FIN ? ASSAY_SEEN_FIN : l->wire.state == ASSAY_WIRE_RST ? ASSAY_SEEN_RST : 0;
}

enum assay_go assay_step_expect_end(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    const struct assay_span none = {0};
    if (l->inbox_size || (end_of(l) && !(end_of(l) & s->ends)))
        return assay_play_blame_by_hand(r, l, ASSAY_FOUND_MISMATCH, end_names(s->ends), none);
    if (end_of(l))
        return ASSAY_GO_ON;
    if (s->ends & ASSAY_SEEN_SILENCE)
        return assay_play_wait_quiet(r, l);
    bool late = assay_play_patience_is_over(r, assay_clock_now());
    return late ? assay_play_blame_by_hand(r, l, ASSAY_FOUND_LATE, end_names(s->ends), none) : ASSAY_GO_WAIT;
}
