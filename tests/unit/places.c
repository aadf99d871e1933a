/* array/place, array/pages: where arrays belong and which kind of pages they get. */
#include <criterion/criterion.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "array/workers.h"
#include "arrays.h"
#include "base/compiler.h"

/* Owners of the first units of an array with turns, as a text of node numbers. */
static const char *turns_of(const weft_array *array, size_t units) {
    static char text[64];
    size_t end;
    for (size_t unit = 0; unit < units; unit++)
        text[unit] = (char)('0' + wf_array_owner(array, 0, unit * array->areas[0].page_bytes, &end));
    text[units] = 0;
    return text;
}

static weft_array *weigh(weft_pool *pool, size_t n, size_t item_bytes, const unsigned *weights, weft_array_options options) {
    options.place = WEFT_WEIGHTED;
    options.weights = weights;
    options.weight_count = weft_pool_nodes(pool);
    return make(pool, n, item_bytes, options);
}

Test(places, weights_give_each_node_its_pages_of_every_period_spread_out) {
    static const struct {
        unsigned weights[3];
        const char *turns;
    } cases[] = {{{1, 1, 1}, "012012012012"}, {{3, 1, 0}, "001000100010"}, {{600, 200, 0}, "001000100010"},
                 {{2, 0, 1}, "020020020020"}, {{0, 0, 7}, "222222222222"}, {{5, 2, 1}, "010020100100"}};
    weft_pool *pool = make_pool(THREE_NODES);
    for (size_t i = 0; i < WF_ARRAY_LENGTH(cases); i++) {
        weft_array *array = weigh(pool, 12 * wf_page_bytes(), 1, cases[i].weights, (weft_array_options){.untouched = true});
        if (i < 5)
            cr_assert_str_eq(turns_of(array, 12), cases[i].turns);
        size_t units[3] = {0}, sum = cases[i].weights[0] + cases[i].weights[1] + cases[i].weights[2];
        for (size_t turn = 0; turn < array->period; turn++)
            units[array->turns[turn]]++;
        for (unsigned k = 0; k < 3; k++)
            cr_assert_eq(units[k] * sum, array->period * cases[i].weights[k]);
        weft_array_destroy(array);
    }
    weft_pool_destroy(pool);
}

/* Each unit of a node is in the share of exactly one of its workers. */
static void check_turn_shares(const weft_array *array) {
    size_t units = (array->areas[0].bytes - 1) / array->areas[0].page_bytes + 1;
    for (size_t unit = 0; unit < units; unit++) {
        unsigned sharers = 0;
        size_t end;
        for (unsigned worker = 0; worker < array->worker_count; worker++) {
            weft_range share = wf_array_turns_of(array, worker);
            bool mine = wf_array_owner(array, 0, unit * array->areas[0].page_bytes, &end) == wf_array_node_of(array, worker);
            sharers += mine && share.first <= unit && unit < share.last;
            cr_assert_eq(end, (unit + 1) * array->areas[0].page_bytes);
        }
        cr_assert_eq(sharers, 1, "unit %zu", unit);
    }
}

Test(places, weighted_arrays_are_touched_in_whole_by_the_owners_of_their_pages) {
    static const unsigned weights[] = {3, 1, 2};
    static const size_t pages[] = {1, 2, 5, 6, 7, 1000, 3001};
    static const char *const topologies[] = {NULL, TWO_NODES, THREE_NODES};
    for (size_t t = 0; t < WF_ARRAY_LENGTH(topologies); t++) {
        weft_pool *pool = make_pool(topologies[t]);
        for (size_t i = 0; i < WF_ARRAY_LENGTH(pages) && weft_pool_nodes(pool) <= 3; i++) {
            weft_array *array = weigh(pool, pages[i], wf_page_bytes(), weights, (weft_array_options){0});
            check_turn_shares(array);
            cr_assert_eq(placement_of(array).pages_absent, 0);
            if (!t)
                cr_assert_eq(placement_of(array).pages_expected, pages[i]);
            weft_array_destroy(array);
            array = weigh(pool, pages[i], wf_page_bytes(), weights, (weft_array_options){.untouched = true});
            cr_assert_eq(placement_of(array).pages_absent, pages[i]);
            cr_assert_eq(weft_array_touch(array), WEFT_OK, "%s", weft_error_detail());
            cr_assert_eq(placement_of(array).pages_absent, 0);
            weft_array_destroy(array);
        }
        weft_pool_destroy(pool);
    }
}

