/* Masks through sched_getaffinity(2) and sched_setaffinity(2). */
#include "machine/cpu_mask.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

/* The kernel wants a mask as long as its own (EINVAL otherwise) and does not tell how long that is: double until it fits. */
#define FIRST_MASK_CPUS 1024
#define MAX_MASK_CPUS (1 << 22)

static int mask_get(pid_t thread, struct wf_cpu_mask *mask, size_t cpus) {
    mask->bytes = CPU_ALLOC_SIZE(cpus);
    mask->set = CPU_ALLOC(cpus);
    if (!mask->set)
        return ENOMEM;
    CPU_ZERO_S(mask->bytes, mask->set);
    int error = sched_getaffinity(thread, mask->bytes, mask->set) ? errno : 0;
    if (error)
        wf_cpu_mask_release(mask);
    return error;
}

weft_status wf_cpu_mask_of(pid_t thread, struct wf_cpu_mask *mask) {
    int error = EINVAL;
    for (size_t cpus = FIRST_MASK_CPUS; error == EINVAL && cpus <= MAX_MASK_CPUS; cpus *= 2)
        error = mask_get(thread, mask, cpus);
    if (!error)
        return WEFT_OK;
    return wf_fail(error == ENOMEM ? WEFT_ENOMEM : WEFT_EPERM, "the affinity mask cannot be read: %s", strerror(error));
}

weft_status wf_cpu_mask_of_process(struct wf_cpu_mask *mask) {
    return wf_cpu_mask_of(getpid(), mask);
}

int wf_cpu_mask_apply(pid_t thread, const struct wf_cpu_mask *mask) {
    return sched_setaffinity(thread, mask->bytes, mask->set) ? errno : 0;
}

weft_status wf_cpu_mask_copy(struct wf_cpu_mask *to, const struct wf_cpu_mask *from) {
    *to = (struct wf_cpu_mask){from->bytes, CPU_ALLOC(from->bytes * 8)};
    if (!to->set)
        return wf_fail(WEFT_ENOMEM, "no memory for a CPU mask");
    memcpy(to->set, from->set, from->bytes);
    return WEFT_OK;
}

static bool holds(const struct wf_cpu_mask *mask, size_t cpu) {
    return cpu < mask->bytes * 8 && CPU_ISSET_S(cpu, mask->bytes, mask->set);
}

bool wf_cpu_mask_equal(const struct wf_cpu_mask *a, const struct wf_cpu_mask *b) {
    const struct wf_cpu_mask *longer = a->bytes > b->bytes ? a : b;
    size_t common = longer == a ? b->bytes : a->bytes;
    if (memcmp(a->set, b->set, common) != 0)
        return false;
    for (size_t cpu = common * 8; cpu < longer->bytes * 8; cpu++)
        if (holds(longer, cpu))
            return false;
    return true;
}

void wf_cpu_mask_narrow(struct wf_cpu_mask *mask, const struct wf_cpu_mask *other) {
    for (size_t cpu = 0; cpu < mask->bytes * 8; cpu++)
        if (!holds(other, cpu))
            CPU_CLR_S(cpu, mask->bytes, mask->set);
}

void wf_cpu_mask_release(struct wf_cpu_mask *mask) {
    CPU_FREE(mask->set);
    *mask = (struct wf_cpu_mask){0};
}
