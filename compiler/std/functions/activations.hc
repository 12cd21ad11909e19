/// x Φ(x), with the exact normal distribution function.
fn gelu(x) = 0.5 * x * (1 + erf(x * 0.70710678118654752));

fn silu(x) = x * sigmoid(x);

fn relu(x) = max(x, 0);

/// log(1 + exp(x)), without overflow.
fn softplus(x) = max(x, 0) + log(1 + exp(-abs(x)));
