/* What may be played now: snapshots that stay whole while newer ones replace them, bounded renditions, viewers counted. */
#include "hex.h"

#include <stdio.h>
#include <string.h>
#include <weir/stream/live_edge.h>

static struct edge_snapshot *make(const char *text, uint64_t msn)
{
    struct frozen *playlist = frozen_copy(text, strlen(text)), *body = frozen_copy("body", 4);
    struct edge_object objects[] = { { .name = "init-1.mp4", .kind = EDGE_INIT, .body = body },
                                     { .name = "seg-1-7.m4s", .kind = EDGE_SEGMENT, .body = body } };
    struct edge_snapshot *s = edge_snapshot_create(&(struct edge_snapshot_config){ .media = EDGE_VIDEO_MP4,
                                                                                   .playlist = playlist,
                                                                                   .last_msn = msn,
                                                                                   .target_duration_s = 3,
                                                                                   .objects = objects,
                                                                                   .object_count = 2 });
    frozen_unref(playlist);
    frozen_unref(body);
    assert_non_null(s);
    return s;
}

static void nothing_is_created_by_asking(void **state)
{
    struct live_edge *e = live_edge_create("live/a");
    char names[RENDITIONS_MAX][EDGE_RENDITION_NAME_BYTES];
    uint64_t version = 0;
    assert_null(live_edge_acquire(e, "video", 5));
    assert_null(live_edge_acquire_multivariant(e, &version));
    assert_int_equal(live_edge_renditions(e, names), 0);
    assert_int_equal(live_edge_state(e), STREAM_WAITING);
    assert_string_equal(live_edge_name(e), "live/a");
    live_edge_unref(e);
}

static void a_reader_keeps_what_it_took(void **state)
{
    struct live_edge *e = live_edge_create("live/a");
    char text[8] = "";
    assert_int_equal(live_edge_publish(e, "video", make("one", 7)), WEIR_OK);
    struct edge_snapshot *old = live_edge_acquire(e, "video", 5);
    assert_int_equal(live_edge_publish(e, "video", make("two", 8)), WEIR_OK);
    struct edge_snapshot *now = live_edge_acquire(e, "video", 5);
    assert_int_equal(frozen_read(edge_snapshot_playlist(old, EDGE_PLAYLIST_FULL), 0, text, 7), 3);
    assert_string_equal(text, "one");
    assert_int_equal(edge_snapshot_last_msn(old), 7);
    assert_int_equal(edge_snapshot_last_msn(now), 8);
    assert_true(edge_snapshot_version(now) > edge_snapshot_version(old));
    live_edge_unref(e);
    /* the name is gone, what was taken is not */
    assert_non_null(edge_snapshot_find(now, "seg-1-7.m4s", 11));
    edge_snapshot_unref(old);
    edge_snapshot_unref(now);
}

static void thumbnails_are_made_for_who_asks(void **state)
{
    struct live_edge *e = live_edge_create("live/a");
    struct frozen *jpeg;
    uint64_t first, second;
    char text[8] = "";
    /* nobody makes any: what comes all the same is not kept */
    live_edge_publish_thumbnail(e, frozen_copy("early", 5));
    assert_false(live_edge_wants_thumbnail(e, 5000000, 2000000));
    assert_int_equal(live_edge_ask_thumbnail(e, 5000000, &jpeg, &first), THUMBNAIL_NONE);
    assert_true(live_edge_wants_thumbnail(e, 7000000, 2000000));
    assert_false(live_edge_wants_thumbnail(e, 7000001, 2000000));
    live_edge_offer_thumbnails(e, true);
    assert_int_equal(live_edge_ask_thumbnail(e, 8000000, &jpeg, &first), THUMBNAIL_WAITING);
    assert_null(jpeg);
    live_edge_publish_thumbnail(e, frozen_copy("one", 3));
    assert_int_equal(live_edge_ask_thumbnail(e, 9000000, &jpeg, &first), THUMBNAIL_READY);
    live_edge_publish_thumbnail(e, frozen_copy("two", 3));
    assert_int_equal(frozen_read(jpeg, 0, text, 7), 3);
    assert_string_equal(text, "one");
    frozen_unref(jpeg);
    assert_int_equal(live_edge_ask_thumbnail(e, 9000000, &jpeg, &second), THUMBNAIL_READY);
    frozen_unref(jpeg);
    assert_true(second > first);
    live_edge_offer_thumbnails(e, false);
    assert_int_equal(live_edge_ask_thumbnail(e, 9000000, &jpeg, &second), THUMBNAIL_NONE);
    live_edge_offer_thumbnails(e, true);
    live_edge_publish_thumbnail(e, frozen_copy("three", 5)); /* it goes with the edge */
    live_edge_unref(e);
}

