/* Intervals, guards and totality on rules for one message: what is refused, and what is rightly not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/compiler.h"

/* A server with a byte b, a signed i, a flag, an optional extra byte and some text, that answers with a byte or text.
 */
static const char head[] =
    "assay: 1\n"
    "protocol: t\n"
    "limits: {sessions: 1}\n"
    "transports: {tcp: {port: 1}}\n"
    "params: {most: {type: u8, default: 9}}\n"
    "types: {Op: {enum: u8, of: {add: 1, sub: 2, end: 3}}, Color: {enum: u8, of: {red: 0, blue: 1}}}\n"
    "frame:\n"
    "  client: {fields: [size: {type: u8, is: size(body)}, body: {bytes: size}], body: body, max: 256}\n"
    "  server: {fields: [size: {type: u8, is: size(body)}, body: {bytes: size}], body: body, max: 256}\n"
    "messages:\n"
    "  Ask:\n"
    "    from: client\n"
    "    fields:\n"
    "      - op: Op\n"
    "      - color: Color\n"
    "      - flag: {type: u8, max: 1}\n"
    "      - b: u8\n"
    "      - i: i16\n"
    "      - extra: {type: u8, if: flag == 1}\n"
    "      - text: {bytes: rest, max: 20}\n"
    "    examples: [{hex: \"07 01 00 00 05 fffe 61\", is: {b: 5, i: -2, text: a}}]\n"
    "  Num:\n"
    "    from: server\n"
    "    when: size(body) == 1\n"
    "    fields: [v: u8]\n"
    "    examples: [{hex: \"01 05\", is: {v: 5}}]\n"
    "  Say:\n"
    "    from: server\n"
    "    when: size(body) != 1\n"
    "    fields: [t: {text: rest, charset: ascii, max: 30}]\n"
    "    examples: [{hex: \"02 6869\", is: {t: hi}}]\n"
    "effects: {keep: {args: {line: bytes}, fails: true}}\n"
    "server:\n"
    "  vars: {count: u8, name: {type: bytes, max: 10}, color: Color}\n"
    "  rules:\n";

static const char tail[] = "    - {when: [malformed, unknown], ignore: true}\n"
                           "    - {when: [eof, eof-in-frame, reset], goto: End}\n"
                           "    - {when: no-room, ignore: true}\n";

struct sample {
    const char *rules; /* lines of flow mappings, without their dash */
    const char *says;  /* a part of what is said; NULL: nothing */
};

/* Errors and warnings, one a line; warnings that a part of the shared spec is not used are left out. */
static void report_of(const char *rules, char *out, size_t cap)
{
    char text[8192];
    struct assay_diags diags = {0};
    size_t n = (size_t)snprintf(text, sizeof text, "%s", head);
    for (const char *p = rules; *p;) {
        size_t size = strcspn(p, "\n");
        n += (size_t)snprintf(text + n, sizeof text - n, "    - %.*s\n", (int)size, p);
        p += size + (p[size] == '\n');
    }
    n += (size_t)snprintf(text + n, sizeof text - n, "%s", tail);
    struct assay_spec *spec = assay_spec_parse("t.yaml", (const uint8_t *)text, n, &diags);
    out[0] = '\0';
    for (size_t i = 0, at = 0; i < diags.count && at < cap; i++)
        if (!strstr(diags.items[i].text, "'no-room'"))
            at += (size_t)snprintf(out + at, cap - at, "%u:%u: %s\n", diags.items[i].line, diags.items[i].column,
                                   diags.items[i].text);
    assay_spec_free(spec);
    assay_diags_free(&diags);
}

static void expect_all(const struct sample *samples, size_t count)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < count; i++) {
        char said[4096];
        report_of(samples[i].rules, said, sizeof said);
        bool good = samples[i].says ? strstr(said, samples[i].says) != NULL : said[0] == '\0';
        if (!good)
            print_error("%s\n  expected: %s\n  said: %s\n", samples[i].rules,
                        samples[i].says ? samples[i].says : "nothing", said);
        wrong += !good;
    }
    assert_int_equal(wrong, 0);
}
#define EXPECT_ALL(samples) expect_all(samples, sizeof(samples) / sizeof(samples)[0])

