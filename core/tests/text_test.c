#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/lines.h"

#define ASKS(s)       GIVES(s, LE_MESSAGE(LM_ASK))
#define BAD(s)        GIVES(s, ASSAY_EV_MALFORMED)
#define HAS(slot, s)  assert_true(shape_is(slot, LIT(s)))
#define HAS_NOT(slot) assert_false(shape_env.known >> (slot)&1)

static uint8_t out[2048];

static uint16_t message_of(uint16_t event)
{
    assert_true(event >= LE_MESSAGE(0));
    return (uint16_t)(event - LE_MESSAGE(0));
}

/* What was decoded last encodes to this. */
static void encodes(uint16_t message, const char *p, uint32_t n)
{
    struct assay_encoded e = assay_encode(&shape_env, 0, message, out, sizeof out, false);
    assert_int_equal(e.status, ASSAY_ENCODED);
    assert_int_equal(e.size, n);
    assert_memory_equal(out, p, n);
}

static void becomes(const char *p, uint32_t n, const char *canonical, uint32_t canonical_n)
{
    encodes(message_of(shape_decode(p, n).event), canonical, canonical_n);
}

#define SAME(s)       becomes(LIT(s), LIT(s))
#define BECOMES(s, c) becomes(LIT(s), LIT(c))

static void params_are(const char *text, uint32_t n, const char *params, uint32_t params_n)
{
    assert_int_equal(shape_decode(text, n).event, LE_MESSAGE(LM_ASK));
    assert_true(shape_is(L_PARAMS, params, params_n));
}

#define PARAMS(s, params) params_are(LIT(s), LIT(params))

/* ---- what stands ahead ------------------------------------------------- */

static void prefixes_are_optional(void **state)
{
    (void)state;
    lines_begin();
    ASKS("ASK");
    assert_int_equal(shape_int(L_FROM_THERE), 0);
    HAS_NOT(L_FROM);
    HAS_NOT(L_PARAMS);
    ASKS("<web:main kitchen:oven/ASK n=1");
    HAS(L_FROM, "web"), HAS(L_FROM_PORT, "main"), HAS(L_TO, "kitchen"), HAS(L_TO_PORT, "oven"), HAS(L_PARAMS, "n=1");
    SAME("ASK"), SAME("<web:main ASK"), SAME("web:main/ASK"), SAME("<a:b c:d/ASK n=/");
    BAD("<web ASK"), BAD("<web:main"), BAD("web/ASK"), BAD("<web:main  ASK"), BAD("a:b/"), BAD("");
    GIVES("JUMP", ASSAY_EV_UNKNOWN), GIVES("ask", ASSAY_EV_UNKNOWN);
    HAS(L_COMMAND, "ask");
}

/* Encoders compute what decoders only look at. */
static void presence_follows_the_values(void **state)
{
    (void)state;
    lines_begin();
    ASKS("<a:b ASK x=1");
    shape_slots[L_FROM_THERE] = 0;
    encodes(LM_ASK, LIT("<a:b ASK x=1"));
    shape_env.known &= ~((uint64_t)1 << L_FROM | (uint64_t)1 << L_PARAMS);
    encodes(LM_ASK, LIT("ASK"));
    ASKS("ASK");
    shape_slots[L_PARAMS] = ASSAY_VAL_EMPTY;
    shape_env.known |= (uint64_t)1 << L_PARAMS;
    encodes(LM_ASK, LIT("ASK"));
}

