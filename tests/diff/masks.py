#!/usr/bin/env python3
"""Attention's mask: what does not count has no weight, in f32 as in f64, forward and backward.

Scores, weights and results are written out here as they are defined. Needs the standard library alone.
"""

import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

MODEL = """model masked {
  const e = %(e)d, causal = %(causal)s, scale = %(scale)s;
  positions t <= 70;
  input q[t, e] : real; input k[t, e] : real; input v[t, 3] : real;
  input seen[t] : token(2);
  input up[t, 3] : real;
  param S[3] = 1;
  let Q[h < 1, a] = S[0] * q[a], K[h < 1, a] = S[1] * k[a], V[h < 1, a] = S[2] * v[a];
  let o = attend(Q, K, V, causal = causal, scale = scale, mask = %(mask)s);
  probe o;
  loss sum[a] up[a] * o[0,a];
}
"""
SAMPLES = 3


class Masks(harness.TestCase):
    def load(self, e=4, causal="false", scale=0.5, mask="seen == 1", f64=False, positions=70):
        name = self.path(f"m{len(os.listdir(self.folder))}")
        text = MODEL % {"e": e, "causal": causal, "scale": scale, "mask": mask}
        with open(name + ".hc", "w", encoding="utf-8") as to:
            to.write(text)
        model = Model(build(name + ".so", file=name + ".hc", f64=f64), SAMPLES, positions)
        self.addCleanup(model.close)
        model.init(1)
        draw = random.Random(e)
        data = {}
        for word, width in (("q", e), ("k", e), ("v", 3), ("up", 3)):
            data[word] = [[[draw.randint(-64, 64) / 32 for _ in range(width)]
                           for _ in range(positions)] for _ in range(SAMPLES)]
            model.set_input(word, [x for sample in data[word] for row in sample for x in row])
        # some; none of the first ten, so that early causal queries have none; none at all
        data["seen"] = [[int(s == 0 and t % 3 != 1 or s == 1 and t >= 10) for t in range(positions)]
                        for s in range(SAMPLES)]
        model.set_input("seen", [x for sample in data["seen"] for x in sample])
        return model, data

    def plain(self, data, sample, t, causal, scale):
        seen = [u for u, x in enumerate(data["seen"][sample]) if x and (u <= t or not causal)]
        scores = [scale * sum(x * y for x, y in zip(data["q"][sample][t], data["k"][sample][u]))
                  for u in seen]
        weights = [math.exp(s - max(scores)) for s in scores]
        return [sum(w * data["v"][sample][u][a] for w, u in zip(weights, seen)) / max(sum(weights), 1)
                for a in range(3)]

    def check(self, f64, causal, positions, **options):
        model, data = self.load(causal=str(causal).lower(), f64=f64, positions=positions, **options)
        model.forward_backward()
        got = iter(model.output("o")[0])
        loss = 0
        for s in range(SAMPLES):
            for t in range(positions):
                want = self.plain(data, s, t, causal, options.get("scale", 0.5))
                loss += sum(x * y for x, y in zip(data["up"][s][t], want))
                for x in want:
                    y = next(got)
                    self.assertLess(abs(x - y), 1e-12 if f64 else 1e-5, (s, t, causal))
                    if not any(data["seen"][s][: t + 1 if causal else positions]):
                        self.assertEqual(y, 0)
        gradient = list(model.parameters["S"].gradient)
        self.assertLess(abs(gradient[2] * SAMPLES * positions - loss), 1e-3 * (1 + abs(loss)))
        self.assertTrue(all(map(math.isfinite, gradient)), gradient)
        self.nothing_leaks(model, data, positions)
        return gradient

    def nothing_leaks(self, model, data, positions):
        """What lies where nothing counts may be anything: not one bit of the results moves."""
        before = model.output("o")[0], list(model.parameters["S"].gradient)
        for word in ("k", "v"):
            model.set_input(word, [x if data["seen"][s][t] else 1e4 * (1 + x)
                                   for s in range(SAMPLES) for t in range(positions)
                                   for x in data[word][s][t]])
        model.forward_backward()
        self.assertEqual(before, (model.output("o")[0], list(model.parameters["S"].gradient)))

    def test_both_precisions(self):
        for causal, positions, e in ((False, 33, 4), (True, 66, 32)):
            low, high = (self.check(f64, causal, positions, e=e) for f64 in (False, True))
            for x, y in zip(low, high):
                self.assertLess(abs(x - y), 1e-4 * (1 + abs(y)))

    def test_scales(self):
        """The mean of what counts (0), and the least of scores first (negative)."""
        for scale in (0, -0.5):
            self.check(False, True, 17, scale=scale)

    def test_one_mask_for_all(self):
        model, _ = self.load(mask="false")
        model.forward_backward()
        self.assertEqual(set(model.output("o")[0]), {0})
        self.assertEqual(list(model.parameters["S"].gradient), [0, 0, 0])

    def test_differences(self):
        """Gradients in f64, by the compiled program and by the interpreter."""
        text = MODEL % {"e": 4, "causal": "true", "scale": 0.5, "mask": "seen == 1"}
        for options in ([], ["--interpret"]):
            self.expect(harness.hcc("gradcheck", self.write("m.hc", text), *options))


harness.main(__name__)
