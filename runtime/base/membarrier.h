/*
 * membarrier(2): one thread pays for a full barrier on all threads of the process, so that the other side needs none.
 */
#ifndef WF_BASE_MEMBARRIER_H
#define WF_BASE_MEMBARRIER_H

#include <stdbool.h>

/* Every running thread of the process passes a full barrier before this returns. False: the kernel cannot, or forbids it. */
bool wf_membarrier(void);

#endif
