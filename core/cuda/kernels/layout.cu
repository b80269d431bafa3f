// One thread for each vector of the result; the host has checked that their number fits 31 bits, so
// that indices are taken apart with 32-bit divisions.
#include "core/cuda/kernels/layout.h"
#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;

unsigned blocks_of(std::int64_t threads) {
  return static_cast<unsigned>(divide_up(threads, kThreads));
}

__device__ unsigned thread_index() { return blockIdx.x * kThreads + threadIdx.x; }

// Element of the tokens for a pixel, counted through [batch, channels, height, width].
__device__ std::int64_t token_at(const PatchCall& call, unsigned pixel) {
  const unsigned height = call.height, width = call.width, patch = call.patch,
                 channels = call.channels;
  const unsigned rows = height / patch, columns = width / patch;
  const unsigned x = pixel % width, y = pixel / width % height, plane = pixel / (height * width);
  const unsigned c = plane % channels, b = plane / channels;
  const std::int64_t token = static_cast<std::int64_t>(b * rows + y / patch) * columns + x / patch;
  const unsigned row = y % patch, column = x % patch;
  const unsigned inside = call.order == PatchOrder::kChannelFirst
                              ? (c * patch + row) * patch + column
                              : (row * patch + column) * channels + c;
  return token * (patch * patch * channels) + inside;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    patchify(PatchCall call, const float* image, T* tokens) {
  const unsigned pixel = thread_index();
  if (pixel < call.pixels) tokens[token_at(call, pixel)] = round_to<T>(image[pixel]);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    unpatchify(PatchCall call, const T* tokens, float* image) {
  const unsigned pixel = thread_index();
  if (pixel < call.pixels) image[pixel] = to_float(tokens[token_at(call, pixel)]);
}

// Element of y where the vector `index` of x goes.
template <int kVec>
__device__ std::int64_t shuffled_at(const ShuffleCall& call, unsigned index) {
  const unsigned row_vectors = static_cast<unsigned>(call.channels) / kVec;
  const unsigned rows = call.rows, columns = call.columns;
  const unsigned in_row = index % row_vectors, piece = index / row_vectors;
  const unsigned quarter = piece % 4, token = piece / 4;
  const unsigned column = token % columns, row = token / columns % rows;
  const unsigned b = token / (rows * columns);
  const std::int64_t to =
      (static_cast<std::int64_t>(b * 2 * rows) + 2 * row + quarter / 2) * (2 * columns) +
      2 * column + quarter % 2;
  return to * call.channels + in_row * kVec;
}

template <class T, int kVec>
__global__ void __launch_bounds__(kThreads) shuffle(ShuffleCall call, const T* x, T* y) {
  wait_for_earlier_kernels();
  const unsigned index = thread_index();
  if (index >= call.elements / kVec) return;
  float v[kVec];
  load<kVec>(x + static_cast<std::int64_t>(index) * kVec, v);
  store<kVec>(y + shuffled_at<kVec>(call, index), v);
}

template <class T, int kVec>
__global__ void __launch_bounds__(kThreads)
    unshuffle(ShuffleCall call, const T* dy, T* dx, bool accumulate) {
  wait_for_earlier_kernels();
  const unsigned index = thread_index();
  if (index >= call.elements / kVec) return;
  float v[kVec];
  load<kVec>(dy + shuffled_at<kVec>(call, index), v);
  put<kVec>(dx + static_cast<std::int64_t>(index) * kVec, v, accumulate);
}

template <class T, int kVec>
__global__ void __launch_bounds__(kThreads)
    mask_tokens(MaskCall call, const T* x, const T* positions, T* y) {
  const unsigned index = thread_index();
  if (index >= call.elements / kVec) return;
  const unsigned row_vectors = static_cast<unsigned>(call.width) / kVec;
  const unsigned row = index / row_vectors, tokens = static_cast<unsigned>(call.tokens);
  const std::int64_t at = static_cast<std::int64_t>(index) * kVec;
  const bool keep = call.mask[row] != 0;
  float v[kVec];
  load<kVec>(keep ? x + at : positions + (row % tokens) * call.width + (index % row_vectors) * kVec,
             v);
  store<kVec>(y + at, v);
}

template <class T, int kVec>
__global__ void __launch_bounds__(kThreads)
    mask_tokens_backward(MaskCall call, const T* dy, T* dx, bool accumulate) {
  const unsigned index = thread_index();
  if (index >= call.elements / kVec) return;
  const std::int64_t at = static_cast<std::int64_t>(index) * kVec;
  float v[kVec] = {};
  if (call.mask[index / (static_cast<unsigned>(call.width) / kVec)] != 0) load<kVec>(dy + at, v);
  put<kVec>(dx + at, v, accumulate);
}

template <class T, int kVec>
__global__ void __launch_bounds__(kThreads)
    swap_axes(SwapCall call, const T* x, T* y, bool accumulate) {
  const unsigned index = thread_index();
  const unsigned row_vectors = static_cast<unsigned>(call.columns) / kVec;
  const unsigned row = index / row_vectors, b_size = static_cast<unsigned>(call.b);
  if (row >= call.a * call.b) return;
  const std::int64_t to = static_cast<std::int64_t>(row % b_size) * call.a + row / b_size;
  float v[kVec];
  load<kVec>(x + static_cast<std::int64_t>(index) * kVec, v);
  put<kVec>(y + to * call.columns + (index % row_vectors) * kVec, v, accumulate);
}

__global__ void __launch_bounds__(kThreads)
    add_noise(const float* x_start, const float* noise, const float* scales, float* x_t,
              std::int64_t per_sample) {
  const std::int64_t b = blockIdx.y;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= per_sample) return;
  const std::int64_t at = b * per_sample + i;
  x_t[at] = fmaf(scales[2 * b], x_start[at], scales[2 * b + 1] * noise[at]);
}

// f<T, kVec>() for rows of `width` elements behind these pointers.
template <class F>
void with_rows(DType dtype, std::int64_t width, bool aligned, F&& f) {
  with_element(dtype, [&]<class T>(T) {
    if (width % kVector == 0 && aligned) {
      f.template operator()<T, kVector>();
    } else {
      f.template operator()<T, 1>();
    }
  });
}

}  // namespace