static void what_is_left_of_a_body(void **state)
{
    (void)state;
    static const struct assay_ahead left = {ASSAY_AHEAD_LEFT, {NULL, 0}, ASSAY_NONE};
    shape_begin();
    uint16_t there = CODE(I(SLOT, 0, 1)), given = CODE(I(KNOWN, 0, 2));
    shapes.aheads = &left;
    shapes.aheads_count = 1;
    SHAPE(FIELD(.type = ST_ANY, .form = ASSAY_FORM_INT, .bits = 8, .slot = 0),
          FIELD(.type = ST_BOOL, .form = ASSAY_FORM_AHEAD, .element = 0, .slot = 1, .is = given),
          FIELD(.type = ST_ANY, .form = ASSAY_FORM_INT, .bits = 16, .slot = 2, .present = there));
    assert_true(shape_round_trip(LIT("\1")));
    assert_true(shape_round_trip(LIT("\1\0\2")));
    GIVES("\1\2", ASSAY_EV_MALFORMED);
}

static void names_end_before_a_delimiter(void **state)
{
    (void)state;
    lines_begin();
    ASKS("a:b/ASK");
    shape_slots[L_TO] = shape_slots[L_COMMAND];
    encodes(LM_ASK, LIT("ASK:b/ASK"));
    static const uint8_t frame[] = "a;b";
    shape_env.frame = frame;
    shape_env.known = (uint64_t)1 << L_TO | (uint64_t)1 << L_TO_PORT;
    shape_slots[L_TO] = assay_val_bytes(ASSAY_REGION_FRAME, 0, 1);
    shape_slots[L_TO_PORT] = assay_val_bytes(ASSAY_REGION_FRAME, 0, 3);
    assert_int_equal(assay_encode(&shape_env, 0, LM_ASK, out, sizeof out, false).status, ASSAY_ENCODE_FIELD);
}

/* ---- pairs ------------------------------------------------------------- */

static void pairs_have_one_form(void **state)
{
    (void)state;
    lines_begin();
    PARAMS("ASK a=1;b=2", "a=1;b=2");
    PARAMS("ASK b=2;a=1", "a=1;b=2");
    PARAMS("ASK b=2;a=1;b=\"x;y\"", "a=1;b=\"x;y\"");
    PARAMS("ASK a=\"plain\"", "a=plain");
    PARAMS("ASK a=", "a=");
    PARAMS("ASK a=;b=\"\"", "a=;b=");
    PARAMS("ASK a=x=y", "a=x=y");
    PARAMS("ASK a=x\"y", "a=x\"y");
    PARAMS("ASK a=\"x\\\"y\"", "a=x\"y");
    PARAMS("ASK a=\"\\\"y\"", "a=\"\\\"y\"");
    PARAMS("ASK a=x\ry", "a=x\\ry");
    PARAMS("ASK a=\\\\\\n", "a=\\\\\\n");
    PARAMS("ASK A=1;_=2;a=3", "A=1;_=2;a=3");
    PARAMS("ASK ab=1;a=2", "a=2;ab=1");
    PARAMS("ASK a=1;a=2;a=3", "a=3");
    SAME("ASK a=\"x\\\"y;\\n\\\\\""), BECOMES("ASK b=2;a=1;b=\"x;y\"", "ASK a=1;b=\"x;y\"");
}

static void text_that_is_no_pairs(void **state)
{
    (void)state;
    lines_begin();
    BAD("ASK a"), BAD("ASK a=1;"), BAD("ASK ;a=1"), BAD("ASK a=1;;b=2"), BAD("ASK a=\\t"), BAD("ASK a=\"x");
    BAD("ASK a=\"x\"y"), BAD("ASK a=\"x\"\""), BAD("ASK a=\\"), BAD("ASK a=\"\\"), BAD("ASK a=\"x\\\""), BAD("ASK =1");
    BAD("ASK a=x\\\"y"), BAD("ASK a;b=1"), BAD("ASK 1a=2"), BAD("ASK a-b=1"), BAD("ASK  a=1"), BAD("ASK=1");
    GIVES("ASKa=1", ASSAY_EV_UNKNOWN);
    BAD("ASK a234567890123456a=1");
    PARAMS("ASK a234567890123456=1", "a234567890123456=1");
    PARAMS("ASK a=\\n234567890123456789012345678901234567890", "a=\\n234567890123456789012345678901234567890");
    BAD("ASK a=\\n2345678901234567890123456789012345678901");
    PARAMS("ASK a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1", "a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1");
    BAD("ASK a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;a=1");
}

