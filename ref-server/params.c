/* The model that a server runs: the application's, with the params that it was given. */
#include "core/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ref-server/shard.h"

static bool refuse(const struct assay_server *server, const struct assay_param_read *read, const char *text,
                   struct assay_net_error *error)
{
    const struct assay_model *model = &server->model;
    const char *name = read->option < model->options_count ? model->options[read->option].name : "";
    size_t size = sizeof error->text;
    switch (read->status) {
    case ASSAY_PARAM_SET:
        return true;
    case ASSAY_PARAM_NO_PAIR:
        snprintf(error->text, size, "param '%.100s': expected NAME=VALUE", text);
        break;
    case ASSAY_PARAM_UNKNOWN:
        snprintf(error->text, size, "the spec has no param '%.*s'", (int)strcspn(text, "="), text);
        break;
    case ASSAY_PARAM_TOO_LONG:
        snprintf(error->text, size, "param %.60s: the value is too long", name);
        break;
    case ASSAY_PARAM_NO_VALUE:
        snprintf(error->text, size, "param %.60s: '%.60s' is no value for it: expected %s", name, read->value,
                 read->wanted);
        break;
    case ASSAY_PARAM_OUTSIDE:
        snprintf(error->text, size, "param %.60s: '%.60s' is outside of what the spec allows", name, read->value);
        break;
    }
    return false;
}

static size_t texts_size(const char *const *params)
{
    size_t n = 0;
    for (; *params; params++)
        n += strlen(*params) + 1;
    return n;
}

/* The texts given stand behind the options, in one block. */
bool assay_server_take_params(struct assay_server *server, struct assay_net_error *error)
{
    const char *const *params = server->config.params;
    const struct assay_model *model = server->config.model;
    server->model = *model;
    server->config.model = &server->model;
    if (!params)
        return true;
    size_t size = model->options_count * sizeof *server->options;
    server->options = malloc(size + texts_size(params) + 1);
    if (!server->options) {
        snprintf(error->text, sizeof error->text, "no memory");
        return false;
    }
    if (size > 0)
        memcpy(server->options, model->options, size);
    server->model.options = server->options;
    for (char *text = (char *)server->options + size; *params; params++) {
        size_t n = strlen(*params);
        memcpy(text, *params, n + 1);
        struct assay_param_read read = assay_param_read(&server->model, text, n, server->options);
        if (!refuse(server, &read, text, error))
            return false;
        text += n + 1;
    }
    return true;
}
