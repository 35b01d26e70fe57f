#include "shelved.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/loop.h>
#include <weir/delivery/hls_start.h>

#include "edge_answer.h"

#define OVER_MAX_AGE "public, max-age=10" /* of a stream that is over: the name may be live again at any moment */

struct shelved_request {
    struct http_waiter face; /* first */
    struct shelved_request *next, *previous;
    struct shelved *shelved;
    struct segment_load *load;
    struct http_stream *stream;
    const char *allow_origin;
    int64_t deadline_us;
    bool varies_by_origin, is_get, accepts_gzip, is_multivariant;
    uint8_t file_bytes, range_bytes, start_bytes;
    char text[]; /* file, range, start */
};

struct shelved {
    struct loop *loop;
    struct segment_loader *loader;
    struct gzip_cache *gzip;
    struct http_waiter_events events;
    struct shelved_request *first;
};

struct shelved *shelved_create(struct loop *loop, struct segment_loader *loader, struct gzip_cache *gzip,
                               const struct http_waiter_events *events)
{
    struct shelved *s = calloc(1, sizeof *s);
    if (s) *s = (struct shelved){ .loop = loop, .loader = loader, .gzip = gzip, .events = *events };
    return s;
}

void shelved_destroy(struct shelved *s)
{
    assert(!s || !s->first);
    free(s);
}

static void end(struct shelved_request *r)
{
    *(r->previous ? &r->previous->next : &r->shelved->first) = r->next;
    if (r->next) r->next->previous = r->previous;
    free(r);
}

static void on_cancel(struct http_waiter *face)
{
    struct shelved_request *r = (struct shelved_request *)face;
    r->shelved->loader->cancel(r->shelved->loader, r->load);
    end(r);
}

/* -- answers -- */

void shelved_answer_busy(struct http_answer *out)
{
    http_answer_error(out, 503, "It is on disk, and the disk is busy. Ask again in a second.");
    out->cache_control = "no-store";
}

static void answer_playlist(const struct shelved_request *r, struct frozen *body, struct http_answer *a)
{
    struct hls_start start = { .kind = HLS_START_NONE };
    const struct http_text value = { r->text + r->file_bytes + r->range_bytes, r->start_bytes };
    struct frozen *text = frozen_ref(body);
    /* it was right when it was asked for */
    if (r->start_bytes && !hls_start_parse_value(value, &start))
        text = r->is_multivariant ? hls_start_mark_multivariant(text, &start) : hls_start_mark_media(text, &start);
    if (!text) {
        http_answer_error(a, 500, "Out of memory.");
        return;
    }
    edge_answer_playlist(r->shelved->gzip, text, edge_answer_state(text), EDGE_PLAYLIST_FULL, r->accepts_gzip, a);
    a->cache_control = OVER_MAX_AGE;
}

static void answer_loaded(const struct shelved_request *r, const struct segment_loaded *loaded, struct http_answer *a)
{
    const struct http_request request = { .verb = r->is_get ? HTTP_VERB_GET : HTTP_VERB_HEAD,
                                          .range = { r->range_bytes ? r->text + r->file_bytes : NULL,
                                                     r->range_bytes } };
    if (!loaded->body) {
        if (loaded->err != WEIR_NOT_FOUND && loaded->err != WEIR_IO) {
            shelved_answer_busy(a);
            return;
        }
        http_answer_error(a, 404, "No such segment: it is too old, or it was lost.");
        a->cache_control = "no-store";
        return;
    }
    if (loaded->kind == EDGE_PLAYLIST)
        answer_playlist(r, loaded->body, a);
    else
        edge_answer_body(frozen_ref(loaded->body), loaded->media, r->text, r->file_bytes, a);
    http_answer_apply_conditions(a, &request);
}

static struct http_answer blank_answer(const struct shelved_request *r)
{
    return (struct http_answer){ .allow_origin = r->allow_origin, .varies_by_origin = r->varies_by_origin };
}

static void deliver(struct shelved_request *r, struct http_answer *a)
{
    const struct http_waiter_events *events = &r->shelved->events;
    struct http_stream *stream = r->stream;
    end(r);
    events->answered(events->context, stream, a);
}

static void on_loaded(void *context, const struct segment_loaded *loaded)
{
    struct shelved_request *r = context;
    struct shelved *s = r->shelved;
    struct http_answer a = blank_answer(r);
    answer_loaded(r, loaded, &a);
    deliver(r, &a);
    s->events.settled(s->events.context);
}

/* -- asking -- */

static char *put(char *at, const char *data, size_t bytes)
{
    if (bytes) memcpy(at, data, bytes);
    return at + bytes;
}

enum weir_err shelved_ask(struct shelved *s, const struct shelved_wish *wish, struct http_waiter **waiter)
{
    const size_t range_bytes = wish->range.bytes <= UINT8_MAX ? wish->range.bytes : 0;
    if (wish->file.bytes > UINT8_MAX) return WEIR_NOT_FOUND;
    if (wish->start.bytes > UINT8_MAX) return WEIR_LIMIT;
    struct shelved_request *r = malloc(sizeof *r + wish->file.bytes + range_bytes + wish->start.bytes);
    if (!r) return WEIR_NOMEM;
    *r = (struct shelved_request){ .face = { .cancel = on_cancel },
                                   .shelved = s,
                                   .stream = wish->asker,
                                   .allow_origin = wish->allow_origin,
                                   .deadline_us = wish->deadline_us,
                                   .varies_by_origin = wish->varies_by_origin,
                                   .is_get = wish->is_get,
                                   .accepts_gzip = wish->accepts_gzip,
                                   .is_multivariant = !wish->rendition.bytes,
                                   .file_bytes = (uint8_t)wish->file.bytes,
                                   .range_bytes = (uint8_t)range_bytes,
                                   .start_bytes = (uint8_t)wish->start.bytes };
    char *at = put(r->text, (const char *)wish->file.data, wish->file.bytes);
    at = put(at, wish->range.data, range_bytes);
    put(at, wish->start.data, wish->start.bytes);
    const enum weir_err err = s->loader->load(s->loader, wish->stream, wish->rendition, wish->file, s->loop, on_loaded,
                                              r, &r->load);
    if (err) {
        free(r);
        return err;
    }
    r->next = s->first;
    if (r->next) r->next->previous = r;
    s->first = r;
    *waiter = &r->face;
    return WEIR_OK;
}

void shelved_tick(struct shelved *s, int64_t now_us)
{
    bool has_any = false;
    for (struct shelved_request *r = s->first, *next; r; r = next) {
        next = r->next;
        if (r->deadline_us > now_us) continue;
        struct http_answer a = blank_answer(r);
        s->loader->cancel(s->loader, r->load);
        shelved_answer_busy(&a);
        deliver(r, &a);
        has_any = true;
    }
    if (has_any) s->events.settled(s->events.context);
}
