#!/usr/bin/env python3
"""The Python package: compiling, arrays of a model's memory, one's own training loop, what is wrong."""

import copy
import functools
import gc
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import threading
import unittest

import beside
import harness

LACKING = harness.lacking("numpy")
if not LACKING:
    import hcc
    import numpy as np

LINE = """model line {
  const d = 8;
  input x[d] : real;
  target y : real;
  param w[d] ~ normal(0.1);
  param b = 0;
  let p = (sum[c] w[c] * x[c]) + b;
  probe p;
  loss (p - y)^2;
}
train line { batch 16; steps 50; lr 0.05; optimizer sgd(momentum = 0); }
"""

TRUNK = """use std;
model m {
  const d = 64;
  positions t <= 8;
  input x[t, d] : real;
  let h = trunk(x) { repeat 2 { a = mhc(n = 2) : mlp(d); } };
}
"""

GPT = """use std;
model gpt {
  const vocab = 11, d = 16, n = 2, wiring = shc;
  positions t <= 8 causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let x = embed(tokens, E);
  let h = trunk(x) { repeat 1 { attn = wiring : attention(2, causal = true); } };
  let logits[v] = sum[c] E[v,c] * dropout(h[c], 0.1);
  loss cross_entropy(logits, next);
  metric accuracy(logits, next);
}
train gpt { batch 4; steps 6; eval_every 3; }
"""
DATA = "data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.2; }"


@functools.cache
def gpt():
    return hcc.program(GPT)


NARROW = LINE.replace("train line {", "train line {\n  precision bf16;")


def numbers(seed=0, n=16, d=8):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    return x, x @ np.arange(d) / d + 1


