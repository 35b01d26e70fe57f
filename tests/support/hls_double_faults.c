/* One way at least to break each rule of the checker. */
#include "hls_double.h"

#include <weir/base/err.h>

#define S 1000000
/* whose row is which: an act of the double, a text that is replaced in media playlists or the multivariant one, four bytes in a file */
#define ACT(name, rule, how, setup, act)                                                                               \
    {                                                                                                                  \
        name, rule, how, setup, FAULT_ACT, act, NULL, NULL, NULL, 0, 0, 0                                              \
    }
#define LIST(name, rule, how, setup, search, replace)                                                                  \
    {                                                                                                                  \
        name, rule, how, setup, FAULT_LIST_TEXT, ACT_NONE, search, replace, NULL, 0, 0, 0                              \
    }
#define LATER(name, rule, how, setup, search, replace)                                                                 \
    {                                                                                                                  \
        name, rule, how, setup, FAULT_LIST_TEXT, ACT_NONE, search, replace, NULL, 5 * S, 0, 0                          \
    }
#define AUDIO(name, rule, how, setup, search, replace)                                                                 \
    {                                                                                                                  \
        name, rule, how, setup, FAULT_LIST_TEXT, ACT_NONE, search, replace, "a", 0, 0, 0                               \
    }
#define MASTER(name, rule, how, search, replace)                                                                       \
    {                                                                                                                  \
        name, rule, how, 0, FAULT_MASTER_TEXT, ACT_NONE, search, replace, NULL, 0, 0, 0                                \
    }
#define INIT(name, rule, how, box, offset, value)                                                                      \
    {                                                                                                                  \
        name, rule, how, 0, FAULT_INIT_BYTES, ACT_NONE, box, NULL, NULL, 0, offset, value                              \
    }
#define MEDIA(name, rule, how, box, offset, value)                                                                     \
    {                                                                                                                  \
        name, rule, how, 0, FAULT_MEDIA_BYTES, ACT_NONE, box, NULL, NULL, 0, offset, value                             \
    }

#define PICTURES(name, rule, in, search, replace)                                                                      \
    {                                                                                                                  \
        name, rule, BREAKS, DOUBLE_IFRAMES, FAULT_LIST_TEXT, ACT_NONE, search, replace, in, 0, 0, 0                    \
    }

enum { LL = DOUBLE_LL, TS = DOUBLE_TS };

