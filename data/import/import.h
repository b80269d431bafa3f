// Turns the layouts people have into shards. Everything streams: memory does not grow with the
// data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/storage/hdf5.h"
#include "data/progress.h"
#include "data/writer.h"

namespace edt::data {

enum class ImportLayout : std::uint8_t {
  kAuto,         // told from the path of the latents
  kFolders,      // one .npy per sample in a folder of features and in one of labels, named alike
  kArray,        // one .npy of latents and one of labels, or both in an .npz
  kSafetensors,  // a .safetensors file, or a folder of them
};

// What the channels are.
enum class Moments : std::uint8_t {
  kAuto,    // latents, where nothing else is possible
  kOff,     // latents
  kStd,     // mean, then standard deviation
  kLogvar,  // mean, then log variance
};

struct ImportOptions {
  ImportLayout layout = ImportLayout::kAuto;
  std::filesystem::path latents;          // folder, .npy, .npz, .safetensors or folder of these
  std::filesystem::path labels;           // folder or .npy; not used for .npz and safetensors
  std::filesystem::path flipped_latents;  // optional: mirrored copies, same layout as `latents`
  std::string latents_key = "latents";    // names within .npz and safetensors
  std::string labels_key = "labels";
  std::string flipped_key = "latents_flip";  // taken when it is there

  std::filesystem::path out;
  int classes = 1000;
  int image_size = 0;  // pixels; 0, or eight times the height of the latents
  double scale = 0.18215;
  bool scaled = true;  // latents are multiplied by `scale` already; false: the import does it
  Moments moments = Moments::kAuto;
  bool statistics = false;  // measure mean and deviation per channel, in a pass of its own
  h5::Type type = h5::Type::kFloat16;
  std::uint64_t samples_per_shard = 16384;
  bool replace = false;  // shards that are there are not kept
};

// What the latents are, where kAuto leaves it to the path.
ImportLayout layout_of(const ImportOptions& options);

// Continues an interrupted import with the same options of the same inputs; with others it is
// refused.
WriteReport import_data(const ImportOptions& options, const Progress& progress = {});

}  // namespace edt::data
