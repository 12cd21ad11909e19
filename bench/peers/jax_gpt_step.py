"""Time one training step of a GPT in JAX, jitted as a whole, the way a careful JAX user writes it.

    python jax_gpt_step.py --wiring residual|mhc [--precision bf16] [--steps 20]

The network, its initial weights' sizes and the step (loss, gradient, clipping by global norm, AdamW)
are those of torch_gpt_step.py.  mhc is the paper's, equation 9, as hcc has it: all n d features of a
position make its maps; nobody has a package of it for JAX.  In bf16 weights and what they multiply are
rounded, as Flax does with dtype=bfloat16; weights, moments, norms, maps, streams and the loss stay f32.
Prints one JSON object: medians over the measured steps, in milliseconds.  A step is one program here,
so that there are no times of its passes.
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
from timing import add_gpt, add_options, peak_bytes  # noqa: E402

WIRINGS = ("residual", "mhc")
RATE, BETAS, EPSILON, DECAY = 1e-4, (0.9, 0.99), 1e-8, 0.1
SINKHORN = 20  # iterations


def parse(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    add_gpt(parser, WIRINGS)
    add_options(parser)
    return parser.parse_args(argv)


def prepare(threads):
    """Before JAX is imported: its pool is as large as the processors that the process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:threads])
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax

    return jax


def parameters(args, jax):
    """Weights are (inputs, outputs): what JAX multiplies by."""
    jnp, d, n = jax.numpy, args.d, args.n
    keys = iter(jax.random.split(jax.random.PRNGKey(args.seed), 2 + 5 * args.blocks * 2))
    std, out_std = 0.02, 0.02 / math.sqrt(2 * args.blocks)

    def normal(shape, scale):
        return scale * jax.random.normal(next(keys), shape, jnp.float32)

    def site(branch, number):
        if args.wiring == "residual":
            return branch
        fixed = {"scales": jnp.full(3, 0.01), "read": 6 * jax.nn.one_hot(number % n, n) - 3,
                 "write": jnp.zeros(n), "mix": 8 * jnp.eye(n) - 8}
        # strongly typed, as a step's results are: else the second step compiles again
        fixed = {name: jnp.array(value, jnp.float32) for name, value in fixed.items()}
        return {**branch, **fixed, "maps": normal((n, d, 2 * n + n * n), std)}

    blocks = []
    for number in range(args.blocks):
        attention = {"qkv": normal((d, 3 * d), std), "out": normal((d, d), out_std)}
        mlp = {"up": normal((d, 4 * d), std), "down": normal((4 * d, d), std)}
        blocks.append([site(attention, 2 * number), site(mlp, 2 * number + 1)])
    return {"embed": normal((args.vocab, d), std), "pos": normal((args.context, d), std),
            "blocks": blocks}


