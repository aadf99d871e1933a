#!/usr/bin/env python3
"""No file is longer than 600 lines, no function longer than 70: each should fit a reader's head.

lengths.py [ROOT]      check the checkout at ROOT (default: here)
lengths.py --self-test see that both are found
"""
import pathlib
import re
import sys
import tempfile

FILE_LINES, FUNCTION_LINES = 600, 70
FOLDERS = ("runtime", "include", "examples", "tests", "bench")
# In our format a function begins with a line at the left edge that ends its parameters and opens its body, and ends with a "}"
# at the left edge. Parameters may have begun lines before; the body is what is counted.
OPENS = re.compile(r"^(?!(struct|union|enum|typedef|extern)\b).*\)\s*\{$")


def functions(lines):
    """Yield (first line, number of lines) of each function."""
    first = None
    for number, line in enumerate(lines, 1):
        if first is None and OPENS.match(line) and (line[0] not in " \t#/*" or number > 1 and lines[number - 2].endswith(",")):
            first = number
        elif line.startswith("}") and first is not None:
            yield first, number - first + 1
            first = None


def faults(root):
    for folder in FOLDERS:
        for path in sorted(path for path in (root / folder).rglob("*") if path.suffix in (".c", ".h", ".cpp")):
            lines = path.read_text(encoding="utf-8").splitlines()
            if len(lines) > FILE_LINES:
                yield f"{path}: {len(lines)} lines, {FILE_LINES} at most"
            for first, count in functions(lines):
                if count > FUNCTION_LINES:
                    yield f"{path}:{first}: a function of {count} lines, {FUNCTION_LINES} at most"


def self_test():
    body = "    x++;\n" * (FUNCTION_LINES - 2)
    files = {
        "runtime/fits.c": f"struct a {{\n{'    int b;' * 100}\n}};\nstatic void f(int a) {{\n{body}}}\n",
        "runtime/function.c": f"void f(int a) {{\n{body}    x++;\n}}\n",
        "tests/wrapped.c": f"static void f(int a,\n              int b) {{\n    if (a) {{\n    }}\n{body}}}\n",
        "include/file.h": "\n" * (FILE_LINES + 1),
        "bench/file.cpp": "\n" * (FILE_LINES + 1),
    }
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        found = sorted(fault[len(folder) + 1 :].split(":")[0] for fault in faults(root))
    expected = ["bench/file.cpp", "include/file.h", "runtime/function.c", "tests/wrapped.c"]
    print(f"found {', '.join(found)}")
    return found != expected


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = list(faults(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
    print("\n".join(found) or "every file and function is short enough")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
