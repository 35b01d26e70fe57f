#include "http_output.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_ENTRY_BYTES 240 /* of small things that follow each other, such as frames without a body */

struct output_entry {
    struct output_entry *next;
    struct frozen *body; /* NULL: none */
    struct body_cursor at;
    size_t body_left;
    size_t head_bytes, head_sent, head_capacity;
    char head[];
};

static struct output_entry *allocate(size_t capacity)
{
    struct output_entry *e = malloc(sizeof *e + capacity);
    if (e) *e = (struct output_entry){ .head_capacity = capacity };
    return e;
}

struct output_entry *output_entry_create(const void *head, size_t head_bytes, struct frozen *body,
                                         struct body_cursor from, size_t body_bytes)
{
    struct output_entry *e = allocate(head_bytes);
    if (!e) {
        frozen_unref(body);
        return NULL;
    }
    memcpy(e->head, head, head_bytes);
    e->head_bytes = head_bytes;
    e->body = body;
    e->at = from;
    e->body_left = body ? body_bytes : 0;
    return e;
}

void output_entry_destroy(struct output_entry *e)
{
    if (!e) return;
    frozen_unref(e->body);
    free(e);
}

void output_put(struct http_output *o, struct output_entry *e)
{
    *(o->last ? &o->last->next : &o->first) = e;
    o->last = e;
    o->entries++;
    o->left_bytes += e->head_bytes - e->head_sent + e->body_left;
    if (e->body) o->pinned_bytes += frozen_bytes(e->body);
}

bool output_put_bytes(struct http_output *o, const void *bytes, size_t count)
{
    struct output_entry *e = o->last;
    if (!e || e->body || e->head_capacity - e->head_bytes < count) {
        e = allocate(count < BYTES_ENTRY_BYTES ? BYTES_ENTRY_BYTES : count);
        if (!e) return false;
        output_put(o, e);
    }
    memcpy(e->head + e->head_bytes, bytes, count);
    e->head_bytes += count;
    o->left_bytes += count;
    return true;
}

static void pop(struct http_output *o)
{
    struct output_entry *e = o->first;
    o->first = e->next;
    if (!o->first) o->last = NULL;
    o->entries--;
    if (e->body) o->pinned_bytes -= frozen_bytes(e->body);
    output_entry_destroy(e);
}

void output_deinit(struct http_output *o)
{
    while (o->first) pop(o);
    o->left_bytes = 0;
}

static int gather_entry(const struct output_entry *e, struct iovec *pieces, int room, bool *is_all)
{
    int used = 0;
    if (e->head_sent < e->head_bytes)
        pieces[used++] = (struct iovec){ (char *)e->head + e->head_sent, e->head_bytes - e->head_sent };
    if (!e->body) return used;
    const struct piece *from = frozen_pieces(e->body);
    size_t offset = e->at.offset, left = e->body_left;
    for (size_t i = e->at.piece; left && used < room; i++, offset = 0) {
        size_t run = from[i].bytes - offset;
        if (run > left) run = left;
        pieces[used++] = (struct iovec){ (void *)(from[i].data + offset), run };
        left -= run;
    }
    *is_all = !left;
    return used;
}

int output_gather(const struct http_output *o, struct iovec *pieces, int room, bool *is_all)
{
    int used = 0;
    const struct output_entry *e = o->first;
    *is_all = true;
    for (; e && used < room && *is_all; e = e->next) used += gather_entry(e, pieces + used, room - used, is_all);
    *is_all = *is_all && !e;
    return used;
}

void body_cursor_advance(struct body_cursor *c, const struct frozen *body, size_t bytes)
{
    const struct piece *pieces = frozen_pieces(body);
    bytes += c->offset;
    while (bytes && bytes >= pieces[c->piece].bytes) bytes -= pieces[c->piece++].bytes;
    c->offset = bytes;
}

/* Returns what of `sent` lies behind the entry. */
static size_t advance_entry(struct output_entry *e, size_t sent)
{
    const size_t head_left = e->head_bytes - e->head_sent, head = head_left < sent ? head_left : sent;
    e->head_sent += head;
    sent -= head;
    const size_t body = e->body_left < sent ? e->body_left : sent;
    if (body) body_cursor_advance(&e->at, e->body, body);
    e->body_left -= body;
    return sent - body;
}

void output_advance(struct http_output *o, size_t sent)
{
    o->left_bytes -= sent;
    while (o->first) {
        sent = advance_entry(o->first, sent);
        if (o->first->body_left || o->first->head_sent < o->first->head_bytes) return;
        pop(o);
    }
}
