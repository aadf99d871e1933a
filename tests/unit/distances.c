/* machine/measured and machine/distances: files of measured latencies, what plans make of them, and what is refused. */
#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "describe.h"
#include "machine/measured.h"
#include "machine/plan_bounds.h"
#include "weft/pool.h"

#define FILE_NAMED(name) WEFT_TEST_TOPOLOGIES "/" name ".xml"
#define THREE "node:3 core:2 pu:1"
#define FIRST "weft distances 1\n"

TestSuite(distances, .init = forget_environment);

/* The path of a file in memory with this text; files stay until the test's process ends. */
static const char *file_of(const char *text, size_t length) {
    static char path[64];
    int file = memfd_create("distances", MFD_CLOEXEC);
    cr_assert(file >= 0 && write(file, text, length) == (ssize_t)length);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return path;
}

static const char *file(const char *text) {
    return file_of(text, strlen(text));
}

static uint64_t remote(const weft_plan *plan, unsigned worker, unsigned group) {
    return weft_plan_workers(plan, NULL)[worker].groups[group].distance;
}

Test(distances, measured_ones_replace_the_firmwares) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("matrix-asymmetric"),
                           .distances = file(FIRST "nodes 0 1 2\n0 80 120 300\n1 400 80 130\n2 150 290 80\n"));
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_MEASURED);
    cr_assert_str_eq(victims_of(plan, 0), "node 1, remote 2 3, remote 4 5"); /* by the firmware's the other way round */
    cr_assert_str_eq(victims_of(plan, 2), "node 3, remote 4 5, remote 0 1");
    cr_assert_str_eq(victims_of(plan, 4), "node 5, remote 0 1, remote 2 3");
    cr_assert_eq(remote(plan, 2, 1), 120); /* as 130, which exceeds it by less than a tenth */
    cr_assert_eq(remote(plan, 2, 2), 400);
    weft_plan_destroy(plan);
}

Test(distances, measured_ones_replace_the_trees_also_where_all_are_equal) {
    weft_plan *plan =
        PLAN(.topology = "package:2 node:2 core:1 pu:1",
             .distances = file(FIRST "nodes 0 1 2 3\n0 9 100 50 100\n1 100 9 100 50\n2 50 100 9 100\n3 100 50 100 9\n"));
    cr_assert_str_eq(victims_of(plan, 0), "remote 2, remote 1 3");
    weft_plan_destroy(plan);
    plan = PLAN(.topology = "package:2 node:2 core:1 pu:1",
                .distances = file(FIRST "nodes 0 1 2 3\n0 9 100 99 98\n1 97 9 96 95\n2 94 93 9 92\n3 92 92 92 9\n"));
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_MEASURED);
    cr_assert_str_eq(victims_of(plan, 0), "remote 1 2 3");
    cr_assert_eq(remote(plan, 0, 0), 92);
    weft_plan_destroy(plan);
}

Test(distances, rows_are_found_by_os_index_whatever_their_order_blanks_and_comments) {
    weft_plan *plan =
        PLAN(.topology = THREE,
             .distances = file(
                 "weft distances 1 \r\n# a comment\n\n nodes 2\t0 1 \r\n#\n2 80 150 300\n\t0 400 80 100\r\n1 1 1 1\n\n# end\n"));
    cr_assert_str_eq(victims_of(plan, 4), "node 5, remote 0 1, remote 2 3");
    cr_assert_str_eq(victims_of(plan, 0), "node 1, remote 2 3, remote 4 5");
    weft_plan_destroy(plan);
}

Test(distances, those_within_a_tenth_of_the_shortest_are_one_distance) {
    weft_plan *plan =
        PLAN(.topology = "node:4 core:1 pu:1",
             .distances = file(FIRST "nodes 0 1 2 3\n0 9 100 110 111\n1 121 9 122 123\n2 134 135 9 1000000000\n3 0 0 0 0\n"));
    cr_assert_str_eq(victims_of(plan, 0), "remote 1 2, remote 3");
    cr_assert_eq(remote(plan, 0, 0), 100);
    cr_assert_eq(remote(plan, 0, 1), 111);
    cr_assert_str_eq(victims_of(plan, 1), "remote 0 2, remote 3"); /* 111 begins a class up to 122; 123 is the next */
    cr_assert_eq(remote(plan, 1, 1), 123);
    cr_assert_str_eq(victims_of(plan, 2), "remote 0 1, remote 3");
    cr_assert_str_eq(victims_of(plan, 3), "remote 0, remote 1, remote 2"); /* measured the other way round only */
    weft_plan_destroy(plan);
}

