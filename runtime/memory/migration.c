/*
 * One batch: ask for the nodes, keep the pages that are elsewhere, move them, ask again where not every page was said to arrive.
 *
 * What move_pages(2) answers is not the whole truth. The tail pages of a huge page that moves come back as busy or refused, since
 * the first one took all along. A call that meets a page that it cannot move returns a positive number and has not tried what
 * came after the group in which that page was; the group's own pages have no answer. And a full node ends the call with ENOMEM
 * when some pages have moved. So arrival is asked, and only the reason of what has not arrived is taken from the answer.
 */
#include "memory/migration.h"

#include <errno.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/status.h"
#include "memory/mappings.h"
#include "memory/pages.h"
#include "memory/placement.h"

#define BATCH 4096
#define OPEN (-1)
#define UNANSWERED (-EAGAIN) /* the kernel says nothing about this page */

#define HIDDEN                                                                                                                   \
    "pages that are in memory but unmapped (NUMA balancing on Linux 6.1, page cache) count as absent and stay where they are; "  \
    "touching maps those of a file, and then they move"

static const char *const refusals[WEFT_REFUSALS] = {
    [WEFT_REFUSED_BUSY] = "some pages are in use by the kernel or a device (pinned, under input or output): they may move later",
    [WEFT_REFUSED_PAGE_CACHE] = "some pages are a file's (page cache) and in use by its file system: they may move once they are "
                                "written back (msync, fsync), or copy the data into an array of weft's own",
    [WEFT_REFUSED_IMMOVABLE] = "some pages cannot be moved: move_pages(2) refuses them",
    [WEFT_REFUSED_SHARED] =
        "some pages are shared with other processes (as of a file that several have mapped), or mapped twice by this one, and "
        "stay: "
        "they lie well where the first to touch them belongs there, or copy the data into an array of weft's own",
    [WEFT_REFUSED_NO_NODE] = "the node has no name in this system, or the process may not use it (any more)",
    [WEFT_REFUSED_NO_ROOM] = "the node has no memory left",
};

const char *weft_refusal_text(weft_refusal refusal) {
    return (unsigned)refusal < WEFT_REFUSALS ? refusals[refusal] : "";
}

struct batch {
    const struct wf_migration_order *order;
    weft_migration *report;
    int closed; /* weft_refusal why the target takes no more, else OPEN */
    unsigned tries;
    struct wf_mapping mapping; /* of the last page that was refused */
    size_t count;
    void *pages[BATCH]; /* only named to the kernel, never accessed */
    int nodes[BATCH];   /* where they are */
    int answers[BATCH]; /* what became of them: the node, or a negative errno */
    int targets[BATCH];
};

/* -1: fine, 0: hidden, else 1 and a refusal. */
static int gravity(const char *reason) {
    for (int i = WEFT_REFUSALS - 1; i >= 0; i--)
        if (reason == refusals[i])
            return i + 1;
    return *reason ? 0 : -1;
}

static void note(weft_migration *report, const char *reason) {
    if (gravity(reason) > gravity(report->reason))
        report->reason = reason;
}

void wf_migration_add(weft_migration *sum, const weft_migration *part) {
    sum->page_bytes = wf_page_bytes();
    sum->pages += part->pages;
    sum->moved += part->moved;
    sum->there_already += part->there_already;
    sum->absent += part->absent;
    sum->refused += part->refused;
    for (unsigned i = 0; i < WEFT_REFUSALS; i++)
        sum->refused_by[i] += part->refused_by[i];
    note(sum, part->reason);
}

static bool is_of_file(struct batch *batch, const void *page) {
    uintptr_t address = (uintptr_t)page;
    if (address < batch->mapping.first || address >= batch->mapping.last)
        wf_mapping_find(address, &batch->mapping);
    return batch->mapping.file;
}

static weft_refusal reason_of(struct batch *batch, size_t i) {
    int answer = batch->answers[i];
    if (batch->closed != OPEN)
        return (weft_refusal)batch->closed;
    if (answer == -EACCES)
        return WEFT_REFUSED_SHARED;
    if (is_of_file(batch, batch->pages[i]))
        return WEFT_REFUSED_PAGE_CACHE;
    return answer == -EBUSY || answer == UNANSWERED ? WEFT_REFUSED_BUSY : WEFT_REFUSED_IMMOVABLE;
}

