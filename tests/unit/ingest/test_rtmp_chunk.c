#include "hex.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/ingest/rtmp_chunk.h>

#define MESSAGES_MAX 16

struct result {
    enum weir_err err;
    const char *why;
    size_t count;
    struct {
        uint8_t type;
        uint32_t timestamp_ms, stream_id;
        size_t bytes;
        uint8_t first, last;
    } messages[MESSAGES_MAX];
};

static struct counters run_counters;

/* Feeds the input in two pieces, or byte by byte with cut 0. */
static struct result run(const uint8_t *data, size_t bytes, uint32_t chunk_bytes, size_t cut)
{
    struct result out = { .err = WEIR_OK };
    struct rtmp_chunk_reader *r = rtmp_chunk_reader_create(&run_counters);
    assert_int_equal(rtmp_chunk_set_size(r, chunk_bytes), WEIR_OK);
    size_t at = 0;
    bool has_message = true;
    while ((at < bytes || has_message) && !out.err) {
        const size_t end = at == bytes ? bytes : !cut ? at + 1 : at < cut ? cut : bytes;
        struct rtmp_message m;
        size_t used;
        out.err = rtmp_chunk_feed(r, data + at, end - at, &used, &m, &has_message, &out.why);
        if (out.err) break;
        assert_true(used > 0 || has_message || at == bytes);
        at += used;
        if (!has_message) continue;
        assert_true(out.count < MESSAGES_MAX);
        out.messages[out.count].type = m.type;
        out.messages[out.count].timestamp_ms = m.timestamp_ms;
        out.messages[out.count].stream_id = m.stream_id;
        out.messages[out.count].bytes = blob_bytes(m.body);
        out.messages[out.count].first = blob_bytes(m.body) ? blob_data(m.body)[0] : 0;
        out.messages[out.count++].last = blob_bytes(m.body) ? blob_data(m.body)[blob_bytes(m.body) - 1] : 0;
        blob_unref(m.body);
    }
    rtmp_chunk_reader_destroy(r);
    return out;
}

static const struct {
    const char *what, *in_hex;
    uint32_t chunk_bytes;
    size_t count;
    uint32_t times[3];
    size_t sizes[3];
} good[] = {
    { "fmt 0", "03 000010 000004 09 01000000 AABBCCDD", 128, 1, { 16 }, { 4 } },
    { "csid 64 takes two bytes", "00 00 000000 000001 08 01000000 AA", 128, 1, { 0 }, { 1 } },
    { "csid 65599 takes three", "01 FFFF 000000 000001 08 01000000 AA", 128, 1, { 0 }, { 1 } },
    { "one chunk stream by its two-byte and its three-byte id",
      "00 00 000005 000002 08 01000000 AA C1 0000 BB",
      1,
      1,
      { 5 },
      { 2 } },
    { "the largest id of two bytes and the one behind it are two",
      "00 FF 000005 000002 08 01000000 AA 01 0001 000007 000001 08 01000000 CC C0 FF BB",
      1,
      2,
      { 7, 5 },
      { 1, 2 } },
    { "fmt 0 and the same length in mid-message goes on with it",
      "04 000005 000002 08 01000000 AA 04 000009 000002 08 01000000 BB",
      1,
      1,
      { 5 },
      { 2 } },
    { "the largest chunk size there is", "04 000001 000003 08 01000000 AABBCC", 0xFFFFFF, 1, { 1 }, { 3 } },
    { "fmt 1 on a fresh chunk stream", "44 000005 000001 08 AA", 128, 1, { 5 }, { 1 } },
    { "fmt 1 adds its delta, keeps the stream",
      "04 000064 000001 08 01000000 AA 44 00000A 000002 08 BBCC",
      128,
      2,
      { 100, 110 },
      { 1, 2 } },
    { "fmt 2 keeps length and type", "04 000064 000001 08 01000000 AA 84 00000A BB", 128, 2, { 100, 110 }, { 1, 1 } },
    { "fmt 3 repeats the delta",
      "04 000064 000001 08 01000000 AA 84 00000A BB C4 CC",
      128,
      3,
      { 100, 110, 120 },
      { 1, 1, 1 } },
    { "fmt 3 behind fmt 0: the timestamp is the delta",
      "04 000064 000001 08 01000000 AA C4 BB",
      128,
      2,
      { 100, 200 },
      { 1, 1 } },
    { "chunks of one byte", "04 000001 000003 08 01000000 AA C4 BB C4 CC", 1, 1, { 1 }, { 3 } },
    { "interleaved",
      "05 000001 000004 09 01000000 0102 06 000002 000002 08 01000000 AABB C5 0304",
      2,
      2,
      { 2, 1 },
      { 2, 4 } },
    { "extended timestamp", "05 FFFFFF 000002 09 01000000 01000000 AABB", 128, 1, { 0x1000000 }, { 2 } },
    { "extended, repeated on fmt 3",
      "05 FFFFFF 000004 09 01000000 01000000 0102 C5 01000000 0304",
      2,
      1,
      { 0x1000000 },
      { 4 } },
    { "extended, not repeated on fmt 3",
      "05 FFFFFF 000008 09 01000000 01000000 01020304 C5 05060708",
      4,
      1,
      { 0x1000000 },
      { 8 } },
    { "extended delta", "05 000001 000001 09 01000000 AA 85 FFFFFF 02000000 BB", 128, 2, { 1, 0x2000001 }, { 1, 1 } },
    { "a message of no bytes",
      "04 000007 000000 08 01000000 04 000008 000001 08 01000000 AA",
      128,
      2,
      { 7, 8 },
      { 0, 1 } },
    { "extended: a new message by fmt 3 repeats the field",
      "05 FFFFFF 000002 09 01000000 01000000 01 C5 01000000 02 C5 01000000 03 C5 01000000 04",
      1,
      2,
      { 0x1000000, 0x2000000 },
      { 2, 2 } },
    { "extended: a new message by fmt 3 leaves it out",
      "05 FFFFFF 000002 09 01000000 01000000 01 C5 02 C5 03 C5 0405",
      1,
      2,
      { 0x1000000, 0x2000000 },
      { 2, 2 } },
    { "time wraps", "04 FFFFFF 000001 08 01000000 FFFFFFFE AA 84 000005 BB", 128, 2, { 0xFFFFFFFE, 3 }, { 1, 1 } },
};

