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

#define BATCH 4096
#define ASK_AT_MOST 65536
#define HIDDEN_TRIES 64 /* looks for hidden pages at the begin of the memory, */
#define LATER_TRIES 2   /* and in each batch after these */

struct batch {
    void *addresses[BATCH];
    size_t pages[BATCH];
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

static weft_status ask_batch(struct batch *batch, size_t count, wf_placement_fn visit, void *arg,
                             struct wf_placement_scope *scope) {
    weft_status status = wf_placement_ask(batch->addresses, batch->nodes, count);
    if (status != WEFT_OK)
        return status;
    scope->hidden = scope->hidden || wf_placement_hides(batch->addresses, batch->nodes, count, &scope->tries);
    scope->asked += count;
    for (size_t i = 0; i < count; i++)
        visit(arg, batch->pages[i], batch->nodes[i] < 0 ? WF_NODE_ABSENT : batch->nodes[i]);
    return WEFT_OK;
}

weft_status wf_placement_visit(const void *start, size_t bytes, wf_placement_fn visit, void *arg,
                               struct wf_placement_scope *scope) {
    size_t page_bytes = wf_page_bytes();
    uintptr_t first = (uintptr_t)start / page_bytes, last = ((uintptr_t)start + (bytes - 1)) / page_bytes;
    size_t total = last - first + 1, stretch = scope->exact ? 1 : (total - 1) / ASK_AT_MOST + 1;
    struct batch *batch = malloc(sizeof *batch);
    if (!batch)
        return wf_fail(WEFT_ENOMEM, "no memory to ask for the nodes of %zu pages", total);
    weft_status status = WEFT_OK;
    size_t count = 0;
    for (size_t head = 0; head < total && status == WEFT_OK; head += stretch) {
        uint64_t scramble = head;
        size_t room = total - head < stretch ? total - head : stretch;
        size_t page = stretch == 1 ? head : head + (size_t)(wf_rng_next(&scramble) % room);
        batch->pages[count] = page;
        batch->addresses[count] = (void *)((first + page) * page_bytes); /* only named to the kernel, never accessed */
        if (++count == BATCH || total - head <= stretch) {
            status = ask_batch(batch, count, visit, arg, scope);
            count = 0;
        }
    }
    free(batch);
    scope->pages += total;
    return status;
}

const char *wf_placement_reason(const struct wf_placement_scope *scope) {
    return scope->hidden ? "pages that are in memory but unmapped (NUMA balancing on Linux 6.1, page cache) count as absent" : "";
}

weft_status wf_node_counts_init(struct wf_node_counts *counts, const size_t *per_node, size_t nodes) {
    if (!per_node != !nodes)
        return wf_fail(WEFT_EINVAL, "per_node and nodes go together: room for at least one count, or NULL and 0");
    *counts = (struct wf_node_counts){.nodes = nodes, .per_node = calloc(nodes ? nodes : 1, sizeof *per_node)};
    return counts->per_node ? WEFT_OK : wf_fail(WEFT_ENOMEM, "no memory to count the pages of %zu nodes", nodes);
}

void wf_node_counts_add(struct wf_node_counts *counts, int node) {
    if (node == WF_NODE_ABSENT)
        counts->absent++;
    else if (counts->nodes)
        counts->per_node[(size_t)node < counts->nodes ? (size_t)node : counts->nodes - 1]++;
}

void wf_node_counts_finish(struct wf_node_counts *counts, size_t *per_node) {
    if (per_node)
        memcpy(per_node, counts->per_node, counts->nodes * sizeof *per_node);
    free(counts->per_node);
}

static void count_page(void *arg, size_t page, int node) {
    (void)page;
    wf_node_counts_add(arg, node);
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
    struct wf_node_counts counts = {0}; /* for gcc, which does not see that a failed init ends it here */
    weft_status status = wf_query_check(query);
    if (status != WEFT_OK || (status = wf_node_counts_init(&counts, per_node, nodes)) != WEFT_OK)
        return status;
    struct wf_placement_scope scope = {.exact = query == WEFT_QUERY_EXACT};
    status = wf_placement_visit(start, bytes, count_page, &counts, &scope);
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
