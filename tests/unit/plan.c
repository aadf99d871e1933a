/*
 * machine/: which worker sits where and whom it robs, for every oddity that runtime/machine/plan.md names. Expectations
 * are worked out by hand from that page. Topologies are synthetic, or small files in tests/topologies.
 */
#include "describe.h"

#define FILE_NAMED(name) WEFT_TEST_TOPOLOGIES "/" name ".xml"

TestSuite(plan, .init = forget_environment);

Test(plan, one_worker_per_core_on_its_first_pu) {
    weft_plan *plan = PLAN(.topology = "package:2 [numa] l3:1 core:2 pu:2");
    cr_assert_str_eq(nodes_of(plan), "0: 0 2 | 1: 4 6");
    cr_assert_str_eq(victims_of(plan, 0), "cache 1, remote 2 3");
    cr_assert_str_eq(victims_of(plan, 3), "cache 2, remote 0 1");
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_TREE);
    cr_assert_eq(weft_plan_workers(plan, NULL)[0].groups[1].distance, 8);
    cr_assert_eq(weft_plan_get_limits(plan)->allowed_pus, 8);
    cr_assert_eq(weft_plan_get_limits(plan)->allowed_cores, 4);
    cr_assert_not(weft_plan_get_limits(plan)->this_system);
    weft_plan_destroy(plan);
}

Test(plan, smt_gives_every_pu_a_worker) {
    weft_plan *plan = PLAN(.topology = "package:2 [numa] l3:1 core:2 pu:2", .smt = true);
    cr_assert_str_eq(nodes_of(plan), "0: 0 1 2 3 | 1: 4 5 6 7");
    cr_assert_str_eq(victims_of(plan, 1), "cache 0 2 3, remote 4 5 6 7");
    cr_assert_eq(weft_plan_workers(plan, NULL)[1].core, 0);
    weft_plan_destroy(plan);
}

Test(plan, caches_split_a_node_and_workers_outside_come_second) {
    weft_plan *plan = PLAN(.topology = "node:1 l3:2 core:2 pu:1");
    cr_assert_str_eq(victims_of(plan, 0), "cache 1, node 2 3");
    cr_assert_str_eq(victims_of(plan, 2), "cache 3, node 0 1");
    const weft_plan_worker *workers = weft_plan_workers(plan, NULL);
    cr_assert_eq(workers[0].cache, workers[1].cache);
    cr_assert_neq(workers[1].cache, workers[2].cache);
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_NONE);
    weft_plan_destroy(plan);
}

Test(plan, the_outermost_cache_counts_and_instruction_caches_do_not) {
    weft_plan *plan = PLAN(.topology = "node:1 l2:2 l1d:2 l1i:1 core:1 pu:1");
    cr_assert_str_eq(victims_of(plan, 0), "cache 1, node 2 3");
    weft_plan_destroy(plan);
}

Test(plan, a_cache_that_spans_nodes_is_cut_at_the_node) {
    weft_plan *plan = PLAN(.topology = "l3:1 node:2 core:2 pu:1");
    cr_assert_str_eq(nodes_of(plan), "0: 0 1 | 1: 2 3");
    cr_assert_str_eq(victims_of(plan, 0), "cache 1, remote 2 3");
    cr_assert_eq(weft_plan_workers(plan, NULL)[0].cache, weft_plan_workers(plan, NULL)[3].cache);
    weft_plan_destroy(plan);
}

Test(plan, without_caches_a_node_is_one_group) {
    weft_plan *plan = PLAN(.topology = "node:2 core:3 pu:1");
    cr_assert_str_eq(victims_of(plan, 1), "node 0 2, remote 3 4 5");
    cr_assert_eq(weft_plan_workers(plan, NULL)[1].cache, -1);
    weft_plan_destroy(plan);
}

Test(plan, without_core_objects_each_pu_is_a_core) {
    weft_plan *plan = PLAN(.topology = "node:2 pu:2");
    cr_assert_str_eq(nodes_of(plan), "0: 0 1 | 1: 2 3");
    cr_assert_eq(weft_plan_workers(plan, NULL)[0].core, -1);
    cr_assert_eq(weft_plan_get_limits(plan)->allowed_cores, 4);
    weft_plan_destroy(plan);
}

