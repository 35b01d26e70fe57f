/* What chaos is made of: schedules that repeat, playlists that are followed, and lines that do the same to the n-th packet each time. */
#include "hex.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <weir/loadgen/chaos_plan.h>
#include <weir/loadgen/follower.h>

#include "loadgen/relay_line.h"

#define SECOND_US 1000000

/* -- schedules -- */

static struct chaos_plan_config all_events(uint64_t seed)
{
    struct chaos_plan_config c = { .seed = seed,
                                   .seconds_us = 600 * (int64_t)SECOND_US,
                                   .warm_up_us = 10 * SECOND_US,
                                   .settle_us = 8 * SECOND_US,
                                   .victims = 4,
                                   .flaps = 50 };
    for (enum chaos_kind k = CHAOS_NONE + 1; k < CHAOS_KIND_COUNT; k++) c.has_kind[k] = true;
    return c;
}

static bool is_same(const struct chaos_plan *one, const struct chaos_plan *two)
{
    struct byte_writer a, b;
    byte_writer_init(&a, 1 << 20);
    byte_writer_init(&b, 1 << 20);
    chaos_plan_write(one, &a);
    chaos_plan_write(two, &b);
    const bool same = a.bytes == b.bytes && !memcmp(a.data, b.data, a.bytes);
    byte_writer_deinit(&a);
    byte_writer_deinit(&b);
    return same;
}

static void a_seed_is_a_schedule(void **unused_state)
{
    struct chaos_plan one, two, other;
    struct chaos_plan_config c = all_events(7);
    assert_int_equal(chaos_plan_make(&c, &one), WEIR_OK);
    assert_int_equal(chaos_plan_make(&c, &two), WEIR_OK);
    c.seed = 8;
    assert_int_equal(chaos_plan_make(&c, &other), WEIR_OK);
    assert_true(is_same(&one, &two));
    assert_false(is_same(&one, &other));
    bool is_seen[CHAOS_KIND_COUNT] = { false };
    assert_in_range(one.count, CHAOS_KIND_COUNT - 1, 100);
    for (uint32_t i = 0; i < one.count; i++) {
        const struct chaos_event *e = &one.events[i];
        if (i < CHAOS_KIND_COUNT - 1) {
            assert_false(is_seen[e->kind]); /* each of them before one comes again */
            is_seen[e->kind] = true;
        }
        /* one at a time, and time to settle behind each */
        if (i)
            assert_true(e->at_us >=
                        one.events[i - 1].at_us + chaos_event_lasts_us(&one.events[i - 1]) + 8 * SECOND_US - 1000);
    }
    chaos_plan_deinit(&one);
    chaos_plan_deinit(&two);
    chaos_plan_deinit(&other);
    (void)unused_state;
}

static void a_schedule_is_a_text(void **unused_state)
{
    struct chaos_plan made, read;
    struct byte_writer text;
    unsigned line;
    const struct chaos_plan_config c = all_events(99);
    byte_writer_init(&text, 1 << 20);
    assert_int_equal(chaos_plan_make(&c, &made), WEIR_OK);
    chaos_plan_write(&made, &text);
    assert_int_equal(chaos_plan_read((const char *)text.data, text.bytes, &read, &line), WEIR_OK);
    assert_int_equal(made.count, read.count);
    for (uint32_t i = 0; i < made.count; i++) {
        const struct chaos_event *a = &made.events[i], *b = &read.events[i];
        assert_true(a->kind == b->kind && a->at_us == b->at_us && a->us == b->us && a->victim == b->victim &&
                    a->count == b->count && a->seed == b->seed);
    }
    chaos_plan_deinit(&made);
    chaos_plan_deinit(&read);
    byte_writer_deinit(&text);
    (void)unused_state;
}

static void by_hand(void **unused_state)
{
    static const char text[] = "# two things\n"
                               "12.5 cut-rst victim=2 for=1.25 # later\n"
                               "\n"
                               "3 jump for=-30";
    static const struct {
        const char *text;
        unsigned line;
    } bad[] = { { "1 cut-fin\n2 sing", 2 }, { "cut-fin", 1 },        { "1 cut-fin for", 1 },
                { "1 cut-fin for=x", 1 },   { "-1 cut-fin", 1 },     { "1 cut-fin color=red", 1 },
                { "1 stall for=-1", 1 },    { "1 flap count=-1", 1 } };
    struct chaos_plan p;
    unsigned line;
    assert_int_equal(chaos_plan_read(text, sizeof text - 1, &p, &line), WEIR_OK);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.events[0].kind, CHAOS_JUMP); /* in order of time */
    assert_int_equal(p.events[0].us, -30 * SECOND_US);
    assert_int_equal(p.events[1].at_us, 12500000);
    assert_int_equal(p.events[1].victim, 2);
    assert_int_equal(p.events[1].us, 1250000);
    chaos_plan_deinit(&p);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(chaos_plan_read(bad[i].text, strlen(bad[i].text), &p, &line), WEIR_MALFORMED);
        assert_int_equal(line, bad[i].line);
    }
    (void)unused_state;
}

