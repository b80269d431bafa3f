# shellcheck shell=bash disable=SC2154  # pack and is_dry are of the script that sources this
# The steps of scripts/gpu-check.sh, in order: what decides most comes first. Sourced.

# Name, limit in seconds, and the question that the step answers. Of the first call, of eight minutes, are those down to
# bench-xl; what follows is for a second.
steps() {
  cat <<'LIST'
machine 20 What GPU, driver and libraries are there?
libraries 20 Does everything that was packed find its libraries?
doctor 30 Does edt see the GPU?
ops 120 Is every op right, and the streams, graphs and products at once?
refusals 30 What does cuBLASLt refuse?
kernels 60 Which kernels does a step launch: is an epilogue a kernel of its own?
products 45 How fast are the library's products and copies, and does padding rows gain?
bench-ops 100 How fast is every op, with the epilogues of its products and without?
counters 75 What binds attention and norms: issue, shared memory, memory?
bench-xl 60 How fast is a step of EDT-XL/2 at 128 images, with CUDA graphs and without?
epilogues 60 How fast without epilogues, and with gelu kept?
bench-s 40 How fast is a step of EDT-S/2 at 128 images?
same-bits 60 Have two runs, with CUDA graphs and without, the same weights?
repeats 60 Has every op the same bits 200 times?
racecheck 60 Do threads of a block race?
memcheck 60 Does any small op touch memory that is not its own?
golden 60 Are outputs, losses, gradients and samples the published ones?
tune 90 What do products chosen by timing gain, and do runs with them have the same bits?
torch-xl 120 How fast is EDT-XL/2 in PyTorch?
curve 60 Does bf16 on the GPU learn as float32 on the processor does?
torch-s 60 How fast is EDT-S/2 in PyTorch?
bench-b 60 How fast is a step of EDT-B/2 at 128 images?
bench-graphs 40 What do CUDA graphs gain in EDT-S/2 at 16 images?
bench-sampling 30 How fast is a guided sampler step?
LIST
}

# Sets what steps use: edt, programs, models, sizes. In a dry run the models are tiny, and the GPU is emulated.
prepare() {
  local at=$pack/unpacked
  bin=$at/bin
  edt=$bin/edt
  work=$at/work-$$
  mkdir -p "$work"
  trap 'rm -rf "$work"' EXIT
  export EDT_GOLDEN_DIR=$at/golden
  if [[ $is_dry == yes ]]; then
    export EDT_PLUGINS=$at/emulated OMP_NUM_THREADS=1
    tiny=(--model EDT-Ti/2 --model.image-size 64 --model.widths "8,12,16,12,8" --model.heads "2,3,4,3,2")
    xl=("${tiny[@]}") s=("${tiny[@]}") b=("${tiny[@]}")
    data=$at/tiny pictures=16 side=64 batch=4 half=2 steps=2
    rounds=(--rounds 1)
  else
    xl=(--model EDT-XL/2) s=(--model EDT-S/2) b=(--model EDT-B/2)
    data=$at/data pictures=256 side=256 batch=128 half=64 steps=20
    rounds=()
  fi
  cuda_libraries=$(find_cuda)
  # Drawn here, as they would take megabytes of the pack.
  [[ -d $data ]] || edt data synth --out "$data" --samples "$pictures" --image-size "$side" --quiet
}

# The folders that have CUDA's runtime and cuBLASLt, of the toolkit or of PyTorch, where the loader finds none itself.
find_cuda() {
  local folder found=
  for folder in /usr/local/cuda/lib64 /usr/local/cuda-13*/lib64 /usr/local/cuda-13*/targets/x86_64-linux/lib \
    /usr/lib/python3*/site-packages/nvidia/cu13/lib /usr/local/lib/python3*/*-packages/nvidia/cu13/lib \
    /opt/*/lib/python3*/site-packages/nvidia/cu13/lib; do
    [[ -e $folder/libcublasLt.so.13 || -e $folder/libcudart.so.13 ]] && found+=:$folder
  done
  # Beside a PyTorch that lies elsewhere.
  for folder in $(python3 -c 'import nvidia; print(*nvidia.__path__)' 2>/dev/null); do
    [[ -e $folder/cu13/lib/libcublasLt.so.13 ]] && found+=:$folder/cu13/lib
  done
  echo "$found"
}

