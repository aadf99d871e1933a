#!/usr/bin/env python3
"""Turns `ctest -V` output into one line per test, and adds up the results of all legs.

report.py LEG RESULTS   < ctest -V   prints the tests as they end, and appends "status<TAB>leg name<TAB>reason" lines to RESULTS
report.py --total RESULTS            prints what was skipped and failed, and the closing line; exit 1 if that is no success
"""
import re
import sys

# "  3/12 Test  #7: unit/plan ....   Passed    0.03 sec", and the tests that have not run: "***Skipped", "***Failed", "***Timeout"
RESULT = re.compile(r"\s*\d+/(\d+) Test\s+#(\d+): (\S+) [. ]*(Passed|.*?\*\*\*.*?)\s+([\d.]+) sec")
OUTPUT = re.compile(r"(\d+): ?(.*)")
NOISE = re.compile(r"(Test command|Working Directory|Environment variables|Test timeout computed to be):?\s")


def status_of(text):
    if text == "Passed":
        return "passed"
    return "skipped" if text.startswith("***Skipped") else "failed"


def follow(leg, lines, results):
    """Print and record each test of one ctest run. A run that ended before its last test is a failure of its own."""
    output, expected, seen, rest, quiet = {}, 0, 0, [], False
    for line in lines:
        line = line.rstrip("\n")
        if match := RESULT.match(line):
            total, number, name, text, seconds = match.groups()
            expected, seen = int(total), seen + 1
            status, said = status_of(text), output.pop(number, [])
            reason = said[-1].strip().removeprefix("skipped: ") if said and status == "skipped" else ""
            if status == "failed":
                reason = text.replace("***", " ").strip(" :")
                print("".join(f"    {row}\n" for row in said), end="")
            print(f"{status}  {leg} {name}  {seconds} s{f'  ({reason})' if reason else ''}", flush=True)
            results.write(f"{status}\t{leg} {name}\t{reason}\n")
        elif match := OUTPUT.match(line):
            number, text = match.groups()
            quiet = NOISE.match(text) is not None or (quiet and text.startswith(" "))
            if not quiet and (text.strip() or number in output):
                output.setdefault(number, []).append(text)
        else:
            quiet = False
            rest.append(line)
    ended = any("tests passed" in line or "No tests were found" in line for line in rest)
    if seen < expected or not ended:
        print("\n".join(rest[-20:] + [row for rows in output.values() for row in rows[-40:]]))
        reason = f"{seen} of {expected or 'unknown'} ran, then time ran out or ctest failed"
        print(f"failed  {leg} ctest  ({reason})")
        results.write(f"failed\t{leg} ctest\t{reason}\n")


def total(rows):
    for wanted in ("skipped", "failed"):
        for status, name, reason in rows:
            if status == wanted:
                print(f"{status}: {name}: {reason or 'no reason given'}")
    passed, failed, skipped = (sum(row[0] == status for row in rows) for status in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not failed else 1


def main():
    if sys.argv[1] == "--total":
        with open(sys.argv[2], encoding="utf-8") as results:
            return total([line.rstrip("\n").split("\t") for line in results])
    sys.stdin.reconfigure(errors="replace")
    with open(sys.argv[2], "a", encoding="utf-8") as results:
        follow(sys.argv[1], sys.stdin, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
