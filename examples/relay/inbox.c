#include "inbox.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

int inbox_open(struct inbox *inbox, const char *folder)
{
    memset(inbox, 0, sizeof *inbox);
    inbox->folder = folder;
    inbox->next = 1;
    if (!folder || mkdir(folder, 0777) == 0 || errno == EEXIST)
        return 1;
    fprintf(stderr, "relay: %s: %s\n", folder, strerror(errno));
    return 0;
}

static struct inbox_part *part_of(struct inbox *inbox, uint64_t session)
{
    struct inbox_part *unused = NULL;
    for (size_t i = 0; i < INBOX_SENDERS; i++) {
        if (inbox->parts[i].session == session)
            return &inbox->parts[i];
        if (!unused && inbox->parts[i].session == 0)
            unused = &inbox->parts[i];
    }
    return unused;
}

static void name_part(char *name, const struct inbox *inbox, const struct inbox_part *part)
{
    snprintf(name, PATH_BYTES, "%s/.part-%zu", inbox->folder, (size_t)(part - inbox->parts));
}

static int begin(struct inbox *inbox, struct inbox_part *part, uint64_t session)
{
    char name[PATH_BYTES];
    if (part->session == session)
        return 1;
    name_part(name, inbox, part);
    part->file = fopen(name, "wb");
    if (part->file)
        part->session = session;
    return part->file != NULL;
}

/* The part is gone, whether it became a message or not. */
static int finish(struct inbox *inbox, struct inbox_part *part, int whole)
{
    char name[PATH_BYTES], message[PATH_BYTES];
    int well = fclose(part->file) == 0;
    part->session = 0;
    name_part(name, inbox, part);
    if (!whole) {
        unlink(name);
        return 1;
    }
    /* a name that is there already belongs to an earlier run */
    do
        snprintf(message, sizeof message, "%s/%06lu", inbox->folder, inbox->next++);
    while (access(message, F_OK) == 0);
    return well && rename(name, message) == 0;
}

enum assay_server_answer inbox_keep(void *user, const struct assay_server_effect *effect,
                                    struct assay_server_order *order)
{
    struct inbox *inbox = user;
    struct inbox_part *part = part_of(inbox, effect->session);
    (void)order;
    if (strcmp(effect->name, "forget") == 0) {
        if (part && part->session)
            finish(inbox, part, 0);
        return ASSAY_SERVER_DONE;
    }
    int well = part && begin(inbox, part, effect->session);
    if (well && strcmp(effect->name, "gather") == 0)
        well = fwrite(effect->values[0].bytes, 1, effect->values[0].size, part->file) == effect->values[0].size;
    else if (well)
        well = finish(inbox, part, 1);
    if (!well)
        fprintf(stderr, "relay: a message was lost: %s: %s\n", inbox->folder,
                part ? strerror(errno) : "too many senders");
    return well ? ASSAY_SERVER_DONE : ASSAY_SERVER_FAILED;
}

void inbox_close(struct inbox *inbox)
{
    for (size_t i = 0; i < INBOX_SENDERS; i++)
        if (inbox->parts[i].session)
            finish(inbox, &inbox->parts[i], 0);
}
