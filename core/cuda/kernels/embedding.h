// Embeddings of timestep and class label.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

// out [batch, features]: cos then sin of t 10000^(-i / (features / 2))
void launch_timestep_features(cudaStream_t stream, DType dtype, const float* t, void* out,
                              std::int64_t batch, std::int64_t features);

// out[b] = table[labels[b]], one dtype
void launch_label_rows(cudaStream_t stream, DType dtype, const std::int32_t* labels,
                       const void* table, void* out, std::int64_t batch, std::int64_t width);

// dtable[labels[b]] += dy[b] in batch order
void launch_label_gradients(cudaStream_t stream, DType dtype, const void* dy,
                            const std::int32_t* labels, float* dtable, std::int64_t batch,
                            std::int64_t width);

}  // namespace edt
