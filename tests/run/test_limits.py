#!/usr/bin/env python3
"""What the system may grant a process, threads, address space, a share of the processors, and what hcc asks."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness

MODEL = "examples/my_connection.hc"
NOBODY = 54321  # a user with no other process
SMALL = """model line {
  input x : real;
  target y : real;
  param a ~ normal(1);
  loss (a * x - y)^2;
}
train line { data table { x = columns[0]; y = columns[1]; } batch 1; steps 1; seed 1; }
"""


CODE = {  # what one turn or one kernel would write out, and the most lines of its loop nests
    "let v[i, k] = sin(u[i] * w[k]); let m = sinkhorn(v, 3); let y[i] = min(u[i], m[i, i]);":
        (8000, (32, 33, 48, 64)),
    "param W[{n}, {n}] ~ normal(0.1); let y[i] = u[i]; iterate 5 {{ y[i] = tanh(sum[j] W[i, j] * y[j]); }}":
        (8000, (32, 33, 48, 64)),
    "param W[40, {n}] ~ normal(0.5); let s[i < 40] = max[j] sin(u[j] * W[i, j]); "
    "let y[k < 200] = s[k % 40] * s[3 * k % 40] * w[0];": (8000, (31, 32)),
}
WRITTEN = """model m {{
  input u[{n}] : real;
  param w[{n}] ~ normal(1);
  {body}
  loss mean[k] y[k]^2;
}}
"""


class Code(harness.TestCase):
    """A compiler takes long functions in more than linear time, so nests stay short."""

    def test_is_short_at_every_width(self):
        for body, (most, widths) in CODE.items():
            for n in widths:
                with self.subTest(body, n=n):
                    path = self.write("m.hc", WRITTEN.format(n=n, body=body.format(n=n)))
                    nests = harness.hcc("emit", path, "--stage", "nests")
                    self.assertEqual(nests.code, 0, repr(nests)[-2000:])
                    self.assertLess(nests.out.count("\n"), most)

    def test_is_right(self):
        for body, (_, widths) in CODE.items():
            path = self.write("m.hc", WRITTEN.format(n=widths[0], body=body.format(n=widths[0])))
            result = harness.hcc("gradcheck", path, "-O0")
            self.assertEqual(result.code, 0, repr(result)[-2000:])


class Threads(harness.TestCase):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("only root can become a user without other processes")
        if harness.sanitized():
            self.skipTest("the sanitizer's own thread needs a place")
        folder = tempfile.mkdtemp(dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        os.chown(folder, NOBODY, NOBODY)
        self.hcc = os.path.join(folder, "hcc")
        shutil.copy(harness.hcc_path(), self.hcc)
        self.theirs = folder

    def alone(self, *command):
        """Runs hcc where no thread can be started beside the first."""
        def limit():
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        seen = harness.environment({"HCC_CACHE_DIR": os.path.join(self.theirs, "cache")})
        seen.pop("OPENBLAS_NUM_THREADS", None)
        process = subprocess.run([self.hcc, *command], preexec_fn=limit, cwd=self.theirs, env=seen,
                                 capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(process.returncode, 0, process.stderr)
        return process

    def test_commands_that_compute_nothing(self):
        self.assertEqual(self.alone("--version").stderr, "")
        self.alone("show", "residual")

    def test_training_goes_on_with_those_it_gets(self):
        for name, text in (("m.hc", SMALL), ("t.csv", "1,2\n3,4\n")):
            with open(os.path.join(self.theirs, name), "w", encoding="utf-8") as file:
                file.write(text)
        self.alone("train", "m.hc", "--data", "t.csv", "--threads", "3", "--out", "r")
        with open(os.path.join(self.theirs, "r", "config.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["threads"], 1)


class AddressSpace(harness.TestCase):
    def setUp(self):
        super().setUp()
        if harness.sanitized():
            self.skipTest("the sanitizer reserves more than any limit")

    def within(self, limit, *command):
        return subprocess.run(
            [harness.hcc_path(), *command], cwd=harness.ROOT, timeout=60, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
            env=harness.environment(), capture_output=True, check=False)

    def test_every_command_ends(self):
        for limit in (300_000_000, 600_000_000):
            self.assertIn(self.within(limit, "check", MODEL).returncode, (0, 6))

    def test_loops_around_loops(self):
        """What is written out costs what it makes, and is refused before where that is too much."""
        for turns, code in ((20_000, 0), (1_000_000, 1)):
            model = self.write("m.hc", """model m {
  input x[4] : real;
  param W[4] ~ normal(1);
  let s[i] = x[i] * W[i];
  iterate TURNS {
    iterate 1000 { s[i] = tanh(s[i]); }
  }
  loss sum[i] s[i];
}
""".replace("TURNS", str(turns)))
            with self.subTest(turns=turns):
                self.assertEqual(self.within(1_000_000_000, "info", model).returncode, 0)
                process = self.within(1_000_000_000, "emit", model, "--stage", "nests", "-o",
                                      self.path("m.nest"))
                self.assertEqual(process.returncode, code, process.stderr)
                if code:
                    self.assertIn("error[E0502]: written out, the loop makes", process.stderr)
                    self.assertIn("m.hc:5:3", process.stderr)

    def test_windows_take_what_they_read(self):
        """A kernel of a thousand shifts says each one's row once, not in each of its loops."""
        model = self.write("m.hc", """model m {
  positions t <= 2000;
  input x[t, 4] : real;
  param W[1000, 4] ~ normal(1);
  let w = window(x, 1000);
  let s[k] = sum[a] W[a, k] * w[a, k];
  let p = mean[t] s[0];
  loss p^2;
}
""")
        nests = self.path("m.nest")
        process = self.within(1_000_000_000, "emit", model, "--stage", "nests", "-o", nests)
        self.assertEqual(process.returncode, 0, process.stderr)
        with open(nests, encoding="utf-8") as file:
            self.assertLess(sum(1 for _ in file), 100 * 1000)


