/* From the bytes of segments, parts and inits to facts, and to what is wrong with them as files. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/loadgen/url.h>

#include "check_internal.h"

int64_t ticks_to_us(int64_t ticks, uint32_t timescale)
{
    return timescale ? (int64_t)((__int128)ticks * 1000000 / timescale) : 0;
}

const struct track_facts *media_main_track(const struct media_facts *m)
{
    return m->video.is_set ? &m->video : m->audio.is_set ? &m->audio : NULL;
}

/* -- fMP4 -- */

static enum check_rule rule_of_mp4(unsigned rule)
{
    if (rule == MP4_T6) return RULE_T6;
    if (rule == MP4_T8) return RULE_T8;
    return (enum check_rule)(RULE_V1 + (rule - MP4_V1));
}

static void tell_mp4(struct look *l, const struct mp4_findings *f)
{
    for (unsigned rule = 1; rule < 64; rule++) {
        if (f->checked & ~f->broken & MP4_RULE_BIT(rule)) expect_of(l, rule_of_mp4(rule), true, 0, "", "%s", "");
    }
    for (size_t i = 0; i < f->fault_count; i++) {
        const struct mp4_fault *fault = &f->faults[i];
        expect_of(l, rule_of_mp4(fault->rule), false, 0, fault->expected, "%s (byte %zu)", fault->got, fault->offset);
    }
}

static void take_span(const struct mp4_media *m, enum media_kind kind, struct track_facts *out)
{
    struct mp4_span span;
    if (!mp4_media_span(m, kind, &span)) return;
    *out = (struct track_facts){ .is_set = true,
                                 .timescale = span.track->timescale,
                                 .start_dts = span.start_dts,
                                 .end_dts = span.end_dts,
                                 .start_pts = span.start_pts,
                                 .least_pts = span.least_pts,
                                 .longest = span.longest_sample,
                                 .shortest = span.shortest_sample,
                                 .sample_count = span.sample_count,
                                 .starts_with_sync = span.starts_with_sync,
                                 .has_sync = span.has_sync,
                                 .has_b_frames = span.has_b_frames };
}

static bool read_mp4(struct look *l, const struct mp4_init *init, enum mp4_depth depth, struct media_facts *out,
                     size_t *first_end)
{
    struct mp4_media *m;
    const enum weir_err err = mp4_media_read(init, l->a->body, l->a->bytes, depth, &m);
    if (err == WEIR_NOMEM) {
        check_report_note(&l->c->report, "out of memory: something was not read");
        return false;
    }
    tell_mp4(l, &m->findings);
    if (err == WEIR_LIMIT)
        check_report_note(&l->c->report, "a file with too many fragments or samples was not read to its end");
    take_span(m, MEDIA_VIDEO, &out->video);
    take_span(m, MEDIA_AUDIO, &out->audio);
    out->names_video = out->video.is_set;
    out->names_audio = out->audio.is_set;
    out->is_read = m->fragment_count > 0;
    if (out->is_read) {
        out->first_sequence = m->fragments[0].sequence;
        out->last_sequence = m->fragments[m->fragment_count - 1].sequence;
    }
    *first_end = m->sample_count ? m->samples[0].offset + m->samples[0].bytes : 0;
    out->sample_digests = m->sample_count ? malloc(m->sample_count * sizeof *out->sample_digests) : NULL;
    if (out->sample_digests) {
        out->sample_count = (uint32_t)m->sample_count;
        for (size_t i = 0; i < m->sample_count; i++) out->sample_digests[i] = m->samples[i].digest;
    }
    mp4_media_destroy(m);
    return out->is_read;
}

/* -- TS -- */

static void take_stream(const struct ts_media *m, enum media_kind kind, struct track_facts *out)
{
    const struct ts_stream *s = ts_media_stream(m, kind);
    if (!s) return;
    *out = (struct track_facts){ .is_set = true,
                                 .timescale = 90000,
                                 .start_dts = s->first_dts,
                                 .end_dts = s->end_dts,
                                 .start_pts = s->first_pts,
                                 .least_pts = s->least_pts,
                                 .longest = s->frame_90k,
                                 .sample_count = s->unit_count,
                                 .starts_with_sync = kind == MEDIA_AUDIO || s->starts_with_access,
                                 .has_sync = true };
}

