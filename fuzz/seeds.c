/* Writes what a fuzzer starts from, made from a spec: a dictionary and a seed
 * corpus for each harness.
 *
 * usage: ASSAY_FUZZ_SPEC=my.yaml [ASSAY_FUZZ_MACHINE=1] fuzz-seeds FOLDER
 *        ASSAY_FUZZ_SPEC=my.yaml fuzz-seeds --machines
 *
 * FOLDER/dict holds constants, tags and texts of the spec; FOLDER/decode the
 * spec's examples; FOLDER/session scripts for fuzz_session: each example alone,
 * then followed by the end of the stream, and all of them in a row. FOLDER/peers, where frames are datagrams: scripts
 * for fuzz_peers, with what the engine has made up in the place of each field of bytes, so that some go all the way.
 * --machines lists the spec's machines: number, harness, name and role of each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/fields.h"
#include "core/vm.h"
#include "fuzz/script.h"
#include "fuzz/target.h"

enum { CHUNK_MAX = 255 };

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

static bool has_peers(const struct assay_model *model, uint16_t machine)
{
    return model->frames[model->machines[machine].frame_in].end == ASSAY_END_DATAGRAM;
}

static int list_machines(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->machines_count; i++)
        for (int peers = 0; peers <= has_peers(model, i); peers++)
            printf("%u %s %s-%s\n", i, peers ? "peers" : "session", model->machines[i].name,
                   model->machines[i].role == ASSAY_SERVER ? "server" : "client");
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

/* ---- peers ------------------------------------------------------------- */

enum { FIELDS_MAX = 256, PLACE_MIN = 6 };

/* Where a field of bytes stands in an example that could hold what an engine has made up. */
struct place {
    uint16_t example;
    uint32_t at, n;
};

static assay_val slots[ASSAY_SLOTS_MAX];

static uint16_t places_in(const struct assay_env *env, struct assay_range fields, uint16_t example,
                          struct place *places, uint16_t n)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count && n < FIELDS_MAX; i++) {
        const struct assay_field *f = &env->model->fields[i];
        if (f->form != ASSAY_FORM_BYTES || !assay_slot_known(env, f->slot) || !assay_is_bytes(env->model, f->type))
            continue;
        assay_val v = slots[f->slot];
        if (assay_val_region(v) == ASSAY_REGION_FRAME && assay_val_size(v) >= PLACE_MIN)
            places[n++] = (struct place){example, assay_val_offset(v), assay_val_size(v)};
    }
    return n;
}

static uint16_t find_places(const struct assay_model *model, uint8_t from, struct place *places)
{
    static uint8_t scratch[1 << 16];
    uint16_t frame = model->machines[fuzz_machine()].frame_in, n = 0;
    for (uint16_t i = 0; i < model->examples_count; i++) {
        const struct assay_example *example = &model->examples[i];
        struct assay_span all = {example->bytes.p, example->bytes.n};
        struct assay_env env = {
            .model = model, .slots = slots, .frame = all.p, .scratch = scratch, .scratch_cap = sizeof scratch};
        if (!(example->from & from))
            continue;
        struct assay_decoded decoded = assay_decode(&env, frame, from, all);
        if (decoded.message == ASSAY_NONE)
            continue;
        n = places_in(&env, model->frames[frame].fields, i, places, n);
        n = places_in(&env, model->messages[decoded.message].fields, i, places, n);
    }
    return n;
}

struct peers_script {
    uint8_t bytes[1 << 14];
    size_t n;
};

static void put(struct peers_script *s, const void *bytes, size_t n)
{
    if (n > sizeof s->bytes - s->n)
        return;
    memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
}

static void put2(struct peers_script *s, enum peers_action action, uint8_t how)
{
    uint8_t bytes[2] = {(uint8_t)action, how};
    put(s, bytes, 2);
}

/* One example as a datagram of peer 0, with `k` (script.h) in a place of it. */
static void put_example(struct peers_script *s, const struct assay_example *example, const struct place *place,
                        uint8_t k, bool turn)
{
    uint8_t bytes[CHUNK_MAX], head[4] = {turn ? PEERS_TURN : PEERS_FEED, 0, 2, 0};
    uint32_t n = example->bytes.n;
    if (n > sizeof bytes)
        return;
    memcpy(bytes, example->bytes.p, n);
    if (place) {
        memset(bytes + place->at, 0, place->n);
        memcpy(bytes + place->at, ASSAY_MARK, sizeof ASSAY_MARK - 1);
        bytes[place->at + sizeof ASSAY_MARK - 1] = k;
    }
    head[turn ? 3 : 2] = (uint8_t)n;
    put(s, head, turn ? 4 : 3);
    put(s, bytes, n);
}

static const uint8_t call_args[] = {3,   'a', 'b', 'c', 16,  't', 'o', 'k', 'e', 'n', 't', 'o', 'k', 'e', 'n',
                                    't', 'o', 'k', 'e', 'n', '!', 1,   1,   1,   1,   1,   8,   1,   0};

static void put_call(struct peers_script *s, uint8_t which)
{
    uint8_t head[4] = {PEERS_CALL, 0, which, sizeof call_args};
    put(s, head, sizeof head);
    put(s, call_args, sizeof call_args);
}

/* All examples in a row, one place of them changed; what comes then, in turn; rows; deadlines; a copy in between. */
static void write_row(const struct assay_model *model, const char *folder, size_t number, uint8_t from,
                      const struct place *place, uint8_t k, uint8_t flags)
{
    static struct peers_script s;
    s.n = 0;
    put(&s, &flags, 1);
    put(&s, "", 1);
    if (from == ASSAY_SERVER && model->calls_count)
        put_call(&s, 0);
    for (unsigned round = 0; round < 3; round++) {
        for (uint16_t i = 0; i < model->examples_count; i++)
            if (model->examples[i].from & from)
                put_example(&s, &model->examples[i], place && place->example == i ? place : NULL, k, round > 0);
        if (round == 0)
            put2(&s, PEERS_FORK, 0);
        for (uint8_t i = 0; from == ASSAY_SERVER && i < model->calls_count; i++)
            put_call(&s, i);
        put2(&s, PEERS_GROW, 0x30);
        put2(&s, PEERS_ROWS, 8);
        put2(&s, PEERS_DEADLINE, 3);
        put2(&s, PEERS_COMPLETE, (uint8_t)round);
    }
    write_all(folder, "peers", number, s.bytes, s.n);
}

static void write_peers(const struct assay_model *model, const char *folder, uint8_t from)
{
    static struct place places[FIELDS_MAX];
    static const uint8_t flags[] = {PEERS_MARKED | PEERS_JUDGE, PEERS_GATES | PEERS_CALLS,
                                    PEERS_HOLD | PEERS_TRACE | PEERS_SMALL, PEERS_TIGHT | PEERS_MARKED};
    uint16_t n = find_places(model, from, places);
    size_t number = 0;
    make_folder(folder, "peers");
    for (unsigned i = 0; i < sizeof flags; i++) {
        write_row(model, folder, number++, from, NULL, 0, flags[i]);
        for (uint16_t k = 0; k < n; k++)
            for (uint8_t which = 0; which < 4; which++)
                write_row(model, folder, number++, from, &places[k], which, flags[i]);
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
    if (has_peers(model, fuzz_machine()))
        write_peers(model, folder, peer);
    return 0;
}
