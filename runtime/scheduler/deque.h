/*
 * The fork-join deque of one worker: a stack of slots, split into stolen, public and private parts.
 *
 *      0 ........ tail ........ split ........ head ........ capacity ........ room
 *        stolen         public         private        free             overflow
 *
 * One 64-bit word holds {epoch, FORCE, split, tail}. Every change that a thief can see is an atomic operation on that word, and a
 * thief reads a slot only after its compare-exchange won, so there is no window in which owner and thief both hold a slot.
 * The private part costs no atomics: spawn and sync (weft/fork.h) are compiled into the program and look at two words of `face`,
 * `limit` and `guard`. The head is in a register of the program; its truth in memory is that slots [0, head) are live and the one
 * at head is not. `face.head` is a hint that is exact after wf_deque_settle() and while the runtime itself spawns and pops.
 *
 * limit    where spawn leaves its fast path: the end of the capacity, or NULL when a thief has asked. A request stands until tasks
 *          become public, so that a spawn answers it even if it comes late.
 * guard    where sync leaves its fast path: at the split, or ALL when a thief has asked, or while slots beyond the capacity live.
 * Only the owner writes real values. A thief writes NULL and ALL, which only make the owner look (relaxed: late is harmless).
 *
 *   edge                  who     operation on word                        order and partner
 *   publish               owner   cas(split + k)                           seq_cst: slots before; then the look at sleepers
 *   steal                 thief   cas(tail + 1)                            acquire: publish, force
 *   reclaim newest half   owner   cas(split - k)                           relaxed: the owner wrote these slots itself
 *   drop after a join     owner   cas(tail = split = top)                  relaxed: nothing is public
 *   new epoch             owner   cas(epoch + 1)                           relaxed: the thief's name on the slot releases it
 *   force, begin          thief   cas(FORCE), then guard and limit         relaxed: the membarrier orders
 *   force, end            thief   cas(split + k, no FORCE, epoch + 1)      release: slots, acquired from `live`; steal
 *   open                  owner   store guard; load word                   the thief's membarrier stands between the two, see below
 *
 * Invariant: tail <= split <= head, and if the newest slot is stolen then all older ones are (thieves take the oldest). So an
 * owner that waits for a stolen slot has nothing public or private, and what it publishes while it waits belongs to the task
 * it waits for. The epoch changes when a stolen task begins and when it ends: whoever reads the word, and then sees that a
 * certain stolen task still runs, can only win slots of that task's subtree (leapfrogging). It wraps after 2^21 tasks, and
 * a thief that sleeps through exactly so many between its two steps may run a stranger's task, once, safely.
 *
 * Force. An owner in a long leaf answers nobody. A thief that would sleep otherwise publishes for it:
 *   1 cas FORCE into a word that has nothing public       2 guard = ALL, limit = NULL       3 membarrier(2)
 *   4 guard still ALL, or give up       5 count the live slots from split on       6 cas them public, without FORCE
 * The owner syncs by: live = 0; look at guard (the fast path ends here). It leaves the slow path by `open`: guard = split of the word;
 * look at the word again; is there FORCE, or another split, once more. Every change of the word by the owner takes FORCE out
 * and moves the epoch, so that step 6 of a thief that was overtaken fails.
 * Proof: the membarrier makes every thread pass a full barrier at some point P of its program. A fast sync that looked at guard
 * before P has shown live = 0 by step 5; one that looks after P sees ALL, unless the owner wrote guard meanwhile. If it wrote it
 * before P the thief sees it in step 4, unless ALL came later and stands. If it wrote it after P it looked at the word after P as
 * well, and saw FORCE. A slot that step 5 sees live was pushed by a release store, so its content is visible.
 *
 * Rejected: Chase-Lev (15 to 45 ns a spawn with an idle thief polling, against 1.3); separate atomics for tail and split (needs
 * a fence between them in pop); a membarrier on each steal (some microseconds); a head in memory (a third more time per spawn and
 * sync, as the store goes to another line than the slot's); a heartbeat of the owner's (a clock read per spawn); `run` cleared
 * in place of `live` (the owner would clear it while a thief that has won the slot is about to read it).
 *
 * Threading: functions of the owner are marked O, of anybody A.
 */
