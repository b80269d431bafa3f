// One thread for each vector of the joined tokens; the host has checked that their number fits 31
// bits, so that indices are taken apart with 32-bit divisions.
#include "core/cuda/kernels/regions.h"

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;

// Where a vector of the joined tokens is in its stream.
struct Place {
  bool is_first;  // of the two streams
  std::int64_t element;
};

template <int kVec>
__device__ Place place_of(const RegionCall& call, unsigned index) {
  const unsigned row_vectors = static_cast<unsigned>(call.width) / kVec;
  const unsigned tokens = static_cast<unsigned>(call.tokens),
                 first = static_cast<unsigned>(call.first);
  const unsigned ratio = static_cast<unsigned>(call.ratio), run = static_cast<unsigned>(call.run);
  const unsigned row = index / row_vectors, at = row % tokens, sequence = row / tokens;
  const bool is_first = at < first;
  const unsigned place = is_first ? at : at - first;
  const unsigned of_stream = ratio * (is_first ? first : tokens - first);
  const unsigned token = place / run * (ratio * run) + sequence % ratio * run + place % run;
  const std::int64_t from = static_cast<std::int64_t>(sequence / ratio) * of_stream + token;
  return {is_first, from * call.width + index % row_vectors * kVec};
}

template <class T, int kVec>
__global__ void __launch_bounds__(kThreads) join_tokens(RegionCall call, unsigned vectors) {
  const unsigned index = blockIdx.x * kThreads + threadIdx.x;
  if (index >= vectors) return;
  const Place place = place_of<kVec>(call, index);
  const T* const from = static_cast<const T*>(place.is_first ? call.streams[0] : call.streams[1]);
  if (from == nullptr && call.accumulate[0]) return;
  float v[kVec] = {};
  if (from != nullptr) load<kVec>(from + place.element, v);
  put<kVec>(static_cast<T*>(call.joined) + static_cast<std::int64_t>(index) * kVec, v,
            call.accumulate[0]);
}

template <class T, int kVec>
__global__ void __launch_bounds__(kThreads) split_tokens(RegionCall call, unsigned vectors) {
  const unsigned index = blockIdx.x * kThreads + threadIdx.x;
  if (index >= vectors) return;
  const Place place = place_of<kVec>(call, index);
  // By comparison: an index at run time would copy the arguments to local memory.
  T* const to = static_cast<T*>(place.is_first ? call.streams[0] : call.streams[1]);
  if (to == nullptr) return;
  float v[kVec];
  load<kVec>(static_cast<const T*>(call.joined) + static_cast<std::int64_t>(index) * kVec, v);
  put<kVec>(to + place.element, v, place.is_first ? call.accumulate[0] : call.accumulate[1]);
}

// f<T, kVec>(number of vectors)
template <class F>
void with_vectors(const RegionCall& call, F&& f) {
  const std::int64_t elements = call.rows * call.tokens * call.width;
  const bool aligned =
      aligned16(call.joined) && aligned16(call.streams[0]) && aligned16(call.streams[1]);
  with_element(call.dtype, [&]<class T>(T) {
    if (call.width % kVector == 0 && aligned) {
      f.template operator()<T, kVector>(static_cast<unsigned>(elements / kVector));
    } else {
      f.template operator()<T, 1>(static_cast<unsigned>(elements));
    }
  });
}

unsigned blocks_of(unsigned vectors) {
  return static_cast<unsigned>(divide_up(std::int64_t{vectors}, kThreads));
}

}  // namespace

void launch_join_tokens(cudaStream_t stream, const RegionCall& call) {
  with_vectors(call, [&]<class T, int kVec>(unsigned vectors) {
    launch({stream, "join_tokens", blocks_of(vectors), kThreads}, join_tokens<T, kVec>, call,
           vectors);
  });
}

void launch_split_tokens(cudaStream_t stream, const RegionCall& call) {
  with_vectors(call, [&]<class T, int kVec>(unsigned vectors) {
    launch({stream, "split_tokens", blocks_of(vectors), kThreads}, split_tokens<T, kVec>, call,
           vectors);
  });
}

}  // namespace edt
