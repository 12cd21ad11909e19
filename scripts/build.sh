#!/usr/bin/env bash
# Builds the compiler: build/hcc. Installs what is missing first (scripts/setup.sh).
# Arguments go to cmake: scripts/build.sh -DCMAKE_BUILD_TYPE=Debug. HCC_BUILD names another folder,
# HCC_TARGETS what to build (all, the tests included). Shows its progress on a terminal only.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
build=${HCC_BUILD:-build}
mkdir -p "$build"
cmake -S . -B "$build" -G Ninja "$@" >"$build/configure.log" 2>&1 || {
    cat "$build/configure.log" >&2
    exit 1
}
# shellcheck disable=SC2086
build_targets() { cmake --build "$build" ${HCC_TARGETS:+--target $HCC_TARGETS}; }
if [ -t 1 ]; then
    build_targets
else
    build_targets >"$build/build.log" 2>&1 || {
        cat "$build/build.log" >&2
        exit 1
    }
fi
