/* Sorting in place by a function: a quicksort that forks, and ends in a heap sort where its pivots are bad. */
#ifndef WF_PARALLEL_QUICKSORT_H
#define WF_PARALLEL_QUICKSORT_H

#include "parallel/order.h"
#include "weft/pool.h"

/* WEFT_ECLOSED: as weft_run(); nothing has happened then. Takes no memory but stack. */
weft_status wf_quicksort(weft_pool *pool, const struct wf_order *order, char *items, size_t count);

#endif
