/* The hand-made protocols that core is tested with, and two of the server's own. */
#include "core/tests/models.c"

#include "ref-server/tests/models.h"

/* ---- sums over both ---------------------------------------------------- */

const struct assay_model *sums_over_both(void)
{
    static struct assay_model m;
    static struct assay_frame frames[4];
    static struct assay_machine machines[2];
    static const struct assay_transport transports[] = {{.name = "tcp", .server = 0, .client = NONE},
                                                        {.name = "udp", .server = 1, .client = NONE}};
    m = *sums_model();
    for (int i = 0; i < 2; i++) {
        frames[i] = frames[i + 2] = m.frames[i];
        frames[i + 2].end = ASSAY_END_DATAGRAM;
        machines[i] = m.machines[0]; /* the same states and rules */
    }
    machines[1].frame_in = 2;
    machines[1].frame_out = 3;
    TABLE(&m, frames, frames), TABLE(&m, machines, machines), TABLE(&m, transports, transports);
    return &m;
}

/* ---- desk -------------------------------------------------------------- */

enum { TD_KIND, TD_CONTENT, TD_SIZE };
static const struct assay_type desk_types[] = {
    [TD_KIND] = {"u8", ASSAY_T_INT, 0, NONE, NONE, 0, 255},
    [TD_CONTENT] = {"bytes", ASSAY_T_BYTES, 0, NONE, NONE, 0, DESK_MAX},
    [TD_SIZE] = {"i32", ASSAY_T_INT, 0, NONE, NONE, 0, INT32_MAX},
};
static const struct assay_blob desk_blobs[] = {BLOB("\n"), BLOB("?")};
static const struct assay_delims desk_delims[] = {{RANGE(0, 1)}};
static const struct assay_param desk_params[] = {{"content", "", TD_CONTENT, NONE}, {"size", "", TD_SIZE, NONE}};

enum { D_GATHER, D_RELEASE, D_WRITE, D_APPLY, D_REPORT, D_TELL, D_STOP, D_REOPEN, D_EFFECTS };
enum { D_QUIT = D_EFFECTS, D_OK, D_NO, D_MESSAGES };
static const char desk_tags[D_MESSAGES + 1] = "grwaevsoq+-";
static struct assay_effect desk_effects[D_EFFECTS] = {
    [D_GATHER] = {"gather", RANGE(0, 1), "gather", NULL, true},
    [D_RELEASE] = {"release", RANGE(0, 1), "release", NULL, true},
    [D_WRITE] = {"write", RANGE(0, 1), "append", "log", true},
    [D_APPLY] = {"apply", RANGE(0, 2), NULL, NULL, true},
    [D_REPORT] = {"report", RANGE(0, 1), "report", "stderr", false},
    [D_TELL] = {"tell", RANGE(0, 2), NULL, NULL, false},
    [D_STOP] = {"stop", RANGE(0, 0), "stop", NULL, false},
    [D_REOPEN] = {"reopen", RANGE(0, 0), "reopen", NULL, false},
};

/* The effect of a message, then its content again as the answer. */
static void desk_effect(uint16_t i)
{
    uint32_t size[] = {I(SLOT, 0, 1), I(SIZE, 0, 0)}, ok[] = {I(SLOT, 0, 1), I(OUT, 0, 1), I(SEND, 0, D_OK)};
    static const unsigned counts[D_EFFECTS] = {1, 1, 1, 2, 1, 2, 0, 0};
    uint16_t bodies[] = {
        CODE(I(EFFECT, 0, i), ok[0], ok[1], ok[2]),
        CODE(I(SLOT, 0, 1), I(EFFECT, 1, i), ok[0], ok[1], ok[2]),
        CODE(I(SLOT, 0, 1), size[0], size[1], I(EFFECT, 2, i), ok[0], ok[1], ok[2]),
    };
    uint16_t write = CODE(I(SLOT, 0, 1), I(BLOB, 0, 0), I(JOIN, 2, 0), I(EFFECT, 1, i), ok[0], ok[1], ok[2]);
    struct assay_rule *r =
        rule(0, 0, (uint16_t)(ASSAY_EV_BUILTINS + i), NONE, i == D_WRITE ? write : bodies[counts[i]]);
    if (desk_effects[i].fallible)
        r->otherwise = CODE(ok[0], ok[1], I(SEND, 0, D_NO));
}

