/* Init segments: ftyp, moov and the sample entry of each codec (ISO 14496-12, 14496-14, 14496-15 and the codecs' bindings). */
#include <assert.h>
#include <string.h>

#include "fmp4.h"
#include "fmp4_box.h"

#define INIT_BYTES_MAX (16 * 1024)

static void write_ftyp(struct byte_writer *w)
{
    const size_t ftyp = box_open(w, "ftyp");
    write_text(w, "iso6");
    write_u32(w, 0);
    write_text(w, "iso6cmfcmp41");
    box_close(w, ftyp);
}

static void write_matrix(struct byte_writer *w)
{
    static const uint32_t unity[9] = { 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000 };
    for (int i = 0; i < 9; i++) write_u32(w, unity[i]);
}

static void write_mvhd(struct byte_writer *w)
{
    const size_t mvhd = full_box_open(w, "mvhd", 0, 0);
    write_zeros(w, 8);
    write_u32(w, 1000);
    write_u32(w, 0);
    write_u32(w, 0x10000);
    write_u16(w, 0x100);
    write_zeros(w, 10);
    write_matrix(w);
    write_zeros(w, 24);
    write_u32(w, 2); /* next track */
    box_close(w, mvhd);
}

static void write_tkhd(struct byte_writer *w, const struct codec_facts *f)
{
    const bool is_video = f->kind == MEDIA_VIDEO;
    const size_t tkhd = full_box_open(w, "tkhd", 0, 3);
    write_zeros(w, 8);
    write_u32(w, 1);
    write_zeros(w, 4 + 4 + 8 + 2 + 2);
    write_u16(w, is_video ? 0 : 0x100);
    write_u16(w, 0);
    write_matrix(w);
    write_u32(w, is_video ? f->width << 16 : 0);
    write_u32(w, is_video ? f->height << 16 : 0);
    box_close(w, tkhd);
}

static void write_config_box(struct byte_writer *w, const char *type, struct byte_span config)
{
    const size_t box = box_open(w, type);
    write_bytes(w, config.data, config.bytes);
    box_close(w, box);
}

static void write_full_config_box(struct byte_writer *w, const char *type, unsigned version, struct byte_span config)
{
    const size_t box = full_box_open(w, type, version, 0);
    write_bytes(w, config.data, config.bytes);
    box_close(w, box);
}

static void write_video_entry(struct byte_writer *w, const struct codec_facts *f, struct byte_span config)
{
    const char *type = f->codec == CODEC_H264   ? "avc1"
                       : f->codec == CODEC_HEVC ? "hvc1"
                       : f->codec == CODEC_AV1  ? "av01"
                                                : "vp09";
    const size_t entry = box_open(w, type);
    write_zeros(w, 6);
    write_u16(w, 1);
    write_zeros(w, 16);
    write_u16(w, (uint16_t)f->width);
    write_u16(w, (uint16_t)f->height);
    write_u32(w, 0x480000);
    write_u32(w, 0x480000);
    write_u32(w, 0);
    write_u16(w, 1);
    write_zeros(w, 32);
    write_u16(w, 0x18);
    write_u16(w, 0xFFFF);
    switch (f->codec) {
    case CODEC_H264: write_config_box(w, "avcC", config); break;
    case CODEC_HEVC: write_config_box(w, "hvcC", config); break;
    case CODEC_AV1: write_config_box(w, "av1C", config); break;
    default: write_full_config_box(w, "vpcC", 1, config); break;
    }
    if (f->sar_num && f->sar_den && f->sar_num != f->sar_den) {
        const size_t pasp = box_open(w, "pasp");
        write_u32(w, f->sar_num);
        write_u32(w, f->sar_den);
        box_close(w, pasp);
    }
    box_close(w, entry);
}

/* ISO 14496-1, 7.2.6: descriptors with a one-byte length; AudioSpecificConfig is far below 100 bytes in practice, and
 * longer ones take the four-byte form. */
static void write_descriptor(struct byte_writer *w, unsigned tag, size_t bytes)
{
    write_u8(w, (uint8_t)tag);
    write_u8(w, (uint8_t)(0x80 | (bytes >> 21 & 0x7F)));
    write_u8(w, (uint8_t)(0x80 | (bytes >> 14 & 0x7F)));
    write_u8(w, (uint8_t)(0x80 | (bytes >> 7 & 0x7F)));
    write_u8(w, (uint8_t)(bytes & 0x7F));
}

static void write_esds(struct byte_writer *w, const struct codec_facts *f, struct byte_span config)
{
    enum { DESCRIPTOR_HEAD = 5, DECODER_CONFIG = 13, OBJECT_AAC = 0x40, OBJECT_MP3 = 0x6B, STREAM_AUDIO = 5 << 2 | 1 };
    const size_t specific = config.bytes ? DESCRIPTOR_HEAD + config.bytes : 0;
    const size_t esds = full_box_open(w, "esds", 0, 0);
    write_descriptor(w, 3, 3 + DESCRIPTOR_HEAD + DECODER_CONFIG + specific + DESCRIPTOR_HEAD + 1);
    write_u16(w, 1);
    write_u8(w, 0);
    write_descriptor(w, 4, DECODER_CONFIG + specific);
    write_u8(w, f->codec == CODEC_MP3 ? OBJECT_MP3 : OBJECT_AAC);
    write_u8(w, STREAM_AUDIO);
    write_u24(w, 0); /* buffer size and bit rates: not known, not needed */
    write_u32(w, 0);
    write_u32(w, 0);
    if (specific) {
        write_descriptor(w, 5, config.bytes);
        write_bytes(w, config.data, config.bytes);
    }
    write_descriptor(w, 6, 1);
    write_u8(w, 2);
    box_close(w, esds);
}

