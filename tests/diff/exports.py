#!/usr/bin/env python3
"""Weights from elsewhere and back: examples/gpt2.hc at those of transformers' GPT-2 and of a
transcription of nanoGPT has their logits, and theirs are hcc's at what it exports."""

import importlib.util
import math
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import harness

MISSING = harness.lacking("torch", "numpy", "safetensors")
if not MISSING:
    import numpy as np
    import safetensors.torch
    import torch
    from torch import nn
    from torch.nn import functional as F

NO_TRANSFORMERS = MISSING or ("" if importlib.util.find_spec("transformers")
                              else "this Python lacks transformers")

MODEL = "examples/gpt2.hc"
SIZES = {"vocab": 61, "context": 16, "d": 33, "heads": 3, "blocks": 2}
WINDOWS = 20


if not MISSING:
    class Attention(nn.Module):
        """As in nanoGPT, with its names: one map makes queries, keys and values."""

        def __init__(self, d, heads, bias):
            super().__init__()
            self.heads = heads
            self.c_attn = nn.Linear(d, 3 * d, bias=bias)
            self.c_proj = nn.Linear(d, d, bias=bias)

        def forward(self, x):
            b, t, d = x.shape
            q, k, v = (z.view(b, t, self.heads, d // self.heads).transpose(1, 2)
                       for z in self.c_attn(x).chunk(3, dim=-1))
            scores = (q @ k.transpose(-1, -2)) / math.sqrt(d // self.heads)
            later = torch.ones(t, t, dtype=torch.bool).triu(1)
            y = scores.masked_fill(later, -math.inf).softmax(-1) @ v
            return self.c_proj(y.transpose(1, 2).reshape(b, t, d))

    class Mlp(nn.Module):
        def __init__(self, d, bias):
            super().__init__()
            self.c_fc = nn.Linear(d, 4 * d, bias=bias)
            self.c_proj = nn.Linear(4 * d, d, bias=bias)

        def forward(self, x):
            return self.c_proj(F.gelu(self.c_fc(x)))

    class Norm(nn.Module):
        """LayerNorm that may lack a bias."""

        def __init__(self, d, bias):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(d))
            self.bias = nn.Parameter(torch.zeros(d)) if bias else None

        def forward(self, x):
            return F.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)

    class Block(nn.Module):
        def __init__(self, d, heads, bias):
            super().__init__()
            self.ln_1, self.ln_2 = Norm(d, bias), Norm(d, bias)
            self.attn, self.mlp = Attention(d, heads, bias), Mlp(d, bias)

        def forward(self, x):
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    class NanoGpt(nn.Module):
        def __init__(self, vocab, context, d, heads, blocks, bias):
            super().__init__()
            self.transformer = nn.ModuleDict({
                "wte": nn.Embedding(vocab, d), "wpe": nn.Embedding(context, d),
                "h": nn.ModuleList(Block(d, heads, bias) for _ in range(blocks)), "ln_f": Norm(d, bias)})
            self.lm_head = nn.Linear(d, vocab, bias=False)
            self.lm_head.weight = self.transformer.wte.weight

        def forward(self, tokens):
            x = self.transformer.wte(tokens) + self.transformer.wpe.weight[:tokens.shape[1]]
            for block in self.transformer.h:
                x = block(x)
            return self.lm_head(self.transformer.ln_f(x))


def drawn(model, seed):
    """Weights that are far from zero, so that nothing hides behind small ones."""
    torch.manual_seed(seed)
    for p in model.parameters():
        nn.init.normal_(p, 0, 0.25)
    return model.eval()


