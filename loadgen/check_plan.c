/* What the checker asks next: it follows each list as a player would, fetches what is new, and asks odd questions in between. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/url.h>

#include "check_internal.h"

#define PLAIN_TIMEOUT_US 10000000
#define PROBE_APART_US 400000
#define ROLL_APART_US 3000000
#define FRESH_US 200000 /* behind a new segment, the next one is surely not there yet */
#define WAKE_US_MAX 100000
#define ENDED_LOOKS 3
#define REMOVED_EARLY_US 250000 /* so much before a promise ends it is looked at */
#define LAST_LOOK_US 1000000    /* before the end of the check */
#define PROBE_ONCE_ROUNDS 2     /* questions that always have the same answer */
#define INIT_AGAIN_US 5000000

static int64_t target_us(const struct seen_list *list)
{
    return list->target_us == HLS_ABSENT ? 6000000 : list->target_us;
}

static struct asked *slot_take(struct check *c)
{
    for (unsigned i = 0; i < LOADGEN_REQUESTS_MAX; i++) {
        if (c->asked[i].id) continue;
        c->asked[i] = (struct asked){ .id = ++c->next_id };
        if (!c->asked[i].id) c->asked[i].id = ++c->next_id;
        c->asked_count++;
        return &c->asked[i];
    }
    return NULL;
}

static void slot_give_back(struct check *c, struct asked *slot)
{
    free(slot->url);
    *slot = (struct asked){ .id = 0 };
    c->asked_count--;
}

static int64_t timeout_us(const struct asked *slot, const struct seen_list *list)
{
    if (!list || (!slot->has_msn && slot->kind != ASKED_HINT)) return PLAIN_TIMEOUT_US;
    return 5 * target_us(list) + 2000000;
}

/* Completes the request; the slot is given back where that fails. */
static bool send(struct check *c, struct asked *slot, struct seen_list *list, const char *url,
                 struct check_request *out)
{
    slot->url = strdup(url);
    if (!slot->url) {
        slot_give_back(c, slot);
        return false;
    }
    if (list) {
        slot->list = list->index;
        slot->knew_edge = list->has_edge;
        slot->known_msn = list->last_msn;
        slot->known_parts = list->open_parts;
    }
    const bool is_list = slot->kind == ASKED_LIST || slot->kind == ASKED_PROBE || slot->kind == ASKED_MULTIVARIANT;
    *out = (struct check_request){ .id = slot->id,
                                   .url = slot->url,
                                   .is_head = slot->kind == ASKED_REMOVED_SEGMENT || slot->kind == ASKED_REMOVED_PART,
                                   .accepts_gzip = slot->probe == PROBE_GZIP,
                                   .has_range = slot->range.is_set && slot->range.bytes,
                                   .range_first = slot->range.first,
                                   .range_last = slot->range.first + slot->range.bytes - 1,
                                   .timeout_us = timeout_us(slot, list),
                                   .bytes_max = is_list ? LOADGEN_PLAYLIST_BYTES_MAX : LOADGEN_OBJECT_BYTES_MAX };
    return true;
}

static bool send_relative(struct check *c, struct asked *slot, struct seen_list *list, const char *uri,
                          struct check_request *out)
{
    char url[LOADGEN_URL_BYTES_MAX];
    if (url_resolve(list->url, uri, url, sizeof url) == WEIR_OK) return send(c, slot, list, url, out);
    check_report_note(&c->report, "an address is too long and was not fetched");
    slot_give_back(c, slot);
    return false;
}

