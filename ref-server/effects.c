#include "ref-server/effects.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"

#define ARGS_MAX 32

struct assay_verb {
    const char *name;
    bool (*open)(struct assay_effects *effects, const struct assay_effect *effect, const char *object,
                 struct assay_binding *binding, struct assay_net_error *error);
    enum assay_ordered (*order)(struct assay_orders *orders, const struct assay_event *event,
                                const struct assay_job *job);
};

/* Hashes of one file; the thread that checks passwords owns what it points to. */
struct assay_vault {
    struct assay_vault *next;
    const char *name;
    struct assay_passwords *passwords;
};

static bool fail(struct assay_net_error *error, const struct assay_effect *effect, const char *why, const char *about)
{
    snprintf(error->text, sizeof error->text, "effect '%.60s': %s '%.160s'", effect->name, why, about);
    return false;
}

/* ---- arguments --------------------------------------------------------- */

/* Arguments as bytes: numbers in decimal. */
struct texts {
    struct assay_span spans[ARGS_MAX];
    char numbers[ARGS_MAX][24];
};

static bool is_bytes(const struct assay_model *model, uint16_t param)
{
    return model->types[model->params[param].type].kind >= ASSAY_T_BYTES;
}

static void as_texts(const struct assay_model *model, const struct assay_event *event, struct texts *texts)
{
    const struct assay_range args = model->effects[event->effect.effect].args;
    for (uint16_t i = 0; i < event->count && i < ARGS_MAX; i++) {
        if (is_bytes(model, (uint16_t)(args.first + i))) {
            texts->spans[i] = event->spans[i];
            continue;
        }
        int n = snprintf(texts->numbers[i], sizeof texts->numbers[i], "%" PRId64, (int64_t)event->values[i]);
        texts->spans[i] = (struct assay_span){(const uint8_t *)texts->numbers[i], (uint32_t)n};
    }
}

/* ---- batches ----------------------------------------------------------- */

static enum assay_ordered enqueue(struct assay_orders *orders, const struct assay_event *event,
                                  const struct assay_span *spans, uint16_t count, const struct assay_job *job)
{
    const struct assay_binding *binding = &orders->effects->bindings[event->effect.effect];
    struct assay_batch **open = &orders->open[binding->lane];
    if (!*open)
        *open = assay_batch_new(binding->object, &orders->inbox);
    orders->any |= !orders->out[binding->lane];
    if (!*open || !assay_batch_add(*open, spans, count, count > 0, job))
        return ASSAY_ORDER_FAILED;
    return ASSAY_ORDER_LATER;
}

/* ---- append ------------------------------------------------------------ */

/* A spec must not reach beyond the folder that its user chose. */
static bool stays_inside(const char *path)
{
    if (path[0] == '/' || path[0] == '\0')
        return false;
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.')
            return false;
        p += n + (p[n] == '/');
    }
    return true;
}

static bool append_open(struct assay_effects *effects, const struct assay_effect *effect, const char *object,
                        struct assay_binding *binding, struct assay_net_error *error)
{
    struct assay_net_error why;
    if (!stays_inside(object))
        return fail(error, effect, "expected a file inside the data folder, got", object);
    binding->object = assay_appender_file(&effects->appender, effects->folder, object, &why);
    return binding->object || fail(error, effect, "cannot append to", why.text);
}

static enum assay_ordered append_order(struct assay_orders *orders, const struct assay_event *event,
                                       const struct assay_job *job)
{
    struct texts texts;
    as_texts(orders->effects->model, event, &texts);
    return enqueue(orders, event, texts.spans, event->count, job);
}

/* ---- print ------------------------------------------------------------- */

static bool print_open(struct assay_effects *effects, const struct assay_effect *effect, const char *object,
                       struct assay_binding *binding, struct assay_net_error *error)
{
    bool out = strcmp(object, "stdout") == 0;
    if (!out && strcmp(object, "stderr") != 0)
        return fail(error, effect, "expected stdout or stderr, got", object);
    binding->object = assay_appender_stream(&effects->appender, out ? STDOUT_FILENO : STDERR_FILENO, error);
    return binding->object != NULL;
}

static size_t put_line(char *line, const struct texts *texts, uint16_t count)
{
    size_t n = 0;
    for (uint16_t i = 0; i < count; i++) {
        if (i > 0)
            line[n++] = ' ';
        n += assay_escape(line + n, texts->spans[i].p, texts->spans[i].n, '\0');
    }
    line[n++] = '\n';
    return n;
}

static enum assay_ordered print_order(struct assay_orders *orders, const struct assay_event *event,
                                      const struct assay_job *job)
{
    struct texts texts;
    size_t room = 1;
    as_texts(orders->effects->model, event, &texts);
    for (uint16_t i = 0; i < event->count; i++)
        room += 1 + ASSAY_ESCAPED_MAX(texts.spans[i].n);
    char *line = malloc(room);
    if (!line)
        return ASSAY_ORDER_FAILED;
    struct assay_span span = {(const uint8_t *)line, (uint32_t)put_line(line, &texts, event->count)};
    enum assay_ordered ordered = enqueue(orders, event, &span, 1, job);
    free(line);
    return ordered;
}

