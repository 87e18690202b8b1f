/* The model: a spec with every name resolved, as read-only tables.
 *
 * The compiler builds it at run time from YAML; `assay gen c` writes the same
 * structs as C initialisers. Everything that runs a protocol (core, libclient,
 * the reference server, the suite, the fuzzers) reads these tables and nothing
 * else, so a compiled-in protocol needs no YAML library and no file.
 *
 * Tables refer to each other by index; ASSAY_NONE means "none". Names stay in
 * the tables for traces, reports and generated code, never for look-ups while
 * a protocol runs. All counts and indices are bounded by 65534.
 */
#ifndef ASSAY_CORE_MODEL_H
#define ASSAY_CORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASSAY_NONE UINT16_MAX

/* Fields of frame and message together, and locals of a rule: at most this many. */
#define ASSAY_SLOTS_MAX 64

/* Columns of a row of a log or table, the table's key among them: at most this many. */
#define ASSAY_COLUMNS_MAX 32

/* A value in a slot or variable: an integer (two's complement, 64 bits), or a
 * reference to bytes (see value.h). Which of the two it is stands in the
 * model, never in the value. */
typedef uint64_t assay_val;

struct assay_blob {
    const uint8_t *p;
    uint32_t n;
};

/* A run of consecutive entries in some table of the model. */
struct assay_range {
    uint16_t first, count;
};

/* Bit set: a message or machine may belong to both. */
enum assay_role { ASSAY_CLIENT = 1, ASSAY_SERVER = 2 };

enum assay_level { ASSAY_MUST, ASSAY_SHOULD, ASSAY_MAY };

struct assay_requirement {
    const char *id, *ref, *text; /* ref: section of the source document, or "observed" */
    uint8_t level;               /* enum assay_level */
};

/* ---- values ------------------------------------------------------------ */

enum assay_type_kind {
    ASSAY_T_INT,
    ASSAY_T_BOOL,
    ASSAY_T_ENUM,
    ASSAY_T_DURATION, /* an integer, in nanoseconds */
    ASSAY_T_BYTES,
    ASSAY_T_TEXT,
    ASSAY_T_LIST, /* of numbers; held as 8 bytes each, little-endian (see value.h) */
};

enum assay_charset { ASSAY_CS_BYTES, ASSAY_CS_ASCII, ASSAY_CS_UTF8 };

struct assay_type {
    const char *name; /* as the spec writes it: "u16", "Phase", "bytes" */
    uint8_t kind;     /* enum assay_type_kind */
    uint8_t charset;  /* TEXT: enum assay_charset */
    uint16_t of;      /* ENUM: index in enums; LIST: element type; else ASSAY_NONE */
    uint16_t set;     /* BYTES, TEXT: the bytes allowed, index in sets; or ASSAY_NONE */
    int64_t min, max; /* INT, DURATION: the value; BYTES, TEXT: size in bytes; LIST: elements */
};

struct assay_byteset {
    uint64_t bits[4]; /* byte b is in the set when bits[b >> 6] >> (b & 63) & 1 */
};

struct assay_enum {
    const char *name;
    struct assay_range items;
    bool open; /* values without a name are handed on; closed: event `unknown` */
    bool text; /* named by text on the wire; the value is the item's ordinal */
};

struct assay_enum_item {
    const char *name;
    int64_t value;
    struct assay_blob text; /* of a text enum; else empty */
};

/* ---- the wire ---------------------------------------------------------- */

