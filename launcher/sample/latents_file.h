// A file of sampled latents that says all that another program needs to decode them: HDF5 with
// attributes, or safetensors with metadata.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "core/storage/hdf5.h"

namespace edt {

class LatentsFile {
 public:
  // Safetensors where the name ends in ".safetensors", else HDF5; of `shape` [N, C, H, W] and N
  // labels. `notes`: numbers, texts, and lists of either. Throws SystemError where it cannot be
  // made.
  static std::unique_ptr<LatentsFile> create(const std::filesystem::path& path,
                                             const h5::Shape& shape,
                                             std::span<const std::int32_t> labels,
                                             const nlohmann::ordered_json& notes);
  virtual ~LatentsFile() = default;

  // The next rows [n, C, H, W].
  virtual void append(std::span<const float> rows) = 0;
  // Without it nothing is left behind.
  virtual void finish() = 0;
};

// safetensors where the name ends so, else HDF5.
inline constexpr std::string_view kLatentsExtensions = ".h5 .hdf5 .safetensors";

}  // namespace edt
