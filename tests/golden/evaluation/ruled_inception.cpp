#include "tests/golden/evaluation/ruled_inception.h"

#include <cmath>
#include <functional>
#include <stdexcept>

#include "core/storage/safetensors.h"

namespace edt::test {
namespace {

std::uint64_t fnv1a(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return hash;
}

// Between -1 and 1, never 0.
double ruled(std::uint64_t name, std::uint64_t i) {
  std::uint64_t z = name + (i + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  constexpr double kHalf = 1 << 24;
  return (2 * static_cast<double>(z >> 40) + 1 - kHalf) / kHalf;
}

struct Scale {
  double offset, factor;
};

Scale scale_of(const std::string& name, const std::vector<std::uint64_t>& shape) {
  if (name.ends_with("conv.weight")) {
    return {0, std::sqrt(6.0 / static_cast<double>(shape[1] * shape[2] * shape[3]))};
  }
  if (name.ends_with("bn.weight")) return {1, 0.25};
  if (name.ends_with("running_var")) return {1, 0.5};
  if (name == "fc.weight") return {0, 0.05};
  if (name == "fc.bias") return {0, 0.1};
  return {0, 0.25};
}

std::vector<float> values_of(const std::string& salt, const SafetensorsEntry& entry) {
  const std::uint64_t hash = fnv1a(salt + entry.name);
  const Scale scale = scale_of(entry.name, entry.shape);
  std::vector<float> values(entry.bytes / sizeof(float));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(scale.offset + scale.factor * ruled(hash, i));
  }
  return values;
}

void check(const GoldenFile& golden, const std::string& name, const std::vector<float>& values) {
  const std::string at = "weights_check/" + name;
  const auto first = golden.numbers(at, "first");
  bool same = static_cast<double>(values.back()) == golden.number(at, "last");
  for (std::size_t i = 0; i < std::min(first.size(), values.size()); ++i) {
    same &= static_cast<double>(values[i]) == first[i];
  }
  if (!same) throw std::runtime_error("the rule gives other values for " + name);
}

using Shape = std::vector<std::uint64_t>;

void write(const GoldenFile& golden, const std::filesystem::path& safetensors,
           const std::function<void(const std::string& name, Shape& shape)>& change) {
  std::vector<SafetensorsEntry> entries;
  for (const std::string& name : golden.names("weights_check")) {
    SafetensorsEntry entry{.name = name, .type = SafetensorsType::kF32};
    for (const double side : golden.numbers("weights_check/" + name, "shape")) {
      entry.shape.push_back(static_cast<std::uint64_t>(side));
    }
    if (change) change(name, entry.shape);
    entry.bytes = sizeof(float);
    for (const std::uint64_t side : entry.shape) entry.bytes *= side;
    entries.push_back(std::move(entry));
  }
  SafetensorsWriter writer(safetensors, entries);
  const std::string salt = golden.text("/", "salt");
  for (const SafetensorsEntry& entry : entries) {
    const std::vector<float> values = values_of(salt, entry);
    if (!change) check(golden, entry.name, values);
    writer.append_values(std::span<const float>(values));
  }
  writer.finish();
}

// What gives the 2048 features.
bool ends_the_network(const std::string& name) {
  if (!name.starts_with("Mixed_7c.")) return false;
  for (const char* last : {"branch1x1.", "3x3_2a.", "3x3_2b.", "dbl_3a.", "dbl_3b.", "_pool."}) {
    if (name.find(last) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

void write_ruled_inception(const GoldenFile& golden, const std::filesystem::path& safetensors) {
  write(golden, safetensors, {});
}

void write_narrow_inception(const GoldenFile& golden, const std::filesystem::path& safetensors) {
  constexpr std::uint64_t kNarrower = 16;
  write(golden, safetensors, [](const std::string& name, Shape& shape) {
    if (name.starts_with("fc.")) return;
    if (!ends_the_network(name)) shape[0] /= kNarrower;
    const bool of_pixels = shape.size() == 4 && shape[1] == 3;
    if (shape.size() == 4 && !of_pixels) shape[1] /= kNarrower;
  });
}

}  // namespace edt::test
