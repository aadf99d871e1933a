#!/bin/sh
# live_limits.sh WEFT: the plan of this machine, as the weft command tells it, under an affinity mask and under a real CPU quota.
# Exit 77 with a reason where no quota can be set (not root, or no writable cpu control group).
set -eu
weft=$1

workers() {
    "$weft" plan --json | python3 -c 'import json, sys; plan = json.load(sys.stdin); print(*[w["pu"] for w in plan["workers"]])'
}

fail() {
    echo "failed: $*"
    exit 1
}

last=$(python3 -c 'import os; print(max(os.sched_getaffinity(0)))')
got=$(python3 - "$last" "$weft" <<'TXT'
import json, os, subprocess, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
plan = json.loads(subprocess.run([sys.argv[2], "plan", "--json"], capture_output=True, check=True).stdout)
print(*[worker["pu"] for worker in plan["workers"]])
TXT
)
[ "$got" = "$last" ] || fail "bound to CPU $last, the plan uses CPU $got"
echo "affinity mask {$last}: one worker on CPU $got"

[ "$(workers | wc -w)" -gt 1 ] || { echo "one core only: a quota cannot show"; exit 77; }
group=
for parent in /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup; do
    if [ -w "$parent/cgroup.procs" ] && mkdir "$parent/weft-test-$$" 2>/dev/null; then
        group=$parent/weft-test-$$
        if [ -e "$group/cpu.cfs_quota_us" ] || [ -e "$group/cpu.max" ]; then
            break
        fi
        rmdir "$group"
        group=
    fi
done
[ -n "$group" ] || { echo "no control group for CPU quotas can be made here"; exit 77; }
trap 'rmdir "$group/inner" "$group" 2>/dev/null || :' EXIT

# The quota stands in an ancestor; the process is in a group below that has none.
if [ -e "$group/cpu.max" ]; then
    echo "50000 100000" >"$group/cpu.max"
else
    echo 100000 >"$group/cpu.cfs_period_us"
    echo 50000 >"$group/cpu.cfs_quota_us"
fi
mkdir "$group/inner"
# shellcheck disable=SC2016 # the inner shell expands it
got=$(sh -c 'echo $$ >"$1/inner/cgroup.procs" && "$2" plan' sh "$group" "$weft")
case $got in
"1 worker on 1 node: the control groups grant 0.5 CPUs"*) echo "quota of half a CPU in an ancestor: one worker" ;;
*) fail "half a CPU was granted, the plan is: $got" ;;
esac
