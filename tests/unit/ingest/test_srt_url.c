#include "hex.h"

#include <stdio.h>
#include <string.h>
#include <weir/ingest/srt_url.h>

static enum weir_err parse(const char *text, struct srt_url *url)
{
    const char *why = "";
    const enum weir_err err = srt_url_parse(text, url, &why);
    if (err) print_message("%s: %s\n", text, why);
    if (err) assert_true(strlen(why) > 10);
    return err;
}

static void all_that_a_url_can_say(void **unused_state)
{
    struct srt_url u;
    assert_int_equal(parse("srt://"
                           "enc.example.org:9000?streamid=%23!::r=live%2Fcam,m=request&passphrase=ten+letters%21&"
                           "pbkeylen=24&latency=1s"
                           "&connect_timeout=5000&packetfilter=fec,cols:10,rows:5&mode=caller&transtype=live",
                           &u),
                     WEIR_OK);
    assert_string_equal(u.host, "enc.example.org");
    assert_int_equal(u.port, 9000);
    assert_string_equal(u.streamid, "#!::r=live/cam,m=request");
    assert_string_equal(u.options.passphrase, "ten+letters!");
    assert_string_equal(u.options.filter, "fec,cols:10,rows:5");
    assert_true(u.options.key_bytes == 24 && u.options.latency_us == 1000000 && u.connect_us == 5000000);
    assert_int_equal(u.options.idle_us, SRT_UNSAID);
}

static const struct {
    const char *text, *host;
    uint16_t port;
    int64_t latency_us;
} plain[] = {
    { "srt://127.0.0.1:1", "127.0.0.1", 1, SRT_UNSAID },
    { "SRT://h:65535/", "h", 65535, SRT_UNSAID },
    { "srt://[::1]:9000?latency=120", "::1", 9000, 120000 },
    { "srt://[fe80::1]:9000?&latency=120ms&", "fe80::1", 9000, 120000 },
    { "srt://h:1?latency=0", "h", 1, 0 },
    { "srt://h:1?latency=60s", "h", 1, 60000000 },
};

static void hosts_ports_and_times(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        struct srt_url u;
        assert_int_equal(parse(plain[i].text, &u), WEIR_OK);
        assert_string_equal(u.host, plain[i].host);
        assert_int_equal(u.port, plain[i].port);
        assert_true(u.options.latency_us == plain[i].latency_us);
    }
}

static const char *const wrong[] = {
    "",
    "srt:/",
    "srt://",
    "srt://h",
    "srt://:1",
    "srt://h:0",
    "srt://h:65536",
    "srt://h:1x",
    "http://h:1",
    "srt://user@h:1",
    "srt://::1:9000",
    "srt://[::1]",
    "srt://h:1/path",
    "srt://h/x:1",
    "srt://h\n:1",
    "srt://h:1?latency",
    "srt://h:1?latency=500000",
    "srt://h:1?latency=2m",
    "srt://h:1?latency=-1",
    "srt://h:1?latency=99999999999999999999s",
    "srt://h:1?passphrase=short",
    "srt://h:1?pbkeylen=17",
    "srt://h:1?pbkeylen=16x",
    "srt://h:1?mode=listener",
    "srt://h:1?transtype=file",
    "srt://h:1?streamid=a%00b",
    "srt://h:1?connect_timeout=0",
    "srt://h:1?what=ever",
};

static void others_are_refused_and_nothing_is_written(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct srt_url u = { .host = "untouched" };
        assert_int_equal(parse(wrong[i], &u), WEIR_CONFIG);
        assert_string_equal(u.host, "untouched");
    }
}

static void lengths(void **unused_state)
{
    static const size_t bytes[] = { 511, 512, 513, 900, 2000 };
    for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
        static char text[4096];
        struct srt_url u;
        const int used = snprintf(text, sizeof text, "srt://h:1?streamid=");
        memset(text + used, 'n', bytes[i]);
        text[(size_t)used + bytes[i]] = 0;
        assert_int_equal(parse(text, &u), bytes[i] <= SRT_STREAMID_BYTES_MAX ? WEIR_OK : WEIR_CONFIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_a_url_can_say),
        cmocka_unit_test(hosts_ports_and_times),
        cmocka_unit_test(others_are_refused_and_nothing_is_written),
        cmocka_unit_test(lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
