#include "core/cuda/kernels/picture.h"

#include "core/cuda/kernels/activation.cuh"
#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;

unsigned blocks_for(std::int64_t threads) {
  return static_cast<unsigned>(divide_up(threads, kThreads));
}

__device__ std::int64_t global_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

__device__ float activated(PictureActivation activation, float x) {
  if (activation == PictureActivation::kRelu) return fmaxf(x, 0.0f);
  if (activation == PictureActivation::kSilu) return Silu::value(x);
  return x;
}

// Where a pixel of the result looks in x, for one place of the kernel; -1: beside the picture.
struct Sight {
  std::int64_t n, row, column;  // of the result

  __device__ Sight(const PatchesCall& call, std::int64_t pixel)
      : n(pixel / (call.out_height * call.out_width)),
        row(pixel / call.out_width % call.out_height),
        column(pixel % call.out_width) {}

  __device__ std::int64_t pixel(const PatchesCall& call, std::int64_t i, std::int64_t j) const {
    const std::int64_t factor = call.doubled ? 2 : 1;
    const std::int64_t y = row * call.stride + i - call.top;
    const std::int64_t x = column * call.stride + j - call.left;
    if (y < 0 || x < 0 || y >= factor * call.height || x >= factor * call.width) return -1;
    return (n * call.height + y / factor) * call.width + x / factor;
  }
};

template <class T, int kVec>
__global__ void __launch_bounds__(kThreads) patches(PatchesCall call, T* out) {
  const std::int64_t thread = global_thread();
  const std::int64_t vectors = call.channels / kVec,
                     places = call.kernel_rows * call.kernel_columns;
  if (thread >= call.rows * places * vectors) return;
  const std::int64_t c = thread % vectors * kVec, place = thread / vectors % places;
  const Sight sight(call, call.first + thread / (vectors * places));
  const std::int64_t pixel =
      sight.pixel(call, place / call.kernel_columns, place % call.kernel_columns);
  float v[kVec] = {};
  if (pixel >= 0) load<kVec>(static_cast<const T*>(call.x) + pixel * call.channels + c, v);
  store<kVec>(out + thread * kVec, v);
}

template <class T>
__global__ void __launch_bounds__(kThreads) grouped_convolution(GroupedCall call) {
  const PatchesCall& p = call.patches;
  const std::int64_t thread = global_thread();
  if (thread >= p.rows * call.outputs) return;
  const std::int64_t o = thread % call.outputs, depth = p.channels / call.groups;
  const std::int64_t channel = o / (call.outputs / call.groups) * depth;
  const Sight sight(p, thread / call.outputs);
  const T *x = static_cast<const T*>(p.x), *weight = static_cast<const T*>(call.weight);
  float sum = call.bias == nullptr ? 0.0f : to_float(static_cast<const T*>(call.bias)[o]);
  for (std::int64_t place = 0; place < p.kernel_rows * p.kernel_columns; ++place) {
    const std::int64_t pixel = sight.pixel(p, place / p.kernel_columns, place % p.kernel_columns);
    if (pixel < 0) continue;
    for (std::int64_t d = 0; d < depth; ++d) {
      sum = fmaf(to_float(x[pixel * p.channels + channel + d]),
                 to_float(weight[(place * depth + d) * call.outputs + o]), sum);
    }
  }
  T* y = static_cast<T*>(call.y) + thread;
  if (call.add) sum += to_float(*y);
  *y = round_to<T>(activated(call.activation, sum));
}

template <class T, int kVec>
__global__ void __launch_bounds__(kThreads)
    activate(PictureActivation activation, T* y, std::int64_t n) {
  const std::int64_t at = global_thread() * kVec;
  if (at >= n) return;
  float v[kVec];
  load<kVec>(y + at, v);
#pragma unroll
  for (float& value : v) value = activated(activation, value);
  store<kVec>(y + at, v);
}

