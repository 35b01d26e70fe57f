#include "answer_room.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <weir/base/loop.h>
#include <weir/delivery/http_field.h>
#include <weir/delivery/http_route.h>

#define PLAYLIST "index.m3u8"
#define PLAYLIST_ALIAS "master.m3u8"

static const struct http_field page_policy[] = {
    { "Content-Security-Policy", "content-security-policy",
      "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; img-src 'self' data:; frame-ancestors *" },
    { "X-Content-Type-Options", "x-content-type-options", "nosniff" },
};
static const struct http_field allowed[] = {
    { "Allow", "allow", "GET, HEAD, OPTIONS" },
};
static const struct http_field options[] = {
    { "Allow", "allow", "GET, HEAD, OPTIONS" },
    { "Access-Control-Allow-Methods", "access-control-allow-methods", "GET, HEAD, OPTIONS" },
    { "Access-Control-Allow-Headers", "access-control-allow-headers", "Range, If-None-Match, If-Range" },
    { "Access-Control-Max-Age", "access-control-max-age", "86400" },
};

static void set_extra(struct http_answer *out, const struct http_field *fields, size_t count)
{
    out->extra = fields;
    out->extra_count = count;
}

static void not_found(struct http_answer *out, const char *text)
{
    http_answer_error(out, 404, text);
}

/* -- streams -- */

static struct http_text query_of(struct http_text target)
{
    const char *mark = target.data ? memchr(target.data, '?', target.bytes) : NULL;
    if (!mark) return (struct http_text){ NULL, 0 };
    return (struct http_text){ mark + 1, target.bytes - (size_t)(mark + 1 - target.data) };
}

/* false: it is wrong, and *out says so. */
static bool parse_start(const struct http_request *request, struct hls_start *start, struct http_answer *out)
{
    const char *why = hls_start_parse(query_of(request->target), start);
    if (!why) return true;
    http_answer_error(out, 400, why);
    out->cache_control = "max-age=3600"; /* it stays wrong */
    return false;
}

static void answer_multivariant(struct answer_room *room, const struct http_request *request, struct live_edge *edge,
                                struct http_answer *out)
{
    uint64_t version;
    struct hls_start start;
    if (!parse_start(request, &start, out)) return;
    struct frozen *text = live_edge_acquire_multivariant(edge, &version);
    if (text && hls_start_is_given(&start)) {
        text = hls_start_mark_multivariant(text, &start);
        if (text) version = edge_answer_state(text);
    }
    if (!text) {
        not_found(out, "The stream is known but nothing of it can be played yet. Ask again in a second.");
        return;
    }
    edge_answer_playlist(&room->gzip, text, version, EDGE_PLAYLIST_FULL, http_accepts_gzip(request->accept_encoding),
                         out);
    /* renditions may be added early in a stream's life; an old one is still right for those who begin with it */
    out->cache_control = "public, max-age=1, stale-while-revalidate=10";
}

/* A rendition's own multivariant playlist. */
static void answer_own_multivariant(struct answer_room *room, const struct edge_snapshot *s, struct http_answer *out)
{
    const struct edge_object *object = edge_snapshot_find(s, EDGE_OWN_MULTIVARIANT, strlen(EDGE_OWN_MULTIVARIANT));
    struct frozen *text = object ? edge_object_body(object) : NULL;
    if (!text) {
        not_found(out, "This rendition has no playlist of its own under this name.");
        return;
    }
    /* not packed: a line or two, and the version is that of the media playlist */
    edge_answer_playlist(&room->gzip, text, edge_snapshot_version(s), EDGE_PLAYLIST_FULL, false, out);
    out->cache_control = "public, max-age=1, stale-while-revalidate=10";
}

static void answer_thumbnail(struct live_edge *edge, int64_t now_us, struct http_answer *out)
{
    struct frozen *jpeg;
    uint64_t version;
    switch (live_edge_ask_thumbnail(edge, now_us, &jpeg, &version)) {
    case THUMBNAIL_NONE:
        not_found(out, "No thumbnails are made of this stream: its path is configured without.");
        break;
    case THUMBNAIL_WAITING:
        not_found(out, "The first thumbnail is made at the next keyframe. Ask again in a second.");
        break;
    case THUMBNAIL_READY:
        http_answer_set_body(out, jpeg, "image/jpeg", "public, max-age=2");
        snprintf(out->etag, sizeof out->etag, "\"t%llx\"", (unsigned long long)version);
        break;
    }
}

/* A path, resolved: what is asked of which edge. */
struct inquiry {
    struct live_edge *edge; /* lent */
    struct edge_question question;
};

