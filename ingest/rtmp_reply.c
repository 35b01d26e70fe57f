#include "rtmp_reply.h"

#include <weir/ingest/amf0.h>
#include <weir/ingest/rtmp_chunk.h>

#define CSID_CONTROL 2
#define CSID_COMMAND 3
#define BODY_BYTES_MAX (8 * 1024)

/* One message in fmt 0 and fmt 3 chunks. */
static void send(struct byte_writer *out, unsigned csid, uint8_t type, uint32_t stream_id, const uint8_t *body,
                 size_t bytes, size_t chunk_bytes)
{
    write_u8(out, (uint8_t)csid);
    write_u24(out, 0);
    write_u24(out, (uint32_t)bytes);
    write_u8(out, type);
    write_u32_le(out, stream_id);
    for (size_t at = 0; at < bytes; at += chunk_bytes) {
        if (at) write_u8(out, (uint8_t)(0xC0 | csid));
        write_bytes(out, body + at, bytes - at < chunk_bytes ? bytes - at : chunk_bytes);
    }
}

static void control_u32(struct byte_writer *out, uint8_t type, uint32_t value)
{
    uint8_t body[4];
    store_u32(body, value);
    send(out, CSID_CONTROL, type, 0, body, sizeof body, RTMP_OUT_CHUNK_BYTES);
}

void rtmp_reply_connect_controls(struct byte_writer *out)
{
    uint8_t bandwidth[5];
    control_u32(out, RTMP_WINDOW_ACK_SIZE, RTMP_WINDOW_BYTES);
    store_u32(bandwidth, RTMP_WINDOW_BYTES);
    bandwidth[4] = 2; /* dynamic */
    send(out, CSID_CONTROL, RTMP_SET_PEER_BANDWIDTH, 0, bandwidth, sizeof bandwidth, RTMP_OUT_CHUNK_BYTES);
    control_u32(out, RTMP_SET_CHUNK_SIZE, RTMP_OUT_CHUNK_BYTES);
}

static void send_command(struct byte_writer *out, uint32_t stream_id, struct byte_writer *body)
{
    if (body->failed)
        out->failed = true;
    else
        send(out, CSID_COMMAND, RTMP_COMMAND_AMF0, stream_id, body->data, body->bytes, RTMP_OUT_CHUNK_BYTES);
    byte_writer_deinit(body);
}

static struct byte_writer begin(const char *command, double transaction)
{
    struct byte_writer body;
    byte_writer_init(&body, BODY_BYTES_MAX);
    amf0_write_string(&body, command);
    amf0_write_number(&body, transaction);
    return body;
}

static void member_text(struct byte_writer *w, const char *name, const char *text)
{
    amf0_write_name(w, name);
    amf0_write_string(w, text);
}

static void member_number(struct byte_writer *w, const char *name, double v)
{
    amf0_write_name(w, name);
    amf0_write_number(w, v);
}

static void write_info(struct byte_writer *w, const char *level, const char *code, const char *text)
{
    member_text(w, "level", level);
    member_text(w, "code", code);
    member_text(w, "description", text);
}

/* Enhanced RTMP v2, "Enhancing NetConnection connect Command": 1 can decode... 4 can forward; here: forward */
static void write_fourccs(struct byte_writer *w)
{
    static const char *const video[] = { "avc1", "hvc1", "av01", "vp09" };
    static const char *const audio[] = { "mp4a", "Opus", "fLaC", "ac-3", "ec-3", ".mp3" };
    enum { CAN_FORWARD = 4, CAPS_MULTITRACK_AND_MODEX = 2 | 4 };
    amf0_write_name(w, "fourCcList");
    amf0_write_strict_begin(w, ARRAY_LEN(video) + ARRAY_LEN(audio));
    for (size_t i = 0; i < ARRAY_LEN(video); i++) amf0_write_string(w, video[i]);
    for (size_t i = 0; i < ARRAY_LEN(audio); i++) amf0_write_string(w, audio[i]);
    amf0_write_name(w, "videoFourCcInfoMap");
    amf0_write_object_begin(w);
    for (size_t i = 0; i < ARRAY_LEN(video); i++) member_number(w, video[i], CAN_FORWARD);
    amf0_write_end(w);
    amf0_write_name(w, "audioFourCcInfoMap");
    amf0_write_object_begin(w);
    for (size_t i = 0; i < ARRAY_LEN(audio); i++) member_number(w, audio[i], CAN_FORWARD);
    amf0_write_end(w);
    member_number(w, "capsEx", CAPS_MULTITRACK_AND_MODEX);
}

