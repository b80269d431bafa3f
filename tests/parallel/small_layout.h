// Seven tensors in blocks of 64 elements.
#pragma once

#include "parallel/sharding/flat_layout.h"

namespace edt::test {

inline FlatLayout small_layout() {
  return {{{"x_embedder.weight", {10, 7}},
           {"x_embedder.bias", {10}},
           {"blocks.0.attn.weight", {20, 30}},
           {"blocks.0.attn.bias", {20}},
           {"blocks.1.attn.weight", {20, 30}},
           {"blocks.1.table", {1}},
           {"final_layer.linear.weight", {3, 100}}},
          64};
}

}  // namespace edt::test
