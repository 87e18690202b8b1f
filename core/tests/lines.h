/* Lines of text, as a shape: `<from:port to:port/command name=value;...`, or a JSON object instead of command and
 * pairs. */
#ifndef ASSAY_CORE_TESTS_LINES_H
#define ASSAY_CORE_TESTS_LINES_H

#include "core/engine.h"
#include "core/tests/shapes.h"

enum {
    L_FROM_THERE,
    L_FROM,
    L_FROM_PORT,
    L_TO_THERE,
    L_TO,
    L_TO_PORT,
    L_OBJECT,
    L_COMMAND,
    L_PARAMS_THERE,
    L_PARAMS,
    L_OWN, /* the first field of a message */
};
enum { LM_ASK, LM_TOLD, LM_SET, LM_NOTE, LM_COUNT };
#define LE_MESSAGE(m) ((uint16_t)(SE_FAULT + 1 + (m)))
#define LE_COUNT      LE_MESSAGE(LM_COUNT)
enum { LF_OBJECT = 12, LF_COMMAND, LF_PARAMS = 16, LF_COUNT };
#define LINES_SCRATCH 4096

/* shape_begin() with these; ASK has no fields, TOLD a required `command`, SET an optional `size` (decimal), `hex`,
 * `kind` (GET or PUT) and `note`, NOTE (on transport 1 alone) nothing. */
void lines_begin(void);

/* Tables of lines_begin() that tests change. */
extern struct assay_pairs lines_pairs;
extern struct assay_message lines_messages[LM_COUNT];

#endif
