/* An event loop: descriptors, alarms, wake-ups. One per thread; only
 * assay_loop_wake() and assay_loop_stop() may be called from other threads.
 *
 * Watches and alarms are parts of their owner's structs: the loop allocates
 * nothing for them and they must stay where they are while they are in it.
 * Handlers may add, change and remove any watch and alarm, their own too; after
 * a removal no handler is called for it any more, and it may be freed.
 */
#ifndef ASSAY_NET_LOOP_H
#define ASSAY_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/clock.h"

struct assay_loop;

/* Readiness, as a bit set; level-triggered. GONE (an error, or both directions
 * are closed) is reported whether asked for or not. */
enum assay_ready { ASSAY_READ = 0x001, ASSAY_WRITE = 0x004, ASSAY_GONE = 0x018 };

struct assay_watch {
    void (*ready)(struct assay_loop *loop, struct assay_watch *watch, unsigned events);
    int fd;          /* the owner's, who closes it after the removal */
    unsigned events; /* asked for; 0: not in the loop */
};

struct assay_alarm {
    void (*fire)(struct assay_loop *loop, struct assay_alarm *alarm);
    int64_t at;
    uint32_t place; /* the loop's; 0: not set */
};

/* NULL with errno: no resources. `owner` is handed back by assay_loop_owner(). */
struct assay_loop *assay_loop_new(void *owner);
void assay_loop_free(struct assay_loop *loop);
void *assay_loop_owner(const struct assay_loop *loop);

/* Ask for `events` of watch->fd; 0 takes it out. Nothing is done (no system
 * call) if that is so already. False with errno: the descriptor cannot be watched. */
bool assay_loop_watch(struct assay_loop *loop, struct assay_watch *watch, unsigned events);

/* Take out a watch whose descriptor is closed next (the kernel forgets it by itself then). */
void assay_loop_leave(struct assay_loop *loop, struct assay_watch *watch);

/* Call alarm->fire once, at or soon after `at`; a set alarm is moved. False: no memory. */
bool assay_loop_alarm(struct assay_loop *loop, struct assay_alarm *alarm, int64_t at);
void assay_loop_cancel(struct assay_loop *loop, struct assay_alarm *alarm);

/* When the current round began: sampled once, after each wait. */
int64_t assay_loop_now(const struct assay_loop *loop);

/* Called in each round after the handlers, before the wait. NULL: none.
 * assay_loop_handled() tells it how many descriptors were ready in the round;
 * after assay_loop_hurry() the next wait returns at once: it only looks
 * whether there is more, so that work can be put off to when there is not. */
void assay_loop_each_round(struct assay_loop *loop, void (*fn)(struct assay_loop *loop));
unsigned assay_loop_handled(const struct assay_loop *loop);
void assay_loop_hurry(struct assay_loop *loop);

/* Called in the loop's thread after assay_loop_wake(); several wake-ups may become one call. */
void assay_loop_on_wake(struct assay_loop *loop, void (*fn)(struct assay_loop *loop));
void assay_loop_wake(struct assay_loop *loop);

/* Wait for events, alarms or `until` and handle them: one round. */
void assay_loop_round(struct assay_loop *loop, int64_t until);

/* Rounds until assay_loop_stop(), which may have been called before. */
void assay_loop_run(struct assay_loop *loop);
void assay_loop_stop(struct assay_loop *loop);

/* A descriptor that is readable when one of `signals` (0 ends the list) came.
 * They are blocked in the calling thread and in those that it starts later. -1 with errno. */
int assay_signals_open(const int *signals);

/* The next signal that came, or 0. */
int assay_signals_next(int fd);

#endif
