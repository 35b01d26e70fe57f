/* The mark of discontinuity numbers: over clean ends, kills, and a state folder that cannot be written. */
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/era_mark.h"

#define FIRST_HOUR 1767225600000000LL
#define HOUR 3600000000LL

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/weir-eras-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static void remove_folder(void)
{
    char file[128];
    snprintf(file, sizeof file, "%s/eras", folder);
    unlink(file);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left there */
}

static void open_mark(struct era_mark *m, int64_t wall_us)
{
    struct config_error error = { "" };
    memset(m, 0, sizeof *m);
    assert_int_equal(era_mark_open(m, folder, wall_us, &error), WEIR_OK);
}

static void it_never_goes_back(void **state)
{
    struct era_mark m;
    make_folder();
    open_mark(&m, FIRST_HOUR + 100 * HOUR + 1);
    assert_int_equal(era_mark_reach(&m, 0), 100);
    assert_int_equal(era_mark_reach(&m, 105), 105);
    assert_int_equal(era_mark_reach(&m, 101), 105);
    era_mark_close(&m);
    /* a clean end keeps the number as it is, whatever the clock says */
    open_mark(&m, FIRST_HOUR);
    assert_int_equal(era_mark_reach(&m, 0), 105);
    for (uint64_t n = 105; n < 1000; n += 8) { /* eight in a second */
        era_mark_reach(&m, n);
        if (n % 16 == 1) era_mark_look(&m);
    }
    /* killed */
    open_mark(&m, FIRST_HOUR);
    assert_in_range(era_mark_reach(&m, 0), 1000, 1000 + 2 * 256);
    era_mark_close(&m);
    remove_folder();
    (void)state;
}

static void what_is_no_number_is_as_if_lost(void **state)
{
    static const char *const texts[] = { "", "\n", "12", "-1\n", "1x\n", "99999999999999999999999\n" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct era_mark m;
        char file[128];
        make_folder();
        snprintf(file, sizeof file, "%s/eras", folder);
        FILE *f = fopen(file, "w");
        assert_non_null(f);
        fputs(texts[i], f);
        fclose(f);
        open_mark(&m, FIRST_HOUR + 7 * HOUR);
        assert_int_equal(era_mark_reach(&m, 0), 7);
        era_mark_close(&m);
        remove_folder();
    }
    (void)state;
}

static void a_folder_that_is_not_there_is_said(void **state)
{
    struct era_mark m = { .used = 0 };
    struct config_error error = { "" };
    assert_int_equal(era_mark_open(&m, "/nowhere/at/all", FIRST_HOUR, &error), WEIR_IO);
    assert_non_null(strstr(error.text, "state.dir: cannot write /nowhere/at/all/eras"));
    era_mark_look(&m);
    era_mark_close(&m);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_never_goes_back),
        cmocka_unit_test(what_is_no_number_is_as_if_lost),
        cmocka_unit_test(a_folder_that_is_not_there_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
