/* The oracle: what a conforming target may do, given all that was done to it
 * and seen from it. It runs the model in lockstep and keeps a belief set: the
 * model states that agree with everything seen. It knows no sockets and no
 * clock: the same oracle judges a target over the network and a mutant on
 * memory pipes. One oracle serves one case.
 */
#ifndef ASSAY_CONFORMANCE_ORACLE_H
#define ASSAY_CONFORMANCE_ORACLE_H

#include "conformance/case.h"
#include "core/engine.h"

#define ASSAY_BELIEFS_MAX 64

struct assay_oracle;

struct assay_oracle_config {
    const struct assay_model *model;
    uint16_t machine;         /* that is judged, in model->machines; a client's or a server's */
    const assay_val *options; /* params of the target; NULL: the spec's defaults */
    uint64_t leniencies;
    uint64_t seed;
    struct assay_circumstance circumstance; /* that the target is known to be in; zero: the usual one */
    int64_t slack;                          /* how much later than it was sent something may be seen, ns */
    bool target;                            /* no judge: its world is that of a target in memory */
    bool unmarked;                          /* its secrets are as a target's own */
    int64_t call_timeout;                   /* of a client: what its calls may take, ns; 0: as the spec says */
    const struct assay_terminal *terminal;  /* the target is read at its terminal: effects show there as the spec says,
                                               results of calls do not; outlives the oracle. NULL: it is not */
};

/* NULL: out of memory. */
struct assay_oracle *assay_oracle_new(const struct assay_oracle_config *config, uint8_t links);
void assay_oracle_free(struct assay_oracle *oracle);

/* What the tester did, on its own clock (ns). For a client `connect` is what the target did: its connection arrived. */
void assay_oracle_connect(struct assay_oracle *oracle, uint8_t link, int64_t now);

/* The target was killed and has started again. Links before `first` are over with it, the others begin anew; what is
 * durable is as it was. */
void assay_oracle_restart(struct assay_oracle *oracle, uint8_t first, int64_t now);

/* Told before assay_oracle_connect(): the connection came about earlier than it will be told, by `ns` at most. Whatever
 * timer may be early may be so by that much more. */
void assay_oracle_unsure(struct assay_oracle *oracle, uint8_t link, int64_t ns);
void assay_oracle_sent(struct assay_oracle *oracle, uint8_t link, int64_t now, struct assay_span bytes);

/* What is to be sent as `template` on `link`: stamped, and with what was learned of link `from` in the place of
 * placeholders. Valid until the next call. `*known`: there is none left that was not learned yet. */
struct assay_span assay_oracle_fill(struct assay_oracle *oracle, uint8_t link, uint8_t from, struct assay_stamp stamp,
                                    struct assay_span template, bool *known);
/* The same once more, with a value that is right for nobody in the place of each placeholder. */
struct assay_span assay_oracle_spoil(struct assay_oracle *oracle);
/* How many numbers are left until they wrap, from that on which such a stamp stands for; UINT64_MAX: not known. */
uint64_t assay_oracle_left(struct assay_oracle *oracle, uint8_t link, enum assay_stamp_kind kind);
void assay_oracle_shut(struct assay_oracle *oracle, uint8_t link, int64_t now);
void assay_oracle_reset(struct assay_oracle *oracle, uint8_t link, int64_t now);
void assay_oracle_time(struct assay_oracle *oracle, int64_t now);

/* The application above a client was told to do a call; arguments as assay_call() takes them. They are kept by
 * reference as long as the oracle lives. A call that makes a link of its own is told before that link connects. */
void assay_oracle_call(struct assay_oracle *oracle, uint8_t link, int64_t now, uint16_t call, const assay_val *values,
                       const struct assay_span *spans);

/* What the tester saw. False: no belief agrees any more; see assay_oracle_blame(). */
bool assay_oracle_received(struct assay_oracle *oracle, uint8_t link, struct assay_span bytes);
bool assay_oracle_fin(struct assay_oracle *oracle, uint8_t link);
bool assay_oracle_rst(struct assay_oracle *oracle, uint8_t link);
bool assay_oracle_silence(struct assay_oracle *oracle, uint8_t link); /* proven: nothing more came, the link is open */

/* What the application above a client saw. Results and effects carry values as in struct assay_event; of an error
 * `outcome` counts. */
