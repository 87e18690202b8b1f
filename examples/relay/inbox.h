/* Received messages as files of a folder, for relay: 000001, 000002, ... in the
 * order in which they were complete. A message that has not arrived whole is
 * `.part-N`, and is removed when its sender breaks off. */
#ifndef INBOX_H
#define INBOX_H

#include <assay_server.h>
#include <stdio.h>

#define INBOX_SENDERS 4096 /* at once, as the spec limits them */

struct inbox {
    const char *folder; /* NULL: there is none */
    unsigned long next;
    struct inbox_part {
        uint64_t session; /* 0: free */
        FILE *file;
    } parts[INBOX_SENDERS];
};

/* False: the folder cannot be made; said on stderr. */
int inbox_open(struct inbox *inbox, const char *folder);

/* Does the effects `gather`, `show` and `forget` (user: the inbox). One thread at a time. */
enum assay_server_answer inbox_keep(void *user, const struct assay_server_effect *effect,
                                    struct assay_server_order *order);

void inbox_close(struct inbox *inbox);

#endif
