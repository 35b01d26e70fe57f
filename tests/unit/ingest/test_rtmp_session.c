/* Whole conversations in the order of real clients, fed whole, in two pieces at every place, and byte by byte. */
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/ingest/amf0.h>
#include <weir/ingest/rtmp_session.h>

/* -- what a client says -- */

struct script {
    struct byte_writer w;
};

static void begin(struct script *s)
{
    byte_writer_init(&s->w, 1 << 20);
    write_u8(&s->w, 3);
    write_zeros(&s->w, 2 * 1536);
}

static void message(struct script *s, uint8_t csid, uint8_t type, uint8_t stream, const uint8_t *body, size_t bytes)
{
    write_u8(&s->w, csid);
    write_u24(&s->w, 0);
    write_u24(&s->w, (uint32_t)bytes);
    write_u8(&s->w, type);
    write_u32_le(&s->w, stream);
    for (size_t at = 0; at < bytes; at += 128) {
        if (at) write_u8(&s->w, (uint8_t)(0xC0 | csid));
        write_bytes(&s->w, body + at, bytes - at < 128 ? bytes - at : 128);
    }
}

static struct byte_writer command(const char *name, double transaction)
{
    struct byte_writer w;
    byte_writer_init(&w, 100000);
    amf0_write_string(&w, name);
    amf0_write_number(&w, transaction);
    return w;
}

static void say(struct script *s, uint8_t stream, uint8_t type, struct byte_writer *w)
{
    message(s, 3, type, stream, w->data, w->bytes);
    byte_writer_deinit(w);
}

static void connect(struct script *s, const char *app)
{
    struct byte_writer w = command("connect", 1);
    amf0_write_object_begin(&w);
    amf0_write_name(&w, "app");
    amf0_write_string(&w, app);
    amf0_write_name(&w, "flashVer");
    amf0_write_string(&w, "FMLE/3.0 (compatible; FMSc/1.0)");
    amf0_write_end(&w);
    say(s, 0, 20, &w);
}

static void connect_with_url(struct script *s, const char *app, const char *url)
{
    struct byte_writer w = command("connect", 1);
    amf0_write_object_begin(&w);
    amf0_write_name(&w, "tcUrl");
    amf0_write_string(&w, url);
    amf0_write_name(&w, "app");
    amf0_write_string(&w, app);
    amf0_write_end(&w);
    say(s, 0, 20, &w);
}

/* name(null, text): releaseStream, FCPublish, FCUnpublish, createStream without text */
static void call(struct script *s, uint8_t stream, const char *name, double transaction, const char *text,
                 const char *more)
{
    struct byte_writer w = command(name, transaction);
    amf0_write_null(&w);
    if (text) amf0_write_string(&w, text);
    if (more) amf0_write_string(&w, more);
    say(s, stream, 20, &w);
}

static void media(struct script *s, uint8_t csid, uint8_t type, const char *body_hex)
{
    const struct hex body = hex(body_hex);
    message(s, csid, type, 1, body.data, body.bytes);
}

/* -- what the server makes of it -- */

struct log {
    char text[4096];
    struct rtmp_session *session;
};

static void note(struct log *l, const char *text)
{
    const size_t used = strlen(l->text);
    snprintf(l->text + used, sizeof l->text - used, "%s;", text);
}

