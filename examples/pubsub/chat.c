/* chat: reads and writes at once. At a terminal the line that is being typed and those that come do not tear each
 * other; elsewhere it is reader and writer in one. */
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include <editline/readline.h>

#include "app.h"

#define HISTORY 500

static struct app *app;
static char prompt[USER_BYTES_MAX + 3];
static bool hidden, taken; /* the line is wiped; it is whole */

/* ---- where things are on the screen ----------------------------------------------------- */

static unsigned columns(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* Columns that bytes take. */
static unsigned width(const char *text, size_t size)
{
    unsigned sum = 0;
    mbstate_t state;
    memset(&state, 0, sizeof state);
    while (size > 0) {
        wchar_t c;
        size_t n = mbrtowc(&c, text, size, &state);
        if (n == 0 || n > size)
            break;
        int w = c < 0x20 || c == 0x7f ? 2 : wcwidth(c); /* those are shown as ^X */
        sum += w > 0 ? (unsigned)w : 0;
        text += n;
        size -= n;
    }
    return sum;
}

/* Go up to where the prompt begins, and wipe all from there on. */
static void wipe(unsigned rows)
{
    if (rows)
        printf("\033[%uA", rows);
    fputs("\r\033[J", stdout);
    fflush(stdout);
}

static void hide(void)
{
    size_t point = rl_line_buffer && rl_point > 0 ? (size_t)rl_point : 0;
    if (hidden)
        return;
    hidden = true;
    wipe((width(prompt, strlen(prompt)) + width(rl_line_buffer, point)) / columns());
}

static void show(void)
{
    if (!hidden)
        return;
    hidden = false;
    rl_forced_update_display();
}

/* ---- typing -------------------------------------------------------------------------------- */

/* What was typed comes back as an entry, in its place among the others. */
static void on_line(char *line)
{
    if (line) {
        wipe((width(prompt, strlen(prompt)) + width(line, strlen(line))) / columns() + 1);
        hidden = true;
        if (*line)
            add_history(line);
    }
    taken = true;
    input_typed(app, line);
    free(line);
}

static bool readable(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&in, 1, 0) > 0;
}

/* The rest of a character that a byte begins. */
static int decode(unsigned char first)
{
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0, c = more ? first & (0x3f >> more) : first;
    for (unsigned char next; more > 0; more--) {
        if (read(STDIN_FILENO, &next, 1) != 1 || (next & 0xc0) != 0x80)
            return '?';
        c = c << 6 | (next & 0x3f);
    }
    return c;
}

/* A key that begins a sequence must not hold up the rest: until the next comes, the loop goes on. */
static int next_key(FILE *from)
{
    unsigned char byte;
    (void)from;
    while (!readable())
        if (!app_step(app, true))
            return EOF;
    return read(STDIN_FILENO, &byte, 1) == 1 ? decode(byte) : EOF;
}

static void input(struct app *of)
{
    (void)of;
    taken = false;
    rl_callback_read_char();
    if (!taken)
        return;
    rl_callback_handler_remove(); /* a new line begins, with its prompt */
    rl_callback_handler_install(prompt, on_line);
    rl_point = rl_end = 0; /* which is said there only with the next key */
    hidden = false;
}

static bool begin(struct app *of)
{
    app = of;
    snprintf(prompt, sizeof prompt, "%s> ", of->options.user);
    rl_readline_name = "chat";
    rl_getc_function = next_key;
    rl_catch_signals = 0;
    using_history();
    stifle_history(HISTORY);
    rl_inhibit_completion = 1;
    rl_callback_handler_install(prompt, on_line);
    return true;
}

static void end(void)
{
    hide();
    rl_callback_handler_remove();
}

int main(int argc, char **argv)
{
    static const struct terminal terminal = {.begin = begin, .input = input, .hide = hide, .show = show, .end = end};
    static const struct role role = {.name = "chat",
                                     .summary =
                                         "Prints all lines that are written, once each and in order, and writes\n"
                                         "what is typed, or comes on standard input.",
                                     .reads = true,
                                     .writes = true,
                                     .terminal = &terminal};
    if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
        setlocale(LC_CTYPE, "C.UTF-8");
    return app_main(&role, argc, argv);
}
