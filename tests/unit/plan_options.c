/* machine/: what options and environment make of a plan, what is refused and in which words, and binding by a plan. */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "describe.h"
#include "machine/binding.h"
#include "machine/plan.h"

#define FILE_NAMED(name) WEFT_TEST_TOPOLOGIES "/" name ".xml"
#define TWO_BY_FOUR "package:2 [numa] l3:1 core:4 pu:2"

TestSuite(plan_options, .init = forget_environment);
TestSuite(binding, .init = forget_environment);

/* Creation fails with this status, its text holds these words, and the output is left alone. */
static void refuse(weft_plan_options options, weft_status status, const char *words) {
    weft_plan *untouched = (weft_plan *)&options, *plan = untouched;
    cr_assert_eq(weft_plan_create(&plan, &options), status, "for \"%s\": %s", words, weft_error_detail());
    cr_assert(strstr(weft_error_detail(), words), "\"%s\" lacks \"%s\"", weft_error_detail(), words);
    cr_assert_eq(plan, untouched);
}

#define REFUSE(status, words, ...) refuse((weft_plan_options){WEFT_PLAN_OPTIONS_INIT, __VA_ARGS__}, status, words)

Test(plan_options, fewer_workers_sit_at_the_front_and_empty_nodes_vanish) {
    weft_plan *plan = PLAN(.topology = TWO_BY_FOUR, .workers = 3);
    cr_assert_str_eq(nodes_of(plan), "0: 0 2 4");
    cr_assert_str_eq(memory_only_of(plan), "1 : 0");
    cr_assert_str_eq(victims_of(plan, 0), "cache 1 2");
    weft_plan_destroy(plan);
}

Test(plan_options, listed_nodes_keep_their_workers) {
    weft_plan *plan = PLAN(.topology = "node:4 core:2 pu:1", .nodes = "1,3-3");
    cr_assert_str_eq(nodes_of(plan), "1: 2 3 | 3: 6 7");
    cr_assert_str_eq(memory_only_of(plan), "0 : 1 3 | 2 : 1 3");
    weft_plan_destroy(plan);
}

Test(plan_options, reserved_cores_leave_from_the_fullest_node) {
    weft_plan *plan = PLAN(.topology = TWO_BY_FOUR, .reserved_cores = 1);
    cr_assert_str_eq(nodes_of(plan), "0: 0 2 4 6 | 1: 8 10 12");
    weft_plan_destroy(plan);
    plan = PLAN(.topology = TWO_BY_FOUR, .reserved_cores = 3, .smt = true);
    cr_assert_str_eq(nodes_of(plan), "0: 0 1 2 3 4 5 | 1: 8 9 10 11");
    weft_plan_destroy(plan);
}

Test(plan_options, the_environment_fills_in_what_is_zero) {
    setenv("WEFT_TOPOLOGY", TWO_BY_FOUR, 1);
    setenv("WEFT_WORKERS", "2", 1);
    setenv("WEFT_SMT", "on", 1);
    weft_plan *plan = NULL;
    cr_assert_eq(weft_plan_create(&plan, NULL), WEFT_OK);
    cr_assert_str_eq(nodes_of(plan), "0: 0 1");
    cr_assert(strstr(weft_plan_get_limits(plan)->reason, "WEFT_WORKERS"));
    weft_plan_destroy(plan);
    plan = PLAN(.topology = "node:1 core:4 pu:1", .workers = 3);
    cr_assert_str_eq(nodes_of(plan), "0: 0 1 2");
    weft_plan_destroy(plan);
}

Test(plan_options, nonsense_in_the_environment_is_refused_by_name) {
    setenv("WEFT_WORKERS", "many", 1);
    REFUSE(WEFT_EINVAL, "WEFT_WORKERS", .topology = TWO_BY_FOUR);
    setenv("WEFT_WORKERS", "0", 1);
    REFUSE(WEFT_EINVAL, "WEFT_WORKERS", .topology = TWO_BY_FOUR);
    setenv("WEFT_WORKERS", "9", 1);
    REFUSE(WEFT_EINVAL, "WEFT_WORKERS 9 exceeds the 8 cores", .topology = TWO_BY_FOUR);
    unsetenv("WEFT_WORKERS");
    setenv("WEFT_SMT", "maybe", 1);
    REFUSE(WEFT_EINVAL, "WEFT_SMT", .topology = TWO_BY_FOUR);
    unsetenv("WEFT_SMT");
    setenv("WEFT_TOPOLOGY", "/no/such/file", 1);
    REFUSE(WEFT_ETOPOLOGY, "/no/such/file", .workers = 1);
}

