#include <weir/stream/registry.h>

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/loop.h>

#define BUCKETS 4096
#define QUIET_US                                                                                                       \
    (250 * 1000LL) /* a keyless publisher from the same address, quiet for this long, is the same one coming back */

enum entry_state {
    ENTRY_MOVING = 1, /* between owners: only the messages under way touch the stream */
    ENTRY_LIVE,
    ENTRY_HOLDING,
    ENTRY_ENDED, /* the stream is gone, its edge may still be played */
};

struct entry {
    struct entry *next; /* bucket, or the retired list */
    struct registry *registry;
    enum entry_state state; /* under the lock */
    bool is_retired;        /* under the lock: not in the table any more */
    struct live_edge *edge;
    struct loop *owner;       /* under the lock */
    struct stream *stream;    /* owner's thread */
    struct claim *claim;      /* under the lock: who publishes now */
    struct claim *pending;    /* under the lock: who will, while moving */
    struct loop_timer *timer; /* owner's thread: hold, then retention */
    uint8_t address[16];      /* of the last publisher */
    uint64_t key_hash;        /* 0: it had no key */
    int64_t claimed_us;
    int64_t hold_us;
};

struct claim {
    struct registry *registry;
    struct loop *loop;
    struct entry *entry; /* NULL: refused */
    struct claim_events events;
    struct stream_policy policy;
    enum publish_verdict verdict;
    uint8_t address[16];
    uint64_t key_hash;
    bool is_answered, is_abandoned; /* loop's thread */
};

struct registry {
    struct registry_config config;
    uint64_t salt;
    pthread_mutex_t lock; /* guards the table and what entries say is under it */
    struct entry *buckets[BUCKETS];
    struct entry *retired; /* replaced while their last timer is still armed */
    size_t count;
};

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    hash ^= 0xCBF29CE484222325u;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ at[i]) * 0x100000001B3u;
    return hash ^ hash >> 32;
}

enum weir_err registry_create(struct registry **out, const struct registry_config *config)
{
    struct registry *r = calloc(1, sizeof *r);
    if (!r) return WEIR_NOMEM;
    r->config = *config;
    pthread_mutex_init(&r->lock, NULL);
    if (getrandom(&r->salt, sizeof r->salt, 0) != sizeof r->salt) r->salt = (uint64_t)clock_now_us();
    *out = r;
    return WEIR_OK;
}

static void entry_free(struct entry *e)
{
    stream_destroy(e->stream);
    loop_timer_destroy(e->timer);
    live_edge_unref(e->edge);
    free(e);
}

static void free_list(struct entry *e)
{
    while (e) {
        struct entry *next = e->next;
        if (e->pending != e->claim) free(e->pending);
        free(e->claim);
        entry_free(e);
        e = next;
    }
}

