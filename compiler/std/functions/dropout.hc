/// Each element with probability `rate` 0, else divided by 1 - rate; x itself when not training.
fn dropout(x, rate) -> y {
  require !known(rate) || (0 <= rate && rate <= 1), "a rate of dropout lies between 0 and 1";
  if known(rate) && rate == 0 {
    let y = x;
  } else {
    let y = x * select(random(x) < rate * training, 0, 1 / (1 - rate * training));
  }
}