Test(plan_options, absurd_counts_are_refused) {
    REFUSE(WEFT_EINVAL, "worker count 9 exceeds the 8 cores this process may use", .topology = TWO_BY_FOUR, .workers = 9);
    REFUSE(WEFT_EINVAL, "worker count 17 exceeds the 16 processing units", .topology = TWO_BY_FOUR, .workers = 17, .smt = true);
    REFUSE(WEFT_EINVAL, "exceeds the 4 cores this process may use on nodes 1", .topology = TWO_BY_FOUR, .workers = 5,
           .nodes = "1");
    REFUSE(WEFT_EINVAL, "beyond any machine", .topology = TWO_BY_FOUR, .workers = ~0u);
    REFUSE(WEFT_EINVAL, "beyond any machine", .topology = TWO_BY_FOUR, .reserved_cores = ~0u);
    REFUSE(WEFT_EINVAL, "leaves none", .topology = TWO_BY_FOUR, .reserved_cores = 8);
    REFUSE(WEFT_EINVAL, "1 reserved", .topology = TWO_BY_FOUR, .reserved_cores = 1, .workers = 8);
}

Test(plan_options, node_lists_are_checked) {
    static const char *const nonsense[] = {"",    ",",  "0,", "0,,1", "a",   "0-",
                                           "1-0", "-1", " 0", "0 1",  "0;1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        REFUSE(WEFT_EINVAL, "is not of the form", .topology = TWO_BY_FOUR, .nodes = nonsense[i]);
    REFUSE(WEFT_EINVAL, "node 2 has no core", .topology = TWO_BY_FOUR, .nodes = "0-2");
    REFUSE(WEFT_EINVAL, "are 0-1", .topology = TWO_BY_FOUR, .nodes = "7");
}

Test(plan_options, topologies_that_cannot_be_loaded_say_why) {
    REFUSE(WEFT_EINVAL, "empty", .topology = "");
    REFUSE(WEFT_ETOPOLOGY, "No such file", .topology = "/no/such/machine.xml");
    REFUSE(WEFT_ETOPOLOGY, "No such file", .topology = "machine.xml");
    REFUSE(WEFT_ETOPOLOGY, "broken.xml", .topology = FILE_NAMED("broken"));
    REFUSE(WEFT_ETOPOLOGY, "not", .topology = "/dev/null");
    REFUSE(WEFT_ETOPOLOGY, "synthetic", .topology = "gibberish");
    REFUSE(WEFT_ETOPOLOGY, "synthetic", .topology = "node:2 core");
    REFUSE(WEFT_ETOPOLOGY, "more than", .topology = "node:1000 core:1000 pu:1000");
    REFUSE(WEFT_ETOPOLOGY, "fsroot", .topology = "/dev");
    REFUSE(WEFT_ETOPOLOGY, "no processing unit", .topology = FILE_NAMED("nothing-allowed"));
}

Test(plan_options, broken_input_prints_nothing) {
    char buffer[16];
    int pipes[2], out = dup(1), error = dup(2);
    cr_assert_eq(pipe(pipes), 0);
    dup2(pipes[1], 1);
    dup2(pipes[1], 2);
    weft_plan *plan;
    static const char *const inputs[] = {FILE_NAMED("broken"), "/dev/null", "gibberish", "/no.xml",
                                         FILE_NAMED("nothing-allowed")};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        weft_plan_create(&plan, &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = inputs[i]});
    dup2(out, 1);
    dup2(error, 2);
    close(pipes[1]);
    cr_assert_eq(read(pipes[0], buffer, sizeof buffer), 0);
}

Test(plan_options, a_newer_struct_with_unknown_settings_is_refused) {
    struct {
        weft_plan_options known;
        unsigned long unknown;
    } newer = {{.size = sizeof newer, .topology = TWO_BY_FOUR}, 1};
    weft_plan *plan = NULL;
    cr_assert_eq(weft_plan_create(&plan, &newer.known), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "newer"));
    newer.unknown = 0;
    cr_assert_eq(weft_plan_create(&plan, &newer.known), WEFT_OK);
    weft_plan_destroy(plan);
    cr_assert_eq(weft_plan_create(NULL, NULL), WEFT_EINVAL);
    weft_plan_destroy(NULL);
}

/* An fsroot of four PUs in two cores, in a control group that may use 1.5 CPUs. */
static const char fsroot_script[] =
    "cd %s && mkdir -p proc/self sys/fs/cgroup/job sys/devices/system/cpu && "
    "for i in 0 1 2 3; do t=sys/devices/system/cpu/cpu$i/topology; mkdir -p $t; "
    "echo $((i / 2)) >$t/core_id; echo 0 >$t/physical_package_id; "
    "echo $((3 << (i / 2 * 2))) | sed s/12/c/ >$t/thread_siblings; echo f >$t/core_siblings; done; "
    "echo 0-3 >sys/devices/system/cpu/online; echo 0-3 >sys/devices/system/cpu/possible; "
    "echo 0::/job >proc/self/cgroup; echo '150000 100000' >sys/fs/cgroup/job/cpu.max; "
    "echo '30 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw' >proc/self/mountinfo";

