#include "fake_backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libavcodec/avcodec.h>

struct fake_faults fake;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static int release_count;

void fake_release(void)
{
    pthread_mutex_lock(&lock);
    atomic_store(&fake.encoder_hangs_at, 0);
    atomic_store(&fake.decoder_hangs_at, 0);
    release_count++;
    pthread_cond_broadcast(&released);
    pthread_mutex_unlock(&lock);
}

void fake_reset(void)
{
    fake_release();
    memset(&fake, 0, sizeof fake);
}

static void hang(void)
{
    pthread_mutex_lock(&lock);
    const int before = release_count;
    atomic_fetch_add(&fake.hanging, 1);
    while (release_count == before) pthread_cond_wait(&released, &lock);
    atomic_fetch_sub(&fake.hanging, 1);
    pthread_mutex_unlock(&lock);
}

static bool spend(_Atomic int *budget)
{
    int now = atomic_load(budget);
    while (now > 0) {
        if (atomic_compare_exchange_weak(budget, &now, now - 1)) return true;
    }
    return false;
}

static bool is_at(_Atomic int *fault, int number)
{
    const int at = atomic_load(fault);
    return at && number >= at;
}

/* -- decoder -- */

struct fake_decoder {
    struct decoder base;
    struct decoder *real;
    int packets;
};

static enum weir_err decoder_open(const struct backend *b, const struct decoder_config *config, struct decoder **out,
                                  struct backend_error *error)
{
    if (spend(&fake.decoder_open_fails)) {
        snprintf(error->text, sizeof error->text, "fake: ordered to refuse");
        return WEIR_IO;
    }
    struct fake_decoder *d = calloc(1, sizeof *d);
    d->base.backend = b;
    const enum weir_err err = backend_cpu.decoder_open(&backend_cpu, config, &d->real, error);
    if (err) {
        free(d);
        return err;
    }
    atomic_fetch_add(&fake.decoders_open, 1);
    atomic_fetch_add(&fake.decoders_opened, 1);
    *out = &d->base;
    return WEIR_OK;
}

static enum backend_step decoder_send(struct decoder *base, const AVPacket *packet)
{
    struct fake_decoder *d = (struct fake_decoder *)base;
    d->packets++;
    if (packet && is_at(&fake.decoder_fails_at, d->packets)) return STEP_FAILED;
    if (packet && is_at(&fake.decoder_hangs_at, d->packets)) hang();
    return backend_cpu.decoder_send(d->real, packet);
}

static enum backend_step decoder_receive(struct decoder *base, AVFrame *frame)
{
    return backend_cpu.decoder_receive(((struct fake_decoder *)base)->real, frame);
}

static void decoder_close(struct decoder *base)
{
    struct fake_decoder *d = (struct fake_decoder *)base;
    if (!d) return;
    backend_cpu.decoder_close(d->real);
    atomic_fetch_sub(&fake.decoders_open, 1);
    free(d);
}

/* -- scaler -- */

struct fake_scaler {
    struct scaler base;
    struct scaler *real;
    int pictures;
};

static enum weir_err scaler_open(const struct backend *b, const struct scaler_config *config, struct scaler **out,
                                 struct backend_error *error)
{
    struct fake_scaler *s = calloc(1, sizeof *s);
    s->base.backend = b;
    const enum weir_err err = backend_cpu.scaler_open(&backend_cpu, config, &s->real, error);
    if (err) {
        free(s);
        return err;
    }
    *out = &s->base;
    return WEIR_OK;
}

static enum backend_step scaler_run(struct scaler *base, const AVFrame *in, AVFrame *out)
{
    struct fake_scaler *s = (struct fake_scaler *)base;
    if (is_at(&fake.scaler_fails_at, ++s->pictures)) return STEP_FAILED;
    return backend_cpu.scaler_run(s->real, in, out);
}

static void scaler_close(struct scaler *base)
{
    struct fake_scaler *s = (struct fake_scaler *)base;
    if (!s) return;
    backend_cpu.scaler_close(s->real);
    free(s);
}

/* -- encoder -- */

#define DELAY_MAX 32

struct fake_encoder {
    struct encoder base;
    struct encoder *real;
    int pictures;
    bool is_deaf, is_draining;
    AVPacket *late[DELAY_MAX];
    int late_count;
};

