/* `assay gen`: clients in other languages, written from a spec. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "compiler/diag.h"
#include "compiler/emit.h"

struct product {
    const char *language, *suffix;
    void (*emit)(const struct assay_model *model, FILE *to);
    bool program; /* only with --main */
};

static const struct product products[] = {
    {"c", ".h", assay_emit_c_header, false},
    {"c", ".c", assay_emit_c_source, false},
    {"c", "_main.c", assay_emit_c_main, true},
    {"python", "_client.py", assay_emit_python, false},
};
#define PRODUCTS (sizeof products / sizeof products[0])

static bool known(const char *language)
{
    struct assay_near near = {.wanted = language};
    for (size_t i = 0; i < PRODUCTS; i++) {
        if (strcmp(products[i].language, language) == 0)
            return true;
        assay_near_add(&near, products[i].language);
    }
    fprintf(stderr, "assay: unknown language '%s'%s (c, python)\n", language, assay_near_text(&near));
    return false;
}

static bool fail(const char *doing, const char *path)
{
    fprintf(stderr, "assay: cannot %s '%s': %s\n", doing, path, strerror(errno));
    return false;
}

/* A file is there as a whole or not at all. */
static bool write_file(const struct assay_model *model, const struct product *product, const char *folder)
{
    char path[4096], part[4200];
    if (snprintf(path, sizeof path, "%s/%s%s", folder, model->protocol, product->suffix) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return fail("write into", folder);
    }
    snprintf(part, sizeof part, "%s.part", path);
    FILE *to = fopen(part, "w");
    if (!to)
        return fail("write", part);
    product->emit(model, to);
    bool good = !ferror(to);
    good = fclose(to) == 0 && good;
    if (!good || rename(part, path) != 0) {
        fail("write", path);
        remove(part);
        return false;
    }
    printf("%s\n", path);
    return true;
}

static int generate(const struct assay_model *model, const char *language, const char *folder, bool program)
{
    if (model->client == ASSAY_NONE) {
        fputs("assay: the spec has no client side\n", stderr);
        return ASSAY_EXIT_USAGE;
    }
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        fail("make folder", folder);
        return ASSAY_EXIT_FAILED;
    }
    for (size_t i = 0; i < PRODUCTS; i++)
        if (strcmp(products[i].language, language) == 0 && (program || !products[i].program) &&
            !write_file(model, &products[i], folder))
            return ASSAY_EXIT_FAILED;
    return ASSAY_EXIT_OK;
}

/* `-o DIR` is what compilers have; the table of options knows long names only. */
static void lengthen(int argc, char **argv)
{
    static char name[] = "--output";
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "-o") == 0)
            argv[i] = name;
}

int assay_cmd_gen(int argc, char **argv)
{
    const char *words[2], *folder = ".";
    bool program = false;
    const struct assay_arg options[] = {
        {"output", ASSAY_ARG_STRING, &folder, "DIR", "folder to write into, made if missing (.); also -o DIR"},
        {"main", ASSAY_ARG_FLAG, &program, NULL, "c: also PROTOCOL_main.c, a program that lines drive (assay drive)"},
        {0},
    };
    struct assay_arg_spec args = {
        .usage = "gen c|python SPEC [-o DIR] [--main]",
        .text = "Write a client from a spec, and print the names of its files.\n"
                "  c       PROTOCOL.h and PROTOCOL.c: typed calls over libassay\n"
                "          cc PROTOCOL.c app.c $(pkg-config --cflags --libs assay)\n"
                "  python  PROTOCOL_client.py: one file that needs Python 3.8 and nothing else",
        .options = options,
        .positional = words,
        .least = 2,
        .most = 2,
    };
    lengthen(argc, argv);
    enum assay_args_result read = assay_args_read(&args, argc, argv);
    if (read != ASSAY_ARGS_OK)
        return assay_cli_exit(read);
    if (!known(words[0]))
        return ASSAY_EXIT_USAGE;
    struct assay_spec *spec = assay_cli_spec(words[1]);
    int code = spec ? generate(assay_spec_model(spec), words[0], folder, program) : ASSAY_EXIT_USAGE;
    assay_spec_free(spec);
    return code;
}
