/* stdout or stderr, written to by one thread, whether somebody reads it or not.
 *
 * A stream waits for its reader, as long as it is told to: when that patience
 * is over it gives up, and nothing more is written to it. */
#ifndef ASSAY_REF_SERVER_STREAM_H
#define ASSAY_REF_SERVER_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASSAY_STREAM_FOR_EVER INT64_MAX

struct assay_stream {
    int fd;       /* that it was opened for; -1: not open */
    int out;      /* that is written to: `fd`, or the same pipe or terminal, non-blocking */
    int changed;  /* patience has */
    size_t piece; /* what one write may take without blocking once there is room */
    bool given_up;
    uint64_t written;
    _Atomic int64_t patience; /* ns without any progress */
};

/* False: no descriptors. */
bool assay_stream_open(struct assay_stream *stream, int fd);
void assay_stream_close(struct assay_stream *stream);

/* False: it gave up, or cannot be written to; `written` tells how far that went. */
bool assay_stream_write(struct assay_stream *stream, const void *bytes, size_t size);

/* How long to wait for the reader from now on. From any thread and signal handler. */
void assay_stream_wait(struct assay_stream *stream, int64_t patience);

#endif