Test(places, exact_turns_take_huge_pages_only_for_four_periods_of_them) {
    static const unsigned weights[] = {3, 1};
    weft_pool *pool = make_pool(TWO_NODES);
    size_t huge = wf_thp_bytes();
    if (!huge)
        cr_skip_test("no transparent huge pages");
    weft_array *small = weigh(pool, 15 * huge, 1, weights, (weft_array_options){.untouched = true});
    cr_assert_eq(small->areas[0].pages, WEFT_PAGES_BASE);
    cr_assert(strstr(small->reasons[WF_REASON_PAGES], "4 periods"));
    weft_array *large = weigh(pool, 16 * huge, 1, weights, (weft_array_options){.untouched = true});
    if (large->areas[0].pages == WEFT_PAGES_THP)
        cr_assert_str_eq(turns_of(large, 8), "00100010", "by huge pages");
    weft_array_destroy(small);
    weft_array_destroy(large);
    weft_pool_destroy(pool);
}

Test(places, pages_that_have_to_be_reserved_are_refused_when_strict) {
    static const weft_pages kinds[] = {WEFT_PAGES_HUGE, WEFT_PAGES_2M, WEFT_PAGES_1G};
    weft_pool *pool = make_pool(NULL);
    for (size_t i = 0; i < WF_ARRAY_LENGTH(kinds); i++) {
        weft_array *array = NULL;
        weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .pages = kinds[i], .strict = true, .untouched = true};
        cr_assert_eq(weft_array_create(&array, pool, (size_t)1 << 40, 1, &options), WEFT_ESTRICT);
        cr_assert(strstr(weft_error_detail(), "nr_hugepages"), "%s", weft_error_detail());
        cr_assert_null(array);
    }
    weft_pool_destroy(pool);
}

/* Bytes that are locked, of the process. */
static size_t locked_bytes(void) {
    char line[256];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmLck: %zu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib * 1024;
}

/* From now on this process may lock so many bytes and no more: its limit holds, since it is not privileged any more. */
static void allow_to_lock(size_t bytes) {
    struct rlimit limit = {bytes, bytes};
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    cr_assert(!setrlimit(RLIMIT_MEMLOCK, &limit));
    cr_assert(!syscall(SYS_capget, &header, data));
    data[0].effective &= ~(1u << CAP_IPC_LOCK);
    cr_assert(!syscall(SYS_capset, &header, data));
}

Test(places, locked_pages_are_locked_or_refused_with_a_reason) {
    weft_pool *pool = make_pool(NULL);
    size_t bytes = 64 * wf_page_bytes(), before = locked_bytes();
    allow_to_lock(before + bytes);
    for (int untouched = 0; untouched < 2; untouched++) {
        weft_array *array = make(pool, bytes, 1, (weft_array_options){.locked = true, .untouched = untouched});
        weft_placement placement = placement_of(array);
        cr_assert(placement.locked && !*placement.reason, "%s", placement.reason);
        cr_assert_eq(locked_bytes(), before + bytes);
        cr_assert_eq(placement.pages_absent, untouched ? 64 : 0, "untouched ones are locked as they come");
        weft_array *more = make(pool, bytes, 1, (weft_array_options){.locked = true, .untouched = untouched});
        placement = placement_of(more);
        cr_assert(!placement.locked && strstr(placement.reason, "RLIMIT_MEMLOCK"), "%s", placement.reason);
        weft_array *none = NULL;
        weft_array_options strict = {WEFT_ARRAY_OPTIONS_INIT, .locked = true, .strict = true, .untouched = untouched};
        cr_assert_eq(weft_array_create(&none, pool, bytes, 1, &strict), WEFT_ESTRICT);
        cr_assert(strstr(weft_error_detail(), "ulimit -l") && !none, "%s", weft_error_detail());
        weft_array_destroy(more);
        weft_array_destroy(array);
        cr_assert_eq(locked_bytes(), before);
    }
    weft_pool_destroy(pool);
}

