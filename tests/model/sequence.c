/*
 * Members of a sequence: threads that come at any time, run their own parts and those of others, and sleep. What steps write is plain, so
 * a part that begins too early, or runs twice, is a race; a member that nobody wakes sleeps for ever.
 */
#include "parallel/sequence.h"

#include "explorer.h"
#include "scheduler/pool.h"

#define PARTS 3u
#define STEPS 3u
#define RUNS_BEFORE 5u

static weft_pool pool; /* what members look at: they do not spin */
static struct wf_part parts[PARTS];
static struct wf_step steps[STEPS];
static weft_sequence sequence;
static unsigned cells[STEPS][PARTS]; /* plain: what ran */

/* A step of as many iterations as parts. */
static void visit(void *arg, weft_range range) {
    const struct wf_step *step = arg;
    size_t at = (size_t)(step - steps), part = range.first;
    EXPLORE_CHECK(range.last == part + 1);
    for (unsigned i = 0; at && i < step[-1].width; i++)
        if (step->barrier || i == part)
            EXPLORE_CHECK(cells[at - 1][i] == 1);
    EXPLORE_CHECK(!cells[at][part]);
    cells[at][part] = 1;
}

/* `widths` and what comes after its own part only, step by step. */
static void set_up(unsigned members, size_t count, const unsigned *widths, const bool *own) {
    uint64_t first = RUNS_BEFORE * count;
    sequence = (weft_sequence){
        .pool = &pool, .width = members, .parts = parts, .steps = steps, .count = count, .first = first, .last = first + count};
    for (unsigned part = 0; part < PARTS; part++) {
        wf_store(&parts[part].word, 2 * first, WF_RELAXED);
        wf_store(&parts[part].here, 0, WF_RELAXED);
    }
    for (size_t s = 0; s < count; s++) {
        steps[s] = (struct wf_step){.body = visit, .arg = &steps[s], .n = widths[s], .width = widths[s], .barrier = !own[s]};
        for (unsigned part = 0; part < PARTS; part++)
            cells[s][part] = 0;
    }
}

static void two_after_all(void) {
    set_up(2, 2, (const unsigned[]){2, 2}, (const bool[]){false, false});
}

static void two_after_part(void) {
    set_up(2, 3, (const unsigned[]){2, 2, 2}, (const bool[]){false, true, false});
}

static void two_narrow(void) {
    set_up(2, 3, (const unsigned[]){2, 1, 2}, (const bool[]){false, false, false});
}

static void three_narrow(void) {
    set_up(3, 2, (const unsigned[]){3, 2}, (const bool[]){false, false});
}

static void member(void) {
    struct wf_look look = {0};
    wf_sequence_take_part(&sequence, explore_self());
    EXPLORE_CHECK(wf_sequence_over(&sequence, &look));
    for (size_t s = 0; s < sequence.count; s++)
        for (unsigned part = 0; part < steps[s].width; part++)
            EXPLORE_CHECK(cells[s][part] == 1);
}

static void check(void) {
    EXPLORE_CHECK(!wf_load(&sequence.sleepers, WF_RELAXED));
}

static const struct explore_case cases[] = {
    {.name = "sequence/all", .set_up = two_after_all, .threads = {member, member}, .check = check},
    {.name = "sequence/part", .set_up = two_after_part, .threads = {member, member}, .check = check},
    {.name = "sequence/narrow", .set_up = two_narrow, .threads = {member, member}, .check = check},
    {.name = "sequence/three", .set_up = three_narrow, .threads = {member, member, member}, .check = check},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