static bool read_ts(struct look *l, struct media_facts *out)
{
    struct ts_media *m;
    if (ts_media_read(l->a->body, l->a->bytes, &m) == WEIR_NOMEM) return false;
    for (unsigned rule = 1; rule < TS_RULES_END; rule++) {
        if (m->checked & ~m->broken & 1ull << rule)
            expect_of(l, (enum check_rule)(RULE_C1 + (rule - TS_C1)), true, 0, "", "%s", "");
    }
    for (size_t i = 0; i < m->fault_count; i++) {
        const struct ts_fault *fault = &m->faults[i];
        expect_of(l, (enum check_rule)(RULE_C1 + (fault->rule - TS_C1)), false, 0, fault->expected, "%s (byte %zu)",
                  fault->got, fault->offset);
    }
    out->is_ts = true;
    take_stream(m, MEDIA_VIDEO, &out->video);
    take_stream(m, MEDIA_AUDIO, &out->audio);
    for (size_t i = 0; i < m->stream_count && out->counter_count < ARRAY_LEN(out->counters); i++) {
        const struct ts_stream *s = &m->streams[i];
        out->names_video |= s->kind == MEDIA_VIDEO;
        out->names_audio |= s->kind == MEDIA_AUDIO;
        if (s->has_packets)
            out->counters[out->counter_count++] = (struct ts_counters){ s->pid, s->first_counter, s->last_counter };
    }
    out->is_read = media_main_track(out) != NULL;
    if (out->video.is_set && out->audio.is_set) {
        const int64_t apart = ts_time_difference(out->video.start_pts, out->audio.start_pts);
        const int64_t frame = out->video.longest > out->audio.longest ? out->video.longest : out->audio.longest;
        expect_of(l, RULE_C9, apart <= frame && -apart <= frame, 0, "audio and video that start within a frame of each",
                  "%lld ms apart", (long long)(apart / 90));
    }
    ts_media_destroy(m);
    return out->is_read;
}

/* -- either -- */

static bool looks_like_mp4(const uint8_t *data, size_t bytes)
{
    static const char *const types[] = { "styp", "moof", "ftyp", "sidx", "prft", "emsg", "mdat", "free" };
    for (size_t i = 0; i < ARRAY_LEN(types) && bytes >= 8; i++) {
        if (!memcmp(data + 4, types[i], 4)) return true;
    }
    return false;
}

static bool is_readable_as_mp4(struct look *l, const struct seen_init *init)
{
    if (init) return init->init != NULL;
    if (looks_like_mp4(l->a->body, l->a->bytes))
        expect_of(l, RULE_R13, false, l->segment ? l->segment->line : 0, "EXT-X-MAP in front of an fMP4 segment",
                  "none for %s", l->url);
    else
        check_report_note(&l->c->report, "segments that are neither fMP4 nor TS were not read");
    return false;
}

bool media_read(struct look *l, struct seen_init *init, struct media_facts *out)
{
    size_t first_end;
    *out = (struct media_facts){ .bytes = l->a->bytes };
    out->byte_hash = byte_hash(l->a->body, l->a->bytes);
    if (ts_is_media(l->a->body, l->a->bytes)) return read_ts(l, out);
    return is_readable_as_mp4(l, init) && read_mp4(l, init->init, MP4_WHOLE, out, &first_end);
}

/* Of TS only what the picture is: its packets are cut out of a stream, so what the rules of a whole segment ask is not there. */
static bool read_ts_picture(const struct look *l, struct media_facts *out)
{
    struct ts_media *m;
    if (ts_media_read(l->a->body, l->a->bytes, &m) == WEIR_NOMEM) return false;
    out->is_ts = true;
    take_stream(m, MEDIA_VIDEO, &out->video);
    ts_media_destroy(m);
    return out->is_read = out->video.is_set;
}

bool media_read_picture(struct look *l, struct seen_init *init, struct media_facts *out, size_t *excess_bytes)
{
    size_t first_end = 0;
    *out = (struct media_facts){ .bytes = l->a->bytes };
    *excess_bytes = 0;
    if (ts_is_media(l->a->body, l->a->bytes)) return read_ts_picture(l, out);
    if (!is_readable_as_mp4(l, init) || !read_mp4(l, init->init, MP4_PICTURE, out, &first_end)) return false;
    media_facts_clear(out);
    *excess_bytes = l->a->bytes - first_end;
    return true;
}

