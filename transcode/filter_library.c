#include "filter_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct filter_library library;
static bool is_whole;

static void load(void)
{
    /* the version that weir was built against, and no other */
    void *handle = dlopen("libavfilter.so." TEXT(LIBAVFILTER_VERSION_MAJOR), RTLD_NOW | RTLD_LOCAL);
    if (!handle) return;
    is_whole = true;
#define X(function)                                                                                                    \
    library.function = (__typeof__(library.function))dlsym(handle, #function);                                         \
    is_whole = is_whole && library.function != NULL;
    FILTER_FUNCTIONS(X)
#undef X
}

const struct filter_library *filter_library(void)
{
    pthread_once(&once, load);
    return is_whole ? &library : NULL;
}
