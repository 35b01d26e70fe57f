/* Rules about answers: fields, times, and what a server says to directives and odd questions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "check_internal.h"

#define GZIP_BYTES_LEAST 1024 /* smaller ones fit a packet anyway */

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

static int64_t waited_us(const struct look *l)
{
    return (l->a->first_byte_us ? l->a->first_byte_us : l->a->done_us) - l->a->sent_us;
}

static bool is_at_once(const struct look *l)
{
    return waited_us(l) <= 2 * l->c->config.tolerance_us;
}

static int64_t target_us(const struct look *l)
{
    return l->list->target_us == HLS_ABSENT ? 6000000 : l->list->target_us;
}

/* -- fields -- */

static bool is_type(const char *content_type, const char *const *types, size_t count)
{
    const size_t bytes = strcspn(content_type, "; ");
    for (size_t i = 0; i < count; i++) {
        if (strlen(types[i]) == bytes && !strncasecmp(types[i], content_type, bytes)) return true;
    }
    return false;
}

struct cache_control {
    bool is_there, is_never; /* no-store or no-cache */
    int64_t max_age_s;       /* -1: not there */
};

static struct cache_control cache_control_of(const char *field)
{
    struct cache_control c = { field[0] != 0, strcasestr(field, "no-store") || strcasestr(field, "no-cache"), -1 };
    const char *age = strcasestr(field, "max-age=");
    if (age) c.max_age_s = strtoll(age + strlen("max-age="), NULL, 10);
    return c;
}

static void check_list_cache(struct look *l)
{
    const struct cache_control cache = cache_control_of(l->a->cache_control);
    const int64_t target_s = target_us(l) / 1000000, half_s = (target_s + 1) / 2;
    if (!advise(l, cache.is_there, 0, "Cache-Control for a playlist", "%s", "none")) return;
    if (cache.is_never || cache.max_age_s < 0 || !l->list || l->p->is_ended) return;
    if (l->asked->has_msn) {
        advise(l, cache.max_age_s <= 6 * target_s, 0, "at most 6 target durations for a blocking reload",
               "max-age=%lld", (long long)cache.max_age_s);
        return;
    }
    expect(l, cache.max_age_s <= target_s, 0, "at most a target duration for a live playlist", "max-age=%lld",
           (long long)cache.max_age_s);
    advise(l, cache.max_age_s <= (half_s > 1 ? half_s : 1), 0, "half a target duration for a live playlist",
           "max-age=%lld", (long long)cache.max_age_s);
}

static void check_gzip(struct look *l)
{
    const bool is_packed = !strcasecmp(l->a->content_encoding, "gzip");
    if (l->asked->probe != PROBE_GZIP) {
        expect(l, !l->a->content_encoding[0] || !strcasecmp(l->a->content_encoding, "identity"), 0,
               "no Content-Encoding that was not asked for", "%s", l->a->content_encoding);
        return;
    }
    if (l->a->bytes >= GZIP_BYTES_LEAST)
        advise(l, is_packed, 0, "gzip for a playlist where it is accepted", "%s",
               l->a->content_encoding[0] ? l->a->content_encoding : "none");
    if (is_packed)
        advise(l, strcasestr(l->a->vary, "Accept-Encoding") || strchr(l->a->vary, '*'), 0,
               "Vary: Accept-Encoding with gzip", "%s", l->a->vary[0] ? l->a->vary : "none");
}

void rules_of_playlist_head(struct look *l)
{
    static const char *const types[] = { "application/vnd.apple.mpegurl", "audio/mpegurl", "application/x-mpegurl",
                                         "audio/x-mpegurl" };
    l->rule = RULE_R22;
    expect(l, is_type(l->a->content_type, types, ARRAY_LEN(types)), 0, "application/vnd.apple.mpegurl", "%s",
           l->a->content_type[0] ? l->a->content_type : "no Content-Type");
    advise(l, is_type(l->a->content_type, types, 2), 0, "one of the two registered types", "%s", l->a->content_type);
    advise(l, l->a->allow_origin[0] != 0, 0, "Access-Control-Allow-Origin", "%s", "none");
    check_gzip(l);
    l->rule = RULE_R47;
    if (l->list) check_list_cache(l);
    l->rule = RULE_R51;
    if (l->a->is_tls) expect(l, l->a->is_http2, 0, "HTTP/2 over TLS", "%s", "HTTP/1.1");
}

