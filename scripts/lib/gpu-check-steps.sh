# shellcheck shell=bash disable=SC2154  # pack and is_dry are of the script that sources this
# The steps of scripts/gpu-check.sh, in order: what decides most comes first. Sourced.

# Name, limit in seconds, and the question that the step answers. Of the first call, of eight minutes, are those down to
# counters: their limits fit into it. What follows is for a second.
steps() {
  cat <<'LIST'
machine 15 What GPU, driver and libraries are there?
libraries 15 Does everything that was packed find its libraries?
doctor 20 Does edt see the GPU?
ops 90 Is every op right, and the streams, graphs and products at once?
bench-xl 60 How fast is a step of EDT-XL/2 at 128 images, with CUDA graphs and without?
kernels 90 Which kernels does a step launch: is an epilogue a kernel of its own?
refusals 25 What does cuBLASLt refuse?
products 40 How fast are the library's products and copies, and does padding rows gain?
bench-ops 70 How fast is every op, with the epilogues of its products and without?
counters 55 What binds attention and norms: issue, shared memory, memory?
attention 60 Have both kernels of attention each way the same values, and which is faster?
epilogues 60 How fast without epilogues, and with gelu kept?
bench-s 40 How fast is a step of EDT-S/2 at 128 images?
same-bits 60 Have two runs, with CUDA graphs and without, the same weights?
repeats 90 Has every op the same bits 200 times, and with the sizes of EDT-XL/2?
racecheck 90 Do threads of a block race?
memcheck 120 Does any small op touch memory that is not its own?
golden 60 Are outputs, losses, gradients and samples the published ones?
tune 150 What do products chosen by timing gain, in EDT-S/2 and EDT-XL/2, and do runs with them have the same bits?
torch-xl 120 How fast is EDT-XL/2 in PyTorch?
curve 60 Does bf16 on the GPU learn as float32 on the processor does?
torch-s 60 How fast is EDT-S/2 in PyTorch?
programmatic 180 Have runs with programmatic launches the same weights, and what do these gain?
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

# What repeats and compares bits has a step of its own.
step_ops() {
  local filter='*-*Repeats*:OpsWarpgroups*'
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

# Kernels that overlap are seen in weights, not by racecheck. The emulated GPU is refused. In turns, as clocks drift.
step_programmatic() {
  local way refused=$work/refused
  if [[ $is_dry == yes ]]; then
    ! train --run.dir "$work/programmatic-on" --run.programmatic-launch on >"$refused" 2>&1
    grep "9.0 is needed" "$refused"
    return
  fi
  for way in off on; do train --run.dir "$work/programmatic-$way" --run.programmatic-launch "$way"; done
  train --run.dir "$work/programmatic-eager" --run.programmatic-launch on --run.cuda-graphs off
  edt ckpt compare --first "$work/programmatic-off" --second "$work/programmatic-on"
  edt ckpt compare --first "$work/programmatic-off" --second "$work/programmatic-eager"
  for way in off on; do
    bench "${s[@]}" --micro-batch "$batch" --programmatic-launch "$way" | keep "bench-s-programmatic-$way"
    bench "${s[@]}" --micro-batch "$((batch / 8 + 1))" --programmatic-launch "$way" | keep "bench-s-small-programmatic-$way"
    bench "${xl[@]}" --micro-batch "$batch" --programmatic-launch "$way" | keep "bench-xl-programmatic-$way"
  done
}

# A GPU alone shows an order of sums that depends on which blocks come first.
step_repeats() {
  local filter='*Repeats*' times=200
  [[ $is_dry == yes ]] && filter='Ops/Repeats.*/linear*:OpsRepeats*' times=3
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
  local options=(bench ops --device cuda --dtype bf16 --batch "$batch" --seconds 0.05 --json)
  [[ $is_dry == yes ]] && options+=(--help)
  edt "${options[@]}" --model EDT-XL/2 | keep bench-ops-xl
  edt "${options[@]}" | keep bench-ops
}

step_refusals() {
  CUBLASLT_LOG_LEVEL=2 CUBLASLT_LOG_FILE=$work/cublaslt.log bench "${xl[@]}" --micro-batch "$((batch / 8 + 1))" --rounds 1 --steps 1
  [[ -f $work/cublaslt.log ]] || skip "cuBLASLt logged nothing"
  wc -l "$work/cublaslt.log"
  cut -c1-300 "$work/cublaslt.log" | head -n 200
}

# ncu, whose findings go to the file that is named first. Where the driver keeps the counters for administrators it measures nothing, launches
# included: status 3.
profile() {
  local list=$1 status=0 log=$work/ncu
  shift
  rm -f "$list"
  packed ncu --log-file "$list" "$@" 2>&1 | tee "$log" || status=$?
  if grep -Eqs 'ERR_NVGPUCTRPERM|INSUFFICIENT_PRIVILEGES' "$log" "$list"; then return 3; fi
  return "$status"
}
no_rights="ncu has no rights to the GPU's counters (ERR_NVGPUCTRPERM)"
# Names and times of kernels, which need no counters.
trace() {
  local list=$1
  shift
  command -v nsys >/dev/null || skip "$no_rights, and there is no nsys, so nothing is known of single kernels"
  echo "$no_rights: names and times of kernels are nsys's"
  packed nsys profile --trace=cuda --sample=none --cpuctxsw=none --force-overwrite=true --output="$work/trace" "$@"
  packed nsys stats --report=cuda_gpu_kern_sum --format=csv --output=- "$work/trace.nsys-rep" >"$list"
}
# All that two steps launch: products of the backward pass come late.
step_kernels() {
  local list=${EDT_RESULTS:-$work}/kernels.csv  # what is there counts, also where the limit ends the step
  local status=0 steps=("$edt" bench step --device cuda --dtype bf16 "${xl[@]}" --micro-batch "$((batch / 8 + 1))" --rounds 1 --steps 1
    --cuda-graphs off)
  needs ncu
  profile "$list" --section LaunchStats --launch-count 3000 --page raw --csv "${steps[@]}" || status=$?
  if ((status == 3)); then
    trace "$list" "${steps[@]}"
    cut -c1-200 "$list"
    return
  fi
  ((status == 0))
  grep -o '"[^"]*kernel[^"]*"\|"[^"]*nvjet[^"]*"\|"[^"]*gemm[^"]*"\|"void [^"]*"' "$list" | cut -c1-120 | sort | uniq -c | sort -rn
}

step_counters() {
  local kernels status
  needs ncu
  for kernels in attention norm; do
    status=0
    profile "${EDT_RESULTS:-$work}/counters-$kernels.txt" --set full -k "regex:$kernels" --launch-count 4 "$edt" bench step --device cuda --dtype bf16 "${xl[@]}" \
      --micro-batch "$((batch / 8 + 1))" --rounds 1 --steps 1 --cuda-graphs off || status=$?
    ((status != 3)) || skip "$no_rights, so what binds single kernels is not known"
    ((status == 0))
  done
}

# The reference's values, times beside each other, and what edt tune would take for EDT-XL/2.
step_attention() {
  local file=${EDT_RESULTS:-$work}/attention.json
  known 'OpsWarpgroups.*'
  if [[ $is_dry == no ]]; then
    packed "$bin/cuda_test" --gtest_filter='OpsWarpgroups.*' | tee "$work/tests"
    ! grep -q 'no products of warpgroups' "$work/tests" || skip "this GPU has one kernel of attention each way"
    grep -q '^\[ *PASSED *\] [1-9]' "$work/tests"
  fi
  rm -f "$file"
  edt tune "${xl[@]}" --micro-batch "$batch" --dtype bf16 --steps 1 --candidates 1 --rounds 5 --out "$file" | tee "$work/tune"
  [[ $is_dry == yes ]] || grep 'warpgroups us' -A 20 "$work/tune"
}

step_tune() {
  local file=${EDT_RESULTS:-$work}/gpu.json
  rm -f "$file"
  edt tune "${s[@]}" --micro-batch "$half" --dtype bf16 --out "$file" --rounds 3
  train --run.gemm-algos "$file" --run.dir "$work/a"
  train --run.gemm-algos "$file" --run.dir "$work/b"
  edt ckpt compare --first "$work/a" --second "$work/b"
  bench "${s[@]}" --micro-batch "$half" | keep bench-before-tuning
  bench "${s[@]}" --micro-batch "$half" --gemm-algos "$file" | keep bench-tuned
  edt tune "${xl[@]}" --micro-batch "$batch" --dtype bf16 --out "$file" --rounds 2 --candidates 8
  bench "${xl[@]}" --micro-batch "$batch" --gemm-algos "$file" | keep bench-xl-tuned
}

# Each of these patterns is of a test that is there.
known() {
  local pattern list
  for pattern in "$@"; do
    list=$(packed "$bin/cuda_test" --gtest_list_tests --gtest_filter="$pattern")
    [[ $list == *$'\n  '* ]] || { echo "no test is called $pattern"; return 1; }
  done
}
sanitizer() {
  needs compute-sanitizer
  packed compute-sanitizer --tool "$1" --error-exitcode 1 "$bin/cuda_test" --gtest_brief=1 --gtest_filter="$2"
}
# Without the sequences that take long under it: the small ones take the same kernels but for some of attention.
step_memcheck() {
  local long=('*_x_256_tokens*' '*_1024_tokens*' '*_153_tokens*' '*_32_x_16_tokens*' '*_9_x_32_tokens*')
  known 'Ops/Cuda.BFloat16/*' "${long[@]}"
  sanitizer memcheck "*OpsMemory*:*OpsStreams*:Ops/Cuda.BFloat16/*-$(IFS=:; echo "${long[*]}")"
}
# Small cases of every kernel that has shared memory.
step_racecheck() {
  local cases=(attention_3_x_64_tokens attention_3_x_16_tokens_6 plain_attention_2_x_64 visible_attention_2_x_35
    modulated_attention_3_x_64 cross_attention_3_x_64 kernel_attention_1_x_70 wide_attention_2_5_7 relu_linear_attention_2_4
    modulated_norm_3_16_52_chunks_0 modulated_rms_norm_3_16_52 affine_norm_2_16 merge_norm_3_16 concat_norm_3_16
    gate_norm_3_16_52 gate_norm_1_3_2080
    rms_norm_5 token_group_norm_3_9 group_norm_2_5_7 channel_rms_norm_2 head_transform_3_x_64 head_transform_3_x_8
    attention_map_3 unit_share_2 share_penalty mask_units_2_37 band_mask_6 ternary_linear_3 diffusion_loss_3_4_8_8_t_0_1
    token_loss_3_9_16_squares token_loss_3_9_16_cross token_loss_3_9_16_directions)
  local filters=('*OpsColumnSums*' 'Ops/Cuda.Float32/attention_3_x_64*' "${cases[@]/#/Ops/Cuda.BFloat16/}")
  filters=("${filters[@]/%/*}")
  known "${filters[@]}"
  sanitizer racecheck "$(IFS=:; echo "${filters[*]}")"
}
