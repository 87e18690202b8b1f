#include "net/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void assay_secret(uint64_t secret[2])
{
    size_t size = 2 * sizeof *secret;
    if (getrandom(secret, size, 0) == (ssize_t)size)
        return;
    perror("getrandom");
    abort();
}
