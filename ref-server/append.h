/* The thread that appends: it takes what all loops have queued, writes it with
 * one write and one sync for each file, and only then says done. */
#ifndef ASSAY_REF_SERVER_APPEND_H
#define ASSAY_REF_SERVER_APPEND_H

#include "ref-server/jobs.h"
#include "ref-server/logfile.h"

/* What a binding names: a file of the data folder, or a stream that nothing is promised about. */
struct assay_sink {
    struct assay_sink *next;
    char *name;
    int stream; /* descriptor; -1: `log` */
    struct assay_logfile log;
    struct assay_batch *batches; /* of the current group */
};

struct assay_appender {
    struct assay_worker worker;
    struct assay_sink *sinks;
    uint8_t *buffer; /* of a group */
    size_t cap;
};

/* The sink of a file, opened once; NULL: *error says why. Before the start. `raw`: see logfile.h. */
struct assay_sink *assay_appender_file(struct assay_appender *appender, int folder, const char *name, bool raw,
                                       struct assay_net_error *error);
struct assay_sink *assay_appender_stream(struct assay_appender *appender, int fd, struct assay_net_error *error);

/* Zero-initialised, with its sinks. The thread runs only if there are any. */
bool assay_appender_start(struct assay_appender *appender);
void assay_appender_stop(struct assay_appender *appender);

#endif
