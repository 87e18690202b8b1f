/* What a client under test does by itself: it connects, again and again, works, and ends. */
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/describe.h"
#include "conformance/play_run.h"

#define IDLE_LEAST (200 * ASSAY_MS) /* less idleness tells nothing about what works in it */
#define IDLE_PART  4                /* a program that works more than this part of it does not wait, */
#define WANTS_PART 5                /* nor does one that wanted a processor for all but this part of it, */
#define WORK_LEAST (100 * ASSAY_MS) /* if that is more than it takes to be ended and to connect again */

enum assay_go assay_play_broken(struct assay_play_run *r, bool by_time, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->play.outcome.trouble, sizeof r->play.outcome.trouble, format, args);
    va_end(args);
    r->play.outcome.by_time |= by_time;
    return assay_play_finish(r, ASSAY_FOUND_BROKEN);
}

static int64_t start_patience(const struct assay_play_run *r)
{
    return assay_pace_start(&r->stage->pace);
}

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

/* ---- idleness ---------------------------------------------------------- */

/* Where others have the processors, it works little; but then it never stops wanting to. */
static bool is_busy(int64_t idle, int64_t used, int64_t waited)
{
    return used >= WORK_LEAST && (used >= idle / IDLE_PART || used + waited >= idle / WANTS_PART * (WANTS_PART - 1));
}

bool assay_play_guest_spins(struct assay_play_run *r)
{
    if (!r->guest || r->work.used < 0 || r->play.over)
        return false;
    struct assay_work now = assay_process_work(&r->guest->process);
    int64_t idle = assay_clock_now() - r->entered_at, used = now.used - r->work.used;
    if (idle < IDLE_LEAST || !is_busy(idle, used, now.waited - r->work.waited))
        return false;
    assay_play_broken(r, false, "it worked for %.0f ms of the %.0f ms in which it had only to wait", ms(used),
                      ms(idle));
    return true;
}

/* ---- connections ------------------------------------------------------- */

void assay_play_link_over(struct assay_play_run *r, struct assay_link *l, int64_t from)
{
    if (l->done)
        return;
    if (l->over_from == 0)
        l->over_from = from;
    l->over_by = assay_clock_now();
    l->over = true;
    if (r->oracle)
        assay_oracle_over(r->oracle, l->index, l->over_from, l->over_by);
}

static const struct assay_reconnect *policy(const struct assay_play_run *r)
{
    return &r->stage->model->machines[r->stage->oracle.machine].reconnect;
}

static bool comes_by_itself(const struct assay_play_run *r, const struct assay_link *l)
{
    return l->index > 0 && !l->called && policy(r)->pause != ASSAY_NONE;
}

static void expect_again(struct assay_blame *b, const struct assay_link *before, const struct assay_again *again)
{
    snprintf(b->expected, sizeof b->expected, "a connection from %.0f to %.0f ms after the end of the one before",
             ms(again->earliest - before->over_by), ms(again->latest - before->over_by));
}

/* A connection came that no order asked for. */
static bool in_time(struct assay_play_run *r, const struct assay_link *before, int64_t now)
{
    struct assay_blame *b = &r->play.outcome.blame;
    int64_t pause = now - before->over_from;
    if (!before->over) {
        assay_play_broken(r, false, "it made another connection while the first one was there");
        return false;
    }
    struct assay_again again = assay_oracle_again(r->oracle, before->index);
    if (!again.may && !again.must) {
        assay_play_broken(r, false, "it connected again, %.0f ms after its connection ended, which it must not",
                          ms(pause));
        return false;
    }
    if (now >= again.earliest)
        return true;
    assay_play_broken(r, true, "it connected again %.0f ms after its connection ended, %.0f ms too early", ms(pause),
                      ms(again.earliest - now));
    expect_again(b, before, &again);
    return false;
}

/* One more than the case has: it is let be. */
static void spare(struct assay_play_run *r, int fd)
{
    if (r->spare >= 0)
        close(r->spare);
    r->spare = fd;
}

/* Datagrams of one sender may come before its link has a socket of its own. */
static struct assay_link *link_of_sender(struct assay_play_run *r, int fd)
{
    struct assay_address peer = {.size = sizeof peer.v6};
    if (!r->stage->datagrams || getpeername(fd, &peer.any, &peer.size) < 0)
        return NULL;
    for (uint8_t i = 0; i < r->links_count; i++)
        if (r->links[i].arrived && assay_address_equal(&r->links[i].wire.far, &peer))
            return &r->links[i];
    return NULL;
}

static void take(struct assay_play_run *r, struct assay_link *l, int fd)
{
    int64_t now = assay_clock_now(), age = r->stage->datagrams ? 0 : assay_connection_age(fd);
    assay_pace_late(&r->stage->pace, now, age);
    if (r->oracle)
        assay_oracle_unsure(r->oracle, l->index, now - assay_play_since(r, now - age));
    l->wire.datagrams = r->stage->datagrams;
    assay_wire_take(&l->wire, r->stage->loop, fd);
}

