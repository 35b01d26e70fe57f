#include <weir/base/counters.h>

static const char *const names[COUNTER_COUNT] = {
#define X(id, name, help) [COUNTER_##id] = name,
    WEIR_COUNTERS(X)
#undef X
};
static const char *const helps[COUNTER_COUNT] = {
#define X(id, name, help) [COUNTER_##id] = help,
    WEIR_COUNTERS(X)
#undef X
};

const char *counter_name(enum counter id)
{
    return names[id];
}

const char *counter_help(enum counter id)
{
    return helps[id];
}
