// Features that others have computed of pictures, by whatever network: an array [pictures, width]
// of floating-point numbers in an .npy, .npz, HDF5 or safetensors file. What distances by DINOv2
// and CLIP (CMMD) take.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

#include "launcher/evaluate/feature_set.h"

namespace edt {

struct FeatureTable {
  std::string key;         // the array's name; empty: features or embeddings
  std::int64_t count = 0;  // the first rows alone; 0: all
  // Of them, those whose features are kept.
  std::int64_t kept = std::numeric_limits<std::int64_t>::max();
};

// Whether the file holds an array that is called so, or arrays and nothing else.
bool is_feature_table(const std::filesystem::path& file);

// Statistics of the rows, and the first of them. DataError that names what is no such array, a row
// that is not finite or zero everywhere, and fewer than two rows.
FeatureSet read_feature_table(const std::filesystem::path& file, const FeatureTable& table);

}  // namespace edt
