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

struct assay_order;

struct assay_verb {
    const char *name;
    bool (*open)(struct assay_effects *effects, const struct assay_effect *effect, const char *object,
                 struct assay_binding *binding, struct assay_net_error *error);
    enum assay_ordered (*order)(struct assay_orders *orders, const struct assay_order *order);
};

/* An effect that a session orders. */
struct assay_order {
    const struct assay_event *event;
    struct assay_binding *binding;
    const struct assay_job *job;
    struct assay_spool **spools;
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

static enum assay_ordered enqueue(struct assay_orders *orders, const struct assay_binding *binding,
                                  const struct assay_span *spans, uint16_t count, const struct assay_job *job)
{
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
    binding->worker = &effects->appender.worker;
    binding->object = assay_appender_file(&effects->appender, effects->folder, object, false, &why);
    return binding->object || fail(error, effect, "cannot append to", why.text);
}

static enum assay_ordered append_order(struct assay_orders *orders, const struct assay_order *order)
{
    struct texts texts;
    as_texts(orders->effects->model, order->event, &texts);
    return enqueue(orders, order->binding, texts.spans, order->event->count, order->job);
}

/* ---- print ------------------------------------------------------------- */

static bool print_open(struct assay_effects *effects, const struct assay_effect *effect, const char *object,
                       struct assay_binding *binding, struct assay_net_error *error)
{
    struct assay_console *console = &effects->console;
    bool out = strcmp(object, "stdout") == 0;
    if (!out && strcmp(object, "stderr") != 0)
        return fail(error, effect, "expected stdout or stderr, got", object);
    binding->worker = out ? &console->out.worker : &console->err.worker;
    binding->object = out ? console->to_out : console->to_err;
    return !out || assay_console_use_out(console) || fail(error, effect, "no thread for", object);
}

/* `behind` follows the arguments. */
static size_t put_line(char *line, const struct texts *texts, uint16_t count, const char *behind)
{
    size_t n = 0;
    for (uint16_t i = 0; i < count; i++) {
        if (i > 0)
            line[n++] = ' ';
        n += assay_escape(line + n, texts->spans[i].p, texts->spans[i].n, '\0');
    }
    return n + (size_t)sprintf(line + n, "%s\n", behind);
}

static enum assay_ordered order_line(struct assay_orders *orders, const struct assay_order *order, const char *behind)
{
    struct texts texts;
    uint16_t count = order->event->count;
    size_t room = strlen(behind) + 2;
    as_texts(orders->effects->model, order->event, &texts);
    for (uint16_t i = 0; i < count; i++)
        room += 1 + ASSAY_ESCAPED_MAX(texts.spans[i].n);
    char *line = malloc(room);
    if (!line)
        return ASSAY_ORDER_FAILED;
    struct assay_span span = {(const uint8_t *)line, (uint32_t)put_line(line, &texts, count, behind)};
    enum assay_ordered ordered = enqueue(orders, order->binding, &span, 1, order->job);
    free(line);
    return ordered;
}

static enum assay_ordered print_order(struct assay_orders *orders, const struct assay_order *order)
{
    return order_line(orders, order, "");
}

static enum assay_ordered report_order(struct assay_orders *orders, const struct assay_order *order)
{
    char count[32];
    snprintf(count, sizeof count, " (%llu)", atomic_load(&order->binding->ordered));
    return order_line(orders, order, count);
}

/* ---- gather, release --------------------------------------------------- */

/* stdout, or a file of whatever bytes. */
static bool release_open(struct assay_effects *effects, const struct assay_effect *effect, const char *object,
                         struct assay_binding *binding, struct assay_net_error *error)
{
    struct assay_net_error why;
    if (strcmp(object, "stdout") == 0)
        return print_open(effects, effect, object, binding, error);
    if (!stays_inside(object))
        return fail(error, effect, "expected stdout or a file inside the data folder, got", object);
    binding->worker = &effects->appender.worker;
    binding->object = assay_appender_file(&effects->appender, effects->folder, object, true, &why);
    return binding->object || fail(error, effect, "cannot write to", why.text);
}

static enum assay_ordered gather_order(struct assay_orders *orders, const struct assay_order *order)
{
    struct texts texts;
    as_texts(orders->effects->model, order->event, &texts);
    bool kept = assay_spool_add(order->spools, order->binding->object, orders->effects->folder, texts.spans,
                                order->event->count);
    if (!kept)
        assay_console_say(&orders->effects->console, "assay: a message for %s is lost: its parts cannot be kept: %s\n",
                          order->binding->name ? order->binding->name : "stdout", strerror(errno));
    return kept ? ASSAY_ORDER_DONE : ASSAY_ORDER_FAILED;
}

/* What was gathered goes with the job to the thread that writes. */
static enum assay_ordered release_order(struct assay_orders *orders, const struct assay_order *order)
{
    struct texts texts;
    struct assay_job job = *order->job;
    as_texts(orders->effects->model, order->event, &texts);
    job.spool = assay_spool_take(order->spools, order->binding->object);
    enum assay_ordered ordered = enqueue(orders, order->binding, texts.spans, order->event->count, &job);
    if (ordered == ASSAY_ORDER_FAILED)
        assay_spool_free(job.spool);
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
    binding->worker = &effects->checker;
    binding->object = open_vault(effects, object, &why);
    return binding->object || fail(error, effect, "cannot read passwords:", why.text);
}

static enum assay_ordered crypt_order(struct assay_orders *orders, const struct assay_order *order)
{
    if (!order->binding->object)
        return ASSAY_ORDER_DONE;
    return enqueue(orders, order->binding, order->event->spans, order->event->count, order->job);
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
            assay_console_say(&effects->console, "assay: %s; going on with the old passwords\n", why.text);
            continue;
        }
        assay_passwords_free(v->passwords);
        v->passwords = fresh;
    }
}

