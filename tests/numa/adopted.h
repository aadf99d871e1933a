/*
 * Adopted arrays beside what the kernel says: loops run each item where its page lies, queries and reports tell the same, and a repair
 * moves what it says. All checks end the program when they fail.
 */
#ifndef WEFT_TESTS_ADOPTED_H
#define WEFT_TESTS_ADOPTED_H

#include "numa.h"

struct adopted {
    const char *name; /* for what is printed */
    const struct machine *machine;
    unsigned shifted; /* added to the node where an item should run: then the checks must fail */
    weft_place place;
    weft_array *array;
    char *data; /* the first item */
    size_t n, item_bytes;
};

/* weft_array_adopt() of n items at data, with these options (NULL: none). */
struct adopted adopt(const char *name, const struct machine *machine, weft_pool *pool, const void *data, size_t n,
                     size_t item_bytes, const weft_array_options *options);

/*
 * A loop runs every item once, on the node of its page where that has CPUs and is known; the loop's report and the query of every page
 * count as the kernel does. Returns where the pages are.
 */
struct pages adopted_follows(const struct adopted *adopted);

/*
 * Repair: pages that moved are as many as the kernel says, counts add up, all but those refused are where they should be, and loops
 * follow. With `options` also progress may be told; the repair must go through.
 */
weft_migration adopted_repair(const struct adopted *adopted, const weft_migrate_options *options);

#endif
