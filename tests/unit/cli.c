/* cli/: exit codes and outputs of the weft command, whose path is WEFT_TEST_COMMAND. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "describe.h"

TestSuite(cli, .init = forget_environment);

Test(cli, wrong_usage_exits_with_64) {
    static const char *const wrong[] = {"",           "plam",         "plan --worker=x", "plan --workers=-1", "plan --workers=0",
                                        "plan stray", "plan --frobs", "plan --svg",      "plan --reserve=1x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(weft(wrong[i]), 64, "weft %s", wrong[i]);
        cr_assert_gt(strlen(output), 0);
    }
}

Test(cli, membench_fills_every_cell) {
    cr_assert_eq(weft("membench --size=1 --repeats=2 --json"), 0, "%s", output);
    json_t *root = json_loads(output, 0, NULL);
    cr_assert(root, "%s", output);
    size_t nodes = json_array_size(json_object_get(root, "cpu_nodes")), memory = json_array_size(json_object_get(root, "memory"));
    json_t *cells = json_object_get(root, "cells");
    cr_assert(nodes && json_array_size(cells) == nodes * memory);
    for (size_t i = 0; i < nodes * memory; i++) {
        const json_t *cell = json_array_get(cells, i), *rate;
        const char *name;
        cr_expect_gt(json_number_value(json_object_get(cell, "latency_ns")), 0);
        json_t *rates = json_object_get(cell, "all_workers_gb_per_s");
        cr_expect_eq(json_object_size(rates), 4);
        json_object_foreach(rates, name, rate) cr_expect_gt(json_number_value(rate), 0, "%s", name);
    }
    json_decref(root);
    cr_assert_eq(weft("membench --size=1 --repeats=1"), 0, "%s", output);
    cr_assert(strstr(output, "Latency of a load") && strstr(output, "triad, all workers"), "%s", output);
    cr_assert_eq(weft("membench --size=1 --repeats=1 --svg=-"), 0);
    cr_assert(strstr(output, "</svg>"));
}

Test(cli, membench_that_cannot_be_run_says_why) {
    static const char *const wrong[] = {"membench --size=0", "membench --size=1x", "membench --repeats=0",
                                        "membench --repeats=1001", "membench stray"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_eq(weft(wrong[i]), 64, "weft %s", wrong[i]);
    cr_assert_eq(weft("membench --size=100000000"), 1);
    cr_assert(strstr(output, "an eighth of the free memory"), "%s", output);
    cr_assert_eq(weft("membench --size=1 --nodes=77"), 1);
    cr_assert_eq(weft("membench --size=1 --repeats=1 --svg=/no/such/directory/m.svg"), 1);
    cr_assert(strstr(output, "No such file or directory"), "%s", output);
    setenv("WEFT_TOPOLOGY", "node:2 core:2 pu:1", 1);
    cr_assert_eq(weft("membench --size=1"), 1);
    cr_assert(strstr(output, "only this one can be measured"), "%s", output);
    unsetenv("WEFT_TOPOLOGY");
}

Test(cli, membench_saves_distances_that_plans_read) {
    char directory[] = "/tmp/weft-membench-XXXXXX", path[64], command[160];
    cr_assert(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/d", directory);
    setenv("WEFT_DISTANCES", path, 1);
    cr_assert_eq(weft("plan"), 1); /* there is no such file */
    cr_assert(strstr(output, "No such file or directory"), "%s", output);
    snprintf(command, sizeof command, "membench --size=1 --repeats=1 --save=%s", path);
    cr_assert_eq(weft(command), 0, "%s", output);
    cr_assert(strstr(output, "Latency of a load"), "%s", output);
    cr_assert_eq(weft("plan"), 0, "%s", output);
    snprintf(command, sizeof command, "membench --size=1 --repeats=1 --save=%s/no/d", directory);
    cr_assert_eq(weft(command), 1);
    cr_assert(strstr(output, "Latency of a load") && strstr(output, "cannot be written into") && strstr(output, "No such file"),
              "%s", output);
    unlink(path);
    cr_assert_eq(rmdir(directory), 0);
}

