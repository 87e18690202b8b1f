#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/memory_host.h"
#include "core/tests/models.h"

#define LIT(s) (s), (uint32_t)(sizeof(s) - 1)
#define LOGIN  "\1\3\0bob\2\3\0abc"

static void expect_sent(const struct host *h, const void *p, uint32_t n)
{
    assert_int_equal(h->sent.n, n);
    assert_memory_equal(h->sent.p, p, n);
}

static void expect_disk(const struct host *h, const char *text)
{
    assert_int_equal(h->disk.n, strlen(text));
    assert_memory_equal(h->disk.p, text, strlen(text));
}

static void open_notes(struct host *h, bool gated)
{
    host_init(h, (struct assay_config){.model = notes_model(gated), .gates = gated});
    host_open(h);
}

static struct host host;

static void login_and_append(void **state)
{
    (void)state;
    open_notes(&host, false);
    host_feed(&host, LIT(LOGIN "\3\2\0hi"));
    expect_sent(&host, LIT("\0\0\0"));
    expect_disk(&host, "[bob]: hi\r\n");
    assert_int_equal(assay_state(host.engine, host.sid), NOTES_S_READY);
    host_feed(&host, LIT("\4\0\0"));
    assert_true(host.ended);
    expect_sent(&host, LIT("\0\0\0\0"));
    host_free(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login_and_append),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
