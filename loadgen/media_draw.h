/* The picture of the built-in source: a moving pattern, a square that flashes, the frame's number and the time. Pure. */
#ifndef WEIR_LOADGEN_MEDIA_DRAW_H
#define WEIR_LOADGEN_MEDIA_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLASH_MS 100 /* of each second: the square is white and the tone is loud */

/* 4:2:0, eight bits. */
struct picture {
    uint8_t *plane[3];
    size_t stride[3];
    uint32_t width, height; /* even */
};

/* The frame-th of a loop, at time_us in it. */
void media_draw(struct picture *p, uint32_t frame, int64_t time_us);
/* The sample-th of a loop, between -1 and 1. */
float media_sound(int64_t sample, uint32_t sample_rate);

#endif
