#include <weir/loadgen/chaos_plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#define SECOND_US 1000000
#define CLIFF_LASTS_US (14 * SECOND_US)
#define CONTEND_LASTS_US (2 * SECOND_US)
#define FLAP_US 60000 /* about what a cycle takes on a busy machine: a plan's guess, not a limit */

static const struct chaos_cliff cliffs[] = {
    { 4294967, "SRT's 32-bit microseconds, 71 m 35 s" },
    { 0xFFFFFF, "RTMP's extended timestamps, 4 h 39 m 37 s" },
    { 23860929, "signed 32-bit 90 kHz, 6 h 37 m 41 s" },
    { 47721858, "unsigned 32-bit 90 kHz, 13 h 15 m 22 s" },
    { 95443717, "33-bit 90 kHz, 26 h 30 m 44 s" },
    { 2147483648, "RTMP's signed milliseconds, 24.86 days" },
    { 4294967296, "RTMP's unsigned milliseconds, 49.71 days" },
};

static const struct {
    const char *name, *says;
} kinds[CHAOS_KIND_COUNT] = {
#define X(id, name, says) [CHAOS_##id] = { name, says },
    CHAOS_KINDS(X)
#undef X
};

const char *chaos_kind_name(enum chaos_kind kind)
{
    return kinds[kind].name;
}

const char *chaos_kind_says(enum chaos_kind kind)
{
    return kinds[kind].says;
}

enum chaos_kind chaos_kind_find(const char *name, size_t bytes)
{
    for (enum chaos_kind k = CHAOS_NONE + 1; k < CHAOS_KIND_COUNT; k++)
        if (strlen(kinds[k].name) == bytes && !memcmp(kinds[k].name, name, bytes)) return k;
    return CHAOS_NONE;
}

bool chaos_kind_needs_server(enum chaos_kind kind)
{
    return kind == CHAOS_TERM || kind == CHAOS_KILL;
}

uint32_t chaos_cliff_count(void)
{
    return ARRAY_LEN(cliffs);
}

const struct chaos_cliff *chaos_cliff(uint32_t index)
{
    return &cliffs[index % ARRAY_LEN(cliffs)];
}

void chaos_plan_deinit(struct chaos_plan *p)
{
    free(p->events);
    *p = (struct chaos_plan){ 0 };
}

static enum weir_err add(struct chaos_plan *p, const struct chaos_event *e)
{
    if (p->count == LOADGEN_CHAOS_EVENTS_MAX) return WEIR_LIMIT;
    if (p->count == p->capacity) {
        const uint32_t capacity = p->capacity ? p->capacity * 2 : 32;
        struct chaos_event *grown = realloc(p->events, capacity * sizeof *grown);
        if (!grown) return WEIR_NOMEM;
        p->events = grown;
        p->capacity = capacity;
    }
    p->events[p->count++] = *e;
    return WEIR_OK;
}

/* -- drawing -- */

static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static int64_t between(uint64_t *state, int64_t least, int64_t most)
{
    return least + (int64_t)(draw(state) % (uint64_t)(most - least + 1));
}

int64_t chaos_event_lasts_us(const struct chaos_event *e)
{
    switch (e->kind) {
    case CHAOS_JUMP: return 0;
    case CHAOS_CLIFF: return CLIFF_LASTS_US;
    case CHAOS_CONTEND: return CONTEND_LASTS_US;
    case CHAOS_FLAP: return (int64_t)e->count * FLAP_US;
    default: return e->us;
    }
}

static struct chaos_event draw_event(enum chaos_kind kind, const struct chaos_plan_config *c, uint64_t *state)
{
    static const int64_t jumps_s[] = { 3600, -30, -2, 7, 86400, -3600 };
    struct chaos_event e = { .kind = kind, .victim = (uint32_t)(draw(state) % c->victims), .seed = draw(state) };
    switch (kind) {
    case CHAOS_CUT_FIN:
    case CHAOS_CUT_RST: e.us = between(state, 300000, 4 * SECOND_US); break;
    case CHAOS_VANISH: e.us = between(state, SECOND_US, 3 * SECOND_US); break;
    case CHAOS_FLAP: e.count = c->flaps; break;
    case CHAOS_STALL: e.us = 15 * SECOND_US; break;
    case CHAOS_GARBAGE:
        e.count = (uint32_t)between(state, 64, 65536);
        e.us = SECOND_US;
        break;
    case CHAOS_JUMP: e.us = jumps_s[draw(state) % ARRAY_LEN(jumps_s)] * SECOND_US; break;
    case CHAOS_CLIFF: e.victim = (uint32_t)(draw(state) % ARRAY_LEN(cliffs)); break;
    case CHAOS_NETWORK: e.us = 8 * SECOND_US; break;
    case CHAOS_DISK: e.us = 5 * SECOND_US; break;
    case CHAOS_SLOW:
    case CHAOS_LEAVE:
        e.us = 5 * SECOND_US;
        e.count = 50;
        break;
    default: break;
    }
    e.us -= e.us % 1000; /* as it is written down */
    return e;
}

