/* clicks: a few seconds of encoded sound made in the test, with a click each half second, as media packets whose times begin at 0. */
#ifndef WEIR_TESTS_CLICKS_H
#define WEIR_TESTS_CLICKS_H

#include <stddef.h>
#include <weir/media/packet.h>

#define CLICKS_SECONDS 4
#define CLICKS_COUNT (CLICKS_SECONDS * 2)
#define CLICKS_PACKETS_MAX 1024

struct clicks {
    struct track *track;
    struct media_packet packets[CLICKS_PACKETS_MAX]; /* each holds a reference */
    size_t count;
    int rate;
};

/* encoder: FFmpeg's name of it. Fails the test when it cannot. */
void clicks_make(struct clicks *s, const char *encoder, enum media_codec codec, int rate, int channels);
void clicks_free(struct clicks *s);

#endif