static void on_publish(void *context, const char *app, const char *name)
{
    char text[1200];
    snprintf(text, sizeof text, "publish %.500s %.500s", app, name);
    note(context, text);
}
static void on_config(void *context, enum media_codec codec, struct byte_span config)
{
    char text[64];
    snprintf(text, sizeof text, "config %s %zu", codec_name(codec), config.bytes);
    note(context, text);
}
static void on_codec(void *context, enum media_codec codec)
{
    note(context, codec_name(codec));
}
static void on_frame(void *context, const struct rtmp_frame *frame)
{
    char text[64];
    int used = snprintf(text, sizeof text, "frame %s %zu%s", codec_name(frame->codec), frame->bytes,
                        frame->is_key ? " key" : "");
    if (frame->timestamp_ms) snprintf(text + used, sizeof text - (size_t)used, " at %u", (unsigned)frame->timestamp_ms);
    note(context, text);
    blob_unref(frame->message);
}
static void on_metadata(void *context, double frame_rate, const char *encoder)
{
    char text[128];
    snprintf(text, sizeof text, "metadata %.0f %s", frame_rate, encoder);
    note(context, text);
}
static void on_unpublish(void *context)
{
    note(context, "unpublish");
}
static void on_extra_track(void *context, enum media_kind kind, uint8_t track)
{
    char text[64];
    snprintf(text, sizeof text, "extra %s %u", kind == MEDIA_VIDEO ? "video" : "audio", track);
    note(context, text);
}
static void on_refused(void *context, const char *reason, const char *text)
{
    assert_true(strlen(text) > 10);
    note(context, "refused");
    note(context, reason);
}
static void on_dropped(void *context, const char *event, const char *why)
{
    note(context, event);
    note(context, why);
}
static void on_unsupported(void *context, const char *what)
{
    note(context, what);
}
static void on_random(void *context, uint8_t *out, size_t bytes)
{
    memset(out, 0x42, bytes);
}

static struct counters counters;

static struct rtmp_session *open_session(struct log *l)
{
    const struct rtmp_session_events events = {
        .context = l,
        .publish = on_publish,
        .config = on_config,
        .codec = on_codec,
        .frame = on_frame,
        .metadata = on_metadata,
        .unpublish = on_unpublish,
        .extra_track = on_extra_track,
        .unsupported = on_unsupported,
        .refused = on_refused,
        .dropped = on_dropped,
        .random = on_random,
    };
    *l = (struct log){ .text = "" };
    l->session = rtmp_session_create(&events, &counters);
    assert_non_null(l->session);
    return l->session;
}

/* Feeds [data, bytes) and keeps what the server answers. */
static enum weir_err feed(struct rtmp_session *s, const uint8_t *data, size_t bytes, struct byte_writer *answers)
{
    size_t at = 0;
    const char *why;
    while (at < bytes) {
        size_t used = 0;
        const enum weir_err err = rtmp_session_feed(s, data + at, bytes - at, &used, &why);
        const struct byte_span out = rtmp_session_output(s);
        if (answers) write_bytes(answers, out.data, out.bytes);
        rtmp_session_output_sent(s, out.bytes);
        if (err) return err;
        at += used;
        if (rtmp_session_phase(s) == RTMP_CLOSING) return WEIR_OK;
        if (rtmp_session_phase(s) == RTMP_DECIDING) rtmp_session_accept(s);
    }
    const struct byte_span out = rtmp_session_output(s);
    if (answers) write_bytes(answers, out.data, out.bytes);
    rtmp_session_output_sent(s, out.bytes);
    return WEIR_OK;
}

static bool answers_hold(const struct byte_writer *answers, const char *word)
{
    return memmem(answers->data, answers->bytes, word, strlen(word)) != NULL;
}

static void expect_at_every_split(const struct script *s, const char *expected, const char *const *words)
{
    for (size_t cut = 0; cut <= s->w.bytes - 3073; cut++) {
        struct log l;
        struct byte_writer answers;
        struct rtmp_session *session = open_session(&l);
        byte_writer_init(&answers, 1 << 20);
        enum weir_err err = WEIR_OK;
        if (cut) {
            err = feed(session, s->w.data, 3073 + cut, &answers);
            if (!err) err = feed(session, s->w.data + 3073 + cut, s->w.bytes - 3073 - cut, &answers);
        } else {
            for (size_t at = 0; at < s->w.bytes && !err; at++) err = feed(session, s->w.data + at, 1, &answers);
        }
        assert_int_equal(err, WEIR_OK);
        assert_string_equal(l.text, expected);
        for (const char *const *word = words; *word; word++) {
            if (!answers_hold(&answers, *word)) fail_msg("not answered: %s", *word);
        }
        byte_writer_deinit(&answers);
        rtmp_session_destroy(session);
    }
}

