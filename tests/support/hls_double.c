#include "hls_double.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/bytes.h>
#include <weir/base/clock.h>

#define SEGMENT_US 2000000
#define TARGET_S 2
#define PART_TARGET_US 500000
#define FIRST_MSN 100
#define BEFORE 10 /* segments that are there when the first request can come */
#define WINDOW 8
#define LONG_WINDOW 12
#define BREAK_AT 12 /* the segment that begins anew: a few seconds in */
#define GAP_AT 13
#define EVENT_US 9000000         /* END and STALL, from the start */
#define WALL_US 1767225600000000 /* 2026-01-01 */
#define BODY_BYTES_MAX (1 << 20)
#define NEVER INT64_MAX

/* -- the stream as a function of time -- */

struct rendition {
    const char *name;
    bool is_audio, is_pictures;
};
static const struct rendition renditions[] = {
    { "v0", false, false }, { "v1", false, false }, { "a", true, false }, { "i", false, true }
};

static enum double_act act_of(const struct hls_double *d)
{
    return d->fault && d->fault->kind == FAULT_ACT ? d->fault->act : ACT_NONE;
}

static bool is(const struct hls_double *d, unsigned setup)
{
    return d->setup & setup;
}

static int64_t audio_frame(unsigned segment)
{
    return ((int64_t)segment * 2 * DOUBLE_RATE - DOUBLE_AAC / 2 + DOUBLE_AAC - 1) / DOUBLE_AAC;
}

static void frames_of(bool is_audio, unsigned segment, int64_t *first, int64_t *end)
{
    *first = is_audio ? audio_frame(segment) : (int64_t)segment * DOUBLE_GOP;
    *end = is_audio ? audio_frame(segment + 1) : (int64_t)(segment + 1) * DOUBLE_GOP;
    if (*first < 0) *first = 0;
}

static unsigned frames_per_part(const struct hls_double *d, bool is_audio)
{
    if (act_of(d) == ACT_PARTS_SHORT && !is_audio) return 8;
    return is_audio ? 23 : 12;
}

static unsigned part_count(const struct hls_double *d, bool is_audio, unsigned segment)
{
    int64_t first, end;
    frames_of(is_audio, segment, &first, &end);
    const unsigned per = frames_per_part(d, is_audio);
    return (unsigned)((end - first + per - 1) / per);
}

static void part_frames(const struct hls_double *d, bool is_audio, unsigned segment, unsigned part, int64_t *first,
                        int64_t *end)
{
    int64_t segment_end;
    frames_of(is_audio, segment, first, &segment_end);
    *first += (int64_t)part * frames_per_part(d, is_audio);
    *end = *first + frames_per_part(d, is_audio);
    if (*end > segment_end) *end = segment_end;
}

static int64_t frame_us(bool is_audio, int64_t frame)
{
    return is_audio ? frame * DOUBLE_AAC * 1000000 / DOUBLE_RATE : frame * 1000000 / DOUBLE_FPS;
}

/* When a part is listed, on the caller's clock. */
static int64_t part_ready_us(const struct hls_double *d, bool is_audio, unsigned segment, unsigned part)
{
    int64_t first, end;
    part_frames(d, is_audio, segment, part, &first, &end);
    int64_t at = d->start_us - (int64_t)BEFORE * SEGMENT_US + frame_us(is_audio, end);
    if (act_of(d) == ACT_PARTS_LATE && segment > BEFORE && part == 1) at = part_ready_us(d, is_audio, segment, 2);
    if (act_of(d) == ACT_SEGMENTS_LATE && segment >= BEFORE + 3) at += 3 * SEGMENT_US;
    if (act_of(d) == ACT_AUDIO_LAGS && is_audio) at += 3 * PART_TARGET_US;
    if (is(d, DOUBLE_STALL | DOUBLE_END) && at > d->start_us + EVENT_US) return NEVER;
    return at;
}

static int64_t segment_ready_us(const struct hls_double *d, bool is_audio, unsigned segment)
{
    return part_ready_us(d, is_audio, segment, part_count(d, is_audio, segment) - 1);
}

