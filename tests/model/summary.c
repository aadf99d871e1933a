/*
 * The summary of a node: an owner that makes work visible while its bit is still set from before, and thieves that find nothing
 * and clear it. Work that is left has its bit.
 */
#include "scheduler/summary.h"
#include "explorer.h"
#include "scheduler/ready_queue.h"

static struct wf_summary summary;
static struct wf_ready_queue queue;
static wf_atomic_u32 taken;

static void set_up(void) {
    summary = (struct wf_summary){0};
    summary.bits[0] = 2; /* old, for worker 1 */
    queue = (struct wf_ready_queue){0};
    taken = 0;
}

static void owner(void) {
    wf_ready_queue_put(&queue, &(struct wf_task){.arg = &taken});
    wf_summary_show(&summary, 1);
}

/* As visit() in search.c. */
static void thief(void) {
    struct wf_task task;
    if (!wf_summary_shows(&summary, 1))
        return;
    if (explore_choose(2) && wf_ready_queue_take(&queue, &task)) {
        wf_fetch_add(&taken, 1, WF_RELAXED);
    } else if (!wf_ready_queue_has_work(&queue)) {
        wf_summary_clear(&summary, 1);
        if (wf_ready_queue_has_work(&queue))
            wf_summary_show(&summary, 1);
    }
}

static void check(void) {
    EXPLORE_CHECK(!wf_ready_queue_has_work(&queue) || wf_summary_shows(&summary, 1));
    EXPLORE_CHECK(!wf_summary_shows(&summary, 0));
}

static const struct explore_case cases[] = {
    {.name = "summary/clear", .set_up = set_up, .threads = {owner, thief}, .check = check},
    {.name = "summary/clear_twice", .set_up = set_up, .threads = {owner, thief, thief}, .check = check},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
