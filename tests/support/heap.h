/* Memory in use, whatever the allocator. HEAP_IS_EXACT 0: the thread sanitizer's allocator takes whole size classes, a tenth more. */
#ifndef WEIR_TESTS_HEAP_H
#define WEIR_TESTS_HEAP_H

#include <malloc.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER_HEAP 1
#endif
#if __has_feature(thread_sanitizer)
#define HEAP_IS_EXACT 0
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER_HEAP 1
#elif defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER_HEAP 1
#define HEAP_IS_EXACT 0
#endif
#ifndef HEAP_IS_EXACT
#define HEAP_IS_EXACT 1
#endif
#ifdef HAS_SANITIZER_HEAP
size_t __sanitizer_get_current_allocated_bytes(void); /* not every compiler brings the header */
static inline size_t heap_bytes(void)
{
    return __sanitizer_get_current_allocated_bytes();
}
#else
static inline size_t heap_bytes(void)
{
    return mallinfo2().uordblks;
}
#endif

#endif
