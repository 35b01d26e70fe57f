/* What publishers send: some seconds of coded pictures and sound, made or read once, and looped for ever with times that go on.
 * Immutable once made: any number of publishers on any thread share one. Its bytes are those of a memory mapping.
 *
 * Video is H.264 or HEVC with 4-byte lengths and without parameter sets; audio is AAC without ADTS. Built in: a moving picture with the
 * frame's number and the time in the loop burnt in, a square that is white for the first 100 ms of each second, and a beep in step. */
#ifndef WEIR_LOADGEN_MEDIA_SOURCE_H
#define WEIR_LOADGEN_MEDIA_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/bytes.h>
#include <weir/media/codec.h>

struct media_source;

struct media_source_config {
    const char *file; /* NULL: built in, as the fields below say */
    uint32_t width, height, fps_num, fps_den;
    enum media_codec video; /* CODEC_H264 or CODEC_HEVC */
    uint32_t bitrate_kbps;  /* of the video */
    uint32_t gop_frames;
    bool has_video, has_audio;
    bool wants_ts; /* a transport stream as well: for SRT */
};

/* "test:720p30", "test:1080p59.94:hevc:6000k:gop=60", "test:audio", "test:360p25:silent", or the path of a file. Fills in defaults (H.264, a
 * bitrate that suits the size, a GOP of 2 s, sound). text is kept, not copied. wants_ts is left as it is. false: why says what was
 * wrong and what was expected. */
bool media_source_parse(const char *text, struct media_source_config *out, char *why, size_t why_bytes);

/* Works in a child process (FFmpeg lives and dies there), so no thread of the caller's may hold a lock of libc's: make sources before
 * starting threads. Blocks for a second or a few. WEIR_IO, WEIR_UNSUPPORTED, WEIR_MALFORMED, WEIR_LIMIT: why says what was wrong and
 * what was expected. */
WEIR_MUST_CHECK enum weir_err media_source_make(const struct media_source_config *config, struct media_source **out,
                                                char *why, size_t why_bytes);
void media_source_destroy(struct media_source *s); /* NULL is fine */

/* One access unit or audio frame. */
struct media_item {
    uint64_t at; /* of its bytes, from the beginning of the mapping */
    uint32_t bytes;
    int32_t cts_90k; /* pts - dts */
    int64_t dts_90k; /* from the beginning of the loop, which is at 0; in rising order */
    uint32_t frame;  /* which of its track's */
    bool is_video, is_key;
};

/* Some transport packets that go out together: of one access unit, or of several audio frames. */
struct media_ts_piece {
    uint64_t at;
    uint32_t packets;
    uint32_t stamp_at; /* of the stamp within the piece, its picture's or its first audio frame's; 0: has none */
    int64_t dts_90k;
    int64_t pts_90k; /* of what is stamped, from the beginning of the loop */
    uint32_t frame;
    bool is_video;
    bool is_key; /* begins a picture that can be entered */
};

struct media_source_facts {
    enum media_codec video, audio; /* 0: not there */
    uint32_t width, height, fps_num, fps_den, sample_rate, channels;
    uint32_t video_kbps, audio_kbps; /* measured over the loop */
    int64_t loop_90k;
    uint32_t video_frames, audio_frames; /* in the loop */
};

const struct media_source_facts *media_source_facts(const struct media_source *s);
/* Configurations as the container carries them: avcC or hvcC body, AudioSpecificConfig. Empty: no such track. */
struct byte_span media_source_video_config(const struct media_source *s);
struct byte_span media_source_audio_config(const struct media_source *s);
const struct media_item *media_source_items(const struct media_source *s, uint32_t *count);
/* count 0: made without wants_ts. */
const struct media_ts_piece *media_source_ts(const struct media_source *s, uint32_t *count);
const uint8_t *media_source_bytes(const struct media_source *s, uint64_t at);
/* By how much the continuity counter of each of the 8192 PIDs moves in a loop, modulo 16. NULL without wants_ts. */
const uint8_t *media_source_ts_counters(const struct media_source *s);
/* The PTS, in the transport stream as it lies there, of what is at 0 in the loop. */
int64_t media_source_ts_origin_90k(const struct media_source *s);

#endif
