/* parallel/: loops of every shape, their splits, reports and refusals, and the reduction's bits. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "weft.h"

static const char *const shapes[] = {"core:1 pu:1", "core:2 pu:1", "core:3 pu:1", "node:2 core:2 pu:1", "node:4 core:1 pu:1"};
#define SHAPES (sizeof shapes / sizeof *shapes)

static weft_pool *make(const char *topology) {
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology}), WEFT_OK, "%s",
                 weft_error_detail());
    return pool;
}

static void hit(void *arg, weft_range range) {
    unsigned char *hits = arg;
    cr_assert_lt(range.first, range.last);
    for (size_t i = range.first; i < range.last; i++)
        hits[i]++;
}

static bool all_ones(const unsigned char *hits, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (hits[i] != 1)
            return false;
    return true;
}

Test(loop, runs_every_iteration_once_for_all_sizes_schedules_and_grains) {
    static const size_t sizes[] = {0, 1, 2, 3, 7, 64, 1000, 4097, 100000}, grains[] = {0, 1, 3, 1000, SIZE_MAX};
    unsigned char *hits = malloc(100000);
    for (size_t s = 0; s < SHAPES; s++) {
        weft_pool *pool = make(shapes[s]);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t g = 0; g < sizeof grains / sizeof *grains; g++)
                for (int schedule = 0; schedule < 3; schedule++) {
                    weft_loop_report report;
                    memset(hits, 0, 100000);
                    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = (weft_schedule)schedule, .grain = grains[g],
                                                .item_bytes = schedule == 2 ? 24 : 0, .report = &report};
                    cr_assert_eq(weft_for(pool, sizes[i], hit, hits, &options), WEFT_OK);
                    cr_assert(all_ones(hits, sizes[i]), "%s n %zu grain %zu schedule %d", shapes[s], sizes[i], grains[g],
                              schedule);
                    cr_assert_eq(report.iterations, sizes[i]);
                    cr_assert_leq(report.workers, weft_pool_workers(pool));
                    if (schedule)
                        cr_assert_eq(report.iterations_local, sizes[i], "static parts run where they are planned");
                }
        weft_pool_destroy(pool);
    }
    free(hits);
}

static void hit_slowly(void *arg, weft_range range) {
    unsigned char *hits = arg;
    for (size_t i = range.first; i < range.last; i++) {
        for (volatile unsigned spin = i % 97 == 13 ? 20000 : 10; spin; spin--)
            ;
        hits[i]++;
    }
}

/* The same body with few and many iterations, cheap ones first: what is begun alone may have to be shared. */
Test(loop, shares_what_was_begun_alone) {
    static unsigned char hits[20000];
    for (size_t s = 0; s < SHAPES; s++) {
        weft_pool *pool = make(shapes[s]);
        for (size_t n = 1; n <= sizeof hits; n = n * 5 / 3 + 1)
            for (size_t align = 1; align < 100; align *= 7)
                for (int round = 0; round < 3; round++) {
                    weft_loop_report report;
                    memset(hits, 0, n);
                    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .align = align, .report = &report};
                    cr_assert_eq(weft_for(pool, n, round == 1 ? hit : hit_slowly, hits, &options), WEFT_OK);
                    cr_assert(all_ones(hits, n), "%s n %zu align %zu", shapes[s], n, align);
                    cr_assert_eq(report.iterations, n);
                    cr_assert_leq(report.iterations_local, n);
                    cr_assert_geq(report.chunks, 1);
                    cr_assert_geq(report.workers, 1);
                }
        weft_pool_destroy(pool);
    }
}

static _Atomic(size_t) most, total;

static void add_up(void *arg, weft_range range) {
    (void)arg;
    size_t length = range.last - range.first, seen = most;
    total += length;
    while (length > seen && !atomic_compare_exchange_weak(&most, &seen, length))
        ;
}

Test(loop, keeps_to_a_fixed_grain) {
    weft_pool *pool = make("core:2 pu:1");
    for (int schedule = 0; schedule < 2; schedule++) {
        most = total = 0;
        weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = (weft_schedule)schedule, .grain = 37};
        cr_assert_eq(weft_for(pool, 10007, add_up, NULL, &options), WEFT_OK);
        cr_assert_eq(total, 10007);
        cr_assert_leq(most, 37);
    }
    weft_pool_destroy(pool);
}

