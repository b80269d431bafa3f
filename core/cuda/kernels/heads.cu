// A warp to a head: lane l has its pairs of neighbours l, l + 32, ... in registers. Blocks of one
// row of the grid work on queries, of the next on keys, of the last on values, which are copied.
#include "core/cuda/kernels/heads.h"

#include <algorithm>

#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kWarps = 8;

template <class T>
__device__ float2 load_pair(const T* from) {
  if constexpr (sizeof(T) == 2) {
    return unpack_bf16(*reinterpret_cast<const unsigned*>(from));
  } else {
    return *reinterpret_cast<const float2*>(from);
  }
}

template <class T>
__device__ void store_pair(T* to, float a, float b, bool accumulate) {
  if constexpr (sizeof(T) == 2) {
    put_pair(to, a, b, accumulate);
  } else {
    float2 pair = make_float2(a, b);
    if (accumulate) {
      const float2 before = load_pair(to);
      pair = make_float2(before.x + a, before.y + b);
    }
    *reinterpret_cast<float2*>(to) = pair;
  }
}

// The elements of a head that a lane has: kPairs pairs, zeros beyond the head.
template <int kPairs>
struct Head {
  float v[kPairs][2];

  __device__ static int element(int pair, int i) {
    return 2 * (pair * 32 + static_cast<int>(threadIdx.x % 32)) + i;
  }

  template <class T>
  __device__ void read(const T* from, int size) {
#pragma unroll
    for (int p = 0; p < kPairs; ++p) {
      const int at = element(p, 0);
      v[p][0] = v[p][1] = 0;
      if (at >= size) continue;
      if (size % 2 == 0) {
        const float2 pair = load_pair(from + at);
        v[p][0] = pair.x;
        v[p][1] = pair.y;
      } else {
        v[p][0] = to_float(from[at]);
        if (at + 1 < size) v[p][1] = to_float(from[at + 1]);
      }
    }
  }
  template <class T>
  __device__ void write(T* to, int size, bool accumulate) const {
#pragma unroll
    for (int p = 0; p < kPairs; ++p) {
      const int at = element(p, 0);
      if (at >= size) continue;
      if (size % 2 == 0) {
        store_pair(to + at, v[p][0], v[p][1], accumulate);
      } else {
        put_one(to + at, v[p][0], accumulate);
        if (at + 1 < size) put_one(to + at + 1, v[p][1], accumulate);
      }
    }
  }
  template <class T>
  __device__ static void put_one(T* to, float value, bool accumulate) {
    *to = round_to<T>(accumulate ? to_float(*to) + value : value);
  }

  // `direction` -1: back. Heads that turn have even sizes.
  __device__ void turn(const float* turns, int size, float direction) {
#pragma unroll
    for (int p = 0; p < kPairs; ++p) {
      const int at = element(p, 0);
      if (at >= size) continue;
      const float2 pair = load_pair(turns + at);
      const float c = pair.x, s = direction * pair.y, a = v[p][0], b = v[p][1];
      v[p][0] = a * c - b * s;
      v[p][1] = b * c + a * s;
    }
  }

  // f(element, pair, place in it)
  template <class F>
  __device__ static void for_each(F f) {
#pragma unroll
    for (int p = 0; p < kPairs; ++p) {
#pragma unroll
      for (int i = 0; i < 2; ++i) f(element(p, i), p, i);
    }
  }

  // Becomes (x - mean) / std; returns 1 / std.
  __device__ float normalise(const HeadCall& call) {
    const float inverse_size = 1.0f / static_cast<float>(call.size);
    float mean = 0, squares = 0;
    if (call.layer) {
      for_each([&](int, int p, int i) { mean += v[p][i]; });
      mean = warp_sum(mean) * inverse_size;
    }
    for_each([&](int at, int p, int i) {
      v[p][i] = at < call.size ? v[p][i] - mean : 0.0f;
      squares = fmaf(v[p][i], v[p][i], squares);
    });
    const float inverse_std = 1.0f / sqrtf(warp_sum(squares) * inverse_size + call.epsilon);
    for_each([&](int, int p, int i) { v[p][i] *= inverse_std; });
    return inverse_std;
  }
};

// Where the heads of this block's kind lie, one for each warp and turn.
struct Heads {
  std::int64_t first, step, count;
  int which;  // 0: queries, 1: keys, 2: values

  __device__ explicit Heads(const HeadCall& call)
      : first(static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32),
        step(static_cast<std::int64_t>(gridDim.x) * kWarps),
        count(call.rows * call.heads),
        which(static_cast<int>(blockIdx.y)) {}

  __device__ std::int64_t at(const HeadCall& call, std::int64_t head) const {
    const std::int64_t row = head / call.heads;
    return ((row * 3 + which) * call.heads + head % call.heads) * call.size;
  }
  __device__ const float* turns(const HeadCall& call, std::int64_t head) const {
    if (call.rotation == nullptr || which == 2) return nullptr;
    return call.rotation + head / call.heads % call.places * call.size;
  }
  __device__ bool normed(const HeadCall& call) const { return call.norms != nullptr && which < 2; }
};

