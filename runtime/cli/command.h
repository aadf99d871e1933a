/*
 * The commands behind `weft NAME ...`. Each reads its own arguments with argp and returns the exit code: 0, 1 for a failure that
 * was told on stderr; argp itself ends the process with 64 for a wrong usage, or with ARGP_NO_EXIT in its flags the command
 * returns that.
 * Threading: one thread.
 */
#ifndef WF_CLI_COMMAND_H
#define WF_CLI_COMMAND_H

struct wf_command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv, unsigned argp_flags); /* argv[0] is "weft NAME" */
};

int wf_plan_command(int argc, char **argv, unsigned argp_flags);
int wf_membench_command(int argc, char **argv, unsigned argp_flags);
int wf_pages_command(int argc, char **argv, unsigned argp_flags);

#endif
