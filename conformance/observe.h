/* Observers: eyes for effects that the wire does not show.
 *
 * An observer shows everything that an effect has left behind by now: a file's
 * content, or what a command prints. What a case left behind is what it shows
 * after the case and did not show before it.
 */
#ifndef ASSAY_CONFORMANCE_OBSERVE_H
#define ASSAY_CONFORMANCE_OBSERVE_H

#include "core/value.h"

#define ASSAY_OBSERVERS_MAX 16

struct assay_observer {
    char name[64];     /* of the effect */
    const char *place; /* the file, or the command after "cmd:" */
    bool command;
    uint64_t before; /* what it showed when the case began, in bytes */
};

struct assay_observers {
    struct assay_observer items[ASSAY_OBSERVERS_MAX];
    size_t count;
};

/* Add NAME=FILE, NAME=cmd:COMMAND,
 * or NAME=COMMAND where that has a blank and names no file. False: not of that form. */
bool assay_observer_add(struct assay_observers *observers, const char *text);

/* NULL: nobody watches that effect. */
struct assay_observer *assay_observer_find(struct assay_observers *observers, const char *name);

/* The case begins: remember what is there. False: the observer cannot see. */
bool assay_observer_begin(struct assay_observer *observer);

enum assay_sight {
    ASSAY_SIGHT_SAME,  /* exactly what was expected is new */
    ASSAY_SIGHT_PART,  /* a beginning of it: the rest may come */
    ASSAY_SIGHT_OTHER, /* something else */
    ASSAY_SIGHT_BLIND, /* the observer does not work */
};

/* Compare what is new with `expected`. What is new stands in *seen (at most
 * `cap` bytes of it) for the report; *seen_n is its true size. */
enum assay_sight assay_observer_look(struct assay_observer *observer, struct assay_span expected, uint8_t *seen,
                                     uint32_t cap, uint64_t *seen_n);

#endif
