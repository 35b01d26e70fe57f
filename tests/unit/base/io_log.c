#include "hex.h"

#include <weir/base/log.h>

static void levels_by_room(void **unused_state)
{
    assert_true(log_set_levels("warn,ingest=debug"));
    assert_int_equal(log_room_level(LOG_INGEST), LOG_DEBUG);
    assert_int_equal(log_room_level(LOG_SERVER), LOG_WARN);
    assert_false(log_wants(LOG_SERVER, LOG_INFO));
    assert_false(log_set_levels("loud"));
    assert_false(log_set_levels("kitchen=info"));
    assert_int_equal(log_room_level(LOG_SERVER), LOG_WARN);
    assert_true(log_set_levels("info"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(levels_by_room) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
