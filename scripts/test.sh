#!/usr/bin/env bash
# Builds everything and runs the tests. Installs what is missing first (scripts/setup.sh).
#
#   scripts/test.sh [--with-torch] [arguments for ctest, such as -R errors]
#
# --with-torch (or CI=true) also compares with PyTorch: it makes a Python environment in build/venv
# with what tests/reference/requirements.txt names. Without it those tests are skipped. CI=true also
# installs what some tests need and others do without: clang-format (layout), valgrind (instructions),
# g++ (headers, examples), qemu-user (processors that lack something), zsh, fish, groff (completion,
# manual), Open MPI, MPICH and SimGrid (ranks).
# HCC_TEST_EVERYTHING=1 runs the long lists whole (docs/tested.md).
# About ten minutes on two cores. The last line is `N passed, N failed, N skipped`.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${HCC_BUILD:-build}
torch=${CI:-false}
if [ "${1:-}" = --with-torch ]; then
    torch=true
    shift
fi

. scripts/setup.sh
[ "${CI:-false}" = true ] && # before what is built beside them
    setup_packages "libopenmpi-dev:@mpi.h openmpi-bin:mpirun.openmpi libmpich-dev:@mpich/mpi.h mpich:mpirun.mpich
        libsimgrid-dev:smpicc"
scripts/build.sh -DHCC_WARNINGS_AS_ERRORS="${CI:-OFF}"

if [ "$torch" = true ]; then
    [ "${CI:-false}" = true ] &&
        setup_packages "clang-format-19:clang-format-19 valgrind:valgrind g++:c++ qemu-user:qemu-x86_64
            zsh:zsh fish:fish groff-base:groff"
    python3 -c 'import ensurepip, venv' 2>/dev/null || setup_packages "python3-venv:@none"
    venv=$PWD/$build/venv
    if [ ! -e "$venv/complete" ]; then
        echo "test: installing PyTorch into $build/venv" >&2
        python3 -m venv "$venv"
        "$venv/bin/pip" install -q -r tests/reference/requirements.txt
        touch "$venv/complete"
    fi
    export HCC_TORCH_PYTHON=$venv/bin/python
fi
if [ "$torch" = true ]; then
    echo "test: all of them take about ten minutes on two cores" >&2
else
    echo "test: all of them take about eight minutes on two cores; --with-torch adds those that" \
        "compare with PyTorch, which are skipped now" >&2
fi
exec python3 -B tests/run_suite.py "$build" "$@"
