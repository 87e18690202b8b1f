/* What the options and the address of a client ask for: transport, machine, leniencies, places to connect to. */
#include <stdio.h>
#include <string.h>

#include "libclient/client.h"

/* ---- what a spec has ------------------------------------------------------- */

static bool is_named(const char *name, const char *text, size_t n)
{
    return strlen(name) == n && memcmp(name, text, n) == 0;
}

static uint16_t find_transport(const struct assay_model *model, const char *text, size_t n)
{
    uint16_t i = 0;
    while (i < model->transports_count && !is_named(model->transports[i].name, text, n))
        i++;
    return i < model->transports_count ? i : ASSAY_NONE;
}

static uint16_t find_machine(const struct assay_model *model, const char *name)
{
    uint16_t i = 0;
    while (i < model->machines_count && strcmp(model->machines[i].name, name) != 0)
        i++;
    return i < model->machines_count ? i : ASSAY_NONE;
}

static bool plays_on(const struct assay_model *model, uint16_t machine, uint16_t transport)
{
    uint16_t on = model->frames[model->machines[machine].frame_in].transports;
    return on == 0 || transport == ASSAY_NONE || (on >> transport & 1);
}

/* ---- the address ------------------------------------------------------------- */

/* One of the places that commas separate in an address. */
struct piece {
    const char *text; /* without the transport's name */
    size_t size;
    uint16_t transport; /* ASSAY_NONE: it is not named */
    bool unknown;       /* one is named that the spec does not have */
};

/* The piece at *at, which is moved behind it. */
static struct piece next_piece(const struct assay_model *model, const char **at)
{
    struct piece piece = {.text = *at, .size = strcspn(*at, ","), .transport = ASSAY_NONE};
    *at += piece.size + ((*at)[piece.size] == ',');
    size_t n = strcspn(piece.text, ":");
    bool named = n < piece.size && memchr(piece.text + n + 1, ':', piece.size - n - 1) != NULL && piece.text[0] != '[';
    if (!named)
        return piece;
    piece.transport = find_transport(model, piece.text, n);
    bool usual = is_named("tcp", piece.text, n) || is_named("udp", piece.text, n);
    piece.unknown = usual && piece.transport == ASSAY_NONE && (model->transports_count > 0 || piece.text[0] == 'u');
    if (usual || piece.transport != ASSAY_NONE) {
        piece.text += n + 1;
        piece.size -= n + 1;
    }
    return piece;
}

static int check_address(const struct assay_setup *setup)
{
    const char *at = setup->address;
    for (bool first = true; *at; first = false) {
        struct piece piece = next_piece(setup->model, &at);
        if (piece.unknown)
            return assay_problem(ASSAY_CLIENT_VALUE, "'%.200s': the spec has no such transport", setup->address);
        if (!first && piece.transport == ASSAY_NONE)
            return assay_problem(ASSAY_CLIENT_VALUE, "'%.200s': behind a comma stands TRANSPORT:HOST:PORT",
                                 setup->address);
    }
    return ASSAY_CLIENT_OK;
}

/* ---- transport and machine ----------------------------------------------------- */

static int choose_transport(struct assay_setup *setup)
{
    const struct assay_client_options *o = setup->options;
    const struct assay_model *model = setup->model;
    const char *at = setup->address;
    setup->transport = next_piece(model, &at).transport;
    if (o && o->transport) {
        setup->transport = find_transport(model, o->transport, strlen(o->transport));
        if (setup->transport == ASSAY_NONE)
            return assay_problem(ASSAY_CLIENT_VALUE, "the spec has no transport '%.100s'", o->transport);
    }
    for (uint16_t i = 0; setup->transport == ASSAY_NONE && i < model->transports_count; i++)
        if (setup->machine == ASSAY_NONE || plays_on(model, setup->machine, i))
            setup->transport = i;
    return ASSAY_CLIENT_OK;
}

static int choose_machine(struct assay_setup *setup)
{
    const struct assay_model *model = setup->model;
    bool given = setup->machine != ASSAY_NONE;
    if (!given)
        setup->machine = setup->transport == ASSAY_NONE ? model->client : model->transports[setup->transport].client;
    if (setup->machine == ASSAY_NONE && setup->transport == 0)
        setup->machine = model->client;
    if (setup->machine == ASSAY_NONE)
        return assay_problem(ASSAY_CLIENT_MODEL, "the protocol has no client side");
    if (plays_on(model, setup->machine, setup->transport))
        return ASSAY_CLIENT_OK;
    return assay_problem(ASSAY_CLIENT_VALUE, "machine %s does not play over %s", model->machines[setup->machine].name,
                         model->transports[setup->transport].name);
}