static void as_obs_does(void **unused_state)
{
    struct script s;
    static const uint8_t chunk_size[] = { 0, 0, 0, 128 };
    begin(&s);
    message(&s, 2, 1, 0, chunk_size, 4); /* OBS sets its chunk size before it connects */
    connect(&s, "live");
    call(&s, 0, "releaseStream", 2, "studio", NULL);
    call(&s, 0, "FCPublish", 3, "studio", NULL);
    call(&s, 0, "createStream", 4, NULL, NULL);
    call(&s, 1, "publish", 5, "studio", "live");
    struct byte_writer w;
    byte_writer_init(&w, 4096);
    amf0_write_string(&w, "@setDataFrame");
    amf0_write_string(&w, "onMetaData");
    amf0_write_ecma_begin(&w, 20);
    amf0_write_name(&w, "framerate");
    amf0_write_number(&w, 30);
    amf0_write_name(&w, "encoder");
    amf0_write_string(&w, "obs-output module (libobs version 29.0.2)");
    amf0_write_end(&w);
    say(&s, 1, 18, &w);
    media(&s, 4, 8, "AF 00 1190");
    media(&s, 4, 9, "17 00 000000 0164001FFFE1");
    media(&s, 4, 9, "17 01 000000 00000003 65AABB");
    media(&s, 4, 8, "AF 01 2100");
    media(&s, 4, 9, "17 02 000000");
    call(&s, 0, "FCUnpublish", 6, "studio", NULL);
    w = command("deleteStream", 7);
    amf0_write_null(&w);
    amf0_write_number(&w, 1);
    say(&s, 0, 20, &w);
    expect_at_every_split(
        &s,
        "publish live studio;metadata 30 obs-output module (libobs version 29.0.2);config aac 2;config h264 6;"
        "frame h264 7 key;frame aac 2 key;unpublish;",
        (const char *const[]){ "NetConnection.Connect.Success", "fourCcList", "onFCPublish", "NetStream.Publish.Start",
                               "onFCUnpublish", "NetStream.Unpublish.Success", NULL });
    byte_writer_deinit(&s.w);
}

static void as_gstreamer_does(void **unused_state)
{
    struct script s;
    begin(&s);
    connect(&s, "live/room1");
    call(&s, 0, "createStream", 2, NULL, NULL);
    call(&s, 1, "publish", 3, "cam?key=S", NULL); /* without a type */
    media(&s, 6, 9, "90 68766331 0102");
    media(&s, 6, 9, "B1 68766331 000000 00000003 0201AA");
    call(&s, 0, "deleteStream", 4, "cam", NULL); /* with the name where a number belongs */
    expect_at_every_split(&s, "publish live/room1 cam?key=S;config hevc 2;frame hevc 7;unpublish;",
                          (const char *const[]){ "NetStream.Publish.Start", NULL });
    byte_writer_deinit(&s.w);
}

static void amf3_wrapping_aggregates_and_pings(void **unused_state)
{
    struct script s;
    static const uint8_t ping[] = { 0, 6, 0, 0, 0, 77 };
    begin(&s);
    connect(&s, "live");
    struct byte_writer w;
    byte_writer_init(&w, 1000);
    write_u8(&w, 0);
    amf0_write_string(&w, "createStream");
    amf0_write_number(&w, 2);
    amf0_write_null(&w);
    say(&s, 0, 17, &w);
    message(&s, 2, 4, 0, ping, sizeof ping);
    call(&s, 1, "publish", 3, "cam", "live");
    media(&s, 6, 9, "17 00 000000 0164001FFFE1");
    /* two tags: a video frame at 100 and an audio one at 110, aggregated */
    media(
        &s, 6, 22,
        "09 00000C 000064 00 000000 27 01 000000 00000003 41AABB 00000017 08 000003 00006E 00 000000 2F FFFB 0000000E");
    /* metadata behind an AMF3 message's leading zero */
    media(&s, 6, 15, "00 02 000A 6F6E4D657461446174 61 08 00000001 0009 6672616D6572617465 00 4039000000000000 000009");
    /* the first tag's time is the message's (7.1.6), and the second stands 10 ms behind it */
    expect_at_every_split(&s, "publish live cam;config h264 6;frame h264 7;mp3;frame mp3 2 key at 10;metadata 25 ;",
                          (const char *const[]){ "NetStream.Publish.Start", NULL });
    byte_writer_deinit(&s.w);
}

