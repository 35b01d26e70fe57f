/* H.264 frame numbers: the first two bytes say how much of the input is the configuration, the rest is samples with a two-byte length each. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <transcode/annex_b.h>
#include <transcode/frame_gap.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* In an allocation of its own, so that a read past the end is seen. */
static struct byte_span copy_of(struct byte_span s)
{
    uint8_t *copy = malloc(s.bytes ? s.bytes : 1);
    if (s.bytes) memcpy(copy, s.data, s.bytes);
    return (struct byte_span){ copy, s.bytes };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct byte_reader r;
    struct frame_gap gap;
    byte_reader_init(&r, data, bytes);
    const size_t wanted = read_u16(&r), left = byte_reader_left(&r);
    struct byte_span part = copy_of(read_span(&r, wanted < left ? wanted : left));
    frame_gap_init(&gap, part);
    free((void *)part.data);
    while (byte_reader_left(&r) > 2) {
        const size_t next = read_u16(&r), rest = byte_reader_left(&r);
        part = copy_of(read_span(&r, next < rest ? next : rest));
        frame_gap_look(&gap, part);
        struct byte_writer w;
        byte_writer_init(&w, 1 << 20);
        annex_b_to_sample(&w, part);
        byte_writer_deinit(&w);
        free((void *)part.data);
    }
    return 0;
}
