/* `weft plan`: reads the arguments, makes the plan, shows it. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sysexits.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/plan_output.h"

enum option_key { KEY_SVG = 256, KEY_SMT, KEY_RESERVE };

struct arguments {
    weft_plan_options options;
    bool json;
    const char *svg;
};

static const struct argp_option options[] = {
    {"topology", 't', "TOPOLOGY", 0,
     "Instead of this machine: an hwloc XML file, an fsroot directory, or a synthetic description such as \"node:2 core:4 pu:2\"",
     0},
    {"workers", 'w', "N", 0, "Exactly N workers", 0},
    {"nodes", 'n', "LIST", 0, "Workers on these nodes only, such as 0,2-3", 0},
    {"smt", KEY_SMT, NULL, 0, "One worker per processing unit instead of one per core", 0},
    {"reserve", KEY_RESERVE, "N", 0, "Leave N cores without a worker", 0},
    {"distances", 'd', "FILE", 0, "Distances as measured, by weft membench --save FILE, instead of the firmware's", 0},
    {"json", 'j', NULL, 0, "Print JSON", 0},
    {"svg", KEY_SVG, "FILE", 0, "Draw a picture into FILE (- is standard output) instead of printing text", 0},
    {0},
};

static error_t parse_count(const char *text, const char *name, unsigned least, unsigned *count, struct argp_state *state) {
    unsigned long number = *count;
    error_t error = wf_argument_number(state, name, text, least, UINT_MAX, &number);
    *count = (unsigned)number;
    return error;
}

static error_t parse(int key, char *value, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case 't':
        arguments->options.topology = value;
        return 0;
    case 'w':
        return parse_count(value, "workers", 1, &arguments->options.workers, state);
    case 'n':
        arguments->options.nodes = value;
        return 0;
    case KEY_SMT:
        arguments->options.smt = true;
        return 0;
    case KEY_RESERVE:
        return parse_count(value, "reserve", 0, &arguments->options.reserved_cores, state);
    case 'd':
        arguments->options.distances = value;
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    case KEY_SVG:
        arguments->svg = value;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is \"%s\"? Options begin with --", value);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int fail(const char *what, const char *why) {
    fprintf(stderr, "weft plan: %s%s\n", what, why);
    return 1;
}

static int show(const weft_plan *plan, const struct arguments *arguments) {
    if (arguments->svg && wf_plan_write_svg(arguments->svg, plan))
        return fail("cannot write the picture: ", strerror(errno));
    if (arguments->svg && !arguments->json)
        return 0;
    int failed = arguments->json ? wf_plan_print_json(stdout, plan) : wf_plan_print_text(stdout, plan);
    return failed || fflush(stdout) ? fail("cannot print the plan: ", strerror(errno)) : 0;
}

int wf_plan_command(int argc, char **argv, unsigned argp_flags) {
    static const char doc[] = "Show which core each worker gets, which node owns it, and in which order it looks for victims."
                              "\vExit status: 0, 1 if there is no such plan, 64 for a wrong option.";
    static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
    struct arguments arguments = {.options = {WEFT_PLAN_OPTIONS_INIT}};
    if (argp_parse(&argp, argc, argv, argp_flags, NULL, &arguments))
        return EX_USAGE;
    weft_plan *plan;
    if (weft_plan_create(&plan, &arguments.options))
        return fail("", weft_error_detail());
    int exit_code = show(plan, &arguments);
    weft_plan_destroy(plan);
    return exit_code;
}
