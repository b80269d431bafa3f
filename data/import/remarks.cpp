#include "data/import/remarks.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/log.h"
#include "data/import/array.h"

namespace edt::data {

namespace {

constexpr std::string_view kScales[] = {"scale",        "scaling_factor", "scale_factor",
                                        "latent_scale", "vae_scale",      "vae_scaling_factor"};
constexpr std::string_view kShifts[] = {"shift", "shift_factor", "latent_shift",
                                        "vae_shift_factor"};
constexpr std::string_view kClasses[] = {"num_classes", "n_classes", "nb_classes", "classes",
                                         "num_labels"};
constexpr std::string_view kSizes[] = {"image_size", "img_size", "resolution", "image_resolution"};
// diffusers calls vae_scale_factor what divides the size of a picture.
constexpr std::string_view kFactors[] = {"vae_factor", "vae_scale_factor", "downsampling_factor",
                                         "downsample_factor"};

std::optional<Topic> topic_of(const std::string& name) {
  for (std::size_t i = 0; i < kTopics; ++i) {
    const auto names = names_of(static_cast<Topic>(i));
    if (std::find(names.begin(), names.end(), name) != names.end()) return static_cast<Topic>(i);
  }
  return std::nullopt;
}

// A float's digits, not those that it gets as a double: 0.13025 for 0.1302500069.
double in_its_digits(double value) {
  const auto narrow = static_cast<float>(value);
  if (static_cast<double>(narrow) != value) return value;
  const std::string digits = fmt::format("{}", narrow);
  double read = value;
  std::from_chars(digits.data(), digits.data() + digits.size(), read);
  return read;
}

// One number, or several that are equal, as the two sides of a picture.
std::optional<double> number_of(const h5::AttributeValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    double number = 0;
    const auto [end, status] = std::from_chars(text->data(), text->data() + text->size(), number);
    const bool is_all = status == std::errc() && end == text->data() + text->size();
    return is_all ? std::optional(number) : std::nullopt;
  }
  const auto one_of = [](const auto& values) -> std::optional<double> {
    const bool are_equal = std::ranges::all_of(values, [&](auto v) { return v == values[0]; });
    if (values.empty() || !are_equal) return std::nullopt;
    return in_its_digits(static_cast<double>(values[0]));
  };
  if (const auto* whole = std::get_if<std::vector<std::int64_t>>(&value)) return one_of(*whole);
  return one_of(std::get<std::vector<double>>(value));
}

std::string text_of(const h5::AttributeValue& value) {
  constexpr std::size_t kShown = 40;
  const auto short_text = [&](const auto& values) {
    if (values.size() > 4) return fmt::format("{} numbers", values.size());
    return fmt::format("{}", fmt::join(values, " "));
  };
  if (const auto* whole = std::get_if<std::vector<std::int64_t>>(&value)) return short_text(*whole);
  if (const auto* real = std::get_if<std::vector<double>>(&value)) return short_text(*real);
  const auto& text = std::get<std::string>(value);
  return text.size() <= kShown ? text : text.substr(0, kShown) + "...";
}

}  // namespace

std::span<const std::string_view> names_of(Topic topic) {
  switch (topic) {
    case Topic::kScale:
      return kScales;
    case Topic::kShift:
      return kShifts;
    case Topic::kClasses:
      return kClasses;
    case Topic::kImageSize:
      return kSizes;
    case Topic::kFactor:
      return kFactors;
  }
  return {};
}

bool is_scale(double value) { return value > 0 && std::isfinite(value); }

bool is_number_of_classes(double value) {
  return value >= 1 && value < (1 << 24) && value == std::floor(value);
}

Remarks::Remarks(const ArrayFile& file, const std::string& array) {
  for (const auto& [name, value] : file.said(array)) add(file.path().string(), name, value);
}

// Of two that differ, that under our own name or else the first counts; the other is told.
void Remarks::add(const std::string& file, const std::string& name,
                  const h5::AttributeValue& value) {
  const auto topic = topic_of(name);
  const auto number = topic ? number_of(value) : std::nullopt;
  if (!number) {
    others_.push_back(fmt::format("{} = {}", name, text_of(value)));
    return;
  }
  auto& found = found_[static_cast<std::size_t>(*topic)];
  const Remark remark{*number, fmt::format("{}@{}", file, name)};
  if (!found) {
    found = remark;
  } else if (found->value != *number) {
    const bool is_ours = name == names_of(*topic).front();
    const Remark& told = is_ours ? *found : remark;
    others_.push_back(
        fmt::format("{} = {}", told.where.substr(told.where.rfind('@') + 1), told.value));
    if (is_ours) found = remark;
  }
}

const Remark* Remarks::find(Topic topic) const {
  const auto& found = found_[static_cast<std::size_t>(topic)];
  return found ? &*found : nullptr;
}

void Remarks::note_rest(const std::string& label, int vae_factor, std::uint64_t height) const {
  if (const Remark* shift = find(Topic::kShift); shift != nullptr && shift->value != 0) {
    log::warning(
        "{} is {}, and the set will have a shift of 0: pictures decoded from it would be off by it",
        shift->where, shift->value);
  }
  const Remark* factor = find(Topic::kFactor);
  if (factor != nullptr && factor->value != vae_factor) {
    log::warning("{} is {}, --vae-factor is {}, which counts", factor->where, factor->value,
                 vae_factor);
  }
  const double side = vae_factor * static_cast<double>(height);
  const Remark* size = find(Topic::kImageSize);
  if (size != nullptr && size->value != side) {
    log::warning(
        "{} is {}, and --vae-factor {} times the height of the latents is {}, which counts",
        size->where, size->value, vae_factor, side);
  }
  if (const std::string rest = others(); !rest.empty()) {
    log::info("{} also says {}: not taken", label, rest);
  }
}

std::string Remarks::others() const {
  constexpr std::size_t kMost = 8;
  const std::size_t told = std::min(others_.size(), kMost);
  std::string text = fmt::format(
      "{}", fmt::join(others_.begin(), others_.begin() + static_cast<std::ptrdiff_t>(told), ", "));
  if (told < others_.size()) text += fmt::format(" and {} more", others_.size() - told);
  return text;
}

}  // namespace edt::data
