/* Checking a graph and getting it ready to run. By one thread, while it does not run. */
#ifndef WF_PARALLEL_GRAPH_COMPILE_H
#define WF_PARALLEL_GRAPH_COMPILE_H

#include "parallel/graph.h"

/* As weft_graph_compile(); nothing is done if nothing has changed since. */
weft_status wf_graph_compile(weft_graph *graph);

#endif
