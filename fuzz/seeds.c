/* Writes what a fuzzer starts from, made from a spec: a dictionary and a seed
 * corpus for each harness.
 *
 * usage: ASSAY_FUZZ_SPEC=my.yaml [ASSAY_FUZZ_MACHINE=1] fuzz-seeds FOLDER
 *        ASSAY_FUZZ_SPEC=my.yaml fuzz-seeds --machines
 *
 * FOLDER/dict holds constants, tags and texts of the spec; FOLDER/decode the
 * spec's examples; FOLDER/session scripts for fuzz_session: each example alone,
 * then followed by the end of the stream, and all of them in a row.
 * --machines lists the spec's machines: number, name and role of each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz/target.h"

enum { ACTION_FEED, ACTION_EOF = 2, ACTION_CALL = 6, CHUNK_MAX = 255 };

static void write_all(const char *folder, const char *kind, size_t number, const uint8_t *bytes, size_t n)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/%s/seed-%03zu", folder, kind, number);
    FILE *f = fopen(name, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0) {
        perror(name);
        exit(3);
    }
}

static void make_folder(const char *folder, const char *kind)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/%s", folder, kind);
    if (mkdir(name, 0777) != 0 && errno != EEXIST) {
        perror(name);
        exit(3);
    }
}

static void write_word(FILE *f, const uint8_t *bytes, uint32_t n)
{
    if (n == 0 || n > 64)
        return;
    fputc('"', f);
    for (uint32_t i = 0; i < n; i++)
        fprintf(f, "\\x%02x", bytes[i]);
    fputs("\"\n", f);
}

static void write_dictionary(const struct assay_model *model, const char *folder)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/dict", folder);
    FILE *f = fopen(name, "w");
    if (!f) {
        perror(name);
        exit(3);
    }
    for (uint16_t i = 0; i < model->blobs_count; i++)
        write_word(f, model->blobs[i].p, model->blobs[i].n);
    for (uint16_t i = 0; i < model->enum_items_count; i++) {
        const struct assay_enum_item *item = &model->enum_items[i];
        uint8_t byte = (uint8_t)item->value;
        write_word(f, item->text.n > 0 ? item->text.p : &byte, item->text.n > 0 ? item->text.n : 1);
    }
    for (uint16_t i = 0; i < model->examples_count; i++)
        write_word(f, model->examples[i].bytes.p, model->examples[i].bytes.n);
    fclose(f);
}

/* Appends actions that feed `bytes` to a script. */
static size_t add_feed(uint8_t *script, size_t at, struct assay_blob bytes)
{
    for (uint32_t done = 0; done < bytes.n;) {
        uint32_t n = bytes.n - done > CHUNK_MAX ? CHUNK_MAX : bytes.n - done;
        script[at++] = ACTION_FEED;
        script[at++] = (uint8_t)n;
        memcpy(script + at, bytes.p + done, n);
        at += n;
        done += n;
    }
    return at;
}

static int list_machines(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->machines_count; i++)
        printf("%u %s-%s\n", i, model->machines[i].name, model->machines[i].role == ASSAY_SERVER ? "server" : "client");
    return 0;
}

/* A call of a client's machine, its arguments made from a few bytes, and an answer to it. */
static void write_calls(const struct assay_model *model, const char *folder)
{
    for (uint16_t i = 0; i < model->calls_count; i++) {
        uint8_t script[64] = {0, ACTION_CALL, (uint8_t)i, 9, 3, 'a', 'b', 'c', 1, 'x', 0, 0, 0};
        write_all(folder, "session", 2000u + i, script, 13);
    }
}

int main(int argc, char **argv)
{
    static uint8_t all[1 << 20], one[1 << 17];
    if (argc != 2) {
        fputs("usage: ASSAY_FUZZ_SPEC=my.yaml fuzz-seeds FOLDER|--machines\n", stderr);
        return 4;
    }
    const struct assay_model *model = fuzz_model();
    const char *folder = argv[1];
    uint8_t peer = (uint8_t)((ASSAY_CLIENT | ASSAY_SERVER) & ~model->machines[fuzz_machine()].role);
    if (strcmp(folder, "--machines") == 0)
        return list_machines(model);
    make_folder(folder, "decode");
    make_folder(folder, "session");
    write_dictionary(model, folder);
    size_t all_n = 1;
    for (uint16_t i = 0; i < model->examples_count; i++) {
        const struct assay_example *example = &model->examples[i];
        write_all(folder, "decode", i, example->bytes.p, example->bytes.n);
        if ((example->from & peer) == 0 || example->bytes.n > sizeof one / 2)
            continue;
        one[0] = 0;
        size_t n = add_feed(one, 1, example->bytes);
        write_all(folder, "session", 2u * i, one, n);
        one[0] = 1; /* its first effect fails */
        one[n++] = ACTION_EOF;
        write_all(folder, "session", 2u * i + 1, one, n);
        if (all_n + example->bytes.n * 2 < sizeof all)
            all_n = add_feed(all, all_n, example->bytes);
    }
    write_all(folder, "session", 999, all, all_n);
    write_calls(model, folder);
    return 0;
}
