/*
 * Spans: runs of chunks that hold objects of one size class. Which objects are free is told by bits in the area's header; objects that
 * were never handed out lie behind the carved ones. Threading: under the lock of the node pool.
 */
#ifndef WF_MEMORY_NODE_SPAN_H
#define WF_MEMORY_NODE_SPAN_H

#include "memory/node_pool.h"

/* At most `most` objects of a class in ascending order, at least one; 0 with a text. */
unsigned wf_spans_take(struct wf_node_pool *pool, unsigned size_class, void **objects, unsigned most);

/* Whether wf_spans_take() would take a run of chunks that had no pages before. */
bool wf_spans_want_pages(const struct wf_node_pool *pool, unsigned size_class);

void wf_spans_give(struct wf_node_pool *pool, unsigned size_class, void *object);

/* Give back the runs of spans that have no object out. */
void wf_spans_trim(struct wf_node_pool *pool);

#endif