static void a_snapshot_says_what_a_waiting_request_needs(void **state)
{
    struct frozen *full = frozen_copy("full", 4), *delta = frozen_copy("delta", 5);
    struct edge_snapshot_config config = {
        .media = EDGE_VIDEO_MP4,
        .playlist = full,
        .delta = delta,
        .last_msn = 41,
        .part_count = 2,
        .last_segment_parts = 4,
        .part_target_us = 500000,
        .target_duration_s = 3,
        .part_hint = "part-1-42-2.m4s",
    };
    struct edge_snapshot *s = edge_snapshot_create(&config);
    assert_int_equal(edge_snapshot_last_msn(s), 41);
    assert_int_equal(edge_snapshot_part_count(s), 2);
    assert_int_equal(edge_snapshot_last_segment_parts(s), 4);
    assert_int_equal(edge_snapshot_part_target_us(s), 500000);
    assert_int_equal(edge_snapshot_target_duration_s(s), 3);
    assert_string_equal(edge_snapshot_hint(s, EDGE_PART), "part-1-42-2.m4s");
    assert_null(edge_snapshot_hint(s, EDGE_INIT));
    assert_null(edge_snapshot_hint(s, EDGE_SEGMENT));
    assert_ptr_equal(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL), full);
    assert_ptr_equal(edge_snapshot_playlist(s, EDGE_PLAYLIST_DELTA), delta);
    edge_snapshot_unref(s);
    /* nothing to skip, nothing to wait for */
    config.delta = NULL;
    config.part_hint = NULL;
    s = edge_snapshot_create(&config);
    assert_ptr_equal(edge_snapshot_playlist(s, EDGE_PLAYLIST_DELTA), full);
    assert_null(edge_snapshot_hint(s, EDGE_PART));
    edge_snapshot_unref(s);
    frozen_unref(full);
    frozen_unref(delta);
}

struct counting_listener {
    struct edge_listener listener; /* first */
    int changes;
};

static void count_change(struct edge_listener *l)
{
    ((struct counting_listener *)l)->changes++;
}

static void listeners_hear_every_change(void **state)
{
    struct live_edge *e = live_edge_create("live/a");
    struct counting_listener a = { .listener = { .changed = count_change } }, b = a;
    live_edge_listen(e, &a.listener);
    live_edge_listen(e, &b.listener);
    assert_int_equal(live_edge_publish(e, "video", make("x", 1)), WEIR_OK);
    live_edge_set_state(e, STREAM_LIVE);
    live_edge_publish_multivariant(e, frozen_copy("m", 1));
    assert_int_equal(a.changes, 3);
    live_edge_unlisten(e, &a.listener);
    live_edge_set_state(e, STREAM_ENDED);
    /* what was refused changed nothing */
    assert_int_equal(live_edge_publish(e, "a-name-that-is-too-long", make("x", 1)), WEIR_LIMIT);
    live_edge_unlisten(e, &b.listener);
    live_edge_set_state(e, STREAM_LIVE);
    assert_int_equal(a.changes, 3);
    assert_int_equal(b.changes, 4);
    live_edge_unref(e);
}

static void a_bundle_is_shared_by_snapshots(void **state)
{
    struct frozen *text = frozen_copy("x", 1), *body = frozen_copy("body", 4), *part = frozen_copy("part", 4);
    const struct edge_object old[] = { { .name = "init-1.mp4", .kind = EDGE_INIT, .body = body },
                                       { .name = "seg-1-7.m4s", .kind = EDGE_SEGMENT, .body = body } };
    const struct edge_object own = { .name = "part-1-8-0.m4s", .kind = EDGE_PART, .body = part };
    struct edge_bundle *bundle = edge_bundle_create(old, 2);
    struct edge_snapshot *s[2];
    for (size_t i = 0; i < 2; i++)
        s[i] = edge_snapshot_create(&(struct edge_snapshot_config){
            .media = EDGE_VIDEO_MP4, .playlist = text, .objects = &own, .object_count = i, .bundle = bundle });
    edge_bundle_unref(bundle);
    frozen_unref(body);
    frozen_unref(part);
    frozen_unref(text);
    assert_ptr_equal(edge_snapshot_find(s[0], "seg-1-7.m4s", 11), edge_snapshot_find(s[1], "seg-1-7.m4s", 11));
    assert_null(edge_snapshot_find(s[0], "part-1-8-0.m4s", 14));
    edge_snapshot_unref(s[0]);
    assert_int_equal(edge_snapshot_find(s[1], "part-1-8-0.m4s", 14)->kind, EDGE_PART);
    assert_int_equal(frozen_bytes(edge_snapshot_find(s[1], "init-1.mp4", 10)->body), 4);
    edge_snapshot_unref(s[1]);
}