/* What the session says to `s`, up to its end. */
static struct byte_writer answers_to(const struct script *s, enum weir_err expected)
{
    struct log l;
    struct byte_writer answers;
    byte_writer_init(&answers, 1 << 20);
    struct rtmp_session *session = open_session(&l);
    assert_int_equal(feed(session, s->w.data, s->w.bytes, &answers), expected);
    rtmp_session_destroy(session);
    return answers;
}

static size_t times_said(const struct byte_writer *answers, const char *what_hex)
{
    const struct hex what = hex(what_hex);
    size_t count = 0;
    for (size_t at = 0; at + what.bytes <= answers->bytes; at++)
        count += !memcmp(answers->data + at, what.data, what.bytes);
    return count;
}

static void pings_are_answered_with_their_time(void **unused_state)
{
    struct script s;
    begin(&s);
    message(&s, 2, 4, 0, (const uint8_t[]){ 0, 6, 0x12, 0x34, 0x56, 0x78 }, 6);
    struct byte_writer answers = answers_to(&s, WEIR_OK);
    assert_int_equal(times_said(&answers, "02 000000 000006 04 00000000 0007 12345678"), 1);
    byte_writer_deinit(&answers);
    byte_writer_deinit(&s.w);
}

/* RTMP 5.4.3: each window of bytes, handshake included, is acknowledged with what was received so far. */
static void windows_are_acknowledged(void **unused_state)
{
    static uint8_t filling[4096];
    struct script s;
    begin(&s);
    message(&s, 2, 5, 0, (const uint8_t[]){ 0, 0, 0x10, 0 }, 4); /* of 4096 bytes */
    const size_t before = s.w.bytes;
    for (int i = 0; i < 8; i++) message(&s, 4, 0x63, 0, filling, sizeof filling);
    struct log l;
    struct byte_writer answers;
    byte_writer_init(&answers, 1 << 20);
    struct rtmp_session *session = open_session(&l);
    for (size_t at = 0; at < s.w.bytes; at += 64)
        assert_int_equal(feed(session, s.w.data + at, s.w.bytes - at < 64 ? s.w.bytes - at : 64, &answers), WEIR_OK);
    rtmp_session_destroy(session);
    const size_t said = times_said(&answers, "02 000000 000004 03 00000000");
    assert_in_range(said, (s.w.bytes - before) / (4096 + 64), s.w.bytes / 4096);
    /* the last number is near the end, and numbers rise by a window at least */
    uint32_t last = 0;
    for (size_t at = 0; at + 16 <= answers.bytes; at++) {
        if (memcmp(answers.data + at, "\x02\0\0\0\0\0\x04\x03\0\0\0\0", 12)) continue;
        const uint8_t *n = answers.data + at + 12;
        const uint32_t now = (uint32_t)n[0] << 24 | (uint32_t)n[1] << 16 | (uint32_t)n[2] << 8 | n[3];
        assert_true(now >= last + 4096);
        last = now;
    }
    assert_true(last <= s.w.bytes && last + 4096 + 64 > s.w.bytes);
    byte_writer_deinit(&answers);
    byte_writer_deinit(&s.w);
}

