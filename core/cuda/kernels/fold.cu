// One thread for each element of the fine tokens, whose channels neighbouring threads have; the
// host has checked that their number fits 31 bits.
#include "core/cuda/kernels/fold.h"

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;

// Of an element of the fine tokens, where it is in the folded ones.
__device__ std::int64_t folded_at(const TokenFoldCall& call, unsigned index) {
  const unsigned channels = static_cast<unsigned>(call.channels);
  const unsigned side = static_cast<unsigned>(call.side), square = side * side;
  const unsigned columns = static_cast<unsigned>(call.columns),
                 rows = static_cast<unsigned>(call.rows);
  const unsigned c = index % channels, token = index / channels;
  const unsigned column = token % columns, line = token / columns;  // of all samples
  const unsigned row = line % rows, b = line / rows;
  const unsigned folded = (b * (rows / side) + row / side) * (columns / side) + column / side;
  return static_cast<std::int64_t>(folded) * channels * square + c * square + row % side * side +
         column % side;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    fold_tokens(TokenFoldCall call, const T* fine, T* folded, bool accumulate) {
  const unsigned index = blockIdx.x * kThreads + threadIdx.x;
  if (index >= call.elements) return;
  const float v[1] = {to_float(fine[index])};
  put<1>(folded + folded_at(call, index), v, accumulate);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    unfold_tokens(TokenFoldCall call, const T* folded, T* fine, bool accumulate) {
  const unsigned index = blockIdx.x * kThreads + threadIdx.x;
  if (index >= call.elements) return;
  const float v[1] = {to_float(folded[folded_at(call, index)])};
  put<1>(fine + index, v, accumulate);
}

unsigned blocks_of(const TokenFoldCall& call) {
  return static_cast<unsigned>(divide_up(call.elements, kThreads));
}

}  // namespace

void launch_fold_tokens(cudaStream_t stream, const TokenFoldCall& call, const void* fine,
                        void* folded, bool accumulate) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "fold_tokens", blocks_of(call), kThreads}, fold_tokens<T>, call,
           static_cast<const T*>(fine), static_cast<T*>(folded), accumulate);
  });
}

void launch_unfold_tokens(cudaStream_t stream, const TokenFoldCall& call, const void* folded,
                          void* fine, bool accumulate) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "unfold_tokens", blocks_of(call), kThreads}, unfold_tokens<T>, call,
           static_cast<const T*>(folded), static_cast<T*>(fine), accumulate);
  });
}

}  // namespace edt
