/* A protocol whose rules a test makes: requests of a kind, a key and a value, answered with bytes; two tables. */
#ifndef ASSAY_CORE_TESTS_USERS_H
#define ASSAY_CORE_TESTS_USERS_H

#include "core/code.h"
#include "core/engine.h"

/* Slots of a request; field of an answer. */
enum { USERS_KIND, USERS_KEY, USERS_VALUE };
enum { USERS_TEXT = 1 };
enum { USERS_KINDS = 4, USERS_ANSWER = USERS_KINDS };
/* Tables: `names`, durable, of bytes to bytes and a number, at most 3; `cache`, in memory, of numbers to bytes. */
enum { USERS_NAMES, USERS_CACHE };
enum { USERS_PUT_NAME, USERS_PUT_CACHE, USERS_APPEND };
enum { USERS_VAR_BYTES, USERS_VAR_NUMBER };
enum { USERS_OPEN, USERS_END };

/* Constants: blobs. */
enum { USERS_B_YES, USERS_B_NO, USERS_B_FAILED };

#define I(op, a, b) assay_ins(ASSAY_OP_##op, a, (unsigned)(b))
#define CODE(...)   users_code((uint32_t[]){__VA_ARGS__, I(END, 0, 0)}, sizeof((uint32_t[]){__VA_ARGS__, 0}) / 4)
#define ANSWER(...) __VA_ARGS__, I(OUT, 0, USERS_TEXT), I(SEND, 0, USERS_ANSWER)

/* Begin anew; then codes and rules, those of a kind in order; then the model, valid until the next beginning. */
void users_begin(void);
uint16_t users_code(const uint32_t *ins, size_t n);
void users_rule(unsigned kind, uint16_t guard, uint16_t body, uint16_t otherwise);
struct assay_model *users_model(void);

/* A host of four sessions. */
enum { USERS_SESSIONS = 4 };
struct users {
    struct assay_config config;
    struct assay_engine *engine;
    assay_sid sids[USERS_SESSIONS];
    assay_time now;
    uint8_t in[USERS_SESSIONS][140], bytes[512];
    uint32_t in_n[USERS_SESSIONS];
    struct assay_out out;
    struct assay_cut cuts[8];
    assay_token token; /* of the effect ordered last */
    uint16_t effect;
    unsigned ordered, ended;
    assay_val values[4];
    uint8_t spans[4][64];
    uint32_t spans_n[4];
};
/* `config`: fields that are zero are filled in. */
void users_open(struct users *u, struct assay_config config);
void users_close(struct users *u);
enum assay_rc users_ask(struct users *u, unsigned who, unsigned kind, const char *key, const char *value);
/* The same request again. */
enum assay_rc users_again(struct users *u, unsigned who);
enum assay_rc users_complete(struct users *u, assay_token token, bool done);
/* Whether all that was answered since the last question is this text, in one message. */
bool users_said(struct users *u, const char *text);
struct assay_span users_text(struct users *u);

#endif
