/* `weft membench`: reads the arguments, measures, shows the figures. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/membench.h"

#define REPEATS 5

enum option_key { KEY_SVG = 256, KEY_BASE, KEY_SAVE };

struct arguments {
    struct wf_membench_options options;
    bool json;
    const char *svg, *save;
};

static const struct argp_option options[] = {
    {"size", 's', "MIB", 0,
     "Buffers of MIB mebibytes (default: four times the last-level cache, at most 1024 and an eighth of the free memory per "
     "node)",
     0},
    {"repeats", 'r', "N", 0, "Median of N passes (default: 5)", 0},
    {"nodes", 'n', "LIST", 0, "CPUs of these nodes only, such as 0,2-3", 0},
    {"base-pages", KEY_BASE, NULL, 0, "Base pages instead of transparent huge pages", 0},
    {"json", 'j', NULL, 0, "Print JSON", 0},
    {"svg", KEY_SVG, "FILE", 0, "Draw heat maps into FILE (- is standard output) instead of printing text", 0},
    {"save", KEY_SAVE, "FILE", 0, "Write the latencies into FILE as well, for WEFT_DISTANCES and weft plan --distances", 0},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state) {
    struct arguments *arguments = state->input;
    unsigned long number = 0;
    error_t error = 0;
    switch (key) {
    case 's':
        error = wf_argument_number(state, "size", value, 1, 1ul << 30, &number);
        arguments->options.bytes = (size_t)number << 20;
        return error;
    case 'r':
        error = wf_argument_number(state, "repeats", value, 1, WF_MEMBENCH_REPEATS, &number);
        arguments->options.repeats = (unsigned)number;
        return error;
    case 'n':
        arguments->options.nodes = value;
        return 0;
    case KEY_BASE:
        arguments->options.pages = WEFT_PAGES_BASE;
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    case KEY_SVG:
        arguments->svg = value;
        return 0;
    case KEY_SAVE:
        arguments->save = value;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is \"%s\"? Options begin with --", value);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int fail(const char *what, const char *why) {
    fprintf(stderr, "weft membench: %s%s\n", what, why);
    return 1;
}

static int show(const struct wf_membench *bench, const struct arguments *arguments) {
    if (arguments->svg && wf_membench_write_svg(arguments->svg, bench))
        return fail("cannot write the picture: ", strerror(errno));
    if (arguments->svg && !arguments->json)
        return 0;
    int failed = arguments->json ? wf_membench_print_json(stdout, bench) : wf_membench_print_text(stdout, bench);
    return failed || fflush(stdout) ? fail("cannot print the figures: ", strerror(errno)) : 0;
}

/* What was measured is shown before it can get lost in a file that cannot be written. */
static int report(const struct wf_membench *bench, const struct arguments *arguments) {
    int exit_code = show(bench, arguments);
    if (arguments->save && wf_membench_save(bench, arguments->save))
        return fail("", weft_error_detail());
    return exit_code;
}

int wf_membench_command(int argc, char **argv, unsigned argp_flags) {
    static const char doc[] =
        "Measure how long a load takes and how many bytes a second flow, from the CPUs of each node to the memory of each."
        "\vRun it on an idle machine: whatever else runs is measured as well. Exit status: 0, 1 if it cannot be measured, 64 for "
        "a "
        "wrong option.";
    static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
    struct arguments arguments = {.options = {.repeats = REPEATS, .pages = WEFT_PAGES_THP}};
    if (argp_parse(&argp, argc, argv, argp_flags, NULL, &arguments))
        return EX_USAGE;
    unsetenv("WEFT_DISTANCES"); /* what is measured does not depend on what was, and a broken file is to be replaced */
    weft_plan *plan;
    if (weft_plan_create(&plan, &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .nodes = arguments.options.nodes}))
        return fail("", weft_error_detail());
    struct wf_membench bench = {0};
    int exit_code;
    if (!weft_plan_get_limits(plan)->this_system)
        exit_code = fail("", "WEFT_TOPOLOGY names another machine: only this one can be measured");
    else if (wf_membench_run(&bench, plan, &arguments.options))
        exit_code = fail("", weft_error_detail());
    else
        exit_code = report(&bench, &arguments);
    wf_membench_release(&bench);
    weft_plan_destroy(plan);
    return exit_code;
}
