#!/usr/bin/env python3
"""hcc sweep: a grid of runs, some at a time, that goes on however it ended."""

import glob
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

GRID = ["--vary", "wiring=residual,mhc", "--seeds", "2"]
LONG = ["--set", "train.steps=500", "--set", "train.eval_every=0"]  # long enough to be killed
ENDLESS = ["--set", "train.steps=100000000", "--set", "train.eval_every=0"]


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


class Sweep(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.model = self.write("k.hc", harness.EVALUATED)
        self.data = self.write("text.txt", "to be or not to be, that is the question:\n" * 40)
        self.out = self.path("out")

    def words(self, *more):
        return ["sweep", self.model, "--data", self.data, "--out", self.out + "/", "--workers", "2", "--threads", "1", *more]

    def sweep(self, *more, code=0):
        return self.expect(hcc(*self.words(*more)), code)

    def started(self, *more, **how):
        process = subprocess.Popen([harness.hcc_path(), *self.words(*more)], env=harness.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
        self.addCleanup(self.ended, process)
        return process

    def ended(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def until(self, when, process=None):
        for _ in range(3000):
            if when():
                return
            self.assertTrue(process is None or process.poll() is None, process and process.returncode)
            time.sleep(0.005)
        self.fail("it did not come to that")

    def steps(self):
        """How many lines the logs of the sweep have by now."""
        return sum(read(path).count(b"\n") for path in glob.glob(os.path.join(self.out, "*", "log.jsonl")))

    def workers(self):
        """Processes that train a run of this sweep."""
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                words = read(path).split(b"\0")
            except OSError:
                continue
            if b"train" in words[:2] and any(word.startswith(self.out.encode() + b"/") for word in words):
                found.append(int(path.split("/")[2]))
        return found

    def results(self, folder=None):
        """What undisturbed runs and others are the same in."""
        found = {}
        for name in glob.glob(os.path.join(folder or self.out, "*", "config.json")):
            run = os.path.dirname(name)
            lines = [json.loads(line) for line in read(run, "log.jsonl").splitlines()]
            for line in lines:
                del line["positions_per_s"]
            found[os.path.basename(run)] = (lines, read(run, "ckpt/final.safetensors"))
        return found


class Grid(Sweep):
    def test_runs_are_those_of_train(self):
        said = self.sweep("--vary", "wiring=mhc", "--vary", "train.lr=1e-3,0.01", "--seeds", "2", "--steps", "4")
        names = sorted(name for name in os.listdir(self.out) if name != "sweep.json")
        self.assertEqual(names, [f"wiring=mhc,train.lr={lr},seed={seed}" for lr in ("0.01", "1e-3") for seed in (1, 2)])
        self.expect(hcc("train", self.model, "--data", self.data, "--out", self.path("one"), "--threads", "1",
                        "--set", "wiring=mhc", "--set", "train.lr=0.01", "--seed", "2", "--steps", "4"))
        self.assertEqual(read(self.out, names[1], "ckpt/final.safetensors"), read(self.path("one"), "ckpt/final.safetensors"))
        self.assertEqual(said.out, self.expect(hcc("compare", self.out)).out)
        self.assertIn("4 of 4 finished", said.err)
        self.assertIn("2 at a time, 1 thread each", said.err)

    def test_a_file_of_values(self):
        path = self.write("grid.txt", "# rates\ntrain.lr = 1e-3,1e-2# two\n\ntrain.seed = 7\nd = max(8, 9)\n")
        self.write("k.hc", harness.EVALUATED.replace("wiring = residual", "d = 8"))
        self.sweep("--vary-from", path, "--steps", "1")
        names = [name for name in os.listdir(self.out) if name != "sweep.json"]
        self.assertEqual(len(names), 2)
        for name in names:  # what shells would take for something else gives way to a hash
            self.assertRegex(name, r"^train\.lr=1e-[23],d=max-8,-9-,seed=7~[0-9a-f]{8}$")
        self.assertEqual({json.loads(read(self.out, name, "config.json"))["constants"]["d"] for name in names}, {"9"})

    def test_mistakes_are_told_before_anything_begins(self):
        for words, code, expected in (
                (["--vary", "wring=mhc"], 1, "wring"),
                (["--vary", "train.lr=1e-3,fast"], 1, "train.lr=fast"),
                (["--vary", "wiring"], 2, "NAME=VALUE"),
                (["--vary", "wiring=a,,b"], 2, "missing"),
                (["--vary", "v=1", "--set", "v=2"], 2, "one value"),
                (["--vary", "train.seed=1,01"], 2, "seed 1 is given twice"),
                (["--vary-from", self.write("g", "wiring=mhc\nx\n")], 2, "g:2: what varies"),
                (["--vary", "train.lr=1e-3", "--data", "nowhere"], 3, "cannot read data")):
            with self.subTest(words):
                self.assertIn(expected, self.sweep(*words, code=code).err)
                self.assertFalse(os.path.exists(self.out))

    def test_nothing_is_written_over(self):
        os.makedirs(self.out)
        self.write("out/notes", "mine")
        self.assertIn("no sweep", self.sweep(*GRID, code=2).err)
        self.assertEqual(os.listdir(self.out), ["notes"])


class GoesOn(Sweep):
    def test_killed_again_and_again(self):
        self.sweep(*GRID, *LONG)
        whole = self.results()
        self.out = self.path("killed")
        for steps in (50, 600):
            process = self.started(*GRID, *LONG)
            self.until(lambda steps=steps: self.steps() >= steps, process)
            process.kill()
            process.wait()
        said = self.sweep(*GRID, *LONG)
        self.assertRegex(said.err, r"goes on")
        self.assertEqual(self.results(), whole)
        self.assertEqual(self.workers(), [])
        path = os.path.join(self.out, "wiring=mhc,seed=2", "summary.json")
        summary = json.loads(read(path))
        with open(path, "w", encoding="utf-8") as file:  # as an interrupted last evaluation leaves it
            json.dump({name: value for name, value in summary.items() if not name.startswith("val_")}, file)
        again = self.sweep(*GRID, *LONG, "--json")
        self.assertIn("3 finished, 1 to go on with", again.err)
        self.assertNotIn("begins", again.err)
        self.assertEqual(json.loads(read(path))["val_loss"], summary["val_loss"])
        compared = json.loads(again.out)
        self.assertEqual(compared["differ"], ["wiring"])
        self.assertEqual([group["seeds"] for group in compared["groups"]], [[1, 2]] * 2)

    def test_killed_before_anything_was_written(self):
        os.makedirs(self.out)
        self.write("out/sweep.json.tmp-abcdefgh", "{")
        self.sweep("--steps", "1")
        self.assertEqual(sorted(os.listdir(self.out)), ["seed=1", "sweep.json"])
        run = os.path.join(self.out, "seed=1")  # nor a run's config.json, behind its log
        shutil.rmtree(run)
        os.makedirs(os.path.join(run, "ckpt"))
        self.write("out/seed=1/log.jsonl", "")
        self.assertIn("1 of 1 finished", self.sweep("--steps", "1").err)

    def test_a_killed_worker_ends_alone(self):
        process = self.started("--vary", "train.lr=1e-3,1e-2", *LONG)
        self.until(lambda: self.steps() > 20, process)
        os.kill(self.workers()[0], signal.SIGKILL)
        _, err = process.communicate()
        self.assertEqual(process.returncode, 6, err)
        self.assertIn("stopped: killed by signal 9", err)
        self.assertIn("1 of 2 finished, 1 stopped", err)
        self.assertIn("2 of 2 finished", self.sweep("--vary", "train.lr=1e-3,1e-2", *LONG).err)

    def test_interrupted(self):
        process = self.started(*GRID, *ENDLESS)
        self.until(lambda: self.steps() > 20, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        self.assertEqual((process.returncode, out), (130, ""), err)
        self.assertIn("the same command goes on", err)
        self.assertEqual(self.workers(), [])
        for name in os.listdir(self.out):
            if name != "sweep.json":
                self.assertIn(b"saved as ckpt/last", read(self.out, name, "output.txt"))


SIX = ["--vary", "wiring=residual,mhc", "--seeds", "3", "--workers", "1"]


class Several(Sweep):
    """Sweeps of one folder at once, which is all that machines share."""

    def claims(self):
        return glob.glob(os.path.join(self.out, "*", "claim-*"))

    def test_each_run_once(self):
        self.sweep(*SIX, *LONG)
        whole = self.results()
        self.out = self.path("together")
        processes = [self.started(*SIX, *LONG) for _ in range(3)]
        said = [process.communicate()[1] for process in processes]
        for process, err in zip(processes, said):
            self.assertEqual(process.returncode, 0, err)
            self.assertIn("6 of 6 finished", err)
        self.assertEqual(sorted(line.split(":")[0] for err in said for line in err.splitlines() if line.endswith(": begins")),
                         sorted(whole))
        self.assertNotIn("goes on", "".join(said))
        self.assertTrue(all(": begins" in err for err in said), said)
        self.assertEqual(self.results(), whole)
        self.assertEqual(self.claims(), [])

    def test_what_one_leaves_another_takes(self):
        steps = ["--steps", "2000"]
        self.sweep(*steps)
        whole = self.results()
        self.out = self.path("killed")
        first = self.started(*steps)
        self.until(lambda: self.steps() > 20, first)
        second = self.started(*steps)
        first.kill()
        _, said = second.communicate()
        self.assertEqual(second.returncode, 0, said)
        self.assertIn("seed=1: goes on", said)
        self.assertEqual(self.results(), whole)

    def claim(self, run, boot):
        """One that a process of another machine, or one of this, has made."""
        os.makedirs(os.path.join(self.out, run), exist_ok=True)
        path = os.path.join(self.out, run, "claim-1")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"host": "elsewhere", "pid": os.getpid(), "boot": boot, "since": 0}, file)
        return path

    def test_claims_of_other_machines(self):
        """One is as good as its last touch."""
        self.sweep("--steps", "1", "--seeds", "1")
        path = self.claim("seed=2", "of another machine")
        process = self.started("--steps", "1", "--seeds", "2")
        for _ in range(4):
            time.sleep(0.5)
            self.assertIsNone(process.poll())
            self.assertEqual(os.listdir(os.path.dirname(path)), ["claim-1"])
        os.utime(path, (time.time() - 301,) * 2)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("2 of 2 finished", err)
        self.assertEqual(self.claims(), [])

    def test_a_claim_of_this_machine_ends_with_its_process(self):
        self.sweep("--steps", "1", "--seeds", "1")
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            self.claim("seed=2", file.read().strip())
        self.assertIn("2 of 2 finished", self.sweep("--steps", "1", "--seeds", "2").err)

    def test_who_is_taken_over_stops(self):
        """As a machine finds that slept meanwhile: it ends its run, and looks what the other makes of it."""
        process = self.started("--seeds", "1", *ENDLESS)
        self.until(lambda: self.steps() > 20, process)
        path = os.path.join(self.out, "seed=1", "claim-2")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"host": "elsewhere", "pid": 1, "boot": "of another machine", "since": 0}, file)
        self.until(lambda: not self.workers(), process)
        self.assertIsNone(process.poll())
        self.assertFalse(os.path.exists(os.path.join(self.out, "seed=1", "failed.json")))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(), 130)


