#include "data/import/import.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/storage/half.h"
#include "data/import/moments.h"
#include "data/import/source.h"

namespace edt::data {

namespace {

constexpr std::uint64_t kVaeFactor = 8;  // pixels for each element of a latent, across and down

std::unique_ptr<ImportSource> open_source(const ImportOptions& options) {
  switch (layout_of(options)) {
    case ImportLayout::kAuto:
      break;
    case ImportLayout::kFolders:
      return open_folder_source(options);
    case ImportLayout::kArray:
      return open_array_source(options);
    case ImportLayout::kSafetensors:
      return open_safetensors_source(options);
  }
  fail<UsageError>("import", "unknown layout");
}

// One sample of a source, checked and scaled.
class SampleReader {
 public:
  SampleReader(ImportSource& source, const ImportOptions& options, Moments moments)
      : stored(source.shape().elements()),
        flipped(source.has_flipped() ? stored.size() : 0),
        source_(source),
        classes_(options.classes),
        moments_(moments),
        // Moments keep their own scale; it is applied when they are drawn from.
        factor_(options.scaled || moments != Moments::kOff ? 1.f
                                                           : static_cast<float>(options.scale)) {}

  void read(std::uint64_t index) {
    source_.read(index, stored, flipped, label);
    require<DataError>(all_finite(stored) && all_finite(flipped), "import",
                       "{}: sample {} contains NaN or infinity", source_.origin(index), index);
    require<DataError>(label >= 0 && label < classes_, "import",
                       "{}: label {} of sample {} is outside 0 to {}", source_.label_origin(index),
                       label, index, classes_ - 1);
    for (const std::span<float> values : {std::span(stored), std::span(flipped)}) {
      if (moments_ != Moments::kOff) finish_moments(values, index);
      if (factor_ != 1.f) {
        for (float& value : values) value *= factor_;
      }
    }
  }

  std::vector<float> stored, flipped;
  std::int32_t label = 0;

 private:
  void finish_moments(std::span<float> values, std::uint64_t index) const {
    const auto half = values.subspan(values.size() / 2);
    if (moments_ == Moments::kLogvar) return log_variance_to_deviation(half);
    const auto negative =
        std::find_if(half.begin(), half.end(), [](float value) { return value < 0; });
    if (negative == half.end()) return;
    fail<DataError>(
        "import",
        "{}: sample {}: standard deviation {} is negative: --moments logvar where these "
        "are log variances",
        source_.origin(index), index, *negative);
  }

  ImportSource& source_;
  int classes_;
  Moments moments_;
  float factor_;
};

// Looks at the first sample, which a source of its own reads: others may not go back.
Moments moments_of(const ImportOptions& options) {
  const std::unique_ptr<ImportSource> source = open_source(options);
  SampleReader first(*source, options, Moments::kOff);
  first.read(0);
  return decide_moments(options.moments, source->shape(), first.stored, source->origin(0));
}

Description describe_source(const ImportSource& source, const ImportOptions& options,
                            Moments decided) {
  const ImportSource::Shape shape = source.shape();
  const bool moments = decided != Moments::kOff;
  const std::uint64_t side = kVaeFactor * shape.height;
  require<UsageError>(
      options.image_size == 0 || static_cast<std::uint64_t>(options.image_size) == side, "import",
      "--image-size is {}, and latents of {} x {} are of pictures of {} pixels ({} times): {}",
      options.image_size, shape.height, shape.width, side, kVaeFactor, source.origin(0));
  Description d;
  d.channels = static_cast<int>(shape.channels / (moments ? 2 : 1));
  d.height = static_cast<int>(shape.height);
  d.width = static_cast<int>(shape.width);
  d.classes = options.classes;
  d.image_size = static_cast<int>(side);
  d.scale = options.scale;
  d.moments = moments;
  d.flipped = source.has_flipped();
  d.type = options.type;
  d.source = fmt::format("import of {}", options.latents.string());
  return d;
}

// Mean and deviation per channel over the whole source. Moments: of what is drawn from them.
void measure_statistics(Description& d, const ImportOptions& options, Moments moments,
                        const Progress& progress) {
  const std::unique_ptr<ImportSource> source = open_source(options);
  SampleReader sample(*source, options, moments);
  const auto channels = static_cast<std::size_t>(d.channels);
  const std::size_t plane = static_cast<std::size_t>(d.height) * d.width;
  std::vector<double> sum(channels), square(channels);
  for (std::uint64_t i = 0; i < source->size(); ++i) {
    sample.read(i);
    for (std::size_t e = 0; e < d.latent_elements(); ++e) {
      const double value = sample.stored[e];
      const double spread = d.moments ? sample.stored[d.latent_elements() + e] : 0;
      sum[e / plane] += value;
      square[e / plane] += value * value + spread * spread;
    }
    if (progress) progress(i + 1, 2 * source->size());
  }
  const double n = static_cast<double>(source->size()) * static_cast<double>(plane);
  const double factor = d.moments ? d.scale : 1;
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = sum[c] / n;
    const double variance = square[c] / n - mean * mean;
    require<DataError>(variance > 0, "import", "{}: channel {} has the same value everywhere",
                       source->origin(0), c);
    d.channel_mean.push_back(mean * factor);
    d.channel_std.push_back(std::sqrt(variance) * factor);
  }
}

// Everything that shapes a shard. What other options say (--image-size) is checked only.
Provenance provenance_of(const ImportOptions& options, Moments moments) {
  Provenance p;
  p.add("made by", "data import, format 1");
  p.add_input("--latents", options.latents);
  if (!options.labels.empty()) p.add_input("--labels", options.labels);
  if (!options.flipped_latents.empty()) p.add_input("--flipped-latents", options.flipped_latents);
  p.add("--layout", fmt::to_string(static_cast<int>(layout_of(options))));
  p.add("--latents-key", options.latents_key);
  p.add("--labels-key", options.labels_key);
  p.add("--flipped-key", options.flipped_key);
  p.add("--classes", fmt::to_string(options.classes));
  p.add("--scale", fmt::to_string(options.scale));
  p.add("--scaled", options.scaled);
  p.add("--moments", std::string(name_of(moments)));
  p.add("--statistics", options.statistics);
  p.add("--dtype", std::string(h5::name_of(options.type)));
  return p;
}

// True where none are to be measured: not asked for, or known from the shards that will be kept.
bool take_known_statistics(Description& description, const ImportOptions& options,
                           std::uint64_t samples, const DatasetWriterOptions& writing) {
  if (!options.statistics) return true;
  const auto kept = DatasetWriter::kept_description(options.out, samples, writing);
  if (!kept) return false;
  description.channel_mean = kept->channel_mean;
  description.channel_std = kept->channel_std;
  return true;
}

}  // namespace

