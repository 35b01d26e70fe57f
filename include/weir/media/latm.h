/* LATM in LOAS: AAC whose configuration stands in the stream now and then (ISO 14496-3, 1.7). Pure.
 * One program with one layer is read, of any number of subframes; more is not used by anyone in a transport stream. */
#ifndef WEIR_MEDIA_LATM_H
#define WEIR_MEDIA_LATM_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/bytes.h>
#include <weir/base/err.h>

#define LOAS_HEADER_BYTES 3
#define LATM_CONFIG_BYTES_MAX 64
#define LATM_SUBFRAMES_MAX 64

/* What the last StreamMuxConfig said; zeroed at the start. */
struct latm_state {
    bool is_known, has_other_data;
    unsigned subframes;
    uint8_t config[LATM_CONFIG_BYTES_MAX]; /* AudioSpecificConfig */
    size_t config_bytes;
};

/* Where a subframe's bytes are: they begin at any bit. */
struct latm_payload {
    size_t bit, bytes;
};

struct latm_element {
    struct latm_payload payloads[LATM_SUBFRAMES_MAX];
    size_t count;
};

/* The whole element's bytes with its header, from the first LOAS_HEADER_BYTES; 0: no sync word there. */
size_t loas_element_bytes(struct byte_span in);
/* Reads a whole element, header included. WEIR_STATE: no configuration has come yet. WEIR_MALFORMED, WEIR_UNSUPPORTED: *why; the state
 * is as it was. */
WEIR_MUST_CHECK enum weir_err latm_element_read(struct latm_state *state, struct byte_span element,
                                                struct latm_element *out, const char **why);
/* Copies a payload out of its element; `out` has payload->bytes. */
void latm_payload_copy(struct byte_span element, const struct latm_payload *payload, uint8_t *out);

#endif