class Jobs(Sweep):
    def jobs(self, *more):
        return self.sweep("--jobs", *more).out.splitlines()

    def do(self, line, code=0):
        return self.expect(harness.run(["sh", "-c", line], cwd="/"), code)

    def test_a_line_a_run(self):
        grid = ["--vary", "wiring=residual,mhc", "--steps", "4"]
        self.sweep(*grid)
        whole = self.results()
        self.data = self.write("it's \"$HOME\" & more.txt", read(self.data).decode())
        self.out = self.path("of jobs; ' #")
        lines = self.jobs(*grid)
        self.assertEqual(os.listdir(self.out), ["sweep.json"])
        self.assertEqual(len(lines), 2)
        for k, line in enumerate(lines):
            said = self.do(line)
            self.assertEqual(said.out, "")
            self.assertIn("1 of 1 finished", said.err)
            self.assertEqual(len(self.results()), k + 1)
        self.assertEqual({name: run[1] for name, run in self.results().items()},
                         {name: run[1] for name, run in whole.items()})
        before = self.results()
        for line in lines:
            said = self.do(line)
            self.assertRegex(said.err, r"^hcc: wiring=\w+,seed=\d in `.*`, 1 finished;")
            self.assertNotIn("begins", said.err)
        self.assertEqual(self.results(), before)
        self.assertIn("2 of 2 runs", self.expect(hcc("compare", self.out)).out)
        self.assertEqual(self.jobs(*grid), lines)

    def test_an_interrupted_line_goes_on(self):
        line = self.jobs("--seeds", "2", *ENDLESS)[1]
        for begins in ("seed=2: begins", "seed=2: goes on"):
            before = self.steps()
            process = subprocess.Popen(["sh", "-c", line.replace("&& ", "&& exec ")], stderr=subprocess.PIPE,
                                       env=harness.environment(), text=True)
            self.addCleanup(self.ended, process)
            self.until(lambda before=before: self.steps() > before + 20, process)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(), 143)
            self.assertIn(begins, process.stderr.read())
        self.assertEqual(sorted(os.listdir(self.out)), ["seed=2", "sweep.json"])

    def test_mistakes(self):
        self.assertIn("no run of this sweep", self.sweep(*GRID, "--only", "seed=1", code=2).err)
        self.data = self.write("two\nlines.txt", "to be or not to be, that is the question:\n" * 40)
        self.assertIn("has several lines", self.sweep(*GRID, "--jobs", code=2).err)

    def test_what_has_changed_is_told(self):
        self.sweep(*GRID, "--steps", "2")
        for words, expected in ((["--steps", "3"], "begun with --steps 2, and now it is 3"),
                                (["--steps", "2", "--set", "v=256"], "with --set not given, and now it is v=256"),
                                (["--steps", "2", "--threads", "2"], "--threads 1, and now it is 2")):
            self.assertIn(expected, self.sweep(*GRID, *words, code=2).err)
        self.write("k.hc", harness.EVALUATED + "\n")
        self.assertIn("has changed since", self.sweep(*GRID, "--steps", "2", code=2).err)
        self.write("k.hc", harness.EVALUATED)
        more = self.sweep("--vary", "wiring=mhc", "--seeds", "3", "--steps", "2")
        self.assertIn("2 are left as they are (wiring=residual,seed=1, ...)", more.err)
        self.assertIn("3 of 3 finished", more.err)
        self.assertIn("5 of 5 runs", more.out)

    def test_what_fails_does_not_end_the_others(self):
        grid = ["--vary", "train.lr=1e-3,1e6", "--set", "train.optimizer=sgd", "--steps", "100"]
        said = self.sweep(*grid, code=4)
        name = "train.lr=1e6,seed=1"
        self.assertRegex(said.err, rf"{name}: diverged, exit code 4: diverged at step \d+")
        self.assertIn("1 of 2 runs", said.out)
        again = self.sweep(*grid, "--retry", code=4)
        self.assertIn(f"{name}: goes on", again.err)
        self.assertEqual(again.err.count("begins"), 0)

    def test_a_failure_is_remembered(self):
        grid = ["--vary", "train.lr=1e-3,1e-2", "--steps", "2"]
        self.write("text.txt", "too short")
        said = self.sweep(*grid, code=3)
        self.assertRegex(said.err, r"train.lr=1e-3,seed=1: failed, exit code 3: error: .*text.txt")
        self.data = self.write("text.txt", "to be or not to be, that is the question:\n" * 40)
        again = self.sweep(*grid, code=3)
        self.assertEqual(again.err.count("failed, exit code 3"), 2)
        self.assertIn("2 failed (--retry tries them again)", again.err)
        self.assertNotIn("begins", again.err)
        self.assertIn("2 of 2 finished", self.sweep(*grid, "--retry").err)
        self.assertFalse(glob.glob(os.path.join(self.out, "*", "failed.json")))


class Terminal(Sweep):
    def test_a_table_is_redrawn(self):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([harness.hcc_path(), *self.words(*GRID)], stdout=subprocess.DEVNULL, stderr=theirs,
                                   env=harness.environment({"COLUMNS": "60", "LINES": "40"}))
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            shown += part
            if not part:
                break
        os.close(ours)
        self.assertEqual(process.wait(), 0)
        last = shown.decode().split("\033[6A")[-1].replace("\033[K", "").replace("\033[J", "").split("\r\n")
        self.assertEqual(last[0], "4 of 4 finished")
        self.assertRegex(last[2], r"^wiring=residual,seed=1  finished +6/6 ")
        self.assertEqual(len(last), 7)
        self.assertTrue(all(len(line) < 60 for line in last))


harness.main(__name__)
