#!/usr/bin/env bash
# scripts/gpu-check.sh, packed and run dry in a root that has glibc and a few tools, and nothing of what edt needs.
# Usage: gpu_check_dry.sh SOURCE BUILD    SKIPPED where there are no rights for such a root.
set -euo pipefail

source=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root
unshare --mount --fork true 2>/dev/null || { echo "SKIPPED: no right to mount"; exit 0; }

EDT_BUILD=$build EDT_PACK=$root/gpu-check "$source/scripts/gpu-check.sh" pack --quick

# Tools with their libraries. None of these may be one that edt needs.
mkdir -p "$root"/{tmp,proc,dev,bin,lib64,lib/x86_64-linux-gnu}
tools=(bash basename cat cp cut date dirname env grep gzip head ls mkdir mktemp mv nproc rm sed tail tar tee timeout tr uname wc)
for tool in "${tools[@]}"; do
  path=$(type -P "$tool")
  cp -L "$path" "$root/bin/$tool"
  for library in $(ldd "$path" | awk '/=> \// {print $3}'); do cp -nL "$library" "$root/lib/x86_64-linux-gnu/"; done
done
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
for library in libc libm libdl librt libpthread libresolv libnss_files libutil libanl; do  # glibc
  cp -nL /lib/x86_64-linux-gnu/$library.so.* "$root/lib/x86_64-linux-gnu/" 2>/dev/null || true
done
tar -tJf "$root/gpu-check/pack.tar.xz" | sed -n 's|^\./lib/\(.*\.so.*\)$|\1|p' > "$work/packed"
for library in "$root"/lib/x86_64-linux-gnu/*; do
  # Tools and libarchive both need these.
  if [[ $(basename "$library") =~ ^lib(acl|attr|z|lzma|zstd|lz4|bz2|crypto)\.so ]]; then continue; fi
  if grep -qx "$(basename "$library")" "$work/packed"; then
    echo "the root has $(basename "$library"), which is packed: it would hide that it is missing"
    exit 1
  fi
done

# Down to counters the steps are a first call of eight minutes.
limits=$(sed -n '/^machine /,/^counters /p' "$source/scripts/lib/gpu-check-steps.sh" | awk '{sum += $2} END {print sum}')
((limits > 0 && limits <= 480)) || { echo "the limits of the first call are $limits seconds"; exit 1; }

# An ncu that has no rights, as on most machines that are lent.
cat > "$root/bin/ncu" <<'NCU'
#!/bin/bash
[[ $1 == --log-file ]] || exit 2
echo "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU Performance Counters" > "$2"
exit 1
NCU
# And an nsys, for what needs none.
cat > "$root/bin/nsys" <<'NSYS'
#!/bin/bash
case $1 in
  profile)
    [[ $* == *" --output="*/trace\ *"/edt bench step "* ]] || exit 2
    for option; do [[ $option != --output=* ]] || : > "${option#--output=}.nsys-rep"; done
    ;;
  stats)
    [[ ${*: -1} == *.nsys-rep && -e ${*: -1} ]] || exit 2
    echo '"Time (%)","Total Time (ns)","Instances","Name"'
    echo '40.0,400,2,"norm_forward"'
    ;;
  *) exit 2 ;;
esac
NSYS
chmod +x "$root/bin/ncu" "$root/bin/nsys"

# shellcheck disable=SC2016
run='mount --rbind /proc "$1/proc" && mount --rbind /dev "$1/dev" &&
  exec chroot "$1" /bin/env -i PATH=/bin bash /gpu-check/gpu-check.sh run --dry --minutes 20'
status=0
unshare --mount --fork bash -c "$run" - "$root" || status=$?
if ((status)); then
  tail -n 30 "$root"/gpu-check/results/*.log
  exit 1
fi
# All steps that need no tool of NVIDIA's or PyTorch have run.
((1 == $(grep -c 'no rights to the GPU.s counters (ERR_NVGPUCTRPERM), so what binds' "$root/gpu-check/results/summary.txt"))) ||
  { echo "the summary does not say that ncu has no rights"; exit 1; }
if ! grep -q 'names and times of kernels are nsys' "$root"/gpu-check/results/*-kernels.log || ! grep -q norm_forward "$root/gpu-check/results/kernels.csv"; then
  echo "kernels are not named without counters"
  exit 1
fi
skipped=$(awk '$2 == "skipped" || $2 == "no-time" {print $1}' "$root/gpu-check/results/summary.txt" | tr '\n' ' ')
[[ $skipped == "machine refusals products counters racecheck memcheck torch-xl torch-s " ]] || { echo "skipped: $skipped"; exit 1; }
