/* A sequence, made when its loop is first run. */
#include "harness/peers/weft.h"
#include "steps/steps.h"

static void body(void *loop, weft_range items) {
    for (size_t i = items.first; i < items.last; i++)
        loop_item(*(struct loop **)loop, i);
}

static bool run_sequence(struct loop *loop) {
    static weft_sequence *sequence;
    static struct loop *current;
    static size_t n;
    current = loop;
    if (n != loop->n) {
        if (!peer_ok(weft_sequence_destroy(sequence)) || !peer_ok(weft_sequence_create(&sequence, peer_pool, NULL)))
            return false;
        n = loop->n;
        for (unsigned step = 0; step < STEPS; step++)
            if (!peer_ok(weft_sequence_add(sequence, n, body, &current, NULL)))
                return false;
    }
    return peer_ok(weft_sequence_run(sequence));
}

const struct loop_way step_ways[] = {{"sequence", run_sequence, false}, {"sequence, from a task", run_sequence, true}, {0}};
