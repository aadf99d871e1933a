/*
 * The deterministic reduction: [0, n) is cut into blocks by n alone, each block is folded from the identity, and neighbours
 * are joined in a fixed binary tree. Neither depends on workers or timing, so the result has the same bits every time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/status.h"
#include "parallel/loop.h"

#define BLOCKS_MOST 4096u
#define BLOCK_LEAST 1024u
#define SERIAL_JOIN_BYTES ((size_t)256 << 10) /* a level of the tree below this is not worth waking anybody */

struct reduction {
    size_t n, block;
    size_t step; /* of the tree: accumulators i and i + step are joined */
    weft_reduce_leaf_fn leaf;
    weft_reduce_join_fn join;
    void *arg;
    const void *identity;
    char *accumulators;
    size_t bytes, stride, blocks; /* of one accumulator; from one to the next, whole lines; their number */
};

static void fold_blocks(void *arg, weft_range range) {
    const struct reduction *reduction = arg;
    for (size_t i = range.first; i < range.last; i++) {
        char *accumulator = reduction->accumulators + i * reduction->stride;
        size_t first = i * reduction->block;
        size_t last = reduction->n - first > reduction->block ? first + reduction->block : reduction->n;
        memcpy(accumulator, reduction->identity, reduction->bytes);
        reduction->leaf(reduction->arg, (weft_range){first, last}, accumulator);
    }
}

static void join_pairs(void *arg, weft_range range) {
    const struct reduction *reduction = arg;
    for (size_t i = range.first; i < range.last; i++) {
        size_t left = i * 2 * reduction->step, right = left + reduction->step;
        if (right < reduction->blocks)
            reduction->join(reduction->arg, reduction->accumulators + left * reduction->stride,
                            reduction->accumulators + right * reduction->stride);
    }
}

static size_t choose_block(size_t n) {
    size_t block = n / BLOCKS_MOST + (n % BLOCKS_MOST != 0);
    return block < BLOCK_LEAST ? BLOCK_LEAST : block;
}

static weft_status reduce(weft_pool *pool, struct reduction *reduction, void *result) {
    weft_status status =
        wf_loop_run(pool, &(struct wf_loop_request){.n = reduction->blocks, .body = fold_blocks, .arg = reduction, .grain = 1});
    for (reduction->step = 1; !status && reduction->step < reduction->blocks; reduction->step *= 2) {
        size_t pairs = (reduction->blocks + reduction->step - 1) / reduction->step / 2;
        if (pairs * reduction->bytes < SERIAL_JOIN_BYTES)
            join_pairs(reduction, (weft_range){0, pairs});
        else
            status = wf_loop_run(pool, &(struct wf_loop_request){.n = pairs, .body = join_pairs, .arg = reduction});
    }
    if (!status)
        memcpy(result, reduction->accumulators, reduction->bytes);
    return status;
}

weft_status weft_reduce(weft_pool *pool, size_t n, weft_reduce_leaf_fn leaf, weft_reduce_join_fn join, void *arg, void *result,
                        size_t result_bytes, const weft_reduce_options *options) {
    weft_reduce_options known = {WEFT_REDUCE_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_reduce_options");
    if (status)
        return status;
    if (!pool || !leaf || !join || !result)
        return wf_fail(WEFT_EINVAL, "weft_reduce() needs a pool, a leaf, a join and a result, got NULL");
    if (!result_bytes)
        return wf_fail(WEFT_EINVAL, "weft_reduce() needs the bytes of the result, got 0");
    if (!n)
        return WEFT_OK;
    struct reduction reduction = {.n = n,
                                  .block = known.block ? known.block : choose_block(n),
                                  .leaf = leaf,
                                  .join = join,
                                  .arg = arg,
                                  .identity = result,
                                  .bytes = result_bytes};
    reduction.blocks = n / reduction.block + (n % reduction.block != 0);
    size_t bytes;
    if (result_bytes > SIZE_MAX - WF_LINE ||
        __builtin_mul_overflow(reduction.stride = (result_bytes + WF_LINE - 1) / WF_LINE * WF_LINE, reduction.blocks, &bytes))
        return wf_fail(WEFT_ENOMEM, "%zu accumulators of %zu bytes exceed the address space: set a larger block",
                       reduction.blocks, result_bytes);
    reduction.accumulators = aligned_alloc(WF_LINE, bytes);
    if (!reduction.accumulators)
        return wf_fail(WEFT_ENOMEM, "no memory for %zu accumulators of %zu bytes: set a larger block", reduction.blocks,
                       result_bytes);
    status = reduce(pool, &reduction, result);
    free(reduction.accumulators);
    return status;
}