Test(loop, takes_every_number_of_iterations) {
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 + 1, (size_t)1 << 33, ((size_t)1 << 26) + 1};
    for (size_t s = 0; s < SHAPES; s++) {
        weft_pool *pool = make(shapes[s]);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int schedule = 0; schedule < 2; schedule++) {
                total = 0;
                weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = (weft_schedule)schedule,
                                            .align = i % 2 ? 4096 : 0};
                cr_assert_eq(weft_for(pool, sizes[i], add_up, NULL, &options), WEFT_OK);
                cr_assert_eq(total, sizes[i]);
            }
        weft_pool_destroy(pool);
    }
}

Test(partition, is_even_aligned_and_complete) {
    static const size_t sizes[] = {0, 1, 5, 63, 64, 1000, 123457, SIZE_MAX}, aligns[] = {0, 1, 8, 512};
    for (size_t i = 0; i < 8; i++)
        for (unsigned parts = 1; parts < 20; parts++)
            for (size_t a = 0; a < 4; a++) {
                size_t unit = aligns[a] ? aligns[a] : 1, least = SIZE_MAX, largest = 0;
                cr_assert_eq(weft_partition(sizes[i], parts, aligns[a], 0), 0);
                cr_assert_eq(weft_partition(sizes[i], parts, aligns[a], parts), sizes[i]);
                cr_assert_eq(weft_partition(sizes[i], parts, aligns[a], parts + 5), sizes[i]);
                for (unsigned p = 0; p < parts; p++) {
                    size_t first = weft_partition(sizes[i], parts, aligns[a], p),
                           last = weft_partition(sizes[i], parts, aligns[a], p + 1);
                    cr_assert_leq(first, last);
                    cr_assert(first == sizes[i] || first % unit == 0);
                    least = last - first < least ? last - first : least;
                    largest = last - first > largest ? last - first : largest;
                }
                cr_assert_leq(largest - least, 2 * unit); /* the last unit may be cut short */
            }
}

static void note_worker(void *arg, weft_range range) {
    int *workers = arg;
    for (size_t i = range.first; i < range.last; i++)
        workers[i] = weft_current_worker();
}

Test(loop, static_parts_belong_to_the_same_workers_every_time) {
    weft_pool *pool = make("node:2 core:2 pu:1");
    enum { N = 10000 };
    static int first[N], again[N];
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC};
    cr_assert_eq(weft_for(pool, N, note_worker, first, &options), WEFT_OK);
    for (int round = 0; round < 20; round++) {
        cr_assert_eq(weft_for(pool, N, note_worker, again, &options), WEFT_OK);
        cr_assert_eq(memcmp(first, again, sizeof first), 0);
    }
    for (unsigned w = 0; w < 4; w++)
        for (size_t i = weft_partition(N, 4, 0, w); i < weft_partition(N, 4, 0, w + 1); i++)
            cr_assert_eq(first[i], (int)w);
    weft_pool_destroy(pool);
}

Test(loop, first_touch_parts_begin_on_pages) {
    weft_pool *pool = make("core:3 pu:1");
    enum { N = 100000 };
    static int workers[N];
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = 8};
    cr_assert_eq(weft_for(pool, N, note_worker, workers, &options), WEFT_OK);
    for (size_t i = 1; i < N; i++)
        if (workers[i] != workers[i - 1])
            cr_assert_eq(i * 8 % 4096, 0);
    cr_assert_eq(workers[N - 1], 2);
    weft_pool_destroy(pool);
}

struct nested {
    weft_pool *pool;
    _Atomic(size_t) count;
    weft_schedule schedule;
};

static void innermost(void *arg, weft_range range) {
    struct nested *nested = arg;
    nested->count += range.last - range.first;
}

static void middle(void *arg, weft_range range) {
    struct nested *nested = arg;
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = nested->schedule};
    for (size_t i = range.first; i < range.last; i++)
        cr_assert_eq(weft_for(nested->pool, 100, innermost, nested, &options), WEFT_OK);
}

