/* What a target that listens shows at its terminal: the text of each link whole, different links in any order, and
 * nothing besides. */
#include <stdlib.h>
#include <string.h>

#include "conformance/describe.h"
#include "conformance/play_run.h"
#include "conformance/weave.h"

#define SHOWN_BYTES 256u

bool assay_play_on_screen(const struct assay_play_run *r)
{
    return r->stage->screen && r->place.target && r->oracle && !r->guest;
}

void assay_play_screen_begin(struct assay_play_run *r)
{
    if (assay_play_on_screen(r))
        assay_target_keep(r->place.target, ASSAY_STREAM_OUT);
}

/* What links have to show that was not seen yet. */
static struct assay_record pending(const struct assay_play_run *r, uint8_t i)
{
    struct assay_span all = assay_oracle_shown(r->oracle, i);
    uint32_t seen = r->links[i].shown < all.n ? r->links[i].shown : all.n;
    return (struct assay_record){.link = i, .bytes = {all.p ? all.p + seen : NULL, all.n - seen}};
}

static void blame_screen(struct assay_play_run *r, const struct assay_record *records, struct assay_span seen)
{
    struct assay_blame *b = &r->play.outcome.blame;
    char expected[sizeof b->expected], shown[sizeof r->play.outcome.trouble - 32];
    struct assay_text want = {expected, sizeof expected, 0}, got = {shown, sizeof shown, 0};
    assay_text_add(&want, "shown");
    for (uint8_t i = 0; i < r->links_count; i++)
        if (records[i].bytes.n) {
            assay_text_add(&want, " ");
            assay_show_quoted(&want, records[i].bytes, SHOWN_BYTES);
        }
    assay_text_add(&want, want.n == sizeof "shown" - 1 ? " nothing" : ", each whole");
    assay_show_quoted(&got, seen, SHOWN_BYTES);
    assay_play_broken(r, false, "it shows what it must not: %s", shown);
    memcpy(b->expected, expected, sizeof expected);
}

/* All that links have to show was seen: the oracle hears it, too. */
static void take(struct assay_play_run *r, const struct assay_record *records)
{
    for (uint8_t i = 0; i < r->links_count && !r->play.over; i++) {
        struct assay_upper text = {.kind = ASSAY_UPPER_TEXT, .count = 1, .spans = &records[i].bytes};
        if (records[i].bytes.n == 0)
            continue;
        r->links[i].shown += records[i].bytes.n;
        r->links[i].asked_at = 0;
        r->play.outcome.saw_any = true;
        if (!assay_oracle_upper(r->oracle, i, &text))
            assay_play_disagree(r, &r->links[i], ASSAY_FOUND_MISMATCH);
    }
}

bool assay_play_screen_look(struct assay_play_run *r)
{
    if (!assay_play_on_screen(r) || r->play.over)
        return !r->play.over;
    struct assay_span all = assay_target_wrote(r->place.target, ASSAY_STREAM_OUT);
    struct assay_span fresh = {all.p ? all.p + r->screen_at : NULL, all.n - r->screen_at};
    struct assay_record *records = calloc(r->links_count + 1u, sizeof *records);
    if (!records) {
        assay_play_trouble(r, "out of memory", 0);
        return false;
    }
    if (all.n != r->screen_seen)
        r->progress_at = assay_clock_now();
    r->screen_seen = all.n;
    for (uint8_t i = 0; i < r->links_count; i++)
        records[i] = pending(r, i);
    enum assay_sight sight = assay_weave(records, r->links_count, fresh);
    if (sight == ASSAY_SIGHT_OTHER) {
        assay_play_note(r, &r->links[0], ASSAY_SAW_TOLD, fresh);
        blame_screen(r, records, fresh);
    } else if (sight == ASSAY_SIGHT_SAME && fresh.n) {
        assay_play_note(r, &r->links[0], ASSAY_SAW_TOLD, fresh);
        r->screen_at = all.n;
        struct assay_record *copy = assay_records_copy(records, r->links_count);
        if (copy)
            take(r, copy);
        free(copy);
    }
    free(records);
    return !r->play.over;
}

enum assay_go assay_play_screen_still(struct assay_play_run *r)
{
    int64_t now = assay_clock_now();
    if (!assay_play_on_screen(r))
        return ASSAY_GO_ON;
    if (!assay_play_screen_look(r))
        return ASSAY_GO_WAIT;
    for (uint8_t i = 0; i < r->links_count; i++)
        if (pending(r, i).bytes.n)
            return assay_play_patience_is_over(r, now) ? assay_play_disagree(r, &r->links[i], ASSAY_FOUND_LATE)
                                                       : ASSAY_GO_WAIT;
    int64_t quiet = assay_play_last_progress(r) + assay_pace_quiet(&r->stage->pace, false);
    return now < quiet ? assay_play_wait_until(r, quiet) : ASSAY_GO_ON;
}

bool assay_play_unseen(const struct assay_play_run *r)
{
    bool any = false;
    for (uint8_t i = 0; i < r->links_count && r->oracle && !r->guest && !assay_play_on_screen(r); i++)
        any = any || assay_oracle_shown(r->oracle, i).n;
    return any;
}
