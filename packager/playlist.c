#include "playlist.h"

#include <weir/base/clock.h>

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
    write_format(w, "%lld", (long long)(us / 1000000));
    int64_t rest = us % 1000000;
    if (!rest) return;
    int digits = 6;
    for (; rest % 10 == 0; rest /= 10) digits--;
    write_format(w, ".%0*lld", digits, (long long)rest);
}

static void write_control(struct byte_writer *w, const struct playlist_terms *t, bool is_ended)
{
    /* some players take a list that blocks and ends for a mistake: nothing can be waited for any more */
    write_format(w, "#EXT-X-SERVER-CONTROL:%sPART-HOLD-BACK=", is_ended ? "" : "CAN-BLOCK-RELOAD=YES,");
    write_seconds(w, t->part_hold_back_us);
    write_format(w, ",HOLD-BACK=%u", t->target_duration_s * HOLD_BACK_TARGETS);
    if (t->can_skip) write_format(w, ",CAN-SKIP-UNTIL=%u", t->target_duration_s * SKIP_TARGETS);
    write_text(w, "\n#EXT-X-PART-INF:PART-TARGET=");
    write_seconds(w, t->part_us);
    write_text(w, "\n");
}

void playlist_write_head(struct byte_writer *w, const struct playlist_head *head)
{
    const struct playlist_terms *t = &head->terms;
    write_format(w, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%u\n",
                 t->part_us && t->can_skip ? HLS_VERSION_SKIP : HLS_VERSION, t->target_duration_s);
    if (head->type == PLAYLIST_EVENT) write_text(w, "#EXT-X-PLAYLIST-TYPE:EVENT\n");
    if (head->type == PLAYLIST_VOD) write_text(w, "#EXT-X-PLAYLIST-TYPE:VOD\n");
    if (t->part_us) write_control(w, t, head->is_ended);
    write_format(w, "#EXT-X-MEDIA-SEQUENCE:%llu\n#EXT-X-DISCONTINUITY-SEQUENCE:%llu\n",
                 (unsigned long long)head->media_sequence, (unsigned long long)head->discontinuity_sequence);
    if (head->is_independent) write_text(w, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    if (head->is_iframes_only) write_text(w, "#EXT-X-I-FRAMES-ONLY\n");
}

void playlist_write_map(struct byte_writer *w, const char *init_name)
{
    write_format(w, "#EXT-X-MAP:URI=\"%s\"\n", init_name);
}

void playlist_write_skip(struct byte_writer *w, size_t segments)
{
    write_format(w, "#EXT-X-SKIP:SKIPPED-SEGMENTS=%zu\n", segments);
}

void playlist_write_segment_head(struct byte_writer *w, bool has_discontinuity, const char *init_name, int64_t wall_us)
{
    char time_text[CLOCK_TEXT_BYTES];
    if (has_discontinuity) write_text(w, "#EXT-X-DISCONTINUITY\n");
    if (init_name) playlist_write_map(w, init_name);
    clock_format(wall_us, time_text);
    write_format(w, "#EXT-X-PROGRAM-DATE-TIME:%s\n", time_text);
}

void playlist_write_part(struct byte_writer *w, const char *name, int64_t duration_us, bool is_independent, bool is_gap)
{
    write_format(w, "#EXT-X-PART:DURATION=%lld.%06lld,URI=\"%s\"%s%s\n", (long long)(duration_us / 1000000),
                 (long long)(duration_us % 1000000), name, is_independent ? ",INDEPENDENT=YES" : "",
                 is_gap ? ",GAP=YES" : "");
}

void playlist_write_segment_end(struct byte_writer *w, const char *name, int64_t duration_us, bool is_gap)
{
    if (is_gap) write_text(w, "#EXT-X-GAP\n");
    write_format(w, "#EXTINF:%lld.%06lld,\n%s\n", (long long)(duration_us / 1000000),
                 (long long)(duration_us % 1000000), name);
}

void playlist_write_hint(struct byte_writer *w, const char *type, const char *name)
{
    write_format(w, "#EXT-X-PRELOAD-HINT:TYPE=%s,URI=\"%s\"\n", type, name);
}

void playlist_write_report(struct byte_writer *w, const struct playlist_report *report)
{
    write_format(w, "#EXT-X-RENDITION-REPORT:URI=\"../%s/index.m3u8\",LAST-MSN=%llu", report->rendition,
                 (unsigned long long)report->last_msn);
    if (report->parts) write_format(w, ",LAST-PART=%u", report->parts - 1);
    write_text(w, "\n");
}
