// What the latents of a model are: how those of the VAE become what it sees, and back. Kept in
// every checkpoint, so that samples can be decoded without the data set.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/description.h"
#include "parallel/checkpoint/state.h"

namespace edt {

// latent of the VAE = (latent of the model * std + mean) / scale + shift, channel by channel.
struct LatentSpace {
  double scale = 1, shift = 0;
  std::vector<double> mean, std;         // of each channel; 0 and 1 where it is not normalized
  std::int64_t image_size = 0;           // side of the pictures in pixels; 0: not known
  std::vector<std::string> class_names;  // empty: not known
  // The autoencoder whose latents these are, and the checksum of its encoder; empty: not known.
  std::string autoencoder, autoencoder_checksum;

  // Of a model that is trained on such data; `normalize` as data.normalize.
  static LatentSpace of(const data::Description& data, bool normalize);
  // As a checkpoint has it; nothing: it was imported, or written before this was kept.
  static std::optional<LatentSpace> of(const CheckpointInfo& info);
  // As `where` has it, written by to_text(). CheckpointError where it is something else.
  static LatentSpace of_text(const std::string& text, const std::string& where);
  // As JSON: what CheckpointInfo::extra has under kKey.
  std::string to_text() const;
  static constexpr const char* kKey = "latents";

  // Throws DataError with both values unless `other`, of `path`, is the same space.
  void require_same(const LatentSpace& other, const std::string& path) const;
};

}  // namespace edt
