/* A transport stream in pieces: [options][piece bytes][stream]. With bit 0x80 of the options the input needs no sync bytes and no CRC: each 188 bytes
 * become a packet, so that the fuzzer reaches what lies behind them. */
#include <stdlib.h>
#include <string.h>
#include <weir/ingest/ts_demux.h>

static void on_track(void *context, const struct ts_track *track)
{
    if (track->codec && !track->kind) abort();
    if (!memchr(track->what, 0, sizeof track->what) || !memchr(track->language, 0, sizeof track->language)) abort();
}

static void on_config(void *context, enum media_kind kind, unsigned index, enum media_codec codec,
                      struct byte_span config)
{
    struct codec_facts facts;
    const char *why;
    if (codec_describe(codec, config, &facts, &why)) abort();
    if (facts.kind != kind || index > 31) abort();
}

static void on_codec(void *context, unsigned index, enum media_codec codec)
{
    if (codec_needs_config(codec) || index > 31) abort();
}

static void on_frame(void *context, const struct ts_frame *f)
{
    if (!f->bytes || f->offset + f->bytes > blob_bytes(f->message)) abort();
    if (f->pts_90k >> 33 || f->dts_90k >> 33 || codec_kind(f->codec) != f->kind) abort();
    /* lengths lead from one unit to the next, to the end */
    const uint8_t *data = blob_data(f->message) + f->offset;
    size_t at = 0;
    if (f->codec == CODEC_H264 || f->codec == CODEC_HEVC) {
        while (at < f->bytes) {
            if (f->bytes - at < 5) abort();
            const size_t unit = load_u32(data + at);
            if (!unit || unit > f->bytes - at - 4) abort();
            at += 4 + unit;
        }
    }
    blob_unref(f->message);
}

static void on_metadata(void *context, const struct ts_metadata *m)
{
    if (!m->kind || m->pts_90k >> 33) abort();
    blob_unref(m->message);
}

static void on_clock_break(void *context) {}

static void on_problem(void *context, const char *text)
{
    if (strlen(text) > 255) abort();
}

static uint32_t crc32_of(const uint8_t *data, size_t bytes)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= (uint32_t)data[i] << 24;
        for (int bit = 0; bit < 8; bit++) crc = crc << 1 ^ (crc >> 31 ? 0x04C11DB7 : 0);
    }
    return crc;
}

/* Makes a section that lies whole in its packet right. */
static void mend(uint8_t *packet)
{
    packet[0] = 0x47;
    const unsigned pid = (packet[1] & 0x1Fu) << 8 | packet[2];
    if (pid > 64 || !(packet[1] & 0x40)) return; /* tables live down there by convention of this target */
    const size_t at = packet[3] & 0x20 ? 5u + packet[4] : 4;
    if (at + 1 >= 188) return;
    const size_t section = at + 1 + packet[at];
    if (section + 3 > 188) return;
    const size_t bytes = (size_t)(packet[section + 1] & 0xF) << 8 | packet[section + 2];
    if (bytes < 4 || section + 3 + bytes > 188) return;
    store_u32(packet + section + 3 + bytes - 4, crc32_of(packet + section, 3 + bytes - 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct counters counters;
    if (bytes < 2) return 0;
    const unsigned options = data[0];
    const size_t piece = data[1] ? data[1] * 4u - 3 : bytes;
    const struct ts_demux_config config = { .program_number = options & 3,
                                            .may_end_early = options & 4,
                                            .takes_layer2 = options & 8 };
    const struct ts_demux_events events = {
        NULL, on_track, on_track, on_config, on_codec, on_frame, on_metadata, on_clock_break, on_problem,
    };
    data += 2;
    bytes -= 2;
    struct ts_demux *d = ts_demux_create(&config, &events, &counters);
    uint8_t *copy = malloc(bytes ? bytes : 1);
    if (d && copy) {
        if (bytes) memcpy(copy, data, bytes);
        for (size_t at = 0; options & 0x80 && at + 188 <= bytes; at += 188) mend(copy + at);
        for (size_t at = 0; at < bytes; at += piece) {
            if (ts_demux_feed(d, copy + at, piece < bytes - at ? piece : bytes - at)) abort();
            if (options & 0x40 && at % 7 == 3) ts_demux_note_loss(d, at % 20);
            if (options & 0x20 && at % 5 == 1 && ts_demux_flush(d)) abort();
        }
        if (ts_demux_flush(d)) abort();
    }
    free(copy);
    ts_demux_destroy(d);
    return 0;
}
