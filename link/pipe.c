#include "link/pipe.h"

#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "net/socktable.h"
#include "net/socket.h"

/* Steps before others have their turn. */
#define STEPS 16

/* How long a receiver is waited for that does not read; then the next piece runs into what it left. Long enough for
 * one that reads, but has no processor just now. */
#define PROOF_MAX (5 * ASSAY_SECOND)

/* The socket table is looked at at once this often, then after pauses that
 * double: many receivers that do not read must not take the time of the others. */
#define LOOKS_AT_ONCE 3u
#define PAUSE_MIN     ((int64_t)30000)
#define PAUSE_MAX     (100 * ASSAY_MS)

/* How often the kernel is asked whether it got rid of what came before a reset. */
#define FLUSH_PAUSE ASSAY_MS

/* A limit of bandwidth lets this part of a second's bytes through at a time. */
#define PARTS 50u

enum step { STUCK, ONWARD, AGAIN, BREAK };

void assay_link_pipe_init(struct assay_link_pipe *pipe, struct assay_link *link, uint32_t connection,
                          enum assay_link_direction direction, struct assay_link_end_point *from,
                          struct assay_link_end_point *to)
{
    *pipe = (struct assay_link_pipe){.link = link, .from = from, .to = to, .direction = direction};
    assay_link_cursor_init(&pipe->cursor, link->config->faults, connection, direction);
}

/* ---- buffers ----------------------------------------------------------- */

static bool take_buffer(struct assay_link_pipe *p)
{
    struct assay_link *link = p->link;
    if (!p->buffer)
        p->buffer = link->spare_count > 0 ? link->spare[--link->spare_count] : malloc(ASSAY_LINK_BUFFER);
    return p->buffer != NULL;
}

static void give_buffer(struct assay_link_pipe *p)
{
    struct assay_link *link = p->link;
    if (p->buffer && link->spare_count < ASSAY_LINK_SPARE)
        link->spare[link->spare_count++] = p->buffer;
    else
        free(p->buffer);
    p->buffer = NULL;
    p->start = p->size = 0;
    p->released = 0;
}

void assay_link_pipe_close(struct assay_link_pipe *pipe)
{
    assay_loop_cancel(pipe->link->loop, &pipe->alarm);
    give_buffer(pipe);
}

/* Bytes that fit behind those held, which are moved to the front when that is worth it. */
static size_t room(struct assay_link_pipe *p)
{
    size_t behind = ASSAY_LINK_BUFFER - p->start - p->size;
    if (p->start == 0 || behind >= ASSAY_LINK_BUFFER / 4)
        return behind;
    memmove(p->buffer, p->buffer + p->start, p->size);
    p->start = 0;
    return ASSAY_LINK_BUFFER - p->size;
}

/* ---- taking ------------------------------------------------------------ */

static void take(struct assay_link_pipe *p, size_t n)
{
    if (p->size == p->released)
        p->held_since = assay_loop_now(p->link->loop);
    p->size += n;
    p->link->count[p->direction].bytes += n;
    if (p->lost)
        give_buffer(p);
}

/* Whether anything came. */
static bool fill(struct assay_link_pipe *p)
{
    size_t cap;
    if (!p->from->readable || p->eof || p->broken || !take_buffer(p) || (cap = room(p)) == 0)
        return false;
    ssize_t n = assay_receive(p->from->watch.fd, p->buffer + p->start + p->size, cap);
    if (n > 0)
        take(p, (size_t)n);
    p->eof = n == ASSAY_IO_EOF && !p->from->was_reset;
    p->broken = n == ASSAY_IO_RESET || (n == ASSAY_IO_EOF && p->from->was_reset);
    p->from->readable = n != ASSAY_IO_AGAIN;
    if (p->size == 0)
        give_buffer(p);
    return n != ASSAY_IO_AGAIN;
}

/* ---- proof that the receiver has read ----------------------------------- */

static void wait_until(struct assay_link_pipe *p, int64_t at)
{
    assay_loop_alarm(p->link->loop, &p->alarm, at);
}

static void begin_proof(struct assay_link_pipe *p)
{
    if (p->elsewhere || p->link->config->unproven || p->out == 0)
        return;
    p->proving = true;
    p->looks = 0;
    p->proving_since = assay_loop_now(p->link->loop);
}

static size_t unacknowledged(const struct assay_link_pipe *p)
{
    int n = 0;
    return ioctl(p->to->watch.fd, SIOCOUTQ, &n) < 0 || n < 0 ? 0 : (size_t)n;
}

static bool was_read(struct assay_link_pipe *p)
{
    struct assay_far_end end = assay_socktable_find(p->link->table, &p->to->local, &p->to->peer);
    p->elsewhere = !end.found;
    if (!end.found || end.orphan)
        return true;
    /* An acknowledgement may be late by design, so that the receiver's own count is better. */
    bool arrived = end.arrived == ASSAY_FAR_UNKNOWN ? unacknowledged(p) == 0 : end.arrived >= p->out;
    return arrived && end.unread == 0;
}

static enum step prove(struct assay_link_pipe *p)
{
    int64_t now = assay_loop_now(p->link->loop);
    if (was_read(p)) {
        p->proving = false;
        return ONWARD;
    }
    if (now - p->proving_since > PROOF_MAX) {
        p->link->unread++;
        p->proving = false;
        return ONWARD;
    }
    if (p->looks++ < LOOKS_AT_ONCE)
        return AGAIN;
    unsigned shift = p->looks - LOOKS_AT_ONCE;
    int64_t pause = shift < 16 ? PAUSE_MIN << shift : PAUSE_MAX;
    wait_until(p, now + (pause < PAUSE_MAX ? pause : PAUSE_MAX));
    return STUCK;
}

