/*
 * Calls into the C library that fail on demand: malloc() and its kind, mmap(), files, thread attributes, system calls. The
 * functions of inject.c stand in front of the system's, in the whole program and the libraries it uses. One call fails per run,
 * the n-th; which one it was, and for which function of this program, is kept.
 */
#ifndef WEFT_TESTS_INJECT_H
#define WEFT_TESTS_INJECT_H

#include <stdbool.h>

struct injected {
    const char *call;  /* that failed; NULL: none did */
    const char *where; /* the function of this program that made it, or on whose behalf a library did */
};

/* Once, while there is one thread. */
void inject_prepare(void);

/* The n-th call from now on fails; own: calls that libraries (hwloc) make for themselves do not count. */
void inject_arm(long n, bool own);

/* No call fails any more; tells the one that did since inject_arm(). */
struct injected inject_disarm(void);

#endif
