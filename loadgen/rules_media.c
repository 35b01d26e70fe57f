/* Rules about what segments and parts hold, and how they follow each other. */
#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/url.h>

#include "check_internal.h"

#define SUM_TOLERANCE_US 2000  /* of rounded durations */
#define BREAK_US 500000        /* a jump that no player takes for jitter */
#define TOLERATED_STEP_US 1000 /* tfdt may be a rounding off, with a warning */
#define PEAK_AIR_PERCENT 125   /* A 1.29: of a live stream, measured peak against BANDWIDTH */
#define FRAME_RATE_AIR_PERMILLE 10

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

static int64_t duration_us(const struct track_facts *t)
{
    return ticks_to_us(t->end_dts - t->start_dts, t->timescale);
}

/* -- one segment -- */

static void check_duration(struct look *l, const struct track_facts *t)
{
    const struct seen_segment *s = l->segment;
    const int64_t media_us = duration_us(t), frame_us = ticks_to_us(t->longest, t->timescale);
    const int64_t off_us = s->duration_us - media_us;
    expect_of(l, RULE_R19, off_us <= frame_us && -off_us <= frame_us, s->line,
              "EXTINF = the media's duration, within a frame", "EXTINF %.6f s, media %.6f s", seconds(s->duration_us),
              seconds(media_us));
    if (s->has_discontinuity || !l->list->has_drift) l->list->drift_extinf_us = l->list->drift_media_us = 0;
    l->list->has_drift = true;
    l->list->drift_extinf_us += s->duration_us;
    l->list->drift_media_us += media_us;
    const int64_t drift_us = l->list->drift_extinf_us - l->list->drift_media_us;
    expect_of(l, RULE_R19, drift_us <= frame_us && -drift_us <= frame_us, s->line,
              "EXTINFs that do not drift from the media", "%.3f s since the last break", seconds(drift_us));
}

static void check_start(struct look *l)
{
    const struct track_facts *video = &l->segment->media.video;
    const bool is_independent = (l->list->last && l->list->last->is_independent) ||
                                (l->c->multivariant && l->c->multivariant->is_independent);
    if (!video->is_set) return;
    expect_of(l, RULE_V8, video->starts_with_sync, l->segment->line, "a sync sample first", "%s", "another one");
    if (is_independent)
        expect_of(l, RULE_R20, video->starts_with_sync, l->segment->line,
                  "a sync sample first: the list says independent", "%s", "another one");
    if (!l->segment->media.is_ts)
        expect_of(l, RULE_T5, video->least_pts == video->start_dts, l->segment->line, "a first picture at tfdt",
                  "%lld ticks from it", (long long)(video->least_pts - video->start_dts));
}

static void check_audio_frames(struct look *l)
{
    const struct track_facts *audio = &l->segment->media.audio;
    if (!audio->is_set || l->segment->media.is_ts || audio->sample_count < 2) return;
    expect_of(l, RULE_T4, audio->shortest == audio->longest, l->segment->line, "audio frames of one length",
              "%lld to %lld samples", (long long)audio->shortest, (long long)audio->longest);
}

static void check_frame_rate(struct look *l, const struct hls_variant *v, void *context)
{
    const struct track_facts *t = context;
    const int64_t lasts_us = duration_us(t);
    if (!v->frame_rate_milli || t->sample_count < 10 || lasts_us <= 0) return;
    /* a rendition of half the rate begins each segment with a picture, wherever the other half stood: one more than it lasts for */
    const uint64_t milli = (uint64_t)((__int128)(t->sample_count - 1) * 1000000000 / lasts_us);
    expect_of(l, RULE_R48, milli <= v->frame_rate_milli + v->frame_rate_milli * FRAME_RATE_AIR_PERMILLE / 1000, v->line,
              "FRAME-RATE that is not passed", "%.3f, measured %.3f", (double)v->frame_rate_milli / 1e3,
              (double)milli / 1e3);
}

void rules_of_frame_rate(struct look *l, const struct seen_segment *s)
{
    struct track_facts video = s->media.video;
    if (video.is_set) list_variants(l, check_frame_rate, &video);
}