enum assay_form {
    ASSAY_FORM_INT,     /* `bits` wide; fields that are not whole bytes are packed, first field in the high bits */
    ASSAY_FORM_VARINT,  /* groups of 7 bits, top bit set on all but the last; at most `bits`/8 bytes */
    ASSAY_FORM_DECIMAL, /* a number in decimal text, inside an extent */
    ASSAY_FORM_HEX,     /* a number in lower-case hexadecimal text, inside an extent */
    ASSAY_FORM_BYTES,   /* bytes, text or the text of an enum, inside an extent */
    ASSAY_FORM_CONST,   /* the bytes of blob `extent_arg`, no slot */
    ASSAY_FORM_LIST,    /* elements shaped as field `element`, one after another */
    ASSAY_FORM_CALC,    /* not on the wire: the value of code `is` */
    ASSAY_FORM_AHEAD,   /* not on the wire: whether aheads[`element`] holds for the bytes that follow; encoders compute
                           `is` instead, which decoders do not check */
    ASSAY_FORM_PAIRS,   /* name=value text by grammar pairs[`element`], inside an extent; held in its canonical form */
    ASSAY_FORM_OBJECT,  /* a JSON object by objects[`element`], inside an extent: gives other fields their values; keeps
                           none and is never written */
};

/* Where the bytes of a field end. */
enum assay_extent {
    ASSAY_EXT_FIXED,  /* extent_arg bytes */
    ASSAY_EXT_CODE,   /* as many bytes as code extent_arg says */
    ASSAY_EXT_COUNT,  /* LIST: as many elements as code extent_arg says */
    ASSAY_EXT_PREFIX, /* an unsigned integer of extent_arg bits stands before them, byte order as in flags; 0 bits: a
                         varint */
    ASSAY_EXT_UNTIL,  /* up to the first of the delimiters in range blobs[extent_arg], which is consumed; encoders write
                         the first */
    ASSAY_EXT_REST,   /* up to the end of the body (or frame) */
    ASSAY_EXT_BEFORE, /* up to the first of the delimiters, as with UNTIL, or the end; it is left where it is */
};

enum assay_field_flags {
    ASSAY_F_LITTLE = 1, /* least significant byte (or group) first */
    ASSAY_F_SIGNED = 2,
    ASSAY_F_FOLD = 4, /* text enum: ASCII letters compare without case */
    /* A member of pairs: not on the wire by itself, but the value (of form BYTES, DECIMAL or HEX) that stands under
     * name blobs[`extent_arg`] in the pairs of field `element`, which is read before it. Encoders put the members of
     * the message that they write into those pairs. */
    ASSAY_F_MEMBER = 8,
    /* A member of pairs, or of an object, that need not be there: then its slot has no value. Also of an object's
     * `rest`: without other members it has no value, instead of an empty one. */
    ASSAY_F_OPTIONAL = 16,
};

/* What a named leniency widens in a field (only while it is switched on). */
enum assay_loose {
    ASSAY_LOOSE_SPACE = 1, /* leading white space is skipped */
    ASSAY_LOOSE_PLUS = 2,  /* a number may begin with a plus sign */
    ASSAY_LOOSE_ZEROS = 4, /* a number may have leading zeros, and -0 */
    ASSAY_LOOSE_TAIL = 8,  /* what follows a number inside its extent is ignored */
};

/* A sum over a whole frame, with the bytes of the sum's own field as zeros. */
enum assay_sum {
    ASSAY_SUM_NONE,
    ASSAY_SUM_CRC32C, /* RFC 3720, appendix B.4 */
    ASSAY_SUM_CRC16,  /* CRC-16/ARC: polynomial 0x8005, reflected, from 0 */
    ASSAY_SUM_INET16, /* RFC 1071 */
    ASSAY_SUM_SUM8,   /* the bytes added up, modulo 256 */
};

