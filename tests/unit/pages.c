/*
 * cli/: `weft pages`. What /proc says is read right, CPU time is counted on the right node, and the rule names what is on the wrong
 * node and nothing else. Recorded: tests/pages, made by hand in the form of Linux 6.1. Emulated machines: tests/numa/process_pages.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/pages_judge.h"
#include "command.h"
#include "describe.h"

TestSuite(pages, .init = forget_environment);

#define MIB ((uint64_t)1 << 20)

static struct wf_numa_line line;

/* Reads a copy that lives until the next call. */
static bool read_line(const char *text) {
    static char copy[512];
    snprintf(copy, sizeof copy, "%s", text);
    return wf_proc_numa_line(copy, &line);
}

Test(pages, a_line_of_numa_maps_is_read_whole) {
    cr_assert(read_line("7f1040000000 bind=static:1-2 file=/a\\040b\\012\\134c huge anon=3 mapmax=7 swapcache=9 N0=4 N2=5 "
                        "later=x kernelpagesize_kB=2048\n"));
    cr_assert_eq(line.start, UINT64_C(0x7f1040000000));
    cr_assert_str_eq(line.policy, "bind=static:1-2");
    cr_assert_str_eq(line.name, "/a b\n\\c");
    cr_assert_eq(line.kind, WF_MAPPING_FILE);
    cr_assert(line.reserved_huge);
    cr_assert_eq(line.page_bytes, 2 * MIB);
    cr_assert_eq(line.anonymous, 3);
    cr_assert_eq(line.sharers, 7);
    cr_assert_eq(line.nodes, 3);
    cr_assert(line.on[0] == 4 && line.on[1] == 0 && line.on[2] == 5);
}

Test(pages, policies_may_hold_a_blank) {
    static const struct {
        const char *text, *policy;
        enum wf_policy_mode mode;
        unsigned from, to;
    } cases[] = {
        {"1000 default anon=1 N0=1 kernelpagesize_kB=4", "default", WF_POLICY_DEFAULT, 1, 0},
        {"1000 local", "local", WF_POLICY_DEFAULT, 1, 0},
        {"1000 prefer:3 heap", "prefer:3", WF_POLICY_PREFERRED, 3, 3},
        {"1000 prefer (many):2-3 heap", "prefer (many):2-3", WF_POLICY_PREFERRED, 2, 3},
        {"1000 weighted interleave:0-1 stack", "weighted interleave:0-1", WF_POLICY_INTERLEAVED, 0, 1},
        {"1000 interleave=relative:1-4", "interleave=relative:1-4", WF_POLICY_INTERLEAVED, 1, 4},
        {"1000 bind=static|balancing:5", "bind=static|balancing:5", WF_POLICY_BIND, 5, 5},
    };
    bool named[WF_PROC_NODES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert(read_line(cases[i].text), "%s", cases[i].text);
        cr_assert_str_eq(line.policy, cases[i].policy);
        cr_assert_eq(wf_proc_policy(line.policy, named), cases[i].mode, "%s", cases[i].text);
        for (unsigned node = 0; node < WF_PROC_NODES; node++)
            cr_assert_eq(named[node], node >= cases[i].from && node <= cases[i].to, "%s: %u", cases[i].text, node);
    }
}

