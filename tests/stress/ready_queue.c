/*
 * The ready queue alone: the owner puts numbers in order, takers take them. One of them
 * steals by halves into a queue of its own. Each comes out once, in order for each taker.
 */
#include "scheduler/ready_queue.h"

#include <pthread.h>
#include <sched.h>

#include "stress.h"

#define TAKERS 3

static struct wf_ready_queue queue;
static _Atomic(uint32_t) stop;
static _Atomic(uint64_t) sum, count;

static void run(void *arg) {
    (void)arg;
}

static void note(const struct wf_task *task, uint64_t *last) {
    uint64_t item = *(uint64_t *)task->arg; /* plain read of what the owner wrote before it put the item */
    CHECK(task->fn == run && !task->group && task->home == (uint32_t)item);
    CHECK(item > *last);
    *last = item;
    atomic_fetch_add(&sum, item);
    atomic_fetch_add(&count, 1);
}

static void *taker(void *unused) {
    (void)unused;
    uint64_t last = 0;
    for (;;) {
        bool stopping = wf_load(&stop, WF_ACQUIRE);
        struct wf_task task;
        if (!wf_ready_queue_take(&queue, &task)) {
            if (stopping)
                return NULL;
            sched_yield();
            continue;
        }
        note(&task, &last);
    }
}

static void *thief(void *unused) {
    (void)unused;
    static struct wf_ready_queue own;
    uint64_t last = 0;
    for (;;) {
        bool stopping = wf_load(&stop, WF_ACQUIRE);
        struct wf_task task;
        uint32_t stolen = wf_ready_queue_steal(&queue, &own, 20, &task);
        if (!stolen) {
            if (stopping)
                return NULL;
            sched_yield();
            continue;
        }
        note(&task, &last);
        for (wf_ready_queue_publish(&own, stolen - 1); wf_ready_queue_take(&own, &task);)
            note(&task, &last);
    }
}

int main(void) {
    uint64_t items = stress_scale(3000000);
    uint64_t *numbers = calloc(items, sizeof *numbers);
    pthread_t threads[TAKERS];
    for (int i = 0; i < TAKERS; i++)
        CHECK(!pthread_create(&threads[i], NULL, i ? taker : thief, NULL));
    for (uint64_t i = 0; i < items;) {
        uint32_t room = wf_ready_queue_room(&queue);
        CHECK(room <= WF_READY_CAPACITY);
        if (!room)
            sched_yield();
        for (; room && i < items; room--, i++) {
            numbers[i] = i + 1;
            wf_ready_queue_put(&queue, &(struct wf_task){run, &numbers[i], NULL, (uint32_t)numbers[i], (uint32_t)numbers[i]});
        }
    }
    wf_store(&stop, 1, WF_RELEASE);
    for (int i = 0; i < TAKERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(count == items);
    CHECK(sum == items * (items + 1) / 2);
    free(numbers);
    printf("%" PRIu64 " items\n", items);
    return 0;
}
