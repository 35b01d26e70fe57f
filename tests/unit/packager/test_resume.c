/* Going on after a kill: numbers without a hole, none used twice, tags that keep every era's number, gaps where nothing is left; the same in all
 * renditions. Shelves are written as a table: one letter per number. */
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/base/limits.h>

#include "packager/resume.h"

#define SECOND 1000000LL
#define WALL 1790000000000000LL
#define FIRST 1000
#define UNKNOWN UINT64_MAX

/* A shelf: for each number from FIRST on a letter: "." nothing, "s" a segment, "E" one that begins an era, "g" a gap; a space in a rendition's
 * text is a number that never was. Eras count up at each "E" of any rendition. */
struct shelf_text {
    const char *video, *audio;
    uint64_t marked;      /* how far behind the last number there, or UNKNOWN */
    int64_t down_us;      /* from the last segment's end to now */
    uint64_t marked_eras; /* how many eras had begun since the last segment there */
};

static size_t put(struct shelf_past_segment *out, const char *rendition, const char *text, size_t at,
                  uint64_t discontinuity)
{
    const char letter = at < strlen(text) ? text[at] : '.';
    if (letter == '.') return 0;
    *out = (struct shelf_past_segment){ .media = rendition[0] == 'v' ? EDGE_VIDEO_MP4 : EDGE_AUDIO_MP4,
                                        .msn = FIRST + at,
                                        .discontinuity = discontinuity,
                                        .duration_us = 2 * SECOND,
                                        .wall_us = WALL + (int64_t)at * 2 * SECOND,
                                        .is_independent = true,
                                        .starts_era = letter == 'E',
                                        .is_gap = letter == 'g' };
    snprintf(out->rendition, sizeof out->rendition, "%s", rendition);
    object_name_segment(0xAA, out->msn, out->name);
    if (!out->is_gap) object_name_init(0xAA, 1, out->init_name);
    return 1;
}

/* eras: of each number as one digit; what was lost has one as well. */
static struct resume *make(const struct shelf_text *t, const char *eras)
{
    struct shelf_past *past = shelf_past_create(200);
    size_t count = 0, last = 0;
    for (size_t at = 0; at < strlen(eras); at++) {
        const uint64_t discontinuity = 70 + (uint64_t)(eras[at] - '0');
        count += put(&past->segments[count], "audio", t->audio, at, discontinuity);
        count += put(&past->segments[count], "video", t->video, at, discontinuity);
        if (count && past->segments[count - 1].msn == FIRST + at) last = at;
    }
    past->count = count;
    past->mark.msn = t->marked == UNKNOWN ? 0 : FIRST + last + t->marked;
    past->mark.run_id = 0xAA;
    past->mark.discontinuity = 70 + (uint64_t)(eras[last] - '0') + t->marked_eras;
    const struct resume_terms terms = { .now_wall_us = WALL + ((int64_t)last + 1) * 2 * SECOND + t->down_us,
                                        .segment_us = 2 * SECOND,
                                        .dvr_us = 3600 * SECOND,
                                        .target_duration_s = 3 };
    struct resume *r = resume_create(past, &terms);
    shelf_past_unref(past);
    return r;
}

/* What is listed, as a text of the same kind: "s", "g", and "|" where a tag stands. */
static char *list_of(const struct resume *r, const char *rendition)
{
    static char text[2][512];
    static int turn;
    char *out = text[turn++ % 2];
    struct past past;
    past_init(&past);
    assert_int_equal(resume_fill(r, rendition, &past), WEIR_OK);
    size_t used = 0;
    for (size_t i = 0; i < past_count(&past); i++) {
        const struct past_entry *e = past_at(&past, i);
        assert_int_equal(e->msn, r->first_msn + i);
        assert_int_equal(e->discontinuity, r->numbers[i].discontinuity);
        assert_true(e->duration_us > 0 && e->duration_us <= 3490000);
        assert_int_equal(e->run_id, 0xAA);
        assert_int_equal(e->init_number, 1);
        if (i) assert_int_equal(e->discontinuity, past_at(&past, i - 1)->discontinuity + e->starts_era);
        if (e->starts_era) out[used++] = '|';
        out[used++] = e->is_gap ? 'g' : 's';
    }
    out[used] = 0;
    past_deinit(&past);
    return out;
}