void rules_of_media_head(struct look *l, bool is_error_expected)
{
    static const char *const types[] = { "video/mp4",  "video/iso.segment", "audio/mp4", "audio/iso.segment",
                                         "video/mp2t", "audio/aac",         "text/vtt",  "application/mp4" };
    const struct hls_range *range = &l->asked->range;
    const bool is_good = range->is_set ? l->a->status == 206 || l->a->status == 200 : l->a->status == 200;
    l->rule = RULE_R17;
    if (is_error_expected && !is_good) return;
    if (!expect(l, is_good, 0, "200 for what is listed", "%d %s", l->a->status, l->a->status ? "" : l->a->error))
        return;
    expect(l, l->a->content_length < 0 || l->a->content_encoding[0] || (uint64_t)l->a->content_length == l->a->bytes, 0,
           "as many bytes as Content-Length says", "%zu of %lld", l->a->bytes, (long long)l->a->content_length);
    if (range->is_set)
        expect(l, l->a->status == 206 && l->a->bytes == range->bytes, 0, "206 and the bytes of the range",
               "%d, %zu of %llu", l->a->status, l->a->bytes, (unsigned long long)range->bytes);
    if (l->asked->kind != ASKED_HINT)
        expect(l, is_at_once(l), 0, "an answer at once", "after %.3f s", seconds(waited_us(l)));
    l->rule = RULE_R22;
    advise(l, is_type(l->a->content_type, types, ARRAY_LEN(types)), 0, "a media type that players know", "%s",
           l->a->content_type[0] ? l->a->content_type : "no Content-Type");
    advise(l, l->a->allow_origin[0] != 0, 0, "Access-Control-Allow-Origin", "%s", "none");
    l->rule = RULE_R47;
    const struct cache_control cache = cache_control_of(l->a->cache_control);
    const bool is_long = cache.max_age_s * 1000000 >= 6 * target_us(l) || strcasestr(l->a->cache_control, "immutable");
    advise(l, is_long, 0, "6 target durations or more for media", "%s",
           l->a->cache_control[0] ? l->a->cache_control : "no Cache-Control");
}

/* -- blocking reloads -- */

static bool has_segment(const struct hls_playlist *p, uint64_t msn)
{
    return p->media_sequence + p->skipped + p->segment_count > msn;
}

static bool has_part(const struct hls_playlist *p, uint64_t msn, uint32_t part)
{
    return has_segment(p, msn) || (p->open.part_count > part && p->open.msn == msn) ||
           (p->open.part_count && p->open.msn > msn);
}

/* Of an answer with a list in it. */
static void answered_early(struct look *l, bool holds, const char *expected)
{
    expect(l, holds || l->p->is_ended, 0, expected, "a list that ends with %llu and %u parts, asked for %llu, part %d",
           (unsigned long long)(l->p->open.msn ? l->p->open.msn - 1 : 0), l->p->open.part_count,
           (unsigned long long)l->asked->msn, l->asked->has_part ? (int)l->asked->part : -1);
}

static void r37(struct look *l)
{
    if (!l->asked->has_msn || !l->asked->has_part || l->asked->probe == PROBE_ROLL_OVER) return;
    answered_early(l, has_part(l->p, l->asked->msn, l->asked->part), "a list with that part, or a later one");
    if (l->asked->probe == PROBE_PAST)
        expect(l, is_at_once(l) && !l->p->skip_count, 0, "the whole list at once for what is past", "after %.3f s%s",
               seconds(waited_us(l)), l->p->skip_count ? ", with EXT-X-SKIP" : "");
}

static void r38(struct look *l)
{
    if (l->asked->has_msn && !l->asked->has_part)
        answered_early(l, has_segment(l->p, l->asked->msn), "a list with that whole segment, or a later one");
}

static void r39(struct look *l)
{
    if (l->asked->probe == PROBE_ROLL_OVER)
        answered_early(l, has_part(l->p, l->asked->msn + 1, 0), "a list with part 0 of the next segment");
}

static void r43(struct look *l)
{
    if (l->asked->probe == PROBE_ENDED)
        expect(l, l->p->is_ended && is_at_once(l), 0, "the ended list at once", "after %.3f s", seconds(waited_us(l)));
}

const struct rule_row blocking_rules[] = {
    { RULE_R37, r37, false }, { RULE_R38, r38, false }, { RULE_R39, r39, false }, { RULE_R43, r43, false }
};
const size_t blocking_rule_count = ARRAY_LEN(blocking_rules);

/* -- delta updates -- */

static void check_boundary(struct look *l, int64_t until_us)
{
    const struct hls_playlist *p = l->p;
    const struct seen_segment *last_skipped = list_segment(l->list, p->media_sequence + p->skipped - 1);
    const int64_t listed_us = hls_playlist_duration_us(p);
    /* the start of the newest that is skipped, and of the oldest that is not, from the end of the last segment */
    if (last_skipped && last_skipped->duration_us != HLS_ABSENT)
        expect(l, listed_us + last_skipped->duration_us > until_us - 1000, p->skip_line,
               "nothing skipped within CAN-SKIP-UNTIL", "segment %llu, %.3f s from the end of %.3f s",
               (unsigned long long)last_skipped->msn, seconds(listed_us + last_skipped->duration_us),
               seconds(until_us));
    const int64_t first_us = p->segment_count ? p->segments[0].duration_us : 0;
    expect(l, listed_us - first_us < until_us + 1000, p->skip_line, "all beyond CAN-SKIP-UNTIL skipped",
           "%.3f s listed, CAN-SKIP-UNTIL %.3f s", seconds(listed_us), seconds(until_us));
}

