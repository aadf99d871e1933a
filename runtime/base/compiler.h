/* Compiler glue: branch hints, cold functions, alignment. Holds no weft concept. */
#ifndef WF_BASE_COMPILER_H
#define WF_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#define WF_LIKELY(x) __builtin_expect(!!(x), 1)
#define WF_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define WF_COLD __attribute__((cold, noinline))
#define WF_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* Two threads that write different lines of this size never share one (adjacent-line prefetch is left out on purpose). */
#define WF_LINE 64
#define WF_LINE_ALIGNED _Alignas(WF_LINE)

/* Fetch a line that the caller will write; a hint, any address is allowed. */
static inline void wf_prefetch_write(uintptr_t address) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw (%0)" : : "r"(address)); /* the builtin reads only, unless the target is known to have it */
#else
    __builtin_prefetch((const void *)address, 1);
#endif
}

#define WF_ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define WF_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
