#!/usr/bin/env bash
# Trains the same 20 steps on 1, 2, 4 and 8 ranks, with every ZeRO stage, overlap on and off, and with
# interruptions after which another number of ranks and another stage go on: EDT, EDT with a flow,
# LightningDiT with QK norm, and EDT with each of what can train beside it. Uses perl for random features.
# Compares weights, moving average, optimizer state and sampler history with those of one rank, bit by
# bit, and prints a table. Exit status 1 when one differs.
# Usage: scripts/same-bits.sh [--quick] [--keep DIRECTORY] [TABLE...]     of edt, flow, lightning, latent, features, teacher, prototypes and distilled; none named: all
# --quick: each number of ranks and each stage once, and one interruption.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib/ranks.sh

quick=off
if [[ ${1:-} == --quick ]]; then
  quick=on
  shift
fi
if [[ ${1:-} == --keep && $# -ge 2 ]]; then
  work=$2
  mkdir -p "$work"
  shift 2
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
tables=("$@")
[[ $# -gt 0 ]] || tables=(edt flow lightning latent features teacher prototypes distilled)
for name in "${tables[@]}"; do
  case $name in
    edt | flow | lightning | latent | features | teacher | prototypes | distilled) ;;
    *)
      echo "usage: scripts/same-bits.sh [--quick] [--keep DIRECTORY] [TABLE...]     of edt, flow, lightning, latent, features, teacher, prototypes and distilled, not '$name'" >&2
      exit 2
      ;;
  esac
done
failures=0

tiny_data "$work/data"
read -ra options <<<"$(tiny_train_options "$work/data")"
flow=(--process.kind=flow --train.timesteps=loss-second-moment --train.direction-weight=1)
lightning=(--model.preset=LightningDiT-S/1 --model.patch=2 --model.widths=16 --model.heads=2 --model.depths=2
  --model.qk-norm=rms --train.masked=off --train.timesteps=logit-normal --train.direction-weight=1)

# row RUNS TEXT RUN: compares with the reference and prints a line of the table.
row() {
  local outcome
  if outcome=$("$edt" ckpt compare --first "$1/reference" --second "$3"); then
    outcome="same"
  else
    failures=$((failures + 1))
  fi
  printf '| %s | %s |\n' "$2" "$outcome"
}

# train RANKS STAGE OVERLAP RUN further options...
train() {
  local ranks=$1 stage=$2 overlap=$3 run=$4
  shift 4
  on_ranks "$ranks" "$edt" train "${options[@]}" --run.dir="$run" --parallel.zero="$stage" \
    --parallel.overlap="$overlap" "$@"
}

# table NAME options...: all of it for one model.
table() {
  local name=$1 runs="$work/${1// /-}"
  shift
  mkdir -p "$runs"
  train 1 0 off "$runs/reference" "$@"
  printf '| %s: ranks, ZeRO stage, overlap | against one rank |\n|---|---|\n' "$name"
  local layouts
  if [[ $quick == on ]]; then
    layouts="1 1 on;2 3 off;4 0 on;8 2 on"
  else
    layouts=$(for ranks in 1 2 4 8; do
      for stage in 0 1 2 3; do printf '%s %s on;%s %s off;' "$ranks" "$stage" "$ranks" "$stage"; done
    done)
  fi
  while read -r -d ';' ranks stage overlap; do
    run="$runs/$ranks-$stage-$overlap"
    train "$ranks" "$stage" "$overlap" "$run" "$@"
    row "$runs" "$ranks ranks, stage $stage, overlap $overlap" "$run"
  done <<<"${layouts%;};"

  # Interrupted after steps 7 and 13: ranks and stage of each third.
  local number=0
  while read -r r1 s1 r2 s2 r3 s3; do
    number=$((number + 1))
    run="$runs/resumed-$number"
    train "$r1" "$s1" on "$run" --train.steps=7 "$@"
    train "$r2" "$s2" on "$run" --train.steps=13 "$@"
    train "$r3" "$s3" on "$run" "$@"
    row "$runs" "$r1 ranks stage $s1 to step 7, $r2 stage $s2 to 13, $r3 stage $s3 to 20" "$run"
    [[ $quick == off ]] || break
  done <<'END'
1 0 2 3 8 1
2 1 4 2 1 0
4 3 1 1 2 2
8 2 2 0 4 3
END
}

for name in "${tables[@]}"; do
  case $name in
    edt) table EDT ;;
    flow) table "EDT with a flow" "${flow[@]}" ;;
    teacher) table "EDT aligned with its moving average, with others" --align.with=teacher --optimizer.power-averages=0.05,0.1 ;;
    latent) table "EDT aligned with its latents" --align.with=latent --align.latent.pass=both ;;
    prototypes)
      table "EDT choosing prototypes" --align.with=prototypes --align.prototypes.count=24 --align.prototypes.width=8
      ;;
    features)
      tiny_features "$work/data" "$work/features"
      table "EDT aligned with features" --data="$work/features" --align.with=features \
        --align.features.arrays=random --align.features.projector=24
      ;;
    distilled)
      train 1 0 off "$work/finished" --train.steps=3
      table "EDT distilled from a finished run" --distill.from="$work/finished" --distill.attention=10
      ;;
    lightning) table LightningDiT "${lightning[@]}" ;;
  esac
done

if ((failures > 0)); then
  echo "$failures runs differ" >&2
  exit 1
fi
