/* Bytes on their way to a client: heads and frames that are ours, bodies that are frozen and shared. Pure.
 * Owner: one connection. */
#ifndef WEIR_DELIVERY_HTTP_OUTPUT_H
#define WEIR_DELIVERY_HTTP_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>
#include <weir/base/blob.h>

struct output_entry;

struct http_output {
    struct output_entry *first, *last;
    size_t entries, left_bytes;
    size_t pinned_bytes; /* of the bodies that entries keep alive, each whole: a slice holds all of it */
};

/* A place in a body. */
struct body_cursor {
    size_t piece, offset;
};

/* NULL: no memory. An entry is given to output_put or ended with output_entry_destroy. head: copied.
 * body: given, also on failure; NULL: none. */
struct output_entry *output_entry_create(const void *head, size_t head_bytes, struct frozen *body,
                                         struct body_cursor from, size_t body_bytes);
void output_entry_destroy(struct output_entry *e); /* NULL is fine */
void output_put(struct http_output *o, struct output_entry *e);
/* Copies bytes behind what is there, into the last entry where they fit. false: no memory. */
bool output_put_bytes(struct http_output *o, const void *bytes, size_t count);
void output_deinit(struct http_output *o);

/* The next pieces to write; *is_all: there is nothing behind them. Returns how many. */
int output_gather(const struct http_output *o, struct iovec *pieces, int room, bool *is_all);
/* So many of them were written. */
void output_advance(struct http_output *o, size_t sent);

/* Moves on over the pieces of a body. */
void body_cursor_advance(struct body_cursor *c, const struct frozen *body, size_t bytes);

#endif