/* NULL: *q is set. Otherwise what is wrong, for a 400. */
static const char *make_question(const struct http_request *request, const struct http_route *route,
                                 struct edge_question *q)
{
    *q = (struct edge_question){ .rendition = route->rendition,
                                 .rendition_bytes = route->rendition_bytes,
                                 .directives = { .wish = HLS_WISH_NOTHING },
                                 .accepts_gzip = http_accepts_gzip(request->accept_encoding) };
    if (strcmp(route->file, PLAYLIST) != 0) {
        q->file = route->file;
        q->file_bytes = route->file_bytes;
        return NULL;
    }
    return hls_directives_parse(query_of(request->target), &q->directives);
}

static bool look(struct answer_room *room, const struct inquiry *i, struct edge_snapshot *s, struct http_answer *out)
{
    const bool is_over = live_edge_state(i->edge) == STREAM_ENDED;
    return edge_answer(&room->gzip, &i->question, s, false, is_over, out);
}

/* The answer is not born. Watches first and then looks again: it may have been born in between. */
static bool wait_for_birth(struct answer_room *room, const struct http_request *request, const struct inquiry *i,
                           uint32_t target_s, const struct http_asker *asker, struct http_answer *out)
{
    bool was_watched = false;
    struct blocked_edge *e = asker->may_wait ? blocked_watch(room->blocked, i->edge, &was_watched) : NULL;
    if (!asker->may_wait) counter_add(room->counters, COUNTER_HLS_LIMIT_CONNECTION_WAITS, 1);
    if (e && !was_watched) {
        struct edge_snapshot *s = live_edge_acquire(i->edge, i->question.rendition, i->question.rendition_bytes);
        const bool is_there = s && look(room, i, s, out);
        edge_snapshot_unref(s);
        if (is_there) return true;
    }
    const struct blocked_wish wish = {
        .question = &i->question,
        .range = request->range,
        .allow_origin = out->allow_origin,
        .varies_by_origin = out->varies_by_origin,
        .is_get = request->verb == HTTP_VERB_GET,
        .stream = asker->stream,
        .deadline_us = asker->now_us + 3 * 1000000LL * target_s, /* 6.2.5.2 */
    };
    asker->stream->waiter = e ? blocked_add(e, &wish) : NULL;
    if (asker->stream->waiter) return false;
    http_answer_error(out, 503, "Too many requests wait here already. Ask again in a second.");
    out->cache_control = "no-store";
    return true;
}

/* What is not in memory, from a shelf; what it is stands in `wish`. false: nobody knows it there; otherwise *is_answered says whether *out is the
 * answer. */
static bool ask_shelf(struct answer_room *room, const struct http_request *request, struct shelved_wish wish,
                      const struct http_asker *asker, struct http_answer *out, bool *is_answered)
{
    if (!room->shelved) return false;
    struct http_waiter *waiter = NULL;
    wish.range = request->range;
    wish.allow_origin = out->allow_origin;
    wish.varies_by_origin = out->varies_by_origin;
    wish.is_get = request->verb == HTTP_VERB_GET;
    wish.accepts_gzip = http_accepts_gzip(request->accept_encoding);
    wish.asker = asker->stream;
    wish.deadline_us = asker->now_us + room->config->load_us;
    const enum weir_err err = asker->may_wait ? shelved_ask(room->shelved, &wish, &waiter) : WEIR_LIMIT;
    if (err == WEIR_NOT_FOUND) return false;
    *is_answered = err != WEIR_OK;
    asker->stream->waiter = waiter;
    if (err) shelved_answer_busy(out);
    return true;
}

static struct byte_span as_span(const char *text, size_t bytes)
{
    return (struct byte_span){ (const uint8_t *)text, bytes };
}

/* The file that the route names. */
static struct shelved_wish wish_of(const struct http_route *route)
{
    return (struct shelved_wish){ .stream = as_span(route->stream, route->stream_bytes),
                                  .rendition = as_span(route->rendition, route->rendition_bytes),
                                  .file = as_span(route->file, route->file_bytes) };
}

/* Whether a file is asked for that is neither there nor announced: it may be on a shelf. */
static bool may_be_shelved(const struct edge_snapshot *s, const struct edge_question *q)
{
    return q->file && !edge_snapshot_find(s, q->file, q->file_bytes) && !edge_answer_is_hinted(s, q);
}

