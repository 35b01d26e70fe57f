/* ADTS: AAC frames that carry their configuration in front of each (ISO 13818-7, 6.2; ISO 14496-3, 1.A.2.2). Pure. */
#ifndef WEIR_MEDIA_ADTS_H
#define WEIR_MEDIA_ADTS_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/bytes.h>
#include <weir/base/err.h>

#define ADTS_HEADER_BYTES 7      /* without CRC */
#define ADTS_CONFIG_BYTES_MAX 64 /* an AudioSpecificConfig with a program_config_element, its comment left out */

struct adts_header {
    unsigned object_type, frequency_index, channel_configuration;
    unsigned raw_blocks; /* in the frame: 1 but for the rarest encoders */
    uint32_t sample_rate;
    size_t header_bytes, frame_bytes; /* 7, or 9 with a CRC; with the header */
};

/* Reads the first ADTS_HEADER_BYTES; false: no header, or an impossible one. */
bool adts_header_read(struct byte_span in, struct adts_header *out);
/* The AudioSpecificConfig that the header means. Where it says no channel configuration, the program_config_element at the start of
 * the frame (with its header) does. WEIR_UNSUPPORTED: neither does, and *why says so. */
WEIR_MUST_CHECK enum weir_err adts_config(const struct adts_header *header, struct byte_span frame,
                                          uint8_t out[ADTS_CONFIG_BYTES_MAX], size_t *out_bytes, const char **why);
/* The header of a frame of `payload_bytes` under an AudioSpecificConfig: of SBR and PS the core is named, as ADTS wants it.
 * WEIR_UNSUPPORTED: ADTS has no way to say this configuration. WEIR_LIMIT: the frame is longer than ADTS can say. */
WEIR_MUST_CHECK enum weir_err adts_header_write(struct byte_span config, size_t payload_bytes,
                                                uint8_t out[ADTS_HEADER_BYTES], const char **why);

#endif
