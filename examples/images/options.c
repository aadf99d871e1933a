/* The command line, by argp: --help, --usage and --version come with it. */
#include "options.h"

#include <argp.h>
#include <math.h>
#include <stdlib.h>

#include "../common/arguments.h"

enum {
    KEY_RESIZE = 256,
    KEY_MEAN,
    KEY_DEVIATION,
    KEY_FULL,
    KEY_PIXELS,
    KEY_BYTES,
    KEY_DROP,
    KEY_SHUFFLE,
    KEY_WINDOW,
    KEY_SEED,
    KEY_TOKENS,
    KEY_READERS,
    KEY_NODE,
    KEY_DEVICE,
    KEY_LOCKED,
    KEY_DRY,
    KEY_GENERATE,
    KEY_TOPOLOGY
};

static const struct argp_option known[] = {
    {"output", 'o', "DIR", 0, "Write shards and index.tsv to DIR (default: images-shards)", 1},
    {"dry-run", KEY_DRY, NULL, 0, "Do everything but write", 1},
    {"generate", KEY_GENERATE, "N", 0, "First make N JPEG files of varied size and difficulty in the directory that is named", 1},
    {"size", 's', "N", 0, "Edge of the square that is cut out of the middle, in pixels (default: 224)", 2},
    {"resize", KEY_RESIZE, "N", 0, "The image's shorter edge is resized to N before (default: 8/7 of the size)", 2},
    {"mean", KEY_MEAN, "R,G,B", 0, "Subtracted from colours in 0 to 1 (default: 0.485,0.456,0.406)", 2},
    {"deviation", KEY_DEVIATION, "R,G,B", 0, "Then divided by (default: 0.229,0.224,0.225)", 2},
    {"full-decode", KEY_FULL, NULL, 0, "Decode large images at full size: more exact, slower", 2},
    {"max-pixels", KEY_PIXELS, "MP", 0, "Skip and name images of more than MP million pixels (default: 100)", 2},
    {"max-bytes", KEY_BYTES, "MIB", 0, "Skip and name files of more than MIB mebibytes (default: 64)", 2},
    {"batch", 'b', "K", 0, "Images per shard (default: 64)", 3},
    {"drop-last", KEY_DROP, NULL, 0, "No shard of fewer images at the end", 3},
    {"shuffle", KEY_SHUFFLE, NULL, 0, "In random order (default: that of the file names)", 3},
    {"shuffle-window", KEY_WINDOW, "N", 0, "Hold N images back, and give out a random one of them for each that comes", 3},
    {"seed", KEY_SEED, "N", 0, "Of the shuffles, and of what --generate makes (default: 1)", 3},
    {"workers", 'w', "N", 0, "Use at most N workers (default: one per core that the process may use)", 4},
    {"tokens", 't', "T", 0, "Images on their way at most, beside a batch and a window (default: 4 per worker and 1 per reader)",
     4},
    {"readers", KEY_READERS, "N", 0, "Threads that read files (default: 2)", 4},
    {"node", KEY_NODE, "N", 0, "Batches lie on node N of the pool", 4},
    {"device", KEY_DEVICE, "ID", 0, "Batches lie near the PCI device with this bus id", 4},
    {"locked", KEY_LOCKED, NULL, 0, "Batches are locked in memory", 4},
    {"topology", KEY_TOPOLOGY, "T", 0, "Pretend to be the machine T: an hwloc XML file or, say, \"node:2 core:4 pu:1\"", 4},
    {"quiet", 'q', NULL, 0, "No progress, no summary", 5},
    {0}};

static void three_numbers(struct argp_state *state, const char *name, const char *text, float numbers[3], float least) {
    const char *at = text;
    for (unsigned i = 0; i < 3; i++) {
        char *end;
        numbers[i] = strtof(at, &end);
        if (end == at || *end != (i < 2 ? ',' : '\0') || !isfinite(numbers[i]) || numbers[i] < least)
            argp_error(state, "%s: \"%s\" is not three numbers with commas between them%s", name, text,
                       least > 0 ? ", each above 0" : "");
        at = end + 1;
    }
}

