#!/usr/bin/env python3
"""`harmonised` against its equations in PyTorch, over several steps of training: losses, every
gradient, and the controller's state; and how streams begin when each has a scale of its own.

The reference changes the controller before the forward pass; here it is changed after the step. The
twin does the latter; one test turns the two into each other by holding the parameters still.
"""

import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from library import Model, build, harness

MISSING = harness.lacking("torch", "numpy")

if not MISSING:
    import numpy as np
    import torch

    torch.set_num_threads(1)

SAMPLES, POSITIONS, WIDTH, STREAMS = 2, 5, 12, 3

MODEL = """
model m {
  const d = 12, wiring = harmonised(n = 3);
  positions t <= 5;
  input  x[t, d] : real;
  target y[t, d] : real;
  param p[d] = 1;
  let z[c] = p[c] * x[c];
  let h = trunk(z) { repeat 2 { a = wiring : bend; b = wiring : bend; } };
  loss mse(h, y);
}
branch bend : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let y[c] = tanh(sum[a] W[c,a] * x[a]);
}
train m { optimizer sgd(lr = RATE, momentum = 0, weight_decay = 0); }
"""


def norm(x):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)


def site_names():
    return [f"trunk.{block}.{name}" for block in range(2) for name in "ab"]


class Twin:
    """The equations, site by site."""

    def __init__(self, parameters, gain=5.0, least=0.05, power=1.0):
        self.p = {name: value for name, value in parameters.items() if ".harmonised." not in name}
        self.s, self.g, self.gain, self.least, self.power = 1.0, 1.0, gain, least, power

    def maps(self):
        eye = torch.eye(STREAMS, dtype=torch.float64)
        return [eye + self.s * 0.05 * self.p[f"{site}.hc.L"] for site in site_names()]

    def forward(self, x, y):
        H = (self.p["p"] * x).unsqueeze(-2).repeat(1, 1, STREAMS, 1)
        for site, M in zip(site_names(), self.maps()):
            a, b = (torch.softmax(self.p[f"{site}.hc.{name}"], 0) for name in "pq")
            read = norm(torch.einsum("i,bti...->bt...", a, H))
            out = torch.tanh(read @ self.p[f"{site}.W"].T)
            H = torch.einsum("kj,btjc->btkc", M, H) + b[:, None] * out.unsqueeze(-2)
        return ((norm(H.mean(-2)) - y) ** 2).mean()

    def control(self):
        with torch.no_grad():
            C = torch.eye(STREAMS, dtype=torch.float64)
            for M in self.maps():
                C = M @ C
            G = max(C.abs().sum(1).max().item(), C.abs().sum(0).max().item())
            self.g = 0.95 * self.g + 0.05 * G
            s = self.s * (self.gain / max(self.g, 1e-6)) ** self.power
            self.s = min(max(s, self.least), 1.0)
        return G


