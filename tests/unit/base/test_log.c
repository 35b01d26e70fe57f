#include "hex.h"

#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/counters.h>
#include <weir/base/limits.h>
#include <weir/base/log.h>
#include <weir/base/log_burst.h>

static void render(enum log_format format, const char *stream, const char *pairs, char out[512])
{
    log_render(format, "2026-01-02T03:04:05.678Z", LOG_WARN, LOG_INGEST, stream, "publish_refused", pairs, out, 512);
}

static void text_and_json_lines(void **unused_state)
{
    char line[512];
    render(LOG_TEXT, "live/a", "peer=1.2.3.4:5 reason=\"no such key\"", line);
    assert_string_equal(
        line, "2026-01-02T03:04:05.678Z warn ingest live/a publish_refused peer=1.2.3.4:5 reason=\"no such key\"\n");
    render(LOG_JSON, "live/\"a\"", "peer=1.2.3.4:5 reason=\"no such key\"", line);
    assert_string_equal(line, "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\",\"room\":\"ingest\","
                              "\"stream\":\"live/\\u0022a\\u0022\","
                              "\"event\":\"publish_refused\",\"peer\":\"1.2.3.4:5\",\"reason\":\"no such key\"}\n");
    render(LOG_TEXT, NULL, "", line);
    assert_string_equal(line, "2026-01-02T03:04:05.678Z warn ingest - publish_refused\n");
}

static void a_peers_text_cannot_forge_a_line(void **unused_state)
{
    const char evil[] = "x\n2026 error server - all_is_lost \x1b[31m\"%s\\";
    const struct log_quoted q = log_quote(evil, strlen(evil));
    assert_null(strchr(q.text, '\n'));
    assert_null(strchr(q.text, 0x1b));
    assert_string_equal(q.text, "\"x\\u000a2026 error server - all_is_lost \\u001b[31m\\u0022%s\\u005c\"");
    char line[512];
    render(LOG_TEXT, "live/a b=c", "", line);
    assert_non_null(strstr(line, " \"live/a b=c\" "));
}

static void long_text_is_cut(void **unused_state)
{
    char text[5000], line[256];
    memset(text, '\n', sizeof text);
    const struct log_quoted q = log_quote(text, sizeof text);
    assert_true(strlen(q.text) < sizeof q.text);
    assert_string_equal(q.text + strlen(q.text) - 4, "...\"");
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = 0;
    const size_t bytes = log_render(LOG_JSON, "t", LOG_INFO, LOG_BASE, "-", "event", text, line, sizeof line);
    assert_true(bytes < sizeof line);
    assert_string_equal(line + bytes - 2, "}\n");
}

static void a_burst_is_a_line_now_and_then(void **unused_state)
{
    struct log_burst b = { 0 };
    uint64_t left_out = 99;
    assert_true(log_burst_take(&b, 5000000, &left_out));
    assert_int_equal(left_out, 0);
    for (int i = 0; i < 1000; i++) assert_false(log_burst_take(&b, 5000000 + i, &left_out));
    assert_false(log_burst_take(&b, 5000000 + LOG_BURST_US - 1, &left_out));
    assert_true(log_burst_take(&b, 5000000 + LOG_BURST_US, &left_out));
    assert_int_equal(left_out, 1001);
    assert_true(log_burst_take(&b, 5000000 + 9 * LOG_BURST_US, &left_out));
    assert_int_equal(left_out, 0);
}

static void counters_have_distinct_names(void **unused_state)
{
    for (int a = 0; a < COUNTER_COUNT; a++) {
        assert_true(strlen(counter_name((enum counter)a)) > 0 && strlen(counter_help((enum counter)a)) > 0);
        for (int b = 0; b < a; b++)
            assert_string_not_equal(counter_name((enum counter)a), counter_name((enum counter)b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_json_lines),
        cmocka_unit_test(a_peers_text_cannot_forge_a_line),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(a_burst_is_a_line_now_and_then),
        cmocka_unit_test(counters_have_distinct_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
