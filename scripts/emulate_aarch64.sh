#!/usr/bin/env bash
# Trains a few steps as AArch64 code under emulation, in f32 and in bf16 by matrices (BFMMLA), and
# holds the losses against this machine's.
#
#   bash scripts/emulate_aarch64.sh build/hcc [WIRING ...]
#
# Installs a cross compiler and qemu; the libraries for AArch64 come as Debian packages into a
# temporary folder, and the system's list of architectures stays as it is. A campaign, not a part of
# the suite: kernels round otherwise there (other multiply-adds, another BLAS), so losses are
# compared to 1e-5, in bf16 to 1e-3. A processor without bf16 has to refuse the code.
set -euo pipefail
hcc=$(realpath "${1:?usage: emulate_aarch64.sh HCC [WIRING ...]}")
shift
cd "$(dirname "$0")/.."
root=$PWD
. scripts/setup.sh
setup_packages "gcc-aarch64-linux-gnu:aarch64-linux-gnu-gcc libc6-dev-arm64-cross:@../aarch64-linux-gnu/include/stdlib.h
    qemu-user:qemu-aarch64"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian's packages for another architecture, unpacked and not installed.
mkdir -p "$work"/{lists/partial,cache/archives/partial,packages}
apt="-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists=$work/lists
    -o Dir::Cache=$work/cache -o APT::Sandbox::User=root"
# shellcheck disable=SC2086
(cd "$work/packages" && apt-get $apt update -qq && apt-get $apt download -qq \
    libc6 libgcc-s1 libgfortran5 libopenblas0-pthread \
    libopenblas-pthread-dev libjansson4 libjansson-dev libpcre2-8-0 libpcre2-dev)
for package in "$work"/packages/*.deb; do dpkg -x "$package" "$work/arm64"; done
libraries=$work/arm64/usr/lib/aarch64-linux-gnu
blas=$libraries/openblas-pthread

for source in runtime/*/*.c; do
    aarch64-linux-gnu-gcc -std=c11 -D_GNU_SOURCE -O2 -fno-math-errno -ffp-contract=off -I "$root" \
        -I "$work/arm64/usr/include/aarch64-linux-gnu/openblas-pthread" \
        -idirafter "$work/arm64/usr/include" -c "$source" -o "$work/${source//\//_}.o"
done
cat > "$work/main.c" <<'C'
extern const char shakespeare_model[];
int hc_main(const void *model, int count, char **words);
int main(int count, char **words) { return hc_main(shakespeare_model, count, words); }
C

# The corpus is what lies here, and short: a tenth is evaluated at the end.
head -c 20000 docs/performance.md > "$work/text.txt"
sizes="--set d=64 --set heads=2 --set blocks=2 --set context=16 --set train.batch=4"
train="train --data $work/text.txt --set train.steps=20 --threads 1 --seed 3"
emulated="qemu-aarch64 -cpu max -L $work/arm64 -E
    LD_LIBRARY_PATH=$blas:$libraries:$work/arm64/lib/aarch64-linux-gnu"
export OPENBLAS_NUM_THREADS=1
failed=0
# Quiet, but for a command that fails.
quietly() {
    "$@" > "$work/said" 2>&1 || {
        cat "$work/said" >&2
        return 1
    }
}
compare() { # WIRING PRECISION PROCESSOR LIMIT
    local wiring=$1 precision=$2 limit=$4
    # shellcheck disable=SC2086
    {
        quietly "$hcc" build examples/shakespeare.hc $sizes --set wiring="$wiring" \
            --precision "$precision" --target aarch64-linux-gnu --cpu "$3" -o "$work/network.o"
        aarch64-linux-gnu-gcc "$work/main.c" "$work"/*.o -o "$work/program" \
            "$blas/libopenblas.so.0" "$libraries/libjansson.so.4" "$libraries/libpcre2-8.so.0" -lm -lpthread \
            -Wl,--allow-shlib-undefined
        rm -rf "$work/here" "$work/there"
        quietly "$hcc" ${train%% *} examples/shakespeare.hc ${train#* } $sizes --set wiring="$wiring" \
            --precision "$precision" --out "$work/here"
        quietly $emulated "$work/program" $train --out "$work/there"
    }
    python3 - "$wiring, $precision" "$limit" "$work/here/log.jsonl" "$work/there/log.jsonl" <<'P' || failed=1
import json
import sys

name, limit, *paths = sys.argv[1:]
here, there = ([json.loads(line)["loss"] for line in open(path, encoding="utf-8")
                if '"loss"' in line] for path in paths)
gap = max(abs(a - b) / a for a, b in zip(here, there, strict=True))
print(f"{name}: {len(here)} steps, loss {here[0]:.4f} to {here[-1]:.4f}, largest relative "
      f"difference {gap:.1e}")
sys.exit(gap > float(limit))
P
}
for wiring in "${@:-mhc}"; do
    compare "$wiring" f32 baseline 1e-5
    compare "$wiring" bf16 neoverse-v1 1e-3
    if ${emulated/-cpu max/-cpu cortex-a72} "$work/program" $train --out "$work/x" > "$work/said" 2>&1 ||
        ! grep -q "which this machine lacks" "$work/said"; then
        echo "$wiring: a processor without bf16 does not say so" >&2
        failed=1
    fi
done
exit $failed