static void outer(void *arg, weft_range range) {
    struct nested *nested = arg;
    for (size_t i = range.first; i < range.last; i++)
        cr_assert_eq(weft_for(nested->pool, 50, middle, nested, NULL), WEFT_OK);
}

Test(loop, nests) {
    for (size_t s = 0; s < SHAPES; s++) {
        weft_pool *pool = make(shapes[s]);
        for (int schedule = 0; schedule < 2; schedule++) {
            struct nested nested = {pool, 0, (weft_schedule)schedule};
            cr_assert_eq(weft_for(pool, 20, outer, &nested, NULL), WEFT_OK);
            cr_assert_eq(nested.count, 20 * 50 * 100);
        }
        weft_pool_destroy(pool);
    }
}

/* Bodies that run on the calling thread do so in a worker's place. */
struct seated {
    weft_pool *pool, *other;
    pthread_t caller;
    _Atomic(size_t) count, on_caller;
};

static void close_inside(void *arg, weft_range range) {
    struct seated *seated = arg;
    int worker = weft_current_worker();
    cr_assert_geq(worker, 0);
    cr_assert_eq(weft_current_pool(), seated->pool);
    cr_assert_eq(weft_pool_close(seated->pool), WEFT_EDEADLK);
    cr_assert_eq(weft_pool_destroy(seated->pool), WEFT_EDEADLK);
    seated->count += range.last - range.first;
    if (pthread_equal(pthread_self(), seated->caller))
        seated->on_caller++;
}

Test(loop, a_caller_stands_in_for_a_worker_that_sleeps) {
    weft_pool *pool = NULL;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = "core:1 pu:1", .spin_us = WEFT_SPIN_NONE};
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK);
    struct seated seated = {.pool = pool, .caller = pthread_self()};
    for (int i = 0; i < 100000 && !seated.on_caller; i++)
        cr_assert_eq(weft_for(pool, 10, close_inside, &seated, NULL), WEFT_OK);
    cr_assert_gt(seated.on_caller, 0, "the only worker sleeps most of the time");
    cr_assert_eq(weft_current_worker(), -1);
    cr_assert_null(weft_current_pool());
    weft_pool_destroy(pool);
}

static void loop_in_other_pool(void *arg, weft_range range) {
    struct seated *seated = arg;
    weft_pool *mine = weft_current_pool();
    int worker = weft_current_worker();
    struct seated inner = {.pool = seated->other, .caller = pthread_self()};
    cr_assert_eq(weft_for(seated->other, 10, close_inside, &inner, NULL), WEFT_OK);
    cr_assert_eq(inner.count, 10);
    cr_assert_eq(weft_current_pool(), mine);
    cr_assert_eq(weft_current_worker(), worker);
    seated->count += range.last - range.first;
}

Test(loop, nests_in_another_pool) {
    struct seated seated = {.pool = make("core:2 pu:1"), .other = make("core:2 pu:1")};
    for (int i = 0; i < 50; i++)
        cr_assert_eq(weft_for(seated.pool, 100, loop_in_other_pool, &seated, NULL), WEFT_OK);
    cr_assert_eq(seated.count, 50 * 100);
    weft_pool_destroy(seated.pool);
    weft_pool_destroy(seated.other);
}

static void *call_loops(void *arg) {
    struct nested *nested = arg;
    for (int i = 0; i < 30; i++)
        cr_assert_eq(weft_for(nested->pool, 1000, innermost, nested, NULL), WEFT_OK);
    return NULL;
}

Test(loop, runs_for_a_hundred_callers_at_once) {
    weft_pool *pool = make("core:2 pu:1");
    struct nested nested = {pool, 0, WEFT_SCHEDULE_STEAL};
    pthread_t threads[100];
    for (int i = 0; i < 100; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, call_loops, &nested), 0);
    for (int i = 0; i < 100; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(nested.count, 100 * 30 * 1000);
    weft_pool_destroy(pool);
}

/* A lock that is held across a wait in an iteration: the wait must not run another iteration of the same loop. */
struct locked {
    weft_pool *pool;
    pthread_mutex_t lock;
    _Atomic(size_t) children;
};