/* How much is listed at a time. */
static void edge_at(const struct hls_double *d, bool is_audio, int64_t now_us, unsigned *segments, unsigned *parts)
{
    *segments = 0;
    *parts = 0;
    while (segment_ready_us(d, is_audio, *segments) <= now_us) (*segments)++;
    while (*parts < part_count(d, is_audio, *segments) && part_ready_us(d, is_audio, *segments, *parts) <= now_us)
        (*parts)++;
}

static bool is_ended(const struct hls_double *d, int64_t now_us)
{
    return is(d, DOUBLE_END) && now_us >= d->start_us + EVENT_US;
}

static unsigned window_of(const struct hls_double *d, int64_t now_us)
{
    if (act_of(d) == ACT_WINDOW_SHORT && now_us > d->start_us + 5000000) return 2;
    return is(d, DOUBLE_OPEN_WINDOW) ? LONG_WINDOW : WINDOW;
}

static bool is_behind_break(const struct hls_double *d, unsigned segment)
{
    return is(d, DOUBLE_BREAK) && segment >= BREAK_AT;
}

static bool has_parts(const struct hls_double *d, const struct rendition *r)
{
    return is(d, DOUBLE_LL) && !r->is_pictures && !(r->is_audio && act_of(d) == ACT_AUDIO_NO_PARTS);
}

enum { RENDITIONS = ARRAY_LEN(renditions) };

/* -- playlists -- */

struct render {
    const struct hls_double *d;
    const struct rendition *r;
    struct byte_writer w;
    int64_t now_us;
    unsigned segments, parts, window, first, skipped; /* first: index of the first in the window */
};

static double part_seconds(const struct render *s, unsigned segment, unsigned part)
{
    int64_t first, end;
    part_frames(s->d, s->r->is_audio, segment, part, &first, &end);
    const double exact = s->r->is_audio ? (double)(end - first) * DOUBLE_AAC / DOUBLE_RATE
                                        : (double)(end - first) / DOUBLE_FPS;
    return act_of(s->d) == ACT_PART_SUM && part == 0 ? exact - 0.02 : exact;
}

static void write_date(struct render *s, unsigned segment)
{
    int64_t first, end, us;
    const enum double_act act = act_of(s->d);
    char text[CLOCK_TEXT_BYTES];
    if (act == ACT_NO_PDT_IN_AUDIO && s->r->is_audio) return;
    frames_of(s->r->is_audio, segment, &first, &end);
    us = WALL_US + frame_us(s->r->is_audio, first);
    if (act == ACT_PDT_JUMPS && segment % 2) us += 1200000;
    if (act == ACT_PDT_UNEVEN && segment % 2) us += 60000;
    if (act == ACT_PDT_OTHER_MAPPING && s->r->is_audio) us += 400000;
    clock_format(us, text);
    write_format(&s->w, "#EXT-X-PROGRAM-DATE-TIME:%s\n", text);
}

static bool is_gap(const struct render *s, unsigned segment)
{
    return is(s->d, DOUBLE_GAP) && segment == GAP_AT;
}

static void write_part(struct render *s, unsigned segment, unsigned part)
{
    int64_t first, end;
    part_frames(s->d, s->r->is_audio, segment, part, &first, &end);
    const bool is_key = s->r->is_audio || first % DOUBLE_GOP == 0;
    write_format(&s->w, "#EXT-X-PART:DURATION=%.5f,URI=\"part-%u-%u.m4s\"%s%s\n", part_seconds(s, segment, part),
                 FIRST_MSN + segment, part, is_key ? ",INDEPENDENT=YES" : "",
                 is_gap(s, segment) && act_of(s->d) != ACT_GAP_PARTS_PLAIN ? ",GAP=YES" : "");
}

static void describe_run(const struct hls_double *d, const struct rendition *r, unsigned segment, unsigned part,
                         bool is_part, struct double_run *run);

/* The front of the video's segment, up to the end of its first picture. */
static void write_picture(struct render *s, unsigned segment)
{
    struct double_run run;
    describe_run(s->d, &renditions[0], segment, 0, false, &run);
    const int more = act_of(s->d) == ACT_PICTURE_CUT ? -4 : act_of(s->d) == ACT_PICTURE_LONG ? 4 : 0;
    write_format(&s->w, "#EXTINF:2.00000,\n#EXT-X-BYTERANGE:%d@0\n../v0/seg-%u.m4s\n",
                 (int)double_first_frame_end(&run) + more, FIRST_MSN + segment);
}

