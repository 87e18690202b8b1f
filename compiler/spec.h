/* A spec as a tree of things with their places in the file: what the reader
 * makes, what checks look at, what lowering turns into the model.
 *
 * Life of a spec (compiler/spec.c): YAML -> nodes (yaml.c) -> this tree with
 * expressions parsed (read_*.c) -> names and types resolved (resolve.c) ->
 * struct assay_model (lower*.c) -> assay_check_semantics() (check*.c). Each step
 * runs only if the ones before found no errors in what it needs; the checks see a
 * tree that is resolved, and a model unless the spec uses constructs that are
 * declared only.
 *
 * Everything lives in the spec's arena and is freed with it. All nodes carry
 * `at`; expressions know their character (assay_expr_at()).
 */
#ifndef ASSAY_COMPILER_SPEC_H
#define ASSAY_COMPILER_SPEC_H

#include "compiler/expr.h"

/* Pointers to things of one kind, in the order of the file. */
struct spec_list {
    void **items;
    size_t count, capacity;
};
void assay_list_add(struct assay_spec *spec, struct spec_list *list, void *item);

/* SPEC_EACH(struct spec_rule, rule, &machine->rules) { ... } The list must not grow meanwhile. */
#define SPEC_EACH(type, it, list)                                                                                      \
    for (type *it = NULL, **it##_at = (type **)(void *)(list)->items;                                                  \
         it##_at && it##_at < (type **)(void *)((list)->items + (list)->count) &&                                      \
         (it = *(void **)(void *)it##_at, true);                                                                       \
         it##_at++)

/* ---- requirements, params, leniencies ---------------------------------- */

struct spec_requirement {
    struct assay_at at;
    const char *id, *ref, *text;
    uint8_t level;  /* enum assay_level */
    uint16_t index; /* in the model */
    unsigned cited; /* how often a `req:` names it */
};

/* A param of the spec, an argument of an effect, an argument or result of a call. */
struct spec_param {
    struct assay_at at;
    const char *name, *text;
    struct spec_type *type;
    struct spec_expr *init; /* default; NULL: none */
    uint16_t index;         /* in options (params of the spec) or params */
    uint16_t slot;          /* argument of a call: the slot that brings it */
    uint16_t var;           /* argument of a call: the variable that keeps it, in vars */
};

struct spec_leniency {
    struct assay_at at;
    const char *name, *text;
    bool on;
    uint8_t level;
    uint16_t index;
    const struct spec_requirement *req;
};

/* ---- types ------------------------------------------------------------- */

/* Kinds of values: enum assay_type_kind, and two more. */
enum {
    SPEC_T_NONE = 0x80, /* carries no value: const */
    SPEC_T_ANY,         /* of a construct that is declared only */
    SPEC_T_RECORD,      /* its parts are fields of their own */
};

struct spec_enum_item {
    struct assay_at at;
    const char *name;
    int64_t value;          /* of a text enum: its ordinal */
    struct assay_blob text; /* of a text enum */
};

struct spec_enum {
    struct assay_at at;
    const char *name; /* of the type that declares it; or of the field */
    struct spec_list items;
    bool open, text;
    uint16_t index;
};

struct spec_extent {
    struct assay_at at;
    enum assay_extent kind;
    struct spec_expr *size;  /* CODE, COUNT */
    int64_t fixed;           /* FIXED: bytes; PREFIX: bits of the prefix, 0: varint */
    bool little;             /* PREFIX: its byte order */
    struct spec_list delims; /* UNTIL, BEFORE: struct assay_blob */
};

/* A grammar of name=value text. */
struct spec_pairs {
    struct assay_at at;
    struct assay_pairs is; /* its bytes and numbers; the indices are filled in by lowering */
    struct assay_byteset *quote_if;
    struct spec_type *name, *value;
    struct spec_requirement *req; /* of the type that declares it */
    uint16_t index;
};

/* A JSON object as another form of some fields. */
struct spec_object_member {
    struct assay_blob name;
    const struct assay_node *node; /* the name of the field */
    struct spec_field *field;
};
struct spec_object {
    struct assay_at at;
    struct spec_list members;      /* struct spec_object_member */
    const struct assay_node *rest; /* NULL: there is none */
    struct spec_field *rest_field;
};

struct spec_type {
    struct assay_at at;
    const struct assay_node *node;
    const char *name; /* as the spec writes it */
    uint8_t kind;     /* enum assay_type_kind, SPEC_T_NONE, SPEC_T_ANY */
    bool wire;        /* it says how it is encoded */
    bool bounded;     /* `max` (LIST, BYTES, TEXT: of the size) was stated, or follows from the form */
    int64_t min, max; /* as in struct assay_type */
    uint8_t charset;
    struct spec_enum *of;        /* ENUM */
    struct spec_type *element;   /* LIST */
    struct assay_byteset *set;   /* bytes allowed; NULL: all */
    struct assay_byteset *first; /* allowed as the first byte; NULL: all */
    struct spec_list in;         /* `in`: struct spec_expr; empty: anything */
    /* wire */
    uint8_t form; /* enum assay_form */
    uint8_t bits;
    uint8_t flags; /* enum assay_field_flags */
    bool whole;    /* LIST: `until: end` */
    struct spec_extent extent;
    struct assay_blob bytes; /* CONST */
    struct spec_expr *calc;
    const struct assay_node *record; /* RECORD: its fields */
    struct spec_pairs *pairs;        /* PAIRS */
    struct spec_object *object;      /* OBJECT */
    /* constraints */
    struct spec_expr *check;
    const char *fault; /* event; NULL: malformed */
    struct spec_event *fault_event;
    struct spec_requirement *req;
    const struct assay_node *samples, *outside; /* sequences of data, or NULL */
    struct spec_leniency *leniency;
    uint8_t loose;
    bool resolving; /* guards against types that contain themselves */
};

/* A type of the spec's own, by name. */
struct spec_named_type {
    struct assay_at at;
    const char *name;
    const struct assay_node *node;
    struct spec_type *type;
    uint8_t state; /* 0: not looked at, 1: being read, 2: read */
    bool used;
};

/* ---- frames and messages ----------------------------------------------- */

/* A field of a record type. Its parts are fields called NAME.PART. */
struct spec_group {
    struct assay_at at;
    const char *name;
    const struct assay_node *record; /* the same: of the same type */
    struct spec_list parts;          /* struct spec_field, those with a name */
    struct spec_field *ahead;        /* whether it is there; NULL: always */
};

/* What a field of form AHEAD looks at. */
struct spec_ahead {
    uint8_t kind; /* enum assay_ahead_kind */
    struct assay_blob text;
    struct spec_list before; /* HOLDS: struct assay_blob; empty: the end */
    struct spec_list of;     /* struct spec_field: encoders write if one of them has a value; empty: never */
};

struct spec_field {
    struct assay_at at;
    const char *name; /* NULL: padding, or hidden */
    struct spec_type *type;
    struct spec_expr *is, *init, *present;
    const struct spec_frame *frame; /* of one of these two */
    const struct spec_message *message;
    size_t position; /* in its frame or message */
    const struct assay_node *node;
    struct spec_group *group;          /* of which it is a part; NULL: of none */
    struct spec_ahead *ahead;          /* AHEAD */
    struct spec_field *lead, *tail;    /* constants around it */
    const struct assay_node *in_pairs; /* a member: the name of the field of pairs ... */
    struct spec_field *pairs;          /* ... and that field */
    struct assay_blob key;             /* a member: its name in them */
    bool optional;                     /* a member that need not be there */
    bool filled_in;                    /* `reliable` fills it in, in its messages: the number, the session */
    const struct spec_field *unless;   /* it is not on the wire where this flag, of an object, is set */
    uint16_t slot;                     /* ASSAY_NONE: keeps no value */
    uint16_t index;                    /* in the model's fields */
};

struct spec_frame {
    struct assay_at at;
    uint8_t from; /* bit set of enum assay_role: whose bytes */
    uint8_t end;  /* enum assay_frame_end */
    struct spec_list fields;
    struct spec_list groups; /* struct spec_group */
    struct spec_list delims; /* struct assay_blob */
    struct spec_field *tag, *body;
    struct spec_leniency *segments;
    struct assay_byteset *trim;
    bool blank;
    int64_t max;
    uint16_t transports;         /* bit set: of spec->transports */
    struct spec_frame *datagram; /* the same where each datagram is one; NULL: no other transport is like that */
    uint16_t index;
};

/* A frame field that a message fixes. */
struct spec_fixed {
    struct assay_at at;
    struct spec_field *field;
    struct spec_expr *value;
};

struct spec_where {
    struct assay_at at;
    struct spec_expr *that;
    const char *fault;
    struct spec_event *fault_event;
    struct spec_requirement *req;
};

struct spec_example {
    struct assay_at at;
    struct assay_blob bytes; /* a whole frame */
    uint8_t from;            /* enum assay_role */
    bool other_form;
    const char *fault; /* NULL: it decodes */
    struct spec_event *fault_event;
    const struct assay_node *is; /* mapping of field to data, or NULL */
    uint16_t index;
};

struct spec_message {
    struct assay_at at;
    const char *name, *text;
    uint8_t from;          /* bit set of enum assay_role */
    struct spec_list tags; /* struct spec_expr, resolved as constants of the tag field's type */
    struct spec_expr *when;
    struct spec_list fixed; /* struct spec_fixed */
    struct spec_list fields, groups, wheres, examples;
    uint16_t transports; /* bit set: where it is known */
    struct spec_requirement *req;
    struct spec_event *event;
    uint16_t slots; /* used by frame and message together */
    bool reliable;  /* it is among those of `reliable` */
    bool is_ack;    /* it acknowledges those: no machine and no call sees it */
    bool open;      /* it has parts that are declared only: unknown names may be right */
    uint16_t index;
};

/* ---- behaviour --------------------------------------------------------- */

struct spec_event {
    struct assay_at at;
    const char *name;
    uint8_t kind;                 /* enum assay_event_kind, or SPEC_EV_SIGNAL */
    struct spec_message *message; /* MESSAGE */
    struct spec_timer *timer;     /* TIMER */
    struct spec_call *call;       /* CALL */
    struct spec_log *log;         /* ROW */
    uint16_t index;               /* in the model's events */
};
enum { SPEC_EV_SIGNAL = 0x80 /* declared */ };

struct spec_effect {
    struct assay_at at;
    const char *name, *text;
    struct spec_list args; /* struct spec_param */
    const char *verb, *object;
    const struct assay_node *log_node; /* the log of its binding ... */
    struct spec_log *log;              /* ... and that log */
    const struct spec_table *table;    /* it puts a row there, and is not in the file */
    bool fallible;
    uint16_t index;
};

/* Rows that all sessions of a server share. */
struct spec_table {
    struct assay_at at;
    const char *name;
    struct spec_param *key;
    struct spec_list columns; /* struct spec_param */
    int64_t most;
    bool durable;
    struct spec_effect *effect; /* that puts a row: its arguments are the key and the columns */
    uint16_t index;
};

/* Who is sent the rows of a log. */
struct spec_follow {
    struct assay_at at;
    struct spec_machine *machine;
    struct spec_list states; /* struct spec_state */
    struct spec_expr *follows, *batch, *window;
    struct spec_var *cursor;
    struct spec_rule *rule; /* for the event of a row */
    struct spec_requirement *req;
};

struct spec_log {
    struct assay_at at;
    const char *name;
    const struct assay_node *follow_node; /* NULL: nobody follows it */
    struct spec_list columns;             /* struct spec_param */
    uint32_t unique;                      /* bit i: column i */
    bool durable;
    int64_t keep;
    struct spec_requirement *req;
    struct spec_follow *follow; /* NULL: nobody does */
    struct spec_event *event;   /* of a row; NULL: nobody follows it */
    uint16_t index;
};

/* Messages that are acknowledged. */
struct spec_reliable {
    struct assay_at at;
    const struct assay_node *node;
    struct spec_list messages; /* struct spec_message */
    struct spec_message *ack;
    struct spec_field *number, *ack_field;
    struct spec_field *session; /* NULL: there is none */
    uint8_t bits;
    uint8_t order, duplicate; /* enum assay_reliable_order, assay_duplicate */
    int64_t window;
    struct spec_expr *first, *cap, *give_up;
    uint16_t factor, tolerance; /* percent */
    struct spec_requirement *req;
};

/* ---- promises ---------------------------------------------------------- */

struct spec_act {
    struct spec_call *call;
    struct spec_list given; /* struct spec_given */
};
struct spec_actor {
    struct assay_at at;
    const char *name;
    struct spec_list acts; /* struct spec_act */
};
struct spec_promise {
    struct spec_call *call;
    struct spec_effect *effect;
    uint16_t call_arg, effect_arg;
    uint64_t at; /* bit i: actor i */
    bool same_order;
    struct spec_requirement *req;
};
struct spec_impair {
    struct assay_at at;
    uint8_t faults, crashes; /* bit sets of enum assay_impairment, assay_role */
    int64_t up_to, extra;
    struct spec_list actors, promises;
    struct spec_requirement *req;
};

struct spec_var {
    struct assay_at at;
    const char *name;
    struct spec_type *type;
    struct spec_expr *init;
    uint16_t index;
};

struct spec_timer {
    struct assay_at at;
    const char *name;
    struct spec_expr *after;
    struct spec_list states; /* struct spec_state */
    uint8_t restart;
    int64_t early, late;
    struct spec_event *event;
    uint16_t index;
};

struct spec_state {
    struct assay_at at;
    const char *name;
    struct spec_list rules; /* its own */
    uint8_t kind;           /* enum assay_state_kind */
    uint16_t index;
};

/* One value given: a field of a message that is sent, an argument of an effect, a variable that is set,
 * a field of a pattern, a result of a call. */
struct spec_given {
    struct assay_at at;
    const char *name;
    struct spec_field *field; /* one of these */
    bool copied;              /* of a whole record: given if `value`, a field, has a value */
    struct spec_var *var;
    struct spec_param *param;
    struct spec_expr *value;
    bool free;               /* {any: value}: an implementation may choose */
    struct spec_expr *where; /* ... as long as this holds; NULL: any value of the type */
};

struct spec_let {
    struct assay_at at;
    const char *name;
    struct spec_expr *value;
    const struct spec_let *outer;   /* in scope around it */
    const struct spec_type *column; /* it is not computed, but comes with a row of a log; NULL: `value` says */
    uint16_t slot;
};

enum spec_action_kind {
    SPEC_A_LET,      /* lets */
    SPEC_A_DO,       /* effect with `given` */
    SPEC_A_SET,      /* all of `given` computed before the first is stored */
    SPEC_A_SEND,     /* message with `given` */
    SPEC_A_GOTO,     /* state; End also for `close: true` */
    SPEC_A_CLOSE,    /* `close: true` of a client that connects again */
    SPEC_A_ABORT,    /* close: abort */
    SPEC_A_TIMER,    /* timer, `start` */
    SPEC_A_RESULT,   /* given */
    SPEC_A_ERROR,    /* name, value (a text that says more, or NULL) */
    SPEC_A_IF,       /* value, body, otherwise */
    SPEC_A_CHOOSE,   /* ways: one of them; `maybe` has an empty second one */
    SPEC_A_WAIT,     /* in calls: `expect`, see struct spec_step */
    SPEC_A_DECLINE,  /* the reliable message that came is not taken */
    SPEC_A_MARK,     /* in calls: what was sent last is what `delivered` is about */
    SPEC_A_DECLARED, /* tell, put, each ...: name; its parts were read as far as that can be done */
};

struct spec_action {
    enum spec_action_kind kind;
    struct assay_at at;
    const char *name;
    struct spec_let *let;
    struct spec_effect *effect;
    struct spec_message *message;
    struct spec_state *state;
    struct spec_timer *timer;
    struct spec_error *error;
    const struct spec_call *call; /* RESULT */
    bool start;
    struct spec_list given;
    struct spec_expr *value;
    struct spec_list *body, *otherwise; /* struct spec_action */
    struct spec_list ways;              /* struct spec_way */
};

struct spec_way {
    struct assay_at at;
    const char *name;
    uint8_t level;
    struct spec_expr *when; /* CHOOSE with `if`; NULL: always */
    struct spec_list body;  /* struct spec_action */
};

/* One rule for one or more events. A rule of the file that lists events becomes one of these for all those
 * without a pattern and one for each with a pattern, all at the same place. */
struct spec_rule {
    struct assay_at at;
    const struct assay_node *node;
    struct spec_machine *machine;
    struct spec_state *state;       /* NULL: in "*" */
    struct spec_list events;        /* struct spec_event, without duplicates; `any-message` is spelled out */
    struct spec_list messages;      /* the struct spec_message whose fields are in scope */
    const struct spec_frame *frame; /* whose fields are in scope; NULL: no input behind these events */
    struct spec_list pattern;       /* struct spec_given: field == value; a LIST value: one of its elements */
    struct spec_expr *guard;
    struct spec_list body;       /* struct spec_action, in the order in which they are done */
    struct spec_list *otherwise; /* `else`; NULL: none */
    struct spec_list may;        /* struct spec_way */
    bool ignore;
    const struct assay_node *stateless; /* NULL: it is not */
    struct spec_requirement *req;
    uint8_t level;
    uint16_t locals_first, locals; /* slots of its lets */
    uint16_t index;                /* in the model's rules */
};

struct spec_reconnect {
    struct spec_expr *pause; /* NULL: it does not connect again */
    uint16_t growth;         /* percent */
    int64_t cap, most, early, late;
};

/* A machine as it plays one role on one kind of transport: the same machine of the file may do so several times. */
struct spec_machine {
    struct assay_at at;
    const char *name;
    const struct assay_node *node; /* the same for all roles and transports; NULL: the mirror */
    uint8_t role;                  /* one of enum assay_role */
    bool implicit;                 /* the mirror of the other side's */
    bool datagram;                 /* its frames are datagrams */
    uint16_t transports;           /* bit set: of spec->transports */
    const struct spec_frame *in, *out;
    struct spec_reconnect reconnect;
    struct spec_list vars, timers;
    struct spec_list states; /* plain ones in the order of the file, End last */
    struct spec_list any;    /* rules of "*" */
    struct spec_list rules;  /* all, in the order of the file */
    struct spec_state *start, *end;
    struct spec_var *session;       /* numbers its reliable messages; NULL: nothing does */
    struct spec_expr *first_number; /* of those; NULL: 0 */
    uint16_t index;
};

/* ---- calls ------------------------------------------------------------- */

struct spec_error {
    struct assay_at at;
    const char *name, *text;
    uint16_t index;
};

/* Until the machine is in a state, or what was sent is acknowledged; `ways`: states in which the call ends. */
struct spec_await_way {
    struct spec_state *state;
    struct spec_list body; /* struct spec_action: an error */
};
struct spec_await {
    struct assay_at at;
    struct spec_state *state; /* NULL: it is about what was sent ... */
    bool all;                 /* ... by anybody in this session; else what the call marked */
    struct spec_list ways;    /* struct spec_await_way */
};

/* `expect`: struct spec_rule each, whose body may end in RESULT or ERROR. Other steps are actions. */
struct spec_step {
    struct assay_at at;
    struct spec_action *action; /* NULL: this is an expect, or an await */
    struct spec_await *await;   /* NULL: it is none */
    struct spec_list expect;
};

struct spec_call {
    struct assay_at at;
    const char *name, *text;
    struct spec_list args, results;     /* struct spec_param */
    struct spec_list errors;            /* struct spec_error */
    struct spec_list steps;             /* struct spec_step */
    int64_t within;                     /* ns; 0: none */
    const struct assay_node *opens;     /* NULL: it works on the client's link */
    const struct spec_transport *over;  /* the transport of its link, or of the client's */
    struct spec_machine *machine;       /* whose call it is; NULL: of one that is declared only */
    const struct spec_requirement *req; /* behind its steps that name none */
    const char *kept;                   /* `as` of what it sent last, as its steps are read; NULL: nothing */
    struct spec_event *event;
    uint16_t index;
};

/* ---- the whole --------------------------------------------------------- */

struct spec_transport {
    struct assay_at at;
    const char *name, *bind;
    uint16_t port, client_port;
    bool datagram;
    int64_t max;                    /* of a datagram; 0: that of the frame */
    const struct assay_node *plays; /* `machine`; NULL: not said */
    struct spec_machine *server, *client;
    uint16_t index;
};

/* What a person types or reads: text over the arguments of a call or effect. */
struct spec_terminal_line {
    struct spec_call *call;
    struct spec_effect *effect; /* one of these */
    struct spec_expr *text;
};

struct spec_samples {
    uint16_t field; /* in the model */
    struct assay_blob *items;
    size_t count;
};

struct assay_spec {
    struct assay_arena arena;
    struct assay_diags *diags; /* while it is being read and checked */
    const char *name;          /* of the file */
    const uint8_t *source;
    size_t source_size;
    const struct assay_node *root;

    const char *protocol, *title, *version, *text;
    bool little;
    struct spec_list requires, params, leniencies, transports;
    struct spec_list types;       /* struct spec_named_type */
    struct spec_list enums;       /* named ones and those inside fields */
    struct spec_frame *frames[2]; /* what clients and what servers send; may be the same */
    struct spec_list messages, effects;
    struct spec_list tables, logs;
    struct spec_reliable *reliable; /* NULL: there is none */
    struct spec_impair *impair;     /* NULL: there is none */
    struct spec_list events;        /* as in the model: builtins, faults, timers, messages, calls; then signals */
    struct spec_list machines;      /* struct spec_machine: those that play somewhere, as in the model */
    struct spec_list calls;
    struct spec_list terminal; /* struct spec_terminal_line */
    struct assay_limits limits;
    struct spec_list cases; /* struct assay_hand_case */
    unsigned type_depth;    /* types that are being read inside each other */
    size_t declared;        /* constructs that are declared only: above 0 there is no model */

    struct assay_model *model; /* NULL: none */
    struct spec_list samples;  /* struct spec_samples */
    struct assay_hand_case *hand_cases;
    struct assay_terminal *shown; /* `terminal`; NULL: there is none */
};

/* Whether a field may lack a value in a message that was read whole. */
static inline bool assay_may_lack(const struct spec_field *f)
{
    return f->present || f->optional;
}

/* How a side's bytes become frames: datagrams, or not. NULL behind an error. */
static inline struct spec_frame *assay_frame_for(const struct assay_spec *spec, uint8_t from, bool datagram)
{
    struct spec_frame *frame = spec->frames[from == ASSAY_SERVER];
    return frame && datagram && frame->datagram ? frame->datagram : frame;
}

static inline bool assay_knows(const struct spec_machine *machine, const struct spec_message *m)
{
    return (machine->transports & m->transports) != 0;
}

/* An error, warning or note at a place. */
void assay_spec_error(struct assay_spec *spec, struct assay_at at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void assay_spec_warning(struct assay_spec *spec, struct assay_at at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A construct that is read, but not run: a note, and no model. */
void assay_spec_declared(struct assay_spec *spec, struct assay_at at, const char *what);

/* Meaning beyond names and types: totality, reachability, guards, requirements, examples ... Called after
 * resolving (and lowering, when there is a model) without errors. Adds to spec->diags. */
void assay_check_semantics(struct assay_spec *spec);

#endif
