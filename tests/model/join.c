/*
 * Spawn, steal and sync as they are shipped: every child runs once, its writes are seen after the sync, a waiting worker runs
 * only its own subtree (leapfrogging), and whoever sleeps for a stolen child is woken.
 */
#include "scheduler/search.h"
#include "scheduler/submit.h"
#include "world.h"

#define TASKS 16u

/* One task: its parent, the children it spawns, and what became of it. */
struct task {
    const struct task *parent;
    unsigned first_child, children;
    unsigned ran;
};

static struct task tasks[TASKS];
static const struct task *running[WORLD_WORKERS];
static bool publishes; /* each task, what it spawned */
static struct wf_task stranger;

static void add(unsigned which, const struct task *parent, unsigned first_child, unsigned children) {
    tasks[which] = (struct task){.parent = parent, .first_child = first_child, .children = children};
}

static void set_up(void) {
    world_set_up(2);
    for (unsigned i = 0; i < TASKS; i++)
        tasks[i] = (struct task){0};
    for (unsigned id = 0; id < WORLD_WORKERS; id++)
        running[id] = NULL;
    publishes = false;
}

/* 0 spawns 1 and 2; each spawns one more. */
static void add_tree(void) {
    add(0, NULL, 1, 2);
    add(1, &tasks[0], 3, 1);
    add(2, &tasks[0], 4, 1);
    add(3, &tasks[1], 0, 0);
    add(4, &tasks[2], 0, 0);
}

static void set_up_tree(void) {
    set_up();
    add_tree();
}

static void set_up_three(void) {
    set_up();
    world_set_up(3);
    add_tree();
}

static void set_up_tree_apart(void) {
    set_up();
    world_set_up_apart();
    add_tree();
}

/* Two strangers with children. */
static void set_up_strangers(void) {
    set_up();
    add(0, NULL, 1, 2);
    add(1, &tasks[0], 3, 2);
    add(2, &tasks[0], 5, 1);
    add(3, &tasks[1], 0, 0);
    add(4, &tasks[1], 0, 0);
    add(5, &tasks[2], 0, 0);
    add(8, NULL, 9, 2);
    add(9, &tasks[8], 11, 1);
    add(10, &tasks[8], 0, 0);
    add(11, &tasks[9], 0, 0);
}

static bool descends(const struct task *task, const struct task *from) {
    for (; task; task = task->parent)
        if (task == from)
            return true;
    return false;
}

static void run_task(void *arg) {
    struct task *task = arg;
    unsigned self = wf_self->id;
    const struct task *outer = running[self];
    if (outer && !descends(task, outer))
        explore_fail("a worker that waits in task %d runs the stranger %d", (int)(outer - tasks), (int)(task - tasks));
    running[self] = task;
    EXPLORE_CHECK(!task->ran++);
    for (unsigned i = 0; i < task->children; i++)
        EXPLORE_CHECK(!weft_spawn(run_task, &tasks[task->first_child + i]));
    if (publishes)
        wf_deque_publish(&wf_self->deque, wf_deque_head(&wf_self->deque), TASKS);
    EXPLORE_CHECK(!weft_sync());
    for (unsigned i = 0; i < task->children; i++)
        EXPLORE_CHECK(tasks[task->first_child + i].ran == 1);
    running[self] = outer;
}

static void submit_tree(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, run_task, &tasks[0], NULL));
    world_end();
}

static void submit_strangers(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, run_task, &tasks[0], NULL));
    EXPLORE_CHECK(!weft_submit(&world_pool, run_task, &tasks[8], NULL));
    world_end();
}

/* The owner of a stolen task, and its thief that goes on with a stranger of the same shape; nobody else, and no search. */
static void set_up_leapfrog(void) {
    set_up();
    publishes = true;
    add(0, NULL, 1, 1);
    add(1, &tasks[0], 2, 1);
    add(2, &tasks[1], 0, 0);
    add(8, NULL, 9, 1);
    add(9, &tasks[8], 0, 0);
    stranger = (struct wf_task){.fn = run_task, .arg = &tasks[8]};
}

static void own(void) {
    wf_self = world_pool.workers[0];
    wf_run_call(wf_self, run_task, &tasks[0], NULL, NULL);
}

static void steal_once(void) {
    struct wf_deque *victim = &world_pool.workers[0]->deque;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t word = wf_deque_look(victim);
        weft_slot *slot = wf_deque_word_has_work(word) ? wf_deque_steal(victim, word) : NULL;
        if (slot) {
            wf_run_stolen(wf_self, slot, 0);
            break;
        }
        explore_yield();
    }
}

static void steal(void) {
    wf_self = world_pool.workers[1];
    steal_once();
    wf_task_run(wf_self, &stranger);
}

/* The stranger is the task in which the thief has stolen, so no new task begins after the stolen one. */
static void outer_task(void *arg) {
    steal_once();
    run_task(arg);
}

static void steal_inside(void) {
    wf_self = world_pool.workers[1];
    wf_run_call(wf_self, outer_task, &tasks[8], NULL, NULL);
}

static void check_leapfrog(void) {
    for (unsigned i = 0; i < 3; i++)
        EXPLORE_CHECK(tasks[i].ran == 1);
    EXPLORE_CHECK(tasks[8].ran == 1 && tasks[9].ran == 1);
}

static void check_tree(void) {
    for (unsigned i = 0; i < 5; i++)
        EXPLORE_CHECK(tasks[i].ran == 1);
}

static void check_strangers(void) {
    for (unsigned i = 0; i < 6; i++)
        EXPLORE_CHECK(tasks[i].ran == 1);
    for (unsigned i = 8; i < 12; i++)
        EXPLORE_CHECK(tasks[i].ran == 1);
}

static const struct explore_case cases[] = {
    {.name = "join/leapfrog", .set_up = set_up_leapfrog, .threads = {own, steal}, .check = check_leapfrog, .bound = 3},
    {.name = "join/leapfrog_inside",
     .set_up = set_up_leapfrog,
     .threads = {own, steal_inside},
     .check = check_leapfrog,
     .bound = 4},
    {.name = "join/tree", .set_up = set_up_tree, .threads = {world_work, world_work, submit_tree}, .check = check_tree},
    {.name = "join/three",
     .set_up = set_up_three,
     .threads = {world_work, world_work, world_work, submit_tree},
     .check = check_tree},
    {.name = "join/apart", .set_up = set_up_tree_apart, .threads = {world_work, world_work, submit_tree}, .check = check_tree},
    {.name = "join/strangers",
     .set_up = set_up_strangers,
     .threads = {world_work, world_work, submit_strangers},
     .check = check_strangers},
};

int main(int argc, char **argv) {
    world_begin();
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