static void child_of_iteration(void *arg) {
    ((struct locked *)arg)->children++;
}

static void lock_and_sync(void *arg, weft_range range) {
    struct locked *locked = arg;
    for (size_t i = range.first; i < range.last; i++) {
        pthread_mutex_lock(&locked->lock);
        weft_spawn(child_of_iteration, locked);
        weft_sync();
        pthread_mutex_unlock(&locked->lock);
    }
}

static void loop_of_locks(void *arg, weft_range range) {
    struct locked *locked = arg;
    for (size_t i = range.first; i < range.last; i++)
        cr_assert_eq(weft_for(locked->pool, 2000, lock_and_sync, locked, NULL), WEFT_OK);
}

Test(loop, a_wait_in_an_iteration_runs_no_other_iteration, .timeout = 60) {
    weft_pool *pool = make("core:3 pu:1");
    struct locked locked = {.pool = pool, .lock = PTHREAD_MUTEX_INITIALIZER};
    for (int round = 0; round < 20; round++)
        cr_assert_eq(weft_for(pool, 2, loop_of_locks, &locked, NULL), WEFT_OK);
    cr_assert_eq(locked.children, 20 * 2 * 2000);
    weft_pool_destroy(pool);
}

static void sum_spawn(void *arg) {
    ++*(_Atomic(size_t) *)arg;
}

static void spawn_inside(void *arg, weft_range range) {
    for (size_t i = range.first; i < range.last; i++)
        weft_spawn(sum_spawn, arg); /* no sync: the iteration ends with its children */
}

Test(loop, ends_after_the_children_of_its_iterations) {
    weft_pool *pool = make("core:3 pu:1");
    for (int round = 0; round < 200; round++) {
        _Atomic(size_t) count = 0;
        cr_assert_eq(weft_for(pool, 100, spawn_inside, (void *)&count, NULL), WEFT_OK);
        cr_assert_eq(count, 100);
    }
    weft_pool_destroy(pool);
}

enum { N0 = 37, N1 = 301, N2 = 19 };

static void hit2(void *arg, weft_range2 tile) {
    unsigned char(*hits)[N1] = arg;
    for (size_t i = tile.first[0]; i < tile.last[0]; i++)
        for (size_t j = tile.first[1]; j < tile.last[1]; j++)
            hits[i][j]++;
}

static void hit3(void *arg, weft_range3 tile) {
    unsigned char(*hits)[N1][N2] = arg;
    for (size_t i = tile.first[0]; i < tile.last[0]; i++)
        for (size_t j = tile.first[1]; j < tile.last[1]; j++)
            for (size_t k = tile.first[2]; k < tile.last[2]; k++)
                hits[i][j][k]++;
}

/* Two loops at once, the first item of each waits for the other's. */
static void meet_first(void *arg, weft_range r) {
    atomic_uint *arrived = arg;
    if (r.first == 0)
        for (atomic_fetch_add(arrived, 1); atomic_load(arrived) < 2;)
            sched_yield();
}

struct meeting {
    weft_pool *pool;
    atomic_uint arrived;
};

static void *loop_and_meet(void *arg) {
    struct meeting *meeting = arg;
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .grain = 1};
    cr_assert_eq(weft_for(meeting->pool, 2, meet_first, &meeting->arrived, &options), WEFT_OK);
    return NULL;
}

/* A caller that slept in a worker's place would keep it from the other loop, and both would wait for ever. */
Test(loop, leaves_no_worker_idle_while_its_caller_waits, .timeout = 60) {
    struct meeting meeting = {.pool = make("core:2 pu:1")};
    for (int round = 0; round < 300; round++) {
        pthread_t other;
        atomic_store(&meeting.arrived, 0);
        cr_assert_eq(pthread_create(&other, NULL, loop_and_meet, &meeting), 0);
        loop_and_meet(&meeting);
        pthread_join(other, NULL);
        cr_assert_eq(atomic_load(&meeting.arrived), 2);
    }
    weft_pool_destroy(meeting.pool);
}

