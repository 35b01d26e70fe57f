/* What a check found: per rule how often it was looked at, how often it was broken, and the first evidence. The rules are numbered
 * as in docs/testing.md. Pure; owner and thread: the caller's. */
#ifndef WEIR_LOADGEN_CHECK_REPORT_H
#define WEIR_LOADGEN_CHECK_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/bytes.h>
#include <weir/base/err.h>

/* X(identifier, severity, section, what it says). HLS: draft-pantos-hls-rfc8216bis-22; B.1: its low-latency server profile; A: Apple's
 * authoring rules; BMFF: ISO 14496-12; TS: ISO 13818-1. A MUST has points that only warn, where the text has them. */
#define CHECK_RULES(X)                                                                                                 \
    X(R1, MUST, "HLS 4.1", "the first line is #EXTM3U; UTF-8 without a byte order mark or control characters")         \
    X(R2, MUST, "HLS 4.4.3.1", "EXT-X-TARGETDURATION once, a whole number from 1 on")                                  \
    X(R3, MUST, "HLS 4.4.3.1", "EXTINF, rounded, is at most the target duration")                                      \
    X(R4, MUST, "HLS 6.2.1, 6.2.4", "the target duration never changes and is the same in all renditions")             \
    X(R5, MUST, "HLS 6.2.2", "EXT-X-MEDIA-SEQUENCE goes up by one for each segment removed, never down")               \
    X(R6, MUST, "HLS 6.2.1", "a listed segment keeps its URI, EXTINF, MAP and time")                                   \
    X(R7, MUST, "HLS 6.2.1", "segments and parts are added at the end and removed at the front only")                  \
    X(R8, MUST, "HLS 6.2.2", "nothing is removed that leaves less than three target durations")                        \
    X(R9, MUST, "HLS 6.2.1", "a new segment within one and a half target durations")                                   \
    X(R10, MUST, "HLS 6.2.2", "no EXT-X-PLAYLIST-TYPE where segments are removed")                                     \
    X(R11, MUST, "HLS 6.2.2", "a segment keeps its discontinuity sequence number; the tag never goes down")            \
    X(R12, MUST, "HLS 4.4.4.3, 6.2.1", "EXT-X-DISCONTINUITY where codecs or timestamps break, and not elsewhere")      \
    X(R13, MUST, "HLS 3.1.2, 4.4.4.5", "EXT-X-MAP in front of fMP4 segments, and the init can be fetched")             \
    X(R14, MUST, "HLS 6.2.1, 8", "EXT-X-VERSION is what the tags need, not less; not more (SHOULD)")                   \
    X(R15, MUST, "HLS 4.4.4.6, 6.2.1", "EXT-X-PROGRAM-DATE-TIME is readable, rises, and goes with EXTINF")             \
    X(R16, MUST, "HLS 6.2.4", "PROGRAM-DATE-TIME in all playlists or none, mapping media time alike")                  \
    X(R17, MUST, "HLS 6.2.1", "a listed segment or part is there at once and whole")                                   \
    X(R18, MUST, "HLS 6.2.2", "a removed segment stays for its duration and the longest playlist's")                   \
    X(R19, MUST, "A 8.1", "EXTINF is the media's duration within a frame, and their sums do not drift")                \
    X(R20, MUST, "HLS 4.4.2.1", "with EXT-X-INDEPENDENT-SEGMENTS each video segment starts with a sync sample")        \
    X(R21, MUST, "HLS 4.4.5.3, 6.2.1", "EXT-X-ENDLIST is final: the list stays as it is, without a hint")              \
    X(R22, MUST, "HLS 4, 6.2.1; A 10.4", "content types; gzip for playlists and CORS (SHOULD)")                        \
    X(R23, SHOULD, "HLS 6.2.6", "404 for a name that does not exist")                                                  \
    X(R24, MUST, "HLS 4.4.3.7", "EXT-X-PART-INF where there are parts; PART-TARGET never changes")                     \
    X(R25, MUST, "HLS 4.4.4.9", "a part lasts more than 0 and at most PART-TARGET")                                    \
    X(R26, MUST, "HLS 4.4.4.9", "and at least 85 % of it, but for the last of a segment and INDEPENDENT ones")         \
    X(R27, MUST, "HLS 4.4.3.8", "PART-HOLD-BACK: with parts, at least 2 PART-TARGETs (SHOULD: 3), constant")           \
    X(R28, MUST, "HLS 4.4.3.8", "HOLD-BACK from 3 target durations, CAN-SKIP-UNTIL from 6")                            \
    X(R29, MUST, "HLS 6.2.4", "EXT-X-SERVER-CONTROL is the same in all media playlists")                               \
    X(R30, MUST, "HLS 3.2", "the parts together hold the samples of their segment")                                    \
    X(R31, MUST, "HLS 4.4.4.9", "INDEPENDENT=YES where a part has a sync sample, as its first (SHOULD)")               \
    X(R32, MUST, "HLS 4.4.4.9", "MAP, DISCONTINUITY, KEY and PROGRAM-DATE-TIME in front of the first part")            \
    X(R33, MUST, "HLS 6.2.2", "old PART tags go (SHOULD); their parts stay for 3 target durations more")               \
    X(R34, MUST, "HLS 6.2.1", "a new part within PART-TARGET of the one before")                                       \
    X(R35, MUST, "HLS 4.4.5.3, B.1", "one hint for the next part, and it comes true")                                  \
    X(R36, MUST, "HLS 6.2.6", "a hinted part's request blocks, then delivers the whole part in one go")                \
    X(R37, MUST, "HLS 6.2.5.2", "_HLS_msn with _HLS_part answers when that part or a later one is listed")             \
    X(R38, MUST, "HLS 6.2.5.2", "_HLS_msn alone answers when that whole segment is listed")                            \
    X(R39, MUST, "HLS 6.2.5.2", "a part behind the end of a segment means part 0 of the next")                         \
    X(R40, MUST, "HLS 6.2.5.2", "_HLS_part without _HLS_msn is answered by 400")                                       \
    X(R41, SHOULD, "HLS 6.2.5.2", "too far ahead is answered by 400, at once")                                         \
    X(R42, SHOULD, "HLS 6.2.5.2", "blocked for three target durations is answered by 503")                             \
    X(R43, MUST, "HLS 6.2.5.2", "directives are ignored behind EXT-X-ENDLIST")                                         \
    X(R44, MUST, "HLS 6.2.5.1", "a delta update skips what it may, and merges into the full list")                     \
    X(R45, MUST, "HLS 4.4.5.4, B.1", "a rendition report for each other media playlist, not outdated")                 \
    X(R46, MUST, "HLS 6.2.1", "equal versions of a playlist are equal bytes, whatever else the query says")            \
    X(R47, MUST, "B.1, A 10", "Cache-Control: playlists short, segments long")                                         \
    X(R48, MUST, "HLS 4.4.6.2, 6.2.4", "BANDWIDTH, CODECS, RESOLUTION, FRAME-RATE and groups are true")                \
    X(R49, MUST, "HLS 6.2.4", "video renditions start equal segments at equal times")                                  \
    X(R50, MUST, "HLS 4.1, 4.2", "no tag twice that may stand once; attributes and values can be read")                \
    X(R51, MUST, "B.1", "over TLS, HTTP/2 is offered")                                                                 \
    X(R52, MUST, "B.1", "all renditions have parts and stay within a part of each other")                              \
    X(R53, MUST, "HLS 4.4.5.2, 8", "EXT-X-SKIP at most once, with EXT-X-VERSION from 9 on")                            \
    X(R54, MUST, "HLS 6.2.1", "a part of a GAP segment has GAP=YES")                                                   \
    X(R55, MUST, "HLS 4.4.3.6", "the list of an EXT-X-I-FRAME-STREAM-INF, and no other, has EXT-X-I-FRAMES-ONLY")      \
    X(R56, MUST, "HLS 4.4.3.6", "each of its entries is one I-frame: whole, and no more (SHOULD)")                     \
    X(R57, MUST, "HLS 4.4.3.6", "its EXTINF reaches from one I-frame to the next")                                     \
    X(V1, MUST, "BMFF 8.8", "moof has mfhd and traf with tfhd, tfdt and trun; one mdat follows")                       \
    X(V2, MUST, "BMFF 8.8.8", "sample sizes fill mdat")                                                                \
    X(V3, MUST, "BMFF 8.8.8", "data_offset points at the payload")                                                     \
    X(V4, MUST, "BMFF 8.8.7", "the track is one of the init segment")                                                  \
    X(V5, MUST, "BMFF 8.8.5", "sequence_number rises")                                                                 \
    X(V6, MUST, "BMFF 8.8.12; T2", "tfdt goes on exactly where the media before ended")                                \
    X(V7, MUST, "T3", "no sample lasts 0 or more than ten seconds")                                                    \
    X(V8, SHOULD, "T7, A 7.4", "a video segment begins with a sync sample")                                            \
    X(V9, MUST, "14496-15 4.3.3", "NAL unit lengths fill each sample")                                                 \
    X(V10, MUST, "14496-15 5.4.2", "no parameter sets in avc1 and hvc1 samples")                                       \
    X(V11, MUST, "14496-15, -14", "the codec configuration can be read")                                               \
    X(V12, MUST, "HLS 4.4.4.9; T9", "the parts' durations sum up to EXTINF")                                           \
    X(V13, SHOULD, "HLS 3.2", "the parts together are their segment, byte for byte")                                   \
    X(V14, SHOULD, "CMAF", "no base_data_offset")                                                                      \
    X(V15, MUST, "HLS 3.1.2", "the init has mvex with trex, and empty sample tables")                                  \
    X(V16, SHOULD, "T1, T7", "audio and video of a number start within a frame of each")                               \
    X(V17, MUST, "BMFF 8.6.1.3", "presentation times are unique and not negative")                                     \
    X(V18, MUST, "BMFF 12.1.3", "width and height are those of the parameter sets")                                    \
    X(V19, MUST, "BMFF 12.2.3", "an audio configuration's rate is the timescale (half, with SBR)")                     \
    X(V20, MUST, "BMFF 4.2", "boxes fill the file")                                                                    \
    X(T1, MUST, "HLS 6.2.4", "all renditions count from one zero")                                                     \
    X(T4, SHOULD, "T4", "audio frames follow each other in whole frames")                                              \
    X(T5, SHOULD, "T5", "a segment's first picture is shown at its tfdt")                                              \
    X(T6, SHOULD, "T6", "no edit list")                                                                                \
    X(T8, MUST, "BMFF 8.8.3.1; T8", "sync is claimed of random access pictures, and of all of them")                   \
    X(T10, MUST, "HLS 3.1.2; T10", "an init segment's bytes never change")                                             \
    X(T11, MUST, "T11", "decode times rise over segments, beyond 32 bits too")                                         \
    X(C1, MUST, "TS 2.4.3", "TS: 0x47 each 188 bytes, nothing over")                                                   \
    X(C2, MUST, "TS 2.4.3.3", "TS: continuity counters go on, over segments too")                                      \
    X(C3, MUST, "HLS 3.1.1; TS 2.4.4", "TS: PAT and PMT first in each segment, with right CRCs")                       \
    X(C4, MUST, "TS 2.4.3.7", "TS: DTS rises, PTS is not before it")                                                   \
    X(C5, SHOULD, "A 7.4", "TS: a segment's first picture is a random access point with its sets")                     \
    X(C6, MUST, "TS 2.7.2", "TS: PCR in each segment, at most 100 ms apart, not ahead of DTS")                         \
    X(C7, MUST, "TS 2.4.3.7", "TS: PES lengths are true")                                                              \
    X(C8, MUST, "HLS 6.2.1", "TS: DTS goes on over segments within a frame")                                           \
    X(C9, SHOULD, "HLS 3.1.1", "TS: audio and video of a segment start together")

