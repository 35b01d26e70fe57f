/* Small scenes for the demux's tests: pictures with their Annex B and their sample side by side, and the text that a demux should give. */
#ifndef WEIR_TESTS_TS_SCENE_H
#define WEIR_TESTS_TS_SCENE_H

#include "ts_builder.h"
#include "ts_recorder.h"

#define VIDEO_PID 0x100
#define AUDIO_PID 0x101
#define PMT_PID 0x1000

#define H264_SPS "6764000aacd9420bf970110000030001000003003c0f122596"
#define H264_PPS "68ebe3cb22c0"

/* An access unit, as it is on the wire and as it should come out. */
struct picture {
    uint8_t wire[65536], sample[65536];
    size_t wire_bytes, sample_bytes;
    bool is_key;
};

void picture_init(struct picture *p);
/* start_code_bytes: 3 or 4; is_kept: stands in the sample. */
void picture_add(struct picture *p, const uint8_t *nal, size_t bytes, size_t start_code_bytes, bool is_kept);
void picture_add_hex(struct picture *p, const char *nal_hex, size_t start_code_bytes, bool is_kept);
/* A slice: `head_hex`, then `bytes` of noise (it holds start codes' bytes, but no start code) that ends in 0x80. */
void picture_add_noise(struct picture *p, const char *head_hex, size_t bytes, unsigned seed, size_t start_code_bytes);
/* H.264: delimiter, parameter sets before keys, one slice. */
void picture_h264(struct picture *p, bool is_key, bool has_delimiter, size_t bytes, unsigned seed);

struct scene {
    struct ts_builder ts;
    struct byte_writer expected;
    struct ts_demux_config config;
};

void scene_init(struct scene *s);
void scene_deinit(struct scene *s);
/* PAT and PMT with one H.264 and one ADTS stream, and the lines that announce them. */
void scene_tables(struct scene *s);
void scene_expect(struct scene *s, const char *format, ...) WEIR_PRINTF(2, 3);
/* tail: "", " damaged", ... */
void scene_expect_frame(struct scene *s, const char *kind, unsigned index, uint64_t pts, uint64_t dts,
                        const uint8_t *sample, size_t bytes, const char *tail);
void scene_expect_picture(struct scene *s, uint64_t pts, uint64_t dts, const struct picture *p, const char *tail);
/* One PES of unknown length. */
void scene_picture(struct scene *s, uint64_t pts, uint64_t dts, const struct picture *p);
/* Runs whole, byte by byte, in odd pieces and (short scenes) at every split: the text must be what is expected each time. */
void scene_check(struct scene *s);
/* As scene_check, whole only, and gives the recorder back for its counters; deinit it. */
void scene_run(struct scene *s, struct ts_recorder *r);

#endif