static void every_form_at_every_split(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        const struct hex in = hex(good[i].in_hex);
        print_message("%s\n", good[i].what);
        for (size_t cut = 0; cut <= in.bytes; cut++) {
            const struct result r = run(in.data, in.bytes, good[i].chunk_bytes, cut);
            assert_int_equal(r.err, WEIR_OK);
            assert_int_equal(r.count, good[i].count);
            for (size_t k = 0; k < r.count; k++) {
                assert_true(r.messages[k].timestamp_ms == good[i].times[k]);
                assert_int_equal(r.messages[k].bytes, good[i].sizes[k]);
            }
        }
    }
}

static const struct {
    const char *what, *in_hex;
    enum weir_err err;
} bad[] = {
    { "fmt 2 on a fresh chunk stream", "84 000005 AA", WEIR_MALFORMED },
    { "fmt 3 on a fresh chunk stream", "C4 AA", WEIR_MALFORMED },
    { "the length changes in mid-message", "04 000000 000100 08 01000000 AABB 04 000000 000200 08 01000000 AA",
      WEIR_MALFORMED },
    { "a longer second header (librtmp's heap overflow)", "04 000000 000081 08 01000000", WEIR_OK },
    { "a video message over the limit", "04 000000 FFFFFF 09 01000000", WEIR_LIMIT },
    { "a command over the limit", "03 000000 020000 14 00000000", WEIR_LIMIT },
    { "an unknown type over the limit", "03 000000 020000 63 00000000", WEIR_LIMIT },
};

static void what_is_refused(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct hex in = hex(bad[i].in_hex);
        print_message("%s\n", bad[i].what);
        const uint64_t before = counter_read(&run_counters, COUNTER_RTMP_LIMIT_MESSAGE);
        const struct result r = run(in.data, in.bytes, 2, 0);
        assert_int_equal(r.err, bad[i].err);
        assert_int_equal(counter_read(&run_counters, COUNTER_RTMP_LIMIT_MESSAGE) - before, bad[i].err == WEIR_LIMIT);
        if (r.err) assert_true(strlen(r.why) > 10);
    }
}

static void chunk_sizes(void **unused_state)
{
    static const struct {
        uint32_t bytes;
        bool is_right;
    } sizes[] = { { 0, false },      { 1, true },          { 128, true },         { 0xFFFFFF, true },
                  { 1 << 24, true }, { 0x7FFFFFFF, true }, { 0x80000000, false }, { 0xFFFFFFFF, false } };
    struct counters counters = { 0 };
    struct rtmp_chunk_reader *r = rtmp_chunk_reader_create(&counters);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        assert_int_equal(rtmp_chunk_set_size(r, sizes[i].bytes) == WEIR_OK, sizes[i].is_right);
    assert_int_equal(rtmp_chunk_held_bytes(r), 0);
    rtmp_chunk_reader_destroy(r);
}

