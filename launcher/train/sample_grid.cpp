#include "launcher/train/sample_grid.h"

#include <algorithm>

#include "core/base/clock.h"
#include "data/decoder.h"
#include "launcher/recipe/model_data.h"
#include "launcher/train/planned_step.h"
#include "model/sampling/sample_over_ranks.h"

namespace edt {

SampleGrid::SampleGrid(const ModelConfig& config, const RunOptions& options, std::uint64_t seed,
                       AverageSampler& average, std::shared_ptr<const data::PictureDecoder> decoder,
                       const Mesh& mesh, const data::Dataset& dataset)
    : mesh_(mesh), average_(average), decoder_(std::move(decoder)) {
  for (std::int64_t i = 0; i < options.sample_images; ++i) {
    request_.labels.push_back(class_in_turn(i, config.classes()));
  }
  const auto images = static_cast<std::uint64_t>(options.sample_images);
  const auto which = [&dataset, images](std::int64_t picture) {
    return static_cast<std::uint64_t>(picture) * dataset.size() / images;
  };
  take_texts(dataset, config, which, request_);
  request_.solver.kind = preview_solver(config.common().process);
  request_.solver.spacing = std::to_string(options.sample_steps);
  request_.guidance.scale = options.sample_guidance;
  request_.seed = seed;
  request_.batch = kGridBatch;
}

Image SampleGrid::draw(const FlatLayout& layout, std::span<float> weights) {
  const BoundWeights bound = average_.bind(layout, weights);
  decoding_seconds_ = 0;
  std::vector<Image> images;
  const bool counts = mesh_.tensor().is_root();  // tensor ranks have the same latents
  sample_over_ranks(
      average_.sampler(), request_, mesh_.data(),
      [&](std::span<const float> batch) {
        if (!counts || !mesh_.world().is_root()) return;
        const std::size_t each = static_cast<std::size_t>(3) * width_ * height_;
        for (std::size_t at = 0; at < batch.size(); at += each) {
          images.push_back(image_of(batch.subspan(at, each)));
        }
      },
      {}, [&](std::vector<float> latents) { return counts ? pixels_of(latents) : latents; });
  if (!mesh_.world().is_root()) return {};
  return make_grid(images, grid_columns(average_.model().classes()));
}

std::vector<float> SampleGrid::pixels_of(std::span<const float> latents) {
  const auto begin = Clock::now();
  const LatentShape& shape = average_.model().latents();
  const std::size_t each = average_.sampler().picture_elements();
  std::vector<float> pixels;
  for (std::size_t at = 0; at < latents.size(); at += each) {
    const Image image = decoder_->decode(latents.subspan(at, each), static_cast<int>(shape.height),
                                         static_cast<int>(shape.width));
    width_ = image.width;
    height_ = image.height;
    pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
  }
  decoding_seconds_ += seconds_since(begin);
  return pixels;
}

Image SampleGrid::image_of(std::span<const float> pixels) const {
  Image image(width_, height_);
  std::ranges::transform(pixels, image.pixels.begin(),
                         [](float value) { return static_cast<std::uint8_t>(value); });
  if (decoder_->is_false_colour()) image.comment = data::kFalseColours;
  return image;
}

}  // namespace edt
