#include "net/socktable.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* States of a connection as the kernel numbers them. */
enum { TCP_LISTENING = 10, TCP_TIME_WAITING = 6, TCP_HALF_OPEN = 12 };

struct assay_socktable {
    int netlink; /* -1: not to be had */
};

struct assay_socktable *assay_socktable_new(void)
{
    struct assay_socktable *table = calloc(1, sizeof *table);
    if (table)
        table->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    return table;
}

void assay_socktable_free(struct assay_socktable *table)
{
    if (!table)
        return;
    if (table->netlink >= 0)
        close(table->netlink);
    free(table);
}

/* ---- netlink ----------------------------------------------------------- */

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

union answer {
    struct nlmsghdr head;
    uint8_t bytes[4096];
};

static void put_end(const struct assay_address *address, __be16 *port, __be32 *words)
{
    if (address->any.sa_family == AF_INET6) {
        *port = address->v6.sin6_port;
        memcpy(words, &address->v6.sin6_addr, sizeof address->v6.sin6_addr);
    } else {
        *port = address->v4.sin_port;
        memcpy(words, &address->v4.sin_addr, sizeof address->v4.sin_addr);
    }
}

/* False: the kernel cannot be asked this way. */
static bool ask(struct assay_socktable *table, const struct assay_address *near, const struct assay_address *far,
                union answer *answer)
{
    struct question q = {
        .head = {.nlmsg_len = sizeof q, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = (uint8_t)near->any.sa_family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_ext = 1u << (INET_DIAG_INFO - 1),
                 .idiag_states = UINT32_MAX,
                 .id = {.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };
    put_end(far, &q.body.id.idiag_sport, q.body.id.idiag_src);
    put_end(near, &q.body.id.idiag_dport, q.body.id.idiag_dst);
    if (send(table->netlink, &q, sizeof q, 0) != sizeof q)
        return false;
    ssize_t n = recv(table->netlink, answer, sizeof *answer, 0);
    return n >= (ssize_t)sizeof answer->head;
}

/* What the answer says beyond its fixed part. Kernels before 4.1 do not count. */
static uint64_t read_arrived(const struct inet_diag_msg *m, size_t size)
{
    const size_t needed = offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t);
    const uint8_t *at = (const uint8_t *)(m + 1), *end = (const uint8_t *)m + size;
    struct tcp_info info;
    for (struct rtattr a; (size_t)(end - at) >= sizeof a; at += RTA_ALIGN(a.rta_len)) {
        memcpy(&a, at, sizeof a);
        if (a.rta_len < sizeof a || RTA_ALIGN(a.rta_len) > (size_t)(end - at))
            break;
        if (a.rta_type == INET_DIAG_INFO && a.rta_len >= RTA_LENGTH(0) + needed) {
            memcpy(&info, at + RTA_LENGTH(0), needed);
            return info.tcpi_bytes_received;
        }
    }
    return ASSAY_FAR_UNKNOWN;
}

static struct assay_far_end read_answer(const struct inet_diag_msg *m, size_t size)
{
    /* Without such a connection the kernel answers with the listening socket of that port. */
    if (m->idiag_state == TCP_LISTENING)
        return (struct assay_far_end){0};
    return (struct assay_far_end){.found = true,
                                  .orphan = m->idiag_inode == 0 && m->idiag_state != TCP_HALF_OPEN,
                                  .unread = m->idiag_rqueue,
                                  .unsent = m->idiag_wqueue,
                                  .arrived = read_arrived(m, size)};
}

static bool find_by_netlink(struct assay_socktable *table, const struct assay_address *near,
                            const struct assay_address *far, struct assay_far_end *end)
{
    union answer answer;
    *end = (struct assay_far_end){0};
    if (table->netlink < 0 || !ask(table, near, far, &answer))
        return false;
    if (answer.head.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
        *end = read_answer(NLMSG_DATA(&answer.head), NLMSG_PAYLOAD(&answer.head, 0));
        return true;
    }
    const struct nlmsgerr *error = NLMSG_DATA(&answer.head);
    return answer.head.nlmsg_type == NLMSG_ERROR && error->error == -ENOENT;
}

/* ---- /proc/net/tcp and tcp6 -------------------------------------------- */

/* "0100007F:1F90": words of the address in host order, as the table prints them. */
static void print_end(char *text, size_t cap, const struct assay_address *address, bool mapped)
{
    uint32_t words[4] = {0, 0, htonl(0xffff), 0};
    unsigned count = 4;
    if (address->any.sa_family == AF_INET6) {
        memcpy(words, &address->v6.sin6_addr, sizeof words);
    } else {
        words[mapped ? 3 : 0] = address->v4.sin_addr.s_addr;
        count = mapped ? 4 : 1;
    }
    size_t n = 0;
    for (unsigned i = 0; i < count; i++)
        n += (size_t)snprintf(text + n, cap - n, "%08X", words[i]);
    snprintf(text + n, cap - n, ":%04X", assay_address_port(address));
}

static bool read_line(const char *line, const char *local, const char *remote, struct assay_far_end *end)
{
    char a[64], b[64];
    unsigned state, unsent, unread, inode;
    if (sscanf(line, " %*d: %63s %63s %x %x:%x %*x:%*x %*x %*u %*d %u", a, b, &state, &unsent, &unread, &inode) != 6)
        return false;
    if (strcmp(a, local) != 0 || strcmp(b, remote) != 0 || state == TCP_TIME_WAITING)
        return false;
    *end = (struct assay_far_end){
        .found = true, .orphan = inode == 0, .unread = unread, .unsent = unsent, .arrived = ASSAY_FAR_UNKNOWN};
    return true;
}

static bool find_in_file(const char *path, const struct assay_address *near, const struct assay_address *far,
                         bool mapped, struct assay_far_end *end)
{
    char local[64], remote[64], line[512];
    print_end(local, sizeof local, far, mapped);
    print_end(remote, sizeof remote, near, mapped);
    FILE *f = fopen(path, "re");
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f))
        found = read_line(line, local, remote, end);
    if (f)
        fclose(f);
    return found;
}