// Of each channel over a slice of the pixels: mean, and sum of squared distances from it.
template <class T>
__global__ void __launch_bounds__(kThreads) slice_moments(GroupNormCall call) {
  const std::int64_t n = blockIdx.y, first = blockIdx.x * call.slice;
  const std::int64_t count = min(call.slice, call.pixels - first);
  const T* x = static_cast<const T*>(call.x) + (n * call.pixels + first) * call.channels;
  float* out = call.moments + (n * call.slices + blockIdx.x) * 2 * call.channels;
  for (std::int64_t c = threadIdx.x; c < call.channels; c += kThreads) {
    float sum = 0, square = 0;
    for (std::int64_t p = 0; p < count; ++p) sum += to_float(x[p * call.channels + c]);
    const float mean = sum / static_cast<float>(count);
    for (std::int64_t p = 0; p < count; ++p) {
      const float d = to_float(x[p * call.channels + c]) - mean;
      square = fmaf(d, d, square);
    }
    out[c] = mean;
    out[call.channels + c] = square;
  }
}

// One block for each group of each picture: all slices and channels together.
__global__ void __launch_bounds__(kThreads) group_factors(GroupNormCall call) {
  __shared__ float first_sums[32], second_sums[32];
  const std::int64_t n = blockIdx.y, size = call.channels / call.groups, start = blockIdx.x * size;
  const std::int64_t entries = call.slices * size;
  const auto entry = [&](std::int64_t i, float& count) {
    const std::int64_t slice = i / size;
    count = static_cast<float>(min(call.slice, call.pixels - slice * call.slice));
    return call.moments + (n * call.slices + slice) * 2 * call.channels + start + i % size;
  };
  const float total = static_cast<float>(call.pixels * size);
  float mean[1] = {}, variance[1] = {};
  for (std::int64_t i = threadIdx.x; i < entries; i += kThreads) {
    float count;
    const float* moments = entry(i, count);
    mean[0] = fmaf(count / total, moments[0], mean[0]);
  }
  block_sum<1>(mean, first_sums);
  for (std::int64_t i = threadIdx.x; i < entries; i += kThreads) {
    float count;
    const float* moments = entry(i, count);
    const float d = moments[0] - mean[0];
    variance[0] += (moments[call.channels] + count * d * d) / total;
  }
  block_sum<1>(variance, second_sums);
  const float factor = 1.0f / sqrtf(variance[0] + call.epsilon);
  for (std::int64_t c = start + threadIdx.x; c < start + size; c += kThreads) {
    call.factors[n * 2 * call.channels + c] = mean[0];
    call.factors[(n * 2 + 1) * call.channels + c] = factor * call.weight[c];
  }
}

template <class X, class Y, int kVec>
__global__ void __launch_bounds__(kThreads) normalise(GroupNormCall call) {
  const std::int64_t at = global_thread() * kVec;
  if (at >= call.batch * call.pixels * call.channels) return;
  const std::int64_t c = at % call.channels, n = at / (call.pixels * call.channels);
  const float* mean = call.factors + n * 2 * call.channels + c;
  float v[kVec];
  load<kVec>(static_cast<const X*>(call.x) + at, v);
#pragma unroll
  for (int k = 0; k < kVec; ++k) {
    v[k] =
        activated(call.activation, fmaf(v[k] - mean[k], mean[call.channels + k], call.bias[c + k]));
  }
  store<kVec>(static_cast<Y*>(call.y) + at, v);
}

// A warp for each pixel.
template <class X, class Y>
__global__ void __launch_bounds__(kThreads) channel_rms_norm(RmsNormCall call) {
  const std::int64_t pixel =
      static_cast<std::int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32;
  const bool there = pixel < call.pixels;  // all lanes of a warp alike
  const std::int64_t at = there ? pixel * call.channels : 0;
  const X* x = static_cast<const X*>(call.x) + at;
  float sum = 0;
  if (there) {
    for (std::int64_t c = threadIdx.x % 32; c < call.channels; c += 32) {
      sum = fmaf(to_float(x[c]), to_float(x[c]), sum);
    }
  }
  sum = warp_sum(sum);
  if (!there) return;
  const float factor = 1.0f / sqrtf(sum / static_cast<float>(call.channels) + call.epsilon);
  for (std::int64_t c = threadIdx.x % 32; c < call.channels; c += 32) {
    float v =
        activated(call.activation, fmaf(to_float(x[c]) * factor, call.weight[c], call.bias[c]));
    if (call.residual != nullptr) v += to_float(static_cast<const Y*>(call.residual)[at + c]);
    static_cast<Y*>(call.y)[at + c] = round_to<Y>(v);
  }
}

