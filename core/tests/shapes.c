#include <string.h>

#include "core/tests/shapes.h"

#define BLOB(s)                                                                                                        \
    {                                                                                                                  \
        (const uint8_t *)(s), sizeof(s) - 1                                                                            \
    }

static const struct assay_type types[] = {
    [ST_ANY] = {"int", ASSAY_T_INT, 0, ASSAY_NONE, ASSAY_NONE, INT64_MIN, INT64_MAX},
    [ST_BOOL] = {"bool", ASSAY_T_BOOL, 0, ASSAY_NONE, ASSAY_NONE, 0, 1},
    [ST_SMALL] = {"small", ASSAY_T_INT, 0, ASSAY_NONE, ASSAY_NONE, 2, 9},
    [ST_ENUM] = {"enum", ASSAY_T_ENUM, 0, 0, ASSAY_NONE, 0, 0},
    [ST_OPEN] = {"open", ASSAY_T_ENUM, 0, 1, ASSAY_NONE, 0, 0},
    [ST_WORD] = {"word", ASSAY_T_ENUM, 0, 2, ASSAY_NONE, 0, 0},
    [ST_BYTES] = {"bytes", ASSAY_T_BYTES, 0, ASSAY_NONE, ASSAY_NONE, 0, 8},
    [ST_UTF8] = {"text", ASSAY_T_TEXT, ASSAY_CS_UTF8, ASSAY_NONE, ASSAY_NONE, 1, 8},
    [ST_LOWER] = {"lower", ASSAY_T_BYTES, 0, ASSAY_NONE, 0, 0, 8},
    [ST_LIST] = {"list", ASSAY_T_LIST, 0, ST_SMALL, ASSAY_NONE, 0, 3},
};
static const struct assay_byteset sets[] = {{{0, 0x07fffffe00000000, 0, 0}}}; /* a to z */
static const struct assay_enum enums[] = {
    {"enum", {0, 2}, false, false}, {"open", {0, 2}, true, false}, {"word", {2, 2}, false, true}};
static const struct assay_enum_item items[] = {
    {"one", 1, {0}}, {"nine", 9, {0}}, {"get", 0, BLOB("GET")}, {"put", 1, BLOB("PUT")}};
static const struct assay_blob blobs[] = {BLOB(":"), BLOB("\r\n"), BLOB("\n"), BLOB("MAGIC")};
static const struct assay_delims delims[] = {{{0, 1}}, {{1, 2}}};
static const struct assay_event_def events[SE_FAULT + 1];

struct assay_model shapes;
struct assay_message shape_messages[4];
struct assay_frame shape_frame;
struct assay_env shape_env;
assay_val shape_slots[ASSAY_SLOTS_MAX];
static struct assay_field fields[32];
static uint32_t codes[256];
static uint8_t scratch[256];

void shape_begin(void)
{
    shape_frame = (struct assay_frame){.end = ASSAY_END_DATAGRAM,
                                       .body = ASSAY_NONE,
                                       .tag = ASSAY_NONE,
                                       .delims = ASSAY_NONE,
                                       .segment_leniency = ASSAY_NONE,
                                       .max = 64,
                                       .trim = ASSAY_NONE,
                                       .transports = UINT16_MAX};
    shape_messages[0] = shape_messages[1] = (struct assay_message){.name = "m",
                                                                   .from = ASSAY_CLIENT,
                                                                   .tag_code = ASSAY_NONE,
                                                                   .leads = ASSAY_NONE,
                                                                   .req = ASSAY_NONE,
                                                                   .event = SE_MESSAGE,
                                                                   .wire_max = 64,
                                                                   .transports = UINT16_MAX};
    shapes = (struct assay_model){.types = types,
                                  .types_count = 10,
                                  .sets = sets,
                                  .sets_count = 1,
                                  .enums = enums,
                                  .enums_count = 3,
                                  .enum_items = items,
                                  .enum_items_count = 4,
                                  .blobs = blobs,
                                  .blobs_count = 4,
                                  .delims = delims,
                                  .delims_count = 2,
                                  .events = events,
                                  .events_count = SE_FAULT + 1,
                                  .messages = shape_messages,
                                  .messages_count = 1,
                                  .frames = &shape_frame,
                                  .frames_count = 1,
                                  .fields = fields,
                                  .code = codes};
    shape_env = (struct assay_env){.model = &shapes, .slots = shape_slots, .scratch = scratch, .scratch_cap = 256};
}

uint16_t shape_code(const uint32_t *code, size_t n)
{
    uint16_t start = shapes.code_count;
    memcpy(codes + start, code, n * sizeof *code);
    shapes.code_count = (uint16_t)(start + n);
    return start;
}

void shape(const struct assay_field *from, size_t n)
{
    memcpy(fields, from, n * sizeof *from);
    shapes.fields_count = (uint16_t)n;
    shape_messages[0].fields = (struct assay_range){0, (uint16_t)n};
}

struct assay_decoded shape_decode(const void *p, uint32_t n)
{
    shape_env.frame = p;
    shape_env.scratch_used = 0;
    return assay_decode(&shape_env, 0, ASSAY_CLIENT, (struct assay_span){p, n});
}

int64_t shape_int(unsigned slot)
{
    return (int64_t)shape_slots[slot];
}

bool shape_is(unsigned slot, const void *p, uint32_t n)
{
    struct assay_span s = assay_bytes(&shape_env, shape_slots[slot]);
    return (shape_env.known >> slot & 1) && s.n == n && memcmp(s.p, p, n) == 0;
}

struct assay_encoded shape_encode(uint8_t *out, uint32_t cap)
{
    return assay_encode(&shape_env, 0, 0, out, cap, false);
}

bool shape_round_trip(const void *p, uint32_t n)
{
    uint8_t out[64];
    if (shape_decode(p, n).event != SE_MESSAGE)
        return false;
    struct assay_encoded e = shape_encode(out, sizeof out);
    return e.status == ASSAY_ENCODED && e.size == n && memcmp(out, p, n) == 0;
}
