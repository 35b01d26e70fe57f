/* fMP4 for CMAF: an init segment per track, media segments of one moof and one mdat (ISO 14496-12, 23000-19). Pure. */
#ifndef WEIR_PACKAGER_FMP4_H
#define WEIR_PACKAGER_FMP4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/media/track.h>

struct fmp4_sample {
    struct piece payload;
    int64_t dts; /* in the track's timescale */
    uint32_t duration;
    int32_t composition_offset;
    bool is_sync;        /* as the file says it */
    bool is_independent; /* not written: decoding may begin here, and nothing after it needs anything before */
};

/* 90000 for video, the sample rate for audio. */
uint32_t fmp4_timescale(const struct codec_facts *facts);
/* ftyp and moov. NULL: no memory. */
struct frozen *fmp4_init_write(const struct track *track);
/* Payloads that adjoin in one blob over so many bytes are referenced; others are copied behind the header. */
#define FMP4_BLOCK_BYTES (32 * 1024)
/* A CMAF chunk: moof and mdat, behind a styp where it begins a segment.
 * tfdt is the first sample's dts; each next one must begin where the one before ends (asserted). sequence: of the moof, rising. NULL: no memory. */
struct frozen *fmp4_chunk_write(uint32_t sequence, const struct fmp4_sample *samples, size_t count,
                                bool begins_segment);

#endif
