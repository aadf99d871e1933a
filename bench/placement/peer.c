/* Measures every way of a peer: fresh memory, initialisation, loops, check. Runs on the main thread. */
#include "placement/peer.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/kernel.h"

static const char *const bodies[] = {"compute", "sleep"}, *const costs[] = {"even", "growing"};

static bool fail(const struct peer_way *way, const char *what) {
    fprintf(stderr, "%s, first touch %s: %s\n", way->schedule, way->first_touch, what);
    return false;
}

static void print_nodes(const size_t *on) {
    unsigned last = WORKLOAD_MAX_NODES;
    while (last > 1 && !on[last - 1])
        last--;
    for (unsigned node = 0; node < last; node++)
        printf("%s%zu", node ? ", " : "", on[node]);
}

static void print_result(const struct peer_way *way, const struct workload *workload, const struct workload_share *sum) {
    printf("{\"schedule\": \"%s\", \"first_touch\": \"%s\", \"body\": \"%s\", \"cost\": \"%s\", ", way->schedule,
           way->first_touch, bodies[workload->body], costs[workload->cost]);
    printf("\"visits\": %zu, \"local\": %zu, \"busiest\": %.4f, \"on\": [", sum->visits, sum->local, sum->busiest);
    print_nodes(sum->on);
    printf("]}\n");
}

static bool run_loops(const struct peer_way *way, struct workload *workload, unsigned loops, struct workload_share *sum) {
    *sum = (struct workload_share){0};
    for (unsigned i = 0; i < loops; i++) {
        struct workload_share share;
        if (!workload_begin(workload))
            return fail(way, "the kernel does not say where pages are (move_pages)");
        if (!way->loop(workload))
            return fail(way, "the loop failed");
        if (!workload_end(workload, &share))
            return fail(way, "a row did not run, or there are too many threads");
        sum->visits += share.visits;
        sum->local += share.local;
        sum->busiest += share.busiest / loops;
        for (unsigned node = 0; node < WORKLOAD_MAX_NODES; node++)
            sum->on[node] += share.on[node];
    }
    return workload_is_right(workload, loops) || fail(way, "the result is wrong");
}

static bool initialise(const struct peer_way *way, struct workload *workload) {
    if (way->initialise)
        return way->initialise(workload);
    workload_initialise(workload, 0, workload->rows);
    return true;
}

static bool measure(const struct peer_way *way, struct workload *workload, unsigned loops) {
    struct workload_share sum;
    if (!(way->allocate ? way->allocate : workload_map)(workload))
        return fail(way, "no memory");
    bool measured = initialise(way, workload) ? run_loops(way, workload, loops, &sum) : fail(way, "the initialisation failed");
    (way->release ? way->release : workload_unmap)(workload);
    if (measured)
        print_result(way, workload, &sum);
    return measured;
}

static bool measure_all(const struct peer *peer, struct workload *workload, unsigned loops) {
    for (size_t i = 0; i < peer->way_count; i++)
        for (unsigned kind = 0; kind < 4; kind++) {
            workload->body = kind % 2 ? WORKLOAD_SLEEP : WORKLOAD_COMPUTE;
            workload->cost = kind / 2 ? WORKLOAD_GROWING : WORKLOAD_EVEN;
            if (!measure(&peer->ways[i], workload, loops))
                return false;
        }
    return true;
}

/* A positive number that fits, or 0. */
static size_t parse(const char *text) {
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && number <= 1u << 24 ? number : 0;
}

int peer_main(int argc, char **argv, const struct peer *peer) {
    struct workload workload;
    size_t rows = argc == 3 ? parse(argv[1]) : 0, loops = argc == 3 ? parse(argv[2]) : 0;
    if (!rows || !loops) {
        fprintf(stderr, "usage: %s ROWS LOOPS\n", argv[0]);
        return 1;
    }
    if (!kernel_forbid_huge_pages() || !workload_create(&workload, rows)) {
        fprintf(stderr, "%s: no memory, or the kernel does not forbid huge pages\n", argv[0]);
        return 1;
    }
    printf("{\"version\": \"%s\", \"threads\": %u, \"ways\": %zu}\n", peer->version, peer->threads, peer->way_count);
    bool measured = measure_all(peer, &workload, (unsigned)loops);
    workload_destroy(&workload);
    return measured ? 0 : 1;
}