#define REST "\n{when: Ask, ignore: true}"

static void test_values_that_fit_need_no_else(void **state)
{
    static const struct sample samples[] = {
        {"{when: Ask, send: {Num: {v: b}}}", NULL},
        {"{when: Ask, send: {Num: {v: b / 2}}}", NULL},
        {"{when: Ask, send: {Num: {v: b % 10}}}", NULL},
        {"{when: Ask, send: {Num: {v: b & 15}}}", NULL},
        {"{when: Ask, send: {Num: {v: b >> 3}}}", NULL},
        {"{when: Ask, send: {Num: {v: b ^ 255}}}", NULL},
        {"{when: Ask, send: {Num: {v: 'b > 3 ? 7 : b'}}}", NULL},
        {"{when: Ask, send: {Num: {v: 'b > 3 ? b - 3 : 0'}}}", NULL},
        {"{when: Ask, send: {Num: {v: 'min(b * 2, 255)'}}}", NULL},
        {"{when: Ask, send: {Num: {v: size(text)}}}", NULL},
        {"{when: Ask, send: {Num: {v: most}}}", NULL},
        {"{when: Ask, send: {Num: {v: count}}}", NULL},
        {"{when: Ask, send: {Say: {t: \"'{b} of {color}'\"}}}", NULL},
        {"{when: Ask, send: {Say: {t: decimal(i)}}}", NULL},
        {"{when: Ask, set: {color: color}, send: {Num: {v: 1}}}", NULL},
        {"{when: Ask, set: {color: blue}, send: {Num: {v: 1}}}", NULL},
        {"{when: Ask, let: {m: b / 2}, send: {Num: {v: m + 100}}}", NULL},
    };
    (void)state;
    EXPECT_ALL(samples);
}

static void test_values_that_may_not_fit_need_one(void **state)
{
    static const struct sample samples[] = {
        {"{when: Ask, send: {Num: {v: b + 1}}}", "1..256 does not fit u8"},
        {"{when: Ask, send: {Num: {v: i}}}", "-32768..32767 does not fit u8"},
        {"{when: Ask, send: {Num: {v: b - 1}}}", "-1..254 does not fit u8"},
        {"{when: Ask, send: {Num: {v: ~b}}}", "-256..-1 does not fit u8"},
        {"{when: Ask, send: {Num: {v: b << 1}}}", "0..510 does not fit u8"},
        {"{when: Ask, send: {Num: {v: 1 << b}}}", "the shift can be outside 0..63"},
        {"{when: Ask, send: {Num: {v: 200 / b}}}", "the divisor can be 0"},
        {"{when: Ask, send: {Num: {v: 200 % i & 1}}}", "the divisor can be 0"},
        {"{when: Ask, send: {Num: {v: 'text[0]'}}}", "this index can be outside"},
        {"{when: Ask, send: {Num: {v: extra}}}", "this field may be absent"},
        {"{when: Ask, send: {Say: {t: text}}}", "bytes that"},
        {"{when: Ask, send: {Say: {t: \"'0123456789' + line(decimal(i)) + '01234567890123'\"}}}",
         "25..36 bytes do not fit text"},
        {"{when: Ask, set: {name: text}}", "0..20 bytes do not fit bytes"},
        {"{when: Ask, set: {count: count + 1}}", "1..256 does not fit u8"},
        {"{when: Ask, send: {Num: {v: number(text)}}}", "may not be a number"},
        {"{when: Ask, let: {m: 10 / b}, send: {Num: {v: 1}}}", "the divisor can be 0"},
        {"{when: Ask, do: {keep: {line: text}}}", "the effect 'keep' can fail"},
        {"{when: Ask, do: {keep: {line: text}}, else: {do: {keep: {line: text}}}}", "an else has to be sure"},
        {"{when: Ask, do: {keep: {line: text}}, else: {send: {Num: {v: b + 1}}}}", "an else has to be sure"},
        {"{when: Ask, send: {Num: {v: b}}, else: {goto: End}}", "nothing in this rule can fail"},
        {"{when: [malformed], send: {Num: {v: b}}}\n{when: Ask, ignore: true}", "this field may be absent"},
    };
    (void)state;
    EXPECT_ALL(samples);
}

