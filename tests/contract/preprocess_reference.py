#!/usr/bin/env python3
"""Does what examples/preprocess/README.md says, one document after the other, with Python's standard library only.

An independent check of the example: it shares no code and no library with it, keeps everything in memory, and is slow.
Details of problems are left out, since their words come from other libraries.
"""
import argparse
import gzip
import json
import math
import os
import re
import stat
import struct
import unicodedata
import zlib

MASK64 = (1 << 64) - 1
MASK32 = (1 << 32) - 1
FAILURES = ("unreadable", "changed", "too-large", "broken-gzip", "broken-utf8", "bad-json", "no-text", "unsupported")
KINDS = FAILURES + ("binary", "empty", "special")
TOKEN = re.compile("[A-Za-z0-9_\x80-\u1fff]+|[^\t-\r ]")


class Problem(Exception):
    """Raised with the kind of problem when a document cannot be used."""


def rotate(x, bits):
    return (x << bits | x >> (64 - bits)) & MASK64


P1, P2, P3, P4, P5 = (11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579,
                      2870177450012600261)


def xxh64_round(acc, lane):
    return rotate((acc + lane * P2) & MASK64, 31) * P1 & MASK64


def xxh64_stripes(data, seed):
    """The part of XXH64 that eats 32 bytes at a time; returns the state and how much was eaten."""
    accs = [(seed + P1 + P2) & MASK64, (seed + P2) & MASK64, seed, (seed - P1) & MASK64]
    end = len(data) - len(data) % 32
    for lanes in struct.iter_unpack("<4Q", data[:end]):
        accs = [xxh64_round(acc, lane) for acc, lane in zip(accs, lanes)]
    h = sum(rotate(acc, bits) for acc, bits in zip(accs, (1, 7, 12, 18))) & MASK64
    for acc in accs:
        h = ((h ^ xxh64_round(0, acc)) * P1 + P4) & MASK64
    return h, end


def xxh64(data, seed=0):
    """Yann Collet's XXH64, from its specification."""
    h, at = xxh64_stripes(data, seed) if len(data) >= 32 else ((seed + P5) & MASK64, 0)
    h = (h + len(data)) & MASK64
    while at + 8 <= len(data):
        h = (rotate(h ^ xxh64_round(0, int.from_bytes(data[at:at + 8], "little")), 27) * P1 + P4) & MASK64
        at += 8
    if at + 4 <= len(data):
        h = (rotate(h ^ int.from_bytes(data[at:at + 4], "little") * P1 & MASK64, 23) * P2 + P3) & MASK64
        at += 4
    for byte in data[at:]:
        h = rotate(h ^ byte * P5 & MASK64, 11) * P1 & MASK64
    h = (h ^ h >> 33) * P2 & MASK64
    h = (h ^ h >> 29) * P3 & MASK64
    return h ^ h >> 32


