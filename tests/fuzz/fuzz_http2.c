/* An HTTP/2 connection: any bytes in any cuts, answers at once, later or never, a socket that takes what it likes. What is ready to
 * be written stays bounded, and everyone who waits is answered or told to go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#include "delivery/http_protocol.h"

#define WAITING_MAX (HTTP2_STREAMS_MAX + 1)

struct world {
    struct http_stream *waiting[WAITING_MAX];
    size_t waiting_count;
    struct frozen *body;
    unsigned random;
};

static unsigned dice(struct world *w)
{
    w->random = w->random * 1103515245u + 12345u;
    return w->random >> 16;
}

static void fill_answer(struct world *w, struct http_answer *a)
{
    *a = (struct http_answer){ .status = 0 };
    http_answer_set_body(a, frozen_ref(w->body), "video/mp4", "no-cache");
    snprintf(a->etag, sizeof a->etag, "\"x\"");
    a->is_urgent = dice(w) % 2;
}

static bool on_request(void *context, struct http_stream *stream, const struct http_request *r, struct http_answer *a)
{
    struct world *w = context;
    for (size_t i = 0; i < r->target.bytes; i++) w->random += (unsigned char)r->target.data[i];
    if (r->target.bytes > HTTP_URL_BYTES_MAX) abort();
    if (dice(w) % 2) {
        if (w->waiting_count == WAITING_MAX) abort();
        stream->waiter = stream;
        w->waiting[w->waiting_count++] = stream;
        return false;
    }
    fill_answer(w, a);
    http_answer_apply_conditions(a, r);
    return true;
}

static void forget(struct world *w, struct http_stream *stream)
{
    for (size_t i = 0; i < w->waiting_count; i++) {
        if (w->waiting[i] != stream) continue;
        w->waiting[i] = w->waiting[--w->waiting_count];
        return;
    }
    abort();
}

static void on_gone(void *context, void *waiter)
{
    forget(context, waiter);
}

static void turn(struct world *w, struct http_protocol *p, int64_t now_us)
{
    if (w->waiting_count && dice(w) % 3 == 0) {
        struct http_stream *stream = w->waiting[dice(w) % w->waiting_count];
        struct http_answer a;
        forget(w, stream);
        fill_answer(w, &a);
        p->ops->answer(stream, &a);
    }
    p->ops->fill(p, now_us);
    struct iovec pieces[8];
    bool is_all;
    size_t ready = 0;
    const int used = output_gather(&p->output, pieces, 8, &is_all);
    for (int i = 0; i < used; i++) ready += pieces[i].iov_len;
    if (p->output.left_bytes > 512 * KIB || ready > p->output.left_bytes || (is_all && ready != p->output.left_bytes))
        abort();
    if (ready) output_advance(&p->output, dice(w) % 2 ? ready : dice(w) % ready);
    if (dice(w) % 8 == 0) p->ops->tick(p, now_us, 1000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct counters counters;
    struct world w = { .random = (unsigned)bytes };
    int64_t now_us = 1000000;
    struct blob *b = blob_create(70000);
    if (!b) return 0;
    memset(blob_data(b), 'b', 70000);
    w.body = frozen_give(b);
    const struct http_protocol_events events = {
        .context = &w, .request = on_request, .gone = on_gone, .date = "now", .counters = &counters
    };
    struct http_protocol *p = http2_create(&events, now_us);
    if (!p) abort();
    for (size_t at = 0; at < bytes && p->ops->wants_bytes(p);) {
        size_t run = 1 + dice(&w) % 400;
        if (run > bytes - at) run = bytes - at;
        p->ops->feed(p, (const char *)data + at, run, now_us);
        at += run;
        now_us += dice(&w) % 300000;
        turn(&w, p, now_us);
    }
    if (dice(&w) % 2) p->ops->feed_end(p);
    for (int i = 0; i < 8; i++) turn(&w, p, now_us += 500000);
    (void)p->ops->health(p);
    p->ops->destroy(p);
    if (w.waiting_count) abort();
    frozen_unref(w.body);
    return 0;
}
