/* What the generators share: the explored protocol, and a case in the making.
 * Internal to the suite. */
#ifndef ASSAY_CONFORMANCE_BUILD_H
#define ASSAY_CONFORMANCE_BUILD_H

#include "conformance/case.h"
#include "conformance/explore.h"

struct assay_suite_all;

struct assay_builder {
    struct assay_suite_all *all;
    struct assay_store *store;
    const struct assay_spec *spec;
    const struct assay_model *model;
    const struct assay_frame *frame; /* that the server reads */
    struct assay_witness_config config;
    struct assay_inputs inputs;
    struct assay_explored explored;
    uint64_t *signatures; /* by input: which of all guards hold for its fields */
    bool *tried; /* by input: of those that are the same with every message, it or its like was tried in full */
    bool faults; /* wanted */
    bool real_time;
    bool stops;   /* steps DEAF, GONE and RESTART are wanted */
    bool arrives; /* the target makes its links by itself */
    int64_t call_timeout, patience;
    bool segments; /* a first segment without a delimiter changes how the stream is read */

    bool entered[UINT8_MAX]; /* links of the case that the target was waited for to make */
    struct assay_case current;
    struct assay_step *steps;
    size_t step_count, step_cap;
};

/* ---- a case: begin, steps, finish. Its id is protocol/state/event/variant. -- */

void assay_build_begin(struct assay_builder *b, const char *state, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void assay_build_send(struct assay_builder *b, uint8_t link, struct assay_blob bytes, uint8_t flags);
/* An input of the alphabet: bytes, or a call. */
void assay_build_input(struct assay_builder *b, uint8_t link, size_t input);
/* The same with another number than its turn is, and the target's session. */
void assay_build_stamped(struct assay_builder *b, uint8_t link, size_t input, int32_t offset);
/* All that the target has sent on the link was seen. */
void assay_build_acknowledge(struct assay_builder *b, uint8_t link);
void assay_build_step(struct assay_builder *b, uint8_t link, enum assay_step_kind kind);
/* All that is owed on the link has to be seen. */
void assay_build_await(struct assay_builder *b, uint8_t link);
/* An input, and all that comes of it. */
void assay_build_give(struct assay_builder *b, uint8_t link, size_t input);
void assay_build_pause(struct assay_builder *b, int64_t ns);

/* From a fresh connection to a node, each input answered before the next. */
void assay_build_path(struct assay_builder *b, uint8_t link, uint32_t node);

/* Where the first segment decides how a stream is read: a frame that makes sure that it is by delimiters,
 * to send first at a node where nothing was sent before. Else empty. */
struct assay_blob assay_build_lead(const struct assay_builder *b, uint32_t node);
void assay_build_fix_mode(struct assay_builder *b, uint8_t link, uint32_t node);

/* After something that left `link` as `r` says: wait for what is owed, then show in which state it is. */
void assay_build_tail(struct assay_builder *b, uint8_t link, uint16_t before, const struct assay_reaction *r);

/* The case is kept with the requirement of `rule` (ASSAY_NONE: of none). `text` says what it shows. */
void assay_build_finish(struct assay_builder *b, uint16_t rule, enum assay_case_class class, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void assay_build_note(struct assay_builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

const char *assay_build_state_name(const struct assay_builder *b, uint16_t state);
const char *assay_build_event_name(const struct assay_builder *b, uint16_t event);

/* The first input that `node` answers with one step, goes on after and prefers an example; SIZE_MAX: none. */
size_t assay_build_friendly(const struct assay_builder *b, uint32_t node);
/* One that it answers and stays the same node; SIZE_MAX: none. */
size_t assay_build_loop(const struct assay_builder *b, uint32_t node);
/* One that ends the session with an answer; SIZE_MAX: none. */
size_t assay_build_farewell(const struct assay_builder *b, uint32_t node);

/* Inputs with one outcome at a node (rule, event, state behind it) show the same: whether this is the first one that
 * `suits`, of those with its outcome. */
typedef bool assay_build_suits(const struct assay_builder *b, uint32_t node, size_t input);
bool assay_build_is_first(const struct assay_builder *b, uint32_t node, size_t input, assay_build_suits *suits);
/* Whether it is the first node of its state at which no call waits. */
bool assay_build_is_free(const struct assay_builder *b, uint32_t node);

struct assay_blob assay_build_join(struct assay_builder *b, struct assay_blob x, struct assay_blob y);

/* ---- families ---------------------------------------------------------- */

typedef void assay_generator(struct assay_builder *b);
assay_generator assay_generate_rules;     /* each cell of (state, event), each border of a field */
assay_generator assay_generate_segments;  /* the same in segment mode */
assay_generator assay_generate_ends;      /* eof, eof inside a frame, reset, half-close */
assay_generator assay_generate_framing;   /* cuts, pieces, frames in one segment */
assay_generator assay_generate_sessions;  /* many at once */
assay_generator assay_generate_effects;   /* what observers have to show */
assay_generator assay_generate_times;     /* timers, idle and slow peers */
assay_generator assay_generate_faults;    /* effects that fail, memory that is short */
assay_generator assay_generate_filled;    /* the same again until something is full */
assay_generator assay_generate_lossy;     /* the tester is a network that loses, doubles, reorders and spoils */
assay_generator assay_generate_repeats;   /* clients: datagrams that come twice, and then time */
assay_generator assay_generate_foreign;   /* what is right but for its session */
assay_generator assay_generate_copies;    /* what the target sends again */
assay_generator assay_generate_strangers; /* who sends less than it must */
assay_generator assay_generate_window;    /* as many on their way as may be, and more */
assay_generator assay_generate_wrap;      /* numbers that wrap where the target draws what they begin with */
assay_generator assay_generate_redraws;   /* clients: a session that is drawn anew while a message waits */
assay_generator assay_generate_seals;     /* seals that are too old */
assay_generator assay_generate_restarts;  /* servers that are killed and started again */
assay_generator assay_generate_by_hand;   /* the spec's own cases */
assay_generator assay_generate_calls;     /* clients: calls through to their result, and those that time out */
assay_generator assay_generate_again;     /* clients: connecting again */
assay_generator assay_generate_stops;     /* servers that are told to stop */

/* ---- the suite behind the public one ------------------------------------ */

struct assay_suite_all {
    struct assay_suite suite; /* first: this is what users hold */
    struct assay_store store;
    struct assay_case *cases;
    size_t count, cap;
    const char **notes;
    size_t note_count, note_cap;
};

/* The terminal at which such a target is read; NULL: none. */
const struct assay_terminal *assay_suite_terminal(const struct assay_spec *spec,
                                                  const struct assay_suite_options *options);

/* The same as assay_suite_make() for a model whose spec is not at hand (NULL). */
struct assay_suite *assay_suite_build(const struct assay_spec *spec, const struct assay_model *model,
                                      const struct assay_suite_options *options);

#endif