Test(distances, a_pair_that_was_not_measured_is_farther_than_all_that_were) {
    weft_plan *plan = PLAN(.topology = THREE, .distances = file(FIRST "nodes 0 1 2\n0 80 0 200\n1 0 80 205\n2 0 0 0\n"));
    cr_assert_str_eq(victims_of(plan, 0), "node 1, remote 4 5, remote 2 3");
    cr_assert_str_eq(victims_of(plan, 4), "node 5, remote 0 1 2 3");
    cr_assert_eq(remote(plan, 0, 2), 206);
    weft_plan_destroy(plan);
}

/* The topology with asymmetric distances, its node 1 without memory. */
static const char *memoryless(void) {
    static char text[1 << 16];
    FILE *from = fopen(FILE_NAMED("matrix-asymmetric"), "re");
    cr_assert(from);
    text[fread(text, 1, sizeof text - 1, from)] = 0;
    fclose(from);
    char *node = strstr(text, "\"NUMANode\" os_index=\"1\""), *memory = node ? strstr(node, "local_memory=\"") : NULL;
    cr_assert(memory && memory < strchr(node, '>'));
    for (char *digit = memory + strlen("local_memory=\""); *digit != '"'; digit++)
        *digit = '0';
    return file(text);
}

Test(distances, memory_is_found_by_what_was_measured) {
    char topology[64];
    strcpy(topology, memoryless());
    weft_plan *plan = PLAN(.topology = topology);
    cr_assert_str_eq(memory_of(plan), "0>0 1>0 2>2");
    weft_plan_destroy(plan);
    plan = PLAN(.topology = topology, .distances = file(FIRST "nodes 0 1 2\n0 80 0 300\n1 150 0 90\n2 300 0 80\n"));
    cr_assert_str_eq(memory_of(plan), "0>0 1>2 2>2");
    cr_assert_str_eq(victims_of(plan, 0), "node 1, remote 2 3, remote 4 5"); /* how far 1 is from 0: only the other way round */
    weft_plan_destroy(plan);
    plan = PLAN(.topology = topology, .distances = file(FIRST "nodes 0 1 2\n0 80 0 300\n1 98 0 90\n2 300 0 80\n"));
    cr_assert_str_eq(memory_of(plan), "0>0 1>0 2>2"); /* a tenth decides nothing */
    weft_plan_destroy(plan);
}

Test(distances, memory_without_workers_is_near_by_what_was_measured) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("memory-kinds"),
                           .distances = file(FIRST "nodes 0 1 2 3\n0 80 170 90 100\n1 90 80 200 300\n2 0 0 0 0\n3 0 0 0 0\n"));
    cr_assert_str_eq(memory_only_of(plan), "2 HBM: 0 | 3 : 0"); /* the firmware says that 3 is near 1 */
    cr_assert_str_eq(memory_of(plan), "0>0 1>0");               /* node 3 shares PUs with 1, as hwloc has it */
    weft_plan_destroy(plan);
    plan = PLAN(.topology = FILE_NAMED("memory-kinds"),
                .distances = file(FIRST "nodes 0 1 2 3\n0 80 170 90 105\n1 90 80 200 100\n2 0 0 0 0\n3 0 0 0 0\n"));
    cr_assert_str_eq(memory_only_of(plan), "2 HBM: 0 | 3 : 0 1");
    weft_plan_destroy(plan);
}

Test(distances, where_memory_nodes_are_not_listed_the_firmware_still_tells_of_them) {
    weft_plan *plan = PLAN(.topology = FILE_NAMED("memory-kinds"), .distances = file(FIRST "nodes 1 0\n1 80 100\n0 300 80\n"));
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_MEASURED);
    cr_assert_eq(remote(plan, 0, 1), 300);
    cr_assert_str_eq(memory_of(plan), "0>0 1>3");
    cr_assert_str_eq(memory_only_of(plan), "2 HBM: 0 | 3 : 1");
    weft_plan_destroy(plan);
}

