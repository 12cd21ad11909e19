#!/usr/bin/env python3
"""Files of data that are wrong in ways that people meet: each ends with exit code 3 and a message that
names it.

    python3 -B tests/fuzz/bad_data.py --hcc build-sanitize/hcc

Best with a build that has sanitizers; by hand, as most of the kinds are in tests/run, too.
"""

import gzip
import json
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import files

CIFAR = """
model c {
  positions (r <= 32, c <= 32);
  input  grid[r, c] : real;
  target class      : token(10);
  param W[10] ~ normal(0.1);
  let seen = mean[r, c] grid * (1 + c);
  let logits[k] = W[k] * seen;
  loss cross_entropy(logits, class);
}
train c {
  data cifar10 { grid[r, c] = images[0, r, c] / 255; class = labels; train = "batch.bin"; held_out = 0.25; }
  batch 2; steps 1;
}
"""
TEXT = b"the cat sat on the mat and the rat\n" * 30
ROWS = b"".join(b"%d,%d,%d,%d,%d\n" % (k, k + 1, k * k, 3, k) for k in range(24))
WORDS = files.whole_numbers([k * 7 % 256 for k in range(900)])
IMAGES, LABELS = files.idx([12, 3, 4], [k % 256 for k in range(144)]), files.idx([12], [k % 5 for k in range(12)])
WHOLE = list(range(200))


def npy(header, body=b""):
    header = header.encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + body


def with_labels(labels):
    return {"images": IMAGES, "labels": labels}


def with_images(images):
    return {"images": images, "labels": LABELS}


# (model, what is wrong, its bytes: of one file, of several by name, or None where there is none)
KINDS = [
    ("speech", "gzip", gzip.compress(TEXT)),
    ("speech", "xz", b"\xfd7zXZ\0" + TEXT),
    ("speech", "zstd", b"\x28\xb5\x2f\xfd" + TEXT),
    ("speech", "zip", b"PK\3\4" + TEXT),
    ("speech", "bzip2", b"BZh91AY&SY" + TEXT),
    ("speech", "UTF-16", TEXT.decode().encode("utf-16")),
    ("speech", "UTF-16, its other order", b"\xfe\xff" + TEXT.decode().encode("utf-16-be")),
    ("speech", "a zero byte", TEXT + b"\0" + TEXT),
    ("speech", "numbers", WORDS),
    ("speech", "nothing in it", b""),
    ("speech", "too short", TEXT[:10]),
    ("speech", "not there", None),
    ("rows", "nothing in it", b""),
    ("rows", "a heading alone", b"a,b,c,d,e\n"),
    ("rows", "too few columns", b"1,2\n" * 9),
    ("rows", "a longer row", ROWS + b"1,2,3,4,5,6\n"),
    ("rows", "a shorter row", ROWS + b"1,2,3\n"),
    ("rows", "a word for a number", ROWS + b"1,2,three,4,5\n"),
    ("rows", "a field that is empty", ROWS + b"1,2,,4,5\n"),
    ("rows", "a number that is none", ROWS + b"1,2,nan,4,5\n"),
    ("rows", "a number beyond all", ROWS + b"1,2,1e999,4,5\n"),
    ("rows", "a quote that stays open", ROWS + b'1,2,"3,4,5\n'),
    ("rows", "zero bytes", ROWS + b"\0\0\0\0\n"),
    ("rows", "gzip", gzip.compress(ROWS)),
    ("rows", "no rows left", b"1,2,3,4,5\n"),
    ("pictures", "another magic number", with_images(b"\1" + IMAGES[1:])),
    ("pictures", "a type that is none", with_images(IMAGES[:2] + b"\7" + IMAGES[3:])),
    ("pictures", "cut short", with_images(IMAGES[:-5])),
    ("pictures", "bytes too many", with_images(IMAGES + b"xy")),
    ("pictures", "a header that is cut", with_images(IMAGES[:7])),
    ("pictures", "extents that overflow", with_images(IMAGES[:4] + b"\xff" * 12 + IMAGES[16:])),
    ("pictures", "fewer labels than pictures", with_labels(files.idx([11], [0] * 11))),
    ("pictures", "a label outside of the classes", with_labels(files.idx([12], [9] * 12))),
    ("pictures", "pictures of another size", with_images(files.idx([12, 2, 2], [0] * 48))),
    ("pictures", "gzip", with_images(gzip.compress(IMAGES))),
    ("cifar", "no whole number of records", b"\0" * (3073 * 4 - 1)),
    ("cifar", "a label above 9", (b"\x0b" + b"\0" * 3072) * 4),
    ("cifar", "nothing in it", b""),
    ("words", "an odd byte", WORDS + b"\0"),
    ("words", "a token outside of the vocabulary", WORDS + b"\0\1"),
    ("words", "text", TEXT),
    ("words", "tokens of 32 bits", files.whole_numbers(WHOLE, 4)),
    ("words", "llm.c, of another version", files.shard(20240520, 2, WHOLE)),
    ("words", "llm.c, cut short", files.shard(20240520, 1, WHOLE)[:-9]),
    ("words", "llm.c, its header cut", files.shard(20240520, 1, WHOLE)[:99]),
    ("words", "llm.c's questions", files.whole_numbers([20240522] + [1] * 500, 4)),
    ("words", ".npy of fractions", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }", b"\0" * 36)),
    ("words", ".npy, the highest byte first", npy("{'descr': '>u2', 'fortran_order': False, 'shape': (9,), }", b"\0" * 18)),
    ("words", ".npy of two axes", npy("{'descr': '<u2', 'fortran_order': False, 'shape': (3, 3), }", b"\0" * 18)),
    ("words", ".npy of records", npy("{'descr': [('a', '<u2')], 'fortran_order': False, 'shape': (9,), }", b"\0" * 18)),
    ("words", ".npy whose header is none", npy("{'descr': ", b"\0" * 18)),
    ("words", ".npy, cut short", files.npy("u2", WHOLE)[:-3]),
    ("words", ".npy of version 9", b"\x93NUMPY\t\0" + files.npy("u2", WHOLE)[8:]),
    ("words", "too short", WORDS[:8]),
]


