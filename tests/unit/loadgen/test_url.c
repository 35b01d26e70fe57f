/* Resolving references: the examples of RFC 3986, 5.4, and what playlists have besides. */
#include "hex.h"

#include <string.h>
#include <weir/loadgen/url.h>

#define BASE "http://a/b/c/d;p?q"

static const struct {
    const char *base, *reference, *expected;
} good[] = {
    { BASE, "g", "http://a/b/c/g" },
    { BASE, "./g", "http://a/b/c/g" },
    { BASE, "g/", "http://a/b/c/g/" },
    { BASE, "/g", "http://a/g" },
    { BASE, "//g", "http://g" },
    { BASE, "?y", "http://a/b/c/d;p?y" },
    { BASE, "g?y", "http://a/b/c/g?y" },
    { BASE, "#s", "http://a/b/c/d;p?q" },
    { BASE, "g#s", "http://a/b/c/g" },
    { BASE, "g?y#s", "http://a/b/c/g?y" },
    { BASE, ";x", "http://a/b/c/;x" },
    { BASE, "", "http://a/b/c/d;p?q" },
    { BASE, ".", "http://a/b/c/" },
    { BASE, "./", "http://a/b/c/" },
    { BASE, "..", "http://a/b/" },
    { BASE, "../", "http://a/b/" },
    { BASE, "../g", "http://a/b/g" },
    { BASE, "../..", "http://a/" },
    { BASE, "../../g", "http://a/g" },
    { BASE, "../../../g", "http://a/g" },
    { BASE, "/./g", "http://a/g" },
    { BASE, "/../g", "http://a/g" },
    { BASE, "g.", "http://a/b/c/g." },
    { BASE, "..g", "http://a/b/c/..g" },
    { BASE, "./../g", "http://a/b/g" },
    { BASE, "g/./h", "http://a/b/c/g/h" },
    { BASE, "g/../h", "http://a/b/c/h" },
    { BASE, "g?y/../x", "http://a/b/c/g?y/../x" },
    { BASE, "https://x/y", "https://x/y" },
    { "http://host:8080", "v/index.m3u8", "http://host:8080/v/index.m3u8" },
    { "http://host:8080?x=1", "v", "http://host:8080/v" },
    { "http://[::1]:80/live/cam/index.m3u8", "video/index.m3u8", "http://[::1]:80/live/cam/video/index.m3u8" },
    { "https://h/live/cam/v/index.m3u8?_HLS_msn=3", "../a/seg-1.m4s", "https://h/live/cam/a/seg-1.m4s" },
};

static void references_are_resolved(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char out[128], exact[128];
        print_message("%s\n", good[i].reference);
        assert_int_equal(url_resolve(good[i].base, good[i].reference, out, sizeof out), WEIR_OK);
        assert_string_equal(out, good[i].expected);
        /* one byte less than it takes is refused, whatever was written on the way */
        const size_t need = strlen(good[i].expected) + 1;
        for (size_t room = 1; room < need; room++)
            assert_int_equal(url_resolve(good[i].base, good[i].reference, exact, room), WEIR_LIMIT);
    }
}

static void other_bases_are_refused(void **unused_state)
{
    char out[64];
    assert_int_equal(url_resolve("ftp://a/b", "c", out, sizeof out), WEIR_MALFORMED);
    assert_int_equal(url_resolve("/a/b", "c", out, sizeof out), WEIR_MALFORMED);
    assert_int_equal(url_resolve("", "c", out, sizeof out), WEIR_MALFORMED);
}

static void queries_grow(void **unused_state)
{
    char url[24] = "http://a/b";
    assert_int_equal(url_add_query(url, sizeof url, "x", "1"), WEIR_OK);
    assert_int_equal(url_add_query(url, sizeof url, "y", "22"), WEIR_OK);
    assert_string_equal(url, "http://a/b?x=1&y=22");
    assert_int_equal(url_add_query(url, sizeof url, "name", "1"), WEIR_LIMIT);
    assert_string_equal(url, "http://a/b?x=1&y=22");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_resolved),
        cmocka_unit_test(other_bases_are_refused),
        cmocka_unit_test(queries_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
