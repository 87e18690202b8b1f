/* The command line of a program for one protocol. */
#include <string.h>

#include "libclient/drive.h"

#define LIST_MAX 64

/* Options that may be given several times. */
struct lists {
    const char *params[LIST_MAX + 1], *lenient[LIST_MAX + 1];
    size_t params_count, lenient_count;
};

struct option {
    const char *name;
    const char **target; /* a single value; NULL: a list or a flag */
    const char **list;
    size_t *count;
    bool *flag;
};

static int usage(const struct assay_model *model, const char *program, FILE *to)
{
    fprintf(to,
            "usage: %s ADDRESS [OPTIONS]\n\n"
            "A client of %s that is driven by lines on standard input and tells on standard output what happens.\n"
            "  connect            connected, unreachable; later: ended\n"
            "  call NAME ARG=...  result NAME FIELD=..., error NAME KIND TEXT\n"
            "  close              ended\n\n"
            "  --run              connect at once; exit when the machine is through\n"
            "  --transport NAME   --machine NAME   --param NAME=VALUE   --lenient NAME   --bind ADDRESS\n"
            "  --trace            show all messages on standard error\n\nCalls:\n",
            program, model->protocol);
    for (uint16_t i = 0; i < model->calls_count; i++) {
        fprintf(to, "  %s", model->calls[i].name);
        for (uint16_t k = 0; k < model->calls[i].args.count; k++)
            fprintf(to, " %s=...", model->params[model->calls[i].args.first + k].name);
        fputc('\n', to);
    }
    return to == stdout ? ASSAY_DRIVE_OK : ASSAY_DRIVE_USAGE;
}

/* Put a value where its option wants it; false: there is no room. */
static bool store(const struct option *o, const char *value)
{
    if (o->target) {
        *o->target = value;
        return true;
    }
    if (*o->count == LIST_MAX)
        return false;
    o->list[(*o->count)++] = value;
    return true;
}

/* The option at argv[*i], and its value; false: there is none like it. */
static bool read_option(const struct option *options, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    size_t n = strcspn(name, "=");
    for (const struct option *o = options; o->name; o++) {
        if (strlen(o->name) != n || memcmp(o->name, name, n) != 0)
            continue;
        if (o->flag) {
            *o->flag = true;
            return name[n] == '\0';
        }
        if (name[n] == '=')
            return store(o, name + n + 1);
        return *i + 1 < argc && store(o, argv[++*i]);
    }
    return false;
}

int assay_client_drive(const struct assay_model *model, int argc, char **argv)
{
    struct assay_drive drive = {.model = model};
    struct lists lists = {0};
    const struct option options[] = {
        {.name = "run", .flag = &drive.run},
        {.name = "trace", .flag = &drive.trace},
        {.name = "transport", .target = &drive.options.transport},
        {.name = "machine", .target = &drive.options.machine},
        {.name = "bind", .target = &drive.options.bind},
        {.name = "param", .list = lists.params, .count = &lists.params_count},
        {.name = "lenient", .list = lists.lenient, .count = &lists.lenient_count},
        {0},
    };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return usage(model, argv[0], stdout);
        bool word = strncmp(argv[i], "--", 2) != 0;
        if (word ? drive.address != NULL : !read_option(options, argc, argv, &i))
            return usage(model, argv[0], stderr);
        if (word)
            drive.address = argv[i];
    }
    if (!drive.address)
        return usage(model, argv[0], stderr);
    drive.options.params = lists.params;
    drive.options.lenient = lists.lenient;
    return assay_drive(&drive);
}
