/* Relays on a thread of their own. Thread: any; a lock guards the net, and nothing blocks under it. */
#ifndef WEIR_LOADGEN_RELAY_THREAD_H
#define WEIR_LOADGEN_RELAY_THREAD_H

#include <weir/loadgen/relay.h>

struct relay_thread;

struct relay_thread *relay_thread_create(void);    /* NULL: no memory, descriptor or thread */
void relay_thread_destroy(struct relay_thread *t); /* NULL is fine */
/* The net, to be used until relay_thread_unlock. */
struct relay_net *relay_thread_lock(struct relay_thread *t);
void relay_thread_unlock(struct relay_thread *t);

#endif
