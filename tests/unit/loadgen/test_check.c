/* The whole checker against a double on a hand-cranked clock: a right stream of each kind breaks nothing, and each way to break a
 * rule is found. */
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/loadgen/check.h>

#include "hls_double.h"

#define START_US 1000000000
#define SECONDS_US (26 * 1000000LL)
#define ROUND_TRIP_US 1000
#define HOST "http://double.example"
#define PENDING_MAX LOADGEN_REQUESTS_MAX

struct pending {
    bool is_set;
    uint32_t id;
    int64_t sent_us, timeout_us;
    bool is_head;
    struct double_answer answer;
};

struct sim {
    struct hls_double d;
    struct check *c;
    int64_t now_us;
    struct pending pending[PENDING_MAX];
};

static void send_all(struct sim *s)
{
    struct check_request q;
    while (check_next_request(s->c, s->now_us, &q)) {
        assert_true(!strncmp(q.url, HOST, strlen(HOST)));
        size_t slot = 0;
        while (slot < PENDING_MAX && s->pending[slot].is_set) slot++;
        assert_true(slot < PENDING_MAX);
        struct pending *p = &s->pending[slot];
        *p = (struct pending){
            .is_set = true, .id = q.id, .sent_us = s->now_us, .timeout_us = q.timeout_us, .is_head = q.is_head
        };
        hls_double_ask(&s->d, q.url + strlen(HOST), q.accepts_gzip, s->now_us + ROUND_TRIP_US / 2, &p->answer);
        if (q.has_range) hls_double_cut(&p->answer, q.range_first, q.range_last);
    }
}

static int64_t due_us(const struct pending *p)
{
    const int64_t late_us = p->sent_us + p->timeout_us;
    return p->answer.ready_us == INT64_MAX || p->answer.done_us > late_us ? late_us
                                                                          : p->answer.done_us + ROUND_TRIP_US / 2;
}

static void deliver(struct sim *s, struct pending *p)
{
    const struct double_answer *d = &p->answer;
    const bool is_late = due_us(p) >= p->sent_us + p->timeout_us;
    struct check_answer a = { .id = p->id,
                              .status = is_late ? 0 : d->status,
                              .sent_us = p->sent_us,
                              .first_byte_us = is_late ? 0 : d->ready_us + ROUND_TRIP_US / 2,
                              .done_us = due_us(p),
                              .is_tls = d->is_tls,
                              .is_http2 = d->is_http2,
                              .content_length = d->content_encoding[0] ? -1 : (int64_t)d->bytes,
                              .error = is_late ? "timed out" : "",
                              .content_type = d->content_type,
                              .cache_control = d->cache_control,
                              .content_encoding = d->content_encoding,
                              .vary = d->vary,
                              .allow_origin = d->allow_origin,
                              .etag = "",
                              .body = d->body,
                              .bytes = is_late || p->is_head ? 0 : d->bytes };
    check_answer(s->c, &a);
    free(p->answer.body);
    p->is_set = false;
}

/* The earliest answer, or the time at which the checker wants to be asked again. */
static void step(struct sim *s)
{
    struct pending *first = NULL;
    for (size_t i = 0; i < PENDING_MAX; i++) {
        struct pending *p = &s->pending[i];
        if (p->is_set && (!first || due_us(p) < due_us(first))) first = p;
    }
    const int64_t wake_us = check_wake_us(s->c, s->now_us);
    if (first && due_us(first) <= wake_us) {
        s->now_us = due_us(first) > s->now_us ? due_us(first) : s->now_us;
        deliver(s, first);
    } else {
        s->now_us = wake_us > s->now_us ? wake_us : s->now_us + 1;
    }
}

static struct check *run(unsigned setup, const char *fault, bool is_low_latency)
{
    struct sim *s = calloc(1, sizeof *s);
    assert_non_null(s);
    const struct check_config config = { .url = HOST "/live/index.m3u8",
                                         .is_low_latency = is_low_latency,
                                         .seconds_us = SECONDS_US,
                                         .tolerance_us = 100000,
                                         .wait_us = 5000000 };
    s->now_us = START_US;
    hls_double_init(&s->d, setup, fault, START_US);
    if (fault) assert_non_null(s->d.fault);
    s->c = check_create(&config, s->now_us);
    assert_non_null(s->c);
    while (!check_is_done(s->c, s->now_us)) {
        send_all(s);
        step(s);
    }
    check_finish(s->c, s->now_us);
    for (size_t i = 0; i < PENDING_MAX; i++) {
        if (s->pending[i].is_set) deliver(s, &s->pending[i]);
    }
    struct check *c = s->c;
    free(s);
    return c;
}

static void print_report(struct check *c)
{
    struct byte_writer w;
    struct check_summary summary;
    byte_writer_init(&w, 1 << 20);
    check_summary(c, START_US + SECONDS_US, &summary);
    check_report_write_text(check_report(c), &summary, true, &w);
    write_u8(&w, 0);
    fputs((const char *)w.data, stdout); /* longer than print_message() takes */
    fflush(stdout);
    byte_writer_deinit(&w);
}

static void expect_clean(unsigned setup, bool is_low_latency, const char *looked_at)
{
    struct check *c = run(setup, NULL, is_low_latency);
    const struct check_report *r = check_report(c);
    if (check_report_count(r, VERDICT_VIOLATED) || check_report_count(r, VERDICT_WARNING)) print_report(c);
    assert_int_equal(check_report_count(r, VERDICT_VIOLATED), 0);
    assert_int_equal(check_report_count(r, VERDICT_WARNING), 0);
    for (const char *at = looked_at; *at;) {
        const size_t bytes = strcspn(at, " ");
        const enum check_rule rule = check_rule_find(at, bytes);
        assert_int_not_equal(rule, RULE_NONE);
        if (check_verdict(r, rule) != VERDICT_OK) fail_msg("%.*s was not looked at", (int)bytes, at);
        at += bytes + strspn(at + bytes, " ");
    }
    check_destroy(c);
}

