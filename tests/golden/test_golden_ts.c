/* Transport streams made by ffmpeg: what the demux gives is what ffprobe says is in them (make_ts.py), frame by frame. */
#include "hex.h"
#include "ts_recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (1024 * 1024)

struct file {
    char *data;
    size_t bytes;
};

static struct file load(const char *name, const char *ending)
{
    char path[256];
    snprintf(path, sizeof path, "golden/ts/%s.%s", name, ending);
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("cannot open %s", path);
    struct file file = { .data = malloc(FILE_BYTES_MAX) };
    assert_non_null(file.data);
    file.bytes = fread(file.data, 1, FILE_BYTES_MAX - 1, f);
    file.data[file.bytes] = 0;
    fclose(f);
    return file;
}

/* The lines that begin with `prefix`, of a text whose streams are interleaved. */
static char *select_lines(const char *text, const char *prefix)
{
    char *out = malloc(strlen(text) + 1), *to = out;
    assert_non_null(out);
    for (const char *line = text; *line;) {
        const char *end = strchr(line, '\n');
        const size_t bytes = (size_t)(end - line) + 1;
        if (!strncmp(line, prefix, strlen(prefix))) {
            memcpy(to, line, bytes);
            to += bytes;
        }
        line += bytes;
    }
    *to = 0;
    return out;
}

static size_t compare(const char *name, const char *got, const char *expected, const char *prefix)
{
    char *a = select_lines(got, prefix), *b = select_lines(expected, prefix);
    const size_t bytes = strlen(b);
    if (strcmp(a, b) != 0) {
        size_t at = 0;
        while (a[at] == b[at]) at++;
        while (at && a[at - 1] != '\n') at--;
        fail_msg("%s, %s: got\n%.300s\nexpected\n%.300s", name, prefix, a + at, b + at);
    }
    free(a);
    free(b);
    return bytes;
}

/* Only times that the wire does not give are counted on; in these streams each PES has one. */
static void erase(char *text, const char *word)
{
    for (char *at = strstr(text, word); at; at = strstr(at, word))
        memmove(at, at + strlen(word), strlen(at + strlen(word)) + 1);
}

static void one(const char *name)
{
    static const size_t pieces[] = { 0, 1, 188, 1316, 1000, 7 };
    static const char *const prefixes[] = { "track", "video 0", "audio 0", "audio 1", "audio 2", "gone" };
    const struct file ts = load(name, "ts"), expected = load(name, "txt");
    uint64_t first_hash = 0;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct ts_recorder r;
        const struct ts_demux_config config = { .may_end_early = false };
        ts_recorder_init(&r);
        ts_recorder_run(&r, &config, (const uint8_t *)ts.data, ts.bytes, pieces[i]);
        const uint64_t hash = fnv(r.text.data, r.text.bytes);
        if (!i) first_hash = hash;
        assert_int_equal(hash, first_hash); /* whatever the pieces */
        char *text = strdup(ts_recorder_text(&r));
        erase(text, " untimed");
        size_t compared = 0;
        for (size_t k = 0; k < ARRAY_LEN(prefixes); k++) compared += compare(name, text, expected.data, prefixes[k]);
        assert_int_equal(compared, expected.bytes);
        assert_int_equal(r.problems, 0);
        free(text);
        ts_recorder_deinit(&r);
    }
    free(ts.data);
    free(expected.data);
}

static void as_ffprobe_says(void **unused_state)
{
    static const char *const names[] = { "h264_aac",      "hevc_ac3",      "h264_mp2",     "h264_latm", "h264_opus",
                                         "h264_eac3_mp3", "two_languages", "two_programs", "m2ts_192" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        print_message("%s\n", names[i]);
        one(names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(as_ffprobe_says) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