# Runs a packed program with the packed libraries; programs of this machine keep their own.
packed() { LD_LIBRARY_PATH=$pack/unpacked/lib$cuda_libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$@"; }
edt() { packed "$edt" "$@"; }

# Ends the step as skipped.
skip() { echo "skipped: $*"; exit 77; }
needs() { command -v "$1" >/dev/null || skip "there is no $1 here"; }

# A benchmark's line of JSON also goes beside the logs.
keep() { tee "${EDT_RESULTS:-$work}/$1.json"; }

step_machine() {
  uname -a
  nproc
  echo "libraries of CUDA: ${cuda_libraries:-in the path of the loader, or nowhere}"
  cat "$pack/unpacked/version.txt"
  needs nvidia-smi
  nvidia-smi
  nvidia-smi -q -d CLOCK,POWER,ECC
}

step_libraries() {
  local missing=no file list
  for file in "$bin"/* "$pack"/unpacked/lib/*.so* "$pack/unpacked/lib/edt/plugins/libedt_cuda.so" "$pack/unpacked/emulated/libedt_cuda.so"; do
    list=$(packed /lib64/ld-linux-x86-64.so.2 --list "$file" 2>&1) || true
    # In a dry run there is nothing of NVIDIA's.
    [[ $is_dry == yes ]] && list=$(grep -v 'libcudart\.so\|libcublasLt\.so' <<< "$list" || true)
    if grep 'not found\|cannot open' <<< "$list"; then
      echo "needed by $file"
      missing=yes
    fi
  done
  [[ $missing == no ]] || { echo "libraries are missing"; return 1; }
}

step_doctor() {
  edt --version
  edt doctor "$work" | tee "$work/doctor"
  grep -q '^GPU ' "$work/doctor" || { echo "no GPU is seen: $(grep '^GPUs' "$work/doctor")"; return 1; }
}

# Tests that have run, on a GPU.
tests() {
  packed "$bin/$1" --gtest_filter="$2" | tee "$work/tests"
  grep -q '^\[ *PASSED *\] [1-9]' "$work/tests" || { echo "no test has passed"; return 1; }
  ! grep 'no GPU' "$work/tests"
}

step_ops() {
  local filter='*'
  [[ $is_dry == yes ]] && filter='*OpsMemory*:*OpsStreams*'
  tests cuda_test "$filter"
}

step_golden() {
  local filter='Cuda/*'
  [[ $is_dry == yes ]] && filter='Cuda/Golden.OutputsWithAndWithoutModulationMatrix/*'
  tests golden_test "$filter"
}

train() {
  edt train "${s[@]}" --data.path "$data" --run.device cuda --run.dtype bf16 --train.batch "$batch" \
    --train.micro-batch "$half" --train.steps "$steps" --run.checkpoint-every "$steps" --quiet "$@"
}

step_same_bits() {
  train --run.dir "$work/a"
  train --run.dir "$work/b"
  train --run.dir "$work/without" --run.cuda-graphs off
  edt ckpt compare --first "$work/a" --second "$work/b"
  edt ckpt compare --first "$work/a" --second "$work/without"
}

# A GPU alone shows an order of sums that depends on which blocks come first.
step_repeats() {
  local filter='Ops/Cuda.Repeats/*' times=200
  [[ $is_dry == yes ]] && filter='Ops/Cuda.Repeats/linear*' times=3
  EDT_REPEATS=$times tests cuda_test "$filter"
}

step_curve() {
  [[ $is_dry == yes ]] && { packed "$bin/gpu_curve_test" --gtest_list_tests; return; }
  tests gpu_curve_test '*'
}

bench() { edt bench step --device cuda --dtype bf16 "${rounds[@]}" --json "$@"; }
step_bench_xl() {
  nvidia-smi -q -d CLOCK,POWER || true
  bench "${xl[@]}" --micro-batch "$batch" | keep bench-xl
  [[ $is_dry == yes ]] || bench "${xl[@]}" --micro-batch "$batch" --cuda-graphs off | keep bench-xl-without-graphs
}
# A granted epilogue may be slower than kernels after the product.
step_epilogues() {
  bench "${xl[@]}" --micro-batch "$batch" --epilogues off | keep bench-xl-without-epilogues
  bench "${xl[@]}" --micro-batch "$batch" --recompute least | keep bench-xl-gelu-kept
}
step_bench_b() { bench "${b[@]}" --micro-batch "$batch" | keep bench-b; }
step_bench_s() { bench "${s[@]}" --micro-batch "$batch" | keep bench-s; }
step_bench_graphs() {
  bench "${s[@]}" --micro-batch "$((batch / 8 + 1))" --cuda-graphs off | keep bench-without-graphs
  bench "${s[@]}" --micro-batch "$((batch / 8 + 1))" --cuda-graphs on | keep bench-with-graphs
}
step_bench_sampling() {
  edt bench sampling --device cuda --dtype bf16 "${rounds[@]}" "${s[@]}" --micro-batch "$half" --json | keep bench-sampling
}

# In a dry run there is no PyTorch: the script has to know the options.
torch() {
  local script=$pack/unpacked/torch/edt_torch.py option
  for option in "$@"; do
    [[ $option != --* ]] || grep -q "\"$option\"" "$script" || { echo "$script does not know $option"; return 1; }
  done
  needs python3
  python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' || skip "python3 has no torch that sees a GPU"
  python3 "$script" --device cuda --dtype bf16 --compile "$@"
}
step_products() {
  needs python3
  python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' || skip "python3 has no torch that sees a GPU"
  python3 "$pack/unpacked/torch/products.py" | keep products
}
step_torch_xl() { torch --size XL --batch 128 --steps 20 --warm-up 5 | keep torch-xl; }
step_torch_s() { torch --size S --batch 128 --steps 20 --warm-up 5 | keep torch-s; }

# The ceiling of 8192 x 8192 x 8192 is beyond an emulated GPU: there the options are read, no more.
step_bench_ops() {
  local options=(bench ops --device cuda --dtype bf16 --batch "$batch" --seconds 0.1 --json)
  [[ $is_dry == yes ]] && options+=(--help)
  edt "${options[@]}" | keep bench-ops
}

step_refusals() {
  CUBLASLT_LOG_LEVEL=2 CUBLASLT_LOG_FILE=$work/cublaslt.log bench "${xl[@]}" --micro-batch "$((batch / 8 + 1))" --rounds 1 --steps 1
  [[ -f $work/cublaslt.log ]] || skip "cuBLASLt logged nothing"
  wc -l "$work/cublaslt.log"
  cut -c1-300 "$work/cublaslt.log" | head -n 200
}

step_kernels() {
  local list=${EDT_RESULTS:-$work}/kernels.csv  # what is there counts, also where the limit ends the step
  needs ncu
  packed ncu --section LaunchStats --launch-count 400 --page raw --csv --log-file "$list" "$edt" bench step --device cuda \
    --dtype bf16 "${xl[@]}" --micro-batch "$((batch / 8 + 1))" --rounds 1 --steps 1 --cuda-graphs off
  grep -o '"[^"]*kernel[^"]*"\|"[^"]*nvjet[^"]*"\|"[^"]*gemm[^"]*"\|"void [^"]*"' "$list" | cut -c1-120 | sort | uniq -c | sort -rn
}

# Where counters are forbidden ncu says so, and there are none.
step_counters() {
  needs ncu
  packed ncu --set full -k regex:attention --launch-count 4 "$edt" bench step --device cuda --dtype bf16 "${xl[@]}" \
    --micro-batch "$((batch / 8 + 1))" --rounds 1 --steps 1 --cuda-graphs off
  packed ncu --set full -k regex:norm --launch-count 4 "$edt" bench step --device cuda --dtype bf16 "${xl[@]}" \
    --micro-batch "$((batch / 8 + 1))" --rounds 1 --steps 1 --cuda-graphs off
}

step_tune() {
  edt tune "${s[@]}" --micro-batch "$half" --dtype bf16 --out "$work/gpu.json" --rounds 3
  train --run.gemm-algos "$work/gpu.json" --run.dir "$work/a"
  train --run.gemm-algos "$work/gpu.json" --run.dir "$work/b"
  edt ckpt compare --first "$work/a" --second "$work/b"
  bench "${s[@]}" --micro-batch "$half" | keep bench-before-tuning
  bench "${s[@]}" --micro-batch "$half" --gemm-algos "$work/gpu.json" | keep bench-tuned
}

sanitizer() {
  needs compute-sanitizer
  packed compute-sanitizer --tool "$1" --error-exitcode 1 "$bin/cuda_test" --gtest_brief=1 --gtest_filter="$2"
}
step_memcheck() { sanitizer memcheck '*OpsMemory*:*OpsStreams*'; }
step_racecheck() { sanitizer racecheck '*OpsMemory*'; }
