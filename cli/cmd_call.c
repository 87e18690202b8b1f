/* `assay call`: calls of a spec from the shell, one after another on one connection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call_values.h"
#include "cli/cli.h"
#include "cli/settings.h"
#include "compiler/diag.h"
#include "net/address.h"
#include "net/clock.h"

struct call_options {
    struct assay_arg_list params, lenient;
    int64_t timeout, connect_timeout;
    bool json;
};

/* One call as given: its name and NAME=VALUE words. */
struct request {
    uint16_t call;
    struct assay_value *args;
};

struct session {
    const struct assay_model *model;
    const char *address;
    struct request *requests;
    size_t count;
    bool json;
};

/* ---- the command line -------------------------------------------------- */

static const char text[] =
    "Do calls of a spec against the server at ADDR (HOST:PORT or [IPV6]:PORT, also with tcp: or udp: before it), one\n"
    "after another on one connection, or each on a link of its own where the spec says so. A comma that stands alone\n"
    "separates them:\n"
    "\n"
    "  assay call my.yaml localhost:5555 connect name=bob password=abc , msg text=@note.txt , disconnect\n"
    "\n"
    "Behind a comma in ADDR may stand where another transport is: localhost:3001,udp:localhost:3002.\n"
    "\n"
    "Values: numbers (12, -3, 0x1f), names of enums, true and false, durations (200ms), lists (1,2,3); bytes and\n"
    "text as they are, hex:00ff, @FILE for what a file holds (@-: standard input), text:@x where the text itself\n"
    "begins like one of these. Arguments with a default may be left out.\n"
    "\n"
    "Results are printed as NAME=VALUE, a line each. An error of the protocol ends the calls: exit 1; no server: 69;\n"
    "a wrong command line, address or spec: 4.";

static enum assay_args_result read_args(struct call_options *o, struct assay_arg_spec *spec, int argc, char **argv)
{
    const struct assay_arg options[] = {
        {"json", ASSAY_ARG_FLAG, &o->json, NULL, "print a JSON object for each call, a line each"},
        {"timeout", ASSAY_ARG_DURATION, &o->timeout, "TIME", "how long a call may take (as the spec says)"},
        {"connect-timeout", ASSAY_ARG_DURATION, &o->connect_timeout, "TIME", "how long connecting may take (10s)"},
        {"param", ASSAY_ARG_LIST, &o->params, "NAME=VALUE", "set a param of the spec"},
        {"lenient", ASSAY_ARG_LIST, &o->lenient, "NAME=0|1", "grant the server a leniency (none by default)"},
        {0},
    };
    spec->usage = "call [OPTIONS] SPEC ADDR CALL [NAME=VALUE ...] [, CALL ...]";
    spec->text = text;
    spec->options = options;
    spec->least = 3;
    spec->most = (size_t)argc;
    return assay_args_read(spec, argc, argv);
}

static bool find_call(const struct assay_model *model, const char *name, uint16_t *index)
{
    struct assay_near near = {.wanted = name};
    for (*index = 0; *index < model->calls_count; (*index)++) {
        if (strcmp(model->calls[*index].name, name) == 0)
            return true;
        assay_near_add(&near, model->calls[*index].name);
    }
    fprintf(stderr, "assay: the spec has no call '%s'%s", name, assay_near_text(&near));
    for (uint16_t i = 0; i < model->calls_count; i++)
        fprintf(stderr, "%s%s", i ? ", " : " (calls: ", model->calls[i].name);
    fputs(model->calls_count ? ")\n" : "\n", stderr);
    return false;
}

static bool find_arg(const struct assay_model *model, const struct assay_call *call, const char *name, uint16_t *index)
{
    struct assay_near near = {.wanted = name};
    for (*index = 0; *index < call->args.count; (*index)++) {
        const char *known = model->params[call->args.first + *index].name;
        if (strcmp(known, name) == 0)
            return true;
        assay_near_add(&near, known);
    }
    fprintf(stderr, "assay: call %s has no argument '%s'%s", call->name, name, assay_near_text(&near));
    for (uint16_t i = 0; i < call->args.count; i++)
        fprintf(stderr, "%s%s", i ? ", " : " (arguments: ", model->params[call->args.first + i].name);
    fputs(call->args.count ? ")\n" : " (it takes none)\n", stderr);
    return false;
}

