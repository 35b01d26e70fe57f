/* What a viewer asks for next of one media playlist. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/url.h>

#include "viewer_internal.h"

#define LIST_TIMEOUT_US 10000000
#define MEDIA_TIMEOUT_US 20000000
#define BUFFER_US_MAX 30000000
#define TARGET_US_UNKNOWN 6000000
#define GAPS_PASSED_MAX 64 /* at a time */

void feed_open(struct feed *f, struct viewer *v, const char *url)
{
    *f = (struct feed){ .viewer = v, .url = strdup(url), .wall_end_us = WALL_UNKNOWN, .stamp_end_us = WALL_UNKNOWN };
}

static void let_go_of_list(struct feed *f)
{
    free(f->url);
    object_unref(f->list_object);
    free(f->init_url);
    object_unref(f->init_object);
    f->url = f->init_url = NULL;
    f->list_object = f->init_object = NULL;
    f->list = NULL;
}

void feed_close(struct feed *f)
{
    let_go_of_list(f);
    wish_clear(&f->list_wish);
    wish_clear(&f->init_wish);
    wish_clear(&f->media_wish);
    *f = (struct feed){ .url = NULL };
}

void feed_switch(struct feed *f, const char *url, int64_t now_us)
{
    let_go_of_list(f);
    f->url = strdup(url);
    f->has_moved = f->is_ended = false;
    f->next_list_us = now_us;
    f->is_after_switch = true;
    f->is_place_stale = f->has_place;
}

bool feed_is_low_latency(const struct feed *f)
{
    return f->list && f->list->part_inf_line && f->list->control.can_block_reload && !f->viewer->config.is_plain;
}

int64_t feed_target_us(const struct feed *f)
{
    return f->list ? f->list->target_us : TARGET_US_UNKNOWN;
}

static int64_t hold_back_us(const struct feed *f)
{
    if (feed_is_low_latency(f) && f->list->control.part_hold_back_us != HLS_ABSENT)
        return f->list->control.part_hold_back_us;
    if (f->list->control.hold_back_us != HLS_ABSENT) return f->list->control.hold_back_us;
    return 3 * feed_target_us(f);
}

/* -- where to begin, and what comes next -- */

static int64_t open_us(const struct hls_playlist *p)
{
    int64_t sum_us = 0;
    for (uint32_t i = 0; i < p->open.part_count; i++) sum_us += p->parts[p->open.first_part + i].duration_us;
    return sum_us;
}

/* The newest segment that begins as far from the end as the server asks for (RFC 8216bis 6.3.3); the picture starts where that distance is. A
 * list that is too short yet is waited for, or else the first drop of water would be played, and stalled behind, for ever. */
static void find_live_place(struct feed *f, int64_t now_us)
{
    const struct hls_playlist *p = f->list;
    const int64_t wanted_us = hold_back_us(f);
    int64_t behind_us = feed_is_low_latency(f) ? open_us(p) : 0;
    size_t i = p->segment_count;
    if (!i) return;
    while (i-- > 0) {
        behind_us += p->segments[i].duration_us;
        f->next_msn = p->segments[i].msn;
        if (behind_us >= wanted_us && !p->segments[i].is_gap) break;
    }
    if (!f->first_list_us) f->first_list_us = now_us;
    const int64_t waited_us = now_us - f->first_list_us;
    if (behind_us < wanted_us && !p->is_ended && waited_us < viewer_real_us(f->viewer, wanted_us)) return;
    f->next_part = 0;
    f->has_place = true;
    f->wants_parts = false;
    if (f == &f->viewer->feeds[0] && f->viewer->figures.state == VIEWER_LOADING && behind_us > wanted_us)
        f->viewer->skip_us = behind_us - wanted_us;
}

