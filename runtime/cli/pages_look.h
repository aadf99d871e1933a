/*
 * Looking at a process for a while: its CPU time in steps, its mappings at the end, or, of a command that runs meanwhile, when it had
 * most.
 * Threading: one thread; a command is a child process, and SIGCHLD, SIGINT and SIGQUIT are held back from this one until it has ended.
 */
#ifndef WF_CLI_PAGES_LOOK_H
#define WF_CLI_PAGES_LOOK_H

#include "cli/pages_cpu.h"
#include "cli/pages_process.h"

struct wf_pages_look {
    struct wf_process process;
    struct wf_machine_nodes nodes;
    struct wf_process_mappings mappings;
    struct wf_running running;
};

/*
 * Look at a process for `seconds`; 0: at its threads' affinity only. root: what stands before /proc and /sys. As wf_process_open(),
 * wf_process_mappings_read().
 */
weft_status wf_pages_look(struct wf_pages_look *look, const char *root, pid_t pid, double seconds);

/*
 * Run a command, look at it every `seconds` (more often in its first), and wait for its end. *code: its exit code, 128 + the signal
 * that ended it, 126 or 127: it could not be run, as the text says (the status is then WEFT_EINVAL). WEFT_EAGAIN: it ended before the
 * first look. As wf_pages_look() otherwise; *code is set all the same.
 */
weft_status wf_pages_look_at_command(struct wf_pages_look *look, char **command, double seconds, int *code);

void wf_pages_look_release(struct wf_pages_look *look);

#endif