Test(plan_options, an_fsroot_has_its_own_quota_and_leaves_the_environment_alone) {
    char root[] = "/tmp/weft-fsroot-XXXXXX", command[sizeof fsroot_script + sizeof root];
    cr_assert(mkdtemp(root));
    snprintf(command, sizeof command, fsroot_script, root);
    cr_assert_eq(system(command), 0);
    setenv("HWLOC_FSROOT", "/something", 1);
    weft_plan *plan = PLAN(.topology = root, .smt = true);
    cr_assert_str_eq(getenv("HWLOC_FSROOT"), "/something");
    cr_assert_null(getenv("HWLOC_HIDE_ERRORS"));
    const weft_plan_limits *limits = weft_plan_get_limits(plan);
    cr_assert_str_eq(nodes_of(plan), "0: 0 1"); /* of four, as many as 1.5 CPUs keep busy */
    cr_assert_float_eq(limits->quota_cpus, 1.5, 1e-9);
    cr_assert(strstr(limits->reason, "1.5 CPUs"), "%s", limits->reason);
    cr_assert_not(limits->this_system);
    weft_plan_destroy(plan);
    plan = PLAN(.topology = root, .smt = true, .workers = 3);
    cr_assert_str_eq(nodes_of(plan), "0: 0 1 2"); /* an explicit number wins over the quota */
    weft_plan_destroy(plan);
    plan = PLAN(.topology = root, .ignore_quota = true);
    cr_assert_str_eq(nodes_of(plan), "0: 0 2");
    weft_plan_destroy(plan);
    snprintf(command, sizeof command, "rm -r %s", root);
    cr_assert_eq(system(command), 0);
}

/* The PUs of a mask as a list. */
static const char *mask_of(const weft_plan *plan, unsigned worker, weft_pin pin) {
    static char text[512];
    struct wf_cpu_mask mask;
    int at = 0;
    cr_assert_eq(wf_plan_cpu_mask(plan, worker, pin, &mask), WEFT_OK);
    for (size_t cpu = 0; cpu < mask.bytes * 8; cpu++)
        if (CPU_ISSET_S(cpu, mask.bytes, mask.set))
            at += sprintf(text + at, "%s%zu", at ? " " : "", cpu);
    wf_cpu_mask_release(&mask);
    return text;
}

Test(binding, masks_widen_from_core_to_cache_to_node_to_all) {
    weft_plan *plan = PLAN(.topology = "node:2 l3:2 core:2 pu:2");
    cr_assert_str_eq(mask_of(plan, 3, WEFT_PIN_CORE), "6");
    cr_assert_str_eq(mask_of(plan, 3, WEFT_PIN_CACHE), "4 5 6 7");
    cr_assert_str_eq(mask_of(plan, 3, WEFT_PIN_NODE), "0 1 2 3 4 5 6 7");
    cr_assert_str_eq(mask_of(plan, 3, WEFT_PIN_NONE), "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15");
    weft_plan_destroy(plan);
}

Test(binding, a_cache_mask_stays_inside_the_node_and_the_allowed_pus) {
    weft_plan *plan = PLAN(.topology = "l3:1 node:2 core:2 pu:1");
    cr_assert_str_eq(mask_of(plan, 2, WEFT_PIN_CACHE), "2 3");
    weft_plan_destroy(plan);
    plan = PLAN(.topology = FILE_NAMED("offline-disallowed"));
    cr_assert_str_eq(mask_of(plan, 0, WEFT_PIN_NODE), "1 2 3");
    cr_assert_str_eq(mask_of(plan, 0, WEFT_PIN_CACHE), "1 2 3");
    weft_plan_destroy(plan);
}

Test(binding, a_foreign_topology_binds_nothing) {
    weft_plan *plan = PLAN(.topology = TWO_BY_FOUR);
    const char *reason = NULL;
    cr_assert_eq(wf_plan_default_pin(plan, &reason), WEFT_PIN_NONE);
    cr_assert(reason && *reason);
    cr_assert_eq(wf_plan_current_node(plan), -1);
    cr_assert_eq(wf_bind_memory(plan, NULL, 0, 0, false), WEFT_ENOTSUP);
    cr_assert_eq(wf_bind_memory_interleaved(plan, NULL, 0, &(int){0}, 1), WEFT_ENOTSUP);
    weft_plan_destroy(plan);
}

