#include "model/blocks/matmul_list.h"

#include "model/blocks/modules.h"

namespace edt {

void MatmulList::linear(std::int64_t rows, std::int64_t out, std::int64_t in, std::int64_t count,
                        bool input_gradient) {
  uses_.push_back({.m = rows, .n = out, .k = in, .count = count, .input_gradient = input_gradient});
}

void MatmulList::embeddings(const CommonConfig& config, std::int64_t images, std::int64_t tokens,
                            std::int64_t width) {
  linear(images * tokens, width, config.patch * config.patch * config.channels, 1, false);
  linear(images, width, kTimestepFeatures, 1, false);
  linear(images, width, width);
}

void MatmulList::modulations(std::int64_t images, std::int64_t out, std::int64_t condition,
                             std::int64_t count) {
  linear(images, out / ranks_, condition, count);
}

void MatmulList::blocks(const Blocks& b) {
  const std::int64_t rows = b.images * b.tokens, own = b.width / ranks_, head = b.width / b.heads;
  const std::int64_t own_heads = b.images * (b.heads / ranks_);
  linear(rows, 3 * own, b.width, b.count);
  uses_.push_back({.batch = own_heads, .m = b.tokens, .n = b.tokens, .k = head, .count = b.count});
  uses_.push_back({.batch = own_heads,
                   .m = b.tokens,
                   .n = head,
                   .k = b.tokens,
                   .count = b.count,
                   .transposed_right = false});
  linear(rows, b.width, own, b.count);
  linear(rows, b.mlp_ratio * own, b.width, b.count);
  linear(rows, b.width, b.mlp_ratio * own, b.count);
}

void MatmulList::final_layer(const CommonConfig& config, std::int64_t images, std::int64_t tokens,
                             std::int64_t width) {
  modulations(images, 2 * width, width);
  linear(images * tokens, config.patch * config.patch * 2 * config.channels, width);
}

}  // namespace edt
