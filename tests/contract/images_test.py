#!/usr/bin/env python3
"""Runs examples/images on generated files, whole and broken ones, and compares what it wrote with an independent path.

usage: images_test.py IMAGES REFERENCE    (exit code 0 or 1; REFERENCE: images_reference, or "" where stb is missing)
"""
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

COUNT, SIZE, RESIZE, BATCH = 90, 64, 73, 16
FULL, SCALED = (1.0, 40.0), (6.0, 160.0)  # mean and largest difference from the reference, of 255
COMMON = ["--size", str(SIZE), "--batch", str(BATCH)]
# More workers than cores need a pretended machine.
WIDTHS = [["--workers", "1"], [], ["--topology", "core:3 pu:1"], ["--topology", "node:2 core:2 pu:1", "--readers", "5"],
          ["--tokens", "1"], ["--node", "0", "--locked"]]


class Images:
    """The example, and the folder its runs write to."""

    def __init__(self, program, folder):
        self.program, self.folder, self.runs = program, pathlib.Path(folder), 0

    def run(self, *arguments, code=0, limit=None, output=True):
        """(folder with the output, standard error)."""
        self.runs += 1
        out = self.folder / f"out{self.runs}"
        command = [self.program, *COMMON, *(["--output", str(out)] if output else []), *map(str, arguments)]
        ran = subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", timeout=240, preexec_fn=limit)
        assert ran.returncode == code, f"{command} returned {ran.returncode}, not {code}: {ran.stderr}"
        assert "Sanitizer" not in ran.stderr, ran.stderr
        return out, ran.stderr


def contents(out):
    return {file.name: file.read_bytes() for file in sorted(out.iterdir())}


def named(out):
    """Paths in the index, in order."""
    return [line.split("\t")[4] for line in (out / "index.tsv").read_text().splitlines()[1:]]


def rows(out):
    """Every image's row, by path."""
    found = {}
    shards = {}
    for line in (out / "index.tsv").read_text().splitlines()[1:]:
        shard, row, _, _, path = line.split("\t")
        data = shards.setdefault(shard, (out / f"shard-{int(shard):05}.npy").read_bytes())
        bytes_each = SIZE * SIZE * 3 * 4
        found[path] = data[128 + int(row) * bytes_each:128 + (int(row) + 1) * bytes_each]
        assert len(found[path]) == bytes_each, f"{path}: row {row} is not in its shard"
    return found