/* 4.4.6.2: the largest bit rate of segments in a row that last between half and one and a half target durations. */
void list_note_peak(struct look *l)
{
    struct seen_list *list = l->list;
    const uint64_t msn = l->segment->msn;
    for (uint64_t first = msn;; first--) {
        uint64_t bytes = 0;
        int64_t lasts_us = 0;
        for (uint64_t at = first;; at++) {
            const struct seen_segment *s = list_segment(list, at);
            if (!s || !s->media.is_read || s->duration_us <= 0) break;
            bytes += s->media.bytes;
            lasts_us += s->duration_us;
            if (lasts_us > list->target_us * 3 / 2) break;
            if (at < msn || lasts_us < list->target_us / 2) continue;
            const uint64_t bps = bytes * 8000000 / (uint64_t)lasts_us;
            if (bps > list->peak_bps) list->peak_bps = bps;
        }
        const struct seen_segment *s = list_segment(list, first);
        if (!s || !s->media.is_read || first == list->first_msn || lasts_us > list->target_us * 3 / 2) return;
    }
}

/* -- two segments in a row -- */

static int64_t step_ticks(const struct media_facts *m, int64_t start, int64_t end)
{
    return m->is_ts ? ts_time_difference(start, end) : start - end;
}

static void check_counters(struct look *l)
{
    const struct media_facts *a = &l->before->media, *b = &l->segment->media;
    for (unsigned i = 0; i < a->counter_count; i++) {
        for (unsigned k = 0; k < b->counter_count; k++) {
            if (a->counters[i].pid != b->counters[k].pid) continue;
            const unsigned expected = (a->counters[i].last + 1u) & 0xF;
            expect_of(l, RULE_C2, b->counters[k].first == expected || b->counters[k].first == a->counters[i].last,
                      l->segment->line, "continuity counters that go on over segments", "%u behind %u on PID %u",
                      b->counters[k].first, a->counters[i].last, a->counters[i].pid);
        }
    }
}

/* One track over the joint. Returns whether it breaks there. */
static bool check_track_joint(struct look *l, const struct track_facts *a, const struct track_facts *b)
{
    const bool is_ts = l->segment->media.is_ts;
    const int64_t step_us = ticks_to_us(step_ticks(&l->segment->media, b->start_dts, a->end_dts), b->timescale);
    const int64_t off_us = step_us < 0 ? -step_us : step_us;
    const bool breaks = off_us > BREAK_US;
    if (l->segment->has_discontinuity || breaks) return breaks;
    const int64_t frame_us = ticks_to_us(a->longest, a->timescale);
    if (is_ts) {
        expect_of(l, RULE_C8, off_us <= frame_us, l->segment->line, "DTS that goes on within a frame", "%.6f s off",
                  seconds(step_us));
        return false;
    }
    struct look at = *l;
    at.rule = RULE_V6;
    if (off_us > TOLERATED_STEP_US)
        expect(&at, false, l->segment->line, "tfdt where the segment before ended", "%.6f s off", seconds(step_us));
    else
        advise(&at, b->start_dts == a->end_dts, l->segment->line, "tfdt exactly where the segment before ended",
               "%lld ticks off", (long long)(b->start_dts - a->end_dts));
    return false;
}

static bool has_other_codec(struct look *l)
{
    struct seen_init *a = check_init_of(l->c, l->list, l->before), *b = check_init_of(l->c, l->list, l->segment);
    return a && b && a != b && a->init && b->init && !mp4_init_same(a->init, b->init);
}