/* -- following -- */

static void take(struct follower *f, int sequence, int discontinuity_sequence, const char *segments, int64_t now_us)
{
    char text[1024];
    snprintf(text, sizeof text,
             "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:%d\n"
             "#EXT-X-DISCONTINUITY-SEQUENCE:%d\n%s",
             sequence, discontinuity_sequence, segments);
    follower_take(f, text, strlen(text), now_us);
}

#define SEGMENT(name) "#EXTINF:2.0,\n" name "\n"
#define BREAK "#EXT-X-DISCONTINUITY\n"

static void a_right_playlist_has_no_faults(void **unused_state)
{
    struct follower f;
    follower_init(&f);
    follower_mark(&f, 0);
    take(&f, 5, 3, SEGMENT("a5") SEGMENT("a6"), 1 * SECOND_US);
    take(&f, 5, 3, SEGMENT("a5") SEGMENT("a6"), 2 * SECOND_US);
    take(&f, 6, 3, SEGMENT("a6") BREAK SEGMENT("a7"), 3 * SECOND_US);
    assert_int_equal(f.discontinuities, 4);
    take(&f, 7, 3, BREAK SEGMENT("a7") SEGMENT("a8"), 8 * SECOND_US);
    take(&f, 8, 4, SEGMENT("a8") SEGMENT("a9"), 9 * SECOND_US);
    assert_int_equal(f.discontinuities, 4);
    assert_int_equal(f.first_discontinuities, 3);
    assert_int_equal(f.faults, 0);
    assert_int_equal(f.last_msn, 9);
    assert_int_equal(f.target_us, 2 * SECOND_US);
    assert_int_equal(follower_gap_us(&f, 10 * SECOND_US), 5 * SECOND_US);
    assert_int_equal(follower_gap_us(&f, 20 * SECOND_US), 11 * SECOND_US);
    follower_mark(&f, 20 * SECOND_US);
    assert_int_equal(follower_gap_us(&f, 21 * SECOND_US), SECOND_US);
    (void)unused_state;
}

