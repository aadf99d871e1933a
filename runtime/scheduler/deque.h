/*
 * The fork-join deque of one worker: a stack of slots, split into stolen, public and private parts.
 *
 *      0 ........ tail ........ split ........ head ........ capacity
 *        stolen         public         private
 *
 * One 64-bit word holds {epoch, split, tail}. Every change that a thief can see is an atomic operation on that word, and a
 * thief reads a slot only after its compare-exchange won, so there is no window in which owner and thief both hold a slot.
 * The private part costs no atomics. Thieves ask for more by `request`, which the owner polls at spawn and sync.
 *
 *   edge                  who     operation on word                        order and partner
 *   publish               owner   fetch_add(split)                         seq_cst: slots before; then the look at sleepers
 *   steal                 thief   cas(tail + 1)                            acquire: publish
 *   reclaim newest half   owner   cas(split - k)                           relaxed: the owner wrote these slots itself
 *   reset after a join    owner   store, only while tail == split          relaxed: no cas can succeed on an empty word
 *   new epoch             owner   fetch_add(epoch)                         relaxed: the thief's name on the slot releases it
 *
 * Invariant: tail <= split <= head, and if the newest slot is stolen then all older ones are (thieves take the oldest). So an
 * owner that waits for a stolen slot has nothing public or private, and what it publishes while it waits belongs to the task
 * it waits for. The epoch changes when a stolen task begins and when it ends: whoever reads the word, and then sees that a
 * certain stolen task still runs, can only win slots of that task's subtree (leapfrogging). It wraps after 2^22 tasks, and
 * a thief that sleeps through exactly so many between its two steps may run a stranger's task, once, safely.
 *
 * Rejected: Chase-Lev (15 to 45 ns a spawn with an idle thief polling, against 1.3); separate atomics for tail and split (needs
 * a fence between them in pop).
 *
 * Threading: functions of the owner are marked O, of anybody A.
 */
#ifndef WF_SCHEDULER_DEQUE_H
#define WF_SCHEDULER_DEQUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "scheduler/slot.h"

#define WF_DEQUE_INDEX_BITS 21
#define WF_DEQUE_SLOTS_MAX (1u << 20)

struct wf_deque {
    struct wf_slot *slots;                 /* I */
    uint32_t capacity;                     /* I */
    uint32_t head;                         /* O: next free slot */
    uint32_t split;                        /* O: the owner's copy of the word's split */
    WF_LINE_ALIGNED wf_atomic_u32 request; /* A: set by thieves that found nothing public, cleared by the owner */
    WF_LINE_ALIGNED wf_atomic_u64 word;    /* A: see above */
};

#define WF_DEQUE_INDEX_MASK ((UINT64_C(1) << WF_DEQUE_INDEX_BITS) - 1)

static inline uint32_t wf_deque_word_tail(uint64_t word) {
    return (uint32_t)(word & WF_DEQUE_INDEX_MASK);
}

static inline uint32_t wf_deque_word_split(uint64_t word) {
    return (uint32_t)((word >> WF_DEQUE_INDEX_BITS) & WF_DEQUE_INDEX_MASK);
}

static inline uint64_t wf_deque_word_with(uint64_t word, uint32_t tail, uint32_t split) {
    uint64_t epoch = word >> (2 * WF_DEQUE_INDEX_BITS);
    return (epoch << (2 * WF_DEQUE_INDEX_BITS)) | ((uint64_t)split << WF_DEQUE_INDEX_BITS) | tail;
}

/* O: before the deque is shared. */
static inline void wf_deque_init(struct wf_deque *deque, struct wf_slot *slots, uint32_t capacity) {
    deque->slots = slots;
    deque->capacity = capacity;
    deque->head = deque->split = 0;
    wf_store(&deque->request, 0, WF_RELAXED);
    wf_store(&deque->word, 0, WF_RELAXED);
}

/* O: the slot to fill for the next spawn, or NULL when the deque is full. */
static inline struct wf_slot *wf_deque_next(struct wf_deque *deque) {
    return WF_LIKELY(deque->head < deque->capacity) ? &deque->slots[deque->head] : NULL;
}

