#!/usr/bin/env python3
"""hcc.torch: compiled programs called on tensors, as modules, and as connections around branches."""

import copy
import functools
import multiprocessing
import pickle
import threading
import unittest

import beside
import harness

LACKING = harness.lacking("numpy", "torch")
if not LACKING:
    import hcc
    import hcc.torch
    import torch
    from torch.utils.checkpoint import checkpoint

TRUNK = """use std;
model m {
  const d = 8;
  positions t <= 64;
  input x[t, d] : real;
  let h = trunk(x) { repeat 2 { a = dhc(n = 2) : mlp(9); } };
}
"""


@functools.cache
def primitive(d=8, f64=True, results="h", part=None, site=None, apart=False, beside=False, folded=(), text=TRUNK):
    cut = {"part": part, "site": site} if part else {"results": results}
    return hcc.torch.Primitive(hcc.program(text, d=d, f64=f64, apart=apart, beside=beside, **cut), folded=folded)


def parameters(p, seed=0):
    torch.manual_seed(seed)
    return [(0.3 * torch.randn(one.shape, dtype=p.dtype)).requires_grad_() for one in p.parameters]


def inputs(p, samples=3, positions=4, seed=1):
    torch.manual_seed(seed)
    return [torch.randn(one.shape(samples, positions), dtype=p.dtype, requires_grad=True) for one in p.inputs]