Test(distances, the_option_goes_before_the_environment) {
    setenv("WEFT_DISTANCES", file(FIRST "nodes 0 1 2\n0 80 300 200\n1 300 80 200\n2 200 200 80\n"), 1);
    weft_plan *plan = PLAN(.topology = THREE);
    cr_assert_str_eq(victims_of(plan, 0), "node 1, remote 4 5, remote 2 3");
    weft_plan_destroy(plan);
    plan = PLAN(.topology = THREE, .distances = file(FIRST "nodes 0 1 2\n0 80 200 300\n1 200 80 300\n2 300 300 80\n"));
    cr_assert_str_eq(victims_of(plan, 0), "node 1, remote 2 3, remote 4 5");
    weft_plan_destroy(plan);
    setenv("WEFT_DISTANCES", "", 1);
    plan = PLAN(.topology = THREE);
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_TREE);
    weft_plan_destroy(plan);
}

Test(distances, an_older_program_without_the_option_gets_its_plan) {
    weft_plan_options older = {.size = offsetof(weft_plan_options, distances), .topology = THREE, .distances = "/no/such/file"};
    weft_plan *plan = plan_from(older);
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_TREE);
    weft_plan_destroy(plan);
}

/* Creation fails, the text names line and fault, and the output is left alone. */
static void refuse(weft_plan_options options, const char *words) {
    weft_plan *untouched = (weft_plan *)&options, *plan = untouched;
    cr_assert_eq(weft_plan_create(&plan, &options), WEFT_EINVAL, "for \"%s\"", words);
    cr_assert(strstr(weft_error_detail(), words), "\"%s\" lacks \"%s\"", weft_error_detail(), words);
    cr_assert_eq(plan, untouched);
}

#define REFUSE(text, words) refuse((weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = THREE, .distances = file(text)}, words)

