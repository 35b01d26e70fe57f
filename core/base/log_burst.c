#include <weir/base/limits.h>
#include <weir/base/log_burst.h>

bool log_burst_take(struct log_burst *b, int64_t now_us, uint64_t *left_out)
{
    if (now_us < b->next_us) {
        b->left_out++;
        return false;
    }
    *left_out = b->left_out;
    *b = (struct log_burst){ .next_us = now_us + LOG_BURST_US };
    return true;
}
