/* tagged ADDRESS: use every call of a protocol whose messages end their frames themselves. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tagged.h"

static int use(struct tagged_client *client)
{
    const uint8_t *value;
    size_t size;
    uint32_t total;
    int status = tagged_put(client, "bob", "a\nb;c", 5);
    if (status == ASSAY_CLIENT_OK)
        status = tagged_get(client, &value, &size);
    if (status == ASSAY_CLIENT_OK)
        printf("%.*s\n", (int)size, (const char *)value);
    for (int i = 0; i < 2 && status == ASSAY_CLIENT_OK; i++) {
        status = tagged_add(client, 0x7fffffff, &total);
        printf("%" PRIu32 "\n", total);
    }
    if (status == ASSAY_CLIENT_OK && tagged_add(client, 2, &total) != TAGGED_ERROR_REFUSED)
        return EXIT_FAILURE;
    return status ? status : tagged_bye(client);
}

int main(int argc, char **argv)
{
    struct tagged_client *client;
    if (argc != 2)
        return EXIT_FAILURE;
    int status = tagged_open(argv[1], &client);
    if (status == ASSAY_CLIENT_OK)
        status = use(client);
    if (status != ASSAY_CLIENT_OK)
        fprintf(stderr, "%s\n", tagged_message(client));
    tagged_close(client);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
