/* The configuration file: any text gives a configuration or an error with words. */
#include <stdlib.h>
#include <string.h>
#include <weir/server/config.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct config config;
    struct config_error error = { "" };
    config_init(&config);
    const enum weir_err err = config_load_yaml(&config, (const char *)data, bytes, "fuzz.yaml", &error);
    if (err == WEIR_CONFIG && !error.text[0]) abort();
    if (!err) (void)!config_check(&config, &error);
    config_deinit(&config);
    return 0;
}