struct assay_field {
    const char *name;    /* NULL: padding, which must hold the value that an encoder writes */
    uint16_t type;       /* what the slot holds; CONST: ASSAY_NONE */
    uint16_t slot;       /* ASSAY_NONE: no value is kept */
    uint16_t extent_arg; /* see enum assay_extent; UNTIL, BEFORE: index in delims */
    uint16_t element;  /* LIST: index in fields of the element's shape; AHEAD, PAIRS, OBJECT: in aheads, pairs, objects;
                          a member: in fields, of its pairs */
    uint16_t present;  /* code: the field is there only if true; ASSAY_NONE: always */
    uint16_t is;       /* code: computed when encoding, checked when decoding */
    uint16_t init;     /* code: what an encoder writes when the field is not given */
    uint16_t check;    /* code: a predicate over this and earlier fields, `it` is this field's slot */
    uint16_t fault;    /* event raised when is, check, or the type's bounds do not hold */
    uint16_t req;      /* requirement behind the constraint */
    uint16_t leniency; /* index in leniencies that switches `loose` on */
    uint8_t form, extent, bits, flags, loose;
    uint8_t sum; /* enum assay_sum: form INT, of the frame, at most one in it; encoders write it last */
};

enum assay_frame_end {
    ASSAY_END_FIELDS,   /* walking `fields` tells the end */
    ASSAY_END_UNTIL,    /* a delimiter, not part of the content */
    ASSAY_END_EOF,      /* the peer's end of stream: one frame a direction */
    ASSAY_END_SEGMENT,  /* what one read returned is a frame (legacy) */
    ASSAY_END_DATAGRAM, /* the datagram */
    ASSAY_END_STREAM,   /* bytes without borders: a frame is as many as there are, at most `max`; another reader of the
                           same stream may cut it elsewhere */
};

/* What can be told of the bytes in front of a reader without taking them. */
enum assay_ahead_kind {
    ASSAY_AHEAD_BEGINS, /* they begin with `text` */
    ASSAY_AHEAD_HOLDS,  /* `text` occurs in them before the first of `before`, or before the end if none is there */
    ASSAY_AHEAD_LEFT,   /* there are any */
};
struct assay_ahead {
    uint8_t kind; /* enum assay_ahead_kind */
    struct assay_blob text;
    uint16_t before; /* index in delims; ASSAY_NONE: the end */
};

/* What becomes of two pairs of one name. */
enum assay_duplicates { ASSAY_DUP_LAST, ASSAY_DUP_FIRST, ASSAY_DUP_FAULT };

/* A grammar of name=value text. Empty text is no pairs. Canonical form: names ascending by their bytes (if `sorted`;
 * else a pair that counts stays where it stands), each once; a value in quotes only if it begins with the quote or
 * holds a byte of `quote_if`; escapes where a byte has one. Readers take such a byte as itself, too; the escaped quote
 * is known inside quotes alone. */
#define ASSAY_ESCAPES_MAX 8
struct assay_pairs {
    uint8_t separator, assign;
    uint8_t quote, escape; /* 0: there is none */
    uint8_t escapes;       /* how many: letter behind `escape`, and the byte that it stands for */
    uint8_t letters[ASSAY_ESCAPES_MAX], stands[ASSAY_ESCAPES_MAX];
    uint8_t duplicates; /* enum assay_duplicates */
    bool sorted;
    uint16_t quote_if;                /* in sets; ASSAY_NONE: nothing */
    uint16_t name_type, value_type;   /* TEXT or BYTES types that names and (unescaped) values must fit */
    uint16_t most;                    /* pairs; from 1 to ASSAY_PAIRS_MAX */
    uint16_t name_first, value_first; /* in sets: what they may begin with; ASSAY_NONE: any byte */
    uint16_t req;                     /* behind the grammar: order and equal names; ASSAY_NONE: none is named */
};
#define ASSAY_PAIRS_MAX 1024

/* The most scratch that reading or writing n bytes of pairs (or of an object whose rest they take) needs, to be counted
 * once into a model's `scratch` for reading and once for writing: a canonical copy, texts without their escapes, and an
 * index of at most `most` pairs and `members` members. Where it is used up, the message is malformed (or not sent). */
#define ASSAY_PAIRS_SCRATCH(n, most, members) (5u * (uint32_t)(n) + 48u * ((uint32_t)(most) + (members) + 1u))

