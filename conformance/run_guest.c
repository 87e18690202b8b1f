/* A client that never comes: found out before anything is judged. */
#include <string.h>

#include "conformance/describe.h"
#include "conformance/run.h"

#define TRIALS 3 /* cases in which a client's program ends before it connects: then it always does */

/* The last line that it wrote to its standard error. */
static void last_words(struct assay_text *text, const char *said)
{
    size_t n = said ? strlen(said) : 0;
    while (n && (said[n - 1] == '\n' || said[n - 1] == '\r'))
        n--;
    size_t from = n;
    while (from && said[from - 1] != '\n')
        from--;
    if (n > from)
        assay_text_add(text, ", and said: %.*s", n - from < 100 ? (int)(n - from) : 100, said + from);
}

static void describe_stillborn(const struct assay_run_now *r, const struct assay_played *p,
                               struct assay_net_error *error)
{
    static const char *const expected[] = {
        [ASSAY_UPPER_LINES] = "that connects to {address} when its standard input says `connect`",
        [ASSAY_UPPER_TERMINAL] = "that stays, and connects to {peer_host} and {peer_port} when it is typed to",
        [ASSAY_UPPER_EXIT] = "that connects to {address} by itself",
    };
    struct assay_text text = {error->text, sizeof error->text, 0};
    const struct assay_guest_plan *guest = r->o->guest;
    assay_text_add(&text, "exec:%.80s ends each time before it connects: %s", guest->command, p->trouble);
    last_words(&text, p->said);
    assay_text_add(&text, "; expected: a program %s%s", expected[guest->way],
                   strchr(guest->command, '{') ? "" : " (the command has no {address})");
}

/* Before anything is judged: false if its program does not get so far as to connect, whichever case it is for. */
bool assay_run_guest_comes(struct assay_run_now *r, struct assay_net_error *error)
{
    bool stillborn = false;
    for (size_t i = 0, n = 0; i < assay_run_cases(r) && n < TRIALS && !r->interrupted; i++) {
        if (!assay_run_can_be_told(r, &r->suite->cases[i]))
            continue;
        n++;
        struct assay_play *play = assay_play_start(&r->stage, &r->suite->cases[i], false);
        int64_t until = assay_clock_now() + assay_pace_patience(&r->stage.pace);
        while (play && !play->over && !play->outcome.came && !r->interrupted && assay_clock_now() < until)
            assay_loop_round(r->stage.loop, until);
        stillborn = play && play->over && play->outcome.stillborn;
        if (stillborn)
            describe_stillborn(r, &play->outcome, error);
        assay_play_free(play);
        if (!stillborn)
            break;
    }
    return !stillborn;
}
