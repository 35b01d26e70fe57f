/* clock_source VIDEO_FD AUDIO_FD FPS [SECONDS]: an endless live picture and sound that tell the time, for an encoder to read.
 * Video: 640x360 yuv420p frames, each drawn and written at its time. Its upper edge is 32 blocks of black or white (16 to a row, the most
 * significant first): 24 bits of wall clock milliseconds at the moment of drawing, then 8 bits of check (clock_check below). Below them,
 * for people, the frame's number; a moving pattern; and a square, lower right, that is white for the first 100 ms of each second.
 * Audio: 48 kHz mono s16: a loud 1 kHz tone in the same 100 ms, a faint one otherwise. Frames stand on a grid that meets whole
 * seconds, so sound and square begin together. Whoever sees or hears it knows how old it is and whether the two are in step. Tests only. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 640
#define HEIGHT 360
#define BLOCK 40 /* pixels to a side: 16 of them fill a row */
#define RATE 48000
#define FLASH_MS 100
#define BLACK 16
#define WHITE 235

static uint8_t frame[WIDTH * HEIGHT * 3 / 2];

static int64_t wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void write_all(int fd, const void *data, size_t bytes)
{
    for (const uint8_t *at = data; bytes;) {
        const ssize_t put = write(fd, at, bytes);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) exit(0); /* the encoder has gone */
        at += put;
        bytes -= (size_t)put;
    }
}

static void fill(int left, int top, int width, int height, uint8_t luma)
{
    for (int y = top; y < top + height; y++) memset(frame + y * WIDTH + left, luma, (size_t)width);
}

static uint8_t clock_check(uint32_t code)
{
    return (uint8_t)((code >> 16) * 7 + (code >> 8 & 0xFF) * 13 + (code & 0xFF) * 31 + 0x5A);
}

static void draw_clock(uint32_t code)
{
    const uint32_t bits = code << 8 | clock_check(code);
    for (int i = 0; i < 32; i++)
        fill(i % 16 * BLOCK, i / 16 * BLOCK, BLOCK, BLOCK, bits >> (31 - i) & 1 ? WHITE : BLACK);
}

/* Seven segments: top, upper left, upper right, middle, lower left, lower right, bottom. */
static void draw_digit(int left, int top, unsigned digit)
{
    static const char segments[] = "\x77\x24\x5D\x6D\x2E\x6B\x7B\x25\x7F\x6F";
    static const struct {
        int x, y, width, height;
    } place[7] = { { 4, 0, 24, 4 },  { 0, 4, 4, 24 },   { 28, 4, 4, 24 }, { 4, 28, 24, 4 },
                   { 0, 32, 4, 24 }, { 28, 32, 4, 24 }, { 4, 56, 24, 4 } };
    for (int i = 0; i < 7; i++) {
        if (segments[digit] >> i & 1) fill(left + place[i].x, top + place[i].y, place[i].width, place[i].height, WHITE);
    }
}

static void draw(uint64_t number, uint32_t code, bool is_flash)
{
    for (int y = 2 * BLOCK; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) frame[y * WIDTH + x] = (uint8_t)(48 + ((x + y + (int)(number * 3)) & 127) / 2);
    }
    draw_clock(code);
    for (int i = 7, left = 40; i >= 0; i--, left += 44) {
        uint64_t digit = number;
        for (int j = 0; j < i; j++) digit /= 10;
        draw_digit(left, 150, (unsigned)(digit % 10));
    }
    fill(WIDTH - 3 * BLOCK, HEIGHT - 3 * BLOCK, 2 * BLOCK, 2 * BLOCK, is_flash ? WHITE : BLACK);
    for (int i = 0; i < WIDTH * HEIGHT / 4; i++) { /* colour, so that a grey decoder shows */
        frame[WIDTH * HEIGHT + i] = (uint8_t)(i % (WIDTH / 2) < WIDTH / 4 ? 110 : 146);
        frame[WIDTH * HEIGHT * 5 / 4 + i] = (uint8_t)(i % (WIDTH / 2) < WIDTH / 4 ? 150 : 106);
    }
}

struct sound {
    int fd;
    unsigned fps;
    uint64_t first, end; /* frames, counted from the epoch on */
};

static void wait_for_frame(uint64_t number, unsigned fps)
{
    const struct timespec due = { .tv_sec = (time_t)(number / fps),
                                  .tv_nsec = (long)(number % fps * 1000000000 / fps) };
    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &due, NULL) == EINTR) continue;
}

/* A thread of its own: an encoder reads its inputs in whatever order it likes, and one must not hold up the other. */
static void *make_sound(void *context)
{
    const struct sound *s = context;
    static int16_t samples[RATE];
    for (uint64_t n = s->first, at = n * RATE / s->fps; n < s->end; n++) {
        wait_for_frame(n, s->fps);
        size_t count = 0;
        for (const uint64_t end = (n + 1) * RATE / s->fps; at < end; at++) { /* sample 0 falls on a whole second */
            const double level = at % RATE < RATE * FLASH_MS / 1000 ? 16000 : 400;
            samples[count++] = (int16_t)(level * sin((double)(at % RATE) * 2 * M_PI * 1000 / RATE));
        }
        write_all(s->fd, samples, count * sizeof samples[0]);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "clock_source VIDEO_FD AUDIO_FD FPS [SECONDS]\n");
        return 2;
    }
    const int video = atoi(argv[1]), audio = atoi(argv[2]);
    const unsigned fps = (unsigned)atoi(argv[3]);
    if (!fps || fps > 120) {
        fprintf(stderr, "clock_source: FPS is 1 to 120\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    const uint64_t first = (uint64_t)(wall_ns() / 1000000) * fps / 1000 + 1;
    const uint64_t end = argc > 4 ? first + (uint64_t)atoi(argv[4]) * fps : UINT64_MAX;
    struct sound sound = { .fd = audio, .fps = fps, .first = first, .end = end };
    pthread_t thread;
    if (pthread_create(&thread, NULL, make_sound, &sound)) return 1;
    for (uint64_t n = first; n < end; n++) {
        wait_for_frame(n, fps);
        draw(n - first, (uint32_t)(wall_ns() / 1000000) & 0xFFFFFF, n % fps * 1000 < FLASH_MS * fps);
        write_all(video, frame, sizeof frame);
    }
    pthread_join(thread, NULL);
    return 0;
}
