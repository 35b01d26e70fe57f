#include "format_library.h"

#include <dlfcn.h>
#include <stdbool.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const struct format_library *format_library(void)
{
    static struct format_library library; /* of a child process with one thread */
    static bool is_whole;
    if (is_whole) return &library;
    void *handle = dlopen("libavformat.so." TEXT(LIBAVFORMAT_VERSION_MAJOR), RTLD_NOW | RTLD_LOCAL);
    if (!handle) return NULL;
    is_whole = true;
#define X(function)                                                                                                    \
    library.function = (__typeof__(library.function))dlsym(handle, #function);                                         \
    is_whole = is_whole && library.function != NULL;
    FORMAT_FUNCTIONS(X)
#undef X
    return is_whole ? &library : NULL;
}
