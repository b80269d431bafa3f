// What one forward pass of a sampler reads and writes, in a backend's memory.
#pragma once

#include <vector>

#include "core/ops/backend.h"
#include "launcher/bench/synthetic_batch.h"

namespace edt {

class SamplerInputs {
 public:
  SamplerInputs(Backend& backend, const Model& model, std::int64_t images) : backend_(backend) {
    const SyntheticBatch batch(model, images);
    const std::vector<float> times(static_cast<std::size_t>(images), model.process().told(0.5));
    const LatentShape& latents = model.latents();
    const std::int64_t height = latents.height, width = latents.width;
    const std::int64_t outputs = model.process().config().out_channels(latents.channels);
    inputs_ = {
        tensor(batch.latents.data(), {images, latents.channels, height, width}, DType::kFloat32),
        tensor(times.data(), {images}, DType::kFloat32),
        tensor(batch.labels.data(), {images}, DType::kInt32)};
    if (const std::int64_t channels = model.frame_channels(); channels > 0) {
      const Shape shape{images, model.patches().tokens(), channels};
      const std::vector<float> zeros(static_cast<std::size_t>(shape.elements()));
      inputs_.frames = tensor(zeros.data(), shape, DType::kFloat32);
    }
    prediction_ = tensor(nullptr, {images, outputs, height, width}, DType::kFloat32);
  }

  // The pass, done when it returns.
  void run(Model& model, Tape& tape) {
    {
      const Var tokens = model.forward(tape, inputs_);
      backend_.unpatchify(tokens.tensor(), model.patch(), prediction_);
    }
    tape.clear();
    backend_.synchronize();
  }

 private:
  Tensor tensor(const void* values, const Shape& shape, DType dtype) {
    Tensor tensor{nullptr, shape, dtype};
    tensor.data = memory_.emplace_back(backend_.memory(), tensor.bytes()).data();
    if (values != nullptr) backend_.upload(values, tensor);
    return tensor;
  }

  Backend& backend_;
  std::vector<Block> memory_;
  ModelInputs inputs_;
  Tensor prediction_;
};

}  // namespace edt