Test(pages, nonsense_is_no_line) {
    static const char *const wrong[] = {
        "",
        "default",
        "7f1040000000",
        "7f1040000000 ",
        "zz default",
        "-1 default",
        "1ffffffffffffffff default",
        "1000 default N0=",
        "1000 default N0=1x kernelpagesize_kB=4",
        "1000 default N0=1 N0=2 kernelpagesize_kB=4",
        "1000 default N1024=1 kernelpagesize_kB=4",
        "1000 default N0=99999999999999999999 kernelpagesize_kB=4",
        "1000 default N0=9223372036854775807 N1=9223372036854775807 kernelpagesize_kB=4",
        "1000 default N0=4611686018427387904 kernelpagesize_kB=4",
        "1000 default N0=1 kernelpagesize_kB=0",
        "1000 default N0=1",
        "1000 default anon=-1",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_not(read_line(wrong[i]), "\"%s\"", wrong[i]);
}

Test(pages, lines_of_smaps_are_told_apart) {
    struct wf_maps_line head;
    struct wf_smaps_field field;
    char begin[] = "7f1068000000-7f1078000000 r--p 00000000 fe:00 12345                      /data/my matrix.bin: 4 kB\n";
    cr_assert(wf_proc_maps_line(begin, &head));
    cr_assert_eq(head.end - head.start, 256 * MIB);
    cr_assert_str_eq(head.name, "/data/my matrix.bin: 4 kB");
    cr_assert_not(wf_proc_smaps_field(begin, &field));
    char size[] = "AnonHugePages:      2048 kB", flags[] = "VmFlags: rd wr", much[] = "Rss: 99999999999999999 kB";
    cr_assert_not(wf_proc_maps_line(size, &head));
    cr_assert(wf_proc_smaps_field(size, &field));
    cr_assert_str_eq(field.name, "AnonHugePages");
    cr_assert_eq(field.bytes, 2 * MIB);
    cr_assert_not(wf_proc_smaps_field(flags, &field));
    cr_assert_not(wf_proc_smaps_field(much, &field));
    char backwards[] = "2000-1000 rw-p 0 0:0 0", cut[] = "1000-2000 rw-p 0";
    cr_assert_not(wf_proc_maps_line(backwards, &head));
    cr_assert_not(wf_proc_maps_line(cut, &head));
}

Test(pages, a_programs_name_may_hold_anything) {
    struct wf_proc_stat stat;
    cr_assert(wf_proc_stat(
        "7 (a) R (b\n) S 1 1 1 0 -1 4194304 9 0 0 0 30 12 0 0 20 0 1 0 5 0 0 1 1 1 0 0 0 0 0 0 0 0 0 0 17 6 0 0\n", &stat));
    cr_assert_str_eq(stat.name, "a) R (b\n");
    cr_assert(stat.state == 'S' && stat.ticks == 42 && stat.cpu == 6 && !stat.kernel_thread);
    cr_assert_not(wf_proc_stat("7 (a) S 1 1 1 0 -1 0 9 0 0 0 30 12 0 0", &stat));
    cr_assert_not(wf_proc_stat("7 a S", &stat));
    cr_assert_not(wf_proc_stat(")(", &stat));
}

Test(pages, lists_end_where_they_break) {
    unsigned first, last, count = 0;
    const char *at = "0-3,8,10-11\n";
    while (wf_proc_range(&at, 16, &first, &last))
        count += last - first + 1;
    cr_assert_eq(count, 7);
    cr_assert_eq(*at, 0);
    static const char *const broken[] = {"", "x", "3-1", "16", "1-", "1 2", "99999999999999999999"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        at = broken[i];
        cr_assert_not(wf_proc_range(&at, 16, &first, &last), "%s", broken[i]);
    }
}

/* Two nodes of four CPUs, and one of memory only. */
static bool cpus_on[] = {true, true, false}, memory_on[] = {true, true, true};
static int cpu_nodes[] = {0, 0, 0, 0, 1, 1, 1, 1};
static const struct wf_machine_nodes machine = {3, cpus_on, memory_on, 8, cpu_nodes};

static struct wf_seen_thread *seen(const struct wf_seen_thread *threads, size_t count) {
    struct wf_seen_thread *copy = malloc(count * sizeof *copy);
    cr_assert(copy);
    return memcpy(copy, threads, count * sizeof *copy);
}

Test(pages, cpu_time_counts_on_the_node_of_the_cpu) {
    struct wf_cpu_watch watch;
    cr_assert_eq(wf_cpu_watch_begin(&watch, &machine), WEFT_OK);
    wf_cpu_watch_count(&watch, seen((struct wf_seen_thread[]){{30, 0, 1000}, {10, 5, 500}, {20, 1, 7}}, 3), 3);
    for (unsigned node = 0; node < 3; node++)
        cr_assert_eq(watch.ticks[node], 0, "the first look counts nothing");
    /* 10 ran on, 20 has ended, 25 is new, 30 has moved to node 1 */
    wf_cpu_watch_count(&watch, seen((struct wf_seen_thread[]){{10, 5, 520}, {25, 2, 3}, {30, 7, 1004}}, 3), 3);
    cr_assert(watch.ticks[0] == 3 && watch.ticks[1] == 24 && watch.ticks[2] == 0);
    /* 30's number is another thread's now; a CPU of no node counts nowhere */
    wf_cpu_watch_count(&watch, seen((struct wf_seen_thread[]){{10, 99, 600}, {30, 0, 2}}, 2), 2);
    cr_assert(watch.ticks[0] == 5 && watch.ticks[1] == 24);
    struct wf_running running;
    struct wf_process none = {.directory = -1};
    cr_assert_eq(wf_cpu_watch_end(&watch, &none, 2, &running), WEFT_OK);
    cr_assert_eq(running.by, WF_RUNNING_SAMPLED);
    cr_assert_float_eq(running.share[0], 5.0 / 29, 1e-9);
    cr_assert_float_eq(running.share[1], 24.0 / 29, 1e-9);
    wf_running_release(&running);
    wf_cpu_watch_release(&watch);
}

static struct wf_process_mappings mappings;
static struct wf_judgement judgement;

/* Judge lines of numa_maps for CPU time shared by the two nodes with CPUs. */
static void judge(const char *numa_maps, double share_of_0) {
    char *text = strdup(numa_maps);
    double share[] = {share_of_0, 1 - share_of_0, 0};
    struct wf_running running = {.by = WF_RUNNING_SAMPLED, .node_count = 3, .share = share};
    wf_process_mappings_release(&mappings);
    wf_judgement_release(&judgement);
    cr_assert_eq(wf_mappings_parse(&mappings, text, NULL, 3), WEFT_OK);
    cr_assert_eq(wf_pages_judge(&judgement, &mappings, &running, &machine, 0.25), WEFT_OK);
    free(text);
}

static enum wf_verdict verdict(uint64_t start) {
    for (size_t i = 0; i < mappings.count; i++)
        if (mappings.list[i].start == start)
            return mappings.list[i].verdict;
    cr_assert(false, "no mapping at %llx", (unsigned long long)start);
    return WF_VERDICT_FINE;
}

#define K4 " kernelpagesize_kB=4\n"

Test(pages, memory_is_away_where_nothing_runs) {
    judge("1000 default anon=2560 N0=2560" K4 "2000 default anon=2560 N1=2560" K4 "3000 default anon=2560 N0=2048 N1=512" K4
          "4000 default anon=2560 N0=1280 N1=1280" K4 "5000 default anon=32 N1=32" K4,
          1);
    cr_assert_eq(verdict(0x1000), WF_VERDICT_FINE);
    cr_assert_eq(verdict(0x2000), WF_VERDICT_AWAY);
    cr_assert_eq(verdict(0x3000), WF_VERDICT_FINE, "20 per cent are below the threshold");
    cr_assert_eq(verdict(0x4000), WF_VERDICT_AWAY);
    cr_assert_eq(verdict(0x5000), WF_VERDICT_FINE, "too small to matter");
    cr_assert_eq(mappings.list[0].start, 0x2000, "gravest first");
    cr_assert_eq(mappings.list[1].start, 0x4000);
    cr_assert_eq(judgement.all.away, 15 * MIB);
    cr_assert_eq(judgement.nodes[1].away, 15 * MIB);
    cr_assert_eq(judgement.movable, 15 * MIB);
    cr_assert_eq(judgement.target, 0);
}

Test(pages, shares_of_cpu_time_weigh) {
    static const char both[] = "1000 default anon=2560 N0=2560" K4 "2000 default anon=2560 N1=2560" K4;
    judge(both, 0.5);
    cr_assert(verdict(0x1000) == WF_VERDICT_FINE && verdict(0x2000) == WF_VERDICT_FINE);
    judge(both, 0.6); /* node 1 lacks a fifth of an equal part */
    cr_assert(verdict(0x1000) == WF_VERDICT_FINE && verdict(0x2000) == WF_VERDICT_FINE);
    judge(both, 0.9); /* four fifths */
    cr_assert(verdict(0x1000) == WF_VERDICT_FINE && verdict(0x2000) == WF_VERDICT_AWAY);
    cr_assert_float_eq(mappings.list[0].away, 0.8, 1e-6);
    judge(both, 0.04); /* it is a node's whole, but for chance */
    cr_assert(verdict(0x1000) == WF_VERDICT_AWAY && verdict(0x2000) == WF_VERDICT_FINE);
}

Test(pages, interleaved_memory_is_right_where_its_policy_puts_it) {
    judge("1000 interleave:0-1 anon=2560 N0=1280 N1=1280" K4 "2000 interleave:0-1 anon=2560 N1=2560" K4
          "3000 interleave:1-2 anon=2560 N1=1280 N2=1280" K4 "4000 weighted interleave:0-1 anon=2560 N1=2560" K4,
          1);
    cr_assert_eq(verdict(0x1000), WF_VERDICT_FINE);
    cr_assert_eq(verdict(0x2000), WF_VERDICT_UNEVEN);
    cr_assert_eq(verdict(0x3000), WF_VERDICT_AWAY, "its nodes run nothing");
    cr_assert_eq(verdict(0x4000), WF_VERDICT_FINE, "weights are not known");
}

Test(pages, memory_only_nodes_are_right_where_a_policy_asked_for_them) {
    judge("1000 default anon=2560 N2=2560" K4 "2000 bind:2 anon=2560 N2=2560" K4 "3000 prefer:2 anon=2560 N1=2560" K4, 1);
    cr_assert_eq(verdict(0x1000), WF_VERDICT_AWAY);
    cr_assert_eq(verdict(0x2000), WF_VERDICT_FINE);
    cr_assert_eq(verdict(0x3000), WF_VERDICT_AWAY);
}

Test(pages, page_cache_is_judged_apart) {
    judge("1000 default file=/a mapped=2560 N1=2560" K4 "2000 default file=/b anon=2000 mapped=560 N1=2560" K4
          "3000 default file=/dev/shm/c N1=2560 mapmax=2" K4,
          1);
    cr_assert_eq(verdict(0x1000), WF_VERDICT_CACHE_AWAY);
    cr_assert_eq(verdict(0x2000), WF_VERDICT_AWAY, "most of it is the process's own copy");
    cr_assert_eq(verdict(0x3000), WF_VERDICT_AWAY);
    cr_assert_eq(judgement.all.cache, 10 * MIB);
    cr_assert_eq(judgement.all.memory, 20 * MIB);
    cr_assert_eq(judgement.movable, 2000 * 4096, "what others share, and files, stay");
}

Test(pages, memory_of_one_initialiser_is_asked_about) {
    judge("1000 default anon=25600 N0=25600" K4 "2000 default anon=256 N1=256" K4, 0.5);
    cr_assert_eq(verdict(0x1000), WF_VERDICT_ONE_SIDED);
    cr_assert_eq(judgement.all.away, 0, "a question is no finding");
    judge("1000 default anon=25600 N0=25600" K4 "2000 default anon=25600 N1=25600" K4, 0.5); /* one heap per node */
    cr_assert(verdict(0x1000) == WF_VERDICT_FINE && verdict(0x2000) == WF_VERDICT_FINE);
    judge("1000 bind:0 anon=25600 N0=25600" K4, 0.5);
    cr_assert_eq(verdict(0x1000), WF_VERDICT_FINE, "it was wanted there");
}

Test(pages, strange_lines_are_counted_and_left_out) {
    judge("1000 default anon=2560 N0=2560" K4 "nonsense\n0500 default anon=1 N0=1" K4 "2000 default anon=1 N7=1" K4, 1);
    cr_assert_eq(mappings.count, 1);
    cr_assert_eq(mappings.strange, 3);
}

/* The command. */
static int weft_pages(const char *arguments) {
    char whole[1000];
    snprintf(whole, sizeof whole, "pages %s", arguments);
    return weft(whole);
}

#define RECORDED "--root " WEFT_TEST_PAGES "/two-nodes "

Test(pages, a_recorded_process_is_judged) {
    cr_assert_eq(weft_pages(RECORDED "100"), 0, "%s", output);
    cr_assert(strstr(output, "process 100 (solve (1) x), 2 threads"), "%s", output);
    cr_assert(strstr(output,
                     "5 mappings are on the wrong node: 560 MiB away from the CPUs that run the process, of 614 MiB of memory"));
    cr_assert(strstr(output, "migratepages 100 1 0"));
    cr_assert_eq(weft_pages(RECORDED "160"), 0);
    cr_assert(strstr(output, "No mapping is on the wrong node."));
    cr_assert_eq(weft_pages(RECORDED "110"), 0);
    cr_assert(strstr(output, "which is the wrong one is not known"));
}

Test(pages, json_tells_the_same) {
    cr_assert_eq(weft_pages("--json " RECORDED "100"), 0);
    json_error_t error;
    json_t *root = json_loads(output, 0, &error);
    cr_assert(root, "%s", error.text);
    int wrong;
    json_int_t away, on0, on1;
    const char *name, *verdict_name, *by;
    json_t *help;
    cr_assert_eq(json_unpack_ex(root, &error, 0, "{s:i, s:s, s:[{s:s, s:s, s:I, s:[I, I]}, *], s:o}", "wrong", &wrong,
                                "running_by", &by, "mappings", "name", &name, "verdict", &verdict_name, "away_bytes", &away, "on",
                                &on0, &on1, "help", &help),
                 0, "%s", error.text);
    cr_assert(wrong == 5 && json_array_size(help) >= 4);
    cr_assert_str_eq(by, "affinity");
    cr_assert_str_eq(name, "[anon:cells <&\">]");
    cr_assert_str_eq(verdict_name, "away");
    cr_assert(away == 512 << 20 && on0 == 0 && on1 == 512 << 20);
    json_decref(root);
}

Test(pages, what_cannot_be_looked_at_says_why) {
    static const struct {
        const char *arguments, *words;
    } cases[] = {
        {RECORDED "120", "built without NUMA"},
        {RECORDED "130", "thread of the kernel"},
        {RECORDED "140", "has ended"},
        {RECORDED "151", "is a thread of process 150"},
        {RECORDED "99", "there is no process 99"},
        {"--root /nowhere 1", "/nowhere/proc is not there"},
        {"2147483647", "there is no process"},
        {"--output /no/such/file self", "No such file"},
        {"-i 0 self >/dev/full", "No space left"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(weft_pages(cases[i].arguments), 1, "%s: %s", cases[i].arguments, output);
        cr_assert(strstr(output, cases[i].words) || strstr(cases[i].arguments, "/dev/full"), "%s: %s", cases[i].arguments,
                  output);
    }
}

Test(pages, wrong_usage_exits_with_64) {
    static const char *const wrong[] = {"",
                                        "0",
                                        "-- ",
                                        "1x",
                                        "self parent",
                                        "-i x self",
                                        "-i -1 self",
                                        "-i inf self",
                                        "-t 101 self",
                                        "1 -- true",
                                        "--root / self",
                                        "-i 0 -- true",
                                        "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_eq(weft_pages(wrong[i]), 64, "%s: %s", wrong[i], output);
}

Test(pages, the_process_itself_and_its_parent_can_be_seen) {
    cr_assert_eq(weft_pages("--interval 0 self"), 0, "%s", output);
    cr_assert(strstr(output, "(weft)"));
    cr_assert_eq(weft_pages("--interval .05 --all parent"), 0, "%s", output);
    char pid[64];
    snprintf(pid, sizeof pid, "--interval 0 %d", (int)getpid());
    cr_assert_eq(weft_pages(pid), 0, "%s", output);
}

Test(pages, a_command_keeps_its_exit_code) {
    cr_assert_eq(weft_pages("-i .1 -- sh -c 'sleep .1; exit 7'"), 7, "%s", output);
    cr_assert(strstr(output, "memory"), "%s", output);
    cr_assert_eq(weft_pages("-i .1 -- sh -c 'sleep .1; kill -9 $$'"), 137, "%s", output);
    cr_assert_eq(weft_pages("-- /no/such/program"), 127);
    cr_assert_eq(weft_pages("-- /dev/null"), 126);
    cr_assert_eq(weft_pages("-o /dev/null -- sh -c 'sleep .05; echo its own output'"), 0);
    cr_assert_str_eq(output, "its own output\n");
}

Test(pages, a_process_of_another_user_is_refused) {
    char command[256];
    if (getuid())
        return; /* only root has another user to be */
    fflush(stdout);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (!child) {
        snprintf(command, sizeof command, "%s pages -i 0 %d 2>&1 | grep -q 'permission refused'", WEFT_TEST_COMMAND,
                 (int)getppid());
        if (setgid(65534) || setuid(65534) || access(WEFT_TEST_COMMAND, X_OK))
            _exit(0);
        _exit(system(command) ? 1 : 0);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && !WEXITSTATUS(status));
}

Test(pages, a_process_that_ends_meanwhile_is_told_of) {
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (!child) {
        usleep(200000);
        _exit(0);
    }
    char arguments[64];
    snprintf(arguments, sizeof arguments, "--interval 5 %d", (int)child);
    int code = weft_pages(arguments);
    waitpid(child, NULL, 0);
    cr_assert_eq(code, 1);
    cr_assert(strstr(output, "has ended"), "%s", output);
}
