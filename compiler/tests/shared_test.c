/* What is shared, sealed, acknowledged and awaited becomes what core expects of it: compiler/tests/notes.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/tests/host.h"
#include "core/code.h"

static struct assay_spec *spec;
static const struct assay_model *m;

static int open_model(void **state)
{
    (void)state;
    spec = load("compiler/tests/notes.yaml");
    m = assay_spec_model(spec);
    return m ? 0 : 1;
}

static int close_model(void **state)
{
    (void)state;
    assay_spec_free(spec);
    return 0;
}

/* ---- looking things up -------------------------------------------------- */

static const struct assay_message *message(const char *name)
{
    for (uint16_t i = 0; i < m->messages_count; i++)
        if (strcmp(m->messages[i].name, name) == 0)
            return &m->messages[i];
    fail_msg("no message %s", name);
    return NULL;
}

static uint16_t event(const char *name)
{
    for (uint16_t i = 0; i < m->events_count; i++)
        if (strcmp(m->events[i].name, name) == 0)
            return i;
    fail_msg("no event %s", name);
    return ASSAY_NONE;
}

static uint16_t state_named(const struct assay_machine *machine, const char *name)
{
    for (uint16_t i = machine->states.first; i < machine->states.first + machine->states.count; i++)
        if (strcmp(m->states[i].name, name) == 0)
            return i;
    fail_msg("no state %s", name);
    return ASSAY_NONE;
}

/* The rules that are tried for an event in a state; behind them stands ASSAY_NONE. */
static const uint16_t *tried(uint16_t state, uint16_t of)
{
    static const uint16_t nothing[] = {ASSAY_NONE};
    uint16_t at = m->transitions[(size_t)state * m->events_count + of];
    return at == ASSAY_NONE ? nothing : m->rule_lists + at;
}

static bool does(uint16_t code, enum assay_op op, unsigned a, unsigned b)
{
    uint32_t end = assay_code_end(m, code);
    for (uint32_t pc = code; pc < end; pc++)
        if (m->code[pc] == assay_ins(op, a, b))
            return true;
    return false;
}

/* ---- tests -------------------------------------------------------------- */

static void sizes_of_messages(void **state)
{
    (void)state;
    assert_int_equal(message("Ask")->wire_min, 27);
    assert_int_equal(message("Ask")->wire_max, 27);
    assert_int_equal(message("Join")->wire_min, 27);
    assert_int_equal(message("Join")->wire_max, 127);
    assert_int_equal(message("Gone")->wire_min, 11);
}

static void a_sum_is_no_code(void **state)
{
    (void)state;
    const struct assay_field *crc = &m->fields[m->frames[0].fields.first + 3];
    assert_string_equal(crc->name, "crc");
    assert_int_equal(crc->sum, ASSAY_SUM_CRC32C);
    assert_int_equal(crc->is, ASSAY_NONE);
}

static void stateless_rules(void **state)
{
    (void)state;
    const struct assay_machine *server = &m->machines[m->server];
    assert_true(server->stateless);
    assert_false(m->machines[m->client].stateless);
    const uint16_t *rules = tried(server->start, event("Join"));
    assert_true(m->rules[rules[0]].flags & ASSAY_RULE_STATELESS);
    assert_true(does(m->rules[rules[0]].guard, ASSAY_OP_SEALED, 2, 0));
    assert_true(does(m->rules[rules[0]].body, ASSAY_OP_SEAL, 1, 0));
    assert_false(m->rules[rules[1]].flags & ASSAY_RULE_STATELESS);
}

static void a_table_has_an_effect(void **state)
{
    (void)state;
    const struct assay_table *t = &m->tables[0];
    const struct assay_effect *e = &m->effects[t->effect];
    assert_int_equal(m->tables_count, 1);
    assert_string_equal(e->name, t->name);
    assert_int_equal(e->table, 0);
    assert_int_equal(e->log, ASSAY_NONE);
    assert_true(e->fallible);
    assert_int_equal(e->args.first, t->key);
    assert_int_equal(e->args.count, 1 + t->columns.count);
    assert_int_equal(t->columns.first, t->key + 1);
    assert_int_equal(t->most, 100);
    const uint16_t *rules = tried(m->machines[m->server].start, event("Join"));
    assert_true(does(m->rules[rules[1]].body, ASSAY_OP_EFFECT, 2, t->effect));
}

static void a_log_and_who_follows_it(void **state)
{
    (void)state;
    const struct assay_machine *server = &m->machines[m->server];
    const struct assay_log *log = &m->logs[0];
    assert_int_equal(m->effects[0].log, 0);
    assert_string_equal(m->effects[0].verb, "log");
    assert_int_equal(log->machine, m->server);
    assert_string_equal(m->vars[log->cursor].name, "cursor");
    assert_int_equal(m->events[log->event].kind, ASSAY_EVK_ROW);
    assert_int_equal(m->events[log->event].index, 0);
    assert_int_equal(m->statesets[log->states], state_named(server, "Live"));
    assert_int_equal(m->statesets[log->states + 1], ASSAY_NONE);
    const uint16_t *rules = tried(state_named(server, "Live"), log->event);
    assert_true(m->rules[rules[0]].flags & ASSAY_RULE_RELIABLE);
    assert_int_equal(m->rules[rules[0]].locals, 1 + log->columns.count);
    assert_true(does(m->rules[rules[0]].body, ASSAY_OP_SLOT, 0, log->first_slot));
    assert_true(does(m->rules[rules[0]].body, ASSAY_OP_SLOT, 0, log->first_slot + 1));
    assert_int_equal(tried(server->start, log->event)[0], ASSAY_NONE);
}

