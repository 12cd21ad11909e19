#!/usr/bin/env python3
"""The command line: what goes where, and the exit codes that the README documents."""

import json
import os
import re
import stat
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

SHAKESPEARE = "examples/shakespeare.hc"
COMMANDS = ["check", "info", "show", "emit", "gradcheck", "train", "eval", "sample", "log",
            "compare", "sweep", "graph", "report", "bench", "build", "explain"]


class CommandLine(harness.TestCase):
    def test_help_names_every_command(self):
        result = self.expect(hcc("--help"))
        for command in COMMANDS:
            self.assertRegex(result.out, rf"(?m)^  {command} ")
        self.assertEqual(result.err, "")

    def test_help_of_each_command(self):
        for command in COMMANDS:
            with self.subTest(command):
                result = self.expect(hcc(command, "--help"))
                self.assertTrue(result.out.startswith(f"hcc {command}: "))
                self.assertEqual(result.out, self.expect(hcc("help", command)).out)

    def test_help_fits_the_terminal(self):
        for words in (["--help"], ["show"], *([c, "--help"] for c in COMMANDS)):
            for columns in (60, 80, 132):
                with self.subTest(words, columns=columns):
                    text = self.expect(hcc(*words, env={"COLUMNS": str(columns)})).out
                    prose = [line for line in text.splitlines() if not line.startswith("usage: ")]
                    self.assertLessEqual(max(map(len, prose)), columns)
                    whole = self.expect(hcc(*words)).out
                    self.assertEqual(text.split(), whole.split())

    def test_reference_page_is_current(self):
        with open(os.path.join(harness.ROOT, "docs", "commands.md"), encoding="utf-8") as page:
            self.assertEqual(page.read(), self.expect(hcc("--help=markdown")).out)

    def test_version(self):
        self.assertRegex(self.expect(hcc("--version")).out, r"^hcc \d+\.\d+\.\d+(, sanitized)?\n$")
        said = self.expect(hcc("--version", "--verbose")).out
        self.assertRegex(said, r"^hcc .*\n(commit: [0-9a-f]{12}(-dirty)?\n)?"
                         r"models: ABI \d+, manifest format \d+\nLLVM: \d+\.\d+\.\d+\n"
                         r"BLAS: OpenBLAS [\d.]+\S* \(libopenblas.so.0\), kernels for \w+ \(chosen by [\w' ]+\), threads: 1\n"
                         r"this machine: \S+\n  features +\S.*\n"
                         r"  vectors +(16|32|64) bytes, in \d+ registers\n")
        commit = re.search(r"^commit: (\w+)", said, re.MULTILINE)
        if commit and os.path.exists(os.path.join(harness.ROOT, ".git")):
            self.expect(harness.run(["git", "cat-file", "-e", commit[1]]))

    def test_usage_mistakes_exit_2_and_suggest(self):
        for arguments, expected in [
            ([], "which command"),
            (["chekc", "x.hc"], "did you mean 'check'?"),
            (["check"], "needs FILE"),
            (["check", "a.hc", "b.hc"], "one too many"),
            (["check", "--sett", "d=1", "x.hc"], "did you mean '--set'?"),
            (["check", "--set", "d", "x.hc"], "NAME=VALUE"),
            (["check", "--steps", "3", "x.hc"], "does not take --steps"),
            (["train", "--steps", "many", "x.hc"], "whole number"),
            (["train", "--threads", "0", "x.hc"], "1 to 1024"),
            (["check", "--color=blue", "x.hc"], "auto, always or never"),
            (["emit", "--stage", "fusd", "x.hc"], "did you mean 'fused'?"),
            (["emit", "--stage"], "needs a value"),
            (["check", "--json=yes", "x.hc"], "takes no value"),
            (["help", "nothing"], "unknown command"),
        ]:
            with self.subTest(arguments):
                result = self.expect(hcc(*arguments), 2)
                self.assertIn(expected, result.err)
                self.assertEqual(result.out, "")

    def test_a_file_that_is_not_there(self):
        result = self.expect(hcc("check", self.path("none.hc")), 2)
        self.assertIn("No such file", result.err)
        self.assertIn("directory", self.expect(hcc("check", self.folder), 2).err)


