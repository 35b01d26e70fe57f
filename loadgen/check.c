/* The checker: what becomes of an answer. What is asked next is check_plan.c's. */
#include <weir/loadgen/check.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/url.h>

#include "check_internal.h"

#define RETRY_US 250000
#define POLL_US_MAX 500000
#define MULTIVARIANT_US 5000000

/* -- how rules speak -- */

static void keep_evidence(struct look *l, struct check_evidence *e, unsigned line, const char *expected,
                          const char *format, va_list arguments)
{
    if (e->is_set) return;
    *e = (struct check_evidence){ .is_set = true, .line = line, .at_us = l->now_us - l->c->start_us };
    snprintf(e->url, sizeof e->url, "%s", l->url ? l->url : "");
    snprintf(e->expected, sizeof e->expected, "%s", expected);
    vsnprintf(e->got, sizeof e->got, format, arguments);
}

static bool judge(struct look *l, enum check_rule rule, bool holds, bool is_warning, unsigned line,
                  const char *expected, const char *format, va_list arguments)
{
    struct check_result *r = &l->c->report.results[rule];
    r->checked++;
    if (holds) return true;
    if (is_warning || check_rule_text(rule)->severity == SEVERITY_SHOULD) {
        r->warned++;
        keep_evidence(l, &r->warning, line, expected, format, arguments);
    } else {
        r->violated++;
        keep_evidence(l, &r->violation, line, expected, format, arguments);
    }
    return false;
}

bool expect(struct look *l, bool holds, unsigned line, const char *expected, const char *got_format, ...)
{
    va_list arguments;
    va_start(arguments, got_format);
    judge(l, l->rule, holds, false, line, expected, got_format, arguments);
    va_end(arguments);
    return holds;
}

bool advise(struct look *l, bool holds, unsigned line, const char *expected, const char *got_format, ...)
{
    va_list arguments;
    va_start(arguments, got_format);
    judge(l, l->rule, holds, true, line, expected, got_format, arguments);
    va_end(arguments);
    return holds;
}

bool expect_of(struct look *l, enum check_rule rule, bool holds, unsigned line, const char *expected,
               const char *got_format, ...)
{
    va_list arguments;
    va_start(arguments, got_format);
    judge(l, rule, holds, false, line, expected, got_format, arguments);
    va_end(arguments);
    return holds;
}

void run_rules(struct look *l, const struct rule_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (l->list && l->list->is_iframes && !rows[i].is_of_iframes) continue;
        l->rule = rows[i].rule;
        rows[i].check(l);
    }
}

/* -- inits -- */

static bool same_range(const struct hls_range *a, const struct hls_range *b)
{
    return a->is_set == b->is_set && (!a->is_set || (a->first == b->first && a->bytes == b->bytes));
}

struct seen_init *check_init_find(struct check *c, const char *url, const struct hls_range *range)
{
    for (unsigned i = 0; i < c->init_count; i++) {
        if (!strcmp(c->inits[i]->url, url) && same_range(&c->inits[i]->range, range)) return c->inits[i];
    }
    return NULL;
}

static void init_destroy(struct seen_init *init)
{
    if (!init) return;
    mp4_init_destroy(init->init);
    free(init->url);
    free(init);
}

static struct seen_init *init_add(struct check *c, const char *url, const struct hls_range *range)
{
    struct seen_init *init = calloc(1, sizeof *init);
    if (init) init->url = strdup(url);
    if (!init || !init->url) {
        init_destroy(init);
        return NULL;
    }
    init->range = *range;
    if (c->init_count == LOADGEN_INITS_MAX) {
        check_report_note(&c->report, "more than %d init segments: the oldest were forgotten", LOADGEN_INITS_MAX);
        init_destroy(c->inits[0]);
        memmove(c->inits, c->inits + 1, (LOADGEN_INITS_MAX - 1) * sizeof(struct seen_init *));
        c->init_count--;
    }
    return c->inits[c->init_count++] = init;
}