static void write_tags(struct render *s, unsigned segment, bool is_first)
{
    const bool begins = is(s->d, DOUBLE_BREAK) && segment == BREAK_AT;
    if (begins && act_of(s->d) != ACT_TIMES_FALL) write_text(&s->w, "#EXT-X-DISCONTINUITY\n");
    if ((begins || is_first) && !is(s->d, DOUBLE_TS))
        write_format(&s->w, "#EXT-X-MAP:URI=\"%sinit-%d.mp4\"\n", s->r->is_pictures ? "../v0/" : "",
                     is_behind_break(s->d, segment));
}

static void write_segment(struct render *s, unsigned segment, bool is_first)
{
    int64_t first, end;
    const unsigned parts = part_count(s->d, s->r->is_audio, segment);
    /* three target durations behind the end, and no more */
    const bool lists_parts = has_parts(s->d, s->r) && !is_ended(s->d, s->now_us) &&
                             (segment + 3 >= s->segments || act_of(s->d) == ACT_PARTS_STAY);
    const bool is_odd_place = act_of(s->d) == ACT_PDT_BEHIND_PART && lists_parts;
    write_tags(s, segment, is_first);
    if (!is_odd_place) write_date(s, segment);
    if (is_gap(s, segment)) write_text(&s->w, "#EXT-X-GAP\n");
    if (s->r->is_pictures) {
        write_picture(s, segment);
        return;
    }
    for (unsigned i = 0; lists_parts && i < parts; i++) {
        write_part(s, segment, i);
        if (i == 0 && is_odd_place) write_date(s, segment);
    }
    frames_of(s->r->is_audio, segment, &first, &end);
    const double seconds = s->r->is_audio ? (double)(end - first) * DOUBLE_AAC / DOUBLE_RATE
                                          : (double)(end - first) / DOUBLE_FPS;
    write_format(&s->w, "#EXTINF:%.5f,\nseg-%u.%s\n", seconds, FIRST_MSN + segment, is(s->d, DOUBLE_TS) ? "ts" : "m4s");
}

