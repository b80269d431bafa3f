#include "model/config.h"

#include <algorithm>

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
  require<UsageError>(0 <= label_dropout && label_dropout <= 1, "model",
                      "model.label-dropout is {}, expected 0 <= p <= 1", label_dropout);
  require<UsageError>(0 <= text.dropout && text.dropout <= 1, "model",
                      "model.text-dropout is {}, expected 0 <= p <= 1", text.dropout);
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

void CommonConfig::refuse_uneven_blocks() const {
  require<UsageError>(
      kept.empty(), "model",
      "model.block-{} is given, and blocks of {} are all alike: those of EDT and DiT "
      "may differ",
      kept.heads.empty() ? "hidden" : "heads", name);
}

void CommonConfig::refuse_gates() const {
  require<UsageError>(!gates.is_on(), "model",
                      "dynamic.target is {}, and blocks of {} have no gates: those of EDT and DiT "
                      "may have some",
                      gates.target, name);
}

void CommonConfig::check_gates(const std::vector<BlockUnits>& units) const {
  if (!gates.is_on()) return;
  require<UsageError>(weights.form == WeightForm::kDense, "model",
                      "dynamic.target is {}, and model.weights is ternary: blocks with gates have "
                      "dense weights",
                      gates.target);
  for (std::size_t block = 0; block < units.size(); ++block) {
    const BlockUnits& one = units[block];
    require<UsageError>(one.softmax, "model",
                        "dynamic.target is {}, and model.attention-form makes block {} linear, "
                        "whose heads have no gates",
                        gates.target, block);
    require<UsageError>(one.heads >= 2 && one.hidden % one.heads == 0, "model",
                        "dynamic.target is {}, and block {} has {} heads and {} hidden units: 2 or "
                        "more heads are needed, which divide the hidden units into groups",
                        gates.target, block, one.heads, one.hidden);
  }
}

BlockUnits UnitCounts::of(std::int64_t block, BlockUnits whole) const {
  const auto at = static_cast<std::size_t>(block);
  if (!heads.empty()) whole.heads = heads[at];
  if (!hidden.empty()) whole.hidden = hidden[at];
  return whole;
}

void UnitCounts::validate(const std::vector<BlockUnits>& whole) const {
  const auto check = [&](const char* option, const std::vector<std::int64_t>& given,
                         std::int64_t BlockUnits::*most) {
    require<UsageError>(given.empty() || given.size() == whole.size(), "model",
                        "{} has {} numbers, the model {} blocks", option, given.size(),
                        whole.size());
    for (std::size_t i = 0; i < given.size(); ++i) {
      require<UsageError>(1 <= given[i] && given[i] <= whole[i].*most, "model",
                          "{} is {} for block {}, which has {}: 1 to {} can be left", option,
                          given[i], i, whole[i].*most, whole[i].*most);
    }
  };
  check("model.block-heads", heads, &BlockUnits::heads);
  check("model.block-hidden", hidden, &BlockUnits::hidden);
  for (std::size_t i = 0; i < heads.size(); ++i) {
    require<UsageError>(whole[i].softmax || heads[i] == whole[i].heads, "model",
                        "model.block-heads is {} for block {}, whose attention is linear and keeps "
                        "its {} heads",
                        heads[i], i, whole[i].heads);
  }
}

bool AttentionConfig::any_linear() const {
  return std::ranges::find(stages, AttentionForm::kLinear) != stages.end();
}

const LinearAttentionConfig* AttentionConfig::linear(std::int64_t stage) const {
  const auto at = static_cast<std::size_t>(stage);
  return at < stages.size() && stages[at] == AttentionForm::kLinear ? &of_linear : nullptr;
}

void AttentionConfig::validate(const std::vector<std::int64_t>& widths) const {
  require<UsageError>(stages.empty() || stages.size() == widths.size(), "model",
                      "model.attention-form has {} stages, the model {}", stages.size(),
                      widths.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (stages[i] == AttentionForm::kSoftmax) continue;
    const auto [narrowing, groups, stride] = of_linear;
    require<UsageError>(narrowing >= 1 && groups >= 1 && stride >= 1, "model",
                        "model.attention-narrowing {}, model.attention-groups {} and "
                        "model.attention-stride {} must be positive",
                        narrowing, groups, stride);
    require<UsageError>(widths[i] % narrowing == 0, "model",
                        "model.attention-narrowing is {}, which does not divide the width {} of "
                        "stage {}, whose attention is linear",
                        narrowing, widths[i], i);
    require<UsageError>(widths[i] / narrowing % groups == 0, "model",
                        "model.attention-groups is {}, which does not divide the {} channels that "
                        "model.attention-narrowing {} leaves of stage {}",
                        groups, widths[i] / narrowing, narrowing, i);
  }
}

std::string CommonConfig::needs_grid() const {
  if (attention.any_linear()) return "model.attention-form linear";
  if (gates.is_on()) return fmt::format("dynamic.target {}", gates.target);
  if (!spatial.is_on()) return "";
  return spatial.form == SpatialForm::kReal ? "model.spatial-layer real"
                                            : "model.spatial-layer complex";
}

void SpatialConfig::validate(const std::vector<std::int64_t>& widths) const {
  if (!is_on()) return;
  require<UsageError>(states >= 1 && groups >= 1, "model",
                      "model.spatial-states {} and model.spatial-groups {} must be positive",
                      states, groups);
  require<UsageError>(directions == 2 || directions == 4, "model",
                      "model.spatial-directions is {}, expected 2 or 4", directions);
  for (std::size_t i = 0; i < widths.size(); ++i) {
    require<UsageError>(widths[i] % groups == 0, "model",
                        "model.spatial-groups is {}, which does not divide the width {} of stage "
                        "{}",
                        groups, widths[i], i);
  }
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
    require<UsageError>(
        step.latents == 1, "model",
        "{} sees sequences of {} frames (model.sequence-length) as one row, and takes "
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
