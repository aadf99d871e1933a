/*
 * The pthreadpool on weft under many callers: every item of every call runs once, and the caller sees what the items wrote, while
 * other threads call with the same pool, items call, and pools come and go.
 */
#include <pthread.h>
#include <pthreadpool.h>
#include <string.h>

#include "base/rng.h"
#include "stress.h"

#define CALLERS 8
#define EDGE 12

static pthreadpool_t shared;

struct box {
    unsigned char hits[EDGE][EDGE][EDGE]; /* plain: each cell belongs to one item */
    pthreadpool_t pool;
    unsigned char depth;
};

static void call(pthreadpool_t pool, uint64_t *random, unsigned depth);

static void item(void *context, size_t i, size_t j, size_t k, size_t tj, size_t tk) {
    struct box *box = context;
    for (size_t y = j; y < j + tj; y++)
        for (size_t z = k; z < k + tk; z++)
            box->hits[i][y][z]++;
    if (box->depth && i == j && j == k) {
        uint64_t random = i;
        call(box->pool, &random, box->depth - 1u);
    }
}

static void call(pthreadpool_t pool, uint64_t *random, unsigned depth) {
    struct box *box = calloc(1, sizeof *box);
    size_t n[3], tile[2] = {1 + wf_rng_below(random, EDGE), 1 + wf_rng_below(random, EDGE)};
    for (int d = 0; d < 3; d++)
        n[d] = wf_rng_below(random, EDGE + 1);
    box->pool = pool;
    box->depth = (unsigned char)depth;
    pthreadpool_parallelize_3d_tile_2d(pool, item, box, n[0], n[1], n[2], tile[0], tile[1], wf_rng_below(random, 4));
    for (size_t i = 0; i < EDGE; i++)
        for (size_t j = 0; j < EDGE; j++)
            for (size_t k = 0; k < EDGE; k++)
                CHECK(box->hits[i][j][k] == (i < n[0] && j < n[1] && k < n[2]));
    free(box);
}

static void *call_often(void *arg) {
    uint64_t random = *(uint64_t *)arg;
    for (uint64_t round = 0, rounds = stress_scale(6000); round < rounds; round++) {
        call(shared, &random, wf_rng_below(&random, 3));
        if (round % 64)
            continue;
        pthreadpool_t own = pthreadpool_create(wf_rng_below(&random, 4));
        CHECK(own);
        call(own, &random, 1);
        pthreadpool_destroy(own);
    }
    return NULL;
}

int main(void) {
    uint64_t seed = stress_seed(), random[CALLERS];
    pthread_t callers[CALLERS];
    for (size_t threads = 1; threads <= 4; threads++) {
        CHECK((shared = pthreadpool_create(threads)));
        for (int i = 0; i < CALLERS; i++) {
            random[i] = wf_rng_next(&seed);
            CHECK(!pthread_create(&callers[i], NULL, call_often, &random[i]));
        }
        for (int i = 0; i < CALLERS; i++)
            CHECK(!pthread_join(callers[i], NULL));
        pthreadpool_destroy(shared);
    }
    return 0;
}