def network(args, jax):
    """loss(parameters, tokens, targets)."""
    jnp, n = jax.numpy, args.n
    narrow = jnp.bfloat16 if args.precision == "bf16" else jnp.float32

    def norm(x):
        if args.norm == "layernorm":
            x = x - jnp.mean(x, -1, keepdims=True)
        return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6)

    def product(x, weight):
        return x.astype(narrow) @ weight.astype(narrow)

    def attention(p, x):
        B, T, d = x.shape
        q, k, v = jnp.split(product(norm(x), p["qkv"]).reshape(B, T, 3 * args.heads, -1), 3, 2)
        o = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        return product(o.reshape(B, T, d), p["out"])

    def mlp(p, x):
        return product(jax.nn.gelu(product(norm(x), p["up"]), approximate=False), p["down"])

    def sinkhorn(logits):
        def once(m, _):
            m = m / jnp.sum(m, -2, keepdims=True)
            return m / jnp.sum(m, -1, keepdims=True), None

        m = jnp.exp(logits - jnp.max(logits, (-2, -1), keepdims=True))
        return jax.lax.scan(once, m, length=SINKHORN)[0]  # written out it takes minutes to compile

    def constrained(p, branch, H):
        r = jax.lax.rsqrt(jnp.mean(H * H, (-2, -1)) + 1e-6)[..., None]
        z = r * jnp.einsum("btic,ick->btk", H, p["maps"])
        pre = jax.nn.sigmoid(p["scales"][0] * z[..., :n] + p["read"])
        post = 2 * jax.nn.sigmoid(p["scales"][1] * z[..., n:2 * n] + p["write"])
        logits = p["scales"][2] * z[..., 2 * n:].reshape(*z.shape[:2], n, n) + p["mix"]
        M = sinkhorn(logits)
        # As products: sums over streams written out take XLA three times as long.
        y = branch(p, jnp.einsum("bti,btic->btc", pre, H)).astype(jnp.float32)
        return jnp.einsum("btkj,btjc->btkc", M, H) + post[..., None] * y[..., None, :]

    def trunk(p, x):
        if args.wiring == "mhc":
            x = jnp.broadcast_to(x[..., None, :], (*x.shape[:2], n, x.shape[-1]))
        for block in p["blocks"]:
            for site, branch in zip(block, (attention, mlp)):
                if args.wiring == "mhc":
                    x = constrained(site, branch, x)
                else:
                    x = x + branch(site, x).astype(jnp.float32)
        return jnp.sum(x, -2) if args.wiring == "mhc" else x

    def loss(p, tokens, targets):
        h = norm(trunk(p, p["embed"][tokens] + p["pos"]))
        logits = product(h, p["embed"].T).astype(jnp.float32)
        chosen = jnp.take_along_axis(logits, targets[..., None], -1)[..., 0]
        return jnp.mean(jax.nn.logsumexp(logits, -1) - chosen)

    return loss


def training_step(args, jax, loss):
    """step(state, tokens, targets) -> state, loss; state: parameters, both moments, steps."""
    jnp, each = jax.numpy, jax.tree.map

    def step(state, tokens, targets):
        p, m, v, count = state
        value, g = jax.value_and_grad(loss)(p, tokens, targets)
        if args.clip > 0:
            length = jnp.sqrt(sum(jnp.sum(x * x) for x in jax.tree.leaves(g)))
            g = each(lambda x: x * jnp.minimum(1, args.clip / (length + 1e-6)), g)
        count = count + 1
        m = each(lambda m, g: BETAS[0] * m + (1 - BETAS[0]) * g, m, g)
        v = each(lambda v, g: BETAS[1] * v + (1 - BETAS[1]) * g * g, v, g)
        rate = RATE * jnp.sqrt(1 - BETAS[1] ** count) / (1 - BETAS[0] ** count)
        p = each(lambda p, m, v: p * (1 - RATE * DECAY) - rate * m / (jnp.sqrt(v) + EPSILON), p, m, v)
        return (p, m, v, count), value

    return jax.jit(step, donate_argnums=0)


def measure(args):
    jax = prepare(args.threads)
    weights = parameters(args, jax)
    zeros = lambda: jax.tree.map(jax.numpy.zeros_like, weights)  # noqa: E731
    state = (weights, zeros(), zeros(), jax.numpy.zeros((), jax.numpy.float32))
    count = sum(p.size for p in jax.tree.leaves(weights))
    step = training_step(args, jax, network(args, jax))
    shape = (args.warmup + args.steps, args.batch, args.context + 1)
    batches = jax.random.randint(jax.random.PRNGKey(args.seed + 1), shape, 0, args.vocab)
    times, losses = [], []
    for batch in batches:
        tokens, targets = jax.block_until_ready((batch[:, :-1], batch[:, 1:]))
        begun = time.perf_counter()
        state, loss = jax.block_until_ready(step(state, tokens, targets))
        times.append(time.perf_counter() - begun)
        losses.append(float(loss))
    if not all(math.isfinite(x) for x in losses):
        sys.exit("the loss is not finite")
    kept = [1e3 * t for t in times[args.warmup:]]
    median = statistics.median(kept)
    return {"step_ms": median, "step_ms_min": min(kept), "step_ms_max": max(kept),
            "positions_per_s": 1e3 * args.batch * args.context / median,
            "peak_bytes": peak_bytes(), "first_step_s": times[0],  # with the compilation
            "parameters": count, "loss_first": losses[0], "loss_last": losses[-1],
            "peer": f"JAX {jax.__version__}", "config": vars(args)}


def main():
    print(json.dumps(measure(parse())))


if __name__ == "__main__":
    main()
