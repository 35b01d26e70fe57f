/* An SRT loop that hangs is noticed, and that it turns again, too. */
#include "hex.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/loop.h>

#include "server/house_srt.h"

#define DEADLINE_S 10
#define SECOND 1000000LL

static enum weir_err furnish(void *context, struct stream *stream)
{
    return WEIR_OK;
}

struct hang {
    sem_t begun, over;
};

static void hang(void *a, void *b)
{
    struct hang *h = a;
    sem_post(&h->begun);
    sem_wait(&h->over);
}

static void after(void *a, void *b)
{
    sem_post(a);
}

static void await(sem_t *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    assert_int_equal(sem_timedwait(s, &until), 0);
}

static void a_loop_that_hangs_is_noticed(void **unused_state)
{
    struct config config;
    struct config_error error = { "" };
    struct house_srt *h = NULL;
    struct registry *registry = NULL;
    const struct registry_config names = { .furnish = furnish, .streams_max = 10 };
    uint16_t port = 0;
    config_init(&config);
    log_set_level(LOG_ERROR);
    assert_int_equal(registry_create(&registry, &names), WEIR_OK);
    assert_int_equal(house_srt_create(&h, &config, "the-server-key", NULL, registry, &error), WEIR_OK);
    for (int i = 0; i < 2; i++) assert_int_equal(house_srt_listen(h, "127.0.0.1:0", NULL, &port, &error), WEIR_OK);
    assert_true(port != 0);
    struct loop *const *loops;
    assert_int_equal(house_srt_loops(h, &loops), 2);
    for (int i = 0; i < 2; i++) assert_int_equal(loop_start(loops[i]), WEIR_OK);
    int64_t now_us = clock_now_us();
    struct hang trouble;
    sem_init(&trouble.begun, 0, 0);
    sem_init(&trouble.over, 0, 0);
    assert_int_equal(loop_post(loops[1], hang, &trouble, NULL), WEIR_OK);
    await(&trouble.begun);
    house_srt_watch(h, now_us);
    assert_int_equal(house_srt_stuck(h), 0);
    /* the other loop's pulse has come back by then: its mailbox is empty */
    assert_int_equal(loop_post(loops[0], after, &trouble.begun, NULL), WEIR_OK);
    await(&trouble.begun);
    house_srt_watch(h, now_us + 11 * SECOND);
    assert_int_equal(house_srt_stuck(h), 1);
    sem_post(&trouble.over);
    for (int i = 0; i < 2; i++) assert_int_equal(loop_post(loops[i], after, &trouble.begun, NULL), WEIR_OK);
    for (int i = 0; i < 2; i++) await(&trouble.begun);
    house_srt_watch(h, now_us + 22 * SECOND);
    assert_int_equal(house_srt_stuck(h), 0);
    house_srt_stop_accepting(h);
    for (int i = 0; i < 2; i++) loop_stop(loops[i]);
    for (int i = 0; i < 2; i++) loop_join(loops[i]);
    house_srt_close(h);
    registry_destroy(registry);
    house_srt_destroy(h);
    config_deinit(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_that_hangs_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
