#!/bin/sh
# Measured distances in an emulated machine, for function: times mean nothing, so what they are is not asked, only what follows from them.
set -eu
weft=$(dirname "$0")/../../runtime/cli/weft
folder=$(mktemp -d)
"$weft" plan --json >"$folder/firmware.json"
WEFT_DISTANCES=/no/such/file "$weft" membench --size 1 --repeats 1 --save "$folder/saved" >"$folder/out" || { echo "failed: membench --save"; exit 1; }
WEFT_DISTANCES=$folder/saved "$weft" plan --json >"$folder/saved.json"
python3 - "$folder" <<'PY'
import glob, sys
machine = {int(path.rsplit("node", 1)[1]): path for path in glob.glob("/sys/devices/system/node/node[0-9]*")}
nodes = sorted(machine)
rows = {node: open(f"{machine[node]}/distance").read().split() for node in nodes}
with open(f"{sys.argv[1]}/turned", "w") as turned: # the farther by the firmware, the shorter
    print("weft distances 1\nnodes", *nodes, file=turned)
    for node in nodes:
        print(node, *(100000 // int(distance) for distance in rows[node]), file=turned)
PY
WEFT_DISTANCES=$folder/saved "$weft" plan --json --distances "$folder/turned" >"$folder/turned.json"
python3 - "$folder" <<'PY'
import glob, json, sys
folder = sys.argv[1]
plans = {name: json.load(open(f"{folder}/{name}.json")) for name in ("firmware", "saved", "turned")}
real = {int(path.rsplit("node", 1)[1]) for path in glob.glob("/sys/devices/system/node/node[0-9]*")}
with_cpus = {n for n in real if open(f"/sys/devices/system/node/node{n}/cpulist").read().strip()}


def remote(plan):
    """Per worker: the nodes of its remote groups, in order."""
    node = {worker["id"]: worker["node"] for worker in plan["workers"]}
    return [[{node[id] for id in group} for group, kind in zip(worker["victim_groups"], worker["victim_kinds"]) if kind[0] == "r"]
            for worker in plan["workers"]]


def classes(latency, thief):
    """What the latencies between nodes, those within a tenth of the shortest taken for one, make of the order."""
    begin, distance = 0, {}
    for ns in sorted(ns for (a, b), ns in latency.items() if a != b and ns):
        begin = ns if ns * 10 > begin * 11 else begin
        distance[ns] = begin
    order = {}
    for victim in with_cpus - {thief}:
        order.setdefault(distance[latency[thief, victim]], set()).add(victim)
    return [order[key] for key in sorted(order)]


lines = [line.split() for line in open(f"{folder}/saved") if not line.startswith("#")]
columns = [int(word) for word in lines[1][1:]]
latency = {(int(line[0]), node): int(ns) for line in lines[2:] for node, ns in zip(columns, line[1:])}
assert lines[0] == ["weft", "distances", "1"] and set(columns) == real, f"failed: saved {lines}"
assert all((latency[a, b] > 0) == (a in with_cpus) for a in real for b in real), f"failed: latencies {latency}"
assert plans["firmware"]["distance_source"] == "matrix", "failed: the firmware's distances"
assert plans["saved"]["distance_source"] == plans["turned"]["distance_source"] == "measured", "failed: the source"
for worker, groups in zip(plans["saved"]["workers"], remote(plans["saved"])):
    assert groups == classes(latency, worker["node"]), f"failed: worker {worker['id']} {groups} {latency}"
assert remote(plans["turned"]) == [groups[::-1] for groups in remote(plans["firmware"])], f"failed: order {remote(plans['turned'])}"
assert len(with_cpus) == 2 or remote(plans["turned"]) != remote(plans["firmware"]), "failed: the order did not change"
for name in ("firmware", "turned"):
    for memory in plans[name]["memory_only_nodes"]:
        far = {n: int(open(f"/sys/devices/system/node/node{n}/distance").read().split()[sorted(real).index(memory["os_index"])])
               for n in with_cpus}
        best = (min if name == "firmware" else max)(far.values())
        assert memory["nearest"] == [n for n in sorted(far) if far[n] == best], f"failed: {name} {memory} {far}"
print(f"{len(real)} nodes measured, and the order of {len(plans['saved']['workers'])} workers' victims follows what a file says")
PY
rm -r "$folder"