static void objects_are_found_by_their_whole_name(void **state)
{
    static const struct {
        const char *name;
        enum edge_object_kind kind; /* 0: not there */
    } asked[] = { { "init-1.mp4", EDGE_INIT },
                  { "seg-1-7.m4s", EDGE_SEGMENT },
                  { "seg-1-7.m4", 0 },
                  { "seg-1-7.m4ss", 0 },
                  { "", 0 },
                  { "seg-1-8.m4s", 0 } };
    struct edge_snapshot *s = make("x", 7);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        const struct edge_object *o = edge_snapshot_find(s, asked[i].name, strlen(asked[i].name));
        if (!asked[i].kind)
            assert_null(o);
        else
            assert_int_equal(o->kind, asked[i].kind);
    }
    edge_snapshot_unref(s);
}

static void renditions_have_a_ceiling(void **state)
{
    struct live_edge *e = live_edge_create("live/a");
    char name[EDGE_RENDITION_NAME_BYTES];
    for (int i = 0; i < RENDITIONS_MAX; i++) {
        snprintf(name, sizeof name, "r%d", i);
        assert_int_equal(live_edge_publish(e, name, make("x", 1)), WEIR_OK);
    }
    assert_int_equal(live_edge_publish(e, "one-more", make("x", 1)), WEIR_LIMIT);
    assert_int_equal(live_edge_publish(e, "a-name-that-is-too-long", make("x", 1)), WEIR_LIMIT);
    assert_int_equal(live_edge_publish(e, "r3", make("x", 2)), WEIR_OK);
    assert_null(live_edge_acquire(e, "one-more", 8));
    live_edge_unref(e);
}

static void viewers_come_and_go(void **state)
{
    struct live_edge *e = live_edge_create("live/a");
    const int64_t start_us = 1000000000;
    for (uint64_t id = 1; id <= 500; id++) {
        live_edge_note_viewer(e, id * 7919, false, start_us);
        live_edge_note_viewer(e, id * 7919, false, start_us + 1000);
    }
    assert_int_equal(live_edge_viewers(e, start_us + 1000000), 500);
    live_edge_note_viewer(e, 7919, false, start_us + 10000000);
    assert_int_equal(live_edge_viewers(e, start_us + 13000000), 1);
    assert_int_equal(live_edge_viewers(e, start_us + 60000000), 0);
    live_edge_unref(e);
}

/* A crowd fills the table; when it has left, those who come are counted again. */
static void a_full_table_empties_again(void **state)
{
    struct live_edge *e = live_edge_create("live/a");
    const int64_t start_us = 1000000000;
    for (uint64_t id = 1; id <= VIEWERS_TRACKED_MAX + 100; id++) live_edge_note_viewer(e, id << 8, false, start_us);
    assert_int_equal(live_edge_viewers(e, start_us), VIEWERS_TRACKED_MAX);
    for (uint64_t id = 1; id <= 10; id++) live_edge_note_viewer(e, id << 40, false, start_us + 60000000);
    assert_int_equal(live_edge_viewers(e, start_us + 60000000), 10);
    live_edge_unref(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_created_by_asking),
        cmocka_unit_test(a_reader_keeps_what_it_took),
        cmocka_unit_test(thumbnails_are_made_for_who_asks),
        cmocka_unit_test(a_snapshot_says_what_a_waiting_request_needs),
        cmocka_unit_test(listeners_hear_every_change),
        cmocka_unit_test(a_bundle_is_shared_by_snapshots),
        cmocka_unit_test(objects_are_found_by_their_whole_name),
        cmocka_unit_test(renditions_have_a_ceiling),
        cmocka_unit_test(viewers_come_and_go),
        cmocka_unit_test(a_full_table_empties_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
