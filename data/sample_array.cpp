#include "data/sample_array.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/half.h"

namespace edt::data {

namespace {

constexpr std::uint64_t kMostElements = 1 << 26;  // of a sample
constexpr std::size_t kMostExtents = 4, kLongestName = 64;
constexpr const char *kGroup = "features", *kScales = "feature_scales";

bool is_plain_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= kLongestName && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), fits);
}

bool can_be_stored(h5::Type type) {
  return type == h5::Type::kFloat16 || type == h5::Type::kFloat32 || type == h5::Type::kInt8;
}

h5::Shape with_rows(std::uint64_t rows, std::span<const std::uint64_t> row) {
  h5::Shape shape{rows};
  shape.insert(shape.end(), row.begin(), row.end());
  return shape;
}

void require_like(const h5::DataSet& set, h5::Type type, const h5::Shape& shape,
                  const std::string& beside) {
  require<DataError>(set.type() == type && set.shape() == shape, "shard",
                     "{}: {} {}, expected {} {} beside {}", set.label(), set.type_name(),
                     h5::to_string(set.shape()), h5::name_of(type), h5::to_string(shape), beside);
}

// Where it is no array of this format, false: others may keep there what they like.
bool describe(const h5::File& file, const std::string& name, SampleArray& array) {
  array.name = name;
  const std::string path = array.values_name(false);
  if (!is_plain_name(name) || file.is_group(path)) return false;
  const h5::DataSet set = file.dataset(path);
  const h5::Shape& shape = set.shape();
  array.type = set.type();
  if (!can_be_stored(array.type) || shape.size() < 2 || shape.size() > kMostExtents + 1 ||
      (array.has_scales() && !file.has(array.scales_name(false)))) {
    return false;
  }
  array.shape.assign(shape.begin() + 1, shape.end());
  array.flipped = file.has(array.values_name(true));
  return true;
}

void check_parts(const h5::File& file, const SampleArray& array, const h5::DataSet& beside) {
  const std::uint64_t samples = beside.rows();
  const std::string label = file.dataset(array.values_name(false)).label();
  for (const bool mirrored : {false, true}) {
    if (mirrored && !array.flipped) break;
    const h5::DataSet set = file.dataset(array.values_name(mirrored));
    require<DataError>(set.rows() == samples, "shard", "{}: {} samples, {} has {}", set.label(),
                       set.rows(), beside.label(), samples);
    require_like(set, array.type, with_rows(samples, array.shape), label);
    if (!array.has_scales()) continue;
    require_like(file.dataset(array.scales_name(mirrored)), h5::Type::kFloat32,
                 with_rows(samples, std::span(array.shape).first(array.shape.size() - 1)), label);
  }
}

void append_bytes(std::span<const std::byte> bytes, std::vector<std::byte>& out) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_int8(std::span<const float> row, StoredArray& out) {
  float largest = 0;
  for (const float value : row) largest = std::max(largest, std::abs(value));
  const float scale = largest / 127;
  append_bytes(std::as_bytes(std::span(&scale, 1)), out.scales);
  for (const float value : row) {
    const float steps = scale > 0 ? std::clamp(value / scale, -127.f, 127.f) : 0.f;
    out.values.push_back(static_cast<std::byte>(static_cast<std::int8_t>(std::lrint(steps))));
  }
}

}  // namespace

std::uint64_t SampleArray::elements() const {
  std::uint64_t product = 1;
  for (const std::uint64_t extent : shape) product *= extent;
  return product;
}

std::string SampleArray::values_name(bool mirrored) const {
  return fmt::format("{}{}/{}", kGroup, mirrored ? "_flipped" : "", name);
}

std::string SampleArray::scales_name(bool mirrored) const {
  return fmt::format("{}{}/{}", kScales, mirrored ? "_flipped" : "", name);
}

std::string text_of(const SampleArray& array) {
  return fmt::format("{} {}", fmt::join(array.shape, " x "), h5::name_of(array.type));
}

std::string text_of(std::span<const SampleArray> arrays) {
  std::vector<std::string> texts;
  for (const SampleArray& array : arrays) {
    texts.push_back(fmt::format("{} {}{}", array.name, text_of(array),
                                array.flipped ? " with mirrored copies" : ""));
  }
  return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
}

void validate(const SampleArray& array, const std::string& label) {
  require<DataError>(is_plain_name(array.name), "shard",
                     "{}: '{}' is no name of an array: up to {} letters, digits, '.', '-' and '_'",
                     label, array.name, kLongestName);
  require<DataError>(can_be_stored(array.type), "shard",
                     "{}: array {} of {}: float16, float32 or int8 can be stored", label,
                     array.name, h5::name_of(array.type));
  std::uint64_t elements = array.shape.empty() ? 0 : 1;
  for (const std::uint64_t extent : array.shape) {
    elements = extent == 0 || extent > kMostElements / elements ? 0 : elements * extent;
    if (elements == 0) break;
  }
  require<DataError>(elements > 0 && array.shape.size() <= kMostExtents, "shard",
                     "{}: array {} of {} for each sample: one to {} extents, {} numbers at most",
                     label, array.name, h5::to_string(array.shape), kMostExtents, kMostElements);
}

std::vector<SampleArray> read_sample_arrays(const h5::File& file, const h5::DataSet& beside) {
  std::vector<SampleArray> arrays;
  if (!file.has(kGroup) || !file.is_group(kGroup)) return arrays;
  for (const std::string& name : file.names(kGroup)) {
    SampleArray array;
    if (!describe(file, name, array)) continue;
    validate(array, file.label());
    check_parts(file, array, beside);
    arrays.push_back(std::move(array));
  }
  return arrays;
}

void append_stored(const SampleArray& array, std::span<const float> values, StoredArray& out) {
  EDT_ASSERT(values.size() % array.elements() == 0);
  if (array.type == h5::Type::kFloat32) {
    return append_bytes(std::as_bytes(values), out.values);
  }
  if (array.has_scales()) {
    const std::uint64_t row = array.shape.back();
    for (std::uint64_t begin = 0; begin < values.size(); begin += row) {
      append_int8(values.subspan(begin, row), out);
    }
    return;
  }
  std::vector<half_bits> halves(values.size());
  float_to_half(values, halves);
  append_bytes(std::as_bytes(std::span(halves)), out.values);
}

void apply_scales(std::span<const std::byte> values, std::span<const std::byte> scales,
                  std::span<float> out) {
  const std::size_t rows = scales.size() / sizeof(float), row = out.size() / rows;
  EDT_ASSERT(values.size() == out.size() && rows * row == out.size());
  for (std::size_t r = 0; r < rows; ++r) {
    float scale = 0;
    std::memcpy(&scale, scales.data() + r * sizeof(float), sizeof(float));
    const auto* from = reinterpret_cast<const std::int8_t*>(values.data() + r * row);
    float* to = out.data() + r * row;
    for (std::size_t e = 0; e < row; ++e) to[e] = scale * static_cast<float>(from[e]);
  }
}

}  // namespace edt::data
