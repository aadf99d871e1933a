/* Looks through sched_getaffinity(2), get_mempolicy(2) and the files of the control groups. */
#include "machine/allowance.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/status.h"
#include "machine/limits.h"

/* As the kernel's headers have it (uapi/linux/mempolicy.h). */
#define MEMS_ALLOWED 4
#define MAX_NODES 1024

#define FIND_EVERY 32u

struct wf_allowance {
    pid_t scout;
    struct wf_cpu_mask cpus, process; /* as of the last look */
    unsigned long memory[MAX_NODES / 8 / sizeof(unsigned long)];
    struct wf_quota quota;
    struct wf_quota_places places;
    struct wf_held_file group_file; /* /proc/self/cgroup */
    uint64_t groups;                /* its digest, for which the places were found */
    bool lost;                      /* the places could not all be read: find them again */
    unsigned looks;
};

/* Replace *last by a thread's mask; true: it is another one. */
static bool mask_changed(pid_t thread, struct wf_cpu_mask *last) {
    struct wf_cpu_mask now;
    if (wf_cpu_mask_of(thread, &now))
        return false;
    bool changed = !last->set || !wf_cpu_mask_equal(&now, last);
    wf_cpu_mask_release(last);
    *last = now;
    return changed;
}

static bool memory_changed(struct wf_allowance *allowance) {
    unsigned long now[MAX_NODES / 8 / sizeof(unsigned long)] = {0};
    if (syscall(SYS_get_mempolicy, NULL, now, (unsigned long)MAX_NODES, NULL, MEMS_ALLOWED))
        return false;
    bool changed = memcmp(now, allowance->memory, sizeof now) != 0;
    memcpy(allowance->memory, now, sizeof now);
    return changed;
}

/* FNV-1a over the names of the process's control groups. */
static uint64_t digest_groups(const struct wf_held_file *file) {
    unsigned char text[4096];
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    off_t offset = 0;
    for (ssize_t count; (count = wf_held_read(file, text, sizeof text, offset)) > 0; offset += count)
        for (ssize_t i = 0; i < count; i++)
            digest = (digest ^ text[i]) * UINT64_C(0x100000001b3);
    return digest;
}

/* The files are looked for anew when the process is in another group, and now and then: controllers come and go. */
static bool quota_changed(struct wf_allowance *allowance) {
    uint64_t groups = digest_groups(&allowance->group_file);
    double before = allowance->quota.cpus;
    if (allowance->lost || groups != allowance->groups || allowance->looks++ % FIND_EVERY == 0)
        allowance->lost = wf_quota_find(&allowance->places, &allowance->quota) != WEFT_OK;
    else
        wf_quota_read_again(&allowance->places, &allowance->quota);
    allowance->groups = groups;
    if (allowance->lost)
        allowance->quota.cpus = before; /* not read is not changed */
    else
        wf_quota_note(&allowance->quota);
    return allowance->quota.cpus < before || allowance->quota.cpus > before;
}

weft_status wf_allowance_scout_mask(struct wf_cpu_mask *mask) {
    weft_status status = wf_cpu_mask_of_process(mask);
    if (!status)
        memset(mask->set, 0xff, mask->bytes);
    return status;
}

weft_status wf_allowance_open(struct wf_allowance **out) {
    struct wf_allowance *allowance = calloc(1, sizeof *allowance);
    if (!allowance)
        return wf_fail(WEFT_ENOMEM, "no memory to watch what the process may use");
    allowance->group_file = wf_held_open("/proc/self/cgroup");
    allowance->scout = (pid_t)syscall(SYS_gettid);
    weft_status status = wf_cpu_mask_of_process(&allowance->process);
    if (!status)
        status = wf_cpu_mask_of(allowance->scout, &allowance->cpus);
    if (status) {
        wf_allowance_close(allowance);
        return status;
    }
    memory_changed(allowance);
    quota_changed(allowance);
    *out = allowance;
    return WEFT_OK;
}

void wf_allowance_close(struct wf_allowance *allowance) {
    wf_cpu_mask_release(&allowance->cpus);
    wf_cpu_mask_release(&allowance->process);
    wf_quota_places_release(&allowance->places);
    wf_held_close(&allowance->group_file);
    free(allowance);
}

unsigned wf_allowance_look(struct wf_allowance *allowance) {
    bool cpus = mask_changed(allowance->scout, &allowance->cpus);
    mask_changed(getpid(), &allowance->process);
    return (cpus ? WF_CHANGED_CPUS : 0u) | (memory_changed(allowance) ? WF_CHANGED_MEMORY : 0u) |
           (quota_changed(allowance) ? WF_CHANGED_QUOTA : 0u);
}

const struct wf_cpu_mask *wf_allowance_cpus(const struct wf_allowance *allowance) {
    return &allowance->cpus;
}

double wf_allowance_quota(const struct wf_allowance *allowance) {
    return allowance->quota.cpus;
}

const struct wf_cpu_mask *wf_allowance_process(const struct wf_allowance *allowance) {
    return &allowance->process;
}
