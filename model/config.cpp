#include "model/config.h"

#include "core/base/error.h"

namespace edt {

void CommonConfig::validate_common() const {
  require<UsageError>(
      patch >= 1 && latents.height >= 1 && latents.width >= 1 && latents.channels >= 1 &&
          latents.factor >= 1 && classes >= 0 && mlp_ratio >= 1,
      "model",
      "patch {}, latents of {} x {} x {} at {} pixels each, classes {} and MLP ratio {} must be "
      "positive",
      patch, latents.channels, latents.height, latents.width, latents.factor, classes, mlp_ratio);
  require<UsageError>(0 <= label_dropout && label_dropout < 1, "model",
                      "model.label-dropout is {}, expected 0 <= p < 1", label_dropout);
  require<UsageError>(0 <= text.dropout && text.dropout < 1, "model",
                      "model.text-dropout is {}, expected 0 <= p < 1", text.dropout);
  require<UsageError>(
      !text.is_on() || (text.tokens >= 1 && text.channels >= 1), "model",
      "model.text-tokens is {} and model.text-channels {}: {} reads texts, and both "
      "must be positive",
      text.tokens, text.channels, name);
}

void CommonConfig::refuse_single_modulation() const {
  require<UsageError>(
      modulation != ModulationForm::kSingle, "model",
      "model.modulation is single, which {} cannot have: shared and affine are alike", name);
}

std::vector<ArrayRequest> CommonConfig::arrays() const {
  std::vector<ArrayRequest> all;
  if (text.is_on()) {
    all.push_back({kTextArray, {text.tokens, text.channels}});
    all.push_back({kTextLengthArray, {1}});
  }
  if (frame_channels > 0) all.push_back({kFrameArray, {patches().tokens(), frame_channels}});
  return all;
}

void CommonConfig::check_side(const char* option, std::int64_t pixels, const GridStep& step) const {
  const std::int64_t multiple = latents.factor * step.latents, below = pixels / multiple * multiple;
  if (pixels >= 1 && pixels == below) return;
  fail<UsageError>("model", "{} is {}, {} takes multiples of {} (VAE {} x {}): {}{}", option,
                   pixels, name, multiple, latents.factor, step.why,
                   below > 0 ? fmt::format("{} or ", below) : "", below + multiple);
}

void CommonConfig::check_sides(const GridStep& step) const {
  if (latents.is_sequence()) {
    require<UsageError>(step.latents == 1, "model",
                        "{} sees sequences of {} frames (model.length) as one row, and takes "
                        "multiples of {} rows ({}): model.patch 1, and of EDT one stage, take them",
                        name, latents.width, step.latents, step.why);
    return;
  }
  check_side("model.image-size", latents.factor * latents.height, step);
  check_side("model.image-width", latents.factor * latents.width, step);
}

GridStep CommonConfig::patch_step() const { return {patch, fmt::format("patch {}", patch)}; }

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
