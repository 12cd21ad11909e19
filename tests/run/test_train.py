#!/usr/bin/env python3
"""Training, evaluation, sampling, measuring and building: files written, exit codes, equal bits."""

import ctypes
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

SHAKESPEARE = "examples/shakespeare.hc"
SMALL = ["wiring=residual", "blocks=2", "context=16", "train.batch=4", "train.steps=12",
         "train.warmup=2"]


def small(*more):
    return [word for setting in [*SMALL, *more] for word in ("--set", setting)]


def losses(run):
    with open(os.path.join(run, "log.jsonl"), encoding="utf-8") as log:
        return [json.loads(line, parse_constant=refuse)["loss"] for line in log]


def refuse(constant):
    raise ValueError(f"{constant} is not JSON")


TERMS = """branch b() : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let y[k] = sum[c] W[k, c] * x[c];
  let size = mean[k] y[k]^2;
  penalty 0.1 * size;
  penalty size;
}
model k {
  const v = 256;
  positions t <= 4;
  input  tokens[t] : token(v);
  target next[t]   : token(v);
  param T[v, 8] ~ normal(1);
  let x = embed(tokens, T);
  let h = trunk(x) { repeat 2 { a = residual : b; } };
  let logits[j] = sum[c] T[j,c] * h[c];
  loss cross_entropy(logits, next);
  let z = logsumexp[j] logits[j];
  loss 0.001 * z^2;
  metric accuracy(logits, next);
  penalty 1e-3 * mean[c] h[c]^2;
}
train k { data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; } batch 4; steps 6; eval_every 4; }
"""


class Trained(harness.TestCase):
    def setUp(self):
        super().setUp()
        words = "the quick brown fox jumps over the lazy dog; ".encode()
        self.data = self.write("text.txt", words * 60)

    def train(self, name, *arguments, code=0, settings=()):
        run = self.path(name)
        result = hcc("train", SHAKESPEARE, "--data", self.data, "--out", run, *small(*settings),
                     *arguments)
        self.expect(result, code)
        return run