/* ---- crypt ------------------------------------------------------------- */

static struct assay_vault *find_vault(struct assay_effects *effects, const char *name)
{
    for (struct assay_vault *v = effects->vaults; v; v = v->next)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}

static struct assay_vault *open_vault(struct assay_effects *effects, const char *name, struct assay_net_error *why)
{
    struct assay_vault *vault = find_vault(effects, name);
    if (vault)
        return vault;
    struct assay_passwords *passwords = assay_passwords_load(effects->folder, name, why);
    vault = passwords ? malloc(sizeof *vault) : NULL;
    if (!vault) {
        assay_passwords_free(passwords);
        return NULL;
    }
    *vault = (struct assay_vault){effects->vaults, name, passwords};
    return effects->vaults = vault;
}

/* Without a file every password matches. */
static bool crypt_open(struct assay_effects *effects, const struct assay_effect *effect, const char *object,
                       struct assay_binding *binding, struct assay_net_error *error)
{
    struct assay_net_error why = {"no memory"};
    const struct assay_range args = effect->args;
    if (args.count != 2 || !is_bytes(effects->model, args.first) ||
        !is_bytes(effects->model, (uint16_t)(args.first + 1)))
        return fail(error, effect, "its arguments must be two of bytes, a name and a password, for", "crypt");
    if (object[0] == '\0')
        return true;
    binding->object = open_vault(effects, object, &why);
    return binding->object || fail(error, effect, "cannot read passwords:", why.text);
}

static enum assay_ordered crypt_order(struct assay_orders *orders, const struct assay_event *event,
                                      const struct assay_job *job)
{
    if (!orders->effects->bindings[event->effect.effect].object)
        return ASSAY_ORDER_DONE;
    return enqueue(orders, event, event->spans, event->count, job);
}

static void check_batch(struct assay_batch *batch)
{
    struct assay_vault *vault = batch->object;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct assay_span all = assay_batch_bytes(batch, i);
        uint32_t name = all.n - (batch->jobs[i].end - batch->jobs[i].split);
        batch->jobs[i].done = assay_passwords_match(vault->passwords, (struct assay_span){all.p, name},
                                                    (struct assay_span){all.p + name, all.n - name});
    }
    explicit_bzero(batch->bytes, batch->size);
}

static void check(struct assay_worker *worker, struct assay_batch *batches)
{
    (void)worker;
    for (struct assay_batch *next; batches; batches = next) {
        next = batches->next;
        check_batch(batches);
        assay_inbox_post(batches->reply, batches);
    }
}

static void reload(struct assay_worker *worker)
{
    struct assay_effects *effects = worker->owner;
    struct assay_net_error why;
    for (struct assay_vault *v = effects->vaults; v; v = v->next) {
        struct assay_passwords *fresh = assay_passwords_load(effects->folder, v->name, &why);
        if (!fresh) {
            fprintf(stderr, "assay: %s; going on with the old passwords\n", why.text);
            continue;
        }
        assay_passwords_free(v->passwords);
        v->passwords = fresh;
    }
}

/* ---- stop, application ------------------------------------------------- */

static bool nothing_to_open(struct assay_effects *effects, const struct assay_effect *effect, const char *object,
                            struct assay_binding *binding, struct assay_net_error *error)
{
    (void)effects, (void)effect, (void)object, (void)binding, (void)error;
    return true;
}

static enum assay_ordered stop_order(struct assay_orders *orders, const struct assay_event *event,
                                     const struct assay_job *job)
{
    (void)event, (void)job;
    if (orders->effects->stop)
        orders->effects->stop(orders->effects->owner);
    return ASSAY_ORDER_DONE;
}

static enum assay_ordered done_at_once(struct assay_orders *orders, const struct assay_event *event,
                                       const struct assay_job *job)
{
    (void)orders, (void)event, (void)job;
    return ASSAY_ORDER_DONE;
}

/* ---- the table --------------------------------------------------------- */

static const struct assay_verb verbs[] = {
    {"append", append_open, append_order},
    {"crypt", crypt_open, crypt_order},
    {"print", print_open, print_order},
    {"stop", nothing_to_open, stop_order},
    {"application", nothing_to_open, done_at_once},
};

static const struct assay_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

/* `$name` is the value of that param. The result belongs to the caller; NULL: no such param, or no memory. */
static char *object_of(const struct assay_model *model, const struct assay_effect *effect)
{
    const char *object = effect->object ? effect->object : "";
    if (object[0] != '$')
        return strdup(object);
    for (uint16_t i = 0; i < model->options_count; i++) {
        const struct assay_option *option = &model->options[i];
        if (strcmp(option->name, object + 1) == 0)
            return option->blob.n > 0 ? strndup((const char *)option->blob.p, option->blob.n) : strdup("");
    }
    return NULL;
}

/* Effects on one object share a lane, so that they keep their order. */
static void choose_lane(struct assay_effects *effects, uint16_t i)
{
    uint16_t lane = 0;
    while (lane < i && effects->bindings[lane].object != effects->bindings[i].object)
        lane++;
    effects->bindings[i].lane = lane;
}

