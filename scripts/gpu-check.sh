#!/usr/bin/env bash
# What is to be known first about a GPU that is there for a few minutes only, on a machine where nothing can be installed.
# Usage: scripts/gpu-check.sh pack [--quick]             on a machine that builds edt: makes the folder gpu-check/
#        scripts/gpu-check.sh run [--minutes 8] [--dry]  on the machine with the GPU (Linux, bash, CUDA's libraries)
#        scripts/gpu-check.sh step NAME [--dry]          one step of it
#   pack   programs, tests, all libraries but glibc and NVIDIA's, data and the comparison with PyTorch, at most 60 MB.
#          EDT_BUILD: build folder (build/release), EDT_PACK: the folder made and run in (gpu-check).
#          --quick packs in a tenth of the time, of whatever size: to try it here.
#   run    the steps below, each under a time limit of its own; goes on after failures. Each step's output and a table
#          are written as it goes, into OUT or gpu-check/results. Status 1 where a step failed.
#   --dry  every step on a GPU that is emulated, with tiny models: what lacks a file, a library or an option fails.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
pack=${EDT_PACK:-$here/../gpu-check}
if [[ -f $here/pack.tar.xz ]]; then pack=$here; fi  # this is the packed copy
# shellcheck source=scripts/lib/gpu-check-steps.sh
source "$here/lib/gpu-check-steps.sh"

# Of all programs and plugins, the shared objects that a machine with a GPU does not have.
libraries_of() {
  local missing
  # NVIDIA's are on the other machine; so is glibc.
  missing=$(ldd "$@" 2>/dev/null | grep 'not found' | sort -u || true)
  [[ -z $missing ]] || { echo "cannot be packed, libraries are missing here: $missing" >&2; return 1; }
  ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
    grep -vE '/(ld-linux-x86-64|libc|libm|libdl|librt|libpthread|libresolv|libutil|libanl|libcuda|libnvidia-[a-z]*|libcudart|libcublas|libcublasLt|libnccl)\.so'
}

