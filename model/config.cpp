#include "model/config.h"

#include "core/base/error.h"

namespace edt {

void CommonConfig::validate_common() const {
  require<UsageError>(
      patch >= 1 && input_size >= 1 && channels >= 1 && classes >= 1 && mlp_ratio >= 1, "model",
      "patch {}, input size {}, channels {}, classes {} and MLP ratio {} must be "
      "positive",
      patch, input_size, channels, classes, mlp_ratio);
  require<UsageError>(0 <= label_dropout && label_dropout < 1, "model",
                      "model.label-dropout is {}, expected 0 <= p < 1", label_dropout);
}

void CommonConfig::check_image_size(std::int64_t pixels, std::int64_t step,
                                    const std::string& why) const {
  const std::int64_t multiple = kPixelsPerLatent * step, below = pixels / multiple * multiple;
  if (pixels >= 1 && pixels == below) return;
  fail<UsageError>("model", "model.image-size is {}, {} takes multiples of {} (VAE {} x {}): {}{}",
                   pixels, name, multiple, kPixelsPerLatent, why,
                   below > 0 ? fmt::format("{} or ", below) : "", below + multiple);
}

std::vector<int> divisors(std::int64_t n) {
  std::vector<int> found;
  for (std::int64_t divisor = 1; divisor <= n; ++divisor) {
    if (n % divisor == 0) found.push_back(static_cast<int>(divisor));
  }
  return found;
}

void MaskRange::validate(const char* option) const {
  require<UsageError>(0 <= low && low <= high && high < 1, "model",
                      "{} is {}..{}, expected 0 <= low <= high < 1", option, low, high);
}

}  // namespace edt