template <class T, int kPairs>
__global__ void __launch_bounds__(kWarps * 32) heads_forward(HeadCall call) {
  wait_for_earlier_kernels();
  using Part = Head<kPairs>;
  const Heads heads(call);
  Part weight, bias;
  if (heads.normed(call)) {
    weight.read(call.norms + heads.which * call.size, call.size);
    bias.read(call.norms + (2 + heads.which) * call.size, call.layer ? call.size : 0);
  }
  for (std::int64_t head = heads.first; head < heads.count; head += heads.step) {
    const std::int64_t at = heads.at(call, head);
    Part x;
    x.read(static_cast<const T*>(call.x) + at, call.size);
    if (heads.normed(call)) {
      x.normalise(call);
      Part::for_each(
          [&](int, int p, int i) { x.v[p][i] = fmaf(x.v[p][i], weight.v[p][i], bias.v[p][i]); });
    }
    const float* turns = heads.turns(call, head);
    if (turns != nullptr) x.turn(turns, call.size, 1.0f);
    x.write(static_cast<T*>(call.y) + at, call.size, false);
  }
}

// Sums of the warps' registers, in the order of warps, to the block's place.
template <int kPairs>
__device__ void write_sums(const HeadCall& call, int which, int row, const Head<kPairs>& sum,
                           float (*shared)[64 * kPairs]) {
  __syncthreads();
  Head<kPairs>::for_each([&](int at, int p, int i) { shared[threadIdx.x / 32][at] = sum.v[p][i]; });
  __syncthreads();
  float* to = call.partials +
              ((static_cast<std::int64_t>(which) * gridDim.x + blockIdx.x) * 2 + row) * call.size;
  for (int c = static_cast<int>(threadIdx.x); c < call.size; c += kWarps * 32) {
    float total = 0;
    for (int w = 0; w < kWarps; ++w) total += shared[w][c];
    to[c] = total;
  }
}

template <class T, int kPairs>
__global__ void __launch_bounds__(kWarps * 32) heads_backward(HeadCall call) {
  wait_for_earlier_kernels();
  using Part = Head<kPairs>;
  __shared__ float shared[kWarps][64 * kPairs];
  const Heads heads(call);
  const float inverse_size = 1.0f / static_cast<float>(call.size);
  Part weight, dweight, dbias;
  if (heads.normed(call)) weight.read(call.norms + heads.which * call.size, call.size);
  Part::for_each([&](int, int p, int i) { dweight.v[p][i] = dbias.v[p][i] = 0; });
  for (std::int64_t head = heads.first; head < heads.count; head += heads.step) {
    const std::int64_t at = heads.at(call, head);
    Part d;
    d.read(static_cast<const T*>(call.dy) + at, call.size);
    const float* turns = heads.turns(call, head);
    if (turns != nullptr) d.turn(turns, call.size, -1.0f);
    if (heads.normed(call)) {
      Part n;
      n.read(static_cast<const T*>(call.x) + at, call.size);
      const float inverse_std = n.normalise(call);
      float mean_g = 0, mean_gn = 0;
      Part::for_each([&](int, int p, int i) {
        dweight.v[p][i] = fmaf(d.v[p][i], n.v[p][i], dweight.v[p][i]);
        dbias.v[p][i] += d.v[p][i];
        d.v[p][i] *= weight.v[p][i];
        mean_g += d.v[p][i];
        mean_gn = fmaf(d.v[p][i], n.v[p][i], mean_gn);
      });
      mean_g = call.layer ? warp_sum(mean_g) * inverse_size : 0.0f;
      mean_gn = warp_sum(mean_gn) * inverse_size;
      Part::for_each([&](int, int p, int i) {
        d.v[p][i] = (d.v[p][i] - mean_g - n.v[p][i] * mean_gn) * inverse_std;
      });
    }
    if (call.y != nullptr) d.write(static_cast<T*>(call.y) + at, call.size, call.accumulate);
  }
  if (!heads.normed(call)) return;
  write_sums<kPairs>(call, heads.which, 0, dweight, shared);
  write_sums<kPairs>(call, heads.which, 1, dbias, shared);
}

// Calls f<T, pairs of a lane>().
template <class F>
void with_head(const HeadCall& call, F&& f) {
  with_element(call.dtype, [&]<class T>(T) {
    if (call.size <= 64) {
      f.template operator()<T, 1>();
    } else if (call.size <= 128) {
      f.template operator()<T, 2>();
    } else {
      f.template operator()<T, kMostHeadSize / 64>();
    }
  });
}

dim3 grid_of(const HeadCall& call) { return {static_cast<unsigned>(head_slices(call)), 3}; }

}  // namespace

// At least 64 heads to a block, at most some 512 blocks.
std::int64_t head_slices(const HeadCall& call) {
  return std::clamp<std::int64_t>(divide_up(call.rows * call.heads, 64), 1, 512);
}

void launch_heads_forward(cudaStream_t stream, const HeadCall& call) {
  with_head(call, [&]<class T, int kPairs>() {
    launch_programmatic({stream, "head_transform forward", grid_of(call), kWarps * 32},
                        heads_forward<T, kPairs>, call);
  });
}

void launch_heads_backward(cudaStream_t stream, const HeadCall& call) {
  with_head(call, [&]<class T, int kPairs>() {
    launch_programmatic({stream, "head_transform backward", grid_of(call), kWarps * 32},
                        heads_backward<T, kPairs>, call);
  });
}

}  // namespace edt
