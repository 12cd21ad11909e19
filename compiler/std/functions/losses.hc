/// -log of the probability that softmax(logits) gives the target, at one position.
/// Targets of a class that says nothing are left out by their weight:
/// `loss cross_entropy(logits, next) weight select(next == padding, 0, 1);`
/// With `smoothing` e the target has probability 1 - e, and e is shared out evenly among all classes, itself
/// included (Szegedy et al. 2016, arXiv:1512.00567, section 7).
fn cross_entropy(logits[v], target, smoothing = 0) -> l {
  let l = logsumexp[k] logits[k] - (1 - smoothing) * (sum[k] onehot(target)[k] * logits[k])
        - smoothing * (mean[k] logits[k]);
}

/// -log of the probability that sigmoid(logit) gives the target, which is 1 or 0 (or between them).
fn binary_cross_entropy(logit, target) = softplus(logit) - target * logit;

/// 1 where the greatest logit is the target's, else 0.
fn accuracy(logits[v], target) -> a {
  let a = select((argmax[k] logits[k]) == target, 1, 0);
}

/// Mean of squared differences.
fn mse(prediction[n], target[n]) -> l {
  let l = mean[c] (prediction[c] - target[c])^2;
}
