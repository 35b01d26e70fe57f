/* Viewers as no server wants them: some read a few bytes at a time, some leave in the middle of an answer. Plain HTTP/1.1 over sockets of
 * their own, loopback alone. Owner: one thread. */
#ifndef WEIR_LOADGEN_BAD_VIEWERS_H
#define WEIR_LOADGEN_BAD_VIEWERS_H

#include <stdbool.h>
#include <stdint.h>

struct bad_viewers;

/* url: http://127.0.0.1:PORT/path of something large. NULL: it cannot be read, or there is no memory. */
struct bad_viewers *bad_viewers_create(const char *url, uint32_t count, bool is_leaving);
void bad_viewers_destroy(struct bad_viewers *b); /* NULL is fine */
/* Call it some ten times a second. */
void bad_viewers_turn(struct bad_viewers *b);
uint64_t bad_viewers_answers(const struct bad_viewers *b); /* that began to come */

#endif
