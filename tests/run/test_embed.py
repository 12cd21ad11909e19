#!/usr/bin/env python3
"""Models in other people's programs: headers that every standard of C and C++ takes, names that do
not clash, libraries that are asked for by name, programs written in C and C++."""

import _ctypes
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import hcc

MODEL = """model line {
  const d = 8, k = 1;
  input x[d] : real;
  target y : real;
  param w[d] = k;
  let p = sum[c] w[c] * x[c];
  loss (p - y)^2;
}
"""

# Two builds of the model in one program: prints the loss of each, at x = 1 .. 8 and y = 30.
TWO = """#include "one.h"
#include "two.h"
#include <stdio.h>
#define RUN(prefix) { \\
    HcContext *c; HcOptions o = {1, 1, 0}; double loss = -1; \\
    if (prefix##_create(&o, &c, NULL) != HC_OK) return 1; \\
    prefix##_init(c, 1); prefix##_set_input(c, "x", x, 8); prefix##_set_input(c, "y", &y, 1); \\
    if (prefix##_forward_backward(c) != HC_OK || prefix##_loss(c, &loss) != HC_OK) return 1; \\
    printf("%s %g\\n", prefix##_model_name(c), loss); prefix##_destroy(c); }
int main(void) {
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y = 30;
    RUN(one)
    RUN(two)
    return 0;
}
"""

# Its states grow at every second site, and what it weighs by is handed from its read to its write.
GROWING = """connection gathered(norm = rmsnorm) {
  state h[d], X[depth, d];
  param w[d] = 0.3;
  param a[depth] = 1 / depth;
  begin h = x;
  begin X[0,c] = x[c];
  let g      = sigmoid(sum[c] w[c] * h[c]);
  let past[c] = sum[j] a[j] * X[j,c];
  let u[c]   = h[c] + past[c];
  read  x    = norm(u);
  write h[c] = g * h[c] + (1 - g) * past[c] + y[c];
  if site % 2 == 0 {
    append X[c] = y[c];
  } else {
    write X[depth - 1, c] = X[depth - 1, c] + y[c];
  }
  let s[c] = h[c] * sum[j] X[j,c];
  end   x    = norm(s);
}
"""

# Code for a simpler processor is compiled sooner.
QUICK = ["--cpu", "baseline"]

SANITIZE = ["-fsanitize=address,undefined"]


def sanitize():
    return SANITIZE if harness.sanitized() else []


def takes(compiler, standard):
    """Whether the compiler knows the standard."""
    return subprocess.run([*compiler, f"-std={standard}", "-fsyntax-only", "-"], input="",
                          capture_output=True, text=True, check=False).returncode == 0


class Headers(harness.TestCase):
    def test_every_standard(self):
        """Each standard of both languages, with a connection's header, hc.h before and after."""
        model = self.write("m.hc", MODEL)
        self.expect(hcc("build", model, *QUICK, "-o", self.path("m.o")))
        self.expect(hcc("build", "--connection", "residual", "--set", "d=8", *QUICK, "-o", self.path("r.so")))
        runtime = os.path.join(harness.ROOT, "runtime", "hc.h")
        use = ("int main(void) { HcContext *c; return line_create(0, &c, 0) != HC_OK; }\n")
        self.write("plain.c", f'#include "m.h"\n#include "r.h"\n{use}')
        self.write("first.c", f'#include "{runtime}"\n#include "m.h"\n{use}')
        self.write("after.c", f'#include "m.h"\n#include "{runtime}"\n{use}')
        tried = []
        for compiler, standards in ((["cc", "-x", "c"], ("c99", "c11", "c17", "c2x", "c23")),
                                    (["c++", "-x", "c++"], ("c++11", "c++14", "c++17", "c++20", "c++23"))):
            if not shutil.which(compiler[0]):
                continue
            for standard in standards:
                if not takes(compiler, standard):
                    continue
                tried.append(standard)
                with self.subTest(standard):
                    self.expect(harness.run(
                        [*compiler, f"-std={standard}", "-pedantic", "-Wall", "-Wextra", "-Werror",
                         "-fsyntax-only", "-I", harness.ROOT, "plain.c", "first.c", "after.c"],
                        cwd=self.folder))
        self.assertIn("c99", tried)
        self.assertTrue({"c2x", "c23"} & set(tried))


