# A study of quality as an array, one run for each element: what is measured is what one process measures. An element that
# is warned in the middle of its training saves, is requeued and goes on.
source "$(dirname "$0")/../lib.sh"
"$edt" data synth --out data --samples 64 --image-size 64 --quiet >/dev/null
# A budget of FLOPs: how many steps that is does not depend on the machine.
study=(--data "$work/data" --arms "edt,dit" --seeds 0 --flops 1e10 --points 2 --batch 8 --micro-batch 4 --samples 16
  --sampler-steps 2 --draws 4 --pictures 10 --run.threads 1)
"$edt" bench quality "${study[@]}" --out "$work/alone" --quiet >/dev/null

undisturbed=$(submit --array=0 --time=10 "$root/slurm/quality.sbatch" "${study[@]}" --out "$work/study")
export EDT=$faulty_edt EDT_FAULT="all phase:optimizer 4 told $work/held"
warned=$(submit --array=1 --time=10 "$root/slurm/quality.sbatch" "${study[@]}" --out "$work/study")
wait_until "the second run in step 4" test -e held.0
scancel --batch --signal=USR1 "${warned}_1"
ended "${undisturbed}_0" COMPLETED
ended "${warned}_1" COMPLETED
(($(restarts_of "${warned}_1") == 1)) || fail "requeued $(restarts_of "${warned}_1") times"
grep -q "going on after step 4" study/runs/dit-seed-0/logs/rank-00000.log || fail "it did not go on after step 4"

"$edt" bench quality "${study[@]}" --out "$work/study" --run off --quiet >/dev/null
[[ -s study/quality.html ]] || fail "there is no page"
count=0
for point in alone/points/*.json; do
  diff <(grep -v '"seconds"' "$point") <(grep -v '"seconds"' "study/${point#alone/}") || fail "$point differs"
  count=$((count + 1))
done
((count == 4)) || fail "$count measurements, not 4"
