#!/usr/bin/env bash
# Trains the same 20 steps on 1, 2, 4 and 8 ranks, in 12 micro-batches on 2, 3 and 6, in 10 on 5, with every ZeRO
# stage, over all ranks and within groups of 2 and 4, overlap on and off, and with interruptions after which another number of ranks and another stage go on: EDT, EDT with a flow,
# LightningDiT with QK norm, EDT and LightningDiT with ternary weights, EDT with shared modulations, EDT with cross-attention to captions, E-MMDiT, MDTv2 of sequences, EDT with linear attention in its outer stages and with spatial layers, and EDT with each of what can train beside it. Uses perl
# for random features.
# Compares weights, moving average, optimizer state and sampler history with those of one rank, bit by
# bit, and prints a table. Exit status 1 when one differs.
# Usage: scripts/same-bits.sh [--quick] [--keep DIRECTORY] [TABLE...]     of edt, flow, lightning, ternary, affine, text, emmdit, sequence, linear, spatial, latent, features, teacher, prototypes, distilled, pruned and gated; none named: all
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
[[ $# -gt 0 ]] || tables=(edt flow lightning ternary affine text emmdit sequence linear spatial latent features teacher prototypes distilled pruned gated)
for name in "${tables[@]}"; do
  case $name in
    edt | flow | lightning | ternary | affine | text | emmdit | sequence | linear | spatial | latent | features | teacher | prototypes | distilled | pruned | gated) ;;
    *)
      echo "usage: scripts/same-bits.sh [--quick] [--keep DIRECTORY] [TABLE...]     of edt, flow, lightning, ternary, affine, text, emmdit, sequence, linear, spatial, latent, features, teacher, prototypes, distilled, pruned and gated, not '$name'" >&2
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
sequence=(--model.preset=MDTv2-Ti/1d --model.widths=16 --model.heads=2 "--model.depths=2,1" --data.normalize=on)
emmdit=(--model.preset=E-MMDiT-S --model.widths=16 --model.heads=2 "--model.depths=1,2,1" --model.text-tokens=16
  --train.masked=off)
ternary=(--model.weights=ternary --model.modulation-norm=on)

# Pictures of 16 x 16 latents with captions, for both models that read texts.
captioned() {
  [[ -d $work/captioned ]] ||
    "$edt" data synth --out "$work/captioned" --captions=on --samples 240 --image-size 128 --quiet >/dev/null
}

# row REFERENCE TEXT RUN: compares with the reference and prints a line of the table.
row() {
  local outcome
  if outcome=$("$edt" ckpt compare --first "$1" --second "$3"); then
    outcome="same"
  else
    failures=$((failures + 1))
  fi
  printf '| %s | %s |\n' "$2" "$outcome"
}

# train RANKS STAGE OVERLAP RUN further options... STAGE: 0 to 3, or 3/2, within groups of 2 ranks.
train() {
  local ranks=$1 stage=$2 overlap=$3 run=$4 groups=()
  shift 4
  # A run that goes on keeps what it is not told.
  case $stage in
    */*) groups=(--parallel.shard-ranks="${stage#*/}") ;;
    [123]) groups=(--parallel.shard-ranks=0) ;;
  esac
  on_ranks "$ranks" "$edt" train "${options[@]}" --run.dir="$run" --parallel.zero="${stage%/*}" \
    --parallel.overlap="$overlap" "${groups[@]}" "$@"
}

# every SOME RANKS...: each of the ranks at every stage, as "ranks stage overlap;..."; with --quick SOME alone.
every() {
  local some=$1 ranks stage size
  shift
  if [[ $quick == on ]]; then
    echo "$some"
    return
  fi
  for ranks in "$@"; do
    for stage in 0 1 2 3; do printf '%s %s on;%s %s off;' "$ranks" "$stage" "$ranks" "$stage"; done
    for size in 2 4; do
      ((size < ranks && ranks % size == 0)) || continue
      for stage in 1 2 3; do printf '%s %s/%s on;' "$ranks" "$stage" "$size"; done
    done
  done
}