static void what_is_acknowledged(void **state)
{
    (void)state;
    const struct assay_reliable *r = &m->reliables[0];
    const struct assay_machine *server = &m->machines[m->server];
    assert_int_equal(m->reliables_count, 1);
    assert_int_equal(r->messages.count, 2);
    assert_ptr_equal(&m->messages[m->reliable_messages[0]], message("Note"));
    assert_int_equal(r->bits, 16);
    assert_int_equal(r->window, 16);
    assert_int_equal(r->factor, 200);
    assert_int_equal(r->cap, ASSAY_NONE);
    assert_string_equal(m->vars[server->session].name, "session");
    assert_string_equal(m->vars[m->machines[m->client].session].name, "session");
    /* the rule's own output, and the acknowledgement behind it */
    const uint16_t *rules = tried(state_named(server, "Live"), event("Note"));
    assert_int_equal(m->rules[rules[0]].out_max, message("Ack")->wire_max);
    assert_true(does(m->rules[rules[0]].otherwise, ASSAY_OP_DECLINE, 0, 0));
    assert_true(m->out_max >= message("Row")->wire_max);
    /* no machine sees acknowledgements */
    for (uint16_t s = 0; s < m->states_count; s++)
        assert_int_equal(tried(s, event("Ack"))[0], ASSAY_NONE);
}

static void calls_await(void **state)
{
    (void)state;
    const struct assay_machine *client = &m->machines[m->client];
    uint16_t joining = state_named(client, "join/1"), noting = state_named(client, "note/1");
    assert_int_equal(m->states[joining].kind, ASSAY_STATE_AWAIT);
    const uint16_t *rules = tried(joining, ASSAY_EV_AWAITED);
    assert_true(does(m->rules[rules[0]].guard, ASSAY_OP_INT, 0, state_named(client, "Lost")));
    assert_true(does(m->rules[rules[1]].guard, ASSAY_OP_INT, 0, state_named(client, "Live")));
    assert_int_equal(rules[2], ASSAY_NONE);
    assert_true(does(m->rules[tried(noting, ASSAY_EV_AWAITED)[1]].guard, ASSAY_OP_ACKED, 0, 0));
    const struct assay_rule *note = &m->rules[tried(client->start, event("call:note"))[0]];
    assert_true(note->flags & ASSAY_RULE_RELIABLE);
    assert_true(does(note->body, ASSAY_OP_MARK, 0, 0));
    assert_true(does(note->body, ASSAY_OP_VAR, 0, m->calls[1].first_var));
}

static uint16_t var_named(const struct assay_machine *machine, const char *name)
{
    for (uint16_t i = machine->vars.first; i < machine->vars.first + machine->vars.count; i++)
        if (strcmp(m->vars[i].name, name) == 0)
            return i;
    fail_msg("no variable %s", name);
    return ASSAY_NONE;
}

static void arguments_hide_variables(void **state)
{
    (void)state;
    const struct assay_machine *client = &m->machines[m->client];
    const struct assay_rule *move = &m->rules[tried(client->start, event("call:move"))[0]];
    uint16_t at = var_named(client, "at"), argument = var_named(client, "move.at");
    assert_int_equal(m->code[move->body], assay_ins(ASSAY_OP_VAR, 0, argument));
    assert_int_equal(m->code[move->body + 1], assay_ins(ASSAY_OP_VAR, 0, at));
    assert_int_equal(m->code[move->body + 2], assay_ins(ASSAY_OP_MIN, 0, 0));
    assert_true(does(move->body, ASSAY_OP_SET, 0, at));
    assert_true(does(move->body, ASSAY_OP_MAX, 0, 0));
}

static void promises(void **state)
{
    (void)state;
    assert_int_equal(m->impairs_count, 1);
    assert_int_equal(m->impairs[0].faults, ASSAY_IMPAIR_DROP | ASSAY_IMPAIR_DUPLICATE);
    assert_int_equal(m->impairs[0].up_to, 2);
    assert_int_equal(m->impairs[0].extra, 40);
    assert_int_equal(m->actors_count, 1);
    assert_int_equal(m->actors[0].acts.count, 2);
    assert_int_equal(m->acts[1].args.count, 1);
    uint32_t first = m->code[m->act_args[m->acts[1].args.first]];
    assert_int_equal(assay_ins_op(first), ASSAY_OP_BLOB);
    assert_memory_equal(m->blobs[assay_ins_b(first)].p, "hi", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_of_messages),
        cmocka_unit_test(a_sum_is_no_code),
        cmocka_unit_test(stateless_rules),
        cmocka_unit_test(a_table_has_an_effect),
        cmocka_unit_test(a_log_and_who_follows_it),
        cmocka_unit_test(what_is_acknowledged),
        cmocka_unit_test(calls_await),
        cmocka_unit_test(arguments_hide_variables),
        cmocka_unit_test(promises),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