/* ---- faults ------------------------------------------------------------ */

static void lose(struct assay_link_pipe *p)
{
    assay_shut(p->to->watch.fd);
    p->ended = p->lost = true;
    give_buffer(p);
}

static void apply(struct assay_link_pipe *p, const struct assay_link_fault *f)
{
    switch (f->kind) {
    case ASSAY_LINK_SPLIT:
        p->split = f->size;
        p->split_max = f->size_max;
        p->piece = 0;
        begin_proof(p);
        break;
    case ASSAY_LINK_CUT:
        begin_proof(p);
        break;
    case ASSAY_LINK_COALESCE:
        p->coalesce = f->size < ASSAY_LINK_BUFFER ? f->size : ASSAY_LINK_BUFFER;
        p->coalesce_span = f->span;
        p->released = 0;
        break;
    case ASSAY_LINK_STALL:
        p->rest_until = assay_clock_after(assay_loop_now(p->link->loop), f->span);
        break;
    case ASSAY_LINK_BANDWIDTH:
        p->bandwidth = f->size;
        break;
    case ASSAY_LINK_CLOSE:
        lose(p);
        break;
    case ASSAY_LINK_RESET:
        p->reset_due = true;
        begin_proof(p);
        break;
    case ASSAY_LINK_REFUSE:
    case ASSAY_LINK_DROP:
    case ASSAY_LINK_TRUNCATE:
    case ASSAY_LINK_CORRUPT:
    case ASSAY_LINK_DELAY:
    case ASSAY_LINK_SWAP:
    case ASSAY_LINK_DUPLICATE:
    case ASSAY_LINK_KINDS:
        return;
    }
    assay_link_done(p->link, f);
}

/* ---- passing on -------------------------------------------------------- */

static bool release(struct assay_link_pipe *p)
{
    int64_t due = assay_clock_after(p->held_since, p->coalesce_span);
    bool whole = p->size >= p->coalesce || p->eof || p->broken;
    if (p->coalesce == 0 || (p->released == 0 && (whole || assay_loop_now(p->link->loop) >= due)))
        p->released = p->size;
    if (p->released == 0 && p->size > 0)
        wait_until(p, due);
    return p->released > 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Bytes of the next write. */
static size_t next_size(struct assay_link_pipe *p)
{
    uint64_t n = least(p->released, assay_link_border(&p->cursor) - p->out);
    if (p->split > 0 && p->piece == 0)
        p->piece = assay_link_draw_between(&p->cursor, ASSAY_LINK_SPLIT, p->out, p->split, p->split_max);
    if (p->split > 0)
        n = least(n, p->piece);
    if (p->bandwidth > 0)
        n = least(n, p->bandwidth / PARTS + 1);
    return (size_t)n;
}

static void passed(struct assay_link_pipe *p, size_t n)
{
    int64_t now = assay_loop_now(p->link->loop);
    p->out += n;
    p->start += n;
    p->size -= n;
    p->released -= n;
    if (p->bandwidth > 0)
        p->rest_until = assay_clock_after(now > p->rest_until ? now : p->rest_until,
                                          (int64_t)((double)n / (double)p->bandwidth * (double)ASSAY_SECOND));
    if (p->split > 0 && (p->piece -= n) == 0)
        begin_proof(p);
    if (p->size == 0)
        give_buffer(p);
}

static enum step pass(struct assay_link_pipe *p)
{
    size_t n = next_size(p);
    if (!p->to->writable)
        return p->broken ? BREAK : STUCK;
    ssize_t sent = assay_send(p->to->watch.fd, p->buffer + p->start, n);
    if (sent > 0) {
        passed(p, (size_t)sent);
        return ONWARD;
    }
    p->to->writable = false;
    return sent == ASSAY_IO_AGAIN && !p->broken ? STUCK : BREAK;
}

/* Everything was passed on: the end follows. A reset waits until the kernel got rid of what came before it. */
static enum step finish(struct assay_link_pipe *p)
{
    if (p->broken && unacknowledged(p) > 0 && p->looks++ < PROOF_MAX / FLUSH_PAUSE) {
        wait_until(p, assay_loop_now(p->link->loop) + FLUSH_PAUSE);
        return STUCK;
    }
    if (p->broken)
        return BREAK;
    if (!p->eof)
        return STUCK;
    assay_shut(p->to->watch.fd);
    p->ended = true;
    return STUCK;
}

static enum step step(struct assay_link_pipe *p)
{
    struct assay_link_fault fault;
    if (p->ended)
        return p->broken ? BREAK : STUCK;
    if (p->proving)
        return prove(p);
    if (p->reset_due)
        return BREAK;
    if (assay_loop_now(p->link->loop) < p->rest_until) {
        wait_until(p, p->rest_until);
        return STUCK;
    }
    if (assay_link_next(&p->cursor, p->out, &fault)) {
        apply(p, &fault);
        return ONWARD;
    }
    if (release(p))
        return pass(p);
    return p->size == 0 ? finish(p) : STUCK;
}

enum assay_link_pumped assay_link_pump(struct assay_link_pipe *p)
{
    for (int i = 0; i < STEPS; i++) {
        bool came = fill(p);
        switch (step(p)) {
        case STUCK:
            if (!came)
                return ASSAY_LINK_WAITS;
            break;
        case ONWARD:
            break;
        case AGAIN:
            return ASSAY_LINK_MORE;
        case BREAK:
            return ASSAY_LINK_BROKE;
        }
    }
    return ASSAY_LINK_MORE;
}