/* Enhanced RTMP v2: what encoders look at before they send HEVC, AV1, Opus, ModEx, tracks. */
static void connect_says_what_can_be_carried(void **unused_state)
{
    static const char *const codecs[] = {
        "avc1", "hvc1", "av01", "vp09", "mp4a", "Opus", "fLaC", "ac-3", "ec-3", ".mp3"
    };
    struct script s;
    struct amf0_reader r;
    struct amf0_value v;
    char path[8][32] = { "" };
    unsigned listed = 0, video = 0, audio = 0;
    double caps = -1, encoding = -1;
    begin(&s);
    connect(&s, "live");
    struct byte_writer answers = answers_to(&s, WEIR_OK);
    /* window 5000000, bandwidth, chunk size; then the result in one chunk, which the new size has room for */
    assert_int_equal(times_said(&answers, "02 000000 000004 05 00000000"), 1);
    assert_int_equal(times_said(&answers, "02 000000 000005 06 00000000"), 1);
    assert_int_equal(times_said(&answers, "02 000000 000004 01 00000000"), 1);
    const uint8_t *result = memmem(answers.data, answers.bytes, "\x02\0\x07_result", 10);
    assert_non_null(result);
    amf0_reader_init(&r, result, answers.bytes - (size_t)(result - answers.data), NULL);
    while (amf0_read(&r, &v) == AMF0_VALUE) {
        if (v.depth < 8 && v.name.bytes < sizeof path[0])
            snprintf(path[v.depth], sizeof path[0], "%.*s", (int)v.name.bytes, (const char *)v.name.data);
        if (v.depth == 1 && !strcmp(path[1], "capsEx")) caps = v.number;
        if (v.depth == 1 && !strcmp(path[1], "objectEncoding")) encoding = v.number;
        if (v.depth != 2) continue;
        for (unsigned i = 0; i < ARRAY_LEN(codecs); i++) {
            if (!strcmp(path[1], "fourCcList") && v.text.bytes == 4 && !memcmp(v.text.data, codecs[i], 4))
                listed |= 1u << i;
            if (strcmp(path[2], codecs[i]) || v.number != 4 /* can forward */) continue;
            if (!strcmp(path[1], "videoFourCcInfoMap")) video |= 1u << i;
            if (!strcmp(path[1], "audioFourCcInfoMap")) audio |= 1u << i;
        }
    }
    assert_int_equal(listed, 0x3FF);
    assert_int_equal(video, 0x00F);
    assert_int_equal(audio, 0x3F0);
    assert_true(caps == 6);     /* multitrack and ModEx, no reconnect request */
    assert_true(encoding == 0); /* AMF0, whatever was asked for */
    byte_writer_deinit(&answers);
    byte_writer_deinit(&s.w);
}

/* Ways to say that it is over: each ends the publication, once, and says so. */
static void every_goodbye(void **unused_state)
{
    static const char *const words[] = { "FCUnpublish", "closeStream", "deleteStream" };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct script s;
        struct log l;
        struct byte_writer answers;
        begin(&s);
        connect(&s, "live");
        call(&s, 1, "publish", 3, "cam", "live");
        call(&s, 1, words[i], 4, NULL, NULL);
        call(&s, 1, "deleteStream", 5, NULL, NULL);
        byte_writer_init(&answers, 1 << 20);
        struct rtmp_session *session = open_session(&l);
        assert_int_equal(feed(session, s.w.data, s.w.bytes, &answers), WEIR_OK);
        assert_string_equal(l.text, "publish live cam;unpublish;");
        assert_true(answers_hold(&answers, "NetStream.Unpublish.Success"));
        assert_int_equal(rtmp_session_phase(session), RTMP_CLOSING);
        rtmp_session_destroy(session);
        byte_writer_deinit(&answers);
        byte_writer_deinit(&s.w);
    }
}

