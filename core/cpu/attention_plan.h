// Sizes of one attention call, and how its kernels find the relative-position bias.
//
// One unit of work is one sample and head. Its scores are computed transposed, in panels of W
// queries: panel[j][w] belongs to key j and query i0 + w. So the softmax runs along rows of the
// panel, in registers, without horizontal sums, and a head size like 52 needs no padding.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/cpu/elementwise.h"
#include "core/ops/token_grid.h"
#include "core/tensor/tensor.h"

namespace edt {

struct AttentionPlan {
  std::int64_t batch, tokens, heads, size;
  TokenGrid grid;
  std::int64_t panel;   // W, queries of a panel
  std::int64_t padded;  // tokens, rounded up to whole panels
  std::int64_t padded_size;
  float scale;

  // What is added to scores: nothing; the bias of a whole grid; that of its visible tokens.
  enum class Bias { kNone, kGrid, kVisible };
  Bias bias;
  // kGrid: bias of keys j and queries i .. i + lanes - 1 = head's bias + row[j] + column[i /
  // lanes]. Where the grid's rows are multiples of the lanes, and no panel has queries beyond them,
  // `lanes` queries are neighbours in the table itself. Elsewhere the table is expanded to [tokens,
  // padded].
  //
  // kVisible: queries are gathered out of the table.
  bool compact;
  std::int64_t bias_size;  // floats of one head
  std::vector<std::int64_t> row, column;

  AttentionPlan(const Tensor& qkv, std::int64_t lanes, Bias kind, const TokenGrid& grid_of_tokens)
      : batch(qkv.shape[0]),
        tokens(qkv.shape[1]),
        heads(qkv.shape[3]),
        size(qkv.shape[4]),
        grid(grid_of_tokens),
        panel(2 * lanes),
        padded((tokens + panel - 1) / panel * panel),
        padded_size((size + lanes - 1) / lanes * lanes),
        scale(1.0f / std::sqrt(static_cast<float>(size))),
        bias(kind),
        compact(kind == Bias::kVisible || (grid.columns % lanes == 0 && tokens == padded)),
        bias_size(kind == Bias::kNone ? 0
                  : compact           ? grid.distances()
                                      : tokens * padded) {
    if (bias != Bias::kGrid) return;
    for (std::int64_t j = 0; j < tokens; ++j) row.push_back(compact ? key_offset(j) : j * padded);
    for (std::int64_t i = 0; i < padded; i += lanes) {
      column.push_back(compact ? query_offset(i) : i);
    }
  }

  std::int64_t span() const { return 2 * grid.columns - 1; }
  // Table row of the places (i, j) = query_offset(i) + key_offset(j).
  std::int64_t query_offset(std::int64_t i) const {
    return i / grid.columns * span() + i % grid.columns;
  }
  std::int64_t key_offset(std::int64_t j) const {
    return (grid.rows - 1) * span() + grid.columns - 1 - query_offset(j);
  }

  std::int64_t units() const { return heads * batch; }
  // The heads of a sample follow each other: they share the cache lines of its tokens.
  std::int64_t head_of(std::int64_t unit) const { return unit % heads; }
  std::int64_t sample_of(std::int64_t unit) const { return unit / heads; }

  // Element offsets of a unit's first token, and the distance of two tokens.
  std::int64_t qkv_stride() const { return 3 * heads * size; }
  std::int64_t out_stride() const { return heads * size; }
  std::int64_t qkv_at(std::int64_t unit, int which) const {
    return sample_of(unit) * tokens * qkv_stride() + (which * heads + head_of(unit)) * size;
  }
  std::int64_t out_at(std::int64_t unit) const {
    return sample_of(unit) * tokens * out_stride() + head_of(unit) * size;
  }
  std::int64_t lse_at(std::int64_t unit) const {
    return (sample_of(unit) * heads + head_of(unit)) * tokens;
  }
};

// Memory of one thread, given out from the front by cache lines.
struct FloatStack {
  float* next;
  float* take(std::int64_t floats) {
    float* begin = next;
    next += (floats + 15) / 16 * 16;
    return begin;
  }
};

// What the kernels of a unit read and write.
struct AttentionForward {
  const AttentionPlan& plan;
  Span qkv, out;
  const float* bias;        // [heads, bias_size]
  const std::int32_t* ids;  // [batch, tokens], places of visible tokens, or null
  const float* modulation;  // transposed, [tokens, padded], or null
  float* lse;               // or null
};

struct AttentionBackward {
  const AttentionPlan& plan;
  Span dout, qkv, dqkv;
  const float* bias;
  const std::int32_t* ids;
  const float* lse;
  bool accumulate;
};

}  // namespace edt