static const struct {
    const char *name, *eras;
    struct shelf_text shelf;
    uint64_t first, next, next_discontinuity; /* first 0: begins anew */
    const char *video, *audio;
} cases[] = {
    { "all there, nothing announced beyond",
      "0000",
      { "Esss", "Esss", 0, 0, 0 },
      FIRST,
      FIRST + 4,
      71,
      "|ssss",
      "|ssss" },
    { "the open segment's parts were seen",
      "0000",
      { "Esss", "Esss", 1, 0, 0 },
      FIRST,
      FIRST + 5,
      71,
      "|ssssg",
      "|ssssg" },
    { "audio was behind", "0000", { "Esss", "Ess", 1, 0, 0 }, FIRST, FIRST + 5, 71, "|ssssg", "|sssgg" },
    { "video was behind", "0000", { "Es", "Esss", 0, 0, 0 }, FIRST, FIRST + 4, 71, "|ssgg", "|ssss" },
    { "gaps stay gaps", "0000", { "Egss", "Essg", 0, 0, 0 }, FIRST, FIRST + 4, 71, "|sgss", "|sssg" },
    { "a hole in both", "00000", { "Es..s", "Es..s", 0, 0, 0 }, FIRST, FIRST + 5, 71, "|ssggs", "|ssggs" },
    { "an era begins", "0011", { "EsEs", "EsEs", 0, 0, 0 }, FIRST, FIRST + 4, 72, "|ss|ss", "|ss|ss" },
    { "its first segment is lost in one",
      "0011",
      { "Es.s", "EsEs", 0, 0, 0 },
      FIRST,
      FIRST + 4,
      72,
      "|ss|gs",
      "|ss|ss" },
    { "and in both", "00111", { "Es.ss", "Es.ss", 0, 0, 0 }, FIRST, FIRST + 5, 72, "|ssg|ss", "|ssg|ss" },
    { "two eras are lost",
      "001234",
      { "Es...s", "Es...s", 0, 0, 0 },
      FIRST,
      FIRST + 6,
      75,
      "|ss|g|g|g|s",
      "|ss|g|g|g|s" },
    { "audio came later", "0000", { "Esss", "..ss", 0, 0, 0 }, FIRST, FIRST + 4, 71, "|ssss", "|ggss" },
    { "no audio", "0000", { "Esss", "", 0, 0, 0 }, FIRST, FIRST + 4, 71, "|ssss", "" },
    { "the window had slid", "1111", { "ssss", "ssss", 2, 0, 0 }, FIRST, FIRST + 6, 72, "ssssgg", "ssssgg" },
    { "an era that nothing is left of had been announced",
      "00",
      { "Es", "Es", 2, SECOND, 1 },
      FIRST,
      FIRST + 4,
      72,
      "|ss|gg",
      "|ss|gg" },
    { "an era was marked and its number was not",
      "00",
      { "Es", "Es", 0, SECOND, 1 },
      FIRST,
      FIRST + 2,
      71,
      "|ss",
      "|ss" },
    { "gaps alone", "0000", { "gggg", "gggg", 0, 0, 0 }, FIRST, FIRST + 4, 71, "", "" },
    { "nobody knows, back at once", "00", { "Es", "Es", UNKNOWN, 100000, 0 }, FIRST, FIRST + 3, 71, "|ssg", "|ssg" },
    { "nobody knows, half a minute later",
      "00",
      { "Es", "Es", UNKNOWN, 5 * SECOND, 0 },
      FIRST,
      FIRST + 8,
      71,
      "|ssgggggg",
      "|ssgggggg" },
    { "nobody knows, a clock that went back",
      "00",
      { "Es", "Es", UNKNOWN, -50 * SECOND, 0 },
      FIRST,
      FIRST + 3,
      71,
      "|ssg",
      "|ssg" },
    { "nobody knows, after three hours", "00", { "Es", "Es", UNKNOWN, 3 * 3600 * SECOND, 0 }, 0, 0, 0, "", "" },
    { "too much was lost", "00", { "Es", "Es", RESUME_HOLE_MAX + 1, 0, 0 }, 0, 0, 0, "", "" },
    { "nothing at all", "00", { "", "", 0, 0, 0 }, 0, 0, 0, "", "" },
};

