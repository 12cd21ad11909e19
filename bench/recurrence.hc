// A recurrence whose factors and terms come from memory, forward and backward: bench/targets.py --rows recurrence.
model recurrence {
  const d = 768, positions_of_text = 8192;
  positions t <= positions_of_text;
  input f[t, d] : real;
  input u[t, d] : real;
  input g[t, d] : real;
  param w = 1;
  let m[c] = recur(w * f[c], u[c]);
  loss sum[c] g[c] * m[c];
}
train recurrence {
  data table { f[t, c] = columns[c]; u[t, c] = columns[c]; g[t, c] = columns[c]; }
  batch 1; steps 1;
}
