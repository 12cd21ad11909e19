#!/usr/bin/env python3
"""hcc.hyper_connections against the package hyper-connections: results, gradients, parameters, and what
runs in between. HCC_TEST_EVERYTHING=1 compares all configurations, else the first of each class is.

Two more runs where their places are told, and are skipped otherwise:
  HYPER_CONNECTIONS_README  the package's README.md: all Python blocks, with the import changed
  HYPER_CONNECTIONS_TESTS   its test file: with the import changed and HCC_FALLBACK=error
"""

import copy
import os
import random
import re
import subprocess
import sys
import unittest

import beside
import harness

LACKING = harness.lacking("numpy", "torch", "einops", "hyper_connections")
if not LACKING:
    import hcc
    import hcc.hyper_connections as mine
    import torch
    from hcc.hyper_connections import (hyper_connections_channel_first, hyper_connections_with_multi_branch_inputs,
                                       hyper_connections_with_multi_input_streams,
                                       manifold_constrained_hyper_connections, mHCv2, residuals, vit)
    from torch import nn
    torch.set_num_threads(2)
else:

    class nn:  # what the classes below are made from
        Module = object


def package(module):
    """The package's module of that name."""
    import importlib
    return importlib.import_module(module.__name__.replace("hcc.hyper_connections", "hyper_connections", 1))


def noisy(module, seed=3):
    """Parameters far from where they begin, at which every one of them matters."""
    draw = torch.Generator().manual_seed(seed)
    for name, p in module.named_parameters():
        p.data += (0.2 if "scale" in name else 0.4) * torch.randn(p.shape, generator=draw)
    return module


def relative(found, wanted):
    return ((found.double() - wanted.double()).norm() / wanted.double().norm().clamp_min(1e-12)).item()


def weighed(out, seed=5):
    """A number that every element of a result, or of results, takes its own part in."""
    draw = torch.Generator().manual_seed(seed)
    parts = out if isinstance(out, (tuple, list)) else [out]
    return sum((torch.randn(o.shape, generator=draw) * o).sum() for o in parts if torch.is_tensor(o))


class Bend(nn.Module):
    """A branch: of views in front, if there are any, all count."""

    def __init__(self, width, out=None, views=1):
        super().__init__()
        self.views = views
        self.map = nn.Linear(width, out or width)

    def forward(self, x, *rest):
        if self.views > 1:
            x = (x * torch.arange(1., 1 + self.views).view(-1, *[1] * (x.dim() - 1))).sum(0)
        return torch.tanh(self.map(x)) + sum(rest)


class Features(nn.Module):
    """A branch on pictures."""

    def __init__(self, width):
        super().__init__()
        self.map = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return torch.tanh(self.map(x))


class Case:
    """A module of either side, and what it is called with."""

    def __init__(self, name, make, *shapes, keywords=()):
        self.name, self.make, self.shapes, self.keywords = name, make, shapes, keywords

    def inputs(self, dtype=None):
        draw = torch.Generator().manual_seed(7)
        return [torch.randn(shape, generator=draw, dtype=torch.float32).to(dtype or torch.float32).requires_grad_()
                for shape in self.shapes]

    def run(self, module, dtype=None):
        """Results, and gradients of inputs and parameters by name."""
        torch.manual_seed(11)
        given = self.inputs(dtype)
        split = len(given) - len(self.keywords)
        out = module(*given[:split], **dict(zip(self.keywords, given[split:])))
        module.zero_grad()
        weighed(out).backward()
        gradients = {f"input {k}": x.grad for k, x in enumerate(given)}
        gradients |= {name: p.grad for name, p in module.named_parameters()}
        return out, gradients


def plain():
    """The class HyperConnections."""
    for n, fracs, views, tanh in ((3, 1, 1, True), (4, 1, 1, True), (1, 4, 1, True), (3, 2, 1, False), (2, 2, 2, True),
                                  (3, 1, 3, True)):
        for d in (12, 36) if views == 1 else (12,):

            def make(of, n=n, fracs=fracs, views=views, tanh=tanh, d=d):
                return of.HyperConnections(n, dim=d, branch=Bend(d, views=views), layer_index=1, num_fracs=fracs,
                                           num_input_views=views, tanh=tanh)

            yield Case(f"HyperConnections, n = {n}, d = {d}, {fracs} fractions, {views} views", make, (2 * n, 5, d))
    yield Case("no positions", lambda of: of.HyperConnections(2, dim=8, branch=Bend(8)), (6, 8))
    yield Case("two axes of positions", lambda of: of.HyperConnections(2, dim=8, branch=Bend(8)), (4, 3, 2, 8))
    yield Case("no write", lambda of: of.HyperConnections(2, dim=8, branch=Bend(8), add_branch_out_to_residual=False),
               (4, 3, 8))
    yield Case("a join of one's own",
               lambda of: of.HyperConnections(2, dim=8, branch=Bend(8), depth_residual_fn=lambda y, h: y * y + h),
               (4, 3, 8))
    yield Case("features in front, whose sum over places is the package's",
               lambda of: of.HyperConnections(2, dim=6, branch=Features(6), channel_first=True), (4, 6, 3, 4))


