/*
 * Which kind of pages arrays get where each node has its own reserved ones: on the node where they belong, or of a smaller kind,
 * with the reason; strict ones are refused. What was granted is compared with /proc/self/smaps and move_pages(2).
 */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "numa.h"

#define HUGE ((size_t)2 << 20)

static struct machine machine;
static weft_pool *pool;

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(text, file) >= 0 && !fclose(file));
}

/* Have exactly so many reserved pages on a node. */
static void reserve(int node, unsigned count) {
    char path[128], number[16];
    unsigned got = 0;
    snprintf(number, sizeof number, "%u", count);
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages", node);
    write_text(path, number);
    FILE *file = fopen(path, "r");
    CHECK(file && fscanf(file, "%u", &got) == 1 && !fclose(file));
    if (got != count)
        FAIL("node %d reserves %u of %u huge pages", node, got, count);
}

static void reserve_everywhere(unsigned count) {
    for (unsigned node = 0; node < machine.nodes; node++)
        reserve((int)node, count);
}

/* Bytes that smaps has under two keys for the mappings inside [start, start + bytes). */
static size_t smaps(const void *start, size_t bytes, const char *key, const char *other) {
    char line[512];
    size_t first, last, kib, sum = 0;
    bool inside = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    CHECK(file);
    while (fgets(line, sizeof line, file)) {
        const char *number = strchr(line, ':');
        if (sscanf(line, "%zx-%zx ", &first, &last) == 2)
            inside = first >= (uintptr_t)start && first < (uintptr_t)start + bytes;
        else if (inside && number && (!strncmp(line, key, strlen(key)) || !strncmp(line, other, strlen(other))))
            sum += sscanf(number + 1, "%zu", &kib) == 1 ? kib * 1024 : 0;
    }
    fclose(file);
    return sum;
}

/* Make it, hold what placement says to what the kernel says, and give placement back. */
static weft_placement check(const char *what, weft_array_options options, size_t bytes) {
    weft_array *array;
    weft_placement placement;
    size_t per_node[MAX_NODES];
    options.size = sizeof options;
    OK(weft_array_create(&array, pool, bytes, 1, &options));
    OK(weft_array_placement(array, &placement, per_node, MAX_NODES));
    const void *data = weft_array_data(array);
    struct pages pages = pages_ask(data, bytes, NULL);
    CHECK(pages.present == pages.count && !memcmp(per_node, pages.on, sizeof per_node));
    size_t hugetlb = smaps(data, bytes, "Private_Hugetlb:", "Shared_Hugetlb:"), thp = smaps(data, bytes, "AnonHugePages:", "?");
    bool reserved = placement.granted == WEFT_PAGES_2M || placement.granted == WEFT_PAGES_HUGE;
    printf("%-46s kind %d, %zu of %zu pages where they belong, %zu MiB huge (%s)\n", what, (int)placement.granted,
           placement.pages_expected, placement.pages, placement.huge_bytes >> 20, placement.reason);
    fflush(stdout);
    CHECK(placement.huge_bytes == hugetlb + thp);
    CHECK(hugetlb == (reserved ? bytes : 0) && (placement.granted == WEFT_PAGES_THP || !thp));
    CHECK(placement.pages_expected == placement.pages);
    CHECK(reserved || placement.granted == WEFT_PAGES_THP ? placement.granted_bytes == HUGE : placement.granted_bytes < HUGE);
    weft_array_destroy(array);
    return placement;
}

static void refuse(const char *what, weft_array_options options, size_t bytes, const char *word) {
    weft_array *array = NULL;
    options.size = sizeof options;
    options.strict = true;
    CHECK(weft_array_create(&array, pool, bytes, 1, &options) == WEFT_ESTRICT && !array);
    printf("%-46s %s\n", what, weft_error_detail());
    CHECK(strstr(weft_error_detail(), word));
}