enum assay_upper_kind {
    ASSAY_UPPER_RESULT,
    ASSAY_UPPER_ERROR,
    ASSAY_UPPER_EFFECT,
    ASSAY_UPPER_TEXT, /* at a terminal: some of what it shows for this link, in `spans[0]`; cut anywhere */
};
struct assay_upper {
    uint8_t kind;    /* enum assay_upper_kind */
    uint16_t index;  /* RESULT, ERROR: the call; EFFECT: the effect */
    int32_t outcome; /* ERROR: as in struct assay_event */
    uint16_t count;
    const assay_val *values;
    const struct assay_span *spans;
    bool value; /* ERROR, PROTOCOL: told as `value`; which of the two it is, nobody judges */
};
bool assay_oracle_upper(struct assay_oracle *oracle, uint8_t link, const struct assay_upper *seen);

/* At a terminal: all that it should show for a link by now, in the most trusted belief. Valid until the next call. */
struct assay_span assay_oracle_shown(const struct assay_oracle *oracle, uint8_t link);

/* From here on connections are refused, or taken again. The first time may be before any link is there. */
void assay_oracle_refuse(struct assay_oracle *oracle, int64_t now, bool refuse);

/* A link of a client was seen to be over, since some time between these. */
void assay_oracle_over(struct assay_oracle *oracle, uint8_t link, int64_t from, int64_t by);

/* Whether and when a client connects again after `link` is over. Times stand on the tester's clock, tolerances
 * included; they count from the end of the link as it was seen, or else as the oracle was told of it; tries that were
 * refused meanwhile are heeded.
 * ASSAY_NEVER: not. */
struct assay_again {
    bool must, may; /* all surviving beliefs say so; some do */
    int64_t earliest, latest;
    bool finished; /* some belief is through: its machine went to End */
};
struct assay_again assay_oracle_again(const struct assay_oracle *oracle, uint8_t link);

/* What is still owed on a link, by any surviving belief. */
struct assay_owed {
    bool upper;       /* some belief waits for a result, an error or an effect */
    bool bytes;       /* some belief waits for more bytes */
    bool end;         /* some belief waits for the end (FIN) */
    bool maybe;       /* some belief is content as things are */
    bool gone;        /* some belief would be, but for the end, which datagrams do not show */
    uint32_t lacking; /* messages, from the first on that the belief which lacks least has not seen; of datagrams */
};
struct assay_owed assay_oracle_owed(const struct assay_oracle *oracle, uint8_t link);

/* What an observer of effect `effect` has to show by now, in the most trusted belief: its records, one behind the
 * other. Each order of the effect is a record. Of `print` and `report` it is the arguments, escaped, with a space
 * between, and a newline (the count that a report may have behind them is the target's own, and is not given). Of
 * `release` it is what the link gathered for its object since it was released last, and the arguments. `gather` and
 * `crypt` have none: what was gathered shows when it is released. Of all others it is the arguments' bytes, or, without
 * arguments, the effect's name and a newline. Valid until the next call. */
struct assay_span assay_oracle_effect(const struct assay_oracle *oracle, uint16_t effect);

/* The same record by record, in the order in which they were ordered. Those of one link have to be shown in that order;
 * those of different links may come in any, each whole. Returns how many; *records is valid until the next call. */
struct assay_record {
    uint8_t link;
    uint32_t order; /* ascending */
    struct assay_span bytes;
};
uint32_t assay_oracle_records(const struct assay_oracle *oracle, uint16_t effect, const struct assay_record **records);

/* Whether what no belief agrees with may hang on the clock: some timer has fired on the link, or had to, or may before
 * `until`. */
bool assay_oracle_hangs_on_time(const struct assay_oracle *oracle, uint8_t link, int64_t until);

/* Whether an effect bound to `stop` was ordered, in the most trusted belief about any link. */
bool assay_oracle_stopped(const struct assay_oracle *oracle);

/* Why the belief set is empty (or why what is owed did not come). */
struct assay_blame {
    uint16_t rule, req;  /* of the last belief that agreed; ASSAY_NONE: none was expected */
    uint16_t state;      /* the model's state there */
    uint16_t event;      /* that the rule was for; its rules in that state that come before did not apply */
    uint8_t level;       /* worst level broken: MUST unless only SHOULDs stand in the way */
    char expected[1024]; /* in words, messages decoded and bytes in hex */
    char seen[1024];
};
void assay_oracle_blame(const struct assay_oracle *oracle, uint8_t link, struct assay_blame *blame);

/* Whether all that agrees with what was seen, on some link, leaves out what should be done: *blame says which rule
 * was not followed. The case then passes with a warning, unless it fails elsewhere. */
bool assay_oracle_broken(const struct assay_oracle *oracle, struct assay_blame *blame);

#endif