/* The list's own address with the directives of the slot. */
static bool send_list(struct check *c, struct asked *slot, struct seen_list *list, const char *skip,
                      struct check_request *out)
{
    char url[LOADGEN_URL_BYTES_MAX], number[24];
    enum weir_err err = WEIR_OK;
    snprintf(url, sizeof url, "%s", list->url);
    if (slot->has_msn) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)slot->msn);
        err = url_add_query(url, sizeof url, "_HLS_msn", number);
    }
    if (slot->has_part && !err) {
        snprintf(number, sizeof number, "%u", slot->part);
        err = url_add_query(url, sizeof url, "_HLS_part", number);
    }
    if (skip && !err) {
        slot->has_skip = true;
        err = url_add_query(url, sizeof url, "_HLS_skip", skip);
    }
    if (slot->probe == PROBE_QUERY && !err) err = url_add_query(url, sizeof url, "reader", "1");
    if (!err) return send(c, slot, list, url, out);
    slot_give_back(c, slot);
    return false;
}

/* -- following -- */

static bool is_low_latency(const struct seen_list *list)
{
    return list->last && list->last->part_inf_line > 0;
}

static bool can_block(const struct seen_list *list)
{
    return list->last && list->has_edge && list->last->control.can_block_reload && !list->is_ended;
}

static bool follow(struct check *c, struct seen_list *list, int64_t now_us, struct check_request *out)
{
    if (list->is_follow_out || list->is_gone || now_us < list->next_follow_us) return false;
    if (list->is_ended && list->ended_looks >= ENDED_LOOKS) return false;
    struct asked *slot = slot_take(c);
    if (!slot) return false;
    slot->kind = ASKED_LIST;
    if (can_block(list) && !list->failures) {
        slot->has_msn = true;
        slot->msn = list->last_msn + 1;
        slot->has_part = is_low_latency(list);
        slot->part = list->open_parts;
    }
    list->reloads++;
    list->is_follow_out = send_list(c, slot, list, NULL, out);
    return list->is_follow_out;
}

static const struct hls_hint *hinted_part(const struct seen_list *list)
{
    for (size_t i = 0; list->last && i < list->last->hint_count; i++) {
        if (!list->last->hints[i].is_map) return &list->last->hints[i];
    }
    return NULL;
}

static bool ask_hint(struct check *c, struct seen_list *list, struct check_request *out)
{
    const struct hls_hint *hint = hinted_part(list);
    if (!hint || list->is_hint_out || list->is_ended || list->is_gone) return false;
    if (list->hint_uri && !strcmp(list->hint_uri, hint->uri)) return false;
    /* a range without an end in one growing file would need an answer that never ends: such parts are fetched once listed */
    if (hint->first && !hint->has_length) return false;
    struct asked *slot = slot_take(c);
    if (!slot) return false;
    free(list->hint_uri);
    list->hint_uri = strdup(hint->uri);
    list->was_hint_denied = false;
    slot->kind = ASKED_HINT;
    slot->range = (struct hls_range){ hint->has_length, hint->first, hint->length };
    list->is_hint_out = list->hint_uri && send_relative(c, slot, list, hint->uri, out);
    return list->is_hint_out;
}

/* -- segments, parts, inits -- */

static bool ask_init(struct check *c, struct seen_list *list, struct seen_init *init, int64_t now_us,
                     struct check_request *out)
{
    struct asked *slot = slot_take(c);
    if (!slot) return false;
    slot->kind = ASKED_INIT;
    slot->range = init->range;
    init->fetch = FETCH_ASKED;
    init->used_us = now_us;
    return send(c, slot, list, init->url, out);
}

static bool ask_object(struct check *c, struct seen_list *list, struct seen_segment *s, int32_t part,
                       struct check_request *out)
{
    struct asked *slot = slot_take(c);
    if (!slot) return false;
    slot->msn = s->msn;
    slot->kind = part < 0 ? ASKED_SEGMENT : ASKED_PART;
    slot->part = part < 0 ? 0 : (uint32_t)part;
    slot->range = part < 0 ? s->range : s->parts[part].range;
    if (part < 0)
        s->fetch = FETCH_ASKED;
    else
        s->parts[part].fetch = FETCH_ASKED;
    if (!send_relative(c, slot, list, part < 0 ? s->uri : s->parts[part].uri, out)) return false;
    list->fetches_out++;
    return true;
}

