/*
 * WF_ATOMIC_HEADER of the schedule explorer: the names of base/atomic.h, each a scheduling point with the place it stands at.
 */
#ifndef WEFT_TESTS_MODEL_ATOMICS_H
#define WEFT_TESTS_MODEL_ATOMICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t wf_atomic_u32;
typedef uint64_t wf_atomic_u64;
typedef void *wf_atomic_ptr;

/* In the order of strength where there is one; mutants name them. */
enum explore_order { WF_RELAXED, WF_ACQUIRE, WF_RELEASE, WF_ACQ_REL, WF_SEQ_CST };

/* Where an atomic operation stands in the source; there is one of these for each. */
struct explore_place {
    const char *file, *function, *operation, *object;
    int line;
    bool listed;                     /* the explorer's, as all that follows: has been reached */
    signed char order, fail, mutant; /* orders in the source, -1: none; which mutation applies, see explorer.c */
    struct explore_place *next;
};

#define EXPLORE_PLACE(operation, object)                                                                                         \
    __extension__({                                                                                                              \
        static struct explore_place explore_place = {__FILE__, __func__, operation, object, __LINE__, false, -1, -1, 0, NULL};   \
        &explore_place;                                                                                                          \
    })

uint64_t explore_load(const void *object, unsigned bytes, enum explore_order order, struct explore_place *place);
void explore_store(void *object, unsigned bytes, uint64_t value, enum explore_order order, struct explore_place *place);

enum explore_change { EXPLORE_EXCHANGE, EXPLORE_ADD, EXPLORE_SUB, EXPLORE_OR, EXPLORE_AND };
uint64_t explore_modify(void *object, unsigned bytes, enum explore_change change, uint64_t operand, enum explore_order order,
                        struct explore_place *place);
bool explore_cas(void *object, unsigned bytes, uint64_t *expected, uint64_t desired, enum explore_order order,
                 enum explore_order fail, struct explore_place *place);

/* The typed faces, so that arguments convert as they do for <stdatomic.h>. */
#define EXPLORE_TYPE(suffix, type, to, from)                                                                                     \
    static inline type explore_load_##suffix(const type *object, enum explore_order order, struct explore_place *place) {        \
        return from explore_load(object, sizeof *object, order, place);                                                          \
    }                                                                                                                            \
    static inline void explore_store_##suffix(type *object, type value, enum explore_order order, struct explore_place *place) { \
        explore_store(object, sizeof *object, to value, order, place);                                                           \
    }                                                                                                                            \
    static inline type explore_modify_##suffix(type *object, enum explore_change change, type value, enum explore_order order,   \
                                               struct explore_place *place) {                                                    \
        return from explore_modify(object, sizeof *object, change, to value, order, place);                                      \
    }                                                                                                                            \
    static inline bool explore_cas_##suffix(type *object, type *expected, type desired, enum explore_order order,                \
                                            enum explore_order fail, struct explore_place *place) {                              \
        uint64_t seen = to * expected;                                                                                           \
        bool won = explore_cas(object, sizeof *object, &seen, to desired, order, fail, place);                                   \
        if (!won)                                                                                                                \
            *expected = from seen;                                                                                               \
        return won;                                                                                                              \
    }
EXPLORE_TYPE(u32, uint32_t, (uint64_t), (uint32_t))
EXPLORE_TYPE(u64, uint64_t, (uint64_t), (uint64_t))
typedef void *explore_pointer;
EXPLORE_TYPE(ptr, explore_pointer, (uint64_t)(uintptr_t), (void *)(uintptr_t))

#define EXPLORE_PICK(object, name)                                                                                               \
    _Generic(*(object), uint32_t : explore_##name##_u32, uint64_t : explore_##name##_u64, void * : explore_##name##_ptr)
#define EXPLORE_MODIFY(object, text, change, value, order, operation)                                                            \
    EXPLORE_PICK(object, modify)(object, change, value, order, EXPLORE_PLACE(operation, text))

#define wf_load(object, order) EXPLORE_PICK(object, load)(object, order, EXPLORE_PLACE("load", #object))
#define wf_store(object, value, order) EXPLORE_PICK(object, store)(object, value, order, EXPLORE_PLACE("store", #object))
#define wf_exchange(object, value, order) EXPLORE_MODIFY(object, #object, EXPLORE_EXCHANGE, value, order, "exchange")
#define wf_fetch_add(object, value, order) EXPLORE_MODIFY(object, #object, EXPLORE_ADD, value, order, "fetch_add")
#define wf_fetch_sub(object, value, order) EXPLORE_MODIFY(object, #object, EXPLORE_SUB, value, order, "fetch_sub")
#define wf_fetch_or(object, value, order) EXPLORE_MODIFY(object, #object, EXPLORE_OR, value, order, "fetch_or")
#define wf_fetch_and(object, value, order) EXPLORE_MODIFY(object, #object, EXPLORE_AND, value, order, "fetch_and")
#define wf_cas(object, expected, desired, order, fail)                                                                           \
    EXPLORE_PICK(object, cas)(object, expected, desired, order, fail, EXPLORE_PLACE("cas", #object))

/* Threads run as they are written here. */
#define wf_signal_fence() ((void)0)
#define weft_atomic_signal_fence() ((void)0)

/* Of the fast paths that are compiled into programs, weft/fork.h. */
#define weft_atomic_load(object) wf_load(object, WF_RELAXED)
#define weft_atomic_store(object, value) wf_store(object, value, WF_RELAXED)
#define weft_atomic_store_release(object, value) wf_store(object, value, WF_RELEASE)

#endif
