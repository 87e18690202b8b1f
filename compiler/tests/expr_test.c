/* Expressions from text to values: each stands as the guard of a rule, is compiled, and run by core. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/compiler.h"
#include "core/code.h"

/* The guard stands in line GUARD_LINE, and its text begins in column GUARD_COLUMN. */
#define GUARD_LINE   37
#define GUARD_COLUMN 11

static const char head[] =
    "assay: 1\n"
    "protocol: test\n"
    "limits: {sessions: 1}\n"
    "transports: {tcp: {port: 1}}\n"
    "params:\n"
    "  most: {type: i32, default: 7}\n"
    "  wait: {type: duration, default: 2s}\n"
    "types:\n"
    "  Kind: {enum: u8, of: {red: 1, green: 2, blue: 9}}\n"
    "frame: {fields: [size: {type: u16, is: size(body)}, body: {bytes: size}], body: body, max: 60000}\n"
    "messages:\n"
    "  Ask:\n"
    "    from: client\n"
    "    fields:\n"
    "      - num: i64\n"
    "      - kind: Kind\n"
    "      - flag: bool\n"
    "      - _: u7\n"
    "      - opt: {type: u8, if: flag}\n"
    "      - word: {text: {prefix: u8}}\n"
    "      - list: {list: u16, until: end, most: 10}\n"
    "    examples: [{hex: \"000c 0000000000000001 01 00 01 61 \", is: {num: 1}}]\n"
    "  Say:\n"
    "    from: server\n"
    "    fields: []\n"
    "    examples: [{hex: \"0000\", is: {}}]\n"
    "server:\n"
    "  vars:\n"
    "    held: {type: bytes, max: 100}\n"
    "    total: i64\n"
    "    num: i64\n"
    "  states:\n"
    "    Open:\n"
    "      - when: Ask\n"
    "        let: {twice: num + 0}\n"
    "        if: |-\n"
    "          ";
static const char tail[] =
    "\n"
    "        send: {Say: {}}\n"
    "        else: {goto: End}\n"
    "      - {when: any-message, goto: End}\n"
    "      - {when: [malformed, unknown, oversize, eof, eof-in-frame, reset, no-room], goto: End}\n";

static struct assay_spec *compile(const char *expression, struct assay_diags *diags)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "%s%s%s", head, expression, tail);
    assert_true(n > 0 && (size_t)n < sizeof text);
    return assay_spec_parse("test", (const uint8_t *)text, (size_t)n, diags);
}

enum { FALSE, TRUE, UNDEFINED };

/* num 5, kind green, flag false, opt absent, word "h\xc3\xa9llo", list [3, 1, 2], held "held", total -4 */
static int value_of(const struct assay_model *m)
{
    static const uint8_t bytes[] = "h\xc3\xa9lloheld\3\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0";
    static uint8_t scratch[1 << 16];
    assay_val slots[ASSAY_SLOTS_MAX] = {0}, vars[3], result;
    struct assay_env env = {.model = m,
                            .slots = slots,
                            .vars = vars,
                            .vars_first = m->machines[m->server].vars.first,
                            .frame = bytes,
                            .heap = bytes,
                            .scratch = scratch,
                            .scratch_cap = sizeof scratch};
    const struct assay_message *ask = &m->messages[0];
    for (uint32_t i = 0; i < ask->fields.count; i++) {
        const struct assay_field *f = &m->fields[ask->fields.first + i];
        if (!f->name || strcmp(f->name, "opt") == 0)
            continue;
        env.known |= (uint64_t)1 << f->slot;
        slots[f->slot] = strcmp(f->name, "num") == 0    ? 5
                         : strcmp(f->name, "kind") == 0 ? 2
                         : strcmp(f->name, "word") == 0 ? assay_val_bytes(ASSAY_REGION_FRAME, 0, 6)
                         : strcmp(f->name, "list") == 0 ? assay_val_bytes(ASSAY_REGION_FRAME, 10, 24)
                                                        : 0;
    }
    vars[0] = assay_val_bytes(ASSAY_REGION_VARS, 6, 4);
    vars[1] = (assay_val)-4;
    vars[2] = 77;
    if (!assay_eval(&env, m->rules[0].guard, &result))
        return UNDEFINED;
    return result ? TRUE : FALSE;
}