Test(places, copies_are_locked_all_or_none) {
    weft_pool *pool = make_pool(TWO_NODES);
    size_t bytes = 64 * wf_page_bytes(), before = locked_bytes();
    allow_to_lock(before + bytes + bytes / 2);
    weft_array *array = make(pool, bytes, 1, (weft_array_options){.locked = true, .place = WEFT_REPLICATED});
    cr_assert(!array->locked && *array->reasons[WF_REASON_LOCK]);
    cr_assert_eq(locked_bytes(), before);
    weft_array_destroy(array);
    weft_pool_destroy(pool);
}

#define DEVICES WEFT_TEST_TOPOLOGIES "/devices.xml"

static void expect_status(weft_pool *pool, weft_array_options options, weft_status status, const char *word) {
    weft_array *array = NULL;
    options.size = sizeof options;
    cr_assert_eq(weft_array_create(&array, pool, 100000, 8, &options), status, "%s", weft_error_detail());
    cr_assert(strstr(weft_error_detail(), word), "%s", weft_error_detail());
    cr_assert_null(array);
}

Test(places, a_tier_takes_each_part_to_its_nearest_node) {
    weft_pool *pool = make_pool(DEVICES);
    static const struct {
        weft_tier tier;
        int targets[2];
    } cases[] = {{WEFT_TIER_FAST, {2, 2}}, {WEFT_TIER_SLOW, {4, 3}}, {WEFT_TIER_NORMAL, {0, 1}}};
    for (size_t i = 0; i < WF_ARRAY_LENGTH(cases); i++) {
        weft_array *array = make(pool, 100000, 8, (weft_array_options){.place = WEFT_IN_TIER, .tier = cases[i].tier});
        for (unsigned k = 0; k < 2; k++)
            cr_assert_eq(wf_array_target(array, k), cases[i].targets[k], "tier %s, node %u", weft_tier_name(cases[i].tier), k);
        cr_assert_eq(wf_array_lies_apart(array), cases[i].tier != WEFT_TIER_FAST);
        size_t end;
        cr_assert_eq(wf_array_owner(array, 0, 0, &end), 0);
        cr_assert_eq(end, array->stretches[1]);
        cr_assert_eq(wf_array_owner(array, 0, array->areas[0].bytes - 1, &end), 1);
        cr_assert_eq(end, array->areas[0].bytes);
        cr_assert_eq(placement_of(array).pages_absent, 0);
        if (cases[i].tier == WEFT_TIER_FAST)
            cr_assert(wf_array_is_local(array, 0, 2) && !wf_array_is_local(array, 1, 2) && wf_array_belongs(array, 1, 2));
        weft_array_destroy(array);
    }
    expect_status(pool, (weft_array_options){.place = WEFT_IN_TIER, .tier = WEFT_TIER_SLOW, .strict = true}, WEFT_ESTRICT,
                  "the slow node of each part");
    weft_pool_destroy(pool);
}

Test(places, a_tier_that_does_not_exist_is_an_error_that_names_those_that_do) {
    weft_pool *pool = make_pool("node:2 core:2 pu:1");
    expect_status(pool, (weft_array_options){.place = WEFT_IN_TIER, .tier = WEFT_TIER_FAST}, WEFT_EINVAL, "plan are normal");
    expect_status(pool, (weft_array_options){.place = WEFT_IN_TIER, .tier = (weft_tier)3}, WEFT_EINVAL, "tier is 3");
    expect_status(pool, (weft_array_options){.tier = WEFT_TIER_SLOW}, WEFT_EINVAL, "for place WEFT_IN_TIER");
    weft_array *array = make(pool, 100, 8, (weft_array_options){.place = WEFT_IN_TIER});
    weft_array_destroy(array);
    weft_pool_destroy(pool);
    pool = make_pool(WEFT_TEST_TOPOLOGIES "/hybrid.xml");
    expect_status(pool, (weft_array_options){.place = WEFT_IN_TIER, .tier = WEFT_TIER_SLOW}, WEFT_EINVAL, "normal");
    weft_pool_destroy(pool);
}

/* "01": the nodes whose workers own parts of an array near the device, and the reason why it is not near in truth. */
static const char *near_device(weft_pool *pool, const char *device, const char **reason) {
    static char text[16];
    weft_array *array = make(pool, 100000, 8, (weft_array_options){.place = WEFT_NEAR_DEVICE, .device = device});
    char *at = text;
    for (unsigned k = 0; k < array->node_count; k++) {
        if (array->shares[k])
            *at++ = (char)('0' + k);
        cr_assert_eq(array->shares[k], array->bounds[array->nodes[k].first_worker] <
                                           array->bounds[array->nodes[k].first_worker + array->nodes[k].worker_count]);
    }
    *at = 0;
    *reason = array->reasons[WF_REASON_PLACE];
    cr_assert_eq(wf_array_lies_apart(array), strlen(text) > 1);
    cr_assert_eq(placement_of(array).pages_absent, 0);
    weft_array_destroy(array);
    return text;
}