/* ---- reopen, stop ------------------------------------------------------ */

static bool nothing_to_open(struct assay_effects *effects, const struct assay_effect *effect, const char *object,
                            struct assay_binding *binding, struct assay_net_error *error)
{
    (void)effects, (void)effect, (void)object, (void)binding, (void)error;
    return true;
}

static enum assay_ordered stop_order(struct assay_orders *orders, const struct assay_order *order)
{
    (void)order;
    if (orders->effects->stop)
        orders->effects->stop(orders->effects->owner);
    return ASSAY_ORDER_DONE;
}

static enum assay_ordered reopen_order(struct assay_orders *orders, const struct assay_order *order)
{
    (void)order;
    assay_effects_reopen(orders->effects);
    return ASSAY_ORDER_DONE;
}

/* ---- log, put ---------------------------------------------------------- */

static const struct assay_log *log_of(const struct assay_effects *effects, const struct assay_effect *effect)
{
    return effect->log < effects->model->logs_count ? &effects->model->logs[effect->log] : NULL;
}

static const struct assay_table *table_of(const struct assay_effects *effects, const struct assay_effect *effect)
{
    return effect->table < effects->model->tables_count ? &effects->model->tables[effect->table] : NULL;
}

/* What is kept by the engine alone is done at once. */
static bool keep_open(struct assay_effects *effects, const struct assay_effect *effect, const char *object,
                      struct assay_binding *binding, struct assay_net_error *error)
{
    const struct assay_table *table = table_of(effects, effect);
    if (table && !table->durable)
        return true;
    binding->place = table ? assay_store_table_place(effects->store, effect->table)
                           : assay_store_log_place(effects->store, effect->log);
    if (effect->args.count != assay_store_shape(effects->store, binding->place)->count)
        return fail(error, effect, "its arguments are not the columns of", object);
    binding->worker = assay_store_worker(effects->store);
    binding->object = effects->store;
    return true;
}

static enum assay_ordered keep_order(struct assay_orders *orders, const struct assay_order *order)
{
    const struct assay_binding *binding = order->binding;
    struct assay_store_write write = {.place = binding->place};
    struct assay_span spans[1 + 2 * ASSAY_COLUMNS_MAX] = {{(const uint8_t *)&write, sizeof write}};
    struct assay_pieces pieces;
    if (!binding->object)
        return ASSAY_ORDER_DONE;
    assay_cells_cut(assay_store_shape(orders->effects->store, binding->place), order->event->values,
                    order->event->spans, &pieces);
    memcpy(spans + 1, pieces.spans, pieces.count * sizeof spans[0]);
    if (order->job->chain && orders->refusing)
        return ASSAY_ORDER_FAILED;
    enum assay_ordered ordered = enqueue(orders, binding, spans, (uint16_t)(1 + pieces.count), order->job);
    orders->refusing |= order->job->chain && ordered == ASSAY_ORDER_FAILED;
    return ordered;
}

/* ---- application ------------------------------------------------------- */

/* What the application answers later is a batch of one job, of no lane. */
static struct assay_batch *as_batch(struct assay_server_order *order)
{
    return (struct assay_batch *)(void *)order;
}

