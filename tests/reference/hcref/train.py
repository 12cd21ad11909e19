"""Train the character GPT in PyTorch from given weights on given batches.

    python -m hcref.train DATA --wiring mhc --init init.safetensors --offsets offsets.txt \
        --out result.json [--nodecay names.json] [--steps N ...]

Offsets: one line (or one .npy row) per step, the first token of each window of the batch, counted
from the start of the file.  Without them batches are drawn from the seed; `--write-offsets` keeps
them.  The held-out part is the last tenth; it is evaluated in windows that do not overlap, the
remainder shorter than a window left out.

The rate rises as lr * (step + 1) / warmup for `warmup` steps, then falls along a half cosine that
reaches lr * floor at the last step.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import fields

import numpy as np
import torch

from .gpt import GPT, GPTConfig, load_weights, save_weights


def rate(step, steps, lr, warmup, floor):
    if step < warmup:
        return lr * (step + 1) / warmup
    t = (step - warmup) / max(1, steps - 1 - warmup)
    return lr * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(t, 1.0))))


def read_tokens(path):
    return torch.from_numpy(np.fromfile(path, dtype=np.uint8).astype(np.int64))


def split(tokens, held_out=0.1):
    """Training part and held-out tail."""
    cut = int(len(tokens) * (1 - held_out))
    return tokens[:cut], tokens[cut:]


def read_offsets(path):
    if path.endswith(".npy"):
        return np.load(path).astype(np.int64)
    return np.loadtxt(path, dtype=np.int64, ndmin=2)


def draw_offsets(length, context, batch, steps, seed):
    """Uniform over every window whose targets lie inside the training part."""
    return np.random.default_rng(seed).integers(0, length - context, (steps, batch))


def windows(tokens, offsets, context):
    index = torch.as_tensor(offsets)[:, None] + torch.arange(context)
    return tokens[index], tokens[index + 1]


@torch.no_grad()
def evaluate(model, tokens, context, batch=64):
    """Mean cross entropy over the whole of `tokens`; also the number of positions."""
    starts = np.arange(0, len(tokens) - context, context)
    total = 0.0
    for i in range(0, len(starts), batch):
        part = starts[i : i + batch]
        total += model.loss(*windows(tokens, part, context)).item() * len(part)
    return total / len(starts), len(starts) * context


def make_optimizer(model, nodecay, lr, betas, weight_decay, eps=1e-8, fused=None):
    names = dict(model.named_parameters())
    unknown = sorted(set(nodecay) - model.state_dict().keys())  # buffers may be named
    if unknown:
        raise ValueError(f"no such parameters: {unknown}")
    keep = set(nodecay)
    groups = [
        {"params": [p for k, p in names.items() if k not in keep], "weight_decay": weight_decay},
        {"params": [p for k, p in names.items() if k in keep], "weight_decay": 0.0},
    ]
    groups = [g for g in groups if g["params"]]
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, fused=fused)


def train(
    model,
    tokens,
    offsets,
    *,
    steps=2000,
    lr=1e-3,
    floor=0.1,
    warmup=100,
    betas=(0.9, 0.99),
    weight_decay=0.1,
    clip=1.0,
    held_out=0.1,
    nodecay=None,
    fused=None,
    progress=0,
):
    """Returns {losses, grad_norms, val_loss, val_positions, seconds}; the model is changed."""
    context = model.config.context
    if len(offsets) < steps:
        raise ValueError(f"offsets for {len(offsets)} steps, {steps} wanted")
    training, tail = split(tokens, held_out)
    if offsets[:steps].min() < 0 or offsets[:steps].max() + context + 1 > len(training):
        raise ValueError("an offset reaches outside the training part")
    exempt = model.decay_free() if nodecay is None else nodecay
    optimizer = make_optimizer(model, exempt, lr, betas, weight_decay, fused=fused)
    losses, norms, begun = [], [], time.time()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps, lr, warmup, floor)
        loss = model.loss(*windows(tokens, offsets[step], context))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        limit = clip if clip > 0 else math.inf
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), limit)
        optimizer.step()
        model.after_step()
        losses.append(loss.item())
        norms.append(norm.item())
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(f"the loss of step {step} is {losses[-1]}")
        if progress and ((step + 1) % progress == 0 or step + 1 == steps):
            each = (time.time() - begun) / (step + 1)
            print(
                f"step {step + 1}/{steps} | loss {losses[-1]:.4f} | gn {norms[-1]:.3f} | "
                f"{1e3 * each:.1f} ms/step",
                file=sys.stderr,
                flush=True,
            )
    seconds = time.time() - begun
    val_loss, positions = evaluate(model, tail, context)
    return {
        "losses": losses,
        "grad_norms": norms,
        "val_loss": val_loss,
        "val_positions": positions,
        "seconds": seconds,
    }


def add_config_arguments(parser):
    """One option per field of GPTConfig."""
    for f in fields(GPTConfig):
        if f.name == "connection":
            parser.add_argument("--connection", type=json.loads, default={}, metavar="JSON")
        elif f.name == "eps":
            parser.add_argument("--eps", type=float, default=None)
        else:
            option = "--" + f.name.replace("_", "-")
            parser.add_argument(option, type=type(f.default), default=f.default)


def config_of(args):
    return GPTConfig(**{f.name: getattr(args, f.name) for f in fields(GPTConfig)})


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data")
    add_config_arguments(parser)
    parser.add_argument("--init", help="initial weights (safetensors); else drawn from the seed")
    parser.add_argument("--offsets", help="start offsets per step (.npy or text)")
    parser.add_argument("--write-offsets", metavar="FILE.npy")
    parser.add_argument("--write-init", metavar="FILE.safetensors")
    parser.add_argument("--nodecay", help="JSON list of parameter names without weight decay")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--floor", type=float, default=0.1)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--beta1", type=float, default=0.9)
    parser.add_argument("--beta2", type=float, default=0.99)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--held-out", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--double", action="store_true", help="train in f64")
    parser.add_argument("--progress", type=int, default=200, metavar="STEPS")
    parser.add_argument("--save", help="trained weights (safetensors)")
    parser.add_argument("--out", help="result (JSON); default standard output")
    args = parser.parse_args(argv)

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    model = GPT(config_of(args))
    if args.init:
        load_weights(model, args.init)
    if args.write_init:
        save_weights(model, args.write_init)
    if args.double:
        model.double()
    tokens = read_tokens(args.data)
    if int(tokens.max()) >= args.vocab:
        parser.error(f"token {int(tokens.max())} outside a vocabulary of {args.vocab}")
    if args.offsets:
        offsets = read_offsets(args.offsets)
    else:
        length = len(split(tokens, args.held_out)[0])
        offsets = draw_offsets(length, args.context, args.batch, args.steps, args.seed)
    if args.write_offsets:
        np.save(args.write_offsets, offsets)
    nodecay = None
    if args.nodecay:
        with open(args.nodecay) as f:
            nodecay = json.load(f)
    result = train(
        model,
        tokens,
        offsets,
        steps=args.steps,
        lr=args.lr,
        floor=args.floor,
        warmup=args.warmup,
        betas=(args.beta1, args.beta2),
        weight_decay=args.weight_decay,
        clip=args.clip,
        held_out=args.held_out,
        nodecay=nodecay,
        progress=args.progress,
    )
    if args.save:
        save_weights(model, args.save)
    text = json.dumps(result)
    if args.out:
        with open(args.out, "w") as f:
            f.write(text + "\n")
    else:
        print(text)
    print(f"val_loss {result['val_loss']:.4f}", file=sys.stderr)


if __name__ == "__main__":
    main()
