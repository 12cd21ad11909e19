/// -log of the probability that softmax(logits) gives the target, at one position.
fn cross_entropy(logits[v], target) -> l {
  let l = logsumexp[k] logits[k] - sum[k] onehot(target)[k] * logits[k];
}

/// 1 where the greatest logit is the target's, else 0.
fn accuracy(logits[v], target) -> a {
  let a = select((argmax[k] logits[k]) == target, 1, 0);
}

/// Mean of squared differences.
fn mse(prediction[n], target[n]) -> l {
  let l = mean[c] (prediction[c] - target[c])^2;
}
