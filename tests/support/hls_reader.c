#include "hls_reader.h"

#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void hls_reader_init(struct hls_reader *r, const char *label)
{
    memset(r, 0, sizeof *r);
    snprintf(r->label, sizeof r->label, "%s", label);
}

const struct hls_seen *hls_reader_find(const struct hls_reader *r, uint64_t msn)
{
    if (!r->count || msn < r->seen[0].msn || msn - r->seen[0].msn >= r->count) return NULL;
    return &r->seen[msn - r->seen[0].msn];
}

static int64_t wall_of(const char *text)
{
    struct tm tm = { .tm_isdst = 0 };
    unsigned ms = 0;
    assert_int_equal(sscanf(text, "%d-%d-%dT%d:%d:%d.%3u", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
                            &tm.tm_min, &tm.tm_sec, &ms),
                     7);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return timegm(&tm) * 1000000LL + ms * 1000LL;
}

/* What stands in front of a segment's URI. */
struct pending {
    struct hls_seen segment;
    bool has_duration, has_wall;
};

static const char *value_of(const char *line, const char *tag)
{
    const size_t bytes = strlen(tag);
    return strncmp(line, tag, bytes) ? NULL : line + bytes;
}

static void take(struct hls_reader *r, struct pending *p, const char *uri)
{
    struct hls_seen *s = &p->segment;
    if (!p->has_duration || !p->has_wall) fail_msg("%s: segment %s without EXTINF or time", r->label, uri);
    if ((s->duration_us + 500000) / 1000000 > r->target_duration_s)
        fail_msg("%s: %s lasts %lld us, target %u s", r->label, uri, (long long)s->duration_us, r->target_duration_s);
    assert_true(strlen(uri) < sizeof s->uri);
    memcpy(s->uri, uri, strlen(uri) + 1);
    struct hls_seen *known = (struct hls_seen *)hls_reader_find(r, s->msn);
    if (known && r->may_lose && s->is_gap) {
        r->lost += !known->is_gap;
        r->renamed += strcmp(known->uri, s->uri) != 0;
        *known = *s;
        return;
    }
    /* the disk was not waited for, and had it after all when the next process looked */
    if (known && r->may_lose && known->is_gap && !strcmp(known->uri, s->uri)) *known = *s;
    if (known) {
        if (strcmp(known->uri, s->uri) || strcmp(known->init, s->init) || known->duration_us != s->duration_us ||
            known->discontinuity != s->discontinuity || known->is_gap != s->is_gap || known->wall_us != s->wall_us)
            fail_msg("%s: number %llu was %s (%lld us, era %llu), is %s (%lld us, era %llu)", r->label,
                     (unsigned long long)s->msn, known->uri, (long long)known->duration_us,
                     (unsigned long long)known->discontinuity, s->uri, (long long)s->duration_us,
                     (unsigned long long)s->discontinuity);
        return;
    }
    const struct hls_seen *last = r->count ? &r->seen[r->count - 1] : NULL;
    if (last && r->may_lose && s->msn == r->first_msn && s->msn > last->msn + 1) {
        if (s->discontinuity <= last->discontinuity) fail_msg("%s: a new list in an old era", r->label);
        r->restarts++;
        r->count = 0;
        last = NULL;
    }
    if (last && s->msn != last->msn + 1)
        fail_msg("%s: number %llu follows %llu", r->label, (unsigned long long)s->msn, (unsigned long long)last->msn);
    if (last && s->wall_us < last->wall_us)
        fail_msg("%s: PROGRAM-DATE-TIME goes back by %lld us at %llu%s (era %llu, before %llu)", r->label,
                 (long long)(last->wall_us - s->wall_us), (unsigned long long)s->msn, s->is_gap ? ", a gap" : "",
                 (unsigned long long)s->discontinuity, (unsigned long long)last->discontinuity);
    assert_true(r->count < HLS_SEEN_MAX);
    r->seen[r->count++] = *s;
    r->fresh++;
}

static void read_head(struct hls_reader *r, const char *line, struct pending *p)
{
    const char *value;
    if ((value = value_of(line, "#EXT-X-TARGETDURATION:"))) {
        const unsigned target = (unsigned)strtoul(value, NULL, 10);
        if (r->target_duration_s && target != r->target_duration_s)
            fail_msg("%s: target duration %u became %u", r->label, r->target_duration_s, target);
        r->target_duration_s = target;
    } else if ((value = value_of(line, "#EXT-X-MEDIA-SEQUENCE:"))) {
        p->segment.msn = strtoull(value, NULL, 10);
        if (p->segment.msn < r->first_msn) fail_msg("%s: the media sequence goes back", r->label);
        r->first_msn = p->segment.msn;
    } else if ((value = value_of(line, "#EXT-X-DISCONTINUITY-SEQUENCE:"))) {
        p->segment.discontinuity = strtoull(value, NULL, 10);
    } else if (!strcmp(line, "#EXT-X-ENDLIST")) {
        r->has_ended = true;
    }
}

static void read_line(struct hls_reader *r, const char *line, struct pending *p)
{
    const char *value;
    if (*line && *line != '#') {
        take(r, p, line);
        p->segment.msn++;
        p->segment.is_gap = p->has_duration = p->has_wall = false;
    } else if (!strcmp(line, "#EXT-X-DISCONTINUITY")) {
        p->segment.discontinuity++;
    } else if (!strcmp(line, "#EXT-X-GAP")) {
        p->segment.is_gap = true;
    } else if ((value = value_of(line, "#EXT-X-MAP:URI=\""))) {
        snprintf(p->segment.init, sizeof p->segment.init, "%.*s", (int)strcspn(value, "\""), value);
    } else if ((value = value_of(line, "#EXT-X-PROGRAM-DATE-TIME:"))) {
        p->segment.wall_us = wall_of(value);
        p->has_wall = true;
    } else if ((value = value_of(line, "#EXTINF:"))) {
        p->segment.duration_us = (int64_t)(strtod(value, NULL) * 1e6 + 0.5);
        p->has_duration = true;
    } else {
        read_head(r, line, p);
    }
}

void hls_reader_read(struct hls_reader *r, const char *text)
{
    struct pending p = { .has_wall = false };
    char line[512];
    if (r->has_ended) fail_msg("%s: a new version after ENDLIST", r->label);
    assert_int_equal(strncmp(text, "#EXTM3U\n", 8), 0);
    r->fresh = 0;
    while (*text) {
        const size_t bytes = strcspn(text, "\n");
        assert_true(bytes < sizeof line);
        memcpy(line, text, bytes);
        line[bytes] = 0;
        read_line(r, line, &p);
        text += bytes + (text[bytes] == '\n');
    }
}

void hls_reader_compare(const struct hls_reader *a, const struct hls_reader *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct hls_seen *other = hls_reader_find(b, a->seen[i].msn);
        /* of what was lost one may have heard later than the other */
        if (other && a->may_lose && (other->is_gap || a->seen[i].is_gap)) continue;
        if (other && other->discontinuity != a->seen[i].discontinuity)
            fail_msg("%s and %s differ about the era of number %llu: %llu and %llu", a->label, b->label,
                     (unsigned long long)a->seen[i].msn, (unsigned long long)a->seen[i].discontinuity,
                     (unsigned long long)other->discontinuity);
    }
}
