// One matrix product, and what its plan depends on. Nothing of CUDA: this part is tested anywhere.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "core/base/dtype.h"

namespace edt {

enum class Epilogue {
  kNone,
  kBias,         // y = a b + bias[n]
  kGeluBias,     // y = gelu(a b + bias)
  kGeluAuxBias,  // the same, and aux = a b + bias
  kGeluSlope,    // y = a b * gelu'(aux)
  kRowSums       // bias[m] = sums of op(a) over k, float32: dbias beside a weight gradient
};
inline constexpr Epilogue kEpilogues[] = {Epilogue::kNone,      Epilogue::kBias,
                                          Epilogue::kGeluBias,  Epilogue::kGeluAuxBias,
                                          Epilogue::kGeluSlope, Epilogue::kRowSums};

constexpr std::string_view name_of(Epilogue epilogue) {
  switch (epilogue) {
    case Epilogue::kNone:
      return "none";
    case Epilogue::kBias:
      return "bias";
    case Epilogue::kGeluBias:
      return "gelu-bias";
    case Epilogue::kGeluAuxBias:
      return "gelu-aux-bias";
    case Epilogue::kGeluSlope:
      return "gelu-slope";
    case Epilogue::kRowSums:
      return "row-sums";
  }
  return "?";
}

// Several products of one shape: elements from each matrix to that of the next product.
struct GemmBatch {
  std::int64_t count = 1;
  std::int64_t a = 0, b = 0, y = 0, bias = 0;
  // Takes the algorithm of a single product, so that each has the bits that it has by itself.
  bool as_singles = false;

  auto operator<=>(const GemmBatch&) const = default;
};

// y [m, n] (+)= a b, row-major and dense but for the strides. a is [m, k], or [k, m] when
// transposed; b is [k, n] or [n, k].
struct Gemm {
  std::int64_t m = 0, n = 0, k = 0;
  const void* a = nullptr;
  bool a_transposed = false;
  const void* b = nullptr;
  bool b_transposed = false;
  DType in = DType::kFloat32;  // of a, b, aux and a bias that is read
  void* y = nullptr;
  DType out = DType::kFloat32;
  bool accumulate = false;
  Epilogue epilogue = Epilogue::kNone;
  void* bias = nullptr;
  void* aux = nullptr;  // [m, n]
  GemmBatch batch;
  // Elements between the rows of b, and of y, as stored; 0: they follow each other.
  std::int64_t b_stride = 0, y_stride = 0;
};

// Bytes that the address is a multiple of, at most 16: more gains nothing.
inline std::uint32_t alignment_of(const void* pointer) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer) | 16u;
  return static_cast<std::uint32_t>(address & (~address + 1));
}

// The library's algorithm depends on sizes, types, epilogue and alignment alone.
struct GemmKey {
  std::int64_t m = 0, n = 0, k = 0, b_stride = 0, y_stride = 0;
  GemmBatch batch;
  bool a_transposed = false, b_transposed = false;
  DType in = DType::kFloat32, out = DType::kFloat32;
  bool tf32 = false;  // float32 operands are rounded to 10-bit mantissas
  Epilogue epilogue = Epilogue::kNone;
  std::uint32_t a_alignment = 16, b_alignment = 16, y_alignment = 16, extra_alignment = 16;

  GemmKey() = default;
  // TF32 says something of float32 operands alone.
  GemmKey(const Gemm& p, bool tf32_allowed)
      : m(p.m),
        n(p.n),
        k(p.k),
        b_stride(p.b_stride),
        y_stride(p.y_stride),
        batch(p.batch),
        a_transposed(p.a_transposed),
        b_transposed(p.b_transposed),
        in(p.in),
        out(p.out),
        tf32(tf32_allowed && p.in == DType::kFloat32),
        epilogue(p.epilogue),
        a_alignment(alignment_of(p.a)),
        b_alignment(alignment_of(p.b)),
        y_alignment(alignment_of(p.y)),
        extra_alignment(alignment_of(p.bias) < alignment_of(p.aux) ? alignment_of(p.bias)
                                                                   : alignment_of(p.aux)) {}

  auto operator<=>(const GemmKey&) const = default;
};

}  // namespace edt
