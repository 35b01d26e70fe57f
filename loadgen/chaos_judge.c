#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chaos_internal.h"

void chaos_say(struct chaos *c, const char *event, const char *stream, const char *format, ...)
{
    char text[512];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    event_log_note(c->log, event, stream, text);
    printf("%8.3f  %-9s %-16s %s\n", (double)(c->now_us - c->begin_us) / 1e6, event, stream, text);
    fflush(stdout);
}

void chaos_mark(struct chaos *c)
{
    for (uint32_t i = 0; i < c->stream_count + c->has_guest; i++) {
        struct chaos_stream *s = &c->streams[i];
        follower_mark(&s->follower, c->now_us);
        s->discontinuities_before = s->follower.discontinuities;
        s->is_target = false;
    }
    c->has_before = c->server->pid && server_process_measure(c->server, &c->before);
}

/* What may become of the stream that something was done to: so many breaks at least and at most. */
struct breaks {
    uint64_t least, most;
};

static struct breaks allowed_breaks(const struct chaos_event *e, bool is_srt)
{
    switch (e->kind) {
    case CHAOS_CUT_FIN:
    case CHAOS_CUT_RST:
    case CHAOS_VANISH:
    case CHAOS_JUMP:
    case CHAOS_SWITCH: return (struct breaks){ 1, 1 };
    /* a server that begins anew has forgotten how many there were, and may only not count back */
    case CHAOS_TERM:
    case CHAOS_KILL: return (struct breaks){ 1, UINT64_MAX };
    /* over SRT a silence of fifteen seconds ends the connection, and a network that loses may too */
    case CHAOS_STALL:
    case CHAOS_NETWORK: return (struct breaks){ 0, is_srt ? 1 : 0 };
    case CHAOS_GARBAGE: return (struct breaks){ 0, 2 };
    case CHAOS_FLAP: return (struct breaks){ 0, (uint64_t)e->count + 1 };
    default: return (struct breaks){ 0, 0 };
    }
}

static bool fail(struct chaos *c, const struct chaos_stream *s, const char *what)
{
    chaos_say(c, "BROKEN", s->name, "%s: %s", chaos_kind_name(c->event->kind), what);
    c->faults++;
    return false;
}

static bool judge_bystander(struct chaos *c, const struct chaos_stream *s)
{
    const struct follower *f = &s->follower;
    const int64_t limit_us = f->target_us + f->target_us / 2 + c->config.tolerance_us,
                  gap_us = follower_gap_us(f, c->now_us);
    char text[200];
    bool is_good = true;
    if (gap_us > limit_us) {
        snprintf(text, sizeof text, "nothing new for %.1f s, at most %.1f s were promised", (double)gap_us / 1e6,
                 (double)limit_us / 1e6);
        is_good = fail(c, s, text);
    }
    /* one that began meanwhile begins with as many as it likes */
    const uint64_t before = f->first_seen_us > f->marked_us ? f->first_discontinuities : s->discontinuities_before;
    if (f->discontinuities != before) {
        snprintf(text, sizeof text, "a discontinuity, and nothing was done to it");
        is_good = fail(c, s, text);
    }
    if (f->faults) is_good = fail(c, s, f->fault);
    return is_good;
}

static bool judge_target(struct chaos *c, const struct chaos_stream *s)
{
    const struct follower *f = &s->follower;
    const struct breaks allowed = allowed_breaks(c->event, s->is_srt);
    const uint64_t breaks = f->discontinuities - s->discontinuities_before;
    const int64_t live_us = atomic_load(&s->live_us);
    const bool came_back = live_us > c->event_us;
    const int64_t resumed_us = f->last_advance_us -
                               (came_back ? live_us : c->event_us + chaos_event_lasts_us(c->event));
    char text[200];
    bool is_good = true;
    struct publisher_figures figures;
    publishers_look(s->publishers, s->index, &figures);
    if (figures.state != PUBLISHER_IS_LIVE) is_good = fail(c, s, "its publisher did not come back");
    if (resumed_us <= 0) is_good = fail(c, s, "nothing new after the publisher's return");
    if (f->discontinuities < s->discontinuities_before || breaks < allowed.least || breaks > allowed.most) {
        snprintf(text, sizeof text, "%lld discontinuities, %llu to %llu were promised", (long long)breaks,
                 (unsigned long long)allowed.least, (unsigned long long)allowed.most);
        is_good = fail(c, s, text);
    }
    if (f->faults) is_good = fail(c, s, f->fault);
    return is_good;
}

