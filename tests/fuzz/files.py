#!/usr/bin/env python3
"""Files made wrong at random, and what is said of them.

    python3 tests/fuzz/files.py --hcc build-sanitize/hcc --first 1 --count 2000 --state files.jsonl

goes on where it was stopped: the state file holds a line for each that is done. Best with a build
that has sanitizers (`-DHCC_SANITIZE=ON`). A file is right, or refused by its name, for a documented
reason, soon, within bounds; anything else is a fault. `--keep FOLDER` leaves the files there.
"""

import argparse
import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

import mutate

SECONDS, MEGABYTES = 5, 1500
OK, ARGUMENT, MODEL, CPU, DATA, CHECKPOINT, DIVERGED, MEMORY = range(8)
HEADER = "age,height,weight,\"of, two\",target\n"

SPEECH = """
model speech {
  positions t <= 12;
  input  tokens[t] : token(256);
  target next[t]   : token(256);
  param E[256, 40] ~ normal(0.1);
  let x = embed(tokens, E);
  let h = trunk(x) { repeat 2 { attn = WIRING : attention(4); mlp = WIRING : mlp(64); } };
  param W[256, 40] ~ normal(0.1);
  let logits[v] = sum[k] W[v,k] * h[k];
  loss cross_entropy(logits, next);
  metric accuracy(logits, next);
}
train speech {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.2; }
  optimizer adamw(lr = 1e-3);
  batch 4; steps 2;
}
"""
WORDS = """
model words {
  positions t <= 12;
  input  now[t]  : token(256);
  target next[t] : token(256);
  param E[256, 4] ~ normal(0.1);
  let x = embed(now, E);
  let logits[v] = sum[k] E[v,k] * x[k];
  loss cross_entropy(logits, next);
}
train words {
  data tokens { now[t] = tokens[t]; next[t] = tokens[t + 1]; held_out = 0.2; }
  batch 4; steps 2;
}
"""
ROWS = """
model rows {
  input  x[4] : real;
  target y    : real;
  param w[4] = 0, b = 0;
  let p = (sum[i] w[i] * x[i]) + b;
  loss   (p - y)^2;
  metric distance(p, y);
}
fn distance(p, y) = abs(p - y);
train rows {
  data table { x[k] = standardise(columns[k]); y = columns[4] / 2; held_out = shuffled(0.25); }
  optimizer sgd(lr = 0.01);
  batch 3; steps 2;
}
"""
PICTURES = """
model pictures {
  positions (r <= 3, c <= 4);
  input  grid[r, c] : real;
  target class      : token(5);
  param W[5] ~ normal(0.1);
  let seen = mean[r, c] grid * (1 + c);
  let logits[k] = W[k] * seen;
  loss cross_entropy(logits, class);
}
train pictures {
  data idx { grid[r, c] = images[r, c] / 255; class = labels; held_out = 0.25; }
  batch 3; steps 2;
}
"""


def command(hcc, folder, *arguments):
    done = subprocess.run([hcc, *arguments], cwd=folder, capture_output=True, text=True, errors="replace",
                          env={**os.environ, "HCC_CACHE_DIR": os.path.join(folder, "cache")}, check=False)
    if done.returncode:
        raise SystemExit(f"{hcc} {' '.join(arguments)}: {done.returncode}\n{done.stderr}")