#ifndef WF_SCHEDULER_DEQUE_H
#define WF_SCHEDULER_DEQUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/membarrier.h"
#include "scheduler/slot.h"

#define WF_DEQUE_INDEX_BITS 21
#define WF_DEQUE_SLOTS_MAX (1u << 20)
#define WF_DEQUE_OVERFLOW (1u << 20) /* slots beyond the capacity: children that ran at their spawn */
#define WF_DEQUE_PUBLISH_MOST 256u   /* slots that become public at once */

struct wf_deque {
    weft_deque face;                        /* guard, limit A: see above; head O */
    weft_slot *slots;                       /* I */
    uint32_t capacity, room;                /* I: slots that can become public; all slots less one, which is never live */
    WF_LINE_ALIGNED wf_atomic_u64 word;     /* A: see above */
    WF_LINE_ALIGNED wf_atomic_u64 asked_ns; /* A: thieves only: when one of them asked last; relaxed */
    wf_atomic_u64 patience_ns;              /* A: thieves only: how long none asks after that; relaxed */
};

#define WF_DEQUE_INDEX_MASK ((UINT64_C(1) << WF_DEQUE_INDEX_BITS) - 1)
#define WF_DEQUE_FORCE (UINT64_C(1) << (2 * WF_DEQUE_INDEX_BITS))
#define WF_DEQUE_EPOCH (WF_DEQUE_FORCE << 1)
#define WF_DEQUE_ALL ((void *)UINTPTR_MAX)

static inline wf_atomic_ptr *wf_deque_guard(struct wf_deque *deque) {
    return (wf_atomic_ptr *)&deque->face.guard;
}

static inline wf_atomic_ptr *wf_deque_limit(struct wf_deque *deque) {
    return (wf_atomic_ptr *)&deque->face.limit;
}

static inline uint32_t wf_deque_word_tail(uint64_t word) {
    return (uint32_t)(word & WF_DEQUE_INDEX_MASK);
}

static inline uint32_t wf_deque_word_split(uint64_t word) {
    return (uint32_t)((word >> WF_DEQUE_INDEX_BITS) & WF_DEQUE_INDEX_MASK);
}

/* The word with other indices. Who takes FORCE out moves the epoch. */
static inline uint64_t wf_deque_word_with(uint64_t word, uint32_t tail, uint32_t split) {
    uint64_t epoch = word & ~(WF_DEQUE_EPOCH - 1);
    if (word & WF_DEQUE_FORCE)
        epoch += WF_DEQUE_EPOCH;
    return epoch | ((uint64_t)split << WF_DEQUE_INDEX_BITS) | tail;
}

/* O: the end of the live slots. */
static inline weft_slot *wf_deque_settle(struct wf_deque *deque) {
    weft_slot *head = deque->face.head;
    while (wf_load(wf_slot_live(head), WF_RELAXED)) /* the slot at `room` never is */
        head++;
    while (head > deque->slots && !wf_load(wf_slot_live(head - 1), WF_RELAXED))
        head--;
    if (deque->face.head != head) /* thieves read this line */
        deque->face.head = head;
    return head;
}

/* O: as an index. */
static inline uint32_t wf_deque_head(struct wf_deque *deque) {
    return (uint32_t)(wf_deque_settle(deque) - deque->slots);
}

/* O: leave the slow path; returns the split. `head` slots live. */
static inline uint32_t wf_deque_open(struct wf_deque *deque, uint32_t head) {
    uint64_t word = wf_load(&deque->word, WF_RELAXED);
    for (;;) {
        if (word & WF_DEQUE_FORCE) { /* the thief is too late: its end fails */
            uint64_t without = wf_deque_word_with(word, wf_deque_word_tail(word), wf_deque_word_split(word));
            if (wf_cas(&deque->word, &word, without, WF_RELAXED, WF_RELAXED))
                word = without;
            continue;
        }
        uint32_t split = wf_deque_word_split(word);
        wf_store(wf_deque_guard(deque), head > deque->capacity ? WF_DEQUE_ALL : deque->slots + split, WF_RELAXED);
        wf_signal_fence(); /* this store, then this load; for thieves that force */
        uint64_t now = wf_load(&deque->word, WF_RELAXED);
        if (!((now ^ word) & ~WF_DEQUE_INDEX_MASK)) /* tail may move */
            return split;
        word = now;
    }
}

