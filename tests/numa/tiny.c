/*
 * A node with little memory: a strict array that does not fit there is refused with a status and nobody is killed; a preferred
 * one goes on elsewhere and says how much.
 */
#include <string.h>
#include <unistd.h>

#include "numa.h"

/* The node with the least free memory. */
static unsigned smallest(const struct machine *machine, const weft_pool *pool) {
    unsigned least = 0;
    for (unsigned node = 1; node < weft_pool_nodes(pool); node++)
        if (machine->node_free[os_node(pool, node)] < machine->node_free[os_node(pool, least)])
            least = node;
    return least;
}

static void try_strict(weft_pool *pool, unsigned node, size_t bytes) {
    weft_array *array = NULL;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .node = node, .strict = true};
    weft_status status = weft_array_create(&array, pool, bytes, 1, &options);
    printf("strict, %zu MiB: %s: %s\n", bytes >> 20, weft_status_name(status), weft_error_detail());
    CHECK(status == WEFT_ESTRICT || status == WEFT_ENOMEM);
    CHECK(!array);
}

/* As the memory-only node of a pool on the other node. */
static void try_memory_node(unsigned other, size_t bytes) {
    weft_pool *pool;
    weft_array *array = NULL;
    char nodes[16];
    snprintf(nodes, sizeof nodes, "%u", other);
    OK(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .nodes = nodes}));
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_MEMORY_NODE, .strict = true};
    weft_status status = weft_array_create(&array, pool, bytes, 1, &options);
    printf("strict, memory-only, %zu MiB: %s: %s\n", bytes >> 20, weft_status_name(status), weft_error_detail());
    CHECK((status == WEFT_ESTRICT || status == WEFT_ENOMEM) && !array);
    OK(weft_pool_destroy(pool));
}

static void try_preferred(weft_pool *pool, unsigned node, size_t bytes) {
    weft_array *array = NULL;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .node = node, .pages = WEFT_PAGES_BASE};
    weft_placement placement;
    size_t per_node[MAX_NODES];
    OK(weft_array_create(&array, pool, bytes, 1, &options));
    OK(weft_array_placement(array, &placement, per_node, MAX_NODES));
    struct pages pages = pages_ask(weft_array_data(array), bytes, NULL);
    printf("preferred, %zu MiB: %zu of %zu pages there, the others elsewhere; placement says %zu (%s)\n", bytes >> 20,
           pages.on[os_node(pool, node)], pages.count, placement.pages_expected, placement.reason);
    CHECK(pages.present == pages.count && pages.on[os_node(pool, node)] < pages.count && pages.on[os_node(pool, node)]);
    CHECK(placement.pages_expected == pages.on[os_node(pool, node)] && placement.pages_expected < placement.pages_asked);
    CHECK(*placement.reason);
    CHECK(!memcmp(per_node, pages.on, sizeof per_node));
    weft_array_destroy(array);
}

int main(void) {
    struct machine machine = machine_read();
    weft_pool *pool = start_pool();
    unsigned node = smallest(&machine, pool);
    size_t bytes = machine.node_free[os_node(pool, node)] + ((size_t)48 << 20);
    printf("node %d has %zu MiB free\n", os_node(pool, node), machine.node_free[os_node(pool, node)] >> 20);
    fflush(stdout);
    try_preferred(pool, node, bytes);
    fflush(stdout);
    try_strict(pool, node, bytes);
    try_strict(pool, node, bytes);
    try_memory_node((unsigned)os_node(pool, !node), bytes);
    weft_array *array = NULL; /* what fits is granted after the refusals: they gave everything back */
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .node = node, .strict = true};
    OK(weft_array_create(&array, pool, (size_t)8 << 20, 1, &options));
    struct pages pages = pages_ask(weft_array_data(array), (size_t)8 << 20, NULL);
    CHECK(pages.present == pages.count && pages.on[os_node(pool, node)] == pages.count);
    printf("strict, 8 MiB: %zu of %zu pages there\n", pages.on[os_node(pool, node)], pages.count);
    weft_array_destroy(array);
    OK(weft_pool_destroy(pool));
    return 0;
}
