#include <weir/ingest/rtmp_chunk.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/bytes.h>
#include <weir/base/limits.h>

#define HEADER_BYTES_MAX (3 + 11 + 4)
#define EXTENDED 0xFFFFFFu
#define FIRST_BLOB_BYTES (64u * KIB)
#define DEFAULT_CHUNK_BYTES 128

/* Whether fmt 3 chunks of a message with an extended timestamp repeat it: clients differ (RTMP 1.0, 5.3.1.3). */
enum extended_habit { HABIT_UNKNOWN = 0, HABIT_REPEATS, HABIT_OMITS };

struct chunk_stream {
    uint32_t csid;
    uint32_t timestamp_ms, delta_ms, extended; /* extended: the last field of 32 bits, valid while has_extended */
    uint32_t message_bytes, stream_id, received_bytes;
    uint8_t type;
    bool has_extended, is_assembling;
    enum extended_habit habit;
    struct blob *body;
};

struct rtmp_chunk_reader {
    struct counters *counters;
    uint32_t chunk_bytes;
    struct chunk_stream *streams;
    uint32_t stream_count, stream_capacity;
    uint32_t current;    /* index of the stream whose chunk is being read */
    uint32_t left_bytes; /* of that chunk's payload; 0: a header comes next */
    size_t held_bytes;
    uint8_t header[HEADER_BYTES_MAX];
    uint8_t header_bytes; /* an incomplete header waits here */
};

struct rtmp_chunk_reader *rtmp_chunk_reader_create(struct counters *counters)
{
    struct rtmp_chunk_reader *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->counters = counters;
    r->chunk_bytes = DEFAULT_CHUNK_BYTES;
    return r;
}

void rtmp_chunk_reader_destroy(struct rtmp_chunk_reader *r)
{
    if (!r) return;
    for (uint32_t i = 0; i < r->stream_count; i++) blob_unref(r->streams[i].body);
    free(r->streams);
    free(r);
}

enum weir_err rtmp_chunk_set_size(struct rtmp_chunk_reader *r, uint32_t chunk_bytes)
{
    if (chunk_bytes < 1 || chunk_bytes > 0x7FFFFFFF) return WEIR_MALFORMED;
    r->chunk_bytes = chunk_bytes > RTMP_CHUNK_BYTES_MAX ? RTMP_CHUNK_BYTES_MAX : chunk_bytes;
    return WEIR_OK;
}

size_t rtmp_chunk_held_bytes(const struct rtmp_chunk_reader *r)
{
    return r->held_bytes;
}

static void drop_body(struct rtmp_chunk_reader *r, struct chunk_stream *s)
{
    if (s->body) r->held_bytes -= blob_bytes(s->body);
    blob_unref(s->body);
    s->body = NULL;
    s->received_bytes = 0;
    s->is_assembling = false;
}

void rtmp_chunk_abort(struct rtmp_chunk_reader *r, uint32_t csid)
{
    for (uint32_t i = 0; i < r->stream_count; i++) {
        if (r->streams[i].csid != csid) continue;
        drop_body(r, &r->streams[i]);
        if (r->current == i) r->left_bytes = 0;
    }
}

static struct chunk_stream *find_stream(struct rtmp_chunk_reader *r, uint32_t csid)
{
    if (r->current < r->stream_count && r->streams[r->current].csid == csid) return &r->streams[r->current];
    for (uint32_t i = 0; i < r->stream_count; i++) {
        if (r->streams[i].csid == csid) return &r->streams[i];
    }
    return NULL;
}

static enum weir_err add_stream(struct rtmp_chunk_reader *r, uint32_t csid, struct chunk_stream **out, const char **why)
{
    if (r->stream_count == RTMP_CHUNK_STREAMS_MAX) {
        counter_add(r->counters, COUNTER_RTMP_LIMIT_CHUNK_STREAMS, 1);
        *why = "more than 64 chunk streams";
        return WEIR_LIMIT;
    }
    if (r->stream_count == r->stream_capacity) {
        const uint32_t capacity = r->stream_capacity ? r->stream_capacity * 2 : 4;
        struct chunk_stream *streams = realloc(r->streams, capacity * sizeof *streams);
        if (!streams) return WEIR_NOMEM;
        r->streams = streams;
        r->stream_capacity = capacity;
    }
    struct chunk_stream *s = &r->streams[r->stream_count++];
    *s = (struct chunk_stream){ .csid = csid };
    *out = s;
    return WEIR_OK;
}

static uint32_t message_bytes_max(uint8_t type)
{
    switch (type) {
    case RTMP_VIDEO: return RTMP_VIDEO_MESSAGE_BYTES_MAX;
    case RTMP_AUDIO: return RTMP_AUDIO_MESSAGE_BYTES_MAX;
    case RTMP_AGGREGATE: return RTMP_VIDEO_MESSAGE_BYTES_MAX;
    case RTMP_DATA_AMF0:
    case RTMP_DATA_AMF3: return RTMP_DATA_MESSAGE_BYTES_MAX;
    default: return RTMP_COMMAND_MESSAGE_BYTES_MAX;
    }
}

