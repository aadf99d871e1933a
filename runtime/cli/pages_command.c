/* `weft pages`: reads the arguments, looks at a process, judges, shows it. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/pages_look.h"
#include "cli/pages_output.h"

#define SECONDS_MOST 3600
#define THRESHOLD 25 /* per cent */

enum option_key { KEY_ROOT = 256 };

struct arguments {
    double seconds, threshold;
    bool json, all;
    const char *output, *root;
    const char *process; /* a number, self or parent */
    char **command;      /* NULL: none */
};

static const struct argp_option options[] = {
    {"interval", 'i', "SECONDS", 0,
     "Watch for so long on which nodes the threads run (default: 1); 0: look at their affinity only", 0},
    {"threshold", 't', "PERCENT", 0, "A mapping is on the wrong node when more of it is away than this (default: 25)", 0},
    {"all", 'a', NULL, 0, "Tell of mappings that are fine as well", 0},
    {"json", 'j', NULL, 0, "Print JSON", 0},
    {"output", 'o', "FILE", 0, "Print into FILE", 0},
    {"root", KEY_ROOT, "DIRECTORY", 0, "Read DIRECTORY/proc and DIRECTORY/sys, copied from some machine", 0},
    {0},
};

static error_t parse_number(const char *text, const char *name, double most, double *number, struct argp_state *state) {
    char *end;
    double value = strtod(text, &end);
    if (((*text >= '0' && *text <= '9') || *text == '.') && !*end && isfinite(value) && value >= 0 && value <= most) {
        *number = value;
        return 0;
    }
    argp_error(state, "--%s=%s: it is a number from 0 to %g", name, text, most);
    return EINVAL;
}

static error_t parse_process(const char *text, struct arguments *arguments, struct argp_state *state) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    bool named = !strcmp(text, "self") || !strcmp(text, "parent");
    if (arguments->process || arguments->command) {
        argp_error(state, "what is \"%s\"? One process at a time", text);
        return EINVAL;
    }
    if (!named && (*text < '0' || *text > '9' || *end || errno || number < 1 || number > INT_MAX)) {
        argp_error(state, "\"%s\" is no process: it is a number from 1 on, self or parent, or a command behind --", text);
        return EINVAL;
    }
    arguments->process = text;
    return 0;
}

/* What stands behind "--" is a command. */
static error_t parse_argument(char *text, struct arguments *arguments, struct argp_state *state) {
    if (!state->quoted || state->next - 1 < state->quoted)
        return parse_process(text, arguments, state);
    if (arguments->process) {
        argp_error(state, "a process or a command, not both");
        return EINVAL;
    }
    arguments->command = &state->argv[state->next - 1];
    state->next = state->argc;
    return 0;
}

static error_t parse_end(const struct arguments *arguments, struct argp_state *state) {
    const char *wrong = NULL;
    if (!arguments->process && !arguments->command)
        wrong = "which process? Give its number, self or parent, or a command behind --";
    else if (arguments->root && (arguments->command || arguments->process[0] > '9'))
        wrong = "--root: in a copy there are only processes with numbers";
    else if (arguments->command && arguments->seconds <= 0)
        wrong = "--interval=0: a command is looked at now and then";
    if (wrong)
        argp_error(state, "%s", wrong);
    return wrong ? EINVAL : 0;
}

static error_t parse(int key, char *value, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case 'i':
        return parse_number(value, "interval", SECONDS_MOST, &arguments->seconds, state);
    case 't':
        return parse_number(value, "threshold", 100, &arguments->threshold, state);
    case 'a':
        arguments->all = true;
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    case 'o':
        arguments->output = value;
        return 0;
    case KEY_ROOT:
        arguments->root = value;
        return 0;
    case ARGP_KEY_ARG:
        return parse_argument(value, arguments, state);
    case ARGP_KEY_END:
        return parse_end(arguments, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int fail(const char *what, const char *why) {
    fprintf(stderr, "weft pages: %s%s\n", what, why);
    return 1;
}

static int print(const struct arguments *arguments, const struct wf_pages_report *report) {
    FILE *to = arguments->output ? fopen(arguments->output, "we") : arguments->command ? stderr : stdout;
    if (!to)
        return fail("cannot write the report: ", strerror(errno));
    int failed = arguments->json ? wf_pages_print_json(to, report) : wf_pages_print_text(to, report);
    int error = errno;
    if (arguments->output ? fclose(to) : fflush(to)) {
        failed = -1;
        error = errno;
    }
    return failed ? fail("cannot print the report: ", strerror(error)) : 0;
}

static int show(const struct arguments *arguments, struct wf_pages_look *look) {
    struct wf_judgement judgement;
    if (wf_pages_judge(&judgement, &look->mappings, &look->running, &look->nodes, arguments->threshold / 100))
        return fail("", weft_error_detail());
    struct wf_pages_report report = {.pid = look->process.pid,
                                     .name = look->process.name,
                                     .nodes = &look->nodes,
                                     .mappings = &look->mappings,
                                     .running = &look->running,
                                     .judgement = &judgement,
                                     .all = arguments->all};
    int exit_code = print(arguments, &report);
    wf_judgement_release(&judgement);
    return exit_code;
}

static int look_at_process(const struct arguments *arguments) {
    struct wf_pages_look look;
    const char *text = arguments->process;
    pid_t pid = !strcmp(text, "self") ? getpid() : !strcmp(text, "parent") ? getppid() : atoi(text);
    if (!pid)
        return fail("", "the parent is in another PID namespace");
    double seconds = arguments->root ? 0 : arguments->seconds; /* a copy does not run */
    if (wf_pages_look(&look, arguments->root ? arguments->root : "", pid, seconds))
        return fail("", weft_error_detail());
    int exit_code = show(arguments, &look);
    wf_pages_look_release(&look);
    return exit_code;
}

static int look_at_command(const struct arguments *arguments) {
    struct wf_pages_look look;
    int code, failed;
    weft_status status = wf_pages_look_at_command(&look, arguments->command, arguments->seconds, &code);
    if (status == WEFT_OK) {
        failed = show(arguments, &look);
        wf_pages_look_release(&look);
    } else {
        failed = fail("", weft_error_detail());
    }
    return code || status == WEFT_EAGAIN ? code : failed;
}

int wf_pages_command(int argc, char **argv, unsigned argp_flags) {
    static const char arguments_doc[] = "PID|self|parent\n-- COMMAND [ARGUMENT...]";
    static const char doc[] =
        "Show on which nodes a process has its pages, and which of its mappings are on the wrong node for the CPUs that run it."
        "\vself is this command's own process, which tells whether /proc can be read here; parent is the one that has started "
        "it: a "
        "program looks at itself by system(\"weft pages parent\"). A COMMAND is run and looked at meanwhile; the report, on "
        "standard "
        "error, shows it when it had most pages.\n\n"
        "Exit status: 0, 1 if the process cannot be looked at, 64 for a wrong option; a COMMAND's own, 128 + the signal that "
        "ended it, "
        "126 or 127 if it cannot be run.";
    static const struct argp argp = {options, parse, arguments_doc, doc, NULL, NULL, NULL};
    struct arguments arguments = {.seconds = 1, .threshold = THRESHOLD};
    if (argp_parse(&argp, argc, argv, argp_flags | ARGP_IN_ORDER, NULL, &arguments))
        return EX_USAGE;
    return arguments.command ? look_at_command(&arguments) : look_at_process(&arguments);
}
