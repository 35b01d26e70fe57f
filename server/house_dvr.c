#include "house_dvr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/base/log.h>
#include <weir/base/loop.h>

#define PATIENCE_US 1000000LL /* a publisher waits no longer for a disk to say what is there of his stream */
#define FOLDER_BYTES 512

struct house_dvr {
    struct publish_gate gate; /* first: the gate is the house's */
    struct publish_gate *inner;
    struct archive *archive;
};

/* -- the gate -- */

struct dvr_ask {
    struct house_dvr *dvr;
    struct loop *loop;
    char name[STREAM_NAME_BYTES_MAX + 1];
    void (*answer)(void *context, enum publish_verdict verdict, const struct stream_policy *policy);
    void *context;
    struct stream_policy policy;
    struct segment_shelf *shelf;
    struct segment_load *load;
    struct loop_timer *timer;
};

static void let_in(struct dvr_ask *ask)
{
    /* the shelf is kept until the stream has it */
    ask->answer(ask->context, PUBLISH_ALLOWED, &ask->policy);
    if (ask->shelf) ask->shelf->release(ask->shelf);
    loop_timer_destroy(ask->timer);
    free(ask);
}

static void on_ready(void *context, const struct segment_loaded *loaded)
{
    let_in(context);
}

static void on_late(void *context)
{
    struct dvr_ask *ask = context;
    struct segment_loader *loader = archive_loader(ask->dvr->archive);
    log_event(LOG_SERVER, LOG_WARN, ask->name, "dvr_late",
              "reason=\"the disk did not say in time what is there: the stream begins anew\"");
    loader->cancel(loader, ask->load);
    let_in(ask);
}

static void on_verdict(void *context, enum publish_verdict verdict, const struct stream_policy *policy)
{
    struct dvr_ask *ask = context;
    if (verdict != PUBLISH_ALLOWED) {
        ask->answer(ask->context, verdict, policy);
        free(ask);
        return;
    }
    ask->policy = *policy;
    ask->shelf = house_dvr_shelf(ask->dvr, ask->name, policy);
    ask->timer = ask->shelf ? loop_timer_create(ask->loop, on_late, ask) : NULL;
    if (ask->timer && !archive_await(ask->dvr->archive, ask->shelf, ask->loop, on_ready, ask, &ask->load))
        loop_timer_arm(ask->timer, PATIENCE_US);
    else
        let_in(ask);
}

static void ask_gate(struct publish_gate *gate, const struct publish_request *request, struct loop *loop,
                     void (*answer)(void *context, enum publish_verdict verdict, const struct stream_policy *policy),
                     void *context)
{
    struct house_dvr *d = (struct house_dvr *)gate;
    struct dvr_ask *ask = calloc(1, sizeof *ask);
    if (!ask) return; /* no memory for an answer: the asker's own deadline closes it */
    *ask = (struct dvr_ask){ .dvr = d, .loop = loop, .answer = answer, .context = context };
    memcpy(ask->name, request->name, sizeof ask->name);
    d->inner->ask(d->inner, request, loop, on_verdict, ask);
}

/* -- life -- */

static bool is_wanted(const struct config *c, const char *folder)
{
    if (c->defaults.hls.dvr_us || !access(folder, F_OK)) return true;
    for (size_t i = 0; i < c->path_count; i++) {
        if (c->paths[i].hls.dvr_us) return true;
    }
    return false;
}

/* In memory, and the same for every process that uses this state folder. */
static void make_marks_path(const char *state_dir, char *out, size_t out_bytes)
{
    char *real = realpath(state_dir, NULL);
    uint64_t hash = 0xCBF29CE484222325u;
    for (const char *at = real ? real : state_dir; *at; at++) hash = (hash ^ (uint8_t)*at) * 0x100000001B3u;
    free(real);
    snprintf(out, out_bytes, "/dev/shm/weir-%u-%016llx.marks", (unsigned)geteuid(), (unsigned long long)hash);
}

enum weir_err house_dvr_create(struct house_dvr **out, const struct config *config, const char *state_dir,
                               struct publish_gate *gate, struct config_error *error)
{
    char folder[FOLDER_BYTES], marks[96];
    snprintf(folder, sizeof folder, "%s/dvr", state_dir);
    *out = NULL;
    if (!is_wanted(config, folder)) return WEIR_OK;
    struct house_dvr *d = calloc(1, sizeof *d);
    if (!d) return WEIR_NOMEM;
    d->gate.ask = ask_gate;
    d->inner = gate;
    make_marks_path(state_dir, marks, sizeof marks);
    const struct archive_config archive = { .folder = folder,
                                            .marks_path = marks,
                                            .bytes_max = (uint64_t)config->dvr_bytes,
                                            .queue_bytes_max = ARCHIVE_QUEUE_BYTES_MAX,
                                            .queue_us_max = ARCHIVE_QUEUE_US_MAX };
    const enum weir_err err = archive_create(&d->archive, &archive);
    if (err) {
        snprintf(error->text, sizeof error->text, "hls.dvr: cannot use %.200s: %s", folder,
                 err == WEIR_BUSY ? "another weir does; stop it, or give this one its own state.dir"
                 : err == WEIR_IO ? strerror(errno)
                                  : err_name(err));
        free(d);
        return err;
    }
    *out = d;
    return WEIR_OK;
}

void house_dvr_leave(struct house_dvr *d)
{
    if (!d) return;
    archive_leave(d->archive);
    archive_stop_loading(d->archive);
}

void house_dvr_destroy(struct house_dvr *d)
{
    if (!d) return;
    archive_destroy(d->archive);
    free(d);
}

struct publish_gate *house_dvr_gate(struct house_dvr *d, struct publish_gate *gate)
{
    return d ? &d->gate : gate;
}

struct segment_loader *house_dvr_loader(struct house_dvr *d)
{
    return d ? archive_loader(d->archive) : NULL;
}

struct segment_shelf *house_dvr_shelf(struct house_dvr *d, const char *stream, const struct stream_policy *policy)
{
    if (!d || !policy->dvr_us) return NULL;
    const struct archive_policy keep = { .keep_us = policy->dvr_us + policy->dvr_us / 16 + 2 * policy->window_us,
                                         .bytes_max = policy->dvr_bytes };
    struct segment_shelf *shelf = archive_open(d->archive, stream, &keep);
    if (!shelf)
        log_event(LOG_SERVER, LOG_ERROR, stream, "dvr_refused",
                  "reason=\"too many streams on disk, or no memory: nothing of this one is kept\"");
    return shelf;
}

struct archive *house_dvr_archive(struct house_dvr *d)
{
    return d ? d->archive : NULL;
}