/* A chunk's header as it stands on the wire, before it is believed. */
struct header {
    unsigned fmt;
    uint32_t csid, field, message_bytes, stream_id;
    uint8_t type;
    size_t bytes; /* without the extended timestamp */
};

/* Bytes of basic and message header; 0: more are needed to know. */
static size_t header_bytes_of(const uint8_t *in, size_t bytes)
{
    static const uint8_t message_header[4] = { 11, 7, 3, 0 };
    if (!bytes) return 0;
    const unsigned low = in[0] & 0x3F;
    return (low == 0 ? 2u : low == 1 ? 3u : 1u) + message_header[in[0] >> 6];
}

static void read_header(const uint8_t *in, size_t bytes, struct header *h)
{
    const unsigned low = in[0] & 0x3F;
    const size_t basic = low == 0 ? 2 : low == 1 ? 3 : 1;
    *h = (struct header){ .fmt = in[0] >> 6, .bytes = bytes };
    h->csid = low == 0 ? 64u + in[1] : low == 1 ? 64u + in[1] + 256u * in[2] : low;
    const uint8_t *at = in + basic;
    if (h->fmt <= 2) h->field = load_u24(at);
    if (h->fmt <= 1) h->message_bytes = load_u24(at + 3), h->type = at[6];
    if (h->fmt == 0) h->stream_id = at[7] | (uint32_t)at[8] << 8 | (uint32_t)at[9] << 16 | (uint32_t)at[10] << 24;
}

static enum weir_err bad(const char **why, const char *text)
{
    *why = text;
    return WEIR_MALFORMED;
}

/* What a header means for its stream; the extended timestamp has been put into h->field by now. */
static enum weir_err begin_chunk(struct rtmp_chunk_reader *r, struct chunk_stream *s, const struct header *h,
                                 bool is_extended, const char **why)
{
    const bool is_new_message = !s->is_assembling;
    if (h->fmt <= 1) {
        if (!is_new_message && (h->message_bytes != s->message_bytes || h->type != s->type))
            return bad(why, "a chunk changed the length or type of a message that was half received");
        if (h->message_bytes > message_bytes_max(h->type)) {
            counter_add(r->counters, COUNTER_RTMP_LIMIT_MESSAGE, 1);
            *why = "a message is larger than its kind may be";
            return WEIR_LIMIT;
        }
        s->message_bytes = h->message_bytes;
        s->type = h->type;
        if (h->fmt == 0) s->stream_id = h->stream_id;
    }
    if (h->fmt <= 2) {
        s->has_extended = is_extended;
        s->extended = h->field;
        if (is_new_message) {
            s->delta_ms = h->field;
            s->timestamp_ms = h->fmt == 0 ? h->field : s->timestamp_ms + h->field;
        }
    } else if (is_new_message) {
        s->timestamp_ms += s->delta_ms; /* after fmt 0 the delta is that timestamp (5.3.1.2.4) */
    }
    if (is_new_message) {
        s->is_assembling = true;
        s->received_bytes = 0;
    }
    const uint32_t missing = s->message_bytes - s->received_bytes;
    r->current = (uint32_t)(s - r->streams);
    r->left_bytes = missing < r->chunk_bytes ? missing : r->chunk_bytes;
    return WEIR_OK;
}

/* Reads one header from contiguous bytes. *used: its bytes; 0: more are needed. */
static enum weir_err take_header(struct rtmp_chunk_reader *r, const uint8_t *in, size_t bytes, size_t *used,
                                 const char **why)
{
    struct header h;
    *used = 0;
    const size_t whole = header_bytes_of(in, bytes);
    if (!whole || bytes < whole) return WEIR_OK;
    read_header(in, whole, &h);
    struct chunk_stream *s = find_stream(r, h.csid);
    if (!s && h.fmt >= 2)
        return bad(why, "a chunk stream begins with a header that leaves its message's length to an earlier one");
    if (h.csid < 2) return bad(why, "chunk stream ids below 2 do not exist");
    const bool inherits = s && h.fmt == 3;
    const bool is_extended = inherits ? s->has_extended : h.field == EXTENDED;
    size_t total = whole + (is_extended ? 4 : 0);
    if (inherits && is_extended && s->habit == HABIT_OMITS) total = whole;
    if (bytes < total) return WEIR_OK;
    if (h.fmt <= 2 && is_extended) h.field = load_u32(in + whole);
    if (inherits && total > whole && s->habit == HABIT_UNKNOWN) {
        /* it is the timestamp when it looks like it: the field as last sent, or the message's absolute time */
        const uint32_t next = load_u32(in + whole);
        s->habit = next == s->extended || next == s->timestamp_ms ? HABIT_REPEATS : HABIT_OMITS;
        if (s->habit == HABIT_OMITS) total = whole;
    }
    if (!s) {
        const enum weir_err err = add_stream(r, h.csid, &s, why);
        if (err) return err;
    }
    *used = total;
    return begin_chunk(r, s, &h, is_extended, why);
}

