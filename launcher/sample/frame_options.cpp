#include "launcher/sample/frame_options.h"

#include <charconv>

#include "core/base/error.h"
#include "core/storage/half.h"
#include "core/storage/missing_path.h"
#include "data/import/array.h"
#include "launcher/recipe/model_data.h"

namespace edt {
namespace {

constexpr std::string_view kOneOfSet = "set:";

std::vector<float> of_file(const std::filesystem::path& path, const ModelConfig& model,
                           std::size_t samples) {
  const auto file = data::open_array_file(path);
  const auto array = data::find_array(*file, {"--frames", {}, {kFrameArray, "conditions"}}, false);
  const auto frames = static_cast<std::uint64_t>(model.common().patches().tokens());
  const auto numbers = static_cast<std::uint64_t>(model.common().frame_channels);
  const bool is_one = array->shape() == h5::Shape{frames, numbers};
  const bool is_each = array->shape() == h5::Shape{samples, frames, numbers};
  require<DataError>(is_one || is_each, "sample",
                     "--frames {}: shape {}, {} for {} sequences are needed, or {} for all of them",
                     array->label(), h5::to_string(array->shape()),
                     h5::to_string({samples, frames, numbers}), samples,
                     h5::to_string({frames, numbers}));
  std::vector<float> values(array->elements());
  array->read(0, std::span(values));
  require<DataError>(all_finite(values), "sample", "--frames {}: contains NaN or infinity",
                     array->label());
  const std::vector<float> one = values;
  while (is_one && values.size() < samples * one.size()) {
    values.insert(values.end(), one.begin(), one.end());
  }
  return values;
}

}  // namespace

std::vector<std::uint64_t> samples_of_classes(const data::Dataset& dataset,
                                              std::span<const std::int32_t> labels,
                                              std::int64_t no_class) {
  std::vector<std::uint64_t> next(static_cast<std::size_t>(dataset.description().classes));
  std::vector<std::uint64_t> found;
  for (const std::int32_t label : labels) {
    if (label == no_class) {
      found.push_back(found.size() % dataset.size());
      continue;
    }
    require<DataError>(static_cast<std::size_t>(label) < next.size(), "sample",
                       "{}: it has {} classes, and class {} is asked for", dataset.path().string(),
                       next.size(), label);
    std::uint64_t& place = next.at(static_cast<std::size_t>(label));
    std::uint64_t seen = 0;
    while (seen < dataset.size() && dataset.label(place % dataset.size()) != label) ++place, ++seen;
    require<DataError>(seen < dataset.size(), "sample", "{}: none of its samples has class {}",
                       dataset.path().string(), label);
    found.push_back(place++ % dataset.size());
  }
  return found;
}

void FrameOptions::declare(OptionSet& options) {
  options.add("frames", &from,
              "what a model that reads frames is told of each: set, of the data set's samples of "
              "the same classes; set:NUMBER, of that one for all; or a file of arrays, [N, frames, "
              "numbers] or one for all");
}

void FrameOptions::check(const OptionSet& set, const ModelConfig& model, bool extends) const {
  const std::int64_t numbers = model.common().frame_channels;
  require<UsageError>(numbers > 0 || !set.given("frames"), "sample",
                      "--frames is {}, and {} reads no conditions of frames (model.frame-channels "
                      "is 0)",
                      from, model.name());
  require<UsageError>(numbers == 0 || !extends, "sample",
                      "--extend is given, and {} reads conditions of the frames of one window",
                      model.name());
  std::error_code code;
  require<UsageError>(numbers == 0 || is_of_set() || std::filesystem::is_regular_file(from, code),
                      "sample", "--frames {}: there is no such file{}", from,
                      missing_path_hint(from));
}

std::filesystem::path FrameOptions::input() const {
  return is_of_set() ? std::filesystem::path() : std::filesystem::path(from);
}

std::vector<std::uint64_t> FrameOptions::samples(const data::Dataset& dataset,
                                                 std::span<const std::int32_t> labels,
                                                 std::int64_t no_class) const {
  if (from == "set") return samples_of_classes(dataset, labels, no_class);
  if (!is_of_set()) return {};
  std::uint64_t index = 0;
  const std::string_view text = std::string_view(from).substr(kOneOfSet.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  require<UsageError>(error == std::errc() && end == text.data() + text.size(), "sample",
                      "--frames {}: a sample of the data set is set:NUMBER", from);
  require<UsageError>(index < dataset.size(), "sample", "--frames {}: {} has samples 0 to {}", from,
                      dataset.path().string(), dataset.size() - 1);
  return std::vector(labels.size(), index);
}

std::vector<float> FrameOptions::read(const ModelConfig& model, const TrainedData& data,
                                      std::span<const std::int32_t> labels) const {
  if (model.common().frame_channels == 0) return {};
  if (!is_of_set()) return of_file(from, model, labels.size());
  require<UsageError>(data.description.has_value(), "sample",
                      "--frames {}: {}: --data names it, or --frames a file", from, data.absence());
  std::vector<data::ArrayRequest> requests;
  for (data::ArrayRequest& request : array_requests(model)) {
    if (request.name == kFrameArray) requests.push_back(std::move(request));
  }
  const data::Dataset dataset(data.path, {.arrays = requests});
  std::vector<data::SampleRef> refs;
  for (const std::uint64_t sample : samples(dataset, labels, model.classes()))
    refs.push_back({.index = sample});
  std::vector<float> values(refs.size() * dataset.arrays()[0].elements);
  data::ReadScratch scratch;
  dataset.read_array(0, refs, scratch, values);
  return values;
}

}  // namespace edt