class Exports(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tokens = np.random.default_rng(3).integers(0, SIZES["vocab"], WINDOWS * SIZES["context"] + 1)

    def setUp(self):
        super().setUp()
        self.tokens.astype(np.uint16).tofile(self.path("tokens.bin"))

    def hcc(self, *arguments):
        return self.expect(harness.hcc(*arguments))

    def sizes(self, **more):
        return [w for name, value in {**SIZES, **more}.items() for w in ("--set", f"{name}={value}")]

    def bring(self, file, name, run="run", **more):
        return self.hcc("import", MODEL, "--from", self.path(file), "--map", f"examples/{name}.map",
                        "--out", self.path(run), *self.sizes(**more))

    def logits(self, run):
        """Of every window, and the tokens in it."""
        out = self.hcc("predict", self.path(run), "--data", self.path("tokens.bin"), "--output", "logits", "--all").out
        rows = np.array([line.split(",") for line in out.splitlines()[1:]], dtype=np.float64)
        starts = rows[::SIZES["context"], 0].astype(int)
        self.assertGreater(len(starts), WINDOWS - 3)
        windows = np.stack([self.tokens[s:s + SIZES["context"]] for s in starts])
        return rows[:, 2:].reshape(len(starts), SIZES["context"], -1), torch.from_numpy(windows)

    def agree(self, model, run, limit=2e-5):
        found, windows = self.logits(run)
        with torch.no_grad():
            wanted = model(windows)
        wanted = (wanted if isinstance(wanted, torch.Tensor) else wanted.logits).numpy()
        self.assertGreater(np.abs(wanted).max(), 1)
        error = np.abs(found - wanted).max() / np.abs(wanted).max()
        self.assertLess(error, limit)

    def export(self, run, name):
        path = self.path("exported.safetensors")
        self.hcc("export", self.path(run), "--map", f"examples/{name}.map", "--out", path)
        return safetensors.torch.load_file(path)


@unittest.skipIf(MISSING, MISSING)
class Nano(Exports):
    def round_trip(self, bias):
        model = drawn(NanoGpt(**SIZES, bias=bias), 1)
        safetensors.torch.save_file({name: p.clone() for name, p in model.state_dict().items()},
                                    self.path("nano.safetensors"))
        word = str(bias).lower()
        self.bring("nano.safetensors", "nanogpt", act="gelu", bias=word)
        self.agree(model, "run")
        back = self.export("run", "nanogpt")
        self.assertEqual(set(back), set(model.state_dict()))
        for name, p in model.state_dict().items():
            self.assertTrue(torch.equal(back[name], p), name)
        return model, back

    def test_with_biases(self):
        model, back = self.round_trip(True)
        # what hcc has trained since, back in PyTorch
        self.hcc("train", MODEL, "--from", self.path("run"), "--data", self.path("tokens.bin"), "--out",
                 self.path("trained"), "--steps", "2", "--quiet", *self.sizes(act="gelu"))
        drawn(model, 2).load_state_dict(self.export("trained", "nanogpt"))
        self.assertFalse(torch.equal(model.lm_head.weight, back["lm_head.weight"]))
        self.agree(model, "trained")

    def test_without_biases(self):
        self.round_trip(False)


@unittest.skipIf(NO_TRANSFORMERS, NO_TRANSFORMERS)
class Transformers(Exports):
    def gpt2(self):
        from transformers import GPT2Config, GPT2LMHeadModel
        config = GPT2Config(vocab_size=SIZES["vocab"], n_positions=SIZES["context"], n_embd=SIZES["d"],
                            n_head=SIZES["heads"], n_layer=SIZES["blocks"], bos_token_id=None, eos_token_id=None)
        return GPT2LMHeadModel(config)

    def test_weights_both_ways(self):
        model = drawn(self.gpt2(), 4)
        model.save_pretrained(self.path("gpt2"))
        self.bring("gpt2/model.safetensors", "gpt2")
        self.agree(model, "run")
        exported = self.export("run", "gpt2")
        for name, p in model.state_dict().items():
            self.assertTrue(torch.equal(exported[name], p), name)
        os.replace(self.path("exported.safetensors"), self.path("gpt2/model.safetensors"))
        self.agree(type(model).from_pretrained(self.path("gpt2")).eval(), "run")
        # hyper-connections begin as the residual, whose weights they can take
        self.hcc("train", MODEL, "--from", self.path("run"), "--data", self.path("tokens.bin"), "--out",
                 self.path("wired"), "--steps", "0", "--quiet", *self.sizes(wiring="shc"))
        self.agree(model, "wired", 1e-4)

    def test_halves_under_the_published_names(self):
        """bfloat16, without `transformer.`, and with the causal mask that old files keep."""
        model = drawn(self.gpt2(), 5).bfloat16()
        state = {name.removeprefix("transformer."): p for name, p in model.state_dict().items() if name != "lm_head.weight"}
        for k in range(SIZES["blocks"]):
            state[f"h.{k}.attn.bias"] = torch.ones(1, 1, 16, 16, dtype=torch.uint8).tril()
        safetensors.torch.save_file(state, self.path("old.safetensors"))
        self.bring("old.safetensors", "gpt2")
        self.agree(model.float(), "run")


harness.main(__name__)