pack() {
  local root build program golden limit=60000000
  # One block whose window holds all of it: golden files share weights. Where the pack is opened there may be no xz, so
  # that it comes along.
  local compress=(xz -T1 --x86 --lzma2=preset=9e)
  case ${1:-} in
    '') ;;
    --quick) compress=(xz -T0 -0) limit=200000000 ;;
    *) echo "gpu-check.sh pack knows --quick, '$1' was given" >&2; exit 2 ;;
  esac
  root=$(cd "$here/.." && pwd)
  build=${EDT_BUILD:-$root/build/release}
  from=$(mktemp -d)  # of the script: it is removed when that ends
  trap 'rm -rf "$from"' EXIT
  cmake --build "$build" --target edt edt_cuda_emulated_plugin cuda_test golden_test gpu_curve_test >/dev/null
  mkdir -p "$from"/{bin,lib/edt/plugins,emulated,golden,torch}
  cp "$build/edt" "$build/tests/core/cuda/cuda_test" "$build/tests/golden/golden_test" \
    "$build/tests/model/training/device/gpu_curve_test" "$from/bin"
  cp "$build/libedt_cuda.so" "$from/lib/edt/plugins"
  cp "$build/emulated/libedt_cuda.so" "$from/emulated"
  "$build/tests/golden/golden_test" --gtest_list_tests | sed -n 's|.*GetParam() = \([a-z0-9_]*\.h5\).* on cuda.*|\1|p' | sort -u |
    while read -r golden; do cp "$root/tests/golden/$golden" "$from/golden"; done
  cp "$root/scripts/torch/edt_torch.py" "$root/scripts/torch/products.py" "$from/torch"
  strip "$from"/bin/* "$from/lib/edt/plugins/libedt_cuda.so" "$from/emulated/libedt_cuda.so"
  for program in $(libraries_of "$from"/bin/* "$from/lib/edt/plugins/libedt_cuda.so" "$from/emulated/libedt_cuda.so"); do
    cp -L "$program" "$from/lib"
  done
  "$build/edt" --version > "$from/version.txt"
  rm -rf "$pack" && mkdir -p "$pack/lib"
  cp "$here/gpu-check.sh" "$pack"
  cp "$here/lib/gpu-check-steps.sh" "$pack/lib"
  cp -L "$(type -P xz)" "$(ldd "$(type -P xz)" | awk '/liblzma/ {print $3}')" "$pack/lib"
  tar -C "$from" --sort=name -c . | "${compress[@]}" > "$pack/pack.tar.xz"
  local bytes
  bytes=$(du -sb "$pack" | cut -f1)
  echo "$pack: $((bytes / 1000000)) MB"
  ((bytes <= limit)) || { echo "that is more than $((limit / 1000000)) MB" >&2; return 1; }
}

unpack() {
  [[ -d $pack/unpacked ]] && return
  [[ -f $pack/pack.tar.xz ]] || { echo "$pack: there is no pack.tar.xz; scripts/gpu-check.sh pack makes it" >&2; exit 2; }
  mkdir -p "$pack/unpacked.part"
  LD_LIBRARY_PATH=$pack/lib "$pack/lib/xz" -dc "$pack/pack.tar.xz" | tar -C "$pack/unpacked.part" -x
  mv "$pack/unpacked.part" "$pack/unpacked"
}

# Seconds since the first step began.
elapsed() { echo $(($(date +%s) - begun)); }

run() {
  local minutes=8 out status name limit question left number=0 failures=0
  dry=()
  while (($#)); do
    case $1 in
      --minutes) minutes=${2:?--minutes needs a number}; shift 2 ;;
      --dry) dry=(--dry); shift ;;
      *) echo "gpu-check.sh run knows --minutes and --dry, '$1' was given" >&2; exit 2 ;;
    esac
  done
  [[ $minutes =~ ^[1-9][0-9]*$ ]] || { echo "--minutes must be a number, '$minutes' was given" >&2; exit 2; }
  unpack
  out=${OUT:-$pack/results}
  mkdir -p "$out"
  begun=$(date +%s)
  printf '%-14s %-9s %7s  %s\n' step outcome seconds question | tee "$out/summary.txt"
  while read -r name limit question; do
    left=$((minutes * 60 - $(elapsed)))
    number=$((number + 1))
    local from log
    from=$(date +%s)
    log=$out/$(printf %02d "$number")-$name.log
    if ((left < 5)); then
      status=left
    else
      status=0
      EDT_RESULTS=$out timeout -k 5 "$((limit < left ? limit : left))" bash "$0" step "$name" "${dry[@]}" \
        > "$log" 2>&1 < /dev/null || status=$?
    fi
    case $status in
      0) outcome=ok ;;
      77) outcome=skipped ;;
      left) outcome=no-time ;;
      124 | 137) outcome=too-long; failures=$((failures + 1)) ;;
      *) outcome=FAILED; failures=$((failures + 1)) ;;
    esac
    printf '%-14s %-9s %7d  %s\n' "$name" "$outcome" $(($(date +%s) - from)) "$question" | tee -a "$out/summary.txt"
    [[ $outcome == skipped || $outcome == FAILED ]] && tail -n 1 "$log" | sed 's/^/    /' | tee -a "$out/summary.txt"
  done < <(steps)
  echo "$failures failed; outputs are in $out" | tee -a "$out/summary.txt"
  ((failures == 0))
}

step() {
  local name=${1:?a step is to be named: $(steps | cut -d' ' -f1 | tr '\n' ' ')}
  export is_dry=no
  case ${2:-} in
    '') ;;
    --dry) is_dry=yes ;;
    *) echo "gpu-check.sh step knows --dry, '$2' was given" >&2; exit 2 ;;
  esac
  steps | grep -q "^$name " || { echo "there is no step '$name': $(steps | cut -d' ' -f1 | tr '\n' ' ')" >&2; exit 2; }
  unpack
  prepare
  "step_${name//-/_}"
}

case ${1:-} in
  pack) [[ $# -le 2 ]] || { echo "gpu-check.sh pack takes one option, '$3' was given" >&2; exit 2; }; pack "${2:-}" ;;
  run) shift; run "$@" ;;
  step) shift; step "$@" ;;
  *) sed -n '2,/^set /{s/^# \{0,1\}//;/^set /!p}' "$0" >&2; exit 2 ;;
esac