static uint32_t fill_bag(const struct chaos_plan_config *c, enum chaos_kind bag[CHAOS_KIND_COUNT])
{
    uint32_t count = 0;
    for (enum chaos_kind k = CHAOS_NONE + 1; k < CHAOS_KIND_COUNT; k++)
        if (c->has_kind[k]) bag[count++] = k;
    return count;
}

enum weir_err chaos_plan_make(const struct chaos_plan_config *c, struct chaos_plan *out)
{
    enum chaos_kind bag[CHAOS_KIND_COUNT];
    uint32_t left = 0;
    uint64_t state = c->seed;
    int64_t at_us = c->warm_up_us;
    *out = (struct chaos_plan){ 0 };
    while (at_us < c->seconds_us) {
        /* all of them once before one comes again */
        if (!left) left = fill_bag(c, bag);
        if (!left) return WEIR_OK;
        const uint32_t drawn = (uint32_t)(draw(&state) % left);
        struct chaos_event e = draw_event(bag[drawn], c, &state);
        bag[drawn] = bag[--left];
        e.at_us = at_us - at_us % 1000;
        const enum weir_err err = add(out, &e);
        if (err) {
            chaos_plan_deinit(out);
            return err;
        }
        at_us += chaos_event_lasts_us(&e) + c->settle_us;
    }
    return WEIR_OK;
}

/* -- as text -- */

void chaos_plan_write(const struct chaos_plan *p, struct byte_writer *out)
{
    for (uint32_t i = 0; i < p->count; i++) {
        const struct chaos_event *e = &p->events[i];
        write_format(out, "%.3f %s victim=%u", (double)e->at_us / 1e6, chaos_kind_name(e->kind), e->victim);
        if (e->us) write_format(out, " for=%.3f", (double)e->us / 1e6);
        if (e->count) write_format(out, " count=%u", e->count);
        write_format(out, " seed=%llu\n", (unsigned long long)e->seed);
    }
}

static bool read_seconds(const char *text, int64_t *us)
{
    char *end;
    const double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds >= -1e6 && seconds <= 1e6)) return false;
    *us = (int64_t)(seconds * 1000 + (seconds < 0 ? -0.5 : 0.5)) * 1000;
    return true;
}

static bool read_count(const char *text, uint64_t most, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9') return false;
    const unsigned long long number = strtoull(text, &end, 10);
    *out = number;
    return !*end && number <= most;
}

static bool read_pair(char *pair, struct chaos_event *e)
{
    uint64_t number = 0;
    char *value = strchr(pair, '=');
    if (!value) return false;
    *value++ = 0;
    if (!strcmp(pair, "for")) return read_seconds(value, &e->us);
    if (!strcmp(pair, "seed")) return read_count(value, UINT64_MAX, &e->seed);
    if (strcmp(pair, "victim") != 0 && strcmp(pair, "count") != 0) return false;
    if (!read_count(value, LOADGEN_GARBAGE_BYTES_MAX, &number)) return false;
    *(pair[0] == 'v' ? &e->victim : &e->count) = (uint32_t)number;
    return true;
}

static bool read_line(char *line, struct chaos_event *e)
{
    char *rest = line, *word = strsep(&rest, " ");
    if (!read_seconds(word, &e->at_us) || e->at_us < 0) return false;
    word = rest ? strsep(&rest, " ") : NULL;
    if (!word || !(e->kind = chaos_kind_find(word, strlen(word)))) return false;
    while (rest && (word = strsep(&rest, " ")) != NULL)
        if (*word && !read_pair(word, e)) return false;
    return e->kind == CHAOS_JUMP || e->us >= 0;
}

static int by_time(const void *a, const void *b)
{
    const struct chaos_event *x = a, *y = b;
    return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

enum weir_err chaos_plan_read(const char *text, size_t bytes, struct chaos_plan *out, unsigned *line)
{
    *out = (struct chaos_plan){ 0 };
    enum weir_err err = WEIR_OK;
    *line = 0;
    for (size_t at = 0; at < bytes && !err;) {
        const char *newline = memchr(text + at, '\n', bytes - at);
        const size_t length = newline ? (size_t)(newline - text) - at : bytes - at;
        char copy[256];
        struct chaos_event e = { 0 };
        ++*line;
        if (length >= sizeof copy) {
            err = WEIR_MALFORMED;
            break;
        }
        memcpy(copy, text + at, length);
        copy[length] = 0;
        copy[strcspn(copy, "#\r")] = 0;
        at += length + 1;
        if (!copy[strspn(copy, " \t")]) continue;
        err = read_line(copy, &e) ? add(out, &e) : WEIR_MALFORMED;
    }
    if (err)
        chaos_plan_deinit(out);
    else if (out->count)
        qsort(out->events, out->count, sizeof *out->events, by_time);
    return err;
}
