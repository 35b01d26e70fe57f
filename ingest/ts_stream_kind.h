/* What an elementary stream is, from its stream_type and descriptors (H.222.0 table 2-34, DVB EN 300 468, ATSC A/53 and A/52, SCTE 35,
 * the Opus and AV1 drafts). */
#ifndef WEIR_INGEST_TS_STREAM_KIND_H
#define WEIR_INGEST_TS_STREAM_KIND_H

#include <weir/ingest/ts_demux.h>

#include "ts_section.h"

enum ts_role {
    TS_ROLE_NONE = 1, /* named and not carried */
    TS_ROLE_VIDEO,
    TS_ROLE_ADTS,
    TS_ROLE_LATM,
    TS_ROLE_MPEG_AUDIO, /* the layer stands in the frames: MP3 is carried, the others are not */
    TS_ROLE_AC3,        /* AC-3 and E-AC-3 */
    TS_ROLE_OPUS,
    TS_ROLE_ID3,
    TS_ROLE_KLV,
    TS_ROLE_SCTE35
};

struct ts_stream_kind {
    enum ts_role role;
    uint8_t opus_channel_code; /* TS_ROLE_OPUS; 255 when no descriptor says it */
    struct ts_track track;     /* index is not filled in */
};

void ts_stream_kind_read(const struct ts_pmt_stream *stream, struct byte_span program_descriptors,
                         struct ts_stream_kind *out);

#endif
