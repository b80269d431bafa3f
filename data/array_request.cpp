#include "data/array_request.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"

namespace edt::data {

namespace {

// Of `tokens` on a grid with the proportions of the latents; nothing: they form none.
std::optional<std::uint64_t> grid_rows(const Description& d, std::uint64_t tokens) {
  const auto height = static_cast<std::uint64_t>(d.height);
  const auto width = static_cast<std::uint64_t>(d.width);
  const auto rows = static_cast<std::uint64_t>(
      std::llround(std::sqrt(static_cast<double>(tokens * height) / static_cast<double>(width))));
  if (rows == 0 || tokens % rows != 0 || rows * width != tokens / rows * height) return {};
  return rows;
}

std::optional<TokenAverage> average_of(const Description& d, const h5::Shape& stored,
                                       const h5::Shape& wanted) {
  if (stored.size() != 2 || wanted.size() != 2 || stored[1] != wanted[1]) return {};
  const auto from = grid_rows(d, stored[0]), to = grid_rows(d, wanted[0]);
  if (!from || !to || *from % *to != 0) return {};
  return TokenAverage{
      .rows = *from, .columns = stored[0] / *from, .side = *from / *to, .dims = stored[1]};
}

}  // namespace

RequestedArray resolve_array(const Description& d, const ArrayRequest& request,
                             const std::string& label) {
  const auto found = std::ranges::find(d.arrays, request.name, &SampleArray::name);
  require<DataError>(found != d.arrays.end(), "data",
                     "{}: there is no array '{}' beside the latents; there are: {}", label,
                     request.name, text_of(d.arrays));
  RequestedArray array{static_cast<std::size_t>(found - d.arrays.begin()), found->elements(), {}};
  if (request.shape.empty() || request.shape == found->shape) return array;
  array.average = average_of(d, found->shape, request.shape);
  require<DataError>(
      array.average.has_value(), "data",
      "{}: array '{}' has {} for each sample, {} are asked for, and a grid of tokens "
      "is averaged only over whole squares",
      label, request.name, h5::to_string(found->shape), h5::to_string(request.shape));
  array.elements = array.average->elements_out();
  return array;
}

}  // namespace edt::data