Test(loop, covers_two_and_three_dimensions) {
    static unsigned char flat[N0][N1], box[N0][N1][N2];
    static const size_t tiles[][3] = {{0, 0, 0}, {1, 1, 1}, {5, 7, 3}, {1000, 1000, 1000}};
    weft_pool *pool = make("node:2 core:2 pu:1");
    for (size_t t = 0; t < 4; t++)
        for (int schedule = 0; schedule < 2; schedule++) {
            weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = (weft_schedule)schedule,
                                        .tile = {tiles[t][0], tiles[t][1]}};
            memset(flat, 0, sizeof flat);
            memset(box, 0, sizeof box);
            cr_assert_eq(weft_for_2d(pool, N0, N1, hit2, flat, &options), WEFT_OK);
            cr_assert(all_ones(&flat[0][0], sizeof flat));
            options.tile[2] = tiles[t][2];
            cr_assert_eq(weft_for_3d(pool, N0, N1, N2, hit3, box, &options), WEFT_OK);
            cr_assert(all_ones(&box[0][0][0], sizeof box));
        }
    cr_assert_eq(weft_for_2d(pool, 0, 5, hit2, flat, NULL), WEFT_OK);
    cr_assert_eq(weft_for_3d(pool, 5, 5, 0, hit3, box, NULL), WEFT_OK);
    weft_for_options ones = {WEFT_FOR_OPTIONS_INIT, .tile = {1, 1, 1}};
    cr_assert_eq(weft_for_3d(pool, SIZE_MAX, 2, 1, hit3, box, &ones), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "tile"));
    weft_for_options first_touch = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = 8};
    cr_assert_eq(weft_for_2d(pool, 5, 5, hit2, flat, &first_touch), WEFT_EINVAL);
    cr_assert_eq(weft_for_2d(pool, 5, 5, NULL, flat, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_for_3d(NULL, 5, 5, 5, hit3, box, NULL), WEFT_EINVAL);
    weft_pool_destroy(pool);
}

Test(loop, refuses_nonsense_and_runs_nothing) {
    weft_pool *pool = make("core:2 pu:1");
    unsigned char hits[16] = {0};
    cr_assert_eq(weft_for(NULL, 16, hit, hits, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_for(pool, 16, NULL, hits, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_for(NULL, 0, hit, hits, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_for(pool, 16, hit, hits, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = (weft_schedule)7}),
                 WEFT_EINVAL);
    cr_assert_eq(weft_for(pool, 16, hit, hits, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH}),
                 WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "item_bytes"));
    cr_assert_eq(weft_for(pool, 16, hit, hits, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .tile = {1}}), WEFT_EINVAL);
    cr_assert_eq(weft_for(pool, 16, hit, hits, &(weft_for_options){.size = 3}), WEFT_EINVAL);
    for (int i = 0; i < 16; i++)
        cr_assert_eq(hits[i], 0);
    weft_pool_destroy(pool);
}

/* Sums of floating-point numbers whose order matters. */
struct moments {
    double sum;
    float products;
};

static void moments_leaf(void *arg, weft_range range, void *accumulator) {
    const double *values = arg;
    struct moments *moments = accumulator;
    for (size_t i = range.first; i < range.last; i++) {
        moments->sum += values[i];
        moments->products += (float)(values[i] * values[i]);
    }
}

static void moments_join(void *arg, void *left, const void *right) {
    (void)arg;
    struct moments *to = left;
    const struct moments *from = right;
    to->sum += from->sum;
    to->products += from->products;
}

Test(reduce, has_the_same_bits_for_every_number_of_workers) {
    enum { N = 3000001 };
    double *values = malloc(N * sizeof *values);
    for (size_t i = 0; i < N; i++)
        values[i] = 1.0 / (double)(i % 1013 + 1) * (i % 3 ? 1e-7 : 1e7);
    for (size_t n = N; n; n /= 97) {
        struct moments first = {0, 0};
        for (size_t s = 0; s < SHAPES; s++) {
            weft_pool *pool = make(shapes[s]);
            for (int round = 0; round < 3; round++) {
                struct moments result = {0, 0};
                cr_assert_eq(weft_reduce(pool, n, moments_leaf, moments_join, values, &result, sizeof result, NULL), WEFT_OK);
                if (!s && !round)
                    first = result;
                cr_assert_eq(memcmp(&first, &result, sizeof result), 0, "%s n %zu", shapes[s], n);
            }
            weft_pool_destroy(pool);
        }
    }
    free(values);
}

