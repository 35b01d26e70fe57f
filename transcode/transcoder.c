#include <weir/transcode/transcoder.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>

#include "libav.h"
#include "memory_room.h"
#include "probe.h"

#define ASK_AGAIN_US 10000000
#define AIRY_PERCENT 90 /* of the budget: what may be taken by who was there without it */
#define SHARE_PERCENT 80
#define MEMORY_PERCENT 90 /* the rest is for what else grows: windows, connections, the kernel's own */

struct place {
    const struct backend *backend; /* never changes: may be read without the lock */
    struct backend_report report;
    struct backend_device *devices[DEVICES_MAX];
    uint32_t users[DEVICES_MAX][DUTY_ENCODE + 1]; /* now, by duty: the device with the fewest is next */
    bool is_opened, is_probed[CODEC_VP9 + 1];
};

/* Two locks, so that nobody who only counts waits for a driver: `probing` is held while backends are tried, and whoever wants to know
 * what they can do waits for it; `lock` for arithmetic alone. What a probe found is written under both. */
struct transcoder {
    struct transcode_figures figures;
    pthread_mutex_t probing, lock;
    pthread_cond_t idle;
    struct place places[BACKENDS_MAX];
    size_t place_count;
    uint64_t devices; /* bits of those that may be used; 0: all */
    struct admission admission;
    const char *memory_root;
    uint64_t memory_promised; /* to ladders that have not taken it yet */
    int64_t ask_again_us;
    uint32_t threads;
};

static const struct backend *const built_in[] = { &backend_nvidia, &backend_nvidia_split, &backend_vaapi, &backend_qsv,
                                                  &backend_cpu };

enum weir_err transcoder_create(struct transcoder **out, const struct transcoder_config *config)
{
    struct transcoder *t = calloc(1, sizeof *t);
    if (!t) return WEIR_NOMEM;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    const uint32_t cores = config->cores ? config->cores : online > 0 ? (uint32_t)online : 1;
    const uint32_t share = config->share_percent ? config->share_percent : SHARE_PERCENT;
    const struct backend *const *backends = config->backends ? config->backends : built_in;
    t->place_count = config->backends ? config->backend_count : ARRAY_LEN(built_in);
    for (size_t i = 0; i < t->place_count; i++) t->places[i].backend = t->places[i].report.backend = backends[i];
    admission_init(&t->admission, cores, share / 100.0);
    t->devices = config->devices;
    t->memory_root = config->memory_root ? config->memory_root : "";
    t->ask_again_us = config->ask_again_us ? config->ask_again_us : ASK_AGAIN_US;
    pthread_mutex_init(&t->lock, NULL);
    pthread_mutex_init(&t->probing, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&t->idle, &attributes);
    pthread_condattr_destroy(&attributes);
    libav_log_install();
    setenv("SVT_LOG", "1", 0); /* SVT-AV1 writes past every callback: errors alone */
    *out = t;
    return WEIR_OK;
}

bool transcoder_destroy(struct transcoder *t, int64_t wait_us)
{
    if (!t) return true;
    const int64_t until_us = clock_now_us() + wait_us;
    const struct timespec until = { .tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000 };
    pthread_mutex_lock(&t->lock);
    while (t->threads && pthread_cond_timedwait(&t->idle, &t->lock, &until) != ETIMEDOUT) continue;
    const uint32_t left = t->threads;
    pthread_mutex_unlock(&t->lock);
    if (left) {
        log_event(LOG_TRANSCODE, LOG_WARN, "-", "threads_hang", "count=%u", left);
        return false; /* they may come back and use it */
    }
    for (size_t i = 0; i < t->place_count; i++) {
        for (uint32_t k = 0; k < t->places[i].report.device_count; k++)
            t->places[i].report.backend->device_close(t->places[i].devices[k]);
    }
    pthread_cond_destroy(&t->idle);
    pthread_mutex_destroy(&t->lock);
    pthread_mutex_destroy(&t->probing);
    free(t);
    return true;
}

struct transcode_figures *transcoder_figures(struct transcoder *t)
{
    return &t->figures;
}

void transcoder_enter_thread(struct transcoder *t)
{
    pthread_mutex_lock(&t->lock);
    t->threads++;
    pthread_mutex_unlock(&t->lock);
}

void transcoder_leave_thread(struct transcoder *t)
{
    pthread_mutex_lock(&t->lock);
    if (!--t->threads) pthread_cond_broadcast(&t->idle);
    pthread_mutex_unlock(&t->lock);
}

/* -- backends -- */

static bool is_allowed(const struct transcoder *t, const struct backend *b, uint32_t index)
{
    return !b->is_gpu || !t->devices || (index < 64 && t->devices >> index & 1);
}

