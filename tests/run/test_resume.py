#!/usr/bin/env python3
"""Runs that end before their last step, however they do, and go on: to the bit as if they had not.
"""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

TIMES = ("positions_per_s", "seconds", "memory_bytes", "threads")


def log_of(run):
    """The lines of a run's log, but for times."""
    with open(os.path.join(run, "log.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]


def bytes_of(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def tensors_of(*path):
    """A safetensors file without its header."""
    data = bytes_of(*path)
    return data[8 + int.from_bytes(data[:8], "little"):]


def temporaries(run):
    return [name for name in os.listdir(os.path.join(run, "ckpt")) if ".tmp-" in name]


class Resume(harness.TestCase):
    """Of a model with everything that a step may depend on: dropout, a schedule, evaluations, parts of a
    batch, an average of the parameters."""

    SETTINGS = ["wiring=mhc", "blocks=1", "d=32", "heads=2", "context=16", "train.batch=4 in 2", "train.ema=0.8",
                "train.steps=200", "train.warmup=2", "train.eval_every=7"]
    MODEL = "examples/shakespeare.hc"

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp(prefix="hcc-resume-")
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.data = os.path.join(cls.shared, "text.txt")
        with open(cls.data, "wb") as file:
            file.write(b"the quick brown fox jumps over the lazy dog; " * 60)
        cls.whole = os.path.join(cls.shared, "whole")
        result = hcc(*cls.command(cls.whole, "--threads", "1"))
        assert result.code == 0, result

    @classmethod
    def command(cls, run, *more):
        settings = [word for setting in cls.SETTINGS for word in ("--set", setting)]
        return ["train", os.path.join(harness.ROOT, cls.MODEL), "--data", cls.data, "--out", run,
                "--quiet", *settings, *more]

    def ended(self, name, how, when, *more):
        """A run that a signal ends once `when` says so of its folder."""
        run = self.path(name)
        started = subprocess.Popen([harness.hcc_path(), *self.command(run, *more)],
                                   env=harness.environment(), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            while not when(run) and started.poll() is None:
                time.sleep(0.001)
            started.send_signal(how)
        finally:
            started.wait(timeout=60)
        return run

    def steps(self, n):
        def when(run):
            try:
                return len(bytes_of(run, "log.jsonl").splitlines()) >= n
            except FileNotFoundError:
                return False
        return when

    def resume(self, run, *more, code=0):
        return self.expect(hcc("train", "--resume", run, *more), code)

    def same(self, run):
        self.assertEqual(log_of(run), log_of(self.whole))
        for name in ("ckpt/final.safetensors", "ckpt/last/parameters.safetensors"):
            self.assertEqual(bytes_of(run, name), bytes_of(self.whole, name), name)
        self.assertEqual(temporaries(run), [])
        mine, other = ({key: value for key, value in
                        json.loads(bytes_of(of, "summary.json")).items() if key not in TIMES}
                       for of in (run, self.whole))
        self.assertEqual(mine, other)

    def test_killed_at_some_step(self):
        for steps, threads in ((1, 2), (50, 1), (120, 2)):
            with self.subTest(steps=steps):
                run = self.ended(f"killed-{steps}", signal.SIGKILL, self.steps(steps))
                self.assertFalse(os.path.exists(os.path.join(run, "summary.json")))
                self.resume(run, "--threads", str(threads))
                self.same(run)

    def test_killed_while_saving(self):
        def saving(run):
            return self.steps(20)(run) and temporaries(run)
        run = self.ended("saving", signal.SIGKILL, saving)
        self.resume(run)
        self.same(run)

    def test_interrupted_twice(self):
        run = self.ended("interrupted", signal.SIGINT, self.steps(20))
        said = self.resume(run, "--steps", "100")
        self.assertRegex(said.err, r"interrupted goes on after step \d+ of 100")
        self.assertEqual(len(log_of(run)), 100)
        self.assertEqual(json.loads(bytes_of(run, "config.json"))["recipe"]["steps"], 100)

    def test_a_constant_rate_goes_on_as_one_run(self):
        flat = ["--set", "train.schedule=constant", "--set", "train.eval_every=0"]
        whole, parts = self.path("whole"), self.path("parts")
        # constant(warmup = 2) is the schedule's own
        self.expect(hcc(*self.command(whole, *flat, "--steps", "40")))
        self.expect(hcc(*self.command(parts, *flat, "--steps", "15")))
        self.resume(parts, "--steps", "40")
        self.assertEqual(log_of(parts), log_of(whole))
        self.assertEqual(bytes_of(parts, "ckpt/final.safetensors"),
                         bytes_of(whole, "ckpt/final.safetensors"))

    def test_every_optimizer_goes_on(self):
        for optimizer in ("sgd", "lion", "muon"):  # all else is with adamw
            with self.subTest(optimizer):
                run = self.path(optimizer)
                self.expect(hcc(*self.command(
                    run, "--set", f"train.optimizer={optimizer}", "--set", "train.connection_lr=0.5",
                    "--set", "train.save_every=4", "--set", "train.keep=9", "--steps", "9")))
                files = [("final.safetensors",), ("last", "state.safetensors")]
                whole = [tensors_of(run, "ckpt", *file) for file in files]
                self.resume(os.path.join(run, "ckpt", "step-4"), "--force")
                self.assertEqual([tensors_of(run, "ckpt", *file) for file in files], whole)

    def test_cut_off_in_a_line_of_the_log(self):
        run = self.path("cut")
        shutil.copytree(self.whole, run)
        with open(os.path.join(run, "log.jsonl"), "ab") as file:
            file.write(b'{"step":201,"lo')
        self.resume(run)
        self.same(run)

    def test_an_executable_goes_on_with_its_run(self):
        settings = [word for setting in self.SETTINGS for word in ("--set", setting)]
        program = self.path("program")
        self.expect(hcc("build", os.path.join(harness.ROOT, self.MODEL), "-o", program, *settings))
        run = self.path("run")
        self.expect(harness.run([program, "train", "--data", self.data, "--out", run, "--quiet",
                                 "--steps", "3"]))
        self.expect(harness.run([program, "train", "--resume", run, "--quiet", "--steps", "200"]))
        # its rate fell as if there were three steps: the log differs, but nothing is missing
        self.assertEqual([line["step"] for line in log_of(run)], list(range(1, 201)))

    def test_looking_changes_nothing(self):
        """Neither evaluations nor looks at the wiring: not the random numbers, not what is trained."""
        run = self.path("run")
        self.expect(hcc(*self.command(run, "--set", "train.eval_every=0", "--wiring-every", "11",
                                      "--steps", "40")))
        other = self.path("other")
        self.expect(hcc(*self.command(other, "--wiring-every", "0", "--steps", "40")))
        for line, wanted in zip(log_of(run), log_of(other)):
            self.assertEqual(line["loss"], wanted["loss"], line["step"])
        self.assertEqual(tensors_of(run, "ckpt/last/parameters.safetensors"),
                         tensors_of(other, "ckpt/last/parameters.safetensors"))

    def test_what_does_not_fit(self):
        run = self.path("run")
        shutil.copytree(self.whole, run)
        before = bytes_of(run, "log.jsonl")
        for arguments, code, words in (
                (["--out", "x"], 2, "--out is for a new run"),
                (["--seed", "3"], 2, "--seed is for a new run"),
                ([self.MODEL], 2, "takes no 'examples/shakespeare.hc'"),
                (["--set", "train.lr=1"], 2, "goes on with the recipe that it began with"),
                (["--set", "d=64"], 2, "goes on with the recipe that it began with"),
                (["--steps", "100"], 2, "has done 200 steps, more than the 100"),
                (["--data", harness.__file__], 3, "the data have changed since the run")):
            with self.subTest(arguments):
                self.assertIn(words, self.resume(run, *arguments, code=code).err)
                self.assertEqual(bytes_of(run, "log.jsonl"), before)
        for path, code, words in ((self.folder, 3, "not the folder of a run"),
                                  (self.path("none"), 3, "there is no"),
                                  (os.path.join(run, "ckpt", "none"), 3, "there is no checkpoint")):
            with self.subTest(path):
                self.assertIn(words, self.resume(path, code=code).err)
        self.assertIn("'train' needs FILE, or --resume RUN", self.expect(hcc("train"), 2).err)
        self.assertIn("--changed-data is for a run that goes on",
                      self.expect(hcc(*self.command(run, "--changed-data")), 2).err)

    def test_another_machine_is_told(self):
        run = self.path("run")
        shutil.copytree(self.whole, run)
        said = self.expect(hcc("eval", run, "--cpu", "baseline")).err
        self.assertRegex(said, "made with code for .*, this is .*: its losses may be rounded")
        self.assertEqual(self.expect(hcc("eval", run)).err, "")
        with open(os.path.join(run, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        config["cpu"]["features"].append("telepathy")
        with open(os.path.join(run, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        said = self.expect(hcc("train", "--resume", run)).err
        self.assertIn("made with the processor's telepathy: what follows", said)

    def test_damage_is_told(self):
        run = self.path("run")
        shutil.copytree(self.whole, run)
        state = os.path.join(run, "ckpt", "last", "state.safetensors")
        damaged = bytearray(bytes_of(state))
        damaged[-1] ^= 1
        with open(state, "wb") as file:
            file.write(damaged)
        before = bytes_of(run, "log.jsonl")
        self.assertIn("state.safetensors", self.resume(run, code=3).err)
        self.assertEqual(bytes_of(run, "log.jsonl"), before)

    def test_folders_that_only_look_like_checkpoints_stay(self):
        run = self.ended("strange", signal.SIGKILL, self.steps(20), "--set", "train.keep=1")
        strange = ["step-007", "step-0", "step-notes", "step-5x"]
        for name in strange:
            os.mkdir(os.path.join(run, "ckpt", name))
        self.resume(run)
        self.assertTrue({*strange, "step-200"} <= {*os.listdir(os.path.join(run, "ckpt"))})
        self.expect(hcc(*self.command(run, "--force", "--steps", "0")))
        self.assertEqual(sorted(os.listdir(os.path.join(run, "ckpt"))),
                         sorted(["best", "final.safetensors", "last", *strange]))

    def test_checkpoints_that_stay(self):
        run = self.path("run")
        keep = ["--set", "train.save_every=30", "--set", "train.keep=3"]
        self.expect(hcc(*self.command(run, *keep)))
        self.assertEqual(sorted(os.listdir(os.path.join(run, "ckpt"))),
                         ["best", "final.safetensors", "last", "step-189", "step-196", "step-200"])
        summary = json.loads(bytes_of(run, "summary.json"))
        held_out = {line["step"]: line["val_loss"] for line in log_of(run) if "val_loss" in line}
        held_out[200] = summary["val_loss"]
        best = min(held_out, key=held_out.get)
        self.assertEqual((summary["best_step"], summary["best_val_loss"]), (best, held_out[best]))
        found = self.expect(hcc("eval", os.path.join(run, "ckpt", "best"), "--json"))
        self.assertEqual(json.loads(found.out)["val_loss"], held_out[best])
        final = bytes_of(run, "ckpt/final.safetensors")
        # from an earlier one: what was later goes, and comes again
        kept = sorted(os.listdir(os.path.join(run, "ckpt")))
        said = self.resume(os.path.join(run, "ckpt", "step-189"), code=2).err
        self.assertIn("of step 189, and the run was saved after step 200", said)
        self.assertEqual(sorted(os.listdir(os.path.join(run, "ckpt"))), kept)
        self.resume(os.path.join(run, "ckpt", "step-189"), "--force")
        self.assertEqual(bytes_of(run, "ckpt/final.safetensors"), final)
        self.assertEqual(log_of(run), log_of(self.whole))
        self.assertEqual(sorted(os.listdir(os.path.join(run, "ckpt"))),
                         ["best", "final.safetensors", "last", "step-189", "step-196", "step-200"])
        self.expect(hcc(*self.command(run, "--force", "--steps", "0")))
        self.assertEqual(sorted(os.listdir(os.path.join(run, "ckpt"))),
                         ["best", "final.safetensors", "last"])

    def summary(self, run):
        return json.loads(bytes_of(run, "summary.json"))

    def test_where_a_run_ends(self):
        # a rate at which it gets worse: patience ends it, and what is kept is the best
        worse = self.path("worse")
        said = self.expect(hcc(*(word for word in self.command(
            worse, "--set", "train.lr=0.3", "--set", "train.patience=2", "--set",
            "train.schedule=constant") if word != "--quiet")))
        summary = self.summary(worse)
        self.assertEqual(summary["ended_by"], "patience")
        self.assertEqual(summary["steps"], summary["best_step"] + 14)
        self.assertIn(f"the best was after step {summary['best_step']}", said.err)
        self.assertEqual(summary["val_loss"], summary["best_val_loss"])
        self.resume(worse)  # and ends again
        again = self.summary(worse)
        self.assertEqual({key: again[key] for key in again if key not in TIMES},
                         {key: summary[key] for key in summary if key not in TIMES})

        epochs = self.path("epochs")
        self.expect(hcc(*self.command(epochs, "--set", "train.epochs=1.5")))
        # 2700 bytes, a tenth held out: 151 windows of 16, in batches of 4
        self.assertEqual(self.summary(epochs)["steps"], math.ceil(1.5 * (2430 // 16) / 4))
        self.resume(epochs, "--steps", "60")
        self.assertEqual(self.summary(epochs)["steps"], 60)

        timed = self.path("timed")
        said = self.expect(hcc(*self.command(timed, "--minutes", "0.0001", "--steps", "100000")))
        self.assertEqual(self.summary(timed)["ended_by"], "minutes")
        self.assertEqual(self.summary(timed)["steps"], len(log_of(timed)))
        for words, more in (("--minutes is more than 0", ["--minutes", "0"]),
                            ("nothing is evaluated while training",
                             ["--set", "train.patience=2", "--set", "train.eval_every=0"])):
            self.assertIn(words, self.expect(hcc(*self.command(self.path("x"), *more)), 2).err)

    def test_evaluation_of_a_part(self):
        part = self.path("part")
        self.expect(hcc(*self.command(part, "--set", "train.eval_batches=2")))
        self.assertEqual(self.summary(part)["val_windows"], 8)
        self.assertEqual(bytes_of(part, "ckpt/last/parameters.safetensors")[-4000:],
                         bytes_of(self.whole, "ckpt/last/parameters.safetensors")[-4000:])
        # of all of it: what the other run says
        self.assertEqual(json.loads(self.expect(hcc("eval", part, "--json")).out)["val_loss"],
                         self.summary(self.whole)["val_loss"])
        more = self.path("more")
        self.expect(hcc(*self.command(more, "--set", "train.eval_batches=1000")))
        self.assertEqual(log_of(more), log_of(self.whole))

    def new(self, name, *more, code=0):
        run = self.path(name)
        said = self.expect(hcc(*(word for word in self.command(run, *more) if word != "--quiet"),
                               "--steps", "0"), code)
        return run, said.err

    def test_a_new_run_from_the_weights_of_one(self):
        run, said = self.new("same", "--from", self.whole)
        self.assertRegex(said, r"final.safetensors` gives (\d+) of \1 tensors\n")
        self.assertEqual(bytes_of(run, "ckpt/final.safetensors")[-4000:],
                         bytes_of(self.whole, "ckpt/final.safetensors")[-4000:])

    def test_a_new_run_from_the_weights_of_another_model(self):
        # streams of another number, one layer more: everything else is as it was
        run, said = self.new("other", "--from", self.whole, "--set", "n=2", "--set", "blocks=2")
        self.assertRegex(said, r"gives \d+ of \d+ tensors:\n")
        self.assertRegex(said, r"  keeps its initial value: trunk\.0\.\w+\.hc\.\w+, which is \[4.*\] there\n")
        self.assertRegex(said, r"  keeps its initial value: trunk\.1\.attn\.Wq, which is not there\n")
        _, said = self.new("fewer", "--from", run, "--set", "wiring=residual", "--set", "blocks=1")
        self.assertRegex(said, r"  not taken: trunk\.1\.attn\.Wq\n")
        _, said = self.new("none", "--from", self.write_foreign(), code=3)
        self.assertIn("none of its tensors has the name and shape", said)

    def write_foreign(self):
        """Somebody else's safetensors file."""
        header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
        return self.write("foreign.safetensors",
                          len(header).to_bytes(8, "little") + header + bytes(8))


if __name__ == "__main__":
    harness.main(__name__)