static void count_leaf(void *arg, weft_range range, void *accumulator) {
    (void)arg;
    *(size_t *)accumulator += range.last - range.first;
}

static void count_join(void *arg, void *left, const void *right) {
    (void)arg;
    *(size_t *)left += *(const size_t *)right;
}

/* Joins that do not commute: ranges must meet in order. */
static void order_leaf(void *arg, weft_range range, void *accumulator) {
    (void)arg;
    *(weft_range *)accumulator = range;
}

static void order_join(void *arg, void *left, const void *right) {
    (void)arg;
    weft_range *to = left;
    const weft_range *from = right;
    cr_assert_eq(to->last, from->first);
    to->last = from->last;
}

Test(reduce, joins_neighbours_in_order_and_takes_edge_cases) {
    weft_pool *pool = make("core:3 pu:1");
    for (size_t n = 1; n < 3000; n += 7) {
        weft_range range = {0, 0};
        weft_reduce_options options = {WEFT_REDUCE_OPTIONS_INIT, .block = 1 + n % 13};
        cr_assert_eq(weft_reduce(pool, n, order_leaf, order_join, NULL, &range, sizeof range, &options), WEFT_OK);
        cr_assert_eq(range.first, 0);
        cr_assert_eq(range.last, n);
    }
    size_t count = 0;
    cr_assert_eq(weft_reduce(pool, SIZE_MAX, count_leaf, count_join, NULL, &count, sizeof count, NULL), WEFT_OK);
    cr_assert_eq(count, SIZE_MAX);
    count = 17;
    cr_assert_eq(weft_reduce(pool, 0, count_leaf, count_join, NULL, &count, sizeof count, NULL), WEFT_OK);
    cr_assert_eq(count, 17, "the identity");
    weft_reduce_options tiny = {WEFT_REDUCE_OPTIONS_INIT, .block = 1};
    cr_assert_eq(weft_reduce(pool, SIZE_MAX, count_leaf, count_join, NULL, &count, sizeof count, &tiny), WEFT_ENOMEM);
    cr_assert_eq(weft_reduce(pool, 5, NULL, count_join, NULL, &count, sizeof count, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_reduce(pool, 5, count_leaf, NULL, NULL, &count, sizeof count, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_reduce(pool, 5, count_leaf, count_join, NULL, NULL, 8, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_reduce(pool, 5, count_leaf, count_join, NULL, &count, 0, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_reduce(NULL, 5, count_leaf, count_join, NULL, &count, sizeof count, NULL), WEFT_EINVAL);
    cr_assert_eq(count, 17, "unchanged by errors");
    weft_pool_destroy(pool);
}

struct busy {
    atomic_bool begun, ended;
};
static void keep_busy(void *arg) {
    struct busy *busy = arg;
    busy->begun = true;
    while (!busy->ended)
        sched_yield();
}
static void count_outside(void *counter, weft_range range) {
    if (weft_current_worker() < 0)
        *(atomic_size_t *)counter += range.last - range.first;
}

Test(loop, a_caller_without_a_seat_runs_the_bodies_itself_if_it_may) {
    weft_pool *pool = make("core:1 pu:1");
    for (size_t grain = 0; grain < 4; grain++) {
        struct busy busy = {false, false};
        weft_group *group;
        cr_assert_eq(weft_group_create(&group, pool), WEFT_OK);
        cr_assert_eq(weft_group_spawn(group, keep_busy, &busy), WEFT_OK);
        while (!busy.begun)
            sched_yield();
        atomic_size_t outside = 0;
        weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .grain = grain, .any_thread = true};
        cr_assert_eq(weft_for(pool, 1000, count_outside, &outside, &options), WEFT_OK);
        cr_assert_eq(outside, 1000);
        busy.ended = true;
        cr_assert_eq(weft_group_wait(group), WEFT_OK);
        weft_group_destroy(group);
    }
    weft_pool_destroy(pool);
}
