#include "data/import/import.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/half.h"
#include "data/import/half_range.h"
#include "data/import/moments.h"
#include "data/import/sequences.h"
#include "data/import/source.h"
#include "data/import/statistics.h"
#include "data/shard_set.h"

namespace edt::data {

namespace {

constexpr int kUsualClasses = 1000;

int classes_of(const ImportSource& source, const ImportOptions& options) {
  const auto said = static_cast<int>(source.classes());
  if (options.classes == 0) return said > 0 ? said : kUsualClasses;
  require<UsageError>(said == 0 || said == options.classes, "import",
                      "--classes is {}, and the labels of {} are of {} classes", options.classes,
                      source.label_origin(), said);
  return options.classes;
}

// What the files say of the scale, where that was not given.
void take_scale(ImportOptions& options, const Remark& said) {
  if (said.value == options.scale) return;
  if (options.scale_is_given) {
    log::warning("{} is {}, --scale is {}, which counts", said.where, said.value, options.scale);
  } else if (!is_scale(said.value)) {
    log::warning("{} is {}, which is no scale: {} is taken", said.where, said.value, options.scale);
  } else {
    log::info("--scale is {}, as {} says", said.value, said.where);
    options.scale = said.value;
  }
}

void take_classes(ImportOptions& options, const Remark& said, std::uint64_t of_labels) {
  const double counts = options.classes > 0 ? options.classes : static_cast<double>(of_labels);
  if (said.value == counts) return;
  if (counts > 0 || !is_number_of_classes(said.value)) {
    log::warning(
        "{} is {}, {}", said.where, said.value,
        counts > 0 ? fmt::format("{} {}, which counts",
                                 options.classes > 0 ? "--classes is" : "the labels are of", counts)
                   : "which is no number of classes: it is not taken");
  } else {
    log::info("--classes is {}, as {} says", said.value, said.where);
    options.classes = static_cast<int>(said.value);
  }
}

// What was not given is taken from what the files say, what differs from it is told.
ImportOptions with_remarks(ImportOptions options, const ImportSource& source) {
  const Remarks& remarks = source.remarks();
  if (const Remark* scale = remarks.find(Topic::kScale)) take_scale(options, *scale);
  if (const Remark* classes = remarks.find(Topic::kClasses)) {
    take_classes(options, *classes, source.classes());
  }
  remarks.note_rest(options.latents.string(), options.vae_factor, source.shape().height);
  return options;
}

// One sample of a source, checked and scaled.
class SampleReader {
 public:
  SampleReader(ImportSource& source, const ImportOptions& options, Moments moments)
      : stored(source.shape().elements()),
        flipped(source.has_flipped() ? stored.size() : 0),
        source_(source),
        classes_(classes_of(source, options)),
        moments_(moments),
        type_(options.type),
        factor_(factor_of(options, moments)) {}

  // As it is stored.
  void read_raw(std::uint64_t index) {
    std::int64_t found = 0;
    source_.read(index, stored, flipped, found);
    require<DataError>(all_finite(stored) && all_finite(flipped), "import",
                       "{}: sample {} contains NaN or infinity", source_.origin(), index);
    require<DataError>(found >= 0 && found < classes_, "import",
                       "{}: label {} of sample {} is outside 0 to {}", source_.label_origin(),
                       found, index, classes_ - 1);
    label = static_cast<std::int32_t>(found);
  }

  void read(std::uint64_t index) {
    read_raw(index);
    source_.require_written(stored, flipped, index);
    for (const std::span<float> values : {std::span(stored), std::span(flipped)}) {
      if (moments_ != Moments::kOff) finish_moments(values, index);
      if (factor_ != 1.f) {
        for (float& value : values) value *= factor_;
      }
      require_range(values, index);
    }
  }

  std::vector<float> stored, flipped;
  std::int32_t label = 0;

 private:
  // Latents are stored scaled. Moments are not, as it is done when they are drawn from: mean and
  // deviation of scaled latents are divided by it.
  static float factor_of(const ImportOptions& options, Moments moments) {
    const auto scale = static_cast<float>(options.scale);
    if (moments != Moments::kOff) return options.scaled.value_or(false) ? 1 / scale : 1;
    return options.scaled.value_or(true) ? 1 : scale;
  }

  void require_range(std::span<const float> values, std::uint64_t index) const {
    if (type_ != h5::Type::kFloat16) return;
    const std::string lost = lost_in_float16(values);
    require<DataError>(lost.empty(), "import", "{}: sample {}: {}: --dtype float32",
                       source_.origin(), index, lost);
  }

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
        source_.origin(), index, *negative);
  }

