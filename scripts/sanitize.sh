#!/usr/bin/env bash
# The tests under AddressSanitizer and UndefinedBehaviorSanitizer, in a build folder of their own.
# Arguments go to ctest.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
export HCC_BUILD=${HCC_BUILD:-build-sanitize}
export ASAN_OPTIONS=detect_leaks=${HCC_DETECT_LEAKS:-1}:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1
scripts/build.sh -DHCC_SANITIZE=ON -DHCC_WARNINGS_AS_ERRORS=ON
exec python3 -B tests/run_suite.py "$HCC_BUILD" "$@"
