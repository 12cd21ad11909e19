#!/usr/bin/env bash
# Builds the compiler: build/hcc. Installs what is missing first (scripts/setup.sh).
# Arguments go to cmake: scripts/build.sh -DCMAKE_BUILD_TYPE=Debug. HCC_BUILD names another folder.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
build=${HCC_BUILD:-build}
mkdir -p "$build"
cmake -S . -B "$build" -G Ninja "$@" >"$build/configure.log" 2>&1 || {
    cat "$build/configure.log" >&2
    exit 1
}
cmake --build "$build"