static void test_a_condition_excludes_what_does_not_fit(void **state)
{
    static const struct sample samples[] = {
        {"{when: Ask, if: b < 255, send: {Num: {v: b + 1}}}" REST, NULL},
        {"{when: Ask, if: 255 > b, send: {Num: {v: b + 1}}}" REST, NULL},
        {"{when: Ask, if: b <= 255, send: {Num: {v: b + 1}}}" REST, "1..256"},
        {"{when: Ask, if: count >= b, set: {count: count - b}}" REST, NULL},
        {"{when: Ask, if: count > b, set: {count: count - b - 1}}" REST, NULL},
        {"{when: Ask, if: count >= b, set: {count: count - b - 1}}" REST, "-1..254"},
        {"{when: Ask, if: b > count, set: {count: count - b}}" REST, "does not fit"},
        {"{when: Ask, if: 'b <= size(text)', send: {Num: {v: 'size(text[0..b])'}}}" REST, NULL},
        {"{when: Ask, if: 'b < size(text)', send: {Num: {v: 'size(text[b..size(text)])'}}}" REST, NULL},
        {"{when: Ask, if: 'b < 5', send: {Num: {v: 'size(text[b..size(text)])'}}}" REST, "slice can lie outside"},
        {"{when: Ask, if: b < 10 && i > 0 && i < 20, send: {Num: {v: b * i}}}" REST, NULL},
        {"{when: Ask, if: '!(b >= 255)', send: {Num: {v: b + 1}}}" REST, NULL},
        {"{when: Ask, if: '!(b > 254)', send: {Num: {v: b + 1}}}" REST, NULL},
        {"{when: Ask, if: '!(b > 255)', send: {Num: {v: b + 1}}}" REST, "does not fit"},
        {"{when: Ask, if: '!(b >= 100)', send: {Num: {v: b * 2}}}" REST, NULL},
        {"{when: Ask, if: '!(b >= 100 || i < 0) && i < 50', send: {Num: {v: b + i}}}" REST, NULL},
        {"{when: Ask, if: b >= 100 || i < 0, send: {Num: {v: b + i}}}" REST, "does not fit"},
        {"{when: Ask, if: 'fits(b * i, u8)', send: {Num: {v: b * i}}}" REST, NULL},
        {"{when: Ask, if: 'fits(b * i, u16)', send: {Num: {v: b * i}}}" REST, "0..65535 does not fit u8"},
        {"{when: Ask, if: b != 0, send: {Num: {v: 200 / b}}}" REST, NULL},
        {"{when: Ask, if: b > 0, send: {Num: {v: 200 / b}}}" REST, NULL},
        {"{when: Ask, if: size(text) > 0, send: {Num: {v: 'text[0]'}}}" REST, NULL},
        {"{when: Ask, if: size(text) > 0, send: {Num: {v: 'text[1]'}}}" REST, "index can be outside"},
        {"{when: Ask, if: 'size(text) > b', send: {Num: {v: 'text[b]'}}}" REST, NULL},
        {"{when: Ask, if: 'text[3] == 65', send: {Num: {v: 'text[3]'}}}" REST, NULL},
        {"{when: Ask, if: size(text) <= 10, set: {name: text}}" REST, NULL},
        {"{when: Ask, if: size(text) <= 11, set: {name: text}}" REST, "0..11 bytes"},
        {"{when: Ask, if: present(extra), send: {Num: {v: extra}}}" REST, NULL},
        {"{when: Ask, if: extra == 7, send: {Num: {v: extra}}}" REST, NULL},
        {"{when: Ask, if: 'b in [1, 2, 250]', send: {Num: {v: b + 5}}}" REST, NULL},
        {"{when: Ask, if: 'b in [1, 2, 251]', send: {Num: {v: b + 5}}}" REST, "does not fit"},
        {"{when: {Ask: {b: 3}}, send: {Num: {v: b + 252}}}" REST, NULL},
        {"{when: {Ask: {b: 4}}, send: {Num: {v: b + 252}}}" REST, "256 does not fit"},
        {"{when: Ask, if: b == 0, send: {Num: {v: 0}}}\n{when: Ask, send: {Num: {v: 200 / b}}}", NULL},
        {"{when: Ask, if: b == 1, send: {Num: {v: 0}}}\n{when: Ask, send: {Num: {v: 200 / b}}}", "can be 0"},
        {"{when: {Ask: {op: sub}}, if: b == 0, send: {Num: {v: 0}}}\n{when: {Ask: {op: sub}}, send: {Num: {v: 200 / "
         "b}}}" REST,
         NULL},
        {"{when: {Ask: {op: sub}}, if: b == 0, send: {Num: {v: 0}}}\n{when: {Ask: {op: add}}, send: {Num: {v: 200 / "
         "b}}}" REST,
         "can be 0"},
        {"{when: Ask, if: count < 255, set: {count: count + 1}}" REST, NULL},
        {"{when: Ask, if: count < 255, set: {count: count + 1}, send: {Num: {v: count}}}" REST, NULL},
        {"{when: Ask, if: count < 255, set: {count: count + 1}, send: {Num: {v: count + 1}}}" REST, "1..256"},
        {"{when: Ask, send: {Num: {v: b + 1}}, else: {send: {Num: {v: 0}}}}", NULL},
    };
    (void)state;
    EXPECT_ALL(samples);
}

