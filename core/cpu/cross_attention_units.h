// Attention to texts on units (one sample and head each), of one thread with its own memory. As in
// attention_plan.h scores are computed transposed, in panels of queries.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/cpu/elementwise.h"
#include "core/tensor/tensor.h"

namespace edt {

struct CrossAttentionPlan {
  std::int64_t batch, queries, keys, heads, size;
  std::int64_t panel;        // queries of a panel
  std::int64_t padded_size;  // size, rounded up to whole vectors
  float scale;
  Span q, kv;
  const std::int32_t* lengths;
  Span out = {};         // forward
  float* lse = nullptr;  // written forward, or null; read backward
  // backward
  Span dout = {}, dq = {}, dkv = {};
  bool add_dq = false, add_dkv = false;

  CrossAttentionPlan(const Tensor& queries_of, const Tensor& keys_of, const Tensor& counts,
                     std::int64_t lanes)
      : batch(queries_of.shape[0]),
        queries(queries_of.shape[1]),
        keys(keys_of.shape[1]),
        heads(queries_of.shape[2]),
        size(queries_of.shape[3]),
        panel(2 * lanes),
        padded_size((size + lanes - 1) / lanes * lanes),
        scale(1.0f / std::sqrt(static_cast<float>(size))),
        q{queries_of.data, queries_of.dtype},
        kv{keys_of.data, keys_of.dtype},
        lengths(counts.as<std::int32_t>()) {}

  std::int64_t units() const { return batch * heads; }
  // The heads of a sample follow each other: they share the cache lines of its tokens.
  std::int64_t head_of(std::int64_t unit) const { return unit % heads; }
  std::int64_t sample_of(std::int64_t unit) const { return unit / heads; }
  std::int64_t count(std::int64_t unit) const { return lengths[sample_of(unit)]; }

  // Element offsets of a unit's first query, of its first key (which = 0) or value (1), and the
  // distances of two.
  std::int64_t query_stride() const { return heads * size; }
  std::int64_t key_stride() const { return 2 * heads * size; }
  std::int64_t query_at(std::int64_t unit) const {
    return sample_of(unit) * queries * query_stride() + head_of(unit) * size;
  }
  std::int64_t key_at(std::int64_t unit, int which) const {
    return sample_of(unit) * keys * key_stride() + (which * heads + head_of(unit)) * size;
  }
  std::int64_t lse_at(std::int64_t unit) const { return unit * queries; }
};

// Floats of memory that one thread needs.
std::int64_t cross_attention_forward_floats(const CrossAttentionPlan& plan);
std::int64_t cross_attention_backward_floats(const CrossAttentionPlan& plan);

void cross_attention_forward_units(const CrossAttentionPlan& plan, float* memory,
                                   std::int64_t begin, std::int64_t end);
void cross_attention_backward_units(const CrossAttentionPlan& plan, float* memory,
                                    std::int64_t begin, std::int64_t end);

}  // namespace edt
