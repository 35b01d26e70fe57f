/* Scenarios: any bytes are a scenario or an error that says where. */
#include <stdint.h>
#include <stdlib.h>
#include <weir/loadgen/scenario.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct scenario s;
    char error[512] = "";
    if (scenario_read("fuzz.yaml", (const char *)data, bytes, &s, error, sizeof error)) {
        if (!error[0]) abort();
        return 0;
    }
    const struct scenario_variable weir = { .name = "weir", .value = "/usr/bin/weir" };
    for (size_t i = 0; i < s.server_count; i++) {
        const char *unknown = NULL;
        if (s.servers[i].command) free(scenario_expand(s.servers[i].command, &weir, 1, &unknown));
    }
    scenario_deinit(&s);
    return 0;
}