static bool fetch(struct check *c, struct seen_list *list, int64_t now_us, struct check_request *out)
{
    struct fetch_item *next, item;
    while (list->fetches_out < LOADGEN_FETCHES_PER_LIST_MAX && (next = queue_peek(&list->fetches))) {
        struct seen_segment *s = list_segment(list, next->msn);
        const bool is_there = s && (next->part < 0 ? s->uri != NULL : (uint32_t)next->part < s->part_count);
        struct seen_init *init = is_there ? check_init_of(c, list, s) : NULL;
        if (init && init->fetch == FETCH_NONE) return ask_init(c, list, init, now_us, out);
        if (init && init->fetch == FETCH_ASKED && !init->init) return false; /* its answer comes first */
        if (!queue_take(&list->fetches, &item)) return false;
        if (is_there && ask_object(c, list, s, item.part, out)) return true;
    }
    return false;
}

static bool fetch_init_again(struct check *c, struct seen_list *list, int64_t now_us, struct check_request *out)
{
    struct seen_segment *last = list->segment_count ? list->segments[list->segment_count - 1] : NULL;
    struct seen_init *init = last ? check_init_of(c, list, last) : NULL;
    if (!init || init->fetch != FETCH_DONE || now_us - init->used_us < INIT_AGAIN_US) return false;
    return ask_init(c, list, init, now_us, out);
}

/* -- what has left the list -- */

static int64_t segment_promise_us(const struct seen_segment *s)
{
    return s->appeared_us + s->duration_us + s->longest_list_us;
}

static bool is_due(const struct check *c, int64_t promise_us, int64_t removed_us, int64_t now_us)
{
    const int64_t margin_us = REMOVED_EARLY_US + c->config.tolerance_us;
    int64_t due_us = promise_us - margin_us;
    if (due_us > c->end_us - LAST_LOOK_US) due_us = c->end_us - LAST_LOOK_US;
    return removed_us && now_us >= due_us && now_us < promise_us - margin_us / 2;
}

static bool look_at_removed(struct check *c, struct seen_list *list, int64_t now_us, struct check_request *out)
{
    for (size_t i = 0; i < list->segment_count; i++) {
        struct seen_segment *s = list->segments[i];
        if (s->uri && s->removed_us && !s->is_removal_asked && !s->is_gap &&
            now_us >= segment_promise_us(s) - c->config.tolerance_us)
            s->is_removal_asked = s->is_removal_checked = true; /* nothing is promised any more */
        if (s->uri && !s->is_removal_asked && !s->is_gap && is_due(c, segment_promise_us(s), s->removed_us, now_us)) {
            struct asked *slot = slot_take(c);
            if (!slot) return false;
            s->is_removal_asked = true;
            slot->kind = ASKED_REMOVED_SEGMENT;
            slot->msn = s->msn;
            return send_relative(c, slot, list, s->uri, out);
        }
        /* one part stands for those of its segment */
        struct seen_part *part = s->part_count ? &s->parts[0] : NULL;
        if (part && !part->is_removal_checked && !part->is_gap &&
            is_due(c, part->removed_us + 3 * target_us(list), part->removed_us, now_us)) {
            struct asked *slot = slot_take(c);
            if (!slot) return false;
            part->is_removal_checked = true;
            slot->kind = ASKED_REMOVED_PART;
            slot->msn = s->msn;
            return send_relative(c, slot, list, part->uri, out);
        }
    }
    return false;
}

/* -- odd questions -- */

static bool send_unknown_name(struct check *c, struct asked *slot, struct seen_list *list, struct check_request *out)
{
    char uri[LOADGEN_URL_BYTES_MAX];
    const char *known = list->last->segments[list->last->segment_count - 1].uri;
    const char *slash = strrchr(known, '/'), *dot = strrchr(known, '.');
    const int folder = slash && !strchr(known, '?') ? (int)(slash - known) + 1 : 0;
    snprintf(uri, sizeof uri, "%.*sno-such-name-%u%.8s", folder, known, list->probe_round,
             dot && dot > slash ? dot : "");
    uri[strcspn(uri, "?")] = 0;
    return send_relative(c, slot, list, uri, out);
}

