/* Folder names: readable, reversible by eye, never out of the folder, never too long. */
#include "hex.h"

#include <string.h>

#include "archive/folder_name.h"

static const struct {
    const char *stream, *folder;
} cases[] = {
    { "live/studio", "live+studio" },      { "live/room1/cam-2_a.b", "live+room1+cam-2_a.b" },
    { "live/a b", "live+a%20b" },          { "live/a+b", "live+a%2Bb" },
    { "live/100%", "live+100%25" },        { ".hidden/x", "%2Ehidden+x" },
    { "live/stüdio", "live+st%C3%BCdio" }, { "live/~x", "live+%7Ex" },
    { "live/\"'\\", "live+%22%27%5C" },
};

static void names_are_escaped(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char folder[FOLDER_NAME_BYTES];
        folder_name_make(cases[i].stream, folder);
        assert_string_equal(folder, cases[i].folder);
    }
}

static void long_names_are_cut_and_stay_apart(void **state)
{
    char stream[193], last[FOLDER_NAME_BYTES] = "";
    for (size_t bytes = 1; bytes <= 192; bytes++) {
        char folder[FOLDER_NAME_BYTES];
        memset(stream, '%', bytes);
        stream[bytes] = 0;
        folder_name_make(stream, folder);
        assert_true(strlen(folder) < FOLDER_NAME_BYTES);
        assert_null(strchr(folder, '/'));
        assert_string_not_equal(folder, last);
        assert_int_equal(bytes * 3 < FOLDER_NAME_BYTES, !strchr(folder, '~'));
        memcpy(last, folder, sizeof last);
    }
    /* equal up to the cut, and of equal length */
    char one[FOLDER_NAME_BYTES], other[FOLDER_NAME_BYTES];
    memset(stream, '%', 192);
    stream[191] = 'a';
    folder_name_make(stream, one);
    stream[191] = 'b';
    folder_name_make(stream, other);
    assert_int_equal(strlen(one), strlen(other));
    assert_string_not_equal(one, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(long_names_are_cut_and_stay_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