static void count_unanswered(struct assay_effects *effects, int change)
{
    pthread_mutex_lock(&effects->lock);
    effects->unanswered += (unsigned)change;
    if (effects->unanswered == 0)
        pthread_cond_signal(&effects->all_answered);
    pthread_mutex_unlock(&effects->lock);
}

static struct assay_batch *new_unanswered(struct assay_orders *orders, const struct assay_job *job)
{
    struct assay_batch *batch = assay_batch_new(orders->effects, &orders->inbox);
    if (!batch || !assay_batch_add(batch, NULL, 0, 0, job)) {
        assay_batch_free(batch);
        return NULL;
    }
    batch->lane = ASSAY_NONE;
    count_unanswered(orders->effects, 1);
    return batch;
}

void assay_server_answer(struct assay_server_order *order, bool done)
{
    struct assay_batch *batch = as_batch(order);
    struct assay_effects *effects = batch->object;
    batch->jobs[0].done = done;
    assay_inbox_post(batch->reply, batch);
    count_unanswered(effects, -1);
}

static size_t as_values(const struct assay_model *model, const struct assay_event *event,
                        struct assay_server_value *values)
{
    const struct assay_range args = model->effects[event->effect.effect].args;
    for (uint16_t i = 0; i < event->count; i++) {
        uint16_t param = (uint16_t)(args.first + i);
        values[i] = (struct assay_server_value){.name = model->params[param].name};
        if (is_bytes(model, param)) {
            values[i].bytes = event->spans[i].n > 0 ? (const void *)event->spans[i].p : "";
            values[i].size = event->spans[i].n;
        } else {
            values[i].number = (int64_t)event->values[i];
        }
    }
    return event->count;
}

static enum assay_ordered application_order(struct assay_orders *orders, const struct assay_order *order)
{
    struct assay_effects *effects = orders->effects;
    const struct assay_event *event = order->event;
    struct assay_server_value values[ARGS_MAX];
    struct assay_server_effect effect = {.name = effects->model->effects[event->effect.effect].name,
                                         .count = as_values(effects->model, event, values),
                                         .values = values,
                                         .session = order->job->session};
    if (!effects->application)
        return ASSAY_ORDER_DONE;
    struct assay_batch *batch = event->effect.token ? new_unanswered(orders, order->job) : NULL;
    if (event->effect.token && !batch)
        return ASSAY_ORDER_FAILED;
    enum assay_server_answer answer =
        effects->application(effects->user, &effect, (struct assay_server_order *)(void *)batch);
    if (answer == ASSAY_SERVER_LATER)
        return ASSAY_ORDER_LATER;
    if (batch)
        count_unanswered(effects, -1);
    assay_batch_free(batch);
    return answer == ASSAY_SERVER_DONE ? ASSAY_ORDER_DONE : ASSAY_ORDER_FAILED;
}

/* ---- the table --------------------------------------------------------- */

