/* What streams call a language, and what HLS is told. */
#include "hex.h"

#include <string.h>
#include <weir/base/err.h>
#include <weir/base/utf8.h>
#include <weir/media/language.h>

static void languages_become_the_shortest_tag(void **state)
{
    static const struct {
        const char *in, *tag, *name;
    } rows[] = {
        { "eng", "en", "English" },
        { "ENG", "en", "English" },
        { "ger", "de", "German" },
        { "deu", "de", "German" },
        { "fre", "fr", "French" },
        { "en", "en", "English" },
        { "en-US", "en-US", "English" },
        { "pt_BR", "pt-BR", "Portuguese" },
        { "eng-GB", "en-GB", "English" },
        { "zh-Hant-TW", "zh-Hant-TW", "Chinese" },
        { "qad", "qad", NULL },
        { "gsw", "gsw", NULL },
        { "und", "", NULL },
        { "zxx", "", NULL },
        { "", "", NULL },
        { "e", "", NULL },
        { "english", "", NULL },
        { "e1", "", NULL },
        { "en-", "en", "English" },
        { "en-waytoolong", "en", "English" },
        { "en-\"", "en", "English" },
        { "en-a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q-r-s-t", "en-a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p", "English" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char tag[LANGUAGE_TAG_BYTES];
        assert_int_equal(language_tag(rows[i].in, tag), *rows[i].tag != 0);
        assert_string_equal(tag, rows[i].tag);
        const char *name = language_name(tag);
        if (rows[i].name)
            assert_string_equal(name, rows[i].name);
        else
            assert_null(name);
    }
}

static void utf8_ends_at_the_first_wrong_byte(void **state)
{
    static const struct {
        const char *text;
        size_t bytes, good;
    } rows[] = {
        { "abc", 3, 3 },
        { "\xC3\xA9", 2, 2 },
        { "a\xC3", 2, 1 },
        { "\xC0\x80", 2, 0 },
        { "\xE2\x82\xAC!", 4, 4 },
        { "\xED\xA0\x80", 3, 0 },
        { "\xF0\x9F\x98\x80", 4, 4 },
        { "\xF4\x90\x80\x80", 4, 0 },
        { "", 0, 0 },
        { "ab\xFFz", 4, 2 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(utf8_prefix_bytes(rows[i].text, rows[i].bytes), rows[i].good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(languages_become_the_shortest_tag),
        cmocka_unit_test(utf8_ends_at_the_first_wrong_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
