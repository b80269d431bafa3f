#include "data/import/labels.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/json/json_text.h"

namespace edt::data {

namespace {

using nlohmann::json;

// Within these a double has every whole number.
std::int64_t whole_label(double value, const std::string& label, std::uint64_t sample) {
  constexpr double kMost = 9007199254740992;
  require<DataError>(value == std::trunc(value), "import",
                     "{}: label {} of sample {} is no whole number", label, value, sample);
  require<DataError>(std::abs(value) <= kMost, "import",
                     "{}: label {:.0f} of sample {} is too large", label, value, sample);
  return static_cast<std::int64_t>(value);
}

std::int64_t one_hot_label(std::span<const double> row, const std::string& label,
                           std::uint64_t sample) {
  const auto ones = std::count(row.begin(), row.end(), 1.0);
  const auto zeros = std::count(row.begin(), row.end(), 0.0);
  require<DataError>(ones == 1 && zeros + 1 == static_cast<std::ptrdiff_t>(row.size()), "import",
                     "{}: the label of sample {} is not one-hot: {} ones and {} zeros in {} values",
                     label, sample, ones, zeros, row.size());
  return std::find(row.begin(), row.end(), 1.0) - row.begin();
}

std::int64_t json_label(const json& value, const std::string& name, const std::string& where) {
  if (value.is_number_integer() && !value.is_number_unsigned()) return value.get<std::int64_t>();
  std::vector<double> row;
  for (const json& item : value.is_array() ? value : json::array({value})) {
    require<DataError>(item.is_number() || item.is_boolean(), "import",
                       "{}: the label of '{}' is {}, no number", where, name, dump_json(value));
    row.push_back(item.is_boolean() ? item.get<bool>() : item.get<double>());
  }
  if (row.size() > 1) return one_hot_label(row, where + ": '" + name + "'", 0);
  require<DataError>(row.size() == 1 && row[0] == std::trunc(row[0]) && std::abs(row[0]) < 1e15,
                     "import", "{}: the label of '{}' is {}, no whole number", where, name,
                     dump_json(value));
  return static_cast<std::int64_t>(row[0]);
}

}  // namespace

LabelArray::LabelArray(std::unique_ptr<Array> array, std::uint64_t samples)
    : array_(std::move(array)) {
  EDT_ASSERT(samples > 0);
  const Shape& shape = array_->shape();
  const std::uint64_t elements = array_->elements();
  if (elements == samples) {
    row_.resize(elements / array_->rows());
    return;
  }
  const bool rows =
      (shape.size() == 2 && shape[0] == samples) || (shape.size() == 1 && samples == 1);
  require<DataError>(rows && elements > samples, "import",
                     "{}: shape {}, expected {} label{}, or as many one-hot rows", label(),
                     h5::to_string(shape), samples, samples == 1 ? "" : "s");
  width_ = elements / samples;
  row_.resize(width_);
}

std::int64_t LabelArray::read(std::uint64_t sample) {
  // The row of the array that the label lies in, which is all of them in [1, N].
  const std::uint64_t in_row = width_ > 1 ? 1 : row_.size(), row = sample / in_row;
  if (row_index_ != row) array_->read(row, std::span(row_));
  row_index_ = row;
  return width_ > 1 ? one_hot_label(row_, label(), sample)
                    : whole_label(row_[sample % in_row], label(), sample);
}

std::map<std::string, std::int64_t> parse_dataset_json(const std::string& text,
                                                       const std::string& where) {
  const json root = parse_json(text, where);
  require<DataError>(root.is_object(), "import", "{}: is no JSON object", where);
  const auto found = root.find("labels");
  require<DataError>(found != root.end() && !found->is_null(), "import",
                     "{}: has no \"labels\": the data set was made without", where);
  std::map<std::string, std::int64_t> labels;
  const auto add = [&](const std::string& name, const json& value) {
    require<DataError>(labels.emplace(name, json_label(value, name, where)).second, "import",
                       "{}: '{}' stands twice", where, name);
  };
  if (found->is_object()) {
    for (const auto& [name, value] : found->items()) add(name, value);
    return labels;
  }
  require<DataError>(found->is_array(), "import", "{}: \"labels\" is no list", where);
  for (const json& pair : *found) {
    require<DataError>(pair.is_array() && pair.size() == 2 && pair[0].is_string(), "import",
                       "{}: \"labels\" holds {}, expected [\"name\", label]", where,
                       dump_json(pair).substr(0, 100));
    add(pair[0].get<std::string>(), pair[1]);
  }
  return labels;
}

}  // namespace edt::data
