branch b : x[d] -> y[d] {
  param A[2, 2, 2, 2, 2], B[2, 2, 2, 2, 2] = 1;
  let s = max[i,j,k,l,m,n] A[i,j,k,l,m] * B[j,k,l,m,n];
  let t = max[a,b,c,e,f,g,h,i,j] A[a,b,c,e,f] * B[f,g,h,i,j];   // expected-error {{E0221}} {{at most 8}}
  let y[i] = s * t * x[i];
}
