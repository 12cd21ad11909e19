fn f(x, n) -> y {
  if n = 1 {                // expected-error {{found `=`}} {{equality is written `==`}}
    let a = 1;
  } else if n == 2 {
    let a = ;               // expected-error {{expected an expression, found `;`}}
  } else {
    let a = 3;
  }
  let y = x;
}