/* Numbers of another variant may be others (RFC 8216bis 6.3.4): dates tell, where there are any. */
static void find_place_again(struct feed *f)
{
    const struct hls_playlist *p = f->list;
    int64_t nearest_us = feed_target_us(f) / 2;
    f->is_place_stale = false;
    if (f->wall_end_us == WALL_UNKNOWN) return;
    for (size_t i = 0; i < p->segment_count; i++) {
        const int64_t off_us = llabs(p->segments[i].wall_us - f->wall_end_us);
        if (!p->segments[i].has_wall || off_us >= nearest_us) continue;
        nearest_us = off_us;
        f->next_msn = p->segments[i].msn;
    }
}

void feed_find_place(struct feed *f, int64_t now_us)
{
    if (!f->has_place)
        find_live_place(f, now_us);
    else if (f->is_place_stale)
        find_place_again(f);
}

static const struct hls_segment *segment_of(const struct hls_playlist *p, uint64_t msn)
{
    const uint64_t first = p->media_sequence + p->skipped;
    if (msn >= first && msn - first < p->segment_count) return &p->segments[msn - first];
    return p->open.msn == msn ? &p->open : NULL;
}

void feed_go_to_next_segment(struct feed *f)
{
    f->next_msn++;
    f->next_part = 0;
    f->wants_parts = false;
}

bool feed_is_over(const struct feed *f)
{
    return f->is_ended && f->list && !f->media_wish.id &&
           f->next_msn >= f->list->media_sequence + f->list->skipped + f->list->segment_count;
}

/* A GAP is passed over: it plays as a hole of its length. */
static void pass_gap(struct feed *f, const struct hls_segment *s)
{
    f->appended_us += s->duration_us;
    if (f->wall_end_us != WALL_UNKNOWN) f->wall_end_us += s->duration_us;
    if (f->stamp_end_us != WALL_UNKNOWN) f->stamp_end_us += viewer_real_us(f->viewer, s->duration_us);
    f->is_after_break = true;
    feed_go_to_next_segment(f);
}

/* What is to be fetched now. */
struct target {
    const struct hls_segment *segment;
    const struct hls_part *part;
    const char *uri;
    struct hls_range range;
};

/* -1: not this segment, look again. */
static int find_in_segment(struct feed *f, const struct hls_segment *s, struct target *out)
{
    if (s->uri && s->is_gap) {
        pass_gap(f, s);
        return -1;
    }
    if (s->uri && !f->wants_parts) {
        out->uri = s->uri;
        out->range = s->range;
        return true;
    }
    if (s->uri && f->next_part >= s->part_count) { /* all its parts are in */
        feed_go_to_next_segment(f);
        return -1;
    }
    if (!s->uri && !feed_is_low_latency(f)) return false;
    f->wants_parts = true;
    if (f->next_part < s->part_count) {
        out->part = &f->list->parts[s->first_part + f->next_part];
        out->uri = out->part->uri;
        out->range = out->part->range;
        return true;
    }
    return false;
}

static bool find_target(struct feed *f, struct target *out)
{
    for (int passed = 0; passed < GAPS_PASSED_MAX; passed++) {
        const struct hls_segment *s = segment_of(f->list, f->next_msn);
        *out = (struct target){ .segment = s };
        const int found = s ? find_in_segment(f, s, out) : false;
        if (found >= 0) return found;
    }
    return false;
}

/* It seeks to the live edge, as players do: what is buffered goes, and picture and sound begin anew together. */
static void come_back_in(struct feed *f, int64_t now_us)
{
    struct viewer *v = f->viewer;
    viewer_blame(v, VIEWER_FAULT_FELL_OUT, "%s: segment %llu left the list before it was fetched", f->url,
                 (unsigned long long)f->next_msn);
    for (int i = 0; i < VIEWER_FEEDS; i++) {
        struct feed *g = &v->feeds[i];
        if (!g->url) continue;
        g->has_place = g->has_origin = g->has_start = g->has_frame = false;
        g->is_after_break = true;
        g->appended_us = v->position_us;
        g->wall_end_us = g->stamp_end_us = WALL_UNKNOWN;
        g->first_list_us = 1; /* it has waited enough */
        g->next_list_us = now_us;
    }
}

