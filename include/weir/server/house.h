/* The house: all rooms wired together, as `weir serve` runs it. Thread: main. */
#ifndef WEIR_SERVER_HOUSE_H
#define WEIR_SERVER_HOUSE_H

#include <stdbool.h>
#include <weir/archive/archive.h>
#include <weir/base/loop.h>
#include <weir/server/config.h>
#include <weir/stream/registry.h>

struct house;
struct ladder_board;
struct transcoder;

struct house_listener {
    const char *protocol; /* "rtmp", "rtmps", "srt", "http", "https" */
    char address[CONFIG_ADDRESS_BYTES];
    uint16_t port; /* the one the kernel gave */
};

/* config is lent and outlives the house. Listens and starts the loops. On failure error->text says why. */
WEIR_MUST_CHECK enum weir_err house_create(struct house **out, const struct config *config, struct config_error *error);
/* Stops accepting, ends the streams, frees everything. */
/* Before house_destroy, with the loops running: nobody may publish any more, publishers are let go, so that what is open of their streams is whole
 * and told; then players that are connected have a moment (server.drain) to fetch it. Blocks until then. */
void house_drain(struct house *h);
void house_destroy(struct house *h);

/* Reads again what can be while the house stands: the certificate. One that is not usable is refused and the one before stays.
 * What came of it is logged. May block on files. */
void house_reload(struct house *h);
/* The same where the files have changed; to be called every few seconds. */
void house_look_at_files(struct house *h);

size_t house_listeners(const struct house *h, const struct house_listener **listeners); /* lent */
struct registry *house_registry(struct house *h);
size_t house_loops(const struct house *h, struct loop *const **loops); /* lent */
const char *house_key_file(const struct house *h);
const char *house_key(const struct house *h);
bool house_is_key_new(const struct house *h);
int64_t house_started_us(const struct house *h); /* monotonic */
uint32_t house_rtmp_connections(const struct house *h);
uint32_t house_srt_connections(const struct house *h);
uint64_t house_srt_datagrams_dropped(const struct house *h);
size_t house_srt_loops_stuck(const struct house *h);
uint32_t house_http_connections(const struct house *h);
/* Whatever counts in this house: sum them up. Lent. Returns how many. */
#define HOUSE_COUNTERS_MAX (LOOPS_MAX + 2 * (CONFIG_ADDRESSES_MAX + CONFIG_SRT_PORTS_MAX) + 2)
size_t house_counters(const struct house *h, const struct counters *out[HOUSE_COUNTERS_MAX]);
struct archive *house_archive(const struct house *h); /* lent; NULL: no stream is kept on disk */
/* Lent; NULL: no path has a ladder. */
struct ladder_board *house_ladders(const struct house *h);
struct transcoder *house_transcoder(const struct house *h);
bool house_is_ready(const struct house *h);
/* Every few seconds, on the main thread: after a crowd has left, its memory goes back to the kernel. The allocator keeps free
 * pages below the top of its heaps for ever otherwise. */
void house_tidy(struct house *h);

#endif
