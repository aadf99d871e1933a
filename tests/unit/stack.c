/* Stacks of workers: mapped, guarded, used by a thread together with its thread-local storage, given back. */
#include "scheduler/stack.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static _Thread_local char local[3000];

static weft_plan *make_plan(const char *topology) {
    weft_plan *plan = NULL;
    cr_assert_eq(weft_plan_create(&plan, &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = topology}), WEFT_OK, "%s",
                 weft_error_detail());
    return plan;
}

/* What the mapping that holds an address may be used for ("rw-p"), "" if there is none. */
static const char *rights(const void *address) {
    static char found[8];
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    found[0] = 0;
    while (maps && fgets(line, sizeof line, maps)) {
        uintptr_t first, last;
        char text[8];
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &first, &last, text) == 3 && first <= (uintptr_t)address &&
            (uintptr_t)address < last)
            memcpy(found, text, sizeof found);
    }
    fclose(maps);
    return found;
}

static bool holds(const struct wf_stack *stack, const volatile void *address) {
    uintptr_t first = (uintptr_t)stack->area.start + stack->guard;
    return (uintptr_t)address - first < stack->bytes;
}

struct visit {
    const struct wf_stack *stack;
    size_t depth; /* bytes of stack to use, a multiple of 1024 */
    bool stack_inside, storage_inside;
};

static void *visit(void *arg) {
    struct visit *visit = arg;
    volatile char deep[visit->depth];
    for (size_t i = visit->depth; i > 0; i -= 1024)
        deep[i - 1] = 1;
    local[sizeof local / 2] = deep[visit->depth - 1];
    visit->stack_inside = holds(visit->stack, __builtin_frame_address(0)) && holds(visit->stack, deep);
    visit->storage_inside = holds(visit->stack, local);
    return NULL;
}

static void run_on(const struct wf_stack *stack, void *(*run)(void *), void *arg) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    cr_assert_eq(wf_stack_set(stack, &attributes), 0);
    cr_assert_eq(pthread_create(&thread, &attributes, run, arg), 0);
    pthread_attr_destroy(&attributes);
    pthread_join(thread, NULL);
}

Test(stack, holds_the_thread_and_its_thread_local_storage) {
    weft_plan *plan = make_plan(NULL);
    const size_t sizes[] = {0, (size_t)PTHREAD_STACK_MIN, 102400, (size_t)1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct wf_stack stack = {0};
        cr_assert_eq(wf_stack_map(&stack, plan, 0, sizes[i]), WEFT_OK, "%s", weft_error_detail());
        struct visit result = {&stack, sizes[i] ? sizes[i] / 2 : 1 << 20, false, false};
        run_on(&stack, visit, &result);
        cr_expect(result.stack_inside && result.storage_inside, "stack of %zu bytes", sizes[i]);
        wf_stack_release(&stack);
    }
    weft_plan_destroy(plan);
}

Test(stack, is_as_large_as_asked_beside_what_the_c_library_takes) {
    weft_plan *plan = make_plan(NULL);
    struct wf_stack stack = {0}, standard = {0};
    cr_assert_eq(wf_stack_map(&stack, plan, 0, 1 << 20), WEFT_OK);
    cr_expect_geq(stack.bytes, ((size_t)1 << 20) + sizeof local);
    cr_expect_eq(stack.area.bytes, stack.guard + stack.bytes);
    wf_stack_release(&stack);
    pthread_attr_t attributes;
    size_t bytes;
    pthread_getattr_default_np(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)5 << 20);
    pthread_setattr_default_np(&attributes);
    pthread_attr_getstacksize(&attributes, &bytes);
    pthread_attr_destroy(&attributes);
    cr_assert_eq(wf_stack_map(&standard, plan, 0, 0), WEFT_OK);
    cr_expect_eq(standard.bytes, bytes, "the default of new threads, as it is now");
    wf_stack_release(&standard);
    weft_plan_destroy(plan);
}

Test(stack, has_a_guard_below_and_is_unmapped_with_it) {
    weft_plan *plan = make_plan(NULL);
    struct wf_stack stack = {0};
    cr_assert_eq(wf_stack_map(&stack, plan, 0, 1 << 20), WEFT_OK);
    char *start = stack.area.start, *bottom = start + stack.guard;
    cr_expect_geq(stack.guard, wf_page_bytes());
    cr_expect_str_eq(rights(start), "---p");
    cr_expect_str_eq(rights(bottom - 1), "---p");
    cr_expect_str_eq(rights(bottom), "rw-p");
    cr_expect_str_eq(rights(bottom + stack.bytes - 1), "rw-p");
    wf_stack_release(&stack);
    cr_expect_null(stack.area.start);
    cr_expect_str_eq(rights(start), "");
    cr_expect_str_eq(rights(bottom), "");
    wf_stack_release(&stack); /* there is none any more */
    weft_plan_destroy(plan);
}

Test(stack, needs_no_memory_policy) {
    weft_plan *here = make_plan(NULL), *foreign = make_plan("node:2 core:2 pu:1");
    weft_plan *none = NULL;
    cr_assert_eq(weft_plan_create(&none, &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .nodes = "x"}), WEFT_EINVAL);
    char before[512];
    snprintf(before, sizeof before, "%s", weft_error_detail());
    struct wf_stack stack = {0};
    cr_assert_eq(wf_stack_map(&stack, foreign, 1, 0), WEFT_OK);
    struct visit result = {&stack, 4096, false, false};
    run_on(&stack, visit, &result);
    cr_expect(result.stack_inside);
    wf_stack_release(&stack);
    cr_expect_str_eq(weft_error_detail(), before, "a success leaves the text alone");
    weft_plan_destroy(foreign);
    weft_plan_destroy(here);
}

Test(stack, that_does_not_fit_is_a_status) {
    weft_plan *plan = make_plan(NULL);
    struct wf_stack stack = {0};
    cr_expect_eq(wf_stack_map(&stack, plan, 0, (size_t)1 << 60), WEFT_ENOMEM);
    cr_expect_null(stack.area.start);
    weft_plan_destroy(plan);
}

/* In the child only the forking thread is there, and it runs on the stack. */
static void *fork_and_release(void *arg) {
    struct wf_stack *stack = arg;
    pid_t child = fork();
    if (!child) {
        wf_stack_release(stack);
        _exit(stack->area.start ? 7 : 8);
    }
    int ended = 0;
    cr_assert_eq(waitpid(child, &ended, 0), child);
    cr_expect(WIFEXITED(ended) && WEXITSTATUS(ended) == 7, "wait status %x", (unsigned)ended);
    return NULL;
}

Test(stack, is_kept_by_the_forked_child_that_runs_on_it) {
    weft_plan *plan = make_plan(NULL);
    struct wf_stack stack = {0};
    cr_assert_eq(wf_stack_map(&stack, plan, 0, 1 << 20), WEFT_OK);
    run_on(&stack, fork_and_release, &stack);
    wf_stack_release(&stack);
    cr_expect_null(stack.area.start);
    weft_plan_destroy(plan);
}