static const struct assay_verb verbs[] = {
    {"append", append_open, append_order},
    {"crypt", crypt_open, crypt_order},
    {"print", print_open, print_order},
    {"report", print_open, report_order},
    {"gather", release_open, gather_order},
    {"release", release_open, release_order},
    {"reopen", nothing_to_open, reopen_order},
    {"stop", nothing_to_open, stop_order},
    {"log", keep_open, keep_order},
    {"put", keep_open, keep_order},
    {"application", nothing_to_open, application_order},
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

static bool is_overridden(const struct assay_effects *effects, const char *name)
{
    for (const char *const *o = effects->override; o && *o; o++)
        if (strcmp(*o, name) == 0)
            return true;
    return false;
}

/* A log's effect may be the application's, like all others; a table's may not, as the engine counts on it. */
static const char *verb_of(const struct assay_effects *effects, const struct assay_effect *effect)
{
    if (table_of(effects, effect))
        return "put";
    if (is_overridden(effects, effect->name))
        return "application";
    if (log_of(effects, effect))
        return "log";
    return effect->verb ? effect->verb : "application";
}

bool assay_effects_chain(const struct assay_effects *effects)
{
    const struct assay_model *model = effects->model;
    for (uint16_t i = 0; i < model->effects_count; i++)
        if (log_of(effects, &model->effects[i]) && effects->bindings[i].object != effects->store)
            return false;
    for (uint16_t i = 1; i < model->logs_count; i++)
        if (model->logs[i].durable != model->logs[0].durable)
            return false;
    return effects->store && model->logs_count > 0;
}

static bool bind_one(struct assay_effects *effects, uint16_t i, struct assay_net_error *error)
{
    const struct assay_effect *effect = &effects->model->effects[i];
    struct assay_binding *binding = &effects->bindings[i];
    const char *name = verb_of(effects, effect);
    binding->verb = find_verb(name);
    if (!binding->verb)
        return fail(error, effect, "this server does not know", name);
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

static bool open_store(struct assay_effects *effects, struct assay_net_error *error)
{
    struct assay_store_config config = {.model = effects->model,
                                        .folder = effects->folder,
                                        .folder_name = effects->folder_name,
                                        .rows = effects->limits ? effects->limits->rows : 0,
                                        .memory = effects->limits ? effects->limits->memory : 0,
                                        .console = &effects->console};
    if (assay_store_wanted(effects->model))
        effects->store = assay_store_open(&config, error);
    return effects->store || !assay_store_wanted(effects->model);
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
    pthread_mutex_init(&effects->lock, NULL);
    pthread_cond_init(&effects->all_answered, NULL);
    effects->bindings = calloc(model->effects_count + 1u, sizeof *effects->bindings);
    effects->appender.console = &effects->console;
    effects->console.ended = -1;
    bool ok = effects->bindings && assay_console_open(&effects->console, error) && open_folder(effects, error) &&
              open_store(effects, error);
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

void assay_effects_tell(const struct assay_effects *effects, FILE *to)
{
    for (uint16_t i = 0; i < effects->model->effects_count; i++)
        fprintf(to, "assay: effect %s: %llu\n", effects->model->effects[i].name,
                atomic_load(&effects->bindings[i].ordered));
    fflush(to);
}

static void await_answers(struct assay_effects *effects)
{
    pthread_mutex_lock(&effects->lock);
    while (effects->unanswered > 0)
        pthread_cond_wait(&effects->all_answered, &effects->lock);
    pthread_mutex_unlock(&effects->lock);
}

void assay_effects_close(struct assay_effects *effects)
{
    if (!effects->bindings)
        return;
    await_answers(effects);
    assay_appender_stop(&effects->appender);
    assay_worker_stop(&effects->checker);
    assay_store_close(effects->store);
    effects->store = NULL;
    assay_console_close(&effects->console);
    for (struct assay_vault *next, *v = effects->vaults; v; v = next) {
        next = v->next;
        assay_passwords_free(v->passwords);
        free(v);
    }
    effects->vaults = NULL;
    for (uint16_t i = 0; i < effects->model->effects_count; i++)
        free(effects->bindings[i].name);
    free(effects->bindings);
    effects->bindings = NULL;
    if (effects->folder >= 0)
        close(effects->folder);
    effects->folder = -1;
    pthread_mutex_destroy(&effects->lock);
    pthread_cond_destroy(&effects->all_answered);
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
                                     const struct assay_job *job, struct assay_spool **spools)
{
    struct assay_order order = {event, &orders->effects->bindings[event->effect.effect], job, spools};
    atomic_fetch_add(&order.binding->ordered, 1);
    return order.binding->verb->order(orders, &order);
}

static void submit_lane(struct assay_orders *orders, uint16_t lane)
{
    struct assay_batch *batch = orders->open[lane];
    if (!batch)
        return;
    orders->open[lane] = NULL;
    orders->out[lane] = true;
    batch->lane = lane;
    assay_worker_submit(orders->effects->bindings[lane].worker, batch);
}

void assay_orders_submit(struct assay_orders *orders)
{
    orders->any = false;
    for (uint16_t lane = 0; lane < orders->effects->model->effects_count; lane++)
        if (!orders->out[lane])
            submit_lane(orders, lane);
}

void assay_orders_submit_all(struct assay_orders *orders)
{
    for (uint16_t lane = 0; lane < orders->effects->model->effects_count; lane++)
        submit_lane(orders, lane);
}

static bool chain_broken(const struct assay_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->jobs[i].chain && !batch->jobs[i].done)
            return true;
    return false;
}

void assay_orders_returned(struct assay_orders *orders, const struct assay_batch *batch)
{
    struct assay_batch *next = batch->lane != ASSAY_NONE ? orders->open[batch->lane] : NULL;
    if (next && chain_broken(batch))
        next->doomed = next->count;
}

void assay_orders_told(struct assay_orders *orders)
{
    orders->refusing = false;
}

void assay_orders_done(struct assay_orders *orders, struct assay_batch *batch)
{
    if (batch->lane != ASSAY_NONE) {
        orders->out[batch->lane] = false;
        orders->any |= orders->open[batch->lane] != NULL;
    }
    assay_batch_free(batch);
}