/* Room for `bytes` more of a message: doubles up to the announced length, and only as data really comes. */
static enum weir_err make_room(struct rtmp_chunk_reader *r, struct chunk_stream *s, uint32_t bytes, const char **why)
{
    const size_t have = s->body ? blob_bytes(s->body) : 0, need = (size_t)s->received_bytes + bytes;
    if (need <= have) return WEIR_OK;
    size_t want = have ? have * 2 : FIRST_BLOB_BYTES;
    if (want < need) want = need;
    if (want > s->message_bytes) want = s->message_bytes;
    if (r->held_bytes - have + want > RTMP_ASSEMBLY_BYTES_MAX) {
        counter_add(r->counters, COUNTER_RTMP_LIMIT_ASSEMBLY, 1);
        *why = "too many bytes in half-received messages";
        return WEIR_LIMIT;
    }
    struct blob *body = s->body ? blob_resize(s->body, want) : blob_create(want);
    if (!body) return WEIR_NOMEM;
    s->body = body;
    r->held_bytes += want - have;
    return WEIR_OK;
}

static enum weir_err finish_message(struct rtmp_chunk_reader *r, struct chunk_stream *s, struct rtmp_message *message)
{
    if (!s->body) {
        s->body = blob_create(0); /* a message of no bytes */
        if (!s->body) return WEIR_NOMEM;
    }
    assert(blob_bytes(s->body) == s->message_bytes);
    r->held_bytes -= blob_bytes(s->body);
    *message = (struct rtmp_message){
        .type = s->type, .timestamp_ms = s->timestamp_ms, .stream_id = s->stream_id, .body = s->body
    };
    s->body = NULL;
    s->is_assembling = false;
    s->received_bytes = 0;
    counter_add(r->counters, COUNTER_RTMP_MESSAGES_IN, 1);
    return WEIR_OK;
}

static enum weir_err take_payload(struct rtmp_chunk_reader *r, const uint8_t *in, size_t bytes, size_t *used,
                                  const char **why)
{
    struct chunk_stream *s = &r->streams[r->current];
    const uint32_t run = bytes < r->left_bytes ? (uint32_t)bytes : r->left_bytes;
    const enum weir_err err = make_room(r, s, run, why);
    if (err) return err;
    memcpy(blob_data(s->body) + s->received_bytes, in, run);
    s->received_bytes += run;
    r->left_bytes -= run;
    *used = run;
    return WEIR_OK;
}

/* One header or one run of payload from contiguous bytes. *used is 0 when a header is incomplete. */
static enum weir_err take_step(struct rtmp_chunk_reader *r, const uint8_t *in, size_t bytes, size_t *used,
                               const char **why)
{
    return r->left_bytes ? take_payload(r, in, bytes, used, why) : take_header(r, in, bytes, used, why);
}

/* The waiting header first: it grows byte by byte until it is whole (at most 18 times, and rarely). What was looked at to
 * learn a habit and turned out to be payload, or the next header, is taken from there too. */
static enum weir_err take_waiting(struct rtmp_chunk_reader *r, const uint8_t *in, size_t bytes, size_t *at,
                                  size_t *used, const char **why)
{
    const enum weir_err err = take_step(r, r->header, r->header_bytes, used, why);
    if (err) return err;
    if (*used) {
        r->header_bytes = (uint8_t)(r->header_bytes - *used);
        memmove(r->header, r->header + *used, r->header_bytes);
    } else if (*at < bytes) {
        assert(r->header_bytes < HEADER_BYTES_MAX);
        r->header[r->header_bytes++] = in[(*at)++];
    }
    return WEIR_OK;
}

static bool is_message_whole(const struct rtmp_chunk_reader *r)
{
    if (r->left_bytes || r->current >= r->stream_count) return false;
    const struct chunk_stream *s = &r->streams[r->current];
    return s->is_assembling && s->received_bytes == s->message_bytes;
}

enum weir_err rtmp_chunk_feed(struct rtmp_chunk_reader *r, const uint8_t *in, size_t bytes, size_t *consumed,
                              struct rtmp_message *message, bool *has_message, const char **why)
{
    size_t at = 0;
    *has_message = false;
    *why = "out of memory";
    while (!*has_message) {
        size_t used = 0;
        enum weir_err err;
        if (r->header_bytes) {
            const size_t before = at;
            err = take_waiting(r, in, bytes, &at, &used, why);
            if (!err && !used && at == before) break;
        } else {
            if (at == bytes) break;
            err = take_step(r, in + at, bytes - at, &used, why);
            if (!err && !used) {
                r->header_bytes = (uint8_t)(bytes - at);
                memcpy(r->header, in + at, bytes - at);
                at = bytes;
                break;
            }
            at += used;
        }
        if (!err && used && is_message_whole(r)) {
            err = finish_message(r, &r->streams[r->current], message);
            *has_message = !err;
        }
        if (err) return err;
    }
    *consumed = at;
    return WEIR_OK;
}