__device__ float block_max(float value, float* shared) {
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
  }
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
  __syncthreads();
  for (int w = 0; w < kThreads / 32; ++w) value = fmaxf(value, shared[w]);
  return value;
}

template <class T>
__global__ void __launch_bounds__(kThreads) softmax(float* s, std::int64_t n, float scale, T* p) {
  __shared__ float tops[32], sums[32];
  float* row = s + static_cast<std::int64_t>(blockIdx.x) * n;
  T* out = p + static_cast<std::int64_t>(blockIdx.x) * n;
  float most = -3.4e38f;
  for (std::int64_t i = threadIdx.x; i < n; i += kThreads) most = fmaxf(most, row[i]);
  most = block_max(most, tops);
  float sum[1] = {};
  for (std::int64_t i = threadIdx.x; i < n; i += kThreads) {
    row[i] = expf((row[i] - most) * scale);
    sum[0] += row[i];
  }
  block_sum<1>(sum, sums);
  for (std::int64_t i = threadIdx.x; i < n; i += kThreads) out[i] = round_to<T>(row[i] / sum[0]);
}

// One block for each head of each picture.
template <class T>
__global__ void __launch_bounds__(kThreads) linear_attention(LinearAttentionCall call) {
  __shared__ float sums[kWidestLinearHead * (kWidestLinearHead + 1)];
  const std::int64_t n = blockIdx.y, size = call.size, width = call.heads * 3 * size;
  const std::int64_t columns = size + 1;  // the last: of the keys alone
  const T* q = static_cast<const T*>(call.qkv) + n * call.tokens * width + blockIdx.x * 3 * size;
  for (std::int64_t pair = threadIdx.x; pair < size * columns; pair += kThreads) {
    const std::int64_t i = pair / columns, j = pair % columns;
    float sum = 0;
    for (std::int64_t t = 0; t < call.tokens; ++t) {
      const T* k = q + t * width + size;
      const float value = j == size ? 1.0f : to_float(k[size + j]);
      sum = fmaf(fmaxf(to_float(k[i]), 0.0f), value, sum);
    }
    sums[pair] = sum;
  }
  __syncthreads();
  T* y = static_cast<T*>(call.y) + n * call.tokens * call.heads * size + blockIdx.x * size;
  for (std::int64_t at = threadIdx.x; at < call.tokens * size; at += kThreads) {
    const std::int64_t t = at / size, j = at % size;
    float above = 0, below = call.epsilon;
    for (std::int64_t i = 0; i < size; ++i) {
      const float query = fmaxf(to_float(q[t * width + i]), 0.0f);
      above = fmaf(query, sums[i * columns + j], above);
      below = fmaf(query, sums[i * columns + size], below);
    }
    y[t * call.heads * size + j] = round_to<T>(above / below);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) fold_pixels(PixelFoldCall call, const T* x, T* y) {
  const std::int64_t thread = global_thread();
  if (thread >= call.elements) return;
  const std::int64_t r = call.r, width = call.width / r, height = call.height / r;
  const std::int64_t c = thread % call.small_channels, pixel = thread / call.small_channels;
  const std::int64_t column = pixel % width, row = pixel / width % height;
  const std::int64_t n = pixel / (width * height);
  float sum = 0;
  for (std::int64_t folded = c * call.group; folded < (c + 1) * call.group; ++folded) {
    const std::int64_t place = folded % (r * r);
    const std::int64_t from =
        ((n * call.height + row * r + place / r) * call.width + column * r + place % r) *
            call.channels +
        folded / (r * r);
    sum += to_float(x[from]);
  }
  y[thread] = round_to<T>(sum / static_cast<float>(call.group));
}

template <class T>
__global__ void __launch_bounds__(kThreads) unfold_pixels(PixelFoldCall call, const T* x, T* y) {
  const std::int64_t thread = global_thread();
  if (thread >= call.elements) return;
  const std::int64_t r = call.r;
  const std::int64_t c = thread % call.channels, pixel = thread / call.channels;
  const std::int64_t column = pixel % call.width, row = pixel / call.width % call.height;
  const std::int64_t n = pixel / (call.width * call.height);
  const std::int64_t folded = c * r * r + row % r * r + column % r;
  const std::int64_t from =
      ((n * (call.height / r) + row / r) * (call.width / r) + column / r) * call.small_channels +
      folded / call.group;
  y[thread] = x[from];
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    gated_silu(const T* x, T* y, std::int64_t rows, std::int64_t channels) {
  const std::int64_t thread = global_thread();
  if (thread >= rows * channels) return;
  const std::int64_t at = thread / channels * 2 * channels + thread % channels;
  y[thread] = round_to<T>(to_float(x[at]) * Silu::value(to_float(x[at + channels])));
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    join_columns(const T* a, std::int64_t a_columns, const T* b, std::int64_t b_columns, T* y,
                 std::int64_t rows) {
  const std::int64_t thread = global_thread(), columns = a_columns + b_columns;
  if (thread >= rows * columns) return;
  const std::int64_t row = thread / columns, column = thread % columns;
  y[thread] =
      column < a_columns ? a[row * a_columns + column] : b[row * b_columns + column - a_columns];
}

template <class T, PoolKind kKind>
__global__ void __launch_bounds__(kThreads) pool(PoolCall call, const T* x, T* y) {
  const std::int64_t thread = global_thread();
  if (thread >= call.elements) return;
  const std::int64_t c = thread % call.channels, pixel = thread / call.channels;
  const std::int64_t n = pixel / (call.out_height * call.out_width);
  const std::int64_t top = pixel / call.out_width % call.out_height * call.stride - call.padding;
  const std::int64_t left = pixel % call.out_width * call.stride - call.padding;
  const std::int64_t first_row = max(top, std::int64_t{0}), first = max(left, std::int64_t{0});
  const std::int64_t last_row = min(top + call.kernel_rows, call.height);
  const std::int64_t last = min(left + call.kernel_columns, call.width);
  float result = kKind == PoolKind::kMax ? -INFINITY : 0.0f;
  for (std::int64_t row = first_row; row < last_row; ++row) {
    for (std::int64_t column = first; column < last; ++column) {
      const float v =
          to_float(x[((n * call.height + row) * call.width + column) * call.channels + c]);
      result = kKind == PoolKind::kMax ? fmaxf(result, v) : result + v;
    }
  }
  if (kKind == PoolKind::kMean) {
    result /= static_cast<float>((last_row - first_row) * (last - first));
  }
  y[thread] = round_to<T>(result);
}

// f<X, Y>() for the types of an input and a result.
template <class F>
void with_elements(DType in, DType out, F&& f) {
  with_element(in, [&]<class X>(X) {
    with_element(out, [&]<class Y>(Y) { f.template operator()<X, Y>(); });
  });
}

}  // namespace

void launch_patches(cudaStream_t stream, const PatchesCall& call, void* out) {
  with_element(call.dtype, [&]<class T>(T) {
    const std::int64_t values = call.rows * call.kernel_rows * call.kernel_columns * call.channels;
    if (call.channels % kVector == 0 && aligned16(call.x) && aligned16(out)) {
      launch({stream, "patches", blocks_for(values / kVector), kThreads}, patches<T, kVector>, call,
             static_cast<T*>(out));
    } else {
      launch({stream, "patches", blocks_for(values), kThreads}, patches<T, 1>, call,
             static_cast<T*>(out));
    }
  });
}

void launch_grouped_convolution(cudaStream_t stream, const GroupedCall& call) {
  with_element(call.patches.dtype, [&]<class T>(T) {
    launch({stream, "grouped convolution", blocks_for(call.patches.rows * call.outputs), kThreads},
           grouped_convolution<T>, call);
  });
}

void launch_picture_activation(cudaStream_t stream, DType dtype, PictureActivation activation,
                               void* y, std::int64_t n) {
  with_element(dtype, [&]<class T>(T) {
    if (n % kVector == 0 && aligned16(y)) {
      launch({stream, "picture activation", blocks_for(n / kVector), kThreads},
             activate<T, kVector>, activation, static_cast<T*>(y), n);
    } else {
      launch({stream, "picture activation", blocks_for(n), kThreads}, activate<T, 1>, activation,
             static_cast<T*>(y), n);
    }
  });
}

void launch_group_norm(cudaStream_t stream, const GroupNormCall& call) {
  const dim3 slices(static_cast<unsigned>(call.slices), static_cast<unsigned>(call.batch));
  const dim3 groups(static_cast<unsigned>(call.groups), static_cast<unsigned>(call.batch));
  with_element(call.in, [&]<class T>(T) {
    launch({stream, "group_norm statistics", slices, kThreads}, slice_moments<T>, call);
  });
  launch({stream, "group_norm groups", groups, kThreads}, group_factors, call);
  const std::int64_t values = call.batch * call.pixels * call.channels;
  with_elements(call.in, call.out, [&]<class X, class Y>() {
    if (call.channels % kVector == 0 && aligned16(call.x) && aligned16(call.y)) {
      launch({stream, "group_norm", blocks_for(values / kVector), kThreads},
             normalise<X, Y, kVector>, call);
    } else {
      launch({stream, "group_norm", blocks_for(values), kThreads}, normalise<X, Y, 1>, call);
    }
  });
}

void launch_channel_rms_norm(cudaStream_t stream, const RmsNormCall& call) {
  const auto blocks = static_cast<unsigned>(divide_up(call.pixels, kThreads / 32));
  with_elements(call.in, call.out, [&]<class X, class Y>() {
    launch({stream, "channel_rms_norm", blocks, kThreads}, channel_rms_norm<X, Y>, call);
  });
}

void launch_softmax(cudaStream_t stream, float* s, std::int64_t rows, std::int64_t n, float scale,
                    DType dtype, void* p) {
  with_element(dtype, [&]<class T>(T) {
    launch({stream, "softmax", static_cast<unsigned>(rows), kThreads}, softmax<T>, s, n, scale,
           static_cast<T*>(p));
  });
}

void launch_relu_linear_attention(cudaStream_t stream, const LinearAttentionCall& call) {
  const dim3 blocks(static_cast<unsigned>(call.heads), static_cast<unsigned>(call.batch));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "relu_linear_attention", blocks, kThreads}, linear_attention<T>, call);
  });
}

