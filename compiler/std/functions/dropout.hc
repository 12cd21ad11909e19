/// Each element with probability `rate` 0, else divided by 1 - rate; x itself when not training.
fn dropout(x, rate) = select(rate == 0, x,
                             x * select(random(x) < rate * training, 0, 1 / (1 - rate * training)));
