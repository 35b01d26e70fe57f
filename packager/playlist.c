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

static void write_stream_inf(struct byte_writer *w, const struct multivariant_config *c)
{
    write_format(w, "#EXT-X-STREAM-INF:BANDWIDTH=%llu,AVERAGE-BANDWIDTH=%llu,CODECS=\"",
                 (unsigned long long)c->bandwidth_bps, (unsigned long long)c->average_bandwidth_bps);
    if (c->video) write_text(w, c->video->codec_string);
    if (c->audio) write_format(w, "%s%s", c->video ? "," : "", c->audio->codec_string);
    write_text(w, "\"");
    if (c->video && c->video->width) write_format(w, ",RESOLUTION=%ux%u", c->video->width, c->video->height);
    if (c->video && c->fps_den) {
        const uint64_t milli = (c->fps_num * 1000ull + c->fps_den / 2) / c->fps_den;
        write_format(w, ",FRAME-RATE=%llu.%03llu", (unsigned long long)(milli / 1000),
                     (unsigned long long)(milli % 1000));
    }
    if (c->video && c->audio) write_text(w, ",AUDIO=\"audio\"");
    write_format(w, "\n%s\n", c->video ? c->video_uri : c->audio_uri);
}

struct frozen *multivariant_render(const struct multivariant_config *c)
{
    struct byte_writer w;
    byte_writer_init(&w, PLAYLIST_BYTES_MAX);
    write_format(&w, "#EXTM3U\n#EXT-X-VERSION:%d\n", HLS_VERSION);
    if (c->is_independent) write_text(&w, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    if (c->video && c->audio)
        write_format(&w,
                     "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Audio\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"%"
                     "u\",URI=\"%s\"\n",
                     c->audio->channels, c->audio_uri);
    write_stream_inf(&w, c);
    struct frozen *text = byte_writer_freeze(&w);
    byte_writer_deinit(&w);
    return text;
}
