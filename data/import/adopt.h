// A data set of another program becomes one of ours where it lacks only attributes: they are
// written into its files, whose arrays stay as they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/import/import.h"

namespace edt::data {

struct AdoptOptions {
  std::filesystem::path path;  // directory of HDF5 files, or one
  // What the files do not say themselves; what they say must agree.
  int classes = 0;     // 0: not said
  int image_size = 0;  // 0: `vae_factor` times the height of the latents
  int vae_factor = 8;
  double scale = 0;  // 0: 0.18215, where the values look like it
  Moments moments = Moments::kAuto;
};

struct AdoptReport {
  std::uint64_t adopted = 0, whole = 0;  // files
  std::vector<std::string> written;      // "num_classes = 10", of the last one
};

// Looks at all files before it changes the first. Each is changed whole or not at all, whenever the
// program is stopped; called again it goes on. DataError or UsageError in case of doubt: no
// --classes, 8 channels that may be moments, values that were not scaled, an unfinished or open
// file, ...
AdoptReport adopt(const AdoptOptions& options);

}  // namespace edt::data