Test(cli, a_plan_says_that_its_distances_were_measured) {
    static const char text[] = "weft distances 1\nnodes 0 1 2\n0 80 300 200\n1 300 80 200\n2 200 200 80\n";
    char path[] = "/tmp/weft-distances-XXXXXX", command[160];
    int file = mkstemp(path);
    cr_assert(file >= 0 && write(file, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
    close(file);
    snprintf(command, sizeof command, "plan --topology 'node:3 core:1 pu:1' --distances %s", path);
    cr_assert_eq(weft(command), 0, "%s", output);
    cr_assert(strstr(output, "distances  measured latencies in ns"), "%s", output);
    cr_assert(strstr(output, "worker 0    distance 200: 2; distance 300: 1"), "%s", output);
    strcat(command, " --json");
    cr_assert_eq(weft(command), 0, "%s", output);
    cr_assert(strstr(output, "\"distance_source\": \"measured\""), "%s", output);
    strcpy(strstr(command, "--json"), "--svg -");
    cr_assert_eq(weft(command), 0, "%s", output);
    cr_assert(strstr(output, "(measured, in ns)"), "%s", output);
    cr_assert_eq(unlink(path), 0);
}

Test(cli, help_exits_with_0) {
    cr_assert_eq(weft("--help"), 0);
    cr_assert(strstr(output, "plan"));
    cr_assert_eq(weft("plan --help"), 0);
    cr_assert(strstr(output, "--topology"));
}

Test(cli, a_plan_that_cannot_be_made_exits_with_1_and_says_why) {
    cr_assert_eq(weft("plan --topology /no/such.xml"), 1);
    cr_assert(strstr(output, "weft plan: topology file \"/no/such.xml\": No such file or directory"));
    cr_assert_eq(weft("plan --topology 'node:1 core:2 pu:1' --workers 3"), 1);
    cr_assert(strstr(output, "worker count 3 exceeds the 2 cores"));
    cr_assert_eq(weft("plan --topology 'node:1 core:2 pu:1' --svg /no/such/directory/plan.svg"), 1);
    cr_assert(strstr(output, "No such file or directory"));
    cr_assert_eq(weft("plan >/dev/full"), 1);
}

Test(cli, the_text_names_workers_and_lists) {
    cr_assert_eq(weft("plan --topology 'package:2 [numa] l3:1 core:4 pu:2' --smt"), 0);
    cr_assert(strstr(output, "16 workers on 2 nodes"));
    cr_assert(strstr(output, "same cache: 1-7; distance 16: 8-15"), "%s", output);
    cr_assert_eq(weft("plan"), 0);
}

Test(cli, json_has_the_fields_of_the_recorded_plans) {
    cr_assert_eq(weft("plan --json --topology 'package:2 [numa] l3:1 core:2 pu:2' --nodes 1"), 0);
    json_error_t error;
    json_t *root = json_loads(output, 0, &error);
    cr_assert(root, "%s", error.text);
    int pu, node, core, kind, os_index, memory_node;
    const char *source;
    json_t *groups, *kinds;
    cr_assert_eq(json_unpack_ex(root, &error, 0, "{s:s, s:[{s:i, s:i, s:i, s:i, s:o, s:o}, *], s:[{s:i, s:i}]}",
                                "distance_source", &source, "workers", "pu", &pu, "node", &node, "core", &core, "cpukind", &kind,
                                "victim_groups", &groups, "victim_kinds", &kinds, "nodes", "os_index", &os_index, "memory_node",
                                &memory_node),
                 0, "%s", error.text);
    cr_assert_str_eq(source, "none");
    cr_assert_eq(pu, 4);
    cr_assert_eq(node, 1);
    cr_assert_eq(core, 2);
    cr_assert_eq(os_index, 1);
    cr_assert_eq(memory_node, 1);
    cr_assert_eq(json_integer_value(json_array_get(json_array_get(groups, 0), 0)), 1);
    cr_assert_str_eq(json_string_value(json_array_get(kinds, 0)), "llc");
    cr_assert_eq(json_array_size(json_object_get(root, "memory_only_nodes")), 1);
    json_decref(root);
}

Test(cli, the_picture_is_svg) {
    cr_assert_eq(weft("plan --svg - --topology 'node:3 l3:2 core:2 pu:2'"), 0);
    cr_assert(strstr(output, "<svg xmlns=\"http://www.w3.org/2000/svg\""));
    cr_assert(strstr(output, "12 workers on 3 nodes"));
    cr_assert(strstr(output, "</svg>"));
}
