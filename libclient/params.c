/* Params of the spec from "NAME=VALUE". */
#include "core/params.h"

#include <string.h>

#include "libclient/client.h"

static int problem(const struct assay_model *model, const struct assay_param_read *read, const char *text)
{
    const char *name = read->option < model->options_count ? model->options[read->option].name : "";
    size_t n = strcspn(text, "=");
    switch (read->status) {
    case ASSAY_PARAM_SET:
        return ASSAY_CLIENT_OK;
    case ASSAY_PARAM_NO_PAIR:
        return assay_problem(ASSAY_CLIENT_VALUE, "param '%.100s': expected NAME=VALUE", text);
    case ASSAY_PARAM_UNKNOWN:
        return assay_problem(ASSAY_CLIENT_VALUE, "the spec has no param '%.*s'", n < 100 ? (int)n : 100, text);
    case ASSAY_PARAM_TOO_LONG:
        return assay_problem(ASSAY_CLIENT_VALUE, "param %s: the value is too long", name);
    case ASSAY_PARAM_NO_VALUE:
        return assay_problem(ASSAY_CLIENT_VALUE, "param %s: '%.100s' is no value for it: expected %s", name,
                             read->value, read->wanted);
    case ASSAY_PARAM_OUTSIDE:
        break;
    }
    return assay_problem(ASSAY_CLIENT_VALUE, "param %s: '%.100s' is outside of what the spec allows", name,
                         read->value);
}

int assay_params_read(const struct assay_model *model, const char *const *params, struct assay_option *options)
{
    int status = ASSAY_CLIENT_OK;
    for (; params && *params && status == ASSAY_CLIENT_OK; params++) {
        struct assay_param_read read = assay_param_read(model, *params, strlen(*params), options);
        status = problem(model, &read, *params);
    }
    return status;
}