struct seen_init *check_init_of(struct check *c, const struct seen_list *list, const struct seen_segment *s)
{
    char url[LOADGEN_URL_BYTES_MAX];
    if (!s->map_uri || url_resolve(list->url, s->map_uri, url, sizeof url) != WEIR_OK) return NULL;
    struct seen_init *known = check_init_find(c, url, &s->map_range);
    return known ? known : init_add(c, url, &s->map_range);
}

/* -- media playlists -- */

static void list_failed(struct look *l)
{
    struct seen_list *list = l->list;
    list->failures++;
    list->next_follow_us = l->a->done_us + RETRY_US * (list->failures < 8 ? list->failures : 8);
    if (!list->last && l->a->status)
        expect_of(l, RULE_R17, false, 0, "200 for a media playlist that is listed", "%d", l->a->status);
}

static void next_follow(struct look *l, bool has_moved)
{
    struct seen_list *list = l->list;
    const int64_t half_us = list->target_us == HLS_ABSENT ? POLL_US_MAX : list->target_us / 2;
    const int64_t poll_us = half_us < POLL_US_MAX ? half_us : POLL_US_MAX;
    if (list->is_ended) {
        list->ended_looks++;
        list->next_follow_us = l->a->done_us + POLL_US_MAX;
    } else if (list->last && list->last->control.can_block_reload) {
        list->next_follow_us = has_moved ? l->a->done_us : l->a->done_us + poll_us / 4;
    } else {
        list->next_follow_us = l->a->done_us + poll_us;
    }
}

/* What a probe or a follower may have brought late: an older version than one that came while it was on its way. */
static bool is_overtaken(const struct look *l)
{
    uint64_t msn;
    uint32_t parts;
    if (!l->list->has_edge || l->list->answered_us == UNKNOWN_US || l->a->sent_us >= l->list->answered_us) return false;
    if (!hls_playlist_edge(l->p, &msn, &parts)) return true;
    if (l->list->is_ended && !l->p->is_ended) return true;
    return msn + 1 < l->list->last_msn + 1 || (msn == l->list->last_msn && parts < l->list->open_parts);
}

static void check_closed_segments(struct look *l)
{
    for (size_t i = l->list->segment_count; i-- > 0;) {
        struct seen_segment *s = l->list->segments[i];
        if (s->is_sum_checked) return;
        l->segment = s;
        if (s->uri) rules_of_whole_segment(l);
    }
    l->segment = NULL;
}

static void first_seen_once(struct seen_list *list, const struct hls_playlist *p)
{
    if (list->target_us == HLS_ABSENT) list->target_us = p->target_us;
    if (list->part_target_us == HLS_ABSENT) list->part_target_us = p->part_target_us;
    if (list->part_hold_back_us == HLS_ABSENT) list->part_hold_back_us = p->control.part_hold_back_us;
}

/* Takes the list over when it is a full one, else destroys it. */
static void adopt(struct look *l, struct hls_playlist *p)
{
    struct seen_list *list = l->list;
    first_seen_once(list, p);
    if (p->skip_count) {
        hls_playlist_destroy(p);
    } else {
        if (list->last && p->media_sequence > list->last->media_sequence) list->was_sliding = true;
        list->is_ended = p->is_ended;
        hls_playlist_destroy(list->last);
        list->last = p;
        list->text_hash = list_text_hash(l->a);
    }
    list->answered_us = l->a->done_us;
    list->sent_us = l->a->sent_us;
}

static void read_list(struct look *l)
{
    struct hls_playlist *p;
    const enum weir_err err = hls_playlist_parse((const char *)l->a->body, l->a->bytes, &p);
    if (err) {
        check_report_note(&l->c->report, "a playlist was not read: %s", err_name(err));
        list_failed(l);
        return;
    }
    const bool had_edge = l->list->has_edge;
    const uint64_t msn = l->list->last_msn;
    const uint32_t parts = l->list->open_parts;
    /* asked for by its own address, nothing but itself says what it is */
    if (!l->c->multivariant && !l->list->last) l->list->is_iframes = p->is_iframes_only;
    l->p = p;
    l->old = l->list->last;
    l->list->failures = 0;
    rules_of_playlist_head(l);
    rules_of_faults(l, &p->faults);
    run_rules(l, list_rules, list_rule_count);
    run_rules(l, blocking_rules, blocking_rule_count);
    if (l->asked->has_skip && l->old) rules_of_delta(l);
    if (is_overtaken(l)) {
        hls_playlist_destroy(p);
        next_follow(l, false);
        return;
    }
    if (l->old) run_rules(l, reload_rules, reload_rule_count);
    first_seen_once(l->list, p);
    run_rules(l, across_rules, across_rule_count);
    if (!p->skip_count || l->old) history_take(l);
    adopt(l, p);
    check_closed_segments(l);
    next_follow(l, !had_edge || msn != l->list->last_msn || parts != l->list->open_parts);
}