static void check_reserved_everywhere(void) {
    unsigned nodes = weft_pool_nodes(pool), weights[MAX_NODES];
    size_t bytes = 4 * nodes * HUGE;
    weft_array_options options = {.pages = WEFT_PAGES_2M, .strict = true, .weights = NULL};
    reserve_everywhere(12);
    CHECK(check("partitioned, 2 MiB", options, bytes).granted == WEFT_PAGES_2M);
    options.pages = WEFT_PAGES_HUGE;
    options.place = WEFT_REPLICATED;
    weft_array *array;
    options.size = sizeof options;
    OK(weft_array_create(&array, pool, 3 * HUGE, 1, &options));
    weft_placement placement;
    OK(weft_array_placement(array, &placement, NULL, 0));
    CHECK(placement.pages_expected == placement.pages && placement.huge_bytes == 3 * nodes * HUGE);
    weft_array_destroy(array);
    options.place = WEFT_WEIGHTED;
    for (unsigned node = 0; node < nodes; node++)
        weights[node] = node % 2 ? 1 : 3;
    options.weights = weights;
    options.weight_count = nodes;
    CHECK(check("weighted 3:1, huge", options, bytes).granted == WEFT_PAGES_HUGE);
    options = (weft_array_options){.pages = WEFT_PAGES_1G};
    placement = check("partitioned, 1 GiB", options, bytes);
    CHECK(placement.granted == WEFT_PAGES_2M && strstr(placement.reason, "1 GiB"));
    refuse("strict, 1 GiB", options, bytes, "1 GiB");
    options = (weft_array_options){.place = WEFT_ON_MEMORY_NODE, .pages = WEFT_PAGES_2M, .strict = true};
    unsigned memory_nodes;
    weft_plan_memory_nodes(weft_pool_plan(pool), &memory_nodes);
    for (; options.node < memory_nodes; options.node++)
        CHECK(check("memory node, 2 MiB", options, 5 * HUGE).granted == WEFT_PAGES_2M);
}

/* A place goes before a kind: pages of another node are not taken. */
static void check_reserved_on_one(void) {
    unsigned last = weft_pool_nodes(pool) - 1;
    weft_array_options options = {.pages = WEFT_PAGES_2M};
    size_t bytes = 4 * (last + 1) * HUGE;
    char name[16];
    snprintf(name, sizeof name, "on node %d", os_node(pool, last));
    reserve_everywhere(0);
    reserve(os_node(pool, 0), 16);
    weft_placement placement = check("partitioned, one node has them", options, bytes);
    CHECK(placement.granted < WEFT_PAGES_HUGE && *placement.reason);
    refuse("... strict", options, bytes, "which has 0 of them");
    options.place = WEFT_ON_NODE;
    CHECK(check("on the node that has them", options, 16 * HUGE).granted == WEFT_PAGES_2M);
    options.node = last;
    placement = check("on another", options, 16 * HUGE);
    CHECK(placement.granted == WEFT_PAGES_THP && strstr(placement.reason, "fewer reserved"));
    refuse("... strict", options, 16 * HUGE, name);
    reserve_everywhere(0);
}

/* Transparent huge pages are a request: what came of it is measured. */
static void check_measured(void) {
    static const char setting[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    weft_array *array;
    weft_placement placement;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .pages = WEFT_PAGES_THP, .untouched = true};
    CHECK(check("transparent", (weft_array_options){.place = WEFT_ON_NODE, .pages = WEFT_PAGES_THP}, 16 * HUGE).huge_bytes);
    OK(weft_array_create(&array, pool, 8 * HUGE, 1, &options));
    write_text(setting, "never");
    OK(weft_array_touch(array));
    OK(weft_array_placement(array, &placement, NULL, 0)); /* before khugepaged may run again */
    write_text(setting, "always");
    CHECK(placement.granted == WEFT_PAGES_THP && !placement.huge_bytes && placement.pages_expected == placement.pages);
    weft_array_destroy(array);
}

int main(void) {
    machine = machine_read();
    pool = start_pool();
    check_reserved_everywhere();
    check_reserved_on_one();
    check_measured();
    OK(weft_pool_destroy(pool));
    return 0;
}
