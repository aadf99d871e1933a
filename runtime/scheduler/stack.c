/* Stacks from areas; how large they are and how much of them the C library takes is asked from it. */
#include "scheduler/stack.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/status.h"
#include "machine/binding.h"

/* The sanitizers want this much stack beside thread-local storage, in which they keep tables. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LEAST_BYTES ((size_t)128 << 10)
#else
#define LEAST_BYTES ((size_t)PTHREAD_STACK_MIN)
#endif

static size_t whole_pages(size_t bytes) {
    size_t page = wf_page_bytes();
    return (bytes + page - 1) / page * page;
}

/*
 * What the C library puts on top of a stack: control block, static thread-local storage of all modules. glibc tells the smallest
 * stack that has room for it by a function that has no declaration; without it there is room for little.
 */
static size_t bytes_on_top(const pthread_attr_t *attributes) {
    typedef size_t (*least_fn)(const pthread_attr_t *);
    least_fn ask = NULL;
    *(void **)(void *)&ask = dlsym(RTLD_DEFAULT, "__pthread_get_minstack");
    return ask ? ask(attributes) - (size_t)PTHREAD_STACK_MIN : wf_page_bytes();
}

/* Bytes that make a stack of `asked` bytes (0: default), and of the guard below. Returns an errno. */
static int measure(size_t asked, size_t *bytes, size_t *guard) {
    pthread_attr_t attributes; /* of a thread that is made without any */
    int error = pthread_getattr_default_np(&attributes);
    if (error)
        return error;
    size_t standard = 0, top = bytes_on_top(&attributes);
    error = pthread_attr_getstacksize(&attributes, &standard);
    if (!error)
        error = pthread_attr_getguardsize(&attributes, guard);
    pthread_attr_destroy(&attributes);
    *guard = whole_pages(*guard ? *guard : 1);
    *bytes = asked ? asked + top : standard;
    *bytes = whole_pages(*bytes < LEAST_BYTES + top ? LEAST_BYTES + top : *bytes);
    return error;
}

static weft_status measure_failed(int error) {
    return wf_fail(WEFT_ENOMEM, "the system's default attributes of threads cannot be had: %s", strerror(error));
}

/* A refusal is no failure: the worker's own touch then places all but the pages that the creator writes. */
static void bind_quietly(const weft_plan *plan, unsigned node, void *start, size_t bytes) {
    struct wf_detail before;
    wf_detail_keep(&before);
    wf_bind_memory(plan, start, bytes, weft_plan_nodes(plan, NULL)[node].memory_node, false);
    wf_detail_restore(&before);
}

weft_status wf_stack_map(struct wf_stack *stack, const weft_plan *plan, unsigned node, size_t bytes) {
    struct wf_stack made = {0};
    int error = measure(bytes, &made.bytes, &made.guard);
    if (error)
        return measure_failed(error);
    weft_status status = wf_area_reserve(&made.area, made.guard + made.bytes, WEFT_PAGES_BASE);
    if (status)
        return status;
    if (mprotect(made.area.start, made.guard, PROT_NONE)) {
        status = wf_fail(WEFT_ENOMEM, "no guard below a stack of %zu bytes: %s", made.bytes, strerror(errno));
        wf_area_release(&made.area);
        return status;
    }
    bind_quietly(plan, node, (char *)made.area.start + made.guard, made.bytes);
    *stack = made;
    return WEFT_OK;
}

weft_status wf_stack_make(struct wf_stack *stack, const weft_plan *plan, unsigned node, size_t bytes) {
    if (wf_plan_spans_memory(plan))
        return wf_stack_map(stack, plan, node, bytes);
    struct wf_stack made = {0};
    int error = bytes ? measure(bytes, &made.bytes, &made.guard) : 0;
    if (error)
        return measure_failed(error);
    *stack = made;
    return WEFT_OK;
}

int wf_stack_set(const struct wf_stack *stack, pthread_attr_t *attributes) {
    if (stack->area.start)
        return pthread_attr_setstack(attributes, (char *)stack->area.start + stack->guard, stack->bytes);
    return stack->bytes ? pthread_attr_setstacksize(attributes, stack->bytes) : 0;
}

void wf_stack_release(struct wf_stack *stack) {
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (here - (uintptr_t)stack->area.start >= stack->area.mapped)
        wf_area_release(&stack->area);
}
