/*
 * Files of measured latencies. Input: the file. What is read and saved is read as it was; a plan is made of it, whose order of victims
 * is checked against the latencies.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/measured.h"

static char saved[64];

static void forget_saved(void) {
    unlink(saved);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    static const char *const variables[] = {"WEFT_WORKERS", "WEFT_SMT",     "WEFT_TOPOLOGY",
                                            "WEFT_PIN",     "WEFT_SPIN_US", "WEFT_DISTANCES"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    snprintf(saved, sizeof saved, "%s/weft-fuzz-distances-%ld", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());
    atexit(forget_saved);
    return 0;
}

static struct wf_measured *load(const char *path) {
    struct wf_measured *untouched = (struct wf_measured *)(void *)saved, *measured = untouched;
    fuzz_begin();
    weft_status status = wf_measured_load(&measured, path);
    fuzz_end(status);
    FUZZ_CHECK(!status || measured == untouched, "latencies were written by a call that failed");
    FUZZ_CHECK(!status || (status == WEFT_EINVAL && strstr(weft_error_detail(), "line ")), "no line in \"%s\"",
               weft_error_detail());
    return status ? NULL : measured;
}

static void check_saved(const struct wf_measured *measured) {
    size_t pairs = (size_t)measured->count * measured->count;
    FUZZ_CHECK(!wf_measured_save(measured, saved), "%s", weft_error_detail());
    struct wf_measured *again = load(saved);
    FUZZ_CHECK(again && again->count == measured->count, "%u nodes were saved", measured->count);
    FUZZ_CHECK(!memcmp(again->nodes, measured->nodes, measured->count * sizeof *again->nodes) &&
                   !memcmp(again->latencies, measured->latencies, pairs * sizeof *again->latencies) &&
                   !memcmp(again->distances, measured->distances, pairs * sizeof *again->distances),
               "%u nodes changed on their way through a file", measured->count);
    wf_measured_release(again);
}

/* ns, 0: neither way was measured. */
static uint64_t latency(const struct wf_measured *measured, int from, int to) {
    size_t row = (size_t)wf_measured_position(measured, from), column = (size_t)wf_measured_position(measured, to);
    uint64_t there = measured->latencies[row * measured->count + column];
    return there ? there : measured->latencies[column * measured->count + row];
}

/* Of two groups, one after the other: every latency of the nearer is shorter than all of the farther; within, a tenth lies between. */
static void check_order(const weft_plan *plan, const struct wf_measured *measured, unsigned thief) {
    const weft_plan_worker *workers = weft_plan_workers(plan, NULL);
    const weft_plan_node *nodes = weft_plan_nodes(plan, NULL);
    uint64_t before = 0;
    for (unsigned g = 0; g < workers[thief].group_count; g++) {
        const weft_victim_group *group = &workers[thief].groups[g];
        uint64_t least = UINT64_MAX, most = 0;
        for (unsigned i = 0; group->kind == WEFT_VICTIM_REMOTE && i < group->worker_count; i++) {
            uint64_t ns = latency(measured, nodes[workers[thief].node].os_index, nodes[workers[group->workers[i]].node].os_index);
            ns = ns ? ns : UINT64_MAX / 100; /* farther than all that were measured */
            least = ns < least ? ns : least;
            most = ns > most ? ns : most;
        }
        FUZZ_CHECK(least > before, "worker %u: group %u is nearer than the one before", thief, g);
        FUZZ_CHECK(!most || most * 10 <= least * 11, "worker %u: group %u holds more than a tenth", thief, g);
        before = most;
    }
}

static void check_plan(const char *path, const struct wf_measured *measured, const char *topology) {
    weft_plan *plan = NULL;
    const weft_plan_options options = {WEFT_PLAN_OPTIONS_INIT, .topology = topology, .distances = path};
    fuzz_begin();
    weft_status status = weft_plan_create(&plan, &options);
    fuzz_end(status);
    FUZZ_CHECK(!status || status == WEFT_EINVAL, "%s", weft_error_detail());
    if (status)
        return;
    FUZZ_CHECK(weft_plan_distance_source(plan) == WEFT_DISTANCE_MEASURED, "the file was not used");
    unsigned count;
    weft_plan_workers(plan, &count);
    for (unsigned i = 0; i < count; i++)
        check_order(plan, measured, i);
    fuzz_check_plan(plan, &(struct fuzz_asked){0});
    fuzz_check_faces(plan);
    weft_plan_destroy(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    fuzz_memory_file(data, size, path);
    struct wf_measured *measured = load(path);
    if (!measured)
        return 0;
    check_saved(measured);
    check_plan(path, measured, "node:2 core:1 pu:1");
    check_plan(path, measured, "package:2 node:2 core:2 pu:1");
    wf_measured_release(measured);
    return 0;
}
