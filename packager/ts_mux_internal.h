/* The tables of a transport stream, and what its streams are called in them. */
#ifndef WEIR_PACKAGER_TS_MUX_INTERNAL_H
#define WEIR_PACKAGER_TS_MUX_INTERNAL_H

#include <weir/base/bytes.h>
#include <weir/base/limits.h>

#include "ts_mux.h"

#define TS_MUX_PMT_PID 0x1000
#define TS_MUX_VIDEO_PID 0x100
#define TS_MUX_AUDIO_PID 0x101
#define TS_MUX_ID3_PID 0x102
#define TS_MUX_SECTION_BYTES_MAX 183 /* each table fits one packet */
#define AUDIO_FRAME_BYTES_MAX 8000   /* longer ones are left out: no codec that is carried here makes them */

#define TAG_BYTES_MAX 65000 /* longer ones are left out: their PES could not say its length */

/* Whole sections with their CRC; return their length. */
size_t ts_mux_pat(uint8_t out[TS_MUX_SECTION_BYTES_MAX]);
size_t ts_mux_pmt(uint8_t out[TS_MUX_SECTION_BYTES_MAX], const struct ts_mux_segment *segment, bool has_id3,
                  unsigned version);
/* The parameter sets of a configuration, each behind a start code. */
void ts_mux_parameter_sets(const struct track *track, struct byte_writer *out);

/* The clock is on them then. */
static inline bool ts_mux_has_pictures(const struct ts_mux_segment *s)
{
    return s->video && s->video_count;
}

#endif
