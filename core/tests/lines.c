#include "core/tests/lines.h"

#define BLOB(s)                                                                                                        \
    {                                                                                                                  \
        (const uint8_t *)(s), sizeof(s) - 1                                                                            \
    }
#define TABLE(name, array) (shapes.name = (array), shapes.name##_count = sizeof(array) / sizeof *(array))

enum { T_INT, T_BOOL, T_NAME, T_VALUE, T_PARAMS, T_KIND };
static const struct assay_type types[] = {
    [T_INT] = {"int", ASSAY_T_INT, 0, ASSAY_NONE, ASSAY_NONE, -1000, 1000},
    [T_BOOL] = {"bool", ASSAY_T_BOOL, 0, ASSAY_NONE, ASSAY_NONE, 0, 1},
    [T_NAME] = {"name", ASSAY_T_TEXT, ASSAY_CS_ASCII, ASSAY_NONE, 0, 1, 16},
    [T_VALUE] = {"value", ASSAY_T_BYTES, 0, ASSAY_NONE, ASSAY_NONE, 0, 40},
    [T_PARAMS] = {"params", ASSAY_T_BYTES, 0, ASSAY_NONE, ASSAY_NONE, 0, 1000},
    [T_KIND] = {"kind", ASSAY_T_ENUM, 0, 0, ASSAY_NONE, 0, 0},
};
enum { S_NAME, S_FIRST, S_QUOTE_IF, S_TRIM };
static const struct assay_byteset sets[] = {
    [S_NAME] = {{0x03ff000000000000, 0x07fffffe87fffffe, 0, 0}},
    [S_FIRST] = {{0, 0x07fffffe87fffffe, 0, 0}},
    [S_QUOTE_IF] = {{UINT64_C(1) << ';', 0, 0, 0}},
    [S_TRIM] = {{UINT64_C(1) << ' ' | 1u << '\t' | 1u << '\r', 0, 0, 0}},
};
enum {
    B_NEWLINE,
    B_SPACE,
    B_BRACE,
    B_COLON,
    B_SLASH,
    B_ASSIGN,
    B_SEMICOLON,
    B_ANGLE,
    B_COMMAND,
    B_SIZE,
    B_HEX,
    B_KIND,
    B_NOTE
};
static const struct assay_blob blobs[] = {BLOB("\n"),  BLOB(" "),    BLOB("{"),   BLOB(":"),       BLOB("/"),
                                          BLOB("="),   BLOB(";"),    BLOB("<"),   BLOB("command"), BLOB("size"),
                                          BLOB("hex"), BLOB("kind"), BLOB("note")};
enum { D_NEWLINE, D_NAME, D_HEAD };
static const struct assay_delims delims[] = {{{B_NEWLINE, 1}}, {{B_SPACE, 6}}, {{B_SPACE, 2}}};
static const struct assay_enum enums[] = {{"kind", {0, 2}, false, true}};
static const struct assay_enum_item items[] = {{"get", 0, BLOB("GET")}, {"put", 1, BLOB("PUT")}};
static const struct assay_ahead aheads[] = {{ASSAY_AHEAD_BEGINS, BLOB("<"), ASSAY_NONE},
                                            {ASSAY_AHEAD_HOLDS, BLOB("/"), D_HEAD},
                                            {ASSAY_AHEAD_BEGINS, BLOB("{"), ASSAY_NONE},
                                            {ASSAY_AHEAD_BEGINS, BLOB(" "), ASSAY_NONE}};
static const struct assay_object objects[] = {{{0, 1}, LF_PARAMS}};
static const struct assay_object_member object_members[] = {{BLOB("command"), LF_COMMAND}};
static const struct assay_event_def events[LE_COUNT];

struct assay_pairs lines_pairs;
struct assay_message lines_messages[LM_COUNT];

static const struct assay_blob tags[] = {BLOB("ASK"), BLOB("TOLD"), BLOB("SET"), BLOB("NOTE")};

static void messages(void)
{
    static const struct assay_range own[] = {{LF_COUNT, 0}, {LF_COUNT, 1}, {LF_COUNT + 1, 4}, {LF_COUNT, 0}};
    for (uint16_t i = 0; i < LM_COUNT; i++) {
        lines_messages[i] = shape_messages[0];
        lines_messages[i].tag_kind = ASSAY_TAG_TEXT;
        lines_messages[i].tag_text = tags[i];
        lines_messages[i].fields = own[i];
        lines_messages[i].event = LE_MESSAGE(i);
        lines_messages[i].transports = i == LM_NOTE ? 2 : 3;
    }
    shapes.messages = lines_messages;
    shapes.messages_count = LM_COUNT;
}