/* Each ceiling of a session ends it, or the message, and is counted. */
static void ceilings_are_counted(void **unused_state)
{
    static char name[20000];
    static uint8_t ping[] = { 0, 6, 0, 0, 0, 1 };
    struct script s;
    struct counters before = counters;
    memset(name, 'n', sizeof name - 1);
    /* a client that asks for ever and reads nothing */
    begin(&s);
    while (s.w.bytes < 900000) message(&s, 2, 4, 0, ping, sizeof ping);
    struct log l;
    size_t used;
    const char *why = "";
    struct rtmp_session *session = open_session(&l);
    assert_int_equal(rtmp_session_feed(session, s.w.data, s.w.bytes, &used, &why), WEIR_LIMIT);
    assert_non_null(strstr(why, "does not read"));
    assert_true(rtmp_session_output(session).bytes <= RTMP_OUTPUT_BYTES_MAX);
    rtmp_session_destroy(session);
    byte_writer_deinit(&s.w);
    /* an application whose name is too long: the encoder is told */
    begin(&s);
    name[1500] = 0;
    connect(&s, name);
    struct byte_writer answers = answers_to(&s, WEIR_OK);
    assert_true(answers_hold(&answers, "NetConnection.Connect.Rejected"));
    byte_writer_deinit(&answers);
    byte_writer_deinit(&s.w);
    /* a string over the limit of AMF */
    begin(&s);
    name[1500] = 'n';
    connect(&s, name);
    answers = answers_to(&s, WEIR_MALFORMED);
    byte_writer_deinit(&answers);
    byte_writer_deinit(&s.w);
    begin(&s);
    for (int i = 0; i < RTMP_COMMANDS_BEFORE_PUBLISH_MAX + 1; i++) call(&s, 0, "createStream", 2, NULL, NULL);
    answers = answers_to(&s, WEIR_LIMIT);
    byte_writer_deinit(&answers);
    byte_writer_deinit(&s.w);
    static const enum counter once[] = { COUNTER_RTMP_LIMIT_OUTPUT, COUNTER_RTMP_LIMIT_NAME, COUNTER_AMF_LIMIT_STRING,
                                         COUNTER_RTMP_LIMIT_COMMANDS };
    for (size_t i = 0; i < ARRAY_LEN(once); i++) {
        print_message("%s\n", counter_name(once[i]));
        assert_int_equal(counter_read(&counters, once[i]), counter_read(&before, once[i]) + 1);
    }
}

static void refusals(void **unused_state)
{
    struct script s;
    struct log l;
    struct byte_writer answers;
    byte_writer_init(&answers, 1 << 20);
    begin(&s);
    connect(&s, "live");
    call(&s, 0, "createStream", 2, NULL, NULL);
    call(&s, 0, "getStreamLength", 9, "cam", NULL);
    call(&s, 1, "play", 3, "cam", NULL);
    struct rtmp_session *session = open_session(&l);
    assert_int_equal(feed(session, s.w.data, s.w.bytes, &answers), WEIR_OK);
    assert_true(answers_hold(&answers, "NetConnection.Call.Failed"));
    assert_true(answers_hold(&answers, "NetStream.Play.Failed") &&
                answers_hold(&answers, "weir serves players over HLS"));
    assert_int_equal(rtmp_session_phase(session), RTMP_CLOSING);
    assert_string_equal(l.text, "refused;play;");
    assert_int_equal(counter_read(&counters, COUNTER_RTMP_PLAY_REFUSED), 1);
    rtmp_session_destroy(session);
    byte_writer_deinit(&s.w);
    byte_writer_deinit(&answers);
    /* our own refusal */
    begin(&s);
    connect(&s, "live");
    call(&s, 1, "publish", 3, "cam", NULL);
    session = open_session(&l);
    size_t used;
    const char *why;
    assert_int_equal(rtmp_session_feed(session, s.w.data, s.w.bytes, &used, &why), WEIR_OK);
    assert_int_equal(rtmp_session_phase(session), RTMP_DECIDING);
    rtmp_session_refuse(session, "NetStream.Publish.BadName", "Busy.");
    const struct byte_span out = rtmp_session_output(session);
    assert_non_null(memmem(out.data, out.bytes, "NetStream.Publish.BadName", 25));
    assert_int_equal(rtmp_session_phase(session), RTMP_CLOSING);
    rtmp_session_destroy(session);
    byte_writer_deinit(&s.w);
}

