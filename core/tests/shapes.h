/* A protocol of one message, made of the fields that a test names. */
#ifndef ASSAY_CORE_TESTS_SHAPES_H
#define ASSAY_CORE_TESTS_SHAPES_H

#include "core/codec.h"
#include "core/code.h"

/* FIELD() gives defaults first, which designators then override. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

#define I(op, a, b) assay_ins(ASSAY_OP_##op, a, (unsigned)(b))
#define FIELD(...)                                                                                                     \
    (struct assay_field)                                                                                               \
    {                                                                                                                  \
        .name = "f", .present = ASSAY_NONE, .is = ASSAY_NONE, .init = ASSAY_NONE, .check = ASSAY_NONE,                 \
        .fault = ASSAY_NONE, .req = ASSAY_NONE, .leniency = ASSAY_NONE, .element = ASSAY_NONE, __VA_ARGS__             \
    }
#define INT(b, ...) FIELD(.type = ST_ANY, .form = ASSAY_FORM_INT, .bits = b, __VA_ARGS__)
#define BYTES(...)  FIELD(.type = ST_BYTES, .form = ASSAY_FORM_BYTES, __VA_ARGS__)
#define REST        .extent = ASSAY_EXT_REST
#define UNTIL(d)    .extent = ASSAY_EXT_UNTIL, .extent_arg = d
#define PREFIX(b)   .extent = ASSAY_EXT_PREFIX, .extent_arg = b
#define CODE(...)   shape_code((uint32_t[]){__VA_ARGS__, I(END, 0, 0)}, sizeof((uint32_t[]){__VA_ARGS__, 0}) / 4)
#define SHAPE(...)                                                                                                     \
    shape((struct assay_field[]){__VA_ARGS__}, sizeof((struct assay_field[]){__VA_ARGS__}) / sizeof(struct assay_field))

/* Types, delimiters and constants to make fields of. */
enum { ST_ANY, ST_BOOL, ST_SMALL, ST_ENUM, ST_OPEN, ST_WORD, ST_BYTES, ST_UTF8, ST_LOWER, ST_LIST };
enum { SD_COLON, SD_CRLF_OR_LF };
enum { SB_MAGIC = 3 };
enum { SE_MESSAGE = ASSAY_EV_BUILTINS, SE_FAULT };

extern struct assay_model shapes;
extern struct assay_message shape_messages[4];
extern struct assay_frame shape_frame;
extern struct assay_env shape_env;
extern assay_val shape_slots[ASSAY_SLOTS_MAX];

/* Begin anew; then codes, then fields: all of the first message, in a datagram. */
void shape_begin(void);
uint16_t shape_code(const uint32_t *code, size_t n);
void shape(const struct assay_field *fields, size_t n);

struct assay_decoded shape_decode(const void *p, uint32_t n);
/* The number, or the bytes, in a slot. */
int64_t shape_int(unsigned slot);
bool shape_is(unsigned slot, const void *p, uint32_t n);
/* Encode what stands in the slots; decoded input that encodes to itself is true. */
struct assay_encoded shape_encode(uint8_t *out, uint32_t cap);
bool shape_round_trip(const void *p, uint32_t n);

#define LIT(s)         (s), (uint32_t)(sizeof(s) - 1)
#define DECODES(s)     assert_int_equal(shape_decode(LIT(s)).event, SE_MESSAGE)
#define GIVES(s, what) assert_int_equal(shape_decode(LIT(s)).event, what)

#endif
