/* The ready queue with four entries, nearly at the end of its 32-bit counters: an owner that puts, one that takes, one that steals. */
#include "scheduler/ready_queue.h"

#include "explorer.h"

#define TASKS 6u

static struct wf_ready_queue queue, stolen;
static unsigned cells[TASKS];
static unsigned taken[TASKS]; /* plain: each entry has one taker */

static void run(void *arg) {
    (void)arg;
}

static void clear(struct wf_ready_queue *cleared, uint32_t first) {
    for (unsigned i = 0; i < WF_READY_CAPACITY; i++)
        cleared->entries[i] = (struct wf_ready_entry){0};
    cleared->first = cleared->last = first;
}

static void set_up(void) {
    clear(&queue, UINT32_MAX - 1);
    clear(&stolen, 0);
    for (unsigned i = 0; i < TASKS; i++)
        cells[i] = taken[i] = 0;
}

static void check_task(const struct wf_task *task, unsigned *newest) {
    unsigned *cell = task->arg;
    unsigned which = (unsigned)(cell - cells);
    EXPLORE_CHECK(task->fn == run && !task->group && which < TASKS && task->home == which);
    EXPLORE_CHECK(*cell == which + 1); /* reads what the owner wrote */
    EXPLORE_CHECK(!taken[which]++);
    EXPLORE_CHECK(which >= *newest); /* in order, as far as one taker can see */
    *newest = which;
}

static bool take(struct wf_ready_queue *from, unsigned *newest) {
    struct wf_task task;
    if (!wf_ready_queue_take(from, &task))
        return false;
    check_task(&task, newest);
    return true;
}

/* In ones and twos. */
static void owner(void) {
    unsigned newest = 0;
    for (unsigned i = 0; i < TASKS;) {
        while (!wf_ready_queue_room(&queue))
            take(&queue, &newest);
        uint32_t count = 0;
        for (; count < 2 && i < TASKS && count < wf_ready_queue_room(&queue); count++, i++) {
            cells[i] = i + 1;
            wf_ready_queue_fill(&queue, count, &(struct wf_task){run, &cells[i], NULL, i, i});
        }
        wf_ready_queue_publish(&queue, count);
    }
    while (take(&queue, &newest))
        ;
}

static void taker(void) {
    unsigned newest = 0;
    for (unsigned i = 0; i < 3; i++)
        if (wf_ready_queue_has_work(&queue))
            take(&queue, &newest);
}

static void thief(void) {
    unsigned newest = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct wf_task oldest;
        uint32_t count = wf_ready_queue_steal(&queue, &stolen, wf_ready_queue_room(&stolen), &oldest);
        if (!count)
            continue;
        check_task(&oldest, &newest);
        wf_ready_queue_publish(&stolen, count - 1);
        while (take(&stolen, &newest))
            ;
    }
}

static void check(void) {
    for (unsigned i = 0; i < TASKS; i++)
        EXPLORE_CHECK(taken[i] == 1);
    EXPLORE_CHECK(queue.first == queue.last && queue.last == UINT32_MAX - 1 + TASKS);
}

static const struct explore_case cases[] = {
    {.name = "ready_queue", .set_up = set_up, .threads = {owner, taker, thief}, .check = check, .schedules = 50},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
