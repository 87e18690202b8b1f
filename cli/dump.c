#include "cli/dump.h"

#include "base/escape.h"
#include "core/code.h"

#define BLOB_SHOWN 60u /* bytes */

static const char *const op_names[] = {
#define X(name, pops, pushes, text) #name,
    ASSAY_OPS(X)
#undef X
};

/* ---- code -------------------------------------------------------------- */

static void print_blob(FILE *to, struct assay_blob blob)
{
    char text[ASSAY_ESCAPED_MAX(BLOB_SHOWN)];
    uint32_t n = blob.n < BLOB_SHOWN ? blob.n : BLOB_SHOWN;
    fprintf(to, "'%.*s%s'", (int)assay_escape(text, blob.p, n, '\''), text, n < blob.n ? "..." : "");
}

/* What the operand of an instruction refers to. */
static void print_operand(const struct assay_model *m, uint32_t ins, FILE *to)
{
    unsigned b = assay_ins_b(ins);
    switch ((unsigned)assay_ins_op(ins)) {
    case ASSAY_OP_INT:
        fprintf(to, "%d", (int16_t)b);
        break;
    case ASSAY_OP_WIDE:
        fprintf(to, "%lld", (long long)m->ints[b]);
        break;
    case ASSAY_OP_WITHIN:
        fprintf(to, "%lld..%lld", (long long)m->ints[b], (long long)m->ints[b + 1]);
        break;
    case ASSAY_OP_BLOB:
        print_blob(to, m->blobs[b]);
        break;
    case ASSAY_OP_VAR:
    case ASSAY_OP_SET:
        fputs(m->vars[b].name, to);
        break;
    case ASSAY_OP_OPTION:
        fputs(m->options[b].name, to);
        break;
    case ASSAY_OP_SEND:
        fputs(m->messages[b].name, to);
        break;
    case ASSAY_OP_GOTO:
        fputs(m->states[b].name, to);
        break;
    case ASSAY_OP_EFFECT:
        fprintf(to, "%s, %u arguments", m->effects[b].name, assay_ins_a(ins));
        break;
    case ASSAY_OP_TIMER:
        fprintf(to, "%s %s", assay_ins_a(ins) ? "start" : "stop", m->timers[b].name);
        break;
    case ASSAY_OP_ERROR:
        fprintf(to, "%s%s", m->errors[b].name, assay_ins_a(ins) ? ", with a text" : "");
        break;
    case ASSAY_OP_NAME:
        fputs(m->enums[b].name, to);
        break;
    default:
        fprintf(to, "%u %u", assay_ins_a(ins), b);
    }
}

static void print_code(const struct assay_model *m, const char *what, uint16_t code, FILE *to)
{
    if (code == ASSAY_NONE)
        return;
    fprintf(to, "    %s\n", what);
    for (uint32_t pc = code, end = assay_code_end(m, code); pc <= end; pc++) {
        fprintf(to, "      %5u  %-9s ", pc, op_names[assay_ins_op(m->code[pc])]);
        print_operand(m, m->code[pc], to);
        fputc('\n', to);
    }
}

/* ---- tables ------------------------------------------------------------ */

static void print_type(const struct assay_model *m, uint16_t index, FILE *to)
{
    if (index == ASSAY_NONE) {
        fputs("-", to);
        return;
    }
    const struct assay_type *t = &m->types[index];
    fprintf(to, "%s %lld..%lld%s", t->name, (long long)t->min, (long long)t->max,
            t->set == ASSAY_NONE ? "" : " of a set");
}

static void print_fields(const struct assay_model *m, struct assay_range fields, FILE *to)
{
    static const char *const forms[] = {"int", "varint", "decimal", "hex", "bytes", "const", "list", "calc"};
    static const char *const extents[] = {"fixed", "code", "count", "prefix", "until", "rest"};
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &m->fields[i];
        fprintf(to, "  field %u %s: ", i, f->name ? f->name : "_");
        print_type(m, f->type, to);
        fprintf(to, ", %s %u bits, %s %u, flags %u, loose %u, fault %s", forms[f->form], f->bits, extents[f->extent],
                f->extent_arg, f->flags, f->loose, m->events[f->fault].name);
        if (f->slot != ASSAY_NONE)
            fprintf(to, ", slot %u", f->slot);
        fputc('\n', to);
        if (f->extent == ASSAY_EXT_CODE || f->extent == ASSAY_EXT_COUNT)
            print_code(m, f->extent == ASSAY_EXT_CODE ? "size" : "count", f->extent_arg, to);
        print_code(m, "present", f->present, to);
        print_code(m, "is", f->is, to);
        print_code(m, "default", f->init, to);
        print_code(m, "check", f->check, to);
    }
}