#define PLAIN_RULES "R1 R2 R3 R4 R5 R6 R7 R8 R9 R10 R11 R12 R13 R14 R15 R16 R17 R18 R19 R20 R22 R23 R46 R47 R48 R50 "
#define BOX_RULES "V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V14 V15 V16 V17 V18 V19 V20 T1 T4 T5 T6 T8 T10 T11 "
#define LL_RULES "R24 R25 R26 R27 R28 R29 R30 R31 R32 R33 R34 R35 R36 R37 R38 R39 R40 R41 R44 R45 R52 V12 V13 "

static void right_streams_break_nothing(void **unused_state)
{
    expect_clean(0, false, PLAIN_RULES BOX_RULES);
    expect_clean(DOUBLE_NO_AUDIO, false, "R1 R9 R19 V6");
    expect_clean(DOUBLE_TWO_VIDEOS | DOUBLE_BREAK, false, PLAIN_RULES BOX_RULES "R49");
    expect_clean(DOUBLE_END, false, "R21");
    expect_clean(DOUBLE_GAP, false, "R54");
    expect_clean(DOUBLE_TS | DOUBLE_BREAK, false, "R1 R9 R12 R19 R20 C1 C2 C3 C4 C5 C6 C7 C8 C9");
    expect_clean(DOUBLE_LL, true, PLAIN_RULES BOX_RULES LL_RULES);
    expect_clean(DOUBLE_LL | DOUBLE_TWO_VIDEOS | DOUBLE_BREAK | DOUBLE_OPEN_WINDOW | DOUBLE_TLS, true,
                 PLAIN_RULES BOX_RULES LL_RULES "R49 R51 R53");
    expect_clean(DOUBLE_IFRAMES | DOUBLE_BREAK | DOUBLE_GAP, false, PLAIN_RULES BOX_RULES "R55 R56 R57");
    expect_clean(DOUBLE_LL | DOUBLE_IFRAMES | DOUBLE_END, true, "R21 R55 R56 R57");
    expect_clean(DOUBLE_LL | DOUBLE_END, true, "R21 R43");
    expect_clean(DOUBLE_LL | DOUBLE_GAP, true, "R54");
}

static void each_fault_is_found(void **unused_state)
{
    bool is_covered[RULE_COUNT] = { false };
    unsigned missed = 0;
    for (size_t i = 0; i < double_fault_count; i++) {
        const struct double_fault *f = &double_faults[i];
        struct check *c = run(f->setup, f->name, f->setup & DOUBLE_LL);
        const enum check_rule rule = check_rule_find(f->rule, strlen(f->rule));
        assert_int_not_equal(rule, RULE_NONE);
        const struct check_result *result = &check_report(c)->results[rule];
        const bool is_found = f->how == BREAKS ? result->violated > 0 : result->warned > 0;
        const struct check_evidence *e = f->how == BREAKS ? &result->violation : &result->warning;
        if (is_found) {
            is_covered[rule] = true;
            assert_true(e->is_set && e->expected[0] && e->got[0] && e->url[0]);
        } else {
            print_error("%s (%s) was not found\n", f->name, f->rule);
            missed++;
        }
        check_destroy(c);
    }
    for (unsigned i = 1; i < RULE_COUNT; i++) {
        if (is_covered[i]) continue;
        print_error("no fixture breaks %s\n", check_rule_text((enum check_rule)i)->id);
        missed++;
    }
    assert_int_equal(missed, 0);
}

static void a_patient_server_says_503(void **unused_state)
{
    struct check *c = run(DOUBLE_LL | DOUBLE_STALL, NULL, true);
    assert_int_equal(check_verdict(check_report(c), RULE_R42), VERDICT_OK);
    assert_int_equal(check_verdict(check_report(c), RULE_R9), VERDICT_VIOLATED);
    check_destroy(c);
}

static void a_stream_that_never_comes_is_given_up(void **unused_state)
{
    const struct check_config config = { .url = HOST "/live/index.m3u8", .seconds_us = SECONDS_US, .wait_us = 2000000 };
    struct check *c = check_create(&config, START_US);
    int64_t now_us = START_US;
    unsigned asked = 0;
    while (!check_is_done(c, now_us)) {
        struct check_request q;
        while (check_next_request(c, now_us, &q)) {
            const struct check_answer a = { .id = q.id,
                                            .status = 404,
                                            .sent_us = now_us,
                                            .first_byte_us = now_us,
                                            .done_us = now_us,
                                            .error = "",
                                            .content_type = "",
                                            .cache_control = "",
                                            .content_encoding = "",
                                            .vary = "",
                                            .allow_origin = "",
                                            .etag = "" };
            check_answer(c, &a);
            asked++;
        }
        now_us = check_wake_us(c, now_us);
    }
    assert_false(check_has_stream(c));
    assert_in_range(asked, 5, 12);
    check_destroy(c);
}

int main(int argc, char **argv)
{
    if (argc == 3) { /* for looking at one: name, or setup as a number */
        struct check *c = run((unsigned)strtoul(argv[1], NULL, 0), argv[2][0] ? argv[2] : NULL, true);
        print_report(c);
        check_destroy(c);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_streams_break_nothing),
        cmocka_unit_test(each_fault_is_found),
        cmocka_unit_test(a_patient_server_says_503),
        cmocka_unit_test(a_stream_that_never_comes_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
