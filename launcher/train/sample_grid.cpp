#include "launcher/train/sample_grid.h"

#include <algorithm>

#include "model/sampling/sample_over_ranks.h"
#include "model/weights.h"

namespace edt {

SampleGrid::SampleGrid(const ModelConfig& config, const RunOptions& options, std::uint64_t seed,
                       Backend& backend, std::shared_ptr<const data::PictureDecoder> decoder,
                       const Mesh& mesh, const TensorGroup& tensor_ranks)
    : mesh_(mesh),
      backend_(backend),
      model_(make_model(config, backend, DType::kFloat32, tensor_ranks)),
      sampler_(*model_, backend, DType::kFloat32),
      decoder_(std::move(decoder)) {
  for (std::int64_t i = 0; i < options.sample_images; ++i) {
    request_.labels.push_back(static_cast<std::int32_t>(i % config.classes()));
  }
  request_.solver.kind = preview_solver(config.common().process);
  request_.solver.spacing = std::to_string(options.sample_steps);
  request_.guidance.scale = options.sample_guidance;
  request_.seed = seed;
  request_.batch = 2;  // small, so that there is work for many ranks
}

Image SampleGrid::draw(const FlatLayout& layout, std::span<float> weights) {
  const BoundWeights bound(backend_, model_->parameters(), layout, weights, DType::kFloat32);
  std::vector<float> latents;
  sample_over_ranks(sampler_, request_, mesh_.data(), [&](std::span<const float> batch) {
    latents.insert(latents.end(), batch.begin(), batch.end());
  });
  if (!mesh_.world().is_root()) return {};
  const LatentShape& shape = model_->latents();
  const auto height = static_cast<int>(shape.height), width = static_cast<int>(shape.width);
  const std::size_t each = sampler_.picture_elements();
  std::vector<Image> images;
  for (std::size_t at = 0; at < latents.size(); at += each) {
    images.push_back(decoder_->decode(std::span(latents).subspan(at, each), height, width));
  }
  return make_grid(images, static_cast<int>(std::min<std::int64_t>(10, model_->classes())));
}

}  // namespace edt
