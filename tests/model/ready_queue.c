/* The ready queue with four entries, nearly at the end of its 32-bit counters: an owner that puts, and two that take. */
#include "scheduler/ready_queue.h"

#include "explorer.h"

#define TASKS 6u

static struct wf_ready_queue queue;
static unsigned cells[TASKS];
static unsigned taken[TASKS]; /* plain: each entry has one taker */

static void set_up(void) {
    for (unsigned i = 0; i < WF_READY_CAPACITY; i++)
        queue.entries[i] = NULL;
    queue.first = queue.last = UINT32_MAX - 1;
    for (unsigned i = 0; i < TASKS; i++)
        cells[i] = taken[i] = 0;
}

static bool take(unsigned *newest) {
    unsigned *cell = wf_ready_queue_take(&queue);
    if (!cell)
        return false;
    unsigned which = (unsigned)(cell - cells);
    EXPLORE_CHECK(which < TASKS && *cell == which + 1); /* reads what the owner wrote */
    EXPLORE_CHECK(!taken[which]++);
    EXPLORE_CHECK(which >= *newest); /* in order, as far as one taker can see */
    *newest = which;
    return true;
}

static void owner(void) {
    unsigned newest = 0;
    for (unsigned i = 0; i < TASKS; i++) {
        while (!wf_ready_queue_room(&queue))
            take(&newest);
        cells[i] = i + 1;
        wf_ready_queue_put(&queue, &cells[i]);
    }
    while (take(&newest))
        ;
}

static void taker(void) {
    unsigned newest = 0;
    for (unsigned i = 0; i < 3; i++)
        if (wf_ready_queue_has_work(&queue))
            take(&newest);
}

static void check(void) {
    for (unsigned i = 0; i < TASKS; i++)
        EXPLORE_CHECK(taken[i] == 1);
    EXPLORE_CHECK(queue.first == queue.last && queue.last == UINT32_MAX - 1 + TASKS);
}

static const struct explore_case cases[] = {
    {.name = "ready_queue", .set_up = set_up, .threads = {owner, taker, taker}, .check = check, .schedules = 50},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
