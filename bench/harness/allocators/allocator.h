/*
 * An allocator under measurement. A program holds one, linked as its users link it: each .c file of this folder is one, and says
 * whether it really is the one. The calls that are timed are in the headers beside (weft.h, malloc.h, tbbmalloc.h); BENCH_ALLOCATOR names the
 * one of the program's allocator:
 *
 *     void *allocator_new(size_t bytes);   NULL: no memory
 *     void allocator_delete(void *object); on any thread
 *
 * What the objects hold is written and checked by object_write() and object_right().
 */
#ifndef BENCH_HARNESS_ALLOCATORS_ALLOCATOR_H
#define BENCH_HARNESS_ALLOCATORS_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Name and version. */
const char *allocator_version(void);

/* Before the first object and after the last. False: it fails, or another allocator is linked in its place. */
bool allocator_start(unsigned workers);
bool allocator_stop(void);

/* Whether the C library's names (malloc, free) are defined by a file whose name contains `name`. */
bool allocator_is(const char *name);

/*
 * Peak of the process's resident memory since memory_begin(), in MiB; less than 0: the system does not tell. The program itself, its
 * libraries and the runtime's start are in neither.
 */
void memory_begin(void);
double memory_peak(void);

/* Pseudo-random numbers, the same ones for all allocators. */
static inline uint32_t random_next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* The first and the last word of an object (of 16 bytes or more, a multiple of 8): objects that overlap are seen. */
static inline void object_write(void *object, size_t bytes, uint64_t value) {
    uint64_t *words = (uint64_t *)object;
    words[0] = value;
    words[bytes / 8 - 1] = ~value;
    __asm__ volatile("" ::"r"(object) : "memory"); /* it counts as used */
}

static inline bool object_right(const void *object, size_t bytes, uint64_t value) {
    const uint64_t *words = (const uint64_t *)object;
    return words[0] == value && words[bytes / 8 - 1] == ~value;
}

#endif
