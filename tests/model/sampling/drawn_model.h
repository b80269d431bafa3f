// A model whose parameters make each branch count.
#pragma once

#include <memory>
#include <vector>

#include "core/random/stream.h"
#include "model/families/model_config.h"

namespace edt::test {

// Memory of parameters, which have normal values of a spread of 0.15.
inline std::vector<Block> draw(ParameterList& list, Backend& backend, DType dtype,
                               std::uint64_t seed) {
  std::vector<Block> memory;
  for (Parameter& parameter : list.all()) {
    std::vector<float> values(static_cast<std::size_t>(parameter.shape.elements()));
    random::fill_normal({.seed = ++seed}, values);
    for (float& value : values) value *= 0.15f;
    parameter.value = {nullptr, parameter.shape, dtype};
    parameter.value.data = memory.emplace_back(backend.memory(), parameter.value.bytes()).data();
    backend.upload_floats(values, parameter.value);
  }
  return memory;
}

class DrawnModel {
 public:
  DrawnModel(const ModelConfig& config, Backend& backend, DType dtype = DType::kFloat32,
             std::uint64_t seed = 0)
      : model_(make_model(config, backend, dtype, {}, ModelUse::kSampling)),
        memory_(draw(model_->parameters(), backend, dtype, seed)) {}

  Model& operator*() { return *model_; }
  Model* get() { return model_.get(); }

 private:
  std::unique_ptr<Model> model_;
  std::vector<Block> memory_;
};

}  // namespace edt::test
