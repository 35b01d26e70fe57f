/* fMP4 and TS for the double: real boxes, tables and NAL units around payloads that say nothing. */
#include <stdlib.h>
#include <string.h>
#include <weir/base/bytes.h>
#include <weir/loadgen/stamp.h>

#include "hls_double.h"

#define MEDIA_BYTES_MAX (1 << 20)
#define TICKS (90000 / DOUBLE_FPS)
#define STAMPS_FROM_US 1700000000000000 /* some day */

/* x264's record of a 128x72 picture; the second one differs in a byte of a picture parameter set. */
static const uint8_t avc_record[2][46] = {
    { 0x01, 0x64, 0x00, 0x0a, 0xff, 0xe1, 0x00, 0x19, 0x67, 0x64, 0x00, 0x0a, 0xac, 0xd9, 0x42, 0x0b,
      0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x12, 0x25,
      0x96, 0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00 },
    { 0x01, 0x64, 0x00, 0x0a, 0xff, 0xe1, 0x00, 0x19, 0x67, 0x64, 0x00, 0x0a, 0xac, 0xd9, 0x42, 0x0b,
      0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x12, 0x25,
      0x96, 0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xb0, 0xfd, 0xf8, 0xf8, 0x00 },
};
static const uint8_t esds[] = { 0x03, 0x19, 0x00, 0x01, 0x00, 0x04, 0x11, 0x40, 0x15, 0x00, 0x00, 0x00, 0x00, 0x00,
                                0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x02, 0x11, 0x90, 0x06, 0x01, 0x02 };

static size_t box(struct byte_writer *w, const char *type)
{
    const size_t at = w->bytes;
    write_u32(w, 0);
    write_text(w, type);
    return at;
}

static size_t full_box(struct byte_writer *w, const char *type, uint32_t version_and_flags)
{
    const size_t at = box(w, type);
    write_u32(w, version_and_flags);
    return at;
}

static void end(struct byte_writer *w, size_t at)
{
    patch_u32(w, at, (uint32_t)(w->bytes - at));
}

static uint8_t *take(struct byte_writer *w, size_t *bytes)
{
    *bytes = w->bytes;
    return w->data; /* the caller frees it: free() is what the writer does, too */
}

static void write_entry(struct byte_writer *w, bool is_audio, unsigned which)
{
    const size_t entry = box(w, is_audio ? "mp4a" : "avc1");
    write_zeros(w, 6);
    write_u16(w, 1);
    if (is_audio) {
        write_zeros(w, 8);
        write_u16(w, 2);
        write_u16(w, 16);
        write_zeros(w, 4);
        write_u32(w, (uint32_t)DOUBLE_RATE << 16);
        const size_t at = full_box(w, "esds", 0);
        write_bytes(w, esds, sizeof esds);
        end(w, at);
    } else {
        write_zeros(w, 16);
        write_u16(w, 128);
        write_u16(w, 72);
        write_u32(w, 0x480000);
        write_u32(w, 0x480000);
        write_u32(w, 0);
        write_u16(w, 1);
        write_zeros(w, 32);
        write_u16(w, 0x18);
        write_u16(w, 0xFFFF);
        const size_t at = box(w, "avcC");
        write_bytes(w, avc_record[which % 2], sizeof avc_record[0]);
        end(w, at);
    }
    end(w, entry);
}

static void write_tables(struct byte_writer *w, bool is_audio, unsigned which)
{
    const size_t stbl = box(w, "stbl"), stsd = full_box(w, "stsd", 0);
    write_u32(w, 1);
    write_entry(w, is_audio, which);
    end(w, stsd);
    static const char *const empty[] = { "stts", "stsc", "stco" };
    for (size_t i = 0; i < 3; i++) {
        const size_t at = full_box(w, empty[i], 0);
        write_u32(w, 0);
        end(w, at);
    }
    const size_t stsz = full_box(w, "stsz", 0);
    write_zeros(w, 8);
    end(w, stsz);
    end(w, stbl);
}

