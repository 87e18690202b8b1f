/* The model as tables of Python: named tuples that the runtime interprets. */
#include <inttypes.h>

#include "compiler/emit_python.h"
#include "core/code.h"

/* ---- what the runtime calls them --------------------------------------- */

static const char rows[] =
    "\n\n# ---- tables: the spec, resolved ----\n\n"
    "_Type = collections.namedtuple(\"_Type\", \"name kind charset of set min max\")\n"
    "_Enum = collections.namedtuple(\"_Enum\", \"type open names values texts\")\n"
    "_Field = collections.namedtuple(\n    \"_Field\", \"name form type slot extent extent_arg element present is_ "
    "init check fault leniency loose\"\n"
    "    \" bits little signed fold member optional sum\")\n"
    "_Frame = collections.namedtuple(\n    \"_Frame\", \"end fields body tag delims segment_leniency max walked trim "
    "blank transports\")\n"
    "_Ahead = collections.namedtuple(\"_Ahead\", \"kind text before\")\n"
    "_Pairs = collections.namedtuple(\n    \"_Pairs\", \"separator assign quote escape escapes duplicates sorted "
    "quote_if name_type value_type name_first\"\n    \" value_first most\")\n"
    "_Object = collections.namedtuple(\"_Object\", \"members rest\")\n"
    "_Message = collections.namedtuple(\n    \"_Message\", \"name from_server tag_kind tag fields wheres leads event "
    "transports\")\n"
    "_Where = collections.namedtuple(\"_Where\", \"that fault\")\n"
    "_Event = collections.namedtuple(\"_Event\", \"name kind\")\n"
    "_Machine = collections.namedtuple(\n    \"_Machine\", \"name start end vars timers rules frame_in frame_out "
    "reconnect session first_number\")\n"
    "_Reliable = collections.namedtuple(\n    \"_Reliable\", \"messages number bits ack ack_slot session window first "
    "cap factor give_up\")\n"
    "_Reconnect = collections.namedtuple(\"_Reconnect\", \"pause growth cap most\")\n"
    "_Transport = collections.namedtuple(\"_Transport\", \"name port machine\")\n"
    "_Timer = collections.namedtuple(\"_Timer\", \"name event after states restart\")\n"
    "_Rule = collections.namedtuple(\"_Rule\", \"guard body otherwise reliable\")\n"
    "_Effect = collections.namedtuple(\"_Effect\", \"name args fallible\")\n"
    "_Param = collections.namedtuple(\"_Param\", \"name type default\")\n"
    "_Call = collections.namedtuple(\"_Call\", \"name event args results first_var within machine opens\")\n"
    "_Option = collections.namedtuple(\"_Option\", \"name type value\")\n\n";

static const char *const kinds[] = {"int", "bool", "enum", "duration", "bytes", "text", "list"};
static const char *const charsets[] = {"bytes", "ascii", "utf-8"};
static const char *const forms[] = {"int",  "varint", "decimal", "hex",   "bytes", "const",
                                    "list", "calc",   "ahead",   "pairs", "object"};
static const char *const extents[] = {"fixed", "code", "count", "prefix", "until", "rest", "before"};
static const char *const ends[] = {"fields", "until", "eof", "segment", "datagram", "stream"};
static const char *const aheads[] = {"begins", "holds", "left"};
static const char *const duplicates[] = {"last", "first", "fault"};
static const char *const sums[] = {"none", "crc32c", "crc16", "inet16", "sum8"};
static const char *const tag_kinds[] = {"none", "value", "text", "code"};
static const char *const event_kinds[] = {"builtin", "fault", "timer", "message", "call", "row"};

/* ---- cells ------------------------------------------------------------- */

static void number(FILE *to, uint16_t value)
{
    if (value == ASSAY_NONE)
        fputs("None", to);
    else
        fprintf(to, "%u", value);
}