class Check(harness.TestCase):
    def test_the_example(self):
        result = self.expect(hcc("check", SHAKESPEARE))
        self.assertIn("model shakespeare", result.out)
        self.assertEqual(result.err, "")

    def test_standard_input(self):
        with open(os.path.join(harness.ROOT, SHAKESPEARE), encoding="utf-8") as source:
            self.expect(hcc("check", "-", stdin=source.read()))
        result = self.expect(hcc("check", "-", stdin="model {"), 1)
        self.assertIn("<stdin>:1:", result.err)

    def test_mistakes_go_to_stderr_and_exit_1(self):
        path = self.write("wrong.hc", "use std;\nmodel m { param p[3] = nothing; }\n")
        result = self.expect(hcc("check", path), 1)
        self.assertEqual(result.out, "")
        self.assertIn("wrong.hc:2:", result.err)

    def test_json(self):
        path = self.write("wrong.hc", "use std;\nmodel m { param p[3] = nothing; }\n")
        diagnostics = json.loads(self.expect(hcc("check", "--json", path), 1).out)
        self.assertTrue(any(d["severity"] == "error" and d["line"] == 2 for d in diagnostics))
        self.assertEqual(json.loads(self.expect(hcc("check", "--json", SHAKESPEARE)).out), [])

    def test_color(self):
        path = self.write("wrong.hc", "model {\n")
        self.assertIn("\033[", self.expect(hcc("check", "--color=always", path), 1).err)
        self.assertNotIn("\033[", self.expect(hcc("check", path), 1).err)
        self.assertNotIn("\033[", self.expect(hcc("check", "--color=never", path), 1).err)

    def test_set(self):
        self.expect(hcc("check", SHAKESPEARE, "--set", "wiring=dhc", "-s", "blocks=2"))
        result = self.expect(hcc("check", SHAKESPEARE, "--set", "blcks=2"), 1)
        self.assertIn("blocks", result.err)
        result = self.expect(hcc("check", SHAKESPEARE, "--set", "train.stepz=2"), 1)
        self.assertIn("did you mean `steps`", result.err)

    def test_is_fast(self):
        begun = os.times()
        self.expect(hcc("check", SHAKESPEARE))
        ended = os.times()
        spent = ended.children_user + ended.children_system
        spent -= begun.children_user + begun.children_system
        self.assertLess(spent, 1 if harness.sanitized() else 0.1)

    def test_output_that_cannot_be_written(self):
        result = harness.run(["bash", "-c", f"'{harness.hcc_path()}' check {SHAKESPEARE} "
                                            "> /dev/full"])
        self.expect(result, 6)


class Show(harness.TestCase):
    def test_list_and_each(self):
        listed = self.expect(hcc("show")).out
        for name in ["residual", "postnorm", "shc", "dhc", "frac", "mhc", "attention", "mlp"]:
            with self.subTest(name):
                self.assertRegex(listed, rf"(?m)^\w+ +{name}\b")
                self.assertIn(name, self.expect(hcc("show", name)).out)
        self.assertIn("connection mhc", self.expect(hcc("show", "mhc")).out)
        for line in listed.splitlines(): # whole sentences, which may run over a line of the source
            self.assertRegex(line, r"^\w+ +\w+ *$|\.$")

    def test_one_with_its_page_is_a_file(self):
        text = self.expect(hcc("show", "mhc")).out
        for part in ("/// Source: ", "/// Begins: ", "/// Cost: ", "connection mhc("):
            self.assertIn(f"\n{part}", text)
        self.expect(hcc("check", self.write("mhc.hc", text)))

    def test_unknown(self):
        name = "mhc"
        self.assertIn(f"did you mean '{name}'", self.expect(hcc("show", name + "x"), 2).err)

    def test_json(self):
        names = [d["name"] for d in json.loads(self.expect(hcc("show", "--json")).out)]
        self.assertIn("mhc", names)


class Info(harness.TestCase):
    def test_text_and_json(self):
        result = self.expect(hcc("info", SHAKESPEARE, "--set", "wiring=mhc"))
        self.assertIn("over residual", result.out)
        result = self.expect(hcc("info", SHAKESPEARE, "--set", "wiring=mhc", "--set", "n=100"))
        self.assertRegex(result.out, r"(?m)^  parameters +\d+(\.\d+)? times$")
        result = self.expect(hcc("info", SHAKESPEARE, "--set", "wiring=mhc", "--against", "shc"))
        self.assertIn("over shc", result.out)
        result = self.expect(hcc("info", SHAKESPEARE, "--against", "nothing"), 2)
        self.assertIn("comparing with 'nothing'", result.err)
        info = json.loads(self.expect(hcc("info", SHAKESPEARE, "--json", "-s", "wiring=mhc")).out)
        self.assertEqual(sum(g["elements"] for g in info["groups"]), info["parameters"])
        self.assertGreater(info["connection_parameters"], 0)
        self.assertEqual(len(info["matrices"]), 24)  # six of each block
        self.assertEqual(info["matrices"][0],
                         {"name": "trunk.0.attn.Wq", "apart": 1, "free": 128, "summed": 128})
        self.assertGreater(info["parameters"], info["against"]["parameters"])
        self.assertGreater(info["backward_flops_per_position"],
                           info["forward_flops_per_position"])