static bool bind_one(struct assay_effects *effects, uint16_t i, struct assay_net_error *error)
{
    const struct assay_effect *effect = &effects->model->effects[i];
    struct assay_binding *binding = &effects->bindings[i];
    const char *name = effect->verb ? effect->verb : "application";
    binding->verb = find_verb(name);
    if (!binding->verb)
        return fail(error, effect, "this server knows append, crypt, print, stop and application, not", name);
    if (effect->args.count > ARGS_MAX)
        return fail(error, effect, "too many arguments for", name);
    binding->name = object_of(effects->model, effect);
    if (!binding->name)
        return fail(error, effect, "no such param:", effect->object);
    if (!binding->verb->open(effects, effect, binding->name, binding, error))
        return false;
    choose_lane(effects, i);
    return true;
}

static bool open_folder(struct assay_effects *effects, struct assay_net_error *error)
{
    effects->folder = open(effects->folder_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (effects->folder >= 0)
        return true;
    snprintf(error->text, sizeof error->text, "data folder '%.200s': %s", effects->folder_name, strerror(errno));
    return false;
}

static bool start_threads(struct assay_effects *effects)
{
    effects->checker.handle = check;
    effects->checker.reopened = reload;
    effects->checker.owner = effects;
    return assay_appender_start(&effects->appender) && (!effects->vaults || assay_worker_start(&effects->checker));
}

bool assay_effects_open(struct assay_effects *effects, const struct assay_model *model, const char *folder_name,
                        struct assay_net_error *error)
{
    effects->model = model;
    effects->folder = -1;
    effects->folder_name = folder_name;
    effects->bindings = calloc(model->effects_count + 1u, sizeof *effects->bindings);
    bool ok = effects->bindings && open_folder(effects, error);
    for (uint16_t i = 0; ok && i < model->effects_count; i++)
        ok = bind_one(effects, i, error);
    if (ok && !start_threads(effects)) {
        snprintf(error->text, sizeof error->text, "cannot start a thread");
        ok = false;
    }
    if (!ok)
        assay_effects_close(effects);
    return ok;
}

void assay_effects_reopen(struct assay_effects *effects)
{
    if (effects->appender.worker.running)
        assay_worker_reopen(&effects->appender.worker);
    if (effects->checker.running)
        assay_worker_reopen(&effects->checker);
}

void assay_effects_close(struct assay_effects *effects)
{
    assay_appender_stop(&effects->appender);
    assay_worker_stop(&effects->checker);
    for (struct assay_vault *next, *v = effects->vaults; v; v = next) {
        next = v->next;
        assay_passwords_free(v->passwords);
        free(v);
    }
    effects->vaults = NULL;
    for (uint16_t i = 0; effects->bindings && i < effects->model->effects_count; i++)
        free(effects->bindings[i].name);
    free(effects->bindings);
    effects->bindings = NULL;
    if (effects->folder >= 0)
        close(effects->folder);
    effects->folder = -1;
}

/* ---- orders of a loop -------------------------------------------------- */

bool assay_orders_open(struct assay_orders *orders, struct assay_effects *effects, struct assay_loop *loop)
{
    orders->effects = effects;
    assay_inbox_init(&orders->inbox, loop);
    orders->open = calloc(effects->model->effects_count + 1u, sizeof(struct assay_batch *));
    orders->out = calloc(effects->model->effects_count + 1u, sizeof *orders->out);
    return orders->open && orders->out;
}

void assay_orders_close(struct assay_orders *orders)
{
    if (!orders->effects)
        return;
    for (uint16_t i = 0; orders->open && i < orders->effects->model->effects_count; i++)
        assay_batch_free(orders->open[i]);
    free(orders->open);
    free(orders->out);
    assay_inbox_free(&orders->inbox);
}

enum assay_ordered assay_orders_take(struct assay_orders *orders, const struct assay_event *event,
                                     const struct assay_job *job)
{
    return orders->effects->bindings[event->effect.effect].verb->order(orders, event, job);
}

static struct assay_worker *worker_of(struct assay_effects *effects, const struct assay_binding *binding)
{
    return binding->verb->order == crypt_order ? &effects->checker : &effects->appender.worker;
}

static void submit_lane(struct assay_orders *orders, uint16_t lane)
{
    struct assay_batch *batch = orders->open[lane];
    if (!batch || orders->out[lane])
        return;
    orders->open[lane] = NULL;
    orders->out[lane] = true;
    batch->lane = lane;
    assay_worker_submit(worker_of(orders->effects, &orders->effects->bindings[lane]), batch);
}

void assay_orders_submit(struct assay_orders *orders)
{
    orders->any = false;
    for (uint16_t lane = 0; lane < orders->effects->model->effects_count; lane++)
        submit_lane(orders, lane);
}

void assay_orders_done(struct assay_orders *orders, struct assay_batch *batch)
{
    orders->out[batch->lane] = false;
    orders->any |= orders->open[batch->lane] != NULL;
    assay_batch_free(batch);
}