static void canonical_text_stays_where_it_is(void **state)
{
    (void)state;
    lines_begin();
    ASKS("ASK a=1;b=\"x;y\"");
    assert_int_equal(assay_val_region(shape_slots[L_PARAMS]), ASSAY_REGION_FRAME);
    assert_int_equal(assay_val_offset(shape_slots[L_PARAMS]), 4);
    assert_int_equal(shape_env.scratch_used, 0);
    ASKS("ASK b=1;a=2");
    assert_int_equal(assay_val_region(shape_slots[L_PARAMS]), ASSAY_REGION_SCRATCH);
    assert_int_equal(shape_env.scratch_used, 7);
}

static void which_of_two_counts(void **state)
{
    (void)state;
    lines_begin();
    lines_pairs.duplicates = ASSAY_DUP_FIRST;
    PARAMS("ASK b=1;a=2;b=3;b=4", "a=2;b=1");
    lines_pairs.duplicates = ASSAY_DUP_FAULT;
    BAD("ASK b=1;a=2;b=3");
    PARAMS("ASK b=1;a=2", "a=2;b=1");
    lines_pairs.sorted = false;
    BAD("ASK b=1;a=2;b=3");
    PARAMS("ASK b=1;a=2", "b=1;a=2");
    assert_int_equal(shape_env.scratch_used, 0);
    lines_pairs.duplicates = ASSAY_DUP_LAST;
    PARAMS("ASK b=1;a=2;b=3", "a=2;b=3");
    PARAMS("ASK b=1;a=\"2\"", "b=1;a=2");
    lines_pairs.duplicates = ASSAY_DUP_FIRST;
    PARAMS("ASK b=1;a=2;b=3", "b=1;a=2");
}

static void grammars_without_quotes_or_escapes(void **state)
{
    (void)state;
    lines_begin();
    lines_pairs.quote = 0;
    PARAMS("ASK a=\"x\";b=\\n", "a=\"x\";b=\\n");
    BAD("ASK a=\"x;y\"");
    lines_pairs.quote = '"';
    lines_pairs.escape = lines_pairs.escapes = 0;
    PARAMS("ASK a=\\n", "a=\\n");
    PARAMS("ASK a=\"x;\\\"", "a=\"x;\\\"");
    BAD("ASK a=\"x\\\"y\"");
    GIVES("{\"command\":\"ASK\",\"a\":\"\\\"x\"}", ASSAY_EV_MALFORMED);
    GIVES("{\"command\":\"ASK\",\"a\":\"x\\\"\"}", LE_MESSAGE(LM_ASK));
    HAS(L_PARAMS, "a=x\"");
    lines_begin();
    lines_pairs.escapes = 4;
    lines_pairs.letters[3] = 's';
    lines_pairs.stands[3] = ';';
    PARAMS("ASK a=\"x;y\"", "a=\"x\\sy\"");
    lines_pairs.quote_if = ASSAY_NONE;
    PARAMS("ASK a=\"x;y\"", "a=x\\sy");
}

/* ---- JSON -------------------------------------------------------------- */