static void open_devices(struct transcoder *t, struct place *p)
{
    const struct backend *b = p->report.backend;
    struct backend_device *devices[DEVICES_MAX] = { NULL };
    struct backend_error error = { "" }, one;
    uint32_t count = 0, absent = 0;
    /* numbers have gaps: the first render node may be a card of another make */
    for (uint32_t index = 0; count < DEVICES_MAX && absent < DEVICES_MAX && index < 64; index++) {
        if (!is_allowed(t, b, index)) continue;
        const bool is_here = !b->device_open(b, index, &devices[count], &one);
        if (!is_here && !absent) error = one;
        count += is_here;
        absent += !is_here;
        if (!b->is_gpu) break; /* there is one CPU, whatever its cores */
    }
    pthread_mutex_lock(&t->lock);
    p->is_opened = true;
    memcpy(p->devices, devices, sizeof devices);
    p->report.device_count = count;
    if (!count) snprintf(p->report.note[0], sizeof p->report.note[0], "%s", error.text);
    pthread_mutex_unlock(&t->lock);
    if (!count)
        log_event(LOG_TRANSCODE, LOG_INFO, "-", "backend_absent", "name=%s reason=%s", b->name,
                  log_quote_text(error.text).text);
}

/* Whoever else asks waits for the answer. */
static void probe(struct transcoder *t, struct place *p, enum media_codec codec)
{
    if (codec > CODEC_VP9) return;
    pthread_mutex_lock(&t->probing);
    if (!p->is_opened) open_devices(t, p);
    if (p->is_probed[codec] || !p->report.device_count) {
        pthread_mutex_unlock(&t->probing);
        return;
    }
    const int64_t began_us = clock_now_us();
    struct backend_report found = p->report;
    probe_codec(found.backend, p->devices[0], codec, &found);
    found.took_us += clock_now_us() - began_us;
    pthread_mutex_lock(&t->lock);
    p->is_probed[codec] = true;
    p->report = found;
    pthread_mutex_unlock(&t->lock);
    pthread_mutex_unlock(&t->probing);
    const char *note = found.note[codec];
    log_event(LOG_TRANSCODE, LOG_INFO, "-", "backend_probed", "name=%s codec=%s decodes=%s encodes=%s took_ms=%lld%s%s",
              found.backend->name, codec_name(codec), found.can_decode[codec] ? "yes" : "no",
              codec <= CODEC_AV1 && found.can_encode[codec] ? "yes" : "no",
              (long long)(clock_now_us() - began_us) / 1000, note[0] ? " reason=" : "",
              note[0] ? log_quote_text(note).text : "");
}

size_t transcoder_report(struct transcoder *t, struct backend_report reports[BACKENDS_MAX])
{
    for (size_t i = 0; i < t->place_count; i++) {
        for (unsigned codec = CODEC_H264; codec <= CODEC_VP9; codec++) probe(t, &t->places[i], (enum media_codec)codec);
    }
    return transcoder_known(t, reports);
}

size_t transcoder_known(struct transcoder *t, struct backend_report reports[BACKENDS_MAX])
{
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->place_count; i++) reports[i] = t->places[i].report;
    pthread_mutex_unlock(&t->lock);
    return t->place_count;
}

static void *warm_up(void *context)
{
    struct transcoder *t = context;
    for (size_t i = 0; i < t->place_count; i++) probe(t, &t->places[i], CODEC_H264);
    transcoder_leave_thread(t);
    return NULL;
}

void transcoder_warm_up(struct transcoder *t)
{
    pthread_t thread;
    transcoder_enter_thread(t);
    if (pthread_create(&thread, NULL, warm_up, t)) {
        transcoder_leave_thread(t); /* then the first ladder waits for it */
        return;
    }
    pthread_setname_np(thread, "probe");
    pthread_detach(thread);
}

static bool is_on(const struct backend_device *d, const AVFrame *picture)
{
    if (!picture || !picture->hw_frames_ctx || !d->hardware) return false;
    return (const uint8_t *)((const AVHWFramesContext *)picture->hw_frames_ctx->data)->device_ctx == d->hardware->data;
}

/* Where the picture is, so that it need not travel; else the device with the least to do of this kind. One whose driver allows no more
 * sessions is full. */
static bool take_device(struct place *p, enum backend_duty duty, const AVFrame *picture, struct backend_choice *out)
{
    const uint32_t most = duty == DUTY_ENCODE ? p->report.encode_sessions : 0;
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < p->report.device_count; i++) {
        if (most && p->users[i][duty] >= most) continue;
        if (is_on(p->devices[i], picture)) {
            best = i;
            break;
        }
        if (best == UINT32_MAX || p->users[i][duty] < p->users[best][duty]) best = i;
    }
    if (best == UINT32_MAX) return false;
    p->users[best][duty]++;
    out->backend = p->report.backend;
    out->device = p->devices[best];
    out->device_index = best;
    return true;
}

