#!/usr/bin/env bash
# What `edt plan` predicts against what is measured on this machine: memory of a rank and time of a step. Each row
# calibrates for its kernels and links (with no more ranks than cores) and measures, three times in turn (--quick: once),
# so that a machine that drifts favours neither; the medians count. Needs jq; rows over links between namespaces need root and iproute2.
# Usage: scripts/plan-check.sh [--quick] [FIRST [LAST]]     rows by number; --quick: fewer rounds, one turn
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib/ranks.sh
source scripts/lib/link.sh
rounds=3 turns=3 cores=$(nproc --all)
if [[ ${1:-} == --quick ]]; then
  rounds=1 turns=1
  shift
fi
first=${1:-1} last=${2:-99}
if (($# > 2)) || ! [[ $first$last =~ ^[0-9]+$ ]]; then
  echo "scripts/plan-check.sh: '$*' is not [--quick] [FIRST [LAST]]" >&2
  exit 2
fi

work=$(mktemp -d)
linked=
clean_up() {
  [[ -z $linked ]] || link_down
  rm -rf "$work"
}
trap clean_up EXIT

# ranks  link  model  micro-batch  zero (2/4: stage 2 within groups of 4)  tensor  recompute  what is added: beside the network, or in it
rows=(
  "1 - EDT-Ti/2 8 0 1 none"
  "1 - EDT-S/2 4 0 1 none"
  "1 - EDT-S/2 4 0 1 full"
  "1 - EDT-B/2 2 0 1 none"
  "2 - EDT-Ti/2 8 1 1 none"
  "2 - EDT-S/2 4 0 1 none"
  "2 - EDT-S/2 4 1 1 none"
  "2 - EDT-S/2 4 2 1 none"
  "2 - EDT-S/2 4 3 1 none"
  "2 - EDT-S/2 4 0 2 none"
  "2 - EDT-B/2 2 2 1 none"
  "4 - EDT-S/2 2 1 1 none"
  "4 - EDT-S/2 2 3 2 none"
  "2 1gbit EDT-S/2 4 1 1 none"
  "2 1gbit EDT-S/2 4 3 1 none"
  "2 100mbit EDT-S/2 2 1 1 none"
  "2 100mbit EDT-Ti/2 8 2 1 none"
  "1 - SiT-S/2 8 0 1 none"
  "1 - LightningDiT-S/1 4 0 1 none"
  "1 - LightningDiT-B/1 2 0 1 full"
  "2 - LightningDiT-S/1 4 2 1 none"
  "2 - LightningDiT-S/1 4 0 2 none"
  "1 - EDT-S/2 4 0 1 none latent"
  "1 - SiT-S/2 8 0 1 none latent"
  "2 - EDT-S/2 4 2 1 none latent"
  "1 - EDT-S/2 4 0 1 none features"
  "1 - SiT-S/2 8 0 1 none features"
  "2 - EDT-S/2 4 2 1 none features"
  "1 - EDT-S/2 4 0 1 none teacher"
  "2 - EDT-S/2 4 2 1 none teacher"
  "2 - EDT-S/2 4 3 1 none teacher"
  "1 - EDT-S/2 4 0 1 none prototypes"
  "1 - EDT-S/2 4 0 1 none distilled"
  "2 - EDT-S/2 4 2 1 none distilled"
  "3 - EDT-S/2 2 1 1 none"
  "3 - EDT-S/2 2 2 1 none"
  "6 - EDT-Ti/2 4 1 1 none"
  "6 - EDT-Ti/2 4 3 1 none"
  "1 - E-MMDiT-S 2 0 1 none"
  "2 - E-MMDiT-S 2 2 1 none"
  "1 - E-MMDiT-S 2 0 1 full"
  "1 - EDT-S/2 4 0 1 none text"
  "2 - EDT-S/2 4 0 2 none text"
  "1 - MDTv2-S/1d 4 0 1 none sequence"
  "2 - MDTv2-S/1d 4 1 1 none sequence"
  "1 - EDT-S/2 4 0 1 none linear"
  "2 - EDT-S/2 4 0 2 none linear"
  "1 - EDT-S/2 4 0 1 none spatial"
  "1 - EDT-S/2 4 0 1 none affine"
  "4 - EDT-S/2 2 1/2 1 none"
  "4 - EDT-S/2 2 2/2 1 none"
  "4 - EDT-S/2 2 3/2 1 none"
)

# beside_options WHAT: the options of what is added, in the array passes.
beside_options() {
  case $1 in
    '') ;;
    text) passes+=(--model.text-form=cross --model.text-tokens=77 --model.text-channels=768) ;;
    sequence) passes+=(--model.sequence-length=256 --model.channels=64 --model.frame-channels=32) ;;
    linear) passes+=("--model.attention-form=linear,softmax,softmax,softmax,linear") ;;
    spatial) passes+=(--model.spatial-layer=real) ;;
    affine) passes+=(--model.modulation=affine) ;;
    features) passes+=(--align.with=features --align.features.arrays=dinov2-b --align.features.dims=768) ;;
    distilled)
      [[ -d $work/finished ]] || finish_a_run
      passes+=(--distill.from="$work/finished" --distill.attention=10 --model.classes=12)
      ;;
    *) passes+=(--align.with="$1") ;;
  esac
}

