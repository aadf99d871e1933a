#!/usr/bin/env python3
"""Every C block of README.md that has a main() is a program to copy: it compiles against the installed weft without a warning,
runs, and ends with 0.

readme.py README PREFIX
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def pkg_config(prefix, *arguments):
    path = ":".join(str(folder) for folder in prefix.rglob("pkgconfig"))
    command = ["pkg-config", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "PKG_CONFIG_PATH": path}).stdout.split()


def main():
    readme, prefix = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    blocks = re.findall(r"^```c\n(.*?)^```", readme.read_text(encoding="utf-8"), re.M | re.S)
    programs = [block for block in blocks if re.search(r"^int main\(", block, re.M)]
    flags = pkg_config(prefix, "--cflags", "--libs", "weft-static")
    with tempfile.TemporaryDirectory() as folder:
        for program in programs:
            source = pathlib.Path(folder, "program.c")
            source.write_text(program, encoding="utf-8")
            warnings = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
            subprocess.run([os.environ.get("CC", "cc"), *warnings, source, *flags, "-o", source.with_suffix("")], check=True)
            subprocess.run([source.with_suffix("")], check=True, timeout=60)
    print(f"{len(programs)} programs of {readme.name} compile and run")
    return not programs


if __name__ == "__main__":
    sys.exit(main())
