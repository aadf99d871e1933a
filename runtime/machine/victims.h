/*
 * The order in which each worker looks for victims: its cache, its node, the other nodes by distance.
 * Threading: part of building a plan.
 */
#ifndef WF_MACHINE_VICTIMS_H
#define WF_MACHINE_VICTIMS_H

#include "machine/plan.h"

/* Fill groups and group_count of every worker. Needs workers, nodes, caches and distances. WEFT_ENOMEM. */
weft_status wf_victims_fill(struct weft_plan *plan);

#endif
