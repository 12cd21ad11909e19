"""Time one training step of a GPT in PyTorch, the way a careful PyTorch user writes it.

    python torch_gpt_step.py --wiring residual|shc|dhc|mhc|frac [--compile] [--precision bf16] [--steps 20]

What the wirings are is in torch_wirings.py.  The step is what the other side's step is: forward with
loss, backward, clipping by global norm and AdamW (fused); in bf16 forward and loss run under
torch.autocast.  Prints one JSON object: medians over the
measured steps, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from timing import WIRINGS, add_compile, add_gpt, add_options, peak_bytes, peer, prepare  # noqa: E402


def parse(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_gpt(parser, WIRINGS)
    add_compile(parser)
    add_options(parser)
    args = parser.parse_args(argv)
    if args.d % args.heads:
        parser.error(f"width {args.d} does not split into {args.heads} heads")
    return args


def build(args):
    import torch
    import torch.nn.functional as F
    from torch import nn

    d, heads, std = args.d, args.heads, 0.02
    out_std = std / math.sqrt(2 * args.blocks)

    class Norm(nn.Module):
        """Without parameters, as in the other program."""

        def forward(self, x):
            if args.norm == "layernorm":
                return F.layer_norm(x, (d,))
            return F.rms_norm(x, (d,), eps=1e-6)

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = Norm()
            self.qkv = nn.Linear(d, 3 * d, bias=False)
            self.out = nn.Linear(d, d, bias=False)
            nn.init.normal_(self.qkv.weight, 0, std)
            nn.init.normal_(self.out.weight, 0, out_std)

        def forward(self, x):
            B, T, _ = x.shape
            q, k, v = self.qkv(self.norm(x)).view(B, T, 3, heads, d // heads).unbind(2)
            q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
            o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out(o.transpose(1, 2).reshape(B, T, d))

    class MLP(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = Norm()
            self.up = nn.Linear(d, 4 * d, bias=False)
            self.down = nn.Linear(4 * d, d, bias=False)
            nn.init.normal_(self.up.weight, 0, std)
            nn.init.normal_(self.down.weight, 0, out_std)

        def forward(self, x):
            return self.down(F.gelu(self.up(self.norm(x))))

    from torch_wirings import make

    site, expand, reduce, _ = make(args.wiring, args.n, d)

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(args.vocab, d)
            self.pos = nn.Parameter(torch.empty(args.context, d).normal_(0, std))
            nn.init.normal_(self.embed.weight, 0, std)
            branches = [f() for _ in range(args.blocks) for f in (Attention, MLP)]
            self.sites = nn.ModuleList(site(k, b) for k, b in enumerate(branches))
            self.expand, self.reduce, self.norm = expand, reduce, Norm()

        def forward(self, tokens, targets):
            h = self.expand(self.embed(tokens) + self.pos)
            for site in self.sites:
                h = site(h)
            h = self.norm(self.reduce(h))
            logits = F.linear(h, self.embed.weight)
            return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    return GPT()


def measure(args):
    torch = prepare(args.threads)
    torch.manual_seed(args.seed)
    model = build(args)
    parameters = sum(p.numel() for p in model.parameters())
    step_model = torch.compile(model) if args.compile else model
    narrow = torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16")
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-4, betas=(0.9, 0.99), weight_decay=0.1, fused=True
    )
    batches = torch.randint(args.vocab, (args.warmup + args.steps, args.batch, args.context + 1))
    times = {"step_ms": [], "forward_ms": [], "backward_ms": [], "optimizer_ms": []}
    losses, first = [], time.perf_counter()
    for i, batch in enumerate(batches):
        t0 = time.perf_counter()
        with narrow:
            loss = step_model(batch[:, :-1], batch[:, 1:])
        t1 = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        t2 = time.perf_counter()
        if args.clip > 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        optimizer.step()
        t3 = time.perf_counter()
        losses.append(loss.item())
        if i == 0:
            first = t3 - first
        if i >= args.warmup:
            for name, a, b in (
                ("step_ms", t0, t3),
                ("forward_ms", t0, t1),
                ("backward_ms", t1, t2),
                ("optimizer_ms", t2, t3),
            ):
                times[name].append(1e3 * (b - a))
    if not all(math.isfinite(x) for x in losses):
        sys.exit("the loss is not finite")
    result = {name: statistics.median(v) for name, v in times.items()}
    result["positions_per_s"] = 1e3 * args.batch * args.context / result["step_ms"]
    result["peak_bytes"] = peak_bytes()
    result["step_ms_min"] = min(times["step_ms"])
    result["step_ms_max"] = max(times["step_ms"])
    result["first_step_s"] = first  # with --compile: the compilation
    result["parameters"] = parameters
    result["loss_first"], result["loss_last"] = losses[0], losses[-1]
    result["peer"] = peer(torch, args.compile)
    result["config"] = vars(args)
    return result


def main():
    print(json.dumps(measure(parse())))


if __name__ == "__main__":
    main()