static void on_list(struct look *l)
{
    if (l->asked->kind == ASKED_PROBE)
        l->list->is_probe_out = false;
    else
        l->list->is_follow_out = false;
    rules_of_probe(l);
    if (l->asked->probe == PROBE_UNKNOWN_NAME || l->asked->probe == PROBE_PART_ALONE ||
        l->asked->probe == PROBE_MSN_TOO_FAR || l->asked->probe == PROBE_PART_TOO_FAR)
        return;
    if (l->a->status == 200)
        read_list(l);
    else if (l->asked->kind == ASKED_LIST)
        list_failed(l);
}

/* -- the multivariant playlist -- */

static bool list_known(struct check *c, const char *url, struct seen_list **out)
{
    for (unsigned i = 0; i < c->list_count; i++) {
        *out = c->lists[i];
        if (!strcmp(c->lists[i]->url, url)) return true;
    }
    return false;
}

static void list_find_or_add(struct check *c, const char *base, const char *uri, enum hls_media_type type,
                             bool is_iframes)
{
    char url[LOADGEN_URL_BYTES_MAX];
    struct seen_list *list = NULL;
    if (!uri) return;
    if (url_resolve(base, uri, url, sizeof url) != WEIR_OK) {
        check_report_note(&c->report, "a playlist's address is too long and was not followed");
        return;
    }
    if (!list_known(c, url, &list)) {
        if (c->list_count == LOADGEN_LISTS_MAX) {
            check_report_note(&c->report, "more than %d media playlists: the rest was not followed", LOADGEN_LISTS_MAX);
            return;
        }
        list = list_create(c, url);
        if (!list) return;
        c->lists[c->list_count++] = list;
    }
    list->is_gone = false;
    list->is_audio |= type == HLS_MEDIA_AUDIO;
    list->is_subtitles |= type == HLS_MEDIA_SUBTITLES;
    list->is_iframes |= is_iframes;
}

static void read_multivariant(struct look *l)
{
    struct check *c = l->c;
    struct hls_multivariant *m;
    const enum weir_err err = hls_multivariant_parse((const char *)l->a->body, l->a->bytes, &m);
    if (err) {
        check_report_note(&c->report, "the multivariant playlist was not read: %s", err_name(err));
        return;
    }
    free(c->multivariant_url);
    c->multivariant_url = strdup(c->url);
    hls_multivariant_destroy(c->multivariant);
    c->multivariant = m;
    rules_of_playlist_head(l);
    rules_of_multivariant(l, m);
    if (!c->multivariant_url) return;
    for (unsigned i = 0; i < c->list_count; i++) c->lists[i]->is_gone = true;
    for (size_t i = 0; i < m->variant_count; i++)
        list_find_or_add(c, c->url, m->variants[i].uri, 0, m->variants[i].is_iframes_only);
    for (size_t i = 0; i < m->media_count; i++) list_find_or_add(c, c->url, m->media[i].uri, m->media[i].type, false);
    rules_of_variants(l);
    c->has_stream = true;
}