/* As with a device that two of three nodes are nearest to. */
Test(places, workers_without_parts_make_those_of_others_no_smaller) {
    weft_pool *pool = make_pool(THREE_NODES);
    for (size_t enough = 0; enough < 2; enough++) {
        weft_array *array;
        weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .pages = WEFT_PAGES_THP};
        size_t bytes = 4 * 4 * wf_thp_bytes() - (enough ? 0 : wf_thp_bytes()); /* 4 huge pages for each of 4 workers */
        if (!wf_thp_bytes())
            cr_skip_test("no transparent huge pages here");
        cr_assert_eq(wf_array_new(&array, pool, bytes, 1, &options), WEFT_OK, "%s", weft_error_detail());
        array->shares[1] = false;
        cr_assert_eq(wf_array_sharers(array), 4);
        cr_assert_eq(wf_array_reserve_all(array), WEFT_OK, "%s", weft_error_detail());
        cr_assert_eq(array->areas[0].pages, enough ? WEFT_PAGES_THP : WEFT_PAGES_BASE);
        weft_array_destroy(array);
    }
    weft_pool_destroy(pool);
}

Test(places, slices_of_few_units_end_with_the_last) {
    struct wf_area area = {.bytes = 10 * 4096, .page_bytes = 4 * 4096};
    for (unsigned count = 1; count < 6; count++)
        for (unsigned index = 0; index < count; index++) {
            weft_range slice = wf_array_slice(&area, 0, area.bytes, index, count);
            cr_assert(slice.first <= slice.last && slice.last <= area.bytes);
            cr_assert_eq(slice.first, index ? wf_array_slice(&area, 0, area.bytes, index - 1, count).last : 0);
        }
}

Test(places, a_device_has_its_pages_on_the_nodes_nearest_to_it) {
    static const struct {
        const char *device, *nodes, *word;
    } cases[] = {{"0000:3b:00.0", "1", ""}, {"3B:00.0", "1", ""}, {"0000:3a:00.0", "1", ""},
                 {"00000:3c:0.0", "0", ""}, {"3c:00.0", "0", ""}, {"0000:00:1f.0", "01", "does not say where the device is"}};
    const char *reason;
    weft_pool *pool = make_pool(DEVICES);
    for (size_t i = 0; i < WF_ARRAY_LENGTH(cases); i++) {
        cr_assert_str_eq(near_device(pool, cases[i].device, &reason), cases[i].nodes, "%s", cases[i].device);
        cr_assert(strstr(reason, cases[i].word) && !*reason == !*cases[i].word, "%s: %s", cases[i].device, reason);
    }
    weft_array_options strict = {.place = WEFT_NEAR_DEVICE, .device = "00:1f.0", .strict = true};
    expect_status(pool, strict, WEFT_ESTRICT, "does not say where the device is");
    weft_pool_destroy(pool);
    pool = NULL;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = DEVICES, .nodes = "0"};
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK, "%s", weft_error_detail());
    cr_assert_str_eq(near_device(pool, "3b:00.0", &reason), "0");
    cr_assert(strstr(reason, "no worker is on the device's node"), "%s", reason);
    weft_pool_destroy(pool);
}

