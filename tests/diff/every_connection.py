"""A network of four sites for every connection of the library, kind of branch and number of streams.

Read from the library's definitions: a new connection is in it by being there.
"""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBRARY = os.path.join(ROOT, "compiler", "std", "connections")
COUNTS = (1, 2, 4, 8)
BRANCHES = {  # positions, branch, the same with a second input
    "mlp": ("t <= 6 causal", "mlp(40)", "mlp_of(40)"),
    "attention": ("t <= 6 causal", "attention(2)", "attention_of(2)"),
    "conv1d": ("t <= 6 causal", "conv1d", "conv1d_of"),
    # smooth, so that differences may be taken anywhere; relu is compared with PyTorch
    "conv": ("(p <= 3, q <= 3)", "conv(40, act = gelu)", "conv_of(40)"),
}

# How n enters, where it does not as `n`, and what else depends on it.
STREAMS = {
    "frac": lambda n: f"m = {n}",
    "ghc": lambda n: f"m = {min(n, 2)}, n = {n}",
    "mhar": lambda n: f"depth_heads = {n}",
    "dar": lambda n: f"depth_heads = {n}",
    "xhc": lambda n: f"n = {n}, active = {min(n, 4 if n > 4 else max(1, n - 1))}, fixed = "
                     f"{1 if n < 4 else 2}",
}
# Options that only show beside the default ones.
VARIANTS = {"xhc on a grid": ("xhc", "temporal = false")}

MODEL = """use std;

model check {
  const d = 40, blocks = 1;
  positions %(positions)s;
  input a[%(axes)s, d]  : real;
  input up[%(axes)s, d] : real;
  param W[d, d] ~ normal(0.1);
  let x[c] = sum[k] W[c,k] * a[k];
%(second)s  let h = trunk(x) {
%(sites)s  };
  loss sum[c] up[c] * h[c];
}
"""
SECOND = """  param V[%(n)d, d] ~ normal(0.3);
  let Z[i < %(n)d, c] = V[i,c] * a[c];
"""
SECOND_BRANCHES = """
branch mlp_of(hidden) : x[d], z[e] -> y[d] {
  param W1[hidden, d], V1[hidden, e], W2[d, hidden] ~ normal(0.1);
  let u[k] = gelu(sum[c] W1[k,c] * x[c] + sum[c] V1[k,c] * z[c]);
  let y[c] = sum[k] W2[c,k] * u[k];
}
branch attention_of(heads) : x[d], z[e] -> y[d] {
  const a = d / heads;
  param Wq[heads, a, d], Wk[heads, a, e], Wv[heads, a, e], Wo[d, heads, a] ~ normal(0.1);
  let q[h,i] = sum[c] Wq[h,i,c] * x[c];
  let k[h,i] = sum[c] Wk[h,i,c] * z[c];
  let v[h,i] = sum[c] Wv[h,i,c] * z[c];
  let o      = attend(q, k, v, causal = true);
  let y[c]   = sum[h,i] Wo[c,h,i] * o[h,i];
}
branch conv1d_of : x[d], z[e] -> y[d] {
  param K[4, d] ~ normal(0.5);
  param Wu[d, e], Wo[d, d] ~ normal(0.1);
  let u[c] = sum[j] Wu[c,j] * z[j];
  let w    = window(u, 4);
  let m[c] = sum[a] K[a,c] * w[a,c];
  let y[c] = sum[j] Wo[c,j] * (silu(x[j]) * m[j]);
}
branch conv_of(hidden) : x[d], z[e] -> y[d] {
  param W1[hidden, 3, 3, d], V1[hidden, e], W2[d, hidden] ~ normal(0.05);
  let w    = window(x, 3, 3);
  let u[h] = gelu(sum[i,j,c] W1[h,i,j,c] * w[i,j,c] + sum[c] V1[h,c] * z[c]);
  let y[c] = sum[h] W2[c,h] * u[h];
}
"""


def library():
    """Every connection: its parameters' names, and whether it takes an input beside the trunk."""
    found = {}
    for name in sorted(os.listdir(LIBRARY)):
        if name.endswith(".hc"):
            with open(os.path.join(LIBRARY, name), encoding="utf-8") as file:
                text = file.read()
            for head in re.finditer(r"(?m)^connection (\w+)\(([^{]*)\)\s*(:[^{]*)?\{", text):
                words = re.findall(r"(\w+) =", head[2])
                found[head[1]] = words, bool(head[3]), "map = linear" in head[2], re.search(r"\bys\b", text)
    return found


def networks():
    """Name, connection, branch, n (0: it has no streams), text."""
    every = library()
    for connection, (words, second, widens, several) in every.items():
        counts = COUNTS if "n" in words or connection in STREAMS else (0,)
        variants = [("", "")] + [(name.removeprefix(connection), options)
                                 for name, (of, options) in VARIANTS.items() if of == connection]
        for kind, (positions, branch, branch_of) in BRANCHES.items():
            for n in counts:
                for suffix, options in variants:
                    arguments = [STREAMS.get(connection, lambda n: f"n = {n}")(n)] if n else []
                    arguments += [options] if options else []
                    word = connection + (f"({', '.join(arguments)})" if arguments else "")
                    if second:
                        word = word[:-1].replace("(", "(Z, ") + ")"
                    works = [branch_of if second else branch] * 4
                    if several:
                        works = [f"{branch} & {branch}"] * 4
                    if widens:
                        works = [branch, "linear(48)", branch, "linear(40)"]
                    text = MODEL % {
                        "positions": positions, "axes": "p, q" if "," in positions else "t",
                        "second": SECOND % {"n": n} if second else "",
                        "sites": "".join(f"    s{k} = {word} : {work};\n"
                                         for k, work in enumerate(works))}
                    yield {"connection": connection, "branch": kind, "n": n, "text": text
                           + (SECOND_BRANCHES if second else ""),
                           "name": f"{connection}{suffix} : {kind}" + (f", n = {n}" if n else "")}
