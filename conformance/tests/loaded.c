#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void write_changed(const char *path, const char *from, const char *to, char changed[CHANGED_PATH_MAX])
{
    static char text[1 << 16];
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    const char *at = strstr(text, from);
    assert_non_null(at);
    assert_null(strstr(at + 1, from));
    strcpy(changed, "/tmp/assay-changed-XXXXXX");
    int fd = mkstemp(changed);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    assert_non_null(out);
    fprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    fclose(out);
}

struct assay_spec *load_changed(const char *path, const char *from, const char *to)
{
    char changed[CHANGED_PATH_MAX];
    write_changed(path, from, to, changed);
    struct assay_spec *spec = load_spec(changed);
    unlink(changed);
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

const struct assay_case *case_named(const struct assay_suite *suite, const char *id)
{
    for (size_t i = 0; i < suite->count; i++)
        if (strcmp(suite->cases[i].id, id) == 0)
            return &suite->cases[i];
    fail_msg("no case %s", id);
    return NULL;
}

static struct watched watch(const char *path, uint8_t role, uint8_t links)
{
    struct watched w = {.spec = load_spec(path)};
    w.model = assay_spec_model(w.spec);
    bool server = role == ASSAY_SERVER;
    struct assay_oracle_config config = {.model = w.model,
                                         .machine = server ? w.model->server : w.model->client,
                                         .leniencies = server ? assay_leniencies_default(w.model) : 0,
                                         .seed = 1};
    w.o = assay_oracle_new(&config, links);
    assert_non_null(w.o);
    return w;
}

struct watched watch_server(const char *path, uint8_t links)
{
    struct watched w = watch(path, ASSAY_SERVER, links);
    for (uint8_t i = 0; i < links; i++)
        assay_oracle_connect(w.o, i, 0);
    return w;
}

struct watched watch_client(const char *path, uint8_t links)
{
    return watch(path, ASSAY_CLIENT, links);
}

void unwatch(struct watched *w)
{
    assay_oracle_free(w->o);
    assay_spec_free(w->spec);
}