uint8_t *double_init_segment(bool is_audio, unsigned which, bool has_edit, size_t *bytes)
{
    struct byte_writer w;
    byte_writer_init(&w, MEDIA_BYTES_MAX);
    const size_t ftyp = box(&w, "ftyp");
    write_text(&w, "iso6");
    write_u32(&w, 0);
    write_text(&w, "iso6cmfc");
    end(&w, ftyp);
    const size_t moov = box(&w, "moov"), mvhd = full_box(&w, "mvhd", 0);
    write_zeros(&w, 96);
    end(&w, mvhd);
    const size_t trak = box(&w, "trak"), tkhd = full_box(&w, "tkhd", 3);
    write_zeros(&w, 8);
    write_u32(&w, 1);
    write_zeros(&w, 68);
    end(&w, tkhd);
    if (has_edit) {
        const size_t edts = box(&w, "edts"), elst = full_box(&w, "elst", 0);
        write_u32(&w, 1);
        write_u32(&w, 0);
        write_u32(&w, 1024);
        write_u32(&w, 0x10000);
        end(&w, elst);
        end(&w, edts);
    }
    const size_t mdia = box(&w, "mdia"), mdhd = full_box(&w, "mdhd", 0);
    write_zeros(&w, 8);
    write_u32(&w, is_audio ? DOUBLE_RATE : 90000);
    write_u32(&w, 0);
    write_u32(&w, 0x55C40000);
    end(&w, mdhd);
    const size_t hdlr = full_box(&w, "hdlr", 0);
    write_u32(&w, 0);
    write_text(&w, is_audio ? "soun" : "vide");
    write_zeros(&w, 13);
    end(&w, hdlr);
    const size_t minf = box(&w, "minf");
    write_tables(&w, is_audio, which);
    end(&w, minf);
    end(&w, mdia);
    end(&w, trak);
    const size_t mvex = box(&w, "mvex"), trex = full_box(&w, "trex", 0);
    write_u32(&w, 1);
    write_u32(&w, 1);
    write_zeros(&w, 12);
    end(&w, trex);
    end(&w, mvex);
    end(&w, moov);
    return take(&w, bytes);
}

/* -- samples -- */

static bool is_key(const struct double_run *run, int64_t frame)
{
    const int64_t phase = frame % DOUBLE_GOP;
    return run->act == ACT_NOT_SYNC ? phase == 3 : phase == 0;
}

/* A NAL unit of a type with bytes that follow from its number. */
static void write_nal(struct byte_writer *w, uint8_t type, int64_t number, size_t bytes)
{
    write_u8(w, type);
    for (size_t i = 1; i < bytes; i++) write_u8(w, (uint8_t)(0x80 | (number * 7 + (int64_t)i * 3)));
}

static uint64_t missing_before(const struct double_run *run, int64_t frame)
{
    if (run->hole_at < 0) return 0;
    return (uint64_t)(frame / DOUBLE_GOP) + (frame % DOUBLE_GOP >= run->hole_at);
}

static struct stamp stamp_of(const struct double_run *run, int64_t frame)
{
    const int64_t us = run->is_audio ? frame * DOUBLE_AAC * 1000000 / DOUBLE_RATE : frame * 1000000 / DOUBLE_FPS;
    return (struct stamp){ .wall_us = STAMPS_FROM_US + us,
                           .frame = run->is_audio ? 0 : (uint64_t)frame + missing_before(run, frame),
                           .pts_us = us + run->stamp_late_us };
}

static size_t stamp_bytes(const struct double_run *run)
{
    if (!run->is_stamped) return 0;
    return run->is_audio ? STAMP_SOUND_BYTES : 4 + STAMP_NAL_BYTES_MAX - 1; /* H.264's header is a byte shorter */
}

static void write_stamp(struct byte_writer *w, const struct double_run *run, int64_t frame)
{
    uint8_t bytes[STAMP_NAL_BYTES_MAX];
    const struct stamp stamp = stamp_of(run, frame);
    if (!run->is_stamped) return;
    if (run->is_audio) {
        stamp_write_sound(&stamp, bytes);
        write_bytes(w, bytes, STAMP_SOUND_BYTES);
        return;
    }
    const size_t nal = stamp_write_nal(CODEC_H264, &stamp, bytes);
    write_u32(w, (uint32_t)nal);
    write_bytes(w, bytes, nal);
}

static size_t sample_bytes(const struct double_run *run, int64_t frame)
{
    if (run->is_audio) return stamp_bytes(run) + 64;
    return stamp_bytes(run) + 4 + (is_key(run, frame) ? 400 : 120) +
           (run->act == ACT_NAL_SETS && is_key(run, frame) ? 4 + 6 : 0);
}

static void write_sample(struct byte_writer *w, const struct double_run *run, int64_t frame)
{
    write_stamp(w, run, frame);
    if (run->is_audio) {
        const bool is_other = run->act == ACT_PART_OTHER_SAMPLE && run->is_part && frame % 40 == 0;
        write_nal(w, is_other ? 0x22 : 0x21, frame, 64);
        return;
    }
    const bool key = is_key(run, frame);
    const size_t bytes = key ? 400 : 120;
    if (run->act == ACT_NAL_SETS && key) {
        write_u32(w, 6);
        write_nal(w, 0x68, frame, 6);
    }
    write_u32(w, (uint32_t)bytes + (run->act == ACT_NAL_LENGTH && frame % 30 == 7 ? 9 : 0));
    write_nal(w, key ? 0x65 : 0x41, run->act == ACT_PART_OTHER_SAMPLE && run->is_part && frame % 25 == 4 ? 1 : frame,
              bytes);
}

