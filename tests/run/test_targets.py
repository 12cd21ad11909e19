#!/usr/bin/env python3
"""Compiling for other kinds of machines: every connection of the library for AArch64, with its
vector instructions."""

import json
import os
import re
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

MODEL = os.path.join("examples", "shakespeare.hc")
SECOND_INPUT = os.path.join("bench", "second_input.hc")
SMALL = ["--set", "d=32", "--set", "heads=2", "--set", "blocks=1", "--set", "context=16"]
AARCH64 = ["--target", "aarch64-linux-gnu"]
EM_AARCH64 = 183


def machine_of(path):
    """(64-bit little-endian ELF?, machine) of an object."""
    with open(path, "rb") as file:
        header = file.read(20)
    return header[:6] == b"\x7fELF\x02\x01", struct.unpack("<H", header[18:20])[0]


def connections():
    return [entry["name"] for entry in json.loads(hcc("show", "--json").out)
            if entry["kind"] == "connection"]


class Targets(harness.TestCase):
    def test_connections_for_aarch64(self):
        compiled = 0
        for name in harness.share(connections(), 3):
            setting = ["--set", f"wiring={name}", *SMALL]
            file = next((file for file in (MODEL, SECOND_INPUT)
                         if hcc("check", file, *setting).code == 0), None)
            if not file:
                continue  # one that wants what neither model has
            with self.subTest(name):
                path = self.path(f"{name}.s")
                self.expect(hcc("build", file, *setting, *AARCH64, "-o", path))
                with open(path, encoding="utf-8") as text:
                    code = text.read()
                for instruction in (r"fmla\tv\d+\.4s", r"fmul\tv\d+\.4s", r"ldr\tq\d+|ldp\tq\d+"):
                    self.assertRegex(code, instruction)
                self.assertIsNone(re.search(r"%[xyz]mm", code))
                compiled += 1
        self.assertGreater(compiled, 25 if harness.EVERYTHING else 8)

    def test_products_for_aarch64(self):
        command = ["emit", MODEL, *SMALL, "--set", "d=64", *AARCH64, "--stage", "asm", "--cpu"]
        for cpu, precision, matrices, features in (("neoverse-v1", "bf16", True, ["neon", "sve", "bf16"]),
                                                   ("neoverse-v1", "f32", False, ["neon", "sve"]),
                                                   ("neoverse-n1", "bf16", False, ["neon"])):
            code = self.expect(hcc(*command, cpu, "--precision", precision)).out
            self.assertEqual(bool(re.search(r"bfmmla\tv\d+\.4s, v\d+\.8h, v\d+\.8h", code)), matrices)
            needed = re.search(r'features\\":\[([^]]*)\]', code)[1].replace("\\", "")
            self.assertEqual(json.loads(f"[{needed}]"), features)

    def test_an_object(self):
        path = self.path("model.o")
        self.expect(hcc("build", MODEL, *SMALL, *AARCH64, "-o", path))
        self.assertEqual(machine_of(path), (True, EM_AARCH64))

    def test_processors_belong_to_machines(self):
        build = ["emit", MODEL, *SMALL, "--stage", "asm"]
        self.expect(hcc(*build, *AARCH64, "--cpu", "neoverse-n1"))
        for arguments, expected in [
            ([*AARCH64, "--cpu", "znver4"], "unknown processor `znver4`"),
            ([*AARCH64, "--cpu", "native"], "`native` is this machine"),
            (["--cpu", "cortex-a72"], "unknown processor `cortex-a72`"),
            (["--target", "abacus-linux-gnu"], "no code generator for abacus"),
            (["--target", "i686-linux-gnu"], "64-bit"),
        ]:
            with self.subTest(arguments):
                self.assertIn(expected, self.expect(hcc(*build, *arguments), 2).err)

    def test_nothing_is_linked_for_others(self):
        for name in ("model", "model.so"):
            result = self.expect(hcc("build", MODEL, *SMALL, *AARCH64, "-o", self.path(name)), 6)
            self.assertIn("cannot link for aarch64-linux-gnu", result.err)
        self.assertEqual(os.listdir(self.folder), [])


harness.main(__name__)
