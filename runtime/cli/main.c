/* The weft command: picks the subcommand. A new one is a line in the table and a file of its own. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"

static const struct wf_command commands[] = {
    {"plan", "show which core each worker gets, and whom it steals from", wf_plan_command},
    {"membench", "measure latency and bandwidth from each node to the memory of each", wf_membench_command},
    {"pages", "show on which nodes a process has its pages, and which are on the wrong one", wf_pages_command},
};

static void print_usage(FILE *to) {
    fputs("Usage: weft COMMAND [OPTION...]\n\nCommands:\n", to);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`weft COMMAND --help` tells the options of a command.\n", to);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_usage(stderr);
        return EX_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_usage(stdout);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(argv[1], commands[i].name)) {
            char name[32];
            snprintf(name, sizeof name, "weft %s", commands[i].name);
            argv[1] = name; /* argp prints it in its messages */
            return commands[i].run(argc - 1, argv + 1, 0);
        }
    fprintf(stderr, "weft: there is no command \"%s\"\n\n", argv[1]);
    print_usage(stderr);
    return EX_USAGE;
}