void rules_of_delta(struct look *l)
{
    const struct hls_playlist *p = l->p, *full = l->list->last;
    const int64_t until_us = full->control.can_skip_until_us;
    l->rule = RULE_R44;
    if (p->is_ended) {
        expect(l, !p->skip_count, p->skip_line, "no delta of an ended list", "%s", "EXT-X-SKIP");
        return;
    }
    expect(l, p->control.can_skip_until_us == until_us, p->control.line,
           "CAN-SKIP-UNTIL in the delta as in the full list", "%.3f s, full %.3f s",
           seconds(p->control.can_skip_until_us), seconds(until_us));
    if (!p->skip_count) {
        const int64_t whole_us = hls_playlist_duration_us(p),
                      first_us = p->segment_count ? p->segments[0].duration_us : 0;
        expect(l, whole_us - first_us < until_us + 1000, 0, "a delta update",
               "the full list of %.3f s, CAN-SKIP-UNTIL %.3f s", seconds(whole_us), seconds(until_us));
        return;
    }
    advise(l, p->skipped > 0, p->skip_line, "SKIPPED-SEGMENTS from 1 on", "%s", "0");
    check_boundary(l, until_us);
    /* the numbers of the whole list: those of the full one, or of one that has moved on since */
    expect(l, p->media_sequence >= full->media_sequence, p->sequence_line, "EXT-X-MEDIA-SEQUENCE of the full list",
           "%llu, full %llu", (unsigned long long)p->media_sequence, (unsigned long long)full->media_sequence);
    const struct seen_segment *first = list_segment(l->list, p->media_sequence);
    const struct seen_segment *listed = p->segment_count ? list_segment(l->list, p->segments[0].msn) : NULL;
    const bool is_known = first && first->uri && p->skipped > 0;
    expect(l, is_known, p->skip_line, "skipped segments that the full list had", "%llu skipped from %llu on",
           (unsigned long long)p->skipped, (unsigned long long)p->media_sequence);
    if (is_known && !first->has_discontinuity)
        expect(l, p->discontinuity_sequence == first->dsn, p->discontinuity_line,
               "EXT-X-DISCONTINUITY-SEQUENCE of the full list", "%llu, full %llu",
               (unsigned long long)p->discontinuity_sequence, (unsigned long long)first->dsn);
    if (listed && listed->uri)
        expect(l, !strcmp(listed->uri, p->segments[0].uri), p->segments[0].line,
               "a first segment that follows the skipped ones", "%s, the full list has %s there", p->segments[0].uri,
               listed->uri);
    else if (p->segment_count && p->segments[0].msn <= l->list->last_msn)
        expect(l, false, p->skip_line, "a list that joins the full one", "it begins with %llu",
               (unsigned long long)p->segments[0].msn);
}

/* -- hints -- */

void rules_of_hint(struct look *l)
{
    const bool is_there = l->a->status == 200 || l->a->status == 206;
    l->rule = RULE_R36;
    if (l->a->status == 404 || l->a->status == 410) { /* 6.2.6: a plan may change; if it did not, that shows later */
        l->list->was_hint_denied = true;
        return;
    }
    if (l->a->status == 503 && waited_us(l) >= 3 * target_us(l) - l->c->config.tolerance_us)
        return; /* as reloads are */
    if (!expect(l, is_there, 0, "the hinted part", "%d %s after %.3f s", l->a->status, l->a->status ? "" : l->a->error,
                seconds(l->a->done_us - l->a->sent_us)))
        return;
    expect(l, l->a->done_us - l->a->first_byte_us <= l->c->config.tolerance_us, 0, "the whole part in one go",
           "%.3f s between the first byte and the last", seconds(l->a->done_us - l->a->first_byte_us));
    expect(l, l->a->bytes > 0 && (l->a->content_length < 0 || (uint64_t)l->a->content_length == l->a->bytes), 0,
           "a whole part", "%zu bytes", l->a->bytes);
}

/* -- odd questions -- */

static void check_refusal(struct look *l, enum check_rule rule)
{
    l->rule = rule;
    expect(l, l->a->status == 400, 0, "400", "%d %s", l->a->status, l->a->status ? "" : l->a->error);
    if (l->a->status == 400)
        expect_of(l, rule, is_at_once(l), 0, "an answer at once", "after %.3f s", seconds(waited_us(l)));
}

