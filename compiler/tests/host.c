#include "compiler/tests/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *path_of(const char *name)
{
    static char path[1024];
    const char *root = getenv("ASSAY_ROOT");
    snprintf(path, sizeof path, "%s/%s", root ? root : ".", name);
    return path;
}

struct assay_spec *load(const char *name)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = assay_spec_load(path_of(name), &diags);
    assay_diags_print(&diags, stderr);
    assay_diags_free(&diags);
    assert_non_null(spec);
    assert_non_null(assay_spec_model(spec));
    return spec;
}

struct assay_spec *parse(const char *text)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = assay_spec_parse("test", (const uint8_t *)text, strlen(text), &diags);
    assay_diags_print(&diags, stderr);
    assay_diags_free(&diags);
    assert_non_null(spec);
    return spec;
}

/* ---- one session on memory --------------------------------------------- */

struct host *open_host(const struct assay_model *model, uint16_t machine)
{
    struct host *h = calloc(1, sizeof *h);
    assert_non_null(h);
    struct assay_config config = {.model = model,
                                  .machine = machine,
                                  .limits = model->limits,
                                  .leniencies = assay_leniencies_default(model),
                                  .secret = {1, 1}};
    config.limits.sessions = 2;
    config.limits.memory = 1 << 20;
    size_t size = assay_engine_size(&config);
    h->model = model;
    h->memory = malloc(size);
    h->engine = assay_engine_init(h->memory, size, &config);
    h->out = (struct assay_out){.bytes = h->bytes, .cap = sizeof h->bytes, .cuts = h->cuts, .cuts_cap = 4};
    assert_non_null(h->engine);
    assert_int_equal(assay_open(h->engine, 0, &h->sid, &h->out), ASSAY_OK);
    return h;
}

void close_host(struct host *h)
{
    free(h->memory);
    free(h);
}

enum assay_rc feed(struct host *h, const char *bytes, size_t size)
{
    uint32_t used = 0;
    return assay_feed(h->engine, h->sid, 0, (struct assay_span){(const uint8_t *)bytes, (uint32_t)size}, &used,
                      &h->out);
}

void sent(struct host *h, const char *bytes, size_t size)
{
    assert_int_equal(h->out.len, size);
    assert_memory_equal(h->out.bytes, bytes, size);
    h->out.len = 0;
}

const char *state_of(struct host *h)
{
    return h->model->states[assay_state(h->engine, h->sid)].name;
}

struct assay_event take(struct host *h)
{
    struct assay_event event;
    assert_true(assay_next_event(h->engine, &event));
    return event;
}
