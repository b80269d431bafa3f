#!/usr/bin/env bash
# Runs the command blocks of a page of the documentation as they are written: run_page.sh PAGE PROGRAM
# Each code block has a mark in the line before it:
#   <!-- run -->                   run here; the blocks of a page one after the other, in one shell and directory
#   <!-- run after: COMMANDS -->   the same, after commands that readers have no use for
#   <!-- needs VNNI -->            run where the processor has it
#   <!-- needs a cluster -->       not run, nor are those that need a GPU, time or the network
#   <!-- text -->                  no commands
# edt, mpirun and sbatch are those of stand-ins/, which make models and data sets small and nothing else.
set -euo pipefail
page=$(realpath "$1") EDT_PROGRAM=$(realpath "$2")
here=$(dirname "$(realpath "$0")")
source=$(realpath "$here/../..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
script=$work/page.sh log=$work/log

# What hidden commands may use beside: features and labels as the published extractor writes them, pictures and an
# autoencoder.
cat >"$script" <<'SETUP'
npy() {  # FILE TYPE SHAPE: of a few bytes of header, and what is on standard input
  local header
  printf -v header "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }" "$2" "$3"
  printf -v header '%-117s\n' "$header"
  { printf '\x93NUMPY\x01\x00\x76\x00%s' "$header" && cat; } >"$1"
}
make_features() {  # SAMPLES: of 4 x 8 x 8, of two classes
  mkdir -p features labels
  for ((i = 0; i < $1; ++i)); do
    for ((j = 0; j < 64; ++j)); do printf '\x00\x38\x00\xb8\x00\x3c\x00\x34'; done | npy "features/$i.npy" '<f2' '4, 8, 8'
    printf "\\x$((i % 2))\x00\x00\x00\x00\x00\x00\x00" | npy "labels/$i.npy" '<i8' '1,'
  done
}
draw_pictures() { "$EDT_DRAW_PICTURES" "$1"; }  # FOLDER
autoencoder() {  # FOLDER: as diffusers saves one; real in its structure, with few channels and random weights
  mkdir -p "$1"
  cp "$EDT_GOLDEN/vae/vae_tiny.safetensors" "$1/diffusion_pytorch_model.safetensors"
  cp "$EDT_GOLDEN/vae/vae_tiny_config.json" "$1/config.json"
}
set -euo pipefail
trap 'echo "$page:$line: this block failed" >&2' ERR
SETUP

blocks=0 unmarked=0
while IFS=$'\t' read -r line mark; do
  text=
  while IFS= read -r row && [[ $row != $'\f' ]]; do text+=$row$'\n'; done
  if [[ $mark == 'needs VNNI' ]] && grep -qE 'avx512_vnni|avx_vnni' /proc/cpuinfo; then mark=run; fi
  case $mark in
    run | 'run after: '*)
      blocks=$((blocks + 1))
      printf 'line=%s\n%s\n%s\n' "$line" "${mark#run}" "$text" | sed '2s/^ after: //' >>"$script"
      ;;
    'needs VNNI' | 'needs a cluster' | 'needs a GPU' | 'needs time' | 'needs the network') ;;
    text)
      if grep -qE '^(\$?edt|mpirun|sbatch) [a-z-]' <<<"$text"; then
        echo "$page:$line: this block is marked as text, and has commands" >&2
        unmarked=1
      fi
      ;;
    *)
      echo "$page:$line: a code block without a mark: run, run after: COMMANDS, needs ..., or text (tests/docs/run_page.sh)" >&2
      unmarked=1
      ;;
  esac
done < <(awk -f "$here/blocks.awk" "$page")
((unmarked == 0)) || exit 1

mkdir -p "$work/at/build/release"
ln -s "$source/configs" "$source/slurm" "$source/scripts" "$work/at/"
ln -s "$here/stand-ins/edt" "$work/at/build/release/edt"
export EDT_GOLDEN=$source/tests/golden
export EDT_PROGRAM page OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive COLUMNS=100 LINES=30
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none
EDT_MPIRUN=$(command -v mpirun || true)
export EDT_MPIRUN
PATH=$here/stand-ins:$PATH
if ! (cd "$work/at" && bash "$script" </dev/null >"$log" 2>&1); then
  tail -40 "$log"
  exit 1
fi
echo "${page##*/}: $blocks blocks run"
