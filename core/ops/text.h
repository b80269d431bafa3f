// Texts as a network reads them: features of their tokens that came with the batch. No gradient
// goes back to them.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

struct TextKernels : virtual KernelFamily {
  // out = features where there is a token, zero behind the last one; features [B, L, C] float32,
  // lengths [B] int32, out [B, L, C]
  virtual void text_tokens(const Tensor& features, const Tensor& lengths, const Tensor& out);
  // out [B, C] = mean over the tokens that are there; zero where there are none
  virtual void text_mean(const Tensor& features, const Tensor& lengths, const Tensor& out);
};

// features [B, L, C] float32, lengths [B] int32 -> [B, L, C]; what stands behind the last token of
// a text changes nothing.
Var text_tokens(Tape& tape, const Tensor& features, const Tensor& lengths);
// -> [B, C]
Var text_mean(Tape& tape, const Tensor& features, const Tensor& lengths);

}  // namespace edt
