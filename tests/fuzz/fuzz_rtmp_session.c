/* A session fed by a stranger: handshake first, then whatever comes, in pieces whose sizes the input chooses. */
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/ingest/rtmp_session.h>

struct peer {
    struct rtmp_session *session;
};

static void on_publish(void *context, const char *app, const char *name)
{
    (void)strlen(app);
    (void)strlen(name);
}
static void on_config(void *context, enum media_codec codec, struct byte_span config)
{
    struct blob *blob = NULL;
    const char *why;
    if (codec_config_from_wire(codec, config, &blob, &why) == WEIR_OK) blob_unref(blob);
}
static void on_codec(void *context, enum media_codec codec)
{
    (void)codec_name(codec);
}
static volatile uint8_t last_byte; /* keeps the reads below from being optimised away */
static void on_frame(void *context, const struct rtmp_frame *frame)
{
    /* the bytes that are promised are there */
    for (size_t i = 0; i < frame->bytes; i++) last_byte = blob_data(frame->message)[frame->offset + i];
    blob_unref(frame->message);
}
static void on_metadata(void *context, double frame_rate, const char *encoder)
{
    (void)strlen(encoder);
}
static void on_unpublish(void *context) {}
static void on_extra_track(void *context, enum media_kind kind, uint8_t track) {}
static void on_told(void *context, const char *reason, const char *text)
{
    (void)(strlen(reason) + strlen(text));
}
static void on_unsupported(void *context, const char *what)
{
    (void)strlen(what);
}
static void on_random(void *context, uint8_t *out, size_t bytes)
{
    memset(out, 7, bytes);
}

static void drain(struct rtmp_session *s)
{
    const struct byte_span out = rtmp_session_output(s);
    rtmp_session_output_sent(s, out.bytes);
}

/* false: the session is over. */
static bool feed(struct rtmp_session *s, const uint8_t *data, size_t bytes)
{
    const char *why;
    size_t at = 0;
    while (at < bytes) {
        size_t used = 0;
        if (rtmp_session_feed(s, data + at, bytes - at, &used, &why)) return false;
        at += used;
        drain(s);
        if (rtmp_session_phase(s) == RTMP_DECIDING) rtmp_session_accept(s);
        if (rtmp_session_phase(s) == RTMP_CLOSING) return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t hello[1 + 2 * 1536] = { 3 };
    static struct counters counters;
    const struct rtmp_session_events events = {
        .publish = on_publish,
        .config = on_config,
        .codec = on_codec,
        .frame = on_frame,
        .metadata = on_metadata,
        .unpublish = on_unpublish,
        .extra_track = on_extra_track,
        .unsupported = on_unsupported,
        .refused = on_told,
        .dropped = on_told,
        .random = on_random,
    };
    if (bytes < 2) return 0;
    struct rtmp_session *s = rtmp_session_create(&events, &counters);
    if (!s) return 0;
    const size_t step = data[0] ? data[0] : bytes;
    bool goes_on = feed(s, hello, sizeof hello);
    for (size_t at = 1; goes_on && at < bytes; at += step)
        goes_on = feed(s, data + at, bytes - at < step ? bytes - at : step);
    rtmp_session_destroy(s);
    return 0;
}
