#include "rtmp_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/ingest/amf0.h>

#include "rtmp_reply.h"
#include "rtmp_session_internal.h"

#define TEXT_BYTES (RTMP_NAME_BYTES_MAX * 4)

struct command {
    char name[32];
    double transaction;
    struct amf0_reader args; /* behind the command object */
    const struct rtmp_message *message;
};

static bool is_text(const struct byte_span *span, const char *text)
{
    return span->bytes == strlen(text) && !memcmp(span->data, text, span->bytes);
}

/* Copies a string value; one that holds a zero byte or is too long is not usable. */
static bool copy_text(const struct amf0_value *v, char *out, size_t out_bytes)
{
    if (v->kind != AMF0_STRING || v->text.bytes >= out_bytes || memchr(v->text.data, 0, v->text.bytes)) return false;
    memcpy(out, v->text.data, v->text.bytes);
    out[v->text.bytes] = 0;
    return true;
}

static const uint8_t *body_of(const struct rtmp_message *m, size_t *bytes)
{
    const uint8_t *data = blob_data(m->body);
    *bytes = blob_bytes(m->body);
    /* AMF3 messages begin with a zero byte and go on in AMF0 */
    if ((m->type == RTMP_COMMAND_AMF3 || m->type == RTMP_DATA_AMF3) && *bytes && !*data) {
        data++;
        --*bytes;
    }
    return data;
}

/* -- connect -- */

/* "rtmp://host/live?key=..." as server: some clients leave the query out of app and say it in tcUrl alone. */
static void add_query(char *app, size_t app_bytes, const char *url)
{
    const char *query = strchr(url, '?');
    const size_t used = strlen(app);
    if (query && !strchr(app, '?') && used + strlen(query) < app_bytes) memcpy(app + used, query, strlen(query) + 1);
}

static enum weir_err take_connect(struct rtmp_session *s, struct command *c, const char **why)
{
    char app[TEXT_BYTES] = "", url[RTMP_URL_BYTES_MAX + 1] = "";
    struct amf0_value v;
    bool is_too_long = false;
    if (amf0_read(&c->args, &v) != AMF0_VALUE || v.kind != AMF0_OBJECT_BEGIN) {
        *why = "connect without its command object";
        return WEIR_MALFORMED;
    }
    while (amf0_read(&c->args, &v) == AMF0_VALUE && !(v.kind == AMF0_END && v.depth == 0)) {
        if (v.depth == 1 && is_text(&v.name, "app")) is_too_long |= !copy_text(&v, app, sizeof app);
        if (v.depth == 1 && is_text(&v.name, "tcUrl") && !copy_text(&v, url, sizeof url)) url[0] = 0;
        if (v.depth == 1 && is_text(&v.name, "flashVer") && !copy_text(&v, s->client, sizeof s->client))
            s->client[0] = 0;
    }
    if (c->args.why) {
        *why = c->args.why;
        return WEIR_MALFORMED;
    }
    if (is_too_long) {
        static const char text[] = "The application name is too long or not text.";
        counter_add(s->counters, COUNTER_RTMP_LIMIT_NAME, 1);
        rtmp_reply_connect_rejected(&s->out, c->transaction, text);
        s->phase = RTMP_CLOSING;
        s->events.refused(s->events.context, "bad_name", text);
        return WEIR_OK;
    }
    add_query(app, sizeof app, url);
    free(s->app);
    s->app = strdup(app);
    explicit_bzero(app, sizeof app);
    explicit_bzero(url, sizeof url);
    if (!s->app) return WEIR_NOMEM;
    rtmp_reply_connect_controls(&s->out);
    rtmp_reply_connect_result(&s->out, c->transaction);
    return WEIR_OK;
}

/* -- publishing -- */

static void refuse(struct rtmp_session *s, const char *code, const char *reason, const char *text)
{
    rtmp_session_refuse(s, code, text);
    s->events.refused(s->events.context, reason, text);
}

static enum weir_err take_publish(struct rtmp_session *s, struct command *c, const char **why)
{
    char name[TEXT_BYTES] = "", type[16] = "live";
    struct amf0_value v;
    if (!s->app) {
        *why = "publish before connect";
        return WEIR_MALFORMED;
    }
    if (s->phase != RTMP_COMMANDS) {
        static const char text[] = "One connection publishes one stream.";
        rtmp_reply_status(&s->out, c->message->stream_id, true, "NetStream.Publish.Failed", text);
        s->events.refused(s->events.context, "second_publish", text);
        return WEIR_OK;
    }
    s->stream_id = c->message->stream_id;
    bool is_usable = true;
    if (amf0_read(&c->args, &v) == AMF0_VALUE) { /* the command object: null */
        is_usable = amf0_skip(&c->args, &v) == AMF0_VALUE;
        if (is_usable && amf0_read(&c->args, &v) == AMF0_VALUE && v.kind != AMF0_NULL)
            is_usable = copy_text(&v, name, sizeof name);
        if (is_usable && amf0_read(&c->args, &v) == AMF0_VALUE && v.kind == AMF0_STRING &&
            !copy_text(&v, type, sizeof type))
            is_usable = false;
    }
    if (!is_usable || c->args.why) {
        counter_add(s->counters, COUNTER_RTMP_LIMIT_NAME, 1);
        refuse(s, "NetStream.Publish.BadName", "bad_name", "The stream name is too long or not text.");
        return WEIR_OK;
    }
    s->phase = RTMP_DECIDING;
    s->events.publish(s->events.context, s->app, name);
    explicit_bzero(name, sizeof name);
    return WEIR_OK;
}

