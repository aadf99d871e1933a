"""Runs the programs of a workload in turn, round by round, and prints what they measured: Markdown, and JSON on demand.

A workload's `measure` describes it by a Workload and hands over to main(). A program prints lines of JSON (harness/bench.h). A round
runs every program once, each in a process of its own, on two CPUs; the next round begins with another program. A figure is the
median of the rounds' medians.
"""
import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    build: str  # which compiler's programs: "gcc" (the build's own), "clang", or "extra"
    program: str
    package: str


SERIAL, SERIAL_CLANG = Peer("serial", "gcc", "serial", "gcc"), Peer("serial-clang", "clang", "serial", "clang")
WEFT, WEFT_CLANG = Peer("weft", "gcc", "weft", "gcc"), Peer("weft-clang", "clang", "weft", "clang")
LIBGOMP, LIBOMP = Peer("libgomp", "gcc", "openmp", "gcc"), Peer("libomp", "clang", "openmp", "clang, libomp-14-dev")
TBB = Peer("tbb", "gcc", "tbb", "libtbb-dev, g++")
PARALLEL_MODE = Peer("parallel-mode", "gcc", "parallel_mode", "g++")
PTHREADPOOL = Peer("pthreadpool", "gcc", "pthreadpool", "libpthreadpool-dev")
PTHREADPOOL_WEFT = Peer("pthreadpool-weft", "gcc", "pthreadpool_weft", "libpthreadpool-dev")
POOL = Peer("pool", "gcc", "pool", "gcc")
FUTEX = Peer("futex", "gcc", "futex", "gcc")
ALLOCATORS = tuple(
    Peer(name, "gcc", name, package)
    for name, package in (
        ("weft", "gcc"),
        ("glibc", "gcc"),
        ("jemalloc", "libjemalloc-dev"),
        ("mimalloc", "libmimalloc-dev"),
        ("tcmalloc", "libgoogle-perftools-dev"),
        ("tbbmalloc", "libtbb-dev, g++"),
    )
)

# Which peers a kind of workload has; bench/README.md says why not the others.
FORK_JOIN = (SERIAL, SERIAL_CLANG, WEFT, WEFT_CLANG, LIBGOMP, LIBOMP, TBB)
ALGORITHMS = (SERIAL, WEFT, TBB, PARALLEL_MODE)
LOOPS = (SERIAL, SERIAL_CLANG, WEFT, WEFT_CLANG, LIBGOMP, LIBOMP, TBB, PTHREADPOOL, PTHREADPOOL_WEFT, POOL)
RUNTIMES = tuple(peer for peer in LOOPS if peer.program not in ("serial",) and peer.name != "weft-clang")
SHARED_POOLS = (WEFT, PTHREADPOOL, PTHREADPOOL_WEFT)  # one pool, called by many threads
TASKS = (WEFT, TBB, POOL)
GRAPHS = (SERIAL, WEFT, TBB)
OURS = {"weft", "weft-clang", "pthreadpool-weft"}
SLEEPS = 0.3  # CPUs: less than that, and the runtime's threads slept between the runs
SHARED = 0.25  # of the items, run by others than the busiest thread: more than one took part
BASES = {"serial", "serial-clang", "futex", "move_pages", "move_pages-clang"}  # what peers are compared with; no peers themselves
JOIN_ALL = {"libgomp", "libomp", "pthreadpool"}  # a loop ends when every thread has come by, whoever ran the items
PRINTED_BY_CLANG = {"weft-clang": "weft (clang)", "serial-clang": "serial (clang)"}


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    unit: str  # of the figures
    peers: tuple
    workers: tuple = (2,)
    rounds: int = 5
    milliseconds: int = 30  # per row and round
    base: str = "serial"  # what "/ base" is measured by
    tail: bool = False  # print the 99th percentile as well
    shares: bool = False  # print the share of the items that others than the busiest thread ran
    alone: bool = False  # print the ratio to the same way on one worker
    asleep: bool = False  # print how many CPUs the process kept busy; in the summary, compare only peers that sleep
    together: bool = False  # in the summary, compare only ways in which more than one thread took part
    paired: bool = False  # a ratio is the median of the rounds' own: one process measured both
    note: str = ""


class Failure(Exception):
    """The measurement is not worth printing."""


