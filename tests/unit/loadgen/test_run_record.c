/* What a run's series are judged as, and the page that shows it. */
#include "hex.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weir/loadgen/run_report.h>

#define SECONDS 120

/* A server at 50 MB that grows by so much each second, with one spike. */
static void fill(struct run_record *r, double growth_mb)
{
    run_record_init(r, "peer <one>");
    r->seconds = SECONDS;
    for (int t = -2; t < SECONDS + 10; t++) {
        run_record_add(r, RUN_PSS, t, 50 + (t < 20 ? t : 20) + growth_mb * t + (t == 60 ? 30 : 0));
        run_record_add(r, RUN_CPU, t, 0.25);
        run_record_add(r, RUN_PLAYING, t, 10);
        run_record_add(r, RUN_LATENCY_95, t, NAN); /* not known: left out */
    }
    r->before = (struct run_rest){ true, 50, 20, 5, 0 };
    r->after = (struct run_rest){ true, 52.5, 20, 6, 1 };
    r->totals.played_s = 990;
    r->totals.stalled_s = 10;
    r->totals.slowest_start_s = 0.4;
    run_record_event(r, 30, "kill-server", "a & b");
    run_record_event(r, 31, "fault", "<script>");
}

static void judge(struct run_record *r, const char *thresholds)
{
    char text[512], error[512];
    struct scenario s;
    snprintf(text, sizeof text, "name: a\nserver: {command: x}\nseconds: %d\nwarm_up: 30\nthresholds: {%s}\n", SECONDS,
             thresholds);
    assert_int_equal(scenario_read("a", text, strlen(text), &s, error, sizeof error), WEIR_OK);
    run_record_judge(r, &s);
    scenario_deinit(&s);
}

static void expect(double growth_mb, const char *thresholds, bool is_good)
{
    struct run_record r;
    fill(&r, growth_mb);
    judge(&r, thresholds);
    if (r.is_good != is_good) fail_msg("%s: seen %g", thresholds, r.verdicts[0].got);
    run_record_deinit(&r);
}

static void thresholds_hold_or_do_not(void **unused_state)
{
    expect(0, "memory_growth_mb_per_hour: 1", true);
    expect(0.01, "memory_growth_mb_per_hour: 1", false); /* 36 MB an hour */
    expect(0.01, "memory_growth_mb_per_hour: 40", true);
    expect(0.01, "memory_growth_mb: 1", true); /* 0.9 MB in the time measured */
    expect(0.02, "memory_growth_mb: 1", false);
    expect(0, "memory_peak_mb: 99", false); /* the spike */
    expect(0, "memory_left_mb: 2", false);
    expect(0, "memory_left_percent: 6", true);
    expect(0, "memory_left_mb: 2, memory_left_percent: 6", true); /* one of both suffices */
    expect(0, "descriptors_left: 0", true);
    expect(0, "threads_left: 0", false);
    expect(0, "objects_left: 0", false);
    expect(0, "cpu_cores: 0.3", true);
    expect(0, "stalled_percent: 1", true);
    expect(0, "stalled_percent: 0.9", false);
    expect(0, "start_s: 0.5", true);
    expect(0, "latency_p95_s: 100", false); /* not known is not good */
    expect(0, "recovery_s: 3", false);
}

static void what_the_server_counts_is_held_to_what_is_expected(void **unused_state)
{
    static const struct {
        const char *expectation;
        double sum;
        bool is_good;
    } rows[] = {
        { "sum: x, least: 5", 5, true },
        { "sum: x, least: 5", 4, false },
        { "sum: x, most: 0", 0, true },
        { "sum: x, most: 0", 1, false },
        { "sum: x, most: 0", NAN, false }, /* not there is not good */
        { "sum: x, of: srt_packets, least: 0.99, most: 1.01", 991, true },
        { "sum: x, of: srt_packets, least: 0.99, most: 1.01", 989, false },
        { "sum: x, of: srt_packets, least: 0.99, most: 1.01", 1011, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[256], error[512];
        struct scenario s;
        struct run_record r;
        snprintf(text, sizeof text, "name: a\nserver: {command: x}\nexpect: {name: <b>, says: <i>, %s}\n",
                 rows[i].expectation);
        assert_int_equal(scenario_read("a", text, strlen(text), &s, error, sizeof error), WEIR_OK);
        fill(&r, 0);
        r.totals.srt_packets = 1000;
        r.totals.sums[0] = rows[i].sum;
        run_record_judge(&r, &s);
        assert_int_equal(r.verdict_count, 1);
        if (r.is_good != rows[i].is_good) fail_msg("%s: %g", rows[i].expectation, r.verdicts[0].got);
        run_record_deinit(&r);
        scenario_deinit(&s);
    }
}

static void a_broken_run_is_not_good(void **unused_state)
{
    struct run_record r;
    fill(&r, 0);
    snprintf(r.broken, sizeof r.broken, "the server ended by itself");
    judge(&r, "descriptors_left: 0");
    assert_false(r.is_good);
    run_record_deinit(&r);
}

static size_t count_of(const struct byte_writer *w, const char *text)
{
    size_t count = 0;
    for (const char *at = (const char *)w->data; (at = strstr(at, text)); at++) count++;
    return count;
}

static void the_page_shows_it(void **unused_state)
{
    char error[512];
    const char *text = "name: a <b>\nabout: what & why\nserver: {command: x}\nseconds: 120\nwarm_up: 30\nthresholds: "
                       "{stalls: 0, threads_left: 0}\n";
    struct scenario s;
    struct run_record records[2];
    struct byte_writer w;
    assert_int_equal(scenario_read("a", text, strlen(text), &s, error, sizeof error), WEIR_OK);
    for (int i = 0; i < 2; i++) {
        fill(&records[i], 0.1);
        run_record_judge(&records[i], &s);
    }
    const struct run_report report = { &s, records, 1, "now", "here", "weir-loadgen soak -s <x>" };
    byte_writer_init(&w, 1 << 22);
    run_report_write_html(&report, &w);
    write_u8(&w, 0);
    assert_false(w.failed);
    assert_int_equal(count_of(&w, "<svg"), 3); /* memory, CPU, viewers: what has no points has no plot */
    assert_int_equal(count_of(&w, "<script"), 0);
    assert_int_equal(count_of(&w, "http"), 0);           /* nothing is loaded */
    assert_int_equal(count_of(&w, "&lt;script&gt;"), 4); /* the event, in each plot and in the table */
    assert_int_equal(count_of(&w, "NOT good"), 1);
    assert_int_equal(count_of(&w, "a &lt;b&gt;"), 2);
    assert_int_equal(count_of(&w, "slope 360"), 1);
    assert_int_equal(count_of(&w, "nan"), 0);
    byte_writer_clear(&w);
    const struct run_report both = { &s, records, 2, "now", "here", "x" };
    run_report_write_html(&both, &w);
    write_u8(&w, 0);
    assert_int_equal(count_of(&w, "<svg"), 3); /* drawn over each other */
    assert_true(count_of(&w, "peer &lt;one&gt;: PSS") == 1 || count_of(&w, "peer &lt;one&gt;: PSS") == 2);
    byte_writer_deinit(&w);
    for (int i = 0; i < 2; i++) run_record_deinit(&records[i]);
    scenario_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_hold_or_do_not),
        cmocka_unit_test(what_the_server_counts_is_held_to_what_is_expected),
        cmocka_unit_test(a_broken_run_is_not_good),
        cmocka_unit_test(the_page_shows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
