/* Observers: eyes for effects that the wire does not show.
 *
 * An observer shows everything that an effect has left behind by now: a file's content, what a command prints, or what
 * a target that was started here wrote to one of its own streams. What a case left behind is what it shows after the
 * case and did not show before it. Of effects that write lines (print, report) only lines count that such an effect is
 * known to leave; a number in parentheses may stand behind them.
 */
#ifndef ASSAY_CONFORMANCE_OBSERVE_H
#define ASSAY_CONFORMANCE_OBSERVE_H

#include "conformance/target.h"
#include "conformance/weave.h"

#define ASSAY_OBSERVERS_MAX 16

enum assay_observer_kind { ASSAY_EYE_FILE, ASSAY_EYE_COMMAND, ASSAY_EYE_STDOUT, ASSAY_EYE_STDERR };

struct assay_observer {
    char name[64];     /* of the effect */
    const char *place; /* the file, or the command after "cmd:" */
    uint8_t kind;      /* enum assay_observer_kind */
    bool lines;        /* the effect writes lines among which others may stand; the owner says so */
    uint64_t before;   /* what it showed when the case began, in bytes; of a stream it is forgotten instead */
    char **known;      /* lines that the effect leaves, in any case by now, each with its end */
    size_t known_count, known_cap;
};

struct assay_observers {
    struct assay_observer items[ASSAY_OBSERVERS_MAX];
    size_t count;
};

/* Add NAME=FILE, NAME=cmd:COMMAND, NAME=stdout, NAME=stderr,
 * or NAME=COMMAND where that has a blank and names no file. False: not of that form. */
bool assay_observer_add(struct assay_observers *observers, const char *text);
void assay_observer_remove(struct assay_observers *observers, size_t i);
void assay_observers_free(struct assay_observers *observers);

/* NULL: nobody watches that effect. */
struct assay_observer *assay_observer_find(struct assay_observers *observers, const char *name);

static inline bool assay_observer_is_stream(const struct assay_observer *observer)
{
    return observer->kind == ASSAY_EYE_STDOUT || observer->kind == ASSAY_EYE_STDERR;
}

/* The case begins: remember what is there. `target` is for streams. False: the observer cannot see. */
bool assay_observer_begin(struct assay_observer *observer, struct assay_target *target);

/* Compare what is new with the records. What is new stands in *seen (at most `cap` bytes of it) for the report; *seen_n
 * is its true size, or how much of it was read. */
enum assay_sight assay_observer_look(struct assay_observer *observer, struct assay_target *target,
                                     const struct assay_record *records, uint32_t count, uint8_t *seen, uint32_t cap,
                                     uint64_t *seen_n);

#endif