def splitmix64(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK64
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK64
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK64
        yield z ^ z >> 31


class Document:
    def __init__(self, path, line=0, raw=None):
        self.path, self.line, self.raw = path, line, raw
        self.problem = None
        self.of = self.id = None

    def name(self):
        name = {"path": os.fsdecode(self.path)}
        if self.line:
            name["line"] = self.line
        return name


class Collection:
    """What the walk finds: files by path, and problems of paths that are no files."""

    def __init__(self, paths, skip):
        self.files, self.problems, self.links, self.repeated = {}, [], 0, 0
        self.skip = os.stat(skip) if os.path.exists(skip) else None
        for path in paths:
            self.visit(os.fsencode(path), named=True)
        names = {}
        for path, entry in sorted(self.files.items()):
            if names.setdefault((entry.st_dev, entry.st_ino), path) != path:
                self.repeated += 1
        self.paths = sorted(names.values())

    def visit(self, path, named=False):
        try:
            entry = os.stat(path) if named else os.lstat(path)
        except OSError:
            self.problems.append((path, 0, "unreadable"))
            return
        if stat.S_ISLNK(entry.st_mode):
            self.links += 1
        elif stat.S_ISDIR(entry.st_mode):
            self.visit_directory(path, entry)
        elif not stat.S_ISREG(entry.st_mode):
            self.problems.append((path, 0, "special"))
        elif path.endswith((b".jsonl.gz", b".ndjson.gz")):
            self.problems.append((path, 0, "unsupported"))
        elif path in self.files:
            self.repeated += 1
        else:
            self.files[path] = entry

    def visit_directory(self, path, entry):
        if self.skip and (entry.st_dev, entry.st_ino) == (self.skip.st_dev, self.skip.st_ino):
            return
        try:
            names = os.listdir(path)
        except OSError:
            self.problems.append((path, 0, "unreadable"))
            return
        for name in names:
            self.visit(os.path.join(path, name))


def documents_of(path, problems):
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError:
        if not path.endswith((b".jsonl", b".ndjson")):
            return [Document(path, 0, None)]
        problems.append((path, 0, "unreadable"))
        return []
    if not path.endswith((b".jsonl", b".ndjson")):
        return [Document(path, 0, raw)]
    lines = enumerate(raw.split(b"\n"), 1)
    return [Document(path, number, line) for number, line in lines if line.strip(b" \t\r")]


def refuse_constant(name):
    raise ValueError(name)


def text_of_line(line, field):
    try:
        value = json.loads(line, parse_constant=refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, UnicodeEncodeError):
        raise Problem("bad-json") from None
    if not isinstance(value, dict):
        raise Problem("bad-json")
    if not isinstance(value.get(field), str):
        raise Problem("no-text")
    return value[field]


def decode(raw):
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem("broken-utf8") from None


def text_of(document, options):
    raw = document.raw
    if raw is None:
        raise Problem("unreadable")
    if document.path.endswith(b".gz") and not document.line and raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error):
            raise Problem("broken-gzip") from None
    if len(raw) > options.max_document << 20:
        raise Problem("too-large")
    if not document.line and b"\0" in raw:
        raise Problem("binary")
    text = decode(raw)
    if document.line:
        text = text_of_line(text, options.jsonl_field)
    if "\0" in text:
        raise Problem("binary")
    text = text[1:] if text.startswith("\ufeff") else text
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


class Analysis:
    """Tokens and signatures."""

    def __init__(self, options):
        self.options = options
        self.values = options.bands * options.rows
        numbers = splitmix64(0x77656674)
        self.permutations = [((next(numbers) & MASK32) | 1, next(numbers) & MASK32) for _ in range(self.values)]
        self.known = {}

    def token(self, word):
        if word not in self.known:
            self.known[word] = xxh64(word.encode()) & MASK32
        return self.known[word]

    def signature(self, tokens):
        width = min(self.options.shingle, len(tokens))
        pieces = {tuple(tokens[i:i + width]) for i in range(len(tokens) - width + 1)}
        shingles = {xxh64(struct.pack(f"<{width}I", *piece)) & MASK32 for piece in pieces}
        return [min((s ^ mask) * factor & MASK32 for s in shingles) for factor, mask in self.permutations]

    def analyse(self, document):
        try:
            text = text_of(document, self.options)
            document.tokens = [self.token(word) for word in TOKEN.findall(text)]
            if not document.tokens:
                raise Problem("empty")
        except Problem as problem:
            document.problem = str(problem)
            return
        encoded = text.encode()
        document.bytes = len(encoded)
        document.hash = xxh64(encoded)
        document.signature = self.signature(document.tokens)


def agreement(left, right):
    return sum(a == b for a, b in zip(left.signature, right.signature))


def connect(count, pairs):
    """Smallest id of each id's connected component."""
    neighbours = [[] for _ in range(count)]
    for left, right in pairs:
        neighbours[left].append(right)
        neighbours[right].append(left)
    smallest = [None] * count
    for start in range(count):
        waiting = [start] if smallest[start] is None else []
        while waiting:
            item = waiting.pop()
            if smallest[item] is None:
                smallest[item] = start
                waiting.extend(neighbours[item])
    return smallest


def near_pairs(leaders, options):
    """Pairs of leaders that meet in a bucket, are compared, and agree."""
    needed = math.ceil(options.threshold * options.bands * options.rows)
    buckets = {}
    for document in leaders:
        for band in range(options.bands):
            rows = document.signature[band * options.rows:(band + 1) * options.rows]
            buckets.setdefault(xxh64(struct.pack(f"<{options.rows}I", *rows), band), []).append(document)
    for bucket in buckets.values():
        compared = [(bucket[0], other) for other in bucket[1:]] + list(zip(bucket, bucket[1:]))
        for left, right in compared:
            if agreement(left, right) >= needed:
                yield left.id, right.id


