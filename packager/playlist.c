#include "playlist.h"

#include <weir/base/clock.h>

#define HLS_VERSION_TS 3   /* floating point durations; nothing there needs more */
#define HLS_VERSION 7      /* EXT-X-MAP outside I-frame playlists needs 6, fMP4 habits 7 */
#define HLS_VERSION_SKIP 9 /* EXT-X-SKIP (8) */
#define HOLD_BACK_TARGETS 3
#define SKIP_TARGETS 6

int64_t playlist_skip_until_us(const struct playlist_terms *terms)
{
    return (int64_t)terms->target_duration_s * 1000000 * SKIP_TARGETS;
}

/* Seconds without trailing zeros: "0.5", "0.333334", "3". */
static void write_seconds(struct byte_writer *w, int64_t us)
{
    write_decimal(w, (uint64_t)us / 1000000, 1);
    uint64_t rest = (uint64_t)us % 1000000;
    if (!rest) return;
    unsigned digits = 6;
    for (; rest % 10 == 0; rest /= 10) digits--;
    write_text(w, ".");
    write_decimal(w, rest, digits);
}

/* Seconds to the microsecond: "2.000000". */
static void write_duration(struct byte_writer *w, int64_t us)
{
    write_decimal(w, (uint64_t)us / 1000000, 1);
    write_text(w, ".");
    write_decimal(w, (uint64_t)us % 1000000, 6);
}

static void write_attribute(struct byte_writer *w, const char *name, uint64_t v)
{
    write_text(w, name);
    write_decimal(w, v, 1);
}

static void write_control(struct byte_writer *w, const struct playlist_terms *t, bool is_ended)
{
    /* some players take a list that blocks and ends for a mistake: nothing can be waited for any more */
    write_text(w, is_ended ? "#EXT-X-SERVER-CONTROL:PART-HOLD-BACK="
                           : "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=");
    write_seconds(w, t->part_hold_back_us);
    write_attribute(w, ",HOLD-BACK=", t->target_duration_s * HOLD_BACK_TARGETS);
    if (t->can_skip) write_attribute(w, ",CAN-SKIP-UNTIL=", t->target_duration_s * SKIP_TARGETS);
    write_text(w, "\n#EXT-X-PART-INF:PART-TARGET=");
    write_seconds(w, t->part_us);
    write_text(w, "\n");
}

void playlist_write_head(struct byte_writer *w, const struct playlist_head *head)
{
    const struct playlist_terms *t = &head->terms;
    const unsigned version = t->part_us && t->can_skip ? HLS_VERSION_SKIP : HLS_VERSION;
    write_attribute(w, "#EXTM3U\n#EXT-X-VERSION:", head->is_ts ? HLS_VERSION_TS : version);
    write_attribute(w, "\n#EXT-X-TARGETDURATION:", t->target_duration_s);
    write_text(w, "\n");
    if (head->type == PLAYLIST_EVENT) write_text(w, "#EXT-X-PLAYLIST-TYPE:EVENT\n");
    if (head->type == PLAYLIST_VOD) write_text(w, "#EXT-X-PLAYLIST-TYPE:VOD\n");
    if (t->part_us) write_control(w, t, head->is_ended);
    write_attribute(w, "#EXT-X-MEDIA-SEQUENCE:", head->media_sequence);
    write_attribute(w, "\n#EXT-X-DISCONTINUITY-SEQUENCE:", head->discontinuity_sequence);
    write_text(w, "\n");
    if (head->is_independent) write_text(w, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    if (head->is_iframes_only) write_text(w, "#EXT-X-I-FRAMES-ONLY\n");
}

void playlist_write_map(struct byte_writer *w, const char *init_name)
{
    write_text(w, "#EXT-X-MAP:URI=\"");
    write_text(w, init_name);
    write_text(w, "\"\n");
}

void playlist_write_skip(struct byte_writer *w, size_t segments)
{
    write_attribute(w, "#EXT-X-SKIP:SKIPPED-SEGMENTS=", segments);
    write_text(w, "\n");
}

void playlist_write_segment_head(struct byte_writer *w, bool has_discontinuity, const char *init_name, int64_t wall_us)
{
    char time_text[CLOCK_TEXT_BYTES];
    if (has_discontinuity) write_text(w, "#EXT-X-DISCONTINUITY\n");
    if (init_name) playlist_write_map(w, init_name);
    clock_format(wall_us, time_text);
    write_text(w, "#EXT-X-PROGRAM-DATE-TIME:");
    write_text(w, time_text);
    write_text(w, "\n");
}

void playlist_write_part(struct byte_writer *w, const char *name, int64_t duration_us, bool is_independent, bool is_gap)
{
    write_text(w, "#EXT-X-PART:DURATION=");
    write_duration(w, duration_us);
    write_text(w, ",URI=\"");
    write_text(w, name);
    write_text(w, is_independent ? "\",INDEPENDENT=YES" : "\"");
    write_text(w, is_gap ? ",GAP=YES\n" : "\n");
}

void playlist_write_segment_end(struct byte_writer *w, const char *name, int64_t duration_us, bool is_gap)
{
    if (is_gap) write_text(w, "#EXT-X-GAP\n");
    write_text(w, "#EXTINF:");
    write_duration(w, duration_us);
    write_text(w, ",\n");
    write_text(w, name);
    write_text(w, "\n");
}

void playlist_write_hint(struct byte_writer *w, const char *type, const char *name)
{
    write_text(w, "#EXT-X-PRELOAD-HINT:TYPE=");
    write_text(w, type);
    write_text(w, ",URI=\"");
    write_text(w, name);
    write_text(w, "\"\n");
}

void playlist_write_report(struct byte_writer *w, const struct playlist_report *report)
{
    write_text(w, "#EXT-X-RENDITION-REPORT:URI=\"../");
    write_text(w, report->rendition);
    write_attribute(w, "/index.m3u8\",LAST-MSN=", report->last_msn);
    if (report->parts) write_attribute(w, ",LAST-PART=", report->parts - 1);
    write_text(w, "\n");
}
