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

RequestedArray resolve_text(const Description& d, const ArrayRequest& request,
                            const std::string& label) {
  const TextDescription& text = d.text;
  require<DataError>(text.present(), "data",
                     "{}: there are no texts, and '{}' is asked for: `edt data import --text` and "
                     "`edt data repack --text` put them beside latents",
                     label, request.name);
  RequestedArray array{.kind = RequestedArray::Kind::kTextLength, .elements = 1};
  if (request.name == kTextLengthRequest) {
    require<DataError>(request.shape.empty() || request.shape == h5::Shape{1}, "data",
                       "{}: '{}' is [1] for each sample, {} are asked for", label, request.name,
                       h5::to_string(request.shape));
    return array;
  }
  const h5::Shape shape =
      request.shape.empty() ? h5::Shape{text.tokens, text.channels} : request.shape;
  require<DataError>(shape.size() == 2 && shape[1] == text.channels, "data",
                     "{}: texts of {} channels, {} are asked for", label, text.channels,
                     h5::to_string(shape));
  require<DataError>(shape[0] >= text.tokens, "data",
                     "{}: texts of up to {} tokens, room for {} is asked for", label, text.tokens,
                     shape[0]);
  array.kind = RequestedArray::Kind::kText;
  array.elements = shape[0] * shape[1];
  return array;
}

}  // namespace

RequestedArray resolve_array(const Description& d, const ArrayRequest& request,
                             const std::string& label) {
  if (request.name == kTextRequest || request.name == kTextLengthRequest) {
    return resolve_text(d, request, label);
  }
  const auto found = std::ranges::find(d.arrays, request.name, &SampleArray::name);
  require<DataError>(found != d.arrays.end(), "data",
                     "{}: there is no array '{}' beside the latents; there are: {}", label,
                     request.name, text_of(d.arrays));
  RequestedArray array{.index = static_cast<std::size_t>(found - d.arrays.begin()),
                       .elements = found->elements()};
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