ImportLayout layout_of(const ImportOptions& options) {
  if (options.layout != ImportLayout::kAuto) return options.layout;
  const std::filesystem::path& latents = options.latents;
  std::error_code code;
  require<UsageError>(std::filesystem::exists(latents, code), "import",
                      "{}: there is no such file or folder", latents.string());
  if (!std::filesystem::is_directory(latents, code)) {
    return latents.extension() == ".safetensors" ? ImportLayout::kSafetensors
                                                 : ImportLayout::kArray;
  }
  for (const auto& entry : std::filesystem::directory_iterator(latents)) {
    if (entry.path().extension() == ".safetensors") return ImportLayout::kSafetensors;
  }
  return ImportLayout::kFolders;
}

ImportSource::Shape sample_shape(std::span<const std::uint64_t> array, bool single,
                                 const std::string& label) {
  constexpr std::uint64_t kLargest = 1 << 26;
  const std::string text = h5::to_string({array.begin(), array.end()});
  const bool batched = array.size() == 4 && (!single || array[0] == 1);
  require<DataError>(batched || (single && array.size() == 3), "import",
                     "{}: shape {}, expected {}", label, text,
                     single ? "[1, C, H, W] or [C, H, W]" : "[N, C, H, W]");
  const auto sample = array.last(3);
  std::uint64_t elements = 1;
  for (std::uint64_t n : sample) {
    require<DataError>(n >= 1 && n <= kLargest / elements, "import", "{}: samples of shape {}",
                       label, text);
    elements *= n;
  }
  return {sample[0], sample[1], sample[2]};
}

WriteReport import_data(const ImportOptions& options, const Progress& progress) {
  require<UsageError>(options.type == h5::Type::kFloat16 || options.type == h5::Type::kFloat32,
                      "import", "element type {}: float16 or float32 can be stored",
                      h5::name_of(options.type));
  const std::unique_ptr<ImportSource> source = open_source(options);
  require<DataError>(source->size() >= 1, "import", "{}: there are no samples",
                     options.latents.string());
  const Moments moments = moments_of(options);
  Description description = describe_source(*source, options, moments);
  validate(description, options.latents.string());
  const DatasetWriterOptions writing{.samples_per_shard = options.samples_per_shard,
                                     .provenance = provenance_of(options, moments),
                                     .replace = options.replace};
  const bool measures = !take_known_statistics(description, options, source->size(), writing);
  if (measures) measure_statistics(description, options, moments, progress);
  DatasetWriter writer(options.out, description, source->size(), writing);
  SampleReader sample(*source, options, moments);
  const std::uint64_t before = measures ? source->size() : 0;
  while (writer.next_sample() < source->size()) {
    sample.read(writer.next_sample());
    writer.append(sample.stored, sample.flipped, std::span(&sample.label, 1));
    if (progress) progress(before + writer.next_sample(), before + source->size());
  }
  return writer.finish();
}

}  // namespace edt::data
