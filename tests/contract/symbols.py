#!/usr/bin/env python3
"""The shared library exports exactly the functions and variables that the public headers declare, and the archive claims only our two prefixes.

symbols.py INCLUDE_DIR LIBWEFT_A [LIBWEFT_SO]
"""
import pathlib
import re
import subprocess
import sys


def names(*command):
    """Names that nm prints, without the version of a symbol and without the symbols that are version names themselves."""
    lines = subprocess.run(["nm", *command], check=True, capture_output=True, text=True).stdout.splitlines()
    fields = [line.split() for line in lines]
    return {field[2].split("@")[0] for field in fields if len(field) == 3 and field[1] != "A"}


def declared(include):
    text = "\n".join(path.read_text(encoding="utf-8") for path in include.rglob("*.h"))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return set(re.findall(r"^WEFT_API\b[^;]*?\b(weft_\w+)\(|^extern WEFT_API\b[^;]*?\b(weft_\w+)\s*(?:;|__attribute__)", text, re.M))


def main():
    include, archive, *shared = sys.argv[1:]
    public = {function or variable for function, variable in declared(pathlib.Path(include))}
    wrong = [f"{name} is global in the archive, without our prefix" for name in names("--defined-only", "-g", archive)
             if not re.match(r"weft_|wf_", name)]
    for library in shared:
        exported = names("-D", "--defined-only", library)
        wrong += [f"{name} is exported but in no public header" for name in exported - public]
        wrong += [f"{name} is in a public header but not exported" for name in public - exported]
    print("\n".join(sorted(wrong)) or f"{len(public)} names declared, and exported where there is a shared library")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
