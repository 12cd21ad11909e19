// One name in two files: both places are told.
use "parts.used";       // expected-error@* {{E0202}} {{`wire` is defined twice}} {{the first definition}}
branch wire : x[d] -> y[d] { let y = x; }
const width = 4;      // expected-error@* {{E0202}} {{`width` is defined twice}}