static void objects_give_the_same_message(void **state)
{
    (void)state;
    lines_begin();
    ASKS("{\"command\": \"ASK\"}");
    HAS(L_COMMAND, "ASK");
    HAS_NOT(L_PARAMS);
    assert_int_equal(assay_val_region(shape_slots[L_COMMAND]), ASSAY_REGION_FRAME);
    ASKS("<a:b c:d/{\"b\": 2, \"command\": \"ASK\", \"a\": \"x;y\\n\"}");
    HAS(L_PARAMS, "a=\"x;y\\n\";b=2"), HAS(L_FROM, "a"), HAS(L_TO, "c");
    encodes(LM_ASK, LIT("<a:b c:d/ASK a=\"x;y\\n\";b=2"));
    BECOMES("{\"command\":\"ASK\",\"a\":\"x/y\"}", "ASK a=x/y");
    PARAMS("{ \"z\" : true ,\t\"y\":false,\"x\":null,\"command\":\"ASK\",\"w\":-1.50e+3 } \n",
           "w=-1.50e+3;x=null;y=false;z=true");
    PARAMS("{\"a\":1,\"command\":\"NO\",\"a\":2,\"command\":\"ASK\"}", "a=2");
    ASKS("{\"c\\u006fmmand\":\"\\u0041SK\"}");
    HAS(L_COMMAND, "ASK");
    assert_int_equal(assay_val_region(shape_slots[L_COMMAND]), ASSAY_REGION_SCRATCH);
    encodes(LM_ASK, LIT("ASK"));
    PARAMS("{\"command\":\"ASK\",\"a\":\"\\u00e9\\u20ac\\ud83d\\ude00\\/\\b\\f\\r\\t\\\"\\\\\"}",
           "a=\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\b\f\\r\t\"\\\\");
    PARAMS("{\"command\":\"ASK\",\"a\":\"\xc3\xa9\"}", "a=\xc3\xa9");
    GIVES("{\"command\":\"JUMP\"}", ASSAY_EV_UNKNOWN);
    HAS(L_COMMAND, "JUMP");
    GIVES("{\"command\":\"TOLD\"}", ASSAY_EV_MALFORMED);
    GIVES("{\"command\":\"SET\",\"size\":-12}", LE_MESSAGE(LM_SET));
    assert_int_equal(shape_int(L_OWN), -12);
}

static void text_that_is_no_object(void **state)
{
    (void)state;
#define WITH(value) BAD("{\"command\":\"ASK\",\"a\":" value "}")
    lines_begin();
    BAD("{"), BAD("{}"), BAD("{\"a\":1}"), BAD("{\"command\":\"ASK\"}x"), BAD("{\"command\":\"ASK\",}"), BAD("{,}");
    BAD("{\"command\" \"ASK\"}"), BAD("{command:\"ASK\"}"), BAD("{\"command\":\"ASK\""), BAD("{\"command\":\"ASK");
    BAD("{\"command\":\"A K\"}"), BAD("{\"command\":\"\"}"), BAD("{\"command\":[\"ASK\"]}"), BAD("{\"command\":");
    WITH("[1]"), WITH("{}"), WITH("01"), WITH("1."), WITH(".5"), WITH("-"), WITH("1e"), WITH("+1"), WITH("tru");
    WITH("nan"), WITH("'x'"), WITH("\"\\x\""), WITH("\"\\u12\""), WITH("\"\\u12g4\""), WITH("\"\\ud800\"");
    WITH("\"\\udc00\""), WITH("\"\\ud800\\u0041\""), WITH("\"\x01\""), WITH("\"\n\""), WITH("\"\xff\"");
    WITH("\"\xed\xa0\x80\""), WITH("\"\\"), WITH("1 2"), WITH("\"x\" \"y\""), WITH(""), WITH("truefalse");
    BAD("{\"command\":\"ASK\",\"a;b\":1}"), BAD("{\"command\":\"ASK\",\"\":1}"), BAD("{\"command\":\"ASK\",\"1\":1}");
    BAD("{\"command\":\"ASK\",\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1}");
    ASKS("{\"command\":\"ASK\",\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1}");
    WITH("\"12345678901234567890123456789012345678901\"");
#undef WITH
}

static void objects_without_a_rest(void **state)
{
    (void)state;
    static const struct assay_object strict[] = {{{0, 1}, ASSAY_NONE}};
    lines_begin();
    shapes.objects = strict;
    ASKS("{\"command\":\"ASK\"}");
    BAD("{\"command\":\"ASK\",\"a\":1}");
}