/* The same rule in frames of different size: the longest answer is "-32768 blue!" and LF. */
static void test_a_message_longer_than_its_frame_needs_an_else(void **state)
{
    static const char spec[] =
        "assay: 1\nprotocol: t\nlimits: {sessions: 1}\ntransports: {tcp: {port: 1}}\n"
        "types: {Color: {enum: text, of: {red: red, blue: blue}}}\n"
        "frame: {client: {fields: [i: i16], max: 2}, server: {until: \"\\n\", max: %d}}\n"
        "messages:\n"
        "  Ask: {from: client, examples: [{hex: fffe, is: {i: -2}}]}\n"
        "  Say:\n    from: server\n"
        "    fields: [v: {decimal: {until: \" \"}, type: i16}, color: {type: Color, text: {until: \"!\"}}]\n"
        "    examples: [{raw: \"5 red!\\n\", is: {v: 5, color: red}}]\n"
        "server:\n  rules:\n"
        "    - {when: Ask, send: {Say: {v: i, color: blue}}}\n"
        "    - {when: [eof, eof-in-frame, reset], goto: End}\n";
    (void)state;
    for (int max = 12; max <= 13; max++) {
        char text[2048];
        struct assay_diags diags = {0};
        int n = snprintf(text, sizeof text, spec, max);
        struct assay_spec *s = assay_spec_parse("t.yaml", (const uint8_t *)text, (size_t)n, &diags);
        assert_int_equal(diags.errors, max == 12);
        if (max == 12)
            assert_non_null(strstr(diags.items[0].text, "Say can be 13 bytes long, and the frame holds 12"));
        assay_spec_free(s);
        assay_diags_free(&diags);
    }
}

