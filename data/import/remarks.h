// What files say of their arrays beside them: attributes, metadata, arrays of one number, under the
// names that people give them. It is taken, or said, and never passed over.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/storage/hdf5.h"

namespace edt::data {

class ArrayFile;

using NamedValues = std::vector<std::pair<std::string, h5::AttributeValue>>;

enum class Topic : std::uint8_t { kScale, kShift, kClasses, kImageSize, kFactor };
constexpr std::size_t kTopics = 5;

// The names of a topic that people use; that of our own format comes first.
std::span<const std::string_view> names_of(Topic topic);

struct Remark {
  double value = 0;
  std::string where;  // "a.h5@scaling_factor"
};

// Whether a number can be meant so.
bool is_scale(double value);
bool is_number_of_classes(double value);

class Remarks {
 public:
  Remarks() = default;
  // Of a file and its array of that name.
  Remarks(const ArrayFile& file, const std::string& array);

  // nullptr: nothing is said.
  const Remark* find(Topic topic) const;
  // Says of `label` what of it is not taken: a shift, a size or a factor that do not fit latents of
  // that height and --vae-factor, and everything without a topic.
  void note_rest(const std::string& label, int vae_factor, std::uint64_t height) const;

 private:
  std::string others() const;
  void add(const std::string& file, const std::string& name, const h5::AttributeValue& value);

  std::array<std::optional<Remark>, kTopics> found_;
  std::vector<std::string> others_;
};

}  // namespace edt::data
