// Class labels as people store them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "data/import/array.h"

namespace edt::data {

// Labels of `samples` samples in an array of any numbers: one each ([N], [N, 1], ...), or one-hot
// rows [N, K]. DataError naming array and both numbers for other shapes.
class LabelArray {
 public:
  LabelArray(std::unique_ptr<Array> array, std::uint64_t samples);

  const Array& array() const { return *array_; }
  const std::string& label() const { return array_->label(); }
  const std::string& type() const { return array_->type(); }
  // K of one-hot rows; 0: it is not known.
  std::uint64_t classes() const { return width_ > 1 ? width_ : 0; }
  // DataError for what is no whole number, or no one-hot row.
  std::int64_t read(std::uint64_t sample);

 private:
  std::unique_ptr<Array> array_;
  std::uint64_t width_ = 1;
  std::vector<double> row_;
  std::optional<std::uint64_t> row_index_;  // which one `row_` holds
};

// dataset.json, as the tools of StyleGAN and EDM write it: {"labels": [["00000/img0.npy", 6],
// ...]}; "labels" may be an object of names and labels too. DataError for what is not that, for a
// name that stands twice and for labels that are no whole numbers; `where` names it in messages.
std::map<std::string, std::int64_t> parse_dataset_json(const std::string& text,
                                                       const std::string& where);

}  // namespace edt::data