void transcoder_release(struct transcoder *t, enum backend_duty duty, const struct backend_choice *choice)
{
    pthread_mutex_lock(&t->lock);
    t->places[choice->rank].users[choice->device_index][duty]--;
    pthread_mutex_unlock(&t->lock);
}

static bool can(const struct backend_report *r, enum backend_duty duty, enum media_codec codec)
{
    if (!r->device_count) return false;
    if (duty == DUTY_DECODE) return codec <= CODEC_VP9 && r->can_decode[codec] && r->can_scale;
    return codec <= CODEC_AV1 && r->can_encode[codec];
}

static bool is_wanted(const struct backend *b, const char *name, bool must_be_gpu)
{
    const bool is_named = !strcmp(name, "auto") || !strcmp(name, b->name);
    if (must_be_gpu) return b->is_gpu && is_named;
    return is_named || !b->is_gpu; /* the CPU stands behind every choice */
}

/* How many bytes were added. */
static size_t say_why_not(const struct place *p, enum media_codec codec, bool is_able, struct backend_error *error,
                          size_t used)
{
    const char *note = p->report.note[0][0] ? p->report.note[0] : codec <= CODEC_VP9 ? p->report.note[codec] : "";
    if (is_able) note = "all encoder sessions that the driver allows are in use";
    const size_t room = sizeof error->text - used;
    const int wrote = snprintf(error->text + used, room, "%s%.100s", used ? "; " : "",
                               note[0] ? note : p->report.backend->name);
    return wrote > 0 && (size_t)wrote < room ? (size_t)wrote : 0;
}

enum weir_err transcoder_choose(struct transcoder *t, enum backend_duty duty, enum media_codec codec, const char *name,
                                bool must_be_gpu, size_t not_before, const AVFrame *picture, struct backend_choice *out,
                                struct backend_error *error)
{
    enum weir_err err = WEIR_NOT_FOUND;
    size_t used = 0;
    error->text[0] = 0;
    for (size_t i = not_before; err && i < t->place_count; i++) {
        struct place *p = &t->places[i];
        if (!is_wanted(p->backend, name, must_be_gpu)) continue;
        probe(t, p, codec);
        pthread_mutex_lock(&t->lock);
        const bool is_able = can(&p->report, duty, codec);
        if (is_able && take_device(p, duty, picture, out)) {
            out->rank = i;
            out->variant = duty == DUTY_ENCODE ? p->report.variant[codec] : 0;
            err = WEIR_OK;
        } else {
            used += say_why_not(p, codec, is_able, error, used);
        }
        pthread_mutex_unlock(&t->lock);
    }
    return err;
}

/* -- the budget -- */

/* What ladders may still take; UINT64_MAX: nothing is known to be limited. */
static uint64_t memory_left(const char *root)
{
    struct memory_room room;
    if (!memory_room_read(root, &room)) return UINT64_MAX;
    const uint64_t usable = room.limit_bytes / 100 * MEMORY_PERCENT;
    return usable > room.used_bytes ? usable - room.used_bytes : 0;
}

/* Down to where it fits. */
static void admit_memory(struct admission_ticket *ticket, const struct admission_wish *w, struct admission_card card)
{
    const uint32_t last = shed_level_last(w->plan), first = ticket->level <= last ? ticket->level : last;
    ticket->memory_wanted = admission_memory(w->plan, w->source, card, first, w->kept_us);
    for (; ticket->level <= last; ticket->level++) {
        ticket->memory_bytes = admission_memory(w->plan, w->source, card, ticket->level, w->kept_us);
        if (ticket->memory_bytes <= ticket->memory_left) return;
        ticket->is_for_memory = true;
    }
    ticket->memory_bytes = 0;
}

/* Whether there are so many sessions left on all devices together. */
static bool has_sessions(const struct place *p, size_t wanted)
{
    size_t left = 0;
    for (uint32_t i = 0; i < p->report.device_count; i++) {
        const uint32_t used = p->users[i][DUTY_ENCODE];
        if (!p->report.encode_sessions) return true;
        left += used < p->report.encode_sessions ? p->report.encode_sessions - used : 0;
    }
    return left >= wanted;
}