/* What broke others: each must end the session, or be ignored, and never more. */
static void strangers(void **unused_state)
{
    static const struct {
        const char *what, *tail_hex;
        enum weir_err err;
    } cases[] = {
        { "chunk size 0", "02 000000 000004 01 00000000 00000000", WEIR_MALFORMED },
        { "chunk size with the high bit", "02 000000 000004 01 00000000 FFFFFFFF", WEIR_MALFORMED },
        { "chunk size 2^31-1", "02 000000 000004 01 00000000 7FFFFFFF", WEIR_OK },
        { "a control message of two bytes", "02 000000 000002 01 00000000 0000", WEIR_MALFORMED },
        { "abort of nothing", "02 000000 000004 02 00000000 00000063", WEIR_OK },
        { "a command without a name", "03 000000 000001 14 00000000 05", WEIR_MALFORMED },
        { "a command of no bytes", "03 000000 000000 14 00000000", WEIR_MALFORMED },
        { "connect without an object", "03 000000 000013 14 00000000 020007636F6E6E656374 003FF0000000000000",
          WEIR_MALFORMED },
        { "publish before connect", "03 000000 000014 14 00000000 0200077075626C697368 00400000000000000005",
          WEIR_MALFORMED },
        { "metadata that is none", "03 000000 000003 12 01000000 0203E8", WEIR_OK },
        { "media before publish", "04 000000 000003 09 01000000 170100", WEIR_OK },
        { "an aggregate of nonsense", "04 000000 000003 16 01000000 FFFFFF", WEIR_OK },
        { "a message type nobody knows", "04 000000 000003 63 01000000 FFFFFF", WEIR_OK },
        { "user control cut short", "02 000000 000001 04 00000000 06", WEIR_OK },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct script s;
        struct log l;
        const struct hex tail = hex(cases[i].tail_hex);
        print_message("%s\n", cases[i].what);
        begin(&s);
        write_bytes(&s.w, tail.data, tail.bytes);
        struct rtmp_session *session = open_session(&l);
        assert_int_equal(feed(session, s.w.data, s.w.bytes, NULL), cases[i].err);
        rtmp_session_destroy(session);
        byte_writer_deinit(&s.w);
    }
}

static void names_of_every_length(void **unused_state)
{
    static const size_t lengths[] = { 0, 255, 256, 257, 512, 1023, 1024, 16384, 65535 };
    static char name[65536];
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct script s;
        struct log l;
        memset(name, 'n', lengths[i]);
        name[lengths[i]] = 0;
        begin(&s);
        connect(&s, "live");
        call(&s, 1, "publish", 3, name, NULL);
        struct rtmp_session *session = open_session(&l);
        const enum weir_err err = feed(session, s.w.data, s.w.bytes, NULL);
        /* up to four times the limit reaches the name rules, which say it better; beyond that the session refuses */
        if (lengths[i] < RTMP_NAME_BYTES_MAX * 4)
            assert_int_equal(rtmp_session_phase(session), RTMP_PUBLISHING);
        else
            assert_true(err || rtmp_session_phase(session) == RTMP_CLOSING);
        rtmp_session_destroy(session);
        byte_writer_deinit(&s.w);
    }
}

