/* Rows of logs for the sessions that follow them, on the loop's side of the store.
 *
 * The newest `keep` rows of each log that were added since the start stand in memory. Older ones are fetched in chunks,
 * of which some are kept, so that sessions that read the same part share the reading, and memory stays bounded however
 * long a log is. */
#ifndef ASSAY_REF_SERVER_HISTORY_H
#define ASSAY_REF_SERVER_HISTORY_H

#include "ref-server/store.h"

struct assay_chunk;
struct assay_service;
struct assay_shard;

/* The newest rows of a log, as a ring: at most `keep`, and all logs' together no more bytes than limits.memory. */
struct assay_recent {
    struct assay_span *rows;
    uint32_t keep, chunk; /* older rows are fetched so many at once */
    uint64_t bytes, most; /* all together */
    uint64_t first, end;  /* numbers */
    uint64_t told;        /* rows that the engines know of */
};

#define ASSAY_CHUNK_BUCKETS 256u

struct assay_history {
    struct assay_alarm retry; /* first: of what could not be read */
    struct assay_shard *shard;
    struct assay_recent *recent; /* by log; NULL: there are no logs */
    struct assay_chunk *chunks[ASSAY_CHUNK_BUCKETS];
    struct assay_chunk *queue, *queue_last; /* to be read */
    size_t chunks_kept, reads;              /* here; on their way */
    uint64_t uses;
};

/* After the shard's services and before its run: gives the engines what the store has kept. */
bool assay_history_open(struct assay_shard *shard, struct assay_net_error *error);
void assay_history_close(struct assay_shard *shard);

/* A batch of writes came back: have the engines know of new rows. Before its jobs are completed. */
void assay_history_wrote(struct assay_shard *shard, const struct assay_batch *batch);

/* A fetch came back; the batch is the history's from now on. */
void assay_history_fetched(struct assay_shard *shard, struct assay_batch *batch);

/* Give rows to all sessions that can take some. */
void assay_history_feed(struct assay_shard *shard);

/* A session that had no room for rows may have some now. */
void assay_history_resume(struct assay_conn *conn);

#endif