static bool read_arg(const struct assay_model *model, struct request *r, bool *given, const char *word)
{
    const struct assay_call *call = &model->calls[r->call];
    char name[128], why[200] = "";
    size_t n = strcspn(word, "=");
    uint16_t i;
    if (word[n] == '\0' || n >= sizeof name) {
        fprintf(stderr, "assay: call %s: expected NAME=VALUE, or a comma before the next call: '%s'\n", call->name,
                word);
        return false;
    }
    memcpy(name, word, n);
    name[n] = '\0';
    if (!find_arg(model, call, name, &i))
        return false;
    if (given[i]) {
        fprintf(stderr, "assay: call %s: argument '%s' is given twice\n", call->name, name);
        return false;
    }
    given[i] =
        assay_value_parse(model, model->params[call->args.first + i].type, word + n + 1, &r->args[i], why, sizeof why);
    if (!given[i])
        fprintf(stderr, "assay: call %s: argument %s: '%s': %s\n", call->name, name, word + n + 1, why);
    return given[i];
}

static bool complete(const struct assay_model *model, struct request *r, const bool *given)
{
    const struct assay_call *call = &model->calls[r->call];
    for (uint16_t i = 0; i < call->args.count; i++) {
        const struct assay_param *param = &model->params[call->args.first + i];
        if (given[i] || assay_value_default(model, param, &r->args[i]))
            continue;
        fprintf(stderr, "assay: call %s needs %s=VALUE (%s)\n", call->name, param->name,
                model->types[param->type].name);
        return false;
    }
    return true;
}

/* The words of one call, up to a comma; *at is moved behind it. */
static bool read_request(const struct assay_model *model, struct request *r, const char **words, size_t count,
                         size_t *at)
{
    if (!find_call(model, words[*at], &r->call))
        return false;
    uint16_t args = model->calls[r->call].args.count;
    bool *given = calloc(args + 1u, sizeof *given);
    r->args = calloc(args + 1u, sizeof *r->args);
    bool good = given && r->args;
    for ((*at)++; good && *at < count && strcmp(words[*at], ",") != 0; (*at)++)
        good = read_arg(model, r, given, words[*at]);
    good = good && complete(model, r, given);
    free(given);
    return good;
}

static bool read_requests(struct session *s, const char **words, size_t count)
{
    s->requests = calloc(count, sizeof *s->requests);
    for (size_t at = 0; s->requests && at < count; at++) {
        if (!read_request(s->model, &s->requests[s->count++], words, count, &at))
            return false;
        if (at + 1 == count) {
            fputs("assay: a call is missing behind the comma\n", stderr);
            return false;
        }
    }
    return s->requests != NULL;
}

static void free_requests(struct session *s)
{
    for (size_t i = 0; i < s->count; i++) {
        for (uint16_t k = 0; s->requests[i].args && k < s->model->calls[s->requests[i].call].args.count; k++)
            assay_value_free(&s->requests[i].args[k]);
        free(s->requests[i].args);
    }
    free(s->requests);
}

/* ---- doing and printing ------------------------------------------------ */

static void print_named(const struct session *s, struct assay_range params, const struct assay_value *values, bool json)
{
    for (uint16_t i = 0; i < params.count; i++) {
        const struct assay_param *param = &s->model->params[params.first + i];
        if (json) {
            printf("%s\"%s\": ", i ? ", " : "", param->name);
            assay_value_json(s->model, param->type, &values[i], stdout);
        } else {
            printf("%s=", param->name);
            assay_value_print(s->model, param->type, &values[i], stdout);
            putchar('\n');
        }
    }
}

/* What the protocol hands to the application stands between the results, behind its name. */
static bool print_effect(void *user, const struct assay_client_event *event)
{
    const struct session *s = user;
    struct assay_range args = s->model->effects[event->index].args;
    if (s->json) {
        printf("{\"effect\": \"%s\", \"args\": {", event->name);
        print_named(s, args, event->values, true);
        puts("}}");
        return true;
    }
    printf("effect %s\n", event->name);
    print_named(s, args, event->values, false);
    return true;
}

static void print_failure(const struct session *s, const struct assay_client *client, const char *call, int status)
{
    size_t size;
    const char *detail = assay_client_detail(client, &size);
    if (s->json) {
        printf("{\"call\": \"%s\", \"error\": \"%s\", \"message\": ", call, assay_client_status_name(client, status));
        assay_bytes_json(assay_client_message(client), strlen(assay_client_message(client)), stdout);
        if (size) {
            fputs(", \"detail\": ", stdout);
            assay_bytes_json(detail, size, stdout);
        }
        puts("}");
    }
    fprintf(stderr, "assay: %s\n", assay_client_message(client));
}

/* Of several addresses, whether one is none. */
static bool is_wrong(const char *addresses)
{
    char one[300];
    bool wrong = false;
    for (const char *at = addresses; at && !wrong; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        snprintf(one, sizeof one, "%.*s", (int)strcspn(at, ","), at);
        wrong = assay_address_is_wrong(one);
    }
    return wrong;
}