@unittest.skipIf(LACKING, LACKING)
class Compiling(harness.TestCase):
    def test_a_path_or_a_text(self):
        path = self.write("line.hc", LINE)
        for source in (path, LINE):
            model = hcc.compile(source)
            self.assertEqual((model.name, model.samples, model.dtype), ("line", 16, np.float32))
        self.assertEqual(hcc.compile(path, d=65).parameters["w"].shape, (65,))
        self.assertEqual(hcc.compile(LINE, set={"train.batch": 3}).samples, 3)
        self.assertEqual(hcc.compile(GPT, wiring="residual").sites[0].connection, "residual")

    def test_options(self):
        self.assertEqual(hcc.compile(LINE, precision="f64").parameters["w"].dtype, np.float64)
        for text, asked, precision in ((LINE, None, "f32"), (LINE, "bf16", "bf16"), (NARROW, None, "bf16"),
                                       (NARROW, "f32", "f32")):
            model = hcc.compile(text, precision=asked)
            self.assertEqual((model.program.precision, model.dtype), (precision, np.float32))
        with self.assertRaisesRegex(hcc.ArgumentError, "the precision is f32, bf16, bf16_streams or f64, not 'fp16'"):
            hcc.compile(LINE, precision="fp16")
        self.assertEqual(hcc.compile(LINE, samples=5, threads=1).threads, 1)
        two = LINE + LINE.replace("line", "other")
        self.assertEqual(hcc.compile(two, model="other").name, "other")
        with self.assertRaisesRegex(hcc.ArgumentError, "did you mean 'skylake'"):
            hcc.compile(LINE, cpu="skylke")
        with self.assertRaisesRegex(hcc.OutOfMemory, "a step takes at least"):
            hcc.compile(LINE, memory=1)

    def test_mistakes_carry_their_diagnostics(self):
        text = LINE.replace("(p - y)", "(p - z)")
        path = self.write("line.hc", text)
        with self.assertRaises(hcc.CompileError) as caught:
            hcc.compile(path)
        self.assertEqual(str(caught.exception).strip(), harness.hcc("check", path).err.strip())
        one, = caught.exception.diagnostics
        self.assertEqual((one.severity, one.code, one.file, one.line, one.column), ("error", "E0201", path, 9, 13))
        self.assertIn("unknown name `z`", str(one))
        self.assertEqual(text.encode()[one.place.begin:one.place.end], b"z")
        with self.assertRaisesRegex(hcc.CompileError, "did you mean"):
            hcc.compile(GPT, wirings="mhc")
        with self.assertRaisesRegex(hcc.ArgumentError, "No such file"):
            hcc.compile(self.path("none.hc"))

    def test_warnings_are_warnings(self):
        with self.assertWarnsRegex(hcc.CompileWarning, r"warning\[E"):
            hcc.compile(LINE.replace("param b = 0;", "param b = 0; param idle = 0;"))

    def test_code_is_kept(self):
        """What a process compiled another finds, whatever either has loaded besides."""
        kept = self.path("cache")
        code = "import sys\nif sys.argv[2:]: import sqlite3\nimport hcc; hcc.compile(sys.argv[1])"
        env = dict(os.environ, HCC_CACHE_DIR=kept, PYTHONPATH=os.path.join(beside.HERE, ".."))
        listed = []
        for more in ([], ["more"]):
            subprocess.run([sys.executable, "-c", code, LINE, *more], env=env, check=True)
            listed.append(sorted((one.name, one.stat().st_ino) for one in os.scandir(kept)))
        self.assertEqual(listed[0], listed[1])
        self.assertGreater(len(listed[0]), 1)
        env["HCC_CACHE_SIZE"] = "much"
        wrong = subprocess.run([sys.executable, "-c", code, LINE], env=env, capture_output=True, text=True, check=False)
        self.assertIn("hcc._errors.ArgumentError: HCC_CACHE_SIZE is a number of MiB, not 'much'", wrong.stderr)

    def test_several_at_once(self):
        """Compiled on threads, the parameters are those of one after the other."""
        widths, made = [31, 32, 33, 65], {}

        def make(d):
            model = hcc.compile(LINE, d=d)
            model.init(2)
            made[d] = model.state_dict()["w"]

        threads = [threading.Thread(target=make, args=(d,)) for d in widths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        together = dict(made)
        for d in widths:
            make(d)
            np.testing.assert_array_equal(made[d], together[d])


@unittest.skipIf(LACKING, LACKING)
class Running(harness.TestCase):
    def test_gradients_are_those_of_the_loss(self):
        model = hcc.compile(LINE, precision="f64")
        model.init(1)
        x, y = numbers()
        model.forward(x=x, y=y)
        w, b = model.parameters["w"], model.parameters["b"]
        error = x @ w + b - y
        self.assertAlmostEqual(model.loss, np.mean(error**2))
        np.testing.assert_allclose(model.outputs["p"], error + y)
        model.backward()
        np.testing.assert_allclose(model.gradients["w"], 2 * x.T @ error / len(x))
        self.assertEqual(model.gradients["b"].shape, ())
        np.testing.assert_allclose(model.gradients["b"], 2 * error.mean())

    def test_gradients_of_inputs(self):
        """Of a program without a loss, from what its caller says of its results."""
        model = hcc.compile(LINE, results="p", precision="f64", samples=16)
        model.init(1)
        x, y = numbers()
        w = model.parameters["w"]
        self.assertEqual(list(model.inputs), ["x"])
        model.forward(x=x)
        np.testing.assert_allclose(model.outputs["p"], x @ w)
        model.backward(p=y)
        np.testing.assert_allclose(model.gradients["w"], x.T @ y)
        np.testing.assert_allclose(model.input_gradients["x"], np.outer(y, w))
        model.backward()
        self.assertFalse(model.gradients["w"].any())
        with self.assertRaisesRegex(hcc.ArgumentError, r"'p' is \[16\], not \[3\]"):
            model.backward(p=y[:3])
        with self.assertRaisesRegex(hcc.ArgumentError, "there is no result 'pp'; did you mean 'p'"):
            model.backward(pp=y)

    def test_bf16_streams_of_a_program(self):
        """NumPy has no bf16: what goes in and out is rounded, and given as float32."""
        rng, found = np.random.default_rng(0), {}
        x, upstream = rng.standard_normal((2, 2, 8, 64)).astype(np.float32)
        for precision in ("f32", "bf16_streams"):
            model = hcc.compile(TRUNK, results="h", precision=precision, samples=1, positions=8)
            model.init(1)
            model.forward(x=x[:1])
            model.backward(h=upstream[:1])
            found[precision] = {"h": model.outputs["h"], "x": model.input_gradients["x"]}
        for name, expected in found["f32"].items():
            given = found["bf16_streams"][name]
            self.assertEqual((given.dtype, given.shape), (np.float32, (1, 8, 64)))
            self.assertLess(np.linalg.norm(given - expected), 0.01 * np.linalg.norm(expected))

    def test_a_training_loop_of_ones_own(self):
        """The recipe's optimiser, and one written here, which writes into the parameters."""
        x, y = numbers()
        own, recipe = hcc.compile(LINE), hcc.compile(LINE)
        for model in (own, recipe):
            model.init(4)
        for _ in range(60):
            own.forward_backward(x=x, y=y)
            for name, parameter in own.parameters.items():
                parameter -= np.float32(0.05) * own.gradients[name]
            recipe.forward_backward(x=x, y=y)
            recipe.step(lr=0.05)
        self.assertEqual(recipe.steps_done, 60)
        self.assertLess(recipe.loss, 0.1)
        for name, parameter in own.parameters.items():
            np.testing.assert_allclose(parameter, recipe.parameters[name], rtol=1e-4, atol=1e-6)

    def test_views_outlive_their_model(self):
        with hcc.compile(LINE) as model:
            model.init(1)
            view, kept = model.parameters["w"], model.state_dict()["w"]
        with self.assertRaisesRegex(hcc.ArgumentError, "the model is closed"):
            model.forward()
        self.assertIn("closed", repr(model))
        del model
        gc.collect()
        np.testing.assert_array_equal(view, kept)
        np.testing.assert_array_equal(np.from_dlpack(view), kept)

    def test_programs_are_pickled_as_texts(self):
        program = hcc.program(LINE, d=33)
        text = pickle.dumps(program)
        again, twice = pickle.loads(text), pickle.loads(text)
        self.assertIs(again, twice)
        self.assertIs(copy.deepcopy(program), program)
        self.assertEqual(hcc.Model(again).parameters["w"].shape, (33,))

    def test_memory_does_not_grow(self):
        def resident():
            with open("/proc/self/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

        program, (x, y) = hcc.program(LINE, d=8), numbers()
        for k in range(300):
            if k == 100:
                before = resident()
            model = hcc.Model(program)
            model.init(k)
            model.forward_backward(x=x, y=y)
            model.step()
        self.assertLess(resident() - before, 4 << 20)

    def test_inputs_are_checked(self):
        model = hcc.Model(gpt())
        tokens = np.zeros((4, 8), np.int64)
        self.assertEqual([(one.name, one.shape, one.limit, one.is_target) for one in model.inputs.values()],
                         [("tokens", (4, 8), 11, False), ("next", (4, 8), 11, True)])
        for values, wrong, said in ((tokens[:3], hcc.ArgumentError, r"is \[4, 8\], not \[3, 8\]"),
                                    (tokens + 11, hcc.DataError, "11"), (tokens - 1, hcc.DataError, "beyond"),
                                    (tokens + 2**40, hcc.DataError, "beyond"),
                                    (tokens.astype(float), hcc.ArgumentError, "takes integers, not float64")):
            with self.assertRaisesRegex(wrong, said):
                model.set_input("tokens", values)
        with self.assertRaisesRegex(hcc.ArgumentError, "did you mean 'tokens'"):
            model.set_input("token", tokens)
        with self.assertRaisesRegex(KeyError, "did you mean 'logits'"):
            model.outputs["logit"]

    def test_batches_of_other_sizes(self):
        model = hcc.Model(gpt())
        model.init(1)
        model.training = False
        rng = np.random.default_rng(0)
        tokens, following = rng.integers(0, 11, (2, 5, 7))
        model.forward(tokens=tokens, next=following)
        self.assertEqual((model.samples, model.positions), (5, 7))
        logits = model.outputs["logits"]
        self.assertEqual(logits.shape, (5, 7, 11))
        self.assertEqual(model.outputs["accuracy"].shape, ())
        model.forward(tokens=tokens[:2, :4], next=following[:2, :4])
        np.testing.assert_allclose(model.outputs["logits"], logits[:2, :4], atol=1e-5)
        with self.assertRaisesRegex(hcc.ArgumentError, "next is not given"):
            model.forward(tokens=tokens)
        with self.assertRaises(hcc.ArgumentError):
            model.resize(1, 9)
        model.resize(1, 8)
        model.set_input("tokens", np.pad(tokens[:1], ((0, 0), (0, 1))))
        np.testing.assert_allclose(model.extend(0, 3), logits[0, 2], atol=1e-5)
        np.testing.assert_allclose(model.extend(3), logits[0, 3], atol=1e-5)

    def test_dropout_is_training(self):
        model = hcc.Model(gpt())
        model.init(1)
        self.assertTrue(model.training)
        tokens = np.arange(32).reshape(4, 8) % 11
        model.forward(tokens=tokens, next=tokens)
        loss = model.loss
        model.training = False
        model.forward()
        self.assertNotEqual(model.loss, loss)

    def test_models_are_independent(self):
        """Eight threads with two models each, of one program: every loss is that of a thread alone."""
        program, found = gpt(), {}
        tokens = np.arange(32).reshape(4, 8) % 11

        def train(k):
            models = [hcc.Model(program, threads=1) for _ in range(2)]
            for model in models:
                model.init(k)
            for _ in range(3):
                losses = [model.forward_backward(tokens=tokens, next=(tokens + 1) % 11) for model in models]
                for model in models:
                    model.step()
            found[k] = losses

        threads = [threading.Thread(target=train, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        together = dict(found)
        for k in range(8):
            train(k)
        self.assertEqual(found, together)
        self.assertEqual(len({losses[0] for losses in found.values()}), 8)


@unittest.skipIf(LACKING, LACKING)
class Files(harness.TestCase):
    def test_parameters_come_back(self):
        model, other = hcc.compile(LINE), hcc.compile(LINE, precision="f64")
        model.init(3)
        model.save(self.path("m.safetensors"))
        other.load(self.path("m.safetensors"))
        np.testing.assert_array_equal(other.parameters["w"], model.parameters["w"])
        fresh = hcc.compile(LINE)
        fresh.load_state_dict(other.state_dict())
        np.testing.assert_array_equal(fresh.parameters["w"], model.parameters["w"])
        with self.assertRaises(hcc.CheckpointError):
            hcc.Model(gpt()).load(self.path("m.safetensors"))
        with self.assertRaises(hcc.FileError):
            model.save(self.path("no/m.safetensors"))

    def test_states_that_do_not_fit(self):
        model = hcc.compile(LINE)
        model.init(1)
        before = model.state_dict()
        for state, said in (({"w": before["w"]}, "lacks b"), ({**before, "v": 1}, "has v, which"),
                            ({**before, "w": np.ones(9)}, r"'w' is \[9\] in the state, \[8\] in the model")):
            with self.assertRaisesRegex(hcc.CheckpointError, said):
                model.load_state_dict(state)
            np.testing.assert_array_equal(model.parameters["w"], before["w"])
        model.load_state_dict({"b": 5, "v": 1}, strict=False)
        self.assertEqual(model.parameters["b"], 5)

    def test_an_exact_continuation(self):
        x, y = numbers()
        model, other = hcc.compile(LINE, set={"train.ema": 0.9}), hcc.compile(LINE, set={"train.ema": 0.9})
        model.init(1)
        for _ in range(3):
            model.forward_backward(x=x, y=y)
            model.step()
        model.save_checkpoint(self.path("ckpt"))
        other.load_checkpoint(self.path("ckpt"))
        self.assertEqual(other.steps_done, 3)
        for one in (model, other):
            one.forward_backward(x=x, y=y)
            one.step()
        np.testing.assert_array_equal(other.parameters["w"], model.parameters["w"])
        last = model.state_dict()["w"]
        model.uses_ema = True
        self.assertFalse(np.array_equal(model.parameters["w"], last))

    def test_a_library_of_hcc_build(self):
        self.write("line.hc", LINE)
        self.expect(harness.hcc("build", "line.hc", "-o", "line.so", cwd=self.folder))
        model, same = hcc.load(self.path("line.so")), hcc.compile(LINE)
        x, y = numbers()
        for one in (model, same):
            one.init(1)
            one.forward_backward(x=x, y=y)
        self.assertEqual(model.loss, same.loss)
        with open(self.path("line.so"), "rb") as file:
            whole = file.read()
        # The record: version, size of elements, and pointers and sizes, of which few bytes are not zero.
        with open(os.path.join(harness.ROOT, "abi", "abi.h"), encoding="utf-8") as file:
            version = int(re.search(r"#define HC_ABI_VERSION (\d+)", file.read()).group(1))
        record, = re.finditer(re.escape(bytes([version])) + rb"\0{3}\x04\0{3}.{3}\0{5}.{2}\0{6}.{3}\0{5}.\0{7}", whole, re.S)
        with self.assertRaisesRegex(hcc.ModelError, "99"):
            hcc.load(self.write("other.so", whole[:record.start()] + b"\x63" + whole[record.start() + 1:]))
        for name, content in (("short.so", whole[:5000]), ("text.so", b"text" * 100), ("empty.so", b"")):
            with self.assertRaisesRegex(hcc.ModelError, f"cannot load '.*{name}'"):
                hcc.load(self.write(name, content))
        with self.assertRaisesRegex(hcc.ModelError, "it holds no such program"):
            hcc.load(os.environ["HCC_LIBRARY"])
        with self.assertRaisesRegex(hcc.ModelError, "No such file"):
            hcc.load(self.path("none.so"))

    def test_a_run(self):
        self.write("gpt.hc", GPT.replace("vocab = 11", "vocab = 256").replace("train gpt {", f"train gpt {{ {DATA}"))
        self.write("text", "to be or not to be, that is the question. " * 20)
        self.expect(harness.hcc("train", "gpt.hc", "--data", "text", "--out", "run", "--set", "d=8",
                                "--set", "wiring=residual", cwd=self.folder))
        run = hcc.Run(self.path("run"))
        self.assertEqual(run.config["constants"]["d"], "8")
        self.assertEqual(run.summary["steps"], 6)
        self.assertEqual((run.program.precision, run.cut(precision="f64").precision), ("f32", "f64"))
        steps, loss = run.series("loss")
        self.assertEqual(steps.tolist(), [1, 2, 3, 4, 5, 6])
        self.assertEqual(loss[-1], run.summary["last_loss"])
        self.assertEqual(run.series("val_loss")[0].tolist(), [3])
        self.assertEqual(set(run.checkpoints), {"best", "last", "final"})
        model = run.model()
        self.assertFalse(model.training)
        self.assertEqual(run.parameters().keys(), model.parameters.keys())
        np.testing.assert_array_equal(run.parameters()["E"], model.parameters["E"])
        site, = run.matrices()["sites"]
        self.assertEqual((site["path"], site["connection"]), ("trunk.0.attn", "residual"))
        np.testing.assert_array_equal(site["mix"]["mean"], [[1.0]])
        with self.assertRaisesRegex(hcc.CheckpointError, "has no checkpoint 'first'; there are: best"):
            run.checkpoint("first")
        with self.assertRaisesRegex(hcc.CheckpointError, "is no run"):
            hcc.Run(self.folder)


def _trained_apart(program_text, to):
    model = hcc.compile(program_text)
    model.init(1)
    x, y = numbers()
    to.put(model.forward_backward(x=x, y=y))


@unittest.skipIf(LACKING, LACKING)
class Processes(harness.TestCase):
    def test_in_a_child(self):
        """Made before a fork, used after it; made and used in the child."""
        model = hcc.compile(LINE)
        model.init(1)
        x, y = numbers()
        loss = model.forward_backward(x=x, y=y)
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        child = context.Process(target=_trained_apart, args=(LINE, queue))
        child.start()
        child.join(60)
        self.assertEqual(child.exitcode, 0)
        self.assertEqual(queue.get(), loss)

    def test_the_environment_stays(self):
        code = "import os, hcc; print([name for name in os.environ if 'BLAS' in name])"
        env = {name: value for name, value in os.environ.items() if "BLAS" not in name}
        env["PYTHONPATH"] = os.path.join(beside.HERE, "..")
        out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        self.assertEqual(out.strip(), "[]")


harness.main(__name__)