static bool is_closed_by_now(const struct look *l)
{
    struct hls_playlist *p;
    if (l->list->last_msn + 1 > l->asked->msn) return true;
    if (l->a->status != 200 || hls_playlist_parse((const char *)l->a->body, l->a->bytes, &p)) return false;
    const bool is_closed = p->media_sequence + p->skipped + p->segment_count > l->asked->msn;
    hls_playlist_destroy(p);
    return is_closed;
}

/* A server that cannot answer a blocking reload gives it up, and says so. */
static void check_patience(struct look *l)
{
    const int64_t most_us = 3 * target_us(l);
    const bool is_late = waited_us(l) > most_us + l->c->config.tolerance_us + target_us(l) / 2;
    l->rule = RULE_R42;
    if (!l->asked->has_msn) return;
    if (is_late)
        expect(l, l->a->status == 503 && waited_us(l) < most_us + target_us(l) + l->c->config.tolerance_us, 0,
               "503 after three target durations", "%d %s after %.3f s", l->a->status, l->a->status ? "" : l->a->error,
               seconds(waited_us(l)));
    else if (l->a->status == 503)
        advise(l, waited_us(l) >= most_us - l->c->config.tolerance_us, 0, "503 not before three target durations",
               "after %.3f s", seconds(waited_us(l)));
}

void rules_of_probe(struct look *l)
{
    switch (l->asked->probe) {
    case PROBE_UNKNOWN_NAME:
        l->rule = RULE_R23;
        expect(l, l->a->status == 404 || l->a->status == 410, 0, "404", "%d %s", l->a->status,
               l->a->status ? "" : l->a->error);
        return;
    case PROBE_PART_ALONE: check_refusal(l, RULE_R40); return;
    case PROBE_MSN_TOO_FAR: check_refusal(l, RULE_R41); return;
    case PROBE_PART_TOO_FAR: /* once the segment is closed, the part is behind its end, and means the next one */
        if (!is_closed_by_now(l)) check_refusal(l, RULE_R41);
        return;
    default: break;
    }
    check_patience(l);
    const bool is_patient = l->a->status == 503 && waited_us(l) >= 3 * target_us(l) - l->c->config.tolerance_us;
    if (l->a->status == 200 || is_patient || l->a->status == 404 || l->a->status == 410) return;
    const enum check_rule rule = l->asked->probe == PROBE_ROLL_OVER ? RULE_R39
                                 : l->asked->probe == PROBE_ENDED   ? RULE_R43
                                 : l->asked->has_part               ? RULE_R37
                                 : l->asked->has_msn                ? RULE_R38
                                                                    : RULE_R17;
    expect_of(l, rule, false, 0, "a playlist", "%d %s", l->a->status, l->a->status ? "" : l->a->error);
}

void rules_of_removed(struct look *l, enum check_rule rule)
{
    if (l->a->status == 405 || l->a->status == 501) {
        check_report_note(&l->c->report,
                          "the server does not take HEAD: whether removed segments stay was not looked at");
        return;
    }
    l->rule = rule;
    expect(l, l->a->status == 200 || l->a->status == 206, 0, "200 for a while behind its removal", "%d %s",
           l->a->status, l->a->status ? "" : l->a->error);
}

/* -- at the end -- */

static void list_at_end(struct look *l)
{
    const struct seen_list *list = l->list;
    if (!list->has_edge || list->is_ended || list->is_gone || list->target_us == HLS_ABSENT) return;
    const int64_t tolerance_us = l->c->config.tolerance_us;
    /* who polls knows no more than at the last poll */
    const int64_t known_us = list->last && list->last->control.can_block_reload ? l->now_us : list->answered_us;
    if (list->segment_us != UNKNOWN_US)
        expect_of(l, RULE_R9, known_us - list->segment_us <= list->target_us * 3 / 2 + tolerance_us, 0,
                  "a new segment within 1.5 target durations", "none for %.3f s, target %.0f s",
                  seconds(known_us - list->segment_us), seconds(list->target_us));
    if (list->part_us != UNKNOWN_US && list->part_target_us != HLS_ABSENT)
        expect_of(l, RULE_R34, known_us - list->part_us <= list->part_target_us + tolerance_us, 0,
                  "a new part within PART-TARGET", "none for %.3f s, PART-TARGET %.3f s",
                  seconds(known_us - list->part_us), seconds(list->part_target_us));
}

void rules_at_end(struct check *c, int64_t now_us)
{
    struct look l = { .c = c, .now_us = now_us, .url = c->url };
    for (unsigned i = 0; i < c->list_count; i++) {
        l.list = c->lists[i];
        l.url = c->lists[i]->url;
        list_at_end(&l);
    }
    l.rule = RULE_R48;
    l.url = c->multivariant_url ? c->multivariant_url : c->url;
    rules_of_bandwidth(&l);
}