/* What comes in a line can be sent in a line: it holds no line end. What a variable holds may. */
static void test_lines_can_be_echoed(void **state)
{
    static const char spec[] = "assay: 1\nprotocol: t\nlimits: {sessions: 1}\ntransports: {tcp: {port: 1}}\n"
                               "frame: {until: \"\\n\", max: 30}\n"
                               "messages: {Line: {from: both, fields: [t: {bytes: rest}], "
                               "examples: [{raw: \"hi\\n\", is: {t: hi}}]}}\n"
                               "server:\n  vars: {kept: {type: bytes, max: 10}}\n  rules:\n"
                               "    - {when: Line, send: {Line: {t: %s}}}\n"
                               "    - {when: oversize, ignore: true}\n"
                               "    - {when: [eof, eof-in-frame, reset], goto: End}\n";
    static const char *const sources[] = {"t", "kept"};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        char text[2048];
        struct assay_diags diags = {0};
        int n = snprintf(text, sizeof text, spec, sources[i]);
        struct assay_spec *s = assay_spec_parse("t.yaml", (const uint8_t *)text, (size_t)n, &diags);
        assert_int_equal(diags.count, i);
        if (i == 1)
            assert_non_null(strstr(diags.items[0].text, "can hold the delimiter"));
        assay_spec_free(s);
        assay_diags_free(&diags);
    }
}

static void test_patterns_over_all_values_are_total(void **state)
{
    static const struct sample samples[] = {
        {"{when: {Ask: {op: add}}, ignore: true}\n{when: {Ask: {op: [sub, end]}}, ignore: true}", NULL},
        {"{when: {Ask: {op: add}}, ignore: true}\n{when: {Ask: {op: sub}}, ignore: true}",
         "every rule for the message 'Ask'"},
        {"{when: {Ask: {op: add}}, if: b > 1, ignore: true}\n{when: {Ask: {op: [add, sub]}}, ignore: true}\n"
         "{when: {Ask: {op: end}}, ignore: true}",
         NULL},
        {"{when: {Ask: {op: add}}, if: b > 1, ignore: true}\n{when: {Ask: {op: [sub, end]}}, ignore: true}",
         "has a condition"},
        {"{when: {Ask: {color: red}}, ignore: true}\n{when: {Ask: {color: blue}}, ignore: true}", NULL},
        {"{when: {Ask: {b: 1}}, ignore: true}", "has a condition"},
    };
    (void)state;
    EXPECT_ALL(samples);
}

static void test_conditions_have_a_witness(void **state)
{
    static const struct sample samples[] = {
        {"{when: Ask, if: b * 2 == 100, ignore: true}" REST, NULL},
        {"{when: Ask, if: \"text == 'secret'\", ignore: true}" REST, NULL},
        {"{when: Ask, if: \"starts(text, 'ab') && size(text) > 5\", ignore: true}" REST, NULL},
        {"{when: Ask, if: size(text) == 17, ignore: true}" REST, NULL},
        {"{when: Ask, if: size(text) == 21, ignore: true}" REST, "no sampled value makes"},
        {"{when: Ask, if: text == name && size(text) > 3, ignore: true}" REST, NULL},
        {"{when: Ask, if: i < -5 && b > 200, ignore: true}" REST, NULL},
        {"{when: Ask, if: b > 255, ignore: true}" REST, "no sampled value makes"},
        {"{when: Ask, if: b > 10, ignore: true}\n{when: Ask, if: b > 20, ignore: true}" REST,
         "no sampled value is left"},
        {"{when: Ask, if: b > most, ignore: true}" REST, NULL},
        {"{when: Ask, if: extra > 3, ignore: true}" REST, NULL},
        {"{when: Ask, if: '!present(extra) && flag == 1', ignore: true}" REST, NULL},
        {"{when: {Ask: {op: add}}, if: op == sub, ignore: true}" REST, "no sampled value makes"},
        {"{when: Ask, if: b > 10, ignore: true}\n{when: Ask, if: b > 10, ignore: true}" REST,
         "this rule is never taken"},
        {"{when: Ask, ignore: true}\n{when: Ask, if: b > 10, ignore: true}", "this rule is never taken"},
    };
    (void)state;
    EXPECT_ALL(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_that_fit_need_no_else),
        cmocka_unit_test(test_values_that_may_not_fit_need_one),
        cmocka_unit_test(test_a_condition_excludes_what_does_not_fit),
        cmocka_unit_test(test_a_message_longer_than_its_frame_needs_an_else),
        cmocka_unit_test(test_lines_can_be_echoed),
        cmocka_unit_test(test_patterns_over_all_values_are_total),
        cmocka_unit_test(test_conditions_have_a_witness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
