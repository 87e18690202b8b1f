/* The upper interface of a client in a play: what its program is told, and what it tells. */
#include <stdlib.h>
#include <string.h>

#include "conformance/play_run.h"

static enum assay_upper_way way_of(const struct assay_play_run *r)
{
    return r->stage->guest->way;
}

bool assay_play_upper_shown(const struct assay_play_run *r)
{
    return assay_play_on_screen(r) || (r->guest && way_of(r) == ASSAY_UPPER_LINES);
}

/* ---- telling ----------------------------------------------------------- */

static void tell(struct assay_play_run *r, const struct assay_link *l, const char *text, size_t n)
{
    bool line_end = n && text[n - 1] == '\n';
    assay_play_note(r, l, ASSAY_DID_TELL, (struct assay_span){(const uint8_t *)text, (uint32_t)(n - line_end)});
    r->progress_at = assay_clock_now();
    assay_guest_tell(r->guest, text, n);
}

void assay_play_upper_connect(struct assay_play_run *r)
{
    static const char order[] = "connect\n";
    if (way_of(r) != ASSAY_UPPER_LINES)
        return;
    r->connects++;
    tell(r, &r->links[0], order, sizeof order - 1);
}

void assay_play_upper_call(struct assay_play_run *r, const struct assay_link *l, const struct assay_step *s)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    if (!f)
        return;
    if (way_of(r) == ASSAY_UPPER_LINES)
        assay_lines_call(r->stage->model, s->call, s->values, s->spans, f);
    else
        assay_terminal_call(r->stage->model, r->stage->guest->terminal, s->call, s->values, s->spans, f);
    fclose(f);
    if (r->calls_count < ASSAY_CALLS_TOLD)
        r->calls[r->calls_count++] = (struct assay_told_call){s->call, l->index};
    tell(r, l, text, n);
    free(text);
    int64_t within = r->stage->model->calls[s->call].within, at = assay_clock_now() + within / 2;
    if (within > 0 && (r->hasty_at == 0 || at < r->hasty_at))
        r->hasty_at = at;
}

/* A call that was told has had half its time: what is found now may be its end, which came a little early or late. */
bool assay_play_upper_late(const struct assay_play_run *r)
{
    return r->hasty_at && assay_clock_now() >= r->hasty_at;
}

/* ---- hearing ----------------------------------------------------------- */

/* The link of the oldest call of that name that runs, which ends with this; NULL: none does. */
static struct assay_link *end_call(struct assay_play_run *r, uint16_t call)
{
    for (size_t i = 0; i < r->calls_count; i++) {
        if (r->calls[i].call != call)
            continue;
        struct assay_link *l = &r->links[r->calls[i].link];
        r->calls_count--;
        memmove(&r->calls[i], &r->calls[i + 1], (r->calls_count - i) * sizeof r->calls[0]);
        return l;
    }
    return NULL;
}

/* The machine works for the link that came last. */
static struct assay_link *newest(struct assay_play_run *r)
{
    uint8_t i = r->links_count;
    while (i > 1 && !r->links[i - 1].arrived)
        i--;
    return &r->links[i - 1];
}

static void hear_upper(struct assay_play_run *r, const struct assay_upper *seen)
{
    const char *name = r->stage->model->calls_count && seen->kind != ASSAY_UPPER_EFFECT
                           ? r->stage->model->calls[seen->index].name
                           : "";
    struct assay_link *l = seen->kind == ASSAY_UPPER_EFFECT ? newest(r) : end_call(r, seen->index);
    if (!l) {
        assay_play_broken(r, false, "it tells how the call %s ended, which does not run", name);
        return;
    }
    int64_t now = assay_clock_now();
    if (l->asked_at)
        assay_pace_sample(&r->stage->pace, now - l->asked_at);
    l->asked_at = 0;
    r->play.outcome.saw_any = true;
    if (!r->oracle)
        return;
    assay_oracle_time(r->oracle, now);
    if (!assay_oracle_upper(r->oracle, l->index, seen))
        assay_play_disagree(r, l, ASSAY_FOUND_MISMATCH);
}

/* A reset may come before it has seen that it is connected; what was refused may be told when nothing is any more. */
static void hear_unreachable(struct assay_play_run *r)
{
    if (r->refusing)
        return;
    if (r->excuses)
        r->excuses--;
    else
        r->unreachable = true;
}

static void hear_line(struct assay_play_run *r, char *line, size_t n)
{
    struct assay_heard heard;
    assay_play_note(r, newest(r), ASSAY_SAW_TOLD, (struct assay_span){(const uint8_t *)line, (uint32_t)n});
    assay_lines_read(r->stage->model, line, n, &heard);
    switch (heard.kind) {
    case ASSAY_HEARD_CONNECTED:
        r->answered++;
        break;
    case ASSAY_HEARD_UNREACHABLE:
        r->answered++;
        hear_unreachable(r);
        break;
    case ASSAY_HEARD_ENDED:
        break;
    case ASSAY_HEARD_UPPER:
        hear_upper(r, &heard.upper);
        break;
    case ASSAY_HEARD_NONSENSE:
        assay_play_broken(r, false, "%s", heard.why);
        break;
    }
    assay_heard_free(&heard);
}

void assay_play_upper_said(struct assay_play_run *r)
{
    size_t n;
    r->progress_at = assay_clock_now();
    r->stuck_at = 0;
    if (way_of(r) != ASSAY_UPPER_LINES)
        return;
    for (char *line; !r->play.over && (line = assay_guest_line(r->guest, &n));)
        hear_line(r, line, n);
    if (r->play.over || !r->guest->gone || assay_guest_rest(r->guest).n == 0)
        return;
    assay_play_broken(r, false, "it ended in the middle of a line");
}