/* O: before the deque is shared. The slots are zero, and one more than `room`. */
static inline void wf_deque_init(struct wf_deque *deque, weft_slot *slots, uint32_t capacity, uint32_t room) {
    deque->slots = deque->face.head = slots;
    deque->capacity = capacity;
    deque->room = room;
    wf_store(&deque->word, 0, WF_RELAXED);
    wf_store(&deque->asked_ns, 0, WF_RELAXED);
    wf_store(&deque->patience_ns, 0, WF_RELAXED);
    wf_store(wf_deque_limit(deque), slots + capacity, WF_RELAXED);
    wf_deque_open(deque, 0);
}

/* O: whether somebody asked. */
static inline bool wf_deque_asked(const struct wf_deque *deque) {
    return !weft_atomic_load(&deque->face.limit);
}

/* O: a request is answered by what is published next. A thief that asks from here on is heard by the next spawn; one that asked before
 * and sleeps is found by who looks for sleepers after the publish. */
static inline void wf_deque_answer(struct wf_deque *deque) {
    wf_store(wf_deque_limit(deque), deque->slots + deque->capacity, WF_RELAXED);
}

/* O: nothing could be published: the request stands. */
static inline void wf_deque_answer_later(struct wf_deque *deque) {
    wf_store(wf_deque_limit(deque), NULL, WF_RELAXED);
}

/* O: make the oldest private tasks public, at most `most`; returns how many. Sequentially consistent: what follows sees every sleeper
 * that did not see these tasks. */
static inline uint32_t wf_deque_publish(struct wf_deque *deque, uint32_t head, uint32_t most) {
    uint64_t word = wf_load(&deque->word, WF_RELAXED);
    uint32_t end = head < deque->capacity ? head : deque->capacity;
    for (;;) {
        uint32_t split = wf_deque_word_split(word), count = end - split < most ? end - split : most;
        if (!count)
            return 0;
        uint64_t after = wf_deque_word_with(word, wf_deque_word_tail(word), split + count);
        if (wf_cas(&deque->word, &word, after, WF_SEQ_CST, WF_RELAXED))
            return count;
    }
}

/* O: take back the newest half (at least one) of the public part; false if it is empty. */
static inline bool wf_deque_reclaim(struct wf_deque *deque) {
    uint64_t word = wf_load(&deque->word, WF_RELAXED);
    for (;;) {
        uint32_t tail = wf_deque_word_tail(word), split = wf_deque_word_split(word), middle = tail + (split - tail) / 2;
        if (tail == split)
            return false;
        if (!wf_cas(&deque->word, &word, wf_deque_word_with(word, tail, middle), WF_RELAXED, WF_RELAXED))
            continue;
        for (uint32_t i = middle; i < split; i++)
            wf_store(wf_slot_parent(&deque->slots[i]), NULL, WF_RELAXED);
        return true;
    }
}

/* O: the newest of `head` slots, all below the capacity, if it is the owner's: it leaves the deque, and may be overwritten by the next
 * spawn. NULL: it is stolen and stays until wf_deque_drop(). The deque is left open. */
static inline weft_slot *wf_deque_pop(struct wf_deque *deque, uint32_t head) {
    weft_slot *slot = &deque->slots[head - 1];
    uint32_t live = wf_load(wf_slot_live(slot), WF_RELAXED);
    do {
        wf_store(wf_slot_live(slot), 0, WF_RELAXED);
        wf_signal_fence(); /* as in weft_slot_pop() */
        if (wf_deque_open(deque, head - 1) < head) {
            deque->face.head = slot;
            return slot;
        }
        wf_store(wf_slot_live(slot), live, WF_RELAXED); /* nobody counts it while it is public */
    } while (wf_deque_reclaim(deque));
    return NULL;
}

