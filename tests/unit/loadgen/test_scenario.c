/* Scenario files: what they say is read, and each mistake is named with its line. What /metrics says. */
#include "hex.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/metrics_text.h>
#include <weir/loadgen/scenario.h>

#define HEAD "name: a\nserver: {command: weir}\n"

static enum weir_err read_text(const char *text, struct scenario *s, char error[512])
{
    error[0] = 0;
    return scenario_read("a.yaml", text, strlen(text), s, error, 512);
}

static void a_whole_one_is_read(void **unused_state)
{
    char error[512];
    struct scenario s;
    const char *text = "name: all\nabout: everything\nseconds: 90\nwarm_up: 20\nsettle: 3\ninterval: 0.5\n"
                       "servers:\n  - {name: one, command: weir serve, live: 'a,b', play: /live/load%d}\n  - name: "
                       "two\n    config: |\n      a: {b}\n"
                       "publishers: {url: 'rtmp://h/live', streams: 12, ramp: 4, speed: 2}\n"
                       "viewers:\n  - {url: 'http://h/%d', viewers: 30, plain: yes, allow: 'hole,status'}\n  - {url: "
                       "'http://h/x', http2: no}\n"
                       "events:\n  - {at: 10, do: kill-server}\n  - {at: 5, every: 7, do: run, run: echo}\n"
                       "  - {at: 6, do: network, relay: bad, line: 'loss=1', stop: 2}\n"
                       "relays: {name: bad, udp: yes, to: '{srt}', line: 'delay=50 loss=20', seed: 7}\n"
                       "expect: {name: counted, sum: 'a,b', of: srt_packets, least: 0.99}\n"
                       "thresholds: {stalls: 0, memory_growth_mb_per_hour: 1.5}\n";
    assert_int_equal(read_text(text, &s, error), WEIR_OK);
    assert_string_equal(s.name, "all");
    assert_true(s.seconds == 90 && s.warm_up == 20 && s.settle == 3 && s.interval == 0.5);
    assert_true(s.server_count == 2 && s.publisher_count == 1 && s.viewer_count == 2 && s.event_count == 3);
    assert_string_equal(s.servers[0].live, "a,b");
    assert_string_equal(s.servers[1].config, "a: {b}\n");
    assert_null(s.servers[1].command);
    assert_true(s.publishers[0].streams == 12 && s.publishers[0].speed == 2);
    assert_string_equal(s.publishers[0].name, "load%d");
    assert_true(s.viewers[0].is_plain && !s.viewers[1].is_plain && s.viewers[1].speed == 1);
    assert_int_equal(s.events[0].act, SCENARIO_KILL_SERVER);
    assert_true(s.events[1].every == 7);
    assert_true(s.events[2].act == SCENARIO_NETWORK && s.events[2].stop == 2);
    assert_true(s.relay_count == 1 && s.relays[0].is_udp && s.relays[0].seed == 7);
    assert_string_equal(s.relays[0].to, "{srt}");
    assert_true(s.expectation_count == 1 && s.expectations[0].least == 0.99 && isnan(s.expectations[0].most));
    assert_true(s.thresholds.stalls == 0 && s.thresholds.memory_growth_mb_per_hour == 1.5 &&
                isnan(s.thresholds.faults));
    size_t judged = 0;
    for (size_t i = 0; scenario_threshold_name(i); i++) {
        judged += !isnan(scenario_threshold(&s, i));
        assert_non_null(scenario_threshold_says(i));
    }
    assert_int_equal(judged, 2);
    scenario_deinit(&s);
}