def find_clusters(documents, options):
    usable = [d for d in documents if not d.problem]
    leaders, pairs = {}, []
    for document in usable:
        leader = leaders.setdefault((document.hash, document.bytes, tuple(document.signature)), document)
        pairs.append((leader.id, document.id))
    pairs.extend(near_pairs(list(leaders.values()), options))
    for document, of in zip(documents, connect(len(documents), pairs)):
        document.of = of


def is_exact(document, representative):
    keys = [(d.hash, d.bytes, d.signature) for d in (document, representative)]
    return keys[0] == keys[1]


class Output:
    def __init__(self, options):
        self.options = options
        os.makedirs(options.output, exist_ok=True)
        self.shards = []

    def line(self, value):
        return json.dumps(value, separators=(",", ":")) + "\n"

    def write(self, name, data):
        with open(os.path.join(self.options.output, name), "wb") as file:
            file.write(data)

    def place(self, tokens):
        if not self.shards or len(self.shards[-1]) + len(tokens) > self.options.shard_tokens:
            self.shards.append([])
        offset = len(self.shards[-1])
        self.shards[-1].extend(1 + t % (self.options.vocabulary - 1) for t in tokens)
        return len(self.shards) - 1, offset

    def write_all(self, collection, documents, problems):
        index, duplicates, sizes = [], [], {}
        for d in documents:
            sizes[d.of] = sizes.get(d.of, 0) + 1
        for d in (d for d in documents if not d.problem):
            if d.of == d.id:
                shard, offset = self.place(d.tokens)
                index.append({"id": d.id, **d.name(), "bytes": d.bytes, "xxh64": f"{d.hash:016x}", "tokens": len(d.tokens),
                              "shard": shard, "offset": offset, "duplicates": sizes[d.id] - 1})
            else:
                first = documents[d.of]
                similarity = f"{agreement(d, first) / len(d.signature):.4f}"
                kind = "exact" if is_exact(d, first) else "near"
                line = self.line({"id": d.id, **d.name(), "of": d.of, "kind": kind, "similarity": 0})
                duplicates.append(line.replace('"similarity":0}', f'"similarity":{similarity}}}'))
        for number, shard in enumerate(self.shards):
            self.write(f"shard-{number:05}.bin", struct.pack(f"<{len(shard)}I", *shard))
        self.write("index.jsonl", "".join(map(self.line, index)).encode())
        self.write("duplicates.jsonl", "".join(duplicates).encode())
        self.write("report.json", self.line(self.report(collection, documents, index, duplicates, problems)).encode())

    def report(self, collection, documents, index, duplicates, problems):
        o, usable = self.options, [d for d in documents if not d.problem]
        exact = sum('"kind":"exact"' in line for line in duplicates)
        named = sorted(problems + [(d.path, d.line, d.problem) for d in documents if d.problem])
        return {
            "settings": {"field": o.jsonl_field, "shingle": o.shingle, "bands": o.bands, "rows": o.rows,
                         "threshold": o.threshold, "vocabulary": o.vocabulary, "shard_tokens": o.shard_tokens},
            "documents": len(documents), "usable": len(usable), "kept": len(index), "exact": exact,
            "near": len(duplicates) - exact, "text_bytes": sum(d.bytes for d in usable),
            "tokens": sum(len(d.tokens) for d in usable), "kept_tokens": sum(i["tokens"] for i in index),
            "shards": len(self.shards), "links": collection.links, "repeated": collection.repeated,
            "counts": {kind: sum(p[2] == kind for p in named) for kind in KINDS},
            "problems": [{"path": os.fsdecode(p), **({"line": n} if n else {}), "kind": k} for p, n, k in named]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("-o", "--output", default="shards")
    parser.add_argument("--jsonl-field", default="text")
    parser.add_argument("--max-document", type=int, default=256)
    parser.add_argument("-t", "--threshold", type=float, default=0.8)
    for name, value in (("shingle", 5), ("bands", 16), ("rows", 8), ("vocabulary", 65536), ("shard-tokens", 1 << 24)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    collection = Collection(options.paths, options.output)
    problems = list(collection.problems)
    documents = [d for path in collection.paths for d in documents_of(path, problems)]
    analysis = Analysis(options)
    for number, document in enumerate(documents):
        document.id = number
        analysis.analyse(document)
    find_clusters(documents, options)
    Output(options).write_all(collection, documents, problems)
    failed = any(kind in FAILURES for _, _, kind in problems) or any(d.problem in FAILURES for d in documents)
    return 3 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
