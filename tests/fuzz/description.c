/*
 * A synthetic description with the options that narrow a plan. Input: lines of the description, the node list ("-": none), the
 * worker count, the reserved cores, and letters: s for smt, q for ignore_quota, a for ignore_affinity.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* More would only be slow: the lists of victims grow with the square of the workers. */
#define MOST_PUS 512

/* Every node with workers is in the list. */
static void check_list(const weft_plan_options *options) {
    weft_plan *plan = NULL;
    unsigned count;
    if (weft_plan_create(&plan, options))
        return;
    const weft_plan_node *nodes = weft_plan_nodes(plan, &count);
    for (unsigned i = 0; i < count; i++) {
        bool listed = false;
        for (const char *at = options->nodes; *at; at += strcspn(at, ","), at += *at == ',') {
            char *end;
            long first = strtol(at, &end, 10), last = *end == '-' ? strtol(end + 1, NULL, 10) : first;
            listed |= nodes[i].os_index >= first && nodes[i].os_index <= last;
        }
        FUZZ_CHECK(listed, "node %d is not in \"%s\"", nodes[i].os_index, options->nodes);
    }
    weft_plan_destroy(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    char *topology = fuzz_line(&input), *nodes = fuzz_line(&input), *workers = fuzz_line(&input), *reserved = fuzz_line(&input);
    char *letters = fuzz_rest(&input);
    weft_plan_options options = {WEFT_PLAN_OPTIONS_INIT,
                                 .topology = topology,
                                 .nodes = strcmp(nodes, "-") ? nodes : NULL,
                                 .workers = fuzz_count(workers),
                                 .reserved_cores = fuzz_count(reserved),
                                 .smt = strchr(letters, 's') != NULL,
                                 .ignore_quota = strchr(letters, 'q') != NULL,
                                 .ignore_affinity = strchr(letters, 'a') != NULL};
    if (fuzz_is_small_description(topology, MOST_PUS) && fuzz_plan(&options) == WEFT_OK && options.nodes)
        check_list(&options);
    free(topology);
    free(nodes);
    free(workers);
    free(reserved);
    free(letters);
    return 0;
}
