/* Two small protocols as hand-made tables, to test the core with.
 *
 * notes: binary. A request is kind u8, length u16 little-endian, body; a reply
 * is one byte. name, password, then messages, each appended to a log by an
 * effect that can fail; close at any time. The client offers login, post, bye.
 *
 * sums: lines. "square 12" is answered "144", anything else "error: ...". */
#ifndef ASSAY_CORE_TESTS_MODELS_H
#define ASSAY_CORE_TESTS_MODELS_H

#include "core/code.h"

enum { NOTES_ON_REQUEST = 0, NOTES_REPLY_FRAME = 1 };
enum { NOTES_NAME, NOTES_PASSWORD, NOTES_MESSAGE, NOTES_CLOSE, NOTES_REPLY };
enum {
    NOTES_S_NAME,
    NOTES_S_PASSWORD,
    NOTES_S_READY,
    NOTES_S_END,
    NOTES_C_IDLE,
    NOTES_C_LOGIN1,
    NOTES_C_LOGIN2,
    NOTES_C_POST,
    NOTES_C_BYE,
    NOTES_C_END
};
enum { NOTES_CALL_LOGIN, NOTES_CALL_POST, NOTES_CALL_BYE };
enum { NOTES_VAR_USER, NOTES_VAR_COUNT, NOTES_VAR_ARG_NAME, NOTES_VAR_ARG_PASSWORD, NOTES_VAR_ARG_TEXT };
enum { NOTES_EFFECT_APPEND, NOTES_EFFECT_NOTICE };
#define NOTES_IDLE_NS  ((int64_t)5000000000)
#define NOTES_BODY_MAX 200

/* `gated`: the append rule carries ASSAY_RULE_GATE. Valid until the next call. */
const struct assay_model *notes_model(bool gated);

/* Give the server's rule for an event in all states another body and `else` (n 0: none); ends are added. */
#define NOTES_EV_CLOSE (ASSAY_EV_BUILTINS + 1 + NOTES_CLOSE)
const struct assay_model *notes_with(uint16_t event, const uint32_t *body, size_t n, const uint32_t *otherwise,
                                     size_t otherwise_n);

/* The client's call `post` sends nothing: it waits for what the server says by itself. */
const struct assay_model *notes_greeting(void);

enum { SUMS_ASK, SUMS_ANSWER, SUMS_ERROR };
const struct assay_model *sums_model(void);

#endif
