#include "hex.h"

#include <stdio.h>
#include <string.h>
#include <weir/stream/publish_gate.h>

static const struct {
    const char *what, *app, *name, *stream, *key;
} splits[] = {
    { "OBS: server and key", "live", "studio", "live/studio", "" },
    { "everything in the server half", "live/studio", "", "live/studio", "" },
    { "key with a query", "live", "studio?key=S3CRET", "live/studio", "S3CRET" },
    { "query on the server half", "live?key=S3CRET", "studio", "live/studio", "S3CRET" },
    { "everything in the server half, with a query", "live/studio?key=S3CRET", "", "live/studio", "S3CRET" },
    { "the key half wins", "live?key=a", "studio?key=b", "live/studio", "b" },
    { "token is a key too", "live", "studio?user=x&token=T", "live/studio", "T" },
    { "stray slashes", "/live/", "/studio/", "live/studio", "" },
    { "deep names", "live/room1", "cam/2", "live/room1/cam/2", "" },
    { "one word is a stream of the default app", "studio", "", "live/studio", "" },
    { "escapes are decoded once", "live", "a%20b%2525", "live/a b%25", "" },
    { "an escape that is none stays", "live", "100%", "live/100%", "" },
    { "unicode", "live", "\xC3\xA9t\xC3\xA9", "live/\xC3\xA9t\xC3\xA9", "" },
    { "format specifiers are text", "live", "%s%n", "live/%s%n", "" },
    { "an escaped key", "live", "a?key=x%26y", "live/a", "x&y" },
};

static void every_split_gives_the_same_name(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
        struct publish_request r = { .name = "untouched" };
        const char *why = "";
        print_message("%s\n", splits[i].what);
        assert_int_equal(publish_name_make(&r, splits[i].app, splits[i].name, &why), PUBLISH_ALLOWED);
        assert_string_equal(r.name, splits[i].stream);
        assert_string_equal(r.key, splits[i].key);
    }
}

static const struct {
    const char *what, *app, *name;
} refused[] = {
    { "empty", "", "" },
    { "the app alone", "live", "" },
    { "dot dot", "live", "../etc/passwd" },
    { "escaped dot dot", "live", "%2e%2e/x" },
    { "dot", "live", "./x" },
    { "escaped slash", "live", "a%2fb" },
    { "newline", "live", "a\nb" },
    { "escaped zero", "live", "a%00b" },
    { "escape character", "live", "a\x1b[2J" },
    { "C1 control", "live", "a\xC2\x85" },
    { "backslash", "live", "a\\b" },
    { "not UTF-8", "live", "a\xFF" },
    { "overlong slash", "live", "a\xC0\xAF" },
    { "surrogate", "live", "a\xED\xA0\x80" },
    { "too many parts", "a/b/c/d/e", "f/g/h/i" },
    { "the server's own pages", "api", "v1" },
    { "the server's own pages", "metrics", "x" },
};

static void unusable_names_are_refused_with_a_reason(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct publish_request r = { .name = "untouched", .key = "k" };
        const char *why = NULL;
        print_message("%s\n", refused[i].what);
        assert_int_equal(publish_name_make(&r, refused[i].app, refused[i].name, &why), PUBLISH_BAD_NAME);
        assert_non_null(why);
        assert_string_equal(r.name, "untouched");
    }
}

static void lengths_around_the_limit(void **unused_state)
{
    static const size_t lengths[] = { 1, 186, 187, 188, 255, 256, 257, 300, 512, 4096, 65535 };
    static char name[65536];
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct publish_request r;
        const char *why;
        memset(name, 'n', lengths[i]);
        name[lengths[i]] = 0;
        const enum publish_verdict v = publish_name_make(&r, "live", name, &why);
        assert_int_equal(v, lengths[i] + 5 <= STREAM_NAME_BYTES_MAX ? PUBLISH_ALLOWED : PUBLISH_BAD_NAME);
        if (v == PUBLISH_ALLOWED) assert_int_equal(strlen(r.name), lengths[i] + 5);
        /* the same as one word without app, and as a key of any length */
        assert_true(publish_name_make(&r, name, "", &why) == v);
        char with_key[70000];
        snprintf(with_key, sizeof with_key, "cam?key=%s", name);
        assert_int_equal(publish_name_make(&r, "live", with_key, &why), PUBLISH_ALLOWED);
        assert_int_equal(strlen(r.key), lengths[i] <= RTMP_NAME_BYTES_MAX ? lengths[i] : 0);
    }
}

static void every_verdict_has_words(void **unused_state)
{
    for (int v = PUBLISH_ALLOWED; v <= PUBLISH_FAILED; v++) {
        assert_string_not_equal(publish_verdict_name((enum publish_verdict)v), "unknown");
        assert_true(strlen(publish_verdict_text((enum publish_verdict)v)) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_gives_the_same_name),
        cmocka_unit_test(unusable_names_are_refused_with_a_reason),
        cmocka_unit_test(lengths_around_the_limit),
        cmocka_unit_test(every_verdict_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
