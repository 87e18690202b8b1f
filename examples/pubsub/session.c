/* The session with the server: registered, lost, taken up again, and what the program does in it. */
#include "app.h"

#include <string.h>
#include <sysexits.h>

#define ROUND    64   /* lines that are written before others have their turn */
#define PAUSE_MS 1000 /* before a session is tried again that could not even begin */

static void session_lost(struct app *app)
{
    on_way_lost(app, UINT64_MAX);
    app->given_up = 0;
    app->calling = false;
    app->output.token = 0;
    app->phase = app->phase == PHASE_LEAVING || app->stopping ? PHASE_OVER : PHASE_DOWN;
    app->retry = app_now_ms() + PAUSE_MS;
}

void session_begin(struct app *app)
{
    int status = assay_client_begin(app_base(app));
    app->given_up = 0;
    app->phase = PHASE_REGISTERING;
    app->calling = false;
    if (status == ASSAY_CLIENT_OK)
        return;
    if (!app->troubled)
        app_say(app, "%s", pubsub_message(app->client));
    app->troubled = true;
    if (!app->registered && !app->options.wait) {
        app_fail(app, status == ASSAY_CLIENT_ADDRESS ? EX_NOHOST : EX_UNAVAILABLE);
        app->phase = PHASE_OVER;
    } else {
        session_lost(app);
    }
}

static void start_register(struct app *app)
{
    struct pubsub_register_args args = pubsub_register_defaults();
    args.user = app->options.user;
    args.token = app->state.token;
    args.token_size = sizeof app->state.token;
    args.reads = app->role->reads;
    args.batch = (uint16_t)app->options.batch;
    args.cursor = (int64_t)app->state.cursor;
    int status = pubsub_register_with_start(app->client, &args);
    app->phase = PHASE_REGISTERING;
    app->calling = status == ASSAY_CLIENT_OK;
    if (status == ASSAY_CLIENT_OK)
        return;
    app_say(app, "%s", pubsub_message(app->client));
    app_fail(app, status == ASSAY_CLIENT_VALUE ? EX_USAGE : EX_SOFTWARE);
    app->phase = PHASE_OVER;
}

/* A name that another has is another's for good; all else may change. */
static void refused(struct app *app)
{
    bool taken = strcmp(pubsub_detail(app->client), "taken") == 0;
    if (taken)
        app_say(app,
                "the user name '%s' is taken: it belongs to whoever registered it first, and %s holds another token",
                app->options.user, app->state.path);
    else if (!app->troubled)
        app_say(app, "the server takes nobody else for now");
    app->troubled = true;
    if (taken || (!app->registered && !app->options.wait)) {
        app_fail(app, taken ? EX_NOPERM : EX_TEMPFAIL);
        app->phase = PHASE_OVER;
        return;
    }
    app->phase = PHASE_DOWN;
    app->retry = app_now_ms() + PAUSE_MS;
}

static void unreachable(struct app *app)
{
    if (app->stopping || (app->registered && input_is_done(app))) {
        app->phase = PHASE_OVER;
    } else if (app->registered || app->options.wait) {
        if (!app->troubled)
            app_say(app, "no answer from %s port %ld; trying on", app->options.address, app->options.port);
        app->troubled = true;
        start_register(app);
    } else {
        app_say(app, "no answer from %s port %ld", app->options.address, app->options.port);
        app_fail(app, EX_UNAVAILABLE);
        app->phase = PHASE_OVER;
    }
}

static void registered(struct app *app, int status)
{
    if (status == ASSAY_CLIENT_OK) {
        if (app->troubled)
            app_say(app, "registered again");
        app->troubled = false;
        app->registered = true;
        app->phase = PHASE_LIVE;
    } else if (status == PUBSUB_ERROR_REFUSED) {
        refused(app);
    } else if (status == PUBSUB_ERROR_UNREACHABLE) {
        unreachable(app);
    } /* else the session is over, which is told next */
}

static void call_ended(struct app *app, const struct assay_client_event *event)
{
    app->calling = false;
    switch ((enum pubsub_call)event->index) {
    case PUBSUB_CALL_REGISTER:
        registered(app, event->status);
        break;
    case PUBSUB_CALL_POST:
        input_posted(app, event->status);
        break;
    case PUBSUB_CALL_FLUSH:
        app->flushed = true;
        break;
    case PUBSUB_CALL_LEAVE:
        app->phase = PHASE_OVER;
        break;
    case PUBSUB_CALL_WRITE: /* lines are posted */
        break;
    }
}

static void take_event(struct app *app, const struct assay_client_event *event)
{
    switch (event->kind) {
    case ASSAY_CLIENT_CONNECTED:
        start_register(app);
        break;
    case ASSAY_CLIENT_RESULT:
        call_ended(app, event);
        break;
    case ASSAY_CLIENT_EFFECT:
        if (event->index == PUBSUB_EFFECT_SHOW)
            output_take(app, event);
        else if (event->token)
            assay_client_complete(app_base(app), event->token, false);
        break;
    case ASSAY_CLIENT_ENDED:
        if (app->phase != PHASE_OVER)
            session_lost(app);
        break;
    case ASSAY_CLIENT_RETRYING: /* it does not by itself */
        break;
    }
}

void session_take_events(struct app *app)
{
    struct assay_client_event event;
    while (assay_client_next(app_base(app), &event))
        take_event(app, &event);
    output_write(app);
}

/* ---- what is next ------------------------------------------------------------------- */

static bool is_in(const struct app *app, const char *state)
{
    return strcmp(assay_client_state(app_base(app)), state) == 0;
}

static void leave(struct app *app)
{
    app->phase = PHASE_LEAVING;
    app->calling = pubsub_leave_start(app->client) == ASSAY_CLIENT_OK;
    if (!app->calling)
        app->phase = PHASE_OVER;
}

/* Registered, and no call runs. */
static void live(struct app *app)
{
    bool gone = is_in(app, "Lost") || is_in(app, "Refused");
    if (gone && (app->stopping || input_is_done(app))) {
        app->phase = PHASE_OVER;
    } else if (gone) {
        start_register(app);
    } else if (app->stopping || (input_is_done(app) && app->flushed)) {
        leave(app);
    } else if (input_is_done(app)) {
        app->calling = pubsub_flush_start(app->client) == ASSAY_CLIENT_OK;
    } else if (input_hand_over(app)) {
        app->flushed = false;
    }
}

bool session_is_free(const struct app *app)
{
    return app->phase == PHASE_LIVE && !app->calling && !app->output.token;
}

void session_go_on(struct app *app)
{
    if (app->phase == PHASE_DOWN && app_now_ms() >= app->retry && assay_client_connected(app_base(app)))
        start_register(app);
    else if (app->phase == PHASE_DOWN && app_now_ms() >= app->retry)
        session_begin(app);
    for (int i = 0; i < ROUND && session_is_free(app); i++) {
        live(app);
        session_take_events(app);
        on_way_look(app);
        if (!app->calling && !app->role->writes)
            break;
    }
}
