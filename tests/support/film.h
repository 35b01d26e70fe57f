/* film: a short H.264 source made in the test, each picture carrying its number, as media packets with stream times. */
#ifndef WEIR_TESTS_FILM_H
#define WEIR_TESTS_FILM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/media/packet.h>

struct film_config {
    uint32_t width, height, frames;
    uint32_t fps_num, fps_den;
    uint32_t gop;      /* frames between keyframes; 0: only the first */
    uint32_t b_frames; /* with reordering */
    bool is_open_gop;
    bool is_variable; /* picture distances vary from one to three frames */
    bool is_interlaced;
    bool has_captions;
    uint32_t sar_num, sar_den;
    bool hides_rate;  /* no timing in the bitstream */
    bool is_hevc_hdr; /* HEVC, 10 bits, PQ, with a mastering display */
    int64_t start_90k;
};

struct film {
    struct track *track;
    struct media_packet *packets; /* decoding order; each holds a reference */
    size_t count;
    int64_t *pts_90k; /* presentation order */
};

void film_make(struct film *film, const struct film_config *config); /* fails the test when it cannot */
void film_free(struct film *film);

#define FILM_NUMBER_BITS 12
struct AVFrame;
/* The number that a decoded picture carries; -1: unreadable. Pictures of at least 128x32 pixels. */
int film_number(const struct AVFrame *picture);

#endif
