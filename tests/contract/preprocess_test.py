#!/usr/bin/env python3
"""Runs examples/preprocess on a generated corpus and compares every byte with preprocess_reference.py.

usage: preprocess_test.py PREPROCESS [CHECK...]    (exit code 0, 1, or 77 when nothing could be checked)

The corpus comes from a seeded generator; set WEFT_TEST_SEED to repeat a run.
"""
import gzip
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
SETTINGS = ["--shard-tokens", "20000", "--vocabulary", "5000", "--threshold", "0.75", "--max-document", "1", "--jsonl-field",
            "body"]
# More workers than cores need a pretended machine.
WIDTHS = [["--workers", "1"], [], ["--topology", "core:2 pu:1"], ["--topology", "core:3 pu:1"], ["--topology", "node:2 core:2 pu:1"],
          ["--topology", "node:3 core:1 pu:1", "--memory", "0"]]


class Skip(Exception):
    """A check that this machine does not allow, and why."""


class Corpus:
    """Writes files of every kind that the example tells apart."""

    def __init__(self, root, rng):
        self.root, self.rng = root, rng
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.words = ["".join(rng.choices(letters, k=rng.randint(1, 9))) for _ in range(1500)]
        self.words += ["na\u00efve", "\u0444\u044b\u0432\u0430", "\u6f22\u5b57", "\u201cquoted\u201d", "x_1", "3.14", "e\u0301t\u00e9",
                       "\u1100\u1161\u11a8", "a\u0323\u0307", "\u212b", "\U0001f600\U0001f601", "\u0e44\u0e17\u0e22", "{};", "->", "\u00a0",
                       "\U00010400", "\uff08\uff09", "\x01\x7f", "\u0958"]

    def write(self, name, data):
        path = os.path.join(os.fsencode(self.root), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())

    def text(self, words):
        return "".join(self.rng.choice(self.words) + self.rng.choice("     \n\t") for _ in range(words))

    def near(self, text):
        """The text with a few words replaced, dropped or added."""
        words = text.split(" ")
        for _ in range(self.rng.randint(0, max(1, len(words) // 60))):
            at = self.rng.randrange(len(words))
            words[at:at + self.rng.randint(0, 1)] = self.rng.choices(self.words, k=self.rng.randint(0, 2))
        return " ".join(words)

    def families(self):
        for family in range(90):
            text = self.text(self.rng.choice((3, 20, 120, 400)))
            self.write(f"families/{family:03}/original.txt", text)
            for copy in range(self.rng.randint(0, 5)):
                text = self.near(text) if self.rng.random() < 0.7 else text
                folder = self.rng.choice(("families", "elsewhere/deep/er"))
                data = text.encode()
                name = f"{folder}/{family:03}/copy{copy}"
                if self.rng.random() < 0.3:
                    self.write(name + ".gz", gzip.compress(data, mtime=0))
                else:
                    self.write(name, data)

    def forms(self):
        """One text in several disguises, which normalisation makes equal, and edge cases of tokens."""
        text = "Ångström caf\u00e9 \u1ea1\u0307 \uac01 one\ntwo words and a few more\n" * 3
        self.write("forms/nfc", unicodedata.normalize("NFC", text))
        self.write("forms/nfd", unicodedata.normalize("NFD", text))
        self.write("forms/bom", b"\xef\xbb\xbf" + text.encode())
        self.write("forms/crlf", text.replace("\n", "\r\n"))
        self.write("forms/cr", text.replace("\n", "\r"))
        self.write("forms/two-boms", b"\xef\xbb\xbf\xef\xbb\xbf" + text.encode())
        self.write("forms/edges", "\u1fff\u2000\u2001a\u1ffe\u2fff\x0b\x0c\x1c\x85b\ud7ff\ue000\uffff\U0010ffff\r")
        self.write("forms/one-token", "word")
        self.write("forms/long-word", "w" * 100000)
        self.write("forms/long", self.text(20000))
        self.write("forms/late-mark", "a" * 63 + "\n" + "\u0301" * 40 + "e\u0301\n\u0327\u0301")
        for size in range(40):
            self.write(f"forms/short{size:02}", "a" * size + "é" + "b" * (40 - size))

    def broken(self):
        for number, tail in enumerate((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"\xf0\x9f\x98")):
            self.write(f"broken/utf8-{number}", b"some words before " + tail + (b" and after" if number % 2 else b""))
        self.write("broken/binary", b"text\0text")
        self.write("broken/binary.gz", gzip.compress(bytes(1000), mtime=0))
        self.write("broken/empty", b"")
        self.write("broken/bom-only", b"\xef\xbb\xbf")
        self.write("broken/white", b" \n\t\r\n")
        self.write("broken/cut.gz", gzip.compress(self.text(500).encode(), mtime=0)[:-20])
        self.write("broken/plain.gz", b"not compressed after all")
        self.write("broken/large", b"0123456 " * (1 << 17) + b"x")
        self.write("broken/bomb.gz", gzip.compress(b"a " * (1 << 20), mtime=0))
        self.write("broken/lines.jsonl.gz", b"")
        self.write(b"broken/name-\xff\xfe\n\"\\", "a file whose name is not UTF-8")
        self.write("broken/name-\u00e9\U0001f600\x7f", "a file whose name is")
        os.mkfifo(os.path.join(self.root, "broken/fifo"))

    def links(self):
        os.symlink("original.txt", os.path.join(self.root, "families/000/link"))
        os.symlink("nowhere", os.path.join(self.root, "families/000/dangling"))
        os.symlink("..", os.path.join(self.root, "families/000/up"))
        os.link(os.path.join(self.root, "forms/nfc"), os.path.join(self.root, "forms/hard-link"))
        os.symlink("itself", os.path.join(self.root, "itself"))

    def lines(self):
        texts = [self.text(self.rng.randint(1, 60)) for _ in range(90)]
        good = [json.dumps({"id": i, "body": self.near(self.rng.choice(texts))}, ensure_ascii=i % 2 == 0) for i in range(400)]
        bad = ["", "   ", "{", "[1, 2]", "17", "null", '{"text": "another field"}', '{"body": 5}', '{"body": null}', '{"body": ""}',
               '{"body": "a\\u0000b"}', '{"body": "\\ud800"}', '{"body": NaN}', '{"body": "x"} trailing', '{"body": "a\tb"}',
               '  {"body": "white space around"}  ', '{"body": "first", "body": "second"}', '{"body": "e\\u0301"}']
        lines = [line.encode() for line in good + bad] + [b'{"body": "\xff"}', b'{"body": "\xed\xa0\x80"}', b'{"bo\xc3dy": ""}']
        self.rng.shuffle(lines)
        self.write("lines/many.jsonl", b"\n".join(lines))
        self.write("lines/crlf.ndjson", "\r\n".join(good[:9]) + "\r\n\r\n")
        self.write("lines/empty.jsonl", b"")

    def make(self):
        for part in (self.families, self.forms, self.broken, self.links, self.lines):
            part()


def read_tree(path):
    found = {}
    for name in sorted(os.listdir(path)):
        with open(os.path.join(path, name), "rb") as file:
            found[name] = file.read()
    return found


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


class Checks:
    def __init__(self, program, root, rng):
        self.program, self.root = program, root
        self.corpus = os.path.join(root, "corpus")
        Corpus(self.corpus, rng).make()
        os.mkdir(os.path.join(root, "small"))
        with open(os.path.join(root, "small", "text"), "w", encoding="ascii") as file:
            file.write(" ".join(str(i) for i in range(100000)))

    def path(self, *names):
        return os.path.join(self.root, *names)

    def run(self, *arguments, expected=0, **options):
        result = subprocess.run([self.program, *arguments], capture_output=True, text=True, errors="replace", check=False,
                                stdin=subprocess.DEVNULL, timeout=100, **options)
        expect(result.returncode == expected,
               f"{arguments}: exit code {result.returncode}, expected {expected}\n{result.stdout}{result.stderr}")
        return result

    def inputs(self):
        """The corpus, also by two overlapping paths, a link as an argument, and a path that does not exist."""
        return [self.corpus, self.path("corpus", "families"), self.path("corpus", "families", "000", "link"),
                self.path("missing"), self.path("corpus", "families", "000", "dangling")]

    def compare_report(self, got, reference):
        got, reference = json.loads(got), json.loads(reference)
        for problem in got["problems"]:
            expect(isinstance(problem.pop("detail"), str), f"no detail: {problem}")
        for key in reference:
            expect(got[key] == reference[key], f"report.json: {key}: {got[key]}, the reference says {reference[key]}")
        expect(got.keys() == reference.keys(), "report.json has other keys")

    def check_reference(self):
        """The output is that of the reference, byte for byte, for every width."""
        program = [sys.executable, os.path.join(HERE, "preprocess_reference.py"), "-o", self.path("reference")]
        done = subprocess.run([*program, *SETTINGS, *self.inputs()], check=False)
        expect(done.returncode == 3, f"the reference came to {done.returncode}")
        reference = read_tree(self.path("reference"))
        report = reference.pop("report.json")
        first = None
        for number, width in enumerate(WIDTHS):
            out = self.path(f"out{number}")
            self.run("--quiet", "--output", out, *SETTINGS, *width, *self.inputs(), expected=3)
            got = read_tree(out)
            first = first or got
            expect(got == first, f"{width}: not the output of {WIDTHS[0]}: {[n for n in got if got[n] != first.get(n)]}")
            self.compare_report(got["report.json"], report)
            for name in sorted(reference.keys() | got.keys() - {"report.json"}):
                expect(got.get(name) == reference.get(name), f"{width}: {name} is not that of the reference")
        counts = json.loads(report)
        for count, least in (("exact", 50), ("near", 50), ("kept", 100), ("shards", 3)):
            expect(counts[count] >= least, f"the corpus shows too little: {counts[count]} {count}")

    def check_compare(self):
        """--compare says how fast and that results are equal; the summary names what was left out."""
        out = self.path("compared")
        result = self.run("--output", out, "--compare=2", "--jsonl-field=body", *self.inputs(), expected=3)
        for word in ("speed-up", "equal results", "broken-utf8", "local", "steals"):
            expect(word in result.stdout, f"no {word} in\n{result.stdout}")

    def check_rerun(self):
        """A second result takes the place of the first; other files stay; the output inside the input is no input."""
        small, out = self.path("small"), self.path("small", "out")
        self.run("--quiet", "-o", out, "--shard-tokens=10", small, self.path("corpus", "families"))
        expect(len(read_tree(out)) > 5, "few shards")
        with open(os.path.join(out, "shard-notes.txt"), "w", encoding="ascii") as file:
            file.write("mine")
        self.run("--quiet", "-o", out, small)
        expect(sorted(read_tree(out)) == ["duplicates.jsonl", "index.jsonl", "report.json", "shard-00000.bin", "shard-notes.txt"],
               f"left: {sorted(read_tree(out))}")
        os.unlink(os.path.join(out, "shard-notes.txt"))

    def check_no_documents(self):
        """An empty directory is an empty result; nothing but problems is exit code 3."""
        os.mkdir(self.path("nothing"))
        self.run("--quiet", "-o", self.path("out-nothing"), self.path("nothing"))
        expect(read_tree(self.path("out-nothing"))["index.jsonl"] == b"", "an index of nothing")
        self.run("--quiet", "-o", self.path("out-nothing"), self.path("missing"), expected=3)

    def check_bad_use(self):
        """Nonsense is exit code 64, with a word about what is wrong."""
        for bad in (["--workers", "0"], ["--workers", "x"], ["--threshold", "1.5"], ["--threshold", "nan"], ["--bands", "2000"],
                    ["--bands", "1000", "--rows", "2"], ["--shard-tokens", "-1"], ["--vocabulary", "1"], ["--compare=0"],
                    ["--nonsense"], ["--topology", "no such machine"]):
            result = self.run(*bad, "-o", self.path("bad"), self.path("small"), expected=64)
            expect(result.stderr.strip(), f"{bad}: not a word")
        expect(not os.path.exists(self.path("bad")), "bad use made a directory")

    def check_unwritable(self):
        """An output that is a file, or below one, is exit code 1 and named."""
        for out in (self.path("small", "text"), self.path("small", "text", "x"), "/proc/nowhere"):
            result = self.run("-o", out, self.path("small"), expected=1)
            expect(out in result.stderr, f"{out} is not named: {result.stderr}")

    def check_unreadable(self):
        """Files and directories without permission are named. Root may read everything, so it asks as nobody."""
        secret, out = self.path("secret"), self.path("out-secret")
        os.makedirs(os.path.join(secret, "directory"))
        for name in ("file", "lines.jsonl"):
            with open(os.path.join(secret, name), "w", encoding="ascii") as file:
                file.write("text")
            os.chmod(os.path.join(secret, name), 0)
        os.chmod(os.path.join(secret, "directory"), 0)
        os.mkdir(out)
        become = {}
        if os.geteuid() == 0:
            for path in (self.root, out):
                os.chmod(path, 0o777)
            self.program = shutil.copy(self.program, self.path("preprocess"))
            become = {"preexec_fn": lambda: (os.setgroups([]), os.setgid(65534), os.setuid(65534)), "cwd": "/"}
            try:
                subprocess.run([self.program, "--version"], check=True, capture_output=True, **become)
            except (OSError, subprocess.SubprocessError):
                raise Skip("nobody may not run the program") from None
        self.run("--quiet", "-o", out, secret, expected=3, **become)
        os.chmod(os.path.join(secret, "directory"), 0o700)
        report = json.loads(read_tree(out)["report.json"])
        expect(report["counts"]["unreadable"] == 3, str(report))

    def expect_old_result(self, out, before, result, code):
        expect("shard-00000.bin" in result.stderr, f"the shard is not named: {result.stderr}")
        expect(code in result.stderr, f"the reason is not named: {result.stderr}")
        expect(read_tree(out) == before, "the earlier result did not stay as it was")

    def check_file_limit(self):
        """A write that fails half way leaves the earlier result, and no half file."""
        out = self.path("limited")
        os.mkdir(out)
        with open(os.path.join(out, "shard-00000.bin"), "wb") as file:
            file.write(b"old")
        before = read_tree(out)
        limit = 100000
        result = self.run("-o", out, self.path("small", "text"), expected=1,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.expect_old_result(out, before, result, "File too large")

    def check_full_disk(self):
        """The same on a file system of 64 KiB, where this process may mount one."""
        disk = self.path("disk")
        os.mkdir(disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False)
        if mounted.returncode != 0:
            raise Skip("mounting a small file system is not allowed")
        try:
            result = self.run("-o", os.path.join(disk, "out"), self.path("small", "text"), expected=1)
            self.expect_old_result(os.path.join(disk, "out"), {}, result, "No space left on device")
        finally:
            subprocess.run(["umount", disk], check=False)

    def change_while_writing(self, inputs, out):
        """Run on inputs, and replace the last one when the first shard appears. False: it was written already."""
        with subprocess.Popen([self.program, "--quiet", "--workers=1", "--memory=0", "-o", out, inputs]) as process:
            while process.poll() is None and not os.path.exists(os.path.join(out, "shard-00000.bin.tmp")):
                time.sleep(0.001)
            with open(os.path.join(inputs, "zz"), "w", encoding="ascii") as file:
                file.write("other words")
            process.wait(timeout=100)
        return process.returncode == 3

    def check_changed(self):
        """A document that changes between the passes is named, its place holds zeros, and the index leaves it out."""
        inputs, out = self.path("changing"), self.path("out-changing")
        os.mkdir(inputs)
        rng = random.Random(1)
        for number in range(20):
            with open(os.path.join(inputs, f"{number:02}"), "w", encoding="ascii") as file:
                file.write(" ".join(map(str, rng.choices(range(10000), k=150000))))
        for _ in range(5):
            with open(os.path.join(inputs, "zz"), "w", encoding="ascii") as file:
                file.write("first words here")
            shutil.rmtree(out, ignore_errors=True)
            if self.change_while_writing(inputs, out):
                break
        else:
            raise Skip("the shards were always written before the change")
        result = read_tree(out)
        report = json.loads(result["report.json"])
        expect(report["counts"]["changed"] == 1 and report["kept"] == 20, str(report))
        expect(result["shard-00000.bin"].endswith(b"\0" * 12), "the place of the changed document is not empty")
        expect(len(result["shard-00000.bin"]) == 4 * (20 * 150000 + 3), "the shard has another length")
        expect(result["index.jsonl"].count(b"\n") == 20, "the index holds the changed document")

    def check_standard_output(self):
        """A summary that cannot be written is exit code 1."""
        with open("/dev/full", "w", encoding="ascii") as full:
            code = subprocess.run([self.program, "-o", self.path("out-full"), self.path("small", "text")], stdout=full,
                                  stderr=subprocess.DEVNULL, check=False, timeout=100).returncode
        expect(code == 1, f"exit code {code}")


def main():
    program, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:]
    seed = os.environ.get("WEFT_TEST_SEED") or str(random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed} (WEFT_TEST_SEED={seed} repeats it)", flush=True)
    root = tempfile.mkdtemp(prefix="weft-preprocess-")
    failed = 0
    try:
        checks = Checks(program, root, random.Random(seed))
        for name in [n for n in dir(Checks) if n.startswith("check_") and (not wanted or n[6:] in wanted)]:
            try:
                getattr(checks, name)()
                print(f"ok    {name[6:]}", flush=True)
            except Skip as reason:
                print(f"skip  {name[6:]}: {reason}", flush=True)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f"FAIL  {name[6:]}: {error}", flush=True)
    finally:
        if os.environ.get("WEFT_TEST_KEEP"):
            print(f"kept {root}")
        else:
            shutil.rmtree(root)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
