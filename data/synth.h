// A data set of synthetic pictures, encoded by PatchTransform: of classes, or each with a caption;
// or of synthetic sequences.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/progress.h"
#include "data/writer.h"

namespace edt::data {

// What moves in synthetic sequences: somebody's joints (synth_sequence.h), or a pen
// (synth_curve.h).
enum class SynthSequences { kGaits, kCurves };
const std::vector<std::string>& names_of(SynthSequences kind);  // of the classes

struct SynthOptions {
  std::filesystem::path out;
  std::uint64_t samples = 8192;
  int image_size = 128;  // pixels
  int classes = 12;      // the first so many
  std::uint64_t seed = 0;
  int channels = 4;      // of the latents: 4, or 16 that keep edges sharp
  int vae_factor = 8;    // pixels for each latent, across and down: 4 or 8
  bool flipped = false;  // store mirrored copies too
  bool hog = false;      // store GradientFeatures beside the latents
  // Pictures that a caption describes, with the features that encode_caption() gives of it. Labels
  // are those of their shapes, of which there are five whatever `classes` says; mirrored copies,
  // which would contradict "left" and "right", are refused.
  bool captions = false;
  // With captions: a file of texts with those of the combinations that are never drawn.
  std::filesystem::path held_out = {};
  int length = 0;  // frames of a sequence: sequences instead of pictures
  SynthSequences sequences = SynthSequences::kGaits;
  std::uint64_t samples_per_shard = 4096;
  bool replace = false;  // shards that are there are not kept
};

// Continues an interrupted run with the same options; with others it is refused. Sample i has label
// i mod classes, of pictures with captions that of their shape. `held_out` is written last. Of
// sequences everything counts that is not of pictures.
WriteReport synthesize(const SynthOptions& options, const Progress& progress = {});

WriteReport synthesize_sequences(const SynthOptions& options, const Progress& progress = {});

}  // namespace edt::data