static uint32_t sample_duration(const struct double_run *run, int64_t frame)
{
    if (!run->is_audio) return TICKS;
    if (run->act == ACT_AUDIO_UNEVEN) return frame % 2 ? 1000 : 1048;
    return DOUBLE_AAC;
}

static int32_t composition(const struct double_run *run, int64_t frame)
{
    if (run->is_audio) return 0;
    if (run->act == ACT_PTS_LATE) return TICKS;
    if (run->act == ACT_PTS_TWICE && frame % 10 == 5) return -TICKS;
    return 0;
}

static int64_t first_time(const struct double_run *run)
{
    const int64_t step = run->is_audio ? DOUBLE_AAC : TICKS;
    int64_t time = run->zero_ticks + run->first * step;
    if (run->act == ACT_TFDT_JUMPS && !run->is_audio && run->segment >= 4) time += 90000 * 3;
    if (run->act == ACT_TFDT_OVERLAPS && !run->is_audio && run->segment % 2) time -= 900;
    return time;
}

uint8_t *double_fragment(const struct double_run *run, size_t *bytes)
{
    struct byte_writer w;
    byte_writer_init(&w, MEDIA_BYTES_MAX);
    if (run->has_styp) {
        const size_t styp = box(&w, "styp");
        write_text(&w, "msdh");
        write_u32(&w, 0);
        write_text(&w, "msdh");
        end(&w, styp);
    }
    if (run->act == ACT_PART_OTHER_BYTES && run->is_part) {
        const size_t skip = box(&w, "free");
        end(&w, skip);
    }
    const size_t moof = box(&w, "moof"), mfhd = full_box(&w, "mfhd", 0);
    write_u32(&w, run->act == ACT_SEQUENCE_FALLS ? 100000 - run->sequence : run->sequence);
    end(&w, mfhd);
    const size_t traf = box(&w, "traf"), tfhd = full_box(&w, "tfhd", 0x020000);
    write_u32(&w, 1);
    end(&w, tfhd);
    const size_t tfdt = full_box(&w, "tfdt", 1u << 24);
    write_u64(&w, (uint64_t)first_time(run));
    end(&w, tfdt);
    const size_t trun = full_box(&w, "trun", 1u << 24 | 0xF01);
    write_u32(&w, (uint32_t)(run->end - run->first));
    const size_t offset_at = w.bytes;
    write_u32(&w, 0);
    size_t payload = 0;
    for (int64_t i = run->first; i < run->end; i++) {
        const bool claims = run->act == ACT_SYNC_CLAIMED && i % DOUBLE_GOP == 20;
        const bool is_sync = run->is_audio || is_key(run, i) || claims;
        write_u32(&w, sample_duration(run, i));
        write_u32(&w, (uint32_t)sample_bytes(run, i));
        write_u32(&w, is_sync ? 0x02000000 : 0x01010000);
        write_u32(&w, (uint32_t)composition(run, i));
        payload += sample_bytes(run, i);
    }
    end(&w, trun);
    end(&w, traf);
    end(&w, moof);
    patch_u32(&w, offset_at, (uint32_t)(w.bytes + 8 - moof));
    write_u32(&w, (uint32_t)payload + 8);
    write_text(&w, "mdat");
    for (int64_t i = run->first; i < run->end; i++) write_sample(&w, run, i);
    return take(&w, bytes);
}

size_t double_first_frame_end(const struct double_run *run)
{
    size_t bytes, at = 0;
    uint8_t *data = double_fragment(run, &bytes);
    while (memcmp(data + at, "mdat", 4)) at++;
    free(data);
    return at + 4 + sample_bytes(run, run->first);
}

/* -- TS -- */

enum { PID_PMT = 0x1000, PID_VIDEO = 0x100, PID_AUDIO = 0x101, PACKET = 188 };

static uint32_t crc_of(const uint8_t *data, size_t bytes)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < bytes; i++) {
        for (int bit = 7; bit >= 0; bit--) {
            const bool top = (crc >> 31) ^ (data[i] >> bit & 1);
            crc = crc << 1 ^ (top ? 0x04C11DB7u : 0);
        }
    }
    return crc;
}

