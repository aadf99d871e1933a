#!/usr/bin/env python3
"""Holds the rule of runtime/README.md: includes go only downwards, some libraries stay in their room, and what shows weft from outside
(examples, benchmarks) uses its public headers only.

layers.py [ROOT]      check the checkout at ROOT (default: here); exit 1 and list what breaks the rule
layers.py --self-test plant each kind of violation in a temporary tree and see that it is found
"""
import pathlib
import re
import sys
import tempfile

RANK = {"base": 0, "machine": 1, "memory": 2, "scheduler": 3, "parallel": 4, "array": 5, "observe": 6, "adapters": 6, "cli": 7}
# The room that each public header belongs to; weft.h includes them all.
PUBLIC = {
    "weft/status.h": "base",
    "weft/plan.h": "machine",
    "weft/memory.h": "memory",
    "weft/scratch.h": "memory",
    "weft/alloc.h": "memory",
    "weft/pool.h": "scheduler",
    "weft/fork.h": "scheduler",
    "weft/task.h": "scheduler",
    "weft/future.h": "parallel",
    "weft/graph.h": "parallel",
    "weft/loop.h": "parallel",
    "weft/algorithm.h": "parallel",
    "weft/sequence.h": "parallel",
    "weft/sort.h": "parallel",
    "weft/pipeline.h": "parallel",
    "weft/files.h": "parallel",
    "weft/array.h": "array",
    "weft/copy.h": "array",
    "weft.h": "observe",
}
# Headers of other libraries, and the files that may include them (beginnings of paths below runtime/).
KEPT_IN = {
    "hwloc": ["machine/"],
    "urcu": ["memory/record_pool.", "scheduler/roster.", "array/replica."],
    "jansson": ["cli/"],
    "libxml": ["cli/"],
    "pthreadpool": ["adapters/"],
}
OUTSIDE = ("examples", "bench")
INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)[">]')


def room_of(name, bracket, beside):
    """The room an include leads to; None: not ours; "?": ours, but it cannot be told."""
    if name == "weft.h" or name.startswith("weft/"):
        return PUBLIC.get(name, "?")
    first = name.split("/")[0]
    if first in RANK and "/" in name:
        return first
    if bracket == "<":
        return None
    return beside if "/" not in name else "?"


def faults_of_file(path, own, where):
    """Yield what is wrong in one file of room `own`; `where` is its path as the rules know it."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if re.search(r"define\s+_LGPL_SOURCE", line):
            yield f"{path}:{number}: _LGPL_SOURCE puts LGPL code into ours; liburcu is used by its calls only"
        match = INCLUDE.match(line)
        if not match:
            continue
        bracket, name = match.groups()
        room = room_of(name, bracket, own)
        if room == "?":
            yield f"{path}:{number}: {name} is in no room; list it in {pathlib.Path(__file__).name}"
        elif room and room != own and RANK[room] >= RANK[own]:
            yield f"{path}:{number}: {own} may not include {name} of {room}"
        for library, places in KEPT_IN.items():
            inside = name == f"{library}.h" or re.match(rf"{library}[-/\w]*", name) and bracket == "<"
            if inside and not any(where.startswith(place) for place in places):
                yield f"{path}:{number}: {name} may only be included in {', '.join(places)}"


def faults_outside(path):
    """Yield the includes of a file of OUTSIDE that lead into the house."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if match and match[2].split("/")[0] in RANK and "/" in match[2] and match[2].endswith(".h"):  # <parallel/numeric> is C++
            yield f"{path}:{number}: {match[2]} is not public"


def faults(root):
    runtime, include = root / "runtime", root / "include"
    for path in sorted(runtime.rglob("*.[ch]")):
        where = path.relative_to(runtime).as_posix()
        own = where.split("/")[0]
        if own not in RANK:
            yield f"{path}: there is no room of this name"
        else:
            yield from faults_of_file(path, own, where)
    for path in sorted(include.rglob("*.h")):
        where = path.relative_to(include).as_posix()
        if where not in PUBLIC:
            yield f"{path}: in no room; list it in {pathlib.Path(__file__).name}"
        else:
            yield from faults_of_file(path, PUBLIC[where], "include/" + where)
    for folder in OUTSIDE:
        for path in sorted(path for path in (root / folder).rglob("*") if path.suffix in (".c", ".h", ".cpp")):
            yield from faults_outside(path)


CLEAN = {
    "runtime/base/clock.c": '#include "base/clock.h"\n#include <time.h>\n#include "weft/status.h"\n',
    "runtime/machine/plan.c": '#include <hwloc.h>\n#include "base/clock.h"\n#include "weft/plan.h"\n',
    "runtime/memory/record_pool.h": '#include <urcu/wfstack.h>\n#include "memory/pages.h"\n',
    "runtime/cli/main.c": '#include "weft.h"\n#include "table.h"\n#include <jansson.h>\n',
    "include/weft/pool.h": '#include "weft/plan.h"\n',
    "bench/harness/kernel.c": '#include "harness/kernel.h"\n#include <weft/pool.h>\n',
}
PLANTED = {
    "runtime/base/up.c": '#include "machine/plan.h"\n',
    "runtime/base/public.h": '#include "weft/pool.h"\n',
    "runtime/memory/up.c": '#include "scheduler/worker.h"\n',
    "runtime/observe/sideways.c": '#include "adapters/other.h"\n',
    "runtime/scheduler/topology.c": "#include <hwloc/bitmap.h>\n",
    "runtime/scheduler/park.c": "  #  include <urcu-memb.h>\n",
    "runtime/memory/inlined.c": "#define _LGPL_SOURCE\n",
    "runtime/parallel/nowhere.c": '#include "../tests/helper.h"\n',
    "runtime/array/new_header.c": '#include "weft/unlisted.h"\n',
    "runtime/cellar/new_room.c": "\n",
    "include/weft/plan.h": '#include "weft/loop.h"\n',
    "include/weft/task.h": "#include <hwloc.h>\n",
    "examples/main/main.c": '#include "scheduler/pool.h"\n',
    "bench/loops/peer.cpp": '#include "base/clock.h"\n',
}


def plant(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        plant(root, CLEAN)
        wrong = [f"not a violation: {fault}" for fault in faults(root)]
        plant(root, PLANTED)
        found = list(faults(root))
        wrong += [f"not found: {name}" for name in PLANTED if sum(f"/{name}:" in fault for fault in found) != 1]
    print("\n".join(wrong) or f"{len(PLANTED)} planted violations found, nothing else")
    return bool(wrong)


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = list(faults(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
    print("\n".join(found) or "every include goes downwards")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
