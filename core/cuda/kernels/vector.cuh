// Rows of floats or bf16 read and written as float32, eight elements at a time where the memory
// allows it (16-byte accesses), one at a time elsewhere.
#pragma once

#include <cuda_bf16.h>

#include "core/cuda/kernels/launch.h"

namespace edt {

inline constexpr int kVector = 8;

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

template <class T>
__device__ T round_to(float x) {
  if constexpr (sizeof(T) == 2) {
    return __float2bfloat16_rn(x);
  } else {
    return x;
  }
}

// A thread's elements of a row as they lie in memory.
template <class T, int kVec>
struct alignas(kVec == 1 ? sizeof(T) : 16) Packed {
  static constexpr int kWords = kVec * static_cast<int>(sizeof(T)) / 16;
  uint4 words[kWords > 0 ? kWords : 1];
};
template <class T>
struct Packed<T, 1> {
  T element;
};

template <int kVec, class T>
__device__ Packed<T, kVec> load_packed(const T* p) {
  static_assert(kVec == 1 || kVec == 8);
  return *reinterpret_cast<const Packed<T, kVec>*>(p);
}

template <int kVec, class T>
__device__ void unpack(const Packed<T, kVec>& in, float (&out)[kVec]) {
  if constexpr (kVec == 1) {
    out[0] = to_float(in.element);
  } else {
#pragma unroll
    for (int i = 0; i < Packed<T, kVec>::kWords; ++i) {
      const unsigned words[4] = {in.words[i].x, in.words[i].y, in.words[i].z, in.words[i].w};
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        if constexpr (sizeof(T) == 2) {
          out[2 * w] = __uint_as_float(words[w] << 16);
          out[2 * w + 1] = __uint_as_float(words[w] & 0xffff0000u);
        } else {
          out[4 * i + w] = __uint_as_float(words[w]);
        }
      }
    }
  }
}

template <int kVec, class T>
__device__ void load(const T* p, float (&out)[kVec]) {
  unpack<kVec>(load_packed<kVec>(p), out);
}

// Two values rounded to bf16, the first in the lower half.
__device__ inline unsigned pack_bf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  unsigned word;
  memcpy(&word, &pair, sizeof word);
  return word;
}

__device__ inline float2 unpack_bf16(unsigned pair) {
  return {__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u)};
}

// As they lie in memory, rounded.
template <class T, int kVec>
__device__ Packed<T, kVec> packed(const float (&in)[kVec]) {
  Packed<T, kVec> out;
  if constexpr (kVec == 1) {
    out.element = round_to<T>(in[0]);
  } else if constexpr (sizeof(T) == 2) {
    out.words[0] = make_uint4(pack_bf16(in[0], in[1]), pack_bf16(in[2], in[3]),
                              pack_bf16(in[4], in[5]), pack_bf16(in[6], in[7]));
  } else {
#pragma unroll
    for (int w = 0; w < Packed<T, kVec>::kWords; ++w) {
      out.words[w] = make_uint4(__float_as_uint(in[4 * w]), __float_as_uint(in[4 * w + 1]),
                                __float_as_uint(in[4 * w + 2]), __float_as_uint(in[4 * w + 3]));
    }
  }
  return out;
}

template <int kVec, class T>
__device__ void store_packed(T* p, const Packed<T, kVec>& in) {
  *reinterpret_cast<Packed<T, kVec>*>(p) = in;
}

template <int kVec, class T>
__device__ void store(T* p, const float (&in)[kVec]) {
  store_packed<kVec>(p, packed<T, kVec>(in));
}

// p[i] = in[i], or += in[i]. The sum is rounded by itself: the compiler might else do it in one
// with the product that in[i] comes from, in one kernel and not in another.
template <int kVec, class T>
__device__ void put(T* p, const float (&in)[kVec], bool accumulate) {
  if (!accumulate) {
    store<kVec>(p, in);
    return;
  }
  float sum[kVec];
  load<kVec>(p, sum);
#pragma unroll
  for (int i = 0; i < kVec; ++i) sum[i] = __fadd_rn(sum[i], in[i]);
  store<kVec>(p, sum);
}

// Two neighbouring elements, = a, b or += a, b
__device__ inline void put_pair(__nv_bfloat16* to, float a, float b, bool accumulate) {
  unsigned* const word = reinterpret_cast<unsigned*>(to);
  if (accumulate) {
    const float2 before = unpack_bf16(*word);
    a += before.x;
    b += before.y;
  }
  *word = pack_bf16(a, b);
}

// Calls f(T{}) with float or __nv_bfloat16. The host has refused other types.
template <class F>
void with_element(DType dtype, F&& f) {
  if (dtype == DType::kBFloat16) {
    f(__nv_bfloat16{});
  } else {
    f(float{});
  }
}

inline bool aligned16(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

inline bool vectors_fit(const ColumnView& c) {
  return c.stride % kVector == 0 && aligned16(c.data);
}

}  // namespace edt