static void arrived(struct assay_play_run *r, int fd)
{
    struct assay_link *same = link_of_sender(r, fd);
    if (same) {
        close(fd);
        assay_play_saw_bytes(r, same, r->guest->first);
        return;
    }
    uint8_t i = 0;
    while (i < r->links_count && r->links[i].arrived)
        i++;
    struct assay_link *l = i < r->links_count ? &r->links[i] : NULL;
    if (i > 0 && r->links[i - 1].wire.state == ASSAY_WIRE_OPEN)
        assay_play_read(r, &r->links[i - 1]); /* its end may be there, unseen */
    if (r->play.over) {
        close(fd);
        return;
    }
    bool by_itself = i > 0 && r->oracle && (!l || !(l->called || (l->awaited && !comes_by_itself(r, l))));
    if (r->leaving || (by_itself && !in_time(r, &r->links[i - 1], assay_clock_now()))) {
        close(fd);
        return;
    }
    if (!l) {
        spare(r, fd);
        return;
    }
    take(r, l, fd);
    assay_play_link_up(r, l);
    if (r->stage->datagrams && !r->play.over)
        assay_play_saw_bytes(r, l, r->guest->first);
}

static enum assay_go never_came(struct assay_play_run *r, const struct assay_link *l, const struct assay_again *again)
{
    struct assay_blame *b = &r->play.outcome.blame;
    if (!comes_by_itself(r, l))
        return assay_play_broken(r, true, "it did not connect");
    if (!again->must)
        return ASSAY_GO_ON;
    const struct assay_link *before = &r->links[l->index - 1];
    r->play.outcome.link = before->index;
    assay_play_broken(r, true, "it did not connect again within %.0f ms of the end of its connection",
                      ms(again->latest - before->over_by));
    expect_again(b, before, again);
    return ASSAY_GO_WAIT;
}

static enum assay_go wait_for_link(struct assay_play_run *r, struct assay_link *l)
{
    struct assay_again again = {0};
    int64_t now = assay_clock_now(), by = r->entered_at + start_patience(r);
    if (r->unreachable)
        return assay_play_broken(r, false, "it calls its address unreachable, which takes connections");
    if (comes_by_itself(r, l)) {
        assay_oracle_time(r->oracle, now);
        again = assay_oracle_again(r->oracle, (uint8_t)(l->index - 1));
        if (again.must)
            by = assay_clock_after(again.latest, assay_pace_quiet(&r->stage->pace, false));
    }
    return now >= by ? never_came(r, l, &again) : assay_play_wait_until(r, by);
}

/* What became of an order to connect has to be told. */
static enum assay_go wait_for_word(struct assay_play_run *r)
{
    int64_t by = r->entered_at + start_patience(r);
    if (r->answered >= r->connects)
        return ASSAY_GO_ON;
    if (assay_clock_now() >= by)
        return assay_play_broken(r, true, "%s",
                                 r->stage->datagrams ? "it was told to connect, and does not say what came of it"
                                                     : "it connected, and does not say so");
    return assay_play_wait_until(r, by);
}

enum assay_go assay_play_guest_there(struct assay_play_run *r, struct assay_link *l)
{
    if (!l->awaited && !l->arrived && !l->called && !comes_by_itself(r, l))
        assay_play_upper_connect(r);
    l->awaited = true;
    if (l->arrived)
        return wait_for_word(r);
    return wait_for_link(r, l);
}

/* ---- its end ----------------------------------------------------------- */

static bool is_through(const struct assay_play_run *r)
{
    bool finished = false;
    for (uint8_t i = 0; i < r->links_count && r->oracle; i++)
        if (r->links[i].arrived)
            finished = assay_oracle_again(r->oracle, i).finished;
    return finished;
}