enum check_rule {
    RULE_NONE = 0,
#define X(id, severity, section, says) RULE_##id,
    CHECK_RULES(X)
#undef X
        RULE_COUNT
};

enum check_severity { SEVERITY_SHOULD = 1, SEVERITY_MUST };

struct check_rule_text {
    const char *id, *section, *says;
    enum check_severity severity;
};
const struct check_rule_text *check_rule_text(enum check_rule rule);
/* RULE_NONE: no such rule. */
enum check_rule check_rule_find(const char *id, size_t bytes);

struct check_evidence {
    bool is_set;
    char url[320];
    unsigned line; /* of the playlist; 0: not in one */
    int64_t at_us; /* since the start of the check */
    char expected[128], got[256];
};

struct check_result {
    uint64_t checked, violated, warned;
    struct check_evidence violation, warning; /* the first ones */
};

#define CHECK_NOTES_MAX 16

struct check_report {
    struct check_result results[RULE_COUNT];
    bool is_allowed[RULE_COUNT]; /* its violations do not count: the operator expects them */
    char notes[CHECK_NOTES_MAX][160];
    size_t note_count;
};

enum check_verdict { VERDICT_NOT_CHECKED = 1, VERDICT_OK, VERDICT_WARNING, VERDICT_ALLOWED, VERDICT_VIOLATED };
enum check_verdict check_verdict(const struct check_report *r, enum check_rule rule);
/* How many rules stand at that verdict. */
unsigned check_report_count(const struct check_report *r, enum check_verdict verdict);

/* Something a reader of the report must know that is no rule. Equal texts are kept once. */
void check_report_note(struct check_report *r, const char *format, ...) WEIR_PRINTF(2, 3);

struct check_summary {
    const char *url;
    int64_t seconds_us;
    uint64_t requests, bytes, segments, parts;
};
/* The table for people: rule, times checked, verdict, what it says; evidence below. is_verbose: rules that held, too. */
void check_report_write_text(const struct check_report *r, const struct check_summary *s, bool is_verbose,
                             struct byte_writer *w);
/* WEIR_NOMEM. */
WEIR_MUST_CHECK enum weir_err check_report_write_json(const struct check_report *r, const struct check_summary *s,
                                                      struct byte_writer *w);

#endif