static void desk_rules(void)
{
    static const uint16_t bad[] = {ASSAY_EV_MALFORMED, ASSAY_EV_UNKNOWN, ASSAY_EV_OVERSIZE};
    static const uint16_t ends[] = {ASSAY_EV_EOF, ASSAY_EV_EOF_IN_FRAME, ASSAY_EV_RESET};
    for (uint16_t i = 0; i < D_EFFECTS; i++)
        desk_effect(i);
    rule(0, 0, ASSAY_EV_BUILTINS + D_QUIT, NONE, CODE(I(SLOT, 0, 1), I(OUT, 0, 1), I(SEND, 0, D_OK), I(GOTO, 0, 1)));
    for (size_t i = 0; i < COUNT(bad); i++)
        rule(0, 0, bad[i], NONE, CODE(I(BLOB, 0, 1), I(OUT, 0, 1), I(SEND, 0, D_NO)));
    for (size_t i = 0; i < COUNT(ends); i++)
        rule(0, 0, ends[i], NONE, CODE(I(GOTO, 0, 1)));
    for (uint16_t i = 0; i < rules_used; i++)
        rules[i].out_max = DESK_MAX;
}

const struct assay_model *desk_model(const char *window)
{
    static struct assay_model m;
    static struct assay_field fields[2];
    static struct assay_frame frames[2];
    static struct assay_machine machines[2];
    static struct assay_message messages[D_MESSAGES];
    static struct assay_event_def events[ASSAY_EV_BUILTINS + D_MESSAGES] = {BUILTIN_EVENTS};
    static const struct assay_transport transports[] = {{.name = "tcp", .server = 0, .client = NONE},
                                                        {.name = "udp", .server = 1, .client = NONE}};
    static const struct assay_option options[] = {
        {.name = "count", .type = TD_KIND, .value = 1},
        {.name = "place", .type = TD_CONTENT, .blob = {(const uint8_t *)"other", 5}},
    };
    codes_used = rules_used = 0;
    desk_effects[D_GATHER].object = desk_effects[D_RELEASE].object = window;
    fields[0] = FIELD(.name = "kind", .type = TD_KIND, .slot = 0, .form = ASSAY_FORM_INT, .bits = 8);
    fields[1] =
        FIELD(.name = "content", .type = TD_CONTENT, .slot = 1, .form = ASSAY_FORM_BYTES, .extent = ASSAY_EXT_REST);
    frames[0] =
        (struct assay_frame){ASSAY_END_UNTIL, RANGE(0, 1), NONE, 0, 0, NONE, DESK_MAX, 0, false, NONE, UINT16_MAX};
    frames[1] =
        (struct assay_frame){ASSAY_END_DATAGRAM, RANGE(0, 1), NONE, 0, NONE, NONE, 1000, 0, false, NONE, UINT16_MAX};
    for (uint16_t i = 0; i < D_MESSAGES; i++) {
        messages[i] = (struct assay_message){.name = "message",
                                             .from = i < D_OK ? ASSAY_CLIENT : ASSAY_SERVER,
                                             .tag_kind = ASSAY_TAG_VALUE,
                                             .tag_code = NONE,
                                             .tag = desk_tags[i],
                                             .fields = RANGE(1, 1),
                                             .leads = NONE,
                                             .req = NONE,
                                             .event = (uint16_t)(ASSAY_EV_BUILTINS + i),
                                             .wire_max = DESK_MAX,
                                             .transports = UINT16_MAX};
        events[ASSAY_EV_BUILTINS + i] = (struct assay_event_def){"message", ASSAY_EVK_MESSAGE, i};
    }
    desk_rules();
    for (uint16_t i = 0; i < 2; i++)
        machines[i] = (struct assay_machine){.name = "desk",
                                             .role = ASSAY_SERVER,
                                             .states = RANGE(0, 2),
                                             .start = 0,
                                             .vars = RANGE(0, 0),
                                             .timers = RANGE(0, 0),
                                             .rules = RANGE(0, rules_used),
                                             .frame_in = i,
                                             .frame_out = i,
                                             .reconnect = {.pause = NONE},
                                             .session = ASSAY_NONE,
                                             .first_number = ASSAY_NONE};
    m = (struct assay_model){.protocol = "desk",
                             .limits = {64, 1024, 64, 1024, 1024, 0, 0, 0},
                             .scratch = 2 * DESK_MAX,
                             .frame_max = DESK_MAX,
                             .out_max = DESK_MAX,
                             .server = 0,
                             .client = NONE};
    TABLE(&m, types, desk_types), TABLE(&m, blobs, desk_blobs), TABLE(&m, delims, desk_delims);
    TABLE(&m, options, options), TABLE(&m, params, desk_params), TABLE(&m, effects, desk_effects),
        TABLE(&m, states, sums_states);
    TABLE(&m, messages, messages), TABLE(&m, events, events), TABLE(&m, transports, transports);
    TABLE(&m, fields, fields), TABLE(&m, frames, frames), TABLE(&m, machines, machines);
    m.machines_count = 1; /* the other one has the same states and rules */
    build_transitions(&m);
    m.machines_count = 2;
    return &m;
}