def manifold():
    """Both classes ManifoldConstrainedHyperConnections."""
    for n, fracs, options in ((2, 1, {}), (4, 1, {}), (3, 1, {"num_dynamic_alpha_proposals": 2}), (4, 2, {}), (1, 3, {}),
                              (2, 1, {"log_domain_sinkhorn": True}), (3, 2, {"sinkhorn_iters": 3}),
                              (2, 1, {"sinkhorn_iters": 0}), (3, 1, {"add_branch_out_to_residual": False}),
                              (2, 1, {"residual_transform": 10}), (3, 1, {"residual_mix_constraint_fn": True}),
                              (2, 2, {"depth_residual_fn": lambda y, h: y * y + h})):

        def make(of, n=n, fracs=fracs, options=options):
            options = dict(options)
            if "residual_transform" in options:
                options["residual_transform"] = nn.Linear(10, 12)
            if "residual_mix_constraint_fn" in options:
                options["residual_mix_constraint_fn"] = lambda logits: logits.softmax(-1)
            return of.ManifoldConstrainedHyperConnections(n, dim=12, branch=Bend(12), layer_index=0, num_fracs=fracs,
                                                          **options)

        width = options.get("residual_transform", 12)
        yield Case(f"mHC, n = {n}, {fracs} fractions, {options}", make, (2 * n, 5, width))
        yield Case(f"mHCv2, n = {n}, {fracs} fractions, {options}", make, (2, 5, n, width))
        if not options:
            yield Case(f"mHCv2 mixed before the norm, n = {n}, {fracs} fractions",
                       lambda of, n=n, fracs=fracs: of.ManifoldConstrainedHyperConnections(
                           n, dim=12, branch=Bend(12), num_fracs=fracs, mix_streams_before_norm=True), (2, 5, n, 12))
    yield Case("mHCv2, no positions",
               lambda of: of.ManifoldConstrainedHyperConnections(2, dim=8, branch=Bend(8)), (3, 2, 8))


def inputs_and_branches():
    def cross(of):
        class Cross(nn.Module):
            def __init__(self):
                super().__init__()
                self.x, self.y, self.z = nn.Linear(8, 8), nn.Linear(6, 8), nn.Linear(4, 8)

            def forward(self, x, y, *, z):
                return torch.tanh(self.x(x) + self.y(y) + self.z(z)), 3.

        return of.HyperConnections(3, dim=8, branch=Cross(), layer_index=1, additional_input_paths=[(1, 6), ("z", 4)])

    yield Case("inputs, none", lambda of: of.HyperConnections(2, dim=8, branch=Bend(8), tanh=False), (4, 5, 8))
    yield Case("inputs", cross, (6, 5, 8), (6, 5, 6), (6, 5, 4), keywords=("z",))
    for n, inputs, branches in ((2, 1, 1), (3, 2, 2), (2, 4, 2), (4, 2, 1)):
        yield Case(f"{branches} branches of {inputs} inputs, n = {n}",
                   lambda of, n=n, inputs=inputs, branches=branches: of.HyperConnections(
                       n, dim=8, branch=[Bend(8) for _ in range(branches)], layer_index=1, num_branch_inputs=inputs),
                   (2 * n, 5, 8))
    yield Case("branches, features in front",
               lambda of: of.HyperConnections(2, dim=6, branch=[Features(6), Features(6)], channel_first=True,
                                              num_branch_inputs=2), (4, 6, 3, 4))


def pictures():
    for n, tanh in ((2, True), (4, False), (1, True)):
        yield Case(f"pictures, n = {n}", lambda of, n=n, tanh=tanh: of.HyperConnections(
            n, dim=6, branch=Features(6), layer_index=0, tanh=tanh), (2 * n, 6, 5, 3))