/* A JSON object as another form of some fields. Strings, numbers and true, false, null give their text (a string its
 * UTF-8); an object or array inside is malformed. Of two equal names the last holds. Its fields stand behind it, with a
 * `present` that is false where the object is there. */
struct assay_object {
    struct assay_range members; /* in object_members */
    uint16_t rest;              /* field of form PAIRS that takes all other members; ASSAY_NONE: they are malformed */
};
struct assay_object_member {
    struct assay_blob name;
    uint16_t field; /* of form BYTES, DECIMAL or HEX, read from the value's text, of which nothing may be left; without
                       ASSAY_F_OPTIONAL the object is malformed if it has no such member */
};

/* How one direction's bytes become frames. Content is read by `fields`; what
 * those leave in field `body` (or after them) is read by the message's own. */
struct assay_frame {
    uint8_t end;               /* enum assay_frame_end */
    struct assay_range fields; /* in fields */
    uint16_t body;             /* the field that holds the message's own fields; ASSAY_NONE: they follow `fields` */
    uint16_t tag;              /* slot compared with a message's tag; ASSAY_NONE: messages tell themselves apart */
    uint16_t delims;           /* UNTIL: index in delims */
    uint16_t segment_leniency; /* UNTIL: while this leniency is on, a stream whose first segment holds no
                                  delimiter takes each segment for a frame and writes no delimiter; or ASSAY_NONE */
    uint32_t max;              /* longest frame in bytes, delimiter included: more is event `oversize` */
    uint8_t walked;            /* FIELDS without a body: senders (bit set of enum assay_role) with messages that have
                                  fields of their own: those are walked, too, to find the end */
    bool blank;                /* UNTIL, SEGMENT, DATAGRAM: a frame without content is no event; it is skipped */
    uint16_t trim;       /* UNTIL, EOF, SEGMENT, DATAGRAM: bytes of this set are taken off both ends of the content;
                            index in sets, or ASSAY_NONE */
    uint16_t transports; /* bit i: it is used on transports[i] */
};

struct assay_delims {
    struct assay_range blobs; /* alternatives, longest match first; encoders write `blobs.first` */
};

struct assay_where {
    uint16_t that;  /* code; false raises `fault` */
    uint16_t fault; /* event */
    uint16_t req;
};

enum assay_tag_kind { ASSAY_TAG_NONE, ASSAY_TAG_VALUE, ASSAY_TAG_TEXT, ASSAY_TAG_CODE };

struct assay_message {
    const char *name;
    uint8_t from;               /* bit set of enum assay_role: who sends it */
    uint8_t tag_kind;           /* enum assay_tag_kind */
    uint16_t tag_code;          /* CODE: a predicate over the frame's fields */
    int64_t tag;                /* VALUE: of the frame's tag slot */
    struct assay_blob tag_text; /* TEXT */
    struct assay_range fields;  /* its own, read from the frame's body */
    struct assay_range wheres;  /* conditions across fields */
    uint16_t leads;             /* set of first bytes that it can begin with, when nothing else tells; or ASSAY_NONE */
    uint16_t req;
    uint16_t event;      /* the event of receiving it */
    uint32_t wire_min;   /* shortest encoding in bytes, frame included */
    uint32_t wire_max;   /* longest */
    uint32_t line;       /* in the spec */
    uint16_t transports; /* bit i: it is known on transports[i]; elsewhere it is as if it were not there */
};

/* A hand-checked example: bytes and what they decode to. */
struct assay_example {
    uint16_t message; /* that the spec lists it under */
    uint8_t from;     /* direction */
    bool other_form;  /* encoding does not give these bytes back */
    uint16_t fault;   /* event that decoding raises; ASSAY_NONE: it decodes */
    struct assay_blob bytes;
};

/* ---- behaviour --------------------------------------------------------- */

