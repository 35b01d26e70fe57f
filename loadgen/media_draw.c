#include "media_draw.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLACK 16
#define WHITE 235
#define GLYPH_WIDTH 5
#define GLYPH_HEIGHT 7

static const struct {
    char letter;
    uint8_t rows[GLYPH_HEIGHT]; /* five bits each */
} glyphs[] = {
    { '0', { 0x0E, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0E } }, { '1', { 0x04, 0x0C, 0x04, 0x04, 0x04, 0x04, 0x0E } },
    { '2', { 0x0E, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1F } }, { '3', { 0x1F, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0E } },
    { '4', { 0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02 } }, { '5', { 0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E } },
    { '6', { 0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E } }, { '7', { 0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08 } },
    { '8', { 0x0E, 0x11, 0x11, 0x0E, 0x11, 0x11, 0x0E } }, { '9', { 0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C } },
    { ':', { 0x00, 0x04, 0x04, 0x00, 0x04, 0x04, 0x00 } }, { '.', { 0x00, 0x00, 0x00, 0x00, 0x00, 0x06, 0x06 } },
    { '#', { 0x0A, 0x0A, 0x1F, 0x0A, 0x1F, 0x0A, 0x0A } },
};

/* What falls outside of the picture is not drawn. */
static void fill(struct picture *p, uint32_t left, uint32_t top, uint32_t width, uint32_t height, uint8_t luma)
{
    if (left >= p->width) return;
    if (width > p->width - left) width = p->width - left;
    for (uint32_t y = top; y < top + height && y < p->height; y++)
        memset(p->plane[0] + y * p->stride[0] + left, luma, width);
}

static void write_line(struct picture *p, const char *text, uint32_t left, uint32_t top, uint32_t dot)
{
    fill(p, left, top, (uint32_t)strlen(text) * 6 * dot + dot, (GLYPH_HEIGHT + 2) * dot, BLACK);
    for (uint32_t x = left + dot; *text; text++, x += 6 * dot) {
        for (size_t g = 0; g < sizeof glyphs / sizeof glyphs[0]; g++) {
            if (glyphs[g].letter != *text) continue;
            for (uint32_t row = 0; row < GLYPH_HEIGHT; row++)
                for (uint32_t column = 0; column < GLYPH_WIDTH; column++)
                    if (glyphs[g].rows[row] >> (GLYPH_WIDTH - 1 - column) & 1)
                        fill(p, x + column * dot, top + (row + 1) * dot, dot, dot, WHITE);
        }
    }
}

static void draw_pattern(struct picture *p, uint32_t frame)
{
    uint32_t noise = frame * 2654435761U | 1;
    for (uint32_t y = 0; y < p->height; y++) {
        uint8_t *row = p->plane[0] + y * p->stride[0];
        for (uint32_t x = 0; x < p->width; x++) {
            /* grain, so that a bitrate is used up as a camera's picture does (xorshift) */
            noise ^= noise << 13, noise ^= noise >> 17, noise ^= noise << 5;
            row[x] = (uint8_t)(48 + ((x + y + frame * 3) & 127) / 2 + (noise >> 28));
        }
    }
    for (int c = 1; c < 3; c++) {
        for (uint32_t y = 0; y < p->height / 2; y++) {
            uint8_t *row = p->plane[c] + y * p->stride[c];
            for (uint32_t x = 0; x < p->width / 2; x++)
                row[x] = (uint8_t)(96 + (c == 1 ? x * 64 / p->width : y * 64 / p->height) * 2);
        }
    }
}

void media_draw(struct picture *p, uint32_t frame, int64_t time_us)
{
    char text[32];
    assert(p->width >= 2 && p->height >= 2);
    const uint32_t dot = p->height / 90 ? p->height / 90 : 1, side = p->height / 6;
    draw_pattern(p, frame);
    snprintf(text, sizeof text, "#%06u", frame);
    write_line(p, text, dot * 4, dot * 4, dot);
    snprintf(text, sizeof text, "%02d:%02d.%03d", (int)(time_us / 60000000 % 60), (int)(time_us / 1000000 % 60),
             (int)(time_us / 1000 % 1000));
    write_line(p, text, dot * 4, dot * 16, dot);
    const bool is_flash = time_us / 1000 % 1000 < FLASH_MS;
    fill(p, p->width - side * 3 / 2, p->height - side * 3 / 2, side, side, is_flash ? WHITE : BLACK);
}

float media_sound(int64_t sample, uint32_t sample_rate)
{
    const int64_t in_second = sample % sample_rate;
    const bool is_loud = in_second * 1000 < (int64_t)FLASH_MS * sample_rate;
    /* a whole number of periods to the second: no click at its end */
    return (is_loud ? 0.5F : 0.012F) * sinf((float)((double)in_second * 2 * M_PI * 1000 / sample_rate));
}