const struct double_fault double_faults[] = {
    LIST("no-header", "R1", BREAKS, 0, "#EXTM3U\n", ""),
    LIST("byte-order-mark", "R1", BREAKS, 0, "#EXTM3U", "\xEF\xBB\xBF#EXTM3U"),
    LIST("not-utf8", "R1", BREAKS, 0, "#EXT-X-MEDIA-SEQUENCE", "# \xC3\x28\n#EXT-X-MEDIA-SEQUENCE"),
    LIST("control-character", "R1", BREAKS, 0, "#EXT-X-MEDIA-SEQUENCE", "# \x01\n#EXT-X-MEDIA-SEQUENCE"),
    MASTER("master-no-header", "R1", BREAKS, "#EXTM3U", "#EXTM3"),
    LIST("no-target", "R2", BREAKS, 0, "#EXT-X-TARGETDURATION:2\n", ""),
    LIST("target-twice", "R2", BREAKS, 0, "#EXT-X-TARGETDURATION:2\n",
         "#EXT-X-TARGETDURATION:2\n#EXT-X-TARGETDURATION:2\n"),
    LIST("target-fraction", "R2", BREAKS, 0, "#EXT-X-TARGETDURATION:2\n", "#EXT-X-TARGETDURATION:2.5\n"),
    LIST("target-zero", "R2", BREAKS, 0, "#EXT-X-TARGETDURATION:2\n", "#EXT-X-TARGETDURATION:0\n"),
    LIST("extinf-long", "R3", BREAKS, 0, "#EXTINF:2.00000", "#EXTINF:2.50000"),
    LIST("extinf-unreadable", "R3", BREAKS, 0, "#EXTINF:2.00000", "#EXTINF:two"),
    LATER("target-changes", "R4", BREAKS, 0, "#EXT-X-TARGETDURATION:2\n", "#EXT-X-TARGETDURATION:3\n"),
    AUDIO("target-differs", "R4", BREAKS, 0, "#EXT-X-TARGETDURATION:2\n", "#EXT-X-TARGETDURATION:3\n"),
    ACT("sequence-stuck", "R5", BREAKS, 0, ACT_SEQUENCE_STUCK),
    LIST("sequence-behind", "R5", BREAKS, 0, "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init-0.mp4\"\n",
         "#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXTINF:1.00000,\nfirst.m4s\n#EXT-X-MEDIA-SEQUENCE:1\n"),
    LIST("no-sequence", "R5", BREAKS, 0, "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-MEDIA-SEQUENC"),
    LATER("other-uri", "R6", BREAKS, 0, "seg-104.", "seg-104x."),
    LATER("other-extinf", "R6", BREAKS, 0, "#EXTINF:2.00000", "#EXTINF:1.99000"),
    LATER("other-map", "R6", BREAKS, 0, "init-0.mp4", "init-1.mp4"),
    LATER("other-date", "R6", BREAKS, 0, "2026-01-01T00", "2026-01-01T01"),
    LATER("other-part", "R6", BREAKS, LL, "DURATION=0.48000", "DURATION=0.47900"),
    ACT("goes-back", "R7", BREAKS, 0, ACT_GOES_BACK),
    ACT("goes-back-ll", "R7", BREAKS, LL, ACT_GOES_BACK),
    ACT("window-short", "R8", BREAKS, 0, ACT_WINDOW_SHORT),
    ACT("segments-late", "R9", BREAKS, 0, ACT_SEGMENTS_LATE),
    ACT("stall", "R9", BREAKS, DOUBLE_STALL, ACT_NONE),
    LIST("type-event", "R10", BREAKS, 0, "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-MEDIA-SEQUENCE"),
    LIST("type-vod", "R10", BREAKS, 0, "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MEDIA-SEQUENCE"),
    ACT("discontinuity-sequence-stuck", "R11", BREAKS, DOUBLE_BREAK, ACT_DSN_STUCK),
    LATER("discontinuity-sequence-falls", "R11", BREAKS, 0, "#EXT-X-DISCONTINUITY-SEQUENCE:7",
          "#EXT-X-DISCONTINUITY-SEQUENCE:6"),
    LATER("discontinuity-sequence-gone", "R11", BREAKS, DOUBLE_BREAK, "#EXT-X-DISCONTINUITY-SEQUENCE",
          "#EXT-X-DISCONT"),
    AUDIO("discontinuity-sequence-differs", "R11", BREAKS, 0, "#EXT-X-DISCONTINUITY-SEQUENCE:7",
          "#EXT-X-DISCONTINUITY-SEQUENCE:8"),
    LIST("break-without-tag", "R12", BREAKS, DOUBLE_BREAK, "#EXT-X-DISCONTINUITY\n", ""),
    ACT("tfdt-jumps", "R12", BREAKS, 0, ACT_TFDT_JUMPS),
    LIST("tag-without-break", "R12", WARNS, 0, "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:22",
         "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:22"),
    LIST("no-map", "R13", BREAKS, 0, "#EXT-X-MAP:URI=\"init-0.mp4\"\n", ""),
    LIST("map-not-there", "R13", BREAKS, 0, "init-0.mp4", "init-9.mp4"),
    LIST("version-low", "R14", BREAKS, 0, "#EXT-X-VERSION:6", "#EXT-X-VERSION:3"),
    LIST("version-high", "R14", WARNS, 0, "#EXT-X-VERSION:6", "#EXT-X-VERSION:12"),
    ACT("date-jumps", "R15", BREAKS, 0, ACT_PDT_JUMPS),
    ACT("date-uneven", "R15", WARNS, 0, ACT_PDT_UNEVEN),
    LIST("date-unreadable", "R15", BREAKS, 0, "2026-01-01T", "2026-13-01T"),
    LIST("date-without-zone", "R15", WARNS, 0, "00Z\n", "00\n"),
    ACT("date-not-in-audio", "R16", BREAKS, 0, ACT_NO_PDT_IN_AUDIO),
    ACT("date-maps-otherwise", "R16", BREAKS, 0, ACT_PDT_OTHER_MAPPING),
    ACT("segment-404", "R17", BREAKS, 0, ACT_SEGMENT_404),
    ACT("segment-slow", "R17", BREAKS, 0, ACT_SEGMENT_SLOW),
    ACT("removed-404", "R18", BREAKS, 0, ACT_REMOVED_404),
    LIST("extinf-untrue", "R19", BREAKS, 0, "#EXTINF:2.00000", "#EXTINF:1.90000"),
    LIST("extinf-drifts", "R19", BREAKS, 0, "#EXTINF:2.00000", "#EXTINF:1.98000"),
    ACT("not-sync", "R20", BREAKS, 0, ACT_NOT_SYNC),
    LATER("independent-taken-back", "R20", WARNS, 0, "#EXT-X-INDEPENDENT-SEGMENTS\n", ""),
    ACT("ended-hint", "R21", BREAKS, LL | DOUBLE_END, ACT_ENDED_HINT),
    ACT("ended-changes", "R21", BREAKS, DOUBLE_END, ACT_ENDED_CHANGES),
    ACT("type-wrong", "R22", BREAKS, 0, ACT_TYPE_WRONG),
    ACT("media-type-wrong", "R22", WARNS, 0, ACT_MEDIA_TYPE_WRONG),
    ACT("gzip-unasked", "R22", BREAKS, 0, ACT_GZIP_UNASKED),
    ACT("no-cors", "R22", WARNS, 0, ACT_NO_CORS),
    ACT("unknown-200", "R23", WARNS, 0, ACT_UNKNOWN_200),
    LIST("no-part-inf", "R24", BREAKS, LL, "#EXT-X-PART-INF:PART-TARGET=0.5\n", ""),
    LATER("part-target-changes", "R24", BREAKS, LL, "PART-TARGET=0.5\n", "PART-TARGET=0.52\n"),
    LIST("part-too-long", "R25", BREAKS, LL, "DURATION=0.48000", "DURATION=0.50001"),
    LIST("part-of-nothing", "R25", BREAKS, LL, "DURATION=0.08000", "DURATION=0.00000"),
    ACT("parts-short", "R26", BREAKS, LL, ACT_PARTS_SHORT),
    LIST("part-hold-back-short", "R27", BREAKS, LL, "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=0.9"),
    LIST("part-hold-back-low", "R27", WARNS, LL, "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.2"),
    LIST("part-hold-back-none", "R27", BREAKS, LL, "PART-HOLD-BACK=1.5,", ""),
    LATER("part-hold-back-changes", "R27", BREAKS, LL, "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.6"),
    LIST("hold-back-short", "R28", BREAKS, LL, ",HOLD-BACK=6", ",HOLD-BACK=5"),
    LIST("skip-until-short", "R28", BREAKS, LL, "CAN-SKIP-UNTIL=12", "CAN-SKIP-UNTIL=11.9"),
    LIST("skip-dateranges-alone", "R28", BREAKS, LL, "CAN-SKIP-UNTIL=12", "CAN-SKIP-DATERANGES=YES"),
    ACT("control-differs", "R29", BREAKS, LL, ACT_CONTROL_DIFFERS),
    ACT("part-other-sample", "R30", BREAKS, LL, ACT_PART_OTHER_SAMPLE),
    LIST("not-said-independent", "R31", BREAKS, LL, ",INDEPENDENT=YES", ""),
    LIST("all-said-independent", "R31", BREAKS, LL, ".m4s\"\n", ".m4s\",INDEPENDENT=YES\n"),
    ACT("date-behind-part", "R32", BREAKS, LL, ACT_PDT_BEHIND_PART),
    ACT("parts-stay", "R33", WARNS, LL, ACT_PARTS_STAY),
    ACT("parts-404", "R33", BREAKS, LL, ACT_PARTS_404),
    ACT("parts-late", "R34", BREAKS, LL, ACT_PARTS_LATE),
    ACT("hint-wrong", "R35", BREAKS, LL, ACT_HINT_WRONG),
    ACT("hint-none", "R35", BREAKS, LL, ACT_HINT_NONE),
    ACT("hint-dribbles", "R36", BREAKS, LL, ACT_HINT_DRIBBLES),
    ACT("hint-404", "R36", BREAKS, LL, ACT_HINT_404),
    ACT("hint-at-once", "R36", BREAKS, LL, ACT_HINT_AT_ONCE),
    ACT("part-at-once", "R37", BREAKS, LL, ACT_PART_AT_ONCE),
    ACT("segment-at-part", "R38", BREAKS, LL, ACT_SEGMENT_AT_PART),
    ACT("roll-at-once", "R39", BREAKS, LL, ACT_ROLL_AT_ONCE),
    ACT("part-alone-200", "R40", BREAKS, LL, ACT_PART_ALONE_200),
    ACT("too-far-200", "R41", WARNS, LL, ACT_TOO_FAR_200),
    ACT("never-503", "R42", WARNS, LL | DOUBLE_STALL, ACT_NEVER_503),
    ACT("ended-400", "R43", BREAKS, LL | DOUBLE_END, ACT_ENDED_400),
    ACT("skip-too-many", "R44", BREAKS, LL | DOUBLE_OPEN_WINDOW, ACT_SKIP_TOO_MANY),
    ACT("skip-too-few", "R44", BREAKS, LL | DOUBLE_OPEN_WINDOW, ACT_SKIP_TOO_FEW),
    ACT("skip-ignored", "R44", BREAKS, LL | DOUBLE_OPEN_WINDOW, ACT_SKIP_IGNORED),
    ACT("skip-shifted", "R44", BREAKS, LL | DOUBLE_OPEN_WINDOW, ACT_SKIP_SHIFTED),
    ACT("report-none", "R45", BREAKS, LL, ACT_REPORT_NONE),
    ACT("report-old", "R45", BREAKS, LL, ACT_REPORT_OLD),
    LIST("report-without-msn", "R45", BREAKS, LL, ",LAST-MSN=", ",X-LAST="),
    ACT("clock-comment", "R46", BREAKS, 0, ACT_CLOCK_COMMENT),
    ACT("cache-long", "R47", BREAKS, 0, ACT_CACHE_LONG),
    ACT("no-cache-field", "R47", WARNS, 0, ACT_NO_CACHE_FIELD),
    MASTER("bandwidth-low", "R48", BREAKS, "BANDWIDTH=500000", "BANDWIDTH=10000"),
    MASTER("codecs-wrong", "R48", BREAKS, "avc1.64000a", "avc1.4d401f"),
    MASTER("resolution-wrong", "R48", BREAKS, "128x72", "640x360"),
    MASTER("frame-rate-low", "R48", BREAKS, "FRAME-RATE=25.000", "FRAME-RATE=20.000"),
    MASTER("audio-group-missing", "R48", BREAKS, "AUDIO=\"aac\"", "AUDIO=\"mp3\""),
    MASTER("defaults-two", "R48", BREAKS, "#EXT-X-STREAM-INF",
           "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"Two\",DEFAULT=YES,AUTOSELECT=YES,URI=\"a/"
           "index.m3u8\"\n#EXT-X-STREAM-INF"),
    ACT("video-shifted", "R49", BREAKS, DOUBLE_TWO_VIDEOS, ACT_VIDEO_SHIFTED),
    LIST("version-twice", "R50", BREAKS, 0, "#EXT-X-VERSION:6\n", "#EXT-X-VERSION:6\n#EXT-X-VERSION:6\n"),
    LIST("unknown-enum", "R50", BREAKS, LL, "CAN-BLOCK-RELOAD=YES", "CAN-BLOCK-RELOAD=YES,CAN-SKIP-DATERANGES=MAYBE"),
    LIST("attributes-broken", "R50", BREAKS, 0, "#EXT-X-MAP:URI=\"init-0.mp4\"",
         "#EXT-X-MAP:URI=\"init-0.mp4\",BYTERANGE"),
    ACT("no-h2", "R51", BREAKS, DOUBLE_TLS, ACT_NO_H2),
    ACT("audio-no-parts", "R52", BREAKS, LL, ACT_AUDIO_NO_PARTS),
    ACT("audio-lags", "R52", BREAKS, LL, ACT_AUDIO_LAGS),
    ACT("skip-twice", "R53", BREAKS, LL | DOUBLE_OPEN_WINDOW, ACT_SKIP_TWICE),
    LIST("skip-version-low", "R53", BREAKS, LL | DOUBLE_OPEN_WINDOW, "#EXT-X-VERSION:9", "#EXT-X-VERSION:6"),
    ACT("gap-parts-plain", "R54", BREAKS, LL | DOUBLE_GAP, ACT_GAP_PARTS_PLAIN),
    /* boxes */
    MEDIA("no-tfdt", "V1", BREAKS, "tfdt", 0, 0x74666458),
    MEDIA("no-mfhd", "V1", BREAKS, "mfhd", 0, 0x6D666858),
    MEDIA("sample-size-wrong", "V2", BREAKS, "trun", 20, 7),
    MEDIA("data-offset-wrong", "V3", BREAKS, "trun", 12, 99),
    MEDIA("track-unknown", "V4", BREAKS, "tfhd", 8, 9),
    ACT("sequence-falls", "V5", BREAKS, 0, ACT_SEQUENCE_FALLS),
    ACT("tfdt-overlaps", "V6", BREAKS, 0, ACT_TFDT_OVERLAPS),
    MEDIA("duration-zero", "V7", BREAKS, "trun", 16, 0),
    MEDIA("duration-long", "V7", BREAKS, "trun", 16, 0x7FFFFFFF),
    ACT("first-not-sync", "V8", WARNS, 0, ACT_NOT_SYNC),
    ACT("nal-length", "V9", BREAKS, 0, ACT_NAL_LENGTH),
    ACT("nal-sets", "V10", BREAKS, 0, ACT_NAL_SETS),
    INIT("avcc-broken", "V11", BREAKS, "avcC", 4, 0x09640000),
    INIT("avcc-missing", "V11", BREAKS, "avcC", 0, 0x61766358),
    ACT("part-sum", "V12", BREAKS, LL, ACT_PART_SUM),
    ACT("part-other-bytes", "V13", WARNS, LL, ACT_PART_OTHER_BYTES),
    MEDIA("base-data-offset", "V14", WARNS, "tfhd", 4, 0x020001),
    INIT("no-mvex", "V15", BREAKS, "mvex", 0, 0x6D766558),
    INIT("tables-filled", "V15", BREAKS, "stts", 8, 1),
    ACT("audio-shifted", "V16", WARNS, 0, ACT_AUDIO_SHIFTED),
    ACT("pts-twice", "V17", BREAKS, 0, ACT_PTS_TWICE),
    INIT("size-wrong", "V18", BREAKS, "avc1", 28, 0x00800040),
    INIT("rate-wrong", "V19", BREAKS, "mdhd", 16, 44100),
    MEDIA("box-too-long", "V20", BREAKS, "mdat", -4, 0x00FFFFFF),
    ACT("zero-shifted", "T1", BREAKS, 0, ACT_ZERO_SHIFTED),
    ACT("audio-uneven", "T4", WARNS, 0, ACT_AUDIO_UNEVEN),
    ACT("pts-late", "T5", WARNS, 0, ACT_PTS_LATE),
    ACT("edit-list", "T6", WARNS, 0, ACT_EDIT_LIST),
    ACT("sync-claimed", "T8", BREAKS, 0, ACT_SYNC_CLAIMED),
    ACT("init-changes", "T10", BREAKS, 0, ACT_INIT_CHANGES),
    ACT("times-fall", "T11", BREAKS, DOUBLE_BREAK, ACT_TIMES_FALL),
    /* TS */
    ACT("ts-sync-byte", "C1", BREAKS, TS, ACT_TS_SYNC_BYTE),
    ACT("ts-counter", "C2", BREAKS, TS, ACT_TS_COUNTER),
    ACT("ts-counter-joint", "C2", BREAKS, TS, ACT_TS_COUNTER_JOINT),
    ACT("ts-crc", "C3", BREAKS, TS, ACT_TS_CRC),
    ACT("ts-no-tables", "C3", BREAKS, TS, ACT_TS_NO_TABLES),
    ACT("ts-dts-back", "C4", BREAKS, TS, ACT_TS_DTS_BACK),
    ACT("ts-pts-early", "C4", BREAKS, TS, ACT_TS_PTS_EARLY),
    ACT("ts-no-idr", "C5", WARNS, TS, ACT_TS_NO_IDR),
    ACT("ts-pcr-rare", "C6", BREAKS, TS, ACT_TS_PCR_RARE),
    ACT("ts-pcr-ahead", "C6", BREAKS, TS, ACT_TS_PCR_AHEAD),
    ACT("ts-length", "C7", BREAKS, TS, ACT_TS_LENGTH),
    ACT("ts-gap", "C8", BREAKS, TS, ACT_TS_GAP),
    ACT("ts-audio-off", "C9", WARNS, TS, ACT_TS_AUDIO_OFF),
    PICTURES("pictures-not-said", "R55", "i", "#EXT-X-I-FRAMES-ONLY\n", ""),
    PICTURES("pictures-said-of-video", "R55", "v0", "#EXT-X-INDEPENDENT-SEGMENTS\n",
             "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-I-FRAMES-ONLY\n"),
    ACT("picture-cut", "R56", BREAKS, DOUBLE_IFRAMES, ACT_PICTURE_CUT),
    ACT("picture-not-sync", "R56", BREAKS, DOUBLE_IFRAMES, ACT_NOT_SYNC),
    ACT("picture-long", "R56", WARNS, DOUBLE_IFRAMES, ACT_PICTURE_LONG),
    PICTURES("picture-extinf", "R57", "i", "#EXTINF:2.00000", "#EXTINF:1.90000"),
    PICTURES("pictures-shifted", "R16", "i", "#EXT-X-PROGRAM-DATE-TIME:2026", "#EXT-X-PROGRAM-DATE-TIME:2025"),
    { "pictures-bandwidth", "R48", BREAKS, DOUBLE_IFRAMES, FAULT_MASTER_TEXT, ACT_NONE, "=20000", "=200", NULL, 0, 0,
      0 },
};
const size_t double_fault_count = sizeof double_faults / sizeof double_faults[0];
