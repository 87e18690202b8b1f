#include "sim/tests/edited.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static char *text_of(const char *path)
{
    FILE *in = fopen(path, "r");
    size_t cap = 1 << 18;
    char *text = malloc(cap);
    assert_non_null(in);
    assert_non_null(text);
    size_t n = fread(text, 1, cap - 1, in);
    assert_true(feof(in));
    fclose(in);
    text[n] = '\0';
    return text;
}

static char *replaced(char *text, const struct edit *edit)
{
    char *at = strstr(text, edit->was);
    if (!at)
        fail_msg("not in the spec: %s", edit->was);
    size_t head = (size_t)(at - text), size = strlen(text) + strlen(edit->is) + 1;
    char *made = malloc(size);
    assert_non_null(made);
    snprintf(made, size, "%.*s%s%s", (int)head, text, edit->is, at + strlen(edit->was));
    free(text);
    return made;
}

struct assay_spec *edited(const char *path, const struct edit *edits)
{
    struct assay_diags diags = {0};
    char *text = text_of(path);
    for (; edits && edits->was; edits++)
        text = replaced(text, edits);
    struct assay_spec *spec = assay_spec_parse(path, (const uint8_t *)text, strlen(text), &diags);
    assay_diags_print(&diags, stderr);
    assay_diags_free(&diags);
    free(text);
    assert_non_null(spec);
    assert_non_null(assay_spec_model(spec));
    return spec;
}

struct assay_sim *simulated(const struct assay_model *model, const struct assay_model *server)
{
    struct assay_sim_config config;
    char error[ASSAY_SIM_ERROR_MAX] = "";
    assay_sim_defaults(&config, model);
    config.server_model = server;
    struct assay_sim *sim = assay_sim_new(&config, error);
    assert_string_equal(error, "");
    assert_non_null(sim);
    return sim;
}

struct assay_sim_report searched(struct assay_sim *sim, const struct assay_model *model, unsigned faults,
                                 uint64_t random)
{
    const struct assay_impair *impair = &model->impairs[0];
    struct assay_sim_search search = {.faults = faults,
                                      .kinds = impair->faults,
                                      .crashes = impair->crashes,
                                      .blackouts = true,
                                      .wraps = true,
                                      .random = random};
    struct assay_sim_report report;
    assert_true(assay_sim_explore(sim, &search, &report));
    return report;
}
