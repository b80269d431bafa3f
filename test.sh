#!/usr/bin/env bash
# Installs what is missing, builds, runs all tests. Extra arguments go to ctest: ./test.sh -L unit
set -euo pipefail
cd "$(dirname "$0")"

scripts/install-dependencies.sh --tests
cmake --preset release ${CI:+-DEDT_WERROR=ON}
cmake --build --preset release
# Two test programs of two threads each share the cores: waiting threads should not spin.
export OMP_WAIT_POLICY=passive
# Two more than there are cores: some wait for time-outs, or for the slowest of their ranks.
ctest --preset release -j "$(($(nproc) + 2))" "$@" || { status=$? && scripts/lib/failed-tests.sh build/release && exit $status; }
