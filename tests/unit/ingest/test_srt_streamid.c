#include "hex.h"

#include <stdio.h>
#include <string.h>
#include <weir/ingest/srt_streamid.h>

#define UNTOUCHED "untouched"

static const struct srt_streamid_rules strict = { .stream = "", .default_mode = SRT_MODE_REQUEST };
static const struct srt_streamid_rules kind = { .stream = "live/field", .default_mode = SRT_MODE_PUBLISH };

static const struct {
    const char *what, *id, *name, *key;
} accepted[] = {
    { "the standard", "#!::r=live/cam,m=publish", "live/cam", "" },
    { "in any order, with all that it knows", "#!::m=publish,t=stream,h=example.org,u=me,r=live/cam,s=K1", "live/cam",
      "K1" },
    { "one word is of the default app", "#!::r=cam,m=publish", "live/cam", "" },
    { "a key of its own name", "#!::r=live/cam,m=publish,key=K2", "live/cam", "K2" },
    { "that wins over s", "#!::r=live/cam,m=publish,s=one-time,token=K3", "live/cam", "K3" },
    { "= stays in values", "#!::r=live/cam,m=publish,key=a=b==", "live/cam", "a=b==" },
    { "empty pairs are passed over", "#!::,r=live/cam,,m=publish,", "live/cam", "" },
    { "custom keys are passed over", "#!::r=live/cam,m=publish,acme_tag=x,weir=y", "live/cam", "" },
    { "mode in capitals", "#!::r=live/cam,m=PUBLISH", "live/cam", "" },
    { "SRS: host, and a secret beside", "#!::h=srs.example.org,r=live/livestream,secret=K4,m=publish",
      "live/livestream", "K4" },
    { "SRS: a query behind r", "#!::r=live/livestream?key=K5,m=publish", "live/livestream", "K5" },
    { "SRS: a query that goes on in pairs", "#!::r=live/livestream?a=b,token=K6,m=publish", "live/livestream", "K6" },
    { "SRS: all in h", "#!::h=srs.example.org/live/cam,m=publish", "live/cam", "" },
    { "SRS: all in h without a host", "#!::h=live/cam,m=publish", "live/cam", "" },
    { "SRS: h with a port", "#!::h=srs:1935/live/cam,m=publish", "live/cam", "" },
    { "ZLMediaKit", "#!::h=zlmediakit.com,r=live/test,m=publish", "live/test", "" },
    { "a slash in front", "#!::r=/live/cam,m=publish", "live/cam", "" },
    { "one colon", "#!:m=publish,r=live/cam,token=K7", "live/cam", "K7" },
    { "escaped as a whole, decoded once", "%23!::r=live%2Fcam%2520b,m=publish", "live/cam%20b", "" },
    { "escaped as a whole, capitals or not", "%23!%3a%3Ar%3Dcam%2Cm%3Dpublish%2Ckey%3DK%252F8", "live/cam", "K%2F8" },
    { "escapes in a plain form are of the name", "#!::r=live/a%20b,m=publish", "live/a b", "" },
    { "MediaMTX", "publish:live/cam", "live/cam", "" },
    { "MediaMTX with user and password", "publish:live/cam:me:K9", "live/cam", "K9" },
    { "MediaMTX with a query", "publish:live/cam:me:K9:key=other&x=y", "live/cam", "K9" },
    { "MediaMTX with a query alone", "publish:live/cam:::key=K10", "live/cam", "K10" },
    { "datarhei", "cam,mode:publish,token:K11", "live/cam", "K11" },
    { "datarhei in the other order", "cam,token:K11,mode:publish", "live/cam", "K11" },
    { "OvenMediaEngine", "srt%3A%2F%2Fhost%3A9999%2Flive%2Fcam%3Fkey%3DK12", "live/cam", "K12" },
    { "OvenMediaEngine, decoded by the tool", "srt://host:9999/live/cam", "live/cam", "" },
    { "a plain name", "live/cam", "live/cam", "" },
    { "a plain word", "cam", "live/cam", "" },
    { "a plain name with a query", "live/cam?key=K13", "live/cam", "K13" },
    { "a comma is a character", "live/one,two", "live/one,two", "" },
    { "unicode", "#!::r=live/\xC3\xA9t\xC3\xA9,m=publish", "live/\xC3\xA9t\xC3\xA9", "" },
    { "format specifiers are text", "live/%s%n", "live/%s%n", "" },
};