static void print_wire(const struct assay_model *m, FILE *to)
{
    static const char *const ends[] = {"fields", "until", "eof", "segment", "datagram"};
    for (uint32_t i = 0; i < m->frames_count; i++) {
        const struct assay_frame *f = &m->frames[i];
        fprintf(to, "frame %u: ends by %s, at most %u bytes\n", i, ends[f->end], f->max);
        print_fields(m, f->fields, to);
    }
    for (uint32_t i = 0; i < m->messages_count; i++) {
        const struct assay_message *msg = &m->messages[i];
        fprintf(to, "message %u %s: from %u, tag %lld (kind %u), at most %u bytes, event %u\n", i, msg->name, msg->from,
                (long long)msg->tag, msg->tag_kind, msg->wire_max, msg->event);
        if (msg->tag_kind == ASSAY_TAG_CODE)
            print_code(m, "when", msg->tag_code, to);
        print_fields(m, msg->fields, to);
        for (uint32_t w = 0; w < msg->wheres.count; w++)
            print_code(m, "where", m->wheres[msg->wheres.first + w].that, to);
    }
}

static void print_transitions(const struct assay_model *m, uint32_t state, FILE *to)
{
    for (uint32_t e = 0; e < m->events_count; e++) {
        uint16_t at = m->transitions[state * m->events_count + e];
        if (at == ASSAY_NONE)
            continue;
        fprintf(to, "    on %s:", m->events[e].name);
        for (const uint16_t *rule = &m->rule_lists[at]; *rule != ASSAY_NONE; rule++)
            fprintf(to, " %u", *rule);
        fputc('\n', to);
    }
}

static void print_rule(const struct assay_model *m, uint32_t i, FILE *to)
{
    const struct assay_rule *r = &m->rules[i];
    fprintf(to, "  rule %u (line %u, %s%s%s%s): at most %u bytes, %u locals\n", i, r->line,
            r->req == ASSAY_NONE ? "no requirement" : m->requirements[r->req].id,
            r->flags & ASSAY_RULE_GATE ? ", gate" : "", r->flags & ASSAY_RULE_CHAIN ? ", chain" : "",
            r->flags & ASSAY_RULE_FALLIBLE ? ", fallible" : "", r->out_max, r->locals);
    print_code(m, "if", r->guard, to);
    print_code(m, "then", r->body, to);
    print_code(m, "else", r->otherwise, to);
}

static void print_machine(const struct assay_model *m, const struct assay_machine *machine, FILE *to)
{
    fprintf(to, "machine %s: role %u, starts in %s\n", machine->name, machine->role, m->states[machine->start].name);
    for (uint32_t i = 0; i < machine->vars.count; i++) {
        const struct assay_var *v = &m->vars[machine->vars.first + i];
        fprintf(to, "  variable %s: ", v->name);
        print_type(m, v->type, to);
        fputc('\n', to);
        print_code(m, "init", v->init, to);
    }
    for (uint32_t i = 0; i < machine->timers.count; i++) {
        const struct assay_timer *t = &m->timers[machine->timers.first + i];
        fprintf(to, "  timer %s: restart %u\n", t->name, t->restart);
        print_code(m, "after", t->after, to);
    }
    for (uint32_t i = 0; i < machine->states.count; i++) {
        fprintf(to, "  state %s\n", m->states[machine->states.first + i].name);
        print_transitions(m, machine->states.first + i, to);
    }
    for (uint32_t i = 0; i < machine->rules.count; i++)
        print_rule(m, machine->rules.first + i, to);
}

void assay_dump(const struct assay_model *m, FILE *to)
{
    fprintf(to, "protocol %s: scratch %u, frames up to %u, output up to %u bytes\n", m->protocol, m->scratch,
            m->frame_max, m->out_max);
    print_wire(m, to);
    for (uint32_t i = 0; i < m->machines_count; i++)
        print_machine(m, &m->machines[i], to);
}
