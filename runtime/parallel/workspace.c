#include "parallel/workspace.h"

#include <stdlib.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/status.h"
#include "parallel/loop.h"

#define SMALL ((size_t)256 << 10) /* malloc() has so much at hand */
#define PART ((size_t)4 << 20)    /* made present at once */

struct population {
    const struct wf_area *area;
    wf_atomic_u32 failed; /* A: relaxed, the loop's end orders it */
};

static void populate(void *arg, weft_range parts) {
    struct population *population = arg;
    const struct wf_area *area = population->area;
    size_t first = parts.first * PART, last = parts.last * PART < area->bytes ? parts.last * PART : area->bytes;
    if (wf_pages_populate((char *)area->start + first, last - first))
        wf_store(&population->failed, 1, WF_RELAXED);
}

static weft_status take_pages(struct wf_workspace *workspace, weft_pool *pool, size_t bytes) {
    weft_status status = wf_area_reserve(&workspace->area, bytes, WEFT_PAGES_THP);
    if (status)
        return status;
    struct population population = {.area = &workspace->area};
    size_t parts = workspace->area.bytes / PART + (workspace->area.bytes % PART != 0);
    status = wf_loop_run(pool, &(struct wf_loop_request){.n = parts, .body = populate, .arg = &population, .grain = 1});
    if (!status && wf_load(&population.failed, WF_RELAXED))
        status = wf_fail(WEFT_ENOMEM, "no memory for a workspace of %zu bytes, which is as much as the items take", bytes);
    if (status)
        wf_area_release(&workspace->area);
    else
        workspace->start = workspace->area.start;
    return status;
}

weft_status wf_workspace_take(struct wf_workspace *workspace, weft_pool *pool, size_t bytes) {
    *workspace = (struct wf_workspace){0};
    if (bytes > SMALL)
        return take_pages(workspace, pool, bytes);
    workspace->start = aligned_alloc(WF_LINE, (bytes + WF_LINE) / WF_LINE * WF_LINE);
    return workspace->start ? WEFT_OK : wf_fail(WEFT_ENOMEM, "no memory for a workspace of %zu bytes", bytes);
}

void wf_workspace_release(struct wf_workspace *workspace) {
    if (workspace->area.bytes)
        wf_area_release(&workspace->area);
    else
        free(workspace->start);
}
