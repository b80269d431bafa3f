#include "launcher/evaluate/feature_table.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "core/storage/file_kind.h"
#include "core/storage/npy.h"
#include "data/import/array.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

// A covariance of more is more than half a GiB, and takes minutes to be taken apart.
constexpr std::uint64_t kMostNumbers = 8192;

// Not arr_0, which are pictures as evaluators pass them round.
constexpr std::array kUsual{"features", "embeddings"};

std::unique_ptr<data::Array> open_array(const fs::path& file, const FeatureTable& table) {
  const auto arrays = data::open_array_file(file);
  auto array = data::find_array(
      *arrays,
      {.option = "--features-key", .said = table.key, .usual = {kUsual.begin(), kUsual.end()}},
      false);
  const data::Shape& shape = array->shape();
  require<DataError>(shape.size() == 2 && shape[1] > 0, "evaluate",
                     "{}: is {} {}, features are [pictures, width]; pictures come as files, or in "
                     "arr_0 of an .npz",
                     array->label(), array->type(), h5::to_string(shape));
  require<DataError>(shape[1] <= kMostNumbers, "evaluate",
                     "{}: {} features of each picture, at most {} are compared", array->label(),
                     shape[1], kMostNumbers);
  return array;
}

// `first`: the number of the first row.
void check_rows(const Features& rows, std::int64_t first, const data::Array& array) {
  for (std::int64_t i = 0; i < rows.count(); ++i) {
    const auto row = rows.row(i);
    require<DataError>(std::ranges::all_of(row, [](float v) { return std::isfinite(v); }),
                       "evaluate", "{}: row {} is not finite", array.label(), first + i);
    array.require_written(row, static_cast<std::uint64_t>(first + i), "evaluate", "row");
  }
}

}  // namespace

bool is_feature_table(const fs::path& file) {
  std::error_code code;
  if (!fs::is_regular_file(file, code)) return false;
  switch (kind_of_file(file)) {
    case FileKind::kNpy:
    case FileKind::kSafetensors:
      return true;
    case FileKind::kHdf5:
      return !h5::File::open(file).has_attribute("format");
    case FileKind::kZip:
      break;
    default:
      return false;
  }
  if (lower_case_extension(file) != ".npz") return false;
  const ZipReader archive(file);
  return std::ranges::any_of(kUsual, [&](const char* name) { return archive.has(name); });
}

FeatureSet read_feature_table(const fs::path& file, const FeatureTable& table) {
  constexpr std::uint64_t kAtOnce = 4096;
  const auto array = open_array(file, table);
  const auto width = static_cast<std::int64_t>(array->shape()[1]);
  std::uint64_t count = array->rows();
  if (table.count > 0) count = std::min(count, static_cast<std::uint64_t>(table.count));
  require<DataError>(count >= 2, "evaluate", "{}: {} of pictures, a covariance takes 2 or more",
                     array->label(), count == 1 ? "1 row" : "no row");
  const auto kept = static_cast<std::uint64_t>(table.kept);
  FeatureMoments moments(width);
  FeatureSet set{.source = file.string(), .is_table = true};
  std::vector<float> rows;
  for (std::uint64_t first = 0; first < count; first += kAtOnce) {
    const std::uint64_t some = std::min(kAtOnce, count - first);
    rows.resize(some * static_cast<std::uint64_t>(width));
    array->read(first, std::span<float>(rows));
    check_rows({rows, width}, static_cast<std::int64_t>(first), *array);
    moments.add({rows, width});
    const std::uint64_t taken = first < kept ? std::min(some, kept - first) : 0;
    set.features.insert(set.features.end(), rows.begin(),
                        rows.begin() + static_cast<std::ptrdiff_t>(taken * array->shape()[1]));
  }
  set.pooled = moments.statistics();
  return set;
}

}  // namespace edt
