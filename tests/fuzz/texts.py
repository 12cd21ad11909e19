#!/usr/bin/env python3
"""Texts at random: what people wrote, damaged, through `hcc check` and whatever comes after it.

    python3 -B tests/fuzz/texts.py --hcc build/hcc
    python3 tests/fuzz/texts.py --hcc build-sanitize/hcc --count 2000 --state texts.jsonl
    python3 tests/fuzz/texts.py --hcc build-sanitize/hcc --reduce SEED > small.hc

Whatever the text, hcc ends within seconds with a documented exit code; what is wrong with the text
has a place; nothing is a fault of the compiler, and no sanitizer has anything to say. The state file
holds a line for each text that is done, and a campaign goes on where it was stopped.
"""

import argparse
import collections
import concurrent.futures
import glob
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time

import campaign
import programs
import reduce

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS = 10  # of processor time, for one command
TOKEN = re.compile(rb"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\n])*\"|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\w+|"
                   rb"->|&&|\|\||[=<>!]=|\s+|.", re.DOTALL)
NUMBERS = [b"0", b"-1", b"1", b"2", b"0.5", b"1e308", b"1e309", b"1e-320", b"9223372036854775807", b"4294967296",
           b"2147483647", b"99999999999999999999", b"1000000", b"100000", b"65", b"257", b"(0 / 0)", b"(1 / 0)"]
SIGNS = [b"(", b")", b"{", b"}", b"[", b"]", b";", b",", b":", b"=", b"->", b"<", b"-", b"!", b"^", b"&", b"%", b"\""]
SMALL = [b"0", b"1", b"2", b"3", b"4", b"7", b"8", b"31", b"32", b"33", b"64", b"65", b"129", b"257", b"1e-3"]
ALIKE = [  # what may stand where the others stand
    [b"+", b"-", b"*", b"/", b"%", b"^"], [b"<", b">", b"<=", b">=", b"==", b"!="], [b"&&", b"||"],
    [b"sum", b"mean", b"prod", b"max", b"min", b"logsumexp", b"softmax", b"argmax"],
    "exp log sqrt rsqrt tanh sigmoid erf sin cos abs floor gelu silu relu softplus".encode().split(),
    "stop_gradient rmsnorm layernorm batch_mean sinkhorn cayley helmert random extent known identity".encode().split(),
    "residual mhc dhc shc postnorm krom ihc frac mudd attnres dar denseformer spectral tbp parallel".encode().split(),
    "attention mlp swiglu linear conv1d moe".encode().split(), [b"let", b"param", b"const", b"probe", b"require"],
    [b"true", b"false", b"training"], [b"site", b"sites", b"block", b"blocks", b"here"], [b"same", b"shift", b"window"],
    [b"i", b"j", b"k", b"c", b"t"], [b"n", b"d", b"heads", b"hidden"], [b"x", b"y", b"h", b"H", b"u", b"s"],
    [b"nodecay", b"freeze", b"causal"], [b"read", b"write", b"begin", b"end", b"append", b"carry", b"state", b"update", b"around"]]
