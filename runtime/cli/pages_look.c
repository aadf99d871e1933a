/* Looks at a process that runs by itself. */
#include "cli/pages_look.h"

#include <errno.h>
#include <time.h>

#define STEPS 10 /* of one interval, at which threads may be seen on another CPU */

static void sleep_for(double seconds) {
    struct timespec left = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) && errno == EINTR)
        continue;
}

static weft_status watch(struct wf_cpu_watch *watch, const struct wf_process *process, double seconds) {
    weft_status status = wf_cpu_watch_look(watch, process);
    for (unsigned step = 0; step < STEPS && seconds > 0 && status == WEFT_OK; step++) {
        sleep_for(seconds / STEPS);
        status = wf_cpu_watch_look(watch, process);
    }
    return status;
}

weft_status wf_pages_look(struct wf_pages_look *look, const char *root, pid_t pid, double seconds) {
    struct wf_cpu_watch cpus = {0};
    *look = (struct wf_pages_look){.process = {.directory = -1}};
    weft_status status = wf_process_open(&look->process, root, pid);
    if (status == WEFT_OK)
        status = wf_machine_nodes_read(&look->nodes, root);
    if (status == WEFT_OK)
        status = wf_process_mappings_read(&look->mappings, &look->process, look->nodes.count); /* refused: said at once */
    if (status == WEFT_OK)
        status = wf_cpu_watch_begin(&cpus, &look->nodes);
    if (status == WEFT_OK)
        status = watch(&cpus, &look->process, seconds);
    if (status == WEFT_OK && seconds > 0) {
        wf_process_mappings_release(&look->mappings);
        status = wf_process_mappings_read(&look->mappings, &look->process, look->nodes.count);
    }
    if (status == WEFT_OK)
        status = wf_cpu_watch_end(&cpus, &look->process, seconds, &look->running);
    wf_cpu_watch_release(&cpus);
    if (status != WEFT_OK)
        wf_pages_look_release(look);
    return status;
}

void wf_pages_look_release(struct wf_pages_look *look) {
    wf_running_release(&look->running);
    wf_process_mappings_release(&look->mappings);
    wf_machine_nodes_release(&look->nodes);
    wf_process_close(&look->process);
}
