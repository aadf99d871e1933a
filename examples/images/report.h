/* What a run came to, for people: the summary, and the images that are left out. */
#ifndef IMAGES_REPORT_H
#define IMAGES_REPORT_H

#include <stdint.h>

#include "loader.h"
#include "shards.h"

struct totals {
    uint64_t written, left_out; /* images */
    uint64_t dropped;           /* by --drop-last */
};

struct totals report_totals(const struct files *files, uint64_t written);

/** Name every image that is left out on standard error, with the reason. */
void report_problems(const struct files *files);

/** Print the summary: how much, how fast, and which stage bounds it. `shards` NULL: nothing was written. */
void report_summary(const struct loader *loader, const struct shards *shards, const struct totals *totals);

#endif
