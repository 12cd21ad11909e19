#!/usr/bin/env bash
# Builds hcc and trains a small character model twice on this repository's own sources and documents:
# with the plain residual, then with manifold-constrained hyper-connections. Shows progress (on a
# terminal), a sample, and both runs beside each other, and makes a page of them. Installs what is
# missing first. About a minute of building and two of training on two cores.
#
#   scripts/demo.sh [--steps N]
#
# The number of steps is measured first, so that a slow machine takes no longer. The runs stay in runs/demo-*.
set -euo pipefail
cd "$(dirname "$0")/.."
steps=
if [ "${1:-}" = --steps ]; then
    steps=$2
fi

echo "building hcc (about a minute where nothing is built yet) ..."
HCC_TARGETS="hcc hcrt" scripts/build.sh
hcc=${HCC_BUILD:-build}/hcc

runs=runs/demo-$(date +%Y%m%d-%H%M%S)
mkdir -p "$runs"
text=$runs/text.txt
find README.md docs grammar compiler runtime examples -type f \
    \( -name '*.md' -o -name '*.hc' -o -name '*.c' -o -name '*.h' -o -name '*.[ly]' \) |
    LC_ALL=C sort | xargs cat >"$text"
echo "text: $(wc -c <"$text") bytes of this repository's sources and documents"

step_ms() {
    "$hcc" bench examples/shakespeare.hc --set wiring="$1" --steps 8 --json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["step_ms"])'
}
if [ -z "$steps" ]; then
    echo "measuring a step ..."
    steps=$(python3 -c 'import sys; both = sum(map(float, sys.argv[1:]))
print(max(200, min(2000, int(85e3 / both) // 50 * 50)))' "$(step_ms residual)" "$(step_ms mhc)")
    echo "$steps steps each fit into about two minutes"
fi

# Its steps are for people who watch; elsewhere they lie in the run's folder, and the last line stays.
train() {
    set -- train examples/shakespeare.hc --data "$text" --out "$runs/$1" --set wiring="$1" \
        --set train.steps="$steps" --set train.eval_every=$((steps > 4 ? steps / 4 : 1))
    if [ -t 1 ]; then
        "$hcc" "$@"
    else
        "$hcc" "$@" >"$runs/train.log" 2>&1 || {
            cat "$runs/train.log" >&2
            return 1
        }
        tail -n 1 "$runs/train.log"
    fi
}

for wiring in residual mhc; do
    echo
    echo "== $wiring"
    train "$wiring"
done

echo
echo "== a sample of the mhc model"
"$hcc" sample "$runs/mhc" --prompt "static void " --length 300
echo
echo
echo "== hcc compare $runs"
"$hcc" compare "$runs"
"$hcc" report "$runs" --batches 2 --out "$runs/report.html"
echo
echo "(losses are nats a character. One seed of a small model and $steps steps: another --seed moves each"
echo "by about as much as they differ; docs/compare.md says what is compared, and with what)"