static void faults_are_seen(void **unused_state)
{
    static const struct {
        int sequence, discontinuity_sequence;
        const char *segments, *says;
    } cases[] = {
        { 5, 3, SEGMENT("a5"), "its end went back" },
        { 4, 3, SEGMENT("a4") SEGMENT("a5") SEGMENT("a6"), "EXT-X-MEDIA-SEQUENCE went back" },
        { 5, 2, SEGMENT("a5") SEGMENT("a6"), "discontinuities went back" },
        { 5, 3, SEGMENT("a5") SEGMENT("b6"), "another address" },
        { 5, 3, SEGMENT("a5") SEGMENT("a6") "#EXT-X-ENDLIST\n", "ENDLIST" },
        { 5, 3, SEGMENT("a5") "#EXTINF:two,\na6\n", "EXTINF" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct follower f;
        follower_init(&f);
        follower_mark(&f, 0);
        take(&f, 5, 3, SEGMENT("a5") SEGMENT("a6"), SECOND_US);
        assert_int_equal(f.faults, 0);
        take(&f, cases[i].sequence, cases[i].discontinuity_sequence, cases[i].segments, 2 * SECOND_US);
        print_message("%s: %s\n", cases[i].says, f.fault);
        assert_true(f.faults >= 1);
        assert_non_null(strstr(f.fault, cases[i].says));
        follower_mark(&f, 3 * SECOND_US);
        assert_int_equal(f.faults, 0);
    }
    (void)unused_state;
}

/* -- lines -- */

static void luck_is_the_same_each_time(void **unused_state)
{
    struct relay_settings s, lossy;
    relay_settings_init(&s);
    assert_true(relay_settings_read(&s, "delay=50", 8));
    assert_true(relay_settings_read(&s, "jitter=10", 9));
    lossy = s;
    assert_true(relay_settings_read(&lossy, "loss=10", 7));
    assert_false(relay_settings_read(&s, "loss", 4));
    assert_false(relay_settings_read(&s, "loss=", 5));
    assert_false(relay_settings_read(&s, "lose=1", 6));
    assert_false(relay_settings_read(&s, "loss=-1", 7));
    struct relay_chance one, two;
    struct relay_line l1 = { 0 }, l2 = { 0 };
    relay_chance_seed(&one, 9, RELAY_UP);
    relay_chance_seed(&two, 9, RELAY_UP);
    unsigned lost = 0;
    int64_t last_us = 0;
    for (int i = 0; i < 10000; i++) {
        const struct relay_fate a = relay_line_pass(&s, &one, &l1, true, 1316, i * 1000);
        const struct relay_fate b = relay_line_pass(&lossy, &two, &l2, true, 1316, i * 1000);
        assert_false(a.is_lost);
        assert_true(a.due_us >= last_us && a.due_us >= i * 1000 + 50000); /* in order */
        last_us = a.due_us;
        assert_int_equal(one.state, two.state); /* what one setting does does not move another's luck */
        lost += b.is_lost;
    }
    assert_in_range(lost, 900, 1100);
    (void)unused_state;
}

struct burst_count {
    unsigned lost, bursts, shortest, longest;
};

static struct burst_count count_bursts(const struct relay_settings *s, struct relay_line *l, struct relay_chance *c)
{
    struct burst_count n = { .shortest = UINT_MAX };
    unsigned length = 0;
    for (int i = 0; i < 100000; i++) {
        if (relay_line_pass(s, c, l, true, 100, 0).is_lost) {
            n.lost++;
            length++;
        } else if (length) {
            n.bursts++;
            if (length < n.shortest) n.shortest = length;
            if (length > n.longest) n.longest = length;
            length = 0;
        }
    }
    return n;
}

static void bursts_and_rates(void **unused_state)
{
    struct relay_settings s;
    struct relay_chance c;
    struct relay_line l = { 0 };
    relay_settings_init(&s);
    s.loss = 3, s.burst = 8;
    relay_chance_seed(&c, 1, RELAY_DOWN);
    struct burst_count n = count_bursts(&s, &l, &c); /* by Gilbert: of any length */
    assert_in_range(n.lost, 2500, 3500);
    assert_in_range(n.lost * 10 / n.bursts, 70, 90);
    assert_int_equal(n.shortest, 1);
    assert_true(n.longest > 24);
    assert_true(relay_settings_read(&s, "burst_exact=8", 13));
    n = count_bursts(&s, &l, &c);
    assert_in_range(n.lost, 2500, 3500);
    assert_int_equal(n.shortest, 8);
    assert_int_equal(n.longest, 8);
    relay_settings_init(&s);
    s.rate_kbps = 8000; /* a byte each microsecond */
    s.queue_us = 5000;
    l = (struct relay_line){ 0 };
    for (int i = 1; i <= 6; i++) assert_int_equal(relay_line_pass(&s, &c, &l, true, 1000, 0).due_us, i * 1000);
    assert_true(relay_line_pass(&s, &c, &l, true, 1000, 0).is_lost);
    assert_int_equal(relay_line_pass(&s, &c, &l, false, 1000, 0).due_us, 7000); /* TCP waits */
    (void)unused_state;
}

/* What TCP lost comes a round trip later, and all behind it waits; nothing is lost for good or overtakes. */
static void tcp_sends_again(void **unused_state)
{
    struct relay_settings s;
    struct relay_chance c;
    struct relay_line l = { 0 };
    relay_settings_init(&s);
    assert_true(relay_settings_read(&s, "delay=150", 9));
    assert_true(relay_settings_read(&s, "loss=1", 6));
    relay_chance_seed(&c, 5, RELAY_UP);
    unsigned again = 0;
    int64_t last_us = 0;
    for (int64_t now_us = 0, i = 0; i < 10000; i++, now_us += 10000) {
        const struct relay_fate f = relay_line_pass(&s, &c, &l, false, 4 * 1448, now_us);
        assert_false(f.is_lost);
        assert_true(f.due_us >= last_us && f.due_us >= now_us + (f.is_again ? 450000 : 150000));
        assert_true(f.due_us <= now_us + 450000);
        last_us = f.due_us;
        again += f.is_again;
    }
    assert_in_range(again, 330, 460); /* of four packets at least one: 3.9 % */
    (void)unused_state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_is_a_schedule),
        cmocka_unit_test(a_schedule_is_a_text),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(a_right_playlist_has_no_faults),
        cmocka_unit_test(faults_are_seen),
        cmocka_unit_test(luck_is_the_same_each_time),
        cmocka_unit_test(bursts_and_rates),
        cmocka_unit_test(tcp_sends_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