void launch_patchify(cudaStream_t stream, const PatchCall& call, const float* image, void* tokens) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "patchify", blocks_of(call.pixels), kThreads}, patchify<T>, call, image,
           static_cast<T*>(tokens));
  });
}

void launch_unpatchify(cudaStream_t stream, const PatchCall& call, const void* tokens,
                       float* image) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "unpatchify", blocks_of(call.pixels), kThreads}, unpatchify<T>, call,
           static_cast<const T*>(tokens), image);
  });
}

void launch_shuffle(cudaStream_t stream, const ShuffleCall& call, const void* x, void* y) {
  with_rows(call.dtype, call.channels, aligned16(x) && aligned16(y), [&]<class T, int kVec>() {
    launch_programmatic(
        {stream, "pixel_shuffle forward", blocks_of(call.elements / kVec), kThreads},
        shuffle<T, kVec>, call, static_cast<const T*>(x), static_cast<T*>(y));
  });
}

void launch_unshuffle(cudaStream_t stream, const ShuffleCall& call, const void* dy, void* dx,
                      bool accumulate) {
  with_rows(call.dtype, call.channels, aligned16(dy) && aligned16(dx), [&]<class T, int kVec>() {
    launch_programmatic(
        {stream, "pixel_shuffle backward", blocks_of(call.elements / kVec), kThreads},
        unshuffle<T, kVec>, call, static_cast<const T*>(dy), static_cast<T*>(dx), accumulate);
  });
}

void launch_mask(cudaStream_t stream, const MaskCall& call, const void* x, const void* positions,
                 void* y) {
  const bool aligned = aligned16(x) && aligned16(positions) && aligned16(y);
  with_rows(call.dtype, call.width, aligned, [&]<class T, int kVec>() {
    launch({stream, "mask_tokens forward", blocks_of(call.elements / kVec), kThreads},
           mask_tokens<T, kVec>, call, static_cast<const T*>(x), static_cast<const T*>(positions),
           static_cast<T*>(y));
  });
}

void launch_mask_backward(cudaStream_t stream, const MaskCall& call, const void* dy, void* dx,
                          bool accumulate) {
  with_rows(call.dtype, call.width, aligned16(dy) && aligned16(dx), [&]<class T, int kVec>() {
    launch({stream, "mask_tokens backward", blocks_of(call.elements / kVec), kThreads},
           mask_tokens_backward<T, kVec>, call, static_cast<const T*>(dy), static_cast<T*>(dx),
           accumulate);
  });
}

void launch_swap(cudaStream_t stream, const SwapCall& call, const void* x, void* y,
                 bool accumulate) {
  with_rows(call.dtype, call.columns, aligned16(x) && aligned16(y), [&]<class T, int kVec>() {
    const unsigned blocks = blocks_of(call.a * call.b * (call.columns / kVec));
    launch({stream, "swap_leading_axes", blocks, kThreads}, swap_axes<T, kVec>, call,
           static_cast<const T*>(x), static_cast<T*>(y), accumulate);
  });
}

void launch_add_noise(cudaStream_t stream, const float* x_start, const float* noise,
                      const float* scales, float* x_t, std::int64_t batch,
                      std::int64_t per_sample) {
  const dim3 grid(blocks_of(per_sample), static_cast<unsigned>(batch));
  launch({stream, "add_noise", grid, kThreads}, add_noise, x_start, noise, scales, x_t, per_sample);
}

}  // namespace edt