static bool answer_rendition(struct answer_room *room, const struct http_request *request, struct live_edge *edge,
                             const struct http_route *route, const struct http_asker *asker, struct http_answer *out)
{
    struct inquiry i = { .edge = edge };
    struct edge_snapshot *s = live_edge_acquire(edge, route->rendition, route->rendition_bytes);
    bool is_answered = true;
    if (!s) {
        const bool is_list = !strcmp(route->file, PLAYLIST);
        if (is_list || !ask_shelf(room, request, wish_of(route), asker, out, &is_answered))
            not_found(out, "The stream has no such rendition.");
        return is_answered;
    }
    if (!route->file) {
        answer_own_multivariant(room, s, out);
        edge_snapshot_unref(s);
        return true;
    }
    const uint32_t target_s = edge_snapshot_target_duration_s(s);
    /* nobody's directives count where the end is written, nor where none were announced */
    const bool has_directives = edge_snapshot_part_target_us(s) && !edge_snapshot_is_ended(s);
    const char *why = make_question(request, route, &i.question);
    if (why && has_directives) {
        http_answer_error(out, 400, why);
        snprintf(out->cache_text, sizeof out->cache_text, "max-age=%u", 4 * target_s); /* it stays wrong */
        out->cache_control = out->cache_text;
        counter_add(room->counters, COUNTER_HLS_BAD_DIRECTIVES, 1);
    } else if (!may_be_shelved(s, &i.question) || !ask_shelf(room, request, wish_of(route), asker, out, &is_answered)) {
        if (i.question.file || parse_start(request, &i.question.start, out))
            is_answered = look(room, &i, s, out) || wait_for_birth(room, request, &i, target_s, asker, out);
    }
    edge_snapshot_unref(s);
    if (!i.question.file && (!is_answered || out->status == 200) && asker->sight != SIGHT_NONE)
        live_edge_note_viewer(edge, asker->viewer, asker->sight == SIGHT_SAMPLE, asker->now_us);
    return is_answered;
}

static void answer_page(const struct http_request *request, const struct page *page, const char *cache_control,
                        struct http_answer *out)
{
    const bool is_packed = http_accepts_gzip(request->accept_encoding);
    http_answer_set_body(out, frozen_ref(is_packed ? page->packed : page->plain), page->content_type, cache_control);
    out->is_gzip = is_packed;
    out->varies_by_encoding = true;
    set_extra(out, page_policy, ARRAY_LEN(page_policy));
    snprintf(out->etag, sizeof out->etag, "\"%s%s\"", page->etag, is_packed ? "-g" : "");
}

/* "/live/name" to "/live/name/": relative, so that it works behind any proxy. */
static void redirect_to_page(const struct http_request *request, const struct http_route *route,
                             struct http_answer *out)
{
    http_answer_error(out, 308, "The player page is one slash further.");
    const char *query = memchr(request->target.data, '?', request->target.bytes);
    const size_t bytes = query ? (size_t)(query - request->target.data) : request->target.bytes;
    size_t last = bytes;
    while (last > 0 && request->target.data[last - 1] != '/') last--;
    snprintf(out->location, sizeof out->location, "./%.*s/", (int)(bytes - last), request->target.data + last);
}

/* A stream that is not live, held or just ended: what is on disk of it. The last part of a path may be a stream's or a rendition's name. */
static bool answer_gone(struct answer_room *room, const struct http_request *request, const struct http_route *route,
                        const struct http_asker *asker, struct http_answer *out)
{
    const bool is_rendition = route->kind == ROUTE_OBJECT;
    const bool is_list = !is_rendition || !strcmp(route->file, PLAYLIST) || !strcmp(route->file, PLAYLIST_ALIAS);
    struct hls_start start = { .kind = HLS_START_NONE };
    bool is_answered = true;
    if (is_list && !parse_start(request, &start, out)) return true;
    if (is_list) {
        const char *end = is_rendition ? route->rendition + route->rendition_bytes
                                       : route->stream + route->stream_bytes;
        const struct shelved_wish wish = { .stream = as_span(route->stream, (size_t)(end - route->stream)),
                                           .file = as_span(PLAYLIST, strlen(PLAYLIST)),
                                           .start = start.value };
        if (ask_shelf(room, request, wish, asker, out, &is_answered)) return is_answered;
    }
    if (is_rendition) {
        struct shelved_wish wish = wish_of(route);
        wish.start = start.value;
        if (ask_shelf(room, request, wish, asker, out, &is_answered)) return is_answered;
    }
    not_found(out, "No stream of this name is live.");
    return true;
}

static bool answer_stream(struct answer_room *room, const struct http_request *request, struct http_route *route,
                          const struct http_asker *asker, struct http_answer *out)
{
    struct live_edge *edge = registry_find(room->config->registry, route->stream, route->stream_bytes);
    bool is_answered = true;
    if (!edge && route->kind == ROUTE_MULTIVARIANT && http_route_as_rendition(route))
        edge = registry_find(room->config->registry, route->stream, route->stream_bytes);
    if (!edge && route->kind == ROUTE_THUMBNAIL)
        not_found(out, "No stream of this name is live.");
    else if (!edge)
        is_answered = answer_gone(room, request, route, asker, out);
    else if (route->kind == ROUTE_THUMBNAIL)
        answer_thumbnail(edge, asker->now_us, out);
    else if (route->kind == ROUTE_MULTIVARIANT)
        answer_multivariant(room, request, edge, out);
    else
        is_answered = answer_rendition(room, request, edge, route, asker, out);
    live_edge_unref(edge);
    return is_answered;
}

