/* machine/limits: CPU quotas from made-up trees of control groups. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/limits.h"

#define V2_AT "30 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_AT "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
#define V1_SET_AT "33 31 0:30 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"

static char root[] = "/tmp/weft-limits-XXXXXX";

static void make_root(void) {
    cr_assert(mkdtemp(root));
}

static void remove_root(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", root);
    cr_assert_eq(system(command), 0);
}

TestSuite(limits, .init = make_root, .fini = remove_root);

/* Write a file below the root, with the directories on the way. */
static void put(const char *path, const char *content) {
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(full, 0777);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    cr_assert(file, "%s", full);
    fputs(content, file);
    fclose(file);
}

static void put_process(const char *groups, const char *mounts) {
    put("/proc/self/cgroup", groups);
    put("/proc/self/mountinfo", mounts);
}

/* Expect this quota from the file that ends so. */
static void expect(double cpus, const char *source_end) {
    struct wf_quota quota;
    wf_quota_read(root, &quota);
    cr_assert_float_eq(quota.cpus, cpus, 1e-9, "got %g from %s", quota.cpus, quota.source);
    size_t length = strlen(quota.source), end = strlen(source_end);
    cr_assert(length >= end && !strcmp(quota.source + length - end, source_end), "%s", quota.source);
    cr_assert_eq(length == 0, cpus <= 0);
}

Test(limits, nothing_readable_is_no_quota) {
    expect(0, "");
}

Test(limits, v2_of_the_own_group) {
    put_process("0::/a/b\n", V2_AT);
    put("/sys/fs/cgroup/a/b/cpu.max", "250000 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
    expect(2.5, "/sys/fs/cgroup/a/b/cpu.max");
}

Test(limits, v2_of_a_tighter_ancestor) {
    put_process("0::/a/b/c\n", V2_AT);
    put("/sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "75000 50000\n");
    expect(1.5, "/sys/fs/cgroup/a/cpu.max");
}

Test(limits, v2_max_and_nonsense_do_not_limit) {
    static const char *const contents[] = {"max 100000\n", "",           "\n",         "lots\n",      "100000\n",
                                           "-5 100000\n",  "0 100000\n", "100000 0\n", "12x 100000\n"};
    put_process("0::/a\n", V2_AT);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        put("/sys/fs/cgroup/a/cpu.max", contents[i]);
        expect(0, "");
    }
}

Test(limits, v1_of_the_group_and_its_ancestors) {
    put_process("5:cpuset:/other\n4:cpuacct,cpu:/x/y\n1:name=systemd:/\n", V1_SET_AT V1_AT);
    put("/sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_period_us", "100000\n");
    expect(0, "");
    put("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    expect(0.5, "/cpu,cpuacct/x/cpu.cfs_quota_us");
    put("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "none\n");
    expect(0, "");
}

Test(limits, v1_of_the_mount_itself_and_not_of_cpuset) {
    put_process("4:cpu,cpuacct:/\n3:cpuset:/\n", V1_AT V1_SET_AT);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpuset/cpu.cfs_quota_us", "100000\n");
    put("/sys/fs/cgroup/cpuset/cpu.cfs_period_us", "100000\n");
    expect(3, "/cpu,cpuacct/cpu.cfs_quota_us");
}

Test(limits, hybrid_takes_the_tighter_of_both_versions) {
    put_process("4:cpu,cpuacct:/x\n0::/u\n", V1_AT "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "300000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    expect(3, "cpu.cfs_quota_us");
    put("/sys/fs/cgroup/unified/u/cpu.max", "200000 100000\n");
    expect(2, "/unified/u/cpu.max");
}

Test(limits, a_container_that_mounts_its_own_group_only) {
    put_process("0::/docker/abc/inner\n", "30 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/inner/cpu.max", "max 100000\n");
    expect(1.5, "/sys/fs/cgroup/cpu.max");
}

Test(limits, a_group_namespace_shows_a_root_that_is_limited) {
    put_process("0::/\n", V2_AT);
    put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    expect(1, "/sys/fs/cgroup/cpu.max");
}

Test(limits, a_group_outside_of_the_mount_falls_back_to_the_mount) {
    put_process("0::/../sibling\n", V2_AT);
    put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    expect(1, "/sys/fs/cgroup/cpu.max");
    put_process("0::/elsewhere\n", "30 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
    expect(1, "/sys/fs/cgroup/cpu.max");
    put_process("0::/docker/abcdef\n", "30 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
    expect(1, "/sys/fs/cgroup/cpu.max");
}

Test(limits, mount_points_may_hold_escaped_characters) {
    put_process("0::/a:b\n", "30 23 0:28 / /mnt/c\\040g rw - cgroup2 none rw\n");
    put("/mnt/c g/a:b/cpu.max", "50000 100000\n");
    expect(0.5, "/mnt/c g/a:b/cpu.max");
}

Test(limits, torn_files_do_not_limit) {
    put_process("0::\nx\n::\n", "30 23\n - cgroup2\n\n30 23 0:28 / /sys/fs/cgroup rw\n");
    expect(0, "");
}

/* A quota that is there and cannot be read is no freedom. */
Test(limits, too_few_file_descriptors_are_an_error) {
    struct wf_quota quota;
    struct rlimit before, none = {0, 0};
    put_process("0::/a\n", V2_AT);
    put("/sys/fs/cgroup/a/cpu.max", "50000 100000\n");
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    weft_status status = wf_quota_read(root, &quota);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(status, WEFT_EPERM);
    cr_assert(strstr(weft_error_detail(), "quota") && strstr(weft_error_detail(), "ulimit -n"));
    expect(0.5, "/sys/fs/cgroup/a/cpu.max");
}

Test(limits, the_affinity_mask_holds_the_cpu_we_run_on) {
    struct wf_cpu_mask mask = {0};
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    cr_assert_eq(wf_cpu_mask_of_process(&mask), WEFT_OK);
    cr_assert(CPU_ISSET_S((size_t)sched_getcpu(), mask.bytes, mask.set));
    cr_assert_eq(wf_limits_add(set, &mask), WEFT_OK);
    cr_assert_eq(hwloc_bitmap_weight(set), CPU_COUNT_S(mask.bytes, mask.set));
    hwloc_bitmap_free(set);
    wf_cpu_mask_release(&mask);
}
