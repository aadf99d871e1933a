/*
 * The three faces of a plan: text for people, JSON for programs, SVG for the eye.
 * Threading: one thread. Each returns 0, or -1 with errno set.
 */
#ifndef WF_CLI_PLAN_OUTPUT_H
#define WF_CLI_PLAN_OUTPUT_H

#include <stdio.h>

#include "weft/plan.h"

int wf_plan_print_text(FILE *to, const weft_plan *plan);
int wf_plan_print_json(FILE *to, const weft_plan *plan);

/* path "-" is standard output. */
int wf_plan_write_svg(const char *path, const weft_plan *plan);

/* What the three share: pieces of text, each in memory of its own that the caller frees. NULL: no memory. */
char *wf_text_list(const unsigned *numbers, unsigned count); /* "0-7,16-23" of increasing numbers, "" of none */
char *wf_text_pus(const weft_plan *plan, unsigned first_worker, unsigned count); /* the workers' PUs, as a list */
char *wf_text_nodes(const int *os_indexes, unsigned count);                      /* "0, 2" */

/* A copy, which the caller frees, with "?" for what is no character: paths may hold any bytes, JSON and SVG may not. */
char *wf_text_clean(const char *text);

/* Bytes as "64.0 GiB"; `unknown` for 0. Valid until the next call but seven. */
const char *wf_text_bytes(uint64_t bytes, const char *unknown);

/* Name of a node: "3", or "unnamed 1" for -1. Valid until the next call but seven. */
const char *wf_text_node(int os_index);

/* Distance between two nodes as their workers' victim groups tell it; 0 for a node and itself. */
uint64_t wf_plan_distance(const weft_plan *plan, unsigned from, unsigned to);

/* One behind the last worker of the same node that shares the cache of worker `first`, none if it has no cache. */
unsigned wf_plan_cache_end(const weft_plan *plan, unsigned first);

#endif