class Train(Trained):
    def test_runs_started_together_get_a_folder_each(self):
        model = os.path.join(harness.ROOT, SHAKESPEARE)
        tiny = ["--data", self.data, *small("d=32", "heads=2", "blocks=1"), "--steps", "1"]
        self.expect(hcc("train", model, *tiny, "--out", "warm", cwd=self.folder))
        self.expect(hcc("build", model, *tiny[2:-2], "-o", "built", cwd=self.folder))
        hcc_train, own = ([harness.hcc_path(), "train", model, *tiny],
                          ["./built", "train", "--data", self.data, "--steps", "1"])
        started = [subprocess.Popen(command, cwd=self.folder, env=harness.environment(),
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                   for command in (hcc_train, own, hcc_train, own)]
        said = [process.communicate(timeout=120)[0] for process in started]
        self.assertEqual([process.returncode for process in started], [0] * 4)
        named = [re.search(r"runs/shakespeare-\d+", text).group() for text in said]
        self.assertEqual(sorted(named), [f"runs/shakespeare-{n}" for n in (1, 2, 3, 4)])
        for run in named:
            self.assertEqual(len(losses(self.path(run))), 1)

    def test_files_of_a_run(self):
        run = self.train("run", "--json")
        self.assertTrue(os.path.exists(os.path.join(run, "ckpt", "final.safetensors")))
        with open(os.path.join(run, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        with open(os.path.join(run, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        self.assertEqual(config["constants"]["context"], "16")
        self.assertEqual(len(losses(run)), 12)
        self.assertLess(losses(run)[-1], losses(run)[0])

        result = self.expect(hcc("eval", run, "--json"))
        self.assertEqual(json.loads(result.out)["val_loss"], summary["val_loss"])

    def test_what_the_loss_is_a_sum_of(self):
        """Each loss, penalty and metric apart, of each step and of what is held out; in parts, too."""
        names = ["loss.cross_entropy", "loss.loss", "penalty.b", "penalty.b.size", "penalty"]
        for name, batch in (("whole", "4"), ("parts", "4 in 2")):
            run = self.path(name)
            self.expect(hcc("train", self.write("terms.hc", TERMS), "--data", self.data, "--out", run, "--set",
                            f"train.batch={batch}"))
            with open(os.path.join(run, "log.jsonl"), encoding="utf-8") as log:
                lines = [json.loads(line) for line in log]
            for line in lines:
                self.assertEqual(list(line["terms"]), names)
                self.assertEqual(list(line["metrics"]), ["accuracy"])
                self.assertAlmostEqual(sum(line["terms"].values()), line["loss"], delta=1e-5 * line["loss"])
                self.assertAlmostEqual(line["terms"]["penalty.b"], 0.1 * line["terms"]["penalty.b.size"], delta=1e-6)
            evaluated = [line for line in lines if "val_terms" in line]
            self.assertEqual([line["step"] for line in evaluated], [4])
            held = evaluated[0]["val_terms"]
            self.assertEqual(list(held), names)
            self.assertAlmostEqual(held["loss.cross_entropy"] + held["loss.loss"], evaluated[0]["val_loss"], delta=1e-5)
            said = json.loads(self.expect(hcc("eval", run, "--json")).out)
            self.assertEqual(list(said["val_terms"]), names)
            self.assertEqual(list(said["val_metrics"]), ["accuracy"])
            self.assertIn("penalty.b.size 0.", self.expect(hcc("eval", run)).out)
        self.assertNotIn("terms", json.loads(open(os.path.join(self.train("plain"), "log.jsonl")).readline()))

    def test_same_bits_for_any_number_of_threads(self):
        for wiring in ["residual", "mhc"]:
            with self.subTest(wiring):
                runs = [self.train(f"{wiring}-{n}", "--threads", str(n),
                                   settings=[f"wiring={wiring}"]) for n in (1, 2, 3)]
                self.assertEqual(losses(runs[0]), losses(runs[1]))
                self.assertEqual(losses(runs[0]), losses(runs[2]))

    def test_the_seed_decides(self):
        first = losses(self.train("one", "--seed", "1"))
        self.assertEqual(first, losses(self.train("again", "--seed", "1")))
        self.assertNotEqual(first, losses(self.train("two", "--seed", "2")))

    def test_f64_and_unoptimised_code_agree(self):
        reference = losses(self.train("f64", "--precision", "f64"))
        for name, arguments in [("f32", []), ("plain", ["--precision", "f64", "-O0"])]:
            with self.subTest(name):
                found = losses(self.train(name, *arguments))
                tolerance = 1e-10 if "f64" in arguments else 1e-4
                for a, b in zip(found, reference):
                    self.assertAlmostEqual(a, b, delta=tolerance)

    def test_sample(self):
        run = self.train("run")
        first = self.expect(hcc("sample", run, "--prompt", "the ", "--length", "20"))
        self.assertTrue(first.out.startswith("the "))
        again = self.expect(hcc("sample", run, "--prompt", "the ", "--length", "20"))
        self.assertEqual(first.out, again.out)
        self.expect(hcc("sample", run, "--temperature", "0", "--length", "5"))
        for threads in ("1", "2"):  # past the context, of 16
            words = ["sample", run, "--prompt", "the quick ", "--length", "40", "--threads", threads]
            self.assertEqual(self.expect(hcc(*words)).out, self.expect(hcc(*words, "--recompute")).out)

    def test_sample_of_what_sees_later_positions(self):
        """It is said once why every token is computed from the whole window."""
        file = self.write("seen.hc", harness.EVALUATED.replace("embed(tokens, T);", "embed(tokens, T) + "
                                                               "shift(embed(tokens, T), -1);"))
        run = self.path("seen")
        self.expect(hcc("train", file, "--data", self.data, "--out", run, "--quiet", "--steps", "1"))
        result = self.expect(hcc("sample", run, "--length", "6"))
        self.assertEqual(result.err, "note: every token is computed from the whole window again: it takes a "
                                     "value from a later position (seen.hc:7)\n")
        again = self.expect(hcc("sample", run, "--length", "6", "--recompute"))
        self.assertEqual((again.out, again.err), (result.out, ""))

    def test_an_earlier_run_is_not_overwritten(self):
        run = self.train("run")
        before = losses(run)
        result = hcc("train", SHAKESPEARE, "--data", self.data, "--out", run, *small(),
                     "--seed", "7")
        self.assertNotEqual(result.code, 0, repr(result))
        self.assertEqual(losses(run), before)
        self.train("run", "--force", "--seed", "7")
        self.assertNotEqual(losses(run), before)

    def endless(self, run):
        """A run that goes on for ever, once its first steps are done."""
        process = subprocess.Popen(
            [harness.hcc_path(), "train", SHAKESPEARE, "--data", self.data, "--out", run,
             *small("train.steps=1000000")], cwd=harness.ROOT, stderr=subprocess.PIPE,
            env=harness.environment())
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        log = os.path.join(run, "log.jsonl")
        for _ in range(1200):
            if os.path.exists(log) and os.path.getsize(log) > 0:
                break
            time.sleep(0.05)
        return process

    def test_a_signal_saves_and_ends(self):
        for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
            with self.subTest(number.name):
                run = self.path(number.name)
                process = self.endless(run)
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=60), 128 + number)
                said = process.stderr.read().decode()
                self.assertIn("saved as ckpt/last", said)
                self.assertEqual("once more ends at once" in said, number == signal.SIGINT)
                self.assertEqual(os.listdir(os.path.join(run, "ckpt")), ["last"])
                self.assertEqual(sorted(os.listdir(os.path.join(run, "ckpt", "last"))),
                                 ["parameters.safetensors", "state.safetensors"])
                self.expect(hcc("eval", run))

    def test_names_that_are_not_utf8(self):
        shutil.copy(os.path.join(harness.ROOT, SHAKESPEARE), self.path("m.hc"))
        odd = [os.fsencode(self.path(name)) + b"-\xfc" for name in ("model", "text", "run")]
        shutil.copy(self.path("m.hc"), odd[0])
        shutil.copy(self.data, odd[1])
        model, data, run = map(os.fsdecode, odd)
        self.expect(hcc("train", model, "--data", data, "--out", run, *small(), "--json"))
        self.expect(hcc("eval", run))

    def test_the_batch_log_replaces_nothing(self):
        model = self.path("m.hc")
        shutil.copy(os.path.join(harness.ROOT, SHAKESPEARE), model)
        foreign = self.write("notes.txt", "mine")
        program = self.path("program")
        self.expect(hcc("build", model, "-o", program, *small()))
        table = [(hcc, ["train", model, *small()]), (lambda *words: harness.run([program, *words]), ["train"])]
        for k, (run, words) in enumerate(table):
            words = [*words, "--data", self.data, "--out", self.path(f"run{k}")]
            os.symlink(self.data, self.path(f"link{k}"))
            for path, force in [(self.data, False), (self.data, True), (self.path(f"link{k}"), True),
                                (foreign, False)] + [(model, True)] * (k == 0):
                with open(path, "rb") as file:
                    before = file.read()
                result = run(*words, "--batch-log", path, *["--force"] * force)
                self.expect(result, 2)
                self.assertIn(path, result.err)
                with open(path, "rb") as file:
                    self.assertEqual(file.read(), before)
                self.assertFalse(os.path.exists(self.path(f"run{k}")))
            batches = self.write(f"batches{k}", "")
            self.expect(run(*words, "--batch-log", batches))
            size = os.path.getsize(batches)
            self.assertEqual(size, 12 * 4 * 8)
            self.expect(run(*words, "--batch-log", batches), 2)
            self.expect(run(*words, "--batch-log", batches, "--force"))
            self.assertEqual(os.path.getsize(batches), size)

    def test_a_limit_on_the_size_of_files(self):
        self.train("warm")
        run = self.path("run")
        result = subprocess.run(
            [harness.hcc_path(), "train", SHAKESPEARE, "--data", self.data, "--out", run,
             *small()], cwd=harness.ROOT, env=harness.environment(), capture_output=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20480, 20480)))
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertIn(os.path.join(run, "ckpt"), result.stderr.decode())
        self.assertEqual(os.listdir(os.path.join(run, "ckpt")), [])

    def test_a_run_in_place_of_a_model(self):
        run = self.train("run")
        for command in ["train", "info", "check", "build"]:
            result = self.expect(hcc(command, run), 2)
            self.assertIn("is the folder of a run", result.err)
            self.assertIn("hcc eval", result.err)
        self.assertIn("directory", self.expect(hcc("check", self.folder), 2).err)

    def test_no_steps(self):
        run = self.train("run", "--steps", "0")
        self.train("same", settings=["train.steps=0"])
        self.expect(hcc("eval", run))
        self.expect(hcc("bench", SHAKESPEARE, *small(), "--steps", "0"), 2)

    def test_a_folder_takes_one_run_at_a_time(self):
        run = self.path("run")
        process = self.endless(run)
        for arguments in [[], ["--force"]]:
            result = self.expect(hcc("train", SHAKESPEARE, "--data", self.data, "--out", run,
                                     *small(), *arguments), 2)
            self.assertIn("another process is writing to", result.err)
        self.assertIsNone(process.poll())
        process.kill()
        process.wait()
        self.train("run", "--force")


class NotFinite(harness.TestCase):
    """A value that is not finite: where it is, and what of the run stays."""

    MODEL = """fn squared(a, b) = (a - b)^2;
model line {
  input x : real;
  target y : real;
  param a = 0, b = 0;
  let p = a * x + b;
  LOSS;
  metric squared(p, y);
}
train line {
  data table { x = columns[0]; y = columns[1]; held_out = "held.csv"; }
  batch 4; steps 6; seed 1;
}
"""

    def rows(self, name, odd=None):
        rows = [f"0.{k % 10},1.{k % 7}" for k in range(20)]
        if odd is not None:
            rows[odd] = "0.5,1e30"
        return self.write(name, "\n".join(rows) + "\n")

    def train(self, loss, code, *settings, train=None, held_out=None):
        model = self.write("line.hc", self.MODEL.replace("LOSS", f"loss {loss}"))
        self.run_folder = self.path("run")
        result = hcc("train", model, "--data", self.rows("train.csv", train), "--data",
                     "held_out=" + self.rows("held.csv", held_out), "--out", self.run_folder,
                     "--force", *[w for s in settings for w in ("--set", s)])
        return self.expect(result, code)

    def log(self):
        with open(os.path.join(self.run_folder, "log.jsonl"), encoding="utf-8") as log:
            return [json.loads(line, parse_constant=refuse) for line in log]

    def summary(self):
        with open(os.path.join(self.run_folder, "summary.json"), encoding="utf-8") as file:
            return json.load(file, parse_constant=refuse)

    def test_a_held_out_loss(self):
        for every in (0, 2, 3):
            for odd in (0, 6, 19):
                with self.subTest(every=every, odd=odd):
                    result = self.train("(p - y)^2", 0, f"train.eval_every={every}", held_out=odd)
                    self.assertRegex(result.err, rf"after step 6: .* held-out sample {odd + 1} "
                                     rf"\(\S*held\.csv:{odd + 1}\): .* line\.hc:\d")
                    lines = self.log()
                    self.assertEqual([line["step"] for line in lines], [1, 2, 3, 4, 5, 6])
                    for line in lines:
                        self.assertIsNotNone(line["loss"])
                        self.assertIsNotNone(line["grad_norm"])
                        evaluated = every and line["step"] % every == 0 and line["step"] < 6
                        self.assertEqual("val_loss" in line, bool(evaluated))
                        self.assertIsNone(line.get("val_loss"))
                    self.assertIsNone(self.summary()["val_loss"])
                    self.assertEqual(self.summary()["val_windows"], 20)
                    self.assertTrue(os.path.exists(
                        os.path.join(self.run_folder, "ckpt", "final.safetensors")))
        self.assertRegex(self.expect(hcc("eval", self.run_folder), 4).err, r"held\.csv:20\)")

    def test_a_metric(self):
        self.train("abs(p - y)", 0, "train.eval_every=3", held_out=7)
        summary = self.summary()
        self.assertIsNotNone(summary["val_loss"])
        self.assertEqual(summary["val_metrics"], {"squared": None})
        self.assertIn("metric squared", summary["val_not_finite"])
        self.assertEqual(self.log()[2]["val_metrics"], {"squared": None})
        result = json.loads(self.expect(hcc("eval", self.run_folder, "--json")).out)
        self.assertEqual(result["val_metrics"], {"squared": None})

    def test_many_metrics_of_long_names(self):
        """None is left out and no name is cut, in what is printed and in JSON."""
        names = [f"{'squared_' * 12}{k}" for k in range(20)]
        model = self.MODEL.replace("model line", "".join(f"fn {n}(a, b) = (a - b)^2;\n" for n in names) + "model line")
        model = model.replace("  metric squared(p, y);\n", "".join(f"  metric {n}(p, y);\n" for n in names))
        model = self.write("many.hc", model.replace("LOSS", "loss abs(p - y)"))
        run = self.path("many")
        trained = self.expect(hcc("train", model, "--data", self.rows("train.csv"), "--data",
                                  "held_out=" + self.rows("held.csv"), "--out", run))
        evaluated = self.expect(hcc("eval", run))
        for text in (trained.out, trained.err, evaluated.out):
            self.assertEqual(re.findall(r", (squared_\w+) [\d.]+", text), names)
        with open(os.path.join(run, "summary.json"), encoding="utf-8") as file:
            self.assertEqual(list(json.load(file)["val_metrics"]), names)

    def test_a_loss_of_training(self):
        for odd in (0, 17):
            with self.subTest(odd=odd):
                result = self.train("(p - y)^2", 4, train=odd)
                self.assertRegex(result.err, rf"the loss of step [1-5] is infinite: sample [1-4] of "
                                 rf"its batch \(\S*train\.csv:{odd + 1}\): .* line\.hc:\d")
                self.assertIsNone(self.log()[-1]["loss"])
                self.assertRegex(self.log()[-1]["diverged"], rf"train\.csv:{odd + 1}")
                self.assertFalse(os.path.exists(os.path.join(self.run_folder, "summary.json")))


class BadInput(Trained):
    def fails(self, code, *arguments, settings=(), data=None):
        run = self.path("bad-run")
        result = hcc("train", SHAKESPEARE, "--data", data or self.data, "--out", run,
                     *small(*settings), *arguments)
        self.expect(result, code)
        self.assertNotIn("internal fault", result.err)
        self.assertEqual(len(result.err.strip()) > 0, True)
        return result

    def test_data(self):
        self.fails(3, data=self.path("none.txt"))
        self.fails(3, data=self.write("empty.txt", ""))
        self.fails(3, data=self.write("short.txt", "abc"))
        os.mkdir(self.path("folder"))
        self.fails(3, data=self.path("folder"))
        self.assertFalse(os.path.exists(self.path("bad-run")))

    def test_tokens_outside_the_vocabulary(self):
        self.assertIn("tokens", self.fails(1, settings=["vocab=100"]).err)

    def test_unwritable_output(self):
        result = hcc("train", SHAKESPEARE, "--data", self.data, "--out", "/dev/null/run", *small())
        self.expect(result, 6)

    def test_too_large_for_memory(self):
        for settings, what in [(["d=100000"], "the parameters and their gradients need"),
                               (["train.batch=1000000"], "workspace of")]:
            result = self.fails(6, settings=settings)
            self.assertRegex(result.err, f"{what} [0-9.]+ GiB")
            self.assertFalse(os.path.exists(self.path("bad-run")))
        result = hcc("gradcheck", SHAKESPEARE, "--set", "d=100000", "--set", "wiring=residual")
        self.assertIn("GiB", self.expect(result, 6).err)

    def test_divergence(self):
        self.fails(4, settings=["train.lr=1e6", "train.clip=0", "train.warmup=0"])

    def test_no_data(self):
        self.assertIn("--data", self.expect(hcc("train", SHAKESPEARE), 2).err)

    def test_unknown_set(self):
        self.assertIn("did you mean", self.fails(1, settings=["hedas=2"]).err)

    def test_runs_that_are_none(self):
        for command in ["eval", "sample"]:
            self.assertIn("there is no", self.expect(hcc(command, self.path("none")), 3).err)
            for path in [self.folder, self.data]:
                self.assertIn("not the folder of a run",
                              self.expect(hcc(command, path), 3).err)
        for text in ["{", "[]", "{}"]:
            self.write("config.json", text)
            self.expect(hcc("eval", self.folder), 3)

    def test_a_damaged_checkpoint(self):
        run = self.train("run")
        path = os.path.join(run, "ckpt", "final.safetensors")
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) // 2)
        self.expect(hcc("eval", run), 3)

    def test_unknown_cpu(self):
        self.fails(2, "--cpu", "abacus")