def tokenizers(good):
    """The same of tokenizers."""
    def changed(**members):
        return json.dumps({**good, **members}).encode()
    model = good["model"]
    return [
        ("JSON that is cut", json.dumps(good).encode()[:-9]),
        ("nothing in it", b""),
        ("a list", b"[]"),
        ("no vocabulary", changed(model={"type": "BPE", "merges": []})),
        ("a normalizer", changed(normalizer={"type": "NFC"})),
        ("another model", changed(model={**model, "type": "WordPiece"})),
        ("a merge of what is no token", changed(model={**model, "merges": ["zz qq"]})),
        ("two tokens of one number", changed(model={**model, "vocab": {**model["vocab"], "new": 5}})),
        ("a pattern that is wrong", changed(pre_tokenizer={"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated", "invert": False}, good["pre_tokenizer"]]})),
        ("random bytes", bytes(k * 37 % 251 for k in range(4000))),
        ("not there", None),
    ]


def run(hcc, folder, *words):
    options = "detect_leaks=0:abort_on_error=0"
    done = subprocess.run([hcc, *words], cwd=folder, capture_output=True, text=True, errors="replace", timeout=300, check=False,
                          env={**os.environ, "HCC_CACHE_DIR": os.path.join(folder, "cache"), "ASAN_OPTIONS": options})
    return done.returncode, done.stderr.strip()


def put(folder, data):
    """The files of a kind, and how --data names them."""
    for name in ("x", "images", "labels"):
        if os.path.exists(os.path.join(folder, name)):
            os.remove(os.path.join(folder, name))
    if isinstance(data, dict):
        for name, content in data.items():
            files.write(folder, name, content)
        return [word for name in data for word in ("--data", f"{name}={name}")]
    if data is not None:
        files.write(folder, "x", data)
    return ["--data", "x"]


def main():
    hcc = os.path.abspath(sys.argv[sys.argv.index("--hcc") + 1])
    wrong, tried = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**files.TEXTS, "cifar": CIFAR}.items():
            files.write(folder, f"{name}.hc", text)
        files.write(folder, "text", TEXT)
        files.command(hcc, folder, "tokenize", "text", "--train", "280", "--out", "good.json")
        cases = [(f"{model}: {what}", ["train", f"{model}.hc", "--quiet", "--out", "run"], data) for model, what, data in KINDS]
        cases += [(f"tokenizer: {what}", None, data) for what, data in tokenizers(json.loads(files.read(folder, "good.json")))]
        for what, words, data in cases:
            given = put(folder, data)
            code, said = run(hcc, folder, *words, *given) if words else run(hcc, folder, "tokenize", "text", "--tokenizer", "x")
            named = any(f"{name}`" in said or f"`{name}" in said for name in ("x", "images", "labels")) or "samples" in said
            good = code == 3 and named and "Sanitizer" not in said and "runtime error" not in said
            tried, wrong = tried + 1, wrong + (not good)
            print(f"{'' if good else 'WRONG '}{what}: {code} {said.splitlines()[-1] if said else ''}"[:200])
    print(f"{tried - wrong} passed, {wrong} failed")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
