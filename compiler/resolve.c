/* Names and types of what stands outside rules: types of fields, conditions, defaults, timers. */
#include <string.h>

#include "compiler/lower.h"

/* The event that a fault raises. */
static struct spec_event *fault_event(struct assay_spec *spec, const char *name, struct assay_at at)
{
    struct spec_event *e = name ? assay_find_event(spec, name) : NULL;
    if (name && e && e->kind != ASSAY_EVK_FAULT && e->index != ASSAY_EV_MALFORMED && e->index != ASSAY_EV_UNKNOWN)
        assay_spec_error(spec, at, "'%s' is the name of another event; a fault needs one of its own", name);
    return e;
}

static void one(struct assay_spec *spec, struct spec_expr *e, const struct spec_scope *scope,
                const struct spec_type *expected)
{
    if (e)
        assay_expr_resolve(spec, e, scope, expected);
}

static void resolve_type(struct assay_spec *spec, struct spec_type *t, struct spec_scope scope)
{
    one(spec, t->extent.size, &scope, &assay_type_int);
    if (t->calc && assay_expr_resolve(spec, t->calc, &scope, t->kind == SPEC_T_ANY ? NULL : t) &&
        t->kind == SPEC_T_ANY && t->form == ASSAY_FORM_CALC) {
        const struct spec_type *is = t->calc->type;
        struct spec_expr *calc = t->calc;
        *t = *is;
        t->form = ASSAY_FORM_CALC;
        t->wire = true;
        t->calc = calc;
    }
    SPEC_EACH (struct spec_expr, e, &t->in)
        one(spec, e, &(struct spec_scope){.params = true, .open = scope.open}, t);
    scope.it = t;
    one(spec, t->check, &scope, &assay_type_bool);
    t->fault_event = fault_event(spec, t->fault, t->at);
}

static void resolve_field(struct assay_spec *spec, struct spec_field *f, const struct spec_frame *frame,
                          const struct spec_list *messages)
{
    struct spec_scope all = {.frame = frame, .messages = messages, .params = true}, earlier = all;
    earlier.before = f;
    resolve_type(spec, f->type, earlier);
    one(spec, f->present, &earlier, &assay_type_bool);
    if (!f->frame || !assay_expr_sum_of_frame(spec, f->is))
        one(spec, f->is, &all, f->type->kind == SPEC_T_NONE ? NULL : f->type);
    one(spec, f->init, &(struct spec_scope){.params = true}, f->type);
}

static void resolve_example(struct assay_spec *spec, struct spec_example *x)
{
    if (!x->fault)
        return;
    x->fault_event = assay_find_event(spec, x->fault);
    struct assay_near near = {.wanted = x->fault};
    SPEC_NEAR (&spec->events, struct spec_event, &near)
        ;
    if (!x->fault_event)
        assay_spec_error(spec, x->at, "no event is called '%s'%s", x->fault, assay_near_text(&near));
}

static void resolve_message(struct assay_spec *spec, struct spec_message *m)
{
    const struct spec_frame *frame = spec->frames[m->from == ASSAY_SERVER];
    struct spec_list *messages = ASSAY_NEW(&spec->arena, struct spec_list);
    assay_list_add(spec, messages, m);
    struct spec_scope scope = {.frame = frame, .messages = messages, .params = true};
    SPEC_EACH (struct spec_field, f, &m->fields)
        resolve_field(spec, f, frame, messages);
    SPEC_EACH (struct spec_where, w, &m->wheres) {
        one(spec, w->that, &scope, &assay_type_bool);
        w->fault_event = fault_event(spec, w->fault, w->at);
    }
    SPEC_EACH (struct spec_fixed, fixed, &m->fixed)
        one(spec, fixed->value, &(struct spec_scope){0}, fixed->field->type);
    SPEC_EACH (struct spec_expr, tag, &m->tags)
        if (frame && frame->tag)
            one(spec, tag, &(struct spec_scope){0}, frame->tag->type);
    one(spec, m->when, &(struct spec_scope){.frame = frame, .params = true}, &assay_type_bool);
    SPEC_EACH (struct spec_example, x, &m->examples)
        resolve_example(spec, x);
}

static void resolve_params(struct assay_spec *spec, struct spec_list *params)
{
    SPEC_EACH (struct spec_param, p, params) {
        resolve_type(spec, p->type, (struct spec_scope){0});
        one(spec, p->init, &(struct spec_scope){0}, p->type);
    }
}

static void resolve_machine(struct assay_spec *spec, struct spec_machine *m)
{
    SPEC_EACH (struct spec_var, v, &m->vars) {
        resolve_type(spec, v->type, (struct spec_scope){.params = true});
        one(spec, v->init, &(struct spec_scope){.params = true}, v->type);
    }
    one(spec, m->reconnect.pause, &(struct spec_scope){.params = true}, &assay_type_duration);
    SPEC_EACH (struct spec_timer, t, &m->timers)
        one(spec, t->after, &(struct spec_scope){.machine = m, .params = true}, &assay_type_duration);
}

void assay_resolve(struct assay_spec *spec)
{
    resolve_params(spec, &spec->params);
    for (unsigned i = 0; i < 2; i++) {
        if (!spec->frames[i] || (i && spec->frames[0] == spec->frames[1]))
            continue;
        SPEC_EACH (struct spec_field, f, &spec->frames[i]->fields)
            resolve_field(spec, f, spec->frames[i], NULL);
    }
    SPEC_EACH (struct spec_message, m, &spec->messages)
        resolve_message(spec, m);
    SPEC_EACH (struct spec_effect, e, &spec->effects)
        resolve_params(spec, &e->args);
    SPEC_EACH (struct spec_log, log, &spec->logs)
        resolve_params(spec, &log->columns);
    SPEC_EACH (struct spec_call, call, &spec->calls) {
        resolve_params(spec, &call->args);
        resolve_params(spec, &call->results);
    }
    SPEC_EACH (struct spec_machine, m, &spec->machines)
        resolve_machine(spec, m);
    assay_bound_fields(spec);
}