/* Events that every protocol has; then come faults, timers, messages and calls. */
enum assay_builtin_event {
    ASSAY_EV_CONNECT,
    ASSAY_EV_MALFORMED,
    ASSAY_EV_UNKNOWN,
    ASSAY_EV_OVERSIZE,
    ASSAY_EV_EOF,
    ASSAY_EV_EOF_IN_FRAME,
    ASSAY_EV_RESET,
    ASSAY_EV_NO_ROOM,  /* a variable's bytes did not fit in the memory limit; the rule had no effect */
    ASSAY_EV_SHUTDOWN, /* the host stops; input that was received has been handled */
    ASSAY_EV_STALE,    /* a reliable message of another session; its fields are known */
    ASSAY_EV_GIVEN_UP, /* reliable messages were not acknowledged for too long; they are forgotten */
    ASSAY_EV_AWAITED,  /* in states of kind AWAIT only: something may have come true that the call waits for */
    ASSAY_EV_BUILTINS,
};

enum assay_event_kind {
    ASSAY_EVK_BUILTIN,
    ASSAY_EVK_FAULT,
    ASSAY_EVK_TIMER,
    ASSAY_EVK_MESSAGE,
    ASSAY_EVK_CALL,
    ASSAY_EVK_ROW, /* a row of a log is to be sent to a session that follows it; the frame's slots are empty, the row's
                      number and columns stand in the slots behind those (struct assay_log) */
};

struct assay_event_def {
    const char *name;
    uint8_t kind;   /* enum assay_event_kind */
    uint16_t index; /* FAULT: none; TIMER, MESSAGE, CALL, ROW (in logs): in its table */
};

struct assay_var {
    const char *name;
    uint16_t type;
    uint16_t init; /* code; ASSAY_NONE: 0 or empty */
};

enum assay_timer_restart { ASSAY_RESTART_NEVER, ASSAY_RESTART_INPUT = 1, ASSAY_RESTART_SEND = 2 };

/* Runs while the session is in one of its states, from entering the first of them. RESTART_SEND: what rules send;
 * neither repetitions nor acknowledgements. */
struct assay_timer {
    const char *name;
    uint16_t event;
    uint16_t after;      /* code: duration; not above 0: it does not run */
    uint16_t states;     /* index in statesets */
    uint8_t restart;     /* bit set of enum assay_timer_restart */
    int64_t early, late; /* tolerance of a judge, ns */
};

enum assay_rule_flags {
    /* Success changes neither state nor variables, failure ends the session
     * and needs no field: the session may run on, its reply waits behind the
     * effect's completion (durability gate). */
    ASSAY_RULE_GATE = 1,
    ASSAY_RULE_FALLIBLE = 2,  /* may take `otherwise` for another reason than an effect: before one is
                               * ordered, the rest of the body is tried */
    ASSAY_RULE_STATELESS = 4, /* keeps nothing; sends no more than it was sent */
    ASSAY_RULE_RELIABLE = 8,  /* sends a message of `reliable`: with the window full it is NO_ROOM */
    /* It takes a message of `reliable`, and all it does is to add a row to a log; where that fails, it declines. The
     * next message may be handed over before the row is there (see assay_config.chains). */
    ASSAY_RULE_CHAIN = 16,
};

struct assay_rule {
    uint16_t machine;
    uint16_t state;     /* that the rule stands in; ASSAY_NONE: in "*" */
    uint16_t guard;     /* code: pattern and `if`; ASSAY_NONE: always */
    uint16_t body;      /* code of actions */
    uint16_t otherwise; /* code of `else`; ASSAY_NONE: nothing in the rule can fail */
    uint16_t req;
    uint8_t level; /* enum assay_level */
    uint8_t flags;
    uint16_t locals;       /* slots used beyond those of frame and message */
    uint32_t out_max;      /* the most bytes that it sends, either way, and those that acknowledge its message */
    uint32_t line, column; /* in the spec */
};

/* WAIT: a point in a call where it expects something. AWAIT: one where it waits for the machine, or for what it sent to
 * be acknowledged; its rules are those of AWAITED, asked when it gets there and after each event of the session. */