def write(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    return path


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def idx(dims, values):
    return bytes([0, 0, 8, len(dims)]) + b"".join(d.to_bytes(4, "big") for d in dims) + bytes(values)


def whole_numbers(values, size=2):
    return b"".join(v.to_bytes(size, "little") for v in values)


def npy(kind, values, version=1):
    """An array of NumPy's."""
    header = f"{{'descr': '<{kind}', 'fortran_order': False, 'shape': ({len(values)},), }}\n".encode()
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + whole_numbers(values, int(kind[1]))


def shard(magic, version, values):
    """As llm.c has it."""
    size = 2 if version == 1 else 4
    return whole_numbers([magic, version, len(values)] + [0] * 253, 4) + whole_numbers(values, size)


TEXTS = {"speech": SPEECH.replace("WIRING", "mhc"), "words": WORDS, "rows": ROWS, "pictures": PICTURES}
GIVEN = {"speech": ["speech.txt"], "words": ["words.bin"], "rows": ["rows.csv"], "pictures": ["images=images", "labels=labels"]}


def prepare(hcc, folder, models):
    """Models, data and runs that are right."""
    draw = random.Random(1)
    write(folder, "speech.txt", "".join(draw.choice("etaoin shrdlu\n") for _ in range(900)))
    numbers = ["%.3g,%d,%.6f,%.2e,%d" % (draw.random(), draw.randrange(200), draw.random(), draw.random(),
                                          draw.randrange(9)) for _ in range(24)]
    write(folder, "words.bin", whole_numbers(draw.randrange(256) for _ in range(900)))
    write(folder, "rows.csv", HEADER + "\n".join(numbers) + "\n")
    write(folder, "images", idx([12, 3, 4], [draw.randrange(256) for _ in range(144)]))
    write(folder, "labels", idx([12], [draw.randrange(5) for _ in range(12)]))
    command(hcc, folder, "tokenize", "speech.txt", "--train", "300", "--out", "tokenizer.json")
    made = json.loads(read(folder, "tokenizer.json"))
    write(folder, "vocab.json", json.dumps(made["model"]["vocab"]))
    write(folder, "merges.txt", "".join(f"{left} {right}\n" for left, right in made["model"]["merges"]))
    cut = {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}|[^\\s\\p{L}]+"}, "behavior": "Isolated", "invert": False}
    made["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [cut, made["pre_tokenizer"]]}
    write(folder, "tokenizer.json", json.dumps(made))
    for name in models:
        write(folder, f"{name}.hc", TEXTS[name])
        command(hcc, folder, "build", f"{name}.hc", "-o", f"{name}.so", *(["--precision", "f64"] if name == "rows" else []))
        command(hcc, folder, "train", f"{name}.hc", "--out", f"{name}.run", "--threads", "1",
                *[word for d in GIVEN[name] for word in ("--data", d)], *(["--precision", "f64"] if name == "rows" else []))


# --- kinds: (what is asked of the tester, its words, statuses that are right) -------------------------------------

def any_model(draw, base):
    return draw.choice([name for name in TEXTS if os.path.exists(os.path.join(base, f"{name}.hc"))])


def manifest(draw, base, out):
    name = any_model(draw, base)
    original = os.path.join(base, f"{name}.manifest.json")
    edited = write(out, "edited", mutate.json_of(draw, read(original)))
    return ["manifest", original, edited, out], (OK, ARGUMENT, MODEL, CPU, CHECKPOINT, DIVERGED, MEMORY), ""


def data_words(base, name, path):
    return ["data", os.path.join(base, f"{name}.manifest.json"), path], (OK, DATA, DIVERGED), path


def table(draw, base, out):
    text = read(base, "rows.csv")
    if draw.random() < 0.3:
        text = text.replace(b",", draw.choice([b"\t", b";", b" "])).replace(b"of; two", b"of two")
    if draw.random() < 0.7:
        text = mutate.text_of(draw, text.decode()).encode("utf-8", "surrogatepass")
    else:
        text = mutate.bytes_of(draw, text)
    return data_words(base, "rows", write(out, "table", text))


def no_text(draw, base, out):
    """Text and what is taken for it: numbers of 16 and 32 bits, arrays of NumPy, packed files."""
    text = read(base, "speech.txt")
    kind = draw.randrange(6)
    if kind < 2:
        text = whole_numbers((draw.choice([draw.randrange(50000), 65535, 0]) for _ in text), draw.choice([2, 4]))
    elif kind == 2:
        text = npy("u1", text)
    elif kind == 3:
        text = draw.choice([b"\x1f\x8b\x08", b"\xff\xfe", b"\xfe\xff", b"PK\x03\x04", b"BZh91AY&SY"]) + text
    text = mutate.bytes_of(draw, text)
    return data_words(base, "speech", write(out, "text", text[:draw.choice([0, 1, 12, 40])]
                                            if draw.random() < 0.1 else text))


def tokens(draw, base, out):
    """Token files of every kind; where there is a header, most of the damage is there."""
    values = [draw.randrange(256) for _ in range(draw.choice([0, 12, 70, 700, 700]))]
    data = draw.choice([lambda: whole_numbers(values), lambda: whole_numbers(values, 4), lambda: bytes(values),
                        lambda: shard(20240520, 1, values), lambda: shard(20240801, 7, values),
                        lambda: npy(draw.choice(["u1", "u2", "u4", "i8", "f4"]), values, draw.choice([1, 2, 3])),
                        lambda: npy("u2", values)])()
    head = draw.choice([12, 80, 128, 1100])
    if draw.random() < 0.3:
        data = mutate.bytes_of(draw, data)
    elif draw.random() < 0.3 and data[:1] == b"\x93":
        text = mutate.text_of(draw, data[10:head].decode("latin-1")).encode("latin-1", "replace")
        data = data[:8] + len(text).to_bytes(2, "little") + text + data[head:]
    else:
        data = mutate.bytes_of(draw, data[:head]) + data[head:]
    return data_words(base, "words", write(out, "tokens.npy" if draw.random() < 0.1 else "tokens", data))


def pictures(draw, base, out):
    which = draw.choice(["images", "images", "labels"])
    for name in ("images", "labels"):
        data = read(base, name)
        write(out, name, mutate.idx_of(draw, data) if name == which else data)
    words, right, _ = data_words(base, "pictures", f"images={out}/images,labels={out}/labels")
    return words, right, os.path.join(out, which)


def parameters(draw, base, out):
    name = any_model(draw, base)
    path = write(out, "tensors", mutate.safetensors_of(draw, read(base, f"{name}.run", "ckpt", "final.safetensors")))
    kind = draw.choice(["parameters", "parameters+"])
    return [kind, os.path.join(base, f"{name}.manifest.json"), path], (OK, CHECKPOINT), path


def state(draw, base, out):
    name = any_model(draw, base)
    path = write(out, "state", mutate.safetensors_of(draw, read(base, f"{name}.run", "ckpt", "last",
                                                                "state.safetensors")))
    words = [draw.choice(["state", "state+"]), os.path.join(base, f"{name}.manifest.json"), path,
             os.path.join(base, f"{name}.run", "ckpt", "last", "parameters.safetensors")]
    return words, (OK, CHECKPOINT), path


def odd_file(draw, path):
    """Something else where a file or a folder was."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)
    kind = draw.randrange(8)
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        os.mkdir(path)
    elif kind == 2:
        write("/", path, b"")
    elif kind < 7:
        os.symlink(["/dev/zero", "/dev/full", path, "/proc/self/mem"][kind - 3], path)


def run_folder(draw, base, out):
    """A copy of a run with something wrong in it."""
    name = any_model(draw, base)
    run = os.path.join(out, "run")
    shutil.copytree(os.path.join(base, f"{name}.run"), run)
    files = sorted(os.path.join(at, f) for at, folders, names in os.walk(run) for f in folders + names)
    config = os.path.join(run, "config.json")
    kind = draw.random()
    if kind < 0.7:
        write(run, "config.json", mutate.json_of(draw, read(config)))
    elif kind < 0.85:
        odd_file(draw, draw.choice(files))
    else:
        path = draw.choice([f for f in files if os.path.isfile(f)])
        write("/", path, mutate.bytes_of(draw, read(path)))
    return name, run


def run(draw, base, out):
    name, folder = run_folder(draw, base, out)
    words = ["run", os.path.join(base, f"{name}.manifest.json"), folder]
    return words, (OK, ARGUMENT, DATA, CHECKPOINT, DIVERGED), ""


def past(draw, base, out):
    """A run of which somebody wants to know."""
    name = any_model(draw, base)
    folder = os.path.join(out, "run")
    shutil.copytree(os.path.join(base, f"{name}.run"), folder)
    wrong = draw.choice(["config.json", "log.jsonl", "summary.json"])
    text = read(folder, wrong)
    if draw.random() < 0.3:
        text = mutate.bytes_of(draw, text)
    elif wrong == "log.jsonl":
        lines = text.splitlines(keepends=True)
        at = draw.randrange(len(lines))
        lines[at] = mutate.json_of(draw, lines[at]) + b"\n"
        text = b"".join(lines)
    else:
        text = mutate.json_of(draw, text)
    write(folder, wrong, text)
    return ["past", os.path.join(base, f"{name}.manifest.json"), folder], (OK, CHECKPOINT), ""


def checkpoint(draw, base, out):
    """A run of whose checkpoints one file is wrong, as all read it that read runs."""
    name = any_model(draw, base)
    folder = os.path.join(out, "run")
    shutil.copytree(os.path.join(base, f"{name}.run"), folder)
    files = [os.path.join(folder, "ckpt", *path) for path in (("final.safetensors",), ("last", "parameters.safetensors"),
                                                              ("last", "state.safetensors"))]
    verb = draw.choice(["resume", "from", "run", "sample", "inspect"])
    if verb == "resume" or draw.random() < 0.5:  # the others take it where it is
        os.remove(files.pop(0))
    path = draw.choice(files)
    kind = draw.random()
    if kind < 0.1:
        odd_file(draw, path)
    elif kind < 0.4:
        write("/", path, mutate.bytes_of(draw, read(path)))
    else:
        write("/", path, mutate.safetensors_of(draw, read(path)))
    words = [verb, os.path.join(base, f"{name}.manifest.json"), folder]
    if verb == "from":
        words.append(",".join(given.replace("=", f"={base}/") if "=" in given else os.path.join(base, given)
                              for given in GIVEN[name]))
    return words, (OK, ARGUMENT, CHECKPOINT, DIVERGED, MEMORY) if verb == "sample" else (
        OK, CHECKPOINT, DIVERGED, MEMORY), ""


PARAMETER = {"speech": "W", "words": "E", "rows": "w", "pictures": "W"}


def array(draw, base, out):
    """An array of NumPy's in place of a parameter."""
    name = any_model(draw, base)
    count = {"speech": 256 * 40, "words": 1024, "rows": 4, "pictures": 5}[name]
    shape = {"speech": "256, 40", "words": "256, 4", "rows": "4,", "pictures": "5,"}[name]
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}\n".encode()
    head = b"\x93NUMPY" + bytes([1, 0]) + len(header).to_bytes(2, "little") + header
    data = bytes(4 * count)
    path = write(out, "a.npy", mutate.bytes_of(draw, head) + data if draw.random() < 0.7
                 else mutate.bytes_of(draw, head + data))
    words = ["override", os.path.join(base, f"{name}.manifest.json"), os.path.join(base, f"{name}.run"),
             f"{PARAMETER[name]}={path}"]
    return words, (OK, ARGUMENT, DATA), path


def tokenizer(draw, base, out):
    """A tokenizer's files, and what is made of a text by them."""
    text = write(out, "text", "the cat <|endoftext|>'ll sit 123 \u00e9\n\n  on it")
    whole = draw.random()
    if whole < 0.7:
        made = read(base, "tokenizer.json")
        made = (mutate.bytes_of(draw, made) if draw.random() < 0.2
                else mutate.text_of(draw, made.decode()).encode("utf-8", "surrogatepass") if draw.random() < 0.3
                else mutate.json_of(draw, made))
        path = write(out, "tokenizer.json", made)
    else:
        vocabulary, merges = read(base, "vocab.json"), read(base, "merges.txt")
        if draw.random() < 0.5:
            vocabulary = mutate.json_of(draw, vocabulary)
        else:
            merges = mutate.text_of(draw, merges.decode()).encode("utf-8", "surrogatepass")
        write(out, "merges.txt", merges)
        path = write(out, "vocab.json", vocabulary)
    return ["tokenizer", path, text], (OK, DATA, CHECKPOINT), ""


def evaluated(draw, base, out):
    """The same by the command, which compiles what the folder says."""
    _, folder = run_folder(draw, base, out)
    return ["hcc", "eval", folder, "--changed-data", "--threads", "1"], (0, 1, 2, 3, 4, 6), ""


KINDS = {"manifest": manifest, "table": table, "text": no_text, "tokens": tokens, "idx": pictures,
         "parameters": parameters, "state": state, "run": run, "past": past, "checkpoint": checkpoint,
         "array": array, "tokenizer": tokenizer, "eval": evaluated}


# --- trying ---------------------------------------------------------------------------------------------------------

def environment(base):
    bounds = f"hard_rss_limit_mb={MEGABYTES}:allocator_may_return_null=1:max_allocation_size_mb=1000:detect_leaks=0"
    return {**os.environ, "ASAN_OPTIONS": bounds, "OPENBLAS_NUM_THREADS": "1", "NO_COLOR": "1",
            "HCC_CACHE_DIR": os.path.join(base, "cache")}


class Tester:
    """The program that tries files, kept running; `hcc` itself for what only it does."""

    def __init__(self, hcc, path, base):
        self.hcc, self.path, self.base, self.process = os.path.abspath(hcc), path, base, None

    def start(self):
        self.errors = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen([self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=self.errors, env=environment(self.base), errors="replace")

    def attempt(self, words):
        """(status or None, seconds, message)"""
        if words[0] == "hcc":
            return self.command(words)
        if not self.process or self.process.poll() is not None:
            self.start()
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if line:
            status, seconds, message = (line.rstrip("\n") + " ").split(" ", 2)
            return int(status), float(seconds), message.strip()
        code = self.process.wait()
        self.errors.seek(0)
        return None, 0.0, f"it ended with {code}: {self.errors.read()[-6000:]}"

    def command(self, words):
        begun = os.times()
        try:
            done = subprocess.run([self.hcc, *words[1:]], capture_output=True, text=True, errors="replace", timeout=30,
                                  env=environment(self.base), check=False)
        except subprocess.TimeoutExpired:
            return None, 30.0, "it did not end"
        ended = os.times()
        used = ended.children_user + ended.children_system - begun.children_user - begun.children_system
        if done.returncode < 0 or "Sanitizer" in done.stderr or "runtime error" in done.stderr:
            return None, used, f"it ended with {done.returncode}: {done.stderr[-6000:]}"
        return done.returncode, used, done.stderr.strip().replace("\n", "|")[-600:]

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()


def fault_of(status, seconds, message, right, named):
    """What is wrong with an answer; "": nothing."""
    if status is None:
        found = re.search(r"(AddressSanitizer|runtime error|LeakSanitizer)[^\n]*", message)
        where = re.findall(r"#\d+ \S+ in (\w+) \S*?/(?:runtime|compiler)/", message)
        return f"{found.group() if found else message[:80]} {where[0] if where else ''}"
    if seconds > SECONDS:
        return "it took too long"
    if status not in right:
        return f"status {status}"
    if status and not message:
        return "no message"
    if status == DATA and named and os.path.basename(named) not in message and "samples" not in message:
        return "a message without the file's name"
    if re.search(r"[\x01-\x08\x0b-\x1f]", message):
        return "a message with control characters"
    return ""


def attempt(tester, kind, seed, folder):
    out = os.path.join(folder, f"{kind}.{seed}")
    os.mkdir(out)
    draw = random.Random(f"{kind} {seed}")
    words, right, named = KINDS[kind](draw, tester.base, out)
    status, seconds, message = tester.attempt(words)
    fault = fault_of(status, seconds, message, right, named)
    return {"kind": kind, "seed": seed, "status": status, "seconds": round(seconds, 3), "fault": fault,
            "message": message[:3000] if fault else message[:300]}


def beside(hcc):
    """Where the build has put try_file."""
    return os.path.join(os.path.dirname(os.path.abspath(hcc)), "tests", "try_file")


def run_all(options, kinds):
    done = {}
    if os.path.isfile(options.state):
        with open(options.state, encoding="utf-8") as file:
            for line in file:
                one = json.loads(line)
                done[one["kind"], one["seed"]] = one
    with open(options.state, "a", encoding="utf-8") as to, tempfile.TemporaryDirectory() as base:
        prepare(os.path.abspath(options.hcc), base, options.models)
        tester = Tester(options.hcc, options.tries or beside(options.hcc), base)
        folder = options.keep or os.path.join(base, "tried")
        os.makedirs(folder, exist_ok=True)
        for kind in kinds:
            for seed in range(options.first, options.first + options.count):
                if (kind, seed) in done and not options.keep:
                    continue
                one = done[kind, seed] = attempt(tester, kind, seed, folder)
                to.write(json.dumps(one) + "\n")
                to.flush()
                if not options.keep:
                    shutil.rmtree(os.path.join(folder, f"{kind}.{seed}"))
        tester.close()
    wanted = range(options.first, options.first + options.count)
    return [one for (kind, seed), one in sorted(done.items()) if kind in kinds and seed in wanted]


def summary(results):
    faults = collections.defaultdict(list)
    for kind in sorted({r["kind"] for r in results}):
        mine = [r for r in results if r["kind"] == kind]
        statuses = collections.Counter(str(r["status"]) for r in mine if not r["fault"])
        print(f"{kind:10} {len(mine):6} files: {sum(bool(r['fault']) for r in mine)} faults; "
              + ", ".join(f"{n} x {s}" for s, n in sorted(statuses.items()))
              + f"; {max(r['seconds'] for r in mine):.1f} s at most")
        for r in mine:
            if r["fault"]:
                faults[kind, r["fault"]].append(r["seed"])
    for (kind, fault), seeds in sorted(faults.items(), key=lambda f: -len(f[1])):
        print(f"{len(seeds):5} {kind}: {fault}\n        seeds {' '.join(map(str, seeds[:12]))}")
    failed = sum(bool(r["fault"]) for r in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--state", default=os.devnull, help="the state file; none: nothing is kept")
    parser.add_argument("--keep", help="a folder for the files")
    parser.add_argument("--tries", help="try_file; beside hcc by default")
    parser.add_argument("--kinds", nargs="*", metavar="KIND", default=list(KINDS), help=" ".join(KINDS))
    parser.add_argument("--models", nargs="*", default=list(TEXTS), help=f"{' '.join(TEXTS)}: what the files are of")
    options = parser.parse_args()
    unknown = [k for k in options.kinds if k not in KINDS]
    if unknown:
        parser.error(f"unknown kind {unknown[0]}: there are {', '.join(KINDS)}")
    sys.exit(1 if summary(run_all(options, options.kinds)) else 0)


if __name__ == "__main__":
    main()