Test(plan, a_single_worker_has_no_victims) {
    weft_plan *plan = PLAN(.topology = "node:1 pu:1");
    cr_assert_str_eq(nodes_of(plan), "0: 0");
    cr_assert_str_eq(victims_of(plan, 0), "");
    weft_plan_destroy(plan);
}

Test(plan, os_indexes_need_not_follow_the_order_of_the_tree) {
    /* hwloc's depth-first order puts the object with the lowest PU first: core {0, 4} before {2, 6} */
    weft_plan *plan = PLAN(.topology = "node:2(indexes=7,3) core:2 pu:2(indexes=6,2,4,0,7,3,5,1)");
    cr_assert_str_eq(nodes_of(plan), "3: 1 3 | 7: 0 2");
    weft_plan_destroy(plan);
}

Test(plan, a_pu_with_two_nodes_lives_on_the_lower_one) {
    weft_plan *plan = PLAN(.topology = "package:1 [numa(memory=1GB)] [numa(memory=8GB)] core:2 pu:1");
    cr_assert_str_eq(nodes_of(plan), "0: 0 1");
    cr_assert_str_eq(memory_only_of(plan), "1 : 0");
    weft_plan_destroy(plan);
}

Test(plan, a_pu_with_nested_nodes_lives_on_the_more_local_one) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("nested-nodes"));
    cr_assert_str_eq(nodes_of(plan), "1: 0 1 | 2: 2 3");
    cr_assert_str_eq(memory_only_of(plan), "0 : 1 2");
    weft_plan_destroy(plan);
}

Test(plan, unknown_memory_sizes_do_not_make_nodes_unusable) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("unknown-sizes"));
    cr_assert_str_eq(memory_of(plan), "0>0 1>1");
    cr_assert_eq(weft_plan_nodes(plan, NULL)[0].local_memory, 0);
    weft_plan_destroy(plan);
}

Test(plan, offline_and_disallowed_pus_do_not_exist) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("offline-disallowed"));
    cr_assert_str_eq(nodes_of(plan), "0: 1 2 | 1: 4 6");
    cr_assert_eq(weft_plan_get_limits(plan)->allowed_pus, 6);
    cr_assert_eq(weft_plan_get_limits(plan)->allowed_cores, 4);
    weft_plan_destroy(plan);
    plan = PLAN(.topology = FILE_NAMED("offline-disallowed"), .smt = true);
    cr_assert_str_eq(nodes_of(plan), "0: 1 2 3 | 1: 4 5 6");
    weft_plan_destroy(plan);
}

Test(plan, memory_comes_from_ordinary_nodes_and_by_direction) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("memory-kinds"));
    cr_assert_str_eq(nodes_of(plan), "0: 0 1 | 1: 2 3");
    cr_assert_str_eq(memory_of(plan), "0>0 1>3"); /* from 1: node 3 is 20, node 0 is 30, HBM is special */
    cr_assert_str_eq(memory_only_of(plan), "2 HBM: 0 | 3 : 1");
    cr_assert_eq(weft_plan_nodes(plan, NULL)[1].local_memory, 0);
    cr_assert_eq(weft_plan_memory_nodes(plan, NULL)[0].local_memory, 8ull << 30);
    cr_assert_eq(weft_plan_workers(plan, NULL)[0].groups[1].distance, 17);
    cr_assert_eq(weft_plan_workers(plan, NULL)[2].groups[1].distance, 30);
    weft_plan_destroy(plan);
}

/* "2 fast | 3 slow": the memory-only nodes. */
static const char *tiers_of(const weft_plan *plan) {
    static char text[256];
    unsigned count;
    const weft_plan_memory_node *nodes = weft_plan_memory_nodes(plan, &count);
    char *at = text;
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at, "%s%d %s", i ? " | " : "", nodes[i].os_index, weft_tier_name(nodes[i].tier));
    return text;
}