static struct assay_far_end find_in_proc(const struct assay_address *near, const struct assay_address *far)
{
    struct assay_far_end end = {0};
    bool v4 = near->any.sa_family == AF_INET;
    if (!v4 || !find_in_file("/proc/net/tcp", near, far, false, &end))
        find_in_file("/proc/net/tcp6", near, far, v4, &end);
    return end;
}

struct assay_far_end assay_socktable_find(struct assay_socktable *table, const struct assay_address *near,
                                          const struct assay_address *far)
{
    struct assay_far_end end;
    return find_by_netlink(table, near, far, &end) ? end : find_in_proc(near, far);
}

/* ---- sockets that are bound, and not connected --------------------------- */

/* Of the sockets at one of two places; true: that is the one. */
typedef bool read_bound(const char *line, const char *const locals[2], struct assay_udp_end *end);

static bool read_listener(const char *line, const char *const locals[2], struct assay_udp_end *end)
{
    char local[64];
    unsigned state;
    (void)end;
    return sscanf(line, " %*d: %63s %*s %x", local, &state) == 2 && state == TCP_LISTENING &&
           (strcmp(local, locals[0]) == 0 || strcmp(local, locals[1]) == 0);
}

static bool read_udp_line(const char *line, const char *const locals[2], struct assay_udp_end *end)
{
    char local[64];
    unsigned unread, drops;
    if (sscanf(line, " %*d: %63s %*s %*x %*x:%x %*x:%*x %*x %*u %*d %*u %*d %*s %u", local, &unread, &drops) != 3)
        return false;
    if (strcmp(local, locals[0]) != 0 && strcmp(local, locals[1]) != 0)
        return false;
    *end = (struct assay_udp_end){.found = true, .unread = unread, .drops = drops};
    return true;
}

/* Bound to the address itself, or to the wildcard of that family. */
static bool find_bound(const char *path, const struct assay_address *address, bool mapped, read_bound *read,
                       struct assay_udp_end *end)
{
    char exact[64], wildcard[64], line[512];
    struct assay_address any = *address;
    print_end(exact, sizeof exact, address, mapped);
    if (mapped || address->any.sa_family == AF_INET6)
        any = (struct assay_address){.v6 = {.sin6_family = AF_INET6}, .size = sizeof any.v6};
    else
        any.v4.sin_addr.s_addr = 0;
    assay_address_set_port(&any, assay_address_port(address));
    print_end(wildcard, sizeof wildcard, &any, false);
    FILE *f = fopen(path, "re");
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f))
        found = read(line, (const char *const[]){exact, wildcard}, end);
    if (f)
        fclose(f);
    return found;
}

struct assay_udp_end assay_socktable_find_udp(const struct assay_address *address)
{
    struct assay_udp_end end = {0};
    bool v4 = address->any.sa_family == AF_INET;
    if (!v4 || !find_bound("/proc/net/udp", address, false, read_udp_line, &end))
        find_bound("/proc/net/udp6", address, v4, read_udp_line, &end);
    return end;
}

bool assay_socktable_listens(const struct assay_address *address)
{
    bool v4 = address->any.sa_family == AF_INET;
    return (v4 && find_bound("/proc/net/tcp", address, false, read_listener, NULL)) ||
           find_bound("/proc/net/tcp6", address, v4, read_listener, NULL);
}