struct ts_out {
    struct byte_writer w;
    uint8_t counters[4];
    enum double_act act;
};

/* One packet: at most what fits; returns how much of the payload went in. pcr_90k < 0: none. */
static size_t write_packet(struct ts_out *o, uint16_t pid, uint8_t *counter, bool is_start, int64_t pcr_90k,
                           const uint8_t *payload, size_t bytes)
{
    const size_t head = 4 + (pcr_90k >= 0 ? 8 : 0), room = PACKET - head;
    const size_t put = bytes < room ? bytes : room, stuffing = room - put;
    const bool has_field = pcr_90k >= 0 || stuffing;
    write_u8(&o->w, 0x47);
    write_u16(&o->w, (uint16_t)((is_start ? 0x4000 : 0) | pid));
    write_u8(&o->w, (uint8_t)((has_field ? 0x30 : 0x10) | (*counter & 0xF)));
    (*counter)++;
    if (has_field) {
        const size_t field = (pcr_90k >= 0 ? 7 : 0) + stuffing - (pcr_90k >= 0 ? 0 : 1);
        write_u8(&o->w, (uint8_t)field);
        if (field) write_u8(&o->w, pcr_90k >= 0 ? 0x10 : 0);
        size_t left = field ? field - 1 : 0;
        if (pcr_90k >= 0) {
            write_u32(&o->w, (uint32_t)(pcr_90k >> 1));
            write_u8(&o->w, (uint8_t)((pcr_90k & 1) << 7 | 0x7E));
            write_u8(&o->w, 0);
            left -= 6;
        }
        for (size_t i = 0; i < left; i++) write_u8(&o->w, 0xFF);
    }
    write_bytes(&o->w, payload, put);
    return put;
}

static void write_table(struct ts_out *o, uint16_t pid, uint8_t *counter, const uint8_t *body, size_t bytes)
{
    uint8_t section[PACKET] = { 0 };
    section[0] = 0; /* pointer */
    memcpy(section + 1, body, bytes);
    uint32_t crc = crc_of(section + 1, bytes);
    if (o->act == ACT_TS_CRC && pid == PID_PMT) crc ^= 1;
    store_u32(section + 1 + bytes, crc);
    memset(section + 5 + bytes, 0xFF, sizeof section - 5 - bytes);
    write_packet(o, pid, counter, true, -1, section, PACKET - 4);
}

static void write_tables_of(struct ts_out *o)
{
    static const uint8_t pat[] = { 0x00, 0xB0, 0x0D, 0x00, 0x01, 0xC1, 0x00, 0x00, 0x00, 0x01, 0xF0, 0x00 };
    static const uint8_t pmt[] = { 0x02, 0xB0, 0x17, 0x00, 0x01, 0xC1, 0x00, 0x00, 0xE1, 0x00, 0xF0,
                                   0x00, 0x1B, 0xE1, 0x00, 0xF0, 0x00, 0x0F, 0xE1, 0x01, 0xF0, 0x00 };
    write_table(o, 0, &o->counters[0], pat, sizeof pat);
    write_table(o, PID_PMT, &o->counters[1], pmt, sizeof pmt);
}

static void put_time(uint8_t *at, unsigned mark, int64_t t)
{
    at[0] = (uint8_t)(mark << 4 | (t >> 30 & 7) << 1 | 1);
    at[1] = (uint8_t)(t >> 22);
    at[2] = (uint8_t)((t >> 15 & 0x7F) << 1 | 1);
    at[3] = (uint8_t)(t >> 7);
    at[4] = (uint8_t)((t & 0x7F) << 1 | 1);
}

static void write_pes(struct ts_out *o, uint16_t pid, uint8_t *counter, int64_t pts, int64_t dts, int64_t pcr,
                      const uint8_t *data, size_t bytes)
{
    uint8_t pes[2048] = { 0, 0, 1, pid == PID_VIDEO ? 0xE0 : 0xC0 };
    const size_t header = 19;
    size_t length = bytes + header - 6;
    if (o->act == ACT_TS_LENGTH && pid == PID_AUDIO) length += 5;
    pes[4] = (uint8_t)(length >> 8);
    pes[5] = (uint8_t)length;
    pes[6] = 0x80;
    pes[7] = 0xC0;
    pes[8] = 10;
    put_time(pes + 9, 3, pts);
    put_time(pes + 14, 1, dts);
    memcpy(pes + header, data, bytes);
    size_t at = 0;
    while (at < header + bytes)
        at += write_packet(o, pid, counter, at == 0, at == 0 ? pcr : -1, pes + at, header + bytes - at);
}

