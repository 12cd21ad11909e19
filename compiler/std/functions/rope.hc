/// Rotary positions: the pair (a, a + e/2) of each head turns by here * theta^(-2a/e).
fn rope(q[h, e], theta = 10000) -> r[h, e] {
  const half = e / 2;
  let p[i, a < e] = select(a < half, -1, 1) * q[i, (a + half) % e];
  let r[i,a] = q[i,a] * cos(here * theta ^ (-(a % half) / half))
             + p[i,a] * sin(here * theta ^ (-(a % half) / half));
}
