/* SRT: listeners that take publishers, and pulls from encoders that listen themselves.
 *
 * One loop for each port, because libsrt receives a port on one thread: streams that are spread over ports are spread over cores. A stream is
 * owned by the loop of its port; with the rest of the house this side shares mailboxes and frozen bytes alone.
 *
 * Whoever may not publish hears why in the handshake, where it can be known there (codes: srt_streamid.h); what only the gate and the registry
 * can tell closes the connection a moment later, and the log has the reason.
 * Thread: create, listen, pull and destroy on the main thread before the loops start and after they stopped; the rest from any. */
#ifndef WEIR_INGEST_SRT_SERVER_H
#define WEIR_INGEST_SRT_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/ingest/srt_options.h>
#include <weir/ingest/srt_streamid.h>
#include <weir/ingest/srt_url.h>
#include <weir/stream/publication.h>

struct loop;
struct srt_server;

struct srt_server_config {
    struct publish_gate *gate;
    struct registry *registry;
    void *context;
    /* What is known about a caller before it is let in: whether its name and key fit, and which options its path has. Runs on libsrt's receiving
     * thread, which holds up its whole port meanwhile: memory look-ups only, in what never changes. `port` is srt_port_config.look_port; NULL:
     * a pull. PUBLISH_ALLOWED where only the gate can tell; *options and *policy are written then. */
    enum publish_verdict (*look)(void *context, const void *port, const struct publish_request *request,
                                 struct srt_options *options, struct stream_policy *policy);
    int64_t pass_us;    /* the sockets of a loop are looked at this far apart while there are callers; > 0 */
    int64_t idle_us;    /* connected, and no media for so long: closed */
    int64_t publish_us; /* let in, and no frame that could be carried for so long: closed */
    uint32_t connections_max, connections_per_address_max;
    uint32_t attempts_per_second, attempts_per_address_per_second; /* of each port */
};

struct srt_port_config {
    const char *address;             /* "0.0.0.0:8890", "[::]:8890" */
    struct srt_streamid_rules rules; /* its text is lent and outlives the server */
    struct srt_options options;      /* complete */
    const void *look_port;
};

struct srt_pull_config {
    char stream[STREAM_NAME_BYTES_MAX + 1]; /* canonical */
    struct srt_url url;
    struct srt_options options; /* complete, the URL's among them */
};

#define SRT_ERROR_BYTES 160

WEIR_MUST_CHECK enum weir_err srt_server_create(struct srt_server **out, const struct srt_server_config *config);
/* `loop` is this port's alone, lent, and outlives the server. On failure error says why ("" where errno does).
 * WEIR_CONFIG: not an address, or an option that libsrt does not take. WEIR_IO: cannot bind there (errno is kept). */
WEIR_MUST_CHECK enum weir_err srt_server_listen(struct srt_server *s, struct loop *loop,
                                                const struct srt_port_config *config, uint16_t *bound_port,
                                                char error[SRT_ERROR_BYTES]);
/* Fetches a stream for as long as the server lives. All pulls of a loop share it; it is no port's. config is copied. */
WEIR_MUST_CHECK enum weir_err srt_server_pull(struct srt_server *s, struct loop *loop,
                                              const struct srt_pull_config *config);
/* Callers are refused with 1503 from here on; connections go on. */
void srt_server_stop_accepting(struct srt_server *s);
/* Closes all connections, each on its loop; pulls do not dial again. Any thread while the loops run. */
void srt_server_end_publishers(struct srt_server *s);
void srt_server_destroy(struct srt_server *s); /* NULL is fine */
uint32_t srt_server_connections(const struct srt_server *s);
/* The counters of libsrt's receiving threads, one for each port, beside those of the loops. Returns how many; lent. */
size_t srt_server_counters(const struct srt_server *s, const struct counters **out, size_t max);

/* What the kernel dropped of what came to the ports: bursts over the buffer (srt.udp_rcvbuf), and what the guard keeps from libsrt. */
uint64_t srt_server_datagrams_dropped(const struct srt_server *s);

/* NULL: libsrt takes them all; else the key of the first that it does not. After srt_server_create. */
const char *srt_options_refused(const struct srt_options *options);

/* What the libsrt at hand can do, found by trying. Main thread. */
struct srt_library_facts {
    unsigned version_major, version_minor, version_patch;
    bool has_groups, has_encryption;
};
void srt_library_describe(struct srt_library_facts *facts);

#endif