static void every_dialect_gives_name_and_key(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
        struct publish_request r = { .name = UNTOUCHED, .peer = "1.2.3.4:5" };
        const char *why = "";
        print_message("%s\n", accepted[i].what);
        assert_int_equal(srt_streamid_parse(accepted[i].id, &strict, &r, &why), SRT_ACCEPT);
        assert_string_equal(r.name, accepted[i].name);
        assert_string_equal(r.key, accepted[i].key);
        assert_string_equal(r.peer, "1.2.3.4:5");
    }
}

static const struct {
    const char *what, *id;
    enum srt_reject code;
} refused[] = {
    { "nothing", "", SRT_REJECT_BAD_REQUEST },
    { "the nested form", "#!:{r=live/cam}", SRT_REJECT_BAD_REQUEST },
    { "almost the standard's form", "#!r=live/cam", SRT_REJECT_BAD_REQUEST },
    { "no pair", "#!::live/cam", SRT_REJECT_BAD_REQUEST },
    { "a pair without a key", "#!::=live/cam", SRT_REJECT_BAD_REQUEST },
    { "no r", "#!::m=publish,u=me", SRT_REJECT_BAD_REQUEST },
    { "an empty r", "#!::r=,m=publish", SRT_REJECT_BAD_REQUEST },
    { "r twice", "#!::r=live/a,r=live/b,m=publish", SRT_REJECT_BAD_REQUEST },
    { "two keys", "#!::r=live/a,m=publish,key=x,token=y", SRT_REJECT_BAD_REQUEST },
    { "no mode", "#!::r=live/cam", SRT_REJECT_BAD_MODE },
    { "to read", "#!::r=live/cam,m=request", SRT_REJECT_BAD_MODE },
    { "both ways", "#!::r=live/cam,m=bidirectional", SRT_REJECT_BAD_MODE },
    { "a mode of its own", "#!::r=live/cam,m=play", SRT_REJECT_BAD_MODE },
    { "a file", "#!::r=live/cam,m=publish,t=file", SRT_REJECT_MEDIA_TYPE },
    { "authentication alone", "#!::r=live/cam,m=publish,t=auth", SRT_REJECT_UNIMPLEMENTED },
    { "MediaMTX reading", "read:live/cam", SRT_REJECT_BAD_MODE },
    { "MediaMTX reading with a password", "read:live/cam:me:secret", SRT_REJECT_BAD_MODE },
    { "MediaMTX with half of its credentials", "publish:live/cam:me", SRT_REJECT_BAD_REQUEST },
    { "MediaMTX without a path", "publish:", SRT_REJECT_BAD_REQUEST },
    { "datarhei without a mode", "cam,token:x", SRT_REJECT_BAD_MODE },
    { "datarhei reading", "cam,mode:request", SRT_REJECT_BAD_MODE },
    { "datarhei, broken", "cam,mode:publish,x", SRT_REJECT_BAD_REQUEST },
    { "a URL without a path", "srt://host:9999", SRT_REJECT_BAD_REQUEST },
    { "dot dot", "#!::r=../etc/passwd,m=publish", SRT_REJECT_BAD_REQUEST },
    { "dot dot, escaped", "%23!::r=%2e%2e%2Fx,m=publish", SRT_REJECT_BAD_REQUEST },
    { "an escaped zero", "%23!::r=live/a%00b,m=publish", SRT_REJECT_BAD_REQUEST },
    { "a newline", "live/a\nb", SRT_REJECT_BAD_REQUEST },
    { "not UTF-8", "live/\xFF\xFE", SRT_REJECT_BAD_REQUEST },
    { "the server's own pages", "metrics/x", SRT_REJECT_BAD_REQUEST },
};

static void others_are_refused_with_code_and_reason(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct publish_request r = { .name = UNTOUCHED, .key = UNTOUCHED };
        const char *why = NULL;
        print_message("%s\n", refused[i].what);
        assert_int_equal(srt_streamid_parse(refused[i].id, &strict, &r, &why), refused[i].code);
        assert_non_null(why);
        assert_string_equal(r.name, UNTOUCHED);
        assert_string_equal(r.key, UNTOUCHED);
        assert_string_not_equal(srt_reject_name(refused[i].code), "unknown");
    }
}