static void abort_drops_what_was_received(void **unused_state)
{
    struct counters counters = { 0 };
    struct rtmp_chunk_reader *r = rtmp_chunk_reader_create(&counters);
    struct hex in = hex("04 000000 000100 08 01000000 AABBCC");
    struct rtmp_message m;
    bool has_message;
    size_t used;
    const char *why;
    assert_int_equal(rtmp_chunk_feed(r, in.data, in.bytes, &used, &m, &has_message, &why), WEIR_OK);
    assert_true(rtmp_chunk_held_bytes(r) > 0);
    rtmp_chunk_abort(r, 4);
    rtmp_chunk_abort(r, 99); /* nobody: nothing happens */
    assert_int_equal(rtmp_chunk_held_bytes(r), 0);
    in = hex("04 000009 000001 08 01000000 DD");
    assert_int_equal(rtmp_chunk_feed(r, in.data, in.bytes, &used, &m, &has_message, &why), WEIR_OK);
    assert_true(has_message && m.timestamp_ms == 9 && blob_data(m.body)[0] == 0xDD);
    blob_unref(m.body);
    rtmp_chunk_reader_destroy(r);
}

/* nginx-rtmp, Red5, librtmp: the declared size was allocated before any byte of it came. */
static void claims_cost_nothing_and_chunk_streams_are_counted(void **unused_state)
{
    struct counters counters = { 0 };
    struct rtmp_chunk_reader *r = rtmp_chunk_reader_create(&counters);
    enum weir_err err = WEIR_OK;
    unsigned csid;
    for (csid = 64; csid < 65600 && !err; csid++) {
        const uint8_t head[] = {
            1,   (uint8_t)(csid - 64), (uint8_t)((csid - 64) >> 8), 0, 0, 0, 0x6F, 0xFF, 0xFF, RTMP_VIDEO, 1, 0, 0, 0,
            0xAA
        };
        struct rtmp_message m;
        bool has_message;
        size_t used;
        const char *why;
        err = rtmp_chunk_feed(r, head, sizeof head, &used, &m, &has_message, &why);
        assert_true(rtmp_chunk_held_bytes(r) <= RTMP_ASSEMBLY_BYTES_MAX);
        /* the next chunk stream needs a whole chunk first */
        static const uint8_t filling[127];
        if (!err) err = rtmp_chunk_feed(r, filling, sizeof filling, &used, &m, &has_message, &why);
    }
    assert_int_equal(err, WEIR_LIMIT);
    assert_int_equal(csid - 64 - 1, RTMP_CHUNK_STREAMS_MAX);
    assert_int_equal(counter_read(&counters, COUNTER_RTMP_LIMIT_CHUNK_STREAMS), 1);
    rtmp_chunk_reader_destroy(r);
}

/* A few chunk streams, each within what a message may be, are too much together. */
static void half_received_messages_have_a_ceiling(void **unused_state)
{
    static uint8_t filling[0x10000];
    struct counters counters = { 0 };
    struct rtmp_chunk_reader *r = rtmp_chunk_reader_create(&counters);
    assert_int_equal(rtmp_chunk_set_size(r, sizeof filling), WEIR_OK);
    enum weir_err err = WEIR_OK;
    const char *why = "";
    size_t peak = 0;
    for (unsigned turn = 0; turn < 100 && !err; turn++) {
        for (uint8_t csid = 4; csid < 8 && !err; csid++) {
            const uint8_t first[] = { csid, 0, 0, 0, 0x60, 0, 0, RTMP_VIDEO, 1, 0, 0, 0 },
                          next[] = { (uint8_t)(0xC0 | csid) };
            struct rtmp_message m;
            bool has_message;
            size_t used;
            err = turn ? rtmp_chunk_feed(r, next, sizeof next, &used, &m, &has_message, &why)
                       : rtmp_chunk_feed(r, first, sizeof first, &used, &m, &has_message, &why);
            if (!err) err = rtmp_chunk_feed(r, filling, sizeof filling, &used, &m, &has_message, &why);
            if (rtmp_chunk_held_bytes(r) > peak) peak = rtmp_chunk_held_bytes(r);
        }
    }
    assert_int_equal(err, WEIR_LIMIT);
    assert_non_null(strstr(why, "half-received"));
    assert_true(peak <= RTMP_ASSEMBLY_BYTES_MAX);
    assert_int_equal(counter_read(&counters, COUNTER_RTMP_LIMIT_ASSEMBLY), 1);
    rtmp_chunk_reader_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_at_every_split),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(chunk_sizes),
        cmocka_unit_test(abort_drops_what_was_received),
        cmocka_unit_test(claims_cost_nothing_and_chunk_streams_are_counted),
        cmocka_unit_test(half_received_messages_have_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
