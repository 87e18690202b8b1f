#include "ref-server/passwords.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct entry {
    char *name, *hash; /* in the same allocation */
};

struct assay_passwords {
    struct entry *entries;
    size_t count, cap;
    struct crypt_data data;
};

static void refuse(struct assay_net_error *error, const char *file, size_t line, const char *why)
{
    if (line > 0)
        snprintf(error->text, sizeof error->text, "%.200s:%zu: %s", file, line, why);
    else
        snprintf(error->text, sizeof error->text, "%.200s: %s", file, why);
}

static bool add(struct assay_passwords *p, char *line)
{
    if (p->count == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;
        struct entry *more = realloc(p->entries, cap * sizeof *more);
        if (!more)
            return false;
        p->entries = more;
        p->cap = cap;
    }
    char *hash = strchr(line, ':');
    *hash++ = '\0';
    p->entries[p->count++] = (struct entry){line, hash};
    return true;
}

/* NULL: it is fine. */
static const char *wrong_with(const char *line)
{
    const char *colon = strchr(line, ':');
    if (!colon || colon == line)
        return "expected NAME:HASH";
    int salt = crypt_checksalt(colon + 1);
    return salt == CRYPT_SALT_INVALID || salt == CRYPT_SALT_METHOD_DISABLED ? "not a hash that crypt(3) makes" : NULL;
}

static const char *read_line(struct assay_passwords *p, const char *text, size_t size)
{
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    if (size == 0 || text[0] == '#')
        return NULL;
    if (memchr(text, '\0', size))
        return "a NUL byte";
    char *line = strndup(text, size);
    if (!line)
        return "no memory";
    const char *wrong = wrong_with(line);
    if (!wrong && !add(p, line))
        wrong = "no memory";
    if (wrong)
        free(line);
    return wrong;
}

static bool read_all(struct assay_passwords *p, FILE *file, const char *name, struct assay_net_error *error)
{
    char *text = NULL;
    size_t cap = 0, number = 0;
    const char *wrong = NULL;
    for (ssize_t n; !wrong && (n = getline(&text, &cap, file)) >= 0;) {
        number++;
        wrong = read_line(p, text, (size_t)n);
    }
    bool failed = !wrong && ferror(file) != 0;
    if (wrong || failed)
        refuse(error, name, wrong ? number : 0, wrong ? wrong : strerror(errno));
    free(text);
    return !wrong && !failed;
}

struct assay_passwords *assay_passwords_load(int folder, const char *name, struct assay_net_error *error)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    struct assay_passwords *p = file ? calloc(1, sizeof *p) : NULL;
    bool ok = p && read_all(p, file, name, error);
    if (!file || !p)
        refuse(error, name, 0, strerror(errno));
    if (file)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    if (!ok) {
        assay_passwords_free(p);
        return NULL;
    }
    return p;
}

static bool is_name(const struct entry *entry, struct assay_span name)
{
    return strlen(entry->name) == name.n && memcmp(entry->name, name.p, name.n) == 0;
}

/* In a time that does not depend on where they differ; lengths of hashes are no secret. */
static bool same(const char *a, const char *b)
{
    size_t n = strlen(a);
    unsigned differ = 0;
    if (strlen(b) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        differ |= (unsigned)(a[i] ^ b[i]);
    return differ == 0;
}

bool assay_passwords_match(struct assay_passwords *p, struct assay_span name, struct assay_span password)
{
    char phrase[CRYPT_MAX_PASSPHRASE_SIZE] = {0};
    const struct entry *entry = NULL;
    for (size_t i = 0; i < p->count && !entry; i++)
        entry = is_name(&p->entries[i], name) ? &p->entries[i] : NULL;
    /* crypt(3) takes strings: a password with a NUL or too long would match by its beginning. */
    bool fits = password.n < sizeof phrase && (password.n == 0 || !memchr(password.p, '\0', password.n));
    if (fits && password.n > 0)
        memcpy(phrase, password.p, password.n);
    const char *setting = entry ? entry->hash : p->count > 0 ? p->entries[0].hash : NULL;
    const char *made = setting ? crypt_r(phrase, setting, &p->data) : NULL;
    bool match = made && made[0] != '*' && same(made, setting) && entry && fits;
    explicit_bzero(phrase, sizeof phrase);
    explicit_bzero(&p->data, sizeof p->data);
    return match;
}

void assay_passwords_free(struct assay_passwords *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        free(p->entries[i].name);
    free(p->entries);
    free(p);
}