  ImportSource& source_;
  int classes_;
  Moments moments_;
  h5::Type type_;
  float factor_;
};

Moments moments_of(ImportSource& source, const ImportOptions& options, bool scale_is_taken) {
  SampleReader first(source, options, Moments::kOff);
  first.read_raw(0);
  if (first.stored == first.flipped) {
    log::warning("{}: sample 0 and its mirrored copy are equal: was it mirrored?", source.origin());
  }
  const Moments decided =
      decide_moments(options.moments, source.shape(), first.stored, source.origin());
  // Another one is said by who knows the latents.
  const bool usual = scale_is_taken || options.scale == ImportOptions{}.scale;
  if (decided == Moments::kOff && !options.scaled && usual) {
    require_scaled(first.stored, options.scale, "--scaled on or off", source.origin());
  }
  if (decided == Moments::kOff && options.scaled && usual) {
    note_unusual_scale(first.stored, *options.scaled ? 1 : options.scale, source.origin());
  }
  if (decided != Moments::kOff && usual) {
    const auto means = std::span(first.stored).first(first.stored.size() / 2);
    note_unusual_means(means, options.scaled.value_or(false) ? 1 : options.scale, source.origin());
  }
  return decided;
}

Description describe_source(const ImportSource& source, const ImportOptions& options,
                            Moments decided) {
  const SampleShape& shape = source.shape();
  const bool moments = decided != Moments::kOff;
  const std::uint64_t side = static_cast<std::uint64_t>(options.vae_factor) * shape.height;
  require<UsageError>(
      options.image_size == 0 || static_cast<std::uint64_t>(options.image_size) == side, "import",
      "--image-size is {}, and latents of {} x {} are of pictures of {} pixels (--vae-factor {}): "
      "{}",
      options.image_size, shape.height, shape.width, side, options.vae_factor, source.origin());
  Description d;
  d.channels = static_cast<int>(shape.channels / (moments ? 2 : 1));
  d.height = static_cast<int>(shape.height);
  d.width = static_cast<int>(shape.width);
  d.classes = classes_of(source, options);
  d.class_names = source.class_names();
  d.image_size = static_cast<int>(side);
  d.scale = options.scale;
  d.moments = moments;
  d.flipped = source.has_flipped();
  d.type = options.type;
  d.source = fmt::format("import of {}", options.latents.string());
  return d;
}

// Mean and deviation per channel over the whole source. Moments: of what is drawn from them.
void measure_statistics(Description& d, ImportSource& source, const ImportOptions& options,
                        Moments moments, const Progress& progress) {
  SampleReader sample(source, options, moments);
  const auto channels = static_cast<std::size_t>(d.channels);
  const std::size_t plane = static_cast<std::size_t>(d.height) * d.width;
  std::vector<double> sum(channels), square(channels);
  for (std::uint64_t i = 0; i < source.size(); ++i) {
    sample.read(i);
    for (std::size_t e = 0; e < d.latent_elements(); ++e) {
      const double value = sample.stored[e];
      const double spread = d.moments ? sample.stored[d.latent_elements() + e] : 0;
      sum[e / plane] += value;
      square[e / plane] += value * value + spread * spread;
    }
    if (progress) progress(i + 1, 2 * source.size());
  }
  const double n = static_cast<double>(source.size()) * static_cast<double>(plane);
  const double factor = d.moments ? d.scale : 1;
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = sum[c] / n;
    const double variance = square[c] / n - mean * mean;
    require<DataError>(variance > 0, "import", "{}: channel {} has the same value everywhere",
                       source.origin(), c);
    d.channel_mean.push_back(mean * factor);
    d.channel_std.push_back(std::sqrt(variance) * factor);
  }
}