class Missing(Exception):
    """Nothing of what was asked for is installed."""


def run(program, workers, milliseconds, cpus):
    """The lines of JSON that it prints."""
    command = [str(program), str(workers), str(milliseconds)]
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, preexec_fn=lambda: os.sched_setaffinity(0, cpus)
    )
    if ended.returncode:
        raise Failure(f"{' '.join(command)}: exit code {ended.returncode}")
    return [json.loads(line) for line in ended.stdout.splitlines()]


class Found:
    """What the rounds gave. A key is (row, workers, peer, way)."""

    def __init__(self, paired=False):
        self.paired = paired
        self.versions, self.results, self.round_trips = {}, {}, []

    def add(self, program, workers, lines):
        peer = program
        for line in lines:
            if "version" in line:
                if "runtime" in line:  # of several in one program
                    peer = line["runtime"] + "-clang" * by_clang(program) if line["runtime"] else program
                self.versions[peer] = PRINTED_BY_CLANG.get(peer, line["version"])
            elif "round_trip_ns" in line:
                self.round_trips.append(line["round_trip_ns"])
            else:
                self.results.setdefault((line["row"], workers, peer, line["way"]), []).append(line)

    def check(self, rounds):
        for key, results in self.results.items():
            if len(results) % rounds:  # a program may measure a row several times
                raise Failure(f"{key} was measured {len(results)} times in {rounds} rounds")
        for peer in self.versions:
            if not any(key[2] == peer for key in self.results):
                raise Failure(f"{peer} measured nothing")

    def values(self, key, what="value"):
        return [result[what] for result in self.results[key] if what in result]

    def median(self, key, what="value"):
        values = self.values(key, what)
        return statistics.median(values) if values else None

    def cases(self):
        """(row, workers), in order; what only serial programs ran is no case of its own."""
        keys = [key for key in self.results if key[2] not in BASES] or self.results
        return list(dict.fromkeys(key[:2] for key in keys))

    def keys(self, case):
        return [key for key in self.results if key[:2] == case]

    def counts(self, key, workload):
        """It is to be compared: more than one thread took part, or it slept, where the workload is about that."""
        shared = key[2] in JOIN_ALL or (self.median(key, "others") or 0) >= SHARED
        return (shared or not workload.together) and ((self.median(key, "cpus") or 0) < SLEEPS or not workload.asleep)

    def best(self, case, peers, workload):
        """The fastest way of these peers, or None."""
        keys = [key for key in self.keys(case) if key[2] in peers and self.counts(key, workload)]
        return min(keys, key=self.median, default=None)

    def first(self, case, peer, workload=None):
        """The peer's first way: what its users get when they ask for nothing."""
        return next((key for key in self.keys(case) if key[2] == peer and (not workload or self.counts(key, workload))), None)


def number(value):
    if value is None:
        return ""
    for limit, form in ((0.0005, "0"), (1, ".3f"), (10, ".2f"), (100, ".1f")):
        if value < limit:
            return format(value, form) if form != "0" else "0"
    return f"{value:,.0f}"


def ratio(found, key, base):
    if not key or not base or not found.median(base):
        return ""
    if found.paired and by_clang(key[2]) == by_clang(base[2]):
        return f"{statistics.median(a / b for a, b in zip(found.values(key), found.values(base))):.2f}"
    return f"{found.median(key) / found.median(base):.2f}"


def table_row(cells):
    return f"| {' | '.join(cells)} |"


def header(titles, numbers_from):
    return [table_row(titles), f"|{'|'.join('---' if at < numbers_from else '---:' for at in range(len(titles)))}|"]


def label(found, key):
    return found.versions[key[2]] + (f", {key[3]}" if key[3] else "")


def by_clang(peer):
    return peer.endswith("-clang") or peer == "libomp"


def others(found, clang):
    """The peers by that compiler that are neither weft nor what all are compared with."""
    return [peer for peer in found.versions if peer not in OURS | BASES and by_clang(peer) == clang]


def figure(found, key):
    """The median, and the way where it is not the peer's first."""
    if not key:
        return ""
    return number(found.median(key)) + (f" ({key[3]})" if key != found.first(key[:2], key[2]) else "")


