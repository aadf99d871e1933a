/*
 * Magazines, and the depot where full and empty ones wait: a pair of lock-free stacks for each size class of a node pool. A
 * magazine is an array of pointers to free objects. A thread has the magazines that it allocates from and frees into for itself; it
 * exchanges them here, one exchange for as many objects as a magazine holds. Nothing here touches an object.
 *
 * Magazines lie in a table whose memory stays as long as the node pool, so that a thread may read a magazine that others have taken
 * meanwhile. A stack is one word: the number of its newest magazine (0: none), and a tag that every push makes another, so that
 * a compare-exchange fails where the same magazine has been away in between: it came back by a push.
 *
 *   edge       operation                                      order, and partner
 *   push       magazine->next = newest; cas(stack, +tag)      release: what the pusher did with the magazine, and with its objects,
 *                                                             comes before what its next holder does. Pairs with the pop's look
 *   pop 1      load(stack), anew in each round                acquire: pairs with push. A stack's changes are all read-modify-writes,
 *                                                             so whoever reads a later one has acquired all earlier pushes
 *   pop 2      load(magazine->next)                           relaxed: wrong if the magazine has been taken; then pop 3 fails
 *   pop 3      cas(stack, next, same tag)                     relaxed: where it succeeds the word is the one that pop 1 acquired
 *
 * Invariant: a magazine is in one stack, or has one holder, or its number has never been given out. Tags return after 2^32 pushes to
 * one stack, which a thread would have to sleep through between pop 1 and pop 3.
 *
 * Rejected: a lock (its holder may be preempted, and every exchange of every thread waits); a stack that is popped whole (who takes
 * all makes the others carve fresh memory); queues, which would give back the oldest first but need two words to be changed.
 */
#ifndef WF_MEMORY_DEPOT_H
#define WF_MEMORY_DEPOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"

#define WF_MAGAZINE_BYTES 512u /* weft_free() knows it */
#define WF_MAGAZINE_WORDS (WF_MAGAZINE_BYTES / sizeof(void *) - 2)
#define WF_MAGAZINE_OBJECTS (WF_MAGAZINE_WORDS - 1) /* at most: the word below the first object stays NULL */

/* Room for objects is at the end, for as many as its holder chose when it was empty; the word before the first is NULL: the end of a pop. */
struct wf_magazine {
    _Alignas(WF_MAGAZINE_BYTES) wf_atomic_u32 next; /* A: in a stack, the number of the one below; relaxed, see above */
    uint32_t count;                                 /* its holder's, while no thread works with it: objects */
    wf_atomic_u32 room; /* A: its holder's, objects at most; 0: not chosen yet; relaxed: others read it for statistics */
    void *words[WF_MAGAZINE_WORDS]; /* its holder's */
};

/* The stacks of one size class. */
struct wf_depot {
    WF_LINE_ALIGNED wf_atomic_u64 full; /* A: magazines with objects, most of them full */
    wf_atomic_u64 empty;                /* A */
    wf_atomic_u64 objects;              /* A: in full, about; relaxed: it decides where a magazine goes, never what is there */
    wf_atomic_u64 objects_most;         /* A: how many should be there at most; relaxed; written under the node pool's lock */
    wf_atomic_u64 exchanges;            /* A: magazines that were put into full or taken; relaxed: a statistic */
    wf_atomic_u64 remote;               /* A: objects that threads of other nodes put there; relaxed: a statistic */
};

/* Its number in the table, from 1. */
static inline uint32_t wf_magazine_number(const struct wf_magazine *table, const struct wf_magazine *magazine) {
    return (uint32_t)(magazine - table) + 1;
}

static inline void wf_depot_push(struct wf_magazine *table, wf_atomic_u64 *stack, struct wf_magazine *magazine) {
    uint64_t word = wf_load(stack, WF_RELAXED), next; /* relaxed: the cas compares */
    do {
        wf_store(&magazine->next, (uint32_t)word, WF_RELAXED); /* released by the cas */
        next = ((word >> 32) + 1) << 32 | wf_magazine_number(table, magazine);
    } while (!wf_cas(stack, &word, next, WF_RELEASE, WF_RELAXED));
}

/* The newest magazine, NULL: there is none. */
static inline struct wf_magazine *wf_depot_pop(struct wf_magazine *table, wf_atomic_u64 *stack) {
    uint64_t word, next;
    struct wf_magazine *magazine;
    do {
        word = wf_load(stack, WF_ACQUIRE);
        if (!(uint32_t)word)
            return NULL;
        magazine = &table[(uint32_t)word - 1];
        next = word >> 32 << 32 | wf_load(&magazine->next, WF_RELAXED);
    } while (!wf_cas(stack, &word, next, WF_RELAXED, WF_RELAXED));
    return magazine;
}

#endif
