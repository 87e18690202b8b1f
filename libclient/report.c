/* What went wrong, as statuses and sentences. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libclient/client.h"

static void __attribute__((format(printf, 2, 0))) note(const struct assay_link *l, const char *format, va_list args)
{
    struct assay_client *c = l->client;
    const char *place = c->places[l->transport == ASSAY_NONE ? 0 : l->transport];
    int n = snprintf(c->message, sizeof c->message, "%s%.255s: ", l->datagrams ? "udp:" : "", place);
    vsnprintf(c->message + n, sizeof c->message - (size_t)n, format, args);
    c->detail[0] = '\0';
    c->detail_size = 0;
}

int assay_report(struct assay_client *c, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(c->call.index >= 0 ? c->call.link : &c->own, format, args);
    va_end(args);
    return status;
}

void assay_report_link(const struct assay_link *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(l, format, args);
    va_end(args);
}

/* An error that several calls share has the place of its first. */
static int error_status(const struct assay_model *model, int32_t error)
{
    int32_t first = 0;
    while (strcmp(model->errors[first].name, model->errors[error].name) != 0)
        first++;
    return first + 1;
}

static int report_error(struct assay_client *c, const struct assay_event *event)
{
    struct assay_span detail = event->result.detail;
    uint32_t size = detail.n < ASSAY_DETAIL_MAX ? detail.n : ASSAY_DETAIL_MAX;
    const char *call = c->model.calls[event->result.call].name;
    const char *name = c->model.errors[event->result.outcome].name;
    if (size == 0)
        return assay_report(c, error_status(&c->model, event->result.outcome), "%s: %s", call, name);
    assay_report(c, 0, "%s: %s: %.*s", call, name, (int)(size < 300 ? size : 300), (const char *)detail.p);
    memcpy(c->detail, detail.p, size);
    c->detail[size] = '\0';
    c->detail_size = size;
    return error_status(&c->model, event->result.outcome);
}

/* The call itself is the cause where it could not even be sent. */
static bool not_sent(const struct assay_client *c, const struct assay_event *event)
{
    return event->result.cause == c->model.calls[event->result.call].event || event->result.cause == ASSAY_EV_NO_ROOM;
}

static int report_protocol(struct assay_client *c, const char *call, uint16_t cause)
{
    const struct assay_event_def *event = &c->model.events[cause];
    if (event->kind == ASSAY_EVK_MESSAGE)
        return assay_report(c, ASSAY_CLIENT_PROTOCOL, "%s: the server sent a message %s that is not expected there",
                            call, event->name);
    return assay_report(c, ASSAY_CLIENT_PROTOCOL, "%s: the server sent what cannot be read (%s)", call, event->name);
}

int assay_report_result(struct assay_client *c, const struct assay_event *event)
{
    const char *call = c->model.calls[event->result.call].name;
    if (event->result.outcome >= 0)
        return report_error(c, event);
    switch ((enum assay_outcome)event->result.outcome) {
    case ASSAY_CALL_OK:
        return ASSAY_CLIENT_OK;
    case ASSAY_CALL_TIMEOUT:
        return assay_report(c, ASSAY_CLIENT_TIMEOUT, "%s: no answer in time", call);
    case ASSAY_CALL_CLOSED:
        if (not_sent(c, event))
            break;
        return assay_report(c, ASSAY_CLIENT_CLOSED, "%s: the connection ended before the answer (%s)", call,
                            c->model.events[event->result.cause].name);
    case ASSAY_CALL_PROTOCOL:
        if (not_sent(c, event))
            break;
        return report_protocol(c, call, event->result.cause);
    }
    return assay_report(c, ASSAY_CLIENT_VALUE, "%s: the protocol cannot carry these arguments here", call);
}

int assay_report_ended(struct assay_client *c, uint16_t cause)
{
    const struct assay_event_def *event = &c->model.events[cause];
    if (cause == ASSAY_EV_EOF || cause == ASSAY_EV_EOF_IN_FRAME || cause == ASSAY_EV_RESET)
        return ASSAY_CLIENT_CLOSED;
    if (cause == ASSAY_EV_MALFORMED || cause == ASSAY_EV_UNKNOWN || cause == ASSAY_EV_OVERSIZE ||
        event->kind == ASSAY_EVK_FAULT)
        return ASSAY_CLIENT_PROTOCOL;
    return ASSAY_CLIENT_OK;
}

static const char *const names[] = {
    [-ASSAY_CLIENT_OK] = "ok",
    [-ASSAY_CLIENT_CLOSED] = "closed",
    [-ASSAY_CLIENT_TIMEOUT] = "timeout",
    [-ASSAY_CLIENT_PROTOCOL] = "protocol",
    [-ASSAY_CLIENT_UNREACHABLE] = "unreachable",
    [-ASSAY_CLIENT_ADDRESS] = "address",
    [-ASSAY_CLIENT_NOT_OPEN] = "not_open",
    [-ASSAY_CLIENT_BUSY] = "busy",
    [-ASSAY_CLIENT_VALUE] = "value",
    [-ASSAY_CLIENT_MEMORY] = "memory",
    [-ASSAY_CLIENT_MODEL] = "model",
    [-ASSAY_CLIENT_STOPPED] = "stopped",
};

const char *assay_client_status_name(const struct assay_client *c, int status)
{
    if (status > 0 && c && status <= c->model.errors_count)
        return c->model.errors[status - 1].name;
    if (status <= 0 && status >= ASSAY_CLIENT_STOPPED)
        return names[-status];
    return "unknown";
}

static _Thread_local char problem[256];

int assay_problem(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(problem, sizeof problem, format, args);
    va_end(args);
    return status;
}

const char *assay_client_problem(void)
{
    return problem;
}

const char *assay_client_message(const struct assay_client *c)
{
    return c ? c->message : problem;
}

const char *assay_client_detail(const struct assay_client *c, size_t *size)
{
    if (size)
        *size = c->detail_size;
    return c->detail;
}
