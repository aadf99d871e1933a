/*
 * Memory for the time of one call, as large as the caller's own: its pages are made present by the workers, each its part, so that
 * there is enough of it before anything of the caller's is touched. Threading: a workspace belongs to its caller.
 */
#ifndef WF_PARALLEL_WORKSPACE_H
#define WF_PARALLEL_WORKSPACE_H

#include "memory/pages.h"
#include "weft/pool.h"

struct wf_workspace {
    char *start; /* aligned to 64 bytes */
    struct wf_area area;
};

/* WEFT_ENOMEM; WEFT_ECLOSED and WEFT_EFORK as weft_for(). */
weft_status wf_workspace_take(struct wf_workspace *workspace, weft_pool *pool, size_t bytes);
void wf_workspace_release(struct wf_workspace *workspace);

#endif