/* ---- members ----------------------------------------------------------- */

static void members_stand_in_the_pairs(void **state)
{
    (void)state;
    lines_begin();
    GIVES("TOLD command=JUMP", LE_MESSAGE(LM_TOLD));
    HAS(L_OWN, "JUMP");
    BECOMES("TOLD command=\"JUMP\"", "TOLD command=JUMP");
    BAD("TOLD"), BAD("TOLD a=1"), BAD("TOLD command="), BAD("TOLD command=J-P");
    GIVES("SET size=-12;hex=ff;kind=PUT;note=\"a;b\\n\"", LE_MESSAGE(LM_SET));
    assert_int_equal(shape_int(L_OWN), -12);
    assert_int_equal(shape_int(L_OWN + 1), 255);
    assert_int_equal(shape_int(L_OWN + 2), 1);
    HAS(L_OWN + 3, "a;b\n");
    encodes(LM_SET, LIT("SET hex=ff;kind=PUT;note=\"a;b\\n\";size=-12"));
    GIVES("SET", LE_MESSAGE(LM_SET));
    assert_int_equal(shape_env.known >> L_OWN, 0);
    BAD("SET size=012"), BAD("SET size=1001"), BAD("SET size="), BAD("SET hex=FF"), BAD("SET hex=-1");
    GIVES("SET kind=put", ASSAY_EV_UNKNOWN);
}

static void members_go_over_what_was_given(void **state)
{
    (void)state;
    lines_begin();
    GIVES("SET size=1;b=2;a=1", LE_MESSAGE(LM_SET));
    shape_slots[L_OWN] = 7;
    encodes(LM_SET, LIT("SET a=1;b=2;size=7"));
    HAS(L_PARAMS, "a=1;b=2;size=1");
    shape_slots[L_OWN] = 1001;
    struct assay_encoded e = assay_encode(&shape_env, 0, LM_SET, out, sizeof out, false);
    assert_int_equal(e.status, ASSAY_ENCODE_FIELD);
    assert_int_equal(e.field, LF_COUNT + 1);
    shape_env.known = (uint64_t)1 << L_OWN;
    shape_slots[L_OWN] = (assay_val)-5;
    encodes(LM_SET, LIT("SET size=-5"));
    assert_int_equal(shape_env.known >> L_PARAMS & 1, 0);
    shape_env.known = 0;
    encodes(LM_SET, LIT("SET"));
    e = assay_encode(&shape_env, 0, LM_TOLD, out, sizeof out, false);
    assert_int_equal(e.status, ASSAY_ENCODE_FIELD);
    assert_int_equal(e.field, LF_COUNT);
    GIVES("SET a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1", LE_MESSAGE(LM_SET));
    shape_env.known |= (uint64_t)1 << L_OWN;
    e = assay_encode(&shape_env, 0, LM_SET, out, sizeof out, false);
    assert_int_equal(e.status, ASSAY_ENCODE_FIELD);
    assert_int_equal(e.field, LF_PARAMS);
}

/* What is given need not be canonical; it has to be pairs. */
static void given_pairs_are_put_in_form(void **state)
{
    (void)state;
    static const uint8_t good[] = "b=2;a=\"1\"", bad[] = "b=2;a";
    lines_begin();
    shape_env.known = (uint64_t)1 << L_PARAMS;
    shape_env.frame = good;
    shape_slots[L_PARAMS] = assay_val_bytes(ASSAY_REGION_FRAME, 0, sizeof good - 1);
    encodes(LM_ASK, LIT("ASK a=1;b=2"));
    assert_int_equal(shape_env.scratch_used, 0);
    shape_env.frame = bad;
    shape_slots[L_PARAMS] = assay_val_bytes(ASSAY_REGION_FRAME, 0, sizeof bad - 1);
    for (uint16_t m = LM_ASK; m <= LM_SET; m += LM_SET) {
        struct assay_encoded e = assay_encode(&shape_env, 0, m, out, sizeof out, false);
        assert_int_equal(e.status, ASSAY_ENCODE_FIELD);
        assert_int_equal(e.field, LF_PARAMS);
    }
}