static int named_machine(struct assay_setup *setup)
{
    const char *name = setup->options ? setup->options->machine : NULL;
    setup->machine = name ? find_machine(setup->model, name) : ASSAY_NONE;
    if (name && setup->machine == ASSAY_NONE)
        return assay_problem(ASSAY_CLIENT_VALUE, "the spec has no machine '%.100s'", name);
    return ASSAY_CLIENT_OK;
}

/* ---- leniencies -------------------------------------------------------------------- */

/* The bit of a leniency; 0: the spec has none of that name. */
static uint64_t leniency(const struct assay_model *model, const char *name)
{
    for (uint16_t i = 0; i < model->leniencies_count && i < 64; i++)
        if (strcmp(model->leniencies[i].name, name) == 0)
            return (uint64_t)1 << i;
    return 0;
}

static int leniencies(struct assay_setup *setup)
{
    setup->leniencies = 0;
    for (const char *const *name = setup->options ? setup->options->lenient : NULL; name && *name; name++) {
        uint64_t bit = leniency(setup->model, *name);
        if (!bit)
            return assay_problem(ASSAY_CLIENT_VALUE, "the spec has no leniency '%.100s'", *name);
        setup->leniencies |= bit;
    }
    return ASSAY_CLIENT_OK;
}

int assay_setup_read(struct assay_setup *setup)
{
    const struct assay_model *model = setup->model;
    setup->transport = setup->machine = ASSAY_NONE;
    int status = leniencies(setup);
    status = status ? status : check_address(setup);
    status = status ? status : named_machine(setup);
    status = status ? status : choose_transport(setup);
    status = status ? status : choose_machine(setup);
    bool bound = setup->options && setup->options->bind;
    bool datagrams = setup->transport != ASSAY_NONE && strcmp(model->transports[setup->transport].name, "udp") == 0;
    if (status == ASSAY_CLIENT_OK && bound && !datagrams)
        return assay_problem(ASSAY_CLIENT_VALUE, "only a client of datagrams can be bound to an address");
    return status;
}

/* ---- places ---------------------------------------------------------------------- */

#define PORT_MAX 8

size_t assay_places_size(const struct assay_setup *setup)
{
    return (setup->model->transports_count + 1u) * (strlen(setup->address) + PORT_MAX);
}

/* Where a piece's host ends: before the colon of its port. */
static size_t host_size(const struct piece *piece)
{
    size_t n = piece->size;
    while (n > 0 && piece->text[n - 1] != ':')
        n--;
    return n > 0 ? n - 1 : piece->size;
}

/* Transports that the address does not name are at the same host, where the spec says. */
static void fill_rest(const struct assay_setup *setup, const struct piece *first, const char **places, char *bytes)
{
    for (uint16_t i = 0; i < setup->model->transports_count; i++) {
        if (places[i])
            continue;
        places[i] = bytes;
        bytes += sprintf(bytes, "%.*s:%u", (int)host_size(first), first->text, setup->model->transports[i].port) + 1;
    }
}

static char *put(char *bytes, const struct piece *piece)
{
    memcpy(bytes, piece->text, piece->size);
    bytes[piece->size] = '\0';
    return bytes + piece->size + 1;
}

void assay_places_fill(const struct assay_setup *setup, const char **places, char *bytes)
{
    const char *at = setup->address;
    struct piece first = next_piece(setup->model, &at);
    uint16_t own = setup->transport == ASSAY_NONE ? 0 : setup->transport;
    memset(places, 0, (setup->model->transports_count + 1u) * sizeof *places);
    places[first.transport == ASSAY_NONE ? own : first.transport] = bytes;
    bytes = put(bytes, &first);
    while (*at) {
        struct piece piece = next_piece(setup->model, &at);
        if (!places[piece.transport]) {
            places[piece.transport] = bytes;
            bytes = put(bytes, &piece);
        }
    }
    fill_rest(setup, &first, places, bytes);
}
