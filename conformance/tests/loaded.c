#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/tests/loaded.h"

struct assay_spec *load_spec(const char *path)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = assay_spec_load(path, &diags);
    if (!spec)
        assay_diags_print(&diags, stderr);
    assay_diags_free(&diags);
    assert_non_null(spec);
    return spec;
}

uint16_t state_named(const struct assay_model *model, const char *name)
{
    for (uint16_t i = 0; i < model->states_count; i++)
        if (strcmp(model->states[i].name, name) == 0)
            return i;
    fail_msg("no state %s", name);
    return ASSAY_NONE;
}

uint16_t requirement_named(const struct assay_model *model, const char *id)
{
    for (uint16_t i = 0; i < model->requirements_count; i++)
        if (strcmp(model->requirements[i].id, id) == 0)
            return i;
    fail_msg("no requirement %s", id);
    return ASSAY_NONE;
}

uint16_t message_named(const struct assay_model *model, const char *name)
{
    for (uint16_t i = 0; i < model->messages_count; i++)
        if (strcmp(model->messages[i].name, name) == 0)
            return i;
    fail_msg("no message %s", name);
    return ASSAY_NONE;
}
