/* Bad networks in front of the server's ports, on a thread of their own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak_internal.h"

/* "delay=50 loss=20". false: the word that was not understood is in *wrong. */
static bool read_line(struct relay_settings *s, const char *line, char wrong[64])
{
    for (const char *at = line + strspn(line, " "); *at;) {
        const size_t bytes = strcspn(at, " ");
        if (!relay_settings_read(s, at, bytes)) {
            snprintf(wrong, 64, "%.*s", (int)bytes, at);
            return false;
        }
        at += bytes;
        at += strspn(at, " ");
    }
    return true;
}

static bool open_relay(struct leg *l, size_t index)
{
    const struct scenario_relay *r = &l->scenario->relays[index];
    struct relay_settings settings;
    char wrong[64], port[16], *to = leg_expand(l, r->to);
    const long target = to ? strtol(to, NULL, 10) : 0;
    free(to);
    relay_settings_init(&settings);
    if (!read_line(&settings, r->line, wrong)) {
        leg_break(l, "a relay's line does not know", wrong);
        return false;
    }
    if (target < 1 || target > 65535) {
        leg_break(l, "a relay's \"to\" wants a port, not", r->to);
        return false;
    }
    struct relay_net *net = relay_thread_lock(l->relays);
    const enum weir_err err = relay_open(net, r->is_udp, 0, (uint16_t)target, &l->relay[index]);
    if (!err) {
        relay_seed(l->relay[index], (uint64_t)r->seed);
        relay_set(l->relay[index], &settings);
        snprintf(port, sizeof port, "%u", relay_port(l->relay[index]));
    }
    relay_thread_unlock(l->relays);
    if (err)
        leg_break(l, "a relay cannot be opened:", strerror(errno));
    else
        soak_set_variable(l, r->name, port);
    return !err;
}

bool soak_relays_open(struct leg *l)
{
    if (!l->scenario->relay_count) return true;
    l->relays = relay_thread_create();
    if (!l->relays) leg_break(l, "no memory or thread for relays", "");
    for (size_t i = 0; l->relays && i < l->scenario->relay_count; i++) {
        if (!open_relay(l, i)) return false;
    }
    return l->relays != NULL;
}

void soak_relays_act(struct leg *l, const struct scenario_event *e)
{
    char text[160], wrong[64] = "";
    bool is_good = true;
    snprintf(text, sizeof text, "%.60s: %.80s", e->relay ? e->relay : "all", e->line ? e->line : "");
    if (e->stop > 0)
        snprintf(text, sizeof text, "%.60s: nothing passes for %g s", e->relay ? e->relay : "all", e->stop);
    soak_tell_event(l, "network", text);
    relay_thread_lock(l->relays);
    for (size_t i = 0; i < l->scenario->relay_count; i++) {
        struct relay_settings settings;
        if (e->relay && strcmp(e->relay, l->scenario->relays[i].name) != 0) continue;
        relay_settings_init(&settings);
        is_good = is_good && (!e->line || read_line(&settings, e->line, wrong));
        if (is_good && e->line) relay_set(l->relay[i], &settings);
        if (e->stop > 0) relay_blackhole(l->relay[i], (int64_t)(e->stop * 1e6));
    }
    relay_thread_unlock(l->relays);
    if (!is_good) leg_break(l, "a relay's line does not know", wrong);
}

static void note_stats(struct leg *l, const char *name, const struct relay_stats *s)
{
    char text[160];
    snprintf(text, sizeof text, "%.60s: %llu of %llu lost on the way there, %llu of %llu on the way back", name,
             (unsigned long long)s->lost[RELAY_UP], (unsigned long long)s->seen[RELAY_UP],
             (unsigned long long)s->lost[RELAY_DOWN], (unsigned long long)s->seen[RELAY_DOWN]);
    soak_tell_event(l, "network", text);
}

void soak_relays_close(struct leg *l)
{
    if (!l->relays) return;
    for (size_t i = 0; i < l->scenario->relay_count && l->relay[i]; i++) {
        relay_thread_lock(l->relays);
        const struct relay_stats stats = relay_stats(l->relay[i]);
        relay_thread_unlock(l->relays);
        note_stats(l, l->scenario->relays[i].name, &stats);
    }
    relay_thread_destroy(l->relays);
    l->relays = NULL;
}
