/* New memory made present, part by part, by all of a peer's threads. pool.c is the peer's ways. */
#ifndef BENCH_TOUCH_TOUCH_H
#define BENCH_TOUCH_TOUCH_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/memory.h"

struct touch {
    size_t bytes; /* a multiple of huge pages */
    enum memory_pages pages;
    void *start; /* of the memory that run() made */
    void *array; /* weft's */
};

struct touch_way {
    const char *way;
    bool (*run)(struct touch *touch);
    void (*release)(struct touch *touch);
};
extern const struct touch_way touch_ways[]; /* of the peer; ended by one without a name */

#endif