def check_widths(images, whole):
    """The same bytes however many workers, tokens and readers there are."""
    expected = None
    for width in WIDTHS:
        out, _ = images.run(*width, whole)
        found = contents(out)
        expected = expected or found
        assert found == expected, f"{width} wrote something else"
        assert len(found) == -(-COUNT // BATCH) + 1, f"{width}: {list(found)}"
        assert named(out) == sorted(named(out)) and len(named(out)) == COUNT
        shutil.rmtree(out)


def check_reference(images, whole, reference):
    if not reference:
        print("no independent decoder here: stb is not installed; rows were not compared with it")
        return
    for options, limits in ((["--full-decode"], FULL), ([], SCALED)):
        out, _ = images.run(*options, whole)
        subprocess.run([reference, out, str(SIZE), str(RESIZE), *map(str, limits)], check=True, timeout=240)


def check_shuffle(images, whole):
    plain, _ = images.run(whole)
    orders = {}
    for seed in (1, 1, 2):
        for width in ([], ["--workers", "1"]):
            out, _ = images.run("--shuffle", "--seed", seed, *width, whole)
            assert rows(out) == rows(plain), "a shuffled run holds other images"
            orders.setdefault(seed, set()).add(tuple(named(out)))
    assert len(orders[1]) == 1 and len(orders[2]) == 1, "the order depends on more than the seed"
    assert orders[1] != orders[2] and tuple(named(plain)) not in orders[1], "nothing was shuffled"


def check_window(images, whole):
    """A window shuffles as its seed says, and with the same seed the same bytes come out however many workers there are."""
    plain, _ = images.run(whole)
    found = {}
    for seed in (1, 2):
        for width in WIDTHS:
            out, _ = images.run("--shuffle-window", "20", "--seed", seed, *width, whole)
            assert rows(out) == rows(plain), "a shuffled run holds other images"
            found.setdefault(seed, contents(out))
            assert contents(out) == found[seed], f"{width} wrote something else"
            shutil.rmtree(out)
    orders = [found[seed]["index.tsv"] for seed in (1, 2)] + [contents(plain)["index.tsv"]]
    assert len(set(orders)) == 3, "nothing was shuffled"
    out, _ = images.run("--shuffle-window", COUNT * 2, "--shuffle", "--drop-last", whole)
    assert len(named(out)) == COUNT - COUNT % BATCH


def check_drop_last(images, whole):
    out, _ = images.run("--drop-last", whole)
    assert len(named(out)) == COUNT - COUNT % BATCH and COUNT % BATCH


def break_some(whole, broken):
    """A copy of the files in which some are broken: {name: what the report must say}."""
    shutil.copytree(whole, broken)
    files = sorted(broken.rglob("*.jpg"))
    data = files[3].read_bytes()
    files[3].write_bytes(data[:len(data) // 2])
    files[7].write_bytes(b"")
    files[11].write_bytes(b"this is text\n" * 100)
    files[15].write_bytes(data[:2])
    damaged = bytearray(files[20].read_bytes())
    damaged[6:40] = bytes(34)
    files[20].write_bytes(damaged)
    huge = bytearray(files[24].read_bytes())
    frame = next(at for at in range(2, len(huge)) if huge[at] == 0xFF and huge[at + 1] in (0xC0, 0xC2))
    huge[frame + 5:frame + 9] = b"\xff\xdc\xff\xdc"
    files[24].write_bytes(huge)
    (broken / "dangling.jpg").symlink_to("nowhere")
    (broken / "pipe.jpg").mkdir()
    return {files[3]: "broken", files[7]: "empty", files[11]: "Not a JPEG", files[15]: "broken", files[24]: "too many"}, files[20]


def check_broken(images, whole):
    broken = images.folder / "broken"
    expected, damaged = break_some(whole, broken)
    out, errors = images.run(broken, code=3)
    for file, what in expected.items():
        line = [line for line in errors.splitlines() if f"{file}:" in line]
        assert len(line) == 1 and what in line[0], f"{file}: {what} not named in {errors}"
    left = set(named(out))
    assert not left & {str(file) for file in expected}
    assert len(left) >= COUNT - len(expected) - 1, errors
    good, _ = images.run(whole)
    same = {path.replace(str(broken), str(whole)): row for path, row in rows(out).items() if path != str(damaged)}
    assert same.items() <= rows(good).items(), "an image beside a broken one is not what it was"
    out, errors = images.run(broken / "missing.jpg", *sorted(whole.rglob("*.jpg"))[:3], code=3)
    assert "missing.jpg: unreadable: No such file" in errors and len(named(out)) == 3


def check_full_disk(images, whole):
    """A shard that cannot be written: what the index names is there, and no part of another one."""
    clean, _ = images.run(whole)
    limit = (clean / "shard-00000.npy").stat().st_size - 1
    last = max(file.stat().st_size for file in clean.iterdir())
    assert limit < last
    out, errors = images.run(whole, code=1, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert "shard-00000.npy" in errors and "File too large" in errors and "stage 'write'" in errors, errors
    assert list(contents(out)) == ["index.tsv"] and named(out) == []
    mount = images.folder / "small"
    mount.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={3 * last}", "tmpfs", mount], capture_output=True).returncode:
        print("no small disk could be made: only the limit of a file's size was checked")
        return
    try:
        _, errors = images.run("--output", mount / "out", whole, code=1, output=False)
        assert "No space left" in errors, errors
        found, complete = contents(mount / "out"), contents(clean)
        shards = [name for name in found if name != "index.tsv"]
        assert len(shards) == 2 and all(found[name] == complete[name] for name in shards), shards
        assert set(rows(mount / "out")) == set(list(rows(clean))[:2 * BATCH])
    finally:
        subprocess.run(["umount", mount], check=True)


def check_full_index(images, whole):
    """An index that ends in the middle of a shard's lines: it names all rows of the shards before, and nothing else is left."""
    small, kept = ["--size", "2", "--resize", "2", whole], 2
    clean, _ = images.run(*small)
    complete = contents(clean)
    lines = complete.pop("index.tsv").splitlines(True)
    limit = len(b"".join(lines[:1 + kept * BATCH + BATCH // 2])) - 1
    assert limit > max(map(len, complete.values())), "shards are larger than their index"
    out, errors = images.run(*small, code=1, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert "index.tsv" in errors and "File too large" in errors and "stage 'write'" in errors, errors
    expected = dict(list(complete.items())[:kept], **{"index.tsv": b"".join(lines[:1 + kept * BATCH])})
    assert contents(out) == expected, f"left: {list(contents(out))}, {contents(out)['index.tsv']}"


def check_wrong_use(images, whole):
    for arguments, what in (([], "no input"), ([whole, "--size", "0"], "size"), ([whole, "--resize", "10"], "resize"),
                            ([whole, "--mean", "1,2"], "mean"), ([whole, "--deviation", "1,0,1"], "deviation"),
                            ([whole, "--tokens", "0"], "tokens"), ([whole, "--shuffle-window", "0"], "shuffle-window"),
                            ([whole, "--node", "99"], "node"),
                            ([whole, "--device", "zz"], "device"), ([whole, "--batch", "x"], "batch"),
                            ([images.folder / "nothing-here-but", "--node", "0", "--device", "0"], "--device")):
        _, errors = images.run(*arguments, code=64)
        assert what in errors and len(errors.splitlines()) <= 3, f"{arguments}: {errors}"
    empty = images.folder / "empty"
    empty.mkdir()
    assert "--generate" in images.run(empty, code=64)[1]
    (images.folder / "file").write_bytes(b"")
    assert "Not a directory" in images.run("--output", images.folder / "file" / "x", whole, code=1, output=False)[1]


def main(program, reference):
    with tempfile.TemporaryDirectory(prefix="weft-images-") as folder:
        images = Images(program, folder)
        whole = images.folder / "whole"
        out, _ = images.run("--generate", COUNT, whole)
        assert len(list(whole.rglob("*.jpg"))) == COUNT and len(named(out)) == COUNT
        for check in (check_widths, check_shuffle, check_window, check_drop_last, check_broken, check_full_disk, check_full_index,
                      check_wrong_use):
            check(images, whole)
            print(f"passed: {check.__name__[6:]}", flush=True)
        check_reference(images, whole, reference)
        print("passed: reference")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
