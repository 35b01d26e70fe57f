/* MPEG transport stream to access units (ISO/IEC 13818-1; "H.222.0" below). Pure: no I/O, clock or lock.
 *
 * Push style: bytes in at any split, events out from within the call. Input never fails: garbage, losses, lies in lengths and
 * tables, scrambling are survived, counted (base/counters.h, TS_*) and told by problem(). One program is carried: the first of the PAT,
 * or the one that the configuration names.
 *
 * Video leaves as samples: one access unit with a 4-byte length in front of each NAL unit (H.264, HEVC; without access unit delimiters and filler
 * data), or one temporal unit of OBUs with sizes (AV1). Parameter sets stay in the sample; codec_frame_prepare() takes them out and notices
 * changes. Audio leaves as one frame per event, without ADTS, LOAS or Opus-in-TS framing. Damaged audio frames are not given at
 * all; damaged video is, with a flag.
 * Owner and thread: whoever created it. */
#ifndef WEIR_INGEST_TS_DEMUX_H
#define WEIR_INGEST_TS_DEMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/base/bytes.h>
#include <weir/base/counters.h>
#include <weir/media/codec.h>

struct ts_demux;

struct ts_demux_config {
    uint16_t program_number; /* which program to carry; 0: the first that the PAT lists */
    /* An access unit is known to be whole when the next one begins: a frame's duration later. Many multiplexers stuff the
     * last packet of each PES, or tell its length; where that has held for TS_EARLY_END_RUN access units in a row, the unit is given as
     * soon as it ends so. A multiplexer that then breaks its own habit costs one access unit cut short (counted, problem(), and never again for
     * that PID). False: always wait. */
    bool may_end_early;
    /* MPEG audio layer II is given as well: something will be made of it. False: it is not carried. */
    bool takes_layer2;
};

/* An elementary stream of the carried program. */
struct ts_track {
    uint16_t pid;
    enum media_kind kind;   /* 0: neither picture nor sound (metadata, subtitles) */
    enum media_codec codec; /* 0: not carried, and `what` says what it is */
    unsigned
        index; /* carried video and audio: number within its kind, from 0, in the order of the PMT; the lowest free one
                               when a stream joins later */
    char what[32];      /* "MP2", "DTS", "teletext", "SCTE-35", ...; of carried ones the codec's name */
    char language[4];   /* ISO 639-2, lower case; "" not said */
    uint8_t audio_type; /* ISO 639 descriptor: 1 clean effects, 2 hearing impaired, 3 commentary; 0 not said */
};

struct ts_frame {
    enum media_kind kind;
    unsigned index; /* of the track */
    enum media_codec codec;
    struct blob *message;      /* given: the callee owns this reference */
    size_t offset, bytes;      /* the sample, within `message`; never empty */
    uint64_t pts_90k, dts_90k; /* 33 bits, as on the wire; unwrapping is the timeline's */
    bool has_time;             /* false: the wire gave this unit no time; the two are counted on from the unit before */
    bool is_key;               /* video: an IDR, IRAP or AV1 key frame by its NAL or OBU types; a hint */
    bool is_damaged;           /* video: bytes of this unit are missing, it ends where they are */
    bool is_after_loss;        /* whole, but at least one unit between this and the track's last one never came out */
};

enum ts_metadata_kind { TS_METADATA_ID3 = 1, TS_METADATA_SCTE35, TS_METADATA_KLV };

struct ts_metadata {
    enum ts_metadata_kind kind;
    uint16_t pid;
    struct blob
        *message; /* given. ID3, KLV: the PES payload. SCTE-35: one splice_info_section with its CRC, which was right */
    uint64_t pts_90k; /* 33 bits. SCTE-35: the splice time with its adjustment */
    bool has_time;    /* SCTE-35: false means at once, or a command without a time */
};

/* All calls come from within ts_demux_feed, _note_loss or _flush, in stream order; spans are lent for the call. No callback may be
 * NULL, and none may destroy or feed the demux. */
struct ts_demux_events {
    void *context;
    /* Found, or changed (codec, language): pid and kind say which. Before its first config, codec or frame. A PID whose codec changes keeps its
     * index when its kind stays. */
    void (*track)(void *context, const struct ts_track *track);
    void (*track_gone)(void *context, const struct ts_track *track);
    /* mp4 form (media/codec.h), as codec_config_from_wire() takes it too. Once before the first frame, and when audio changes its
     * configuration; changes of video's parameter sets stand in its samples. */
    void (*config)(void *context, enum media_kind kind, unsigned index, enum media_codec codec,
                   struct byte_span config);
    /* Codecs without a configuration (AC-3, E-AC-3, MP3): in place of config. */
    void (*codec)(void *context, unsigned index, enum media_codec codec);
    void (*frame)(void *context, const struct ts_frame *frame);
    void (*metadata)(void *context, const struct ts_metadata *metadata);
    /* The program clock was declared discontinuous: times after this belong to another clock. */
    void (*clock_break)(void *context);
    /* For the log: what was wrong, what was expected, what to do. May come for every packet: the callee limits the rate. */
    void (*problem)(void *context, const char *text);
};

/* What this demux met, for a connection's figures. Counters count the same over all. */
struct ts_demux_figures {
    uint64_t packets, resyncs, errors_continuity, errors_transport, duplicates, scrambled;
    uint64_t frames[MEDIA_AUDIO + 1], frames_damaged[MEDIA_AUDIO + 1];
};

/* `config` and `events` are copied; `counters` must outlive the demux. NULL: out of memory. */
struct ts_demux *ts_demux_create(const struct ts_demux_config *config, const struct ts_demux_events *events,
                                 struct counters *counters);
void ts_demux_destroy(struct ts_demux *d); /* NULL is fine; what was not complete is dropped */
/* WEIR_NOMEM: some frames were dropped for want of memory; the demux may be fed on. */
WEIR_MUST_CHECK enum weir_err ts_demux_feed(struct ts_demux *d, const uint8_t *data, size_t bytes);
/* The transport lost something in front of the next bytes. packets_max: how many transport packets that can have been (SRT: 7 times
 * the gap in its sequence numbers); 0: unknown. Below 16 the continuity counters tell which PIDs were hit; else all were. */
void ts_demux_note_loss(struct ts_demux *d, size_t packets_max);
/* The end, or a silence: what is complete but for the proof of a next unit is given; what may be cut is given as damaged. */
WEIR_MUST_CHECK enum weir_err ts_demux_flush(struct ts_demux *d);
const struct ts_demux_figures *ts_demux_figures(const struct ts_demux *d); /* lent until the next call */

#endif
