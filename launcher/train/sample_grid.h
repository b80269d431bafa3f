// A grid of pictures from the moving average, drawn now and then while a model trains. The noise
// is the same each time, so that grids show how the pictures change. Data ranks share the work,
// decoding too.
#pragma once

#include "core/image/image.h"
#include "core/ops/backend.h"
#include "data/dataset.h"
#include "data/picture_decoder.h"
#include "launcher/recipe/train_config.h"
#include "launcher/train/average_sampler.h"
#include "model/families/model_config.h"
#include "parallel/sharding/mesh.h"

namespace edt {

class SampleGrid {
 public:
  // `decoder` is that of the data, for latents as the model sees them. Where the model reads texts,
  // those of samples at even distances in the data set, which outlives the grid.
  SampleGrid(const ModelConfig& config, const RunOptions& options, std::uint64_t seed,
             AverageSampler& average, std::shared_ptr<const data::PictureDecoder> decoder,
             const Mesh& mesh, const data::Dataset& dataset);

  // `weights`: the flat moving average. All ranks call it; the first one gets the picture.
  Image draw(const FlatLayout& layout, std::span<float> weights);
  // That this rank decoded for the last one.
  double decoding_seconds() const { return decoding_seconds_; }

 private:
  // Of latents, the bytes of their pictures.
  std::vector<float> pixels_of(std::span<const float> latents);
  // A picture of such bytes.
  Image image_of(std::span<const float> pixels) const;

  const Mesh& mesh_;
  AverageSampler& average_;
  std::shared_ptr<const data::PictureDecoder> decoder_;
  PictureRequest request_;
  int width_ = 0, height_ = 0;  // of a picture
  double decoding_seconds_ = 0;
};

}  // namespace edt
