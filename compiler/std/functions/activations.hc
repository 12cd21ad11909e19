/// x Φ(x), with the exact normal distribution function.
fn gelu(x) = 0.5 * x * (1 + erf(x * 0.70710678118654752));

/// gelu with tanh in place of erf: GPT-2's, PyTorch's approximate="tanh".
fn gelu_tanh(x) = 0.5 * x * (1 + tanh(0.79788456080286536 * (x + 0.044715 * x^3)));

fn silu(x) = x * sigmoid(x);

fn relu(x) = max(x, 0);

/// log(1 + exp(x)), without overflow.
fn softplus(x) = max(x, 0) + log(1 + exp(-abs(x)));
