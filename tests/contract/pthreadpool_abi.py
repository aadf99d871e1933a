#!/usr/bin/env python3
"""The installed libpthreadpool.so.0 takes the place of Debian's: the same SONAME, exactly the same symbols, and it finds libweft from where it
lies. Run with the folder that weft was installed to.

pthreadpool_abi.py PREFIX
"""
import ctypes
import ctypes.util
import pathlib
import re
import subprocess
import sys

NAME = "libpthreadpool.so.0"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def debians():
    """The library that programs get without being told otherwise, or None."""
    found = re.search(rf"^\s*{re.escape(NAME)} .*=> (\S+)$", output("/sbin/ldconfig", "-p"), re.M)
    return found and found[1]


def face(library):
    """SONAME, and the names with type and version that it gives others."""
    soname = re.search(r"\(SONAME\).*\[(.*)\]", output("readelf", "-d", library))[1]
    return {f"SONAME {soname}"} | {" ".join(line.split()[-2:]) for line in output("nm", "-D", "--defined-only", library).splitlines()}


def runs(library):
    """It can be loaded, and runs a loop."""
    pthreadpool = ctypes.CDLL(str(library))
    pthreadpool.pthreadpool_create.restype = ctypes.c_void_p
    pthreadpool.pthreadpool_get_threads_count.restype = ctypes.c_size_t
    pool = ctypes.c_void_p(pthreadpool.pthreadpool_create(ctypes.c_size_t(2)))
    items = []
    item = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)(lambda _, i: items.append(i))
    pthreadpool.pthreadpool_parallelize_1d(pool, item, None, ctypes.c_size_t(10), ctypes.c_uint32(0))
    threads = pthreadpool.pthreadpool_get_threads_count(pool)
    pthreadpool.pthreadpool_destroy(pool)
    loaded = {line.split()[-1] for line in pathlib.Path("/proc/self/maps").read_text(encoding="utf-8").splitlines() if "/" in line}
    return threads == 2 and sorted(items) == list(range(10)), sorted(path for path in loaded if "weft" in path)


def main():
    prefix = pathlib.Path(sys.argv[1])
    library = next(prefix.rglob(NAME))
    right, loaded = runs(library)
    wrong = [] if right else [f"{library} did not run 10 items on 2 threads"]
    wrong += [f"{path} is not the installed one" for path in loaded if not path.startswith(str(prefix.resolve()))]
    wrong += [f"{path} would take Debian's place for all programs" for path in prefix.rglob("libpthreadpool*") if path.parent.name != "weft"]
    theirs = debians()
    if theirs:
        wrong += [f"{line}: only in Debian's {theirs}" for line in sorted(face(theirs) - face(library))]
        wrong += [f"{line}: not in Debian's {theirs}" for line in sorted(face(library) - face(theirs))]
    print("\n".join(wrong) or (f"{len(face(library)) - 1} symbols, as in {theirs}" if theirs else f"{NAME} of Debian is not installed"))
    return 1 if wrong else 0 if theirs else 77


if __name__ == "__main__":
    sys.exit(main())