static void write_audio_entry(struct byte_writer *w, const struct codec_facts *f, struct byte_span config)
{
    const char *type = f->codec == CODEC_OPUS   ? "Opus"
                       : f->codec == CODEC_FLAC ? "fLaC"
                       : f->codec == CODEC_AC3  ? "ac-3"
                       : f->codec == CODEC_EAC3 ? "ec-3"
                                                : "mp4a";
    const size_t entry = box_open(w, type);
    write_zeros(w, 6);
    write_u16(w, 1);
    write_zeros(w, 8);
    write_u16(w, (uint16_t)f->channels);
    write_u16(w, 16);
    write_zeros(w, 4);
    write_u32(w, f->sample_rate < 65536 ? f->sample_rate << 16 : 0);
    switch (f->codec) {
    case CODEC_OPUS: write_config_box(w, "dOps", config); break;
    case CODEC_FLAC: write_full_config_box(w, "dfLa", 0, config); break;
    case CODEC_AC3: write_config_box(w, "dac3", config); break;
    case CODEC_EAC3: write_config_box(w, "dec3", config); break;
    default: write_esds(w, f, config); break;
    }
    box_close(w, entry);
}

static void write_stbl(struct byte_writer *w, const struct codec_facts *f, struct byte_span config)
{
    static const char *const empty[] = { "stts", "stsc", "stco" };
    const size_t stbl = box_open(w, "stbl");
    const size_t stsd = full_box_open(w, "stsd", 0, 0);
    write_u32(w, 1);
    if (f->kind == MEDIA_VIDEO)
        write_video_entry(w, f, config);
    else
        write_audio_entry(w, f, config);
    box_close(w, stsd);
    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        const size_t box = full_box_open(w, empty[i], 0, 0);
        write_u32(w, 0);
        box_close(w, box);
    }
    const size_t stsz = full_box_open(w, "stsz", 0, 0);
    write_zeros(w, 8);
    box_close(w, stsz);
    box_close(w, stbl);
}

static void write_minf(struct byte_writer *w, const struct codec_facts *f, struct byte_span config)
{
    const size_t minf = box_open(w, "minf");
    if (f->kind == MEDIA_VIDEO) {
        const size_t vmhd = full_box_open(w, "vmhd", 0, 1);
        write_zeros(w, 8);
        box_close(w, vmhd);
    } else {
        const size_t smhd = full_box_open(w, "smhd", 0, 0);
        write_zeros(w, 4);
        box_close(w, smhd);
    }
    const size_t dinf = box_open(w, "dinf");
    const size_t dref = full_box_open(w, "dref", 0, 0);
    write_u32(w, 1);
    const size_t url = full_box_open(w, "url ", 0, 1);
    box_close(w, url);
    box_close(w, dref);
    box_close(w, dinf);
    write_stbl(w, f, config);
    box_close(w, minf);
}

static void write_mdia(struct byte_writer *w, const struct codec_facts *f, struct byte_span config)
{
    static const char video_name[] = "weir video", audio_name[] = "weir audio";
    const bool is_video = f->kind == MEDIA_VIDEO;
    const size_t mdia = box_open(w, "mdia");
    const size_t mdhd = full_box_open(w, "mdhd", 0, 0);
    write_zeros(w, 8);
    write_u32(w, fmp4_timescale(f));
    write_u32(w, 0);
    write_u16(w, 0x55C4); /* und */
    write_u16(w, 0);
    box_close(w, mdhd);
    const size_t hdlr = full_box_open(w, "hdlr", 0, 0);
    write_u32(w, 0);
    write_text(w, is_video ? "vide" : "soun");
    write_zeros(w, 12);
    write_bytes(w, is_video ? video_name : audio_name, sizeof video_name);
    box_close(w, hdlr);
    write_minf(w, f, config);
    box_close(w, mdia);
}

static void write_moov(struct byte_writer *w, const struct codec_facts *f, struct byte_span config)
{
    const size_t moov = box_open(w, "moov");
    write_mvhd(w);
    const size_t trak = box_open(w, "trak");
    write_tkhd(w, f);
    write_mdia(w, f, config);
    box_close(w, trak);
    const size_t mvex = box_open(w, "mvex");
    const size_t trex = full_box_open(w, "trex", 0, 0);
    write_u32(w, 1);
    write_u32(w, 1);
    write_zeros(w, 12);
    box_close(w, trex);
    box_close(w, mvex);
    box_close(w, moov);
}

struct frozen *fmp4_init_write(const struct track *track)
{
    struct byte_writer w;
    byte_writer_init(&w, INIT_BYTES_MAX);
    write_ftyp(&w);
    write_moov(&w, track_facts(track), track_config(track));
    struct frozen *init = byte_writer_freeze(&w);
    byte_writer_deinit(&w);
    return init;
}
