use "nowhere.hc";     // expected-error {{E0107}} {{cannot read}} {{nowhere.hc': No such file or directory}} {{beside the one that uses it}} {{`-I`}}
use ".";              // expected-error {{E0107}} {{Is a directory}}
use std;
fn f(x) = lost(x);
