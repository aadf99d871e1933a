#!/usr/bin/env python3
"""Counts the instructions of weft's hot paths with callgrind, and holds them to recorded bounds.

count.py --bounds FILE --build NAME PROGRAM

PROGRAM is that of count.c. FILE names the builds that have bounds in its first line, and has a line for each case: its name, a bound
for each build, and what is counted. The exit code is 1 where a count is above its bound, 77 where there is no bound for this build
or no valgrind. Bounds only fall: who makes a path shorter lowers its bound, who must make one longer says why in the commit.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys

CASES = {
    "typed": "spawn and sync of a typed task: fib, the work of a call included",
    "plain": "weft_spawn() and weft_sync(): the same",
    "loop_inside": "weft_for() over two items from a task, on one worker",
    "loop_outside": "weft_for() over two items from a thread outside, its share of it, on one worker",
    "submit": "weft_submit(), the submitter's part",
    "scratch": "weft_scratch_alloc() of 64 bytes, the loop around it included",
    "arena": "weft_scratch_acquire() and weft_scratch_release() on a worker",
    "section": "weft_array_read_begin(), weft_array_read_local(), weft_array_read_end() on a worker",
    "pair": "weft_local_alloc() of 64 bytes and weft_free(), the loop included",
    "pair_any": "the same of a size that the compiler does not know",
}


class Missing(Exception):
    """Nothing can be counted here."""


def count(program, case):
    """Instructions per operation."""
    valgrind = shutil.which("valgrind")
    if not valgrind:
        raise Missing("valgrind is not installed")
    ended = subprocess.run(
        [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no", "--toggle-collect=measured_*",
         str(program), case],
        capture_output=True, text=True, check=False,
    )
    collected = re.search(r"Collected : (\d+)", ended.stderr)
    if ended.returncode or not collected:
        raise RuntimeError(f"{case}: exit code {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return int(collected[1]) / int(ended.stdout)


def read_bounds(path, build):
    """{case: bound} of that build."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    if build not in rows[0]:
        raise Missing(f"no bounds are recorded for {build}, only for {', '.join(rows[0][1:])}")
    column = rows[0].index(build)
    return {row[0]: float(row[column]) for row in rows[1:]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--bounds", type=pathlib.Path, required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("program", type=pathlib.Path)
    options = parser.parse_args()
    try:
        bounds, failed = read_bounds(options.bounds, options.build), False
        for case, what in CASES.items():
            counted = count(options.program, case)
            above = counted > bounds[case]
            failed |= above
            print(f"{case}: {counted:.1f} instructions, at most {bounds[case]:g}{': TOO MANY' if above else ''} ({what})")
    except Missing as reason:
        print(reason)
        return 77
    return failed


if __name__ == "__main__":
    sys.exit(main())
