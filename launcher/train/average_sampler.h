// A second model that samples from the moving average while the first one trains: sample grids and
// evaluation take turns with it.
#pragma once

#include <memory>

#include "model/sampling/picture_sampler.h"
#include "model/weights.h"
#include "parallel/sharding/flat_layout.h"

namespace edt {

class AverageSampler {
 public:
  AverageSampler(const ModelConfig& config, Backend& backend, const TensorGroup& tensor_ranks)
      : backend_(backend),
        model_(make_model(config, backend, DType::kFloat32, tensor_ranks)),
        sampler_(*model_, backend, DType::kFloat32) {}

  const Model& model() const { return *model_; }
  PictureSampler& sampler() { return sampler_; }
  // `weights`, the flat moving average, are the model's for as long as the result lives.
  BoundWeights bind(const FlatLayout& layout, std::span<float> weights) {
    return {backend_, model_->parameters(), layout, weights, DType::kFloat32};
  }

 private:
  Backend& backend_;
  std::unique_ptr<Model> model_;
  PictureSampler sampler_;
};

}  // namespace edt
