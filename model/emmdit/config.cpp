#include "model/emmdit/config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "core/base/error.h"

namespace edt {
namespace {

const char* text_of(ModulationForm form) {
  return form == ModulationForm::kFull     ? "full"
         : form == ModulationForm::kShared ? "shared"
         : form == ModulationForm::kSingle ? "single"
                                           : "affine";
}

const char* text_of(TextForm form) {
  return form == TextForm::kNone     ? "none"
         : form == TextForm::kPooled ? "pooled"
         : form == TextForm::kCross  ? "cross"
                                     : "joint";
}

// What the network is not made for.
void check_kind(const EmmditConfig& config) {
  require<UsageError>(config.classes == 0, "model",
                      "model.classes is {}, {} reads texts and no labels: 0", config.classes,
                      config.name);
  require<UsageError>(config.text.form == TextForm::kJoint, "model",
                      "model.text-form is {}, {} reads texts as tokens of their own: leave it out",
                      text_of(config.text.form), config.name);
  require<UsageError>(config.modulation == ModulationForm::kAffine, "model",
                      "model.modulation is {}, {} has one for all blocks with tables of each: "
                      "affine",
                      text_of(config.modulation), config.name);
  require<UsageError>(config.needs_grid().empty() && config.frame_channels == 0, "model",
                      "{} is given, which {} has not",
                      config.frame_channels > 0 ? "model.frame-channels" : config.needs_grid(),
                      config.name);
  require<UsageError>(config.weights == WeightStyle{}, "model",
                      "model.weights or model.modulation-norm is given, {} has dense weights and "
                      "no such norm",
                      config.name);
  config.refuse_uneven_blocks();
  config.refuse_gates();
  require<UsageError>(config.head_norm != HeadNorm::kLayer, "model",
                      "queries and keys of {} have an RMS norm or none, layer norm is asked for",
                      config.name);
}

void check_sizes(const EmmditConfig& config) {
  require<UsageError>(
      config.groups.size() == 3 &&
          std::ranges::all_of(config.groups, [](auto n) { return n >= 1; }),
      "model",
      "model.depths is {}, {} takes three numbers of blocks: before, within and behind the middle "
      "group",
      fmt::join(config.groups, ","), config.name);
  require<UsageError>(config.heads >= 1 && config.width >= 1 && config.width % config.heads == 0,
                      "model", "model.heads {} does not divide model.widths {}", config.heads,
                      config.width);
  constexpr std::int64_t kStep = EmmditConfig::kWide * EmmditConfig::kWide;
  require<UsageError>(config.width % kStep == 0, "model",
                      "model.widths {} is not a multiple of {} (squares of {} tokens)",
                      config.width, kStep, kStep);
}

std::int64_t number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? number : 0;
}

// The least m whose square is a multiple of `step`.
std::int64_t root_of_multiple(std::int64_t step) {
  std::int64_t m = 1;
  while (m * m % step != 0) ++m;
  return m;
}

}  // namespace

EmmditConfig::EmmditConfig() {
  name = "E-MMDiT";
  latents = {.channels = 32, .height = 16, .width = 16, .factor = 32};
  patch = 1;
  classes = 0;
  mlp_ratio = 3;
  modulation = ModulationForm::kAffine;
  text = {.form = TextForm::kJoint, .tokens = 128, .channels = 2048};
  process = ProcessConfig::flow();
  process.told = Told::kNoise;
  process.told_scale = 1000;
}

void EmmditConfig::validate() const {
  validate_common();
  check_kind(*this);
  check_sizes(*this);
  check_sides(grid_step());
  const TokenGrid grid = patches();
  require<UsageError>(grid.is_square(), "model", "{} takes square pictures, the tokens are {}",
                      name, to_string(grid));
  require<UsageError>(position_grid >= grid.rows, "model",
                      "model.position-grid is {}, the tokens are {}", position_grid,
                      to_string(grid));
  for (const TokenRegions& one : regions) {
    require<UsageError>(text.tokens % one.step() == 0, "model",
                        "texts of {} tokens cannot be dealt to {} regions in runs of {} "
                        "(model.regions): a multiple of {} can",
                        text.tokens, one.ratio, one.run, one.step());
  }
}

// With sides of 4 m tokens the fine grid has 16 m^2 of them and the middle group 5 m^2: regions
// divide both where they divide m^2.
GridStep EmmditConfig::grid_step() const {
  constexpr std::int64_t kMost = 1 << 12;  // no picture is that large
  std::int64_t m = 1;
  for (const TokenRegions& one : regions) {
    m = std::lcm(m, root_of_multiple(one.step()));
    require<UsageError>(m <= kMost, "model",
                        "model.regions is {}: sides of {} tokens would be needed, {} at most",
                        edt::text_of(regions), kWide * m, kWide * kMost);
  }
  return {patch * kWide * m, fmt::format("patch {} x {} of squares and regions {}", patch,
                                         kWide * m, edt::text_of(regions))};
}

std::vector<int> EmmditConfig::tensor_degrees() const {
  std::vector<int> degrees = divisors(heads);
  std::erase_if(degrees, [this](int degree) { return hidden_units() % degree != 0; });
  return degrees;
}

std::int64_t EmmditConfig::blocks() const {
  return std::accumulate(groups.begin(), groups.end(), std::int64_t{0});
}

TokenSite EmmditConfig::site_after(std::int64_t after) const {
  const bool is_fine = after <= groups[0] || after > groups[0] + groups[1];
  return {is_fine ? patches() : TokenGrid{1, narrow_tokens() + wide_tokens()}, width};
}

const TokenRegions& EmmditConfig::regions_of(std::int64_t block) const {
  static constexpr TokenRegions kAll;
  if (regions.empty()) return kAll;
  return regions[static_cast<std::size_t>(block) % regions.size()];
}

// As published: from end to end the table measures as much as the picture has tokens a side; of 32,
// 48, ... tokens, 16.
double EmmditConfig::position_distance() const {
  const std::int64_t side = patches().rows, finer = std::max<std::int64_t>(side / 16, 1);
  return static_cast<double>(side) / static_cast<double>(position_grid * finer);
}

std::vector<TokenRegions> parse_regions(const std::vector<std::string>& texts) {
  std::vector<TokenRegions> all;
  if (texts == std::vector<std::string>{"off"}) return all;
  for (const std::string& text : texts) {
    const auto colon = text.find(':');
    TokenRegions one{number_of(text.substr(0, colon)),
                     colon == text.npos ? 0 : number_of(text.substr(colon + 1))};
    constexpr std::int64_t kMost = 4096;
    require<UsageError>(
        1 <= one.ratio && one.ratio <= kMost && 1 <= one.run && one.run <= kMost, "model",
        "model.regions has '{}', expected REGIONS:RUN, 1 to {} each, or off alone", text, kMost);
    all.push_back(one);
  }
  return all;
}

std::string text_of(const std::vector<TokenRegions>& regions) {
  std::string text;
  for (const TokenRegions& one : regions) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", one.ratio, one.run);
  }
  return text.empty() ? "off" : text;
}

}  // namespace edt