class Bench(harness.TestCase):
    def test_json(self):
        result = json.loads(self.expect(hcc("bench", SHAKESPEARE, *small(), "--steps", "5",
                                            "--json")).out)
        for key in ["step_ms", "forward_ms", "backward_ms", "optimizer_ms", "positions_per_s",
                    "peak_bytes"]:
            self.assertGreater(result[key], 0, key)

    def test_profile(self):
        bench = ["bench", SHAKESPEARE, *small(), "--set", "wiring=mhc", "--steps", "2", "--profile"]
        text = self.expect(hcc(*bench)).out
        self.assertRegex(text, r"(?m)^ +[\d.]+ +[\d.]+% .* backward .* mhc\.hc:\d+-\d+")
        result = json.loads(self.expect(hcc(*bench, "--json")).out)
        self.assertGreater(result["bandwidth"], 0)
        self.assertGreater(result["peak"], 0)
        for call in result["calls"]:
            found = re.fullmatch(r"gemm (\d+)x(\d+)x(\d+)", call["name"])
            if found:
                m, n, k = map(int, found.groups())
                self.assertEqual(call["operations"], 2 * m * n * k * call["calls"], call)
                self.assertIn(call["by"], ("fma", "OpenBLAS"), call)
            self.assertEqual(call["by"] is not None, call["gemm"], call)
            if call["ms"] > 0 and call["bytes"]:
                self.assertGreater(call["roofline"], 0, call)
        lines = " ".join(call["lines"] or "" for call in result["calls"])
        for place in ["mhc.hc:", "shakespeare.hc:", "attention.hc:"]:
            self.assertIn(place, lines)


