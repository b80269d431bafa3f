#!/usr/bin/env bash
# Ranks on a machine with two memory domains of two cores each, which qemu emulates with Debian's kernel: which cores each
# of them runs on, where its memory is, and what edt doctor says. Needs qemu-system-x86, busybox-static, cpio and apt (for
# the kernel package, which is not installed). Some minutes, as every instruction is emulated.
# Usage: scripts/numa-check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
edt=$(realpath "${EDT_BUILD:-build/release}/edt")
for program in qemu-system-x86_64 busybox cpio apt-get dpkg-deb; do
  command -v "$program" >/dev/null || { echo "$program is missing: apt-get install qemu-system-x86 busybox-static cpio" >&2 && exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
libraries=/usr/lib/x86_64-linux-gnu
mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp,usr/bin,usr/share,lib64} "$root$libraries"

# The kernel that the present one of Debian's clouds depends on.
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -n 1)
(cd "$work" && apt-get download -qq "$kernel" 2>/dev/null && dpkg-deb -x "$kernel"*.deb kernel)

# A root of the program, Open MPI and what both load.
cp "$edt" "$root/bin/edt"
cp "$(command -v busybox)" "$root/bin/busybox"
cp "$(readlink -f "$(command -v mpirun)")" "$root/usr/bin/mpirun"
cp -rL "$libraries/openmpi" "$libraries/pmix2" "$root$libraries/"
cp -rL /usr/share/openmpi "$root/usr/share/"
cp -rL /etc/openmpi "$root/etc/"
{ ldd "$edt" "$root/usr/bin/mpirun"; find "$root$libraries" -name '*.so*' -exec ldd {} \; 2>/dev/null; } |
  sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -nL "$library" "$root$library"
  done
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
echo 'root:x:0:0:root:/tmp:/bin/sh' >"$root/etc/passwd"
echo '127.0.0.1 localhost numa' >"$root/etc/hosts"
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t devtmpfs dev /dev
mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm && mount -t tmpfs tmp /tmp
hostname numa && ifconfig lo 127.0.0.1 up
export LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu PATH=/bin:/usr/bin HOME=/tmp
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_plm_rsh_agent=/bin/sh OMPI_MCA_btl=self,vader
ranks() {
  echo "== mpirun $*"
  mpirun --oversubscribe "$@" edt doctor /tmp 2>&1 | grep -E 'domains|by no rank|share'
}
ranks -np 1 --bind-to none
ranks -np 2 --bind-to none
ranks -np 3 --bind-to none
ranks -np 4 --bind-to none
ranks -np 2
ranks -np 2 --map-by ppr:1:numa --bind-to numa
# What each rank has touched, by domain, once it computes.
for bind in numa none; do
  echo "== memory of two ranks, --bind $bind"
  mpirun --bind-to none -np 2 edt bench step --model EDT-S/2 --micro-batch 4 --rounds 9 --bind $bind >/tmp/out 2>&1 &
  sleep 60
  for process in $(pidof edt); do
    awk '/anon=/ {for (i = 1; i <= NF; ++i) {split($i, of, "="); if (of[1] == "N0") zero += of[2]; if (of[1] == "N1") one += of[2]}}
      END {printf "pages: %d in domain 0, %d in domain 1\n", zero, one}' "/proc/$process/numa_maps"
  done
  kill $! && wait
done
poweroff -f
INIT
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1 >"$work/initrd")

timeout 1200 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 4G -smp 4,sockets=2,cores=2,threads=1 \
  -object memory-backend-ram,id=m0,size=2G -object memory-backend-ram,id=m1,size=2G \
  -numa node,nodeid=0,cpus=0-1,memdev=m0 -numa node,nodeid=1,cpus=2-3,memdev=m1 -numa dist,src=0,dst=1,val=21 \
  -kernel "$work"/kernel/boot/vmlinuz-* -initrd "$work/initrd" -append "console=ttyS0 quiet panic=-1 rdinit=/init" \
  -nographic -no-reboot </dev/null | tr -d '\r' | sed -n '/== mpirun/,$p' | tee "$work/out"

# expect TEXT WHAT: the output has it.
expect() { grep -qF "$1" "$work/out" || { echo "FAILED: $2" >&2 && exit 1; }; }
expect "its 2 ranks run on cores 0-1 | 2-3" "two ranks have a domain each"
expect "its 4 ranks run on cores 0-1 | 0-1 | 2-3 | 2-3" "four ranks share two domains"
expect "3 ranks on numa run in several of its 2 memory domains" "three ranks do not fit"
expect "2 of 4 cores of numa are used by no rank, its 2 ranks run on 0-1" "what mpirun does by itself is seen"
echo "ranks run where they should"