static bool ended_well(const struct assay_play_run *r)
{
    int status = r->guest->process.status;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool all_over(const struct assay_play_run *r)
{
    bool over = r->step == r->play.c->step_count;
    for (uint8_t i = 0; i < r->links_count; i++)
        over = over && (!r->links[i].arrived || r->links[i].over);
    return over;
}

static void ended_by_itself(struct assay_play_run *r)
{
    bool permitted = r->stage->guest->way == ASSAY_UPPER_EXIT ? is_through(r) : all_over(r);
    if (!permitted || !ended_well(r))
        assay_play_broken(r, false, "the program ended by itself: %s", r->guest->process.end);
}

static void ended(struct assay_play_run *r)
{
    for (uint8_t i = 0; i < r->links_count && !r->play.over; i++)
        if (r->links[i].arrived)
            assay_play_read(r, &r->links[i]);
    if (!r->play.over)
        assay_play_upper_said(r);
    r->left = true;
    r->play.outcome.stillborn = !r->play.outcome.came && !r->leaving;
    if (!r->play.over && !r->leaving)
        ended_by_itself(r);
}

static enum assay_go wait_for_end(struct assay_play_run *r, const char *although)
{
    int64_t by = r->entered_at + start_patience(r);
    if (assay_clock_now() < by)
        return assay_play_wait_until(r, by);
    if (assay_play_guest_spins(r))
        return ASSAY_GO_WAIT;
    return assay_play_broken(r, true, "it does not end, although %s", although);
}

enum assay_go assay_play_guest_leave(struct assay_play_run *r)
{
    bool by_itself = r->stage->guest->way == ASSAY_UPPER_EXIT;
    if (by_itself && !is_through(r))
        return ASSAY_GO_ON;
    if (!r->leaving) {
        r->leaving = true;
        r->entered_at = assay_clock_now();
        r->work = assay_process_work(&r->guest->process);
        if (!by_itself)
            assay_guest_leave(r->guest);
    }
    if (!r->left)
        return wait_for_end(r, by_itself ? "its machine is through" : "its standard input has");
    return ended_well(r) ? ASSAY_GO_ON
                         : assay_play_broken(r, false, "the program ended badly: %s", r->guest->process.end);
}

/* ---- steps ------------------------------------------------------------- */

/* Over datagrams the client has its link before anything shows of it; then its call makes that show. */
static enum assay_go be_ready(struct assay_play_run *r, struct assay_link *l)
{
    if (!l->awaited)
        assay_play_upper_connect(r);
    l->awaited = true;
    if (wait_for_word(r) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    l->called = true;
    return ASSAY_GO_ON;
}

/* What came before a call has to have been read when it begins. */
enum assay_go assay_step_call(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    bool blind = false;
    l->called = l->called || r->stage->model->calls[s->call].opens != ASSAY_NONE;
    if (!l->called && (r->stage->datagrams ? be_ready(r, l) : assay_play_guest_there(r, l)) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    if (l->arrived && assay_play_wait_taken(r, l, &blind) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    int64_t now = assay_clock_now();
    l->asked_at = l->arrived ? now : 0; /* that it makes a link first, or even starts, is no round trip */
    if (r->oracle)
        assay_oracle_call(r->oracle, l->index, now, s->call, s->values, s->spans);
    assay_play_upper_call(r, l, s);
    return ASSAY_GO_ON;
}

enum assay_go assay_step_arrive(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    (void)s;
    if (assay_play_guest_there(r, l) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    return l->index && assay_play_guest_spins(r) ? ASSAY_GO_WAIT : ASSAY_GO_ON; /* the first time it had to start */
}

enum assay_go assay_step_refuse(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    (void)s;
    assay_play_note(r, l, ASSAY_DID_REFUSE, (struct assay_span){0});
    if (r->oracle)
        assay_oracle_refuse(r->oracle, assay_clock_now(), true);
    r->refusing = true;
    assay_guest_refuse(r->guest);
    return ASSAY_GO_ON;
}

enum assay_go assay_step_welcome(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    (void)s;
    if (!assay_guest_welcome(r->guest))
        return assay_play_trouble(r, "its port was lost while connections were refused", 0);
    assay_play_note(r, l, ASSAY_DID_WELCOME, (struct assay_span){0});
    r->refusing = false;
    r->excuses++;
    if (r->oracle)
        assay_oracle_refuse(r->oracle, assay_clock_now(), false);
    return ASSAY_GO_ON;
}

/* ---- start and news ---------------------------------------------------- */

static void news(struct assay_guest *guest, enum assay_guest_news what)
{
    struct assay_play_run *r = guest->owner;
    switch (what) {
    case ASSAY_GUEST_CONNECTED:
        arrived(r, guest->arrival);
        break;
    case ASSAY_GUEST_SAID:
        assay_play_upper_said(r);
        break;
    case ASSAY_GUEST_ENDED:
        ended(r);
        break;
    }
    if (!r->play.over)
        assay_play_advance(r);
}

bool assay_play_guest_start(struct assay_play_run *r)
{
    struct assay_net_error error = {""};
    r->spare = -1;
    r->guest = calloc(1, sizeof *r->guest);
    if (!r->guest) {
        assay_play_trouble(r, "out of memory", 0);
        return false;
    }
    r->guest->owner = r;
    r->guest->news = news;
    if (assay_guest_start(r->guest, r->stage->loop, r->stage->guest, &error))
        return true;
    assay_play_trouble(r, error.text, 0);
    return false;
}

void assay_play_guest_stop(struct assay_play_run *r)
{
    assay_guest_stop(r->guest);
    if (r->spare >= 0)
        close(r->spare);
    r->spare = -1;
}