bool chaos_size_is_back(struct chaos *c, struct server_size *now)
{
    if (!c->has_before || !server_process_measure(c->server, now)) return true;
    const int64_t share = c->before.pss_kib / 100, least = c->config.pss_slack_kib,
                  slack = share > least ? share : least;
    return now->descriptors == c->before.descriptors && now->threads == c->before.threads &&
           now->pss_kib - c->before.pss_kib <= slack;
}

static bool judge_size(struct chaos *c)
{
    struct server_size now = c->before;
    const bool is_good = chaos_size_is_back(c, &now);
    if (!c->has_before) return true;
    chaos_say(c, is_good ? "size" : "BROKEN", "server",
              "%u descriptors, were %u; %u threads, were %u; PSS %lld kB, was %lld kB", now.descriptors,
              c->before.descriptors, now.threads, c->before.threads, (long long)now.pss_kib,
              (long long)c->before.pss_kib);
    if (!is_good) c->faults++;
    return is_good;
}

static bool judge_kind(struct chaos *c)
{
    const struct chaos_event *e = c->event;
    const struct chaos_stream *guest = &c->streams[c->stream_count];
    if (e->kind == CHAOS_CONTEND && !atomic_load(&guest->refusals)) {
        chaos_say(c, "BROKEN", "guest", "contend: a second publisher was not refused");
        c->faults++;
        return false;
    }
    if (e->kind == CHAOS_CLIFF && !guest->follower.last_advance_us) {
        chaos_say(c, "BROKEN", guest->name, "cliff: no segment came");
        c->faults++;
        return false;
    }
    if (e->kind == CHAOS_FLAP && c->flaps_done < e->count) {
        chaos_say(c, "BROKEN", c->streams[c->config.steady + e->victim % c->config.victims].name,
                  "flap: %u of %u cycles in the time there was", c->flaps_done, e->count);
        c->faults++;
        return false;
    }
    if ((e->kind == CHAOS_SLOW || e->kind == CHAOS_LEAVE) && c->viewers && !bad_viewers_answers(c->viewers)) {
        chaos_say(c, "BROKEN", "viewers", "%s: not one had an answer", chaos_kind_name(e->kind));
        c->faults++;
        return false;
    }
    return true;
}

void chaos_judge(struct chaos *c)
{
    const struct chaos_event *e = c->event;
    bool is_good = judge_kind(c);
    int64_t slowest_us = 0;
    for (uint32_t i = 0; i < c->stream_count + (c->has_guest && e->kind == CHAOS_CLIFF); i++) {
        const struct chaos_stream *s = &c->streams[i];
        is_good = (s->is_target ? judge_target(c, s) : judge_bystander(c, s)) && is_good;
        const int64_t live_us = atomic_load(&s->live_us), resume_us = s->resumed_us;
        if (s->is_target && live_us > c->event_us && resume_us > live_us && resume_us - live_us > slowest_us)
            slowest_us = resume_us - live_us;
    }
    if (e->kind == CHAOS_FLAP) is_good = judge_size(c) && is_good;
    if (e->kind == CHAOS_DISK) is_good = chaos_disk_judge(c) && is_good;
    *(is_good ? &c->events_good : &c->events_bad) += 1;
    if (slowest_us > c->slowest_resume_us) c->slowest_resume_us = slowest_us;
    if (is_good && slowest_us)
        chaos_say(c, "kept", chaos_kind_name(e->kind), "%s; a segment %.1f s after the publisher was back",
                  chaos_kind_says(e->kind), (double)slowest_us / 1e6);
    else if (is_good)
        chaos_say(c, "kept", chaos_kind_name(e->kind), "%s", chaos_kind_says(e->kind));
}
