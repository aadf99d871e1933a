/*
 * Typed fork-join: tasks with parameters and a result, spawned and synced at about the cost of a function call.
 *
 *     WEFT_TASK(long, fib, (int, n)) {
 *         if (n < 2)
 *             return n;
 *         WEFT_SPAWN(fib, n - 1);              // may run here at the sync, or on another worker
 *         long right = WEFT_CALL(fib, n - 2);  // runs now
 *         return WEFT_SYNC(fib) + right;
 *     }
 *     long result;
 *     weft_status status = WEFT_RUN(pool, &result, fib, 30);
 *
 * The rules:
 * - A typed task syncs every child it spawned before it returns, each with the name it was spawned with, the newest first.
 * - WEFT_SPAWN, WEFT_SYNC and WEFT_CALL stand in the body of a typed task only (of any name). They may stand in loops.
 * - What a task spawns with weft_spawn() it syncs with weft_sync() before its next WEFT_SYNC and before it returns.
 * - A child runs at its sync, on its own worker, unless an idle worker took it before. Arguments are copied at the spawn.
 * Without NDEBUG an assert() tells of a sync without spawn, of a spawn without sync, and of a sync by another name. With NDEBUG a
 * program that breaks a rule has undefined behaviour.
 *
 * Arguments or a result of more than WEFT_SLOT_BYTES bytes are kept on the spawner's stack until it returns. As many children as the
 * pool's deque_slots wait to be stolen; beyond that a spawn runs its child at once and keeps the result, for 2^20 of them.
 *
 * Threads: a body runs on one worker from begin to end. Orders: a child sees what its spawner wrote before the spawn, and the
 * spawner sees after the sync what the child wrote. weft_stats.tasks does not count children that their own worker ran.
 *
 * Source: child stealing on a stack split into public and private parts, as in Lace (van Dijk, van de Pol, Euro-Par 2014 Workshops).
 */
#ifndef WEFT_FORK_H
#define WEFT_FORK_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "weft/task.h"

#ifdef WF_ATOMIC_HEADER /* weft's own tests put the atomics of a schedule explorer here */
#include WF_ATOMIC_HEADER
#else
#define weft_atomic_load(object) __atomic_load_n(object, __ATOMIC_RELAXED)
#define weft_atomic_store(object, value) __atomic_store_n(object, value, __ATOMIC_RELAXED)
#define weft_atomic_store_release(object, value) __atomic_store_n(object, value, __ATOMIC_RELEASE)
#define weft_atomic_signal_fence() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of arguments, or of a result, that fit into a spawned task. */
#define WEFT_SLOT_BYTES 40

typedef struct weft_slot weft_slot;
typedef struct weft_deque weft_deque;

/** Runs the task in a slot: arguments are read from it, the result is left in it. */
typedef void (*weft_slot_fn)(weft_deque *deque, weft_slot *slot);

/**
 * A spawned task. Programs use it through the macros below only; what its fields mean is told in runtime/scheduler/slot.h.
 */
struct weft_slot {
    weft_slot_fn run;
    uint32_t live;
    uint32_t state;
    union {
        unsigned char bytes[WEFT_SLOT_BYTES];
        void *outside; /* where arguments and result are that do not fit */
        struct {
            weft_task_fn fn;
            void *arg;
            size_t home;
        } plain; /* of weft_spawn() and weft_spawn_at() */
        struct {
            void *job;
            size_t first, last;
        } range; /* of a loop */
    } payload;
    void *parent;
} __attribute__((aligned(64)));

/** What spawn and sync look at in the worker's deque, see runtime/scheduler/deque.h. As above. */
struct weft_deque {
    weft_slot *head;
    void *guard;
    void *limit;
} __attribute__((aligned(64)));

/** The slow halves of spawn and sync; not to be called by programs. Threads: the deque's worker. */
WEFT_API void weft_slot_spawned(weft_deque *deque, weft_slot *slot);
WEFT_API int weft_slot_sync(weft_deque *deque, weft_slot *slot);