def sums():
    for make, shape in ((lambda of: of.GRUGatedResidual(8), (2, 5, 8)), (lambda of: of.GatedResidual(8), (2, 5, 8)),
                        (lambda of: of.GatedResidual(8, fine_gate=True), (2, 5, 8)),
                        (lambda of: of.OrthogonalResidualUpdate(double_precision=False), (2, 5, 8)),
                        (lambda of: of.OrthogonalResidualUpdate(), (2, 5, 8)),
                        (lambda of: of.MVSplitResidualUpdate(8), (2, 3, 5, 8))):
        yield Case("", make, shape, shape)


@unittest.skipIf(LACKING, LACKING)
class AgainstPackage(harness.TestCase):
    def check(self, module, cases, limits=(1e-5, 1e-4), seed=1):
        cases = list(cases)
        for case in harness.share(cases, len(cases)):
            with self.subTest(case.name or case.make(module).__class__.__name__):
                random.seed(seed)
                theirs = case.make(package(module))
                random.seed(seed)
                ours = case.make(module)
                self.assertEqual([(k, p.shape) for k, p in ours.state_dict().items()],
                                 [(k, p.shape) for k, p in theirs.state_dict().items()])
                same = [k for k in theirs.state_dict() if not k.startswith(("branch", "residual_transform", "gru",
                                                                            "to_learned", "depth_residual_fn"))]
                for name in same:
                    self.assertTrue(torch.equal(ours.state_dict()[name], theirs.state_dict()[name]), name)
                ours.load_state_dict(noisy(theirs).state_dict())
                theirs.load_state_dict(ours.state_dict())
                (found, gradients), (wanted, expected) = case.run(ours), case.run(theirs)
                for a, b in zip(*([o] if torch.is_tensor(o) else o for o in (found, wanted))):
                    if not torch.is_tensor(b):
                        self.assertEqual(a, b)
                        continue
                    self.assertEqual((a.shape, a.dtype), (b.shape, b.dtype))
                    self.assertLess(relative(a, b), limits[0])
                for name, gradient in expected.items():
                    if gradient is None or gradient.norm() < 1e-6:
                        continue
                    self.assertLess(relative(gradients[name], gradient), limits[1], name)

    def test_plain(self):
        self.check(mine.hyper_connections, plain())

    def test_manifold(self):
        self.check(manifold_constrained_hyper_connections, (c for c in manifold() if "v2" not in c.name))

    def test_manifold_v2(self):
        self.check(mHCv2, (c for c in manifold() if "v2" in c.name))

    def test_inputs(self):
        self.check(hyper_connections_with_multi_input_streams,
                   (c for c in inputs_and_branches() if c.name.startswith("inputs")))

    def test_branches(self):
        self.check(hyper_connections_with_multi_branch_inputs,
                   (c for c in inputs_and_branches() if not c.name.startswith("inputs")))

    def test_pictures(self):
        self.check(hyper_connections_channel_first, pictures())

    def test_sums(self):
        self.check(residuals, sums())

    def test_sums_at_sites(self):
        """A module as `depth_residual_fn`, whose parameters are the site's."""
        for module, shape in harness.share(((mine.hyper_connections, (4, 3, 8)), (manifold_constrained_hyper_connections,
                                                                                  (4, 3, 8)), (mHCv2, (2, 3, 2, 8))), 3):

            def make(of):
                join = residuals if of is module else package(residuals)
                return of.get_init_and_expand_reduce_stream_functions(2)[0](
                    dim=8, branch=Bend(8), layer_index=0, depth_residual_fn=join.GRUGatedResidual(8))

            self.check(module, [Case(module.__name__, make, shape)])


VIEWS = {"aten::" + name for name in (
    "view", "reshape", "unflatten", "flatten", "transpose", "permute", "movedim", "t", "squeeze", "unsqueeze", "select",
    "expand", "as_strided", "detach", "alias", "view_as", "_reshape_alias", "slice", "empty", "unbind", "to")}  # that
# converts nothing: what does is aten::_to_copy
COMPILED = ("hcc::forward", "hcc::backward")


class Nothing(torch.autograd.Function if not LACKING else object):
    """A branch that shows in a profile, both ways."""

    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.view_as(gradient)


class Doubled(torch.autograd.Function if not LACKING else object):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


def operations(function):
    """The operators that a profile of it has, but for views and memory; where the branch was: "branch"."""
    from torch.profiler import ProfilerActivity, profile
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        function()
    names = [event.name for event in sorted(profiled.events(), key=lambda event: event.time_range.start)]
    names = ["branch" if name in ("Nothing", "NothingBackward") else name for name in names]
    return [name for name in names if name == "branch" or ("::" in name and name not in VIEWS and
                                                           not name.startswith(("autograd::", "torch::autograd")))]


