/* Pages and their nodes, in batches of one system call each. Keeps no state. */
#include "memory/placement.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/status.h"
#include "memory/pages.h"

#define BATCH 512 /* small enough for the stack and the first-level cache; a call costs as much as two or three of its pages */
#define ASK_AT_MOST 65536
#define HIDDEN_TRIES 64 /* looks for hidden pages at the begin of the memory, */
#define LATER_TRIES 2   /* and in each batch after these */

struct batch {
    void *addresses[BATCH];
    int nodes[BATCH];
};

/* No list of nodes to move to: nothing moves. */
weft_status wf_placement_ask(void **pages, int *nodes, size_t count) {
    if (!syscall(SYS_move_pages, 0, count, pages, NULL, nodes, 0))
        return WEFT_OK;
    weft_status status = errno == ENOSYS ? WEFT_ENOTSUP : errno == ENOMEM ? WEFT_ENOMEM : WEFT_EPERM;
    return wf_fail(status, "the kernel does not say where pages are: move_pages: %s", strerror(errno));
}

bool wf_placement_hides(void **pages, const int *nodes, size_t count, unsigned *tries) {
    unsigned most = *tries + LATER_TRIES > HIDDEN_TRIES ? *tries + LATER_TRIES : HIDDEN_TRIES;
    for (size_t i = 0; i < count && *tries < most; i++) {
        unsigned char resident = 0;
        if (nodes[i] != -ENOENT)
            continue;
        ++*tries;
        if (!mincore(pages[i], wf_page_bytes(), &resident) && resident & 1)
            return true;
    }
    return false;
}

static int node_of(int answer) {
    return answer < 0 ? WF_NODE_ABSENT : answer;
}

static weft_status ask_batch(struct batch *batch, size_t count, wf_placement_fn visit, void *arg,
                             struct wf_placement_scope *scope) {
    weft_status status = wf_placement_ask(batch->addresses, batch->nodes, count);
    if (status != WEFT_OK)
        return status;
    scope->hidden = scope->hidden || wf_placement_hides(batch->addresses, batch->nodes, count, &scope->tries);
    scope->asked += count;
    for (size_t first = 0, last; first < count; first = last) {
        int node = node_of(batch->nodes[first]);
        for (last = first + 1; last < count && node_of(batch->nodes[last]) == node;)
            last++;
        visit(arg, batch->addresses + first, last - first, node);
    }
    return WEFT_OK;
}

/* The page that is asked of the stretch that begins with page `head`. */
static size_t choose(size_t head, size_t stretch, size_t total) {
    uint64_t scramble = head;
    return head + (size_t)(wf_rng_next(&scramble) % (total - head < stretch ? total - head : stretch));
}

weft_status wf_placement_visit(const void *start, size_t bytes, wf_placement_fn visit, void *arg,
                               struct wf_placement_scope *scope) {
    size_t page_bytes = wf_page_bytes();
    uintptr_t first = (uintptr_t)start / page_bytes, last = ((uintptr_t)start + (bytes - 1)) / page_bytes;
    size_t total = last - first + 1, stretch = scope->exact ? 1 : (total - 1) / ASK_AT_MOST + 1;
    size_t left = (total - 1) / stretch + 1, head = 0;
    weft_status status = WEFT_OK;
    struct batch batch;
    while (left && status == WEFT_OK) {
        size_t count = left < BATCH ? left : BATCH;
        for (size_t i = 0; i < count; i++, head += stretch) {
            size_t page = stretch == 1 ? head : choose(head, stretch, total);
            batch.addresses[i] = (void *)((first + page) * page_bytes); /* only named to the kernel, never accessed */
        }
        status = ask_batch(&batch, count, visit, arg, scope);
        left -= count;
    }
    scope->pages += total;
    return status;
}

const char *wf_placement_reason(const struct wf_placement_scope *scope) {
    return scope->hidden ? "pages that are in memory but unmapped (NUMA balancing on Linux 6.1, page cache) count as absent" : "";
}

weft_status wf_node_counts_init(struct wf_node_counts *counts, const size_t *per_node, size_t nodes) {
    if (!per_node != !nodes)
        return wf_fail(WEFT_EINVAL, "per_node and nodes go together: room for at least one count, or NULL and 0");
    counts->absent = 0;
    counts->nodes = nodes;
    counts->per_node = nodes > WF_FEW_NODES ? calloc(nodes, sizeof *per_node) : memset(counts->few, 0, nodes * sizeof *per_node);
    return counts->per_node ? WEFT_OK : wf_fail(WEFT_ENOMEM, "no memory to count the pages of %zu nodes", nodes);
}

void wf_node_counts_add(struct wf_node_counts *counts, int node, size_t pages) {
    if (node == WF_NODE_ABSENT)
        counts->absent += pages;
    else if (counts->nodes)
        counts->per_node[(size_t)node < counts->nodes ? (size_t)node : counts->nodes - 1] += pages;
}

void wf_node_counts_finish(struct wf_node_counts *counts, size_t *per_node) {
    if (per_node)
        memcpy(per_node, counts->per_node, counts->nodes * sizeof *per_node);
    if (counts->per_node != counts->few)
        free(counts->per_node);
}

static void count_pages(void *arg, void *const *pages, size_t count, int node) {
    (void)pages;
    wf_node_counts_add(arg, node, count);
}

weft_status wf_query_check(weft_query query) {
    return (unsigned)query <= WEFT_QUERY_EXACT
               ? WEFT_OK
               : wf_fail(WEFT_EINVAL, "query is %d: it is WEFT_QUERY_SAMPLED or WEFT_QUERY_EXACT", (int)query);
}

weft_status weft_memory_query(const void *start, size_t bytes, weft_query query, weft_placement *placement, size_t *per_node,
                              size_t nodes) {
    if (!start || !bytes || !placement)
        return wf_fail(WEFT_EINVAL, "start, bytes and placement must be given: at least one byte and a place for the answer");
    if (bytes - 1 > UINTPTR_MAX - (uintptr_t)start)
        return wf_fail(WEFT_EINVAL, "%zu bytes at %p exceed the address space", bytes, start);
    struct wf_node_counts counts;
    weft_status status = wf_query_check(query);
    if (status != WEFT_OK || (status = wf_node_counts_init(&counts, per_node, nodes)) != WEFT_OK)
        return status;
    struct wf_placement_scope scope = {.exact = query == WEFT_QUERY_EXACT};
    status = wf_placement_visit(start, bytes, count_pages, &counts, &scope);
    if (status == WEFT_OK)
        *placement = (weft_placement){.page_bytes = wf_page_bytes(),
                                      .pages = scope.pages,
                                      .pages_asked = scope.asked,
                                      .pages_absent = counts.absent,
                                      .reason = wf_placement_reason(&scope)};
    wf_node_counts_finish(&counts, status == WEFT_OK ? per_node : NULL);
    return status;
}

weft_status weft_memory_placement(const void *start, size_t bytes, weft_placement *placement, size_t *per_node, size_t nodes) {
    return weft_memory_query(start, bytes, WEFT_QUERY_SAMPLED, placement, per_node, nodes);
}