@harness.unittest.skipIf(MISSING, MISSING)
class Harmonised(harness.TestCase):
    def load(self, rate, wiring="harmonised(n = 3)", f64=True, size=1.0):
        text = MODEL.replace("RATE", str(rate)).replace("harmonised(n = 3)", wiring)
        path = build(self.path(f"m{len(os.listdir(self.folder))}.so"), f64=f64,
                     file=self.write("m.hc", text))
        model = Model(path, SAMPLES, POSITIONS)
        self.addCleanup(model.close)
        draw, twin = random.Random(7), {}
        model.init(1)
        for name, p in model.parameters.items():
            if ".harmonised." in name:
                continue
            scale = 12 * size if name.endswith(".L") else 0.5
            p.data[:] = [scale * draw.gauss(0, 1) for _ in p.data]
            values = np.array(list(p.data), dtype=np.float64).reshape(p.dims)
            twin[name] = torch.tensor(values, requires_grad=True)
        draw = random.Random(8)
        x, y = ([draw.gauss(0, 1) for _ in range(SAMPLES * POSITIONS * WIDTH)] for _ in range(2))
        model.set_input("x", x)
        model.set_input("y", y)
        shape = (SAMPLES, POSITIONS, WIDTH)
        return model, twin, *(torch.tensor(v, dtype=torch.float64).view(shape) for v in (x, y))

    def state(self, model, name):
        return model.parameters[f"trunk.harmonised.{name}"].data[0]

    def steps(self, model, twin, x, y, count, rate, limits):
        scales = []
        for _ in range(count):
            loss = twin.forward(x, y)
            for p in twin.p.values():
                p.grad = None
            loss.backward()
            self.assertAlmostEqual(model.forward(), loss.item(), delta=limits[0])
            G = model.output("trunk.1.b.hc.G")[0][0]
            model.backward()
            whole = sum((p.grad ** 2).sum().item() for p in twin.p.values()) ** 0.5
            for name, p in twin.p.items():
                got = torch.tensor(list(model.parameters[name].gradient), dtype=torch.float64)
                gap = (got - p.grad.flatten()).norm() / max(p.grad.norm().item(), 1e-2 * whole)
                self.assertLess(gap.item(), limits[1], name)
            model.step()
            want = twin.control()
            self.assertAlmostEqual(G, want, delta=limits[0] * want)
            with torch.no_grad():
                for p in twin.p.values():
                    p -= rate * p.grad
            self.assertAlmostEqual(self.state(model, "s"), twin.s, delta=limits[0])
            self.assertAlmostEqual(self.state(model, "g"), twin.g, delta=limits[0] * twin.g)
            scales.append(twin.s)
        return scales

    def test_training(self):
        for f64, limits in ((True, (1e-11, 1e-10)), (False, (2e-5, 2e-4))):
            model, parameters, x, y = self.load(0.2, f64=f64, size=2)
            scales = self.steps(model, Twin(parameters), x, y, 8, 0.2, limits)
            print(f"scales {'f64' if f64 else 'f32'}: {[round(s, 4) for s in scales]}")
            self.assertLess(scales[-1], 0.9)
            self.assertGreater(scales[-1], 0.05)

    def test_options(self):
        wiring = "harmonised(n = 3, gain = 2, least = 0.3, power = 0.5, reduce = sum_streams)"
        model, parameters, *_ = self.load(0.0, wiring, size=3)
        twin = Twin(parameters, 2.0, 0.3, 0.5)
        scales = []
        for _ in range(12):
            model.forward()
            model.backward()
            model.step()
            twin.control()
            scales.append(twin.s)
            self.assertAlmostEqual(self.state(model, "s"), twin.s, delta=1e-12)
        self.assertEqual(scales[-1], 0.3, "held at the floor")

    def test_as_the_reference_with_still_parameters(self):
        """Changed before a pass or after the one before it: the same scales, where parameters stay."""
        model, parameters, *_ = self.load(0.0, size=3)
        early = Twin(parameters)
        for _ in range(6):
            early.control()  # the reference's order: then it uses early.s
            model.forward()
            model.backward()
            model.step()
            self.assertAlmostEqual(self.state(model, "s"), early.s, delta=1e-12)
        self.assertLess(early.s, 0.5, "the controller acts")

    def test_small_mixing_is_left_alone(self):
        model, *_ = self.load(0.1, size=0.01)
        for _ in range(3):
            model.forward()
            model.backward()
            model.step()
            self.assertEqual(self.state(model, "s"), 1.0)

    def test_scaled_streams(self):
        """E33: streams scaled by 1 are copies; other scales make them differ."""
        logits = {}
        for expand in ("replicate", "scale_streams"):
            model, *_ = self.load(0.0, f"shc(n = 3, expand = {expand})")
            scales = [p for name, p in model.parameters.items() if name.endswith(".l")]
            self.assertEqual([p.dims for p in scales],
                             [[STREAMS, WIDTH]] if expand == "scale_streams" else [])
            names = sorted(name for name in model.parameters if not name.endswith(".l"))
            draw = random.Random(2)
            for name in names:
                p = model.parameters[name]
                p.data[:] = [draw.gauss(0, 1) for _ in p.data]
            if expand == "replicate":
                logits[expand] = model.forward()
                continue
            scales[0].data[:] = [1.0] * (STREAMS * WIDTH)
            self.assertEqual(model.forward(), logits["replicate"])
            scales[0].data[:] = [1 + 0.1 * k for k in range(STREAMS * WIDTH)]
            self.assertNotAlmostEqual(model.forward(), logits["replicate"], delta=1e-3)
            model.init(5)
            bound = (6 / (STREAMS + WIDTH)) ** 0.5
            self.assertTrue(all(abs(v - 0.6) <= bound for v in scales[0].data))
            self.assertGreater(max(scales[0].data) - min(scales[0].data), bound)


if __name__ == "__main__":
    harness.main(__name__)