static void every_verdict_has_a_code(void **unused_state)
{
    assert_int_equal(srt_reject_for(PUBLISH_ALLOWED), SRT_ACCEPT);
    for (int v = PUBLISH_ALLOWED + 1; v <= PUBLISH_FAILED; v++)
        assert_in_range(srt_reject_for((enum publish_verdict)v), 1400, 1599);
    assert_int_equal(srt_reject_for(PUBLISH_BUSY), SRT_REJECT_CONFLICT);
}

static const struct {
    const char *what, *id, *name;
} by_port[] = {
    { "nothing: the port's own stream", "", "live/field" },
    { "a key and no name", "#!::s=K,m=publish", "live/field" },
    { "no mode: as the port says", "#!::r=live/cam", "live/cam" },
    { "datarhei without a mode", "cam,token:x", "live/cam" },
};

static void a_port_may_have_a_stream_and_a_mode_of_its_own(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(by_port); i++) {
        struct publish_request r = { .name = UNTOUCHED };
        const char *why = "";
        print_message("%s\n", by_port[i].what);
        assert_int_equal(srt_streamid_parse(by_port[i].id, &kind, &r, &why), SRT_ACCEPT);
        assert_string_equal(r.name, by_port[i].name);
    }
    struct publish_request r = { .name = UNTOUCHED };
    const char *why = "";
    const struct srt_streamid_rules odd = { .stream = "live/a%20b", .default_mode = SRT_MODE_PUBLISH };
    assert_int_equal(srt_streamid_parse("", &odd, &r, &why), SRT_ACCEPT);
    assert_string_equal(r.name, "live/a%20b");
    assert_int_equal(srt_streamid_parse("#!::r=live/cam,m=request", &kind, &r, &why), SRT_REJECT_BAD_MODE);
}

static void lengths_around_the_limit(void **unused_state)
{
    static const size_t lengths[] = { 1, 186, 187, 188, 255, 256, 257, 511, 512, 513, 4096, 65535 };
    static char id[65536];
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct publish_request r = { .name = UNTOUCHED };
        const char *why = "";
        memset(id, 'n', lengths[i]);
        id[lengths[i]] = 0;
        const enum srt_reject code = srt_streamid_parse(id, &strict, &r, &why);
        assert_int_equal(code, lengths[i] + 5 <= STREAM_NAME_BYTES_MAX ? SRT_ACCEPT : SRT_REJECT_BAD_REQUEST);
        memcpy(id, "#!::r=live/cam,m=publish,s=", lengths[i] < 27 ? lengths[i] : 27);
        const enum srt_reject with_key = srt_streamid_parse(id, &strict, &r, &why);
        if (lengths[i] > SRT_STREAMID_BYTES_MAX)
            assert_int_equal(with_key, SRT_REJECT_BAD_REQUEST);
        else if (lengths[i] > 27 + RTMP_NAME_BYTES_MAX)
            assert_int_equal(with_key, SRT_REJECT_UNAUTHORIZED);
        else if (lengths[i] > 27)
            assert_int_equal(strlen(r.key), lengths[i] - 27);
    }
    /* every escape is three bytes of input and one of output: the longest id that decodes to signs that are escaped again */
    struct publish_request r = { .name = UNTOUCHED };
    const char *why = "";
    memcpy(id, "%23!::m=publish,r=", 18);
    for (size_t at = 18; at + 3 <= SRT_STREAMID_BYTES_MAX; at += 3) memcpy(id + at, "%25", 4);
    assert_int_equal(srt_streamid_parse(id, &strict, &r, &why), SRT_ACCEPT);
    assert_int_equal(strlen(r.name), 5 + (SRT_STREAMID_BYTES_MAX - 18) / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dialect_gives_name_and_key),
        cmocka_unit_test(others_are_refused_with_code_and_reason),
        cmocka_unit_test(a_port_may_have_a_stream_and_a_mode_of_its_own),
        cmocka_unit_test(every_verdict_has_a_code),
        cmocka_unit_test(lengths_around_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