@unittest.skipIf(LACKING, LACKING)
class Alone(harness.TestCase):
    def setUp(self):
        super().setUp()
        os.environ["HCC_FALLBACK"] = "error"
        self.addCleanup(os.environ.pop, "HCC_FALLBACK")

    def test_nothing_in_between(self):
        """One compiled call before a branch and one after it, in both directions; else views."""
        sites = [(mine.HyperConnections, (6, 5, 12), 3)]
        if harness.EVERYTHING:
            sites += [(mine.mHC, (4, 5, 12), 2), (mHCv2.mHC, (2, 5, 2, 12), 2),
                      (hyper_connections_channel_first.HyperConnections, (4, 6, 5, 3), 2)]
        for make, shape, n in sites:
            with self.subTest(make.__module__):
                site = make(n, dim=shape[1] if len(shape) == 4 and make.__module__.endswith("first") else shape[-1])
                site.branch = type("Branch", (nn.Module,), {"forward": lambda self, x: Nothing.apply(x)})()
                given = torch.randn(shape, requires_grad=True)
                out = site(given)
                out.backward(torch.ones_like(out))
                for p in (given, *site.parameters()):
                    p.grad = None
                self.assertEqual(operations(lambda: site(given).flatten()), ["hcc::forward", "branch", "hcc::forward"])
                out, gradient = site(given).flatten(), torch.ones_like(out).flatten()
                self.assertEqual(operations(lambda: out.backward(gradient)),
                                 ["hcc::backward", "branch", "hcc::backward"])

    def sites(self, make, count=3):
        torch.manual_seed(13)
        made = nn.ModuleList(make(3, dim=12, branch=nn.Linear(12, 12), layer_index=k) for k in range(count))
        return noisy(made)

    def through(self, sites, given, turn, between=lambda streams: 0):
        """Streams after the sites, and all gradients."""
        os.environ["HCC_TURN"] = "1" if turn else "0"
        self.addCleanup(os.environ.pop, "HCC_TURN", None)
        given, streams = given.clone().requires_grad_(), []
        sites.zero_grad()
        h = given
        for site in sites:
            h = site(h)
            streams.append(h)
        h = h + between(streams)
        weighed(h).backward()
        return [h.detach(), given.grad, *(p.grad.clone() for p in sites.parameters())]

    def test_turn(self):
        """The write of a site and the read of the next are one call, and give what two give; streams that
        are used in between, too."""
        for make, shape in [(mine.HyperConnections, (6, 5, 12))] + harness.EVERYTHING * [
                (mine.mHC, (6, 5, 12)), (mHCv2.mHC, (2, 5, 3, 12))]:
            sites, given = self.sites(make), torch.randn(shape)
            for between in (lambda streams: 0, lambda streams: streams[0] * streams[1]):
                found, wanted = (self.through(sites, given, turn, between) for turn in (True, False))
                # A sum that cancels to a thousandth of its terms, as the gradient of a scale does, is as exact as these.
                least = 1e-2 * max(one.norm() for one in wanted[1:])
                for a, b in zip(found, wanted):
                    self.assertLess((a - b).norm() / max(b.norm(), least), 1e-5)
            del os.environ["HCC_TURN"]
            with torch.no_grad():
                counted = operations(lambda: sites[2](sites[1](sites[0](given))).sum())
            self.assertEqual(counted.count("hcc::forward"), 4)

    def test_who_reads_next(self):
        """Sites learn whether another one reads what they give, and forget it for good where it is not so."""
        sites, given = self.sites(mine.HyperConnections), torch.randn(6, 5, 12)

        def calls(between=lambda h: h):
            with torch.no_grad():
                return operations(lambda: sites[2](sites[1](between(sites[0](given)))).sum()).count("hcc::forward")

        self.assertEqual([calls(), calls(), calls(), calls(lambda h: h + 0), calls()], [6, 4, 4, 5, 5])
        self.assertEqual([site.meets_site for site in sites], [False, True, None])

    def test_pending(self):
        """Streams that are not written yet are tensors to whoever looks."""
        site, given = self.sites(mine.HyperConnections, 1)[0], torch.randn(6, 5, 12)
        os.environ["HCC_TURN"] = "0"
        wanted = site(given)
        os.environ["HCC_TURN"] = "1"
        self.addCleanup(os.environ.pop, "HCC_TURN", None)
        for look in (lambda h: h + 0, lambda h: h.clone(), lambda h: torch.cat([h]), lambda h: h[:], copy.copy,
                     lambda h: torch.from_numpy(h.detach().numpy()), lambda h: torch.ops.aten.alias(h),
                     lambda h: nn.Identity()(h) * 1):
            self.assertTrue(torch.equal(look(site(given)), wanted))
        self.assertEqual(site(given).shape, wanted.shape)
        self.assertTrue(site(given).requires_grad and site(given).grad_fn is not None)
        with torch.no_grad():
            late = site(given)
        self.assertFalse((late * 1).requires_grad)
        late = site(given)
        with torch.no_grad():
            self.assertTrue((late + 0).equal(wanted))
        weighed(late).backward()
        branch_out = torch.randn(2, 5, 12)
        _, write = mine.HyperConnections(3, dim=12)(given)
        late = write(branch_out)
        branch_out.zero_()
        with self.assertRaisesRegex(RuntimeError, "changed in place"):
            late.sum()

    def test_machinery(self):
        """What of PyTorch takes tensors as they are, and asks nobody: the same gradients."""
        from torch.utils.checkpoint import checkpoint
        sites, given = self.sites(mine.HyperConnections), torch.randn(6, 5, 12)

        def doubled_twice(a, b, c, x):
            one = a(x)
            two = Doubled.apply(one)
            return c(Doubled.apply(b(two) + one))

        def after_the_turn(a, b, c, x):
            one = a(x)
            two = b(one)
            return c(two) + Doubled.apply(one)

        def checkpoints(kind):
            return lambda a, b, c, x: checkpoint(c, checkpoint(b, a(x), use_reentrant=kind), use_reentrant=kind)

        def hooked(a, b, c, x):
            handles = [site.register_full_backward_hook(lambda *_: None) for site in (a, b, c)]
            out = c(b(a(x)))
            for handle in handles:
                handle.remove()
            return out

        for way in (doubled_twice, after_the_turn, checkpoints(True), checkpoints(False), hooked):
            found = []
            for turn in ("1", "0"):
                os.environ["HCC_TURN"] = turn
                x = given.clone().requires_grad_()
                sites.zero_grad()
                weighed(way(*sites, x)).backward()
                found.append([x.grad, *(p.grad for p in sites.parameters())])
                self.assertTrue(all(one is not None for one in found[-1]))
            del os.environ["HCC_TURN"]
            for a, b in zip(*found):
                self.assertLess(relative(a, b), 1e-5)

    def test_between_sites(self):
        """What is done to streams between two sites has the values and gradients of streams written at
        once; a gradient of their own, where they were read as they were written, is refused."""
        torch.manual_seed(0)
        sites = [mine.HyperConnections(2, dim=8, layer_index=k, branch=nn.Linear(8, 8)) for k in (0, 1)]
        x = torch.randn(4, 3, 8)

        def looked(h):
            h.retain_grad()
            sites[1](h).sum().backward()
            return h.grad

        def hooked(h):
            h.register_hook(lambda gradient: 0.5 * gradient)
            return sites[1](h)

        def halved(h):
            h[:1] = 0
            h[:, 1:].mul_(2)
            return sites[1](h)

        done = {"in place": lambda h: sites[1](h.mul_(2)), "and again": lambda h: (h.mul_(2), sites[1](h))[1],
                "parts": halved, "detached": lambda h: (h.detach_(), sites[1](h))[1], "gradient": looked, "hook": hooked,
                "twice": lambda h: sites[1](h) + h, "before": lambda h: h.square() + sites[1](h)}
        found = {}
        self.addCleanup(os.environ.pop, "HCC_TURN", None)
        for turn in "01":
            os.environ["HCC_TURN"] = turn
            for name, between in done.items():
                given = x.clone().requires_grad_()
                result = between(sites[0](given))
                if result.requires_grad:
                    result.square().sum().backward()
                found[turn, name] = [result.detach(), torch.zeros(()) if given.grad is None else given.grad]
        for name in done:
            with self.subTest(name):
                for here, there in zip(found["1", name], found["0", name]):
                    torch.testing.assert_close(here, there, rtol=1e-5, atol=1e-5)
        for late in (lambda h, z: torch.autograd.grad(z.sum(), h), lambda h, z: h.retain_grad(),
                     lambda h, z: h.register_hook(lambda gradient: gradient)):
            h = sites[0](x.clone().requires_grad_())
            with self.assertRaisesRegex(RuntimeError, "their own gradient is made nowhere"):
                late(h, sites[1](h))
        with torch.inference_mode():
            s = torch.ones(4, 3, 8)
            y = sites[0](s)
            expected = y.sum().item()
            y, _ = sites[0](s), s.zero_()
            self.assertAlmostEqual(y.sum().item(), expected, 3)
        h = sites[0](x)
        with torch.no_grad():
            sites[0].static_beta.mul_(2)
        with self.assertRaisesRegex(RuntimeError, "parameters were changed in place"):
            h.sum()

    def test_two_halves(self):
        """width_connection and depth_connection give what the wrapped branch gives; so does a decorated one."""
        site, branch, given = noisy(mine.HyperConnections(3, dim=12)), Bend(12), torch.randn(6, 5, 12)
        x, mixed, rest = site.width_connection(given)
        self.assertEqual(rest["beta"].shape, (2, 5, 1, 3, 1))
        whole = site.decorate_branch(branch)(given)
        self.assertLess(relative(site.depth_connection(branch(x), mixed, **rest), whole), 1e-6)
        tree = site.decorate_branch(lambda x: {"a": branch(x), "b": [1, x]})(given)
        self.assertLess(relative(tree["a"], whole), 1e-6)
        self.assertEqual(tree["b"][0], 1)

    def test_types(self):
        site = mine.HyperConnections(3, dim=12, branch=nn.Identity())
        given = torch.randn(6, 5, 12)
        whole = site(given)
        for dtype, limit in ((torch.bfloat16, 2e-2), (torch.float16, 2e-3)):
            self.assertEqual(site(given.to(dtype)).dtype, dtype)
            self.assertLess(relative(site(given.to(dtype)), whole), limit)
        self.assertEqual(site(given.double()).dtype, torch.float64)
        self.assertLess(relative(site(given.double()), whole), 1e-6)
        with torch.no_grad():
            self.assertFalse(site(given).requires_grad)
        self.assertTrue(torch.equal(copy.deepcopy(site)(given), whole))

    def test_strides(self):
        """Streams and gradients that do not lie side by side."""
        site = mine.HyperConnections(3, dim=12, branch=nn.Tanh())
        given = torch.randn(5, 6, 12)
        found = []
        for x in (given.transpose(0, 1), given.transpose(0, 1).contiguous()):
            x.requires_grad_()
            out = site(x)
            out.backward(torch.ones(12, 5, 6).permute(2, 1, 0) if x.is_contiguous() else torch.ones(6, 5, 12))
            found.append((out, x.grad))
        for a, b in zip(*found):
            self.assertTrue(torch.equal(a, b))

    def test_what_does_not_fit(self):
        """A branch's result may broadcast; what is of another shape or type is refused by name."""
        given = torch.randn(6, 5, 12)

        def site(function=lambda x: x):
            return mine.HyperConnections(3, dim=12, layer_index=0).decorate_branch(function)

        for function in (lambda x: x.mean(1, keepdim=True), lambda x: x[0], lambda x: x.mean(-1, keepdim=True), torch.mean):
            whole = site(lambda x: function(x).expand(x.shape))(given)
            self.assertTrue(torch.equal(site(function)(given), whole))
        for function, x, said in ((lambda x: x[..., :4], given, r"result is \[2, 5, 12\] .* not \[2, 5, 4\]"),
                                  (lambda x: None, given, "not NoneType"), (lambda x: x, given[..., :8], "as wide as the site"),
                                  (lambda x: x, given[:5], "3 tensors for each sample, and 5 in all"),
                                  (lambda x: x, given.long(), "takes real numbers, not torch.int64"),
                                  (lambda x: x, given[:0], "a batch of 0 samples")):
            with self.assertRaisesRegex(hcc.ArgumentError, said):
                site(function)(x).sum()

    def test_what_is_left(self):
        """What a function of Python does is refused here, and counted elsewhere."""
        site = mine.HyperConnections(3, dim=12, branch=nn.Identity(), depth_residual_fn=lambda y, h: y + h)
        with self.assertRaisesRegex(mine.FallbackError, "depth_residual_fn would run in PyTorch"):
            site(torch.randn(6, 5, 12))
        os.environ["HCC_FALLBACK"] = "allow"
        before = mine.fallbacks().get("depth_residual_fn", 0)
        site(torch.randn(6, 5, 12))
        self.assertEqual(mine.fallbacks()["depth_residual_fn"], before + 1)

    def test_residual(self):
        make, expand, reduce = mine.get_init_and_expand_reduce_stream_functions(4, disable=True)
        x, branch = torch.randn(2, 3, 8), nn.Linear(8, 8)
        self.assertTrue(torch.equal(reduce(make(dim=8, branch=branch)(expand(x))), branch(x) + x))