enum assay_state_kind { ASSAY_STATE_PLAIN, ASSAY_STATE_END, ASSAY_STATE_WAIT, ASSAY_STATE_AWAIT };

struct assay_state {
    const char *name;
    uint8_t kind;  /* enum assay_state_kind */
    uint16_t call; /* WAIT, AWAIT: in calls */
    uint32_t line;
};

/* When a client connects again: after its link was refused, or ended otherwise than by `goto: End`. The pause runs from
 * that moment. After each try it grows by `growth`; a link on which a message arrived makes it start from `pause`. */
struct assay_reconnect {
    uint16_t pause;      /* code: duration; ASSAY_NONE: it does not connect again */
    uint16_t growth;     /* percent of the pause before it: 100 leaves it as it is */
    uint32_t most;       /* tries in a row that may fail; 0: any number */
    int64_t cap;         /* longest pause, ns; 0: none */
    int64_t early, late; /* tolerance of a judge, ns */
};

struct assay_machine {
    const char *name;
    uint8_t role;              /* bit set of enum assay_role */
    struct assay_range states; /* the last one is End */
    uint16_t start;
    struct assay_range vars; /* in vars; the arguments of calls are variables too */
    struct assay_range timers;
    struct assay_range rules;
    uint16_t frame_in, frame_out;     /* how it reads and writes */
    struct assay_reconnect reconnect; /* of a client's */
    uint16_t session;                 /* variable that numbers its reliable messages; ASSAY_NONE */
    uint16_t first_number;            /* code over its variables: the first number of its reliable messages, in either
                                         direction, modulo 2^bits (undefined: 0); ASSAY_NONE: 0 */
    bool stateless;                   /* it has stateless rules: in its start state a session of datagrams is let go */
};

/* An effect is an order to the host; core only carries it. */
struct assay_effect {
    const char *name;
    struct assay_range args; /* in params */
    const char *verb;        /* of its binding: "append"; NULL: the application's own */
    const char *object;      /* of its binding: "messages.log"; a leading '$' names a spec parameter */
    bool fallible;           /* completes later, done or failed */
    uint16_t table;          /* it puts a row there (key, then columns): the engine does, once the host has kept it;
                                ASSAY_NONE */
    uint16_t log;            /* it adds a row there; ASSAY_NONE */
};

/* Rows that all sessions of an engine share. Held by the engine; `durable`: kept by the host, too. */
struct assay_table {
    const char *name;
    uint16_t key;               /* in params */
    struct assay_range columns; /* in params */
    uint32_t most;              /* rows */
    bool durable;
    uint16_t effect; /* that puts a row */
};

/* Numbered rows, held by the host. */
struct assay_log {
    const char *name;
    struct assay_range columns; /* in params */
    uint32_t unique;            /* bit i: column i; two rows do not have all of these equal. 0: no such rule */
    bool durable;
    uint32_t keep;          /* newest rows that a host holds in memory */
    uint16_t machine;       /* whose sessions are sent the rows, by rules for `event`; ASSAY_NONE: nobody is */
    uint16_t states;        /* in statesets: where they are */
    uint16_t follows;       /* code: whether, over the variables; ASSAY_NONE: always */
    uint16_t cursor;        /* variable: the first row that is not acknowledged */
    uint16_t batch, window; /* codes, over the variables; ASSAY_NONE: 1, and that of `reliable` */
    uint16_t event;
    uint16_t first_slot; /* of the event: the row's number; its columns follow */
    uint16_t req;
};

enum assay_reliable_order { ASSAY_ORDER_NONE, ASSAY_ORDER_IN_ORDER };
enum assay_duplicate { ASSAY_DUPLICATE_ACKNOWLEDGE, ASSAY_DUPLICATE_IGNORE, ASSAY_DUPLICATE_DELIVER /* wrong */ };

