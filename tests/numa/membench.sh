#!/bin/sh
# weft membench in an emulated machine: every cell of the matrix is there, and each buffer lies wholly on its node. Times mean nothing.
set -eu
weft=$(dirname "$0")/../../runtime/cli/weft
out=$(mktemp)
"$weft" membench --size 1 --repeats 1 --json >"$out" || { echo "failed: membench"; exit 1; }
python3 - "$out" <<'PY'
import glob, json, sys
found = json.load(open(sys.argv[1]))
cpus = {node["node"] for node in found["cpu_nodes"]}
memory = {node["node"] for node in found["memory"]}
real = {int(path.rsplit("node", 1)[1]) for path in glob.glob("/sys/devices/system/node/node[0-9]*")}
with_cpus = {n for n in real if open(f"/sys/devices/system/node/node{n}/cpulist").read().strip()}
assert memory == real and cpus == with_cpus, f"failed: nodes {cpus} {memory} of {real}, CPUs on {with_cpus}"
assert {(c["cpu_node"], c["memory_node"]) for c in found["cells"]} == {(k, m) for k in cpus for m in memory}, "failed: cells"
for cell in found["cells"]:
    rates = list(cell["all_workers_gb_per_s"].values()) + list(cell["one_worker_gb_per_s"].values())
    assert len(rates) == 8 and min(rates) > 0 and cell["latency_ns"] > 0, f"failed: {cell}"
for node in found["memory"]:
    assert node["pages_on_node"] == node["pages_asked"] > 0, f"failed: {node}"
assert set(found["all_nodes_gb_per_s"]) == ({"local", "remote", "interleaved"} if len(cpus) > 1 else {"local"}), "failed: modes"
print(f"{len(found['cells'])} cells, every buffer on its node")
PY
