/*
 * Scans in one go over fixed blocks. A block whose left side is known is scanned at once; whoever finds none folds the next block
 * ahead, which makes those after it known. The sums are joined from left to right, so the results have the same bits every time.
 * Nobody waits for a block: who finds nothing to do leaves, and whoever runs a block comes back for what it made known.
 * Threading: a scan is shared by its runners; letters as in scheduler/pool.h, L is `lock`.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/status.h"
#include "parallel/loop.h"
#include "scheduler/pool.h"
#include "weft/algorithm.h"

#define BLOCKS_MOST 4096u
#define BLOCK_LEAST ((size_t)4 << 10)
#define BLOCK_MOST ((size_t)16 << 10) /* what is folded ahead is in a cache when it is scanned */

struct scan {
    size_t n, block, blocks; /* I, as all down to `spare` */
    weft_scan_leaf_fn leaf;
    weft_reduce_join_fn join;
    void *arg;
    const void *identity;
    size_t bytes, stride; /* of one sum; from one to the next, whole lines */
    char *before;         /* blocks + 1: of block i, written by who joins, before `known` passes i */
    char *sums;           /* of block i: written by who claimed it for folding, before summed[i] */
    char *spare;          /* one per runner, for sums that are known already */
    pthread_mutex_t lock;
    size_t known;          /* L: before[0] to before[known] are written */
    size_t scanned;        /* L: blocks below it are claimed for scanning, ... */
    size_t folded;         /* L: ... and below this for folding; scanned <= folded */
    unsigned char *summed; /* L: one per block */
    bool joins;            /* L: somebody joins sums */
};

enum what { NOTHING, FOLD, SCAN, BOTH }; /* BOTH: scan a block that nobody has folded */

struct step {
    enum what what;
    size_t block;
};

/* A block that is being folded is left alone: its results may take the place of its items. */
static struct step claim(struct scan *scan) {
    size_t next = scan->scanned;
    if (next < scan->blocks && next <= scan->known && (next == scan->folded || scan->summed[next])) {
        scan->scanned++;
        if (next < scan->folded)
            return (struct step){SCAN, next};
        scan->folded++;
        return (struct step){BOTH, next};
    }
    return scan->folded < scan->blocks ? (struct step){FOLD, scan->folded++} : (struct step){NOTHING, 0};
}

/* The block has a sum. Join what that makes known, unless somebody is at it who will see it. Called, and left, with the lock held. */
static void note_sum(struct scan *scan, size_t block) {
    scan->summed[block] = 1;
    if (scan->joins)
        return;
    scan->joins = true;
    while (scan->known < scan->blocks && scan->summed[scan->known]) {
        size_t at = scan->known;
        pthread_mutex_unlock(&scan->lock); /* join() is the caller's */
        char *left = scan->before + at * scan->stride, *next = left + scan->stride;
        memcpy(next, left, scan->bytes);
        scan->join(scan->arg, next, scan->sums + at * scan->stride);
        pthread_mutex_lock(&scan->lock);
        scan->known = at + 1;
    }
    scan->joins = false;
}

static void run_step(const struct scan *scan, struct step step, char *spare) {
    size_t first = step.block * scan->block;
    size_t last = scan->n - first > scan->block ? first + scan->block : scan->n;
    char *sum = step.what == SCAN ? spare : scan->sums + step.block * scan->stride;
    memcpy(sum, scan->identity, scan->bytes);
    scan->leaf(scan->arg, (weft_range){first, last}, step.what == FOLD ? NULL : scan->before + step.block * scan->stride, sum);
}

static void run_blocks(void *arg, weft_range runners) {
    struct scan *scan = arg;
    pthread_mutex_lock(&scan->lock);
    for (struct step step; (step = claim(scan)).what != NOTHING;) {
        pthread_mutex_unlock(&scan->lock);
        run_step(scan, step, scan->spare + runners.first * scan->stride);
        pthread_mutex_lock(&scan->lock);
        if (step.what != SCAN)
            note_sum(scan, step.block);
    }
    pthread_mutex_unlock(&scan->lock);
}

static size_t choose_block(size_t n) {
    size_t block = n / BLOCKS_MOST + (n % BLOCKS_MOST != 0);
    return block < BLOCK_LEAST ? BLOCK_LEAST : block > BLOCK_MOST ? BLOCK_MOST : block;
}

