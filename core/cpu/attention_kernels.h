// Attention on units (one sample and head each), of one thread with its own memory.
#pragma once

#include "core/cpu/attention_plan.h"

namespace edt {

// Floats in a vector register of this machine.
std::int64_t attention_lanes();

// Floats of memory that one thread needs.
std::int64_t attention_forward_floats(const AttentionPlan& plan);
std::int64_t attention_backward_floats(const AttentionPlan& plan);

void attention_forward_units(const AttentionForward& a, float* memory, std::int64_t begin,
                             std::int64_t end);
// Adds the bias gradient to dtable [heads, (2g-1)^2].
void attention_backward_units(const AttentionBackward& a, float* memory, float* dtable,
                              std::int64_t begin, std::int64_t end);

// The same for bf16 by dot products of pairs, where onednn_has_native_bf16(). Probabilities and
// gradients of scores are rounded to bf16, sums are float32.
std::int64_t attention_pairs_forward_floats(const AttentionPlan& plan);
std::int64_t attention_pairs_backward_floats(const AttentionPlan& plan);
void attention_pairs_forward_units(const AttentionForward& a, float* memory, std::int64_t begin,
                                   std::int64_t end);
void attention_pairs_backward_units(const AttentionBackward& a, float* memory, float* dtable,
                                    std::int64_t begin, std::int64_t end);

}  // namespace edt