/* Messages that are acknowledged and repeated, below the machines. */
struct assay_reliable {
    struct assay_range messages; /* in reliable_messages */
    uint16_t number;             /* slot of the frame's number field */
    uint8_t bits;                /* numbers wrap at 2^bits: 8, 16 or 32 */
    uint8_t order;               /* enum assay_reliable_order */
    uint8_t duplicate;           /* enum assay_duplicate: what is done with one that was taken before */
    uint16_t ack, ack_slot;      /* the message that acknowledges, and its field: the first number not taken */
    uint16_t session;            /* slot of the frame's session field; ASSAY_NONE: there is none */
    uint32_t window;
    uint16_t first, cap; /* codes: durations; cap ASSAY_NONE: none */
    uint16_t factor;     /* percent of the pause before */
    uint16_t tolerance;  /* percent */
    uint16_t give_up;    /* code: duration; ASSAY_NONE: never */
    uint16_t req;
};

/* What holds whatever the network does; for those who try it. Core reads none of it. */
enum assay_impairment {
    ASSAY_IMPAIR_DROP = 1,
    ASSAY_IMPAIR_DUPLICATE = 2,
    ASSAY_IMPAIR_SWAP = 4,
    ASSAY_IMPAIR_DELAY = 8,
    ASSAY_IMPAIR_CORRUPT = 16,
    ASSAY_IMPAIR_FAIL = 32, /* an effect that can fail, not a datagram */
};
struct assay_impair {
    uint8_t faults;  /* bit set of enum assay_impairment */
    uint8_t crashes; /* bit set of enum assay_role */
    uint16_t up_to;
    uint32_t extra; /* datagrams that a fault may cost */
    uint16_t req;
};
struct assay_actor {
    const char *name;
    struct assay_range acts; /* in acts */
};
struct assay_act {
    uint16_t call;
    struct assay_range args; /* in act_args: for each argument of the call a code over its machine's variables */
};
struct assay_promise {
    uint16_t call, effect;
    uint16_t call_arg, effect_arg; /* counted within theirs */
    uint64_t at;                   /* bit i: actors[i]; bit 63: the server */
    bool same_order;
    uint16_t req;
};

struct assay_param {
    const char *name, *text;
    uint16_t type;
    uint16_t init; /* code; ASSAY_NONE: no default, must be given */
};

struct assay_call {
    const char *name, *text;
    uint16_t event;
    struct assay_range args;    /* in params */
    struct assay_range results; /* in params */
    struct assay_range errors;  /* in errors */
    uint16_t first_var;         /* variables that hold the arguments while the call runs */
    uint16_t machine;           /* that it is a call of, in machines */
    uint16_t opens;             /* it makes a link of its own over that one of transports, which ends with it;
                                   ASSAY_NONE: it works on the client's link */
    int64_t within;             /* total time it may take, ns; 0: no limit of its own */
};

/* What ends a call. Positive results are the spec's own errors, in order. */
struct assay_error {
    const char *name, *text;
};

struct assay_leniency {
    const char *name, *text;
    bool on; /* by default */
    uint8_t level;
    uint16_t req; /* that a target without it does not meet; ASSAY_NONE: none is named */
};

struct assay_option {
    const char *name, *text;
    uint16_t type; /* INT, BOOL, ENUM, DURATION: value; TEXT, BYTES: blob */
    int64_t value;
    struct assay_blob blob;
};

struct assay_transport {
    const char *name;        /* "tcp", "udp", "unix" */
    const char *bind;        /* default address to listen on */
    uint16_t port;           /* of servers */
    uint16_t client_port;    /* that clients bind to; 0: any */
    uint16_t server, client; /* the machine of each side of a link, in machines; ASSAY_NONE: it plays no part here */
};

