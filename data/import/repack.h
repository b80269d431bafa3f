// Any data set that can be read, written anew in this program's layout: each sample by itself,
// uncompressed, with checksums and a sealed header.
#pragma once

#include <cstdint>
#include <filesystem>

#include "data/import/features.h"
#include "data/import/texts.h"
#include "data/progress.h"
#include "data/writer.h"

namespace edt::data {

struct RepackOptions {
  std::filesystem::path in, out;
  FeatureOptions features;  // that are put beside the latents
  TextOptions text;         // likewise
  std::uint64_t samples_per_shard = 16384;
  bool replace = false;  // shards that are there are not kept
};

// Values, labels, mirrored copies, arrays beside them, texts and attributes stay as they are, bit
// by bit; memory does not grow with the data. Continues an interrupted call with the same options
// on the same input.
WriteReport repack(const RepackOptions& options, const Progress& progress = {});

}  // namespace edt::data