Test(places, no_bus_id_or_no_such_device_is_an_error) {
    static const char *const malformed[] = {"",
                                            ":",
                                            "3b",
                                            "3b:00",
                                            "3b:00.8",
                                            "3b:20.0",
                                            "3b:00.0 ",
                                            " 3b:00.0",
                                            "g0:00.0",
                                            "0000:3b:00.0x",
                                            "00000003b:00.0",
                                            "1:0000:3b:00.0",
                                            "0x0:3b:00.0",
                                            "-1:3b:00.0",
                                            "0000:3b.00.0",
                                            "0000:3b:00:0",
                                            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    weft_pool *pool = make_pool(DEVICES);
    for (size_t i = 0; i < WF_ARRAY_LENGTH(malformed); i++)
        expect_status(pool, (weft_array_options){.place = WEFT_NEAR_DEVICE, .device = malformed[i]}, WEFT_EINVAL,
                      "no PCI bus id");
    expect_status(pool, (weft_array_options){.place = WEFT_NEAR_DEVICE}, WEFT_EINVAL, "no PCI bus id");
    expect_status(pool, (weft_array_options){.device = "3b:00.0"}, WEFT_EINVAL, "for place WEFT_NEAR_DEVICE");
    expect_status(pool, (weft_array_options){.place = WEFT_NEAR_DEVICE, .device = "3b:00.1"}, WEFT_EINVAL,
                  "no PCI device 0000:3b:00.1");
    weft_pool_destroy(pool);
    pool = make_pool(TWO_NODES);
    expect_status(pool, (weft_array_options){.place = WEFT_NEAR_DEVICE, .device = "3b:00.0"}, WEFT_EINVAL, "is a description");
    weft_pool_destroy(pool);
    pool = make_pool(NULL);
    expect_status(pool, (weft_array_options){.place = WEFT_NEAR_DEVICE, .device = "fffe:ff:1f.7"}, WEFT_EINVAL,
                  "/sys/bus/pci/devices/fffe:ff:1f.7");
    weft_pool_destroy(pool);
}

/* A copy of a machine with two nodes of one core, and three devices: at node 1, near CPU 0, and anywhere. */
static const char devices_script[] =
    "cd %s && mkdir -p proc sys/devices/system/cpu/cpu0/topology sys/devices/system/cpu/cpu1/topology sys/bus/pci/devices "
    "sys/devices/system/node/node0 sys/devices/system/node/node1 && cd sys/devices/system && "
    "for c in 0 1; do echo $c >cpu/cpu$c/topology/core_id; echo $c >cpu/cpu$c/topology/physical_package_id; "
    "echo $((1<<c)) | tee cpu/cpu$c/topology/thread_siblings cpu/cpu$c/topology/core_siblings node/node$c/cpumap "
    ">cpu/cpu$c/topology/core_cpus; "
    "echo Node $c MemTotal: 1000000 kB >node/node$c/meminfo; done; "
    "echo 0-1 | tee cpu/online cpu/possible cpu/present node/possible >node/online; cd ../../bus/pci/devices && "
    "mkdir 0000:01:00.0 0000:02:00.0 0000:03:00.0 && echo 1 >0000:01:00.0/numa_node && echo -1 | tee 0000:02:00.0/numa_node "
    ">0000:03:00.0/numa_node && "
    "echo 0 >0000:02:00.0/local_cpulist && echo 0-1 >0000:03:00.0/local_cpulist";

Test(places, devices_of_a_copied_machine_are_found_in_its_sys) {
    char root[] = "/tmp/weft-devices-XXXXXX", command[sizeof devices_script + sizeof root];
    const char *reason;
    cr_assert(mkdtemp(root));
    snprintf(command, sizeof command, devices_script, root);
    cr_assert_eq(system(command), 0);
    weft_pool *pool = make_pool(root);
    cr_assert_eq(weft_pool_nodes(pool), 2);
    cr_assert_str_eq(near_device(pool, "01:00.0", &reason), "1");
    cr_assert_str_eq(reason, "");
    cr_assert_str_eq(near_device(pool, "02:00.0", &reason), "0");
    cr_assert_str_eq(reason, "");
    cr_assert_str_eq(near_device(pool, "03:00.0", &reason), "01");
    cr_assert(strstr(reason, "does not say"));
    expect_status(pool, (weft_array_options){.place = WEFT_NEAR_DEVICE, .device = "04:00.0"}, WEFT_EINVAL, root);
    weft_pool_destroy(pool);
    snprintf(command, sizeof command, "rm -r %s", root);
    cr_assert_eq(system(command), 0);
}

Test(places, the_reason_of_a_device_survives_a_new_size) {
    weft_pool *pool = make_pool(DEVICES);
    weft_array *array = make(pool, 1000, 8, (weft_array_options){.place = WEFT_NEAR_DEVICE, .device = "00:1f.0"});
    cr_assert_eq(weft_array_resize(array, 90000), WEFT_OK, "%s", weft_error_detail());
    cr_assert_str_not_empty(array->reasons[WF_REASON_PLACE]);
    weft_array_destroy(array);
    weft_pool_destroy(pool);
}