static void check_joint(struct look *l)
{
    const struct media_facts *a = &l->before->media, *b = &l->segment->media;
    bool breaks = false;
    if (a->is_ts != b->is_ts) return;
    const bool has_other_tracks = a->names_video != b->names_video || a->names_audio != b->names_audio;
    const bool has_video = a->video.is_set && b->video.is_set, has_audio = a->audio.is_set && b->audio.is_set;
    const bool is_same_scale = (!has_video || a->video.timescale == b->video.timescale) &&
                               (!has_audio || a->audio.timescale == b->audio.timescale);
    if (!has_other_tracks && is_same_scale) {
        if (has_video) breaks |= check_track_joint(l, &a->video, &b->video);
        if (has_audio) breaks |= check_track_joint(l, &a->audio, &b->audio);
        if (!l->segment->has_discontinuity && !b->is_ts) {
            const struct track_facts *before = media_main_track(a), *now = media_main_track(b);
            expect_of(l, RULE_T11, now->start_dts > before->start_dts, l->segment->line, "decode times that rise",
                      "%lld behind %lld", (long long)now->start_dts, (long long)before->start_dts);
            expect_of(l, RULE_V5, b->first_sequence > a->last_sequence, l->segment->line,
                      "a sequence_number that rises over segments", "%u behind %u", b->first_sequence,
                      a->last_sequence);
        }
    }
    const bool has_new_codec = has_other_codec(l) || has_other_tracks || !is_same_scale;
    struct look at = *l;
    at.rule = RULE_R12;
    if (!l->segment->has_discontinuity) {
        expect(&at, !breaks, l->segment->line, "EXT-X-DISCONTINUITY where timestamps break", "none for %s",
               l->segment->uri);
        expect(&at, !has_new_codec, l->segment->line, "EXT-X-DISCONTINUITY where codecs or tracks change",
               "none for %s", l->segment->uri);
        if (b->is_ts) check_counters(l);
    } else {
        advise(&at, breaks || has_new_codec, l->segment->line, "EXT-X-DISCONTINUITY only where something breaks",
               "one for %s, which goes on", l->segment->uri);
    }
}

static void check_joints(struct look *l)
{
    struct look at = *l;
    at.before = list_segment(l->list, l->segment->msn - 1);
    if (at.before && at.before->media.is_read && !l->segment->is_joint_checked) {
        l->segment->is_joint_checked = true;
        check_joint(&at);
    }
    struct seen_segment *next = list_segment(l->list, l->segment->msn + 1);
    if (!next || !next->media.is_read || next->is_joint_checked) return;
    next->is_joint_checked = true;
    at.before = l->segment;
    at.segment = next;
    check_joint(&at);
}

void rules_of_segment(struct look *l, struct seen_init *init)
{
    struct seen_segment *s = l->segment;
    if (s->is_encrypted) {
        check_report_note(&l->c->report, "encrypted segments were not read");
        return;
    }
    if (!media_read(l, init, &s->media)) return;
    l->c->segments_read++;
    check_duration(l, media_main_track(&s->media));
    check_start(l);
    check_audio_frames(l);
    list_note_peak(l);
    check_joints(l);
    run_rules(l, joint_rules, joint_rule_count);
    rules_of_whole_segment(l);
}

/* -- parts -- */

void rules_of_part(struct look *l, struct seen_part *part, struct seen_init *init)
{
    if (l->segment->is_encrypted || !media_read(l, init, &part->media)) return;
    l->c->parts_read++;
    const struct track_facts *t = media_main_track(&part->media);
    const bool has_sync = part->media.is_ts || t->has_sync;
    const int64_t media_us = duration_us(t), frame_us = ticks_to_us(t->longest, t->timescale);
    const int64_t off_us = part->duration_us - media_us;
    expect_of(l, RULE_V12, off_us <= frame_us && -off_us <= frame_us, part->line,
              "DURATION = the part's media, within a frame", "DURATION %.6f s, media %.6f s",
              seconds(part->duration_us), seconds(media_us));
    if (!part->media.is_ts) {
        struct look at = *l;
        at.rule = RULE_R31;
        expect(&at, has_sync == part->is_independent, part->line,
               "INDEPENDENT=YES where there is a sync sample, and only there", "INDEPENDENT=%s, %s",
               part->is_independent ? "YES" : "NO", has_sync ? "one is there" : "none is there");
        if (has_sync)
            advise(&at, t->starts_with_sync, part->line, "the sync sample first in its part", "%s", "a later one");
    }
    rules_of_whole_segment(l);
}

