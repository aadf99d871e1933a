#!/usr/bin/env python3
"""runtime/README.md names every file of every room, and no file that is not there. Run in the checkout."""
import pathlib
import re
import sys


def main():
    runtime = pathlib.Path("runtime")
    there = {(path.parent.name, path.stem) for path in runtime.glob("*/*") if path.suffix in (".c", ".h", ".md")}
    named = set()
    for section in re.split(r"^## ", (runtime / "README.md").read_text(encoding="utf-8"), flags=re.M)[1:]:
        room = section.split("\n", 1)[0]
        for names in re.findall(r"^- ((?:`\w+`(?:, )?)+):", section, re.M):
            named |= {(room, name) for name in re.findall(r"`(\w+)`", names)}
    wrong = [f"runtime/README.md does not name {room}/{name}" for room, name in sorted(there - named)]
    wrong += [f"runtime/README.md names {room}/{name}, which is not there" for room, name in sorted(named - there)]
    print("\n".join(wrong) or f"{len(named)} files named")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
