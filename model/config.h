// What the configurations of all models have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace edt {

// Side of a picture over that of its latents: the factor of the VAE.
inline constexpr std::int64_t kPixelsPerLatent = 8;

struct CommonConfig {
  std::string name;
  std::int64_t input_size = 32;  // side of the latents
  std::int64_t patch = 2;
  std::int64_t channels = 4;
  std::int64_t classes = 1000;
  float label_dropout = 0.1f;
  std::int64_t mlp_ratio = 4;

  // Throws UsageError naming both values when the parts do not fit.
  void validate_common() const;
  // Throws UsageError, with the sizes that fit, unless pictures of `pixels` a side have latents
  // whose side is a multiple of `step`; `why` says where that comes from.
  void check_image_size(std::int64_t pixels, std::int64_t step, const std::string& why) const;

  std::int64_t patches() const { return input_size / patch * (input_size / patch); }
};

// A ratio is drawn from [low, high).
struct MaskRange {
  float low = 0, high = 0;

  double mean() const { return (double{low} + double{high}) / 2; }
  // Throws UsageError unless 0 <= low <= high < 1.
  void validate(const char* option) const;
};

// What a training step of a family can do beside the full pass, in a masked one.
struct PassKinds {
  bool zeroes = false;         // some tokens are zeroed in place
  bool drops = false;          // some are dropped
  bool shares_prefix = false;  // both passes can have one draw of noise, and what precedes the
                               // first mask is computed once

  bool masked() const { return zeroes || drops; }
};

// All that divide `n`: numbers of tensor ranks that n heads can be spread over.
std::vector<int> divisors(std::int64_t n);

}  // namespace edt
