// Turns the layouts people have into shards. Everything streams: memory does not grow with the
// data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/storage/hdf5.h"
#include "data/class_order.h"
#include "data/import/features.h"
#include "data/import/texts.h"
#include "data/progress.h"
#include "data/writer.h"

namespace edt::data {

enum class ImportLayout : std::uint8_t {
  kAuto,     // told from what the latents' path holds
  kArray,    // one file: .npy, .npz, .safetensors or HDF5
  kFolders,  // a folder of such files
  kJson,     // folders below folders, or a zip archive of them, with labels in a dataset.json
  kClasses,  // a folder for each class
};

// What the channels are.
enum class Moments : std::uint8_t {
  kAuto,    // latents, where nothing else is possible
  kOff,     // latents
  kStd,     // mean, then standard deviation
  kLogvar,  // mean, then log variance
};

// What becomes of sequences that are longer than those of the data set.
enum class SequenceCut : std::uint8_t {
  kNone,    // none is
  kFirst,   // their first frames are taken
  kWindows  // windows of them
};

// Of sequences instead of latents of pictures.
struct SequenceOptions {
  std::uint64_t length = 0;  // frames of each in the data set; 0: the input are no sequences
  SequenceCut cut = SequenceCut::kNone;
  std::uint64_t window_step = 0;  // frames from one window to the next; 0: `length`
  bool skips_short = false;       // leaves out those that are shorter, else they are refused
  std::filesystem::path frames;  // conditions [N, T, A], laid out alike; empty: beside them, if any
  std::string frames_key, lengths_key;  // names within .npz, .safetensors and HDF5

  bool is_on() const { return length > 0; }
  std::uint64_t step() const { return window_step > 0 ? window_step : length; }
};

// In the order of its options, of which there is one in a program.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
struct ImportOptions {
  ImportLayout layout = ImportLayout::kAuto;
  std::filesystem::path latents;          // file or folder
  std::filesystem::path labels;           // likewise, or a .json; empty: beside the latents
  std::filesystem::path flipped_latents;  // mirrored copies, laid out as `latents`; likewise
  // Names within .npz, .safetensors and HDF5. Empty: the usual ones.
  std::string latents_key, labels_key, flipped_key;
  ClassOrder class_order = ClassOrder::kAuto;
  bool unlabelled = false;  // there are no labels: all samples are of one class

  std::filesystem::path out;
  int classes = 0;     // 0: as many as the labels say (class folders, one-hot), else 1000
  int image_size = 0;  // pixels; 0, or `vae_factor` times the height of the latents
  int vae_factor = 8;  // pixels for each element of a latent, across and down
  double scale = 0.18215;
  bool scale_is_given = false;  // else what the files say counts
  // Latents are multiplied by `scale` already; false: the import does it. Not said: they are, and
  // values that do not look like it are refused.
  std::optional<bool> scaled;
  Moments moments = Moments::kAuto;
  bool statistics = false;  // measure mean and deviation per channel, in a pass of its own
  // Or a file of arrays that has them: mean and std, or REPA-E's latents_bias and latents_scale,
  // which is 1 / std; of latents as they are trained on.
  std::filesystem::path statistics_from;
  h5::Type type = h5::Type::kFloat16;
  FeatureOptions features;  // beside the latents
  TextOptions text;         // likewise
  SequenceOptions sequences;
  std::uint64_t samples_per_shard = 16384;
  bool replace = false;  // shards that are there are not kept
};

// Continues an interrupted import with the same options of the same inputs; with others it is
// refused.
WriteReport import_data(const ImportOptions& options, const Progress& progress = {});

}  // namespace edt::data
