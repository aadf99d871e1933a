/*
 * An inbox of two lanes with chunks of two tasks: two submitters, one who closes it, two workers that take. Every task that was
 * accepted is taken once, and the count of the accepted is theirs once it is closed.
 */
#include "scheduler/inbox.h"

#include <string.h>

#include "explorer.h"

#define TASKS 6u
#define CHUNKS 7u
#define LINES ((sizeof(struct wf_chunk) + WF_LINE - 1) / WF_LINE * WF_LINE)

static struct wf_inbox inbox;
static struct wf_ready_queue ready[2];
static _Alignas(WF_LINE) unsigned char chunks[CHUNKS * LINES];
static unsigned cells[TASKS];
static unsigned taken[TASKS]; /* plain: each task has one taker */
static bool accepted[TASKS];
static wf_atomic_u32 left; /* submitters that have not ended */

static void run(void *arg) {
    (void)arg;
}

static void set_up(void) {
    memset(&inbox, 0, sizeof inbox);
    memset(ready, 0, sizeof ready);
    memset(chunks, 0, sizeof chunks);
    inbox.chunks = (struct wf_record_pool){.record_bytes = LINES,
                                           .fresh = (char *)chunks,
                                           .populated = (char *)chunks + sizeof chunks,
                                           .area = {.start = chunks, .bytes = sizeof chunks}};
    __cds_wfs_init(&inbox.chunks.remote);
    wf_inbox_init(&inbox);
    for (unsigned i = 0; i < TASKS; i++) {
        cells[i] = taken[i] = 0;
        accepted[i] = false;
    }
    left = 2;
}

/* Tasks [first, first + count) at once. */
static void submit(unsigned first, unsigned count) {
    void *args[TASKS];
    for (unsigned i = 0; i < count; i++) {
        cells[first + i] = first + i + 1;
        args[i] = &cells[first + i];
    }
    weft_status status = wf_inbox_put(&inbox, 0, &(struct wf_task){.fn = run, .home = 7}, args, count);
    EXPLORE_CHECK(status == WEFT_OK || status == WEFT_ECLOSED);
    for (unsigned i = 0; i < count; i++)
        accepted[first + i] = !status;
}

static void submit_ones(void) {
    submit(0, 1);
    submit(1, 1);
    submit(2, 1);
    wf_fetch_sub(&left, 1, WF_RELEASE);
}

static void submit_batch(void) {
    submit(3, 3);
    wf_fetch_sub(&left, 1, WF_RELEASE);
}

static void close_inbox(void) {
    wf_inbox_close(&inbox);
    uint64_t count = wf_inbox_accepted(&inbox), late = 0;
    while (wf_load(&left, WF_ACQUIRE))
        explore_yield();
    for (unsigned i = 0; i < TASKS; i++)
        late += accepted[i];
    EXPLORE_CHECK(late == count); /* none after the close */
}

static void note(const struct wf_task *task) {
    unsigned *cell = task->arg;
    unsigned which = (unsigned)(cell - cells);
    EXPLORE_CHECK(task->fn == run && task->home == 7 && which < TASKS && *cell == which + 1);
    EXPLORE_CHECK(!taken[which]++);
}

static bool take(struct wf_ready_queue *own) {
    struct wf_task task;
    unsigned count = wf_inbox_take(&inbox, 0, own, wf_ready_queue_room(own), &task);
    if (!count)
        return false;
    note(&task);
    wf_ready_queue_publish(own, count - 1);
    while (wf_ready_queue_take(own, &task))
        note(&task);
    return true;
}

static void take_some(void) {
    for (unsigned i = 0; i < 3; i++)
        take(&ready[0]);
}

static void take_all(void) {
    while (wf_load(&left, WF_ACQUIRE))
        if (!take(&ready[1]))
            explore_yield();
    while (wf_inbox_has_work(&inbox))
        if (!take(&ready[1]))
            explore_yield();
}

static void check(void) {
    for (unsigned i = 0; i < TASKS; i++)
        EXPLORE_CHECK(taken[i] == accepted[i]);
    size_t in_lanes = 0;
    for (unsigned i = 0; i < WF_LANES; i++)
        in_lanes += inbox.lanes[i].tail != NULL;
    EXPLORE_CHECK(wf_record_pool_free_count(&inbox.chunks) + in_lanes == inbox.chunks.carved);
}

static const struct explore_case cases[] = {
    {.name = "inbox/close", .set_up = set_up, .threads = {submit_ones, submit_batch, close_inbox, take_all}, .check = check},
    {.name = "inbox/take", .set_up = set_up, .threads = {submit_ones, submit_batch, take_some, take_all}, .check = check},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
