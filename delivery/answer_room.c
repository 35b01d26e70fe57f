#include "answer_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/delivery/http_field.h>
#include <weir/delivery/http_route.h>
#include <zlib.h>

#define PLAYLIST_TYPE "application/vnd.apple.mpegurl"
#define IMMUTABLE "public, max-age=31536000, immutable"
#define GZIP_LEVEL 5
#define GZIP_BYTES_MIN 512 /* below a packet's worth nothing is won */

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

/* -- gzip -- */

void gzip_cache_deinit(struct gzip_cache *cache)
{
    for (size_t i = 0; i < GZIP_CACHE_SLOTS; i++) frozen_unref(cache->slots[i].body);
    memset(cache, 0, sizeof *cache);
}

static struct frozen *compress_body(const struct frozen *body)
{
    const size_t bytes = frozen_bytes(body);
    z_stream z = { .next_in = NULL };
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return NULL;
    const size_t most = deflateBound(&z, bytes);
    struct blob *packed = blob_create(most);
    uint8_t *plain = malloc(bytes ? bytes : 1);
    int result = Z_ERRNO;
    if (packed && plain) {
        z.avail_in = (uInt)frozen_read(body, 0, plain, bytes);
        z.next_in = plain;
        z.next_out = blob_data(packed);
        z.avail_out = (uInt)most;
        result = deflate(&z, Z_FINISH);
    }
    const size_t used = z.total_out;
    deflateEnd(&z);
    free(plain);
    struct blob *fit = result == Z_STREAM_END ? blob_resize(packed, used) : NULL;
    if (fit) return frozen_give(fit);
    blob_unref(packed);
    return NULL;
}

/* Replaces the body by its compressed form, made at most once per version. */
static void pack_playlist(struct answer_room *room, struct http_answer *out, uint64_t version)
{
    const size_t slot = version % GZIP_CACHE_SLOTS;
    if (room->gzip.slots[slot].version != version) {
        struct frozen *packed = compress_body(out->body);
        if (!packed) return;
        frozen_unref(room->gzip.slots[slot].body);
        room->gzip.slots[slot].version = version;
        room->gzip.slots[slot].body = packed;
    }
    frozen_unref(out->body);
    out->body = frozen_ref(room->gzip.slots[slot].body);
    out->bytes = out->whole_bytes = frozen_bytes(out->body);
    out->is_gzip = true;
}

static void answer_playlist(struct answer_room *room, const struct http_request *request, struct frozen *text,
                            uint64_t version, uint32_t max_age_s, struct http_answer *out)
{
    snprintf(out->cache_text, sizeof out->cache_text, "public, max-age=%u", max_age_s);
    http_answer_set_body(out, text, PLAYLIST_TYPE, out->cache_text);
    out->varies_by_encoding = true;
    out->is_urgent = true;
    if (out->bytes >= GZIP_BYTES_MIN && http_accepts_gzip(request->accept_encoding)) pack_playlist(room, out, version);
    snprintf(out->etag, sizeof out->etag, "\"p%llx%s\"", (unsigned long long)version, out->is_gzip ? "-g" : "");
}

/* -- streams -- */

static void answer_multivariant(struct answer_room *room, const struct http_request *request, struct live_edge *edge,
                                struct http_answer *out)
{
    uint64_t version;
    struct frozen *text = live_edge_acquire_multivariant(edge, &version);
    if (!text) {
        not_found(out, "The stream is known but nothing of it can be played yet. Ask again in a second.");
        return;
    }
    /* renditions may be added early in a stream's life */
    answer_playlist(room, request, text, version, 1, out);
}

static void answer_object(struct answer_room *room, const struct http_request *request, struct live_edge *edge,
                          const struct http_route *route, struct http_answer *out)
{
    struct edge_snapshot *s = live_edge_acquire(edge, route->rendition, route->rendition_bytes);
    if (!s) {
        not_found(out, "The stream has no such rendition.");
        return;
    }
    if (!strcmp(route->file, "index.m3u8")) {
        const uint32_t target_s = edge_snapshot_target_duration_s(s);
        const uint32_t max_age_s = edge_snapshot_is_ended(s) ? 3600 : target_s > 3 ? target_s / 2 : 1;
        answer_playlist(room, request, frozen_ref(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL)),
                        edge_snapshot_version(s), max_age_s, out);
    } else {
        const struct edge_object *object = edge_snapshot_find(s, route->file, route->file_bytes);
        if (object) {
            http_answer_set_body(out, frozen_ref(object->body),
                                 edge_snapshot_media(s) == EDGE_VIDEO_MP4 ? "video/mp4" : "audio/mp4", IMMUTABLE);
            snprintf(out->etag, sizeof out->etag, "\"%s\"", object->name);
        } else {
            not_found(out, "No such segment: it is too old, or not there yet.");
        }
    }
    edge_snapshot_unref(s);
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

static void answer_stream(struct answer_room *room, const struct http_request *request, struct http_route *route,
                          uint64_t viewer, int64_t now_us, struct http_answer *out)
{
    struct live_edge *edge = registry_find(room->config->registry, route->stream, route->stream_bytes);
    if (!edge && route->kind == ROUTE_MULTIVARIANT && http_route_as_rendition(route))
        edge = registry_find(room->config->registry, route->stream, route->stream_bytes);
    if (!edge) {
        not_found(out, "No stream of this name is live.");
        return;
    }
    if (route->kind == ROUTE_MULTIVARIANT) {
        answer_multivariant(room, request, edge, out);
    } else {
        answer_object(room, request, edge, route, out);
        if (out->status == 200 && !strcmp(route->file, "index.m3u8")) live_edge_note_viewer(edge, viewer, now_us);
    }
    live_edge_unref(edge);
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

static void answer_get(struct answer_room *room, const struct http_request *request, uint64_t viewer, int64_t now_us,
                       struct http_answer *out)
{
    struct http_route route;
    const struct page *page;
    http_route_parse(request->target.data, request->target.bytes, &route);
    switch (route.kind) {
    case ROUTE_INDEX: answer_page(request, &room->assets->pages[PAGE_INDEX_HTML], "no-cache", out); return;
    case ROUTE_STREAM_PAGE: answer_page(request, &room->assets->pages[PAGE_PLAYER_HTML], "no-cache", out); return;
    case ROUTE_ASSET:
        page = page_assets_find(room->assets, route.file);
        if (page)
            answer_page(request, page, "no-cache", out);
        else
            not_found(out, "No such asset.");
        return;
    case ROUTE_STREAM_BARE: redirect_to_page(request, &route, out); return;
    case ROUTE_HANDLER: answer_handler(room, &route, out); return;
    case ROUTE_MULTIVARIANT:
    case ROUTE_OBJECT: answer_stream(room, request, &route, viewer, now_us, out); return;
    case ROUTE_NONE: not_found(out, "Nothing is here. The list of streams is at /."); return;
    case ROUTE_BAD: http_answer_error(out, 400, "The path could not be read."); return;
    }
}

void http_answer_make(struct answer_room *room, const struct http_request *request, uint64_t viewer, int64_t now_us,
                      struct http_answer *out)
{
    *out = (struct http_answer){ .allow_origin = "*" };
    switch (request->verb) {
    case HTTP_VERB_GET:
    case HTTP_VERB_HEAD:
        answer_get(room, request, viewer, now_us, out);
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
}