static error_t parse_picture(int key, char *text, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 's':
        o->shape.size = (unsigned)whole_number(state, "size", text, 1, 4096);
        return 0;
    case KEY_RESIZE:
        o->shape.resize = (unsigned)whole_number(state, "resize", text, 1, 8192);
        return 0;
    case KEY_MEAN:
        three_numbers(state, "mean", text, o->shape.mean, -1e6f);
        return 0;
    case KEY_DEVIATION:
        three_numbers(state, "deviation", text, o->shape.deviation, 1e-6f);
        return 0;
    case KEY_FULL:
        o->full_decode = true;
        return 0;
    case KEY_PIXELS:
        o->pixels = whole_number(state, "max-pixels", text, 1, 4295) * 1000000;
        return 0;
    case KEY_BYTES:
        o->bytes = whole_number(state, "max-bytes", text, 1, 1024) << 20;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_batches(int key, char *text, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'b':
        o->batch = whole_number(state, "batch", text, 1, 65536);
        return 0;
    case KEY_DROP:
        o->drop_last = true;
        return 0;
    case KEY_SHUFFLE:
        o->shuffle = true;
        return 0;
    case KEY_WINDOW:
        o->window = whole_number(state, "shuffle-window", text, 1, 1 << 19);
        return 0;
    case KEY_SEED:
        o->seed = whole_number(state, "seed", text, 0, UINT64_MAX);
        return 0;
    case KEY_NODE:
        o->node = (int)whole_number(state, "node", text, 0, 4095);
        return 0;
    case KEY_DEVICE:
        o->device = text;
        return 0;
    case KEY_LOCKED:
        o->locked = true;
        return 0;
    default:
        return parse_picture(key, text, state);
    }
}

static void check_together(struct argp_state *state, struct options *o) {
    if (!o->shape.resize)
        o->shape.resize = o->shape.size + o->shape.size / 7;
    if (o->shape.resize < o->shape.size)
        argp_error(state, "resize is %u, less than the size %u that is cut out of it", o->shape.resize, o->shape.size);
    if (o->node >= 0 && o->device)
        argp_error(state, "--node and --device both say where batches lie: use one");
    if (o->path_count == 0)
        argp_error(state, "no input was named; --generate 400 DIR makes some");
    if (o->generate && o->path_count != 1)
        argp_error(state, "--generate takes one directory, the one to make the images in");
}

static error_t parse(int key, char *text, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'o':
        o->output = text;
        return 0;
    case KEY_DRY:
        o->output = NULL;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case KEY_GENERATE:
        o->generate = whole_number(state, "generate", text, 1, 10000000);
        return 0;
    case 'w':
        o->workers = (unsigned)whole_number(state, "workers", text, 1, 65536);
        return 0;
    case 't':
        o->tokens = (unsigned)whole_number(state, "tokens", text, 1, 1 << 18);
        return 0;
    case KEY_READERS:
        o->readers = (unsigned)whole_number(state, "readers", text, 1, 256);
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
        return parse_batches(key, text, state);
    }
}

void options_parse(struct options *options, int argc, char **argv) {
    static const struct argp argp = {
        .options = known,
        .parser = parse,
        .args_doc = "FILE|DIRECTORY...",
        .doc =
            "Decodes JPEG files, resizes them, and writes them as batches of normalised float32 planes, in NumPy's format.\v"
            "Exit codes: 0 all fine; 1 the shards could not be written, the index names those that are complete; 3 finished, but "
            "some images were unreadable or broken and are named; 64 wrong use. Shards do not depend on the number of workers."};
    *options = (struct options){.output = "images-shards",
                                .shape = {.size = 224, .mean = {0.485f, 0.456f, 0.406f}, .deviation = {0.229f, 0.224f, 0.225f}},
                                .batch = 64,
                                .seed = 1,
                                .pixels = 100000000,
                                .bytes = 64ull << 20,
                                .readers = 2,
                                .node = -1};
    argp_program_version = "images (weft example) 0.1";
    argp_err_exit_status = EXIT_BAD_USE;
    argp_parse(&argp, argc, argv, 0, NULL, options);
}