class Attention(nn.Module):
    def __init__(self, width, heads=2):
        super().__init__()
        self.heads = heads
        self.norm, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """Of a transformer, each branch at a site, with both ends of the streams."""

    def __init__(self, of, n, width, **options):
        super().__init__()
        make, self.expand, self.reduce = of.get_init_and_expand_reduce_stream_functions(n, dim=width, **options)
        mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.attention, self.mlp = make(branch=Attention(width), layer_index=0), make(branch=mlp, layer_index=1)

    def forward(self, x):
        return self.reduce(self.mlp(self.attention(self.expand(x))))


@unittest.skipIf(LACKING, LACKING)
class Traced(harness.TestCase):
    """Under torch.compile, as one graph: the values and gradients of a plain call."""

    def same(self, module, given, limit=1e-5, dynamic=None):
        torch._dynamo.reset()
        options = {"fullgraph": True, "dynamic": dynamic, "backend": "inductor" if harness.EVERYTHING else "aot_eager"}
        found = []
        for way in (torch.compile(module, **options), module):
            torch.manual_seed(3)
            x = given.clone().requires_grad_()
            out = way(x)
            found.append([out, *torch.autograd.grad(weighed(out), [x, *module.parameters()])])
        scale = max(one.norm() for one in found[1][1:])
        for (name, _), a, b in zip([("result", 0), ("streams", 0), *module.named_parameters()], *found):
            self.assertLess((a - b).norm() / (b.norm() if name == "result" else scale), limit, name)
        if harness.EVERYTHING:
            with torch.no_grad():
                out = torch.compile(module, **options)(given)
            self.assertLess(relative(out, found[1][0]), limit)

    def test_blocks(self):
        for of, n, options in harness.share(((mine.hyper_connections, 3, {}), (manifold_constrained_hyper_connections, 2, {}),
                                             (mine.hyper_connections, 1, {"num_fracs": 4})), 3):
            with self.subTest(of.__name__, **options):
                self.same(noisy(Block(of, n, 12, **options)), torch.randn(2, 5, 12))

    @unittest.skipUnless(harness.EVERYTHING, "the sites of blocks are traced always")
    def test_other_sites(self):
        cases = [
            ("two axes of positions", mine.HyperConnections(3, dim=12, branch=Bend(12)), (6, 2, 3, 12)),
            ("views", mine.HyperConnections(2, dim=8, branch=Bend(8, views=2), num_input_views=2), (4, 3, 8)),
            ("a join", mine.HyperConnections(2, dim=8, branch=Bend(8), depth_residual_fn=residuals.GRUGatedResidual(8)),
             (4, 3, 8)),
            ("dropout", mine.HyperConnections(2, dim=8, branch=Bend(8), dropout=0.5), (4, 3, 8)),
            ("a constraint", mine.mHC(2, dim=8, branch=Bend(8), residual_mix_constraint_fn=lambda x: x.softmax(-1)), (4, 3, 8)),
            ("before features", mHCv2.mHC(2, dim=8, branch=Bend(8)), (2, 3, 2, 8)),
            ("pictures", hyper_connections_channel_first.HyperConnections(2, dim=6, branch=Features(6)), (4, 6, 5, 3)),
            ("branches", hyper_connections_with_multi_branch_inputs.HyperConnections(
                2, dim=8, branch=[Bend(8), Bend(8)], num_branch_inputs=4), (4, 3, 8)),
            ("inputs", hyper_connections_with_multi_input_streams.HyperConnections(2, dim=8, branch=Bend(8)), (4, 3, 8)),
        ]
        for name, site, shape in cases:
            with self.subTest(name):
                self.same(noisy(site), torch.randn(shape), limit=1e-4, dynamic=True)

    def test_streams_that_wait(self):
        """A function that is traced is given streams which no site has read."""
        site, given = mine.HyperConnections(3, dim=12, branch=nn.Linear(12, 12)), torch.randn(6, 5, 12)
        self.addCleanup(os.environ.pop, "HCC_TURN", None)
        for function in harness.share((lambda h: h.square().sum(), mine.HyperConnections(3, dim=12, branch=nn.Tanh())), 2):
            torch._dynamo.reset()
            traced = torch.compile(function, backend="aot_eager")
            found = []
            for turn, way in (("0", function), ("1", traced), ("1", traced)):
                os.environ["HCC_TURN"] = turn
                x = given.clone().requires_grad_()
                out = way(site(x))
                found.append([out.detach(), *torch.autograd.grad(out.square().sum(), [x, *site.parameters()])])
            for other in found[1:]:
                for a, b in zip(other, found[0]):
                    torch.testing.assert_close(a, b)

    @unittest.skipUnless(harness.EVERYTHING, "one of many that trace")
    def test_programs(self):
        """A graph keeps the programs that it names."""
        from hcc.hyper_connections import _parts
        site, given = mine.HyperConnections(3, dim=12, branch=nn.Tanh()), torch.randn(6, 5, 12)
        traced = torch.compile(site, fullgraph=True, backend="aot_eager")
        expected = traced(given)
        _parts._part.cache_clear()
        torch.testing.assert_close(traced(given), expected, rtol=0, atol=0)