BYTES = [b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\x1b[2J", b"\xe2\x80\xae", b"/*", b"'"]


# --- texts --------------------------------------------------------------------------------------

def written():
    """[(name, text)] of all that is in the repository, in one order."""
    found = []
    for pattern in ("examples/*.hc", "compiler/std/*/*.hc", "tests/errors/*/*.hc"):
        for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
            with open(path, "rb") as file:
                found.append((os.path.relpath(path, ROOT), file.read()))
    with open(os.path.join(ROOT, "grammar", "GRAMMAR.md"), "rb") as file:
        blocks = re.findall(rb"```hc[^\n]*\n(.*?)```", file.read(), re.DOTALL)
    return found + [(f"GRAMMAR.md {k}", block) for k, block in enumerate(blocks)]


def seed_text(draw, files):
    """A text as it was written; most of them right."""
    kind = draw.random()
    if kind < 0.4:
        return programs.text(draw.randrange(1, 3000)).encode()
    if kind < 0.55:
        return draw.choice([text for name, text in files if name.startswith("tests")])
    right = [text for name, text in files if not name.startswith("tests")]
    text = draw.choice(right)
    if b"model " not in text:  # a library is used by a model
        used = [other for other in right if re.search(rb"^model ", other, re.MULTILINE)]
        text += draw.choice(used)
    return text


def solid(tokens):
    """Where what is not blank stands."""
    return [k for k, t in enumerate(tokens) if not t.isspace()] or [0]


def statement_change(draw, tokens, at, twice):
    """The statement around a token is left out, or stands twice, here or elsewhere."""
    first = max([k + 1 for k in range(at) if tokens[k] in (b";", b"{", b"}")], default=0)
    last = next((k + 1 for k in range(at, len(tokens)) if tokens[k] == b";"), len(tokens))
    run = tokens[first:last]
    if not twice:
        del tokens[first:last]
    else:
        ends = [k + 1 for k, t in enumerate(tokens) if t == b";"] or [first]
        to = draw.choice([last, draw.choice(ends)])
        tokens[to:to] = run


def token_change(draw, tokens, others):
    """One change to a list of tokens."""
    at = draw.choice(solid(tokens))
    names = [k for k in solid(tokens) if re.fullmatch(rb"\w+", tokens[k])]
    numbers = [k for k in names if tokens[k][:1].isdigit()]
    kind = draw.choice([*range(12), 4, 4, 7, 7, 12, 12, 13, 13])
    if kind == 0:
        del tokens[at]
    elif kind == 1:
        tokens.insert(at, tokens[at])
    elif kind == 2:
        other = draw.choice(solid(tokens))
        tokens[at], tokens[other] = tokens[other], tokens[at]
    elif kind == 3:
        tokens[at] = draw.choice(others)
    elif kind in (4, 5) and numbers:
        tokens[draw.choice(numbers)] = draw.choice(NUMBERS)
    elif kind == 6:
        tokens.insert(at, draw.choice(SIGNS))
    elif kind in (7, 8) and names:  # a name by another of the same text
        tokens[draw.choice(names)] = tokens[draw.choice(names)]
    elif kind == 9:  # a run of tokens elsewhere
        end = min(len(tokens), at + draw.randrange(1, 40))
        run = tokens[at:end]
        to = draw.choice(solid(tokens))
        tokens[to:to] = run
    elif kind == 10:
        del tokens[at: at + draw.randrange(1, 40)]
    elif kind == 11:
        tokens.insert(at, draw.choice(others))
    else:
        statement_change(draw, tokens, at, kind == 12)
    return tokens or [b" "]


def gentle_change(draw, tokens):
    """A token by another of its kind, which is often a right text again."""
    alike = []
    for kind in ALIKE:
        alike += [(k, kind) for k in range(len(tokens)) if tokens[k] in kind]
    numbers = [(k, SMALL) for k in range(len(tokens)) if tokens[k][:1].isdigit()]
    places = draw.choice([alike, alike, numbers]) or alike or numbers
    if not places:
        return token_change(draw, tokens, [b"x"])
    at, kind = draw.choice(places)
    tokens[at] = draw.choice(kind if draw.random() < 0.9 else NUMBERS)
    return tokens


def long_or_deep(draw, tokens):
    """Something of unusual length or depth in the place of a token."""
    n = draw.choice([50, 255, 256, 257, 1000, 20000])
    at = draw.choice(solid(tokens))
    name = b"x" * n
    forms = [b"(" * n + tokens[at] + b")" * n, b"[" * n, b"{" * n, b"-" * n + b"1", name, b"\"" + name + b"\"",
             b" " * n + tokens[at], b" + ".join([b"1"] * n), b" ^ ".join([b"1"] * n), b"/*" * n, b"// " + name,
             b"abs(" * n + b"1" + b")" * n, b"9" * n, b"0." + b"0" * n + b"1", b"\n" * n, b"if 1 { " * n + b"}" * n,
             b", ".join([b"a%d" % k for k in range(n)]), b"/// " + name + b"\n", b"sum[i] " * n]
    tokens[at] = draw.choice(forms)
    return tokens


def byte_change(draw, text):
    at = draw.randrange(len(text) + 1)
    kind = draw.randrange(5)
    if kind == 0:
        return text[:at] + draw.choice(BYTES) + text[at:]
    if kind == 1:
        return text[:at]
    if kind == 2:
        return text[:at] + bytes([draw.randrange(256)]) + text[at + 1:]
    if kind == 3:
        return text[:at] + text[at + draw.randrange(1, 30):]
    return text.replace(b"\n", draw.choice([b"\r\n", b"\r", b" "]))


def mutant(seed, files):
    draw = random.Random(seed)
    text = seed_text(draw, files)
    if draw.random() < 0.1:  # two files, cut where they please
        other = seed_text(draw, files)
        text = text[:draw.randrange(len(text) + 1)] + other[draw.randrange(len(other) + 1):]
    tokens = TOKEN.findall(text)
    others = [t for t in TOKEN.findall(seed_text(draw, files)) if not t.isspace()]
    gentle = draw.random() < 0.6
    for _ in range(draw.choice([1, 1, 1, 1, 2, 2, 3, 5])):
        if draw.random() < 0.07:
            tokens = long_or_deep(draw, tokens)
        elif gentle:
            tokens = gentle_change(draw, tokens)
        else:
            tokens = token_change(draw, tokens, others)
    text = b"".join(tokens)
    return byte_change(draw, text) if draw.random() < 0.1 else text


# --- what hcc makes of them ---------------------------------------------------------------------

def bound(seconds):
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 28, 1 << 28))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def environment(folder):
    """The sanitizers bound memory by themselves: of addresses they take all there are."""
    asan = "hard_rss_limit_mb=2000:allocator_may_return_null=1:handle_abort=0"
    return {**os.environ, "NO_COLOR": "1", "HCC_CACHE_DIR": os.path.join(folder, "cache"), "OPENBLAS_NUM_THREADS": "1",
            "ASAN_OPTIONS": asan, "UBSAN_OPTIONS": "print_stacktrace=1"}


def execute(hcc, arguments, folder, seconds=SECONDS):
    """(exit code, stderr, seconds of processor time)"""
    with open(os.path.join(folder, "said"), "wb+") as said:
        process = subprocess.Popen([hcc, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                                   cwd=folder, env=environment(folder), preexec_fn=lambda: bound(seconds))
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read(1 << 20).decode("utf-8", "replace")
    return process.returncode, text, used.ru_utime + used.ru_stime


def sanitizer(said):
    """What a sanitizer found and where, or None."""
    found = re.search(r"ERROR: \w+Sanitizer: ([\w-]+)|(runtime error: [^\n]*)", said)
    if not found:
        return None
    frames = re.findall(r"#\d+ 0x\w+ in (\w+) \S*?((?:compiler|runtime)/\S+?):\d+", said)
    what = (found.group(1) or campaign.plain(found.group(2))).strip()
    return f"{what} in {frames[0][0]} ({frames[0][1]})" if frames else what


def judge(command, code, said):
    """A signature of what is wrong with how a command ended, or None."""
    reported = sanitizer(said)
    if reported:
        return reported
    if code in (-24, -9):
        if command == "gradcheck":
            return None  # compares as many tensors as there are; what compiles them is tried by itself
        return f"no end: {command}"
    if code == 70 or code < 0:
        fault = re.search(r"internal fault[^\n]*", said)
        return f"{code}: {campaign.plain(fault.group() if fault else said)}"
    if code == 6 and "GiB" in said:
        return None  # what is too large is told with its size
    if code == 5 and command == "gradcheck":
        return None
    if code == 1 and "holds no model" in said:
        return None  # of a library; the file is named
    if code not in (0, 1):
        return f"{code}: {campaign.plain(said)}"
    if code == 1 and not re.search(r"^error\[E\d{4}\]: .*\n +\S+:\d+:\d+$", said, re.MULTILINE):
        return f"no place: {campaign.plain(said)}"
    return None


def is_small(text):
    """So that compiling and differences take moments."""
    return all(float(n) <= 64 for n in re.findall(rb"\b\d+(?:\.\d+)?(?:e\d+)?\b", text)) and len(text) < 3000


def attempt(hcc, seed, text, folder):
    """{command, code, signature, seconds} of the first command that ends wrongly, or of the last."""
    draw = random.Random(seed)
    path = os.path.join(folder, "text.hc")
    with open(path, "wb") as file:
        file.write(text)
    forms = [[], [], ["--precision", "f64"], ["-O0"], ["-O0", "--precision", "f64"], ["--cpu", "baseline"], ["--cpu", "x86-64-v4"]]
    commands = [["check", "text.hc"], ["emit", "text.hc", "--stage", "nests", *draw.choice(forms)]]
    if is_small(text):
        commands += [[["build", "text.hc", "-o", "text.so", "--force"], ["gradcheck", "text.hc"],
                      ["info", "text.hc"]][draw.randrange(3)]]
    spent, result = 0, {}
    for arguments in commands:
        code, said, seconds = execute(hcc, arguments, folder)
        spent = max(spent, seconds)
        sign = judge(arguments[0], code, said)
        result = {"command": arguments[0], "code": code, "signature": sign, "seconds": round(spent, 2)}
        if sign or code:
            break
    return result


# --- campaigns ----------------------------------------------------------------------------------

def trial(hcc, seed, files):
    with tempfile.TemporaryDirectory() as folder:
        return {"seed": seed, **attempt(hcc, seed, mutant(seed, files), folder)}


def run(options):
    done, files, told = {}, written(), time.time()
    if options.state and os.path.exists(options.state):
        with open(options.state, encoding="utf-8") as file:
            for line in file:
                done[json.loads(line)["seed"]] = json.loads(line)
    seeds = range(options.first, options.first + options.count)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for one in pool.map(lambda s: trial(options.hcc, s, files), [s for s in seeds if s not in done]):
            done[one["seed"]] = one
            if options.state:
                with open(options.state, "a", encoding="utf-8") as state:
                    state.write(json.dumps(one) + "\n")
            if time.time() - told > 20:
                told = time.time()
                print(f"{len(done)} done", file=sys.stderr, flush=True)
    return [done[s] for s in seeds]


def summary(results):
    wrong = [r for r in results if r["signature"]]
    ends = collections.Counter(f"{r['command']} {r['code']}" for r in results)
    print(", ".join(f"{n} ended in {end}" for end, n in ends.most_common()))
    slowest = sorted(results, key=lambda r: -r["seconds"])[:5]
    print("the slowest: " + ", ".join(f"{r['seconds']} s ({r['command']} of seed {r['seed']})" for r in slowest))
    groups = collections.defaultdict(list)
    for r in wrong:
        groups[r["signature"]].append(r["seed"])
    for sign, seeds in sorted(groups.items(), key=lambda g: -len(g[1])):
        print(f"{len(seeds):5} {sign}\n        seeds {' '.join(map(str, seeds[:12]))}")
    print(f"{len(results) - len(wrong)} passed, {len(wrong)} failed")
    return len(wrong)


def smaller(options):
    """The text of a seed, or of a file, made smaller while it shows the same."""
    if options.file:
        with open(options.file, "rb") as file:
            text = file.read()
    else:
        text = mutant(options.reduce, written())
    seed = options.reduce or 0
    with tempfile.TemporaryDirectory() as folder:
        first = attempt(options.hcc, seed, text, folder)
        if not first["signature"]:
            sys.exit("nothing is wrong with it")

        def shows(candidate):
            now = attempt(options.hcc, seed, candidate.encode("utf-8", "surrogateescape"), folder)
            return now["signature"] == first["signature"]

        small = reduce.reduce(text.decode("utf-8", "surrogateescape"), shows, options.seconds)
    sys.stdout.buffer.write(f"// {first['command']}: {first['signature']}\n".encode())
    sys.stdout.buffer.write(small.encode("utf-8", "surrogateescape"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", required=True, type=os.path.abspath)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--state", help="a line for each text that is done; without it nothing is kept")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", type=int, metavar="SEED", help="print the text")
    parser.add_argument("--reduce", type=int, metavar="SEED", help="print a smaller text that shows the same")
    parser.add_argument("--file", help="to reduce")
    parser.add_argument("--seconds", type=int, default=120, help="to reduce for, at most")
    options = parser.parse_args()
    if options.show is not None:
        sys.stdout.buffer.write(mutant(options.show, written()))
    elif options.reduce is not None or options.file:
        smaller(options)
    else:
        sys.exit(1 if summary(run(options)) else 0)


if __name__ == "__main__":
    main()