class Names(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.model = self.write("m.hc", MODEL)

    def names(self, path, *options):
        said = self.expect(harness.run(["nm", "--defined-only", "--extern-only", *options, path]))
        return [line.split()[-1] for line in said.out.splitlines() if line and "_asan_" not in line]

    def test_all_begin_with_the_prefix(self):
        for output, prefix in (("m.so", "line"), ("m.so.1", "other"), ("m.o", "line"), ("m.o", "other")):
            with self.subTest(output, prefix=prefix):
                given = [] if prefix == "line" else ["--prefix", prefix]
                self.expect(hcc("build", self.model, *QUICK, "-o", self.path(output), *given))
                names = self.names(self.path(output), *([] if output == "m.o" else ["-D"]))
                self.assertIn(f"{prefix}_create", names)
                self.assertEqual([name for name in names if not name.startswith(f"{prefix}_")], [])
                with open(self.path("m.h"), encoding="utf-8") as file:
                    header = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
                declared = set(re.findall(rf"\b({prefix}_\w+)\(", header))
                self.assertEqual(declared, set(names) - {f"{prefix}_model"})

    def test_two_of_one_model(self):
        for ending in ("o", "so"):
            with self.subTest(ending):
                words = []
                for prefix, k in (("one", 1), ("two", 0)):
                    output = self.path(f"{prefix}.{ending}")
                    said = self.expect(hcc("build", self.model, "-o", output, "--prefix", prefix,
                                           "--set", f"k={k}")).out
                    words += harness.link_words(said) if ending == "o" else [output]
                source = self.write("two.c", TWO)
                self.expect(harness.run(["cc", "-I", self.folder, source, *words, *sanitize(), "-o",
                                         self.path("two")]))
                self.assertEqual(self.expect(harness.run([self.path("two")])).out,
                                 "line 36\nline 900\n")

    def test_wrong_prefixes(self):
        for prefix, said in (("hc", "would make a function `hc_"), ("1a", "is not the beginning"),
                             ("a-b", "is not the beginning"), ("", "is not the beginning"),
                             ("é", "is not the beginning")):
            with self.subTest(prefix):
                result = hcc("build", self.model, "-o", self.path("m.so"), "--prefix", prefix)
                self.assertIn(said, self.expect(result, 2).err)

    def test_a_library_is_asked_for_by_its_first_number(self):
        """The program runs with another library of that name beside it."""
        for name in ("libm1.so.3", "libm1.so.3.1"):
            with self.subTest(name):
                self.expect(hcc("build", self.model, "-o", self.path(name), "--prefix", "one"))
                dynamic = self.expect(harness.run(["readelf", "-d", self.path(name)])).out
                self.assertIn("Library soname: [libm1.so.3]", dynamic)
        self.expect(hcc("build", self.model, "-o", self.path("plain.so")))
        dynamic = self.expect(harness.run(["readelf", "-d", self.path("plain.so")])).out
        self.assertNotIn("soname", dynamic)

    def test_needs(self):
        """What the manifest says is what a library has the system load, and what it loads itself."""
        self.expect(hcc("build", self.model, "-o", self.path("m.so")))
        with open(self.path("m.manifest.json"), encoding="utf-8") as file:
            needs = json.load(file)["needs"]
        dynamic = self.expect(harness.run(["readelf", "-d", self.path("m.so")])).out
        asked = set(re.findall(r"NEEDED.*\[lib([\w-]+)\.so", dynamic)) - {"c", "asan", "ubsan"}
        self.assertIn("jansson", asked)
        self.assertLessEqual(asked, set(needs["linked"]))
        with open(self.path("m.so"), "rb") as file:
            library = file.read()
        for name in needs["loaded"]:
            self.assertIn(name.encode() + b"\0", library)


class Loading(harness.TestCase):
    def test_loaded_and_unloaded_a_hundred_times(self):
        """With a context of several threads in between; what the process holds does not grow."""
        if harness.sanitized():
            self.skipTest("the address sanitizer keeps what was freed")
        library = self.path("m.so")
        self.expect(hcc("build", self.write("m.hc", MODEL), *QUICK, "-o", library))

        def pages():
            with open("/proc/self/statm", encoding="ascii") as file:
                return int(file.read().split()[1])

        held = []
        for _ in range(100):
            loaded = ctypes.CDLL(library)
            context, options = ctypes.c_void_p(), (ctypes.c_int64 * 3)(3, 8, 0)
            self.assertEqual(loaded.line_create(options, ctypes.byref(context), None), 0)
            self.assertEqual(loaded.line_forward_backward(context), 0)
            loaded.line_destroy(context)
            _ctypes.dlclose(loaded._handle)
            held.append(pages())
        with open("/proc/self/maps", encoding="utf-8") as file:
            self.assertNotIn(library, file.read())
        self.assertLess(held[-1] - held[20], 256)  # a megabyte


class Processors(harness.TestCase):
    def test_what_a_processor_lacks_is_said(self):
        """On emulated processors: one with AVX2 runs both, one without refuses what needs it before
        it runs any of it."""
        if not shutil.which("qemu-x86_64"):
            self.skipTest("there is no qemu-x86_64 (package qemu-user)")
        if harness.sanitized():
            self.skipTest("the address sanitizer does not run in the emulator")
        consumer = os.path.join(harness.ROOT, "tests", "consumer")
        for cpu in ("x86-64-v3", "baseline"):
            self.expect(hcc("build", os.path.join(consumer, "line.hc"), "-o", self.path("line.so"),
                            "--cpu", cpu))
            self.expect(harness.run(["cc", "-I", self.folder, os.path.join(consumer, "main.c"),
                                     self.path("line.so"), "-o", self.path("program")]))
            for machine, lacking in (("max", None), ("Nehalem", "avx")):
                with self.subTest(cpu, machine=machine):
                    result = harness.run(["qemu-x86_64", "-cpu", machine, self.path("program")])
                    if lacking and cpu != "baseline":
                        self.assertIn(f"a processor with {lacking} ({cpu}), which this machine lacks",
                                      self.expect(result, 1).err)
                    else:
                        self.assertEqual(self.expect(result).out, "36\n")


class Examples(harness.TestCase):
    """examples/embed, built as their first lines say. train.c is run by test_train.py, beside hcc."""

    def program(self, source, *flags):
        """The regression's library, and a program that is linked with it."""
        self.expect(hcc("build", "examples/regression.hc", *QUICK, "-o",
                        self.path("regression.so")))
        compiler = "c++" if source.endswith(".cpp") else "cc"
        if not shutil.which(compiler):
            self.skipTest(f"there is no {compiler}")
        self.expect(harness.run([compiler, "-Wall", "-Wextra", "-Werror", *flags, *sanitize(), "-I",
                                 self.folder, os.path.join("examples", "embed", source),
                                 self.path("regression.so"), "-o", self.path("program")]))
        return self.path("program")

    def test_cpp_shares_parameters(self):
        program = self.program("predict.cpp", "-std=c++11", "-pedantic", "-pthread")
        patients = "".join(f"{(k * 37 % 101) / 50 - 1} " for k in range(70))
        one = self.expect(harness.run([program, "-", "1"], stdin=patients)).out
        self.assertEqual(len(one.split()), 7)
        for threads in ("3", "20"):
            many = self.expect(harness.run([program, "-", threads], stdin=patients)).out
            self.assertEqual(many, one)
        self.assertIn("No such file", self.expect(harness.run([program, "none", "2"], stdin=patients), 1).err)

    def test_a_connection_in_a_network_of_ones_own(self):
        """Both directions, around branches in C, of a connection whose sites differ; the slope that their
        backward passes give is that of the loss."""
        library, program = self.path("mhc.so"), self.path("connection")
        self.expect(hcc("build", self.write("own.hc", GROWING), "--connection", "gathered", "--prefix", "mhc", "--set",
                        "d=24", "--set", "sites=3", "--precision", "f64", *QUICK, "-o", library))
        self.expect(harness.run(["cc", "-Wall", "-Wextra", "-Werror", "-DREAL=double", "-I", self.folder,
                                 "examples/embed/connection.c", library, *sanitize(), "-lm", "-o", program]))
        said = dict(line.split() for line in self.expect(harness.run([program])).out.splitlines())
        slope, difference = float(said["slope"]), float(said["difference"])
        self.assertGreater(abs(slope), 0.01)
        self.assertAlmostEqual(slope, difference, delta=1e-7 * abs(slope))

    def test_a_context_goes_on_in_a_child(self):
        program = self.program("forked.c", "-std=gnu99")
        for _ in range(3):
            losses = self.expect(harness.run([program])).out.split()
            self.assertEqual(len(losses), 6)
            self.assertEqual(losses[:3], losses[3:])
            self.assertEqual(len(set(losses)), 3)


if __name__ == "__main__":
    harness.main(__name__)
