// Embeddings of timestep and class label.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

struct EmbeddingKernels : virtual KernelFamily {
  // t [B] accurate_dtype -> out [B, F]: cos then sin of t * 10000^(-i / (F/2)).
  virtual void timestep_features(const Tensor& t, const Tensor& out);
  // labels [B] int32, table [rows, D] -> out [B, D]
  virtual void label_forward(const Tensor& labels, const Tensor& table, const Tensor& out);
  // dtable rows += dy rows in batch order; with accumulate false the other rows become zero.
  virtual void label_backward(const Tensor& dy, const Tensor& labels, const GradTarget& dtable);
};

// Sinusoidal features of the timesteps; no gradient.
Var timestep_features(Tape& tape, const Tensor& t, std::int64_t features);
Var label_embedding(Tape& tape, const Tensor& labels, Parameter& table);

}  // namespace edt