@unittest.skipIf(LACKING, LACKING)
class Primitives(harness.TestCase):
    def test_gradients(self):
        """By finite differences, at widths on both sides of vectors."""
        for d in (8, 31, 32, 33, 65):
            p = primitive(d)
            with self.subTest(d=d):
                self.assertTrue(torch.autograd.gradcheck(lambda *x: p(x[:1], x[1:]), (*inputs(p, 2, 2), *parameters(p)),
                                                         fast_mode=True))

    def test_streams_lie_in_the_samples(self):
        """One tensor of 2 x samples is the same as two tensors, in values and gradients, at no copy."""
        apart = primitive(part="write", site="trunk.1.a", apart=True)
        folded = primitive(part="write", site="trunk.1.a", apart=True, folded=("H",))
        self.assertEqual([one.name for one in folded.inputs], ["H", "kept.0", "kept.1", "y"])
        self.assertEqual([one.name for one in folded.results], ["H"])
        h, *others = inputs(folded)
        whole, = folded([h, *others])
        streams = [h.unflatten(0, (3, 2))[:, s] for s in range(2)]
        found = apart([*streams, *others])
        for s in range(2):
            torch.testing.assert_close(whole.unflatten(0, (3, 2))[:, s], found[s], rtol=0, atol=0)
        for mine, other in zip(torch.autograd.grad(whole.square().sum(), [h, *others], retain_graph=True),
                               torch.autograd.grad(sum(one.square().sum() for one in found), [h, *others])):
            torch.testing.assert_close(mine, other)

    def test_gradients_that_come_by_other_ways(self):
        """Of the streams, which a write takes too: added where they are computed anyway."""
        plain = primitive(part="read", apart=True, folded=("H",))
        added = primitive(part="read", apart=True, beside=True, folded=("H",))
        self.assertEqual([one.name for one in added.inputs], ["H"])
        given, weights = inputs(plain), parameters(plain)
        *results, saved = torch.ops.hcc.forward(added.number, given, weights, None, True, True)
        upstream, other = [torch.ones_like(one) for one in results], torch.randn_like(given[0])
        wanted = [True], [True] * len(weights)
        expected = torch.autograd.grad(plain(given, weights), given + weights, upstream)
        for beside_it, more in (([other], other), ([None], 0)):
            found = torch.ops.hcc.backward(added.number, given, weights, results, saved, None, True, upstream, beside_it,
                                           *wanted)
            torch.testing.assert_close(found[0], expected[0] + more)
            for mine, one in zip(found[1:], expected[1:]):
                torch.testing.assert_close(mine, one)

    def test_as_an_operator(self):
        p = primitive()
        for save in (True, False):  # what is saved holds memory that nobody wrote: no values to compare
            torch.library.opcheck(torch.ops.hcc.forward, (p.number, inputs(p), parameters(p), None, True, save),
                                  test_utils=("test_schema", "test_autograd_registration", "test_faketensor"))

    def test_any_number_may_be_open(self):
        """Forwards of several sizes, then their backwards in another order."""
        p, weights = primitive(), parameters(primitive())
        batches = [inputs(p, n, t) for n, t in ((1, 3), (5, 2), (2, 64))]
        expected = [torch.autograd.grad(p(x, weights)[0].square().sum(), x + weights) for x in batches]
        opened = [p(x, weights)[0].square().sum() for x in batches]
        for k in (1, 2, 0):
            for mine, one in zip(torch.autograd.grad(opened[k], batches[k] + weights), expected[k]):
                torch.testing.assert_close(mine, one, rtol=0, atol=0)

    def test_memory_of_any_kind(self):
        p, weights = primitive(), parameters(primitive())
        dense = inputs(p)[0].detach()
        expected, = p([dense], weights)
        wide = torch.zeros(3, 2, 4, 8, dtype=p.dtype)
        wide[:, 1] = dense
        for name, x in (("samples apart", wide[:, 1]), ("transposed", dense.transpose(0, 1).contiguous().transpose(0, 1)),
                        ("features apart", torch.stack([dense, dense], -1)[..., 0]), ("rows", dense.unflatten(1, (2, 2)))):
            with self.subTest(name):
                torch.testing.assert_close(p([x], weights)[0].reshape(expected.shape), expected, rtol=0, atol=0)
        one = dense[:1].expand(3, 4, 8)
        torch.testing.assert_close(p([one], weights)[0], p([one.contiguous()], weights)[0], rtol=0, atol=0)
        self.assertEqual(p([dense.unflatten(1, (2, 2))], weights)[0].shape, (3, 2, 2, 8))

    def test_types(self):
        single = primitive(f64=False)
        weights = [one.detach() for one in parameters(single)]
        x = inputs(single)[0].detach()
        expected, = single([x], weights)
        for dtype in (torch.float16, torch.bfloat16):
            low = x.to(dtype).requires_grad_()
            y, = single([low], [one.to(dtype) for one in weights])
            self.assertEqual(y.dtype, dtype)
            torch.testing.assert_close(y.float(), expected, rtol=0.05, atol=0.05)
            self.assertEqual(torch.autograd.grad(y.sum(), low)[0].dtype, dtype)
        with self.assertRaisesRegex(hcc.ArgumentError, "'x' is torch.float64, and the program computes in torch.float32"):
            single([x.double()], weights)

    def test_what_does_not_fit_is_refused(self):
        p, weights = primitive(), parameters(primitive())
        x, = inputs(p)
        for given, values, said in (([x[..., :7]], weights, r"'x' is \[samples, positions, 8\], not \[3, 4, 7\]"),
                                    ([x[0, 0]], weights, r"not \[8\]"),
                                    ([x[:0]], weights, "a batch of 0 samples"), ([], weights, "takes 1 inputs"),
                                    ([x], weights[1:], "and 20 parameters, not 1 and 19"),
                                    ([x.repeat(1, 17, 1)], weights, "64"),
                                    ([x], [weights[0][:1], *weights[1:]], r"the parameter '.*' is \[.*\], not \[")):
            with self.assertRaisesRegex(hcc.ArgumentError, said):
                p(given, values)
        loss = p([x], weights)[0].sum()
        gradient, = torch.autograd.grad(loss, x, create_graph=True)
        with self.assertRaisesRegex(hcc.ArgumentError, "no second derivative"):
            gradient.sum().backward()

    def test_nothing_is_saved_for_nothing(self):
        p, weights = primitive(), parameters(primitive())
        with torch.no_grad():
            self.assertFalse(p(inputs(p), weights)[0].requires_grad)
        for grad in (False, True):
            *_, saved = torch.ops.hcc.forward(p.number, inputs(p), weights, None, True, grad)
            self.assertEqual(saved.numel() > 0, grad)

    def test_under_other_machinery(self):
        """torch.compile, checkpointing and autocast give what a plain call gives."""
        p, weights = primitive(f64=False), parameters(primitive(f64=False))
        x, = inputs(p)

        def twice(x):
            return p([torch.tanh(p([x], weights)[0])], weights)[0].square().sum()

        expected = torch.autograd.grad(twice(x), [x, *weights])
        compiled = torch.compile(twice, backend="aot_eager", fullgraph=True)
        for name, way in (("compile", compiled), ("checkpoint", lambda x: checkpoint(twice, x, use_reentrant=False))):
            with self.subTest(name):
                for mine, one in zip(torch.autograd.grad(way(x), [x, *weights]), expected):
                    torch.testing.assert_close(mine, one)
        with torch.autocast("cpu", torch.bfloat16):
            y, = p([torch.nn.functional.linear(x, torch.eye(8))], weights)
        self.assertEqual(y.dtype, torch.bfloat16)
        torch.testing.assert_close(y.float(), p([x], weights)[0], rtol=0.05, atol=0.05)

    def test_threads(self):
        p, weights = primitive(), parameters(primitive())
        batches = [inputs(p, 2, 5, seed) for seed in range(8)]

        def gradients(x):
            return torch.autograd.grad(p(x, weights)[0].square().sum(), x + weights)

        expected, found = [gradients(x) for x in batches], {}
        threads = [threading.Thread(target=lambda k=k: found.update({k: gradients(batches[k])})) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for k in range(8):
            for mine, one in zip(found[k], expected[k]):
                torch.testing.assert_close(mine, one, rtol=0, atol=0)


harness.main(__name__)
