/* Both playlist readers on one input; and what they give is used as the checker does. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/hls_playlist.h>
#include <weir/loadgen/url.h>

static size_t used;

static void use_text(const char *text)
{
    char url[256];
    if (!text) return;
    used += strlen(text);
    if (url_resolve("http://host/a/b.m3u8?q", text, url, sizeof url) == WEIR_OK && strlen(url) >= sizeof url) abort();
}

static void use_segment(const struct hls_playlist *p, const struct hls_segment *s)
{
    use_text(s->uri);
    if (s->map) use_text(s->map->uri);
    if (s->part_count && s->first_part + s->part_count > p->part_count) abort();
    for (uint32_t i = 0; i < s->part_count; i++) use_text(p->parts[s->first_part + i].uri);
}

static void use_playlist(const struct hls_playlist *p)
{
    uint64_t msn;
    uint32_t parts;
    for (size_t i = 0; i < p->segment_count; i++) {
        if (!p->segments[i].uri || p->segments[i].msn != p->media_sequence + p->skipped + i) abort();
        use_segment(p, &p->segments[i]);
    }
    use_segment(p, &p->open);
    for (size_t i = 0; i < p->hint_count; i++) use_text(p->hints[i].uri);
    for (size_t i = 0; i < p->report_count; i++) use_text(p->reports[i].uri);
    for (size_t i = 0; i < p->faults.count; i++) use_text(p->faults.items[i].text);
    used += (size_t)hls_playlist_duration_us(p) + hls_playlist_edge(p, &msn, &parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct hls_playlist *p;
    struct hls_multivariant *m;
    used += hls_is_multivariant((const char *)data, bytes);
    if (hls_playlist_parse((const char *)data, bytes, &p) == WEIR_OK) {
        use_playlist(p);
        hls_playlist_destroy(p);
    }
    if (hls_multivariant_parse((const char *)data, bytes, &m) == WEIR_OK) {
        for (size_t i = 0; i < m->variant_count; i++) {
            if (!m->variants[i].uri) abort();
            use_text(m->variants[i].uri);
            use_text(m->variants[i].codecs);
        }
        for (size_t i = 0; i < m->media_count; i++) {
            if (!m->media[i].group || !m->media[i].name) abort();
            use_text(m->media[i].uri);
        }
        hls_multivariant_destroy(m);
    }
    return 0;
}
