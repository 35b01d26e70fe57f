/* registry: which names are live, who owns them. The one lock here guards a table; nothing blocks under it.
 *
 * A claim has an asynchronous answer (a mailbox message), so that a lease in another process can stand here later.
 * Looking a name up never creates anything. Thread: any, unless said otherwise. */
#ifndef WEIR_STREAM_REGISTRY_H
#define WEIR_STREAM_REGISTRY_H

#include <weir/stream/live_edge.h>
#include <weir/stream/publish_gate.h>
#include <weir/stream/stream.h>

struct loop;
struct registry;

struct registry_config {
    /* Gives a new stream its sinks (packager, ...). Runs on the claiming loop. */
    enum weir_err (*furnish)(void *context, struct stream *stream);
    void *context;
    uint32_t streams_max;
    int64_t silent_us; /* a publisher quiet for longer may be replaced by anyone allowed */
    int64_t retain_us; /* how long an ended stream stays playable */
};

WEIR_MUST_CHECK enum weir_err registry_create(struct registry **out, const struct registry_config *config);
void registry_destroy(
    struct registry *r); /* after the loops have stopped and before they are destroyed; ends what is left */

/* One publisher's hold on a name. Lives from registry_claim to registry_release, or to an answer other than allowed, or to revoked. */
struct claim;
struct claim_events {
    void *context;
    /* PUBLISH_ALLOWED: `stream` is owned by this loop now. Otherwise the claim is over. */
    void (*answered)(void *context, struct claim *claim, enum publish_verdict verdict, struct stream *stream);
    /* Another publisher takes the name: stop pushing at once, `stream` is gone after this call, the claim is over. */
    void (*revoked)(void *context, struct claim *claim);
};
/* On `loop`'s thread. Answers by mailbox, exactly once. NULL: no memory, and no answer will come. */
struct claim *registry_claim(struct registry *r, struct loop *loop, const struct publish_request *request,
                             const struct stream_policy *policy, const struct claim_events *events);
/* On the claim's loop. The publisher is gone: the stream holds, or ends when is_final. Before the answer: it will be swallowed.
 * The claim and the stream must not be used afterwards; no event comes after this. */
void registry_release(struct registry *r, struct claim *claim, bool is_final);

/* Whether a claim would surely be refused if it came now: PUBLISH_BUSY, PUBLISH_LIMIT; PUBLISH_ALLOWED where only the claim can
 * tell. Changes nothing. For those who must answer before they may claim. */
enum publish_verdict registry_foresee(struct registry *r, const struct publish_request *request,
                                      const struct stream_policy *policy);

/* A reference on the edge of a name that is live, holding or ended lately; NULL: unknown. */
struct live_edge *registry_find(struct registry *r, const char *name, size_t name_bytes);
/* References on up to max edges, by name. Returns how many. */
size_t registry_list(struct registry *r, struct live_edge **edges, size_t max);
size_t registry_count(struct registry *r);

#endif
