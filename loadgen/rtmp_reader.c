#include "rtmp_reader.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/bytes.h>

#include "rtmp_writer.h"

#define EXTENDED 0xFFFFFFu
#define PING_REQUEST 6
#define CHUNK_BYTES_MAX 0x7FFFFFFFu

void rtmp_reader_init(struct rtmp_reader *r, uint32_t chunk_bytes)
{
    memset(r, 0, sizeof *r);
    r->chunk_bytes = chunk_bytes;
}

void rtmp_reader_seed(struct rtmp_reader *r, unsigned csid, uint32_t bytes, uint8_t type)
{
    if (csid >= RTMP_READER_CHANNELS) return;
    r->channels[csid].is_known = true;
    r->channels[csid].bytes = bytes;
    r->channels[csid].type = type;
}

static bool is_kept(uint8_t type)
{
    return type == RTMP_SET_CHUNK_SIZE || type == RTMP_USER_CONTROL || type == RTMP_COMMAND;
}

/* A command's AMF is looked through for what a person wants to know; nothing depends on it. */
static void tell_status(const uint8_t *data, size_t bytes, const struct rtmp_reader_sink *sink)
{
    const uint8_t *at = memmem(data, bytes, "\0\4code\2", 7);
    if (!at || (size_t)(data + bytes - at) < 9) return;
    const size_t length = load_u16(at + 7), left = (size_t)(data + bytes - at) - 9;
    char code[96];
    snprintf(code, sizeof code, "%.*s", (int)(length < left ? length : left), (const char *)at + 9);
    for (char *c = code; *c; c++)
        if (*c < 0x20 || *c > 0x7E) *c = '?';
    if (code[0]) sink->on_status(sink->owner, code);
}

static enum weir_err take_message(struct rtmp_reader *r, uint8_t type, const struct rtmp_reader_sink *sink)
{
    const uint8_t *m = r->kept;
    if (type == RTMP_SET_CHUNK_SIZE) {
        const uint32_t bytes = r->kept_bytes == 4 ? load_u32(m) : 0;
        if (!bytes || bytes > CHUNK_BYTES_MAX) return WEIR_MALFORMED;
        r->chunk_bytes = bytes;
    } else if (type == RTMP_USER_CONTROL) {
        if (r->kept_bytes >= 6 && load_u16(m) == PING_REQUEST) sink->on_ping(sink->owner, load_u32(m + 2));
    } else if (type == RTMP_COMMAND) {
        tell_status(m, r->kept_bytes, sink);
    }
    return WEIR_OK;
}

/* How long the header is, as far as it can be told from what there is of it. */
static uint32_t header_needs(const struct rtmp_reader *r)
{
    static const uint32_t by_format[4] = { 11, 7, 3, 0 };
    const uint8_t *h = r->header;
    if (!r->header_bytes) return 1;
    const uint32_t basic = (h[0] & 0x3F) == 0 ? 2 : (h[0] & 0x3F) == 1 ? 3 : 1, format = h[0] >> 6;
    const uint32_t whole = basic + by_format[format];
    if (r->header_bytes < whole) return whole;
    bool is_extended = false;
    if (format < 3)
        is_extended = load_u24(h + basic) == EXTENDED;
    else if (basic == 1)
        is_extended = r->channels[h[0] & 0x3F].is_extended;
    return whole + (is_extended ? 4 : 0);
}

static enum weir_err begin_chunk(struct rtmp_reader *r)
{
    const uint8_t *h = r->header;
    const uint32_t format = h[0] >> 6, csid = h[0] & 0x3F;
    if (csid < 2) return WEIR_MALFORMED; /* 64 and more channels to a publisher: no server does */
    struct rtmp_reader_channel *c = &r->channels[csid];
    if (format == 3 ? !c->is_known : c->done != 0) return WEIR_MALFORMED;
    if (format < 3) c->is_extended = load_u24(h + 1) == EXTENDED;
    if (format < 2) {
        c->bytes = load_u24(h + 4);
        c->type = h[7];
        c->is_known = true;
    }
    if (!c->is_known) return WEIR_MALFORMED;
    r->csid = (uint8_t)csid;
    r->left = c->bytes - c->done < r->chunk_bytes ? c->bytes - c->done : r->chunk_bytes;
    if (!c->done && is_kept(c->type)) r->kept_bytes = 0;
    return WEIR_OK;
}

static enum weir_err take_payload(struct rtmp_reader *r, const uint8_t *data, uint32_t bytes,
                                  const struct rtmp_reader_sink *sink)
{
    struct rtmp_reader_channel *c = &r->channels[r->csid];
    if (is_kept(c->type)) {
        const uint32_t room = RTMP_READER_KEPT_BYTES - r->kept_bytes, kept = bytes < room ? bytes : room;
        if (kept) memcpy(r->kept + r->kept_bytes, data, kept);
        r->kept_bytes += kept;
    }
    c->done += bytes;
    r->left -= bytes;
    if (r->left) return WEIR_OK;
    r->header_bytes = 0;
    if (c->done < c->bytes) return WEIR_OK;
    c->done = 0;
    return take_message(r, c->type, sink);
}

enum weir_err rtmp_reader_feed(struct rtmp_reader *r, const uint8_t *data, size_t bytes,
                               const struct rtmp_reader_sink *sink)
{
    enum weir_err err = WEIR_OK;
    for (size_t at = 0; at < bytes && !err;) {
        const uint32_t needs = header_needs(r);
        if (r->header_bytes < needs) {
            r->header[r->header_bytes++] = data[at++];
            if (r->header_bytes < header_needs(r)) continue;
            err = begin_chunk(r);
            if (!err && !r->left) err = take_payload(r, data, 0, sink); /* an empty message */
            continue;
        }
        const uint32_t run = bytes - at < r->left ? (uint32_t)(bytes - at) : r->left;
        err = take_payload(r, data + at, run, sink);
        at += run;
    }
    return err;
}