/* -- asking -- */

static bool ask_list(struct feed *f, int64_t now_us, struct check_request *out)
{
    char url[LOADGEN_URL_BYTES_MAX], number[24];
    uint64_t msn = 0;
    uint32_t parts = 0;
    if (f->list_wish.id || now_us < f->next_list_us || f->is_ended) return false;
    snprintf(url, sizeof url, "%s", f->url);
    const bool blocks = feed_is_low_latency(f) && f->has_moved && hls_playlist_edge(f->list, &msn, &parts);
    enum weir_err err = WEIR_OK;
    if (blocks) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)msn + 1);
        err = url_add_query(url, sizeof url, "_HLS_msn", number);
        snprintf(number, sizeof number, "%u", parts);
        if (!err) err = url_add_query(url, sizeof url, "_HLS_part", number);
    }
    f->list_wish = (struct wish){ .id = 0 };
    return !err && viewer_send(f->viewer, &f->list_wish, url, NULL, blocks ? 5 * feed_target_us(f) : LIST_TIMEOUT_US,
                               LOADGEN_PLAYLIST_BYTES_MAX, out);
}

static bool ask_init(struct feed *f, const char *url, const struct hls_range *range, struct check_request *out)
{
    if (f->init_wish.id) return false;
    object_unref(f->init_object);
    f->init_object = NULL;
    free(f->init_url);
    f->init_url = strdup(url);
    f->init_wish = (struct wish){ .id = 0 };
    return f->init_url &&
           viewer_send(f->viewer, &f->init_wish, url, range, MEDIA_TIMEOUT_US, LOADGEN_OBJECT_BYTES_MAX, out);
}

static bool ask_target(struct feed *f, const struct target *t, struct check_request *out)
{
    char url[LOADGEN_URL_BYTES_MAX];
    const struct hls_segment *s = t->segment;
    const bool begins = f->next_part == 0;
    if (url_resolve(f->url, t->uri, url, sizeof url)) return false;
    f->media_wish = (struct wish){ .msn = f->next_msn,
                                   .dsn = s->dsn,
                                   .is_part = t->part != NULL,
                                   .is_begin = begins,
                                   .is_independent = f->list->is_independent,
                                   .is_discontinuity = begins && s->has_discontinuity,
                                   .duration_us = t->part ? t->part->duration_us : s->duration_us,
                                   .most_us = t->part ? f->list->part_target_us : f->list->target_us };
    if (begins && s->has_wall) f->wall_end_us = s->wall_us;
    return viewer_send(f->viewer, &f->media_wish, url, &t->range, MEDIA_TIMEOUT_US, LOADGEN_OBJECT_BYTES_MAX, out);
}

static bool ask_media(struct feed *f, int64_t now_us, struct check_request *out)
{
    char url[LOADGEN_URL_BYTES_MAX];
    struct target t;
    if (f->media_wish.id || f->init_wish.id || !f->list || !f->has_place || now_us < f->next_media_us) return false;
    if (f->appended_us - f->viewer->position_us > BUFFER_US_MAX) return false;
    if (f->next_msn < f->list->media_sequence + f->list->skipped) {
        come_back_in(f, now_us);
        return false;
    }
    if (!find_target(f, &t)) return false;
    const struct hls_map *map = t.segment->map;
    if (map) {
        if (url_resolve(f->url, map->uri, url, sizeof url)) return false;
        if (!f->init_object || !f->init_url || strcmp(f->init_url, url)) return ask_init(f, url, &map->range, out);
    }
    return ask_target(f, &t, out);
}

bool feed_next_request(struct feed *f, int64_t now_us, struct check_request *out)
{
    return f->url && (ask_list(f, now_us, out) || ask_media(f, now_us, out));
}
