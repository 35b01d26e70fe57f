#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/loadgen/hls_playlist.h>
#include <weir/loadgen/url.h>

#include "chaos_internal.h"

#define ASK_EVERY_US 250000
#define ASK_TIMEOUT_US 3000000

/* The first variant's. A playlist that is a media playlist already is its own. */
static void find_media(struct chaos_stream *s, const char *text, size_t bytes)
{
    struct hls_multivariant *m;
    if (!hls_is_multivariant(text, bytes)) {
        snprintf(s->media, sizeof s->media, "%s", s->list);
        return;
    }
    if (hls_multivariant_parse(text, bytes, &m)) return;
    if (!m->variant_count || !m->variants[0].uri || url_resolve(s->list, m->variants[0].uri, s->media, sizeof s->media))
        s->media[0] = 0;
    hls_multivariant_destroy(m);
}

static void keep_last_uri(struct chaos_stream *s, const char *text, size_t bytes)
{
    struct hls_playlist *p;
    if (hls_playlist_parse(text, bytes, &p)) return;
    if (p->segment_count && p->segments[p->segment_count - 1].uri &&
        url_resolve(s->media, p->segments[p->segment_count - 1].uri, s->last_uri, sizeof s->last_uri))
        s->last_uri[0] = 0;
    hls_playlist_destroy(p);
}

void chaos_watch_done(void *owner, const struct http_result *r)
{
    struct chaos *c = owner;
    struct chaos_stream *s = r->context;
    const int64_t now_us = clock_now_us();
    c->is_asking = false;
    if (!s) { /* no playlist */
        chaos_disk_answer(c, r);
        return;
    }
    s->ask_us = now_us + ASK_EVERY_US;
    if (r->status != 200 || !r->body) {
        follower_miss(&s->follower, now_us);
        return;
    }
    const char *text = (const char *)r->body;
    if (!s->media[0]) {
        find_media(s, text, r->bytes);
        s->ask_us = now_us;
        return;
    }
    const int64_t before_us = s->follower.last_advance_us, live_us = atomic_load(&s->live_us);
    follower_take(&s->follower, text, r->bytes, now_us);
    if (s->follower.last_advance_us > before_us && s->resumed_us < live_us) s->resumed_us = now_us;
    keep_last_uri(s, text, r->bytes);
}

/* One at a time: so the looker has one connection, and is no part of what is measured. */
void chaos_watch_turn(struct chaos *c)
{
    const uint32_t count = c->stream_count + c->has_guest;
    for (uint32_t i = 0; i < count && !c->is_asking; i++) {
        struct chaos_stream *s = &c->streams[(c->next_ask + i) % count];
        if (s->ask_us > c->now_us || !s->list[0]) continue;
        const struct http_ask ask = { .url = s->media[0] ? s->media : s->list,
                                      .timeout_us = ASK_TIMEOUT_US,
                                      .bytes_max = LOADGEN_PLAYLIST_BYTES_MAX,
                                      .context = s };
        c->next_ask = (c->next_ask + i + 1) % count;
        s->ask_us = c->now_us + ASK_EVERY_US;
        c->is_asking = !http_client_ask(c->http, &ask);
    }
}