# rows RUNS MICRO-BATCHES LAYOUTS options...: against one rank with as many micro-batches.
rows() {
  local runs=$1 count=$2 layouts=$3 ranks stage overlap run
  shift 3
  local reference=$runs/reference-$count cut=(--train.batch=$((2 * count)) --train.micro-batch=2)
  train 1 0 off "$reference" "${cut[@]}" "$@"
  while read -r -d ';' ranks stage overlap; do
    run="$runs/$count-$ranks-${stage/\//-within-}-$overlap"
    train "$ranks" "$stage" "$overlap" "$run" "${cut[@]}" "$@"
    row "$reference" "$count micro-batches, $ranks ranks, stage ${stage/\// within }, overlap $overlap" "$run"
  done <<<"${layouts%;};"
}

# interrupted RUNS MICRO-BATCHES options...: after steps 7 and 13; from the input ranks and stage of each third.
interrupted() {
  local runs=$1 count=$2 number=0 run r1 s1 r2 s2 r3 s3
  shift 2
  local cut=(--train.batch=$((2 * count)) --train.micro-batch=2)
  while read -r r1 s1 r2 s2 r3 s3; do
    number=$((number + 1))
    run="$runs/resumed-$count-$number"
    train "$r1" "$s1" on "$run" --train.steps=7 "${cut[@]}" "$@"
    train "$r2" "$s2" on "$run" --train.steps=13 "${cut[@]}" "$@"
    train "$r3" "$s3" on "$run" "${cut[@]}" "$@"
    row "$runs/reference-$count" "$r1 ranks stage ${s1/\// within } to step 7, $r2 stage ${s2/\// within } to 13, $r3 stage ${s3/\// within } to 20" "$run"
    [[ $quick == off ]] || break
  done
}

# table NAME options...: all of it for one model.
table() {
  local name=$1 runs="$work/${1// /-}"
  shift
  mkdir -p "$runs"
  printf '| %s: micro-batches, ranks, ZeRO stage, overlap | against one rank |\n|---|---|\n' "$name"
  rows "$runs" 8 "$(every "1 1 on;2 3 off;4 0 on;4 3/2 on;8 2 on" 1 2 4 8)" "$@"
  rows "$runs" 12 "$(every "3 2 on;6 1 off;6 2/2 on" 2 3 6)" "$@"
  rows "$runs" 10 "$(every "5 3 on" 5)" "$@"
  interrupted "$runs" 8 "$@" <<'END'
1 0 2 3 8 1
2 1 4 2 1 0
4 3 1 1 2 2
8 2 2 0 4 3
8 3/2 4 2 8 1/4
END
  interrupted "$runs" 12 "$@" <<'END'
3 2 6 3 1 0
6 1 2 2 3 3
1 0 3 1 4 2
6 3/2 4 2/2 3 1
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
    pruned)
      table "EDT that is being pruned" --prune.target=0.7 --prune.decided-by=16 --prune.hidden-multiple=4 --prune.speed=1
      ;;
    gated)
      # The pass of the complete network ends between two interruptions.
      table "EDT with gates" --dynamic.target=0.5 --dynamic.router-bias=1 --dynamic.token-bias=1 --dynamic.warmup=8 \
        --train.masked=off --dynamic.complete-steps=10 --train.timesteps=stratified
      ;;
    lightning) table LightningDiT "${lightning[@]}" ;;
    ternary)
      table "EDT with ternary weights" "${ternary[@]}"
      table "LightningDiT with ternary weights" "${lightning[@]}" "${ternary[@]}"
      ;;
    sequence)
      "$edt" data synth "$work/moves" --length 24 --samples 240 --quiet >/dev/null
      pictures=("${options[@]}")
      options=("${options[@]/#--model.image-size=*/--model.channels=6}")
      table "MDTv2 of sequences" "${sequence[@]}" --data="$work/moves"
      options=("${pictures[@]}")
      ;;
    affine) table "EDT with shared modulations and tables" --model.modulation=affine ;;
    text)
      captioned
      table "EDT with cross-attention to captions" --data="$work/captioned" --model.text-form=cross
      ;;
    emmdit)
      captioned
      table E-MMDiT "${emmdit[@]}" --data="$work/captioned"
      ;;
    linear)
      table "EDT with linear attention" --model.attention-form=linear,softmax,softmax,softmax,linear --model.attention-narrowing=2
      ;;
    spatial) table "EDT with spatial layers" --model.spatial-layer=complex --model.spatial-states=4 ;;
  esac
done

if ((failures > 0)); then
  echo "$failures runs differ" >&2
  exit 1
fi
