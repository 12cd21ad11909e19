#!/usr/bin/env python3
"""What is said of runs: the log of one, and several beside each other, against numbers worked out by hand."""

import csv
import io
import json
import math
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

BATCH, POSITIONS = 4, 16


class Runs(harness.TestCase):
    """Run folders as training writes them, with what a test wants in them."""

    def config(self, seed=1, **more):
        constants = {"d": "32", "wiring": more.pop("wiring", "mhc")}
        recipe = {"optimizer": "adamw", "schedule": "constant", "lr": more.pop("lr", 0.001), "batch": BATCH,
                  "steps": more.pop("steps", 4), "seed": seed, "eval_every": 2}
        data = {"files": ["train=/somewhere/text.txt"], "files_xxh3": ["0123456789abcdef"], "bytes": 100,
                "train_bytes": 90, "held_out_bytes": 10, "xxh3": more.pop("data", "0123456789abcdef")}
        return {"format": 1, "model": "m", "precision": "f32", "cpu": {"name": "generic"},
                "space": {"name": "t", "maximum": POSITIONS, "extents": [POSITIONS]}, "constants": constants,
                "recipe": recipe, "parameters": 1000, "data": data, "threads": 2, "blas_core": "Prescott",
                "hcc": {"version": "0.1.0", "file": "m.hc", "text": "model m {}", "set": [],
                        "memory": 0}, **more}

    def run_folder(self, name, losses, seconds=1.0, ended=True, **settings):
        """`losses`: at step 2, 4, ...; the last one is that of summary.json. A step takes `seconds`."""
        folder = self.path(name)
        os.makedirs(folder)
        steps = 2 * len(losses)
        speed = BATCH * POSITIONS / seconds
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(self.config(**{"steps": steps, **settings}), file)
        with open(os.path.join(folder, "log.jsonl"), "w", encoding="utf-8") as file:
            for step in range(1, steps + 1):
                line = {"step": step, "loss": 5 - step / 10, "grad_norm": 0.5, "lr": 0.001, "positions_per_s": speed}
                if step % 2 == 0 and step < steps:
                    line |= {"val_loss": losses[step // 2 - 1], "val_metrics": {"accuracy": 0.25}}
                file.write(json.dumps(line, separators=(",", ":")) + "\n")
        best = min(loss for loss in losses if loss is not None)
        if ended:
            with open(os.path.join(folder, "summary.json"), "w", encoding="utf-8") as file:
                json.dump({"val_loss": losses[-1], "val_windows": 1, "best_val_loss": best, "steps": steps,
                           "parameters": 1000, "flops_per_position": 2.5e6, "seconds": seconds * steps, "positions_per_s": speed,
                           "memory_bytes": 5000000, "model": "m", "threads": 2}, file)
        return folder

    def compare(self, *words, code=0):
        return json.loads(self.expect(hcc("compare", "--json", *words), code).out)

    def near(self, standing, **expected):
        for name, value in expected.items():
            if isinstance(value, float):
                self.assertAlmostEqual(standing[name], value, places=12, msg=name)
            else:
                self.assertEqual(standing[name], value, name)


class Compare(Runs):
    def six(self):
        """Losses at steps 2 and 4: residual's at the end 3.0, 3.1, 3.2; mhc's 2.8, 2.9, 3.0."""
        for k in range(3):
            self.run_folder(f"runs/residual-{k}", [3.5, 3.0 + k / 10], wiring="residual", seed=k + 1)
            self.run_folder(f"runs/mhc-{k}", [3.6, 2.8 + k / 10], wiring="mhc", seed=k + 1)
        return self.path("runs")

    def test_means_by_hand(self):
        said = self.compare(self.six())
        self.assertEqual(said["differ"], ["wiring"])
        self.assertEqual([group["name"] for group in said["groups"]], ["mhc", "residual"])
        self.assertEqual(said["baseline"], 1)
        self.assertEqual(said["equal_step"], 4)
        mhc, residual = said["groups"]
        self.near(residual["at_equal_step"], n=3, mean=3.1, deviation=0.1, gap=None, exceeds=None,
                  bits_per_byte=3.1 / math.log(2))
        # 2 sqrt(0.01 / 3 + 0.01 / 3) = 0.1633: a gap of 0.2 is more
        self.near(mhc["at_equal_step"], n=3, mean=2.9, deviation=0.1, gap=-0.2, spread=2 * math.sqrt(0.02 / 3),
                  exceeds=True, first_step=4, last_step=4)
        self.near(mhc["parameters"], n=3, mean=1000.0, deviation=0.0)
        self.near(mhc["flops_per_position"], n=3, mean=2.5e6, deviation=0.0)
        self.near(mhc["minutes"], mean=4 / 60)
        self.near(mhc["memory_bytes"], mean=5e6)
        self.assertEqual(mhc["seeds"], [1, 2, 3])
        self.assertEqual({run["state"] for run in said["runs"]}, {"finished"})

    def test_a_gap_within_the_spread(self):
        for k in range(2):  # means 3.05 and 3.00, deviations 0.0707: 2 sqrt(0.005 / 2 + 0.005 / 2) = 0.1414
            self.run_folder(f"a-{k}", [3.0 + k / 10], wiring="residual", seed=k)
            self.run_folder(f"b-{k}", [2.95 + k / 10], wiring="dhc", seed=k)
        dhc = self.compare(self.folder)["groups"][1]
        self.near(dhc["at_equal_step"], gap=-0.05, spread=2 * math.sqrt(0.005), exceeds=False)

    def test_one_seed_has_no_spread(self):
        self.run_folder("a", [3.0], wiring="residual")
        self.run_folder("b", [2.0], wiring="mhc")
        said = self.compare(self.folder)
        self.near(said["groups"][1]["at_equal_step"], gap=-1.0, spread=None, exceeds=None, deviation=None)
        self.assertIn("one seed", self.expect(hcc("compare", self.folder)).out)

    def test_equal_steps_are_the_last_that_all_have(self):
        self.run_folder("a", [3.5, 3.0, 2.5], wiring="residual")
        self.run_folder("b", [3.4, 2.9], wiring="mhc")
        said = self.compare(self.folder)
        self.assertEqual(said["equal_step"], 4)
        self.assertEqual(said["differ"], ["wiring", "train.steps"])
        self.near(said["groups"][1]["at_equal_step"], mean=2.9, gap=-0.1)
        self.near(said["groups"][0]["best"], mean=2.5, first_step=6)

    def test_equal_time(self):
        """The slow run trains 8 seconds, the fast one 4: within 4 the slow one was evaluated at step 2 alone."""
        self.run_folder("fast", [3.5, 3.0], seconds=1.0, wiring="residual")
        self.run_folder("slow", [3.2, 2.0], seconds=2.0, wiring="mhc")
        said = self.compare(self.folder)
        self.assertEqual(said["equal_seconds"], 4.0)
        fast, slow = said["groups"]
        self.near(fast["at_equal_time"], mean=3.0, first_step=4)
        self.near(slow["at_equal_time"], mean=3.2, gap=0.2, first_step=2)
        self.near(slow["at_equal_step"], mean=2.0, gap=-1.0)
        self.assertNotIn("not evaluated until then", self.expect(hcc("compare", self.folder)).out)

    def test_not_evaluated_until_then(self):
        self.run_folder("fast", [3.5, 3.0], seconds=1.0, wiring="residual")
        self.run_folder("slow", [3.2], seconds=3.0, wiring="mhc")
        self.near(self.compare(self.folder)["groups"][1]["at_equal_time"], n=0, mean=None, gap=None, first_step=None)
        self.assertIn("mhc, 2 was not evaluated until then", self.expect(hcc("compare", self.folder)).out)

    def test_only_runs_that_differ_in_the_seed_alone_are_averaged(self):
        base = {"wiring": "mhc"}
        for name, settings in (("a", {}), ("threads", {"threads": 1}), ("core", {"blas_core": "Haswell"}),
                               ("precision", {"precision": "f64"}), ("data", {"data": "ffff456789abcdef"}),
                               ("from", {"from": "other"}), ("lr", {"lr": 0.0003}),
                               ("text", {"hcc": {"version": "0.1.0", "file": "m.hc", "text": "model m { }"}})):
            self.run_folder(name, [3.0], **{**base, **settings})
        said = self.compare(self.folder)
        self.assertEqual(len(said["groups"]), 8)
        self.assertEqual(set(said["differ"]), {"threads", "blas_core", "precision", "data", "from", "train.lr", "source",
                                               "memory"})
        self.assertIn("0.0003", {group["settings"]["train.lr"] for group in said["groups"]})
        text = self.expect(hcc("compare", self.folder)).out
        self.assertIn("what they differ in", text)
        self.assertIn("Their data differ", text)
        self.assertIn("text.txt ffff4567", text)

    def test_how_much_is_held_out_is_a_difference(self):
        self.run_folder("a", [3.0], seed=1)
        folder = self.run_folder("b", [3.2], seed=2)
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        config["data"].update(train_bytes=80, held_out_bytes=20)
        self.write("b/config.json", json.dumps(config))
        self.assertEqual(self.compare(self.folder)["differ"], ["data"])

    def test_where_data_lie_is_no_difference(self):
        self.run_folder("a", [3.0], seed=1)
        folder = self.run_folder("b", [3.2], seed=2)
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        config["data"]["files"] = ["train=/elsewhere"]
        self.write("b/config.json", json.dumps(config))
        said = self.compare(self.folder)
        self.assertEqual(said["differ"], [])
        self.near(said["groups"][0]["at_equal_step"], n=2, mean=3.1)

    def test_who_does_not_count(self):
        self.run_folder("a", [3.0], seed=1)
        self.run_folder("again", [3.0], seed=1)
        self.run_folder("going", [3.0, 2.0], seed=2, ended=False)
        self.run_folder("infinite", [3.0, None], seed=3)
        diverged = self.run_folder("nan", [3.0, 2.0], seed=4, ended=False)
        with open(os.path.join(diverged, "log.jsonl"), "a", encoding="utf-8") as file:
            file.write('{"step":5,"loss":null,"diverged":"sample 1: the first \\u001b[31m"}\n')
        said = self.compare(self.folder)
        self.assertEqual({os.path.basename(run["run"]): run["state"] for run in said["runs"]},
                         {"a": "finished", "again": "repeated", "going": "unfinished", "infinite": "diverged",
                          "nan": "diverged"})
        self.near(said["groups"][0]["at_equal_step"], n=1, mean=3.0)
        text = self.expect(hcc("compare", self.folder)).out
        self.assertIn("unfinished: it ended before its last evaluation", text)
        self.assertIn("diverged at step 5: sample 1", text)
        self.assertNotIn("\033", text)
        only = self.compare(os.path.join(self.folder, "going"))
        self.assertEqual((only["groups"], only["baseline"]), ([], None))

    def test_baseline(self):
        folder = self.six()
        for words in (["mhc"], ["wiring=mhc"], [os.path.join(folder, "mhc-1")]):
            said = self.compare(folder, "--baseline", *words)
            self.assertEqual(said["baseline"], 0, words)
            self.near(said["groups"][1]["at_equal_step"], gap=0.2, exceeds=True)
        said = self.expect(hcc("compare", folder, "--baseline", "frac"), 2)
        self.assertIn("--baseline frac: no group", said.err)
        self.run_folder("runs/z", [3.0, 2.5], wiring="mhc", lr=0.1)
        self.assertIn("2 groups", self.expect(hcc("compare", folder, "--baseline", "mhc"), 2).err)
        self.assertEqual(self.compare(folder, "--baseline", "mhc, 0.1")["baseline"], 2)

    def test_folders_and_runs_are_named_once(self):
        folder = self.six()
        said = self.compare(os.path.join(folder, "mhc-0"), folder, os.path.join(folder, "mhc-0", ""))
        self.assertEqual(len(said["runs"]), 6)
        sweep = os.path.join(folder, "sweep.json")  # as `SWEEP/*` finds it
        with open(sweep, "w", encoding="utf-8") as file:
            file.write("{}")
        self.assertEqual(len(self.compare(sweep)["runs"]), 6)
        self.assertEqual(len(self.compare(sweep, os.path.join(folder, "mhc-0"))["runs"]), 6)
        self.run_folder("order/r-10", [3.0], seed=10)
        self.run_folder("order/r-2", [3.0], seed=2)
        self.assertEqual(self.compare(self.path("order"))["groups"][0]["seeds"], [2, 10])

    def test_table(self):
        out = self.expect(hcc("compare", self.six())).out
        self.assertIn("6 of 6 runs, 2 groups that differ in wiring\n", out)
        self.assertRegex(out, r"(?m)^residual  1 2 3  3\.1000  ± 0\.1000 +baseline +4\.4724$")
        self.assertRegex(out, r"(?m)^mhc +1 2 3  2\.9000  ± 0\.1000  -0\.2000  0\.1633  yes +4\.1838$")
        self.assertIn("after 4 seconds of training", out)

    def test_csv(self):
        rows = list(csv.DictReader(io.StringIO(self.expect(hcc("compare", "--csv", self.six())).out)))
        self.assertEqual([row["wiring"] for row in rows], ["mhc", "residual"])
        self.assertAlmostEqual(float(rows[0]["gap"]), -0.2)
        self.assertEqual((rows[0]["exceeds"], rows[1]["exceeds"], rows[1]["gap"]), ("yes", "", ""))
        self.assertNotIn(None, rows[0])
        self.expect(hcc("compare", "--csv", "--json", self.folder), 2)

    def test_log_without_all_steps(self):
        self.run_folder("a", [3.0, 2.0], seed=1)
        folder = self.run_folder("b", [3.0, 2.2], seed=2)
        with open(os.path.join(folder, "log.jsonl"), encoding="utf-8") as file:
            lines = file.readlines()
        self.write("b/log.jsonl", "".join(lines[1:]))
        said = self.compare(self.folder)
        self.assertIsNone(said["equal_seconds"])
        self.near(said["groups"][0]["at_equal_step"], mean=2.1)

    def test_damaged_folders(self):
        good = self.run_folder("good", [3.0])
        for name, path, text, message in (
                ("config", "config.json", "{", "is damaged"),
                ("theirs", "config.json", '{"architectures": ["GPT2LMHeadModel"]}', "another's"),
                ("list", "config.json", "[]", "no object"),
                ("line", "log.jsonl", '{"step":1,"loss":1}\nnonsense\n{"step":3,"loss":1}\n', "line 2"),
                ("order", "log.jsonl", '{"step":2}\n{"step":2}\n', "not above"),
                ("number", "log.jsonl", '{"loss":2}\n', "no step"),
                ("zero", "log.jsonl", '{"step":1}\n\0\n{"step":2}\n', "zero byte"),
                ("long", "log.jsonl", "x" * 2000000 + "\n{}\n", "too long"),
                ("summary", "summary.json", '{"val_loss":1', "is damaged"),
                ("fewer", "summary.json", '{"val_loss":1,"steps":1}', "fewer steps"),
                ("none", "log.jsonl", None, "No such file"),
                ("folder", "log.jsonl", "folder", "regular file")):
            with self.subTest(name):
                bad = self.run_folder(name, [3.0])
                os.remove(os.path.join(bad, path))
                if text == "folder":
                    os.mkfifo(os.path.join(bad, path))
                elif text is not None:
                    self.write(os.path.join(bad, path), text)
                self.assertIn(message, self.expect(hcc("log", bad), 3).err)
                both = self.expect(hcc("compare", good, bad), 3)
                self.assertIn(message, both.err)
                self.assertIn("1 of 2 runs", both.out)
                shutil.rmtree(bad)

    def test_no_runs(self):
        os.mkdir(self.path("empty"))
        self.assertIn("one level below", self.expect(hcc("compare", self.path("empty")), 3).err)
        self.assertIn("there is no", self.expect(hcc("compare", self.path("missing")), 3).err)
        self.assertIn("needs RUN", self.expect(hcc("compare"), 2).err)


class Log(Runs):
    def test_csv_has_all_fields(self):
        folder = self.run_folder("r", [3.0, 2.0])
        with open(os.path.join(folder, "log.jsonl"), "a", encoding="utf-8") as file:
            file.write('{"step":5,"loss":null,"diverged":"a, \\"b\\""}\n')
        out = self.expect(hcc("log", folder, "--csv")).out
        rows = list(csv.DictReader(io.StringIO(out, newline="")))
        self.assertEqual(list(rows[0]), ["step", "loss", "grad_norm", "lr", "positions_per_s", "val_loss",
                                         "val_metrics.accuracy", "diverged"])
        self.assertEqual([row["step"] for row in rows], ["1", "2", "3", "4", "5"])
        self.assertEqual((rows[0]["val_loss"], rows[1]["val_loss"]), ("", "3.0"))
        self.assertEqual(rows[1]["val_metrics.accuracy"], "0.25")
        self.assertEqual((rows[4]["loss"], rows[4]["diverged"]), ("nan", 'a, "b"'))

    def test_csv_lines_end_as_the_standard_says(self):
        folder = self.run_folder("r", [3.0])
        path = self.path("out.csv")
        self.expect(harness.run(["bash", "-c", f"'{harness.hcc_path()}' log '{folder}' --csv > '{path}'"]))
        with open(path, "rb") as file:
            self.assertEqual(file.read().count(b"\r\n"), 3)

    def test_table_is_thinned_to_the_terminal(self):
        folder = self.run_folder("r", [3.0] * 99 + [2.5])
        whole = self.expect(hcc("log", folder)).out.splitlines()
        self.assertEqual(len(whole), 1 + 200 + 1)
        thin = self.expect(hcc("log", folder, env={"LINES": "24"})).out.splitlines()
        self.assertLessEqual(len(thin), 24)
        self.assertEqual(thin[1].split(), ["10", "4.4500", "3.0000", "0.500", "1.00e-03", "64"])
        self.assertEqual(thin[-3].split()[:3], ["200", "-14.5500", "2.5000"])
        self.assertEqual(thin[-1], "finished: held-out loss 2.5000 after step 200")

    def test_a_torn_line_is_passed_over_and_told(self):
        for tail in ('{"step":5,"lo', '{"step":5,"loss":1}', "\0\0\0\0", '{"step":5,"loss":\n'):
            with self.subTest(tail):
                folder = self.run_folder("r", [3.0, 2.0], ended=False)
                with open(os.path.join(folder, "log.jsonl"), "a", encoding="utf-8") as file:
                    file.write(tail)
                for words in ([], ["--csv"]):
                    said = self.expect(hcc("log", folder, *words))
                    self.assertIn("was not written whole", said.err)
                    self.assertEqual(len(said.out.splitlines()), 5 + (not words))
                self.assertIn("was not written whole", self.expect(hcc("compare", folder)).err)
                shutil.rmtree(folder)

    def test_an_empty_log(self):
        folder = self.run_folder("r", [3.0], ended=False)
        self.write("r/log.jsonl", "")
        self.assertIn("unfinished: 0 of 2 steps", self.expect(hcc("log", folder)).out)
        self.assertEqual(self.expect(hcc("log", folder, "--csv")).out, "")


class OfTraining(harness.TestCase):
    """What training writes is what is read."""

    def test_log_and_comparison(self):
        data = self.write("text.txt", "to be or not to be, that is the question:\n" * 40)
        model = self.write("k.hc", harness.EVALUATED)
        for seed in (1, 2):
            self.expect(hcc("train", model, "--data", data, "--seed", str(seed), "--threads", "1", "--quiet", "--out",
                            self.path(f"runs/{seed}")))
        said = json.loads(self.expect(hcc("compare", self.path("runs"), "--json")).out)
        ends = [json.loads(self.text(f"runs/{seed}/summary.json"))["val_loss"] for seed in (1, 2)]
        self.assertEqual(said["differ"], [])
        self.assertEqual(said["equal_step"], 6)
        self.assertAlmostEqual(said["groups"][0]["at_equal_step"]["mean"], sum(ends) / 2, places=12)
        self.assertGreater(said["equal_seconds"], 0)
        rows = list(csv.DictReader(io.StringIO(self.expect(hcc("log", self.path("runs/1/ckpt/last"), "--csv")).out)))
        lines = [json.loads(line) for line in self.text("runs/1/log.jsonl").splitlines()]
        self.assertEqual([float(row["loss"]) for row in rows], [line["loss"] for line in lines])
        self.assertEqual(float(rows[1]["val_metrics.accuracy"]), lines[1]["val_metrics"]["accuracy"])

    def text(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()


harness.main(__name__)
