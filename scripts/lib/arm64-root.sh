#!/usr/bin/env bash
# Debian's arm64 packages that edt is built from, unpacked into a folder; nothing is installed on this machine.
# Usage: arm64-root.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$(realpath -m "$1")
mapfile -t packages < <(scripts/install-dependencies.sh --list | grep -E '^lib.*-dev$|^nlohmann')
stamp=$root/.packages
if [[ -e $stamp && $(cat "$stamp") == "${packages[*]}" ]]; then exit 0; fi

# A package manager of another architecture, which believes that nothing is installed.
apt=$root/.apt
rm -rf "$root"
mkdir -p "$apt"/{lists/partial,cache/archives/partial}
: >"$apt/status"
options=(-o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o "Dir::State::lists=$apt/lists"
  -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root
  -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Debug::NoLocking=1 -qq)
apt-get "${options[@]}" update
apt-get "${options[@]}" --download-only -y --no-install-recommends install "${packages[@]}" >/dev/null

mkdir -p "$root/usr"/{bin,lib,sbin}
for folder in bin lib sbin; do ln -s "usr/$folder" "$root/$folder"; done
for package in "$apt"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" |
    tar -x -C "$root" --keep-directory-symlink --exclude './usr/share/doc' --exclude './usr/share/locale' \
      --exclude './usr/share/man' --exclude './dev'
done
# Links that begin at the root of the other machine lead into ours.
while IFS= read -r link; do
  ln -sfn "$(realpath -m --relative-to "$(dirname "$link")" "$root$(readlink "$link")")" "$link"
done < <(find "$root" -type l -lname '/*')
rm -rf "$apt"
echo "${packages[*]}" >"$stamp"