void launch_fold_pixels(cudaStream_t stream, const PixelFoldCall& call, const void* x, void* y) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "fold_pixels", blocks_for(call.elements), kThreads}, fold_pixels<T>, call,
           static_cast<const T*>(x), static_cast<T*>(y));
  });
}

void launch_unfold_pixels(cudaStream_t stream, const PixelFoldCall& call, const void* x, void* y) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "unfold_pixels", blocks_for(call.elements), kThreads}, unfold_pixels<T>, call,
           static_cast<const T*>(x), static_cast<T*>(y));
  });
}

void launch_gated_silu(cudaStream_t stream, DType dtype, const void* x, void* y, std::int64_t rows,
                       std::int64_t channels) {
  with_element(dtype, [&]<class T>(T) {
    launch({stream, "gated_silu", blocks_for(rows * channels), kThreads}, gated_silu<T>,
           static_cast<const T*>(x), static_cast<T*>(y), rows, channels);
  });
}

void launch_join_columns(cudaStream_t stream, DType dtype, const void* a, std::int64_t a_columns,
                         const void* b, std::int64_t b_columns, void* y, std::int64_t rows) {
  with_element(dtype, [&]<class T>(T) {
    launch({stream, "join_channels", blocks_for(rows * (a_columns + b_columns)), kThreads},
           join_columns<T>, static_cast<const T*>(a), a_columns, static_cast<const T*>(b),
           b_columns, static_cast<T*>(y), rows);
  });
}

void launch_pool(cudaStream_t stream, const PoolCall& call, const void* x, void* y) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "pool", blocks_for(call.elements), kThreads},
           call.kind == PoolKind::kMax ? pool<T, PoolKind::kMax> : pool<T, PoolKind::kMean>, call,
           static_cast<const T*>(x), static_cast<T*>(y));
  });
}

}  // namespace edt
