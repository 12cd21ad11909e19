#!/usr/bin/env python3
"""hcc.torch: compiled programs called on tensors, as modules, and as connections around branches."""

import copy
import functools
import multiprocessing
import os
import pickle
import threading
import time
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
def primitive(d=33, precision="f64", results="h", part=None, site=None, apart=False, beside=False, folded=(), text=TRUNK):
    cut = {"part": part, "site": site} if part else {"results": results}
    return hcc.torch.Primitive(hcc.program(text, d=d, precision=precision, apart=apart, beside=beside, **cut), folded=folded)


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
        for d in harness.share((33, 8, 31, 32, 64, 65, 129), 7):
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
        *results, saved = torch.ops.hcc.forward(added.handle, given, weights, None, True, True)
        upstream, other = [torch.ones_like(one) for one in results], torch.randn_like(given[0])
        wanted = [True], [True] * len(weights)
        expected = torch.autograd.grad(plain(given, weights), given + weights, upstream)
        for beside_it, more in (([other], other), ([None], 0)):
            found = torch.ops.hcc.backward(added.handle, given, weights, results, saved, None, True, upstream, beside_it,
                                           *wanted)
            torch.testing.assert_close(found[0], expected[0] + more)
            for mine, one in zip(found[1:], expected[1:]):
                torch.testing.assert_close(mine, one)

    def test_as_an_operator(self):
        p = primitive()
        for save in (True, False):  # what is saved holds memory that nobody wrote: no values to compare
            torch.library.opcheck(torch.ops.hcc.forward, (p.handle, inputs(p), parameters(p), None, True, save),
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
        wide = torch.zeros(3, 2, 4, 33, dtype=p.dtype)
        wide[:, 1] = dense
        for name, x in (("samples apart", wide[:, 1]), ("transposed", dense.transpose(0, 1).contiguous().transpose(0, 1)),
                        ("features apart", torch.stack([dense, dense], -1)[..., 0]), ("rows", dense.unflatten(1, (2, 2)))):
            with self.subTest(name):
                torch.testing.assert_close(p([x], weights)[0].reshape(expected.shape), expected, rtol=0, atol=0)
        one = dense[:1].expand(3, 4, 33)
        torch.testing.assert_close(p([one], weights)[0], p([one.contiguous()], weights)[0], rtol=0, atol=0)
        self.assertEqual(p([dense.unflatten(1, (2, 2))], weights)[0].shape, (3, 2, 2, 33))

    def test_types(self):
        single = primitive(precision="f32")
        weights = [one.detach() for one in parameters(single)]
        x = inputs(single)[0].detach()
        expected, = single([x], weights)
        for dtype in (torch.float16, torch.bfloat16):
            low = x.to(dtype).requires_grad_()
            y, = single([low], [one.to(dtype) for one in weights])
            self.assertEqual(y.dtype, dtype)
            torch.testing.assert_close(y.float(), expected, rtol=0.05, atol=0.05)
            self.assertEqual(torch.autograd.grad(y.sum(), low)[0].dtype, dtype)
        with self.assertRaisesRegex(hcc.ArgumentError, "'x' is torch.float64, and the program takes torch.float32"):
            single([x.double()], weights)

    def test_bf16_where_it_lies(self):
        """In bf16_streams the operators take, give, and differentiate bf16 tensors as they are."""
        single, p = (primitive(64, precision) for precision in ("f32", "bf16_streams"))
        if p.inputs[0].dtype == torch.float32:
            self.skipTest("this processor has no products in bf16")
        self.assertEqual([one.dtype for one in (*p.inputs, *p.results)], 2 * [torch.bfloat16])
        weights = parameters(single)
        x = inputs(single, 3, 40)[0].detach().bfloat16().requires_grad_()
        upstream = torch.randn(3, 40, 64).bfloat16()
        of_single = torch.autograd.grad(single([x.float()], weights), [x, *weights], upstream.float())
        y, = p([x], weights)
        of_mine = torch.autograd.grad(y, [x, *weights], upstream)
        self.assertEqual([one.dtype for one in of_mine], [one.dtype for one in of_single])
        for mine, one in (((y,), single([x], weights)), (of_mine[:1], of_single[:1]), (of_mine[1:], of_single[1:])):
            mine, one = (torch.cat([k.float().flatten() for k in all]) for all in (mine, one))
            self.assertLess(((mine - one).norm() / one.norm()).item(), 0.02)  # of all together: some are zero but for rounding
        room = torch.zeros(3 * 2 * 40 * 64 + 1).bfloat16()
        for name, place in (("unaligned", room[1:3 * 40 * 64 + 1].view(3, 40, 64)),
                            ("apart", room[:-1].view(3, 2, 40, 64)[:, 1])):
            with self.subTest(name):
                there = place.copy_(x.detach())
                torch.testing.assert_close(p([there], weights)[0], y, rtol=0, atol=0)
        self.assertEqual(p([x.detach().float()], weights)[0].dtype, torch.float32)

    def test_parts_take_and_give_alike(self):
        """A state that goes past a branch unchanged hands its gradient on as it comes; what is read and
        written is of one type from part to part."""
        given = {}
        for part, site in (("read", 0), ("turn", 0), ("write", 1), ("end", 1)):
            p = primitive(64, "bf16_streams", part=part, site=f"trunk.{site}.a", apart=True, folded=("H",), beside=part == "read")
            given[part] = {one.name: one.dtype for one in (*p.inputs, *p.results)}
            weights = parameters(p)
            tensors = [torch.randn(one.shape(2, 5), dtype=one.dtype, requires_grad=True) for one in p.inputs]
            found = p(tensors, weights)
            sum(one.float().square().sum() for one in found).backward()
            for one, tensor in zip(p.inputs, tensors):
                self.assertEqual(tensor.grad.dtype, one.dtype)
                self.assertGreater(tensor.grad.float().norm().item(), 0)
        if given["read"]["x"] == torch.float32:
            self.skipTest("this processor has no products in bf16")
        self.assertEqual({part[name] for part in given.values() for name in ("H", "x", "y") if name in part}, {torch.bfloat16},
                         given)

    def test_what_does_not_fit_is_refused(self):
        p, weights = primitive(), parameters(primitive())
        x, = inputs(p)
        for given, values, said in (([x[..., :32]], weights, r"'x' is \[samples, positions, 33\], not \[3, 4, 32\]"),
                                    ([x[0, 0]], weights, r"not \[33\]"),
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
            *_, saved = torch.ops.hcc.forward(p.handle, inputs(p), weights, None, True, grad)
            self.assertEqual(saved.numel() > 0, grad)

    def test_under_other_machinery(self):
        """torch.compile, checkpointing and autocast give what a plain call gives."""
        p, weights = primitive(precision="f32"), parameters(primitive(precision="f32"))
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
            y, = p([torch.nn.functional.linear(x, torch.eye(33))], weights)
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


@unittest.skipIf(LACKING, LACKING)
class Connections(harness.TestCase):
    def branches(self, dim, count):
        torch.manual_seed(0)
        return [torch.nn.Sequential(torch.nn.Linear(dim, dim), torch.nn.Tanh()) for _ in range(count)]

    def test_one_branch(self):
        branch, = self.branches(33, 1)
        module = hcc.torch.connection("residual", branch, dim=33)
        x = torch.randn(2, 5, 33)

        def norm(h):
            return h * (h.square().mean(-1, keepdim=True) + 1e-5).rsqrt()

        torch.testing.assert_close(module(x), norm(x + branch(norm(x))), rtol=1e-4, atol=1e-4)
        found = []
        for way in (module, torch.compile(module, backend="aot_eager", fullgraph=True)):
            y = way(x)
            found.append([y, *torch.autograd.grad(y.square().sum(), list(module.parameters()))])
        for mine, one in zip(*found):
            torch.testing.assert_close(mine, one)

    def test_it_is_the_trunk_of_a_text(self):
        """With the branch in the text, at the same weights: values and all gradients."""
        for connection in harness.share(("frac", "dhc(n = 2)", "mhc(n = 4)", "residual"), 4):
            with self.subTest(connection):
                text = TRUNK.replace("dhc(n = 2) : mlp(9)", f"{connection} : squash").replace("use std;", """use std;
                    branch squash : x[d] -> y[d] { param W[d, d] ~ normal(0.3); let y[c] = tanh(sum[k] W[c,k] * x[k]); }""")
                whole = hcc.torch.compile(text, results="h", seed=1)
                branches = [torch.nn.Sequential(torch.nn.Linear(8, 8, bias=False), torch.nn.Tanh()) for _ in range(2)]
                module = hcc.torch.connection(connection, *branches, dim=8)
                pairs = [(branch[0].weight, f"trunk.{k}.a.W") for k, branch in enumerate(branches)]
                pairs += [(one, f"trunk.{k}.a.hc.{name}") for k, site in enumerate(module.sites)
                          for name, one in site.named_parameters()]
                texts = dict(whole.named_parameters())
                self.assertEqual(sorted(name for _, name in pairs), sorted(texts))
                with torch.no_grad():
                    for one, name in pairs:
                        texts[name].add_(0.1 * torch.randn_like(one))
                        one.copy_(texts[name])
                x = torch.randn(3, 4, 8, requires_grad=True)
                y, expected = module(x), whole(x)
                torch.testing.assert_close(y, expected)
                found = torch.autograd.grad(y.square().sum(), [x, *(one for one, _ in pairs)])
                expected = torch.autograd.grad(expected.square().sum(), [x, *(texts[name] for _, name in pairs)])
                for mine, one in zip(found, expected):
                    torch.testing.assert_close(mine, one, rtol=1e-4, atol=1e-5)

    def test_copies(self):
        module = hcc.torch.connection("frac", *self.branches(8, 2), dim=8, seed=3)
        x = torch.randn(2, 3, 3, 8)
        for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            torch.testing.assert_close(other(x), module(x), rtol=0, atol=0)
        same = hcc.torch.connection("frac", *self.branches(8, 2), dim=8, seed=3)
        self.assertEqual(list(same.state_dict())[0], "branches.0.0.weight")
        self.assertIn("sites.1.A", same.state_dict())
        torch.testing.assert_close(same(x), module(x), rtol=0, atol=0)
        with self.assertRaisesRegex(hcc.CompileError, "did you mean `dhc`"):
            hcc.torch.connection("dhc" + "c(n = 2)", *self.branches(8, 1), dim=8)
        with self.assertRaisesRegex(hcc.ArgumentError, "needs a branch"):
            hcc.torch.connection("dhc(n = 2)", dim=8)


GPT = """use std;
model gpt {
  const vocab = 256, d = 16, drop = 0;
  positions t <= 8 causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  param fixed[d] = 1 freeze;
  let x = embed(tokens, E);
  let h = trunk(x) { repeat 1 { attn = shc(n = 2) : attention(2, causal = true); } };
  let logits[v] = sum[c] E[v,c] * fixed[c] * dropout(h[c], drop);
  loss cross_entropy(logits, next);
}
train gpt {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.2; }
  batch 4; steps 3; lr 0.01;
}
"""


@functools.cache
def tokens():
    torch.manual_seed(3)
    return torch.randint(256, (4, 8))


class Batches(torch.utils.data.Dataset if not LACKING else object):
    """Samples that a module makes, in the process that loads them."""

    def __init__(self, module):
        self.module = module

    def __len__(self):
        return 4

    def __getitem__(self, k):
        with torch.no_grad():
            return self.module(tokens()[k:k + 1])[0]


def _share(rank, module, file, to):
    """One of two processes that train on half of the batch each."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    shared = torch.nn.parallel.DistributedDataParallel(module)
    shared(tokens()[2 * rank:2 * rank + 2]).square().mean().backward()
    if rank == 0:
        to.put({name: one.grad.numpy() for name, one in module.named_parameters() if one.requires_grad})
    torch.distributed.barrier()
    # Not through PyTorch's destructors: a group that ends under the interpreter's lock waits for its thread, which at
    # times waits for that lock.
    os._exit(0)


@unittest.skipIf(LACKING, LACKING)
class Modules(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.module = hcc.torch.compile(GPT, results="logits", seed=1)

    def same(self, module):
        torch.testing.assert_close(module(tokens()), self.module(tokens()), rtol=0, atol=0)

    def test_it_is_the_model(self):
        """Names, initial values, logits and the loss's gradients are those of hcc.compile."""
        model = hcc.compile(GPT)
        model.init(1)
        module = hcc.torch.compile(GPT, results=["logits", "loss"], seed=1)
        self.assertEqual(set(module.state_dict()), set(model.parameters))
        self.assertEqual([name for name, one in module.named_parameters() if not one.requires_grad], ["fixed"])
        self.assertEqual((module.inputs, module.results), (["tokens", "next"], ["logits", "loss"]))
        following = tokens().roll(-1, 1)
        logits, loss = module(tokens(), next=following)
        loss.backward()
        self.assertAlmostEqual(model.forward_backward(tokens=tokens(), next=following), loss.item(), 6)
        torch.testing.assert_close(logits, torch.from_numpy(model.outputs["logits"]))
        for name, one in module.named_parameters():
            if one.requires_grad:
                torch.testing.assert_close(one.grad, torch.from_numpy(model.gradients[name]), msg=name)
        with self.assertRaisesRegex(hcc.ArgumentError, "takes tokens, next; given were 1 inputs"):
            module(tokens())
        with self.assertRaises(hcc.DataError):
            module(tokens() + 256, following)

    def test_it_trains(self):
        optimizer = torch.optim.AdamW(self.module.parameters(), lr=0.01)
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.module(tokens()).flatten(0, 1), tokens().roll(-1, 1).flatten())
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        self.assertLess(losses[-1], losses[0] - 1)

    def test_copies(self):
        """Of its own parameters each; pickled, it is a text."""
        torch.save(self.module, self.path("m.pt"))
        for other in (copy.deepcopy(self.module), pickle.loads(pickle.dumps(self.module)),
                      torch.load(self.path("m.pt"), weights_only=False)):
            self.same(other)
            with torch.no_grad():
                other.E.mul_(2)
            self.assertFalse(torch.equal(other(tokens()), self.module(tokens())))
            other.load_state_dict(self.module.state_dict())
            self.same(other)
        half = copy.deepcopy(self.module).bfloat16()
        torch.testing.assert_close(half(tokens()).float(), self.module(tokens()), rtol=0.05, atol=0.05)

    def test_initial_values(self):
        torch.manual_seed(5)
        first, second = (hcc.torch.compile(GPT, results="logits") for _ in range(2))
        self.assertFalse(torch.equal(first.E, second.E))
        torch.manual_seed(5)
        second.reset_parameters()
        torch.testing.assert_close(first.E, second.E, rtol=0, atol=0)

    def test_dropout_is_of_torch_s_generator(self):
        module = hcc.torch.compile(GPT, results="logits", seed=1, drop=0.5)

        def passed(seed, through=lambda f, x: f(x)):
            torch.manual_seed(seed)
            module.zero_grad()
            y = through(module, tokens())
            y.square().sum().backward()
            return y.detach(), module.E.grad.clone()

        for mine, one in zip(passed(1), passed(1, lambda f, x: checkpoint(f, x, use_reentrant=False))):
            torch.testing.assert_close(mine, one, rtol=0, atol=0)
        self.assertFalse(torch.equal(passed(1)[0], passed(2)[0]))
        self.same(module.eval())
        torch.manual_seed(1)
        self.module(tokens())  # draws nothing
        after = torch.rand(())
        torch.manual_seed(1)
        self.assertEqual(torch.rand(()), after)

    def test_worker_processes(self):
        expected = self.module(tokens()).detach()
        for way in ("fork", "spawn") if harness.EVERYTHING else ("fork",):
            with self.subTest(way):
                loader = torch.utils.data.DataLoader(Batches(self.module), num_workers=2, multiprocessing_context=way)
                torch.testing.assert_close(torch.cat(list(loader)), expected)

    def test_distributed(self):
        """Two processes with half of the batch each have the gradients of the whole."""
        self.module(tokens()).square().mean().backward()
        context = multiprocessing.get_context("fork")
        to = context.SimpleQueue()
        processes = [context.Process(target=_share, args=(rank, copy.deepcopy(self.module), self.path("store"), to),
                                     daemon=True)
                     for rank in range(2)]
        for process in processes:
            process.start()
        while to.empty() and all(process.exitcode is None for process in processes):
            time.sleep(0.02)
        self.assertFalse(to.empty(), "one of the two ended before its gradients were there")
        found = to.get()
        for process in processes:
            process.join(60)
            self.assertEqual(process.exitcode, 0)
        for name, one in self.module.named_parameters():
            if one.requires_grad:
                torch.testing.assert_close(torch.from_numpy(found[name]), one.grad, msg=name)

    def test_a_run(self):
        self.write("gpt.hc", GPT.replace("shc(n = 2)", "residual"))
        self.write("text", "to be or not to be, that is the question. " * 20)
        self.expect(harness.hcc("train", "gpt.hc", "--data", "text", "--out", "run", cwd=self.folder))
        module = hcc.torch.load(self.path("run"))
        self.assertFalse(module.training)
        model = hcc.Run(self.path("run")).model()
        model.forward(tokens=tokens(), next=tokens())
        torch.testing.assert_close(module(tokens()).detach(), torch.from_numpy(model.outputs["logits"]))


harness.main(__name__)
