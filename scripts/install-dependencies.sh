#!/usr/bin/env bash
# Installs the Debian packages that `edt` is built from, those that are missing only.
# Usage: scripts/install-dependencies.sh [--tests] [--browser] [--lint] [--checks] [--list]
#   --tests also installs what the tests on a real Slurm need; without, they skip and say so.
#   --browser also installs a browser without a window: tests open reports in it, and skip without one.
#   --lint also installs what scripts/check.sh quick calls: clang-format, shellcheck.
#   --checks also installs what all of scripts/check.sh calls: clang, lintian, debootstrap, a compiler for arm64, qemu-user.
#   --list prints the package names and installs nothing.
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache pkg-config
  libdnnl-dev              # matrix products on the CPU
  libeigen3-dev            # eigenvalues of covariances
  libhdf5-dev              # data shards and checkpoints
  libhwy-dev               # SIMD kernels
  libboost-dev libboost-program-options-dev
  libfmt-dev libspdlog-dev nlohmann-json3-dev
  libpng-dev libjpeg-dev libwebp-dev libarchive-dev  # pictures and archives of them
  libzip-dev libxxhash-dev libprotozero-dev
  libutf8proc-dev          # names that look the same
  libsimdjson-dev          # metrics of long runs
  libhwloc-dev             # memory domains of a node
  libopenmpi-dev openmpi-bin
  libgtest-dev libgmock-dev libboost-context-dev
  xz-utils                 # scripts/gpu-check.sh packs with it
)

list=no
for option in "$@"; do
  case $option in
    # Slurm's PMIx plugin loads the unversioned library of libpmix-dev.
    --tests) packages+=(munge slurm-wlm slurm-wlm-basic-plugins libpmix-dev iproute2 util-linux procps) ;;
    --browser) packages+=(chromium-headless-shell) ;;
    --lint) packages+=(clang-format shellcheck) ;;
    --checks)
      packages+=(clang clang-format clang-tidy libomp-dev jq shellcheck lintian debootstrap dpkg-dev g++-aarch64-linux-gnu qemu-user)
      ;;
    --list) list=yes ;;
    *) echo "unknown option $option: --tests, --browser, --lint, --checks and --list are known" >&2 && exit 2 ;;
  esac
done
if [[ $list == yes ]]; then
  printf '%s\n' "${packages[@]}"
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "This machine has no apt. Install the equivalents of these Debian packages:" >&2
  printf '  %s\n' "${packages[@]}" >&2
  exit 2
fi

missing=()
for package in "${packages[@]}"; do
  if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
    missing+=("$package")
  fi
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "All packages are installed."
  exit 0
fi

as_root=()
if [[ $EUID -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "Neither root nor sudo. Ask for these packages:" >&2
    printf '  %s\n' "${missing[@]}" >&2
    exit 2
  fi
  as_root=(sudo)
fi
echo "Installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -o DPkg::Lock::Timeout=500 update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get -o DPkg::Lock::Timeout=500 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
