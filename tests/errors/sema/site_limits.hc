// What a connection may keep.
connection many_states {
  state s0[d];
  state s1[d];
  state s2[d];
  state s3[d];
  state s4[d];
  state s5[d];
  state s6[d];
  state s7[d];
  state s8[d];
  state s9[d];
  state s10[d];
  state s11[d];
  state s12[d];
  state s13[d];
  state s14[d];
  state s15[d];
  state s16[d];  // expected-error {{E0302}} {{a connection has at most 16 states}}
  begin s0 = x, s1 = x, s2 = x, s3 = x, s4 = x, s5 = x, s6 = x, s7 = x, s8 = x, s9 = x, s10 = x, s11 = x, s12 = x, s13 = x, s14 = x, s15 = x;
  read x = s0;
  write s0[c] = s0[c] + y[c];
  end x = s0;
}

connection many_carries {
  state h[d];
  carry v0[d] = 0;
  carry v1[d] = 0;
  carry v2[d] = 0;
  carry v3[d] = 0;
  carry v4[d] = 0;
  carry v5[d] = 0;
  carry v6[d] = 0;
  carry v7[d] = 0;
  carry v8[d] = 0;
  carry v9[d] = 0;
  carry v10[d] = 0;
  carry v11[d] = 0;
  carry v12[d] = 0;
  carry v13[d] = 0;
  carry v14[d] = 0;
  carry v15[d] = 0;
  carry v16[d] = 0;  // expected-error {{E0302}} {{a connection has at most 16 carries}}
  begin h = x;
  read x = h;
  write h[c] = h[c] + y[c];
  end x = h;
}