/** Calls a typed task at the root; not to be called by programs. As weft_run(). */
typedef void (*weft_root_fn)(weft_deque *deque, weft_slot *head, void *arg);
WEFT_API weft_status weft_run_root(weft_pool *pool, weft_root_fn root, void *arg);

/*
 * clang would keep what is live across the slow half in registers that it saves in the prologue, before a task's base case. Behind a
 * function that preserves most registers nothing has to be kept.
 */
#if defined(__clang__) && (defined(__x86_64__) || defined(__aarch64__)) && !defined(WF_ATOMIC_HEADER)
__attribute__((preserve_most, noinline, unused)) static void weft_slot_spawned_aside(weft_deque *deque, weft_slot *slot) {
    weft_slot_spawned(deque, slot);
}
#else
#define weft_slot_spawned_aside weft_slot_spawned
#endif

/* The filled slot becomes the newest task. */
static inline __attribute__((always_inline, unused)) void weft_slot_push(weft_deque *deque, weft_slot *slot, weft_slot_fn run) {
    slot->run = run;
    weft_atomic_store_release(&slot->live, 1); /* a thief that sees it sees the arguments */
    if (__builtin_expect(slot >= (weft_slot *)weft_atomic_load(&deque->limit), 0))
        weft_slot_spawned_aside(deque, slot);
}

/* The newest task leaves. True: it is the caller's to run. False: it has run, and the result is in the slot. */
static inline __attribute__((always_inline, unused)) int weft_slot_pop(weft_deque *deque, weft_slot *slot) {
    weft_atomic_store(&slot->live, 0);
    weft_atomic_signal_fence(); /* the compiler keeps this order; the thief's membarrier(2) does the rest */
    if (__builtin_expect(slot >= (weft_slot *)weft_atomic_load(&deque->guard), 1))
        return 1;
    return weft_slot_sync(deque, slot);
}

/* Arguments and results lie in the slot, or outside if they are larger. */
static inline __attribute__((always_inline, unused)) void *weft_slot_payload(weft_slot *slot, size_t bytes) {
    return bytes > WEFT_SLOT_BYTES ? slot->payload.outside : (void *)slot->payload.bytes;
}

/* ---- lists of (type, name) pairs; each list ends with one thing more, so that none is empty ---- */

#define WEFT_COUNT_(a, b, c, d, e, f, g, h, i, j, n, ...) n
#define WEFT_PAIRS(...) WEFT_COUNT_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, ~)
#define WEFT_ARGUMENTS(...) WEFT_COUNT_(__VA_ARGS__, SOME, SOME, SOME, SOME, SOME, SOME, SOME, SOME, SOME, NONE, ~)
#define WEFT_JOIN_(a, b) a##b
#define WEFT_JOIN(a, b) WEFT_JOIN_(a, b)

#define WEFT_EACH(n, m, ...) WEFT_JOIN(WEFT_EACH_, n)(m, __VA_ARGS__)
#define WEFT_EACH_0(m, end)
#define WEFT_EACH_1(m, a, end) m a
#define WEFT_EACH_2(m, a, b, end) m a m b
#define WEFT_EACH_3(m, a, b, c, end) m a m b m c
#define WEFT_EACH_4(m, a, b, c, d, end) m a m b m c m d
#define WEFT_EACH_5(m, a, b, c, d, e, end) m a m b m c m d m e
#define WEFT_EACH_6(m, a, b, c, d, e, f, end) m a m b m c m d m e m f
#define WEFT_EACH_7(m, a, b, c, d, e, f, g, end) m a m b m c m d m e m f m g
#define WEFT_EACH_8(m, a, b, c, d, e, f, g, h, end) m a m b m c m d m e m f m g m h

#define WEFT_PARAMETER(type, name) , type name
#define WEFT_FIELD(type, name) type name;
#define WEFT_STORE(type, name) weft_args.name = name;
#define WEFT_PASS(type, name) , weft_args.name
#define WEFT_FORWARD(type, name) , name