@unittest.skipIf(LACKING, LACKING)
class Ends(harness.TestCase):
    """Modules that are no sites: PyTorch's own operators, and the same."""

    def test_streams(self):
        for module in (mine.hyper_connections, mHCv2):
            theirs = package(module)
            for options in ({}, {"add_stream_embed": True, "dim": 6}):
                pairs = [of.get_expand_reduce_stream_functions(3, **options) for of in (module, theirs)]
                for ours, other in zip(*pairs):
                    noisy(other)
                    ours.load_state_dict(other.state_dict())
                x = torch.randn(2, 4, 6)
                found, wanted = (expand(x) for expand, _ in pairs)
                self.assertTrue(torch.equal(found, wanted))
                self.assertLess(relative(pairs[0][1](found), pairs[1][1](wanted)), 1e-6)
        for options in ({}, {"channel_first": True}):
            x = torch.randn(6, 5, 4, 3) if options else torch.randn(6, 4, 5)
            for name in ("StreamEmbed", "AttentionPoolReduceStream"):
                ours, other = (getattr(of, name)(3, 5, **options)
                               for of in (mine.hyper_connections, package(mine.hyper_connections)))
                ours.load_state_dict(noisy(other).state_dict())
                if not (options and name == "StreamEmbed"):
                    self.assertLess(relative(ours(x), other(x)), 1e-6)

    def test_vit(self):
        sizes = dict(image_size=16, patch_size=8, num_classes=5, dim=16, depth=1, heads=2, mlp_dim=20, dim_head=8,
                     num_residual_streams=2)
        theirs = noisy(package(vit).ViT(**sizes))
        ours = vit.ViT(**sizes)
        self.assertEqual(list(ours.state_dict()), list(theirs.state_dict()))
        if harness.EVERYTHING:
            ours.load_state_dict(theirs.state_dict())
            image = torch.randn(2, 3, 16, 16)
            self.assertLess(relative(ours(image), theirs(image)), 1e-5)