static bool is_probe_possible(const struct seen_list *list, enum probe probe, int64_t now_us)
{
    const struct hls_playlist *p = list->last;
    const bool is_done = list->probes_done & 1u << probe;
    switch (probe) {
    case PROBE_UNKNOWN_NAME: return !is_done && p->segment_count;
    case PROBE_PART_ALONE:
    case PROBE_PAST: return !is_done && can_block(list) && is_low_latency(list);
    case PROBE_PART_TOO_FAR: return !is_done && can_block(list) && is_low_latency(list);
    case PROBE_MSN_TOO_FAR:
        return !is_done && can_block(list) && list->fresh_segment_us != UNKNOWN_US &&
               now_us - list->fresh_segment_us < FRESH_US;
    case PROBE_ROLL_OVER: /* only while the next segment has no part yet does it show whether the server waits */
        return can_block(list) && is_low_latency(list) && p->segment_count && !list->open_parts &&
               !p->open.part_count && p->segments[p->segment_count - 1].msn == list->last_msn &&
               p->segments[p->segment_count - 1].part_count && now_us >= list->next_roll_us;
    case PROBE_WHOLE_SEGMENT: return can_block(list);
    case PROBE_DELTA: return !list->is_ended && list->has_edge && p->control.can_skip_until_us != HLS_ABSENT;
    case PROBE_DELTA_V2: return can_block(list) && p->control.can_skip_until_us != HLS_ABSENT;
    case PROBE_GZIP:
    case PROBE_QUERY: return p->segment_count > 0;
    case PROBE_ENDED: return !is_done && list->is_ended;
    default: return false;
    }
}

static void note_done(struct seen_list *list, enum probe probe)
{
    const bool is_last_round = list->probe_round + 1 >= PROBE_ONCE_ROUNDS;
    if (probe == PROBE_ENDED || probe == PROBE_MSN_TOO_FAR || is_last_round) list->probes_done |= 1u << probe;
}

static bool send_probe(struct check *c, struct seen_list *list, enum probe probe, struct check_request *out)
{
    const struct hls_playlist *p = list->last;
    struct asked *slot = slot_take(c);
    if (!slot) return false;
    slot->kind = ASKED_PROBE;
    slot->probe = probe;
    slot->msn = list->last_msn + 1;
    slot->part = list->open_parts;
    switch (probe) {
    case PROBE_UNKNOWN_NAME: return send_unknown_name(c, slot, list, out);
    case PROBE_PART_ALONE: slot->has_part = true; break;
    case PROBE_MSN_TOO_FAR:
        slot->has_msn = true;
        slot->msn = list->last_msn + 3;
        break;
    case PROBE_PART_TOO_FAR:
        slot->has_msn = slot->has_part = true;
        slot->part = list->open_parts + 100 +
                     (uint32_t)(3000000 / (p->part_target_us > 0 ? p->part_target_us : 1000000));
        break;
    case PROBE_PAST:
        slot->has_msn = slot->has_part = true;
        slot->msn = p->media_sequence > 2 ? p->media_sequence - 2 : p->media_sequence;
        slot->part = 0;
        break;
    case PROBE_ROLL_OVER:
        slot->has_msn = slot->has_part = true;
        slot->msn = p->segments[p->segment_count - 1].msn;
        slot->part = p->segments[p->segment_count - 1].part_count;
        break;
    case PROBE_WHOLE_SEGMENT: slot->has_msn = true; break;
    case PROBE_DELTA: return send_list(c, slot, list, "YES", out);
    case PROBE_DELTA_V2:
        slot->has_msn = true;
        slot->has_part = is_low_latency(list);
        return send_list(c, slot, list, "v2", out);
    case PROBE_ENDED:
        slot->has_msn = slot->has_part = true;
        slot->msn = list->last_msn + 5;
        slot->part = 0;
        break;
    default: break;
    }
    return send_list(c, slot, list, NULL, out);
}