def summary(workload, found):
    """One line per case: weft's first way, and the best way of the best peer, for each compiler."""
    base = workload.base
    titles = ["workload", "workers", base, "weft", "best peer", "", "weft / best", f"weft / {base}"]
    both = any(by_clang(peer) for peer in found.versions)
    titles += ["weft (clang)", "best peer by clang", "", "weft / best", f"weft / {base}"] if both else []
    yield from header(titles, 2)
    for case in found.cases():
        cells = [f"{workload.name}: {case[0]}", str(case[1]), figure(found, base_of(workload, found, case, "weft"))]
        for clang, name in enumerate(("weft", "weft-clang")[: 1 + both]):
            weft, best = found.first(case, name, workload), found.best(case, others(found, bool(clang)), workload)
            cells += [figure(found, weft), label(found, best) if best else "", number(found.median(best)) if best else ""]
            cells += [ratio(found, weft, best), ratio(found, weft, base_of(workload, found, case, name))]
        yield table_row(cells)


def base_of(workload, found, case, peer):
    """The base of this case: compiled by the same compiler where there is one, on one worker where it was measured on one only."""
    names = [f"{workload.base}-clang"] if by_clang(peer) else []
    for name in [*names, workload.base]:
        for workers in (case[1], 1):
            key = found.first((case[0], workers), name)
            if key:
                return key
    return None


def case_table(workload, found, case):
    titles = ["runtime", workload.unit, "range", *["p99"] * workload.tail, *["CPUs"] * workload.asleep]
    titles += ["others' share"] * workload.shares
    yield f"**{workload.name}: {case[0]}, {case[1]} worker{'s' * (case[1] > 1)}**"
    yield ""
    titles += ["/ weft", f"/ {workload.base}", "/ best peer", *["/ 1 worker"] * workload.alone]
    yield from header(titles, 1)
    best = {clang: found.best(case, others(found, clang), workload) for clang in (False, True)}
    weft = {clang: found.first(case, "weft-clang" if clang else "weft") for clang in (False, True)}
    for key in found.keys(case):
        values = found.values(key)
        cells = [label(found, key), number(statistics.median(values)), f"{number(min(values))}–{number(max(values))}"]
        if workload.tail:
            cells.append(number(found.median(key, "p99")))
        if workload.asleep:
            cells.append(number(found.median(key, "cpus")))
        if workload.shares:
            share = found.median(key, "others")
            cells.append("" if share is None else f"{100 * share:.0f} %")
        clang = by_clang(key[2])
        cells += [ratio(found, key, base) for base in (weft[clang], base_of(workload, found, case, key[2]), best[clang])]
        if workload.alone:
            one = (case[0], 1, *key[2:])
            cells.append(ratio(found, key, one if one in found.results else None))
        yield table_row(cells)
    yield ""


def processor():
    said = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return said[1] if said else platform.machine()


def compilers():
    said = []
    for compiler in ("gcc", "clang"):
        try:
            first = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()[0]
            said.append(f"{compiler} {re.search(r'[0-9]+[.][0-9.]+', first)[0]}")
        except (OSError, IndexError, TypeError):
            pass
    return ", ".join(said)


def title(workload, found, options):
    trips = [trip for trip in found.round_trips if trip]
    probe = f"{statistics.median(trips):.0f} ns ({min(trips):.0f}–{max(trips):.0f})" if trips else "not measured"
    return (
        f"{datetime.date.today()}, Linux {platform.release()} on {processor()}, CPUs {','.join(map(str, sorted(options.cpus)))}; "
        f"{compilers()}; {workload.unit}; median (range) of {options.rounds} rounds of {options.milliseconds} ms per row; "
        f"round trip of a cache line between the CPUs {probe}."
    )


def programs(workload, options):
    """{name: program} of the peers that are there, and the names of those that are not."""
    folders = {"gcc": options.programs, "clang": options.clang}
    there, left_out = {}, []
    for peer in workload.peers:
        folder = folders[peer.build]
        program = folder.resolve() / f"{workload.name}_{peer.program}" if folder else None
        if program and program.exists():
            there[peer.name] = program
        else:
            left_out.append(peer)
    if options.extra:
        longer = tuple(path.parent.name for path in HERE.parent.glob(f"{workload.name}_*/measure"))
        for program in sorted(options.extra.resolve().glob(f"{workload.name}_*")):
            if not program.name.startswith(longer):
                there[program.name[len(workload.name) + 1 :]] = program
    if options.peers:
        wanted = options.peers.split(",")
        there = {name: program for name, program in there.items() if name in wanted}
        left_out = [peer for peer in left_out if peer.name in wanted or peer.program in wanted]
    return there, left_out


