/*
 * Clusters of duplicates: a forest of document ids in which a root is the smallest id of its tree. A union hangs the larger
 * root under the smaller, so whatever the order of the unions, the root that remains is the cluster's smallest id.
 */
#ifndef PREPROCESS_CLUSTERS_H
#define PREPROCESS_CLUSTERS_H

#include "run.h"

/** Unite documents with the same text. */
weft_status clusters_exact(struct run *run);

/** Unite the smallest ids of these clusters that are near duplicates. After clusters_exact(). */
weft_status clusters_near(struct run *run);

/** Write representatives, agreements and counts to the findings. After clusters_near(). */
weft_status clusters_settle(struct run *run);

#endif