static void write_ts_video(struct ts_out *o, int64_t frame, int64_t zero)
{
    static const uint8_t start[] = { 0, 0, 0, 1 };
    struct byte_writer w;
    byte_writer_init(&w, 4096);
    const bool key = frame % DOUBLE_GOP == 0 && o->act != ACT_TS_NO_IDR;
    write_bytes(&w, start, 4);
    write_u16(&w, 0x09F0);
    if (key) {
        write_bytes(&w, start, 4);
        write_bytes(&w, avc_record[0] + 8, 25);
        write_bytes(&w, start, 4);
        write_bytes(&w, avc_record[0] + 36, 6);
    }
    write_bytes(&w, start, 4);
    write_nal(&w, key ? 0x65 : 0x41, frame, key ? 400 : 120);
    int64_t dts = zero + frame * TICKS;
    if (o->act == ACT_TS_DTS_BACK && frame % DOUBLE_GOP == 30) dts -= 3 * TICKS;
    const int64_t pts = o->act == ACT_TS_PTS_EARLY && frame % DOUBLE_GOP == 30 ? dts - 900 : dts;
    const bool has_pcr = o->act == ACT_TS_PCR_RARE ? frame % 5 == 0 : frame % 2 == 0;
    const int64_t pcr = dts - (o->act == ACT_TS_PCR_AHEAD ? -9000 : 9000);
    write_pes(o, PID_VIDEO, &o->counters[2], pts, dts, has_pcr ? pcr : -1, w.data, w.bytes);
    byte_writer_deinit(&w);
}

static void write_ts_audio(struct ts_out *o, int64_t frame, int64_t zero)
{
    uint8_t adts[7 + 64] = { 0xFF, 0xF1, 0x4C, 0x80, (71 >> 3) & 0xFF, (uint8_t)((71 & 7) << 5 | 0x1F), 0xFC };
    memset(adts + 7, (int)(0x20 | (frame & 0xF)), 64);
    int64_t pts = zero + frame * DOUBLE_AAC * 90000 / DOUBLE_RATE;
    if (o->act == ACT_TS_AUDIO_OFF) pts += 9000;
    write_pes(o, PID_AUDIO, &o->counters[3], pts, pts, -1, adts, sizeof adts);
}

/* Counters as if all segments before had been written: so many packets each. */
static void count_before(struct ts_out *o, unsigned segment)
{
    struct ts_out one = { .act = ACT_NONE };
    byte_writer_init(&one.w, MEDIA_BYTES_MAX);
    for (unsigned i = 0; i < segment; i++) {
        byte_writer_clear(&one.w);
        write_tables_of(&one);
        for (int64_t f = 0; f < DOUBLE_GOP; f++) write_ts_video(&one, f, 0);
        const int64_t from = (int64_t)i * 2 * DOUBLE_RATE / DOUBLE_AAC,
                      to = (int64_t)(i + 1) * 2 * DOUBLE_RATE / DOUBLE_AAC;
        for (int64_t f = from; f < to; f++) write_ts_audio(&one, f, 0);
    }
    memcpy(o->counters, one.counters, sizeof o->counters);
    byte_writer_deinit(&one.w);
}

uint8_t *double_ts_segment(unsigned segment, int64_t zero_90k, enum double_act act, size_t *bytes)
{
    struct ts_out o = { .act = act };
    byte_writer_init(&o.w, MEDIA_BYTES_MAX);
    count_before(&o, segment);
    if (act == ACT_TS_COUNTER_JOINT && segment % 2) o.counters[2] += 3;
    if (act != ACT_TS_NO_TABLES) write_tables_of(&o);
    if (act == ACT_TS_GAP && segment % 2) zero_90k += 18000;
    int64_t audio = (int64_t)segment * 2 * DOUBLE_RATE / DOUBLE_AAC;
    const int64_t audio_end = (int64_t)(segment + 1) * 2 * DOUBLE_RATE / DOUBLE_AAC;
    for (int64_t f = 0; f < DOUBLE_GOP; f++) {
        const int64_t frame = (int64_t)segment * DOUBLE_GOP + f;
        if (act == ACT_TS_COUNTER && f == 20) o.counters[2]++;
        write_ts_video(&o, frame, zero_90k);
        while (audio < audio_end && audio * DOUBLE_AAC * DOUBLE_FPS <= frame * DOUBLE_RATE)
            write_ts_audio(&o, audio++, zero_90k);
    }
    while (audio < audio_end) write_ts_audio(&o, audio++, zero_90k);
    if (act == ACT_TS_SYNC_BYTE) o.w.data[PACKET * 5] = 0x46;
    return take(&o.w, bytes);
}
