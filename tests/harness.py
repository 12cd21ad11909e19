"""What the Python test files share: where the compiler is, running it, and the closing line.

A test file is `import harness`, unittest classes, and `harness.main(__name__)`. It is run as

    python3 tests/run/test_commands.py --hcc build/hcc

and ends with a line `N passed, N failed, N skipped`. Exit code 1 when something failed, 77 (which
ctest reads as "skipped") when every test was skipped.
"""

import argparse
import atexit
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


# The sanitizer's options for everybody else, where this Python runs with it.
PRELOADED = "HCC_TEST_ASAN_OPTIONS"

# Set where this Python is the one that HCC_TORCH_PYTHON names.
TRIED = "HCC_TORCH_TRIED"

# Everything, not what fits into an everyday run: what takes long to compile, and all of long lists.
EVERYTHING = bool(os.environ.get("HCC_TEST_EVERYTHING"))

# Where the commands of this test file keep what they compile: a folder that is there for as long as
# the file runs. So what is found was made by the compiler under test, on the way here.
CACHE = "HCC_TEST_CACHE"


# A model of text that trains in a moment and is evaluated every second step, three times in all; its
# `wiring` is a constant for comparisons alone, as it has no trunk.
EVALUATED = """model k {
  const v = 256, wiring = residual;
  positions t <= 4;
  input  tokens[t] : token(v);
  target next[t]   : token(v);
  param T[v, 8] ~ normal(0.1);
  let x = embed(tokens, T);
  let logits[j] = sum[c] T[j,c] * x[c];
  loss cross_entropy(logits, next);
  metric accuracy(logits, next);
}
train k { data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; } batch 2; steps 6; eval_every 2; }
"""


class Result:
    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    def __repr__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def share(cases, one_in, begin=0):
    """One in so many of a long list, from its first or another, so that two tests of one list take
    different ones; all of them with HCC_TEST_EVERYTHING=1."""
    return cases if EVERYTHING else cases[begin::one_in]


def hcc_path():
    return os.environ.get("HCC", os.path.join(ROOT, "build", "hcc"))


def cache_folder():
    if CACHE not in os.environ:  # else that of this process before it started Python again
        os.environ[CACHE] = tempfile.mkdtemp(prefix="hcc-test-cache-")
    if not _removal:
        _removal.append(atexit.register(shutil.rmtree, os.environ[CACHE], ignore_errors=True))
    return os.environ[CACHE]


_removal = []


def environment(more=None):
    """What a command that we start sees."""
    seen = dict(os.environ, NO_COLOR="1", HCC_CACHE_DIR=cache_folder())
    del seen[CACHE]
    seen.pop("HCC_CACHE_SIZE", None)
    if PRELOADED in seen:
        seen["ASAN_OPTIONS"] = seen.pop(PRELOADED)
        del seen["LD_PRELOAD"]
    seen.update(more or {})
    return seen


def run(command, stdin=None, timeout=300, cwd=ROOT, env=None):
    process = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, cwd=cwd,
                             env=environment(env), encoding="utf-8", errors="replace", check=False)
    return Result(process)


def hcc(*arguments, **options):
    return run([hcc_path(), *arguments], **options)


def link_words(said):
    """What `hcc build -o m.o` says that a program is linked with."""
    return shlex.split(re.search(r"^link with: (.*)$", said, re.MULTILINE).group(1))


def sanitized():
    """Whether the compiler was built with sanitizers: what it links then has them, too."""
    return "sanitized" in hcc("--version").out


def load_sanitizer():
    """What a sanitized hcc links needs the address sanitizer first in the process that loads it:
    starts this Python again with it. Python's own leaks are not ours."""
    if not sanitized() or PRELOADED in os.environ or os.environ.get("LD_PRELOAD"):
        return
    found = re.search(r"libasan\S* => (\S+)", run(["ldd", hcc_path()]).out)
    if not found:
        return
    options = os.environ.get("ASAN_OPTIONS", "")
    with_it = {**os.environ, "LD_PRELOAD": found.group(1), PRELOADED: options,
               "ASAN_OPTIONS": f"{options}:detect_leaks=0"}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-B", *sys.argv], with_it)


def lacking(*modules):
    """The reason to skip what needs these Python modules, or "". Where this Python lacks one, the
    test file starts again with $HCC_TORCH_PYTHON, when there is one, and looks there."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    other = os.environ.get("HCC_TORCH_PYTHON")
    if missing and other and os.path.exists(other) and TRIED not in os.environ:
        os.environ[TRIED] = "1"
        sys.stdout.flush()
        os.execv(other, [other, "-B", *sys.argv])
    return f"this Python lacks {', '.join(missing)}" if missing else ""


def loads_libraries():
    """Whether ctypes may load a library that hcc links."""
    return not sanitized() or PRELOADED in os.environ


class TestCase(unittest.TestCase):
    """A test with a folder of its own, and assertions that show what the command printed."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = self._folder.name
        self.addCleanup(self._folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        mode = "wb" if isinstance(text, bytes) else "w"
        with open(self.path(name), mode) as to:
            to.write(text)
        return self.path(name)

    def expect(self, result, code=0):
        self.assertEqual(result.code, code, repr(result))
        return result


def main(module):
    parser = argparse.ArgumentParser()
    parser.add_argument("--hcc", default=None, help="the compiler to test")
    parser.add_argument("names", nargs="*", help="only these tests")
    arguments = parser.parse_args()
    if arguments.hcc:
        os.environ["HCC"] = os.path.abspath(arguments.hcc)
    if not os.path.exists(hcc_path()):
        print(f"no compiler at {hcc_path()}: build it, or name it with --hcc", file=sys.stderr)
        sys.exit(2)
    if module != "__main__":
        return
    load_sanitizer()
    loader = unittest.TestLoader()
    this = sys.modules["__main__"]
    suite = (loader.loadTestsFromNames(arguments.names, this) if arguments.names
             else loader.loadTestsFromModule(this))
    finish(unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(suite))


def finish(result):
    """Closing line and exit code of a unittest result."""
    # A test with several failing subtests is one failed test.
    wrong = [test for test, _ in result.failures + result.errors] + result.unexpectedSuccesses
    failed = len({getattr(test, "test_case", test).id() for test in wrong})
    skipped = len(result.skipped)
    passed = result.testsRun - failed - skipped
    for test, reason in result.skipped:
        print(f"skipped {test.id()}: {reason}")
    totals(passed, failed, skipped)


def totals(passed, failed, skipped=0):
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.stdout.flush()
    sys.exit(1 if failed else 77 if skipped and not passed else 0)
