/*
 * The atomics that the lock-free core uses, behind one name each, so that a schedule explorer can put its own in their
 * place: define WF_ATOMIC_HEADER to the name of a header that declares the same types and macros.
 * Orders stand on operations, never on fences (ThreadSanitizer does not model fences).
 */
#ifndef WF_BASE_ATOMIC_H
#define WF_BASE_ATOMIC_H

#ifdef WF_ATOMIC_HEADER
#include WF_ATOMIC_HEADER
#else

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic(uint32_t) wf_atomic_u32;
typedef _Atomic(uint64_t) wf_atomic_u64;
typedef _Atomic(void *) wf_atomic_ptr;

#define WF_RELAXED memory_order_relaxed
#define WF_ACQUIRE memory_order_acquire
#define WF_RELEASE memory_order_release
#define WF_ACQ_REL memory_order_acq_rel
#define WF_SEQ_CST memory_order_seq_cst

#define wf_load(object, order) atomic_load_explicit(object, order)
#define wf_store(object, value, order) atomic_store_explicit(object, value, order)
#define wf_exchange(object, value, order) atomic_exchange_explicit(object, value, order)
#define wf_fetch_add(object, value, order) atomic_fetch_add_explicit(object, value, order)
#define wf_fetch_sub(object, value, order) atomic_fetch_sub_explicit(object, value, order)
#define wf_fetch_or(object, value, order) atomic_fetch_or_explicit(object, value, order)
#define wf_fetch_and(object, value, order) atomic_fetch_and_explicit(object, value, order)
/* Strong compare-exchange; a failure loads with `fail` into *expected. */
#define wf_cas(object, expected, desired, order, fail)                                                                           \
    atomic_compare_exchange_strong_explicit(object, expected, desired, order, fail)

/* Keeps the compiler from moving memory accesses across it; for the side of a membarrier(2) that costs nothing. */
#define wf_signal_fence() atomic_signal_fence(memory_order_seq_cst)

#endif
#endif
