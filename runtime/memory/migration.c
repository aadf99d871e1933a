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
#include "memory/pages.h"
#include "memory/placement.h"

#define BATCH 4096
#define UNANSWERED (-EAGAIN) /* the kernel says nothing about this page */

/* By gravity. */
static const char *const reasons[] = {
    "",
    "pages that are in memory but unmapped (NUMA balancing on Linux 6.1, page cache) count as absent and stay where they are",
    "some pages are in use by the kernel or a device (pinned, under input or output): they may move later",
    "some pages cannot be moved: move_pages(2) refuses them",
    "some pages are shared with other processes, and stay",
    "the node has no name in this system, or the process may not use it (any more)",
    "the node has no memory left",
};
enum { FINE, HIDDEN, BUSY, IMMOVABLE, SHARED, NO_NODE, NO_ROOM };

struct batch {
    const struct wf_migration_order *order;
    weft_migration *report;
    unsigned closed; /* reason why the target takes no more, else FINE */
    size_t count;
    void *pages[BATCH]; /* only named to the kernel, never accessed */
    int nodes[BATCH];   /* where they are */
    int answers[BATCH]; /* what became of them: the node, or a negative errno */
    int targets[BATCH];
};

static unsigned gravity(const char *reason) {
    for (unsigned i = WF_ARRAY_LENGTH(reasons) - 1; i > 0; i--)
        if (reason == reasons[i])
            return i;
    return FINE;
}

static void note(weft_migration *report, unsigned reason) {
    if (reason > gravity(report->reason))
        report->reason = reasons[reason];
}

void wf_migration_add(weft_migration *sum, const weft_migration *part) {
    sum->page_bytes = wf_page_bytes();
    sum->pages += part->pages;
    sum->moved += part->moved;
    sum->there_already += part->there_already;
    sum->absent += part->absent;
    sum->refused += part->refused;
    note(sum, gravity(part->reason));
}

static unsigned reason_of(int answer) {
    if (answer == -EACCES)
        return SHARED;
    return answer == -EBUSY || answer == UNANSWERED ? BUSY : IMMOVABLE;
}

/* Where the pages of the batch are now; those that are there count in *there, absent ones as absent, and the others stay. */
static weft_status sort_out(struct batch *batch, size_t *there) {
    weft_status status = wf_placement_ask(batch->pages, batch->nodes, batch->count);
    if (status != WEFT_OK)
        return status;
    if (wf_placement_hides(batch->pages, batch->nodes, batch->count))
        note(batch->report, HIDDEN);
    size_t kept = 0;
    for (size_t i = 0; i < batch->count; i++) {
        int node = batch->nodes[i];
        if (node < 0) {
            batch->report->absent++;
        } else if (node == batch->order->target || node == batch->order->home) {
            ++*there;
        } else {
            batch->pages[kept] = batch->pages[i];
            batch->answers[kept++] = batch->answers[i];
        }
    }
    batch->count = kept;
    return WEFT_OK;
}

static void refuse(struct batch *batch, size_t first, size_t last) {
    batch->report->refused += last - first;
    for (size_t i = first; i < last; i++)
        note(batch->report, batch->closed ? batch->closed : reason_of(batch->answers[i]));
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
        batch->closed = NO_ROOM;
    else if (errno == ENODEV || errno == EACCES)
        batch->closed = NO_NODE;
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
    while (batch->count && !batch->closed) {
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
        size_t tried = batch->closed ? 0 : batch->count;
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
    batch->report->pages += batch->count;
    weft_status status = sort_out(batch, &batch->report->there_already);
    return status == WEFT_OK ? move_batch(batch) : status;
}

weft_status wf_migrate(const struct wf_migration_order *order, weft_migration *report) {
    size_t page_bytes = wf_page_bytes(), head = (uintptr_t)order->start & (page_bytes - 1);
    struct batch *batch = malloc(sizeof *batch);
    if (!batch)
        return wf_fail(WEFT_ENOMEM, "no memory for the lists of pages to move (%zu bytes)", sizeof *batch);
    batch->order = order;
    batch->report = report;
    batch->closed = FINE;
    batch->count = 0;
    report->page_bytes = page_bytes;
    weft_status status = WEFT_OK;
    size_t bytes = order->bytes + head, stride = order->step * order->unit;
    for (size_t begin = order->first * order->unit; status == WEFT_OK && begin < bytes; begin += stride) {
        size_t end = bytes - begin < order->unit ? bytes : begin + order->unit;
        for (size_t byte = begin; status == WEFT_OK && byte < end; byte += page_bytes) {
            batch->pages[batch->count++] = (char *)order->start - head + byte;
            if (batch->count == BATCH)
                status = finish(batch);
        }
        if (stride > bytes - begin) /* the sum could exceed the address space */
            break;
    }
    if (status == WEFT_OK && batch->count)
        status = finish(batch);
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
    const struct wf_migration_order whole = {start, bytes, SIZE_MAX, 0, 1, (int)os_node, (int)os_node};
    status = wf_migrate(&whole, &found);
    if (status == WEFT_OK && report)
        *report = found;
    return status;
}