/* -- init segments, and what the multivariant playlist says of them -- */

void list_variants(struct look *l, void (*visit)(struct look *l, const struct hls_variant *v, void *context),
                   void *context)
{
    const struct hls_multivariant *m = l->c->multivariant;
    char url[LOADGEN_URL_BYTES_MAX];
    for (size_t i = 0; m && i < m->variant_count; i++) {
        const struct hls_variant *v = &m->variants[i];
        if (v->is_iframes_only != l->list->is_iframes) continue;
        bool plays = url_resolve(l->c->multivariant_url, v->uri, url, sizeof url) == WEIR_OK &&
                     !strcmp(url, l->list->url);
        for (size_t k = 0; k < m->media_count && !plays; k++) {
            const struct hls_media *media = &m->media[k];
            plays = media->uri && media->type == HLS_MEDIA_AUDIO && v->audio && !strcmp(v->audio, media->group) &&
                    url_resolve(l->c->multivariant_url, media->uri, url, sizeof url) == WEIR_OK &&
                    !strcmp(url, l->list->url);
        }
        if (plays) visit(l, v, context);
    }
}

static bool names_codec(const char *codecs, const char *codec)
{
    const size_t bytes = strlen(codec);
    for (const char *at = codecs; *at;) {
        at += strspn(at, ", ");
        const size_t token = strcspn(at, ",");
        if (token == bytes && !strncasecmp(at, codec, bytes)) return true;
        at += token;
    }
    return false;
}

static void compare_variant(struct look *l, const struct hls_variant *v, void *context)
{
    const struct mp4_init *init = context;
    for (size_t i = 0; i < init->track_count; i++) {
        const struct mp4_track *t = &init->tracks[i];
        if (!t->has_facts) continue;
        if (v->codecs)
            expect_of(l, RULE_R48, names_codec(v->codecs, t->facts.codec_string), v->line,
                      "CODECS with each codec of the init", "%s without %s", v->codecs, t->facts.codec_string);
        const bool has_square_pixels = t->facts.sar_num == t->facts.sar_den;
        if (t->kind == MEDIA_VIDEO && v->width && t->width && has_square_pixels)
            expect_of(l, RULE_R48, v->width == t->width && v->height == t->height, v->line, "RESOLUTION of the init",
                      "%ux%u, the init has %ux%u", v->width, v->height, t->width, t->height);
    }
}

void rules_of_init(struct look *l, struct seen_init *init)
{
    const uint64_t hash = byte_hash(l->a->body, l->a->bytes);
    if (init->init || init->bytes) {
        expect_of(l, RULE_T10, hash == init->byte_hash && l->a->bytes == init->bytes, 0, "the bytes that the init had",
                  "%s", "others");
        return;
    }
    init->byte_hash = hash;
    init->read_us = l->a->done_us;
    init->bytes = l->a->bytes;
    const enum weir_err err = mp4_init_read(l->a->body, l->a->bytes, &init->init);
    expect_of(l, RULE_R13, err == WEIR_OK, 0, "a readable init segment", "%s", err_name(err));
    if (err == WEIR_NOMEM) return;
    tell_mp4(l, &init->init->findings);
    if (err) {
        mp4_init_destroy(init->init);
        init->init = NULL;
        return;
    }
    l->c->next_multivariant_us =
        l->a->done_us; /* a new init may come with a new multivariant playlist: ask before comparing */
}

void rules_of_variants(struct look *l)
{
    for (unsigned i = 0; i < l->c->list_count; i++) {
        struct seen_list *list = l->c->lists[i];
        const struct seen_segment *last = NULL;
        for (size_t k = list->segment_count; k-- > 0 && !last;) {
            if (list->segments[k]->media.is_read) last = list->segments[k];
        }
        const struct seen_init *init = last ? check_init_of(l->c, list, last) : NULL;
        if (list->is_gone || !last) continue;
        l->list = list;
        /* asked for behind the last new init: what it says now is meant for it */
        if (init && init->init && init->read_us < l->a->sent_us) list_variants(l, compare_variant, init->init);
        if (!init || init->read_us < l->a->sent_us) rules_of_frame_rate(l, last);
    }
    l->list = NULL;
}
