// The matrix products of a transformer's parts, collected while its configuration walks through
// them.
#pragma once

#include "model/config.h"
#include "model/matmuls.h"

namespace edt {

class MatmulList {
 public:
  // Products of one of `tensor_ranks`.
  explicit MatmulList(int tensor_ranks) : ranks_(tensor_ranks) {}

  void linear(std::int64_t rows, std::int64_t out, std::int64_t in, std::int64_t count = 1,
              bool input_gradient = true);
  // Patches and condition of `images` images with `tokens` tokens.
  void embeddings(const CommonConfig& config, std::int64_t images, std::int64_t tokens,
                  std::int64_t width);
  // adaLN projections of `images` conditions, each rank some of the columns.
  void modulations(std::int64_t images, std::int64_t out, std::int64_t condition,
                   std::int64_t count = 1);

  struct Blocks {
    std::int64_t images, tokens, width, heads, mlp_ratio, count;
  };
  // Attention and MLP of `count` blocks, without their adaLN projections.
  void blocks(const Blocks& blocks);
  void final_layer(const CommonConfig& config, std::int64_t images, std::int64_t tokens,
                   std::int64_t width);

  std::vector<MatmulUse> take() { return std::move(uses_); }

 private:
  int ranks_;
  std::vector<MatmulUse> uses_;
};

}  // namespace edt
