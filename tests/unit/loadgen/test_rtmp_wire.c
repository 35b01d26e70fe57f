/* What a publisher writes over RTMP, and what it reads: bytes by hand, and each other's at every split. */
#include "hex.h"

#include <stdio.h>
#include <string.h>

#include "loadgen/rtmp_reader.h"
#include "loadgen/rtmp_writer.h"

static struct byte_span span(const void *data, size_t bytes)
{
    return (struct byte_span){ data, bytes };
}

static void headers_by_hand(void **unused_state)
{
    struct rtmp_writer w;
    struct byte_writer out;
    const uint8_t body[200] = { [0] = 0xAA, [127] = 0xBB, [128] = 0xCC };
    byte_writer_init(&out, 65536);
    rtmp_writer_init(&w, 1, false);
    rtmp_write_message(&w, &out, 4, RTMP_AUDIO, 1000, 1, span("\xAF\1", 2), span("\x21", 1));
    assert_bytes(out.data, out.bytes, "04 0003E8 000003 08 01000000 AF0121");
    byte_writer_clear(&out);
    rtmp_write_message(&w, &out, 4, RTMP_AUDIO, 1021, 1, span("\xAF\1", 2), span("\x22", 1)); /* a delta */
    assert_bytes(out.data, out.bytes, "44 000015 000003 08 AF0122");
    byte_writer_clear(&out);
    rtmp_write_message(&w, &out, 4, RTMP_AUDIO, 20, 1, span("\xAF\1", 2), span("\x23", 1)); /* back in time */
    assert_bytes(out.data, out.bytes, "04 000014 000003 08 01000000 AF0123");
    byte_writer_clear(&out);
    rtmp_write_message(&w, &out, 6, RTMP_VIDEO, 0x01020304, 1, span("\x17", 1), span(body, sizeof body));
    assert_bytes(out.data, 17, "06 FFFFFF 0000C9 09 01000000 01020304 17");
    assert_bytes(out.data + 16 + 128, 6, "C6 01020304 BB"); /* the second chunk repeats the extended time */
    assert_int_equal(out.bytes, 16 + 128 + 5 + 73);
    byte_writer_clear(&out);
    rtmp_write_message(&w, &out, 6, RTMP_VIDEO, 0x01020305, 1, span("\x27", 1), span(body, 200)); /* a delta has none */
    assert_bytes(out.data, 9, "46 000001 0000C9 09 27");
    assert_bytes(out.data + 8 + 128, 2, "C6 BB");
    byte_writer_deinit(&out);
    (void)unused_state;
}

static void absolute_times_where_they_are_asked_for(void **unused_state)
{
    struct rtmp_writer w;
    struct byte_writer out;
    byte_writer_init(&out, 65536);
    rtmp_writer_init(&w, 1, true);
    for (uint32_t ms = 0xFFFFFE; ms <= 0xFFFFFF; ms++) {
        byte_writer_clear(&out);
        rtmp_write_message(&w, &out, 4, RTMP_AUDIO, ms, 1, span("\xAF\1", 2), span("\x21", 1));
        assert_int_equal(out.data[0], 4);
        assert_int_equal(out.bytes, ms < 0xFFFFFF ? 12 + 3 : 16 + 3);
    }
    byte_writer_deinit(&out);
    (void)unused_state;
}

/* -- reading -- */

struct heard {
    uint32_t pings, last_ping;
    char codes[256];
};

static void on_ping(void *owner, uint32_t time)
{
    struct heard *h = owner;
    h->pings++;
    h->last_ping = time;
}

static void on_status(void *owner, const char *code)
{
    struct heard *h = owner;
    const size_t used = strlen(h->codes);
    snprintf(h->codes + used, sizeof h->codes - used, "%s;", code);
}

/* A server's: acknowledgements, a ping, a smaller and a larger chunk size, a long data message in two chunks, a status. */
static void write_conversation(struct byte_writer *out)
{
    const struct hex control = hex("02 000000 000004 03 00000000 00001000"
                                   "02 000000 000006 04 00000000 0006 01020304"
                                   "02 000000 000004 01 00000000 00000010");
    write_bytes(out, control.data, control.bytes);
    struct rtmp_writer w;
    rtmp_writer_init(&w, 1, true);
    w.chunk_bytes = 16;
    uint8_t filler[300] = { 0 };
    rtmp_write_message(&w, out, 7, RTMP_DATA, 0x1000000, 1, span(filler, sizeof filler), span(NULL, 0));
    static const char status[] =
        "\2\0\10onStatus\0\0\0\0\0\0\0\0\0\5\3\0\5level\2\0\5error\0\4code\2\0\26NetStream.Publish.Nope\0\0\11";
    rtmp_write_message(&w, out, 5, RTMP_COMMAND, 0, 1, span(status, sizeof status - 1), span(NULL, 0));
    rtmp_write_pong(&w, out, 9); /* no request: not told */
}

static void reads_what_matters_at_every_split(void **unused_state)
{
    struct byte_writer in;
    byte_writer_init(&in, 65536);
    write_conversation(&in);
    assert_false(in.failed);
    for (size_t cut = 0; cut <= in.bytes; cut++) {
        struct heard h = { 0 };
        struct rtmp_reader r;
        const struct rtmp_reader_sink sink = { &h, on_ping, on_status };
        rtmp_reader_init(&r, 128);
        assert_int_equal(rtmp_reader_feed(&r, in.data, cut, &sink), WEIR_OK);
        assert_int_equal(rtmp_reader_feed(&r, in.data + cut, in.bytes - cut, &sink), WEIR_OK);
        assert_int_equal(h.pings, 1);
        assert_int_equal(h.last_ping, 0x01020304);
        assert_string_equal(h.codes, "NetStream.Publish.Nope;");
    }
    byte_writer_deinit(&in);
    (void)unused_state;
}

static void nonsense_is_told(void **unused_state)
{
    static const char *const cases[] = {
        "C3",                                         /* goes on with what never began */
        "43 000000 000004 03 00 43 000000 000004 03", /* begins in the middle of another */
        "02 000000 000004 01 00000000 00000000",      /* chunks of no bytes */
        "00 40 000000 000004 03 00000000",            /* 64 channels and more */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct heard h = { 0 };
        struct rtmp_reader r;
        const struct rtmp_reader_sink sink = { &h, on_ping, on_status };
        const struct hex in = hex(cases[i]);
        rtmp_reader_init(&r, 1);
        if (i == 2) r.chunk_bytes = 128;
        assert_int_equal(rtmp_reader_feed(&r, in.data, in.bytes, &sink), WEIR_MALFORMED);
    }
    (void)unused_state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_by_hand),
        cmocka_unit_test(absolute_times_where_they_are_asked_for),
        cmocka_unit_test(reads_what_matters_at_every_split),
        cmocka_unit_test(nonsense_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
