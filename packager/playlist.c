#include "playlist.h"

#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>

#define HLS_VERSION 7 /* EXT-X-MAP outside I-frame playlists needs 6, fMP4 habits 7 */

void playlist_begin(struct playlist *p, uint32_t target_duration_s, uint64_t media_sequence,
                    uint64_t discontinuity_sequence, bool is_independent)
{
    *p = (struct playlist){ .init_name = NULL };
    byte_writer_init(&p->w, PLAYLIST_BYTES_MAX);
    write_format(&p->w,
                 "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%u\n#EXT-X-MEDIA-SEQUENCE:%llu\n#EXT-X-"
                 "DISCONTINUITY-SEQUENCE:%llu\n",
                 HLS_VERSION, target_duration_s, (unsigned long long)media_sequence,
                 (unsigned long long)discontinuity_sequence);
    if (is_independent) write_text(&p->w, "#EXT-X-INDEPENDENT-SEGMENTS\n");
}

void playlist_add(struct playlist *p, const struct playlist_segment *s)
{
    char time_text[CLOCK_TEXT_BYTES];
    if (s->has_discontinuity) write_text(&p->w, "#EXT-X-DISCONTINUITY\n");
    /* said again behind a discontinuity, although it holds on: some players read only from there */
    if (s->init_name && (!p->init_name || s->has_discontinuity || strcmp(p->init_name, s->init_name))) {
        write_format(&p->w, "#EXT-X-MAP:URI=\"%s\"\n", s->init_name);
        p->init_name = s->init_name;
    }
    clock_format(s->wall_us, time_text);
    write_format(&p->w, "#EXT-X-PROGRAM-DATE-TIME:%s\n", time_text);
    if (s->is_gap) write_text(&p->w, "#EXT-X-GAP\n");
    write_format(&p->w, "#EXTINF:%lld.%06lld,\n%s\n", (long long)(s->duration_us / 1000000),
                 (long long)(s->duration_us % 1000000), s->name);
}

struct frozen *playlist_finish(struct playlist *p, bool is_ended)
{
    if (is_ended) write_text(&p->w, "#EXT-X-ENDLIST\n");
    struct frozen *text = byte_writer_freeze(&p->w);
    byte_writer_deinit(&p->w);
    return text;
}
