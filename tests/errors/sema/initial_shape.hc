// What begins as a table has the table's shape.
connection measured {
  state h[d];
  let three[i < 3] = i;
  carry bad[2] = three;              // expected-error {{E0214}} {{`bad` is [2], this is [3]}}
  carry good[3] = three;
  begin h = x;
  read  x = rmsnorm(h);
  write h[k] = h[k] + y[k] * (sum[i] good[i] + sum[i] bad[i]);
  end   x = h;
}
branch tables : x[d] -> y[d] {
  let T[i < 2] = i + 1;
  let M[i < 2, j < 3] = 10 * i + j;
  let u[k] = 1;
  let r[k < 3] = 1;
  let s[i < 2] = sum[j < 3] i * j;
  let P = permutations(3);
  param right[2] = T, half[2] = 0.5 * T + s, whole[2, 3] = M, any[7] = u, six[6, 3] = P;
  param longer[8]   = T;             // expected-error {{E0214}} {{`T` is [2], but what begins with it is [8]}} {{defined here}}
  param shorter[1]  = 2 * T;         // expected-error {{`T` is [2], but what begins with it is [1]}}
  param turned[3, 2] = M;            // expected-error {{`M` is [2, 3], but what begins with it is [3, 2]}}
  param flat[6]     = M;             // expected-error {{`M` is [2, 3], but what begins with it is [6]}}
  param square[2, 2] = T;            // expected-error {{`T` is [2], but what begins with it is [2, 2]}}
  param summed[9]   = s;             // expected-error {{`s` is [2], but what begins with it is [9]}}
  param one         = T;             // expected-error {{`T` is [2], but what begins with it is []}}
  param ones[2]     = r;             // expected-error {{`r` is [3], but what begins with it is [2]}}
  param orders[3, 6] = P;            // expected-error {{`P` is [6, 3], but what begins with it is [3, 6]}}
  param entry[2]    = r[4];          // expected-error {{this reaches entry 4}}
  buffer kept[4]    = T;             // expected-error {{`T` is [2], but what begins with it is [4]}}
  let z[i] = x[i];                   // expected-error {{a constant is needed}}
  param runs[5]     = z;
  update kept[i] = kept[i];
  let y[i] = x[i] + sum[k] right[k] + sum[k] half[k] + sum[k] longer[k] + sum[k] shorter[k]
           + sum[k] flat[k] + sum[k] summed[k] + one + sum[k] any[k] + sum[k] runs[k] + sum[k] ones[k]
           + sum[k] entry[k] + sum[k, j] whole[k,j] + sum[k, j] turned[k,j] + sum[k, j] square[k,j]
           + sum[k, j] six[k,j] + sum[k, j] orders[k,j];
}