/* A query of the server half reaches the name rules, whichever of the two fields a client puts it into. */
static void a_query_in_either_half_of_connect(void **unused_state)
{
    static char long_url[RTMP_URL_BYTES_MAX + 64];
    snprintf(long_url, sizeof long_url, "rtmp://h/live?key=%0*d", RTMP_URL_BYTES_MAX, 1);
    const struct {
        const char *app, *url, *expected;
    } cases[] = {
        { "live", "rtmp://h/live", "publish live cam;" },
        { "live", "rtmp://h:1935/live?key=S", "publish live?key=S cam;" },
        { "live?key=S", "rtmp://h/live?key=S", "publish live?key=S cam;" },
        { "live?key=A", "rtmp://h/live?key=B", "publish live?key=A cam;" },
        { "live", long_url, "publish live cam;" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct script s;
        struct log l;
        print_message("%s, %.40s\n", cases[i].app, cases[i].url);
        begin(&s);
        connect_with_url(&s, cases[i].app, cases[i].url);
        call(&s, 1, "publish", 3, "cam", "live");
        struct rtmp_session *session = open_session(&l);
        assert_int_equal(feed(session, s.w.data, s.w.bytes, NULL), WEIR_OK);
        assert_string_equal(l.text, cases[i].expected);
        rtmp_session_destroy(session);
        byte_writer_deinit(&s.w);
    }
}

/* Each that is not carried is told of once, however often and in whatever order it comes. */
static void extra_tracks_are_named_once_each(void **unused_state)
{
    struct script s;
    struct log l;
    const uint64_t before = counter_read(&counters, COUNTER_FLV_EXTRA_TRACK);
    begin(&s);
    connect(&s, "live");
    call(&s, 1, "publish", 3, "cam", "live");
    for (int i = 0; i < 2; i++) {
        media(&s, 6, 9, "96 13 61766331 01 000001 AA 02 000002 BBCC");
        media(&s, 4, 8, "95 01 6D703461 02 AA");
        media(&s, 6, 9, "96 03 61766331 FF AABB");
    }
    struct rtmp_session *session = open_session(&l);
    assert_int_equal(feed(session, s.w.data, s.w.bytes, NULL), WEIR_OK);
    assert_string_equal(l.text, "publish live cam;extra video 1;extra video 2;extra audio 2;extra video 255;");
    assert_int_equal(counter_read(&counters, COUNTER_FLV_EXTRA_TRACK), before + 8);
    rtmp_session_destroy(session);
    byte_writer_deinit(&s.w);
}

static void what_is_dropped_is_told(void **unused_state)
{
    struct script s;
    struct log l;
    begin(&s);
    connect(&s, "live");
    call(&s, 1, "publish", 3, "cam", "live");
    media(&s, 6, 9, "27 01 0000");
    media(&s, 6, 22, "09 0000FF 000064 00 000000 27");
    media(&s, 6, 18, "02 000A 6F6E4D657461446174 61 03 0001 61 07 0000");
    call(&s, 1, "publish", 4, "cam", "live");
    struct rtmp_session *session = open_session(&l);
    assert_int_equal(feed(session, s.w.data, s.w.bytes, NULL), WEIR_OK);
    assert_string_equal(l.text, "publish live cam;bad_message;a video message is cut off;"
                                "bad_message;a tag in an aggregate message is cut off;"
                                "bad_metadata;AMF0 references are not accepted;metadata 0 ;refused;second_publish;");
    rtmp_session_destroy(session);
    byte_writer_deinit(&s.w);
}

static void commands_without_end(void **unused_state)
{
    struct script s;
    struct log l;
    begin(&s);
    connect(&s, "live");
    for (int i = 0; i < 100; i++) call(&s, 0, "createStream", 2, NULL, NULL);
    struct rtmp_session *session = open_session(&l);
    assert_int_equal(feed(session, s.w.data, s.w.bytes, NULL), WEIR_LIMIT);
    rtmp_session_destroy(session);
    byte_writer_deinit(&s.w);
}

static void a_stranger_is_known_by_the_first_byte(void **unused_state)
{
    struct log l;
    size_t used;
    const char *why = NULL;
    struct rtmp_session *session = open_session(&l);
    assert_int_equal(rtmp_session_feed(session, (const uint8_t *)"GET / HTTP/1.1", 14, &used, &why), WEIR_MALFORMED);
    assert_non_null(strstr(why, "plain RTMP"));
    rtmp_session_destroy(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_obs_does),
        cmocka_unit_test(as_gstreamer_does),
        cmocka_unit_test(amf3_wrapping_aggregates_and_pings),
        cmocka_unit_test(pings_are_answered_with_their_time),
        cmocka_unit_test(windows_are_acknowledged),
        cmocka_unit_test(connect_says_what_can_be_carried),
        cmocka_unit_test(every_goodbye),
        cmocka_unit_test(ceilings_are_counted),
        cmocka_unit_test(refusals),
        cmocka_unit_test(strangers),
        cmocka_unit_test(names_of_every_length),
        cmocka_unit_test(a_query_in_either_half_of_connect),
        cmocka_unit_test(extra_tracks_are_named_once_each),
        cmocka_unit_test(what_is_dropped_is_told),
        cmocka_unit_test(commands_without_end),
        cmocka_unit_test(a_stranger_is_known_by_the_first_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
