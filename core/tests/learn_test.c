#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/mail.h"

#define PLACEHOLDER ASSAY_MARK "\1\1\1"

static struct mail mail;

/* A message that waits holds what was learned when it goes out again, and the sum of that. */
static void messages_that_wait(void **state)
{
    (void)state;
    for (int summed = 0; summed < 2; summed++) {
        mail_open(&mail, &(struct mail_options){.summed = summed});
        mail.faults[0] = mail.faults[1] = MAIL_DROP;
        assert_int_equal(mail_call(&mail, 1, MAIL_CALL_POST, "first " PLACEHOLDER), ASSAY_OK);
        assert_int_equal(mail_call(&mail, 1, MAIL_CALL_POST, "second"), ASSAY_OK);
        assert_int_equal(mail.sent, 2);
        assay_learn(mail.sides[1].engine, (struct assay_span){(const uint8_t *)PLACEHOLDER, 8},
                    (const uint8_t *)"as it is");
        mail_run(&mail, 2000);
        assert_true(mail_shown(&mail, 0, "first as it is.second."));
        struct assay_waiting waiting;
        assert_true(assay_waiting(mail.sides[1].engine, mail.sides[1].sid, &waiting));
        assert_int_equal(waiting.sent, 0);
        mail_close(&mail);
    }
}

static void what_is_no_placeholder(void **state)
{
    (void)state;
    mail_open(&mail, &(struct mail_options){.summed = true});
    mail.faults[0] = MAIL_DROP;
    assert_int_equal(mail_call(&mail, 1, MAIL_CALL_POST, PLACEHOLDER), ASSAY_OK);
    assay_learn(mail.sides[1].engine, (struct assay_span){(const uint8_t *)ASSAY_MARK "\1\1\2", 8},
                (const uint8_t *)"as it is");
    assay_learn(mail.sides[1].engine, (struct assay_span){(const uint8_t *)PLACEHOLDER, 7},
                (const uint8_t *)"as it is");
    mail_run(&mail, 2000);
    assert_true(mail_shown(&mail, 0, PLACEHOLDER "."));
    mail_close(&mail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_that_wait),
        cmocka_unit_test(what_is_no_placeholder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