class Emit(harness.TestCase):
    def test_text_of_the_tensor_ir_reads_back(self):
        for stage in ["tir", "grad"]:
            with self.subTest(stage):
                first = self.path(f"{stage}.tir")
                self.expect(hcc("emit", SHAKESPEARE, "--stage", stage, "-o", first))
                again = self.expect(hcc("emit", first, "--stage", stage)).out
                with open(first, encoding="utf-8") as text:
                    self.assertEqual(text.read().split("\n", 1)[1], again)  # below the mark

    def test_one_kernel(self):
        """By its name or by the number that stage `fused` gives it."""
        fused = self.expect(hcc("emit", SHAKESPEARE, "--stage", "fused")).out
        number = re.search(r"kernel (k\d+)", fused).group(1)
        for asked, pattern in [(number, rf"{number}_\w+"), ("attend", "attend")]:
            text = self.expect(hcc("emit", SHAKESPEARE, "--stage", "nests", "--kernel", asked)).out
            self.assertEqual(len(re.findall(r'(?m)^kernel ', text)), 1)
            self.assertRegex(text, rf'^kernel "{pattern}"')
        result = self.expect(hcc("emit", SHAKESPEARE, "--stage", "nests", "--kernel", "k999"), 2)
        self.assertIn(" attend", result.err)
        self.expect(hcc("emit", SHAKESPEARE, "--stage", "grad", "--kernel", "k1"), 2)

    def test_lines_of_the_text(self):
        """Code names the definitions that it comes from, the library's as well, when asked to."""
        plain = ["emit", SHAKESPEARE, "--set", "wiring=mhc", "--stage", "llvm"]
        text = self.expect(hcc(*plain, "--debug")).out
        for file in ["mhc.hc", "shakespeare.hc", "norms.hc"]:
            self.assertIn(f'!DIFile(filename: "{file}"', text)
        self.assertNotIn("!DIFile", self.expect(hcc(*plain)).out)

    def test_ast(self):
        self.assertIn("shakespeare", self.expect(hcc("emit", SHAKESPEARE, "--stage", "ast")).out)

    def test_a_failure_leaves_no_file(self):
        wrong = self.write("wrong.hc", "model {\n")
        self.expect(hcc("emit", wrong, "-o", self.path("out.tir")), 1)
        self.assertEqual(os.listdir(self.folder), ["wrong.hc"])

    def test_unwritable_output(self):
        result = self.expect(hcc("emit", SHAKESPEARE, "-o", self.path("no/such/folder")), 6)
        self.assertIn("cannot write", result.err)

    def test_a_device_stays_one(self):
        """An output that is no regular file is written to, never replaced by a file."""
        pipe = self.path("pipe")
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.expect(hcc("emit", "examples/my_connection.hc", "-o", pipe))
        self.assertTrue(os.read(reader, 100).startswith(b"tir 1"))
        os.close(reader)
        self.expect(hcc("build", SHAKESPEARE, "-o", pipe), 6)
        self.assertTrue(stat.S_ISFIFO(os.stat(pipe).st_mode))
        self.assertEqual(os.listdir(self.folder), ["pipe"])

    def test_a_name_that_is_not_utf_8(self):
        """Lines of such a file are missing from profiles; the model is whole."""
        with open(os.path.join(harness.ROOT, SHAKESPEARE), encoding="utf-8") as text:
            path = self.write("b\udcff.hc", text.read())
        self.expect(hcc("build", path, "-o", self.path("x.so")))
        with open(self.path("x.manifest.json"), encoding="utf-8") as file:
            forward = json.load(file)["plan"]["forward"]
        self.assertTrue(forward)

    def test_a_text_of_a_later_stage(self):
        path = self.write("kernel.nest", "")
        self.expect(hcc("emit", path, "--stage", "grad"), 2)
        self.expect(hcc("emit", self.write("model.tir", ""), "--stage", "ast"), 2)

    def test_wrong_ir_text(self):
        path = self.write("wrong.tir", "this is not tensor IR\n")
        self.assertIn("wrong.tir:1:", self.expect(hcc("emit", path), 1).err)

    def test_print_after_and_times(self):
        """Every pass that help lists is timed, in that order, and printed when asked for."""
        listed = self.expect(hcc("emit", "--help")).out.split("passes:")[1]
        passes = re.findall(r"(?m)^  (\w+) ", listed)
        self.assertGreater(len(passes), 15)
        command = "emit", "examples/small.hc", "--stage", "asm", "-o", self.path("small.s")
        times = self.expect(hcc(*command, "--time-passes", "--force")).err
        self.assertEqual(re.findall(r"(?m)^ +[\d.]+ ms  (\w+)$", times), [*passes, "total"])
        for name in passes:
            with self.subTest(name):
                printed = self.expect(hcc(*command, "--print-after", name, "--force")).err
                self.assertGreater(len(printed), 100)
        wrong = self.expect(hcc(*command, "--print-after", "plan", "--force"), 2).err
        self.assertIn("There are: parse sema", wrong)


class Explain(harness.TestCase):
    def test_every_code(self):
        codes = re.findall(r"(?m)^(E\d{4})  \S", self.expect(hcc("explain")).out)
        self.assertGreater(len(codes), 5)
        for code in codes:
            with self.subTest(code):
                self.assertTrue(self.expect(hcc("explain", code)).out.startswith(code))
        self.expect(hcc("explain", "E9999"), 2)
        for code in ["101", "e101", "E101"]:
            self.assertTrue(self.expect(hcc("explain", code)).out.startswith("E0101: "))


if __name__ == "__main__":
    harness.main(__name__)