Test(plan, tiers_come_from_the_kind_of_memory_then_its_speed_then_its_place) {
    static const struct {
        weft_plan_options options;
        const char *tiers;
    } cases[] = {{{.topology = FILE_NAMED("memory-kinds")}, "2 fast | 3 slow"},
                 {{.topology = FILE_NAMED("devices")}, "2 fast | 3 slow | 4 slow | 5 slow"},
                 {{.topology = FILE_NAMED("devices"), .nodes = "0"}, "1 normal | 2 fast | 3 slow | 4 slow | 5 slow"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_plan *plan;
        weft_plan_options options = cases[i].options;
        options.size = sizeof options;
        cr_assert_eq(weft_plan_create(&plan, &options), WEFT_OK, "%s", weft_error_detail());
        cr_assert_str_eq(tiers_of(plan), cases[i].tiers, "case %zu: %s", i, tiers_of(plan));
        weft_plan_destroy(plan);
    }
    cr_assert_str_eq(weft_tier_name((weft_tier)3), "?");
}

Test(plan, workers_of_a_node_whose_memory_is_disallowed_allocate_elsewhere) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("node-disallowed"));
    cr_assert_str_eq(nodes_of(plan), "0: 0 1 | 1: 2 3");
    cr_assert_str_eq(memory_of(plan), "0>1 1>1");
    cr_assert_eq(weft_plan_nodes(plan, NULL)[0].local_memory, 0);
    weft_plan_destroy(plan);
}

Test(plan, dropped_nodes_keep_their_name_and_unnamed_ones_get_one_per_package) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("nodes-missing"));
    cr_assert_str_eq(nodes_of(plan), "0: 0 1 | 5: 2 3 | -1: 4 5 | -2: 6");
    cr_assert_str_eq(memory_of(plan), "0>0 5>0 -1>0 -2>0");
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_TREE);
    weft_plan_destroy(plan);
}

Test(plan, a_matrix_of_one_value_gives_way_to_the_tree) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("matrix-uninformative"));
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_TREE);
    cr_assert_str_eq(victims_of(plan, 0), "node 1, remote 2 3, remote 4 5");
    cr_assert_str_eq(victims_of(plan, 4), "node 5, remote 0 1 2 3");
    cr_assert_eq(weft_plan_workers(plan, NULL)[0].groups[1].distance, 4);
    weft_plan_destroy(plan);
}

Test(plan, a_matrix_that_misses_a_node_gives_way_to_the_tree) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("matrix-partial"));
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_TREE);
    cr_assert_str_eq(victims_of(plan, 2), "node 3, remote 0 1, remote 4 5");
    weft_plan_destroy(plan);
}

Test(plan, a_matrix_is_read_by_row_and_by_os_index) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("matrix-asymmetric"));
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_MATRIX);
    cr_assert_str_eq(victims_of(plan, 0), "node 1, remote 4 5, remote 2 3"); /* 0 to 2: 12, 0 to 1: 30 */
    cr_assert_str_eq(victims_of(plan, 2), "node 3, remote 0 1, remote 4 5"); /* 1 to 0: 13, 1 to 2: 40 */
    cr_assert_eq(weft_plan_workers(plan, NULL)[4].groups[1].distance, 11);
    weft_plan_destroy(plan);
}

Test(plan, cores_of_all_kinds_are_used) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("hybrid"));
    const weft_plan_worker *workers = weft_plan_workers(plan, NULL);
    cr_assert_str_eq(nodes_of(plan), "0: 0 2 4 5");
    cr_assert_neq(workers[0].cpukind, workers[2].cpukind);
    cr_assert_eq(workers[2].cpukind, workers[3].cpukind);
    weft_plan_destroy(plan);
}

Test(plan, a_large_machine_names_every_other_worker_once) {
    weft_plan *plan = PLAN(.topology = "package:4 node:4 l3:8 core:8 pu:2");
    unsigned count;
    const weft_plan_worker *workers = weft_plan_workers(plan, &count);
    cr_assert_eq(count, 1024);
    for (unsigned i = 0; i < count; i += 101) {
        unsigned char seen[1024] = {0};
        seen[i] = 1;
        for (unsigned g = 0; g < workers[i].group_count; g++)
            for (unsigned j = 0; j < workers[i].groups[g].worker_count; j++)
                seen[workers[i].groups[g].workers[j]]++;
        for (unsigned j = 0; j < count; j++)
            cr_assert_eq(seen[j], 1);
    }
    weft_plan_destroy(plan);
}