static void each_mistake_is_named_with_its_line(void **unused_state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        { "", "a.yaml:1: a scenario is keys and values" },
        { "- a\n", "a.yaml:1: a scenario is keys" },
        { "name: a\n", "missing: \"server\"" },
        { "server: {command: weir}\n", "missing: \"name\"" },
        { HEAD "nmae: b\n", "a.yaml:3: no key here (keys: name" },
        { HEAD "seconds: soon\n", "a.yaml:3: seconds wants a number from 5 to 86400, not \"soon\"" },
        { HEAD "seconds: 1\n", "a.yaml:3: seconds wants" },
        { HEAD "seconds: [1]\n", "a.yaml:3: one value is wanted" },
        { HEAD "seconds: 20\nwarm_up: 20\n", "warm_up must be less" },
        { HEAD "publishers:\n  - streams: 3\n", "a.yaml:4: missing: \"url\"" },
        { HEAD "publishers:\n  - {url: x, stream: 3}\n", "a.yaml:4: no key here (keys: url" },
        { HEAD "publishers:\n  - {url: x, url: y}\n", "a.yaml:4: there twice: \"url\"" },
        { HEAD "viewers: x\n", "a.yaml:3: a list is wanted for \"viewers\"" },
        { HEAD "viewers:\n  - {url: x, plain: maybe}\n", "a.yaml:4: plain wants yes or no, not \"maybe\"" },
        { HEAD "events:\n  - {at: 3}\n", "a.yaml:4: missing: \"do\"" },
        { HEAD "events:\n  - {at: 3, do: dance}\n", "a.yaml:4: do wants kill-server" },
        { HEAD "events:\n  - {at: 3, do: run}\n", "misses its \"run\"" },
        { HEAD "events:\n  - {at: 3, do: network, line: 'loss=1'}\n", "names no relay that is there" },
        { HEAD "relays: {name: a, to: 1}\nevents:\n  - {at: 3, do: network, relay: b, stop: 1}\n",
          "names no relay that is there: \"b\"" },
        { HEAD "relays: {name: a, to: 1}\nevents:\n  - {at: 3, do: network}\n", "misses its \"line\" or \"stop\"" },
        { HEAD "relays: {name: a}\n", "missing: \"to\"" },
        { HEAD "expect: {name: a, sum: b}\n", "misses its \"least\" or \"most\": \"a\"" },
        { HEAD "expect: {name: a, sum: b, of: c, most: 1}\n", "\"of\" wants srt_packets, not \"c\"" },
        { HEAD "thresholds: {stall: 0}\n", "a.yaml:3: no key here (keys: memory_growth_mb_per_hour" },
        { HEAD "thresholds: {stalls: -1}\n", "a.yaml:3: stalls wants a number" },
        { "name: [\n", "a.yaml:2: did not find expected node content" },
        { "name: a\nservers: [{}, {}, {}, {}, {}]\n", "a.yaml:2: too many of \"servers\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char error[512];
        struct scenario s;
        assert_int_equal(read_text(rows[i].text, &s, error), WEIR_CONFIG);
        if (!strstr(error, rows[i].says)) fail_msg("row %zu: %s", i, error);
    }
}

static void names_in_braces_are_replaced(void **unused_state)
{
    const struct scenario_variable v[] = { { "http", "8080" }, { "play", "/live/{name}" }, { "name", "x" } };
    const char *unknown;
    char *text = scenario_expand("http://h:{http}{play}?a={} {b c}{", v, 3, &unknown);
    assert_string_equal(text, "http://h:8080/live/x?a={} {b c}{");
    assert_null(unknown);
    free(text);
    text = scenario_expand("a {nobody} b", v, 3, &unknown);
    assert_string_equal(text, "a {nobody} b");
    assert_true(!strncmp(unknown, "nobody}", 7));
    free(text);
}

static void metrics_are_summed_over_labels(void **unused_state)
{
    const char *text = "# HELP a_streams x\na_streams 3\na_streams_more 9\nb{stream=\"a b\"} 2.5\nb{stream=\"c\"} 1e3 "
                       "1700000000\nb_total 7\nc nothing\n"
                       "d 4";
    const size_t bytes = strlen(text);
    assert_true(metrics_sum(text, bytes, "a_streams", 9) == 3);
    assert_true(metrics_sum(text, bytes, "b", 1) == 1002.5);
    assert_true(metrics_sum(text, bytes, "d", 1) == 4);
    assert_true(isnan(metrics_sum(text, bytes, "c", 1)) && isnan(metrics_sum(text, bytes, "nobody", 6)));
    assert_true(metrics_sum_of_all(text, bytes, "a_streams, d,nobody") == 7);
    assert_true(isnan(metrics_sum_of_all(text, bytes, "nobody")) && isnan(metrics_sum_of_all(text, bytes, "")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_one_is_read),
        cmocka_unit_test(each_mistake_is_named_with_its_line),
        cmocka_unit_test(names_in_braces_are_replaced),
        cmocka_unit_test(metrics_are_summed_over_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
