/* A file that records are appended to, durably, as if each were written at once.
 *
 * Records end in LF, and what a crash left behind the last LF is cut off when
 * the file is opened; or they are any bytes (`raw`). One process at a time has
 * it open: a lock sees to that, which opening waits for, one second at most.
 * Another process may read, rename or remove the file.
 */
#ifndef ASSAY_REF_SERVER_LOGFILE_H
#define ASSAY_REF_SERVER_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/address.h"

struct assay_logfile {
    int folder;       /* descriptor; the owner's */
    const char *name; /* in the folder; the owner's */
    int fd;
    int64_t size; /* up to here records are whole */
    bool raw;
    bool torn; /* bytes behind `size` could not be cut off yet */
};

/* Open or create. *repaired: bytes that were cut off; NULL: it is raw. False: *error says why. */
bool assay_logfile_open(struct assay_logfile *log, int folder, const char *name, size_t *repaired,
                        struct assay_net_error *error);

/* Open the name anew: after a rotation it is another file. When that fails the old one goes on. */
bool assay_logfile_reopen(struct assay_logfile *log, struct assay_net_error *error);

/* Append bytes; not durable before the sync. False: nothing was appended (errno says why). */
bool assay_logfile_write(struct assay_logfile *log, const void *bytes, size_t size);

/* Make all that was appended durable. False: what was appended since the last
 * good sync (which left the file `from` bytes long) is cut off again. */
bool assay_logfile_sync(struct assay_logfile *log, int64_t from);

/* Cut off what was written since the file was `from` bytes long. */
void assay_logfile_take_back(struct assay_logfile *log, int64_t from);

void assay_logfile_close(struct assay_logfile *log);

#endif