/* The durations as they are listed. */
static void check_sum(struct look *l)
{
    struct seen_segment *s = l->segment;
    int64_t sum_us = 0;
    if (s->is_sum_checked || !s->uri || !s->has_all_parts || s->is_gap) return;
    s->is_sum_checked = true;
    for (uint32_t i = 0; i < s->part_count; i++) sum_us += s->parts[i].duration_us;
    const int64_t off_us = sum_us - s->duration_us;
    expect_of(l, RULE_V12, off_us <= SUM_TOLERANCE_US && -off_us <= SUM_TOLERANCE_US, s->line,
              "EXTINF = the sum of the parts' DURATIONs", "%.6f s in %u parts, EXTINF %.6f s", seconds(sum_us),
              s->part_count, seconds(s->duration_us));
}

static bool same_samples(const struct seen_segment *s, uint32_t *where)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < s->part_count; i++) {
        const struct media_facts *m = &s->parts[i].media;
        for (uint32_t k = 0; k < m->sample_count; k++, at++) {
            *where = at;
            if (at >= s->media.sample_count || m->sample_digests[k] != s->media.sample_digests[at]) return false;
        }
    }
    *where = at;
    return at == s->media.sample_count;
}

void rules_of_whole_segment(struct look *l)
{
    struct seen_segment *s = l->segment;
    check_sum(l);
    if (s->is_compared || !s->media.is_read || !s->has_all_parts) return;
    uint64_t hash = 0, bytes = 0;
    for (uint32_t i = 0; i < s->part_count; i++) {
        const struct seen_part *part = &s->parts[i];
        if (!part->media.is_read) return;
        hash = byte_hash_join(hash, part->media.byte_hash, part->media.bytes);
        bytes += part->media.bytes;
    }
    s->is_compared = true;
    uint32_t where = 0;
    if (!s->media.is_ts) {
        const bool is_same = same_samples(s, &where);
        expect_of(l, RULE_R30, is_same, s->line, "the segment's samples in its parts",
                  "%u parts differ from sample %u of %u on", s->part_count, where, s->media.sample_count);
    }
    expect_of(l, RULE_V13, bytes == s->media.bytes && hash == s->media.byte_hash, s->line,
              "parts that are the segment's bytes", "%llu bytes in parts, %llu in the segment",
              (unsigned long long)bytes, (unsigned long long)s->media.bytes);
    media_facts_clear(&s->media);
    for (uint32_t i = 0; i < s->part_count; i++) media_facts_clear(&s->parts[i].media);
}

/* -- at the end -- */

static void add_peak(const struct check *c, const char *uri, uint64_t *bps)
{
    char url[LOADGEN_URL_BYTES_MAX];
    if (!uri || url_resolve(c->multivariant_url, uri, url, sizeof url) != WEIR_OK) return;
    for (unsigned i = 0; i < c->list_count; i++) {
        if (!strcmp(c->lists[i]->url, url) && c->lists[i]->peak_bps > *bps) *bps = c->lists[i]->peak_bps;
    }
}

void rules_of_bandwidth(struct look *l)
{
    const struct hls_multivariant *m = l->c->multivariant;
    for (size_t i = 0; m && i < m->variant_count; i++) {
        const struct hls_variant *v = &m->variants[i];
        uint64_t own_bps = 0, audio_bps = 0;
        if (!v->bandwidth_bps) continue;
        add_peak(l->c, v->uri, &own_bps);
        for (size_t k = 0; k < m->media_count; k++) {
            if (m->media[k].type == HLS_MEDIA_AUDIO && v->audio && !strcmp(m->media[k].group, v->audio))
                add_peak(l->c, m->media[k].uri, &audio_bps);
        }
        const uint64_t peak_bps = own_bps + audio_bps;
        if (!own_bps) continue;
        expect(l, peak_bps <= v->bandwidth_bps * PEAK_AIR_PERCENT / 100, v->line,
               "BANDWIDTH from the measured peak on, less 25 %", "%llu, measured %llu",
               (unsigned long long)v->bandwidth_bps, (unsigned long long)peak_bps);
        advise(l, peak_bps <= v->bandwidth_bps, v->line, "BANDWIDTH from the measured peak on", "%llu, measured %llu",
               (unsigned long long)v->bandwidth_bps, (unsigned long long)peak_bps);
    }
}
