#include "launcher/train/sample_grid.h"

#include <algorithm>

#include "model/weights.h"

namespace edt {

SampleGrid::SampleGrid(const EdtConfig& config, const RunOptions& options, std::uint64_t seed,
                       Backend& backend, const data::Description& data)
    : backend_(backend),
      model_(config, backend, DType::kFloat32),
      sampler_(model_, backend, DType::kFloat32),
      decoder_(data) {
  for (std::int64_t i = 0; i < options.sample_images; ++i) {
    request_.labels.push_back(static_cast<std::int32_t>(i % config.classes));
  }
  request_.sampler.kind = SamplerKind::kDdim;
  request_.spacing = std::to_string(options.sample_steps);
  request_.guidance.scale = options.sample_guidance;
  request_.seed = seed;
}

Image SampleGrid::draw(const FlatLayout& layout, std::span<float> weights) {
  const BoundWeights bound(backend_, model_.parameters(), layout, weights, DType::kFloat32);
  const std::int64_t side = model_.input_size();
  std::vector<float> latents(request_.labels.size() *
                             static_cast<std::size_t>(model_.channels() * side * side));
  sampler_.run(request_, latents);
  const std::vector<Image> images = decoder_.decode_all(latents);
  return make_grid(images, static_cast<int>(std::min<std::int64_t>(10, model_.classes())));
}

}  // namespace edt