static void write_head(struct render *s)
{
    const enum double_act act = act_of(s->d);
    const bool is_low = has_parts(s->d, s->r);
    write_format(&s->w, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%d\n",
                 is(s->d, DOUBLE_LL) && !s->r->is_pictures ? 9
                 : is(s->d, DOUBLE_TS)                     ? 3
                                                           : 6,
                 TARGET_S);
    if (s->r->is_pictures) write_text(&s->w, "#EXT-X-I-FRAMES-ONLY\n");
    if (is(s->d, DOUBLE_LL) && !s->r->is_pictures)
        write_format(&s->w,
                     "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=%s,HOLD-BACK=6,CAN-SKIP-UNTIL=12\n",
                     act == ACT_CONTROL_DIFFERS && s->r->is_audio ? "1.8" : "1.5");
    if (is_low) write_text(&s->w, "#EXT-X-PART-INF:PART-TARGET=0.5\n");
    unsigned sequence = FIRST_MSN + s->first;
    if (act == ACT_SEQUENCE_STUCK && s->now_us > s->d->start_us + 5000000) sequence--;
    write_format(&s->w, "#EXT-X-MEDIA-SEQUENCE:%u\n#EXT-X-DISCONTINUITY-SEQUENCE:%d\n", sequence,
                 is(s->d, DOUBLE_BREAK) && s->first > BREAK_AT && act != ACT_DSN_STUCK ? 8 : 7);
    write_text(&s->w, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    if (act == ACT_CLOCK_COMMENT) write_format(&s->w, "# %" PRId64 "\n", s->now_us);
    if (s->skipped) write_format(&s->w, "#EXT-X-SKIP:SKIPPED-SEGMENTS=%u\n", s->skipped);
    if (s->skipped && act == ACT_SKIP_TWICE) write_format(&s->w, "#EXT-X-SKIP:SKIPPED-SEGMENTS=%u\n", s->skipped);
}

static unsigned rendition_count(const struct hls_double *d, const struct rendition **list)
{
    unsigned count = 0;
    list[count++] = &renditions[0];
    if (is(d, DOUBLE_TWO_VIDEOS)) list[count++] = &renditions[1];
    if (!is(d, DOUBLE_NO_AUDIO | DOUBLE_TS)) list[count++] = &renditions[2];
    if (is(d, DOUBLE_IFRAMES)) list[count++] = &renditions[3];
    return count;
}

static void write_reports(struct render *s)
{
    const struct rendition *list[RENDITIONS];
    const unsigned count = rendition_count(s->d, list);
    for (unsigned i = 0; i < count && act_of(s->d) != ACT_REPORT_NONE; i++) {
        unsigned segments, parts;
        if (list[i] == s->r || list[i]->is_pictures) continue;
        edge_at(s->d, list[i]->is_audio, s->now_us - (act_of(s->d) == ACT_REPORT_OLD ? 3000000 : 0), &segments, &parts);
        const unsigned msn = FIRST_MSN + (parts ? segments : segments - 1);
        const unsigned part = parts ? parts - 1 : part_count(s->d, list[i]->is_audio, segments - 1) - 1;
        write_format(&s->w, "#EXT-X-RENDITION-REPORT:URI=\"../%s/index.m3u8\",LAST-MSN=%u,LAST-PART=%u\n",
                     list[i]->name, msn, part);
    }
}

static void write_tail(struct render *s)
{
    const enum double_act act = act_of(s->d);
    const bool is_over = is_ended(s->d, s->now_us);
    if (has_parts(s->d, s->r) && !is_over && s->parts) {
        write_tags(s, s->segments, false);
        write_date(s, s->segments);
        for (unsigned i = 0; i < s->parts; i++) write_part(s, s->segments, i);
    }
    const bool hints = has_parts(s->d, s->r) && act != ACT_HINT_NONE && (!is_over || act == ACT_ENDED_HINT);
    if (hints)
        write_format(&s->w, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-%u-%u.m4s\"\n", FIRST_MSN + s->segments,
                     act == ACT_HINT_WRONG ? s->parts + 1 : s->parts);
    if (has_parts(s->d, s->r) && !is_over) write_reports(s);
    if (is_over) write_text(&s->w, "#EXT-X-ENDLIST\n");
    if (is_over && act == ACT_ENDED_CHANGES) write_format(&s->w, "# %" PRId64 "\n", s->now_us / 1000000);
}

static unsigned skipped_of(const struct render *s)
{
    /* those that start further than 12 s before the end of the last whole one */
    const unsigned listed = s->segments - s->first;
    unsigned skipped = listed > 6 ? listed - 6 : 0;
    if (skipped && act_of(s->d) == ACT_SKIP_TOO_MANY) skipped += 2;
    if (skipped > 2 && act_of(s->d) == ACT_SKIP_TOO_FEW) skipped -= 2;
    return act_of(s->d) == ACT_SKIP_IGNORED ? 0 : skipped;
}

static void render_list(struct render *s, bool wants_delta)
{
    byte_writer_init(&s->w, BODY_BYTES_MAX);
    edge_at(s->d, s->r->is_audio, s->now_us, &s->segments, &s->parts);
    s->window = window_of(s->d, s->now_us);
    s->first = s->segments > s->window ? s->segments - s->window : 0;
    s->skipped = wants_delta && !is_ended(s->d, s->now_us) ? skipped_of(s) : 0;
    write_head(s);
    const unsigned from = s->first + s->skipped + (s->skipped && act_of(s->d) == ACT_SKIP_SHIFTED ? 1 : 0);
    for (unsigned i = from; i < s->segments; i++) write_segment(s, i, i == s->first);
    write_tail(s);
}

static void render_master(struct byte_writer *w, const struct hls_double *d)
{
    const struct rendition *list[RENDITIONS];
    const unsigned count = rendition_count(d, list);
    const bool has_audio = !is(d, DOUBLE_NO_AUDIO | DOUBLE_TS);
    byte_writer_init(w, BODY_BYTES_MAX);
    write_text(w, "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    if (has_audio)
        write_text(
            w,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"One\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"a/"
            "index.m3u8\"\n");
    for (unsigned i = 0; i < count; i++) {
        if (list[i]->is_audio) continue;
        if (list[i]->is_pictures) {
            write_format(w,
                         "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=20000,CODECS=\"avc1.64000a\",RESOLUTION=128x72,"
                         "URI=\"%s/index.m3u8\"\n",
                         list[i]->name);
            continue;
        }
        write_format(
            w, "#EXT-X-STREAM-INF:BANDWIDTH=500000,CODECS=\"avc1.64000a%s\",RESOLUTION=128x72,FRAME-RATE=25.000%s\n",
            has_audio || is(d, DOUBLE_TS) ? ",mp4a.40.2" : "", has_audio ? ",AUDIO=\"aac\"" : "");
        write_format(w, "%s/index.m3u8\n", list[i]->name);
    }
}

/* Replaces every occurrence; the body may grow. */
static void replace_all(struct byte_writer *w, const char *search, const char *replace)
{
    struct byte_writer out;
    byte_writer_init(&out, BODY_BYTES_MAX);
    const size_t bytes = strlen(search);
    for (size_t at = 0; at < w->bytes;) {
        if (w->bytes - at >= bytes && !memcmp(w->data + at, search, bytes)) {
            write_text(&out, replace);
            at += bytes;
        } else {
            write_u8(&out, w->data[at++]);
        }
    }
    byte_writer_deinit(w);
    *w = out;
}

static void break_text(const struct hls_double *d, enum double_fault_kind kind, const char *name, int64_t now_us,
                       struct byte_writer *w)
{
    const struct double_fault *f = d->fault;
    if (!f || f->kind != kind || now_us < d->start_us + f->from_us) return;
    if (f->in && strncmp(name, f->in, strlen(f->in))) return;
    replace_all(w, f->search, f->replace);
}

/* -- answers -- */

static void give(struct double_answer *out, struct byte_writer *w, const char *type, const char *cache)
{
    out->status = 200;
    out->body = w->data;
    out->bytes = w->bytes;
    out->content_type = type;
    out->cache_control = cache;
}

static void refuse(struct double_answer *out, int status)
{
    free(out->body);
    out->body = NULL;
    out->bytes = 0;
    out->status = status;
    out->content_type = "text/plain";
    out->cache_control = "max-age=1";
}

static void give_list(const struct hls_double *d, const struct rendition *r, bool wants_delta, bool accepts_gzip,
                      struct double_answer *out)
{
    struct render s = { .d = d, .r = r, .now_us = out->ready_us };
    if (act_of(d) == ACT_GOES_BACK && d->lists % 4 == 3 && out->ready_us > d->start_us + 5000000) s.now_us -= 3000000;
    render_list(&s, wants_delta);
    break_text(d, FAULT_LIST_TEXT, r->name, out->ready_us, &s.w);
    const enum double_act act = act_of(d);
    give(out, &s.w, act == ACT_TYPE_WRONG ? "text/html" : "application/vnd.apple.mpegurl",
         act == ACT_CACHE_LONG       ? "max-age=60"
         : act == ACT_NO_CACHE_FIELD ? ""
                                     : "max-age=1");
    if (accepts_gzip || act == ACT_GZIP_UNASKED) { /* said, and decoded on the way to the reader */
        out->content_encoding = "gzip";
        out->vary = "Accept-Encoding";
    }
}

struct directives {
    bool has_msn, has_part, wants_delta;
    unsigned msn, part;
};

static struct directives directives_of(const char *query)
{
    struct directives v = { .has_msn = false };
    for (const char *at = query; at && *at; at = strchr(at, '&')) {
        if (*at == '&' || *at == '?') at++;
        if (!strncmp(at, "_HLS_msn=", 9)) v.has_msn = true, v.msn = (unsigned)strtoul(at + 9, NULL, 10);
        if (!strncmp(at, "_HLS_part=", 10)) v.has_part = true, v.part = (unsigned)strtoul(at + 10, NULL, 10);
        if (!strncmp(at, "_HLS_skip=", 10)) v.wants_delta = true;
    }
    return v;
}

/* When the list has what the directives ask for. */
static int64_t blocked_until(const struct hls_double *d, const struct rendition *r, struct directives v, int64_t now_us)
{
    unsigned segments, parts;
    const enum double_act act = act_of(d);
    if (!v.has_msn || v.msn < FIRST_MSN) return now_us;
    unsigned index = v.msn - FIRST_MSN;
    edge_at(d, r->is_audio, now_us, &segments, &parts);
    int64_t at;
    if (!v.has_part) {
        at = act == ACT_SEGMENT_AT_PART ? part_ready_us(d, r->is_audio, index, 0)
                                        : segment_ready_us(d, r->is_audio, index);
    } else if (v.part >= part_count(d, r->is_audio, index)) {
        at = act == ACT_ROLL_AT_ONCE ? now_us : part_ready_us(d, r->is_audio, index + 1, 0);
    } else {
        at = act == ACT_PART_AT_ONCE && d->lists % 3 == 0 ? now_us : part_ready_us(d, r->is_audio, index, v.part);
    }
    return at > now_us ? at : now_us;
}

static bool is_too_far(const struct hls_double *d, const struct rendition *r, struct directives v, int64_t now_us)
{
    unsigned segments, parts;
    edge_at(d, r->is_audio, now_us, &segments, &parts);
    const unsigned last = FIRST_MSN + segments - 1;
    return v.msn > last + 2 || (v.has_part && v.msn == last + 1 && v.part > parts + 6 && v.part > 20);
}

static void answer_list(struct hls_double *d, const struct rendition *r, const char *query, bool accepts_gzip,
                        int64_t now_us, struct double_answer *out)
{
    const struct directives v = directives_of(query);
    const enum double_act act = act_of(d);
    const bool is_low = is(d, DOUBLE_LL), is_over = is_ended(d, now_us);
    if (is_low && is_over && act == ACT_ENDED_400 && v.has_msn) {
        refuse(out, 400);
        return;
    }
    if (is_low && !is_over && v.has_part && !v.has_msn && act != ACT_PART_ALONE_200) {
        refuse(out, 400);
        return;
    }
    if (is_low && !is_over && v.has_msn && is_too_far(d, r, v, now_us)) {
        if (act != ACT_TOO_FAR_200) {
            refuse(out, 400);
            return;
        }
    } else if (is_low && !is_over) {
        int64_t until_us = blocked_until(d, r, v, now_us);
        const int64_t end_us = d->start_us + EVENT_US;
        if (is(d, DOUBLE_END) && until_us > end_us) until_us = end_us; /* the end releases who waits */
        const int64_t patience_us = now_us + 3 * TARGET_S * 1000000;
        out->ready_us = out->done_us = until_us;
        if (until_us > patience_us) {
            out->ready_us = out->done_us = act == ACT_NEVER_503 ? NEVER : patience_us;
            refuse(out, 503);
            return;
        }
    }
    give_list(d, r, v.wants_delta && is_low, accepts_gzip, out);
}

static void break_bytes(const struct hls_double *d, enum double_fault_kind kind, struct byte_writer *w)
{
    const struct double_fault *f = d->fault;
    if (!f || f->kind != kind) return;
    for (size_t i = 0; i + 4 <= w->bytes; i++) {
        if (memcmp(w->data + i, f->search, 4)) continue;
        const size_t at = (size_t)((int64_t)i + f->offset);
        if (at + 4 <= w->bytes) store_u32(w->data + at, f->value);
        return;
    }
}

static int64_t zero_ticks(const struct hls_double *d, const struct rendition *r, unsigned segment)
{
    const enum double_act act = act_of(d);
    const int64_t scale = r->is_audio ? DOUBLE_RATE : 90000;
    int64_t zero = 10 * scale;
    if (is_behind_break(d, segment) && act != ACT_BREAK_UNTRUE) zero += (act == ACT_TIMES_FALL ? -20 : 1000) * scale;
    if (act == ACT_VIDEO_SHIFTED && !strcmp(r->name, "v1")) zero += scale / 5;
    if (act == ACT_AUDIO_SHIFTED && r->is_audio) zero += scale / 5;
    if (act == ACT_ZERO_SHIFTED && r->is_audio) zero += 100 * scale;
    return zero;
}

static void describe_run(const struct hls_double *d, const struct rendition *r, unsigned segment, unsigned part,
                         bool is_part, struct double_run *run)
{
    *run = (struct double_run){ .is_audio = r->is_audio,
                                .zero_ticks = zero_ticks(d, r, segment),
                                .sequence = segment * 10 + part + 1,
                                .has_styp = part == 0,
                                .act = act_of(d),
                                .segment = segment,
                                .is_part = is_part,
                                .is_stamped = is(d, DOUBLE_STAMPED),
                                .stamp_late_us = r->is_audio && is(d, DOUBLE_SOUND_EARLY) ? 100000 : 0,
                                .hole_at = is(d, DOUBLE_HOLE_IN_GOP)   ? 20
                                           : is(d, DOUBLE_HOLE_AT_END) ? 0
                                                                       : -1 };
    part_frames(d, r->is_audio, segment, part, &run->first, &run->end);
}

static void write_run(const struct hls_double *d, const struct rendition *r, unsigned segment, unsigned part,
                      bool is_part, struct byte_writer *w)
{
    struct double_run run;
    size_t bytes;
    describe_run(d, r, segment, part, is_part, &run);
    uint8_t *data = double_fragment(&run, &bytes);
    write_bytes(w, data, bytes);
    free(data);
}

static bool is_still_there(const struct hls_double *d, const struct rendition *r, unsigned segment, int64_t now_us)
{
    unsigned segments, parts;
    edge_at(d, r->is_audio, now_us, &segments, &parts);
    const unsigned window = window_of(d, now_us), kept = act_of(d) == ACT_REMOVED_404 ? window : 2 * window + 2;
    return segment + kept >= segments;
}

static const char *media_type(const struct hls_double *d, const struct rendition *r)
{
    if (act_of(d) == ACT_MEDIA_TYPE_WRONG) return "text/plain";
    return is(d, DOUBLE_TS) ? "video/mp2t" : r->is_audio ? "audio/mp4" : "video/mp4";
}

static void answer_segment(struct hls_double *d, const struct rendition *r, unsigned segment, struct double_answer *out)
{
    struct byte_writer w;
    const enum double_act act = act_of(d);
    const bool is_there = segment_ready_us(d, r->is_audio, segment) <= out->ready_us;
    if (!is_there || !is_still_there(d, r, segment, out->ready_us) || (act == ACT_SEGMENT_404 && segment % 4 == 3)) {
        refuse(out, 404);
        return;
    }
    byte_writer_init(&w, BODY_BYTES_MAX);
    if (is(d, DOUBLE_TS)) {
        byte_writer_deinit(&w);
        const bool is_new = is_behind_break(d, segment) && act != ACT_BREAK_UNTRUE;
        w.data = double_ts_segment(segment, 900000 + (is_new ? 90000000 : 0), act, &w.bytes);
    } else {
        for (unsigned i = 0; i < part_count(d, r->is_audio, segment); i++) write_run(d, r, segment, i, false, &w);
        break_bytes(d, FAULT_MEDIA_BYTES, &w);
    }
    give(out, &w, media_type(d, r), "public, max-age=31536000, immutable");
    if (act == ACT_SEGMENT_SLOW) out->ready_us += 3000000, out->done_us = out->ready_us;
}

static void answer_part(struct hls_double *d, const struct rendition *r, unsigned segment, unsigned part,
                        int64_t now_us, struct double_answer *out)
{
    struct byte_writer w;
    unsigned segments, parts;
    const enum double_act act = act_of(d);
    edge_at(d, r->is_audio, now_us, &segments, &parts);
    const bool is_hinted = segment == segments && part == parts;
    const bool is_next = segment == segments + 1 && part == 0 && parts == part_count(d, r->is_audio, segments);
    const bool exists = part < part_count(d, r->is_audio, segment);
    const int64_t ready_us = exists ? part_ready_us(d, r->is_audio, segment, part) : NEVER;
    const bool waits = ready_us > now_us;
    const bool is_old = act == ACT_PARTS_404 && segment + 4 < segments;
    if (!exists || is_old || (waits && !is_hinted && !is_next) || (waits && is_ended(d, now_us)) ||
        (waits && act == ACT_HINT_404) || !is_still_there(d, r, segment, now_us)) {
        refuse(out, 404);
        return;
    }
    if (waits) out->ready_us = out->done_us = act == ACT_HINT_AT_ONCE ? now_us : ready_us;
    if (waits && act == ACT_HINT_DRIBBLES && ready_us != NEVER) out->ready_us = now_us;
    if (waits && is(d, DOUBLE_END) && ready_us == NEVER) {
        out->ready_us = out->done_us = d->start_us + EVENT_US;
        refuse(out, 404);
        return;
    }
    byte_writer_init(&w, BODY_BYTES_MAX);
    write_run(d, r, segment, part, true, &w);
    break_bytes(d, FAULT_MEDIA_BYTES, &w);
    if (waits && act == ACT_HINT_AT_ONCE) w.bytes = 0;
    give(out, &w, media_type(d, r), "public, max-age=31536000, immutable");
}

static void answer_init(struct hls_double *d, const struct rendition *r, unsigned which, struct double_answer *out)
{
    struct byte_writer w = { .data = NULL };
    const bool is_other = act_of(d) == ACT_INIT_CHANGES && out->ready_us > d->start_us + 5000000;
    w.data = double_init_segment(r->is_audio, which + is_other, act_of(d) == ACT_EDIT_LIST, &w.bytes);
    break_bytes(d, FAULT_INIT_BYTES, &w);
    give(out, &w, media_type(d, r), "public, max-age=31536000, immutable");
}

static void answer_file(struct hls_double *d, const struct rendition *r, const char *file, int64_t now_us,
                        struct double_answer *out)
{
    unsigned msn, part;
    if (sscanf(file, "seg-%u.", &msn) == 1 && msn >= FIRST_MSN)
        answer_segment(d, r, msn - FIRST_MSN, out);
    else if (sscanf(file, "part-%u-%u.", &msn, &part) == 2 && msn >= FIRST_MSN)
        answer_part(d, r, msn - FIRST_MSN, part, now_us, out);
    else if (sscanf(file, "init-%u.", &msn) == 1 && msn < 2)
        answer_init(d, r, msn, out);
    else if (act_of(d) == ACT_UNKNOWN_200)
        answer_init(d, r, 0, out);
    else
        refuse(out, 404);
}

void hls_double_init(struct hls_double *d, unsigned setup, const char *fault_name, int64_t start_us)
{
    *d = (struct hls_double){ .setup = setup, .start_us = start_us };
    for (size_t i = 0; fault_name && i < double_fault_count; i++) {
        if (strcmp(double_faults[i].name, fault_name)) continue;
        d->fault = &double_faults[i];
        d->setup |= double_faults[i].setup;
    }
}

void hls_double_ask(struct hls_double *d, const char *path, bool accepts_gzip, int64_t now_us,
                    struct double_answer *out)
{
    static const char root[] = "/live/";
    const char *query = strchr(path, '?');
    const size_t bytes = query ? (size_t)(query - path) : strlen(path);
    const struct rendition *list[RENDITIONS];
    const unsigned count = rendition_count(d, list);
    *out = (struct double_answer){ .ready_us = now_us,
                                   .done_us = now_us,
                                   .content_encoding = "",
                                   .vary = "",
                                   .allow_origin = act_of(d) == ACT_NO_CORS ? "" : "*",
                                   .is_tls = is(d, DOUBLE_TLS),
                                   .is_http2 = is(d, DOUBLE_TLS) && act_of(d) != ACT_NO_H2 };
    if (strstr(path, "/index.m3u8")) d->lists++;
    refuse(out, 404);
    if (strncmp(path, root, sizeof root - 1)) return;
    const char *rest = path + sizeof root - 1;
    if (bytes == strlen("/live/index.m3u8") && !strncmp(rest, "index.m3u8", 10)) {
        struct byte_writer w;
        render_master(&w, d);
        break_text(d, FAULT_MASTER_TEXT, "", now_us, &w);
        give(out, &w, "application/vnd.apple.mpegurl", "max-age=1");
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        const size_t name = strlen(list[i]->name);
        if (strncmp(rest, list[i]->name, name) || rest[name] != '/') continue;
        const char *file = rest + name + 1;
        if (!strncmp(file, "index.m3u8", 10) && (file[10] == 0 || file[10] == '?'))
            answer_list(d, list[i], query, accepts_gzip, now_us, out);
        else
            answer_file(d, list[i], file, now_us, out);
        return;
    }
}

void hls_double_cut(struct double_answer *a, uint64_t first, uint64_t last)
{
    if (a->status != 200) return;
    if (first >= a->bytes) {
        refuse(a, 416);
        return;
    }
    const uint64_t end = last < a->bytes ? last + 1 : a->bytes;
    memmove(a->body, a->body + first, end - first);
    a->bytes = end - first;
    a->status = 206;
}
