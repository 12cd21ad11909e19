use sdt;                   // expected-error {{E0201}} {{there is no library `sdt`}} {{the only one is `std`}}