static void what_is_gone_on_with(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        print_message("%s\n", cases[i].name);
        struct resume *r = make(&cases[i].shelf, cases[i].eras);
        assert_int_equal(r != NULL, cases[i].first != 0);
        if (!r) continue;
        assert_int_equal(r->first_msn, cases[i].first);
        assert_int_equal(r->next_msn, cases[i].next);
        assert_int_equal(r->next_discontinuity, cases[i].next_discontinuity);
        assert_string_equal(list_of(r, "video"), cases[i].video);
        assert_string_equal(list_of(r, "audio"), cases[i].audio);
        assert_string_equal(list_of(r, "other"), "");
        resume_destroy(r);
    }
}

static void times_of_gaps_are_those_of_the_outage(void **state)
{
    const struct shelf_text shelf = { "Es..s", "Es..s", 4, 10 * SECOND, 0 };
    struct resume *r = make(&shelf, "00000");
    assert_int_equal(r->count, 9);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(r->numbers[i].wall_us, WALL + (int64_t)i * 2 * SECOND);
        assert_int_equal(r->numbers[i].duration_us, 2 * SECOND);
    }
    for (size_t i = 5; i < 9; i++) assert_int_equal(r->numbers[i].duration_us, 2500000);
    assert_int_equal(r->end_wall_us, WALL + 20 * SECOND);
    resume_destroy(r);
}

static void a_jump_in_numbers_ends_the_past(void **state)
{
    struct shelf_past *past = shelf_past_create(6);
    static const uint64_t numbers[] = {
        10, 11, 12, 10 + 2 * RESUME_HOLE_MAX, 11 + 2 * RESUME_HOLE_MAX, 12 + 2 * RESUME_HOLE_MAX
    };
    for (size_t i = 0; i < 6; i++) {
        put(&past->segments[i], "video", "s", 0, i < 3 ? 5 : 9);
        past->segments[i].msn = numbers[i];
        object_name_segment(0xAA, numbers[i], past->segments[i].name);
    }
    past->mark.msn = numbers[5];
    struct resume_terms terms = {
        .now_wall_us = WALL, .segment_us = SECOND, .dvr_us = 3600 * SECOND, .target_duration_s = 3
    };
    struct resume *r = resume_create(past, &terms);
    assert_int_equal(r->first_msn, numbers[3]);
    assert_int_equal(r->count, 3);
    resume_destroy(r);
    /* an era's number that goes back is not believed either */
    past->segments[4].discontinuity = 10;
    r = resume_create(past, &terms);
    assert_int_equal(r->first_msn, numbers[5]);
    resume_destroy(r);
    /* nor what is longer than segments may be today */
    past->segments[4].discontinuity = 9;
    past->segments[4].duration_us = 3500000;
    r = resume_create(past, &terms);
    assert_int_equal(r->first_msn, numbers[5]);
    resume_destroy(r);
    /* and no more than the window holds */
    past->segments[4].duration_us = 2 * SECOND;
    terms.dvr_us = 3 * SECOND;
    r = resume_create(past, &terms);
    assert_int_equal(r->first_msn, numbers[4]);
    resume_destroy(r);
    /* names that are none of ours */
    for (size_t i = 0; i < 6; i++) strcpy(past->segments[i].name, "seg-1.ts");
    assert_null(resume_create(past, &terms));
    shelf_past_unref(past);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_gone_on_with),
        cmocka_unit_test(times_of_gaps_are_those_of_the_outage),
        cmocka_unit_test(a_jump_in_numbers_ends_the_past),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
