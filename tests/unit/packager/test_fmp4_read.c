/* Samples back out of what fmp4.c wrote, small payloads (which stand behind the header) and large ones in any order. */
#include "hex.h"

#include <stdlib.h>
#include <string.h>

#include "packager/fmp4_read.h"

#define SAMPLES_MAX 12

static uint64_t random_of(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void what_was_written(void **unused_state)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t state = seed;
        struct fmp4_sample samples[3 * SAMPLES_MAX];
        struct frozen *chunks[3];
        size_t total = 0;
        int64_t dts = 900000;
        const size_t chunk_count = 1 + random_of(&state) % 3;
        for (size_t k = 0; k < chunk_count; k++) {
            const size_t count = 1 + random_of(&state) % SAMPLES_MAX, first = total;
            dts += random_of(&state) % 2 ? 0 : 4500; /* a hole between two chunks */
            for (size_t i = 0; i < count; i++) {
                /* from nothing, over small ones, to large ones */
                struct blob *blob = blob_create(random_of(&state) % (random_of(&state) % 2 ? 40 : 9000));
                memset(blob_data(blob), (int)total, blob_bytes(blob));
                samples[total++] = (struct fmp4_sample){ .payload = { blob, blob_data(blob), blob_bytes(blob) },
                                                         .dts = dts,
                                                         .duration = 1 + (uint32_t)(random_of(&state) % 4000),
                                                         .composition_offset = (int32_t)(random_of(&state) % 9000) -
                                                                               3000,
                                                         .is_sync = random_of(&state) % 4 == 0 };
                dts += samples[total - 1].duration;
            }
            chunks[k] = fmp4_chunk_write((uint32_t)k + 1, samples + first, count, !k);
        }
        struct frozen *whole = frozen_join(chunks, chunk_count);
        struct fmp4_sample *read = NULL;
        size_t count = 0;
        assert_int_equal(fmp4_samples_read(whole, &read, &count), WEIR_OK);
        assert_int_equal(count, total);
        for (size_t i = 0; i < total; i++) {
            assert_int_equal(read[i].dts, samples[i].dts);
            assert_int_equal(read[i].duration, samples[i].duration);
            assert_int_equal(read[i].composition_offset, samples[i].composition_offset);
            assert_int_equal(read[i].is_sync, samples[i].is_sync);
            assert_int_equal(read[i].payload.bytes, samples[i].payload.bytes);
            if (read[i].payload.bytes)
                assert_memory_equal(read[i].payload.data, samples[i].payload.data, samples[i].payload.bytes);
            blob_unref(samples[i].payload.blob);
        }
        free(read);
        frozen_unref(whole);
        for (size_t k = 0; k < chunk_count; k++) frozen_unref(chunks[k]);
    }
}

static void what_is_no_segment(void **unused_state)
{
    struct blob *blob = blob_copy("\0\0\0\4\x65\x88\x84\x80", 8);
    const struct fmp4_sample sample = { .payload = { blob, blob_data(blob), 8 }, .dts = 900000, .duration = 3000 };
    struct frozen *good = fmp4_chunk_write(1, &sample, 1, true);
    const size_t bytes = frozen_bytes(good);
    uint8_t data[512];
    assert_int_equal(frozen_read(good, 0, data, sizeof data), bytes);
    for (size_t cut = 0; cut < bytes; cut++) {
        struct frozen *bad = frozen_copy(data, cut);
        struct fmp4_sample *read;
        size_t count;
        assert_int_equal(fmp4_samples_read(bad, &read, &count), WEIR_MALFORMED);
        frozen_unref(bad);
    }
    frozen_unref(good);
    blob_unref(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_written), cmocka_unit_test(what_is_no_segment) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
