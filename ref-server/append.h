/* The thread that appends: it takes what all loops have queued, writes it with
 * one write and one sync for each file, and only then says done. */
#ifndef ASSAY_REF_SERVER_APPEND_H
#define ASSAY_REF_SERVER_APPEND_H

#include "ref-server/jobs.h"
#include "ref-server/logfile.h"
#include "ref-server/stream.h"

struct assay_console;

/* What a binding names: a file of the data folder, or a stream that nothing is promised about. */
struct assay_sink {
    struct assay_sink *next;
    char *name;
    struct assay_stream stream; /* not open: `log` */
    struct assay_logfile log;
    bool failing;                       /* the last group was not all written: that was told */
    atomic_ullong lost;                 /* bytes that a stream did not take, as it gave up */
    struct assay_batch *batches, *last; /* of the current group */
};

struct assay_appender {
    struct assay_worker worker;
    struct assay_sink *sinks;
    struct assay_console *console; /* where it complains */
    uint8_t *buffer;               /* of a group */
    size_t cap;
    atomic_size_t said; /* bytes of assay_appender_say() that wait */
};

/* The sink of a file, opened once; NULL: *error says why. Before the start. `raw`: see logfile.h. */
struct assay_sink *assay_appender_file(struct assay_appender *appender, int folder, const char *name, bool raw,
                                       struct assay_net_error *error);
struct assay_sink *assay_appender_stream(struct assay_appender *appender, int fd, struct assay_net_error *error);

/* Write to a stream what no effect ordered, once it was started; from any thread. It never waits: what finds no room is
 * lost. */
void assay_appender_say(struct assay_appender *appender, struct assay_sink *sink, const void *bytes, size_t size);

/* Zero-initialised, with its sinks. The thread runs only if there are any. */
bool assay_appender_start(struct assay_appender *appender);
void assay_appender_stop(struct assay_appender *appender);

#endif
