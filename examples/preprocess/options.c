/* The command line, by argp: --help, --usage and --version come with it. */
#include "options.h"

#include <argp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/arguments.h"

enum { KEY_FIELD = 256, KEY_SHARD, KEY_BANDS, KEY_ROWS, KEY_SHINGLE, KEY_VOCABULARY, KEY_DOCUMENT, KEY_MEMORY, KEY_TOPOLOGY };

static const struct argp_option known[] = {
    {"output", 'o', "DIR", 0, "Write shards, index, duplicates and report to DIR (default: shards)", 1},
    {"jsonl-field", KEY_FIELD, "NAME", 0, "Field of a JSON line that holds the text (default: text)", 1},
    {"max-document", KEY_DOCUMENT, "MIB", 0, "Skip and name texts of more than MIB mebibytes (default: 256)", 1},
    {"threshold", 't', "X", 0, "Near duplicates agree in at least the share X of their signatures (default: 0.8)", 2},
    {"shingle", KEY_SHINGLE, "N", 0, "Tokens per shingle (default: 5)", 2},
    {"bands", KEY_BANDS, "N", 0, "Bands of a signature (default: 16)", 2},
    {"rows", KEY_ROWS, "N", 0, "Values per band (default: 8)", 2},
    {"vocabulary", KEY_VOCABULARY, "N", 0, "Token ids lie in [1, N) (default: 65536)", 3},
    {"shard-tokens", KEY_SHARD, "N", 0, "Tokens per shard at most, unless one document has more (default: 16777216)", 3},
    {"memory", KEY_MEMORY, "MIB", 0, "Memory for tokens kept between the passes; documents beyond are read twice (default: 1024)",
     3},
    {"workers", 'w', "N", 0, "Use at most N workers (default: one per core that the process may use)", 4},
    {"topology", KEY_TOPOLOGY, "T", 0, "Pretend to be the machine T: an hwloc XML file or, say, \"node:2 core:4 pu:1\"", 4},
    {"compare", 'c', "ROUNDS", OPTION_ARG_OPTIONAL, "Measure all workers against one, in ROUNDS interleaved rounds (default: 3)",
     4},
    {"quiet", 'q', NULL, 0, "No progress, no summary", 5},
    {0}};

static const char *const usual_places[] = {"/usr/include", "/usr/share/doc", "/usr/share/common-licenses", "/usr/share/licenses"};

static double share(struct argp_state *state, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0 && value <= 1))
        argp_error(state, "threshold: \"%s\" is not a number above 0 and up to 1", text);
    return value;
}

static error_t parse_number(int key, char *text, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case KEY_DOCUMENT:
        o->document_bytes = whole_number(state, "max-document", text, 1, 1 << 20) << 20;
        return 0;
    case KEY_SHINGLE:
        o->shingle = (unsigned)whole_number(state, "shingle", text, 1, 64);
        return 0;
    case KEY_BANDS:
        o->bands = (unsigned)whole_number(state, "bands", text, 1, 1024);
        return 0;
    case KEY_ROWS:
        o->rows = (unsigned)whole_number(state, "rows", text, 1, 1024);
        return 0;
    case KEY_VOCABULARY:
        o->vocabulary = (uint32_t)whole_number(state, "vocabulary", text, 2, UINT32_MAX);
        return 0;
    case KEY_SHARD:
        o->shard_tokens = whole_number(state, "shard-tokens", text, 1, UINT64_MAX / 8);
        return 0;
    case KEY_MEMORY:
        o->memory_bytes = whole_number(state, "memory", text, 0, UINT64_MAX >> 21) << 20;
        return 0;
    case 'w':
        o->workers = (unsigned)whole_number(state, "workers", text, 1, 65536);
        return 0;
    case 'c':
        o->rounds = text == NULL ? 3 : (unsigned)whole_number(state, "compare", text, 1, 1000);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void check_together(struct argp_state *state, struct options *o) {
    if (options_signature(o) > 1024)
        argp_error(state, "bands x rows is %u, more than 1024", options_signature(o));
    if (o->path_count > 0)
        return;
    static const char *found[sizeof usual_places / sizeof *usual_places];
    for (size_t i = 0; i < sizeof usual_places / sizeof *usual_places; i++)
        if (access(usual_places[i], R_OK) == 0)
            found[o->path_count++] = usual_places[i];
    o->paths = found;
    if (o->path_count == 0)
        argp_error(state, "no input was named, and this machine has none of the usual places for text");
}

static error_t parse(int key, char *text, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'o':
        o->output = text;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case 't':
        o->threshold = share(state, text);
        return 0;
    case KEY_FIELD:
        o->field = text;
        return 0;
    case KEY_TOPOLOGY:
        o->topology = text;
        return 0;
    case ARGP_KEY_ARGS:
        o->paths = (const char *const *)(state->argv + state->next);
        o->path_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_SUCCESS:
        check_together(state, o);
        return 0;
    default:
        return parse_number(key, text, state);
    }
}

void options_parse(struct options *options, int argc, char **argv) {
    static const struct argp argp = {
        .options = known,
        .parser = parse,
        .args_doc = "[FILE|DIRECTORY...]",
        .doc = "Finds near-duplicate documents and writes the others as shards of tokens.\n"
               "Reads text files, gzipped text files, and JSON lines (*.jsonl, *.ndjson); without arguments, the text that "
               "every machine has, such as /usr/include and /usr/share/doc.\v"
               "Exit codes: 0 all fine; 1 the result could not be written; 3 finished, but some inputs were unreadable or "
               "broken (DIR/report.json names them); 64 wrong use. The result does not depend on the number of workers."};
    *options = (struct options){.output = "shards",
                                .field = "text",
                                .bands = 16,
                                .rows = 8,
                                .shingle = 5,
                                .threshold = 0.8,
                                .vocabulary = 65536,
                                .shard_tokens = 1 << 24,
                                .document_bytes = 256ull << 20,
                                .memory_bytes = 1ull << 30};
    argp_program_version = "preprocess (weft example) 0.1";
    argp_err_exit_status = EXIT_BAD_USE;
    argp_parse(&argp, argc, argv, 0, NULL, options);
}
