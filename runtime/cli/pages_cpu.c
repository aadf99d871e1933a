/* CPU time by node. A thread that comes and goes between two looks is not seen; more looks see more. */
#include "cli/pages_cpu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

#define FEW_TICKS 2 /* fewer are chance */

weft_status wf_cpu_watch_begin(struct wf_cpu_watch *watch, const struct wf_machine_nodes *nodes) {
    *watch = (struct wf_cpu_watch){.nodes = nodes, .ticks = calloc(nodes->count, sizeof *watch->ticks)};
    return watch->ticks ? WEFT_OK : wf_fail(WEFT_ENOMEM, "no memory to count the CPU time of %u nodes", nodes->count);
}

static int by_thread(const void *a, const void *b) {
    int x = ((const struct wf_seen_thread *)a)->thread, y = ((const struct wf_seen_thread *)b)->thread;
    return (x > y) - (x < y);
}

void wf_cpu_watch_count(struct wf_cpu_watch *watch, struct wf_seen_thread *seen, size_t count) {
    if (count)
        qsort(seen, count, sizeof *seen, by_thread);
    for (size_t i = 0, old = 0; i < count; i++) {
        while (old < watch->count && watch->seen[old].thread < seen[i].thread)
            old++;
        bool known = old < watch->count && watch->seen[old].thread == seen[i].thread;
        uint64_t before = known ? watch->seen[old].ticks : 0;
        if (before > seen[i].ticks) /* the number was given to another thread */
            before = 0;
        int node = seen[i].cpu < watch->nodes->cpu_count ? watch->nodes->of_cpu[seen[i].cpu] : -1;
        if (watch->begun && node >= 0)
            watch->ticks[node] += seen[i].ticks - before;
    }
    free(watch->seen);
    watch->seen = seen;
    watch->count = count;
    watch->begun = true;
}

/* The numbers of the threads there are, without the rest. */
static weft_status list_threads(const struct wf_process *process, struct wf_seen_thread **list, size_t *count) {
    int folder = openat(process->directory, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *tasks = folder < 0 ? NULL : fdopendir(folder);
    size_t room = 0;
    *list = NULL;
    *count = 0;
    if (!tasks) {
        int error = errno;
        if (folder >= 0)
            close(folder);
        return error == ENOENT || error == ESRCH ? wf_fail(WEFT_EINVAL, "process %d has ended", process->pid)
                                                 : wf_fail(WEFT_EPERM, "/proc/%d/task: %s", process->pid, strerror(error));
    }
    for (struct dirent *entry; (entry = readdir(tasks));) {
        int thread = atoi(entry->d_name);
        struct wf_seen_thread *more = *list;
        if (thread <= 0)
            continue;
        if (*count == room && !(more = realloc(*list, (room = room ? 2 * room : 16) * sizeof *more))) {
            free(*list);
            closedir(tasks);
            return wf_fail(WEFT_ENOMEM, "no memory to list the threads of process %d", process->pid);
        }
        *list = more;
        (*list)[(*count)++] = (struct wf_seen_thread){.thread = thread};
    }
    closedir(tasks);
    return WEFT_OK;
}

static weft_status read_of_thread(const struct wf_process *process, int thread, const char *file, char **text) {
    char path[64];
    snprintf(path, sizeof path, "task/%d/%s", thread, file);
    return wf_process_read(process, path, text);
}

weft_status wf_cpu_watch_look(struct wf_cpu_watch *watch, const struct wf_process *process) {
    struct wf_seen_thread *list;
    size_t count, alive = 0;
    weft_status status = list_threads(process, &list, &count);
    for (size_t i = 0; i < count && status == WEFT_OK; i++) {
        struct wf_proc_stat stat;
        char *text;
        if (read_of_thread(process, list[i].thread, "stat", &text) != WEFT_OK)
            continue; /* it has ended meanwhile */
        if (wf_proc_stat(text, &stat) && stat.state != 'Z' && stat.state != 'X')
            list[alive++] = (struct wf_seen_thread){list[i].thread, stat.cpu, stat.ticks};
        free(text);
    }
    if (status != WEFT_OK)
        return status;
    if (!alive) {
        free(list);
        return wf_fail(WEFT_EINVAL, "process %d has ended", process->pid);
    }
    wf_cpu_watch_count(watch, list, alive);
    return WEFT_OK;
}

/* One thread's CPUs, as shares of the nodes that have them. False: they are not known. */
static bool add_allowed(const struct wf_machine_nodes *nodes, const char *list, double weight, double *share) {
    unsigned first, last, cpus = 0;
    for (const char *at = list; wf_proc_range(&at, WF_PROC_CPUS, &first, &last);)
        for (unsigned cpu = first; cpu <= last && cpu < nodes->cpu_count; cpu++)
            cpus += nodes->of_cpu[cpu] >= 0;
    for (const char *at = list; cpus && wf_proc_range(&at, WF_PROC_CPUS, &first, &last);)
        for (unsigned cpu = first; cpu <= last && cpu < nodes->cpu_count; cpu++)
            if (nodes->of_cpu[cpu] >= 0)
                share[nodes->of_cpu[cpu]] += weight / cpus;
    return cpus;
}

/* Is there a node with CPUs where no thread may run? */
static bool is_narrow(const struct wf_machine_nodes *nodes, const double *share) {
    for (unsigned node = 0; node < nodes->count; node++)
        if (nodes->has_cpus[node] && share[node] <= 0)
            return true;
    return false;
}

static void share_by_affinity(const struct wf_cpu_watch *watch, const struct wf_process *process, struct wf_running *running) {
    size_t known = 0;
    char *text, list[4096];
    for (size_t i = 0; i < watch->count; i++) {
        if (read_of_thread(process, watch->seen[i].thread, "status", &text) != WEFT_OK)
            continue;
        if (wf_proc_status(text, "Cpus_allowed_list", list, sizeof list) && add_allowed(watch->nodes, list, 1, running->share))
            known++;
        free(text);
    }
    running->by = known && is_narrow(watch->nodes, running->share) ? WF_RUNNING_ALLOWED : WF_RUNNING_ANYWHERE;
    for (unsigned node = 0; node < running->node_count; node++)
        running->share[node] = running->by == WF_RUNNING_ALLOWED ? running->share[node] / (double)known : 0;
}

weft_status wf_cpu_watch_end(struct wf_cpu_watch *watch, const struct wf_process *process, double seconds,
                             struct wf_running *running) {
    uint64_t ticks = 0;
    unsigned count = watch->nodes->count;
    *running = (struct wf_running){.by = WF_RUNNING_SAMPLED,
                                   .node_count = count,
                                   .threads = watch->count,
                                   .seconds = seconds,
                                   .share = calloc(count, sizeof(double))};
    if (!running->share)
        return wf_fail(WEFT_ENOMEM, "no memory for the shares of %u nodes", count);
    for (unsigned node = 0; node < count; node++)
        ticks += watch->ticks[node];
    running->cpu_seconds = (double)ticks / (double)sysconf(_SC_CLK_TCK);
    if (ticks < FEW_TICKS)
        share_by_affinity(watch, process, running);
    for (unsigned node = 0; ticks >= FEW_TICKS && node < count; node++)
        running->share[node] = (double)watch->ticks[node] / (double)ticks;
    return WEFT_OK;
}

void wf_cpu_watch_release(struct wf_cpu_watch *watch) {
    free(watch->seen);
    free(watch->ticks);
    *watch = (struct wf_cpu_watch){0};
}

void wf_running_release(struct wf_running *running) {
    free(running->share);
    *running = (struct wf_running){0};
}