class Processors(harness.TestCase):
    """The cgroup files of the system, replaced in a mount namespace of the test's own."""

    ENTER = ('mount --bind "$1" /sys/fs/cgroup && mount --bind "$2" /proc/$$/cgroup || exit 77\n'
             'shift 2; exec "$@"\n')

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0 or harness.run(["unshare", "-m", "true"]).code != 0:
            self.skipTest("only root can put other cgroup files in place")
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("one processor is the least there is")
        self.write("m.hc", SMALL)
        self.write("t.csv", "1,2\n3,4\n")

    def threads(self, name, membership, files):
        for path, text in files.items():
            full = self.path(f"{name}/{path}")
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text + "\n")
        self.write(f"{name}.self", membership + "\n")
        result = harness.run(["unshare", "-m", "bash", "-c", self.ENTER, "enter", self.path(name),
                              self.path(f"{name}.self"), harness.hcc_path(), "train", "m.hc",
                              "--data", "t.csv", "--out", f"run-{name}"], cwd=self.folder)
        if result.code == 77:
            self.skipTest("the cgroup files cannot be replaced here")
        self.expect(result)
        with open(self.path(f"run-{name}/config.json"), encoding="utf-8") as file:
            return json.load(file)["threads"]

    def test_the_smallest_quota_on_the_way_to_the_root(self):
        one, two = "100000 100000", "200000 100000"
        processors = len(os.sched_getaffinity(0))
        v2 = "0::/a/b"
        cases = [
            ("own", v2, {"a/b/cpu.max": one}, 1),
            ("parent", v2, {"a/b/cpu.max": "max 100000", "a/cpu.max": one}, 1),
            ("smaller", v2, {"a/b/cpu.max": two, "a/cpu.max": one}, 1),
            ("root", v2, {"cpu.max": one}, 1),
            ("half", v2, {"a/b/cpu.max": "150000 100000"}, 1),
            ("two", v2, {"a/b/cpu.max": two}, min(2, processors)),
            ("old", "4:cpu,cpuacct:/x", {"cpu,cpuacct/x/cpu.cfs_quota_us": "-1",
                                         "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
                                         "cpu,cpuacct/cpu.cfs_quota_us": "50000",
                                         "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 1),
            ("other", "3:cpuset:/", {"cpuset/cpu.cfs_quota_us": "100000",
                                     "cpuset/cpu.cfs_period_us": "100000"}, processors),
        ]
        for name, membership, files, expected in cases:
            with self.subTest(name):
                self.assertEqual(self.threads(name, membership, files), expected)


if __name__ == "__main__":
    harness.main(__name__)