/* O: the newest of `head` slots, stolen and done, leaves the deque, which is left open. */
static inline void wf_deque_drop(struct wf_deque *deque, uint32_t head) {
    uint32_t top = head - 1;
    weft_slot *slot = &deque->slots[top];
    uint64_t word = wf_load(&deque->word, WF_RELAXED);
    wf_store(wf_slot_live(slot), 0, WF_RELAXED);
    wf_store(wf_slot_state(slot), 0, WF_RELAXED);
    wf_store(wf_slot_parent(slot), NULL, WF_RELAXED);
    while (!wf_cas(&deque->word, &word, wf_deque_word_with(word, top, top), WF_RELAXED, WF_RELAXED))
        ;
    deque->face.head = slot;
    wf_deque_open(deque, top);
}

/* O: a stolen or submitted task begins or has ended. */
static inline void wf_deque_new_epoch(struct wf_deque *deque) {
    uint64_t word = wf_load(&deque->word, WF_RELAXED), after;
    do {
        after = (word & ~WF_DEQUE_FORCE) + WF_DEQUE_EPOCH;
    } while (!wf_cas(&deque->word, &word, after, WF_RELAXED, WF_RELAXED));
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
static inline weft_slot *wf_deque_steal(struct wf_deque *deque, uint64_t word) {
    uint32_t tail = wf_deque_word_tail(word);
    if (!wf_cas(&deque->word, &word, word + 1, WF_ACQUIRE, WF_RELAXED)) /* acquire: pairs with publish and force */
        return NULL;
    return &deque->slots[tail];
}

#define WF_DEQUE_ANYWAY UINT64_MAX /* as the time: ask whoever asked before */

/* A: ask the owner to publish, unless somebody did so just before; true: asked now. */
static inline bool wf_deque_ask(struct wf_deque *deque, uint64_t now_ns) {
    bool anyway = now_ns == WF_DEQUE_ANYWAY;
    if (!anyway && now_ns - wf_load(&deque->asked_ns, WF_RELAXED) < wf_load(&deque->patience_ns, WF_RELAXED))
        return false;
    if (!weft_atomic_load(&deque->face.limit)) /* the owner's line comes last */
        return false;
    if (!anyway)
        wf_store(&deque->asked_ns, now_ns, WF_RELAXED);
    wf_store(wf_deque_limit(deque), NULL, WF_RELAXED);
    wf_store(wf_deque_guard(deque), WF_DEQUE_ALL, WF_RELAXED);
    return true;
}

/* A: whether there are tasks that only the owner can reach, as far as can be seen. */
static inline bool wf_deque_hides(const struct wf_deque *deque, uint64_t word) {
    uint32_t split = wf_deque_word_split(word);
    return wf_deque_word_tail(word) == split && split < deque->capacity && weft_atomic_load(&deque->slots[split].live);
}

/* A: publish for an owner that does not answer. True: there are public tasks now. Some microseconds, and an interrupt for every CPU
 * that runs a thread of the process. */
static inline bool wf_deque_force(struct wf_deque *deque) {
    uint64_t word = wf_load(&deque->word, WF_RELAXED), forced = word | WF_DEQUE_FORCE;
    if (word & WF_DEQUE_FORCE || !wf_deque_hides(deque, word) ||
        !wf_cas(&deque->word, &word, forced, WF_RELAXED, WF_RELAXED)) /* the membarrier orders */
        return false;
    uint32_t tail = wf_deque_word_tail(word), split = wf_deque_word_split(word), end = split;
    wf_store(wf_deque_limit(deque), NULL, WF_RELAXED);
    wf_store(wf_deque_guard(deque), WF_DEQUE_ALL, WF_RELAXED);
    if (wf_membarrier() && wf_load(wf_deque_guard(deque), WF_RELAXED) == WF_DEQUE_ALL)
        while (end < deque->capacity && end - split < WF_DEQUE_PUBLISH_MOST &&
               wf_load(wf_slot_live(&deque->slots[end]), WF_ACQUIRE)) /* pairs with weft_slot_push() */
            end++;
    return wf_cas(&deque->word, &forced, wf_deque_word_with(forced, tail, end), WF_RELEASE, WF_RELAXED) && end > split;
}

#endif
