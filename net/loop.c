#include "net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

_Static_assert((int)ASSAY_READ == EPOLLIN && (int)ASSAY_WRITE == EPOLLOUT && (int)ASSAY_GONE == (EPOLLERR | EPOLLHUP),
               "readiness bits are those of epoll");

#define BATCH 512

struct assay_loop {
    void *owner;
    int64_t now;
    void (*each_round)(struct assay_loop *);
    void (*on_wake)(struct assay_loop *);
    struct assay_alarm **heap; /* from 1 on: the parent of i is i / 2 */
    uint32_t alarms, heap_cap;
    int epoll, batch, next; /* events[next..batch) are still to be handled */
    bool hurry, coarse;
    atomic_bool woken, stop;
    struct assay_watch wake;
    struct epoll_event events[BATCH];
};

/* Its counter is never read: it is edge-triggered, so that each write counts anew. */
static void handle_wake(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)watch, (void)events;
    /* Cleared before the handler looks: what is handed over from now on wakes anew. */
    atomic_store(&loop->woken, false);
    if (loop->on_wake)
        loop->on_wake(loop);
}

struct assay_loop *assay_loop_new(void *owner)
{
    struct assay_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return NULL;
    loop->owner = owner;
    loop->now = assay_clock_now();
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = (struct assay_watch){.ready = handle_wake, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (loop->epoll < 0 || loop->wake.fd < 0 || !assay_loop_watch(loop, &loop->wake, ASSAY_READ | EPOLLET)) {
        assay_loop_free(loop);
        return NULL;
    }
    return loop;
}

void assay_loop_free(struct assay_loop *loop)
{
    if (!loop)
        return;
    if (loop->wake.fd >= 0)
        close(loop->wake.fd);
    if (loop->epoll >= 0)
        close(loop->epoll);
    free(loop->heap);
    free(loop);
}

void *assay_loop_owner(const struct assay_loop *loop)
{
    return loop->owner;
}
int64_t assay_loop_now(const struct assay_loop *loop)
{
    return loop->now;
}
unsigned assay_loop_handled(const struct assay_loop *loop)
{
    return (unsigned)loop->batch;
}
void assay_loop_hurry(struct assay_loop *loop)
{
    loop->hurry = true;
}
void assay_loop_each_round(struct assay_loop *loop, void (*fn)(struct assay_loop *))
{
    loop->each_round = fn;
}
void assay_loop_on_wake(struct assay_loop *loop, void (*fn)(struct assay_loop *))
{
    loop->on_wake = fn;
}

/* ---- descriptors ------------------------------------------------------- */

/* Events of this round that were reported already must not reach a removed watch. */
static void forget(struct assay_loop *loop, const struct assay_watch *watch)
{
    for (int i = loop->next; i < loop->batch; i++)
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
}

bool assay_loop_watch(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    if (watch->events == events)
        return true;
    int op = watch->events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    struct epoll_event e = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll, op, watch->fd, &e) < 0)
        return false;
    watch->events = events;
    if (events == 0)
        forget(loop, watch);
    return true;
}

void assay_loop_leave(struct assay_loop *loop, struct assay_watch *watch)
{
    watch->events = 0;
    forget(loop, watch);
}

/* ---- alarms: a binary heap --------------------------------------------- */

static void put(struct assay_loop *loop, uint32_t i, struct assay_alarm *alarm)
{
    loop->heap[i] = alarm;
    alarm->place = i;
}

static void sift_up(struct assay_loop *loop, uint32_t i, struct assay_alarm *alarm)
{
    for (; i > 1 && loop->heap[i / 2]->at > alarm->at; i /= 2)
        put(loop, i, loop->heap[i / 2]);
    put(loop, i, alarm);
}

static void sift_down(struct assay_loop *loop, uint32_t i, struct assay_alarm *alarm)
{
    for (uint32_t child; (child = 2 * i) <= loop->alarms; i = child) {
        if (child < loop->alarms && loop->heap[child + 1]->at < loop->heap[child]->at)
            child++;
        if (loop->heap[child]->at >= alarm->at)
            break;
        put(loop, i, loop->heap[child]);
    }
    put(loop, i, alarm);
}

static void place(struct assay_loop *loop, uint32_t i, struct assay_alarm *alarm)
{
    if (i > 1 && loop->heap[i / 2]->at > alarm->at)
        sift_up(loop, i, alarm);
    else
        sift_down(loop, i, alarm);
}