static weft_status allocate(struct scan *scan, unsigned runners) {
    size_t sums = 2 * scan->blocks + 1 + runners, bytes;
    if (scan->bytes > SIZE_MAX - WF_LINE || scan->blocks > SIZE_MAX / 4 ||
        __builtin_mul_overflow(scan->stride = (scan->bytes + WF_LINE - 1) / WF_LINE * WF_LINE, sums, &bytes))
        return wf_fail(WEFT_ENOMEM, "sums of %zu bytes for %zu blocks exceed the address space: set a larger block", scan->bytes,
                       scan->blocks);
    scan->before = aligned_alloc(WF_LINE, bytes);
    scan->summed = calloc(scan->blocks, 1);
    if (!scan->before || !scan->summed) {
        free(scan->before);
        free(scan->summed);
        return wf_fail(WEFT_ENOMEM, "no memory for sums of %zu bytes for %zu blocks: set a larger block", scan->bytes,
                       scan->blocks);
    }
    scan->sums = scan->before + (scan->blocks + 1) * scan->stride;
    scan->spare = scan->sums + scan->blocks * scan->stride;
    memcpy(scan->before, scan->identity, scan->bytes);
    return WEFT_OK;
}

static weft_status run(weft_pool *pool, struct scan *scan, void *total) {
    unsigned workers = weft_pool_workers(pool), runners = scan->blocks < workers ? (unsigned)scan->blocks : workers;
    weft_status status = allocate(scan, runners);
    if (status)
        return status;
    pthread_mutex_init(&scan->lock, NULL);
    status = wf_loop_run(pool, &(struct wf_loop_request){.n = runners, .body = run_blocks, .arg = scan, .grain = 1});
    pthread_mutex_destroy(&scan->lock);
    if (!status)
        memcpy(total, scan->before + scan->blocks * scan->stride, scan->bytes);
    free(scan->before);
    free(scan->summed);
    return status;
}

static weft_status scan(weft_pool *pool, struct scan *scan, size_t block, void *total) {
    weft_status status = wf_pool_check(pool);
    if (status || !scan->n)
        return status;
    scan->block = block ? block : choose_block(scan->n);
    scan->blocks = scan->n / scan->block + (scan->n % scan->block != 0);
    scan->identity = total;
    return run(pool, scan, total);
}

weft_status weft_scan(weft_pool *pool, size_t n, weft_scan_leaf_fn leaf, weft_reduce_join_fn join, void *arg, void *total,
                      size_t total_bytes, const weft_scan_options *options) {
    weft_scan_options known = {WEFT_SCAN_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_scan_options");
    if (status)
        return status;
    if (!pool || !leaf || !join || !total)
        return wf_fail(WEFT_EINVAL, "weft_scan() needs a pool, a leaf, a join and a total, got NULL");
    if (!total_bytes)
        return wf_fail(WEFT_EINVAL, "weft_scan() needs the bytes of the total, got 0");
    if (known.exclusive || known.total)
        return wf_fail(WEFT_EINVAL,
                       "weft_scan_options.exclusive and .total are for weft_scan_sum(): in weft_scan() the leaf says "
                       "which scan it is, and the total is a parameter");
    return scan(pool, &(struct scan){.n = n, .leaf = leaf, .join = join, .arg = arg, .bytes = total_bytes}, known.block, total);
}

struct sums {
    const void *in;
    void *out;
    bool exclusive;
};

/*
 * Sums of one type. Four items at a time: the chain from one to the next is one addition long. Integers are added as unsigned ones,
 * which wrap around.
 */
#define SUMS(name, number)                                                                                                       \
    static void name##_join(void *arg, void *left, const void *right) {                                                          \
        (void)arg;                                                                                                               \
        *(number *)left += *(const number *)right;                                                                               \
    }                                                                                                                            \
    static number name##_fold(const number *in, size_t count) {                                                                  \
        number sum = 0;                                                                                                          \
        size_t i = 0;                                                                                                            \
        for (; i + 4 <= count; i += 4)                                                                                           \
            sum += (in[i] + in[i + 1]) + (in[i + 2] + in[i + 3]);                                                                \
        for (; i < count; i++)                                                                                                   \
            sum += in[i];                                                                                                        \
        return sum;                                                                                                              \
    }                                                                                                                            \
    static number name##_inclusive(const number *in, number *out, size_t count, number before) {                                 \
        number sum = 0;                                                                                                          \
        size_t i = 0;                                                                                                            \
        for (; i + 4 <= count; i += 4) {                                                                                         \
            number first = in[i], two = first + in[i + 1], three = two + in[i + 2], four = two + (in[i + 2] + in[i + 3]);        \
            number left = before + sum;                                                                                          \
            out[i] = left + first;                                                                                               \
            out[i + 1] = left + two;                                                                                             \
            out[i + 2] = left + three;                                                                                           \
            sum += four;                                                                                                         \
            out[i + 3] = before + sum;                                                                                           \
        }                                                                                                                        \
        for (; i < count; i++) {                                                                                                 \
            sum += in[i];                                                                                                        \
            out[i] = before + sum;                                                                                               \
        }                                                                                                                        \
        return sum;                                                                                                              \
    }                                                                                                                            \
    static number name##_exclusive(const number *in, number *out, size_t count, number before) {                                 \
        number sum = 0;                                                                                                          \
        size_t i = 0;                                                                                                            \
        for (; i + 4 <= count; i += 4) {                                                                                         \
            number first = in[i], two = first + in[i + 1], three = two + in[i + 2], four = two + (in[i + 2] + in[i + 3]);        \
            number left = before + sum;                                                                                          \
            out[i] = left;                                                                                                       \
            out[i + 1] = left + first;                                                                                           \
            out[i + 2] = left + two;                                                                                             \
            out[i + 3] = left + three;                                                                                           \
            sum += four;                                                                                                         \
        }                                                                                                                        \
        for (; i < count; i++) {                                                                                                 \
            number item = in[i];                                                                                                 \
            out[i] = before + sum;                                                                                               \
            sum += item;                                                                                                         \
        }                                                                                                                        \
        return sum;                                                                                                              \
    }                                                                                                                            \
    static void name##_leaf(void *arg, weft_range range, const void *before, void *sum) {                                        \
        const struct sums *sums = arg;                                                                                           \
        const number *in = (const number *)sums->in + range.first;                                                               \
        number *out = (number *)sums->out + range.first;                                                                         \
        size_t count = range.last - range.first;                                                                                 \
        *(number *)sum = !before           ? name##_fold(in, count)                                                              \
                         : sums->exclusive ? name##_exclusive(in, out, count, *(const number *)before)                           \
                                           : name##_inclusive(in, out, count, *(const number *)before);                          \
    }