/* Where the pages of the batch are now; those that are there count in *there, absent ones as absent, and the others stay. */
static weft_status sort_out(struct batch *batch, size_t *there) {
    weft_status status = wf_placement_ask(batch->pages, batch->nodes, batch->count);
    if (status != WEFT_OK)
        return status;
    if (wf_placement_hides(batch->pages, batch->nodes, batch->count, &batch->tries))
        note(batch->report, HIDDEN);
    size_t kept = 0, absent = 0, count = batch->count;
    int target = batch->order->target, home = batch->order->home;
    for (size_t i = 0; i < count; i++) {
        int node = batch->nodes[i];
        if (node < 0) {
            absent++;
        } else if (node != target && node != home) {
            batch->pages[kept] = batch->pages[i];
            batch->answers[kept++] = batch->answers[i];
        }
    }
    batch->report->absent += absent;
    *there += count - absent - kept;
    batch->count = kept;
    return WEFT_OK;
}

static void refuse(struct batch *batch, size_t first, size_t last) {
    batch->report->refused += last - first;
    for (size_t i = first; i < last; i++) {
        weft_refusal reason = reason_of(batch, i);
        batch->report->refused_by[reason]++;
        note(batch->report, refusals[reason]);
    }
}

static weft_status move_failed(int error) {
    weft_status status = error == ENOSYS ? WEFT_ENOTSUP : WEFT_EPERM;
    return wf_fail(status, "the kernel does not move pages: move_pages: %s", strerror(error));
}

/* Returns how many of the pages the kernel has not moved, at least; negative: the call itself was refused, see *status. */
static long move(struct batch *batch, weft_status *status) {
    for (size_t i = 0; i < batch->count; i++) {
        batch->targets[i] = batch->order->target;
        batch->answers[i] = UNANSWERED;
    }
    long left = syscall(SYS_move_pages, 0, batch->count, batch->pages, batch->targets, batch->answers, MPOL_MF_MOVE);
    if (left >= 0)
        return left;
    if (errno == ENOMEM)
        batch->closed = WEFT_REFUSED_NO_ROOM;
    else if (errno == ENODEV || errno == EACCES)
        batch->closed = WEFT_REFUSED_NO_NODE;
    else
        *status = move_failed(errno);
    return left;
}

static bool all_arrived(const struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        if (batch->answers[i] != batch->order->target)
            return false;
    return true;
}

/*
 * Address of the last page that was tried, when the kernel has left some. Up to the last one with an answer they were tried; where
 * none has one, all were, as one group.
 */
static uintptr_t last_tried(const struct batch *batch, long left) {
    size_t i = batch->count;
    while (left > 0 && i > 0 && batch->answers[i - 1] == UNANSWERED)
        i--;
    return (uintptr_t)batch->pages[i > 0 ? i - 1 : batch->count - 1];
}

/* Move what is elsewhere; each round tries at least one more page than the round before. */
static weft_status move_batch(struct batch *batch) {
    weft_status status = WEFT_OK;
    while (batch->count && batch->closed == OPEN) {
        long left = move(batch, &status);
        if (status != WEFT_OK)
            return status;
        if (!left && all_arrived(batch)) {
            batch->report->moved += batch->count;
            batch->count = 0;
            break;
        }
        uintptr_t last = last_tried(batch, left);
        if ((status = sort_out(batch, &batch->report->moved)) != WEFT_OK)
            return status;
        size_t tried = batch->closed == OPEN ? batch->count : 0;
        while (tried && (uintptr_t)batch->pages[tried - 1] > last)
            tried--;
        refuse(batch, 0, tried);
        batch->count -= tried;
        memmove(batch->pages, batch->pages + tried, batch->count * sizeof *batch->pages);
    }
    refuse(batch, 0, batch->count);
    batch->count = 0;
    return WEFT_OK;
}

static weft_status finish(struct batch *batch) {
    const struct wf_migration_order *order = batch->order;
    size_t count = batch->count;
    batch->report->pages += count;
    weft_status status = sort_out(batch, &batch->report->there_already);
    if (status == WEFT_OK)
        status = move_batch(batch);
    if (status == WEFT_OK && order->tried && !order->tried(order->arg, count))
        status = wf_fail(WEFT_ECANCELED, "stopped by the caller's own callback");
    return status;
}

