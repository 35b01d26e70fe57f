/* Entity tags and compressed forms of playlists: one for each state, never the same for two of them, also of two processes. */
#include "hex.h"

#include <delivery/edge_answer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define TEXT_BYTES 3000

static struct frozen *playlist(char letter)
{
    char text[TEXT_BYTES];
    memset(text, letter, sizeof text);
    return frozen_copy(text, sizeof text);
}

static struct edge_snapshot *snapshot(char letter)
{
    struct frozen *text = playlist(letter), *delta = playlist((char)(letter + 1));
    const struct edge_snapshot_config config = { .media = EDGE_VIDEO_MP4,
                                                 .playlist = text,
                                                 .delta = delta,
                                                 .last_msn = 7,
                                                 .target_duration_s = 3,
                                                 .part_target_us = 500000 };
    struct edge_snapshot *s = edge_snapshot_create(&config);
    frozen_unref(text);
    frozen_unref(delta);
    assert_non_null(s);
    return s;
}

static void ask(struct gzip_cache *gzip, const struct edge_snapshot *s, bool accepts_gzip, bool wants_delta,
                struct http_answer *out)
{
    const struct edge_question q = { .rendition = "video",
                                     .rendition_bytes = 5,
                                     .directives = { .wish = HLS_WISH_NOTHING, .wants_delta = wants_delta },
                                     .accepts_gzip = accepts_gzip };
    *out = (struct http_answer){ .status = 0 };
    assert_true(edge_answer(gzip, &q, s, false, false, out));
    assert_int_equal(out->status, 200);
}

/* Caches and players ask a restarted server about what the one before it told them. */
static void a_tag_is_of_one_state_of_one_process(void **unused_state)
{
    static struct gzip_cache gzip;
    char tags[64][ETAG_BYTES];
    size_t count = 0;
    for (int process = 0; process < 2; process++) {
        live_edge_begin_versions(1790000000000000u +
                                 (uint64_t)process * 200000); /* started a fifth of a second later */
        for (int i = 0; i < 8; i++) {
            struct edge_snapshot *s = snapshot('a'); /* the same text each time */
            for (int form = 0; form < 4; form++) {
                struct http_answer answer, again;
                ask(&gzip, s, form & 1, form & 2, &answer);
                ask(&gzip, s, form & 1, form & 2, &again);
                assert_string_equal(answer.etag, again.etag);
                assert_ptr_equal(answer.body, again.body); /* compressed once */
                assert_int_equal(answer.is_gzip, form & 1);
                memcpy(tags[count++], answer.etag, ETAG_BYTES);
                frozen_unref(answer.body);
                frozen_unref(again.body);
            }
            edge_snapshot_unref(s);
        }
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(tags[i][0] == '"' && strlen(tags[i]) > 3 && tags[i][strlen(tags[i]) - 1] == '"');
        for (size_t k = 0; k < i; k++) assert_string_not_equal(tags[i], tags[k]);
    }
    gzip_cache_deinit(&gzip);
    (void)unused_state;
}

static void expect_text(const struct frozen *packed, char letter)
{
    uint8_t in[TEXT_BYTES], out[TEXT_BYTES + 1];
    z_stream z = { .next_in = in, .next_out = out, .avail_out = sizeof out };
    z.avail_in = (uInt)frozen_read(packed, 0, in, sizeof in);
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, TEXT_BYTES);
    for (size_t i = 0; i < TEXT_BYTES; i++) assert_int_equal(out[i], letter);
    inflateEnd(&z);
}

/* A slot that another state takes is made anew; who has a body keeps it. */
static void slots_are_shared_and_bodies_kept(void **unused_state)
{
    static struct gzip_cache cache;
    struct frozen *a = playlist('a'), *b = playlist('b');
    struct frozen *first = gzip_cache_get(&cache, 5, a), *same = gzip_cache_get(&cache, 5, a);
    assert_ptr_equal(first, same);
    struct frozen *other = gzip_cache_get(&cache, 5 + GZIP_CACHE_SLOTS, b);
    struct frozen *anew = gzip_cache_get(&cache, 5, a);
    assert_ptr_not_equal(anew, first);
    expect_text(first, 'a');
    expect_text(other, 'b');
    expect_text(anew, 'a');
    assert_true(frozen_bytes(first) < TEXT_BYTES / 20);
    frozen_unref(first);
    frozen_unref(same);
    frozen_unref(other);
    gzip_cache_deinit(&cache);
    expect_text(anew, 'a');
    frozen_unref(anew);
    frozen_unref(a);
    frozen_unref(b);
    (void)unused_state;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_tag_is_of_one_state_of_one_process),
                                        cmocka_unit_test(slots_are_shared_and_bodies_kept) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
