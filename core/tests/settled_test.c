/* Which messages need no look behind their fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/fields.h"
#include "core/tests/models.h"

enum { REQUESTS, REPLIES };             /* frames */
enum { LENGTH = 1, BODY = 2, OWN = 5 }; /* fields */

static struct assay_model model;
static struct assay_field fields[7];
static struct assay_message messages[5];

static void reset(void)
{
    model = *notes_model(false);
    assert_int_equal(model.fields_count, 7);
    assert_int_equal(model.messages_count, 5);
    memcpy(fields, model.fields, sizeof fields);
    memcpy(messages, model.messages, sizeof messages);
    model.fields = fields;
    model.messages = messages;
}

static bool is_read(unsigned message, unsigned frame)
{
    return assay_settled_read(&model, &model.frames[frame], &messages[message]);
}

static bool is_given(unsigned message, unsigned frame)
{
    return assay_settled_given(&model, &model.frames[frame], &messages[message]);
}

static void a_length_is_settled_by_reading_alone(void **state)
{
    (void)state;
    reset();
    assert_true(is_read(NOTES_MESSAGE, REQUESTS));
    assert_false(is_given(NOTES_MESSAGE, REQUESTS));
    assert_true(is_read(NOTES_REPLY, REPLIES));
    assert_true(is_given(NOTES_REPLY, REPLIES));
}

static void other_computed_fields_are_checked(void **state)
{
    (void)state;
    reset();
    fields[LENGTH].is = fields[BODY].extent_arg; /* not the size of anything */
    assert_false(is_read(NOTES_MESSAGE, REQUESTS));
    reset();
    fields[BODY].extent = ASSAY_EXT_FIXED;
    assert_false(is_read(NOTES_MESSAGE, REQUESTS));
    reset();
    fields[BODY].present = fields[BODY].extent_arg;
    assert_false(is_read(NOTES_MESSAGE, REQUESTS));
    reset();
    fields[LENGTH].slot = 7; /* another field than the one that tells the size */
    assert_false(is_read(NOTES_MESSAGE, REQUESTS));
    reset();
    fields[OWN].is = fields[LENGTH].is;
    assert_false(is_read(NOTES_MESSAGE, REQUESTS));
    assert_true(is_read(NOTES_NAME, REQUESTS));
}

static void conditions_and_defaults_are_left(void **state)
{
    (void)state;
    reset();
    messages[NOTES_REPLY].wheres.count = 1;
    assert_false(is_read(NOTES_REPLY, REPLIES));
    reset();
    fields[6].init = 0;
    assert_true(is_read(NOTES_REPLY, REPLIES));
    assert_false(is_given(NOTES_REPLY, REPLIES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_length_is_settled_by_reading_alone),
        cmocka_unit_test(other_computed_fields_are_checked),
        cmocka_unit_test(conditions_and_defaults_are_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