Test(distances, what_is_no_such_file_is_refused_with_the_line_and_what_would_be_right) {
    static const char *const wrong[][2] = {
        {"", "line 1: it is not \"weft distances 1\""},
        {"<?xml version=\"1.0\"?>", "line 1: it is not \"weft distances 1\""},
        {"weft distancesX 1\n", "line 1: it is not \"weft distances 1\""},
        {"# comment first\n" FIRST, "line 1: it is not"},
        {"weft distances 1", "line 1: it does not end with a newline"},
        {"weft distances 2\nanything\n", "line 1: the file is of version 2, this weft reads 1"},
        {"weft distances one\n", "line 1: it has to be \"weft distances 1\""},
        {"weft distances 1 2\n", "line 1: it has to be \"weft distances 1\""},
        {"weft distances\n", "line 1: it has to be \"weft distances 1\""},
        {FIRST, "line 1: the file ends before its line \"nodes 0 1 ...\""},
        {FIRST "# nodes 0 1\n", "line 2: the file ends before"},
        {FIRST "node 0 1\n", "line 2: \"node\" stands where \"nodes 0 1 ...\" has to list"},
        {FIRST "nodes\n", "line 2: it lists no node"},
        {FIRST "nodes 0 -1\n", "line 2: \"-1\" is no node: it is a whole number from 0 to 65535"},
        {FIRST "nodes 0 65536\n", "line 2: \"65536\" is no node"},
        {FIRST "nodes 0 18446744073709551616\n", "line 2: \"18446744073709551616\" is no node"},
        {FIRST "nodes 0 1,2\n", "line 2: \"1,2\" is no node"},
        {FIRST "\nnodes 0 1 0\n", "line 3: node 0 is listed twice"},
        {FIRST "nodes 0 1 2\n", "line 2: the file ends after 0 of 3 rows: that of node 0 is missing"},
        {FIRST "nodes 0 1 2\n0 80 100 100\n1 100 80 100\n", "line 4: the file ends after 2 of 3 rows: that of node 2 is missing"},
        {FIRST "nodes 0 1 2\n0 80 100 100\n1 100 80 100\n2 100 100 8",
         "line 5: it does not end with a newline: the file was cut off"},
        {FIRST "nodes 0 1 2\n1 80 100 100\n",
         "line 3: the row begins with \"1\": it has to be that of node 0, as listed in line 2"},
        {FIRST "nodes 0 1 2\n0 80 100\n", "line 3: the row has 2 latencies: it needs 3"},
        {FIRST "nodes 0 1 2\n0 80 100 100 \x1b[31mred\n", "line 3: the row goes on with \"?[31mred\": it needs 3"},
        {FIRST "nodes 0 1 2\n0 80 -100 100\n", "line 3: \"-100\" is no latency: it is a whole number of ns from 1 to 1000000000"},
        {FIRST "nodes 0 1 2\n0 80 1e2 100\n", "line 3: \"1e2\" is no latency"},
        {FIRST "nodes 0 1 2\n0 80 99.5 100\n", "line 3: \"99.5\" is no latency"},
        {FIRST "nodes 0 1 2\n0 80 1000000001 100\n", "line 3: \"1000000001\" is no latency"},
        {FIRST "nodes 0 1 2\n0 80 nan 100\n", "line 3: \"nan\" is no latency"},
        {FIRST "nodes 0 1\n0 80 100\n1 100 80\n# more\n2 0 0\n", "line 6: \"2\" stands behind the last row"},
        {FIRST "nodes 0 1\n0 80 0\n1 0 80\n", "line 4: no latency between two nodes was measured"},
        {FIRST "nodes 0 1 7\n0 80 9 9\n1 9 80 9\n7 9 9 80\n", "line 2: the machine has no node 7, only 0-2"},
        {FIRST "nodes 0 1\n0 80 100\n1 100 80\n", "line 2: node 2 is not listed, and the plan has workers there"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        REFUSE(wrong[i][0], wrong[i][1]);
    static const char zero[] = FIRST "nodes 0 1\n0 80 1\0000\n1 100 80\n";
    refuse((weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = THREE, .distances = file_of(zero, sizeof zero - 1)},
           "line 3: \"1?0\" is no latency");
}

Test(distances, what_cannot_be_read_is_refused) {
    weft_plan_options options = {WEFT_PLAN_OPTIONS_INIT, .topology = THREE, .distances = "/no/such/file"};
    refuse(options, "file of distances \"/no/such/file\": No such file or directory");
    options.distances = "";
    refuse(options, "file of distances \"\": No such file or directory");
    options.distances = "/dev";
    refuse(options, "\"/dev\" is not a regular file");
    options.distances = "/dev/zero";
    refuse(options, "\"/dev/zero\" is not a regular file");
    char name[64];
    int large = memfd_create("large", MFD_CLOEXEC);
    cr_assert(large >= 0 && !ftruncate(large, (off_t)1 << 40));
    snprintf(name, sizeof name, "/proc/self/fd/%d", large);
    options.distances = name;
    refuse(options, "has 1099511627776 bytes: at most 16777216");
}

Test(distances, more_nodes_than_there_can_be_are_refused) {
    char text[8192] = FIRST "nodes";
    size_t length = strlen(text);
    for (unsigned i = 0; i <= WF_MEASURED_NODES_MOST; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, " %u", i);
    snprintf(text + length, sizeof text - length, "\n");
    REFUSE(text, "line 2: it lists more than 1024 nodes");
}

Test(distances, only_the_nodes_of_the_plan_have_to_be_listed) {
    weft_plan *plan = PLAN(.topology = THREE, .nodes = "0-1", .distances = file(FIRST "nodes 1 0\n1 80 100\n0 200 80\n"));
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_MEASURED);
    cr_assert_eq(remote(plan, 0, 1), 200);
    weft_plan_destroy(plan);
    plan = PLAN(.topology = THREE, .nodes = "2", .distances = file(FIRST "nodes 1 0\n1 80 100\n0 200 80\n"));
    cr_assert_eq(weft_plan_distance_source(plan), WEFT_DISTANCE_NONE);
    weft_plan_destroy(plan);
}

Test(distances, a_plan_that_is_made_again_reads_no_file) {
    char path[] = "/tmp/weft-distances-XXXXXX";
    int named = mkstemp(path);
    static const char text[] = FIRST "nodes 0 1 2\n0 80 300 200\n1 300 80 200\n2 200 200 80\n";
    cr_assert(named >= 0 && write(named, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
    close(named);
    weft_plan *plan = PLAN(.topology = THREE, .distances = path), *second = NULL, *third = NULL;
    unlink(path);
    cr_assert_eq(wf_plan_create_bounded(&second, wf_plan_options(plan), &(struct wf_plan_bounds){.again = plan}), WEFT_OK, "%s",
                 weft_error_detail());
    weft_plan_destroy(plan);
    cr_assert_eq(wf_plan_create_bounded(&third, wf_plan_options(second), &(struct wf_plan_bounds){.again = second}), WEFT_OK);
    weft_plan_destroy(second);
    cr_assert_eq(weft_plan_distance_source(third), WEFT_DISTANCE_MEASURED);
    cr_assert_str_eq(victims_of(third, 0), "node 1, remote 4 5, remote 2 3");
    weft_plan_destroy(third);
}

Test(distances, pools_take_them_from_the_environment_each_time) {
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, NULL), WEFT_OK, "%s", weft_error_detail()); /* and its plan is kept for the next */
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
    setenv("WEFT_DISTANCES", "/no/such/file", 1);
    pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, NULL), WEFT_EINVAL);
    cr_assert_null(pool);
    setenv("WEFT_DISTANCES", file(FIRST "nodes 0 1 2\n0 80 300 200\n1 300 80 200\n2 200 200 80\n"), 1);
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = THREE, .grow = true};
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK, "%s", weft_error_detail());
    cr_assert_eq(weft_plan_distance_source(weft_pool_plan(pool)), WEFT_DISTANCE_MEASURED);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