// Everything that shapes a shard. What other options say (--image-size) is checked only.
Provenance provenance_of(const ImportOptions& options, const ImportSource& source,
                         const Description& d, Moments moments) {
  constexpr const char* kLayouts[] = {"auto", "array", "folders", "json", "classes"};
  constexpr const char* kOrders[] = {"auto", "name", "number"};
  Provenance p;
  p.add("made by", "data import, format 2");
  p.add_input("--latents", options.latents);
  if (!options.labels.empty()) p.add_input("--labels", options.labels);
  if (!options.flipped_latents.empty()) p.add_input("--flipped-latents", options.flipped_latents);
  for (const auto& file : source.other_files()) p.add_input(file.string(), file);
  p.add("--layout", kLayouts[static_cast<int>(layout_of(options))]);
  for (const auto& [name, key] : {std::pair{"--latents-key", &options.latents_key},
                                  {"--labels-key", &options.labels_key},
                                  {"--flipped-key", &options.flipped_key}}) {
    p.add(name, key->empty() ? "the usual" : *key);
  }
  if (options.unlabelled) p.add("--unlabelled", true);
  p.add("--class-order", kOrders[static_cast<int>(options.class_order)]);
  p.add("--classes", fmt::to_string(d.classes));
  p.add("--vae-factor", fmt::to_string(options.vae_factor));
  p.add("--scale", fmt::to_string(options.scale));
  p.add("--scaled", options.scaled.value_or(true));
  p.add("--moments", std::string(name_of(moments)));
  // By themselves they are taken as not scaled.
  if (moments != Moments::kOff && options.scaled.value_or(false)) {
    p.add("moments of scaled latents", true);
  }
  p.add("--statistics", options.statistics);
  if (!options.statistics_from.empty()) p.add_input("--statistics-from", options.statistics_from);
  p.add("--dtype", std::string(h5::name_of(options.type)));
  add_features(p, options.features);
  add_texts(p, options.text);
  return p;
}

Beside beside(const ImportSource& source) {
  return {.label = source.origin(),
          .samples = source.size(),
          .flipped = source.has_flipped(),
          .files = source.single_files(),
          .row_names = source.row_names()};
}

// True where none are to be measured: not asked for, given, or known from the shards that will be
// kept.
bool take_known_statistics(Description& description, const ImportOptions& options,
                           std::uint64_t samples, const DatasetWriterOptions& writing) {
  if (!options.statistics_from.empty()) {
    const auto channels = static_cast<std::uint64_t>(description.channels);
    auto [mean, deviation] = read_statistics(options.statistics_from, channels);
    description.channel_mean = std::move(mean);
    description.channel_std = std::move(deviation);
    return true;
  }
  if (!options.statistics) return true;
  const auto kept = ShardSet::kept_description(options.out, samples, writing);
  if (!kept) return false;
  description.channel_mean = kept->channel_mean;
  description.channel_std = kept->channel_std;
  return true;
}

}  // namespace

WriteReport import_data(const ImportOptions& given, const Progress& progress) {
  if (given.sequences.is_on()) return import_sequences(given, progress);
  ImportSource source(given);
  const ImportOptions options = with_remarks(given, source);
  require<UsageError>(options.type == h5::Type::kFloat16 || options.type == h5::Type::kFloat32,
                      "import", "element type {}: float16 or float32 can be stored",
                      h5::name_of(options.type));
  require<UsageError>(!options.statistics || options.statistics_from.empty(), "import",
                      "--statistics measures what --statistics-from {} gives: one of them",
                      options.statistics_from.string());
  require<DataError>(source.size() >= 1, "import", "{}: there are no samples",
                     options.latents.string());
  const Moments moments = moments_of(source, options, options.scale != given.scale);
  Description description = describe_source(source, options, moments);
  std::vector<FeatureSource> features = open_features(options.features, beside(source));
  description.arrays = arrays_of(features);
  std::optional<TextSource> texts = open_texts(options.text, beside(source));
  if (texts) description.text = texts->description();
  validate(description, options.latents.string());
  DatasetWriterOptions writing{.samples_per_shard = options.samples_per_shard,
                               .provenance = provenance_of(options, source, description, moments),
                               .replace = options.replace};
  if (texts) writing.text_tokens = [&](std::uint64_t sample) { return texts->tokens(sample); };
  const bool measures = !take_known_statistics(description, options, source.size(), writing);
  if (measures) measure_statistics(description, source, options, moments, progress);
  DatasetWriter writer(options.out, description, source.size(), writing);
  SampleReader sample(source, options, moments);
  std::vector<StoredSamples> arrays;
  StoredTexts text;
  const std::uint64_t before = measures ? source.size() : 0;
  while (writer.next_sample() < source.size()) {
    sample.read(writer.next_sample());
    read_features(features, writer.next_sample(), sample.label, arrays);
    text.clear();
    if (texts) texts->read(writer.next_sample(), text);
    writer.append(sample.stored, sample.flipped, std::span(&sample.label, 1), arrays, text);
    if (progress) progress(before + writer.next_sample(), before + source.size());
  }
  WriteReport report = writer.finish();
  report.source = source.summary();
  if (moments != Moments::kOff) report.source += fmt::format("; mean and {}", name_of(moments));
  for (const FeatureSource& feature : features) report.source += "; " + feature.summary();
  if (texts) report.source += "; " + texts->summary();
  return report;
}

}  // namespace edt::data