/* Limits that the spec states and a host may override. */
struct assay_limits {
    uint32_t sessions;  /* at once */
    uint32_t memory;    /* bytes for variables, all sessions together */
    uint32_t effects;   /* in flight, all sessions together */
    uint32_t output;    /* bytes queued for one peer before its input waits */
    uint32_t drain;     /* bytes read and thrown away after the end */
    int64_t drain_time; /* ns */
    uint32_t rows;      /* of all tables together; 0: as many as they allow */
    int64_t seal;       /* how long a seal holds at least, ns */
};

struct assay_model {
    const char *protocol, *title, *version, *source; /* source: the spec's file */
    struct assay_limits limits;
    uint32_t scratch;   /* bytes that the values of one event may need */
    uint32_t frame_max; /* longest frame of any direction */
    uint32_t out_max;   /* most bytes that one rule sends */

#define ASSAY_TABLE(type, name)                                                                                        \
    const type *name;                                                                                                  \
    uint16_t name##_count
    ASSAY_TABLE(struct assay_requirement, requirements);
    ASSAY_TABLE(struct assay_transport, transports);
    ASSAY_TABLE(struct assay_option, options); /* params: facts of an implementation, `--param NAME=VALUE` */
    ASSAY_TABLE(struct assay_leniency, leniencies);
    ASSAY_TABLE(struct assay_type, types);
    ASSAY_TABLE(struct assay_byteset, sets);
    ASSAY_TABLE(struct assay_enum, enums);
    ASSAY_TABLE(struct assay_enum_item, enum_items);
    ASSAY_TABLE(struct assay_field, fields);
    ASSAY_TABLE(struct assay_frame, frames);
    ASSAY_TABLE(struct assay_delims, delims);
    ASSAY_TABLE(struct assay_ahead, aheads);
    ASSAY_TABLE(struct assay_pairs, pairs);
    ASSAY_TABLE(struct assay_object, objects);
    ASSAY_TABLE(struct assay_object_member, object_members);
    ASSAY_TABLE(struct assay_message, messages);
    ASSAY_TABLE(struct assay_where, wheres);
    ASSAY_TABLE(struct assay_example, examples);
    ASSAY_TABLE(struct assay_event_def, events);
    ASSAY_TABLE(struct assay_machine, machines);
    ASSAY_TABLE(struct assay_state, states);
    ASSAY_TABLE(struct assay_var, vars);
    ASSAY_TABLE(struct assay_timer, timers);
    ASSAY_TABLE(struct assay_rule, rules);
    ASSAY_TABLE(struct assay_effect, effects);
    ASSAY_TABLE(struct assay_param, params);
    ASSAY_TABLE(struct assay_table, tables);
    ASSAY_TABLE(struct assay_log, logs);
    ASSAY_TABLE(struct assay_reliable, reliables); /* at most one */
    ASSAY_TABLE(uint16_t, reliable_messages);
    ASSAY_TABLE(struct assay_impair, impairs); /* at most one */
    ASSAY_TABLE(struct assay_actor, actors);
    ASSAY_TABLE(struct assay_act, acts);
    ASSAY_TABLE(uint16_t, act_args);
    ASSAY_TABLE(struct assay_promise, promises);
    ASSAY_TABLE(struct assay_call, calls);
    ASSAY_TABLE(struct assay_error, errors);
    ASSAY_TABLE(struct assay_blob, blobs); /* constants, the region ASSAY_REGION_CONST */
    ASSAY_TABLE(int64_t, ints);            /* constants too wide for an instruction */
    ASSAY_TABLE(uint16_t, statesets);      /* runs of state indices, each ended by ASSAY_NONE */
    ASSAY_TABLE(uint32_t, code);           /* instructions, see code.h */
#undef ASSAY_TABLE

    /* Rules to try, in order, for an event in a state: rule_lists[transitions[state * events_count + event]...],
     * ended by ASSAY_NONE. It is ASSAY_NONE where no rule names the event. */
    const uint16_t *transitions;
    const uint16_t *rule_lists;
    uint32_t rule_lists_count;

    uint16_t server, client; /* the link machine of each role on transports[0], in machines; ASSAY_NONE */
};

#endif