def changed(text):
    """Python with the package's import changed to ours."""
    return re.sub(r"(from|import) hyper_connections\b", r"\1 hcc.hyper_connections", text)


@unittest.skipIf(LACKING, LACKING)
class TheirOwn(harness.TestCase):
    """The package's own words, where somebody says where they are."""

    def told(self, name):
        path = os.environ.get(name)
        if not path:
            self.skipTest(f"{name} does not say where it is")
        with open(path, encoding="utf-8") as file:
            return file.read()

    def test_readme(self):
        """Every Python block of the README, with our import and with theirs: the same residual and gradients."""
        text = self.told("HYPER_CONNECTIONS_README")
        blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        self.assertGreater(len(blocks), 0)
        first = blocks[0]
        for block in blocks:
            if "import" not in block:  # a line that goes on from the first block
                block = first.split("# 1.")[0] + block
            found = []
            for source in (changed(block), block):
                torch.manual_seed(3)
                random.seed(3)
                names = {}
                exec(compile(source, "README", "exec"), names)
                residual = names["residual"]
                if residual.requires_grad:
                    (residual * torch.linspace(-1, 1, residual.shape[-1])).sum().backward()
                found.append((residual, names["branch"].weight.grad))
            (ours, gradient), (theirs, wanted) = found
            self.assertLess(relative(ours, theirs), 1e-5)
            if wanted is not None:
                self.assertLess(relative(gradient, wanted), 1e-4)
        print(f"README: {len(blocks)} blocks", flush=True)

    def test_suite(self):
        text = self.told("HYPER_CONNECTIONS_TESTS")
        missing = harness.lacking("pytest")
        if missing:
            self.skipTest(missing)
        path = self.write("test_theirs.py", changed(text))
        environment = os.environ | {"HCC_FALLBACK": "error",
                                    "PYTHONPATH": os.path.join(harness.ROOT, "python")}
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", path], env=environment,
                              capture_output=True, text=True)
        print(done.stdout[-1500:], flush=True)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-1000:])


if __name__ == "__main__":
    harness.main(__name__)
