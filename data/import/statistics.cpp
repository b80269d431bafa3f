#include "data/import/statistics.h"

#include <cmath>

#include "core/base/error.h"
#include "data/import/array.h"

namespace edt::data {

namespace {

std::vector<double> read_channels(Array& array, std::uint64_t channels) {
  require<DataError>(array.elements() == channels, "import",
                     "{}: shape {}, expected {} numbers, one for each channel", array.label(),
                     h5::to_string(array.shape()), channels);
  std::vector<double> values(channels);
  array.read(0, std::span(values));
  for (const double value : values) {
    require<DataError>(std::isfinite(value), "import", "{}: contains {}", array.label(), value);
  }
  return values;
}

}  // namespace

ChannelStatistics read_statistics(const std::filesystem::path& path, std::uint64_t channels) {
  const auto file = open_array_file(path);
  require<DataError>(file->has_names(), "import",
                     "{}: one array without a name: --statistics-from takes a file of two, mean "
                     "and std",
                     path.string());
  const ArrayName first{"--statistics-from", {}, {"mean", "latents_bias"}};
  const ArrayName second{"--statistics-from", {}, {"std", "latents_scale"}};
  std::string name;
  const auto mean = find_array(*file, first, false);
  const auto spread = find_array(*file, second, false, &name);
  ChannelStatistics statistics{read_channels(*mean, channels), read_channels(*spread, channels)};
  for (double& value : statistics.deviation) {
    require<DataError>(value > 0, "import", "{}: {} is no {}", spread->label(), value,
                       name == "std" ? "deviation" : "factor");
    if (name == "latents_scale") value = 1 / value;
  }
  return statistics;
}

}  // namespace edt::data
