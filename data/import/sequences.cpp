#include "data/import/sequences.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"
#include "data/channel_moments.h"
#include "data/import/half_range.h"
#include "data/import/sequence_source.h"
#include "data/import/statistics.h"
#include "data/sequence_arrays.h"
#include "data/shard_set.h"

namespace edt::data {

namespace {

constexpr int kDefaultClasses = 1000;

int classes_of(const SequenceSource& source, const ImportOptions& options) {
  const auto said = static_cast<int>(source.classes());
  if (options.classes == 0) return said > 0 ? said : kDefaultClasses;
  require<UsageError>(said == 0 || said == options.classes, "import",
                      "--classes is {}, and the labels of {} are of {} classes", options.classes,
                      source.label_origin(), said);
  return options.classes;
}

// A window as it is stored.
class WindowReader {
 public:
  WindowReader(SequenceSource& source, const ImportOptions& options, int classes)
      : stored(source.channels() * options.sequences.length),
        conditions(source.frame_channels() * options.sequences.length),
        source_(source),
        classes_(classes),
        type_(options.type),
        frames_(stored.size()) {}

  void read(std::uint64_t window) {
    std::int64_t found = 0;
    source_.read(window, frames_, conditions, found);
    require<DataError>(found >= 0 && found < classes_, "import", "{}: label {} is outside 0 to {}",
                       source_.label_origin(), found, classes_ - 1);
    label = static_cast<std::int32_t>(found);
    transpose_frames(frames_, source_.channels(), stored);
    require_range(stored);
    require_range(conditions);
  }

  std::vector<float> stored;      // [channels, length]
  std::vector<float> conditions;  // [length, numbers]
  std::int32_t label = 0;

 private:
  void require_range(std::span<const float> values) const {
    if (type_ != h5::Type::kFloat16) return;
    const std::string lost = lost_in_float16(values);
    require<DataError>(lost.empty(), "import", "{}: {}: --dtype float32", source_.origin(), lost);
  }

  SequenceSource& source_;
  int classes_;
  h5::Type type_;
  std::vector<float> frames_;
};

Description describe(const SequenceSource& source, const ImportOptions& options) {
  Description d = sequence_description(source.channels(), options.sequences.length);
  d.classes = classes_of(source, options);
  d.class_names = source.class_names();
  d.type = options.type;
  d.source = fmt::format("import of {}", options.latents.string());
  if (source.frame_channels() > 0) {
    d.arrays = {frame_array(options.sequences.length, source.frame_channels(), options.type)};
  }
  return d;
}

// Everything that shapes a shard.
Provenance provenance_of(const ImportOptions& options, const Description& d) {
  constexpr const char* kCuts[] = {"none", "first", "windows"};
  const SequenceOptions& sequences = options.sequences;
  Provenance p;
  p.add("made by", "data import of sequences, format 1");
  p.add_input("--latents", options.latents);
  if (!options.labels.empty()) p.add_input("--labels", options.labels);
  if (!sequences.frames.empty()) p.add_input("--frames", sequences.frames);
  for (const auto& [name, key] : {std::pair{"--latents-key", &options.latents_key},
                                  {"--labels-key", &options.labels_key},
                                  {"--frames-key", &sequences.frames_key},
                                  {"--lengths-key", &sequences.lengths_key}}) {
    p.add(name, key->empty() ? "the usual" : *key);
  }
  if (options.unlabelled) p.add("--unlabelled", true);
  p.add("--classes", fmt::to_string(d.classes));
  p.add("--length", fmt::to_string(sequences.length));
  p.add("--cut", std::string(kCuts[static_cast<int>(sequences.cut)]));
  p.add("--window-step", fmt::to_string(sequences.step()));
  p.add("--short", std::string(sequences.skips_short ? "skip" : "refuse"));
  if (!options.statistics_from.empty()) p.add_input("--statistics-from", options.statistics_from);
  p.add("--dtype", std::string(h5::name_of(options.type)));
  return p;
}

// Given, known from the shards that will be kept, or measured: numbers of a frame differ by orders,
// so they always have them. True where they were measured.
bool add_statistics(Description& d, WindowReader& window, const ImportOptions& options,
                    std::uint64_t windows, const DatasetWriterOptions& writing,
                    const Progress& progress) {
  if (!options.statistics_from.empty()) {
    auto [mean, deviation] =
        read_statistics(options.statistics_from, static_cast<std::uint64_t>(d.channels));
    d.channel_mean = std::move(mean);
    d.channel_std = std::move(deviation);
    return false;
  }
  if (const auto kept = ShardSet::kept_description(options.out, windows, writing)) {
    d.channel_mean = kept->channel_mean;
    d.channel_std = kept->channel_std;
    return false;
  }
  ChannelMoments moments(static_cast<std::size_t>(d.channels));
  for (std::uint64_t i = 0; i < windows; ++i) {
    window.read(i);
    moments.add(window.stored);
    if (progress) progress(i + 1, 2 * windows);
  }
  const std::size_t still = moments.store(d);
  if (still > 0) {
    log::info("{}: {} of {} numbers of a frame are the same everywhere", options.latents.string(),
              still, d.channels);
  }
  return true;
}

}  // namespace

WriteReport import_sequences(const ImportOptions& options, const Progress& progress) {
  SequenceSource source(options);
  Description description = describe(source, options);
  validate(description, options.latents.string());
  const DatasetWriterOptions writing{.samples_per_shard = options.samples_per_shard,
                                     .provenance = provenance_of(options, description),
                                     .replace = options.replace};
  WindowReader window(source, options, description.classes);
  const std::uint64_t windows = source.size();
  const bool measured = add_statistics(description, window, options, windows, writing, progress);
  const std::string summary = source.summary();
  DatasetWriter writer(options.out, description, windows, writing);
  const std::uint64_t before = measured ? windows : 0;
  std::vector<StoredSamples> arrays(description.arrays.size());
  while (writer.next_sample() < windows) {
    window.read(writer.next_sample());
    if (!arrays.empty()) {
      arrays[0].clear();
      append_stored(description.arrays[0], window.conditions, arrays[0].plain);
    }
    writer.append(window.stored, {}, std::span(&window.label, 1), arrays);
    if (progress) progress(before + writer.next_sample(), before + windows);
  }
  WriteReport report = writer.finish();
  report.source = summary;
  return report;
}

}  // namespace edt::data