static void tables(void)
{
    lines_pairs = (struct assay_pairs){.separator = ';',
                                       .assign = '=',
                                       .quote = '"',
                                       .escape = '\\',
                                       .escapes = 3,
                                       .letters = "\\nr",
                                       .stands = "\\\n\r",
                                       .duplicates = ASSAY_DUP_LAST,
                                       .sorted = true,
                                       .quote_if = S_QUOTE_IF,
                                       .name_type = T_NAME,
                                       .value_type = T_VALUE,
                                       .most = 8,
                                       .name_first = S_FIRST,
                                       .value_first = ASSAY_NONE,
                                       .req = ASSAY_NONE};
    TABLE(types, types), TABLE(sets, sets), TABLE(blobs, blobs), TABLE(delims, delims), TABLE(enums, enums);
    TABLE(enum_items, items), TABLE(aheads, aheads), TABLE(objects, objects), TABLE(events, events);
    TABLE(object_members, object_members);
    shapes.pairs = &lines_pairs;
    shapes.pairs_count = 1;
}

#define NAME(slot_, there)                                                                                             \
    FIELD(.type = T_NAME, .form = ASSAY_FORM_BYTES, .extent = ASSAY_EXT_BEFORE, .extent_arg = D_NAME, .slot = slot_,   \
          .present = there)
#define TEXT(blob, there)                                                                                              \
    FIELD(.name = NULL, .type = ASSAY_NONE, .form = ASSAY_FORM_CONST, .extent_arg = blob, .slot = ASSAY_NONE,          \
          .present = there)
#define AHEAD(which, slot_, is_)                                                                                       \
    FIELD(.type = T_BOOL, .form = ASSAY_FORM_AHEAD, .element = which, .slot = slot_, .is = is_)
#define MEMBER(type_, form_, blob, slot_, flags_)                                                                      \
    FIELD(.type = type_, .form = form_, .element = LF_PARAMS, .extent = ASSAY_EXT_REST, .extent_arg = blob,            \
          .slot = slot_, .flags = ASSAY_F_MEMBER | (flags_))

static void fields(void)
{
    enum { OPTIONAL = ASSAY_F_OPTIONAL, SIGNED = ASSAY_F_SIGNED | ASSAY_F_OPTIONAL };
    uint16_t from = CODE(I(SLOT, 0, L_FROM_THERE)), to = CODE(I(SLOT, 0, L_TO_THERE));
    uint16_t object = CODE(I(SLOT, 0, L_OBJECT)), plain = CODE(I(SLOT, 0, L_OBJECT), I(NOT, 0, 0));
    uint16_t params = CODE(I(SLOT, 0, L_PARAMS_THERE)), never = CODE(I(INT, 0, 0));
    uint16_t has_from = CODE(I(KNOWN, 0, L_FROM)), has_to = CODE(I(KNOWN, 0, L_TO));
    uint16_t has_params =
        CODE(I(KNOWN, 0, L_PARAMS), I(AND_ELSE, 0, 4), I(SLOT, 0, L_PARAMS), I(SIZE, 0, 0), I(INT, 0, 0), I(GT, 0, 0));
    SHAPE(AHEAD(0, L_FROM_THERE, has_from), TEXT(B_ANGLE, from), NAME(L_FROM, from), TEXT(B_COLON, from),
          NAME(L_FROM_PORT, from), TEXT(B_SPACE, from), AHEAD(1, L_TO_THERE, has_to), NAME(L_TO, to), TEXT(B_COLON, to),
          NAME(L_TO_PORT, to), TEXT(B_SLASH, to), AHEAD(2, L_OBJECT, never),
          FIELD(.type = ASSAY_NONE, .form = ASSAY_FORM_OBJECT, .extent = ASSAY_EXT_REST, .element = 0,
                .slot = ASSAY_NONE, .present = object),
          NAME(L_COMMAND, plain), AHEAD(3, L_PARAMS_THERE, has_params), TEXT(B_SPACE, params),
          FIELD(.type = T_PARAMS, .form = ASSAY_FORM_PAIRS, .element = 0, .extent = ASSAY_EXT_REST, .slot = L_PARAMS,
                .present = params, .flags = ASSAY_F_OPTIONAL),
          MEMBER(T_NAME, ASSAY_FORM_BYTES, B_COMMAND, L_OWN, 0),
          MEMBER(T_INT, ASSAY_FORM_DECIMAL, B_SIZE, L_OWN, SIGNED),
          MEMBER(T_INT, ASSAY_FORM_HEX, B_HEX, L_OWN + 1, OPTIONAL),
          MEMBER(T_KIND, ASSAY_FORM_BYTES, B_KIND, L_OWN + 2, OPTIONAL),
          MEMBER(T_VALUE, ASSAY_FORM_BYTES, B_NOTE, L_OWN + 3, OPTIONAL));
}

void lines_begin(void)
{
    static uint8_t scratch[LINES_SCRATCH];
    shape_begin();
    tables();
    fields();
    messages();
    shape_frame.fields = (struct assay_range){0, LF_COUNT};
    shape_frame.tag = L_COMMAND;
    shape_frame.delims = D_NEWLINE;
    shape_frame.trim = S_TRIM;
    shape_frame.blank = true;
    shape_frame.transports = 1;
    shape_frame.max = 512;
    shape_env.scratch = scratch;
    shape_env.scratch_cap = sizeof scratch;
}