static struct wf_measured *sample(uint64_t last) {
    struct wf_measured *made = wf_measured_new(2);
    static const uint64_t latencies[] = {80, 0, 1000000000};
    cr_assert(made);
    made->nodes[0] = 3;
    made->nodes[1] = 1;
    memcpy(made->latencies, latencies, sizeof latencies);
    made->latencies[3] = last;
    return made;
}

static unsigned files_in(const char *directory) {
    DIR *list = opendir(directory);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(list));)
        count += entry->d_name[0] != '.';
    closedir(list);
    return count;
}

Test(distances, what_is_saved_is_read_as_it_was_and_replaces_what_was_there) {
    char directory[] = "/tmp/weft-distances-XXXXXX", path[64];
    struct stat info;
    cr_assert(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/saved", directory);
    umask(027);
    for (uint64_t last = 7; last < 9; last++) {
        struct wf_measured *saved = sample(last), *read = NULL;
        cr_assert_eq(wf_measured_save(saved, path), WEFT_OK, "%s", weft_error_detail());
        cr_assert_eq(wf_measured_load(&read, path), WEFT_OK, "%s", weft_error_detail());
        cr_assert(read->count == 2 && !memcmp(read->nodes, saved->nodes, 2 * sizeof *read->nodes));
        cr_assert(!memcmp(read->latencies, saved->latencies, 4 * sizeof *read->latencies));
        wf_measured_release(saved);
        wf_measured_release(read);
    }
    cr_assert_eq(files_in(directory), 1);
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0640);
    unlink(path);
    rmdir(directory);
}

Test(distances, what_cannot_be_saved_leaves_everything_as_it_was) {
    struct wf_measured *measured = sample(1);
    char directory[] = "/tmp/weft-distances-XXXXXX", inside[64];
    cr_assert(mkdtemp(directory));
    cr_assert_eq(wf_measured_save(measured, directory), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "is not a regular file"), "%s", weft_error_detail());
    cr_assert_eq(wf_measured_save(measured, "/dev/null"), WEFT_EINVAL);
    cr_assert_eq(wf_measured_save(measured, ""), WEFT_EIO);
    snprintf(inside, sizeof inside, "%s/no/file", directory);
    cr_assert_eq(wf_measured_save(measured, inside), WEFT_EIO);
    cr_assert(strstr(weft_error_detail(), "No such file or directory"), "%s", weft_error_detail());
    cr_assert_eq(wf_measured_save(measured, "/proc/distances"), WEFT_EIO);
    cr_assert_eq(files_in(directory), 0);
    rmdir(directory);
    wf_measured_release(measured);
}