static void answer_handler(struct answer_room *room, const struct http_route *route, struct http_answer *out)
{
    struct http_reply reply = { .status = 0 };
    if (!room->config->handler ||
        !room->config->handler(room->config->handler_context, room->loop, route->path, &reply)) {
        not_found(out, "Nothing is here. Try /api/v1/streams, /api/v1/server or /metrics.");
        return;
    }
    struct frozen *body = reply.body ? reply.body : frozen_copy("", 0);
    if (!body) {
        http_answer_error(out, 500, "Out of memory.");
        return;
    }
    http_answer_set_body(out, body, reply.content_type, "no-store");
    out->status = reply.status ? reply.status : 200;
}

static bool answer_get(struct answer_room *room, const struct http_request *request, const struct http_asker *asker,
                       struct http_answer *out)
{
    struct http_route route;
    const struct page *page;
    http_route_parse(request->target.data, request->target.bytes, &route);
    switch (route.kind) {
    case ROUTE_INDEX: answer_page(request, &room->assets->pages[PAGE_INDEX_HTML], "no-cache", out); break;
    case ROUTE_STREAM_PAGE: answer_page(request, &room->assets->pages[PAGE_PLAYER_HTML], "no-cache", out); break;
    case ROUTE_ASSET:
        page = page_assets_find(room->assets, route.file);
        if (page)
            answer_page(request, page, "no-cache", out);
        else
            not_found(out, "No such asset.");
        break;
    case ROUTE_STREAM_BARE: redirect_to_page(request, &route, out); break;
    case ROUTE_HANDLER: answer_handler(room, &route, out); break;
    case ROUTE_MULTIVARIANT:
    case ROUTE_THUMBNAIL:
    case ROUTE_OBJECT: return answer_stream(room, request, &route, asker, out);
    case ROUTE_NONE: not_found(out, "Nothing is here. The list of streams is at /."); break;
    case ROUTE_BAD: http_answer_error(out, 400, "The path could not be read."); break;
    }
    return true;
}

/* Which pages of other sites may read what is here (Fetch, 3.2). */
static void apply_origin(const struct http_server_config *config, const struct http_request *request,
                         struct http_answer *out)
{
    out->varies_by_origin = config->origin_count != 1 || strcmp(config->origins[0], "*") != 0;
    for (size_t i = 0; i < config->origin_count; i++) {
        const char *origin = config->origins[i];
        if (!strcmp(origin, "*") || (request->origin.data && strlen(origin) == request->origin.bytes &&
                                     !strncasecmp(origin, request->origin.data, request->origin.bytes))) {
            out->allow_origin = origin;
            return;
        }
    }
}

bool answer_room_ask(struct answer_room *room, const struct http_request *request, const struct http_asker *asker,
                     struct http_answer *out)
{
    *out = (struct http_answer){ .status = 0 };
    apply_origin(room->config, request, out);
    switch (request->verb) {
    case HTTP_VERB_GET:
    case HTTP_VERB_HEAD:
        if (!answer_get(room, request, asker, out)) return false;
        http_answer_apply_conditions(out, request);
        break;
    case HTTP_VERB_OPTIONS:
        out->status = 204;
        out->cache_control = "max-age=86400";
        set_extra(out, options, ARRAY_LEN(options));
        break;
    case HTTP_VERB_OTHER:
        http_answer_error(out, 405, "Only GET, HEAD and OPTIONS are answered here.");
        set_extra(out, allowed, ARRAY_LEN(allowed));
        break;
    }
    return true;
}

enum weir_err answer_room_init(struct answer_room *room, const struct http_server_config *config,
                               const struct page_assets *assets, struct loop *loop,
                               const struct http_waiter_events *events)
{
    *room = (struct answer_room){ .config = config, .assets = assets, .loop = loop, .counters = loop_counters(loop) };
    room->blocked = blocked_create(loop, &room->gzip, events);
    if (config->loader) room->shelved = shelved_create(loop, config->loader, &room->gzip, events);
    return room->blocked && (room->shelved || !config->loader) ? WEIR_OK : WEIR_NOMEM;
}

void answer_room_deinit(struct answer_room *room)
{
    blocked_destroy(room->blocked);
    shelved_destroy(room->shelved);
    room->shelved = NULL;
    room->blocked = NULL;
    gzip_cache_deinit(&room->gzip);
}
