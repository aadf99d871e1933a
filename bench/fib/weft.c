#include "harness/peers/weft.h"
#include "fib/workload.h"

WEFT_TASK(long, fib, (int, n)) {
    if (n < 2)
        return n;
    WEFT_SPAWN(fib, n - 1);
    long right = WEFT_CALL(fib, n - 2);
    return WEFT_SYNC(fib) + right;
}

WEFT_TASK(long, all, (int, n)) {
    long sum = 0;
    for (int i = 0; i < fib_times; i++)
        sum += WEFT_CALL(fib, fib_again(n));
    return sum;
}

static uint64_t run_typed(long n) {
    long result = 0;
    return peer_ok(WEFT_RUN(peer_pool, &result, all, (int)n)) ? (uint64_t)result : 0;
}

struct call {
    int n;
    long result;
};

static void fib_plain(void *arg) {
    struct call *call = arg;
    call->result = call->n;
    if (call->n < 2)
        return;
    struct call left = {.n = call->n - 1}, right = {.n = call->n - 2};
    weft_spawn(fib_plain, &left);
    fib_plain(&right);
    weft_sync();
    call->result = left.result + right.result;
}

static uint64_t run_plain(long n) {
    long sum = 0;
    for (int i = 0; i < fib_times; i++) {
        struct call call = {.n = (int)n};
        fib_plain(&call);
        sum += call.result;
    }
    return (uint64_t)sum;
}

const struct fork_join_way fork_join_ways[] = {{"typed", run_typed}, {"plain", run_plain}, {0}};