SUMS(u32, uint32_t)
SUMS(u64, uint64_t)
SUMS(f32, float)
SUMS(f64, double)

static const struct {
    size_t bytes;
    weft_scan_leaf_fn leaf;
    weft_reduce_join_fn join;
} sums_of[] = {
    [WEFT_I32] = {4, u32_leaf, u32_join}, [WEFT_U32] = {4, u32_leaf, u32_join}, [WEFT_I64] = {8, u64_leaf, u64_join},
    [WEFT_U64] = {8, u64_leaf, u64_join}, [WEFT_F32] = {4, f32_leaf, f32_join}, [WEFT_F64] = {8, f64_leaf, f64_join},
};

static weft_status check_sum(weft_pool *pool, unsigned type, const void *in, const void *out, size_t n) {
    if (!pool || (n && (!in || !out)))
        return wf_fail(WEFT_EINVAL, "weft_scan_sum() needs a pool and two arrays, got NULL");
    if (!type || type >= WF_ARRAY_LENGTH(sums_of))
        return wf_fail(WEFT_EINVAL, "weft_scan_sum() knows the numbers WEFT_I32 to WEFT_F64, not %u", type);
    size_t bytes;
    uintptr_t from = (uintptr_t)in, to = (uintptr_t)out;
    if (__builtin_mul_overflow(n, sums_of[type].bytes, &bytes) || bytes > PTRDIFF_MAX)
        return wf_fail(WEFT_EINVAL, "%zu numbers of %zu bytes exceed the address space", n, sums_of[type].bytes);
    if ((from | to) % sums_of[type].bytes)
        return wf_fail(WEFT_EINVAL, "weft_scan_sum() needs arrays aligned to the %zu bytes of a number", sums_of[type].bytes);
    if (from != to && (from < to ? to - from : from - to) < bytes)
        return wf_fail(WEFT_EINVAL, "the arrays of weft_scan_sum() overlap in part: give the same one twice, or two");
    return WEFT_OK;
}

weft_status weft_scan_sum(weft_pool *pool, weft_number type, const void *in, void *out, size_t n,
                          const weft_scan_options *options) {
    weft_scan_options known = {WEFT_SCAN_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_scan_options");
    if (!status)
        status = check_sum(pool, type, in, out, n);
    if (status)
        return status;
    uint64_t total = 0; /* zeros are the 0 of every type */
    struct sums sums = {in, out, known.exclusive};
    status = scan(pool,
                  &(struct scan){
                      .n = n, .leaf = sums_of[type].leaf, .join = sums_of[type].join, .arg = &sums, .bytes = sums_of[type].bytes},
                  known.block, &total);
    if (!status && known.total)
        memcpy(known.total, &total, sums_of[type].bytes);
    return status;
}