/* Bytes [first, last) counted from `base`. */
static weft_status add_pages(struct batch *batch, const char *base, size_t first, size_t last) {
    size_t page = wf_page_bytes();
    weft_status status = WEFT_OK;
    while (status == WEFT_OK && first < last) {
        size_t room = BATCH - batch->count, left = (last - first - 1) / page + 1, more = left < room ? left : room;
        for (size_t i = 0; i < more; i++, first += page)
            batch->pages[batch->count + i] = (void *)(base + first);
        batch->count += more;
        if (batch->count == BATCH)
            status = finish(batch);
    }
    return status;
}

/* Every unit of the order. */
static weft_status add_units(struct batch *batch) {
    const struct wf_migration_order *order = batch->order;
    size_t head = (uintptr_t)order->start & (wf_page_bytes() - 1);
    const char *base = (const char *)order->start - head;
    size_t bytes = order->bytes + head, stride = order->step * order->unit;
    weft_status status = WEFT_OK;
    for (size_t begin = order->first * order->unit; status == WEFT_OK && begin < bytes; begin += stride) {
        size_t end = bytes - begin < order->unit ? bytes : begin + order->unit;
        status = add_pages(batch, base, begin < order->lead ? order->lead : begin, end);
        if (stride > bytes - begin) /* the sum could exceed the address space */
            break;
    }
    return status == WEFT_OK && batch->count ? finish(batch) : status;
}

weft_status wf_migrate(const struct wf_migration_order *order, weft_migration *report) {
    struct batch *batch = malloc(sizeof *batch);
    if (!batch)
        return wf_fail(WEFT_ENOMEM, "no memory for the lists of pages to move (%zu bytes)", sizeof *batch);
    batch->order = order;
    batch->report = report;
    batch->closed = OPEN;
    batch->tries = 0;
    batch->mapping = (struct wf_mapping){0};
    batch->count = 0;
    report->page_bytes = wf_page_bytes();
    weft_status status = add_units(batch);
    free(batch);
    return status;
}

/* First line of a file of the kernel that begins with `key`, without key, blanks and end; "?" where there is none. */
static void read_list(const char *path, const char *key, char *list, size_t room) {
    char line[256];
    FILE *file = fopen(path, "re");
    snprintf(list, room, "?");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key))) {
            char *text = line + strlen(key);
            text += strspn(text, " \t");
            text[strcspn(text, "\n")] = 0;
            snprintf(list, room, "%s", text);
            break;
        }
    if (file)
        fclose(file);
}

static weft_status no_such_node(unsigned os_node) {
    char memory[64], allowed[64];
    read_list("/sys/devices/system/node/has_memory", "", memory, sizeof memory);
    read_list("/proc/self/status", "Mems_allowed_list:", allowed, sizeof allowed);
    return wf_fail(WEFT_EINVAL, "node %u takes no pages of this process: nodes with memory are %s, it may use %s", os_node,
                   memory, allowed);
}

/* Have the kernel say whether it moves pages to the node, by a page that is not there. */
static weft_status check_node(unsigned os_node) {
    void *page = NULL;
    int target = (int)os_node, answer = 0;
    if (os_node > INT_MAX)
        return no_such_node(os_node);
    if (syscall(SYS_move_pages, 0, 1, &page, &target, &answer, MPOL_MF_MOVE) >= 0)
        return WEFT_OK;
    return errno == ENODEV || errno == EACCES ? no_such_node(os_node) : move_failed(errno);
}

weft_status weft_memory_migrate(const void *start, size_t bytes, unsigned os_node, weft_migration *report) {
    if (!start || !bytes)
        return wf_fail(WEFT_EINVAL, "start and bytes must be given: at least one byte to move");
    if (bytes - 1 > UINTPTR_MAX - wf_page_bytes() - (uintptr_t)start)
        return wf_fail(WEFT_EINVAL, "%zu bytes at %p exceed the address space", bytes, start);
    weft_status status = check_node(os_node);
    if (status != WEFT_OK)
        return status;
    weft_migration found = WF_MIGRATION_INIT;
    const struct wf_migration_order whole = {
        .start = start, .bytes = bytes, .unit = SIZE_MAX, .step = 1, .target = (int)os_node, .home = (int)os_node};
    status = wf_migrate(&whole, &found);
    if (status == WEFT_OK && report)
        *report = found;
    return status;
}
