#include "core/cuda/kernels/embedding.h"

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 128;

unsigned blocks_of(std::int64_t n) { return static_cast<unsigned>(divide_up(n, kThreads)); }

// In double: float32 angles of up to 999 radians would be off by 3e-5.
template <class T>
__global__ void __launch_bounds__(kThreads)
    timestep_features(const float* t, T* out, std::int64_t features) {
  const std::int64_t half = features / 2;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= half) return;
  const double frequency = exp(-9.210340371976184 * static_cast<double>(i) / half);  // log 10000
  double sine, cosine;
  sincos(t[blockIdx.y] * frequency, &sine, &cosine);
  T* row = out + blockIdx.y * features;
  row[i] = round_to<T>(static_cast<float>(cosine));
  row[half + i] = round_to<T>(static_cast<float>(sine));
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    label_rows(const std::int32_t* labels, const T* table, T* out, std::int64_t width) {
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  const std::int64_t row = blockIdx.x;
  if (c < width) out[row * width + c] = table[labels[row] * width + c];
}

// The first sample of a label adds the rows of all samples with that label, in batch order.
template <class T>
__global__ void __launch_bounds__(kThreads)
    label_gradients(const T* dy, const std::int32_t* labels, float* dtable, std::int64_t batch,
                    std::int64_t width) {
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t first = blockIdx.y;
  const std::int32_t label = labels[first];
  for (std::int64_t b = 0; b < first; ++b) {
    if (labels[b] == label) return;
  }
  if (c >= width) return;
  float sum = 0;
  for (std::int64_t b = first; b < batch; ++b) {
    if (labels[b] == label) sum += to_float(dy[b * width + c]);
  }
  dtable[label * width + c] += sum;
}

}  // namespace

void launch_timestep_features(cudaStream_t stream, DType dtype, const float* t, void* out,
                              std::int64_t batch, std::int64_t features) {
  const dim3 grid(blocks_of(features / 2), static_cast<unsigned>(batch));
  with_element(dtype, [&]<class T>(T) {
    launch({stream, "timestep_features", grid, kThreads}, timestep_features<T>, t,
           static_cast<T*>(out), features);
  });
}

void launch_label_rows(cudaStream_t stream, DType dtype, const std::int32_t* labels,
                       const void* table, void* out, std::int64_t batch, std::int64_t width) {
  const dim3 grid(static_cast<unsigned>(batch), blocks_of(width));
  with_element(dtype, [&]<class T>(T) {
    launch({stream, "label_embedding forward", grid, kThreads}, label_rows<T>, labels,
           static_cast<const T*>(table), static_cast<T*>(out), width);
  });
}

void launch_label_gradients(cudaStream_t stream, DType dtype, const void* dy,
                            const std::int32_t* labels, float* dtable, std::int64_t batch,
                            std::int64_t width) {
  const dim3 grid(blocks_of(width), static_cast<unsigned>(batch));
  with_element(dtype, [&]<class T>(T) {
    launch({stream, "label_embedding backward", grid, kThreads}, label_gradients<T>,
           static_cast<const T*>(dy), labels, dtable, batch, width);
  });
}

}  // namespace edt
