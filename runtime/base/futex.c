/* The raw futex system calls; errno is preserved because tasks run between them. */
#include "base/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void wf_futex_wait(wf_atomic_u32 *word, uint32_t expected) {
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
    errno = saved;
}

void wf_futex_wait_until(wf_atomic_u32 *word, uint32_t expected, uint64_t end_ns) {
    if (!end_ns) {
        wf_futex_wait(word, expected);
        return;
    }
    int saved = errno;
    struct timespec end = {(time_t)(end_ns / 1000000000u), (long)(end_ns % 1000000000u)};
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, &end, NULL, FUTEX_BITSET_MATCH_ANY);
    errno = saved;
}

void wf_futex_wake(wf_atomic_u32 *word, int count) {
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
    errno = saved;
}