/* ---- checks of the rules, without NDEBUG: a body knows where its own children begin ---- */

#ifdef NDEBUG
#define WEFT_BASE_PARAMETER
#define WEFT_BASE_FORWARD(head)
#define WEFT_CHECK_SYNC(name)
#define WEFT_CHECK_RETURN(head)
#else
#define WEFT_BASE_PARAMETER , __attribute__((unused)) weft_slot *weft_base
#define WEFT_BASE_FORWARD(head) , head
#define WEFT_CHECK_SYNC(name)                                                                                                    \
    assert(weft_head > weft_base && "WEFT_SYNC without a WEFT_SPAWN in this task"),                                              \
        assert(weft_head[-1].run == name##_weft_run && "WEFT_SYNC by another name than that of the newest child"),
#define WEFT_CHECK_RETURN(head) assert(!weft_atomic_load(&(head)->live) && "a task returned without a sync of each child");
#endif
#ifdef __cplusplus
#define WEFT_CHECK_BYTES(name)                                                                                                   \
    static_assert(__is_trivially_copyable(name##_weft_payload), "arguments and result of a task are copied as bytes");
#else
#define WEFT_CHECK_BYTES(name) _Static_assert(sizeof(name##_weft_payload) > 0, "");
#endif

/* ---- the parts of a task ---- */

#define WEFT_INSIDE static inline __attribute__((unused))
#define WEFT_INLINE static inline __attribute__((always_inline, unused))
#define WEFT_SELF __attribute__((unused)) weft_deque *weft_self, __attribute__((unused)) weft_slot *weft_head

/* `result` is a member of the payload, or nothing. */
#define WEFT_TASK_TYPES(n, type, name, result, ...)                                                                              \
    typedef struct name##_weft_args {                                                                                            \
        WEFT_EACH(n, WEFT_FIELD, __VA_ARGS__)                                                                                    \
        WEFT_JOIN(WEFT_NO_FIELD_, n)                                                                                             \
    } name##_weft_args;                                                                                                          \
    typedef union name##_weft_payload {                                                                                          \
        name##_weft_args args;                                                                                                   \
        result                                                                                                                   \
    } name##_weft_payload;                                                                                                       \
    WEFT_CHECK_BYTES(name)                                                                                                       \
    WEFT_INSIDE type name##_weft_body(WEFT_SELF WEFT_BASE_PARAMETER WEFT_EACH(n, WEFT_PARAMETER, __VA_ARGS__));                  \
    WEFT_INSIDE void name##_weft_run(weft_deque *weft_self, weft_slot *weft_at);                                                 \
    WEFT_INLINE void name##_weft_spawn(weft_deque *weft_self, weft_slot *weft_at,                                                \
                                       void *weft_outside WEFT_EACH(n, WEFT_PARAMETER, __VA_ARGS__)) {                           \
        name##_weft_args weft_args;                                                                                              \
        WEFT_EACH(n, WEFT_STORE, __VA_ARGS__)                                                                                    \
        if (sizeof(name##_weft_payload) > WEFT_SLOT_BYTES)                                                                       \
            weft_at->payload.outside = weft_outside;                                                                             \
        if (n)                                                                                                                   \
            memcpy(weft_slot_payload(weft_at, sizeof(name##_weft_payload)), &weft_args, sizeof weft_args);                       \
        weft_slot_push(weft_self, weft_at, name##_weft_run);                                                                     \
    }
#define WEFT_NO_FIELD_0 char weft_none;
#define WEFT_NO_FIELD_1
#define WEFT_NO_FIELD_2
#define WEFT_NO_FIELD_3
#define WEFT_NO_FIELD_4
#define WEFT_NO_FIELD_5
#define WEFT_NO_FIELD_6
#define WEFT_NO_FIELD_7
#define WEFT_NO_FIELD_8

#define WEFT_TASK_DECLARE_N(n, type, name, ...)                                                                                  \
    WEFT_TASK_TYPES(n, type, name, type result;, __VA_ARGS__)                                                                    \
    WEFT_INLINE type name##_weft_call(weft_deque *weft_self, weft_slot *weft_at WEFT_EACH(n, WEFT_PARAMETER, __VA_ARGS__)) {     \
        type weft_result =                                                                                                       \
            name##_weft_body(weft_self, weft_at WEFT_BASE_FORWARD(weft_at) WEFT_EACH(n, WEFT_FORWARD, __VA_ARGS__));             \
        WEFT_CHECK_RETURN(weft_at)                                                                                               \
        return weft_result;                                                                                                      \
    }                                                                                                                            \
    WEFT_INSIDE void name##_weft_run(weft_deque *weft_self, weft_slot *weft_at) {                                                \
        void *weft_bytes = weft_slot_payload(weft_at, sizeof(name##_weft_payload));                                              \
        name##_weft_args weft_args;                                                                                              \
        memcpy(&weft_args, weft_bytes, sizeof weft_args);                                                                        \
        type weft_result = name##_weft_call(weft_self, weft_self->head WEFT_EACH(n, WEFT_PASS, __VA_ARGS__));                    \
        memcpy(weft_bytes, &weft_result, sizeof weft_result);                                                                    \
    }                                                                                                                            \
    WEFT_INLINE type name##_weft_sync(weft_deque *weft_self, weft_slot *weft_at) {                                               \
        name##_weft_payload weft_payload;                                                                                        \
        int weft_mine = weft_slot_pop(weft_self, weft_at);                                                                       \
        memcpy(&weft_payload, weft_slot_payload(weft_at, sizeof weft_payload), sizeof weft_payload);                             \
        if (__builtin_expect(!weft_mine, 0))                                                                                     \
            return weft_payload.result;                                                                                          \
        name##_weft_args weft_args = weft_payload.args;                                                                          \
        (void)weft_args;                                                                                                         \
        return name##_weft_call(weft_self, weft_at WEFT_EACH(n, WEFT_PASS, __VA_ARGS__));                                        \
    }                                                                                                                            \
    typedef struct name##_weft_root {                                                                                            \
        name##_weft_args args;                                                                                                   \
        type *result;                                                                                                            \
    } name##_weft_root;                                                                                                          \
    WEFT_INSIDE void name##_weft_begin(weft_deque *weft_self, weft_slot *weft_at, void *weft_arg) {                              \
        name##_weft_root *weft_root = (name##_weft_root *)weft_arg;                                                              \
        name##_weft_args weft_args = weft_root->args;                                                                            \
        (void)weft_args;                                                                                                         \
        type weft_result = name##_weft_call(weft_self, weft_at WEFT_EACH(n, WEFT_PASS, __VA_ARGS__));                            \
        if (weft_root->result)                                                                                                   \
            *weft_root->result = weft_result;                                                                                    \
    }                                                                                                                            \
    WEFT_INSIDE weft_status name##_weft_enter(weft_pool *weft_in, type *weft_result WEFT_EACH(n, WEFT_PARAMETER, __VA_ARGS__)) { \
        name##_weft_args weft_args;                                                                                              \
        memset(&weft_args, 0, sizeof weft_args);                                                                                 \
        WEFT_EACH(n, WEFT_STORE, __VA_ARGS__)                                                                                    \
        name##_weft_root weft_root;                                                                                              \
        weft_root.args = weft_args;                                                                                              \
        weft_root.result = weft_result;                                                                                          \
        return weft_run_root(weft_in, name##_weft_begin, &weft_root);                                                            \
    }

#define WEFT_VOID_TASK_DECLARE_N(n, name, ...)                                                                                   \
    WEFT_TASK_TYPES(n, void, name, , __VA_ARGS__)                                                                                \
    WEFT_INLINE void name##_weft_call(weft_deque *weft_self, weft_slot *weft_at WEFT_EACH(n, WEFT_PARAMETER, __VA_ARGS__)) {     \
        name##_weft_body(weft_self, weft_at WEFT_BASE_FORWARD(weft_at) WEFT_EACH(n, WEFT_FORWARD, __VA_ARGS__));                 \
        WEFT_CHECK_RETURN(weft_at)                                                                                               \
    }                                                                                                                            \
    WEFT_INSIDE void name##_weft_run(weft_deque *weft_self, weft_slot *weft_at) {                                                \
        name##_weft_args weft_args;                                                                                              \
        memcpy(&weft_args, weft_slot_payload(weft_at, sizeof(name##_weft_payload)), sizeof weft_args);                           \
        name##_weft_call(weft_self, weft_self->head WEFT_EACH(n, WEFT_PASS, __VA_ARGS__));                                       \
    }                                                                                                                            \
    WEFT_INLINE void name##_weft_sync(weft_deque *weft_self, weft_slot *weft_at) {                                               \
        name##_weft_args weft_args;                                                                                              \
        if (__builtin_expect(!weft_slot_pop(weft_self, weft_at), 0))                                                             \
            return;                                                                                                              \
        memcpy(&weft_args, weft_slot_payload(weft_at, sizeof(name##_weft_payload)), sizeof weft_args);                           \
        name##_weft_call(weft_self, weft_at WEFT_EACH(n, WEFT_PASS, __VA_ARGS__));                                               \
    }                                                                                                                            \
    WEFT_INSIDE void name##_weft_begin(weft_deque *weft_self, weft_slot *weft_at, void *weft_arg) {                              \
        name##_weft_args weft_args = *(name##_weft_args *)weft_arg;                                                              \
        (void)weft_args;                                                                                                         \
        name##_weft_call(weft_self, weft_at WEFT_EACH(n, WEFT_PASS, __VA_ARGS__));                                               \
    }                                                                                                                            \
    WEFT_INSIDE weft_status name##_weft_enter(weft_pool *weft_in WEFT_EACH(n, WEFT_PARAMETER, __VA_ARGS__)) {                    \
        name##_weft_args weft_args;                                                                                              \
        memset(&weft_args, 0, sizeof weft_args);                                                                                 \
        WEFT_EACH(n, WEFT_STORE, __VA_ARGS__)                                                                                    \
        return weft_run_root(weft_in, name##_weft_begin, &weft_args);                                                            \
    }

#define WEFT_TASK_DEFINE_N(n, type, name, ...)                                                                                   \
    WEFT_INSIDE type name##_weft_body(WEFT_SELF WEFT_BASE_PARAMETER WEFT_EACH(n, WEFT_PARAMETER, __VA_ARGS__))

#define WEFT_TASK_N(n, type, name, ...)                                                                                          \
    WEFT_TASK_DECLARE_N(n, type, name, __VA_ARGS__)                                                                              \
    WEFT_TASK_DEFINE_N(n, type, name, __VA_ARGS__)
#define WEFT_VOID_TASK_N(n, name, ...)                                                                                           \
    WEFT_VOID_TASK_DECLARE_N(n, name, __VA_ARGS__)                                                                               \
    WEFT_TASK_DEFINE_N(n, void, name, __VA_ARGS__)

/* ---- what programs write ---- */

/**
 * WEFT_TASK(type, name, (type, parameter)...) { body }: a task with a result and up to eight parameters. Types are written as one
 * type name (a typedef for pointers to functions and for arrays). In C++ all of them are trivially copyable.
 */
#define WEFT_TASK(...) WEFT_TASK_N(WEFT_PAIRS(__VA_ARGS__), __VA_ARGS__, ~)

/** WEFT_VOID_TASK(name, (type, parameter)...) { body }: one without a result. */
#define WEFT_VOID_TASK(...) WEFT_VOID_TASK_N(WEFT_PAIRS(void, __VA_ARGS__), __VA_ARGS__, ~)

/** A task that is defined further down, for tasks that spawn each other: WEFT_TASK_DECLARE(...) first, WEFT_TASK_DEFINE(...) { body } later. */
#define WEFT_TASK_DECLARE(...) WEFT_TASK_DECLARE_N(WEFT_PAIRS(__VA_ARGS__), __VA_ARGS__, ~) struct weft_slot
#define WEFT_TASK_DEFINE(...) WEFT_TASK_DEFINE_N(WEFT_PAIRS(__VA_ARGS__), __VA_ARGS__, ~)
#define WEFT_VOID_TASK_DECLARE(...) WEFT_VOID_TASK_DECLARE_N(WEFT_PAIRS(void, __VA_ARGS__), __VA_ARGS__, ~) struct weft_slot
#define WEFT_VOID_TASK_DEFINE(...) WEFT_TASK_DEFINE_N(WEFT_PAIRS(void, __VA_ARGS__), void, __VA_ARGS__, ~)

/** WEFT_SPAWN(name, arguments...); a child of the running typed task. Serial equivalent: the call, at its WEFT_SYNC. */
#define WEFT_SPAWN(...) WEFT_JOIN(WEFT_SPAWN_, WEFT_ARGUMENTS(__VA_ARGS__))(__VA_ARGS__)
#define WEFT_SPAWN_NONE(name)                                                                                                    \
    do {                                                                                                                         \
        name##_weft_spawn(weft_self, weft_head, WEFT_OUTSIDE(name));                                                             \
        weft_head++;                                                                                                             \
    } while (0)
#define WEFT_SPAWN_SOME(name, ...)                                                                                               \
    do {                                                                                                                         \
        void *weft_outside = WEFT_OUTSIDE(name);                                                                                 \
        name##_weft_spawn(weft_self, weft_head, weft_outside, __VA_ARGS__);                                                      \
        weft_head++;                                                                                                             \
    } while (0)
#define WEFT_OUTSIDE(name) (sizeof(name##_weft_payload) > WEFT_SLOT_BYTES ? __builtin_alloca(sizeof(name##_weft_payload)) : NULL)

/** WEFT_SYNC(name): wait for the newest child that is not synced, which was spawned by this name; its result. At most one in an expression. */
#define WEFT_SYNC(name) (WEFT_CHECK_SYNC(name) name##_weft_sync(weft_self, --weft_head))

/** WEFT_CALL(name, arguments...): run a typed task now, as a part of this one; its result. */
#define WEFT_CALL(...) WEFT_JOIN(WEFT_CALL_, WEFT_ARGUMENTS(__VA_ARGS__))(__VA_ARGS__)
#define WEFT_CALL_NONE(name) name##_weft_call(weft_self, weft_head)
#define WEFT_CALL_SOME(name, ...) name##_weft_call(weft_self, weft_head, __VA_ARGS__)

/**
 * WEFT_RUN(pool, result, name, arguments...): run a typed task on the pool and wait for it. WEFT_RUN_VOID(pool, name, arguments...)
 * the same without a result.
 *
 * @param result  [out] of the task's result type; written on success; NULL: not wanted.
 * @return a weft_status, as weft_run().
 *
 * Threads: any; inside a typed task WEFT_CALL does the same for less. Blocks: yes.
 */
#define WEFT_RUN(pool, result, ...) WEFT_JOIN(WEFT_RUN_, WEFT_ARGUMENTS(__VA_ARGS__))(pool, result, __VA_ARGS__)
#define WEFT_RUN_NONE(pool, result, name) name##_weft_enter(pool, result)
#define WEFT_RUN_SOME(pool, result, name, ...) name##_weft_enter(pool, result, __VA_ARGS__)
#define WEFT_RUN_VOID(pool, ...) WEFT_JOIN(WEFT_RUN_VOID_, WEFT_ARGUMENTS(__VA_ARGS__))(pool, __VA_ARGS__)
#define WEFT_RUN_VOID_NONE(pool, name) name##_weft_enter(pool)
#define WEFT_RUN_VOID_SOME(pool, name, ...) name##_weft_enter(pool, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
