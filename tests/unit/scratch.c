/* memory/scratch and scheduler/scratch_cache: objects, limits, moments to go back to, and which arena is whose. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory/pages.h"
#include "memory/poison.h"
#include "on_pool.h"

#define TWO_NODES "node:2 core:2 pu:1"

#ifdef WF_ADDRESS_SANITIZER
#define GAP 16 /* between two objects */
#else
#define GAP 0
#endif

static weft_pool *pool;

static void make_pool(void) {
    pool = pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = TWO_NODES});
}

static void end_pool(void) {
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

TestSuite(scratch, .init = make_pool, .fini = end_pool);

static weft_scratch *acquire(unsigned node) {
    weft_scratch *scratch = weft_scratch_acquire(pool, node);
    cr_assert_not_null(scratch, "%s", weft_error_detail());
    return scratch;
}

static weft_scratch_usage usage_of(const weft_scratch *scratch) {
    weft_scratch_usage usage;
    cr_assert_eq(weft_scratch_get_usage(scratch, &usage), WEFT_OK);
    return usage;
}

static weft_scratch_stats stats_of(unsigned node) {
    weft_scratch_stats stats;
    cr_assert_eq(weft_scratch_get_stats(pool, node, &stats), WEFT_OK);
    return stats;
}

static void configure(weft_scratch_options options) {
    options.size = sizeof options;
    cr_assert_eq(weft_scratch_configure(pool, &options), WEFT_OK, "%s", weft_error_detail());
}

Test(scratch, objects_are_aligned_and_do_not_overlap) {
    weft_scratch *scratch = acquire(0);
    char *last = NULL;
    size_t asked = 0;
    for (unsigned round = 0; round < 2; round++, last = NULL, weft_scratch_reset(scratch))
        for (size_t i = 0; i < 3000; i++) {
            size_t bytes = i * 7919 % 1031 + 1, alignment = (size_t)1 << i % 14;
            char *object = i % 3 ? weft_scratch_alloc(scratch, bytes) : weft_scratch_aligned_alloc(scratch, alignment, bytes);
            cr_assert_not_null(object);
            cr_assert_eq((uintptr_t)object % WEFT_SCRATCH_ALIGNMENT, 0);
            cr_assert(i % 3 || (uintptr_t)object % alignment == 0);
            cr_assert(object >= last, "an object lies in front of the one before");
            memset(object, (int)i, bytes);
            last = object + bytes;
            asked += bytes;
        }
    cr_assert_geq(usage_of(scratch).peak_bytes, asked / 2);
    cr_assert_eq(usage_of(scratch).used_bytes, 0);
    weft_scratch_release(scratch);
}

Test(scratch, content_stays_until_the_object_ends) {
    enum { N = 5000 };
    static unsigned *objects[N];
    weft_scratch *scratch = acquire(1);
    for (unsigned i = 0; i < N; i++) {
        objects[i] = weft_scratch_alloc(scratch, sizeof(unsigned) * (i % 100 + 1));
        for (unsigned k = 0; k <= i % 100; k++)
            objects[i][k] = i + k;
    }
    for (unsigned i = 0; i < N; i++)
        for (unsigned k = 0; k <= i % 100; k++)
            cr_assert_eq(objects[i][k], i + k);
    weft_scratch_release(scratch);
}

Test(scratch, zero_bytes_are_a_pointer_and_take_nothing) {
    weft_scratch *scratch = acquire(0);
    void *none = weft_scratch_alloc(scratch, 0);
    cr_assert_not_null(none);
    cr_assert_eq(usage_of(scratch).used_bytes, 0);
    cr_assert_not_null(weft_scratch_calloc(scratch, 0, 8));
    cr_assert_not_null(weft_scratch_calloc(scratch, 8, 0));
    weft_scratch_release(scratch);
}

Test(scratch, a_limit_is_exact_and_its_text_says_what_is_right) {
    weft_scratch *scratch = acquire(0);
    cr_assert_eq(weft_scratch_set_limit(scratch, 4096), WEFT_OK);
    cr_assert_eq(usage_of(scratch).limit_bytes, 4096);
    char *object = weft_scratch_alloc(scratch, 4096 - 16 - 2 * GAP);
    cr_assert_not_null(object);
    cr_assert_null(weft_scratch_alloc(scratch, 17 + GAP));
    cr_assert(strstr(weft_error_detail(), "limit") && strstr(weft_error_detail(), "4096"), "%s", weft_error_detail());
    cr_assert_eq(usage_of(scratch).used_bytes, 4096 - 16 - GAP, "a refusal leaves the arena as it was");
    cr_assert_not_null(weft_scratch_alloc(scratch, 16));
    cr_assert_null(weft_scratch_alloc(scratch, 1));
    cr_assert_null(weft_scratch_aligned_alloc(scratch, 64, 1));
    cr_assert_eq(weft_scratch_set_limit(scratch, 4000), WEFT_EINVAL, "less than is in use");
    cr_assert(strstr(weft_error_detail(), "in use"), "%s", weft_error_detail());
    cr_assert_eq(weft_scratch_set_limit(scratch, SIZE_MAX), WEFT_EINVAL);
    cr_assert_eq(weft_scratch_set_limit(scratch, 0), WEFT_OK);
    cr_assert_not_null(weft_scratch_alloc(scratch, 1 << 20));
    weft_scratch_release(scratch);
    scratch = acquire(0);
    cr_assert_geq(usage_of(scratch).limit_bytes, 1u << 20, "a limit ends with the release");
    weft_scratch_release(scratch);
}

Test(scratch, bad_sizes_and_alignments_are_refused) {
    weft_scratch *scratch = acquire(0);
    static const size_t crooked[] = {0, 3, 24, SIZE_MAX, ((size_t)1 << 62) + 1};
    for (size_t i = 0; i < sizeof crooked / sizeof *crooked; i++) {
        cr_assert_null(weft_scratch_aligned_alloc(scratch, crooked[i], 8));
        cr_assert(strstr(weft_error_detail(), "power of two"), "%s", weft_error_detail());
    }
    cr_assert_null(weft_scratch_aligned_alloc(scratch, (size_t)1 << 63, 8));
    cr_assert_null(weft_scratch_alloc(scratch, SIZE_MAX));
    cr_assert_null(weft_scratch_alloc(scratch, SIZE_MAX - 7));
    cr_assert_null(weft_scratch_alloc(scratch, (size_t)PTRDIFF_MAX));
    cr_assert_null(weft_scratch_calloc(scratch, SIZE_MAX / 2, 3));
    cr_assert(strstr(weft_error_detail(), "address space"), "%s", weft_error_detail());
    cr_assert_null(weft_scratch_realloc(scratch, NULL, 0, SIZE_MAX));
    cr_assert_eq(usage_of(scratch).used_bytes, 0);
    weft_scratch_release(scratch);
}

Test(scratch, bad_arguments_are_refused) {
    weft_scratch_stats stats;
    weft_scratch_usage usage;
    weft_scratch *scratch = acquire(0);
    cr_assert_null(weft_scratch_acquire(NULL, 0));
    cr_assert_null(weft_scratch_acquire(pool, 2));
    cr_assert(strstr(weft_error_detail(), "0 to 1"), "%s", weft_error_detail());
    weft_scratch_release(NULL);
    weft_scratch_reset(NULL);
    cr_assert_eq(weft_scratch_rewind(NULL, weft_scratch_mark(scratch)), WEFT_EINVAL);
    cr_assert_eq(weft_scratch_set_limit(NULL, 1), WEFT_EINVAL);
    cr_assert_eq(weft_scratch_get_usage(NULL, &usage), WEFT_EINVAL);
    cr_assert_eq(weft_scratch_get_usage(scratch, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scratch_get_stats(pool, 2, &stats), WEFT_EINVAL);
    cr_assert_eq(weft_scratch_get_stats(NULL, 0, &stats), WEFT_EINVAL);
    cr_assert_eq(weft_scratch_get_stats(pool, 0, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scratch_configure(NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scratch_configure(pool, NULL), WEFT_OK);
    weft_scratch_options large = {WEFT_SCRATCH_OPTIONS_INIT, .limit_bytes = SIZE_MAX};
    cr_assert_eq(weft_scratch_configure(pool, &large), WEFT_EINVAL);
    weft_scratch_release(scratch);
}

Test(scratch, marks_nest_and_stale_ones_are_refused) {
    weft_scratch *scratch = acquire(0), *other = acquire(0);
    weft_mark outer = weft_scratch_mark(scratch);
    char *first = weft_scratch_alloc(scratch, 100);
    weft_mark inner = weft_scratch_mark(scratch);
    for (int round = 0; round < 3; round++) {
        char *second = weft_scratch_alloc(scratch, 3 << 20); /* goes beyond the pages that there were */
        cr_assert_not_null(second);
        cr_assert_geq(second, first + 100);
        cr_assert_eq(weft_scratch_rewind(scratch, inner), WEFT_OK);
    }
    cr_assert_eq(weft_scratch_rewind(other, inner), WEFT_EINVAL);
    cr_assert_eq(weft_scratch_rewind(scratch, outer), WEFT_OK);
    cr_assert_eq(weft_scratch_rewind(scratch, inner), WEFT_EINVAL, "taken after the moment that was gone back to");
    cr_assert(strstr(weft_error_detail(), "mark"), "%s", weft_error_detail());
    cr_assert_eq(weft_scratch_alloc(scratch, 8), first);
    cr_assert_geq(usage_of(scratch).peak_bytes, 3u << 20);
    weft_scratch_release(scratch);
    weft_scratch_release(other);
}

Test(scratch, a_reset_keeps_the_pages) {
    weft_scratch *scratch = acquire(0);
    char *first = weft_scratch_alloc(scratch, 10 << 20);
    memset(first, 1, 10 << 20);
    size_t populated = usage_of(scratch).populated_bytes;
    cr_assert_geq(populated, 10u << 20);
    weft_scratch_reset(scratch);
    cr_assert_eq(usage_of(scratch).populated_bytes, populated);
    cr_assert_eq(weft_scratch_alloc(scratch, 5 << 20), first);
    cr_assert_eq(usage_of(scratch).populated_bytes, populated);
    char *zero = weft_scratch_calloc(scratch, 1 << 10, 1 << 10);
    for (size_t i = 0; i < 1 << 20; i++)
        cr_assert_eq(zero[i], 0);
    weft_scratch_release(scratch);
}

Test(scratch, realloc_grows_the_newest_in_place) {
    weft_scratch *scratch = acquire(0);
    char *text = weft_scratch_realloc(scratch, NULL, 0, 10);
    memcpy(text, "123456789", 10);
    cr_assert_eq(weft_scratch_realloc(scratch, text, 10, 100000), text);
    cr_assert_str_eq(text, "123456789");
    memset(text, 'x', 100000);
    cr_assert_eq(weft_scratch_realloc(scratch, text, 100000, 20), text);
    cr_assert_eq(usage_of(scratch).used_bytes, 32 + GAP);
    char *other = weft_scratch_alloc(scratch, 8);
    cr_assert_eq(weft_scratch_realloc(scratch, text, 20, 10), text);
    char *moved = weft_scratch_realloc(scratch, text, 10, 200);
    cr_assert(moved > other && !memcmp(moved, "xxxxxxxxxx", 10));
    cr_assert_eq(weft_scratch_set_limit(scratch, usage_of(scratch).used_bytes), WEFT_OK);
    cr_assert_null(weft_scratch_realloc(scratch, moved, 200, 1000));
    cr_assert_eq(moved[9], 'x');
    weft_scratch_release(scratch);
}

struct visit {
    unsigned asked, got;
    weft_scratch *scratch, *again;
};

static void use_one(void *arg) {
    struct visit *visit = arg;
    visit->scratch = acquire(visit->asked);
    visit->got = usage_of(visit->scratch).node;
    visit->asked = (unsigned)weft_current_node();
    weft_scratch_release(visit->scratch);
    visit->again = acquire(WEFT_NODE_HOME);
    weft_scratch_release(visit->again);
}

static void use_on(unsigned node, struct visit *visit) {
    weft_submit_options options = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = node};
    weft_group *group;
    cr_assert_eq(weft_group_create(&group, pool), WEFT_OK);
    options.group = group;
    cr_assert_eq(weft_submit(pool, use_one, visit, &options), WEFT_OK);
    cr_assert_eq(weft_group_wait(group), WEFT_OK);
    cr_assert_eq(weft_group_destroy(group), WEFT_OK);
}

Test(scratch, a_worker_gets_its_last_arena_again) {
    for (unsigned node = 0; node < 2; node++) {
        struct visit visit = {.asked = WEFT_NODE_HOME};
        use_on(node, &visit);
        cr_assert_eq(visit.got, visit.asked, "the home is the node of the worker");
        cr_assert_eq(visit.scratch, visit.again);
    }
    cr_assert_eq(stats_of(0).acquired + stats_of(1).acquired, 4);
    cr_assert_eq(stats_of(0).made + stats_of(1).made, stats_of(0).arenas + stats_of(1).arenas);
    cr_assert_eq(stats_of(0).idle + stats_of(1).idle, 0, "the workers have them at hand");
}

Test(scratch, an_arena_goes_back_to_its_node) {
    weft_scratch *scratch[2] = {acquire(0), acquire(1)};
    for (unsigned node = 0; node < 2; node++) {
        cr_assert_eq(usage_of(scratch[node]).node, node);
        weft_scratch_alloc(scratch[node], 1000 + node * 1000);
    }
    weft_scratch_release(scratch[0]);
    cr_assert_eq(stats_of(0).idle, 1);
    cr_assert_eq(stats_of(1).idle, 0);
    weft_scratch_release(scratch[1]);
    cr_assert_eq(stats_of(1).idle, 1);
    cr_assert_geq(stats_of(1).peak_bytes, 2000);
    cr_assert_geq(stats_of(1).mean_bytes, 2000);
    cr_assert_lt(stats_of(0).peak_bytes, 2000);
    for (unsigned node = 0; node < 2; node++) {
        cr_assert_eq(acquire(node), scratch[node]);
        cr_assert_eq(usage_of(scratch[node]).peak_bytes, 0, "a peak ends with the release");
        weft_scratch_release(scratch[node]);
        cr_assert_eq(stats_of(node).made, 1);
        cr_assert_eq(stats_of(node).acquired, 2);
        cr_assert_eq(stats_of(node).released, 2);
    }
}

Test(scratch, idle_arenas_are_bounded_in_number_and_size) {
    enum { N = 6 };
    weft_scratch *held[N];
    configure((weft_scratch_options){.limit_bytes = 8 << 20, .keep_bytes = 1 << 20, .idle = 2});
    for (unsigned i = 0; i < N; i++) {
        held[i] = acquire(0);
        cr_assert_null(weft_scratch_alloc(held[i], (8 << 20) + 8192), "the limit is the configured one");
        cr_assert_not_null(weft_scratch_alloc(held[i], i % 2 ? 100 : 6 << 20));
    }
    cr_assert_eq(stats_of(0).arenas, N);
    for (unsigned i = 0; i < N; i++)
        weft_scratch_release(held[i]);
    cr_assert_eq(stats_of(0).arenas, 2);
    cr_assert_eq(stats_of(0).idle, 2);
    cr_assert_eq(stats_of(0).trimmed, 3);
    for (unsigned i = 0; i < 2; i++) {
        held[i] = acquire(0);
        cr_assert_leq(usage_of(held[i]).populated_bytes, (1 << 20) + 4096);
    }
    weft_scratch_release(held[0]);
    weft_scratch_release(held[1]);
    cr_assert_eq(stats_of(0).made, N);
}

Test(scratch, base_pages_and_small_limits_work) {
    configure((weft_scratch_options){.limit_bytes = 1, .base_pages = true});
    weft_scratch *small = acquire(0);
    cr_assert_not_null(weft_scratch_alloc(small, 1));
    cr_assert_null(weft_scratch_alloc(small, 1 << 16));
    configure((weft_scratch_options){.limit_bytes = 40 << 20, .base_pages = true});
    weft_scratch *large = acquire(0);
    for (int i = 0; i < 35; i++)
        cr_assert_not_null(weft_scratch_alloc(large, 1 << 20));
    weft_scratch_release(small);
    weft_scratch_release(large);
}

Test(scratch, address_space_that_is_bounded_gives_smaller_arenas) {
#if defined(__SANITIZE_ADDRESS__)
    cr_skip_test("AddressSanitizer needs the address space");
#endif
    struct rlimit old, tight;
    cr_assert_eq(getrlimit(RLIMIT_AS, &old), 0);
    tight = (struct rlimit){(rlim_t)16 << 30, old.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_AS, &tight), 0);
    weft_scratch *scratch = acquire(0);
    cr_assert_leq(usage_of(scratch).limit_bytes, (256u << 20) + 4096);
    configure((weft_scratch_options){.limit_bytes = (size_t)64 << 30});
    cr_assert_null(weft_scratch_acquire(pool, 0));
    cr_assert(strstr(weft_error_detail(), "address space"), "%s", weft_error_detail());
    cr_assert_eq(setrlimit(RLIMIT_AS, &old), 0);
    weft_scratch_release(scratch);
}

Test(scratch, a_pool_takes_back_what_was_not_released) {
    weft_scratch *scratch = acquire(1);
    char *object = weft_scratch_alloc(scratch, 3 << 20);
    object[0] = 1;
    end_pool();
    unsigned char present;
    cr_assert_eq(mincore((void *)((uintptr_t)object & ~(uintptr_t)(wf_page_bytes() - 1)), 1, &present), -1);
    cr_assert_eq(errno, ENOMEM, "the pages are unmapped");
    make_pool();
}

Test(scratch, a_child_of_fork_is_refused) {
    weft_scratch *scratch = acquire(0);
    pid_t child = fork();
    if (!child) {
        weft_scratch_release(scratch);
        _exit(weft_scratch_acquire(pool, 0) || !strstr(weft_error_detail(), "fork"));
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && !WEXITSTATUS(status));
    weft_scratch_release(scratch);
}

#ifdef WF_ADDRESS_SANITIZER
Test(scratch, what_is_no_object_is_poisoned) {
    weft_scratch *scratch = acquire(0);
    weft_mark begin = weft_scratch_mark(scratch);
    char *object = weft_scratch_alloc(scratch, 13), *next = weft_scratch_alloc(scratch, 100);
    cr_assert(!__asan_region_is_poisoned(object, 13) && !__asan_region_is_poisoned(next, 100));
    cr_assert(__asan_address_is_poisoned(object + 13), "behind an object");
    cr_assert(__asan_address_is_poisoned(next - 1), "in front of the next");
    weft_scratch_realloc(scratch, next, 100, 50);
    cr_assert(__asan_address_is_poisoned(next + 50) && !__asan_address_is_poisoned(next + 49));
    cr_assert_eq(weft_scratch_rewind(scratch, begin), WEFT_OK);
    cr_assert(__asan_address_is_poisoned(object), "after a rewind");
    object = weft_scratch_alloc(scratch, 13);
    weft_scratch_release(scratch);
    cr_assert(__asan_address_is_poisoned(object), "after the release");
}
#endif