/* ---- look-ups ---------------------------------------------------------- */

static void values_under_a_name(void **state)
{
    (void)state;
    lines_begin();
    uint16_t a = CODE(I(SLOT, 0, L_PARAMS), I(BLOB, 0, 9), I(PAIR, 0, 0));
    assay_val v;
    struct assay_span s;
    ASKS("ASK note=x;size=12");
    assert_true(assay_eval(&shape_env, a, &v));
    s = assay_bytes(&shape_env, v);
    assert_int_equal(s.n, 2);
    assert_memory_equal(s.p, "12", 2);
    assert_int_equal(assay_val_region(v), ASSAY_REGION_FRAME);
    ASKS("ASK size=\"\\n;\"");
    assert_true(assay_eval(&shape_env, a, &v));
    s = assay_bytes(&shape_env, v);
    assert_int_equal(s.n, 2);
    assert_memory_equal(s.p, "\n;", 2);
    ASKS("ASK siz=1;size1=2");
    assert_false(assay_eval(&shape_env, a, &v));
    ASKS("ASK");
    assert_false(assay_eval(&shape_env, a, &v));
}

static void options_may_be_text(void **state)
{
    (void)state;
    static const struct assay_option option = {"o", "", ST_BYTES, 0, {(const uint8_t *)"abc", 3}};
    shape_begin();
    shapes.options = &option;
    shapes.options_count = 1;
    uint16_t code = CODE(I(OPTION, 0, 0)), part = CODE(I(OPTION, 0, 0), I(INT, 0, 1), I(INT, 0, 3), I(SLICE, 0, 0));
    assay_val v;
    assert_true(assay_eval(&shape_env, code, &v));
    assert_int_equal(assay_val_region(v), ASSAY_REGION_CONST);
    assert_int_equal(assay_val_offset(v), ASSAY_CONST_OPTIONS);
    assert_memory_equal(assay_bytes(&shape_env, v).p, "abc", 3);
    assert_int_equal(shape_env.scratch_used, 0);
    assert_true(assay_eval(&shape_env, part, &v));
    assert_int_equal(assay_val_size(v), 2);
    assert_memory_equal(assay_bytes(&shape_env, v).p, "bc", 2);
}

/* ---- little room, any bytes -------------------------------------------- */

static const char *const samples[] = {
    "ASK b=2;a=1;b=\"x;y\"",
    "<a:b c:d/{\"b\": 2, \"command\": \"ASK\", \"a\": \"x;y\\n\", \"a\":\"\\u20ac\"}",
    "SET size=-12;kind=PUT;note=\"a;b\\n\";a=\"\\\"\"",
    "{\"size\":12,\"comm\\u0061nd\":\"SET\",\"hex\":\"a\\u0062\",\"note\":\"\\n\"}",
    "TOLD z=1;command=\"X\"",
};
enum { SAMPLES = sizeof samples / sizeof *samples };

/* Whatever the room: the same, or malformed (not sent). Its borders are watched. */
static void scratch_may_be_used_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint32_t n = (uint32_t)strlen(samples[i]), enough = 0;
        lines_begin();
        uint16_t event = shape_decode(samples[i], n).event;
        struct assay_encoded whole = assay_encode(&shape_env, 0, message_of(event), out, sizeof out, false);
        for (uint32_t cap = 0; cap <= 2048; cap++) {
            uint8_t *scratch = malloc(cap + 1), small[sizeof out];
            shape_env.scratch = scratch;
            shape_env.scratch_cap = cap;
            uint16_t got = shape_decode(samples[i], n).event;
            assert_true(got == event || (got == ASSAY_EV_MALFORMED && !enough));
            if (got == event) {
                struct assay_encoded e = assay_encode(&shape_env, 0, message_of(event), small, sizeof small, false);
                assert_true(e.status == ASSAY_ENCODE_FIELD || e.size == whole.size);
                if (e.status == ASSAY_ENCODED)
                    assert_memory_equal(small, out, e.size);
                enough = enough || e.status != ASSAY_ENCODED ? enough : cap;
            }
            free(scratch);
        }
        assert_true(enough && enough <= ASSAY_PAIRS_SCRATCH(n, 8, 4) + ASSAY_PAIRS_SCRATCH(n, 8, 4));
    }
}

