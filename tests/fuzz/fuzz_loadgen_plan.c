/* Schedules: what can be read can be written, and reads the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <weir/loadgen/chaos_plan.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct chaos_plan one, two;
    struct byte_writer text;
    unsigned line;
    if (chaos_plan_read((const char *)data, bytes, &one, &line)) return 0;
    byte_writer_init(&text, 1 << 22);
    chaos_plan_write(&one, &text);
    if (text.failed || chaos_plan_read((const char *)text.data, text.bytes, &two, &line) || one.count != two.count)
        abort();
    for (uint32_t i = 0; i < one.count; i++)
        if (one.events[i].kind != two.events[i].kind || one.events[i].us != two.events[i].us) abort();
    chaos_plan_deinit(&one);
    chaos_plan_deinit(&two);
    byte_writer_deinit(&text);
    return 0;
}
