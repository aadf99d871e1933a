/* Marks memory that nobody may use, for AddressSanitizer; nothing in other builds. */
#ifndef WF_MEMORY_POISON_H
#define WF_MEMORY_POISON_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WF_ADDRESS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WF_ADDRESS_SANITIZER 1
#endif

#ifdef WF_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>

static inline void wf_poison(const void *start, size_t bytes) {
    __asan_poison_memory_region(start, bytes);
}
static inline void wf_unpoison(const void *start, size_t bytes) {
    __asan_unpoison_memory_region(start, bytes);
}
#else
static inline void wf_poison(const void *start, size_t bytes) {
    (void)start, (void)bytes;
}
static inline void wf_unpoison(const void *start, size_t bytes) {
    (void)start, (void)bytes;
}
#endif

#endif
