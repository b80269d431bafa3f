// Algorithms of matrix products, and kernels of attention, that were chosen by timing, once for a
// type of GPU: two may round differently, so a run takes what it is given and times nothing.
// Nothing of CUDA.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "core/cuda/gemm.h"
#include "core/cuda/tuned_attention.h"

namespace edt {

// What chosen algorithms belong to: another GPU is served better by others, and another version of
// cuBLASLt cannot read them.
struct GpuType {
  std::string name, capability;  // "NVIDIA H100 80GB HBM3", "9.0"
  int multiprocessors = 0;       // of a part of a GPU fewer: how k is split may depend on it
  std::uint64_t cublaslt = 0;    // cublasLtGetVersion()

  bool operator==(const GpuType&) const = default;
};

struct TunedGemm {
  std::array<std::uint64_t, 8> algorithm{};  // cublasLtMatmulAlgo_t
  double first_seconds = 0, seconds = 0;     // of the library's first suggestion, of this one
  int place = 0;                             // among the suggestions, 0: the first
  int candidates = 0, rounds = 0;            // timed
  // Of a product with an epilogue, with the kernels that still follow it, and of what does the same
  // by a plain product and kernels; 0: there was nothing to compare. The latter is taken if
  // `apart`.
  double fused_seconds = 0, apart_seconds = 0;
  bool apart = false;

  double following_seconds() const { return fused_seconds > seconds ? fused_seconds - seconds : 0; }
  // Of a call, by the first suggestion and as it was chosen.
  double first_call_seconds() const { return first_seconds + following_seconds(); }
  double call_seconds() const { return apart ? apart_seconds : seconds + following_seconds(); }

  bool operator==(const TunedGemm&) const = default;
};

struct TunedGemms {
  std::string source;  // for errors
  std::map<GemmKey, TunedGemm> gemms;
  TunedAttentions attentions = {};  // what is not in it takes the kernel for all GPUs
};

// How a backend times products, and what it finds. Meant for one that is thrown away.
struct GemmTuning {
  int candidates = 16;   // suggestions that the library is asked for
  int rounds = 7;        // in each of which all take turns; medians count
  double margin = 0.02;  // the first is kept unless another is faster by more: what noise may be
  std::map<GemmKey, TunedGemm> found;
  TunedAttentions found_attentions = {};
};

}  // namespace edt