void rtmp_reply_connect_result(struct byte_writer *out, double transaction)
{
    struct byte_writer w = begin("_result", transaction);
    amf0_write_object_begin(&w);
    member_text(&w, "fmsVer", "FMS/3,5,7,7009");
    member_number(&w, "capabilities", 31);
    member_number(&w, "mode", 1);
    write_fourccs(&w);
    amf0_write_end(&w);
    amf0_write_object_begin(&w);
    write_info(&w, "status", "NetConnection.Connect.Success", "Connection succeeded.");
    member_number(&w, "objectEncoding", 0);
    amf0_write_end(&w);
    send_command(out, 0, &w);
}

void rtmp_reply_connect_rejected(struct byte_writer *out, double transaction, const char *text)
{
    struct byte_writer w = begin("_error", transaction);
    amf0_write_null(&w);
    amf0_write_object_begin(&w);
    write_info(&w, "error", "NetConnection.Connect.Rejected", text);
    amf0_write_end(&w);
    send_command(out, 0, &w);
}

void rtmp_reply_result_null(struct byte_writer *out, double transaction)
{
    struct byte_writer w = begin("_result", transaction);
    amf0_write_null(&w);
    amf0_write_null(&w);
    send_command(out, 0, &w);
}

void rtmp_reply_stream_created(struct byte_writer *out, double transaction, uint32_t stream_id)
{
    struct byte_writer w = begin("_result", transaction);
    amf0_write_null(&w);
    amf0_write_number(&w, stream_id);
    send_command(out, 0, &w);
}

void rtmp_reply_call_failed(struct byte_writer *out, double transaction, const char *text)
{
    struct byte_writer w = begin("_error", transaction);
    amf0_write_null(&w);
    amf0_write_object_begin(&w);
    write_info(&w, "error", "NetConnection.Call.Failed", text);
    amf0_write_end(&w);
    send_command(out, 0, &w);
}

void rtmp_reply_stream_begin(struct byte_writer *out, uint32_t stream_id)
{
    uint8_t body[6] = { 0, 0 };
    store_u32(body + 2, stream_id);
    send(out, CSID_CONTROL, RTMP_USER_CONTROL, 0, body, sizeof body, RTMP_OUT_CHUNK_BYTES);
}

void rtmp_reply_status(struct byte_writer *out, uint32_t stream_id, bool is_error, const char *code, const char *text)
{
    struct byte_writer w = begin("onStatus", 0);
    amf0_write_null(&w);
    amf0_write_object_begin(&w);
    write_info(&w, is_error ? "error" : "status", code, text);
    amf0_write_end(&w);
    send_command(out, stream_id, &w);
}

void rtmp_reply_fc(struct byte_writer *out, const char *command, const char *code, const char *text)
{
    struct byte_writer w = begin(command, 0);
    amf0_write_null(&w);
    amf0_write_object_begin(&w);
    write_info(&w, "status", code, text);
    amf0_write_end(&w);
    send_command(out, 0, &w);
}

void rtmp_reply_acknowledge(struct byte_writer *out, uint32_t received_bytes)
{
    control_u32(out, RTMP_ACKNOWLEDGEMENT, received_bytes);
}

void rtmp_reply_pong(struct byte_writer *out, uint32_t timestamp)
{
    uint8_t body[6] = { 0, 7 };
    store_u32(body + 2, timestamp);
    send(out, CSID_CONTROL, RTMP_USER_CONTROL, 0, body, sizeof body, RTMP_OUT_CHUNK_BYTES);
}