static void gives(const char *expression, int expected)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = compile(expression, &diags);
    if (!spec) {
        assay_diags_print(&diags, stderr);
        fail_msg("not accepted: %s", expression);
    }
    int is = value_of(assay_spec_model(spec));
    if (is != expected)
        fail_msg("%s is %d, expected %d", expression, is, expected);
    assay_spec_free(spec);
    assay_diags_free(&diags);
}

static void numbers(void **state)
{
    (void)state;
    gives("2 + 3 * 4 == 14 && num > -100", TRUE);
    gives("(2 + 3) * 4 == num * 4", TRUE);
    gives("num - 1 - 1 == 3", TRUE);
    gives("-num == 0 - 5 && ~num == -6", TRUE);
    gives("num / 2 == 2 && -num / 2 == -2 && -num % 3 == -2", TRUE);
    gives("num << 2 == 20 && num >> 1 == 2", TRUE);
}

static void precedence(void **state)
{
    (void)state;
    gives("num | 2 ^ 2 & 6 == 6 || num == 5", TRUE);
    gives("(num | 2) == 7", TRUE);
    gives("num | 2 == 7", TRUE);
    gives("num & 4 == 4", TRUE);
    gives("num + 1 << 1 == 12", TRUE);
    gives("!flag && num == 5 || false", TRUE);
    gives("flag ? num == 1 : num == 5", TRUE);
    gives("num == 5 ? kind == red : true", FALSE);
    gives("0x10 == 16 && 64KiB == 65536 && num == 5", TRUE);
    gives("num in [1, 5, 9] && !(num in [2, 3])", TRUE);
    gives("1500ms < wait && wait * 2 == 4s && num == 5", TRUE);
}

static void undefined(void **state)
{
    (void)state;
    gives("num / (num - 5) == 1", UNDEFINED);
    gives("num == 5 || num / (num - 5) == 1", TRUE);
    gives("num != 5 && num / (num - 5) == 1", FALSE);
    gives("num * 9223372036854775807 > 0", UNDEFINED);
    gives("num << 62 == 0", UNDEFINED);
    gives("num << 64 == 0", UNDEFINED);
    gives("opt == 1", UNDEFINED);
    gives("present(opt) ? opt == 1 : true", TRUE);
    gives("word[6] == 1", UNDEFINED);
    gives("word[2..1] == ''", UNDEFINED);
    gives("list[3] == 1", UNDEFINED);
    gives("number(word) == 5", UNDEFINED);
    gives("fits(num, u2)", FALSE);
    gives("fits(num, u3)", TRUE);
}

static void names(void **state)
{
    (void)state;
    gives("kind == green", TRUE);
    gives("green == kind", TRUE);
    gives("kind == Kind.blue", FALSE);
    gives("kind in [red, green]", TRUE);
    gives("(num == 5 ? green : red) == kind", TRUE);
    gives("self.num == 77 && num == 5", TRUE);
    gives("total == -4", TRUE);
    gives("most == 7 && num == 5", TRUE);
}

