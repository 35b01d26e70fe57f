#include <weir/base/log.h>

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>

/* The log is the one process-wide thing: what it is set to belongs to the operator, not to a stream or a loop. */
#define ROOMS (LOG_SERVER + 1)
static _Atomic int room_levels[ROOMS];
static _Atomic int log_fd = 2;
static _Atomic int log_is_json;

void log_set_format(enum log_format format)
{
    atomic_store(&log_is_json, format == LOG_JSON);
}

void log_set_fd(int fd)
{
    atomic_store(&log_fd, fd);
}

void log_set_level(enum log_level level)
{
    for (int room = 1; room < ROOMS; room++) atomic_store(&room_levels[room], (int)level);
}

void log_set_room_level(enum log_room room, enum log_level level)
{
    atomic_store(&room_levels[room], (int)level);
}

enum log_level log_room_level(enum log_room room)
{
    const int level = atomic_load_explicit(&room_levels[room], memory_order_relaxed);
    return level ? (enum log_level)level : LOG_INFO;
}

static int level_from(const char *text, size_t bytes)
{
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        const char *name = log_level_name((enum log_level)level);
        if (strlen(name) == bytes && !memcmp(name, text, bytes)) return level;
    }
    return 0;
}

static int room_from(const char *text, size_t bytes)
{
    for (int room = 1; room < ROOMS; room++) {
        const char *name = log_room_name((enum log_room)room);
        if (strlen(name) == bytes && !memcmp(name, text, bytes)) return room;
    }
    return 0;
}

bool log_set_levels(const char *text)
{
    int levels[ROOMS] = { 0 };
    while (*text) {
        const size_t word = strcspn(text, ",");
        const char *equals = memchr(text, '=', word);
        const char *level_text = equals ? equals + 1 : text;
        const int level = level_from(level_text, (size_t)(text + word - level_text));
        const int room = equals ? room_from(text, (size_t)(equals - text)) : 0;
        if (!level || (equals && !room)) return false;
        for (int i = 1; i < ROOMS; i++) {
            if (!room || i == room) levels[i] = level;
        }
        text += word + (text[word] == ',');
    }
    for (int i = 1; i < ROOMS; i++) {
        if (levels[i]) atomic_store(&room_levels[i], levels[i]);
    }
    return true;
}

bool log_wants(enum log_room room, enum log_level level)
{
    return level <= log_room_level(room);
}

void log_event(enum log_room room, enum log_level level, const char *stream, const char *event, const char *format, ...)
{
    if (!log_wants(room, level)) return;
    char pairs[LOG_LINE_BYTES_MAX / 2], line[LOG_LINE_BYTES_MAX], time_text[CLOCK_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(pairs, sizeof pairs, format, arguments);
    va_end(arguments);
    clock_format(clock_wall_us(), time_text);
    const enum log_format how = atomic_load_explicit(&log_is_json, memory_order_relaxed) ? LOG_JSON : LOG_TEXT;
    const size_t bytes = log_render(how, time_text, level, room, stream, event, pairs, line, sizeof line);
    /* nothing useful can be done when the log itself cannot be written */
    if (write(atomic_load_explicit(&log_fd, memory_order_relaxed), line, bytes) < 0) return;
}