static enum weir_err encoder_open(const struct backend *b, const struct encoder_config *config, struct encoder **out,
                                  struct backend_error *error)
{
    const int most = atomic_load(&fake.sessions_max), before = atomic_fetch_add(&fake.encoders_open, 1);
    struct fake_encoder *e = calloc(1, sizeof *e);
    enum weir_err err = WEIR_IO;
    if (spend(&fake.encoder_open_fails) || (most && before >= most))
        snprintf(error->text, sizeof error->text, "fake: OpenEncodeSessionEx failed: out of memory (10)");
    else
        err = backend_cpu.encoder_open(&backend_cpu, config, &e->real, error);
    if (err) {
        atomic_fetch_sub(&fake.encoders_open, 1);
        free(e);
        return err;
    }
    e->base.backend = b;
    atomic_fetch_add(&fake.encoders_opened, 1);
    *out = &e->base;
    return WEIR_OK;
}

static enum backend_step encoder_send(struct encoder *base, const AVFrame *frame, bool is_key)
{
    struct fake_encoder *e = (struct fake_encoder *)base;
    if (!frame) {
        e->is_draining = true;
        return backend_cpu.encoder_send(e->real, NULL, false);
    }
    e->pictures++;
    if (is_at(&fake.encoder_hangs_at, e->pictures)) hang();
    if (is_at(&fake.encoder_fails_at, e->pictures)) return STEP_FAILED;
    if (is_at(&fake.encoder_refuses_at, e->pictures)) {
        e->is_deaf = true;
        return STEP_AGAIN;
    }
    if (is_at(&fake.encoder_swallows_at, e->pictures)) {
        e->is_deaf = true;
        return STEP_DONE;
    }
    const int slow_us = atomic_load(&fake.encoder_slow_us);
    if (slow_us) {
        const struct timespec pause = { .tv_sec = slow_us / 1000000, .tv_nsec = slow_us % 1000000 * 1000 };
        nanosleep(&pause, NULL);
    }
    if (is_key && e->pictures > 1 && spend(&fake.encoder_ignores_keys)) is_key = false;
    return backend_cpu.encoder_send(e->real, frame, is_key);
}

static enum backend_step encoder_receive(struct encoder *base, AVPacket *packet)
{
    struct fake_encoder *e = (struct fake_encoder *)base;
    if (e->is_deaf) return STEP_AGAIN;
    const int delay = atomic_load(&fake.encoder_delay);
    for (;;) {
        if (e->late_count > (e->is_draining ? 0 : delay)) {
            av_packet_move_ref(packet, e->late[0]);
            av_packet_free(&e->late[0]);
            memmove(e->late, e->late + 1, (size_t)--e->late_count * sizeof e->late[0]);
            return STEP_DONE;
        }
        if (!delay && !e->late_count) return backend_cpu.encoder_receive(e->real, packet);
        AVPacket *p = av_packet_alloc();
        const enum backend_step step = backend_cpu.encoder_receive(e->real, p);
        if (step != STEP_DONE) {
            av_packet_free(&p);
            if (e->is_draining && e->late_count) continue;
            return step;
        }
        e->late[e->late_count++] = p;
    }
}

static void encoder_close(struct encoder *base)
{
    struct fake_encoder *e = (struct fake_encoder *)base;
    if (!e) return;
    for (int i = 0; i < e->late_count; i++) av_packet_free(&e->late[i]);
    backend_cpu.encoder_close(e->real);
    atomic_fetch_sub(&fake.encoders_open, 1);
    free(e);
}

static enum weir_err device_open(const struct backend *b, uint32_t index, struct backend_device **out,
                                 struct backend_error *error)
{
    return backend_cpu.device_open(&backend_cpu, index, out, error);
}

static void device_close(struct backend_device *d)
{
    backend_cpu.device_close(d);
}

const struct backend fake_backend = {
    .name = "fake",
    .device_open = device_open,
    .device_close = device_close,
    .decoder_open = decoder_open,
    .decoder_send = decoder_send,
    .decoder_receive = decoder_receive,
    .decoder_close = decoder_close,
    .scaler_open = scaler_open,
    .scaler_run = scaler_run,
    .scaler_close = scaler_close,
    .encoder_open = encoder_open,
    .encoder_send = encoder_send,
    .encoder_receive = encoder_receive,
    .encoder_close = encoder_close,
};
