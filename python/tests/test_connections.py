#!/usr/bin/env python3
"""Connections of the library as programs of its own: begin, read, turn, write and end, put
together around a branch in PyTorch, are the network that holds it, in values and in all gradients.
HCC_TEST_EVERYTHING=1: all of them, at more widths, with streams in one tensor besides as tensors of
their own, in code for this processor; else three, in code that is compiled sooner. And
`hcc.torch.connection`, step by step: compiled, or of a library of `hcc build` that holds the programs
of all sites."""

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
OTHERS = {"hyper_connections_inputs"}  # it takes a further input
EVERY_DAY = ("laurel", "mhc_deferred(n = 2, iters = 3)", "shc")
# A state that grows, a carry, and an end that asks for what was before the last write.
GATHERED = """connection gathered(norm = rmsnorm) {
  state h[d], X[depth, d];
  carry total = 0.5;
  param w[d] = 0.3;
  param a[depth] = 1 / depth;
  begin h = x;
  begin X[0,c] = x[c];
  let g       = sigmoid(sum[c] w[c] * h[c]);
  let past[c] = sum[j] a[j] * X[j,c];
  let u[c]    = h[c] + total * past[c];
  read  x     = norm(u);
  write h[c]  = g * h[c] + (1 - g) * past[c] + y[c], total = 0.9 * total + 0.1 * g;
  if site % 2 == 0 {
    append X[c] = y[c];
  } else {
    write X[depth - 1, c] = X[depth - 1, c] + site * y[c];
  }
  let s[c] = total * h[c] + g * past[c] + sum[j] X[j,c];
  end   x     = norm(s);
}
"""


def connections():
    if not harness.EVERYTHING:
        return EVERY_DAY
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
        return hcc.torch.Primitive(hcc.program(TEXT, C=self.connection, d=self.d, precision="f64",
                                               cpu="native" if harness.EVERYTHING else "baseline", **cut))

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

    def branch(self, site, now):
        """What it takes may be the one entry of a list of such."""
        x = now["x"] if "x" in now else now["xs.0"] if self.apart else now["xs"].squeeze(-2)
        return torch.tanh(self.weights[f"trunk.{site}.s.w"] * x)

    def composed(self, x):
        first, last = "trunk.0.s.hc.", f"trunk.{SITES - 1}.s.hc."
        now = self.run("begin", 0, {"x": x}, {"": first})
        now |= self.run("read", 0, now, {"": first})
        for site in range(SITES - 1):
            now["y"] = self.branch(site, now)
            now |= self.run("turn", site, now, {"write.": f"trunk.{site}.s.hc.", "read.": f"trunk.{site + 1}.s.hc."})
        now["y"] = self.branch(SITES - 1, now)
        now |= self.run("write", SITES - 1, now, {"": last})
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
        text = TEXT.replace("let h = trunk(x) { repeat 3 { s = C : bend; } };", """
          let g = trunk(x) { s = C : bend; };
          let h = trunk(x) { s = told(g) : bend; };""") + """connection told : z[e] {
          state h[d];
          begin h    = x;
          let u[c]   = h[c] + z[c];
          read  x    = u;
          write h[c] = h[c] + y[c];
          end   x    = h;
        }"""
        with self.assertRaisesRegex(hcc.ArgumentError, "the `read` of `h.s` takes more than is handed to it"):
            hcc.program(text, part="read", site="h.s")

    def test_every_connection(self):
        for k, connection in enumerate(connections()):
            for d in (12, 36, 132) if harness.EVERYTHING else (12,):
                for apart in (False, True) if harness.EVERYTHING else (bool(k % 2),):
                    with self.subTest(connection, d=d, apart=apart):
                        self.same(connection, d, apart)

    def by_steps(self, call, definitions="", library=""):
        """Whether a trunk that calls each site by itself is the network."""
        text = TEXT.replace("use std;", "use std;\n" + definitions)
        whole = hcc.torch.Primitive(hcc.program(text, C=call, precision="f64", results="h"))
        module = hcc.torch.connection(library or call, dim=12, sites=SITES, definitions=definitions, precision="f64")
        torch.manual_seed(5)
        weights = {one.name: (0.5 * torch.randn(one.shape, dtype=torch.float64)).requires_grad_(not one.frozen)
                   for one in whole.parameters}
        mine = {f"trunk.{k}.s.hc.{name}": one for k, site in enumerate(module.sites)
                for name, one in site.named_parameters()}
        self.assertEqual({name for name in weights if not name.endswith(".s.w")}, set(mine))
        for name, one in mine.items():
            one.data.copy_(weights[name])
        x = torch.randn(SAMPLES, POSITIONS, 12, dtype=torch.float64, requires_grad=True)

        def branch(site, x):
            return torch.tanh(weights[f"trunk.{site}.s.w"] * x)

        def run(turns):
            read, streams = module.read(module.begin(x), 0)
            for site in range(SITES):
                y = branch(site, read)
                if site + 1 == SITES or not turns:
                    streams = module.write(streams, y, site)
                    if site + 1 < SITES:
                        read, streams = module.read(streams, site + 1)
                else:
                    read, streams = module.turn(streams, y, site)
            return module.end(streams), streams

        expected, = whole([x], list(weights.values()))
        upstream = torch.randn_like(expected)
        wanted = [x, *(one for name, one in weights.items() if one.requires_grad)]
        theirs = torch.autograd.grad(expected, wanted, upstream, allow_unused=True)
        names = ["x", *(name for name, one in weights.items() if one.requires_grad)]
        for turns in (True, False):
            found, streams = run(turns)
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
            own = [x, *(mine.get(name, weights[name]) for name in names[1:])]
            for name, one, other in zip(names, torch.autograd.grad(found, own, upstream, allow_unused=True), theirs):
                zero = torch.zeros((), dtype=torch.float64)
                torch.testing.assert_close(*torch.broadcast_tensors(zero if one is None else one,
                                                                    zero if other is None else other),
                                           rtol=1e-7, atol=1e-8, msg=lambda text, name=name: f"{name}: {text}")
        return streams

    def test_site_by_site(self):
        """Of connections whose states grow: one library for all sites, and the same compiled here."""
        own = self.write("own.hc", GATHERED)
        self.expect(harness.hcc("build", own, "--connection", "gathered", "--set", "d=12", "--set", f"sites={SITES}",
                                "--precision", "f64", "--cpu", "baseline", "-o", self.path("own.so")))
        streams = self.by_steps("gathered", GATHERED, self.path("own.so"))
        self.assertEqual([one.shape for one in streams["X"]], [(SAMPLES, POSITIONS, 12)] * 3)
        self.assertEqual(streams["h"].shape, (SAMPLES, POSITIONS, 12))
        with self.assertRaises(KeyError):
            streams["Y"]
        with self.assertRaisesRegex(hcc.ArgumentError, "there is no site 3: .* has 3 of them"):
            hcc.load(self.path("own.so"), part="read", site=3)
        if harness.EVERYTHING:
            calls = ("attnres", "attnres(block_sites = 2)", "mhar", "denseformer", "denseformer(block_sites = 1)", "dar",
                     "laurel_pa", "mudd(block_sites = 1)", "mhc_deferred(n = 2)")
            for k, call in enumerate(calls):
                for library in ("", self.path(f"{k}.so")):  # a path that is loaded stays what it was
                    with self.subTest(call, library=library):
                        if library:
                            self.expect(harness.hcc("build", "--connection", call, "--set", "d=12", "--set",
                                                    f"sites={SITES}", "--precision", "f64", "-o", library))
                        self.by_steps(call, library=library)


if __name__ == "__main__":
    harness.main(__name__)
