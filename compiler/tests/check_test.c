/* Specs that must be refused, each error in the line that says so, and specs that must be accepted.
 *
 * In spec/bad/, a comment names what is expected in its line:
 *
 *   goto: Endd}  # error@12: did you mean 'End'?
 *
 * `error`, `warning` or `note`; `@12` the column, if it matters; then a part of the text. Nothing else may be
 * said about the file. ASSAY_ROOT is the repository; by default, the current folder.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/compiler.h"

#define EXPECTED_MAX 32

struct expected {
    enum assay_severity severity;
    uint32_t line, column; /* column 0: any */
    char text[256];
    bool met;
};

static const char *const severities[] = {[ASSAY_ERROR] = "error", [ASSAY_WARNING] = "warning", [ASSAY_NOTE] = "note"};

static const char *root(void)
{
    const char *env = getenv("ASSAY_ROOT");
    return env ? env : ".";
}

/* ---- expectations ------------------------------------------------------ */

static bool parse_marker(const char *p, uint32_t line, struct expected *e)
{
    int used = 0;
    *e = (struct expected){.line = line};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(severities[i]);
        if (strncmp(p, severities[i], n) == 0 && (p[n] == ':' || p[n] == '@')) {
            e->severity = (enum assay_severity)i;
            p += n;
            used = 1;
            break;
        }
    }
    if (!used)
        return false;
    if (*p == '@')
        e->column = (uint32_t)strtoul(p + 1, (char **)&p, 10);
    if (*p != ':')
        return false;
    snprintf(e->text, sizeof e->text, "%s", p + 1 + strspn(p + 1, " "));
    char *next = strstr(e->text, " # ");
    if (next)
        *next = '\0';
    e->text[strcspn(e->text, "\n")] = '\0';
    return true;
}

static size_t read_expected(const char *path, struct expected expected[EXPECTED_MAX])
{
    char text[2048];
    size_t count = 0;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (uint32_t line = 1; fgets(text, sizeof text, f); line++)
        for (char *p = strstr(text, "# "); p; p = strstr(p + 2, "# "))
            if (count < EXPECTED_MAX && parse_marker(p + 2, line, &expected[count]))
                count++;
    fclose(f);
    return count;
}

/* ---- comparing --------------------------------------------------------- */

static bool meets(const struct expected *e, const struct assay_diag *d)
{
    return !e->met && e->severity == d->severity && e->line == d->line && (!e->column || e->column == d->column) &&
           strstr(d->text, e->text);
}

static unsigned compare(const char *path, struct expected *expected, size_t count, const struct assay_diags *diags)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < diags->count; i++) {
        const struct assay_diag *d = &diags->items[i];
        size_t hit = 0;
        while (hit < count && !meets(&expected[hit], d))
            hit++;
        if (hit < count) {
            expected[hit].met = true;
            continue;
        }
        print_error("%s:%u:%u: not expected: %s: %s\n", path, d->line, d->column, severities[d->severity], d->text);
        wrong++;
    }
    for (size_t i = 0; i < count; i++)
        if (!expected[i].met) {
            print_error("%s:%u:%u: missing: %s: %s\n", path, expected[i].line, expected[i].column,
                        severities[expected[i].severity], expected[i].text);
            wrong++;
        }
    return wrong;
}

static unsigned check_bad(const char *path)
{
    struct expected expected[EXPECTED_MAX];
    struct assay_diags diags = {0};
    size_t count = read_expected(path, expected), errors = 0;
    struct assay_spec *spec = assay_spec_load(path, &diags);
    for (size_t i = 0; i < count; i++)
        errors += expected[i].severity == ASSAY_ERROR;
    unsigned wrong = compare(path, expected, count, &diags);
    if (count == 0 || (errors > 0) != (spec == NULL)) {
        print_error("%s: %s\n", path, count == 0 ? "no expectation in it" : spec ? "accepted" : "refused");
        wrong++;
    }
    assay_spec_free(spec);
    assay_diags_free(&diags);
    return wrong;
}

/* ---- folders ----------------------------------------------------------- */

static int is_yaml(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".yaml") == 0;
}

/* The number of specs in a folder; adds up what `check` says of each. */
static unsigned for_each_spec(const char *folder, unsigned (*check)(const char *path), unsigned *wrong)
{
    char path[1024];
    struct dirent **names;
    snprintf(path, sizeof path, "%s/%s", root(), folder);
    int n = scandir(path, &names, is_yaml, alphasort);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", root(), folder, names[i]->d_name);
        *wrong += check(path);
        free(names[i]);
    }
    free(names);
    return (unsigned)n;
}

/* ---- tests ------------------------------------------------------------- */

static void test_bad_specs(void **state)
{
    unsigned wrong = 0;
    (void)state;
    unsigned n = for_each_spec("spec/bad", check_bad, &wrong);
    assert_true(n >= 88);
    assert_int_equal(wrong, 0);
}

static unsigned check_clean(const char *path)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = assay_spec_load(path, &diags);
    unsigned wrong = (unsigned)diags.count + !spec + (spec && !assay_spec_model(spec));
    diags.file = path;
    if (wrong)
        assay_diags_print(&diags, stderr);
    assay_spec_free(spec);
    assay_diags_free(&diags);
    return wrong;
}

static void test_bundled_specs_are_accepted_without_a_word(void **state)
{
    unsigned wrong = 0;
    (void)state;
    unsigned n = for_each_spec("spec", check_clean, &wrong);
    assert_true(n >= 2);
    assert_int_equal(wrong, 0);
}

/* Accepted; notes name what is declared only: then there is no model to run. */
static unsigned check_draft(const char *path)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = assay_spec_load(path, &diags);
    unsigned wrong = !spec || diags.errors > 0 || (assay_spec_model(spec) != NULL) != (diags.count == 0);
    for (size_t i = 0; i < diags.count; i++)
        if (diags.items[i].severity != ASSAY_NOTE || !strstr(diags.items[i].text, "declared"))
            wrong++;
    diags.file = path;
    if (wrong)
        assay_diags_print(&diags, stderr);
    assay_spec_free(spec);
    assay_diags_free(&diags);
    return wrong;
}

static void test_drafts_are_accepted_with_notes(void **state)
{
    unsigned wrong = 0;
    (void)state;
    unsigned n = for_each_spec("spec/drafts", check_draft, &wrong);
    assert_true(n >= 2);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_specs),
        cmocka_unit_test(test_bundled_specs_are_accepted_without_a_word),
        cmocka_unit_test(test_drafts_are_accepted_with_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
