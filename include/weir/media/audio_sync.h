/* Headers of audio frames that follow each other in a stream without a container: where a frame ends, and how long it sounds.
 * Pure. AAC: adts.h and latm.h. Opus in a transport stream: opus_ts.h. */
#ifndef WEIR_MEDIA_AUDIO_SYNC_H
#define WEIR_MEDIA_AUDIO_SYNC_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/bytes.h>

#define MPEG_AUDIO_HEADER_BYTES 4
#define AC3_HEADER_BYTES 6

/* MPEG audio of all three layers (ISO 11172-3, 2.4.1.3; ISO 13818-3). */
struct mpeg_audio_header {
    unsigned layer; /* 1 to 3 */
    uint32_t sample_rate, channels, samples;
    size_t frame_bytes; /* with the header */
};
/* false: no header, a reserved value, or the free format, whose frames do not say their length. */
bool mpeg_audio_header_read(struct byte_span in, struct mpeg_audio_header *out);

/* AC-3 and E-AC-3 (ETSI TS 102 366, 4.3.1, E.1.2.1). */
struct ac3_header {
    bool is_enhanced; /* E-AC-3 */
    bool begins_unit; /* an independent substream 0: other substreams belong to the frame before them */
    uint32_t sample_rate, samples;
    size_t frame_bytes;
};
bool ac3_header_read(struct byte_span in, struct ac3_header *out);

#endif
