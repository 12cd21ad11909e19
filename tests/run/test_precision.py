#!/usr/bin/env python3
"""What a model computes in: who chooses it, who is told of it, and that a run may change it."""

import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import hcc

LINE = """model line {
  input x[4] : real;
  target y : real;
  param W[4] = 1;
  loss ((sum[k] W[k] * x[k]) - y)^2;
}

train line {
  data table { x[k] = columns[k]; y = columns[4]; held_out = 0.25; }
  optimizer adamw(lr = 0.01);
  PRECISION
  batch 4; steps 4;
}
"""


GPT = os.path.join(harness.ROOT, "examples", "shakespeare.hc")


def line(said=""):
    return LINE.replace("PRECISION", said)


class Chosen(harness.TestCase):
    def manifest(self, text, *arguments):
        library = self.path("line.so")
        self.expect(hcc("build", self.write("line.hc", text), "-o", library, "--force", *arguments))
        with open(self.path("line.manifest.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_who_chooses(self):
        of_block, over_block = line("precision bf16;"), ["--set", "train.precision=f64"]
        for text, arguments, precision, element in (
                (line(), [], "f32", "f32"),
                (of_block, [], "bf16", "f32"),
                (of_block, over_block, "f64", "f64"),
                (of_block, [*over_block, "--precision", "f32"], "f32", "f32"),
                (line(), ["--precision", "bf16"], "bf16", "f32")):
            with self.subTest(arguments=arguments):
                made = self.manifest(text, *arguments)
                self.assertEqual((made["precision"], made["element"]), (precision, element))
                self.assertEqual({p["element"] for p in made["params"]}, {element})

    def test_what_is_no_precision(self):
        path = self.write("line.hc", line())
        said = self.expect(hcc("train", path, "--precision", "fp16"), 2).err
        self.assertIn("--precision is f32, bf16, bf16_streams or f64, not 'fp16'", said)

    def test_info_says_it(self):
        path = self.write("line.hc", line("precision bf16;"))
        self.assertIn("precision bf16\n", self.expect(hcc("info", path)).out)
        for arguments, precision in (([], "bf16"), (["--precision", "f64"], "f64")):
            made = json.loads(self.expect(hcc("info", path, "--json", *arguments)).out)
            self.assertEqual(made["precision"], precision)

    def test_what_it_costs_in_each(self):
        small = ["--set", "blocks=1", "--set", "context=8", "--set", "train.batch=2"]
        info = json.loads(self.expect(hcc("info", GPT, "--json", *small, "--precision", "f64")).out)
        costs = info["precisions"]
        self.assertEqual(set(costs), {"f32", "bf16", "bf16_streams", "f64"})
        whole = [cost["attention_flops_per_position"] + cost["kernel_flops_per_position"]
                 + sum(cost["product_flops_per_position"].values()) for cost in costs.values()]
        self.assertEqual(set(costs["f32"]["product_flops_per_position"]), {"f32"})
        self.assertEqual(set(costs["f64"]["product_flops_per_position"]), {"f64"})
        self.assertLessEqual(set(costs["bf16"]["product_flops_per_position"]), {"f32", "bf16"})
        self.assertEqual(len(set(whole)), 1)  # as many operations
        self.assertGreaterEqual(whole[0], info["forward_flops_per_position"] + info["backward_flops_per_position"])
        for word, size in (("f32", 4), ("bf16", 4), ("bf16_streams", 4), ("f64", 8)):
            self.assertEqual(costs[word]["parameter_bytes"], size * info["parameters"])
        self.assertEqual(costs["f64"]["workspace_bytes"], info["workspace_bytes"])
        self.assertGreater(costs["f64"]["bytes_moved_per_position"], 1.5 * costs["f32"]["bytes_moved_per_position"])
        said = self.expect(hcc("info", GPT, *small)).out
        self.assertRegex(said, r"\nby precision +f32 +bf16 +bf16_streams\n  products of ")
        bench = json.loads(self.expect(hcc("bench", GPT, *small, "--steps", "1", "--warmup",
                                           "0", "--json", "--precision", "bf16")).out)
        self.assertEqual(bench["precision"], "bf16")
        self.assertEqual(bench["parameter_bytes"], 4 * bench["parameters"])
        products = sum(costs["f32"]["product_flops_per_position"].values())
        self.assertAlmostEqual(bench["gemm_operations"] / (2 * 8), products, delta=1e-6 * products)
        self.assertAlmostEqual(bench["operations"] / (2 * 8), whole[0], delta=1e-6 * whole[0])

    def test_it_is_fixed_in_an_executable(self):
        program = self.path("line")
        self.expect(hcc("build", self.write("line.hc", line("precision bf16;")), "-o", program))
        self.assertIn("precision bf16\n", self.expect(harness.run([program, "info"])).out)
        said = self.expect(harness.run([program, "train", "--set", "train.precision=f32"]), 2).err
        self.assertIn("the precision of a model is fixed when it is compiled", said)


class OfARun(harness.TestCase):
    def setUp(self):
        super().setUp()
        draw = random.Random(3)
        rows = "".join(",".join(f"{draw.random():.3f}" for _ in range(5)) + "\n" for _ in range(32))
        self.data = self.write("rows.csv", rows)
        self.run_folder = self.path("run")

    def train(self, *arguments):
        return self.expect(hcc("train", self.write("line.hc", line("precision bf16;")), "--data", self.data,
                               "--out", self.run_folder, "--quiet", *arguments))

    def resume(self, steps, *arguments, code=0):
        return self.expect(hcc("train", "--resume", self.run_folder, "--steps", str(steps), *arguments), code)

    def config(self):
        with open(os.path.join(self.run_folder, "config.json"), encoding="utf-8") as file:
            return json.load(file)

    def stored(self):
        """The types of the newest checkpoint's tensors."""
        with open(os.path.join(self.run_folder, "ckpt", "last", "parameters.safetensors"), "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            head = json.loads(file.read(length))
        return {entry["dtype"] for name, entry in head.items() if name != "__metadata__"}

    def test_a_run_goes_on_in_its_own_and_in_another(self):
        self.train()
        self.assertEqual((self.config()["precision"], self.stored()), ("bf16", {"F32"}))
        self.assertNotIn("warning", self.resume(6).err)
        said = self.resume(8, "--precision", "f64").err
        self.assertIn("the run was made with --precision bf16, this is f64", said)
        self.assertEqual((self.config()["precision"], self.stored()), ("f64", {"F64"}))
        self.assertNotIn("warning", self.resume(10).err)  # in f64
        self.assertIn("with --precision f64, this is f32", self.resume(12, "--precision", "f32").err)
        self.assertEqual((self.config()["precision"], self.stored()), ("f32", {"F32"}))
        said = self.resume(14, "--set", "train.precision=bf16", code=2).err
        self.assertIn("for another `train.precision` begin a new one", said)

    def test_what_is_done_with_a_run(self):
        self.train("--precision", "f64")
        for command in (["eval"], ["inspect"]):
            own = self.expect(hcc(*command, self.run_folder))
            other = self.expect(hcc(*command, self.run_folder, "--precision", "f32"))
            self.assertNotIn("precision", own.err)
            if command == ["eval"]:
                self.assertIn("with --precision f64, this is f32", other.err)
        losses = [json.loads(self.expect(hcc("eval", self.run_folder, "--json", *more)).out)["val_loss"]
                  for more in ([], ["--precision", "f32"], ["--precision", "bf16"])]
        self.assertAlmostEqual(losses[0], losses[1], delta=1e-6 * losses[0])
        self.assertNotEqual(losses[0], losses[1])
        self.assertAlmostEqual(losses[0], losses[2], delta=2e-2 * losses[0])
        begun = self.path("begun")
        self.expect(hcc("train", self.path("line.hc"), "--data", self.data, "--from", self.run_folder, "--out", begun,
                        "--quiet"))
        self.run_folder = begun
        self.assertEqual((self.config()["precision"], self.stored()), ("bf16", {"F32"}))


if __name__ == "__main__":
    harness.main(__name__)