static bool grow(struct assay_loop *loop)
{
    if (loop->alarms + 1 < loop->heap_cap)
        return true;
    uint32_t cap = loop->heap_cap ? loop->heap_cap * 2 : 16;
    struct assay_alarm **heap = realloc(loop->heap, cap * sizeof *heap);
    if (!heap)
        return false;
    loop->heap = heap;
    loop->heap_cap = cap;
    return true;
}

bool assay_loop_alarm(struct assay_loop *loop, struct assay_alarm *alarm, int64_t at)
{
    if (alarm->place == 0 && !grow(loop))
        return false;
    alarm->at = at;
    place(loop, alarm->place ? alarm->place : ++loop->alarms, alarm);
    return true;
}

void assay_loop_cancel(struct assay_loop *loop, struct assay_alarm *alarm)
{
    uint32_t i = alarm->place;
    if (i == 0)
        return;
    alarm->place = 0;
    struct assay_alarm *last = loop->heap[loop->alarms--];
    if (last != alarm)
        place(loop, i, last);
}

static void fire_due(struct assay_loop *loop)
{
    while (loop->alarms > 0 && loop->heap[1]->at <= loop->now) {
        struct assay_alarm *alarm = loop->heap[1];
        assay_loop_cancel(loop, alarm);
        alarm->fire(loop, alarm);
    }
}

/* ---- rounds ------------------------------------------------------------ */

static int64_t next_deadline(const struct assay_loop *loop, int64_t until)
{
    return loop->alarms > 0 && loop->heap[1]->at < until ? loop->heap[1]->at : until;
}

/* Kernels before 5.11, and valgrind, know milliseconds only: rounded up, as nothing may come early. */
static int wait_span(struct assay_loop *loop, int64_t span)
{
    struct timespec exact = {.tv_sec = span / ASSAY_SECOND, .tv_nsec = span % ASSAY_SECOND};
    if (!loop->coarse) {
        int n = epoll_pwait2(loop->epoll, loop->events, BATCH, &exact, NULL);
        if (n >= 0 || errno != ENOSYS)
            return n;
        loop->coarse = true;
    }
    int64_t ms = span / ASSAY_MS + (span % ASSAY_MS > 0);
    return epoll_wait(loop->epoll, loop->events, BATCH, ms < INT32_MAX ? (int)ms : INT32_MAX);
}

static int wait_until(struct assay_loop *loop, int64_t until)
{
    bool hurry = loop->hurry;
    loop->hurry = false;
    until = next_deadline(loop, until);
    if (!hurry && until == ASSAY_CLOCK_NEVER)
        return epoll_wait(loop->epoll, loop->events, BATCH, -1);
    int64_t span = hurry ? 0 : until - assay_clock_now();
    return span > 0 ? wait_span(loop, span) : epoll_wait(loop->epoll, loop->events, BATCH, 0);
}

void assay_loop_round(struct assay_loop *loop, int64_t until)
{
    int n = wait_until(loop, until);
    loop->now = assay_clock_now();
    loop->batch = n > 0 ? n : 0;
    for (loop->next = 0; loop->next < loop->batch;) {
        struct epoll_event e = loop->events[loop->next++];
        struct assay_watch *watch = e.data.ptr;
        if (watch)
            watch->ready(loop, watch, e.events);
    }
    /* Input goes before alarms: what arrived in time is in time. */
    fire_due(loop);
    if (loop->each_round)
        loop->each_round(loop);
}

void assay_loop_run(struct assay_loop *loop)
{
    while (!atomic_load(&loop->stop))
        assay_loop_round(loop, ASSAY_CLOCK_NEVER);
}

void assay_loop_wake(struct assay_loop *loop)
{
    uint64_t one = 1;
    /* A full counter wakes as well, so the result does not matter. */
    if (!atomic_exchange(&loop->woken, true) && write(loop->wake.fd, &one, sizeof one) < 0)
        return;
}

void assay_loop_stop(struct assay_loop *loop)
{
    atomic_store(&loop->stop, true);
    assay_loop_wake(loop);
}

/* ---- signals ----------------------------------------------------------- */

int assay_signals_open(const int *signals)
{
    sigset_t set;
    sigemptyset(&set);
    for (; *signals; signals++)
        sigaddset(&set, *signals);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int assay_signals_next(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}
