/* Cases by hand, as LANGUAGE.md, section 12, writes them. */
#include <ctype.h>
#include <string.h>

#include "conformance/build.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

/* One byte of a quoted text; moves *p behind it. */
static uint8_t quoted_byte(const char **p)
{
    static const char names[] = "nrt0\\\"", values[] = "\n\r\t\0\\\"";
    char c = *(*p)++;
    if (c != '\\' || !**p)
        return (uint8_t)c;
    c = *(*p)++;
    if (c == 'x' && hex_digit((*p)[0]) >= 0 && hex_digit((*p)[1]) >= 0) {
        uint8_t b = (uint8_t)(hex_digit((*p)[0]) << 4 | hex_digit((*p)[1]));
        *p += 2;
        return b;
    }
    const char *at = strchr(names, c);
    return at && c ? (uint8_t)values[at - names] : (uint8_t)c;
}

/* Hex and quoted texts, mixed. False: neither. */
static bool read_bytes(struct assay_builder *b, const char *line, struct assay_blob *blob)
{
    uint8_t *p = assay_store(b->store, strlen(line) + 1);
    uint32_t n = 0;
    for (line = skip_space(line); *line; line = skip_space(line)) {
        if (*line == '"') {
            for (line++; *line && *line != '"';)
                p[n++] = quoted_byte(&line);
            if (*line++ != '"')
                return false;
        } else if (hex_digit(line[0]) >= 0 && hex_digit(line[1]) >= 0) {
            p[n++] = (uint8_t)(hex_digit(line[0]) << 4 | hex_digit(line[1]));
            line += 2;
        } else {
            return false;
        }
    }
    *blob = (struct assay_blob){p, n};
    return n > 0;
}

struct ending_name {
    const char *name;
    uint8_t ends;
};

static const struct ending_name endings[] = {
    {"FIN", ASSAY_SEEN_FIN},
    {"RST", ASSAY_SEEN_RST},
    {"FIN|RST", ASSAY_SEEN_FIN | ASSAY_SEEN_RST},
    {"RST|FIN", ASSAY_SEEN_FIN | ASSAY_SEEN_RST},
    {"silence", ASSAY_SEEN_SILENCE},
};

static bool expect_line(struct assay_builder *b, const char *text)
{
    struct assay_blob bytes;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (strcmp(text, endings[i].name) == 0) {
            assay_build_step(b, 0, ASSAY_STEP_EXPECT_END);
            b->steps[b->step_count - 1].ends = endings[i].ends;
            return true;
        }
    if (!read_bytes(b, text, &bytes))
        return false;
    assay_build_step(b, 0, ASSAY_STEP_EXPECT);
    b->steps[b->step_count - 1].bytes = bytes;
    return true;
}

static bool send_line(struct assay_builder *b, const char *text)
{
    struct assay_blob bytes;
    if (strcmp(text, "eof") == 0)
        assay_build_step(b, 0, ASSAY_STEP_EOF);
    else if (strcmp(text, "reset") == 0)
        assay_build_step(b, 0, ASSAY_STEP_RESET);
    else if (read_bytes(b, text, &bytes))
        assay_build_send(b, 0, bytes, 0);
    else
        return false;
    return true;
}

static bool add_line(struct assay_builder *b, const char *line)
{
    line = skip_space(line);
    if (*line == '>')
        return send_line(b, skip_space(line + 1));
    return *line == '<' && expect_line(b, skip_space(line + 1));
}

void assay_generate_by_hand(struct assay_builder *b)
{
    const struct assay_hand_case *cases = NULL;
    size_t count = b->spec ? assay_spec_cases(b->spec, &cases) : 0;
    for (size_t i = 0; i < count; i++) {
        bool ok = true;
        assay_build_begin(b, "by-hand", "case", "%s", cases[i].name);
        for (const char *const *line = cases[i].steps; *line && ok; line++)
            ok = add_line(b, *line);
        if (!ok) {
            assay_build_note(b, "line %u: case %s has a step that cannot be read", (unsigned)cases[i].line,
                             cases[i].name);
            continue;
        }
        b->current.by_hand = true;
        assay_build_finish(b, ASSAY_NONE, ASSAY_CASE_LOCAL, "%s", cases[i].name);
        b->all->cases[b->all->count - 1].req = cases[i].req;
        b->all->cases[b->all->count - 1].level = cases[i].level;
    }
}
