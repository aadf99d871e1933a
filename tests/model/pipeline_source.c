/*
 * A source that stalls and is woken: what it looks at is relaxed, as a program's own flag may be, and read after the call began. Who clears
 * STALLED calls it next, under the right to do so, as runners do. An item that is there and never taken is a lost wake.
 */
#include "parallel/pipeline_source.h"

#include "explorer.h"

static wf_atomic_u32 source, taken, there;
static wf_atomic_u64 wakes;
static unsigned used; /* plain, behind the right */

static void reset(void) {
    wf_store(&source, 0, WF_RELAXED);
    wf_store(&taken, 0, WF_RELAXED);
    wf_store(&there, 0, WF_RELAXED);
    wf_store(&wakes, 0, WF_RELAXED);
    used = 0;
}

/* As a runner's: take the right, call, give it back, look again. */
static void run(void) {
    while (!wf_load(&source, WF_SEQ_CST) && !wf_load(&taken, WF_SEQ_CST) && !wf_exchange(&taken, 1, WF_SEQ_CST)) {
        uint64_t begun = wf_source_begin(&wakes);
        if (used < wf_load(&there, WF_RELAXED))
            used++;
        else
            wf_source_stall(&source, &wakes, begun);
        wf_store(&taken, 0, WF_SEQ_CST);
    }
}

static void put(void) {
    wf_fetch_add(&there, 1, WF_RELAXED);
    if (wf_source_wake(&source, &wakes))
        run();
}

static void put_twice(void) {
    put();
    put();
}

static void check_one(void) {
    EXPLORE_CHECK(used == 1);
}

static void check_two(void) {
    EXPLORE_CHECK(used == 2);
}

static const struct explore_case cases[] = {
    {.name = "pipeline_source/wake", .set_up = reset, .threads = {run, put}, .check = check_one},
    {.name = "pipeline_source/wakes", .set_up = reset, .threads = {run, put_twice}, .check = check_two},
    {.name = "pipeline_source/of_two", .set_up = reset, .threads = {run, put, put}, .check = check_two},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
