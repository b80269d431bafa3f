#!/usr/bin/env bash
# Builds the Debian packages, checks them with lintian, installs them into an empty root and runs them there. As root.
# Usage: scripts/package-check.sh [--suite bookworm|noble] [--root FOLDER] [--packages FOLDER]
#   --suite     Debian 12 (default), whose packages are made in EDT_BUILD (build/release), or Ubuntu 24.04, whose
#               packages are built in the root itself from this tree's last commit, without CUDA.
#               UBUNTU_KEYRING: its keys, /usr/share/keyrings/ubuntu-archive-keyring.gpg
#   --root      keeps the root here and uses it again; default: a temporary one.
#   --packages  takes the .deb files that are there instead of making them.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
suite=bookworm root='' packages=''
while (($#)); do
  case $1 in
    --suite) suite=${2:?--suite needs a name}; shift 2 ;;
    --root) root=${2:?--root needs a folder}; shift 2 ;;
    --packages) packages=${2:?--packages needs a folder}; shift 2 ;;
    *) echo "unknown option $1: --suite, --root and --packages are known" >&2; exit 2 ;;
  esac
done
[[ $EUID -eq 0 ]] || { echo "package-check.sh has to be run as root: it makes a root file system" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing (Debian: debootstrap)" >&2; exit 2; }
case $suite in
  bookworm) mirror=http://deb.debian.org/debian options=() script=() ;;
  noble)  # Debian's debootstrap names Ubuntu's suites by the first of them
    mirror=http://archive.ubuntu.com/ubuntu options=(--components="main,universe")
    script=(/usr/share/debootstrap/scripts/gutsy)
    keyring=${UBUNTU_KEYRING:-/usr/share/keyrings/ubuntu-archive-keyring.gpg}
    [[ -f $keyring ]] || { echo "$keyring is missing: it is in Ubuntu's package ubuntu-keyring" >&2; exit 2; }
    options+=(--keyring="$keyring") ;;
  *) echo "--suite is $suite, must be bookworm or noble" >&2; exit 2 ;;
esac

work=$(mktemp -d)
trap 'umount "$root/proc" "$root/sys" 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
root=${root:-$work/root}
step() { printf '\n== %s\n' "$1"; }
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive \
  OMP_NUM_THREADS=1 "$@"; }  # equal bits are for equal numbers of threads
install() { inside apt-get install -y -qq --no-install-recommends "$@" > "$work/apt.log" 2>&1 || { tail -n 20 "$work/apt.log"; return 1; }; }

step "An empty $suite in $root"
if [[ ! -x $root/usr/bin/apt-get ]]; then
  debootstrap --variant=minbase "${options[@]}" "$suite" "$root" "$mirror" "${script[@]}" > "$work/debootstrap.log" ||
    { tail -n 20 "$work/debootstrap.log"; exit 1; }
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
[[ ! -f /etc/apt/apt.conf ]] || cp /etc/apt/apt.conf "$root/etc/apt/apt.conf"
for kind in proc sysfs; do
  at=$root/${kind%fs}
  mountpoint -q "$at" || mount -t $kind $kind "$at"
done
inside apt-get update -qq
# shellcheck disable=SC2016
inside sh -c '. /etc/os-release; echo "$PRETTY_NAME, $(dpkg -l | grep -c ^ii) packages"'

step "Packages"
if [[ -z $packages ]]; then
  packages=$work/packages
  mkdir "$packages"
  if [[ $suite == bookworm ]]; then
    build=${EDT_BUILD:-$top/build/release}
    [[ -f $build/build.ninja ]] || (cd "$top" && cmake -B "$build" --preset release >/dev/null)
    cmake --build "$build" --target edt edt_help_files >/dev/null
    (cd "$build" && cpack -G DEB -B "$packages" > "$work/cpack.log") || { tail -n 20 "$work/cpack.log"; exit 1; }
  else
    install git ca-certificates dpkg-dev file
    rm -rf "$root/src"
    git clone -q --no-hardlinks "file://$top" "$root/src"
    inside sh -ec 'cd /src; scripts/install-dependencies.sh; cmake --preset release -DEDT_TESTS=OFF -DEDT_CUDA=OFF
      cmake --build --preset release; cd build/release; cpack -G DEB' > "$work/build.log" 2>&1 ||
      { tail -n 30 "$work/build.log"; exit 1; }
    cp "$root"/src/build/release/*.deb "$packages"
  fi
fi
ls -l "$packages"/*.deb

step "lintian"
failed=0
if command -v lintian >/dev/null; then
  if lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$packages"/*.deb; then
    echo "no errors, no warnings"
  else
    failed=1  # and the rest is worth knowing
  fi
else
  echo "left out: lintian is missing (Debian: lintian)"
fi

step "Installing edt"
rm -rf "$root/packages" "$root/check" && mkdir "$root/packages" "$root/check"
cp "$packages"/*.deb "$root/packages"
install /packages/"$(basename "$packages"/edt_*.deb)" openmpi-bin
inside dpkg -s edt | grep -E '^(Version|Status|Depends|Maintainer)'
inside sh -c 'ls -R /usr/share/doc/edt | head -n 20'

step "Running it there"
inside edt --version
inside sh -c 'edt doctor /check; true'
inside edt data synth --out /check/data --samples 32 --image-size 64 --quiet
tiny=(--model EDT-Ti/2 --model.image-size 64 --model.widths "8,12,16,12,8" --model.heads "2,3,4,3,2"
  --train.batch 4 --train.micro-batch 2 --train.steps 2)
inside edt train "${tiny[@]}" --data.path /check/data --run.dir /check/one --quiet
inside env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
  mpirun -np 2 edt train "${tiny[@]}" --data.path /check/data --run.dir /check/two --quiet < /dev/null
inside edt ckpt compare --first /check/one --second /check/two
inside edt sample --checkpoint /check/one --data /check/data --classes 1 --steps 2 --out /check/sample.png --quiet

if compgen -G "$packages/edt-cuda_*.deb" >/dev/null; then
  step "edt-cuda, on a machine without CUDA's libraries: one line, status 2"
  install /packages/"$(basename "$packages"/edt-cuda_*.deb)"
  status=0
  inside edt bench ops --device cuda || status=$?
  [[ $status -eq 2 ]] || { echo "status $status instead of 2"; exit 1; }
fi

step "Removing them"
inside apt-get purge -y -qq edt > "$work/apt.log" 2>&1
left=$(inside sh -c 'ls -d /usr/bin/edt /usr/share/edt /usr/share/doc/edt /usr/lib/edt 2>/dev/null' || true)
[[ -z $left ]] || { echo "left behind: $left"; exit 1; }
echo "nothing is left behind"
exit "$failed"