static void on_multivariant(struct look *l)
{
    struct check *c = l->c;
    c->is_multivariant_out = false;
    c->next_multivariant_us = l->a->done_us + (c->has_stream ? MULTIVARIANT_US : RETRY_US);
    if (l->a->status != 200) {
        if (!c->has_stream) return;
        expect_of(l, RULE_R17, l->a->status == 404 || l->a->status == 410 || !l->a->status, 0,
                  "200 for the multivariant playlist", "%d", l->a->status);
        return;
    }
    if (hls_is_multivariant((const char *)l->a->body, l->a->bytes)) {
        read_multivariant(l);
    } else if (!c->has_stream && l->a->bytes >= 7 && !memcmp(l->a->body, "#EXTM3U", 7)) {
        check_report_note(&c->report,
                          "the address is that of a media playlist: rules across renditions were not looked at");
        list_find_or_add(c, c->url, c->url, 0, false);
        c->has_stream = c->list_count > 0;
    } else if (!c->has_stream) {
        rules_of_playlist_head(l);
        expect_of(l, RULE_R1, false, 1, "#EXTM3U in the first line", "%.32s",
                  l->a->bytes ? (const char *)l->a->body : "nothing");
    }
    if (c->has_stream)
        c->next_multivariant_us = l->a->done_us + (c->multivariant ? MULTIVARIANT_US : c->config.seconds_us);
}

/* -- media -- */

static void on_init(struct look *l)
{
    struct seen_init *init = check_init_find(l->c, l->asked->url, &l->asked->range);
    const bool is_good = l->a->status == 200 || l->a->status == 206;
    rules_of_media_head(l, false);
    expect_of(l, RULE_R13, is_good, 0, "an init segment that can be fetched", "%d %s", l->a->status,
              l->a->status ? "" : l->a->error);
    if (!init) return;
    if (is_good) rules_of_init(l, init);
    init->fetch = init->init ? FETCH_DONE : FETCH_FAILED;
}

static void on_segment(struct look *l)
{
    l->list->fetches_out--;
    l->segment = list_segment(l->list, l->asked->msn);
    rules_of_media_head(l, false);
    if (!l->segment) return;
    const bool is_good = l->a->status == 200 || l->a->status == 206;
    l->segment->fetch = is_good ? FETCH_DONE : FETCH_FAILED;
    if (!is_good || l->list->is_subtitles) return;
    struct seen_init *init = check_init_of(l->c, l->list, l->segment);
    if (l->list->is_iframes)
        rules_of_iframe(l, init);
    else
        rules_of_segment(l, init);
}

static void read_part(struct look *l, struct seen_part *part)
{
    const bool is_good = l->a->status == 200 || l->a->status == 206;
    part->fetch = is_good ? FETCH_DONE : FETCH_FAILED;
    if (is_good && !part->media.is_read) rules_of_part(l, part, check_init_of(l->c, l->list, l->segment));
}

static void on_part(struct look *l)
{
    l->list->fetches_out--;
    l->segment = list_segment(l->list, l->asked->msn);
    rules_of_media_head(l, false);
    if (l->segment && l->asked->part < l->segment->part_count) read_part(l, &l->segment->parts[l->asked->part]);
}

/* The hinted part may be listed by now, or be listed by an answer that is still on its way: then it is fetched again. */
static void on_hint(struct look *l)
{
    struct seen_list *list = l->list;
    char url[LOADGEN_URL_BYTES_MAX];
    list->is_hint_out = false;
    rules_of_hint(l);
    rules_of_media_head(l, true);
    for (size_t i = list->segment_count, looked = 0; i-- > 0 && looked < 3; looked++) {
        struct seen_segment *s = list->segments[i];
        for (uint32_t k = 0; k < s->part_count; k++) {
            struct seen_part *part = &s->parts[k];
            if (part->fetch != FETCH_ASKED || url_resolve(list->url, part->uri, url, sizeof url) != WEIR_OK) continue;
            if (strcmp(url, l->asked->url) || part->range.is_set != l->asked->range.is_set) continue;
            const struct seen_init *init = check_init_of(l->c, list, s);
            l->segment = s;
            if (init && init->fetch != FETCH_DONE && !part->range.is_set) { /* read it again when the init is known */
                const struct fetch_item item = { s->msn, (int32_t)k };
                part->fetch = queue_give(&list->fetches, &item) == WEIR_OK ? FETCH_WAITING : FETCH_FAILED;
                return;
            }
            read_part(l, part);
            return;
        }
    }
}