static bool ask_odd_question(struct check *c, struct seen_list *list, int64_t now_us, struct check_request *out)
{
    if (!list->last || list->is_probe_out || list->is_gone) return false;
    /* two questions have their moment */
    enum probe probe = is_probe_possible(list, PROBE_MSN_TOO_FAR, now_us) ? PROBE_MSN_TOO_FAR
                       : is_probe_possible(list, PROBE_ROLL_OVER, now_us) ? PROBE_ROLL_OVER
                                                                          : PROBE_NONE;
    if (probe == PROBE_NONE) {
        if (now_us < list->next_probe_us) return false;
        probe = list->next_probe;
        for (unsigned tried = 0; tried < PROBE_COUNT; tried++) {
            probe = (enum probe)(probe + 1);
            if (probe >= PROBE_COUNT) {
                probe = PROBE_UNKNOWN_NAME;
                list->probe_round++;
            }
            if (is_probe_possible(list, probe, now_us)) break;
        }
        list->next_probe = probe;
    }
    list->next_probe_us = now_us + PROBE_APART_US;
    if (!is_probe_possible(list, probe, now_us)) return false;
    note_done(list, probe);
    if (probe == PROBE_ROLL_OVER) list->next_roll_us = now_us + ROLL_APART_US;
    list->is_probe_out = send_probe(c, list, probe, out);
    return list->is_probe_out;
}

/* -- the whole -- */

static bool ask_multivariant(struct check *c, int64_t now_us, struct check_request *out)
{
    if (c->is_multivariant_out || now_us < c->next_multivariant_us) return false;
    struct asked *slot = slot_take(c);
    if (!slot) return false;
    slot->kind = ASKED_MULTIVARIANT;
    c->is_multivariant_out = send(c, slot, NULL, c->url, out);
    return c->is_multivariant_out;
}

bool plan_next(struct check *c, int64_t now_us, struct check_request *out)
{
    if (ask_multivariant(c, now_us, out)) return true;
    /* what time is measured by goes first */
    for (unsigned i = 0; i < c->list_count; i++) {
        if (follow(c, c->lists[i], now_us, out) || ask_hint(c, c->lists[i], out)) return true;
    }
    for (unsigned i = 0; i < c->list_count; i++) {
        struct seen_list *list = c->lists[i];
        if (fetch(c, list, now_us, out) || ask_odd_question(c, list, now_us, out)) return true;
        if (look_at_removed(c, list, now_us, out) || fetch_init_again(c, list, now_us, out)) return true;
    }
    return false;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t plan_wake_us(const struct check *c, int64_t now_us)
{
    int64_t wake_us = now_us + WAKE_US_MAX;
    if (!c->is_multivariant_out) wake_us = sooner(wake_us, c->next_multivariant_us);
    for (unsigned i = 0; i < c->list_count; i++) {
        const struct seen_list *list = c->lists[i];
        const bool follows = !list->is_follow_out && !list->is_gone &&
                             !(list->is_ended && list->ended_looks >= ENDED_LOOKS);
        if (follows) wake_us = sooner(wake_us, list->next_follow_us);
    }
    return wake_us > now_us ? wake_us : now_us + 1000;
}

bool plan_is_over(const struct check *c)
{
    for (unsigned i = 0; i < c->list_count; i++) {
        const struct seen_list *list = c->lists[i];
        if (list->is_gone) continue;
        const bool was_asked = list->probes_done & 1u << PROBE_ENDED && !list->is_probe_out;
        if (!list->is_ended || list->ended_looks < ENDED_LOOKS || !was_asked || list->fetches_out ||
            queue_count(&list->fetches))
            return false;
    }
    return c->list_count > 0;
}