static int exit_code(const struct session *s, int status)
{
    if (status == ASSAY_CLIENT_OK)
        return ASSAY_EXIT_OK;
    if (status == ASSAY_CLIENT_ADDRESS && is_wrong(s->address))
        return ASSAY_EXIT_USAGE;
    if (status == ASSAY_CLIENT_UNREACHABLE || status == ASSAY_CLIENT_ADDRESS)
        return ASSAY_EXIT_UNREACHABLE;
    if (status == ASSAY_CLIENT_VALUE)
        return ASSAY_EXIT_USAGE;
    return status == ASSAY_CLIENT_MEMORY ? ASSAY_EXIT_INTERNAL : ASSAY_EXIT_FAILED;
}

static int do_request(const struct session *s, struct assay_client *client, const struct request *r)
{
    const struct assay_call *call = &s->model->calls[r->call];
    struct assay_value *results = calloc(call->results.count + 1u, sizeof *results);
    if (!results)
        return ASSAY_EXIT_INTERNAL;
    int status = assay_client_call(client, r->call, r->args, results);
    if (status != ASSAY_CLIENT_OK) {
        print_failure(s, client, call->name, status);
    } else if (s->json) {
        printf("{\"call\": \"%s\", \"results\": {", call->name);
        print_named(s, call->results, results, true);
        puts("}}");
    } else {
        print_named(s, call->results, results, false);
    }
    fflush(stdout);
    free(results);
    return exit_code(s, status);
}

/* Calls that make a link of their own need no connection. */
static bool needs_connection(const struct session *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->model->calls[s->requests[i].call].opens == ASSAY_NONE)
            return true;
    return false;
}

static int run(struct session *s, const char *address, const struct assay_client_options *options)
{
    struct assay_client *client;
    int status = assay_client_new(s->model, address, options, &client);
    if (status == ASSAY_CLIENT_OK && needs_connection(s))
        status = assay_client_connect(client);
    int code = exit_code(s, status);
    if (status != ASSAY_CLIENT_OK)
        fprintf(stderr, "assay: %s\n", assay_client_message(client));
    for (size_t i = 0; code == ASSAY_EXIT_OK && i < s->count; i++)
        code = do_request(s, client, &s->requests[i]);
    assay_client_close(client);
    return status == ASSAY_CLIENT_MODEL ? ASSAY_EXIT_USAGE : code;
}

/* ---- the command ------------------------------------------------------- */

static int64_t milliseconds(int64_t ns)
{
    return ns == 0 ? 0 : ns < ASSAY_MS ? 1 : ns / ASSAY_MS;
}

static int with_settings(const struct call_options *o, const struct assay_settings *settings, const char **words,
                         size_t count)
{
    const char *lenient[65] = {NULL};
    for (unsigned i = 0, n = 0; i < settings->model.leniencies_count && i < 64; i++)
        if (settings->leniencies >> i & 1)
            lenient[n++] = settings->model.leniencies[i].name;
    struct session s = {.model = &settings->model, .address = words[1], .json = o->json};
    struct assay_client_options options = {
        .connect_ms = milliseconds(o->connect_timeout),
        .call_ms = milliseconds(o->timeout),
        .lenient = lenient,
        .effect = print_effect,
        .user = &s,
    };
    int code = ASSAY_EXIT_USAGE;
    if (read_requests(&s, words + 2, count - 2))
        code = run(&s, words[1], &options);
    free_requests(&s);
    return code;
}

static int with_words(struct call_options *o, const char **words, size_t count)
{
    struct assay_spec *spec = assay_cli_spec(words[0]);
    struct assay_settings settings = {0};
    int code = ASSAY_EXIT_USAGE;
    if (spec && assay_settings_read(&settings, assay_spec_model(spec), NULL, &o->params, &o->lenient, true))
        code = with_settings(o, &settings, words, count);
    assay_settings_free(&settings);
    assay_spec_free(spec);
    return code;
}

int assay_cmd_call(int argc, char **argv)
{
    struct call_options o = {0};
    struct assay_arg_spec spec = {0};
    spec.positional = calloc((size_t)argc + 1, sizeof *spec.positional);
    if (!spec.positional)
        return ASSAY_EXIT_INTERNAL;
    enum assay_args_result read = read_args(&o, &spec, argc, argv);
    int code = read == ASSAY_ARGS_OK ? with_words(&o, spec.positional, spec.count) : assay_cli_exit(read);
    free(spec.positional);
    return code;
}
