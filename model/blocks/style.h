// What a transformer block is made of, where published models differ: a value of a configuration.
#pragma once

#include <cstdint>

namespace edt {

enum class NormForm {
  kLayer,  // without parameters
  kRms     // with a weight
};
enum class MlpForm { kGelu, kSwiglu };
// Of the heads of queries and keys, with a weight (layer norm: and a bias) that all heads share.
enum class HeadNorm { kNone, kLayer, kRms };
enum class Positions {
  kTable,  // sines and cosines, added to the patches
  kRotary,
  kBoth
};

// DiT's block by default.
struct BlockStyle {
  NormForm norm = NormForm::kLayer;
  MlpForm mlp = MlpForm::kGelu;
  HeadNorm head_norm = HeadNorm::kNone;
  Positions positions = Positions::kTable;
  bool shifts = true;  // of the modulations in blocks; the final layer always has one

  bool operator==(const BlockStyle&) const = default;

  bool adds_positions() const { return positions != Positions::kRotary; }
  bool rotates() const { return positions != Positions::kTable; }
  // Hidden units of the MLP. SwiGLU has three matrices where gelu has two: of 2/3 the width,
  // rounded down as published.
  std::int64_t hidden_units(std::int64_t width, std::int64_t mlp_ratio) const {
    return mlp == MlpForm::kSwiglu ? 2 * mlp_ratio * width / 3 : mlp_ratio * width;
  }
  // What a block's modulation gives: chunks of the width.
  int modulation_chunks() const { return shifts ? 6 : 4; }
};

}  // namespace edt
