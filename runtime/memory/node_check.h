/*
 * Checks of what programs free, for hardened pools (weft_pool_options.hardened): an address that is no object's, one inside an object,
 * an object that is free already or whose pool is gone, bytes written behind an object. What is wrong is told in one line on stderr,
 * and the process aborts: nobody could go on with memory in that state.
 *
 * An object of a hardened pool is WF_CHECK_BYTES larger than what was asked for, or more where its size class has more:
 *
 *     | the program's bytes | guard: up to GUARD_MOST bytes of a pattern | ... | last word: the program's bytes, mixed with the address |
 *
 * A free object has another last word. Its place is in the object, not in a table, because whoever may write that far has
 * the error that is looked for. Threads of a hardened pool never show their caches to the inline functions of weft/alloc.h, so all its
 * objects pass here, and other pools pay one branch in the slow halves. AddressSanitizer is told of guards and of free objects.
 *
 * Threading: any thread. The last word is exchanged, so that of two threads that free an object at once one is told.
 */
#ifndef WF_MEMORY_NODE_CHECK_H
#define WF_MEMORY_NODE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/atomic.h"
#include "memory/node_pool.h"

#define WF_CHECK_BYTES ((size_t)16)

/* A: whether any hardened pool has had memory in this process; relaxed: whoever frees its objects got them after it was set. */
extern wf_atomic_u32 wf_check_some;

/* Where nothing else is asked for: builds for finding errors check. */
bool wf_check_by_default(void);

/* An object of `whole` bytes is the program's, which asked for `bytes`. */
void wf_check_hand_out(void *object, size_t whole, size_t bytes);

/* The program's bytes of an object that it uses in `call`; all of them where its pool is not hardened. */
size_t wf_check_use(const void *object, const char *call);

/* The program frees it. */
void wf_check_take_back(void *object, const char *call);

/* Memory that held objects goes back to the system: an area of a pool that is destroyed, or one object's mapping. */
void wf_check_forget(const void *start, size_t bytes, bool destroyed);

/* In a child of fork(), which has one thread. */
void wf_check_enter_child(void);

#endif