/* O: the filled slot becomes the newest private task. */
static inline void wf_deque_push(struct wf_deque *deque) {
    wf_store(&deque->slots[deque->head].state, 0, WF_RELAXED); /* read by others only after publish */
    deque->head++;
}

/* O: make all private tasks public; false if there were none. Sequentially consistent: what follows sees every sleeper that
 * did not see these tasks. */
static inline bool wf_deque_publish(struct wf_deque *deque) {
    uint32_t count = deque->head - deque->split;
    if (!count)
        return false;
    wf_fetch_add(&deque->word, (uint64_t)count << WF_DEQUE_INDEX_BITS, WF_SEQ_CST);
    deque->split = deque->head;
    return true;
}

/* O: take back the newest half (at least one) of the public part; false if it is empty. */
static inline bool wf_deque_reclaim(struct wf_deque *deque) {
    uint64_t word = wf_load(&deque->word, WF_RELAXED);
    for (;;) {
        uint32_t tail = wf_deque_word_tail(word), split = wf_deque_word_split(word);
        if (tail == split)
            return false;
        uint32_t middle = tail + (split - tail) / 2;
        if (wf_cas(&deque->word, &word, wf_deque_word_with(word, tail, middle), WF_RELAXED, WF_RELAXED)) {
            deque->split = middle;
            return true;
        }
    }
}

/* O: the newest task if it is still the owner's: it leaves the deque, and its slot may be reused by the next push. NULL: the
 * newest slot is stolen and stays until wf_deque_drop(). The deque holds at least one slot. */
static inline struct wf_slot *wf_deque_pop(struct wf_deque *deque) {
    if (WF_UNLIKELY(deque->head == deque->split) && !wf_deque_reclaim(deque))
        return NULL;
    return &deque->slots[--deque->head];
}

/* O: the newest slot, stolen and done, leaves the deque. */
static inline void wf_deque_drop(struct wf_deque *deque) {
    uint32_t top = --deque->head;
    uint64_t word = wf_load(&deque->word, WF_RELAXED);
    wf_store(&deque->word, wf_deque_word_with(word, top, top), WF_RELAXED);
    deque->split = top;
}

/* O: a stolen or submitted task begins or has ended. */
static inline void wf_deque_new_epoch(struct wf_deque *deque) {
    wf_fetch_add(&deque->word, UINT64_C(1) << (2 * WF_DEQUE_INDEX_BITS), WF_RELAXED);
}

/* A: the word for wf_deque_steal(). Sequentially consistent, so that a thief on its way to sleep sees what was published
 * before its publisher looked for sleepers. */
static inline uint64_t wf_deque_look(const struct wf_deque *deque) {
    return wf_load(&deque->word, WF_SEQ_CST);
}

/* A: whether a word that was looked at holds public tasks. */
static inline bool wf_deque_word_has_work(uint64_t word) {
    return wf_deque_word_tail(word) < wf_deque_word_split(word);
}

/* A: take the oldest public task if the word is still as it was looked at; NULL: somebody was quicker. */
static inline struct wf_slot *wf_deque_steal(struct wf_deque *deque, uint64_t word) {
    uint32_t tail = wf_deque_word_tail(word);
    if (!wf_cas(&deque->word, &word, word + 1, WF_ACQUIRE, WF_RELAXED)) /* acquire: pairs with publish */
        return NULL;
    return &deque->slots[tail];
}

/* A: ask the owner to publish. Relaxed: a request that is seen late costs a delay, never a task. */
static inline void wf_deque_ask(struct wf_deque *deque) {
    if (!wf_load(&deque->request, WF_RELAXED))
        wf_store(&deque->request, 1, WF_RELAXED);
}

/* O: whether somebody asked. */
static inline bool wf_deque_asked(const struct wf_deque *deque) {
    return wf_load(&deque->request, WF_RELAXED) != 0;
}

#endif