class Build(Trained):
    def build(self, name, *arguments):
        self.expect(hcc("build", SHAKESPEARE, "-o", self.path(name), *small(), *arguments))
        return self.path(name)

    def test_an_executable_trains_to_the_same_bits(self):
        run = self.train("by-hcc")
        program = self.build("shakespeare")
        own = self.path("by-program")
        self.expect(harness.run([program, "train", "--data", self.data, "--out", own]))
        self.assertEqual(losses(run), losses(own))
        result = self.expect(harness.run([program, "sample", own, "--prompt", "the ",
                                          "--length", "10"]))
        self.assertTrue(result.out.startswith("the "))
        libraries = self.expect(harness.run(["ldd", program])).out
        self.assertNotIn("LLVM", libraries)

    def test_shared_library(self):
        library = self.build("shakespeare.so")
        with open(self.path("shakespeare.manifest.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["model"], "shakespeare")
        symbols = self.expect(harness.run(["nm", "-D", "--defined-only", library])).out
        names = [line.split()[-1] for line in symbols.splitlines()]
        self.assertIn("shakespeare_create", names)
        self.assertIn("shakespeare_step", names)
        foreign = [n for n in names if not n.startswith("shakespeare_") and not n.startswith("_")]
        self.assertEqual(foreign, [])
        if not harness.loads_libraries():
            self.skipTest("this Python cannot load the address sanitizer")
        loaded = ctypes.CDLL(library)
        context = ctypes.c_void_p()
        self.assertEqual(loaded.shakespeare_create(None, ctypes.byref(context), None), 0)
        loaded.shakespeare_destroy(context)

    def test_a_c_program_trains_to_the_same_bits(self):
        library = self.build("shakespeare.so")
        batches = self.path("batches.bin")
        run = self.train("by-hcc", "--batch-log", batches)
        program = self.path("embed")
        sanitize = ["-fsanitize=address,undefined"] if harness.sanitized() else []
        self.expect(harness.run(["cc", *sanitize, "-I", self.folder, "examples/embed/train.c",
                                 library, "-o", program]))
        result = self.expect(harness.run([program, self.data, batches]))
        self.assertEqual([float(line) for line in result.out.split()], losses(run))

    def test_a_folder_that_is_not_there(self):
        for name in ["model", "model.so", "model.o", "model.s"]:
            result = hcc("build", SHAKESPEARE, *small(), "-o", self.path(f"none/{name}"))
            self.assertIn("cannot write", self.expect(result, 6).err)

    def test_other_forms(self):
        for name, expected in [("m.o", None), ("m.ll", "define"), ("m.s", ".text")]:
            with self.subTest(name):
                path = self.build(name)
                self.assertGreater(os.path.getsize(path), 1000)
                if expected:
                    with open(path, encoding="utf-8") as text:
                        self.assertIn(expected, text.read())

    def test_unwritable_output(self):
        self.expect(hcc("build", SHAKESPEARE, "-o", "/dev/null/x.so", *small()), 6)
        self.expect(hcc("build", SHAKESPEARE, "-o", self.folder, *small()), 6)


if __name__ == "__main__":
    harness.main(__name__)
