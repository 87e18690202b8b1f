/* What went over the wire in one run of a case: for reports. */
#ifndef ASSAY_CONFORMANCE_EXCHANGE_H
#define ASSAY_CONFORMANCE_EXCHANGE_H

#include <stdio.h>

#include "core/value.h"

enum assay_happening {
    ASSAY_DID_CONNECT,
    ASSAY_DID_SEND,
    ASSAY_DID_SHUT,
    ASSAY_DID_RESTART, /* the target was killed and started again */
    ASSAY_DID_RESET,
    ASSAY_DID_TELL, /* the program above a client, on its standard input */
    ASSAY_DID_REFUSE,
    ASSAY_DID_WELCOME,
    ASSAY_SAW_BYTES,
    ASSAY_SAW_CONNECTION, /* a client made it */
    ASSAY_SAW_TOLD,       /* what the program wrote to its standard output */
    ASSAY_SAW_CLOSE,      /* FIN, and its process has closed the socket */
    ASSAY_SAW_SHUT,       /* FIN, but it still reads */
    ASSAY_SAW_FIN,        /* FIN; which of the two cannot be told from here */
    ASSAY_SAW_RST,
    ASSAY_SAW_NOTHING, /* silence, proven as far as a note says */
    ASSAY_HAPPENINGS,
};

struct assay_moment {
    int64_t at; /* ns since the case began */
    uint8_t what, link;
    uint32_t offset, size; /* in `bytes`; `size` is the true one even where bytes were left out */
};

/* Zero-initialised is empty. Bytes beyond ASSAY_EXCHANGE_KEPT are counted, not kept. */
#define ASSAY_EXCHANGE_KEPT (256u * 1024)
struct assay_exchange {
    struct assay_moment *moments;
    size_t count, cap;
    uint8_t *bytes;
    uint32_t used, bytes_cap;
};

void assay_exchange_add(struct assay_exchange *exchange, int64_t at, uint8_t link, enum assay_happening what,
                        struct assay_span bytes);
void assay_exchange_free(struct assay_exchange *exchange);

/* Its name as reports write it: "sent", "received", "FIN"... */
const char *assay_happening_name(enum assay_happening what);

/* The bytes of a moment that were kept. */
struct assay_span assay_exchange_bytes(const struct assay_exchange *exchange, const struct assay_moment *moment);

/* One line a moment: time, direction, bytes in hex and the messages in them. `target`: enum assay_role, of who received
 * what was sent. */
void assay_exchange_print(const struct assay_exchange *exchange, const struct assay_model *model, uint64_t leniencies,
                          uint8_t target, bool links, const char *indent, FILE *to);

#endif
