/* Writes transport streams for tests, well formed unless asked otherwise. Shares nothing with the demux or the mux. */
#ifndef WEIR_TESTS_TS_BUILDER_H
#define WEIR_TESTS_TS_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TS_BUILD_BYTES_MAX (4 * 1024 * 1024)
#define NO_TIME UINT64_MAX
#define NO_PCR UINT64_MAX

struct ts_builder {
    uint8_t *data;
    size_t bytes;
    uint8_t continuity[8192]; /* of the next packet with a payload */
};

void ts_builder_init(struct ts_builder *b);
void ts_builder_deinit(struct ts_builder *b);

/* One packet. `payload` up to what fits; the rest is stuffing in the adaptation field. */
struct ts_build_packet {
    unsigned pid;
    bool is_start, has_error, is_discontinuity, is_random_access;
    unsigned scrambling;
    uint64_t pcr_90k;      /* NO_PCR: none */
    bool has_no_payload;   /* adaptation field only */
    bool keeps_continuity; /* sends the number of the packet before once more */
};
/* Returns how many bytes of the payload went into it. */
size_t ts_build_packet(struct ts_builder *b, const struct ts_build_packet *packet, const uint8_t *payload,
                       size_t payload_bytes);
void ts_build_raw(struct ts_builder *b, const void *data, size_t bytes);
void ts_build_null(struct ts_builder *b);
/* Takes the packet at the end of `b` out again; its continuity counter stays used: a loss. */
void ts_build_lose(struct ts_builder *b);

/* A section over as many packets as it needs: its CRC is written over the last four bytes of `section`. */
void ts_build_section(struct ts_builder *b, unsigned pid, uint8_t *section, size_t bytes);
struct ts_build_program {
    unsigned number, pid;
};
void ts_build_pat(struct ts_builder *b, unsigned version, const struct ts_build_program *programs, size_t count);
struct ts_build_stream {
    unsigned type, pid;
    const char *descriptors_hex; /* NULL: none */
};
void ts_build_pmt(struct ts_builder *b, unsigned pid, unsigned program, unsigned version, unsigned pcr_pid,
                  const char *descriptors_hex, const struct ts_build_stream *streams, size_t count);

struct ts_build_pes {
    unsigned pid, stream_id;
    uint64_t pts_90k, dts_90k; /* NO_TIME: not said */
    bool is_unbounded;         /* length 0 */
    bool is_aligned;
    bool is_discontinuity; /* of its first packet, which then carries a PCR too */
    int length_lie;        /* added to PES_packet_length */
    size_t head_stuffing;  /* in the PES header */
};
void ts_build_pes(struct ts_builder *b, const struct ts_build_pes *pes, const uint8_t *payload, size_t bytes);

#endif