static void range(FILE *to, struct assay_range r)
{
    fprintf(to, "(%u, %u)", r.first, r.count);
}

/* A comma-separated part of a row. */
static void part(FILE *to, uint16_t value)
{
    fputs(", ", to);
    number(to, value);
}

/* ---- rows -------------------------------------------------------------- */

static void one_type(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_type *t = &model->types[i];
    fputs("_Type(", to);
    assay_python_string(to, t->name);
    fprintf(to, ", \"%s\", \"%s\"", kinds[t->kind], charsets[t->charset]);
    part(to, t->of);
    part(to, t->set);
    fprintf(to, ", %" PRId64 ", %" PRId64 ")", t->min, t->max);
}

static void one_set(const struct assay_model *model, FILE *to, uint32_t i)
{
    const uint64_t *bits = model->sets[i].bits;
    fprintf(to, "0x%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64, bits[3], bits[2], bits[1], bits[0]);
}

static void one_enum(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_enum *e = &model->enums[i];
    fputs("_Enum(", to);
    if (e->name && e->items.count)
        assay_python_class(to, e->name);
    else
        fputs("int", to);
    fprintf(to, ", %s, {", assay_python_truth(e->open));
    for (uint16_t k = 0; k < e->items.count; k++) {
        const struct assay_enum_item *item = &model->enum_items[e->items.first + k];
        fprintf(to, "%s%" PRId64 ": \"%s\"", k ? ", " : "", item->value, item->name);
    }
    fputs("}, {", to);
    for (uint16_t k = 0; k < e->items.count; k++) {
        const struct assay_enum_item *item = &model->enum_items[e->items.first + k];
        fprintf(to, "%s\"%s\": %" PRId64, k ? ", " : "", item->name, item->value);
    }
    fputs("}, (", to);
    for (uint16_t k = 0; e->text && k < e->items.count; k++) {
        assay_python_bytes(to, model->enum_items[e->items.first + k].text);
        fputs(", ", to);
    }
    fputs("))", to);
}

static void loose(FILE *to, uint8_t bits)
{
    static const char *const names[] = {"space", "plus", "zeros", "tail"};
    if (bits == 0) {
        fputs("None", to);
        return;
    }
    fputs("frozenset((", to);
    for (unsigned i = 0; i < 4; i++)
        if (bits >> i & 1)
            fprintf(to, "\"%s\", ", names[i]);
    fputs("))", to);
}

static void one_field(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_field *f = &model->fields[i];
    fputs("_Field(", to);
    assay_python_string(to, f->name);
    fprintf(to, ", \"%s\"", forms[f->form]);
    part(to, f->type);
    part(to, f->slot);
    fprintf(to, ", \"%s\"", extents[f->extent]);
    const uint16_t references[] = {f->extent_arg, f->element, f->present, f->is,
                                   f->init,       f->check,   f->fault,   f->leniency};
    for (size_t k = 0; k < sizeof references / sizeof references[0]; k++)
        part(to, references[k]);
    fputs(", ", to);
    loose(to, f->loose);
    fprintf(to, ", %u, %s, %s, %s, %s, %s, \"%s\")", f->bits, assay_python_truth(f->flags & ASSAY_F_LITTLE),
            assay_python_truth(f->flags & ASSAY_F_SIGNED), assay_python_truth(f->flags & ASSAY_F_FOLD),
            assay_python_truth(f->flags & ASSAY_F_MEMBER), assay_python_truth(f->flags & ASSAY_F_OPTIONAL),
            sums[f->sum]);
}

static void one_ahead(const struct assay_model *model, FILE *to, uint32_t i)
{
    fprintf(to, "_Ahead(\"%s\", ", aheads[model->aheads[i].kind]);
    assay_python_bytes(to, model->aheads[i].text);
    part(to, model->aheads[i].before);
    fputc(')', to);
}

static void optional_byte(FILE *to, uint8_t value)
{
    if (value)
        fprintf(to, ", %u", value);
    else
        fputs(", None", to);
}

static void one_pairs(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_pairs *p = &model->pairs[i];
    fprintf(to, "_Pairs(%u, %u", p->separator, p->assign);
    optional_byte(to, p->quote);
    optional_byte(to, p->escape);
    fputs(", {", to);
    for (unsigned k = 0; k < p->escapes; k++)
        fprintf(to, "%s%u: %u", k ? ", " : "", p->letters[k], p->stands[k]);
    fprintf(to, "}, \"%s\", %s", duplicates[p->duplicates], assay_python_truth(p->sorted));
    part(to, p->quote_if);
    part(to, p->name_type);
    part(to, p->value_type);
    part(to, p->name_first);
    part(to, p->value_first);
    fprintf(to, ", %u)", p->most);
}

static void one_object(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_object *object = &model->objects[i];
    fputs("_Object((", to);
    for (uint16_t k = 0; k < object->members.count; k++) {
        const struct assay_object_member *member = &model->object_members[object->members.first + k];
        fputc('(', to);
        assay_python_bytes(to, member->name);
        fprintf(to, ", %u), ", member->field);
    }
    fputs(")", to);
    part(to, object->rest);
    fputc(')', to);
}

static void one_frame(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_frame *f = &model->frames[i];
    fprintf(to, "_Frame(\"%s\", ", ends[f->end]);
    range(to, f->fields);
    part(to, f->body);
    part(to, f->tag);
    part(to, f->delims);
    part(to, f->segment_leniency);
    fprintf(to, ", %" PRIu32 ", %s", f->max, assay_python_truth(f->walked & ASSAY_SERVER));
    part(to, f->trim);
    fprintf(to, ", %s, 0x%04x)", assay_python_truth(f->blank), f->transports);
}

static void one_transport(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_transport *t = &model->transports[i];
    fprintf(to, "_Transport(\"%s\", %u", t->name, t->port);
    part(to, t->client);
    fputc(')', to);
}

static void one_delims(const struct assay_model *model, FILE *to, uint32_t i)
{
    struct assay_range r = model->delims[i].blobs;
    fputc('(', to);
    for (uint16_t k = 0; k < r.count; k++) {
        assay_python_bytes(to, model->blobs[r.first + k]);
        fputs(", ", to);
    }
    fputc(')', to);
}

static void one_message(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_message *m = &model->messages[i];
    fprintf(to, "_Message(\"%s\", %s, \"%s\", ", m->name, assay_python_truth(m->from & ASSAY_SERVER),
            tag_kinds[m->tag_kind]);
    switch ((enum assay_tag_kind)m->tag_kind) {
    case ASSAY_TAG_NONE:
        fputs("None", to);
        break;
    case ASSAY_TAG_VALUE:
        fprintf(to, "%" PRId64, m->tag);
        break;
    case ASSAY_TAG_TEXT:
        assay_python_bytes(to, m->tag_text);
        break;
    case ASSAY_TAG_CODE:
        number(to, m->tag_code);
        break;
    }
    fputs(", ", to);
    range(to, m->fields);
    fputs(", ", to);
    range(to, m->wheres);
    part(to, m->leads);
    part(to, m->event);
    fprintf(to, ", 0x%04x)", m->transports);
}

static void one_where(const struct assay_model *model, FILE *to, uint32_t i)
{
    fputs("_Where(", to);
    number(to, model->wheres[i].that);
    part(to, model->wheres[i].fault);
    fputc(')', to);
}

static void one_event(const struct assay_model *model, FILE *to, uint32_t i)
{
    fputs("_Event(", to);
    assay_python_string(to, model->events[i].name);
    fprintf(to, ", \"%s\")", event_kinds[model->events[i].kind]);
}

static void one_effect(const struct assay_model *model, FILE *to, uint32_t i)
{
    fprintf(to, "_Effect(\"%s\", ", model->effects[i].name);
    range(to, model->effects[i].args);
    fprintf(to, ", %s)", assay_python_truth(model->effects[i].fallible));
}

static void one_param(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_param *param = &model->params[i];
    fprintf(to, "_Param(\"%s\", %u, ", param->name, param->type);
    if (param->init == ASSAY_NONE)
        fputs("None", to);
    else
        assay_python_default(model, to, param);
    fputc(')', to);
}

static void one_call(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_call *c = &model->calls[i];
    fprintf(to, "_Call(\"%s\", %u, ", c->name, c->event);
    range(to, c->args);
    fputs(", ", to);
    range(to, c->results);
    part(to, c->first_var);
    fprintf(to, ", %" PRId64, c->within);
    part(to, c->machine);
    part(to, c->opens);
    fputc(')', to);
}

static void one_option(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_option *o = &model->options[i];
    fprintf(to, "_Option(\"%s\", %u, ", o->name, o->type);
    if (model->types[o->type].kind >= ASSAY_T_BYTES)
        assay_python_bytes(to, o->blob);
    else
        fprintf(to, "%" PRId64, o->value);
    fputc(')', to);
}

static void one_leniency(const struct assay_model *model, FILE *to, uint32_t i)
{
    assay_python_string(to, model->leniencies[i].name);
}

static void one_error_name(const struct assay_model *model, FILE *to, uint32_t i)
{
    assay_python_string(to, model->errors[i].name);
}

static void one_blob(const struct assay_model *model, FILE *to, uint32_t i)
{
    assay_python_bytes(to, model->blobs[i]);
}

static void one_int(const struct assay_model *model, FILE *to, uint32_t i)
{
    fprintf(to, "%" PRId64, model->ints[i]);
}

/* ---- tables ------------------------------------------------------------ */

static void table(const struct assay_model *model, FILE *to, const char *name, uint32_t count,
                  void (*one)(const struct assay_model *, FILE *, uint32_t))
{
    fprintf(to, "%s = (", name);
    for (uint32_t i = 0; i < count; i++) {
        fputs("\n    ", to);
        one(model, to, i);
        fputc(',', to);
    }
    fputs(count ? "\n)\n" : ")\n", to);
}

static void plain_tables(const struct assay_model *model, FILE *to)
{
    table(model, to, "_TYPES", model->types_count, one_type);
    table(model, to, "_SETS", model->sets_count, one_set);
    table(model, to, "_ENUMS", model->enums_count, one_enum);
    table(model, to, "_FIELDS", model->fields_count, one_field);
    table(model, to, "_DELIMS", model->delims_count, one_delims);
    table(model, to, "_AHEADS", model->aheads_count, one_ahead);
    table(model, to, "_PAIRS", model->pairs_count, one_pairs);
    table(model, to, "_OBJECTS", model->objects_count, one_object);
    table(model, to, "_FRAMES", model->frames_count, one_frame);
    table(model, to, "_TRANSPORTS", model->transports_count, one_transport);
    table(model, to, "_MESSAGES", model->messages_count, one_message);
    table(model, to, "_WHERES", model->wheres_count, one_where);
    table(model, to, "_EVENTS", model->events_count, one_event);
    table(model, to, "_EFFECTS", model->effects_count, one_effect);
    table(model, to, "_PARAMS", model->params_count, one_param);
    table(model, to, "_CALLS", model->calls_count, one_call);
    table(model, to, "_OPTIONS", model->options_count, one_option);
    table(model, to, "_LENIENCIES", model->leniencies_count, one_leniency);
    table(model, to, "_ERROR_NAMES", model->errors_count, one_error_name);
    table(model, to, "_BLOBS", model->blobs_count, one_blob);
    table(model, to, "_INTS", model->ints_count, one_int);
}

static void error_table(const struct assay_model *model, FILE *to)
{
    fputs("_ERRORS = {", to);
    for (uint16_t i = 0; i < model->errors_count; i++) {
        if (assay_emit_repeated_error(model, i))
            continue;
        fprintf(to, "\"%s\": ", model->errors[i].name);
        assay_python_error(model, to, model->errors[i].name);
        fputs(", ", to);
    }
    fputs("}\n_EVENT_NUMBERS = {", to);
    for (uint16_t i = 0; i < model->events_count; i++)
        if (model->events[i].kind == ASSAY_EVK_BUILTIN)
            fprintf(to, "\"%s\": %u, ", model->events[i].name, i);
    fputs("}\n", to);
}

/* ---- machines: those that play a client -------------------------------- */

/* What every client machine adds to a table that is numbered as in the model. */
static void of_machines(const struct assay_model *model, FILE *to, const char *head,
                        void (*add)(const struct assay_model *, FILE *, const struct assay_machine *))
{
    fputs(head, to);
    for (uint32_t i = 0; i < model->machines_count; i++)
        if (assay_python_plays(model, i))
            add(model, to, &model->machines[i]);
    fputs("\n}\n", to);
}

static void variables(const struct assay_model *model, FILE *to, const struct assay_machine *m)
{
    for (uint32_t i = m->vars.first; i < (uint32_t)m->vars.first + m->vars.count; i++) {
        fprintf(to, "\n    %" PRIu32 ": (%u", i, model->vars[i].type);
        part(to, model->vars[i].init);
        fprintf(to, "),  # %s", model->vars[i].name);
    }
}

static void timer(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_timer *t = &model->timers[i];
    fprintf(to, "\n    %" PRIu32 ": _Timer(\"%s\", %u, %u, frozenset((", i, t->name, t->event, t->after);
    for (const uint16_t *state = &model->statesets[t->states]; *state != ASSAY_NONE; state++)
        fprintf(to, "%u, ", *state);
    fputs(")), frozenset((", to);
    fputs(t->restart & ASSAY_RESTART_INPUT ? "\"input\", " : "", to);
    fputs(t->restart & ASSAY_RESTART_SEND ? "\"send\", " : "", to);
    fputs("))),", to);
}

static void timers(const struct assay_model *model, FILE *to, const struct assay_machine *m)
{
    for (uint32_t i = m->timers.first; i < (uint32_t)m->timers.first + m->timers.count; i++)
        timer(model, to, i);
}

static void rules(const struct assay_model *model, FILE *to, const struct assay_machine *m)
{
    for (uint32_t i = m->rules.first; i < (uint32_t)m->rules.first + m->rules.count; i++) {
        fprintf(to, "\n    %" PRIu32 ": _Rule(", i);
        number(to, model->rules[i].guard);
        part(to, model->rules[i].body);
        part(to, model->rules[i].otherwise);
        fprintf(to, ", %s),", assay_python_truth(model->rules[i].flags & ASSAY_RULE_RELIABLE));
    }
}

static void transitions(const struct assay_model *model, FILE *to, const struct assay_machine *m)
{
    for (uint32_t s = m->states.first; s < (uint32_t)m->states.first + m->states.count; s++)
        for (uint32_t e = 0; e < model->events_count; e++) {
            uint16_t at = model->transitions[(size_t)s * model->events_count + e];
            if (at == ASSAY_NONE)
                continue;
            fprintf(to, "\n    (%" PRIu32 ", %" PRIu32 "): (", s, e);
            for (; model->rule_lists[at] != ASSAY_NONE; at++)
                fprintf(to, "%u, ", model->rule_lists[at]);
            fprintf(to, "),  # %s, %s", model->states[s].name, model->events[e].name);
        }
}

static void states_of_kind(const struct assay_model *model, FILE *to, const char *name, enum assay_state_kind kind)
{
    fprintf(to, "%s = frozenset((", name);
    for (uint32_t i = 0; i < model->states_count; i++)
        if (model->states[i].kind == kind)
            fprintf(to, "%" PRIu32 ", ", i);
    fputs("))\n", to);
}

/* Messages that are acknowledged; None: there are none. */
static void reliable(const struct assay_model *model, FILE *to)
{
    const struct assay_reliable *r = model->reliables;
    if (model->reliables_count == 0) {
        fputs("_RELIABLE = None\n", to);
        return;
    }
    fputs("_RELIABLE = _Reliable(frozenset((", to);
    for (uint32_t i = r->messages.first; i < (uint32_t)r->messages.first + r->messages.count; i++)
        fprintf(to, "%u, ", model->reliable_messages[i]);
    fprintf(to, ")), %u, %u, %u, %u", r->number, r->bits, r->ack, r->ack_slot);
    part(to, r->session);
    fprintf(to, ", %" PRIu32, r->window);
    part(to, r->first);
    part(to, r->cap);
    fprintf(to, ", %u", r->factor);
    part(to, r->give_up);
    fputs(")\n", to);
}

static void one_machine(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_machine *m = &model->machines[i];
    if (!assay_python_plays(model, i)) {
        fputs("None", to);
        return;
    }
    fprintf(to, "_Machine(\"%s\", %u, %u, ", m->name, m->start, m->states.first + m->states.count - 1u);
    range(to, m->vars);
    fputs(", ", to);
    range(to, m->timers);
    fputs(", ", to);
    range(to, m->rules);
    fprintf(to, ", %u, %u, ", m->frame_in, m->frame_out);
    if (m->reconnect.pause == ASSAY_NONE)
        fputs("None", to);
    else
        fprintf(to, "_Reconnect(%u, %u, %" PRId64 ", %" PRIu32 ")", m->reconnect.pause, m->reconnect.growth,
                m->reconnect.cap, m->reconnect.most);
    part(to, m->session);
    part(to, m->first_number);
    fputc(')', to);
}

static void one_state(const struct assay_model *model, FILE *to, uint32_t i)
{
    assay_python_string(to, model->states[i].name);
}

static void machines(const struct assay_model *model, FILE *to)
{
    fprintf(to, "_DRAIN_BYTES, _DRAIN_SECONDS = %" PRIu32 ", %.3f\n", model->limits.drain,
            (double)model->limits.drain_time / 1e9);
    fprintf(to, "_SEAL = %" PRId64 "\n", model->limits.seal);
    table(model, to, "_MACHINES", model->machines_count, one_machine);
    table(model, to, "_STATES", model->states_count, one_state);
    of_machines(model, to, "_VARS = {  # number: (type, initial value)", variables);
    of_machines(model, to, "_TIMERS = {", timers);
    of_machines(model, to, "_RULES = {", rules);
    states_of_kind(model, to, "_WAITING_STATES", ASSAY_STATE_WAIT);
    states_of_kind(model, to, "_AWAITING_STATES", ASSAY_STATE_AWAIT);
    reliable(model, to);
    of_machines(model, to, "_TRANSITIONS = {  # (state, event): rules to try in order", transitions);
}

static void code(const struct assay_model *model, FILE *to)
{
    static const char *const ops[] = {
#define X(name, pops, pushes, what) #name,
        ASSAY_OPS(X)
#undef X
    };
    fputs("_OPS = (", to);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        fprintf(to, "%s\"%s\",", i % 12 ? " " : "\n    ", ops[i]);
    fputs("\n)\n_CODE = (  # 8 bits operation, 8 bits a, 16 bits b", to);
    for (uint32_t i = 0; i < model->code_count; i++)
        fprintf(to, "%s0x%08" PRIx32 ",", i % 10 ? " " : "\n    ", model->code[i]);
    fputs("\n)\n\n\n", to);
}

void assay_emit_python_tables(const struct assay_model *model, FILE *to)
{
    fputs(rows, to);
    plain_tables(model, to);
    error_table(model, to);
    machines(model, to);
    code(model, to);
}