static void bytes_and_lists(void **state)
{
    (void)state;
    gives("size(word) == 6 && word[0] == 0x68", TRUE);
    gives("word == 'h\xc3\xa9llo'", TRUE);
    gives("word[0..1] + held == 'hheld'", TRUE);
    gives("'a{num}b{kind}c{held}' == 'a5bgreencheld'", TRUE);
    gives("'{held + '!'}' == 'held!'", TRUE);
    gives("size('\\\\\\{\\x00\\'') == 4 && num == 5", TRUE);
    gives("starts(held, 'he') && ends(held, 'ld') && contains(held, 'el') && !contains(held, 'x')", TRUE);
    gives("upper(held) == 'HELD' && lower('ABC') == 'abc'", TRUE);
    gives("decimal(num) == '5' && hex(num * 50) == 'fa' && number('-12') == -12", TRUE);
    gives("line('a\\n\\0\\\\' + held) == 'a\\\\n\\\\0\\\\\\\\held'", TRUE);
    gives("min(num, 3) == 3 && max(num, 3) == 5", TRUE);
    gives("len(list) == 3 && list[0] == 3 && list[2] == 2", TRUE);
    gives("list == [3, 1, 2]", TRUE);
    gives("list[1..3] + [9] == [1, 2, 9]", TRUE);
    gives("len([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, num]) == 16", TRUE);
    gives("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14][13] == 14 && num == 5", TRUE);
}

/* Errors: the offset in the expression, and what is said. */
static void errors(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        uint32_t offset;
        const char *says;
    } bad[] = {
        {"num +", 5, "ends too early"},
        {"num == 'a", 7, "no closing quote"},
        {"num $ 2", 4, "means nothing"},
        {"(num == 1", 9, "')'"},
        {"num num", 4, "should end here"},
        {"num < 3 < 4", 8, "chained"},
        {"nmu == 5", 0, "did you mean 'num'"},
        {"kind == gren", 8, "did you mean 'green'"},
        {"Kind.gren == kind", 5, "did you mean 'green'"},
        {"num == held", 4, "does not go with"},
        {"num + held == 5", 4, "does not go with"},
        {"num && true", 0, "true or false is expected"},
        {"size(num) == 1", 5, "bytes is expected"},
        {"size(held, 1) == 1", 0, "takes 1 argument"},
        {"sise(held) == 1", 0, "did you mean 'size'"},
        {"'{num' == held", 0, "a '{' in it no '}'"},
        {"'a{nmu}' == held", 3, "did you mean 'num'"},
        {"held == 'a\\q'", 11, "no such escape"},
        {"num == 99999999999999999999", 7, "no number"},
        {"num == 1 && wait == 5", 17, "does not go with"},
        {"num in 5", 7, "a list"},
        {"fits(num, held)", 10, "number type"},
        {"present(total)", 8, "name of a field"},
        {"self.nothing == 1", 5, "no variable 'nothing'"},
        {"it == 1", 0, "'it'"},
        {"num", 0, "true or false is expected"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct assay_diags diags = {0};
        struct assay_spec *spec = compile(bad[i].expression, &diags);
        if (spec || diags.count == 0)
            fail_msg("accepted: %s", bad[i].expression);
        const struct assay_diag *d = &diags.items[0];
        if (!strstr(d->text, bad[i].says) || d->line != GUARD_LINE)
            fail_msg("%s: %u:%u: %s", bad[i].expression, d->line, d->column, d->text);
        if (d->column != GUARD_COLUMN + bad[i].offset)
            fail_msg("%s: at %u, expected %u (%s)", bad[i].expression, d->column - GUARD_COLUMN, bad[i].offset,
                     d->text);
        assay_diags_free(&diags);
    }
}

static void deep_expressions_are_refused(void **state)
{
    (void)state;
    char text[600];
    static const char *const openings[] = {"(", "-", "!", "[", "'{'"};
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        text[0] = '\0';
        while (strlen(text) < sizeof text - 20)
            strcat(text, openings[i]);
        struct assay_diags diags = {0};
        assert_null(compile(text, &diags));
        assert_true(diags.errors > 0);
        assay_diags_free(&diags);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(precedence),
        cmocka_unit_test(undefined),
        cmocka_unit_test(names),
        cmocka_unit_test(bytes_and_lists),
        cmocka_unit_test(errors),
        cmocka_unit_test(deep_expressions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