void registry_destroy(struct registry *r)
{
    if (!r) return;
    for (size_t i = 0; i < BUCKETS; i++) free_list(r->buckets[i]);
    free_list(r->retired);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* -- the table; under the lock -- */

static struct entry **bucket_of(struct registry *r, const char *name, size_t bytes)
{
    return &r->buckets[hash_bytes(r->salt, name, bytes) % BUCKETS];
}

static struct entry *find(struct registry *r, const char *name, size_t bytes)
{
    for (struct entry *e = *bucket_of(r, name, bytes); e; e = e->next) {
        const char *other = live_edge_name(e->edge);
        if (!strncmp(other, name, bytes) && !other[bytes]) return e;
    }
    return NULL;
}

static void insert(struct registry *r, struct entry *e)
{
    const char *name = live_edge_name(e->edge);
    struct entry **bucket = bucket_of(r, name, strlen(name));
    e->next = *bucket;
    *bucket = e;
    r->count++;
}

static void take_out(struct registry *r, struct entry *e)
{
    const char *name = live_edge_name(e->edge);
    struct entry **at = e->is_retired ? &r->retired : bucket_of(r, name, strlen(name));
    while (*at && *at != e) at = &(*at)->next;
    if (!*at) return;
    *at = e->next;
    e->next = NULL;
    if (!e->is_retired) r->count--;
}

static void retire(struct registry *r, struct entry *e)
{
    take_out(r, e);
    e->is_retired = true;
    e->next = r->retired;
    r->retired = e;
}

/* -- hold and retention; on the owner's thread -- */

static void on_timer(void *context)
{
    struct entry *e = context;
    struct registry *r = e->registry;
    pthread_mutex_lock(&r->lock);
    const enum entry_state state = e->state;
    if (state == ENTRY_HOLDING) e->state = ENTRY_ENDED;
    if (state == ENTRY_ENDED) take_out(r, e);
    pthread_mutex_unlock(&r->lock);
    if (state == ENTRY_HOLDING) {
        log_event(LOG_STREAM, LOG_INFO, stream_name(e->stream), "stream_ended",
                  "reason=\"publisher did not come back\"");
        stream_destroy(e->stream); /* ends it first */
        e->stream = NULL;
        loop_timer_arm(e->timer, r->config.retain_us);
    } else if (state == ENTRY_ENDED) {
        entry_free(e);
    }
}

/* The stream waits for its publisher on this loop from now on. */
static void hold(struct entry *e, struct loop *loop, int64_t hold_us)
{
    if (!e->timer) e->timer = loop_timer_create(loop, on_timer, e);
    /* without a timer it would hold for ever: rare enough to end at once instead */
    if (e->timer)
        loop_timer_arm(e->timer, hold_us);
    else
        stream_end(e->stream);
}

/* -- claims -- */

static void answer(struct claim *claim)
{
    claim->is_answered = true;
    if (claim->is_abandoned) {
        free(claim);
        return;
    }
    const struct claim_events events = claim->events;
    if (claim->verdict == PUBLISH_ALLOWED) {
        events.answered(events.context, claim, PUBLISH_ALLOWED, claim->entry->stream);
        return;
    }
    events.answered(events.context, claim, claim->verdict, NULL);
    free(claim);
}

static void on_refusal(void *a, void *b)
{
    answer(a);
}

/* On the claiming loop: the stream is here now. */
static void on_arrival(void *a, void *b)
{
    struct entry *e = a;
    struct claim *claim = b;
    struct registry *r = e->registry;
    loop_assert_current(claim->loop);
    stream_set_counters(e->stream, loop_counters(claim->loop));
    stream_set_loop(e->stream, claim->loop);
    pthread_mutex_lock(&r->lock);
    e->owner = claim->loop;
    e->pending = NULL;
    e->claim = claim->is_abandoned ? NULL : claim;
    e->state = claim->is_abandoned ? ENTRY_HOLDING : ENTRY_LIVE;
    const bool is_resumed = e->claimed_us && !claim->is_abandoned;
    e->claimed_us = clock_now_us();
    e->hold_us = claim->policy.hold_us;
    e->key_hash = claim->key_hash;
    memcpy(e->address, claim->address, sizeof e->address);
    pthread_mutex_unlock(&r->lock);
    if (is_resumed) counter_add(loop_counters(claim->loop), COUNTER_PUBLISH_RESUMED, 1);
    if (claim->is_abandoned)
        hold(e, claim->loop, e->hold_us);
    else
        stream_resume(e->stream, clock_wall_us());
    answer(claim);
}

/* On the old owner's loop: let go of the stream and send it on. */
static void on_handover(void *a, void *b)
{
    struct entry *e = a;
    struct claim *next = b;
    struct registry *r = e->registry;
    pthread_mutex_lock(&r->lock);
    struct claim *old = e->claim;
    e->claim = NULL;
    pthread_mutex_unlock(&r->lock);
    if (old) {
        stream_lost(e->stream);
        old->events.revoked(old->events.context, old);
        free(old);
    }
    loop_timer_destroy(e->timer);
    e->timer = NULL;
    struct loop *here = e->owner;
    stream_set_counters(e->stream, NULL);
    stream_set_loop(e->stream, NULL);
    if (loop_post(next->loop, on_arrival, e, next) == WEIR_OK) return;
    /* its mailbox is full: the claim is not answered and its connection will run into its deadline */
    pthread_mutex_lock(&r->lock);
    e->state = ENTRY_HOLDING;
    e->pending = NULL;
    next->entry = NULL;
    pthread_mutex_unlock(&r->lock);
    stream_set_counters(e->stream, loop_counters(here));
    stream_set_loop(e->stream, here);
    hold(e, here, e->hold_us);
}

/* Under the lock: may `claim` replace the living publisher of `e`? */
static bool may_replace(const struct registry *r, const struct entry *e, const struct claim *claim, int64_t now_us)
{
    const int64_t last_us = (int64_t)figure_read(&live_edge_figures(e->edge)->last_frame_us);
    const int64_t quiet_us = now_us - (last_us > e->claimed_us ? last_us : e->claimed_us);
    if (claim->policy.may_take_over || quiet_us > r->config.silent_us) return true;
    const bool is_same_address = !memcmp(e->address, claim->address, sizeof e->address);
    if (!is_same_address || e->key_hash != claim->key_hash) return false;
    return claim->key_hash || quiet_us > QUIET_US;
}

static struct entry *entry_create(struct registry *r, const char *name)
{
    struct entry *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->registry = r;
    e->state = ENTRY_MOVING;
    e->edge = live_edge_create(name);
    if (e->edge) return e;
    free(e);
    return NULL;
}

/* On the claiming loop, outside the lock; the entry is in the table as moving. */
static enum publish_verdict furnish(struct registry *r, struct entry *e, const struct stream_policy *policy)
{
    e->stream = stream_create(e->edge, policy);
    if (!e->stream || r->config.furnish(r->config.context, e->stream)) return PUBLISH_FAILED;
    return PUBLISH_ALLOWED;
}

static void fill_claim(struct claim *claim, const struct publish_request *request)
{
    memcpy(claim->address, request->address, sizeof claim->address);
    if (request->key[0]) claim->key_hash = hash_bytes(claim->registry->salt, request->key, strlen(request->key)) | 1;
}

static enum publish_verdict decide(struct registry *r, struct claim *claim, const char *name, struct entry **fresh,
                                   struct loop **hand_over_from)
{
    struct entry *e = find(r, name, strlen(name));
    if (e && e->state == ENTRY_ENDED) {
        retire(r, e);
        e = NULL;
    }
    if (!e) {
        if (r->count >= r->config.streams_max) return PUBLISH_LIMIT;
        e = entry_create(r, name);
        if (!e) return PUBLISH_FAILED;
        insert(r, e);
        *fresh = e;
    } else if (e->state == ENTRY_MOVING || (e->state == ENTRY_LIVE && !may_replace(r, e, claim, clock_now_us()))) {
        return PUBLISH_BUSY;
    } else {
        *hand_over_from = e->owner;
        e->state = ENTRY_MOVING;
    }
    e->pending = claim;
    claim->entry = e;
    return PUBLISH_ALLOWED;
}

enum publish_verdict registry_foresee(struct registry *r, const struct publish_request *request,
                                      const struct stream_policy *policy)
{
    struct claim claim = { .registry = r, .policy = *policy };
    fill_claim(&claim, request);
    pthread_mutex_lock(&r->lock);
    const struct entry *e = find(r, request->name, strlen(request->name));
    const bool is_busy = e && e->state == ENTRY_LIVE && !may_replace(r, e, &claim, clock_now_us());
    const bool is_full = !e && r->count >= r->config.streams_max;
    pthread_mutex_unlock(&r->lock);
    return is_busy ? PUBLISH_BUSY : is_full ? PUBLISH_LIMIT : PUBLISH_ALLOWED;
}

static void drop_fresh(struct registry *r, struct entry *e)
{
    pthread_mutex_lock(&r->lock);
    take_out(r, e);
    pthread_mutex_unlock(&r->lock);
    entry_free(e);
}

struct claim *registry_claim(struct registry *r, struct loop *loop, const struct publish_request *request,
                             const struct stream_policy *policy, const struct claim_events *events)
{
    loop_assert_current(loop);
    struct claim *claim = calloc(1, sizeof *claim);
    if (!claim) return NULL;
    *claim = (struct claim){ .registry = r, .loop = loop, .events = *events, .policy = *policy };
    fill_claim(claim, request);
    struct entry *fresh = NULL;
    struct loop *from = NULL;
    pthread_mutex_lock(&r->lock);
    claim->verdict = decide(r, claim, request->name, &fresh, &from);
    pthread_mutex_unlock(&r->lock);
    if (fresh) claim->verdict = furnish(r, fresh, policy);
    if (fresh && claim->verdict != PUBLISH_ALLOWED) {
        drop_fresh(r, fresh);
        fresh = claim->entry = NULL;
    }
    const enum weir_err err = from    ? loop_post(from, on_handover, claim->entry, claim)
                              : fresh ? loop_post(loop, on_arrival, fresh, claim)
                                      : loop_post(loop, on_refusal, claim, NULL);
    if (!err) return claim;
    if (fresh) drop_fresh(r, fresh);
    if (from) {
        pthread_mutex_lock(&r->lock);
        claim->entry->pending = NULL;
        claim->entry->state = claim->entry->claim ? ENTRY_LIVE : ENTRY_HOLDING;
        pthread_mutex_unlock(&r->lock);
    }
    free(claim);
    return NULL;
}

void registry_release(struct registry *r, struct claim *claim, bool is_final)
{
    loop_assert_current(claim->loop);
    pthread_mutex_lock(&r->lock);
    struct entry *e = claim->entry;
    const bool is_stranded = !claim->is_answered && claim->verdict == PUBLISH_ALLOWED && !e;
    pthread_mutex_unlock(&r->lock);
    if (is_stranded) {
        free(claim);
        return;
    }
    if (!claim->is_answered) {
        claim->is_abandoned = true; /* the answer under way finds it so and frees it */
        return;
    }
    stream_lost(e->stream);
    pthread_mutex_lock(&r->lock);
    e->claim = NULL;
    const bool is_moving = e->state ==
                           ENTRY_MOVING; /* someone takes over already: the hand-over message does the rest */
    if (!is_moving) e->state = ENTRY_HOLDING;
    pthread_mutex_unlock(&r->lock);
    if (!is_moving) hold(e, claim->loop, is_final ? 0 : e->hold_us);
    free(claim);
}

/* -- looking -- */

struct live_edge *registry_find(struct registry *r, const char *name, size_t name_bytes)
{
    pthread_mutex_lock(&r->lock);
    struct entry *e = find(r, name, name_bytes);
    struct live_edge *edge = e ? live_edge_ref(e->edge) : NULL;
    pthread_mutex_unlock(&r->lock);
    return edge;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(live_edge_name(*(struct live_edge *const *)a), live_edge_name(*(struct live_edge *const *)b));
}

size_t registry_list(struct registry *r, struct live_edge **edges, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < BUCKETS && count < max; i++) {
        for (struct entry *e = r->buckets[i]; e && count < max; e = e->next) edges[count++] = live_edge_ref(e->edge);
    }
    pthread_mutex_unlock(&r->lock);
    qsort(edges, count, sizeof *edges, by_name);
    return count;
}

size_t registry_count(struct registry *r)
{
    pthread_mutex_lock(&r->lock);
    const size_t count = r->count;
    pthread_mutex_unlock(&r->lock);
    return count;
}