static uint64_t seed = 1;

static uint32_t below(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* A sample with some bytes changed, doubled or gone, or pieces put together. */
static uint32_t make_line(char *to)
{
    static const char *const pieces[] = {
        "a",    "b",           "=",        ";",    "\"",    "\\",     "\\n",    "\\\\",
        "\\\"", "x",           " ",        "/",    ":",     "<",      "{",      "}",
        ",",    "\"command\"", "ASK",      "SET ", "size=", "1",      "note=",  "\\u0041",
        "\r",   "\xff",        "kind=GET", "[",    "null",  "ASK a=", "\"a\":", "{\"command\":\"SET\","};
    uint32_t n = 0;
    if (below(2)) {
        const char *sample = samples[below(SAMPLES)];
        for (; *sample; sample++)
            for (uint32_t times = below(12) ? 1 : below(3); times; times--)
                to[n++] = below(20) ? *sample : *pieces[below(sizeof pieces / sizeof *pieces)];
        return n;
    }
    for (uint32_t left = 1 + below(14); left; left--) {
        const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
        memcpy(to + n, piece, strlen(piece));
        n += (uint32_t)strlen(piece);
    }
    return n;
}

/* What decodes encodes to a form that decodes to the same, and encodes to itself. */
static void what_decodes_has_one_form(void **state)
{
    (void)state;
    char line[512];
    uint32_t decoded = 0;
    static uint8_t first[sizeof out];
    for (uint32_t turn = 0; turn < 60000; turn++) {
        uint32_t n = make_line(line);
        lines_begin();
        uint16_t event = shape_decode(line, n).event;
        if (event < LE_MESSAGE(0))
            continue;
        struct assay_encoded e = assay_encode(&shape_env, 0, message_of(event), first, sizeof first, false);
        if (e.status != ASSAY_ENCODED) /* a value ends with what is trimmed: only JSON and quotes can say that */
            continue;
        decoded++;
        uint64_t known = shape_env.known;
        assert_int_equal(shape_decode(first, e.size).event, event);
        assert_true(shape_env.known == known);
        encodes(message_of(event), (const char *)first, e.size);
    }
    assert_true(decoded > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_are_optional),
        cmocka_unit_test(presence_follows_the_values),
        cmocka_unit_test(what_is_left_of_a_body),
        cmocka_unit_test(names_end_before_a_delimiter),
        cmocka_unit_test(pairs_have_one_form),
        cmocka_unit_test(text_that_is_no_pairs),
        cmocka_unit_test(canonical_text_stays_where_it_is),
        cmocka_unit_test(which_of_two_counts),
        cmocka_unit_test(grammars_without_quotes_or_escapes),
        cmocka_unit_test(objects_give_the_same_message),
        cmocka_unit_test(text_that_is_no_object),
        cmocka_unit_test(objects_without_a_rest),
        cmocka_unit_test(members_stand_in_the_pairs),
        cmocka_unit_test(members_go_over_what_was_given),
        cmocka_unit_test(given_pairs_are_put_in_form),
        cmocka_unit_test(values_under_a_name),
        cmocka_unit_test(options_may_be_text),
        cmocka_unit_test(scratch_may_be_used_up),
        cmocka_unit_test(what_decodes_has_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