static void on_removed(struct look *l)
{
    const bool is_part = l->asked->kind == ASKED_REMOVED_PART;
    struct seen_segment *s = list_segment(l->list, l->asked->msn);
    rules_of_removed(l, is_part ? RULE_R33 : RULE_R18);
    if (!s) return;
    if (!is_part) s->is_removal_checked = true;
}

static void on_answer(struct look *l)
{
    switch (l->asked->kind) {
    case ASKED_MULTIVARIANT: on_multivariant(l); break;
    case ASKED_LIST:
    case ASKED_PROBE: on_list(l); break;
    case ASKED_INIT: on_init(l); break;
    case ASKED_SEGMENT: on_segment(l); break;
    case ASKED_PART: on_part(l); break;
    case ASKED_HINT: on_hint(l); break;
    case ASKED_REMOVED_SEGMENT:
    case ASKED_REMOVED_PART: on_removed(l); break;
    }
}

void check_answer(struct check *c, const struct check_answer *a)
{
    for (unsigned i = 0; i < LOADGEN_REQUESTS_MAX; i++) {
        struct asked *slot = &c->asked[i];
        if (slot->id != a->id || !a->id) continue;
        const struct asked asked = *slot;
        slot->id = 0;
        c->asked_count--;
        c->requests++;
        c->bytes += a->bytes;
        struct look l = { .c = c,
                          .url = asked.url,
                          .now_us = a->first_byte_us ? a->first_byte_us : a->done_us,
                          .list = asked.kind == ASKED_MULTIVARIANT ? NULL : c->lists[asked.list],
                          .a = a,
                          .asked = &asked };
        if (!c->is_finished) on_answer(&l);
        free(asked.url);
        slot->url = NULL;
        return;
    }
}

/* -- the whole -- */

struct check *check_create(const struct check_config *config, int64_t now_us)
{
    struct check *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->config = *config;
    c->url = strdup(config->url);
    if (!c->url) {
        free(c);
        return NULL;
    }
    c->config.url = c->url;
    memcpy(c->report.is_allowed, config->is_allowed, sizeof c->report.is_allowed);
    c->start_us = now_us;
    c->end_us = now_us + config->seconds_us;
    return c;
}

void check_destroy(struct check *c)
{
    if (!c) return;
    for (unsigned i = 0; i < LOADGEN_REQUESTS_MAX; i++) free(c->asked[i].url);
    for (unsigned i = 0; i < c->list_count; i++) list_destroy(c->lists[i]);
    for (unsigned i = 0; i < c->init_count; i++) init_destroy(c->inits[i]);
    hls_multivariant_destroy(c->multivariant);
    free(c->multivariant_url);
    free(c->url);
    free(c);
}

bool check_next_request(struct check *c, int64_t now_us, struct check_request *out)
{
    return !check_is_done(c, now_us) && plan_next(c, now_us, out);
}

int64_t check_wake_us(const struct check *c, int64_t now_us)
{
    const int64_t wake_us = plan_wake_us(c, now_us);
    return wake_us < c->end_us ? wake_us : c->end_us;
}

bool check_is_done(const struct check *c, int64_t now_us)
{
    if (c->is_finished) return true;
    if (!c->has_stream) return now_us >= c->start_us + c->config.wait_us;
    return now_us >= c->end_us || plan_is_over(c);
}

bool check_has_stream(const struct check *c)
{
    return c->has_stream;
}

void check_finish(struct check *c, int64_t now_us)
{
    if (c->is_finished) return;
    rules_at_end(c, now_us);
    c->is_finished = true;
}

const struct check_report *check_report(const struct check *c)
{
    return &c->report;
}

void check_summary(const struct check *c, int64_t now_us, struct check_summary *out)
{
    *out = (struct check_summary){ .url = c->url,
                                   .seconds_us = now_us - c->start_us,
                                   .requests = c->requests,
                                   .bytes = c->bytes,
                                   .segments = c->segments_read,
                                   .parts = c->parts_read };
}