/* The backend that would be chosen, by what has been found out so far; NULL: none yet. */
static const struct place *place_for(const struct transcoder *t, const struct admission_wish *w, enum backend_duty duty,
                                     enum media_codec codec)
{
    for (size_t i = 0; i < t->place_count; i++) {
        const struct place *p = &t->places[i];
        if (is_wanted(p->backend, w->backend, w->must_be_gpu) && can(&p->report, duty, codec)) return p;
    }
    return NULL;
}

static struct admission_card card_for(const struct transcoder *t, const struct admission_wish *w)
{
    const struct place *decodes = place_for(t, w, DUTY_DECODE, w->source->codec);
    struct admission_card card = { .decodes = decodes && decodes->backend->is_gpu, .encodes = true };
    for (size_t i = 0; i < w->plan->rung_count; i++) {
        const struct rung_plan *r = &w->plan->rungs[i];
        const struct place *p = r->kind == RUNG_ENCODED ? place_for(t, w, DUTY_ENCODE, r->codec) : NULL;
        if (r->kind != RUNG_ENCODED) continue;
        card.encodes &= p && p->backend->is_gpu && !p->backend->encodes_on_cpu &&
                        has_sessions(p, w->plan->encoded_count);
    }
    return card;
}

struct admission_ticket transcoder_admit(struct transcoder *t, const struct admission_wish *w)
{
    struct admission_ticket ticket = { .memory_left = memory_left(t->memory_root) };
    pthread_mutex_lock(&t->lock);
    const struct admission_card card = card_for(t, w);
    ticket.memory_left -= t->memory_promised < ticket.memory_left ? t->memory_promised : ticket.memory_left;
    ticket.level = admission_level(&t->admission, w->plan, w->source, card);
    admit_memory(&ticket, w, card);
    if (ticket.level <= shed_level_last(w->plan))
        ticket.cores = admission_cost(&t->admission, w->plan, w->source, card, ticket.level);
    admission_book(&t->admission, ticket.cores);
    t->memory_promised += ticket.memory_bytes;
    pthread_mutex_unlock(&t->lock);
    return ticket;
}

bool transcoder_readmit(struct transcoder *t, const struct admission_wish *w, struct admission_ticket *ticket)
{
    const uint32_t last = shed_level_last(w->plan);
    const uint64_t left = memory_left(t->memory_root);
    pthread_mutex_lock(&t->lock);
    const struct admission_card card = card_for(t, w);
    const uint64_t held = ticket->level > last ? 0
                                               : admission_memory(w->plan, w->source, card, ticket->level, w->kept_us);
    struct admission airy = t->admission;
    airy.capacity *= AIRY_PERCENT / 100.0;
    airy.used -= ticket->cores;
    uint32_t level = admission_level(&airy, w->plan, w->source, card);
    uint64_t more = 0;
    for (; level < ticket->level; level++) {
        const uint64_t wanted = admission_memory(w->plan, w->source, card, level, w->kept_us);
        more = wanted > held ? wanted - held : 0;
        if (t->memory_promised + more <= left / 100 * AIRY_PERCENT) break;
    }
    const bool is_better = level < ticket->level && level <= last;
    if (is_better) {
        admission_return(&t->admission, ticket->cores);
        ticket->cores = admission_cost(&t->admission, w->plan, w->source, card, level);
        admission_book(&t->admission, ticket->cores);
        ticket->memory_bytes += more;
        t->memory_promised += more;
        ticket->level = level;
    }
    pthread_mutex_unlock(&t->lock);
    return is_better;
}

int64_t transcoder_ask_again_us(const struct transcoder *t)
{
    return t->ask_again_us;
}

void transcoder_settle(struct transcoder *t, struct admission_ticket *ticket)
{
    pthread_mutex_lock(&t->lock);
    t->memory_promised -= ticket->memory_bytes;
    pthread_mutex_unlock(&t->lock);
    ticket->memory_bytes = 0;
}

void transcoder_leave(struct transcoder *t, const struct admission_ticket *ticket)
{
    pthread_mutex_lock(&t->lock);
    admission_return(&t->admission, ticket->cores);
    t->memory_promised -= ticket->memory_bytes;
    pthread_mutex_unlock(&t->lock);
}

void transcoder_learn_encode(struct transcoder *t, enum media_codec codec, enum preset_speed speed, uint64_t pixels,
                             uint64_t core_ns)
{
    pthread_mutex_lock(&t->lock);
    admission_learn_encode(&t->admission, codec, speed, pixels, core_ns);
    pthread_mutex_unlock(&t->lock);
}

void transcoder_learn_decode(struct transcoder *t, uint64_t pixels, uint64_t core_ns)
{
    pthread_mutex_lock(&t->lock);
    admission_learn_decode(&t->admission, pixels, core_ns);
    pthread_mutex_unlock(&t->lock);
}