/* The default pin of this plan if it were of this machine, under this quota. */
static weft_pin pin_as_if_live(weft_plan *plan, double quota_cpus) {
    const char *reason = NULL;
    plan->limits.this_system = true;
    plan->limits.quota_cpus = quota_cpus;
    weft_pin pin = wf_plan_default_pin(plan, &reason);
    cr_assert(reason && *reason);
    weft_plan_destroy(plan);
    return pin;
}

Test(binding, the_default_pin_is_as_narrow_as_the_process_owns_its_cpus) {
    cr_assert_eq(pin_as_if_live(PLAN(.topology = TWO_BY_FOUR), 0), WEFT_PIN_CORE);
    cr_assert_eq(pin_as_if_live(PLAN(.topology = TWO_BY_FOUR, .workers = 8), 0), WEFT_PIN_CORE);
    cr_assert_eq(pin_as_if_live(PLAN(.topology = TWO_BY_FOUR, .nodes = "1"), 8), WEFT_PIN_CORE);
    cr_assert_eq(pin_as_if_live(PLAN(.topology = TWO_BY_FOUR, .reserved_cores = 1), 0), WEFT_PIN_CORE);
    cr_assert_eq(pin_as_if_live(PLAN(.topology = TWO_BY_FOUR, .workers = 7), 0), WEFT_PIN_NODE);
    cr_assert_eq(pin_as_if_live(PLAN(.topology = TWO_BY_FOUR), 7.5), WEFT_PIN_NODE);
    cr_assert_eq(pin_as_if_live(PLAN(.topology = FILE_NAMED("hybrid")), 0), WEFT_PIN_CACHE);
}

Test(binding, the_live_plan_stays_inside_the_affinity_mask_and_leaves_it_alone) {
    cpu_set_t before, one, after;
    CPU_ZERO(&one);
    cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);
    size_t last = 0;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        last = CPU_ISSET(cpu, &before) ? cpu : last;
    CPU_SET(last, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    weft_plan *plan = PLAN(.topology = NULL);
    unsigned count;
    cr_assert_eq(weft_plan_workers(plan, &count)->pu, last);
    cr_assert_eq(count, 1);
    cr_assert_eq(weft_plan_get_limits(plan)->affinity_restricted, CPU_COUNT(&before) > 1);
    cr_assert_eq(wf_plan_current_node(plan), 0);
    cr_assert_eq(sched_getaffinity(0, sizeof after, &after), 0);
    cr_assert(CPU_EQUAL(&one, &after));
    weft_plan_destroy(plan);
    plan = PLAN(.ignore_affinity = true, .ignore_quota = true, .smt = true);
    weft_plan_workers(plan, &count);
    cr_assert_geq(count, (unsigned)CPU_COUNT(&before));
    weft_plan_destroy(plan);
}

Test(binding, memory_of_the_live_machine_is_bound_or_refused_in_words) {
    weft_plan *plan = PLAN(.topology = NULL);
    size_t bytes = 1 << 16;
    void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int node = weft_plan_nodes(plan, NULL)[0].memory_node;
    weft_status status = wf_bind_memory(plan, area, bytes, node, false);
    cr_assert(status == WEFT_OK || status == WEFT_EPERM || status == WEFT_ENOTSUP, "%s", weft_error_detail());
    cr_assert_eq(wf_bind_memory(plan, area, bytes, -1, false), WEFT_ENOTSUP);
    cr_assert_neq(wf_bind_memory(plan, area, bytes, 60000, true), WEFT_OK);
    munmap(area, bytes);
    weft_plan_destroy(plan);
}

Test(binding, a_retained_plan_outlives_its_maker) {
    weft_plan *plan = PLAN(.topology = TWO_BY_FOUR), *mine = wf_plan_retain(plan);
    weft_plan_destroy(plan);
    cr_assert_str_eq(nodes_of(mine), "0: 0 2 4 6 | 1: 8 10 12 14");
    weft_plan_destroy(mine);
}

static void *make_plans(void *failures) {
    for (unsigned i = 0; i < 50; i++) {
        weft_plan *plan;
        if (weft_plan_create(&plan, NULL))
            ++*(unsigned *)failures;
        else
            weft_plan_destroy(plan);
    }
    return NULL;
}

Test(plan_options, threads_may_make_live_plans_at_once) {
    pthread_t threads[4];
    unsigned failures[4] = {0};
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, make_plans, &failures[i]), 0);
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(failures[i], 0);
    }
    weft_plan *plan = PLAN(.topology = NULL);
    cr_assert_eq(weft_plan_get_limits(plan)->discovery_ms, 0); /* already known */
    weft_plan_destroy(plan);
}