static void end_publishing(struct rtmp_session *s, struct command *c, bool is_fc)
{
    if (is_fc) rtmp_reply_fc(&s->out, "onFCUnpublish", "NetStream.Unpublish.Success", "Stopped.");
    if (s->phase != RTMP_PUBLISHING) return;
    rtmp_reply_status(&s->out, s->stream_id, false, "NetStream.Unpublish.Success", "Stopped.");
    s->phase = RTMP_CLOSING; /* nobody publishes twice on a connection; those who come again connect again */
    s->events.unpublish(s->events.context);
}

/* -- playing: not over RTMP -- */

static void refuse_play(struct rtmp_session *s, struct command *c)
{
    s->stream_id = c->message->stream_id;
    counter_add(s->counters, COUNTER_RTMP_PLAY_REFUSED, 1);
    refuse(s, "NetStream.Play.Failed", "play",
           "weir serves players over HLS, not RTMP: open http://HOST:8080/live/NAME/ in a browser, or "
           "/live/NAME/index.m3u8 in a player.");
}

static void take_release(struct rtmp_session *s, struct command *c)
{
    rtmp_reply_result_null(&s->out, c->transaction);
}

static void take_fc_publish(struct rtmp_session *s, struct command *c)
{
    rtmp_reply_result_null(&s->out, c->transaction);
    rtmp_reply_fc(&s->out, "onFCPublish", "NetStream.Publish.Start", "Go on.");
}

static void take_create_stream(struct rtmp_session *s, struct command *c)
{
    rtmp_reply_stream_created(&s->out, c->transaction, ++s->streams_created);
}

static void take_fc_unpublish(struct rtmp_session *s, struct command *c)
{
    end_publishing(s, c, true);
}

static void take_end(struct rtmp_session *s, struct command *c)
{
    end_publishing(s, c, false);
}

static void take_nothing(struct rtmp_session *s, struct command *c) {}

static const struct {
    const char *name;
    void (*take)(struct rtmp_session *s, struct command *c);
} commands[] = {
    { "releaseStream", take_release },
    { "FCPublish", take_fc_publish },
    { "createStream", take_create_stream },
    { "FCUnpublish", take_fc_unpublish },
    { "deleteStream", take_end },
    { "closeStream", take_end },
    { "play", refuse_play },
    { "play2", refuse_play },
    { "FCSubscribe", take_nothing },
    { "_result", take_nothing },
    { "_error", take_nothing },
    { "onStatus", take_nothing },
    { "_checkbw", take_release },
};

static enum weir_err dispatch(struct rtmp_session *s, struct command *c, const char **why)
{
    if (!strcmp(c->name, "connect")) return take_connect(s, c, why);
    if (!strcmp(c->name, "publish")) return take_publish(s, c, why);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(c->name, commands[i].name)) continue;
        commands[i].take(s, c);
        return WEIR_OK;
    }
    if (c->transaction != 0) rtmp_reply_call_failed(&s->out, c->transaction, "weir does not know this command.");
    return WEIR_OK;
}

enum weir_err rtmp_command_take(struct rtmp_session *s, const struct rtmp_message *m, const char **why)
{
    struct command c = { .message = m };
    struct amf0_value v;
    size_t bytes;
    const uint8_t *data = body_of(m, &bytes);
    if (s->phase == RTMP_COMMANDS && ++s->commands > RTMP_COMMANDS_BEFORE_PUBLISH_MAX) {
        counter_add(s->counters, COUNTER_RTMP_LIMIT_COMMANDS, 1);
        *why = "more than 64 commands and no publish";
        return WEIR_LIMIT;
    }
    amf0_reader_init(&c.args, data, bytes, s->counters);
    if (amf0_read(&c.args, &v) != AMF0_VALUE || v.kind != AMF0_STRING) {
        *why = c.args.why ? c.args.why : "a command without a name";
        return WEIR_MALFORMED;
    }
    if (!copy_text(&v, c.name, sizeof c.name)) snprintf(c.name, sizeof c.name, "?");
    if (amf0_read(&c.args, &v) == AMF0_VALUE && v.kind == AMF0_NUMBER) c.transaction = v.number;
    return dispatch(s, &c, why);
}

/* -- metadata -- */

void rtmp_data_take(struct rtmp_session *s, const struct rtmp_message *m)
{
    struct amf0_reader r;
    struct amf0_value v;
    size_t bytes;
    const uint8_t *data = body_of(m, &bytes);
    double frame_rate = 0;
    char encoder[64] = "";
    amf0_reader_init(&r, data, bytes, s->counters);
    bool is_named = amf0_read(&r, &v) == AMF0_VALUE && v.kind == AMF0_STRING;
    if (is_named && is_text(&v.text, "@setDataFrame"))
        is_named = amf0_read(&r, &v) == AMF0_VALUE && v.kind == AMF0_STRING;
    if (r.why) s->events.dropped(s->events.context, "bad_metadata", r.why);
    if (!is_named || !is_text(&v.text, "onMetaData")) return;
    while (amf0_read(&r, &v) == AMF0_VALUE) {
        if (v.depth != 1) continue;
        if (v.kind == AMF0_NUMBER && (is_text(&v.name, "framerate") || is_text(&v.name, "videoframerate")))
            frame_rate = v.number;
        if (is_text(&v.name, "encoder") && !copy_text(&v, encoder, sizeof encoder)) encoder[0] = 0;
    }
    if (r.why) s->events.dropped(s->events.context, "bad_metadata", r.why);
    if (s->phase == RTMP_PUBLISHING) s->events.metadata(s->events.context, frame_rate, encoder);
}
