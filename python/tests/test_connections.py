#!/usr/bin/env python3
"""Connections of the library as programs of its own: begin, read, turn, write and end, put
together around a branch in PyTorch, are the network that holds it, in values and in all gradients.
HCC_TEST_EVERYTHING=1: all of them, at more widths, and with streams in one tensor besides as tensors
of their own; else three."""

import os
import unittest

import beside
import harness

LACKING = harness.lacking("numpy", "torch")
if not LACKING:
    import hcc
    import hcc.torch
    import torch

TEXT = """use std;
branch bend : x[d] -> y[d] { param w[d] ~ normal(1); let y[c] = tanh(w[c] * x[c]); }
model m {
  const d = 12, C = residual;
  positions t <= 64;
  input x[t, d] : real;
  let h = trunk(x) { repeat 3 { s = C : bend; } };
}
"""
SITES, SAMPLES, POSITIONS = 3, 2, 5
# Of these the first takes a further input, the second gives each of several branches its own (xs), and
# the end of the third uses what its last site computed: it is refused, see test_what_does_not_stand_alone.
OTHERS = {"hyper_connections_inputs", "hyper_connections_branches", "mhc_deferred"}
EVERYTHING = os.environ.get("HCC_TEST_EVERYTHING") == "1"


def connections():
    folder = os.path.join(beside.HERE, "..", "..", "compiler", "std", "connections")
    return sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".hc") and name[:-3] not in OTHERS)


class Pieces:
    """The programs of one connection, and the network's parameters by name."""

    def __init__(self, connection, d, apart):
        self.connection, self.d, self.apart = connection, d, apart
        self.whole = self.made(results="h")
        torch.manual_seed(5)
        self.weights = {one.name: (0.5 * torch.randn(one.shape, dtype=torch.float64)).requires_grad_(not one.frozen)
                        for one in self.whole.parameters}

    def made(self, **cut):
        return hcc.torch.Primitive(hcc.program(TEXT, C=self.connection, d=self.d, precision="f64", **cut))

    def values(self, primitive, names):
        """The network's parameters for one of the programs, whose prefixes stand for sites."""
        found = []
        for one in primitive.parameters:
            for prefix, path in names.items():
                if one.name.startswith(prefix) and path + one.name[len(prefix):] in self.weights:
                    found.append(self.weights[path + one.name[len(prefix):]])
                    break
            else:
                found.append(self.weights[one.name])
        return found

    def run(self, part, site, given, names):
        p = self.made(part=part, site=f"trunk.{site}.s", apart=self.apart)
        assert {one.name for one in p.inputs} <= set(given), (part, [one.name for one in p.inputs], list(given))
        # A state may begin as the same for all: it comes once.
        spread = [given[one.name].expand(one.shape(SAMPLES, POSITIONS)) for one in p.inputs]
        results = p(spread, self.values(p, names))
        return {one.name: result for one, result in zip(p.results, results)}

    def branch(self, site, x):
        return torch.tanh(self.weights[f"trunk.{site}.s.w"] * x)

    def composed(self, x):
        first, last = "trunk.0.s.hc.", f"trunk.{SITES - 1}.s.hc."
        now = self.run("begin", 0, {"x": x}, {"": first})
        now |= self.run("read", 0, now, {"": first})
        for site in range(SITES - 1):
            now["y"] = self.branch(site, now["x"])
            now = self.run("turn", site, now, {"write.": f"trunk.{site}.s.hc.", "read.": f"trunk.{site + 1}.s.hc."})
        now["y"] = self.branch(SITES - 1, now["x"])
        now = self.run("write", SITES - 1, now, {"": last})
        return self.run("end", SITES - 1, now, {"": last})["x"]


@unittest.skipIf(LACKING, LACKING)
class Connections(harness.TestCase):
    def same(self, connection, d, apart):
        pieces = Pieces(connection, d, apart)
        x = torch.randn(SAMPLES, POSITIONS, d, dtype=torch.float64, requires_grad=True)
        wanted = [x] + [one for one in pieces.weights.values() if one.requires_grad]
        names = ["x"] + [name for name, one in pieces.weights.items() if one.requires_grad]
        expected, = pieces.whole([x], pieces.values(pieces.whole, {}))
        found = pieces.composed(x)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
        upstream = torch.randn_like(expected)
        gradients = [torch.autograd.grad(y, wanted, upstream, allow_unused=True) for y in (found, expected)]
        for name, mine, other in zip(names, *gradients):
            zero = torch.zeros(())
            torch.testing.assert_close(zero if mine is None else mine,
                                       torch.zeros_like(mine) if other is None and mine is not None else
                                       zero if other is None else other, rtol=1e-7, atol=1e-8,
                                       msg=lambda text, name=name: f"{name}: {text}")

    def test_what_does_not_stand_alone(self):
        with self.assertRaisesRegex(hcc.ArgumentError, "the `end` of `trunk.2.s` takes more than is handed to it"):
            hcc.program(TEXT, C="mhc_deferred", part="end")

    def test_every_connection(self):
        for k, connection in enumerate(connections()):
            if not EVERYTHING and connection not in ("dhc", "laurel", "shc"):
                continue
            for d in (12, 36, 132) if EVERYTHING else (12,):
                for apart in (False, True) if EVERYTHING else (bool(k % 2),):
                    with self.subTest(connection, d=d, apart=apart):
                        self.same(connection, d, apart)


if __name__ == "__main__":
    harness.main(__name__)
