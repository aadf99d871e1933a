/*
 * Threads beside the workers, for work that blocks: weft's signals are blocked on them, and they may run on every CPU that the pool may
 * use, whatever their creator is bound to. They are no workers, and the pool knows nothing of them: who starts one joins it.
 */
#ifndef WF_SCHEDULER_THREAD_H
#define WF_SCHEDULER_THREAD_H

#include <pthread.h>

#include "scheduler/pool.h"

/* Start one; `name` is cut to what the kernel takes. WEFT_ENOMEM; WEFT_EPERM: the system refuses one more thread. Any thread. */
weft_status wf_thread_start(weft_pool *pool, const char *name, void *(*run)(void *), void *arg, pthread_t *thread);

#endif
