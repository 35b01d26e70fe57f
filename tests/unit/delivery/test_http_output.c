/* What goes out is what was put in, in order, wherever the socket stops taking: heads, small bytes, slices of bodies in many pieces. */
#include "hex.h"

#include <delivery/http_output.h>
#include <stdlib.h>
#include <string.h>

#define TEXT "abcdefghijklmnopqrstuvwxyz"

static struct frozen *body_of_pieces(size_t piece_bytes)
{
    struct frozen *parts[sizeof TEXT];
    size_t count = 0;
    for (size_t at = 0; at < sizeof TEXT - 1; at += piece_bytes) {
        const size_t left = sizeof TEXT - 1 - at;
        parts[count++] = frozen_copy(&TEXT[at], left < piece_bytes ? left : piece_bytes);
    }
    struct frozen *whole = frozen_join(parts, count);
    for (size_t i = 0; i < count; i++) frozen_unref(parts[i]);
    return whole;
}

static void put(struct http_output *o, const char *head, size_t piece_bytes, size_t first, size_t bytes)
{
    struct body_cursor from = { .piece = 0 };
    struct frozen *body = body_of_pieces(piece_bytes);
    body_cursor_advance(&from, body, first);
    struct output_entry *e = output_entry_create(head, strlen(head), body, from, bytes);
    assert_non_null(e);
    output_put(o, e);
}

/* Takes `most` bytes at a time, of at most `room` pieces. */
static void drain(struct http_output *o, size_t most, int room, char *out)
{
    size_t used = 0;
    while (o->left_bytes) {
        struct iovec pieces[8];
        bool is_all = false;
        const size_t left = o->left_bytes;
        const int count = output_gather(o, pieces, room, &is_all);
        size_t sent = 0, offered = 0;
        assert_in_range(count, 1, room);
        for (int i = 0; i < count; i++) {
            size_t take = pieces[i].iov_len < most - sent ? pieces[i].iov_len : most - sent;
            memcpy(out + used, pieces[i].iov_base, take);
            used += take;
            sent += take;
            offered += pieces[i].iov_len;
        }
        assert_int_equal(is_all, offered == left);
        output_advance(o, sent);
        assert_int_equal(o->left_bytes, left - sent);
    }
    out[used] = 0;
}

static void every_way_to_be_cut(void **unused_state)
{
    for (size_t piece_bytes = 1; piece_bytes <= 26; piece_bytes++) {
        for (size_t most = 1; most <= 70; most += 1 + most / 8) {
            for (int room = 1; room <= 8; room += 3) {
                struct http_output o = { .first = NULL };
                char out[256];
                put(&o, "HEAD1 ", piece_bytes, 0, 26);
                assert_true(output_put_bytes(&o, "[small]", 7));
                assert_true(output_put_bytes(&o, "[more]", 6));
                put(&o, "", piece_bytes, 3, 5);
                put(&o, "HEAD2 ", piece_bytes, 25, 1);
                assert_int_equal(o.pinned_bytes, 3 * 26); /* a slice holds all of it */
                drain(&o, most, room, out);
                assert_string_equal(out, "HEAD1 " TEXT "[small][more]defghHEAD2 z");
                assert_int_equal(o.entries, 0);
                assert_int_equal(o.pinned_bytes, 0);
                output_deinit(&o);
            }
        }
    }
    (void)unused_state;
}

/* Small things that follow each other are gathered; what does not fit begins another entry. */
static void small_bytes_share_an_entry(void **unused_state)
{
    struct http_output o = { .first = NULL };
    char out[4096], frame[9] = "frame...";
    for (int i = 0; i < 100; i++) assert_true(output_put_bytes(&o, frame, 8));
    assert_in_range(o.entries, 2, 10);
    assert_int_equal(o.left_bytes, 800);
    char large[1000];
    memset(large, 'x', sizeof large);
    assert_true(output_put_bytes(&o, large, sizeof large));
    drain(&o, 77, 8, out);
    assert_int_equal(strlen(out), 1800);
    put(&o, "left behind", 4, 0, 26);
    output_deinit(&o);
    assert_int_equal(o.entries, 0);
    (void)unused_state;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_way_to_be_cut),
                                        cmocka_unit_test(small_bytes_share_an_entry) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
