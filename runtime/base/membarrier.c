/* The private expedited kind, which needs a registration once per process and address space. */
#include "base/membarrier.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool barrier(void) {
    return !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

bool wf_membarrier(void) {
    int saved = errno; /* it may be called between two lines of a task */
    /* without a registration it is refused, and nothing happened */
    bool done = barrier() || (!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) && barrier());
    errno = saved;
    return done;
}
