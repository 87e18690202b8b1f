#include "net/bind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int assay_net_set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

int assay_net_fail(int fd, const char *doing, const struct assay_address *address, struct assay_net_error *error)
{
    int why = errno;
    char text[ASSAY_ADDRESS_TEXT_MAX];
    assay_address_format(address, text);
    snprintf(error->text, sizeof error->text, "cannot %s%s: %s", doing, text, strerror(why));
    if (fd >= 0)
        close(fd);
    errno = why;
    return -1;
}

bool assay_net_is_any(const struct assay_address *address)
{
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

bool assay_net_takes_v4(const struct assay_address *address)
{
    return assay_net_is_any(address) ||
           (address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr));
}

int assay_net_bind(const struct assay_address *at,
                   int bind_to(const struct assay_address *at, bool shared, struct assay_net_error *error),
                   struct assay_net_error *error)
{
    int fd = bind_to(at, false, error);
    if (fd >= 0 || !assay_net_is_any(at) || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
        return fd;
    struct assay_address v4 = {.v4 = {.sin_family = AF_INET, .sin_port = at->v6.sin6_port}, .size = sizeof v4.v4};
    return bind_to(&v4, false, error);
}
