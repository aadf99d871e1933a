/*
 * Which tier a memory-only node is in: fast, normal or slow, beside the memory that workers have at home. The rule is in plan.md.
 * Threading: part of building a plan.
 */
#ifndef WF_MACHINE_TIERS_H
#define WF_MACHINE_TIERS_H

#include "machine/plan.h"

/* nearest: the OS index of a node of the plan that is nearest to it. */
weft_tier wf_tier_of(const struct weft_plan *plan, const struct wf_numa *numa, int nearest);

#endif
