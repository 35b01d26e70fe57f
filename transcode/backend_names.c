#include <string.h>
#include <weir/base/limits.h>
#include <weir/transcode/backend.h>

bool backend_name_is_known(const char *name)
{
    static const char *const names[] = { "auto", "nvidia", "nvidia-split", "vaapi", "qsv", "cpu" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!strcmp(name, names[i])) return true;
    }
    return false;
}
