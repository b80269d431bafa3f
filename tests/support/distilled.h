// A teacher of distillation whose weights come from no file.
#pragma once

#include <memory>
#include <vector>

#include "core/random/stream.h"
#include "model/auxiliary/auxiliary_config.h"

namespace edt::test {

// Small random weights everywhere, also where networks begin with zeros: the same network however
// it is cut over tensor ranks.
inline DistillationConfig distilled_from(const ModelConfig& teacher, double output = 1,
                                         double attention = 0) {
  return {.run = "runs/teacher",
          .teacher = std::make_shared<const ModelConfig>(teacher),
          .output = output,
          .attention = attention,
          .read = [](const Model& model, const FlatLayout& layout, std::span<float> weights) {
            const auto shards = model.parameters().shards();
            for (std::size_t i = 0; i < shards.size(); ++i) {
              const FlatTensor& tensor = layout.tensor(i);
              std::vector<float> whole(static_cast<std::size_t>(shards[i].logical.elements()));
              random::fill_normal({.seed = 11, .sample = static_cast<std::uint32_t>(i)}, whole);
              for (float& value : whole) value *= 0.1f;
              shards[i].take(whole, weights.subspan(static_cast<std::size_t>(tensor.offset),
                                                    static_cast<std::size_t>(tensor.elements())));
            }
          }};
}

}  // namespace edt::test
