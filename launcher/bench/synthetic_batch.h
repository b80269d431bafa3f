// Latents and labels that need no data set.
#pragma once

#include <cstdint>
#include <vector>

#include "core/random/stream.h"
#include "model/model.h"

namespace edt {

struct SyntheticBatch {
  std::vector<float> latents;
  std::vector<std::int32_t> labels;

  SyntheticBatch(const Model& model, std::int64_t images)
      : latents(static_cast<std::size_t>(images * model.latents().elements())),
        labels(static_cast<std::size_t>(images)) {
    random::fill_normal({.purpose = random::Purpose::kBenchmark}, latents);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      labels[i] = class_in_turn(static_cast<std::int64_t>(i), model.classes());
    }
  }
};

}  // namespace edt