def counts(text):
    return tuple(int(part) for part in text.split(","))


def parse(workload, description):
    parser = argparse.ArgumentParser(prog=f"bench/run {workload.name}", description=description)
    parser.add_argument("--programs", type=pathlib.Path, metavar="FOLDER", required=True, help="of this build (bench/run gives it)")
    clang = os.environ.get("WEFT_BENCH_CLANG")
    parser.add_argument("--clang", type=pathlib.Path, metavar="FOLDER", default=pathlib.Path(clang) / workload.name if clang else None,
                        help="the same programs built by clang (bench/run gives them in WEFT_BENCH_CLANG)")
    parser.add_argument("--extra", type=pathlib.Path, metavar="FOLDER", help=f"more peers: its programs {workload.name}_NAME")
    parser.add_argument("--peers", help=f"only these, separated by commas (default: {','.join(peer.name for peer in workload.peers)})")
    parser.add_argument("--workers", type=counts, default=workload.workers, help="separated by commas (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=workload.rounds, help="processes per peer (default: %(default)s)")
    parser.add_argument("--milliseconds", type=float, default=workload.milliseconds, help="per row and round (default: %(default)s)")
    parser.add_argument("--cpus", type=lambda text: set(counts(text)), help="to run on (default: the first two of this process)")
    parser.add_argument("--summary", action="store_true", help="print the summary only")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write every result there")
    options = parser.parse_args()
    options.cpus = options.cpus or set(sorted(os.sched_getaffinity(0))[:2])
    known = {name for peer in workload.peers for name in (peer.name, peer.program)}
    unknown = [name for name in (options.peers or "").split(",") if name and name not in known and not options.extra]
    if unknown:
        parser.error(f"no such peer: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return options


def flat(workload, found):
    for (row, workers, peer, way), results in found.results.items():
        yield {"workload": workload.name, "unit": workload.unit, "row": row, "workers": workers, "peer": peer,
               "version": found.versions[peer], "way": way, "median": statistics.median(result["value"] for result in results),
               "results": results}


def write_json(path, rows, **more):
    facts = {"date": str(datetime.date.today()), "kernel": platform.release(), "processor": processor(), "compilers": compilers()}
    path.write_text(json.dumps({**facts, **more, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def measure(workload, options):
    there, left_out = programs(workload, options)
    if not there:
        raise Missing(f"not installed when this was built: {', '.join(f'{peer.name} ({peer.package})' for peer in left_out)}")
    found, names = Found(workload.paired), list(there)
    for round_ in range(options.rounds):
        print(f"{workload.name}: round {round_ + 1} of {options.rounds}", file=sys.stderr)
        for at in range(len(names)):
            name = names[(at + round_) % len(names)]
            for workers in (1,) if name in BASES else options.workers:
                found.add(name, workers, run(there[name], workers, options.milliseconds, options.cpus))
    order = {peer: at for at, peer in enumerate([*(peer for peer in found.versions if peer not in names), *names])}
    found.results = dict(sorted(found.results.items(), key=lambda item: order[item[0][2]]))
    found.check(options.rounds)
    print(f"## {workload.name}\n\n{title(workload, found, options)}\n")
    if workload.note:
        print(workload.note, end="\n\n")
    print("\n".join(summary(workload, found)), end="\n\n")
    if not options.summary:
        for case in found.cases():
            print("\n".join(case_table(workload, found, case)))
    for peer in left_out:
        print(f"Without {peer.name}: not installed when this was built ({peer.package}).\n")
    if options.json:
        write_json(options.json, list(flat(workload, found)), round_trips_ns=found.round_trips)


def main(workload, description):
    try:
        measure(workload, parse(workload, description))
    except Missing as reason:
        print(f"skipped: {reason}")
        return 77
    except Failure as reason:
        print(f"failed: {reason}")
        return 1
    return 0
