// The Inception network of FID: Szegedy et al., arXiv 1512.00567, with the weights that TensorFlow
// published on 2015-12-05, 1008 classes, and pooling as that graph has it: means leave out what
// lies beside the picture, and the last block takes the largest instead of the mean (pytorch-fid,
// src/pytorch_fid/inception.py).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "core/image/image.h"
#include "core/ops/backend.h"
#include "core/ops/picture/convolution.h"
#include "model/evaluation/features.h"
#include "model/evaluation/inception_input.h"

namespace edt {

// Rows of all that evaluators take from a picture.
struct InceptionFeatures {
  static constexpr std::int64_t kPooled = 2048, kSpatial = 7 * 17 * 17, kClasses = 1008;

  std::vector<float> pooled;   // [pictures, 2048], ADM's pool_3
  std::vector<float> spatial;  // [pictures, 17 x 17 x 7], the first channels of ADM's mixed_6
  std::vector<float> logits;  // [pictures, 1008], without the bias, as the Inception Score takes it

  std::int64_t count() const { return static_cast<std::int64_t>(pooled.size()) / kPooled; }
  void append(const InceptionFeatures& more);
};

class Inception {
 public:
  // From safetensors with pytorch-fid's names (Conv2d_1a_3x3.conv.weight, ...). DataError that
  // names a tensor which is missing, of another shape, not finite, or foreign.
  Inception(const std::filesystem::path& file, Backend& backend);
  ~Inception();

  // Of the weights.
  std::uint64_t checksum() const;
  // float32; pictures of any sizes. Features do not depend on what else is in the call.
  InceptionFeatures run(std::span<const Image> pictures, InceptionResize resize);
  // Pictures of one pass, and the convolutions of one, for measuring.
  static constexpr std::int64_t kBatch = 8;
  std::vector<ConvolutionCall> convolutions();

 private:
  struct Network;
  Backend& backend_;
  std::unique_ptr<Network> network_;
};

}  // namespace edt