# A teacher of the size of the student: EDT-S after one step.
finish_a_run() {
  "$edt" data synth --out "$work/data" --samples 24 --image-size 256 --quiet >/dev/null
  "$edt" train --data="$work/data" --model=EDT-S/2 --train.batch=1 --train.micro-batch=1 --train.steps=1 \
    --run.dir="$work/finished" --run.tensorboard=off --quiet
}

# Each core has as many ranks as the others.
share_cores() {
  local ranks=$1 used=$cores
  while ((ranks > used && ranks % used)); do used=$((used - 1)); done
  pinned=(env)
  if ((used < cores)); then pinned=(taskset -c "0-$((used - 1))"); fi
  per_core=$(((ranks + used - 1) / used))
}

# launch RANKS LINK command...
launch() {
  local ranks=$1 link=$2
  shift 2
  if [[ $link != - ]]; then
    if [[ -z $linked ]]; then
      link_up
      linked=yes
    fi
    link_limit "$link"
    on_link "$@"
  elif [[ $ranks == 1 ]]; then
    "${pinned[@]}" "$@"
  else
    on_ranks "$ranks" "${pinned[@]}" "$@"
  fi
}

printf '| ranks | link | model | micro-batch | zero | tensor | recompute | memory measured | predicted | ratio |'
printf ' step measured | predicted | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n'
number=0
for row in "${rows[@]}"; do
  number=$((number + 1))
  ((number >= first && number <= last)) || continue
  read -r ranks link model size zero tensor recompute beside <<<"$row"
  passes=()
  [[ $zero != */* ]] || passes+=(--parallel.shard-ranks="${zero#*/}")
  [[ $model == EDT* || $model == MDTv2* ]] || passes=(--train.masked=off)
  beside_options "$beside"
  cluster=$work/$number.ini
  share_cores "$ranks"
  if ((ranks > 1 && ranks == per_core)); then
    echo "row $number: $ranks ranks on $cores cores cannot share them evenly but for one, which has no link to measure: left out" >&2
    continue
  fi
  : >"$work/measured"
  : >"$work/planned"
  for ((turn = 0; turn < turns; ++turn)); do
    rm -f "$work/$number".*
    launch $((ranks / per_core)) "$link" "$edt" plan --quiet --calibrate="$cluster" --rounds="$rounds" --model="$model" \
      --train.micro-batch="$size" --parallel.tensor="$tensor" --train.recompute="$recompute" "${passes[@]}" >/dev/null
    "$edt" plan --cluster="$cluster" --ranks="$ranks" --ranks-per-device="$per_core" --search=off --json --model="$model" \
      --train.batch=$((size * ranks / tensor)) --train.micro-batch="$size" --train.recompute="$recompute" \
      --parallel.tensor="$tensor" --parallel.zero="${zero%/*}" "${passes[@]}" | jq -c '.fitting[0]' >>"$work/planned"
    launch "$ranks" "$link" "$edt" bench step --json --model="$model" --micro-batch="$size" --rounds="$rounds" \
      --steps=3 --recompute="$recompute" --parallel.tensor="$tensor" --parallel.zero="${zero%/*}" "${passes[@]}" | jq -c . >>"$work/measured"
  done
  jq -rs --slurpfile planned "$work/planned" --arg row "| $ranks | $link | $model${beside:+, $beside} | $size | $zero | $tensor | $recompute |" '
    def median: sort | .[length / 2 | floor];
    def r(d): . * d | round / d;
    ([.[].peak_memory_bytes] | median / 1048576) as $m
    | ([$planned[].memory_bytes] | median / 1048576) as $mp
    | ([.[].step_seconds] | median) as $t
    | ([$planned[].step_seconds] | median) as $tp
    | "\($row) \($m | r(1)) MiB | \($mp | r(1)) MiB | \($mp / $m | r(1000)) | \($t | r(1000)) s (\([.[].fastest_seconds] | min | r(1000)) to \([.[].slowest_seconds] | max | r(1000))) | \($tp | r(1000)) s | \($tp / $t | r(1000)) |"
  ' "$work/measured"
done
